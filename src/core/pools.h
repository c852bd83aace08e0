// clang-format off
/* pools: blocks out of the pools of CPython's allocator of small objects (pymalloc), without calling it.
 *
 *   used[2 * i] --> pool <--> pool <--> ...     those that have taken and free blocks of 16 * (i + 1) bytes
 *
 *   pool, 16 KiB:   |count, free, next, ...| block | block | block | ... virgin ... |
 *                            |                 ^        |
 *                            +-----------------|--------+--> NULL    free blocks are linked through their first words
 *
 * pymalloc finds a block's pool, moves one pointer, and now and then moves the pool from one list to another. Here the
 * pool is known, and only the pointer is moved: a block is taken where it is not the pool's last one, and given back
 * where its pool was not full and does not become empty. What that leaves is to the last bit what pymalloc would have
 * left. All else is pymalloc's matter: the caller calls it.
 *
 * Pools are laid out alike from CPython 3.11 to 3.15; pools_find proves it of the running one.
 * Owns nothing. Protected by what protects that pymalloc: the main interpreter's GIL. O(1). Nothing fails.
 */
// clang-format on
#ifndef MEMTALLY_POOLS_H
#define MEMTALLY_POOLS_H

#include "base.h"

enum { POOL_BYTES = 1 << 14, POOLED_MOST = 512, POOLED_STEP = 16 };

struct pool {
    uint32_t count; /* blocks taken */
    uint32_t padding;
    uintptr_t free;    /* the first free block; 0: none, the pool is full */
    struct pool *next; /* of those with blocks of this size; a list's head has these two alone */
    struct pool *previous;
    uint32_t arena;
    uint32_t class;       /* 0: blocks of 16 bytes */
    uint32_t virgin;      /* where the next block begins that was never taken */
    uint32_t last_virgin; /* the greatest such place */
};

/* How to call pymalloc. */
struct pool_source {
    void *context;
    void *(*malloc)(void *context, size_t size);
    void (*free)(void *context, void *block);
};

/* pymalloc's table `used`; NULL where this is no pymalloc as we know it. */
struct pool **pools_find(const struct pool_source *source);

/* A block for 1 to POOLED_MOST bytes, or 0: then pymalloc is to be asked. */
hot_inline uintptr_t pools_take(struct pool **used, size_t size) {
    struct pool *pool = used[(size - 1) / POOLED_STEP * 2];
    if (unlikely(pool == pool->next)) /* a head: no such pool */
        return 0;
    uintptr_t block = pool->free, next = *(uintptr_t *)block;
    if (next == 0) {
        if (unlikely(pool->virgin > pool->last_virgin))
            return 0;
        next = (uintptr_t)pool + pool->virgin;
        pool->virgin += (uint32_t)(size + POOLED_STEP - 1) & ~(POOLED_STEP - 1u);
        *(uintptr_t *)next = 0;
    }
    pool->free = next;
    pool->count++;
    return block;
}

/* Gives back a block that lies in a pool of blocks of `stride` bytes. False, and nothing done: pymalloc is to do it. */
hot_inline bool pools_give(uintptr_t block, uint32_t stride) {
    struct pool *pool = (struct pool *)(block & ~(uintptr_t)(POOL_BYTES - 1));
    if (unlikely(pool->free == 0 || pool->count == 1 || (pool->class + 1) * POOLED_STEP != stride))
        return false;
    *(uintptr_t *)block = pool->free;
    pool->free = block;
    pool->count--;
    return true;
}

#endif
