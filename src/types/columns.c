/* columns: raw traces (tuples) -> columns with call paths of their own.
 *
 * A list fits when every trace is a tuple of exact types: (domain, size, frames[, total_nframe]) with domain
 * and lines below 2^32, sizes whose sum stays below 2^63, frames a tuple of (str, int) pairs with at least
 * one frame, and total_nframe None or a positive int below 2^32. What does not fit is left to plain.c, which
 * takes any objects. Tracebacks are recognised by the identity of their tuple first, as most are shared.
 * Needs the GIL.
 */
#include "types.h"

struct vmem snapshots_account;

struct builder {
    PyObject *nodes;          /* owned dict: address of a frames tuple -> node id */
    PyObject *strings;        /* owned dict: file name -> string id */
    struct callpaths *paths;  /* owned reference */
    struct snapshot *columns; /* owned reference */
    uint64_t most;            /* an upper bound of any sum of sizes */
    struct row last;          /* not added yet, because the next trace may be equal; count 0: none */
};

/* Results of the functions below: 1 done, 0 does not fit, -1 exception. */

static int intern_string(struct builder *self, PyObject *name, uint32_t *id) {
    PyObject *known = PyDict_GetItemWithError(self->strings, name), *bytes, *number;
    if (known != NULL) {
        *id = (uint32_t)PyLong_AsUnsignedLong(known);
        return 1;
    }
    if (PyErr_Occurred() || (bytes = PyUnicode_AsEncodedString(name, "utf-8", "surrogatepass")) == NULL)
        return -1;
    lock_acquire(&self->paths->lock);
    status result = strtab_intern(&self->paths->strings, PyBytes_AS_STRING(bytes),
                                  (size_t)PyBytes_GET_SIZE(bytes), id);
    lock_release(&self->paths->lock);
    Py_DECREF(bytes);
    if (result != STATUS_OK) {
        raise_status(result);
        return -1;
    }
    number = PyLong_FromUnsignedLong(*id);
    int stored = number == NULL ? -1 : PyDict_SetItem(self->strings, name, number);
    Py_XDECREF(number);
    return stored < 0 ? -1 : 1;
}

/* An exact int in 0 .. most. */
static int small_number(PyObject *number, uint64_t most, uint64_t *value) {
    if (!PyLong_CheckExact(number))
        return 0;
    *value = PyLong_AsUnsignedLongLong(number);
    if (*value == (unsigned long long)-1 && PyErr_Occurred()) {
        PyErr_Clear(); /* negative or too large */
        return 0;
    }
    return *value <= most;
}

static int intern_frame(struct builder *self, PyObject *frame, uint32_t parent, uint32_t depth,
                        uint32_t *node) {
    struct site site = {0};
    uint64_t line;
    uint32_t site_id;
    if (!PyTuple_CheckExact(frame) || PyTuple_GET_SIZE(frame) != 2 ||
        !PyUnicode_CheckExact(PyTuple_GET_ITEM(frame, 0)) ||
        !small_number(PyTuple_GET_ITEM(frame, 1), UINT32_MAX, &line))
        return 0;
    if (intern_string(self, PyTuple_GET_ITEM(frame, 0), &site.file) < 0)
        return -1;
    site.line = (uint32_t)line;
    lock_acquire(&self->paths->lock);
    status result = site_intern_locked(self->paths, &site, &site_id);
    if (result == STATUS_OK)
        result = node_intern_locked(self->paths, parent, site_id, depth, node);
    lock_release(&self->paths->lock);
    if (result == STATUS_OK)
        return 1;
    raise_status(result);
    return -1;
}

static int intern_frames(struct builder *self, PyObject *frames, uint32_t *node) {
    *node = 0;
    Py_ssize_t count = PyTuple_CheckExact(frames) ? PyTuple_GET_SIZE(frames) : 0;
    if (count == 0 || count > UINT16_MAX)
        return 0;
    for (Py_ssize_t i = count - 1; i >= 0; i--) {
        int done = intern_frame(self, PyTuple_GET_ITEM(frames, i), *node, (uint32_t)(count - i), node);
        if (done <= 0)
            return done;
    }
    if ((uint32_t)count > self->columns->limit)
        self->columns->limit = (uint32_t)count;
    return 1;
}

static int new_node(struct builder *self, PyObject *key, PyObject *frames, uint32_t *node) {
    int done = intern_frames(self, frames, node);
    PyObject *number = done > 0 ? PyLong_FromUnsignedLong(*node) : NULL;
    if (done > 0 && (number == NULL || PyDict_SetItem(self->nodes, key, number) < 0))
        done = -1;
    Py_XDECREF(number);
    return done;
}

static int find_node(struct builder *self, PyObject *frames, uint32_t *node) {
    PyObject *key = PyLong_FromVoidPtr(frames);
    PyObject *known = key == NULL ? NULL : PyDict_GetItemWithError(self->nodes, key);
    int done = 1;
    if (known != NULL)
        *node = (uint32_t)PyLong_AsUnsignedLong(known);
    else
        done = PyErr_Occurred() ? -1 : new_node(self, key, frames, node);
    Py_XDECREF(key);
    return done;
}

static int flush(struct builder *self) {
    status result = self->last.count == 0 ? STATUS_OK : snapshot_add(self->columns, &self->last);
    self->last.count = 0;
    if (result == STATUS_OK)
        return 1;
    raise_status(result);
    return -1;
}

static int add_row(struct builder *self, const struct row *row) {
    struct row *last = &self->last;
    if (last->count > 0 && last->node == row->node && last->size == row->size &&
        last->domain == row->domain && last->depth == row->depth) {
        last->count++;
        return 1;
    }
    int done = flush(self);
    *last = *row;
    return done;
}

static int add_trace(struct builder *self, PyObject *trace) {
    struct row row = {.count = 1};
    uint64_t domain, depth = 0, all;
    if (!PyTuple_CheckExact(trace) || PyTuple_GET_SIZE(trace) < 3 || PyTuple_GET_SIZE(trace) > 4)
        return 0;
    PyObject *total = PyTuple_GET_SIZE(trace) == 4 ? PyTuple_GET_ITEM(trace, 3) : Py_None;
    if (!small_number(PyTuple_GET_ITEM(trace, 0), UINT32_MAX, &domain) ||
        !small_number(PyTuple_GET_ITEM(trace, 1), UINT64_MAX, &row.size) ||
        (total != Py_None && (!small_number(total, UINT32_MAX, &depth) || depth == 0)))
        return 0;
    int done = find_node(self, PyTuple_GET_ITEM(trace, 2), &row.node);
    if (done <= 0)
        return done;
    /* cumulative statistics count a size once for each frame */
    uint64_t frames = (uint64_t)PyTuple_GET_SIZE(PyTuple_GET_ITEM(trace, 2));
    if (__builtin_mul_overflow(row.size, frames, &all) ||
        __builtin_add_overflow(self->most, all, &self->most) || self->most > (uint64_t)INT64_MAX)
        return 0;
    row.domain = (uint32_t)domain;
    row.depth = (uint32_t)depth;
    return add_row(self, &row);
}

static int builder_init(struct builder *self) {
    self->nodes = PyDict_New();
    self->strings = PyDict_New();
    if (self->nodes == NULL || self->strings == NULL)
        return -1;
    self->paths = callpaths_new(&snapshots_account);
    if (self->paths != NULL)
        self->columns = snapshot_new(&snapshots_account, self->paths, 1, VIEW_LIVE);
    if (self->columns == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    return 1;
}

static void builder_fini(struct builder *self) {
    Py_XDECREF(self->nodes);
    Py_XDECREF(self->strings);
    snapshot_release(self->columns);
    callpaths_release(self->paths);
}

int columns_from_raw(PyObject *raw, struct snapshot **columns) {
    struct builder builder = {0};
    if (!PyList_CheckExact(raw) && !PyTuple_CheckExact(raw))
        return 0;
    PyObject *traces = PySequence_Tuple(raw); /* of our own: nobody changes it meanwhile */
    int done = traces == NULL ? -1 : builder_init(&builder);
    for (Py_ssize_t i = 0; done > 0 && i < PyTuple_GET_SIZE(traces); i++)
        done = add_trace(&builder, PyTuple_GET_ITEM(traces, i));
    if (done > 0 && (done = flush(&builder)) > 0) {
        *columns = builder.columns;
        builder.columns = NULL;
    }
    builder_fini(&builder);
    Py_XDECREF(traces);
    return done;
}
