/* joincalls: see joincalls.h. One thread; the call paths are only read. */
#include "joincalls.h"

#include <string.h>

/* One tree's turn. */
struct work {
    struct joincalls *self;
    const struct joined_tree *tree;
    uint32_t *roots;      /* by site: the call that the root makes there; 0: none */
    struct idset met;     /* calls of the root's that this tree has */
    struct idset doubled; /* calls that several nodes of this tree may be */
    struct idtable index; /* calls that may be looked for; made once one has to be */
    uint32_t first_call;  /* of this tree: all below are of earlier ones */
    uint32_t first_site;  /* the same */
    uint32_t next;        /* the call behind the last one that was found: likely the next */
};

static uint64_t hash_key(uint32_t caller, uint32_t site) {
    return hash_mix(hash_mix((uint64_t)caller << 32 | site));
}

static uint64_t hash_of(const void *owner, uint32_t id) {
    const struct joined_call *call = &((const struct work *)owner)->self->calls[id];
    return hash_key(call->caller, call->site);
}

static uint32_t add_call(struct joincalls *self, uint32_t caller, uint32_t site) {
    self->calls[self->count] = (struct joined_call){caller, site};
    return self->count++;
}

static bool is_call(const struct joincalls *self, uint32_t call, uint32_t caller, uint32_t site) {
    return self->calls[call].caller == caller && self->calls[call].site == site;
}

/* --- looking for calls that may be there --- */

static status note_known_sites(const struct work *work, struct idset *known) {
    const struct joincalls *self = work->self;
    status result = idset_init(known, self->account, work->first_site + 1);
    uint32_t sites = callpaths_ends(work->tree->paths).sites;
    for (uint32_t site = 0; site < sites && result == STATUS_OK; site++) {
        uint32_t number = site_number(&self->sites, site);
        if (number < work->first_site)
            idset_add(known, number);
    }
    return result;
}

/* Of earlier trees' calls those at sites that this one has, too; and what doubled ones call. */
static status make_index(struct work *work) {
    const struct joincalls *self = work->self;
    struct idset known = {0};
    status result = note_known_sites(work, &known);
    if (result == STATUS_OK)
        result = idtable_init(&work->index, self->account);
    for (uint32_t id = 1; id < self->count && result == STATUS_OK; id++) {
        const struct joined_call *call = &self->calls[id];
        if (call->caller != 0 && (idset_has(&work->doubled, call->caller) ||
                                  (id < work->first_call && idset_has(&known, call->site))))
            result = idtable_add(&work->index, hash_of, work, id);
    }
    idset_fini(&known);
    return result;
}

static status find_slow(struct work *work, uint32_t caller, uint32_t site, uint32_t *found) {
    status result = work->index.slots == NULL ? make_index(work) : STATUS_OK;
    if (result == STATUS_OK)
        result = idtable_reserve(&work->index, hash_of, work);
    if (result != STATUS_OK)
        return result;
    size_t slot = idtable_first(&work->index, hash_key(caller, site));
    while ((*found = idtable_at(&work->index, slot)) != 0 && !is_call(work->self, *found, caller, site))
        slot = idtable_next(&work->index, slot);
    if (*found == 0) {
        *found = add_call(work->self, caller, site);
        idtable_put(&work->index, slot, *found);
    }
    return STATUS_OK;
}

/* --- numbering --- */

static status find_call(struct work *work, uint32_t caller, uint32_t site, uint32_t *found) {
    struct joincalls *self = work->self;
    status result = STATUS_OK;
    bool doubled = idset_has(&work->doubled, caller);
    if (!doubled && (caller >= work->first_call || site >= work->first_site)) {
        *found = add_call(self, caller, site);
        return STATUS_OK;
    }
    if (work->next < self->count && is_call(self, work->next, caller, site))
        *found = work->next;
    else
        result = find_slow(work, caller, site, found);
    if (result != STATUS_OK)
        return result;
    work->next = *found + 1;
    if (doubled) /* so may be all below: what is called there is not known yet */
        idset_add(&work->doubled, *found);
    return STATUS_OK;
}

/* What the root calls, first of all: whether a call is doubled must be known before what is below it is numbered. */
static void number_roots(struct work *work) {
    struct joincalls *self = work->self;
    const struct joined_tree *tree = work->tree;
    for (uint32_t node = 1; node < tree->end; node++) {
        const struct node *here = node_get(tree->paths, node);
        if (here->parent != 0)
            continue;
        uint32_t site = site_number(&self->sites, here->site), *root = &work->roots[site];
        if (*root == 0)
            *root = add_call(self, 0, site);
        else if (idset_has(&work->met, *root))
            idset_add(&work->doubled, *root);
        idset_add(&work->met, *root);
        tree->calls[node] = *root;
    }
}

static status number_others(struct work *work) {
    const struct joincalls *self = work->self;
    const struct joined_tree *tree = work->tree;
    work->next = 1;
    for (uint32_t node = 1; node < tree->end; node++) {
        const struct node *here = node_get(tree->paths, node);
        if (here->parent == 0)
            continue;
        status result = find_call(work, tree->calls[here->parent], site_number(&self->sites, here->site),
                                  &tree->calls[node]); /* callers have smaller ids */
        if (result != STATUS_OK)
            return result;
    }
    return STATUS_OK;
}

static status number_tree(struct work *work, const struct joined_tree *tree) {
    struct joincalls *self = work->self;
    work->tree = tree;
    work->first_call = self->count;
    work->first_site = self->sites.firsts[self->sites.count];
    status result = sitenumbers_add(&self->sites, tree->paths);
    if (result == STATUS_OK)
        result = idset_init(&work->met, self->account, (uint32_t)self->most);
    if (result == STATUS_OK)
        result = idset_init(&work->doubled, self->account, (uint32_t)self->most);
    if (result == STATUS_OK) {
        number_roots(work);
        result = number_others(work);
    }
    idset_fini(&work->met);
    idset_fini(&work->doubled);
    idtable_fini(&work->index);
    sitenumbers_forget(&self->sites);
    return result;
}

static size_t sites_of_all(const struct joincalls *self) {
    size_t sites = 0;
    for (size_t at = 0; at < self->tree_count; at++)
        sites += callpaths_ends(self->trees[at].paths).sites;
    return sites;
}

status joincalls_number(struct joincalls *self) {
    struct work work = {.self = self};
    size_t roots_bytes = sites_of_all(self) * sizeof *work.roots;
    if (self->most >= UINT32_MAX)
        return STATUS_FULL;
    self->calls = vmem_map(self->account, self->most * sizeof *self->calls);
    work.roots = vmem_map(self->account, roots_bytes);
    status result = self->calls == NULL || work.roots == NULL ? STATUS_NOMEM : STATUS_OK;
    self->count = 1;
    for (size_t at = 0; at < self->tree_count && result == STATUS_OK; at++)
        result = number_tree(&work, &self->trees[at]);
    vmem_unmap(self->account, work.roots, roots_bytes);
    return result;
}

/* --- life --- */

status joincalls_tree(struct joincalls *self, struct callpaths *paths, struct joined_tree **tree) {
    size_t at = 0;
    while (at < self->tree_count && self->trees[at].paths != paths)
        at++;
    *tree = &self->trees[at];
    if (at < self->tree_count)
        return STATUS_OK;
    assert(at < JOINCALLS_MOST);
    **tree = (struct joined_tree){.paths = paths, .end = callpaths_ends(paths).nodes};
    (*tree)->calls = vmem_map(self->account, (*tree)->end * sizeof *(*tree)->calls);
    if ((*tree)->calls == NULL)
        return STATUS_NOMEM;
    self->most += (*tree)->end;
    self->tree_count++;
    return STATUS_OK;
}

void joincalls_init(struct joincalls *self, struct vmem *account) {
    *self = (struct joincalls){.account = account};
    sitenumbers_init(&self->sites, account);
}

void joincalls_fini(struct joincalls *self) {
    for (size_t at = 0; at < self->tree_count; at++)
        vmem_unmap(self->account, self->trees[at].calls, self->trees[at].end * sizeof(uint32_t));
    vmem_unmap(self->account, self->calls, self->most * sizeof *self->calls);
    sitenumbers_fini(&self->sites);
    memset(self, 0, sizeof *self);
}
