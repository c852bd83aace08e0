/* joincalls: the calls of several call trees, numbered together, callers first: one caller and one site are one call.
 *
 *   tree 0:  0 root   1 main:12   2 load:40           numbers   0   1   2
 *   tree 1:  0 root   1 main:12   2 save:9            numbers   0   1   3
 *   calls:   0 root   1 main:12   2 load:40   3 save:9
 *
 * As in calls.h, for trees that need not be the same. Whether a call is there already has to be asked only where it can
 * be: what one node of a tree calls at different sites are different calls, so it is there only if an earlier tree has
 * both the caller and the site, or if the caller is several nodes of its tree (places reached at several depths, where
 * paths are cut). Trees that share nothing are numbered without looking for anything; and where they are alike, the next
 * call is mostly the one behind the last.
 * Owns its arrays (vmem): 4 bytes a node, 8 a call; borrows the trees' call paths. One thread. Cost: O(nodes). Fails with
 * NOMEM or FULL; then joincalls_fini is the caller's.
 */
#ifndef MEMTALLY_JOINCALLS_H
#define MEMTALLY_JOINCALLS_H

#include "sitenumbers.h"

enum { JOINCALLS_MOST = SITENUMBERS_MOST }; /* trees */

struct joined_call {
    uint32_t caller; /* the root is its own */
    uint32_t site;   /* its number */
};

/* A set of call paths. */
struct joined_tree {
    struct callpaths *paths; /* borrowed */
    uint32_t *calls;         /* by node */
    uint32_t end;            /* nodes */
};

struct joincalls {
    struct vmem *account; /* borrowed */
    struct joined_tree trees[JOINCALLS_MOST];
    size_t tree_count;
    struct sitenumbers sites;
    struct joined_call *calls; /* callers first */
    uint32_t count;            /* calls, with the root */
    size_t most;               /* nodes of all trees: no fewer than calls */
};

void joincalls_init(struct joincalls *self, struct vmem *account);
void joincalls_fini(struct joincalls *self); /* also of a zeroed one */

/* The tree of these call paths, added where it is not there yet; before numbers are given. */
nodiscard status joincalls_tree(struct joincalls *self, struct callpaths *paths, struct joined_tree **tree);
nodiscard status joincalls_number(struct joincalls *self);

#endif
