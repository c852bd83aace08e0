/* The tracer's own memory: what is mapped is zeroed, counted and given back; regions grow in place. */
#include "support.h"

#include <errno.h>
#include <stdio.h>

static struct vmem account;

static bool all_zero(const char *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

static void a_map_is_zeroed_and_counted_in_whole_pages(void **state) {
    (void)state;
    size_t page = platform_page_size(), sizes[] = {1, page - 1, page, page + 1, 10 * page};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t whole = (sizes[i] + page - 1) / page * page;
        char *start = vmem_map(&account, sizes[i]);
        assert_non_null(start);
        assert_int_equal((uintptr_t)start % page, 0);
        assert_int_equal(vmem_bytes(&account), whole);
        assert_true(all_zero(start, whole));
        memset(start, 1, whole);
        vmem_unmap(&account, start, sizes[i]);
        assert_int_equal(vmem_bytes(&account), 0);
    }
    vmem_unmap(&account, NULL, 77);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void a_sparse_map_counts_what_its_owner_says(void **state) {
    (void)state;
    size_t bytes = (size_t)1 << 26;
    char *start = vmem_map_sparse(bytes);
    assert_non_null(start);
    assert_int_equal(vmem_bytes(&account), 0);
    start[bytes - 1] = 1;
    vmem_count(&account, 4096);
    vmem_count(&account, 100);
    assert_int_equal(vmem_bytes(&account), 4196);
    vmem_uncount(&account, 4196);
    vmem_unmap_sparse(start, bytes);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void a_region_grows_in_place_and_keeps_its_bytes(void **state) {
    (void)state;
    struct region region;
    size_t most = (size_t)1 << 20;
    assert_int_equal(region_init(&region, &account, most), STATUS_OK);
    assert_int_equal(vmem_bytes(&account), 0);
    char *base = region.base;
    uint64_t random = 7;
    for (size_t used = 0, next; used < most; used = next) {
        next = used + 1 + support_below(&random, 30000);
        if (next > most)
            next = most;
        assert_int_equal(region_grow(&region, next), STATUS_OK);
        assert_true(region.base == base && region.committed >= next && region.committed <= region.reserved);
        assert_int_equal(vmem_bytes(&account), region.committed);
        assert_true(all_zero(base + used, next - used));
        memset(base + used, (int)(next % 251) + 1, next - used);
        assert_int_equal(base[0], base[used == 0 ? next - 1 : 0]);
    }
    assert_int_equal(region_grow(&region, 5), STATUS_OK); /* it never shrinks */
    assert_true(region.committed >= most);
    assert_int_equal(region_grow(&region, region.reserved + 1), STATUS_FULL);
    assert_int_equal(vmem_bytes(&account), region.committed);
    region_fini(&region);
    assert_int_equal(vmem_bytes(&account), 0);
    assert_null(region.base);
    region_fini(&region);
}

static void a_region_that_is_trimmed_keeps_what_is_in_use_and_grows_no_more(void **state) {
    (void)state;
    for (size_t used = 0; used <= 100000; used += 50000) {
        struct region region;
        assert_int_equal(region_init(&region, &account, (size_t)1 << 30), STATUS_OK);
        assert_int_equal(region_grow(&region, used), STATUS_OK);
        memset(region.base, 42, used);
        region_trim(&region, used);
        assert_in_range(region.reserved, used, used + platform_page_size());
        assert_true(region.committed >= used && region.committed <= region.reserved);
        assert_int_equal(vmem_bytes(&account), region.committed);
        assert_true(used == 0 || (region.base[0] == 42 && region.base[used - 1] == 42));
        assert_int_equal(region_grow(&region, region.reserved + 1), STATUS_FULL);
        region_trim(&region, used); /* twice does no harm */
        region_fini(&region);
        assert_int_equal(vmem_bytes(&account), 0);
    }
}

static void any_number_of_trimmed_regions_leave_places_for_others(void **state) {
    (void)state;
    enum { COUNT = 1500 }; /* more than there are places */
    static struct region regions[COUNT], last;
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(region_init(&regions[i], &account, (size_t)1 << 30), STATUS_OK);
        if (!regions[i].placed) {
            region_fini(&regions[i]);
            skip();
        }
        assert_int_equal(region_grow(&regions[i], 10), STATUS_OK);
        memset(regions[i].base, (int)(i % 251), 10);
        region_trim(&regions[i], 10);
    }
    assert_int_equal(region_init(&last, &account, (size_t)1 << 30), STATUS_OK);
    assert_true(last.placed);
    region_fini(&last);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal((unsigned char)regions[i].base[9], i % 251);
        region_fini(&regions[i]);
    }
    assert_int_equal(vmem_bytes(&account), 0);
}

static void a_region_that_cannot_grow_stays_as_it_was(void **state) {
    (void)state;
    struct region region;
    assert_int_equal(region_init(&region, &account, (size_t)1 << 20), STATUS_OK);
    assert_int_equal(region_grow(&region, 10), STATUS_OK);
    memset(region.base, 42, 10);
    struct region before = region;
    support_fail_at = 1;
    support_calls = 0;
    assert_int_equal(region_grow(&region, region.committed + 1), STATUS_NOMEM);
    support_fail_at = 0;
    assert_memory_equal(&region, &before, sizeof region);
    assert_int_equal(vmem_bytes(&account), region.committed);
    assert_int_equal(region.base[9], 42);
    assert_int_equal(region_grow(&region, region.committed + 1), STATUS_OK);
    region_fini(&region);
}

static void a_refused_reservation_is_tried_again_with_half_the_size(void **state) {
    (void)state;
    struct region region;
    size_t most = (size_t)1 << 20;
    support_page = 1 << 18; /* with pages of which there are no places: the second request */
    support_fail_at = 2;
    support_calls = 0;
    assert_int_equal(region_init(&region, &account, most), STATUS_OK);
    support_fail_at = 0;
    assert_false(region.placed);
    assert_int_equal(region.reserved, most / 2);
    assert_int_equal(region_grow(&region, most / 2), STATUS_OK);
    assert_int_equal(region_grow(&region, most / 2 + 1), STATUS_FULL);
    region_fini(&region);
    support_page = 0;
    assert_int_equal(vmem_bytes(&account), 0);
}

static void without_a_place_addresses_are_reserved(void **state) {
    (void)state;
    struct region region;
    size_t most = (size_t)1 << 20;
    support_fail_at = 1;
    support_calls = 0;
    assert_int_equal(region_init(&region, &account, most), STATUS_OK);
    support_fail_at = 0;
    assert_false(region.placed);
    assert_int_equal(region.reserved, most);
    for (size_t used = 1; used <= most; used += 50000) {
        assert_int_equal(region_grow(&region, used), STATUS_OK);
        assert_int_equal(region.base[used - 1], 0);
        region.base[used - 1] = 1;
    }
    region_trim(&region, region.committed);
    region_fini(&region);
    assert_int_equal(vmem_bytes(&account), 0);
}

/* What a limit of addresses counts. */
static size_t addresses_taken(void) {
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%zu", &pages), 1);
    fclose(file);
    return pages * __real_platform_page_size();
}

static void a_region_takes_addresses_only_for_what_it_uses(void **state) {
    (void)state;
    struct region regions[20];
    size_t count = sizeof regions / sizeof *regions, before = addresses_taken();
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(region_init(&regions[i], &account, PLACE_BYTES), STATUS_OK);
        if (!regions[i].placed) { /* an emulator, a sanitizer, an old kernel, larger pages */
            region_fini(&regions[i]);
            skip();
        }
        assert_int_equal(region_grow(&regions[i], 100000), STATUS_OK);
    }
    assert_true(addresses_taken() - before < (size_t)10 << 20);
    for (size_t i = 0; i < count; i++)
        region_fini(&regions[i]);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void what_somebody_else_has_put_behind_a_region_stays_theirs(void **state) {
    (void)state;
    struct region region;
    size_t page = platform_page_size();
    assert_int_equal(region_init(&region, &account, (size_t)1 << 30), STATUS_OK);
    if (!region.placed) {
        region_fini(&region);
        skip();
    }
    char *theirs = region.base + ((size_t)1 << 20);
    assert_true(platform_extend(theirs, page));
    theirs[5] = 7;
    assert_int_equal(region_grow(&region, (size_t)1 << 20), STATUS_OK);
    assert_int_equal(region_grow(&region, ((size_t)1 << 20) + 1), STATUS_NOMEM);
    memset(region.base, 1, region.committed);
    region_fini(&region);
    assert_int_equal(theirs[5], 7);
    platform_release(theirs, page);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void a_region_may_be_smaller_than_a_step(void **state) {
    (void)state;
    struct region region;
    assert_int_equal(region_init(&region, &account, 100), STATUS_OK);
    assert_int_equal(region_grow(&region, 100), STATUS_OK);
    region.base[99] = 1;
    assert_int_equal(region_grow(&region, platform_page_size() + 1), STATUS_FULL);
    region_fini(&region);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void memory_comes_in_whole_pages_whatever_their_size(void **state) {
    (void)state;
    static const size_t pages[] = {16384, 65536, 1 << 20};
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        struct region region;
        support_page = pages[i];
        assert_int_equal(region_init(&region, &account, 10 * pages[i] + 1), STATUS_OK);
        assert_int_equal(region.reserved, 11 * pages[i]);
        for (size_t used = 1; used <= region.reserved; used += 5000) {
            assert_int_equal(region_grow(&region, used), STATUS_OK);
            assert_int_equal(region.committed % pages[i], 0);
            region.base[used - 1] = 1;
        }
        assert_int_equal(region_grow(&region, region.reserved), STATUS_OK);
        assert_int_equal(region_grow(&region, region.reserved + 1), STATUS_FULL);
        region_fini(&region);
        support_fail_at = 1;
        support_fail_on = true;
        support_calls = 0;
        assert_int_equal(region_init(&region, &account, 10 * pages[i]), STATUS_NOMEM);
        support_fail_at = 0;
        support_fail_on = false;
    }
    support_page = 0;
    assert_int_equal(vmem_bytes(&account), 0);
}

static void more_addresses_than_there_are_give_a_smaller_region(void **state) {
    (void)state;
    struct region region;
    assert_int_equal(region_init(&region, &account, (size_t)1 << 60), STATUS_OK);
    assert_true(region.reserved < (size_t)1 << 60 && region.reserved >= (size_t)1 << 30);
    assert_int_equal(region_grow(&region, 1), STATUS_OK);
    region_fini(&region);
    assert_null(vmem_map(&account, (size_t)1 << 60));
    assert_int_equal(vmem_bytes(&account), 0);
}

static status map_and_grow(void *context) {
    (void)context;
    struct region region = {0};
    void *map = vmem_map(&account, 10000), *sparse = vmem_map_sparse(1 << 20);
    status result = map != NULL && sparse != NULL ? STATUS_OK : STATUS_NOMEM;
    if (result == STATUS_OK)
        result = region_init(&region, &account, (size_t)1 << 20);
    for (size_t i = 1; i <= 16 && result == STATUS_OK; i++)
        result = region_grow(&region, i << 16);
    region_fini(&region);
    vmem_unmap(&account, map, 10000);
    if (sparse != NULL)
        vmem_unmap_sparse(sparse, 1 << 20);
    return result;
}

static void every_request_may_fail(void **state) {
    (void)state;
    assert_true(support_sweep(&account, map_and_grow, NULL) >= 15);
}

static void errno_is_left_as_it_was(void **state) {
    (void)state;
    errno = 123;
    assert_null(vmem_map(&account, (size_t)1 << 60));
    assert_int_equal(errno, 123);
    void *map = vmem_map(&account, 1);
    assert_int_equal(errno, 123);
    vmem_unmap(&account, map, 1);
    platform_keep_small_pages((void *)1, 1); /* not a page: fails */
    assert_int_equal(errno, 123);
    platform_release((void *)1, 1);
    assert_int_equal(errno, 123);
    assert_false(platform_commit((void *)1, platform_page_size()));
    assert_int_equal(errno, 123);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_map_is_zeroed_and_counted_in_whole_pages),
        cmocka_unit_test(a_sparse_map_counts_what_its_owner_says),
        cmocka_unit_test(a_region_grows_in_place_and_keeps_its_bytes),
        cmocka_unit_test(a_region_that_is_trimmed_keeps_what_is_in_use_and_grows_no_more),
        cmocka_unit_test(any_number_of_trimmed_regions_leave_places_for_others),
        cmocka_unit_test(a_region_that_cannot_grow_stays_as_it_was),
        cmocka_unit_test(a_refused_reservation_is_tried_again_with_half_the_size),
        cmocka_unit_test(without_a_place_addresses_are_reserved),
        cmocka_unit_test(a_region_takes_addresses_only_for_what_it_uses),
        cmocka_unit_test(what_somebody_else_has_put_behind_a_region_stays_theirs),
        cmocka_unit_test(a_region_may_be_smaller_than_a_step),
        cmocka_unit_test(memory_comes_in_whole_pages_whatever_their_size),
        cmocka_unit_test(more_addresses_than_there_are_give_a_smaller_region),
        cmocka_unit_test(every_request_may_fail),
        cmocka_unit_test(errno_is_left_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
