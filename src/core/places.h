/* places: the rank of each (file, line) that some call paths use, among all of them.
 *
 *   ranks[side][site]:   7 | - | 0 | 7 | ...      equal places have equal ranks: sites that differ in the function
 *                                                 only, or that belong to another snapshot
 *
 * So whoever sorts frames compares small numbers. Two sides may have call paths of their own, or share them; the
 * second may be missing. Owns its array (vmem, 4 bytes a site); borrows the snapshots. One thread. Cost: O(sites +
 * files log files). Fails with NOMEM; then it is zeroed.
 */
#ifndef MEMTALLY_PLACES_H
#define MEMTALLY_PLACES_H

#include "snapshot.h"

struct places {
    struct vmem *account;            /* borrowed */
    const struct snapshot *sides[2]; /* borrowed */
    uint32_t ends[2];                /* sites of each side; the second: 0 where both share the first one's */
    uint32_t *ranks[2];              /* both are the same where shared */
    uint32_t count;                  /* ranks are below */
};

nodiscard status places_init(struct places *places, const struct snapshot *const sides[2]);
void places_fini(struct places *places); /* also of a zeroed one */

/* Says that a site is used; before the ranks are made. */
static inline void places_use(struct places *places, int side, uint32_t site) {
    places->ranks[side][site] = 1;
}
nodiscard status places_rank(struct places *places);

#endif
