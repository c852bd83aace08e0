/* slots: attributes, pickling, comparison and life of objects that behave as instances of classes with
 * __slots__.
 *
 * A slot is a PyObject * in the object's struct: NULL reads as AttributeError; it may be set and deleted.
 * Owns nothing. Needs the GIL.
 */
#include "types.h"

#include <string.h>

PyObject *attribute(PyObject *object, const char *name) {
    PyObject *key = PyUnicode_InternFromString(name);
    PyObject *value = key == NULL ? NULL : PyObject_GetAttr(object, key);
    Py_XDECREF(key);
    return value;
}

PyObject *call(PyObject *object, const char *method, PyObject *first, PyObject *second) {
    PyObject *key = PyUnicode_InternFromString(method);
    PyObject *result = key == NULL ? NULL : PyObject_CallMethodObjArgs(object, key, first, second, NULL);
    Py_XDECREF(key);
    return result;
}

static PyObject **slot_of(PyObject *self, const struct slot *slot) {
    return (PyObject **)((char *)self + slot->offset);
}

PyObject *slot_missing(PyObject *self, const char *name) {
    return PyErr_Format(PyExc_AttributeError, "'%.200s' object has no attribute '%s'", Py_TYPE(self)->tp_name,
                        name);
}

PyObject *slot_get(PyObject *self, void *closure) {
    const struct slot *slot = closure;
    PyObject *value = *slot_of(self, slot);
    return value == NULL ? slot_missing(self, slot->name) : Py_NewRef(value);
}

int slot_set(PyObject *self, PyObject *value, void *closure) {
    const struct slot *slot = closure;
    PyObject **place = slot_of(self, slot);
    if (value == NULL && *place == NULL) {
        slot_missing(self, slot->name);
        return -1;
    }
    object_track(self);
    Py_XINCREF(value);
    Py_XSETREF(*place, value);
    return 0;
}

void object_track(PyObject *self) {
    if (!PyObject_GC_IsTracked(self))
        PyObject_GC_Track(self);
}

PyObject *object_new_untracked(PyTypeObject *type, size_t bytes) {
    assert((size_t)type->tp_basicsize == bytes);
    PyObject *self = (PyObject *)PyObject_GC_New(PyObject, type);
    if (self != NULL)
        memset((char *)self + sizeof(PyObject), 0, bytes - sizeof(PyObject));
    return self;
}

void object_dealloc(PyObject *self, inquiry clear) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

int missing_argument(const char *function, const char *argument) {
    PyErr_Format(PyExc_TypeError, "%s() missing required argument '%s'", function, argument);
    return -1;
}

/* --- pickling and copying --- */

static PyObject *collect_slots(PyObject *self, PyObject *names) {
    PyObject *slots = PyDict_New(), *value = NULL;
    Py_ssize_t count = PyList_Check(names) ? PyList_GET_SIZE(names) : 0;
    for (Py_ssize_t i = 0; slots != NULL && i < count; i++) {
        PyObject *name = PyList_GET_ITEM(names, i);
        value = PyObject_GetAttr(self, name);
        if (value == NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) {
            PyErr_Clear();
            continue;
        }
        if (value == NULL || PyDict_SetItem(slots, name, value) < 0)
            Py_CLEAR(slots);
        Py_XDECREF(value);
    }
    return slots;
}

/* The instance dictionary, or None where there is none or it is empty. */
static PyObject *state_dict(PyObject *self) {
    PyObject *dict = attribute(self, "__dict__");
    if (dict == NULL && PyErr_ExceptionMatches(PyExc_AttributeError))
        PyErr_Clear();
    else if (dict == NULL || !PyDict_Check(dict) || PyDict_GET_SIZE(dict) > 0)
        return dict;
    Py_XDECREF(dict);
    return Py_NewRef(Py_None);
}

PyObject *reduce_with(PyObject *self, PyObject *slots) {
    PyObject *copyreg = PyImport_ImportModule("copyreg"), *make = NULL, *dict = NULL, *result = NULL;
    if (copyreg != NULL && (make = attribute(copyreg, "__newobj__")) != NULL &&
        (dict = state_dict(self)) != NULL)
        result = Py_BuildValue("O(O)(OO)", make, (PyObject *)Py_TYPE(self), dict, slots);
    Py_XDECREF(copyreg);
    Py_XDECREF(make);
    Py_XDECREF(dict);
    return result;
}

PyObject *slots_reduce(PyObject *self, PyObject *Py_UNUSED(unused)) {
    PyObject *copyreg = PyImport_ImportModule("copyreg"), *names = NULL, *slots = NULL, *result = NULL;
    if (copyreg != NULL && (names = call(copyreg, "_slotnames", (PyObject *)Py_TYPE(self), NULL)) != NULL &&
        (slots = collect_slots(self, names)) != NULL)
        result = reduce_with(self, slots);
    Py_XDECREF(copyreg);
    Py_XDECREF(names);
    Py_XDECREF(slots);
    return result;
}

/* --- comparison --- */

PyObject *equal_objects(PyObject *a, PyObject *b, int op) {
    if (op != Py_EQ && op != Py_NE)
        Py_RETURN_NOTIMPLEMENTED;
    int equal = PyObject_RichCompareBool(a, b, Py_EQ);
    return equal < 0 ? NULL : PyBool_FromLong(equal == (op == Py_EQ));
}

/* Python derives <=, > and >= from < and == in this way; it shows with values that are not totally ordered.
 */
PyObject *order_objects(PyObject *a, PyObject *b, int op) {
    if (op == Py_EQ || op == Py_NE)
        return equal_objects(a, b, op);
    PyObject *less = PyObject_RichCompare(a, b, Py_LT);
    if (less == NULL || op == Py_LT)
        return less;
    int truth = PyObject_IsTrue(less), equal = 0;
    Py_DECREF(less);
    if (truth < 0)
        return NULL;
    if (op == Py_GE)
        return PyBool_FromLong(!truth);
    if (truth)
        return PyBool_FromLong(op == Py_LE);
    if ((equal = PyObject_RichCompareBool(a, b, Py_EQ)) < 0)
        return NULL;
    return PyBool_FromLong(op == Py_LE ? equal : !equal);
}
