/* What grows in every step, against looking through all groups of all snapshots; its order; without memory. */
#include "growth.h"
#include "model.h"

static struct vmem account;

enum { SERIES = 4 };

/* The bytes of a key in a snapshot, found by looking at every group. */
static uint64_t size_in(const struct groups *groups, const struct snapshot *owner, const struct group *group,
                        enum key key) {
    for (size_t i = 0; i < groups->count; i++) {
        if (group_equal(owner, group, groups->snapshot, &groups->items[i], key))
            return groups->items[i].size;
    }
    return 0;
}

static bool grows(const uint64_t *sizes, size_t count) {
    bool result = true;
    for (size_t i = 1; i < count; i++)
        result = result && sizes[i] > sizes[i - 1];
    return result;
}

static void assert_growth(const struct growth *growth, const struct groups *all, size_t count, enum key key) {
    const struct groups *last = &all[count - 1];
    size_t expected = 0;
    for (size_t i = 0; i < last->count; i++) {
        uint64_t sizes[SERIES];
        for (size_t k = 0; k < count; k++)
            sizes[k] = size_in(&all[k], last->snapshot, &last->items[i], key);
        if (!grows(sizes, count))
            continue;
        expected++;
        size_t at = 0;
        while (at < growth->groups.count &&
               !group_equal(last->snapshot, &last->items[i], last->snapshot, &growth->groups.items[at], key))
            at++;
        assert_in_range(at, 0, growth->groups.count - 1);
        assert_memory_equal(growth_sizes(growth, at), sizes, count * sizeof *sizes);
        assert_int_equal(growth->groups.items[at].size, sizes[count - 1]);
    }
    assert_int_equal(growth->groups.count, expected);
}

static void assert_descending(const struct growth *growth) {
    for (size_t i = 1; i < growth->groups.count; i++) {
        const uint64_t *a = growth_sizes(growth, i - 1), *b = growth_sizes(growth, i);
        assert_true(a[growth->series - 1] - a[0] >= b[growth->series - 1] - b[0]);
    }
}

/* Snapshots with call paths of their own, or with one set, the later ones with more rows. */
static void make_series(struct snapshot **series, size_t count, uint64_t *random, bool shared) {
    struct callpaths *paths = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!shared || paths == NULL) {
            callpaths_release(paths);
            paths = model_paths(&account, random, 6, 4);
        }
        series[i] = model_snapshot(&account, random, paths, 10 + 30 * (uint32_t)i, 3, VIEW_TOTAL);
    }
    callpaths_release(paths);
}

/* In any order: the last one comes first, the others as they come. */
static status grow(struct growth *growth, struct snapshot *const *series, size_t count, enum key key,
                   bool cumulative, size_t most) {
    status result = growth_init(growth, series[count - 1], count, key, cumulative);
    for (size_t i = count - 1; i-- > 0 && result == STATUS_OK;)
        result = growth_note(growth, series[i], i);
    return result == STATUS_OK ? growth_sort(growth, most) : result;
}

static void what_grows_is_what_a_plain_search_finds(void **state) {
    (void)state;
    static const enum key keys[] = {KEY_FILENAME,  KEY_LINENO, KEY_FUNCTION,
                                    KEY_TRACEBACK, KEY_DOMAIN, KEY_PROCESS};
    uint64_t random = 5;
    size_t found = 0;
    for (int round = 0; round < 240; round++) {
        enum key key = keys[round % 6];
        bool cumulative = round % 4 == 0 && key <= KEY_LINENO;
        size_t count = 2 + (size_t)round % (SERIES - 1);
        struct snapshot *series[SERIES];
        struct groups all[SERIES];
        struct growth growth;
        make_series(series, count, &random, round % 3 == 0);
        assert_int_equal(grow(&growth, series, count, key, cumulative, SIZE_MAX), STATUS_OK);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(groupby(series[i], key, cumulative, &all[i]), STATUS_OK);
            snapshot_release(series[i]); /* the groups keep it */
        }
        assert_growth(&growth, all, count, key);
        assert_descending(&growth);
        found += growth.groups.count;
        growth_fini(&growth);
        for (size_t i = 0; i < count; i++)
            groups_fini(&all[i]);
        assert_int_equal(vmem_bytes(&account), 0);
    }
    assert_true(found > 100);
}

static void of_empty_snapshots_nothing_grows(void **state) {
    (void)state;
    struct callpaths *paths = callpaths_new(&account);
    struct snapshot *empty = snapshot_new(&account, paths, 1, VIEW_LIVE);
    struct growth growth;
    for (enum key key = KEY_FILENAME; key <= KEY_PROCESS; key++) {
        assert_int_equal(grow(&growth, (struct snapshot *[]){empty, empty, empty}, 3, key, false, 5),
                         STATUS_OK);
        assert_int_equal(growth.groups.count, 0);
        growth_fini(&growth);
    }
    snapshot_release(empty);
    callpaths_release(paths);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void the_first_few_of_what_grows_are_those_of_all(void **state) {
    (void)state;
    uint64_t random = 8;
    size_t found = 0;
    for (int round = 0; round < 100; round++) {
        enum key key = round % 2 ? KEY_TRACEBACK : KEY_LINENO;
        size_t most = support_below(&random, 6);
        struct snapshot *series[3];
        struct growth all, few;
        make_series(series, 3, &random, false);
        assert_int_equal(grow(&all, series, 3, key, false, SIZE_MAX), STATUS_OK);
        assert_int_equal(grow(&few, series, 3, key, false, most), STATUS_OK);
        assert_int_equal(few.groups.all, all.groups.count);
        assert_int_equal(few.groups.count, most < all.groups.count ? most : all.groups.count);
        assert_int_equal(few.bytes, all.bytes);
        for (size_t i = 0; i < few.groups.count; i++, found++) {
            model_assert_same_group(&few.groups.items[i], &all.groups.items[i]);
            assert_memory_equal(growth_sizes(&few, i), growth_sizes(&all, i), 3 * sizeof(uint64_t));
        }
        growth_fini(&all);
        growth_fini(&few);
        for (size_t i = 0; i < 3; i++)
            snapshot_release(series[i]);
    }
    assert_true(found > 20);
    assert_int_equal(vmem_bytes(&account), 0);
}

struct sweep {
    struct snapshot *series[3];
    enum key key;
};

static status make_once(void *context) {
    struct sweep *sweep = context;
    struct growth growth;
    status result = grow(&growth, sweep->series, 3, sweep->key, false, SIZE_MAX);
    growth_fini(&growth);
    return result;
}

static void without_memory_there_is_no_answer_and_nothing_is_kept(void **state) {
    (void)state;
    uint64_t random = 11;
    struct sweep sweep;
    make_series(sweep.series, 3, &random, false);
    for (sweep.key = KEY_FILENAME; sweep.key <= KEY_PROCESS; sweep.key++)
        assert_in_range(support_sweep(&account, make_once, &sweep), 10, 1000);
    for (size_t i = 0; i < 3; i++)
        snapshot_release(sweep.series[i]);
    assert_int_equal(vmem_bytes(&account), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_grows_is_what_a_plain_search_finds),
        cmocka_unit_test(the_first_few_of_what_grows_are_those_of_all),
        cmocka_unit_test(of_empty_snapshots_nothing_grows),
        cmocka_unit_test(without_memory_there_is_no_answer_and_nothing_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
