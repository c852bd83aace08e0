/* diff: what changed between two snapshots, which may have call paths of their own (two runs, two files).
 *
 *   a change: new size and count, and the difference to the old ones; where a key is missing, they are 0
 *
 * Order, as the standard tracer's: by |size_diff|, size, |count_diff|, count and traceback, all descending.
 * Differences that do not fit stay at plus or minus INT64_MAX.
 * Owns its changes (vmem of the new snapshot's account) and the groups of both sides. Any thread.
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
    struct groups now, old; /* owned, unsorted (by traceback: empty); their snapshots keep the ids alive */
    struct change *items;   /* owned; NULL where there are none */
    size_t count;
    size_t bytes; /* mapped */
};

nodiscard status diff(struct snapshot *now, struct snapshot *old, enum key key, bool cumulative,
                      struct changes *changes);
/* The same, in no order but this: what is in `now` comes in one that depends on `now` alone, whatever is old. */
nodiscard status diff_unsorted(struct snapshot *now, struct snapshot *old, enum key key, bool cumulative,
                               struct changes *changes);
void changes_fini(struct changes *changes); /* also of zeroed changes */

#endif
