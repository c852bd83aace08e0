/* Snapshots that share rows: each is to have exactly the rows that it was made of, whatever others are there, and to cost
 * what is new. */
#include "model.h"

#include "filter.h"
#include "scale.h"
#include "share.h"

#include <pthread.h>

enum { MOST_ROWS = 3000, HELD = 9, KINDS = 40 };

static struct vmem account;

/* --- a program: rows that change from one snapshot to the next --- */

struct program {
    struct callpaths *paths;
    struct row rows[MOST_ROWS];
    size_t count;
    uint64_t random;
};

static struct row random_row(struct program *program) {
    struct row row = {.domain = support_below(&program->random, 20) == 0,
                      .node = support_below(&program->random, program->paths->node_count),
                      .size = 8 * support_below(&program->random, KINDS),
                      .count = 1 + support_below(&program->random, 4)};
    row.depth = node_get(program->paths, row.node)->depth;
    return row;
}

static void start(struct program *program, uint64_t seed, size_t count) {
    *program = (struct program){.random = seed};
    program->paths = model_paths(&account, &program->random, 200, 6);
    while (program->count < count)
        program->rows[program->count++] = random_row(program);
}

/* One in `every` rows, at least one, comes, goes, moves or has another count. */
static void run(struct program *program, uint32_t every) {
    for (size_t left = program->count / every + 1; left > 0; left--) {
        size_t i = support_below(&program->random, (uint32_t)program->count + 1);
        size_t j = support_below(&program->random, (uint32_t)program->count + 1);
        struct row *row = &program->rows[i];
        switch (support_below(&program->random, 8)) {
        case 0:
            if (i < program->count)
                *row = program->rows[--program->count];
            break;
        case 1:
            if (program->count < MOST_ROWS)
                program->rows[program->count++] = random_row(program);
            break;
        case 2:
            if (i < program->count && j < program->count) {
                struct row other = program->rows[j];
                program->rows[j] = *row;
                *row = other;
            }
            break;
        default:
            if (i < program->count)
                row->count = 1 + row->count % 4; /* it may be again what it was */
        }
    }
}

static struct snapshot *take(const struct program *program, enum view view) {
    struct snapshot *snapshot = snapshot_new(&account, program->paths, 4, view);
    assert_non_null(snapshot);
    for (size_t i = 0; i < program->count; i++)
        assert_int_equal(snapshot_add(snapshot, &program->rows[i]), STATUS_OK);
    snapshot_complete(snapshot);
    return snapshot;
}

static struct snapshot *take_shared(const struct program *program, enum view view) {
    struct snapshot *snapshot = take(program, view);
    snapshot_share(&snapshot);
    assert_true(snapshot_check(snapshot));
    return snapshot;
}

/* --- what a snapshot must have --- */

static int order_rows(const void *a, const void *b) { return memcmp(a, b, sizeof(struct row)); }

static struct row *sorted_rows(const struct snapshot *snapshot) {
    struct row *list = malloc((snapshot->row_count + 1) * sizeof *list);
    size_t count = 0;
    assert_non_null(list);
    for (struct rows rows = snapshot_rows(snapshot); rows_next(&rows); count++) {
        assert_true(count < snapshot->row_count);
        assert_ptr_equal(snapshot_row(snapshot, count), rows.row);
        list[count] = *rows.row;
    }
    assert_int_equal(count, snapshot->row_count);
    qsort(list, count, sizeof *list, order_rows);
    return list;
}

static void assert_same_statistics(struct snapshot *snapshot, struct snapshot *flat) {
    static const enum key keys[] = {KEY_FILENAME, KEY_LINENO, KEY_FUNCTION, KEY_TRACEBACK, KEY_DOMAIN};
    for (size_t key = 0; key < sizeof keys / sizeof *keys; key++) {
        struct groups left, right;
        assert_int_equal(groupby(snapshot, keys[key], false, &left), STATUS_OK);
        assert_int_equal(groupby(flat, keys[key], false, &right), STATUS_OK);
        assert_int_equal(left.count, right.count);
        for (size_t i = 0; i < left.count; i++) {
            assert_int_equal(left.items[i].size, right.items[i].size);
            assert_int_equal(left.items[i].count, right.items[i].count);
            if (keys[key] == KEY_TRACEBACK) /* some node with it */
                continue;
            assert_int_equal(left.items[i].file, right.items[i].file);
            if (keys[key] != KEY_FUNCTION) /* some line of it */
                assert_int_equal(left.items[i].line, right.items[i].line);
            assert_int_equal(left.items[i].domain, right.items[i].domain);
        }
        groups_fini(&left);
        groups_fini(&right);
    }
}

static void assert_equal_to(struct snapshot *snapshot, struct snapshot *flat) {
    assert_true(snapshot_check(snapshot));
    assert_int_equal(snapshot->row_count, flat->row_count);
    assert_int_equal(snapshot->entries, flat->entries);
    struct row *left = sorted_rows(snapshot), *right = sorted_rows(flat);
    assert_memory_equal(left, right, flat->row_count * sizeof *left);
    free(left);
    free(right);
}

static struct snapshot *filtered(struct snapshot *snapshot, bool inclusive) {
    struct filter filter = {.inclusive = inclusive, .has_domain = true, .domain = 0, .by_domain_only = true};
    struct snapshot *result;
    assert_int_equal(filter_rows(snapshot, &filter, 1, &result), STATUS_OK);
    return result;
}

/* --- models --- */

/* A snapshot of the program, or, sometimes, a filtered one; and beside it the same without any sharing. */
static void take_both(struct program *program, struct snapshot **held, struct snapshot **flat) {
    enum view view = support_below(&program->random, 4) == 0 ? VIEW_TOTAL : VIEW_LIVE;
    *held = take_shared(program, view);
    *flat = take(program, view);
    if (support_below(&program->random, 3) != 0)
        return;
    bool inclusive = support_below(&program->random, 2);
    struct snapshot *whole = *held, *whole_flat = *flat;
    *held = filtered(whole, inclusive);
    *flat = filtered(whole_flat, inclusive);
    snapshot_release(whole);
    snapshot_release(whole_flat);
}

static void every_snapshot_has_its_own_rows_whoever_else_is_there(void **state) {
    (void)state;
    static struct program program;
    for (uint64_t seed = 1; seed <= SCALED(16); seed++) {
        struct snapshot *held[HELD] = {NULL}, *flat[HELD] = {NULL};
        start(&program, seed, 1 + (size_t)(seed * 977 % (MOST_ROWS / 2)));
        uint32_t every = 1U << support_below(&program.random, 9);
        for (int step = 0; step < SCALED(80); step++) {
            size_t i = support_below(&program.random, HELD);
            snapshot_release(held[i]);
            snapshot_release(flat[i]);
            held[i] = flat[i] = NULL;
            run(&program, every);
            if (support_below(&program.random, 3) != 0)
                take_both(&program, &held[i], &flat[i]);
            if (held[i] != NULL)
                assert_same_statistics(held[i], flat[i]);
            for (size_t j = 0; j < HELD; j++)
                if (held[j] != NULL)
                    assert_equal_to(held[j], flat[j]);
        }
        for (size_t j = 0; j < HELD; j++) {
            snapshot_release(held[j]);
            snapshot_release(flat[j]);
        }
        assert_null(program.paths->newest);
        assert_int_equal(program.paths->references, 1);
        callpaths_release(program.paths);
        assert_int_equal(vmem_bytes(&account), 0);
    }
}

static void all_rows_that_a_part_keeps_are_met_in_their_order(void **state) {
    (void)state;
    uint64_t random = 3, kept[6];
    for (int round = 0; round < 3000; round++) {
        struct segment *segment = segment_new(&account);
        assert_non_null(segment);
        size_t count = support_below(&random, 6 * 64 + 1), wanted = 0;
        memset(kept, 0, sizeof kept);
        for (size_t i = 0; i < count; i++) {
            struct row row = {.node = (uint32_t)i, .count = 1};
            assert_int_equal(segment_make_room(segment), STATUS_OK);
            segment_add(segment, &row);
        }
        /* gaps here and there, and whole words with all or none */
        uint32_t gaps = support_below(&random, 4);
        for (size_t i = 0; i < count; i++)
            if (gaps == 0 || (gaps < 3 ? support_below(&random, 64) >= gaps : support_below(&random, 3) == 0))
                kept[i / 64] |= UINT64_C(1) << i % 64;
        if (count > 64)
            memset(&kept[support_below(&random, (uint32_t)count / 64)], round % 2 == 0 ? 0xff : 0,
                   sizeof *kept);
        struct segment_part parts[3] = {{segment, kept}, {segment, NULL}, {segment, kept}};
        struct rows rows = {.part = parts, .parts_end = parts + 3};
        for (int part = 0; part < 3; part++) {
            for (size_t i = 0; i < count; i++) {
                if (part != 1 && !(kept[i / 64] >> i % 64 & 1))
                    continue;
                assert_true(rows_next(&rows));
                assert_ptr_equal(rows.row, &segment->rows[i]);
                assert_ptr_equal(rows.part, &parts[part]);
                wanted++;
            }
        }
        assert_false(rows_next(&rows));
        assert_false(rows_next(&rows));
        assert_true(wanted >= count);
        segment_release(segment);
        assert_int_equal(vmem_bytes(&account), 0);
    }
}

/* --- what it costs --- */

/* Whole pages: of the structure, of its own rows and of its bits. */
static size_t fixed_bytes(void) { return 3 * platform_page_size(); }

static void snapshots_cost_what_has_changed(void **state) {
    (void)state;
    enum { TIMES = 40, CHANGES = MOST_ROWS / 100 };
    static struct program program;
    struct snapshot *snapshots[TIMES];
    start(&program, 5, MOST_ROWS);
    snapshots[0] = take_shared(&program, VIEW_LIVE);
    size_t first = vmem_bytes(&account), last = first;
    for (int i = 1; i < TIMES; i++) {
        for (int change = 0; change < CHANGES; change++)
            program.rows[support_below(&program.random, MOST_ROWS)].count++;
        snapshots[i] = take_shared(&program, VIEW_LIVE);
        last = vmem_bytes(&account);
    }
    /* A row that has changed is there once for itself, and at most once more on behalf of one that went; but of no more
     * than four parts, as in the tiny build, some are copied all the time. */
    size_t each = CHANGES * sizeof(struct row);
    assert_in_range(last - first, each, TIMES * (SIZED(2, 20) * each + fixed_bytes()));
    for (int i = 0; i < TIMES; i++)
        snapshot_release(snapshots[i]);
    callpaths_release(program.paths);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void a_snapshot_that_is_left_keeps_no_more_than_twice_its_rows(void **state) {
    (void)state;
    static struct program program;
    for (uint64_t seed = 1; seed < 30; seed++) {
        start(&program, seed, MOST_ROWS);
        size_t paths_alone = vmem_bytes(&account);
        struct snapshot *last = take_shared(&program, VIEW_LIVE);
        for (int step = 0; step < 60; step++) {
            run(&program, 1 + (uint32_t)seed);
            struct snapshot *next = take_shared(&program, VIEW_LIVE);
            snapshot_release(last);
            last = next;
            size_t own = last->row_count * sizeof(struct row);
            size_t pages = (last->part_count + 2) * platform_page_size();
            assert_in_range(vmem_bytes(&account) - paths_alone, own, 2 * own + own / 64 + pages);
        }
        snapshot_release(last);
        callpaths_release(program.paths);
    }
}

static void more_generations_than_there_may_be_parts_are_put_together(void **state) {
    (void)state;
    enum { GENERATIONS = 3 * PARTS_MOST };
    static struct program program;
    struct snapshot *snapshots[GENERATIONS];
    uint32_t most = 0;
    start(&program, 7, 2000);
    for (int i = 0; i < GENERATIONS; i++) {
        program.rows[i * 7].count += 100; /* no row changes twice, so no part becomes useless */
        snapshots[i] = take_shared(&program, VIEW_LIVE);
        most = snapshots[i]->part_count > most ? snapshots[i]->part_count : most;
        struct snapshot *flat = take(&program, VIEW_LIVE);
        assert_equal_to(snapshots[i], flat);
        snapshot_release(flat);
    }
    assert_in_range(most, PARTS_MOST - 1, PARTS_MOST);
    for (int i = 0; i < GENERATIONS; i++)
        snapshot_release(snapshots[i]);
    callpaths_release(program.paths);
    assert_int_equal(vmem_bytes(&account), 0);
}

/* --- who shares with whom --- */

static void an_equal_snapshot_has_no_rows_of_its_own(void **state) {
    (void)state;
    static struct program program;
    start(&program, 11, 500);
    struct snapshot *first = take_shared(&program, VIEW_LIVE), *second = take_shared(&program, VIEW_LIVE);
    assert_int_equal(second->own->count, 0);
    assert_ptr_equal(second->parts[0].segment, first->own);
    assert_null(second->parts[0].kept);
    snapshot_release(first);
    struct snapshot *third = take_shared(&program, VIEW_LIVE); /* the newest that is still there */
    assert_int_equal(third->own->count, 0);
    snapshot_release(second);
    snapshot_release(third);
    struct snapshot *fourth = take_shared(&program, VIEW_LIVE);
    assert_int_equal(fourth->own->count, 500); /* nothing was kept for it */
    snapshot_release(fourth);
    callpaths_release(program.paths);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void views_and_call_paths_are_not_mixed(void **state) {
    (void)state;
    static struct program program, other;
    start(&program, 13, 300);
    start(&other, 13, 300);
    struct snapshot *live = take_shared(&program, VIEW_LIVE);
    struct snapshot *peak = take_shared(&program, VIEW_PEAK);
    struct snapshot *elsewhere = take_shared(&other, VIEW_LIVE);
    assert_int_equal(peak->own->count, 300);
    assert_int_equal(elsewhere->own->count, 300);
    assert_int_equal(program.paths->references, 3);
    snapshot_release(live);
    snapshot_release(peak);
    assert_int_equal(program.paths->references, 1);
    snapshot_release(elsewhere);
    callpaths_release(program.paths);
    callpaths_release(other.paths);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void filtered_snapshots_share_with_their_own_and_with_each_other(void **state) {
    (void)state;
    static struct program program;
    start(&program, 17, 1000);
    struct snapshot *whole = take_shared(&program, VIEW_LIVE), *most = filtered(whole, true),
                    *few = filtered(whole, false);
    assert_int_equal(most->own->count, 0);
    assert_int_equal(few->own->count, few->row_count); /* and so the others may go */
    assert_int_equal(most->row_count + few->row_count, 1000);
    snapshot_release(few);
    snapshot_release(whole);
    whole = take_shared(&program, VIEW_LIVE); /* beside a filtered one that is alone */
    assert_int_equal(whole->own->count, 0);
    struct snapshot *again = filtered(whole, true);
    assert_ptr_equal(again->parts[0].segment, most->parts[0].segment);
    assert_equal_to(again, most);
    snapshot_release(whole);
    snapshot_release(most);
    snapshot_release(again);
    callpaths_release(program.paths);
    assert_int_equal(vmem_bytes(&account), 0);
}

/* --- faults --- */

struct sweep {
    const struct program *program;
    struct snapshot *flat;
};

/* Fails where there is no memory for the snapshot itself. Sharing never does; that something failed in it is only told so
 * that the sweep goes on. */
static status share_once(void *context) {
    const struct sweep *sweep = context;
    struct snapshot *snapshot = snapshot_new(&account, sweep->program->paths, 4, VIEW_LIVE);
    status result = snapshot == NULL ? STATUS_NOMEM : STATUS_OK;
    for (size_t i = 0; i < sweep->program->count && result == STATUS_OK; i++)
        result = snapshot_add(snapshot, &sweep->program->rows[i]);
    if (result == STATUS_OK) {
        snapshot_complete(snapshot);
        snapshot_share(&snapshot);
        bool failed = support_calls >= support_fail_at;
        assert_equal_to(snapshot, sweep->flat);
        assert_true(failed || snapshot->part_count > 1);
        result = failed ? STATUS_NOMEM : STATUS_OK;
    }
    snapshot_release(snapshot);
    return result;
}

static void without_memory_for_sharing_a_snapshot_is_as_good(void **state) {
    (void)state;
    static struct program program;
    start(&program, 19, MOST_ROWS);
    struct snapshot *first = take_shared(&program, VIEW_LIVE);
    run(&program, 100);
    struct snapshot *second = take_shared(&program, VIEW_LIVE);
    run(&program, 100);
    struct sweep sweep = {&program, take(&program, VIEW_LIVE)};
    assert_in_range(support_sweep(&account, share_once, &sweep), 10, 300);
    snapshot_release(sweep.flat);
    snapshot_release(first);
    snapshot_release(second);
    callpaths_release(program.paths);
    assert_int_equal(vmem_bytes(&account), 0);
}

/* --- threads --- */

enum { THREADS = 4, ROUNDS = 150, KEPT = 5 };

struct worker {
    struct program *program; /* its own, but for the call paths */
    uint64_t mistakes;
};

static uint64_t sum_of(const struct snapshot *snapshot) {
    uint64_t sum = 0;
    for (struct rows rows = snapshot_rows(snapshot); rows_next(&rows);)
        sum += row_bytes(snapshot, rows.row);
    return sum;
}

/* Takes, reads, filters and drops, as the others do at the same time. (cmocka's asserts are for one thread.) */
static void *work(void *context) {
    struct worker *worker = context;
    struct program *program = worker->program;
    struct snapshot *kept[KEPT] = {NULL};
    uint64_t sums[KEPT] = {0};
    for (int round = 0; round < ROUNDS; round++) {
        size_t i = support_below(&program->random, KEPT);
        run(program, 50);
        snapshot_release(kept[i]);
        kept[i] = take(program, VIEW_LIVE);
        sums[i] = sum_of(kept[i]);
        snapshot_share(&kept[i]);
        snapshot_release(filtered(kept[i], true));
        for (size_t j = 0; j < KEPT; j++)
            worker->mistakes += kept[j] != NULL && sum_of(kept[j]) != sums[j];
    }
    for (size_t j = 0; j < KEPT; j++)
        snapshot_release(kept[j]);
    return NULL;
}

static void threads_share_with_each_other(void **state) {
    (void)state;
    static struct program programs[THREADS];
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    start(&programs[0], 23, 700);
    for (int i = 0; i < THREADS; i++) {
        programs[i] = programs[0];
        programs[i].random += (uint64_t)i;
        workers[i] = (struct worker){&programs[i], 0};
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].mistakes, 0);
    }
    assert_null(programs[0].paths->newest);
    callpaths_release(programs[0].paths);
    assert_int_equal(vmem_bytes(&account), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_snapshot_has_its_own_rows_whoever_else_is_there),
        cmocka_unit_test(all_rows_that_a_part_keeps_are_met_in_their_order),
        cmocka_unit_test(snapshots_cost_what_has_changed),
        cmocka_unit_test(a_snapshot_that_is_left_keeps_no_more_than_twice_its_rows),
        cmocka_unit_test(more_generations_than_there_may_be_parts_are_put_together),
        cmocka_unit_test(an_equal_snapshot_has_no_rows_of_its_own),
        cmocka_unit_test(views_and_call_paths_are_not_mixed),
        cmocka_unit_test(filtered_snapshots_share_with_their_own_and_with_each_other),
        cmocka_unit_test(without_memory_for_sharing_a_snapshot_is_as_good),
        cmocka_unit_test(threads_share_with_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
