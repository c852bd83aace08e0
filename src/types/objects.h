/* objects: how the module's objects are laid out, and who makes them. Included by types.h.
 *
 *   Snapshot --traces--> _Traces --columns--> struct snapshot (core)     rows, no Python objects
 *                           \------names---> struct names                file names as str, each decoded once
 *
 * Trace, Traceback and Frame are made for what is looked at; where `names` is not NULL the rest is still in
 * columns. Pointer fields are owned references unless they say borrowed; NULL where a comment does not say
 * otherwise means that the attribute was deleted.
 */
#ifndef MEMTALLY_OBJECTS_H
#define MEMTALLY_OBJECTS_H

/* --- names.c: names of call paths as Python strings --- */

struct names {
    PyObject ob_base;
    struct callpaths *paths; /* owned reference */
    PyObject **strings;      /* by string id; NULL: not decoded yet */
    PyObject **pairs;        /* by site id: (filename, lineno); NULL: not made yet */
    size_t string_count, pair_count;
};
struct names *names_new(struct state *state, struct callpaths *paths); /* retains paths */
struct names *names_for(struct state *state, struct callpaths *paths); /* shared: for the tracer's paths */
PyObject *names_string(struct names *names, uint32_t id);              /* borrowed */
PyObject *names_pair(struct names *names, uint32_t id);                /* borrowed; id of a site */
PyObject *names_function(struct names *names, uint32_t string);        /* borrowed: str or None */
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

/* --- frame.c --- */

struct frame {
    PyObject ob_base;
    PyObject *frame;    /* (filename, lineno), or whatever the constructor was given */
    PyObject *function; /* str; NULL: not known */
};
PyObject *frame_new(struct state *state, PyObject *tuple, PyObject *function); /* str, None or NULL */
extern PyType_Spec frame_spec;

/* --- traceback.c --- */

struct traceback {
    PyObject ob_base;
    PyObject *frames;       /* tuple, oldest first; NULL while lazy */
    PyObject *total_nframe; /* NULL while lazy */
    PyObject *functions;    /* tuple as long as frames, or None; NULL while lazy, and where none is known */
    struct names *names;    /* NULL: nothing is lazy */
    struct place place;     /* meaningful while names is not NULL */
};
PyObject *traceback_lazy(struct state *state, struct names *names, const struct place *place);
/* `frames` has the most recent first; total_nframe is None. */
PyObject *traceback_from_frames(struct state *state, PyObject *frames);
PyObject *traceback_frames(struct traceback *self); /* borrowed */
/* Borrowed; NULL where none is known. */
int traceback_functions(struct traceback *self, PyObject **functions);
PyObject *tuple_reversed(PyObject *sequence);
extern PyType_Spec traceback_spec;

/* --- trace.c --- */

struct trace {
    PyObject ob_base;
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

/* --- statistic.c: Statistic and StatisticDiff --- */

struct statistic {
    PyObject ob_base;
    PyObject *traceback; /* NULL while lazy */
    PyObject *size, *count;
    PyObject *size_diff, *count_diff; /* NULL in a Statistic */
    struct names *names;              /* not NULL: the traceback is lazy */
    struct place place;
};
PyObject *statistic_new(PyTypeObject *type, PyObject *traceback, PyObject *size, PyObject *size_diff,
                        PyObject *count, PyObject *count_diff);
struct statistic *statistic_lazy(PyTypeObject *type, struct names *names, const struct group *group,
                                 enum key key, uint32_t limit);
/* Lists; both operands have columns. */
struct operand;
PyObject *statistics_group(struct state *state, const struct operand *side, enum key key, bool cumulative);
PyObject *statistics_compare(struct state *state, const struct operand *now, const struct operand *old,
                             enum key key, bool cumulative);
/* The first `most` of them, and how many there are in all; of the second what changed only. */
PyObject *statistics_top(struct state *state, const struct operand *side, enum key key, bool cumulative,
                         size_t most, size_t *all);
PyObject *statistics_changed(struct state *state, const struct operand *now, const struct operand *old,
                             enum key key, bool cumulative, size_t most, size_t *all);
extern PyType_Spec statistic_spec, statistic_diff_spec;

/* --- rows.c: rows as raw tuples --- */

static inline uint64_t row_entries(const struct snapshot *columns, const struct row *row) {
    return columns->view == VIEW_LIVE ? row->count : 1;
}
PyObject *row_raw(struct names *names, const struct snapshot *columns, const struct row *row);
PyObject *rows_list(struct names *names, const struct snapshot *columns);
bool columns_equal(const struct snapshot *a, const struct snapshot *b);

/* --- traces.c --- */

struct views;

struct traces_start {
    uint64_t before; /* entries of earlier rows */
    struct rows rows;
};

struct traces {
    PyObject ob_base;
    PyObject *dict, *weakrefs;
    PyObject *raw; /* what the constructor was given, or the list made from columns once asked for */
    struct snapshot *columns; /* owned reference; NULL: only raw, or not read from a file yet */
    struct names *names;      /* NULL without columns */
    struct views *views; /* owned: what the columns are one of; NULL: they stand alone, or there are none */
    enum view view;      /* which one */
    struct traces_start *starts; /* owned (PyMem): of every TRACES_STEP-th row; NULL before the first index */
};
PyObject *traces_from_columns(struct state *state, struct names *names, struct snapshot *columns);
PyObject *traces_from_views(struct state *state, struct views *views, enum view view);
/* 1: `columns` and `names` are there, read from the file where they were not before; 0: only raw traces; -1: exception */
int traces_columns(struct traces *self);
PyObject *traces_raw(struct traces *self); /* borrowed */
extern PyType_Spec traces_spec, traces_iterator_spec;

/* --- snapshot.c --- */

extern const char *const view_names[VIEW_COUNT];
PyObject *snapshot_from_columns(struct state *state, struct names *names, struct snapshot *columns,
                                PyObject *limit);
/* Of the class `type`, made without its __init__, as pickle does; steals `traces`, which may be NULL. */
PyObject *snapshot_around(PyTypeObject *type, PyObject *traces, PyObject *limit);
PyObject *snapshot_from_raw(struct state *state, PyObject *raw, PyObject *limit);
int view_from_name(PyObject *name, enum view *view);               /* ValueError */
int key_from_name(PyObject *name, bool cumulative, enum key *key); /* ValueError */
extern PyType_Spec snapshot_spec;

/* --- dump.c, load.c: snapshots as files and bytes --- */

PyObject *dump_bytes(struct traces *traces); /* whose columns are read */
/* All views in the bytes, read and checked; `view`: the one that they are of. ValueError. `state` may be NULL: then an
 * exception is set. */
struct views *load_bytes(struct state *state, PyObject *bytes, enum view *view);
bool interrupted(void); /* without the GIL: a signal came; has its handler raised? */
PyObject *snapshot_dump(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *snapshot_load(PyObject *type, PyObject *args, PyObject *kwargs);

/* --- streams.c --- */

int is_stream(PyObject *file,
              const char *method); /* 1: no path, but has read() or write(); 0; -1: exception */
/* Calls `write` without the GIL, with a sink that hands the bytes to write() of `object`. 0, -1. */
typedef status (*stream_writer)(const void *what, status (*sink)(void *, const void *, size_t),
                                void *context);
int stream_out(PyObject *object, stream_writer write, const void *what);

/* --- filter.c, matching.c --- */

/* What a list of filters lets through: a new reference to columns, or a new list of the raw traces. */
struct snapshot *filter_columns(struct state *state, struct names *names, struct snapshot *columns,
                                PyObject *filters);
PyObject *filter_raw(struct state *state, PyObject *raw, PyObject *filters);
PyObject *normalize_filename(PyObject *filename);
/* A raw trace as a tuple of (domain, size, frames[, total_nframe]); ValueError where it has not 3 or 4 items.
 */
PyObject *raw_parts(PyObject *raw);
extern PyType_Spec base_filter_spec, filter_spec, domain_filter_spec;

/* --- columns.c: raw tuples to columns. 1: a new reference; 0: they do not fit; -1: exception --- */

int columns_from_raw(PyObject *raw, struct snapshot **columns);

/* --- plain.c: the same statistics on whatever objects a caller gave, where they do not fit columns --- */

PyObject *plain_statistics(struct state *state, PyObject *raw, enum key key, bool cumulative);
PyObject *plain_compare(struct state *state, PyObject *raw, PyObject *old_raw, enum key key, bool cumulative);

#endif
