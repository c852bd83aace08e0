/* The table of calls: sums against the rows of every snapshot, whatever is cut, in memory and in files; which calls stay;
 * without memory. */
#include "branches.h"
#include "calltable.h"
#include "snapfile_maker.h"

static struct vmem account;

static const struct calltable_cut everything = {UINT32_MAX, UINT32_MAX, 0};

/* Of snapshots in memory. */
static status make_table(struct calltable *table, struct snapshot *const *snapshots, size_t count,
                         bool compared, struct calltable_cut cut) {
    struct viewsource sources[4];
    for (size_t at = 0; at < count; at++)
        sources[at] = (struct viewsource){
            .view = snapshots[at]->view, .paths = snapshots[at]->paths, .columns = snapshots[at]};
    return calltable_init(table, &account, sources, count, compared, cut);
}

struct totals {
    uint64_t size, count;
};

static struct totals totals_of(const struct snapshot *snapshot) {
    struct totals totals = {0, 0};
    for (size_t i = 0; i < snapshot->row_count; i++) {
        totals.size += row_bytes(snapshot, snapshot_row(snapshot, i));
        totals.count += snapshot_row(snapshot, i)->count;
    }
    return totals;
}

/* The row that stands for a call of the tree, found from the root along its sites. */
static uint32_t find_row(const struct calltable *table, const struct branches *tree, uint32_t id) {
    if (id == 0)
        return 0;
    uint32_t parent = find_row(table, tree, tree->items[id].parent);
    const struct site *wanted = site_get(tree->snapshot->paths,
                                         node_get(tree->snapshot->paths, tree->items[id].node)->site);
    for (uint32_t row = parent + 1; row < table->count; row++) {
        const struct site *here = site_get(table->paths, table->sites[row]);
        struct string a = strtab_get(&table->paths->strings, here->file),
                      b = strtab_get(&tree->snapshot->paths->strings, wanted->file),
                      c = strtab_get(&table->paths->strings, here->function),
                      d = strtab_get(&tree->snapshot->paths->strings, wanted->function);
        if (table->parents[row] == parent && table->merged[row] == 0 && here->line == wanted->line &&
            a.length == b.length && memcmp(a.bytes, b.bytes, a.length) == 0 && c.length == d.length &&
            memcmp(c.bytes, d.bytes, c.length) == 0)
            return row;
    }
    fail_msg("a call of the tree is not in the table");
    return 0;
}

static void assert_own_sums(const struct calltable *table, size_t at, struct snapshot *snapshot) {
    struct branches tree;
    assert_int_equal(branches_init(&tree, snapshot), STATUS_OK);
    for (uint32_t id = 0; id < tree.count; id++) {
        uint32_t row = find_row(table, &tree, id);
        assert_int_equal(table->sizes[at][row], tree.items[id].own_size);
        assert_int_equal(table->counts[at][row], tree.items[id].own_count);
    }
    branches_fini(&tree);
}

static void assert_totals(const struct calltable *table, size_t at, const struct snapshot *snapshot) {
    struct totals wanted = totals_of(snapshot), found = {0, 0};
    for (uint32_t row = 0; row < table->count; row++) {
        found.size += table->sizes[at][row];
        found.count += table->counts[at][row];
    }
    assert_int_equal(found.size, wanted.size);
    assert_int_equal(found.count, wanted.count);
}

/* Two to four snapshots, of the same call paths or of different ones. */
struct world {
    struct snapshot *snapshots[4];
    size_t count;
};

static struct world make_world(uint64_t *random, bool same_paths) {
    struct world world = {.count = 2 * (1 + support_below(random, 2))};
    struct callpaths *paths = NULL;
    for (size_t at = 0; at < world.count; at++) {
        if (paths == NULL || !same_paths) {
            callpaths_release(paths);
            paths = model_paths(&account, random, support_below(random, 60), 14);
        }
        world.snapshots[at] = model_snapshot(&account, random, paths, support_below(random, 60), 3,
                                             (enum view)(support_below(random, 3)));
    }
    callpaths_release(paths);
    return world;
}

static void end_world(struct world *world) {
    for (size_t at = 0; at < world->count; at++)
        snapshot_release(world->snapshots[at]);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void every_call_of_every_snapshot_has_its_own_sums(void **state) {
    (void)state;
    uint64_t random = 5;
    for (int round = 0; round < 200; round++) {
        struct calltable table;
        struct world world = make_world(&random, round % 2 == 0);
        assert_int_equal(make_table(&table, world.snapshots, world.count, round % 3 == 0, everything),
                         STATUS_OK);
        assert_true(calltable_check(&table));
        for (size_t at = 0; at < world.count; at++) {
            assert_own_sums(&table, at, world.snapshots[at]);
            assert_totals(&table, at, world.snapshots[at]);
        }
        calltable_fini(&table);
        end_world(&world);
    }
}

/* What a row and all that it led to hold. */
static uint64_t size_below(const struct calltable *table, size_t at, uint32_t row) {
    uint64_t size = 0;
    for (uint32_t one = row; one < table->count; one++) {
        uint32_t above = one;
        while (above > row)
            above = table->parents[above];
        size += above == row ? table->sizes[at][one] : 0;
    }
    return size;
}

static void what_is_cut_keeps_every_sum_and_counts_the_calls(void **state) {
    (void)state;
    uint64_t random = 8;
    for (int round = 0; round < 200; round++) {
        struct calltable table, whole;
        struct world world = make_world(&random, round % 2 == 0);
        uint32_t most = support_below(&random, 30), calls = 0, stay = 0;
        struct calltable_cut cut = {most, most, 0};
        assert_int_equal(make_table(&whole, world.snapshots, world.count, round % 3 == 0, everything),
                         STATUS_OK);
        assert_int_equal(make_table(&table, world.snapshots, world.count, round % 3 == 0, cut), STATUS_OK);
        assert_true(calltable_check(&table));
        for (size_t at = 0; at < world.count; at++)
            assert_totals(&table, at, world.snapshots[at]);
        for (uint32_t row = 0; row < table.count; row++) {
            calls += table.merged[row];
            stay += table.merged[row] == 0;
        }
        assert_int_equal(stay + calls, whole.count);
        assert_int_equal(stay, most == 0 ? 1 : whole.count < most ? whole.count : most);
        calltable_fini(&table);
        calltable_fini(&whole);
        end_world(&world);
    }
}

static struct snapshot *three_calls(struct callpaths *paths, uint64_t small, uint64_t middle,
                                    uint64_t large) {
    const uint64_t sizes[] = {small, middle, large};
    struct snapshot *snapshot = snapshot_new(&account, paths, 9, VIEW_PEAK);
    for (uint32_t i = 0; i < 3; i++) {
        struct row row = {
            .node = model_node(paths, 0, "a.py", "main", i + 1, 1), .size = sizes[i], .count = sizes[i]};
        if (sizes[i] > 0)
            assert_int_equal(snapshot_add(snapshot, &row), STATUS_OK);
    }
    return snapshot;
}

static uint32_t line_of(const struct calltable *table, uint32_t row) {
    return site_get(table->paths, table->sites[row])->line;
}

static void the_calls_with_the_largest_share_of_any_snapshot_stay(void **state) {
    (void)state;
    struct callpaths *paths = callpaths_new(&account);
    struct snapshot *both[] = {three_calls(paths, 1, 10, 1000000), three_calls(paths, 5, 1, 0)};
    struct calltable table;
    struct calltable_cut cut = {3, 3, 0};
    assert_int_equal(make_table(&table, both, 2, false, cut), STATUS_OK);
    assert_int_equal(table.count, 4); /* root, merged, and the largest of each snapshot */
    assert_int_equal(table.merged[1], 1);
    assert_int_equal(table.sizes[0][1], 10);
    assert_int_equal(line_of(&table, 2), 1);
    assert_int_equal(line_of(&table, 3), 3);
    assert_int_equal(size_below(&table, 0, 0), 1000011);
    calltable_fini(&table);
    snapshot_release(both[0]);
    snapshot_release(both[1]);
    callpaths_release(paths);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void what_changed_stays_however_small_it_is_beside_what_did_not(void **state) {
    (void)state;
    struct callpaths *paths = callpaths_new(&account);
    struct snapshot *both[] = {three_calls(paths, 3, 50, 1000000), three_calls(paths, 2, 50, 1000000)};
    struct calltable table;
    struct calltable_cut cut = {3, 3, 0};
    for (int compared = 0; compared < 2; compared++) {
        assert_int_equal(make_table(&table, both, 2, compared != 0, cut), STATUS_OK);
        assert_int_equal(table.count, 4);
        assert_int_equal(table.sizes[0][1], compared ? 50 : 3); /* what is merged */
        calltable_fini(&table);
    }
    snapshot_release(both[0]);
    snapshot_release(both[1]);
    callpaths_release(paths);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void more_calls_than_enough_stay_where_their_share_is_large(void **state) {
    (void)state;
    struct callpaths *paths = callpaths_new(&account);
    struct snapshot *snapshot = three_calls(paths, 1, 400, 600);
    const struct {
        struct calltable_cut cut;
        uint32_t stay;
    } cases[] = {{{1, 9, 0.25F}, 3}, {{1, 2, 0.25F}, 2}, {{1, 9, 0.0005F}, 4}, {{4, 9, 0.9F}, 4}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct calltable table;
        uint32_t stay = 0;
        assert_int_equal(make_table(&table, &snapshot, 1, false, cases[i].cut), STATUS_OK);
        for (uint32_t at = 0; at < table.count; at++)
            stay += table.merged[at] == 0;
        assert_int_equal(stay, cases[i].stay);
        calltable_fini(&table);
    }
    snapshot_release(snapshot);
    callpaths_release(paths);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void calls_that_nothing_is_of_are_left_out(void **state) {
    (void)state;
    uint64_t random = 7;
    for (int round = 0; round < 100; round++) {
        struct callpaths *paths = model_paths(&account, &random, 40, 9);
        struct snapshot *snapshot = model_snapshot(&account, &random, paths, 5, 3, VIEW_LIVE);
        struct branches tree;
        struct calltable table;
        assert_int_equal(branches_init(&tree, snapshot), STATUS_OK);
        assert_int_equal(make_table(&table, &snapshot, 1, false, everything), STATUS_OK);
        assert_int_equal(table.count, tree.count);
        branches_fini(&tree);
        calltable_fini(&table);
        snapshot_release(snapshot);
        callpaths_release(paths);
    }
    assert_int_equal(vmem_bytes(&account), 0);
}

/* --- views that stay in their files --- */

/* Two views of one moment, in a file. */
struct saved {
    struct snapshot *views[2];
    struct file bytes;
    struct snapfile_source source;
    struct snapfile file;
    struct callpaths *paths; /* as they were read */
};

static void make_saved(struct saved *saved, uint64_t *random) {
    struct callpaths *paths = model_paths(&account, random, support_below(random, 60), 14);
    struct snapfile_error error;
    for (int at = 0; at < 2; at++)
        saved->views[at] = model_snapshot(&account, random, paths, 1 + support_below(random, 60), 3,
                                          (enum view)at);
    callpaths_release(paths);
    saved->bytes = file_of(saved->views, 2, NULL, 0);
    saved->bytes.through_function = true;
    saved->source = file_source(&saved->bytes);
    assert_int_equal(snapfile_open(&saved->file, &saved->source, &account, &error), STATUS_OK);
    assert_int_equal(snapfile_read_paths(&saved->file, &saved->paths, &error), STATUS_OK);
}

static void end_saved(struct saved *saved) {
    callpaths_release(saved->paths);
    snapfile_close(&saved->file);
    free(saved->bytes.bytes);
    snapshot_release(saved->views[0]);
    snapshot_release(saved->views[1]);
}

static struct viewsource source_in(const struct saved *saved, enum view view) {
    return (struct viewsource){.view = view, .paths = saved->paths, .file = &saved->file};
}

static void views_in_files_are_as_those_in_memory(void **state) {
    (void)state;
    uint64_t random = 11;
    for (int round = 0; round < 100; round++) {
        struct saved now, old;
        struct calltable table;
        make_saved(&now, &random);
        make_saved(&old, &random);
        struct viewsource sources[] = {source_in(&now, VIEW_LIVE), source_in(&now, VIEW_PEAK),
                                       source_in(&old, VIEW_LIVE), source_in(&old, VIEW_PEAK)};
        struct snapshot *const views[] = {now.views[0], now.views[1], old.views[0], old.views[1]};
        if (round % 2 == 0) /* some are in memory */
            sources[1] = (struct viewsource){
                .view = VIEW_PEAK, .paths = views[1]->paths, .columns = views[1]};
        assert_int_equal(calltable_init(&table, &account, sources, 4, true, everything), STATUS_OK);
        assert_true(calltable_check(&table));
        for (size_t at = 0; at < 4; at++) {
            assert_own_sums(&table, at, views[at]);
            assert_totals(&table, at, views[at]);
        }
        calltable_fini(&table);
        end_saved(&now);
        end_saved(&old);
        assert_int_equal(vmem_bytes(&account), 0);
    }
}

static void a_damaged_view_makes_no_table_and_says_so(void **state) {
    (void)state;
    uint64_t random = 12;
    struct saved saved;
    struct calltable table;
    make_saved(&saved, &random);
    struct viewsource sources[] = {source_in(&saved, VIEW_LIVE), source_in(&saved, VIEW_PEAK)};
    saved.bytes.bytes[saved.file.rows[VIEW_PEAK].offset] ^= 64;
    assert_int_equal(calltable_init(&table, &account, sources, 2, false, everything), STATUS_INVALID);
    assert_null(table.paths);
    assert_int_equal(sources[0].result, STATUS_OK);
    assert_int_equal(sources[1].result, STATUS_INVALID);
    assert_string_equal(sources[1].error.text, "rows are damaged (checksum)");
    end_saved(&saved);
    assert_int_equal(vmem_bytes(&account), 0);
}

static status make_once(void *context) {
    const struct world *world = context;
    struct calltable table;
    struct calltable_cut cut = {5, 5, 0};
    status result = make_table(&table, world->snapshots, world->count, true, cut);
    if (result != STATUS_OK)
        assert_null(table.paths);
    calltable_fini(&table);
    return result;
}

static void without_memory_there_is_no_table_and_nothing_is_kept(void **state) {
    (void)state;
    uint64_t random = 9;
    struct world world = make_world(&random, false);
    assert_in_range(support_sweep(&account, make_once, &world), 8, 5000);
    end_world(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_of_every_snapshot_has_its_own_sums),
        cmocka_unit_test(what_is_cut_keeps_every_sum_and_counts_the_calls),
        cmocka_unit_test(the_calls_with_the_largest_share_of_any_snapshot_stay),
        cmocka_unit_test(what_changed_stays_however_small_it_is_beside_what_did_not),
        cmocka_unit_test(more_calls_than_enough_stay_where_their_share_is_large),
        cmocka_unit_test(calls_that_nothing_is_of_are_left_out),
        cmocka_unit_test(views_in_files_are_as_those_in_memory),
        cmocka_unit_test(a_damaged_view_makes_no_table_and_says_so),
        cmocka_unit_test(without_memory_there_is_no_table_and_nothing_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
