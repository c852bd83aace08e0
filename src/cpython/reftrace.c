/* reftrace: CPython's reference tracer, 3.13 and later (reftrace.h; newref.c stands in before). Under the GIL. */
#include "reftrace.h"

#if HAVE_REF_TRACER

#include "hooks.h"
#include "symhook.h"

/* Whoever is called on: who was there before us, or came later; borrowed, as CPython keeps them. */
static PyRefTracer other;
static void *other_data;

/* Destruction is not looked at: a block's end is when it is freed. */
static int on_event(PyObject *object, PyRefTracerEvent event, void *data) {
    (void)data;
    return event == PyRefTracer_CREATE ? hooks_object_made(object) : 0;
}

/* The same, and hands on what is about objects: 3.15 tells a tracer when it loses the slot, which those that are called
 * on have been told already. */
static int on_event_chained(PyObject *object, PyRefTracerEvent event, void *data) {
    (void)on_event(object, event, data);
    if (event != PyRefTracer_CREATE && event != PyRefTracer_DESTROY)
        return 0;
    return other != NULL ? other(object, event, other_data) : 0;
}

static bool is_ours(PyRefTracer tracer) { return tracer == on_event || tracer == on_event_chained; }

/* --- somebody else wants the one slot: where libpython's own calls can be seen, they get second place at once ----- */

static int set_tracer(PyRefTracer tracer, void *data);

static struct symhook slot = {"PyRefTracer_SetTracer", 0, (uintptr_t)set_tracer, false};

static int set_tracer(PyRefTracer tracer, void *data) {
    other = tracer;
    other_data = data;
    return PyRefTracer_SetTracer(other != NULL ? on_event_chained : on_event, NULL);
}

/* Taken away all the same (a call bound at link time): hooks.c calls this when an object was not announced. */
void reftrace_look_again(void) {
    void *data;
    PyRefTracer now = PyRefTracer_GetTracer(&data);
    if (!is_ours(now))
        (void)set_tracer(now, data);
}

void reftrace_start(bool patch) {
    reftrace_look_again();
    if (patch && symhook_find(&slot, 1))
        symhook_add(&slot, 1);
}

void reftrace_stop(void) {
    void *data;
    symhook_remove(&slot, 1);
    if (is_ours(PyRefTracer_GetTracer(&data)))
        PyRefTracer_SetTracer(other, other_data);
    other = NULL;
}

bool reftrace_works(void) {
    void *data;
    return is_ours(PyRefTracer_GetTracer(&data));
}

#endif
