/* sort: see sort.h. Few things are sorted in short runs by insertion, then merged bottom-up; many by radix first, and
 * then what ties. The first few of many are kept in a heap. Any thread; touches the caller's arrays only. */
#include "sort.h"

#include <string.h>

enum { RUN = SIZED(16, 2), FEW = SIZED(256, 4), DIGIT_BITS = SIZED(11, 3), DIGITS = 1 << DIGIT_BITS };

static bool comes_after(struct sort_item a, struct sort_item b, sort_order order, const void *owner) {
    if (a.rank != b.rank)
        return a.rank < b.rank;
    return order != NULL && order(owner, a.index, b.index) > 0;
}

static void swap_arrays(struct sort_item **a, struct sort_item **b) {
    struct sort_item *kept = *a;
    *a = *b;
    *b = kept;
}

/* --- few --- */

static void sort_run(struct sort_item *items, size_t count, sort_order order, const void *owner) {
    for (size_t i = 1; i < count; i++) {
        struct sort_item item = items[i];
        size_t at = i;
        for (; at > 0 && comes_after(items[at - 1], item, order, owner); at--)
            items[at] = items[at - 1];
        items[at] = item;
    }
}

static void merge(const struct sort_item *a, size_t a_count, const struct sort_item *b, size_t b_count,
                  struct sort_item *to, sort_order order, const void *owner) {
    size_t i = 0, j = 0;
    while (i < a_count && j < b_count)
        *to++ = comes_after(a[i], b[j], order, owner) ? b[j++] : a[i++];
    memcpy(to, a + i, (a_count - i) * sizeof *to);
    memcpy(to + (a_count - i), b + j, (b_count - j) * sizeof *to);
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static void sort_few(struct sort_item *items, struct sort_item *spare, size_t count, sort_order order,
                     const void *owner) {
    for (size_t start = 0; start < count; start += RUN)
        sort_run(items + start, least(RUN, count - start), order, owner);
    struct sort_item *from = items, *to = spare;
    for (size_t width = RUN; width < count; width *= 2) {
        for (size_t start = 0; start < count; start += 2 * width) {
            size_t middle = least(start + width, count);
            size_t end = least(middle + width, count);
            merge(from + start, middle - start, from + middle, end - middle, to + start, order, owner);
        }
        swap_arrays(&from, &to);
    }
    if (from != items)
        memcpy(items, from, count * sizeof *items);
}

/* --- many --- */

static size_t digit_of(struct sort_item item, int shift) { return ~item.rank >> shift & (DIGITS - 1); }

static void sort_digit(const struct sort_item *from, struct sort_item *to, size_t count, int shift) {
    size_t starts[DIGITS] = {0}, before = 0;
    for (size_t i = 0; i < count; i++)
        starts[digit_of(from[i], shift)]++;
    for (size_t digit = 0; digit < DIGITS; digit++) {
        size_t here = starts[digit];
        starts[digit] = before;
        before += here;
    }
    for (size_t i = 0; i < count; i++)
        to[starts[digit_of(from[i], shift)]++] = from[i];
}

/* By rank alone: one pass for each digit in which ranks differ. Digits begin where there is a difference, so a rank that is
 * made of two small numbers has no more of them than these. */
static void sort_ranks(struct sort_item *items, struct sort_item *spare, size_t count) {
    struct sort_item *from = items, *to = spare;
    uint64_t differing = 0;
    for (size_t i = 1; i < count; i++)
        differing |= items[i].rank ^ items[0].rank;
    for (int shift = 0; shift < 64 && differing >> shift != 0; shift += DIGIT_BITS) {
        shift += __builtin_ctzll(differing >> shift);
        sort_digit(from, to, count, shift);
        swap_arrays(&from, &to);
    }
    if (from != items)
        memcpy(items, from, count * sizeof *items);
}

void sort_items(struct sort_item *items, struct sort_item *spare, size_t count, sort_order order,
                const void *owner) {
    if (count <= FEW) {
        sort_few(items, spare, count, order, owner);
        return;
    }
    sort_ranks(items, spare, count);
    for (size_t start = 0, end; order != NULL && start < count; start = end) {
        for (end = start + 1; end < count && items[end].rank == items[start].rank;)
            end++;
        sort_few(items + start, spare + start, end - start, order, owner);
    }
}

/* --- the first of many --- */

/* As comes_after, but no two things are equal. */
static bool is_behind(struct sort_item a, struct sort_item b, sort_order order, const void *owner) {
    if (a.rank != b.rank)
        return a.rank < b.rank;
    int here = order == NULL ? 0 : order(owner, a.index, b.index);
    return here != 0 ? here > 0 : a.index > b.index;
}

/* Puts an item into the heap of so many from place `at` down: on top is what comes last. */
static void sink(const struct sort_first *first, size_t count, size_t at, struct sort_item item) {
    struct sort_item *heap = first->items;
    for (size_t below; (below = 2 * at + 1) < count; at = below) {
        if (below + 1 < count && is_behind(heap[below + 1], heap[below], first->order, first->owner))
            below++;
        if (!is_behind(heap[below], item, first->order, first->owner))
            break;
        heap[at] = heap[below];
    }
    heap[at] = item;
}

static void make_heap(const struct sort_first *first) {
    for (size_t at = first->count; at-- > 0;)
        sink(first, first->count, at, first->items[at]);
}

bool sort_offer(struct sort_first *first, struct sort_item item, struct sort_item *out) {
    if (first->count < first->most) {
        first->items[first->count++] = item;
        if (first->count == first->most)
            make_heap(first);
        return false;
    }
    *out = item;
    if (first->most == 0 || !is_behind(first->items[0], item, first->order, first->owner))
        return true;
    *out = first->items[0];
    sink(first, first->count, 0, item);
    return true;
}

void sort_end(struct sort_first *first) {
    if (first->count < first->most)
        make_heap(first);
    for (size_t left = first->count; left-- > 1;) {
        struct sort_item last = first->items[0];
        sink(first, left, 0, first->items[left]);
        first->items[left] = last;
    }
}

void sort_top(struct sort_item *items, struct sort_item *spare, size_t count, size_t most, sort_order order,
              const void *owner) {
    if (most >= count / 8) {
        sort_items(items, spare, count, order, owner);
        return;
    }
    struct sort_first first = {.items = items, .most = most, .order = order, .owner = owner};
    for (size_t i = 0; i < count; i++) {
        struct sort_item out;
        if (sort_offer(&first, items[i], &out))
            items[i] = out;
    }
    sort_end(&first);
}
