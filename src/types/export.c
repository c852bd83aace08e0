/* export: snapshots in the formats of other tools (core/export.h), and the histogram of their blocks.
 *
 * Needs the GIL, which is given up while rows are read.
 */
#include "types.h"

#include "../core/export.h"
#include "../core/histogram.h"

#include <string.h>

static const char *const format_names[EXPORT_COUNT] = {
    [EXPORT_JSON] = "json",           [EXPORT_CSV] = "csv",
    [EXPORT_COLLAPSED] = "collapsed", [EXPORT_SPEEDSCOPE] = "speedscope",
    [EXPORT_PPROF] = "pprof",         [EXPORT_TRACEMALLOC] = "tracemalloc",
};

struct exporting {
    struct snapshot *columns; /* borrowed */
    enum export_format format;
};

static status write_export(const void *what, snapfile_sink sink, void *context) {
    const struct exporting *exporting = what;
    return export_snapshot(exporting->columns, exporting->format, sink, context);
}

static int format_from_name(const char *name, enum export_format *format) {
    for (int i = 0; i < EXPORT_COUNT; i++) {
        if (strcmp(name, format_names[i]) == 0) {
            *format = (enum export_format)i;
            return 0;
        }
    }
    PyErr_Format(PyExc_ValueError, "unknown format: '%.100s'", name);
    return -1;
}

static int operand_of_columns(PyObject *self, struct operand *operand) {
    struct state *state = state_of(self);
    if (state == NULL || operand_init(state, operand, self) < 0)
        return -1;
    if (operand->columns != NULL)
        return 0;
    PyErr_SetString(PyExc_ValueError, "these are traces that no blocks can have");
    operand_fini(operand);
    return -1;
}

PyObject *snapshot_export(PyObject *self, PyObject *args) {
    PyObject *stream;
    const char *name;
    struct exporting exporting;
    struct operand operand = {0};
    if (!PyArg_ParseTuple(args, "Os:_export", &stream, &name) ||
        format_from_name(name, &exporting.format) < 0 || operand_of_columns(self, &operand) < 0)
        return NULL;
    exporting.columns = operand.columns;
    int result = stream_out(stream, write_export, &exporting);
    operand_fini(&operand);
    if (result < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *list_of_bins(const struct histogram *histogram) {
    PyObject *list = PyList_New(0);
    for (int i = 0; list != NULL && i < HISTOGRAM_BINS; i++) {
        const struct bin *bin = &histogram->bins[i];
        if (bin->count == 0)
            continue;
        PyObject *item = Py_BuildValue("(KKK)", (unsigned long long)histogram_most(i),
                                       (unsigned long long)bin->count, (unsigned long long)bin->size);
        if (item == NULL || PyList_Append(list, item) < 0)
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}

PyObject *snapshot_block_sizes(PyObject *self, PyObject *Py_UNUSED(unused)) {
    struct histogram histogram;
    struct operand operand = {0};
    if (operand_of_columns(self, &operand) < 0)
        return NULL;
    PyObject *list = NULL;
    if (operand.columns->view != VIEW_LIVE) {
        PyErr_Format(PyExc_ValueError, "only the view 'live' knows single blocks, not '%s'",
                     view_names[operand.columns->view]);
    } else {
        Py_BEGIN_ALLOW_THREADS;
        histogram_count(&histogram, operand.columns);
        Py_END_ALLOW_THREADS;
        list = list_of_bins(&histogram);
    }
    operand_fini(&operand);
    return list;
}

const char export_doc[] =
    "_export($self, stream, format, /)\n--\n\n"
    "Write to a stream what `memtally convert` needs for 'json', 'csv', 'collapsed', 'speedscope', 'pprof'\n"
    "or 'tracemalloc': see src/core/export.h. Raises what write() does.";
const char block_sizes_doc[] =
    "block_sizes($self, /)\n--\n\n"
    "How many live blocks there are of which size: a list of (up_to, count, size), the smallest first.\n\n"
    "A bin holds the blocks of up to up_to bytes (0, 1, 2, 4, 8 ...) that are in no bin before it: count of\n"
    "them, with size bytes together. Empty bins are left out. Raises ValueError for other views than 'live'.";
