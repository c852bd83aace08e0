/* grouping: finding the group of a row (grouping.h). One thread. */
#include "grouping.h"
#include "sort.h"

#include <string.h>

/* --- sites with equal keys --- */

static uint64_t key_of(const struct grouping *grouping, uint32_t site_id) {
    const struct site *site = site_get(grouping->paths, site_id);
    uint64_t key = (uint64_t)site->file << 32;
    if (grouping->key == KEY_FILENAME)
        return key;
    return key | (grouping->key == KEY_LINENO ? site->line : site->function);
}

/* Fills `like`; how many keys there are. */
static status sort_sites(struct grouping *grouping, size_t *keys) {
    size_t count = grouping->site_count, bytes = 2 * count * sizeof(struct sort_item);
    struct sort_item *items = vmem_map(grouping->snapshot->account, bytes);
    if (items == NULL)
        return STATUS_NOMEM;
    for (uint32_t site = 0; site < count; site++)
        items[site] = (struct sort_item){key_of(grouping, site), site};
    sort_items(items, items + count, count, NULL, NULL);
    for (size_t i = 0, first = 0; i < count; i++) {
        if (i == 0 || items[i].rank != items[first].rank) {
            first = i;
            ++*keys;
        }
        grouping->like[items[i].index] = (uint32_t)items[first].index;
    }
    vmem_unmap(grouping->snapshot->account, items, bytes);
    return STATUS_OK;
}

/* --- life --- */

static bool has_sites(enum key key) { return key != KEY_DOMAIN && key != KEY_PROCESS; }

static status init_sites(struct grouping *grouping, size_t *keys) {
    size_t bytes = grouping->site_count * sizeof(uint32_t);
    grouping->like = vmem_map(grouping->snapshot->account, bytes);
    grouping->known = vmem_map(grouping->snapshot->account, bytes);
    return grouping->like == NULL || grouping->known == NULL ? STATUS_NOMEM : sort_sites(grouping, keys);
}

status grouping_init(struct grouping *grouping, struct snapshot *snapshot, enum key key) {
    size_t most = 0;
    memset(grouping, 0, sizeof *grouping);
    grouping->snapshot = snapshot;
    grouping->paths = snapshot->paths;
    grouping->key = key;
    grouping->site_count = callpaths_ends(snapshot->paths).sites;
    status result = has_sites(key) ? init_sites(grouping, &most)
                                   : idtable_init(&grouping->index, snapshot->account);
    if (result == STATUS_OK)
        result = groups_new(snapshot, has_sites(key) ? most + 1 : snapshot->row_count, &grouping->groups);
    grouping->groups.count = 0;
    if (result != STATUS_OK)
        grouping_fini(grouping);
    return result;
}

status grouping_compare(struct grouping *grouping, const struct keyindex *index,
                        const struct columns *beside) {
    assert(grouping->groups.count == 0 && index->key == grouping->key);
    grouping->beside = beside;
    grouping->first = (uint32_t)index->groups->count;
    return keysearch_init(&grouping->search, index, grouping->snapshot);
}

static void free_tables(struct grouping *grouping) {
    size_t bytes = grouping->site_count * sizeof(uint32_t);
    vmem_unmap(grouping->snapshot->account, grouping->like, bytes);
    vmem_unmap(grouping->snapshot->account, grouping->known, bytes);
    idtable_fini(&grouping->index);
    keysearch_fini(&grouping->search);
    memset(grouping, 0, sizeof *grouping);
}

void grouping_end(struct grouping *grouping, struct groups *groups) {
    *groups = grouping->groups;
    groups->all = groups->count;
    groups->bytes = vmem_trim(groups->snapshot->account, groups->items, groups->bytes,
                              groups->count * sizeof *groups->items);
    free_tables(grouping);
}

void grouping_fini(struct grouping *grouping) {
    if (grouping->snapshot == NULL)
        return;
    groups_fini(&grouping->groups);
    free_tables(grouping);
}

/* --- finding --- */

/* The group beside, or a new one here. */
static uint32_t place_group(struct grouping *grouping, const struct group *fresh) {
    if (grouping->beside != NULL) {
        size_t there = keysearch_find(&grouping->search, fresh);
        if (there < grouping->first)
            return (uint32_t)there;
        if (grouping->beside->only)
            return GROUP_NOWHERE;
    }
    grouping->groups.items[grouping->groups.count] = *fresh;
    return grouping->first + (uint32_t)grouping->groups.count++;
}

uint32_t grouping_new_site(struct grouping *grouping, uint32_t site_id) {
    const struct site *site = site_get(grouping->paths, site_id);
    struct group fresh = {.file = site->file, .frames = 1};
    if (grouping->key != KEY_FILENAME) {
        fresh.line = site->line;
        fresh.function = site->function;
    }
    uint32_t group = place_group(grouping, &fresh);
    grouping->known[grouping->like[site_id]] = group + 1;
    return group;
}

static uint32_t number_of(const struct grouping *grouping, const struct group *group) {
    return grouping->key == KEY_DOMAIN ? group->domain : group->file;
}

/* Tables lie elsewhere in every run, so no file can aim at one chain of the index. */
static uint64_t hash_number(const struct grouping *grouping, uint32_t number) {
    return hash_mix(hash_mix(number ^ (uintptr_t)grouping->groups.items));
}

static uint64_t hash_of(const void *owner, uint32_t id) {
    const struct grouping *grouping = owner;
    return hash_number(grouping, number_of(grouping, &grouping->groups.items[id - 1]));
}

/* By domain or process. */
static status find_number(struct grouping *grouping, uint32_t number, uint32_t *group) {
    struct idtable *index = &grouping->index;
    struct group fresh = {.domain = number}; /* or the file, which lies in its place */
    status result = idtable_reserve(index, hash_of, grouping);
    if (result != STATUS_OK)
        return result;
    size_t at = idtable_first(index, hash_number(grouping, number));
    for (uint32_t id; (id = idtable_at(index, at)) != 0; at = idtable_next(index, at)) {
        *group = grouping->first + id - 1;
        if (number_of(grouping, &grouping->groups.items[id - 1]) == number)
            return STATUS_OK;
    }
    fresh.frames = grouping->key == KEY_PROCESS;
    *group = place_group(grouping, &fresh);
    if (*group >= grouping->first && *group != GROUP_NOWHERE)
        idtable_put(index, at, *group - grouping->first + 1);
    return STATUS_OK;
}

status grouping_find_row(struct grouping *grouping, const struct row *row, uint32_t *group) {
    if (grouping->key == KEY_DOMAIN)
        return find_number(grouping, row->domain, group);
    if (grouping->key == KEY_PROCESS)
        return find_number(grouping, row->process, group);
    if (row->node != 0) {
        *group = grouping_find_site(grouping, node_get(grouping->paths, row->node)->site);
    } else {
        if (grouping->no_frames == 0)
            grouping->no_frames = place_group(grouping, &(struct group){0}) + 1;
        *group = grouping->no_frames - 1;
    }
    return STATUS_OK;
}
