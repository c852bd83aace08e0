/* growth: what has more bytes in every snapshot of a series than in the one before.
 *
 *   series:   s0   s1   s2              a.py:1    100   200   300     grows
 *                                       b.py:2     50    40    90     does not
 *                                       c.py:3      0    10    20     grows: what is not there has no bytes
 *
 * Groups are those of the last snapshot, by the keys of groupby.h. Order: by growth from the first to the last, then
 * as groupby's. Owns its arrays (vmem of the last snapshot's account) and a reference to the last snapshot, whose ids
 * are in the groups. Any thread. Fails as diff does; then it is zeroed. Cost: a diff without sorting for each of the
 * others, and the sorting of what grows.
 */
#ifndef MEMTALLY_GROWTH_H
#define MEMTALLY_GROWTH_H

#include "groupby.h"

struct growth {
    struct groups groups; /* that grow; size and count are those of the last snapshot */
    uint64_t *sizes;      /* owned: for each group as many as there are snapshots, in their order */
    size_t series;        /* how many snapshots */
    size_t size_bytes;    /* mapped */
};

/* Of at least two snapshots. */
nodiscard status growth_init(struct growth *growth, struct snapshot *const *series, size_t count,
                             enum key key, bool cumulative);
void growth_fini(struct growth *growth); /* also of a zeroed one */

/* A group's bytes in each snapshot. */
static inline const uint64_t *growth_sizes(const struct growth *growth, size_t group) {
    return growth->sizes + group * growth->series;
}

#endif
