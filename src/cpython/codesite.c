/* codesite: reads names and lines out of code objects (codesite.h). Any thread that keeps the code alive may call. */
#include "frames/frames.h"

#include "../core/linetable.h"
#include "codesite.h"

#include <string.h>

/* --- names: Python strings to UTF-8 with surrogates kept ("surrogatepass") --------------------------------------- */

static size_t utf8_length(uint32_t c) { return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4; }

static char *put_utf8(char *out, uint32_t c) {
    size_t length = utf8_length(c);
    if (length == 1) {
        *out++ = (char)c;
        return out;
    }
    static const uint8_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = length; i-- > 0; c >>= 6)
        out[i] = (char)(i == 0 ? (lead[length] | c) : (0x80 | (c & 0x3F)));
    return out + length;
}

static cold_path status intern_wide(struct callpaths *paths, PyObject *string, uint32_t *id) {
    char few[1024] = "", *bytes = few;
    int kind = (int)PyUnicode_KIND(string);
    const void *data = PyUnicode_DATA(string);
    Py_ssize_t count = PyUnicode_GET_LENGTH(string);
    size_t length = 0;
    for (Py_ssize_t i = 0; i < count; i++)
        length += utf8_length(PyUnicode_READ(kind, data, i));
    if (length > sizeof few && (bytes = vmem_map(paths->account, length)) == NULL)
        return STATUS_NOMEM;
    char *out = bytes;
    for (Py_ssize_t i = 0; i < count; i++)
        out = put_utf8(out, PyUnicode_READ(kind, data, i));
    status result = strtab_intern(&paths->strings, bytes, length, id);
    if (bytes != few)
        vmem_unmap(paths->account, bytes, length);
    return result;
}

/* What is not a readable string is "<unknown>", as the standard tracer has it. */
static status intern_name(struct callpaths *paths, PyObject *name, uint32_t *id) {
    static const char unknown[] = "<unknown>";
    if (name == NULL || !PyUnicode_Check(name) || !unicode_is_ready(name))
        return strtab_intern(&paths->strings, unknown, sizeof unknown - 1, id);
    if (PyUnicode_IS_ASCII(name))
        return strtab_intern(&paths->strings, PyUnicode_DATA(name), (size_t)PyUnicode_GET_LENGTH(name), id);
    return intern_wide(paths, name, id);
}

/* --- lines -------------------------------------------------------------------------------------------------------- */

/* The line of an instruction. `codes`: knows where to read on in its line table; NULL: from the beginning. */
static uint32_t line_of(PyCodeObject *code, uintptr_t instr, struct codemap *codes) {
    const intptr_t offset = (intptr_t)(instr - (uintptr_t)_PyCode_CODE(code));
    if (offset < 0)
        return code->co_firstlineno > 0 ? (uint32_t)code->co_firstlineno : 0;
    const uint32_t unit = (uint32_t)offset / sizeof(_Py_CODEUNIT);
    struct linetable_place begin = {.line = code->co_firstlineno}, *place = &begin;
    if (codes != NULL)
        place = codemap_place(codes, (uintptr_t)code, code->co_firstlineno, unit);
    const uint8_t *table = (const uint8_t *)PyBytes_AS_STRING(code->co_linetable);
    return linetable_line(table, (size_t)PyBytes_GET_SIZE(code->co_linetable), place, unit);
}

static status site_locked(struct callpaths *paths, PyCodeObject *code, uint32_t line, uint32_t *site) {
    struct site content = {.line = line};
    status result = intern_name(paths, code->co_filename, &content.file);
    if (result == STATUS_OK)
        result = intern_name(paths, code->co_qualname, &content.function);
    return result == STATUS_OK ? site_intern_locked(paths, &content, site) : result;
}

status code_site_locked(struct callpaths *paths, PyCodeObject *code, uintptr_t instr, uint32_t *site) {
    return site_locked(paths, code, line_of(code, instr, NULL), site);
}

status code_site_known(struct tracer *tracer, PyCodeObject *code, uintptr_t instr, uint32_t *site) {
    if (codemap_get(&tracer->codes, instr, site))
        return STATUS_OK;
    /* First: once its line table was read, its end must be told of. */
    status result = STATUS_OK;
    if (!codemap_knows(&tracer->codes, (uintptr_t)code))
        result = tracer_watch_code(tracer, (uintptr_t)code);
    if (result != STATUS_OK)
        return result;
    lock_acquire(&tracer->paths->lock);
    result = site_locked(tracer->paths, code, line_of(code, instr, &tracer->codes), site);
    lock_release(&tracer->paths->lock);
    if (result != STATUS_OK || !codemap_asked(&tracer->codes, instr))
        return result;
    return codemap_put(&tracer->codes, (uintptr_t)code, instr, *site);
}
