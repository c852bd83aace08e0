/* tracer_events: each call of tracer.h on blocks, made on the tracer and on the model of tracer_world.h
 * alike. One thread.
 */
#ifndef MEMTALLY_TEST_TRACER_EVENTS_H
#define MEMTALLY_TEST_TRACER_EVENTS_H

#include "tracer_world.h"

#include "blocks.h"
#include "collect.h"
#include "freeze.h"
#include "rest.h"

/* --- the main partition -------------------------------------------------------------------------------- */

/* As the hooks do before they touch it. */
static inline bool enter(struct world *world) {
    static const char thread;
    bool pending = world->tracer.side.pending;
    status result = STATUS_OK;
    if (world->tracer.fast_thread != &thread)
        result = tracer_enter(&world->tracer, &thread);
    log_window(world, pending);
    assert_false(world->tracer.side.pending);
    return result == STATUS_OK;
}

static inline bool in_a_slot(const struct world *world, uintptr_t address) {
    const struct page *page = addrmap_page(&world->tracer.map, address);
    const uint32_t *slot = page != NULL ? page_slot(page, address) : NULL;
    return slot != NULL && *slot != 0;
}

static inline void main_remove(struct world *world, uintptr_t address) {
    uint32_t i = find_block(world, MAIN_DOMAIN, address);
    if (!enter(world))
        return;
    const struct page *page;
    uint32_t *slot = tracer_record_near(&world->tracer, address, &page);
    bool found = slot != NULL || tracer_remove_slow(&world->tracer, address);
    if (slot != NULL)
        (void)tracer_keep(&world->tracer, page, slot, address);
    assert_int_equal(found, i < world->count);
    if (found)
        log_end(world, i);
    assert_int_equal(world->tracer.generation, world->generation);
}

/* The allocator below has blocks that are kept, so it gives them to nobody. */
static inline bool is_kept(const struct world *world, uintptr_t address) {
    const struct magazines *magazines = &world->tracer.magazines;
    for (uint32_t class = 1; class < CLASS_COUNT; class ++) {
        const struct round *round = magazines->is_open ? magazines->tops[class] : magazines->resting[class];
        for (; round->block != 0; round--) {
            if (round->block == address)
                return true;
        }
    }
    return false;
}

static inline void give_nowhere(void *context, uintptr_t block) {
    (void)context;
    (void)block;
}

/* A kept block where there is one of this size. */
static inline bool main_put_kept(struct world *world, uint64_t size, uint32_t who) {
    uint32_t tally;
    if (!enter(world) || tracer_tally_of(&world->tracer, world->nodes[who], &tally) != STATUS_OK)
        return true;
    struct round *top = magazine_top(&world->tracer.magazines, (size_t)size);
    if (top == NULL)
        return false;
    struct round kept = magazine_take(&world->tracer.magazines, top, (size_t)size);
    uintptr_t address = kept.block;
    uint64_t lost = world->tracer.lost;
    if (!tracer_put_kept(&world->tracer, kept.slot, (size_t)size, tally))
        tracer_put_slow(&world->tracer, address, (size_t)size, tally);
    if (world->tracer.lost == lost)
        log_gain(world, (struct block){address, size, MAIN_DOMAIN, who, true, false});
    return true;
}

/* A block whose end was not seen may be there, but for one that is in the bigmap: who watches must see all.
 */
static inline void main_put(struct world *world, uintptr_t address, uint64_t size, uint32_t who) {
    if (main_put_kept(world, size, who) || is_kept(world, address))
        return;
    uint32_t old = find_block(world, MAIN_DOMAIN, address), tally;
    if (old < world->count && !in_a_slot(world, address))
        main_remove(world, address);
    if (!enter(world) || tracer_tally_of(&world->tracer, world->nodes[who], &tally) != STATUS_OK)
        return;
    old = find_block(world, MAIN_DOMAIN, address);
    uint64_t lost = world->tracer.lost;
    tracer_put(&world->tracer, address, (size_t)size, tally);
    if (old < world->count)
        log_end(world, old);
    if (world->tracer.lost == lost)
        log_gain(world, (struct block){address, size, MAIN_DOMAIN, who, true, false});
}

static inline void main_move(struct world *world, uintptr_t address, uint32_t who) {
    uint32_t i = find_block(world, MAIN_DOMAIN, address), tally;
    if (!enter(world) || tracer_tally_of(&world->tracer, world->nodes[who], &tally) != STATUS_OK)
        return;
    bool found = tracer_move_slow(&world->tracer, address, tally);
    assert_int_equal(found, i < world->count && world->blocks[i].traced);
    if (found && world->blocks[i].who != who) {
        peak_add(&world->log, PEAK_MOVE, world->blocks[i].who, who, world->blocks[i].size);
        world->blocks[i].who = who;
    }
}

static inline void main_watch(struct world *world, uintptr_t address) {
    uint32_t i = find_block(world, MAIN_DOMAIN, address);
    if (!enter(world) || tracer_watch_code(&world->tracer, address) != STATUS_OK)
        return;
    if (i == world->count)
        world->blocks[world->count++] = (struct block){.address = address, .domain = MAIN_DOMAIN};
    world->blocks[i].watched = true;
}

/* --- the side partition -------------------------------------------------------------------------------- */

static inline uint32_t side_who(uint32_t domain, uint32_t n) { return NODES * (1 + domain) + n; }

static inline void side_put(struct world *world, bool joint, uint32_t domain, uintptr_t address,
                            uint64_t size, uint32_t n) {
    struct tracer *tracer = &world->tracer;
    uint64_t lost = tracer->lost;
    bool pending = tracer->side.pending;
    assert_true(tracer_side_put(tracer, joint, tracer->paths->serial, domain, address, (size_t)size,
                                world->nodes[n]));
    log_window(world, pending);
    assert_true(joint || tracer->fast_thread == NO_THREAD);
    if (tracer->lost != lost)
        return;
    uint32_t old = find_block(world, domain, address);
    if (old < world->count)
        log_end(world, old);
    log_gain(world, (struct block){address, size, domain, side_who(domain, n), true, false});
}

static inline void side_remove(struct world *world, bool joint, uint32_t domain, uintptr_t address) {
    uint32_t i = find_block(world, domain, address);
    bool pending = world->tracer.side.pending;
    bool found = tracer_side_remove(&world->tracer, joint, domain, address);
    log_window(world, pending);
    assert_int_equal(found, i < world->count);
    if (found)
        log_end(world, i);
}

static inline void side_move(struct world *world, bool joint, uint32_t domain, uintptr_t address,
                             uint32_t n) {
    struct tracer *tracer = &world->tracer;
    uint32_t i = find_block(world, domain, address), to = side_who(domain, n);
    uint64_t lost = tracer->lost;
    bool pending = tracer->side.pending;
    assert_true(tracer_side_move(tracer, joint, tracer->paths->serial, domain, address, world->nodes[n]));
    log_window(world, pending);
    if (tracer->lost != lost || i == world->count || world->blocks[i].who == to)
        return;
    peak_add(&world->log, PEAK_MOVE, world->blocks[i].who, to, world->blocks[i].size);
    world->blocks[i].who = to;
}

/* Takes a block's record out, as a realloc does before it calls the allocator. */
static inline void side_take(struct world *world, uint32_t domain, uintptr_t address) {
    uint32_t i = find_block(world, domain, address);
    assert_int_equal(world->taken.run, 0);
    world->taken = tracer_side_take(&world->tracer, domain, address);
    assert_int_equal(world->taken.run != 0, i < world->count);
    if (i == world->count)
        return;
    assert_int_equal(world->taken.size, world->blocks[i].size);
    world->taken_block = world->blocks[i];
    world->blocks[i] = world->blocks[--world->count];
}

/* The realloc is done: it failed, so the record goes back (`back`), or the block is gone. */
static inline void side_taken_ends(struct world *world, bool joint, bool back) {
    struct tracer *tracer = &world->tracer;
    struct block block = world->taken_block;
    bool ours = world->taken.run == tracer->run && tracer->active, pending = tracer->side.pending;
    uint64_t lost = tracer->lost;
    if (back && find_block(world, block.domain, block.address) == world->count)
        tracer_side_put_back(tracer, joint, world->taken);
    else
        tracer_side_forget(tracer, joint, world->taken), back = false;
    world->taken.run = 0;
    if (!ours)
        return;
    log_window(world, pending);
    if (back && tracer->lost == lost)
        world->blocks[world->count++] = block;
    else
        peak_add(&world->log, PEAK_LOSE, block.who, 0, block.size);
}

/* --- a collection -------------------------------------------------------------------------------------- */

/* A path stays, and with it those that it begins with, whose blocks are live or were at the peak. */
static inline void log_forgotten(struct world *world) {
    static struct peak_result now;
    bool stays[NODES] = {false};
    peak_replay(&world->log, &now);
    for (uint32_t who = 0; who < FORGOTTEN; who++) {
        uint32_t node = world->nodes[who % NODES];
        if (now.live[who].blocks == 0 && now.at_peak[who].blocks == 0)
            continue;
        for (; node != 0; node = node_get(world->tracer.paths, node)->parent)
            stays[node_index(world, node)] = true;
    }
    for (uint32_t who = 0; who < FORGOTTEN; who++) {
        if (!stays[who % NODES])
            peak_add(&world->log, PEAK_FORGET, who, FORGOTTEN + who / NODES, 0);
    }
}

/* What idle paths have allocated is still known, and what the others hold. */
static inline void come_to_rest(struct world *world) {
    tracer_rest(&world->tracer);
    peak_add(&world->log, PEAK_JUDGE, 0, 0, 0);
}

/* Keeps all history, or none. The nodes of the world have new ids afterwards: that needs memory, and gets it. */
static inline void collect(struct world *world, bool keep) {
    status result = tracer_collect(&world->tracer, keep ? SIZE_MAX : 0);
    peak_add(&world->log, PEAK_JUDGE, 0, 0, 0);
    if (result != STATUS_OK)
        return;
    size_t failing = support_fail_at;
    support_fail_at = 0;
    assert_int_equal(world_nodes(world), STATUS_OK);
    support_fail_at = failing;
    if (!keep)
        log_forgotten(world);
}

#endif
