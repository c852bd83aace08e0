/* report: a block that an extension reports, by whichever API (foreign.h, capi.h): its call path, and which partition's
 * event it is (tracked.h).
 *
 * Owns nothing. Any thread, with or without a GIL; waits for none, raises nothing, leaves errno as it was.
 */
#ifndef MEMTALLY_REPORT_H
#define MEMTALLY_REPORT_H

#include "compat.h"

/* What PyTraceMalloc_Track and _Untrack answer; the codes of include/memtally.h are the same. */
enum { REPORT_OK = 0, REPORT_NO_MEMORY = -1, REPORT_NOT_TRACING = -2 };

int report_track(unsigned int domain, uintptr_t address, size_t size);
int report_untrack(unsigned int domain, uintptr_t address);
bool report_is_wanted(void);

#endif
