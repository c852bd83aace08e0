/* capture: slow ways to a call path (capture.h); the fast ones are inlined into the hooks from walk_frames.h. The main
 * partition's parts run under the main GIL; capture_apart runs in any thread, on its own frames. */
#include "walk_frames.h"

#include "../core/walk_slow.h"

static struct walk_stack scratch; /* under the main GIL */
static bool marks_allowed = true; /* the same */

out_of_line uint32_t capture_slow(PyThreadState *thread) {
    FRAME *top = frame_top(thread);
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

static status unknown_node_locked(struct callpaths *paths, uint32_t *node) {
    static const char name[] = "<unknown>";
    struct site site = {0};
    uint32_t id = 0;
    status result = strtab_intern(&paths->strings, name, sizeof name - 1, &site.file);
    if (result == STATUS_OK)
        result = site_intern_locked(paths, &site, &id);
    return result == STATUS_OK ? node_intern_locked(paths, 0, id, 1, node) : result;
}

status capture_apart(PyThreadState *thread, struct callpaths *paths, bool one, uint32_t *node) {
    enum { FEW = 256 };
    FRAME *few[FEW], **frames = few;
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
        result = unknown_node_locked(paths, &apart.node);
    while (i-- > 0 && result == STATUS_OK)
        result = add_frame_locked(&apart, frames[i], i == 0);
    lock_release(&paths->lock);
    if (frames != few)
        vmem_unmap(&the_tracer.memory, frames, count * sizeof *frames);
    *node = apart.node;
    return result;
}
