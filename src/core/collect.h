/* collect: keeps the call tree from growing without end: a program may have ever new call paths (recursion, exec).
 *
 *   before  [0]--main--a--b--c*        c: has live blocks           after  [0]--main--a--b--c*
 *                      \--d--e^        e: a share of the peak                      \--d--e^
 *                      \--f$$          f: allocated much, all gone                 \--f$$     while there is room
 *                      \--g$  h$ ...   g, h: little, all gone          [0]--<forgotten>$$
 *
 * A path with live blocks, a share of the peak, or an instruction that codemap knows stays, with all below it. Of the
 * others those that allocated most stay, while room allows; the rest are added up in one path, PATH_FORGOTTEN, so
 * that the total view's sum is exact, and what it shows for a path is what was allocated since that became known.
 *
 * What stays goes into a new tree; the old one lives on for the snapshots that share it. Node and site ids change;
 * tally ids, which the records of blocks hold, do not. Mirrors and steps know nodes, so they are emptied.
 *
 * When: before a slow walk, where nobody who holds the main GIL has an id at hand, and the tree's weight
 * is above `collect_above`; then that becomes twice what was kept, so the cost for each new node stays the same.
 * Takes the side's lock for all that time. Threads without the GIL may still intern into the old tree; tracer_side_put
 * tells them. O(nodes + tallies). Needs memory for the new tree beside the old one, and 16 bytes for
 * each path that there is room for; fails with NOMEM or FULL, and all
 * is as it was.
 */
#ifndef MEMTALLY_COLLECT_H
#define MEMTALLY_COLLECT_H

#include "tracer.h"

/* `room`: the weight of what is kept for its history alone. With the main GIL. */
nodiscard status tracer_collect(struct tracer *tracer, size_t room);

/* tracer_collect with room for a quarter of the least limit; and when to do it next: soon, after a failure. */
void tracer_collect_slow(struct tracer *tracer);

static inline uint32_t collect_limit(const struct tracer *tracer) {
    return __atomic_load_n((const uint32_t *)&tracer->collect_above, __ATOMIC_RELAXED);
}

static inline bool collect_is_due(const struct tracer *tracer) {
    return callpaths_weight(tracer->paths) > collect_limit(tracer);
}
/* With the main GIL, in a capture that has no id at hand yet. */
static inline void collect_if_due(struct tracer *tracer) {
    if (unlikely(collect_is_due(tracer)))
        tracer_collect_slow(tracer);
}

/* For threads that must not collect: nobody else has for long, and the paths are to grow no more. Any thread. */
static inline bool collect_is_overdue(const struct tracer *tracer, const struct callpaths *paths) {
    return callpaths_weight(paths) / 4 > collect_limit(tracer);
}

#endif
