/* Blocks in the order of their age: against a plain list. */
#include "support.h"

#include "young.h"

enum { MOST = 300, STEPS = 40000 };

static struct vmem account;

struct entry {
    uint32_t domain;
    uintptr_t address;
    uint64_t born;
};
static struct entry model[MOST];
static uint32_t model_count;

static void model_drop(uint32_t i) {
    memmove(&model[i], &model[i + 1], (--model_count - i) * sizeof model[0]);
}

static uint32_t model_find(uint32_t domain, uintptr_t address) {
    uint32_t i = 0;
    while (i < model_count && (model[i].address != address || model[i].domain != domain))
        i++;
    return i;
}

static void assert_as_model(const struct young *young) {
    assert_true(young_check(young));
    assert_int_equal(young->count, model_count);
    uint32_t id = young->newest;
    for (uint32_t i = model_count; i-- > 0; id = young_block(young, id)->older) {
        assert_int_equal(young_block(young, id)->address, model[i].address);
        assert_int_equal(young_block(young, id)->domain, model[i].domain);
        assert_int_equal(young_block(young, id)->born, model[i].born);
    }
    assert_int_equal(id, 0);
}

static void add(struct young *young, struct entry entry) {
    young_add(young, entry.domain, entry.address, entry.born);
    uint32_t at = model_count++;
    for (; at > 0 && model[at - 1].born > entry.born; at--)
        model[at] = model[at - 1];
    model[at] = entry;
}

static void blocks_are_as_in_a_list(void **state) {
    (void)state;
    struct young young;
    uint64_t random = 7, born = 1;
    young_init(&young, &account);
    for (int step = 0; step < STEPS; step++) {
        struct entry entry = {support_below(&random, 2), 16 * support_below(&random, 400), born};
        uint32_t found = model_find(entry.domain, entry.address), what = support_below(&random, 1000);
        if (found < model_count) {
            assert_int_equal(young_remove(&young, entry.domain, entry.address), model[found].born);
            struct entry removed = model[found];
            model_drop(found);
            if (what < 100) /* a resize that failed */
                add(&young, removed);
        } else if (what < 990 && model_count < MOST) {
            add(&young, entry);
        } else if (what < 995) {
            assert_int_equal(young_remove(&young, entry.domain, entry.address), 0);
        } else {
            uint64_t before = what == 999 ? UINT64_MAX : born - support_below(&random, 2);
            young_forget(&young, before);
            while (model_count > 0 && model[0].born < before)
                model_drop(0);
        }
        born += support_below(&random, 50) == 0;
        if (step % 16 == 0)
            assert_as_model(&young);
    }
    young_fini(&young);
    young_fini(&young);
    model_count = 0;
    assert_int_equal(vmem_bytes(&account), 0);
}

static void nothing_is_asked_of_the_system_before_the_first_block(void **state) {
    (void)state;
    struct young young;
    young_init(&young, &account);
    assert_int_equal(young_remove(&young, 0, 4096), 0);
    young_forget(&young, UINT64_MAX);
    assert_true(young_check(&young));
    assert_int_equal(vmem_bytes(&account), 0);
    young_fini(&young);
}

static status add_many(void *context) {
    (void)context;
    struct young young;
    young_init(&young, &account);
    for (uint32_t i = 0; i < 5000; i++)
        young_add(&young, 0, 16 * (uintptr_t)i, 1);
    assert_true(young_check(&young));
    assert_int_equal(young.count + young.lost, 5000);
    for (uint32_t i = 0; i < 5000; i++)
        (void)young_remove(&young, 0, 16 * (uintptr_t)i);
    assert_int_equal(young.count, 0);
    status result = young.lost != 0 || young.head_mask < 4999 ? STATUS_NOMEM : STATUS_OK; /* or long chains */
    young_fini(&young);
    return result;
}

static void every_request_may_fail(void **state) {
    (void)state;
    assert_true(support_sweep(&account, add_many, NULL) >= 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_as_in_a_list),
        cmocka_unit_test(nothing_is_asked_of_the_system_before_the_first_block),
        cmocka_unit_test(every_request_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
