/* sitenumbers: see sitenumbers.h. One thread; the sets are only read. */
#include "sitenumbers.h"
#include "namemap.h"

#include <string.h>

/* A set in which the sites of a later one are looked for. */
struct search {
    struct callpaths *in;
    struct namemap names; /* from the later set */
    struct idset common;  /* names of `in` that the later set has, too */
    struct idtable index; /* sites of `in` with such names, once one was not where it was expected */
    uint32_t sites;       /* of `in` */
    uint32_t next;        /* the site behind the last one that was found: likely the next */
};

static uint64_t hash_site(const struct site *site) {
    return hash_mix(hash_mix((uint64_t)site->file << 32 | site->line) ^ site->function);
}

static uint64_t hash_of(const void *owner, uint32_t id) {
    return hash_site(site_get(((const struct search *)owner)->in, id));
}

static bool is_site(const struct search *search, uint32_t id, const struct site *wanted) {
    const struct site *site = site_get(search->in, id);
    return site->line == wanted->line && site->file == wanted->file && site->function == wanted->function;
}

static status search_init(struct search *search, struct vmem *account, struct callpaths *in,
                          struct callpaths *from) {
    struct path_ends ends = callpaths_ends(in);
    *search = (struct search){.in = in, .sites = ends.sites, .next = 1};
    status result = idset_init(&search->common, account, ends.strings);
    if (result == STATUS_OK)
        result = namemap_init(&search->names, account, from, in);
    for (uint32_t name = 1; name < ends.strings && result == STATUS_OK; name++)
        result = namemap_offer(&search->names, name);
    if (result != STATUS_OK)
        return result;
    idset_add(&search->common, 0);
    for (uint32_t name = callpaths_ends(from).strings - 1; name > 0; name--) {
        uint32_t found = namemap_find(&search->names, name);
        if (found != NAME_MISSING)
            idset_add(&search->common, found);
    }
    return STATUS_OK;
}

static void search_fini(struct search *search) {
    namemap_fini(&search->names);
    idset_fini(&search->common);
    idtable_fini(&search->index);
}

static status index_common(struct search *search, struct vmem *account) {
    status result = idtable_init(&search->index, account);
    for (uint32_t id = 1; id < search->sites && result == STATUS_OK; id++) {
        const struct site *site = site_get(search->in, id);
        if (idset_has(&search->common, site->file) && idset_has(&search->common, site->function))
            result = idtable_add(&search->index, hash_of, search, id);
    }
    return result;
}

static status find_slow(struct search *search, struct vmem *account, const struct site *wanted,
                        uint32_t *found) {
    if (search->index.slots == NULL) {
        status result = index_common(search, account);
        if (result != STATUS_OK)
            return result;
    }
    size_t slot = idtable_first(&search->index, hash_site(wanted));
    while ((*found = idtable_at(&search->index, slot)) != 0 && !is_site(search, *found, wanted))
        slot = idtable_next(&search->index, slot);
    return STATUS_OK;
}

/* Its like; 0 where there is none. */
static status find_site(struct search *search, struct vmem *account, struct site site, uint32_t *found) {
    *found = 0;
    site.file = namemap_find(&search->names, site.file);
    site.function = namemap_find(&search->names, site.function);
    if (site.file == NAME_MISSING || site.function == NAME_MISSING)
        return STATUS_OK;
    if (search->next < search->sites && is_site(search, search->next, &site)) {
        *found = search->next++;
        return STATUS_OK;
    }
    status result = find_slow(search, account, &site, found);
    if (*found != 0)
        search->next = *found + 1;
    return result;
}

/* Gives the sites of the last set that an earlier one has, and none before that one, their numbers. */
static status find_in(struct sitenumbers *self, size_t earlier, uint32_t sites) {
    struct callpaths *from = self->paths[self->count - 1];
    struct search search;
    status result = search_init(&search, self->account, self->paths[earlier], from);
    for (uint32_t site = 1; site < sites && result == STATUS_OK; site++) {
        uint32_t found;
        if (self->numbers[site] != 0)
            continue;
        result = find_site(&search, self->account, *site_get(from, site), &found);
        if (result == STATUS_OK && found != 0)
            self->numbers[site] = self->firsts[earlier] + found;
    }
    search_fini(&search);
    return result;
}

static uint32_t sites_of(const struct sitenumbers *self, size_t set) {
    return self->firsts[set + 1] - self->firsts[set];
}

status sitenumbers_add(struct sitenumbers *self, struct callpaths *paths) {
    uint32_t sites = callpaths_ends(paths).sites, first = self->firsts[self->count];
    assert(self->count < SITENUMBERS_MOST);
    sitenumbers_forget(self);
    if (sites > UINT32_MAX - first)
        return STATUS_FULL;
    self->paths[self->count] = paths;
    self->firsts[++self->count] = first + sites;
    if (self->count == 1)
        return STATUS_OK;
    self->numbers = vmem_map(self->account, sites * sizeof *self->numbers);
    status result = self->numbers == NULL ? STATUS_NOMEM : STATUS_OK;
    for (size_t earlier = 0; earlier + 1 < self->count && result == STATUS_OK; earlier++)
        result = find_in(self, earlier, sites);
    for (uint32_t site = 1; site < sites && result == STATUS_OK; site++)
        self->numbers[site] += self->numbers[site] == 0 ? first + site : 0;
    return result;
}

void sitenumbers_init(struct sitenumbers *self, struct vmem *account) {
    *self = (struct sitenumbers){.account = account};
}

void sitenumbers_forget(struct sitenumbers *self) {
    if (self->numbers != NULL)
        vmem_unmap(self->account, self->numbers, sites_of(self, self->count - 1) * sizeof *self->numbers);
    self->numbers = NULL;
}

void sitenumbers_fini(struct sitenumbers *self) {
    sitenumbers_forget(self);
    memset(self, 0, sizeof *self);
}
