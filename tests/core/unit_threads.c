/* Threads at once: one with the main GIL (main and joint events, collections), several without (apart events),
 * through tracer.h. Each keeps a list of its own blocks; at the end the tracer must know exactly these. For
 * ThreadSanitizer as well. */
#include "support.h"

#include "blocks.h"
#include "collect.h"
#include "freeze.h"
#include "rest.h"

#include <pthread.h>

enum { APART = 3, STEPS = 4000, BLOCKS = 64, NODES = 8 };

struct block {
    uintptr_t address;
    uint64_t size;
    bool side;
};

struct list {
    struct tracer *tracer;
    struct block blocks[BLOCKS];
    uint32_t count;
    uint32_t number; /* of the thread; 0 has the GIL */
    uint64_t random;
    uint64_t own_most; /* most bytes that this thread's blocks had at once */
};

static _Atomic bool over;

/* A call path of a thread without the GIL: interned under the paths' lock. */
static uint32_t path_of(struct callpaths *paths, uint32_t number) {
    uint32_t site = 0, node = 0;
    lock_acquire(&paths->lock);
    status result = site_intern_locked(paths, &(struct site){0, 0, number}, &site);
    if (result == STATUS_OK)
        result = node_intern_locked(paths, 0, site, 1, &node);
    lock_release(&paths->lock);
    return result == STATUS_OK ? node : 0;
}

static uintptr_t address_of(const struct list *list, uint32_t i) {
    return ((uintptr_t)(1 + list->number) << 40) + (uintptr_t)i * 48;
}

static void add_block(struct list *list, struct block block) {
    uint64_t sum = 0;
    list->blocks[list->count++] = block;
    for (uint32_t i = 0; i < list->count; i++)
        sum += list->blocks[i].size;
    list->own_most = sum > list->own_most ? sum : list->own_most;
}

static bool is_used(const struct list *list, uintptr_t address) {
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->blocks[i].address == address)
            return true;
    }
    return false;
}

/* --- a thread without the GIL -------------------------------------------------------------------------- */

/* As the hooks do it: again, where the call tree was replaced meanwhile. */
static void record_apart(struct list *list, const struct block *block, uint32_t path, bool is_new) {
    struct tracer *tracer = list->tracer;
    struct callpaths *paths;
    bool done = false;
    while (!done && (paths = tracer_borrow_paths(tracer, block->address)) != NULL) {
        uint32_t node = path_of(paths, path), domain = list->number;
        if (is_new)
            done = tracer_side_put(tracer, false, paths->serial, domain, block->address, block->size, node);
        else
            done = tracer_side_move(tracer, false, paths->serial, domain, block->address, node);
        callpaths_release(paths);
    }
}

static void put_apart(struct list *list) {
    struct block block = {address_of(list, support_below(&list->random, 500)),
                          support_below(&list->random, 1000), true};
    if (is_used(list, block.address))
        return;
    record_apart(list, &block, 1 + support_below(&list->random, NODES), true);
    add_block(list, block);
}

/* realloc: the record is out while the allocator works. */
static void resize_apart(struct list *list, uint32_t i, bool fails) {
    struct tracer *tracer = list->tracer;
    struct block *block = &list->blocks[i];
    struct taken taken = tracer_side_take(tracer, list->number, block->address);
    if (fails) {
        tracer_side_put_back(tracer, false, taken);
        return;
    }
    tracer_side_forget(tracer, false, taken);
    block->size = support_below(&list->random, 1000);
    record_apart(list, block, 1, true);
}

static void apart_event(struct list *list) {
    struct tracer *tracer = list->tracer;
    uint32_t what = support_below(&list->random, 10), i = support_below(&list->random, list->count + 1);
    if (i == list->count) {
        if (list->count < BLOCKS)
            put_apart(list);
    } else if (what < 5) {
        (void)tracer_side_remove(tracer, false, list->number, list->blocks[i].address);
        list->blocks[i] = list->blocks[--list->count];
    } else if (what < 7) {
        resize_apart(list, i, what == 6);
    } else if (what < 8) {
        record_apart(list, &list->blocks[i], 1 + support_below(&list->random, NODES), false);
    } else if (list->count < BLOCKS) {
        put_apart(list);
    }
}

static void *apart_thread(void *context) {
    struct list *list = context;
    for (int step = 0; step < STEPS; step++)
        apart_event(list);
    return NULL;
}

/* Until told to end, whatever happens to the tracer. */
static void *restless_thread(void *context) {
    while (!over)
        apart_event(context);
    return NULL;
}

/* --- the thread with the GIL --------------------------------------------------------------------------- */

static uint32_t tally_now(struct list *list) {
    static const char thread;
    struct tracer *tracer = list->tracer;
    uint32_t tally = 0;
    if (__atomic_load_n(&tracer->fast_thread, __ATOMIC_RELAXED) != &thread)
        assert_int_equal(tracer_enter(tracer, &thread), STATUS_OK);
    uint32_t node = path_of(tracer->paths, 1 + support_below(&list->random, NODES));
    assert_int_equal(tracer_tally_of(tracer, node, &tally), STATUS_OK);
    return tally;
}

static void put_with_gil(struct list *list) {
    struct tracer *tracer = list->tracer;
    struct block block = {address_of(list, support_below(&list->random, 500)),
                          support_below(&list->random, 1000), support_below(&list->random, 3) == 0};
    if (is_used(list, block.address))
        return;
    uint32_t tally = tally_now(list);
    if (block.side)
        assert_true(tracer_side_put(tracer, true, tracer->paths->serial, 0, block.address, block.size,
                                    ledger_node(&tracer->ledger, tally)));
    else
        tracer_put(tracer, block.address, block.size, tally);
    add_block(list, block);
}

static void gil_event(struct list *list) {
    struct tracer *tracer = list->tracer;
    uint32_t i = support_below(&list->random, list->count + 1), what = support_below(&list->random, 8);
    if (i == list->count || (what < 3 && list->count < BLOCKS)) {
        if (list->count < BLOCKS)
            put_with_gil(list);
        return;
    }
    struct block block = list->blocks[i];
    uint32_t tally = tally_now(list);
    if (what < 5 && !block.side)
        assert_true(tracer_move_slow(tracer, block.address, tally));
    else if (block.side)
        assert_true(tracer_side_remove(tracer, true, 0, block.address));
    else
        assert_true(tracer_remove_fast(tracer, block.address) || tracer_remove_slow(tracer, block.address));
    if (what >= 5 || block.side)
        list->blocks[i] = list->blocks[--list->count];
}

/* --- tests
 * ------------------------------------------------------------------------------------------------------------------
 */

static struct tracer tracer;
static struct list lists[1 + APART];
static pthread_t threads[1 + APART];
static struct vmem snapshots;

static void start_threads(void *(*run)(void *), uint64_t seed) {
    over = false;
    memset(lists, 0, sizeof lists);
    tracer_init(&tracer);
    assert_int_equal(tracer_start(&tracer, 5), STATUS_OK);
    for (uint32_t i = 0; i <= APART; i++) {
        lists[i].tracer = &tracer;
        lists[i].number = i;
        lists[i].random = seed * 100 + i;
    }
    for (uint32_t i = 1; i <= APART; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run, &lists[i]), 0);
}

static void join_threads(void) {
    for (uint32_t i = 1; i <= APART; i++)
        pthread_join(threads[i], NULL);
}

static void end_tracer(void) {
    tracer_stop(&tracer);
    assert_int_equal(vmem_bytes(&tracer.memory), 0);
    assert_int_equal(vmem_bytes(&snapshots), 0);
}

static void assert_view(enum view view) {
    struct snapshot *snapshot;
    uint64_t current, peak, sum = 0;
    assert_int_equal(tracer_freeze(&tracer, &snapshots, view, &snapshot), STATUS_OK);
    assert_true(snapshot_check(snapshot));
    for (size_t i = 0; i < snapshot->row_count; i++)
        sum += row_bytes(snapshot, snapshot_row(snapshot, i));
    tracer_memory(&tracer, &current, &peak);
    assert_true(current <= peak);
    if (view == VIEW_PEAK)
        assert_true(sum <= peak); /* between the two calls there may have been another peak */
    snapshot_release(snapshot);
}

static void at_the_end_the_tracer_knows_the_blocks_of_all_threads(void **state) {
    (void)state;
    for (uint64_t round = 0; round < 4; round++) {
        uint64_t observed = 0, current, peak, sum = 0;
        start_threads(apart_thread, round);
        for (int step = 0; step < STEPS; step++) {
            gil_event(&lists[0]);
            if (step % 29 == 0)
                assert_int_equal(tracer_collect(&tracer, step % 2 == 0 ? 0 : NODES), STATUS_OK);
            if (step % 13 == 0)
                tracer_rest(&tracer);
            if (step % 64 == 0) {
                tracer_memory(&tracer, &current, &peak);
                assert_true(current <= peak && peak >= observed);
                observed = peak;
            }
            if (step % 512 == 0)
                assert_view((enum view)(step / 512 % 3));
        }
        join_threads();
        for (uint32_t i = 0; i <= APART; i++) {
            observed = lists[i].own_most > observed ? lists[i].own_most : observed;
            for (uint32_t j = 0; j < lists[i].count; j++)
                sum += lists[i].blocks[j].size;
        }
        tracer_memory(&tracer, &current, &peak);
        assert_int_equal(current, sum);
        assert_true(peak >= observed);
        assert_true(tracer_check(&tracer));
        assert_int_equal(tracer.lost, 0);
        assert_view(VIEW_PEAK);
        end_tracer();
    }
}

static void the_peak_is_the_sum_of_its_shares_while_others_go_on(void **state) {
    (void)state;
    start_threads(restless_thread, 7);
    for (int step = 0; step < 3000; step++) {
        gil_event(&lists[0]);
        if (step % 31 == 0)
            assert_int_equal(tracer_collect(&tracer, 0), STATUS_OK);
        if (step % 50 == 0)
            tracer_reset_peak(&tracer);
        if (step % 7 == 0)
            tracer_rest(&tracer);
        if (step % 10 == 0) {
            struct snapshot *snapshot;
            uint64_t current, before, after, sum = 0;
            tracer_memory(&tracer, &current, &before);
            assert_int_equal(tracer_freeze(&tracer, &snapshots, VIEW_PEAK, &snapshot), STATUS_OK);
            for (size_t i = 0; i < snapshot->row_count; i++)
                sum += snapshot_row(snapshot, i)->size;
            snapshot_release(snapshot);
            tracer_memory(&tracer, &current, &after);
            assert_in_range(sum, before, after); /* others may have made a new peak in between */
        }
    }
    over = true;
    join_threads();
    assert_true(tracer_check(&tracer));
    end_tracer();
}

/* --- threads without the GIL among themselves ------------------------------------------------------------ */

enum { SHARE = 600, ROUNDS = 12, EACH = 400 };

static pthread_barrier_t meeting;

static void put_alone(struct list *list, uint32_t i, uint64_t size) {
    struct block block = {address_of(list, i), size, true};
    record_apart(list, &block, list->number, true);
}

static void end_alone(const struct list *list, const struct list *owner, uint32_t i) {
    (void)tracer_side_remove(list->tracer, false, owner->number, address_of(owner, i));
}

/* Never more than SHARE bytes, in two blocks at most; some blocks are ended by another thread. */
static void churn_within_share(struct list *list, const struct list *next) {
    for (int i = 0; i < EACH; i++) {
        put_alone(list, 1, 1 + support_below(&list->random, SHARE / 2));
        put_alone(list, 2, 1 + support_below(&list->random, SHARE / 2));
        end_alone(list, list, 1);
        end_alone(list, list, 2);
        put_alone(list, 3, support_below(&list->random, SHARE / 2));
        if (i % 8 == 0)
            end_alone(list, next, 3);
        end_alone(list, list, 3);
    }
}

/* In every round all threads together reach a peak, a little higher than the last one, that no one of them can see. */
static void *rising_thread(void *context) {
    struct list *list = context;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        churn_within_share(list, list->number < APART ? list + 1 : list + 1 - APART);
        pthread_barrier_wait(&meeting);
        put_alone(list, 0, SHARE + round);
        pthread_barrier_wait(&meeting);
        end_alone(list, list, 0);
        pthread_barrier_wait(&meeting);
    }
    return NULL;
}

static void a_peak_of_several_threads_is_exact_where_nobody_holds_the_gil(void **state) {
    (void)state;
    uint64_t current, peak;
    struct snapshot *snapshot;
    assert_int_equal(pthread_barrier_init(&meeting, NULL, APART), 0);
    start_threads(rising_thread, 11);
    join_threads();
    pthread_barrier_destroy(&meeting);
    assert_int_equal(tracer.lost, 0);
    assert_int_equal(tracer_freeze(&tracer, &snapshots, VIEW_PEAK, &snapshot), STATUS_OK);
    tracer_memory(&tracer, &current, &peak);
    assert_int_equal(current, 0);
    assert_int_equal(peak, APART * (SHARE + ROUNDS - 1));
    assert_int_equal(snapshot->row_count, APART);
    for (size_t i = 0; i < APART; i++) {
        assert_int_equal(snapshot_row(snapshot, i)->size, SHARE + ROUNDS - 1);
        assert_int_equal(snapshot_row(snapshot, i)->count, 1);
    }
    snapshot_release(snapshot);
    assert_true(tracer_check(&tracer));
    end_tracer();
}

static void stop_start_and_clear_do_not_disturb_other_threads(void **state) {
    (void)state;
    start_threads(restless_thread, 9);
    for (int round = 0; round < 150; round++) {
        for (int step = 0; step < 20; step++)
            gil_event(&lists[0]);
        lists[0].count = 0;
        if (round % 3 == 0) {
            assert_int_equal(tracer_clear(&tracer), STATUS_OK);
        } else {
            tracer_stop(&tracer);
            assert_int_equal(tracer_start(&tracer, 1 + (uint32_t)round % 3), STATUS_OK);
        }
    }
    over = true;
    join_threads();
    assert_true(tracer_check(&tracer)); /* what was taken in one run and put back in another is not in it */
    end_tracer();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_the_end_the_tracer_knows_the_blocks_of_all_threads),
        cmocka_unit_test(the_peak_is_the_sum_of_its_shares_while_others_go_on),
        cmocka_unit_test(a_peak_of_several_threads_is_exact_where_nobody_holds_the_gil),
        cmocka_unit_test(stop_start_and_clear_do_not_disturb_other_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
