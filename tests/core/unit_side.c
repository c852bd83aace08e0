/* Blocks that no GIL protects, and the peak of both partitions together: joint events, apart events and the
 * main partition's, in any order, against the log of all events (peak_model.h says how the headers are read).
 *
 * The order of events here is the order of calls. Before an event of the main partition the window is
 * settled, as tracer_enter does; so apart events take effect where they happened. */
#include "peak_model.h"

#include "side.h"

enum { MAIN = 6, DOMAINS = 3, NODES = 5, SIDE = DOMAINS * NODES, ADDRESSES = 40, BLOCKS = 120 };

static struct vmem account;

struct block {
    uint32_t who; /* in the model: below MAIN of the ledger, else of the side */
    uint64_t bytes;
    uint32_t domain;
    uintptr_t address;
};

struct world {
    struct ledger ledger;
    struct side side;
    struct peak_log log;
    uint32_t ids[MAIN];
    struct block blocks[BLOCKS];
    uint32_t count;
    uint64_t random;
};

static uint32_t side_who(uint32_t domain, uint32_t node) { return MAIN + domain * NODES + node; }

static void start(struct world *world, uint64_t seed) {
    memset(world, 0, sizeof *world);
    world->random = seed;
    lock_init(&world->side.lock, LOCK_SIDE);
    lock_acquire(&world->side.lock);
    assert_int_equal(ledger_init(&world->ledger, &account), STATUS_OK);
    assert_int_equal(side_init(&world->side, &account), STATUS_OK);
    for (uint32_t i = 0; i < MAIN; i++)
        assert_int_equal(ledger_add(&world->ledger, i, &world->ids[i]), STATUS_OK);
}

static void end(struct world *world) {
    side_fini(&world->side);
    ledger_fini(&world->ledger);
    peak_forget(&world->log);
    lock_release(&world->side.lock);
    lock_fini(&world->side.lock);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void judge(struct world *world) { peak_add(&world->log, PEAK_JUDGE, 0, 0, 0); }

static void settle(struct world *world) {
    if (!world->side.pending)
        return;
    side_settle_locked(&world->side, &world->ledger);
    assert_false(world->side.pending);
    judge(world);
}

/* Before an event on the side that will change something. */
static struct ledger *begin(struct world *world, bool joint) {
    if (joint == world->side.pending)
        judge(world); /* it closes a window, or opens one */
    return joint ? &world->ledger : NULL;
}

static uint32_t find(const struct world *world, uint32_t domain, uintptr_t address) {
    uint32_t i = 0;
    while (i < world->count && (world->blocks[i].domain != domain || world->blocks[i].address != address))
        i++;
    return i;
}

static void ended(struct world *world, uint32_t i) {
    peak_add(&world->log, PEAK_LOSE, world->blocks[i].who, 0, world->blocks[i].bytes);
    world->blocks[i] = world->blocks[--world->count];
}

/* --- events
 * ----------------------------------------------------------------------------------------------------------
 */

static void main_gain(struct world *world, uint32_t who, uint64_t bytes) {
    settle(world);
    ledger_gain(&world->ledger, world->ids[who], bytes);
    peak_add(&world->log, PEAK_GAIN, who, 0, bytes);
    world->blocks[world->count++] = (struct block){who, bytes, UINT32_MAX, 0};
}

static void main_lose(struct world *world, uint32_t i) {
    settle(world);
    ledger_lose(&world->ledger, world->ids[world->blocks[i].who], world->blocks[i].bytes);
    ended(world, i);
}

static void main_move(struct world *world, uint32_t i, uint32_t to) {
    struct block *block = &world->blocks[i];
    settle(world);
    ledger_move(&world->ledger, world->ids[block->who], world->ids[to], block->bytes);
    peak_add(&world->log, PEAK_MOVE, block->who, to, block->bytes);
    block->who = to;
}

static void put(struct world *world, bool joint, uint32_t domain, uintptr_t address, uint64_t bytes,
                uint32_t node) {
    uint32_t old = find(world, domain, address), who = side_who(domain, node);
    struct ledger *ledger = begin(world, joint);
    assert_int_equal(side_put_locked(&world->side, ledger, domain, address, bytes, node), STATUS_OK);
    if (old < world->count)
        ended(world, old);
    peak_add(&world->log, PEAK_GAIN, who, 0, bytes);
    world->blocks[world->count++] = (struct block){who, bytes, domain, address};
}

static void take_away(struct world *world, bool joint, uint32_t domain, uintptr_t address) {
    uint32_t i = find(world, domain, address);
    const struct big *entry = side_find_locked(&world->side, domain, address);
    bool known = i < world->count;
    if (joint && world->side.pending) /* a joint look closes the window, even if there is nothing to remove */
        judge(world);
    else if (known && !joint && !world->side.pending)
        judge(world);
    assert_int_equal(entry != NULL, known);
    if (known) {
        assert_int_equal(big_size(&world->side.blocks, entry), world->blocks[i].bytes);
        assert_int_equal(side_who(domain, side_tally(&world->side, big_tally(entry))->tally.node),
                         world->blocks[i].who);
    }
    bool found = side_remove_locked(&world->side, joint ? &world->ledger : NULL, domain, address);
    assert_int_equal(found, known);
    if (known)
        ended(world, i);
}

static void move(struct world *world, bool joint, uint32_t domain, uintptr_t address, uint32_t node) {
    uint32_t i = find(world, domain, address), to = side_who(domain, node);
    bool changes = i < world->count && world->blocks[i].who != to;
    if (changes || (joint && world->side.pending))
        (void)begin(world, joint);
    struct ledger *ledger = joint ? &world->ledger : NULL;
    assert_int_equal(side_move_locked(&world->side, ledger, domain, address, node), STATUS_OK);
    if (changes) {
        peak_add(&world->log, PEAK_MOVE, world->blocks[i].who, to, world->blocks[i].bytes);
        world->blocks[i].who = to;
    }
}

/* As tracer_reset_peak does it. */
static void reset(struct world *world) {
    settle(world);
    world->ledger.limit = world->ledger.current;
    world->ledger.epoch++;
    peak_add(&world->log, PEAK_RESET, 0, 0, 0);
}

/* --- comparison ---------------------------------------------------------------------------------------- */

static void assert_counters(const struct world *world, const struct tally *tally,
                            const struct peak_result *result, uint32_t who, int64_t *sum) {
    pair live = tally_live(tally), peak = tally_at_peak(&world->ledger, tally);
    assert_int_equal(live.bytes, result->live[who].bytes);
    assert_int_equal(live.blocks, result->live[who].blocks);
    assert_int_equal(tally->total.bytes, result->total[who].bytes);
    assert_int_equal(tally->total.blocks, result->total[who].blocks);
    assert_int_equal(peak.bytes, result->at_peak[who].bytes);
    assert_int_equal(peak.blocks, result->at_peak[who].blocks);
    *sum += (int64_t)peak.bytes;
}

static void assert_as_log(struct world *world) {
    static struct peak_result result;
    int64_t sum = 0;
    assert_true(side_check(&world->side));
    settle(world);
    ledger_note_peak(&world->ledger);
    judge(world);
    peak_replay(&world->log, &result);
    assert_int_equal(result.peak, peak_by_definition(&world->log));
    assert_int_equal(world->ledger.current + world->side.current, result.current);
    assert_int_equal(world->ledger.limit + world->side.current, result.peak);
    for (uint32_t who = 0; who < MAIN; who++)
        assert_counters(world, &world->ledger.tallies[world->ids[who]], &result, who, &sum);
    for (uint32_t id = 1; id < world->side.count; id++) {
        const struct side_tally *tally = side_tally(&world->side, id);
        assert_counters(world, &tally->tally, &result, side_who(tally->domain, tally->tally.node), &sum);
    }
    assert_int_equal(sum, result.peak); /* so no tally is missing */
    for (uint32_t i = 0; i < world->count; i++) {
        const struct block *block = &world->blocks[i];
        if (block->domain == UINT32_MAX)
            continue;
        const struct big *entry = side_find_locked(&world->side, block->domain, block->address);
        assert_non_null(entry);
        assert_int_equal(big_size(&world->side.blocks, entry), block->bytes);
    }
}

/* --- random events ------------------------------------------------------------------------------------- */

static uint64_t random_bytes(uint64_t *random) {
    uint32_t kind = support_below(random, 12);
    return kind == 0   ? 0
           : kind == 1 ? UINT64_C(1) << 33
           : kind < 7  ? 8 * (1 + support_below(random, 3))
                       : support_below(random, 500);
}

static void random_main(struct world *world, uint32_t growth) {
    uint64_t *random = &world->random;
    uint32_t i = support_below(random, world->count + 1), what = support_below(random, 10);
    if (what < growth && world->count < BLOCKS - 1)
        main_gain(world, support_below(random, MAIN), random_bytes(random));
    else if (i < world->count && world->blocks[i].who < MAIN && what < 9)
        main_lose(world, i);
    else if (i < world->count && world->blocks[i].who < MAIN)
        main_move(world, i, (world->blocks[i].who + 1 + support_below(random, MAIN - 1)) % MAIN);
}

static void random_side(struct world *world, uint32_t growth, bool joint) {
    uint64_t *random = &world->random;
    uint32_t domain = support_below(random, DOMAINS), node = support_below(random, NODES);
    uintptr_t address = 4096 + 16 * (uintptr_t)support_below(random, ADDRESSES);
    uint32_t what = support_below(random, 10);
    if (what < growth && world->count < BLOCKS - 1)
        put(world, joint, domain, address, random_bytes(random), node);
    else if (what < 8)
        take_away(world, joint, domain, address);
    else
        move(world, joint, domain, address, node);
}

/* `apart`, `joint`: of 10 events so many are of that kind, the others are the main partition's. */
static void random_events(struct world *world, int events, uint32_t apart, uint32_t joint) {
    uint32_t growth = 4;
    for (int i = 0; i < events; i++) {
        if (support_below(&world->random, 25) == 0)
            growth = 1 + support_below(&world->random, 8); /* up for a while, down for a while */
        uint32_t kind = support_below(&world->random, 10);
        if (kind < apart + joint)
            random_side(world, growth, kind >= apart);
        else
            random_main(world, growth);
        if (support_below(&world->random, 60) == 0)
            reset(world);
        if (support_below(&world->random, 40) == 0)
            settle(world);
        if (support_below(&world->random, 25) == 0)
            assert_as_log(world);
    }
    assert_as_log(world);
}

static void the_peak_of_both_partitions_is_what_the_log_of_all_events_says(void **state) {
    (void)state;
    static struct world world;
    static const uint32_t mixes[][2] = {{3, 3}, {10, 0}, {0, 10}, {8, 1}, {1, 8},
                                        {5, 0}, {0, 5},  {1, 1},  {5, 5}};
    for (uint64_t seed = 0; seed < SCALED(1200); seed++) {
        const uint32_t *mix = mixes[seed % (sizeof mixes / sizeof *mixes)];
        start(&world, seed);
        random_events(&world, seed % 2 == 0 ? 60 : 400, mix[0], mix[1]);
        end(&world);
    }
}

/* --- single cases -------------------------------------------------------------------------------------- */

static int64_t peak_of(const struct world *world) { return world->ledger.limit + world->side.current; }

static uint64_t side_at_peak(const struct world *world, uint32_t domain, uint32_t node) {
    for (uint32_t id = 1; id < world->side.count; id++) {
        const struct side_tally *tally = side_tally(&world->side, id);
        if (tally->domain == domain && tally->tally.node == node)
            return tally_at_peak(&world->ledger, &tally->tally).bytes;
    }
    return 0;
}

static void a_peak_within_a_window_is_found_when_it_closes(void **state) {
    (void)state;
    static struct world world;
    start(&world, 0);
    main_gain(&world, 0, 100);
    put(&world, false, 0, 4096, 50, 1);
    put(&world, false, 0, 8192, 30, 2); /* 180: the peak */
    take_away(&world, false, 0, 4096);
    take_away(&world, false, 0, 8192);
    put(&world, false, 0, 4096, 70, 3);
    assert_as_log(&world);
    assert_int_equal(peak_of(&world), 180);
    assert_int_equal(side_at_peak(&world, 0, 1), 50);
    assert_int_equal(side_at_peak(&world, 0, 2), 30);
    assert_int_equal(side_at_peak(&world, 0, 3), 0);
    end(&world);
}

static void a_peak_before_the_window_is_not_moved_into_it(void **state) {
    (void)state;
    static struct world world;
    start(&world, 0);
    put(&world, true, 1, 4096, 20, 1);
    main_gain(&world, 0, 100); /* 120: the peak, which nobody has looked at yet */
    take_away(&world, false, 1, 4096);
    put(&world, false, 1, 4096, 20, 2); /* 120 again, but later */
    assert_as_log(&world);
    assert_int_equal(peak_of(&world), 120);
    assert_int_equal(side_at_peak(&world, 1, 1), 20);
    assert_int_equal(side_at_peak(&world, 1, 2), 0);
    end(&world);
}

static void domains_keep_their_own_block_at_one_address(void **state) {
    (void)state;
    static struct world world;
    start(&world, 0);
    for (uint32_t domain = 0; domain < DOMAINS; domain++)
        put(&world, domain == 1, domain, 4096, 10 + domain, domain);
    put(&world, true, 1, 4096, 99, 4); /* replaced in its domain only */
    assert_as_log(&world);
    take_away(&world, true, 0, 4096);
    take_away(&world, true, 0, 4096);
    assert_as_log(&world);
    assert_int_equal(world.side.current, 99 + 12);
    end(&world);
}

static void blocks_of_64_gib_at_one_address_in_two_domains_are_told_apart(void **state) {
    (void)state;
    static struct world world;
    start(&world, 0);
    put(&world, true, 1, 4096, UINT64_C(1) << 36, 1);
    put(&world, true, 2, 4096, UINT64_C(1) << 37, 2);
    take_away(&world, true, 2, 4096);
    assert_as_log(&world);
    take_away(&world, true, 1, 4096);
    assert_as_log(&world);
    end(&world);
}

static void a_block_whose_record_was_taken_out_can_be_counted_as_gone(void **state) {
    (void)state;
    static struct world world;
    start(&world, 0);
    put(&world, false, 0, 4096, 50, 1);
    put(&world, true, 0, 8192, 70, 2);
    for (uint32_t joint = 0; joint < 2; joint++) {
        uint32_t i = find(&world, 0, joint ? 8192 : 4096);
        struct big *entry = side_find_locked(&world.side, 0, world.blocks[i].address);
        uint32_t tally = big_tally(entry);
        bigmap_remove(&world.side.blocks, entry);
        side_lose_locked(&world.side, begin(&world, joint != 0), tally, world.blocks[i].bytes);
        ended(&world, i);
        assert_as_log(&world);
    }
    assert_int_equal(peak_of(&world), 120);
    end(&world);
}

static status put_many(void *context) {
    static struct world world;
    bool joint = *(bool *)context;
    memset(&world, 0, sizeof world);
    lock_init(&world.side.lock, LOCK_SIDE);
    lock_acquire(&world.side.lock);
    status result = ledger_init(&world.ledger, &account);
    if (result == STATUS_OK)
        result = side_init(&world.side, &account);
    for (uint32_t i = 0; i < 4000 && result == STATUS_OK; i++) {
        struct ledger *ledger = joint || i % 16 == 0 ? &world.ledger : NULL;
        int64_t before = world.side.current;
        result = side_put_locked(&world.side, ledger, i % 3, 4096 + (uintptr_t)i * 16, i, i % 1000);
        if (result == STATUS_OK && i % 5 == 0)
            result = side_move_locked(&world.side, ledger, i % 3, 4096 + (uintptr_t)i * 16, i + 1);
        else if (result != STATUS_OK)
            assert_int_equal(world.side.current, before);
    }
    if (world.side.count != 0) {
        side_settle_locked(&world.side, &world.ledger);
        assert_true(side_check(&world.side));
    }
    side_fini(&world.side);
    side_fini(&world.side);
    ledger_fini(&world.ledger);
    lock_release(&world.side.lock);
    lock_fini(&world.side.lock);
    return result;
}

static void every_request_may_fail(void **state) {
    (void)state;
    bool joint = false;
    assert_true(support_sweep(&account, put_many, &joint) >= 8);
    joint = true;
    assert_true(support_sweep(&account, put_many, &joint) >= 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_peak_of_both_partitions_is_what_the_log_of_all_events_says),
        cmocka_unit_test(a_peak_within_a_window_is_found_when_it_closes),
        cmocka_unit_test(a_peak_before_the_window_is_not_moved_into_it),
        cmocka_unit_test(domains_keep_their_own_block_at_one_address),
        cmocka_unit_test(blocks_of_64_gib_at_one_address_in_two_domains_are_told_apart),
        cmocka_unit_test(a_block_whose_record_was_taken_out_can_be_counted_as_gone),
        cmocka_unit_test(every_request_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
