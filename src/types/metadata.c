/* metadata: see metadata.h. Needs the GIL. */
#include "types.h"

#include "../core/snapfile.h"

#include <string.h>
#include <sys/utsname.h>

enum kind { TEXT, NUMBER, TEXTS };

static const struct name {
    const char *name;
    enum kind kind;
} known_names[] = {
    {"time", TEXT},           {"program", TEXT},      {"arguments", TEXTS}, {"python", TEXT},
    {"memtally", TEXT},       {"platform", TEXT},     {"frames", NUMBER},   {"lost_traces", NUMBER},
    {"traced_bytes", NUMBER}, {"peak_bytes", NUMBER},
};
enum { KNOWN_NAMES = sizeof known_names / sizeof *known_names };

static const char attributes_key[] = "attributes"; /* of the snapshot object: in a file only */

/* --- facts --- */

void facts_note(struct facts *facts, const struct moment *moment) {
    *facts = (struct facts){.known = true,
                            .current = moment->current,
                            .peak = moment->peak,
                            .lost = moment->lost,
                            .frames = moment->frames};
    clock_gettime(CLOCK_REALTIME, &facts->when);
    PyObject *argv = PySys_GetObject("argv");
    if (argv != NULL && PyList_Check(argv))
        facts->argv = PyList_AsTuple(argv);
    PyErr_Clear();
}

struct facts facts_copy(const struct facts *facts) {
    Py_XINCREF(facts->argv);
    return *facts;
}

void facts_fini(struct facts *facts) { Py_CLEAR(facts->argv); }

/* --- facts to a dict --- */

/* Steals the value; NULL ends what comes after it, too. */
static int put(PyObject *dict, const char *name, PyObject *value) {
    int result = value == NULL ? -1 : PyDict_SetItemString(dict, name, value);
    Py_XDECREF(value);
    return result;
}

/* As datetime.isoformat() writes it, in UTC. */
static PyObject *time_text(const struct timespec *when) {
    char date[32];
    struct tm parts;
    if (gmtime_r(&when->tv_sec, &parts) == NULL ||
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts) == 0)
        return PyUnicode_FromString("");
    return PyUnicode_FromFormat("%s.%06ld+00:00", date, when->tv_nsec / 1000);
}

static PyObject *platform_text(void) {
    struct utsname system;
    if (uname(&system) != 0)
        return PyUnicode_FromString("");
    return PyUnicode_FromFormat("%s %s %s", system.sysname, system.release, system.machine);
}

static PyObject *python_text(void) {
    const char *version = Py_GetVersion(), *end = strchr(version, ' ');
    return PyUnicode_FromStringAndSize(version, end == NULL ? (Py_ssize_t)strlen(version) : end - version);
}

static PyObject *own_version(void) {
    PyObject *package = PyImport_ImportModule("memtally");
    PyObject *version = package == NULL ? NULL : attribute(package, "__version__");
    Py_XDECREF(package);
    return version;
}

/* What of the arguments is text, as a program may put anything into sys.argv. */
static PyObject *arguments(PyObject *argv) {
    PyObject *list = PyList_New(0), *result = NULL;
    for (Py_ssize_t i = 1; list != NULL && i < PyTuple_GET_SIZE(argv); i++)
        if (PyUnicode_CheckExact(PyTuple_GET_ITEM(argv, i)) &&
            PyList_Append(list, PyTuple_GET_ITEM(argv, i)) < 0)
            Py_CLEAR(list);
    if (list != NULL)
        result = PyList_AsTuple(list);
    Py_XDECREF(list);
    return result;
}

static int put_program(PyObject *dict, PyObject *argv) {
    if (argv == NULL || PyTuple_GET_SIZE(argv) == 0 || !PyUnicode_CheckExact(PyTuple_GET_ITEM(argv, 0)))
        return 0;
    return put(dict, "program", Py_NewRef(PyTuple_GET_ITEM(argv, 0))) < 0 ||
                   put(dict, "arguments", arguments(argv)) < 0
               ? -1
               : 0;
}

static int put_facts(PyObject *dict, const struct facts *facts) {
    return put(dict, "time", time_text(&facts->when)) < 0 || put_program(dict, facts->argv) < 0 ||
                   put(dict, "python", python_text()) < 0 || put(dict, "memtally", own_version()) < 0 ||
                   put(dict, "platform", platform_text()) < 0 ||
                   put(dict, "frames", PyLong_FromUnsignedLong(facts->frames)) < 0 ||
                   put(dict, "lost_traces", PyLong_FromUnsignedLongLong(facts->lost)) < 0 ||
                   put(dict, "traced_bytes", PyLong_FromUnsignedLongLong(facts->current)) < 0 ||
                   put(dict, "peak_bytes", PyLong_FromUnsignedLongLong(facts->peak)) < 0
               ? -1
               : 0;
}

PyObject *metadata_make(const struct facts *facts) {
    PyObject *dict = PyDict_New();
    if (dict != NULL && facts->known && put_facts(dict, facts) < 0)
        Py_CLEAR(dict);
    return dict;
}

/* --- a dict to texts --- */

static PyObject *joined(PyObject *texts) {
    PyObject *end = PyUnicode_FromStringAndSize("", 1), *all = PyUnicode_FromString("");
    for (Py_ssize_t i = 0; end != NULL && all != NULL && i < PyTuple_GET_SIZE(texts); i++) {
        PyUnicode_Append(&all, PyTuple_GET_ITEM(texts, i)); /* sets `all` to NULL where it fails */
        if (all != NULL)
            PyUnicode_Append(&all, end);
    }
    Py_XDECREF(end);
    return all;
}

/* As UTF-8, kept in `texts->bytes`. */
static int encode_text(struct metadata_texts *texts, PyObject *value, struct string *string) {
    PyObject *text = PyTuple_Check(value) ? joined(value) : PyObject_Str(value);
    PyObject *bytes = text == NULL ? NULL : PyUnicode_AsEncodedString(text, "utf-8", "surrogatepass");
    int result = bytes == NULL ? -1 : PyList_Append(texts->bytes, bytes);
    if (result == 0)
        *string = (struct string){PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)};
    Py_XDECREF(text);
    Py_XDECREF(bytes); /* the list has it */
    return result;
}

static int encode_all(PyObject *metadata, PyObject *leave_out, struct metadata_texts *texts) {
    PyObject *key, *value;
    for (Py_ssize_t at = 0; PyDict_Next(metadata, &at, &key, &value);) {
        struct snapfile_pair *entry = &texts->pairs[texts->count];
        int left_out = leave_out == NULL ? 0 : PySet_Contains(leave_out, key);
        if (left_out < 0 || (!left_out && (encode_text(texts, key, &entry->key) < 0 ||
                                           encode_text(texts, value, &entry->value) < 0)))
            return -1;
        texts->count += left_out ? 0 : 1;
    }
    return 0;
}

int metadata_encode(PyObject *metadata, PyObject *leave_out, PyObject *attributes,
                    struct metadata_texts *texts) {
    *texts = (struct metadata_texts){.count = 0};
    texts->pairs = PyMem_New(struct snapfile_pair, (size_t)PyDict_GET_SIZE(metadata) + 1);
    if (texts->pairs == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if ((texts->bytes = PyList_New(0)) == NULL || encode_all(metadata, leave_out, texts) < 0)
        return -1;
    if (attributes == Py_None)
        return 0;
    struct snapfile_pair *entry = &texts->pairs[texts->count++];
    entry->key = (struct string){attributes_key, sizeof attributes_key - 1};
    return encode_text(texts, attributes, &entry->value);
}

void metadata_texts_fini(struct metadata_texts *texts) {
    PyMem_Free(texts->pairs);
    Py_CLEAR(texts->bytes);
}

PyObject *metadata_names(PyObject *names, PyObject *metadata) {
    PyObject *set = PyUnicode_Check(names) ? NULL : PyFrozenSet_New(names), *known = NULL, *rest = NULL;
    if (PyUnicode_Check(names))
        PyErr_SetString(PyExc_TypeError, "leave_out must be an iterable of names, not one str");
    if (set != NULL)
        known = PySet_New(metadata);
    for (size_t i = 0; known != NULL && i < KNOWN_NAMES; i++) {
        PyObject *name = PyUnicode_FromString(known_names[i].name);
        if (name == NULL || PySet_Add(known, name) < 0)
            Py_CLEAR(known);
        Py_XDECREF(name);
    }
    if (known != NULL && (rest = PyNumber_Subtract(set, known)) != NULL && PySet_GET_SIZE(rest) > 0) {
        PyObject *list = PySequence_List(rest);
        if (list != NULL)
            PyErr_Format(PyExc_ValueError, "leave_out: metadata have no entry %R", PyList_GET_ITEM(list, 0));
        Py_XDECREF(list);
        Py_CLEAR(rest);
    }
    if (rest == NULL)
        Py_CLEAR(set);
    Py_XDECREF(known);
    Py_XDECREF(rest);
    return set;
}

/* --- texts to a dict --- */

static enum kind kind_of(struct string key) {
    for (size_t i = 0; i < KNOWN_NAMES; i++)
        if (key.length == strlen(known_names[i].name) &&
            memcmp(key.bytes, known_names[i].name, key.length) == 0)
            return known_names[i].kind;
    return TEXT;
}

static PyObject *decode_text(struct string text) {
    return PyUnicode_DecodeUTF8(text.bytes, (Py_ssize_t)text.length, "surrogatepass");
}

/* NULL without an exception where it is no number of 64 bits. */
static PyObject *decode_number(struct string text) {
    uint64_t number = 0;
    bool sound = text.length > 0;
    for (size_t i = 0; sound && i < text.length; i++)
        sound = text.bytes[i] >= '0' && text.bytes[i] <= '9' &&
                !__builtin_mul_overflow(number, 10, &number) &&
                !__builtin_add_overflow(number, (uint64_t)(text.bytes[i] - '0'), &number);
    return sound ? PyLong_FromUnsignedLongLong(number) : NULL;
}

/* NULL without an exception where the last text has no end. */
static PyObject *decode_texts(struct string all) {
    if (all.length > 0 && all.bytes[all.length - 1] != '\0')
        return NULL;
    PyObject *list = PyList_New(0), *result = NULL;
    for (size_t start = 0; list != NULL && start < all.length;) {
        size_t length = strlen(all.bytes + start);
        PyObject *text = decode_text((struct string){all.bytes + start, length});
        if (text == NULL || PyList_Append(list, text) < 0)
            Py_CLEAR(list);
        Py_XDECREF(text);
        start += length + 1;
    }
    if (list != NULL)
        result = PyList_AsTuple(list);
    Py_XDECREF(list);
    return result;
}

static int decode_pair(const struct snapfile *file, PyObject *dict, const struct snapfile_pair *entry,
                       struct snapfile_error *error) {
    enum kind kind = kind_of(entry->key);
    PyObject *value = kind == NUMBER  ? decode_number(entry->value)
                      : kind == TEXTS ? decode_texts(entry->value)
                                      : decode_text(entry->value);
    if (value == NULL && !PyErr_Occurred())
        snapfile_fail(error,
                      file->pairs.offset +
                          (uint64_t)((const unsigned char *)entry->value.bytes - file->pairs.bytes),
                      "metadata: the value of %.*s is no %s", (int)entry->key.length, entry->key.bytes,
                      kind == NUMBER ? "number of 64 bits" : "list of texts");
    PyObject *key = value == NULL ? NULL : decode_text(entry->key);
    int result = key == NULL ? -1 : PyDict_SetItem(dict, key, value);
    Py_XDECREF(key);
    Py_XDECREF(value);
    return result;
}

PyObject *metadata_decode(const struct snapfile *file, PyObject **attributes, struct snapfile_error *error) {
    struct snapfile_pair entry;
    PyObject *dict = PyDict_New();
    *attributes = NULL;
    for (size_t cursor = 0; dict != NULL && snapfile_next_pair(file, &cursor, &entry);) {
        int result;
        if (entry.key.length == sizeof attributes_key - 1 &&
            memcmp(entry.key.bytes, attributes_key, entry.key.length) == 0) {
            Py_XSETREF(*attributes,
                       PyBytes_FromStringAndSize(entry.value.bytes, (Py_ssize_t)entry.value.length));
            result = *attributes == NULL ? -1 : 0;
        } else {
            result = decode_pair(file, dict, &entry, error);
        }
        if (result < 0)
            Py_CLEAR(dict);
    }
    if (dict == NULL)
        Py_CLEAR(*attributes);
    return dict;
}
