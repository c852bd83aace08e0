/* capi: the functions behind include/memtally.h, and how extensions find them (capi.h). */
#include "capi.h"

#include "../../include/memtally.h"
#include "../types/engine.h"
#include "capture.h"
#include "hooks.h"
#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)REPORT_NO_MEMORY == (int)MEMTALLY_NO_MEMORY, "one code");
_Static_assert((int)REPORT_NOT_TRACING == (int)MEMTALLY_NOT_TRACING, "one code");

/* --- a call path as one piece of memory ---------------------------------------------------------------------------- */

static const struct site *site_of(const struct callpaths *paths, uint32_t node) {
    return site_get(paths, node_get(paths, node)->site);
}

static size_t length_of(const struct callpaths *paths, uint32_t name) {
    return strtab_get(&paths->strings, name).length + 1;
}

/* Copies a name to `*end`, which moves behind it. */
static const char *copy_name(const struct callpaths *paths, uint32_t name, char **end) {
    struct string string = strtab_get(&paths->strings, name);
    char *copy = *end;
    memcpy(copy, string.bytes, string.length);
    copy[string.length] = '\0';
    *end += string.length + 1;
    return copy;
}

/* |Memtally_Traceback|Memtally_Frame ...|names ...| or NULL */
static Memtally_Traceback *copy_path(const struct found *block, unsigned int count) {
    const struct callpaths *paths = block->paths;
    size_t bytes = sizeof(Memtally_Traceback) + count * sizeof(Memtally_Frame);
    uint32_t node = block->node;
    for (unsigned int i = 0; i < count; i++, node = node_get(paths, node)->parent)
        bytes += length_of(paths, site_of(paths, node)->file) +
                 length_of(paths, site_of(paths, node)->function);
    Memtally_Traceback *traceback = malloc(bytes);
    if (traceback == NULL)
        return NULL;
    Memtally_Frame *frames = (Memtally_Frame *)(traceback + 1);
    char *end = (char *)(frames + count);
    node = block->node;
    for (unsigned int i = 0; i < count; i++, node = node_get(paths, node)->parent) {
        const struct site *site = site_of(paths, node);
        frames[i].file = copy_name(paths, site->file, &end);
        frames[i].function = copy_name(paths, site->function, &end);
        frames[i].line = site->line;
    }
    assert(end == (char *)traceback + bytes);
    uint32_t depth = node_get(paths, block->node)->depth;
    *traceback = (Memtally_Traceback){block->size, depth < UINT16_MAX ? depth : UINT16_MAX, count, frames};
    return traceback;
}

/* --- the functions ------------------------------------------------------------------------------------------------- */

static int is_tracing(void) { return report_is_wanted(); }

static int find_traceback(unsigned int domain, uintptr_t address, Memtally_Traceback **result) {
    struct found block;
    if (!report_is_wanted())
        return MEMTALLY_NOT_TRACING;
    bool joint = hooks_caller().joint;
    if (!joint && domain == DOMAIN_PYTHON)
        return MEMTALLY_NEEDS_GIL;
    if (!tracer_find_block(&the_tracer, joint, domain, address, &block))
        return MEMTALLY_NOT_FOUND;
    int error = errno;
    uint32_t limit = (uint32_t)engine_limit();
    *result = copy_path(&block, path_frames(block.paths, block.node, limit));
    callpaths_release(block.paths);
    errno = error;
    return *result != NULL ? MEMTALLY_OK : MEMTALLY_NO_MEMORY;
}

static void free_traceback(Memtally_Traceback *traceback) {
    int error = errno;
    free(traceback);
    errno = error;
}

static const Memtally_API api = {
    .version = MEMTALLY_API_VERSION,
    .size = sizeof(Memtally_API),
    .track = report_track,
    .untrack = report_untrack,
    .is_tracing = is_tracing,
    .find_traceback = find_traceback,
    .free_traceback = free_traceback,
};

/* The header's own import finds the slot, or makes it if memtally is the first to look. */
int capi_publish(PyObject *module) {
    if (Memtally_Import() < 0)
        return -1;
    PyObject *capsule = PyCapsule_New((void *)(uintptr_t)&api, "memtally._core._C_API", NULL);
    int result = capsule == NULL ? -1 : PyModule_AddObjectRef(module, "_C_API", capsule);
    Py_XDECREF(capsule);
    if (result == 0)
        __atomic_store_n(&Memtally_slot->api, &api, __ATOMIC_RELEASE);
    return result;
}
