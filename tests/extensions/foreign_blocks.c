/* foreign_blocks: reports blocks to the tracer as other extensions do, from threads of every kind and in every way that
 * a module can reach PyTraceMalloc_Track.
 *
 * Used by the tests only. Addresses are ints and need not be anybody's; nothing is allocated at them. Functions are
 * called with the GIL held; what gives it up says so. Threads named "foreign" are never seen by CPython. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <dlfcn.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef int (*track_function)(unsigned int, uintptr_t, size_t);
typedef int (*untrack_function)(unsigned int, uintptr_t);
extern PyObject *_PyTraceMalloc_GetTraceback(unsigned int, uintptr_t);

/* Addresses in data: relocations of their own, one read-only after relocation, one that the program may write to. */
static const struct {
    track_function track;
    untrack_function untrack;
} constant_table = {PyTraceMalloc_Track, PyTraceMalloc_Untrack};
static track_function written_table[] = {PyTraceMalloc_Track, NULL};

typedef struct {
    unsigned int domain;
    uintptr_t address;
    size_t size;
    int untrack;
    int result;
} report;

static void *send(void *argument) {
    report *what = argument;
    errno = 4711;
    what->result = what->untrack ? PyTraceMalloc_Untrack(what->domain, what->address)
                                 : PyTraceMalloc_Track(what->domain, what->address, what->size);
    if (errno != 4711)
        what->result = 4711;
    return NULL;
}

enum { WITH_GIL, WITHOUT_GIL, FOREIGN_THREAD, WHILE_HELD };

static void send_in_thread(report *what) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, send, what) == 0)
        pthread_join(thread, NULL);
}

/* `how`: with the GIL, without it, in a foreign thread, or in one while this thread holds the GIL and waits. */
static PyObject *send_it(report what, int how) {
    if (how == WITH_GIL) {
        send(&what);
    } else if (how == WHILE_HELD) {
        send_in_thread(&what);
    } else {
        Py_BEGIN_ALLOW_THREADS if (how == WITHOUT_GIL) send(&what);
        else send_in_thread(&what);
        Py_END_ALLOW_THREADS
    }
    return PyLong_FromLong(what.result);
}

/* track(domain, address, size, how=0): what PyTraceMalloc_Track returned; 4711: it has changed errno. */
static PyObject *track(PyObject *module, PyObject *args) {
    unsigned long long address;
    Py_ssize_t size;
    report what = {0};
    int how = WITH_GIL;
    if (!PyArg_ParseTuple(args, "IKn|i", &what.domain, &address, &size, &how))
        return NULL;
    what.address = (uintptr_t)address;
    what.size = (size_t)size;
    return send_it(what, how);
}

/* untrack(domain, address, how=0) */
static PyObject *untrack(PyObject *module, PyObject *args) {
    unsigned long long address;
    report what = {.untrack = 1};
    int how = WITH_GIL;
    if (!PyArg_ParseTuple(args, "IK|i", &what.domain, &address, &how))
        return NULL;
    what.address = (uintptr_t)address;
    return send_it(what, how);
}

/* get_traceback(domain, address): tuple of (file name, line), the most recent first, or None. */
static PyObject *get_traceback(PyObject *module, PyObject *args) {
    unsigned int domain;
    unsigned long long address;
    if (!PyArg_ParseTuple(args, "IK", &domain, &address))
        return NULL;
    return _PyTraceMalloc_GetTraceback(domain, (uintptr_t)address);
}

static track_function track_by(const char *way) {
    if (strcmp(way, "call") == 0)
        return NULL;
    if (strcmp(way, "constant table") == 0)
        return *(track_function const volatile *)&constant_table.track;
    if (strcmp(way, "written table") == 0)
        return *(track_function volatile *)&written_table[0];
    if (strcmp(way, "address") == 0) {
        track_function volatile address = PyTraceMalloc_Track;
        return address;
    }
    return (track_function)dlsym(RTLD_DEFAULT, "PyTraceMalloc_Track");
}

/* track_through(way, domain, address, size): "call", "constant table", "written table", "address" or "dlsym". */
static PyObject *track_through(PyObject *module, PyObject *args) {
    const char *way;
    unsigned int domain;
    unsigned long long address;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(args, "sIKn", &way, &domain, &address, &size))
        return NULL;
    track_function function = track_by(way);
    if (function == NULL)
        return PyLong_FromLong(PyTraceMalloc_Track(domain, (uintptr_t)address, (size_t)size));
    return PyLong_FromLong(function(domain, (uintptr_t)address, (size_t)size));
}

/* address_through(way): where that leads to now. */
static PyObject *address_through(PyObject *module, PyObject *args) {
    const char *way;
    if (!PyArg_ParseTuple(args, "s", &way))
        return NULL;
    return PyLong_FromVoidPtr((void *)(uintptr_t)track_by(way));
}

static int written_here(unsigned int domain, uintptr_t address, size_t size) { return 4712; }

/* write_table(): the program puts a function of its own into its table. */
static PyObject *write_table(PyObject *module, PyObject *unused) {
    *(track_function volatile *)&written_table[0] = written_here;
    Py_RETURN_NONE;
}

/* forbid_writing(): from now on the kernel refuses to make the page of the constant table writable. */
static PyObject *forbid_writing(PyObject *module, PyObject *unused) {
    uintptr_t page = (uintptr_t)&constant_table & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 5),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)page, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_WRITE, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

/* --- many threads ---- */

typedef struct {
    uintptr_t number;
    unsigned int domains;
    int rounds;
} churning;

/* Each thread has addresses of its own and leaves none of them tracked. */
static void *churn_alone(void *argument) {
    churning *work = argument;
    for (int i = 0; i < work->rounds; i++) {
        uintptr_t address = (work->number + 1) << 24 | (uintptr_t)(i % 100) << 4;
        unsigned int domain = (unsigned int)i % work->domains;
        PyTraceMalloc_Track(domain, address, (size_t)i % 1000);
        PyTraceMalloc_Track(domain + 1, address, 7);
        PyTraceMalloc_Untrack(domain, address);
        PyTraceMalloc_Untrack(domain + 1, address);
        PyTraceMalloc_Untrack(domain + 2, address + 8);
    }
    return NULL;
}

/* churn(threads, rounds, domains): so many foreign threads at once; the GIL is given up meanwhile. */
static PyObject *churn(PyObject *module, PyObject *args) {
    enum { MOST = 8 };
    pthread_t threads[MOST];
    churning work[MOST];
    int count, rounds, domains, started = 0;
    if (!PyArg_ParseTuple(args, "iii", &count, &rounds, &domains))
        return NULL;
    Py_BEGIN_ALLOW_THREADS while (started < count && started < MOST) {
        work[started] = (churning){(uintptr_t)started, (unsigned int)domains, rounds};
        if (pthread_create(&threads[started], NULL, churn_alone, &work[started]) != 0)
            break;
        started++;
    }
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    Py_END_ALLOW_THREADS return PyLong_FromLong(started);
}

typedef struct {
    volatile int go_on;
    pthread_t thread;
    unsigned long rounds;
} background;
static background endless;

static void *churn_endlessly(void *argument) {
    while (endless.go_on) {
        PyTraceMalloc_Track(77, 0x7700, 77);
        PyTraceMalloc_Untrack(77, 0x7700);
        endless.rounds++;
        usleep(endless.rounds % 64 == 0);
    }
    return NULL;
}

static PyObject *start_churn(PyObject *module, PyObject *unused) {
    endless.go_on = 1;
    if (pthread_create(&endless.thread, NULL, churn_endlessly, NULL) != 0)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static PyObject *stop_churn(PyObject *module, PyObject *unused) {
    Py_BEGIN_ALLOW_THREADS endless.go_on = 0;
    pthread_join(endless.thread, NULL);
    Py_END_ALLOW_THREADS return PyLong_FromUnsignedLong(endless.rounds);
}

/* --- libraries that are no extensions ---- */

/* open_library(path): its handle; opened, as it is closed, without the GIL. */
static PyObject *open_library(PyObject *module, PyObject *args) {
    const char *path;
    if (!PyArg_ParseTuple(args, "s", &path))
        return NULL;
    void *library;
    Py_BEGIN_ALLOW_THREADS library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
    Py_END_ALLOW_THREADS if (library == NULL) return PyErr_Format(PyExc_OSError, "cannot open %s", path);
    return PyLong_FromVoidPtr(library);
}

/* call_library(handle, name, domain, address, size): calls a function of the library, found by dlsym. */
static PyObject *call_library(PyObject *module, PyObject *args) {
    unsigned long long handle, address;
    const char *name;
    unsigned int domain;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(args, "KsIKn", &handle, &name, &domain, &address, &size))
        return NULL;
    track_function function = (track_function)dlsym((void *)(uintptr_t)handle, name);
    if (function == NULL)
        return PyErr_Format(PyExc_AttributeError, "%s", name);
    return PyLong_FromLong(function(domain, (uintptr_t)address, (size_t)size));
}

static PyObject *close_library(PyObject *module, PyObject *args) {
    unsigned long long handle;
    if (!PyArg_ParseTuple(args, "K", &handle))
        return NULL;
    int result;
    Py_BEGIN_ALLOW_THREADS result = dlclose((void *)(uintptr_t)handle);
    Py_END_ALLOW_THREADS return PyLong_FromLong(result);
}

static PyMethodDef methods[] = {
    {"track", track, METH_VARARGS, NULL},
    {"untrack", untrack, METH_VARARGS, NULL},
    {"get_traceback", get_traceback, METH_VARARGS, NULL},
    {"track_through", track_through, METH_VARARGS, NULL},
    {"address_through", address_through, METH_VARARGS, NULL},
    {"write_table", write_table, METH_NOARGS, NULL},
    {"forbid_writing", forbid_writing, METH_NOARGS, NULL},
    {"churn", churn, METH_VARARGS, NULL},
    {"start_churn", start_churn, METH_NOARGS, NULL},
    {"stop_churn", stop_churn, METH_NOARGS, NULL},
    {"open_library", open_library, METH_VARARGS, NULL},
    {"call_library", call_library, METH_VARARGS, NULL},
    {"close_library", close_library, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "foreign_blocks", NULL, -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_foreign_blocks(void);
PyMODINIT_FUNC PyInit_foreign_blocks(void) {
    PyObject *module = PyModule_Create(&definition);
    /* What runs while the module is imported is seen already. */
    if (module != NULL)
        PyModule_AddIntConstant(module, "tracked_at_import", PyTraceMalloc_Track(70, 0x7000, 70));
    return module;
}
