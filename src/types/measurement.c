/* measurement: memtally.measure: what happens to the traced memory while a block of code runs (core/measure.h).
 *
 *   NEW --enter--> INSIDE --exit--> DONE --enter--> INSIDE ...      stop, clear: INSIDE's figures are gone
 *
 * The object is the storage of its struct measure, which is linked in the tracer while it is INSIDE; it is unlinked
 * before its memory goes. It owns what was kept, and the snapshot made of that. With the GIL. Entering and leaving
 * allocate no Python memory, so that nothing of it is measured. */
#include "types.h"

#include "../core/kept.h"
#include "engine.h"

struct measurement {
    PyObject ob_base;
    struct measure measure;
    enum { NEW, INSIDE, DONE, BROKEN } state;
    struct measured figures; /* DONE: final */
    struct kept kept;        /* DONE: final */
    bool kept_is_lost;       /* there was no memory for it */
    uint32_t limit;          /* most frames */
    PyObject *snapshot;      /* owned; NULL: not made yet */
};

static PyObject *measurement_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, ":measure", keywords))
        return NULL;
    struct measurement *self = (struct measurement *)type->tp_alloc(type, 0);
    if (self != NULL)
        kept_init(&self->kept, &snapshots_account);
    return (PyObject *)self;
}

static void measurement_dealloc(PyObject *object) {
    struct measurement *self = (struct measurement *)object;
    PyTypeObject *type = Py_TYPE(object);
    engine_measure_end(&self->measure);
    kept_fini(&self->kept);
    Py_XDECREF(self->snapshot);
    type->tp_free(object);
    Py_DECREF(type);
}

/* --- in and out ------------------------------------------------------------------------------------------------------ */

static PyObject *measurement_enter(PyObject *object, PyObject *unused);
static PyObject *measurement_exit(PyObject *object, PyObject *const *args, Py_ssize_t count);

static PyMethodDef measurement_methods[] = {
    {"__enter__", measurement_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)(void (*)(void))measurement_exit, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

/* A with statement makes (up to 3.13) a bound method of __enter__, and drops it when that has returned. */
static bool is_bound_enter(uintptr_t address, uint64_t size) {
    const size_t head = 2 * sizeof(uintptr_t); /* the collector's */
    if (size != head + sizeof(PyCFunctionObject))
        return false;
    const PyCFunctionObject *function = (const PyCFunctionObject *)(address + head);
    return Py_IS_TYPE((PyObject *)(uintptr_t)function, &PyCFunction_Type) &&
           function->m_ml == &measurement_methods[0];
}

static PyObject *measurement_enter(PyObject *object, PyObject *Py_UNUSED(unused)) {
    struct measurement *self = (struct measurement *)object;
    if (self->state == INSIDE)
        return PyErr_Format(PyExc_RuntimeError, "this measurement has begun already: use another measure()");
    kept_fini(&self->kept);
    Py_CLEAR(self->snapshot);
    if (engine_measure_begin(&self->measure, is_bound_enter) < 0)
        return NULL;
    self->limit = (uint32_t)engine_limit();
    self->state = INSIDE;
    return Py_NewRef(object);
}

/* The figures of a measurement that goes on, or that ends now. BROKEN, and none, where tracing was stopped. */
static void read_now(struct measurement *self) {
    kept_fini(&self->kept);
    status result = engine_measure_read(&self->measure, &self->figures, &self->kept);
    self->kept_is_lost = result == STATUS_NOMEM;
    if (result == STATUS_INVALID)
        self->state = BROKEN;
}

static PyObject *measurement_exit(PyObject *object, PyObject *const *Py_UNUSED(args),
                                  Py_ssize_t Py_UNUSED(count)) {
    struct measurement *self = (struct measurement *)object;
    if (self->state != INSIDE)
        return PyErr_Format(PyExc_RuntimeError, "this measurement has not begun");
    read_now(self);
    engine_measure_end(&self->measure);
    if (self->state == INSIDE)
        self->state = DONE;
    Py_RETURN_NONE;
}

/* --- figures --------------------------------------------------------------------------------------------------------- */

/* -1 with an exception where there are no figures. */
static int have_figures(struct measurement *self) {
    if (self->state == INSIDE)
        read_now(self);
    if (self->state == NEW)
        PyErr_SetString(PyExc_RuntimeError, "this measurement has not begun");
    else if (self->state == BROKEN)
        PyErr_SetString(PyExc_RuntimeError,
                        "nothing is known of this measurement: stop() or clear_traces() was called in it");
    return self->state == INSIDE || self->state == DONE ? 0 : -1;
}

static PyObject *figure(PyObject *object, void *offset) {
    struct measurement *self = (struct measurement *)object;
    if (have_figures(self) < 0)
        return NULL;
    const char *place = (const char *)&self->figures + (size_t)offset;
    return PyLong_FromUnsignedLongLong(*(const uint64_t *)(const void *)place);
}

/* --- what was kept ---------------------------------------------------------------------------------------------------- */

static PyObject *make_snapshot(struct measurement *self) {
    struct state *state = state_of((PyObject *)self);
    struct snapshot *columns = NULL;
    if (state == NULL)
        return NULL;
    if (self->kept_is_lost || kept_snapshot(&self->kept, self->limit, &columns) != STATUS_OK)
        return PyErr_NoMemory();
    struct names *names = names_for(state, columns->paths);
    PyObject *limit = names == NULL ? NULL : PyLong_FromUnsignedLong(self->limit), *snapshot = NULL;
    if (limit != NULL)
        snapshot = snapshot_from_columns(state, names, columns, limit);
    snapshot_release(columns);
    Py_XDECREF((PyObject *)names);
    Py_XDECREF(limit);
    return snapshot;
}

static PyObject *measurement_snapshot(PyObject *object, void *Py_UNUSED(unused)) {
    struct measurement *self = (struct measurement *)object;
    if (self->snapshot != NULL)
        return Py_NewRef(self->snapshot);
    if (have_figures(self) < 0)
        return NULL;
    PyObject *made = make_snapshot(self);
    if (made != NULL && self->state == DONE && self->snapshot == NULL)
        self->snapshot = Py_NewRef(made);
    return made;
}

static PyObject *measurement_repr(PyObject *object) {
    struct measurement *self = (struct measurement *)object;
    static const char *const states[] = {"not begun", "", "", "broken off"};
    if (self->state == INSIDE)
        read_now(self);
    if (self->state == NEW || self->state == BROKEN)
        return PyUnicode_FromFormat("<memtally.measure: %s>", states[self->state]);
    return PyUnicode_FromFormat(
        "<memtally.measure: peak=%llu, allocated=%llu, kept=%llu>", (unsigned long long)self->figures.peak,
        (unsigned long long)self->figures.allocated, (unsigned long long)self->figures.kept);
}

/* --- as a decorator --------------------------------------------------------------------------------------------------- */

static PyObject *measurement_call(PyObject *object, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"", NULL};
    PyObject *function;
    (void)object;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:measure", keywords, &function))
        return NULL;
    PyObject *module = PyImport_ImportModule("memtally._measured");
    PyObject *decorated = module == NULL ? NULL : call(module, "decorate", function, NULL);
    Py_XDECREF(module);
    return decorated;
}

PyDoc_STRVAR(
    measurement_doc,
    "measure()\n--\n\n"
    "Measure what happens to the traced memory while a block of code runs::\n\n"
    "    with memtally.measure() as m:\n"
    "        table = load(name)\n"
    "    print(m.peak, m.allocated, m.kept)\n"
    "    m.snapshot.statistics('lineno')\n\n"
    "The figures are bytes, of the whole process: what other threads do meanwhile is in them. Inside the\n"
    "block they say how it stands; after it they are final. Measurements nest and overlap in any way, in\n"
    "threads and coroutines; one object measures one block at a time, and may be used again.\n\n"
    "As a decorator, of a function or coroutine function, each call is measured apart; the decorated\n"
    "function's attribute `measured` is the measurement of the call that ended last, None before.\n\n"
    "Entering raises RuntimeError while not tracing; so do the figures where stop() or clear_traces() was\n"
    "called inside. Call it in the main interpreter, from any thread.");

#define AT(name) ((void *)offsetof(struct measured, name))

static PyGetSetDef measurement_getset[] = {
    {"peak", figure, NULL,
     "The most bytes (int) that were traced at any moment inside, above what was traced at the beginning.",
     AT(peak)},
    {"allocated", figure, NULL,
     "Bytes (int) that were asked of the allocators inside, freed again or not; a block that is resized\n"
     "counts anew. Objects that came out of a free list asked for nothing.",
     AT(allocated)},
    {"kept", figure, NULL, "Bytes (int) of blocks that were allocated inside and are still there at the end.",
     AT(kept)},
    {"snapshot", measurement_snapshot, NULL,
     "A Snapshot of the blocks that were allocated inside and are still there at the end, with the\n"
     "tracebacks they have then; made when it is first asked for. It has no metadata and no other views.\n"
     "MemoryError where there was no memory to remember the blocks.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot measurement_slots[] = {
    {Py_tp_doc, (void *)measurement_doc}, {Py_tp_new, measurement_new},
    {Py_tp_dealloc, measurement_dealloc}, {Py_tp_repr, measurement_repr},
    {Py_tp_call, measurement_call},       {Py_tp_getset, measurement_getset},
    {Py_tp_methods, measurement_methods}, {0, NULL},
};

PyType_Spec measurement_spec = {
    .name = "memtally.measure",
    .basicsize = sizeof(struct measurement),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = measurement_slots,
};
