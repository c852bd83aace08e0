/* ref_tracers: other reference tracers, which count objects made, and whoever puts back what was there before them. */
#include <Python.h>

enum { TRACERS = 4 };

static Py_ssize_t made[TRACERS];
static PyRefTracer found[TRACERS];
static void *found_data[TRACERS];

static int count(PyObject *object, PyRefTracerEvent event, void *data) {
    (void)object;
    if (event == PyRefTracer_CREATE)
        ++*(Py_ssize_t *)data;
    return 0;
}

/* begin(n): keeps what is there, and puts counter n in its place. */
static PyObject *begin(PyObject *module, PyObject *number) {
    (void)module;
    size_t n = PyLong_AsSize_t(number);
    if (n >= TRACERS)
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_ValueError, "there are %d", TRACERS);
    found[n] = PyRefTracer_GetTracer(&found_data[n]);
    if (PyRefTracer_SetTracer(count, &made[n]) != 0)
        return NULL;
    Py_RETURN_NONE;
}

/* end(n): puts back what begin(n) found. */
static PyObject *end(PyObject *module, PyObject *number) {
    (void)module;
    size_t n = PyLong_AsSize_t(number);
    if (n >= TRACERS)
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_ValueError, "there are %d", TRACERS);
    if (PyRefTracer_SetTracer(found[n], found_data[n]) != 0)
        return NULL;
    Py_RETURN_NONE;
}

/* counted(n): how many objects counter n has seen. */
static PyObject *counted(PyObject *module, PyObject *number) {
    (void)module;
    size_t n = PyLong_AsSize_t(number);
    if (n >= TRACERS)
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_ValueError, "there are %d", TRACERS);
    return PyLong_FromSsize_t(made[n]);
}

/* end_raising(n): the same with an exception set, which it raises. */
static PyObject *end_raising(PyObject *module, PyObject *number) {
    (void)module;
    size_t n = PyLong_AsSize_t(number);
    if (n >= TRACERS)
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_ValueError, "there are %d", TRACERS);
    PyErr_SetNone(PyExc_KeyError);
    (void)PyRefTracer_SetTracer(found[n], found_data[n]);
    return NULL;
}

static PyMethodDef methods[] = {{"begin", begin, METH_O, NULL},
                                {"end", end, METH_O, NULL},
                                {"end_raising", end_raising, METH_O, NULL},
                                {"counted", counted, METH_O, NULL},
                                {0}};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "ref_tracers", .m_methods = methods};

PyMODINIT_FUNC PyInit_ref_tracers(void) { return PyModule_Create(&definition); }
