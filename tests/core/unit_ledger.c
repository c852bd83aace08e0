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

/* As blocks in slots are: the way that is inlined. */
static bool is_small(struct world *world, uint64_t bytes) {
    return bytes - 1 < 512 && support_below(&world->random, 4) != 0;
}

static void gain(struct world *world, uint32_t who, uint64_t bytes) {
    if (is_small(world, bytes))
        ledger_gain(&world->ledger, tally_of(world, who), (uint32_t)bytes);
    else
        ledger_gain_big(&world->ledger, tally_of(world, who), bytes);
    peak_add(&world->log, PEAK_GAIN, who, 0, bytes);
    world->blocks[world->block_count++] = (struct block){who, bytes};
}

static void lose(struct world *world, uint32_t i) {
    struct block block = world->blocks[i];
    if (is_small(world, block.bytes))
        ledger_lose(&world->ledger, world->ids[block.who], (uint32_t)block.bytes);
    else
        ledger_lose_big(&world->ledger, world->ids[block.who], block.bytes);
    peak_add(&world->log, PEAK_LOSE, block.who, 0, block.bytes);
    world->blocks[i] = world->blocks[--world->block_count];
}

static void move(struct world *world, uint32_t i, uint32_t to) {
    struct block *block = &world->blocks[i];
    if (block->who == to)
        return;
    if (is_small(world, block->bytes))
        ledger_move(&world->ledger, world->ids[block->who], tally_of(world, to), (uint32_t)block->bytes);
    else
        ledger_move_big(&world->ledger, world->ids[block->who], tally_of(world, to), block->bytes);
    peak_add(&world->log, PEAK_MOVE, block->who, to, block->bytes);
    block->who = to;
}

/* As tracer_reset_peak does it. */
static void reset(struct world *world) {
    world->ledger.limit = world->ledger.current;
    ledger_next_epoch(&world->ledger);
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
        uint32_t id = world->ids[who];
        assert_int_equal(ledger_node(ledger, id), who + 100);
        assert_counters(ledger_live(ledger, id), result.live[who]);
        assert_counters(ledger_total(ledger, id), result.total[who]);
        assert_counters(ledger_at_peak(ledger, id), result.at_peak[who]);
        sum += (int64_t)ledger_at_peak(ledger, id).bytes;
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
    return ledger_at_peak(&world->ledger, world->ids[who]);
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
    assert_int_equal(ledger_total(&world.ledger, world.ids[0]).bytes, 0);
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

/* Its total and what was freed, as after `blocks` blocks of `bytes` bytes in all. */
static void give_a_past(struct world *world, uint32_t who, uint64_t bytes, uint64_t blocks) {
    struct tally *tally = &world->ledger.tallies[tally_of(world, who)];
    tally->words[TOTAL] = tally->words[FREED] = (uint32_t)(blocks << BLOCKS_SHIFT | bytes);
}

static void assert_pair(pair counters, uint64_t bytes, uint64_t blocks) {
    assert_int_equal(counters.bytes, bytes);
    assert_int_equal(counters.blocks, blocks);
}

/* A word that has so many of these spills. */
#define FULL_BYTES (UINT64_C(1) << BYTES_SHIFT)
#define FULL_BLOCKS (UINT64_C(1) << (31 - BLOCKS_SHIFT))

static void a_word_with_many_blocks_spills(void **state) {
    (void)state;
    struct world world;
    start(&world, 0);
    give_a_past(&world, 0, 500, FULL_BLOCKS - 2);
    const uint32_t id = world.ids[0];
    size_t before = vmem_bytes(&account);
    ledger_gain(&world.ledger, id, 9);
    assert_false(tally_has_spill(&world.ledger.tallies[id]));
    ledger_gain(&world.ledger, id, 512);
    assert_true(tally_has_spill(&world.ledger.tallies[id]));
    assert_int_equal(vmem_bytes(&account), before + platform_page_size());
    assert_pair(ledger_total(&world.ledger, id), 1021, FULL_BLOCKS);
    assert_pair(ledger_live(&world.ledger, id), 521, 2);
    ledger_lose(&world.ledger, id, 9);
    assert_pair(ledger_at_peak(&world.ledger, id), 521, 2);
    ledger_lose(&world.ledger, id, 512); /* what was freed spills too */
    assert_int_equal(world.ledger.tallies[id].words[FREED], 0);
    assert_pair(ledger_live(&world.ledger, id), 0, 0);
    assert_pair(ledger_at_peak(&world.ledger, id), 521, 2);
    ledger_gain(&world.ledger, tally_of(&world, 1), 9);
    give_a_past(&world, 1, 500, FULL_BLOCKS - 1);
    ledger_gain(&world.ledger, world.ids[1], 1);
    assert_true(tally_has_spill(&world.ledger.tallies[world.ids[1]]));
    assert_int_equal(vmem_bytes(&account), before + platform_page_size()); /* neighbours share a page */
    end(&world);
}

static void a_word_with_many_bytes_spills(void **state) {
    (void)state;
    struct world world;
    start(&world, 0);
    const uint32_t id = tally_of(&world, 0);
    give_a_past(&world, 0, FULL_BYTES - 10, 1);
    ledger_gain_big(&world.ledger, id, 9);
    assert_false(tally_has_spill(&world.ledger.tallies[id]));
    ledger_gain_big(&world.ledger, id, 1000);
    assert_true(tally_has_spill(&world.ledger.tallies[id]));
    ledger_gain_big(&world.ledger, id, 5 * FULL_BYTES / 4 + 3); /* more than a word, live and at the peak */
    ledger_lose_big(&world.ledger, id, 9);
    ledger_lose_big(&world.ledger, id, 1000);
    assert_pair(ledger_total(&world.ledger, id), 9 * FULL_BYTES / 4 + 1002, 4);
    assert_pair(ledger_live(&world.ledger, id), 5 * FULL_BYTES / 4 + 3, 1);
    assert_pair(ledger_at_peak(&world.ledger, id), 5 * FULL_BYTES / 4 + 1012, 3);
    ledger_move_big(&world.ledger, id, tally_of(&world, 1), 5 * FULL_BYTES / 4 + 3);
    assert_pair(ledger_live(&world.ledger, id), 0, 0);
    assert_pair(ledger_live(&world.ledger, world.ids[1]), 5 * FULL_BYTES / 4 + 3, 1);
    assert_pair(ledger_total(&world.ledger, id), FULL_BYTES + 999, 3);
    end(&world);
}

/* As much as can be in a word before the block that makes it spill, small ones before and after the big. */
static void bytes_never_run_over_into_the_blocks(void **state) {
    (void)state;
    struct world world;
    start(&world, 0);
    const uint32_t id = tally_of(&world, 0);
    const uint64_t small = FULL_BLOCKS - 3, big = FULL_BYTES - 1;
    pair expected = {0, 0};
    for (int turn = 0; turn < 3; turn++) {
        ledger_gain_big(&world.ledger, id, big);
        for (uint64_t i = 0; i < small; i++)
            ledger_gain(&world.ledger, id, 512);
        ledger_gain_big(&world.ledger, id, big);
        ledger_lose_big(&world.ledger, id, big);
        for (uint64_t i = 0; i < small; i++)
            ledger_lose(&world.ledger, id, 512);
        ledger_gain_big(&world.ledger, id, big);
        ledger_lose_big(&world.ledger, id, big);
        pair_join(&expected, (pair){3 * big + 512 * small, 3 + small});
        assert_pair(ledger_total(&world.ledger, id), expected.bytes, expected.blocks);
        assert_pair(ledger_live(&world.ledger, id), big * (uint64_t)(turn + 1), (uint64_t)turn + 1);
    }
    end(&world);
}

static void a_peak_saved_before_the_spill_stays(void **state) {
    (void)state;
    struct world world;
    start(&world, 0);
    gain(&world, 0, 100);
    lose(&world, 0);
    give_a_past(&world, 0, 100, FULL_BLOCKS - 1);
    for (int i = 0; i < 2; i++) {
        ledger_gain(&world.ledger, world.ids[0], 50);
        ledger_lose(&world.ledger, world.ids[0], 50);
    }
    assert_true(tally_has_spill(&world.ledger.tallies[world.ids[0]]));
    assert_pair(ledger_at_peak(&world.ledger, world.ids[0]), 100, 1);
    assert_pair(ledger_live(&world.ledger, world.ids[0]), 0, 0);
    end(&world);
}

static void a_move_takes_what_has_spilled(void **state) {
    (void)state;
    struct world world;
    start(&world, 0);
    give_a_past(&world, 0, 500, FULL_BLOCKS - 1);
    ledger_gain(&world.ledger, world.ids[0], 16); /* spills */
    ledger_gain(&world.ledger, world.ids[0], 7);
    for (int i = 0; i < 2; i++)
        ledger_move(&world.ledger, world.ids[0], tally_of(&world, 1), i == 0 ? 16 : 7);
    assert_pair(ledger_total(&world.ledger, world.ids[0]), 500, FULL_BLOCKS - 1);
    assert_pair(ledger_live(&world.ledger, world.ids[0]), 0, 0);
    assert_pair(ledger_total(&world.ledger, world.ids[1]), 23, 2);
    end(&world);
}

/* Blocks that moves take away leave their place to bytes. */
static void a_move_sees_to_it_that_the_bytes_do_not_run_over(void **state) {
    (void)state;
    struct world world;
    start(&world, 0);
    const uint32_t id = tally_of(&world, 0);
    give_a_past(&world, 0, FULL_BYTES - 10, 1);
    ledger_gain(&world.ledger, id, 512);
    ledger_move(&world.ledger, id, tally_of(&world, 1), 1);
    assert_int_equal(world.ledger.tallies[id].words[TOTAL], 0);
    assert_pair(ledger_total(&world.ledger, id), FULL_BYTES + 501, 1);
    end(&world);
}

static void an_id_that_was_given_back_begins_with_nothing(void **state) {
    (void)state;
    struct world world;
    start(&world, 0);
    const uint32_t id = tally_of(&world, 0), heir = tally_of(&world, 1);
    ledger_gain_big(&world.ledger, id, 3 * FULL_BYTES);
    ledger_lose_big(&world.ledger, id, 3 * FULL_BYTES);
    ledger_gain(&world.ledger, heir, 7);
    world.ledger.limit = INT64_MAX; /* the heir is to keep its own peak */
    ledger_lose(&world.ledger, heir, 7);
    pair peak = ledger_at_peak(&world.ledger, heir);
    ledger_inherit(&world.ledger, heir, ledger_total(&world.ledger, id));
    ledger_remove(&world.ledger, id);
    assert_pair(ledger_at_peak(&world.ledger, heir), peak.bytes, peak.blocks);
    assert_pair(ledger_total(&world.ledger, heir), 3 * FULL_BYTES + 7, 2);
    assert_pair(ledger_live(&world.ledger, heir), 0, 0);
    uint32_t again;
    assert_int_equal(ledger_add(&world.ledger, 3, &again), STATUS_OK);
    assert_int_equal(again, id);
    assert_pair(ledger_total(&world.ledger, again), 0, 0);
    assert_pair(ledger_live(&world.ledger, again), 0, 0);
    assert_pair(ledger_at_peak(&world.ledger, again), 0, 0);
    end(&world);
}

static void a_tally_with_a_spill_keeps_its_node_and_leaves_the_spill_to_others(void **state) {
    (void)state;
    struct world world;
    start(&world, 0);
    const uint32_t per_page = (uint32_t)(platform_page_size() / sizeof(struct spill));
    uint32_t ids[2];
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(ledger_add(&world.ledger, 1, &ids[i]), STATUS_OK);
    for (uint32_t i = 0; i < 2; i++)
        ledger_remove(&world.ledger, ids[i]);
    const size_t before = vmem_bytes(&account);
    for (uint32_t turn = 0; turn < 3 * per_page; turn++) {
        for (uint32_t i = 0; i < 2; i++) {
            assert_int_equal(ledger_add(&world.ledger, 70 + i, &ids[i]), STATUS_OK);
            ledger_gain_big(&world.ledger, ids[i], 3 * FULL_BYTES + i);
            assert_true(tally_has_spill(&world.ledger.tallies[ids[i]]));
            assert_int_equal(ledger_node(&world.ledger, ids[i]), 70 + i);
            ledger_set_node(&world.ledger, ids[i], 90 + i);
        }
        for (uint32_t i = 0; i < 2; i++) {
            assert_int_equal(ledger_node(&world.ledger, ids[i]), 90 + i);
            assert_pair(ledger_total(&world.ledger, ids[i]), 3 * FULL_BYTES + i, 1);
            ledger_lose_big(&world.ledger, ids[i], 3 * FULL_BYTES + i);
            ledger_remove(&world.ledger, ids[i]);
            assert_int_equal(ledger_node(&world.ledger, ids[i]), 0);
        }
    }
    assert_int_equal(vmem_bytes(&account), before + platform_page_size());
    end(&world);
}

static void a_peak_survives_that_the_epochs_begin_anew(void **state) {
    (void)state;
    struct world world;
    start(&world, 0);
    gain(&world, 0, 100);
    gain(&world, 1, 50);
    lose(&world, 1); /* the tally of 1 has saved its peak in this epoch */
    world.ledger.epoch |= EPOCH_MASK;
    world.ledger.tallies[world.ids[1]].epoch = EPOCH_MASK;
    assert_as_log(&world);
    gain(&world, 2, 80); /* a new peak, in the first epoch after all */
    lose(&world, 1);
    assert_int_equal(world.ledger.epoch & EPOCH_MASK, 1);
    assert_as_log(&world);
    assert_int_equal(at_peak(&world, 0).bytes, 100);
    assert_int_equal(at_peak(&world, 1).bytes, 0);
    assert_int_equal(at_peak(&world, 2).bytes, 80);
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
        if ((result = ledger_add(&ledger, 1 + i, &id)) == STATUS_OK) {
            assert_int_equal(id, ++count);
            ledger_gain_big(&ledger, id, i);
        }
    }
    assert_int_equal(ledger.count, count + 1);
    for (id = 1; id <= count; id++)
        assert_int_equal(ledger_live(&ledger, id).bytes, id - 1);
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
        cmocka_unit_test(a_word_with_many_blocks_spills),
        cmocka_unit_test(a_word_with_many_bytes_spills),
        cmocka_unit_test(bytes_never_run_over_into_the_blocks),
        cmocka_unit_test(a_peak_saved_before_the_spill_stays),
        cmocka_unit_test(a_move_takes_what_has_spilled),
        cmocka_unit_test(a_move_sees_to_it_that_the_bytes_do_not_run_over),
        cmocka_unit_test(an_id_that_was_given_back_begins_with_nothing),
        cmocka_unit_test(a_tally_with_a_spill_keeps_its_node_and_leaves_the_spill_to_others),
        cmocka_unit_test(a_peak_survives_that_the_epochs_begin_anew),
        cmocka_unit_test(ids_beyond_28_bits_are_refused),
        cmocka_unit_test(every_request_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
