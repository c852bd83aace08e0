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

static void assert_descending(const struct branches *branches, const struct branch *item) {
    for (uint32_t i = 1; i < item->child_count; i++) {
        const struct branch *before = &branches->items[branches->children[item->first_child + i - 1]];
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
            assert_sums(&branches, &branches.items[id]);
            assert_descending(&branches, &branches.items[id]);
        }
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
        cmocka_unit_test(without_memory_there_is_no_tree_and_nothing_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
