/* groupby_cumulative: each row added to the key of each of its kept frames, by way of the tree (grouping.h).
 *
 *   own:     what the rows of a node hold             [a 1]--[b 0]--[c 5]--[d 2]
 *   subtree: own and all below, children first        [a 8]--[b 7]--[c 7]--[d 2]
 *   kept:    rows that lie `limit` frames or more     limit 2: d is beyond b's sight, c is beyond a's:
 *            below are out of sight                   [a 1]--[b 5]--[c 7]--[d 2]
 *
 * So a node costs the same however many rows it has and however deep it is. Parents have smaller ids than
 * their children. Sizes come first, then counts, in the same memory: eight bytes a node. One thread; what it maps it
 * unmaps.
 */
#include "ancestors.h"
#include "grouping.h"

#include <string.h>

struct tree {
    struct grouping *grouping;
    struct vmem *account;
    uint64_t *sums;    /* by node: of sizes, or of counts, which are numbers of entries, so they fit */
    uint64_t *carried; /* by node: the next 64 bits of sizes; NULL where all of them together fit without */
    uint32_t
        *far;     /* by node: the one that is out of its sight; NULL where no path is longer than the limit */
    uint32_t end; /* nodes that matter are below */
    bool cut;     /* a path may be longer than the limit */
};

/* A row's bytes or blocks, and what does not fit into 64 bits. */
struct amount {
    uint64_t low, high;
};
typedef struct amount (*amount_of)(const struct row *row, enum view view);

static struct amount bytes_of(const struct row *row, enum view view) {
    __extension__ unsigned __int128 product = row->size;
    if (view == VIEW_LIVE)
        product *= row->count;
    return (struct amount){(uint64_t)product, (uint64_t)(product >> 64)};
}

static struct amount blocks_of(const struct row *row, enum view view) {
    (void)view;
    return (struct amount){row->count, 0};
}

static void add_sums(struct tree *tree, uint32_t to, uint32_t from) {
    bool carry = __builtin_add_overflow(tree->sums[to], tree->sums[from], &tree->sums[to]);
    if (tree->carried != NULL)
        tree->carried[to] += tree->carried[from] + carry;
}

static void take_sums(struct tree *tree, uint32_t to, uint32_t from) {
    bool borrow = __builtin_sub_overflow(tree->sums[to], tree->sums[from], &tree->sums[to]);
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

static status see_paths(struct tree *tree) {
    const struct snapshot *snapshot = tree->grouping->snapshot;
    size_t bytes = tree->end * sizeof(uint32_t);
    uint32_t *reached = vmem_map(tree->account, bytes);
    for (struct rows rows = snapshot_rows(snapshot); reached != NULL && rows_next(&rows);)
        see_path(tree->grouping, rows.row->node, reached);
    vmem_unmap(tree->account, reached, bytes);
    return reached == NULL ? STATUS_NOMEM : STATUS_OK;
}

static void add_subtrees(struct tree *tree, amount_of amount) {
    const struct snapshot *snapshot = tree->grouping->snapshot;
    for (struct rows rows = snapshot_rows(snapshot); rows_next(&rows);) {
        struct amount own = amount(rows.row, snapshot->view);
        uint64_t *sum = &tree->sums[rows.row->node];
        own.high += __builtin_add_overflow(*sum, own.low, sum);
        if (tree->carried != NULL)
            tree->carried[rows.row->node] += own.high;
    }
    for (uint32_t id = tree->end - 1; id > 0; id--)
        add_sums(tree, node_get(tree->grouping->paths, id)->parent, id);
}

/* Takes what is out of sight away. From the oldest node on: what is taken away is still a whole subtree. */
static void cut_subtrees(struct tree *tree) {
    for (uint32_t id = 1; id < tree->end; id++)
        take_sums(tree, tree->far[id], id);
}

/* What is nothing is left out: nodes that no row sees have no group. */
static void add_to_groups(struct tree *tree, amount_of amount) {
    for (uint32_t id = 1; id < tree->end; id++) {
        bool fits = tree->carried == NULL || tree->carried[id] == 0;
        uint64_t sum = fits ? tree->sums[id] : UINT64_MAX;
        if (sum == 0)
            continue;
        uint32_t group = grouping_find_site(tree->grouping, node_get(tree->grouping->paths, id)->site);
        grouping_add(tree->grouping, group, amount == bytes_of ? sum : 0, amount == bytes_of ? 0 : sum);
    }
}

static void add_amounts(struct tree *tree, amount_of amount) {
    add_subtrees(tree, amount);
    if (tree->far != NULL)
        cut_subtrees(tree);
    add_to_groups(tree, amount);
}

/* Looks through the rows: which nodes there are, whether any path is cut, whether all bytes fit into 64 bits. */
static bool look_through(struct tree *tree) {
    const struct snapshot *snapshot = tree->grouping->snapshot;
    uint64_t bytes = 0;
    for (struct rows rows = snapshot_rows(snapshot); rows_next(&rows);) {
        const struct row *row = rows.row;
        tree->end = row->node < tree->end ? tree->end : row->node + 1;
        const uint32_t depth = node_get(tree->grouping->paths, row->node)->depth;
        tree->cut |= depth > snapshot->limit || depth == MOST_DEPTH; /* which may be more */
        bytes = add_capped(bytes, row_bytes(snapshot, row));
    }
    return bytes < UINT64_MAX;
}

status grouping_add_cumulative(struct grouping *grouping) {
    struct tree tree = {.grouping = grouping, .account = grouping->snapshot->account, .end = 1};
    bool fits = look_through(&tree);
    size_t bytes = tree.end * sizeof *tree.sums;
    status result = see_paths(&tree);
    if (result != STATUS_OK)
        return result;
    tree.sums = vmem_map(tree.account, bytes);
    tree.carried = fits ? NULL : vmem_map(tree.account, bytes);
    tree.far = tree.cut ? ancestors_new(tree.account, grouping->paths, tree.end, grouping->snapshot->limit)
                        : NULL;
    if (tree.sums == NULL || (!fits && tree.carried == NULL) || (tree.cut && tree.far == NULL))
        result = STATUS_NOMEM;
    if (result == STATUS_OK) {
        add_amounts(&tree, bytes_of);
        vmem_unmap(tree.account, tree.carried, bytes);
        tree.carried = NULL; /* of counts there is none */
        memset(tree.sums, 0, bytes);
        add_amounts(&tree, blocks_of);
    }
    vmem_unmap(tree.account, tree.sums, bytes);
    vmem_unmap(tree.account, tree.carried, bytes);
    vmem_unmap(tree.account, tree.far, tree.end * sizeof *tree.far);
    return result;
}
