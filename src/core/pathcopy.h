/* pathcopy: call paths of one set written into another: names, sites and nodes by content.
 *
 *   from:   main -- load -- parse            to:   main -- load -- parse
 *                    known[parse] = 9  ------------------------------^ 9
 *
 * What was copied once is remembered by id. Rows that are cut to a limit may be copied cut, so that a snapshot with a
 * higher limit shows of them what their own showed.
 * Owns its tables (vmem); borrows both sets. One thread; takes the lock of `to` for each piece. Cost: O(1) for what is
 * known, O(frames) for what is cut. Fails with NOMEM or FULL; what was copied stays in `to`.
 */
#ifndef MEMTALLY_PATHCOPY_H
#define MEMTALLY_PATHCOPY_H

#include "snapshot.h"

struct pathcopy {
    struct vmem *account;
    const struct callpaths *from; /* borrowed */
    struct callpaths *to;         /* borrowed */
    struct path_ends ends;        /* of `from` */
    uint32_t next;                /* the site of `to` behind the last one that was there: likely the next */
    uint32_t *strings, *sites, *nodes; /* by id of `from`: id in `to` + 1; 0: not copied yet */
    uint32_t *stack;                   /* of ids on the way up */
};

nodiscard status pathcopy_init(struct pathcopy *copy, struct vmem *account, struct callpaths *from,
                               struct callpaths *to);
/* Where only names and sites will be copied: without the room for nodes. */
nodiscard status pathcopy_sites_init(struct pathcopy *copy, struct vmem *account, struct callpaths *from,
                                     struct callpaths *to);
void pathcopy_fini(struct pathcopy *copy); /* also of a zeroed one */

nodiscard status pathcopy_string(struct pathcopy *copy, uint32_t from, uint32_t *to);
nodiscard status pathcopy_site(struct pathcopy *copy, uint32_t from, uint32_t *to);
/* All sites: in their order they are quickly found, and where there are none in `to` they need not be looked for. */
nodiscard status pathcopy_sites(struct pathcopy *copy);
nodiscard status pathcopy_node(struct pathcopy *copy, uint32_t from, uint32_t *to);
/* Its `limit` most recent frames only. */
nodiscard status pathcopy_cut(struct pathcopy *copy, uint32_t from, uint32_t limit, uint32_t *to);

#endif
