/* toplist: the first few of many things, or all, in order, out of things that come one after the other.
 *
 *   few of many:   | heap of `most` |                 what is out is kept nowhere
 *   else:          | all that came | room to sort |
 *
 * Order is that of sort.h: by rank, descending, then as the caller says; things come in the order of their indices. Owns
 * its array (vmem). One thread. Cost: that of sort_offer, or of sort_items. Fails with NOMEM; then it is zeroed.
 */
#ifndef MEMTALLY_TOPLIST_H
#define MEMTALLY_TOPLIST_H

#include "sort.h"
#include "vmem.h"

struct toplist {
    struct vmem *account;    /* borrowed */
    struct sort_first first; /* its items are owned; once sorted its count is how many are wanted and there */
    size_t room;             /* in the half that is filled */
    bool few;
};

/* Of up to `count` things. */
nodiscard status toplist_init(struct toplist *list, struct vmem *account, size_t count, size_t most,
                              sort_order order, const void *owner);
void toplist_fini(struct toplist *list); /* also of a zeroed one */

static inline void toplist_put(struct toplist *list, uint64_t rank, uint64_t index) {
    struct sort_item item = {rank, index}, out;
    if (list->few)
        (void)sort_offer(&list->first, item, &out);
    else
        list->first.items[list->first.count++] = item;
}
void toplist_sort(struct toplist *list);

#endif
