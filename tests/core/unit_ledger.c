/* Counters of call paths: live, total and at the peak, against the log of all events (peak_model.h). */
#include "peak_model.h"

#include "bigmap.h"
#include "ledger.h"

enum { TALLIES = 12, BLOCKS = 200 };

static struct vmem account;

struct block {
    uint32_t who; /* in the model; the ledger's tally is ids[who] */
    uint64_t bytes;
};

struct world {
    struct ledger ledger;
    struct peak_log log;
    uint32_t ids[TALLIES]; /* 0: not added yet */
    struct block blocks[BLOCKS];
    uint32_t block_count;
    uint64_t random;
};

static void start(struct world *world, uint64_t seed) {
    memset(world, 0, sizeof *world);
    world->random = seed;
    assert_int_equal(ledger_init(&world->ledger, &account), STATUS_OK);
}

static void end(struct world *world) {
    ledger_fini(&world->ledger);
    peak_forget(&world->log);
    assert_int_equal(vmem_bytes(&account), 0);
}

static uint32_t tally_of(struct world *world, uint32_t who) {
    if (world->ids[who] == 0)
        assert_int_equal(ledger_add(&world->ledger, who + 100, &world->ids[who]), STATUS_OK);
    return world->ids[who];
}

static void gain(struct world *world, uint32_t who, uint64_t bytes) {
    ledger_gain(&world->ledger, tally_of(world, who), bytes);
    peak_add(&world->log, PEAK_GAIN, who, 0, bytes);
    world->blocks[world->block_count++] = (struct block){who, bytes};
}

static void lose(struct world *world, uint32_t i) {
    struct block block = world->blocks[i];
    ledger_lose(&world->ledger, world->ids[block.who], block.bytes);
    peak_add(&world->log, PEAK_LOSE, block.who, 0, block.bytes);
    world->blocks[i] = world->blocks[--world->block_count];
}

static void move(struct world *world, uint32_t i, uint32_t to) {
    struct block *block = &world->blocks[i];
    if (block->who == to)
        return;
    ledger_move(&world->ledger, world->ids[block->who], tally_of(world, to), block->bytes);
    peak_add(&world->log, PEAK_MOVE, block->who, to, block->bytes);
    block->who = to;
}

/* As tracer_reset_peak does it. */
static void reset(struct world *world) {
    world->ledger.limit = world->ledger.current;
    world->ledger.epoch++;
    peak_add(&world->log, PEAK_RESET, 0, 0, 0);
}

static void assert_counters(pair counters, struct peak_counters expected) {
    assert_int_equal(counters.bytes, expected.bytes);
    assert_int_equal(counters.blocks, expected.blocks);
}

static void assert_as_log(struct world *world) {
    static struct peak_result result;
    struct ledger *ledger = &world->ledger;
    int64_t peak = ledger->current > ledger->limit ? ledger->current
                                                   : ledger->limit; /* asked without judging */
    peak_replay(&world->log, &result);
    assert_int_equal(ledger->current, result.current);
    assert_int_equal(peak, peak_by_definition(&world->log));
    ledger_note_peak(ledger);
    peak_add(&world->log, PEAK_JUDGE, 0, 0, 0);
    peak_replay(&world->log, &result);
    assert_int_equal(ledger->limit, result.peak);
    assert_int_equal(result.peak, peak_by_definition(&world->log));
    int64_t sum = 0;
    for (uint32_t who = 0; who < TALLIES; who++) {
        if (world->ids[who] == 0)
            continue;
        const struct tally *tally = &ledger->tallies[world->ids[who]];
        assert_int_equal(tally->node, who + 100);
        assert_counters(tally_live(tally), result.live[who]);
        assert_counters(tally->total, result.total[who]);
        assert_counters(tally_at_peak(ledger, tally), result.at_peak[who]);
        sum += (int64_t)tally_at_peak(ledger, tally).bytes;
    }
    assert_int_equal(sum, result.peak);
}

static uint64_t random_bytes(uint64_t *random) {
    uint32_t kind = support_below(random, 10);
    return kind == 0   ? 0
           : kind == 1 ? UINT64_C(1) << 40
           : kind < 6  ? 8 * (1 + support_below(random, 3))
                       : support_below(random, 1000);
}

static void random_events(struct world *world, int events) {
    uint32_t growth = 2;
    for (int i = 0; i < events; i++) {
        uint64_t *random = &world->random;
        if (support_below(random, 30) == 0)
            growth = 1 + support_below(random, 8); /* up for a while, down for a while */
        uint32_t what = support_below(random, 12);
        if (world->block_count == 0 || (what < growth && world->block_count < BLOCKS))
            gain(world, support_below(random, TALLIES), random_bytes(random));
        else if (what < 9)
            lose(world, support_below(random, world->block_count));
        else if (what < 11)
            move(world, support_below(random, world->block_count), support_below(random, TALLIES));
        else if (support_below(random, 10) == 0)
            reset(world);
        if (support_below(random, 20) == 0)
            assert_as_log(world);
    }
}

static void counters_are_what_the_log_of_all_events_says(void **state) {
    (void)state;
    static struct world world;
    for (uint64_t seed = 0; seed < 600; seed++) {
        start(&world, seed);
        random_events(&world, 400);
        assert_as_log(&world);
        end(&world);
    }
}

static pair at_peak(struct world *world, uint32_t who) {
    return tally_at_peak(&world->ledger, &world->ledger.tallies[world->ids[who]]);
}

static void the_first_of_two_equal_peaks_counts(void **state) {
    (void)state;
    struct world world;
    start(&world, 0);
    gain(&world, 0, 100);
    lose(&world, 0);
    gain(&world, 1, 100);
    lose(&world, 0);
    assert_as_log(&world);
    assert_int_equal(at_peak(&world, 0).bytes, 100);
    assert_int_equal(at_peak(&world, 1).bytes, 0);
    end(&world);
}

static void growth_belongs_to_the_peak_up_to_the_next_loss(void **state) {
    (void)state;
    struct world world;
    start(&world, 0);
    gain(&world, 0, 100);
    gain(&world, 1, 0); /* no bytes, but a block, at the peak */
    lose(&world, 0);
    gain(&world, 1, 0); /* after it */
    assert_as_log(&world);
    assert_int_equal(at_peak(&world, 0).blocks, 1);
    assert_int_equal(at_peak(&world, 1).blocks, 1);
    end(&world);
}

static void a_reset_makes_the_present_the_peak(void **state) {
    (void)state;
    struct world world;
    start(&world, 0);
    gain(&world, 0, 100);
    gain(&world, 1, 50);
    lose(&world, 0);
    reset(&world);
    assert_as_log(&world);
    assert_int_equal(world.ledger.limit, 50);
    assert_int_equal(at_peak(&world, 0).bytes, 0);
    lose(&world, 0);
    gain(&world, 0, 50); /* as much, but later */
    lose(&world, 0);
    assert_as_log(&world);
    assert_int_equal(at_peak(&world, 1).bytes, 50);
    end(&world);
}

static void a_move_keeps_the_peak_with_the_old_owner(void **state) {
    (void)state;
    struct world world;
    start(&world, 0);
    gain(&world, 0, 100);
    move(&world, 0, 1);
    assert_as_log(&world);
    assert_int_equal(at_peak(&world, 0).bytes, 100);
    assert_int_equal(at_peak(&world, 1).bytes, 0);
    assert_int_equal(world.ledger.tallies[world.ids[0]].total.bytes, 0);
    gain(&world, 2, 1); /* a new peak: now with the new one */
    assert_as_log(&world);
    assert_int_equal(at_peak(&world, 0).bytes, 0);
    assert_int_equal(at_peak(&world, 1).bytes, 100);
    end(&world);
}

static void a_tally_made_after_the_peak_held_nothing_then(void **state) {
    (void)state;
    struct world world;
    start(&world, 0);
    gain(&world, 0, 100);
    lose(&world, 0);
    gain(&world, 1, 60);
    assert_as_log(&world);
    assert_int_equal(at_peak(&world, 1).bytes, 0);
    end(&world);
}

static void ids_beyond_28_bits_are_refused(void **state) {
    (void)state;
    struct world world;
    uint32_t id = 7;
    start(&world, 0);
    world.ledger.count = TALLY_MASK + 1;
    assert_int_equal(ledger_add(&world.ledger, 1, &id), STATUS_FULL);
    assert_int_equal(id, 7);
    world.ledger.count = 1;
    end(&world);
}

static status add_many(void *context) {
    (void)context;
    struct ledger ledger;
    status result = ledger_init(&ledger, &account);
    if (result != STATUS_OK)
        return result;
    uint32_t id, count = 0;
    for (uint32_t i = 0; i < 5000 && result == STATUS_OK; i++) {
        if ((result = ledger_add(&ledger, i, &id)) == STATUS_OK) {
            assert_int_equal(id, ++count);
            ledger_gain(&ledger, id, i);
        }
    }
    assert_int_equal(ledger.count, count + 1);
    for (id = 1; id <= count; id++)
        assert_int_equal(tally_live(&ledger.tallies[id]).bytes, id - 1);
    ledger_fini(&ledger);
    return result;
}

static void every_request_may_fail(void **state) {
    (void)state;
    assert_true(support_sweep(&account, add_many, NULL) >= 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_are_what_the_log_of_all_events_says),
        cmocka_unit_test(the_first_of_two_equal_peaks_counts),
        cmocka_unit_test(growth_belongs_to_the_peak_up_to_the_next_loss),
        cmocka_unit_test(a_reset_makes_the_present_the_peak),
        cmocka_unit_test(a_move_keeps_the_peak_with_the_old_owner),
        cmocka_unit_test(a_tally_made_after_the_peak_held_nothing_then),
        cmocka_unit_test(ids_beyond_28_bits_are_refused),
        cmocka_unit_test(every_request_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
