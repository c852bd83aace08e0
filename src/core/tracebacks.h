/* tracebacks: the kept tracebacks of one snapshot, or of two, numbered by content.
 *
 *   numbers[side][node]:  0 2 0 1 2 ...   number + 1 of the traceback of a node that rows have; 0 of others
 *   items[number]:        side, node, frames; ascending, as tuples of frames compare
 *
 * Equal tracebacks, frame by frame in file name and line, have one number: nodes that differ in function names, or
 * in frames that the limit cuts off, or that belong to another snapshot with call paths of its own. Whoever adds
 * up or compares tracebacks then handles numbers.
 * Owns its arrays (vmem); borrows the snapshots. One thread. Cost: that of pathorder, and O(rows). Fails with NOMEM; then it is zeroed.
 */
#ifndef MEMTALLY_TRACEBACKS_H
#define MEMTALLY_TRACEBACKS_H

#include "pathorder.h"

struct tracebacks {
    struct vmem *account;            /* borrowed */
    const struct snapshot *sides[2]; /* borrowed; the second may be NULL */
    uint32_t *numbers[2];            /* the second is NULL where there is no second side */
    uint32_t ends[2];                /* nodes */
    struct path_item *items;
    size_t most, count;
};

nodiscard status tracebacks_init(struct tracebacks *self, const struct snapshot *first,
                                 const struct snapshot *second);
void tracebacks_fini(struct tracebacks *self); /* also of a zeroed one */

static inline uint32_t traceback_number(const struct tracebacks *tracebacks, int side, uint32_t node) {
    assert(tracebacks->numbers[side][node] != 0);
    return tracebacks->numbers[side][node] - 1;
}

#endif
