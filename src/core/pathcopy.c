/* pathcopy: see pathcopy.h. One thread; `from` is only read. */
#include "pathcopy.h"

#include <string.h>

static size_t bytes_of(const struct pathcopy *copy) {
    return ((size_t)copy->ends.strings + copy->ends.sites + 2 * (size_t)copy->ends.nodes) * sizeof(uint32_t);
}

static status map_tables(struct pathcopy *copy) {
    copy->strings = vmem_map(copy->account, bytes_of(copy));
    if (copy->strings == NULL)
        return STATUS_NOMEM;
    copy->sites = copy->strings + copy->ends.strings;
    copy->nodes = copy->sites + copy->ends.sites;
    copy->stack = copy->nodes + copy->ends.nodes;
    return STATUS_OK;
}

status pathcopy_init(struct pathcopy *copy, struct vmem *account, struct callpaths *from,
                     struct callpaths *to) {
    *copy = (struct pathcopy){.account = account, .from = from, .to = to, .ends = callpaths_ends(from)};
    return map_tables(copy);
}

status pathcopy_sites_init(struct pathcopy *copy, struct vmem *account, struct callpaths *from,
                           struct callpaths *to) {
    *copy = (struct pathcopy){.account = account, .from = from, .to = to, .ends = callpaths_ends(from)};
    copy->ends.nodes = 0;
    return map_tables(copy);
}

void pathcopy_fini(struct pathcopy *copy) {
    if (copy->strings != NULL)
        vmem_unmap(copy->account, copy->strings, bytes_of(copy));
    memset(copy, 0, sizeof *copy);
}

static status copy_string_locked(struct pathcopy *copy, uint32_t from, uint32_t *to) {
    status result = STATUS_OK;
    assert(from < copy->ends.strings);
    if (copy->strings[from] == 0) {
        struct string name = strtab_get(&copy->from->strings, from);
        uint32_t id;
        result = strtab_intern(&copy->to->strings, name.bytes, name.length, &id);
        if (result == STATUS_OK)
            copy->strings[from] = id + 1;
    }
    *to = copy->strings[from] - 1;
    return result;
}

/* Sites that were all appended have an index only once somebody looks for one. */
static status intern_slow_locked(struct callpaths *paths, const struct site *site, uint32_t *id) {
    status result = STATUS_OK;
    if (paths->site_index.count != paths->site_count - 1)
        result = sites_index_locked(paths);
    return result == STATUS_OK ? site_intern_locked(paths, site, id) : result;
}

/* As site_intern_locked. Two files of one program have their sites in one order, but for a few. */
static status intern_site_locked(struct pathcopy *copy, const struct site *site, uint32_t *id) {
    const struct site *likely_one = site_get(copy->to, copy->next);
    status result = STATUS_OK;
    *id = 0;
    if (copy->next < copy->to->site_count && likely_one->file == site->file &&
        likely_one->line == site->line && likely_one->function == site->function)
        *id = copy->next;
    else
        result = intern_slow_locked(copy->to, site, id);
    copy->next = *id + 1;
    return result;
}

static status copy_site_locked(struct pathcopy *copy, uint32_t from, uint32_t *to) {
    struct site site = *site_get(copy->from, from);
    status result = STATUS_OK;
    if (copy->sites[from] == 0) {
        uint32_t id;
        result = copy_string_locked(copy, site.file, &site.file);
        if (result == STATUS_OK)
            result = copy_string_locked(copy, site.function, &site.function);
        if (result == STATUS_OK)
            result = intern_site_locked(copy, &site, &id);
        if (result == STATUS_OK)
            copy->sites[from] = id + 1;
    }
    *to = copy->sites[from] - 1;
    return result;
}

status pathcopy_string(struct pathcopy *copy, uint32_t from, uint32_t *to) {
    lock_acquire(&copy->to->lock);
    status result = copy_string_locked(copy, from, to);
    lock_release(&copy->to->lock);
    return result;
}

status pathcopy_site(struct pathcopy *copy, uint32_t from, uint32_t *to) {
    lock_acquire(&copy->to->lock);
    status result = copy_site_locked(copy, from, to);
    lock_release(&copy->to->lock);
    return result;
}

/* One node below `parent`, a node of `to`. */
static status copy_node_locked(struct pathcopy *copy, uint32_t from, uint32_t parent, uint32_t depth,
                               uint32_t *to) {
    uint32_t site;
    status result = copy_site_locked(copy, node_get(copy->from, from)->site, &site);
    return result != STATUS_OK ? result : node_intern_locked(copy->to, parent, site, depth, to);
}

/* Up to a caller that is known, then down again. */
static status copy_path_locked(struct pathcopy *copy, uint32_t from, uint32_t *to) {
    size_t steps = 0;
    uint32_t parent = 0;
    for (; from != 0 && copy->nodes[from] == 0; from = node_get(copy->from, from)->parent)
        copy->stack[steps++] = from;
    if (from != 0)
        parent = copy->nodes[from] - 1;
    while (steps > 0) {
        uint32_t node = copy->stack[--steps];
        status result = copy_node_locked(copy, node, parent, node_get(copy->from, node)->depth, &parent);
        if (result != STATUS_OK)
            return result;
        copy->nodes[node] = parent + 1;
    }
    *to = parent;
    return STATUS_OK;
}

static status copy_cut_locked(struct pathcopy *copy, uint32_t from, uint32_t limit, uint32_t *to) {
    size_t steps = 0;
    uint32_t parent = 0, depth = 1;
    for (; from != 0 && steps < limit; from = node_get(copy->from, from)->parent)
        copy->stack[steps++] = from;
    for (; steps > 0; depth++) {
        status result = copy_node_locked(copy, copy->stack[--steps], parent, depth, &parent);
        if (result != STATUS_OK)
            return result;
    }
    *to = parent;
    return STATUS_OK;
}

/* Into a set that has no sites: as these differ from each other, none has to be looked for. */
static status append_sites_locked(struct pathcopy *copy) {
    status result = STATUS_OK;
    for (uint32_t from = 1; from < copy->ends.sites && result == STATUS_OK; from++) {
        struct site site = *site_get(copy->from, from);
        result = copy_string_locked(copy, site.file, &site.file);
        if (result == STATUS_OK)
            result = copy_string_locked(copy, site.function, &site.function);
        if (result == STATUS_OK)
            result = site_append_locked(copy->to, &site);
        if (result == STATUS_OK)
            copy->sites[from] = copy->to->site_count;
    }
    return result;
}

status pathcopy_sites(struct pathcopy *copy) {
    status result = STATUS_OK;
    lock_acquire(&copy->to->lock);
    if (copy->to->site_count == 1)
        result = append_sites_locked(copy);
    for (uint32_t from = 1, to; from < copy->ends.sites && result == STATUS_OK; from++)
        result = copy_site_locked(copy, from, &to);
    lock_release(&copy->to->lock);
    return result;
}

status pathcopy_node(struct pathcopy *copy, uint32_t from, uint32_t *to) {
    if (copy->nodes[from] != 0) {
        *to = copy->nodes[from] - 1;
        return STATUS_OK;
    }
    lock_acquire(&copy->to->lock);
    status result = copy_path_locked(copy, from, to);
    lock_release(&copy->to->lock);
    return result;
}

status pathcopy_cut(struct pathcopy *copy, uint32_t from, uint32_t limit, uint32_t *to) {
    if (path_frames(copy->from, from, limit) < limit)
        return pathcopy_node(copy, from, to);
    lock_acquire(&copy->to->lock);
    status result = copy_cut_locked(copy, from, limit, to);
    lock_release(&copy->to->lock);
    return result;
}
