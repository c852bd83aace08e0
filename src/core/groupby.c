/* groupby: statistics out of rows: see groupby.h. Any thread; the snapshot is only read. */
#include "grouping.h"
#include "sort.h"
#include "unrolled.h"

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

/* What is sorted: the slots, and their tracebacks unrolled where that pays. */
struct sorting {
    const struct grouping *grouping;
    struct unrolled unrolled; /* zeroed where it does not */
};

/* Two slots of equal size. */
static int order_slots(const void *owner, uint64_t a, uint64_t b) {
    const struct sorting *sorting = owner;
    const struct grouping *grouping = sorting->grouping;
    const struct group *left = &grouping_slot(grouping, (uint32_t)a)->group;
    const struct group *right = &grouping_slot(grouping, (uint32_t)b)->group;
    if (sorting->unrolled.frames == NULL)
        return group_order(grouping->snapshot, left, grouping->snapshot, right, grouping->key);
    if (left->count != right->count)
        return left->count < right->count ? 1 : -1;
    return unrolled_order(&sorting->unrolled, b, a);
}

static status unroll(struct sorting *sorting) {
    const struct grouping *grouping = sorting->grouping;
    size_t frames = 0;
    if (grouping->key != KEY_TRACEBACK)
        return STATUS_OK;
    for (uint32_t i = 0; i < grouping->count; i++)
        frames += grouping_slot(grouping, i)->group.frames;
    if (!unrolled_pays(grouping->count, frames))
        return STATUS_OK;
    status result = unrolled_init(&sorting->unrolled, grouping->snapshot, NULL, grouping->count, frames);
    if (result != STATUS_OK)
        return result;
    for (uint32_t i = 0; i < grouping->count; i++)
        unrolled_add(&sorting->unrolled, 0, &grouping_slot(grouping, i)->group);
    return unrolled_rank(&sorting->unrolled);
}

/* Copies the groups out, in order. */
static void copy_sorted(const struct sorting *sorting, struct sort_item *items, struct groups *groups) {
    const struct grouping *grouping = sorting->grouping;
    size_t count = grouping->count;
    for (size_t i = 0; i < count; i++)
        items[i] = (struct sort_item){grouping_slot(grouping, (uint32_t)i)->group.size, i};
    sort_items(items, items + count, count, order_slots, sorting);
    for (size_t i = 0; i < count; i++)
        groups->items[i] = grouping_slot(grouping, (uint32_t)items[i].index)->group;
    groups->count = count;
}

static status sort_out(const struct grouping *grouping, struct groups *groups) {
    struct vmem *account = grouping->snapshot->account;
    struct sorting sorting = {.grouping = grouping};
    size_t count = grouping->count, item_bytes = 2 * count * sizeof(struct sort_item);
    groups->snapshot = grouping->snapshot;
    snapshot_retain(groups->snapshot);
    if (count == 0)
        return STATUS_OK;
    struct sort_item *items = vmem_map(account, item_bytes);
    groups->bytes = count * sizeof *groups->items;
    groups->items = vmem_map(account, groups->bytes);
    status result = items == NULL || groups->items == NULL ? STATUS_NOMEM : unroll(&sorting);
    if (result == STATUS_OK)
        copy_sorted(&sorting, items, groups);
    else
        groups_fini(groups);
    unrolled_fini(&sorting.unrolled);
    vmem_unmap(account, items, item_bytes);
    return result;
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
