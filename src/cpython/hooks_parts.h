/* hooks_parts: what the files hooks*.c share. Included by nobody else. */
#ifndef MEMTALLY_HOOKS_PARTS_H
#define MEMTALLY_HOOKS_PARTS_H

#include "hooks.h"

#include "../core/pools.h"

/* Initial-exec: one instruction instead of a call. The few bytes come out of the loader's reserve for late modules.
 * musl's loader has no such reserve. */
#if defined(__GLIBC__)
#define THREAD_LOCAL _Thread_local __attribute__((__visibility__("hidden"), tls_model("initial-exec")))
#else
#define THREAD_LOCAL _Thread_local __attribute__((__visibility__("hidden")))
#endif

/* The allocators below ours, by domain: written before our hooks are in place, never changed while they are. */
extern ours_only PyMemAllocatorEx hooks_below[3];

/* This thread is inside an allocator below. pymalloc gets its large blocks from RAW: those calls are not traced. */
extern THREAD_LOCAL bool hooks_inside;

/* The block that this thread is inside a free or realloc of: its record is already gone. Any other address that is
 * given back in there (by another tracer below, which has tables of its own) may have one. */
extern THREAD_LOCAL const void *hooks_going;

/* The last block that RAW gave an allocator below in this thread. */
extern THREAD_LOCAL const void *hooks_nested;

/* A call of this thread came through here, not as the fast thread: how hooks_install finds out who is in the chain. */
extern THREAD_LOCAL bool hooks_probed, hooks_probed_raw;

/* The next five under the main GIL. Blocks may be kept, from pymalloc, which is all that is below. */
extern ours_only bool hooks_may_keep;
/* pymalloc's pools (pools.h), for as long as blocks may be kept; NULL: not known, or not to be used. Used where they are
 * those of the interpreter that runs. */
extern ours_only struct pool **hooks_pools, **hooks_pools_here;
/* pymalloc gave memory back to the system, and would perhaps give back more but for kept blocks: magazines are shut, and
 * the next block that is freed takes them all along. */
extern ours_only bool hooks_kept_too_long;
/* All kept blocks go to the allocator that they came from. In the main interpreter. */
void hooks_give_back(void);

/* A block of the side. `thread`: whose stack to walk, or NULL. `joint`: this thread holds the main GIL, `thread` is attached
 * to it. */
void hooks_side_put(PyThreadState *thread, bool joint, void *block, size_t size);

extern ours_only const PyMemAllocatorEx hooks_of_raw, hooks_of_mem, hooks_of_obj;

hot_inline void *realloc_below(PyMemAllocatorEx *under, void *old, size_t size) {
    hooks_inside = true;
    hooks_going = old;
    void *block = under->realloc(under->ctx, old, size);
    hooks_inside = false;
    hooks_going = NULL;
    return block;
}

static inline void free_below(PyMemAllocatorEx *under, void *block) {
    hooks_inside = true;
    hooks_going = block;
    under->free(under->ctx, block);
    hooks_inside = false;
    hooks_going = NULL;
}

#endif
