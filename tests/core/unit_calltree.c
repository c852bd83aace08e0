/* Call paths: every distinct site and node once; shared by reference counts. */
#include "support.h"

#include "calltree.h"

#include <pthread.h>

enum { SITES = 40, NODES = 2000, STEPS = 20000 };

static struct vmem account;

static uint32_t intern_site(struct callpaths *paths, struct site site) {
    uint32_t id = UINT32_MAX;
    lock_acquire(&paths->lock);
    assert_int_equal(site_intern_locked(paths, &site, &id), STATUS_OK);
    lock_release(&paths->lock);
    return id;
}

static uint32_t intern_node(struct callpaths *paths, uint32_t parent, uint32_t site, uint32_t depth) {
    uint32_t id = UINT32_MAX;
    lock_acquire(&paths->lock);
    assert_int_equal(node_intern_locked(paths, parent, site, depth, &id), STATUS_OK);
    lock_release(&paths->lock);
    return id;
}

static void sites_and_nodes_are_kept_once_by_content(void **state) {
    (void)state;
    static struct site sites[SITES + 1];
    static struct node nodes[NODES + 1];
    uint32_t site_count = 1, node_count = 1, name;
    uint64_t random = 5;
    struct callpaths *paths = callpaths_new(&account);
    assert_non_null(paths);
    for (int i = 0; i < 8; i++)
        assert_int_equal(strtab_intern(&paths->strings, "abcdefgh", (size_t)i + 1, &name), STATUS_OK);
    for (int step = 0; step < STEPS && node_count < NODES; step++) {
        struct site site = {support_below(&random, 9), support_below(&random, 2),
                            1 + support_below(&random, 3)};
        uint32_t s = 1, n = 1;
        while (s < site_count && memcmp(&sites[s], &site, sizeof site) != 0)
            s++;
        if (s < SITES || s < site_count) {
            assert_int_equal(intern_site(paths, site), s);
            if (s == site_count)
                sites[site_count++] = site;
        } else {
            s = 1;
        }
        uint32_t parent = support_below(&random, 3) == 0 ? 0 : support_below(&random, node_count);
        uint32_t depth = 1 + support_below(&random, 4);
        if (parent != 0)
            depth = nodes[parent].depth + 1;
        struct node node = node_make(parent, s, depth);
        while (n < node_count && memcmp(&nodes[n], &node, sizeof node) != 0)
            n++;
        assert_int_equal(intern_node(paths, parent, s, depth), n);
        if (n == node_count)
            nodes[node_count++] = node;
        if (step % 50 == 0)
            assert_true(callpaths_check(paths));
    }
    assert_int_equal(paths->node_count, node_count);
    for (uint32_t n = 1; n < node_count; n++)
        assert_memory_equal(node_get(paths, n), &nodes[n], sizeof nodes[n]);
    for (uint32_t s = 1; s < site_count; s++)
        assert_memory_equal(site_get(paths, s), &sites[s], sizeof sites[s]);
    callpaths_release(paths);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void one_site_at_different_depths_is_different_nodes(void **state) {
    (void)state;
    struct callpaths *paths = callpaths_new(&account);
    uint32_t site = intern_site(paths, (struct site){0, 0, 12});
    uint32_t a = intern_node(paths, 0, site, 1), b = intern_node(paths, 0, site, 2);
    uint32_t deepest = intern_node(paths, 0, site, UINT32_MAX);
    assert_true(a != b && b != deepest && a != deepest);
    assert_int_equal(intern_node(paths, 0, site, 2), b);
    assert_int_equal(intern_node(paths, 0, site, MOST_DEPTH), deepest);
    uint32_t below = intern_node(paths, deepest, site, MOST_DEPTH + 1);
    assert_int_equal(node_get(paths, below)->depth, MOST_DEPTH);
    assert_true(callpaths_check(paths));
    callpaths_release(paths);
}

static void nothing_moves_when_the_paths_grow(void **state) {
    (void)state;
    struct callpaths *paths = callpaths_new(&account);
    uint32_t site = intern_site(paths, (struct site){0, 0, 1});
    uint32_t first = intern_node(paths, 0, site, 1), last = first;
    const struct node *place = node_get(paths, first);
    const struct site *site_place = site_get(paths, site);
    for (uint32_t i = 2; i < 100000; i++)
        last = intern_node(paths, last, site, i);
    for (uint32_t i = 2; i < 20000; i++)
        intern_site(paths, (struct site){0, 0, i});
    assert_ptr_equal(node_get(paths, first), place);
    assert_ptr_equal(site_get(paths, site), site_place);
    assert_int_equal(place->depth, 1);
    assert_int_equal(node_get(paths, last)->depth, MOST_DEPTH);
    assert_true(callpaths_check(paths));
    callpaths_release(paths);
}

static void the_check_sees_what_is_wrong(void **state) {
    (void)state;
    struct callpaths *paths = callpaths_new(&account);
    uint32_t site = intern_site(paths, (struct site){0, 0, 1});
    uint32_t a = intern_node(paths, 0, site, 1), b = intern_node(paths, a, site, 2);
    struct node *node = (struct node *)paths->nodes.base + b;
    assert_true(callpaths_check(paths));
    node->depth = 7;
    assert_false(callpaths_check(paths));
    *node = node_make(b, site, 2);
    assert_false(callpaths_check(paths));
    *node = node_make(a, site + 1, 2);
    assert_false(callpaths_check(paths));
    *node = node_make(a, site, 2);
    paths->node_count--;
    assert_false(callpaths_check(paths));
    paths->node_count++;
    assert_true(callpaths_check(paths));
    callpaths_release(paths);
}

static void the_last_reference_frees_the_paths(void **state) {
    (void)state;
    struct callpaths *paths = callpaths_new(&account);
    callpaths_retain(paths);
    callpaths_retain(paths);
    callpaths_release(paths);
    callpaths_release(paths);
    assert_true(vmem_bytes(&account) != 0);
    assert_true(callpaths_check(paths));
    callpaths_release(paths);
    assert_int_equal(vmem_bytes(&account), 0);
    callpaths_release(NULL);
}

static void *intern_in_a_thread(void *context) {
    struct callpaths *paths = context;
    for (uint32_t i = 0; i < 500; i++) {
        struct site site = {0, 0, i % 50};
        uint32_t id, node, name;
        callpaths_retain(paths);
        lock_acquire(&paths->lock);
        status result = strtab_intern(&paths->strings, "abcdefghijklmnopqrstuvwxyz", 1 + i % 26, &name);
        if (result == STATUS_OK)
            result = site_intern_locked(paths, &site, &id);
        if (result == STATUS_OK)
            result = node_intern_locked(paths, 0, id, 1 + i % 7, &node);
        lock_release(&paths->lock);
        /* What one was given an id of can be read without the lock. */
        bool right = result == STATUS_OK && node_get(paths, node)->site == id &&
                     site_get(paths, id)->line == i % 50 &&
                     strtab_get(&paths->strings, name).length == 1 + i % 26;
        callpaths_release(paths);
        if (!right)
            return context;
    }
    return NULL;
}

static void threads_may_intern_and_read_at_once(void **state) {
    (void)state;
    struct callpaths *paths = callpaths_new(&account);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, intern_in_a_thread, paths), 0);
    for (int i = 0; i < 4; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    assert_true(callpaths_check(paths));
    assert_int_equal(paths->site_count, 51);
    callpaths_release(paths);
    assert_int_equal(vmem_bytes(&account), 0);
}

static status intern_many(void *context) {
    (void)context;
    struct callpaths *paths = callpaths_new(&account);
    if (paths == NULL)
        return STATUS_NOMEM;
    status result = STATUS_OK;
    uint32_t parent = 0, site;
    lock_acquire(&paths->lock);
    for (uint32_t i = 1; i < 6000 && result == STATUS_OK; i++) {
        if ((result = site_intern_locked(paths, &(struct site){0, 0, i}, &site)) == STATUS_OK)
            result = node_intern_locked(paths, parent, site, i, &parent);
    }
    lock_release(&paths->lock);
    assert_true(callpaths_check(paths));
    callpaths_release(paths);
    return result;
}

static void every_request_may_fail(void **state) {
    (void)state;
    assert_true(support_sweep(&account, intern_many, NULL) >= 15);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sites_and_nodes_are_kept_once_by_content),
        cmocka_unit_test(one_site_at_different_depths_is_different_nodes),
        cmocka_unit_test(nothing_moves_when_the_paths_grow),
        cmocka_unit_test(the_check_sees_what_is_wrong),
        cmocka_unit_test(the_last_reference_frees_the_paths),
        cmocka_unit_test(threads_may_intern_and_read_at_once),
        cmocka_unit_test(every_request_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
