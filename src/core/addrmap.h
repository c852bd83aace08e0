/* addrmap: which call path does this block belong to, and how big is it? Four bytes a block.
 *
 *   root[address >> 30] --> table[(address >> 14) & 65535] = page {slots, reciprocal, stride, base}
 *
 *   Allocators hand out equally sized blocks within a page of 16 KiB (pymalloc's pools). A page learns that stride
 *   from the first block seen in it, and keeps one slot for each block that fits the pattern:
 *
 *      page:   |..base..|==block 0==|==block 1==|==block 2==|...        slot i belongs to address base + i * stride
 *      slot:   tally:28 | unused bytes:4         0: no traced block;  size = stride - unused
 *
 *   A block that does not fit (over 512 bytes, of no bytes, of another size in a learned page, not 16-aligned)
 *   is not kept here: the caller puts it into a bigmap. An address has one home: its slot if that is not 0.
 *   A page whose slots are all 0 may learn another stride.
 *
 * Owns its tables and slots (vmem). Protected by its partition's protector (a GIL). Look-up: three dependent loads,
 * no loop. Fails with NOMEM or FULL, unchanged.
 */
#ifndef MEMTALLY_ADDRMAP_H
#define MEMTALLY_ADDRMAP_H

#include "bigmap.h"

enum {
    PAGE_SHIFT = 14,
    TABLE_SHIFT = 30,
    MAPPED_BITS = 48, /* higher addresses (5-level page tables, on request) go to the bigmap */
    ROOT_SIZE = 1 << (MAPPED_BITS - TABLE_SHIFT),
    TABLE_SIZE = 1 << (TABLE_SHIFT - PAGE_SHIFT),
    STRIDE_MOST = 512,
    UNUSED_BITS = 4, /* so that a slot is TALLY_BITS + UNUSED_BITS = 32 bits */
};

/* reciprocal: 65536 / (stride / 16) + 1, so that x * reciprocal >> 16 == x / (stride / 16) for x < 1024.
 * base: 1 + the offset of slot 0's block, at most the stride; so a zeroed page fits no address. */
struct page {
    uint32_t *slots;
    uint32_t reciprocal;
    uint16_t stride; /* bytes; 0: nothing learned yet */
    uint16_t base;
};

struct addrmap {
    struct page **root;
    struct region slots;                   /* where pages' slots are carved from */
    size_t slots_used;                     /* bytes of it */
    uint32_t *spare[STRIDE_MOST / 16 + 1]; /* slots given back, linked through their first two words */
    struct region tables;                  /* uint32_t: the roots in use, for walking */
    size_t table_count;
    size_t counted;       /* bytes of root and tables that the account knows of: what has been touched */
    struct vmem *account; /* borrowed */
};

nodiscard status addrmap_init(struct addrmap *map, struct vmem *account);
void addrmap_fini(struct addrmap *map); /* also of a zeroed map */

/* The page of an address, or NULL. */
hot_inline struct page *addrmap_page(const struct addrmap *map, uintptr_t address) {
    size_t top = address >> TABLE_SHIFT;
    if (unlikely(top >= ROOT_SIZE))
        return NULL;
    struct page *table = map->root[top];
    if (unlikely(table == NULL))
        return NULL;
    return &table[(address >> PAGE_SHIFT) & (TABLE_SIZE - 1)];
}

/* The slot of an address in its page, or NULL where the address does not fit the page's pattern. Below the base, x
 * wraps to nearly 2^28: its quotient is then off by more than 4,000 strides, so the test fails, as it must. */
hot_inline uint32_t *page_slot(const struct page *page, uintptr_t address) {
    uint32_t within = ((uint32_t)address & ((1u << PAGE_SHIFT) - 1)) + 1;
    uint32_t x = (within - page->base) >> 4;
    uint32_t i = (uint32_t)(((uint64_t)x * page->reciprocal) >> 16);
    if (unlikely(i * page->stride + page->base != within))
        return NULL;
    return &page->slots[i];
}

hot_inline uint32_t slot_tally(uint32_t slot) { return slot >> UNUSED_BITS; }
hot_inline uint32_t slot_size(const struct page *page, uint32_t slot) {
    return page->stride - (slot & ((1u << UNUSED_BITS) - 1));
}
hot_inline uint32_t slot_with_tally(uint32_t slot, uint32_t tally) {
    return (slot & ((1u << UNUSED_BITS) - 1)) | tally << UNUSED_BITS;
}

/* The slot for a new block of `size` bytes if its page has learned that size; NULL: take the slow way. */
hot_inline uint32_t *addrmap_fit(const struct addrmap *map, uintptr_t address, size_t size) {
    struct page *page = addrmap_page(map, address);
    if (unlikely(page == NULL || page->stride != ((size + 15) & ~(size_t)15) || size == 0))
        return NULL;
    return page_slot(page, address);
}
hot_inline uint32_t slot_make(uint32_t tally, size_t size) {
    return tally << UNUSED_BITS | (uint32_t)(-size & 15);
}

/* As addrmap_fit, but lets the page learn. STATUS_OK with *slot NULL: this block belongs into a bigmap. */
nodiscard status addrmap_learn(struct addrmap *map, uintptr_t address, size_t size, uint32_t **slot);

/* Calls `visit` for every page with slots. Stops at the first status that is not OK, and returns it. */
typedef status (*page_visitor)(void *context, uintptr_t page_address, const struct page *page,
                               uint32_t slot_count);
nodiscard status addrmap_each(const struct addrmap *map, page_visitor visit, void *context);
bool addrmap_check(const struct addrmap *map);

#endif
