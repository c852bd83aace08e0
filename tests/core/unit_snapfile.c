/* Snapshot files: all comes back; what is damaged, lying or unknown is refused with a reason and a place. */
#include "snapfile_maker.h"

#include "merge.h"
#include "namemap.h"
#include "utf8.h"

static struct vmem account;

static void assert_same_snapshot(const struct snapshot *a, const struct snapshot *b) {
    assert_int_equal(a->row_count, b->row_count);
    assert_int_equal(a->entries, b->entries);
    assert_int_equal(a->limit, b->limit);
    assert_int_equal(a->view, b->view);
    for (size_t i = 0; i < a->row_count; i++) {
        const struct row *x = snapshot_row(a, i), *y = snapshot_row(b, i);
        assert_true(x->domain == y->domain && x->depth == y->depth && x->size == y->size &&
                    x->count == y->count);
        assert_true(name_equal(strtab_get(&a->paths->strings, x->process),
                               strtab_get(&b->paths->strings, y->process)));
        uint32_t left = x->node, right = y->node;
        for (; left != 0;
             left = node_get(a->paths, left)->parent, right = node_get(b->paths, right)->parent) {
            struct model_frame p = model_frame_of(a->paths, left), q = model_frame_of(b->paths, right);
            assert_true(p.file == q.file && p.function == q.function && p.line == q.line);
            assert_int_equal(node_get(a->paths, left)->depth, node_get(b->paths, right)->depth);
        }
        assert_int_equal(right, 0);
    }
    assert_true(snapshot_check(b) && callpaths_check(b->paths));
}

static void everything_a_snapshot_has_comes_back(void **state) {
    (void)state;
    uint64_t random = 1;
    for (int round = 0; round < 300; round++) {
        struct callpaths *paths = model_paths(&account, &random, support_below(&random, 50), 9);
        uint32_t limit = round % 7 == 0 ? UINT32_MAX : 1 + support_below(&random, 12);
        struct snapshot *snapshot = model_snapshot(&account, &random, paths, support_below(&random, 50),
                                                   limit, (enum view)(round % 3));
        struct file file = file_of(&snapshot, 1, NULL, 0);
        struct snapshot *back;
        struct snapfile_error error;
        assert_int_equal(snapfile_read(file.bytes, file.length, &account, &back, &error), STATUS_OK);
        assert_same_snapshot(snapshot, back);
        struct file again = file_of(&back, 1, NULL, 0);
        assert_int_equal(again.length, file.length);
        assert_memory_equal(again.bytes, file.bytes, file.length);
        free(file.bytes);
        free(again.bytes);
        snapshot_release(snapshot);
        snapshot_release(back);
        callpaths_release(paths);
        assert_int_equal(vmem_bytes(&account), 0);
    }
}

static void processes_come_back(void **state) {
    (void)state;
    uint64_t random = 3;
    for (int round = 0; round < 100; round++) {
        struct callpaths *paths = model_paths(&account, &random, support_below(&random, 30), 9);
        enum view view = (enum view)(round % 3);
        struct snapshot *a = model_snapshot(&account, &random, paths, support_below(&random, 20), 5, view);
        struct snapshot *b = model_snapshot(&account, &random, paths, support_below(&random, 20), 5, view);
        const struct merge_part parts[] = {{a, {"web-1", 5}}, {b, {"w\xc3\xa9-2", 5}}, {a, {"", 0}}};
        struct snapshot *merged, *back;
        struct snapfile_error error;
        assert_int_equal(merge(&account, parts, 3, &merged), STATUS_OK);
        struct file file = file_of(&merged, 1, NULL, 0);
        assert_int_equal(snapfile_read(file.bytes, file.length, &account, &back, &error), STATUS_OK);
        assert_same_snapshot(merged, back);
        free(file.bytes);
        snapshot_release(a);
        snapshot_release(b);
        snapshot_release(merged);
        snapshot_release(back);
        callpaths_release(paths);
        assert_int_equal(vmem_bytes(&account), 0);
    }
}

static void the_greatest_numbers_come_back(void **state) {
    (void)state;
    struct callpaths *paths = callpaths_new(&account);
    struct snapshot *snapshot = snapshot_new(&account, paths, UINT32_MAX, VIEW_PEAK), *back;
    uint32_t node = model_node(paths, 0, "a.py", "main", UINT32_MAX, UINT32_MAX);
    model_node(paths, 0, "a.py", "main", 1, 1); /* nobody needs it */
    struct row rows[] = {{UINT32_MAX, node, 0, 0, UINT64_MAX, UINT64_MAX}, {0, 0, UINT32_MAX, 0, 0, 1}};
    struct snapfile_error error;
    assert_int_equal(snapshot_add(snapshot, &rows[0]), STATUS_OK);
    assert_int_equal(snapshot_add(snapshot, &rows[1]), STATUS_OK);
    struct file file = file_of(&snapshot, 1, NULL, 0);
    assert_int_equal(snapfile_read(file.bytes, file.length, &account, &back, &error), STATUS_OK);
    assert_same_snapshot(snapshot, back);
    assert_int_equal(back->paths->node_count, 2);
    free(file.bytes);
    snapshot_release(snapshot);
    snapshot_release(back);
    callpaths_release(paths);
}

static void several_views_share_a_file_and_its_call_paths(void **state) {
    (void)state;
    uint64_t random = 4;
    struct callpaths *paths = model_paths(&account, &random, 30, 9), *read_paths;
    struct snapshot *views[VIEW_COUNT], *back;
    struct snapfile open;
    struct snapfile_error error;
    for (int view = 0; view < VIEW_COUNT; view++)
        views[view] = model_snapshot(&account, &random, paths, 20, 4, (enum view)view);
    struct file file = file_of(views + 1, 2, NULL, 0);
    struct snapfile_source source = file_source(&file);
    assert_int_equal(snapfile_open(&open, &source, &account, &error), STATUS_OK);
    assert_int_equal(snapfile_read_paths(&open, &read_paths, &error), STATUS_OK);
    for (int view = 1; view < VIEW_COUNT; view++) {
        assert_int_equal(snapfile_read_view(&open, read_paths, (enum view)view, &back, &error), STATUS_OK);
        assert_same_snapshot(views[view], back);
        snapshot_release(back);
    }
    assert_int_equal(snapfile_read_view(&open, read_paths, VIEW_LIVE, &back, &error), STATUS_INVALID);
    assert_string_equal(error.text, "this view is not in the file");
    struct snapshot *twice[] = {views[0], views[1], views[0]};
    assert_int_equal(snapfile_write(twice, 3, NULL, 0, file_append, &file), STATUS_INVALID);
    assert_int_equal(snapfile_write(twice, 0, NULL, 0, file_append, &file), STATUS_INVALID);
    for (int view = 0; view < VIEW_COUNT; view++)
        snapshot_release(views[view]);
    callpaths_release(read_paths);
    callpaths_release(paths);
    free(file.bytes);
    assert_int_equal(vmem_bytes(&account), 0);
}

#define STRING(text)                                                                                         \
    { text, sizeof text - 1 }

static void metadata_come_back_in_their_order(void **state) {
    (void)state;
    struct snapfile_pair pairs[] = {{STRING("program"), STRING("a\0b")},
                                    {STRING("empty"), STRING("")},
                                    {STRING("\xed\xb2\x80"), STRING("\xc3\xa9")}};
    struct callpaths *paths = callpaths_new(&account);
    struct snapshot *snapshot = snapshot_new(&account, paths, 1, VIEW_TOTAL);
    struct file file = file_of(&snapshot, 1, pairs, 3);
    struct snapfile_source source = file_source(&file);
    struct snapfile open;
    struct snapfile_error error;
    struct snapfile_pair found;
    size_t cursor = 0, count = 0;
    assert_int_equal(snapfile_open(&open, &source, &account, &error), STATUS_OK);
    for (; snapfile_next_pair(&open, &cursor, &found); count++) {
        assert_int_equal(found.key.length, pairs[count].key.length);
        assert_memory_equal(found.key.bytes, pairs[count].key.bytes, found.key.length);
        assert_int_equal(found.value.length, pairs[count].value.length);
        assert_memory_equal(found.value.bytes, pairs[count].value.bytes, found.value.length);
    }
    assert_int_equal(count, 3);
    pairs[1] = (struct snapfile_pair){STRING(""), STRING("x")};
    assert_int_equal(snapfile_write(&snapshot, 1, pairs, 3, file_append, &file), STATUS_INVALID);
    pairs[1] = (struct snapfile_pair){STRING("x"), STRING("\xff")};
    assert_int_equal(snapfile_write(&snapshot, 1, pairs, 3, file_append, &file), STATUS_INVALID);
    free(file.bytes);
    snapshot_release(snapshot);
    callpaths_release(paths);
}

/* The sample as a snapshot. */
static struct snapshot *sample_snapshot(void) {
    struct callpaths *paths = callpaths_new(&account);
    struct snapshot *snapshot = snapshot_new(&account, paths, 25, VIEW_LIVE);
    uint32_t caller = model_node(paths, 0, "a.py", "main", 1, 1);
    uint32_t node = model_node(paths, caller, "b/\xc3\xa9.py", "", 7, 0);
    assert_int_equal(snapshot_add(snapshot, &(struct row){0, node, 2, 0, 64, 3}), STATUS_OK);
    assert_int_equal(snapshot_add(snapshot, &(struct row){5, caller, 0, 0, 0, 1}), STATUS_OK);
    callpaths_release(paths);
    return snapshot;
}

/* The whole of version 1.0 in one file, as docs/file-format explains it. It must stay readable for ever. */
static const unsigned char version_1_0[] = {
    0x89, 0x4d, 0x54, 0x53, 0x0d, 0x0a, 0x1a, 0x0a, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0xc0, 0xe5, 0x8a, 0x1b, 0x01, 0x6b, 0x01, 0x76, 0x04, 0x61, 0x2e, 0x70, 0x79, 0x04,
    0x6d, 0x61, 0x69, 0x6e, 0x07, 0x62, 0x2f, 0xc3, 0xa9, 0x2e, 0x70, 0x79, 0x02, 0x04, 0x02, 0x04, 0x03,
    0x0c, 0x00, 0x02, 0x01, 0x01, 0x02, 0x19, 0x21, 0x40, 0x03, 0x0e, 0x00, 0x05, 0x00, 0x01, 0x00, 0x00,
    0x00, 0xf0, 0x79, 0x07, 0x7d, 0x18, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x01, 0x00, 0x4b,
    0x58, 0x90, 0xf9, 0x1c, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x12, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0xd7, 0xd9, 0x11,
    0x86, 0x2e, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x06, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00, 0x01, 0x00, 0xcc, 0x05, 0xfc, 0x9a, 0x34,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00, 0x8b, 0x34, 0x4c, 0xba, 0x39, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x41, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00, 0xce,
    0xc0, 0x86, 0x40, 0x0a, 0x1a, 0x0a, 0x0d, 0x53, 0x54, 0x4d, 0x89,
};

static void the_sample_of_version_1_0_reads_as_it_always_did(void **state) {
    (void)state;
    struct snapshot *wanted = sample_snapshot(), *snapshot;
    struct snapfile_error error;
    assert_int_equal(snapfile_read(version_1_0, sizeof version_1_0, &account, &snapshot, &error), STATUS_OK);
    assert_same_snapshot(wanted, snapshot);
    snapshot_release(snapshot);
    snapshot_release(wanted);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void the_writer_writes_version_1_0_to_the_byte(void **state) {
    (void)state;
    struct snapshot *snapshot = sample_snapshot();
    struct snapfile_pair pairs[] = {{STRING("k"), STRING("v")}};
    struct file written = file_of(&snapshot, 1, pairs, 1);
    assert_int_equal(written.length, sizeof version_1_0);
    assert_memory_equal(written.bytes, version_1_0, sizeof version_1_0);
    free(written.bytes);
    snapshot_release(snapshot);
}

static void typical_rows_take_few_bytes(void **state) {
    (void)state;
    enum { ROWS = 20000 };
    uint64_t random = 3;
    struct callpaths *paths = model_paths(&account, &random, 500, 20);
    struct snapshot *snapshot = snapshot_new(&account, paths, 25, VIEW_LIVE);
    for (uint32_t i = 0; i < ROWS; i++) {
        struct row row = {
            .node = i / 50 % paths->node_count, .size = 8 * support_below(&random, 512), .count = 1 + i % 3};
        row.depth = node_get(paths, row.node)->depth;
        assert_int_equal(snapshot_add(snapshot, &row), STATUS_OK);
    }
    struct file file = file_of(&snapshot, 1, NULL, 0);
    assert_in_range(file.length, ROWS * 2, ROWS * 4 + 500 * 6);
    free(file.bytes);
    snapshot_release(snapshot);
    callpaths_release(paths);
}

static void the_checksum_is_the_one_that_everybody_has(void **state) {
    (void)state;
    struct checksum_tables tables;
    checksum_tables_init(&tables);
    const char text[] = "123456789", longer[] = "The quick brown fox jumps over the lazy dog";
    assert_int_equal(checksum(&tables, 0, text, 9), UINT32_C(0xCBF43926));
    assert_int_equal(checksum(&tables, 0, longer, 43), UINT32_C(0x414FA339));
    for (size_t cut = 0; cut <= 43; cut++) {
        uint32_t half = checksum(&tables, 0, longer, cut);
        assert_int_equal(checksum(&tables, half, longer + cut, 43 - cut), UINT32_C(0x414FA339));
    }
}

static void text_is_utf8_with_lone_surrogates_and_nothing_else(void **state) {
    (void)state;
    static const struct string good[] = {STRING(""),
                                         STRING("plain and long enough"),
                                         STRING("\0"),
                                         STRING("\x7f"),
                                         STRING("\xc2\x80"),
                                         STRING("\xdf\xbf"),
                                         STRING("\xe0\xa0\x80"),
                                         STRING("\xed\xa0\x80"),
                                         STRING("\xed\xbf\xbf"),
                                         STRING("\xef\xbf\xbf"),
                                         STRING("\xf0\x90\x80\x80"),
                                         STRING("\xf4\x8f\xbf\xbf"),
                                         STRING("1234567\xc3\xa9z")};
    static const struct string bad[] = {STRING("\x80"),
                                        STRING("\xbf"),
                                        STRING("\xc0\x80"),
                                        STRING("\xc1\xbf"),
                                        STRING("\xc3"),
                                        STRING("\xc3("),
                                        STRING("\xe0\x9f\xbf"),
                                        STRING("\xe2\x82"),
                                        STRING("\xf0\x8f\xbf\xbf"),
                                        STRING("\xf4\x90\x80\x80"),
                                        STRING("\xf8\x88\x80\x80\x80"),
                                        STRING("\xfe"),
                                        STRING("\xff"),
                                        STRING("12345678\xe2\x82")};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(utf8_valid(good[i].bytes, good[i].length));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(utf8_valid(bad[i].bytes, bad[i].length));
}

static void a_sink_that_fails_ends_the_writing_with_its_status(void **state) {
    (void)state;
    uint64_t random = 2;
    struct callpaths *paths = model_paths(&account, &random, 30, 9);
    struct snapshot *snapshot = model_snapshot(&account, &random, paths, 50, 4, VIEW_LIVE);
    size_t before = vmem_bytes(&account), calls = 0;
    for (bool failed = true; failed; calls++) {
        struct file file = {.fail_at = calls + 1};
        status result = snapfile_write(&snapshot, 1, NULL, 0, file_append, &file);
        failed = result == STATUS_FULL;
        assert_true(failed || result == STATUS_OK);
        assert_int_equal(file.calls, failed ? calls + 1 : calls);
        assert_int_equal(vmem_bytes(&account), before);
        free(file.bytes);
    }
    assert_in_range(calls, 6, 10000);
    snapshot_release(snapshot);
    callpaths_release(paths);
}

/* A source on disk, as it were: what it was asked for, and when it fails. */
struct disk {
    struct file file;
    size_t calls, fail_at; /* counted from 1 */
    uint64_t bytes_read;
};

static status disk_get(void *context, uint64_t offset, void *bytes, size_t length) {
    struct disk *disk = context;
    if (++disk->calls == disk->fail_at)
        return STATUS_FAILED;
    disk->bytes_read += length;
    return file_get(&disk->file, offset, bytes, length);
}

static void only_what_is_asked_for_is_read(void **state) {
    (void)state;
    uint64_t random = 8;
    struct callpaths *paths = model_paths(&account, &random, 50, 9), *read_paths;
    struct snapshot *views[VIEW_COUNT], *back;
    for (int view = 0; view < VIEW_COUNT; view++)
        views[view] = model_snapshot(&account, &random, paths, 5000, 4, (enum view)view);
    struct disk disk = {.file = file_of(views, VIEW_COUNT, NULL, 0)};
    struct snapfile_source source = {.read = disk_get, .context = &disk, .length = disk.file.length};
    struct snapfile open;
    struct snapfile_error error;
    assert_int_equal(snapfile_open(&open, &source, &account, &error), STATUS_OK);
    assert_in_range(disk.bytes_read, 1, SNAPFILE_HEADER + 8 * SNAPFILE_ENTRY + 2 * SNAPFILE_TAIL);
    /* What was not asked for may be damaged. */
    disk.file.bytes[open.rows[VIEW_PEAK].offset] ^= 1;
    disk.bytes_read = 0;
    assert_int_equal(snapfile_read_paths(&open, &read_paths, &error), STATUS_OK);
    assert_int_equal(disk.bytes_read, open.strings.length + open.sites.length + open.nodes.length);
    disk.bytes_read = 0;
    assert_int_equal(snapfile_read_view(&open, read_paths, VIEW_TOTAL, &back, &error), STATUS_OK);
    assert_int_equal(disk.bytes_read, open.rows[VIEW_TOTAL].length);
    assert_same_snapshot(views[VIEW_TOTAL], back);
    snapshot_release(back);
    assert_int_equal(snapfile_read_view(&open, read_paths, VIEW_PEAK, &back, &error), STATUS_INVALID);
    assert_string_equal(error.text, "rows are damaged (checksum)");
    assert_int_equal(error.offset, open.rows[VIEW_PEAK].offset);
    for (int view = 0; view < VIEW_COUNT; view++)
        snapshot_release(views[view]);
    callpaths_release(read_paths);
    callpaths_release(paths);
    snapfile_close(&open);
    free(disk.file.bytes);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void a_source_that_fails_ends_the_reading_with_its_status(void **state) {
    (void)state;
    struct disk disk = {.file = file_from_parts(sample, PARTS), .fail_at = 1};
    struct snapfile_source source = {.read = disk_get, .context = &disk, .length = disk.file.length};
    for (bool failed = true; failed; disk.fail_at++) {
        struct snapfile open;
        struct callpaths *paths = NULL;
        struct snapshot *snapshot = NULL;
        struct snapfile_error error;
        disk.calls = 0;
        status result = snapfile_open(&open, &source, &account, &error);
        if (result == STATUS_OK)
            result = snapfile_read_paths(&open, &paths, &error);
        if (result == STATUS_OK)
            result = snapfile_read_view(&open, paths, VIEW_LIVE, &snapshot, &error);
        failed = disk.calls >= disk.fail_at;
        assert_int_equal(result, failed ? STATUS_FAILED : STATUS_OK);
        snapshot_release(snapshot);
        callpaths_release(paths);
        snapfile_close(&open);
        assert_int_equal(vmem_bytes(&account), 0);
    }
    assert_int_equal(disk.calls, 3 + PARTS); /* header, tail, directory, and each section once */
    free(disk.file.bytes);
}

static status write_once(void *context) {
    struct file file = {0};
    struct snapshot *snapshot = context;
    status result = snapfile_write(&snapshot, 1, NULL, 0, file_append, &file);
    free(file.bytes);
    return result;
}

static status read_once(void *context) {
    struct snapshot *snapshot;
    struct snapfile_error error;
    status result = file_read(context, &account, &snapshot, &error);
    assert_true(snapshot == NULL || result != STATUS_OK || snapshot_check(snapshot));
    snapshot_release(snapshot);
    return result;
}

static void without_memory_files_are_neither_written_nor_read(void **state) {
    (void)state;
    uint64_t random = 2;
    struct callpaths *paths = model_paths(&account, &random, 100, 9);
    struct snapshot *snapshot = model_snapshot(&account, &random, paths, 3000, 4, VIEW_LIVE);
    struct file file = file_of(&snapshot, 1, NULL, 0);
    assert_in_range(support_sweep(&account, write_once, snapshot), 6, 1000);
    assert_in_range(support_sweep(&account, read_once, &file), 10, 1000);
    file.through_function = true;
    assert_in_range(support_sweep(&account, read_once, &file), 16, 1000);
    free(file.bytes);
    snapshot_release(snapshot);
    callpaths_release(paths);
    assert_int_equal(vmem_bytes(&account), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_a_snapshot_has_comes_back),
        cmocka_unit_test(processes_come_back),
        cmocka_unit_test(the_greatest_numbers_come_back),
        cmocka_unit_test(several_views_share_a_file_and_its_call_paths),
        cmocka_unit_test(metadata_come_back_in_their_order),
        cmocka_unit_test(the_sample_of_version_1_0_reads_as_it_always_did),
        cmocka_unit_test(the_writer_writes_version_1_0_to_the_byte),
        cmocka_unit_test(typical_rows_take_few_bytes),
        cmocka_unit_test(the_checksum_is_the_one_that_everybody_has),
        cmocka_unit_test(text_is_utf8_with_lone_surrogates_and_nothing_else),
        cmocka_unit_test(a_sink_that_fails_ends_the_writing_with_its_status),
        cmocka_unit_test(only_what_is_asked_for_is_read),
        cmocka_unit_test(a_source_that_fails_ends_the_reading_with_its_status),
        cmocka_unit_test(without_memory_files_are_neither_written_nor_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
