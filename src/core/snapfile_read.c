/* snapfile_read: from the sections of an open file to call paths and snapshots (snapfile.h,
 * snapfile_format.h).
 *
 * Numbers in the file are ids in the new call paths: both count from 1 in the order of appearance. Whatever is there
 * twice is found when its section is complete, and refused: ids stand for content. Any thread: what is being made is
 * not seen by others yet.
 */
#include "distinct.h"
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

/* One kind of items: how to take the next one, number `number`, and put it where it belongs. */
struct reading {
    struct cursor cursor;
    struct callpaths *paths;
    struct site site; /* the last one: differences refer to it */
    uint32_t node_site;
    bool locating; /* once all is there: only to find where an item begins */
};
typedef status (*read_item)(struct reading *reading, uint32_t number);

static status read_string(struct reading *reading, uint32_t number) {
    struct string text;
    uint64_t start = cursor_offset(&reading->cursor);
    if (!cursor_get_text(&reading->cursor, &text))
        return STATUS_INVALID;
    if (text.length == 0) {
        snapfile_fail(reading->cursor.error, start, "strings: number %" PRIu32 " is number 0 again", number);
        return STATUS_INVALID;
    }
    return reading->locating ? STATUS_OK : strtab_append(&reading->paths->strings, text.bytes, text.length);
}

static status read_site(struct reading *reading, uint32_t number) {
    struct cursor *cursor = &reading->cursor;
    struct site *site = &reading->site;
    uint32_t strings = reading->paths->strings.count - 1;
    (void)number;
    if (!cursor_get_difference(cursor, strings, "the file name's number", &site->file) ||
        !cursor_get_difference(cursor, strings, "the function name's number", &site->function) ||
        !cursor_get_difference(cursor, UINT32_MAX, "the line", &site->line))
        return STATUS_INVALID;
    return reading->locating ? STATUS_OK : site_append_locked(reading->paths, site);
}

/* Where a node hangs: its parent, and how deep it is. */
static bool get_parent(struct reading *reading, uint32_t number, uint32_t *parent, uint32_t *depth) {
    struct cursor *cursor = &reading->cursor;
    const struct callpaths *paths = reading->paths;
    uint32_t back;
    if (!cursor_get_below(cursor, number - 1, "the way back to the parent", &back) ||
        !cursor_get_difference(cursor, paths->site_count - 1, "the site's number", &reading->node_site))
        return false;
    *parent = back == 0 ? 0 : number - back;
    if (*parent != 0) {
        *depth = node_get(paths, *parent)->depth + 1;
        return true;
    }
    uint64_t start = cursor_offset(cursor);
    if (!cursor_get_below(cursor, MOST_DEPTH, "the depth", depth))
        return false;
    if (*depth == 0)
        snapfile_fail(cursor->error, start, "%s: number %" PRIu32 " has depth 0", cursor->what, number);
    return *depth != 0;
}

static status read_node(struct reading *reading, uint32_t number) {
    uint32_t parent, depth;
    if (!get_parent(reading, number, &parent, &depth))
        return STATUS_INVALID;
    return reading->locating ? STATUS_OK
                             : node_append_locked(reading->paths, parent, reading->node_site, depth);
}

static status read_items(struct reading *reading, read_item next, uint64_t count) {
    for (uint64_t i = 1; i <= count; i++) {
        status result = next(reading, (uint32_t)i); /* ids end long before 32 bits do */
        if (result != STATUS_OK)
            return limited(result, &reading->cursor);
    }
    return cursor_ends(&reading->cursor) ? STATUS_OK : STATUS_INVALID;
}

/* Says where the item begins that is there twice; it has been read before, so nothing else is wrong before it. */
static status refuse_repeated(struct reading *reading, read_item next, const struct repeated *repeated) {
    struct cursor *cursor = &reading->cursor;
    status result = STATUS_OK;
    reading->locating = true;
    reading->site = (struct site){0};
    reading->node_site = 0;
    cursor->at = cursor->start;
    for (uint32_t i = 1; i < repeated->item && result == STATUS_OK; i++)
        result = next(reading, i);
    snapfile_fail(cursor->error, cursor_offset(cursor), "%s: number %" PRIu32 " is number %" PRIu32 " again",
                  cursor->what, repeated->item, repeated->earlier);
    return STATUS_INVALID;
}

/* Number 0 is none of them: a site without names may have a number of its own as well. */
static struct records records_of(const struct region *all, uint32_t count, size_t bytes) {
    const int numbers = (int)(bytes / sizeof(uint32_t));
    return (struct records){all->base + bytes, count - 1, numbers};
}

static status find_repeated(struct callpaths *paths, read_item kind, struct repeated *repeated) {
    if (kind == read_string)
        return distinct_strings(paths->account, &paths->strings, repeated);
    struct records records = kind == read_site
                                 ? records_of(&paths->sites, paths->site_count, sizeof(struct site))
                                 : records_of(&paths->nodes, paths->node_count, sizeof(struct node));
    status result = distinct_records(paths->account, &records, repeated);
    if (result == STATUS_OK && repeated->item != 0) /* numbers count from 1 */
        *repeated = (struct repeated){repeated->item + 1, repeated->earlier + 1};
    return result;
}

static status read_section(const struct snapfile *file, const struct snapfile_section *section,
                           const char *what, uint64_t least, read_item next, struct callpaths *paths,
                           struct snapfile_error *error) {
    struct reading reading = {.paths = paths};
    struct repeated repeated;
    status result = cursor_open(&reading.cursor, file, section, what, least, error);
    if (result != STATUS_OK)
        return result;
    result = read_items(&reading, next, section->count);
    if (result == STATUS_OK)
        result = find_repeated(paths, next, &repeated);
    if (result == STATUS_OK && repeated.item != 0)
        result = refuse_repeated(&reading, next, &repeated);
    cursor_close(&reading.cursor, file);
    return result;
}

status snapfile_read_paths(const struct snapfile *file, struct callpaths **paths,
                           struct snapfile_error *error) {
    memset(error, 0, sizeof *error);
    *paths = NULL;
    struct callpaths *made = callpaths_new(file->account);
    if (made == NULL)
        return STATUS_NOMEM;
    lock_acquire(&made->lock);
    status result = read_section(file, &file->strings, "strings", 2, read_string, made, error);
    if (result == STATUS_OK)
        result = read_section(file, &file->sites, "sites", 3, read_site, made, error);
    if (result == STATUS_OK)
        result = read_section(file, &file->nodes, "nodes", 2, read_node, made, error);
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

/* One run of rows of one process, from row `at` on. */
static bool get_run(struct cursor *cursor, const struct snapfile *file, struct snapshot *snapshot,
                    size_t *at) {
    uint64_t start = cursor_offset(cursor), rows;
    uint32_t process;
    if (!cursor_get(cursor, &rows) ||
        !cursor_get_below(cursor, file->strings.count, "the name's number", &process))
        return false;
    if (rows == 0 || rows > snapshot->row_count - *at) {
        snapfile_fail(cursor->error, start, "processes: a run of %" PRIu64 " rows, where %zu are left", rows,
                      snapshot->row_count - *at);
        return false;
    }
    for (; rows > 0; rows--)
        snapshot->own->rows[(*at)++].process = process;
    return true;
}

/* Which processes the rows of a snapshot are of that is still being made; all of them, where it is said at all. */
static status read_processes(const struct snapfile *file, struct snapshot *snapshot,
                             struct snapfile_error *error) {
    const struct snapfile_section *section = &file->processes[snapshot->view];
    struct cursor cursor;
    size_t at = 0;
    if (section->offset == 0)
        return STATUS_OK;
    status result = cursor_open(&cursor, file, section, "processes", 2, error);
    if (result != STATUS_OK)
        return result;
    for (uint64_t i = 0; i < section->count && result == STATUS_OK; i++)
        result = get_run(&cursor, file, snapshot, &at) ? STATUS_OK : STATUS_INVALID;
    if (result == STATUS_OK && !cursor_ends(&cursor))
        result = STATUS_INVALID;
    if (result == STATUS_OK && at < snapshot->row_count) {
        snapfile_fail(error, cursor_offset(&cursor), "processes: nothing is said of the last %zu rows",
                      snapshot->row_count - at);
        result = STATUS_INVALID;
    }
    cursor_close(&cursor, file);
    return result;
}

/* What stands before the rows. */
static status read_limit(struct cursor *cursor, uint32_t *limit) {
    uint64_t start = cursor_offset(cursor);
    if (!cursor_get_below(cursor, UINT32_MAX, "the limit", limit))
        return STATUS_INVALID;
    if (*limit > 0)
        return STATUS_OK;
    snapfile_fail(cursor->error, start, "rows: the limit is 0");
    return STATUS_INVALID;
}

status snapfile_read_limit(const struct snapfile *file, enum view view, uint32_t *limit,
                           struct snapfile_error *error) {
    const struct snapfile_section *rows = &file->rows[view];
    struct snapfile_piece piece;
    assert(file->views[view]);
    memset(error, 0, sizeof *error);
    status result = piece_open(&piece, file, rows->offset,
                               rows->length < VARINT_MOST ? rows->length : VARINT_MOST);
    if (result != STATUS_OK)
        return result;
    struct cursor cursor = cursor_on(&piece, "rows", error);
    result = read_limit(&cursor, limit);
    piece_close(&piece, file);
    return result;
}

static status make_view(struct cursor *cursor, const struct snapfile *file, struct callpaths *paths,
                        enum view view, struct snapshot **snapshot) {
    uint32_t limit = 0;
    status result = read_limit(cursor, &limit);
    if (result != STATUS_OK)
        return result;
    struct snapshot *made = snapshot_new(file->account, paths, limit, view);
    if (made == NULL)
        return STATUS_NOMEM;
    result = read_rows(cursor, file, file->rows[view].count, made);
    if (result == STATUS_OK)
        result = read_processes(file, made, cursor->error);
    if (result != STATUS_OK) {
        snapshot_release(made);
        return result;
    }
    snapshot_complete(made);
    *snapshot = made;
    return STATUS_OK;
}

static status open_rows(struct cursor *cursor, const struct snapfile *file, const struct callpaths *paths,
                        enum view view, struct snapfile_error *error) {
    assert(paths->node_count > file->nodes.count);
    (void)paths;
    memset(error, 0, sizeof *error);
    if (file->views[view])
        return cursor_open(cursor, file, &file->rows[view], "rows", 2, error);
    snapfile_fail(error, 0, "this view is not in the file");
    return STATUS_INVALID;
}

status snapfile_read_view(const struct snapfile *file, struct callpaths *paths, enum view view,
                          struct snapshot **snapshot, struct snapfile_error *error) {
    struct cursor cursor;
    *snapshot = NULL;
    status result = open_rows(&cursor, file, paths, view, error);
    if (result != STATUS_OK)
        return result;
    result = make_view(&cursor, file, paths, view, snapshot);
    cursor_close(&cursor, file);
    return result;
}

static status visit_rows(struct cursor *cursor, const struct snapfile *file, const struct callpaths *paths,
                         uint64_t count, row_visit visit, void *context) {
    struct row row = {0};
    uint32_t limit;
    status result = read_limit(cursor, &limit);
    for (uint64_t i = 0; i < count && result == STATUS_OK; i++) {
        result = get_row(cursor, file, paths, &row) ? STATUS_OK : STATUS_INVALID;
        if (result == STATUS_OK)
            visit(context, &row);
    }
    return result == STATUS_OK && !cursor_ends(cursor) ? STATUS_INVALID : result;
}

status snapfile_each_row(const struct snapfile *file, struct callpaths *paths, enum view view,
                         row_visit visit, void *context, struct snapfile_error *error) {
    struct cursor cursor;
    status result = open_rows(&cursor, file, paths, view, error);
    if (result != STATUS_OK)
        return result;
    result = visit_rows(&cursor, file, paths, file->rows[view].count, visit, context);
    cursor_close(&cursor, file);
    return result;
}

status snapfile_read(const void *bytes, size_t length, struct vmem *account, struct snapshot **snapshot,
                     struct snapfile_error *error) {
    struct snapfile_source source = {.bytes = bytes, .length = length};
    struct snapfile file;
    struct callpaths *paths = NULL;
    *snapshot = NULL;
    status result = snapfile_open(&file, &source, account, error);
    if (result == STATUS_OK)
        result = snapfile_read_paths(&file, &paths, error);
    if (result == STATUS_OK)
        result = snapfile_read_view(&file, paths, file.first, snapshot, error);
    if (paths != NULL)
        callpaths_release(paths);
    snapfile_close(&file);
    return result;
}
