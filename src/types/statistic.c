/* statistic: classes Statistic and StatisticDiff, and lists of them made from the core's groups and changes.
 *
 * Size and count are ordinary attributes; the traceback of a statistic made from columns is made at the first
 * look. Needs the GIL, which is given up while the core adds up.
 */
#include "types.h"

#include "../core/diff.h"

PyObject *statistic_new(PyTypeObject *type, PyObject *traceback, PyObject *size, PyObject *size_diff,
                        PyObject *count, PyObject *count_diff) {
    PyObject *object = object_new_untracked(type, sizeof(struct statistic));
    if (object == NULL)
        return NULL;
    struct statistic *self = (struct statistic *)object;
    self->traceback = Py_NewRef(traceback);
    self->size = Py_NewRef(size);
    self->count = Py_NewRef(count);
    self->size_diff = Py_XNewRef(size_diff);
    self->count_diff = Py_XNewRef(count_diff);
    object_track(object);
    return object;
}

/* --- from columns --- */

static struct place place_of(const struct group *group, enum key key, uint32_t limit) {
    struct place place = {.kind = PLACE_LINE};
    if (key == KEY_DOMAIN) {
        place.kind = PLACE_DOMAIN;
        place.domain = group->domain;
    } else if (group->frames == 0) {
        place.kind = PLACE_EMPTY;
    } else if (key ==
               KEY_TRACEBACK) { /* total_nframe stays unknown: blocks of different depths may be in here */
        place.kind = PLACE_PATH;
        place.path.node = group->node;
        place.path.limit = limit;
    } else {
        place.line.file = group->file;
        place.line.line = group->line;
        place.line.function = group->function;
    }
    return place;
}

struct statistic *statistic_lazy(PyTypeObject *type, struct names *names, const struct group *group,
                                 enum key key, uint32_t limit) {
    struct statistic *self = (struct statistic *)object_new_untracked(type, sizeof *self);
    if (self == NULL)
        return NULL;
    self->names = (struct names *)Py_NewRef((PyObject *)names);
    self->place = place_of(group, key, limit);
    self->size = PyLong_FromUnsignedLongLong(group->size);
    self->count = PyLong_FromUnsignedLongLong(group->count);
    if (self->size == NULL || self->count == NULL)
        Py_CLEAR(self);
    return self;
}

static PyObject *list_of_groups(struct state *state, struct names *names, const struct groups *groups,
                                enum key key) {
    PyObject *list = PyList_New((Py_ssize_t)groups->count);
    for (size_t i = 0; list != NULL && i < groups->count; i++) {
        struct statistic *statistic = statistic_lazy(state->statistic_type, names, &groups->items[i], key,
                                                     groups->snapshot->limit);
        if (statistic == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t)i, (PyObject *)statistic);
    }
    return list;
}

PyObject *statistics_top(struct state *state, const struct operand *side, enum key key, bool cumulative,
                         size_t most, size_t *all) {
    PyObject *list = NULL;
    struct groups groups = {0};
    status result;
    Py_BEGIN_ALLOW_THREADS;
    result = groupby_top(side->columns, key, cumulative, most, &groups);
    Py_END_ALLOW_THREADS;
    if (result != STATUS_OK)
        raise_status(result);
    else
        list = list_of_groups(state, side->names, &groups, key);
    *all = groups.all;
    groups_fini(&groups);
    return list;
}

PyObject *statistics_group(struct state *state, const struct operand *side, enum key key, bool cumulative) {
    size_t all;
    return statistics_top(state, side, key, cumulative, SIZE_MAX, &all);
}

static PyObject *list_of_changes(struct state *state, struct names *now, struct names *old,
                                 const struct changes *changes, enum key key) {
    PyObject *list = PyList_New((Py_ssize_t)changes->count);
    for (size_t i = 0; list != NULL && i < changes->count; i++) {
        const struct change *change = &changes->items[i];
        const struct snapshot *side = change->of_old ? changes->old.snapshot : changes->now.snapshot;
        struct statistic *statistic = statistic_lazy(state->statistic_diff_type, change->of_old ? old : now,
                                                     &change->group, key, side->limit);
        if (statistic != NULL && ((statistic->size_diff = PyLong_FromLongLong(change->size_diff)) == NULL ||
                                  (statistic->count_diff = PyLong_FromLongLong(change->count_diff)) == NULL))
            Py_CLEAR(statistic);
        if (statistic == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t)i, (PyObject *)statistic);
    }
    return list;
}

/* All changes, and what is none; or the first `most` of what did change. */
static PyObject *changes_between(struct state *state, const struct operand *now, const struct operand *old,
                                 enum key key, bool cumulative, bool changed_only, size_t most, size_t *all) {
    PyObject *list = NULL;
    struct changes changes = {0};
    status result;
    Py_BEGIN_ALLOW_THREADS;
    result = changed_only ? diff_top(now->columns, old->columns, key, cumulative, most, &changes)
                          : diff(now->columns, old->columns, key, cumulative, &changes);
    Py_END_ALLOW_THREADS;
    if (result != STATUS_OK)
        raise_status(result);
    else
        list = list_of_changes(state, now->names, old->names, &changes, key);
    *all = changes.all;
    changes_fini(&changes);
    return list;
}

PyObject *statistics_compare(struct state *state, const struct operand *now, const struct operand *old,
                             enum key key, bool cumulative) {
    size_t all;
    return changes_between(state, now, old, key, cumulative, false, SIZE_MAX, &all);
}

PyObject *statistics_changed(struct state *state, const struct operand *now, const struct operand *old,
                             enum key key, bool cumulative, size_t most, size_t *all) {
    return changes_between(state, now, old, key, cumulative, true, most, all);
}

/* --- attributes --- */

/* Borrowed. */
static PyObject *statistic_traceback(PyObject *object) {
    struct statistic *self = (struct statistic *)object;
    if (self->traceback == NULL && self->names != NULL) {
        struct state *state = state_of(object);
        PyObject *traceback = state == NULL ? NULL : traceback_lazy(state, self->names, &self->place);
        if (traceback == NULL)
            return NULL;
        Py_XSETREF(self->traceback, traceback);
        Py_CLEAR(self->names);
    }
    return self->traceback != NULL ? self->traceback : slot_missing(object, "traceback");
}

static PyObject *get_traceback(PyObject *self, void *Py_UNUSED(closure)) {
    return Py_XNewRef(statistic_traceback(self));
}

static int set_traceback(PyObject *self, PyObject *value, void *closure) {
    if (statistic_traceback(self) == NULL)
        PyErr_Clear(); /* it was deleted: it may be set anew */
    return slot_set(self, value, closure);
}

/* The named attributes as a tuple; `names` ends with NULL. */
static PyObject *attributes(PyObject *self, const char *const *names) {
    Py_ssize_t count = 0;
    while (names[count] != NULL)
        count++;
    PyObject *tuple = PyTuple_New(count);
    for (Py_ssize_t i = 0; tuple != NULL && i < count; i++) {
        PyObject *value = attribute(self, names[i]);
        if (value == NULL)
            Py_CLEAR(tuple);
        else
            PyTuple_SET_ITEM(tuple, i, value);
    }
    return tuple;
}

static const char *const statistic_names[] = {"traceback", "size", "count", NULL};
static const char *const diff_names[] = {"traceback", "size", "size_diff", "count", "count_diff", NULL};

static PyObject *compare(PyObject *a, PyObject *b, int op, PyTypeObject *type, const char *const *names) {
    if (!PyObject_TypeCheck(b, type) || (op != Py_EQ && op != Py_NE))
        Py_RETURN_NOTIMPLEMENTED;
    PyObject *left = attributes(a, names), *right = NULL, *result = NULL;
    if (left != NULL && (right = attributes(b, names)) != NULL)
        result = equal_objects(left, right, op);
    Py_XDECREF(left);
    Py_XDECREF(right);
    return result;
}

static PyObject *statistic_compare(PyObject *a, PyObject *b, int op) {
    struct state *state = state_of(a);
    return state == NULL ? NULL : compare(a, b, op, state->statistic_type, statistic_names);
}

static PyObject *diff_compare(PyObject *a, PyObject *b, int op) {
    struct state *state = state_of(a);
    return state == NULL ? NULL : compare(a, b, op, state->statistic_diff_type, diff_names);
}

static Py_hash_t hash_attributes(PyObject *self, const char *const *names) {
    PyObject *values = attributes(self, names);
    Py_hash_t hash = values == NULL ? -1 : PyObject_Hash(values);
    Py_XDECREF(values);
    return hash;
}

static Py_hash_t statistic_hash(PyObject *self) { return hash_attributes(self, statistic_names); }

static Py_hash_t diff_hash(PyObject *self) { return hash_attributes(self, diff_names); }

static PyObject *statistic_repr(PyObject *self) {
    return format_text("<Statistic traceback=%r size=%i count=%i>", attributes(self, statistic_names));
}

static PyObject *diff_repr(PyObject *self) {
    return format_text("<StatisticDiff traceback=%r size=%i (%+i) count=%i (%+i)>",
                       attributes(self, diff_names));
}

/* Appends the average size where there is a count; steals text. */
static PyObject *with_average(PyObject *text, PyObject *size, PyObject *count) {
    int any = text == NULL ? -1 : PyObject_IsTrue(count);
    if (any == 0)
        return text;
    PyObject *average = NULL, *average_text = NULL, *result = NULL;
    if (any > 0 && (average = PyNumber_TrueDivide(size, count)) != NULL &&
        (average_text = format_size(average, false)) != NULL)
        result = PyUnicode_FromFormat("%U, average=%U", text, average_text);
    Py_XDECREF(text);
    Py_XDECREF(average);
    Py_XDECREF(average_text);
    return result;
}

static PyObject *statistic_str(PyObject *self) {
    PyObject *values = attributes(self, statistic_names), *size_text = NULL, *result = NULL;
    if (values == NULL)
        return NULL;
    PyObject *traceback = PyTuple_GET_ITEM(values, 0), *size = PyTuple_GET_ITEM(values, 1);
    PyObject *count = PyTuple_GET_ITEM(values, 2);
    if ((size_text = format_size(size, false)) != NULL)
        result = with_average(
            format_text("%s: size=%s, count=%i", PyTuple_Pack(3, traceback, size_text, count)), size, count);
    Py_XDECREF(size_text);
    Py_DECREF(values);
    return result;
}

static PyObject *diff_str(PyObject *self) {
    PyObject *values = attributes(self, diff_names), *size_text = NULL, *diff_text = NULL, *result = NULL;
    if (values == NULL)
        return NULL;
    PyObject *traceback = PyTuple_GET_ITEM(values, 0), *size = PyTuple_GET_ITEM(values, 1);
    PyObject *count = PyTuple_GET_ITEM(values, 3), *count_diff = PyTuple_GET_ITEM(values, 4);
    if ((size_text = format_size(size, false)) != NULL &&
        (diff_text = format_size(PyTuple_GET_ITEM(values, 2), true)) != NULL)
        result = with_average(
            format_text("%s: size=%s (%s), count=%i (%+i)",
                        PyTuple_Pack(5, traceback, size_text, diff_text, count, count_diff)),
            size, count);
    Py_XDECREF(size_text);
    Py_XDECREF(diff_text);
    Py_DECREF(values);
    return result;
}

static PyObject *statistic_sort_key(PyObject *self, PyObject *Py_UNUSED(unused)) {
    static const char *const names[] = {"size", "count", "traceback", NULL};
    return attributes(self, names);
}

static PyObject *diff_sort_key(PyObject *self, PyObject *Py_UNUSED(unused)) {
    static const char *const names[] = {"size_diff", "size", "count_diff", "count", "traceback", NULL};
    PyObject *key = attributes(self, names);
    for (Py_ssize_t i = 0; key != NULL && i <= 2; i += 2) {
        PyObject *magnitude = PyNumber_Absolute(PyTuple_GET_ITEM(key, i));
        if (magnitude == NULL) {
            Py_CLEAR(key);
        } else {
            Py_DECREF(PyTuple_GET_ITEM(key, i));
            PyTuple_SET_ITEM(key, i, magnitude);
        }
    }
    return key;
}

/* --- the types --- */

static void set_fields(struct statistic *self, PyObject *const values[5]) {
    PyObject **const fields[] = {&self->traceback, &self->size, &self->count, &self->size_diff,
                                 &self->count_diff};
    for (int i = 0; i < 5; i++) {
        Py_XINCREF(values[i]);
        Py_XSETREF(*fields[i], values[i]);
    }
    Py_CLEAR(self->names);
}

static int statistic_init(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"traceback", "size", "count", NULL};
    PyObject *values[5] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOO:Statistic", keywords, &values[0], &values[1],
                                     &values[2]))
        return -1;
    set_fields((struct statistic *)self, values);
    return 0;
}

static int diff_init(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"traceback", "size", "size_diff", "count", "count_diff", NULL};
    PyObject *values[5] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOOO:StatisticDiff", keywords, &values[0], &values[1],
                                     &values[3], &values[2], &values[4]))
        return -1;
    set_fields((struct statistic *)self, values);
    return 0;
}

static int statistic_traverse(PyObject *object, visitproc visit, void *arg) {
    struct statistic *self = (struct statistic *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->traceback);
    Py_VISIT(self->size);
    Py_VISIT(self->count);
    Py_VISIT(self->size_diff);
    Py_VISIT(self->count_diff);
    return 0;
}

static int statistic_clear(PyObject *object) {
    struct statistic *self = (struct statistic *)object;
    Py_CLEAR(self->traceback);
    Py_CLEAR(self->size);
    Py_CLEAR(self->count);
    Py_CLEAR(self->size_diff);
    Py_CLEAR(self->count_diff);
    Py_CLEAR(self->names);
    return 0;
}

static void statistic_dealloc(PyObject *self) { object_dealloc(self, statistic_clear); }

#define TRACEBACK_ATTRIBUTE                                                                                  \
    {                                                                                                        \
        "traceback", get_traceback, set_traceback, "Where the blocks were allocated (Traceback).",           \
            SLOT_CLOSURE("traceback", struct statistic, traceback)                                           \
    }

static PyMethodDef statistic_methods[] = {
    {"_sort_key", statistic_sort_key, METH_NOARGS, NULL},
    {"__reduce__", slots_reduce, METH_NOARGS, "For pickle and copy."},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef diff_methods[] = {
    {"_sort_key", diff_sort_key, METH_NOARGS, NULL},
    {"__reduce__", slots_reduce, METH_NOARGS, "For pickle and copy."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef statistic_getset[] = {
    TRACEBACK_ATTRIBUTE,
    SLOT("size", struct statistic, size, "Total size of the blocks in bytes (int)."),
    SLOT("count", struct statistic, count, "Number of blocks (int)."),
    {NULL, NULL, NULL, NULL, NULL},
};

static PyGetSetDef diff_getset[] = {
    TRACEBACK_ATTRIBUTE,
    SLOT("size", struct statistic, size,
         "Total size in the new snapshot in bytes (int); 0 where all are gone."),
    SLOT("size_diff", struct statistic, size_diff, "Change of the total size in bytes (int)."),
    SLOT("count", struct statistic, count,
         "Number of blocks in the new snapshot (int); 0 where all are gone."),
    SLOT("count_diff", struct statistic, count_diff, "Change of the number of blocks (int)."),
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(
    statistic_doc,
    "Statistic(traceback, size, count)\n--\n\n"
    "The memory blocks of one traceback, line, file or function: size in bytes, and count.\n\n"
    "The parameters are its attributes. Of a line or function the traceback has that one frame; of a\n"
    "file, domain or process its name stands in the place of the file name, and the line is 0.");

PyDoc_STRVAR(
    diff_doc,
    "StatisticDiff(traceback, size, size_diff, count, count_diff)\n--\n\n"
    "How the memory blocks of one traceback, line, file or function differ between two snapshots;\n"
    "sizes in bytes.\n\n"
    "The parameters are its attributes: size and count are those of the newer snapshot, size_diff and\n"
    "count_diff how much it has more than the older one.");

static PyType_Slot statistic_slots[] = {
    {Py_tp_doc, (void *)statistic_doc},
    {Py_tp_init, statistic_init},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_traverse, statistic_traverse},
    {Py_tp_clear, statistic_clear},
    {Py_tp_dealloc, statistic_dealloc},
    {Py_tp_richcompare, statistic_compare},
    {Py_tp_hash, statistic_hash},
    {Py_tp_str, statistic_str},
    {Py_tp_repr, statistic_repr},
    {Py_tp_methods, statistic_methods},
    {Py_tp_getset, statistic_getset},
    {0, NULL},
};

static PyType_Slot diff_slots[] = {
    {Py_tp_doc, (void *)diff_doc},
    {Py_tp_init, diff_init},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_traverse, statistic_traverse},
    {Py_tp_clear, statistic_clear},
    {Py_tp_dealloc, statistic_dealloc},
    {Py_tp_richcompare, diff_compare},
    {Py_tp_hash, diff_hash},
    {Py_tp_str, diff_str},
    {Py_tp_repr, diff_repr},
    {Py_tp_methods, diff_methods},
    {Py_tp_getset, diff_getset},
    {0, NULL},
};

PyType_Spec statistic_spec = {
    .name = "memtally.Statistic",
    .basicsize = sizeof(struct statistic),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = statistic_slots,
};

PyType_Spec statistic_diff_spec = {
    .name = "memtally.StatisticDiff",
    .basicsize = sizeof(struct statistic),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = diff_slots,
};
