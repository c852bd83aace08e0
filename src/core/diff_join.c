/* diff_join: see diff_join.h. One thread; the snapshots are only read. */
#include "diff_join.h"
#include "printed.h"

#include <string.h>

static size_t column_bytes(const struct sides *sides) {
    return (2 * sides->now.count + 1) * sizeof *sides->old_sizes;
}

static status make_columns(struct sides *sides) {
    sides->old_sizes = vmem_map(sides->now.snapshot->account, column_bytes(sides));
    sides->old_counts = sides->old_sizes == NULL ? NULL : sides->old_sizes + sides->now.count;
    return sides->old_sizes == NULL ? STATUS_NOMEM : STATUS_OK;
}

void sides_fini(struct sides *sides) {
    if (sides->now.snapshot != NULL)
        vmem_unmap(sides->now.snapshot->account, sides->old_sizes, column_bytes(sides));
    groups_fini(&sides->now);
    groups_fini(&sides->gone);
    memset(sides, 0, sizeof *sides);
}

static status join_tracebacks(struct sides *sides, struct snapshot *now, struct snapshot *old) {
    struct printed printed;
    status result = printed_init(&printed, now, old->row_count, &sides->now);
    if (result == STATUS_OK)
        result = make_columns(sides);
    if (result == STATUS_OK)
        result = printed_beside(&printed, old, &(struct columns){sides->old_sizes, sides->old_counts, false},
                                &sides->gone);
    printed_fini(&printed);
    return result;
}

static status join_keys(struct sides *sides, struct snapshot *now, struct snapshot *old, enum key key,
                        bool cumulative) {
    struct keyindex index = {.groups = NULL};
    status result = groupby_unsorted(now, key, cumulative, &sides->now);
    if (result == STATUS_OK)
        result = make_columns(sides);
    if (result == STATUS_OK)
        result = keyindex_init(&index, &sides->now, key);
    if (result == STATUS_OK)
        result = groupby_beside(old, &index, cumulative,
                                &(struct columns){sides->old_sizes, sides->old_counts, false}, &sides->gone);
    keyindex_fini(&index);
    return result;
}

status diff_join(struct sides *sides, struct snapshot *now, struct snapshot *old, enum key key,
                 bool cumulative) {
    return key == KEY_TRACEBACK ? join_tracebacks(sides, now, old)
                                : join_keys(sides, now, old, key, cumulative);
}
