/* groupby_cumulative: each row added to the key of each of its kept frames, by way of the tree (grouping.h).
 *
 *   own:     what the rows of a node hold             [a 1]--[b 0]--[c 5]--[d 2]
 *   subtree: own and all below, children first        [a 8]--[b 7]--[c 7]--[d 2]
 *   kept:    rows that lie `limit` frames or more     limit 2: d is beyond b's sight, c is beyond a's:
 *            below are out of sight                   [a 1]--[b 5]--[c 7]--[d 2]
 *
 * So a node costs the same however many rows it has and however deep it is. Parents have smaller ids than
 * their children. One thread; what it maps it unmaps.
 */
#include "grouping.h"

__extension__ typedef unsigned __int128 wide; /* cannot overflow: counts sum up to less than 2^64 entries */

struct sums {
    wide size, count;
};

struct tree {
    struct grouping *grouping;
    struct vmem *account;
    struct sums *sums; /* by node */
    uint32_t end;      /* nodes that matter are below */
    bool cut;          /* a path may be longer than the limit */
};

/* Finds the groups of a path's kept frames, so that groups appear in the order of rows and frames.
 * `reached[node]`:
 * how many frames from here on were seen to; where an earlier walk went as far, this one ends. */
static status see_path(struct grouping *grouping, uint32_t node, uint32_t *reached) {
    uint32_t slot;
    for (uint32_t left = grouping->snapshot->limit; node != 0 && left > reached[node]; left--) {
        const struct node *here = node_get(grouping->paths, node);
        status result = grouping_find_site(grouping, here->site, &slot);
        if (result != STATUS_OK)
            return result;
        reached[node] = left;
        node = here->parent;
    }
    return STATUS_OK;
}

static status add_own(struct tree *tree) {
    struct grouping *grouping = tree->grouping;
    const struct snapshot *snapshot = grouping->snapshot;
    size_t bytes = tree->end * sizeof(uint32_t);
    uint32_t *reached = vmem_map(tree->account, bytes);
    status result = reached == NULL ? STATUS_NOMEM : STATUS_OK;
    for (struct rows rows = snapshot_rows(snapshot); result == STATUS_OK && rows_next(&rows);) {
        const struct row *row = rows.row;
        struct sums *own = &tree->sums[row->node];
        own->size += snapshot->view == VIEW_LIVE ? (wide)row->size * row->count : row->size;
        own->count += row->count;
        result = see_path(grouping, row->node, reached);
    }
    vmem_unmap(tree->account, reached, bytes);
    return result;
}

static void add_subtrees(struct tree *tree) {
    for (uint32_t id = tree->end - 1; id > 0; id--) {
        const struct sums *here = &tree->sums[id];
        if (here->count == 0)
            continue;
        struct sums *parent = &tree->sums[node_get(tree->grouping->paths, id)->parent];
        parent->size += here->size;
        parent->count += here->count;
    }
}

/* far[node] becomes the ancestor `limit` steps up, 0 where there is none: by steps of 1, 2, 4, ... as the
 * limit's bits say. `step` goes from one power to the next in place, from the youngest node on, whose
 * ancestors are still old. */
static void find_ancestors(const struct tree *tree, uint32_t *step, uint32_t *far) {
    for (uint32_t id = 1; id < tree->end; id++) {
        step[id] = node_get(tree->grouping->paths, id)->parent;
        far[id] = id;
    }
    for (uint32_t left = tree->grouping->snapshot->limit; left > 0; left >>= 1) {
        for (uint32_t id = 1; (left & 1) != 0 && id < tree->end; id++)
            far[id] = step[far[id]];
        for (uint32_t id = tree->end - 1; left > 1 && id > 0; id--)
            step[id] = step[step[id]];
    }
}

/* Takes what is out of sight away. From the oldest node on: what is taken away is still a whole subtree. */
static status cut_subtrees(struct tree *tree) {
    size_t bytes = 2 * (size_t)tree->end * sizeof(uint32_t);
    uint32_t *far = vmem_map(tree->account, bytes);
    if (far == NULL)
        return STATUS_NOMEM;
    find_ancestors(tree, far + tree->end, far);
    for (uint32_t id = 1; id < tree->end; id++) {
        struct sums *ancestor = &tree->sums[far[id]];
        ancestor->size -= tree->sums[id].size;
        ancestor->count -= tree->sums[id].count;
    }
    vmem_unmap(tree->account, far, bytes);
    return STATUS_OK;
}

static uint64_t capped(wide sum) { return sum > UINT64_MAX ? UINT64_MAX : (uint64_t)sum; }

static status add_to_groups(struct tree *tree) {
    for (uint32_t id = 1; id < tree->end; id++) {
        const struct sums *sums = &tree->sums[id];
        uint32_t slot;
        if (sums->count == 0)
            continue;
        status result = grouping_find_site(tree->grouping, node_get(tree->grouping->paths, id)->site, &slot);
        if (result != STATUS_OK)
            return result;
        grouping_add(tree->grouping, slot, capped(sums->size), capped(sums->count));
    }
    return STATUS_OK;
}

status grouping_add_cumulative(struct grouping *grouping) {
    const struct snapshot *snapshot = grouping->snapshot;
    struct tree tree = {grouping, snapshot->account, NULL, 1, false};
    for (struct rows rows = snapshot_rows(snapshot); rows_next(&rows);) {
        uint32_t node = rows.row->node;
        tree.end = node < tree.end ? tree.end : node + 1;
        tree.cut |= node_get(grouping->paths, node)->depth > snapshot->limit;
    }
    size_t bytes = tree.end * sizeof *tree.sums;
    tree.sums = vmem_map(tree.account, bytes);
    if (tree.sums == NULL)
        return STATUS_NOMEM;
    status result = add_own(&tree);
    if (result == STATUS_OK) {
        add_subtrees(&tree);
        if (tree.cut)
            result = cut_subtrees(&tree);
    }
    if (result == STATUS_OK)
        result = add_to_groups(&tree);
    vmem_unmap(tree.account, tree.sums, bytes);
    return result;
}
