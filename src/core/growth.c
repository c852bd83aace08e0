/* growth: see growth.h. One thread; the snapshots are only read. */
#include "growth.h"
#include "diff.h"
#include "grouping.h"
#include "sort.h"

#include <string.h>

/* The number of groups of the new side, which come in the same order each time. */
static size_t count_of_new(const struct changes *changes) {
    size_t count = 0;
    for (size_t i = 0; i < changes->count; i++)
        count += !changes->items[i].of_old;
    return count;
}

static status reserve(struct growth *growth, struct snapshot *last, size_t groups) {
    growth->size_bytes = groups * growth->series * sizeof *growth->sizes;
    status result = groups_new(last, groups, &growth->groups);
    if (result != STATUS_OK || groups == 0)
        return result;
    growth->sizes = vmem_map(last->account, growth->size_bytes);
    return growth->sizes == NULL ? STATUS_NOMEM : STATUS_OK;
}

/* Notes the last snapshot's sizes and those of the one that it was compared with. */
static void note(struct growth *growth, const struct changes *changes, size_t which) {
    size_t group = 0;
    for (size_t i = 0; i < changes->count; i++) {
        const struct change *change = &changes->items[i];
        if (change->of_old)
            continue;
        growth->groups.items[group] = change->group;
        growth->sizes[group * growth->series + which] = change->group.size - (uint64_t)change->size_diff;
        growth->sizes[group * growth->series + growth->series - 1] = change->group.size;
        group++;
    }
}

static bool grows(const uint64_t *sizes, size_t series) {
    for (size_t i = 1; i < series; i++) {
        if (sizes[i] <= sizes[i - 1])
            return false;
    }
    return true;
}

/* Moves what grows to the front. */
static void keep_growing(struct growth *growth) {
    size_t kept = 0;
    for (size_t i = 0; i < growth->groups.count; i++) {
        const uint64_t *sizes = growth_sizes(growth, i);
        if (!grows(sizes, growth->series))
            continue;
        growth->groups.items[kept] = growth->groups.items[i];
        memmove(growth->sizes + kept * growth->series, sizes, growth->series * sizeof *sizes);
        kept++;
    }
    growth->groups.count = kept;
}

struct sorting {
    const struct groups *groups;
    enum key key;
};

/* Two groups of equal growth. */
static int order_groups(const void *owner, uint64_t a, uint64_t b) {
    const struct sorting *sorting = owner;
    const struct groups *groups = sorting->groups;
    return group_order(groups->snapshot, &groups->items[a], groups->snapshot, &groups->items[b],
                       sorting->key);
}

static status sort_growing(struct growth *growth, enum key key) {
    struct groups sorted = {0}, *groups = &growth->groups;
    struct vmem *account = groups->snapshot->account;
    size_t count = groups->count, item_bytes = 2 * count * sizeof(struct sort_item);
    struct sort_item *items = vmem_map(account, item_bytes);
    uint64_t *sizes = vmem_map(account, growth->size_bytes);
    status result = items == NULL || sizes == NULL ? STATUS_NOMEM
                                                   : groups_new(groups->snapshot, count, &sorted);
    if (result == STATUS_OK) {
        for (size_t i = 0; i < count; i++)
            items[i] = (struct sort_item){
                growth_sizes(growth, i)[growth->series - 1] - growth_sizes(growth, i)[0], i};
        sort_items(items, items + count, count, order_groups, &(struct sorting){groups, key});
        for (size_t i = 0; i < count; i++) {
            sorted.items[i] = groups->items[items[i].index];
            memcpy(sizes + i * growth->series, growth_sizes(growth, items[i].index),
                   growth->series * sizeof *sizes);
        }
        groups_fini(groups);
        *groups = sorted;
    }
    vmem_unmap(account, items, item_bytes);
    vmem_unmap(account, result == STATUS_OK ? growth->sizes : sizes, growth->size_bytes);
    if (result == STATUS_OK)
        growth->sizes = sizes;
    return result;
}

status growth_init(struct growth *growth, struct snapshot *const *series, size_t count, enum key key,
                   bool cumulative) {
    struct snapshot *last = series[count - 1];
    status result = STATUS_OK;
    *growth = (struct growth){.series = count};
    assert(count >= 2);
    for (size_t i = 0; i + 1 < count && result == STATUS_OK; i++) {
        struct changes changes;
        result = diff_unsorted(last, series[i], key, cumulative, &changes);
        if (result != STATUS_OK)
            break;
        if (i == 0)
            result = reserve(growth, last, count_of_new(&changes));
        if (result == STATUS_OK)
            note(growth, &changes, i);
        changes_fini(&changes);
    }
    if (result == STATUS_OK)
        keep_growing(growth);
    if (result == STATUS_OK && growth->groups.count > 0)
        result = sort_growing(growth, key);
    if (result != STATUS_OK)
        growth_fini(growth);
    return result;
}

void growth_fini(struct growth *growth) {
    if (growth->groups.snapshot != NULL)
        vmem_unmap(growth->groups.snapshot->account, growth->sizes, growth->size_bytes);
    groups_fini(&growth->groups);
    memset(growth, 0, sizeof *growth);
}
