/* collect.h: what goes, what stays, and what it costs. That all views are right across collections at random moments
 * is shown by unit_tracer.c; that walks are, by unit_walk.c; with other threads, by unit_threads.c. */
#include "one_tracer.h"

#include <stdio.h>

enum { PATHS = 400, DEEP = 4 };

static uint32_t site_named(const char *name, uint32_t line) {
    struct callpaths *paths = tracer.paths;
    struct site site = {.line = line};
    uint32_t id;
    lock_acquire(&paths->lock);
    assert_int_equal(strtab_intern(&paths->strings, name, strlen(name), &site.file), STATUS_OK);
    site.function = site.file;
    assert_int_equal(site_intern_locked(paths, &site, &id), STATUS_OK);
    lock_release(&paths->lock);
    return id;
}

/* A path of its own for each number, and a name of its own: DEEP frames, all but the lowest new. */
static uint32_t path(uint32_t number) {
    struct callpaths *paths = tracer.paths;
    uint32_t node = 0;
    char name[64];
    snprintf(name, sizeof name, "module %u", number);
    for (uint32_t depth = 1; depth <= DEEP; depth++) {
        uint32_t site = depth == 1 ? site_named("main", 1) : site_named(name, depth);
        lock_acquire(&paths->lock);
        assert_int_equal(node_intern_locked(paths, node, site, depth, &node), STATUS_OK);
        lock_release(&paths->lock);
    }
    return node;
}

/* Few addresses, so that it is call paths alone that take memory. */
static uintptr_t address_of(uint32_t number) {
    uint32_t place = number < 512 ? number : 1 + number % 511;
    return 0x7F1200000000u + (uintptr_t)place * 64;
}

static uint32_t tally_of(uint32_t number) {
    uint32_t tally;
    assert_int_equal(tracer_tally_of(&tracer, path(number), &tally), STATUS_OK);
    return tally;
}

static void put(uint32_t number, size_t size) {
    tracer_put(&tracer, address_of(number), size, tally_of(number));
}

static void end(uint32_t number) { end_at(address_of(number)); }

/* Where a path's blocks are shown: the sum of its rows. `number` PATHS: what was forgotten. */
static pair shown(enum view view, uint32_t domain, uint32_t number) {
    return shown_of_node(view, domain, number == PATHS ? tracer.forgotten_node : path(number));
}

static void assert_shown(enum view view, uint32_t domain, uint32_t number, uint64_t bytes, uint64_t blocks) {
    assert_pair(shown(view, domain, number), bytes, blocks);
}

static void collect(size_t room) { assert_int_equal(tracer_collect(&tracer, room), STATUS_OK); }

/* --- what goes and what stays -------------------------------------------------------------------------- */

static void what_holds_nothing_goes_and_the_sum_stays(void **state) {
    (void)state;
    start();
    put(1, 100);
    end(1);
    put(2, 40);
    end(2);
    put(3, 200); /* live, with 4 the peak */
    put(4, 300);
    end(4);
    put(5, 50); /* live, not at the peak */
    uint32_t nodes = tracer.paths->node_count;
    collect(0);
    assert_int_equal(tracer.forgotten, 2);
    assert_int_equal(tracer.paths->node_count, nodes - 2 * (DEEP - 1));
    assert_shown(VIEW_TOTAL, DOMAIN_PYTHON, PATHS, 140, 2);
    assert_shown(VIEW_TOTAL, DOMAIN_PYTHON, 1, 0, 0);
    assert_shown(VIEW_TOTAL, DOMAIN_PYTHON, 3, 200, 1);
    assert_shown(VIEW_TOTAL, DOMAIN_PYTHON, 4, 300, 1);
    assert_shown(VIEW_PEAK, DOMAIN_PYTHON, 4, 300, 1);
    assert_shown(VIEW_LIVE, DOMAIN_PYTHON, 5, 50, 1);
    assert_shown(VIEW_LIVE, DOMAIN_PYTHON, PATHS, 0, 0);
    put(1, 7); /* known anew: counted from now on */
    assert_shown(VIEW_TOTAL, DOMAIN_PYTHON, 1, 7, 1);
    end(1);
    tracer_reset_peak(&tracer);
    collect(0);
    assert_int_equal(tracer.forgotten, 4);
    assert_shown(VIEW_TOTAL, DOMAIN_PYTHON, PATHS, 447, 4);
    finish();
}

static void each_domain_of_the_side_has_a_sum_of_its_own(void **state) {
    (void)state;
    start();
    tracer_reset_peak(&tracer);
    for (uint32_t i = 0; i < 12; i++) {
        bool joint = i % 2 == 0;
        assert_true(
            tracer_side_put(&tracer, joint, tracer.paths->serial, i % 3, address_of(i), 10 + i % 3, path(i)));
        assert_true(tracer_side_remove(&tracer, joint, i % 3, address_of(i)));
        tracer_reset_peak(&tracer);
        if (i == 5)
            collect(0);
    }
    collect(0);
    assert_int_equal(tracer.forgotten, 12);
    for (uint32_t domain = 0; domain < 3; domain++)
        assert_shown(VIEW_TOTAL, domain, PATHS, 4 * (10 + domain), 4);
    for (uint32_t i = 0; i < SHARDS; i++) {
        const struct shard *shard = &tracer.side.shards[i];
        assert_in_range(shard->count - shard->free_count, 0, 1 + 3);
    }
    finish();
}

static void those_that_allocated_most_stay_while_there_is_room(void **state) {
    (void)state;
    start();
    for (uint32_t i = 0; i < 20; i++) {
        for (uint32_t times = 0; times <= i * 7 % 20; times++) {
            put(i, 16);
            end(i);
        }
    }
    tracer_reset_peak(&tracer);
    collect(1 + 5 * (DEEP - 1)); /* five paths, and the frame that all share */
    assert_int_equal(tracer.forgotten, 15);
    for (uint32_t i = 0; i < 20; i++) {
        uint64_t blocks = 1 + i * 7 % 20;
        bool stays = blocks > 15;
        assert_shown(VIEW_TOTAL, DOMAIN_PYTHON, i, stays ? blocks * 16 : 0, stays ? blocks : 0);
    }
    assert_shown(VIEW_TOTAL, DOMAIN_PYTHON, PATHS, 16 * 15 * 16 / 2, 15 * 16 / 2);
    finish();
}

static void a_path_below_one_that_stays_keeps_its_counters(void **state) {
    (void)state;
    uint32_t below;
    start();
    uint32_t node = node_get(tracer.paths, path(1))->parent;
    assert_int_equal(tracer_tally_of(&tracer, node, &below), STATUS_OK);
    tracer_put(&tracer, address_of(2), 30, below);
    end(2);
    put(1, 100);
    collect(0);
    assert_int_equal(tracer.forgotten, 0);
    node = node_get(tracer.paths, path(1))->parent;
    assert_int_equal(ledger_node(&tracer.ledger, below), node);
    assert_int_equal(ledger_total(&tracer.ledger, below).bytes, 30);
    finish();
}

static void a_known_instruction_keeps_its_site(void **state) {
    (void)state;
    uint32_t site;
    start();
    for (uint32_t i = 0; i < 50; i++)
        (void)path(i);
    assert_int_equal(codemap_put(&tracer.codes, 4096, 5000, site_named("here", 7)), STATUS_OK);
    collect(0);
    assert_true(codemap_get(&tracer.codes, 5000, &site));
    assert_int_equal(site, site_named("here", 7));
    assert_true(tracer.paths->site_count < 8);
    assert_true(codemap_knows(&tracer.codes, 4096));
    finish();
}

static void a_snapshot_keeps_the_tree_that_it_shares(void **state) {
    (void)state;
    struct snapshot *snapshot;
    start();
    put(1, 100);
    put(2, 100);
    assert_int_equal(tracer_freeze(&tracer, &snapshots, VIEW_LIVE, &snapshot), STATUS_OK);
    end(1);
    struct callpaths *old = tracer.paths;
    uint32_t nodes = old->node_count;
    tracer_reset_peak(&tracer);
    collect(0);
    assert_ptr_not_equal(tracer.paths, old);
    assert_ptr_equal(snapshot->paths, old);
    assert_true(snapshot_check(snapshot) && callpaths_check(old));
    assert_int_equal(old->node_count, nodes);
    assert_int_equal(tracer.paths->node_count, nodes - (DEEP - 1));
    snapshot_release(snapshot);
    finish();
}

static void who_interned_into_the_old_tree_is_told(void **state) {
    (void)state;
    start();
    struct callpaths *paths = tracer_borrow_paths(&tracer, 4096);
    uint32_t node = path(1);
    collect(0);
    assert_false(tracer_side_put(&tracer, false, paths->serial, 0, 4096, 10, node));
    assert_false(tracer_side_move(&tracer, false, paths->serial, 0, 4096, node));
    callpaths_release(paths);
    assert_true(tracer_side_put(&tracer, false, tracer.paths->serial, 0, 4096, 10, path(1)));
    assert_shown(VIEW_LIVE, 0, 1, 10, 1);
    finish();
}

/* A block whose record is out, in a realloc, holds its path all the same. */
static void a_block_that_is_being_resized_keeps_its_path(void **state) {
    (void)state;
    start();
    assert_true(tracer_side_put(&tracer, false, tracer.paths->serial, 0, 4096, 10, path(1)));
    struct taken taken = tracer_side_take(&tracer, 0, 4096);
    collect(0);
    assert_int_equal(tracer.forgotten, 0);
    tracer_side_put_back(&tracer, false, taken);
    assert_shown(VIEW_LIVE, 0, 1, 10, 1);
    finish();
}

/* --- ever new paths ------------------------------------------------------------------------------------ */

static void ever_new_paths_take_no_more_memory(void **state) {
    (void)state;
    size_t most = 0;
    start();
    tracer.collect_above = tracer.collect_least = 1000;
    put(0, 8);
    for (uint32_t i = 1; i < 20000; i++) {
        put(i, 100);
        assert_true(
            tracer_side_put(&tracer, i % 2 == 0, tracer.paths->serial, 2, address_of(i), 10, path(i)));
        assert_true(tracer_side_remove(&tracer, i % 2 == 0, 2, address_of(i)));
        end(i);
        collect_if_due(&tracer);
        assert_in_range(callpaths_weight(tracer.paths), 0, 1000 + 2 * DEEP);
        size_t bytes = vmem_bytes(&tracer.memory);
        if (i < 5000)
            most = bytes > most ? bytes : most;
        else
            assert_in_range(bytes, 0, most + most / 10);
    }
    assert_true(tracer.forgotten > 18000);
    assert_in_range(tracer.ledger.count, 0, 2000);
    for (uint32_t i = 0; i < SHARDS; i++)
        assert_in_range(tracer.side.shards[i].count, 0, 2000);
    assert_shown(VIEW_LIVE, DOMAIN_PYTHON, 0, 8, 1);
    finish();
}

static void the_next_collection_comes_when_twice_as_much_is_there(void **state) {
    (void)state;
    start();
    tracer.collect_above = tracer.collect_least = 100;
    for (uint32_t i = 0; i < PATHS; i++) {
        put(i, 8);
        uint32_t weight = callpaths_weight(tracer.paths), above = tracer.collect_above;
        collect_if_due(&tracer);
        if (weight > above)
            assert_int_equal(tracer.collect_above, 2 * callpaths_weight(tracer.paths));
        else
            assert_int_equal(tracer.collect_above, above);
    }
    assert_int_equal(tracer.forgotten, 0);
    assert_true(tracer.collect_above > 1000);
    for (uint32_t i = 0; i < PATHS; i++)
        end(i);
    tracer_reset_peak(&tracer);
    tracer_collect_slow(&tracer);
    assert_int_equal(tracer.collect_above, 100); /* with a quarter of it for what there was */
    assert_in_range(callpaths_weight(tracer.paths), 20, 25 + 2 * DEEP);
    finish();
}

static void names_have_weight_too(void **state) {
    (void)state;
    static char name[6400];
    start();
    uint32_t before = callpaths_weight(tracer.paths), node;
    memset(name, 'x', sizeof name - 1);
    uint32_t site = site_named(name, 1);
    lock_acquire(&tracer.paths->lock);
    assert_int_equal(node_intern_locked(tracer.paths, 0, site, 1, &node), STATUS_OK);
    lock_release(&tracer.paths->lock);
    assert_in_range(callpaths_weight(tracer.paths) - before, 99, 101);
    collect(0);
    assert_int_equal(callpaths_weight(tracer.paths), before);
    finish();
}

static void who_must_not_collect_sees_when_it_is_overdue(void **state) {
    (void)state;
    start();
    tracer.collect_above = 100;
    for (uint32_t i = 0; callpaths_weight(tracer.paths) < 404; i++) {
        assert_false(collect_is_overdue(&tracer, tracer.paths));
        (void)path(i);
    }
    assert_true(collect_is_overdue(&tracer, tracer.paths));
    finish();
}

/* --- without memory ------------------------------------------------------------------------------------ */

static void without_memory_nothing_changes(void **state) {
    (void)state;
    size_t n = 1;
    for (bool failed = true; failed; n++) {
        start();
        for (uint32_t i = 0; i < PATHS; i++) {
            put(i, 8 + i);
            assert_true(
                tracer_side_put(&tracer, true, tracer.paths->serial, i % 3, address_of(i), i, path(i)));
            if (i % 2 == 0)
                end(i);
        }
        tracer_reset_peak(&tracer);
        struct callpaths *old = tracer.paths;
        size_t before = vmem_bytes(&tracer.memory);
        support_fail_at = n;
        support_fail_on = n % 2 == 0;
        support_calls = 0;
        status result = tracer_collect(&tracer, 20);
        support_fail_at = 0;
        failed = result != STATUS_OK;
        if (failed) {
            assert_int_equal(vmem_bytes(&tracer.memory), before);
            assert_ptr_equal(tracer.paths, old);
            assert_int_equal(tracer.forgotten, 0);
            assert_shown(VIEW_TOTAL, DOMAIN_PYTHON, PATHS, 0, 0);
        } else {
            assert_ptr_not_equal(tracer.paths, old);
            failed = support_calls >= n; /* made up for */
        }
        assert_shown(VIEW_LIVE, 1, 100, 100, 1);
        finish();
    }
    assert_true(n > 10);
}

static void a_collection_that_failed_is_tried_again_later(void **state) {
    (void)state;
    start();
    tracer.collect_above = tracer.collect_least = 100;
    for (uint32_t i = 0; i < 60; i++)
        put(i, 8);
    uint32_t weight = callpaths_weight(tracer.paths);
    support_fail_at = 1;
    support_fail_on = true;
    collect_if_due(&tracer);
    support_fail_at = 0;
    assert_int_equal(callpaths_weight(tracer.paths), weight);
    assert_in_range(tracer.collect_above, weight + 1, weight + weight / 2);
    finish();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_holds_nothing_goes_and_the_sum_stays),
        cmocka_unit_test(each_domain_of_the_side_has_a_sum_of_its_own),
        cmocka_unit_test(those_that_allocated_most_stay_while_there_is_room),
        cmocka_unit_test(a_path_below_one_that_stays_keeps_its_counters),
        cmocka_unit_test(a_known_instruction_keeps_its_site),
        cmocka_unit_test(a_snapshot_keeps_the_tree_that_it_shares),
        cmocka_unit_test(who_interned_into_the_old_tree_is_told),
        cmocka_unit_test(a_block_that_is_being_resized_keeps_its_path),
        cmocka_unit_test(ever_new_paths_take_no_more_memory),
        cmocka_unit_test(the_next_collection_comes_when_twice_as_much_is_there),
        cmocka_unit_test(names_have_weight_too),
        cmocka_unit_test(who_must_not_collect_sees_when_it_is_overdue),
        cmocka_unit_test(without_memory_nothing_changes),
        cmocka_unit_test(a_collection_that_failed_is_tried_again_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
