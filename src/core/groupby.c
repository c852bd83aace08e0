/* groupby: statistics out of rows: see groupby.h. Any thread; the snapshot is only read. */
#include "grouping.h"
#include "sort.h"

#include <string.h>

/* The slot + 1 that is known for a row without looking at any content; 0: none yet. */
static inline uint32_t known_slot(const struct grouping *grouping, const struct row *row) {
    if (grouping->key == KEY_DOMAIN || grouping->key == KEY_PROCESS)
        return 0;
    return row->node == 0 ? grouping->no_frames : grouping->known[node_get(grouping->paths, row->node)->site];
}

static status add_rows(struct grouping *grouping) {
    const struct snapshot *snapshot = grouping->snapshot;
    for (struct rows rows = snapshot_rows(snapshot); rows_next(&rows);) {
        const struct row *row = rows.row;
        uint32_t slot = known_slot(grouping, row) - 1;
        if (unlikely(slot == UINT32_MAX)) {
            status result = grouping_find_row_slow(grouping, row, &slot);
            if (result != STATUS_OK)
                return result;
        }
        grouping_add(grouping, slot, row_bytes(snapshot, row), row->count);
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
    groups->count = count;
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
        result = groups_new(snapshot, grouping.count, groups);
    for (uint32_t i = 0; result == STATUS_OK && i < grouping.count; i++)
        groups->items[i] = grouping_slot(&grouping, i)->group;
    grouping_fini(&grouping);
    return result;
}

/* --- sorting --- */

struct sorting {
    const struct groups *groups;
    enum key key;
};

/* Two groups of equal size. */
static int order_groups(const void *owner, uint64_t a, uint64_t b) {
    const struct sorting *sorting = owner;
    const struct snapshot *snapshot = sorting->groups->snapshot;
    const struct group *items = sorting->groups->items;
    return group_order(snapshot, &items[a], snapshot, &items[b], sorting->key);
}

static void find_order(const struct groups *groups, enum key key, struct sort_item *items) {
    size_t count = groups->count;
    struct sort_item *spare = items + count;
    if (key != KEY_TRACEBACK) {
        for (size_t i = 0; i < count; i++)
            items[i] = (struct sort_item){groups->items[i].size, i};
        sort_items(items, spare, count, order_groups, &(struct sorting){groups, key});
        return;
    }
    /* tracebacks are in their order already */
    for (size_t i = 0; i < count; i++)
        items[i] = (struct sort_item){groups->items[i].count, i};
    sort_items(items, spare, count, NULL, NULL);
    for (size_t i = 0; i < count; i++)
        items[i].rank = groups->items[items[i].index].size;
    sort_items(items, spare, count, NULL, NULL);
}

static status sort_groups(struct groups *groups, enum key key) {
    struct vmem *account = groups->snapshot->account;
    size_t item_bytes = 2 * groups->count * sizeof(struct sort_item);
    struct sort_item *items = vmem_map(account, item_bytes);
    struct group *sorted = vmem_map(account, groups->bytes);
    status result = items == NULL || sorted == NULL ? STATUS_NOMEM : STATUS_OK;
    if (result == STATUS_OK)
        find_order(groups, key, items);
    for (size_t i = 0; result == STATUS_OK && i < groups->count; i++)
        sorted[i] = groups->items[items[i].index];
    vmem_unmap(account, items, item_bytes);
    vmem_unmap(account, result == STATUS_OK ? groups->items : sorted, groups->bytes);
    if (result == STATUS_OK)
        groups->items = sorted;
    return result;
}

status groupby(struct snapshot *snapshot, enum key key, bool cumulative, struct groups *groups) {
    memset(groups, 0, sizeof *groups);
    if (key == KEY_TRACEBACK && cumulative)
        return STATUS_INVALID;
    status result = key == KEY_TRACEBACK ? groupby_traceback(snapshot, groups)
                                         : groupby_unsorted(snapshot, key, cumulative, groups);
    if (result != STATUS_OK || groups->count == 0)
        return result;
    result = sort_groups(groups, key);
    if (result != STATUS_OK)
        groups_fini(groups);
    return result;
}

void groups_fini(struct groups *groups) {
    if (groups->snapshot == NULL)
        return;
    vmem_unmap(groups->snapshot->account, groups->items, groups->bytes);
    snapshot_release(groups->snapshot);
    memset(groups, 0, sizeof *groups);
}
