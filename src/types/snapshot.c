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

const char *const view_names[VIEW_COUNT] = {"live", "peak", "total"};

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

PyObject *snapshot_around(PyTypeObject *type, PyObject *traces, PyObject *limit) {
    PyObject *self = traces == NULL ? NULL : call((PyObject *)type, "__new__", (PyObject *)type, NULL);
    if (self != NULL && (PyObject_SetAttrString(self, "traces", traces) < 0 ||
                         PyObject_SetAttrString(self, "traceback_limit", limit) < 0))
        Py_CLEAR(self);
    Py_XDECREF(traces);
    return self;
}

PyObject *snapshot_from_columns(struct state *state, struct names *names, struct snapshot *columns,
                                PyObject *limit) {
    return snapshot_around(state->snapshot_type, traces_from_columns(state, names, columns), limit);
}

PyObject *snapshot_from_raw(struct state *state, PyObject *raw, PyObject *limit) {
    return snapshot_around(state->snapshot_type, PyObject_CallOneArg((PyObject *)state->traces_type, raw),
                           limit);
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

/* 1: these are traces of ours, and their columns are in memory; 0: anything else; -1: exception. */
static int columns_there(struct state *state, PyObject *traces) {
    return PyObject_TypeCheck(traces, state->traces_type) ? traces_columns((struct traces *)traces) : 0;
}

/* --- one side of an operation --- */

void operand_fini(struct operand *self) {
    Py_XDECREF(self->raw);
    snapshot_release(self->columns);
    Py_XDECREF(self->names);
}

static int side_from_raw(struct state *state, struct operand *self, PyObject *raw) {
    int fits = columns_from_raw(raw, &self->columns);
    if (fits == 0)
        self->raw = Py_NewRef(raw);
    else if (fits > 0 && (self->names = names_new(state, self->columns->paths)) == NULL)
        fits = -1;
    return fits < 0 ? -1 : 0;
}

int operand_init(struct state *state, struct operand *self, PyObject *snapshot) {
    PyObject *traces = attribute(snapshot, "traces"), *raw = NULL;
    int result = -1, has = traces == NULL ? -1 : columns_there(state, traces);
    if (has > 0) {
        struct traces *own = (struct traces *)traces;
        snapshot_retain(self->columns = own->columns);
        self->names = (struct names *)Py_NewRef((PyObject *)own->names);
        result = 0;
    } else if (has == 0 && (raw = attribute(traces, "_traces")) != NULL) {
        result = side_from_raw(state, self, raw);
    }
    Py_XDECREF(traces);
    Py_XDECREF(raw);
    return result;
}

int operand_to_raw(struct operand *self) {
    if (self->raw == NULL)
        self->raw = rows_list(self->names, self->columns);
    return self->raw == NULL ? -1 : 0;
}

/* --- statistics --- */

int key_from_name(PyObject *name, bool cumulative, enum key *key) {
    static const char *const names[] = {"filename", "lineno", "function", "traceback", "domain", "process"};
    static const enum key keys[] = {KEY_FILENAME,  KEY_LINENO, KEY_FUNCTION,
                                    KEY_TRACEBACK, KEY_DOMAIN, KEY_PROCESS};
    for (size_t i = 0; PyUnicode_Check(name) && i < sizeof names / sizeof *names; i++) {
        if (PyUnicode_CompareWithASCIIString(name, names[i]) != 0)
            continue;
        *key = keys[i];
        if (!cumulative || *key == KEY_FILENAME || *key == KEY_LINENO || *key == KEY_FUNCTION)
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
    struct operand side = {0};
    if (state != NULL && operand_init(state, &side, self) == 0)
        result = side.columns != NULL ? statistics_group(state, &side, key, cumulative)
                                      : plain_statistics(state, side.raw, key, cumulative);
    operand_fini(&side);
    return result;
}

static PyObject *compare_sides(struct state *state, struct operand *now, struct operand *old, enum key key,
                               bool cumulative) {
    if (now->columns != NULL && old->columns != NULL)
        return statistics_compare(state, now, old, key, cumulative);
    if (operand_to_raw(now) < 0 || operand_to_raw(old) < 0)
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
    struct operand now = {0}, old = {0};
    if (state != NULL && operand_init(state, &now, self) == 0 && check_old(state, old_snapshot) == 0 &&
        operand_init(state, &old, old_snapshot) == 0)
        result = compare_sides(state, &now, &old, key, cumulative);
    operand_fini(&now);
    operand_fini(&old);
    return result;
}

/* --- filters --- */

/* What the filters let through of all views of a moment. */
static struct views *filtered_views(struct state *state, struct views *views, PyObject *filters) {
    struct snapshot *kept[VIEW_COUNT] = {NULL};
    bool sound = true;
    for (int view = 0; sound && view < VIEW_COUNT; view++) {
        if (!views->there[view])
            continue;
        if (views_read(views, (enum view)view) == 0)
            kept[view] = filter_columns(state, views->names, views->columns[view], filters);
        sound = kept[view] != NULL;
    }
    if (sound)
        return views_with_columns(state, views, kept);
    for (int view = 0; view < VIEW_COUNT; view++)
        snapshot_release(kept[view]);
    return NULL;
}

/* Columns never change: without filters a copy shares them. */
static PyObject *filtered_moment(struct state *state, struct traces *traces, PyObject *filters,
                                 PyObject *limit) {
    enum view view = traces->view;
    struct views *views = (struct views *)Py_NewRef((PyObject *)traces->views), *kept = views;
    PyObject *result = NULL;
    if (filters != NULL)
        kept = filtered_views(state, views, filters);
    if (kept != NULL)
        result = snapshot_around(state->snapshot_type, traces_from_views(state, kept, view), limit);
    if (filters != NULL)
        Py_XDECREF((PyObject *)kept);
    Py_DECREF((PyObject *)views);
    return result;
}

static PyObject *filtered_columns(struct state *state, struct traces *traces, PyObject *filters,
                                  PyObject *limit) {
    if (traces->views != NULL)
        return filtered_moment(state, traces, filters, limit);
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
    if ((traces = attribute(self, "traces")) != NULL &&
        (limit = attribute(self, "traceback_limit")) != NULL) {
        int has = columns_there(state, traces);
        if (has >= 0)
            result = has > 0 ? filtered_columns(state, (struct traces *)traces, list, limit)
                             : filtered_raw(state, traces, list, limit);
    }
    Py_XDECREF(list);
    Py_XDECREF(traces);
    Py_XDECREF(limit);
    return result;
}

/* --- the type --- */

/* --- views and metadata --- */

/* The traces of a snapshot where they are ours: new reference; NULL without an exception where they are others. */
static struct traces *own_traces(struct state *state, PyObject *snapshot) {
    PyObject *traces = attribute(snapshot, "traces");
    if (traces == NULL || PyObject_TypeCheck(traces, state->traces_type))
        return (struct traces *)traces;
    Py_DECREF(traces);
    return NULL;
}

static enum view view_of(const struct traces *traces) {
    if (traces == NULL || (traces->views == NULL && traces->columns == NULL))
        return VIEW_LIVE; /* traces that somebody made are blocks */
    return traces->views != NULL ? traces->view : traces->columns->view;
}

static PyObject *snapshot_view_name(PyObject *self, void *Py_UNUSED(closure)) {
    struct state *state = state_of(self);
    struct traces *traces = state == NULL ? NULL : own_traces(state, self);
    if (traces == NULL && PyErr_Occurred())
        return NULL;
    PyObject *name = PyUnicode_InternFromString(view_names[view_of(traces)]);
    Py_XDECREF((PyObject *)traces);
    return name;
}

/* A snapshot of the same class with the same attributes, but for its traces. */
static PyObject *with_traces(PyObject *self, PyObject *traces) {
    PyObject *other = call((PyObject *)Py_TYPE(self), "__new__", (PyObject *)Py_TYPE(self), NULL);
    PyObject *dict = other == NULL ? NULL : PyObject_GenericGetDict(self, NULL);
    PyObject *copy = dict == NULL ? NULL : PyDict_Copy(dict);
    if (copy == NULL || PyDict_SetItemString(copy, "traces", traces) < 0 ||
        PyObject_GenericSetDict(other, copy, NULL) < 0)
        Py_CLEAR(other);
    Py_XDECREF(dict);
    Py_XDECREF(copy);
    return other;
}

static PyObject *other_view(struct state *state, PyObject *self, struct traces *traces, enum view view) {
    PyObject *others = NULL, *result = NULL;
    if (traces == NULL || traces->views == NULL)
        return PyErr_Format(PyExc_ValueError, "this snapshot has no view '%s'; it has '%s'", view_names[view],
                            view_names[view_of(traces)]);
    struct views *views = (struct views *)Py_NewRef((PyObject *)traces->views);
    if (views_read(views, view) == 0 && (others = traces_from_views(state, views, view)) != NULL)
        result = with_traces(self, others);
    Py_XDECREF(others);
    Py_DECREF((PyObject *)views);
    return result;
}

static PyObject *snapshot_view(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"name", NULL};
    struct state *state = state_of(self);
    PyObject *name, *result;
    enum view view;
    if (state == NULL || !PyArg_ParseTupleAndKeywords(args, kwargs, "O:view", keywords, &name) ||
        view_from_name(name, &view) < 0)
        return NULL;
    struct traces *traces = own_traces(state, self);
    if (traces == NULL && PyErr_Occurred())
        return NULL;
    result = view == view_of(traces) ? Py_NewRef(self) : other_view(state, self, traces, view);
    Py_XDECREF((PyObject *)traces);
    return result;
}

static PyObject *snapshot_views(PyObject *self, void *Py_UNUSED(closure)) {
    struct state *state = state_of(self);
    struct traces *traces = state == NULL ? NULL : own_traces(state, self);
    PyObject *list = traces == NULL && PyErr_Occurred() ? NULL : PyList_New(0), *tuple = NULL;
    for (int view = 0; list != NULL && view < VIEW_COUNT; view++) {
        bool there = traces != NULL && traces->views != NULL ? traces->views->there[view]
                                                             : view_of(traces) == (enum view)view;
        PyObject *name = there ? PyUnicode_InternFromString(view_names[view]) : NULL;
        if (there && (name == NULL || PyList_Append(list, name) < 0))
            Py_CLEAR(list);
        Py_XDECREF(name);
    }
    if (list != NULL)
        tuple = PyList_AsTuple(list);
    Py_XDECREF(list);
    Py_XDECREF((PyObject *)traces);
    return tuple;
}

static PyObject *snapshot_metadata(PyObject *self, void *Py_UNUSED(closure)) {
    struct state *state = state_of(self);
    struct traces *traces = state == NULL ? NULL : own_traces(state, self);
    PyObject *dict = NULL, *result = NULL;
    if (traces == NULL && PyErr_Occurred())
        return NULL;
    if (traces != NULL && traces->views != NULL)
        dict = Py_XNewRef(views_metadata(traces->views));
    else
        dict = PyDict_New();
    if (dict != NULL)
        result = PyDictProxy_New(dict);
    Py_XDECREF(dict);
    Py_XDECREF((PyObject *)traces);
    return result;
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
    "standard module: more slowly. The attribute traces is a sequence of Trace, each made when it is looked\n"
    "at; traceback_limit is the most frames of a traceback. A snapshot may be used from several threads at\n"
    "once.");
PyDoc_STRVAR(
    statistics_doc,
    "statistics($self, /, key_type, cumulative=False)\n--\n\n"
    "List of Statistic, biggest first: by size, count and traceback.\n\n"
    "key_type is 'filename', 'lineno', 'function', 'traceback', 'domain' or 'process' (whose name stands in\n"
    "the place of a file name; see merge()). With cumulative, blocks count for all frames of their\n"
    "tracebacks: 'filename', 'lineno' and 'function' only. Raises ValueError for any other key_type. The\n"
    "older name group_by of key_type is accepted.");
PyDoc_STRVAR(
    compare_to_doc,
    "compare_to($self, /, old_snapshot, key_type, cumulative=False)\n--\n\n"
    "List of StatisticDiff against an older snapshot, biggest change first: by abs(size_diff), size,\n"
    "abs(count_diff), count and traceback. key_type and cumulative are those of statistics().");
PyDoc_STRVAR(filter_traces_doc, "filter_traces($self, /, filters)\n--\n\n"
                                "New snapshot of the traces that pass the filters (an iterable of Filter and "
                                "DomainFilter): any inclusive\n"
                                "one, if there are some, and all exclusive ones. Without filters, a copy.");
PyDoc_STRVAR(
    view_doc,
    "view($self, /, name)\n--\n\n"
    "The snapshot of another view of the same moment: 'live' (the blocks that were allocated), 'peak'\n"
    "(what held the memory at the high-water mark) or 'total' (all that was allocated since the start).\n\n"
    "take_snapshot() takes all three, and a file keeps them. ValueError for a view that is not there.");
PyDoc_STRVAR(
    dump_doc,
    "dump($self, /, filename, *, leave_out=())\n--\n\n"
    "Write all views of the snapshot and its metadata to a file.\n\n"
    "filename is a path: the file is then written completely or not at all (written beside, flushed and\n"
    "renamed), and OSError says how far it came. Or it is an object with write(), which gets bytes. Entries\n"
    "of the metadata that leave_out names, such as 'arguments', are not written. Attributes of your own are\n"
    "kept where they are None, bool, int, float, str or lists and dicts of them; others raise TypeError.");
PyDoc_STRVAR(
    load_doc,
    "load(filename)\n--\n\n"
    "Open a snapshot that dump() wrote: a path, or an object with read(), which is read to its end. The\n"
    "standard module's files (3.6 and later) are opened, too; these pickles are read without unpickling.\n\n"
    "Of a large file only what is asked for is read, when it is asked for. Nothing in a file is ever\n"
    "executed; ValueError says what is wrong with it, and at which byte: of what was not read yet, where it\n"
    "is first used.");

static PyMethodDef snapshot_methods[] = {
    {"tree", snapshot_tree, METH_NOARGS, tree_doc},
    {"block_sizes", snapshot_block_sizes, METH_NOARGS, block_sizes_doc},
    {"_export", snapshot_export, METH_VARARGS, export_doc},
    {"_growing", snapshot_growing, METH_VARARGS, growing_doc},
    {"_largest", snapshot_largest, METH_VARARGS, largest_doc},
    {"_changed", snapshot_changed, METH_VARARGS, changed_doc},
    {"merge", snapshot_merge, METH_O | METH_CLASS, merge_doc},
    {"process", snapshot_process, METH_O, process_doc},
    {"to_tracemalloc", snapshot_to_tracemalloc, METH_NOARGS, to_tracemalloc_doc},
    {"from_tracemalloc", snapshot_from_tracemalloc, METH_O | METH_CLASS, from_tracemalloc_doc},
    {"statistics", (PyCFunction)(void (*)(void))snapshot_statistics, METH_VARARGS | METH_KEYWORDS,
     statistics_doc},
    {"compare_to", (PyCFunction)(void (*)(void))snapshot_compare_to, METH_VARARGS | METH_KEYWORDS,
     compare_to_doc},
    {"filter_traces", (PyCFunction)(void (*)(void))snapshot_filter_traces, METH_VARARGS | METH_KEYWORDS,
     filter_traces_doc},
    {"view", (PyCFunction)(void (*)(void))snapshot_view, METH_VARARGS | METH_KEYWORDS, view_doc},
    {"dump", (PyCFunction)(void (*)(void))snapshot_dump, METH_VARARGS | METH_KEYWORDS, dump_doc},
    {"load", (PyCFunction)(void (*)(void))snapshot_load, METH_VARARGS | METH_KEYWORDS | METH_CLASS, load_doc},
    {"flamegraph", (PyCFunction)(void (*)(void))snapshot_flamegraph, METH_VARARGS | METH_KEYWORDS,
     flamegraph_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef snapshot_getset[] = {
    {"processes", snapshot_processes, NULL, processes_doc, NULL},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {"view_name", snapshot_view_name, NULL, "Which view this is: 'live', 'peak' or 'total'.", NULL},
    {"views", snapshot_views, NULL,
     "Names of the views of the same moment that view() can show (tuple of str).", NULL},
    {"metadata", snapshot_metadata, NULL,
     "Read-only mapping of what is known of the snapshot as a whole: 'time' (ISO 8601, UTC), 'program',\n"
     "'arguments' (a tuple), 'python', 'memtally', 'platform', 'frames' (most of a traceback), "
     "'lost_traces',\n"
     "'traced_bytes' and 'peak_bytes' at that time. Empty where nothing is known.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef snapshot_members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(struct snapshot_object, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(struct snapshot_object, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot snapshot_slots[] = {
    {Py_tp_doc, (void *)snapshot_doc},
    {Py_tp_init, snapshot_init},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_traverse, snapshot_traverse},
    {Py_tp_clear, snapshot_clear},
    {Py_tp_dealloc, snapshot_dealloc},
    {Py_tp_methods, snapshot_methods},
    {Py_tp_getset, snapshot_getset},
    {Py_tp_members, snapshot_members},
    {Py_nb_subtract, snapshot_subtract},
    {0, NULL},
};

PyType_Spec snapshot_spec = {
    .name = "memtally.Snapshot",
    .basicsize = sizeof(struct snapshot_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = snapshot_slots,
};
