/* branches: see branches.h. One thread makes them, one at a time puts children in order; the snapshot is only read. */
#include "branches.h"
#include "calls.h"
#include "group_key.h"
#include "grouping.h"
#include "sort.h"

#include <string.h>

/* --- items --- */

static void add_rows(struct branches *branches, const struct calls *calls) {
    const struct snapshot *snapshot = branches->snapshot;
    for (struct rows rows = snapshot_rows(snapshot); rows_next(&rows);) {
        const struct row *row = rows.row;
        struct branch *item = &branches->items[call_of(calls, row->node)];
        item->own_size = item->size = add_capped(item->own_size, row_bytes(snapshot, row));
        item->own_count = item->count = add_capped(item->own_count, row->count);
    }
}

static status make_items(struct branches *branches, const struct calls *calls) {
    branches->count = calls->count;
    branches->item_bytes = calls->count * sizeof *branches->items;
    branches->items = vmem_map(branches->snapshot->account, branches->item_bytes);
    if (branches->items == NULL)
        return STATUS_NOMEM;
    for (uint32_t id = 1; id < calls->count; id++) {
        branches->items[id].node = calls->first[id];
        branches->items[id].parent = call_caller(calls, id);
    }
    add_rows(branches, calls);
    for (uint32_t id = branches->count - 1; id > 0; id--) {
        const struct branch *item = &branches->items[id];
        struct branch *parent = &branches->items[item->parent];
        parent->size = add_capped(parent->size, item->size);
        parent->count = add_capped(parent->count, item->count);
    }
    return STATUS_OK;
}

static status number_calls(struct branches *branches, struct calls *calls) {
    const struct snapshot *snapshot = branches->snapshot;
    uint32_t end = 1;
    for (struct rows rows = snapshot_rows(snapshot); rows_next(&rows);) {
        uint32_t node = rows.row->node;
        end = node < end ? end : node + 1;
    }
    status result = calls_init(calls, snapshot->account, snapshot->paths, end);
    if (result != STATUS_OK)
        return result;
    for (struct rows rows = snapshot_rows(snapshot); rows_next(&rows);)
        calls_need(calls, rows.row->node);
    return calls_number(calls);
}

/* --- children --- */

/* Puts the numbers of all items behind their callers' starts. */
static status list_children(struct branches *branches) {
    branches->child_bytes = branches->count * sizeof *branches->children;
    branches->children = vmem_map(branches->snapshot->account, branches->child_bytes);
    if (branches->children == NULL)
        return STATUS_NOMEM;
    for (uint32_t id = 1; id < branches->count; id++)
        branches->items[branches->items[id].parent].child_count++;
    for (uint32_t id = 0, before = 0; id < branches->count; id++) {
        branches->items[id].first_child = before & (UINT32_MAX >> 4);
        before += branches->items[id].child_count;
        branches->items[id].child_count = 0;
    }
    for (uint32_t id = 1; id < branches->count; id++) {
        struct branch *parent = &branches->items[branches->items[id].parent];
        branches->children[parent->first_child + parent->child_count++] = id;
    }
    return STATUS_OK;
}

/* Two items of equal size. */
static int order_items(const void *owner, uint64_t a_id, uint64_t b_id) {
    const struct branches *branches = owner;
    const struct callpaths *paths = branches->snapshot->paths;
    const struct branch *a = &branches->items[a_id], *b = &branches->items[b_id];
    if (a->count != b->count)
        return a->count < b->count ? 1 : -1;
    const struct site *a_site = site_get(paths, node_get(paths, a->node)->site);
    const struct site *b_site = site_get(paths, node_get(paths, b->node)->site);
    int order = place_order((struct place){paths, b_site->file, b_site->line},
                            (struct place){paths, a_site->file, a_site->line});
    if (order == 0)
        order = place_order((struct place){paths, a_site->function, 0},
                            (struct place){paths, b_site->function, 0});
    return order != 0 ? order : (a_id > b_id) - (a_id < b_id);
}

/* How many children are in order after so many steps: each step puts several times as many there as the last. */
enum { STEP_BITS = SIZED(3, 1), FIRST_BITS = SIZED(6, 1), MOST_STEPS = 15 };
static uint32_t in_order(uint32_t steps, uint32_t all) {
    uint32_t bits = FIRST_BITS + STEP_BITS * (steps - 1);
    return steps == 0 ? 0 : steps == MOST_STEPS || bits > 28 || 1u << bits > all ? all : 1u << bits;
}

/* One more step, with room for all that is not in order. */
static void sort_more(const struct branches *branches, struct branch *item, struct sort_item *items) {
    uint32_t done = in_order(item->sorted, item->child_count), rest = item->child_count - done;
    uint32_t *children = branches->children + item->first_child + done;
    for (uint32_t i = 0; i < rest; i++)
        items[i] = (struct sort_item){branches->items[children[i]].size, children[i]};
    item->sorted = (item->sorted + 1u) & 15;
    sort_top(items, items + rest, rest, in_order(item->sorted, item->child_count) - done, order_items,
             branches);
    for (uint32_t i = 0; i < rest; i++)
        children[i] = (uint32_t)items[i].index;
}

status branches_sort(struct branches *branches, uint32_t id, uint32_t most) {
    struct branch *item = &branches->items[id];
    struct vmem *account = branches->snapshot->account;
    size_t bytes = 2 * ((size_t)item->child_count + 1) * sizeof(struct sort_item);
    if (most > item->child_count)
        most = item->child_count;
    if (in_order(item->sorted, item->child_count) >= most)
        return STATUS_OK;
    struct sort_item *items = vmem_map(account, bytes);
    if (items == NULL)
        return STATUS_NOMEM;
    while (in_order(item->sorted, item->child_count) < most)
        sort_more(branches, item, items);
    vmem_unmap(account, items, bytes);
    return STATUS_OK;
}

/* --- life --- */

status branches_init(struct branches *branches, struct snapshot *snapshot) {
    struct calls calls;
    *branches = (struct branches){.snapshot = snapshot};
    snapshot_retain(snapshot);
    status result = number_calls(branches, &calls);
    if (result == STATUS_OK)
        result = make_items(branches, &calls);
    calls_fini(&calls);
    if (result == STATUS_OK)
        result = list_children(branches);
    if (result != STATUS_OK)
        branches_fini(branches);
    return result;
}

void branches_fini(struct branches *branches) {
    if (branches->snapshot == NULL)
        return;
    vmem_unmap(branches->snapshot->account, branches->items, branches->item_bytes);
    vmem_unmap(branches->snapshot->account, branches->children, branches->child_bytes);
    snapshot_release(branches->snapshot);
    memset(branches, 0, sizeof *branches);
}

bool branches_check(const struct branches *branches) {
    uint32_t children = 0;
    for (uint32_t id = 0; id < branches->count; id++) {
        const struct branch *item = &branches->items[id];
        uint64_t size = item->own_size, count = item->own_count;
        if (item->first_child != children || (id > 0 && (item->parent >= id || item->node == 0)))
            return false;
        for (uint32_t i = 0; i < item->child_count; i++) {
            const struct branch *child = &branches->items[branches->children[children + i]];
            if (child->parent != id)
                return false;
            size = add_capped(size, child->size);
            count = add_capped(count, child->count);
        }
        if (size != item->size || count != item->count)
            return false;
        children += item->child_count;
    }
    return children == branches->count - 1;
}
