/* newref: before 3.13: objects out of free lists seen through libpython's own import slot of _Py_NewReference.
 *
 * A shared libpython that was built without -fno-semantic-interposition calls its exported _Py_NewReference through a
 * slot of its own. That slot, and those of extension modules, are sent here (symhook.h). Whether it works is not
 * assumed but tried: an object must be announced when libpython makes one. A static interpreter, or a libpython that
 * binds the call at link time, has no such slot: then reftrace_works() is false. With the GIL. */
#include "reftrace.h"

#if !HAVE_REF_TRACER

#include "hooks.h"
#include "symhook.h"

static void (*new_reference)(PyObject *);
static void (*new_reference_no_total)(PyObject *); /* 3.12: for resized objects */
static bool working;
static unsigned long announced;

static void on_new_reference(PyObject *object) {
    new_reference(object);
    announced++;
    (void)hooks_object_made(object);
}

static void on_new_reference_no_total(PyObject *object) {
    new_reference_no_total(object);
    (void)hooks_object_made(object);
}

static struct symhook slots[] = {
    {"_Py_NewReference", 0, (uintptr_t)on_new_reference, false},
    {"_Py_NewReferenceNoTotal", 0, (uintptr_t)on_new_reference_no_total, false}, /* from 3.12 on */
};
enum { SLOT_COUNT = sizeof slots / sizeof slots[0] };

static bool find_originals(void) {
    (void)symhook_find(slots, SLOT_COUNT);
    new_reference = (void (*)(PyObject *))slots[0].original;
    new_reference_no_total = (void (*)(PyObject *))slots[1].original;
    return new_reference != NULL;
}

/* Objects of several kinds, each made by libpython itself. */
static bool try_it(void) {
    PyObject *made[] = {PyFloat_FromDouble(0.5), PyList_New(0), PyDict_New(),
                        PyBytes_FromStringAndSize(NULL, 77)};
    enum { KINDS = sizeof made / sizeof made[0] };
    bool all = true;
    for (size_t i = 0; i < KINDS; i++) {
        all = all && made[i] != NULL;
        Py_XDECREF(made[i]);
    }
    PyErr_Clear();
    return all && announced >= KINDS;
}

void reftrace_start(bool patch) {
    if (!patch || working || !find_originals())
        return;
    announced = 0;
    symhook_add(slots, SLOT_COUNT);
    working = try_it();
    if (!working)
        symhook_remove(slots, SLOT_COUNT);
}

void reftrace_stop(void) {
    if (working)
        symhook_remove(slots, SLOT_COUNT);
    working = false;
}

void reftrace_look_again(void) {}

bool reftrace_works(void) { return working; }

#endif
