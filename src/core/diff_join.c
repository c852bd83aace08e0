/* diff_join: see diff_join.h. The old groups are looked up among the new ones; what is not found stays. One thread; the
 * snapshots are only read. */
#include "diff_join.h"
#include "grouping.h"
#include "keyindex.h"

#include <string.h>

status sides_reserve(struct sides *sides) {
    sides->before_bytes = (sides->now.count + 1) * sizeof *sides->before;
    sides->before = vmem_map(sides->now.snapshot->account, sides->before_bytes);
    return sides->before == NULL ? STATUS_NOMEM : STATUS_OK;
}

void sides_fini(struct sides *sides) {
    if (sides->now.snapshot != NULL)
        vmem_unmap(sides->now.snapshot->account, sides->before, sides->before_bytes);
    groups_fini(&sides->now);
    groups_fini(&sides->gone);
    memset(sides, 0, sizeof *sides);
}

static void look_up(struct sides *sides, struct keysearch *search) {
    struct groups *old = &sides->gone;
    size_t gone = 0;
    for (size_t i = 0; i < old->count; i++) {
        size_t at = keysearch_find(search, &old->items[i]);
        if (at < sides->now.count) {
            sides->before[at][0] = old->items[i].size;
            sides->before[at][1] = old->items[i].count;
        } else {
            old->items[gone++] = old->items[i];
        }
    }
    old->count = old->all = gone;
}

status diff_join(struct sides *sides, struct snapshot *now, struct snapshot *old, enum key key,
                 bool cumulative) {
    struct keyindex index = {.groups = NULL};
    struct keysearch search = {.index = NULL};
    status result = groupby_unsorted(now, key, cumulative, &sides->now);
    if (result == STATUS_OK)
        result = groupby_unsorted(old, key, cumulative, &sides->gone);
    if (result == STATUS_OK)
        result = sides_reserve(sides);
    if (result == STATUS_OK)
        result = keyindex_init(&index, &sides->now, key);
    if (result == STATUS_OK)
        result = keysearch_init(&search, &index, old);
    if (result == STATUS_OK)
        look_up(sides, &search);
    keysearch_fini(&search);
    keyindex_fini(&index);
    return result;
}
