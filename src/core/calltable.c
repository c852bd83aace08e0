/* calltable: see calltable.h. One thread makes a table; the snapshots are only read. */
#include "calltable.h"
#include "grouping.h"
#include "pathcopy.h"

#include <string.h>

struct item {
    uint32_t parent, site;
    union {
        float
            share; /* until it is chosen: the largest of all; no caller's is smaller than that of what it calls */
        uint32_t below; /* then: calls that are merged into the row behind this one */
        uint32_t row;   /* in the end: its own one of the table, or the one that it is merged into */
    };
};

/* Where an item stands among the calls that stay: what is called from here, what else the same caller calls; 0: none. */
struct link {
    uint32_t first, next;
};

/* A set of call paths that some of the snapshots have. */
struct tree {
    struct callpaths *paths;
    struct pathcopy copy; /* of its sites; not made where there is but one tree */
    uint32_t *known;      /* by node: item + 1; 0: not needed */
    uint32_t end;         /* nodes */
};

struct work {
    struct vmem *account;
    struct snapshot *const *snapshots;
    size_t count;
    bool compared;
    struct callpaths
        *paths; /* what sites are of: the only tree's, or a set that has all sites and no nodes */
    struct tree trees[CALLTABLE_MOST];
    struct tree *tree_of[CALLTABLE_MOST]; /* by snapshot */
    size_t tree_count;
    struct item *items; /* callers first */
    struct link *links; /* by item */
    uint32_t item_count;
    size_t room;          /* items there are addresses for */
    struct idset staying; /* items that stay */
    struct idtable index; /* items, + 1, by parent and site */
    bool indexed;         /* all items are in the index */
    uint32_t next;        /* the item behind the last one that was found: likely the next */
    uint64_t *sums;       /* by item: of bytes, or of blocks */
};

/* --- trees, and sites that are the same for all --- */

static status add_tree(struct work *work, size_t at) {
    struct callpaths *paths = work->snapshots[at]->paths;
    struct tree *tree = work->trees;
    while (tree->paths != NULL && tree->paths != paths)
        tree++;
    work->tree_of[at] = tree;
    if (tree->paths != NULL)
        return STATUS_OK;
    tree->paths = paths;
    tree->end = callpaths_ends(paths).nodes;
    tree->known = vmem_map(work->account, tree->end * sizeof *tree->known);
    work->tree_count++;
    return tree->known == NULL ? STATUS_NOMEM : STATUS_OK;
}

static status join_sites(struct work *work) {
    status result = STATUS_OK;
    for (size_t at = 0; at < work->count && result == STATUS_OK; at++)
        result = add_tree(work, at);
    if (result != STATUS_OK)
        return result;
    bool one = work->tree_count == 1;
    work->paths = one ? work->snapshots[0]->paths : callpaths_new(work->account);
    if (work->paths == NULL)
        return STATUS_NOMEM;
    if (one)
        callpaths_retain(work->paths);
    for (size_t i = 0; i < work->tree_count && !one && result == STATUS_OK; i++) {
        struct tree *tree = &work->trees[i];
        result = pathcopy_sites_init(&tree->copy, work->account, tree->paths, work->paths);
        if (result == STATUS_OK)
            result = pathcopy_sites(&tree->copy);
    }
    return result;
}

static status site_of(const struct work *work, struct tree *tree, uint32_t node, uint32_t *site) {
    *site = node_get(tree->paths, node)->site;
    return work->tree_count == 1 ? STATUS_OK : pathcopy_site(&tree->copy, *site, site);
}

/* --- calls --- */

static uint64_t hash_key(uint32_t parent, uint32_t site) {
    return hash_mix(hash_mix((uint64_t)parent << 32 | site));
}

static uint64_t hash_of(const void *owner, uint32_t id) {
    const struct item *item = &((const struct work *)owner)->items[id - 1];
    return hash_key(item->parent, item->site);
}

static uint32_t add_item(struct work *work, uint32_t parent, uint32_t site) {
    work->items[work->item_count] = (struct item){.parent = parent, .site = site};
    return work->item_count++;
}

static bool is_item(const struct work *work, uint32_t id, uint32_t parent, uint32_t site) {
    return work->items[id].parent == parent && work->items[id].site == site;
}

static status index_all(struct work *work) {
    idtable_fini(&work->index);
    status result = idtable_init_for(&work->index, work->account, work->item_count);
    for (uint32_t id = 1; id < work->item_count && result == STATUS_OK; id++)
        result = idtable_add(&work->index, hash_of, work, id + 1);
    work->indexed = result == STATUS_OK;
    return result;
}

static status find_item_slow(struct work *work, uint32_t parent, uint32_t site, uint32_t *found) {
    status result = work->indexed ? STATUS_OK : index_all(work);
    if (result == STATUS_OK)
        result = idtable_reserve(&work->index, hash_of, work);
    if (result != STATUS_OK)
        return result;
    size_t slot = idtable_first(&work->index, hash_key(parent, site));
    for (uint32_t id; (id = work->index.slots[slot]) != 0; slot = idtable_next(&work->index, slot)) {
        if (is_item(work, id - 1, parent, site)) {
            *found = id - 1;
            return STATUS_OK;
        }
    }
    *found = add_item(work, parent, site);
    idtable_put(&work->index, slot, *found + 1);
    return STATUS_OK;
}

/* The item of a caller and a site, made where it is not there. */
static status find_item(struct work *work, uint32_t parent, uint32_t site, uint32_t *found) {
    status result = STATUS_OK;
    if (work->next < work->item_count && is_item(work, work->next, parent, site))
        *found = work->next;
    else
        result = find_item_slow(work, parent, site, found);
    work->next = *found + 1;
    return result;
}

/* Puts 1 into `known` for every node that rows are at or below. */
static void mark_needed(struct work *work) {
    for (size_t at = 0; at < work->count; at++) {
        uint32_t *known = work->tree_of[at]->known;
        known[0] = 1;
        for (struct rows rows = snapshot_rows(work->snapshots[at]); rows_next(&rows);)
            known[rows.row->node] = 1;
    }
    work->room = 1;
    for (size_t i = 0; i < work->tree_count; i++) {
        const struct tree *tree = &work->trees[i];
        for (uint32_t node = tree->end - 1; node > 0; node--) { /* callers have smaller ids */
            if (tree->known[node] != 0) {
                tree->known[node_get(tree->paths, node)->parent] = 1;
                work->room++;
            }
        }
    }
}

/* Of what the root calls, or of all else. Where `fresh`, every node is a call that was not there. */
static status number_nodes(struct work *work, struct tree *tree, bool of_root, bool fresh) {
    for (uint32_t node = 1; node < tree->end; node++) {
        uint32_t caller = node_get(tree->paths, node)->parent, site, item = work->item_count;
        if (tree->known[node] == 0 || (caller == 0) != of_root)
            continue;
        status result = site_of(work, tree, node, &site);
        if (result == STATUS_OK && fresh)
            item = add_item(work, tree->known[caller] - 1, site);
        else if (result == STATUS_OK)
            result = find_item(work, tree->known[caller] - 1, site, &item);
        if (result != STATUS_OK)
            return result;
        tree->known[node] = item + 1;
    }
    return STATUS_OK;
}

/* Nodes below the root of the first tree: nodes elsewhere have different callers or sites, so only two of these can be
 * one call (a line that was reached at two depths), and what is called from them. Other trees are matched call by call. */
static status number_calls(struct work *work) {
    work->indexed = true; /* there are none */
    for (size_t i = 0; i < work->tree_count; i++) {
        struct tree *tree = &work->trees[i];
        uint32_t roots = 0;
        work->next = 1;
        for (uint32_t node = 1; node < tree->end; node++)
            roots += tree->known[node] != 0 && node_get(tree->paths, node)->parent == 0;
        status result = number_nodes(work, tree, true, false);
        bool fresh = i == 0 && work->item_count == roots + 1;
        work->indexed = work->indexed && !fresh;
        if (result == STATUS_OK)
            result = number_nodes(work, tree, false, fresh);
        if (result != STATUS_OK)
            return result;
    }
    return STATUS_OK;
}

static status make_items(struct work *work) {
    mark_needed(work);
    work->items = vmem_map(work->account, work->room * sizeof *work->items);
    work->item_count = 1;
    return work->items == NULL ? STATUS_NOMEM : number_calls(work);
}

/* --- which of them stay --- */

/* What there is of each call alone: its blocks, or its bytes. */
static void add_own(const struct work *work, size_t at, bool blocks, uint64_t *sums) {
    const struct snapshot *snapshot = work->snapshots[at];
    const uint32_t *known = work->tree_of[at]->known;
    memset(sums, 0, work->item_count * sizeof *sums);
    for (struct rows rows = snapshot_rows(snapshot); rows_next(&rows);) {
        const struct row *row = rows.row;
        uint64_t *own = &sums[known[row->node] - 1];
        *own = add_capped(*own, blocks ? row->count : row_bytes(snapshot, row));
    }
}

/* Adds to every caller what it calls, and notes the shares. */
static void note_shares(struct work *work) {
    uint64_t *sums = work->sums;
    for (uint32_t id = work->item_count - 1; id > 0; id--) {
        uint64_t *caller = &sums[work->items[id].parent];
        *caller = add_capped(*caller, sums[id]);
    }
    double all = sums[0] == 0 ? 1 : (double)sums[0];
    for (uint32_t id = 0; id < work->item_count; id++) {
        float share = (float)((double)sums[id] / all);
        work->items[id].share = share > work->items[id].share ? share : work->items[id].share;
    }
}

/* How much each call alone changed. Signed, so that one array will do: of 2^63 bytes or more some share is too small. */
static void add_changes(const struct work *work, size_t at, size_t old, bool blocks) {
    add_own(work, at, blocks, work->sums);
    const struct snapshot *snapshot = work->snapshots[old];
    const uint32_t *known = work->tree_of[old]->known;
    for (struct rows rows = snapshot_rows(snapshot); rows_next(&rows);)
        work->sums[known[rows.row->node] - 1] -= blocks ? rows.row->count : row_bytes(snapshot, rows.row);
    for (uint32_t id = 0; id < work->item_count; id++)
        work->sums[id] = (int64_t)work->sums[id] < 0 ? -work->sums[id] : work->sums[id];
}

/* Positive floats are in the order of their bits. */
static uint32_t bits_of(float share) {
    uint32_t bits;
    memcpy(&bits, &share, sizeof bits);
    return bits;
}

enum { DIGITS = 1 << 16 };

/* Of all items whose upper half of bits is `upper` (or of all, where it is DIGITS), how many have each digit, the upper
 * or the lower half; then the digit of the one that `*most` larger ones come before, and how many of these are left. */
static uint32_t find_digit(const struct work *work, uint32_t *digits, uint32_t upper, uint32_t *most) {
    memset(digits, 0, DIGITS * sizeof *digits);
    for (uint32_t id = 0; id < work->item_count; id++) {
        uint32_t bits = bits_of(work->items[id].share);
        if (upper == DIGITS)
            digits[bits >> 16]++;
        else if (bits >> 16 == upper)
            digits[bits & (DIGITS - 1)]++;
    }
    uint32_t digit = DIGITS - 1;
    for (; digit > 0 && digits[digit] <= *most; digit--)
        *most -= digits[digit];
    return digit;
}

static uint32_t count_staying(const struct work *work, struct calltable_cut cut) {
    uint32_t large = 0;
    for (uint32_t id = 0; id < work->item_count; id++)
        large += work->items[id].share >= cut.least;
    large = large > cut.enough ? large : cut.enough;
    return large < cut.most ? large : cut.most;
}

/* Of equal shares the callers, which come first, stay first. */
static status choose(struct work *work, uint32_t most) {
    uint32_t *digits = vmem_map(work->account, DIGITS * sizeof *digits);
    if (digits == NULL)
        return STATUS_NOMEM;
    uint32_t upper = find_digit(work, digits, DIGITS, &most);
    uint32_t least = upper << 16 | find_digit(work, digits, upper, &most);
    for (uint32_t id = 0; id < work->item_count; id++) {
        uint32_t bits = bits_of(work->items[id].share);
        if (id == 0 || bits > least || (bits == least && most > 0))
            idset_add(&work->staying, id);
        most -= bits == least && most > 0;
    }
    vmem_unmap(work->account, digits, DIGITS * sizeof *digits);
    return STATUS_OK;
}

static status cut_small(struct work *work, struct calltable_cut cut) {
    size_t half = work->compared ? work->count / 2 : 0;
    status result = idset_init(&work->staying, work->account, work->item_count);
    if (result != STATUS_OK)
        return result;
    if (work->item_count <= cut.enough && work->item_count <= cut.most) {
        for (uint32_t id = 0; id < work->item_count; id++)
            idset_add(&work->staying, id);
        return STATUS_OK;
    }
    for (int blocks = 0; blocks < 2; blocks++) {
        for (size_t at = 0; at < work->count; at++) {
            add_own(work, at, blocks != 0, work->sums);
            note_shares(work);
        }
        for (size_t at = 0; at < half; at++) {
            add_changes(work, at, half + at, blocks != 0);
            note_shares(work);
        }
    }
    return choose(work, count_staying(work, cut));
}

/* --- the table --- */

/* Lists what calls led to, counts what is merged; how many rows that makes. */
static uint32_t link_calls(struct work *work) {
    struct item *items = work->items;
    uint32_t rows = 1;
    for (uint32_t id = 0; id < work->item_count; id++)
        items[id].below = 0;
    for (uint32_t id = work->item_count - 1; id > 0; id--) { /* so that lists begin with the smallest id */
        uint32_t caller = items[id].parent;
        if (idset_has(&work->staying, id)) {
            work->links[id].next = work->links[caller].first;
            work->links[caller].first = id;
            rows += items[id].below > 0 ? 2 : 1;
        } else {
            items[caller].below += items[id].below + 1;
        }
    }
    return rows + (items[0].below > 0);
}

static status make_arrays(struct calltable *table, uint32_t rows, size_t snapshots) {
    table->bytes = rows * (3 * sizeof(uint32_t) + 2 * snapshots * sizeof(uint64_t)) + sizeof(uint64_t);
    uint64_t *numbers = vmem_map(table->account, table->bytes);
    if (numbers == NULL)
        return STATUS_NOMEM;
    for (size_t at = 0; at < snapshots; at++) {
        table->sizes[at] = numbers + 2 * at * rows;
        table->counts[at] = numbers + (2 * at + 1) * rows;
    }
    table->parents = (uint32_t *)(numbers + 2 * snapshots * rows);
    table->sites = table->parents + rows;
    table->merged = table->sites + rows;
    return STATUS_OK;
}

static uint32_t put_row(struct calltable *table, uint32_t parent, uint32_t site, uint32_t merged) {
    uint32_t row = table->count++;
    table->parents[row] = parent;
    table->sites[row] = site;
    table->merged[row] = merged;
    return row;
}

/* Down to what was called first, else on to what the same caller called next, else up. */
static void put_rows(struct work *work, struct calltable *table) {
    struct item *items = work->items;
    const struct link *links = work->links;
    uint32_t id = 0;
    while (true) {
        uint32_t below = items[id].below;
        items[id].row = 0; /* the root is its own caller */
        items[id].row = put_row(table, items[items[id].parent].row, items[id].site, 0);
        if (below > 0)
            put_row(table, items[id].row, 0, below);
        if (links[id].first != 0) {
            id = links[id].first;
            continue;
        }
        while (id != 0 && links[id].next == 0)
            id = items[id].parent;
        if (id == 0)
            break;
        id = links[id].next;
    }
    for (id = 1; id < work->item_count; id++) {
        uint32_t caller = items[id].parent;
        if (!idset_has(&work->staying, id)) /* the row behind a caller that stays */
            items[id].row = items[caller].row + idset_has(&work->staying, caller);
    }
}

static void put_numbers(const struct work *work, uint64_t *column, size_t at, bool blocks) {
    add_own(work, at, blocks, work->sums);
    for (uint32_t id = 0; id < work->item_count; id++) {
        uint64_t *number = &column[work->items[id].row];
        *number = add_capped(*number, work->sums[id]);
    }
}

/* --- life --- */

/* What only numbering needs, so that its memory serves what comes next. */
static void forget_index(struct work *work) {
    for (size_t i = 0; i < work->tree_count; i++)
        pathcopy_fini(&work->trees[i].copy);
    idtable_fini(&work->index);
    if (work->tree_count > 1 && work->paths != NULL)
        callpaths_seal(work->paths);
}

/* Sums and links are never there together: both are large. */
static void free_sums(struct work *work) {
    vmem_unmap(work->account, work->sums, work->room * sizeof *work->sums);
    work->sums = NULL;
}

static status make_sums(struct work *work) {
    work->sums = vmem_map(work->account, work->room * sizeof *work->sums);
    return work->sums == NULL ? STATUS_NOMEM : STATUS_OK;
}

static void free_links(struct work *work) {
    vmem_unmap(work->account, work->links, work->item_count * sizeof *work->links);
    work->links = NULL;
}

static status make_rows(struct work *work, struct calltable *table) {
    free_sums(work);
    work->links = vmem_map(work->account, work->item_count * sizeof *work->links);
    if (work->links == NULL)
        return STATUS_NOMEM;
    status result = make_arrays(table, link_calls(work), work->count);
    if (result == STATUS_OK)
        put_rows(work, table);
    free_links(work);
    return result == STATUS_OK ? make_sums(work) : result;
}

static status make(struct work *work, struct calltable *table, struct calltable_cut cut) {
    status result = join_sites(work);
    if (result == STATUS_OK)
        result = idtable_init(&work->index, work->account);
    if (result == STATUS_OK)
        result = make_items(work);
    forget_index(work);
    if (result == STATUS_OK)
        result = make_sums(work);
    if (result == STATUS_OK)
        result = cut_small(work, cut);
    if (result != STATUS_OK)
        return result;
    result = make_rows(work, table);
    for (size_t at = 0; at < work->count && result == STATUS_OK; at++) {
        put_numbers(work, table->sizes[at], at, false);
        put_numbers(work, table->counts[at], at, true);
    }
    if (result != STATUS_OK)
        return result;
    table->paths = work->paths;
    callpaths_retain(table->paths);
    return STATUS_OK;
}

static void give_back(struct work *work) {
    for (size_t i = 0; i < work->tree_count; i++)
        vmem_unmap(work->account, work->trees[i].known, work->trees[i].end * sizeof(uint32_t));
    vmem_unmap(work->account, work->items, work->room * sizeof *work->items);
    free_links(work);
    free_sums(work);
    if (work->staying.words != NULL)
        idset_fini(&work->staying);
    callpaths_release(work->paths);
}

status calltable_init(struct calltable *table, struct vmem *account, struct snapshot *const *snapshots,
                      size_t count, bool compared, struct calltable_cut cut) {
    struct work work = {.account = account, .snapshots = snapshots, .count = count, .compared = compared};
    assert(count > 0 && count <= CALLTABLE_MOST && (!compared || count % 2 == 0));
    *table = (struct calltable){.account = account};
    status result = make(&work, table, cut);
    give_back(&work);
    if (result != STATUS_OK)
        calltable_fini(table);
    return result;
}

void calltable_fini(struct calltable *table) {
    if (table->sizes[0] != NULL)
        vmem_unmap(table->account, table->sizes[0], table->bytes);
    callpaths_release(table->paths);
    memset(table, 0, sizeof *table);
}

bool calltable_check(const struct calltable *table) {
    if (table->count == 0 || table->parents[0] != 0 || table->sites[0] != 0 || table->merged[0] != 0)
        return false;
    for (uint32_t row = 1; row < table->count; row++) {
        uint32_t caller = table->parents[row], above = row - 1;
        if (caller >= row || table->merged[caller] != 0 || (table->merged[row] != 0 && caller != above))
            return false;
        while (above != caller &&
               above != 0) /* in preorder a row's caller is the row before, or above that one */
            above = table->parents[above];
        if (above != caller)
            return false;
    }
    return true;
}
