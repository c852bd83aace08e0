/* Measurements that overlap in any way, of both partitions, against the plain sequence of what was traced. */
#include "support.h"

#include "blocks.h"
#include "kept.h"

enum { MEASURES = 6, BLOCKS = 120, PLACES = 400, STEPS = 3000 };

struct block {
    uint32_t domain;
    uintptr_t address;
    uint64_t size;
    bool main;
    uint64_t born; /* number of the step */
};

struct model {
    bool on;
    uint64_t began; /* number of the step */
    int64_t start, top;
    uint64_t allocated;
};

struct world {
    struct tracer tracer;
    struct measure measures[MEASURES];
    struct model models[MEASURES];
    struct block blocks[BLOCKS];
    uint32_t count;
    uint32_t node, tally;
    int64_t traced;
    uint64_t step;
    uint64_t random;
    struct vmem account;
};

static const char thread;

static uint32_t below(struct world *world, uint32_t end) { return support_below(&world->random, end); }

static void enter(struct world *world) {
    if (world->tracer.entered != &thread)
        assert_int_equal(tracer_enter(&world->tracer, &thread), STATUS_OK);
    assert_true(world->tracer.entered == &thread);
    assert_int_equal(world->tracer.fast_thread == &thread, !tracer_is_measured(&world->tracer));
}

static void start(struct world *world, uint64_t seed) {
    memset(world, 0, sizeof *world);
    world->random = seed;
    tracer_init(&world->tracer);
    assert_int_equal(tracer_start(&world->tracer, 25), STATUS_OK);
    world->node = world->tracer.unknown_node;
    world->tally = world->tracer.unknown;
}

static void end(struct world *world) {
    tracer_stop(&world->tracer);
    assert_int_equal(vmem_bytes(&world->tracer.memory), 0);
    assert_int_equal(vmem_bytes(&world->account), 0);
}

static uint32_t find(const struct world *world, struct block wanted) {
    uint32_t i = 0;
    while (i < world->count &&
           (world->blocks[i].domain != wanted.domain || world->blocks[i].address != wanted.address))
        i++;
    return i;
}

/* --- events, on both ------------------------------------------------------------------------------------ */

static void came(struct world *world, struct block block) {
    block.born = world->step;
    world->blocks[world->count++] = block;
    world->traced += (int64_t)block.size;
    for (uint32_t i = 0; i < MEASURES; i++) {
        struct model *model = &world->models[i];
        model->allocated += block.size;
        model->top = world->traced > model->top ? world->traced : model->top;
    }
}

static void went(struct world *world, uint32_t i) {
    world->traced -= (int64_t)world->blocks[i].size;
    world->blocks[i] = world->blocks[--world->count];
}

static void put(struct world *world, struct block block, bool joint) {
    if (block.main) {
        enter(world);
        tracer_put(&world->tracer, block.address, block.size, world->tally);
        if (tracer_is_measured(&world->tracer))
            measure_put(&world->tracer, block.address, block.size);
    } else {
        assert_true(tracer_side_put(&world->tracer, joint, world->tracer.paths->serial, block.domain,
                                    block.address, block.size, world->node));
    }
    came(world, block);
}

static void take_away(struct world *world, uint32_t i, bool joint) {
    struct block block = world->blocks[i];
    if (block.main) {
        enter(world);
        assert_true(tracer_remove_slow(&world->tracer, block.address));
        went(world, i);
    } else if (below(world, 3) != 0) {
        assert_true(tracer_side_remove(&world->tracer, joint, block.domain, block.address));
        went(world, i);
    } else { /* a resize */
        struct taken taken = tracer_side_take(&world->tracer, block.domain, block.address);
        assert_true(taken.run != 0);
        if (below(world, 2) != 0) {
            tracer_side_put_back(&world->tracer, joint, taken);
        } else {
            tracer_side_forget(&world->tracer, joint, taken);
            went(world, i);
        }
    }
}

static status sum(void *context, const struct kept_block *block) {
    *(uint64_t *)context += block->size;
    return STATUS_OK;
}

static void assert_as_model(struct world *world, uint32_t i) {
    const struct model *model = &world->models[i];
    struct measured figures;
    uint64_t kept = 0, expected = 0;
    assert_int_equal(measure_read(&world->tracer, &world->measures[i], &figures, sum, &kept), STATUS_OK);
    for (uint32_t b = 0; b < world->count; b++)
        expected += world->blocks[b].born >= model->began ? world->blocks[b].size : 0;
    assert_int_equal(figures.peak, model->top - model->start);
    assert_int_equal(figures.allocated, model->allocated);
    assert_int_equal(figures.kept, expected);
    assert_int_equal(kept, expected);
}

static void measure(struct world *world, uint32_t i) {
    struct model *model = &world->models[i];
    if (model->on) {
        assert_as_model(world, i);
        measure_end(&world->tracer, &world->measures[i]);
        measure_end(&world->tracer, &world->measures[i]);
        model->on = false;
    } else {
        measure_begin(&world->tracer, &world->measures[i], NULL);
        *model = (struct model){true, world->step, world->traced, world->traced, 0};
    }
}

static struct block random_block(struct world *world) {
    struct block block = {.main = below(world, 2) != 0, .size = 1 + below(world, 300)};
    block.domain = block.main ? DOMAIN_PYTHON : below(world, 2);
    /* each partition its own addresses: they are the allocator's blocks */
    block.address = 0x10000u + (block.main ? 0 : 0x100000u) + below(world, PLACES) * 1024u;
    return block;
}

static void figures_are_those_of_the_sequence_of_events(void **state) {
    (void)state;
    static struct world world;
    for (uint64_t seed = 1; seed < 40; seed++) {
        start(&world, seed);
        for (world.step = 1; world.step < STEPS; world.step++) {
            bool joint = below(&world, 2) != 0;
            uint32_t what = below(&world, 100);
            struct block block = random_block(&world);
            uint32_t found = find(&world, block);
            if (what < 6)
                measure(&world, below(&world, MEASURES));
            else if (what < 8 && world.models[what - 6].on)
                assert_as_model(&world, what - 6);
            else if (what == 8)
                tracer_reset_peak(&world.tracer); /* none of a measurement's business */
            else if (found < world.count)
                take_away(&world, found, joint);
            else if (what < 60 && world.count < BLOCKS)
                put(&world, block, joint);
            else if (world.count > 0)
                take_away(&world, below(&world, world.count), joint);
            if (world.step % 64 == 0)
                assert_true(tracer_check(&world.tracer));
        }
        for (uint32_t i = 0; i < MEASURES; i++)
            if (world.models[i].on)
                measure(&world, i);
        assert_int_equal(world.tracer.measures.young.count, 0);
        assert_int_equal(world.tracer.side.measuring.young.count, 0);
        end(&world);
    }
}

static void the_peak_of_the_user_is_left_alone(void **state) {
    (void)state;
    static struct world world;
    uint64_t current, peak;
    start(&world, 1);
    put(&world, (struct block){.main = true, .address = 0x10000, .size = 100}, true);
    take_away(&world, 0, true);
    measure_begin(&world.tracer, &world.measures[0], NULL);
    put(&world, (struct block){.main = true, .address = 0x10400, .size = 40}, true);
    measure_end(&world.tracer, &world.measures[0]);
    tracer_memory(&world.tracer, &current, &peak);
    assert_int_equal(current, 40);
    assert_int_equal(peak, 100);
    end(&world);
}

static void stop_and_clear_break_measurements_off(void **state) {
    (void)state;
    static struct world world;
    struct measured figures;
    for (int stop = 0; stop < 2; stop++) {
        start(&world, 1);
        for (uint32_t i = 0; i < 3; i++)
            measure_begin(&world.tracer, &world.measures[i], NULL);
        put(&world, (struct block){.main = true, .address = 0x10000, .size = 100}, true);
        if (stop != 0)
            tracer_stop(&world.tracer);
        else
            assert_int_equal(tracer_clear(&world.tracer), STATUS_OK);
        assert_false(tracer_is_measured(&world.tracer));
        for (uint32_t i = 0; i < 3; i++) {
            assert_int_equal(measure_read(&world.tracer, &world.measures[i], &figures, NULL, NULL),
                             STATUS_INVALID);
            measure_end(&world.tracer, &world.measures[i]);
        }
        end(&world);
    }
}

static bool is_at_10000(uintptr_t address, uint64_t size) { return address == 0x10000 && size == 72; }

static void what_was_only_the_means_of_beginning_does_not_count(void **state) {
    (void)state;
    static struct world world;
    struct measured figures;
    start(&world, 1);
    put(&world, (struct block){.main = true, .address = 0x10000, .size = 72}, true);
    measure_begin(&world.tracer, &world.measures[0], is_at_10000);
    take_away(&world, 0, true);
    put(&world, (struct block){.main = true, .address = 0x10000, .size = 72}, true);
    take_away(&world, 0, true); /* later it is a block like any other */
    put(&world, (struct block){.main = true, .address = 0x10400, .size = 1000}, true);
    assert_int_equal(measure_read(&world.tracer, &world.measures[0], &figures, NULL, NULL), STATUS_OK);
    assert_int_equal(figures.peak, 1000);
    assert_int_equal(figures.allocated, 1072);
    assert_int_equal(figures.kept, 1000);
    measure_end(&world.tracer, &world.measures[0]);
    end(&world);
}

static status take_kept(void *context) {
    struct world *world = context;
    struct kept kept = {.count = 0};
    struct snapshot *snapshot = NULL;
    status result = STATUS_OK;
    kept_init(&kept, &world->account);
    for (uint32_t i = 0; i < 1000 && result == STATUS_OK; i++)
        result = kept_add(&kept, &(struct kept_block){i % 2, world->node, i % 5});
    kept.paths = world->tracer.paths;
    callpaths_retain(kept.paths);
    if (result == STATUS_OK)
        result = kept_snapshot(&kept, 25, &snapshot);
    if (result == STATUS_OK) {
        assert_int_equal(snapshot->entries, 1000);
        assert_in_range(snapshot->row_count, 10, 10 + KEPT_FEW);
        assert_true(snapshot_check(snapshot));
        snapshot_release(snapshot);
    }
    kept_fini(&kept);
    return result;
}

static void equal_blocks_are_one_row_and_every_request_may_fail(void **state) {
    (void)state;
    static struct world world;
    start(&world, 1);
    assert_true(support_sweep(&world.account, take_kept, &world) >= 4);
    end(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_those_of_the_sequence_of_events),
        cmocka_unit_test(the_peak_of_the_user_is_left_alone),
        cmocka_unit_test(stop_and_clear_break_measurements_off),
        cmocka_unit_test(what_was_only_the_means_of_beginning_does_not_count),
        cmocka_unit_test(equal_blocks_are_one_row_and_every_request_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
