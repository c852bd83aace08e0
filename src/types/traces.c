/* traces: class _Traces, the sequence of all traces of a snapshot, and its iterator.
 *
 *   live:  row 0 (count 3)   row 1 (count 1)   row 2 (count 2)      a row of `count` blocks is `count`
 * entries [0] [1] [2]       [3]               [4] [5]
 *
 * Either around a Python sequence of raw tuples, to which everything is handed on, or on columns: a Trace is
 * then made for what is looked at, and the blocks of a row share a Traceback. Needs the GIL.
 */
#include "types.h"

enum { TRACES_STEP = 64 }; /* rows between two remembered starts */

static struct place row_place(const struct snapshot *columns, const struct row *row) {
    struct place place = {.kind = PLACE_PATH};
    place.path.node = row->node;
    place.path.limit = columns->limit;
    place.path.depth = row->depth;
    return place;
}

static PyObject *row_traceback(struct state *state, struct names *names, const struct snapshot *columns,
                               const struct row *row) {
    struct place place = row_place(columns, row);
    return traceback_lazy(state, names, &place);
}

PyObject *traces_from_columns(struct state *state, struct names *names, struct snapshot *columns) {
    PyObject *object = state->traces_type->tp_alloc(state->traces_type, 0);
    if (object == NULL)
        return NULL;
    struct traces *self = (struct traces *)object;
    snapshot_retain(columns);
    self->columns = columns;
    self->names = (struct names *)Py_NewRef((PyObject *)names);
    return object;
}

PyObject *traces_from_views(struct state *state, struct views *views, enum view view) {
    PyObject *object = state->traces_type->tp_alloc(state->traces_type, 0);
    if (object == NULL)
        return NULL;
    ((struct traces *)object)->views = (struct views *)Py_NewRef((PyObject *)views);
    ((struct traces *)object)->view = view;
    return object;
}

int traces_columns(struct traces *self) {
    if (self->columns != NULL)
        return 1;
    struct views *views = self->views;
    if (views == NULL)
        return 0;
    Py_INCREF((PyObject *)views);
    int result = views_read(views, self->view);
    if (result == 0 && self->columns == NULL && self->views == views) { /* else: changed by another thread */
        snapshot_retain(self->columns = views->columns[self->view]);
        self->names = (struct names *)Py_NewRef((PyObject *)views->names);
    }
    Py_DECREF((PyObject *)views);
    return result < 0 ? -1 : self->columns != NULL;
}

/* --- raw traces --- */

PyObject *traces_raw(struct traces *self) {
    if (self->raw == NULL && traces_columns(self) < 0)
        return NULL;
    if (self->raw == NULL && self->columns != NULL) {
        PyObject *list = rows_list(self->names, self->columns);
        if (list == NULL)
            return NULL;
        Py_XSETREF(self->raw, list);
    }
    return self->raw != NULL ? self->raw : slot_missing((PyObject *)self, "_traces");
}

static PyObject *get_raw(PyObject *self, void *Py_UNUSED(closure)) {
    return Py_XNewRef(traces_raw((struct traces *)self));
}

static void drop_columns(struct traces *self) {
    struct snapshot *columns = self->columns;
    self->columns = NULL;
    snapshot_release(columns);
    Py_CLEAR(self->names);
    Py_CLEAR(self->views);
    PyMem_Free(self->starts);
    self->starts = NULL;
}

static int set_raw(PyObject *object, PyObject *value, void *closure) {
    struct traces *self = (struct traces *)object;
    if (value == NULL && traces_raw(self) == NULL)
        return -1;
    drop_columns(self);
    return slot_set(object, value, closure);
}

/* --- sequence --- */

static Py_ssize_t traces_length(PyObject *object) {
    struct traces *self = (struct traces *)object;
    if (traces_columns(self) < 0)
        return -1;
    if (self->columns != NULL) {
        if (self->columns->entries <= (uint64_t)PY_SSIZE_T_MAX)
            return (Py_ssize_t)self->columns->entries;
        PyErr_SetString(PyExc_OverflowError, "more traces than a sequence may have");
        return -1;
    }
    PyObject *raw = traces_raw(self);
    return raw == NULL ? -1 : PyObject_Size(raw);
}

static int count_starts(struct traces *self) {
    const struct snapshot *columns = self->columns;
    if (self->starts != NULL)
        return 0;
    struct traces_start *starts = PyMem_New(struct traces_start, columns->row_count / TRACES_STEP + 1);
    if (starts == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    uint64_t before = 0;
    size_t row = 0;
    for (struct rows rows = snapshot_rows(columns); rows_next(&rows); row++) {
        if (row % TRACES_STEP == 0)
            starts[row / TRACES_STEP] = (struct traces_start){before, rows};
        before += row_entries(columns, rows.row);
    }
    self->starts = starts;
    return 0;
}

/* The row that entry `index` belongs to, which must be there. */
static const struct row *row_of_entry(const struct traces *self, uint64_t index) {
    const struct snapshot *columns = self->columns;
    size_t low = 0, high = (columns->row_count - 1) /
                           TRACES_STEP; /* starts[low].before <= index < starts[high + 1].before */
    while (low < high) {
        size_t middle = low + (high - low + 1) / 2;
        if (self->starts[middle].before <= index)
            low = middle;
        else
            high = middle - 1;
    }
    uint64_t before = self->starts[low].before;
    struct rows rows = self->starts[low].rows;
    while (index - before >= row_entries(columns, rows.row)) {
        before += row_entries(columns, rows.row);
        (void)rows_next(&rows); /* there is one: the index is below the length */
    }
    return rows.row;
}

static PyObject *entry(struct state *state, struct traces *self, uint64_t index) {
    if (count_starts(self) < 0)
        return NULL;
    const struct row *row = row_of_entry(self, index);
    PyObject *traceback = row_traceback(state, self->names, self->columns, row), *trace = NULL;
    if (traceback != NULL)
        trace = trace_lazy(state, row->domain, row->size, (struct traceback *)traceback);
    Py_XDECREF(traceback);
    return trace;
}

static PyObject *entry_at(struct state *state, struct traces *self, PyObject *index) {
    Py_ssize_t length = traces_length((PyObject *)self);
    Py_ssize_t i = length < 0 ? -1 : PyNumber_AsSsize_t(index, PyExc_IndexError);
    if (i == -1 && PyErr_Occurred())
        return NULL;
    if (i < 0)
        i += length;
    if (i < 0 || i >= length)
        return PyErr_Format(PyExc_IndexError, "list index out of range");
    return entry(state, self, (uint64_t)i);
}

static PyObject *entries(struct state *state, struct traces *self, PyObject *slice) {
    Py_ssize_t start, stop, step, length = traces_length((PyObject *)self);
    if (length < 0 || PySlice_Unpack(slice, &start, &stop, &step) < 0)
        return NULL;
    Py_ssize_t count = PySlice_AdjustIndices(length, &start, &stop, step);
    PyObject *result = PyTuple_New(count);
    for (Py_ssize_t i = 0; result != NULL && i < count; i++) {
        PyObject *trace = entry(state, self, (uint64_t)(start + i * step));
        if (trace == NULL)
            Py_CLEAR(result);
        else
            PyTuple_SET_ITEM(result, i, trace);
    }
    return result;
}

/* A tuple of Trace for an iterable of raw tuples. */
static PyObject *traces_of(struct state *state, PyObject *raws) {
    PyObject *fast = PySequence_Fast(raws, "traces must be iterable"), *result = NULL;
    Py_ssize_t count = fast == NULL ? 0 : PySequence_Fast_GET_SIZE(fast);
    if (fast != NULL)
        result = PyTuple_New(count);
    for (Py_ssize_t i = 0; result != NULL && i < count; i++) {
        PyObject *trace = trace_from_raw(state, PySequence_Fast_GET_ITEM(fast, i));
        if (trace == NULL)
            Py_CLEAR(result);
        else
            PyTuple_SET_ITEM(result, i, trace);
    }
    Py_XDECREF(fast);
    return result;
}

static PyObject *traces_item(PyObject *object, PyObject *index) {
    struct traces *self = (struct traces *)object;
    struct state *state = state_of(object);
    if (state == NULL || traces_columns(self) < 0)
        return NULL;
    if (self->columns != NULL && PySlice_Check(index))
        return entries(state, self, index);
    if (self->columns != NULL && PyIndex_Check(index))
        return entry_at(state, self, index);
    if (self->columns != NULL)
        return PyErr_Format(PyExc_TypeError, "list indices must be integers or slices, not %.200s",
                            Py_TYPE(index)->tp_name);
    PyObject *raw = traces_raw(self);
    PyObject *part = raw == NULL ? NULL : PyObject_GetItem(raw, index), *result = NULL;
    if (part != NULL)
        result = PySlice_Check(index) ? traces_of(state, part) : trace_from_raw(state, part);
    Py_XDECREF(part);
    return result;
}

static PyObject *traces_sq_item(PyObject *self, Py_ssize_t index) {
    PyObject *number = PyLong_FromSsize_t(index);
    PyObject *result = number == NULL ? NULL : traces_item(self, number);
    Py_XDECREF(number);
    return result;
}

/* Can a raw tuple be equal to this row? False only where its size is another number. */
static bool may_equal(PyObject *raw, const struct row *row) {
    if (!PyTuple_CheckExact(raw) || PyTuple_GET_SIZE(raw) != 4 ||
        !PyLong_CheckExact(PyTuple_GET_ITEM(raw, 1)))
        return true;
    unsigned long long size = PyLong_AsUnsignedLongLong(PyTuple_GET_ITEM(raw, 1));
    if (size == (unsigned long long)-1 && PyErr_Occurred()) {
        PyErr_Clear(); /* negative, or larger than any block */
        return false;
    }
    return size == row->size;
}

static int columns_contain(struct traces *self, PyObject *wanted) {
    struct names *names = (struct names *)Py_NewRef((PyObject *)self->names);
    struct snapshot *columns = self->columns; /* kept, because comparing may run code that replaces them */
    snapshot_retain(columns);
    int found = 0;
    for (struct rows rows = snapshot_rows(columns); found == 0 && rows_next(&rows);) {
        const struct row *row = rows.row;
        if (!may_equal(wanted, row))
            continue;
        PyObject *raw = row_raw(names, columns, row);
        found = raw == NULL ? -1 : PyObject_RichCompareBool(raw, wanted, Py_EQ);
        Py_XDECREF(raw);
    }
    Py_DECREF(names);
    snapshot_release(columns);
    return found;
}

static int traces_contains(PyObject *object, PyObject *trace) {
    struct traces *self = (struct traces *)object;
    PyObject *wanted = attribute(trace, "_trace"), *raw = NULL;
    int found = -1, has = wanted == NULL ? -1 : traces_columns(self);
    if (has > 0)
        found = columns_contain(self, wanted);
    else if (has == 0 && (raw = traces_raw(self)) != NULL)
        found = PySequence_Contains(raw, wanted);
    Py_XDECREF(wanted);
    return found;
}

/* --- the type --- */

static PyObject *traces_compare(PyObject *a, PyObject *b, int op) {
    struct state *state = state_of(a);
    if (state == NULL)
        return NULL;
    if (!PyObject_TypeCheck(b, state->traces_type) || (op != Py_EQ && op != Py_NE))
        Py_RETURN_NOTIMPLEMENTED;
    struct traces *left = (struct traces *)a, *right = (struct traces *)b;
    if (traces_columns(left) < 0 || traces_columns(right) < 0)
        return NULL;
    if (left->columns != NULL && right->columns != NULL)
        return PyBool_FromLong(columns_equal(left->columns, right->columns) == (op == Py_EQ));
    PyObject *left_raw = Py_XNewRef(traces_raw(left)), *right_raw = NULL, *result = NULL;
    if (left_raw != NULL && (right_raw = Py_XNewRef(traces_raw(right))) != NULL)
        result = equal_objects(left_raw, right_raw, op);
    Py_XDECREF(left_raw);
    Py_XDECREF(right_raw);
    return result;
}

static PyObject *traces_repr(PyObject *self) {
    Py_ssize_t length = PyObject_Size(self);
    return length < 0 ? NULL : PyUnicode_FromFormat("<Traces len=%zd>", length);
}

static PyObject *get_bytes(PyObject *object, void *Py_UNUSED(closure)) {
    int has = traces_columns((struct traces *)object);
    if (has <= 0)
        return has < 0 ? NULL : slot_missing(object, "_columns");
    return dump_bytes((struct traces *)object);
}

static int set_bytes(PyObject *object, PyObject *value, void *Py_UNUSED(closure)) {
    struct traces *self = (struct traces *)object;
    enum view view;
    struct views *views = value == NULL ? NULL : load_bytes(state_of(object), value, &view);
    if (views == NULL) {
        if (value == NULL)
            slot_missing(object, "_columns");
        return -1;
    }
    drop_columns(self);
    self->views = views;
    self->view = view;
    Py_CLEAR(self->raw);
    return 0;
}

static PyObject *traces_reduce(PyObject *object, PyObject *Py_UNUSED(unused)) {
    struct traces *self = (struct traces *)object;
    int has = traces_columns(self);
    const char *name = has > 0 ? "_columns" : "_traces";
    PyObject *value = has < 0 ? NULL : attribute(object, name), *slots = NULL, *result = NULL;
    if (value != NULL && (slots = Py_BuildValue("{sO}", name, value)) != NULL)
        result = reduce_with(object, slots);
    Py_XDECREF(value);
    Py_XDECREF(slots);
    return result;
}

static int traces_init(PyObject *object, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"traces", NULL};
    PyObject *raw;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:_Traces", keywords, &raw))
        return -1;
    struct traces *self = (struct traces *)object;
    drop_columns(self);
    Py_XSETREF(self->raw, Py_NewRef(raw));
    return 0;
}

static int traces_traverse(PyObject *object, visitproc visit, void *arg) {
    struct traces *self = (struct traces *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->dict);
    Py_VISIT(self->raw);
    return 0;
}

static int traces_clear(PyObject *object) {
    struct traces *self = (struct traces *)object;
    Py_CLEAR(self->dict);
    Py_CLEAR(self->raw);
    return 0;
}

static void traces_dealloc(PyObject *object) {
    struct traces *self = (struct traces *)object;
    PyObject_GC_UnTrack(object);
    if (self->weakrefs != NULL)
        PyObject_ClearWeakRefs(object);
    drop_columns(self);
    object_dealloc(object, traces_clear);
}

PyDoc_STRVAR(traces_doc,
             "_Traces(traces)\n--\n\n"
             "Sequence of Trace, in no particular order. Each Trace is made when it is looked at.");

static PyMethodDef traces_methods[] = {
    {"__reduce__", traces_reduce, METH_NOARGS, "For pickle and copy."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef traces_getset[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {"_traces", get_raw, set_raw, NULL, SLOT_CLOSURE("_traces", struct traces, raw)},
    {"_columns", get_bytes, set_bytes, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef traces_members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(struct traces, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(struct traces, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

/* --- iterator --- */

struct iterator {
    PyObject ob_base;
    struct traces *traces;    /* owned; NULL once exhausted */
    struct names *names;      /* owned; NULL without columns */
    PyObject *traceback;      /* owned: of the current row */
    struct snapshot *columns; /* owned reference; NULL: the traces are a Python sequence */
    struct state *state;      /* borrowed: lives as long as the type */
    struct rows rows;         /* of the columns */
    Py_ssize_t next;          /* without columns: the next index */
    uint64_t rest;            /* entries of the current row still to come */
};

static PyObject *traces_iter(PyObject *object) {
    struct state *state = state_of(object);
    bool sound = state != NULL && traces_columns((struct traces *)object) >= 0;
    struct iterator *self = sound ? PyObject_GC_New(struct iterator, state->traces_iterator_type) : NULL;
    if (self == NULL)
        return NULL;
    self->traces = (struct traces *)Py_NewRef(object);
    self->names = (struct names *)Py_XNewRef((PyObject *)((struct traces *)object)->names);
    self->traceback = NULL;
    self->state = state;
    self->columns = ((struct traces *)object)->columns;
    if (self->columns != NULL) {
        snapshot_retain(self->columns);
        self->rows = snapshot_rows(self->columns);
    }
    self->next = 0;
    self->rest = 0;
    PyObject_GC_Track((PyObject *)self);
    return (PyObject *)self;
}

/* Item by item as Sequence does it, so that a sequence may grow or shrink meanwhile. */
static PyObject *next_of_raw(struct iterator *self) {
    PyObject *result = PySequence_GetItem((PyObject *)self->traces, self->next++);
    if (result == NULL) {
        if (PyErr_ExceptionMatches(PyExc_IndexError))
            PyErr_Clear();
        Py_CLEAR(self->traces);
    }
    return result;
}

static PyObject *iterator_next(PyObject *object) {
    struct iterator *self = (struct iterator *)object;
    if (self->traces == NULL)
        return NULL;
    if (self->columns == NULL)
        return next_of_raw(self);
    if (self->rest == 0) {
        struct rows rows = self->rows;
        if (!rows_next(&rows)) {
            Py_CLEAR(self->traces);
            return NULL;
        }
        PyObject *traceback = row_traceback(self->state, self->names, self->columns, rows.row);
        if (traceback == NULL)
            return NULL;
        Py_XSETREF(self->traceback, traceback);
        self->rows = rows;
        self->rest = row_entries(self->columns, rows.row);
    }
    self->rest--;
    const struct row *row = self->rows.row;
    return trace_lazy(self->state, row->domain, row->size, (struct traceback *)self->traceback);
}

static int iterator_traverse(PyObject *object, visitproc visit, void *arg) {
    struct iterator *self = (struct iterator *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT((PyObject *)self->traces);
    Py_VISIT(self->traceback);
    return 0;
}

static int iterator_clear(PyObject *object) {
    struct iterator *self = (struct iterator *)object;
    Py_CLEAR(self->traces);
    Py_CLEAR(self->names);
    Py_CLEAR(self->traceback);
    return 0;
}

static void iterator_dealloc(PyObject *object) {
    snapshot_release(((struct iterator *)object)->columns);
    ((struct iterator *)object)->columns = NULL;
    object_dealloc(object, iterator_clear);
}

static PyType_Slot traces_slots[] = {
    {Py_tp_doc, (void *)traces_doc},     {Py_tp_init, traces_init},       {Py_tp_new, PyType_GenericNew},
    {Py_tp_traverse, traces_traverse},   {Py_tp_clear, traces_clear},     {Py_tp_dealloc, traces_dealloc},
    {Py_tp_richcompare, traces_compare}, {Py_tp_repr, traces_repr},       {Py_tp_iter, traces_iter},
    {Py_sq_length, traces_length},       {Py_sq_item, traces_sq_item},    {Py_sq_contains, traces_contains},
    {Py_mp_length, traces_length},       {Py_mp_subscript, traces_item},  {Py_tp_methods, traces_methods},
    {Py_tp_getset, traces_getset},       {Py_tp_members, traces_members}, {0, NULL},
};

PyType_Spec traces_spec = {
    .name = "memtally._Traces",
    .basicsize = sizeof(struct traces),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_SEQUENCE,
    .slots = traces_slots,
};

static PyType_Slot iterator_slots[] = {
    {Py_tp_traverse, iterator_traverse}, {Py_tp_clear, iterator_clear},   {Py_tp_dealloc, iterator_dealloc},
    {Py_tp_iter, PyObject_SelfIter},     {Py_tp_iternext, iterator_next}, {0, NULL},
};

PyType_Spec traces_iterator_spec = {
    .name = "memtally._core._TracesIterator",
    .basicsize = sizeof(struct iterator),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = iterator_slots,
};
