/* diff_tracebacks: the rows of two snapshots added up by traceback, side by side (diff_join.h). One thread; the
 * snapshots are only read. */
#include "diff_join.h"
#include "grouping.h"
#include "tracebacks.h"

/* sums[0] and sums[1]: the groups of the two sides, by number of the traceback. */
static void add_rows(const struct tracebacks *tracebacks, int side, struct group *sums) {
    const struct snapshot *snapshot = tracebacks->sides[side];
    for (struct rows rows = snapshot_rows(snapshot); rows_next(&rows);) {
        const struct row *row = rows.row;
        uint32_t number = traceback_number(tracebacks, side, row->node);
        struct group *group = &sums[number];
        if (group->count == 0) {
            group->node = row->node;
            group->depth = row->depth;
            group->frames = tracebacks->items[number].frames;
        }
        group_add(group, row_bytes(snapshot, row), row->count);
    }
}

static status add_both(struct changes *changes, const struct tracebacks *tracebacks) {
    size_t count = tracebacks->count, bytes = 2 * count * sizeof(struct group);
    status result = changes_reserve(changes, count);
    if (result != STATUS_OK || count == 0)
        return result;
    struct group *now = vmem_map(tracebacks->account, bytes), *old = now + count;
    if (now == NULL)
        return STATUS_NOMEM;
    add_rows(tracebacks, 0, now);
    add_rows(tracebacks, 1, old);
    for (size_t i = 0; i < count; i++)
        change_set(&changes->items[count - 1 - i], now[i].count > 0 ? &now[i] : NULL,
                   old[i].count > 0 ? &old[i] : NULL);
    changes->count = count;
    vmem_unmap(tracebacks->account, now, bytes);
    return STATUS_OK;
}

status diff_tracebacks(struct changes *changes, struct snapshot *now, struct snapshot *old) {
    struct tracebacks tracebacks;
    status result = tracebacks_init(&tracebacks, now, old);
    if (result != STATUS_OK)
        return result;
    result = add_both(changes, &tracebacks);
    tracebacks_fini(&tracebacks);
    return result;
}
