/* side: events of the partition that no GIL protects, and who needs which lock for them (side.h has the idea). */
#include "side.h"

#include <string.h>

/* So many apart events without a new highest value, before shards go out (again). */
enum { CALM = SIZED(16, 2) };

void side_init_locks(struct side *side) {
    lock_init(&side->lock, LOCK_SIDE);
    for (uint32_t i = 0; i < SHARDS; i++)
        lock_init(&side->shards[i].lock, LOCK_SHARD);
}

void side_fini_locks(struct side *side) {
    lock_fini(&side->lock);
    for (uint32_t i = 0; i < SHARDS; i++)
        lock_fini(&side->shards[i].lock);
}

void side_init(struct side *side, struct vmem *account) {
    side_fini(side);
    side->account = account;
    side->window = side->window_epoch = 1;
    young_init(&side->measuring.young, account);
}

void side_fini(struct side *side) {
    assert(side->out == 0);
    for (uint32_t i = 0; i < SHARDS; i++)
        shard_fini(&side->shards[i]);
    young_fini(&side->measuring.young);
    memset((char *)side + offsetof(struct side, current), 0,
           offsetof(struct side, shards) - offsetof(struct side, current));
}

/* --- shards go out and come in ------------------------------------------------------------------------------------- */

static uint64_t bit_of(const struct side *side, const struct shard *shard) {
    return UINT64_C(1) << (shard - side->shards);
}

static bool is_out(const struct shard *shard) {
    return __atomic_load_n((const bool *)&shard->out, __ATOMIC_ACQUIRE);
}

/* Its own lock is free afterwards, or with somebody who has come too late and finds the shard in. */
static void call_in(struct side *side, struct shard *shard) {
    lock_acquire(&shard->lock);
    __atomic_store_n((bool *)&shard->out, false, __ATOMIC_RELAXED);
    side->current += shard->gained;
    side->lent -= shard->room;
    side->out &= ~bit_of(side, shard);
    lock_release(&shard->lock);
}

void side_call_all_in_slow(struct side *side) {
    assert(lock_is_mine(&side->lock));
    while (side->out != 0)
        call_in(side, &side->shards[__builtin_ctzll(side->out)]);
}

/* With half of what is left, so that there is some for others; but with enough to do again what it has just done. */
void side_let_out(struct side *side, struct shard *shard) {
    int64_t spare = side->window_top - side->current - side->lent;
    if (side->calm < CALM || spare < shard->wanted || side->measuring.born != 0)
        return;
    shard->room = spare / 2 > shard->wanted ? spare / 2 : shard->wanted;
    shard->gained = 0;
    side->lent += shard->room;
    side->out |= bit_of(side, shard);
    side->touched |= bit_of(side, shard);
    __atomic_store_n((bool *)&shard->out, true, __ATOMIC_RELEASE);
}

struct lock *side_enter_apart(struct side *side, uintptr_t address, uint64_t bytes) {
    struct shard *shard = side_shard(side, address);
    if (is_out(shard)) {
        lock_acquire(&shard->lock);
        if (is_out(shard) && bytes <= (uint64_t)(shard->room - shard->gained))
            return &shard->lock;
        lock_release(&shard->lock);
    }
    lock_acquire(&side->lock);
    if (is_out(shard))
        call_in(side, shard);
    return &side->lock;
}

void side_enter_whole(struct side *side) {
    lock_acquire(&side->lock);
    side_call_all_in_slow(side);
}

void side_lock_all(struct side *side) {
    side_enter_whole(side);
    for (uint32_t i = 0; i < SHARDS; i++)
        lock_acquire(&side->shards[i].lock);
}

void side_unlock_all(struct side *side) {
    for (uint32_t i = 0; i < SHARDS; i++)
        lock_release(&side->shards[i].lock);
    lock_release(&side->lock);
}

/* --- one event on one tally, joint or apart ------------------------------------------------------------------- */

/* Apart: before a tally changes. Its first change in a window puts it on the list that side_settle will walk. */
static void touch(const struct side *side, struct shard *shard, uint32_t id) {
    struct side_tally *t = shard_tally(shard, id);
    if (t->window != side->window) {
        t->window = side->window;
        t->start = side_tally_live(t);
        t->next_touched = shard->touched;
        shard->touched = id;
    }
    if (t->window_epoch != side->window_epoch) {
        t->window_epoch = side->window_epoch;
        t->window_peak = side_tally_live(t);
    }
}

static void before_change(struct side *side, struct ledger *ledger, struct shard *shard, uint32_t id) {
    if (ledger != NULL) {
        side_tally_save(shard_tally(shard, id), ledger->epoch);
        return;
    }
    touch(side, shard, id);
    if (!shard->out) { /* else side_let_out has done all this */
        side->touched |= bit_of(side, shard);
        side->calm++;
        if (!side->pending) /* a store would be dear */
            side->pending = true;
    }
}

/* Before anything is lost: was the present value a new peak, of all (joint) or within the window (apart)? */
static void note_peak(struct side *side, struct ledger *ledger, const struct shard *shard) {
    if (ledger != NULL) {
        ledger_note_peak(ledger);
    } else if (!shard->out && side->current > side->window_top) {
        side->window_top = side->current;
        side->window_epoch++;
        side->calm = 0;
    }
}

/* A gain while others are out, which might reach what they have room for: they come in, and it is clear. */
static void make_room(struct side *side, int64_t bytes) {
    if (side->out == 0 || side->current + side->lent + bytes <= side->window_top)
        return;
    side_call_all_in_slow(side);
    side->calm = 0;
}

/* Joint: the ledger's limit is measured against what the side holds. */
static void hold(struct side *side, struct ledger *ledger, struct shard *shard, int64_t bytes) {
    if (ledger != NULL) {
        side->current += bytes;
        side->settled = side->window_top = side->current;
        ledger->limit -= bytes;
    } else if (shard->out) {
        shard->gained += bytes;
        assert(shard->gained <= shard->room);
    } else {
        make_room(side, bytes);
        shard->wanted = bytes < 0 ? -bytes : bytes;
        side->current += bytes;
    }
}

static void gain(struct side *side, struct ledger *ledger, struct shard *shard, uint32_t id, uint64_t bytes) {
    before_change(side, ledger, shard, id);
    hold(side, ledger, shard, (int64_t)bytes);
    pair_add(&shard_tally(shard, id)->total, bytes);
}

static void lose(struct side *side, struct ledger *ledger, struct shard *shard, uint32_t id, uint64_t bytes) {
    note_peak(side, ledger, shard);
    before_change(side, ledger, shard, id);
    hold(side, ledger, shard, -(int64_t)bytes);
    pair_add(&shard_tally(shard, id)->freed, bytes);
}

/* --- blocks --------------------------------------------------------------------------------------------------- */

/* While somebody measures: a block came. What it brings to the top is the window's matter where it came apart. */
static cold_path void measure_gain(struct side *side, const struct ledger *ledger, uint32_t domain,
                                   uintptr_t address, uint64_t bytes) {
    side->measuring.allocated += bytes;
    young_add(&side->measuring.young, domain, address, side->measuring.born);
    if (ledger != NULL && ledger->current + side->current > *side->measuring.top)
        *side->measuring.top = ledger->current + side->current;
}

static struct shard *begin_event(struct side *side, struct ledger *ledger, uintptr_t address) {
    struct shard *shard = side_shard(side, address);
    assert(lock_is_mine(shard->out ? &shard->lock : &side->lock));
    if (ledger != NULL && side->pending)
        side_settle_locked(side, ledger);
    return shard;
}

status side_put_locked(struct side *side, struct ledger *ledger, uint32_t domain, uintptr_t address,
                       uint64_t size, uint32_t node) {
    struct shard *shard = begin_event(side, ledger, address);
    status result = STATUS_OK;
    uint32_t id;
    if (unlikely(shard->count == 0))
        result = shard_begin(shard, side->account);
    if (result == STATUS_OK)
        result = shard_tally_of(shard, domain, node, ledger != NULL ? ledger->epoch : 0, &id);
    if (result == STATUS_OK)
        result = bigmap_reserve(&shard->blocks, size);
    if (result != STATUS_OK)
        return result;
    struct big *old = shard_find(shard, domain, address);
    if (old != NULL) {
        lose(side, ledger, shard, big_tally(old), big_size(&shard->blocks, old));
        bigmap_remove(&shard->blocks, old);
        (void)young_remove(&side->measuring.young, domain, address);
    }
    gain(side, ledger, shard, id, size);
    bigmap_put(&shard->blocks, side_key(address), size, id);
    if (unlikely(side->measuring.born != 0))
        measure_gain(side, ledger, domain, address, size);
    return STATUS_OK;
}

bool side_remove_locked(struct side *side, struct ledger *ledger, uint32_t domain, uintptr_t address) {
    struct shard *shard = begin_event(side, ledger, address);
    struct big *entry = shard_find(shard, domain, address);
    if (entry == NULL)
        return false;
    lose(side, ledger, shard, big_tally(entry), big_size(&shard->blocks, entry));
    bigmap_remove(&shard->blocks, entry);
    if (unlikely(side->measuring.born != 0))
        (void)young_remove(&side->measuring.young, domain, address);
    return true;
}

void side_lose_locked(struct side *side, struct ledger *ledger, uintptr_t address, uint32_t tally,
                      uint64_t size) {
    lose(side, ledger, begin_event(side, ledger, address), tally, size);
}

status side_move_locked(struct side *side, struct ledger *ledger, uint32_t domain, uintptr_t address,
                        uint32_t node) {
    struct shard *shard = begin_event(side, ledger, address);
    struct big *entry = shard_find(shard, domain, address);
    if (entry == NULL)
        return STATUS_OK;
    uint32_t from = big_tally(entry), to;
    status result = shard_tally_of(shard, domain, node, ledger != NULL ? ledger->epoch : 0, &to);
    if (result != STATUS_OK || from == to)
        return result;
    uint64_t size = big_size(&shard->blocks, entry);
    note_peak(side, ledger, shard);
    before_change(side, ledger, shard, from);
    before_change(side, ledger, shard, to);
    pair_subtract(&shard_tally(shard, from)->total, size);
    pair_add(&shard_tally(shard, to)->total, size);
    big_set_tally(entry, to);
    return STATUS_OK;
}

/* --- the whole ------------------------------------------------------------------------------------------------- */

/* The window ends: what its tallies of this shard held at the peak, which is new or as old as `epoch`. */
static void settle_shard(const struct side *side, struct shard *shard, const struct ledger *ledger,
                         bool new_peak, bool still_at_top) {
    for (uint32_t id = shard->touched; id != 0; id = shard_tally(shard, id)->next_touched) {
        struct side_tally *t = shard_tally(shard, id);
        if (new_peak) {
            bool saved = !still_at_top && t->window_epoch == side->window_epoch;
            t->peak = saved ? t->window_peak : side_tally_live(t);
        } else if (t->epoch != ledger->epoch) {
            t->peak = t->start;
        }
        t->epoch = ledger->epoch;
    }
    shard->touched = 0;
}

void side_settle_locked(struct side *side, struct ledger *ledger) {
    side_call_all_in_slow(side);
    int64_t peak = ledger->limit + side->settled;
    /* The ledger's events up to now come before the window; the window's top is at least what it began with, so it
     * covers a peak that the ledger alone has reached. */
    bool still_at_top = side->current > side->window_top;
    int64_t top = still_at_top ? side->current : side->window_top;
    if (side->measuring.top != NULL && ledger->current + top > *side->measuring.top)
        *side->measuring.top = ledger->current + top;
    bool new_peak = ledger->current + top > peak;
    if (new_peak) {
        peak = ledger->current + top;
        ledger_next_epoch(ledger);
    }
    for (; side->touched != 0; side->touched &= side->touched - 1)
        settle_shard(side, &side->shards[__builtin_ctzll(side->touched)], ledger, new_peak, still_at_top);
    side->window++;
    side->window_epoch++;
    side->settled = side->window_top = side->current;
    side->calm = 0;
    ledger->limit = peak - side->current;
    side->pending = false;
}

uint32_t side_renumber_locked(struct side *side, const uint32_t *nodes, uint32_t heir) {
    assert(lock_is_mine(&side->lock) && !side->pending);
    uint32_t count = 0;
    for (uint32_t i = 0; i < SHARDS; i++)
        count += shard_renumber(&side->shards[i], nodes, heir);
    return count;
}

bool side_check(const struct side *side) {
    int64_t live = 0, current = side->current, lent = 0;
    bool sound = young_check(&side->measuring.young) && (side->out == 0 || side->pending);
    for (uint32_t i = 0; i < SHARDS && sound; i++) {
        const struct shard *shard = &side->shards[i];
        sound = shard_check(shard, &live) && shard->out == (side->out >> i & 1) &&
                (!shard->out || shard->gained <= shard->room);
        current += shard->out ? shard->gained : 0;
        lent += shard->out ? shard->room : 0;
    }
    return sound && live == current && lent == side->lent &&
           (side->out == 0 || side->current + lent <= side->window_top);
}
