/* arena: buffers out of one piece of memory, each reported to memtally as a block of its own.
 *
 *   memory: |Buffer 100|Buffer 32|Buffer 7000|     free, up to the end      |      all of it is free when none is left
 *
 * An example of memtally.h. The GIL protects everything here. */
#define PY_SSIZE_T_CLEAN
#include <memtally.h>

#include <string.h>

enum { ARENA_SIZE = 1 << 20, ALIGNMENT = 16 };
enum { DOMAIN_ARENA = 0x6172656E }; /* "aren": any number of our own */

static _Alignas(ALIGNMENT) char memory[ARENA_SIZE];
static size_t used, live;

/* NULL: no room. */
static void *arena_take(size_t size) {
    size_t whole = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (whole < size || whole > ARENA_SIZE - used)
        return NULL;
    void *block = memory + used;
    used += whole;
    live++;
    (void)Memtally_Track(DOMAIN_ARENA, block, size); /* after the allocation */
    return block;
}

static void arena_give_back(const void *block) {
    (void)Memtally_Untrack(DOMAIN_ARENA, block); /* before the memory is free */
    if (--live == 0)
        used = 0;
}

/* --- Buffer -------------------------------------------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD void *block; /* the arena's, given back by us */
    Py_ssize_t size;
} Buffer;

static PyObject *buffer_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char name[] = "size", *keywords[] = {name, NULL};
    Py_ssize_t size;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "n:Buffer", keywords, &size))
        return NULL;
    if (size < 1)
        return PyErr_Format(PyExc_ValueError, "size must be 1 or more, not %zd", size);
    Buffer *self = (Buffer *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->size = size;
    self->block = arena_take((size_t)size);
    if (self->block != NULL)
        return (PyObject *)self;
    Py_DECREF(self);
    return PyErr_NoMemory();
}

static void buffer_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    if (((Buffer *)self)->block != NULL)
        arena_give_back(((Buffer *)self)->block);
    type->tp_free(self);
    Py_DECREF(type);
}

static int buffer_get(PyObject *self, Py_buffer *view, int flags) {
    Buffer *buffer = (Buffer *)self;
    return PyBuffer_FillInfo(view, self, buffer->block, buffer->size, 0, flags);
}

/* Names may have surrogates that stand alone. */
static PyObject *text(const char *name) {
    return PyUnicode_DecodeUTF8(name, (Py_ssize_t)strlen(name), "surrogatepass");
}

static PyObject *list_of(const Memtally_Traceback *found) {
    PyObject *list = PyList_New(0);
    for (unsigned int i = 0; i < found->count && list != NULL; i++) {
        const Memtally_Frame *frame = &found->frames[i];
        PyObject *call = Py_BuildValue("(NIN)", text(frame->file), frame->line, text(frame->function));
        if (call == NULL || PyList_Append(list, call) < 0)
            Py_CLEAR(list);
        Py_XDECREF(call);
    }
    return list;
}

/* where(): list of (file name, line, function), the most recent call first; None where memtally does not know. */
static PyObject *buffer_where(PyObject *self, PyObject *unused) {
    Memtally_Traceback *found;
    (void)unused;
    if (Memtally_FindTraceback(DOMAIN_ARENA, ((Buffer *)self)->block, &found) != MEMTALLY_OK)
        Py_RETURN_NONE;
    PyObject *list = list_of(found);
    Memtally_FreeTraceback(found);
    return list;
}

static PyMethodDef buffer_methods[] = {{"where", buffer_where, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};

static PyType_Slot buffer_slots[] = {{Py_tp_new, (void *)buffer_new},
                                     {Py_tp_dealloc, (void *)buffer_dealloc},
                                     {Py_tp_methods, buffer_methods},
                                     {Py_bf_getbuffer, (void *)buffer_get},
                                     {0, NULL}};

static PyType_Spec buffer_spec = {"arena.Buffer", sizeof(Buffer), 0, Py_TPFLAGS_DEFAULT, buffer_slots};

/* --- the module ---------------------------------------------------------------------------------------------------- */

static int exec(PyObject *module) {
    PyObject *type = PyType_FromModuleAndSpec(module, &buffer_spec, NULL);
    int result = type == NULL ? -1 : PyModule_AddObjectRef(module, "Buffer", type);
    Py_XDECREF(type);
    if (result < 0 || PyModule_AddIntConstant(module, "DOMAIN", DOMAIN_ARENA) < 0)
        return -1;
    return Memtally_Import(); /* 0 without memtally as well */
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, (void *)exec}, {0, NULL}};

static PyModuleDef module_def = {.m_base = PyModuleDef_HEAD_INIT, .m_name = "arena", .m_slots = module_slots};

PyMODINIT_FUNC PyInit_arena(void) { return PyModuleDef_Init(&module_def); }
