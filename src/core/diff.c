/* diff: see diff.h. What belongs together is found by diff_join; here it is compared and sorted. Any thread; the snapshots
 * are only read. */
#include "diff.h"
#include "diff_join.h"
#include "printed.h"
#include "toplist.h"

#include <string.h>

/* --- changes, by number: first what is now, then what is gone --- */

static int64_t difference(uint64_t now, uint64_t old) {
    uint64_t distance = now > old ? now - old : old - now;
    int64_t capped = distance > INT64_MAX ? INT64_MAX : (int64_t)distance;
    return now > old ? capped : -capped;
}

static struct change change_at(const struct sides *sides, uint64_t number) {
    struct change change = {.of_old = true};
    uint64_t old_size, old_count;
    if (number < sides->now.count) {
        change.group = sides->now.items[number];
        change.of_old = false;
        old_size = sides->old_sizes[number];
        old_count = sides->old_counts[number];
    } else {
        change.group = sides->gone.items[number - sides->now.count];
        old_size = change.group.size;
        old_count = change.group.count;
        change.group.size = change.group.count = 0;
    }
    change.size_diff = difference(change.group.size, old_size);
    change.count_diff = difference(change.group.count, old_count);
    return change;
}

static size_t changes_of(const struct sides *sides) { return sides->now.count + sides->gone.count; }

/* --- sorting --- */

static uint64_t magnitude(int64_t number) { return (uint64_t)(number < 0 ? -number : number); }

static int descending(uint64_t a, uint64_t b) { return (a < b) - (a > b); }

struct sorting {
    const struct sides *sides;
    enum key key;
    struct pathorder ranks; /* of all tracebacks; nothing where few of them are compared */
};

static int order_keys(const struct sorting *sorting, const struct change *a, uint64_t a_number,
                      const struct change *b, uint64_t b_number) {
    const struct sides *sides = sorting->sides;
    if (sorting->ranks.numbers != NULL)
        return descending(sorting->ranks.numbers[a_number], sorting->ranks.numbers[b_number]);
    return group_key_order((a->of_old ? &sides->gone : &sides->now)->snapshot, &a->group,
                           (b->of_old ? &sides->gone : &sides->now)->snapshot, &b->group, sorting->key);
}

/* Two changes of equal |size_diff|. */
static int order_changes(const void *owner, uint64_t a_number, uint64_t b_number) {
    const struct sorting *sorting = owner;
    struct change a = change_at(sorting->sides, a_number), b = change_at(sorting->sides, b_number);
    int order = descending(a.group.size, b.group.size);
    if (order == 0)
        order = descending(magnitude(a.count_diff), magnitude(b.count_diff));
    if (order == 0)
        order = descending(a.group.count, b.group.count);
    return order != 0 ? order : order_keys(sorting, &a, a_number, &b, b_number);
}

/* --- the result --- */

static status take_snapshots(struct changes *changes, const struct sides *sides) {
    status result = groups_new(sides->now.snapshot, 0, &changes->now);
    return result == STATUS_OK ? groups_new(sides->gone.snapshot, 0, &changes->old) : result;
}

/* Lists what changed, or everything; how many that are. */
static size_t list_changes(const struct sides *sides, bool changed_only, struct toplist *list) {
    size_t listed = 0;
    for (size_t i = 0; i < changes_of(sides); i++) {
        struct change change = change_at(sides, i);
        if (!changed_only || change.size_diff != 0 || change.count_diff != 0) {
            toplist_put(list, magnitude(change.size_diff), i);
            listed++;
        }
    }
    return listed;
}

static status put_changes(struct changes *changes, const struct sides *sides, const struct toplist *list) {
    changes->count = list->first.count;
    if (changes->count == 0)
        return STATUS_OK;
    changes->bytes = changes->count * sizeof *changes->items;
    changes->items = vmem_map(sides->now.snapshot->account, changes->bytes);
    if (changes->items == NULL)
        return STATUS_NOMEM;
    for (size_t i = 0; i < changes->count; i++)
        changes->items[i] = change_at(sides, list->first.items[i].index);
    return STATUS_OK;
}

static status sort_changes(struct changes *changes, const struct sides *sides, enum key key,
                           bool changed_only, size_t most) {
    struct vmem *account = sides->now.snapshot->account;
    struct sorting sorting = {.sides = sides, .key = key};
    struct toplist list;
    status result = toplist_init(&list, account, changes_of(sides), most, order_changes, &sorting);
    if (result == STATUS_OK && key == KEY_TRACEBACK && !list.few)
        result = printed_rank(&sorting.ranks, &sides->now, &sides->gone);
    if (result == STATUS_OK) {
        changes->all = list_changes(sides, changed_only, &list);
        toplist_sort(&list);
        result = put_changes(changes, sides, &list);
    }
    pathorder_fini(&sorting.ranks);
    toplist_fini(&list);
    return result;
}

static status compare(struct snapshot *now, struct snapshot *old, enum key key, bool cumulative,
                      bool changed_only, size_t most, struct changes *changes) {
    struct sides sides = {.old_sizes = NULL};
    memset(changes, 0, sizeof *changes);
    if (key == KEY_TRACEBACK && cumulative)
        return STATUS_INVALID;
    status result = diff_join(&sides, now, old, key, cumulative);
    if (result == STATUS_OK)
        result = take_snapshots(changes, &sides);
    if (result == STATUS_OK)
        result = sort_changes(changes, &sides, key, changed_only, most);
    sides_fini(&sides);
    if (result != STATUS_OK)
        changes_fini(changes);
    return result;
}

status diff(struct snapshot *now, struct snapshot *old, enum key key, bool cumulative,
            struct changes *changes) {
    return compare(now, old, key, cumulative, false, SIZE_MAX, changes);
}

status diff_top(struct snapshot *now, struct snapshot *old, enum key key, bool cumulative, size_t most,
                struct changes *changes) {
    return compare(now, old, key, cumulative, true, most, changes);
}

void changes_fini(struct changes *changes) {
    if (changes->now.snapshot != NULL)
        vmem_unmap(changes->now.snapshot->account, changes->items, changes->bytes);
    groups_fini(&changes->now);
    groups_fini(&changes->old);
    memset(changes, 0, sizeof *changes);
}
