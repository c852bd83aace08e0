/* names: file and function names of call paths as Python strings, each decoded at most once.
 *
 * Shared by all snapshots and tracebacks of the same call paths, and kept alive by them. Owns a reference to
 * the call paths and the strings made so far; strings and pairs of strings and numbers form no cycles, so the
 * collector need not know this type. Needs the GIL.
 */
#include "types.h"

#include <string.h>

static PyObject *names_decode(const struct callpaths *paths, uint32_t id) {
    struct string name = strtab_get(&paths->strings, id);
    return PyUnicode_DecodeUTF8(name.bytes, (Py_ssize_t)name.length, "surrogatepass");
}

static void names_dealloc(PyObject *object) {
    struct names *self = (struct names *)object;
    PyTypeObject *type = Py_TYPE(object);
    struct state *state = PyType_GetModuleState(type);
    if (state != NULL && state->shared_names == self)
        state->shared_names = NULL;
    for (size_t i = 0; i < self->string_count; i++)
        Py_XDECREF(self->strings[i]);
    for (size_t i = 0; i < self->pair_count; i++)
        Py_XDECREF(self->pairs[i]);
    PyMem_Free(self->strings);
    PyMem_Free(self->pairs);
    callpaths_release(self->paths);
    type->tp_free(object);
    Py_DECREF(type);
}

struct names *names_new(struct state *state, struct callpaths *paths) {
    struct names *self = PyObject_New(struct names, state->names_type);
    if (self == NULL)
        return NULL;
    callpaths_retain(paths);
    self->paths = paths;
    self->strings = self->pairs = NULL;
    self->string_count = self->pair_count = 0;
    return self;
}

struct names *names_for(struct state *state, struct callpaths *paths) {
    struct names *shared = state->shared_names;
    if (shared != NULL && shared->paths == paths)
        return (struct names *)Py_NewRef((PyObject *)shared);
    return state->shared_names = names_new(state, paths);
}

/* Makes room for `id` in an array that starts empty; what is new is NULL. */
static int reserve(PyObject ***items, size_t *count, uint32_t id) {
    if (id < *count)
        return 0;
    size_t wanted = *count + *count / 2 > id ? *count + *count / 2 : (size_t)id + 64;
    PyObject **grown = *items;
    PyMem_Resize(grown, PyObject *, wanted);
    if (grown == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    memset(grown + *count, 0, (wanted - *count) * sizeof *grown);
    *items = grown;
    *count = wanted;
    return 0;
}

PyObject *names_string(struct names *names, uint32_t id) {
    if (reserve(&names->strings, &names->string_count, id) < 0)
        return NULL;
    if (names->strings[id] == NULL)
        names->strings[id] = names_decode(names->paths, id);
    return names->strings[id];
}

PyObject *names_pair(struct names *names, uint32_t id) {
    if (reserve(&names->pairs, &names->pair_count, id) < 0)
        return NULL;
    if (names->pairs[id] != NULL)
        return names->pairs[id];
    const struct site *site = site_get(names->paths, id);
    PyObject *line = PyLong_FromUnsignedLong(site->line), *tuple = NULL;
    PyObject *file = names_string(names, site->file);
    if (file != NULL && line != NULL)
        tuple = PyTuple_Pack(2, file, line);
    Py_XDECREF(line);
    /* making a tuple may run the collector, and with it code that comes here for the same one or moves the
     * array */
    if (tuple != NULL)
        PyObject_GC_UnTrack(tuple); /* a str and an int are in no cycle */
    Py_XSETREF(names->pairs[id], tuple);
    return tuple;
}

PyObject *names_function(struct names *names, uint32_t string) {
    return string == 0 ? Py_None : names_string(names, string);
}

static PyType_Slot names_slots[] = {
    {Py_tp_dealloc, names_dealloc},
    {0, NULL},
};

PyType_Spec names_spec = {
    .name = "memtally._core._Names",
    .basicsize = sizeof(struct names),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = names_slots,
};
