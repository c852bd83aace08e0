/* Blocks that no GIL protects, and the peak of both partitions together: joint events, apart events and the
 * main partition's, in any order, against the log of all events (peak_model.h says how the headers are read).
 *
 * The order of events here is the order of calls. Before an event of the main partition the window is
 * settled, as tracer_enter does; so apart events take effect where they happened. */
#include "peak_model.h"

#include "side.h"

enum { MAIN = 6, DOMAINS = 3, NODES = 5, SIDE = DOMAINS * NODES, BLOCKS = 120 };
enum { STRETCHES = 5, ADDRESSES = 8 };

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
    uint64_t apart_alone; /* events of shards that were out */
};

/* Stretches next to each other: of different shards, where there are that many. */
static uintptr_t address_in(uint32_t stretch, uint32_t i) {
    return ((uintptr_t)(1000 + stretch) << STRETCH_BITS) + i * (uintptr_t)8;
}

static uint32_t side_who(uint32_t domain, uint32_t node) { return MAIN + domain * NODES + node; }

static void start(struct world *world, uint64_t seed) {
    memset(world, 0, sizeof *world);
    world->random = seed;
    side_init_locks(&world->side);
    assert_int_equal(ledger_init(&world->ledger, &account), STATUS_OK);
    side_init(&world->side, &account);
    for (uint32_t i = 0; i < MAIN; i++)
        assert_int_equal(ledger_add(&world->ledger, 1 + i, &world->ids[i]), STATUS_OK);
}

static void end(struct world *world) {
    side_enter_whole(&world->side);
    side_fini(&world->side);
    lock_release(&world->side.lock);
    side_fini_locks(&world->side);
    ledger_fini(&world->ledger);
    peak_forget(&world->log);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void judge(struct world *world) { peak_add(&world->log, PEAK_JUDGE, 0, 0, 0); }

static void settle(struct world *world) {
    if (!world->side.pending)
        return;
    lock_acquire(&world->side.lock);
    side_settle_locked(&world->side, &world->ledger);
    lock_release(&world->side.lock);
    assert_false(world->side.pending);
    assert_int_equal(world->side.out, 0);
    judge(world);
}

/* Before an event on the side that will change something. */
static struct ledger *begin(struct world *world, bool joint) {
    if (joint == world->side.pending)
        judge(world); /* it closes a window, or opens one */
    return joint ? &world->ledger : NULL;
}

static void leave(struct world *world, struct lock *lock, uintptr_t address) {
    world->apart_alone += lock != &world->side.lock;
    side_leave(&world->side, lock, address);
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
    ledger_gain_big(&world->ledger, world->ids[who], bytes);
    peak_add(&world->log, PEAK_GAIN, who, 0, bytes);
    world->blocks[world->count++] = (struct block){who, bytes, UINT32_MAX, 0};
}

static void main_lose(struct world *world, uint32_t i) {
    settle(world);
    ledger_lose_big(&world->ledger, world->ids[world->blocks[i].who], world->blocks[i].bytes);
    ended(world, i);
}

static void main_move(struct world *world, uint32_t i, uint32_t to) {
    struct block *block = &world->blocks[i];
    settle(world);
    ledger_move_big(&world->ledger, world->ids[block->who], world->ids[to], block->bytes);
    peak_add(&world->log, PEAK_MOVE, block->who, to, block->bytes);
    block->who = to;
}

static void put(struct world *world, bool joint, uint32_t domain, uintptr_t address, uint64_t bytes,
                uint32_t node) {
    uint32_t old = find(world, domain, address), who = side_who(domain, node);
    struct ledger *ledger = begin(world, joint);
    struct lock *lock = side_enter(&world->side, joint, address, bytes);
    assert_int_equal(side_put_locked(&world->side, ledger, domain, address, bytes, node), STATUS_OK);
    leave(world, lock, address);
    if (old < world->count)
        ended(world, old);
    peak_add(&world->log, PEAK_GAIN, who, 0, bytes);
    world->blocks[world->count++] = (struct block){who, bytes, domain, address};
}

static void take_away(struct world *world, bool joint, uint32_t domain, uintptr_t address) {
    uint32_t i = find(world, domain, address);
    struct lock *lock = side_enter(&world->side, joint, address, 0);
    const struct shard *shard = side_shard(&world->side, address);
    const struct big *entry = side_find_locked(&world->side, domain, address);
    bool known = i < world->count;
    if (joint && world->side.pending) /* a joint look closes the window, even if there is nothing to remove */
        judge(world);
    else if (known && !joint && !world->side.pending)
        judge(world);
    assert_int_equal(entry != NULL, known);
    if (known) {
        assert_int_equal(big_size(&shard->blocks, entry), world->blocks[i].bytes);
        assert_int_equal(side_who(domain, shard_tally(shard, big_tally(entry))->node), world->blocks[i].who);
    }
    bool found = side_remove_locked(&world->side, joint ? &world->ledger : NULL, domain, address);
    leave(world, lock, address);
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
    struct lock *lock = side_enter(&world->side, joint, address, 0);
    assert_int_equal(side_move_locked(&world->side, ledger, domain, address, node), STATUS_OK);
    leave(world, lock, address);
    if (changes) {
        peak_add(&world->log, PEAK_MOVE, world->blocks[i].who, to, world->blocks[i].bytes);
        world->blocks[i].who = to;
    }
}

/* As tracer_reset_peak does it. */
static void reset(struct world *world) {
    settle(world);
    world->ledger.limit = world->ledger.current;
    ledger_next_epoch(&world->ledger);
    peak_add(&world->log, PEAK_RESET, 0, 0, 0);
}

/* --- comparison ---------------------------------------------------------------------------------------- */

static void assert_counters(pair total, pair live, pair peak, const struct peak_result *result, uint32_t who,
                            int64_t *sum) {
    assert_int_equal(live.bytes, result->live[who].bytes);
    assert_int_equal(live.blocks, result->live[who].blocks);
    assert_int_equal(total.bytes, result->total[who].bytes);
    assert_int_equal(total.blocks, result->total[who].blocks);
    assert_int_equal(peak.bytes, result->at_peak[who].bytes);
    assert_int_equal(peak.blocks, result->at_peak[who].blocks);
    *sum += (int64_t)peak.bytes;
}

/* What all shards have of each call path, as one tally that has saved what it held at the peak. */
static struct side_tally side_sums[PEAK_TALLIES];

static void add_shards(const struct world *world) {
    memset(side_sums, 0, sizeof side_sums);
    for (uint32_t who = MAIN; who < MAIN + SIDE; who++)
        side_sums[who].epoch = world->ledger.epoch;
    for (uint32_t i = 0; i < SHARDS; i++) {
        const struct shard *shard = &world->side.shards[i];
        for (uint32_t id = 1; id < shard->count; id++) {
            const struct side_tally *t = shard_tally(shard, id);
            struct side_tally *sum = &side_sums[side_who(t->domain, t->node)];
            pair_join(&sum->total, t->total);
            pair_join(&sum->freed, t->freed);
            pair_join(&sum->peak, side_tally_at_peak(t, world->ledger.epoch));
        }
    }
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
    for (uint32_t who = 0; who < MAIN; who++) {
        uint32_t id = world->ids[who];
        assert_counters(ledger_total(&world->ledger, id), ledger_live(&world->ledger, id),
                        ledger_at_peak(&world->ledger, id), &result, who, &sum);
    }
    add_shards(world);
    for (uint32_t who = MAIN; who < MAIN + SIDE; who++) {
        const struct side_tally *t = &side_sums[who];
        assert_counters(t->total, side_tally_live(t), t->peak, &result, who, &sum);
    }
    assert_int_equal(sum, result.peak); /* so no tally is missing */
    for (uint32_t i = 0; i < world->count; i++) {
        const struct block *block = &world->blocks[i];
        if (block->domain == UINT32_MAX)
            continue;
        const struct big *entry = side_find_locked(&world->side, block->domain, block->address);
        assert_non_null(entry);
        assert_int_equal(big_size(&side_shard(&world->side, block->address)->blocks, entry), block->bytes);
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
    uintptr_t address = address_in(support_below(random, STRETCHES), support_below(random, ADDRESSES));
    uint32_t what = support_below(random, 10);
    if (what < growth && world->count < BLOCKS - 1)
        put(world, joint, domain, address, random_bytes(random), node);
    else if (what < 8)
        take_away(world, joint, domain, address);
    else
        move(world, joint, domain, address, node);
}

/* `apart`, `joint`: of 10 events so many are of that kind, the others are the main partition's. `quiet`: the longer
 * windows last, the more. */
static void random_events(struct world *world, int events, uint32_t apart, uint32_t joint, uint32_t quiet) {
    uint32_t growth = 4;
    for (int i = 0; i < events; i++) {
        if (support_below(&world->random, 25) == 0)
            growth = 1 + support_below(&world->random, 8); /* up for a while, down for a while */
        uint32_t kind = support_below(&world->random, 10);
        if (kind < apart + joint)
            random_side(world, growth, kind >= apart);
        else
            random_main(world, growth);
        if (support_below(&world->random, 60 * quiet) == 0)
            reset(world);
        if (support_below(&world->random, 40 * quiet) == 0)
            settle(world);
        if (support_below(&world->random, 25 * quiet) == 0)
            assert_as_log(world);
        assert_true(side_check(&world->side));
    }
    assert_as_log(world);
}

static void the_peak_of_both_partitions_is_what_the_log_of_all_events_says(void **state) {
    (void)state;
    static struct world world;
    static const uint32_t mixes[][2] = {{3, 3}, {10, 0}, {0, 10}, {8, 1}, {1, 8},
                                        {5, 0}, {0, 5},  {1, 1},  {5, 5}};
    uint64_t apart_alone = 0;
    for (uint64_t seed = 0; seed < SCALED(1200); seed++) {
        const uint32_t *mix = mixes[seed % (sizeof mixes / sizeof *mixes)];
        start(&world, seed);
        random_events(&world, seed % 2 == 0 ? 60 : 400, mix[0], mix[1], seed % 5 < 2 ? 8 : 1);
        apart_alone += world.apart_alone;
        end(&world);
    }
    assert_true(apart_alone > SCALED(1200)); /* else this says nothing of shards that are out */
}

/* --- single cases -------------------------------------------------------------------------------------- */

static int64_t peak_of(const struct world *world) { return world->ledger.limit + world->side.current; }

static uint64_t side_at_peak(const struct world *world, uint32_t domain, uint32_t node) {
    add_shards(world);
    return side_sums[side_who(domain, node)].peak.bytes;
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
        uintptr_t address = joint ? 8192 : 4096;
        uint32_t i = find(&world, 0, address);
        struct ledger *ledger = begin(&world, joint != 0);
        struct lock *lock = side_enter(&world.side, joint != 0, address, 0);
        struct big *entry = side_find_locked(&world.side, 0, address);
        uint32_t tally = big_tally(entry);
        bigmap_remove(&side_shard(&world.side, address)->blocks, entry);
        side_lose_locked(&world.side, ledger, address, tally, world.blocks[i].bytes);
        leave(&world, lock, address);
        ended(&world, i);
        assert_as_log(&world);
    }
    assert_int_equal(peak_of(&world), 120);
    end(&world);
}

/* A window's top of 1,000 bytes, and then so many pairs of events at two addresses that shards go out. */
static void reach_and_calm_down(struct world *world, uintptr_t one, uintptr_t other) {
    put(world, false, 0, one, 600, 1);
    put(world, false, 0, other, 400, 2);
    for (int i = 0; i < 40; i++) {
        take_away(world, false, 0, one);
        take_away(world, false, 0, other);
        put(world, false, 0, i % 2 == 0 ? one : other, 400, 2);
        put(world, false, 0, i % 2 == 0 ? other : one, 300, 1);
    }
    assert_true(world->apart_alone > 20);
}

static void a_peak_is_found_that_takes_the_room_of_two_shards(void **state) {
    (void)state;
    static struct world world;
    uintptr_t one = address_in(1, 0), other = address_in(2, 0);
    start(&world, 0);
    reach_and_calm_down(&world, one, other);
    put(&world, false, 1, one, 300, 3); /* 1,000 again: no new peak */
    take_away(&world, false, 1, one);
    assert_int_equal(side_at_peak(&world, 0, 3), 0);
    put(&world, false, 1, one, 151, 3);
    put(&world, false, 1, other, 150, 4); /* 1,001 */
    take_away(&world, false, 0, one);
    take_away(&world, false, 0, other);
    assert_as_log(&world);
    assert_int_equal(peak_of(&world), 1001);
    assert_int_equal(side_at_peak(&world, 1, 3), 151);
    assert_int_equal(side_at_peak(&world, 1, 4), 150);
    end(&world);
}

static void room_that_one_shard_has_left_is_called_in_for_another(void **state) {
    (void)state;
    static struct world world;
    uintptr_t one = address_in(1, 0), other = address_in(2, 0);
    start(&world, 0);
    reach_and_calm_down(&world, one, other);
    take_away(&world, false, 0, one);
    take_away(&world, false, 0, other);
    put(&world, false, 0, other, 1000, 4); /* all there is: below no peak */
    take_away(&world, false, 0, other);
    put(&world, false, 0, one, 999, 3);
    assert_as_log(&world);
    assert_int_equal(peak_of(&world), 1000);
    assert_int_equal(side_at_peak(&world, 0, 1), 600);
    assert_int_equal(side_at_peak(&world, 0, 2), 400);
    end(&world);
}

static status put_many(void *context) {
    static struct world world;
    bool joint = *(bool *)context;
    memset(&world, 0, sizeof world);
    side_init_locks(&world.side);
    side_init(&world.side, &account);
    status result = ledger_init(&world.ledger, &account);
    for (uint32_t i = 0; i < 4000 && result == STATUS_OK; i++) {
        bool is_joint = joint || i % 64 == 0;
        uintptr_t address = address_in(i / 32 % STRETCHES, i);
        struct ledger *ledger = is_joint ? &world.ledger : NULL;
        struct lock *lock = side_enter(&world.side, is_joint, address, i);
        int64_t before = world.side.current;
        result = side_put_locked(&world.side, ledger, i % 3, address, i, i % 1000);
        if (result == STATUS_OK && i % 5 == 0)
            result = side_move_locked(&world.side, ledger, i % 3, address, i + 1);
        else if (result == STATUS_OK && i % 3 == 0)
            assert_true(side_remove_locked(&world.side, ledger, i % 3, address));
        else if (result != STATUS_OK)
            assert_int_equal(world.side.current, before);
        side_leave(&world.side, lock, address);
    }
    lock_acquire(&world.side.lock);
    side_settle_locked(&world.side, &world.ledger);
    assert_true(side_check(&world.side));
    side_fini(&world.side);
    side_fini(&world.side);
    lock_release(&world.side.lock);
    side_fini_locks(&world.side);
    ledger_fini(&world.ledger);
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
        cmocka_unit_test(a_peak_is_found_that_takes_the_room_of_two_shards),
        cmocka_unit_test(room_that_one_shard_has_left_is_called_in_for_another),
        cmocka_unit_test(every_request_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
