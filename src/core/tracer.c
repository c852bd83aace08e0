/* tracer: slow ways, the two partitions together, start and stop (tracer.h). Under the main GIL but for the calls
 * on the side partition, which any thread may make. */
#include "blocks.h"
#include "rest.h"

#include <string.h>

/* --- start, stop, clear ----------------------------------------------------------------------------------------- */

#define MOST_NODE_WORDS (((size_t)TALLY_MASK + 1) * sizeof(uint32_t))

static status init_named(struct tracer *tracer) {
    struct callpaths *paths = tracer->paths;
    lock_acquire(&paths->lock);
    status result = path_named_locked(paths, PATH_UNKNOWN, &tracer->unknown_node);
    if (result == STATUS_OK)
        result = path_named_locked(paths, PATH_FORGOTTEN, &tracer->forgotten_node);
    lock_release(&paths->lock);
    if (result == STATUS_OK)
        result = tracer_tally_of(tracer, tracer->unknown_node, &tracer->unknown);
    uint32_t forgotten; /* it always has one, so that a collection needs none */
    return result == STATUS_OK ? tracer_tally_of(tracer, tracer->forgotten_node, &forgotten) : result;
}

/* Everything of the main partition but the call tree. */
static status init_tables(struct tracer *tracer) {
    struct vmem *memory = &tracer->memory;
    young_init(&tracer->measures.young, memory);
    status result = mirrors_init(&tracer->mirrors, memory);
    if (result == STATUS_OK)
        result = chain_init(&tracer->chain, memory);
    if (result == STATUS_OK)
        result = ledger_init(&tracer->ledger, memory);
    if (result == STATUS_OK)
        result = addrmap_init(&tracer->map, memory);
    tracer->map.magazines = &tracer->magazines;
    if (result == STATUS_OK)
        result = bigmap_init(&tracer->big, memory);
    if (result == STATUS_OK)
        result = codemap_init(&tracer->codes, memory);
    if (result == STATUS_OK)
        result = region_init(&tracer->node_words, memory, MOST_NODE_WORDS);
    if (result == STATUS_OK)
        result = disowned_init(&tracer->disowned, memory);
    if (result == STATUS_OK && (tracer->cache = vmem_map(memory, CACHE_BYTES)) == NULL)
        result = STATUS_NOMEM;
    tracer->generation = 1; /* an empty step has 0 */
    tracer->rest_above = REST_LEAST;
    tracer->strays = false;
    return result == STATUS_OK ? init_named(tracer) : result;
}

static void fini_tables(struct tracer *tracer) {
    mirrors_fini(&tracer->mirrors);
    chain_fini(&tracer->chain);
    ledger_fini(&tracer->ledger);
    addrmap_fini(&tracer->map);
    magazines_forget_all(&tracer->magazines);
    bigmap_fini(&tracer->big);
    codemap_fini(&tracer->codes);
    region_fini(&tracer->node_words);
    disowned_fini(&tracer->disowned);
    vmem_unmap(&tracer->memory, tracer->cache, CACHE_BYTES);
    tracer->cache = NULL;
}

static void set_fast_thread(struct tracer *tracer, const void *thread) {
    assert(lock_is_mine(&tracer->side.lock));
    __atomic_store_n(&tracer->entered, thread, __ATOMIC_RELEASE);
    __atomic_store_n(&tracer->fast_thread, tracer_is_measured(tracer) ? NO_THREAD : thread, __ATOMIC_RELEASE);
}

void tracer_choose_way(struct tracer *tracer) { set_fast_thread(tracer, tracer->entered); }

void tracer_init(struct tracer *tracer) {
    memset(tracer, 0, sizeof *tracer);
    side_init_locks(&tracer->side);
    magazines_init(&tracer->magazines);
    tracer->fast_thread = tracer->entered = NO_THREAD;
    tracer->collect_least = COLLECT_LEAST;
}

static void stop_locked(struct tracer *tracer) {
    tracer->active = false;
    set_fast_thread(tracer, NO_THREAD);
    measures_break_locked(tracer);
    fini_tables(tracer);
    side_fini(&tracer->side);
    callpaths_release(tracer->paths);
    tracer->paths = NULL;
}

status tracer_start(struct tracer *tracer, uint32_t frames) {
    assert(!tracer->active && frames >= 1);
    side_enter_whole(&tracer->side);
    tracer->frames = frames;
    tracer->may_mark = true;
    tracer->lost = tracer->forgotten = 0;
    tracer->collect_above = tracer->collect_least;
    tracer->run++;
    tracer->paths = callpaths_new(&tracer->memory);
    status result = tracer->paths != NULL ? init_tables(tracer) : STATUS_NOMEM;
    side_init(&tracer->side, &tracer->memory);
    if (result == STATUS_OK)
        tracer->active = true;
    else
        stop_locked(tracer);
    lock_release(&tracer->side.lock);
    return result;
}

void tracer_stop(struct tracer *tracer) {
    side_enter_whole(&tracer->side);
    if (tracer->active)
        stop_locked(tracer);
    lock_release(&tracer->side.lock);
}

status tracer_clear(struct tracer *tracer) {
    side_enter_whole(&tracer->side);
    set_fast_thread(tracer, NO_THREAD);
    measures_break_locked(tracer);
    tracer->run++;
    fini_tables(tracer);
    side_fini(&tracer->side);
    side_init(&tracer->side, &tracer->memory);
    status result = init_tables(tracer);
    if (result != STATUS_OK)
        stop_locked(tracer);
    lock_release(&tracer->side.lock);
    return result;
}

status tracer_enter(struct tracer *tracer, const void *thread) {
    status result = mirrors_switch(&tracer->mirrors, thread);
    lock_acquire(&tracer->side.lock);
    tracer_settle_locked(tracer);
    set_fast_thread(tracer, result == STATUS_OK ? thread : NO_THREAD);
    lock_release(&tracer->side.lock);
    return result;
}

void tracer_leave(struct tracer *tracer) {
    lock_acquire(&tracer->side.lock);
    set_fast_thread(tracer, NO_THREAD);
    lock_release(&tracer->side.lock);
}

void tracer_count_lost(struct tracer *tracer) {
    __atomic_fetch_add((uint64_t *)&tracer->lost, 1, __ATOMIC_RELAXED);
}

/* --- the main partition ----------------------------------------------------------------------------------------- */

status tracer_tally_of(struct tracer *tracer, uint32_t node, uint32_t *tally) {
    status result = region_grow(&tracer->node_words, ((size_t)node + 1) * sizeof(uint32_t));
    if (result != STATUS_OK)
        return result;
    uint32_t *word = rest_word(tracer, node);
    *tally = tally_of_word(*word);
    if (*tally != 0)
        return STATUS_OK;
    result = ledger_add(&tracer->ledger, node, tally);
    if (result != STATUS_OK)
        return result;
    ledger_inherit(&tracer->ledger, *tally, history_of_word(*word));
    *word = IN_LEDGER | *tally;
    return STATUS_OK;
}

void tracer_release(struct tracer *tracer, uintptr_t start, uintptr_t end) {
    if (tracer->active)
        addrmap_release(&tracer->map, start, end);
}

/* An entry of the bigmap ends, and with it what we know of the code object that it may have been. */
static void end_big(struct tracer *tracer, uintptr_t address, struct big *entry) {
    if (entry->key & BIG_WATCHED) {
        codemap_forget(&tracer->codes, address);
        tracer->generation++;
    }
    if (big_tally(entry) != 0)
        ledger_lose_big(&tracer->ledger, big_tally(entry), big_size(&tracer->big, entry));
    bigmap_remove(&tracer->big, entry);
}

static struct big *find_big(const struct tracer *tracer, uintptr_t address) {
    return addrmap_may_refuse(&tracer->map, address) ? bigmap_find(&tracer->big, address) : NULL;
}

out_of_line bool tracer_remove_slow(struct tracer *tracer, uintptr_t address) {
    if (tracer_is_measured(tracer))
        measure_remove(tracer, address);
    struct page *page;
    uint32_t *slot = tracer_record(tracer, address, &page);
    if (slot != NULL) {
        tracer_drop(tracer, page, slot);
        return true;
    }
    struct big *entry = find_big(tracer, address);
    if (entry != NULL)
        end_big(tracer, address, entry);
    return entry != NULL;
}

/* A new block is here. A ghost may be there: a block whose end was not seen, hooks having been taken away for a while, or
 * an extension not having told of it. `alike`: its record may be put into a slot. */
static void put_block(struct tracer *tracer, uintptr_t address, size_t size, uint32_t tally, bool alike) {
    if (!tracer_remove_slow(tracer, address) && tracer->strays)
        (void)tracer_side_remove(tracer, true, DOMAIN_PYTHON, address);
    uint32_t *slot = NULL;
    status result = alike ? addrmap_learn(&tracer->map, address, size, &slot)
                          : addrmap_refuse(&tracer->map, address);
    if (result == STATUS_OK && slot == NULL)
        result = bigmap_reserve(&tracer->big, size);
    if (result != STATUS_OK) {
        tracer_count_lost(tracer);
        return;
    }
    ledger_gain_big(&tracer->ledger, tally, size);
    if (slot != NULL)
        *slot = slot_make(tally, (uint32_t)-size & 15);
    else
        bigmap_put(&tracer->big, big_key(address), size, tally);
}

out_of_line void tracer_put_slow(struct tracer *tracer, uintptr_t address, size_t size, uint32_t tally) {
    put_block(tracer, address, size, tally, true);
}

void tracer_put_stranger(struct tracer *tracer, uintptr_t address, size_t size, uint32_t tally) {
    put_block(tracer, address, size, tally, false);
}

out_of_line bool tracer_move_slow(struct tracer *tracer, uintptr_t address, uint32_t tally) {
    struct page *page;
    uint32_t *slot = tracer_record(tracer, address, &page);
    if (slot != NULL) {
        tracer_move(tracer, page->stride, slot, tally);
        return true;
    }
    struct big *entry = find_big(tracer, address);
    if (entry == NULL || big_tally(entry) == 0)
        return false;
    if (big_tally(entry) != tally) {
        ledger_move_big(&tracer->ledger, big_tally(entry), tally, big_size(&tracer->big, entry));
        big_set_tally(entry, tally);
    }
    return true;
}

bool tracer_find(const struct tracer *tracer, uintptr_t address, uint64_t *size, uint32_t *tally) {
    struct page *page;
    const uint32_t *slot = tracer_record(tracer, address, &page);
    if (slot != NULL) {
        *size = slot_size(page->stride, *slot);
        *tally = slot_tally(*slot);
        return true;
    }
    const struct big *entry = find_big(tracer, address);
    if (entry == NULL || big_tally(entry) == 0)
        return false;
    *size = big_size(&tracer->big, entry);
    *tally = big_tally(entry);
    return true;
}

/* A watched block lives in the bigmap, where its end takes the slow way; one not traced gets an entry of its own. */
status tracer_watch_code(struct tracer *tracer, uintptr_t code) {
    struct big *entry = find_big(tracer, code);
    if (entry != NULL) {
        entry->key |= BIG_WATCHED;
        return STATUS_OK;
    }
    struct page *page;
    uint32_t *slot = tracer_record(tracer, code, &page);
    uint32_t record = slot != NULL ? *slot : 0;
    uint32_t size = slot != NULL ? slot_size(page->stride, record) : 0;
    status result = bigmap_reserve(&tracer->big, size);
    if (result == STATUS_OK)
        result = addrmap_refuse(&tracer->map, code);
    if (result != STATUS_OK)
        return result;
    if (slot != NULL)
        *slot = 0;
    bigmap_put(&tracer->big, code | BIG_WATCHED, size, slot_tally(record));
    return STATUS_OK;
}

/* --- the side partition ------------------------------------------------------------------------------------------ */

/* Takes the lock for one event at this address that adds at most so many bytes; NULL, and none, while the tracer is not
 * active. */
static struct lock *begin_side_event(struct tracer *tracer, bool joint, uintptr_t address, uint64_t bytes) {
    struct lock *lock = side_enter(&tracer->side, joint, address, bytes);
    if (likely(tracer->active))
        return lock;
    lock_release(lock);
    return NULL;
}

/* An apart event opens a window: the main partition's next event must settle it first. Where the shard is out, the window
 * is open already. */
static void end_side_event(struct tracer *tracer, bool joint, struct lock *lock, uintptr_t address) {
    if (!joint && lock == &tracer->side.lock)
        set_fast_thread(tracer, NO_THREAD);
    side_leave(&tracer->side, lock, address);
}

static struct ledger *ledger_if(struct tracer *tracer, bool joint) { return joint ? &tracer->ledger : NULL; }

struct callpaths *tracer_borrow_paths(struct tracer *tracer, uintptr_t address) {
    struct lock *lock = begin_side_event(tracer, false, address, 0);
    if (lock == NULL)
        return NULL;
    struct callpaths *paths = tracer->paths;
    callpaths_retain(paths);
    lock_release(lock);
    return paths;
}

bool tracer_side_put(struct tracer *tracer, bool joint, uint64_t tree, uint32_t domain, uintptr_t address,
                     size_t size, uint32_t node) {
    struct lock *lock = begin_side_event(tracer, joint, address, size);
    if (lock == NULL)
        return true;
    bool ours = tree == tracer->paths->serial;
    if (ours &&
        side_put_locked(&tracer->side, ledger_if(tracer, joint), domain, address, size, node) != STATUS_OK)
        tracer_count_lost(tracer);
    end_side_event(tracer, joint || !ours, lock, address);
    return ours;
}

bool tracer_side_remove(struct tracer *tracer, bool joint, uint32_t domain, uintptr_t address) {
    struct lock *lock = begin_side_event(tracer, joint, address, 0);
    if (lock == NULL)
        return false;
    bool found = side_remove_locked(&tracer->side, ledger_if(tracer, joint), domain, address);
    end_side_event(tracer, joint || !found, lock, address);
    return found;
}

bool tracer_side_move(struct tracer *tracer, bool joint, uint64_t tree, uint32_t domain, uintptr_t address,
                      uint32_t node) {
    struct lock *lock = begin_side_event(tracer, joint, address, 0);
    if (lock == NULL)
        return true;
    bool ours = tree == tracer->paths->serial;
    if (ours && side_move_locked(&tracer->side, ledger_if(tracer, joint), domain, address, node) != STATUS_OK)
        tracer_count_lost(tracer);
    end_side_event(tracer, joint || !ours, lock, address);
    return ours;
}

struct taken tracer_side_take(struct tracer *tracer, uint32_t domain, uintptr_t address) {
    struct taken taken = {0};
    struct lock *lock = begin_side_event(tracer, false, address, 0);
    if (lock == NULL)
        return taken;
    struct side *side = &tracer->side;
    struct big *entry = side_find_locked(side, domain, address);
    if (entry != NULL) {
        struct bigmap *blocks = &side_shard(side, address)->blocks;
        taken = (struct taken){tracer->run, address, big_tally(entry), big_size(blocks, entry),
                               young_remove(&side->measuring.young, domain, address)};
        bigmap_remove(blocks, entry);
    }
    lock_release(lock);
    return taken;
}

/* False where it finds no memory. */
static bool put_back_locked(struct tracer *tracer, const struct taken *taken) {
    struct side *side = &tracer->side;
    struct shard *shard = side_shard(side, taken->address);
    if (bigmap_reserve(&shard->blocks, taken->size) != STATUS_OK)
        return false;
    bigmap_put(&shard->blocks, side_key(taken->address), taken->size, taken->tally);
    if (taken->born != 0 && side->measuring.born != 0)
        young_add(&side->measuring.young, shard_tally(shard, taken->tally)->domain, taken->address,
                  taken->born);
    return true;
}

void tracer_side_put_back(struct tracer *tracer, bool joint, struct taken taken) {
    struct lock *lock = taken.run != 0 ? begin_side_event(tracer, joint, taken.address, 0) : NULL;
    if (lock == NULL)
        return;
    if (taken.run == tracer->run && !put_back_locked(tracer, &taken)) {
        side_lose_locked(&tracer->side, ledger_if(tracer, joint), taken.address, taken.tally, taken.size);
        tracer_count_lost(tracer);
    }
    end_side_event(tracer, joint, lock, taken.address);
}

void tracer_side_forget(struct tracer *tracer, bool joint, struct taken taken) {
    struct lock *lock = taken.run != 0 ? begin_side_event(tracer, joint, taken.address, 0) : NULL;
    if (lock == NULL)
        return;
    if (taken.run == tracer->run)
        side_lose_locked(&tracer->side, ledger_if(tracer, joint), taken.address, taken.tally, taken.size);
    end_side_event(tracer, joint, lock, taken.address);
}

/* --- what users ask for ------------------------------------------------------------------------------------------ */

void tracer_memory(struct tracer *tracer, uint64_t *current, uint64_t *peak) {
    struct ledger *ledger = &tracer->ledger;
    lock_acquire(&tracer->side.lock);
    tracer_settle_locked(tracer);
    int64_t top = ledger->current > ledger->limit ? ledger->current : ledger->limit;
    *current = (uint64_t)(ledger->current + tracer->side.current);
    *peak = (uint64_t)(top + tracer->side.current);
    lock_release(&tracer->side.lock);
}

void tracer_reset_peak(struct tracer *tracer) {
    lock_acquire(&tracer->side.lock);
    tracer_settle_locked(tracer);
    tracer->ledger.limit = tracer->ledger.current;
    ledger_next_epoch(&tracer->ledger);
    lock_release(&tracer->side.lock);
}

struct sum {
    uint64_t blocks;
    int64_t bytes;
};

static status add_page(void *context, uintptr_t start, const struct page *page, uint32_t count) {
    struct sum *sum = context;
    (void)start;
    for (uint32_t i = 0; i < count; i++) {
        if (page->slots[i] != 0) {
            sum->blocks++;
            sum->bytes += slot_size(page->stride, page->slots[i]);
        }
    }
    return STATUS_OK;
}

bool tracer_check(const struct tracer *tracer) {
    struct sum records = {0}, counters = {0};
    if (addrmap_each(&tracer->map, add_page, &records) != STATUS_OK)
        return false;
    for (size_t i = 0; i < tracer->big.capacity; i++) {
        const struct big *entry = &tracer->big.entries[i];
        if (entry->key != 0 && big_tally(entry) != 0) {
            records.blocks++;
            records.bytes += (int64_t)big_size(&tracer->big, entry);
        }
    }
    for (uint32_t id = 1; id < tracer->ledger.count; id++) {
        pair live = ledger_live(&tracer->ledger, id);
        counters.bytes += (int64_t)live.bytes;
        counters.blocks += live.blocks;
    }
    return records.blocks == counters.blocks && records.bytes == counters.bytes &&
           records.bytes == tracer->ledger.current && addrmap_check(&tracer->map) &&
           bigmap_check(&tracer->big) && young_check(&tracer->measures.young) &&
           magazines_check(&tracer->magazines) && codemap_check(&tracer->codes) &&
           side_check(&tracer->side) && callpaths_check(tracer->paths) && rest_check(tracer);
}
