/* tracer_world: a tracer, a plain array of the blocks that it should know, and the log of all events beside
 * it.
 *
 *   who (peak_model.h):  0 .. NODES - 1          call paths of the main partition
 *                        NODES * (1 + domain) + n  those of the side partition
 *                        FORGOTTEN, FORGOTTEN + 1 + domain  what was forgotten of these
 *
 * Every call is made on both. A call may find no memory: then the tracer says so (a status, or `lost`), and
 * the model follows. One thread, which plays the others: an apart event is one that does not look at the
 * ledger.
 */
#ifndef MEMTALLY_TEST_TRACER_WORLD_H
#define MEMTALLY_TEST_TRACER_WORLD_H

#include "peak_model.h"

#include "tracer.h"

enum { NODES = 10, DOMAINS = 3, BLOCKS = 300, MAIN_DOMAIN = UINT16_MAX };
enum { FORGOTTEN = NODES * (1 + DOMAINS) };

struct block {
    uintptr_t address;
    uint64_t size;
    uint32_t domain; /* MAIN_DOMAIN: in the main partition */
    uint32_t who;
    bool traced; /* else only watched */
    bool watched;
};

struct world {
    struct tracer tracer;
    struct peak_log log;
    struct block blocks[BLOCKS];
    uint32_t count;
    uint32_t nodes[NODES];
    struct block taken_block;
    struct taken taken; /* run 0: nothing is */
    uint32_t generation;
    uint64_t random;
    struct vmem snapshots;
};

static inline uint32_t below(struct world *world, uint32_t end) { return support_below(&world->random, end); }

/* The number of a node in `nodes`. */
static inline uint32_t node_index(const struct world *world, uint32_t node) {
    uint32_t i = 0;
    while (i < NODES && world->nodes[i] != node)
        i++;
    assert_true(i < NODES);
    return i;
}

static inline void world_forget(struct world *world) {
    peak_forget(&world->log);
    world->count = 0;
    world->generation = world->tracer.generation;
}

static inline status world_nodes(struct world *world) {
    struct callpaths *paths = world->tracer.paths;
    uint32_t site, parent = 0;
    status result = STATUS_OK;
    lock_acquire(&paths->lock);
    for (uint32_t i = 0; i < NODES && result == STATUS_OK; i++) { /* the same each time, whatever the tree */
        result = site_intern_locked(paths, &(struct site){0, 0, i + 1}, &site);
        if (result == STATUS_OK)
            result = node_intern_locked(paths, parent, site,
                                        i == NODES - 1 ? 70000 : node_get(paths, parent)->depth + 1,
                                        &world->nodes[i]);
        parent = i % 3 == 0 || i == NODES - 2 ? 0 : world->nodes[i];
    }
    lock_release(&paths->lock);
    return result;
}

static inline status world_start(struct world *world, uint32_t frames) {
    status result = tracer_start(&world->tracer, frames);
    if (result == STATUS_OK && (result = world_nodes(world)) != STATUS_OK)
        tracer_stop(&world->tracer);
    world_forget(world);
    return result;
}

static inline void world_init(struct world *world, uint64_t seed) {
    memset(world, 0, sizeof *world);
    world->random = seed;
    tracer_init(&world->tracer);
}

/* How many blocks the side has. */
static inline size_t side_blocks(const struct world *world) {
    size_t count = 0;
    for (uint32_t i = 0; i < SHARDS; i++)
        count += world->tracer.side.shards[i].blocks.count;
    return count;
}

static inline void world_end(struct world *world) {
    tracer_stop(&world->tracer);
    world_forget(world);
    assert_int_equal(vmem_bytes(&world->tracer.memory), 0);
    assert_int_equal(vmem_bytes(&world->snapshots), 0);
}

static inline uint32_t find_block(const struct world *world, uint32_t domain, uintptr_t address) {
    uint32_t i = 0;
    while (i < world->count && (world->blocks[i].domain != domain || world->blocks[i].address != address))
        i++;
    return i;
}

/* A window that opened or closed in the call just made was judged before the call's own event. */
static inline void log_window(struct world *world, bool was_pending) {
    if (world->tracer.side.pending != was_pending)
        peak_add(&world->log, PEAK_JUDGE, 0, 0, 0);
}

static inline void log_gain(struct world *world, struct block block) {
    peak_add(&world->log, PEAK_GAIN, block.who, 0, block.size);
    world->blocks[world->count++] = block;
}

static inline void log_end(struct world *world, uint32_t i) {
    struct block block = world->blocks[i];
    if (block.traced)
        peak_add(&world->log, PEAK_LOSE, block.who, 0, block.size);
    if (block.watched)
        world->generation++;
    world->blocks[i] = world->blocks[--world->count];
}

#endif
