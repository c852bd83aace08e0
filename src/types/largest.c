/* largest: the first few statistics of a snapshot, or changes between two, for commands that show no more: the others
 * are neither sorted nor made into objects.
 *
 * Needs the GIL, which is given up while the core adds up. Traces that no blocks can have are added up as everywhere,
 * and what is too much is dropped.
 */
#include "types.h"

/* 0 means all. */
static size_t most_of(Py_ssize_t limit) { return limit > 0 ? (size_t)limit : SIZE_MAX; }

/* Steals the list. */
static PyObject *first_of(PyObject *list, Py_ssize_t limit, size_t *all) {
    if (list == NULL)
        return NULL;
    *all = (size_t)PyList_GET_SIZE(list);
    PyObject *first = *all <= most_of(limit) ? Py_NewRef(list) : PyList_GetSlice(list, 0, limit);
    Py_DECREF(list);
    return first;
}

static PyObject *changed_of(PyObject *list) {
    PyObject *changed = list == NULL ? NULL : PyList_New(0);
    for (Py_ssize_t i = 0; changed != NULL && i < PyList_GET_SIZE(list); i++) {
        const struct statistic *change = (const struct statistic *)PyList_GET_ITEM(list, i);
        int sizes = PyObject_IsTrue(change->size_diff), counts = PyObject_IsTrue(change->count_diff);
        if (sizes < 0 || counts < 0 ||
            ((sizes > 0 || counts > 0) && PyList_Append(changed, PyList_GET_ITEM(list, i)) < 0))
            Py_CLEAR(changed);
    }
    Py_XDECREF(list);
    return changed;
}

static PyObject *answer(PyObject *list, size_t all) {
    return list == NULL ? NULL : Py_BuildValue("(nN)", (Py_ssize_t)all, list);
}

PyObject *snapshot_largest(PyObject *self, PyObject *args) {
    struct state *state = state_of(self);
    struct operand side = {0};
    PyObject *key_type, *list = NULL;
    Py_ssize_t limit;
    size_t all = 0;
    int cumulative;
    enum key key;
    if (state == NULL || !PyArg_ParseTuple(args, "Opn:_largest", &key_type, &cumulative, &limit) ||
        key_from_name(key_type, cumulative != 0, &key) < 0 || operand_init(state, &side, self) < 0)
        return NULL;
    if (side.columns != NULL)
        list = statistics_top(state, &side, key, cumulative != 0, most_of(limit), &all);
    else
        list = first_of(plain_statistics(state, side.raw, key, cumulative != 0), limit, &all);
    operand_fini(&side);
    return answer(list, all);
}

PyObject *snapshot_changed(PyObject *self, PyObject *args) {
    struct state *state = state_of(self);
    struct operand now = {0}, old = {0};
    PyObject *old_snapshot, *key_type, *list = NULL;
    Py_ssize_t limit;
    size_t all = 0;
    int cumulative;
    enum key key;
    if (state == NULL ||
        !PyArg_ParseTuple(args, "O!Opn:_changed", state->snapshot_type, &old_snapshot, &key_type, &cumulative,
                          &limit) ||
        key_from_name(key_type, cumulative != 0, &key) < 0)
        return NULL;
    if (operand_init(state, &now, self) == 0 && operand_init(state, &old, old_snapshot) == 0) {
        if (now.columns != NULL && old.columns != NULL)
            list = statistics_changed(state, &now, &old, key, cumulative != 0, most_of(limit), &all);
        else if (operand_to_raw(&now) == 0 && operand_to_raw(&old) == 0)
            list = first_of(changed_of(plain_compare(state, now.raw, old.raw, key, cumulative != 0)), limit,
                            &all);
    }
    operand_fini(&now);
    operand_fini(&old);
    return answer(list, all);
}

const char largest_doc[] =
    "_largest($self, key_type, cumulative, limit, /)\n--\n\n"
    "The first of statistics(): a tuple of how many there are, and a list of at most limit of them (0: all).";

const char changed_doc[] = "_changed($self, old_snapshot, key_type, cumulative, limit, /)\n--\n\n"
                           "The first of what compare_to() finds changed in size or count: a tuple of how "
                           "many these are, and a list of\n"
                           "at most limit of them (0: all).";
