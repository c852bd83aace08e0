/* threadstate: which thread is calling? One load instead of a call through __tls_get_addr.
 *
 * CPython 3.12 and later keep the attached thread state in a thread-local variable that libpython does not export.
 * Where libpython's thread-local block is a static one (always, unless an application loads libpython at run time),
 * the variable lies at the same distance from every thread's pointer. threadstate_init finds that distance and
 * proves it; where it cannot, CPython is asked each time.
 */
#ifndef MEMTALLY_THREADSTATE_H
#define MEMTALLY_THREADSTATE_H

#include "compat.h"

/* Distance from the thread pointer, in bytes; 0: ask CPython. Written once, by threadstate_init. */
extern ours_only intptr_t threadstate_distance;

/* With the GIL, before the hooks are installed. Cannot fail: at worst the distance stays 0. */
void threadstate_init(void);

/* The calling thread's attached thread state, or NULL. On 3.11: of the thread that holds the GIL. */
hot_inline PyThreadState *threadstate_get(void) {
#if defined(__x86_64__) && defined(__linux__) && HAVE_THREAD_LOCAL_STATE
    if (likely(threadstate_distance != 0)) {
        PyThreadState *state;
        __asm__ volatile("movq %%fs:(%1), %0" : "=r"(state) : "r"(threadstate_distance));
        return state;
    }
#endif
    return attached_thread_state();
}

/* The same for a thread that may not hold any GIL. */
static inline PyThreadState *threadstate_get_detached(void) {
#if HAVE_THREAD_LOCAL_STATE
    return threadstate_get();
#else
    return attached_thread_state_exact();
#endif
}

/* The same for comparing with a state that is known: where the distance is not known, something that equals none. */
hot_inline const void *threadstate_near(void) {
#if defined(__x86_64__) && defined(__linux__) && HAVE_THREAD_LOCAL_STATE
    const void *state; /* at distance 0 lies the thread pointer itself */
    __asm__ volatile("movq %%fs:(%1), %0" : "=r"(state) : "r"(threadstate_distance));
    return state;
#else
    return attached_thread_state();
#endif
}

#endif
