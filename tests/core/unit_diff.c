/* Comparisons of two snapshots, on the same call paths and on different ones, against the plain way. */
#include "model.h"

#include "diff.h"

static struct vmem account;

static const enum key every_key[] = {KEY_FILENAME, KEY_LINENO, KEY_FUNCTION, KEY_TRACEBACK, KEY_DOMAIN};
enum { KEYS = sizeof every_key / sizeof *every_key };

static bool may_cumulate(enum key key) { return key != KEY_TRACEBACK && key != KEY_DOMAIN; }

static uint64_t distance(uint64_t a, uint64_t b) { return a > b ? a - b : b - a; }

static int order_changes(const struct model_stat *a, const struct model_stat *b) {
    MODEL_DESCENDING(distance(a->size, a->old_size), distance(b->size, b->old_size));
    MODEL_DESCENDING(a->size, b->size);
    MODEL_DESCENDING(distance(a->count, a->old_count), distance(b->count, b->old_count));
    MODEL_DESCENDING(a->count, b->count);
    MODEL_DESCENDING(a->domain, b->domain);
    return model_compare(&b->key, &a->key);
}

/* The statistics of `now` with the old numbers beside them, then the old ones that are gone; sorted. */
static struct model_stats model_diff(const struct snapshot *now, const struct snapshot *old, enum key key,
                                     bool cumulative) {
    struct model_stats stats = model_group(now, key, cumulative);
    struct model_stats gone = model_group(old, key, cumulative);
    size_t new_count = stats.count;
    for (size_t i = 0; i < gone.count; i++) {
        struct model_stat stat = gone.items[i];
        bool found = false;
        for (size_t j = 0; j < new_count && !found; j++) {
            found = model_same_key(&stats.items[j], &stat, key);
            if (found) {
                stats.items[j].old_size = stat.size;
                stats.items[j].old_count = stat.count;
            }
        }
        if (found)
            continue;
        stat.old_size = stat.size;
        stat.old_count = stat.count;
        stat.size = stat.count = 0;
        stats.items = realloc(stats.items, (stats.count + 1) * sizeof stat);
        assert_non_null(stats.items);
        stats.items[stats.count++] = stat;
    }
    free(gone.items);
    model_sort(&stats, order_changes);
    return stats;
}

static void assert_as_model(struct snapshot *now, struct snapshot *old, enum key key, bool cumulative) {
    struct changes changes;
    struct model_stats stats = model_diff(now, old, key, cumulative);
    assert_int_equal(diff(now, old, key, cumulative, &changes), STATUS_OK);
    assert_int_equal(changes.count, stats.count);
    for (size_t i = 0; i < changes.count; i++) {
        const struct change *change = &changes.items[i];
        struct model_stat stat = model_of_group(change->of_old ? old : now, &change->group, key);
        const struct model_stat *wanted = &stats.items[i];
        assert_int_equal(stat.size, wanted->size);
        assert_int_equal(stat.count, wanted->count);
        assert_int_equal(change->size_diff, (int64_t)(wanted->size - wanted->old_size));
        assert_int_equal(change->count_diff, (int64_t)(wanted->count - wanted->old_count));
        assert_true(model_same_key(&stat, wanted, key));
        if (stat.key.count > 0)
            assert_true(model_same_frame(&stat.key.frames[0], &wanted->key.frames[0]));
    }
    changes_fini(&changes);
    free(stats.items);
}

/* The first few of what changed are those of all changes, less those that are none. */
static void assert_first_few(struct snapshot *now, struct snapshot *old, enum key key, size_t most) {
    struct changes all, few;
    size_t changed = 0;
    assert_int_equal(diff(now, old, key, false, &all), STATUS_OK);
    assert_int_equal(diff_top(now, old, key, false, most, &few), STATUS_OK);
    for (size_t i = 0; i < all.count; i++) {
        const struct change *wanted = &all.items[i];
        if (wanted->size_diff == 0 && wanted->count_diff == 0)
            continue;
        if (changed < few.count) {
            const struct change *found = &few.items[changed];
            assert_int_equal(found->of_old, wanted->of_old);
            assert_int_equal(found->size_diff, wanted->size_diff);
            model_assert_same_group(&found->group, &wanted->group);
        }
        changed++;
    }
    assert_int_equal(few.all, changed);
    assert_int_equal(few.count, most < changed ? most : changed);
    changes_fini(&all);
    changes_fini(&few);
}

static void random_snapshots_compare_as_the_plain_way_does(void **state) {
    (void)state;
    uint64_t random = 3;
    for (int round = 0; round < 200; round++) {
        struct callpaths *paths = model_paths(&account, &random, support_below(&random, 40), 8);
        struct callpaths *others = model_paths(&account, &random, support_below(&random, 40), 8);
        uint32_t limit = 1 + support_below(&random, 9);
        struct snapshot *old = model_snapshot(&account, &random, paths, support_below(&random, 60), limit,
                                              VIEW_LIVE);
        struct snapshot *now = model_snapshot(&account, &random, round % 2 ? paths : others,
                                              support_below(&random, 60), limit, (enum view)(round % 3));
        for (size_t i = 0; i < KEYS; i++) {
            assert_as_model(now, old, every_key[i], false);
            assert_first_few(now, old, every_key[i], support_below(&random, 8));
            if (may_cumulate(every_key[i]))
                assert_as_model(now, old, every_key[i], true);
        }
        callpaths_release(paths);
        callpaths_release(others);
        snapshot_release(now);
        snapshot_release(old);
        assert_int_equal(vmem_bytes(&account), 0);
    }
}

static struct snapshot *one_row(struct callpaths *paths, uint64_t size, uint64_t count) {
    struct snapshot *snapshot = snapshot_new(&account, paths, 1, VIEW_TOTAL);
    struct row row = {.node = model_node(paths, 0, "a.py", "main", 1, 1), .size = size, .count = count};
    assert_int_equal(snapshot_add(snapshot, &row), STATUS_OK);
    return snapshot;
}

static void differences_beyond_63_bits_stay_at_the_ends(void **state) {
    (void)state;
    struct changes changes;
    struct callpaths *paths = callpaths_new(&account);
    struct snapshot *little = one_row(paths, 1, 2), *much = one_row(paths, UINT64_MAX, UINT64_MAX);
    assert_int_equal(diff(much, little, KEY_LINENO, false, &changes), STATUS_OK);
    assert_int_equal(changes.count, 1);
    assert_true(changes.items[0].size_diff == INT64_MAX && changes.items[0].count_diff == INT64_MAX);
    changes_fini(&changes);
    assert_int_equal(diff(little, much, KEY_LINENO, false, &changes), STATUS_OK);
    assert_true(changes.items[0].size_diff == -INT64_MAX && changes.items[0].count_diff == -INT64_MAX);
    assert_int_equal(changes.items[0].group.size, 1);
    changes_fini(&changes);
    snapshot_release(little);
    snapshot_release(much);
    callpaths_release(paths);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void a_snapshot_compared_with_itself_shows_no_difference(void **state) {
    (void)state;
    uint64_t random = 8;
    struct changes changes;
    struct callpaths *paths = model_paths(&account, &random, 30, 5);
    struct snapshot *snapshot = model_snapshot(&account, &random, paths, 50, 5, VIEW_LIVE);
    assert_int_equal(diff(snapshot, snapshot, KEY_TRACEBACK, false, &changes), STATUS_OK);
    assert_in_range(changes.count, 5, 50);
    for (size_t i = 0; i < changes.count; i++) {
        assert_int_equal(changes.items[i].size_diff, 0);
        assert_int_equal(changes.items[i].count_diff, 0);
        assert_false(changes.items[i].of_old);
    }
    snapshot_release(snapshot);
    callpaths_release(paths);
    changes_fini(&changes); /* kept both alive */
    assert_int_equal(vmem_bytes(&account), 0);
}

static void two_empty_snapshots_have_no_changes(void **state) {
    (void)state;
    struct changes changes;
    struct callpaths *paths = callpaths_new(&account);
    struct snapshot *snapshot = snapshot_new(&account, paths, 1, VIEW_LIVE);
    assert_int_equal(diff(snapshot, snapshot, KEY_LINENO, false, &changes), STATUS_OK);
    assert_int_equal(changes.count, 0);
    changes_fini(&changes);
    assert_int_equal(diff(snapshot, snapshot, KEY_TRACEBACK, true, &changes), STATUS_INVALID);
    changes_fini(&changes);
    snapshot_release(snapshot);
    callpaths_release(paths);
}

struct sweep {
    struct snapshot *now, *old;
    enum key key;
};

static status diff_once(void *context) {
    struct sweep *sweep = context;
    struct changes changes;
    status result = diff(sweep->now, sweep->old, sweep->key, false, &changes);
    if (result != STATUS_OK)
        assert_null(changes.items);
    changes_fini(&changes);
    return result;
}

static void without_memory_comparing_says_so_and_keeps_nothing(void **state) {
    (void)state;
    uint64_t random = 9;
    struct sweep sweep = {0};
    for (int i = 0; i < 2; i++) {
        struct callpaths *paths = model_paths(&account, &random, 40, 8);
        struct snapshot *snapshot = model_snapshot(&account, &random, paths, 60, 3, VIEW_LIVE);
        *(i == 0 ? &sweep.now : &sweep.old) = snapshot;
        callpaths_release(paths);
    }
    for (size_t i = 0; i < KEYS; i++) {
        sweep.key = every_key[i];
        assert_in_range(support_sweep(&account, diff_once, &sweep), 15, 1000);
        assert_true(snapshot_check(sweep.now) && snapshot_check(sweep.old));
    }
    snapshot_release(sweep.now);
    snapshot_release(sweep.old);
    assert_int_equal(vmem_bytes(&account), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_snapshots_compare_as_the_plain_way_does),
        cmocka_unit_test(differences_beyond_63_bits_stay_at_the_ends),
        cmocka_unit_test(a_snapshot_compared_with_itself_shows_no_difference),
        cmocka_unit_test(two_empty_snapshots_have_no_changes),
        cmocka_unit_test(without_memory_comparing_says_so_and_keeps_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
