/* calls: the calls that nodes stand for, numbered, callers first: one caller and one site are one call.
 *
 *   nodes:     0 root   1 main:12   2 load:40   3 main:12   4 save:9     3 is 1 at another depth
 *   numbers:   1        2           3           2           4            by node: call + 1; 0: not needed
 *   calls:     0 root   1 main:12   2 load:40   3 save:9
 *   first:     0        1           2           4                        by call: a node of it
 *
 * Nodes that differ have another caller or another site, unless they are below the root, where their depth can be all
 * that differs. So only calls below such doubles have to be looked for; all others are new when they are met.
 * Owns its arrays (vmem, 8 bytes a node); borrows the call paths. One thread. Cost: O(nodes). Fails with NOMEM; then
 * calls_fini is the caller's.
 */
#ifndef MEMTALLY_CALLS_H
#define MEMTALLY_CALLS_H

#include "snapshot.h"

struct calls {
    struct vmem *account;    /* borrowed */
    struct callpaths *paths; /* borrowed */
    uint32_t *numbers;
    uint32_t *first;
    uint32_t end;   /* nodes that matter are below */
    uint32_t most;  /* nodes that are needed, with the root: no fewer than calls */
    uint32_t count; /* calls, with the root */
};

/* Of nodes below `end`, none of which is needed yet but the root. */
nodiscard status calls_init(struct calls *calls, struct vmem *account, struct callpaths *paths, uint32_t end);
void calls_fini(struct calls *calls); /* also of a zeroed one */

/* Before they are numbered; whoever called a needed node is needed as well. */
static inline void calls_need(struct calls *calls, uint32_t node) { calls->numbers[node] = 1; }
nodiscard status calls_number(struct calls *calls);

static inline uint32_t call_of(const struct calls *calls, uint32_t node) {
    assert(calls->numbers[node] != 0);
    return calls->numbers[node] - 1;
}
static inline uint32_t call_site(const struct calls *calls, uint32_t call) {
    return node_get(calls->paths, calls->first[call])->site;
}
static inline uint32_t call_caller(const struct calls *calls, uint32_t call) {
    return call_of(calls, node_get(calls->paths, calls->first[call])->parent);
}

#endif
