/* apart: see apart.h. Owns the trails: memory of the process, each used by one thread at a time. */
#include "frames/frames.h"

#include "../core/collect.h"
#include "apart.h"
#include "capture.h"
#include "codesite.h"

/* --- trails ---------------------------------------------------------------------------------------------------------- */

enum { TRAIL_MOST = 256, TRAILS = 128, NEAR = 8 };

struct stop {
    uintptr_t instr;
    uint32_t version; /* of the code object */
    uint32_t node;    /* of the path from the bottom up to here; 0: not known */
};

/* The frames that a thread had at its last capture, from the bottom. */
struct trail {
    uintptr_t owner;     /* atomic: the thread that it is meant for, which may have ended; 0: none yet */
    uint64_t tree;       /* that the nodes are of; 0: none */
    int64_t interpreter; /* that the versions are of; no other has had the number */
    uint32_t count;
    bool busy; /* atomic */
    struct stop stops[TRAIL_MOST];
};

/* Two threads that come upon the same one push each other's frames out: so a new thread looks for one that is nobody's. */
static struct trail trails[TRAILS];

/* Relaxed: two threads that take the same one find out at the next look. */
static struct trail *trail_of(uintptr_t thread) {
    size_t home = hash_mix(thread) % TRAILS;
    struct trail *mine = NULL;
    for (size_t i = 0; i < NEAR; i++) {
        struct trail *trail = &trails[(home + i) % TRAILS];
        uintptr_t owner = __atomic_load_n(&trail->owner, __ATOMIC_RELAXED);
        if (owner == thread)
            return trail;
        if (owner == 0 && mine == NULL)
            mine = trail;
    }
    if (mine == NULL)
        mine = &trails[home];
    __atomic_store_n(&mine->owner, thread, __ATOMIC_RELAXED);
    return mine;
}

/* The calling thread's trail, until trail_leave; NULL where another thread is in it. */
static struct trail *trail_enter(PyThreadState *thread) {
    struct trail *trail = trail_of((uintptr_t)pthread_self());
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
    FRAME *top;
    size_t count; /* of its frames that count */
};

static struct stack stack_of(PyThreadState *thread) {
    struct stack stack = {thread != NULL ? frame_top(thread) : NULL, 0};
    for (FRAME *f = stack.top; f != NULL; f = frame_below(f))
        stack.count += frame_complete(f);
    return stack;
}

static bool is_at(const struct stop *stop, const FRAME *f) {
    return stop->instr == frame_instr(f) && stop->version != 0 && stop->version == frame_code_version(f);
}

/* How many frames, from the bottom, are what they were. */
static size_t stack_common(struct stack stack, const struct trail *trail) {
    size_t common = stack.count, i = stack.count;
    for (FRAME *f = stack.top; f != NULL; f = frame_below(f)) {
        if (frame_complete(f) && (--i >= trail->count || !is_at(&trail->stops[i], f)))
            common = i;
    }
    return common;
}

/* --- from frames to a path ------------------------------------------------------------------------------------------- */

/* A path that grows from the bottom to the top of `stack`. */
struct growth {
    struct callpaths *paths; /* the caller holds its lock */
    struct trail *trail;     /* NULL: nothing is to be remembered */
    size_t depth;
    uint32_t node;
};

static status intern_frame(struct growth *path, FRAME *f, uint32_t parent) {
    uint32_t site;
    status result = code_site_locked(path->paths, frame_code(f), frame_instr(f), &site);
    if (result != STATUS_OK)
        return result;
    return node_intern_locked(path->paths, parent, site, (uint32_t)path->depth, &path->node);
}

/* When one frame is kept, those below the top only hand up how many they are. */
static status add_frame(struct growth *path, const struct stack *stack, FRAME *f) {
    bool one = tracer_frames_are_one(&the_tracer);
    uint32_t parent = one ? 0 : path->node;
    status result = STATUS_OK;
    path->node = 0;
    path->depth++;
    if (!one || path->depth == stack->count)
        result = intern_frame(path, f, parent);
    if (path->trail != NULL)
        path->trail->stops[path->depth - 1] = (struct stop){frame_instr(f), frame_code_version(f),
                                                            path->node};
    return result;
}

/* The frames above those that `path` has already. */
static status add_frames(struct growth *path, const struct stack *stack) {
    FRAME *few[TRAIL_MOST], **frames = few;
    size_t count = stack->count - path->depth, i = 0;
    if (count > TRAIL_MOST && (frames = vmem_map(&the_tracer.memory, count * sizeof *frames)) == NULL)
        return STATUS_NOMEM;
    for (FRAME *f = stack->top; i < count; f = frame_below(f)) {
        if (frame_complete(f))
            frames[i++] = f;
    }
    status result = STATUS_OK;
    while (i-- > 0 && result == STATUS_OK)
        result = add_frame(path, stack, frames[i]);
    if (frames != few)
        vmem_unmap(&the_tracer.memory, frames, count * sizeof *frames);
    return result;
}

/* The path in the tracer's tree as it is now; the trail has its first `known` frames, and gets the others. Only who holds
 * the main GIL can make the tree smaller; until then it must not grow too large. */
static status intern(struct stack stack, struct trail *trail, size_t known, uintptr_t address,
                     struct apart_path *found) {
    struct callpaths *paths = tracer_borrow_paths(&the_tracer, address);
    if (paths == NULL)
        return STATUS_INVALID;
    if (trail != NULL && (trail->tree != paths->serial || tracer_frames_are_one(&the_tracer)))
        known = 0;
    struct growth path = {paths, trail, known, known != 0 ? trail->stops[known - 1].node : 0};
    status result;
    lock_acquire(&paths->lock);
    if (stack.count == 0)
        result = path_named_locked(paths, PATH_UNKNOWN, &path.node);
    else if (collect_is_overdue(&the_tracer, paths))
        result = path_named_locked(paths, PATH_FORGOTTEN, &path.node);
    else
        result = add_frames(&path, &stack);
    lock_release(&paths->lock);
    *found = (struct apart_path){paths->serial, path.node};
    if (trail != NULL) {
        trail->tree = paths->serial;
        trail->count = result == STATUS_OK && path.depth == stack.count ? (uint32_t)stack.count : 0;
    }
    callpaths_release(paths);
    return result;
}

/* By the trail, where the whole path is on it and was not refused before. */
static status find(struct stack stack, struct trail *trail, uintptr_t address, struct apart_path *path) {
    size_t known = trail != NULL ? stack_common(stack, trail) : 0;
    if (known == 0 || known < stack.count || trail->stops[known - 1].node == 0 || trail->tree == path->tree)
        return intern(stack, trail, known, address, path);
    *path = (struct apart_path){trail->tree, trail->stops[known - 1].node};
    return STATUS_OK;
}

status apart_capture(PyThreadState *thread, uintptr_t address, struct apart_path *path) {
    struct stack stack = stack_of(thread);
    struct trail *trail = thread != NULL && stack.count <= TRAIL_MOST ? trail_enter(thread) : NULL;
    status result = find(stack, trail, address, path);
    trail_leave(trail);
    if (result != STATUS_OK && result != STATUS_INVALID)
        tracer_count_lost(&the_tracer);
    return result;
}
