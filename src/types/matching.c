/* matching: a list of filters applied to the traces of a snapshot.
 *
 *   filters --matchers_init--> matchers --+-- columns: a bitmap of file names each, the rest in the core
 *                                         +-- raw:     trace by trace
 *
 * A pattern is matched by fnmatch.fnmatch once per distinct file name; a matcher remembers the answers. Where the
 * filter has an attribute _exact that is true, it is no pattern but one file name, and fnmatch is not imported: a
 * traced program may have a module of that name, or of those that it imports. A filter of any other class, or with attributes of its own, is asked through its method _match. Needs the
 * GIL, which is given up while the core filters.
 */
#include "types.h"

#include "../core/filter.h"

struct matcher {
    PyObject *filter;
    PyObject *pattern, *lineno, *domain; /* NULL where the filter has none; lineno and domain may be None */
    PyObject *function;                  /* pattern or None; NULL where the filter has none */
    PyObject *known;                     /* dict: file name -> does it match */
    PyObject *fnmatch, *fnmatchcase;     /* the functions; NULL: names are compared */
    uint8_t *files, *functions;          /* owned (PyMem): for columns; functions may be NULL */
    bool inclusive, all_frames;
    bool custom; /* ask the filter itself */
};

struct matchers {
    struct matcher *items; /* owned (PyMem) */
    Py_ssize_t count;
};

/* --- making them --- */

/* Has the filter the attributes of its class and no others? (A replaced method would be among them.) */
static bool is_plain(struct state *state, PyObject *filter) {
    bool by_name = Py_IS_TYPE(filter, state->filter_type);
    if (!by_name && !Py_IS_TYPE(filter, state->domain_filter_type))
        return false;
    PyObject *dict = PyObject_GenericGetDict(filter, NULL);
    Py_ssize_t usual = by_name ? 5 : 2;
    if (dict != NULL && by_name && PyDict_GetItemString(dict, "_function") != NULL)
        usual++;
    if (dict != NULL && by_name && PyDict_GetItemString(dict, "_exact") != NULL)
        usual++;
    bool plain = dict != NULL && PyDict_GET_SIZE(dict) == usual;
    Py_XDECREF(dict);
    PyErr_Clear();
    return plain;
}

static int truth(PyObject *self, const char *name) {
    PyObject *value = attribute(self, name);
    int result = value == NULL ? -1 : PyObject_IsTrue(value);
    Py_XDECREF(value);
    return result;
}

static int import_fnmatch(struct matcher *self) {
    PyObject *module = PyImport_ImportModule("fnmatch");
    if (module != NULL && (self->fnmatch = attribute(module, "fnmatch")) != NULL)
        self->fnmatchcase = attribute(module, "fnmatchcase");
    Py_XDECREF(module);
    return self->fnmatchcase == NULL ? -1 : 0;
}

/* 1: the filter names one file exactly, and no function; 0: by patterns; -1: exception. */
static int is_exact(const struct matcher *self) {
    int exact = PyObject_HasAttrString(self->filter, "_exact") ? truth(self->filter, "_exact") : 0;
    return exact > 0 && self->function != Py_None ? 0 : exact;
}

static int matcher_init_by_name(struct matcher *self) {
    int all_frames = truth(self->filter, "all_frames"), exact;
    self->all_frames = all_frames > 0;
    if (all_frames < 0 || (self->pattern = attribute(self->filter, "_filename_pattern")) == NULL ||
        (self->lineno = attribute(self->filter, "lineno")) == NULL ||
        (self->function = attribute(self->filter, "function")) == NULL ||
        (self->known = PyDict_New()) == NULL || (exact = is_exact(self)) < 0)
        return -1;
    return exact ? 0 : import_fnmatch(self);
}

static int matcher_init(struct state *state, struct matcher *self, PyObject *filter) {
    self->filter = Py_NewRef(filter);
    int inclusive = truth(filter, "inclusive");
    if (inclusive < 0)
        return -1;
    self->inclusive = inclusive > 0;
    self->custom = !is_plain(state, filter);
    if (self->custom)
        return 0;
    if ((self->domain = attribute(filter, "domain")) == NULL)
        return -1;
    return Py_IS_TYPE(filter, state->filter_type) ? matcher_init_by_name(self) : 0;
}

static void matchers_fini(struct matchers *self) {
    for (Py_ssize_t i = 0; i < self->count; i++) {
        struct matcher *matcher = &self->items[i];
        Py_XDECREF(matcher->filter);
        Py_XDECREF(matcher->pattern);
        Py_XDECREF(matcher->lineno);
        Py_XDECREF(matcher->domain);
        Py_XDECREF(matcher->known);
        Py_XDECREF(matcher->fnmatch);
        Py_XDECREF(matcher->fnmatchcase);
        Py_XDECREF(matcher->function);
        PyMem_Free(matcher->files);
        PyMem_Free(matcher->functions);
    }
    PyMem_Free(self->items);
}

static int matchers_init(struct state *state, struct matchers *self, PyObject *filters) {
    self->items = PyMem_Calloc((size_t)PyList_GET_SIZE(filters) + 1, sizeof *self->items);
    if (self->items == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    while (self->count < PyList_GET_SIZE(filters)) {
        PyObject *filter = PyList_GET_ITEM(filters, self->count++);
        if (matcher_init(state, &self->items[self->count - 1], filter) < 0)
            return -1;
    }
    return 0;
}

/* --- file names --- */

static int ask_for_match(struct matcher *self, PyObject *filename) {
    if (self->fnmatch == NULL)
        return PyObject_RichCompareBool(filename, self->pattern, Py_EQ);
    PyObject *normal = normalize_filename(filename), *answer = NULL;
    int matches = -1;
    if (normal != NULL &&
        (answer = PyObject_CallFunctionObjArgs(self->fnmatch, normal, self->pattern, NULL)) != NULL &&
        (matches = PyObject_IsTrue(answer)) >= 0 &&
        PyDict_SetItem(self->known, filename, matches ? Py_True : Py_False) < 0)
        matches = -1;
    Py_XDECREF(normal);
    Py_XDECREF(answer);
    return matches;
}

static int match_name(struct matcher *self, PyObject *filename) {
    PyObject *known = PyDict_GetItemWithError(self->known, filename);
    if (known != NULL)
        return known == Py_True;
    return PyErr_Occurred() ? -1 : ask_for_match(self, filename);
}

/* --- raw traces --- */

static int match_frame(struct matcher *self, PyObject *frame) {
    PyObject *tuple = PySequence_Tuple(frame);
    int result = -1;
    if (tuple != NULL && PyTuple_GET_SIZE(tuple) != 2)
        PyErr_Format(PyExc_ValueError, "a frame is (filename, lineno), not %zd values",
                     PyTuple_GET_SIZE(tuple));
    else if (tuple != NULL && (result = match_name(self, PyTuple_GET_ITEM(tuple, 0))) > 0 &&
             self->lineno != Py_None)
        result = PyObject_RichCompareBool(PyTuple_GET_ITEM(tuple, 1), self->lineno, Py_EQ);
    Py_XDECREF(tuple);
    return result;
}

static int match_frames(struct matcher *self, PyObject *frames) {
    PyObject *items = PySequence_Tuple(frames);
    Py_ssize_t count = items == NULL ? 0 : PyTuple_GET_SIZE(items);
    int found = items == NULL ? -1 : 0;
    if (self->function != Py_None) /* raw frames do not tell their functions */
        count = 0;
    else if (items != NULL && !self->all_frames && count == 0) {
        PyErr_SetString(PyExc_IndexError, "tuple index out of range");
        found = -1;
    }
    for (Py_ssize_t i = 0; found == 0 && i < (self->all_frames || count == 0 ? count : 1); i++)
        found = match_frame(self, PyTuple_GET_ITEM(items, i));
    Py_XDECREF(items);
    return found;
}

/* Does the filter speak of this trace? An inclusive one then lets it in, an exclusive one keeps it out. */
static int speaks_of(struct matcher *self, PyObject *parts) {
    int result = self->pattern == NULL ? 1 : match_frames(self, PyTuple_GET_ITEM(parts, 2));
    if (result > 0 && (self->domain != Py_None || self->pattern == NULL))
        result = PyObject_RichCompareBool(PyTuple_GET_ITEM(parts, 0), self->domain, Py_EQ);
    return result;
}

static int passes(struct matcher *self, PyObject *raw) {
    PyObject *result = NULL;
    int truth_value = -1;
    if (self->custom) {
        if ((result = call(self->filter, "_match", raw, NULL)) != NULL)
            truth_value = PyObject_IsTrue(result);
    } else if ((result = raw_parts(raw)) != NULL) {
        int speaks = speaks_of(self, result);
        truth_value = speaks < 0 ? -1 : speaks == self->inclusive;
    }
    Py_XDECREF(result);
    return truth_value;
}

/* Any inclusive filter, if there are some, and all exclusive ones. */
static int keeps(const struct matchers *self, PyObject *raw) {
    int included = -1; /* -1: no inclusive filter so far */
    for (Py_ssize_t i = 0; i < self->count && included <= 0; i++)
        if (self->items[i].inclusive && (included = passes(&self->items[i], raw)) < 0)
            return -1;
    if (included == 0)
        return 0;
    for (Py_ssize_t i = 0; i < self->count; i++) {
        int result = self->items[i].inclusive ? 1 : passes(&self->items[i], raw);
        if (result <= 0)
            return result;
    }
    return 1;
}

static PyObject *keep_raw(const struct matchers *matchers, PyObject *raw) {
    PyObject *iterator = PyObject_GetIter(raw), *kept = NULL, *trace;
    if (iterator != NULL)
        kept = PyList_New(0);
    while (kept != NULL && (trace = PyIter_Next(iterator)) != NULL) {
        int keep = keeps(matchers, trace);
        if (keep < 0 || (keep && PyList_Append(kept, trace) < 0))
            Py_CLEAR(kept);
        Py_DECREF(trace);
    }
    if (PyErr_Occurred())
        Py_CLEAR(kept);
    Py_XDECREF(iterator);
    return kept;
}

PyObject *filter_raw(struct state *state, PyObject *raw, PyObject *filters) {
    struct matchers matchers = {0};
    PyObject *kept = matchers_init(state, &matchers, filters) == 0 ? keep_raw(&matchers, raw) : NULL;
    matchers_fini(&matchers);
    return kept;
}

/* --- columns --- */

/* A value to compare ids with: 1 set, 0 not a plain int. */
static int id_value(PyObject *number, int64_t *value) {
    int overflow;
    if (!PyLong_CheckExact(number))
        return 0;
    *value = PyLong_AsLongLongAndOverflow(number, &overflow);
    if (overflow != 0)
        *value = -1; /* equal to none, as such a number is */
    return 1;
}

static int fill_filter(const struct matcher *matcher, struct filter *filter) {
    if (matcher->custom)
        return 0;
    filter->inclusive = matcher->inclusive;
    filter->by_domain_only = matcher->pattern == NULL;
    filter->all_frames = matcher->all_frames;
    filter->has_domain = filter->by_domain_only || matcher->domain != Py_None;
    filter->has_line = !filter->by_domain_only && matcher->lineno != Py_None;
    if (filter->has_domain && !id_value(matcher->domain, &filter->domain))
        return 0;
    return !filter->has_line || id_value(matcher->lineno, &filter->line);
}

static uint8_t *new_bitmap(const struct idset *names) {
    uint8_t *bitmap = PyMem_Calloc(idset_bytes(names) + 1, 1);
    if (bitmap == NULL)
        PyErr_NoMemory();
    return bitmap;
}

static int match_files(struct matcher *self, struct names *names, const struct idset *files) {
    if (self->pattern == NULL)
        return 0;
    if ((self->files = new_bitmap(files)) == NULL)
        return -1;
    for (uint32_t id = idset_next(files, 0); id < files->end; id = idset_next(files, id + 1)) {
        PyObject *name = names_string(names, id);
        int matches = name == NULL ? -1 : match_name(self, name);
        if (matches < 0)
            return -1;
        if (matches)
            self->files[id >> 3] = (uint8_t)(self->files[id >> 3] | 1 << (id & 7));
    }
    return 0;
}

/* Id 0 stands for functions that are not known: no pattern matches these. */
static int match_functions(struct matcher *self, struct names *names, const struct idset *functions) {
    if ((self->functions = new_bitmap(functions)) == NULL)
        return -1;
    for (uint32_t id = idset_next(functions, 1); id < functions->end; id = idset_next(functions, id + 1)) {
        PyObject *name = names_string(names, id), *answer = NULL;
        if (name != NULL)
            answer = PyObject_CallFunctionObjArgs(self->fnmatchcase, name, self->function, NULL);
        int matches = answer == NULL ? -1 : PyObject_IsTrue(answer);
        Py_XDECREF(answer);
        if (matches < 0)
            return -1;
        if (matches)
            self->functions[id >> 3] = (uint8_t)(self->functions[id >> 3] | 1 << (id & 7));
    }
    return 0;
}

static bool asks_for_function(const struct matcher *matcher) {
    return matcher->function != NULL && matcher->function != Py_None;
}

static int match_all_functions(struct matchers *matchers, struct names *names,
                               const struct snapshot *columns) {
    struct idset functions = {0};
    bool asked = false;
    int answer = 0;
    for (Py_ssize_t i = 0; i < matchers->count; i++)
        asked = asked || asks_for_function(&matchers->items[i]);
    status result = asked ? snapshot_functions(columns, &functions) : STATUS_OK;
    if (result != STATUS_OK) {
        raise_status(result);
        return -1;
    }
    for (Py_ssize_t i = 0; answer == 0 && i < matchers->count; i++)
        if (asks_for_function(&matchers->items[i]))
            answer = match_functions(&matchers->items[i], names, &functions);
    idset_fini(&functions);
    return answer;
}

static int match_all_files(struct matchers *matchers, struct names *names, const struct snapshot *columns) {
    struct idset files = {0};
    status result = snapshot_files(columns, &files);
    int answer = result == STATUS_OK ? 0 : -1;
    if (result != STATUS_OK)
        raise_status(result);
    for (Py_ssize_t i = 0; answer == 0 && i < matchers->count; i++)
        answer = match_files(&matchers->items[i], names, &files);
    idset_fini(&files);
    return answer;
}

static struct snapshot *keep_columns(struct matchers *matchers, struct names *names, struct snapshot *columns,
                                     struct filter *filters) {
    struct snapshot *kept = NULL;
    status result;
    if (match_all_files(matchers, names, columns) < 0 || match_all_functions(matchers, names, columns) < 0)
        return NULL;
    for (Py_ssize_t i = 0; i < matchers->count; i++) {
        filters[i].files = matchers->items[i].files;
        filters[i].functions = matchers->items[i].functions;
    }
    Py_BEGIN_ALLOW_THREADS;
    result = filter_rows(columns, filters, (size_t)matchers->count, &kept);
    Py_END_ALLOW_THREADS;
    if (result != STATUS_OK)
        raise_status(result);
    return kept;
}

/* Row by row, because some filter wants to see raw traces; the blocks of a row are equal. */
static struct snapshot *keep_rows(const struct matchers *matchers, struct names *names,
                                  struct snapshot *columns) {
    struct snapshot *kept = snapshot_new(&snapshots_account, columns->paths, columns->limit, columns->view);
    if (kept == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    for (struct rows rows = snapshot_rows(columns); rows_next(&rows);) {
        const struct row *row = rows.row;
        PyObject *raw = row_raw(names, columns, row);
        int keep = raw == NULL ? -1 : keeps(matchers, raw);
        status result = keep > 0 ? snapshot_add(kept, row) : STATUS_OK;
        Py_XDECREF(raw);
        if (result != STATUS_OK)
            raise_status(result);
        if (keep < 0 || result != STATUS_OK) {
            snapshot_release(kept);
            return NULL;
        }
    }
    return kept;
}

struct snapshot *filter_columns(struct state *state, struct names *names, struct snapshot *columns,
                                PyObject *filters) {
    struct matchers matchers = {0};
    struct snapshot *kept = NULL;
    struct filter *list = PyMem_Calloc((size_t)PyList_GET_SIZE(filters) + 1, sizeof *list);
    if (list == NULL)
        PyErr_NoMemory();
    if (list != NULL && matchers_init(state, &matchers, filters) == 0) {
        bool plain = true;
        for (Py_ssize_t i = 0; i < matchers.count; i++)
            plain = fill_filter(&matchers.items[i], &list[i]) && plain;
        kept = plain ? keep_columns(&matchers, names, columns, list) : keep_rows(&matchers, names, columns);
    }
    matchers_fini(&matchers);
    PyMem_Free(list);
    return kept;
}
