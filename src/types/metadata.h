/* metadata: what is known about a snapshot as a whole: when, of which program, with what interpreter, how much.
 *
 *   facts (C, noted when the snapshot is taken) --> dict (made when it is asked for) <--> pairs of texts in a file
 *
 * Values are str, int, or a tuple of str (the program's arguments). In a file an int is its decimal digits, and each of
 * several texts is followed by a NUL. Owns what it says it owns. Needs the GIL. Included by types.h.
 */
#ifndef MEMTALLY_METADATA_H
#define MEMTALLY_METADATA_H

#include <time.h>

struct snapfile;
struct snapfile_error;
struct snapfile_pair;

struct facts {
    bool known; /* false: nothing is, as for a snapshot made from tuples */
    struct timespec when;
    uint64_t current, peak, lost;
    uint32_t frames;
    PyObject *argv; /* owned tuple: sys.argv as it was; NULL: there was none */
};

/* Never fails: what cannot be had is left out. */
void facts_note(struct facts *facts, const struct moment *moment);
struct facts facts_copy(const struct facts *facts);
void facts_fini(struct facts *facts);

PyObject *metadata_make(const struct facts *facts); /* new dict */

/* The same as a file has them, ready to be written. */
struct metadata_texts {
    struct snapfile_pair *pairs; /* owned (PyMem) */
    size_t count;
    PyObject *bytes; /* owned list: what the pairs point into */
};
/* All of the dict but the names in the set `leave_out`, and `attributes` (JSON or None). */
int metadata_encode(PyObject *metadata, PyObject *leave_out, PyObject *attributes,
                    struct metadata_texts *texts);
void metadata_texts_fini(struct metadata_texts *texts); /* also of a zeroed one */

/* A new dict of what is in an open file; `attributes` becomes a new bytes object, or NULL where there are none. NULL
 * with an exception, or, where a value cannot be right, without one and with `error` set. */
PyObject *metadata_decode(const struct snapfile *file, PyObject **attributes, struct snapfile_error *error);

/* The names of dump()'s leave_out as a new set; ValueError for one that no metadata have, nor `metadata`. */
PyObject *metadata_names(PyObject *names, PyObject *metadata);

#endif
