/* hooks: what CPython calls for every block, between CPython and the allocators that were there before.
 *
 *   program -> PyMem_Malloc -> hook -> allocator below (pymalloc, debug hooks, another tracer ...)
 *
 * Installed and removed by lifecycle.c, under the main GIL. A hook may be called by any thread at any time, also after
 * removal (another thread may have read the pointer just before; another tracer may sit above): then it passes
 * through. So hooks and what they refer to live as long as the process.
 *
 * Inside a hook nothing allocates Python memory, runs Python code, raises, or waits for a GIL; errno is left as found.
 */
#ifndef MEMTALLY_HOOKS_H
#define MEMTALLY_HOOKS_H

#include "compat.h"

/* No effect on domains where calls reach our hooks already. Returns whether any did not. `keep`: may freed blocks be kept
 * for a while (magazine.h), where nothing but pymalloc is below? With the main GIL, in the main interpreter. */
bool hooks_install(bool keep);
void hooks_remove(void);     /* stays, passing through, where another tracer has put itself above; the same */
bool hooks_keep(void);       /* are freed blocks kept? */
bool hooks_know_pools(void); /* are blocks taken out of pymalloc's pools without calling it (pools.h)? */
bool hooks_on_top(void);     /* are all three domains' hooks ours? */

/* Who calls what needs no GIL, and whether it holds the main one all the same. */
struct caller {
    PyThreadState *thread; /* whose stack to walk, borrowed; NULL: none of Python's */
    bool joint;
};
struct caller hooks_caller(void);

/* The tally of the present call path of `thread`, which holds the main GIL and has entered then (tracer.h); 0: no
 * memory. */
uint32_t hooks_tally_now(PyThreadState *thread);

/* The block just allocated. Under the main GIL. */
struct newest {
    uintptr_t address;
    size_t size; /* 0: the object in it was announced, or none is expected */
};
extern ours_only struct newest hooks_newest;

/* An object that is not in the newest block came out of a free list: its block's call path is the present one. */
int hooks_object_reused(PyObject *object); /* returns 0, as tracers of references do */

/* An object was made (reftrace.c, newref.c). In the newest block it needs no second look. */
hot_inline int hooks_object_made(PyObject *object) {
    if (unlikely((uintptr_t)object - hooks_newest.address >= hooks_newest.size))
        return hooks_object_reused(object);
    hooks_newest.size = 0;
    return 0;
}

#endif
