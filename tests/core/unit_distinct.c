/* Doubles in lists: the first one is found, and its like before it; none where all are distinct. */
#include "support.h"

#include "distinct.h"

static struct vmem account;

enum { MOST = 300, MOST_NUMBERS = 3 };

static const uint32_t *record_at(const struct records *records, uint32_t i) {
    return (const uint32_t *)records->first + (size_t)i * (size_t)records->numbers;
}

static struct repeated naive_records(const struct records *records) {
    const size_t bytes = (size_t)records->numbers * sizeof(uint32_t);
    for (uint32_t item = 1; item < records->count; item++) {
        for (uint32_t earlier = item; earlier-- > 0;) {
            if (memcmp(record_at(records, item), record_at(records, earlier), bytes) == 0)
                return (struct repeated){item, earlier};
        }
    }
    return (struct repeated){0, 0};
}

static void the_first_double_of_records_is_found(void **state) {
    (void)state;
    uint64_t random = 5;
    size_t with = 0, without = 0;
    for (int round = 0; round < 1000; round++) {
        uint32_t numbers[MOST * MOST_NUMBERS];
        struct records records = {numbers, support_below(&random, MOST), 2 + round / 2 % 2};
        uint32_t range = 2 + support_below(&random, 1u << support_below(&random, 31));
        for (uint32_t i = 0; i < records.count * (uint32_t)records.numbers; i++)
            numbers[i] = support_below(&random, range) * (round % 2 ? 1 : UINT32_C(0x10001));
        struct repeated found, wanted = naive_records(&records);
        assert_int_equal(distinct_records(&account, &records, &found), STATUS_OK);
        assert_int_equal(found.item, wanted.item);
        assert_int_equal(found.earlier, wanted.earlier);
        *(found.item == 0 ? &without : &with) += 1;
    }
    assert_true(with > 100 && without > 100);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void a_number_alone_makes_records_differ(void **state) {
    (void)state;
    for (int numbers = 2; numbers <= MOST_NUMBERS; numbers++) {
        for (int bit = 0; bit < numbers * 32; bit++) {
            uint32_t values[3 * MOST_NUMBERS];
            for (int i = 0; i < 3 * numbers; i++)
                values[i] = i < 2 * numbers ? 7 : 8;
            values[numbers + bit / 32] ^= UINT32_C(1) << bit % 32;
            struct repeated found;
            assert_int_equal(distinct_records(&account, &(struct records){values, 3, numbers}, &found),
                             STATUS_OK);
            assert_int_equal(found.item, 0);
        }
    }
}

static void the_first_double_of_strings_is_found(void **state) {
    (void)state;
    static const char letters[] = "aaaaaaaab";
    uint64_t random = 6;
    size_t with = 0, without = 0;
    for (int round = 0; round < 500; round++) {
        struct strtab strings;
        struct repeated found, wanted = {0, 0};
        assert_int_equal(strtab_init(&strings, &account), STATUS_OK);
        uint32_t count = support_below(&random, 40);
        for (uint32_t i = 1; i <= count; i++) {
            size_t start = support_below(&random, 4);
            char text[16];
            size_t length = 1 + support_below(&random, 9 - (uint32_t)start - 1);
            memcpy(text, letters + start, length);
            if (round % 2 == 0) /* else: prefixes of each other, many of them equal */
                text[length++] = (char)(i + 1);
            assert_int_equal(strtab_append(&strings, text, length), STATUS_OK);
            for (uint32_t earlier = i; wanted.item == 0 && earlier-- > 1;) {
                struct string known = strtab_get(&strings, earlier);
                if (known.length == length && memcmp(known.bytes, text, length) == 0)
                    wanted = (struct repeated){i, earlier};
            }
        }
        assert_int_equal(distinct_strings(&account, &strings, &found), STATUS_OK);
        assert_int_equal(found.item, wanted.item);
        assert_int_equal(found.earlier, wanted.earlier);
        *(found.item == 0 ? &without : &with) += 1;
        strtab_fini(&strings);
    }
    assert_true(with > 100 && without > 100);
    assert_int_equal(vmem_bytes(&account), 0);
}

static status search_once(void *context) {
    const uint32_t numbers[] = {1, 2, 3, 1, 2, 3};
    struct repeated found;
    (void)context;
    status result = distinct_records(&account, &(struct records){numbers, 2, 3}, &found);
    assert_true(found.item == (result == STATUS_OK ? 1 : 0));
    return result;
}

static void without_memory_nothing_is_found(void **state) {
    (void)state;
    assert_int_equal(support_sweep(&account, search_once, NULL), 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_double_of_records_is_found),
        cmocka_unit_test(a_number_alone_makes_records_differ),
        cmocka_unit_test(the_first_double_of_strings_is_found),
        cmocka_unit_test(without_memory_nothing_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
