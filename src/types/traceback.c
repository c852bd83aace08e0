/* traceback: class Traceback, a sequence of frames from the oldest to the most recent.
 *
 * Either holds its tuple of pairs, as the standard class does, or a place in the columns of a snapshot from
 * which the tuple is made at the first look. Functions are kept beside the pairs. Needs the GIL.
 */
#include "types.h"

PyObject *traceback_lazy(struct state *state, struct names *names, const struct place *place) {
    PyObject *object = object_new_untracked(state->traceback_type, sizeof(struct traceback));
    if (object == NULL)
        return NULL;
    struct traceback *self = (struct traceback *)object;
    self->names = (struct names *)Py_NewRef((PyObject *)names);
    self->place = *place;
    return object;
}

PyObject *tuple_reversed(PyObject *sequence) {
    if (!PyTuple_CheckExact(sequence)) {
        PyObject *reversed = PyObject_CallOneArg((PyObject *)&PyReversed_Type, sequence);
        PyObject *result = reversed == NULL ? NULL : PySequence_Tuple(reversed);
        Py_XDECREF(reversed);
        return result;
    }
    Py_ssize_t count = PyTuple_GET_SIZE(sequence);
    PyObject *result = PyTuple_New(count);
    for (Py_ssize_t i = 0; result != NULL && i < count; i++)
        PyTuple_SET_ITEM(result, count - 1 - i, Py_NewRef(PyTuple_GET_ITEM(sequence, i)));
    return result;
}

PyObject *traceback_from_frames(struct state *state, PyObject *frames) {
    PyObject *reversed = tuple_reversed(frames);
    PyObject *object = reversed == NULL
                           ? NULL
                           : object_new_untracked(state->traceback_type, sizeof(struct traceback));
    if (object == NULL) {
        Py_XDECREF(reversed);
        return NULL;
    }
    ((struct traceback *)object)->frames = reversed;
    ((struct traceback *)object)->total_nframe = Py_NewRef(Py_None);
    object_track(object);
    return object;
}

/* --- from columns --- */

/* A tuple of what the frames of a path are: pairs, or functions. Oldest first. */
static PyObject *path_items(struct names *names, const struct place *place, bool functions) {
    const struct callpaths *paths = names->paths;
    uint32_t node = place->path.node;
    Py_ssize_t i = (Py_ssize_t)path_frames(paths, node, place->path.limit);
    PyObject *items = PyTuple_New(i);
    while (items != NULL && i-- > 0) {
        uint32_t site = node_get(paths, node)->site;
        PyObject *item = functions ? names_function(names, site_get(paths, site)->function)
                                   : names_pair(names, site);
        if (item == NULL)
            Py_CLEAR(items);
        else
            PyTuple_SET_ITEM(items, i, Py_NewRef(item));
        node = node_get(paths, node)->parent;
    }
    return items;
}

static PyObject *one_frame(PyObject *name, uint32_t line) {
    PyObject *number = PyLong_FromUnsignedLong(line), *tuple = NULL, *frames = NULL;
    if (number != NULL && (tuple = PyTuple_Pack(2, name, number)) != NULL)
        frames = PyTuple_Pack(1, tuple);
    Py_XDECREF(number);
    Py_XDECREF(tuple);
    return frames;
}

static PyObject *make_frames(struct names *names, const struct place *place) {
    if (place->kind == PLACE_PATH)
        return path_items(names, place, false);
    if (place->kind == PLACE_EMPTY)
        return PyTuple_New(0);
    if (place->kind == PLACE_LINE) {
        PyObject *file = names_string(names, place->line.file);
        return file == NULL ? NULL : one_frame(file, place->line.line);
    }
    PyObject *name = PyUnicode_FromFormat("<domain %lu>", (unsigned long)place->domain);
    PyObject *frames = name == NULL ? NULL : one_frame(name, 0);
    Py_XDECREF(name);
    return frames;
}

PyObject *traceback_frames(struct traceback *self) {
    if (self->frames == NULL && self->names != NULL) {
        PyObject *frames = make_frames(self->names, &self->place);
        if (frames == NULL)
            return NULL;
        Py_XSETREF(self->frames, frames);
    }
    return self->frames != NULL ? self->frames : slot_missing((PyObject *)self, "_frames");
}

int traceback_functions(struct traceback *self, PyObject **functions) {
    if (self->functions == NULL && self->names != NULL) {
        PyObject *made = NULL;
        if (self->place.kind == PLACE_PATH) {
            made = path_items(self->names, &self->place, true);
        } else if (self->place.kind == PLACE_LINE) {
            PyObject *function = names_function(self->names, self->place.line.function);
            made = function == NULL ? NULL : PyTuple_Pack(1, function);
        } else {
            made = Py_NewRef(Py_None);
        }
        if (made == NULL)
            return -1;
        Py_XSETREF(self->functions, made);
    }
    *functions = self->functions == Py_None ? NULL : self->functions;
    return 0;
}

/* --- attributes --- */

static PyObject *get_frames(PyObject *self, void *Py_UNUSED(closure)) {
    return Py_XNewRef(traceback_frames((struct traceback *)self));
}

/* From now on the frames are what was given, and nothing comes from columns any more. */
static int set_frames(PyObject *object, PyObject *value, void *closure) {
    struct traceback *self = (struct traceback *)object;
    if (self->names != NULL) {
        PyObject *total = attribute(object, "_total_nframe");
        if (total == NULL)
            return -1;
        Py_XSETREF(self->total_nframe, total);
        if (traceback_frames(self) == NULL)
            return -1;
        Py_CLEAR(self->names);
    }
    Py_CLEAR(self->functions);
    return slot_set(object, value, closure);
}

static PyObject *get_functions(PyObject *self, void *Py_UNUSED(closure)) {
    PyObject *functions;
    if (traceback_functions((struct traceback *)self, &functions) < 0)
        return NULL;
    return Py_NewRef(functions == NULL ? Py_None : functions);
}

static PyObject *get_total(PyObject *object, void *Py_UNUSED(closure)) {
    struct traceback *self = (struct traceback *)object;
    if (self->total_nframe == NULL && self->names != NULL) {
        if (self->place.kind != PLACE_PATH || self->place.path.depth == 0)
            Py_RETURN_NONE;
        return PyLong_FromUnsignedLong(self->place.path.depth);
    }
    return self->total_nframe != NULL ? Py_NewRef(self->total_nframe) : slot_missing(object, "_total_nframe");
}

/* --- sequence --- */

static Py_ssize_t traceback_length(PyObject *self) {
    PyObject *frames = traceback_frames((struct traceback *)self);
    return frames == NULL ? -1 : PyObject_Size(frames);
}

/* A tuple of Frame for a sequence of pairs and a sequence of as many functions (or NULL). */
static PyObject *frames_of(struct state *state, PyObject *pairs, PyObject *functions) {
    PyObject *fast = PySequence_Fast(pairs, "the frames of a traceback must be iterable"), *result = NULL;
    Py_ssize_t count = fast == NULL ? 0 : PySequence_Fast_GET_SIZE(fast);
    if (fast != NULL)
        result = PyTuple_New(count);
    for (Py_ssize_t i = 0; result != NULL && i < count; i++) {
        PyObject *function = functions != NULL && PyTuple_Check(functions) && i < PyTuple_GET_SIZE(functions)
                                 ? PyTuple_GET_ITEM(functions, i)
                                 : NULL;
        PyObject *frame = frame_new(state, PySequence_Fast_GET_ITEM(fast, i), function);
        if (frame == NULL)
            Py_CLEAR(result);
        else
            PyTuple_SET_ITEM(result, i, frame);
    }
    Py_XDECREF(fast);
    return result;
}

static PyObject *traceback_item(PyObject *object, PyObject *index) {
    PyObject *part = NULL, *part_functions = NULL, *result = NULL;
    struct state *state = state_of(object);
    PyObject *frames = traceback_frames((struct traceback *)object), *functions;
    if (state == NULL || frames == NULL || traceback_functions((struct traceback *)object, &functions) < 0)
        return NULL;
    Py_XINCREF(functions);
    if ((part = PyObject_GetItem(frames, index)) != NULL &&
        (functions == NULL || (part_functions = PyObject_GetItem(functions, index)) != NULL))
        result = PySlice_Check(index) ? frames_of(state, part, part_functions)
                                      : frame_new(state, part, part_functions);
    Py_XDECREF(functions);
    Py_XDECREF(part);
    Py_XDECREF(part_functions);
    return result;
}

static PyObject *traceback_sq_item(PyObject *self, Py_ssize_t index) {
    PyObject *number = PyLong_FromSsize_t(index);
    PyObject *result = number == NULL ? NULL : traceback_item(self, number);
    Py_XDECREF(number);
    return result;
}

static PyObject *traceback_iter(PyObject *object) {
    struct state *state = state_of(object);
    PyObject *frames = traceback_frames((struct traceback *)object), *functions;
    if (state == NULL || frames == NULL || traceback_functions((struct traceback *)object, &functions) < 0)
        return NULL;
    PyObject *all = frames_of(state, frames, functions);
    PyObject *iterator = all == NULL ? NULL : PyObject_GetIter(all);
    Py_XDECREF(all);
    return iterator;
}

static int traceback_contains(PyObject *self, PyObject *frame) {
    PyObject *tuple = attribute(frame, "_frame");
    PyObject *frames = tuple == NULL ? NULL : traceback_frames((struct traceback *)self);
    int found = frames == NULL ? -1 : PySequence_Contains(frames, tuple);
    Py_XDECREF(tuple);
    return found;
}

/* --- comparison, text, format --- */

static bool same_path(const struct traceback *a, const struct traceback *b) {
    return a->names != NULL && a->names == b->names && a->place.kind == PLACE_PATH &&
           b->place.kind == PLACE_PATH && a->place.path.node == b->place.path.node &&
           a->place.path.limit == b->place.path.limit;
}

static PyObject *traceback_compare(PyObject *a, PyObject *b, int op) {
    struct state *state = state_of(a);
    if (state == NULL)
        return NULL;
    if (!PyObject_TypeCheck(b, state->traceback_type))
        Py_RETURN_NOTIMPLEMENTED;
    if (same_path((struct traceback *)a, (struct traceback *)b))
        return PyBool_FromLong(op == Py_EQ || op == Py_LE || op == Py_GE);
    PyObject *left = traceback_frames((struct traceback *)a),
             *right = traceback_frames((struct traceback *)b);
    if (left == NULL || right == NULL)
        return NULL;
    Py_INCREF(left);
    Py_INCREF(right);
    PyObject *result = order_objects(left, right, op);
    Py_DECREF(left);
    Py_DECREF(right);
    return result;
}

static Py_hash_t traceback_hash(PyObject *self) {
    PyObject *frames = traceback_frames((struct traceback *)self);
    return frames == NULL ? -1 : PyObject_Hash(frames);
}

static PyObject *traceback_str(PyObject *self) {
    PyObject *first = PySequence_GetItem(self, 0);
    PyObject *text = first == NULL ? NULL : PyObject_Str(first);
    Py_XDECREF(first);
    return text;
}

static PyObject *traceback_repr(PyObject *self) {
    PyObject *frames = PySequence_Tuple(self), *total = NULL, *text = NULL;
    if (frames != NULL && (total = attribute(self, "total_nframe")) != NULL)
        text = total == Py_None ? PyUnicode_FromFormat("<Traceback %R>", frames)
                                : PyUnicode_FromFormat("<Traceback %R total_nframe=%S>", frames, total);
    Py_XDECREF(frames);
    Py_XDECREF(total);
    return text;
}

/* self[-limit:] the most recent frames, self[:limit] the oldest ones */
static PyObject *limited(PyObject *self, PyObject *limit) {
    PyObject *zero = PyLong_FromLong(0), *negative = NULL, *slice = NULL, *result = NULL;
    int recent = zero == NULL ? -1 : PyObject_RichCompareBool(limit, zero, Py_GT);
    if (recent > 0 && (negative = PyNumber_Negative(limit)) != NULL)
        slice = PySlice_New(negative, NULL, NULL);
    else if (recent == 0)
        slice = PySlice_New(NULL, limit, NULL);
    if (slice != NULL)
        result = PyObject_GetItem(self, slice);
    Py_XDECREF(zero);
    Py_XDECREF(negative);
    Py_XDECREF(slice);
    return result;
}

static int append_line(PyObject *lines, const char *format, PyObject *a, PyObject *b) {
    PyObject *text = PyUnicode_FromFormat(format, a, b);
    int result = text == NULL ? -1 : PyList_Append(lines, text);
    Py_XDECREF(text);
    return result;
}

static int append_frame(PyObject *lines, PyObject *linecache, PyObject *frame) {
    PyObject *filename = attribute(frame, "filename"), *line = NULL, *stripped = NULL;
    PyObject *lineno = attribute(frame, "lineno");
    int result = -1, any;
    if (filename != NULL && lineno != NULL &&
        append_line(lines, "  File \"%S\", line %S", filename, lineno) == 0 &&
        (line = call(linecache, "getline", filename, lineno)) != NULL &&
        (stripped = call(line, "strip", NULL, NULL)) != NULL && (any = PyObject_IsTrue(stripped)) >= 0)
        result = any ? append_line(lines, "    %S", stripped, NULL) : 0;
    Py_XDECREF(filename);
    Py_XDECREF(lineno);
    Py_XDECREF(line);
    Py_XDECREF(stripped);
    return result;
}

static PyObject *traceback_format(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"limit", "most_recent_first", NULL};
    PyObject *linecache = NULL, *frames = NULL, *lines = NULL;
    PyObject *limit = Py_None, *recent_first = Py_False;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:format", keywords, &limit, &recent_first))
        return NULL;
    PyObject *part = limit == Py_None ? Py_NewRef(self) : limited(self, limit);
    int reverse = part == NULL ? -1 : PyObject_IsTrue(recent_first);
    if (reverse >= 0)
        frames = PySequence_Tuple(part);
    if (reverse > 0 && frames != NULL)
        Py_SETREF(frames, tuple_reversed(frames));
    if (frames != NULL && (linecache = PyImport_ImportModule("linecache")) != NULL)
        lines = PyList_New(0);
    for (Py_ssize_t i = 0; lines != NULL && i < PyTuple_GET_SIZE(frames); i++)
        if (append_frame(lines, linecache, PyTuple_GET_ITEM(frames, i)) < 0)
            Py_CLEAR(lines);
    Py_XDECREF(part);
    Py_XDECREF(frames);
    Py_XDECREF(linecache);
    return lines;
}

/* --- the type --- */

static int traceback_init(PyObject *object, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"frames", "total_nframe", NULL};
    PyObject *frames, *total = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:Traceback", keywords, &frames, &total))
        return -1;
    PyObject *reversed = tuple_reversed(frames);
    if (reversed == NULL)
        return -1;
    struct traceback *self = (struct traceback *)object;
    Py_XSETREF(self->frames, reversed);
    Py_XSETREF(self->total_nframe, Py_NewRef(total));
    Py_CLEAR(self->functions);
    Py_CLEAR(self->names);
    return 0;
}

static int traceback_traverse(PyObject *object, visitproc visit, void *arg) {
    struct traceback *self = (struct traceback *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->frames);
    Py_VISIT(self->total_nframe);
    Py_VISIT(self->functions);
    return 0;
}

static int traceback_clear(PyObject *object) {
    struct traceback *self = (struct traceback *)object;
    Py_CLEAR(self->frames);
    Py_CLEAR(self->total_nframe);
    Py_CLEAR(self->functions);
    Py_CLEAR(self->names);
    return 0;
}

static void traceback_dealloc(PyObject *self) { object_dealloc(self, traceback_clear); }

PyDoc_STRVAR(
    traceback_doc,
    "Traceback(frames, total_nframe=None)\n--\n\n"
    "Sequence of Frame from the oldest to the most recent; frames is a sequence of (filename, lineno)\n"
    "from the most recent to the oldest, as raw traces have it.\n\n"
    "Tracebacks compare and hash by the file names and lines of their frames.");

PyDoc_STRVAR(
    format_doc,
    "format($self, /, limit=None, most_recent_first=False)\n--\n\n"
    "List of lines, with source lines where linecache finds them, without newlines.\n\n"
    "A positive limit takes that many of the most recent frames, a negative one abs(limit) of the oldest.");

static PyMethodDef traceback_methods[] = {
    {"format", (PyCFunction)(void (*)(void))traceback_format, METH_VARARGS | METH_KEYWORDS, format_doc},
    {"__reduce__", slots_reduce, METH_NOARGS, "For pickle and copy."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef traceback_getset[] = {
    {"total_nframe", get_total, NULL,
     "Number of frames of the stack before it was cut to the limit (int), or None where it is not known.",
     NULL},
    {"_frames", get_frames, set_frames, NULL, SLOT_CLOSURE("_frames", struct traceback, frames)},
    {"_total_nframe", get_total, slot_set, NULL,
     SLOT_CLOSURE("_total_nframe", struct traceback, total_nframe)},
    {"_functions", get_functions, slot_set, NULL, SLOT_CLOSURE("_functions", struct traceback, functions)},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot traceback_slots[] = {
    {Py_tp_doc, (void *)traceback_doc},
    {Py_tp_init, traceback_init},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_traverse, traceback_traverse},
    {Py_tp_clear, traceback_clear},
    {Py_tp_dealloc, traceback_dealloc},
    {Py_tp_richcompare, traceback_compare},
    {Py_tp_hash, traceback_hash},
    {Py_tp_str, traceback_str},
    {Py_tp_repr, traceback_repr},
    {Py_tp_iter, traceback_iter},
    {Py_sq_length, traceback_length},
    {Py_sq_item, traceback_sq_item},
    {Py_sq_contains, traceback_contains},
    {Py_mp_length, traceback_length},
    {Py_mp_subscript, traceback_item},
    {Py_tp_methods, traceback_methods},
    {Py_tp_getset, traceback_getset},
    {0, NULL},
};

PyType_Spec traceback_spec = {
    .name = "memtally.Traceback",
    .basicsize = sizeof(struct traceback),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_SEQUENCE,
    .slots = traceback_slots,
};
