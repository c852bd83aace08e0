/* load: snapshots from files, from streams and from bytes (core/snapfile.h, views.h).
 *
 * Nothing that is read is ever executed. Needs the GIL, which is given up while a file is read and checked.
 */
#include "types.h"

#include "../core/snapfile.h"
#include "files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- attributes of the snapshot object --- */

static int restore_attribute(PyObject *snapshot, PyObject *key, PyObject *value) {
    PyObject *own = PyUnicode_CheckExact(key) ? PyObject_GetAttr((PyObject *)Py_TYPE(snapshot), key)
                                              : Py_NewRef(key);
    PyErr_Clear();
    bool taken = own != NULL || PyUnicode_CompareWithASCIIString(key, "traces") == 0;
    Py_XDECREF(own);
    return taken ? 0 : PyObject_SetAttr(snapshot, key, value); /* a file does not replace methods */
}

static int restore_attributes(PyObject *snapshot, PyObject *text) {
    PyObject *json = PyImport_ImportModule("json"), *decoded = NULL, *attributes = NULL, *key, *value;
    int result = -1;
    if (json != NULL)
        decoded = PyUnicode_DecodeUTF8(PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text), "strict");
    if (decoded != NULL)
        attributes = call(json, "loads", decoded, NULL);
    if (attributes != NULL && PyDict_Check(attributes)) {
        result = 0;
        for (Py_ssize_t at = 0; result == 0 && PyDict_Next(attributes, &at, &key, &value);)
            result = restore_attribute(snapshot, key, value);
    } else if (attributes != NULL || PyErr_ExceptionMatches(PyExc_ValueError) ||
               PyErr_ExceptionMatches(PyExc_RecursionError)) {
        PyErr_SetString(PyExc_ValueError,
                        "the attributes in the metadata of a snapshot file must be a JSON object");
    }
    Py_XDECREF(json);
    Py_XDECREF(decoded);
    Py_XDECREF(attributes);
    return result;
}

/* --- bytes --- */

struct views *load_bytes(struct state *state, PyObject *bytes, enum view *view) {
    struct opened opened;
    char *copy;
    if (state == NULL)
        return NULL;
    if (!PyBytes_Check(bytes)) {
        PyErr_Format(PyExc_TypeError, "the columns of traces are bytes, not %.200s", Py_TYPE(bytes)->tp_name);
        return NULL;
    }
    size_t length = (size_t)PyBytes_GET_SIZE(bytes);
    struct file_source *source = NULL;
    if ((copy = malloc(length + 1)) != NULL) {
        memcpy(copy, PyBytes_AS_STRING(bytes), length);
        source = file_source_of_bytes(copy, length);
    }
    if (source == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    struct views *views = views_open(state, source, NULL, &opened);
    if (views == NULL)
        return NULL;
    Py_XDECREF(opened.attributes);
    *view = opened.first;
    for (int i = 0; views != NULL && i < VIEW_COUNT; i++)
        if (views->there[i] && views_read(views, (enum view)i) < 0)
            Py_CLEAR(views);
    return views;
}

/* --- pickles of the standard module --- */

static bool can_be_read(const void *bytes, size_t length) {
    return snapfile_begins_as(bytes, length) || pickle_begins(bytes, length);
}

static status read_start(struct file_source *source, char *bytes, size_t length) {
    if (source->bytes == NULL)
        return file_source_read(source, 0, bytes, length);
    memcpy(bytes, source->bytes, length);
    return STATUS_OK;
}

static bool is_pickle(struct file_source *source) {
    char first;
    return source->length > 0 && read_start(source, &first, 1) == STATUS_OK && pickle_begins(&first, 1);
}

static void raise_unread(const struct file_source *source, status result, PyObject *filename) {
    if (result == STATUS_NOMEM) {
        PyErr_NoMemory();
    } else if (source->error != 0) {
        errno = source->error;
        PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, filename);
    } else {
        PyErr_SetString(PyExc_ValueError, "not a snapshot file: it became shorter while it was read");
    }
}

/* Consumes the source; `filename` may be NULL. */
static PyObject *snapshot_of_pickle(struct state *state, struct file_source *source, PyObject *filename) {
    char *bytes = malloc(source->length);
    PyObject *snapshot = NULL;
    status result = STATUS_NOMEM;
    if (bytes != NULL) {
        Py_BEGIN_ALLOW_THREADS;
        result = read_start(source, bytes, source->length);
        Py_END_ALLOW_THREADS;
    }
    if (result == STATUS_OK)
        snapshot = pickle_load(state, bytes, source->length, filename);
    else
        raise_unread(source, result, filename);
    free(bytes);
    file_source_free(source);
    return snapshot;
}

/* --- files --- */

static struct file_source *open_path(PyObject *filename) {
    struct file_source *source = NULL;
    PyObject *path = NULL;
    int error = 0;
    if (!PyUnicode_FSConverter(filename, &path))
        return NULL;
    if (PySys_Audit("open", "Osi", filename, "rb", 0) == 0) {
        Py_BEGIN_ALLOW_THREADS;
        source = file_source_open(PyBytes_AS_STRING(path), can_be_read, interrupted, &error);
        Py_END_ALLOW_THREADS;
        if (source == NULL && !PyErr_Occurred()) {
            errno = error;
            PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, filename);
        }
    }
    Py_DECREF(path);
    return source;
}

/* --- streams --- */

struct text {
    char *bytes; /* owned (malloc) */
    size_t used, room;
};

static int text_add(struct text *text, PyObject *part) {
    size_t more = (size_t)PyBytes_GET_SIZE(part);
    if (text->room - text->used < more) {
        size_t room = text->used + text->used / 2 + more;
        char *grown = realloc(text->bytes, room);
        if (grown == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        text->bytes = grown;
        text->room = room;
    }
    memcpy(text->bytes + text->used, PyBytes_AS_STRING(part), more);
    text->used += more;
    return 0;
}

/* The next part of a stream: 1; 0 at its end; -1 exception. */
static int read_part(PyObject *stream, PyObject *size, struct text *text) {
    PyObject *part = call(stream, "read", size, NULL);
    int result = -1;
    if (part != NULL && !PyBytes_Check(part))
        PyErr_Format(PyExc_TypeError, "read() of a snapshot file must return bytes, not %.200s",
                     Py_TYPE(part)->tp_name);
    else if (part != NULL)
        result = PyBytes_GET_SIZE(part) == 0 ? 0 : text_add(text, part) < 0 ? -1 : 1;
    Py_XDECREF(part);
    return result;
}

/* To its end, or so far as to see that it is no snapshot. */
static struct file_source *read_stream(PyObject *stream) {
    enum { PART = 1 << 18 };
    struct text text = {NULL, 0, 0};
    struct file_source *source = NULL;
    PyObject *size = PyLong_FromLong(PART);
    int more = size == NULL ? -1 : 1;
    while (more > 0 && (text.used == 0 || can_be_read(text.bytes, text.used)))
        more = read_part(stream, size, &text);
    Py_XDECREF(size);
    if (more < 0)
        free(text.bytes);
    else if ((source = file_source_of_bytes(text.bytes, text.used)) == NULL)
        PyErr_NoMemory();
    return source;
}

static PyObject *snapshot_from_source(struct state *state, PyTypeObject *type, struct file_source *source,
                                      PyObject *filename) {
    struct opened opened;
    struct views *views = views_open(state, source, filename, &opened);
    if (views == NULL)
        return NULL;
    PyObject *limit = PyLong_FromUnsignedLong(opened.limit), *snapshot = NULL;
    if (limit != NULL)
        snapshot = snapshot_around(type, traces_from_views(state, views, opened.first), limit);
    if (snapshot != NULL && opened.attributes != NULL && restore_attributes(snapshot, opened.attributes) < 0)
        Py_CLEAR(snapshot);
    Py_DECREF((PyObject *)views);
    Py_XDECREF(opened.attributes);
    Py_XDECREF(limit);
    return snapshot;
}

PyObject *snapshot_load(PyObject *type, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"filename", NULL};
    PyObject *file, *module = PyType_GetModuleByDef((PyTypeObject *)type, &memtally_module);
    int streams;
    if (module == NULL || !PyArg_ParseTupleAndKeywords(args, kwargs, "O:load", keywords, &file) ||
        (streams = is_stream(file, "read")) < 0)
        return NULL;
    struct file_source *source = streams ? read_stream(file) : open_path(file);
    if (source == NULL)
        return NULL;
    if (is_pickle(source))
        return snapshot_of_pickle(PyModule_GetState(module), source, streams ? NULL : file);
    return snapshot_from_source(PyModule_GetState(module), (PyTypeObject *)type, source,
                                streams ? NULL : file);
}
