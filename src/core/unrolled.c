/* unrolled: see unrolled.h. One thread; the snapshots are only read. */
#include "unrolled.h"
#include "group_key.h"
#include "sort.h"

#include <string.h>

/* Fewer are sorted by walking; more frames than that (256 MiB) as well. */
#define LEAST_COUNT SIZED((size_t)1000, (size_t)2)
#define MOST_FRAMES ((size_t)1 << 26)

bool unrolled_pays(size_t count, size_t frames) { return count >= LEAST_COUNT && frames <= MOST_FRAMES; }

status unrolled_init(struct unrolled *unrolled, const struct snapshot *first, const struct snapshot *second,
                     size_t count, size_t frames) {
    struct vmem *account = first->account;
    uint32_t first_sites = callpaths_ends(first->paths).sites, end = first_sites;
    bool shared = second == NULL || second->paths == first->paths;
    if (!shared)
        end += callpaths_ends(second->paths).sites;
    *unrolled = (struct unrolled){.account = account, .sides = {first, second}};
    unrolled->base[1] = shared ? 0 : first_sites;
    unrolled->frame_bytes = (frames + 1) * sizeof *unrolled->frames;
    unrolled->start_bytes = (count + 1) * sizeof *unrolled->starts;
    unrolled->frames = vmem_map(account, unrolled->frame_bytes);
    unrolled->starts = vmem_map(account, unrolled->start_bytes);
    status result = unrolled->frames == NULL || unrolled->starts == NULL ? STATUS_NOMEM : STATUS_OK;
    if (result == STATUS_OK)
        result = idset_init(&unrolled->sites, account, end);
    if (result != STATUS_OK)
        unrolled_fini(unrolled);
    return result;
}

void unrolled_fini(struct unrolled *unrolled) {
    vmem_unmap(unrolled->account, unrolled->frames, unrolled->frame_bytes);
    vmem_unmap(unrolled->account, unrolled->starts, unrolled->start_bytes);
    idset_fini(&unrolled->sites);
    memset(unrolled, 0, sizeof *unrolled);
}

void unrolled_add(struct unrolled *unrolled, int side, const struct group *group) {
    const struct callpaths *paths = unrolled->sides[side]->paths;
    size_t end = unrolled->starts[unrolled->count] + group->frames;
    uint32_t node = group->node;
    unrolled->starts[++unrolled->count] = end;
    for (uint32_t left = group->frames; left > 0; left--) {
        const struct node *here = node_get(paths, node);
        uint32_t number = unrolled->base[side] + here->site;
        idset_add(&unrolled->sites, number);
        unrolled->frames[--end] = number;
        node = here->parent;
    }
}

static struct place place_of(const struct unrolled *unrolled, uint32_t number) {
    int side = unrolled->base[1] != 0 && number >= unrolled->base[1];
    const struct callpaths *paths = unrolled->sides[side]->paths;
    const struct site *site = site_get(paths, number - unrolled->base[side]);
    return (struct place){paths, site->file, site->line};
}

static int order_places(const void *owner, uint64_t a, uint64_t b) {
    return place_order(place_of(owner, (uint32_t)a), place_of(owner, (uint32_t)b));
}

/* ranks[i]: the rank of the i-th site in use; equal for equal places. */
static void rank_places(const struct unrolled *unrolled, struct sort_item *items, uint32_t *ranks) {
    const struct idset *sites = &unrolled->sites;
    size_t count = 0;
    for (uint32_t id = idset_next(sites, 0); id < sites->end; id = idset_next(sites, id + 1))
        items[count++] = (struct sort_item){0, id};
    sort_items(items, items + count, count, order_places, unrolled);
    uint32_t rank = 0;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && order_places(unrolled, items[i - 1].index, items[i].index) != 0)
            rank++;
        ranks[idset_index(sites, (uint32_t)items[i].index)] = rank;
    }
}

status unrolled_rank(struct unrolled *unrolled) {
    status result = idset_count(&unrolled->sites);
    if (result != STATUS_OK)
        return result;
    size_t used = unrolled->sites.count;
    size_t item_bytes = (2 * used + 1) * sizeof(struct sort_item), rank_bytes = (used + 1) * sizeof(uint32_t);
    struct sort_item *items = vmem_map(unrolled->account, item_bytes);
    uint32_t *ranks = vmem_map(unrolled->account, rank_bytes);
    result = items == NULL || ranks == NULL ? STATUS_NOMEM : STATUS_OK;
    if (result == STATUS_OK) {
        rank_places(unrolled, items, ranks);
        for (size_t i = 0; i < unrolled->starts[unrolled->count]; i++)
            unrolled->frames[i] = ranks[idset_index(&unrolled->sites, unrolled->frames[i])];
    }
    vmem_unmap(unrolled->account, items, item_bytes);
    vmem_unmap(unrolled->account, ranks, rank_bytes);
    return result;
}

int unrolled_order(const struct unrolled *unrolled, size_t a, size_t b) {
    const uint32_t *left = unrolled->frames + unrolled->starts[a];
    const uint32_t *right = unrolled->frames + unrolled->starts[b];
    size_t left_count = unrolled->starts[a + 1] - unrolled->starts[a];
    size_t right_count = unrolled->starts[b + 1] - unrolled->starts[b];
    for (size_t i = 0; i < left_count && i < right_count; i++) {
        if (left[i] != right[i])
            return left[i] < right[i] ? -1 : 1;
    }
    return (left_count > right_count) - (left_count < right_count);
}
