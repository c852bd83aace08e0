/* reftrace: sees objects come out of free lists, where no allocator is called. Under the GIL.
 *
 * 3.13 and later: PyRefTracer, one slot a process. Whoever is in it when we start is called on; if somebody else has
 * taken it when we stop, it is left to them.
 * Before: newref.c, where libpython allows it.
 */
#ifndef MEMTALLY_REFTRACE_H
#define MEMTALLY_REFTRACE_H

#include "compat.h"

/* `patch`: import tables may be written to. Without, newref.c does nothing, and PyRefTracer's next owner replaces us. */
void reftrace_start(bool patch);
void reftrace_stop(void);
/* An object was allocated and not announced: has the slot been taken away? If so, takes it back, chained. Cheap. */
void reftrace_look_again(void);
/* Are free-listed objects re-attributed now? False: their traceback is the one of the block's first use. */
bool reftrace_works(void);

#endif
