/* The first few of many things, or all, against sorting them all; without memory. */
#include "support.h"
#include "toplist.h"

static struct vmem account;

enum { MOST = 2000 };

static int odd_first(const void *owner, uint64_t a, uint64_t b) {
    (void)owner;
    return (int)(b & 1) - (int)(a & 1);
}

static void the_first_few_are_those_of_all_in_order(void **state) {
    (void)state;
    static struct sort_item items[MOST], spare[MOST];
    uint64_t random = 4;
    for (int round = 0; round < 300; round++) {
        sort_order order = round % 2 ? odd_first : NULL;
        size_t count = support_below(&random, MOST), most = support_below(&random, round % 3 ? 20 : MOST);
        struct toplist list;
        assert_int_equal(toplist_init(&list, &account, count, most, order, NULL), STATUS_OK);
        size_t come = count / (1 + (size_t)round % 2); /* no more than were announced */
        for (size_t i = 0; i < come; i++) {
            items[i] = (struct sort_item){support_below(&random, 40), i};
            toplist_put(&list, items[i].rank, i);
        }
        toplist_sort(&list);
        sort_items(items, spare, come, order, NULL);
        assert_int_equal(list.first.count, most < come ? most : come);
        for (size_t i = 0; i < list.first.count; i++)
            assert_int_equal(list.first.items[i].index, items[i].index);
        toplist_fini(&list);
        assert_int_equal(vmem_bytes(&account), 0);
    }
}

static void few_of_many_take_no_memory_for_the_others(void **state) {
    (void)state;
    struct toplist list;
    assert_int_equal(toplist_init(&list, &account, 1000000, 10, NULL, NULL), STATUS_OK);
    assert_in_range(vmem_bytes(&account), 1, 65536);
    toplist_fini(&list);
}

static status make_once(void *context) {
    struct toplist list;
    status result = toplist_init(&list, &account, 100, *(size_t *)context, NULL, NULL);
    toplist_fini(&list);
    return result;
}

static void without_memory_there_is_no_list(void **state) {
    (void)state;
    for (size_t most = 0; most <= 100; most += 50)
        assert_in_range(support_sweep(&account, make_once, &most), 1, 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_few_are_those_of_all_in_order),
        cmocka_unit_test(few_of_many_take_no_memory_for_the_others),
        cmocka_unit_test(without_memory_there_is_no_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
