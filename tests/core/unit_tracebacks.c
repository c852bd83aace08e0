/* Tracebacks numbered by content and in order, of one snapshot or two, against comparing each with each. */
#include "model.h"
#include "tracebacks.h"

static struct vmem account;

static int sign(int number) { return (number > 0) - (number < 0); }

/* Every two rows, of whichever sides: their numbers compare as their frames do. */
static void assert_ordered(const struct tracebacks *tracebacks, int side, const struct row *row,
                           int other_side, const struct row *other_row) {
    struct model_path path = model_path_of(tracebacks->sides[side], row->node);
    struct model_path other = model_path_of(tracebacks->sides[other_side], other_row->node);
    uint32_t number = traceback_number(tracebacks, side, row->node);
    uint32_t other_number = traceback_number(tracebacks, other_side, other_row->node);
    assert_in_range(number, 0, tracebacks->count - 1);
    assert_int_equal(sign(model_compare(&path, &other)), (number > other_number) - (number < other_number));
    assert_int_equal(tracebacks->items[number].frames, path.count);
}

static void assert_all_ordered(struct snapshot *first, struct snapshot *second) {
    struct tracebacks tracebacks;
    assert_int_equal(tracebacks_init(&tracebacks, first, second), STATUS_OK);
    for (int side = 0; side < 2 && tracebacks.sides[side] != NULL; side++) {
        for (int other = 0; other < 2 && tracebacks.sides[other] != NULL; other++) {
            for (size_t i = 0; i < tracebacks.sides[side]->row_count; i++) {
                for (size_t j = 0; j < tracebacks.sides[other]->row_count; j++)
                    assert_ordered(&tracebacks, side, snapshot_row(tracebacks.sides[side], i), other,
                                   snapshot_row(tracebacks.sides[other], j));
            }
        }
    }
    tracebacks_fini(&tracebacks);
}

static void numbers_compare_as_frames_do(void **state) {
    (void)state;
    uint64_t random = 1;
    for (int round = 0; round < 200; round++) {
        struct callpaths *paths = model_paths(&account, &random, support_below(&random, 60), 14);
        struct callpaths *others = model_paths(&account, &random, support_below(&random, 60), 14);
        uint32_t rows = support_below(&random, 50);
        struct snapshot *first = model_snapshot(&account, &random, paths, rows,
                                                1 + support_below(&random, 16), VIEW_LIVE);
        struct snapshot *same = model_snapshot(&account, &random, paths, support_below(&random, 50),
                                               1 + support_below(&random, 16), VIEW_LIVE);
        struct snapshot *other = model_snapshot(&account, &random, others, support_below(&random, 50),
                                                first->limit, VIEW_LIVE);
        assert_all_ordered(first, NULL);
        assert_all_ordered(first, same);
        assert_all_ordered(first, other);
        snapshot_release(first);
        snapshot_release(same);
        snapshot_release(other);
        callpaths_release(paths);
        callpaths_release(others);
        assert_int_equal(vmem_bytes(&account), 0);
    }
}

/* a a a a ... : every node's kept frames are those of its neighbours. */
static void a_deep_recursion_has_one_traceback_for_each_length_up_to_the_limit(void **state) {
    (void)state;
    struct tracebacks tracebacks;
    struct callpaths *paths = callpaths_new(&account);
    struct snapshot *snapshot = snapshot_new(&account, paths, 7, VIEW_LIVE);
    uint32_t node = 0;
    for (int i = 0; i < 300; i++) {
        node = model_node(paths, node, "a.py", "main", 1, 1);
        assert_int_equal(snapshot_add(snapshot, &(struct row){.node = node, .size = 1, .count = 1}),
                         STATUS_OK);
    }
    assert_int_equal(tracebacks_init(&tracebacks, snapshot, NULL), STATUS_OK);
    assert_int_equal(tracebacks.count, 7);
    assert_int_equal(traceback_number(&tracebacks, 0, node), 6);
    tracebacks_fini(&tracebacks);
    snapshot_release(snapshot);
    callpaths_release(paths);
    assert_int_equal(vmem_bytes(&account), 0);
}

static status number_once(void *context) {
    struct snapshot **sides = context;
    struct tracebacks tracebacks;
    status result = tracebacks_init(&tracebacks, sides[0], sides[1]);
    if (result != STATUS_OK)
        assert_null(tracebacks.items);
    tracebacks_fini(&tracebacks);
    return result;
}

static void without_memory_nothing_is_kept(void **state) {
    (void)state;
    uint64_t random = 9;
    struct callpaths *paths = model_paths(&account, &random, 40, 8);
    struct callpaths *others = model_paths(&account, &random, 40, 8);
    struct snapshot *sides[2] = {model_snapshot(&account, &random, paths, 60, 3, VIEW_LIVE),
                                 model_snapshot(&account, &random, others, 60, 5, VIEW_LIVE)};
    assert_in_range(support_sweep(&account, number_once, sides), 10, 1000);
    snapshot_release(sides[0]);
    snapshot_release(sides[1]);
    callpaths_release(paths);
    callpaths_release(others);
    assert_int_equal(vmem_bytes(&account), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_compare_as_frames_do),
        cmocka_unit_test(a_deep_recursion_has_one_traceback_for_each_length_up_to_the_limit),
        cmocka_unit_test(without_memory_nothing_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
