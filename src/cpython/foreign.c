/* foreign: stands in for libpython's PyTraceMalloc_Track and its like (foreign.h). */
#include "foreign.h"

#include "../types/engine.h"
#include "capture.h"
#include "hooks.h"
#include "report.h"
#include "symhook.h"

#include <string.h>

static int track(unsigned int domain, uintptr_t address, size_t size);
static int untrack(unsigned int domain, uintptr_t address);
static PyObject *get_traceback(unsigned int domain, uintptr_t address);

/* Callers that dlsym gave ours to keep it after the end: ours then only calls on. */
static struct symhook slots[] = {
    {"PyTraceMalloc_Track", 0, (uintptr_t)track, true},
    {"PyTraceMalloc_Untrack", 0, (uintptr_t)untrack, true},
    {"_PyTraceMalloc_GetTraceback", 0, (uintptr_t)get_traceback, true},
};
enum { GET_TRACEBACK = 2, SLOT_COUNT };
static bool found; /* the first two */

/* --- both tracers' ---------------------------------------------------------------------------------------------------- */

/* Who does not trace has no say; of those who do, the one that failed has. */
static int both(int ours, int standard) {
    if (ours == REPORT_NOT_TRACING || standard == REPORT_NOT_TRACING)
        return ours == REPORT_NOT_TRACING ? standard : ours;
    return ours != 0 ? ours : standard;
}

/* From 3.13 on the standard PyTraceMalloc_Track waits for the GIL even while it is off. Untrack never does, and says
 * whether it is; that the block is unknown to it then makes no difference, since it is replaced. */
static int track(unsigned int domain, uintptr_t address, size_t size) {
    int ours = report_track(domain, address, size);
    int standard = PyTraceMalloc_Untrack(domain, address);
    if (standard != REPORT_NOT_TRACING)
        standard = PyTraceMalloc_Track(domain, address, size);
    return both(ours, standard);
}

static int untrack(unsigned int domain, uintptr_t address) {
    int ours = report_untrack(domain, address);
    return both(ours, PyTraceMalloc_Untrack(domain, address));
}

/* A tuple of (file name, line), the most recent frame first. */
static PyObject *frames_of(const struct callpaths *paths, uint32_t node) {
    Py_ssize_t count = (Py_ssize_t)path_frames(paths, node, (uint32_t)engine_limit());
    PyObject *frames = PyTuple_New(count);
    for (Py_ssize_t i = 0; i < count && frames != NULL; i++) {
        const struct site *site = site_get(paths, node_get(paths, node)->site);
        struct string name = strtab_get(&paths->strings, site->file);
        PyObject *file = PyUnicode_DecodeUTF8(name.bytes, (Py_ssize_t)name.length, "surrogatepass");
        PyObject *frame = file != NULL ? Py_BuildValue("(NI)", file, site->line) : NULL;
        if (frame == NULL)
            Py_CLEAR(frames);
        else
            PyTuple_SET_ITEM(frames, i, frame);
        node = node_get(paths, node)->parent;
    }
    return frames;
}

/* With a GIL: the main one, or another interpreter's, in which the answer is the standard tracer's. */
static PyObject *get_traceback(unsigned int domain, uintptr_t address) {
    PyObject *(*standard)(
        unsigned int, uintptr_t) = (PyObject * (*)(unsigned int, uintptr_t)) slots[GET_TRACEBACK].original;
    struct found block;
    if (!hooks_caller().joint || !engine_find_block(domain, address, &block))
        return standard(domain, address);
    PyObject *frames = frames_of(block.paths, block.node);
    callpaths_release(block.paths);
    return frames;
}

/* --- start and stop --------------------------------------------------------------------------------------------------- */

void foreign_start(bool patch) {
    if (!patch)
        return;
    found = symhook_find(slots, GET_TRACEBACK);
    (void)symhook_find(&slots[GET_TRACEBACK], 1);
    symhook_add(slots, SLOT_COUNT);
}

void foreign_stop(void) { symhook_remove(slots, SLOT_COUNT); }

PyObject *foreign_capability(bool patch) {
    const char *module;
    int error = symhook_refusal(&module);
    if (!patch)
        return PyUnicode_FromString("MEMTALLY_SAFE is set: import tables are not written to");
    if (!found)
        return PyUnicode_FromString("this interpreter exports no PyTraceMalloc_Track: what is linked into it "
                                    "calls its own directly");
    if (error != 0)
        return PyUnicode_FromFormat("the import table of %s cannot be written to (%s)", module,
                                    strerror(error));
    return Py_NewRef(Py_True);
}
