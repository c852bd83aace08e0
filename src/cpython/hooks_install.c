/* hooks_install: the hooks go in and out, those of the arenas too (hooks.h). With the main GIL, but for the arenas': these
 * are called by whoever makes pymalloc take or give back memory. */
#include "hooks_parts.h"

#include "capture.h"
#include "threadstate.h"

#include <string.h>

/* --- arenas: pymalloc's memory goes back to the system, and with it what we keep for it ------------------------------ */

static PyObjectArenaAllocator arenas_below;
static bool arenas_hooked; /* also where somebody has put a hook above ours: then it stays, passing through */

static void *arena_alloc(void *context, size_t size) { return arenas_below.alloc(context, size); }

static void arena_free(void *context, void *arena, size_t size) {
    arenas_below.free(context, arena, size);
    if (threadstate_near() != the_tracer.entered)
        return;
    tracer_release(&the_tracer, (uintptr_t)arena, (uintptr_t)arena + size);
    if (the_tracer.magazines.is_open)
        hooks_kept_too_long = true;
    magazines_shut(&the_tracer.magazines);
}

static bool arenas_are_ours(void) {
    PyObjectArenaAllocator now;
    PyObject_GetArenaAllocator(&now);
    return now.free == arena_free;
}

static void arenas_install(void) {
    if (arenas_hooked)
        return;
    arenas_hooked = true;
    PyObject_GetArenaAllocator(&arenas_below);
    PyObjectArenaAllocator hook = {arenas_below.ctx, arena_alloc, arena_free};
    PyObject_SetArenaAllocator(&hook);
}

static void arenas_remove(void) {
    if (!arenas_are_ours())
        return;
    PyObject_SetArenaAllocator(&arenas_below);
    arenas_hooked = false;
}

/* --- pools ------------------------------------------------------------------------------------------------------- */

/* Nothing of what pymalloc does meanwhile is traced. */
static struct pool **find_pools(const PyMemAllocatorEx *below) {
    struct pool_source source = {below->ctx, below->malloc, below->free};
    hooks_inside = true;
    struct pool **found = pools_find(&source);
    hooks_inside = false;
    return found;
}

/* --- installing ------------------------------------------------------------------------------------------------------ */

static bool below_is_pymalloc;

static const PyMemAllocatorEx *ours(PyMemAllocatorDomain domain) {
    return domain == PYMEM_DOMAIN_RAW   ? &hooks_of_raw
           : domain == PYMEM_DOMAIN_MEM ? &hooks_of_mem
                                        : &hooks_of_obj;
}

static bool is_on_top(PyMemAllocatorDomain domain) {
    PyMemAllocatorEx now;
    PyMem_GetAllocator(domain, &now);
    return now.malloc == ours(domain)->malloc;
}

/* Another tracer may have put its hooks above ours, or taken ours away with its own: only a call can tell. */
static bool is_in_chain(PyMemAllocatorDomain domain) {
    tracer_leave(&the_tracer); /* so that the call takes the slow way */
    hooks_probed = hooks_probed_raw = false;
    if (domain == PYMEM_DOMAIN_RAW)
        PyMem_RawFree(PyMem_RawMalloc(1));
    else if (domain == PYMEM_DOMAIN_MEM)
        PyMem_Free(PyMem_Malloc(1));
    else
        PyObject_Free(PyObject_Malloc(1));
    return domain == PYMEM_DOMAIN_RAW ? hooks_probed_raw : hooks_probed;
}

bool hooks_install(bool keep) {
    bool changed = false, pymalloc = pymalloc_is_alone();
    arenas_install();
    for (PyMemAllocatorDomain domain = PYMEM_DOMAIN_RAW; domain <= PYMEM_DOMAIN_OBJ; domain++) {
        if (is_on_top(domain) || is_in_chain(domain))
            continue;
        changed = true;
        PyMemAllocatorEx now;
        PyMem_GetAllocator(domain, &now);
        if (memcmp(&now, &hooks_below[domain], sizeof now) != 0) { /* a late call may be reading it */
            hooks_give_back();
            hooks_below[domain] = now;
        }
        platform_publish(); /* a thread that finds the hook must find what is below it */
        PyMemAllocatorEx hook = *ours(domain);
        hook.ctx = hooks_below[domain].ctx;
        PyMem_SetAllocator(domain, &hook);
    }
    if (changed)
        below_is_pymalloc = pymalloc;
    hooks_may_keep = keep && below_is_pymalloc;
    hooks_pools = hooks_may_keep ? find_pools(&hooks_below[PYMEM_DOMAIN_OBJ]) : NULL;
    hooks_pools_here = NULL;
    return changed;
}

void hooks_remove(void) {
    hooks_pools_here = NULL;
    hooks_give_back();
    arenas_remove();
    for (PyMemAllocatorDomain domain = PYMEM_DOMAIN_RAW; domain <= PYMEM_DOMAIN_OBJ; domain++) {
        if (is_on_top(domain))
            PyMem_SetAllocator(domain, &hooks_below[domain]);
    }
}

bool hooks_on_top(void) {
    return is_on_top(PYMEM_DOMAIN_RAW) && is_on_top(PYMEM_DOMAIN_MEM) && is_on_top(PYMEM_DOMAIN_OBJ);
}

bool hooks_keep(void) { return hooks_may_keep; }

bool hooks_know_pools(void) { return hooks_pools != NULL; }
