/* groupby: statistics out of rows: see groupby.h. Any thread; the snapshot is only read. */
#include "grouping.h"
#include "sort.h"

#include <string.h>

static bool same_key(const struct grouping *grouping, const struct row *a, const struct row *b) {
    switch (grouping->key) {
    case KEY_DOMAIN:
        return a->domain == b->domain;
    case KEY_PROCESS:
        return a->process == b->process;
    default:
        return a->node == b->node;
    }
}

static status add_rows(struct grouping *grouping) {
    const struct snapshot *snapshot = grouping->snapshot;
    const struct row *last = NULL;
    uint32_t group = 0;
    for (struct rows rows = snapshot_rows(snapshot); rows_next(&rows);) {
        const struct row *row = rows.row;
        if (last == NULL || !same_key(grouping, row, last)) {
            status result = grouping_find_row(grouping, row, &group);
            if (result != STATUS_OK)
                return result;
        }
        last = row;
        grouping_add(grouping, group, row_bytes(snapshot, row), row->count);
    }
    return STATUS_OK;
}

status groups_new(struct snapshot *snapshot, size_t count, struct groups *groups) {
    memset(groups, 0, sizeof *groups);
    if (count > 0) {
        groups->items = vmem_map(snapshot->account, count * sizeof *groups->items);
        if (groups->items == NULL)
            return STATUS_NOMEM;
    }
    groups->bytes = count * sizeof *groups->items;
    groups->count = groups->all = count;
    groups->snapshot = snapshot;
    snapshot_retain(snapshot);
    return STATUS_OK;
}

status groupby_unsorted(struct snapshot *snapshot, enum key key, bool cumulative, struct groups *groups) {
    struct grouping grouping;
    assert(key != KEY_TRACEBACK);
    memset(groups, 0, sizeof *groups);
    if (cumulative && (key == KEY_DOMAIN || key == KEY_PROCESS))
        return STATUS_INVALID;
    status result = grouping_init(&grouping, snapshot, key);
    if (result == STATUS_OK)
        result = cumulative ? grouping_add_cumulative(&grouping) : add_rows(&grouping);
    if (result == STATUS_OK)
        grouping_end(&grouping, groups);
    else
        grouping_fini(&grouping);
    return result;
}

/* --- sorting --- */

struct sorting {
    const struct groups *groups;
    enum key key;
};

/* Two groups of equal size. */
static int order_groups(const void *owner, uint64_t a_index, uint64_t b_index) {
    const struct sorting *sorting = owner;
    const struct snapshot *snapshot = sorting->groups->snapshot;
    const struct group *a = &sorting->groups->items[a_index], *b = &sorting->groups->items[b_index];
    if (a->count != b->count)
        return a->count < b->count ? 1 : -1;
    if (sorting->key == KEY_TRACEBACK)
        return 0; /* in their order already */
    return group_key_order(snapshot, a, snapshot, b, sorting->key);
}

/* Puts the first `most` groups in order, and gives up the others. */
static status sort_groups(struct groups *groups, enum key key, size_t most) {
    struct vmem *account = groups->snapshot->account;
    size_t count = groups->count, item_bytes = 2 * count * sizeof(struct sort_item);
    size_t kept = most < count ? most : count, bytes = (kept + 1) * sizeof(struct group);
    struct sort_item *items = vmem_map(account, item_bytes);
    struct group *sorted = vmem_map(account, bytes);
    status result = items == NULL || sorted == NULL ? STATUS_NOMEM : STATUS_OK;
    if (result == STATUS_OK) {
        for (size_t i = 0; i < count; i++)
            items[i] = (struct sort_item){groups->items[i].size, i};
        sort_top(items, items + count, count, kept, order_groups, &(struct sorting){groups, key});
        for (size_t i = 0; i < kept; i++)
            sorted[i] = groups->items[items[i].index];
        vmem_unmap(account, groups->items, groups->bytes);
        groups->items = sorted;
        groups->bytes = bytes;
        groups->count = kept;
    } else {
        vmem_unmap(account, sorted, bytes);
    }
    vmem_unmap(account, items, item_bytes);
    return result;
}

status groupby_top(struct snapshot *snapshot, enum key key, bool cumulative, size_t most,
                   struct groups *groups) {
    memset(groups, 0, sizeof *groups);
    if (key == KEY_TRACEBACK && cumulative)
        return STATUS_INVALID;
    status result = key == KEY_TRACEBACK ? groupby_traceback(snapshot, groups)
                                         : groupby_unsorted(snapshot, key, cumulative, groups);
    if (result != STATUS_OK || groups->count == 0)
        return result;
    result = sort_groups(groups, key, most);
    if (result != STATUS_OK)
        groups_fini(groups);
    return result;
}

status groupby(struct snapshot *snapshot, enum key key, bool cumulative, struct groups *groups) {
    return groupby_top(snapshot, key, cumulative, SIZE_MAX, groups);
}

void groups_fini(struct groups *groups) {
    if (groups->snapshot == NULL)
        return;
    vmem_unmap(groups->snapshot->account, groups->items, groups->bytes);
    snapshot_release(groups->snapshot);
    memset(groups, 0, sizeof *groups);
}
