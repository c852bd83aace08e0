/* interchange: snapshots of the standard module made from ours, and ours from them. Owns nothing. Needs the GIL. */
#include "types.h"

const char to_tracemalloc_doc[] =
    "to_tracemalloc($self, /)\n--\n\n"
    "The same traces as a Snapshot of the standard module, for tools that want one.\n\n"
    "Equal traces share their tuple. Function names are lost. Of a 'peak' or 'total' snapshot each call "
    "path\n"
    "becomes one trace with all its bytes, as in `traces`.";
const char from_tracemalloc_doc[] =
    "from_tracemalloc($type, snapshot, /)\n--\n\n"
    "The traces of a tracemalloc.Snapshot as a snapshot of ours. Function names are not known there. Raises\n"
    "TypeError for anything else.";

/* Not from `import tracemalloc`: that may be memtally (memtally/_standin.py). */
static PyObject *standard_class(void) {
    PyObject *standin = PyImport_ImportModule("memtally._standin");
    PyObject *module = standin == NULL ? NULL : call(standin, "standard_module", NULL, NULL);
    PyObject *class = module == NULL ? NULL : attribute(module, "Snapshot");
    Py_XDECREF(standin);
    Py_XDECREF(module);
    return class;
}

PyObject *snapshot_to_tracemalloc(PyObject *self, PyObject *Py_UNUSED(unused)) {
    PyObject *class = NULL, *limit = NULL, *raw = NULL, *result = NULL;
    struct operand side = {0};
    struct state *state = state_of(self);
    if (state != NULL && operand_init(state, &side, self) == 0 && (class = standard_class()) != NULL &&
        (limit = attribute(self, "traceback_limit")) != NULL)
        raw = side.columns != NULL ? rows_list(side.names, side.columns) : PySequence_List(side.raw);
    if (raw != NULL)
        result = PyObject_CallFunctionObjArgs(class, raw, limit, NULL);
    operand_fini(&side);
    Py_XDECREF(class);
    Py_XDECREF(limit);
    Py_XDECREF(raw);
    return result;
}

/* As columns at once where they fit, so that nothing is converted twice. */
static PyObject *snapshot_of_raw(struct state *state, PyObject *raw, PyObject *limit) {
    struct snapshot *columns = NULL;
    struct names *names = NULL;
    PyObject *snapshot = NULL;
    int fits = columns_from_raw(raw, &columns);
    if (fits > 0 && (names = names_new(state, columns->paths)) != NULL)
        snapshot = snapshot_from_columns(state, names, columns, limit);
    else if (fits == 0)
        snapshot = snapshot_from_raw(state, raw, limit);
    snapshot_release(columns);
    Py_XDECREF((PyObject *)names);
    return snapshot;
}

PyObject *snapshot_from_tracemalloc(PyObject *type, PyObject *standard) {
    PyObject *module = PyType_GetModuleByDef((PyTypeObject *)type, &memtally_module);
    PyObject *class = module == NULL ? NULL : standard_class(), *traces = NULL, *raw = NULL, *limit = NULL;
    PyObject *snapshot = NULL;
    int is_one = class == NULL ? -1 : PyObject_IsInstance(standard, class);
    if (is_one == 0)
        PyErr_Format(PyExc_TypeError, "from_tracemalloc() needs a tracemalloc.Snapshot, not %.200s",
                     Py_TYPE(standard)->tp_name);
    else if (is_one > 0 && (traces = attribute(standard, "traces")) != NULL &&
             (raw = attribute(traces, "_traces")) != NULL &&
             (limit = attribute(standard, "traceback_limit")) != NULL)
        snapshot = snapshot_of_raw(PyModule_GetState(module), raw, limit);
    Py_XDECREF(class);
    Py_XDECREF(traces);
    Py_XDECREF(raw);
    Py_XDECREF(limit);
    return snapshot;
}
