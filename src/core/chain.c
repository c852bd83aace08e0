/* chain: see chain.h. */
#include "chain.h"

#include <string.h>

#define MOST_LINKS ((size_t)1 << 20)

status chain_init(struct chain *chain, struct vmem *account) {
    memset(chain, 0, sizeof *chain);
    return region_init(&chain->links, account, MOST_LINKS * sizeof(struct link));
}

void chain_fini(struct chain *chain) {
    region_fini(&chain->links);
    memset(chain, 0, sizeof *chain);
}

void chain_empty(struct chain *chain) {
    if (chain->end != 0)
        memset(chain->links.base, 0, chain->end * sizeof(struct link));
    chain->end = 0;
}

void chain_put(struct chain *chain, uint32_t generation, uint32_t depth, struct link link) {
    if (unlikely(chain->generation != generation)) {
        chain_empty(chain);
        chain->generation = generation;
    }
    if (unlikely(region_grow(&chain->links, ((size_t)depth + 1) * sizeof link) != STATUS_OK))
        return;
    ((struct link *)(void *)chain->links.base)[depth] = link;
    if (depth >= chain->end)
        chain->end = depth + 1;
}
