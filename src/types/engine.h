/* engine: what the Python-visible module needs of the tracing side; src/cpython/lifecycle.c implements it.
 *
 * Called with the GIL of the main interpreter. Owns the tracer's state; hands out references to snapshots and
 * call paths, which stay valid after the tracer stopped.
 */
#ifndef MEMTALLY_ENGINE_H
#define MEMTALLY_ENGINE_H

#include <Python.h>

#include "../core/kept.h"
#include "../core/snapshot.h"
#include "../core/tracked.h"

int engine_start(int nframe); /* 0; -1 with an exception set. Already tracing: 0, nothing changes */
void engine_stop(void);
bool engine_is_tracing(void);
int engine_limit(void); /* of the last start, also after stop; 1 before the first */
int engine_clear(void); /* 0; -1 with MemoryError: tracing has ended */
void engine_reset_peak(void);
void engine_memory(uint64_t *current, uint64_t *peak);
size_t engine_own_memory(void);

/* The views that are wanted, new references; -1 with an exception (MemoryError; a RuntimeWarning turned into one, where
 * another tracer had taken our hooks away). Must be tracing. */
int engine_freeze(const bool wanted[VIEW_COUNT], struct moment *moment);

/* The block of a domain at this address, or obj's block, and the call path where it was allocated; false: it is not
 * traced. */
bool engine_find_block(uint32_t domain, uintptr_t address, struct found *found);
bool engine_find_object(PyObject *obj, struct found *found);

/* Send signum again and again once it came, until engine_relent is called by its Python handler, for five seconds at
 * most (cpython/remind.h). -1: OSError */
int engine_remind(int signum);
void engine_relent(void);

PyObject *
engine_soon(PyObject *function); /* new function that calls it a little later (cpython/soon.h); NULL */

/* core/measure.h. Begin: 0, or -1 with RuntimeError while not tracing. Read: INVALID where nothing is known of it; NOMEM
 * where only `kept`, which must be empty, is not known. None allocates Python memory, but for the exception. */
int engine_measure_begin(struct measure *measure, means_test is_means);
nodiscard status engine_measure_read(const struct measure *measure, struct measured *figures,
                                     struct kept *kept);
void engine_measure_end(struct measure *measure);

PyObject *engine_capabilities(void); /* new dict */
int engine_init(PyObject *module);   /* at import, main interpreter */

#endif
