/* places: see places.h. One thread; the snapshots are only read. */
#include "places.h"
#include "group_key.h"
#include "sort.h"

#include <string.h>

static size_t bytes_of(const struct places *places) {
    return ((size_t)places->ends[0] + places->ends[1]) * sizeof(uint32_t);
}

status places_init(struct places *places, const struct snapshot *const sides[2]) {
    bool shared = sides[1] == NULL || sides[1]->paths == sides[0]->paths;
    *places = (struct places){.account = sides[0]->account, .sides = {sides[0], sides[1]}};
    places->ends[0] = callpaths_ends(sides[0]->paths).sites;
    places->ends[1] = shared ? 0 : callpaths_ends(sides[1]->paths).sites;
    places->ranks[0] = vmem_map(places->account, bytes_of(places));
    if (places->ranks[0] == NULL) {
        memset(places, 0, sizeof *places);
        return STATUS_NOMEM;
    }
    places->ranks[1] = places->ranks[0] + (shared ? 0 : places->ends[0]);
    return STATUS_OK;
}

void places_fini(struct places *places) {
    vmem_unmap(places->account, places->ranks[0], bytes_of(places));
    memset(places, 0, sizeof *places);
}

/* In a sort item: the side above, the site below. */
static struct place place_of(const struct places *places, uint64_t number) {
    const struct callpaths *paths = places->sides[number >> 32]->paths;
    const struct site *site = site_get(paths, (uint32_t)number);
    return (struct place){paths, site->file, site->line};
}

static int order_places(const void *owner, uint64_t a, uint64_t b) {
    return place_order(place_of(owner, a), place_of(owner, b));
}

static size_t list_used(const struct places *places, struct sort_item *items) {
    size_t count = 0;
    for (uint64_t side = 0; side < 2; side++) {
        for (uint32_t site = 0; site < places->ends[side]; site++) {
            if (places->ranks[side][site] != 0)
                items[count++] = (struct sort_item){0, side << 32 | site};
        }
    }
    return count;
}

status places_rank(struct places *places) {
    size_t most = (size_t)places->ends[0] + places->ends[1], bytes = 2 * most * sizeof(struct sort_item);
    struct sort_item *items = vmem_map(places->account, bytes);
    if (items == NULL)
        return STATUS_NOMEM;
    size_t count = list_used(places, items);
    uint32_t rank = 0;
    sort_items(items, items + most, count, order_places, places);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && order_places(places, items[i - 1].index, items[i].index) != 0)
            rank++;
        places->ranks[items[i].index >> 32][(uint32_t)items[i].index] = rank;
    }
    places->count = rank + 1;
    vmem_unmap(places->account, items, bytes);
    return STATUS_OK;
}
