/* unit_tracked: blocks that extensions report, beside a plain list of what each domain has at each address. */
#include "tracer_events.h"

enum { ADDRESSES = 12, CHECK_EVERY = 5 };

/* The first half are blocks of the main partition at times, the second half are never its own. */
static const uintptr_t addresses[ADDRESSES] = {0x7F1200000000u,
                                               0x7F1200000040u,
                                               0x7F1200000080u,
                                               0x7F1200400000u,
                                               0x7F1200500000u,
                                               0x7F1200600000u,
                                               0,
                                               1,
                                               0x660000u,
                                               UINT64_C(1) << 47,
                                               UINT64_MAX - 1,
                                               UINT64_MAX};
enum { MAIN_ADDRESSES = ADDRESSES / 2 };

struct known {
    bool there[DOMAINS][ADDRESSES];
    uint64_t size[DOMAINS][ADDRESSES];
    bool allocated[MAIN_ADDRESSES]; /* by Python's allocators, whatever an extension has said of it since */
};

static uint64_t size_at(uint32_t i) { return i < 3 ? 60 : 3000; } /* the first three share a page */

static void set(struct known *known, uint32_t domain, uint32_t i, uint64_t size) {
    known->there[domain][i] = true;
    known->size[domain][i] = size;
}

static void assert_found(struct world *world, bool joint, uint32_t domain, uintptr_t address, uint64_t size) {
    struct found found;
    assert_true(tracer_find_block(&world->tracer, joint, domain, address, &found));
    assert_int_equal(found.size, size);
    assert_ptr_equal(found.paths, world->tracer.paths);
    callpaths_release(found.paths);
}

static void assert_as_known(struct world *world, const struct known *known) {
    uint64_t sum = 0, current, peak;
    for (uint32_t domain = 0; domain < DOMAINS; domain++) {
        for (uint32_t i = 0; i < ADDRESSES; i++) {
            sum += known->there[domain][i] ? known->size[domain][i] : 0;
            struct found found;
            if (known->there[domain][i])
                assert_found(world, true, domain, addresses[i], known->size[domain][i]);
            else
                assert_false(tracer_find_block(&world->tracer, true, domain, addresses[i], &found));
            if (known->there[domain][i] && domain != DOMAIN_PYTHON)
                assert_found(world, false, domain, addresses[i], known->size[domain][i]);
        }
    }
    tracer_memory(&world->tracer, &current, &peak);
    assert_int_equal(current, sum);
    assert_true(peak >= current);
    assert_true(tracer_check(&world->tracer));
}

/* --- events ---------------------------------------------------------------------------------------------- */

static void allocate(struct world *world, struct known *known, uint32_t i) {
    uint32_t tally;
    assert_true(enter(world));
    assert_int_equal(tracer_tally_of(&world->tracer, world->nodes[i % NODES], &tally), STATUS_OK);
    tracer_put(&world->tracer, addresses[i], size_at(i), tally);
    set(known, DOMAIN_PYTHON, i, size_at(i));
    known->allocated[i] = true;
}

/* As the hooks do. */
static void release(struct world *world, struct known *known, uint32_t i) {
    struct tracer *tracer = &world->tracer;
    assert_true(enter(world));
    if (!tracer_remove_fast(tracer, addresses[i]) && !tracer_remove_slow(tracer, addresses[i]) &&
        tracer->strays)
        tracer_side_remove(tracer, true, DOMAIN_PYTHON, addresses[i]);
    known->there[DOMAIN_PYTHON][i] = known->allocated[i] = false;
}

static void track(struct world *world, struct known *known, bool joint, uint32_t domain, uint32_t i,
                  uint64_t size) {
    struct tracer *tracer = &world->tracer;
    assert_int_equal(tracer_track(tracer, joint, tracer->paths->serial, domain, addresses[i], size,
                                  world->nodes[i % NODES]),
                     STATUS_OK);
    set(known, domain, i, size);
}

static void untrack(struct world *world, struct known *known, bool joint, uint32_t domain, uint32_t i) {
    tracer_untrack(&world->tracer, joint, domain, addresses[i]);
    known->there[domain][i] = false;
}

static void random_event(struct world *world, struct known *known) {
    uint32_t i = below(world, ADDRESSES), domain = below(world, DOMAINS);
    bool joint = below(world, 2) == 0;
    bool is_main = i < MAIN_ADDRESSES;
    if (is_main && below(world, 2) == 0) {
        if (known->allocated[i])
            release(world, known, i);
        else
            allocate(world, known, i);
    } else if (is_main && domain == DOMAIN_PYTHON && !known->allocated[i]) {
        return; /* nobody reports what is not allocated: see the last test */
    } else if (below(world, 3) == 0) {
        untrack(world, known, joint, domain, i);
    } else {
        track(world, known, joint, domain, i, below(world, 5000));
    }
}

/* --- tests ----------------------------------------------------------------------------------------------- */

static void reports_of_all_kinds_leave_what_each_domain_knows(void **state) {
    (void)state;
    static struct world world;
    for (uint64_t seed = 0; seed < SCALED(60); seed++) {
        struct known known = {0};
        world_init(&world, seed);
        assert_int_equal(world_start(&world, 5), STATUS_OK);
        for (uint32_t n = 0; n < 400; n++) {
            random_event(&world, &known);
            if (n % CHECK_EVERY == 0)
                assert_as_known(&world, &known);
        }
        assert_int_equal(world.tracer.lost, 0);
        world_end(&world);
    }
}

static void a_report_that_replaces_a_block_makes_no_peak(void **state) {
    (void)state;
    static struct world world;
    uint64_t current, peak;
    for (int joint = 0; joint < 2; joint++) {
        struct known known = {0};
        world_init(&world, 0);
        assert_int_equal(world_start(&world, 5), STATUS_OK);
        allocate(&world, &known, 4);
        track(&world, &known, true, DOMAIN_PYTHON, 4, 2900);
        track(&world, &known, joint == 1, DOMAIN_PYTHON, 4, 2800);
        track(&world, &known, joint == 1, DOMAIN_PYTHON, 4, 2950);
        tracer_memory(&world.tracer, &current, &peak);
        assert_int_equal(current, 2950);
        assert_int_equal(peak, 3000);
        world_end(&world);
    }
}

static void a_full_list_of_the_disowned_keeps_its_own_and_no_more(void **state) {
    (void)state;
    static struct world world;
    struct known known = {0};
    world_init(&world, 0);
    assert_int_equal(world_start(&world, 5), STATUS_OK);
    allocate(&world, &known, 4);
    for (uint32_t n = 0; n < DISOWNED_MOST; n++)
        tracer_untrack(&world.tracer, false, DOMAIN_PYTHON, 0x990000u + n);
    untrack(&world, &known, false, DOMAIN_PYTHON, 4);
    assert_int_equal(world.tracer.disowned.count, DISOWNED_MOST);
    set(&known, DOMAIN_PYTHON, 4, 3000); /* its end was lost */
    assert_as_known(&world, &known);
    untrack(&world, &known, false, DOMAIN_PYTHON, 4);
    assert_as_known(&world, &known);
    world_end(&world);
}

static void nothing_is_kept_with_other_paths_or_while_not_active(void **state) {
    (void)state;
    static struct world world;
    struct known known = {0};
    world_init(&world, 0);
    assert_int_equal(tracer_track(&world.tracer, false, 0, 3, 4096, 10, 1), STATUS_OK);
    tracer_untrack(&world.tracer, false, 3, 4096);
    assert_int_equal(world_start(&world, 5), STATUS_OK);
    assert_int_equal(tracer_track(&world.tracer, false, 0, 3, 4096, 10, 1), STATUS_INVALID);
    assert_int_equal(tracer_track(&world.tracer, true, 0, 0, addresses[4], 10, 1), STATUS_INVALID);
    assert_as_known(&world, &known);
    world_end(&world);
}

static void without_memory_a_report_is_lost_and_counted(void **state) {
    (void)state;
    static struct world world;
    struct known known = {0};
    world_init(&world, 0);
    assert_int_equal(world_start(&world, 5), STATUS_OK);
    allocate(&world, &known, 4);
    support_calls = 0;
    support_fail_on = true;
    support_fail_at = 1;
    uint64_t kept = 0;
    for (uintptr_t n = 0; n < 30000 && world.tracer.lost < 100; n++) {
        status result = tracer_track(&world.tracer, n % 2 == 0, world.tracer.paths->serial, 2, 4096 + n, 10,
                                     world.nodes[1]);
        assert_true(result == STATUS_OK || result == STATUS_NOMEM);
        kept += result == STATUS_OK;
        tracer_untrack(&world.tracer, false, DOMAIN_PYTHON, addresses[4]); /* may be lost */
    }
    support_fail_at = 0;
    assert_int_equal(world.tracer.lost, 100);
    assert_int_equal(side_blocks(&world), kept);
    assert_true(tracer_check(&world.tracer));
    world_end(&world);
}

/* An extension that forgets to untrack: its block ends when Python's allocators give the address out again, for blocks
 * that no page serves. */
static void a_forgotten_report_ends_with_the_next_large_block(void **state) {
    (void)state;
    static struct world world;
    for (int joint = 0; joint < 2; joint++) {
        struct known known = {0};
        world_init(&world, 0);
        assert_int_equal(world_start(&world, 5), STATUS_OK);
        track(&world, &known, joint == 1, DOMAIN_PYTHON, 4, 77);
        allocate(&world, &known, 4);
        assert_as_known(&world, &known);
        release(&world, &known, 4);
        assert_as_known(&world, &known);
        world_end(&world);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_of_all_kinds_leave_what_each_domain_knows),
        cmocka_unit_test(a_report_that_replaces_a_block_makes_no_peak),
        cmocka_unit_test(a_full_list_of_the_disowned_keeps_its_own_and_no_more),
        cmocka_unit_test(nothing_is_kept_with_other_paths_or_while_not_active),
        cmocka_unit_test(without_memory_a_report_is_lost_and_counted),
        cmocka_unit_test(a_forgotten_report_ends_with_the_next_large_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
