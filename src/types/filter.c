/* filter: classes BaseFilter, Filter and DomainFilter.
 *
 * They keep their attributes in their dictionaries, as the standard classes do, and match one raw trace at a
 * time; matching.c applies many to a snapshot. Needs the GIL.
 */
#include "types.h"

struct filter_object {
    PyObject ob_base;
    PyObject *dict, *weakrefs;
};

PyObject *normalize_filename(PyObject *filename) {
    PyObject *path = PyImport_ImportModule("os.path"), *cased = NULL, *ends = NULL, *result = NULL;
    PyObject *suffix = PyUnicode_InternFromString(".pyc");
    int compiled = -1;
    if (path != NULL && suffix != NULL && (cased = call(path, "normcase", filename, NULL)) != NULL &&
        (ends = call(cased, "endswith", suffix, NULL)) != NULL)
        compiled = PyObject_IsTrue(ends);
    if (compiled == 0)
        result = Py_NewRef(cased);
    else if (compiled > 0)
        result = PySequence_GetSlice(cased, 0, PySequence_Size(cased) - 1);
    Py_XDECREF(path);
    Py_XDECREF(cased);
    Py_XDECREF(ends);
    Py_XDECREF(suffix);
    return result;
}

/* The truth of an attribute: 1, 0, or -1 with an exception set. */
static int truth(PyObject *self, const char *name) {
    PyObject *value = attribute(self, name);
    int result = value == NULL ? -1 : PyObject_IsTrue(value);
    Py_XDECREF(value);
    return result;
}

/* The truth of what a method returns; steals the result. */
static int truth_of(PyObject *result) {
    int value = result == NULL ? -1 : PyObject_IsTrue(result);
    Py_XDECREF(result);
    return value;
}

static PyObject *bool_or_error(int value) { return value < 0 ? NULL : PyBool_FromLong(value); }

/* --- construction --- */

static int base_init(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"inclusive", NULL};
    PyObject *inclusive;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:BaseFilter", keywords, &inclusive))
        return -1;
    return PyObject_SetAttrString(self, "inclusive", inclusive);
}

static int filter_init(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"inclusive", "filename_pattern", "lineno", "all_frames",
                               "domain",    "function",         NULL};
    PyObject *pattern = NULL;
    PyObject *inclusive, *given, *lineno = Py_None, *all_frames = Py_False, *domain = Py_None;
    PyObject *function = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|OOO$O:Filter", keywords, &inclusive, &given, &lineno,
                                     &all_frames, &domain, &function))
        return -1;
    int result = -1;
    if (PyObject_SetAttrString(self, "inclusive", inclusive) == 0 &&
        (pattern = normalize_filename(given)) != NULL &&
        PyObject_SetAttrString(self, "_filename_pattern", pattern) == 0 &&
        PyObject_SetAttrString(self, "lineno", lineno) == 0 &&
        PyObject_SetAttrString(self, "all_frames", all_frames) == 0 &&
        (function == Py_None || PyObject_SetAttrString(self, "_function", function) == 0))
        result = PyObject_SetAttrString(self, "domain", domain);
    Py_XDECREF(pattern);
    return result;
}

static int domain_filter_init(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"inclusive", "domain", NULL};
    PyObject *inclusive, *domain;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO:DomainFilter", keywords, &inclusive, &domain))
        return -1;
    return PyObject_SetAttrString(self, "inclusive", inclusive) < 0
               ? -1
               : PyObject_SetAttrString(self, "_domain", domain);
}

static PyObject *filter_pattern(PyObject *self, void *Py_UNUSED(closure)) {
    return attribute(self, "_filename_pattern");
}

/* Kept only where it was given, so that filters without it have the attributes of the standard ones. */
static PyObject *filter_function(PyObject *self, void *Py_UNUSED(closure)) {
    PyObject *function = attribute(self, "_function");
    if (function == NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        function = Py_NewRef(Py_None);
    }
    return function;
}

static PyObject *domain_filter_domain(PyObject *self, void *Py_UNUSED(closure)) {
    return attribute(self, "_domain");
}

/* --- matching one trace --- */

PyObject *raw_parts(PyObject *raw) {
    PyObject *parts = PySequence_Tuple(raw);
    Py_ssize_t count = parts == NULL ? 0 : PyTuple_GET_SIZE(parts);
    if (count > 4)
        PyErr_SetString(PyExc_ValueError, "too many values to unpack (expected 4)");
    else if (parts != NULL && count < 3)
        PyErr_Format(PyExc_ValueError, "not enough values to unpack (expected 4, got %zd)", count);
    else
        return parts;
    Py_XDECREF(parts);
    return NULL;
}

/* Is the attribute `name` None, or equal to `value`? */
static int admits(PyObject *self, const char *name, PyObject *value) {
    PyObject *wanted = attribute(self, name);
    int result = wanted == NULL ? -1 : wanted == Py_None ? 1 : PyObject_RichCompareBool(value, wanted, Py_EQ);
    Py_XDECREF(wanted);
    return result;
}

static int match_name(PyObject *self, PyObject *filename) {
    PyObject *normal = normalize_filename(filename), *fnmatch = NULL, *pattern = NULL;
    int result = -1;
    if (normal != NULL && (fnmatch = PyImport_ImportModule("fnmatch")) != NULL &&
        (pattern = attribute(self, "_filename_pattern")) != NULL)
        result = truth_of(call(fnmatch, "fnmatch", normal, pattern));
    Py_XDECREF(normal);
    Py_XDECREF(fnmatch);
    Py_XDECREF(pattern);
    return result;
}

static PyObject *filter_match_frame_impl(PyObject *self, PyObject *args) {
    PyObject *filename, *line;
    if (!PyArg_ParseTuple(args, "OO:_match_frame_impl", &filename, &line))
        return NULL;
    int result = match_name(self, filename);
    return bool_or_error(result > 0 ? admits(self, "lineno", line) : result);
}

static PyObject *filter_match_frame(PyObject *self, PyObject *args) {
    PyObject *filename, *line;
    if (!PyArg_ParseTuple(args, "OO:_match_frame", &filename, &line))
        return NULL;
    int matches = truth_of(call(self, "_match_frame_impl", filename, line));
    int inclusive = matches < 0 ? -1 : truth(self, "inclusive");
    return inclusive < 0 ? NULL : PyBool_FromLong(matches == inclusive);
}

/* Calls a method with the two parts of a frame. */
static int match_pair(PyObject *self, const char *method, PyObject *frame) {
    PyObject *tuple = PySequence_Tuple(frame);
    int result = -1;
    if (tuple != NULL && PyTuple_GET_SIZE(tuple) != 2)
        PyErr_Format(PyExc_ValueError, "a frame is (filename, lineno), not %zd values",
                     PyTuple_GET_SIZE(tuple));
    else if (tuple != NULL)
        result = truth_of(call(self, method, PyTuple_GET_ITEM(tuple, 0), PyTuple_GET_ITEM(tuple, 1)));
    Py_XDECREF(tuple);
    return result;
}

/* Raw frames do not tell their functions, so a filter that asks for one matches none of them: 1 it does, 0, -1. */
static int asks_for_function(PyObject *self) {
    PyObject *function = attribute(self, "function");
    int asks = function == NULL ? -1 : function != Py_None;
    Py_XDECREF(function);
    return asks;
}

static int match_any_frame(PyObject *self, PyObject *frames) {
    PyObject *iterator = PyObject_GetIter(frames), *frame;
    int result = iterator == NULL ? -1 : 0;
    while (result == 0 && (frame = PyIter_Next(iterator)) != NULL) {
        result = match_pair(self, "_match_frame_impl", frame);
        Py_DECREF(frame);
    }
    Py_XDECREF(iterator);
    return PyErr_Occurred() ? -1 : result;
}

static PyObject *filter_match_traceback(PyObject *self, PyObject *frames) {
    int all = truth(self, "all_frames"), by_function = all < 0 ? -1 : asks_for_function(self);
    if (by_function != 0) {
        int inclusive = by_function < 0 ? -1 : truth(self, "inclusive");
        return inclusive < 0 ? NULL : PyBool_FromLong(!inclusive);
    }
    if (all > 0) {
        int found = match_any_frame(self, frames), inclusive = found < 0 ? -1 : truth(self, "inclusive");
        return inclusive < 0 ? NULL : PyBool_FromLong(found == inclusive);
    }
    PyObject *zero = all < 0 ? NULL : PyLong_FromLong(0);
    PyObject *first = zero == NULL ? NULL : PyObject_GetItem(frames, zero);
    int result = first == NULL ? -1 : match_pair(self, "_match_frame", first);
    Py_XDECREF(zero);
    Py_XDECREF(first);
    return bool_or_error(result);
}

static PyObject *filter_match(PyObject *self, PyObject *raw) {
    PyObject *parts = raw_parts(raw);
    if (parts == NULL)
        return NULL;
    int passes = truth_of(call(self, "_match_traceback", PyTuple_GET_ITEM(parts, 2), NULL));
    int same = passes < 0 ? -1 : admits(self, "domain", PyTuple_GET_ITEM(parts, 0));
    int inclusive = same < 0 ? -1 : truth(self, "inclusive");
    Py_DECREF(parts);
    if (inclusive < 0)
        return NULL;
    return PyBool_FromLong(inclusive ? passes && same : passes || !same);
}

static PyObject *domain_filter_match(PyObject *self, PyObject *raw) {
    PyObject *parts = raw_parts(raw), *domain = NULL;
    int same = -1, inclusive = -1;
    if (parts != NULL && (domain = attribute(self, "domain")) != NULL &&
        (same = PyObject_RichCompareBool(PyTuple_GET_ITEM(parts, 0), domain, Py_EQ)) >= 0)
        inclusive = truth(self, "inclusive");
    Py_XDECREF(parts);
    Py_XDECREF(domain);
    return inclusive < 0 ? NULL : PyBool_FromLong(same == inclusive);
}

static PyObject *base_match(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(raw)) {
    PyErr_SetNone(PyExc_NotImplementedError);
    return NULL;
}

/* --- the types --- */

static int filter_traverse(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((struct filter_object *)self)->dict);
    return 0;
}

static int filter_clear(PyObject *self) {
    Py_CLEAR(((struct filter_object *)self)->dict);
    return 0;
}

static void filter_dealloc(PyObject *self) {
    PyObject_GC_UnTrack(self);
    if (((struct filter_object *)self)->weakrefs != NULL)
        PyObject_ClearWeakRefs(self);
    object_dealloc(self, filter_clear);
}

PyDoc_STRVAR(base_doc,
             "BaseFilter(inclusive)\n--\n\n"
             "What all filters are. A subclass defines _match(trace) for a raw trace (domain, size, frames,\n"
             "total_nframe): whether it passes.");
PyDoc_STRVAR(
    filter_doc,
    "Filter(inclusive, filename_pattern, lineno=None, all_frames=False, domain=None, *, "
    "function=None)\n--\n\n"
    "Includes or excludes traces by file name (a pattern of fnmatch), line and domain of the most recent\n"
    "frame, or of any frame where all_frames is true. A suffix .pyc of the pattern means .py.\n\n"
    "function is a pattern of qualified names (fnmatch.fnmatchcase), which must match in the same frame; it\n"
    "never matches where the function is not known, as in raw traces and in the standard module's files.");
PyDoc_STRVAR(domain_filter_doc, "DomainFilter(inclusive, domain)\n--\n\n"
                                "Includes or excludes traces by their address space (domain).");

static PyMethodDef base_methods[] = {
    {"_match", base_match, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef filter_methods[] = {
    {"_match_frame_impl", filter_match_frame_impl, METH_VARARGS, NULL},
    {"_match_frame", filter_match_frame, METH_VARARGS, NULL},
    {"_match_traceback", filter_match_traceback, METH_O, NULL},
    {"_match", filter_match, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef domain_filter_methods[] = {
    {"_match", domain_filter_match, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef base_getset[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyGetSetDef filter_getset[] = {
    {"filename_pattern", filter_pattern, NULL, "Pattern of file names (str), as fnmatch takes it.", NULL},
    {"function", filter_function, NULL, "Pattern of qualified names of functions (str), or None.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyGetSetDef domain_filter_getset[] = {
    {"domain", domain_filter_domain, NULL, "Address space (int).", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef base_members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(struct filter_object, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(struct filter_object, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot base_slots[] = {
    {Py_tp_doc, (void *)base_doc},  {Py_tp_init, base_init},
    {Py_tp_new, PyType_GenericNew}, {Py_tp_traverse, filter_traverse},
    {Py_tp_clear, filter_clear},    {Py_tp_dealloc, filter_dealloc},
    {Py_tp_methods, base_methods},  {Py_tp_getset, base_getset},
    {Py_tp_members, base_members},  {0, NULL},
};

static PyType_Slot filter_slots[] = {
    {Py_tp_doc, (void *)filter_doc},   {Py_tp_init, filter_init},
    {Py_tp_traverse, filter_traverse}, {Py_tp_clear, filter_clear},
    {Py_tp_dealloc, filter_dealloc},   {Py_tp_methods, filter_methods},
    {Py_tp_getset, filter_getset},     {0, NULL},
};

static PyType_Slot domain_filter_slots[] = {
    {Py_tp_doc, (void *)domain_filter_doc}, {Py_tp_init, domain_filter_init},
    {Py_tp_traverse, filter_traverse},      {Py_tp_clear, filter_clear},
    {Py_tp_dealloc, filter_dealloc},        {Py_tp_methods, domain_filter_methods},
    {Py_tp_getset, domain_filter_getset},   {0, NULL},
};

PyType_Spec base_filter_spec = {
    .name = "memtally.BaseFilter",
    .basicsize = sizeof(struct filter_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = base_slots,
};

PyType_Spec filter_spec = {
    .name = "memtally.Filter",
    .basicsize = sizeof(struct filter_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = filter_slots,
};

PyType_Spec domain_filter_spec = {
    .name = "memtally.DomainFilter",
    .basicsize = sizeof(struct filter_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = domain_filter_slots,
};
