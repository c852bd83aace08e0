/* lifecycle: start, stop, fork, the end of the interpreter; and engine.h, what the module sees of all this.
 *
 *   never started --start--> tracing --stop--> stopped --start--> tracing ...
 *
 * Hooks are installed before tracing begins and removed after it ends; a call that comes in between passes through.
 * Nothing is freed that a late hook may touch: the_tracer and its side's locks live as long as the process.
 * At interpreter exit nothing is stopped: objects' finalisers may still want their tracebacks, and what the tracer
 * holds is its own. All calls with the main interpreter's GIL, but for the fork handlers. */
#include "../core/freeze.h"
#include "../types/engine.h"

#include "capi.h"
#include "capture.h"
#include "foreign.h"
#include "hooks.h"
#include "reftrace.h"
#include "resident.h"
#include "symhook.h"
#include "threadstate.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct tracer the_tracer;

static struct vmem snapshot_memory; /* the account of snapshots: not the tracer's own memory */
static int limit = 1;
static bool patching;           /* import tables may be written to, since the last start */
static unsigned long long gaps; /* times that another tracer took our hooks away */

/* --- fork: no lock may be held by a thread that does not exist in the child --------------------------------------- */

static void before_fork(void) {
    symhook_before_fork();
    side_lock_all(&the_tracer.side);
    if (the_tracer.paths != NULL)
        lock_acquire(&the_tracer.paths->lock);
}

static void after_fork(void) {
    if (the_tracer.paths != NULL)
        lock_release(&the_tracer.paths->lock);
    side_unlock_all(&the_tracer.side);
    symhook_after_fork();
}

/* glibc's pthread_atfork is a few instructions that it links into each module, behind all else, where they keep 32 KB of code
 * in the memory of each traced program that it never runs. So what these call is called here; the Linux Standard Base
 * describes it. */
#if defined(__GLIBC__)
extern int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *module);
extern void *__dso_handle __attribute__((visibility("hidden")));
static int at_fork(void) { return __register_atfork(before_fork, after_fork, after_fork, __dso_handle); }
#else
static int at_fork(void) { return pthread_atfork(before_fork, after_fork, after_fork); }
#endif

int engine_init(PyObject *module) {
    static bool done;
    if (done)
        return capi_publish(module);
    if (!is_compiled_for_this()) {
        PyErr_Format(PyExc_ImportError, "memtally was built for %s, and this is CPython %s", COMPILED_FOR,
                     Py_GetVersion());
        return -1;
    }
    tracer_init(&the_tracer);
    if (at_fork() != 0) {
        PyErr_NoMemory();
        return -1;
    }
    done = true;
    return capi_publish(module);
}

/* --- start and stop ------------------------------------------------------------------------------------------------ */

static bool environment_is_ignored(void) {
    PyObject *flags = PySys_GetObject("flags"); /* borrowed */
    PyObject *ignored = flags != NULL ? PyObject_GetAttrString(flags, "ignore_environment") : NULL;
    bool result = ignored != NULL && PyObject_IsTrue(ignored) == 1;
    Py_XDECREF(ignored);
    PyErr_Clear();
    return result;
}

/* An environment variable; NULL: not set, empty, or to be ignored (-E, -I). */
static const char *variable(const char *name) {
    const char *value = getenv(name);
    return value == NULL || value[0] == '\0' || environment_is_ignored() ? NULL : value;
}

/* MEMTALLY_SAFE=1: nothing of the interpreter's own is written to, no frame and no import table; the slower ways are
 * taken. Read at each start. */
static bool be_safe(void) {
    const char *value = variable("MEMTALLY_SAFE");
    return value != NULL && strcmp(value, "0") != 0;
}

/* MEMTALLY_PATHS: up to how many nodes the call tree is never collected (collect.h). */
static int read_collect_least(uint32_t *least) {
    const char *text = variable("MEMTALLY_PATHS");
    if (text == NULL)
        return 0;
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || number == 0 || number > TALLY_MASK) {
        PyErr_Format(PyExc_ValueError, "MEMTALLY_PATHS must be a number from 1 to %u, not '%s'", TALLY_MASK,
                     text);
        return -1;
    }
    *least = (uint32_t)number;
    return 0;
}

int engine_start(int nframe) {
    if (the_tracer.active)
        return 0;
    if (read_collect_least(&the_tracer.collect_least) < 0)
        return -1;
    bool safe = be_safe();
    patching = !safe;
    capture_allow_marks(!safe);
    threadstate_init();
    (void)hooks_install(!safe);
    if (tracer_start(&the_tracer, (uint32_t)nframe) != STATUS_OK) {
        hooks_remove();
        PyErr_NoMemory();
        return -1;
    }
    limit = nframe;
    reftrace_start(!safe);
    foreign_start(!safe);
    resident_trim();
    return 0;
}

void engine_stop(void) {
    if (!the_tracer.active)
        return;
    foreign_stop();
    reftrace_stop();
    tracer_stop(&the_tracer);
    capture_reset();
    hooks_remove();
}

bool engine_is_tracing(void) { return the_tracer.active; }

int engine_limit(void) { return limit; }

int engine_clear(void) {
    if (!the_tracer.active || tracer_clear(&the_tracer) == STATUS_OK)
        return 0;
    /* No memory for empty tables: tracing has ended. */
    foreign_stop();
    reftrace_stop();
    hooks_remove();
    PyErr_NoMemory();
    return -1;
}

/* Another tracer that was there before us takes our hooks away with its own when it stops: put them back, and say that
 * something was missed. Blocks that are known may have gone, and others have come in their places, from anywhere: so none
 * are kept until the next start. */
static int mind_the_gap(void) {
    if (!the_tracer.active || hooks_on_top() || !hooks_install(false))
        return 0;
    gaps++;
    return PyErr_WarnEx(PyExc_RuntimeWarning,
                        "another tracer had removed memtally's allocator hooks: what was allocated or freed "
                        "meanwhile was not seen",
                        1);
}

/* --- questions ------------------------------------------------------------------------------------------------------ */

void engine_reset_peak(void) {
    if (the_tracer.active)
        tracer_reset_peak(&the_tracer);
}

void engine_memory(uint64_t *current, uint64_t *peak) {
    *current = *peak = 0;
    if (the_tracer.active)
        tracer_memory(&the_tracer, current, peak);
}

size_t engine_own_memory(void) { return vmem_bytes(&the_tracer.memory); }

int engine_freeze(const bool wanted[VIEW_COUNT], struct moment *moment) {
    symhook_look_again(); /* modules that came without a word */
    if (mind_the_gap() < 0)
        return -1;
    if (tracer_freeze_views(&the_tracer, &snapshot_memory, wanted, moment) == STATUS_OK)
        return 0;
    PyErr_NoMemory();
    return -1;
}

bool engine_find_block(uint32_t domain, uintptr_t address, struct found *found) {
    return tracer_find_block(&the_tracer, true, domain, address, found);
}

bool engine_find_object(PyObject *object, struct found *found) {
    return engine_find_block(DOMAIN_PYTHON, (uintptr_t)object - object_header_size(Py_TYPE(object)), found);
}

int engine_measure_begin(struct measure *measure, means_test is_means) {
    if (!the_tracer.active) {
        PyErr_SetString(PyExc_RuntimeError, "measure() needs tracing: call memtally.start() before");
        return -1;
    }
    measure_begin(&the_tracer, measure, is_means);
    return 0;
}

status engine_measure_read(const struct measure *measure, struct measured *figures, struct kept *kept) {
    status result = measure_read(&the_tracer, measure, figures, kept_add, kept);
    if (result == STATUS_INVALID)
        return result;
    kept->paths = the_tracer.paths;
    callpaths_retain(kept->paths);
    if (result != STATUS_OK) {
        status no_matter = measure_read(&the_tracer, measure, figures, NULL,
                                        NULL); /* the figures need no memory */
        (void)no_matter;
    }
    return result;
}

void engine_measure_end(struct measure *measure) { measure_end(&the_tracer, measure); }

/* While not tracing: what it would be. */
static bool free_lists_are_exact(void) {
    if (the_tracer.active)
        return reftrace_works();
    reftrace_start(!be_safe());
    bool works = reftrace_works();
    reftrace_stop();
    return works;
}

/* The same; True, or why not. New reference. */
static PyObject *foreign_domains(void) {
    if (the_tracer.active)
        return foreign_capability(patching);
    foreign_start(!be_safe());
    PyObject *capability = foreign_capability(!be_safe());
    foreign_stop();
    return capability;
}

PyObject *engine_capabilities(void) {
    bool marks = the_tracer.active ? capture_has_marks() : !be_safe();
    return Py_BuildValue(
        "{sOsNsOsOsOsOsOsOsKsKsK}", "exact_free_lists", free_lists_are_exact() ? Py_True : Py_False,
        "foreign_domains", foreign_domains(), "frame_marks", marks ? Py_True : Py_False, "fast_thread_state",
        threadstate_distance != 0 ? Py_True : Py_False, "exact_lines", jit_is_on() ? Py_False : Py_True,
        "kept_blocks", the_tracer.active && hooks_keep() ? Py_True : Py_False, "direct_pools",
        the_tracer.active && hooks_know_pools() ? Py_True : Py_False, "hooks_on_top",
        the_tracer.active && hooks_on_top() ? Py_True : Py_False, "lost_traces",
        (unsigned long long)the_tracer.lost, "forgotten_paths", (unsigned long long)the_tracer.forgotten,
        "gaps", gaps);
}
