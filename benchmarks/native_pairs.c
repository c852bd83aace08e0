/* native_pairs: pairs of allocate and free in the RAW domain, for the benchmarks only.
 *
 * Owns nothing between calls: every block is freed where it was allocated. raw_pairs keeps the GIL;
 * raw_pairs_without_gil gives it away for the whole loop, so that several threads run side by side. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

enum { BLOCK_SIZE = 64 };

/* False where there was no memory. The block is written to, so that the compiler cannot leave the pair out. */
static int run_pairs(long count) {
    for (long i = 0; i < count; i++) {
        volatile char *block = PyMem_RawMalloc(BLOCK_SIZE);
        if (block == NULL) {
            return 0;
        }
        block[0] = 1;
        PyMem_RawFree((void *)block);
    }
    return 1;
}

static PyObject *raw_pairs(PyObject *module, PyObject *argument) {
    (void)module;
    long count = PyLong_AsLong(argument);
    if (count == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (!run_pairs(count)) {
        return PyErr_NoMemory();
    }
    Py_RETURN_NONE;
}

static PyObject *raw_pairs_without_gil(PyObject *module, PyObject *argument) {
    (void)module;
    long count = PyLong_AsLong(argument);
    if (count == -1 && PyErr_Occurred()) {
        return NULL;
    }
    int done;
    Py_BEGIN_ALLOW_THREADS;
    done = run_pairs(count);
    Py_END_ALLOW_THREADS;
    if (!done) {
        return PyErr_NoMemory();
    }
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"raw_pairs", raw_pairs, METH_O, "raw_pairs(COUNT): allocate and free COUNT blocks, the GIL held."},
    {"raw_pairs_without_gil", raw_pairs_without_gil, METH_O, "The same with the GIL given away."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "native_pairs",
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit_native_pairs(void);

PyMODINIT_FUNC PyInit_native_pairs(void) { return PyModule_Create(&definition); }
