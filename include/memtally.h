/* memtally.h: report an extension's memory to memtally, and ask where it was allocated. All of it is in this file.
 *
 *     static int exec(PyObject *module) { return Memtally_Import(); }      the module's Py_mod_exec
 *
 *     block = take(size);      Memtally_Track(MY_DOMAIN, block, size);      after it was allocated
 *     Memtally_Untrack(MY_DOMAIN, block);      give_back(block);            before it is freed
 *
 * Nothing is linked, and memtally is neither imported nor needed. Whether it comes before the extension, after it, or
 * never: one Memtally_Import is enough, in one source file, and until memtally is there a call is two loads and a branch.
 *
 *     your extension --> slot, one a process <-- memtally, when it is imported, writes the address of its functions here
 *
 * A domain is a number of your own (not 0, Python's memory): choose one at random, and tell your users. In it an address
 * is a block of its own; tracking it again replaces it, untracking what is unknown does nothing. Nothing is read there.
 *
 * Threads: Memtally_Import needs the GIL; all others may be called by any thread, with or without a GIL, but not by a
 * signal handler. None waits for the GIL, raises, runs Python code, or changes errno. After stop(), while Python shuts
 * down and when it has ended they may be called as before. More: docs/c-api.md.
 *
 * C11 or C++17, gcc or clang, CPython 3.9 and later, also with Py_LIMITED_API; elsewhere, or where MEMTALLY_DISABLE is
 * defined, the same functions are there and say MEMTALLY_ABSENT.
 */
#ifndef MEMTALLY_H
#define MEMTALLY_H

#include <Python.h>

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#if !defined(__GNUC__) || defined(_WIN32) || defined(PYPY_VERSION) || defined(Py_GIL_DISABLED)
#define MEMTALLY_DISABLE
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What the functions answer. */
enum {
    MEMTALLY_OK = 0,
    MEMTALLY_NO_MEMORY = -1,   /* none for the trace: the block is not traced; or for the answer */
    MEMTALLY_NOT_TRACING = -2, /* memtally is there, and does not trace now */
    MEMTALLY_ABSENT = -3,      /* nobody has imported memtally */
    MEMTALLY_NOT_FOUND = -4,   /* the domain has no block at this address */
    MEMTALLY_NEEDS_GIL = -5    /* only who holds the main interpreter's GIL can ask for blocks of domain 0 */
};

/* A call on the way to a block. Strings are UTF-8, end with NUL, and are never NULL; surrogates that stand alone are
 * encoded like other code points. */
typedef struct {
    const char *file;     /* "<unknown>": no Python code was running in the thread */
    const char *function; /* qualified name; "" where it is not known */
    unsigned int line;    /* counted from 1; 0: not known */
} Memtally_Frame;

/* One piece of memory, frames and strings included: the caller's, until Memtally_FreeTraceback. */
typedef struct {
    size_t size;                  /* the block's, bytes */
    unsigned int depth;           /* frames that the stack had, 65535 at most */
    unsigned int count;           /* frames that are here: at most what memtally.start() was told to keep */
    const Memtally_Frame *frames; /* the most recent first: frames[0] is the line that allocated */
} Memtally_Traceback;

/* memtally's functions, also in the capsule "memtally._core._C_API". Of the same `version` a longer one has more at its
 * end: before a function that came later is used, `size` must be looked at. */
typedef struct {
    uint32_t version; /* MEMTALLY_API_VERSION */
    uint32_t size;    /* bytes */
    int (*track)(unsigned int domain, uintptr_t address, size_t size);
    int (*untrack)(unsigned int domain, uintptr_t address);
    int (*is_tracing)(void);
    int (*find_traceback)(unsigned int domain, uintptr_t address, Memtally_Traceback **found);
    void (*free_traceback)(Memtally_Traceback *traceback);
} Memtally_API;

#define MEMTALLY_API_VERSION 1

/* Where extensions and memtally meet: a capsule of this name in the main interpreter's dict. It is never freed, so that
 * late calls find it; `api` is NULL until memtally is imported, and does not change afterwards. */
#define MEMTALLY_SLOT_NAME "memtally.slot.1"
typedef struct {
    const Memtally_API *api; /* atomic: written with release, read with acquire */
} Memtally_Slot;

#ifdef MEMTALLY_DISABLE

static inline int Memtally_Import(void) { return 0; }
static inline const Memtally_API *Memtally_GetAPI(void) { return NULL; }

#else

/* This extension's, one for all its source files, and nobody else's. Atomic as above. */
extern Memtally_Slot *Memtally_slot __attribute__((weak, visibility("hidden")));
Memtally_Slot *Memtally_slot;

static inline int Memtally_MakeSlot(PyObject *dict) {
    PyObject *capsule;
    int result;
    Memtally_Slot *slot = Memtally_slot;
    if (slot == NULL && (slot = (Memtally_Slot *)calloc(1, sizeof *slot)) == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    capsule = PyCapsule_New(slot, MEMTALLY_SLOT_NAME, NULL);
    result = capsule == NULL ? -1 : PyDict_SetItemString(dict, MEMTALLY_SLOT_NAME, capsule);
    Py_XDECREF(capsule);
    if (result == 0)
        __atomic_store_n(&Memtally_slot, slot, __ATOMIC_RELEASE);
    else if (slot != Memtally_slot)
        free(slot);
    return result;
}

/* To be called where the extension's module is executed, with the GIL; again does no harm. 0, whether memtally is there
 * or not; -1 with an exception set (no memory). Does nothing in other interpreters than the main one, where memtally
 * cannot be imported; an extension that the main one has imported is connected in all of them. */
static inline int Memtally_Import(void) {
    PyObject *dict, *capsule;
    Memtally_Slot *slot;
    if (PyInterpreterState_GetID(PyInterpreterState_Get()) != 0)
        return 0;
    dict = PyInterpreterState_GetDict(PyInterpreterState_Get()); /* borrowed */
    if (dict == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    capsule = PyDict_GetItemString(dict, MEMTALLY_SLOT_NAME); /* borrowed */
    if (capsule == NULL)
        return Memtally_MakeSlot(dict);
    slot = (Memtally_Slot *)PyCapsule_GetPointer(capsule, MEMTALLY_SLOT_NAME);
    if (slot == NULL)
        return -1;
    __atomic_store_n(&Memtally_slot, slot, __ATOMIC_RELEASE);
    return 0;
}

/* memtally's functions; NULL while it is absent. */
static inline const Memtally_API *Memtally_GetAPI(void) {
    Memtally_Slot *slot = __atomic_load_n(&Memtally_slot, __ATOMIC_ACQUIRE);
    return slot == NULL ? NULL : __atomic_load_n(&slot->api, __ATOMIC_ACQUIRE);
}

#endif

/* A block of `size` bytes is there, allocated by the Python code that runs in this thread. Call it when the block has
 * been allocated. MEMTALLY_OK, _NO_MEMORY, _NOT_TRACING or _ABSENT; who does not care may ignore that. */
static inline int Memtally_Track(unsigned int domain, const void *block, size_t size) {
    const Memtally_API *api = Memtally_GetAPI();
    return api == NULL ? MEMTALLY_ABSENT : api->track(domain, (uintptr_t)block, size);
}

/* The block ends. Call it before the memory is freed: afterwards the address may be another thread's already.
 * MEMTALLY_OK, also where the domain has no such block; _NOT_TRACING or _ABSENT. */
static inline int Memtally_Untrack(unsigned int domain, const void *block) {
    const Memtally_API *api = Memtally_GetAPI();
    return api == NULL ? MEMTALLY_ABSENT : api->untrack(domain, (uintptr_t)block);
}

/* Is there anybody to report to? 1 or 0; it may be over a moment later. */
static inline int Memtally_IsTracing(void) {
    const Memtally_API *api = Memtally_GetAPI();
    return api == NULL ? 0 : api->is_tracing();
}

/* Where was this block, which begins at `block`, allocated? MEMTALLY_OK: *found is the caller's, to be freed by
 * Memtally_FreeTraceback. All others leave it NULL: _NOT_FOUND, _NO_MEMORY, _NOT_TRACING, _ABSENT, and _NEEDS_GIL for
 * domain 0 without the main GIL. */
static inline int Memtally_FindTraceback(unsigned int domain, const void *block, Memtally_Traceback **found) {
    const Memtally_API *api = Memtally_GetAPI();
    *found = NULL;
    return api == NULL ? MEMTALLY_ABSENT : api->find_traceback(domain, (uintptr_t)block, found);
}

/* NULL is allowed. Any thread. */
static inline void Memtally_FreeTraceback(Memtally_Traceback *traceback) {
    const Memtally_API *api = Memtally_GetAPI();
    if (traceback != NULL && api != NULL)
        api->free_traceback(traceback);
}

#ifdef __cplusplus
}
#endif

#endif
