/* capture: slow ways to a call path (capture.h); the fast ones are inlined into the hooks from walk_frames.h. The main
 * partition's parts run under the main GIL; capture_apart runs in any thread, on its own frames. */
#include "walk_frames.h"

#include "../core/collect.h"
#include "../core/walk_slow.h"

static struct walk_stack scratch; /* under the main GIL */
static bool marks_allowed = true; /* the same */

out_of_line uint32_t capture_slow(PyThreadState *thread) {
    FRAME *top = frame_top(thread);
    collect_if_due(&the_tracer);
    /* A trace function may send the frame that it traces to another line: frames above that one stay unmarked, so
     * that the walk always comes down to it and looks. */
    the_tracer.may_mark = marks_allowed && thread->tracing == 0;
    if (top != NULL) {
        uint32_t tally = walk_called(&the_tracer, top);
        if (likely(tally != 0))
            return tally;
    }
    return walk_any(&the_tracer, top, &scratch);
}

void capture_allow_marks(bool allowed) { marks_allowed = allowed; }
bool capture_has_marks(void) { return marks_allowed; }

void capture_reset(void) {
    region_fini(&scratch.region);
    scratch.count = 0;
}

/* --- without the GIL: nothing is remembered from one capture to the next ---------------------------------------- */

struct apart {
    struct callpaths *paths;
    bool one;
    uint32_t node;
    uint32_t depth;
};

static status add_frame_locked(struct apart *apart, const FRAME *f, bool top) {
    apart->depth++;
    if (apart->one && !top)
        return STATUS_OK;
    uint32_t site;
    status result = code_site_locked(apart->paths, frame_code(f), frame_instr(f), &site);
    if (result == STATUS_OK)
        result = node_intern_locked(apart->paths, apart->one ? 0 : apart->node, site, apart->depth,
                                    &apart->node);
    return result;
}

/* Only who holds the main GIL can make the tree smaller; until then it must not grow. */
static cold_path status forgotten_path(struct callpaths *paths, uint32_t *node) {
    lock_acquire(&paths->lock);
    status result = path_named_locked(paths, PATH_FORGOTTEN, node);
    lock_release(&paths->lock);
    return result;
}

status capture_apart(PyThreadState *thread, struct callpaths *paths, bool one, uint32_t *node) {
    enum { FEW = 256 };
    FRAME *few[FEW], **frames = few;
    if (collect_is_overdue(&the_tracer, paths))
        return forgotten_path(paths, node);
    size_t count = 0;
    for (FRAME *f = thread != NULL ? frame_top(thread) : NULL; f != NULL; f = frame_below(f))
        count += frame_complete(f);
    if (count > FEW && (frames = vmem_map(&the_tracer.memory, count * sizeof *frames)) == NULL)
        return STATUS_NOMEM;
    size_t i = 0;
    for (FRAME *f = thread != NULL ? frame_top(thread) : NULL; f != NULL; f = frame_below(f)) {
        if (frame_complete(f))
            frames[i++] = f;
    }
    struct apart apart = {paths, one, 0, 0};
    status result = STATUS_OK;
    lock_acquire(&paths->lock);
    if (count == 0)
        result = path_named_locked(paths, PATH_UNKNOWN, &apart.node);
    while (i-- > 0 && result == STATUS_OK)
        result = add_frame_locked(&apart, frames[i], i == 0);
    lock_release(&paths->lock);
    if (frames != few)
        vmem_unmap(&the_tracer.memory, frames, count * sizeof *frames);
    *node = apart.node;
    return result;
}
