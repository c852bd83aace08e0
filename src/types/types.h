/* types: what the files of src/types share: the module's state, and attributes, errors and texts of its
 * objects.
 *
 * Everything here is called with the GIL of the main interpreter. Functions that return PyObject * or int
 * follow CPython: NULL or -1 with an exception set; a result is a new reference unless it is called borrowed.
 */
#ifndef MEMTALLY_TYPES_H
#define MEMTALLY_TYPES_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>
#include <structmember.h>

#include "../core/groupby.h"

extern PyModuleDef memtally_module;
extern struct vmem snapshots_account; /* memory of snapshots that were not made by the tracer */

struct state {
    PyTypeObject *names_type, *views_type, *frame_type, *traceback_type, *trace_type, *traces_type,
        *traces_iterator_type;
    PyTypeObject *statistic_type, *statistic_diff_type, *snapshot_type;
    PyTypeObject *base_filter_type, *filter_type, *domain_filter_type, *branch_type, *measurement_type;
    /* our own functions, to see when a program put others in their place */
    PyObject *own_is_tracing, *own_get_limit, *own_get_traces;
    PyObject *package_name;     /* "memtally" */
    struct names *shared_names; /* borrowed: of the tracer's call paths; names_dealloc clears it */
};

/* module.c: for functions of the module, which may be called before there are types. NULL with an exception set. */
struct state *state_with_types(PyObject *module);

/* Of an object whose type is ours. */
static inline struct state *state_of(PyObject *self) {
    PyObject *module = PyType_GetModuleByDef(Py_TYPE(self), &memtally_module);
    return module == NULL ? NULL : PyModule_GetState(module);
}

/* --- slots.c: attributes, pickling and ordering as those of classes with __slots__ --- */

struct slot {
    const char *name;
    Py_ssize_t offset;
};
#define SLOT_CLOSURE(text, type, field) ((void *)&(const struct slot){text, offsetof(type, field)})
#define SLOT(text, type, field, doc)                                                                         \
    { text, slot_get, slot_set, doc, SLOT_CLOSURE(text, type, field) }

PyObject *slot_get(PyObject *self, void *closure);
int slot_set(PyObject *self, PyObject *value, void *closure);
PyObject *slot_missing(PyObject *self, const char *name); /* NULL: AttributeError */

PyObject *slots_reduce(PyObject *self, PyObject *unused); /* __reduce__ */
PyObject *reduce_with(PyObject *self, PyObject *slots);   /* the same, with these slots' values (a dict) */

PyObject *order_objects(PyObject *a, PyObject *b, int op); /* as functools.total_ordering would */
PyObject *equal_objects(PyObject *a, PyObject *b, int op); /* == and !=; NotImplemented otherwise */

/* By names that are in use already, because the cache of types keeps each new string that it is asked for.
 * `first` and `second` are NULL where there are fewer arguments. */
PyObject *attribute(PyObject *object, const char *name);
PyObject *call(PyObject *object, const char *method, PyObject *first, PyObject *second);

/* Objects made from columns start untracked, because the collector need not know an object that only refers
 * to names, strings and numbers; object_track tells it of them when anything else is stored in them. */
PyObject *object_new_untracked(PyTypeObject *type, size_t bytes); /* zeroed behind the head */
void object_track(PyObject *self);
void object_dealloc(PyObject *self, inquiry clear);

/* --- status.c, format.c: errors and texts --- */

void raise_status(status result);                                 /* never STATUS_OK */
int missing_argument(const char *function, const char *argument); /* -1: TypeError */
PyObject *format_size(PyObject *size, bool sign);
PyObject *format_text(const char *format, PyObject *arguments); /* `format % arguments`; steals arguments */

#include "objects.h"
#include "views.h"

#include "analysis.h"

#endif
