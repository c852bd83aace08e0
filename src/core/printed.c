/* printed: see printed.h. One thread; the snapshots are only read. */
#include "printed.h"

#include <string.h>

static uint64_t hash_of(const void *owner, uint32_t id) {
    return hash_mix(((const struct printed *)owner)->prints[id - 1].at[0]);
}

/* One snapshot on its way through. */
struct pass {
    struct printed *printed;
    const struct columns *columns; /* NULL: of the first snapshot */
    struct groups *groups;         /* its own, with room for all that may come */
    size_t first;                  /* the number of the first of them */
};

static size_t place_print(struct pass *pass, const struct fingerprint *print, const struct row *row) {
    struct printed *printed = pass->printed;
    struct idtable *index = &printed->index;
    size_t slot = idtable_first(index, hash_mix(print->at[0]));
    for (uint32_t id; (id = idtable_at(index, slot)) != 0; slot = idtable_next(index, slot))
        if (fingerprint_equal(&printed->prints[id - 1], print))
            return id - 1;
    if (pass->columns != NULL && pass->columns->only)
        return GROUP_NOWHERE;
    pass->groups->items[pass->groups->count++] = (struct group){
        .node = row->node, .depth = row->depth, .frames = (uint32_t)print->frames};
    printed->prints[printed->count++] = *print;
    idtable_put(index, slot, (uint32_t)printed->count);
    return printed->count - 1;
}

static void add_row(struct pass *pass, size_t number, const struct row *row, uint64_t bytes) {
    if (number >= pass->first) {
        if (number != GROUP_NOWHERE)
            group_add(&pass->groups->items[number - pass->first], bytes, row->count);
        return;
    }
    columns_add(pass->columns, number, bytes, row->count);
}

static status add_rows(struct pass *pass, const struct snapshot *snapshot, const struct fingerprints *all) {
    const struct row *last = NULL;
    size_t number = 0;
    for (struct rows rows = snapshot_rows(snapshot); rows_next(&rows);) {
        const struct row *row = rows.row;
        if (last == NULL || row->node != last->node) {
            struct fingerprint print = fingerprint_of(all, row->node);
            status result = idtable_reserve(&pass->printed->index, hash_of, pass->printed);
            if (result != STATUS_OK)
                return result;
            number = place_print(pass, &print, row);
        }
        last = row;
        add_row(pass, number, row, row_bytes(snapshot, row));
    }
    return STATUS_OK;
}

static status group(struct printed *printed, struct snapshot *snapshot, const struct columns *columns,
                    struct groups *groups) {
    struct pass pass = {printed, columns, groups, printed->count};
    struct fingerprints all = {.account = NULL};
    status result = groups_new(snapshot, printed->most - printed->count, groups);
    groups->count = 0;
    if (result == STATUS_OK)
        result = fingerprints_init(&all, snapshot, printed->first, printed->places);
    if (result == STATUS_OK)
        result = add_rows(&pass, snapshot, &all);
    if (all.account != NULL)
        fingerprints_fini(&all);
    groups->all = groups->count;
    if (result == STATUS_OK)
        groups->bytes = vmem_trim(snapshot->account, groups->items, groups->bytes,
                                  groups->count * sizeof *groups->items);
    return result;
}

static size_t most_groups(const struct snapshot *snapshot) {
    size_t nodes = callpaths_ends(snapshot->paths).nodes;
    return snapshot->row_count < nodes ? snapshot->row_count : nodes;
}

status printed_init(struct printed *printed, struct snapshot *first, size_t more, struct groups *groups) {
    size_t most = most_groups(first);
    *printed = (struct printed){.first = first, .most = most + more};
    printed->places = fingerprint_places_new();
    printed->prints = vmem_map(first->account, (printed->most + 1) * sizeof *printed->prints);
    memset(groups, 0, sizeof *groups);
    if (printed->prints == NULL)
        return STATUS_NOMEM;
    status result = idtable_init_for(&printed->index, first->account, most);
    return result == STATUS_OK ? group(printed, first, NULL, groups) : result;
}

status printed_beside(struct printed *printed, struct snapshot *other, const struct columns *columns,
                      struct groups *groups) {
    return group(printed, other, columns, groups);
}

void printed_fini(struct printed *printed) {
    if (printed->first != NULL)
        vmem_unmap(printed->first->account, printed->prints, (printed->most + 1) * sizeof *printed->prints);
    idtable_fini(&printed->index);
    memset(printed, 0, sizeof *printed);
}

/* --- their order --- */

static struct path_item *list_paths(struct path_item *items, const struct groups *groups, uint32_t side) {
    for (size_t i = 0; i < groups->count; i++)
        *items++ = (struct path_item){groups->items[i].node, groups->items[i].frames, side};
    return items;
}

status printed_rank(struct pathorder *order, const struct groups *now, const struct groups *gone) {
    const struct snapshot *sides[2] = {now->snapshot, gone == NULL ? NULL : gone->snapshot};
    size_t count = now->count + (gone == NULL ? 0 : gone->count),
           bytes = (count + 1) * sizeof(struct path_item);
    struct vmem *account = now->snapshot->account;
    memset(order, 0, sizeof *order);
    if (count == 0)
        return STATUS_OK;
    struct path_item *items = vmem_map(account, bytes);
    if (items == NULL)
        return STATUS_NOMEM;
    struct path_item *end = list_paths(items, now, 0);
    if (gone != NULL)
        (void)list_paths(end, gone, 1);
    status result = pathorder_init(order, sides, items, count);
    vmem_unmap(account, items, bytes);
    return result;
}
