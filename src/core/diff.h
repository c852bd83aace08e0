/* diff: what changed between two snapshots, which may have call paths of their own (two runs, two files).
 *
 *   a change: new size and count, and the difference to the old ones; where a key is missing, they are 0
 *
 * Order, as the standard tracer's: by |size_diff|, size, |count_diff|, count and traceback, all descending.
 * Differences that do not fit stay at plus or minus INT64_MAX.
 * Owns its changes (vmem of the new snapshot's account) and references to both snapshots. Any thread.
 * Fails as groupby does; `changes` is then zeroed. Cost: both group-bys, a look-up a group, and the sorting.
 */
#ifndef MEMTALLY_DIFF_H
#define MEMTALLY_DIFF_H

#include "groupby.h"

struct change {
    struct group group; /* key; size and count are the new side's, 0 where it is gone */
    bool of_old;        /* the ids in `group` belong to the old snapshot (the key is gone in the new) */
    int64_t size_diff;
    int64_t count_diff;
};

struct changes {
    struct groups now, old; /* without items: their snapshots, owned references, keep the ids alive */
    struct change *items;   /* owned; NULL where there are none */
    size_t count;
    size_t all;   /* as many, or more where only the first ones were asked for */
    size_t bytes; /* mapped */
};

nodiscard status diff(struct snapshot *now, struct snapshot *old, enum key key, bool cumulative,
                      struct changes *changes);
/* The first `most` of what did change, in size or count. */
nodiscard status diff_top(struct snapshot *now, struct snapshot *old, enum key key, bool cumulative,
                          size_t most, struct changes *changes);
void changes_fini(struct changes *changes); /* also of zeroed changes */

#endif
