/* The index behind names, sites and nodes: finds each id by its content, and nothing else. */
#include "support.h"

#include "idtable.h"

enum { CONTENTS = 5000 };

static struct vmem account;

/* The content of id i is contents[i]; how it is hashed is up to each test. */
static uint64_t contents[CONTENTS + 1];

static uint64_t by_content(const void *owner, uint32_t id) { return hash_mix(((const uint64_t *)owner)[id]); }
static uint64_t all_alike(const void *owner, uint32_t id) {
    (void)owner;
    (void)id;
    return 12345;
}

static uint32_t look_up(const struct idtable *table, uint64_t hash, uint64_t content, size_t *slot) {
    uint32_t id;
    for (*slot = idtable_first(table, hash); (id = idtable_at(table, *slot)) != 0;
         *slot = idtable_next(table, *slot)) {
        if (contents[id] == content)
            return id;
    }
    return 0;
}

static bool check(const struct idtable *table, idtable_hash hash, uint32_t count) {
    size_t used = 0, slot;
    for (size_t i = 0; i < table->size; i++)
        used += idtable_at(table, i) != 0;
    for (uint32_t id = 1; id <= count; id++) {
        if (look_up(table, hash(contents, id), contents[id], &slot) != id)
            return false;
    }
    return used == count && table->count == count && count * 4 <= table->size * 3;
}

static status fill(idtable_hash hash, uint32_t count, uint32_t check_every) {
    struct idtable table;
    status result = idtable_init(&table, &account);
    if (result != STATUS_OK)
        return result;
    uint32_t id;
    for (id = 1; id <= count; id++) {
        size_t slot;
        if ((result = idtable_reserve(&table, hash, contents)) != STATUS_OK)
            break;
        assert_int_equal(look_up(&table, hash(contents, id), contents[id], &slot), 0);
        idtable_put(&table, slot, id);
        if (id % check_every == 0)
            assert_true(check(&table, hash, id));
    }
    assert_true(check(&table, hash, id - 1)); /* after a failure as well */
    idtable_fini(&table);
    assert_null(table.slots);
    idtable_fini(&table);
    return result;
}

static void every_id_is_found_by_its_content(void **state) {
    (void)state;
    assert_int_equal(fill(by_content, 200, 1), STATUS_OK);
    assert_int_equal(fill(by_content, CONTENTS, 997), STATUS_OK);
    assert_int_equal(vmem_bytes(&account), 0);
}

static status add(idtable_hash hash, uint32_t count) {
    struct idtable table;
    status result = idtable_init(&table, &account);
    if (result != STATUS_OK)
        return result;
    uint32_t id = 1;
    while (id <= count && (result = idtable_add(&table, hash, contents, id)) == STATUS_OK)
        id++;
    assert_true(check(&table, hash, id - 1)); /* after a failure as well */
    idtable_fini(&table);
    return result;
}

static void ids_known_to_be_new_need_no_search(void **state) {
    (void)state;
    assert_int_equal(add(by_content, CONTENTS), STATUS_OK);
    assert_int_equal(add(all_alike, 300), STATUS_OK);
    assert_int_equal(vmem_bytes(&account), 0);
}

static uint64_t by_remainder(const void *owner, uint32_t id) {
    return hash_mix(((const uint64_t *)owner)[id % CONTENTS]);
}

/* Where an id is, or would go. */
static size_t place_of(const struct idtable *table, uint32_t id) {
    size_t slot = idtable_first(table, by_remainder(contents, id));
    while (idtable_at(table, slot) != id && idtable_at(table, slot) != 0)
        slot = idtable_next(table, slot);
    return slot;
}

/* Ids 1, 2, ... and then, from `jump` of them on, such as need four bytes. */
static uint32_t id_number(uint32_t i, uint32_t jump) { return i < jump ? 1 + i : 1 + i + 16 * CONTENTS; }

static status fill_narrow(uint32_t count, uint32_t jump) {
    struct idtable table;
    status result = idtable_init_narrow(&table, &account);
    if (result != STATUS_OK)
        return result;
    uint32_t put = 0;
    for (; put < count; put++) {
        const uint32_t id = id_number(put, jump);
        if ((result = idtable_reserve_id(&table, by_remainder, contents, id)) != STATUS_OK)
            break;
        assert_true(table.is_narrow == (id <= NARROW_MOST));
        assert_int_equal(idtable_at(&table, place_of(&table, id)), 0);
        idtable_put(&table, place_of(&table, id), id);
    }
    for (uint32_t i = 0; i < put; i++) { /* after a failure as well */
        const uint32_t id = id_number(i, jump);
        assert_int_equal(idtable_at(&table, place_of(&table, id)), id);
    }
    assert_int_equal(table.count, put);
    idtable_clear(&table);
    assert_int_equal(idtable_at(&table, 0), 0);
    idtable_fini(&table);
    return result;
}

static void a_narrow_table_widens_for_an_id_that_needs_it(void **state) {
    (void)state;
    const uint32_t jumps[] = {0, 1, 30, 3000, CONTENTS};
    for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++)
        assert_int_equal(fill_narrow(CONTENTS, jumps[i]), STATUS_OK);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void contents_that_all_hash_alike_are_told_apart(void **state) {
    (void)state;
    assert_int_equal(fill(all_alike, 300, 50), STATUS_OK);
}

static status grow_to_the_end(void *context) {
    (void)context;
    status result = fill(by_content, 2000, 1000);
    if (result == STATUS_OK)
        result = fill_narrow(1500, 700);
    return result == STATUS_OK ? add(by_content, 2000) : result;
}

static void every_request_may_fail(void **state) {
    (void)state;
    assert_true(support_sweep(&account, grow_to_the_end, NULL) >= 4);
}

static int prepare(void **state) {
    (void)state;
    uint64_t random = 3;
    for (uint32_t id = 1; id <= CONTENTS; id++)
        contents[id] = support_random(&random);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_id_is_found_by_its_content),
        cmocka_unit_test(ids_known_to_be_new_need_no_search),
        cmocka_unit_test(a_narrow_table_widens_for_an_id_that_needs_it),
        cmocka_unit_test(contents_that_all_hash_alike_are_told_apart),
        cmocka_unit_test(every_request_may_fail),
    };
    return cmocka_run_group_tests(tests, prepare, NULL);
}
