/* types: what the files of src/types share: the module's state, the layout of its objects, who makes what.
 *
 *   Snapshot --traces--> _Traces --columns--> struct snapshot (core)     rows, no Python objects
 *                           \------names---> struct names                file names as str, each decoded once
 *   Trace, Traceback, Frame: made for what is looked at; `names` not NULL says that the rest is still in columns
 *
 * Pointer fields are owned references unless they say borrowed. Everything here is called with the GIL of the main
 * interpreter. Functions that return PyObject * or int follow CPython: NULL or -1 with an exception set.
 *
 * The collector need not know an object that only refers to names, strings and numbers: objects made from columns
 * start untracked, and object_track tells it of them when anything else is stored in them.
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
    PyTypeObject *names_type, *frame_type, *traceback_type, *trace_type, *traces_type, *traces_iterator_type;
    PyTypeObject *statistic_type, *statistic_diff_type, *snapshot_type;
    PyTypeObject *base_filter_type, *filter_type, *domain_filter_type;
    PyObject *own_is_tracing, *own_get_limit, *own_get_traces; /* our own functions, to see when one was replaced */
    PyObject *package_name;                                    /* "memtally" */
    struct names *shared_names; /* borrowed: names_dealloc clears it; those of the tracer's call paths */
};

static inline struct state *state_of(PyObject *self) {
    PyObject *module = PyType_GetModuleByDef(Py_TYPE(self), &memtally_module);
    return module == NULL ? NULL : PyModule_GetState(module);
}

/* --- names.c: names of call paths as Python strings ----------------------------------------------------------- */
struct names {
    PyObject_HEAD
    struct callpaths *paths; /* owned reference */
    PyObject **strings;      /* by string id; NULL: not decoded yet */
    PyObject **pairs;        /* by site id: (filename, lineno); NULL: not made yet */
    size_t string_count, pair_count;
};
struct names *names_new(struct state *state, struct callpaths *paths); /* new reference; retains paths */
struct names *names_for(struct state *state, struct callpaths *paths); /* the same, shared: for the tracer's paths */
PyObject *names_string(struct names *names, uint32_t id);              /* borrowed */
PyObject *names_pair(struct names *names, uint32_t site);              /* borrowed */
PyObject *names_function(struct names *names, uint32_t string);        /* borrowed: str or None */
PyObject *names_decode(const struct callpaths *paths, uint32_t id);    /* new reference */
extern PyType_Spec names_spec;

/* Where a lazy traceback comes from. */
struct place {
    enum place_kind { PLACE_PATH, PLACE_LINE, PLACE_EMPTY, PLACE_DOMAIN } kind;
    union {
        struct {
            uint32_t node, limit, depth; /* depth 0: total_nframe is None */
        } path;
        struct {
            uint32_t file, line, function; /* string ids, but the line */
        } line;
        uint32_t domain;
    };
};

/* --- frame.c, traceback.c, trace.c, statistic.c --------------------------------------------------------------- */
struct frame {
    PyObject_HEAD
    PyObject *frame;    /* (filename, lineno), or whatever the constructor was given */
    PyObject *function; /* str; NULL: not known */
};
PyObject *frame_new(struct state *state, PyObject *tuple, PyObject *function); /* function: str, None or NULL */
extern PyType_Spec frame_spec;

struct traceback {
    PyObject_HEAD
    PyObject *frames;       /* tuple, oldest first; NULL while lazy */
    PyObject *total_nframe; /* NULL while lazy */
    PyObject *functions;    /* tuple as long as frames; NULL while lazy and where none is known */
    struct names *names;    /* NULL: nothing is lazy */
    struct place place;     /* meaningful while names is not NULL */
};
PyObject *traceback_lazy(struct state *state, struct names *names, const struct place *place);
PyObject *traceback_from_frames(struct state *state, PyObject *frames); /* most recent first; total_nframe None */
PyObject *traceback_frames(struct traceback *self);                     /* borrowed */
int traceback_functions(struct traceback *self, PyObject **functions);  /* borrowed; NULL where none is known */
PyObject *tuple_reversed(PyObject *sequence);
extern PyType_Spec traceback_spec;

struct trace {
    PyObject_HEAD
    PyObject *trace;             /* (domain, size, frames most recent first, total_nframe); NULL while lazy */
    PyObject *functions;         /* of an unpickled trace's frames, oldest first; NULL otherwise */
    struct traceback *traceback; /* NULL: not from columns */
    uint64_t size;
    uint32_t domain;
};
PyObject *trace_lazy(struct state *state, uint32_t domain, uint64_t size, struct traceback *traceback);
PyObject *trace_from_raw(struct state *state, PyObject *raw);
PyObject *trace_raw(struct trace *self); /* borrowed */
extern PyType_Spec trace_spec;

struct statistic { /* Statistic and StatisticDiff */
    PyObject_HEAD
    PyObject *traceback; /* NULL while lazy */
    PyObject *size, *count;
    PyObject *size_diff, *count_diff; /* NULL in a Statistic */
    struct names *names;              /* not NULL: the traceback is lazy */
    struct place place;
};
/* Steals nothing; the differences are NULL for a Statistic. */
PyObject *statistic_new(PyTypeObject *type, PyObject *traceback, PyObject *size, PyObject *size_diff,
                        PyObject *count, PyObject *count_diff);
/* List of Statistic or StatisticDiff. */
PyObject *statistics_group(struct state *state, struct names *names, struct snapshot *columns, enum key key,
                           bool cumulative);
PyObject *statistics_compare(struct state *state, struct names *now_names, struct snapshot *now,
                             struct names *old_names, struct snapshot *old, enum key key, bool cumulative);
extern PyType_Spec statistic_spec, statistic_diff_spec;

/* --- traces.c, snapshot.c, filter.c --------------------------------------------------------------------------- */
struct traces {
    PyObject_HEAD
    PyObject *dict, *weakrefs;
    PyObject *raw;            /* what the constructor was given, or the list made from columns once asked for */
    struct snapshot *columns; /* owned reference; NULL: only raw */
    struct names *names;      /* NULL without columns */
    uint64_t *starts;         /* owned (PyMem): entries before every TRACES_STEP-th row; NULL before the first index */
};
PyObject *traces_from_columns(struct state *state, struct names *names, struct snapshot *columns);
PyObject *traces_raw(struct traces *self);                                 /* borrowed */
PyObject *traces_list(struct names *names, const struct snapshot *columns); /* new list of raw tuples */
PyObject *row_raw(struct names *names, const struct snapshot *columns, const struct row *row);
extern PyType_Spec traces_spec, traces_iterator_spec;

PyObject *snapshot_from_columns(struct state *state, struct names *names, struct snapshot *columns, PyObject *limit);
PyObject *snapshot_from_raw(struct state *state, PyObject *raw, PyObject *limit);
int view_from_name(PyObject *name, enum view *view); /* ValueError */
extern PyType_Spec snapshot_spec;

/* What a list of filters lets through: a new reference to columns, or a new list of the raw traces. */
struct snapshot *filter_columns(struct state *state, struct names *names, struct snapshot *columns, PyObject *filters);
PyObject *filter_raw(struct state *state, PyObject *raw, PyObject *filters);
PyObject *normalize_filename(PyObject *filename);
extern PyType_Spec base_filter_spec, filter_spec, domain_filter_spec;

/* A raw trace as a new tuple of (domain, size, frames[, total_nframe]); ValueError where it has not 3 or 4 items. */
PyObject *raw_parts(PyObject *raw);

/* --- columns.c: raw tuples -> columns. 1: *columns is a new reference; 0: they do not fit; -1: exception -------- */
int columns_from_raw(PyObject *raw, struct snapshot **columns);

/* --- plain.c: the same statistics on whatever objects a caller gave, where they do not fit columns -------------- */
PyObject *plain_statistics(struct state *state, PyObject *raw, enum key key, bool cumulative);
PyObject *plain_compare(struct state *state, PyObject *raw, PyObject *old_raw, enum key key, bool cumulative);

/* --- dump.c: snapshots as files and bytes ----------------------------------------------------------------------- */
PyObject *dump_bytes(struct snapshot *columns);                               /* new bytes */
struct snapshot *load_bytes(PyObject *bytes);                                 /* ValueError */
PyObject *snapshot_dump(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *snapshot_load(PyObject *unused, PyObject *args, PyObject *kwargs);

/* --- status.c ---------------------------------------------------------------------------------------------------- */
void raise_status(status result); /* never STATUS_OK */

/* --- slots.c: attributes, pickling and ordering as those of classes with __slots__ ------------------------------- */
struct slot {
    const char *name;
    Py_ssize_t offset;
};
#define SLOT_CLOSURE(text, type, field) ((void *)&(const struct slot){text, offsetof(type, field)})
#define SLOT(text, type, field, doc) {text, slot_get, slot_set, doc, SLOT_CLOSURE(text, type, field)}
PyObject *slot_get(PyObject *self, void *closure);
int slot_set(PyObject *self, PyObject *value, void *closure);
PyObject *slot_missing(PyObject *self, const char *name);     /* NULL: AttributeError */
PyObject *slots_reduce(PyObject *self, PyObject *unused);     /* __reduce__ */
PyObject *reduce_with(PyObject *self, PyObject *slots);       /* the same, with these slots' values (a dict) */
PyObject *order_objects(PyObject *a, PyObject *b, int op);    /* as functools.total_ordering would */
PyObject *equal_objects(PyObject *a, PyObject *b, int op);    /* == and !=; NotImplemented otherwise */
void object_track(PyObject *self);
void object_dealloc(PyObject *self, inquiry clear);
PyObject *object_new_untracked(PyTypeObject *type, size_t bytes); /* zeroed behind the head */
int missing_argument(const char *function, const char *argument); /* -1: TypeError */

/* --- format.c: the texts of sizes -------------------------------------------------------------------------------- */
PyObject *format_size(PyObject *size, bool sign);
PyObject *format_text(const char *format, PyObject *arguments); /* `format % arguments`; steals arguments, NULL too */

#endif
