/* Sorting beside a naive model: few and many things, ties, and the first few of many. */
#include "support.h"

#include "sort.h"

enum { MOST = 3000 };

/* By the parity of the index, odd ones first; else as they stand. */
static int odd_first(const void *owner, uint64_t a, uint64_t b) {
    (void)owner;
    return (int)(b & 1) - (int)(a & 1);
}

static bool is_before(struct sort_item a, struct sort_item b, sort_order order) {
    if (a.rank != b.rank)
        return a.rank > b.rank;
    int here = order == NULL ? 0 : order(NULL, a.index, b.index);
    return here != 0 ? here < 0 : a.index < b.index;
}

static size_t fill(struct sort_item *items, uint64_t *random, size_t most) {
    size_t count = support_below(random, (uint32_t)most);
    int shift = (int)support_below(random, 60), kept = 1 + (int)support_below(random, 20);
    for (size_t i = 0; i < count; i++)
        items[i] = (struct sort_item){(uint64_t)support_below(random, 1u << kept) << shift, i};
    return count;
}

static void assert_in_order(const struct sort_item *items, size_t count, sort_order order) {
    for (size_t i = 1; i < count; i++)
        assert_true(is_before(items[i - 1], items[i], order));
}

static void what_is_sorted_descends_and_ties_are_stable(void **state) {
    (void)state;
    static struct sort_item items[MOST], spare[MOST];
    uint64_t random = 3;
    for (int round = 0; round < 300; round++) {
        sort_order order = round % 2 ? odd_first : NULL;
        size_t count = fill(items, &random, round % 3 == 0 ? 40 : MOST);
        sort_items(items, spare, count, order, NULL);
        assert_in_order(items, count, order);
    }
}

static void the_first_of_many_are_those_of_all_in_order_and_nothing_is_lost(void **state) {
    (void)state;
    static struct sort_item items[MOST], spare[MOST], all[MOST];
    uint64_t random = 4;
    for (int round = 0; round < 300; round++) {
        static uint8_t seen[MOST];
        sort_order order = round % 2 ? odd_first : NULL;
        size_t count = fill(items, &random, MOST), most = support_below(&random, round % 3 ? 20 : MOST);
        memcpy(all, items, sizeof all);
        memset(seen, 0, sizeof seen);
        sort_items(all, spare, count, order, NULL);
        sort_top(items, spare, count, most, order, NULL);
        for (size_t i = 0; i < count; i++) {
            assert_true(i >= most || items[i].index == all[i].index);
            assert_int_equal(seen[items[i].index]++, 0);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sorted_descends_and_ties_are_stable),
        cmocka_unit_test(the_first_of_many_are_those_of_all_in_order_and_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
