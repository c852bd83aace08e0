/* foreign: what extensions report by PyTraceMalloc_Track and PyTraceMalloc_Untrack, in domains of their own.
 *
 *   numpy --> slot of PyTraceMalloc_Track --> here --> tracked.h
 *                                              |
 *                                              +-----> libpython's own, where the standard tracer is on as well
 *
 * libpython's functions do nothing while the standard tracer is off, and tell nobody: so the calls are intercepted where
 * they leave their modules (symhook.h). The same for _PyTraceMalloc_GetTraceback, by which tests ask.
 * start and stop: with the main GIL. The intercepted calls: any thread; while only memtally traces they wait for no GIL.
 */
#ifndef MEMTALLY_FOREIGN_H
#define MEMTALLY_FOREIGN_H

#include "compat.h"

void foreign_start(bool patch);
void foreign_stop(void);
/* While started: True; or a str that says why some or all extensions are not seen. New reference. */
PyObject *foreign_capability(bool patch);

#endif
