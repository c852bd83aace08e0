/* Kept blocks: against a plain stack for each size. */
#include "support.h"

#include "magazine.h"

enum { STEPS = 40000, ROOM = ROUND_COUNT - 1, STRIDES = 512 / 16 };

static struct magazines magazines;
static uint32_t slots[STRIDES + 1][ROOM];

/* The model: which blocks each class has, and how many. A block's number tells its class and its slot. */
static uint32_t model[STRIDES + 1][ROOM];
static uint32_t model_count[STRIDES + 1];

static uintptr_t block_of(uint32_t class, uint32_t number) {
    return 0x7F0000000000u + class * 0x10000u + number * 512u;
}

static int start(void **state) {
    (void)state;
    memset(model_count, 0, sizeof model_count);
    magazines_init(&magazines);
    return 0;
}

static void assert_as_model(void) {
    size_t all = 0;
    for (uint32_t class = 0; class <= STRIDES; class ++)
        all += model_count[class];
    assert_int_equal(magazines_count(&magazines), all);
    assert_true(magazines_check(&magazines));
}

/* Nobody has this block. */
static bool is_out(uint32_t class, uint32_t number) {
    for (uint32_t i = 0; i < model_count[class]; i++) {
        if (model[class][i] == number)
            return false;
    }
    return true;
}

static void keep(uint32_t class, uint32_t number) {
    bool kept = magazine_keep(&magazines, class * 16, block_of(class, number), &slots[class][number]);
    assert_int_equal(kept, magazines.is_open && model_count[class] < ROOM);
    if (kept)
        model[class][model_count[class]++] = number;
}

static void take(size_t size) {
    uint32_t class = (uint32_t)((size + 15) / 16);
    struct round *round = magazine_top(&magazines, size);
    if (size == 0 || size > 512 || !magazines.is_open || model_count[class] == 0) {
        assert_null(round);
        return;
    }
    uint32_t number = model[class][--model_count[class]];
    assert_int_equal(round->block, block_of(class, number));
    assert_ptr_equal(round->slot, &slots[class][number]);
    struct round taken = magazine_take(&magazines, round, size);
    assert_int_equal(taken.block, block_of(class, number));
}

static void give(void *context, uintptr_t block) {
    uint32_t class = (uint32_t)((block - 0x7F0000000000u) / 0x10000u);
    assert_true(model_count[class] > 0);
    assert_int_equal(block, block_of(class, model[class][--model_count[class]]));
    magazines_shut(&magazines); /* as when freeing gives memory back to the system */
    ++*(size_t *)context;
}

static void the_last_block_kept_is_the_first_one_taken(void **state) {
    (void)state;
    uint64_t random = 5;
    magazines_open(&magazines);
    for (int step = 0; step < STEPS; step++) {
        uint32_t what = support_below(&random, 400),
                 class = 1 + support_below(&random, step % 2 == 0 ? 3 : STRIDES);
        uint32_t number = support_below(&random, ROOM);
        if (what < 220 && is_out(class, number))
            keep(class, number);
        else if (what < 395)
            take(what < 300 ? class * 16 : support_below(&random, 600));
        else if (what < 396)
            magazines_shut(&magazines);
        else if (what < 399)
            magazines_open(&magazines);
        else {
            size_t before = magazines_count(&magazines), given = 0;
            magazines_empty(&magazines, give, &given);
            assert_int_equal(given, before);
            assert_false(magazines.is_open);
        }
        if (step % 50 == 0)
            assert_as_model();
    }
}

static void a_size_belongs_to_the_class_that_holds_it(void **state) {
    (void)state;
    magazines_open(&magazines);
    for (size_t size = 1; size <= 512; size++) {
        uint32_t class = (uint32_t)((size + 15) / 16);
        keep(class, 0);
        take(size == 512 ? 512 : class * 16 + 1); /* the next class is empty */
        if (size < 512)
            take(size);
    }
    assert_null(magazine_top(&magazines, 0));
    assert_null(magazine_top(&magazines, 513));
    assert_null(magazine_top(&magazines, SIZE_MAX));
    assert_null(magazine_top(&magazines, SIZE_MAX - 14));
    assert_as_model();
}

static void a_full_magazine_and_a_shut_one_keep_nothing(void **state) {
    (void)state;
    for (int round = 0; round < 2; round++) {
        magazines_open(&magazines);
        for (uint32_t number = 0; number < ROOM && round == 0; number++)
            keep(3, number);
        assert_false(magazine_keep(&magazines, 48, 4096, &slots[3][0]));
        magazines_shut(&magazines);
        assert_false(magazine_keep(&magazines, 48, 4096, &slots[3][0]));
        assert_false(magazine_keep(&magazines, 64, 4096, &slots[3][0]));
        assert_null(magazine_top(&magazines, 48));
        assert_as_model();
    }
    magazines_open(&magazines);
    for (int i = 0; i <= ROOM; i++)
        take(48);
    assert_as_model();
}

static void a_slot_with_another_use_is_forgotten_and_no_other(void **state) {
    (void)state;
    enum { KEPT = ROOM < 9 ? ROOM : 9, FROM = KEPT / 3, TO = KEPT - 1 };
    for (int shut = 0; shut < 2; shut++) {
        magazines_open(&magazines);
        for (uint32_t number = 0; number < KEPT; number++) {
            keep(2, number);
            keep(4, number);
        }
        if (shut)
            magazines_shut(&magazines);
        magazines_forget(&magazines, 32, &slots[2][FROM], &slots[2][TO]);
        magazines_forget(&magazines, 48, &slots[4][0], &slots[4][KEPT]);
        magazines_open(&magazines);
        for (uint32_t number = KEPT; number-- > 0;) {
            struct round taken = magazine_take(&magazines, magazine_top(&magazines, 32), 32);
            assert_int_equal(taken.block, block_of(2, number));
            assert_ptr_equal(taken.slot, number >= FROM && number < TO ? NULL : &slots[2][number]);
            model_count[2]--;
            take(64);
        }
    }
    keep(2, 0);
    keep(STRIDES, 0);
    magazines_forget_all(&magazines);
    assert_null(magazine_top(&magazines, 32)->slot);
    assert_null(magazine_top(&magazines, 512)->slot);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_last_block_kept_is_the_first_one_taken, start),
        cmocka_unit_test_setup(a_size_belongs_to_the_class_that_holds_it, start),
        cmocka_unit_test_setup(a_full_magazine_and_a_shut_one_keep_nothing, start),
        cmocka_unit_test_setup(a_slot_with_another_use_is_forgotten_and_no_other, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
