/* snapfile: snapshots as a file: versioned, little-endian, sectioned, checksummed; never pickle.
 *
 *   | header | metadata | strings | sites | nodes | rows (a view) | rows (another) ... | directory | tail |
 *     magic,                                                          where what is,     where the
 *     version,                                                        its checksum       directory is
 *     features
 *
 * Names, sites and nodes are those that the rows need, numbered anew without gaps; the rows keep their order.
 * The bytes of every section are told in docs/file-format.md. All that a snapshot has survives: view, limit,
 * domains, depths (unknown ones too), sizes, counts, file and function names, processes.
 *
 * Writing: to a sink, front to back, in memory that follows the distinct call paths, not the rows.
 * Reading: from a source: bytes in memory, or a function that gets them. Opening reads header, directory and
 * metadata; other sections are read when they are asked for, one at a time, and checked then. Nothing is trusted:
 * what is wrong gives STATUS_INVALID and an error; counts are checked against the bytes that are left before memory
 * is taken; doubles are found by sorting (distinct.h), so no file fills a hash table. Memory: a section's bytes while
 * it is read, and at most 16 times as many for what is kept of them. Once open, any threads may read at the same time.
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

/* Takes the next bytes; anything but STATUS_OK (STATUS_FAILED, say) ends the writing, and snapfile_write returns
 * it. */
typedef status (*snapfile_sink)(void *context, const void *bytes, size_t length);

/* Writes snapshots of different views (1 to VIEW_COUNT of them, the most important one first) that share their call
 * paths; INVALID where
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

/* Notes an error at a byte of the file; for whoever finds something wrong with what metadata say, too. */
void snapfile_fail(struct snapfile_error *error, uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

struct snapfile_section {
    uint64_t offset, length, count; /* offset 0: not there */
    uint32_t checksum;
};

/* Where a file's bytes are. They are the caller's, and stay until the last call. */
struct snapfile_source {
    const void *bytes; /* in memory; or NULL, and then: */
    /* Gets `length` bytes at an offset, all of them within the file; any thread. What it returns instead of
     * STATUS_OK is what the caller of the reader gets. */
    status (*read)(void *context, uint64_t offset, void *bytes, size_t length);
    void *context;
    uint64_t length;
};

/* Bytes of the file in memory. */
struct snapfile_piece {
    const unsigned char *bytes;
    uint64_t offset; /* in the file */
    size_t length;
    void *owned; /* what there is to give back; NULL where they are the source's */
};

struct snapfile {
    struct snapfile_source source;
    struct vmem *account;   /* borrowed: outlives the file and what is read from it */
    uint16_t major, minor;  /* the version that wrote it */
    bool views[VIEW_COUNT]; /* which are in the file: at least one */
    enum view first;        /* the one whose rows come first: what the file is of, above all */
    struct snapfile_section metadata, strings, sites, nodes, rows[VIEW_COUNT], processes[VIEW_COUNT];
    struct snapfile_piece pairs; /* the metadata's bytes */
    struct checksum_tables checksums;
};

/* Can a file begin like this? Fewer than 8 bytes decide what they can. */
bool snapfile_begins_as(const void *bytes, size_t length);

/* Reads and checks header, directory and metadata. Where it fails there is nothing to close. */
nodiscard status snapfile_open(struct snapfile *file, const struct snapfile_source *source,
                               struct vmem *account, struct snapfile_error *error);
void snapfile_close(struct snapfile *file); /* also of a zeroed file, and twice */

/* The next entry of the metadata; start with *cursor = 0; false at the end. They lie in the file until it is closed;
 * where in the file a text begins: pairs.offset + (text.bytes - pairs.bytes). */
bool snapfile_next_pair(const struct snapfile *file, size_t *cursor, struct snapfile_pair *found);

/* The file's call paths, as new ones: one reference, the caller's. */
nodiscard status snapfile_read_paths(const struct snapfile *file, struct callpaths **paths,
                                     struct snapfile_error *error);
/* A view on the call paths that snapfile_read_paths gave for this file: one reference, the caller's. INVALID,
 * too, for a view that is not in the file. */
nodiscard status snapfile_read_view(const struct snapfile *file, struct callpaths *paths, enum view view,
                                    struct snapshot **snapshot, struct snapfile_error *error);

/* The rows of a view, one after the other, in their order, none of them kept; of which processes they are is not read. */
typedef void (*row_visit)(void *context, const struct row *row);
nodiscard status snapfile_each_row(const struct snapfile *file, struct callpaths *paths, enum view view,
                                   row_visit visit, void *context, struct snapfile_error *error);

/* The limit of a view's tracebacks, without reading its rows; their checksum is not looked at yet. */
nodiscard status snapfile_read_limit(const struct snapfile *file, enum view view, uint32_t *limit,
                                     struct snapfile_error *error);

/* All in one, from memory, for a file's first view. */
nodiscard status snapfile_read(const void *bytes, size_t length, struct vmem *account,
                               struct snapshot **snapshot, struct snapfile_error *error);

#endif
