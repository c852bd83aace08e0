/* Records of small blocks, four bytes each: where a block's slot is, when a page learns and forgets its
 * stride, and which blocks it refuses: against a plain list. */
#include "support.h"

#include "addrmap.h"
#include "scale.h"

enum { PAGE_BYTES = 1 << PAGE_SHIFT };

static struct vmem account;

static const uintptr_t a_page = 0x7F1234560000u;

static uint32_t *learn(struct addrmap *map, uintptr_t address, size_t size) {
    uint32_t *slot = NULL;
    assert_int_equal(addrmap_learn(map, address, size, &slot), STATUS_OK);
    return slot;
}

static uint32_t *slot_of(const struct addrmap *map, uintptr_t address) {
    const struct page *page = addrmap_page(map, address);
    return page != NULL ? page_slot(page, address) : NULL;
}

static uint32_t *fit(const struct addrmap *map, uintptr_t address, size_t size) {
    uint32_t unused;
    uint32_t *slot = addrmap_fit(map, address, size, &unused);
    if (slot != NULL)
        assert_int_equal(unused, -size % 16);
    return slot;
}

/* Where the slot of an address must be, by division; -1: it has none. `offset`: where the first block was
 * seen. */
static int plain_slot(uint32_t within, uint32_t offset, uint32_t stride) {
    uint32_t base = offset % stride;
    return within >= base && (within - base) % stride == 0 ? (int)((within - base) / stride) : -1;
}

static void every_stride_at_every_offset_knows_every_address(void **state) {
    (void)state;
    uint32_t slots[PAGE_BYTES / 16 + 2];
    for (uint32_t stride = 16; stride <= STRIDE_MOST; stride += 16) {
        for (uint32_t offset = 0; offset < stride; offset += 16) {
            struct page page = {slots, (uint32_t)(((UINT64_C(1) << 32) + stride - 1) / stride),
                                (uint16_t)stride, (uint16_t)offset};
            for (uint32_t within = 0; within < PAGE_BYTES; within++) {
                int i = plain_slot(within, offset, stride);
                const uint32_t *slot = page_slot(&page, a_page + within);
                if (slot != (i >= 0 ? &slots[i] : NULL))
                    fail_msg("stride %u, offset %u, address %u", stride, offset, within);
            }
        }
    }
}

/* The same through the map itself, which computes the page's numbers: each page learns at another granule. */
static void a_page_learns_its_stride_wherever_its_first_block_lies(void **state) {
    (void)state;
    struct addrmap map;
    assert_int_equal(addrmap_init(&map, &account), STATUS_OK);
    uintptr_t start = a_page;
    for (uint32_t stride = 16; stride <= STRIDE_MOST; stride += 16) {
        for (uint32_t offset = 0; offset < PAGE_BYTES; offset += 16 + stride % 144, start += PAGE_BYTES) {
            uint32_t *slot = learn(&map, start + offset, stride - offset / 16 % 16);
            assert_non_null(slot);
            *slot = 1;
            const struct page *page = addrmap_page(&map, start);
            assert_int_equal(page->stride, stride);
            for (uint32_t within = 0; within < PAGE_BYTES; within += 16) {
                int i = plain_slot(within, offset, stride);
                assert_ptr_equal(slot_of(&map, start + within), i >= 0 ? &page->slots[i] : NULL);
            }
            assert_int_equal(*slot_of(&map, start + offset), 1);
        }
    }
    assert_true(addrmap_check(&map));
    addrmap_fini(&map);
    assert_int_equal(vmem_bytes(&account), 0);
}

static void a_slot_gives_back_the_tally_and_every_size(void **state) {
    (void)state;
    struct addrmap map;
    assert_int_equal(addrmap_init(&map, &account), STATUS_OK);
    for (uint32_t size = 1; size <= STRIDE_MOST; size++) {
        uintptr_t address = a_page + (uintptr_t)size * PAGE_BYTES;
        uint32_t tallies[] = {1, size, TALLY_MASK}, *slot = learn(&map, address, size);
        assert_ptr_equal(fit(&map, address, size), slot);
        for (size_t i = 0; i < 3; i++) {
            *slot = slot_make(tallies[i], (uint32_t) - (size)&15);
            assert_int_not_equal(*slot, 0);
            assert_int_equal(slot_tally(*slot), tallies[i]);
            assert_int_equal(slot_size(addrmap_page(&map, address)->stride, *slot), size);
            *slot = slot_with_tally(*slot, TALLY_MASK - 1);
            assert_int_equal(slot_tally(*slot), TALLY_MASK - 1);
            assert_int_equal(slot_size(addrmap_page(&map, address)->stride, *slot), size);
        }
    }
    addrmap_fini(&map);
}

static void what_does_not_fit_the_pattern_is_refused(void **state) {
    (void)state;
    struct addrmap map;
    assert_int_equal(addrmap_init(&map, &account), STATUS_OK);
    assert_null(learn(&map, a_page, 0));
    assert_null(learn(&map, a_page, STRIDE_MOST + 1));
    assert_null(learn(&map, a_page, SIZE_MAX));
    for (uint32_t odd = 1; odd < 16; odd++)
        assert_null(learn(&map, a_page + odd, 32));
    assert_int_equal(addrmap_page(&map, a_page)->stride, 0); /* nothing was learned from them */
    *learn(&map, a_page + 48, 32) = 1;
    assert_null(learn(&map, a_page + 64, 32)); /* between two blocks of the pattern */
    assert_null(learn(&map, a_page + 80, 48));
    assert_null(fit(&map, a_page + 80, 48));
    assert_null(fit(&map, a_page + 80, 0));
    assert_null(fit(&map, a_page + 80, SIZE_MAX)); /* rounds up to 0 */
    assert_null(fit(&map, a_page + PAGE_BYTES, 0));
    assert_non_null(fit(&map, a_page + 80, 17));
    assert_null(fit(&map, a_page + 80, 16));
    addrmap_fini(&map);
}

static bool may_refuse(const struct addrmap *map, uintptr_t address) {
    return addrmap_may_refuse(map, address);
}

static void a_page_knows_whether_it_has_strangers(void **state) {
    (void)state;
    struct addrmap map;
    assert_int_equal(addrmap_init(&map, &account), STATUS_OK);
    assert_false(may_refuse(&map, a_page));
    assert_null(learn(&map, a_page, 600));
    assert_true(may_refuse(&map, a_page + PAGE_BYTES - 1));
    assert_false(may_refuse(&map, a_page + PAGE_BYTES)); /* the next page */
    *learn(&map, a_page + 48, 32) = 1;
    assert_true(may_refuse(&map, a_page)); /* having learned a stride, it still does */
    uintptr_t other = a_page + PAGE_BYTES;
    uint32_t *slot = learn(&map, other, 32);
    *slot = 1;
    assert_false(may_refuse(&map, other));
    assert_null(learn(&map, other + 64, 48)); /* in use with another stride */
    assert_true(may_refuse(&map, other));
    *slot = 0;
    for (uint32_t i = 0; addrmap_page(&map, other)->stride == 32; i++) {
        assert_true(i < 1000);
        (void)learn(&map, other + 48, 48);
    }
    assert_true(may_refuse(&map, other)); /* and with the next one */
    addrmap_fini(&map);
}

static void what_was_known_of_an_object_ends_with_its_page_s_pattern(void **state) {
    (void)state;
    struct addrmap map;
    assert_int_equal(addrmap_init(&map, &account), STATUS_OK);
    uint32_t *slot = learn(&map, a_page, 64);
    for (uintptr_t header = 0; header <= 32; header += 16) {
        uintptr_t object = a_page + header;
        assert_true(addrmap_remember(&map, object, a_page));
        assert_int_equal(addrmap_recent(&map, object)->object, object);
        assert_ptr_equal(addrmap_recent(&map, object)->slot, slot);
        assert_int_equal(addrmap_recent(&map, object)->stride, 64);
        assert_int_equal(addrmap_refuse(&map, a_page), STATUS_OK); /* its record is elsewhere now */
        assert_int_not_equal(addrmap_recent(&map, object)->object, object);
        assert_false(addrmap_remember(&map, object, a_page));
        *slot = slot_make(7, 0);
        assert_true(addrmap_remember(&map, object, a_page)); /* its record is here again */
        *slot = 0;
        addrmap_fini(&map);
        assert_int_equal(addrmap_init(&map, &account), STATUS_OK);
        slot = learn(&map, a_page, 64);
    }
    assert_true(addrmap_remember(&map, a_page, a_page));
    assert_non_null(learn(&map, a_page, 32)); /* empty: another pattern */
    assert_int_not_equal(addrmap_recent(&map, a_page)->object, a_page);
    addrmap_fini(&map);
}

/* An object whose block came before the start: nothing is known of it, and that is known, until it may be otherwise. */
static void a_block_without_a_record_is_remembered_as_one(void **state) {
    (void)state;
    struct addrmap map;
    assert_int_equal(addrmap_init(&map, &account), STATUS_OK);
    const uintptr_t object = a_page + 80, odd = object + 64;
    assert_true(addrmap_remember(&map, object, a_page + 64)); /* no page yet */
    assert_ptr_equal(addrmap_recent(&map, object)->slot, &map.nothing);
    assert_non_null(learn(&map, a_page, 64));
    assert_int_not_equal(addrmap_recent(&map, object)->object, object);
    assert_true(addrmap_remember(&map, odd, a_page + 8)); /* no block of the page's pattern */
    assert_ptr_equal(addrmap_recent(&map, odd)->slot, &map.nothing);
    assert_int_equal(addrmap_recent(&map, odd)->slot[0], 0);
    assert_non_null(learn(&map, a_page + PAGE_BYTES, 64));
    assert_int_not_equal(addrmap_recent(&map, odd)->object, odd);
    assert_true(addrmap_check(&map));
    addrmap_fini(&map);
}

static void a_page_with_one_block_left_keeps_its_pattern(void **state) {
    (void)state;
    struct addrmap map;
    assert_int_equal(addrmap_init(&map, &account), STATUS_OK);
    for (uint32_t stride = 16; stride <= STRIDE_MOST; stride += 16) {
        assert_non_null(learn(&map, a_page, stride));
        for (uintptr_t address = a_page; address < a_page + PAGE_BYTES; address += stride) {
            assert_true(addrmap_remember(&map, address, address));
            *slot_of(&map, address) = slot_make(1, 0);
            addrmap_release(&map, a_page, a_page + PAGE_BYTES);
            assert_int_equal(addrmap_page(&map, a_page)->stride, stride);
            assert_int_equal(addrmap_recent(&map, address)->object, address);
            *slot_of(&map, address) = 0;
        }
        addrmap_release(&map, a_page, a_page + PAGE_BYTES);
        assert_int_equal(addrmap_page(&map, a_page)->stride, 0);
        assert_true(addrmap_check(&map));
        assert_int_equal(map.recent[0].object, 0);
    }
    addrmap_fini(&map);
}

/* Pages of several strides, of which every fourth keeps a block; the others' memory is given back, some of it in use. */
static void slots_move_together_when_memory_goes_back(void **state) {
    (void)state;
    enum { PAGES = SCALED(4000) };
    struct addrmap map;
    assert_int_equal(addrmap_init(&map, &account), STATUS_OK);
    size_t at_first = vmem_bytes(&account);
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < PAGES; i++) {
            uint32_t size = 16 + 16 * (i % 7);
            uint32_t *slot = learn(&map, a_page + (uintptr_t)i * PAGE_BYTES + 48, size);
            assert_non_null(slot);
            if (*slot == 0)
                *slot = slot_make(i + 1, 0);
        }
        size_t full = vmem_bytes(&account);
        assert_true(addrmap_remember(&map, a_page + 48, a_page + 48));
        for (uint32_t i = 0; i < PAGES; i++) {
            if (i % 4 != 0)
                *slot_of(&map, a_page + (uintptr_t)i * PAGE_BYTES + 48) = 0;
        }
        addrmap_release(&map, a_page + 1, a_page + (uintptr_t)PAGES * PAGE_BYTES); /* page 0 in part only */
        assert_true(addrmap_check(&map));
        assert_true(map.slots_spare * 2 <= map.slots_used || map.slots_spare <= 1 << 20);
        assert_int_not_equal(addrmap_recent(&map, a_page + 48)->object, a_page + 48);
        for (uint32_t i = 0; i < PAGES; i++) {
            const uint32_t *slot = slot_of(&map, a_page + (uintptr_t)i * PAGE_BYTES + 48);
            assert_int_equal(slot != NULL ? slot_tally(*slot) : 0, i % 4 == 0 ? i + 1 : 0);
        }
        assert_true(vmem_bytes(&account) <= full);
    }
    for (uint32_t i = 0; i < PAGES; i++) {
        uint32_t *slot = slot_of(&map, a_page + (uintptr_t)i * PAGE_BYTES + 48);
        if (slot != NULL)
            *slot = 0;
    }
    addrmap_release(&map, a_page, a_page + (uintptr_t)PAGES * PAGE_BYTES);
    assert_true(vmem_bytes(&account) <= at_first + ((size_t)2 << 20));
    assert_int_equal(map.slots_used - map.slots_spare, 0);
    addrmap_fini(&map);
}

static void addresses_beyond_48_bits_belong_to_the_bigmap(void **state) {
    (void)state;
    struct addrmap map;
    assert_int_equal(addrmap_init(&map, &account), STATUS_OK);
    static const uintptr_t beyond[] = {(uintptr_t)1 << 48, ((uintptr_t)1 << 48) + 4096, (uintptr_t)1 << 56,
                                       UINTPTR_MAX - 15};
    static const uintptr_t within[] = {16, (uintptr_t)1 << 47, ((uintptr_t)1 << 48) - 32,
                                       ((uintptr_t)1 << 47) - 32};
    for (size_t i = 0; i < 4; i++) {
        *learn(&map, within[i], 32) = 7;
        assert_null(learn(&map, beyond[i], 32));
        assert_null(addrmap_page(&map, beyond[i]));
        assert_null(fit(&map, beyond[i], 32));
    }
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(*slot_of(&map, within[i]), 7);
    assert_true(addrmap_check(&map));
    addrmap_fini(&map);
}

static void an_empty_page_learns_another_stride_a_used_one_does_not(void **state) {
    (void)state;
    struct addrmap map;
    assert_int_equal(addrmap_init(&map, &account), STATUS_OK);
    for (uint32_t stride = 16; stride <= STRIDE_MOST; stride += 16) {
        uint32_t *slot = learn(&map, a_page + 16, stride);
        assert_non_null(slot);
        assert_int_equal(addrmap_page(&map, a_page)->stride, stride);
        uint32_t count = (PAGE_BYTES - 16 % stride + stride - 1) / stride;
        for (uint32_t i = 0; i < count; i++)
            assert_int_equal(addrmap_page(&map, a_page)->slots[i],
                             0); /* nothing is left of the page before */
        *slot = slot_make(3, (uint32_t) - (stride)&15);
        assert_null(learn(&map, a_page + 16, stride == STRIDE_MOST ? 16 : stride + 16));
        *slot = 0;
        /* After that refusal it looks again once in a while only. */
        size_t tries = 1;
        while (learn(&map, a_page + 16, stride == STRIDE_MOST ? 16 : stride + 16) == NULL)
            assert_true(++tries < 100);
    }
    assert_true(addrmap_check(&map));
    addrmap_fini(&map);
}

static void slots_given_back_are_used_again(void **state) {
    (void)state;
    struct addrmap map;
    size_t used = 0;
    assert_int_equal(addrmap_init(&map, &account), STATUS_OK);
    for (int round = 0; round < 200; round++) {
        for (uintptr_t page = 0; page < 8; page++) {
            uint32_t stride = 16 + 16 * ((uint32_t)(round + (int)page) % 4), tries = 0;
            uint32_t *slot;
            while ((slot = learn(&map, a_page + page * PAGE_BYTES, stride)) == NULL)
                assert_true(++tries < 100);
            assert_int_equal(*slot, 0);
        }
        assert_true(addrmap_check(&map));
        if (round == 20)
            used = map.slots_used;
        assert_true(round < 20 || map.slots_used == used);
    }
    addrmap_fini(&map);
}

/* --- random blocks against a list ---------------------------------------------------------------------- */

enum { BLOCKS = 3000, STEPS = 200000 };

struct block {
    uintptr_t address;
    uint32_t tally;
    uint16_t size;
    bool kept; /* in the map; else it would be in the bigmap */
};

static struct block blocks[BLOCKS];
static uint32_t block_count;

struct seen {
    const struct addrmap *map;
    size_t slots;
};

static status count_slots(void *context, uintptr_t start, const struct page *page, uint32_t count) {
    struct seen *seen = context;
    for (uint32_t i = 0; i < count; i++) {
        uintptr_t address = start + page->base + (uintptr_t)i * page->stride;
        assert_true(address < start + PAGE_BYTES);
        seen->slots += page->slots[i] != 0;
        assert_ptr_equal(slot_of(seen->map, address), &page->slots[i]);
    }
    return STATUS_OK;
}

static void assert_as_model(const struct addrmap *map) {
    size_t kept = 0;
    struct seen seen = {map, 0};
    for (uint32_t i = 0; i < block_count; i++) {
        if (!blocks[i].kept)
            continue;
        const uint32_t *slot = slot_of(map, blocks[i].address);
        assert_non_null(slot);
        assert_int_equal(slot_tally(*slot), blocks[i].tally);
        assert_int_equal(slot_size(addrmap_page(map, blocks[i].address)->stride, *slot), blocks[i].size);
        kept++;
    }
    assert_true(addrmap_check(map));
    assert_int_equal(addrmap_each(map, count_slots, &seen), STATUS_OK);
    assert_int_equal(seen.slots, kept);
}

/* Pages of one class and of many; a few tables far from each other. */
static struct block random_block(uint64_t *random) {
    static const uintptr_t tables[] = {0, 0x7F1234560000u, (uintptr_t)1 << 47,
                                       ((uintptr_t)1 << 48) - (8u << PAGE_SHIFT)};
    struct block block = {tables[support_below(random, 4)], 1 + support_below(random, TALLY_MASK), 0, false};
    uint32_t page = support_below(random, 8);
    block.address += (uintptr_t)page << PAGE_SHIFT;
    uint32_t stride = page < 5 ? 16 * (1 + page * 7) : 16 * (1 + support_below(random, 32));
    block.size = (uint16_t)(stride - support_below(random, 16));
    uint32_t offset = page < 6 ? support_below(random, PAGE_BYTES / stride) * stride
                               : support_below(random, 1024) * 16;
    block.address += offset + (support_below(random, 50) == 0 ? 8 : 0);
    return block;
}

static uint32_t block_at(uintptr_t address) {
    uint32_t i = 0;
    while (i < block_count && blocks[i].address != address)
        i++;
    return i;
}

static void end_block(struct addrmap *map, uint32_t i) {
    if (blocks[i].kept)
        *slot_of(map, blocks[i].address) = 0;
    blocks[i] = blocks[--block_count];
}

static void blocks_of_all_kinds_are_as_in_a_list(void **state) {
    (void)state;
    struct addrmap map;
    uint64_t random = 51;
    uint32_t most = BLOCKS, kept = 0, refused = 0;
    block_count = 0;
    assert_int_equal(addrmap_init(&map, &account), STATUS_OK);
    for (int step = 0; step < STEPS; step++) {
        if (step % 5000 == 0)
            most = step % 20000 == 0 ? 0 : support_below(&random, BLOCKS); /* now and then it gets empty */
        if (block_count < most && support_below(&random, 3) != 0) {
            struct block block = random_block(&random);
            if (block_at(block.address) != block_count)
                continue;
            uint32_t *slot = learn(&map, block.address, block.size);
            block.kept = slot != NULL;
            if (slot != NULL) {
                assert_int_equal(*slot, 0);
                *slot = slot_make(block.tally, (uint32_t) - (block.size) & 15);
            }
            kept += slot != NULL;
            refused += slot == NULL;
            blocks[block_count++] = block;
        } else if (block_count != 0) {
            end_block(&map, support_below(&random, block_count));
        }
        if (step % 1024 == 0)
            assert_as_model(&map);
    }
    assert_as_model(&map);
    assert_true(kept > 10000 && refused > 1000); /* both happen */
    addrmap_fini(&map);
    addrmap_fini(&map);
    assert_int_equal(vmem_bytes(&account), 0);
}

/* --- memory -------------------------------------------------------------------------------------------- */

/* Entries of pages are 16 bytes: 4 KiB of them are for 4 MiB of addresses, 64 KiB for 64 MiB. */
static void what_is_touched_is_counted_in_pages_of_the_system(void **state) {
    (void)state;
    static const size_t pages[] = {4096, 16384, 65536};
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        struct addrmap map;
        uintptr_t covers = (uintptr_t)(pages[i] / sizeof(struct page)) << PAGE_SHIFT;
        uintptr_t start = a_page / covers * covers;
        support_page = pages[i];
        assert_int_equal(addrmap_init(&map, &account), STATUS_OK);
        assert_int_equal(addrmap_refuse(&map, start), STATUS_OK);
        size_t before = vmem_bytes(&account);
        for (uintptr_t address = start; address < start + covers; address += PAGE_BYTES * 50)
            assert_int_equal(addrmap_refuse(&map, address), STATUS_OK);
        assert_int_equal(vmem_bytes(&account), before);
        assert_int_equal(addrmap_refuse(&map, start + covers), STATUS_OK);
        assert_int_equal(vmem_bytes(&account), before + pages[i]);
        addrmap_fini(&map);
        assert_int_equal(vmem_bytes(&account), 0);
    }
    support_page = 0;
}

/* --- faults -------------------------------------------------------------------------------------------- */

static status stop_at_once(void *context, uintptr_t start, const struct page *page, uint32_t count) {
    (void)page;
    (void)count;
    *(uintptr_t *)context = start;
    return STATUS_FULL;
}

static void a_visitor_can_end_the_walk(void **state) {
    (void)state;
    struct addrmap map;
    uintptr_t visited = 0;
    assert_int_equal(addrmap_init(&map, &account), STATUS_OK);
    assert_int_equal(addrmap_each(&map, stop_at_once, &visited), STATUS_OK);
    learn(&map, a_page + 32, 16);
    learn(&map, a_page + PAGE_BYTES, 16);
    assert_int_equal(addrmap_each(&map, stop_at_once, &visited), STATUS_FULL);
    assert_int_equal(visited, a_page);
    addrmap_fini(&map);
}

static status learn_many(void *context) {
    (void)context;
    struct addrmap map;
    status result = addrmap_init(&map, &account);
    if (result != STATUS_OK)
        return result;
    size_t kept = 0;
    for (uint32_t i = 0; i < 300 && result == STATUS_OK; i++) {
        uintptr_t address = ((uintptr_t)(i % 5) << TABLE_SHIFT) + ((uintptr_t)i << PAGE_SHIFT);
        uint32_t *slot = NULL;
        if ((result = addrmap_learn(&map, address, 16 + i % 7, &slot)) == STATUS_OK) {
            *slot = slot_make(1, (uint32_t) - (16 + i % 7) & 15);
            kept++;
        } else {
            assert_null(slot);
        }
    }
    struct seen seen = {&map, 0};
    assert_int_equal(addrmap_each(&map, count_slots, &seen), STATUS_OK);
    assert_int_equal(seen.slots, kept);
    assert_true(addrmap_check(&map));
    addrmap_fini(&map);
    return result;
}

static void every_request_may_fail(void **state) {
    (void)state;
    assert_true(support_sweep(&account, learn_many, NULL) >= 12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_stride_at_every_offset_knows_every_address),
        cmocka_unit_test(a_page_learns_its_stride_wherever_its_first_block_lies),
        cmocka_unit_test(a_slot_gives_back_the_tally_and_every_size),
        cmocka_unit_test(what_does_not_fit_the_pattern_is_refused),
        cmocka_unit_test(a_page_knows_whether_it_has_strangers),
        cmocka_unit_test(what_was_known_of_an_object_ends_with_its_page_s_pattern),
        cmocka_unit_test(a_block_without_a_record_is_remembered_as_one),
        cmocka_unit_test(a_page_with_one_block_left_keeps_its_pattern),
        cmocka_unit_test(slots_move_together_when_memory_goes_back),
        cmocka_unit_test(what_is_touched_is_counted_in_pages_of_the_system),
        cmocka_unit_test(addresses_beyond_48_bits_belong_to_the_bigmap),
        cmocka_unit_test(an_empty_page_learns_another_stride_a_used_one_does_not),
        cmocka_unit_test(slots_given_back_are_used_again),
        cmocka_unit_test(blocks_of_all_kinds_are_as_in_a_list),
        cmocka_unit_test(a_visitor_can_end_the_walk),
        cmocka_unit_test(every_request_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
