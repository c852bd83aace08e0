/* snapshot: class Snapshot: what was allocated where, at one moment.
 *
 * Keeps `traces` and `traceback_limit` in its dictionary, as the standard class does; the columns belong to
 * the sequence in `traces`. Methods turn raw traces into columns for the time of the call (they may be
 * changed between two calls) and hand what does not fit to plain.c. Needs the GIL.
 */
#include "types.h"

#include <string.h>

struct snapshot_object {
    PyObject ob_base;
    PyObject *dict, *weakrefs;
};

static const char *const view_names[VIEW_COUNT] = {"live", "peak", "total"};

int view_from_name(PyObject *name, enum view *view) {
    for (int i = 0; PyUnicode_Check(name) && i < VIEW_COUNT; i++) {
        if (PyUnicode_CompareWithASCIIString(name, view_names[i]) == 0) {
            *view = (enum view)i;
            return 0;
        }
    }
    PyErr_Format(PyExc_ValueError, "unknown view: %R; there are 'live', 'peak' and 'total'", name);
    return -1;
}

/* Steals traces, which may be NULL. */
static PyObject *snapshot_around(struct state *state, PyObject *traces, PyObject *limit) {
    PyObject *self = traces == NULL ? NULL : state->snapshot_type->tp_alloc(state->snapshot_type, 0);
    if (self != NULL && (PyObject_SetAttrString(self, "traces", traces) < 0 ||
                         PyObject_SetAttrString(self, "traceback_limit", limit) < 0))
        Py_CLEAR(self);
    Py_XDECREF(traces);
    return self;
}

PyObject *snapshot_from_columns(struct state *state, struct names *names, struct snapshot *columns,
                                PyObject *limit) {
    return snapshot_around(state, traces_from_columns(state, names, columns), limit);
}

PyObject *snapshot_from_raw(struct state *state, PyObject *raw, PyObject *limit) {
    return snapshot_around(state, PyObject_CallOneArg((PyObject *)state->traces_type, raw), limit);
}

static int snapshot_init(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"traces", "traceback_limit", NULL};
    PyObject *raw, *limit;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO:Snapshot", keywords, &raw, &limit))
        return -1;
    struct state *state = state_of(self);
    PyObject *traces = state == NULL ? NULL : PyObject_CallOneArg((PyObject *)state->traces_type, raw);
    int result = -1;
    if (traces != NULL && PyObject_SetAttrString(self, "traces", traces) == 0)
        result = PyObject_SetAttrString(self, "traceback_limit", limit);
    Py_XDECREF(traces);
    return result;
}

/* --- one side of an operation --- */

/* The traces of a snapshot, as columns where that is possible, else as raw traces. */
struct side {
    PyObject *raw;            /* owned; NULL where there are columns */
    struct snapshot *columns; /* owned reference */
    struct names *names;      /* owned; of the columns */
};

static void side_fini(struct side *self) {
    Py_XDECREF(self->raw);
    snapshot_release(self->columns);
    Py_XDECREF(self->names);
}

static int side_from_raw(struct state *state, struct side *self, PyObject *raw) {
    int fits = columns_from_raw(raw, &self->columns);
    if (fits == 0)
        self->raw = Py_NewRef(raw);
    else if (fits > 0 && (self->names = names_new(state, self->columns->paths)) == NULL)
        fits = -1;
    return fits < 0 ? -1 : 0;
}

static int side_init(struct state *state, struct side *self, PyObject *snapshot) {
    PyObject *traces = attribute(snapshot, "traces"), *raw = NULL;
    int result = -1;
    if (traces != NULL && PyObject_TypeCheck(traces, state->traces_type) &&
        ((struct traces *)traces)->columns != NULL) {
        struct traces *own = (struct traces *)traces;
        snapshot_retain(self->columns = own->columns);
        self->names = (struct names *)Py_NewRef((PyObject *)own->names);
        result = 0;
    } else if (traces != NULL && (raw = attribute(traces, "_traces")) != NULL) {
        result = side_from_raw(state, self, raw);
    }
    Py_XDECREF(traces);
    Py_XDECREF(raw);
    return result;
}

/* From columns to raw traces. */
static int side_to_raw(struct side *self) {
    if (self->raw == NULL)
        self->raw = rows_list(self->names, self->columns);
    return self->raw == NULL ? -1 : 0;
}

/* --- statistics --- */

static int key_from_name(PyObject *name, bool cumulative, enum key *key) {
    static const char *const names[] = {"filename", "lineno", "function", "traceback", "domain"};
    static const enum key keys[] = {KEY_FILENAME, KEY_LINENO, KEY_FUNCTION, KEY_TRACEBACK, KEY_DOMAIN};
    for (size_t i = 0; PyUnicode_Check(name) && i < sizeof names / sizeof *names; i++) {
        if (PyUnicode_CompareWithASCIIString(name, names[i]) != 0)
            continue;
        *key = keys[i];
        if (!cumulative || (*key != KEY_TRACEBACK && *key != KEY_DOMAIN))
            return 0;
        PyErr_Format(PyExc_ValueError, "cumulative mode cannot by used with key type %R", name);
        return -1;
    }
    PyErr_Format(PyExc_ValueError, "unknown key_type: %R", name);
    return -1;
}

/* key_type is called group_by by programs from before 3.5. */
static int choose_key(const char *function, PyObject *key_type, PyObject *group_by, int cumulative,
                      enum key *key) {
    if (key_type != NULL && group_by != NULL) {
        PyErr_Format(PyExc_TypeError, "%s() takes key_type or group_by, not both", function);
        return -1;
    }
    if (key_type == NULL && group_by == NULL)
        return missing_argument(function, "key_type");
    return key_from_name(key_type != NULL ? key_type : group_by, cumulative != 0, key);
}

static PyObject *snapshot_statistics(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"key_type", "cumulative", "group_by", NULL};
    PyObject *key_type = NULL, *group_by = NULL, *result = NULL;
    int cumulative = 0;
    enum key key;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|Op$O:statistics", keywords, &key_type, &cumulative,
                                     &group_by) ||
        choose_key("statistics", key_type, group_by, cumulative, &key) < 0)
        return NULL;
    struct state *state = state_of(self);
    struct side side = {0};
    if (state != NULL && side_init(state, &side, self) == 0)
        result = side.columns != NULL ? statistics_group(state, side.names, side.columns, key, cumulative)
                                      : plain_statistics(state, side.raw, key, cumulative);
    side_fini(&side);
    return result;
}

static PyObject *compare_sides(struct state *state, struct side *now, struct side *old, enum key key,
                               bool cumulative) {
    if (now->columns != NULL && old->columns != NULL)
        return statistics_compare(state, now->names, now->columns, old->names, old->columns, key, cumulative);
    if (side_to_raw(now) < 0 || side_to_raw(old) < 0)
        return NULL;
    return plain_compare(state, now->raw, old->raw, key, cumulative);
}

static int check_old(struct state *state, PyObject *old) {
    if (PyObject_TypeCheck(old, state->snapshot_type))
        return 0;
    PyErr_Format(PyExc_AttributeError, "'%.200s' object is not a memtally.Snapshot, which compare_to needs",
                 Py_TYPE(old)->tp_name);
    return -1;
}

static PyObject *snapshot_compare_to(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"old_snapshot", "key_type", "cumulative", "group_by", NULL};
    PyObject *old_snapshot, *key_type = NULL, *group_by = NULL, *result = NULL;
    int cumulative = 0;
    enum key key;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|Op$O:compare_to", keywords, &old_snapshot, &key_type,
                                     &cumulative, &group_by) ||
        choose_key("compare_to", key_type, group_by, cumulative, &key) < 0)
        return NULL;
    struct state *state = state_of(self);
    struct side now = {0}, old = {0};
    if (state != NULL && side_init(state, &now, self) == 0 && check_old(state, old_snapshot) == 0 &&
        side_init(state, &old, old_snapshot) == 0)
        result = compare_sides(state, &now, &old, key, cumulative);
    side_fini(&now);
    side_fini(&old);
    return result;
}

/* --- filters --- */

static PyObject *filtered_columns(struct state *state, struct traces *traces, PyObject *filters,
                                  PyObject *limit) {
    struct names *names = (struct names *)Py_NewRef((PyObject *)traces->names);
    struct snapshot *columns = traces->columns, *kept;
    snapshot_retain(columns);
    if (filters == NULL)
        snapshot_retain(kept = columns); /* columns never change: a copy may share them */
    else
        kept = filter_columns(state, names, columns, filters);
    PyObject *result = kept == NULL ? NULL : snapshot_from_columns(state, names, kept, limit);
    snapshot_release(kept);
    snapshot_release(columns);
    Py_DECREF(names);
    return result;
}

static PyObject *filtered_raw(struct state *state, PyObject *traces, PyObject *filters, PyObject *limit) {
    PyObject *raw = attribute(traces, "_traces"), *kept = NULL, *result = NULL;
    if (raw != NULL)
        kept = filters == NULL ? PySequence_List(raw) : filter_raw(state, raw, filters);
    if (kept != NULL)
        result = snapshot_from_raw(state, kept, limit);
    Py_XDECREF(raw);
    Py_XDECREF(kept);
    return result;
}

static PyObject *snapshot_filter_traces(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"filters", NULL};
    PyObject *list = NULL, *traces = NULL, *limit = NULL, *result = NULL;
    struct state *state = state_of(self);
    PyObject *filters;
    if (state == NULL || !PyArg_ParseTupleAndKeywords(args, kwargs, "O:filter_traces", keywords, &filters))
        return NULL;
    if (Py_TYPE(filters)->tp_iter == NULL)
        return PyErr_Format(PyExc_TypeError, "filters must be a list of filters, not %.200s",
                            Py_TYPE(filters)->tp_name);
    int any = PyObject_IsTrue(filters);
    if (any < 0 || (any && (list = PySequence_List(filters)) == NULL))
        return NULL;
    if ((traces = attribute(self, "traces")) != NULL && (limit = attribute(self, "traceback_limit")) != NULL)
        result = PyObject_TypeCheck(traces, state->traces_type) && ((struct traces *)traces)->columns != NULL
                     ? filtered_columns(state, (struct traces *)traces, list, limit)
                     : filtered_raw(state, traces, list, limit);
    Py_XDECREF(list);
    Py_XDECREF(traces);
    Py_XDECREF(limit);
    return result;
}

/* --- the type --- */

static PyObject *snapshot_view(PyObject *self, void *Py_UNUSED(closure)) {
    struct state *state = state_of(self);
    PyObject *traces = state == NULL ? NULL : attribute(self, "traces");
    if (traces == NULL)
        return NULL;
    enum view view = VIEW_LIVE;
    if (PyObject_TypeCheck(traces, state->traces_type) && ((struct traces *)traces)->columns != NULL)
        view = ((struct traces *)traces)->columns->view;
    Py_DECREF(traces);
    return PyUnicode_InternFromString(view_names[view]);
}

static int snapshot_traverse(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((struct snapshot_object *)self)->dict);
    return 0;
}

static int snapshot_clear(PyObject *self) {
    Py_CLEAR(((struct snapshot_object *)self)->dict);
    return 0;
}

static void snapshot_dealloc(PyObject *self) {
    PyObject_GC_UnTrack(self);
    if (((struct snapshot_object *)self)->weakrefs != NULL)
        PyObject_ClearWeakRefs(self);
    object_dealloc(self, snapshot_clear);
}

PyDoc_STRVAR(
    snapshot_doc,
    "Snapshot(traces, traceback_limit)\n--\n\n"
    "What was allocated where, at one moment; take_snapshot() makes one.\n\n"
    "traces is a sequence of raw traces (domain, size, frames[, total_nframe]), where frames is a tuple of\n"
    "(filename, lineno) from the most recent to the oldest; it is kept as it is. Traces with other numbers\n"
    "than real blocks have (negative, fractions, beyond 64 bits) or without frames work as they do in the\n"
    "standard module: more slowly. A snapshot may be used from several threads at once.");
PyDoc_STRVAR(
    statistics_doc,
    "statistics($self, /, key_type, cumulative=False)\n--\n\n"
    "List of Statistic, biggest first: by size, count and traceback.\n\n"
    "key_type is 'filename', 'lineno', 'function', 'traceback' or 'domain'. With cumulative, blocks count "
    "for\n"
    "all frames of their tracebacks ('filename', 'lineno' and 'function' only). Raises ValueError for any\n"
    "other key_type. The older name group_by of key_type is accepted.");
PyDoc_STRVAR(
    compare_to_doc,
    "compare_to($self, /, old_snapshot, key_type, cumulative=False)\n--\n\n"
    "List of StatisticDiff against an older snapshot, biggest change first: by abs(size_diff), size,\n"
    "abs(count_diff), count and traceback. key_type and cumulative are those of statistics().");
PyDoc_STRVAR(filter_traces_doc, "filter_traces($self, /, filters)\n--\n\n"
                                "New snapshot of the traces that pass the filters (an iterable of Filter and "
                                "DomainFilter): any inclusive\n"
                                "one, if there are some, and all exclusive ones. Without filters, a copy.");
PyDoc_STRVAR(dump_doc,
             "dump($self, /, filename)\n--\n\n"
             "Write the snapshot to a file, completely or not at all: it is written beside, flushed and\n"
             "renamed. Attributes of your own are kept where they are None, bool, int, float, str or lists\n"
             "and dicts of them; others raise TypeError. Raises OSError where the file cannot be written.");
PyDoc_STRVAR(load_doc,
             "load(filename)\n--\n\n"
             "Read a snapshot from a file that dump() wrote. Nothing in a file is ever executed; ValueError\n"
             "says what is wrong with it, and at which byte.");

static PyMethodDef snapshot_methods[] = {
    {"statistics", (PyCFunction)(void (*)(void))snapshot_statistics, METH_VARARGS | METH_KEYWORDS,
     statistics_doc},
    {"compare_to", (PyCFunction)(void (*)(void))snapshot_compare_to, METH_VARARGS | METH_KEYWORDS,
     compare_to_doc},
    {"filter_traces", (PyCFunction)(void (*)(void))snapshot_filter_traces, METH_VARARGS | METH_KEYWORDS,
     filter_traces_doc},
    {"dump", (PyCFunction)(void (*)(void))snapshot_dump, METH_VARARGS | METH_KEYWORDS, dump_doc},
    {"load", (PyCFunction)(void (*)(void))snapshot_load, METH_VARARGS | METH_KEYWORDS | METH_CLASS, load_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef snapshot_getset[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {"view", snapshot_view, NULL,
     "'live': blocks that were allocated; 'peak': what held the memory at the high-water mark;\n"
     "'total': everything allocated since the start.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef snapshot_members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(struct snapshot_object, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(struct snapshot_object, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot snapshot_slots[] = {
    {Py_tp_doc, (void *)snapshot_doc}, {Py_tp_init, snapshot_init},
    {Py_tp_new, PyType_GenericNew},    {Py_tp_traverse, snapshot_traverse},
    {Py_tp_clear, snapshot_clear},     {Py_tp_dealloc, snapshot_dealloc},
    {Py_tp_methods, snapshot_methods}, {Py_tp_getset, snapshot_getset},
    {Py_tp_members, snapshot_members}, {0, NULL},
};

PyType_Spec snapshot_spec = {
    .name = "memtally.Snapshot",
    .basicsize = sizeof(struct snapshot_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = snapshot_slots,
};
