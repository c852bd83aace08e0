/* reftrace: CPython's reference tracer, 3.13 and later (reftrace.h; newref.c stands in before). Under the GIL. */
#include "reftrace.h"

#if HAVE_REF_TRACER

#include "hooks.h"
#include "symhook.h"

#include <string.h>

/* Whoever is called on: who was there before us, or came later; borrowed, as CPython keeps them. Each has a place for as
 * long as we trace, and our `data` is its number: so who finds us in the slot and puts us back there later gets the one back
 * that was called on then. [0] is nobody; those who find no place share the last one, which cannot be put back. */
enum { PLACES = 16, SHARED = PLACES - 1 };
static struct other {
    PyRefTracer tracer; /* NULL: nobody */
    void *data;
} others[PLACES];

/* Destruction is not looked at: a block's end is when it is freed. */
static int on_event(PyObject *object, PyRefTracerEvent event, void *data) {
    (void)data;
    return event == PyRefTracer_CREATE ? hooks_object_made(object) : 0;
}

/* The same, and hands on what is about objects: 3.15 tells a tracer when it loses the slot, which those that are called
 * on have been told already. */
static int on_event_chained(PyObject *object, PyRefTracerEvent event, void *data) {
    const struct other *other = &others[(uintptr_t)data];
    (void)on_event(object, event, data);
    if (event != PyRefTracer_CREATE && event != PyRefTracer_DESTROY)
        return 0;
    return other->tracer != NULL ? other->tracer(object, event, other->data) : 0;
}

static bool is_ours(PyRefTracer tracer) { return tracer == on_event || tracer == on_event_chained; }

/* --- somebody else wants the one slot: where libpython's own calls can be seen, they get second place at once ----- */

static int set_tracer(PyRefTracer tracer, void *data);

static struct symhook slot = {"PyRefTracer_SetTracer", 0, (uintptr_t)set_tracer, false};

static uintptr_t place_of(PyRefTracer tracer, void *data) {
    uintptr_t place = 0;
    if (tracer == NULL)
        return 0;
    do
        place++;
    while (place < SHARED && others[place].tracer != NULL &&
           (others[place].tracer != tracer || others[place].data != data));
    others[place] = (struct other){tracer, data};
    return place;
}

/* 3.15 leaves things as they are where an exception is set already; but who puts a tracer back then goes on without it. */
static int set_tracer(PyRefTracer tracer, void *data) {
    uintptr_t place = is_ours(tracer) ? (uintptr_t)data : place_of(tracer, data);
    if (is_ours(tracer) && place == SHARED)
        place = 0;
    PyObject *raised = PyErr_GetRaisedException();
    int result = PyRefTracer_SetTracer(others[place].tracer != NULL ? on_event_chained : on_event,
                                       (void *)place);
    if (raised != NULL)
        PyErr_SetRaisedException(raised);
    return result;
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
        PyRefTracer_SetTracer(others[(uintptr_t)data].tracer, others[(uintptr_t)data].data);
    memset(others, 0, sizeof others);
}

bool reftrace_works(void) {
    void *data;
    return is_ours(PyRefTracer_GetTracer(&data));
}

#endif
