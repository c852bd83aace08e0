/* branches: see branches.h. One thread makes them; the snapshot is only read. */
#include "branches.h"
#include "group_key.h"
#include "grouping.h"
#include "sort.h"

#include <string.h>

struct work {
    struct branches *branches;
    const struct callpaths *paths;
    struct sums {
        uint64_t size, count;
        uint32_t item; /* + 1; 0: in no row's path, or not made yet */
        bool needed;
    } * sums;             /* by node */
    uint32_t end;         /* nodes that matter are below */
    struct idtable index; /* items, + 1, by parent and site */
};

/* --- which nodes, and what they hold themselves --- */

static void add_rows(struct work *work, const struct snapshot *snapshot) {
    for (struct rows rows = snapshot_rows(snapshot); rows_next(&rows);) {
        const struct row *row = rows.row;
        struct sums *sums = &work->sums[row->node];
        sums->size = add_capped(sums->size, row_bytes(snapshot, row));
        sums->count = add_capped(sums->count, row->count);
        sums->needed = true;
    }
    work->sums[0].needed = true;
    for (uint32_t node = work->end - 1; node > 0; node--) { /* callers have smaller ids */
        if (work->sums[node].needed)
            work->sums[node_get(work->paths, node)->parent].needed = true;
    }
}

/* --- items --- */

static uint64_t hash_key(uint32_t parent, uint32_t site) {
    return hash_mix(hash_mix((uint64_t)parent << 32 | site));
}

static uint64_t hash_of(const void *owner, uint32_t id) {
    const struct work *work = owner;
    const struct branch *item = &work->branches->items[id - 1];
    return hash_key(item->parent, node_get(work->paths, item->node)->site);
}

/* The item of a caller and a site, made where it is not there. The table of items has room for every needed node. */
static status find_item(struct work *work, uint32_t parent, uint32_t node, uint32_t *found) {
    struct branches *branches = work->branches;
    uint32_t site = node_get(work->paths, node)->site;
    status result = idtable_reserve(&work->index, hash_of, work);
    if (result != STATUS_OK)
        return result;
    size_t slot = idtable_first(&work->index, hash_key(parent, site));
    for (uint32_t id; (id = work->index.slots[slot]) != 0; slot = idtable_next(&work->index, slot)) {
        const struct branch *item = &branches->items[id - 1];
        if (item->parent == parent && node_get(work->paths, item->node)->site == site) {
            *found = id - 1;
            return STATUS_OK;
        }
    }
    *found = branches->count++;
    branches->items[*found] = (struct branch){.node = node, .parent = parent};
    idtable_put(&work->index, slot, *found + 1);
    return STATUS_OK;
}

static void add_to_item(struct work *work, uint32_t node, uint32_t id) {
    struct branch *item = &work->branches->items[id];
    work->sums[node].item = id + 1;
    item->own_size = item->size = add_capped(item->own_size, work->sums[node].size);
    item->own_count = item->count = add_capped(item->own_count, work->sums[node].count);
}

static status make_items(struct work *work) {
    struct branches *branches = work->branches;
    branches->items[0] = (struct branch){.node = 0};
    branches->count = 1;
    add_to_item(work, 0, 0);
    for (uint32_t node = 1; node < work->end; node++) {
        uint32_t id;
        if (!work->sums[node].needed)
            continue;
        uint32_t parent = work->sums[node_get(work->paths, node)->parent].item - 1;
        status result = find_item(work, parent, node, &id);
        if (result != STATUS_OK)
            return result;
        add_to_item(work, node, id);
    }
    for (uint32_t id = branches->count - 1; id > 0; id--) {
        const struct branch *item = &branches->items[id];
        struct branch *parent = &branches->items[item->parent];
        parent->size = add_capped(parent->size, item->size);
        parent->count = add_capped(parent->count, item->count);
    }
    return STATUS_OK;
}

static size_t count_needed(const struct work *work) {
    size_t needed = 0;
    for (uint32_t node = 0; node < work->end; node++)
        needed += work->sums[node].needed;
    return needed;
}

/* --- children --- */

/* Puts the numbers of all items behind their callers' starts. */
static void list_children(struct branches *branches) {
    for (uint32_t id = 1; id < branches->count; id++)
        branches->items[branches->items[id].parent].child_count++;
    for (uint32_t id = 0, before = 0; id < branches->count; id++) {
        branches->items[id].first_child = before;
        before += branches->items[id].child_count;
        branches->items[id].child_count = 0;
    }
    for (uint32_t id = 1; id < branches->count; id++) {
        struct branch *parent = &branches->items[branches->items[id].parent];
        branches->children[parent->first_child + parent->child_count++] = id;
    }
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
    return order != 0 ? order
                      : place_order((struct place){paths, a_site->function, 0},
                                    (struct place){paths, b_site->function, 0});
}

static status sort_children(struct branches *branches) {
    uint32_t most = 1;
    for (uint32_t id = 0; id < branches->count; id++)
        most = branches->items[id].child_count > most ? branches->items[id].child_count : most;
    size_t bytes = 2 * (size_t)most * sizeof(struct sort_item);
    struct sort_item *sorted = vmem_map(branches->snapshot->account, bytes);
    if (sorted == NULL)
        return STATUS_NOMEM;
    for (uint32_t id = 0; id < branches->count; id++) {
        const struct branch *item = &branches->items[id];
        uint32_t *children = branches->children + item->first_child;
        for (uint32_t i = 0; i < item->child_count; i++)
            sorted[i] = (struct sort_item){branches->items[children[i]].size, children[i]};
        sort_items(sorted, sorted + most, item->child_count, order_items, branches);
        for (uint32_t i = 0; i < item->child_count; i++)
            children[i] = (uint32_t)sorted[i].index;
    }
    vmem_unmap(branches->snapshot->account, sorted, bytes);
    return STATUS_OK;
}

/* --- life --- */

static status make(struct work *work) {
    struct branches *branches = work->branches;
    struct vmem *account = branches->snapshot->account;
    add_rows(work, branches->snapshot);
    size_t needed = count_needed(work);
    branches->item_bytes = needed * sizeof *branches->items;
    branches->child_bytes = needed * sizeof *branches->children;
    branches->items = vmem_map(account, branches->item_bytes);
    branches->children = vmem_map(account, branches->child_bytes);
    if (branches->items == NULL || branches->children == NULL)
        return STATUS_NOMEM;
    status result = make_items(work);
    if (result != STATUS_OK)
        return result;
    list_children(branches);
    return STATUS_OK;
}

status branches_init_unsorted(struct branches *branches, struct snapshot *snapshot) {
    struct vmem *account = snapshot->account;
    struct work work = {.branches = branches, .paths = snapshot->paths, .end = 1};
    *branches = (struct branches){.snapshot = snapshot};
    snapshot_retain(snapshot);
    for (struct rows rows = snapshot_rows(snapshot); rows_next(&rows);) {
        uint32_t node = rows.row->node;
        work.end = node < work.end ? work.end : node + 1;
    }
    size_t bytes = work.end * sizeof *work.sums;
    work.sums = vmem_map(account, bytes);
    status result = work.sums == NULL ? STATUS_NOMEM : idtable_init(&work.index, account);
    if (result == STATUS_OK)
        result = make(&work);
    vmem_unmap(account, work.sums, bytes);
    idtable_fini(&work.index);
    if (result != STATUS_OK)
        branches_fini(branches);
    return result;
}

status branches_init(struct branches *branches, struct snapshot *snapshot) {
    status result = branches_init_unsorted(branches, snapshot);
    if (result == STATUS_OK && (result = sort_children(branches)) != STATUS_OK)
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
