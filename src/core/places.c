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

/* --- files: ranked first, so that names are compared once for each file and not for each place --- */

struct files {
    struct vmem *account;
    uint32_t ends[2];   /* strings of each side; the second: 0 where shared */
    uint32_t *ranks[2]; /* by string id, of files of used sites; before they are ranked 1, of others 0 */
    size_t bytes;
};

/* In a sort item: the side above, the id below. */
static uint64_t numbered(uint64_t side, uint32_t id) { return side << 32 | id; }

static void use_files(const struct places *places, struct files *files) {
    for (int side = 0; side < 2; side++) {
        for (uint32_t site = 0; site < places->ends[side]; site++) {
            if (places->ranks[side][site] != 0)
                files->ranks[side][site_get(places->sides[side]->paths, site)->file] = 1;
        }
    }
}

static int order_files(const void *owner, uint64_t a, uint64_t b) {
    const struct places *places = owner;
    return place_order((struct place){places->sides[a >> 32]->paths, (uint32_t)a, 0},
                       (struct place){places->sides[b >> 32]->paths, (uint32_t)b, 0});
}

static status rank_files(const struct places *places, struct files *files) {
    size_t most = (size_t)files->ends[0] + files->ends[1], count = 0,
           bytes = 2 * most * sizeof(struct sort_item);
    struct sort_item *items = vmem_map(places->account, bytes);
    if (items == NULL)
        return STATUS_NOMEM;
    for (uint64_t side = 0; side < 2; side++) {
        for (uint32_t id = 0; id < files->ends[side]; id++)
            if (files->ranks[side][id] != 0)
                items[count++] = (struct sort_item){0, numbered(side, id)};
    }
    sort_items(items, items + most, count, order_files, places);
    for (size_t i = 0, rank = 0; i < count; i++) {
        rank += i > 0 && order_files(places, items[i - 1].index, items[i].index) != 0;
        files->ranks[items[i].index >> 32][(uint32_t)items[i].index] = (uint32_t)rank;
    }
    vmem_unmap(places->account, items, bytes);
    return STATUS_OK;
}

static status files_init(struct files *files, const struct places *places) {
    *files = (struct files){.account = places->account};
    for (int side = 0; side < 2; side++)
        files->ends[side] = places->ends[side] == 0 ? 0 : callpaths_ends(places->sides[side]->paths).strings;
    files->bytes = ((size_t)files->ends[0] + files->ends[1]) * sizeof(uint32_t);
    files->ranks[0] = vmem_map(places->account, files->bytes);
    if (files->ranks[0] == NULL)
        return STATUS_NOMEM;
    files->ranks[1] = files->ranks[0] + files->ends[0];
    use_files(places, files);
    return rank_files(places, files);
}

/* --- places: numbers by now --- */

/* Sorts descend, and places are to ascend. */
static uint64_t key_of(const struct files *files, int side, const struct site *site) {
    return ~((uint64_t)files->ranks[side][site->file] << 32 | site->line);
}

static size_t list_used(const struct places *places, const struct files *files, struct sort_item *items) {
    size_t count = 0;
    for (int side = 0; side < 2; side++) {
        for (uint32_t site = 0; site < places->ends[side]; site++) {
            const struct site *here = site_get(places->sides[side]->paths, site);
            if (places->ranks[side][site] != 0)
                items[count++] = (struct sort_item){key_of(files, side, here),
                                                    numbered((uint64_t)side, site)};
        }
    }
    return count;
}

static size_t count_used(const struct places *places) {
    size_t count = 0;
    for (int side = 0; side < 2; side++)
        for (uint32_t site = 0; site < places->ends[side]; site++)
            count += places->ranks[side][site] != 0;
    return count;
}

static status rank_sites(struct places *places, const struct files *files) {
    size_t most = count_used(places) + 1, bytes = 2 * most * sizeof(struct sort_item);
    struct sort_item *items = vmem_map(places->account, bytes);
    if (items == NULL)
        return STATUS_NOMEM;
    size_t count = list_used(places, files, items);
    uint32_t rank = 0;
    sort_items(items, items + most, count, NULL, NULL);
    for (size_t i = 0; i < count; i++) {
        rank += i > 0 && items[i - 1].rank != items[i].rank;
        places->ranks[items[i].index >> 32][(uint32_t)items[i].index] = rank;
    }
    places->count = rank + 1;
    vmem_unmap(places->account, items, bytes);
    return STATUS_OK;
}

status places_rank(struct places *places) {
    struct files files;
    status result = files_init(&files, places);
    if (result == STATUS_OK)
        result = rank_sites(places, &files);
    vmem_unmap(places->account, files.ranks[0], files.bytes);
    return result;
}
