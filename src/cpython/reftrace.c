/* reftrace: CPython's reference tracer, 3.13 and later (reftrace.h; newref.c stands in before). Under the GIL. */
#include "reftrace.h"

#if HAVE_REF_TRACER

#include "hooks.h"
#include "symhook.h"

#include <string.h>

/* Whoever is called on: who was there before us, or came later; borrowed, as CPython keeps them. Who finds us in the slot
 * and puts us back there later gets the others back that were called on then: our `data` is their number. [0] is who was
 * there before us, if anybody. */
enum { MOST_OTHERS = 16 };
static struct other {
    PyRefTracer tracer; /* NULL: nobody */
    void *data;
} others[MOST_OTHERS];
static uintptr_t present; /* which of them is called on */

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

/* 3.15 leaves things as they are where an exception is set already; but who puts a tracer back then goes on without it. */
static int call_on(uintptr_t number) {
    PyObject *raised = PyErr_GetRaisedException();
    present = number;
    int result = PyRefTracer_SetTracer(others[number].tracer != NULL ? on_event_chained : on_event,
                                       (void *)number);
    if (raised != NULL)
        PyErr_SetRaisedException(raised);
    return result;
}

/* Where there are too many that never put anything back, the last one is forgotten. */
static int set_tracer(PyRefTracer tracer, void *data) {
    if (is_ours(tracer))
        return call_on((uintptr_t)data);
    uintptr_t number = 0;
    if (tracer != NULL)
        number = present + 1 < MOST_OTHERS ? present + 1 : present;
    others[number] = (struct other){tracer, data};
    return call_on(number);
}

/* Taken away all the same (a call bound at link time), or given back: hooks.c calls this when an object was not
 * announced. */
void reftrace_look_again(void) {
    void *data;
    PyRefTracer now = PyRefTracer_GetTracer(&data);
    if (is_ours(now))
        present = (uintptr_t)data;
    else
        (void)set_tracer(now, data);
}

void reftrace_start(bool patch) {
    void *data;
    PyRefTracer now = PyRefTracer_GetTracer(&data);
    if (!is_ours(now)) { /* else put back by who found us during an earlier run */
        others[0] = (struct other){now, data};
        (void)call_on(0);
    }
    if (patch && symhook_find(&slot, 1))
        symhook_add(&slot, 1);
}

void reftrace_stop(void) {
    void *data;
    symhook_remove(&slot, 1);
    if (is_ours(PyRefTracer_GetTracer(&data)))
        PyRefTracer_SetTracer(others[(uintptr_t)data].tracer, others[(uintptr_t)data].data);
    memset(others, 0, sizeof others);
    present = 0;
}

bool reftrace_works(void) {
    void *data;
    return is_ours(PyRefTracer_GetTracer(&data));
}

#endif
