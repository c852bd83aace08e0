/* calltable: _call_table(), the call trees of snapshots as columns of numbers (core/calltable.h), for reports that show
 * so many calls that an object for each were too much; and Snapshot.flamegraph(), the report that does.
 *
 * What is returned owns itself: bytes, and names that are shared with nothing. Needs the GIL, which is given up while
 * the table is made.
 */
#include "types.h"

#include "../core/calltable.h"

struct inputs {
    struct operand operands[CALLTABLE_MOST];  /* owned */
    struct snapshot *columns[CALLTABLE_MOST]; /* borrowed from the operands */
    Py_ssize_t count;
};

static void inputs_fini(struct inputs *self) {
    for (Py_ssize_t i = 0; i < self->count; i++)
        operand_fini(&self->operands[i]);
}

static int input_add(struct state *state, struct inputs *self, PyObject *snapshot) {
    struct operand *operand = &self->operands[self->count];
    if (!PyObject_TypeCheck(snapshot, state->snapshot_type)) {
        PyErr_Format(PyExc_TypeError, "a table of calls needs snapshots, not %.200s",
                     Py_TYPE(snapshot)->tp_name);
        return -1;
    }
    self->count++; /* also where what follows fails: what is there is to be given back */
    if (operand_init(state, operand, snapshot) < 0)
        return -1;
    if (operand->columns == NULL) {
        PyErr_SetString(PyExc_ValueError, "there is no call tree of traces that no blocks can have");
        return -1;
    }
    self->columns[self->count - 1] = operand->columns;
    return 0;
}

static int inputs_init(struct state *state, struct inputs *self, PyObject *snapshots) {
    Py_ssize_t count = PyTuple_GET_SIZE(snapshots);
    if (count < 1 || count > CALLTABLE_MOST) {
        PyErr_Format(PyExc_ValueError, "a table of calls needs 1 to %d snapshots, not %zd", CALLTABLE_MOST,
                     count);
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++)
        if (input_add(state, self, PyTuple_GET_ITEM(snapshots, i)) < 0)
            return -1;
    return 0;
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

/* Numbers the sites of the table anew, in the order in which they appear, and lists their places. */
static PyObject *number_places(struct calltable *table, struct names *names) {
    uint32_t sites = callpaths_ends(table->paths).sites;
    uint32_t *numbers = PyMem_Calloc((size_t)sites + 1, sizeof *numbers);
    if (numbers == NULL)
        return PyErr_NoMemory();
    PyObject *list = PyList_New(0);
    for (uint32_t row = 0, next = 1; list != NULL && row < table->count; row++) {
        uint32_t site = table->sites[row];
        if (numbers[site] == 0) {
            PyObject *place = place_of(names, site);
            if (place == NULL || PyList_Append(list, place) < 0)
                Py_CLEAR(list);
            Py_XDECREF(place);
            numbers[site] = next++;
        }
        table->sites[row] = numbers[site] - 1;
    }
    PyMem_Free(numbers);
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

static PyObject *table_object(struct state *state, struct calltable *table, Py_ssize_t count) {
    struct names *names = names_new(state, table->paths);
    PyObject *places = names == NULL ? NULL : number_places(table, names), *result = NULL;
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
    struct state *state = PyModule_GetState(module);
    struct inputs inputs = {.count = 0};
    struct calltable table = {.count = 0};
    PyObject *snapshots, *result = NULL;
    int compared;
    struct calltable_cut cut;
    if (!PyArg_ParseTuple(args, "O!pIIf:_call_table", &PyTuple_Type, &snapshots, &compared, &cut.enough,
                          &cut.most, &cut.least))
        return NULL;
    if (compared && PyTuple_GET_SIZE(snapshots) % 2 != 0)
        return PyErr_Format(PyExc_ValueError, "what is compared comes in pairs, not %zd snapshots",
                            PyTuple_GET_SIZE(snapshots));
    if (inputs_init(state, &inputs, snapshots) == 0) {
        status made;
        Py_BEGIN_ALLOW_THREADS;
        made = calltable_init(&table, &snapshots_account, inputs.columns, (size_t)inputs.count, compared,
                              cut);
        Py_END_ALLOW_THREADS;
        if (made != STATUS_OK)
            raise_status(made);
        else
            result = table_object(state, &table, inputs.count);
    }
    inputs_fini(&inputs);
    calltable_fini(&table);
    return result;
}

const char call_table_doc[] =
    "_call_table($module, snapshots, compared, enough, most, least, /)\n--\n\n"
    "Columns (bytes of native integers) of the calls in a tuple of snapshots: parents, sites, merged (32 "
    "bits\n"
    "each), a list of (sizes, counts) for each snapshot (64 bits each), and a list of the sites'\n"
    "((filename, lineno), function). Callers come first; all in preorder. If compared, the second half is "
    "the\n"
    "older ones. The `enough` largest calls stay, and up to `most` with a share of `least` (0 to 1); "
    "smaller\n"
    "ones are added up in rows whose `merged` is not 0.";

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
