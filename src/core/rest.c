/* rest: see rest.h. Under the main GIL. */
#include "rest.h"

#include <string.h>

/* Steps that know the id of a tally that is no more. With one frame a step's node is known by its tally alone. */
static void forget_steps(struct tracer *tracer) {
    for (size_t i = 0; i < CACHE_SIZE; i++) {
        struct step *step = &tracer->cache[i];
        if (step->tally == 0 || ledger_node(&tracer->ledger, step->tally) != 0)
            continue;
        if (tracer_frames_are_one(tracer))
            memset(step, 0, sizeof *step);
        else
            step->tally = 0;
    }
}

static bool fits_word(pair history) {
    return history.bytes >> REST_SHIFT == 0 && history.blocks >> (31 - REST_SHIFT) == 0;
}

static void rest_idle(struct tracer *tracer) {
    struct ledger *ledger = &tracer->ledger;
    const uint32_t forgotten = tally_of_word(*rest_word(tracer, tracer->forgotten_node));
    for (uint32_t id = 1; id < ledger->count; id++) {
        const uint32_t node = ledger_node(ledger, id);
        const pair history = ledger_total(ledger, id);
        if (node == 0 || id == tracer->unknown || id == forgotten || !ledger_is_idle(ledger, id) ||
            !fits_word(history))
            continue;
        *rest_word(tracer, node) = (uint32_t)(history.blocks << REST_SHIFT | history.bytes);
        ledger_remove(ledger, id);
    }
}

cold_path void tracer_rest(struct tracer *tracer) {
    struct ledger *ledger = &tracer->ledger;
    lock_acquire(&tracer->side.lock);
    tracer_settle_locked(tracer);
    ledger_note_peak(ledger);
    lock_release(&tracer->side.lock);
    const uint32_t used = ledger->used;
    rest_idle(tracer);
    if (ledger->used != used) {
        forget_steps(tracer);
        mirrors_forget_tallies(&tracer->mirrors);
    }
    tracer->rest_above = ledger->used + ledger->used / 4 + REST_LEAST;
}

bool rest_check(const struct tracer *tracer) {
    uint32_t used = 0;
    for (uint32_t node = 0; node < rest_words(tracer); node++) {
        const uint32_t id = tally_of_word(*rest_word(tracer, node));
        if (id != 0 && (id >= tracer->ledger.count || ledger_node(&tracer->ledger, id) != node))
            return false;
        used += id != 0;
    }
    return used == tracer->ledger.used;
}
