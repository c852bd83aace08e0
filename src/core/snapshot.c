/* snapshot: see snapshot.h. One thread builds a snapshot; complete, any thread may read it. */
#include "share.h"

#include <string.h>

struct snapshot *snapshot_new(struct vmem *account, struct callpaths *paths, uint32_t limit, enum view view) {
    assert(limit > 0 && view < VIEW_COUNT);
    struct snapshot *snapshot = vmem_map(account, sizeof *snapshot);
    if (snapshot == NULL)
        return NULL;
    snapshot->own = segment_new(account);
    if (snapshot->own == NULL) {
        vmem_unmap(account, snapshot, sizeof *snapshot);
        return NULL;
    }
    snapshot->parts[0].segment = snapshot->own;
    snapshot->part_count = 1;
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
    if (snapshot->listed)
        share_leave(snapshot);
    callpaths_release(snapshot->paths);
    for (uint32_t i = 0; i < snapshot->part_count; i++)
        segment_release(snapshot->parts[i].segment);
    vmem_unmap(snapshot->account, snapshot->kept, snapshot->kept_bytes);
    vmem_unmap(snapshot->account, snapshot, sizeof *snapshot);
}

static cold_path status make_room_and_add(struct snapshot *snapshot, const struct row *row) {
    status result = segment_make_room(snapshot->own);
    return result == STATUS_OK ? snapshot_add(snapshot, row) : result;
}

status snapshot_add(struct snapshot *snapshot, const struct row *row) {
    assert(row->count > 0);
    uint64_t entries;
    uint64_t more = snapshot->view == VIEW_LIVE ? row->count : 1;
    if (unlikely(!segment_has_room(snapshot->own)))
        return make_room_and_add(snapshot, row);
    if (__builtin_add_overflow(snapshot->entries, more, &entries))
        return STATUS_FULL;
    segment_add(snapshot->own, row);
    snapshot->row_count++;
    snapshot->entries = entries;
    return STATUS_OK;
}

const struct row *snapshot_row(const struct snapshot *snapshot, size_t i) {
    assert(i < snapshot->row_count);
    const struct row *row = NULL;
    for (uint32_t part = 0; row == NULL && part < snapshot->part_count; part++)
        row = segment_part_row(&snapshot->parts[part], &i);
    return row;
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
    for (struct rows rows = snapshot_rows(snapshot); rows_next(&rows);)
        mark_names(snapshot->paths, rows.row->node, snapshot->limit, field, reached, names);
    vmem_unmap(snapshot->account, reached, ends.nodes * sizeof *reached);
    return STATUS_OK;
}

status snapshot_files(const struct snapshot *snapshot, struct idset *names) {
    return collect_names(snapshot, offsetof(struct site, file), names);
}

status snapshot_functions(const struct snapshot *snapshot, struct idset *names) {
    return collect_names(snapshot, offsetof(struct site, function), names);
}

/* A part is of rows that are there, and of no two segments that are one. */
static bool parts_check(const struct snapshot *snapshot) {
    for (uint32_t i = 0; i < snapshot->part_count; i++) {
        const struct segment_part *part = &snapshot->parts[i];
        const struct segment *segment = part->segment;
        if (segment->references == 0 || segment_bytes(segment->count) > segment->memory.committed)
            return false;
        if (part->kept != NULL && segment->count % 64 != 0 &&
            part->kept[segment->count / 64] >> segment->count % 64 != 0)
            return false;
        for (uint32_t j = 0; j < i; j++)
            if (snapshot->parts[j].segment == segment)
                return false;
    }
    return snapshot->part_count > 0 && snapshot->part_count <= PARTS_MOST &&
           snapshot->parts[snapshot->part_count - 1].segment == snapshot->own;
}

bool snapshot_check(const struct snapshot *snapshot) {
    struct path_ends ends = callpaths_ends(snapshot->paths);
    uint64_t entries = 0;
    size_t count = 0;
    if (!parts_check(snapshot))
        return false;
    for (struct rows rows = snapshot_rows(snapshot); rows_next(&rows);) {
        const struct row *row = rows.row;
        if (row->node >= ends.nodes || row->count == 0 || row->process >= ends.strings)
            return false;
        entries += snapshot->view == VIEW_LIVE ? row->count : 1;
        count++;
    }
    return entries == snapshot->entries && count == snapshot->row_count && snapshot->limit > 0 &&
           snapshot->view < VIEW_COUNT && snapshot->references > 0;
}
