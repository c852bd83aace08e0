/* diff: see diff.h. What belongs together is found by diff_join; here it is compared and sorted. Any thread; the snapshots
 * are only read. */
#include "diff.h"
#include "diff_join.h"
#include "grouping.h"
#include "sort.h"

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
        change.of_old = change.group.count == 0;
        old_size = sides->before[number][0];
        old_count = sides->before[number][1];
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
};

/* Two changes of equal |size_diff|. */
static int order_changes(const void *owner, uint64_t a_number, uint64_t b_number) {
    const struct sorting *sorting = owner;
    const struct sides *sides = sorting->sides;
    struct change a = change_at(sides, a_number), b = change_at(sides, b_number);
    int order = descending(a.group.size, b.group.size);
    if (order == 0)
        order = descending(magnitude(a.count_diff), magnitude(b.count_diff));
    if (order == 0)
        order = descending(a.group.count, b.group.count);
    if (order != 0 || sorting->key == KEY_TRACEBACK) /* tracebacks are in their order already */
        return order;
    return group_key_order((a.of_old ? &sides->gone : &sides->now)->snapshot, &a.group,
                           (b.of_old ? &sides->gone : &sides->now)->snapshot, &b.group, sorting->key);
}

/* --- the result --- */

static status take_snapshots(struct changes *changes, const struct sides *sides) {
    status result = groups_new(sides->now.snapshot, 0, &changes->now);
    return result == STATUS_OK ? groups_new(sides->gone.snapshot, 0, &changes->old) : result;
}

/* Lists what changed, or everything. */
static size_t list_changes(const struct sides *sides, bool changed_only, struct sort_item *items) {
    size_t listed = 0;
    for (size_t i = 0; i < changes_of(sides); i++) {
        struct change change = change_at(sides, i);
        if (!changed_only || change.size_diff != 0 || change.count_diff != 0)
            items[listed++] = (struct sort_item){magnitude(change.size_diff), i};
    }
    return listed;
}

static status put_changes(struct changes *changes, const struct sides *sides, const struct sort_item *items) {
    if (changes->count == 0)
        return STATUS_OK;
    changes->bytes = changes->count * sizeof *changes->items;
    changes->items = vmem_map(sides->now.snapshot->account, changes->bytes);
    if (changes->items == NULL)
        return STATUS_NOMEM;
    for (size_t i = 0; i < changes->count; i++)
        changes->items[i] = change_at(sides, items[i].index);
    return STATUS_OK;
}

static status sort_changes(struct changes *changes, const struct sides *sides, enum key key,
                           bool changed_only, size_t most) {
    struct vmem *account = sides->now.snapshot->account;
    size_t count = changes_of(sides), bytes = (2 * count + 1) * sizeof(struct sort_item);
    struct sort_item *items = vmem_map(account, bytes);
    if (items == NULL)
        return STATUS_NOMEM;
    changes->all = list_changes(sides, changed_only, items);
    changes->count = most < changes->all ? most : changes->all;
    sort_top(items, items + count, changes->all, changes->count, order_changes,
             &(struct sorting){sides, key});
    status result = put_changes(changes, sides, items);
    vmem_unmap(account, items, bytes);
    return result;
}

static status compare(struct snapshot *now, struct snapshot *old, enum key key, bool cumulative,
                      bool changed_only, size_t most, struct changes *changes) {
    struct sides sides = {.before = NULL};
    memset(changes, 0, sizeof *changes);
    if (key == KEY_TRACEBACK && cumulative)
        return STATUS_INVALID;
    status result = key == KEY_TRACEBACK ? diff_tracebacks(&sides, now, old)
                                         : diff_join(&sides, now, old, key, cumulative);
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
