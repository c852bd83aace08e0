/* Blocks out of pymalloc's pools: two lives of one small pymalloc on the same memory, one that is called for every block
 * and one that is called where there is no other way. Every block and every byte is the same. */
#include "support.h"

#include "pools.h"

enum { POOLS = 64, STEPS = 60000, HELD = 4000, CLASSES = POOLED_MOST / POOLED_STEP, OVERHEAD = 48 };

/* --- a small pymalloc, as CPython's is described in its obmalloc.c --------------------------------------------------- */

struct allocator {
    struct pool *used[2 * CLASSES];
    struct pool *spare; /* empty pools */
    uintptr_t next, end;
    size_t calls, mallocs;
    size_t fails_at; /* the malloc that finds no memory; 0: none */
};

static _Alignas(POOL_BYTES) char memory[POOLS + 1][POOL_BYTES];
static _Alignas(64) struct allocator allocator; /* so that no list's head lies like a pool */

static void begin(void) {
    memset(memory, 0, sizeof memory);
    memset(&allocator, 0, sizeof allocator);
    for (size_t i = 0; i < (size_t)2 * CLASSES; i++)
        allocator.used[i] = (struct pool *)(void *)((char *)&allocator.used[i & ~(size_t)1] - 16);
    allocator.next = (uintptr_t)memory[0];
    allocator.end = (uintptr_t)memory[POOLS];
}

static uintptr_t *word_at(uintptr_t block) { return (uintptr_t *)block; }

static struct pool *pool_of(uintptr_t block) { return (struct pool *)(block & ~(uintptr_t)(POOL_BYTES - 1)); }

static void link_first(struct pool *pool) {
    struct pool *next = allocator.used[(size_t)2 * pool->class], *previous = next->previous;
    pool->next = next;
    pool->previous = previous;
    next->previous = pool;
    previous->next = pool;
}

static void unlink_pool(struct pool *pool) {
    pool->next->previous = pool->previous;
    pool->previous->next = pool->next;
}

static struct pool *fresh_pool(uint32_t class) {
    struct pool *pool = allocator.spare;
    if (pool != NULL)
        allocator.spare = pool->next;
    else if (allocator.next == allocator.end)
        return NULL;
    else {
        pool = (struct pool *)allocator.next;
        allocator.next += POOL_BYTES;
        pool->class = 0xffff;
    }
    uint32_t stride = (class + 1) * POOLED_STEP;
    if (pool->class != class) {
        pool->class = class;
        pool->free = (uintptr_t)pool + OVERHEAD;
        pool->virgin = OVERHEAD + stride;
        pool->last_virgin = POOL_BYTES - stride;
        *word_at(pool->free) = 0;
    }
    pool->count = 0;
    link_first(pool);
    return pool;
}

static void *pymalloc(void *context, size_t size) {
    (void)context;
    allocator.calls++;
    if (++allocator.mallocs == allocator.fails_at)
        return NULL;
    uint32_t class = (uint32_t)((size - 1) / POOLED_STEP);
    struct pool *pool = allocator.used[(size_t)2 * class];
    if (pool == pool->next && (pool = fresh_pool(class)) == NULL)
        return NULL;
    uintptr_t block = pool->free;
    pool->count++;
    pool->free = *word_at(block);
    if (pool->free == 0 && pool->virgin <= pool->last_virgin) {
        pool->free = (uintptr_t)pool + pool->virgin;
        pool->virgin += (class + 1) * POOLED_STEP;
        *word_at(pool->free) = 0;
    }
    if (pool->free == 0)
        unlink_pool(pool);
    return (void *)block;
}

static void pyfree(void *context, void *block) {
    (void)context;
    allocator.calls++;
    struct pool *pool = pool_of((uintptr_t)block);
    bool was_full = pool->free == 0;
    *word_at((uintptr_t)block) = pool->free;
    pool->free = (uintptr_t)block;
    pool->count--;
    if (was_full)
        link_first(pool);
    if (pool->count == 0) {
        unlink_pool(pool);
        pool->next = allocator.spare;
        allocator.spare = pool;
    }
}

static const struct pool_source source = {NULL, pymalloc, pyfree};

/* --- the two lives ---------------------------------------------------------------------------------------------------- */

static uintptr_t take(bool direct, size_t size) {
    uintptr_t block = direct ? pools_take(allocator.used, size) : 0;
    return block != 0 ? block : (uintptr_t)pymalloc(NULL, size);
}

static void give(bool direct, uintptr_t block, size_t size) {
    const uint32_t stride = (uint32_t)((size + 15) / 16 * 16);
    if (!direct || !pools_give(block, stride))
        pyfree(NULL, (void *)block);
}

/* What is there now, as one number. */
static uint64_t fingerprint(void) {
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof memory / sizeof(uint64_t); i++)
        sum = hash_mix(sum + ((const uint64_t *)(const void *)memory)[i]);
    for (size_t i = 0; i < offsetof(struct allocator, calls) / sizeof(uint64_t); i++)
        sum = hash_mix(sum + ((const uint64_t *)(const void *)&allocator)[i]);
    return sum;
}

static uint64_t seen[STEPS];

/* Waves of many blocks and few, of one size and of all. */
static size_t live(bool direct) {
    static uintptr_t held[HELD];
    static size_t sizes[HELD];
    uint32_t count = 0;
    uint64_t random = 11;
    begin();
    for (uint32_t step = 0; step < STEPS; step++) {
        bool more = support_below(&random, 100) < (step / 6000 % 2 == 0 ? 70u : 30u);
        uint64_t now = 0;
        if (more && count < HELD) {
            size_t size = step % 3 == 0 ? 1 + support_below(&random, POOLED_MOST) : 500 - step / 6000 * 40;
            now = held[count] = take(direct, size);
            if (now != 0) {
                sizes[count] = size;
                memset((void *)held[count++], 0x5A, size);
            }
        } else if (count > 0) {
            uint32_t chosen = support_below(&random, count);
            give(direct, held[chosen], sizes[chosen]);
            held[chosen] = held[--count];
            sizes[chosen] = sizes[count];
        }
        if (step % 997 == 0)
            now += fingerprint();
        if (direct && seen[step] != now)
            fail_msg("step %u is another one", step);
        seen[step] = now;
    }
    return allocator.calls;
}

static void what_is_left_is_what_pymalloc_would_have_left(void **state) {
    (void)state;
    size_t called = live(false), still_called = live(true);
    assert_true(still_called * 2 < called); /* a short cut that is never taken proves nothing */
}

static void a_pool_of_another_size_is_left_alone(void **state) {
    (void)state;
    begin();
    uintptr_t block = (uintptr_t)pymalloc(NULL, 48), other = (uintptr_t)pymalloc(NULL, 48);
    assert_true(block != 0 && other != 0);
    const uint64_t before = fingerprint();
    assert_false(pools_give(block, 64));
    assert_false(pools_give(block, 32));
    assert_int_equal(fingerprint(), before);
    assert_true(pools_give(block, 48));
}

/* --- finding the table ------------------------------------------------------------------------------------------------ */

/* Beside blocks of all kinds, wherever the tried ones come to lie in their pools. */
static void the_table_is_found_and_all_blocks_go_back(void **state) {
    (void)state;
    for (size_t before = 0; before < 700; before++) {
        begin();
        for (size_t i = 0; i < before; i++)
            assert_non_null(pymalloc(NULL, 48));
        if (before % 2 == 0)
            assert_non_null(pymalloc(NULL, POOLED_MOST));
        uint32_t full = 0, taken = 0;
        assert_ptr_equal(pools_find(&source), allocator.used);
        for (uintptr_t pool = (uintptr_t)memory[0]; pool < allocator.next; pool += POOL_BYTES) {
            if (((struct pool *)pool)->class == 2) {
                taken += ((struct pool *)pool)->count;
                full += ((struct pool *)pool)->free == 0;
            }
        }
        assert_int_equal(taken, before);
        assert_int_equal(full, before / ((POOL_BYTES - OVERHEAD) / 48));
    }
}

static void without_memory_there_is_no_table(void **state) {
    (void)state;
    for (size_t at = 1; at <= 17; at++) { /* 16 blocks, and one of them again */
        begin();
        allocator.fails_at = at;
        assert_null(pools_find(&source));
        for (uintptr_t pool = (uintptr_t)memory[0]; pool < allocator.next; pool += POOL_BYTES)
            assert_int_equal(((struct pool *)pool)->count, 0);
    }
}

/* Blocks of an allocator that is no pymalloc: at other distances. Nothing is read but these blocks. */
static void *plain_malloc(void *context, size_t size) {
    uintptr_t *next = context;
    *next += size + 16;
    return (void *)(*next - size - 16);
}

static void plain_free(void *context, void *block) {
    (void)context;
    (void)block;
}

static void another_allocator_is_not_taken_for_pymalloc(void **state) {
    (void)state;
    uintptr_t nowhere = 0x123450000;
    const struct pool_source plain = {&nowhere, plain_malloc, plain_free};
    assert_null(pools_find(&plain));
}

/* A pymalloc with something else about it, that only a look can tell. */
static size_t oddity;

static void *odd_malloc(void *context, size_t size) {
    uintptr_t block = (uintptr_t)pymalloc(context, size);
    struct pool *pool = pool_of(block);
    if (oddity == 0)
        pool->class = 1;
    else if (oddity == 1)
        pool->last_virgin = 4096 - 48; /* smaller pools */
    else if (oddity == 2)
        allocator.used[2 * (CLASSES - 1)] = pool; /* a table in another order */
    else if (oddity == 3)
        pool->count -= allocator.mallocs == 17; /* another count */
    return (void *)block;
}

static void odd_free(void *context, void *block) {
    pyfree(context, block);
    if (oddity == 4)
        pool_of((uintptr_t)block)->free = (uintptr_t)block + 48; /* blocks are given out in another order */
}

static void a_pymalloc_with_other_ways_is_not_used(void **state) {
    (void)state;
    const struct pool_source odd = {NULL, odd_malloc, odd_free};
    for (oddity = 0; oddity < 5; oddity++) {
        begin();
        for (size_t i = 0; i < 40; i++)
            assert_non_null(pymalloc(NULL, 48));
        allocator.mallocs = 0;
        assert_null(pools_find(&odd));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_is_what_pymalloc_would_have_left),
        cmocka_unit_test(a_pool_of_another_size_is_left_alone),
        cmocka_unit_test(the_table_is_found_and_all_blocks_go_back),
        cmocka_unit_test(without_memory_there_is_no_table),
        cmocka_unit_test(another_allocator_is_not_taken_for_pymalloc),
        cmocka_unit_test(a_pymalloc_with_other_ways_is_not_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
