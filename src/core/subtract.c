/* subtract: see subtract.h. One thread; both snapshots are only read. */
#include "subtract.h"
#include "grouping.h"
#include "namemap.h"
#include "tracebacks.h"

/* What may still be taken away: sums of equal rows of the other snapshot. */
struct rest {
    const struct row *row; /* the first of them */
    uint64_t size;         /* view total; else 0 */
    uint64_t count;
};

struct work {
    const struct snapshot *sides[2]; /* what is left of the first, and what the second takes away */
    struct tracebacks tracebacks;
    struct rest *rests;
    uint32_t count;
    struct idtable index; /* rests, + 1 */
};

static uint32_t number_of(const struct work *work, int side, const struct row *row) {
    return traceback_number(&work->tracebacks, side, row->node);
}

static uint64_t hash_row(const struct work *work, int side, const struct row *row) {
    uint64_t hash = hash_mix((uint64_t)number_of(work, side, row) << 32 | row->depth) ^
                    (uintptr_t)work->rests;
    if (work->sides[0]->view == VIEW_LIVE)
        hash = hash_mix(hash ^ row->size);
    return hash_mix(hash ^ row->domain);
}

static uint64_t hash_of(const void *owner, uint32_t id) {
    const struct work *work = owner;
    return hash_row(work, 1, work->rests[id - 1].row);
}

static bool same_process(const struct work *work, int side, const struct row *row, const struct row *other) {
    const struct callpaths *paths = work->sides[side]->paths, *others = work->sides[1]->paths;
    if (paths == others || row->process == 0 || other->process == 0)
        return row->process == other->process;
    return name_equal(strtab_get(&paths->strings, row->process),
                      strtab_get(&others->strings, other->process));
}

static bool same_row(const struct work *work, int side, const struct row *row, const struct row *other) {
    return number_of(work, side, row) == number_of(work, 1, other) && row->domain == other->domain &&
           row->depth == other->depth && (row->size == other->size || work->sides[0]->view != VIEW_LIVE) &&
           same_process(work, side, row, other);
}

/* The rest that a row of a side is equal to, or NULL; `slot`: where the search ended. */
static struct rest *find_rest(const struct work *work, int side, const struct row *row, size_t *slot) {
    *slot = idtable_first(&work->index, hash_row(work, side, row));
    for (uint32_t id; (id = idtable_at(&work->index, *slot)) != 0;
         *slot = idtable_next(&work->index, *slot)) {
        if (same_row(work, side, row, work->rests[id - 1].row))
            return &work->rests[id - 1];
    }
    return NULL;
}

static status add_rests(struct work *work) {
    const struct snapshot *what = work->sides[1];
    for (struct rows rows = snapshot_rows(what); rows_next(&rows);) {
        const struct row *row = rows.row;
        size_t slot;
        status result = idtable_reserve(&work->index, hash_of, work);
        if (result != STATUS_OK)
            return result;
        struct rest *rest = find_rest(work, 1, row, &slot);
        if (rest == NULL) {
            rest = &work->rests[work->count++];
            *rest = (struct rest){.row = row};
            idtable_put(&work->index, slot, work->count);
        }
        rest->size = what->view == VIEW_LIVE ? 0 : add_capped(rest->size, row->size);
        rest->count = add_capped(rest->count, row->count);
    }
    return STATUS_OK;
}

static void take_away(uint64_t *from, uint64_t *rest) {
    uint64_t taken = *from < *rest ? *from : *rest;
    *from -= taken;
    *rest -= taken;
}

static status copy_rows(struct work *work, struct snapshot *left) {
    for (struct rows rows = snapshot_rows(work->sides[0]); rows_next(&rows);) {
        struct row row = *rows.row;
        size_t slot;
        struct rest *rest = find_rest(work, 0, &row, &slot);
        if (rest != NULL) {
            take_away(&row.count, &rest->count);
            if (left->view != VIEW_LIVE)
                take_away(&row.size, &rest->size);
        }
        status result = row.count > 0 ? snapshot_add(left, &row) : STATUS_OK;
        if (result != STATUS_OK)
            return result;
    }
    return STATUS_OK;
}

static status fill(struct work *work, struct snapshot *from, struct snapshot *what, struct snapshot *left) {
    size_t bytes = (what->row_count + 1) * sizeof *work->rests;
    if (what->row_count >= UINT32_MAX)
        return STATUS_FULL;
    status result = tracebacks_init(&work->tracebacks, from, what);
    if (result != STATUS_OK)
        return result;
    work->rests = vmem_map(from->account, bytes);
    result = work->rests == NULL ? STATUS_NOMEM : idtable_init(&work->index, from->account);
    if (result == STATUS_OK)
        result = add_rests(work);
    if (result == STATUS_OK)
        result = copy_rows(work, left);
    vmem_unmap(from->account, work->rests, bytes);
    idtable_fini(&work->index);
    tracebacks_fini(&work->tracebacks);
    return result;
}

status subtract(struct snapshot *from, struct snapshot *what, struct snapshot **result) {
    struct work work = {.sides = {from, what}};
    *result = NULL;
    if (from->view != what->view || from->view == VIEW_PEAK)
        return STATUS_INVALID;
    struct snapshot *left = snapshot_new(from->account, from->paths, from->limit, from->view);
    if (left == NULL)
        return STATUS_NOMEM;
    status done = fill(&work, from, what, left);
    if (done == STATUS_OK)
        *result = left;
    else
        snapshot_release(left);
    return done;
}
