/* freeze: views of the tracer as snapshots (freeze.h).
 *
 * live: the records are counted by (tally, size) in one pass; peak and total: one row a tally. */
#include "freeze.h"

#include "rest.h"
#include "sidepaths.h"

#include <string.h>

/* (tally, size) -> blocks, in memory of their own. Sizes that a bigmap lists go into rows of their own.
 *
 *   runs    one a tally, then what its blocks of further sizes are counted in, linked: a tally has few sizes, mostly
 *   items   where there are more: open addressing */
struct counts {
    struct region runs; /* struct run */
    uint32_t run_count;
    struct count {
        /* size << TALLY_BITS | tally, as in struct big; a tally is never 0, so neither is a key */
        uint64_t key;
        uint64_t blocks;
    } * items;
    size_t mask;
    size_t used;
    struct vmem *account; /* borrowed */
};

struct run {
    uint32_t tally;
    uint32_t size;
    uint32_t blocks; /* 0: this tally has no blocks yet */
    uint32_t next;   /* 0: the last of its tally */
};

/* SLOTS_AHEAD: how early the run of a slot is fetched. */
enum { FIRST_COUNTS = SIZED(8192, 2), RUNS_A_TALLY = SIZED(8, 2), SLOTS_AHEAD = 12 };
#define MOST_RUN_BYTES ((size_t)RUNS_A_TALLY * ((size_t)TALLY_MASK + 1) * sizeof(struct run))

static void counts_fini(struct counts *counts) {
    region_fini(&counts->runs);
    if (counts->items != NULL)
        vmem_unmap(counts->account, counts->items, (counts->mask + 1) * sizeof *counts->items);
}

/* For tallies below `tallies`. */
static status counts_init(struct counts *counts, struct vmem *account, uint32_t tallies) {
    *counts = (struct counts){.run_count = tallies, .mask = FIRST_COUNTS - 1, .account = account};
    counts->items = vmem_map(account, FIRST_COUNTS * sizeof *counts->items);
    if (counts->items == NULL)
        return STATUS_NOMEM;
    status result = region_init(&counts->runs, account, MOST_RUN_BYTES);
    return result == STATUS_OK ? region_grow(&counts->runs, tallies * sizeof(struct run)) : result;
}

static struct count *counts_find(const struct counts *counts, uint64_t key) {
    size_t i = (hash_mix(key) >> 16) & counts->mask;
    while (counts->items[i].key != key && counts->items[i].key != 0)
        i = (i + 1) & counts->mask;
    return &counts->items[i];
}

static cold_path status counts_grow(struct counts *counts) {
    size_t old_size = counts->mask + 1, new_size = old_size * 2;
    struct count *old = counts->items;
    struct count *items = vmem_map(counts->account, new_size * sizeof *items);
    if (items == NULL)
        return STATUS_NOMEM;
    counts->items = items;
    counts->mask = new_size - 1;
    for (size_t i = 0; i < old_size; i++) {
        if (old[i].key != 0)
            *counts_find(counts, old[i].key) = old[i];
    }
    vmem_unmap(counts->account, old, old_size * sizeof *old);
    return STATUS_OK;
}

static status counts_add_item(struct counts *counts, uint32_t tally, uint64_t size) {
    uint64_t key = size << TALLY_BITS | tally;
    struct count *item = counts_find(counts, key);
    if (likely(item->key != 0)) {
        item->blocks++;
        return STATUS_OK;
    }
    if ((counts->used + 1) * 2 > counts->mask + 1) {
        status result = counts_grow(counts);
        if (result != STATUS_OK)
            return result;
        item = counts_find(counts, key);
    }
    *item = (struct count){key, 1};
    counts->used++;
    return STATUS_OK;
}

static struct run *run_at(const struct counts *counts, uint32_t i) {
    return (struct run *)(void *)counts->runs.base + i;
}

static status counts_add_run(struct counts *counts, struct run *last, uint32_t tally, uint32_t size) {
    status result = region_grow(&counts->runs, ((size_t)counts->run_count + 1) * sizeof(struct run));
    if (result != STATUS_OK)
        return result;
    last->next = counts->run_count++;
    *run_at(counts, last->next) = (struct run){tally, size, 1, 0};
    return STATUS_OK;
}

static status counts_add(struct counts *counts, uint32_t tally, uint64_t size) {
    if (unlikely(size > UINT32_MAX))
        return counts_add_item(counts, tally, size);
    struct run *run = run_at(counts, tally);
    if (run->blocks == 0)
        *run = (struct run){tally, (uint32_t)size, 0, 0};
    for (int seen = 1;; seen++) {
        if (likely(run->size == size && run->blocks < UINT32_MAX)) {
            run->blocks++;
            return STATUS_OK;
        }
        if (seen == RUNS_A_TALLY)
            return counts_add_item(counts, tally, size);
        if (run->next == 0)
            return counts_add_run(counts, run, tally, (uint32_t)size);
        run = run_at(counts, run->next);
    }
}

static status add_row(struct snapshot *snapshot, uint32_t domain, uint32_t node, uint64_t size,
                      uint64_t count) {
    struct row row = {.domain = domain, .node = node, .size = size, .count = count};
    row.depth = node_get(snapshot->paths, node)->depth;
    return snapshot_add(snapshot, &row);
}

static status count_page(void *context, uintptr_t start, const struct page *page, uint32_t count) {
    struct counts *counts = context;
    (void)start;
    for (uint32_t i = 0; i < count; i++) {
        if (i + SLOTS_AHEAD < count)
            __builtin_prefetch(run_at(counts, slot_tally(page->slots[i + SLOTS_AHEAD])), 1);
        uint32_t slot = page->slots[i];
        if (slot == 0)
            continue;
        status result = counts_add(counts, slot_tally(slot), slot_size(page->stride, slot));
        if (result != STATUS_OK)
            return result;
    }
    return STATUS_OK;
}

/* Whose tallies are counted: the ledger's, or, where that is NULL, all shards' together, by the numbers of their paths. */
struct who {
    const struct ledger *ledger;    /* borrowed */
    const struct side_paths *paths; /* borrowed */
};

static void name(const struct who *who, uint32_t tally, uint32_t *domain, uint32_t *node) {
    *domain = who->ledger != NULL ? DOMAIN_PYTHON : side_path(who->paths, tally)->domain;
    *node = who->ledger != NULL ? ledger_node(who->ledger, tally) : side_path(who->paths, tally)->node;
}

/* `shard`: whose blocks these are; of no matter for the ledger's. */
static status count_bigs(const struct who *who, uint32_t shard, const struct bigmap *map,
                         struct counts *counts, struct snapshot *snapshot) {
    status result = STATUS_OK;
    for (size_t i = 0; i < map->capacity && result == STATUS_OK; i++) {
        const struct big *entry = &map->entries[i];
        if (entry->key == 0 || big_tally(entry) == 0)
            continue;
        uint32_t tally = big_tally(entry);
        if (who->ledger == NULL)
            tally = side_path_number(who->paths, shard, tally);
        if (!big_is_listed(entry)) {
            result = counts_add(counts, tally, big_size(map, entry));
        } else {
            uint32_t domain, node;
            name(who, tally, &domain, &node);
            result = add_row(snapshot, domain, node, big_size(map, entry), 1);
        }
    }
    return result;
}

static status add_count(const struct who *who, uint32_t tally, uint64_t size, uint64_t blocks,
                        struct snapshot *snapshot) {
    uint32_t domain, node;
    if (blocks == 0)
        return STATUS_OK;
    name(who, tally, &domain, &node);
    return add_row(snapshot, domain, node, size, blocks);
}

static status add_counts(const struct who *who, const struct counts *counts, struct snapshot *snapshot) {
    status result = STATUS_OK;
    for (uint32_t i = 0; i < counts->run_count && result == STATUS_OK; i++) {
        const struct run *run = run_at(counts, i);
        result = add_count(who, run->tally, run->size, run->blocks, snapshot);
    }
    for (size_t i = 0; i <= counts->mask && result == STATUS_OK; i++) {
        const struct count *item = &counts->items[i];
        result = add_count(who, (uint32_t)item->key & TALLY_MASK, item->key >> TALLY_BITS, item->blocks,
                           snapshot);
    }
    return result;
}

static status freeze_main(struct tracer *tracer, struct snapshot *snapshot) {
    struct counts counts = {0};
    struct who who = {.ledger = &tracer->ledger};
    status result = counts_init(&counts, snapshot->account, tracer->ledger.count);
    if (result == STATUS_OK)
        result = addrmap_each(&tracer->map, count_page, &counts);
    if (result == STATUS_OK)
        result = count_bigs(&who, 0, &tracer->big, &counts, snapshot);
    if (result == STATUS_OK)
        result = add_counts(&who, &counts, snapshot);
    counts_fini(&counts);
    return result;
}

static status freeze_side(const struct side *side, const struct side_paths *paths,
                          struct snapshot *snapshot) {
    struct counts counts = {0};
    struct who who = {.paths = paths};
    status result = counts_init(&counts, snapshot->account, paths->count);
    for (uint32_t i = 0; i < SHARDS && result == STATUS_OK; i++)
        result = count_bigs(&who, i, &side->shards[i].blocks, &counts, snapshot);
    if (result == STATUS_OK)
        result = add_counts(&who, &counts, snapshot);
    counts_fini(&counts);
    return result;
}

/* --- tallies ------------------------------------------------------------------------------------------------------- */

static status add_sum(struct snapshot *snapshot, uint32_t domain, uint32_t node, pair sum) {
    return sum.blocks == 0 ? STATUS_OK : add_row(snapshot, domain, node, sum.bytes, sum.blocks);
}

static void add_shard(const struct tracer *tracer, enum view view, const struct side_paths *paths,
                      uint32_t number) {
    const struct shard *shard = &tracer->side.shards[number];
    for (uint32_t id = 1; id < shard->count; id++) {
        const struct side_tally *t = shard_tally(shard, id);
        pair_join(&side_path(paths, side_path_number(paths, number, id))->sum,
                  view == VIEW_TOTAL ? t->total : side_tally_at_peak(t, tracer->ledger.epoch));
    }
}

/* Paths at rest have a history, and nothing else. */
static status add_history(const struct tracer *tracer, struct snapshot *snapshot) {
    status result = STATUS_OK;
    for (uint32_t node = 0; node < rest_words(tracer) && result == STATUS_OK; node++) {
        result = add_sum(snapshot, DOMAIN_PYTHON, node, history_of_word(*rest_word(tracer, node)));
    }
    return result;
}

static status freeze_tallies(struct tracer *tracer, const struct side_paths *paths,
                             struct snapshot *snapshot) {
    const struct ledger *ledger = &tracer->ledger;
    status result = STATUS_OK;
    for (uint32_t id = 1; id < ledger->count && result == STATUS_OK; id++) {
        pair sum = snapshot->view == VIEW_TOTAL ? ledger_total(ledger, id) : ledger_at_peak(ledger, id);
        result = add_sum(snapshot, DOMAIN_PYTHON, ledger_node(ledger, id), sum);
    }
    if (snapshot->view == VIEW_TOTAL && result == STATUS_OK)
        result = add_history(tracer, snapshot);
    for (uint32_t i = 0; i < SHARDS; i++)
        add_shard(tracer, snapshot->view, paths, i);
    for (uint32_t number = 1; number < paths->count && result == STATUS_OK; number++) {
        const struct side_path *path = side_path(paths, number);
        result = add_sum(snapshot, path->domain, path->node, path->sum);
    }
    return result;
}

static status fill(struct tracer *tracer, struct snapshot *snapshot) {
    struct side_paths paths;
    status result = side_paths_init(&paths, &tracer->side, snapshot->account);
    if (result != STATUS_OK)
        return result;
    if (snapshot->view != VIEW_LIVE)
        result = freeze_tallies(tracer, &paths, snapshot);
    else if ((result = freeze_main(tracer, snapshot)) == STATUS_OK)
        result = freeze_side(&tracer->side, &paths, snapshot);
    side_paths_fini(&paths);
    return result;
}

static status freeze_view(struct tracer *tracer, struct vmem *account, enum view view,
                          struct snapshot **result) {
    struct snapshot *snapshot = snapshot_new(account, tracer->paths, tracer->frames, view);
    if (snapshot == NULL)
        return STATUS_NOMEM;
    status frozen = fill(tracer, snapshot);
    if (frozen != STATUS_OK) {
        snapshot_release(snapshot);
        return frozen;
    }
    snapshot_complete(snapshot);
    *result = snapshot;
    return STATUS_OK;
}

/* All counters as they are now; nothing of the side changes before its lock is given back. */
static void count_memory(struct tracer *tracer, struct moment *moment) {
    struct ledger *ledger = &tracer->ledger;
    tracer_settle_locked(tracer);
    ledger_note_peak(ledger);
    moment->current = (uint64_t)(ledger->current + tracer->side.current);
    moment->peak = (uint64_t)(ledger->limit + tracer->side.current);
    moment->lost = tracer->lost;
    moment->frames = tracer->frames;
}

status tracer_freeze_views(struct tracer *tracer, struct vmem *account, const bool wanted[VIEW_COUNT],
                           struct moment *moment) {
    status result = STATUS_OK;
    *moment = (struct moment){.frames = 0};
    lock_acquire(&tracer->side.lock);
    count_memory(tracer, moment);
    for (int view = 0; view < VIEW_COUNT && result == STATUS_OK; view++) {
        if (wanted[view])
            result = freeze_view(tracer, account, (enum view)view, &moment->views[view]);
    }
    lock_release(&tracer->side.lock);
    for (int view = 0; view < VIEW_COUNT && result != STATUS_OK; view++) {
        snapshot_release(moment->views[view]);
        moment->views[view] = NULL;
    }
    return result;
}

status tracer_freeze(struct tracer *tracer, struct vmem *account, enum view view, struct snapshot **result) {
    bool wanted[VIEW_COUNT] = {false};
    struct moment moment;
    wanted[view] = true;
    status frozen = tracer_freeze_views(tracer, account, wanted, &moment);
    *result = moment.views[view];
    return frozen;
}
