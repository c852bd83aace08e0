/* plain: statistics of raw traces that do not fit columns: any objects that can be added, compared and
 * hashed.
 *
 * One trace after the other into a dictionary Traceback -> Statistic, sorted by Python's own sort. Slow,
 * exact for unlimited numbers, and as tolerant as the standard module. Needs the GIL.
 */
#include "types.h"

static PyObject *first_item(PyObject *sequence) {
    PyObject *zero = PyLong_FromLong(0), *item = NULL;
    if (zero != NULL)
        item = PyObject_GetItem(sequence, zero);
    Py_XDECREF(zero);
    return item;
}

/* ((filename, 0),) for a frame, or ((frame),) itself */
static PyObject *frames_of_frame(PyObject *frame, enum key key) {
    if (key == KEY_LINENO)
        return PyTuple_Pack(1, frame);
    PyObject *filename = first_item(frame);
    PyObject *frames = filename == NULL ? NULL : Py_BuildValue("((Oi))", filename, 0);
    Py_XDECREF(filename);
    return frames;
}

/* The frames that stand for a trace's key, most recent first. */
static PyObject *key_frames(PyObject *parts, enum key key) {
    PyObject *frames = PyTuple_GET_ITEM(parts, 2), *first = NULL, *result = NULL;
    if (PyObject_Hash(frames) == -1) /* a key must be hashable, even where only a part of it is used */
        return NULL;
    if (key == KEY_TRACEBACK)
        return Py_NewRef(frames);
    if (key == KEY_LINENO)
        return PySequence_GetSlice(frames, 0, 1);
    if (key == KEY_PROCESS)
        return Py_BuildValue("((si))", "", 0);
    if (key == KEY_DOMAIN) {
        PyObject *name = PyUnicode_FromFormat("<domain %S>", PyTuple_GET_ITEM(parts, 0));
        result = name == NULL ? NULL : Py_BuildValue("((Oi))", name, 0);
        Py_XDECREF(name);
    } else if ((first = first_item(frames)) != NULL) {
        result = frames_of_frame(first, KEY_FILENAME);
    }
    Py_XDECREF(first);
    return result;
}

static int add_to(struct statistic *statistic, PyObject *size) {
    PyObject *one = PyLong_FromLong(1), *sum = NULL, *count = NULL;
    int result = -1;
    if (one != NULL && (sum = PyNumber_InPlaceAdd(statistic->size, size)) != NULL &&
        (count = PyNumber_InPlaceAdd(statistic->count, one)) != NULL) {
        Py_SETREF(statistic->size, Py_NewRef(sum));
        Py_SETREF(statistic->count, Py_NewRef(count));
        result = 0;
    }
    Py_XDECREF(one);
    Py_XDECREF(sum);
    Py_XDECREF(count);
    return result;
}

/* Adds a block of this size to the key that `frames` stand for. */
static int count_block(struct state *state, PyObject *groups, PyObject *frames, PyObject *size) {
    PyObject *traceback = traceback_from_frames(state, frames), *one = NULL, *statistic = NULL;
    PyObject *known = traceback == NULL ? NULL : PyDict_GetItemWithError(groups, traceback);
    int result = -1;
    if (known != NULL)
        result = add_to((struct statistic *)known, size);
    else if (traceback != NULL && !PyErr_Occurred() && (one = PyLong_FromLong(1)) != NULL &&
             (statistic = statistic_new(state->statistic_type, traceback, size, NULL, one, NULL)) != NULL)
        result = PyDict_SetItem(groups, traceback, statistic);
    Py_XDECREF(traceback);
    Py_XDECREF(one);
    Py_XDECREF(statistic);
    return result;
}

static int count_all_frames(struct state *state, PyObject *groups, PyObject *parts, enum key key) {
    PyObject *iterator = PyObject_GetIter(PyTuple_GET_ITEM(parts, 2)), *frame;
    int result = iterator == NULL ? -1 : 0;
    while (result == 0 && (frame = PyIter_Next(iterator)) != NULL) {
        PyObject *frames = PyObject_Hash(frame) == -1 ? NULL : frames_of_frame(frame, key);
        result = frames == NULL ? -1 : count_block(state, groups, frames, PyTuple_GET_ITEM(parts, 1));
        Py_XDECREF(frames);
        Py_DECREF(frame);
    }
    Py_XDECREF(iterator);
    return PyErr_Occurred() ? -1 : result;
}

static int count_trace(struct state *state, PyObject *groups, PyObject *trace, enum key key,
                       bool cumulative) {
    PyObject *parts = raw_parts(trace), *frames = NULL;
    int result = -1;
    if (parts != NULL && cumulative)
        result = count_all_frames(state, groups, parts, key);
    else if (parts != NULL && (frames = key_frames(parts, key)) != NULL)
        result = count_block(state, groups, frames, PyTuple_GET_ITEM(parts, 1));
    Py_XDECREF(parts);
    Py_XDECREF(frames);
    return result;
}

/* New dict Traceback -> Statistic. */
static PyObject *plain_groups(struct state *state, PyObject *raw, enum key key, bool cumulative) {
    PyObject *iterator = PyObject_GetIter(raw), *groups = NULL, *trace;
    if (iterator != NULL)
        groups = PyDict_New();
    while (groups != NULL && (trace = PyIter_Next(iterator)) != NULL) {
        if (count_trace(state, groups, trace, key, cumulative) < 0)
            Py_CLEAR(groups);
        Py_DECREF(trace);
    }
    if (PyErr_Occurred())
        Py_CLEAR(groups);
    Py_XDECREF(iterator);
    return groups;
}

/* list.sort(reverse=True, key=type._sort_key); steals the list. */
static PyObject *sorted(PyObject *list, PyTypeObject *type) {
    PyObject *key = NULL, *sort = NULL, *none = NULL, *arguments = PyTuple_New(0), *options = NULL;
    if (list != NULL && arguments != NULL && (key = attribute((PyObject *)type, "_sort_key")) != NULL &&
        (options = Py_BuildValue("{sOsO}", "reverse", Py_True, "key", key)) != NULL &&
        (sort = attribute(list, "sort")) != NULL)
        none = PyObject_Call(sort, arguments, options);
    if (none == NULL)
        Py_CLEAR(list);
    Py_XDECREF(key);
    Py_XDECREF(sort);
    Py_XDECREF(none);
    Py_XDECREF(arguments);
    Py_XDECREF(options);
    return list;
}

PyObject *plain_statistics(struct state *state, PyObject *raw, enum key key, bool cumulative) {
    PyObject *groups = plain_groups(state, raw, key, cumulative);
    PyObject *list = groups == NULL ? NULL : PyDict_Values(groups);
    Py_XDECREF(groups);
    return sorted(list, state->statistic_type);
}

/* --- comparing --- */

/* `now` less `old`; either may be NULL, for nothing. */
static PyObject *less(PyObject *now, PyObject *old) {
    if (old == NULL)
        return Py_NewRef(now);
    return now != NULL ? PyNumber_Subtract(now, old) : PyNumber_Negative(old);
}

/* What changed for one key; `now` or `old` is NULL where it is not there. */
static PyObject *difference(struct state *state, struct statistic *now, struct statistic *old) {
    PyObject *size_diff = NULL, *count_diff = NULL, *result = NULL, *zero = PyLong_FromLong(0);
    struct statistic *either = now != NULL ? now : old;
    if (zero != NULL)
        size_diff = less(now != NULL ? now->size : NULL, old != NULL ? old->size : NULL);
    if (size_diff != NULL)
        count_diff = less(now != NULL ? now->count : NULL, old != NULL ? old->count : NULL);
    if (count_diff != NULL)
        result = statistic_new(state->statistic_diff_type, either->traceback, now != NULL ? now->size : zero,
                               size_diff, now != NULL ? now->count : zero, count_diff);
    Py_XDECREF(zero);
    Py_XDECREF(size_diff);
    Py_XDECREF(count_diff);
    return result;
}

static int append_difference(struct state *state, PyObject *list, PyObject *now, PyObject *old) {
    PyObject *change = difference(state, (struct statistic *)now, (struct statistic *)old);
    int result = change == NULL ? -1 : PyList_Append(list, change);
    Py_XDECREF(change);
    return result;
}

/* The keys of the new side in their order, then those that only the old side has. */
static int append_differences(struct state *state, PyObject *list, PyObject *now, PyObject *old) {
    PyObject *traceback, *statistic;
    for (Py_ssize_t at = 0; PyDict_Next(now, &at, &traceback, &statistic);) {
        PyObject *previous = PyDict_GetItemWithError(old, traceback);
        if (PyErr_Occurred() || append_difference(state, list, statistic, previous) < 0)
            return -1;
    }
    for (Py_ssize_t at = 0; PyDict_Next(old, &at, &traceback, &statistic);) {
        int known = PyDict_Contains(now, traceback);
        if (known < 0 || (!known && append_difference(state, list, NULL, statistic) < 0))
            return -1;
    }
    return 0;
}

PyObject *plain_compare(struct state *state, PyObject *raw, PyObject *old_raw, enum key key,
                        bool cumulative) {
    PyObject *now = plain_groups(state, raw, key, cumulative), *old = NULL, *list = NULL;
    if (now != NULL && (old = plain_groups(state, old_raw, key, cumulative)) != NULL &&
        (list = PyList_New(0)) != NULL && append_differences(state, list, now, old) < 0)
        Py_CLEAR(list);
    Py_XDECREF(now);
    Py_XDECREF(old);
    return sorted(list, state->statistic_diff_type);
}
