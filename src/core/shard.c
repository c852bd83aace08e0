/* shard: see shard.h. */
#include "shard.h"

#include <string.h>

static uint64_t hash_of(const void *owner, uint32_t id) {
    const struct side_tally *t = shard_tally(owner, id);
    return shard_hash(t->domain, t->node);
}

out_of_line status shard_begin(struct shard *shard, struct vmem *account) {
    status result = bigmap_init(&shard->blocks, account);
    if (result == STATUS_OK)
        result = region_init(&shard->tallies, account, ((size_t)TALLY_MASK + 1) * sizeof(struct side_tally));
    if (result == STATUS_OK)
        result = idtable_init(&shard->index, account);
    if (result == STATUS_OK)
        shard->count = 1;
    else
        shard_fini(shard);
    return result;
}

void shard_fini(struct shard *shard) {
    assert(!shard->out);
    bigmap_fini(&shard->blocks);
    region_fini(&shard->tallies);
    idtable_fini(&shard->index);
    memset((char *)shard + offsetof(struct shard, blocks), 0, sizeof *shard - offsetof(struct shard, blocks));
}

/* --- tallies ------------------------------------------------------------------------------------------------------- */

/* A free id, or a new one. */
static status take_id(struct shard *shard, uint32_t *id) {
    if (shard->free != 0) {
        *id = shard->free;
        shard->free = shard_tally(shard, *id)->next_free;
        shard->free_count--;
        return STATUS_OK;
    }
    if (shard->count > TALLY_MASK)
        return STATUS_FULL;
    status result = region_grow(&shard->tallies, ((size_t)shard->count + 1) * sizeof(struct side_tally));
    if (result == STATUS_OK)
        *id = shard->count++;
    return result;
}

out_of_line status shard_new_tally(struct shard *shard, uint32_t domain, uint32_t node, uint64_t epoch,
                                   uint32_t *id) {
    status result = idtable_reserve(&shard->index, hash_of, shard);
    if (result == STATUS_OK)
        result = take_id(shard, id);
    if (result != STATUS_OK)
        return result;
    struct side_tally *fresh = shard_tally(shard, *id);
    fresh->node = node;
    fresh->epoch = epoch; /* at every peak so far it held nothing */
    fresh->domain = domain;
    idtable_put(&shard->index, shard_slot(shard, domain, node), *id);
    return STATUS_OK;
}

/* --- a new call tree ------------------------------------------------------------------------------------------------- */

static void index_anew(struct shard *shard, uint32_t id) {
    const struct side_tally *t = shard_tally(shard, id);
    idtable_put(&shard->index, shard_slot(shard, t->domain, t->node), id);
}

/* The first of a domain whose node is gone becomes the heir, where the domain has none: so no memory is needed. */
static void bequeath(struct shard *shard, uint32_t id, uint32_t heir_node) {
    struct side_tally *t = shard_tally(shard, id);
    uint32_t heir = idtable_at(&shard->index, shard_slot(shard, t->domain, heir_node));
    if (heir == 0) {
        t->node = heir_node;
        index_anew(shard, id);
        return;
    }
    struct side_tally *to = shard_tally(shard, heir); /* what that holds, and held at the peak, stays */
    pair_join(&to->total, t->total);
    pair_join(&to->freed, t->freed);
    *t = (struct side_tally){.next_free = shard->free};
    shard->free = id;
    shard->free_count++;
}

uint32_t shard_renumber(struct shard *shard, const uint32_t *nodes, uint32_t heir) {
    uint32_t gone = 0, next, count = 0;
    if (shard->count == 0)
        return 0;
    idtable_clear(&shard->index);
    for (uint32_t id = 1; id < shard->count; id++) {
        struct side_tally *t = shard_tally(shard, id);
        if (t->node == 0)
            continue; /* free */
        t->node = nodes[t->node];
        if (t->node != 0) {
            index_anew(shard, id);
        } else {
            t->next_free = gone;
            gone = id;
        }
    }
    for (uint32_t id = gone; id != 0; id = next, count++) {
        next = shard_tally(shard, id)->next_free;
        bequeath(shard, id, heir);
    }
    return count;
}

bool shard_check(const struct shard *shard, int64_t *live) {
    uint64_t blocks = 0;
    if (shard->count == 0)
        return shard->blocks.count == 0;
    for (uint32_t id = 1; id < shard->count; id++) {
        pair counters = side_tally_live(shard_tally(shard, id));
        *live += (int64_t)counters.bytes;
        blocks += counters.blocks;
    }
    return blocks == shard->blocks.count && bigmap_check(&shard->blocks) &&
           shard->index.count == shard->count - 1 - shard->free_count;
}
