/* report: what extensions report finds its call path, with the main GIL or without (report.h). */
#include "report.h"

#include "capture.h"
#include "hooks.h"

/* The call tree may be replaced while this thread looks for its path (collect.h): then it looks again. */
static status track_apart(PyThreadState *thread, unsigned int domain, uintptr_t address, size_t size) {
    struct callpaths *paths;
    status result = STATUS_INVALID;
    while (result == STATUS_INVALID && (paths = tracer_borrow_paths(&the_tracer)) != NULL) {
        uint32_t node;
        result = capture_apart(thread, paths, tracer_frames_are_one(&the_tracer), &node);
        if (result == STATUS_OK)
            result = tracer_track(&the_tracer, false, paths, domain, address, size, node);
        else
            tracer_count_lost(&the_tracer);
        callpaths_release(paths);
    }
    return result;
}

static status track_joint(PyThreadState *thread, unsigned int domain, uintptr_t address, size_t size) {
    uint32_t tally = hooks_tally_now(thread);
    if (tally != 0)
        return tracer_track(&the_tracer, true, the_tracer.paths, domain, address, size,
                            the_tracer.ledger.tallies[tally].node);
    tracer_count_lost(&the_tracer);
    return STATUS_NOMEM;
}

bool report_is_wanted(void) { return __atomic_load_n(&the_tracer.active, __ATOMIC_RELAXED); }

int report_track(unsigned int domain, uintptr_t address, size_t size) {
    if (!report_is_wanted())
        return REPORT_NOT_TRACING;
    struct caller caller = hooks_caller();
    status result = caller.joint ? track_joint(caller.thread, domain, address, size)
                                 : track_apart(caller.thread, domain, address, size);
    if (result == STATUS_INVALID)
        return REPORT_NOT_TRACING; /* since a moment ago */
    return result == STATUS_OK ? REPORT_OK : REPORT_NO_MEMORY;
}

int report_untrack(unsigned int domain, uintptr_t address) {
    if (!report_is_wanted())
        return REPORT_NOT_TRACING;
    tracer_untrack(&the_tracer, hooks_caller().joint, domain, address);
    return REPORT_OK;
}
