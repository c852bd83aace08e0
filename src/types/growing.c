/* growing: what grows in every step of a series of snapshots (core/growth.h), as objects.
 *
 * Needs the GIL, which is given up while rows are added up and compared. Objects are made for what is shown only.
 */
#include "types.h"

#include "../core/growth.h"

/* The snapshots in their order; each owned, as operand_init leaves it. */
struct series {
    struct operand *operands; /* owned (PyMem) */
    struct snapshot **columns;
    Py_ssize_t count;
};

static void series_fini(struct series *series) {
    for (Py_ssize_t i = 0; series->operands != NULL && i < series->count; i++)
        operand_fini(&series->operands[i]);
    PyMem_Free(series->operands);
    PyMem_Free(series->columns);
}

static int series_add(struct state *state, struct series *series, Py_ssize_t at, PyObject *snapshot) {
    struct operand *operand = &series->operands[at];
    if (!PyObject_TypeCheck(snapshot, state->snapshot_type)) {
        PyErr_Format(PyExc_TypeError, "a series is of snapshots, not of %.200s", Py_TYPE(snapshot)->tp_name);
        return -1;
    }
    if (operand_init(state, operand, snapshot) < 0)
        return -1;
    series->columns[at] = operand->columns;
    if (operand->columns == NULL)
        PyErr_SetString(PyExc_ValueError, "these are traces that no blocks can have");
    return operand->columns == NULL ? -1 : 0;
}

/* `earlier` (a list or tuple) and then `last`. */
static int series_init(struct state *state, struct series *series, PyObject *earlier, PyObject *last) {
    *series = (struct series){.count = PySequence_Fast_GET_SIZE(earlier) + 1};
    series->operands = PyMem_Calloc((size_t)series->count, sizeof *series->operands);
    series->columns = PyMem_Calloc((size_t)series->count, sizeof(struct snapshot *));
    int result = 0;
    if (series->operands == NULL || series->columns == NULL) {
        PyErr_NoMemory();
        result = -1;
    }
    for (Py_ssize_t i = 0; result == 0 && i + 1 < series->count; i++)
        result = series_add(state, series, i, PySequence_Fast_GET_ITEM(earlier, i));
    if (result == 0)
        result = series_add(state, series, series->count - 1, last);
    if (result < 0)
        series_fini(series);
    return result;
}

/* (Statistic, [bytes in each snapshot]) */
static PyObject *row_of(struct state *state, struct names *names, const struct growth *growth, size_t i,
                        enum key key) {
    PyObject *sizes = PyList_New((Py_ssize_t)growth->series), *row = NULL;
    for (size_t k = 0; sizes != NULL && k < growth->series; k++) {
        PyObject *size = PyLong_FromUnsignedLongLong(growth_sizes(growth, i)[k]);
        if (size == NULL)
            Py_CLEAR(sizes);
        else
            PyList_SET_ITEM(sizes, (Py_ssize_t)k, size);
    }
    struct statistic *statistic = sizes == NULL
                                      ? NULL
                                      : statistic_lazy(state->statistic_type, names, &growth->groups.items[i],
                                                       key, growth->groups.snapshot->limit);
    if (statistic != NULL)
        row = PyTuple_Pack(2, statistic, sizes);
    Py_XDECREF((PyObject *)statistic);
    Py_XDECREF(sizes);
    return row;
}

static PyObject *answer_of(struct state *state, struct names *names, const struct growth *growth,
                           enum key key, Py_ssize_t limit) {
    size_t count = growth->groups.count, shown = limit > 0 && (size_t)limit < count ? (size_t)limit : count;
    unsigned long long all = 0;
    for (size_t i = 0; i < count; i++)
        all += growth_sizes(growth, i)[growth->series - 1] - growth_sizes(growth, i)[0];
    PyObject *rows = PyList_New((Py_ssize_t)shown);
    for (size_t i = 0; rows != NULL && i < shown; i++) {
        PyObject *row = row_of(state, names, growth, i, key);
        if (row == NULL)
            Py_CLEAR(rows);
        else
            PyList_SET_ITEM(rows, (Py_ssize_t)i, row);
    }
    return rows == NULL ? NULL : Py_BuildValue("(nKN)", (Py_ssize_t)count, all, rows);
}

static PyObject *growing(struct state *state, const struct series *series, enum key key, bool cumulative,
                         Py_ssize_t limit) {
    struct names *names = series->operands[series->count - 1].names;
    struct growth growth;
    status result;
    Py_BEGIN_ALLOW_THREADS;
    result = growth_init(&growth, series->columns, (size_t)series->count, key, cumulative);
    Py_END_ALLOW_THREADS;
    if (result != STATUS_OK) {
        raise_status(result);
        return NULL;
    }
    PyObject *answer = answer_of(state, names, &growth, key, limit);
    growth_fini(&growth);
    return answer;
}

PyObject *snapshot_growing(PyObject *self, PyObject *args) {
    PyObject *earlier, *key_type, *items, *answer = NULL;
    struct state *state = state_of(self);
    struct series series;
    Py_ssize_t limit;
    int cumulative;
    enum key key;
    if (state == NULL || !PyArg_ParseTuple(args, "OOpn:_growing", &earlier, &key_type, &cumulative, &limit) ||
        key_from_name(key_type, cumulative != 0, &key) < 0 ||
        (items = PySequence_Fast(earlier, "earlier snapshots are a sequence")) == NULL)
        return NULL;
    if (PySequence_Fast_GET_SIZE(items) == 0)
        PyErr_SetString(PyExc_ValueError, "at least one earlier snapshot is needed");
    else if (series_init(state, &series, items, self) == 0) {
        answer = growing(state, &series, key, cumulative != 0, limit);
        series_fini(&series);
    }
    Py_DECREF(items);
    return answer;
}

const char growing_doc[] =
    "_growing($self, earlier, key_type, cumulative, limit, /)\n--\n\n"
    "What has more bytes in each snapshot than in the one before: of the earlier ones in their order, and "
    "of\n"
    "this one. A tuple: how many keys grow, the bytes by which they grew in all, and a list of\n"
    "(Statistic, [bytes in each snapshot]), the largest growth first, at most limit of them (0: all).";
