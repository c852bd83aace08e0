/* diff_tracebacks: the rows of two snapshots added up by traceback, side by side (diff_join.h). One thread; the
 * snapshots are only read. */
#include "diff_join.h"
#include "grouping.h"
#include "tracebacks.h"

/* The first row of the newer side, else of the older one, says what only rows know. */
static struct group *group_of(const struct tracebacks *tracebacks, struct groups *groups, int side,
                              const struct row *row) {
    uint32_t number = traceback_number(tracebacks, side, row->node);
    struct group *group = &groups->items[groups->count - 1 - number];
    if (group->count > 0 || (side == 1 && group->domain != 0))
        return group;
    group->node = row->node;
    group->depth = row->depth;
    group->frames = tracebacks->items[number].frames;
    group->domain = 1; /* for a while: somebody has said it */
    return group;
}

static void add_rows(const struct tracebacks *tracebacks, struct sides *sides) {
    struct groups *groups = &sides->now;
    for (struct rows rows = snapshot_rows(tracebacks->sides[1]); rows_next(&rows);) {
        const struct row *row = rows.row;
        struct group *group = group_of(tracebacks, groups, 1, row);
        uint64_t *before = sides->before[group - groups->items];
        before[0] = add_capped(before[0], row_bytes(tracebacks->sides[1], row));
        before[1] = add_capped(before[1], row->count);
    }
    for (struct rows rows = snapshot_rows(tracebacks->sides[0]); rows_next(&rows);) {
        const struct row *row = rows.row;
        group_add(group_of(tracebacks, groups, 0, row), row_bytes(tracebacks->sides[0], row), row->count);
    }
    for (size_t i = 0; i < groups->count; i++)
        groups->items[i].domain = 0;
}

status diff_tracebacks(struct sides *sides, struct snapshot *now, struct snapshot *old) {
    struct tracebacks tracebacks;
    status result = tracebacks_init(&tracebacks, now, old);
    if (result != STATUS_OK)
        return result;
    result = groups_new(now, tracebacks.count, &sides->now);
    if (result == STATUS_OK)
        result = groups_new(old, 0, &sides->gone);
    if (result == STATUS_OK)
        result = sides_reserve(sides);
    if (result == STATUS_OK)
        add_rows(&tracebacks, sides);
    tracebacks_fini(&tracebacks);
    return result;
}
