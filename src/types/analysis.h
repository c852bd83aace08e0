/* analysis: what snapshots can do beyond the standard module, and how they come from it and go there. Included by
 * types.h.
 *
 * Owns nothing itself. Needs the GIL; functions follow CPython, as in types.h.
 */
#ifndef MEMTALLY_ANALYSIS_H
#define MEMTALLY_ANALYSIS_H

/* --- snapshot.c --- */

/* The traces of a snapshot, as columns where that is possible, else as raw traces. */
struct operand {
    PyObject *raw;            /* owned; NULL where there are columns */
    struct snapshot *columns; /* owned reference; NULL where there are none */
    struct names *names;      /* owned; of the columns */
};
int operand_init(struct state *state, struct operand *self, PyObject *snapshot); /* of a zeroed one; 0, -1 */
void operand_fini(struct operand *self);
int operand_to_raw(struct operand *self); /* makes `raw`, where there are columns; 0, -1 */

/* --- unpickle.c: snapshots that the standard module dumped --- */

bool pickle_begins(const void *bytes, size_t length);
/* ValueError for what is no such snapshot; `filename` may be NULL. */
PyObject *pickle_load(struct state *state, const void *bytes, size_t length, PyObject *filename);

/* --- interchange.c: from and to snapshots of the standard module --- */

PyObject *snapshot_to_tracemalloc(PyObject *self, PyObject *unused);
PyObject *snapshot_from_tracemalloc(PyObject *type, PyObject *standard);
extern const char to_tracemalloc_doc[], from_tracemalloc_doc[];

/* --- branch.c: the call tree --- */

PyObject *snapshot_tree(PyObject *self, PyObject *unused);
extern const char tree_doc[];
extern PyType_Spec branch_spec;

/* --- export.c: for the commands: other tools' formats, and how many blocks of which size --- */

PyObject *snapshot_export(PyObject *self, PyObject *args);
PyObject *snapshot_block_sizes(PyObject *self, PyObject *unused);
extern const char export_doc[], block_sizes_doc[];

/* --- growing.c: for `memtally leaks` --- */

PyObject *snapshot_growing(PyObject *self, PyObject *args);
extern const char growing_doc[];

/* --- largest.c: for `memtally top` and `memtally diff` --- */

PyObject *snapshot_largest(PyObject *self, PyObject *args);
PyObject *snapshot_changed(PyObject *self, PyObject *args);
extern const char largest_doc[], changed_doc[];

/* --- calltable.c: the call trees of several snapshots as columns --- */

PyObject *call_table(PyObject *module, PyObject *args);
extern const char call_table_doc[];
PyObject *snapshot_flamegraph(PyObject *self, PyObject *args, PyObject *kwargs);
extern const char flamegraph_doc[];

/* --- combine.c: several snapshots as one, and differences --- */

PyObject *snapshot_merge(PyObject *type, PyObject *mapping);
PyObject *snapshot_process(PyObject *self, PyObject *name);
PyObject *snapshot_processes(PyObject *self, void *unused);
PyObject *snapshot_subtract(PyObject *a, PyObject *b);
extern const char merge_doc[], process_doc[], processes_doc[];

/* --- measurement.c: memtally.measure --- */

extern PyType_Spec measurement_spec;

#endif
