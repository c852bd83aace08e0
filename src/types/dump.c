/* dump: snapshots to files, to streams and to bytes, in the format of core/snapfile.h.
 *
 * The metadata entry "attributes" keeps what a program put on the snapshot object, as JSON; it is left out
 * where there is nothing but the usual traceback_limit. Needs the GIL, which is given up while bytes are written to a
 * file or made for a stream. Memory does not depend on the number of rows.
 */
#include "types.h"

#include "../core/snapfile.h"
#include "files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- attributes --- */

static bool is_simple(PyObject *value, int depth);

static bool is_simple_dict(PyObject *dict, int depth) {
    PyObject *key, *value;
    for (Py_ssize_t at = 0; PyDict_Next(dict, &at, &key, &value);)
        if (!PyUnicode_CheckExact(key) || !is_simple(value, depth))
            return false;
    return true;
}

/* What comes back from JSON exactly as it was. */
static bool is_simple(PyObject *value, int depth) {
    if (value == Py_None || PyBool_Check(value) || PyLong_CheckExact(value) || PyFloat_CheckExact(value) ||
        PyUnicode_CheckExact(value))
        return true;
    if (depth == 0)
        return false;
    if (PyDict_CheckExact(value))
        return is_simple_dict(value, depth - 1);
    bool simple = PyList_CheckExact(value);
    for (Py_ssize_t i = 0; simple && i < PyList_GET_SIZE(value); i++)
        simple = is_simple(PyList_GET_ITEM(value, i), depth - 1);
    return simple;
}

/* All attributes but the traces, as a new dict. */
static PyObject *attributes_of(PyObject *snapshot) {
    enum { MOST_LEVELS = 100 };
    PyObject *all = PyObject_GenericGetDict(snapshot, NULL), *rest = NULL, *key, *value;
    if (all != NULL)
        rest = PyDict_Copy(all);
    if (rest != NULL && PyDict_DelItemString(rest, "traces") < 0)
        Py_CLEAR(rest);
    for (Py_ssize_t at = 0; rest != NULL && PyDict_Next(rest, &at, &key, &value);) {
        if (!PyUnicode_CheckExact(key) || !is_simple(value, MOST_LEVELS)) {
            PyErr_Format(PyExc_TypeError,
                         "attribute %R of the snapshot is no plain data and cannot be written: %.200s", key,
                         Py_TYPE(value)->tp_name);
            Py_CLEAR(rest);
        }
    }
    Py_XDECREF(all);
    return rest;
}

/* 1: there is nothing to keep but a limit equal to that of the columns. */
static int is_usual(PyObject *attributes, const struct snapshot *columns) {
    PyObject *limit = PyDict_GetItemString(attributes, "traceback_limit"), *usual = NULL;
    int result = 0;
    if (PyDict_GET_SIZE(attributes) == 1 && limit != NULL && PyLong_CheckExact(limit)) {
        usual = PyLong_FromUnsignedLong(columns->limit);
        result = usual == NULL ? -1 : PyObject_RichCompareBool(limit, usual, Py_EQ);
    }
    Py_XDECREF(usual);
    return result;
}

/* JSON as str, or None where nothing needs keeping. */
static PyObject *attributes_text(PyObject *snapshot, const struct snapshot *columns) {
    PyObject *attributes = attributes_of(snapshot), *json = NULL, *text = NULL;
    int usual = attributes == NULL ? -1 : is_usual(attributes, columns);
    if (usual > 0)
        text = Py_NewRef(Py_None);
    else if (usual == 0 && (json = PyImport_ImportModule("json")) != NULL)
        text = call(json, "dumps", attributes, NULL);
    Py_XDECREF(attributes);
    Py_XDECREF(json);
    return text;
}

/* --- what there is to write --- */

/* All views of a snapshot in memory, its own first, and its metadata. */
struct writing {
    struct snapshot *columns[VIEW_COUNT]; /* owned references */
    size_t count;
    struct metadata_texts metadata;
};

static void writing_fini(struct writing *self) {
    for (size_t i = 0; i < self->count; i++)
        snapshot_release(self->columns[i]);
    metadata_texts_fini(&self->metadata);
}

static void add_columns(struct writing *self, struct snapshot *columns) {
    snapshot_retain(columns);
    self->columns[self->count++] = columns;
}

/* The traces' columns are read. */
static int add_traces(struct writing *self, struct traces *traces) {
    add_columns(self, traces->columns);
    struct views *views = traces->views;
    for (int view = 0; views != NULL && view < VIEW_COUNT; view++) {
        if (!views->there[view] || view == (int)traces->view)
            continue;
        if (views_read(views, (enum view)view) < 0)
            return -1;
        add_columns(self, views->columns[view]);
    }
    return 0;
}

static int add_metadata(struct writing *self, struct views *views, PyObject *leave_out,
                        PyObject *attributes) {
    PyObject *metadata = views != NULL ? Py_XNewRef(views_metadata(views)) : PyDict_New(), *names = NULL;
    int result = -1;
    if (metadata != NULL && (leave_out == NULL || (names = metadata_names(leave_out, metadata)) != NULL))
        result = metadata_encode(metadata, names, attributes, &self->metadata);
    Py_XDECREF(metadata);
    Py_XDECREF(names);
    return result;
}

static int add_raw(struct writing *self, PyObject *traces) {
    PyObject *raw = attribute(traces, "_traces");
    struct snapshot *columns;
    int fits = raw == NULL ? -1 : columns_from_raw(raw, &columns);
    if (fits == 0)
        PyErr_SetString(PyExc_ValueError,
                        "these traces cannot be written: they are not all tuples (domain, size, "
                        "frames[, total_nframe]) with numbers that blocks of memory can have");
    if (fits > 0)
        self->columns[self->count++] = columns;
    Py_XDECREF(raw);
    return fits > 0 ? 0 : -1;
}

/* ValueError where the traces do not fit. */
static int writing_init(struct writing *self, PyObject *snapshot, PyObject *leave_out) {
    struct state *state = state_of(snapshot);
    PyObject *traces = state == NULL ? NULL : attribute(snapshot, "traces"), *text = NULL;
    struct traces *own = traces != NULL && PyObject_TypeCheck(traces, state->traces_type)
                             ? (struct traces *)traces
                             : NULL;
    int has = traces == NULL ? -1 : own == NULL ? 0 : traces_columns(own), result = -1;
    if (has >= 0)
        result = has > 0 ? add_traces(self, own) : add_raw(self, traces);
    if (result == 0)
        result = (text = attributes_text(snapshot, self->columns[0])) == NULL ? -1 : 0;
    if (result == 0)
        result = add_metadata(self, has > 0 ? own->views : NULL, leave_out, text);
    Py_XDECREF(traces);
    Py_XDECREF(text);
    return result;
}

static status write_to(const struct writing *self, snapfile_sink sink, void *context) {
    return snapfile_write(self->columns, self->count, self->metadata.pairs, self->metadata.count, sink,
                          context);
}

/* --- bytes --- */

struct buffer {
    char *bytes; /* owned (malloc): grown without the GIL */
    size_t used, room;
};

static status buffer_put(void *context, const void *bytes, size_t length) {
    struct buffer *buffer = context;
    if (buffer->room - buffer->used < length) {
        size_t room = buffer->room + buffer->room / 2 + length + 4096;
        char *grown = realloc(buffer->bytes, room);
        if (grown == NULL)
            return STATUS_NOMEM;
        buffer->bytes = grown;
        buffer->room = room;
    }
    memcpy(buffer->bytes + buffer->used, bytes, length);
    buffer->used += length;
    return STATUS_OK;
}

PyObject *dump_bytes(struct traces *traces) {
    struct writing writing = {.count = 0};
    struct buffer buffer = {0};
    PyObject *bytes = NULL;
    status result;
    if (add_traces(&writing, traces) == 0 && add_metadata(&writing, traces->views, NULL, Py_None) == 0) {
        Py_BEGIN_ALLOW_THREADS;
        result = write_to(&writing, buffer_put, &buffer);
        Py_END_ALLOW_THREADS;
        if (result != STATUS_OK)
            raise_status(result);
        else
            bytes = PyBytes_FromStringAndSize(buffer.bytes, (Py_ssize_t)buffer.used);
    }
    writing_fini(&writing);
    free(buffer.bytes);
    return bytes;
}

/* --- files --- */

bool interrupted(void) {
    PyGILState_STATE held = PyGILState_Ensure();
    bool raised = PyErr_CheckSignals() < 0;
    PyGILState_Release(held);
    return raised;
}

static void raise_not_written(int error, uint64_t written, PyObject *filename) {
    PyObject *text = PyUnicode_FromFormat("%s, after %llu bytes of the snapshot", strerror(error),
                                          (unsigned long long)written);
    PyObject *exception = text == NULL ? NULL
                                       : PyObject_CallFunction(PyExc_OSError, "iOO", error, text, filename);
    if (exception != NULL)
        PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_XDECREF(text);
    Py_XDECREF(exception);
}

static int write_file(const struct writing *writing, const char *path, PyObject *filename) {
    struct file_writer *writer = malloc(sizeof *writer);
    if (writer == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    status result = STATUS_FAILED;
    int error;
    uint64_t written;
    Py_BEGIN_ALLOW_THREADS;
    if (file_writer_open(writer, path, interrupted))
        result = write_to(writing, file_writer_put, writer);
    error = file_writer_close(writer, result == STATUS_OK);
    written = writer->written;
    Py_END_ALLOW_THREADS;
    free(writer);
    if (PyErr_Occurred()) /* by a signal's handler */
        return -1;
    if (error != 0)
        raise_not_written(error, written, filename);
    else if (result != STATUS_OK)
        raise_status(result);
    return error != 0 || result != STATUS_OK ? -1 : 0;
}

static int write_path(const struct writing *writing, PyObject *filename) {
    PyObject *path = NULL;
    int result = -1;
    if (!PyUnicode_FSConverter(filename, &path))
        return -1;
    if (PySys_Audit("open", "Osi", filename, "wb", 0) == 0)
        result = write_file(writing, PyBytes_AS_STRING(path), filename);
    Py_DECREF(path);
    return result;
}

static status write_writing(const void *writing, snapfile_sink sink, void *context) {
    return write_to(writing, sink, context);
}

PyObject *snapshot_dump(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"filename", "leave_out", NULL};
    PyObject *file, *leave_out = NULL;
    struct writing writing = {.count = 0};
    int streams, result = -1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$O:dump", keywords, &file, &leave_out) ||
        (streams = is_stream(file, "write")) < 0)
        return NULL;
    if (writing_init(&writing, self, leave_out) == 0)
        result = streams ? stream_out(file, write_writing, &writing) : write_path(&writing, file);
    writing_fini(&writing);
    if (result < 0)
        return NULL;
    Py_RETURN_NONE;
}
