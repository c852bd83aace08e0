/* ledger: what each call path has allocated in all, holds now, and held at the peak: exact, online, without a log.
 *
 *   a tally, one cache line:  total {bytes, blocks} | freed {bytes, blocks} | peak {bytes, blocks} | epoch | node
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
 * Owns its tallies (vmem); ids are 1, 2, ..., and used again when given back; tallies never move. Protected by the main interpreter's GIL.
 * Gain, loss and move: O(1), no failure. Adding a tally fails with NOMEM or FULL, unchanged.
 */
#ifndef MEMTALLY_LEDGER_H
#define MEMTALLY_LEDGER_H

#include "vmem.h"

struct tally {
    pair total;
    pair freed;
    pair peak;
    uint64_t epoch;
    uint32_t node;
    uint32_t next_free; /* of an id that is free */
};

struct ledger {
    struct tally *tallies; /* region.base */
    int64_t current;       /* bytes */
    int64_t limit;         /* bytes */
    uint64_t epoch;        /* 1, 2, ...: 64 bits do not wrap */
    uint32_t count;        /* ids below it are in use or free; id 0 is none */
    uint32_t free; /* the first free id, 0: none; the others hang on it. All of their counters are 0 */
    struct region region;
};

nodiscard status ledger_init(struct ledger *ledger, struct vmem *account);
void ledger_fini(struct ledger *ledger); /* also of a zeroed ledger */
nodiscard status ledger_add(struct ledger *ledger, uint32_t node, uint32_t *id);

/* Gives back the id of an idle tally; its history becomes `heir`'s. */
void ledger_bequeath(struct ledger *ledger, uint32_t id, uint32_t heir);

hot_inline void pair_add(pair *counters, uint64_t bytes) {
    counters->bytes += bytes;
    counters->blocks++;
}
hot_inline void pair_subtract(pair *counters, uint64_t bytes) {
    counters->bytes -= bytes;
    counters->blocks--;
}
hot_inline pair tally_live(const struct tally *tally) {
    return (pair){tally->total.bytes - tally->freed.bytes, tally->total.blocks - tally->freed.blocks};
}

/* Before a tally changes: keep what it held at the peak. */
hot_inline void tally_save(const struct ledger *ledger, struct tally *tally) {
    if (unlikely(tally->epoch != ledger->epoch)) {
        tally->peak = tally_live(tally);
        tally->epoch = ledger->epoch;
    }
}

/* Before anything is lost: was the present value a new peak? */
hot_inline void ledger_note_peak(struct ledger *ledger) {
    if (unlikely(ledger->current > ledger->limit)) {
        ledger->limit = ledger->current;
        ledger->epoch++;
    }
}

hot_inline void ledger_gain(struct ledger *ledger, uint32_t id, uint64_t bytes) {
    struct tally *tally = &ledger->tallies[id];
    ledger->current += (int64_t)bytes;
    tally_save(ledger, tally);
    pair_add(&tally->total, bytes);
}

hot_inline void ledger_lose(struct ledger *ledger, uint32_t id, uint64_t bytes) {
    struct tally *tally = &ledger->tallies[id];
    ledger_note_peak(ledger);
    ledger->current -= (int64_t)bytes;
    tally_save(ledger, tally);
    pair_add(&tally->freed, bytes);
}

hot_inline void ledger_move(struct ledger *ledger, uint32_t from, uint32_t to, uint64_t bytes) {
    ledger_note_peak(ledger);
    tally_save(ledger, &ledger->tallies[from]);
    tally_save(ledger, &ledger->tallies[to]);
    pair_subtract(&ledger->tallies[from].total, bytes);
    pair_add(&ledger->tallies[to].total, bytes);
}

/* What the tally held at the peak, given that ledger_note_peak was just called. */
hot_inline pair tally_at_peak(const struct ledger *ledger, const struct tally *tally) {
    return tally->epoch == ledger->epoch ? tally->peak : tally_live(tally);
}

/* Nothing live, and nothing at the peak, given the same: what it has left is history. */
static inline bool tally_is_idle(const struct ledger *ledger, const struct tally *tally) {
    return tally_live(tally).blocks == 0 && tally_at_peak(ledger, tally).blocks == 0;
}

/* What an idle tally has allocated becomes the heir's; what that holds, and held at the peak, stays. */
static inline void tally_bequeath(struct tally *tally, struct tally *heir) {
    heir->total.bytes += tally->total.bytes;
    heir->total.blocks += tally->total.blocks;
    heir->freed.bytes += tally->freed.bytes;
    heir->freed.blocks += tally->freed.blocks;
}

#endif
