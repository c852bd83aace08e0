/* growth: what has more bytes in every snapshot of a series than in the one before.
 *
 *   series:   s0   s1   s2              a.py:1    100   200   300     grows
 *                                       b.py:2     50    40    90     does not
 *                                       c.py:3      0    10    20     grows: what is not there has no bytes
 *
 * Groups are those of the last snapshot, by the keys of groupby.h; the others are noted one at a time, so that no two of
 * them need be there at once. Tracebacks are recognised by fingerprints (printed.h). Order: by growth from the first to the last,
 * then as groupby's. Owns its arrays (vmem of the last snapshot's account) and a reference to the last snapshot, whose
 * ids are in the groups. Any thread, one at a time. Fails as groupby does; then it is the caller's to fini. Cost: a
 * group-by for each snapshot and a look-up a group, and about one look at all that grows for the first few.
 */
#ifndef MEMTALLY_GROWTH_H
#define MEMTALLY_GROWTH_H

#include "printed.h"

struct growth {
    struct groups
        groups; /* of the last snapshot; once sorted the first of those that grow, `all` is their number */
    enum key key;
    bool cumulative;
    size_t series;     /* how many snapshots */
    uint64_t *sizes;   /* owned: a column for each snapshot but the last; once sorted a row for each group */
    size_t size_bytes; /* mapped */
    uint64_t bytes;    /* once sorted: by which all that grows has grown */
    struct keyindex keys;   /* what earlier snapshots' groups are found by; not by traceback */
    struct printed printed; /* and by traceback */
};

/* Of `series` snapshots, at least two, the last of which is here. */
nodiscard status growth_init(struct growth *growth, struct snapshot *last, size_t series, enum key key,
                             bool cumulative);
/* The one `at` that place of the series, each once. */
nodiscard status growth_note(struct growth *growth, struct snapshot *earlier, size_t at);
/* At the end: the first `most` of what grows. */
nodiscard status growth_sort(struct growth *growth, size_t most);
void growth_fini(struct growth *growth); /* also of a zeroed one */

/* Once sorted: a group's bytes in each snapshot, in their order. */
static inline const uint64_t *growth_sizes(const struct growth *growth, size_t group) {
    return growth->sizes + group * growth->series;
}

#endif
