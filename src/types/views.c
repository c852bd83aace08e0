/* views: class _Views: see views.h. Needs the GIL.
 *
 * Several threads may ask for what is still in the file at once: each reads for itself, without the GIL, and the first
 * one that is done is the one that counts. Metadata, names and columns form no cycles, so the collector need not know
 * this type.
 */
#include "types.h"

#include "../core/share.h"
#include "../core/snapfile.h"
#include "files.h"

#include <errno.h>
#include <stdlib.h>

static struct views *views_new(struct state *state) {
    struct views *self = PyObject_New(struct views, state->views_type);
    if (self == NULL)
        return NULL;
    PyObject head = self->ob_base;
    *self = (struct views){.ob_base = head, .state = state};
    return self;
}

/* Nothing of the file is wanted any more. */
static void close_file(struct views *self) {
    if (self->file != NULL)
        snapfile_close(self->file);
    free(self->file);
    file_source_free(self->source);
    self->file = NULL;
    self->source = NULL;
}

static void views_dealloc(PyObject *object) {
    struct views *self = (struct views *)object;
    PyTypeObject *type = Py_TYPE(object);
    for (int view = 0; view < VIEW_COUNT; view++)
        snapshot_release(self->columns[view]);
    close_file(self);
    facts_fini(&self->facts);
    Py_XDECREF((PyObject *)self->names);
    Py_XDECREF(self->metadata);
    Py_XDECREF(self->filename);
    type->tp_free(object);
    Py_DECREF(type);
}

/* --- in memory --- */

/* Gives the columns to the views, which may be NULL: then releases them. */
static void take_columns(struct views *self, struct snapshot *columns[VIEW_COUNT]) {
    for (int view = 0; view < VIEW_COUNT; view++) {
        if (self == NULL) {
            snapshot_release(columns[view]);
        } else {
            self->columns[view] = columns[view];
            self->there[view] = columns[view] != NULL;
        }
        columns[view] = NULL;
    }
}

static struct callpaths *paths_of(struct snapshot *const columns[VIEW_COUNT]) {
    int view = 0;
    while (columns[view] == NULL)
        view++;
    return columns[view]->paths;
}

struct views *views_from_moment(struct state *state, struct moment *moment) {
    struct views *self = views_new(state);
    if (self != NULL)
        facts_note(&self->facts, moment);
    take_columns(self, moment->views);
    if (self != NULL && (self->names = names_for(state, paths_of(self->columns))) == NULL)
        Py_CLEAR(self);
    return self;
}

void views_share(struct views *self) {
    Py_BEGIN_ALLOW_THREADS;
    for (int view = 0; view < VIEW_COUNT; view++)
        if (self->columns[view] != NULL)
            snapshot_share(&self->columns[view]);
    Py_END_ALLOW_THREADS;
}

struct views *views_with_columns(struct state *state, struct views *like,
                                 struct snapshot *columns[VIEW_COUNT]) {
    struct views *self = views_new(state);
    take_columns(self, columns);
    if (self == NULL)
        return NULL;
    self->names = (struct names *)Py_NewRef((PyObject *)like->names);
    self->facts = facts_copy(&like->facts);
    self->metadata = Py_XNewRef(like->metadata);
    return self;
}

PyObject *views_metadata(struct views *self) {
    if (self->metadata == NULL) {
        PyObject *metadata = metadata_make(&self->facts);
        if (self->metadata == NULL) /* making it may have run code that came here */
            self->metadata = metadata;
        else
            Py_XDECREF(metadata);
    }
    return self->metadata;
}

/* --- in a file --- */

static void raise_invalid(const struct snapfile_error *error, PyObject *filename) {
    unsigned long long offset = error->offset;
    if (filename == NULL)
        PyErr_Format(PyExc_ValueError, "not a snapshot: %s (at byte %llu)", error->text, offset);
    else
        PyErr_Format(PyExc_ValueError, "not a snapshot file: %R: %s (at byte %llu)", filename, error->text,
                     offset);
}

void views_raise(const struct views *self, status result, struct snapfile_error *error) {
    if (result == STATUS_FAILED && self->source->error == 0) {
        snapfile_fail(error, self->source->length, "the file has become shorter");
        raise_invalid(error, self->filename);
    } else if (result == STATUS_FAILED) {
        errno = self->source->error;
        PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, self->filename);
    } else if (result == STATUS_INVALID) {
        raise_invalid(error, self->filename);
    } else {
        raise_status(result);
    }
}

/* Frame, metadata and the limit of the first view. */
static int open_file(struct views *self, struct opened *opened) {
    struct snapfile_source source = {.bytes = self->source->fd < 0 ? self->source->bytes : NULL,
                                     .read = file_source_read,
                                     .context = self->source,
                                     .length = self->source->length};
    struct snapfile_error error;
    status result;
    Py_BEGIN_ALLOW_THREADS;
    result = snapfile_open(self->file, &source, &snapshots_account, &error);
    if (result == STATUS_OK)
        result = snapfile_read_limit(self->file, self->file->first, &opened->limit, &error);
    Py_END_ALLOW_THREADS;
    if (result == STATUS_OK) {
        self->metadata = metadata_decode(self->file, &opened->attributes, &error);
        if (self->metadata != NULL || PyErr_Occurred())
            return self->metadata != NULL ? 0 : -1;
        result = STATUS_INVALID;
    }
    views_raise(self, result, &error);
    return -1;
}

struct views *views_open(struct state *state, struct file_source *source, PyObject *filename,
                         struct opened *opened) {
    struct views *self = views_new(state);
    *opened = (struct opened){.attributes = NULL};
    if (self == NULL) {
        file_source_free(source);
        return NULL;
    }
    self->source = source;
    self->filename = Py_XNewRef(filename);
    self->file = calloc(1, sizeof *self->file);
    if (self->file == NULL)
        PyErr_NoMemory();
    if (self->file == NULL || open_file(self, opened) < 0) {
        Py_DECREF((PyObject *)self);
        return NULL;
    }
    opened->first = self->file->first;
    for (int view = 0; view < VIEW_COUNT; view++)
        self->there[view] = self->file->views[view];
    return self;
}

/* The columns of a view, and the call paths where they are not there yet; both new references. */
static status read_file(const struct snapfile *file, enum view view, struct callpaths **paths,
                        struct snapshot **columns, struct snapfile_error *error) {
    status result = *paths == NULL ? snapfile_read_paths(file, paths, error) : STATUS_OK;
    return result == STATUS_OK ? snapfile_read_view(file, *paths, view, columns, error) : result;
}

/* Keeps what was read, unless another thread was quicker: its call paths are then the ones that count, and the rows
 * that go with them. 0: read again. */
static int keep(struct views *self, enum view view, struct callpaths *paths, struct snapshot *columns) {
    if (self->names == NULL && (self->names = names_new(self->state, paths)) == NULL)
        return -1;
    if (self->names->paths != paths)
        return self->columns[view] != NULL;
    if (self->columns[view] == NULL) {
        snapshot_retain(columns);
        self->columns[view] = columns;
    }
    return 1;
}

static bool all_is_read(const struct views *self) {
    for (int view = 0; view < VIEW_COUNT; view++)
        if (self->there[view] && self->columns[view] == NULL)
            return false;
    return true;
}

/* 1 done, 0 to be done again, -1 exception. */
static int read_once(struct views *self, enum view view) {
    struct callpaths *paths = self->names == NULL ? NULL : self->names->paths;
    struct snapshot *columns = NULL;
    struct snapfile_error error;
    status result;
    int done = -1;
    if (paths != NULL)
        callpaths_retain(paths);
    self->readers++;
    Py_BEGIN_ALLOW_THREADS;
    result = read_file(self->file, view, &paths, &columns, &error);
    Py_END_ALLOW_THREADS;
    self->readers--;
    if (result == STATUS_OK)
        done = keep(self, view, paths, columns);
    else
        views_raise(self, result, &error);
    callpaths_release(paths);
    snapshot_release(columns);
    return done;
}

static int raise_missing(const struct views *self, enum view view) {
    const char *comma = "";
    PyObject *list = PyUnicode_FromString("");
    for (int i = 0; list != NULL && i < VIEW_COUNT; i++) {
        if (!self->there[i])
            continue;
        PyUnicode_AppendAndDel(&list, PyUnicode_FromFormat("%s'%s'", comma, view_names[i]));
        comma = ", ";
    }
    if (list != NULL)
        PyErr_Format(PyExc_ValueError, "this snapshot has no view '%s'; it has %U", view_names[view], list);
    Py_XDECREF(list);
    return -1;
}

static void close_where_read(struct views *self) {
    if (self->file != NULL && self->readers == 0 && all_is_read(self))
        close_file(self);
}

int views_read(struct views *self, enum view view) {
    int done = 1;
    if (!self->there[view])
        return raise_missing(self, view);
    if (self->columns[view] != NULL)
        return 0;
    Py_INCREF((PyObject *)self);
    do
        done = read_once(self, view);
    while (done == 0);
    close_where_read(self);
    Py_DECREF((PyObject *)self);
    return done < 0 ? -1 : 0;
}

int views_borrow(struct views *self, struct callpaths **paths) {
    struct snapfile_error error;
    status result = STATUS_OK;
    *paths = self->names == NULL ? NULL : self->names->paths;
    self->readers++;
    if (*paths != NULL) {
        callpaths_retain(*paths);
        return 0;
    }
    Py_BEGIN_ALLOW_THREADS;
    result = snapfile_read_paths(self->file, paths, &error);
    Py_END_ALLOW_THREADS;
    if (result == STATUS_OK)
        return 0;
    views_raise(self, result, &error);
    views_give_back(self);
    return -1;
}

void views_give_back(struct views *self) {
    self->readers--;
    close_where_read(self);
}

static PyType_Slot views_slots[] = {
    {Py_tp_dealloc, views_dealloc},
    {0, NULL},
};

PyType_Spec views_spec = {
    .name = "memtally._core._Views",
    .basicsize = sizeof(struct views),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = views_slots,
};
