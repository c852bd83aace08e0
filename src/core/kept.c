/* kept: see kept.h. */
#include "kept.h"

#include <stdlib.h>
#include <string.h>

#define MOST_BYTES SIZED((size_t)1 << 37, (size_t)1 << 24)

void kept_init(struct kept *kept, struct vmem *account) {
    kept->paths = NULL;
    kept->count = 0;
    kept->many = (struct region){.base = NULL};
    kept->account = account;
}

void kept_fini(struct kept *kept) {
    if (kept->paths != NULL)
        callpaths_release(kept->paths);
    region_fini(&kept->many);
    kept_init(kept, kept->account);
}

static struct kept_block *block_at(struct kept *kept, size_t i) {
    return i < KEPT_FEW ? &kept->few[i] : (struct kept_block *)kept->many.base + (i - KEPT_FEW);
}

status kept_add(void *context, const struct kept_block *block) {
    struct kept *kept = context;
    status result = STATUS_OK;
    if (kept->count >= KEPT_FEW) {
        if (kept->many.base == NULL)
            result = region_init(&kept->many, kept->account, MOST_BYTES);
        if (result == STATUS_OK)
            result = region_grow(&kept->many, (kept->count - KEPT_FEW + 1) * sizeof *block);
    }
    if (result == STATUS_OK)
        *block_at(kept, kept->count++) = *block;
    return result;
}

static int compare(const void *left, const void *right) {
    const struct kept_block *a = left, *b = right;
    if (a->domain != b->domain)
        return a->domain < b->domain ? -1 : 1;
    if (a->node != b->node)
        return a->node < b->node ? -1 : 1;
    return a->size == b->size ? 0 : a->size < b->size ? -1 : 1;
}

/* Sorted each for itself, equal blocks are next to each other but at the seam: two rows there are as good as one. */
static void sort(struct kept *kept) {
    size_t few = kept->count < KEPT_FEW ? kept->count : KEPT_FEW;
    qsort(kept->few, few, sizeof kept->few[0], compare);
    if (kept->count > few)
        qsort(kept->many.base, kept->count - few, sizeof kept->few[0], compare);
}

static status add_rows(struct kept *kept, struct snapshot *snapshot) {
    status result = STATUS_OK;
    for (size_t i = 0, next; i < kept->count && result == STATUS_OK; i = next) {
        const struct kept_block *block = block_at(kept, i);
        for (next = i + 1; next < kept->count && compare(block, block_at(kept, next)) == 0;)
            next++;
        struct row row = {
            .domain = block->domain, .node = block->node, .size = block->size, .count = next - i};
        row.depth = node_get(kept->paths, block->node)->depth;
        result = snapshot_add(snapshot, &row);
    }
    return result;
}

status kept_snapshot(struct kept *kept, uint32_t limit, struct snapshot **result) {
    struct snapshot *snapshot = snapshot_new(kept->account, kept->paths, limit, VIEW_LIVE);
    if (snapshot == NULL)
        return STATUS_NOMEM;
    sort(kept);
    status added = add_rows(kept, snapshot);
    if (added != STATUS_OK) {
        snapshot_release(snapshot);
        return added;
    }
    snapshot_complete(snapshot);
    *result = snapshot;
    return STATUS_OK;
}
