/* side: records and counters of the partition that a lock protects (side.h has the idea). */
#include "side.h"

#include <string.h>

static uint64_t hash_key(uint32_t domain, uint32_t node) { return hash_mix((uint64_t)domain << 32 | node); }

static uint64_t hash_of(const void *owner, uint32_t id) {
    const struct side_tally *t = side_tally(owner, id);
    return hash_key(t->domain, t->tally.node);
}

status side_init(struct side *side, struct vmem *account) {
    side_fini(side);
    side->count = 1;
    side->window = side->window_epoch = 1;
    young_init(&side->measuring.young, account);
    status result = bigmap_init(&side->blocks, account);
    if (result == STATUS_OK)
        result = region_init(&side->tallies, account, ((size_t)TALLY_MASK + 1) * sizeof(struct side_tally));
    if (result == STATUS_OK)
        result = idtable_init(&side->index, account);
    if (result != STATUS_OK)
        side_fini(side);
    return result;
}

void side_fini(struct side *side) {
    bigmap_fini(&side->blocks);
    region_fini(&side->tallies);
    idtable_fini(&side->index);
    young_fini(&side->measuring.young);
    memset((char *)side + offsetof(struct side, blocks), 0, sizeof *side - offsetof(struct side, blocks));
}

/* The place in the index of this call path's tally, or the empty one where it would go. */
static size_t find_slot(const struct side *side, uint32_t domain, uint32_t node) {
    const struct idtable *index = &side->index;
    size_t slot = idtable_first(index, hash_key(domain, node));
    for (uint32_t found; (found = index->slots[slot]) != 0; slot = idtable_next(index, slot)) {
        const struct side_tally *known = side_tally(side, found);
        if (known->domain == domain && known->tally.node == node)
            break;
    }
    return slot;
}

/* A free id, or a new one. */
static status take_id(struct side *side, uint32_t *id) {
    if (side->free != 0) {
        *id = side->free;
        side->free = side_tally(side, *id)->next_free;
        side->free_count--;
        return STATUS_OK;
    }
    if (side->count > TALLY_MASK)
        return STATUS_FULL;
    status result = region_grow(&side->tallies, ((size_t)side->count + 1) * sizeof(struct side_tally));
    if (result == STATUS_OK)
        *id = side->count++;
    return result;
}

static status tally_of(struct side *side, uint32_t domain, uint32_t node, uint64_t epoch, uint32_t *id) {
    status result = idtable_reserve(&side->index, hash_of, side);
    if (result != STATUS_OK)
        return result;
    size_t slot = find_slot(side, domain, node);
    if ((*id = side->index.slots[slot]) != 0)
        return STATUS_OK;
    result = take_id(side, id);
    if (result != STATUS_OK)
        return result;
    struct side_tally *fresh = side_tally(side, *id);
    fresh->tally.node = node;
    fresh->tally.epoch = epoch; /* at every peak so far it held nothing */
    fresh->domain = domain;
    idtable_put(&side->index, slot, *id);
    return STATUS_OK;
}

/* --- one event on one tally, joint or apart ------------------------------------------------------------------- */

/* Apart: before a tally changes. Its first change in a window puts it on the list that side_settle will walk. */
static void touch(struct side *side, uint32_t id) {
    struct side_tally *t = side_tally(side, id);
    if (t->window != side->window) {
        t->window = side->window;
        t->start = tally_live(&t->tally);
        t->next_touched = side->touched;
        side->touched = id;
    }
    if (t->window_epoch != side->window_epoch) {
        t->window_epoch = side->window_epoch;
        t->window_peak = tally_live(&t->tally);
    }
    side->pending = true;
}

static void before_change(struct side *side, struct ledger *ledger, uint32_t id) {
    if (ledger != NULL)
        tally_save(ledger, &side_tally(side, id)->tally);
    else
        touch(side, id);
}

/* Before anything is lost: was the present value a new peak, of all (joint) or within the window (apart)? */
static void note_peak(struct side *side, struct ledger *ledger) {
    if (ledger != NULL) {
        ledger_note_peak(ledger);
    } else if (side->current > side->window_top) {
        side->window_top = side->current;
        side->window_epoch++;
    }
}

/* Joint: the ledger's limit is measured against what the side holds. */
static void hold(struct side *side, struct ledger *ledger, int64_t bytes) {
    side->current += bytes;
    if (ledger != NULL) {
        ledger->limit -= bytes;
        side->settled = side->window_top = side->current;
    }
}

static void gain(struct side *side, struct ledger *ledger, uint32_t id, uint64_t bytes) {
    before_change(side, ledger, id);
    hold(side, ledger, (int64_t)bytes);
    pair_add(&side_tally(side, id)->tally.total, bytes);
}

static void lose(struct side *side, struct ledger *ledger, uint32_t id, uint64_t bytes) {
    note_peak(side, ledger);
    before_change(side, ledger, id);
    hold(side, ledger, -(int64_t)bytes);
    pair_add(&side_tally(side, id)->tally.freed, bytes);
}

/* --- blocks --------------------------------------------------------------------------------------------------- */

static inline struct big *find(const struct side *side, uint32_t domain, uintptr_t address) {
    uint64_t key = side_key(address);
    struct big *entry = bigmap_find(&side->blocks, (uintptr_t)key);
    while (entry != NULL && (entry->key != key || side_tally(side, big_tally(entry))->domain != domain))
        entry = bigmap_find_next(&side->blocks, entry);
    return entry;
}

struct big *side_find_locked(const struct side *side, uint32_t domain, uintptr_t address) {
    return find(side, domain, address);
}

/* While somebody measures: a block came. What it brings to the top is the window's matter where it came apart. */
static cold_path void measure_gain(struct side *side, const struct ledger *ledger, uint32_t domain,
                                   uintptr_t address, uint64_t bytes) {
    side->measuring.allocated += bytes;
    young_add(&side->measuring.young, domain, address, side->measuring.born);
    if (ledger != NULL && ledger->current + side->current > *side->measuring.top)
        *side->measuring.top = ledger->current + side->current;
}

static void begin_event(struct side *side, struct ledger *ledger) {
    assert(lock_is_mine(&side->lock));
    if (ledger != NULL && side->pending)
        side_settle_locked(side, ledger);
}

status side_put_locked(struct side *side, struct ledger *ledger, uint32_t domain, uintptr_t address,
                       uint64_t size, uint32_t node) {
    begin_event(side, ledger);
    uint32_t id;
    status result = tally_of(side, domain, node, ledger != NULL ? ledger->epoch : 0, &id);
    if (result == STATUS_OK)
        result = bigmap_reserve(&side->blocks, size);
    if (result != STATUS_OK)
        return result;
    struct big *old = find(side, domain, address);
    if (old != NULL) {
        lose(side, ledger, big_tally(old), big_size(&side->blocks, old));
        bigmap_remove(&side->blocks, old);
        (void)young_remove(&side->measuring.young, domain, address);
    }
    gain(side, ledger, id, size);
    bigmap_put(&side->blocks, side_key(address), size, id);
    if (unlikely(side->measuring.born != 0))
        measure_gain(side, ledger, domain, address, size);
    return STATUS_OK;
}

bool side_remove_locked(struct side *side, struct ledger *ledger, uint32_t domain, uintptr_t address) {
    begin_event(side, ledger);
    struct big *entry = find(side, domain, address);
    if (entry == NULL)
        return false;
    lose(side, ledger, big_tally(entry), big_size(&side->blocks, entry));
    bigmap_remove(&side->blocks, entry);
    if (unlikely(side->measuring.born != 0))
        (void)young_remove(&side->measuring.young, domain, address);
    return true;
}

void side_lose_locked(struct side *side, struct ledger *ledger, uint32_t tally, uint64_t size) {
    begin_event(side, ledger);
    lose(side, ledger, tally, size);
}

status side_move_locked(struct side *side, struct ledger *ledger, uint32_t domain, uintptr_t address,
                        uint32_t node) {
    begin_event(side, ledger);
    struct big *entry = find(side, domain, address);
    if (entry == NULL)
        return STATUS_OK;
    uint32_t from = big_tally(entry), to;
    status result = tally_of(side, domain, node, ledger != NULL ? ledger->epoch : 0, &to);
    if (result != STATUS_OK || from == to)
        return result;
    uint64_t size = big_size(&side->blocks, entry);
    note_peak(side, ledger);
    before_change(side, ledger, from);
    before_change(side, ledger, to);
    pair_subtract(&side_tally(side, from)->tally.total, size);
    pair_add(&side_tally(side, to)->tally.total, size);
    big_set_tally(entry, to);
    return STATUS_OK;
}

/* --- the window's end ------------------------------------------------------------------------------------------ */

void side_settle_locked(struct side *side, struct ledger *ledger) {
    assert(lock_is_mine(&side->lock));
    int64_t peak = ledger->limit + side->settled;
    /* The ledger's events up to now come before the window; the window's top is at least what it began with, so it
     * covers a peak that the ledger alone has reached. */
    bool still_at_top = side->current > side->window_top;
    int64_t top = still_at_top ? side->current : side->window_top;
    if (side->measuring.top != NULL && ledger->current + top > *side->measuring.top)
        *side->measuring.top = ledger->current + top;
    bool new_peak = ledger->current + top > peak;
    uint64_t old_epoch = ledger->epoch;
    if (new_peak) {
        peak = ledger->current + top;
        ledger->epoch++;
    }
    for (uint32_t id = side->touched; id != 0; id = side_tally(side, id)->next_touched) {
        struct side_tally *t = side_tally(side, id);
        if (new_peak) {
            bool saved = !still_at_top && t->window_epoch == side->window_epoch;
            t->tally.peak = saved ? t->window_peak : tally_live(&t->tally);
            t->tally.epoch = ledger->epoch;
        } else if (t->tally.epoch != old_epoch) {
            t->tally.peak = t->start;
            t->tally.epoch = old_epoch;
        }
    }
    side->touched = 0;
    side->window++;
    side->window_epoch++;
    side->settled = side->window_top = side->current;
    ledger->limit = peak - side->current;
    side->pending = false;
}

/* --- a new call tree --------------------------------------------------------------------------------------------- */

static void index_anew(struct side *side, uint32_t id) {
    const struct side_tally *t = side_tally(side, id);
    idtable_put(&side->index, find_slot(side, t->domain, t->tally.node), id);
}

/* The first of a domain whose node is gone becomes the heir, where the domain has none: so no memory is needed. */
static void bequeath(struct side *side, uint32_t id, uint32_t heir_node) {
    struct side_tally *t = side_tally(side, id);
    uint32_t heir = side->index.slots[find_slot(side, t->domain, heir_node)];
    if (heir == 0) {
        t->tally.node = heir_node;
        index_anew(side, id);
        return;
    }
    tally_bequeath(&t->tally, &side_tally(side, heir)->tally);
    *t = (struct side_tally){.next_free = side->free};
    side->free = id;
    side->free_count++;
}

uint32_t side_renumber_locked(struct side *side, const uint32_t *nodes, uint32_t heir) {
    assert(lock_is_mine(&side->lock) && !side->pending);
    uint32_t gone = 0, next, count = 0;
    idtable_clear(&side->index);
    for (uint32_t id = 1; id < side->count; id++) {
        struct side_tally *t = side_tally(side, id);
        if (t->tally.node == 0)
            continue; /* free */
        t->tally.node = nodes[t->tally.node];
        if (t->tally.node != 0) {
            index_anew(side, id);
        } else {
            t->next_free = gone;
            gone = id;
        }
    }
    for (uint32_t id = gone; id != 0; id = next, count++) {
        next = side_tally(side, id)->next_free;
        bequeath(side, id, heir);
    }
    return count;
}

bool side_check(const struct side *side) {
    int64_t live = 0;
    uint64_t blocks = 0;
    for (uint32_t id = 1; id < side->count; id++) {
        pair counters = tally_live(&side_tally(side, id)->tally);
        live += (int64_t)counters.bytes;
        blocks += counters.blocks;
    }
    return live == side->current && blocks == side->blocks.count && bigmap_check(&side->blocks) &&
           young_check(&side->measuring.young) && side->index.count == side->count - 1 - side->free_count;
}
