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
 * where that is not known. Node 0 is the empty traceback. Owns its rows (vmem); holds a reference to its call
 * paths. Immutable once built: any thread may read. Adding O(1). Fails with NOMEM or FULL (2^64 entries, or
 * no addresses), unchanged.
 */
#ifndef MEMTALLY_SNAPSHOT_H
#define MEMTALLY_SNAPSHOT_H

#include "calltree.h"
#include "idset.h"

enum view { VIEW_LIVE, VIEW_PEAK, VIEW_TOTAL, VIEW_COUNT };

struct row {
    uint32_t domain;
    uint32_t node;
    uint32_t depth;
    uint32_t process; /* string id of the name of the process it is from; 0: not said */
    uint64_t size;
    uint64_t count; /* at least 1 */
};

struct snapshot {
    struct vmem *account;    /* borrowed: outlives the snapshot */
    struct callpaths *paths; /* owned reference */
    struct region rows;      /* struct row */
    size_t row_count;
    uint64_t entries; /* the length of `traces`: all counts (live), or row_count */
    uint32_t limit;   /* most frames of a traceback, at least 1 */
    enum view view;
    _Atomic uint32_t references;
};

/* One reference, the caller's; takes a reference to `paths` of its own. NULL without memory. */
nodiscard struct snapshot *snapshot_new(struct vmem *account, struct callpaths *paths, uint32_t limit,
                                        enum view view);
void snapshot_retain(struct snapshot *snapshot);
void snapshot_release(struct snapshot *snapshot); /* NULL is fine */

/* While it is being built, by one thread. */
nodiscard status snapshot_add(struct snapshot *snapshot, const struct row *row);
/* After the last row: gives back the addresses that were kept for more, so that many snapshots may be held. */
static inline void snapshot_complete(struct snapshot *snapshot) { region_trim(&snapshot->rows); }

static inline const struct row *snapshot_row(const struct snapshot *snapshot, size_t i) {
    return (const struct row *)snapshot->rows.base + i;
}
/* The bytes that a row stands for; UINT64_MAX where they are more. */
static inline uint64_t row_bytes(const struct snapshot *snapshot, const struct row *row) {
    uint64_t bytes;
    if (snapshot->view != VIEW_LIVE)
        return row->size;
    return unlikely(__builtin_mul_overflow(row->size, row->count, &bytes)) ? UINT64_MAX : bytes;
}

/* What a tracer held at one moment. */
struct moment {
    struct snapshot *views[VIEW_COUNT]; /* owned references; NULL: not taken */
    uint64_t current, peak;             /* bytes that were traced then, and the most so far */
    uint64_t lost;                      /* traces that there was no memory for */
    uint32_t frames;                    /* most frames of a traceback */
};

/* How many ids the call paths have now: all that a snapshot refers to are below. Takes paths->lock for a
 * moment. */
struct path_ends {
    uint32_t strings, sites, nodes;
};
struct path_ends callpaths_ends(struct callpaths *paths);

/* The number of frames of a node's traceback: its path's length, at most `limit`. */
uint32_t path_frames(const struct callpaths *paths, uint32_t node, uint32_t limit);

/* Puts the string ids of the file names, or of the functions, of all kept frames into `names`, which it
 * initialises; what a filter's pattern has to be matched with. The caller calls idset_fini. Cost: O(rows + nodes). */
nodiscard status snapshot_files(const struct snapshot *snapshot, struct idset *names);
nodiscard status snapshot_functions(const struct snapshot *snapshot, struct idset *names);

bool snapshot_check(const struct snapshot *snapshot);

#endif
