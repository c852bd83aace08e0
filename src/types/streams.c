/* streams: bytes to any object with write(), from code of the core that runs without the GIL.
 *
 * Owns nothing. Needs the GIL, which is given up while bytes are made.
 */
#include "types.h"

struct stream {
    PyObject *object;      /* borrowed: something with write() */
    PyThreadState *thread; /* of the thread that writes, while it has not got the GIL */
};

/* How many bytes an answer of write() says were taken: all, where it says nothing. -1: exception. */
static Py_ssize_t taken(PyObject *answer, Py_ssize_t offered) {
    if (answer == NULL)
        return -1;
    if (!PyLong_Check(answer))
        return offered;
    Py_ssize_t count = PyLong_AsSsize_t(answer);
    if (count > 0 && count <= offered)
        return count;
    if (!PyErr_Occurred())
        PyErr_Format(PyExc_OSError, "write() took %zd of %zd bytes", count, offered);
    return -1;
}

static int stream_write(struct stream *stream, const char *bytes, size_t length) {
    while (length > 0) {
        PyObject *part = PyBytes_FromStringAndSize(bytes, (Py_ssize_t)length);
        PyObject *answer = part == NULL ? NULL : call(stream->object, "write", part, NULL);
        Py_ssize_t count = taken(answer, (Py_ssize_t)length);
        Py_XDECREF(part);
        Py_XDECREF(answer);
        if (count < 0)
            return -1;
        bytes += count;
        length -= (size_t)count;
    }
    return 0;
}

static status stream_put(void *context, const void *bytes, size_t length) {
    struct stream *stream = context;
    PyEval_RestoreThread(stream->thread);
    int result = PyErr_CheckSignals() < 0 ? -1 : stream_write(stream, bytes, length); /* Ctrl-C ends it */
    stream->thread = PyEval_SaveThread();
    return result == 0 ? STATUS_OK : STATUS_FAILED;
}

int stream_out(PyObject *object, stream_writer write, const void *what) {
    struct stream stream = {object, PyEval_SaveThread()};
    status result = write(what, stream_put, &stream);
    PyEval_RestoreThread(stream.thread);
    if (result != STATUS_OK && !PyErr_Occurred()) /* else: write() raised */
        raise_status(result);
    return result == STATUS_OK ? 0 : -1;
}

/* 1: something to stream to, or, with read(), from; 0: a path, or neither; -1: exception. */
int is_stream(PyObject *file, const char *method) {
    PyObject *found = NULL;
    if (PyUnicode_Check(file) || PyBytes_Check(file))
        return 0;
    if ((found = attribute(file, "__fspath__")) == NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        found = attribute(file, method);
        int result = found != NULL ? 1 : PyErr_ExceptionMatches(PyExc_AttributeError) ? 0 : -1;
        if (result == 0)
            PyErr_Clear();
        Py_XDECREF(found);
        return result;
    }
    Py_XDECREF(found);
    return found == NULL ? -1 : 0;
}
