/* capture: which call path is this thread on? walk.h on CPython's frames, with the main GIL (apart.h: without).
 *
 * Nothing here allocates Python memory, runs code, raises, or waits for the GIL.
 */
#ifndef MEMTALLY_CAPTURE_H
#define MEMTALLY_CAPTURE_H

#include "../core/tracer.h"
#include "compat.h"

extern ours_only struct tracer the_tracer; /* the process's; lifecycle.c */

/* The tally of `thread`, which holds the main GIL and for which tracer_enter succeeded. 0: no memory. */
uint32_t capture_slow(PyThreadState *thread);

/* May frames be marked (the default), or must all be compared? With the main GIL, while nothing is traced. */
void capture_allow_marks(bool allowed);
bool capture_has_marks(void);

/* Frees scratch memory; with the main GIL, when tracing has stopped. */
void capture_reset(void);

#endif
