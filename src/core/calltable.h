/* calltable: the call trees of several snapshots as one table, cut to what is big enough to see.
 *
 *   row   parent  site    merged    sizes[0]  counts[0]   sizes[1] ...      a row is a call: of one caller, at one
 *    0      -      -         0          0         0           0             site; callers come before what they
 *    1      0    main:12     0          0         0           0             call, and what one call leads to lies
 *    2      1      -       871         90        18          44       <--   together (preorder);
 *    3      1    load:40     0        500         5           0             row 2: all that was too small, below main:12
 *
 * A snapshot adds two columns: bytes and blocks that were allocated right there. Calls are as in branches.h: whole paths,
 * one caller and one site are one call. Where there are more calls than enough, those stay whose share is the largest:
 * of a snapshot's bytes or blocks, in any snapshot, or of what changed, where an older one stands beside each. All that
 * a call that stays led to otherwise is added up in a row of its own right behind it, with the number of calls in
 * `merged`. So every column keeps its sum, and every call that is shown its own.
 * A snapshot is gone over several times, and may stay in its file (viewsource.h): no rows are kept.
 * Owns its arrays (vmem) and its call paths: new ones, of nothing but the sites of its rows, in the order of these.
 * Immutable once made: any thread may read. Sums that do not fit stay at UINT64_MAX. Cost: O(rows + nodes) for each snapshot.
 * Fails with NOMEM or FULL, or as a source does; then it is zeroed.
 */
#ifndef MEMTALLY_CALLTABLE_H
#define MEMTALLY_CALLTABLE_H

#include "viewsource.h"

enum { CALLTABLE_MOST = 16 }; /* snapshots */

/* Which calls stay: `enough` of them in any case; more, where their share is `least` or more, up to `most`. */
struct calltable_cut {
    uint32_t enough, most;
    float least; /* 0 to 1 */
};

struct calltable {
    struct vmem *account;    /* borrowed: outlives the table */
    struct callpaths *paths; /* owned reference */
    uint32_t count;          /* rows; at least 1: the root */
    uint32_t *parents;       /* a row; the root's is 0 */
    uint32_t *sites;         /* a site of `paths`; 0 in the root and where calls are merged */
    uint32_t *merged;        /* how many calls a row stands for that is none itself; else 0 */
    uint64_t *sizes[CALLTABLE_MOST], *counts[CALLTABLE_MOST]; /* by snapshot, in the order they were given */
    size_t bytes;                                             /* of all arrays, which begin at sizes[0] */
};

/* Of `count` snapshots, 1 to CALLTABLE_MOST. `compared`: the second half is older ones, each to be compared
 * with the one that stands as far into the first half. There are at most twice as many rows as calls that stay. */
nodiscard status calltable_init(struct calltable *table, struct vmem *account, struct viewsource *sources,
                                size_t count, bool compared, struct calltable_cut cut);
void calltable_fini(struct calltable *table); /* also of a zeroed one */

bool calltable_check(const struct calltable *table);

#endif
