/* Interned names: each content once, whatever its bytes; ids never change their content. */
#include "support.h"

#include "strtab.h"

enum { MOST = 600, LONGEST = 200000 };

static struct vmem account;

struct known {
    char *bytes;
    size_t length;
};

static struct known known[MOST];

static void forget_known(uint32_t count) {
    for (uint32_t i = 1; i < count; i++)
        free(known[i].bytes);
}

static bool check(const struct strtab *strings, uint32_t count) {
    for (uint32_t id = 1; id < count; id++) {
        struct string string = strtab_get(strings, id);
        if (string.length != known[id].length || memcmp(string.bytes, known[id].bytes, string.length) != 0)
            return false;
    }
    return strings->count == count && strings->index.count == count - 1 && strtab_get(strings, 0).length == 0;
}

/* The plain way: a list searched from front to back. 0: not there. */
static uint32_t plain_find(const char *bytes, size_t length, uint32_t count) {
    for (uint32_t id = 1; id < count; id++) {
        if (known[id].length == length && memcmp(known[id].bytes, bytes, length) == 0)
            return id;
    }
    return 0;
}

static char *random_name(uint64_t *random, size_t *length) {
    static const char letters[] = {'a', 'b', 0, (char)0xC3, (char)0xED};
    uint32_t kind = support_below(random, 40);
    *length = kind == 0 ? support_below(random, LONGEST) : support_below(random, kind < 30 ? 4 : 40);
    char *bytes = malloc(*length + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < *length; i++)
        bytes[i] = letters[support_below(random, sizeof letters)];
    return bytes;
}

static void interning_is_as_searching_a_list(void **state) {
    (void)state;
    struct strtab strings;
    uint64_t random = 11;
    uint32_t count = 1;
    assert_int_equal(strtab_init(&strings, &account), STATUS_OK);
    while (count < MOST) {
        size_t length;
        char *bytes = random_name(&random, &length);
        uint32_t id = 77, expected = plain_find(bytes, length, count);
        assert_int_equal(strtab_intern(&strings, bytes, length, &id), STATUS_OK);
        if (length == 0 || expected != 0) {
            assert_int_equal(id, expected);
            free(bytes);
        } else {
            assert_int_equal(id, count);
            known[count++] = (struct known){bytes, length};
        }
        if (count % 20 == 0)
            assert_true(check(&strings, count));
    }
    assert_true(check(&strings, count));
    strtab_fini(&strings);
    forget_known(count);
    assert_int_equal(vmem_bytes(&account), 0);
    strtab_fini(&strings);
}

static uint32_t intern(struct strtab *strings, const char *bytes, size_t length) {
    uint32_t id = 0;
    assert_int_equal(strtab_intern(strings, bytes, length, &id), STATUS_OK);
    return id;
}

static void a_nul_byte_is_a_byte_like_any_other(void **state) {
    (void)state;
    struct strtab strings;
    assert_int_equal(strtab_init(&strings, &account), STATUS_OK);
    uint32_t a = intern(&strings, "a", 1), a0 = intern(&strings, "a\0", 2), a0b = intern(&strings, "a\0b", 3);
    uint32_t zero = intern(&strings, "\0", 1), zeros = intern(&strings, "\0\0\0\0\0\0\0\0\0", 9);
    uint32_t eight = intern(&strings, "\0\0\0\0\0\0\0\0", 8);
    uint32_t ids[] = {0, a, a0, a0b, zero, zeros, eight};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(ids[i], ids[j]);
    }
    assert_int_equal(intern(&strings, "a\0b", 3), a0b);
    assert_int_equal(strtab_get(&strings, zeros).length, 9);
    assert_memory_equal(strtab_get(&strings, a0b).bytes, "a\0b", 3);
    strtab_fini(&strings);
}

static void the_empty_name_is_id_0_and_needs_no_memory(void **state) {
    (void)state;
    struct strtab strings;
    assert_int_equal(strtab_init(&strings, &account), STATUS_OK);
    support_fail_at = 1;
    support_fail_on = true;
    support_calls = 0;
    uint32_t id = 9;
    assert_int_equal(strtab_intern(&strings, NULL, 0, &id), STATUS_OK);
    support_fail_at = 0;
    assert_int_equal(id, 0);
    assert_int_equal(strings.count, 1);
    strtab_fini(&strings);
}

static void a_long_name_does_not_move_the_others(void **state) {
    (void)state;
    struct strtab strings;
    size_t length = (size_t)3 << 20;
    char *bytes = malloc(length);
    assert_non_null(bytes);
    memset(bytes, 'x', length);
    assert_int_equal(strtab_init(&strings, &account), STATUS_OK);
    uint32_t small = intern(&strings, "small.py", 8);
    const char *place = strtab_get(&strings, small).bytes;
    uint32_t big = intern(&strings, bytes, length);
    bytes[length - 1] = 'y';
    assert_int_not_equal(intern(&strings, bytes, length), big);
    assert_int_not_equal(intern(&strings, bytes, length - 1), big);
    bytes[length - 1] = 'x';
    assert_int_equal(intern(&strings, bytes, length), big);
    assert_ptr_equal(strtab_get(&strings, small).bytes, place);
    assert_int_equal(strtab_get(&strings, big).length, length);
    free(bytes);
    strtab_fini(&strings);
}

static void names_beyond_4_gib_are_refused(void **state) {
    (void)state;
    struct strtab strings;
    uint32_t id = 5;
    assert_int_equal(strtab_init(&strings, &account), STATUS_OK);
    ((uint32_t *)strings.ends.base)[0] = UINT32_MAX - 3; /* as if so many bytes were in use */
    assert_int_equal(strtab_intern(&strings, "four", 4, &id), STATUS_FULL);
    assert_int_equal(strings.count, 1);
    assert_int_equal(strings.index.count, 0);
    ((uint32_t *)strings.ends.base)[0] = 0;
    assert_int_equal(intern(&strings, "four", 4), 1);
    strtab_fini(&strings);
}

static status intern_many(void *context) {
    (void)context;
    struct strtab strings;
    status result = strtab_init(&strings, &account);
    if (result != STATUS_OK)
        return result;
    static char name[5000];
    uint32_t count = 1, id;
    for (uint32_t i = 0; i < 60 && result == STATUS_OK; i++) {
        memset(name, 'a' + (int)(i % 26), sizeof name);
        result = strtab_intern(&strings, name, sizeof name - i, &id);
        if (result == STATUS_OK)
            count++;
    }
    assert_int_equal(strings.count, count);
    assert_int_equal(strings.index.count, count - 1);
    for (uint32_t i = 0; i < count - 1; i++) {
        struct string string = strtab_get(&strings, i + 1);
        assert_int_equal(string.length, sizeof name - i);
        assert_int_equal(string.bytes[string.length - 1], 'a' + (int)(i % 26));
    }
    strtab_fini(&strings);
    return result;
}

static void every_request_may_fail(void **state) {
    (void)state;
    assert_true(support_sweep(&account, intern_many, NULL) >= 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interning_is_as_searching_a_list),
        cmocka_unit_test(a_nul_byte_is_a_byte_like_any_other),
        cmocka_unit_test(the_empty_name_is_id_0_and_needs_no_memory),
        cmocka_unit_test(a_long_name_does_not_move_the_others),
        cmocka_unit_test(names_beyond_4_gib_are_refused),
        cmocka_unit_test(every_request_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
