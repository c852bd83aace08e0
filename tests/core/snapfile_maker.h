/* snapfile_maker: snapshot files for the tests: written to memory, put together by hand, damaged, and sealed
 * again so that only the damage is wrong and not the checksums.
 */
#ifndef MEMTALLY_TEST_SNAPFILE_MAKER_H
#define MEMTALLY_TEST_SNAPFILE_MAKER_H

#include "model.h"

#include "snapfile_seal.h"

struct file {
    unsigned char *bytes;
    size_t length, room;
    size_t calls, fail_at; /* the sink's call that fails, counted from 1 */
    bool through_function; /* read it with file_get */
};

static inline status file_append(void *context, const void *bytes, size_t length) {
    struct file *file = context;
    if (++file->calls == file->fail_at)
        return STATUS_FULL;
    if (file->length + length > file->room) {
        file->room = (file->length + length) * 2;
        file->bytes = realloc(file->bytes, file->room);
        assert_non_null(file->bytes);
    }
    memcpy(file->bytes + file->length, bytes, length);
    file->length += length;
    return STATUS_OK;
}

static inline struct file file_of(struct snapshot *const *snapshots, size_t count,
                                  const struct snapfile_pair *pairs, size_t pair_count) {
    struct file file = {0};
    assert_int_equal(snapfile_write(snapshots, count, pairs, pair_count, file_append, &file), STATUS_OK);
    return file;
}

static inline void file_add(struct file *file, uint64_t number, size_t bytes) {
    unsigned char at[8];
    seal_put(at, number, bytes);
    assert_int_equal(file_append(file, at, bytes), STATUS_OK);
}

/* Makes all checksums right again, as far as the directory can be found. */
static inline void file_seal(struct file *file) { seal(file->bytes, file->length); }

/* A section put together by hand. */
struct part {
    unsigned kind, flags;
    const char *bytes;
    size_t length;
    uint64_t count;
};

/* clang-format off */
static const char sample_strings[] = "\x04" "a.py" "\x04" "main" "\x07" "b/\xc3\xa9.py";
static const char sample_sites[] = "\x02\x04\x02" "\x04\x03\x0c"; /* a.py:1 main, b/e.py:7 "" */
static const char sample_nodes[] = "\x00\x02\x01" "\x01\x02"; /* site 1, depth 1; below it site 2 */
static const char sample_rows[] = /* limit 25; 3 of 64 bytes at node 2; one of 0 at 1, domain 5, depth unknown */
    "\x19" "\x21\x40\x03" "\x0e\x00\x05\x00";
/* clang-format on */

#define PART(kind, bytes, count)                                                                             \
    { kind, SECTION_REQUIRED, bytes, sizeof bytes - 1, count }

/* Metadata, names, sites, nodes and rows: a file that is right. Tests change one part. */
static const struct part sample[] = {
    PART(SECTION_METADATA,
         "\x01"
         "k"
         "\x01"
         "v",
         1),
    PART(SECTION_STRINGS, sample_strings, 3),
    PART(SECTION_SITES, sample_sites, 2),
    PART(SECTION_NODES, sample_nodes, 2),
    PART(SECTION_ROWS + VIEW_LIVE, sample_rows, 2),
};
enum { PARTS = sizeof sample / sizeof *sample };

static inline struct file file_from_parts(const struct part *parts, size_t count) {
    struct file file = {0};
    uint64_t offsets[16];
    assert_in_range(count, 0, 16);
    assert_int_equal(file_append(&file, SNAPFILE_MAGIC, 8), STATUS_OK);
    file_add(&file, SNAPFILE_MAJOR, 2);
    file_add(&file, SNAPFILE_MINOR, 2);
    file_add(&file, 0, 8);
    file_add(&file, 0, 4);
    for (size_t i = 0; i < count; i++) {
        offsets[i] = file.length;
        assert_int_equal(file_append(&file, parts[i].bytes, parts[i].length), STATUS_OK);
    }
    uint64_t directory = file.length;
    for (size_t i = 0; i < count; i++) {
        file_add(&file, parts[i].kind, 2);
        file_add(&file, parts[i].flags, 2);
        file_add(&file, 0, 4);
        file_add(&file, offsets[i], 8);
        file_add(&file, parts[i].length, 8);
        file_add(&file, parts[i].count, 8);
    }
    file_add(&file, directory, 8);
    file_add(&file, count, 4);
    file_add(&file, 0, 4);
    assert_int_equal(file_append(&file, SNAPFILE_END, 8), STATUS_OK);
    file_seal(&file);
    return file;
}

/* Half of the tests' reading goes through a function, as from a file on disk: where nothing but the bytes asked for is
 * there, reading too far shows. */
static inline status file_get(void *context, uint64_t offset, void *bytes, size_t length) {
    const struct file *file = context;
    assert_true(length > 0 && offset <= file->length && length <= file->length - offset);
    memcpy(bytes, file->bytes + offset, length);
    return STATUS_OK;
}

static inline struct snapfile_source file_source(const struct file *file) {
    return (struct snapfile_source){.bytes = file->through_function ? NULL : file->bytes,
                                    .read = file_get,
                                    .context = (void *)(uintptr_t)file,
                                    .length = file->length};
}

/* Reads all views; the last one read is the result, the caller's, or NULL. */
static inline status file_read(const struct file *file, struct vmem *account, struct snapshot **snapshot,
                               struct snapfile_error *error) {
    struct snapfile_source source = file_source(file);
    struct snapfile open;
    struct callpaths *paths = NULL;
    *snapshot = NULL;
    status result = snapfile_open(&open, &source, account, error);
    if (result == STATUS_OK)
        result = snapfile_read_paths(&open, &paths, error);
    for (int view = 0; view < VIEW_COUNT && result == STATUS_OK; view++) {
        if (!open.views[view])
            continue;
        snapshot_release(*snapshot);
        result = snapfile_read_view(&open, paths, (enum view)view, snapshot, error);
    }
    assert_true(paths == NULL || callpaths_check(paths));
    callpaths_release(paths);
    snapfile_close(&open);
    return result;
}

#endif
