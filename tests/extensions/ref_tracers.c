/* ref_tracers: other reference tracers, which count objects made, and whoever puts back what was there before them. */
#include <Python.h>

enum { TRACERS = 20 };

static Py_ssize_t made[TRACERS];
static PyRefTracer found[TRACERS];
static void *found_data[TRACERS];

static int count(PyObject *object, PyRefTracerEvent event, void *data) {
    (void)object;
    if (event == PyRefTracer_CREATE)
        ++*(Py_ssize_t *)data;
    return 0;
}

/* Which tracer is meant; TRACERS, and an exception, where there is no such one. */
static size_t number_of(PyObject *number) {
    size_t n = PyLong_AsSize_t(number);
    if (n < TRACERS)
        return n;
    if (!PyErr_Occurred())
        PyErr_Format(PyExc_ValueError, "there are %d", TRACERS);
    return TRACERS;
}

/* begin(n): keeps what is there, and puts counter n in its place. */
static PyObject *begin(PyObject *module, PyObject *number) {
    (void)module;
    size_t n = number_of(number);
    if (n >= TRACERS)
        return NULL;
    found[n] = PyRefTracer_GetTracer(&found_data[n]);
    if (PyRefTracer_SetTracer(count, &made[n]) != 0)
        return NULL;
    Py_RETURN_NONE;
}

/* end(n): puts back what begin(n) found. */
static PyObject *end(PyObject *module, PyObject *number) {
    (void)module;
    size_t n = number_of(number);
    if (n >= TRACERS)
        return NULL;
    if (PyRefTracer_SetTracer(found[n], found_data[n]) != 0)
        return NULL;
    Py_RETURN_NONE;
}

/* counted(n): how many objects counter n has seen. */
static PyObject *counted(PyObject *module, PyObject *number) {
    (void)module;
    size_t n = number_of(number);
    if (n >= TRACERS)
        return NULL;
    return PyLong_FromSsize_t(made[n]);
}

/* end_raising(n): the same with an exception set, which it raises. */
static PyObject *end_raising(PyObject *module, PyObject *number) {
    (void)module;
    size_t n = number_of(number);
    if (n >= TRACERS)
        return NULL;
    PyErr_SetNone(PyExc_KeyError);
    (void)PyRefTracer_SetTracer(found[n], found_data[n]);
    return NULL;
}

/* clear(): nobody is to be there. */
static PyObject *clear(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    if (PyRefTracer_SetTracer(NULL, NULL) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {{"begin", begin, METH_O, NULL},
                                {"end", end, METH_O, NULL},
                                {"end_raising", end_raising, METH_O, NULL},
                                {"counted", counted, METH_O, NULL},
                                {"clear", clear, METH_NOARGS, NULL},
                                {0}};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "ref_tracers", .m_methods = methods};

PyMODINIT_FUNC PyInit_ref_tracers(void) { return PyModule_Create(&definition); }
