/* Snapshots as columns, the sets of ids that go with them, and the sort that orders what they yield. */
#include "model.h"

#include "sort.h"

static struct vmem account;

static void rows_keep_their_order_and_content(void **state) {
    (void)state;
    uint64_t random = 1, again = 1;
    struct callpaths *paths = model_paths(&account, &random, 50, 6);
    again = random;
    struct snapshot *snapshot = model_snapshot(&account, &random, paths, 20000, 4, VIEW_LIVE);
    struct snapshot *twin = model_snapshot(&account, &again, paths, 20000, 4, VIEW_TOTAL);
    uint64_t entries = 0;
    for (size_t i = 0; i < snapshot->row_count; i++) {
        assert_memory_equal(snapshot_row(snapshot, i), snapshot_row(twin, i), sizeof(struct row));
        entries += snapshot_row(snapshot, i)->count;
    }
    assert_int_equal(snapshot->entries, entries);
    assert_int_equal(twin->entries, 20000);
    assert_true(snapshot_check(snapshot) && snapshot_check(twin));
    snapshot_release(twin);
    callpaths_release(paths);
    snapshot_retain(snapshot);
    snapshot_release(snapshot);
    assert_int_equal(snapshot_row(snapshot, 0)->process, 0); /* one reference left: still there */
    snapshot_release(snapshot);
    snapshot_release(NULL);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void a_row_knows_its_bytes_and_never_wraps(void **state) {
    (void)state;
    struct callpaths *paths = callpaths_new(&account);
    struct snapshot *live = snapshot_new(&account, paths, 1, VIEW_LIVE);
    struct snapshot *peak = snapshot_new(&account, paths, 1, VIEW_PEAK);
    struct row row = {.size = 5, .count = 3};
    assert_int_equal(row_bytes(live, &row), 15);
    assert_int_equal(row_bytes(peak, &row), 5);
    row = (struct row){.size = UINT64_MAX / 2 + 1, .count = 2};
    assert_true(row_bytes(live, &row) == UINT64_MAX);
    assert_true(row_bytes(peak, &row) == UINT64_MAX / 2 + 1);
    snapshot_release(live);
    snapshot_release(peak);
    callpaths_release(paths);
}

static void more_entries_than_64_bits_count_are_refused(void **state) {
    (void)state;
    struct callpaths *paths = callpaths_new(&account);
    struct snapshot *snapshot = snapshot_new(&account, paths, 1, VIEW_LIVE);
    struct row row = {.size = 1, .count = UINT64_MAX};
    assert_int_equal(snapshot_add(snapshot, &row), STATUS_OK);
    row.count = 1;
    assert_int_equal(snapshot_add(snapshot, &row), STATUS_FULL);
    assert_int_equal(snapshot->row_count, 1);
    assert_true(snapshot_check(snapshot));
    snapshot_release(snapshot);
    callpaths_release(paths);
}

static void check_finds_a_broken_snapshot(void **state) {
    (void)state;
    uint64_t random = 1;
    struct callpaths *paths = model_paths(&account, &random, 5, 3);
    struct snapshot *snapshot = model_snapshot(&account, &random, paths, 3, 2, VIEW_LIVE);
    struct row *row = &snapshot->own->rows[1], sound = *row;
    row->node = paths->node_count;
    assert_false(snapshot_check(snapshot));
    *row = sound;
    row->count = 0;
    assert_false(snapshot_check(snapshot));
    *row = sound;
    row->count++;
    assert_false(snapshot_check(snapshot));
    *row = sound;
    assert_true(snapshot_check(snapshot));
    snapshot_release(snapshot);
    callpaths_release(paths);
}

static void the_files_of_a_snapshot_are_those_of_its_kept_frames(void **state) {
    (void)state;
    uint64_t random = 4;
    for (int round = 0; round < 200; round++) {
        struct callpaths *paths = model_paths(&account, &random, support_below(&random, 30), 10);
        uint32_t limit = 1 + support_below(&random, 6);
        struct snapshot *snapshot = model_snapshot(&account, &random, paths, support_below(&random, 6), limit,
                                                   VIEW_LIVE);
        struct idset files;
        assert_int_equal(snapshot_files(snapshot, &files), STATUS_OK);
        bool wanted[64] = {0};
        for (size_t i = 0; i < snapshot->row_count; i++) {
            uint32_t node = snapshot_row(snapshot, i)->node, frames = path_frames(paths, node, limit);
            assert_int_equal(frames, model_path_of(snapshot, node).count);
            for (uint32_t j = 0; j < frames; j++, node = node_get(paths, node)->parent)
                wanted[site_get(paths, node_get(paths, node)->site)->file] = true;
        }
        assert_int_equal(files.end, paths->strings.count);
        for (uint32_t id = 0; id < files.end; id++)
            assert_int_equal(idset_has(&files, id), wanted[id]);
        idset_fini(&files);
        snapshot_release(snapshot);
        callpaths_release(paths);
        assert_int_equal(vmem_bytes(&account), 0);
    }
}

static void a_set_numbers_its_members_without_gaps(void **state) {
    (void)state;
    uint64_t random = 6;
    for (uint32_t end = 0; end < 400; end += 1 + end / 9) {
        struct idset set;
        bool model[400] = {0};
        assert_int_equal(idset_init(&set, &account, end), STATUS_OK);
        for (uint32_t i = 0; i < end / 3; i++) {
            uint32_t id = support_below(&random, end);
            idset_add(&set, id);
            model[id] = true;
        }
        assert_int_equal(idset_count(&set), STATUS_OK);
        uint32_t count = 0, next = idset_next(&set, 0);
        for (uint32_t id = 0; id < end; id++) {
            assert_int_equal(idset_index(&set, id), count);
            assert_int_equal(idset_has(&set, id), model[id]);
            if (!model[id])
                continue;
            assert_int_equal(next, id);
            next = idset_next(&set, id + 1);
            count++;
        }
        assert_int_equal(next, end);
        assert_int_equal(set.count, count);
        assert_true(idset_bytes(&set) * 8 >= end);
        idset_fini(&set);
        assert_int_equal(vmem_bytes(&account), 0);
    }
}

/* By the tens of what the indexes stand for, descending; equal tens stay as they are. */
static int order_tens(const void *owner, uint64_t a, uint64_t b) {
    const uint32_t *numbers = owner;
    return (int)(numbers[b] / 10) - (int)(numbers[a] / 10);
}

static void sorting_is_stable_and_by_rank_first(void **state) {
    (void)state;
    enum { MOST = 300 };
    uint64_t random = 7;
    uint32_t numbers[MOST] = {0};
    struct sort_item items[MOST], spare[MOST];
    for (size_t count = 0; count < MOST; count++) {
        for (size_t i = 0; i < count; i++) {
            numbers[i] = support_below(&random, 100);
            items[i] = (struct sort_item){support_below(&random, 4), i};
        }
        sort_items(items, spare, count, order_tens, numbers);
        uint64_t sum = 0;
        for (size_t i = 0; i < count; i++) {
            sum += items[i].index;
            if (i == 0)
                continue;
            assert_true(items[i - 1].rank >= items[i].rank);
            int order = order_tens(numbers, items[i - 1].index, items[i].index);
            if (items[i - 1].rank == items[i].rank)
                assert_true(order < 0 || (order == 0 && items[i - 1].index < items[i].index));
        }
        assert_int_equal(sum, count * (count - 1) / 2);
    }
}

static status build_once(void *context) {
    struct callpaths *paths = context;
    struct snapshot *snapshot = snapshot_new(&account, paths, 3, VIEW_LIVE);
    status result = snapshot == NULL ? STATUS_NOMEM : STATUS_OK;
    for (uint32_t i = 0; i < 5000 && result == STATUS_OK; i++) {
        struct row row = {.node = i % paths->node_count, .size = i, .count = 1};
        size_t before = snapshot->row_count;
        result = snapshot_add(snapshot, &row);
        assert_int_equal(snapshot->row_count, before + (result == STATUS_OK));
        assert_true(i % 512 != 0 || snapshot_check(snapshot));
    }
    struct idset files = {0};
    if (result == STATUS_OK)
        result = snapshot_files(snapshot, &files);
    if (result == STATUS_OK)
        result = idset_count(&files);
    idset_fini(&files);
    snapshot_release(snapshot);
    return result;
}

static void without_memory_building_says_so_and_keeps_nothing(void **state) {
    (void)state;
    uint64_t random = 9;
    struct callpaths *paths = model_paths(&account, &random, 40, 8);
    assert_in_range(support_sweep(&account, build_once, paths), 10, 1000);
    assert_int_equal(paths->references, 1);
    callpaths_release(paths);
    assert_int_equal(vmem_bytes(&account), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_keep_their_order_and_content),
        cmocka_unit_test(a_row_knows_its_bytes_and_never_wraps),
        cmocka_unit_test(more_entries_than_64_bits_count_are_refused),
        cmocka_unit_test(check_finds_a_broken_snapshot),
        cmocka_unit_test(the_files_of_a_snapshot_are_those_of_its_kept_frames),
        cmocka_unit_test(a_set_numbers_its_members_without_gaps),
        cmocka_unit_test(sorting_is_stable_and_by_rank_first),
        cmocka_unit_test(without_memory_building_says_so_and_keeps_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
