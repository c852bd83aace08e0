/* growth: see growth.h. One thread; the snapshots are only read. */
#include "growth.h"
#include "grouping.h"
#include "sort.h"

#include <string.h>

static uint64_t *sizes_of(struct growth *growth, size_t group) {
    return growth->sizes + group * growth->series;
}

/* --- by traceback --- */

static uint64_t hash_of(const void *owner, uint32_t id) {
    return ((const struct prints *)owner)->items[id - 1].at[0]; /* as good as random */
}

static status put_prints(struct growth *growth, const struct fingerprints *all) {
    struct prints *prints = &growth->prints;
    status result = STATUS_OK;
    for (uint32_t i = 0; i < growth->groups.count && result == STATUS_OK; i++) {
        prints->items[i] = fingerprint_of(all, growth->groups.items[i].node);
        result = idtable_add(&prints->index, hash_of, prints, i + 1);
    }
    return result;
}

static status init_prints(struct growth *growth) {
    const struct snapshot *last = growth->groups.snapshot;
    struct prints *prints = &growth->prints;
    struct fingerprints all;
    prints->places = fingerprint_places_new();
    prints->bytes = (growth->groups.count + 1) * sizeof *prints->items;
    prints->items = vmem_map(last->account, prints->bytes);
    status result = prints->items == NULL ? STATUS_NOMEM : idtable_init(&prints->index, last->account);
    if (result != STATUS_OK)
        return result;
    result = fingerprints_init(&all, last, last, prints->places);
    if (result == STATUS_OK)
        result = put_prints(growth, &all);
    fingerprints_fini(&all);
    return result;
}

/* The group with a fingerprint, or the count of them. */
static size_t find_print(const struct prints *prints, const struct fingerprint *print, size_t count) {
    size_t slot = idtable_first(&prints->index, print->at[0]);
    for (uint32_t id; (id = prints->index.slots[slot]) != 0; slot = idtable_next(&prints->index, slot))
        if (fingerprint_equal(&prints->items[id - 1], print))
            return id - 1;
    return count;
}

static status note_tracebacks(struct growth *growth, struct snapshot *earlier, size_t at) {
    struct fingerprints all;
    status result = fingerprints_init(&all, earlier, growth->groups.snapshot, growth->prints.places);
    for (struct rows rows = snapshot_rows(earlier); result == STATUS_OK && rows_next(&rows);) {
        const struct row *row = rows.row;
        struct fingerprint print = fingerprint_of(&all, row->node);
        size_t group = find_print(&growth->prints, &print, growth->groups.count);
        if (group == growth->groups.count)
            continue;
        uint64_t *size = &sizes_of(growth, group)[at];
        *size = add_capped(*size, row_bytes(earlier, row));
    }
    fingerprints_fini(&all);
    return result;
}

/* --- by other keys --- */

static status note_groups(struct growth *growth, struct snapshot *earlier, size_t at) {
    struct keysearch search = {.index = NULL};
    struct groups groups;
    status result = groupby_unsorted(earlier, growth->key, growth->cumulative, &groups);
    if (result == STATUS_OK)
        result = keysearch_init(&search, &growth->keys, earlier);
    for (size_t i = 0; i < groups.count && result == STATUS_OK; i++) {
        size_t group = keysearch_find(&search, &groups.items[i]);
        if (group < growth->groups.count)
            sizes_of(growth, group)[at] = groups.items[i].size;
    }
    keysearch_fini(&search);
    groups_fini(&groups);
    return result;
}

/* --- the series --- */

status growth_init(struct growth *growth, struct snapshot *last, size_t series, enum key key,
                   bool cumulative) {
    *growth = (struct growth){.key = key, .cumulative = cumulative, .series = series};
    assert(series >= 2);
    if (key == KEY_TRACEBACK && cumulative)
        return STATUS_INVALID;
    status result = key == KEY_TRACEBACK ? groupby_traceback(last, &growth->groups)
                                         : groupby_unsorted(last, key, cumulative, &growth->groups);
    if (result != STATUS_OK)
        return result;
    growth->size_bytes = (growth->groups.count * series + 1) * sizeof *growth->sizes;
    growth->sizes = vmem_map(last->account, growth->size_bytes);
    if (growth->sizes == NULL)
        return STATUS_NOMEM;
    for (size_t i = 0; i < growth->groups.count; i++)
        sizes_of(growth, i)[series - 1] = growth->groups.items[i].size;
    return key == KEY_TRACEBACK ? init_prints(growth) : keyindex_init(&growth->keys, &growth->groups, key);
}

status growth_note(struct growth *growth, struct snapshot *earlier, size_t at) {
    assert(at + 1 < growth->series);
    return growth->key == KEY_TRACEBACK ? note_tracebacks(growth, earlier, at)
                                        : note_groups(growth, earlier, at);
}

static bool grows(const uint64_t *sizes, size_t series) {
    for (size_t i = 1; i < series; i++) {
        if (sizes[i] <= sizes[i - 1])
            return false;
    }
    return true;
}

static uint64_t growth_of(const struct growth *growth, size_t group) {
    const uint64_t *sizes = growth_sizes(growth, group);
    return sizes[growth->series - 1] - sizes[0];
}

/* Moves what grows to the front. */
static void keep_growing(struct growth *growth) {
    size_t kept = 0;
    for (size_t i = 0; i < growth->groups.count; i++) {
        const uint64_t *sizes = growth_sizes(growth, i);
        if (!grows(sizes, growth->series))
            continue;
        growth->bytes += growth_of(growth, i);
        growth->groups.items[kept] = growth->groups.items[i];
        memmove(sizes_of(growth, kept), sizes, growth->series * sizeof *sizes);
        kept++;
    }
    growth->groups.count = growth->groups.all = kept;
}

/* Two groups of equal growth. */
static int order_groups(const void *owner, uint64_t a_index, uint64_t b_index) {
    const struct growth *growth = owner;
    const struct snapshot *last = growth->groups.snapshot;
    const struct group *a = &growth->groups.items[a_index], *b = &growth->groups.items[b_index];
    if (growth->key != KEY_TRACEBACK)
        return group_order(last, a, last, b, growth->key);
    if (a->size != b->size) /* tracebacks are in their order already */
        return a->size < b->size ? 1 : -1;
    return a->count == b->count ? 0 : a->count < b->count ? 1 : -1;
}

/* The first `most`, in order, take the place of all. */
static void put_first(struct growth *growth, struct groups *sorted, uint64_t *sizes,
                      const struct sort_item *items) {
    struct groups *groups = &growth->groups;
    size_t each = growth->series * sizeof *sizes;
    sorted->all = groups->count;
    for (size_t i = 0; i < sorted->count; i++) {
        sorted->items[i] = groups->items[items[i].index];
        memcpy(sizes + i * growth->series, growth_sizes(growth, items[i].index), each);
    }
    vmem_unmap(groups->snapshot->account, growth->sizes, growth->size_bytes);
    groups_fini(groups);
    *groups = *sorted;
    growth->sizes = sizes;
    growth->size_bytes = (sorted->count * growth->series + 1) * sizeof *sizes;
}

status growth_sort(struct growth *growth, size_t most) {
    struct vmem *account = growth->groups.snapshot->account;
    struct groups sorted = {0};
    keep_growing(growth);
    size_t count = growth->groups.count, item_bytes = (2 * count + 1) * sizeof(struct sort_item);
    size_t kept = most < count ? most : count;
    size_t bytes = (kept * growth->series + 1) * sizeof *growth->sizes;
    struct sort_item *items = vmem_map(account, item_bytes);
    uint64_t *sizes = vmem_map(account, bytes);
    status result = items == NULL || sizes == NULL ? STATUS_NOMEM
                                                   : groups_new(growth->groups.snapshot, kept, &sorted);
    if (result == STATUS_OK) {
        for (size_t i = 0; i < count; i++)
            items[i] = (struct sort_item){growth_of(growth, i), i};
        sort_top(items, items + count, count, kept, order_groups, growth);
        put_first(growth, &sorted, sizes, items);
    } else {
        vmem_unmap(account, sizes, bytes);
    }
    vmem_unmap(account, items, item_bytes);
    return result;
}

void growth_fini(struct growth *growth) {
    if (growth->groups.snapshot != NULL) {
        struct vmem *account = growth->groups.snapshot->account;
        vmem_unmap(account, growth->sizes, growth->size_bytes);
        vmem_unmap(account, growth->prints.items, growth->prints.bytes);
        idtable_fini(&growth->prints.index);
        keyindex_fini(&growth->keys);
    }
    groups_fini(&growth->groups);
    memset(growth, 0, sizeof *growth);
}
