/* The tracer's two partitions together against a plain array of blocks and the log of all events: puts,
 * removals, moves, watches, realloc's steps, questions, the three views, collections, clear, stop and start;
 * and without memory. */
#include "tracer_events.h"

/* --- comparison
 * -----------------------------------------------------------------------------------------------------------
 */

struct expected {
    uint32_t domain, node;
    uint64_t size, count;
};

struct expectation {
    struct expected rows[BLOCKS + PEAK_TALLIES];
    size_t count;
};

static void expect(struct expectation *all, uint32_t domain, uint32_t node, uint64_t size, uint64_t count) {
    size_t i = 0;
    while (i < all->count &&
           (all->rows[i].domain != domain || all->rows[i].node != node || all->rows[i].size != size))
        i++;
    if (i == all->count)
        all->rows[all->count++] = (struct expected){domain, node, size, 0};
    all->rows[i].count += count;
}

/* All the model knows under a view. The main partition's blocks are of the domain that the standard tracer
 * calls 0. */
static void expect_view(const struct world *world, enum view view, struct expectation *all) {
    static struct peak_result result;
    all->count = 0;
    if (view == VIEW_LIVE) {
        for (uint32_t i = 0; i < world->count; i++) {
            const struct block *block = &world->blocks[i];
            uint32_t domain = block->domain == MAIN_DOMAIN ? DOMAIN_PYTHON : block->domain;
            if (block->traced)
                expect(all, domain, world->nodes[block->who % NODES], block->size, 1);
        }
        return;
    }
    peak_replay(&world->log, &result);
    for (uint32_t who = 0; who < FORGOTTEN + 1 + DOMAINS; who++) {
        const struct peak_counters *value = view == VIEW_PEAK ? &result.at_peak[who] : &result.total[who];
        uint32_t partition = who < FORGOTTEN ? who / NODES : who - FORGOTTEN;
        uint32_t domain = partition == 0 ? DOMAIN_PYTHON : partition - 1;
        uint32_t node = who < FORGOTTEN ? world->nodes[who % NODES] : world->tracer.forgotten_node;
        if (value->blocks != 0)
            expect(all, domain, node, (uint64_t)value->bytes, (uint64_t)value->blocks);
    }
}

static void assert_view(struct world *world, enum view view) {
    static struct expectation all;
    struct snapshot *snapshot;
    bool pending = world->tracer.side.pending;
    status result = tracer_freeze(&world->tracer, &world->snapshots, view, &snapshot);
    log_window(world, pending);
    if (result != STATUS_OK) {
        assert_true(support_fail_at != 0);
        assert_null(snapshot);
        return;
    }
    if (view != VIEW_LIVE)
        peak_add(&world->log, PEAK_JUDGE, 0, 0, 0);
    expect_view(world, view, &all);
    assert_true(snapshot_check(snapshot));
    assert_int_equal(snapshot->view, view);
    assert_int_equal(snapshot->limit, world->tracer.frames);
    for (size_t i = 0; i < snapshot->row_count; i++) {
        const struct row *row = snapshot_row(snapshot, i);
        assert_int_equal(row->depth, node_get(snapshot->paths, row->node)->depth);
        bool known = false;
        for (size_t j = 0; j < all.count && !known; j++) {
            struct expected *e = &all.rows[j];
            known = e->domain == row->domain && e->node == row->node && e->size == row->size &&
                    e->count >= row->count;
            if (known)
                e->count -= row->count;
        }
        assert_true(known);
    }
    for (size_t j = 0; j < all.count; j++)
        assert_int_equal(all.rows[j].count, 0);
    snapshot_release(snapshot);
}

static void assert_memory(struct world *world) {
    uint64_t current, peak;
    bool pending = world->tracer.side.pending;
    static struct peak_result result;
    tracer_memory(&world->tracer, &current, &peak);
    log_window(world, pending);
    peak_replay(&world->log, &result);
    assert_int_equal(current, result.current);
    assert_int_equal(peak, peak_by_definition(&world->log));
}

static void assert_blocks(struct world *world) {
    for (uint32_t i = 0; i < world->count; i++) {
        const struct block *block = &world->blocks[i];
        uint64_t size;
        uint32_t tally;
        if (block->domain == MAIN_DOMAIN) {
            assert_int_equal(tracer_find(&world->tracer, block->address, &size, &tally), block->traced);
            if (!block->traced)
                continue;
            assert_int_equal(size, block->size);
            assert_int_equal(node_index(world, ledger_node(&world->tracer.ledger, tally)), block->who);
        }
        if (block->domain == MAIN_DOMAIN || block->domain == DOMAIN_PYTHON) {
            struct found found;
            assert_true(tracer_find_block(&world->tracer, true, DOMAIN_PYTHON, block->address, &found));
            assert_int_equal(node_index(world, found.node), block->who % NODES);
            callpaths_release(found.paths);
        }
    }
}

static void assert_as_model(struct world *world) {
    if (!world->tracer.active)
        return;
    assert_memory(world);
    assert_view(world, VIEW_PEAK);
    assert_view(world, VIEW_TOTAL);
    if (world->taken.run != 0)
        return;
    assert_view(world, VIEW_LIVE);
    assert_blocks(world);
    assert_true(tracer_check(&world->tracer));
}

/* --- random events ------------------------------------------------------------------------------------- */

static uint64_t random_size(struct world *world) {
    uint32_t kind = below(world, 20);
    return kind == 0   ? 0
           : kind == 1 ? UINT64_C(3) << 36
           : kind < 5  ? 500 + below(world, 100)
                       : 1 + below(world, 64);
}

/* Pages of one class, of several, odd addresses, addresses beyond 48 bits. */
static uintptr_t main_address(struct world *world) {
    uint32_t page = below(world, 5), i = below(world, 24);
    uintptr_t start = (page == 4 ? (uintptr_t)1 << 50 : 0x7F1200000000u) + ((uintptr_t)page << PAGE_SHIFT);
    return start +
           (uintptr_t)i * (page == 0   ? 64
                           : page == 1 ? 16
                                       : 24 * 16) +
           (page == 3 && i % 8 == 0 ? 8 : 0);
}

static uintptr_t side_address(struct world *world) {
    uint32_t i = below(world, 40);
    return 0x560000000000u + 16 * (uintptr_t)i + ((uintptr_t)(i % 3) << STRETCH_BITS);
}

static void main_event(struct world *world, uint32_t growth) {
    uint32_t what = below(world, 10);
    uintptr_t address = main_address(world);
    if (world->count != 0 && below(world, 3) != 0 && what >= growth) {
        const struct block *block = &world->blocks[below(world, world->count)];
        address = block->domain == MAIN_DOMAIN ? block->address : address;
    }
    if (what < growth)
        main_put(world, address, random_size(world), below(world, NODES));
    else if (what < 8)
        main_remove(world, address);
    else if (what < 9)
        main_move(world, address, below(world, NODES));
    else if ((address & 15) == 0 && !is_kept(world, address))
        main_watch(world, address);
}

static void side_event(struct world *world, uint32_t growth, bool joint) {
    uint32_t what = below(world, 10), domain = below(world, DOMAINS);
    uintptr_t address = side_address(world);
    if (what < growth)
        side_put(world, joint, domain, address, random_size(world), below(world, NODES));
    else if (what < 7)
        side_remove(world, joint, domain, address);
    else if (what < 8)
        side_move(world, joint, domain, address, below(world, NODES));
    else if (world->taken.run == 0)
        side_take(world, domain, address);
    else
        side_taken_ends(world, joint, below(world, 3) == 0);
}

static void rare_event(struct world *world) {
    uint32_t what = below(world, 16);
    if (what < 6) {
        bool pending = world->tracer.side.pending;
        tracer_reset_peak(&world->tracer);
        log_window(world, pending);
        peak_add(&world->log, PEAK_RESET, 0, 0, 0);
    } else if (what < 8) {
        if (tracer_clear(&world->tracer) != STATUS_OK)
            assert_true(support_fail_at != 0 && !world->tracer.active);
        world_forget(world);
    } else if (what < 9) {
        tracer_stop(&world->tracer);
        if (world->taken.run != 0)
            side_taken_ends(world, false, true); /* of a run that has ended */
        assert_int_equal(vmem_bytes(&world->tracer.memory), 0);
        if (world_start(world, 1 + below(world, 30)) != STATUS_OK)
            assert_true(support_fail_at != 0);
    } else if (what < 12) {
        tracer_leave(&world->tracer);
    } else if (what < 14) {
        magazines_open(&world->tracer.magazines);
    } else if (what < 15) {
        magazines_shut(&world->tracer.magazines);
    } else {
        magazines_empty(&world->tracer.magazines, give_nowhere, NULL);
    }
}

static void random_events(struct world *world, int events, uint32_t apart, uint32_t joint) {
    uint32_t growth = 4;
    for (int i = 0; i < events && world->tracer.active; i++) {
        uint32_t kind = below(world, 20);
        if (below(world, 40) == 0)
            growth = world->count > BLOCKS / 2 ? 1 : 1 + below(world, 6);
        if (world->count > BLOCKS - 5)
            growth = 0;
        if (kind < apart + joint)
            side_event(world, growth, kind >= apart);
        else if (below(world, 150) == 0)
            rare_event(world);
        else
            main_event(world, growth);
        if (below(world, 90) == 0)
            collect(world, below(world, 3) == 0);
        if (below(world, 30) == 0)
            come_to_rest(world);
        if (below(world, 50) == 0)
            assert_as_model(world);
    }
    if (world->taken.run != 0)
        side_taken_ends(world, true, true);
    assert_as_model(world);
}

static void all_views_are_as_the_array_and_the_log_say(void **state) {
    (void)state;
    static struct world world;
    static const uint32_t mixes[][2] = {{5, 5}, {0, 0}, {1, 1}, {10, 2}, {2, 10}, {20, 0}, {0, 20}};
    for (uint64_t seed = 0; seed < SCALED(120); seed++) {
        const uint32_t *mix = mixes[seed % (sizeof mixes / sizeof *mixes)];
        world_init(&world, seed);
        assert_int_equal(world_start(&world, 1 + (uint32_t)seed % 30), STATUS_OK);
        random_events(&world, 600, mix[0], mix[1]);
        assert_int_equal(world.tracer.lost, 0);
        world_end(&world);
    }
}

/* --- single cases
 * ---------------------------------------------------------------------------------------------------------
 */

static void a_tracer_that_is_not_active_takes_no_side_events(void **state) {
    (void)state;
    static struct world world;
    world_init(&world, 0);
    assert_null(tracer_borrow_paths(&world.tracer, 4096));
    assert_true(tracer_side_put(&world.tracer, false, 0, 0, 4096, 10, 1)); /* nothing to do again */
    assert_true(tracer_side_move(&world.tracer, false, 0, 0, 4096, 1));
    assert_false(tracer_side_remove(&world.tracer, false, 0, 4096));
    assert_int_equal(tracer_side_take(&world.tracer, 0, 4096).run, 0);
    tracer_stop(&world.tracer);
    assert_int_equal(vmem_bytes(&world.tracer.memory), 0);
    assert_int_equal(world.tracer.lost, 0);
}

static void a_block_with_other_paths_than_the_tracers_is_not_kept(void **state) {
    (void)state;
    static struct world world;
    world_init(&world, 0);
    assert_int_equal(world_start(&world, 5), STATUS_OK);
    struct callpaths *paths = tracer_borrow_paths(&world.tracer, 4096);
    assert_ptr_equal(paths, world.tracer.paths);
    tracer_stop(&world.tracer);
    assert_true(callpaths_check(paths)); /* ours until we give it back */
    assert_int_equal(world_start(&world, 5), STATUS_OK);
    assert_false(tracer_side_put(&world.tracer, false, paths->serial, 0, 4096, 10, 1));
    assert_false(tracer_side_move(&world.tracer, false, paths->serial, 0, 4096, 1));
    assert_as_model(&world);
    assert_int_equal(world.tracer.lost, 0);
    callpaths_release(paths);
    world_end(&world);
}

static void what_was_taken_before_a_clear_does_not_come_back(void **state) {
    (void)state;
    static struct world world;
    world_init(&world, 0);
    assert_int_equal(world_start(&world, 5), STATUS_OK);
    for (int back = 0; back < 2; back++) {
        side_put(&world, false, 1, 4096, 100, 2);
        side_take(&world, 1, 4096);
        assert_int_not_equal(world.taken.run, 0);
        assert_int_equal(tracer_clear(&world.tracer), STATUS_OK);
        world_forget(&world);
        side_taken_ends(&world, true, back != 0);
        assert_as_model(&world);
    }
    world_end(&world);
}

static void a_clear_keeps_the_call_tree_and_forgets_the_rest(void **state) {
    (void)state;
    static struct world world;
    world_init(&world, 0);
    assert_int_equal(world_start(&world, 5), STATUS_OK);
    uint32_t nodes = world.tracer.paths->node_count;
    main_put(&world, 0x7F1200000000u, 100, 3);
    side_put(&world, false, 2, 4096, 50, 4);
    assert_int_equal(tracer_clear(&world.tracer), STATUS_OK);
    world_forget(&world);
    assert_int_equal(world.tracer.paths->node_count, nodes);
    assert_ptr_equal(world.tracer.fast_thread, NO_THREAD);
    assert_as_model(&world);
    main_put(&world, 0x7F1200000000u, 60, 3);
    assert_as_model(&world);
    world_end(&world);
}

/* Frees of the main partition are events too: apart events before them have happened before them. */
static void an_apart_peak_before_a_main_loss_is_not_missed(void **state) {
    (void)state;
    static struct world world;
    uint64_t current, peak;
    world_init(&world, 0);
    assert_int_equal(world_start(&world, 5), STATUS_OK);
    main_put(&world, 0x7F1200000000u, 80, 1);
    side_put(&world, false, 0, 4096, 50, 2); /* 130: the peak */
    assert_ptr_equal(world.tracer.fast_thread, NO_THREAD);
    main_remove(&world, 0x7F1200000000u);
    tracer_memory(&world.tracer, &current, &peak);
    assert_int_equal(current, 50);
    assert_int_equal(peak, 130);
    assert_as_model(&world);
    world_end(&world);
}

static void a_watched_block_tells_of_its_end(void **state) {
    (void)state;
    static struct world world;
    static const uintptr_t traced = 0x7F1200000000u, untraced = 0x7F1200000400u, large = 0x7F1200001000u;
    world_init(&world, 0);
    assert_int_equal(world_start(&world, 5), STATUS_OK);
    main_put(&world, traced, 200, 1);
    main_put(&world, large, 2000, 2);
    uintptr_t codes[] = {traced, untraced, large};
    for (size_t i = 0; i < 3; i++) {
        uint32_t site, generation = world.tracer.generation;
        main_watch(&world, codes[i]);
        main_watch(&world, codes[i]); /* twice is once */
        assert_int_equal(codemap_put(&world.tracer.codes, codes[i], codes[i] + 200, 9), STATUS_OK);
        assert_as_model(&world);
        main_move(&world, codes[i], 5);
        main_remove(&world, codes[i]);
        assert_int_equal(world.tracer.generation, generation + 1);
        assert_false(codemap_get(&world.tracer.codes, codes[i] + 200, &site));
        assert_as_model(&world);
    }
    world_end(&world);
}

/* aarch64 does not look at the top byte of an address, and some allocators keep a tag there. */
static void addresses_may_have_tags(void **state) {
    (void)state;
    static struct world world;
    static const uintptr_t tags[] = {0x0A, 0x80, 0xB4, 0xFF}, plain = 0x7F1200000040u;
    world_init(&world, 0);
    assert_int_equal(world_start(&world, 5), STATUS_OK);
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        uintptr_t block = tags[i] << 56 | plain, code = block + 4096, raw = block + 8192;
        uint32_t site, generation = world.tracer.generation;
        main_put(&world, block, 100, 1);
        main_put(&world, code, 200, 2);
        side_put(&world, true, 0, raw, 300, 1);
        assert_int_equal(world.tracer.generation,
                         generation); /* nothing of it was taken for a watched one's end */
        main_watch(&world, code);
        assert_int_equal(codemap_put(&world.tracer.codes, code, code + 100, 9), STATUS_OK);
        assert_true(tracer_check(&world.tracer));
        main_move(&world, block, 3);
        main_remove(&world, block);
        assert_int_equal(world.tracer.generation, generation);
        main_remove(&world, code);
        assert_int_equal(world.tracer.generation, generation + 1);
        assert_false(codemap_get(&world.tracer.codes, code + 100, &site));
        struct taken taken = tracer_side_take(&world.tracer, 0, raw);
        assert_int_equal(taken.size, 300);
        tracer_side_put_back(&world.tracer, true, taken);
        side_remove(&world, true, 0, raw);
        assert_true(tracer_check(&world.tracer));
    }
    assert_int_equal(world.tracer.big.count + side_blocks(&world), 0);
    world_end(&world);
}

/* --- without memory ------------------------------------------------------------------------------------ */

/* Events with the Nth request for memory failing; returns the requests made. What cannot be kept is counted.
 */
static size_t events_without_memory(size_t n, bool lasting, uint64_t seed) {
    static struct world world;
    world_init(&world, seed);
    support_fail_at = n;
    support_fail_on = lasting;
    support_calls = 0;
    if (world_start(&world, 5) == STATUS_OK)
        random_events(&world, 500, 5, 5);
    else
        assert_true(support_calls >= n);
    size_t calls = support_calls;
    support_fail_at = 0;
    if (world.tracer.active)
        assert_as_model(&world);
    if (calls < n)
        assert_int_equal(world.tracer.lost, 0);
    world_end(&world);
    return calls;
}

static void without_memory_traces_are_lost_and_counted(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < SCALED(3); seed++) {
        size_t n = 1;
        while (events_without_memory(n, seed % 2 == 0, seed) >= n)
            n++;
        assert_true(n > 25);
    }
}

static void each_block_that_cannot_be_kept_is_counted(void **state) {
    (void)state;
    static struct world world;
    world_init(&world, 0);
    assert_int_equal(world_start(&world, 5), STATUS_OK);
    main_put(&world, 0x7F1200000000u, 80, 1);
    support_calls = 0;
    support_fail_on = true;
    support_fail_at = 1;
    uint32_t kept = world.count, tries = 0;
    for (; tries < 30000 && world.tracer.lost < 100; tries++) {
        uint32_t tally;
        assert_int_equal(tracer_tally_of(&world.tracer, world.nodes[1], &tally), STATUS_OK);
        tracer_put(&world.tracer, 0x7F4400000000u + (uintptr_t)tries * 4096, 2000, tally);
    }
    support_fail_at = 0;
    assert_int_equal(world.tracer.lost, 100);
    assert_int_equal(world.tracer.big.count, tries - 100);
    assert_true(kept == 1 && tracer_check(&world.tracer));
    world_end(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_views_are_as_the_array_and_the_log_say),
        cmocka_unit_test(a_tracer_that_is_not_active_takes_no_side_events),
        cmocka_unit_test(a_block_with_other_paths_than_the_tracers_is_not_kept),
        cmocka_unit_test(what_was_taken_before_a_clear_does_not_come_back),
        cmocka_unit_test(a_clear_keeps_the_call_tree_and_forgets_the_rest),
        cmocka_unit_test(an_apart_peak_before_a_main_loss_is_not_missed),
        cmocka_unit_test(a_watched_block_tells_of_its_end),
        cmocka_unit_test(addresses_may_have_tags),
        cmocka_unit_test(without_memory_traces_are_lost_and_counted),
        cmocka_unit_test(each_block_that_cannot_be_kept_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
