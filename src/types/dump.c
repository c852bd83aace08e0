/* dump: snapshots to and from files and bytes, in the format of core/snapfile.h.
 *
 * The metadata entry "attributes" keeps what a program put on the snapshot object, as JSON; it is left out
 * where there is nothing but the usual traceback_limit. Nothing read is ever executed. Needs the GIL, which
 * is given up while bytes are written, read and checked.
 */
#include "types.h"

#include "../core/snapfile.h"
#include "files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char attributes_key[] = "attributes";

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
    enum { MOST_DEPTH = 100 };
    PyObject *all = PyObject_GenericGetDict(snapshot, NULL), *rest = NULL, *key, *value;
    if (all != NULL)
        rest = PyDict_Copy(all);
    if (rest != NULL && PyDict_DelItemString(rest, "traces") < 0)
        Py_CLEAR(rest);
    for (Py_ssize_t at = 0; rest != NULL && PyDict_Next(rest, &at, &key, &value);) {
        if (!PyUnicode_CheckExact(key) || !is_simple(value, MOST_DEPTH)) {
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

static int restore_attribute(PyObject *snapshot, PyObject *key, PyObject *value) {
    PyObject *own = PyUnicode_CheckExact(key) ? PyObject_GetAttr((PyObject *)Py_TYPE(snapshot), key)
                                              : Py_NewRef(key);
    PyErr_Clear();
    bool taken = own != NULL || PyUnicode_CompareWithASCIIString(key, "traces") == 0;
    Py_XDECREF(own);
    return taken ? 0 : PyObject_SetAttr(snapshot, key, value); /* a file does not replace methods */
}

static int restore_attributes(PyObject *snapshot, const struct string *text) {
    PyObject *json = PyImport_ImportModule("json"), *decoded = NULL, *attributes = NULL, *key, *value;
    int result = -1;
    if (json != NULL)
        decoded = PyUnicode_DecodeUTF8(text->bytes, (Py_ssize_t)text->length, "strict");
    if (decoded != NULL)
        attributes = call(json, "loads", decoded, NULL);
    if (attributes != NULL && PyDict_Check(attributes)) {
        result = 0;
        for (Py_ssize_t at = 0; result == 0 && PyDict_Next(attributes, &at, &key, &value);)
            result = restore_attribute(snapshot, key, value);
    } else if (attributes != NULL || !PyErr_ExceptionMatches(PyExc_MemoryError)) {
        PyErr_SetString(PyExc_ValueError,
                        "the attributes in the metadata of a snapshot file must be a JSON object");
    }
    Py_XDECREF(json);
    Py_XDECREF(decoded);
    Py_XDECREF(attributes);
    return result;
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

PyObject *dump_bytes(struct snapshot *columns) {
    struct buffer buffer = {0};
    PyObject *bytes = NULL;
    status result;
    Py_BEGIN_ALLOW_THREADS;
    result = snapfile_write(&columns, 1, NULL, 0, buffer_put, &buffer);
    Py_END_ALLOW_THREADS;
    if (result != STATUS_OK)
        raise_status(result);
    else
        bytes = PyBytes_FromStringAndSize(buffer.bytes, (Py_ssize_t)buffer.used);
    free(buffer.bytes);
    return bytes;
}

/* ValueError for what is wrong in a file; `filename` may be NULL. */
static void raise_bad_file(status result, const struct snapfile_error *error, PyObject *filename) {
    if (result != STATUS_INVALID)
        raise_status(result);
    else if (filename == NULL)
        PyErr_Format(PyExc_ValueError, "not a snapshot: %s (at byte %llu)", error->text,
                     (unsigned long long)error->offset);
    else
        PyErr_Format(PyExc_ValueError, "not a snapshot file: %R: %s (at byte %llu)", filename, error->text,
                     (unsigned long long)error->offset);
}

struct snapshot *load_bytes(PyObject *bytes) {
    struct snapshot *columns = NULL;
    struct snapfile_error error;
    status result;
    if (!PyBytes_Check(bytes)) {
        PyErr_Format(PyExc_TypeError, "the columns of traces are bytes, not %.200s", Py_TYPE(bytes)->tp_name);
        return NULL;
    }
    const char *start = PyBytes_AS_STRING(bytes);
    size_t length = (size_t)PyBytes_GET_SIZE(bytes);
    Py_BEGIN_ALLOW_THREADS;
    result = snapfile_read(start, length, &snapshots_account, &columns, &error);
    Py_END_ALLOW_THREADS;
    if (result == STATUS_OK)
        return columns;
    raise_bad_file(result, &error, NULL);
    return NULL;
}

/* --- files --- */

static void raise_errno(int error, PyObject *filename) {
    errno = error;
    PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, filename);
}

static int write_file(struct snapshot *columns, PyObject *text, const char *path, PyObject *filename) {
    struct snapfile_pair entry = {.key = {attributes_key, sizeof attributes_key - 1}};
    struct file_writer *writer = malloc(sizeof *writer);
    if (writer == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (text != Py_None) {
        Py_ssize_t length;
        entry.value.bytes = PyUnicode_AsUTF8AndSize(text, &length); /* ASCII, as json.dumps gives it */
        entry.value.length = (size_t)length;
    }
    status result = STATUS_INVALID;
    int error;
    Py_BEGIN_ALLOW_THREADS;
    if (file_writer_open(writer, path))
        result = snapfile_write(&columns, 1, &entry, text != Py_None, file_writer_put, writer);
    error = file_writer_close(writer, result == STATUS_OK);
    Py_END_ALLOW_THREADS;
    free(writer);
    if (error != 0)
        raise_errno(error, filename);
    else if (result != STATUS_OK)
        raise_status(result);
    return error != 0 || result != STATUS_OK ? -1 : 0;
}

/* The columns of a snapshot's traces: new reference. ValueError where they do not fit. */
static struct snapshot *columns_of(PyObject *snapshot) {
    struct state *state = state_of(snapshot);
    PyObject *traces = state == NULL ? NULL : attribute(snapshot, "traces"), *raw = NULL;
    struct snapshot *columns = NULL;
    if (traces != NULL && PyObject_TypeCheck(traces, state->traces_type) &&
        ((struct traces *)traces)->columns != NULL)
        snapshot_retain(columns = ((struct traces *)traces)->columns);
    else if (traces != NULL && (raw = attribute(traces, "_traces")) != NULL &&
             columns_from_raw(raw, &columns) == 0)
        PyErr_SetString(PyExc_ValueError,
                        "these traces cannot be written: they are not all tuples (domain, size, "
                        "frames[, total_nframe]) with numbers that blocks of memory can have");
    Py_XDECREF(traces);
    Py_XDECREF(raw);
    return columns;
}

PyObject *snapshot_dump(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"filename", NULL};
    PyObject *path = NULL, *text = NULL;
    PyObject *filename;
    int result = -1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:dump", keywords, &filename) ||
        !PyUnicode_FSConverter(filename, &path))
        return NULL;
    struct snapshot *columns = NULL;
    if (PySys_Audit("open", "Osi", filename, "wb", 0) == 0 && (columns = columns_of(self)) != NULL &&
        (text = attributes_text(self, columns)) != NULL)
        result = write_file(columns, text, PyBytes_AS_STRING(path), filename);
    snapshot_release(columns);
    Py_DECREF(path);
    Py_XDECREF(text);
    if (result < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* Opens, checks and reads the first view there is; `*attributes` lies in the bytes, its length 0 where there
 * are none. */
static status read_columns(const void *bytes, size_t length, struct snapshot **columns,
                           struct string *attributes, struct snapfile_error *error) {
    struct snapfile_source source = {.bytes = bytes, .length = length};
    struct snapfile file;
    struct snapfile_pair entry;
    struct callpaths *paths = NULL;
    enum view view = VIEW_LIVE;
    size_t cursor = 0;
    status result = snapfile_open(&file, &source, &snapshots_account, error);
    if (result != STATUS_OK)
        return result;
    while (snapfile_next_pair(&file, &cursor, &entry))
        if (entry.key.length == sizeof attributes_key - 1 &&
            memcmp(entry.key.bytes, attributes_key, entry.key.length) == 0)
            *attributes = entry.value;
    while (!file.views[view] && view + 1 < VIEW_COUNT)
        view++;
    if ((result = snapfile_read_paths(&file, &paths, error)) != STATUS_OK)
        return result;
    result = snapfile_read_view(&file, paths, view, columns, error);
    callpaths_release(paths);
    return result;
}

static PyObject *snapshot_of_bytes(struct state *state, const void *bytes, size_t length,
                                   PyObject *filename) {
    struct names *names = NULL;
    PyObject *limit = NULL, *snapshot = NULL;
    struct snapshot *columns = NULL;
    struct string attributes = {NULL, 0};
    struct snapfile_error error;
    status result;
    Py_BEGIN_ALLOW_THREADS;
    result = read_columns(bytes, length, &columns, &attributes, &error);
    Py_END_ALLOW_THREADS;
    if (result != STATUS_OK) {
        raise_bad_file(result, &error, filename);
        return NULL;
    }
    if ((limit = PyLong_FromUnsignedLong(columns->limit)) != NULL &&
        (names = names_new(state, columns->paths)) != NULL)
        snapshot = snapshot_from_columns(state, names, columns, limit);
    if (snapshot != NULL && attributes.length > 0 && restore_attributes(snapshot, &attributes) < 0)
        Py_CLEAR(snapshot);
    snapshot_release(columns);
    Py_XDECREF(names);
    Py_XDECREF(limit);
    return snapshot;
}

PyObject *snapshot_load(PyObject *type, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"filename", NULL};
    PyObject *path = NULL, *snapshot = NULL;
    PyObject *filename, *module = PyType_GetModuleByDef((PyTypeObject *)type, &memtally_module);
    void *bytes = NULL;
    size_t length = 0;
    int error;
    if (module == NULL || !PyArg_ParseTupleAndKeywords(args, kwargs, "O:load", keywords, &filename) ||
        !PyUnicode_FSConverter(filename, &path))
        return NULL;
    if (PySys_Audit("open", "Osi", filename, "rb", 0) < 0) {
        Py_DECREF(path);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS;
    error = file_read(PyBytes_AS_STRING(path), &bytes, &length);
    Py_END_ALLOW_THREADS;
    if (error != 0)
        raise_errno(error, filename);
    else
        snapshot = snapshot_of_bytes(PyModule_GetState(module), bytes, length, filename);
    free(bytes);
    Py_DECREF(path);
    return snapshot;
}
