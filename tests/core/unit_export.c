/* Names and numbers as text; small snapshots in each format, letter by letter; a sink that fails; without memory. */
#include "export.h"
#include "histogram.h"
#include "model.h"
#include "text.h"

static struct vmem account;

/* A sink that keeps what comes, until it is to fail. */
struct kept {
    char bytes[1 << 20];
    size_t used, calls, fail_at;
};

static status keep(void *context, const void *bytes, size_t length) {
    struct kept *kept = context;
    if (++kept->calls == kept->fail_at)
        return STATUS_FAILED;
    assert_true(kept->fail_at == 0 || kept->calls < kept->fail_at); /* nothing comes after a failure */
    assert_in_range(kept->used + length, 0, sizeof kept->bytes);
    memcpy(kept->bytes + kept->used, bytes, length);
    kept->used += length;
    return STATUS_OK;
}

static struct kept kept;

static void assert_kept(const char *expected, size_t length) {
    assert_int_equal(kept.used, length);
    assert_memory_equal(kept.bytes, expected, length);
}
#define ASSERT_KEPT(literal) assert_kept(literal, sizeof(literal) - 1)

static struct text *text_new(void) {
    static struct text text;
    kept = (struct kept){.used = 0};
    text_init(&text, keep, &kept);
    return &text;
}

static void numbers_are_decimal_or_seven_bits_a_byte(void **state) {
    (void)state;
    struct text *text = text_new();
    text_number(text, 0);
    text_byte(text, ' ');
    text_number(text, UINT64_MAX);
    assert_int_equal(text_end(text), STATUS_OK);
    ASSERT_KEPT("0 18446744073709551615");
    text = text_new();
    text_varint(text, 127);
    text_varint(text, 300);
    text_varint(text, UINT64_MAX);
    assert_int_equal(text_end(text), STATUS_OK);
    ASSERT_KEPT("\x7f\xac\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    for (int bits = 0; bits < 64; bits++) {
        text = text_new();
        text_varint(text, UINT64_C(1) << bits);
        assert_int_equal(text_end(text), STATUS_OK);
        assert_int_equal(kept.used, varint_length(UINT64_C(1) << bits));
    }
}

#define NAME(literal)                                                                                        \
    (struct string) { literal, sizeof(literal) - 1 }

static void json_escapes_what_it_must_and_nothing_else(void **state) {
    (void)state;
    struct text *text = text_new();
    text_json(text, NAME("a\"b\\c\n\x7f\0\xc3\xa9\xed\xb2\x80\xee\x80\x80"));
    assert_int_equal(text_end(text), STATUS_OK);
    ASSERT_KEPT("\"a\\u0022b\\u005cc\\u000a\x7f\\u0000\xc3\xa9\\udc80\xee\x80\x80\"");
}

static void names_are_cleaned_of_controls_and_surrogates(void **state) {
    (void)state;
    char to[64];
    size_t length = name_clean(to, NAME("a;b\tc\0\xed\xb2\x80\xc3\xa9;"), ";", ",");
    assert_int_equal(length, 10);
    assert_memory_equal(to, "a,b?c??\xc3\xa9,", 10);
}

/* main.py:1 main 5 bytes, and below it a;b.py:2, 2 blocks of 7 bytes */
static struct snapshot *two_calls(void) {
    struct callpaths *paths = callpaths_new(&account);
    struct snapshot *snapshot = snapshot_new(&account, paths, 9, VIEW_LIVE);
    uint32_t main_node = model_node(paths, 0, "main.py", "main", 1, 1);
    uint32_t node = model_node(paths, main_node, "a;b.py", "", 2, 2);
    const struct row rows[] = {{.node = main_node, .depth = 1, .size = 5, .count = 1},
                               {.domain = 3, .node = node, .size = 7, .count = 2}};
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(snapshot_add(snapshot, &rows[i]), STATUS_OK);
    callpaths_release(paths);
    return snapshot;
}

static void export_to_kept(struct snapshot *snapshot, enum export_format format) {
    kept = (struct kept){.used = 0};
    assert_int_equal(export_snapshot(snapshot, format, keep, &kept), STATUS_OK);
}

static void a_small_snapshot_is_written_letter_by_letter(void **state) {
    (void)state;
    struct snapshot *snapshot = two_calls();
    export_to_kept(snapshot, EXPORT_COLLAPSED);
    ASSERT_KEPT("main (main.py:1) 5\nmain (main.py:1);a,b.py:2 14\n");
    export_to_kept(snapshot, EXPORT_CSV);
    ASSERT_KEPT("size,count,domain,process,filename,lineno,function,traceback\n"
                "5,1,0,\"\",\"main.py\",1,\"main\",\"main (main.py:1)\"\n"
                "14,2,3,\"\",\"a;b.py\",2,\"\",\"a,b.py:2;main (main.py:1)\"\n");
    export_to_kept(snapshot, EXPORT_JSON);
    ASSERT_KEPT("\"frames\":[\n{\"function\":\"main\",\"filename\":\"main.py\",\"lineno\":1},\n"
                "{\"function\":null,\"filename\":\"a;b.py\",\"lineno\":2}],\n\"traces\":[\n"
                "{\"size\":5,\"count\":1,\"domain\":0,\"total_nframe\":1,\"frames\":[0]},\n"
                "{\"size\":14,\"count\":2,\"domain\":3,\"total_nframe\":null,\"frames\":[0,1]}]");
    export_to_kept(snapshot, EXPORT_SPEEDSCOPE);
    ASSERT_KEPT(
        "\"shared\":{\"frames\":[\n{\"name\":\"main\",\"file\":\"main.py\",\"line\":1},\n"
        "{\"name\":\"a;b.py\",\"file\":\"a;b.py\",\"line\":2}]},\n\"profiles\":[{\"type\":\"evented\","
        "\"name\":\"live\",\"unit\":\"bytes\",\"startValue\":0,\"endValue\":19,\"events\":[\n"
        "{\"type\":\"O\",\"frame\":0,\"at\":0},\n{\"type\":\"O\",\"frame\":1,\"at\":5},\n"
        "{\"type\":\"C\",\"frame\":1,\"at\":19},\n{\"type\":\"C\",\"frame\":0,\"at\":19}]}]");
    snapshot_release(snapshot);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void too_many_blocks_for_a_pickle_are_refused(void **state) {
    (void)state;
    struct callpaths *paths = callpaths_new(&account);
    struct snapshot *snapshot = snapshot_new(&account, paths, 1, VIEW_LIVE);
    const struct row row = {.size = 1, .count = UINT64_C(1) << 40};
    assert_int_equal(snapshot_add(snapshot, &row), STATUS_OK);
    kept = (struct kept){.used = 0};
    assert_int_equal(export_snapshot(snapshot, EXPORT_TRACEMALLOC, keep, &kept), STATUS_FULL);
    snapshot_release(snapshot);
    callpaths_release(paths);
    assert_int_equal(vmem_bytes(&account), 0);
}

struct task {
    struct snapshot *snapshot;
    enum export_format format;
};

static status export_once(void *context) {
    const struct task *task = context;
    kept = (struct kept){.used = 0};
    return export_snapshot(task->snapshot, task->format, keep, &kept);
}

static void without_memory_nothing_is_kept(void **state) {
    (void)state;
    uint64_t random = 21;
    struct callpaths *paths = model_paths(&account, &random, 40, 8);
    struct task task = {.snapshot = model_snapshot(&account, &random, paths, 60, 3, VIEW_LIVE)};
    for (task.format = 0; task.format < EXPORT_COUNT; task.format++)
        assert_in_range(support_sweep(&account, export_once, &task), 2, 1000);
    snapshot_release(task.snapshot);
    callpaths_release(paths);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void a_sink_that_fails_ends_it(void **state) {
    (void)state;
    uint64_t random = 8;
    struct callpaths *paths = model_paths(&account, &random, 40, 8);
    struct snapshot *snapshot = model_snapshot(&account, &random, paths, 60, 3, VIEW_PEAK);
    for (enum export_format format = 0; format < EXPORT_COUNT; format++) {
        export_to_kept(snapshot, format);
        size_t calls = kept.calls;
        for (size_t fail_at = 1; fail_at <= calls; fail_at++) {
            kept = (struct kept){.fail_at = fail_at};
            assert_int_equal(export_snapshot(snapshot, format, keep, &kept), STATUS_FAILED);
        }
    }
    snapshot_release(snapshot);
    callpaths_release(paths);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void blocks_are_counted_by_powers_of_two(void **state) {
    (void)state;
    struct callpaths *paths = callpaths_new(&account);
    struct snapshot *snapshot = snapshot_new(&account, paths, 1, VIEW_LIVE);
    static const uint64_t sizes[] = {0, 1, 2, 3, 4, 5, UINT64_C(1) << 63, UINT64_MAX};
    static const int bins[] = {0, 1, 2, 3, 3, 4, 64, 65};
    struct histogram histogram;
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(snapshot_add(snapshot, &(struct row){.size = sizes[i], .count = 1}), STATUS_OK);
    histogram_count(&histogram, snapshot);
    for (size_t i = 0; i < 8; i++) {
        assert_true(sizes[i] <= histogram_most(bins[i]));
        assert_true(bins[i] == 0 || sizes[i] > histogram_most(bins[i] - 1));
        assert_int_equal(histogram.bins[bins[i]].count, bins[i] == 3 ? 2 : 1);
    }
    snapshot_release(snapshot);
    callpaths_release(paths);
    assert_int_equal(vmem_bytes(&account), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_decimal_or_seven_bits_a_byte),
        cmocka_unit_test(json_escapes_what_it_must_and_nothing_else),
        cmocka_unit_test(names_are_cleaned_of_controls_and_surrogates),
        cmocka_unit_test(a_small_snapshot_is_written_letter_by_letter),
        cmocka_unit_test(too_many_blocks_for_a_pickle_are_refused),
        cmocka_unit_test(without_memory_nothing_is_kept),
        cmocka_unit_test(a_sink_that_fails_ends_it),
        cmocka_unit_test(blocks_are_counted_by_powers_of_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
