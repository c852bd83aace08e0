/* young: see young.h. */
#include "young.h"

#include <string.h>

enum { FIRST_HEADS = SIZED(1024, 2) };
#define MOST_BYTES SIZED((size_t)1 << 37, (size_t)1 << 24)

static struct young_block *block_at(const struct young *young, uint32_t id) {
    return (struct young_block *)young->blocks.base + id;
}

static uint32_t *head_of(const struct young *young, uint32_t domain, uintptr_t address) {
    return &young->heads[(hash_mix(address ^ (uint64_t)domain << 40) >> 16) & young->head_mask];
}

void young_init(struct young *young, struct vmem *account) { *young = (struct young){.account = account}; }

void young_fini(struct young *young) {
    struct vmem *account = young->account;
    uint64_t lost = young->lost;
    region_fini(&young->blocks);
    if (young->heads != NULL)
        vmem_unmap(account, young->heads, ((size_t)young->head_mask + 1) * sizeof *young->heads);
    *young = (struct young){.account = account, .lost = lost};
}

/* --- room for one more ----------------------------------------------------------------------------------------------- */

static status begin(struct young *young) {
    uint32_t *heads = vmem_map(young->account, FIRST_HEADS * sizeof *heads);
    if (heads == NULL)
        return STATUS_NOMEM;
    if (region_init(&young->blocks, young->account, MOST_BYTES) != STATUS_OK) {
        vmem_unmap(young->account, heads, FIRST_HEADS * sizeof *heads);
        return STATUS_NOMEM;
    }
    young->heads = heads;
    young->head_mask = FIRST_HEADS - 1;
    return STATUS_OK;
}

static status more_heads(struct young *young) {
    size_t old = ((size_t)young->head_mask + 1) * sizeof *young->heads;
    uint32_t *heads = vmem_map(young->account, old * 2);
    if (heads == NULL)
        return STATUS_NOMEM;
    vmem_unmap(young->account, young->heads, old);
    young->heads = heads;
    young->head_mask = young->head_mask * 2 + 1;
    for (uint32_t id = young->newest; id != 0; id = block_at(young, id)->older) {
        struct young_block *block = block_at(young, id);
        uint32_t *head = head_of(young, block->domain, block->address);
        block->next = *head;
        *head = id;
    }
    return STATUS_OK;
}

/* An id that is free, or a new one. */
static status take_id(struct young *young, uint32_t *id) {
    if (young->heads == NULL) {
        status result = begin(young);
        if (result != STATUS_OK)
            return result;
    }
    if (young->count > young->head_mask)
        (void)!more_heads(young); /* benign: the chains get longer */
    if (young->free != 0) {
        *id = young->free;
        young->free = block_at(young, *id)->next;
        return STATUS_OK;
    }
    if (young->used == UINT32_MAX - 1)
        return STATUS_FULL;
    status result = region_grow(&young->blocks, ((size_t)young->used + 2) * sizeof(struct young_block));
    if (result == STATUS_OK)
        *id = ++young->used;
    return result;
}

/* --- blocks ---------------------------------------------------------------------------------------------------------- */

/* Behind the last one that is not younger. */
static void put_in_order(struct young *young, uint32_t id) {
    struct young_block *block = block_at(young, id);
    uint32_t newer = 0, older = young->newest;
    while (older != 0 && unlikely(block_at(young, older)->born > block->born)) {
        newer = older;
        older = block_at(young, older)->older;
    }
    block->older = older;
    block->newer = newer;
    *(older != 0 ? &block_at(young, older)->newer : &young->oldest) = id;
    *(newer != 0 ? &block_at(young, newer)->older : &young->newest) = id;
}

void young_add(struct young *young, uint32_t domain, uintptr_t address, uint64_t born) {
    uint32_t id;
    if (take_id(young, &id) != STATUS_OK) {
        young->lost++;
        return;
    }
    uint32_t *head = head_of(young, domain, address);
    *block_at(young,
              id) = (struct young_block){.address = address, .born = born, .domain = domain, .next = *head};
    *head = id;
    put_in_order(young, id);
    young->count++;
}

/* `place`: where its id is, in a head or in the block before it in the chain. */
static void drop(struct young *young, uint32_t *place) {
    uint32_t id = *place;
    struct young_block *block = block_at(young, id);
    *place = block->next;
    *(block->older != 0 ? &block_at(young, block->older)->newer : &young->oldest) = block->newer;
    *(block->newer != 0 ? &block_at(young, block->newer)->older : &young->newest) = block->older;
    block->next = young->free;
    young->free = id;
    young->count--;
}

uint64_t young_remove(struct young *young, uint32_t domain, uintptr_t address) {
    if (young->count == 0)
        return 0;
    uint32_t *place = head_of(young, domain, address);
    while (*place != 0) {
        struct young_block *block = block_at(young, *place);
        if (block->address == address && block->domain == domain) {
            uint64_t born = block->born;
            drop(young, place);
            return born;
        }
        place = &block->next;
    }
    return 0;
}

/* Where nobody is young any more, tables that have grown are given back, so that they are not a burden later. */
void young_forget(struct young *young, uint64_t born) {
    bool all = young->newest == 0 || block_at(young, young->newest)->born < born;
    if (all && young->used > FIRST_HEADS) {
        young_fini(young);
        return;
    }
    while (young->oldest != 0 && block_at(young, young->oldest)->born < born) {
        const struct young_block *block = block_at(young, young->oldest);
        young_remove(young, block->domain, block->address);
    }
}

bool young_check(const struct young *young) {
    uint32_t count = 0, chained = 0, newer = 0;
    for (uint32_t id = young->newest; id != 0; newer = id, id = block_at(young, id)->older, count++) {
        const struct young_block *block = block_at(young, id);
        if (block->newer != newer || (newer != 0 && block->born > block_at(young, newer)->born))
            return false;
    }
    for (uint32_t i = 0; young->heads != NULL && i <= young->head_mask; i++)
        for (uint32_t id = young->heads[i]; id != 0; id = block_at(young, id)->next, chained++)
            if (head_of(young, block_at(young, id)->domain, block_at(young, id)->address) != &young->heads[i])
                return false;
    return count == young->count && chained == young->count && newer == young->oldest;
}
