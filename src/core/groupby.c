/* groupby: statistics out of rows: see groupby.h. Any thread; the snapshot is only read. */
#include "grouping.h"
#include "sort.h"

#include <string.h>

/* The slot + 1 that is known for a row without looking at any content; 0: none yet. */
static inline uint32_t known_slot(const struct grouping *grouping, const struct row *row) {
    if (grouping->key == KEY_TRACEBACK)
        return grouping->known[row->node];
    if (grouping->key == KEY_DOMAIN)
        return 0;
    return row->node == 0 ? grouping->no_frames : grouping->known[node_get(grouping->paths, row->node)->site];
}

static status add_rows(struct grouping *grouping) {
    const struct snapshot *snapshot = grouping->snapshot;
    for (size_t i = 0; i < snapshot->row_count; i++) {
        const struct row *row = snapshot_row(snapshot, i);
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

/* Two slots of equal size. */
static int order_slots(const void *owner, uint64_t a, uint64_t b) {
    const struct grouping *grouping = owner;
    return group_order(grouping->snapshot, &grouping_slot(grouping, (uint32_t)a)->group, grouping->snapshot,
                       &grouping_slot(grouping, (uint32_t)b)->group, grouping->key);
}

/* Copies the groups out, in order. */
static status sort_out(const struct grouping *grouping, struct groups *groups) {
    struct vmem *account = grouping->snapshot->account;
    size_t count = grouping->count;
    groups->snapshot = grouping->snapshot;
    snapshot_retain(groups->snapshot);
    if (count == 0)
        return STATUS_OK;
    struct sort_item *items = vmem_map(account, 2 * count * sizeof *items);
    groups->bytes = count * sizeof *groups->items;
    groups->items = vmem_map(account, groups->bytes);
    if (items == NULL || groups->items == NULL) {
        vmem_unmap(account, items, 2 * count * sizeof *items);
        groups_fini(groups);
        return STATUS_NOMEM;
    }
    for (size_t i = 0; i < count; i++)
        items[i] = (struct sort_item){grouping_slot(grouping, (uint32_t)i)->group.size, i};
    sort_items(items, items + count, count, order_slots, grouping);
    for (size_t i = 0; i < count; i++)
        groups->items[i] = grouping_slot(grouping, (uint32_t)items[i].index)->group;
    groups->count = count;
    vmem_unmap(account, items, 2 * count * sizeof *items);
    return STATUS_OK;
}

status groupby(struct snapshot *snapshot, enum key key, bool cumulative, struct groups *groups) {
    struct grouping grouping;
    memset(groups, 0, sizeof *groups);
    if (cumulative && (key == KEY_TRACEBACK || key == KEY_DOMAIN))
        return STATUS_INVALID;
    status result = grouping_init(&grouping, snapshot, key);
    if (result == STATUS_OK)
        result = cumulative ? grouping_add_cumulative(&grouping) : add_rows(&grouping);
    if (result == STATUS_OK)
        result = sort_out(&grouping, groups);
    grouping_fini(&grouping);
    return result;
}

void groups_fini(struct groups *groups) {
    if (groups->snapshot == NULL)
        return;
    vmem_unmap(groups->snapshot->account, groups->items, groups->bytes);
    snapshot_release(groups->snapshot);
    memset(groups, 0, sizeof *groups);
}
