/* snapfile_format: the bytes of a snapshot file, for its writer and its reader and for nobody else.
 * docs/file-format.md tells the same in words. Numbers of fixed size are little-endian.
 *
 *   header, 24 bytes    magic 8 | major u16 | minor u16 | required u32 | reserved u32 | checksum of these u32
 *   sections            one after the other, without gaps
 *   directory           an entry a section, in their order:
 *                       kind u16 | flags u16 | checksum u32 | offset u64 | length u64 | count u64
 *   tail, 24 bytes      directory's offset u64 | entries u32 | checksum of directory and these u32 | magic 8
 *
 * varint:  seven bits a byte, lowest first, the eighth says that more follow; no padding
 * signed:  zigzag (0, -1, 1, -2 ... as 0, 1, 2, 3 ...) in a varint; ~ below: the difference to the last one's
 *
 *   metadata   (length key-bytes length value-bytes)*
 *   strings    (length bytes)*                                  numbered from 1; 0 is ""
 *   sites      (~file ~function ~line)*                         numbered from 1; 0 is ("", "", 0)
 *   nodes      (back ~site [depth])*                            numbered from 1; 0 is the root
 *                back: number - parent's number; 0 below the root, and then the depth
 *                follows; else it is the parent's + 1
 *   rows       limit (tag size [count] [domain] [depth])*       tag: ~node << 3 | what follows
 *                what does not: count 1, the last row's domain (first 0), the node's depth
 *   processes  (rows name)*                                     so many rows of a view are of the process with this
 *                name; 0: not said. Only where a row is of one
 */
#ifndef MEMTALLY_SNAPFILE_FORMAT_H
#define MEMTALLY_SNAPFILE_FORMAT_H

#include "snapfile.h"

#define SNAPFILE_MAGIC "\x89MTS\r\n\x1a\n"
#define SNAPFILE_END "\n\x1a\n\rSTM\x89"

enum { SNAPFILE_HEADER = 24, SNAPFILE_ENTRY = 32, SNAPFILE_TAIL = 24 };

/* Bits of `required` that this version knows: none yet. */
enum { SNAPFILE_FEATURES = 0 };

enum snapfile_kind {
    SECTION_METADATA = 1,
    SECTION_STRINGS = 2,
    SECTION_SITES = 3,
    SECTION_NODES = 4,
    SECTION_ROWS = 16,      /* + view */
    SECTION_PROCESSES = 32, /* + view; not required */
};

/* A directory entry's flags: a reader that does not know the section's kind must refuse the file. */
enum { SECTION_REQUIRED = 1 };

enum { ROW_COUNT = 1, ROW_DOMAIN = 2, ROW_DEPTH = 4, ROW_BITS = 3 };

enum { VARINT_MOST = 10 };

static inline uint64_t zigzag(int64_t number) { return (uint64_t)number << 1 ^ (uint64_t)(number >> 63); }
static inline int64_t unzigzag(uint64_t coded) { return (int64_t)(coded >> 1 ^ (0 - (coded & 1))); }

#endif
