/* branch: class Branch, a call in the call tree of a snapshot (core/branches.h).
 *
 *   Branch --tree--> capsule (struct branches, in C)     a Branch is made for what is looked at; it is a number and
 *         \--names--> struct names                       two references
 *
 * Immutable to the eye: children are put in order when they are looked at. Needs the GIL, which is given up while the
 * tree is made.
 */
#include "types.h"

#include "../core/branches.h"

#include <stdlib.h>

struct branch_object {
    PyObject ob_base;
    PyObject *tree;      /* owned: the capsule */
    struct names *names; /* owned */
    uint32_t item;
};

static const char capsule_name[] = "memtally._core.branches";

static struct branches *tree_of(const struct branch_object *self) {
    return PyCapsule_GetPointer(self->tree, capsule_name);
}

static const struct branch *item_of(const struct branch_object *self) {
    return &tree_of(self)->items[self->item];
}

static void free_tree(PyObject *capsule) {
    struct branches *branches = PyCapsule_GetPointer(capsule, capsule_name);
    branches_fini(branches);
    free(branches);
}

/* A capsule with the tree of a snapshot. */
static PyObject *make_tree(struct snapshot *columns) {
    struct branches *branches = calloc(1, sizeof *branches);
    status result = STATUS_NOMEM;
    if (branches != NULL) {
        Py_BEGIN_ALLOW_THREADS;
        result = branches_init(branches, columns);
        Py_END_ALLOW_THREADS;
    }
    PyObject *capsule = NULL;
    if (result != STATUS_OK)
        raise_status(result);
    else if ((capsule = PyCapsule_New(branches, capsule_name, free_tree)) == NULL)
        branches_fini(branches);
    if (capsule == NULL)
        free(branches);
    return capsule;
}

static PyObject *branch_new(PyTypeObject *type, PyObject *tree, struct names *names, uint32_t item) {
    struct branch_object *self = (struct branch_object *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->tree = Py_NewRef(tree);
    self->names = (struct names *)Py_NewRef((PyObject *)names);
    self->item = item;
    return (PyObject *)self;
}

PyObject *snapshot_tree(PyObject *self, PyObject *Py_UNUSED(unused)) {
    struct state *state = state_of(self);
    struct operand operand = {0};
    PyObject *tree = NULL, *root = NULL;
    if (state == NULL || operand_init(state, &operand, self) < 0)
        return NULL;
    if (operand.columns == NULL)
        PyErr_SetString(PyExc_ValueError, "there is no call tree of traces that no blocks can have");
    else if ((tree = make_tree(operand.columns)) != NULL)
        root = branch_new(state->branch_type, tree, operand.names, 0);
    operand_fini(&operand);
    Py_XDECREF(tree);
    return root;
}

/* --- attributes --- */

static PyObject *get_size(PyObject *self, void *Py_UNUSED(closure)) {
    return PyLong_FromUnsignedLongLong(item_of((struct branch_object *)self)->size);
}

static PyObject *get_count(PyObject *self, void *Py_UNUSED(closure)) {
    return PyLong_FromUnsignedLongLong(item_of((struct branch_object *)self)->count);
}

static PyObject *get_own_size(PyObject *self, void *Py_UNUSED(closure)) {
    return PyLong_FromUnsignedLongLong(item_of((struct branch_object *)self)->own_size);
}

static PyObject *get_own_count(PyObject *self, void *Py_UNUSED(closure)) {
    return PyLong_FromUnsignedLongLong(item_of((struct branch_object *)self)->own_count);
}

static PyObject *get_frame(PyObject *object, void *Py_UNUSED(closure)) {
    struct branch_object *self = (struct branch_object *)object;
    struct state *state = state_of(object);
    uint32_t node = item_of(self)->node;
    if (state == NULL)
        return NULL;
    if (node == 0)
        Py_RETURN_NONE;
    uint32_t site = node_get(self->names->paths, node)->site;
    PyObject *function = names_function(self->names, site_get(self->names->paths, site)->function);
    PyObject *place = function == NULL ? NULL : names_pair(self->names, site);
    return place == NULL ? NULL : frame_new(state, place, function);
}

static PyObject *get_traceback(PyObject *object, void *Py_UNUSED(closure)) {
    struct branch_object *self = (struct branch_object *)object;
    struct state *state = state_of(object);
    struct place place = {.kind = PLACE_PATH};
    place.path.node = item_of(self)->node;
    place.path.limit = UINT32_MAX;
    if (place.path.node == 0)
        place.kind = PLACE_EMPTY;
    return state == NULL ? NULL : traceback_lazy(state, self->names, &place);
}

/* --- sequence --- */

static Py_ssize_t branch_length(PyObject *self) {
    return (Py_ssize_t)item_of((struct branch_object *)self)->child_count;
}

static PyObject *branch_item(PyObject *object, Py_ssize_t index) {
    struct branch_object *self = (struct branch_object *)object;
    const struct branch *item = item_of(self);
    if (index < 0 || index >= (Py_ssize_t)item->child_count)
        return PyErr_Format(PyExc_IndexError, "a branch with %u children has no child %zd", item->child_count,
                            index);
    status result = branches_sort(tree_of(self), self->item, (uint32_t)index + 1);
    if (result != STATUS_OK) {
        raise_status(result);
        return NULL;
    }
    return branch_new(Py_TYPE(object), self->tree, self->names,
                      tree_of(self)->children[item->first_child + (size_t)index]);
}

static int branch_bool(PyObject *Py_UNUSED(self)) { return 1; }

static PyObject *branch_repr(PyObject *object) {
    const struct branch *item = item_of((struct branch_object *)object);
    PyObject *frame = get_frame(object, NULL), *text = NULL;
    if (frame != NULL)
        text = PyUnicode_FromFormat("<Branch frame=%R size=%llu count=%llu own_size=%llu own_count=%llu>",
                                    frame, (unsigned long long)item->size, (unsigned long long)item->count,
                                    (unsigned long long)item->own_size, (unsigned long long)item->own_count);
    Py_XDECREF(frame);
    return text;
}

/* Branches of one tree are equal where they are the same call. */
static PyObject *branch_compare(PyObject *a, PyObject *b, int op) {
    if (!Py_IS_TYPE(b, Py_TYPE(a)) || (op != Py_EQ && op != Py_NE))
        Py_RETURN_NOTIMPLEMENTED;
    struct branch_object *left = (struct branch_object *)a, *right = (struct branch_object *)b;
    bool equal = left->tree == right->tree && left->item == right->item;
    return PyBool_FromLong(equal == (op == Py_EQ));
}

static Py_hash_t branch_hash(PyObject *object) {
    struct branch_object *self = (struct branch_object *)object;
    return (Py_hash_t)(hash_mix((uintptr_t)self->tree ^ self->item) >> 1);
}

static void branch_dealloc(PyObject *object) {
    struct branch_object *self = (struct branch_object *)object;
    PyTypeObject *type = Py_TYPE(object);
    Py_XDECREF(self->tree);
    Py_XDECREF((PyObject *)self->names);
    type->tp_free(object);
    Py_DECREF(type);
}

const char tree_doc[] =
    "tree($self, /)\n--\n\n"
    "The call tree: the root Branch, which stands for the whole snapshot.\n\n"
    "Branches have the whole call paths as far as they are known, also beyond traceback_limit. The tree is\n"
    "made at once, in C; its Branch objects when they are looked at. Raises ValueError for traces with\n"
    "numbers that no blocks have.";

PyDoc_STRVAR(branch_doc,
             "A call in the tree of a snapshot, see Snapshot.tree(): what was allocated there and below.\n\n"
             "A sequence of the branches that were called from here, the biggest first: by size, count, and\n"
             "frame, as statistics are sorted.");

static PyGetSetDef branch_getset[] = {
    {"frame", get_frame, NULL, "File, line and function of the call (Frame); None for the root.", NULL},
    {"traceback", get_traceback, NULL, "The way here (Traceback), from the oldest frame.", NULL},
    {"size", get_size, NULL, "Bytes that were allocated here and in all that is called from here (int).",
     NULL},
    {"count", get_count, NULL, "Blocks that were allocated here and in all that is called from here (int).",
     NULL},
    {"own_size", get_own_size, NULL, "Bytes that were allocated right here (int).", NULL},
    {"own_count", get_own_count, NULL, "Blocks that were allocated right here (int).", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot branch_slots[] = {
    {Py_tp_doc, (void *)branch_doc},
    {Py_tp_dealloc, branch_dealloc},
    {Py_tp_richcompare, branch_compare},
    {Py_tp_hash, branch_hash},
    {Py_tp_repr, branch_repr},
    {Py_tp_iter, PySeqIter_New},
    {Py_tp_getset, branch_getset},
    {Py_sq_length, branch_length},
    {Py_sq_item, branch_item},
    {Py_nb_bool, branch_bool},
    {0, NULL},
};

PyType_Spec branch_spec = {
    .name = "memtally.Branch",
    .basicsize = sizeof(struct branch_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = branch_slots,
};
