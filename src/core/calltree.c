/* calltree: sites and nodes by content (calltree.h). Written under the paths' lock, read by any thread. */
#include "calltree.h"

#include <string.h>

#define MOST_NODES ((size_t)1 << NODE_BITS)
#define MOST_SITES ((size_t)1 << SITE_BITS)

static uint64_t hash_site(const struct site *site) {
    return hash_mix(hash_mix((uint64_t)site->file << 32 | site->function) ^ site->line);
}

static uint64_t hash_node(uint32_t parent, uint32_t site, uint32_t depth) {
    return hash_mix(hash_mix((uint64_t)parent << 32 | site) ^ depth);
}

static uint64_t hash_of_site(const void *owner, uint32_t id) { return hash_site(site_get(owner, id)); }

static uint64_t hash_of_node(const void *owner, uint32_t id) {
    const struct node *node = node_get(owner, id);
    return hash_node(node->parent, node->site, node->depth);
}

static status init(struct callpaths *paths, struct vmem *account) {
    static uint64_t made; /* atomic */
    paths->account = account;
    paths->serial = __atomic_add_fetch(&made, 1, __ATOMIC_RELAXED);
    paths->references = 1;
    lock_init(&paths->lock, LOCK_PATHS);
    status result;
    if ((result = strtab_init(&paths->strings, account)) != STATUS_OK ||
        (result = region_init(&paths->sites, account, MOST_SITES * sizeof(struct site))) != STATUS_OK ||
        (result = region_init(&paths->nodes, account, MOST_NODES * sizeof(struct node))) != STATUS_OK ||
        (result = region_grow(&paths->sites, sizeof(struct site))) != STATUS_OK ||
        (result = region_grow(&paths->nodes, sizeof(struct node))) != STATUS_OK ||
        (result = idtable_init_narrow(&paths->site_index, account)) != STATUS_OK)
        return result;
    paths->site_count = paths->node_count = 1;
    return idtable_init_narrow(&paths->node_index, account);
}

static void free_all(struct callpaths *paths) {
    strtab_fini(&paths->strings);
    region_fini(&paths->sites);
    region_fini(&paths->nodes);
    idtable_fini(&paths->site_index);
    idtable_fini(&paths->node_index);
    lock_fini(&paths->lock);
    vmem_unmap(paths->account, paths, sizeof *paths);
}

struct callpaths *callpaths_new(struct vmem *account) {
    struct callpaths *paths = vmem_map(account, sizeof *paths);
    if (paths == NULL)
        return NULL;
    if (init(paths, account) != STATUS_OK) {
        free_all(paths);
        return NULL;
    }
    return paths;
}

void callpaths_retain(struct callpaths *paths) {
    __atomic_fetch_add((uint32_t *)&paths->references, 1, __ATOMIC_RELAXED);
}

void callpaths_release(struct callpaths *paths) {
    /* acquire-release: whoever frees sees all that the others wrote */
    if (paths != NULL && __atomic_sub_fetch((uint32_t *)&paths->references, 1, __ATOMIC_ACQ_REL) == 0)
        free_all(paths);
}

status site_append_locked(struct callpaths *paths, const struct site *site) {
    assert(lock_is_mine(&paths->lock));
    if (paths->site_count >= MOST_SITES)
        return STATUS_FULL;
    status result = region_grow(&paths->sites, ((size_t)paths->site_count + 1) * sizeof *site);
    if (result == STATUS_OK)
        ((struct site *)paths->sites.base)[paths->site_count++] = *site;
    return result;
}

status sites_index_locked(struct callpaths *paths) {
    struct idtable index;
    status result = idtable_init_for(&index, paths->account, paths->site_count);
    for (uint32_t id = 1; id < paths->site_count && result == STATUS_OK; id++)
        result = idtable_add(&index, hash_of_site, paths, id);
    if (result != STATUS_OK) {
        idtable_fini(&index);
        return result;
    }
    idtable_fini(&paths->site_index);
    paths->site_index = index;
    return STATUS_OK;
}

status site_intern_locked(struct callpaths *paths, const struct site *site, uint32_t *id) {
    assert(lock_is_mine(&paths->lock));
    status result = idtable_reserve_id(&paths->site_index, hash_of_site, paths, paths->site_count);
    if (result != STATUS_OK)
        return result;
    struct idtable *index = &paths->site_index;
    size_t slot = idtable_first(index, hash_site(site));
    for (uint32_t found; (found = idtable_at(index, slot)) != 0; slot = idtable_next(index, slot)) {
        const struct site *known = site_get(paths, found);
        if (known->file == site->file && known->line == site->line && known->function == site->function) {
            *id = found;
            return STATUS_OK;
        }
    }
    result = site_append_locked(paths, site);
    if (result != STATUS_OK)
        return result;
    *id = paths->site_count - 1;
    idtable_put(index, slot, *id);
    return STATUS_OK;
}

/* Names and sites are only made for the sake of nodes, so it is enough to look here. */
static void update_weight(struct callpaths *paths) {
    uint32_t names = (uint32_t)(strtab_bytes(&paths->strings) / NAME_BYTES_PER_NODE);
    __atomic_store_n((uint32_t *)&paths->weight, paths->node_count + names, __ATOMIC_RELAXED);
}

status node_append_locked(struct callpaths *paths, uint32_t parent, uint32_t site, uint32_t depth) {
    assert(lock_is_mine(&paths->lock));
    assert(parent < paths->node_count && site < paths->site_count);
    if (paths->node_count >= MOST_NODES)
        return STATUS_FULL;
    status result = region_grow(&paths->nodes, ((size_t)paths->node_count + 1) * sizeof(struct node));
    if (result == STATUS_OK)
        ((struct node *)paths->nodes.base)[paths->node_count++] = node_make(parent, site, depth);
    return result;
}

static bool is_node(const struct callpaths *paths, uint32_t id, uint32_t parent, uint32_t site,
                    uint32_t depth) {
    const struct node *node = node_get(paths, id);
    return node->parent == parent && node->site == site && node->depth == depth;
}

/* The slot of the index with this node, or the empty one where it would go. */
static size_t slot_of_node(const struct callpaths *paths, uint32_t parent, uint32_t site, uint32_t depth) {
    const struct idtable *index = &paths->node_index;
    size_t slot = idtable_first(index, hash_node(parent, site, depth));
    while (idtable_at(index, slot) != 0 && !is_node(paths, idtable_at(index, slot), parent, site, depth))
        slot = idtable_next(index, slot);
    return slot;
}

static status intern_unexpected(struct callpaths *paths, uint32_t parent, uint32_t site, uint32_t depth,
                                uint32_t *id) {
    status result = idtable_reserve_id(&paths->node_index, hash_of_node, paths, paths->node_count);
    if (result != STATUS_OK)
        return result;
    size_t slot = slot_of_node(paths, parent, site, depth);
    *id = idtable_at(&paths->node_index, slot);
    if (*id != 0)
        return STATUS_OK;
    result = node_append_locked(paths, parent, site, depth);
    if (result != STATUS_OK)
        return result;
    *id = paths->node_count - 1;
    idtable_put(&paths->node_index, slot, *id);
    update_weight(paths);
    return STATUS_OK;
}

enum { EXPECTED_AHEAD = 3 };

/* One of the few behind the last ones that were asked for; not all are asked for each time (walk.h remembers some). */
static bool find_expected(struct callpaths *paths, uint32_t parent, uint32_t site, uint32_t depth,
                          uint32_t *id) {
    for (uint32_t i = 0; i < EXPECTED; i++) {
        const uint32_t first = paths->expected[i];
        for (*id = first; *id < paths->node_count && *id - first < EXPECTED_AHEAD; ++*id) {
            if (is_node(paths, *id, parent, site, depth)) {
                paths->expected[i] = *id + 1;
                paths->forgettable = (i + 1) % EXPECTED;
                return true;
            }
        }
    }
    return false;
}

status node_intern_locked(struct callpaths *paths, uint32_t parent, uint32_t site, uint32_t depth,
                          uint32_t *id) {
    assert(lock_is_mine(&paths->lock));
    assert(parent < paths->node_count && site < paths->site_count);
    assert(paths->node_index.count == paths->node_count - 1); /* nothing was appended */
    depth = capped_depth(depth);
    if (find_expected(paths, parent, site, depth, id))
        return STATUS_OK;
    status result = intern_unexpected(paths, parent, site, depth, id);
    if (result == STATUS_OK)
        paths->expected[paths->forgettable] = *id + 1;
    return result;
}

status path_named_locked(struct callpaths *paths, const char *name, uint32_t *node) {
    struct site site = {0};
    uint32_t id = 0;
    status result = strtab_intern(&paths->strings, name, strlen(name), &site.file);
    if (result == STATUS_OK)
        result = site_intern_locked(paths, &site, &id);
    return result == STATUS_OK ? node_intern_locked(paths, 0, id, 1, node) : result;
}

struct path_ends callpaths_ends(struct callpaths *paths) {
    lock_acquire(&paths->lock);
    struct path_ends ends = {paths->strings.count, paths->site_count, paths->node_count};
    lock_release(&paths->lock);
    return ends;
}

void callpaths_seal(struct callpaths *paths) {
    idtable_fini(&paths->site_index);
    idtable_fini(&paths->node_index);
}

/* All that is there has an entry in the index, or, where it was appended, nothing has. */
static bool index_check(const struct idtable *index, uint32_t count) {
    return index->count == count - 1 || index->count == 0;
}

bool callpaths_check(const struct callpaths *paths) {
    for (uint32_t id = 1; id < paths->node_count; id++) {
        const struct node *node = node_get(paths, id);
        if (node->parent >= id || node->site >= paths->site_count)
            return false;
        if (node->depth == 0 ||
            (node->parent != 0 && node->depth != capped_depth(node_get(paths, node->parent)->depth + 1)))
            return false;
    }
    for (uint32_t id = 1; id < paths->site_count; id++) {
        const struct site *site = site_get(paths, id);
        if (site->file >= paths->strings.count || site->function >= paths->strings.count)
            return false;
    }
    return index_check(&paths->node_index, paths->node_count) &&
           index_check(&paths->site_index, paths->site_count) &&
           index_check(&paths->strings.index, paths->strings.count);
}
