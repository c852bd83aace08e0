/* kept: the blocks that a measurement (measure.h) found kept, copied at its end; a snapshot when somebody asks.
 *
 *   few[]  the first ones, in place     many  the others, in memory of their own
 *
 * Owns `many` (vmem) and a reference to the call paths that the nodes are of. One thread at a time.
 * Add O(1), NOMEM; the snapshot O(n log n), NOMEM.
 */
#ifndef MEMTALLY_KEPT_H
#define MEMTALLY_KEPT_H

#include "measure.h"
#include "snapshot.h"

enum { KEPT_FEW = SIZED(8, 1) }; /* so that small measurements ask the system for nothing */

struct kept {
    struct callpaths *paths; /* owned reference, or NULL */
    size_t count;
    struct kept_block few[KEPT_FEW];
    struct region many;   /* struct kept_block */
    struct vmem *account; /* borrowed */
};

void kept_init(struct kept *kept, struct vmem *account);
void kept_fini(struct kept *kept); /* also of a zeroed one; it is empty then */

/* A kept_sink, whose context is the struct kept. */
nodiscard status kept_add(void *kept, const struct kept_block *block);

/* A live view of the blocks, equal ones in one row; `limit`: most frames. New reference. Reorders the blocks. */
nodiscard status kept_snapshot(struct kept *kept, uint32_t limit, struct snapshot **result);

#endif
