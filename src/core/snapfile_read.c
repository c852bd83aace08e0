/* snapfile_read: from the sections of an open file to call paths and snapshots (snapfile.h,
 * snapfile_format.h).
 *
 * Numbers in the file are ids in the new call paths: both count from 1 in the order of appearance, so
 * whatever is there twice shows by getting an older id, and is refused. Any thread: what is being made is not
 * seen by others yet.
 */
#include "snapfile_cursor.h"

#include <inttypes.h>
#include <string.h>

/* What went wrong other than the file: with the file's being at fault where ids ran out. */
static status limited(status result, struct cursor *cursor) {
    if (result != STATUS_FULL)
        return result;
    snapfile_fail(cursor->error, cursor_offset(cursor), "%s: more than this memtally can hold", cursor->what);
    return STATUS_INVALID;
}

static status repeated(struct cursor *cursor, uint64_t start, uint32_t number, uint32_t earlier) {
    snapfile_fail(cursor->error, start, "%s: number %" PRIu32 " is number %" PRIu32 " again", cursor->what,
                  number, earlier);
    return STATUS_INVALID;
}

static status read_strings(const struct snapfile *file, struct callpaths *paths,
                           struct snapfile_error *error) {
    struct cursor cursor;
    if (!cursor_open(&cursor, file, &file->strings, "strings", 2, error))
        return STATUS_INVALID;
    for (uint64_t i = 1; i <= file->strings.count; i++) {
        struct string text;
        uint64_t start = cursor_offset(&cursor);
        uint32_t id;
        if (!cursor_get_text(&cursor, &text))
            return STATUS_INVALID;
        status result = strtab_intern(&paths->strings, text.bytes, text.length, &id);
        if (result != STATUS_OK)
            return limited(result, &cursor);
        if (id != i)
            return repeated(&cursor, start, (uint32_t)i, id);
    }
    return cursor_ends(&cursor) ? STATUS_OK : STATUS_INVALID;
}

static status read_sites(const struct snapfile *file, struct callpaths *paths, struct snapfile_error *error) {
    struct cursor cursor;
    struct site site = {0};
    uint32_t strings = paths->strings.count - 1;
    if (!cursor_open(&cursor, file, &file->sites, "sites", 3, error))
        return STATUS_INVALID;
    for (uint64_t i = 1; i <= file->sites.count; i++) {
        uint64_t start = cursor_offset(&cursor);
        uint32_t id;
        if (!cursor_get_difference(&cursor, strings, "the file name's number", &site.file) ||
            !cursor_get_difference(&cursor, strings, "the function name's number", &site.function) ||
            !cursor_get_difference(&cursor, UINT32_MAX, "the line", &site.line))
            return STATUS_INVALID;
        status result = site_intern_locked(paths, &site, &id);
        if (result != STATUS_OK)
            return limited(result, &cursor);
        if (id != i)
            return repeated(&cursor, start, (uint32_t)i, id);
    }
    return cursor_ends(&cursor) ? STATUS_OK : STATUS_INVALID;
}

/* Where a node hangs: its parent, and how deep it is. */
static bool get_parent(struct cursor *cursor, const struct callpaths *paths, uint32_t number,
                       uint32_t *parent, uint32_t *site, uint32_t *depth) {
    uint64_t start = cursor_offset(cursor);
    uint32_t back;
    if (!cursor_get_below(cursor, number - 1, "the way back to the parent", &back) ||
        !cursor_get_difference(cursor, paths->site_count - 1, "the site's number", site))
        return false;
    *parent = back == 0 ? 0 : number - back;
    if (*parent != 0) {
        *depth = node_get(paths, *parent)->depth;
        if (*depth == UINT32_MAX)
            snapfile_fail(cursor->error, start, "%s: number %" PRIu32 " is too deep", cursor->what, number);
        return (*depth)++ != UINT32_MAX;
    }
    start = cursor_offset(cursor);
    if (!cursor_get_below(cursor, UINT32_MAX, "the depth", depth))
        return false;
    if (*depth == 0)
        snapfile_fail(cursor->error, start, "%s: number %" PRIu32 " has depth 0", cursor->what, number);
    return *depth != 0;
}

static status read_nodes(const struct snapfile *file, struct callpaths *paths, struct snapfile_error *error) {
    struct cursor cursor;
    uint32_t site = 0;
    if (!cursor_open(&cursor, file, &file->nodes, "nodes", 2, error))
        return STATUS_INVALID;
    for (uint64_t i = 1; i <= file->nodes.count; i++) {
        uint64_t start = cursor_offset(&cursor);
        uint32_t parent, depth, id;
        if (!get_parent(&cursor, paths, (uint32_t)i, &parent, &site, &depth))
            return STATUS_INVALID;
        status result = node_intern_locked(paths, parent, site, depth, &id);
        if (result != STATUS_OK)
            return limited(result, &cursor);
        if (id != i)
            return repeated(&cursor, start, (uint32_t)i, id);
    }
    return cursor_ends(&cursor) ? STATUS_OK : STATUS_INVALID;
}

status snapfile_read_paths(const struct snapfile *file, struct vmem *account, struct callpaths **paths,
                           struct snapfile_error *error) {
    memset(error, 0, sizeof *error);
    *paths = NULL;
    struct callpaths *made = callpaths_new(account);
    if (made == NULL)
        return STATUS_NOMEM;
    lock_acquire(&made->lock);
    status result = read_strings(file, made, error);
    if (result == STATUS_OK)
        result = read_sites(file, made, error);
    if (result == STATUS_OK)
        result = read_nodes(file, made, error);
    lock_release(&made->lock);
    if (result == STATUS_OK)
        *paths = made;
    else
        callpaths_release(made);
    return result;
}

/* The next row; `row` comes with what the last one had. */
static bool get_row(struct cursor *cursor, const struct snapfile *file, const struct callpaths *paths,
                    struct row *row) {
    uint64_t start = cursor_offset(cursor), tag;
    if (!cursor_get(cursor, &tag))
        return false;
    int64_t node = (int64_t)row->node + unzigzag(tag >> ROW_BITS);
    if (node < 0 || (uint64_t)node > file->nodes.count) {
        snapfile_fail(cursor->error, start, "%s: the node's number is not within 0 and %" PRIu64,
                      cursor->what, file->nodes.count);
        return false;
    }
    row->node = (uint32_t)node;
    row->count = 1;
    row->depth = node_get(paths, row->node)->depth;
    if (!cursor_get(cursor, &row->size))
        return false;
    start = cursor_offset(cursor);
    if ((tag & ROW_COUNT) != 0 && !cursor_get(cursor, &row->count))
        return false;
    if (row->count == 0) {
        snapfile_fail(cursor->error, start, "%s: a row of no blocks", cursor->what);
        return false;
    }
    return ((tag & ROW_DOMAIN) == 0 || cursor_get_below(cursor, UINT32_MAX, "the domain", &row->domain)) &&
           ((tag & ROW_DEPTH) == 0 || cursor_get_below(cursor, UINT32_MAX, "the depth", &row->depth));
}

static status read_rows(struct cursor *cursor, const struct snapfile *file, uint64_t count,
                        struct snapshot *snapshot) {
    struct row row = {0};
    for (uint64_t i = 0; i < count; i++) {
        if (!get_row(cursor, file, snapshot->paths, &row))
            return STATUS_INVALID;
        status result = snapshot_add(snapshot, &row);
        if (result != STATUS_OK)
            return limited(result, cursor);
    }
    return cursor_ends(cursor) ? STATUS_OK : STATUS_INVALID;
}

status snapfile_read_view(const struct snapfile *file, struct callpaths *paths, enum view view,
                          struct snapshot **snapshot, struct snapfile_error *error) {
    const struct snapfile_section *section = &file->rows[view];
    struct cursor cursor;
    uint32_t limit;
    assert(callpaths_ends(paths).nodes > file->nodes.count);
    memset(error, 0, sizeof *error);
    *snapshot = NULL;
    if (!file->views[view]) {
        snapfile_fail(error, 0, "this view is not in the file");
        return STATUS_INVALID;
    }
    if (!cursor_open(&cursor, file, section, "rows", 2, error))
        return STATUS_INVALID;
    if (!cursor_get_below(&cursor, UINT32_MAX, "the limit", &limit))
        return STATUS_INVALID;
    if (limit == 0) {
        snapfile_fail(error, section->offset, "rows: the limit is 0");
        return STATUS_INVALID;
    }
    struct snapshot *made = snapshot_new(paths->account, paths, limit, view);
    if (made == NULL)
        return STATUS_NOMEM;
    status result = read_rows(&cursor, file, section->count, made);
    if (result == STATUS_OK)
        *snapshot = made;
    else
        snapshot_release(made);
    return result;
}

status snapfile_read(const void *bytes, size_t length, struct vmem *account, struct snapshot **snapshot,
                     struct snapfile_error *error) {
    struct snapfile file;
    struct callpaths *paths = NULL;
    *snapshot = NULL;
    status result = snapfile_open(&file, bytes, length, error);
    if (result == STATUS_OK)
        result = snapfile_read_paths(&file, account, &paths, error);
    if (result != STATUS_OK)
        return result;
    int view = VIEW_LIVE;
    while (!file.views[view]) /* there is one: opening made sure */
        view++;
    result = snapfile_read_view(&file, paths, (enum view)view, snapshot, error);
    callpaths_release(paths);
    return result;
}
