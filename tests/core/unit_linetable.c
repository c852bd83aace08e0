/* Lines of instructions: known tables, tables made at random and read the plain way, and damaged ones, which
 * are put right before a page that cannot be read. */
#include "support.h"

#include "linetable.h"

enum { ROOM = 4096, MOST_UNITS = 2000 };

/* A copy of `length` bytes that ends where memory ends: a read past it is a crash. */
static char *guarded;

static const uint8_t *before_the_wall(const uint8_t *bytes, size_t length) {
    uint8_t *place = (uint8_t *)guarded + platform_page_size() - length;
    if (length != 0)
        memcpy(place, bytes, length);
    return place;
}

static uint32_t line_of(const uint8_t *bytes, size_t length, int first, uint32_t unit) {
    struct linetable_place place = {.line = first};
    return linetable_line(before_the_wall(bytes, length), length, &place, unit);
}

static void each_kind_of_entry_gives_its_line(void **state) {
    (void)state;
    static const uint8_t table[] = {
        0x80 | 15 << 3 | 1,                          /* units 0, 1: none */
        0x80 | 0 << 3 | 0,  0x00,                    /* unit 2: short, the first line */
        0x80 | 10 << 3 | 2, 1,        2,             /* units 3-5: one line, +0 */
        0x80 | 11 << 3 | 0, 1,        2,             /* unit 6: +1 */
        0x80 | 12 << 3 | 7, 1,        2,             /* units 7-14: +2 */
        0x80 | 13 << 3 | 0, 0x05,                    /* unit 15: -2 */
        0x80 | 13 << 3 | 0, 0x40 | 8, 0x01,          /* unit 16: +36 (72 >> 1) */
        0x80 | 14 << 3 | 0, 0x06,     0x41, 0, 3, 9, /* unit 17: +3; an end line, two columns */
        0x80 | 9 << 3 | 0,  0x7F,                    /* unit 18: short, the same line */
        0x80 | 15 << 3 | 0,                          /* unit 19: none, the line goes on */
        0x80 | 10 << 3 | 0, 0,        0,             /* unit 20: the same line */
    };
    static const uint32_t lines[] = {0,   0,   100, 100, 100, 100, 101, 103, 103, 103, 103, 103,
                                     103, 103, 103, 101, 137, 140, 140, 0,   140, 0,   0};
    for (uint32_t unit = 0; unit < sizeof lines / sizeof *lines; unit++)
        assert_int_equal(line_of(table, sizeof table, 100, unit), lines[unit]);
    assert_int_equal(line_of(table, sizeof table, 100, UINT32_MAX), 0);
}

/* From code objects of one function with a try statement, as CPython 3.11 and 3.13 compile it; the lines are
 * what their code.co_positions() said. */
static void tables_that_cpython_wrote_are_read_as_it_reads_them(void **state) {
    (void)state;
    static const uint8_t by_311[] = {
        0x80, 0x00, 0xD8, 0x08, 0x09, 0x88, 0x41, 0x89, 0x05, 0x80, 0x41, 0xF0, 0x04, 0x4C, 0x01, 0x05,
        0x0D, 0xD8, 0x10, 0x11, 0xDD, 0x0C, 0x0D, 0x88, 0x61, 0xD8, 0x0A, 0x0B, 0xF1, 0x03, 0x01, 0x0D,
        0x0D, 0xF4, 0x00, 0x01, 0x0D, 0x0D, 0xD8, 0x13, 0x14, 0xF0, 0x00, 0x01, 0x0F, 0x05, 0x88, 0x61,
        0x88, 0x61, 0xD8, 0x02, 0x03, 0xF0, 0x07, 0x03, 0x10, 0x06, 0xF0, 0x56, 0x02, 0x00, 0x09, 0x0A,
        0x88, 0x01, 0x88, 0x21, 0x89, 0x04, 0x8C, 0x04, 0x88, 0x04, 0x88, 0x04, 0xF8, 0x88, 0x01, 0x88,
        0x01, 0x88, 0x21, 0x89, 0x04, 0x8C, 0x04, 0x88, 0x04, 0x88, 0x04, 0xF8, 0xF8, 0xF8};
    static const uint32_t lines_311[] = {3,  4,  4,  4,  4,  4,  6,  7,  8,  8,  8,  8, 8,  8,  8,
                                         9,  8,  8,  8,  8,  8,  8,  8,  9,  9,  9,  9, 10, 7,  82,
                                         82, 82, 82, 82, 82, 82, 82, 82, 82, 82, 82, 0, 82, 82, 82,
                                         82, 82, 82, 82, 82, 82, 82, 82, 82, 0,  0,  0, 0};
    static const uint8_t by_313[] = {
        0x80, 0x00, 0xD8, 0x08, 0x09, 0x88, 0x41, 0x89, 0x05, 0x80, 0x41, 0xF0, 0x04, 0x4C, 0x01, 0x05,
        0x0D, 0xD8, 0x10, 0x11, 0xDC, 0x0C, 0x0D, 0x88, 0x61, 0xD8, 0x0A, 0x0B, 0xF3, 0x03, 0x01, 0x0D,
        0x0D, 0xDE, 0x13, 0x14, 0x89, 0x61, 0xD8, 0x02, 0x03, 0xF0, 0x07, 0x03, 0x10, 0x06, 0xF1, 0x56,
        0x02, 0x00, 0x09, 0x0A, 0x88, 0x21, 0x8D, 0x04, 0xF8, 0x89, 0x01, 0x88, 0x21, 0x8D, 0x04, 0xFA};
    static const uint32_t lines_313[] = {
        3, 4,  4, 4,  4,  4,  6,  7,  8,  8,  8,  8,  8, 8,  9,  8,  8,  8,  8,  9,  9,  9,  9, 9, 9, 9, 9,
        9, 10, 7, 82, 82, 82, 82, 82, 82, 82, 82, 82, 0, 82, 82, 82, 82, 82, 82, 82, 82, 82, 0, 0, 0, 0};
    for (uint32_t unit = 0; unit < sizeof lines_311 / sizeof *lines_311; unit++)
        assert_int_equal(line_of(by_311, sizeof by_311, 3, unit), lines_311[unit]);
    for (uint32_t unit = 0; unit < sizeof lines_313 / sizeof *lines_313; unit++)
        assert_int_equal(line_of(by_313, sizeof by_313, 3, unit), lines_313[unit]);
}

struct builder {
    uint8_t bytes[ROOM];
    size_t length;
    uint32_t lines[MOST_UNITS];
    uint32_t units;
};

static void add_byte(struct builder *b, uint32_t byte) { b->bytes[b->length++] = (uint8_t)byte; }

static void add_varint(struct builder *b, uint32_t value) {
    for (; value >= 64; value >>= 6)
        add_byte(b, 64 | (value & 63));
    add_byte(b, value);
}

static void add_signed(struct builder *b, int32_t value) {
    add_varint(b, value < 0 ? (uint32_t)-value << 1 | 1 : (uint32_t)value << 1);
}

/* One entry of a kind; keeps the line of each of its units in b->lines. */
static void add_entry(struct builder *b, uint64_t *random, int32_t *line) {
    uint32_t kind = support_below(random, 16), units = 1 + support_below(random, 8);
    int32_t delta = (int32_t)support_below(random, 1u << (1 + support_below(random, 20))) - 1000;
    if (*line + delta < 1)
        delta = 3;
    add_byte(b, 0x80 | kind << 3 | (units - 1));
    if (kind <= 9) {
        add_byte(b, support_below(random, 128));
    } else if (kind <= 12) {
        add_byte(b, support_below(random, 128));
        add_byte(b, support_below(random, 128));
        *line += (int32_t)kind - 10;
    } else if (kind <= 14) {
        add_signed(b, delta);
        *line += delta;
        for (int i = 0; kind == 14 && i < 3; i++)
            add_varint(b, support_below(random, 1000));
    }
    for (uint32_t i = 0; i < units; i++)
        b->lines[b->units++] = kind == 15 ? 0 : (uint32_t)*line;
}

/* A table of so many entries; returns the line that it begins with. */
static int32_t make_table(struct builder *b, uint64_t *random, uint32_t entries) {
    int32_t first = 1 + (int32_t)support_below(random, 1000), line = first;
    b->length = b->units = 0;
    for (uint32_t i = 0; i < entries; i++)
        add_entry(b, random, &line);
    return first;
}

static void random_tables_give_the_lines_they_were_made_of(void **state) {
    (void)state;
    static struct builder b;
    uint64_t random = 21;
    for (int round = 0; round < 300; round++) {
        const int32_t first = make_table(&b, &random, support_below(&random, 100));
        for (uint32_t unit = 0; unit < b.units; unit++)
            assert_int_equal(line_of(b.bytes, b.length, first, unit), b.lines[unit]);
        assert_int_equal(line_of(b.bytes, b.length, first, b.units), 0);
        /* Cut anywhere: what comes before the cut entry is as it was, nothing is read beyond. */
        size_t cut = support_below(&random, (uint32_t)b.length + 1);
        uint32_t same = 0;
        while (same < b.units && line_of(b.bytes, cut, first, same) == b.lines[same])
            same++;
        for (uint32_t unit = same; unit < b.units; unit++)
            (void)line_of(b.bytes, cut, first, unit);
    }
}

static void reading_goes_on_from_the_place_where_it_stopped(void **state) {
    (void)state;
    static struct builder b;
    uint64_t random = 23;
    for (int round = 0; round < 300; round++) {
        const int32_t first = make_table(&b, &random, 50);
        const uint8_t *table = before_the_wall(b.bytes, b.length);
        struct linetable_place place = {.line = first};
        for (uint32_t unit = 0; unit < b.units; unit += support_below(&random, 12)) {
            assert_int_equal(linetable_line(table, b.length, &place, unit), b.lines[unit]);
            assert_true(place.unit <= unit && unit < place.unit + 8);
            assert_int_equal(linetable_line(table, b.length, &place, unit),
                             b.lines[unit]); /* the place is before it */
        }
        assert_int_equal(linetable_line(table, b.length, &place, b.units), 0);
        assert_int_equal(place.offset, b.length);
        assert_int_equal(linetable_line(table, b.length, &place, b.units + 5), 0);
        assert_int_equal(linetable_line(table, b.length / 2, &place, b.units + 5), 0); /* no such place */
    }
}

static void damaged_tables_are_never_read_past_their_end(void **state) {
    (void)state;
    uint64_t random = 22;
    uint8_t bytes[64];
    for (int round = 0; round < 200000; round++) {
        size_t length = support_below(&random, sizeof bytes + 1);
        for (size_t i = 0; i < length; i++)
            bytes[i] = (uint8_t)support_random(&random);
        int first = (int)(uint32_t)support_random(&random);
        (void)line_of(bytes, length, first, support_below(&random, 200));
    }
    memset(bytes, 0xFF, sizeof bytes); /* no line, no line, ...: no more units than there are */
    assert_int_equal(line_of(bytes, sizeof bytes, 1, 0), 0);
    memset(bytes, 0xF0 | 0x40, sizeof bytes); /* varints that never end */
    (void)line_of(bytes, sizeof bytes, 1, 1000);
}

static void lines_that_cannot_be_are_0(void **state) {
    (void)state;
    static const uint8_t same[] = {0x80, 0}, back[] = {0x80 | 13 << 3, 0x03 | 4}, empty[1] = {0};
    static const uint8_t next[] = {0x80 | 11 << 3, 0, 0};
    assert_int_equal(line_of(same, sizeof same, 0, 0), 0);
    assert_int_equal(line_of(same, sizeof same, -5, 0), 0);
    assert_int_equal(line_of(back, sizeof back, 3, 0), 0); /* 3 - 3 */
    assert_int_equal(line_of(back, sizeof back, 4, 0), 1);
    assert_int_equal(line_of(same, sizeof same, INT32_MAX, 0), INT32_MAX);
    assert_int_equal(line_of(next, sizeof next, INT32_MAX - 1, 0), INT32_MAX);
    /* To CPython a negative number, so no line. */
    assert_int_equal(line_of(next, sizeof next, INT32_MAX, 0), 0);
    assert_int_equal(line_of(empty, 0, 1, 0), 0);
}

static int build_the_wall(void **state) {
    (void)state;
    guarded = platform_reserve(2 * platform_page_size()); /* the second half is never committed */
    return guarded != NULL && platform_page_size() >= ROOM && platform_commit(guarded, platform_page_size())
               ? 0
               : -1;
}

static int take_down_the_wall(void **state) {
    (void)state;
    platform_release(guarded, 2 * platform_page_size());
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_entry_gives_its_line),
        cmocka_unit_test(tables_that_cpython_wrote_are_read_as_it_reads_them),
        cmocka_unit_test(random_tables_give_the_lines_they_were_made_of),
        cmocka_unit_test(reading_goes_on_from_the_place_where_it_stopped),
        cmocka_unit_test(damaged_tables_are_never_read_past_their_end),
        cmocka_unit_test(lines_that_cannot_be_are_0),
    };
    return cmocka_run_group_tests(tests, build_the_wall, take_down_the_wall);
}
