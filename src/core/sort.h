/* sort: a stable sort of numbered things: by a rank, descending, and where ranks tie by what the caller says.
 *
 *   items: | rank 900, index 3 | rank 900, index 7 | rank 12, index 0 | ...
 *
 * Ranks lie in the items, so the caller is asked about ties only. Owns nothing: the caller has both arrays.
 * Cost: of sort_items that of a radix sort, and n log n questions for n things that tie; of sort_top and sort_offer about
 * one look at each thing, where few are wanted. Cannot fail.
 */
#ifndef MEMTALLY_SORT_H
#define MEMTALLY_SORT_H

#include "base.h"

struct sort_item {
    uint64_t rank;
    uint64_t index;
};

/* Of two things with equal rank: negative where `a` comes first, positive where `b` does, 0 keeps their
 * order. */
typedef int (*sort_order)(const void *owner, uint64_t a, uint64_t b);

/* Sorts `items`; `spare` has room for as many. Without an `order` ties keep the order they have. */
void sort_items(struct sort_item *items, struct sort_item *spare, size_t count, sort_order order,
                const void *owner);

/* Puts the first `most` in order, or all; the others come behind them in any. What is equal otherwise goes by its
 * index; they ascend at first, unless `order` never says 0. */
void sort_top(struct sort_item *items, struct sort_item *spare, size_t count, size_t most, sort_order order,
              const void *owner);

/* The first of many that come one after the other and are kept nowhere else. */
struct sort_first {
    struct sort_item *items; /* borrowed; room for `most` */
    size_t most, count;
    sort_order order; /* as that of sort_top; NULL: none */
    const void *owner;
};

/* Takes an item. True where that leaves one out: itself, or another. */
bool sort_offer(struct sort_first *first, struct sort_item item, struct sort_item *out);
/* Puts those that are left in order; nothing is offered afterwards. */
void sort_end(struct sort_first *first);

#endif
