/* trace: class Trace, one memory block.
 *
 * Either holds its raw tuple, as the standard class does, or size and domain from columns and a traceback
 * that the blocks of one row share; the tuple is then made when something asks for it. Needs the GIL.
 */
#include "types.h"

PyObject *trace_lazy(struct state *state, uint32_t domain, uint64_t size, struct traceback *traceback) {
    struct trace *self = PyObject_GC_New(struct trace, state->trace_type);
    if (self == NULL)
        return NULL;
    self->trace = self->functions = NULL;
    self->traceback = (struct traceback *)Py_NewRef((PyObject *)traceback);
    self->size = size;
    self->domain = domain;
    return (PyObject *)self;
}

PyObject *trace_from_raw(struct state *state, PyObject *raw) {
    PyObject *self = object_new_untracked(state->trace_type, sizeof(struct trace));
    if (self == NULL)
        return NULL;
    ((struct trace *)self)->trace = Py_NewRef(raw);
    object_track(self);
    return self;
}

PyObject *trace_raw(struct trace *self) {
    if (self->trace != NULL || self->traceback == NULL)
        return self->trace != NULL ? self->trace : slot_missing((PyObject *)self, "_trace");
    PyObject *reversed = NULL, *total = NULL, *raw = NULL;
    PyObject *frames = traceback_frames(self->traceback);
    if (frames != NULL && (reversed = tuple_reversed(frames)) != NULL &&
        (total = attribute((PyObject *)self->traceback, "total_nframe")) != NULL)
        raw = Py_BuildValue("(kKOO)", (unsigned long)self->domain, (unsigned long long)self->size, reversed,
                            total);
    Py_XDECREF(reversed);
    Py_XDECREF(total);
    Py_XSETREF(self->trace, raw);
    return raw;
}

static PyObject *raw_item(PyObject *self, long index) {
    PyObject *raw = Py_XNewRef(trace_raw((struct trace *)self)), *key = NULL, *item = NULL;
    if (raw != NULL && (key = PyLong_FromLong(index)) != NULL)
        item = PyObject_GetItem(raw, key);
    Py_XDECREF(raw);
    Py_XDECREF(key);
    return item;
}

static PyObject *trace_domain(PyObject *object, void *Py_UNUSED(closure)) {
    struct trace *self = (struct trace *)object;
    return self->traceback != NULL ? PyLong_FromUnsignedLong(self->domain) : raw_item(object, 0);
}

static PyObject *trace_size(PyObject *object, void *Py_UNUSED(closure)) {
    struct trace *self = (struct trace *)object;
    return self->traceback != NULL ? PyLong_FromUnsignedLongLong(self->size) : raw_item(object, 1);
}

/* Traceback(*raw[2:]), with the functions that came by pickling */
static PyObject *traceback_of_raw(struct state *state, struct trace *self) {
    PyObject *raw = Py_XNewRef(trace_raw(self)), *from = PyLong_FromLong(2);
    PyObject *slice = NULL, *rest = NULL, *arguments = NULL, *result = NULL;
    if (raw != NULL && from != NULL && (slice = PySlice_New(from, NULL, NULL)) != NULL &&
        (rest = PyObject_GetItem(raw, slice)) != NULL && (arguments = PySequence_Tuple(rest)) != NULL)
        result = PyObject_Call((PyObject *)state->traceback_type, arguments, NULL);
    if (result != NULL && self->functions != NULL)
        Py_XSETREF(((struct traceback *)result)->functions, Py_NewRef(self->functions));
    Py_XDECREF(raw);
    Py_XDECREF(from);
    Py_XDECREF(slice);
    Py_XDECREF(rest);
    Py_XDECREF(arguments);
    return result;
}

static PyObject *trace_traceback(PyObject *object, void *Py_UNUSED(closure)) {
    struct trace *self = (struct trace *)object;
    if (self->traceback != NULL)
        return Py_NewRef((PyObject *)self->traceback);
    struct state *state = state_of(object);
    return state == NULL ? NULL : traceback_of_raw(state, self);
}

static PyObject *get_raw(PyObject *self, void *Py_UNUSED(closure)) {
    return Py_XNewRef(trace_raw((struct trace *)self));
}

static int set_raw(PyObject *object, PyObject *value, void *closure) {
    struct trace *self = (struct trace *)object;
    if (self->traceback != NULL && trace_raw(self) == NULL)
        return -1;
    Py_CLEAR(self->traceback);
    return slot_set(object, value, closure);
}

static PyObject *get_functions(PyObject *object, void *Py_UNUSED(closure)) {
    struct trace *self = (struct trace *)object;
    PyObject *functions = self->functions;
    if (self->traceback != NULL && traceback_functions(self->traceback, &functions) < 0)
        return NULL;
    return Py_NewRef(functions == NULL ? Py_None : functions);
}

static PyObject *trace_compare(PyObject *a, PyObject *b, int op) {
    struct state *state = state_of(a);
    if (state == NULL)
        return NULL;
    if (!PyObject_TypeCheck(b, state->trace_type) || (op != Py_EQ && op != Py_NE))
        Py_RETURN_NOTIMPLEMENTED;
    struct trace *left = (struct trace *)a, *right = (struct trace *)b;
    if (left->traceback != NULL && right->traceback != NULL &&
        (left->traceback == right->traceback || left->size != right->size || left->domain != right->domain))
        return PyBool_FromLong((left->size == right->size && left->domain == right->domain) == (op == Py_EQ));
    PyObject *left_raw = Py_XNewRef(trace_raw(left)), *right_raw = NULL, *result = NULL;
    if (left_raw != NULL && (right_raw = Py_XNewRef(trace_raw(right))) != NULL)
        result = equal_objects(left_raw, right_raw, op);
    Py_XDECREF(left_raw);
    Py_XDECREF(right_raw);
    return result;
}

static Py_hash_t trace_hash(PyObject *self) {
    PyObject *raw = Py_XNewRef(trace_raw((struct trace *)self));
    Py_hash_t hash = raw == NULL ? -1 : PyObject_Hash(raw);
    Py_XDECREF(raw);
    return hash;
}

static PyObject *size_text(PyObject *self) {
    PyObject *size = attribute(self, "size");
    PyObject *text = size == NULL ? NULL : format_size(size, false);
    Py_XDECREF(size);
    return text;
}

static PyObject *trace_str(PyObject *self) {
    PyObject *traceback = attribute(self, "traceback"), *size = NULL, *text = NULL;
    if (traceback != NULL && (size = size_text(self)) != NULL)
        text = PyUnicode_FromFormat("%S: %S", traceback, size);
    Py_XDECREF(traceback);
    Py_XDECREF(size);
    return text;
}

static PyObject *trace_repr(PyObject *self) {
    PyObject *domain = attribute(self, "domain"), *size = NULL, *traceback = NULL, *text = NULL;
    if (domain != NULL && (size = size_text(self)) != NULL &&
        (traceback = attribute(self, "traceback")) != NULL)
        text = PyUnicode_FromFormat("<Trace domain=%S size=%S, traceback=%R>", domain, size, traceback);
    Py_XDECREF(domain);
    Py_XDECREF(size);
    Py_XDECREF(traceback);
    return text;
}

static int trace_init(PyObject *object, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"trace", NULL};
    PyObject *raw;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:Trace", keywords, &raw))
        return -1;
    struct trace *self = (struct trace *)object;
    Py_XSETREF(self->trace, Py_NewRef(raw));
    Py_CLEAR(self->functions);
    Py_CLEAR(self->traceback);
    return 0;
}

static int trace_traverse(PyObject *object, visitproc visit, void *arg) {
    struct trace *self = (struct trace *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->trace);
    Py_VISIT(self->functions);
    Py_VISIT((PyObject *)self->traceback);
    return 0;
}

static int trace_clear(PyObject *object) {
    struct trace *self = (struct trace *)object;
    Py_CLEAR(self->trace);
    Py_CLEAR(self->functions);
    Py_CLEAR(self->traceback);
    return 0;
}

static void trace_dealloc(PyObject *self) { object_dealloc(self, trace_clear); }

PyDoc_STRVAR(trace_doc,
             "Trace(trace)\n--\n\n"
             "One traced memory block; trace is a tuple (domain, size, frames[, total_nframe]) whose\n"
             "frames are (filename, lineno) pairs from the most recent to the oldest.\n\n"
             "In a \"peak\" or \"total\" snapshot: all blocks of one traceback and domain.");

static PyMethodDef trace_methods[] = {
    {"__reduce__", slots_reduce, METH_NOARGS, "For pickle and copy."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef trace_getset[] = {
    {"domain", trace_domain, NULL, "Address space of the block (int); 0: allocated by Python.", NULL},
    {"size", trace_size, NULL, "Size in bytes (int).", NULL},
    {"traceback", trace_traceback, NULL, "Where the block was allocated (Traceback).", NULL},
    {"_trace", get_raw, set_raw, NULL, SLOT_CLOSURE("_trace", struct trace, trace)},
    {"_functions", get_functions, slot_set, NULL, SLOT_CLOSURE("_functions", struct trace, functions)},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot trace_slots[] = {
    {Py_tp_doc, (void *)trace_doc},
    {Py_tp_init, trace_init},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_traverse, trace_traverse},
    {Py_tp_clear, trace_clear},
    {Py_tp_dealloc, trace_dealloc},
    {Py_tp_richcompare, trace_compare},
    {Py_tp_hash, trace_hash},
    {Py_tp_str, trace_str},
    {Py_tp_repr, trace_repr},
    {Py_tp_methods, trace_methods},
    {Py_tp_getset, trace_getset},
    {0, NULL},
};

PyType_Spec trace_spec = {
    .name = "memtally.Trace",
    .basicsize = sizeof(struct trace),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = trace_slots,
};
