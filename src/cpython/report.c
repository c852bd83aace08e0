/* report: what extensions report finds its call path, with the main GIL or without (report.h). */
#include "report.h"

#include "apart.h"
#include "capture.h"
#include "hooks.h"

static status track_apart(PyThreadState *thread, unsigned int domain, uintptr_t address, size_t size) {
    struct apart_path path = {0};
    status result;
    do {
        result = apart_capture(thread, address, &path);
        if (result != STATUS_OK)
            return result;
        result = tracer_track(&the_tracer, false, path.tree, domain, address, size, path.node);
    } while (result == STATUS_INVALID);
    return result;
}

static status track_joint(PyThreadState *thread, unsigned int domain, uintptr_t address, size_t size) {
    uint32_t tally = hooks_tally_now(thread);
    if (tally != 0)
        return tracer_track(&the_tracer, true, the_tracer.paths->serial, domain, address, size,
                            ledger_node(&the_tracer.ledger, tally));
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
