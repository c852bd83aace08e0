/* rows: rows of columns as raw tuples, and the equality of columns, entry by entry.
 *
 * Owns nothing. Needs the GIL where it makes tuples; columns_equal does not.
 */
#include "types.h"

#include <string.h>

/* (filename, lineno) pairs from the most recent to the oldest */
static PyObject *row_frames(struct names *names, const struct snapshot *columns, uint32_t node) {
    const struct callpaths *paths = names->paths;
    Py_ssize_t count = (Py_ssize_t)path_frames(paths, node, columns->limit);
    PyObject *frames = PyTuple_New(count);
    for (Py_ssize_t i = 0; frames != NULL && i < count; i++) {
        PyObject *tuple = names_pair(names, node_get(paths, node)->site);
        if (tuple == NULL)
            Py_CLEAR(frames);
        else
            PyTuple_SET_ITEM(frames, i, Py_NewRef(tuple));
        node = node_get(paths, node)->parent;
    }
    if (frames != NULL)
        PyObject_GC_UnTrack(frames); /* of untracked tuples */
    return frames;
}

static PyObject *raw_tuple(const struct row *row, PyObject *frames) {
    PyObject *total = row->depth == 0 ? Py_NewRef(Py_None) : PyLong_FromUnsignedLong(row->depth);
    PyObject *raw = total == NULL ? NULL
                                  : Py_BuildValue("(kKOO)", (unsigned long)row->domain,
                                                  (unsigned long long)row->size, frames, total);
    if (raw != NULL)
        PyObject_GC_UnTrack(raw);
    Py_XDECREF(total);
    return raw;
}

PyObject *row_raw(struct names *names, const struct snapshot *columns, const struct row *row) {
    PyObject *frames = row_frames(names, columns, row->node);
    PyObject *raw = frames == NULL ? NULL : raw_tuple(row, frames);
    Py_XDECREF(frames);
    return raw;
}

/* Equal tracebacks are one tuple, however many rows have them: `known` remembers it by node, and by content,
 * because paths that differ in older frames only are equal once they are cut. */
static PyObject *shared_frames(PyObject *known, struct names *names, const struct snapshot *columns,
                               uint32_t node) {
    PyObject *key = PyLong_FromUnsignedLong(node), *frames = NULL;
    PyObject *found = key == NULL ? NULL : PyDict_GetItemWithError(known, key);
    if (found != NULL)
        frames = Py_NewRef(found);
    else if (key != NULL && !PyErr_Occurred() && (frames = row_frames(names, columns, node)) != NULL) {
        if ((found = PyDict_GetItemWithError(known, frames)) != NULL)
            Py_SETREF(frames, Py_NewRef(found));
        else if (PyErr_Occurred() || PyDict_SetItem(known, frames, frames) < 0)
            Py_CLEAR(frames);
        if (frames != NULL && PyDict_SetItem(known, key, frames) < 0)
            Py_CLEAR(frames);
    }
    Py_XDECREF(key);
    return frames;
}

PyObject *rows_list(struct names *names, const struct snapshot *columns) {
    if (columns->entries > (uint64_t)PY_SSIZE_T_MAX)
        return PyErr_NoMemory();
    PyObject *list = PyList_New((Py_ssize_t)columns->entries), *known = PyDict_New();
    Py_ssize_t next = 0;
    for (struct rows rows = snapshot_rows(columns); list != NULL && known != NULL && rows_next(&rows);) {
        const struct row *row = rows.row;
        PyObject *frames = shared_frames(known, names, columns, row->node);
        PyObject *raw = frames == NULL ? NULL : raw_tuple(row, frames);
        Py_XDECREF(frames);
        if (raw == NULL) {
            Py_CLEAR(list);
            break;
        }
        for (uint64_t k = row_entries(columns, row); k > 0; k--)
            PyList_SET_ITEM(list, next++, Py_NewRef(raw));
        Py_DECREF(raw);
    }
    if (known == NULL)
        Py_CLEAR(list);
    Py_XDECREF(known);
    return list;
}

/* --- equality of columns --- */

static bool same_string(const struct callpaths *a, uint32_t a_id, const struct callpaths *b, uint32_t b_id) {
    struct string left = strtab_get(&a->strings, a_id), right = strtab_get(&b->strings, b_id);
    return left.length == right.length && memcmp(left.bytes, right.bytes, left.length) == 0;
}

static bool same_frames(const struct snapshot *a, uint32_t a_node, const struct snapshot *b,
                        uint32_t b_node) {
    if (a->paths == b->paths && a->limit == b->limit && a_node == b_node)
        return true;
    uint32_t count = path_frames(a->paths, a_node, a->limit);
    if (count != path_frames(b->paths, b_node, b->limit))
        return false;
    for (; count > 0; count--) {
        const struct node *left = node_get(a->paths, a_node), *right = node_get(b->paths, b_node);
        const struct site *left_site = site_get(a->paths, left->site),
                          *right_site = site_get(b->paths, right->site);
        if (left_site->line != right_site->line ||
            !same_string(a->paths, left_site->file, b->paths, right_site->file))
            return false;
        a_node = left->parent;
        b_node = right->parent;
    }
    return true;
}

static bool same_entry(const struct snapshot *a, const struct row *left, const struct snapshot *b,
                       const struct row *right) {
    return left->size == right->size && left->domain == right->domain && left->depth == right->depth &&
           same_frames(a, left->node, b, right->node);
}

/* Entry by entry, although equal neighbours may be split into rows differently. */
bool columns_equal(const struct snapshot *a, const struct snapshot *b) {
    if (a->entries != b->entries)
        return false;
    uint64_t left_rest = 0, right_rest = 0;
    struct rows left = snapshot_rows(a), right = snapshot_rows(b);
    while (left_rest > 0 || rows_next(&left)) {
        if (left_rest == 0)
            left_rest = row_entries(a, left.row);
        if (right_rest == 0 && rows_next(&right))
            right_rest = row_entries(b, right.row);
        if (!same_entry(a, left.row, b, right.row))
            return false;
        uint64_t step = left_rest < right_rest ? left_rest : right_rest;
        left_rest -= step;
        right_rest -= step;
    }
    return true;
}
