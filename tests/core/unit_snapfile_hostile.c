/* Snapshot files that are cut short, damaged, lying or of another version: refused with a reason and a byte,
 * in memory that follows the file's size; what is merely unknown and optional is passed over.
 */
#include "scale.h"
#include "snapfile_maker.h"

#include <time.h>

static struct vmem account;

/* Refused, with a text, a place within the file, and nothing kept; from memory and through a function. */
static void assert_refused(struct file *file) {
    for (int i = 0; i < 2; i++) {
        struct snapshot *snapshot;
        struct snapfile_error error;
        file->through_function = i != 0;
        assert_int_equal(file_read(file, &account, &snapshot, &error), STATUS_INVALID);
        assert_null(snapshot);
        assert_in_range(strlen(error.text), 10, sizeof error.text - 1);
        assert_true(error.offset <= file->length);
        assert_int_equal(vmem_bytes(&account), 0);
    }
}

static void assert_refused_as(struct file file, uint64_t offset, const char *text) {
    struct snapshot *snapshot;
    struct snapfile_error error;
    assert_int_equal(file_read(&file, &account, &snapshot, &error), STATUS_INVALID);
    assert_string_equal(error.text, text);
    assert_int_equal(error.offset, offset);
    assert_int_equal(vmem_bytes(&account), 0);
    free(file.bytes);
}

static void assert_reads(struct file file) {
    struct snapshot *snapshot;
    struct snapfile_error error;
    assert_int_equal(file_read(&file, &account, &snapshot, &error), STATUS_OK);
    assert_int_equal(snapshot->row_count, 2);
    snapshot_release(snapshot);
    free(file.bytes);
}

/* The sample with one part replaced. */
static struct file sample_with(size_t index, const char *bytes, size_t length, uint64_t count) {
    struct part parts[PARTS];
    memcpy(parts, sample, sizeof parts);
    parts[index].bytes = bytes;
    parts[index].length = length;
    parts[index].count = count;
    return file_from_parts(parts, PARTS);
}

enum { METADATA, STRINGS, SITES, NODES, ROWS };

/* Of the values that a byte can have, so many are tried as one: scale.h. */
enum { EVERY = 256 / SCALED(256) };

/* Where the parts of the sample begin, as long as those before are as they were. */
enum { AT_METADATA = 24, AT_STRINGS = 28, AT_SITES = 46, AT_NODES = 52, AT_ROWS = 57, AT_DIRECTORY = 65 };

#define WITH(index, bytes, count) sample_with(index, bytes, sizeof bytes - 1, count)

static void every_cut_is_found(void **state) {
    (void)state;
    struct file file = file_from_parts(sample, PARTS);
    size_t length = file.length;
    assert_int_equal(length, AT_DIRECTORY + PARTS * SNAPFILE_ENTRY + SNAPFILE_TAIL);
    for (file.length = 0; file.length < length; file.length++) {
        /* Memory that ends where the file does, so that reading too far shows. */
        struct file copy = {.bytes = malloc(file.length > 0 ? file.length : 1), .length = file.length};
        assert_non_null(copy.bytes);
        memcpy(copy.bytes, file.bytes, file.length);
        assert_refused(&copy);
        free(copy.bytes);
    }
    free(file.bytes);
}

static void every_changed_byte_is_found(void **state) {
    (void)state;
    struct file file = file_from_parts(sample, PARTS);
    for (size_t i = 0; i < file.length; i++) {
        for (unsigned change = 1 + i % EVERY; change < 256; change += EVERY) {
            file.bytes[i] ^= (unsigned char)change;
            assert_refused(&file);
            file.bytes[i] ^= (unsigned char)change;
        }
    }
    free(file.bytes);
}

static void something_appended_or_left_out_is_found(void **state) {
    (void)state;
    struct file file = file_from_parts(sample, PARTS);
    file_add(&file, 0, 1);
    assert_refused(&file);
    file.length--;
    memmove(file.bytes + AT_ROWS, file.bytes + AT_ROWS + 1, file.length - AT_ROWS - 1);
    file.length--;
    assert_refused(&file);
    free(file.bytes);
}

/* Files whose checksums are right and whose content is not: each byte changed in every way, and random
 * changes. Whatever is read then is a sound snapshot. */
static size_t read_sealed(struct file *file) {
    struct snapshot *snapshot;
    struct snapfile_error error;
    file_seal(file);
    file->through_function = file->bytes[file->length / 2] & 1; /* either way, many times */
    status result = file_read(file, &account, &snapshot, &error);
    assert_true(result == STATUS_OK || result == STATUS_INVALID);
    assert_true(result == STATUS_OK || (error.text[0] != 0 && error.offset <= file->length));
    if (snapshot != NULL)
        assert_true(snapshot_check(snapshot) && snapshot->limit > 0);
    snapshot_release(snapshot);
    assert_int_equal(vmem_bytes(&account), 0);
    return result == STATUS_OK;
}

static void sealed_changes_never_break_the_reader(void **state) {
    (void)state;
    struct file file = file_from_parts(sample, PARTS);
    size_t read = 0, all = 0;
    for (size_t i = 0; i < file.length; i++) {
        unsigned char saved = file.bytes[i];
        for (unsigned value = i % EVERY; value < 256; value += EVERY, all++) {
            file.bytes[i] = (unsigned char)value;
            read += read_sealed(&file);
        }
        file.bytes[i] = saved;
    }
    free(file.bytes);
    assert_in_range(read, all / 50, all / 2);
}

static void sealed_random_files_never_break_the_reader(void **state) {
    (void)state;
    uint64_t random = 12;
    size_t read = 0;
    struct callpaths *paths = model_paths(&account, &random, 30, 6);
    struct snapshot *views[2];
    for (int i = 0; i < 2; i++)
        views[i] = model_snapshot(&account, &random, paths, 30, 4, i == 0 ? VIEW_LIVE : VIEW_TOTAL);
    struct file file = file_of(views, 2, NULL, 0), copy = file;
    snapshot_release(views[0]);
    snapshot_release(views[1]);
    callpaths_release(paths);
    copy.bytes = malloc(file.length);
    assert_non_null(copy.bytes);
    for (int round = 0; round < SCALED(20000); round++) {
        memcpy(copy.bytes, file.bytes, file.length);
        for (uint32_t changes = 1 + support_below(&random, 3); changes > 0; changes--) {
            uint32_t at = support_below(&random, (uint32_t)file.length);
            copy.bytes[at] = (unsigned char)(support_below(&random, 2) ? support_random(&random) : 0xff);
        }
        read += read_sealed(&copy);
    }
    assert_in_range(read, SCALED(100), SCALED(15000));
    free(copy.bytes);
    free(file.bytes);
}

static void other_files_and_versions_are_refused_by_name(void **state) {
    (void)state;
    struct file file = {.bytes = NULL};
    assert_refused_as(file, 0, "this is not a memtally snapshot file");
    file_add(&file, 0x80, 1); /* as a pickle begins */
    assert_refused_as(file, 0, "this is not a memtally snapshot file");
    file = file_from_parts(sample, PARTS);
    file.bytes[8] = 2;
    file_seal(&file);
    assert_refused_as(file, 8, "format version 2.0; this memtally reads version 1");
    file = file_from_parts(sample, PARTS);
    file.bytes[13] = 2;
    file_seal(&file);
    assert_refused_as(file, 12, "reading it takes feature 9, which this memtally does not know");
    file = file_from_parts(sample, PARTS);
    file.bytes[10] = 9; /* a newer minor version */
    file.bytes[16] = 9; /* and what it says to those who know */
    file_seal(&file);
    assert_reads(file);
}

static void unknown_sections_are_skipped_unless_required(void **state) {
    (void)state;
    struct part parts[PARTS + 2];
    parts[0] = (struct part){900, 0, "??", 2, 77};
    memcpy(parts + 1, sample, sizeof sample);
    parts[PARTS + 1] = (struct part){901, 0, "", 0, 0};
    assert_reads(file_from_parts(parts, PARTS + 2));
    parts[PARTS + 1].flags = SECTION_REQUIRED;
    assert_refused_as(file_from_parts(parts, PARTS + 2), AT_DIRECTORY + 2 + 6 * SNAPFILE_ENTRY,
                      "reading it takes section 901, which this memtally does not know");
    assert_reads(file_from_parts(sample + 1, PARTS - 1)); /* no metadata */
}

static void sections_that_are_missing_or_twice_there_are_refused(void **state) {
    (void)state;
    static const char *const missing[] = {"the strings section is missing", "the sites section is missing",
                                          "the nodes section is missing", "the rows section is missing"};
    struct part parts[PARTS];
    for (size_t out = STRINGS; out < PARTS; out++) {
        size_t count = 0;
        for (size_t i = 0; i < PARTS; i++) {
            if (i != out)
                parts[count++] = sample[i];
        }
        assert_refused_as(file_from_parts(parts, count), AT_DIRECTORY - sample[out].length, missing[out - 1]);
    }
    memcpy(parts, sample, sizeof parts);
    parts[METADATA] = sample[ROWS];
    assert_refused_as(file_from_parts(parts, PARTS), AT_DIRECTORY + 4 + 4 * SNAPFILE_ENTRY,
                      "section 16 is there twice");
}

/* Sets one number of the sample's directory: where a section begins or ends. */
static struct file with_directory(size_t index, size_t field, uint64_t number) {
    struct file file = file_from_parts(sample, PARTS);
    seal_put(file.bytes + AT_DIRECTORY + index * SNAPFILE_ENTRY + field, number, 8);
    file_seal(&file);
    return file;
}

static void sections_that_overlap_or_lie_about_their_place_are_refused(void **state) {
    (void)state;
    assert_refused_as(with_directory(STRINGS, 8, AT_METADATA), AT_DIRECTORY + SNAPFILE_ENTRY,
                      "section 2 is said to be 18 bytes at byte 24");
    assert_refused_as(with_directory(METADATA, 8, UINT64_MAX - 3), AT_DIRECTORY,
                      "section 1 is said to be 4 bytes at byte 18446744073709551612");
    assert_refused_as(with_directory(ROWS, 16, UINT64_MAX), AT_DIRECTORY + 4 * SNAPFILE_ENTRY,
                      "section 16 is said to be 18446744073709551615 bytes at byte 57");
    assert_refused_as(with_directory(ROWS, 16, 9), AT_DIRECTORY + 4 * SNAPFILE_ENTRY,
                      "section 16 is said to be 9 bytes at byte 57");
    assert_refused_as(with_directory(ROWS, 16, 7), AT_DIRECTORY - 1, "1 bytes belong to no section");
    struct file file = file_from_parts(sample, PARTS);
    seal_put(file.bytes + file.length - SNAPFILE_TAIL + 8, UINT32_MAX, 4);
    file_seal(&file);
    assert_refused_as(file, file.length - SNAPFILE_TAIL,
                      "a directory of 4294967295 sections is not at byte 65");
}

static void counts_that_do_not_fit_the_bytes_are_refused_before_memory_is_taken(void **state) {
    (void)state;
    assert_refused_as(with_directory(STRINGS, 24, UINT64_MAX), AT_STRINGS,
                      "strings: 18446744073709551615 of them do not fit into 18 bytes");
    assert_refused_as(with_directory(SITES, 24, 3), AT_SITES, "sites: 3 of them do not fit into 6 bytes");
    assert_refused_as(with_directory(NODES, 24, 3), AT_NODES, "nodes: 3 of them do not fit into 5 bytes");
    assert_refused_as(with_directory(ROWS, 24, 5), AT_ROWS, "rows: 5 of them do not fit into 8 bytes");
    assert_refused_as(with_directory(ROWS, 24, 3), AT_ROWS + 8, "rows end in the middle of a number");
    assert_refused_as(with_directory(ROWS, 24, 1), AT_ROWS + 4, "rows: 4 bytes too many");
    assert_refused_as(with_directory(METADATA, 24, 0), AT_METADATA, "metadata: 4 bytes too many");
}

static void numbers_that_are_no_numbers_are_refused(void **state) {
    (void)state;
    assert_refused_as(WITH(ROWS, "\x99", 0), AT_ROWS, "rows end in the middle of a number");
    assert_refused_as(WITH(ROWS, "\x99\x00", 0), AT_ROWS, "rows hold a number with padding");
    assert_refused_as(WITH(ROWS, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 0), AT_ROWS,
                      "rows hold a number of more than 64 bits");
    assert_refused_as(WITH(ROWS, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 0), AT_ROWS,
                      "rows hold a number of more than 64 bits");
    assert_refused_as(WITH(ROWS, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 0), AT_ROWS,
                      "rows: the limit 18446744073709551615 where 4294967295 is the most");
    assert_refused_as(WITH(ROWS, "\x00", 0), AT_ROWS, "rows: the limit is 0");
}

static void names_that_are_cut_doubled_or_no_text_are_refused(void **state) {
    (void)state;
    assert_refused_as(WITH(STRINGS,
                           "\x01"
                           "a"
                           "\x09"
                           "b",
                           2),
                      AT_STRINGS + 2, "strings: a text of 9 bytes where 1 are left");
    assert_refused_as(WITH(STRINGS,
                           "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                           "b",
                           1),
                      AT_STRINGS, "strings: a text of 18446744073709551615 bytes where 1 are left");
    assert_refused_as(WITH(STRINGS,
                           "\x01"
                           "a"
                           "\x01"
                           "a",
                           2),
                      AT_STRINGS + 2, "strings: number 2 is number 1 again");
    assert_refused_as(WITH(STRINGS,
                           "\x01"
                           "a"
                           "\x00",
                           1),
                      AT_STRINGS + 2, "strings: 1 bytes too many");
    assert_refused_as(WITH(STRINGS,
                           "\x00"
                           "\x00",
                           1),
                      AT_STRINGS, "strings: number 1 is number 0 again");
    assert_refused_as(WITH(STRINGS,
                           "\x02"
                           "\xc0\x80",
                           1),
                      AT_STRINGS + 1, "strings: a text is not UTF-8");
    assert_refused_as(WITH(METADATA,
                           "\x00"
                           "\x01"
                           "v",
                           1),
                      AT_METADATA, "metadata hold an empty key");
}

static void sites_of_unknown_names_and_doubled_ones_are_refused(void **state) {
    (void)state;
    assert_refused_as(WITH(SITES, "\x08\x00\x00", 1), AT_SITES,
                      "sites: the file name's number is not within 0 and 3");
    assert_refused_as(WITH(SITES, "\x00\x01\x00", 1), AT_SITES + 1,
                      "sites: the function name's number is not within 0 and 3");
    assert_refused_as(WITH(SITES, "\x00\x00\x80\x80\x80\x80\x20", 1), AT_SITES + 2,
                      "sites: the line is not within 0 and 4294967295");
    assert_refused_as(WITH(SITES, "\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 1), AT_SITES + 2,
                      "sites: the line is not within 0 and 4294967295");
    assert_refused_as(WITH(SITES, "\x02\x00\x02\x00\x00\x00", 2), AT_SITES + 3,
                      "sites: number 2 is number 1 again");
}

static void paths_that_turn_around_or_are_too_deep_are_refused(void **state) {
    (void)state;
    assert_refused_as(WITH(NODES, "\x01\x02\x01", 1), AT_NODES,
                      "nodes: the way back to the parent 1 where 0 is the most");
    assert_refused_as(WITH(NODES, "\x00\x02\x01\x02\x02", 2), AT_NODES + 3,
                      "nodes: the way back to the parent 2 where 1 is the most");
    assert_refused_as(WITH(NODES, "\x00\x06\x01", 1), AT_NODES + 1,
                      "nodes: the site's number is not within 0 and 2");
    assert_refused_as(WITH(NODES, "\x00\x02\x00", 1), AT_NODES + 2, "nodes: number 1 has depth 0");
    assert_refused_as(WITH(NODES, "\x00\x02\x80\x80\x04", 1), AT_NODES + 2,
                      "nodes: the depth 65536 where 65535 is the most");
    assert_refused_as(WITH(NODES, "\x00\x02\x01\x00\x00\x01", 2), AT_NODES + 3,
                      "nodes: number 2 is number 1 again");
}

static void rows_without_a_path_or_blocks_or_with_too_many_are_refused(void **state) {
    (void)state;
    assert_refused_as(WITH(ROWS, "\x19\x30\x40", 1), AT_ROWS + 1,
                      "rows: the node's number is not within 0 and 2");
    assert_refused_as(WITH(ROWS, "\x19\x08\x40", 1), AT_ROWS + 1,
                      "rows: the node's number is not within 0 and 2");
    assert_refused_as(WITH(ROWS, "\x19\x11\x40\x00", 1), AT_ROWS + 3, "rows: a row of no blocks");
    assert_refused_as(WITH(ROWS, "\x19\x12\x40\x80\x80\x80\x80\x10", 1), AT_ROWS + 3,
                      "rows: the domain 4294967296 where 4294967295 is the most");
    assert_refused_as(WITH(ROWS, "\x19\x11\x40\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x40", 2),
                      AT_ROWS + 15, "rows: more than this memtally can hold");
}

static struct file with_processes(const char *bytes, size_t length, uint64_t count) {
    struct part parts[PARTS + 1];
    memcpy(parts, sample, sizeof sample);
    parts[PARTS] = (struct part){SECTION_PROCESSES + VIEW_LIVE, 0, bytes, length, count};
    return file_from_parts(parts, PARTS + 1);
}
#define PROCESSES(bytes, count) with_processes(bytes, sizeof bytes - 1, count)

static void processes_that_are_not_those_of_the_rows_are_refused(void **state) {
    (void)state;
    assert_reads(PROCESSES("\x02\x01", 1));
    assert_reads(PROCESSES("\x01\x00\x01\x03", 2));
    assert_refused_as(PROCESSES("\x03\x01", 1), AT_DIRECTORY, "processes: a run of 3 rows, where 2 are left");
    assert_refused_as(PROCESSES("\x01\x01\x02\x01", 2), AT_DIRECTORY + 2,
                      "processes: a run of 2 rows, where 1 are left");
    assert_refused_as(PROCESSES("\x00\x01", 1), AT_DIRECTORY, "processes: a run of 0 rows, where 2 are left");
    assert_refused_as(PROCESSES("\x01\x01", 1), AT_DIRECTORY + 2,
                      "processes: nothing is said of the last 1 rows");
    assert_refused_as(PROCESSES("\x02\x04", 1), AT_DIRECTORY + 1,
                      "processes: the name's number 4 where 3 is the most");
}

/* Names that have one hash in the table that interning uses (strtab.c): its mixing is one to one and known, so the
 * second of two words can undo the first. They are read as quickly as others, because reading fills no table. */
static void names_made_to_collide_are_read_in_time(void **state) {
    (void)state;
    enum { NAMES = SIZED(60000, 2000), BYTES = 16 };
    struct file strings = {0};
    for (uint64_t i = 0; strings.length < NAMES * (size_t)(BYTES + 1); i++) {
        unsigned char text[BYTES + 1] = {BYTES};
        uint64_t first = (i & 0x7f) | (i >> 7 & 0x7f) << 8 | (i >> 14 & 0x7f) << 16 | (i >> 21 & 0x7f) << 24;
        uint64_t second = hash_mix(BYTES ^ first);
        if ((second & UINT64_C(0x8080808080808080)) != 0)
            continue; /* it has to be text */
        memcpy(text + 1, &first, 8);
        memcpy(text + 9, &second, 8);
        assert_int_equal(file_append(&strings, text, sizeof text), STATUS_OK);
    }
    struct file file = sample_with(STRINGS, (const char *)strings.bytes, strings.length, NAMES);
    clock_t begin = clock();
    assert_reads(file);
    assert_in_range((clock() - begin) / CLOCKS_PER_SEC, 0, 10);
    free(strings.bytes);
}

/* Files of the shortest items there can be: no more than 17 times their size is in use once they are read, and what
 * tables of whole pages leave unused. */
static void memory_follows_the_size_of_the_file(void **state) {
    (void)state;
    enum { ITEMS = SIZED(1000000, 50000) };
    struct snapshot *snapshot;
    struct snapfile_error error;
    char *rows = calloc(2, ITEMS + 1);
    assert_non_null(rows);
    rows[0] = 1;
    struct file file = sample_with(ROWS, rows, 2 * (size_t)ITEMS + 1, ITEMS);
    assert_int_equal(file_read(&file, &account, &snapshot, &error), STATUS_OK);
    assert_int_equal(snapshot->row_count, ITEMS);
    assert_in_range(vmem_bytes(&account), ITEMS, 17 * file.length + 12 * platform_page_size());
    snapshot_release(snapshot);
    free(file.bytes);
    free(rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_is_found),
        cmocka_unit_test(every_changed_byte_is_found),
        cmocka_unit_test(something_appended_or_left_out_is_found),
        cmocka_unit_test(sealed_changes_never_break_the_reader),
        cmocka_unit_test(sealed_random_files_never_break_the_reader),
        cmocka_unit_test(other_files_and_versions_are_refused_by_name),
        cmocka_unit_test(unknown_sections_are_skipped_unless_required),
        cmocka_unit_test(sections_that_are_missing_or_twice_there_are_refused),
        cmocka_unit_test(sections_that_overlap_or_lie_about_their_place_are_refused),
        cmocka_unit_test(counts_that_do_not_fit_the_bytes_are_refused_before_memory_is_taken),
        cmocka_unit_test(numbers_that_are_no_numbers_are_refused),
        cmocka_unit_test(names_that_are_cut_doubled_or_no_text_are_refused),
        cmocka_unit_test(sites_of_unknown_names_and_doubled_ones_are_refused),
        cmocka_unit_test(paths_that_turn_around_or_are_too_deep_are_refused),
        cmocka_unit_test(rows_without_a_path_or_blocks_or_with_too_many_are_refused),
        cmocka_unit_test(processes_that_are_not_those_of_the_rows_are_refused),
        cmocka_unit_test(names_made_to_collide_are_read_in_time),
        cmocka_unit_test(memory_follows_the_size_of_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
