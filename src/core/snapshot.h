/* snapshot: what was allocated where, frozen: columns, no Python objects.
 *
 *   a row:  domain | node | depth | process | size | count
 *
 *   view live         a row is `count` blocks of `size` bytes each; `traces` shows each block
 *   views peak, total a row is all of a call path in a domain: `size` bytes in `count` blocks; one entry
 *                     in `traces`
 *
 * Rows keep the order they were added in; rows need not be distinct. A row's traceback is its node's path,
 * cut to the `limit` most recent frames; `depth` is the number of frames before any cut (total_nframe), 0
 * where that is not known. Node 0 is the empty traceback. The rows are parts of segments (vmem), which other
 * snapshots may share; holds references to these and to its call paths. Immutable once built: any thread may read.
 * Adding O(1). Fails with NOMEM or FULL (2^64 entries, or
 * no addresses), unchanged.
 */
#ifndef MEMTALLY_SNAPSHOT_H
#define MEMTALLY_SNAPSHOT_H

#include "calltree.h"
#include "idset.h"
#include "segment.h"

/* The most parts that the rows of a snapshot are in. */
enum { PARTS_MOST = SIZED(64, 4) };

enum view { VIEW_LIVE, VIEW_PEAK, VIEW_TOTAL, VIEW_COUNT };

struct snapshot {
    struct vmem *account;    /* borrowed: outlives the snapshot */
    struct callpaths *paths; /* owned reference */
    struct segment *own;     /* borrowed from the last part: where rows are added */
    struct segment_part parts[PARTS_MOST];
    uint32_t part_count; /* at least 1 */
    uint64_t *kept;      /* owned: the bits of parts that are not whole; NULL: all are */
    size_t kept_bytes;
    size_t row_count;
    uint64_t entries; /* the length of `traces`: all counts (live), or row_count */
    uint32_t limit;   /* most frames of a traceback, at least 1 */
    enum view view;
    _Atomic uint32_t references;
    bool listed, whole;             /* by share.h; never unset */
    struct snapshot *newer, *older; /* borrowed; of the same call paths; protected by paths->lock */
};

/* One reference, the caller's; takes a reference to `paths` of its own. NULL without memory. */
nodiscard struct snapshot *snapshot_new(struct vmem *account, struct callpaths *paths, uint32_t limit,
                                        enum view view);
void snapshot_retain(struct snapshot *snapshot);
void snapshot_release(struct snapshot *snapshot); /* NULL is fine */

/* While it is being built, by one thread. */
nodiscard status snapshot_add(struct snapshot *snapshot, const struct row *row);
/* After the last row: gives back what was kept for more, so that many snapshots may be held. */
static inline void snapshot_complete(struct snapshot *snapshot) {
    snapshot->own = segment_complete(snapshot->own);
    snapshot->parts[snapshot->part_count - 1].segment = snapshot->own;
}

/* All rows, one after the other:
 *     for (struct rows rows = snapshot_rows(snapshot); rows_next(&rows);)
 *         use(rows.row);
 */
static inline struct rows snapshot_rows(const struct snapshot *snapshot) {
    return (struct rows){.part = snapshot->parts, .parts_end = snapshot->parts + snapshot->part_count};
}
/* One row, `i` rows after the first: not for going over all. Cost: O(row_count / 64). */
const struct row *snapshot_row(const struct snapshot *snapshot, size_t i);

/* The bytes that a row of a view stands for; UINT64_MAX where they are more. */
static inline uint64_t row_bytes_in(enum view view, const struct row *row) {
    uint64_t bytes;
    if (view != VIEW_LIVE)
        return row->size;
    return unlikely(__builtin_mul_overflow(row->size, row->count, &bytes)) ? UINT64_MAX : bytes;
}
static inline uint64_t row_bytes(const struct snapshot *snapshot, const struct row *row) {
    return row_bytes_in(snapshot->view, row);
}

/* What a tracer held at one moment. */
struct moment {
    struct snapshot *views[VIEW_COUNT]; /* owned references; NULL: not taken */
    uint64_t current, peak;             /* bytes that were traced then, and the most so far */
    uint64_t lost;                      /* traces that there was no memory for */
    uint32_t frames;                    /* most frames of a traceback */
};

/* The number of frames of a node's traceback: its path's length, at most `limit`. */
uint32_t path_frames(const struct callpaths *paths, uint32_t node, uint32_t limit);

/* Puts the string ids of the file names, or of the functions, of all kept frames into `names`, which it
 * initialises; what a filter's pattern has to be matched with. The caller calls idset_fini. Cost: O(rows + nodes). */
nodiscard status snapshot_files(const struct snapshot *snapshot, struct idset *names);
nodiscard status snapshot_functions(const struct snapshot *snapshot, struct idset *names);

bool snapshot_check(const struct snapshot *snapshot);

#endif
