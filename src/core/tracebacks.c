/* tracebacks: see tracebacks.h. One thread; the snapshots are only read. */
#include "tracebacks.h"

#include <string.h>

/* --- every node that rows have, once --- */

/* The number of frames of a node's whole path. `lengths[node]` remembers (0: not yet), so that each node is
 * walked over once, whatever the number of paths through it. */
static uint32_t path_length(const struct callpaths *paths, uint32_t node, uint32_t *lengths) {
    uint32_t steps = 0, known = node;
    for (; known != 0 && lengths[known] == 0; known = node_get(paths, known)->parent)
        steps++;
    uint32_t length = steps + (known == 0 ? 0 : lengths[known]);
    for (uint32_t here = node, left = length; here != known; here = node_get(paths, here)->parent)
        lengths[here] = left--;
    return length;
}

/* Until items are ranked, numbers are those of their first appearance. */
static status collect(struct tracebacks *self, int side) {
    const struct snapshot *snapshot = self->sides[side];
    size_t bytes = self->ends[side] * sizeof(uint32_t);
    uint32_t *lengths = vmem_map(self->account, bytes);
    if (lengths == NULL)
        return STATUS_NOMEM;
    for (struct rows rows = snapshot_rows(snapshot); rows_next(&rows);) {
        uint32_t node = rows.row->node;
        if (self->numbers[side][node] != 0)
            continue;
        uint32_t length = path_length(snapshot->paths, node, lengths);
        uint32_t frames = length < snapshot->limit ? length : snapshot->limit;
        self->items[self->count++] = (struct path_item){node, frames, (uint32_t)side};
        self->numbers[side][node] = (uint32_t)self->count;
    }
    vmem_unmap(self->account, lengths, bytes);
    return STATUS_OK;
}

/* --- in order --- */

/* Items by number, each content once: the first one that was met. */
static void put_in_order(struct tracebacks *self, const struct pathorder *order, struct path_item *sorted) {
    for (size_t i = self->count; i > 0; i--)
        sorted[order->numbers[i - 1]] = self->items[i - 1];
    for (size_t i = 0; i < self->count; i++) {
        const struct path_item *item = &self->items[i];
        self->numbers[item->side][item->node] = order->numbers[i] + 1;
    }
    self->count = order->count;
}

static status number(struct tracebacks *self) {
    struct pathorder order;
    size_t bytes = self->most * sizeof *self->items;
    if (self->count == 0)
        return STATUS_OK;
    struct path_item *sorted = vmem_map(self->account, bytes);
    if (sorted == NULL)
        return STATUS_NOMEM;
    status result = pathorder_init(&order, self->sides, self->items, self->count);
    if (result == STATUS_OK)
        put_in_order(self, &order, sorted);
    pathorder_fini(&order);
    vmem_unmap(self->account, result == STATUS_OK ? self->items : sorted, bytes);
    if (result == STATUS_OK)
        self->items = sorted;
    return result;
}

static size_t numbers_bytes(const struct tracebacks *self, int side) {
    return self->ends[side] * sizeof(uint32_t);
}

status tracebacks_init(struct tracebacks *self, const struct snapshot *first, const struct snapshot *second) {
    *self = (struct tracebacks){.account = first->account, .sides = {first, second}};
    for (int side = 0; side < 2 && self->sides[side] != NULL; side++) {
        const struct snapshot *snapshot = self->sides[side];
        self->ends[side] = callpaths_ends(snapshot->paths).nodes;
        self->most += snapshot->row_count < self->ends[side] ? snapshot->row_count : self->ends[side];
        self->numbers[side] = vmem_map(self->account, numbers_bytes(self, side));
        if (self->numbers[side] == NULL) {
            tracebacks_fini(self);
            return STATUS_NOMEM;
        }
    }
    status result = STATUS_OK;
    self->most++; /* never nothing */
    self->items = vmem_map(self->account, self->most * sizeof *self->items);
    if (self->items == NULL)
        result = STATUS_NOMEM;
    for (int side = 0; result == STATUS_OK && side < 2 && self->sides[side] != NULL; side++)
        result = collect(self, side);
    if (result == STATUS_OK)
        result = number(self);
    if (result != STATUS_OK)
        tracebacks_fini(self);
    return result;
}

void tracebacks_fini(struct tracebacks *self) {
    for (int side = 0; side < 2; side++)
        vmem_unmap(self->account, self->numbers[side], numbers_bytes(self, side));
    vmem_unmap(self->account, self->items, self->most * sizeof *self->items);
    memset(self, 0, sizeof *self);
}
