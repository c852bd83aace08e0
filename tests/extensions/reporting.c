/* reporting: reports blocks through memtally.h, from threads of every kind, and asks for them.
 *
 * Used by the tests only; compiles as C11 and as C++17. Addresses are ints and need not be anybody's; nothing is
 * allocated at them. A second source file (reporting_more.c) has the rest of the module, with no Memtally_Import of its
 * own. Functions are called with the GIL held; what gives it up says so. */
#define PY_SSIZE_T_CLEAN
#include <memtally.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif
int report_from_another_file(unsigned int domain, const void *block, size_t size);
#ifdef __cplusplus
}
#endif

enum { TRACK, UNTRACK, FIND, IS_TRACING, TRACK_FROM_ANOTHER_FILE };
enum { WITH_GIL, WITHOUT_GIL, FOREIGN_THREAD, WHILE_HELD };

typedef struct {
    int what;
    unsigned int domain;
    const void *block;
    size_t size;
    int result;
    Memtally_Traceback *found;
} request;

static int ask(request *wanted) {
    switch (wanted->what) {
    case TRACK:
        return Memtally_Track(wanted->domain, wanted->block, wanted->size);
    case UNTRACK:
        return Memtally_Untrack(wanted->domain, wanted->block);
    case FIND:
        return Memtally_FindTraceback(wanted->domain, wanted->block, &wanted->found);
    case IS_TRACING:
        return Memtally_IsTracing();
    default:
        return report_from_another_file(wanted->domain, wanted->block, wanted->size);
    }
}

static void *send(void *argument) {
    request *wanted = (request *)argument;
    errno = 4711;
    wanted->result = ask(wanted);
    if (errno != 4711)
        wanted->result = 4711;
    return NULL;
}

static void send_in_thread(request *wanted) {
    pthread_t thread;
    wanted->result = 4712;
    if (pthread_create(&thread, NULL, send, wanted) == 0)
        pthread_join(thread, NULL);
}

static void send_somehow(request *wanted, int how) {
    PyThreadState *state = how == WITHOUT_GIL || how == FOREIGN_THREAD ? PyEval_SaveThread() : NULL;
    if (how == WITH_GIL || how == WITHOUT_GIL)
        send(wanted);
    else
        send_in_thread(wanted);
    if (state != NULL)
        PyEval_RestoreThread(state);
}

/* Names may have surrogates that stand alone. */
static PyObject *text(const char *name) {
    return PyUnicode_DecodeUTF8(name, (Py_ssize_t)strlen(name), "surrogatepass");
}

/* (size, depth, [(file, line, function), ...]), the most recent call first. */
static PyObject *as_tuple(const Memtally_Traceback *found) {
    PyObject *list = PyList_New(0);
    for (unsigned int i = 0; i < found->count && list != NULL; i++) {
        const Memtally_Frame *frame = &found->frames[i];
        PyObject *call = Py_BuildValue("(NIN)", text(frame->file), frame->line, text(frame->function));
        if (call == NULL || PyList_Append(list, call) < 0)
            Py_CLEAR(list);
        Py_XDECREF(call);
    }
    return list == NULL ? NULL : Py_BuildValue("(KIN)", (unsigned long long)found->size, found->depth, list);
}

/* ask(what, domain=0, address=0, size=0, how=0): the result; what FIND found in its place. 4711: errno was changed. */
static PyObject *ask_function(PyObject *module, PyObject *args) {
    request wanted = {TRACK, 0, NULL, 0, 0, NULL};
    unsigned long long address = 0, size = 0;
    int how = WITH_GIL;
    (void)module;
    if (!PyArg_ParseTuple(args, "i|IKKi", &wanted.what, &wanted.domain, &address, &size, &how))
        return NULL;
    wanted.block = (const void *)(uintptr_t)address;
    wanted.size = (size_t)size;
    send_somehow(&wanted, how);
    if (wanted.found == NULL)
        return PyLong_FromLong(wanted.result);
    PyObject *tuple = as_tuple(wanted.found);
    Memtally_FreeTraceback(wanted.found);
    return tuple;
}

/* again(): Memtally_Import once more. */
static PyObject *again(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    return Memtally_Import() < 0 ? NULL : Py_NewRef(Py_None);
}

/* --- many threads -------------------------------------------------------------------------------------------------- */

static int rounds;

/* Each has addresses of its own, and leaves one block behind. */
static void *churn_alone(void *argument) {
    char *blocks = (char *)argument;
    for (int i = 0; i < rounds; i++) {
        Memtally_Traceback *found;
        char *block = blocks + i % 100 * 16;
        Memtally_Track(7, block, (size_t)i);
        Memtally_FindTraceback(7, block, &found);
        Memtally_FreeTraceback(found);
        Memtally_Untrack(7, block);
    }
    Memtally_Track(8, blocks, 100);
    return NULL;
}

/* churn(threads, rounds): the GIL is given up meanwhile. Returns how many threads there were. */
static PyObject *churn(PyObject *module, PyObject *args) {
    enum { MOST = 8 };
    static char blocks[MOST][1600];
    pthread_t threads[MOST];
    int count, started = 0;
    (void)module;
    if (!PyArg_ParseTuple(args, "ii", &count, &rounds))
        return NULL;
    PyThreadState *state = PyEval_SaveThread();
    while (started < count && started < MOST &&
           pthread_create(&threads[started], NULL, churn_alone, blocks[started]) == 0)
        started++;
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    PyEval_RestoreThread(state);
    return PyLong_FromLong(started);
}

/* --- at the end ---------------------------------------------------------------------------------------------------- */

static void report_late(void) {
    static char block[16];
    Memtally_Traceback *found;
    int tracked = Memtally_Track(9, block, sizeof block);
    int asked = Memtally_FindTraceback(9, block, &found);
    printf("late %d %d %s %d\n", tracked, asked, found != NULL ? found->frames[0].file : "none",
           Memtally_Untrack(9, block));
    Memtally_FreeTraceback(found);
}

/* report_at_exit(): when Python has ended, the C library calls us. */
static PyObject *report_at_exit(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    return PyLong_FromLong(atexit(report_late));
}

static int exec(PyObject *module) {
    (void)module;
    return Memtally_Import();
}

static PyMethodDef methods[] = {{"ask", ask_function, METH_VARARGS, NULL},
                                {"again", again, METH_NOARGS, NULL},
                                {"churn", churn, METH_VARARGS, NULL},
                                {"report_at_exit", report_at_exit, METH_NOARGS, NULL},
                                {NULL, NULL, 0, NULL}};

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)(uintptr_t)exec},
#ifdef Py_MOD_PER_INTERPRETER_GIL_SUPPORTED
                                   {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
                                   {0, NULL}};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "reporting", NULL, 0, methods, slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_reporting(void) { return PyModuleDef_Init(&definition); }
