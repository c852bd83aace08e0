/* pools: is this pymalloc as we know it, and where is its table? (pools.h) Under the main GIL. */
#include "pools.h"

enum { TRIED = 16, TRIED_BYTES = 48, TRIED_CLASS = TRIED_BYTES / POOLED_STEP - 1 };
enum { LAST_CLASS = POOLED_MOST / POOLED_STEP - 1 };

static uintptr_t start_of_pool(uintptr_t address) { return address & ~(uintptr_t)(POOL_BYTES - 1); }

/* A list's head is a pool of which only `next` and `previous` are there: two entries of the table. */
static struct pool *head_at(struct pool **entry) {
    return (struct pool *)((char *)entry - offsetof(struct pool, next));
}
static struct pool **entry_of(struct pool *head) { return &head->next; }

/* The last of these blocks that lies in one page with the one before it, at a distance as in a pool; 0: none. Where two in
 * one page lie otherwise, they are of another allocator: nothing says that a page begins with something to read then. */
static size_t find_neighbours(const uintptr_t *blocks) {
    size_t found = 0;
    for (size_t i = 1; i < TRIED; i++) {
        if (start_of_pool(blocks[i]) != start_of_pool(blocks[i - 1]))
            continue;
        if ((blocks[i] - start_of_pool(blocks[i])) % POOLED_STEP != 0 ||
            (intptr_t)(blocks[i] - blocks[i - 1]) % TRIED_BYTES != 0)
            return 0;
        found = i;
    }
    return found;
}

static bool is_last_entry_right(struct pool **used) {
    struct pool **entry = &used[(size_t)2 * LAST_CLASS], *pool = *entry;
    return pool == head_at(entry) ||
           (start_of_pool((uintptr_t)pool) == (uintptr_t)pool && pool->class == LAST_CLASS);
}

/* The table, found from a block that was just given back while its neighbour stays taken. */
static struct pool **find_table(uintptr_t block) {
    struct pool *pool = (struct pool *)start_of_pool(block), *head = pool->next;
    if (pool->free != block || pool->count == 0 || pool->class != TRIED_CLASS ||
        pool->last_virgin != POOL_BYTES - TRIED_BYTES)
        return NULL;
    while (head != pool && start_of_pool((uintptr_t)head) == (uintptr_t)head)
        head = head->next;
    if (head == pool) /* the head of this list happens to lie like a pool */
        return NULL;
    struct pool **used = entry_of(head) - (size_t)2 * TRIED_CLASS;
    return head->next == pool && is_last_entry_right(used) ? used : NULL;
}

/* pymalloc itself takes the block that we would take, and counts it as we would. */
static bool does_the_same(const struct pool_source *source, uintptr_t block) {
    const struct pool *pool = (const struct pool *)start_of_pool(block);
    const uint32_t count = pool->count;
    void *again = source->malloc(source->context, TRIED_BYTES);
    bool same = (uintptr_t)again == block && pool->count == count + 1;
    if (again != NULL)
        source->free(source->context, again);
    return same && pool->count == count && pool->free == block;
}

struct pool **pools_find(const struct pool_source *source) {
    uintptr_t blocks[TRIED];
    size_t count = 0;
    struct pool **used = NULL;
    while (count < TRIED && (blocks[count] = (uintptr_t)source->malloc(source->context, TRIED_BYTES)) != 0)
        count++;
    size_t found = count == TRIED ? find_neighbours(blocks) : 0;
    if (found != 0) {
        source->free(source->context, (void *)blocks[found]);
        used = find_table(blocks[found]);
        if (used != NULL && !does_the_same(source, blocks[found]))
            used = NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (i != found || found == 0)
            source->free(source->context, (void *)blocks[i]);
    }
    return used;
}
