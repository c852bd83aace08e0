/* young: the blocks that came since a measurement began (measure.h), and are still there; in the order of their age.
 *
 *   (domain, address) --heads--> chain of blocks          oldest <--older-- block <--older-- block = newest
 *
 * A block's `born` is a number that never falls from one block to the next; so the blocks born since a number are the
 * newest ones, and are met first.
 *
 * Owns its blocks and index (vmem), made when the first block comes. Protected as the partition whose blocks it holds.
 * Add, remove: O(1) expected. A block that finds no memory is not put in, and counted in `lost`.
 */
#ifndef MEMTALLY_YOUNG_H
#define MEMTALLY_YOUNG_H

#include "vmem.h"

struct young_block {
    uintptr_t address;
    uint64_t born;
    uint32_t domain;
    uint32_t older, newer; /* ids; 0: none */
    uint32_t next;         /* in its chain, or among the free ones */
};

struct young {
    struct region blocks; /* struct young_block by id: 1, 2, ... */
    uint32_t *heads;      /* id of a chain's first block; NULL before the first block */
    uint32_t head_mask;
    uint32_t used;  /* ids up to this one are in use or free */
    uint32_t count; /* blocks */
    uint32_t free;  /* the first free id, 0: none */
    uint32_t oldest, newest;
    uint64_t lost;
    struct vmem *account; /* borrowed */
};

void young_init(struct young *young, struct vmem *account); /* no memory yet; cannot fail */
void young_fini(struct young *young);                       /* also of a zeroed one */

/* The address is not in it. `born` is the highest so far, but for a block that is put back. */
void young_add(struct young *young, uint32_t domain, uintptr_t address, uint64_t born);
/* The block's `born`, or 0 where it is not young. */
uint64_t young_remove(struct young *young, uint32_t domain, uintptr_t address);
/* All that were born before this are young no more. */
void young_forget(struct young *young, uint64_t born);

static inline const struct young_block *young_block(const struct young *young, uint32_t id) {
    return (const struct young_block *)young->blocks.base + id;
}
bool young_check(const struct young *young);

#endif
