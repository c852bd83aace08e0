/* ledger: memory for the tallies of ledger.h, what spills of them, and the ways that are rarely taken. The main
 * interpreter's GIL protects it. */
#include "ledger.h"
#include "bigmap.h" /* TALLY_MASK: what a record can name */
#include "platform.h"

#include <string.h>

static uint32_t *owner_of(const struct ledger *ledger, uint32_t id) {
    return (uint32_t *)(void *)ledger->owners.base + id;
}

static struct spill *spills(const struct ledger *ledger) { return (struct spill *)ledger->spills.base; }

/* The spill of a tally that has one. */
static struct spill *spill_of(const struct ledger *ledger, uint32_t id) {
    return spills(ledger) + *owner_of(ledger, id);
}

/* --- memory -------------------------------------------------------------------------------------------------------- */

status ledger_init(struct ledger *ledger, struct vmem *account) {
    memset(ledger, 0, sizeof *ledger);
    const size_t most = (size_t)TALLY_MASK + 1;
    status result = region_init(&ledger->region, account, most * sizeof(struct tally));
    if (result == STATUS_OK)
        result = region_init(&ledger->owners, account, most * sizeof(uint32_t));
    if (result == STATUS_OK)
        result = region_init(&ledger->spills, &ledger->untouched, most * sizeof(struct spill));
    if (result != STATUS_OK) {
        ledger_fini(ledger);
        return result;
    }
    ledger->tallies = (struct tally *)ledger->region.base;
    ledger->epoch = 1;
    ledger->count = ledger->spill_count = 1;
    return STATUS_OK;
}

/* Bytes that the first spills take, in whole pages. */
static size_t touched(uint32_t count) {
    const size_t in_page = platform_page_size() - 1;
    return count > 1 ? (count * sizeof(struct spill) + in_page) & ~in_page : 0;
}

void ledger_fini(struct ledger *ledger) {
    if (ledger->spill_count > 1)
        vmem_uncount(ledger->region.account, touched(ledger->spill_count));
    region_fini(&ledger->spills);
    region_fini(&ledger->owners);
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
        result = region_grow(&ledger->owners, count * sizeof(uint32_t));
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
    *owner_of(ledger, taken) = node;
    ledger->tallies[taken].epoch = ledger->epoch & EPOCH_MASK; /* at the peak it held nothing */
    ledger->used++;
    *id = taken;
    return STATUS_OK;
}

uint32_t ledger_node(const struct ledger *ledger, uint32_t id) {
    return tally_has_spill(&ledger->tallies[id]) ? spill_of(ledger, id)->node : *owner_of(ledger, id);
}

void ledger_set_node(struct ledger *ledger, uint32_t id, uint32_t node) {
    if (tally_has_spill(&ledger->tallies[id]))
        spill_of(ledger, id)->node = node;
    else
        *owner_of(ledger, id) = node;
}

/* --- numbers ------------------------------------------------------------------------------------------------------- */

static pair number_of(const struct ledger *ledger, uint32_t id, size_t number) {
    const struct tally *tally = &ledger->tallies[id];
    if (!tally_has_spill(tally))
        return word_pair(tally->words[number]);
    pair sum = word_pair(tally->words[number] & ~HAS_SPILL);
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

/* A free spill, or a new one. There is room for it, as for one of each tally. */
static uint32_t take_spill(struct ledger *ledger) {
    uint32_t spill = ledger->free_spill;
    if (spill != 0) {
        ledger->free_spill = spills(ledger)[spill].next;
    } else {
        spill = ledger->spill_count++;
        vmem_count(ledger->region.account, touched(spill + 1) - touched(spill));
    }
    return spill;
}

/* The spill of a tally, made where it has none. */
static struct spill *spill_to(struct ledger *ledger, uint32_t id) {
    struct tally *tally = &ledger->tallies[id];
    if (!tally_has_spill(tally)) {
        const uint32_t spill = take_spill(ledger);
        spills(ledger)[spill] = (struct spill){.node = *owner_of(ledger, id),
                                               .pairs[PEAK] = word_pair(tally->words[PEAK])};
        *owner_of(ledger, id) = spill;
        tally->words[PEAK] = HAS_SPILL;
    }
    return spill_of(ledger, id);
}

out_of_line void ledger_spill(struct ledger *ledger, uint32_t id, size_t number) {
    uint32_t *word = &ledger->tallies[id].words[number];
    pair_join(&spill_to(ledger, id)->pairs[number], word_pair(*word));
    *word = 0;
}

out_of_line void ledger_save_spilled(struct ledger *ledger, uint32_t id) {
    spill_of(ledger, id)->pairs[PEAK] = ledger_live(ledger, id);
}

/* --- blocks of any size -------------------------------------------------------------------------------------------- */

/* More blocks in the word of a number, or, where that is no place for so many, in its spill. */
static void count(struct ledger *ledger, uint32_t id, size_t number, pair blocks) {
    uint32_t *word = &ledger->tallies[id].words[number];
    if (blocks.bytes >> BYTES_SHIFT != 0 || blocks.blocks >> (31 - BLOCKS_SHIFT) != 0)
        pair_join(&spill_to(ledger, id)->pairs[number], blocks);
    else if (word_must_spill(*word += (uint32_t)(blocks.blocks << BLOCKS_SHIFT | blocks.bytes)))
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
    uint32_t *word = &ledger->tallies[id].words[TOTAL];
    if (!word_has_block(*word, bytes))
        pair_subtract(&spill_to(ledger, id)->pairs[TOTAL], bytes);
    else if (word_must_spill(*word -= word_of_block((uint32_t)bytes)))
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
        if (*owner_of(ledger, id) != 0)
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
    if (tally_has_spill(tally)) {
        spill_of(ledger, id)->next = ledger->free_spill;
        ledger->free_spill = *owner_of(ledger, id);
    }
    *owner_of(ledger, id) = 0;
    *tally = (struct tally){.epoch = ledger->free};
    ledger->free = id;
    ledger->used--;
}

/* What was allocated elsewhere becomes the heir's; what that holds, and held at the peak, stays. */
void ledger_inherit(struct ledger *ledger, uint32_t heir, pair history) {
    for (size_t number = TOTAL; number <= FREED; number++)
        count(ledger, heir, number, history);
}
