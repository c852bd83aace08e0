/* grouping: finding the group of a row (grouping.h), and going over the rows once. One thread. */
#include "grouping.h"

#include <string.h>

#define LEAST_REGION ((size_t)1 << 20)
#define NO_FRAMES UINT64_MAX /* as a key: no site has it, string ids are far smaller */

static uint64_t hash_of(const void *owner, uint32_t id) {
    const struct grouping *grouping = owner;
    return hash_mix(hash_mix(grouping_slot(grouping, id - 1)->key ^ grouping->seed));
}

status grouping_init(struct grouping *grouping, struct snapshot *snapshot, enum key key) {
    struct vmem *account = snapshot->account;
    memset(grouping, 0, sizeof *grouping);
    grouping->snapshot = snapshot;
    grouping->paths = snapshot->paths;
    grouping->key = key;
    grouping->ends = callpaths_ends(snapshot->paths);
    grouping->known_bytes = grouping->ends.sites * sizeof *grouping->known;
    /* No more groups than sites or rows. */
    size_t most = (snapshot->row_count + grouping->ends.sites) * sizeof(struct slot) + LEAST_REGION;
    status result = region_init(&grouping->slots, account, most);
    if (result == STATUS_OK)
        result = idtable_init(&grouping->index, account);
    if (result == STATUS_OK) {
        grouping->known = vmem_map(account, grouping->known_bytes);
        result = grouping->known == NULL ? STATUS_NOMEM : STATUS_OK;
    }
    if (result != STATUS_OK)
        grouping_fini(grouping);
    else /* tables lie elsewhere in every run, so no file can aim at one chain of the index */
        grouping->seed = hash_mix((uintptr_t)grouping->known) ^ hash_mix((uintptr_t)grouping->slots.base);
    return result;
}

void grouping_fini(struct grouping *grouping) {
    if (grouping->snapshot == NULL)
        return;
    vmem_unmap(grouping->snapshot->account, grouping->known, grouping->known_bytes);
    region_fini(&grouping->slots);
    idtable_fini(&grouping->index);
    memset(grouping, 0, sizeof *grouping);
}

/* The slot that has this key; a new one with `fresh` if there is none. */
static status find(struct grouping *grouping, uint64_t key, const struct group *fresh, uint32_t *slot) {
    struct idtable *index = &grouping->index;
    status result = idtable_reserve(index, hash_of, grouping);
    if (result != STATUS_OK)
        return result;
    size_t at = idtable_first(index, hash_mix(hash_mix(key ^ grouping->seed)));
    for (uint32_t id; (id = index->slots[at]) != 0; at = idtable_next(index, at)) {
        if (grouping_slot(grouping, id - 1)->key == key) {
            *slot = id - 1;
            return STATUS_OK;
        }
    }
    result = region_grow(&grouping->slots, ((size_t)grouping->count + 1) * sizeof(struct slot));
    if (result != STATUS_OK)
        return result;
    *slot = grouping->count++;
    *grouping_slot(grouping, *slot) = (struct slot){*fresh, key};
    idtable_put(index, at, grouping->count);
    return STATUS_OK;
}

status grouping_find_site_slow(struct grouping *grouping, uint32_t site_id, uint32_t *slot) {
    const struct site *site = site_get(grouping->paths, site_id);
    struct group fresh = {.file = site->file, .frames = 1};
    uint64_t key = (uint64_t)site->file << 32;
    if (grouping->key != KEY_FILENAME) {
        fresh.line = site->line;
        fresh.function = site->function;
        key |= grouping->key == KEY_LINENO ? site->line : site->function;
    }
    status result = find(grouping, key, &fresh, slot);
    if (result == STATUS_OK)
        grouping->known[site_id] = *slot + 1;
    return result;
}

static status find_no_frames(struct grouping *grouping, uint32_t *slot) {
    status result = find(grouping, NO_FRAMES, &(struct group){0}, slot);
    if (result == STATUS_OK)
        grouping->no_frames = *slot + 1;
    return result;
}

status grouping_find_row_slow(struct grouping *grouping, const struct row *row, uint32_t *slot) {
    if (grouping->key == KEY_DOMAIN)
        return find(grouping, row->domain, &(struct group){.domain = row->domain}, slot);
    if (grouping->key == KEY_PROCESS)
        return find(grouping, row->process, &(struct group){.file = row->process, .frames = 1}, slot);
    if (row->node == 0)
        return find_no_frames(grouping, slot);
    return grouping_find_site_slow(grouping, node_get(grouping->paths, row->node)->site, slot);
}
