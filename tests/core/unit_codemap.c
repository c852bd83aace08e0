/* Sites of instructions, kept until their code object dies: against a plain list. */
#include "support.h"

#include "codemap.h"

enum { CODES = 24, UNITS = 40, STEPS = 30000 };

static struct vmem account;

/* Code objects lie at 16-aligned addresses, close together, so that chains of the table run into each other.
 */
static uintptr_t code_at(uint32_t i) { return 0x7F0000001000u + (uintptr_t)i * 512; }
static uintptr_t instr_at(uint32_t i, uint32_t unit) { return code_at(i) + 192 + (uintptr_t)unit * 2; }

/* The model: the site of each instruction, 0: not known. */
static uint32_t sites[CODES][UNITS];

static bool any_known(uint32_t code) {
    for (uint32_t unit = 0; unit < UNITS; unit++) {
        if (sites[code][unit] != 0)
            return true;
    }
    return false;
}

static void assert_as_model(const struct codemap *map) {
    size_t count = 0;
    assert_true(codemap_check(map));
    for (uint32_t code = 0; code < CODES; code++) {
        bool known = any_known(code);
        count += known;
        assert_int_equal(codemap_knows(map, code_at(code)), known);
        for (uint32_t unit = 0; unit < UNITS; unit++) {
            uint32_t site = 77;
            assert_int_equal(codemap_get(map, instr_at(code, unit), &site), sites[code][unit] != 0);
            if (sites[code][unit] != 0)
                assert_int_equal(site, sites[code][unit]);
            count += sites[code][unit] != 0;
        }
    }
    assert_int_equal(map->count, count);
}

static void sites_are_known_until_their_code_dies(void **state) {
    (void)state;
    struct codemap map;
    uint64_t random = 31;
    memset(sites, 0, sizeof sites);
    assert_int_equal(codemap_init(&map, &account), STATUS_OK);
    for (int step = 0; step < STEPS; step++) {
        uint32_t code = support_below(&random, CODES), unit = support_below(&random, UNITS);
        if (support_below(&random, 30) == 0) {
            codemap_forget(&map, code_at(code));
            memset(sites[code], 0, sizeof sites[code]);
        } else if (sites[code][unit] == 0) {
            sites[code][unit] = 1 + support_below(&random, 1000);
            assert_int_equal(codemap_put(&map, code_at(code), instr_at(code, unit), sites[code][unit]),
                             STATUS_OK);
        }
        if (step % 16 == 0)
            assert_as_model(&map);
    }
    for (uint32_t code = 0; code < CODES; code++) {
        codemap_forget(&map, code_at(code));
        memset(sites[code], 0, sizeof sites[code]);
        assert_as_model(&map);
    }
    codemap_fini(&map);
    codemap_fini(&map);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void site_0_is_a_site_like_any_other(void **state) {
    (void)state;
    struct codemap map;
    uint32_t site = 9;
    assert_int_equal(codemap_init(&map, &account), STATUS_OK);
    assert_false(codemap_get(&map, instr_at(0, 0), &site));
    assert_int_equal(codemap_put(&map, code_at(0), instr_at(0, 0), 0), STATUS_OK);
    site = 9;
    assert_true(codemap_get(&map, instr_at(0, 0), &site));
    assert_int_equal(site, 0);
    assert_false(codemap_get(&map, code_at(0), &site)); /* the code object itself is no instruction */
    codemap_fini(&map);
}

static void what_is_asked_for_again_is_known_to_be(void **state) {
    (void)state;
    struct codemap map;
    assert_int_equal(codemap_init(&map, &account), STATUS_OK);
    uint32_t first = 0;
    for (uint32_t unit = 0; unit < 16; unit++) {
        first += !codemap_asked(&map, instr_at(0, unit));
        assert_true(codemap_asked(&map, instr_at(0, unit)));
    }
    assert_true(first > 8); /* few of so few share a bit */
    codemap_fini(&map);
    assert_int_equal(codemap_init(&map, &account), STATUS_OK);
    assert_false(codemap_asked(&map, instr_at(0, 0)));
    codemap_fini(&map);
}

static bool begins(const struct linetable_place *place, int first_line) {
    return place->offset == 0 && place->unit == 0 && place->line == first_line;
}

static void reading_begins_anew_for_other_code_and_for_what_was_passed(void **state) {
    (void)state;
    struct codemap map;
    assert_int_equal(codemap_init(&map, &account), STATUS_OK);
    const struct linetable_place far = {.offset = 40, .unit = 20, .line = 9};
    struct linetable_place *place = codemap_place(&map, code_at(1), 7, 3);
    assert_true(begins(place, 7));
    *place = far;
    place = codemap_place(&map, code_at(1), 7, 20);
    assert_int_equal(place->offset, 40);
    assert_true(begins(codemap_place(&map, code_at(1), 7, 19), 7));
    *place = far;
    assert_true(begins(codemap_place(&map, code_at(2), 8, 20), 8));
    *place = far;
    codemap_forget(&map, code_at(1)); /* another one */
    assert_int_equal(codemap_place(&map, code_at(2), 8, 20)->offset, 40);
    codemap_forget(&map, code_at(2)); /* its address may be some other code's from now on */
    assert_true(begins(codemap_place(&map, code_at(2), 5, 20), 5));
    codemap_fini(&map);
}

static void an_instruction_may_lie_far_behind_its_code(void **state) {
    (void)state;
    struct codemap map;
    uint32_t site;
    uintptr_t code = 0x10000, far = code + UINT32_MAX - 1, first = code;
    assert_int_equal(codemap_init(&map, &account), STATUS_OK);
    assert_int_equal(codemap_put(&map, code, far, 5), STATUS_OK);
    assert_int_equal(codemap_put(&map, code, first, 6), STATUS_OK); /* at the code object's own address */
    assert_true(codemap_get(&map, far, &site));
    assert_true(codemap_get(&map, first, &site));
    assert_int_equal(site, 6);
    assert_true(codemap_check(&map));
    codemap_forget(&map, code);
    assert_int_equal(map.count, 0);
    codemap_forget(&map, code); /* nothing is known of it now */
    assert_false(codemap_get(&map, far, &site));
    codemap_fini(&map);
}

static status put_many(void *context) {
    (void)context;
    struct codemap map;
    status result = codemap_init(&map, &account);
    if (result != STATUS_OK)
        return result;
    size_t expected = 0;
    for (uint32_t i = 0; i < 8000 && result == STATUS_OK; i++) {
        uintptr_t code = code_at(i);
        result = codemap_put(&map, code, code + 200, i);
        if (result == STATUS_OK)
            expected += 2;
    }
    assert_int_equal(map.count, expected);
    assert_true(codemap_check(&map));
    codemap_fini(&map);
    return result;
}

static void every_request_may_fail(void **state) {
    (void)state;
    assert_true(support_sweep(&account, put_many, NULL) >= 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sites_are_known_until_their_code_dies),
        cmocka_unit_test(site_0_is_a_site_like_any_other),
        cmocka_unit_test(what_is_asked_for_again_is_known_to_be),
        cmocka_unit_test(reading_begins_anew_for_other_code_and_for_what_was_passed),
        cmocka_unit_test(an_instruction_may_lie_far_behind_its_code),
        cmocka_unit_test(every_request_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
