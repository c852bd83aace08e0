/* diff: see diff.h. What belongs together is found by diff_join; here it is sorted. Any thread; the snapshots are
 * only read. */
#include "diff.h"
#include "diff_join.h"
#include "grouping.h"
#include "sort.h"

#include <string.h>

/* --- changes --- */

static int64_t difference(uint64_t now, uint64_t old) {
    uint64_t distance = now > old ? now - old : old - now;
    int64_t capped = distance > INT64_MAX ? INT64_MAX : (int64_t)distance;
    return now > old ? capped : -capped;
}

void change_set(struct change *change, const struct group *now, const struct group *old) {
    static const struct group nothing = {0};
    change->group = now != NULL ? *now : *old;
    change->of_old = now == NULL;
    if (now == NULL) {
        change->group.size = change->group.count = 0;
        now = &nothing;
    }
    if (old == NULL)
        old = &nothing;
    change->size_diff = difference(now->size, old->size);
    change->count_diff = difference(now->count, old->count);
}

status changes_reserve(struct changes *changes, size_t most) {
    changes->bytes = most * sizeof *changes->items;
    if (most == 0)
        return STATUS_OK;
    changes->items = vmem_map(changes->now.snapshot->account, changes->bytes);
    return changes->items == NULL ? STATUS_NOMEM : STATUS_OK;
}

void changes_fini(struct changes *changes) {
    if (changes->now.snapshot != NULL)
        vmem_unmap(changes->now.snapshot->account, changes->items, changes->bytes);
    groups_fini(&changes->now);
    groups_fini(&changes->old);
    memset(changes, 0, sizeof *changes);
}

/* --- sorting --- */

static uint64_t magnitude(int64_t number) { return (uint64_t)(number < 0 ? -number : number); }

/* What changes are sorted by before the key decides, the last of these first. */
enum { BY_COUNT, BY_COUNT_DIFF, BY_SIZE, BY_SIZE_DIFF, NUMBERS };

static uint64_t number_of(const struct change *change, int which) {
    switch (which) {
    case BY_COUNT:
        return change->group.count;
    case BY_COUNT_DIFF:
        return magnitude(change->count_diff);
    case BY_SIZE:
        return change->group.size;
    default:
        return magnitude(change->size_diff);
    }
}

struct sorting {
    const struct changes *changes;
    enum key key;
};

static const struct snapshot *side_of(const struct changes *changes, const struct change *change) {
    return (change->of_old ? &changes->old : &changes->now)->snapshot;
}

/* Two changes of equal |size_diff|. */
static int order_changes(const void *owner, uint64_t a_index, uint64_t b_index) {
    const struct sorting *sorting = owner;
    const struct changes *changes = sorting->changes;
    const struct change *a = &changes->items[a_index], *b = &changes->items[b_index];
    for (int which = BY_SIZE; which >= BY_COUNT; which--) {
        uint64_t left = number_of(a, which), right = number_of(b, which);
        if (left != right)
            return left < right ? 1 : -1;
    }
    return group_key_order(side_of(changes, a), &a->group, side_of(changes, b), &b->group, sorting->key);
}

static void find_order(const struct changes *changes, enum key key, struct sort_item *items) {
    size_t count = changes->count;
    struct sort_item *spare = items + count;
    for (size_t i = 0; i < count; i++)
        items[i] = (struct sort_item){number_of(&changes->items[i], BY_SIZE_DIFF), i};
    if (key != KEY_TRACEBACK) {
        sort_items(items, spare, count, order_changes, &(struct sorting){changes, key});
        return;
    }
    /* tracebacks are in their order already */
    for (int which = BY_COUNT; which < NUMBERS; which++) {
        for (size_t i = 0; i < count; i++)
            items[i].rank = number_of(&changes->items[items[i].index], which);
        sort_items(items, spare, count, NULL, NULL);
    }
}

static status sort_changes(struct changes *changes, enum key key) {
    struct vmem *account = changes->now.snapshot->account;
    size_t item_bytes = 2 * changes->count * sizeof(struct sort_item);
    struct sort_item *items = vmem_map(account, item_bytes);
    struct change *sorted = vmem_map(account, changes->bytes);
    status result = items == NULL || sorted == NULL ? STATUS_NOMEM : STATUS_OK;
    if (result == STATUS_OK) {
        find_order(changes, key, items);
        for (size_t i = 0; i < changes->count; i++)
            sorted[i] = changes->items[items[i].index];
    }
    vmem_unmap(account, items, item_bytes);
    vmem_unmap(account, result == STATUS_OK ? changes->items : sorted, changes->bytes);
    if (result == STATUS_OK)
        changes->items = sorted;
    return result;
}

/* --- both sides --- */

static status diff_by_traceback(struct snapshot *now, struct snapshot *old, struct changes *changes) {
    status result = groups_new(now, 0, &changes->now);
    if (result == STATUS_OK)
        result = groups_new(old, 0, &changes->old);
    return result == STATUS_OK ? diff_tracebacks(changes, now, old) : result;
}

static status diff_by_key(struct snapshot *now, struct snapshot *old, enum key key, bool cumulative,
                          struct changes *changes) {
    status result = groupby_unsorted(now, key, cumulative, &changes->now);
    if (result == STATUS_OK)
        result = groupby_unsorted(old, key, cumulative, &changes->old);
    return result == STATUS_OK ? diff_join(changes, key) : result;
}

status diff_unsorted(struct snapshot *now, struct snapshot *old, enum key key, bool cumulative,
                     struct changes *changes) {
    memset(changes, 0, sizeof *changes);
    if (key == KEY_TRACEBACK && cumulative)
        return STATUS_INVALID;
    status result = key == KEY_TRACEBACK ? diff_by_traceback(now, old, changes)
                                         : diff_by_key(now, old, key, cumulative, changes);
    if (result != STATUS_OK)
        changes_fini(changes);
    return result;
}

status diff(struct snapshot *now, struct snapshot *old, enum key key, bool cumulative,
            struct changes *changes) {
    status result = diff_unsorted(now, old, key, cumulative, changes);
    if (result == STATUS_OK && changes->count > 0)
        result = sort_changes(changes, key);
    if (result != STATUS_OK)
        changes_fini(changes);
    return result;
}
