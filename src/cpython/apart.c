/* apart: see apart.h. Owns the trails: memory of the process, each used by one thread at a time. */
#include "frames/frames.h"

#include "../core/collect.h"
#include "apart.h"
#include "capture.h"
#include "codesite.h"

/* --- trails ---------------------------------------------------------------------------------------------------------- */

enum { TRAIL_MOST = 256, TRAILS = 128 };

struct stop {
    uintptr_t instr;
    uint32_t version; /* of the code object */
    uint32_t node;    /* of the path from the bottom up to here; 0: not known */
};

/* The frames that a thread had at its last capture, from the bottom. */
struct trail {
    bool busy; /* atomic */
    uint32_t count;
    uint64_t tree;       /* that the nodes are of; 0: none */
    int64_t interpreter; /* that the versions are of; no other has had the number */
    struct stop stops[TRAIL_MOST];
};

/* Two threads that come upon the same one push each other's frames out. */
static struct trail trails[TRAILS];

/* The calling thread's trail, until trail_leave; NULL where another thread is in it. */
static struct trail *trail_enter(PyThreadState *thread) {
    struct trail *trail = &trails[hash_mix((uintptr_t)pthread_self()) % TRAILS];
    if (__atomic_exchange_n(&trail->busy, true, __ATOMIC_ACQUIRE))
        return NULL;
    int64_t interpreter = PyInterpreterState_GetID(thread->interp);
    if (trail->interpreter != interpreter)
        trail->count = 0;
    trail->interpreter = interpreter;
    return trail;
}

static void trail_leave(struct trail *trail) {
    if (trail != NULL)
        __atomic_store_n(&trail->busy, false, __ATOMIC_RELEASE);
}

/* --- a thread's frames ----------------------------------------------------------------------------------------------- */

struct stack {
    FRAME **frames; /* that count, the youngest first */
    size_t count;
    FRAME *few[TRAIL_MOST];
};

static status stack_read(struct stack *stack, PyThreadState *thread) {
    FRAME *top = thread != NULL ? frame_top(thread) : NULL;
    stack->frames = stack->few;
    stack->count = 0;
    for (FRAME *f = top; f != NULL; f = frame_below(f)) {
        if (frame_complete(f) && stack->count++ < TRAIL_MOST)
            stack->few[stack->count - 1] = f;
    }
    if (stack->count <= TRAIL_MOST)
        return STATUS_OK;
    stack->frames = vmem_map(&the_tracer.memory, stack->count * sizeof *stack->frames);
    if (stack->frames == NULL)
        return STATUS_NOMEM;
    size_t i = 0;
    for (FRAME *f = top; f != NULL; f = frame_below(f)) {
        if (frame_complete(f))
            stack->frames[i++] = f;
    }
    return STATUS_OK;
}

static void stack_free(struct stack *stack) {
    if (stack->frames != NULL && stack->frames != stack->few)
        vmem_unmap(&the_tracer.memory, stack->frames, stack->count * sizeof *stack->frames);
}

/* The frame that is `i` calls above the bottom. */
static FRAME *stack_frame(const struct stack *stack, size_t i) { return stack->frames[stack->count - 1 - i]; }

/* How many frames, from the bottom, are what they were. */
static size_t stack_common(const struct stack *stack, const struct trail *trail) {
    size_t i = 0, most = stack->count < trail->count ? stack->count : trail->count;
    while (i < most && trail->stops[i].instr == frame_instr(stack_frame(stack, i)) &&
           trail->stops[i].version != 0 &&
           trail->stops[i].version == frame_code_version(stack_frame(stack, i)))
        i++;
    return i;
}

/* --- from frames to a path ------------------------------------------------------------------------------------------- */

/* The caller holds paths->lock. */
static status add_frame_locked(struct callpaths *paths, FRAME *f, uint32_t parent, uint32_t depth,
                               uint32_t *node) {
    uint32_t site;
    status result = code_site_locked(paths, frame_code(f), frame_instr(f), &site);
    return result == STATUS_OK ? node_intern_locked(paths, parent, site, depth, node) : result;
}

/* The path of `stack`, whose first `known` frames the trail has; the others are put into it. When one frame is kept, those
 * below the top only hand up how many they are. */
static status intern_locked(struct callpaths *paths, const struct stack *stack, struct trail *trail,
                            size_t known, uint32_t *node) {
    bool one = tracer_frames_are_one(&the_tracer);
    status result = STATUS_OK;
    *node = known != 0 ? trail->stops[known - 1].node : 0;
    for (size_t i = known; i < stack->count && result == STATUS_OK; i++) {
        FRAME *f = stack_frame(stack, i);
        uint32_t parent = one ? 0 : *node;
        *node = 0;
        if (!one || i + 1 == stack->count)
            result = add_frame_locked(paths, f, parent, (uint32_t)i + 1, node);
        if (trail != NULL)
            trail->stops[i] = (struct stop){frame_instr(f), frame_code_version(f), *node};
    }
    return result;
}

/* Looks for the path in the tracer's tree as it is now. Only who holds the main GIL can make that smaller; until then it
 * must not grow too large. */
static status intern(const struct stack *stack, struct trail *trail, size_t known, struct apart_path *path) {
    struct callpaths *paths = tracer_borrow_paths(&the_tracer);
    if (paths == NULL)
        return STATUS_INVALID;
    if (trail != NULL && (trail->tree != paths->serial || tracer_frames_are_one(&the_tracer)))
        known = 0;
    status result;
    path->tree = paths->serial;
    lock_acquire(&paths->lock);
    if (stack->count == 0) {
        result = path_named_locked(paths, PATH_UNKNOWN, &path->node);
    } else if (collect_is_overdue(&the_tracer, paths)) {
        result = path_named_locked(paths, PATH_FORGOTTEN, &path->node);
        trail = NULL;
    } else {
        result = intern_locked(paths, stack, trail, known, &path->node);
    }
    lock_release(&paths->lock);
    if (trail != NULL) {
        trail->tree = paths->serial;
        trail->count = result == STATUS_OK ? (uint32_t)stack->count : 0;
    }
    callpaths_release(paths);
    return result;
}

/* By the trail, where the path is on it and this was not refused before. */
static status follow(const struct stack *stack, struct trail *trail, struct apart_path *path) {
    size_t known = trail != NULL ? stack_common(stack, trail) : 0;
    bool whole = known != 0 && known == stack->count && trail->stops[known - 1].node != 0;
    if (!whole || trail->tree == path->tree)
        return intern(stack, trail, known, path);
    *path = (struct apart_path){trail->tree, trail->stops[known - 1].node};
    return STATUS_OK;
}

status apart_capture(PyThreadState *thread, struct apart_path *path) {
    struct stack stack;
    status result = stack_read(&stack, thread);
    if (result == STATUS_OK) {
        struct trail *trail = thread != NULL && stack.count <= TRAIL_MOST ? trail_enter(thread) : NULL;
        result = follow(&stack, trail, path);
        trail_leave(trail);
    }
    stack_free(&stack);
    if (result != STATUS_OK && result != STATUS_INVALID)
        tracer_count_lost(&the_tracer);
    return result;
}
