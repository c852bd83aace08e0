/* sidepaths: the call paths that shards of the side have tallies of, each once, whichever shards these are.
 *
 *      shard 3, tally 1 2 3 ...  --numbers-->  path 1 2 1 ...     path: {domain, node}
 *      shard 5, tally 1 2 ...    --numbers-->  path 3 1 ...
 *
 * For who reads the whole side (freeze.c). Owns its memory. One thread, which holds the side's lock while no shard is
 * out. O(tallies) expected. Fails with NOMEM or FULL; then it is of no use but for fini.
 */
#ifndef MEMTALLY_SIDEPATHS_H
#define MEMTALLY_SIDEPATHS_H

#include "side.h"

struct side_path {
    uint32_t domain;
    uint32_t node;
    pair sum; /* the reader's */
};

struct side_paths {
    struct region paths;   /* struct side_path by number: 1, 2, ... */
    struct idtable index;  /* (domain, node) -> number */
    struct region numbers; /* uint32_t: of each shard's tallies by id, one shard after the other */
    size_t starts[SHARDS]; /* where a shard's are */
    uint32_t count;        /* numbers below it are in use */
};

nodiscard status side_paths_init(struct side_paths *paths, const struct side *side, struct vmem *account);
void side_paths_fini(struct side_paths *paths); /* also of a zeroed one */

static inline struct side_path *side_path(const struct side_paths *paths, uint32_t number) {
    return (struct side_path *)(void *)paths->paths.base + number;
}
static inline uint32_t side_path_number(const struct side_paths *paths, uint32_t shard, uint32_t tally) {
    return ((const uint32_t *)(const void *)paths->numbers.base)[paths->starts[shard] + tally];
}

#endif
