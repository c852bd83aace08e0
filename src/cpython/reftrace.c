/* reftrace: CPython's reference tracer, and what stands in for it before 3.13 (reftrace.h). Under the GIL. */
#include "reftrace.h"
#include "hooks.h"

#if HAVE_REF_TRACER

/* Whoever was there before us; borrowed, as CPython keeps them. */
static PyRefTracer earlier;
static void *earlier_data;

/* Destruction is not looked at: a block's end is when it is freed. Events of later versions are only handed on. */
static int on_event(PyObject *object, PyRefTracerEvent event, void *data) {
    (void)data;
    if (event == PyRefTracer_CREATE)
        hooks_object_made(object);
    return earlier != NULL ? earlier(object, event, earlier_data) : 0;
}

void reftrace_start(void) {
    void *data;
    PyRefTracer now = PyRefTracer_GetTracer(&data);
    if (now == on_event)
        return;
    earlier = now;
    earlier_data = data;
    PyRefTracer_SetTracer(on_event, NULL);
}

void reftrace_stop(void) {
    void *data;
    if (PyRefTracer_GetTracer(&data) == on_event)
        PyRefTracer_SetTracer(earlier, earlier_data);
}

bool reftrace_works(void) {
    void *data;
    return PyRefTracer_GetTracer(&data) == on_event;
}

#else

void reftrace_start(void) {}
void reftrace_stop(void) {}
bool reftrace_works(void) { return false; }

#endif
