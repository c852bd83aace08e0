/* unpickle: snapshots that the standard module dumped: pickles, read without unpickling anything.
 *
 *   PROTO FRAME "tracemalloc" "Snapshot" STACK_GLOBAL () NEWOBJ {traces: "_Traces" ... , traceback_limit: 25} BUILD STOP
 *
 * A machine of its own, which has only the operations that such a file needs: numbers, strings, tuples, lists, dicts
 * with string keys, the memo, and two classes, whose names are compared as text. Nothing is imported, called or looked
 * up; there is no way to say it: REDUCE, GLOBAL, INST, OBJ, persistent ids, extension codes and all the rest are
 * refused. The memo grows by one with each MEMOIZE, so memory and time are bounded by a multiple of the file's size.
 * What comes out is checked to be traces before anybody sees it. Needs the GIL. Owns its stack and memo while it reads.
 */
#include "../cpython/compat.h"
#include "types.h"

struct unpickler {
    struct state *state; /* borrowed */
    const unsigned char *bytes;
    size_t length;
    size_t at;        /* of what is read next */
    size_t operation; /* where the present operation begins: for messages */
    struct pile {
        PyObject **items; /* owned (PyMem); NULL among them: a mark */
        size_t count, room;
    } stack, memo;
    PyObject *traces;   /* owned: the one _Traces, NULL until it is there */
    PyObject *snapshot; /* owned: the one Snapshot, likewise */
    PyObject *raw;      /* owned: what was said to be the traces */
    PyObject *slots;    /* owned dict: the Snapshot's attributes */
};

/* Functions return 0, or -1 with an exception set; steps return 1 where reading ends. */

/* --- errors --- */

static int refuse(struct unpickler *self, const char *what) {
    PyErr_Format(PyExc_ValueError, "%s (at byte %zu)", what, self->operation);
    return -1;
}

static int refuse_operation(struct unpickler *self, int code) {
    PyErr_Format(PyExc_ValueError,
                 "operation 0x%02x, which a snapshot of the standard module does not need (at byte %zu)",
                 code, self->operation);
    return -1;
}

/* --- bytes --- */

/* The next `count` bytes, or NULL. */
static const unsigned char *take(struct unpickler *self, size_t count) {
    if (count > self->length - self->at) {
        refuse(self, "the file ends in the middle");
        return NULL;
    }
    const unsigned char *start = self->bytes + self->at;
    self->at += count;
    return start;
}

/* A little-endian number of up to eight bytes. */
static int take_number(struct unpickler *self, size_t bytes, uint64_t *number) {
    const unsigned char *start = take(self, bytes);
    *number = 0;
    for (size_t i = 0; start != NULL && i < bytes; i++)
        *number |= (uint64_t)start[i] << (8 * i);
    return start == NULL ? -1 : 0;
}

/* --- stack and memo --- */

/* Steals the item. */
static int pile_put(struct pile *pile, PyObject *item) {
    if (pile->count == pile->room) {
        size_t room = pile->room + pile->room / 2 + 64;
        PyObject **grown = pile->items;
        PyMem_Resize(grown, PyObject *, room);
        if (grown == NULL) {
            Py_XDECREF(item);
            PyErr_NoMemory();
            return -1;
        }
        pile->items = grown;
        pile->room = room;
    }
    pile->items[pile->count++] = item;
    return 0;
}

static void pile_fini(struct pile *pile) {
    while (pile->count > 0)
        Py_XDECREF(pile->items[--pile->count]);
    PyMem_Free(pile->items);
}

/* Steals; NULL is the error that was set when the item was made. */
static int push(struct unpickler *self, PyObject *item) {
    return item == NULL ? -1 : pile_put(&self->stack, item);
}

/* New reference to what is on top; no mark. */
static PyObject *pop(struct unpickler *self) {
    struct pile *stack = &self->stack;
    if (stack->count > 0 && stack->items[stack->count - 1] != NULL)
        return stack->items[--stack->count];
    refuse(self, "an operation without its values");
    return NULL;
}

/* Borrowed: what is on top, and of this exact type. */
static PyObject *top(struct unpickler *self, PyTypeObject *type) {
    struct pile *stack = &self->stack;
    PyObject *item = stack->count > 0 ? stack->items[stack->count - 1] : NULL;
    if (item != NULL && Py_IS_TYPE(item, type))
        return item;
    PyErr_Format(PyExc_ValueError, "an operation that needs a %s (at byte %zu)", type->tp_name,
                 self->operation);
    return NULL;
}

/* Takes all above the last mark, and the mark, as a new tuple. */
static PyObject *pop_to_mark(struct unpickler *self) {
    struct pile *stack = &self->stack;
    size_t start = stack->count;
    while (start > 0 && stack->items[start - 1] != NULL)
        start--;
    if (start == 0) {
        refuse(self, "an operation without its mark");
        return NULL;
    }
    PyObject *tuple = PyTuple_New((Py_ssize_t)(stack->count - start));
    if (tuple == NULL)
        return NULL;
    for (size_t i = start; i < stack->count; i++)
        PyTuple_SET_ITEM(tuple, (Py_ssize_t)(i - start), stack->items[i]);
    stack->count = start - 1;
    return tuple;
}

/* --- values --- */

static int push_number(struct unpickler *self, size_t bytes) {
    uint64_t number;
    if (take_number(self, bytes, &number) < 0)
        return -1;
    return push(self, PyLong_FromLongLong(bytes == 4 ? (int32_t)number : (int64_t)number));
}

static int push_long(struct unpickler *self, size_t unused) {
    (void)unused;
    uint64_t length;
    const unsigned char *start;
    if (take_number(self, 1, &length) < 0 || (start = take(self, length)) == NULL)
        return -1;
    return push(self, long_from_bytes(start, length));
}

static int push_float(struct unpickler *self, size_t unused) {
    (void)unused;
    const unsigned char *start = take(self, 8);
    if (start == NULL)
        return -1;
    double number = PyFloat_Unpack8((const char *)start, 0);
    return number == -1.0 && PyErr_Occurred() ? -1 : push(self, PyFloat_FromDouble(number));
}

static int push_string(struct unpickler *self, size_t length_bytes) {
    uint64_t length;
    const unsigned char *start;
    if (take_number(self, length_bytes, &length) < 0 || (start = take(self, length)) == NULL)
        return -1;
    PyObject *string = PyUnicode_DecodeUTF8((const char *)start, (Py_ssize_t)length, "surrogatepass");
    return string == NULL && !PyErr_ExceptionMatches(PyExc_MemoryError)
               ? refuse(self, "a string that is not UTF-8")
               : push(self, string);
}

/* A tuple of the topmost `count` items. */
static int push_tuple(struct unpickler *self, size_t count) {
    PyObject *tuple = PyTuple_New((Py_ssize_t)count);
    for (Py_ssize_t i = (Py_ssize_t)count; tuple != NULL && i > 0; i--) {
        PyObject *item = pop(self);
        if (item == NULL)
            Py_CLEAR(tuple);
        else
            PyTuple_SET_ITEM(tuple, i - 1, item);
    }
    return push(self, tuple);
}

static int push_known(struct unpickler *self, size_t bytes) {
    uint64_t index;
    if (take_number(self, bytes, &index) < 0)
        return -1;
    if (index >= self->memo.count)
        return refuse(self, "an index beyond what was remembered");
    return push(self, Py_NewRef(self->memo.items[index]));
}

static int remember(struct unpickler *self, size_t unused) {
    (void)unused;
    if (self->stack.count == 0 || self->stack.items[self->stack.count - 1] == NULL)
        return refuse(self, "nothing to remember");
    return pile_put(&self->memo, Py_NewRef(self->stack.items[self->stack.count - 1]));
}

/* --- lists and dicts --- */

static int append(struct unpickler *self, size_t unused) {
    (void)unused;
    PyObject *item = pop(self), *list = item == NULL ? NULL : top(self, &PyList_Type);
    int result = list == NULL ? -1 : PyList_Append(list, item);
    Py_XDECREF(item);
    return result;
}

static int append_all(struct unpickler *self, size_t unused) {
    (void)unused;
    PyObject *items = pop_to_mark(self), *list = items == NULL ? NULL : top(self, &PyList_Type);
    int result = -1;
    if (list != NULL)
        result = PyList_SetSlice(list, PyList_GET_SIZE(list), PyList_GET_SIZE(list), items);
    Py_XDECREF(items);
    return result;
}

/* Strings only, as no list of numbers can be made to collide in a dict of strings. */
static int set_item(struct unpickler *self, PyObject *dict, PyObject *key, PyObject *value) {
    if (!PyUnicode_CheckExact(key))
        return refuse(self, "a dict with a key that is no string");
    return PyDict_SetItem(dict, key, value);
}

static int set_one(struct unpickler *self, size_t unused) {
    (void)unused;
    PyObject *value = pop(self), *key = value == NULL ? NULL : pop(self);
    PyObject *dict = key == NULL ? NULL : top(self, &PyDict_Type);
    int result = dict == NULL ? -1 : set_item(self, dict, key, value);
    Py_XDECREF(value);
    Py_XDECREF(key);
    return result;
}

static int set_all(struct unpickler *self, size_t unused) {
    (void)unused;
    PyObject *items = pop_to_mark(self), *dict = items == NULL ? NULL : top(self, &PyDict_Type);
    int result = dict == NULL ? -1 : 0;
    if (dict != NULL && PyTuple_GET_SIZE(items) % 2 != 0)
        result = refuse(self, "a key without a value");
    for (Py_ssize_t i = 0; result == 0 && i < PyTuple_GET_SIZE(items); i += 2)
        result = set_item(self, dict, PyTuple_GET_ITEM(items, i), PyTuple_GET_ITEM(items, i + 1));
    Py_XDECREF(items);
    return result;
}

/* --- the two classes --- */

/* Names only: the repr of anything else may be as long as the file wants it, which shares what it repeats. */
static int refuse_class(struct unpickler *self, PyObject *module, PyObject *name) {
    if (!PyUnicode_CheckExact(module) || !PyUnicode_CheckExact(name))
        return refuse(self, "a class whose name is no string");
    PyErr_Format(PyExc_ValueError, "a snapshot of the standard module does not name %R of %R (at byte %zu)",
                 name, module, self->operation);
    return -1;
}

static bool is_text(PyObject *string, const char *text) {
    return PyUnicode_CheckExact(string) && PyUnicode_CompareWithASCIIString(string, text) == 0;
}

static int push_class(struct unpickler *self, size_t unused) {
    (void)unused;
    PyObject *name = pop(self), *module = name == NULL ? NULL : pop(self);
    PyTypeObject *type = NULL;
    int result = -1;
    if (module != NULL && is_text(module, "tracemalloc"))
        type = is_text(name, "Snapshot")  ? self->state->snapshot_type
               : is_text(name, "_Traces") ? self->state->traces_type
                                          : NULL;
    if (type != NULL)
        result = push(self, Py_NewRef((PyObject *)type));
    else if (module != NULL)
        result = refuse_class(self, module, name);
    Py_XDECREF(name);
    Py_XDECREF(module);
    return result;
}

/* An object of one of the two classes, without arguments, and one of each at most. */
static int push_object(struct unpickler *self, size_t unused) {
    (void)unused;
    PyObject *arguments = pop(self), *class = arguments == NULL ? NULL : pop(self);
    PyObject **one = class == (PyObject *)self->state->snapshot_type ? &self->snapshot
                     : class == (PyObject *)self->state->traces_type ? &self->traces
                                                                     : NULL;
    int result = -1;
    if (class != NULL && one != NULL && *one == NULL && PyTuple_CheckExact(arguments) &&
        PyTuple_GET_SIZE(arguments) == 0) {
        PyTypeObject *type = (PyTypeObject *)class;
        if ((*one = type->tp_alloc(type, 0)) != NULL)
            result = push(self, Py_NewRef(*one));
    } else if (class != NULL) {
        refuse(self, "an object that is neither the snapshot nor its traces");
    }
    Py_XDECREF(arguments);
    Py_XDECREF(class);
    return result;
}

/* Keeps what is said of the snapshot or its traces; the objects themselves are only names of them. */
static int build(struct unpickler *self, size_t unused) {
    (void)unused;
    PyObject *slots = pop(self), *object = slots == NULL ? NULL : pop(self), *raw;
    int result = -1;
    if (object != NULL && object == self->traces && self->raw == NULL && PyDict_CheckExact(slots) &&
        PyDict_GET_SIZE(slots) == 1 && (raw = PyDict_GetItemString(slots, "_traces")) != NULL) {
        self->raw = Py_NewRef(raw);
        result = 0;
    } else if (object != NULL && object == self->snapshot && self->slots == NULL &&
               PyDict_CheckExact(slots)) {
        self->slots = Py_NewRef(slots);
        result = 0;
    } else if (object != NULL) {
        refuse(self, "attributes of something that is neither the snapshot nor its traces");
    }
    Py_XDECREF(slots);
    return result < 0 ? (Py_XDECREF(object), -1) : push(self, object);
}

/* --- the machine --- */

static int check_frame(struct unpickler *self, size_t unused) {
    (void)unused;
    uint64_t length;
    if (take_number(self, 8, &length) < 0)
        return -1;
    return length > self->length - self->at ? refuse(self, "a frame beyond the end of the file") : 0;
}

static int stop(struct unpickler *self, size_t unused) {
    (void)self;
    (void)unused;
    return 1;
}

static int mark(struct unpickler *self, size_t unused) {
    (void)unused;
    return pile_put(&self->stack, NULL);
}

enum simple { EMPTY_TUPLE, EMPTY_LIST, EMPTY_DICT, MARKED_TUPLE, NONE, TRUE_VALUE, FALSE_VALUE };

static int push_simple(struct unpickler *self, size_t which) {
    switch ((enum simple)which) {
    case EMPTY_TUPLE:
        return push(self, PyTuple_New(0));
    case EMPTY_LIST:
        return push(self, PyList_New(0));
    case EMPTY_DICT:
        return push(self, PyDict_New());
    case MARKED_TUPLE:
        return push(self, pop_to_mark(self));
    case NONE:
        return push(self, Py_NewRef(Py_None));
    default:
        return push(self, PyBool_FromLong(which == TRUE_VALUE));
    }
}

/* All there is, by code, under the names that pickle gives them. */
static const struct operation {
    int (*run)(struct unpickler *self, size_t argument);
    size_t argument;
} operations[256] = {
    ['.'] = {stop, 0},                   /* STOP */
    ['('] = {mark, 0},                   /* MARK */
    ['K'] = {push_number, 1},            /* BININT1 */
    ['M'] = {push_number, 2},            /* BININT2 */
    ['J'] = {push_number, 4},            /* BININT */
    [0x8a] = {push_long, 0},             /* LONG1 */
    ['G'] = {push_float, 0},             /* BINFLOAT */
    ['N'] = {push_simple, NONE},         /* NONE */
    [0x88] = {push_simple, TRUE_VALUE},  /* NEWTRUE */
    [0x89] = {push_simple, FALSE_VALUE}, /* NEWFALSE */
    [0x8c] = {push_string, 1},           /* SHORT_BINUNICODE */
    ['X'] = {push_string, 4},            /* BINUNICODE */
    [')'] = {push_simple, EMPTY_TUPLE},  /* EMPTY_TUPLE */
    [0x85] = {push_tuple, 1},            /* TUPLE1 */
    [0x86] = {push_tuple, 2},            /* TUPLE2 */
    [0x87] = {push_tuple, 3},            /* TUPLE3 */
    ['t'] = {push_simple, MARKED_TUPLE}, /* TUPLE */
    [']'] = {push_simple, EMPTY_LIST},   /* EMPTY_LIST */
    ['a'] = {append, 0},                 /* APPEND */
    ['e'] = {append_all, 0},             /* APPENDS */
    ['}'] = {push_simple, EMPTY_DICT},   /* EMPTY_DICT */
    ['s'] = {set_one, 0},                /* SETITEM */
    ['u'] = {set_all, 0},                /* SETITEMS */
    [0x94] = {remember, 0},              /* MEMOIZE */
    ['h'] = {push_known, 1},             /* BINGET */
    ['j'] = {push_known, 4},             /* LONG_BINGET */
    [0x93] = {push_class, 0},            /* STACK_GLOBAL */
    [0x81] = {push_object, 0},           /* NEWOBJ */
    ['b'] = {build, 0},                  /* BUILD */
    [0x95] = {check_frame, 0},           /* FRAME */
};

static int step(struct unpickler *self) {
    const unsigned char *code = take(self, 1);
    if (code == NULL)
        return -1;
    const struct operation *operation = &operations[*code];
    return operation->run == NULL ? refuse_operation(self, *code) : operation->run(self, operation->argument);
}

static int run(struct unpickler *self) {
    enum { PROTO = 0x80, STEPS_BETWEEN_SIGNALS = 1 << 16 };
    const unsigned char *head = take(self, 2);
    if (head == NULL)
        return -1;
    if (head[0] != PROTO || head[1] < 4 || head[1] > 5)
        return refuse(self, "no pickle of protocol 4 or 5, which the standard module writes");
    int result = 0;
    for (size_t steps = 1; result == 0; steps++) {
        self->operation = self->at;
        result = steps % STEPS_BETWEEN_SIGNALS == 0 && PyErr_CheckSignals() < 0 ? -1 : step(self);
    }
    if (result < 0)
        return -1;
    if (self->stack.count != 1 || self->snapshot == NULL || self->stack.items[0] != self->snapshot ||
        self->slots == NULL || self->raw == NULL)
        return refuse(self, "the pickle is not a snapshot");
    return 0;
}

/* --- what came out --- */

static bool is_frame(PyObject *frame) {
    return PyTuple_CheckExact(frame) && PyTuple_GET_SIZE(frame) == 2 &&
           PyUnicode_CheckExact(PyTuple_GET_ITEM(frame, 0)) && PyLong_CheckExact(PyTuple_GET_ITEM(frame, 1));
}

/* `known`: a set of the addresses of tuples that are in order, because many traces share one. */
static int are_frames(PyObject *known, PyObject *frames) {
    PyObject *key = PyTuple_CheckExact(frames) ? PyLong_FromVoidPtr(frames) : Py_NewRef(Py_None);
    int result = key == NULL ? -1 : key == Py_None ? 0 : PySet_Contains(known, key);
    if (key != Py_None && result == 0) {
        result = 1;
        for (Py_ssize_t i = 0; result > 0 && i < PyTuple_GET_SIZE(frames); i++)
            result = is_frame(PyTuple_GET_ITEM(frames, i));
        if (result > 0 && PySet_Add(known, key) < 0)
            result = -1;
    }
    Py_XDECREF(key);
    return result;
}

static int is_trace(PyObject *known, PyObject *trace) {
    Py_ssize_t count = PyTuple_CheckExact(trace) ? PyTuple_GET_SIZE(trace) : 0;
    if (count < 3 || count > 4 || !PyLong_CheckExact(PyTuple_GET_ITEM(trace, 0)) ||
        !PyLong_CheckExact(PyTuple_GET_ITEM(trace, 1)))
        return 0;
    PyObject *total = count == 4 ? PyTuple_GET_ITEM(trace, 3) : Py_None;
    if (total != Py_None && !PyLong_CheckExact(total))
        return 0;
    return are_frames(known, PyTuple_GET_ITEM(trace, 2));
}

/* What does not fit columns (numbers that no block has) may still be traces. */
static int check_traces(PyObject *raw) {
    PyObject *known = PySet_New(NULL);
    Py_ssize_t count = PyList_CheckExact(raw) ? PyList_GET_SIZE(raw) : PyTuple_GET_SIZE(raw);
    int result = known == NULL ? -1 : 1;
    for (Py_ssize_t i = 0; result > 0 && i < count; i++) {
        result = is_trace(known, PyList_CheckExact(raw) ? PyList_GET_ITEM(raw, i) : PyTuple_GET_ITEM(raw, i));
        if (result == 0)
            PyErr_Format(PyExc_ValueError, "trace %zd is not (domain, size, frames[, total_nframe])", i);
    }
    Py_XDECREF(known);
    return result > 0 ? 0 : -1;
}

static PyObject *make_snapshot(struct unpickler *self, PyObject *limit) {
    struct snapshot *columns = NULL;
    struct names *names = NULL;
    PyObject *snapshot = NULL;
    int fits = columns_from_raw(self->raw, &columns);
    if (fits > 0 && (names = names_new(self->state, columns->paths)) != NULL)
        snapshot = snapshot_from_columns(self->state, names, columns, limit);
    else if (fits == 0 && check_traces(self->raw) == 0)
        snapshot = snapshot_from_raw(self->state, self->raw, limit);
    snapshot_release(columns);
    Py_XDECREF((PyObject *)names);
    return snapshot;
}

/* An attribute that the program put on the snapshot: a number or a string, and none that the class has itself or that
 * Python gives a meaning to. */
static int restore(PyObject *snapshot, PyObject *name, PyObject *value) {
    bool plain = value == Py_None || PyBool_Check(value) || PyLong_CheckExact(value) ||
                 PyFloat_CheckExact(value) || PyUnicode_CheckExact(value);
    bool special = PyUnicode_GET_LENGTH(name) >= 2 && PyUnicode_READ_CHAR(name, 0) == '_' &&
                   PyUnicode_READ_CHAR(name, 1) == '_';
    if (!plain || special || PyObject_HasAttr((PyObject *)Py_TYPE(snapshot), name)) {
        PyErr_Format(PyExc_ValueError, "the snapshot's attribute %R is no number or string of its own", name);
        return -1;
    }
    return PyObject_SetAttr(snapshot, name, value);
}

static PyObject *result_of(struct unpickler *self) {
    PyObject *traces = PyDict_GetItemString(self->slots, "traces"), *name, *value;
    PyObject *limit = PyDict_GetItemString(self->slots, "traceback_limit");
    if (traces != self->traces || limit == NULL || !PyLong_CheckExact(limit) ||
        (!PyList_CheckExact(self->raw) && !PyTuple_CheckExact(self->raw))) {
        PyErr_SetString(PyExc_ValueError, "a snapshot has traces, a list, and a traceback_limit, an int");
        return NULL;
    }
    PyObject *snapshot = make_snapshot(self, limit);
    for (Py_ssize_t at = 0; snapshot != NULL && PyDict_Next(self->slots, &at, &name, &value);)
        if (value != traces && !is_text(name, "traceback_limit") && restore(snapshot, name, value) < 0)
            Py_CLEAR(snapshot);
    return snapshot;
}

/* "not a snapshot file: NAME: what is wrong" */
static void name_the_file(PyObject *filename) {
    if (!PyErr_ExceptionMatches(PyExc_ValueError))
        return;
    PyObject *error = raised_exception();
    if (filename != NULL)
        PyErr_Format(PyExc_ValueError, "not a snapshot file: %R: %S", filename, error);
    else
        PyErr_Format(PyExc_ValueError, "not a snapshot: %S", error);
    Py_DECREF(error);
}

bool pickle_begins(const void *bytes, size_t length) {
    return length > 0 && *(const unsigned char *)bytes == 0x80;
}

PyObject *pickle_load(struct state *state, const void *bytes, size_t length, PyObject *filename) {
    struct unpickler self = {.state = state, .bytes = bytes, .length = length};
    PyObject *snapshot = run(&self) == 0 ? result_of(&self) : NULL;
    pile_fini(&self.stack);
    pile_fini(&self.memo);
    Py_XDECREF(self.traces);
    Py_XDECREF(self.snapshot);
    Py_XDECREF(self.raw);
    Py_XDECREF(self.slots);
    if (snapshot == NULL)
        name_the_file(filename);
    return snapshot;
}
