/* frame: class Frame, one line of a traceback and the function it is in.
 *
 * Holds the tuple (filename, lineno), or whatever its constructor was given, as the standard class does. The
 * function takes no part in equality, order and hash. Needs the GIL.
 */
#include "types.h"

PyObject *frame_new(struct state *state, PyObject *tuple, PyObject *function) {
    PyObject *self = object_new_untracked(state->frame_type, sizeof(struct frame));
    if (self == NULL)
        return NULL;
    ((struct frame *)self)->frame = Py_NewRef(tuple);
    if (function != NULL && function != Py_None)
        ((struct frame *)self)->function = Py_NewRef(function);
    if (!PyTuple_CheckExact(tuple) || PyObject_GC_IsTracked(tuple))
        object_track(self);
    return self;
}

static int frame_init(PyObject *object, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"frame", NULL};
    PyObject *tuple;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:Frame", keywords, &tuple))
        return -1;
    struct frame *self = (struct frame *)object;
    Py_XSETREF(self->frame, Py_NewRef(tuple));
    Py_CLEAR(self->function);
    return 0;
}

static int frame_traverse(PyObject *object, visitproc visit, void *arg) {
    struct frame *self = (struct frame *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->frame);
    Py_VISIT(self->function);
    return 0;
}

static int frame_clear(PyObject *object) {
    struct frame *self = (struct frame *)object;
    Py_CLEAR(self->frame);
    Py_CLEAR(self->function);
    return 0;
}

static void frame_dealloc(PyObject *self) { object_dealloc(self, frame_clear); }

static PyObject *frame_item(PyObject *self, long index) {
    PyObject *tuple = ((struct frame *)self)->frame, *key = NULL, *item = NULL;
    if (tuple == NULL)
        return slot_missing(self, "_frame");
    if (PyTuple_CheckExact(tuple) && PyTuple_GET_SIZE(tuple) > index)
        return Py_NewRef(PyTuple_GET_ITEM(tuple, index));
    Py_INCREF(tuple);
    if ((key = PyLong_FromLong(index)) != NULL)
        item = PyObject_GetItem(tuple, key);
    Py_XDECREF(key);
    Py_DECREF(tuple);
    return item;
}

static PyObject *frame_filename(PyObject *self, void *Py_UNUSED(closure)) { return frame_item(self, 0); }

static PyObject *frame_lineno(PyObject *self, void *Py_UNUSED(closure)) { return frame_item(self, 1); }

static PyObject *frame_function(PyObject *self, void *Py_UNUSED(closure)) {
    PyObject *function = ((struct frame *)self)->function;
    return Py_NewRef(function == NULL ? Py_None : function);
}

static PyObject *frame_compare(PyObject *a, PyObject *b, int op) {
    struct state *state = state_of(a);
    if (state == NULL)
        return NULL;
    if (!PyObject_TypeCheck(b, state->frame_type))
        Py_RETURN_NOTIMPLEMENTED;
    PyObject *left = ((struct frame *)a)->frame, *right = ((struct frame *)b)->frame;
    if (left == NULL || right == NULL)
        return slot_missing(left == NULL ? a : b, "_frame");
    Py_INCREF(left);
    Py_INCREF(right);
    PyObject *result = order_objects(left, right, op);
    Py_DECREF(left);
    Py_DECREF(right);
    return result;
}

static Py_hash_t frame_hash(PyObject *self) {
    PyObject *tuple = ((struct frame *)self)->frame;
    if (tuple != NULL)
        return PyObject_Hash(tuple);
    slot_missing(self, "_frame");
    return -1;
}

static PyObject *frame_describe(PyObject *self, const char *format) {
    PyObject *filename = attribute(self, "filename"), *text = NULL;
    PyObject *lineno = attribute(self, "lineno");
    if (filename != NULL && lineno != NULL)
        text = PyUnicode_FromFormat(format, filename, lineno);
    Py_XDECREF(filename);
    Py_XDECREF(lineno);
    return text;
}

static PyObject *frame_str(PyObject *self) { return frame_describe(self, "%S:%S"); }

static PyObject *frame_repr(PyObject *self) { return frame_describe(self, "<Frame filename=%R lineno=%R>"); }

PyDoc_STRVAR(frame_doc, "Frame(frame)\n--\n\n"
                        "One frame of a traceback; frame is a tuple (filename, lineno).\n\n"
                        "Frames compare and hash by file name and line; the function takes no part.");

static PyMethodDef frame_methods[] = {
    {"__reduce__", slots_reduce, METH_NOARGS, "For pickle and copy."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef frame_getset[] = {
    {"filename", frame_filename, NULL, "File name (str); \"<unknown>\" where it could not be found.", NULL},
    {"lineno", frame_lineno, NULL, "Line number (int); 0 where it is not known.", NULL},
    {"function", frame_function, NULL, "Qualified name of the function (str), or None where it is not known.",
     NULL},
    SLOT("_frame", struct frame, frame, NULL),
    SLOT("_function", struct frame, function, NULL),
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot frame_slots[] = {
    {Py_tp_doc, (void *)frame_doc},
    {Py_tp_init, frame_init},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_traverse, frame_traverse},
    {Py_tp_clear, frame_clear},
    {Py_tp_dealloc, frame_dealloc},
    {Py_tp_richcompare, frame_compare},
    {Py_tp_hash, frame_hash},
    {Py_tp_str, frame_str},
    {Py_tp_repr, frame_repr},
    {Py_tp_methods, frame_methods},
    {Py_tp_getset, frame_getset},
    {0, NULL},
};

PyType_Spec frame_spec = {
    .name = "memtally.Frame",
    .basicsize = sizeof(struct frame),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = frame_slots,
};
