/* viewsource: the rows of a view where it is, for who goes over many views one after the other.
 *
 *   in memory:   columns ----------> each row
 *   in a file:   file, view -------> each row, read and checked anew, and forgotten
 *
 * So a view in a file is never in memory as a whole, only its bytes in the file are, an eighth of that; to read a million
 * rows anew takes about 5 ms.
 * Borrows everything: columns, call paths and the open file outlive it. One thread. Fails with NOMEM, INVALID or what the
 * file's source returned, which `result` and `error` tell, too; some rows may have been visited by then.
 */
#ifndef MEMTALLY_VIEWSOURCE_H
#define MEMTALLY_VIEWSOURCE_H

#include "snapfile.h"

struct viewsource {
    enum view view;
    status result;               /* of the last time */
    struct callpaths *paths;     /* borrowed: the view's */
    struct snapshot *columns;    /* borrowed; NULL: they are in the file */
    const struct snapfile *file; /* borrowed, open; `paths` are what was read from it */
    struct snapfile_error error; /* where the result is INVALID */
};

nodiscard static inline status viewsource_each(struct viewsource *source, row_visit visit, void *context) {
    source->result = STATUS_OK;
    if (source->columns == NULL)
        source->result = snapfile_each_row(source->file, source->paths, source->view, visit, context,
                                           &source->error);
    else
        for (struct rows rows = snapshot_rows(source->columns); rows_next(&rows);)
            visit(context, rows.row);
    return source->result;
}

#endif
