/* Statistics: sums, keys and order, against the plain way of doing it. */
#include "model.h"

static struct vmem account;

static const enum key every_key[] = {KEY_FILENAME, KEY_LINENO, KEY_FUNCTION, KEY_TRACEBACK, KEY_DOMAIN};
enum { KEYS = sizeof every_key / sizeof *every_key };

static bool may_cumulate(enum key key) { return key != KEY_TRACEBACK && key != KEY_DOMAIN; }

static void assert_as_model(struct snapshot *snapshot, enum key key, bool cumulative) {
    struct groups groups;
    struct model_stats stats = model_group(snapshot, key, cumulative);
    model_sort(&stats, model_order);
    assert_int_equal(groupby(snapshot, key, cumulative, &groups), STATUS_OK);
    assert_int_equal(groups.count, stats.count);
    for (size_t i = 0; i < groups.count; i++) {
        struct model_stat stat = model_of_group(snapshot, &groups.items[i], key);
        assert_int_equal(stat.size, stats.items[i].size);
        assert_int_equal(stat.count, stats.items[i].count);
        assert_true(model_same_key(&stat, &stats.items[i], key));
        if (key == KEY_FUNCTION && stat.key.count > 0) /* and the line is that of the first such row */
            assert_true(model_same_frame(&stat.key.frames[0], &stats.items[i].key.frames[0]));
        for (size_t j = 0; j < i; j++) {
            assert_true(group_order(snapshot, &groups.items[j], snapshot, &groups.items[i], key) <= 0);
            assert_false(group_equal(snapshot, &groups.items[j], snapshot, &groups.items[i], key));
        }
    }
    size_t most = groups.count / 3;
    struct groups few;
    assert_int_equal(groupby_top(snapshot, key, cumulative, most, &few), STATUS_OK);
    assert_int_equal(few.all, groups.count);
    assert_int_equal(few.count, most);
    for (size_t i = 0; i < most; i++)
        model_assert_same_group(&few.items[i], &groups.items[i]);
    groups_fini(&few);
    groups_fini(&groups);
    free(stats.items);
}

static void random_snapshots_group_as_the_plain_way_does(void **state) {
    (void)state;
    uint64_t random = 1;
    for (int round = 0; round < 300; round++) {
        struct callpaths *paths = model_paths(&account, &random, support_below(&random, 60), 14);
        uint32_t limit = 1 + support_below(&random, 16);
        struct snapshot *snapshot = model_snapshot(&account, &random, paths, support_below(&random, 80),
                                                   limit, (enum view)(round % 3));
        for (size_t i = 0; i < KEYS; i++) {
            assert_as_model(snapshot, every_key[i], false);
            if (may_cumulate(every_key[i]))
                assert_as_model(snapshot, every_key[i], true);
        }
        assert_true(callpaths_check(paths));
        callpaths_release(paths);
        snapshot_release(snapshot);
        assert_int_equal(vmem_bytes(&account), 0);
    }
}

static struct snapshot *one_path(size_t rows, uint32_t limit, uint64_t size, uint64_t count) {
    struct callpaths *paths = callpaths_new(&account);
    struct snapshot *snapshot = snapshot_new(&account, paths, limit, VIEW_LIVE);
    uint32_t caller = model_node(paths, 0, "a.py", "main", 1, 1);
    uint32_t again = model_node(paths, caller, "a.py", "main", 1, 0);
    struct row row = {
        .node = model_node(paths, again, "b/\xc3\xa9.py", "C.load", 7, 0), .size = size, .count = count};
    for (size_t i = 0; i < rows; i++)
        assert_int_equal(snapshot_add(snapshot, &row), STATUS_OK);
    callpaths_release(paths);
    return snapshot;
}

static void a_recursive_function_counts_as_often_as_it_is_on_the_stack(void **state) {
    (void)state;
    struct groups groups;
    struct snapshot *snapshot = one_path(2, 3, 10, 3);
    assert_int_equal(groupby(snapshot, KEY_LINENO, true, &groups), STATUS_OK);
    assert_int_equal(groups.count, 2);
    assert_int_equal(groups.items[0].line, 1);
    assert_int_equal(groups.items[0].size, 120);
    assert_int_equal(groups.items[0].count, 12);
    assert_int_equal(groups.items[1].line, 7);
    assert_int_equal(groups.items[1].size, 60);
    groups_fini(&groups);
    snapshot_release(snapshot);
}

static void frames_beyond_the_limit_do_not_count(void **state) {
    (void)state;
    struct groups groups;
    struct snapshot *snapshot = one_path(1, 2, 10, 1);
    assert_int_equal(groupby(snapshot, KEY_FILENAME, true, &groups), STATUS_OK);
    assert_int_equal(groups.count, 2);
    assert_int_equal(groups.items[0].size, 10);
    assert_int_equal(groups.items[1].size, 10);
    groups_fini(&groups);
    snapshot_release(snapshot);
}

static void sums_beyond_64_bits_stay_at_the_greatest_number(void **state) {
    (void)state;
    struct groups groups;
    for (int cumulative = 0; cumulative < 2; cumulative++) {
        struct snapshot *snapshot = one_path(4, 3, UINT64_MAX / 3, 2);
        assert_int_equal(groupby(snapshot, KEY_LINENO, cumulative != 0, &groups), STATUS_OK);
        for (size_t i = 0; i < groups.count; i++) {
            assert_true(groups.items[i].size == UINT64_MAX);
            assert_in_range(groups.items[i].count, 8, 16);
        }
        groups_fini(&groups);
        snapshot_release(snapshot);
        snapshot = one_path(1, 3, UINT64_MAX, UINT64_MAX); /* one row is already too much */
        assert_int_equal(groupby(snapshot, KEY_LINENO, cumulative != 0, &groups), STATUS_OK);
        assert_true(groups.items[0].size == UINT64_MAX && groups.items[0].count == UINT64_MAX);
        groups_fini(&groups);
        snapshot_release(snapshot);
    }
}

static void tracebacks_are_one_where_only_functions_or_cut_frames_differ(void **state) {
    (void)state;
    struct groups groups;
    struct callpaths *paths = callpaths_new(&account);
    struct snapshot *snapshot = snapshot_new(&account, paths, 2, VIEW_LIVE);
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t oldest = model_node(paths, 0, "a.py", "main", i, 1);
        uint32_t middle = model_node(paths, oldest, "a.py", model_functions[i], 10, 0);
        struct row row = {.node = model_node(paths, middle, "zz", "", 20, 0),
                          .depth = i == 0 ? 7 : 3,
                          .size = 5,
                          .count = 1};
        assert_int_equal(snapshot_add(snapshot, &row), STATUS_OK);
    }
    assert_int_equal(groupby(snapshot, KEY_TRACEBACK, false, &groups), STATUS_OK);
    assert_int_equal(groups.count, 1);
    assert_int_equal(groups.items[0].size, 15);
    assert_int_equal(groups.items[0].frames, 2);
    assert_int_equal(groups.items[0].depth, 7);
    assert_int_equal(groups.items[0].node, snapshot_row(snapshot, 0)->node);
    groups_fini(&groups);
    snapshot_release(snapshot);
    callpaths_release(paths);
}

static void a_snapshot_without_rows_has_no_groups(void **state) {
    (void)state;
    struct groups groups;
    struct snapshot *snapshot = one_path(0, 1, 0, 1);
    for (size_t i = 0; i < KEYS; i++) {
        assert_int_equal(groupby(snapshot, every_key[i], may_cumulate(every_key[i]), &groups), STATUS_OK);
        assert_int_equal(groups.count, 0);
        groups_fini(&groups);
    }
    snapshot_release(snapshot);
}

static void whole_tracebacks_and_domains_do_not_cumulate(void **state) {
    (void)state;
    struct groups groups;
    struct snapshot *snapshot = one_path(1, 1, 1, 1);
    assert_int_equal(groupby(snapshot, KEY_TRACEBACK, true, &groups), STATUS_INVALID);
    assert_int_equal(groupby(snapshot, KEY_DOMAIN, true, &groups), STATUS_INVALID);
    groups_fini(&groups); /* zeroed: harmless */
    snapshot_release(snapshot);
}

static void groups_keep_their_snapshot_alive(void **state) {
    (void)state;
    struct groups groups;
    struct snapshot *snapshot = one_path(1, 3, 10, 1);
    assert_int_equal(groupby(snapshot, KEY_TRACEBACK, false, &groups), STATUS_OK);
    snapshot_release(snapshot);
    assert_int_equal(model_path_of(groups.snapshot, groups.items[0].node).count, 3);
    groups_fini(&groups);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void equal_keys_hash_alike_across_call_paths(void **state) {
    (void)state;
    uint64_t random = 5;
    struct snapshot *sides[2];
    struct groups groups[2];
    size_t equal = 0;
    for (int i = 0; i < 2; i++) {
        struct callpaths *paths = model_paths(&account, &random, 60, 3);
        sides[i] = model_snapshot(&account, &random, paths, 80, 2, VIEW_LIVE);
        callpaths_release(paths);
    }
    for (size_t k = 0; k < KEYS; k++) {
        for (int i = 0; i < 2; i++)
            assert_int_equal(groupby(sides[i], every_key[k], false, &groups[i]), STATUS_OK);
        for (size_t i = 0; i < groups[0].count * groups[1].count; i++) {
            const struct group *a = &groups[0].items[i % groups[0].count];
            const struct group *b = &groups[1].items[i / groups[0].count];
            struct model_stat x = model_of_group(sides[0], a, every_key[k]);
            struct model_stat y = model_of_group(sides[1], b, every_key[k]);
            bool same = model_same_key(&x, &y, every_key[k]);
            assert_int_equal(group_equal(sides[0], a, sides[1], b, every_key[k]), same);
            if (same)
                assert_int_equal(group_hash(sides[0], a, every_key[k]),
                                 group_hash(sides[1], b, every_key[k]));
            equal += same;
        }
        groups_fini(&groups[0]);
        groups_fini(&groups[1]);
    }
    assert_in_range(equal, 20, 10000);
    snapshot_release(sides[0]);
    snapshot_release(sides[1]);
}

enum { THREADS = 4, ROUNDS = 30 };

/* Any threads may read a snapshot while another goes on adding call paths. */
static void *group_again_and_again(void *snapshot) {
    size_t groups_seen = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < KEYS; i++) {
            struct groups groups;
            if (groupby(snapshot, every_key[i], may_cumulate(every_key[i]), &groups) != STATUS_OK)
                return NULL;
            groups_seen += groups.count;
            groups_fini(&groups);
        }
    }
    return groups_seen > 0 ? snapshot : NULL;
}

static void threads_share_a_snapshot_while_its_paths_grow(void **state) {
    (void)state;
    uint64_t random = 6;
    pthread_t threads[THREADS];
    struct callpaths *paths = model_paths(&account, &random, 60, 8);
    struct snapshot *snapshot = model_snapshot(&account, &random, paths, 200, 4, VIEW_LIVE);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, group_again_and_again, snapshot), 0);
    for (uint32_t i = 0; i < 3000; i++)
        model_node(paths, i % 50, model_files[i % MODEL_FILES], "main", 1000 + i, 1);
    for (int i = 0; i < THREADS; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, snapshot);
    }
    snapshot_release(snapshot);
    callpaths_release(paths);
    assert_int_equal(vmem_bytes(&account), 0);
}

struct sweep {
    struct snapshot *snapshot;
    enum key key;
    bool cumulative;
};

static status group_once(void *context) {
    struct sweep *sweep = context;
    struct groups groups;
    status result = groupby(sweep->snapshot, sweep->key, sweep->cumulative, &groups);
    if (result != STATUS_OK)
        assert_null(groups.items);
    groups_fini(&groups);
    return result;
}

static void without_memory_grouping_says_so_and_keeps_nothing(void **state) {
    (void)state;
    uint64_t random = 9;
    struct callpaths *paths = model_paths(&account, &random, 40, 8);
    struct sweep sweep = {model_snapshot(&account, &random, paths, 60, 3, VIEW_LIVE), KEY_LINENO, false};
    for (size_t i = 0; i < KEYS; i++) {
        for (int cumulative = 0; cumulative <= may_cumulate(every_key[i]); cumulative++) {
            sweep.key = every_key[i];
            sweep.cumulative = cumulative != 0;
            assert_in_range(support_sweep(&account, group_once, &sweep), 6, 1000);
            assert_true(snapshot_check(sweep.snapshot));
        }
    }
    snapshot_release(sweep.snapshot);
    callpaths_release(paths);
    assert_int_equal(vmem_bytes(&account), 0);
}

/* What each frame of each traceback takes part in must not cost a step each: that would be billions here. */
static void a_long_chain_of_calls_under_a_smaller_limit_is_grouped_at_once(void **state) {
    (void)state;
    enum { CALLS = 100000, LIMIT = 50000, TURNS = 7 };
    struct callpaths *paths = callpaths_new(&account);
    struct snapshot *snapshot = snapshot_new(&account, paths, LIMIT, VIEW_LIVE);
    struct groups groups;
    uint32_t node = 0;
    for (uint32_t depth = 1; depth <= CALLS; depth++) {
        node = model_node(paths, node, "a.py", "f", 1 + depth % TURNS, depth);
        assert_int_equal(snapshot_add(snapshot, &(struct row){.node = node, .size = 1, .count = 1}),
                         STATUS_OK);
    }
    assert_int_equal(groupby(snapshot, KEY_TRACEBACK, false, &groups), STATUS_OK);
    assert_int_equal(groups.count, LIMIT - 1 + TURNS); /* each length below the limit, and each turn at it */
    assert_int_equal(groups.items[0].frames, LIMIT);
    groups_fini(&groups);
    snapshot_release(snapshot);
    callpaths_release(paths);
    assert_int_equal(vmem_bytes(&account), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_chain_of_calls_under_a_smaller_limit_is_grouped_at_once),
        cmocka_unit_test(random_snapshots_group_as_the_plain_way_does),
        cmocka_unit_test(a_recursive_function_counts_as_often_as_it_is_on_the_stack),
        cmocka_unit_test(frames_beyond_the_limit_do_not_count),
        cmocka_unit_test(sums_beyond_64_bits_stay_at_the_greatest_number),
        cmocka_unit_test(tracebacks_are_one_where_only_functions_or_cut_frames_differ),
        cmocka_unit_test(a_snapshot_without_rows_has_no_groups),
        cmocka_unit_test(whole_tracebacks_and_domains_do_not_cumulate),
        cmocka_unit_test(groups_keep_their_snapshot_alive),
        cmocka_unit_test(equal_keys_hash_alike_across_call_paths),
        cmocka_unit_test(threads_share_a_snapshot_while_its_paths_grow),
        cmocka_unit_test(without_memory_grouping_says_so_and_keeps_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
