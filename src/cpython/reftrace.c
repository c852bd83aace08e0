/* reftrace: CPython's reference tracer, 3.13 and later (reftrace.h; newref.c stands in before). Under the GIL. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "reftrace.h"

#if HAVE_REF_TRACER

#include "hooks.h"
#include "symhook.h"

#include <dlfcn.h>

/* Whoever is called on: who was there before us, or came later; borrowed, as CPython keeps them. */
static PyRefTracer other;
static void *other_data;

/* Destruction is not looked at: a block's end is when it is freed. Events of later versions are only handed on. */
static int on_event(PyObject *object, PyRefTracerEvent event, void *data) {
    (void)data;
    if (event == PyRefTracer_CREATE)
        hooks_object_made(object);
    return other != NULL ? other(object, event, other_data) : 0;
}

/* --- somebody else wants the one slot: where libpython's own calls can be seen, they get second place at once ----- */

static int set_tracer(PyRefTracer tracer, void *data) {
    other = tracer;
    other_data = data;
    return 0;
}

static struct symhook slot = {"PyRefTracer_SetTracer", 0, (uintptr_t)set_tracer};

/* Taken away all the same (a call bound at link time): hooks.c calls this when an object was not announced. */
void reftrace_look_again(void) {
    void *data;
    PyRefTracer now = PyRefTracer_GetTracer(&data);
    if (now == on_event)
        return;
    other = now;
    other_data = data;
    int (*set)(PyRefTracer, void *) = (int (*)(PyRefTracer, void *))slot.original;
    set(on_event, NULL);
}

void reftrace_start(void) {
    slot.original = (uintptr_t)dlsym(RTLD_DEFAULT, slot.name);
    reftrace_look_again();
    symhook_apply(&slot, 1, NULL);
}

void reftrace_stop(void) {
    void *data;
    symhook_undo(&slot, 1);
    if (PyRefTracer_GetTracer(&data) == on_event)
        PyRefTracer_SetTracer(other, other_data);
    other = NULL;
}

bool reftrace_works(void) {
    void *data;
    return PyRefTracer_GetTracer(&data) == on_event;
}

#endif
