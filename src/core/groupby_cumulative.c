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
#include "ancestors.h"
#include "grouping.h"

/* A sum of all counts is a number of entries, so it fits. */
struct sums {
    uint64_t size, count;
};

struct tree {
    struct grouping *grouping;
    struct vmem *account;
    struct sums *sums; /* by node */
    uint64_t *carried; /* by node: the next 64 bits of `size`; NULL where all sizes together fit without */
    uint32_t end;      /* nodes that matter are below */
    bool cut;          /* a path may be longer than the limit */
};

static void add_sums(struct tree *tree, uint32_t to, uint32_t from) {
    bool carry = __builtin_add_overflow(tree->sums[to].size, tree->sums[from].size, &tree->sums[to].size);
    tree->sums[to].count += tree->sums[from].count;
    if (tree->carried != NULL)
        tree->carried[to] += tree->carried[from] + carry;
}

static void take_sums(struct tree *tree, uint32_t to, uint32_t from) {
    bool borrow = __builtin_sub_overflow(tree->sums[to].size, tree->sums[from].size, &tree->sums[to].size);
    tree->sums[to].count -= tree->sums[from].count;
    if (tree->carried != NULL)
        tree->carried[to] -= tree->carried[from] + borrow;
}

/* Finds the groups of a path's kept frames, so that groups appear in the order of rows and frames.
 * `reached[node]`:
 * how many frames from here on were seen to; where an earlier walk went as far, this one ends. */
static void see_path(struct grouping *grouping, uint32_t node, uint32_t *reached) {
    for (uint32_t left = grouping->snapshot->limit; node != 0 && left > reached[node]; left--) {
        const struct node *here = node_get(grouping->paths, node);
        (void)grouping_find_site(grouping, here->site);
        reached[node] = left;
        node = here->parent;
    }
}

static void add_row(struct tree *tree, const struct row *row) {
    struct sums *own = &tree->sums[row->node];
    uint64_t bytes = row->size, high = 0;
    if (tree->grouping->snapshot->view == VIEW_LIVE) {
        __extension__ unsigned __int128 product = (unsigned __int128)row->size * row->count;
        bytes = (uint64_t)product;
        high = (uint64_t)(product >> 64);
    }
    high += __builtin_add_overflow(own->size, bytes, &own->size);
    own->count += row->count;
    if (tree->carried != NULL)
        tree->carried[row->node] += high;
}

static status see_paths(struct tree *tree) {
    const struct snapshot *snapshot = tree->grouping->snapshot;
    size_t bytes = tree->end * sizeof(uint32_t);
    uint32_t *reached = vmem_map(tree->account, bytes);
    for (struct rows rows = snapshot_rows(snapshot); reached != NULL && rows_next(&rows);)
        see_path(tree->grouping, rows.row->node, reached);
    vmem_unmap(tree->account, reached, bytes);
    return reached == NULL ? STATUS_NOMEM : STATUS_OK;
}

static void add_subtrees(struct tree *tree) {
    const struct snapshot *snapshot = tree->grouping->snapshot;
    for (struct rows rows = snapshot_rows(snapshot); rows_next(&rows);)
        add_row(tree, rows.row);
    for (uint32_t id = tree->end - 1; id > 0; id--) {
        if (tree->sums[id].count > 0)
            add_sums(tree, node_get(tree->grouping->paths, id)->parent, id);
    }
}

/* Takes what is out of sight away. From the oldest node on: what is taken away is still a whole subtree. */
static status cut_subtrees(struct tree *tree) {
    uint32_t *far = ancestors_new(tree->account, tree->grouping->paths, tree->end,
                                  tree->grouping->snapshot->limit);
    if (far == NULL)
        return STATUS_NOMEM;
    for (uint32_t id = 1; id < tree->end; id++)
        take_sums(tree, far[id], id);
    vmem_unmap(tree->account, far, tree->end * sizeof *far);
    return STATUS_OK;
}

static void add_to_groups(struct tree *tree) {
    for (uint32_t id = 1; id < tree->end; id++) {
        const struct sums *sums = &tree->sums[id];
        if (sums->count == 0)
            continue;
        bool fits = tree->carried == NULL || tree->carried[id] == 0;
        uint32_t group = grouping_find_site(tree->grouping, node_get(tree->grouping->paths, id)->site);
        grouping_add(tree->grouping, group, fits ? sums->size : UINT64_MAX, sums->count);
    }
}

/* Looks through the rows: which nodes there are, whether any path is cut, whether all bytes fit into 64 bits. */
static bool look_through(struct tree *tree) {
    const struct snapshot *snapshot = tree->grouping->snapshot;
    uint64_t bytes = 0;
    for (struct rows rows = snapshot_rows(snapshot); rows_next(&rows);) {
        const struct row *row = rows.row;
        tree->end = row->node < tree->end ? tree->end : row->node + 1;
        tree->cut |= node_get(tree->grouping->paths, row->node)->depth > snapshot->limit;
        bytes = add_capped(bytes, row_bytes(snapshot, row));
    }
    return bytes < UINT64_MAX;
}

status grouping_add_cumulative(struct grouping *grouping) {
    struct tree tree = {.grouping = grouping, .account = grouping->snapshot->account, .end = 1};
    bool fits = look_through(&tree);
    size_t bytes = tree.end * sizeof *tree.sums, carried_bytes = tree.end * sizeof *tree.carried;
    status result = see_paths(&tree);
    if (result != STATUS_OK)
        return result;
    tree.sums = vmem_map(tree.account, bytes);
    tree.carried = fits ? NULL : vmem_map(tree.account, carried_bytes);
    if (tree.sums == NULL || (!fits && tree.carried == NULL))
        result = STATUS_NOMEM;
    if (result == STATUS_OK) {
        add_subtrees(&tree);
        if (tree.cut)
            result = cut_subtrees(&tree);
    }
    if (result == STATUS_OK)
        add_to_groups(&tree);
    vmem_unmap(tree.account, tree.sums, bytes);
    vmem_unmap(tree.account, tree.carried, carried_bytes);
    return result;
}
