/* native_threads: allocations in the RAW domain from threads and states that Python code alone cannot make.
 *
 * Used by the tests only. Every block it hands out is named by its address as an int; the caller frees it with
 * free_raw(). Threads named "foreign" are made with pthread_create and never seen by CPython. Functions are
 * called with the GIL held; what runs without it says so. At most one background churn runs at a time. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

enum { MAX_THREADS = 16, RING = 64 };

typedef struct {
    Py_ssize_t count;
    size_t size;
    void **blocks;
} request;

static void *allocate_request(void *argument) {
    request *wanted = argument;
    for (Py_ssize_t i = 0; i < wanted->count; i++) {
        wanted->blocks[i] = PyMem_RawMalloc(wanted->size);
        if (wanted->blocks[i] != NULL) {
            memset(wanted->blocks[i], 0x5a, wanted->size);
        }
    }
    return NULL;
}

static int run_in_foreign_thread(void *(*body)(void *), void *argument) {
    pthread_t thread;
    int failed;
    Py_BEGIN_ALLOW_THREADS failed = pthread_create(&thread, NULL, body, argument);
    if (!failed) {
        pthread_join(thread, NULL);
    }
    Py_END_ALLOW_THREADS if (failed) { PyErr_SetString(PyExc_RuntimeError, "cannot make a thread"); }
    return failed;
}

/* The addresses as a list of int; frees the array `blocks` itself (from malloc: not traced). */
static PyObject *addresses(void **blocks, Py_ssize_t count) {
    PyObject *list = PyList_New(count);
    for (Py_ssize_t i = 0; list != NULL && i < count; i++) {
        PyObject *address = PyLong_FromVoidPtr(blocks[i]);
        if (address == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, i, address);
    }
    free(blocks);
    return list;
}

static PyObject *allocate(PyObject *args, int foreign) {
    Py_ssize_t count, size;
    if (!PyArg_ParseTuple(args, "nn", &count, &size)) {
        return NULL;
    }
    request wanted = {count, (size_t)size, calloc((size_t)count + 1, sizeof(void *))};
    if (wanted.blocks == NULL) {
        return PyErr_NoMemory();
    }
    if (foreign) {
        if (run_in_foreign_thread(allocate_request, &wanted)) {
            free(wanted.blocks);
            return NULL;
        }
    } else {
        Py_BEGIN_ALLOW_THREADS allocate_request(&wanted);
        Py_END_ALLOW_THREADS
    }
    return addresses(wanted.blocks, count);
}

static PyObject *foreign_alloc(PyObject *module, PyObject *args) { return allocate(args, 1); }

static PyObject *detached_alloc(PyObject *module, PyObject *args) { return allocate(args, 0); }

static PyObject *resize_raw(PyObject *module, PyObject *args) {
    PyObject *address;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(args, "O!n", &PyLong_Type, &address, &size)) {
        return NULL;
    }
    void *block = PyLong_AsVoidPtr(address);
    Py_BEGIN_ALLOW_THREADS block = PyMem_RawRealloc(block, (size_t)size);
    Py_END_ALLOW_THREADS return PyLong_FromVoidPtr(block);
}

typedef struct {
    void **blocks;
    Py_ssize_t count;
} freeing;

static void *free_request(void *argument) {
    freeing *work = argument;
    for (Py_ssize_t i = 0; i < work->count; i++) {
        PyMem_RawFree(work->blocks[i]);
    }
    return NULL;
}

/* free_raw(addresses, foreign): free blocks, without the GIL, here or in a foreign thread. */
static PyObject *free_raw(PyObject *module, PyObject *args) {
    PyObject *list;
    int foreign = 0;
    if (!PyArg_ParseTuple(args, "O!|p", &PyList_Type, &list, &foreign)) {
        return NULL;
    }
    freeing work = {calloc((size_t)PyList_GET_SIZE(list) + 1, sizeof(void *)), PyList_GET_SIZE(list)};
    if (work.blocks == NULL) {
        return PyErr_NoMemory();
    }
    for (Py_ssize_t i = 0; i < work.count; i++) {
        work.blocks[i] = PyLong_AsVoidPtr(PyList_GET_ITEM(list, i));
    }
    int failed = 0;
    if (foreign) {
        failed = run_in_foreign_thread(free_request, &work);
    } else {
        Py_BEGIN_ALLOW_THREADS free_request(&work);
        Py_END_ALLOW_THREADS
    }
    free(work.blocks);
    if (failed) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* ---- background churn: foreign threads that allocate, resize and free until told to stop ---- */

static pthread_t churners[MAX_THREADS];
static int churner_count;
static atomic_int churn_goes_on;
static atomic_llong churn_events;

static void *churn(void *argument) {
    uint32_t random = 2463534242u + (uint32_t)(uintptr_t)argument * 7919u;
    void *ring[RING] = {NULL};
    while (atomic_load_explicit(&churn_goes_on, memory_order_relaxed)) {
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        void **slot = &ring[random % RING];
        size_t size = (random >> 8) % 3000;
        if (*slot == NULL) {
            *slot = random & 64 ? PyMem_RawMalloc(size) : PyMem_RawCalloc(3, size);
        } else if (random & 128) {
            void *moved = PyMem_RawRealloc(*slot, size);
            *slot = moved != NULL ? moved : *slot;
        } else {
            PyMem_RawFree(*slot);
            *slot = NULL;
        }
        atomic_fetch_add_explicit(&churn_events, 1, memory_order_relaxed);
    }
    for (int i = 0; i < RING; i++) {
        PyMem_RawFree(ring[i]);
    }
    return NULL;
}

static PyObject *start_churn(PyObject *module, PyObject *args) {
    int wanted;
    if (!PyArg_ParseTuple(args, "i", &wanted)) {
        return NULL;
    }
    if (churner_count != 0 || wanted < 1 || wanted > MAX_THREADS) {
        PyErr_SetString(PyExc_ValueError, "already running, or too many threads");
        return NULL;
    }
    atomic_store(&churn_goes_on, 1);
    atomic_store(&churn_events, 0);
    while (churner_count < wanted) {
        if (pthread_create(&churners[churner_count], NULL, churn, (void *)(intptr_t)(churner_count + 1))) {
            break;
        }
        churner_count++;
    }
    return PyLong_FromLong(churner_count);
}

/* Ends the churn and returns how many events it made. */
static PyObject *stop_churn(PyObject *module, PyObject *unused) {
    atomic_store(&churn_goes_on, 0);
    Py_BEGIN_ALLOW_THREADS while (churner_count > 0) { pthread_join(churners[--churner_count], NULL); }
    Py_END_ALLOW_THREADS return PyLong_FromLongLong(atomic_load(&churn_events));
}

/* ---- threads that end ---- */

static pthread_key_t late_key;
static pthread_once_t late_once = PTHREAD_ONCE_INIT;

/* Runs while the thread's local storage is being torn down, twice round. */
static void late_allocation(void *argument) {
    void *block = PyMem_RawMalloc(100);
    block = PyMem_RawRealloc(block, 5000);
    PyMem_RawFree(block);
    if (argument == (void *)1) {
        pthread_setspecific(late_key, (void *)2);
    }
}

static void make_late_key(void) { pthread_key_create(&late_key, late_allocation); }

static void *end_late(void *argument) {
    pthread_setspecific(late_key, (void *)1);
    void *block = PyMem_RawMalloc(50);
    PyMem_RawFree(block);
    return NULL;
}

/* late_threads(n): n foreign threads, one after the other, that still allocate in a key's destructor. */
static PyObject *late_threads(PyObject *module, PyObject *args) {
    int count;
    if (!PyArg_ParseTuple(args, "i", &count)) {
        return NULL;
    }
    pthread_once(&late_once, make_late_key);
    for (int i = 0; i < count; i++) {
        if (run_in_foreign_thread(end_late, NULL)) {
            return NULL;
        }
    }
    Py_RETURN_NONE;
}

typedef struct {
    PyObject *callable; /* borrowed from the caller, who waits */
    int rounds;
    int failed;
} calling;

static void *call_attached(void *argument) {
    calling *work = argument;
    for (int i = 0; i < work->rounds; i++) {
        void *before = PyMem_RawMalloc(33);
        PyGILState_STATE state = PyGILState_Ensure(); /* a thread state of this round's own */
        PyObject *result = PyObject_CallNoArgs(work->callable);
        if (result == NULL) {
            work->failed = 1;
            PyErr_Clear();
        }
        Py_XDECREF(result);
        PyGILState_Release(state);
        PyMem_RawFree(before);
    }
    return NULL;
}

/* call_in_foreign_thread(callable, rounds): a foreign thread attaches, calls and detaches, `rounds` times. */
static PyObject *call_in_foreign_thread(PyObject *module, PyObject *args) {
    calling work = {NULL, 1, 0};
    if (!PyArg_ParseTuple(args, "O|i", &work.callable, &work.rounds)) {
        return NULL;
    }
    if (run_in_foreign_thread(call_attached, &work)) {
        return NULL;
    }
    return PyBool_FromLong(!work.failed);
}

/* ---- what a hook must leave alone ---- */

typedef struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
    const char *name;
} domain;

static const domain domains[] = {
    {PyMem_RawMalloc, PyMem_RawCalloc, PyMem_RawRealloc, PyMem_RawFree, "raw"},
    {PyMem_Malloc, PyMem_Calloc, PyMem_Realloc, PyMem_Free, "mem"},
    {PyObject_Malloc, PyObject_Calloc, PyObject_Realloc, PyObject_Free, "obj"},
};

/* Whether one round of calls of a domain kept errno and the error indicator. */
static const char *disturbed_by(const domain *d, size_t size, PyObject *indicator) {
    const int mark = 12345;
#define KEPT(call)                                                                                           \
    do {                                                                                                     \
        errno = mark;                                                                                        \
        call;                                                                                                \
        if (errno != mark) {                                                                                 \
            return #call " changed errno";                                                                   \
        }                                                                                                    \
        if (PyErr_Occurred() != indicator) {                                                                 \
            return #call " changed the error indicator";                                                     \
        }                                                                                                    \
    } while (0)
    void *block = NULL;
    void *zeroed = NULL;
    KEPT(block = d->malloc(size));
    KEPT(zeroed = d->calloc(1, size));
    KEPT(block = d->realloc(block, size * 2 + 1));
    KEPT(block = d->realloc(block, size / 2 + 1));
    KEPT(d->free(block));
    KEPT(d->free(zeroed));
    KEPT(d->free(NULL));
    KEPT(block = d->realloc(NULL, size));
    KEPT(d->free(block));
#undef KEPT
    return NULL;
}

/* undisturbed(with_error): None, or what a call changed; with the error indicator set or not. */
static PyObject *undisturbed(PyObject *module, PyObject *args) {
    int with_error;
    if (!PyArg_ParseTuple(args, "p", &with_error)) {
        return NULL;
    }
    if (with_error) {
        PyErr_SetString(PyExc_LookupError, "must stay");
    }
    PyObject *indicator = PyErr_Occurred();
    const char *problem = NULL;
    const char *where = "";
    for (size_t d = 0; d < Py_ARRAY_LENGTH(domains) && problem == NULL; d++) {
        for (size_t size = 0; size < 3000 && problem == NULL; size += 1 + size / 3) {
            where = domains[d].name;
            problem = disturbed_by(&domains[d], size, indicator);
        }
    }
    PyErr_Clear();
    if (problem != NULL) {
        return PyUnicode_FromFormat("%s: %s", where, problem);
    }
    Py_RETURN_NONE;
}

/* failing_resize(domain): a realloc that cannot succeed; the block's address, for the caller to free by free_in(). */
static PyObject *failing_resize(PyObject *module, PyObject *args) {
    int number;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(args, "in", &number, &size) || number < 0 || number > 2) {
        return NULL;
    }
    void *block = domains[number].malloc((size_t)size);
    if (domains[number].realloc(block, (size_t)PY_SSIZE_T_MAX - 1000) != NULL) {
        PyErr_SetString(PyExc_AssertionError, "the allocation was to fail");
        return NULL;
    }
    return PyLong_FromVoidPtr(block);
}

static PyObject *free_in(PyObject *module, PyObject *args) {
    int number;
    PyObject *address;
    if (!PyArg_ParseTuple(args, "iO!", &number, &PyLong_Type, &address) || number < 0 || number > 2) {
        return NULL;
    }
    domains[number].free(PyLong_AsVoidPtr(address));
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"foreign_alloc", foreign_alloc, METH_VARARGS,
     "foreign_alloc(count, size): RAW blocks of a foreign thread"},
    {"detached_alloc", detached_alloc, METH_VARARGS,
     "detached_alloc(count, size): RAW blocks without the GIL"},
    {"resize_raw", resize_raw, METH_VARARGS, "resize_raw(address, size): the new address, without the GIL"},
    {"free_raw", free_raw, METH_VARARGS, "free_raw(addresses, foreign=False)"},
    {"start_churn", start_churn, METH_VARARGS, "start_churn(threads)"},
    {"stop_churn", stop_churn, METH_NOARGS, "stop_churn(): the number of events"},
    {"late_threads", late_threads, METH_VARARGS, "late_threads(count)"},
    {"call_in_foreign_thread", call_in_foreign_thread, METH_VARARGS,
     "call_in_foreign_thread(callable, rounds=1)"},
    {"undisturbed", undisturbed, METH_VARARGS, "undisturbed(with_error): None or what was changed"},
    {"failing_resize", failing_resize, METH_VARARGS,
     "failing_resize(domain, size): the unchanged block's address"},
    {"free_in", free_in, METH_VARARGS, "free_in(domain, address)"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    "native_threads",
    "Allocations from native threads.",
    -1,
    methods,
    NULL,
    NULL,
    NULL,
    NULL,
};

PyMODINIT_FUNC PyInit_native_threads(void);
PyMODINIT_FUNC PyInit_native_threads(void) { return PyModule_Create(&definition); }
