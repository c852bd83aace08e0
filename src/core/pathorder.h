/* pathorder: tracebacks numbered by content, in order, without comparing any two.
 *
 *   main load parse save                    ranks of 1 frame:   main 2   load 1   parse 3   save 4
 *   main load                                        of 2:      "main load" 1   "parse save" 2   "main" ...
 *                                                    of 4:      "main load" 1   "main load parse save" 2
 *
 * By doubling: what up to 2^(k+1) frames in a row are, and in which order, a pair of ranks says: of their first 2^k, and
 * of the rest, 0 where there is none. So each step sorts pairs of numbers. A traceback is cut from its oldest frame on
 * into pieces of such lengths, the longest first; pieces of full length belong to nodes, the rest to the traceback. It
 * does not matter where a limit cuts off paths, and paths that share frames share the pieces.
 * Owns its array (vmem, 4 bytes a traceback); while it works, 12 bytes a node and 24 bytes a pair of a step. Borrows the
 * rest. One thread. Cost: that of places, and O((nodes + tracebacks) log longest). Fails with NOMEM; then it is zeroed.
 */
#ifndef MEMTALLY_PATHORDER_H
#define MEMTALLY_PATHORDER_H

#include "places.h"

/* A traceback: the `frames` most recent frames of a node's path. */
struct path_item {
    uint32_t node;
    uint32_t frames;
    uint32_t side; /* 0 or 1: which snapshot's */
};

struct pathorder {
    struct vmem *account; /* borrowed */
    uint32_t *numbers;    /* by item: equal for equal tracebacks, ascending as tuples of frames compare */
    size_t item_count;
    uint32_t count; /* the numbers are below */
};

/* At least one item; the second side may be NULL. */
nodiscard status pathorder_init(struct pathorder *order, const struct snapshot *const sides[2],
                                const struct path_item *items, size_t count);
void pathorder_fini(struct pathorder *order); /* also of a zeroed one */

#endif
