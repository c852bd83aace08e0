/* collect: see collect.h. First all that can fail: what stays is chosen, and put into a new tree; then the new ids go
 * where the old ones are, which cannot. Under the main GIL and the side's lock. */
#include "collect.h"
#include "rest.h"
#include "sort.h"

#include <string.h>

struct plan {
    struct tracer *tracer;
    struct callpaths *old;
    struct callpaths *fresh; /* owned until the tracer has it */
    uint32_t *nodes;         /* old id -> NEEDED, then its new id; 0: goes */
    uint32_t *sites;         /* old id -> new id; 0: goes, or not met yet */
    uint32_t *names;         /* the same */
    struct sort_first idle;  /* what is history, those that allocated most: {bytes, idle_ref} */
    struct path_ends ends;   /* of the old tree */
    uint32_t forgotten;      /* node in the new tree */
};

enum { NEEDED = 1 };

/* A node (`part` 0), or a tally of a shard of the side (its number + 1), as one number. */
static uint64_t idle_ref(uint32_t part, uint32_t id) { return (uint64_t)part << 32 | id; }

/* How many paths are looked at again for their history: no more than there are, nor than there is room for. */
static size_t most_idle(const struct tracer *tracer, size_t room) {
    size_t count = rest_words(tracer);
    for (uint32_t i = 0; i < SHARDS; i++)
        count += tracer->side.shards[i].count;
    return count < room ? count : room + 1;
}

static status plan_init(struct plan *plan, struct tracer *tracer, size_t room) {
    struct vmem *memory = &tracer->memory;
    *plan = (struct plan){.tracer = tracer, .old = tracer->paths, .ends = callpaths_ends(tracer->paths)};
    plan->idle = (struct sort_first){.most = most_idle(tracer, room)};
    plan->nodes = vmem_map(memory, plan->ends.nodes * sizeof *plan->nodes);
    plan->sites = vmem_map(memory, plan->ends.sites * sizeof *plan->sites);
    plan->names = vmem_map(memory, plan->ends.strings * sizeof *plan->names);
    plan->idle.items = vmem_map(memory, plan->idle.most * sizeof(struct sort_item));
    if (plan->nodes == NULL || plan->sites == NULL || plan->names == NULL || plan->idle.items == NULL)
        return STATUS_NOMEM;
    plan->fresh = callpaths_new(memory);
    return plan->fresh != NULL ? STATUS_OK : STATUS_NOMEM;
}

static void plan_fini(struct plan *plan) {
    struct vmem *memory = &plan->tracer->memory;
    vmem_unmap(memory, plan->nodes, plan->ends.nodes * sizeof *plan->nodes);
    vmem_unmap(memory, plan->sites, plan->ends.sites * sizeof *plan->sites);
    vmem_unmap(memory, plan->names, plan->ends.strings * sizeof *plan->names);
    vmem_unmap(memory, plan->idle.items, plan->idle.most * sizeof(struct sort_item));
    callpaths_release(plan->fresh);
}

/* --- what stays ---------------------------------------------------------------------------------------------------- */

/* The path up to a node is needed. */
static void need(struct plan *plan, uint32_t node) {
    for (; node != 0 && plan->nodes[node] == 0; node = node_get(plan->old, node)->parent)
        plan->nodes[node] = NEEDED;
}

/* What the new tree would weigh more with this path, at most: its sites may be there already, and their names. */
static size_t weigh(const struct plan *plan, uint32_t id) {
    size_t nodes = 0, names = 0;
    for (; id != 0 && plan->nodes[id] == 0; nodes++) {
        const struct node *node = node_get(plan->old, id);
        const struct site *site = site_get(plan->old, node->site);
        names += strtab_get(&plan->old->strings, site->file).length;
        names += strtab_get(&plan->old->strings, site->function).length;
        id = node->parent;
    }
    return nodes + names / NAME_BYTES_PER_NODE;
}

/* `node`: 0 of a free id. `bytes`: what was counted in all. */
static void sift(struct plan *plan, uint32_t node, bool is_idle, uint64_t bytes, uint64_t ref) {
    struct sort_item left;
    if (node != 0 && is_idle)
        sort_offer(&plan->idle, (struct sort_item){bytes, ref}, &left);
    else
        need(plan, node);
}

static uint32_t node_of(const struct plan *plan, uint64_t ref) {
    uint32_t id = (uint32_t)ref, part = (uint32_t)(ref >> 32);
    return part != 0 ? shard_tally(&plan->tracer->side.shards[part - 1], id)->node : id;
}

static void choose(struct plan *plan, size_t room) {
    const struct tracer *tracer = plan->tracer;
    const struct ledger *ledger = &tracer->ledger;
    for (uint32_t node = 1; node < rest_words(tracer); node++) {
        const uint32_t word = *rest_word(tracer, node), id = tally_of_word(word);
        if (word != 0)
            sift(plan, node, id == 0 || ledger_is_idle(ledger, id), total_of_word(ledger, word).bytes,
                 idle_ref(0, node));
    }
    for (uint32_t i = 0; i < SHARDS; i++) {
        const struct shard *shard = &tracer->side.shards[i];
        for (uint32_t id = 1; id < shard->count; id++) {
            const struct side_tally *t = shard_tally(shard, id);
            sift(plan, t->node, side_tally_is_idle(t, ledger->epoch), t->total.bytes, idle_ref(i + 1, id));
        }
    }
    need(plan, tracer->unknown_node);
    need(plan, tracer->forgotten_node);
    sort_end(&plan->idle);
    for (size_t i = 0; i < plan->idle.count && room > 0; i++) {
        uint32_t node = node_of(plan, plan->idle.items[i].index);
        size_t weight = weigh(plan, node);
        room -= weight < room ? weight
                              : room; /* the last one may be too heavy: else a deep path had no chance */
        need(plan, node);
    }
}

/* --- the new tree -------------------------------------------------------------------------------------------------- */

static status copy_name(struct plan *plan, uint32_t *name) {
    uint32_t *fresh = &plan->names[*name];
    status result = STATUS_OK;
    if (*fresh == 0) {
        struct string old = strtab_get(&plan->old->strings, *name);
        result = strtab_intern(&plan->fresh->strings, old.bytes, old.length, fresh);
    }
    *name = *fresh;
    return result;
}

static status copy_site(struct plan *plan, uint32_t old) {
    if (old == 0 || plan->sites[old] != 0)
        return STATUS_OK;
    struct site site = *site_get(plan->old, old);
    status result = copy_name(plan, &site.file);
    if (result == STATUS_OK)
        result = copy_name(plan, &site.function);
    return result == STATUS_OK ? site_intern_locked(plan->fresh, &site, &plan->sites[old]) : result;
}

/* A parent comes before its children, in both trees; PATH_UNKNOWN and PATH_FORGOTTEN come first in both. */
static status copy_nodes(struct plan *plan) {
    status result = STATUS_OK;
    for (uint32_t id = 1; id < plan->ends.nodes && result == STATUS_OK; id++) {
        if (plan->nodes[id] == 0)
            continue;
        const struct node *node = node_get(plan->old, id);
        result = copy_site(plan, node->site);
        if (result == STATUS_OK)
            result = node_intern_locked(plan->fresh, plan->nodes[node->parent], plan->sites[node->site],
                                        node->depth, &plan->nodes[id]);
    }
    return result;
}

static status copy_known_sites(struct plan *plan) {
    const struct codemap *codes = &plan->tracer->codes;
    status result = STATUS_OK;
    for (size_t i = 0; i < codes->size && result == STATUS_OK; i++)
        result = copy_site(plan, codes->entries[i].site);
    return result;
}

static status build(struct plan *plan) {
    lock_acquire(&plan->fresh->lock);
    uint32_t unknown;
    status result = path_named_locked(plan->fresh, PATH_UNKNOWN, &unknown);
    if (result == STATUS_OK)
        result = path_named_locked(plan->fresh, PATH_FORGOTTEN, &plan->forgotten);
    if (result == STATUS_OK)
        result = copy_nodes(plan);
    if (result == STATUS_OK)
        result = copy_known_sites(plan);
    lock_release(&plan->fresh->lock);
    return result;
}

/* --- the new ids --------------------------------------------------------------------------------------------------- */

static void renumber_codes(const struct plan *plan) {
    const struct codemap *codes = &plan->tracer->codes;
    for (size_t i = 0; i < codes->size; i++)
        codes->entries[i].site = plan->sites[codes->entries[i].site];
}

/* What a path that goes has allocated becomes PATH_FORGOTTEN's. */
static void let_go(const struct plan *plan, uint32_t word, uint32_t heir) {
    struct ledger *ledger = &plan->tracer->ledger;
    const uint32_t id = tally_of_word(word);
    ledger_inherit(ledger, heir, total_of_word(ledger, word));
    if (id != 0)
        ledger_remove(ledger, id);
}

/* A new node id is never above the old one, so there is a place for it, and what was there has gone. Returns how many
 * paths went. */
static uint32_t renumber_words(const struct plan *plan) {
    struct tracer *tracer = plan->tracer;
    const uint32_t heir = tally_of_word(*rest_word(tracer, tracer->forgotten_node));
    uint32_t gone = 0;
    for (uint32_t old = 1; old < rest_words(tracer); old++) {
        const uint32_t word = *rest_word(tracer, old);
        *rest_word(tracer, old) = 0;
        if (word == 0)
            continue;
        const uint32_t node = plan->nodes[old], id = tally_of_word(word);
        gone += node == 0;
        if (node == 0) {
            let_go(plan, word, heir);
            continue;
        }
        if (id != 0)
            ledger_set_node(&tracer->ledger, id, node);
        *rest_word(tracer, node) = word;
    }
    return gone;
}

static void commit(struct plan *plan) {
    struct tracer *tracer = plan->tracer;
    uint32_t gone = renumber_words(plan);
    gone += side_renumber_locked(&tracer->side, plan->nodes, plan->forgotten);
    renumber_codes(plan);
    mirrors_empty(&tracer->mirrors);
    chain_empty(&tracer->chain);
    memset(tracer->cache, 0, CACHE_BYTES);
    tracer->unknown_node = plan->nodes[tracer->unknown_node];
    tracer->forgotten_node = plan->forgotten;
    tracer->paths = plan->fresh;
    plan->fresh = plan->old; /* its reference is released with the plan */
    __atomic_fetch_add((uint64_t *)&tracer->forgotten, gone, __ATOMIC_RELAXED);
}

status tracer_collect(struct tracer *tracer, size_t room) {
    struct plan plan;
    lock_acquire(&tracer->side.lock);
    tracer_settle_locked(tracer);
    ledger_note_peak(&tracer->ledger);
    status result = plan_init(&plan, tracer, room);
    if (result == STATUS_OK) {
        choose(&plan, room);
        result = build(&plan);
    }
    if (result == STATUS_OK)
        commit(&plan);
    plan_fini(&plan);
    lock_release(&tracer->side.lock);
    return result;
}

cold_path void tracer_collect_slow(struct tracer *tracer) {
    status result = tracer_collect(tracer, tracer->collect_least / 4);
    uint32_t weight = callpaths_weight(tracer->paths);
    uint32_t next = result == STATUS_OK ? weight * 2 : weight + weight / 4 + 1;
    next = next > tracer->collect_least ? next : tracer->collect_least;
    __atomic_store_n((uint32_t *)&tracer->collect_above, next, __ATOMIC_RELAXED);
}
