/* groupby_traceback: rows added up by their numbered tracebacks (tracebacks.h). Any thread; the snapshot is only
 * read. The groups come out in the order of their tracebacks, descending, so the rest of the sorting compares
 * numbers alone. */
#include "grouping.h"
#include "tracebacks.h"

#include <string.h>

static void add_rows(const struct tracebacks *tracebacks, const struct snapshot *snapshot,
                     struct groups *groups) {
    for (struct rows rows = snapshot_rows(snapshot); rows_next(&rows);) {
        const struct row *row = rows.row;
        uint32_t number = traceback_number(tracebacks, 0, row->node);
        struct group *group = &groups->items[groups->count - 1 - number];
        if (group->count == 0) /* the first row says what only rows know */
            *group = (struct group){
                .node = row->node, .depth = row->depth, .frames = tracebacks->items[number].frames};
        group_add(group, row_bytes(snapshot, row), row->count);
    }
}

status groupby_traceback(struct snapshot *snapshot, struct groups *groups) {
    struct tracebacks tracebacks;
    memset(groups, 0, sizeof *groups);
    status result = tracebacks_init(&tracebacks, snapshot, NULL);
    if (result != STATUS_OK)
        return result;
    result = groups_new(snapshot, tracebacks.count, groups);
    if (result == STATUS_OK)
        add_rows(&tracebacks, snapshot, groups);
    tracebacks_fini(&tracebacks);
    return result;
}
