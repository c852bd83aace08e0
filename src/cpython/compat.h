/* compat: every difference between CPython versions that is not about frames (those are in frames/).
 *
 * Nothing here owns memory. thread_of_this_call may be used by any thread; the rest says so itself.
 */
#ifndef MEMTALLY_COMPAT_H
#define MEMTALLY_COMPAT_H

#include <dlfcn.h>
#include <Python.h>
#include <string.h>

#include "../core/base.h"

#if PY_VERSION_HEX < 0x030B0000
#error "memtally knows CPython 3.11 to 3.15"
#elif PY_VERSION_HEX >= 0x03100000
#error "memtally knows CPython 3.11 to 3.15"
#endif
#ifdef Py_GIL_DISABLED
#error "memtally does not know free-threaded builds of CPython"
#endif

/* The attached thread state is a thread-local variable. */
#define HAVE_THREAD_LOCAL_STATE (PY_VERSION_HEX >= 0x030C0000)

/* PyRefTracer: a public hook that sees objects come out of free lists. */
#define HAVE_REF_TRACER (PY_VERSION_HEX >= 0x030D0000)

/* The thread state attached to the calling thread, or NULL. On 3.11 this is the one of whoever holds the GIL: exact
 * where the calling thread is known to hold it. */
static inline PyThreadState *attached_thread_state(void) {
#if PY_VERSION_HEX >= 0x030D0000
    return PyThreadState_GetUnchecked();
#else
    return _PyThreadState_UncheckedGet();
#endif
}

/* The same for a thread that may not hold any GIL. */
static inline PyThreadState *attached_thread_state_exact(void) {
    PyThreadState *attached = attached_thread_state();
#if PY_VERSION_HEX < 0x030C0000
    /* In 3.11 the GIL's holder may be another thread; one of this thread is known by PyGILState. */
    if (attached != PyGILState_GetThisThreadState())
        return NULL;
#endif
    return attached;
}

/* Bytes in front of an object, in its block: the collector's header and the managed dict and weakrefs. */
static inline size_t object_header_size(PyTypeObject *type) {
    unsigned long flags = type->tp_flags; /* PyType_GetFlags is a call */
    size_t size = flags & Py_TPFLAGS_HAVE_GC ? 2 * sizeof(void *) : 0;
#if PY_VERSION_HEX >= 0x030C0000
    if (flags & (Py_TPFLAGS_MANAGED_DICT | Py_TPFLAGS_MANAGED_WEAKREF))
        size += 2 * sizeof(void *);
#else
    if (flags & Py_TPFLAGS_MANAGED_DICT)
        size += 2 * sizeof(void *);
#endif
    return size;
}

/* Do all three domains go straight to CPython's own allocator, with no hook and no debugging between? It has a name then.
 * The function is exported and not declared everywhere; false where it is not there. With the GIL. */
static inline bool pymalloc_is_alone(void) {
    union {
        void *address;
        const char *(*get)(void);
    } name = {dlsym(RTLD_DEFAULT, "_PyMem_GetCurrentAllocatorName")};
    const char *found = name.address != NULL ? name.get() : NULL;
    return found != NULL && strcmp(found, "pymalloc") == 0;
}

#define COMPILED_FOR "CPython " Py_STRINGIFY(PY_MAJOR_VERSION) "." Py_STRINGIFY(PY_MINOR_VERSION)

/* Is the running CPython of that version? Its structures are laid out the same way then. */
static inline bool is_compiled_for_this(void) { return (Py_Version ^ PY_VERSION_HEX) >> 16 == 0; }

/* Does CPython compile hot code to machine code (3.14 and later, where it was built so and switched on)? It leaves the
 * current instruction of a frame behind then. With the GIL; no exception is left. */
static inline bool jit_is_on(void) {
    PyObject *jit = PySys_GetObject("_jit"); /* borrowed */
    PyObject *enabled = jit != NULL ? PyObject_CallMethod(jit, "is_enabled", NULL) : NULL;
    if (enabled == NULL)
        PyErr_Clear();
    Py_XDECREF(enabled); /* a bool: it outlives this */
    return enabled == Py_True;
}

/* The exception that is set, a new reference; none is set afterwards. */
static inline PyObject *raised_exception(void) {
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
#endif
}

/* An int out of little-endian bytes in two's complement. */
static inline PyObject *long_from_bytes(const unsigned char *bytes, size_t length) {
#if PY_VERSION_HEX >= 0x030D0000
    return PyLong_FromNativeBytes(bytes, length, Py_ASNATIVEBYTES_LITTLE_ENDIAN);
#else
    return _PyLong_FromByteArray(bytes, length, 1, 1);
#endif
}

/* Is this string's data there to be read? (3.11 still has strings that are not.) */
static inline bool unicode_is_ready(PyObject *string) {
#if PY_VERSION_HEX >= 0x030C0000
    (void)string;
    return true;
#else
    return PyUnicode_IS_READY(string) != 0;
#endif
}

#endif
