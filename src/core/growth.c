/* growth: see growth.h. One thread; the snapshots are only read. */
#include "growth.h"
#include "toplist.h"

#include <string.h>

/* While snapshots are noted: the columns of all but the last one, whose sizes are in the groups. */
static uint64_t *column(const struct growth *growth, size_t at) {
    return growth->sizes + at * growth->groups.count;
}

static status make_columns(struct growth *growth) {
    growth->size_bytes = (growth->groups.count * (growth->series - 1) + 1) * sizeof *growth->sizes;
    growth->sizes = vmem_map(growth->groups.snapshot->account, growth->size_bytes);
    return growth->sizes == NULL ? STATUS_NOMEM : STATUS_OK;
}

status growth_init(struct growth *growth, struct snapshot *last, size_t series, enum key key,
                   bool cumulative) {
    *growth = (struct growth){.key = key, .cumulative = cumulative, .series = series};
    assert(series >= 2);
    if (key == KEY_TRACEBACK && cumulative)
        return STATUS_INVALID;
    status result = key == KEY_TRACEBACK ? printed_init(&growth->printed, last, 0, &growth->groups)
                                         : groupby_unsorted(last, key, cumulative, &growth->groups);
    if (result == STATUS_OK && key != KEY_TRACEBACK)
        result = keyindex_init(&growth->keys, &growth->groups, key);
    return result == STATUS_OK ? make_columns(growth) : result;
}

status growth_note(struct growth *growth, struct snapshot *earlier, size_t at) {
    struct columns beside = {.sizes = column(growth, at), .only = true};
    struct groups none;
    assert(at + 1 < growth->series);
    status result = growth->key == KEY_TRACEBACK
                        ? printed_beside(&growth->printed, earlier, &beside, &none)
                        : groupby_beside(earlier, &growth->keys, growth->cumulative, &beside, &none);
    groups_fini(&none);
    return result;
}

/* --- in the end --- */

static uint64_t size_at(const struct growth *growth, size_t group, size_t at) {
    return at + 1 == growth->series ? growth->groups.items[group].size : column(growth, at)[group];
}

static bool grows(const struct growth *growth, size_t group) {
    for (size_t at = 1; at < growth->series; at++) {
        if (size_at(growth, group, at) <= size_at(growth, group, at - 1))
            return false;
    }
    return true;
}

static uint64_t growth_of(const struct growth *growth, size_t group) {
    return size_at(growth, group, growth->series - 1) - size_at(growth, group, 0);
}

static size_t count_growing(const struct growth *growth) {
    size_t count = 0;
    for (size_t i = 0; i < growth->groups.count; i++)
        count += grows(growth, i);
    return count;
}

struct sorting {
    const struct growth *growth;
    struct pathorder ranks; /* of all tracebacks; nothing where few of them are compared */
};

/* Two groups of equal growth. */
static int order_groups(const void *owner, uint64_t a_index, uint64_t b_index) {
    const struct sorting *sorting = owner;
    const struct groups *groups = &sorting->growth->groups;
    const struct group *a = &groups->items[a_index], *b = &groups->items[b_index];
    const uint32_t *ranks = sorting->ranks.numbers;
    if (ranks == NULL || a->size != b->size || a->count != b->count)
        return group_order(groups->snapshot, a, groups->snapshot, b, sorting->growth->key);
    return (ranks[a_index] < ranks[b_index]) - (ranks[a_index] > ranks[b_index]);
}

/* The first of what grows, in order, take the place of all. */
static status put_first(struct growth *growth, const struct toplist *list, size_t growing) {
    struct groups *groups = &growth->groups, sorted;
    struct vmem *account = groups->snapshot->account;
    size_t count = list->first.count, bytes = (count * growth->series + 1) * sizeof *growth->sizes;
    uint64_t *sizes = vmem_map(account, bytes);
    if (sizes == NULL)
        return STATUS_NOMEM;
    status result = groups_new(groups->snapshot, count, &sorted);
    if (result != STATUS_OK) {
        vmem_unmap(account, sizes, bytes);
        return result;
    }
    for (size_t i = 0; i < count; i++) {
        size_t group = list->first.items[i].index;
        sorted.items[i] = groups->items[group];
        for (size_t at = 0; at < growth->series; at++)
            sizes[i * growth->series + at] = size_at(growth, group, at);
    }
    vmem_unmap(account, growth->sizes, growth->size_bytes);
    groups_fini(groups);
    sorted.all = growing;
    *groups = sorted;
    growth->sizes = sizes;
    growth->size_bytes = bytes;
    return STATUS_OK;
}

status growth_sort(struct growth *growth, size_t most) {
    struct sorting sorting = {.growth = growth};
    struct toplist list;
    size_t growing = count_growing(growth);
    status result = toplist_init(&list, growth->groups.snapshot->account, growing, most, order_groups,
                                 &sorting);
    if (result == STATUS_OK && growth->key == KEY_TRACEBACK && !list.few)
        result = printed_rank(&sorting.ranks, &growth->groups, NULL);
    if (result == STATUS_OK) {
        for (size_t i = 0; i < growth->groups.count; i++) {
            if (!grows(growth, i))
                continue;
            growth->bytes += growth_of(growth, i);
            toplist_put(&list, growth_of(growth, i), i);
        }
        toplist_sort(&list);
        result = put_first(growth, &list, growing);
    }
    pathorder_fini(&sorting.ranks);
    toplist_fini(&list);
    return result;
}

void growth_fini(struct growth *growth) {
    if (growth->groups.snapshot != NULL)
        vmem_unmap(growth->groups.snapshot->account, growth->sizes, growth->size_bytes);
    printed_fini(&growth->printed);
    keyindex_fini(&growth->keys);
    groups_fini(&growth->groups);
    memset(growth, 0, sizeof *growth);
}
