/* Snapshots of several processes as one, and one taken away from another. */
#include "merge.h"
#include "model.h"
#include "subtract.h"

static struct vmem account;

static struct string text(const char *name) { return (struct string){name, strlen(name)}; }

static void assert_same_row(const struct snapshot *a, const struct row *left, const struct snapshot *b,
                            const struct row *right) {
    struct model_path path = model_path_of(a, left->node), other = model_path_of(b, right->node);
    assert_int_equal(left->domain, right->domain);
    assert_int_equal(left->depth, right->depth);
    assert_int_equal(left->size, right->size);
    assert_int_equal(left->count, right->count);
    assert_int_equal(path.count, other.count);
    for (size_t i = 0; i < path.count; i++) {
        assert_true(model_same_frame(&path.frames[i], &other.frames[i]));
        assert_string_equal(path.frames[i].function, other.frames[i].function);
    }
}

static void assert_part(const struct snapshot *merged, size_t start, const struct snapshot *part,
                        const char *process) {
    for (size_t i = 0; i < part->row_count; i++) {
        const struct row *row = snapshot_row(merged, start + i);
        struct string name = strtab_get(&merged->paths->strings, row->process);
        assert_same_row(merged, row, part, snapshot_row(part, i));
        assert_int_equal(name.length, strlen(process));
        assert_memory_equal(name.bytes, process, name.length);
    }
}

static void merged_rows_are_those_of_the_parts_with_their_processes(void **state) {
    (void)state;
    uint64_t random = 5;
    for (int round = 0; round < 200; round++) {
        struct snapshot *merged, *again, *part;
        struct callpaths *paths = model_paths(&account, &random, support_below(&random, 60), 14);
        struct callpaths *others = model_paths(&account, &random, support_below(&random, 60), 14);
        enum view view = (enum view)(round % 3);
        struct snapshot *a = model_snapshot(&account, &random, paths, support_below(&random, 40),
                                            1 + support_below(&random, 16), view);
        struct snapshot *b = model_snapshot(&account, &random, others, support_below(&random, 40),
                                            1 + support_below(&random, 16), view);
        const struct merge_part parts[] = {{a, text("web-1")}, {b, text("web-2")}};
        assert_int_equal(merge(&account, parts, 2, &merged), STATUS_OK);
        assert_true(snapshot_check(merged));
        assert_true(callpaths_check(merged->paths));
        assert_int_equal(merged->row_count, a->row_count + b->row_count);
        assert_part(merged, 0, a, "web-1");
        assert_part(merged, a->row_count, b, "web-2");
        const struct merge_part whole[] = {{merged, text("outer")}};
        assert_int_equal(merge(&account, whole, 1, &again), STATUS_OK);
        assert_part(again, 0, a, "web-1"); /* the inner processes are kept */
        if (b->row_count > 0) {
            uint32_t process = snapshot_row(merged, a->row_count)->process;
            assert_int_equal(rows_of_process(merged, process, &part), STATUS_OK);
            assert_int_equal(part->row_count, b->row_count);
            assert_part(part, 0, b, "web-2");
            snapshot_release(part);
        }
        snapshot_release(a);
        snapshot_release(b);
        snapshot_release(merged);
        snapshot_release(again);
        callpaths_release(paths);
        callpaths_release(others);
        assert_int_equal(vmem_bytes(&account), 0);
    }
}

static void parts_of_different_views_are_refused(void **state) {
    (void)state;
    uint64_t random = 1;
    struct snapshot *merged;
    struct callpaths *paths = model_paths(&account, &random, 5, 3);
    struct snapshot *live = model_snapshot(&account, &random, paths, 3, 3, VIEW_LIVE);
    struct snapshot *peak = model_snapshot(&account, &random, paths, 3, 3, VIEW_PEAK);
    const struct merge_part parts[] = {{live, text("a")}, {peak, text("b")}};
    assert_int_equal(merge(&account, parts, 2, &merged), STATUS_INVALID);
    assert_int_equal(merge(&account, parts, 0, &merged), STATUS_INVALID);
    assert_null(merged);
    assert_int_equal(subtract(live, peak, &merged), STATUS_INVALID);
    assert_int_equal(subtract(peak, peak, &merged), STATUS_INVALID);
    assert_null(merged);
    snapshot_release(live);
    snapshot_release(peak);
    callpaths_release(paths);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void a_snapshot_less_itself_is_empty_and_less_nothing_is_itself(void **state) {
    (void)state;
    uint64_t random = 6;
    for (int round = 0; round < 100; round++) {
        struct snapshot *left;
        struct callpaths *paths = model_paths(&account, &random, support_below(&random, 60), 14);
        struct snapshot *snapshot = model_snapshot(&account, &random, paths, support_below(&random, 60), 3,
                                                   round % 2 == 0 ? VIEW_LIVE : VIEW_TOTAL);
        struct snapshot *none = model_snapshot(&account, &random, paths, 0, 3, snapshot->view);
        const struct merge_part parts[] = {{snapshot, {NULL, 0}}};
        struct snapshot *copy;
        assert_int_equal(merge(&account, parts, 1, &copy), STATUS_OK); /* on call paths of its own */
        assert_int_equal(subtract(snapshot, snapshot, &left), STATUS_OK);
        assert_int_equal(left->row_count, 0);
        snapshot_release(left);
        assert_int_equal(subtract(snapshot, copy, &left), STATUS_OK);
        assert_int_equal(left->row_count, 0);
        snapshot_release(left);
        assert_int_equal(subtract(snapshot, none, &left), STATUS_OK);
        assert_int_equal(left->row_count, snapshot->row_count);
        for (size_t i = 0; i < left->row_count; i++)
            assert_same_row(left, snapshot_row(left, i), snapshot, snapshot_row(snapshot, i));
        snapshot_release(left);
        snapshot_release(copy);
        snapshot_release(none);
        snapshot_release(snapshot);
        callpaths_release(paths);
        assert_int_equal(vmem_bytes(&account), 0);
    }
}

struct sweep {
    struct snapshot *a, *b;
};

static status merge_once(void *context) {
    struct sweep *sweep = context;
    struct snapshot *merged;
    const struct merge_part parts[] = {{sweep->a, text("a")}, {sweep->b, text("b")}};
    status result = merge(&account, parts, 2, &merged);
    if (result != STATUS_OK)
        assert_null(merged);
    snapshot_release(merged);
    return result;
}

static status subtract_once(void *context) {
    struct sweep *sweep = context;
    struct snapshot *left;
    status result = subtract(sweep->a, sweep->b, &left);
    if (result != STATUS_OK)
        assert_null(left);
    snapshot_release(left);
    return result;
}

static status choose_once(void *context) {
    struct snapshot *rows;
    status result = rows_of_process(((struct sweep *)context)->a, 0, &rows);
    if (result != STATUS_OK)
        assert_null(rows);
    snapshot_release(rows);
    return result;
}

static void without_memory_nothing_is_kept(void **state) {
    (void)state;
    uint64_t random = 9;
    struct callpaths *paths = model_paths(&account, &random, 40, 8),
                     *others = model_paths(&account, &random, 40, 8);
    struct sweep sweep = {model_snapshot(&account, &random, paths, 60, 3, VIEW_LIVE),
                          model_snapshot(&account, &random, others, 60, 5, VIEW_LIVE)};
    assert_in_range(support_sweep(&account, merge_once, &sweep), 10, 1000);
    assert_in_range(support_sweep(&account, subtract_once, &sweep), 10, 1000);
    assert_in_range(support_sweep(&account, choose_once, &sweep), 2, 1000);
    snapshot_release(sweep.a);
    snapshot_release(sweep.b);
    callpaths_release(paths);
    callpaths_release(others);
    assert_int_equal(vmem_bytes(&account), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merged_rows_are_those_of_the_parts_with_their_processes),
        cmocka_unit_test(parts_of_different_views_are_refused),
        cmocka_unit_test(a_snapshot_less_itself_is_empty_and_less_nothing_is_itself),
        cmocka_unit_test(without_memory_nothing_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
