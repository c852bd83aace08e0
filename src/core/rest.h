/* rest: where the numbers of a call path are: in a tally of the ledger, or, where they are history, in a word of 4 bytes.
 *
 *   node -> word    0                              it never had a block
 *                   IN_LEDGER | id                 it has this tally
 *                   blocks << 21 | bytes           it is at rest: so much came and went; nothing lives, nothing is part
 *                                                  of the peak
 *
 * Most call paths of a program's start allocate for a moment and never again. A tally takes 20 bytes, so once there are a
 * quarter more of them than were left the last time, those that are idle (ledger.h) come to rest and give their ids back.
 * A path that allocates again gets a tally with its history. A tally whose numbers do not fit a word, of more than 1,023
 * blocks or 2 MiB in all, stays where it is, as do those of PATH_UNKNOWN and PATH_FORGOTTEN.
 *
 * When: before a slow walk, as in collect.h, where nobody has the id of an idle tally at hand; steps and mirrors
 * forget such ids. O(tallies in use), steps and entries of mirrors; so O(1) for each tally made. No failure. With the main
 * GIL; the memory is the tracer's.
 */
#ifndef MEMTALLY_REST_H
#define MEMTALLY_REST_H

#include "tracer.h"

enum { REST_SHIFT = SIZED(21, 29) };
#define IN_LEDGER (UINT32_C(1) << 31)

static inline bool is_at_rest(uint32_t word) { return (word & IN_LEDGER) == 0 && word != 0; }
static inline uint32_t tally_of_word(uint32_t word) {
    return (word & IN_LEDGER) != 0 ? word & ~IN_LEDGER : 0;
}
static inline pair history_of_word(uint32_t word) {
    return is_at_rest(word) ? (pair){word & ((UINT32_C(1) << REST_SHIFT) - 1), word >> REST_SHIFT}
                            : (pair){0};
}

/* All that was ever allocated there, wherever it is counted. */
static inline pair total_of_word(const struct ledger *ledger, uint32_t word) {
    const uint32_t id = tally_of_word(word);
    return id != 0 ? ledger_total(ledger, id) : history_of_word(word);
}

/* How many nodes have a place for a word; those behind never had a tally. */
static inline uint32_t rest_words(const struct tracer *tracer) {
    return (uint32_t)(tracer->node_words.committed / sizeof(uint32_t));
}
static inline uint32_t *rest_word(const struct tracer *tracer, uint32_t node) {
    return (uint32_t *)(void *)tracer->node_words.base + node;
}

/* All that is idle comes to rest; and how many tallies there are to be before the next time. The side's lock is not held. */
void tracer_rest(struct tracer *tracer);

static inline bool rest_is_due(const struct tracer *tracer) {
    return tracer->ledger.used > tracer->rest_above;
}
/* With the main GIL, in a capture that has no id at hand yet. */
static inline void rest_if_due(struct tracer *tracer) {
    if (unlikely(rest_is_due(tracer)))
        tracer_rest(tracer);
}

bool rest_check(const struct tracer *tracer);

#endif
