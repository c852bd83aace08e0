/* tracking_library: a shared library that is no extension, and reports blocks all the same; loaded by C code.
 *
 * Used by the tests only. WHICH tells its copies apart. */
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>

#ifndef WHICH
#define WHICH 1
#endif

extern int PyTraceMalloc_Track(unsigned int, uintptr_t, size_t);
extern int PyTraceMalloc_Untrack(unsigned int, uintptr_t);
int library_track(unsigned int domain, uintptr_t address, size_t size);
int library_next(unsigned int domain, uintptr_t address, size_t size);
int library_which(unsigned int domain, uintptr_t address, size_t size);

int library_track(unsigned int domain, uintptr_t address, size_t size) {
    return PyTraceMalloc_Track(domain, address, size);
}

int library_which(unsigned int domain, uintptr_t address, size_t size) { return WHICH; }

/* The next library's answer: dlsym looks at who calls it. -1: there is none. */
int library_next(unsigned int domain, uintptr_t address, size_t size) {
    int (*next)(unsigned int, uintptr_t,
                size_t) = (int (*)(unsigned int, uintptr_t, size_t))dlsym(RTLD_NEXT, "library_which");
    int answer = next != NULL ? next(domain, address, size) : -1;
    return answer;
}
