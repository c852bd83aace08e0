/* Records of large, odd and other domains' blocks: against a plain list. */
#include "support.h"

#include "bigmap.h"
#include "scale.h"

enum { MOST = 400, STEPS = 60000 };

static struct vmem account;

/* Tallies are all different, so an entry is known by its address and tally. */
struct entry {
    uintptr_t address;
    uint64_t size;
    uint32_t tally;
    bool watched;
};

static struct entry model[MOST];
static uint32_t model_count;

static struct big *find(const struct bigmap *map, const struct entry *wanted) {
    struct big *entry = bigmap_find(map, wanted->address);
    while (entry != NULL && big_tally(entry) != wanted->tally)
        entry = bigmap_find_next(map, entry);
    return entry;
}

static void assert_as_model(const struct bigmap *map) {
    assert_true(bigmap_check(map));
    assert_int_equal(map->count, model_count);
    for (uint32_t i = 0; i < model_count; i++) {
        const struct big *entry = find(map, &model[i]);
        assert_non_null(entry);
        assert_int_equal(big_address(entry), model[i].address);
        assert_int_equal(big_size(map, entry), model[i].size);
        assert_int_equal((entry->key & BIG_WATCHED) != 0, model[i].watched);
        size_t same = 0, found = 0;
        for (uint32_t j = 0; j < model_count; j++)
            same += model[j].address == model[i].address;
        for (entry = bigmap_find(map, model[i].address); entry != NULL; entry = bigmap_find_next(map, entry))
            found++;
        assert_int_equal(found, same);
    }
}

static uint64_t random_size(uint64_t *random) {
    static const uint64_t sizes[] = {
        0, 1, 513, BIG_LISTED - 1, BIG_LISTED, BIG_LISTED + 1, UINT64_C(1) << 36, UINT64_MAX};
    return sizes[support_below(random, sizeof sizes / sizeof *sizes)];
}

static void add(struct bigmap *map, uint64_t *random, uint32_t tally) {
    struct entry entry = {0x7F0000000000u + support_below(random, 250) * 16, random_size(random), tally,
                          support_below(random, 5) == 0};
    if (support_below(random, 4) == 0)
        entry.address += support_below(random, 16); /* not aligned: same home as its neighbours */
    assert_int_equal(bigmap_reserve(map, entry.size), STATUS_OK);
    bigmap_put(map, entry.address | (entry.watched ? BIG_WATCHED : 0), entry.size, tally);
    model[model_count++] = entry;
}

static void change(struct bigmap *map, uint64_t *random, uint32_t i, uint32_t tally) {
    struct entry *entry = &model[i];
    struct big *big = find(map, entry);
    assert_non_null(big);
    if (support_below(random, 2) == 0) {
        big_set_tally(big, tally);
        entry->tally = tally;
    } else {
        big->key |= BIG_WATCHED;
        entry->watched = true;
    }
}

static void entries_are_as_in_a_list(void **state) {
    (void)state;
    struct bigmap map;
    uint64_t random = 41;
    uint32_t tally = 0, most = MOST;
    model_count = 0;
    assert_int_equal(bigmap_init(&map, &account), STATUS_OK);
    for (int step = 0; step < STEPS; step++) {
        if (step % 3000 == 0)
            most = 2 + support_below(&random, MOST - 2); /* it gets fuller and emptier again */
        uint32_t what = support_below(&random, 10),
                 i = model_count != 0 ? support_below(&random, model_count) : 0;
        if (model_count < most && (what < 5 || model_count == 0)) {
            add(&map, &random, ++tally);
        } else if (what < 9 || model_count > most) {
            bigmap_remove(&map, find(&map, &model[i]));
            model[i] = model[--model_count];
        } else {
            change(&map, &random, i, ++tally);
        }
        if (step % 64 == 0)
            assert_as_model(&map);
    }
    while (model_count != 0) {
        bigmap_remove(&map, find(&map, &model[--model_count]));
        if (model_count % 16 == 0)
            assert_as_model(&map);
    }
    bigmap_fini(&map);
    bigmap_fini(&map);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void a_watched_entry_keeps_its_size_of_64_gib_and_more(void **state) {
    (void)state;
    struct bigmap map;
    assert_int_equal(bigmap_init(&map, &account), STATUS_OK);
    assert_int_equal(bigmap_reserve(&map, UINT64_MAX), STATUS_OK);
    bigmap_put(&map, 4096 | BIG_WATCHED, UINT64_MAX, TALLY_MASK);
    const struct big *entry = bigmap_find(&map, 4096);
    assert_int_equal(big_size(&map, entry), UINT64_MAX);
    assert_int_equal(big_tally(entry), TALLY_MASK);
    assert_int_equal(big_address(entry), 4096);
    assert_null(bigmap_find(&map, 4097));
    assert_null(bigmap_find_next(&map, entry));
    bigmap_fini(&map);
}

/* Domains may track equally placed blocks of any size. */
static void two_entries_of_one_address_may_both_have_64_gib(void **state) {
    (void)state;
    struct bigmap map;
    assert_int_equal(bigmap_init(&map, &account), STATUS_OK);
    for (uint32_t tally = 1; tally <= 3; tally++) {
        assert_int_equal(bigmap_reserve(&map, BIG_LISTED + tally), STATUS_OK);
        bigmap_put(&map, 4096, BIG_LISTED + tally, tally);
    }
    struct entry second = {4096, 0, 2, false};
    for (struct big *entry = bigmap_find(&map, 4096); entry != NULL; entry = bigmap_find_next(&map, entry))
        assert_int_equal(big_size(&map, entry), BIG_LISTED + big_tally(entry));
    bigmap_remove(&map, find(&map, &second));
    for (struct big *entry = bigmap_find(&map, 4096); entry != NULL; entry = bigmap_find_next(&map, entry))
        assert_int_equal(big_size(&map, entry), BIG_LISTED + big_tally(entry));
    assert_true(bigmap_check(&map));
    bigmap_fini(&map);
}

static void places_for_large_sizes_are_used_again_and_have_an_end(void **state) {
    (void)state;
    struct bigmap map;
    assert_int_equal(bigmap_init(&map, &account), STATUS_OK);
    for (uint32_t i = 0; i < 200; i++) {
        assert_int_equal(bigmap_reserve(&map, UINT64_MAX), STATUS_OK);
        bigmap_put(&map, 4096 + (uintptr_t)i * 16, UINT64_MAX, 1);
        if (i >= 4)
            bigmap_remove(&map, bigmap_find(&map, 4096 + (uintptr_t)(i - 4) * 16));
    }
    assert_true(map.listed_count <= 5);
    bigmap_fini(&map);
    assert_int_equal(bigmap_init(&map, &account), STATUS_OK);
    map.listed_count = BIG_LISTED_MOST; /* as if so many were in use */
    assert_int_equal(bigmap_reserve(&map, BIG_LISTED), STATUS_FULL);
    assert_int_equal(bigmap_reserve(&map, BIG_LISTED - 1), STATUS_OK);
    map.listed_count = 0;
    bigmap_fini(&map);
}

/* --- how full, how crowded ------------------------------------------------------------------------------------- */

enum { MANY = SCALED(60000), DENSE_FROM = 5000 };

static uintptr_t patterned(int pattern, uint32_t i) {
    const uintptr_t base = 0x7F0000000000u;
    switch (pattern) {
    case 0:
        return base + (uintptr_t)i * 16;
    case 1:
        return base + (uintptr_t)i * 4096;
    case 2:
        return base + ((uintptr_t)i << 20) + 16;
    case 3:
        return 0x10 + ((uintptr_t)i << 32);
    case 4:
        return base + (uintptr_t)i * 0x6A90; /* one multiplication is not enough for these */
    case 5:
        return base + (uintptr_t)(i % 256) * ((1 << 20) + 4096) + (uintptr_t)(i / 256) * 16;
    default:
        return 1 + (uintptr_t)i;
    }
}

static void assert_full_enough(const struct bigmap *map, size_t bytes_most) {
    if (map->count >= DENSE_FROM)
        assert_in_range(map->capacity * sizeof(struct big), 0, map->count * bytes_most);
}

static double mean_distance(const struct bigmap *map) {
    double sum = 0;
    for (size_t i = 0; i < map->capacity; i++) {
        uintptr_t address = big_address(&map->entries[i]);
        if (map->entries[i].key != 0) {
            const struct big *found = bigmap_find(map, address);
            size_t home = bigmap_home(address, map->capacity);
            size_t at = (size_t)(found - map->entries);
            sum += (double)(at >= home ? at - home : at + map->capacity - home);
        }
    }
    return sum / (double)map->count;
}

/* At 13/16 linear probing expects (1 / (1 - 13/16) - 1) / 2 = 2.2 (Knuth, The Art of Computer Programming 6.4). */
static void the_table_is_full_and_not_crowded_whatever_the_addresses(void **state) {
    (void)state;
    static uintptr_t addresses[MANY];
    for (int pattern = 0; pattern < 7; pattern++) {
        struct bigmap map;
        uint64_t random = 77;
        assert_int_equal(bigmap_init(&map, &account), STATUS_OK);
        size_t at_first = vmem_bytes(&account);
        for (uint32_t i = 0; i < MANY; i++) {
            addresses[i] = patterned(pattern, i);
            assert_int_equal(bigmap_reserve(&map, i), STATUS_OK);
            bigmap_put(&map, addresses[i], i, 1);
            assert_full_enough(&map, 24);
            if (i % 10000 == 9999)
                assert_true(mean_distance(&map) < 5);
        }
        assert_true(bigmap_check(&map));
        for (uint32_t left = MANY; left > 0; left--) {
            uint32_t i = support_below(&random, left);
            bigmap_remove(&map, bigmap_find(&map, addresses[i]));
            assert_null(bigmap_find(&map, addresses[i]));
            addresses[i] = addresses[left - 1];
            assert_full_enough(&map, 29);
        }
        assert_true(vmem_bytes(&account) < at_first + 65536);
        bigmap_fini(&map);
    }
    assert_int_equal(vmem_bytes(&account), 0);
}

/* Who replaces an entry reserves, removes and puts: also where the table shrinks in between. */
static void room_that_was_reserved_stays_when_entries_go(void **state) {
    (void)state;
    enum { LIVE = 6000 };
    struct bigmap map;
    assert_int_equal(bigmap_init(&map, &account), STATUS_OK);
    for (uint32_t i = 0; i < LIVE; i++) {
        assert_int_equal(bigmap_reserve(&map, 1), STATUS_OK);
        bigmap_put(&map, 16 * (uintptr_t)(i + 1), 1, 1);
    }
    for (uint32_t i = 0; i < LIVE; i++) {
        assert_int_equal(bigmap_reserve(&map, 1), STATUS_OK);
        bigmap_remove(&map, bigmap_find(&map, 16 * (uintptr_t)(i + 1)));
        bigmap_put(&map, 8, 1, 1); /* asserts that there is room */
        bigmap_remove(&map, bigmap_find(&map, 8));
    }
    assert_true(bigmap_check(&map));
    bigmap_fini(&map);
}

static void the_check_sees_what_is_wrong(void **state) {
    (void)state;
    struct bigmap map;
    assert_int_equal(bigmap_init(&map, &account), STATUS_OK);
    assert_int_equal(bigmap_reserve(&map, BIG_LISTED), STATUS_OK);
    bigmap_put(&map, 4096, BIG_LISTED, 1);
    assert_true(bigmap_check(&map));
    ((uint64_t *)map.listed.base)[0] = 0;
    assert_false(bigmap_check(&map));
    ((uint64_t *)map.listed.base)[0] = BIG_LISTED;
    map.count = 2;
    assert_false(bigmap_check(&map));
    map.count = 1;
    struct big *entry = bigmap_find(&map, 4096), moved = *entry;
    *entry = (struct big){0, 0};
    map.entries[(size_t)(entry - map.entries) ^ 1] =
        moved; /* where its home does not lead, or leads by chance */
    bool reachable = bigmap_find(&map, 4096) != NULL;
    assert_int_equal(bigmap_check(&map), reachable);
    bigmap_fini(&map);
}

static status put_many(void *context) {
    (void)context;
    struct bigmap map;
    status result = bigmap_init(&map, &account);
    if (result != STATUS_OK)
        return result;
    uint32_t count = 0;
    for (uint32_t i = 0; i < 9000; i++) {
        uint64_t size = i % 2 == 0 ? BIG_LISTED + i : i;
        if ((result = bigmap_reserve(&map, size)) != STATUS_OK)
            break;
        bigmap_put(&map, 4096 + (uintptr_t)i * 16, size, 1 + i);
        count++;
    }
    assert_int_equal(map.count, count);
    assert_true(bigmap_check(&map));
    for (uint32_t i = 0; i < count; i += 100)
        assert_int_equal(big_tally(bigmap_find(&map, 4096 + (uintptr_t)i * 16)), 1 + i);
    bigmap_fini(&map);
    return result;
}

static void every_request_may_fail(void **state) {
    (void)state;
    assert_true(support_sweep(&account, put_many, NULL) >= 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_as_in_a_list),
        cmocka_unit_test(a_watched_entry_keeps_its_size_of_64_gib_and_more),
        cmocka_unit_test(two_entries_of_one_address_may_both_have_64_gib),
        cmocka_unit_test(places_for_large_sizes_are_used_again_and_have_an_end),
        cmocka_unit_test(the_table_is_full_and_not_crowded_whatever_the_addresses),
        cmocka_unit_test(room_that_was_reserved_stays_when_entries_go),
        cmocka_unit_test(the_check_sees_what_is_wrong),
        cmocka_unit_test(every_request_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
