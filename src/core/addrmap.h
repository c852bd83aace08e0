/* addrmap: which call path does this block belong to, and how big is it? Four bytes a block.
 *
 *   root[address >> 36] --> table[(address >> 14) & 0x3fffff] = page {slots, inverse, stride, base}
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
 * Owns its tables and slots (vmem). Protected by its partition's protector (a GIL). Look-up: two dependent loads,
 * no loop. Fails with NOMEM or FULL, unchanged.
 */
#ifndef MEMTALLY_ADDRMAP_H
#define MEMTALLY_ADDRMAP_H

#include "bigmap.h"
#include "magazine.h"

enum {
    PAGE_SHIFT = 14,
    TABLE_SHIFT = 36, /* one table for most processes: the hot path remembers the last one that learned */
    MAPPED_BITS = 48, /* higher addresses (5-level page tables, on request) go to the bigmap */
    ROOT_SIZE = 1 << (MAPPED_BITS - TABLE_SHIFT),
    TABLE_SIZE = 1 << (TABLE_SHIFT - PAGE_SHIFT),
    STRIDE_MOST = 512,
    UNUSED_BITS = 4, /* so that a slot is TALLY_BITS + UNUSED_BITS = 32 bits */
};

/* inverse: 2^32 / stride, rounded up; 0 where nothing is learned yet, so that a zeroed page fits no address. */
struct page {
    uint32_t *slots;
    uint32_t inverse;
    uint16_t stride; /* bytes; 0: nothing learned yet */
    uint16_t base; /* offset of slot 0's block, less than the stride; nothing learned: are there strangers? */
};

/* An object that came out of a free list, and the slot of its block: free lists hand out the same few again and
 * again. A slot stays its block's home until the page learns another stride or refuses the block. A block that is known to
 * have no record yet, none before its page learns, has the slot `nothing`. */
struct recent {
    uintptr_t object; /* 0: none */
    uint32_t *slot;
    uint32_t stride;
    uint32_t reserved[3];
};
enum { RECENT_SIZE = SIZED(256, 2) };

struct addrmap {
    struct page *near;  /* root[near_top]: where the small blocks are */
    uintptr_t near_top; /* a number that no address has, at first */
    struct page **root;
    struct region slots;                   /* where pages' slots are carved from */
    size_t slots_used;                     /* bytes of it */
    size_t slots_spare;                    /* bytes of those that wait in `spare` */
    uint32_t *spare[STRIDE_MOST / 16 + 1]; /* slots given back, linked through their first two words */
    struct region tables;                  /* uint32_t: the roots in use, for walking */
    size_t table_count;
    struct recent recent[RECENT_SIZE];
    uint32_t nothing;       /* always 0 */
    bool remembers;         /* is any object in `recent`? */
    bool remembers_nothing; /* any with the slot `nothing`? */
    size_t counted;         /* bytes of root and tables that the account knows of: what has been touched */
    struct magazines *magazines; /* borrowed: to be told of slots that end; NULL: nobody is */
    struct vmem *account;        /* borrowed */
};

nodiscard status addrmap_init(struct addrmap *map, struct vmem *account);
void addrmap_fini(struct addrmap *map); /* also of a zeroed map */

hot_inline struct page *page_in(struct page *table, uintptr_t address) {
    return (struct page *)((char *)table +
                           (address >> (PAGE_SHIFT - 4) & (TABLE_SIZE - 1) * sizeof(struct page)));
}

/* The page of an address, or NULL. */
static inline struct page *addrmap_page(const struct addrmap *map, uintptr_t address) {
    uintptr_t top = address >> TABLE_SHIFT;
    struct page *table = top < ROOT_SIZE ? map->root[top] : NULL;
    return table != NULL ? page_in(table, address) : NULL;
}

/* The same if it lies in the table where small blocks are, else NULL. */
hot_inline struct page *addrmap_near(const struct addrmap *map, uintptr_t address) {
    return likely(address >> TABLE_SHIFT == map->near_top) ? page_in(map->near, address) : NULL;
}

/* The slot of an address in its page, or NULL where the address does not fit the page's pattern: d is a multiple of the
 * stride exactly if the low half of d * inverse is below the inverse, and the high half is the quotient then (Lemire,
 * Kaser, Kurz, "Faster remainder by direct computation", 2019). Below the base d wraps, and the low half is too large. */
hot_inline uint32_t *page_slot(const struct page *page, uintptr_t address) {
    uint32_t d = ((uint32_t)address & ((1u << PAGE_SHIFT) - 1)) - page->base;
    uint64_t product = (uint64_t)d * page->inverse;
    if (unlikely((uint32_t)product >= page->inverse))
        return NULL;
    uint32_t *slot = &page->slots[product >> 32];
    if (slot == NULL)
        __builtin_unreachable(); /* so that nobody's test of the result costs anything */
    return slot;
}

hot_inline uint32_t slot_tally(uint32_t slot) { return slot >> UNUSED_BITS; }
hot_inline uint32_t slot_size(uint32_t stride, uint32_t slot) {
    return stride - (slot & ((1u << UNUSED_BITS) - 1));
}
hot_inline uint32_t slot_with_tally(uint32_t slot, uint32_t tally) {
    return (slot & ((1u << UNUSED_BITS) - 1)) | tally << UNUSED_BITS;
}

hot_inline uint32_t slot_make(uint32_t tally, uint32_t unused) { return tally << UNUSED_BITS | unused; }

/* The slot for a new block of `size` bytes if its page, a near one, has learned that size; NULL: take the slow way.
 * No bytes fit no page: only one that knows nothing has stride 0, and that fits no address. */
hot_inline uint32_t *addrmap_fit(const struct addrmap *map, uintptr_t address, size_t size,
                                 uint32_t *unused) {
    const struct page *page = addrmap_near(map, address);
    if (unlikely(page == NULL))
        return NULL;
    size_t rest = page->stride - size;
    *unused = (uint32_t)rest;
    return likely(rest < 1u << UNUSED_BITS) ? page_slot(page, address) : NULL;
}

/* As addrmap_fit, but lets the page learn. STATUS_OK with *slot NULL: this block is a stranger, for a bigmap. */
nodiscard status addrmap_learn(struct addrmap *map, uintptr_t address, size_t size, uint32_t **slot);
/* The block at this address will be kept elsewhere, its slot (if there is one) is 0. */
nodiscard status addrmap_refuse(struct addrmap *map, uintptr_t address);
/* May a block at this address be kept elsewhere? */
bool addrmap_may_refuse(const struct addrmap *map, uintptr_t address);

/* An entry's size is its alignment in the table, so that its place comes out of the hash without a multiplication. */
_Static_assert(sizeof(struct recent) == 32, "addrmap_recent() masks addresses with multiples of 32");
hot_inline struct recent *addrmap_recent(struct addrmap *map, uintptr_t object) {
    size_t offset = (object ^ object >> 8) & (RECENT_SIZE - 1) * sizeof(struct recent);
    return (struct recent *)((char *)map->recent + offset);
}
/* Remembers the slot of an object's block. Returns false where that may be kept elsewhere. */
bool addrmap_remember(struct addrmap *map, uintptr_t object, uintptr_t block);

/* The allocator gave [start, end) back to the system. Cannot fail: at worst the slots stay spare. */
void addrmap_release(struct addrmap *map, uintptr_t start, uintptr_t end);

/* Calls `visit` for every page with slots. Stops at the first status that is not OK, and returns it. */
typedef status (*page_visitor)(void *context, uintptr_t page_address, const struct page *page,
                               uint32_t slot_count);
nodiscard status addrmap_each(const struct addrmap *map, page_visitor visit, void *context);
bool addrmap_check(const struct addrmap *map);

#endif
