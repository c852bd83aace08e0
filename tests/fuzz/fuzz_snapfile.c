/* The reader of snapshot files on whatever libFuzzer makes up, as it is and with its checksums put right.
 *
 * Whatever comes: a status, a reason, a byte within the file; memory in proportion to the size, all of it given back.
 * What is accepted is sound, and written and read again it is the same. AddressSanitizer and UBSan watch; the input lies
 * in a block of its own, so a byte too far shows.
 */
#include "../core/snapfile_seal.h"

#include <stdio.h>
#include <stdlib.h>

static struct vmem account;

/* Pages and steps of regions that even an empty file takes. */
enum { LEAST_MEMORY = 4 << 20, MOST_TIMES = 40 };

static void need(bool condition, const char *what) {
    if (condition)
        return;
    fprintf(stderr, "fuzz_snapfile: it does not hold that %s\n", what);
    abort();
}

/* All views of a file, the first one first. */
struct content {
    struct snapshot *views[VIEW_COUNT];
    size_t count;
};

static void content_fini(struct content *content) {
    for (size_t i = 0; i < content->count; i++)
        snapshot_release(content->views[i]);
    content->count = 0;
}

static status get(void *context, uint64_t offset, void *bytes, size_t length) {
    memcpy(bytes, (const unsigned char *)context + offset, length);
    return STATUS_OK;
}

static status read_views(const struct snapfile *file, struct content *content, struct snapfile_error *error) {
    struct callpaths *paths;
    uint32_t limit;
    status result = snapfile_read_limit(file, file->first, &limit, error);
    if (result == STATUS_OK)
        result = snapfile_read_paths(file, &paths, error);
    if (result != STATUS_OK)
        return result;
    need(callpaths_check(paths), "accepted call paths are sound");
    for (int i = 0; i < VIEW_COUNT && result == STATUS_OK; i++) {
        enum view view = (enum view)(((int)file->first + i) % VIEW_COUNT);
        if (!file->views[view])
            continue;
        result = snapfile_read_view(file, paths, view, &content->views[content->count], error);
        if (result == STATUS_OK)
            need(snapshot_check(content->views[content->count++]), "accepted rows are sound");
    }
    callpaths_release(paths);
    return result;
}

static status read_all(const unsigned char *bytes, size_t length, bool through_function,
                       struct content *content) {
    struct snapfile_source source = {.bytes = through_function ? NULL : bytes,
                                     .read = get,
                                     .context = (void *)(uintptr_t)bytes,
                                     .length = length};
    struct snapfile file;
    struct snapfile_pair entry;
    struct snapfile_error error;
    *content = (struct content){.count = 0};
    status result = snapfile_open(&file, &source, &account, &error);
    for (size_t cursor = 0; result == STATUS_OK && snapfile_next_pair(&file, &cursor, &entry);)
        need(entry.key.length > 0, "keys are not empty");
    if (result == STATUS_OK)
        result = read_views(&file, content, &error);
    need(result == STATUS_OK || result == STATUS_INVALID, "a file is accepted or refused");
    need(result == STATUS_OK || (error.text[0] != '\0' && error.offset <= length), "the reason is told");
    need(vmem_bytes(&account) <= LEAST_MEMORY + MOST_TIMES * length, "memory follows the size");
    snapfile_close(&file);
    if (result != STATUS_OK)
        content_fini(content);
    return result;
}

struct written {
    unsigned char *bytes; /* owned */
    size_t length;
};

static status append(void *context, const void *bytes, size_t length) {
    struct written *written = context;
    unsigned char *grown = realloc(written->bytes, written->length + length);
    if (grown == NULL)
        abort();
    memcpy(grown + written->length, bytes, length);
    written->bytes = grown;
    written->length += length;
    return STATUS_OK;
}

static struct written write_all(const struct content *content) {
    struct written written = {NULL, 0};
    need(snapfile_write(content->views, content->count, NULL, 0, append, &written) == STATUS_OK,
         "what was read can be written");
    return written;
}

static void read_and_write(const unsigned char *bytes, size_t length, bool through_function) {
    struct content content, again;
    if (read_all(bytes, length, through_function, &content) == STATUS_OK) {
        struct written first = write_all(&content);
        need(read_all(first.bytes, first.length, !through_function, &again) == STATUS_OK,
             "what was written can be read");
        struct written second = write_all(&again);
        need(first.length == second.length && memcmp(first.bytes, second.bytes, first.length) == 0,
             "it is the same");
        content_fini(&content);
        content_fini(&again);
        free(first.bytes);
        free(second.bytes);
    }
    need(vmem_bytes(&account) == 0, "all memory is given back");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    unsigned char *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL)
        return 0;
    memcpy(copy, data, size);
    bool through_function = size > 0 && (copy[size / 2] & 1);
    read_and_write(copy, size, through_function);
    seal(copy, size);
    read_and_write(copy, size, through_function);
    free(copy);
    return 0;
}
