/* pathorder: see pathorder.h. One thread; the snapshots are only read. */
#include "pathorder.h"

#include <string.h>

/* What a step sorts: two halves, each by its rank. */
struct entry {
    uint32_t first, second;
    uint32_t owner; /* a node, or ITEM and an item */
};

/* Nodes of both sides have less than 30 bits, items less than 31. */
#define ITEM (UINT32_C(1) << 31)

struct work {
    struct vmem *account;
    const struct snapshot *const *sides;
    const struct path_item *items;
    size_t item_count;
    uint32_t
        *tails; /* by item: the rank of what is left of it, as long as a step says; in the end of it all */
    uint32_t *cursors;         /* by item: the node that the next piece ends at */
    uint32_t starts[2], nodes; /* where each side's nodes begin; all of them */
    uint32_t *lengths;         /* by node: frames of its whole path; 0: no traceback needs it */
    uint32_t *above;           /* by node: the one 2^step above; nothing useful where paths are shorter */
    uint32_t *ranks;           /* by node: of the 2^step frames that end there */
    uint32_t longest;          /* traceback */
    bool cut;                  /* by a limit, at least one */
    struct entry *entries, *spare;
    size_t entry_count;
    uint32_t most; /* rank there is */
};

static uint32_t node_of(const struct work *work, const struct path_item *item) {
    return item->node == 0 ? 0 : work->starts[item->side] + item->node;
}

/* --- nodes --- */

static void need_nodes(struct work *work) {
    for (size_t i = 0; i < work->item_count; i++) {
        const struct path_item *item = &work->items[i];
        work->cursors[i] = node_of(work, item);
        work->lengths[work->cursors[i]] = 1;
        work->longest = item->frames > work->longest ? item->frames : work->longest;
    }
}

/* The nodes of one side, from `start` up to `end`. */
static void measure_side(struct work *work, int side, uint32_t start, uint32_t end, struct places *places) {
    const struct callpaths *paths = work->sides[side]->paths;
    for (uint32_t node = end - 1; node > start; node--) { /* callers have smaller ids */
        const struct node *here = node_get(paths, node - start);
        if (work->lengths[node] == 0)
            continue;
        work->above[node] = here->parent == 0 ? 0 : start + here->parent;
        work->lengths[work->above[node]] = 1;
        places_use(places, side, here->site);
    }
    work->lengths[0] = 0;
    for (uint32_t node = start + 1; node < end; node++)
        if (work->lengths[node] != 0)
            work->lengths[node] = work->lengths[work->above[node]] + 1;
}

static void rank_side(struct work *work, int side, uint32_t start, uint32_t end,
                      const struct places *places) {
    const struct callpaths *paths = work->sides[side]->paths;
    for (uint32_t node = start + 1; node < end; node++)
        if (work->lengths[node] != 0)
            work->ranks[node] = places->ranks[side][node_get(paths, node - start)->site] + 1;
}

static status rank_places(struct work *work) {
    struct places places;
    status result = places_init(&places, work->sides);
    if (result != STATUS_OK)
        return result;
    uint32_t second = work->starts[1];
    need_nodes(work);
    measure_side(work, 0, 0, second == 0 ? work->nodes : second, &places);
    if (second != 0)
        measure_side(work, 1, second, work->nodes, &places);
    for (size_t i = 0; i < work->item_count; i++)
        work->cut = work->cut || work->items[i].frames < work->lengths[work->cursors[i]];
    result = places_rank(&places);
    if (result == STATUS_OK) {
        rank_side(work, 0, 0, second == 0 ? work->nodes : second, &places);
        if (second != 0)
            rank_side(work, 1, second, work->nodes, &places);
        work->most = places.count;
    }
    places_fini(&places);
    return result;
}

/* --- a step: from pieces of `size` frames to those of twice as many --- */

/* Does a traceback need the piece of so many frames that ends at a node? Where no path is cut, pieces begin and end at
 * multiples of their lengths from the oldest frame on. */
static bool has_piece(const struct work *work, uint32_t node, uint32_t size) {
    return work->lengths[node] >= size && (work->cut || work->lengths[node] % size == 0);
}

static void list_entry(struct work *work, bool put, struct entry entry) {
    if (put)
        work->entries[work->entry_count] = entry;
    work->entry_count++;
}

/* Lists what is to be sorted, or only counts it. */
static void list_entries(struct work *work, uint32_t size, bool put) {
    work->entry_count = 0;
    if (2 * (uint64_t)size <= work->longest)
        for (uint32_t node = 1; node < work->nodes; node++)
            if (has_piece(work, node, 2 * size))
                list_entry(work, put,
                           (struct entry){work->ranks[work->above[node]], work->ranks[node], node});
    for (uint32_t i = 0; i < work->item_count; i++) {
        uint32_t tail = work->tails[i];
        if ((work->items[i].frames & size) != 0)
            list_entry(work, put, (struct entry){work->ranks[work->cursors[i]], tail, ITEM | i});
        else if (tail != 0)
            list_entry(work, put, (struct entry){tail, 0, ITEM | i});
    }
}

enum { DIGIT_BITS = SIZED(11, 3), DIGITS = 1 << DIGIT_BITS };

/* One digit of a radix sort: stable, ascending. */
static void sort_digit(struct work *work, size_t field, int shift) {
    uint32_t starts[DIGITS] = {0};
    const char *keys = (const char *)work->entries + field;
    for (size_t i = 0; i < work->entry_count; i++)
        starts[*(const uint32_t *)(const void *)(keys + i * sizeof(struct entry)) >> shift & (DIGITS - 1)]++;
    for (uint32_t digit = 0, before = 0; digit < DIGITS; digit++) {
        uint32_t here = starts[digit];
        starts[digit] = before;
        before += here;
    }
    for (size_t i = 0; i < work->entry_count; i++) {
        uint32_t key = *(const uint32_t *)(const void *)(keys + i * sizeof(struct entry));
        work->spare[starts[key >> shift & (DIGITS - 1)]++] = work->entries[i];
    }
    struct entry *entries = work->entries;
    work->entries = work->spare;
    work->spare = entries;
}

static void sort_entries(struct work *work) {
    for (int shift = 0; shift < 32 && work->most >> shift != 0; shift += DIGIT_BITS)
        sort_digit(work, offsetof(struct entry, second), shift);
    for (int shift = 0; shift < 32 && work->most >> shift != 0; shift += DIGIT_BITS)
        sort_digit(work, offsetof(struct entry, first), shift);
}

/* Equal pairs have equal ranks; 0 is for what is empty, which was not listed. */
static void rank_entries(struct work *work) {
    uint32_t rank = 0;
    for (size_t i = 0; i < work->entry_count; i++) {
        struct entry here = work->entries[i], before = work->entries[i == 0 ? 0 : i - 1];
        rank += i == 0 || here.first != before.first || here.second != before.second;
        if (here.owner & ITEM)
            work->tails[here.owner & ~ITEM] = rank;
        else
            work->ranks[here.owner] = rank;
    }
    work->most = rank;
}

/* Cursors go on by the piece that was taken; then all ancestors are twice as far. */
static void climb(struct work *work, uint32_t size) {
    for (size_t i = 0; i < work->item_count; i++)
        if ((work->items[i].frames & size) != 0)
            work->cursors[i] = work->above[work->cursors[i]];
    for (uint32_t node = work->nodes - 1; node > 0; node--) /* those of smaller ids are as they were */
        if (has_piece(work, node, size))
            work->above[node] = work->above[work->above[node]];
}

static status step(struct work *work, uint32_t size) {
    list_entries(work, size, false);
    size_t count = work->entry_count + 1, bytes = 2 * count * sizeof(struct entry);
    struct entry *entries = vmem_map(work->account, bytes);
    if (entries == NULL)
        return STATUS_NOMEM;
    work->entries = entries;
    work->spare = entries + count;
    list_entries(work, size, true);
    sort_entries(work);
    rank_entries(work);
    vmem_unmap(work->account, entries, bytes);
    climb(work, size);
    return STATUS_OK;
}

/* --- life --- */

static status number(struct work *work) {
    status result = rank_places(work);
    for (uint32_t size = 1; result == STATUS_OK && size != 0 && size <= work->longest; size *= 2)
        result = step(work, size);
    return result;
}

/* Ranks begin with 1, unless there is an empty traceback. */
static void finish(struct pathorder *order, const struct work *work) {
    bool empty = false;
    for (size_t i = 0; i < order->item_count; i++)
        empty = empty || order->numbers[i] == 0;
    for (size_t i = 0; i < order->item_count && !empty; i++)
        order->numbers[i]--;
    order->count = (work->longest == 0 ? 0 : work->most) + empty;
}

status pathorder_init(struct pathorder *order, const struct snapshot *const sides[2],
                      const struct path_item *items, size_t count) {
    assert(count > 0 && count < ITEM);
    bool shared = sides[1] == NULL || sides[1]->paths == sides[0]->paths;
    struct work work = {.account = sides[0]->account, .sides = sides, .items = items, .item_count = count};
    *order = (struct pathorder){.account = work.account, .item_count = count};
    work.nodes = callpaths_ends(sides[0]->paths).nodes;
    work.starts[1] = shared ? 0 : work.nodes;
    work.nodes += shared ? 0 : callpaths_ends(sides[1]->paths).nodes;
    size_t node_bytes = 3 * (size_t)work.nodes * sizeof(uint32_t), item_bytes = count * sizeof(uint32_t);
    order->numbers = work.tails = vmem_map(work.account, item_bytes);
    work.cursors = vmem_map(work.account, item_bytes);
    work.lengths = vmem_map(work.account, node_bytes);
    status result = STATUS_NOMEM;
    if (work.tails != NULL && work.cursors != NULL && work.lengths != NULL) {
        work.above = work.lengths + work.nodes;
        work.ranks = work.above + work.nodes;
        result = number(&work);
    }
    vmem_unmap(work.account, work.cursors, item_bytes);
    vmem_unmap(work.account, work.lengths, node_bytes);
    if (result == STATUS_OK)
        finish(order, &work);
    else
        pathorder_fini(order);
    return result;
}

void pathorder_fini(struct pathorder *order) {
    vmem_unmap(order->account, order->numbers, order->item_count * sizeof *order->numbers);
    memset(order, 0, sizeof *order);
}
