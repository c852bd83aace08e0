/* branches: the call tree of a snapshot, with what each call holds itself and with all that it calls.
 *
 *   items:     [0] root   [1] main:12   [2] load:40   [3] save:9  ...     callers before what they call
 *               own 0      own 0         own 5         own 2
 *               all 7      all 7         all 5         all 2
 *   children:  | 1 | 2 3 | ...           numbers of items; those of one item together, in the order of their nodes,
 *                                        or the biggest first, as far as somebody has asked for these
 *
 * Whole call paths as far as they are known, also beyond the snapshot's limit: cut ones would put unrelated callers
 * at the top. Calls are those of calls.h. Only what rows stand for is in it. Biggest: by size, count, file name
 * (descending), line (descending), function (ascending).
 * Owns its arrays (vmem) and a reference to its snapshot. Any thread may read; children are put in order by one at a
 * time. Sums that do not fit stay at UINT64_MAX. Cost: O(rows + nodes); about O(children) for the biggest few of an
 * item. Fails with NOMEM; branches_init then leaves it zeroed.
 */
#ifndef MEMTALLY_BRANCHES_H
#define MEMTALLY_BRANCHES_H

#include "snapshot.h"

struct branch {
    uint64_t own_size, own_count; /* bytes and blocks that were allocated right here */
    uint64_t size, count;         /* and with all that is called from here */
    uint32_t node;                /* a node with this path; 0: the root */
    uint32_t parent;              /* an item; the root's is 0 */
    uint32_t first_child : 28;    /* in `children`; there are no more than nodes */
    uint32_t sorted : 4;          /* steps that its children were put in order in */
    uint32_t child_count;
};

struct branches {
    struct snapshot *snapshot; /* owned reference: the ids are its */
    struct branch *items;
    uint32_t *children;
    uint32_t count; /* at least 1 */
    size_t item_bytes, child_bytes;
};

nodiscard status branches_init(struct branches *branches, struct snapshot *snapshot);
/* Puts the biggest children of an item first: as many as `most` at least, or all. */
nodiscard status branches_sort(struct branches *branches, uint32_t item, uint32_t most);
void branches_fini(struct branches *branches); /* also of a zeroed one */

bool branches_check(const struct branches *branches);

#endif
