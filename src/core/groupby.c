/* groupby: statistics out of rows: see groupby.h. Any thread; the snapshot is only read. */
#include "grouping.h"
#include "toplist.h"

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

static status group_rows(struct snapshot *snapshot, enum key key, bool cumulative,
                         const struct keyindex *index, const struct columns *beside, struct groups *groups) {
    struct grouping grouping;
    assert(key != KEY_TRACEBACK);
    memset(groups, 0, sizeof *groups);
    if (cumulative && (key == KEY_DOMAIN || key == KEY_PROCESS))
        return STATUS_INVALID;
    status result = grouping_init(&grouping, snapshot, key);
    if (result == STATUS_OK && beside != NULL)
        result = grouping_compare(&grouping, index, beside);
    if (result == STATUS_OK)
        result = cumulative ? grouping_add_cumulative(&grouping) : add_rows(&grouping);
    if (result == STATUS_OK)
        grouping_end(&grouping, groups);
    else
        grouping_fini(&grouping);
    return result;
}

status groupby_unsorted(struct snapshot *snapshot, enum key key, bool cumulative, struct groups *groups) {
    return group_rows(snapshot, key, cumulative, NULL, NULL, groups);
}

status groupby_beside(struct snapshot *snapshot, const struct keyindex *index, bool cumulative,
                      const struct columns *beside, struct groups *groups) {
    return group_rows(snapshot, index->key, cumulative, index, beside, groups);
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
    size_t count = groups->count;
    struct sorting sorting = {groups, key};
    struct toplist list;
    status result = toplist_init(&list, account, count, most, order_groups, &sorting);
    if (result != STATUS_OK)
        return result;
    for (size_t i = 0; i < count; i++)
        toplist_put(&list, groups->items[i].size, i);
    toplist_sort(&list);
    size_t kept = list.first.count, bytes = (kept + 1) * sizeof(struct group);
    struct group *sorted = vmem_map(account, bytes);
    if (sorted != NULL) {
        for (size_t i = 0; i < kept; i++)
            sorted[i] = groups->items[list.first.items[i].index];
        vmem_unmap(account, groups->items, groups->bytes);
        groups->items = sorted;
        groups->bytes = bytes;
        groups->count = kept;
    }
    toplist_fini(&list);
    return sorted == NULL ? STATUS_NOMEM : STATUS_OK;
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
