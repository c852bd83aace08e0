/* rest.h: what comes to rest, what does not, and what is known of it afterwards. That all views are right whenever
 * paths come to rest is shown by unit_tracer.c; that steps and mirrors forget them, by unit_walk.c. */
#include "one_tracer.h"

/* A path of one frame for each line, 1 or more. */
static uint32_t node_of(uint32_t line) {
    struct callpaths *paths = tracer.paths;
    struct site site = {.line = line};
    uint32_t id, node;
    lock_acquire(&paths->lock);
    assert_int_equal(site_intern_locked(paths, &site, &id), STATUS_OK);
    assert_int_equal(node_intern_locked(paths, 0, id, 1, &node), STATUS_OK);
    lock_release(&paths->lock);
    return node;
}

static uint32_t tally_of(uint32_t line) {
    uint32_t tally;
    assert_int_equal(tracer_tally_of(&tracer, node_of(line), &tally), STATUS_OK);
    return tally;
}

static uintptr_t address_of(uint32_t line) { return 0x7F1200000000u + (uintptr_t)line * 64; }

static void put(uint32_t line, size_t size) { tracer_put(&tracer, address_of(line), size, tally_of(line)); }

static void end(uint32_t line) { end_at(address_of(line)); }

static bool rests(uint32_t line) { return is_at_rest(*rest_word(&tracer, node_of(line))); }

static void assert_shown(enum view view, uint32_t node, uint64_t bytes, uint64_t blocks) {
    assert_pair(shown_of_node(view, DOMAIN_PYTHON, node), bytes, blocks);
}

/* The peak is somewhere else from now on. */
static void peak_passes(void) { tracer_reset_peak(&tracer); }

static void what_came_and_went_is_a_word(void **state) {
    (void)state;
    start();
    put(1, 100);
    end(1);
    put(2, 40);
    peak_passes();
    const uint32_t used = tracer.ledger.used;
    tracer_rest(&tracer);
    assert_true(rests(1));
    assert_false(rests(2));
    assert_int_equal(tracer.ledger.used, used - 1);
    assert_shown(VIEW_TOTAL, node_of(1), 100, 1);
    assert_shown(VIEW_LIVE, node_of(1), 0, 0);
    assert_shown(VIEW_PEAK, node_of(1), 0, 0);
    assert_shown(VIEW_TOTAL, node_of(2), 40, 1);
    finish();
}

static void a_part_of_the_peak_stays(void **state) {
    (void)state;
    start();
    put(1, 100);
    end(1); /* the highest so far: all of it */
    tracer_rest(&tracer);
    assert_false(rests(1));
    put(2, 200);
    end(2);
    tracer_rest(&tracer);
    assert_true(rests(1));
    assert_false(rests(2));
    assert_shown(VIEW_PEAK, node_of(2), 200, 1);
    finish();
}

static void who_allocates_again_goes_on_counting(void **state) {
    (void)state;
    start();
    put(1, 100);
    end(1);
    peak_passes();
    tracer_rest(&tracer);
    put(1, 7);
    assert_false(rests(1));
    assert_shown(VIEW_TOTAL, node_of(1), 107, 2);
    assert_shown(VIEW_LIVE, node_of(1), 7, 1);
    assert_shown(VIEW_PEAK, node_of(1), 7, 1);
    end(1);
    peak_passes();
    tracer_rest(&tracer);
    assert_shown(VIEW_TOTAL, node_of(1), 107, 2);
    finish();
}

/* The unknown, the forgotten, the live one and the one that was there with it at the peak stay. */
enum { STAY = 4, MOST_USED = STAY + STAY / 4 + REST_LEAST + 1 };

static void ids_are_used_again(void **state) {
    (void)state;
    start();
    for (uint32_t line = 1; line <= 5000; line++) {
        put(line, 8);
        end(line);
        if (line == 1)
            put(6000, 100000); /* the peak is elsewhere */
        rest_if_due(&tracer);
        assert_in_range(tracer.ledger.used, 0, MOST_USED);
    }
    assert_in_range(tracer.ledger.count, 0, MOST_USED + 2); /* 0 is no id */
    assert_shown(VIEW_TOTAL, node_of(4711), 8, 1);
    finish();
}

/* So that each tally made costs the same. */
static void the_next_time_comes_when_there_are_a_quarter_more(void **state) {
    (void)state;
    start();
    uint32_t times = 0;
    for (uint32_t line = 1; line <= 20000; line++) {
        put(line, 8);
        const uint32_t above = tracer.rest_above;
        rest_if_due(&tracer);
        if (tracer.rest_above == above)
            continue;
        times++;
        assert_int_equal(tracer.rest_above, tracer.ledger.used + tracer.ledger.used / 4 + REST_LEAST);
    }
    assert_in_range(times, 1, 60);
    finish();
}

static void come_and_go(uint32_t line, uint64_t bytes) {
    ledger_gain_big(&tracer.ledger, tally_of(line), bytes);
    ledger_lose_big(&tracer.ledger, tally_of(line), bytes);
}

static void numbers_that_fit_no_word_stay(void **state) {
    (void)state;
    const uint64_t bytes = UINT64_C(1) << REST_SHIFT, blocks = UINT64_C(1) << (31 - REST_SHIFT);
    start();
    come_and_go(1, bytes - 1);
    come_and_go(2, bytes);
    for (uint64_t i = 1; i < blocks; i++)
        come_and_go(3, 1);
    for (uint64_t i = 0; i < blocks; i++)
        come_and_go(4, 1);
    peak_passes();
    tracer_rest(&tracer);
    assert_true(rests(1) && !rests(2) && rests(3) && !rests(4));
    assert_shown(VIEW_TOTAL, node_of(1), bytes - 1, 1);
    assert_shown(VIEW_TOTAL, node_of(2), bytes, 1);
    assert_shown(VIEW_TOTAL, node_of(3), blocks - 1, blocks - 1);
    assert_shown(VIEW_TOTAL, node_of(4), blocks, blocks);
    finish();
}

static void the_unknown_and_the_forgotten_have_tallies(void **state) {
    (void)state;
    start();
    tracer_rest(&tracer);
    assert_int_equal(ledger_node(&tracer.ledger, tracer.unknown), tracer.unknown_node);
    assert_int_not_equal(tally_of_word(*rest_word(&tracer, tracer.forgotten_node)), 0);
    finish();
}

static void a_collection_keeps_those_that_allocated_most_or_their_sum(void **state) {
    (void)state;
    start();
    for (uint32_t line = 1; line <= 3; line++) {
        put(line, 10 * line);
        end(line);
    }
    peak_passes();
    tracer_rest(&tracer);
    put(4, 5); /* has a tally, and goes too */
    end(4);
    peak_passes();
    assert_int_equal(tracer_collect(&tracer, 1), STATUS_OK);
    assert_int_equal(tracer.forgotten, 3);
    assert_shown(VIEW_TOTAL, tracer.forgotten_node, 10 + 20 + 5, 3);
    assert_shown(VIEW_TOTAL, node_of(3), 30, 1);
    assert_true(rests(3));
    put(1, 6);
    assert_shown(VIEW_TOTAL, node_of(1), 6, 1);
    finish();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_came_and_went_is_a_word),
        cmocka_unit_test(a_part_of_the_peak_stays),
        cmocka_unit_test(who_allocates_again_goes_on_counting),
        cmocka_unit_test(ids_are_used_again),
        cmocka_unit_test(the_next_time_comes_when_there_are_a_quarter_more),
        cmocka_unit_test(numbers_that_fit_no_word_stay),
        cmocka_unit_test(the_unknown_and_the_forgotten_have_tallies),
        cmocka_unit_test(a_collection_keeps_those_that_allocated_most_or_their_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
