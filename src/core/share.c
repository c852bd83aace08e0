/* share: see share.h. Any thread. */
#include "share.h"
#include "selection.h"

#include <string.h>

/* --- the snapshots of the same call paths --- */

enum { LOOK_BACK = 256 }; /* the lock is not held for longer than this takes */

static void join(struct snapshot *snapshot, bool whole) {
    struct callpaths *paths = snapshot->paths;
    snapshot->listed = true;
    snapshot->whole = whole;
    lock_acquire(&paths->lock);
    snapshot->older = paths->newest;
    if (snapshot->older != NULL)
        snapshot->older->newer = snapshot;
    paths->newest = snapshot;
    lock_release(&paths->lock);
}

void share_offer(struct snapshot *part) { join(part, false); }

void share_leave(struct snapshot *snapshot) {
    struct callpaths *paths = snapshot->paths;
    lock_acquire(&paths->lock);
    if (paths->newest == snapshot)
        paths->newest = snapshot->older;
    if (snapshot->newer != NULL)
        snapshot->newer->older = snapshot->older;
    if (snapshot->older != NULL)
        snapshot->older->newer = snapshot->newer;
    lock_release(&paths->lock);
}

/* A reference to one that may be about to be freed, which is too late then. */
static bool retain_if_alive(struct snapshot *snapshot) {
    uint32_t *references = (uint32_t *)&snapshot->references;
    uint32_t count = __atomic_load_n(references, __ATOMIC_RELAXED);
    while (count > 0) {
        /* relaxed: the lock of the list orders all that was written before it was put there */
        if (__atomic_compare_exchange_n(references, &count, count + 1, true, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return true;
    }
    return false;
}

/* A new reference, or NULL. */
static struct snapshot *find(struct callpaths *paths, enum view view, bool whole) {
    lock_acquire(&paths->lock);
    struct snapshot *found = paths->newest;
    for (int seen = 1; found != NULL; found = seen++ < LOOK_BACK ? found->older : NULL) {
        if (found->view == view && found->whole == whole && retain_if_alive(found))
            break;
    }
    lock_release(&paths->lock);
    return found;
}

static struct snapshot *find_earlier(struct callpaths *paths, enum view view) {
    struct snapshot *found = find(paths, view, true);
    return found != NULL ? found : find(paths, view, false);
}

/* --- equal rows --- */

#define MATCHED UINT32_MAX /* as `next` of a row: it is in no bucket any more */

/* The rows of the new snapshot by content. Those of neighbouring nodes are neighbours here, too: both snapshots are mostly
 * in that order. */
struct index {
    const struct segment *fresh; /* borrowed */
    uint32_t *first;             /* by bucket: row + 1; 0: none */
    uint32_t *next;              /* by row: the next one of its bucket, + 1 */
    size_t mask;
    bool by_size; /* as rows of one call path differ in it */
};

static size_t buckets_bytes(const struct index *index) { return (index->mask + 1) * sizeof *index->first; }

static void index_fini(struct index *index, struct vmem *account) {
    vmem_unmap(account, index->first, buckets_bytes(index));
    vmem_unmap(account, index->next, index->fresh->count * sizeof *index->next);
}

static uint32_t *bucket_of(const struct index *index, const struct row *row) {
    uint64_t size = index->by_size ? row->size : 0;
    uint64_t spread = hash_mix(size ^ (uint64_t)row->domain << 40) >> 16;
    return &index->first[(row->node + spread) & index->mask];
}

static status index_init(struct index *index, const struct snapshot *fresh) {
    const struct segment *segment = fresh->own;
    *index = (struct index){.fresh = segment, .by_size = fresh->view == VIEW_LIVE};
    while (index->mask + 1 < segment->count)
        index->mask = index->mask * 2 + 1;
    index->first = vmem_map(fresh->account, buckets_bytes(index));
    index->next = vmem_map(fresh->account, segment->count * sizeof *index->next);
    if (index->first == NULL || index->next == NULL)
        return STATUS_NOMEM;
    for (size_t i = segment->count; i > 0; i--) { /* so that the first of a bucket is found first */
        uint32_t *bucket = bucket_of(index, &segment->rows[i - 1]);
        index->next[i - 1] = *bucket;
        *bucket = (uint32_t)i;
    }
    return STATUS_OK;
}

/* Is there such a row that was not matched yet? It is now. */
static bool match(const struct index *index, const struct row *row) {
    for (uint32_t *link = bucket_of(index, row); *link != 0; link = &index->next[*link - 1]) {
        uint32_t found = *link - 1;
        if (memcmp(&index->fresh->rows[found], row, sizeof *row) != 0)
            continue;
        *link = index->next[found];
        index->next[found] = MATCHED;
        return true;
    }
    return false;
}

/* Also among the rows that the earlier snapshot has no part in: what was once may be so again. */
static void select_equal(const struct index *index, const struct snapshot *earlier, struct selection *same) {
    for (const struct segment_part *part = earlier->parts; part < earlier->parts + earlier->part_count;
         part++) {
        const struct row *rows = part->segment->rows;
        for (size_t i = 0; i < part->segment->count; i++) {
            if (match(index, &rows[i]))
                selection_add(same, part, &rows[i]);
        }
    }
}

static status add_unmatched(const struct index *index, struct snapshot *to) {
    status result = STATUS_OK;
    for (size_t i = 0; i < index->fresh->count && result == STATUS_OK; i++) {
        if (index->next[i] != MATCHED)
            result = snapshot_add(to, &index->fresh->rows[i]);
    }
    return result;
}

static status fill(const struct snapshot *fresh, const struct snapshot *earlier, struct snapshot *to) {
    struct selection same = {0};
    struct index index;
    status result = index_init(&index, fresh);
    if (result == STATUS_OK)
        result = selection_init(&same, earlier);
    if (result == STATUS_OK) {
        select_equal(&index, earlier, &same);
        result = add_unmatched(&index, to);
    }
    if (result == STATUS_OK)
        result = selection_take(&same, to);
    selection_fini(&same);
    index_fini(&index, fresh->account);
    return result;
}

/* The same rows, shared with an earlier snapshot; NULL without memory. */
static struct snapshot *shared_with(const struct snapshot *fresh, const struct snapshot *earlier) {
    struct snapshot *slim = snapshot_new(fresh->account, fresh->paths, fresh->limit, fresh->view);
    if (slim == NULL)
        return NULL;
    if (fill(fresh, earlier, slim) != STATUS_OK) {
        snapshot_release(slim);
        return NULL;
    }
    snapshot_complete(slim);
    return slim;
}

void snapshot_share(struct snapshot **snapshot) {
    struct snapshot *fresh = *snapshot, *slim = NULL;
    assert(fresh->part_count == 1 && fresh->references == 1);
    struct snapshot *earlier = find_earlier(fresh->paths, fresh->view);
    if (earlier != NULL && fresh->row_count > 0 && fresh->row_count < MATCHED)
        slim = shared_with(fresh, earlier);
    snapshot_release(earlier);
    if (slim != NULL) {
        snapshot_release(fresh);
        *snapshot = slim;
    }
    join(*snapshot, true);
}
