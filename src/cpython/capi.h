/* capi: memtally's end of the C API for other extensions (include/memtally.h).
 *
 * Owns the table of functions, which lives as long as the process: extensions call through it from any thread, and to the
 * end. Tracebacks that it gives away are the caller's, from malloc, so that no tracer sees them.
 */
#ifndef MEMTALLY_CAPI_H
#define MEMTALLY_CAPI_H

#include "compat.h"

/* Puts the table into the module, as `_C_API`, and into the slot where extensions look for it. In the main interpreter,
 * with its GIL; again does no harm. 0; -1 with an exception set. */
int capi_publish(PyObject *module);

#endif
