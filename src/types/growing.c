/* growing: what grows in every step of a series of snapshots (core/growth.h), as objects.
 *
 * Needs the GIL, which is given up while rows are added up and compared. Objects are made for what is shown only.
 */
#include "types.h"

#include "../core/growth.h"

/* One earlier snapshot, which nobody else may hold: it is gone before the next one comes. */
static int note_one(struct state *state, struct growth *growth, PyObject *snapshot, Py_ssize_t at) {
    struct operand operand = {0};
    status result;
    if (!PyObject_TypeCheck(snapshot, state->snapshot_type)) {
        PyErr_Format(PyExc_TypeError, "a series is of snapshots, not of %.200s", Py_TYPE(snapshot)->tp_name);
        return -1;
    }
    if (operand_init(state, &operand, snapshot) < 0)
        return -1;
    if (operand.columns == NULL) {
        PyErr_SetString(PyExc_ValueError, "these are traces that no blocks can have");
        operand_fini(&operand);
        return -1;
    }
    Py_BEGIN_ALLOW_THREADS;
    result = growth_note(growth, operand.columns, (size_t)at);
    Py_END_ALLOW_THREADS;
    operand_fini(&operand);
    if (result != STATUS_OK)
        raise_status(result);
    return result == STATUS_OK ? 0 : -1;
}

static int note_all(struct state *state, struct growth *growth, PyObject *earlier) {
    PyObject *iterator = PyObject_GetIter(earlier), *snapshot;
    Py_ssize_t at = 0, count = (Py_ssize_t)growth->series - 1;
    while (iterator != NULL && at < count && (snapshot = PyIter_Next(iterator)) != NULL) {
        int result = note_one(state, growth, snapshot, at++);
        Py_DECREF(snapshot);
        if (result < 0)
            Py_CLEAR(iterator);
    }
    Py_XDECREF(iterator);
    if (iterator != NULL && at < count && !PyErr_Occurred())
        PyErr_Format(PyExc_ValueError, "%zd earlier snapshots were to come, and %zd did", count, at);
    return PyErr_Occurred() ? -1 : 0;
}

/* (Statistic, [bytes in each snapshot]) */
static PyObject *row_of(struct state *state, struct names *names, const struct growth *growth, size_t i) {
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
                                                       growth->key, growth->groups.snapshot->limit);
    if (statistic != NULL)
        row = PyTuple_Pack(2, statistic, sizes);
    Py_XDECREF((PyObject *)statistic);
    Py_XDECREF(sizes);
    return row;
}

static PyObject *answer_of(struct state *state, struct names *names, const struct growth *growth) {
    size_t count = growth->groups.count;
    PyObject *rows = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; rows != NULL && i < count; i++) {
        PyObject *row = row_of(state, names, growth, i);
        if (row == NULL)
            Py_CLEAR(rows);
        else
            PyList_SET_ITEM(rows, (Py_ssize_t)i, row);
    }
    return rows == NULL ? NULL
                        : Py_BuildValue("(nKN)", (Py_ssize_t)growth->groups.all,
                                        (unsigned long long)growth->bytes, rows);
}

/* What came last is here; the others come one at a time. */
static PyObject *growing(struct state *state, const struct operand *last, PyObject *earlier,
                         struct growth *growth, Py_ssize_t limit) {
    status result;
    if (note_all(state, growth, earlier) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS;
    result = growth_sort(growth, limit > 0 ? (size_t)limit : SIZE_MAX);
    Py_END_ALLOW_THREADS;
    if (result == STATUS_OK)
        return answer_of(state, last->names, growth);
    raise_status(result);
    return NULL;
}

static PyObject *begin(struct state *state, const struct operand *last, PyObject *earlier, Py_ssize_t count,
                       enum key key, bool cumulative, Py_ssize_t limit) {
    struct growth growth;
    PyObject *answer = NULL;
    status result;
    Py_BEGIN_ALLOW_THREADS;
    result = growth_init(&growth, last->columns, (size_t)count + 1, key, cumulative);
    Py_END_ALLOW_THREADS;
    if (result == STATUS_OK)
        answer = growing(state, last, earlier, &growth, limit);
    else
        raise_status(result);
    growth_fini(&growth);
    return answer;
}

PyObject *snapshot_growing(PyObject *self, PyObject *args) {
    PyObject *earlier, *key_type, *answer = NULL;
    struct state *state = state_of(self);
    struct operand last = {0};
    Py_ssize_t count, limit;
    int cumulative;
    enum key key;
    if (state == NULL ||
        !PyArg_ParseTuple(args, "OnOpn:_growing", &earlier, &count, &key_type, &cumulative, &limit) ||
        key_from_name(key_type, cumulative != 0, &key) < 0 || operand_init(state, &last, self) < 0)
        return NULL;
    if (count < 1)
        PyErr_SetString(PyExc_ValueError, "at least one earlier snapshot is needed");
    else if (last.columns == NULL)
        PyErr_SetString(PyExc_ValueError, "these are traces that no blocks can have");
    else
        answer = begin(state, &last, earlier, count, key, cumulative != 0, limit);
    operand_fini(&last);
    return answer;
}

const char growing_doc[] = "_growing($self, earlier, count, key_type, cumulative, limit, /)\n--\n\n"
                           "What has more bytes in each snapshot than in the one before: of count earlier "
                           "ones in their order, which an\n"
                           "iterable gives one at a time, and of this one. A tuple: how many keys grow, the "
                           "bytes by which they grew in all,\n"
                           "and a list of (Statistic, [bytes in each snapshot]), the largest growth first, "
                           "at most limit of them (0: all).";
