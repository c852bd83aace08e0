/* ledger: memory for the tallies of ledger.h, what spills of them, and the ways that are rarely taken. The main
 * interpreter's GIL protects it. */
#include "ledger.h"
#include "bigmap.h" /* TALLY_MASK: what a record can name */
#include "platform.h"

#include <string.h>

static struct spill *spill_of(const struct ledger *ledger, uint32_t id) {
    return (struct spill *)ledger->spills.base + id;
}

/* --- memory -------------------------------------------------------------------------------------------------------- */

status ledger_init(struct ledger *ledger, struct vmem *account) {
    memset(ledger, 0, sizeof *ledger);
    const size_t most = (size_t)TALLY_MASK + 1;
    status result = region_init(&ledger->region, account, most * sizeof(struct tally));
    if (result == STATUS_OK)
        result = region_init(&ledger->spills, &ledger->untouched, most * sizeof(struct spill));
    if (result != STATUS_OK) {
        ledger_fini(ledger);
        return result;
    }
    ledger->tallies = (struct tally *)ledger->region.base;
    ledger->epoch = 1;
    ledger->count = 1;
    return STATUS_OK;
}

void ledger_fini(struct ledger *ledger) {
    if (ledger->touched != 0)
        vmem_uncount(ledger->region.account, ledger->touched);
    region_fini(&ledger->spills);
    region_fini(&ledger->region);
    memset(ledger, 0, sizeof *ledger);
}

/* A free id, or a new one. */
static status take_id(struct ledger *ledger, uint32_t *id) {
    if (ledger->free != 0) {
        *id = ledger->free;
        ledger->free = ledger->tallies[*id].epoch;
        return STATUS_OK;
    }
    if (ledger->count > TALLY_MASK)
        return STATUS_FULL;
    const size_t count = (size_t)ledger->count + 1;
    status result = region_grow(&ledger->region, count * sizeof(struct tally));
    if (result == STATUS_OK)
        result = region_grow(&ledger->spills, count * sizeof(struct spill));
    if (result == STATUS_OK)
        *id = ledger->count++;
    return result;
}

status ledger_add(struct ledger *ledger, uint32_t node, uint32_t *id) {
    uint32_t taken;
    status result = take_id(ledger, &taken);
    if (result != STATUS_OK)
        return result;
    struct tally *tally = &ledger->tallies[taken];
    tally_set_node(tally, node);
    tally->epoch = ledger->epoch & EPOCH_MASK; /* at the peak it held nothing */
    ledger->used++;
    *id = taken;
    return STATUS_OK;
}

/* --- numbers ------------------------------------------------------------------------------------------------------- */

static pair number_of(const struct ledger *ledger, uint32_t id, size_t number) {
    const struct tally *tally = &ledger->tallies[id];
    pair sum = word_pair(tally->words[number]);
    if (tally->has_spilled)
        pair_join(&sum, spill_of(ledger, id)->pairs[number]);
    return sum;
}

pair ledger_total(const struct ledger *ledger, uint32_t id) { return number_of(ledger, id, TOTAL); }

pair ledger_live(const struct ledger *ledger, uint32_t id) {
    return pair_minus(number_of(ledger, id, TOTAL), number_of(ledger, id, FREED));
}

pair ledger_at_peak(const struct ledger *ledger, uint32_t id) {
    return ledger_is_calm(ledger, id) ? number_of(ledger, id, PEAK) : ledger_live(ledger, id);
}

bool ledger_is_idle(const struct ledger *ledger, uint32_t id) {
    return ledger_live(ledger, id).blocks == 0 && ledger_at_peak(ledger, id).blocks == 0;
}

/* --- spills -------------------------------------------------------------------------------------------------------- */

static bool page_is_touched(const struct ledger *ledger, uint32_t id) {
    const uint32_t per_page = (uint32_t)(platform_page_size() / sizeof(struct spill));
    const uint32_t first = id / per_page * per_page;
    for (uint32_t i = first; i < ledger->count && i - first < per_page; i++) {
        if (ledger->tallies[i].has_spilled)
            return true;
    }
    return false;
}

/* The spill of a tally; from now on it has one. */
static struct spill *spill_to(struct ledger *ledger, uint32_t id) {
    struct tally *tally = &ledger->tallies[id];
    struct spill *spill = spill_of(ledger, id);
    if (tally->has_spilled)
        return spill;
    if (!page_is_touched(ledger, id)) {
        vmem_count(ledger->region.account, platform_page_size());
        ledger->touched += platform_page_size();
    }
    tally->has_spilled = true;
    return spill;
}

out_of_line void ledger_spill(struct ledger *ledger, uint32_t id, size_t number) {
    uint64_t *word = &ledger->tallies[id].words[number];
    pair_join(&spill_to(ledger, id)->pairs[number], word_pair(*word));
    *word = 0;
}

out_of_line void ledger_save_spilled(struct ledger *ledger, uint32_t id) {
    ledger->tallies[id].words[PEAK] = 0;
    spill_of(ledger, id)->pairs[PEAK] = ledger_live(ledger, id);
}

/* --- blocks of any size -------------------------------------------------------------------------------------------- */

/* More blocks in the word of a number, or, where that is no place for so many, in its spill. */
static void count(struct ledger *ledger, uint32_t id, size_t number, pair blocks) {
    uint64_t *word = &ledger->tallies[id].words[number];
    if (blocks.bytes >> (BLOCKS_SHIFT - 1) != 0 || blocks.blocks >> (63 - BLOCKS_SHIFT) != 0)
        pair_join(&spill_to(ledger, id)->pairs[number], blocks);
    else if (word_must_spill(*word += blocks.blocks << BLOCKS_SHIFT | blocks.bytes))
        ledger_spill(ledger, id, number);
}

void ledger_gain_big(struct ledger *ledger, uint32_t id, uint64_t bytes) {
    ledger->current += (int64_t)bytes;
    ledger_save(ledger, id);
    count(ledger, id, TOTAL, (pair){bytes, 1});
}

void ledger_lose_big(struct ledger *ledger, uint32_t id, uint64_t bytes) {
    ledger_note_peak(ledger);
    ledger->current -= (int64_t)bytes;
    ledger_save(ledger, id);
    count(ledger, id, FREED, (pair){bytes, 1});
}

/* What the word does not have is in the spill: there, modulo 2^64, anything can be taken away. */
out_of_line void ledger_take_total(struct ledger *ledger, uint32_t id, uint64_t bytes) {
    uint64_t *word = &ledger->tallies[id].words[TOTAL];
    if (!word_has_block(*word, bytes))
        pair_subtract(&spill_to(ledger, id)->pairs[TOTAL], bytes);
    else if (word_must_spill(*word -= word_of_block(bytes)))
        ledger_spill(ledger, id, TOTAL);
}

void ledger_move_big(struct ledger *ledger, uint32_t from, uint32_t to, uint64_t bytes) {
    ledger_note_peak(ledger);
    ledger_save(ledger, from);
    ledger_save(ledger, to);
    ledger_take_total(ledger, from, bytes);
    count(ledger, to, TOTAL, (pair){bytes, 1});
}

/* --- epochs and heirs ---------------------------------------------------------------------------------------------- */

/* What the tallies know of the epochs begins anew. */
static out_of_line void epochs_anew(struct ledger *ledger) {
    for (uint32_t id = 1; id < ledger->count; id++) {
        if (ledger->tallies[id].node != 0)
            ledger->tallies[id].epoch = 0;
    }
    ledger->epoch++;
}

out_of_line void ledger_next_epoch(struct ledger *ledger) {
    if ((++ledger->epoch & EPOCH_MASK) == 0)
        epochs_anew(ledger);
}

void ledger_remove(struct ledger *ledger, uint32_t id) {
    struct tally *tally = &ledger->tallies[id];
    assert(ledger_live(ledger, id).blocks == 0);
    if (tally->has_spilled)
        memset(spill_of(ledger, id), 0, sizeof(struct spill));
    *tally = (struct tally){.epoch = ledger->free, .has_spilled = tally->has_spilled};
    ledger->free = id;
    ledger->used--;
}

/* What was allocated elsewhere becomes the heir's; what that holds, and held at the peak, stays. */
void ledger_inherit(struct ledger *ledger, uint32_t heir, pair history) {
    for (size_t number = TOTAL; number <= FREED; number++)
        count(ledger, heir, number, history);
}
