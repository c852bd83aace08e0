/* The call tree against sums over all rows; its order; without memory. */
#include "branches.h"
#include "model.h"

static struct vmem account;

/* Is `node` at or below the call path of `above`, by sites? */
static bool same_path(const struct callpaths *paths, uint32_t a, uint32_t b) {
    for (; a != 0 && b != 0; a = node_get(paths, a)->parent, b = node_get(paths, b)->parent) {
        if (node_get(paths, a)->site != node_get(paths, b)->site)
            return false;
    }
    return a == b;
}

static bool is_below(const struct callpaths *paths, uint32_t node, uint32_t above) {
    for (;; node = node_get(paths, node)->parent) {
        if (same_path(paths, node, above))
            return true;
        if (node == 0)
            return false;
    }
}

static void assert_sums(const struct branches *branches, const struct branch *item) {
    const struct snapshot *snapshot = branches->snapshot;
    uint64_t size = 0, count = 0, own_size = 0, own_count = 0;
    for (size_t i = 0; i < snapshot->row_count; i++) {
        const struct row *row = snapshot_row(snapshot, i);
        if (same_path(snapshot->paths, row->node, item->node)) {
            own_size += row_bytes(snapshot, row);
            own_count += row->count;
        }
        if (is_below(snapshot->paths, row->node, item->node)) {
            size += row_bytes(snapshot, row);
            count += row->count;
        }
    }
    assert_int_equal(item->own_size, own_size);
    assert_int_equal(item->own_count, own_count);
    assert_int_equal(item->size, size);
    assert_int_equal(item->count, count);
}

/* Of the first `most`; nothing behind them is bigger. */
static void assert_descending(struct branches *branches, uint32_t id, uint32_t most) {
    const struct branch *item = &branches->items[id];
    assert_int_equal(branches_sort(branches, id, most), STATUS_OK);
    for (uint32_t i = 1; i < item->child_count && most > 0; i++) {
        uint32_t at = i < most ? i - 1 : most - 1;
        const struct branch *before = &branches->items[branches->children[item->first_child + at]];
        const struct branch *child = &branches->items[branches->children[item->first_child + i]];
        assert_true(before->size > child->size ||
                    (before->size == child->size && before->count >= child->count));
        assert_false(same_path(branches->snapshot->paths, before->node, child->node));
    }
}

static void every_call_has_the_sums_of_its_rows(void **state) {
    (void)state;
    uint64_t random = 3;
    for (int round = 0; round < 200; round++) {
        struct branches branches;
        struct callpaths *paths = model_paths(&account, &random, support_below(&random, 60), 14);
        struct snapshot *snapshot = model_snapshot(&account, &random, paths, support_below(&random, 60), 3,
                                                   (enum view)(round % 3));
        assert_int_equal(branches_init(&branches, snapshot), STATUS_OK);
        snapshot_release(snapshot); /* the tree keeps it alive */
        assert_true(branches_check(&branches));
        for (uint32_t id = 0; id < branches.count; id++) {
            uint32_t children = branches.items[id].child_count;
            assert_sums(&branches, &branches.items[id]);
            for (uint32_t most = 0; most <= children; most += 1 + support_below(&random, children + 1))
                assert_descending(&branches, id, most);
            assert_descending(&branches, id, UINT32_MAX);
        }
        assert_true(branches_check(&branches));
        branches_fini(&branches);
        callpaths_release(paths);
        assert_int_equal(vmem_bytes(&account), 0);
    }
}

static status make_once(void *context) {
    struct branches branches;
    status result = branches_init(&branches, context);
    if (result != STATUS_OK)
        assert_null(branches.snapshot);
    for (uint32_t id = 0; id < branches.count && result == STATUS_OK; id++)
        result = branches_sort(&branches, id, UINT32_MAX);
    branches_fini(&branches);
    return result;
}

static void without_memory_there_is_no_tree_and_nothing_is_kept(void **state) {
    (void)state;
    uint64_t random = 9;
    struct callpaths *paths = model_paths(&account, &random, 40, 8);
    struct snapshot *snapshot = model_snapshot(&account, &random, paths, 60, 3, VIEW_LIVE);
    assert_in_range(support_sweep(&account, make_once, snapshot), 5, 1000);
    snapshot_release(snapshot);
    callpaths_release(paths);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void add_block(struct snapshot *snapshot, uint32_t node) {
    struct row row = {.node = node, .size = 10, .count = 1};
    assert_int_equal(snapshot_add(snapshot, &row), STATUS_OK);
}

static void what_is_called_from_a_line_that_was_reached_at_two_depths_is_one_call(void **state) {
    (void)state;
    struct branches branches;
    struct callpaths *paths = callpaths_new(&account);
    struct snapshot *snapshot = snapshot_new(&account, paths, 9, VIEW_LIVE);
    uint32_t first = model_node(paths, 0, "a.py", "main", 1, 1),
             other = model_node(paths, 0, "b.py", "main", 1, 1);
    uint32_t called = model_node(paths, first, "a.py", "load", 2, 2);
    uint32_t again = model_node(paths, 0, "a.py", "main", 1, 5);
    add_block(snapshot, model_node(paths, called, "a.py", "parse", 3, 3));
    add_block(snapshot,
              model_node(paths, model_node(paths, other, "a.py", "load", 2, 2), "a.py", "parse", 3, 3));
    add_block(snapshot,
              model_node(paths, model_node(paths, again, "a.py", "load", 2, 6), "a.py", "parse", 3, 7));
    assert_int_equal(branches_init(&branches, snapshot), STATUS_OK);
    assert_true(branches_check(&branches));
    assert_int_equal(branches.count, 1 + 2 + 2 + 2); /* the root, main twice, and what each leads to */
    assert_int_equal(branches.items[0].child_count, 2);
    assert_int_equal(branches.items[1].size, 20);
    branches_fini(&branches);
    snapshot_release(snapshot);
    callpaths_release(paths);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void a_line_that_was_reached_at_two_depths_is_one_call(void **state) {
    (void)state;
    struct branches branches;
    struct callpaths *paths = callpaths_new(&account);
    struct snapshot *snapshot = snapshot_new(&account, paths, 1, VIEW_LIVE);
    for (uint32_t depth = 1; depth < 5; depth++) {
        struct row row = {.node = model_node(paths, 0, "a.py", "main", 1, depth), .size = 10, .count = 1};
        assert_int_equal(snapshot_add(snapshot, &row), STATUS_OK);
    }
    assert_int_equal(branches_init(&branches, snapshot), STATUS_OK);
    assert_int_equal(branches.count, 2);
    assert_int_equal(branches.items[1].own_size, 40);
    branches_fini(&branches);
    snapshot_release(snapshot);
    callpaths_release(paths);
    assert_int_equal(vmem_bytes(&account), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_has_the_sums_of_its_rows),
        cmocka_unit_test(a_line_that_was_reached_at_two_depths_is_one_call),
        cmocka_unit_test(what_is_called_from_a_line_that_was_reached_at_two_depths_is_one_call),
        cmocka_unit_test(without_memory_there_is_no_tree_and_nothing_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
