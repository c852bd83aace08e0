/* soon: a pending call of the interpreter, wrapped as a function (soon.h). */
#include "soon.h"

#include "../types/engine.h"

/* The reference is the pending call's. */
static int run(void *function) {
    PyObject *result = PyObject_CallNoArgs(function);
    if (result == NULL)
        PyErr_WriteUnraisable(function);
    Py_XDECREF(result);
    Py_DECREF((PyObject *)function);
    return 0;
}

static PyObject *later(PyObject *function, PyObject *Py_UNUSED(none)) {
    if (Py_AddPendingCall(run, Py_NewRef(function)) < 0) { /* the list is full */
        Py_DECREF(function);
        PyErr_SetString(PyExc_RuntimeError, "no more pending calls");
        return NULL;
    }
    Py_RETURN_NONE;
}

PyObject *soon_new(PyObject *function) {
    static PyMethodDef definition = {"soon", later, METH_NOARGS, NULL};
    return PyCFunction_New(&definition, function);
}

PyObject *engine_soon(PyObject *function) { return soon_new(function); }
