/* What is asked of the operating system: reserved addresses, committed memory, locks that know their holder.
 */
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

enum { THREADS = 4, TURNS = 2000 };

static void the_page_size_is_the_systems(void **state) {
    (void)state;
    assert_int_equal(__real_platform_page_size(), sysconf(_SC_PAGESIZE));
    assert_int_equal(__real_platform_page_size(), sysconf(_SC_PAGESIZE)); /* and again, remembered */
}

static void reserved_addresses_become_memory_piece_by_piece(void **state) {
    (void)state;
    size_t page = platform_page_size();
    char *start = platform_reserve(4 * page);
    assert_non_null(start);
    assert_true(platform_commit(start + page, 2 * page));
    platform_keep_small_pages(start, 4 * page);
    for (size_t i = page; i < 3 * page; i++)
        assert_int_equal(start[i], 0);
    memset(start + page, 1, 2 * page);
    assert_true(platform_commit(start + 3 * page, page));
    assert_int_equal(start[2 * page], 1);
    assert_int_equal(start[3 * page], 0);
    platform_release(start, 4 * page);
}

static void places_are_apart_and_grow_by_what_is_put_behind_them(void **state) {
    (void)state;
    enum { COUNT = 30 };
    size_t page = platform_page_size();
    char *starts[COUNT];
    for (int i = 0; i < COUNT; i++) {
        errno = 123;
        starts[i] = platform_place(page);
        assert_int_equal(errno, 123);
        if (starts[i] == NULL) /* an emulator, a sanitizer, an old kernel, larger pages */
            skip();
        for (int k = 0; k < i; k++)
            assert_true((size_t)labs(starts[i] - starts[k]) >= PLACE_BYTES);
        assert_true(platform_extend(starts[i] + page, 2 * page));
        for (size_t at = 0; at < 3 * page; at++)
            assert_int_equal(starts[i][at], 0);
        memset(starts[i], i + 1, 3 * page);
        assert_false(platform_extend(starts[i] + 2 * page, page)); /* there is something */
        assert_int_equal(errno, 123);
        assert_int_equal(starts[i][2 * page], i + 1);
    }
    for (int i = 0; i < COUNT; i++)
        platform_release(starts[i], 3 * page);
}

static void when_all_places_are_taken_there_is_none(void **state) {
    (void)state;
    enum { MOST = 1000 };
    size_t page = platform_page_size(), count = 0;
    char *starts[MOST];
    while (count < MOST && (starts[count] = platform_place(page)) != NULL)
        count++;
    if (count == 0)
        skip();
    assert_in_range(count, 100, MOST - 1);
    while (count > 0)
        platform_release(starts[--count], page);
    char *again = platform_place(page);
    assert_non_null(again);
    platform_release(again, page);
}

/* One thread writes a pair, publishes it and then tells of it; the other looks in the other order, without a barrier. On
 * a machine whose reads overtake each other this may fail without platform_publish; on others it only shows that
 * publishing ends, and leaves errno alone. */
static uint64_t published[2];
static bool announced;

static void *look(void *good) {
    while (!__atomic_load_n(&announced, __ATOMIC_RELAXED))
        sched_yield();
    uint64_t second = __atomic_load_n(&published[1], __ATOMIC_RELAXED);
    *(bool *)good = __atomic_load_n(&published[0], __ATOMIC_RELAXED) == 1 && second == 2;
    return NULL;
}

static void what_is_published_is_seen_before_what_comes_later(void **state) {
    (void)state;
    bool good = false;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, look, &good), 0);
    __atomic_store_n(&published[0], 1, __ATOMIC_RELAXED);
    __atomic_store_n(&published[1], 2, __ATOMIC_RELAXED);
    errno = 123;
    platform_publish();
    assert_int_equal(errno, 123);
    __atomic_store_n(&announced, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    assert_true(good);
}

static struct lock lock;
static long counter;

static void *count(void *unused) {
    (void)unused;
    for (int i = 0; i < TURNS; i++) {
        lock_acquire(&lock);
        counter++;
        if (!lock_is_mine(&lock))
            counter = -1000000;
        lock_release(&lock);
    }
    return NULL;
}

static void a_lock_lets_one_thread_in_at_a_time(void **state) {
    (void)state;
    lock_init(&lock, LOCK_SIDE);
    assert_int_equal(lock.rank, LOCK_SIDE);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(counter, THREADS * TURNS);
    lock_fini(&lock);
}

#ifndef NDEBUG
static void *holds(void *answer) {
    *(bool *)answer = lock_is_mine(&lock);
    return NULL;
}
#endif

static void a_lock_knows_whose_it_is(void **state) {
    (void)state;
    lock_init(&lock, LOCK_PATHS);
    lock_acquire(&lock);
    assert_true(lock_is_mine(&lock));
#ifndef NDEBUG
    bool others = true;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, holds, &others), 0);
    pthread_join(thread, NULL);
    assert_false(others);
    lock_release(&lock);
    assert_false(lock_is_mine(&lock));
#else
    lock_release(&lock);
#endif
    lock_fini(&lock);
}

static void locks_are_ranked_the_sides_first(void **state) {
    (void)state;
    assert_true(LOCK_SIDE < LOCK_SHARD && LOCK_SHARD < LOCK_PATHS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_size_is_the_systems),
        cmocka_unit_test(reserved_addresses_become_memory_piece_by_piece),
        cmocka_unit_test(places_are_apart_and_grow_by_what_is_put_behind_them),
        cmocka_unit_test(when_all_places_are_taken_there_is_none),
        cmocka_unit_test(what_is_published_is_seen_before_what_comes_later),
        cmocka_unit_test(a_lock_lets_one_thread_in_at_a_time),
        cmocka_unit_test(a_lock_knows_whose_it_is),
        cmocka_unit_test(locks_are_ranked_the_sides_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
