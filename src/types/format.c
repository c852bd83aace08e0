/* format: the texts of sizes: "12.3 KiB", "+4096 B". Pure functions of their arguments. Need the GIL. */
#include "types.h"

PyObject *format_text(const char *format, PyObject *arguments) {
    PyObject *template = NULL, *text = NULL;
    if (arguments != NULL && (template = PyUnicode_FromString(format)) != NULL)
        text = PyUnicode_Format(template, arguments);
    Py_XDECREF(template);
    Py_XDECREF(arguments);
    return text;
}

/* -1 with an exception set */
static int less_than(PyObject *value, long limit) {
    PyObject *other = PyLong_FromLong(limit);
    int result = other == NULL ? -1 : PyObject_RichCompareBool(value, other, Py_LT);
    Py_XDECREF(other);
    return result;
}

static PyObject *format_in_unit(PyObject *value, bool sign, int digits, const char *unit) {
    PyObject *template = PyUnicode_FromFormat("%%%s.%df %s", sign ? "+" : "", digits, unit), *text = NULL;
    PyObject *arguments = PyTuple_Pack(1, value);
    if (template != NULL && arguments != NULL)
        text = PyUnicode_Format(template, arguments);
    Py_XDECREF(template);
    Py_XDECREF(arguments);
    return text;
}

/* Three digits below 100 of a unit ("12.3 KiB"), otherwise whole units, up to 10,239 of them. */
PyObject *format_size(PyObject *size, bool sign) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    enum { LAST = 4 };
    PyObject *value = Py_NewRef(size), *kibi = PyLong_FromLong(1024), *text = NULL;
    for (int unit = 0; kibi != NULL && value != NULL; unit++) {
        PyObject *magnitude = PyNumber_Absolute(value);
        int small = magnitude == NULL ? -1 : unit > 0 ? less_than(magnitude, 100) : 0;
        int fits = small != 0 ? small : unit == LAST ? 1 : less_than(magnitude, 10240);
        Py_XDECREF(magnitude);
        if (fits < 0)
            break;
        if (fits) {
            text = format_in_unit(value, sign, small, units[unit]);
            break;
        }
        Py_SETREF(value, PyNumber_TrueDivide(value, kibi));
    }
    Py_XDECREF(kibi);
    Py_XDECREF(value);
    return text;
}
