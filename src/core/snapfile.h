/* snapfile: snapshots as a file: versioned, little-endian, sectioned, checksummed; never pickle.
 *
 *   | header | metadata | strings | sites | nodes | rows (a view) | rows (another) ... | directory | tail |
 *     magic,                                                          where what is,     where the
 *     version,                                                        its checksum       directory is
 *     features
 *
 * Names, sites and nodes are those that the rows need, numbered anew without gaps; the rows keep their order.
 * The bytes of every section are told in docs/file-format.md. All that a snapshot has survives: view, limit,
 * domains, depths (unknown ones too), sizes, counts, file and function names.
 *
 * Writing: to a sink, front to back, in memory that follows the distinct call paths, not the rows.
 * Reading: from bytes in memory (read or mapped), which stay the caller's and unchanged while they are read.
 * Nothing in them is trusted: what is wrong gives STATUS_INVALID and an error; counts are checked against the
 * bytes that are left before memory is taken. Sections not asked for are not looked at. Once open, any
 * threads may read at the same time.
 */
#ifndef MEMTALLY_SNAPFILE_H
#define MEMTALLY_SNAPFILE_H

#include "checksum.h"
#include "snapshot.h"

enum { SNAPFILE_MAJOR = 1, SNAPFILE_MINOR = 0 };

/* One entry of the metadata; both UTF-8 (lone surrogates allowed), keys not empty. */
struct snapfile_pair {
    struct string key, value;
};

/* Takes the next bytes; anything but STATUS_OK ends the writing, and snapfile_write returns it. */
typedef status (*snapfile_sink)(void *context, const void *bytes, size_t length);

/* Writes snapshots of different views (1 to VIEW_COUNT of them) that share their call paths; INVALID where
 * they do not, or where metadata is not what it has to be. NOMEM where the system has no memory; what was
 * written then is no file. */
nodiscard status snapfile_write(struct snapshot *const *snapshots, size_t snapshot_count,
                                const struct snapfile_pair *pairs, size_t pair_count, snapfile_sink sink,
                                void *context);

/* What is wrong, and at which byte of the file. Set with STATUS_INVALID only. */
struct snapfile_error {
    char text[160]; /* a part of a sentence, ASCII, terminated: "node 7 has site 12 of 11" */
    uint64_t offset;
};

struct snapfile_section {
    uint64_t offset, length, count; /* offset 0: not there */
    uint32_t checksum;
};

struct snapfile {
    const unsigned char *bytes; /* borrowed: the caller's, until the last call */
    size_t length;
    uint16_t major, minor;  /* the version that wrote it */
    bool views[VIEW_COUNT]; /* which are in the file: at least one */
    struct snapfile_section metadata, strings, sites, nodes, rows[VIEW_COUNT];
    struct checksum_tables checksums;
};

/* Reads and checks header, directory and metadata. Allocates nothing; there is nothing to close. */
nodiscard status snapfile_open(struct snapfile *file, const void *bytes, size_t length,
                               struct snapfile_error *error);

/* The next entry of the metadata; start with *cursor = 0; false at the end. They lie in the file's bytes. */
bool snapfile_next_pair(const struct snapfile *file, size_t *cursor, struct snapfile_pair *found);

/* The file's call paths, as new ones: one reference, the caller's. */
nodiscard status snapfile_read_paths(const struct snapfile *file, struct vmem *account,
                                     struct callpaths **paths, struct snapfile_error *error);
/* A view on the call paths that snapfile_read_paths gave for this file: one reference, the caller's. INVALID,
 * too, for a view that is not in the file. */
nodiscard status snapfile_read_view(const struct snapfile *file, struct callpaths *paths, enum view view,
                                    struct snapshot **snapshot, struct snapfile_error *error);

/* All in one, for a file with one view (or the first of live, peak, total that it has). */
nodiscard status snapfile_read(const void *bytes, size_t length, struct vmem *account,
                               struct snapshot **snapshot, struct snapfile_error *error);

#endif
