/* toplist: see toplist.h. One thread. */
#include "toplist.h"

#include <string.h>

static size_t bytes_of(const struct toplist *list) {
    return ((list->few ? 1 : 2) * list->room + 1) * sizeof *list->first.items;
}

status toplist_init(struct toplist *list, struct vmem *account, size_t count, size_t most, sort_order order,
                    const void *owner) {
    *list = (struct toplist){.account = account, .few = most < count / 8};
    list->room = list->few ? most : count;
    list->first = (struct sort_first){.most = most, .order = order, .owner = owner};
    list->first.items = vmem_map(account, bytes_of(list));
    if (list->first.items != NULL)
        return STATUS_OK;
    memset(list, 0, sizeof *list);
    return STATUS_NOMEM;
}

void toplist_fini(struct toplist *list) {
    if (list->first.items != NULL)
        vmem_unmap(list->account, list->first.items, bytes_of(list));
    memset(list, 0, sizeof *list);
}

void toplist_sort(struct toplist *list) {
    struct sort_first *first = &list->first;
    if (list->few) {
        sort_end(first);
        return;
    }
    sort_items(first->items, first->items + list->room, first->count, first->order, first->owner);
    if (first->count > first->most)
        first->count = first->most;
}
