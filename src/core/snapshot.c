/* snapshot: see snapshot.h. One thread builds a snapshot; complete, any thread may read it. */
#include "snapshot.h"

#include <string.h>

/* Addresses are reserved, not memory: room for 2^32 rows. */
#define MOST_BYTES SIZED((size_t)1 << 37, (size_t)1 << 24)

struct snapshot *snapshot_new(struct vmem *account, struct callpaths *paths, uint32_t limit, enum view view) {
    assert(limit > 0 && view < VIEW_COUNT);
    struct snapshot *snapshot = vmem_map(account, sizeof *snapshot);
    if (snapshot == NULL)
        return NULL;
    if (region_init(&snapshot->rows, account, MOST_BYTES) != STATUS_OK) {
        vmem_unmap(account, snapshot, sizeof *snapshot);
        return NULL;
    }
    callpaths_retain(paths);
    snapshot->account = account;
    snapshot->paths = paths;
    snapshot->limit = limit;
    snapshot->view = view;
    snapshot->references = 1;
    return snapshot;
}

void snapshot_retain(struct snapshot *snapshot) {
    /* relaxed: whoever retains has a reference already */
    __atomic_fetch_add((uint32_t *)&snapshot->references, 1, __ATOMIC_RELAXED);
}

void snapshot_release(struct snapshot *snapshot) {
    /* acquire-release: whoever frees sees all that the others did */
    if (snapshot == NULL || __atomic_sub_fetch((uint32_t *)&snapshot->references, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    callpaths_release(snapshot->paths);
    region_fini(&snapshot->rows);
    vmem_unmap(snapshot->account, snapshot, sizeof *snapshot);
}

status snapshot_add(struct snapshot *snapshot, const struct row *row) {
    assert(row->count > 0);
    uint64_t entries;
    uint64_t more = snapshot->view == VIEW_LIVE ? row->count : 1;
    if (__builtin_add_overflow(snapshot->entries, more, &entries))
        return STATUS_FULL;
    status result = region_grow(&snapshot->rows, (snapshot->row_count + 1) * sizeof *row);
    if (result != STATUS_OK)
        return result;
    ((struct row *)snapshot->rows.base)[snapshot->row_count++] = *row;
    snapshot->entries = entries;
    return STATUS_OK;
}

struct path_ends callpaths_ends(struct callpaths *paths) {
    lock_acquire(&paths->lock);
    struct path_ends ends = {paths->strings.count, paths->site_count, paths->node_count};
    lock_release(&paths->lock);
    return ends;
}

uint32_t path_frames(const struct callpaths *paths, uint32_t node, uint32_t limit) {
    uint32_t frames = 0;
    for (; node != 0 && frames < limit; node = node_get(paths, node)->parent)
        frames++;
    return frames;
}

/* `reached[node]`: how many frames, from this node on, were visited at least. A walk ends where an earlier
 * one went at least as far, so that a stem shared by many paths is not walked for each of them. */
static void mark_names(const struct callpaths *paths, uint32_t node, uint32_t limit, size_t field,
                       uint32_t *reached, struct idset *names) {
    for (uint32_t left = limit; node != 0 && left > reached[node]; left--) {
        const struct node *here = node_get(paths, node);
        const char *site = (const char *)site_get(paths, here->site);
        reached[node] = left;
        idset_add(names, *(const uint32_t *)(const void *)(site + field));
        node = here->parent;
    }
}

/* `field`: where in a site the name's id is. */
static status collect_names(const struct snapshot *snapshot, size_t field, struct idset *names) {
    struct path_ends ends = callpaths_ends(snapshot->paths);
    status result = idset_init(names, snapshot->account, ends.strings);
    if (result != STATUS_OK)
        return result;
    uint32_t *reached = vmem_map(snapshot->account, ends.nodes * sizeof *reached);
    if (reached == NULL) {
        idset_fini(names);
        return STATUS_NOMEM;
    }
    for (size_t i = 0; i < snapshot->row_count; i++)
        mark_names(snapshot->paths, snapshot_row(snapshot, i)->node, snapshot->limit, field, reached, names);
    vmem_unmap(snapshot->account, reached, ends.nodes * sizeof *reached);
    return STATUS_OK;
}

status snapshot_files(const struct snapshot *snapshot, struct idset *names) {
    return collect_names(snapshot, offsetof(struct site, file), names);
}

status snapshot_functions(const struct snapshot *snapshot, struct idset *names) {
    return collect_names(snapshot, offsetof(struct site, function), names);
}

bool snapshot_check(const struct snapshot *snapshot) {
    struct path_ends ends = callpaths_ends(snapshot->paths);
    uint64_t entries = 0;
    for (size_t i = 0; i < snapshot->row_count; i++) {
        const struct row *row = snapshot_row(snapshot, i);
        if (row->node >= ends.nodes || row->count == 0 || row->process >= ends.strings)
            return false;
        entries += snapshot->view == VIEW_LIVE ? row->count : 1;
    }
    return entries == snapshot->entries && snapshot->limit > 0 && snapshot->view < VIEW_COUNT &&
           snapshot->references > 0 && snapshot->row_count * sizeof(struct row) <= snapshot->rows.committed;
}
