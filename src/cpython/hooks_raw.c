/* hooks_raw: the hooks of RAW (hooks.h). They are called from anywhere: with the main GIL (joint), with another's, with
 * none, from threads Python never saw; and from within an allocator below MEM and OBJ: what that gets and gives back is its
 * own matter, and not traced. */
#include "frames/frames.h"

#include "capture.h"
#include "hooks_parts.h"
#include "threadstate.h"

static inline struct caller caller_now(void) {
    PyThreadState *attached = threadstate_get_detached();
    if (likely((const void *)attached == __atomic_load_n(&the_tracer.fast_thread, __ATOMIC_RELAXED)))
        return (struct caller){attached, true};
    if (attached == NULL) /* detached: the frames stand still where this thread left them */
        return (struct caller){PyGILState_GetThisThreadState(), false};
    return (struct caller){attached, thread_has_main_gil(attached)};
}

struct caller hooks_caller(void) {
    return caller_now();
}

/* A thread state may be born where a dead one was that we still trust to hold the main GIL. */
static void distrust_new_thread(void *block, size_t size) {
    if ((uintptr_t)__atomic_load_n(&the_tracer.entered, __ATOMIC_RELAXED) - (uintptr_t)block < size)
        tracer_leave(&the_tracer);
}

static void raw_put(struct caller caller, void *block, size_t size) {
    hooks_probed_raw = true;
    distrust_new_thread(block, size);
    hooks_side_put(caller.thread, caller.joint, block, size);
}

static void *nest(void *block) {
    hooks_nested = block;
    return block;
}

static void *raw_malloc(void *context, size_t size) {
    (void)context;
    PyMemAllocatorEx *under = &hooks_below[PYMEM_DOMAIN_RAW];
    if (hooks_inside)
        return nest(under->malloc(under->ctx, size));
    hooks_inside = true;
    void *block = under->malloc(under->ctx, size);
    hooks_inside = false;
    if (block != NULL)
        raw_put(caller_now(), block, size);
    return block;
}

static void *raw_calloc(void *context, size_t count, size_t size) {
    (void)context;
    PyMemAllocatorEx *under = &hooks_below[PYMEM_DOMAIN_RAW];
    if (hooks_inside)
        return nest(under->calloc(under->ctx, count, size));
    hooks_inside = true;
    void *block = under->calloc(under->ctx, count, size);
    hooks_inside = false;
    if (block != NULL)
        raw_put(caller_now(), block, count * size);
    return block;
}

static void remove_nested(void *block) {
    if (block != NULL && block != hooks_going)
        tracer_side_remove(&the_tracer, caller_now().joint, DOMAIN_PYTHON, (uintptr_t)block);
}

static void *raw_realloc(void *context, void *old, size_t size) {
    (void)context;
    PyMemAllocatorEx *under = &hooks_below[PYMEM_DOMAIN_RAW];
    if (hooks_inside) {
        remove_nested(old);
        return nest(under->realloc(under->ctx, old, size));
    }
    struct caller caller = caller_now();
    struct taken taken = {0};
    if (old != NULL)
        taken = tracer_side_take(&the_tracer, DOMAIN_PYTHON, (uintptr_t)old);
    void *block = realloc_below(under, old, size);
    if (block == NULL) {
        tracer_side_put_back(&the_tracer, caller.joint, taken);
        return NULL;
    }
    tracer_side_forget(&the_tracer, caller.joint, taken);
    raw_put(caller, block, size);
    return block;
}

static void raw_free(void *context, void *block) {
    (void)context;
    PyMemAllocatorEx *under = &hooks_below[PYMEM_DOMAIN_RAW];
    if (block == NULL)
        return;
    if (hooks_inside) {
        remove_nested(block);
        under->free(under->ctx, block);
        return;
    }
    tracer_side_remove(&the_tracer, caller_now().joint, DOMAIN_PYTHON, (uintptr_t)block);
    free_below(under, block);
}

const PyMemAllocatorEx hooks_of_raw = {NULL, raw_malloc, raw_calloc, raw_realloc, raw_free};
