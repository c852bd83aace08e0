/* module: memtally._core: its functions, its types, its state.
 *
 * Lives in the main interpreter only, because the tracer is one for the process. Functions check their
 * arguments, call the engine (engine.h) and wrap what it gives. Needs the GIL.
 *
 * The types are made by start(), before it traces, or when something first asks for one: 60 KB that a program never pays
 * for which is traced from its first line (_start_early) and asks for nothing.
 */
#include "types.h"

#include "engine.h"

enum { MOST_FRAMES = UINT16_MAX };

static struct state *module_state(PyObject *module) { return PyModule_GetState(module); }

#define TYPE(name) &name##_spec, offsetof(struct state, name##_type)

static const struct type_entry {
    PyType_Spec *spec;
    size_t place; /* of the type, in the module's state */
    bool is_filter;
} all_types[] = {
    {TYPE(names), false},       {TYPE(views), false},     {TYPE(traces_iterator), false},
    {TYPE(frame), false},       {TYPE(traceback), false}, {TYPE(trace), false},
    {TYPE(traces), false},      {TYPE(statistic), false}, {TYPE(statistic_diff), false},
    {TYPE(snapshot), false},    {TYPE(branch), false},    {TYPE(measurement), false},
    {TYPE(base_filter), false}, {TYPE(filter), true},     {TYPE(domain_filter), true},
};
enum { TYPE_COUNT = sizeof all_types / sizeof *all_types };

/* What a type is called in the module; NULL: nothing, it is only used. */
static const char *public_name(const struct type_entry *entry) {
    const char *name = entry->spec->name + strlen("memtally.");
    return strchr(name, '.') == NULL ? name : NULL;
}

static PyTypeObject **type_place(struct state *state, const struct type_entry *entry) {
    return (PyTypeObject **)(void *)((char *)state + entry->place);
}

/* --- tracing --- */

PyDoc_STRVAR(start_doc,
             "start($module, nframe=1, /)\n--\n\n"
             "Start tracing memory allocations; tracebacks keep the nframe most recent frames.\n\n"
             "Does nothing while tracing already. Raises ValueError where nframe is not in 1 .. 65535, and\n"
             "MemoryError. Call it from any thread.");

static PyObject *start_early(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *number = NULL;
    long nframe = 1;
    int overflow = 0;
    if (!PyArg_UnpackTuple(args, "start", 0, 1, &number))
        return NULL;
    if (number != NULL && (nframe = PyLong_AsLongAndOverflow(number, &overflow)) == -1 && PyErr_Occurred())
        return NULL;
    if (overflow != 0 || nframe < INT_MIN || nframe > INT_MAX) {
        PyErr_SetString(PyExc_OverflowError, "Python int too large to convert to C int");
        return NULL;
    }
    if (nframe < 1 || nframe > MOST_FRAMES)
        return PyErr_Format(PyExc_ValueError, "the number of frames must be in range [1; %d]", MOST_FRAMES);
    if (engine_start((int)nframe) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *start(PyObject *module, PyObject *args) {
    return state_with_types(module) == NULL ? NULL : start_early(module, args);
}

PyDoc_STRVAR(stop_doc, "stop($module, /)\n--\n\n"
                       "Stop tracing and forget all traces. Snapshots taken before stay as they are.");

static PyObject *stop(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused)) {
    engine_stop();
    Py_RETURN_NONE;
}

PyDoc_STRVAR(is_tracing_doc, "is_tracing($module, /)\n--\n\nTrue while memory allocations are traced.");

static PyObject *is_tracing(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused)) {
    return PyBool_FromLong(engine_is_tracing());
}

PyDoc_STRVAR(clear_traces_doc,
             "clear_traces($module, /)\n--\n\n"
             "Forget all traces, and go on tracing. MemoryError, and tracing has ended, where there\n"
             "is no memory for empty tables.");

static PyObject *clear_traces(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused)) {
    if (engine_clear() < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(get_traceback_limit_doc,
             "get_traceback_limit($module, /)\n--\n\n"
             "Most frames kept of a traceback (int): what start() was given; 1 before.");

static PyObject *get_traceback_limit(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused)) {
    return PyLong_FromLong(engine_limit());
}

PyDoc_STRVAR(get_traced_memory_doc,
             "get_traced_memory($module, /)\n--\n\n"
             "Tuple (current, peak): bytes of the traced blocks now, and the most there were\n"
             "since start(), clear_traces() or reset_peak(). (0, 0) while not tracing.");

static PyObject *get_traced_memory(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused)) {
    uint64_t current = 0, peak = 0;
    engine_memory(&current, &peak);
    return Py_BuildValue("(KK)", (unsigned long long)current, (unsigned long long)peak);
}

PyDoc_STRVAR(reset_peak_doc,
             "reset_peak($module, /)\n--\n\n"
             "Set the peak of get_traced_memory() to the current size. Nothing while not tracing.");

static PyObject *reset_peak(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused)) {
    engine_reset_peak();
    Py_RETURN_NONE;
}

PyDoc_STRVAR(get_tracemalloc_memory_doc, "get_tracemalloc_memory($module, /)\n--\n\n"
                                         "Bytes (int) that the tracer itself uses to store traces.");

static PyObject *get_tracemalloc_memory(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused)) {
    return PyLong_FromSize_t(engine_own_memory());
}

PyDoc_STRVAR(capabilities_doc,
             "capabilities($module, /)\n--\n\n"
             "New dict by name: what this interpreter lets the tracer do (bool; a str says why\n"
             "not), how many traces were lost for want of memory (lost_traces), how many call\n"
             "paths that hold nothing any more were added up as \"<forgotten>\" (forgotten_paths),\n"
             "and how many times another tracer took the allocator hooks away for a while (gaps).\n"
             "kept_blocks: while tracing, up to 31 freed blocks of each size class are kept for the\n"
             "next ones, so sys.getallocatedblocks() may count up to 992 blocks more. direct_pools:\n"
             "the others come out of pymalloc's pools without a call of it.");

static PyObject *capabilities(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused)) {
    return engine_capabilities();
}

/* --- one object --- */

PyDoc_STRVAR(get_object_traceback_doc,
             "get_object_traceback($module, /, obj)\n--\n\n"
             "Traceback of where the object was allocated, or None where that was not\n"
             "traced.");

/* Traceback, None, or NULL with an exception set. */
static PyObject *find_traceback(struct state *state, PyObject *object) {
    struct found found;
    if (!engine_find_object(object, &found))
        return Py_NewRef(Py_None);
    struct place place = {.kind = PLACE_PATH};
    place.path.node = found.node;
    place.path.limit = (uint32_t)engine_limit();
    struct names *names = names_for(state, found.paths);
    PyObject *traceback = names == NULL ? NULL : traceback_lazy(state, names, &place);
    callpaths_release(found.paths);
    Py_XDECREF(names);
    return traceback;
}

static PyObject *get_object_traceback(PyObject *module, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"obj", NULL};
    PyObject *object;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:get_object_traceback", keywords, &object))
        return NULL;
    struct state *state = state_with_types(module);
    return state == NULL ? NULL : find_traceback(state, object);
}

PyDoc_STRVAR(get_object_traceback_raw_doc,
             "_get_object_traceback($module, obj, /)\n--\n\n"
             "The same as a tuple of (filename, lineno), most recent first, or None.");

static PyObject *get_object_traceback_raw(PyObject *module, PyObject *object) {
    struct state *state = state_with_types(module);
    PyObject *traceback = state == NULL ? NULL : find_traceback(state, object);
    if (traceback == NULL || traceback == Py_None)
        return traceback;
    PyObject *frames = traceback_frames((struct traceback *)traceback);
    PyObject *reversed = frames == NULL ? NULL : tuple_reversed(frames);
    Py_DECREF(traceback);
    return reversed;
}

/* --- snapshots --- */

PyDoc_STRVAR(get_traces_doc,
             "_get_traces($module, /)\n--\n\n"
             "New list of raw traces (domain, size, frames, total_nframe); empty while not tracing.");

static PyObject *get_traces(PyObject *module, PyObject *Py_UNUSED(unused)) {
    if (!engine_is_tracing())
        return PyList_New(0);
    struct state *state = state_with_types(module);
    if (state == NULL)
        return NULL;
    const bool wanted[VIEW_COUNT] = {[VIEW_LIVE] = true};
    struct moment moment;
    if (engine_freeze(wanted, &moment) < 0)
        return NULL;
    struct snapshot *columns = moment.views[VIEW_LIVE];
    struct names *names = names_for(state, columns->paths);
    PyObject *list = names == NULL ? NULL : rows_list(names, columns);
    Py_XDECREF(names);
    snapshot_release(columns);
    return list;
}

/* A function of the package, where a program (a test with mocks, say) put another in the place of ours; else
 * NULL, without an exception. New reference. */
static PyObject *replaced(struct state *state, const char *name, PyObject *own) {
    PyObject *modules = PyImport_GetModuleDict(), *found;
    PyObject *package = modules == NULL ? NULL : PyDict_GetItemWithError(modules, state->package_name);
    if (package == NULL || !PyModule_Check(package))
        return NULL;
    found = PyDict_GetItemString(PyModule_GetDict(package), name);
    return found == NULL || found == own ? NULL : Py_NewRef(found);
}

/* -1 with an exception set */
static int tracing(struct state *state) {
    PyObject *other = replaced(state, "is_tracing", state->own_is_tracing), *answer = NULL;
    if (other == NULL)
        return engine_is_tracing();
    int result = (answer = PyObject_CallNoArgs(other)) == NULL ? -1 : PyObject_IsTrue(answer);
    Py_DECREF(other);
    Py_XDECREF(answer);
    return result;
}

static PyObject *limit_now(struct state *state) {
    PyObject *other = replaced(state, "get_traceback_limit", state->own_get_limit);
    if (other == NULL)
        return PyLong_FromLong(engine_limit());
    PyObject *limit = PyObject_CallNoArgs(other);
    Py_DECREF(other);
    return limit;
}

static PyObject *snapshot_by_replacement(struct state *state, PyObject *get) {
    PyObject *raw = PyObject_CallNoArgs(get), *limit = NULL, *snapshot = NULL;
    if (raw != NULL && (limit = limit_now(state)) != NULL)
        snapshot = snapshot_from_raw(state, raw, limit);
    Py_XDECREF(raw);
    Py_XDECREF(limit);
    return snapshot;
}

/* All views of one moment: `peak` and `total` are a row for each call path. Who asks for one of these does not want to
 * wait for the blocks to be counted, and gets these two. */
static PyObject *snapshot_by_engine(struct state *state, enum view view) {
    const bool wanted[VIEW_COUNT] = {
        [VIEW_LIVE] = view == VIEW_LIVE, [VIEW_PEAK] = true, [VIEW_TOTAL] = true};
    struct moment moment;
    if (engine_freeze(wanted, &moment) < 0)
        return NULL;
    struct views *views = views_from_moment(state, &moment);
    if (views != NULL)
        views_share(views);
    PyObject *limit = views == NULL ? NULL : limit_now(state), *snapshot = NULL;
    if (limit != NULL)
        snapshot = snapshot_around(state->snapshot_type, traces_from_views(state, views, view), limit);
    Py_XDECREF((PyObject *)views);
    Py_XDECREF(limit);
    return snapshot;
}

PyDoc_STRVAR(
    take_snapshot_doc,
    "take_snapshot($module, /, view='live')\n--\n\n"
    "Take a Snapshot of the traces of memory blocks.\n\n"
    "view 'live' has the blocks that are allocated now; 'peak' what held the memory at the high-water mark\n"
    "that get_traced_memory() tells; 'total' all that was allocated since start() or clear_traces(). A\n"
    "'peak' or 'total' snapshot has one entry in `traces` for each traceback and domain. Snapshot.view() "
    "gives\n"
    "the other views of the same moment; but blocks are not counted, and there is no 'live', where 'peak' "
    "or\n"
    "'total' is asked for here. Raises RuntimeError while not tracing, ValueError for another view. Call it\n"
    "from any thread.");

static PyObject *take_snapshot(PyObject *module, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"view", NULL};
    struct state *state = state_with_types(module);
    PyObject *name = NULL;
    enum view view = VIEW_LIVE;
    if (state == NULL || !PyArg_ParseTupleAndKeywords(args, kwargs, "|O:take_snapshot", keywords, &name) ||
        (name != NULL && view_from_name(name, &view) < 0))
        return NULL;
    int on = tracing(state);
    if (on == 0)
        PyErr_SetString(PyExc_RuntimeError,
                        "the tracemalloc module must be tracing memory allocations to take a "
                        "snapshot");
    if (on <= 0)
        return NULL;
    PyObject *get = view == VIEW_LIVE ? replaced(state, "_get_traces", state->own_get_traces) : NULL;
    if (get == NULL && !engine_is_tracing())
        return PyErr_Format(PyExc_RuntimeError,
                            "memtally is not tracing, although is_tracing() was made to say so");
    PyObject *snapshot = get != NULL ? snapshot_by_replacement(state, get) : snapshot_by_engine(state, view);
    Py_XDECREF(get);
    return snapshot;
}

/* --- helpers of the standard module that programs know --- */

static PyObject *format_size_function(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *size;
    int sign;
    return PyArg_ParseTuple(args, "Op:_format_size", &size, &sign) ? format_size(size, sign) : NULL;
}

static PyObject *normalize_filename_function(PyObject *Py_UNUSED(module), PyObject *filename) {
    return normalize_filename(filename);
}

/* Called for names that are not in the module's dict: one of a type, made now or soon; or nothing. */
static PyObject *find_name(PyObject *module, PyObject *name) {
    for (size_t i = 0; i < TYPE_COUNT && PyUnicode_Check(name); i++) {
        const char *known = public_name(&all_types[i]);
        if (known == NULL || PyUnicode_CompareWithASCIIString(name, known) != 0)
            continue;
        struct state *state = state_with_types(module);
        PyObject *type = state == NULL ? NULL : (PyObject *)*type_place(state, &all_types[i]);
        return type == NULL || PyModule_AddObjectRef(module, known, type) < 0 ? NULL : Py_NewRef(type);
    }
    return PyErr_Format(PyExc_AttributeError, "module 'memtally._core' has no attribute %R", name);
}

#define KEYWORDS(function) (PyCFunction)(void (*)(void))(function), METH_VARARGS | METH_KEYWORDS

static PyObject *remind(PyObject *Py_UNUSED(module), PyObject *number) {
    long signum = PyLong_AsLong(number);
    if ((signum == -1 && PyErr_Occurred()) || engine_remind((int)signum) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *relent(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none)) {
    engine_relent();
    Py_RETURN_NONE;
}

static PyObject *soon(PyObject *Py_UNUSED(module), PyObject *function) { return engine_soon(function); }

static PyMethodDef module_methods[] = {
    {"start", start, METH_VARARGS, start_doc},
    {"stop", stop, METH_NOARGS, stop_doc},
    {"is_tracing", is_tracing, METH_NOARGS, is_tracing_doc},
    {"clear_traces", clear_traces, METH_NOARGS, clear_traces_doc},
    {"get_traceback_limit", get_traceback_limit, METH_NOARGS, get_traceback_limit_doc},
    {"get_traced_memory", get_traced_memory, METH_NOARGS, get_traced_memory_doc},
    {"reset_peak", reset_peak, METH_NOARGS, reset_peak_doc},
    {"get_tracemalloc_memory", get_tracemalloc_memory, METH_NOARGS, get_tracemalloc_memory_doc},
    {"get_object_traceback", KEYWORDS(get_object_traceback), get_object_traceback_doc},
    {"take_snapshot", KEYWORDS(take_snapshot), take_snapshot_doc},
    {"capabilities", capabilities, METH_NOARGS, capabilities_doc},
    {"_call_table", call_table, METH_VARARGS, call_table_doc},
    {"_get_traces", get_traces, METH_NOARGS, get_traces_doc},
    {"_get_object_traceback", get_object_traceback_raw, METH_O, get_object_traceback_raw_doc},
    {"_format_size", format_size_function, METH_VARARGS, "_format_size($module, size, sign, /)\n--\n\n"},
    {"_normalize_filename", normalize_filename_function, METH_O,
     "_normalize_filename($module, filename, /)\n--\n\n"},
    {"_start_early", start_early, METH_VARARGS, "_start_early($module, nframe=1, /)\n--\n\n"},
    {"_soon", soon, METH_O, "_soon($module, function, /)\n--\n\n"},
    {"_remind", remind, METH_O, "_remind($module, signum, /)\n--\n\n"},
    {"_relent", relent, METH_NOARGS, "_relent($module, /)\n--\n\n"},
    {"__getattr__", find_name, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

/* --- making the module --- */

static int add_types(PyObject *module, struct state *state) {
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        const struct type_entry *entry = &all_types[i];
        PyObject *base = entry->is_filter ? (PyObject *)state->base_filter_type : NULL;
        PyObject *type = PyType_FromModuleAndSpec(module, entry->spec, base);
        if (type == NULL)
            return -1;
        *type_place(state, entry) = (PyTypeObject *)type;
    }
    return 0;
}

static void clear_types(struct state *state) {
    for (size_t i = 0; i < TYPE_COUNT; i++)
        Py_CLEAR(*type_place(state, &all_types[i]));
}

/* index, count and so on of collections.abc.Sequence, which work on any sequence; and isinstance() of it. */
static int make_sequence(PyObject *sequence, PyTypeObject *type) {
    static const char *const methods[] = {"index", "count", "__reversed__"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        PyObject *method = attribute(sequence, methods[i]);
        int result = method == NULL ? -1 : PyObject_SetAttrString((PyObject *)type, methods[i], method);
        Py_XDECREF(method);
        if (result < 0)
            return -1;
    }
    PyObject *registered = call(sequence, "register", (PyObject *)type, NULL);
    Py_XDECREF(registered);
    return registered == NULL ? -1 : 0;
}

static int make_sequences(struct state *state) {
    PyObject *module = PyImport_ImportModule("_collections_abc");
    PyObject *sequence = module == NULL ? NULL : attribute(module, "Sequence");
    int result = -1;
    if (sequence != NULL && make_sequence(sequence, state->traceback_type) == 0)
        result = make_sequence(sequence, state->traces_type);
    Py_XDECREF(module);
    Py_XDECREF(sequence);
    return result;
}

/* The slots that pickling and copying keep (slots.c). */
static int add_slots(PyTypeObject *type, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    PyObject *slots = Py_VaBuildValue(format, arguments);
    va_end(arguments);
    int result = slots == NULL ? -1 : PyObject_SetAttrString((PyObject *)type, "__slots__", slots);
    Py_XDECREF(slots);
    return result;
}

static int add_all_slots(const struct state *state) {
    return add_slots(state->frame_type, "(ss)", "_frame", "_function") < 0 ||
                   add_slots(state->traceback_type, "(sss)", "_frames", "_total_nframe", "_functions") < 0 ||
                   add_slots(state->trace_type, "(ss)", "_trace", "_functions") < 0 ||
                   add_slots(state->statistic_type, "(sss)", "traceback", "size", "count") < 0 ||
                   add_slots(state->statistic_diff_type, "(sssss)", "traceback", "size", "size_diff", "count",
                             "count_diff") < 0
               ? -1
               : 0;
}

/* Another thread may make them meanwhile, since code in Python runs: then these are dropped, and those stay. */
struct state *state_with_types(PyObject *module) {
    struct state *state = module_state(module);
    if (state == NULL) /* made by hand, and never executed */
        PyErr_SetString(PyExc_ImportError, "memtally._core was not imported by import");
    if (state == NULL || state->frame_type != NULL)
        return state;
    struct state made = *state;
    if (add_types(module, &made) < 0 || make_sequences(&made) < 0 || add_all_slots(&made) < 0) {
        clear_types(&made);
        return NULL;
    }
    if (state->frame_type != NULL)
        clear_types(&made);
    else
        *state = made;
    return state;
}

static int remember_own(PyObject *module, struct state *state) {
    state->package_name = PyUnicode_FromString("memtally");
    state->own_is_tracing = PyObject_GetAttrString(module, "is_tracing");
    state->own_get_limit = PyObject_GetAttrString(module, "get_traceback_limit");
    state->own_get_traces = PyObject_GetAttrString(module, "_get_traces");
    return state->package_name == NULL || state->own_is_tracing == NULL || state->own_get_limit == NULL ||
                   state->own_get_traces == NULL
               ? -1
               : 0;
}

static int module_exec(PyObject *module) {
    struct state *state = module_state(module);
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
        PyErr_SetString(PyExc_ImportError,
                        "memtally traces the whole process and can be imported in the main "
                        "interpreter only");
        return -1;
    }
    if (engine_init(module) < 0) /* first: it may refuse the interpreter */
        return -1;
    return remember_own(module, state);
}

static int module_traverse(PyObject *module, visitproc visit, void *arg) {
    struct state *state = module_state(module);
    if (state == NULL)
        return 0;
    for (size_t i = 0; i < TYPE_COUNT; i++)
        Py_VISIT((PyObject *)*type_place(state, &all_types[i]));
    Py_VISIT(state->own_is_tracing);
    Py_VISIT(state->own_get_limit);
    Py_VISIT(state->own_get_traces);
    return 0;
}

static int module_clear(PyObject *module) {
    struct state *state = module_state(module);
    if (state == NULL)
        return 0;
    clear_types(state);
    Py_CLEAR(state->own_is_tracing);
    Py_CLEAR(state->own_get_limit);
    Py_CLEAR(state->own_get_traces);
    Py_CLEAR(state->package_name);
    return 0;
}

static void module_free(void *module) { (void)module_clear(module); }

PyDoc_STRVAR(module_doc, "The tracer and the classes of memtally, in C. Import them from memtally.");

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#ifdef Py_mod_multiple_interpreters /* 3.12; module_exec refuses other interpreters, with a clear message */
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

PyModuleDef memtally_module = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "memtally._core",
    .m_doc = module_doc,
    .m_size = sizeof(struct state),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__core(void) { return PyModuleDef_Init(&memtally_module); }
