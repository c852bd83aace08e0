/* views: the views of one moment, which belong together: they share their call paths and their metadata.
 *
 *   Snapshot --traces--> _Traces --views--> _Views --+-- live, peak, total: columns, in memory or still in a file
 *   Snapshot --traces--> _Traces ------------^       +-- names
 *                                                    +-- metadata
 *
 * A snapshot shows one of them, its own; Snapshot.view() makes another one of the same _Views. What is in a file is
 * read when it is first looked at. Everything with the GIL, which is given up while a file is read. Included by
 * types.h.
 */
#ifndef MEMTALLY_VIEWS_H
#define MEMTALLY_VIEWS_H

#include "metadata.h"

struct file_source;
struct snapfile_error;

struct views {
    PyObject ob_base;
    struct names *names;                  /* owned; NULL: the call paths are still in the file */
    struct snapshot *columns[VIEW_COUNT]; /* owned references; NULL: not there, or still in the file */
    bool there[VIEW_COUNT];
    struct facts facts; /* what metadata are made of */
    PyObject *metadata; /* owned dict; NULL: not made yet */
    /* Where there is something to read yet; else NULL. */
    struct file_source *source;
    struct snapfile *file;
    PyObject *filename;  /* owned: for messages; NULL where there is none */
    struct state *state; /* borrowed: lives as long as the type */
    int readers;         /* who is reading without the GIL: the file stays open for them */
};

/* Takes over the references in `moment`, also where it fails. */
struct views *views_from_moment(struct state *state, struct moment *moment);
/* Before anybody else sees them: lets their columns share rows with those of an earlier moment, without the GIL. */
void views_share(struct views *self);
/* As `like`, with other columns: references, taken over also where it fails; the first one's call paths. */
struct views *views_with_columns(struct state *state, struct views *like,
                                 struct snapshot *columns[VIEW_COUNT]);
/* A file or bytes in the format of core/snapfile.h; takes over the source, also where it fails. `filename` may be NULL.
 * ValueError, OSError. */
struct opened {
    enum view first;      /* the view that the file is of */
    uint32_t limit;       /* of its tracebacks */
    PyObject *attributes; /* new bytes (JSON), or NULL where there are none */
};
struct views *views_open(struct state *state, struct file_source *source, PyObject *filename,
                         struct opened *opened);
/* Makes sure that a view's columns are in memory. 0, or -1 with an exception: ValueError where it is not there. */
int views_read(struct views *self, enum view view);
/* For who reads views of the file for himself and keeps none of them: `file` stays open until it is given back. Its call
 * paths are a new reference. 0, or -1 with an exception, and there is nothing to give back. */
int views_borrow(struct views *self, struct callpaths **paths);
void views_give_back(struct views *self);
/* What it means that reading the file came to such a result. */
void views_raise(const struct views *self, status result, struct snapfile_error *error);
PyObject *views_metadata(struct views *self); /* borrowed dict */
extern PyType_Spec views_spec;

#endif
