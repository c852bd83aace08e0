/* What the frame adapter of the running CPython sees (src/cpython/frames/), for tests/frames.
 *
 *     walk()      [(code object, byte offset of the instruction)], the caller first: the frames that count
 *     mark()      marks all of them that may be marked; how many carry a mark then
 *     marked()    how many carry one
 * The caller's own stack, with the GIL. */
#include "../../src/cpython/frames/frames.h"

#include <stdlib.h>

static size_t frames_of(PyThreadState *thread, FRAME **frames, size_t room) {
    size_t count = 0;
    for (FRAME *f = frame_top(thread); f != NULL; f = frame_below(f)) {
        if (!frame_complete(f))
            continue;
        if (count < room)
            frames[count] = f;
        count++;
    }
    return count;
}

static PyObject *described(const FRAME *f) {
    PyCodeObject *code = frame_code(f);
    return Py_BuildValue("On", code, (Py_ssize_t)(frame_instr(f) - (uintptr_t)_PyCode_CODE(code)));
}

static PyObject *walk(PyObject *self, PyObject *unused) {
    PyThreadState *thread = PyThreadState_Get();
    size_t count = frames_of(thread, NULL, 0);
    FRAME **frames = malloc((count + 1) * sizeof *frames);
    PyObject *list = frames != NULL ? PyList_New((Py_ssize_t)count) : PyErr_NoMemory();
    if (list != NULL)
        (void)frames_of(thread, frames, count); /* all at once: what follows allocates */
    for (size_t i = 0; list != NULL && i < count; i++) {
        PyObject *item = described(frames[i]);
        if (item == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    free(frames);
    return list;
}

static PyObject *count_marked(bool marking) {
    long count = 0;
    for (FRAME *f = frame_top(PyThreadState_Get()); f != NULL; f = frame_below(f)) {
        if (marking && frame_complete(f))
            frame_mark(f);
        count += frame_marked(f);
    }
    return PyLong_FromLong(count);
}

static PyObject *mark(PyObject *self, PyObject *unused) { return count_marked(true); }
static PyObject *marked(PyObject *self, PyObject *unused) { return count_marked(false); }

static PyMethodDef functions[] = {
    {"walk", walk, METH_NOARGS, NULL},
    {"mark", mark, METH_NOARGS, NULL},
    {"marked", marked, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "frame_walk", .m_methods = functions};

PyMODINIT_FUNC PyInit_frame_walk(void) { return PyModule_Create(&module); }
