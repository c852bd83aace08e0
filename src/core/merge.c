/* merge: see merge.h. One thread. */
#include "merge.h"
#include "pathcopy.h"

static status intern_process(struct callpaths *paths, struct string name, uint32_t *id) {
    lock_acquire(&paths->lock);
    status result = strtab_intern(&paths->strings, name.bytes, name.length, id);
    lock_release(&paths->lock);
    return result;
}

static status copy_row(struct pathcopy *copy, const struct snapshot *part, uint32_t process, bool cut,
                       const struct row *row, struct snapshot *to) {
    struct row fresh = *row;
    status result = cut ? pathcopy_cut(copy, row->node, part->limit, &fresh.node)
                        : pathcopy_node(copy, row->node, &fresh.node);
    fresh.process = process;
    if (result == STATUS_OK && row->process != 0)
        result = pathcopy_string(copy, row->process, &fresh.process);
    return result == STATUS_OK ? snapshot_add(to, &fresh) : result;
}

static status copy_part(const struct merge_part *part, struct snapshot *to) {
    struct pathcopy copy;
    const struct snapshot *from = part->snapshot;
    uint32_t process;
    status result = intern_process(to->paths, part->process, &process);
    if (result == STATUS_OK)
        result = pathcopy_init(&copy, to->account, from->paths, to->paths);
    if (result != STATUS_OK)
        return result;
    for (struct rows rows = snapshot_rows(from); result == STATUS_OK && rows_next(&rows);)
        result = copy_row(&copy, from, process, from->limit < to->limit, rows.row, to);
    pathcopy_fini(&copy);
    return result;
}

status merge(struct vmem *account, const struct merge_part *parts, size_t count, struct snapshot **result) {
    uint32_t limit = 0;
    *result = NULL;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].snapshot->view != parts[0].snapshot->view)
            return STATUS_INVALID;
        limit = parts[i].snapshot->limit > limit ? parts[i].snapshot->limit : limit;
    }
    if (count == 0)
        return STATUS_INVALID;
    struct callpaths *paths = callpaths_new(account);
    if (paths == NULL)
        return STATUS_NOMEM;
    struct snapshot *merged = snapshot_new(account, paths, limit, parts[0].snapshot->view);
    callpaths_release(paths);
    status done = merged == NULL ? STATUS_NOMEM : STATUS_OK;
    for (size_t i = 0; i < count && done == STATUS_OK; i++)
        done = copy_part(&parts[i], merged);
    if (done == STATUS_OK)
        *result = merged;
    else
        snapshot_release(merged);
    return done;
}

status rows_of_process(struct snapshot *snapshot, uint32_t process, struct snapshot **result) {
    struct snapshot *part = snapshot_new(snapshot->account, snapshot->paths, snapshot->limit, snapshot->view);
    status done = part == NULL ? STATUS_NOMEM : STATUS_OK;
    for (struct rows rows = snapshot_rows(snapshot); done == STATUS_OK && rows_next(&rows);) {
        if (rows.row->process == process)
            done = snapshot_add(part, rows.row);
    }
    *result = done == STATUS_OK ? part : NULL;
    if (done != STATUS_OK)
        snapshot_release(part);
    return done;
}
