/* distinct: see distinct.h. Records that all have hashes of their own are distinct, which is quickly seen; otherwise
 * they are sorted by radix. Strings are merged. Both stably, so of two equal items the earlier one stands before the
 * later. One thread. */
#include "distinct.h"

#include <string.h>

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS, DIGIT_STEPS = (32 + DIGIT_BITS - 1) / DIGIT_BITS };

/* The items' numbers, and room to sort them. */
struct orders {
    struct vmem *account;
    uint32_t *now, *next; /* owned: two halves of one table */
    uint32_t *both;
    uint32_t count;
};

static status orders_init(struct orders *orders, struct vmem *account, uint32_t count) {
    *orders = (struct orders){.account = account, .count = count};
    orders->both = vmem_map(account, 2 * ((size_t)count + 1) * sizeof *orders->both);
    if (orders->both == NULL)
        return STATUS_NOMEM;
    orders->now = orders->both;
    orders->next = orders->both + count;
    for (uint32_t i = 0; i < count; i++)
        orders->now[i] = i;
    return STATUS_OK;
}

static void orders_fini(struct orders *orders) {
    vmem_unmap(orders->account, orders->both, 2 * ((size_t)orders->count + 1) * sizeof *orders->both);
}

static void orders_swap(struct orders *orders) {
    uint32_t *now = orders->now;
    orders->now = orders->next;
    orders->next = now;
}

/* Equal items stand side by side: keeps the pair whose later item comes first in the list. */
static void note_repeated(struct repeated *found, uint32_t earlier, uint32_t item) {
    if (found->item == 0 || item < found->item)
        *found = (struct repeated){item, earlier};
}

/* --- records --- */

static size_t record_bytes(const struct records *records) {
    return (size_t)records->numbers * sizeof(uint32_t);
}

static const char *record_at(const struct records *records, uint32_t i) {
    return (const char *)records->first + i * record_bytes(records);
}

static uint32_t number_at(const struct records *records, uint32_t i, int number) {
    uint32_t value;
    memcpy(&value, record_at(records, i) + (size_t)number * sizeof value, sizeof value);
    return value;
}

static uint32_t digit(uint32_t number, int step) { return number >> step * DIGIT_BITS & (DIGITS - 1); }

/* By one digit of one of the numbers. */
static void sort_by_digit(struct orders *orders, const struct records *records, int number, int step) {
    uint32_t starts[DIGITS] = {0};
    for (uint32_t i = 0; i < orders->count; i++)
        starts[digit(number_at(records, i, number), step)]++;
    if (starts[digit(number_at(records, 0, number), step)] == orders->count)
        return; /* all the same: high digits of small numbers */
    uint32_t before = 0;
    for (int i = 0; i < DIGITS; i++) {
        uint32_t here = starts[i];
        starts[i] = before;
        before += here;
    }
    for (uint32_t i = 0; i < orders->count; i++) {
        uint32_t item = orders->now[i];
        orders->next[starts[digit(number_at(records, item, number), step)]++] = item;
    }
    orders_swap(orders);
}

/* The hashes of records, dealt out to heaps by their highest bits. A heap, and the slots to look for doubles in it, fit
 * the processor's nearest cache. */
struct heaps {
    uint64_t *hashes; /* owned; the ends lie behind them */
    uint32_t *ends;   /* of each heap, in `hashes` */
    size_t bytes;
    int bits; /* so many make the number of a heap */
};

enum { HEAP_USUAL = SIZED(1024, 4), HEAP_SLOTS = 4 * HEAP_USUAL };

static uint64_t hash_record(uint64_t seed, const struct records *records, uint32_t i) {
    uint64_t hash = seed;
    for (int number = 0; number < records->numbers; number++)
        hash = hash_mix(hash + number_at(records, i, number));
    return hash;
}

static bool heaps_init(struct heaps *heaps, struct vmem *account, uint32_t count) {
    *heaps = (struct heaps){.bits = 1};
    while (count >> heaps->bits > HEAP_USUAL)
        heaps->bits++;
    heaps->bytes = (count + UINT64_C(1)) * sizeof *heaps->hashes +
                   sizeof *heaps->ends * ((size_t)1 << heaps->bits);
    heaps->hashes = vmem_map(account, heaps->bytes);
    heaps->ends = heaps->hashes == NULL ? NULL : (uint32_t *)(heaps->hashes + count + 1);
    return heaps->hashes != NULL;
}

static void heaps_deal(struct heaps *heaps, const struct records *records) {
    uint64_t seed = hash_mix(
        (uintptr_t)heaps->hashes); /* another one in every run: no file can aim at a heap */
    int shift = 64 - heaps->bits;
    uint32_t before = 0;
    for (uint32_t i = 0; i < records->count; i++)
        heaps->ends[hash_record(seed, records, i) >> shift]++;
    for (size_t heap = 0; heap < (size_t)1 << heaps->bits; heap++) {
        uint32_t here = heaps->ends[heap];
        heaps->ends[heap] = before;
        before += here;
    }
    for (uint32_t i = 0; i < records->count; i++) {
        uint64_t hash = hash_record(seed, records, i);
        heaps->hashes[heaps->ends[hash >> shift]++] = hash;
    }
}

/* False also where there are too many to tell, and where one is 0, which says that a slot is empty. */
static bool heap_is_distinct(const uint64_t *hashes, uint32_t count, uint64_t slots[HEAP_SLOTS]) {
    if (count > HEAP_SLOTS / 2)
        return false;
    memset(slots, 0, HEAP_SLOTS * sizeof *slots);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at = hashes[i] % HEAP_SLOTS;
        while (slots[at] != 0 && slots[at] != hashes[i])
            at = (at + 1) % HEAP_SLOTS;
        if (slots[at] == hashes[i])
            return false;
        slots[at] = hashes[i];
    }
    return true;
}

/* True is certain; false says nothing. */
static bool have_own_hashes(struct vmem *account, const struct records *records) {
    struct heaps heaps;
    uint64_t slots[HEAP_SLOTS];
    if (!heaps_init(&heaps, account, records->count))
        return false;
    heaps_deal(&heaps, records);
    bool distinct = true;
    uint32_t start = 0;
    for (size_t heap = 0; heap < (size_t)1 << heaps.bits && distinct; start = heaps.ends[heap++])
        distinct = heap_is_distinct(heaps.hashes + start, heaps.ends[heap] - start, slots);
    vmem_unmap(account, heaps.hashes, heaps.bytes);
    return distinct;
}

status distinct_records(struct vmem *account, const struct records *records, struct repeated *found) {
    const uint32_t count = records->count;
    struct orders orders;
    *found = (struct repeated){0, 0};
    if (have_own_hashes(account, records))
        return STATUS_OK;
    status result = orders_init(&orders, account, count);
    if (result != STATUS_OK)
        return result;
    for (int number = records->numbers - 1; count > 0 && number >= 0; number--) {
        for (int step = 0; step < DIGIT_STEPS; step++)
            sort_by_digit(&orders, records, number, step);
    }
    for (uint32_t i = 1; i < count; i++) {
        const uint32_t earlier = orders.now[i - 1], item = orders.now[i];
        if (memcmp(record_at(records, earlier), record_at(records, item), record_bytes(records)) == 0)
            note_repeated(found, earlier, item);
    }
    orders_fini(&orders);
    return STATUS_OK;
}

/* --- strings --- */

static int compare(const struct strtab *strings, uint32_t a, uint32_t b) {
    struct string left = strtab_get(strings, a), right = strtab_get(strings, b);
    size_t common = left.length < right.length ? left.length : right.length;
    int order = common == 0 ? 0 : memcmp(left.bytes, right.bytes, common);
    return order != 0 ? order : (left.length > right.length) - (left.length < right.length);
}

/* Merges now[start .. middle] and now[middle .. end] into `next`. */
static void merge(struct orders *orders, const struct strtab *strings, uint32_t start, uint32_t middle,
                  uint32_t end) {
    uint32_t left = start, right = middle;
    for (uint32_t to = start; to < end; to++) {
        bool take_left = right == end ||
                         (left < middle && compare(strings, orders->now[left], orders->now[right]) <= 0);
        orders->next[to] = orders->now[take_left ? left++ : right++];
    }
}

static uint32_t least(uint64_t a, uint32_t b) { return a < b ? (uint32_t)a : b; }

status distinct_strings(struct vmem *account, const struct strtab *strings, struct repeated *found) {
    struct orders orders;
    uint32_t count = strings->count;
    *found = (struct repeated){0, 0};
    status result = orders_init(&orders, account, count);
    if (result != STATUS_OK)
        return result;
    for (uint64_t width = 1; width < count; width *= 2) {
        for (uint64_t start = 0; start < count; start += 2 * width)
            merge(&orders, strings, (uint32_t)start, least(start + width, count),
                  least(start + 2 * width, count));
        orders_swap(&orders);
    }
    for (uint32_t i = 1; i < count; i++) {
        if (compare(strings, orders.now[i - 1], orders.now[i]) == 0)
            note_repeated(found, orders.now[i - 1], orders.now[i]);
    }
    orders_fini(&orders);
    return STATUS_OK;
}
