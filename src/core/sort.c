/* sort: see sort.h: short runs by insertion, then merged bottom-up. Any thread; touches the caller's arrays
 * only. */
#include "sort.h"

#include <string.h>

enum { RUN = SIZED(16, 2) };

static bool comes_after(struct sort_item a, struct sort_item b, sort_order order, const void *owner) {
    if (a.rank != b.rank)
        return a.rank < b.rank;
    return order != NULL && order(owner, a.index, b.index) > 0;
}

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

void sort_items(struct sort_item *items, struct sort_item *spare, size_t count, sort_order order,
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
        struct sort_item *swap = from;
        from = to;
        to = swap;
    }
    if (from != items)
        memcpy(items, from, count * sizeof *items);
}
