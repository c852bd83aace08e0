/* combine: Snapshot.merge, process and processes, and the difference of two snapshots (core/merge.h, subtract.h).
 *
 * Needs the GIL, which is given up while the core works.
 */
#include "types.h"

#include "../core/merge.h"
#include "../core/subtract.h"

/* Columns or ValueError. */
static int operand_columns(struct state *state, struct operand *operand, PyObject *snapshot) {
    if (operand_init(state, operand, snapshot) < 0)
        return -1;
    if (operand->columns != NULL)
        return 0;
    PyErr_SetString(PyExc_ValueError, "traces with numbers that no blocks can have cannot be combined");
    return -1;
}

/* A snapshot on call paths of its own; consumes the reference to the columns. */
static PyObject *snapshot_of_columns(struct state *state, struct snapshot *columns, PyObject *limit) {
    struct names *names = names_new(state, columns->paths);
    PyObject *snapshot = names == NULL ? NULL : snapshot_from_columns(state, names, columns, limit);
    Py_XDECREF((PyObject *)names);
    snapshot_release(columns);
    return snapshot;
}

/* --- merge --- */

struct parts {
    struct operand *operands; /* owned (PyMem) */
    PyObject **names;         /* owned (PyMem): UTF-8 of each process's name */
    struct merge_part *items; /* owned (PyMem) */
    Py_ssize_t count;
};

static void parts_fini(struct parts *self) {
    for (Py_ssize_t i = 0; i < self->count; i++) {
        operand_fini(&self->operands[i]);
        Py_XDECREF(self->names[i]);
    }
    PyMem_Free(self->operands);
    PyMem_Free(self->names);
    PyMem_Free(self->items);
}

static int part_init(struct state *state, struct parts *self, Py_ssize_t i, PyObject *name,
                     PyObject *snapshot) {
    if (!PyUnicode_Check(name) || PyUnicode_GetLength(name) == 0) {
        PyErr_Format(PyExc_TypeError, "the name of a process must be a str that is not empty, not %R", name);
        return -1;
    }
    if (!PyObject_TypeCheck(snapshot, state->snapshot_type)) {
        PyErr_Format(PyExc_TypeError, "merge() needs snapshots, not %.200s", Py_TYPE(snapshot)->tp_name);
        return -1;
    }
    if (operand_columns(state, &self->operands[i], snapshot) < 0 ||
        (self->names[i] = PyUnicode_AsEncodedString(name, "utf-8", "surrogatepass")) == NULL)
        return -1;
    self->items[i].snapshot = self->operands[i].columns;
    self->items[i].process = (struct string){PyBytes_AS_STRING(self->names[i]),
                                             (size_t)PyBytes_GET_SIZE(self->names[i])};
    if (self->operands[i].columns->view == self->operands[0].columns->view)
        return 0;
    PyErr_SetString(PyExc_ValueError, "the snapshots to merge must all have the same view");
    return -1;
}

static int parts_init(struct state *state, struct parts *self, PyObject *mapping) {
    PyObject *pairs = PyMapping_Items(mapping);
    Py_ssize_t count = pairs == NULL ? 0 : PyList_GET_SIZE(pairs);
    int result = pairs == NULL ? -1 : 0;
    self->operands = PyMem_Calloc((size_t)count + 1, sizeof *self->operands);
    self->names = PyMem_Calloc((size_t)count + 1, sizeof *self->names);
    self->items = PyMem_Calloc((size_t)count + 1, sizeof *self->items);
    if (self->operands == NULL || self->names == NULL || self->items == NULL) {
        PyErr_NoMemory();
        result = -1;
    } else {
        self->count = count;
    }
    for (Py_ssize_t i = 0; result == 0 && i < count; i++) {
        PyObject *name, *snapshot;
        result = PyArg_ParseTuple(PyList_GET_ITEM(pairs, i), "OO", &name, &snapshot)
                     ? part_init(state, self, i, name, snapshot)
                     : -1;
    }
    if (result == 0 && count == 0) {
        PyErr_SetString(PyExc_ValueError, "merge() needs at least one snapshot");
        result = -1;
    }
    Py_XDECREF(pairs);
    return result;
}

static PyObject *merge_parts(struct state *state, const struct parts *parts) {
    struct snapshot *merged = NULL;
    status result;
    Py_BEGIN_ALLOW_THREADS;
    result = merge(&snapshots_account, parts->items, (size_t)parts->count, &merged);
    Py_END_ALLOW_THREADS;
    if (result != STATUS_OK) {
        raise_status(result);
        return NULL;
    }
    PyObject *limit = PyLong_FromUnsignedLong(merged->limit), *snapshot = NULL;
    if (limit == NULL)
        snapshot_release(merged);
    else
        snapshot = snapshot_of_columns(state, merged, limit);
    Py_XDECREF(limit);
    return snapshot;
}

PyObject *snapshot_merge(PyObject *type, PyObject *mapping) {
    PyObject *module = PyType_GetModuleByDef((PyTypeObject *)type, &memtally_module);
    struct parts parts = {0};
    PyObject *snapshot = NULL;
    if (module == NULL)
        return NULL;
    struct state *state = PyModule_GetState(module);
    if (!PyMapping_Check(mapping) || PySequence_Check(mapping))
        return PyErr_Format(PyExc_TypeError,
                            "merge() needs a mapping of names of processes to their snapshots, not %.200s",
                            Py_TYPE(mapping)->tp_name);
    if (parts_init(state, &parts, mapping) == 0)
        snapshot = merge_parts(state, &parts);
    parts_fini(&parts);
    return snapshot;
}

/* --- the processes of a snapshot --- */

static status collect_processes(const struct snapshot *columns, struct idset *processes) {
    status result = idset_init(processes, columns->account, callpaths_ends(columns->paths).strings);
    for (struct rows rows = snapshot_rows(columns); result == STATUS_OK && rows_next(&rows);)
        idset_add(processes, rows.row->process);
    return result;
}

static PyObject *names_of(struct names *names, const struct idset *processes) {
    PyObject *list = PyList_New(0), *tuple = NULL;
    for (uint32_t id = idset_next(processes, 1); list != NULL && id < processes->end;
         id = idset_next(processes, id + 1)) {
        PyObject *name = names_string(names, id);
        if (name == NULL || PyList_Append(list, name) < 0)
            Py_CLEAR(list);
    }
    if (list != NULL && PyList_Sort(list) == 0)
        tuple = PyList_AsTuple(list);
    Py_XDECREF(list);
    return tuple;
}

PyObject *snapshot_processes(PyObject *self, void *Py_UNUSED(unused)) {
    struct state *state = state_of(self);
    struct operand operand = {0};
    struct idset processes = {0};
    PyObject *tuple = NULL;
    if (state == NULL || operand_init(state, &operand, self) < 0)
        return NULL;
    status result = operand.columns == NULL ? STATUS_OK : collect_processes(operand.columns, &processes);
    if (result != STATUS_OK)
        raise_status(result);
    else
        tuple = operand.columns == NULL ? PyTuple_New(0) : names_of(operand.names, &processes);
    idset_fini(&processes);
    operand_fini(&operand);
    return tuple;
}

/* The string id of a name among those of the rows' processes: 1 found, 0, -1. */
static int find_process(const struct operand *operand, PyObject *name, uint32_t *process) {
    struct idset processes = {0};
    int found = 0;
    status result = operand->columns == NULL ? STATUS_OK : collect_processes(operand->columns, &processes);
    if (result != STATUS_OK) {
        raise_status(result);
        return -1;
    }
    for (uint32_t id = idset_next(&processes, 1); found == 0 && id < processes.end;
         id = idset_next(&processes, id + 1)) {
        PyObject *known = names_string(operand->names, id);
        found = known == NULL ? -1 : PyObject_RichCompareBool(known, name, Py_EQ);
        *process = id;
    }
    idset_fini(&processes);
    return found;
}

static PyObject *part_of(struct state *state, const struct operand *operand, uint32_t process,
                         PyObject *limit) {
    struct snapshot *rows = NULL;
    status result;
    Py_BEGIN_ALLOW_THREADS;
    result = rows_of_process(operand->columns, process, &rows);
    Py_END_ALLOW_THREADS;
    if (result != STATUS_OK)
        raise_status(result);
    PyObject *snapshot = rows == NULL ? NULL : snapshot_from_columns(state, operand->names, rows, limit);
    snapshot_release(rows);
    return snapshot;
}

PyObject *snapshot_process(PyObject *self, PyObject *name) {
    struct state *state = state_of(self);
    struct operand operand = {0};
    PyObject *limit = NULL, *snapshot = NULL;
    uint32_t process = 0;
    if (state == NULL || operand_init(state, &operand, self) < 0)
        return NULL;
    int found = find_process(&operand, name, &process);
    if (found == 0)
        PyErr_Format(PyExc_KeyError, "the snapshot has no process %R", name);
    else if (found > 0 && (limit = attribute(self, "traceback_limit")) != NULL)
        snapshot = part_of(state, &operand, process, limit);
    operand_fini(&operand);
    Py_XDECREF(limit);
    return snapshot;
}

/* --- difference --- */

static PyObject *difference(struct state *state, const struct operand *a, const struct operand *b,
                            PyObject *limit) {
    struct snapshot *left = NULL;
    status result;
    if (a->columns->view != b->columns->view || a->columns->view == VIEW_PEAK) {
        PyErr_SetString(PyExc_ValueError,
                        a->columns->view != b->columns->view
                            ? "the snapshots must have the same view"
                            : "peaks of two moments have no difference; compare_to() compares them");
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS;
    result = subtract(a->columns, b->columns, &left);
    Py_END_ALLOW_THREADS;
    if (result != STATUS_OK)
        raise_status(result);
    PyObject *snapshot = left == NULL ? NULL : snapshot_from_columns(state, a->names, left, limit);
    snapshot_release(left);
    return snapshot;
}

PyObject *snapshot_subtract(PyObject *a, PyObject *b) {
    struct state *state = state_of(a);
    struct operand left = {0}, right = {0};
    PyObject *limit = NULL, *snapshot = NULL;
    if (state == NULL) { /* the other one is the snapshot */
        PyErr_Clear();
        Py_RETURN_NOTIMPLEMENTED;
    }
    if (!PyObject_TypeCheck(a, state->snapshot_type) || !PyObject_TypeCheck(b, state->snapshot_type))
        Py_RETURN_NOTIMPLEMENTED;
    if (operand_columns(state, &left, a) == 0 && operand_columns(state, &right, b) == 0 &&
        (limit = attribute(a, "traceback_limit")) != NULL)
        snapshot = difference(state, &left, &right, limit);
    operand_fini(&left);
    operand_fini(&right);
    Py_XDECREF(limit);
    return snapshot;
}

const char merge_doc[] =
    "merge($type, snapshots, /)\n--\n\n"
    "One snapshot of several processes: snapshots is a mapping of their names (str) to their snapshots.\n\n"
    "Each trace keeps its process: statistics('process') adds up by it, process(name) gives one back, and\n"
    "`processes` tells the names. Traces of a merged snapshot keep the processes that they have. All must\n"
    "have one view; traceback_limit becomes the highest one. Raises TypeError and ValueError.";
const char process_doc[] =
    "process($self, name, /)\n--\n\n"
    "New snapshot of the traces of one process. Raises KeyError for a name that is not in `processes`.";
const char processes_doc[] =
    "Names of the processes that traces are from (sorted tuple of str); empty where none was merged.";
