/* capture: slow ways to a call path (capture.h); the fast ones are inlined into the hooks from walk_frames.h. Under the
 * main GIL. */
#include "walk_frames.h"

#include "../core/collect.h"
#include "../core/rest.h"
#include "../core/walk_slow.h"

static struct walk_stack scratch; /* under the main GIL */
static bool marks_allowed = true; /* the same */

out_of_line uint32_t capture_slow(PyThreadState *thread) {
    FRAME *top = frame_top(thread), *begun = walk_begun(top);
    /* A trace function may send the frame that it traces to another line: frames above that one stay unmarked, so
     * that the walk always comes down to it and looks. */
    the_tracer.may_mark = marks_allowed && thread->tracing == 0;
    if (begun != NULL) {
        uint32_t tally = walk_begun_known(&the_tracer, top, begun);
        if (likely(tally != 0))
            return tally;
    }
    /* Where one of these is due nothing was made above, and no id is at hand here. */
    collect_if_due(&the_tracer);
    rest_if_due(&the_tracer);
    return walk_any(&the_tracer, begun, &scratch);
}

void capture_allow_marks(bool allowed) { marks_allowed = allowed; }
bool capture_has_marks(void) { return marks_allowed; }

void capture_reset(void) {
    region_fini(&scratch.region);
    scratch.count = 0;
}
