/* calltable: _call_table(), the call trees of snapshots as columns of numbers (core/calltable.h), for reports that show
 * so many calls that an object for each were too much; and Snapshot.flamegraph(), the report that does.
 *
 * Views that nobody has read from their file yet are read for the table alone, when it needs them, and not kept.
 * What is returned owns itself: bytes, and names that are shared with nothing. Needs the GIL, which is given up while
 * the table is made.
 */
#include "types.h"

#include "../core/calltable.h"

/* A snapshot: in memory, or a view that is still in its file, and stays there. */
struct input {
    struct operand operand;  /* owned; nothing where it is in a file */
    struct views *views;     /* owned: what holds the file; NULL where it is in memory */
    struct callpaths *paths; /* owned reference, with `views` */
};

struct inputs {
    struct input items[CALLTABLE_MOST];
    struct viewsource sources[CALLTABLE_MOST]; /* borrow from the items */
    Py_ssize_t count;
};

static void inputs_fini(struct inputs *self) {
    for (Py_ssize_t i = 0; i < self->count; i++) {
        struct input *input = &self->items[i];
        operand_fini(&input->operand);
        if (input->views != NULL)
            views_give_back(input->views);
        Py_XDECREF((PyObject *)input->views);
        callpaths_release(input->paths);
    }
}

/* What holds a view of a snapshot's moment, where nobody has read it from its file yet: a new reference. NULL: it is in
 * memory or not there, or an exception. */
static struct views *views_in_file(struct state *state, PyObject *snapshot, enum view view) {
    PyObject *traces = attribute(snapshot, "traces");
    struct views *views = NULL;
    if (traces != NULL && PyObject_TypeCheck(traces, state->traces_type)) {
        const struct traces *own = (const struct traces *)traces;
        bool read = own->columns != NULL && own->view == view;
        if (!read && own->views != NULL && own->views->there[view] && own->views->columns[view] == NULL)
            views = (struct views *)Py_NewRef((PyObject *)own->views);
    }
    Py_XDECREF(traces);
    return views;
}

/* Views of one file have one set of call paths, so that this is seen. */
static int borrow_file(const struct inputs *self, struct input *input, struct views *views) {
    for (const struct input *other = self->items; other < input; other++) {
        if (other->views == views) {
            callpaths_retain(input->paths = other->paths);
            views->readers++;
            return 0;
        }
    }
    return views_borrow(views, &input->paths);
}

static int input_from_file(struct inputs *self, Py_ssize_t i, struct views *views, enum view view) {
    struct input *input = &self->items[i];
    if (borrow_file(self, input, views) < 0)
        return -1;
    input->views = (struct views *)Py_NewRef((PyObject *)views);
    self->sources[i] = (struct viewsource){.view = view, .paths = input->paths, .file = views->file};
    return 0;
}

static int input_from_memory(struct state *state, struct inputs *self, Py_ssize_t i, PyObject *snapshot,
                             PyObject *name) {
    struct operand *operand = &self->items[i].operand;
    PyObject *one = call(snapshot, "view", name, NULL);
    int result = one == NULL ? -1 : operand_init(state, operand, one);
    Py_XDECREF(one);
    if (result < 0)
        return -1;
    if (operand->columns == NULL) {
        PyErr_SetString(PyExc_ValueError, "there is no call tree of traces that no blocks can have");
        return -1;
    }
    self->sources[i] = (struct viewsource){
        .view = operand->columns->view, .paths = operand->columns->paths, .columns = operand->columns};
    return 0;
}

static int input_add(struct state *state, struct inputs *self, PyObject *snapshot, PyObject *name) {
    Py_ssize_t i = self->count;
    enum view view;
    if (!PyObject_TypeCheck(snapshot, state->snapshot_type)) {
        PyErr_Format(PyExc_TypeError, "a table of calls needs snapshots, not %.200s",
                     Py_TYPE(snapshot)->tp_name);
        return -1;
    }
    if (view_from_name(name, &view) < 0)
        return -1;
    self->count++; /* also where what follows fails: what is there is to be given back */
    struct views *views = views_in_file(state, snapshot, view);
    if (views == NULL)
        return PyErr_Occurred() ? -1 : input_from_memory(state, self, i, snapshot, name);
    int result = input_from_file(self, i, views, view);
    Py_DECREF((PyObject *)views);
    return result;
}

/* All views of the first snapshot, then all of the next. */
static int inputs_init(struct state *state, struct inputs *self, PyObject *snapshots, PyObject *names) {
    Py_ssize_t count = PyTuple_GET_SIZE(snapshots), views = PyTuple_GET_SIZE(names);
    if (count < 1 || count > 2 || views < 1 || views > VIEW_COUNT) {
        PyErr_Format(PyExc_ValueError,
                     "a table of calls is of 1 or 2 snapshots and 1 to %d views, not of %zd and %zd",
                     VIEW_COUNT, count, views);
        return -1;
    }
    for (Py_ssize_t i = 0; i < count * views; i++)
        if (input_add(state, self, PyTuple_GET_ITEM(snapshots, i / views),
                      PyTuple_GET_ITEM(names, i % views)) < 0)
            return -1;
    return 0;
}

static void inputs_raise(struct inputs *self, status result) {
    for (Py_ssize_t i = 0; i < self->count; i++) {
        struct viewsource *source = &self->sources[i];
        if (self->items[i].views != NULL && source->result != STATUS_OK) {
            views_raise(self->items[i].views, source->result, &source->error);
            return;
        }
    }
    raise_status(result);
}

/* --- what is returned --- */

static PyObject *column(const void *items, uint32_t count, size_t size) {
    return PyBytes_FromStringAndSize(items, (Py_ssize_t)(count * size));
}

static PyObject *place_of(struct names *names, uint32_t site) {
    PyObject *function = names_function(names, site_get(names->paths, site)->function);
    PyObject *place = function == NULL ? NULL : names_pair(names, site);
    return place == NULL ? NULL : PyTuple_Pack(2, place, function);
}

/* By site. */
static PyObject *list_places(struct names *names) {
    uint32_t sites = callpaths_ends(names->paths).sites;
    PyObject *list = PyList_New(0);
    for (uint32_t site = 0; list != NULL && site < sites; site++) {
        PyObject *place = place_of(names, site);
        if (place == NULL || PyList_Append(list, place) < 0)
            Py_CLEAR(list);
        Py_XDECREF(place);
    }
    return list;
}

static PyObject *number_columns(const struct calltable *table, Py_ssize_t count) {
    PyObject *list = PyList_New(0);
    for (Py_ssize_t i = 0; list != NULL && i < count; i++) {
        PyObject *both = Py_BuildValue("(NN)", column(table->sizes[i], table->count, sizeof(uint64_t)),
                                       column(table->counts[i], table->count, sizeof(uint64_t)));
        if (both == NULL || PyList_Append(list, both) < 0)
            Py_CLEAR(list);
        Py_XDECREF(both);
    }
    return list;
}

static PyObject *table_object(struct state *state, const struct calltable *table, Py_ssize_t count) {
    struct names *names = names_new(state, table->paths);
    PyObject *places = names == NULL ? NULL : list_places(names), *result = NULL;
    if (places != NULL)
        result = Py_BuildValue("(NNNNO)", column(table->parents, table->count, sizeof(uint32_t)),
                               column(table->sites, table->count, sizeof(uint32_t)),
                               column(table->merged, table->count, sizeof(uint32_t)),
                               number_columns(table, count), places);
    Py_XDECREF(places);
    Py_XDECREF((PyObject *)names);
    return result;
}

PyObject *call_table(PyObject *module, PyObject *args) {
    struct state *state = state_with_types(module);
    struct inputs inputs = {.count = 0}; /* what is read from files is in memory while the table is made */
    struct calltable table = {.count = 0};
    PyObject *snapshots, *views, *result = NULL;
    struct calltable_cut cut;
    if (state == NULL || !PyArg_ParseTuple(args, "O!O!IIf:_call_table", &PyTuple_Type, &snapshots,
                                           &PyTuple_Type, &views, &cut.enough, &cut.most, &cut.least))
        return NULL;
    if (inputs_init(state, &inputs, snapshots, views) == 0) {
        bool compared = PyTuple_GET_SIZE(snapshots) > 1;
        status made;
        Py_BEGIN_ALLOW_THREADS;
        made = calltable_init(&table, &snapshots_account, inputs.sources, (size_t)inputs.count, compared,
                              cut);
        Py_END_ALLOW_THREADS;
        if (made != STATUS_OK)
            inputs_raise(&inputs, made);
        else
            result = table_object(state, &table, inputs.count);
    }
    inputs_fini(&inputs);
    calltable_fini(&table);
    return result;
}

const char call_table_doc[] =
    "_call_table($module, snapshots, views, enough, most, least, /)\n--\n\n"
    "Columns (bytes of native integers) of the calls in some views of a snapshot, or of two to compare, the\n"
    "newer one first: parents, sites, merged (32 bits each), a list of (sizes, counts) for each view of the\n"
    "first snapshot, then of the second (64 bits each), and a list of the sites' ((filename, lineno),\n"
    "function). Callers come first; all in preorder. The `enough` largest calls stay, and up to `most` with\n"
    "a share of `least` (0 to 1); smaller ones are added up in rows whose `merged` is not 0. Views that are\n"
    "still in a file are read from it, and not kept.";

/* --- the flame graph --- */

/* The report is written in Python, and loaded when somebody wants one. */
PyObject *snapshot_flamegraph(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"path", "diff", "source", NULL};
    PyObject *path, *diff = Py_None, *report, *write = NULL, *result = NULL;
    int source = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$Op:flamegraph", keywords, &path, &diff, &source))
        return NULL;
    if ((report = PyImport_ImportModule("memtally.reports.flamegraph")) != NULL)
        write = PyObject_GetAttrString(report, "write");
    if (write != NULL)
        result = PyObject_CallFunction(write, "OOOO", self, path, diff, source ? Py_True : Py_False);
    Py_XDECREF(write);
    Py_XDECREF(report);
    return result;
}

const char flamegraph_doc[] =
    "flamegraph($self, /, path, *, diff=None, source=True)\n--\n\n"
    "Write a flame graph of all views: one HTML file, which needs nothing else and asks nobody for "
    "anything.\n\n"
    "diff is an older Snapshot: what grew and shrank since then can be shown, too. source=False leaves the\n"
    "lines of source files out, which are otherwise read now, from this machine. The file is written\n"
    "completely or not at all. Raises OSError; TypeError where diff is no Snapshot; ValueError where the\n"
    "snapshots have no view in common, or are of a file that turns out to be damaged.";
