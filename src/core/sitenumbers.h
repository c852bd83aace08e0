/* sitenumbers: the sites of several sets of call paths numbered together: one place in the program, one number.
 *
 *   first set    0   1 main:12   2 load:40          numbers  0   1   2      its own ids
 *   second set   0   1 load:40   2 save:9           numbers  0   2   5      known: the number it has; else 3 (where the
 *                                                                           first set's end) + its own id
 *
 * Nothing is copied, so sets that have nothing in common cost next to nothing: only sites whose names both sets have are
 * looked for, and two files of one program have their sites in one order, so that most are found where they are expected.
 * Owns the numbers of the set added last (vmem, 4 bytes a site); borrows the sets. One thread. Cost: O(sites) for each
 * set before. Fails with NOMEM or FULL; then sitenumbers_fini is the caller's.
 */
#ifndef MEMTALLY_SITENUMBERS_H
#define MEMTALLY_SITENUMBERS_H

#include "snapshot.h"

enum { SITENUMBERS_MOST = 16 }; /* sets */

struct sitenumbers {
    struct vmem *account;                      /* borrowed */
    struct callpaths *paths[SITENUMBERS_MOST]; /* borrowed */
    uint32_t firsts[SITENUMBERS_MOST + 1]; /* by set: its own numbers begin here; behind the last: the end */
    uint32_t *numbers;                     /* of the last set, by site; NULL: the ids themselves */
    size_t count;
};

void sitenumbers_init(struct sitenumbers *self, struct vmem *account);
void sitenumbers_fini(struct sitenumbers *self); /* also of a zeroed one */

nodiscard status sitenumbers_add(struct sitenumbers *self, struct callpaths *paths);
/* Gives back the numbers of the last set; what numbers stand for is still known. */
void sitenumbers_forget(struct sitenumbers *self);

/* Of a site of the set added last. */
static inline uint32_t site_number(const struct sitenumbers *self, uint32_t site) {
    return self->numbers == NULL ? site : self->numbers[site];
}
/* The set that has the site with a number, and its id there. */
static inline size_t site_of_number(const struct sitenumbers *self, uint32_t number, uint32_t *site) {
    size_t set = self->count - 1;
    while (number < self->firsts[set])
        set--;
    *site = number - self->firsts[set];
    return set;
}

#endif
