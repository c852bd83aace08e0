// clang-format off
/* magazine: blocks that were just freed, kept for the next allocation of their size, with the places of their records.
 *
 *   class 3 (33..48 bytes):   | - | block, slot | block, slot | block, slot |   free rounds   |      31 at most
 *                                                              ^ tops[3]
 *
 * Most blocks live for a moment. Without magazines each costs a way through the allocator below and back, and two
 * looks for its record; with them, neither. For the program a kept block is free; for the allocator below it is not yet.
 *
 *   open   blocks come and go, last in, first out        shut   every magazine is both empty and full, so nothing
 *                                                               comes or goes, and the hot path need not ask
 *
 * The classes are those of pymalloc (16, 32, ... 512 bytes), and only a block whose record is in a slot is kept: that it
 * holds a whole class is then known (hooks.c). A slot may be needed for something else while its block is kept: then
 * it is forgotten, NULL, and looked for again.
 *
 * Owns nothing but its own storage: who opens it gives the blocks back (magazines_empty). Protected by the main GIL.
 * All O(1), but for emptying and forgetting. Nothing fails.
 */
// clang-format on
#ifndef MEMTALLY_MAGAZINE_H
#define MEMTALLY_MAGAZINE_H

#include "base.h"

enum {
    CLASS_SHIFT = 4,
    CLASS_COUNT = 512 / 16 + 1, /* class 0, of blocks without bytes, is always shut */
    ROUND_COUNT = SIZED(32,
                        4), /* of which the first one stays empty, so that no test for the end is needed */
};

struct round {
    uintptr_t block; /* 0: none */
    uint32_t *slot;  /* borrowed from the addrmap, 0 in there; NULL: forgotten */
};

struct magazines {
    struct round *tops[CLASS_COUNT];    /* the last one in */
    struct round *resting[CLASS_COUNT]; /* `tops` while shut */
    bool is_open;
    /* A magazine's size is its alignment: the end is seen from an address. */
    _Alignas(ROUND_COUNT * sizeof(struct round)) struct round rounds[CLASS_COUNT][ROUND_COUNT];
};

void magazines_init(struct magazines *magazines); /* empty, shut */
void magazines_open(struct magazines *magazines); /* these two: no effect where it is so already */
void magazines_shut(struct magazines *magazines);
/* Shuts them, and hands all blocks to `give`, which may free memory, and shut the magazines, but not open them. */
typedef void (*block_giver)(void *context, uintptr_t block);
void magazines_empty(struct magazines *magazines, block_giver give, void *context);
size_t magazines_count(const struct magazines *magazines); /* blocks */
/* The slots of blocks of this many bytes in [start, end) have another use now. */
void magazines_forget(struct magazines *magazines, uint32_t stride, const uint32_t *start,
                      const uint32_t *end);
void magazines_forget_all(struct magazines *magazines);
bool magazines_check(const struct magazines *magazines);

/* A kept block for this many bytes, still kept, or NULL. (A size so large that it wraps gets class 0.) */
hot_inline struct round *magazine_top(const struct magazines *magazines, size_t size) {
    size_t class = (size + 15) >> CLASS_SHIFT;
    struct round *top = likely(class < CLASS_COUNT) ? magazines->tops[class] : NULL;
    return likely(top != NULL && top->block != 0) ? top : NULL;
}

/* What magazine_top gave for this size is kept no longer. */
hot_inline struct round magazine_take(struct magazines *magazines, struct round *top, size_t size) {
    magazines->tops[(size + 15) >> CLASS_SHIFT] = top - 1;
    return *top;
}

/* Keeps a block; its slot in a page of this stride is 0. Returns false where there is no room. */
hot_inline bool magazine_keep(struct magazines *magazines, uint32_t stride, uintptr_t block, uint32_t *slot) {
    struct round *top = magazines->tops[stride >> CLASS_SHIFT] + 1;
    if (unlikely(((uintptr_t)top & (ROUND_COUNT * sizeof *top - 1)) == 0))
        return false;
    top->block = block;
    top->slot = slot;
    magazines->tops[stride >> CLASS_SHIFT] = top;
    return true;
}

#endif
