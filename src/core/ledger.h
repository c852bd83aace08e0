/* ledger: what each call path has allocated in all, holds now, and held at the peak: exact, online, without a log.
 *
 *   a tally, 16 bytes:  total {bytes, blocks} | freed {bytes, blocks} | peak {bytes, blocks} | epoch
 *   live = total - freed
 *
 * The peak. `current` is what is live in this ledger; `limit` is the value above which it makes a new peak. Each new
 * peak starts an epoch. A tally about to change saves its live counters into `peak` if its epoch is not the present
 * one. So at any time a tally's share of the peak is `peak` if its epoch is the present one, else its live counters.
 * Growth alone never looks: it is only when something is about to be lost that the value reached can be a peak, so a
 * loss first looks whether `current` is above `limit`.
 *
 * limit = (peak of all traced memory) - (what the other partition, side.h, holds now): whoever changes the latter
 * changes the limit with it.
 *
 * A move (a free-listed object re-used) takes the block with all its history from one tally to another: `total` stays
 * the sum of what was asked of the allocators.
 *
 * Spills. Programs have tens of thousands of call paths, and few of them ever count far. So two numbers share a word,
 * the blocks in the upper bits and the bytes below them, and one addition counts both. When the blocks reach the sign of
 * the word, what it has is added to a pair in the tally's spill, and the word begins with nothing. Until then the bytes of
 * small blocks are far from running over, and who counts big ones, or takes some away, looks at the bytes too
 * (word_must_spill). There is room for as many spills as tallies, mapped with these, so that nothing can fail, but touched
 * in order by those alone that need it. The peak of a tally that has a spill is there, and its word says so: HAS_SPILL.
 * A tally knows the low half of its epoch; when that runs over, all are marked as of none (0).
 *
 * Owns its tallies (vmem); ids are 1, 2, ..., and used again when given back; tallies never move. Protected by the main interpreter's GIL.
 * Gain, loss and move: O(1), no failure. Adding a tally fails with NOMEM or FULL, unchanged.
 */
#ifndef MEMTALLY_LEDGER_H
#define MEMTALLY_LEDGER_H

#include "vmem.h"

/* 1,024 blocks make a word spill, tiny ones 4. So many small blocks have less than a quarter of the bytes that there is
 * room for; what is counted as big is less than a quarter, too, or spills at once, and so is what it is added to. */
enum { BLOCKS_SHIFT = SIZED(21, 29), BYTES_SHIFT = BLOCKS_SHIFT - 2 };
#define HAS_SPILL (UINT32_C(1) << 31)
#define EPOCH_MASK SIZED(UINT32_MAX, 15)

enum { TOTAL, FREED, PEAK, NUMBERS };

struct tally {
    uint32_t words[NUMBERS]; /* each blocks << BLOCKS_SHIFT | bytes; PEAK: or HAS_SPILL */
    uint32_t epoch;          /* of a free id: the next one, 0 ends the list */
};

struct spill {
    pair pairs[NUMBERS]; /* to be added to the words */
    uint32_t node;
    uint32_t next; /* of a free one: 0 ends the list */
    uint64_t reserved;
};

struct ledger {
    struct tally *tallies; /* region.base */
    int64_t current;       /* bytes */
    int64_t limit;         /* bytes */
    uint64_t epoch; /* 1, 2, ...: 64 bits do not wrap; tallies know it & EPOCH_MASK, which is never 0 */
    uint32_t count; /* ids below it are in use or free; id 0 is none */
    uint32_t free;  /* the first free id, 0: none; the others hang on it */
    uint32_t used;  /* ids that are not free */
    struct region region;
    struct region owners;  /* uint32_t by id: the node; of one with a spill: which one; 0: the id is free */
    struct region spills;  /* struct spill, from 1 on */
    struct vmem untouched; /* the account of `spills` */
    uint32_t spill_count;  /* below it they are in use or free, and count in the account of the rest */
    uint32_t free_spill;   /* the first free one, 0: none */
};

nodiscard status ledger_init(struct ledger *ledger, struct vmem *account);
void ledger_fini(struct ledger *ledger); /* also of a zeroed ledger */
nodiscard status ledger_add(struct ledger *ledger, uint32_t node, uint32_t *id);
/* Gives back the id of an idle tally; its history is the caller's, who may let another tally inherit it. */
void ledger_remove(struct ledger *ledger, uint32_t id);
void ledger_inherit(struct ledger *ledger, uint32_t heir, pair history);

/* The call path that a tally belongs to; 0: the id is free. */
uint32_t ledger_node(const struct ledger *ledger, uint32_t id);
void ledger_set_node(struct ledger *ledger, uint32_t id, uint32_t node);

void ledger_next_epoch(struct ledger *ledger);

/* All that a tally counts. */
pair ledger_total(const struct ledger *ledger, uint32_t id);
pair ledger_live(const struct ledger *ledger, uint32_t id);
/* What it held at the peak, given that ledger_note_peak was just called. */
pair ledger_at_peak(const struct ledger *ledger, uint32_t id);
/* Nothing live, and nothing at the peak, given the same: what it has left is history. */
bool ledger_is_idle(const struct ledger *ledger, uint32_t id);

/* The rare ways, as are those for blocks of any size. */
void ledger_spill(struct ledger *ledger, uint32_t id, size_t number); /* TOTAL or FREED */
void ledger_save_spilled(struct ledger *ledger, uint32_t id);
void ledger_take_total(struct ledger *ledger, uint32_t id, uint64_t bytes);
void ledger_gain_big(struct ledger *ledger, uint32_t id, uint64_t bytes);
void ledger_lose_big(struct ledger *ledger, uint32_t id, uint64_t bytes);
void ledger_move_big(struct ledger *ledger, uint32_t from, uint32_t to, uint64_t bytes);

/* One block of less than 2^BYTES_SHIFT bytes. */
hot_inline uint32_t word_of_block(uint32_t bytes) { return (UINT32_C(1) << BLOCKS_SHIFT) + bytes; }
hot_inline pair word_pair(uint32_t word) {
    return (pair){word & ((UINT32_C(1) << BLOCKS_SHIFT) - 1), word >> BLOCKS_SHIFT};
}
hot_inline bool word_is_full(uint32_t word) { return (int32_t)word < 0; }
hot_inline bool word_must_spill(uint32_t word) {
    return word_is_full(word) || word_pair(word).bytes >> BYTES_SHIFT != 0;
}
hot_inline bool word_has_block(uint32_t word, uint64_t bytes) {
    return word_pair(word).bytes >= bytes && word_pair(word).blocks != 0;
}

hot_inline bool tally_has_spill(const struct tally *tally) { return (tally->words[PEAK] & HAS_SPILL) != 0; }

/* Before a tally changes: keep what it held at the peak. */
hot_inline void ledger_save(struct ledger *ledger, uint32_t id) {
    struct tally *tally = &ledger->tallies[id];
    if (likely(tally->epoch == (ledger->epoch & EPOCH_MASK)))
        return;
    tally->epoch = ledger->epoch & EPOCH_MASK;
    if (unlikely(tally_has_spill(tally)))
        ledger_save_spilled(ledger, id);
    else
        tally->words[PEAK] = tally->words[TOTAL] - tally->words[FREED];
}

/* Before anything is lost: was the present value a new peak? */
hot_inline void ledger_note_peak(struct ledger *ledger) {
    if (unlikely(ledger->current > ledger->limit)) {
        ledger->limit = ledger->current;
        ledger_next_epoch(ledger);
    }
}

/* A calm tally has saved its peak, so that a gain only counts, and a loss too where this is no peak. Both of a block of 1
 * to 512 bytes; true: the total, or what was freed, must spill now. */
hot_inline bool ledger_is_calm(const struct ledger *ledger, uint32_t id) {
    return ledger->tallies[id].epoch == (ledger->epoch & EPOCH_MASK);
}
hot_inline bool ledger_is_no_peak(const struct ledger *ledger) { return ledger->current <= ledger->limit; }
nodiscard hot_inline bool ledger_gain_calmly(struct ledger *ledger, uint32_t id, uint32_t bytes) {
    ledger->current += bytes;
    return word_is_full(ledger->tallies[id].words[TOTAL] += word_of_block(bytes));
}
nodiscard hot_inline bool ledger_lose_calmly(struct ledger *ledger, uint32_t id, uint32_t bytes) {
    ledger->current -= bytes;
    return word_is_full(ledger->tallies[id].words[FREED] += word_of_block(bytes));
}

/* The same of any tally, all of it. */
hot_inline void ledger_gain(struct ledger *ledger, uint32_t id, uint32_t bytes) {
    ledger_save(ledger, id);
    if (unlikely(ledger_gain_calmly(ledger, id, bytes)))
        ledger_spill(ledger, id, TOTAL);
}
hot_inline void ledger_lose(struct ledger *ledger, uint32_t id, uint32_t bytes) {
    ledger_note_peak(ledger);
    ledger_save(ledger, id);
    if (unlikely(ledger_lose_calmly(ledger, id, bytes)))
        ledger_spill(ledger, id, FREED);
}

hot_inline void ledger_move(struct ledger *ledger, uint32_t from, uint32_t to, uint32_t bytes) {
    uint32_t *old = &ledger->tallies[from].words[TOTAL], *new = &ledger->tallies[to].words[TOTAL];
    const uint32_t block = word_of_block(bytes);
    ledger_note_peak(ledger);
    ledger_save(ledger, from);
    ledger_save(ledger, to);
    if (likely(word_has_block(*old, bytes) && !word_must_spill(*old - block)))
        *old -= block;
    else
        ledger_take_total(ledger, from, bytes);
    if (unlikely(word_is_full(*new += block)))
        ledger_spill(ledger, to, TOTAL);
}

hot_inline void pair_add(pair *counters, uint64_t bytes) {
    counters->bytes += bytes;
    counters->blocks++;
}
hot_inline void pair_subtract(pair *counters, uint64_t bytes) {
    counters->bytes -= bytes;
    counters->blocks--;
}
static inline void pair_join(pair *counters, pair more) {
    counters->bytes += more.bytes;
    counters->blocks += more.blocks;
}
static inline pair pair_minus(pair a, pair b) { return (pair){a.bytes - b.bytes, a.blocks - b.blocks}; }

#endif
