/* measure: what happens to the traced memory between two moments: the most it grew, what came, what of that stayed.
 *
 *      begin 1     begin 2        end 2          end 1
 *   ------|-----------|-------------|--------------|------->   blocks born in between are kept in young.h's order,
 *         1     1     2      2      2       2                   with the number of the last measurement begun
 *
 * Measurements may overlap in any way (threads, coroutines); each has the number of its beginning, and they are linked
 * in that order. Only the newest one's `top` is kept up to date: it covers the older ones as well, and is handed down to
 * the next older one when it ends.
 *
 * While there is a measurement nobody is the tracer's fast thread: every event takes the slow way, which tells us here.
 * So nothing of this costs the hot path anything while nobody measures.
 *
 * A measurement is its caller's; it is linked here until measure_end, which must come before its memory goes. What stop
 * or clear interrupts is `broken` from then on. All calls with the main GIL; the figures of the side partition belong to
 * its lock. Begin O(1); read and end O(blocks born since and still there). No failure, but where rows are wanted: NOMEM.
 */
#ifndef MEMTALLY_MEASURE_H
#define MEMTALLY_MEASURE_H

#include "young.h"

struct tracer;
struct callpaths;

struct measure {
    struct measure *older, *newer; /* borrowed */
    uint64_t number;               /* 0: it is not linked */
    bool broken;
    int64_t start;      /* bytes traced at its beginning */
    int64_t top;        /* most bytes traced while it was the newest; from its beginning on */
    uint64_t allocated; /* the counters' sum at its beginning */
};

typedef bool (*means_test)(uintptr_t address, uint64_t size); /* see measure_begin */

/* Of the main partition, by the main GIL; `oldest`, `newest` and their `top` also by the side's lock, to write. */
struct measures {
    struct measure *oldest, *newest; /* borrowed; NULL while nobody measures */
    uint64_t number;                 /* of the last one begun */
    uint64_t allocated;              /* bytes, counted while somebody measures */
    means_test is_means;             /* of the newest one, until something happens; or NULL */
    struct young young;
};

/* Its figures, in bytes. */
struct measured {
    uint64_t peak;      /* the most that was traced above the level of the beginning */
    uint64_t allocated; /* asked of the allocators since then */
    uint64_t kept;      /* of that, what is still there */
};

struct kept_block {
    uint32_t domain;
    uint32_t node;
    uint64_t size;
};

/* Called for each block that was kept; a failure ends the reading. */
typedef status (*kept_sink)(void *context, const struct kept_block *block);

/* Begins. The tracer is active, the measure is not linked. `is_means` (may be NULL) is asked about the block that goes
 * first, if it goes before any comes: whether it is only the means of beginning (a bound method), which does not count
 * as traced at the beginning. It is asked with the address and size of a block that is still whole. */
void measure_begin(struct tracer *tracer, struct measure *measure, means_test is_means);
/* How it stands. INVALID where it is broken, or not linked. `sink` may be NULL. */
nodiscard status measure_read(struct tracer *tracer, const struct measure *measure, struct measured *figures,
                              kept_sink sink, void *context);
/* Ends it, whatever became of it. Nothing to do where it is not linked. */
void measure_end(struct tracer *tracer, struct measure *measure);

/* The tracer's part, while somebody measures: a block of the main partition came, or went. */
void measure_put(struct tracer *tracer, uintptr_t address, uint64_t size);
void measure_remove(struct tracer *tracer, uintptr_t address);
/* The tracer is about to forget all blocks: all measurements are broken and unlinked. The side's lock is held. */
void measures_break_locked(struct tracer *tracer);

#endif
