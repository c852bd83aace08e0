/* A thread's last stack: one table a thread, frames at their places, tables that grow and are forgotten. */
#include "support.h"

#include "mirror.h"

static struct vmem account;

static const void *thread_at(uint32_t i) { return (const void *)(0x7F0000000010u + (uintptr_t)i * 0x130); }
static const void *frame_at(uintptr_t i) { return (const void *)(0x7F5500000000u + i * 64); }

/* The current thread's entry of a frame, written in full. */
static void write_entry(struct mirrors *mirrors, const void *frame, uint32_t value) {
    struct mirror_entry *entry = mirror_entry(mirrors, frame);
    *entry = (struct mirror_entry){.frame = frame,
                                   .instr = value,
                                   .key = value + 1,
                                   .parent = value + 2,
                                   .tally = value + 3,
                                   .depth = value + 4,
                                   .generation = value + 5};
}

static bool has_entry(const struct mirrors *mirrors, const void *frame, uint32_t value) {
    const struct mirror_entry *entry = mirror_entry(mirrors, frame);
    return entry->frame == frame && entry->instr == value && entry->key == value + 1 &&
           entry->parent == value + 2 && entry->tally == value + 3 && entry->depth == value + 4 &&
           entry->generation == value + 5;
}

static void an_entry_is_one_cache_line(void **state) {
    (void)state;
    assert_int_equal(sizeof(struct mirror_entry), 64);
}

static void neighbouring_frames_have_entries_of_their_own(void **state) {
    (void)state;
    struct mirrors mirrors;
    assert_int_equal(mirrors_init(&mirrors, &account), STATUS_OK);
    assert_int_equal(mirrors_switch(&mirrors, thread_at(1)), STATUS_OK);
    uintptr_t slots = mirrors.current->slots;
    for (uintptr_t i = 0; i < slots; i++)
        write_entry(&mirrors, frame_at(i), (uint32_t)i * 10);
    for (uintptr_t i = 0; i < slots; i++)
        assert_true(has_entry(&mirrors, frame_at(i), (uint32_t)i * 10));
    /* Frames lie 8-aligned: whatever the addresses, two entries are one or do not touch. */
    for (uintptr_t a = 0; a < 300; a++) {
        for (uintptr_t b = 0; b < 300; b++) {
            const char *p = (const char *)mirror_entry(&mirrors, (const char *)frame_at(0) + a * 8);
            const char *q = (const char *)mirror_entry(&mirrors, (const char *)frame_at(0) + b * 8);
            assert_true(p == q || p + sizeof(struct mirror_entry) <= q ||
                        q + sizeof(struct mirror_entry) <= p);
            assert_true(p >= (char *)mirrors.entries);
            assert_true(p + sizeof(struct mirror_entry) <= (char *)(mirrors.entries + slots));
        }
    }
    mirrors_fini(&mirrors);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void no_frame_has_no_entry(void **state) {
    (void)state;
    struct mirrors mirrors;
    assert_int_equal(mirrors_init(&mirrors, &account), STATUS_OK);
    assert_int_equal(mirrors_switch(&mirrors, thread_at(1)), STATUS_OK);
    assert_ptr_not_equal(mirror_entry(&mirrors, NULL)->frame, NULL);
    mirror_grow(&mirrors, 1000);
    assert_ptr_not_equal(mirror_entry(&mirrors, NULL)->frame, NULL);
    mirrors_fini(&mirrors);
    mirrors_fini(&mirrors);
}

static void each_thread_has_its_own_table(void **state) {
    (void)state;
    enum { THREADS = 60 };
    struct mirrors mirrors;
    uint64_t random = 61;
    bool tiny = SIZED(false, true);
    uint32_t threads = tiny ? 4 : THREADS;
    assert_int_equal(mirrors_init(&mirrors, &account), STATUS_OK);
    for (uint32_t i = 0; i < threads; i++) {
        assert_int_equal(mirrors_switch(&mirrors, thread_at(i)), STATUS_OK);
        write_entry(&mirrors, frame_at(5), i * 100);
    }
    for (int round = 0; round < 1000; round++) {
        uint32_t i = support_below(&random, threads);
        assert_int_equal(mirrors_switch(&mirrors, thread_at(i)), STATUS_OK);
        assert_ptr_equal(mirrors.current->thread, thread_at(i));
        assert_ptr_equal(mirrors.current->entries, mirrors.entries);
        assert_true(has_entry(&mirrors, frame_at(5), i * 100));
    }
    assert_int_equal(mirrors.count, threads);
    mirrors_fini(&mirrors);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void thousands_of_dead_threads_do_not_fill_the_memory(void **state) {
    (void)state;
    struct mirrors mirrors;
    size_t most = 0;
    assert_int_equal(mirrors_init(&mirrors, &account), STATUS_OK);
    for (uint32_t i = 0; i < 10000; i++) {
        assert_int_equal(mirrors_switch(&mirrors, thread_at(i)), STATUS_OK);
        /* A table made anew knows no frames. */
        assert_ptr_not_equal(mirror_entry(&mirrors, frame_at(3))->frame, frame_at(3));
        write_entry(&mirrors, frame_at(3), i);
        if (vmem_bytes(&account) > most)
            most = vmem_bytes(&account);
    }
    assert_true(most < (size_t)4100 * 80 * 1024);
    assert_true(mirrors.count <= 4096);
    mirrors_fini(&mirrors);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void a_deep_stack_gets_room_and_keeps_its_entries(void **state) {
    (void)state;
    struct mirrors mirrors;
    assert_int_equal(mirrors_init(&mirrors, &account), STATUS_OK);
    assert_int_equal(mirrors_switch(&mirrors, thread_at(1)), STATUS_OK);
    write_entry(&mirrors, frame_at(0), 42);
    write_entry(&mirrors, frame_at(1), 43);
    for (uint32_t depth = 2; depth < 70000; depth = depth * 3 / 2 + 1) {
        if (mirror_is_deep(&mirrors, depth))
            mirror_grow(&mirrors, depth);
        assert_false(mirror_is_deep(&mirrors, depth));
        assert_true(mirrors.current->slots >= (size_t)depth * 4);
        assert_true(has_entry(&mirrors, frame_at(0), 42));
        assert_true(has_entry(&mirrors, frame_at(1), 43));
        write_entry(&mirrors, frame_at(depth), depth);
        assert_true(has_entry(&mirrors, frame_at(depth), depth));
    }
    mirror_grow(&mirrors, UINT32_MAX); /* there is an end to it */
    assert_true(mirrors.current->slots <= (size_t)1 << 20);
    assert_int_equal(mirrors_switch(&mirrors, thread_at(2)), STATUS_OK);
    write_entry(&mirrors, frame_at(0), 44);
    for (int i = 0; i < 40; i++)
        mirror_widen(&mirrors);
    assert_true(mirrors.current->slots <= (size_t)1 << 14);
    assert_true(has_entry(&mirrors, frame_at(0), 44));
    assert_int_equal(mirrors_switch(&mirrors, thread_at(1)), STATUS_OK);
    assert_true(has_entry(&mirrors, frame_at(0), 42));
    mirrors_fini(&mirrors);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void without_memory_a_table_stays_as_it_is(void **state) {
    (void)state;
    struct mirrors mirrors;
    assert_int_equal(mirrors_init(&mirrors, &account), STATUS_OK);
    assert_int_equal(mirrors_switch(&mirrors, thread_at(1)), STATUS_OK);
    write_entry(&mirrors, frame_at(0), 42);
    size_t slots = mirrors.current->slots;
    support_fail_at = 1;
    support_fail_on = true;
    support_calls = 0;
    mirror_grow(&mirrors, 100000);
    assert_int_equal(mirrors_switch(&mirrors, thread_at(2)), STATUS_NOMEM);
    assert_int_equal(mirrors_switch(&mirrors, thread_at(1)), STATUS_OK); /* needs none */
    support_fail_at = 0;
    assert_int_equal(mirrors.current->slots, slots);
    assert_true(has_entry(&mirrors, frame_at(0), 42));
    mirrors_fini(&mirrors);
    assert_int_equal(vmem_bytes(&account), 0);
}

static status switch_many(void *context) {
    (void)context;
    struct mirrors mirrors;
    status result = mirrors_init(&mirrors, &account);
    for (uint32_t i = 0; i < 40 && result == STATUS_OK; i++) {
        result = mirrors_switch(&mirrors, thread_at(i));
        if (result == STATUS_OK) {
            write_entry(&mirrors, frame_at(i), i);
            assert_true(has_entry(&mirrors, frame_at(i), i));
        }
    }
    mirrors_fini(&mirrors);
    return result;
}

static void every_request_may_fail(void **state) {
    (void)state;
    assert_true(support_sweep(&account, switch_many, NULL) >= 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_is_one_cache_line),
        cmocka_unit_test(neighbouring_frames_have_entries_of_their_own),
        cmocka_unit_test(no_frame_has_no_entry),
        cmocka_unit_test(each_thread_has_its_own_table),
        cmocka_unit_test(thousands_of_dead_threads_do_not_fill_the_memory),
        cmocka_unit_test(a_deep_stack_gets_room_and_keeps_its_entries),
        cmocka_unit_test(without_memory_a_table_stays_as_it_is),
        cmocka_unit_test(every_request_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
