/* diff: see diff.h. Both group-bys, then a hash join of their groups. Any thread; the snapshots are only
 * read.
 *
 * The keys are compared as numbers: the old side's file and function names are translated into the new side's
 * ids first, each name once (namemap.h).
 */
#include "diff.h"
#include "grouping.h"
#include "namemap.h"
#include "sort.h"
#include "unrolled.h"

#include <string.h>

struct join {
    const struct groups *now, *old;
    enum key key;
    struct namemap names; /* old to new */
    struct idtable index; /* groups of `now`, + 1, by key */
    uint64_t *hashes;     /* of the groups of `now` */
    size_t hashes_bytes;
    struct change *items;
    struct unrolled unrolled; /* the tracebacks of `items`, where that pays; else zeroed */
};

static uint64_t hash_of(const void *owner, uint32_t id) {
    return ((const struct join *)owner)->hashes[id - 1];
}

static uint64_t hash_pair(uint64_t hash, uint32_t a, uint32_t b) {
    return hash_mix(hash ^ ((uint64_t)a << 32 | b));
}

static const struct site *node_site(const struct callpaths *paths, uint32_t node) {
    return site_get(paths, node_get(paths, node)->site);
}

/* In names of the new side; false where it does not have one of them. */
static bool hash_key(struct join *join, bool of_old, const struct group *group, uint64_t *result) {
    const struct callpaths *paths = of_old ? join->old->snapshot->paths : join->now->snapshot->paths;
    uint64_t hash = hash_mix((uintptr_t)join->hashes ^ group->frames);
    if (join->key == KEY_TRACEBACK) {
        uint32_t node = group->node;
        for (uint32_t left = group->frames; left > 0; left--, node = node_get(paths, node)->parent) {
            const struct site *site = node_site(paths, node);
            uint32_t file = of_old ? namemap_find(&join->names, site->file) : site->file;
            if (file == NAME_MISSING)
                return false;
            hash = hash_pair(hash, file, site->line);
        }
        *result = hash_mix(hash) & HASH_KEPT;
        return true;
    }
    uint32_t file = of_old ? namemap_find(&join->names, group->file) : group->file;
    uint32_t other = group->domain; /* KEY_DOMAIN: file and line are 0 */
    if (join->key == KEY_LINENO)
        other = group->line;
    else if (join->key == KEY_FUNCTION)
        other = of_old ? namemap_find(&join->names, group->function) : group->function;
    *result = hash_mix(hash_pair(hash, file, other)) & HASH_KEPT;
    return file != NAME_MISSING && (join->key != KEY_FUNCTION || other != NAME_MISSING);
}

static bool same_traceback(struct join *join, const struct group *now, const struct group *old) {
    const struct callpaths *now_paths = join->now->snapshot->paths, *old_paths = join->old->snapshot->paths;
    uint32_t now_node = now->node, old_node = old->node;
    for (uint32_t left = now->frames; left > 0; left--) {
        if (now_paths == old_paths && now_node == old_node)
            return true;
        const struct site *now_site = node_site(now_paths, now_node),
                          *old_site = node_site(old_paths, old_node);
        if (now_site->line != old_site->line || now_site->file != namemap_find(&join->names, old_site->file))
            return false;
        now_node = node_get(now_paths, now_node)->parent;
        old_node = node_get(old_paths, old_node)->parent;
    }
    return true;
}

static bool same_key(struct join *join, const struct group *now, const struct group *old) {
    if (now->frames != old->frames)
        return false;
    switch (join->key) {
    case KEY_TRACEBACK:
        return same_traceback(join, now, old);
    case KEY_DOMAIN:
        return now->domain == old->domain;
    case KEY_FUNCTION:
        return now->file == namemap_find(&join->names, old->file) &&
               now->function == namemap_find(&join->names, old->function);
    default:
        return now->line == old->line && now->file == namemap_find(&join->names, old->file);
    }
}

/* The new side's names, as far as its keys have them. */
static status offer_names(struct join *join) {
    const struct snapshot *now = join->now->snapshot;
    status result = STATUS_OK;
    if (join->key == KEY_DOMAIN || now->paths == join->old->snapshot->paths)
        return STATUS_OK;
    if (join->key == KEY_TRACEBACK) {
        struct idset files;
        result = snapshot_files(now, &files);
        if (result != STATUS_OK)
            return result;
        for (uint32_t id = idset_next(&files, 0); id < files.end && result == STATUS_OK;
             id = idset_next(&files, id + 1))
            result = namemap_offer(&join->names, id);
        idset_fini(&files);
        return result;
    }
    for (size_t i = 0; i < join->now->count && result == STATUS_OK; i++) {
        result = namemap_offer(&join->names, join->now->items[i].file);
        if (result == STATUS_OK && join->key == KEY_FUNCTION)
            result = namemap_offer(&join->names, join->now->items[i].function);
    }
    return result;
}

/* Puts the groups of `now` into the index; their keys differ. */
static status index_now(struct join *join) {
    for (size_t i = 0; i < join->now->count; i++) {
        status result = idtable_reserve(&join->index, hash_of, join);
        if (result != STATUS_OK)
            return result;
        hash_key(join, false, &join->now->items[i], &join->hashes[i]);
        size_t slot = idtable_first(&join->index, join->hashes[i]);
        while (join->index.slots[slot] != 0)
            slot = idtable_next(&join->index, slot);
        idtable_put(&join->index, slot, (uint32_t)i + 1);
    }
    return STATUS_OK;
}

/* The number of the group of `now` with the key of an old one, or the count of them. */
static size_t find_now(struct join *join, const struct group *old) {
    uint64_t hash;
    if (!hash_key(join, true, old, &hash))
        return join->now->count;
    size_t slot = idtable_first(&join->index, hash);
    for (uint32_t id; (id = join->index.slots[slot]) != 0; slot = idtable_next(&join->index, slot)) {
        if (join->hashes[id - 1] == hash && same_key(join, &join->now->items[id - 1], old))
            return id - 1;
    }
    return join->now->count;
}

static int64_t difference(uint64_t now, uint64_t old) {
    uint64_t distance = now > old ? now - old : old - now;
    int64_t capped = distance > INT64_MAX ? INT64_MAX : (int64_t)distance;
    return now > old ? capped : -capped;
}

/* All groups of `now` with their differences, then the old ones that are gone. The number of changes. */
static size_t fill(struct join *join) {
    size_t count = join->now->count;
    for (size_t i = 0; i < count; i++) {
        const struct group *group = &join->now->items[i];
        join->items[i] = (struct change){*group, false, difference(group->size, 0),
                                         difference(group->count, 0)};
    }
    for (size_t i = 0; i < join->old->count; i++) {
        const struct group *old = &join->old->items[i];
        size_t at = find_now(join, old);
        if (at < join->now->count) {
            struct change *change = &join->items[at];
            change->size_diff = difference(change->group.size, old->size);
            change->count_diff = difference(change->group.count, old->count);
        } else {
            struct change *change = &join->items[count++];
            *change = (struct change){*old, true, difference(0, old->size), difference(0, old->count)};
            change->group.size = change->group.count = 0;
        }
    }
    return count;
}

static uint64_t magnitude(int64_t number) { return (uint64_t)(number < 0 ? -number : number); }

static int descending(uint64_t a, uint64_t b) { return (a < b) - (a > b); }

/* Two changes of equal |size_diff|. */
static int order_changes(const void *owner, uint64_t a_index, uint64_t b_index) {
    const struct join *join = owner;
    const struct change *a = &join->items[a_index], *b = &join->items[b_index];
    int order = descending(a->group.size, b->group.size);
    if (order == 0)
        order = descending(magnitude(a->count_diff), magnitude(b->count_diff));
    if (order == 0)
        order = descending(a->group.count, b->group.count);
    if (order != 0)
        return order;
    if (join->unrolled.frames != NULL)
        return unrolled_order(&join->unrolled, b_index, a_index);
    return group_key_order((a->of_old ? join->old : join->now)->snapshot, &a->group,
                           (b->of_old ? join->old : join->now)->snapshot, &b->group, join->key);
}

/* Maps what a join needs, all of it before anything is counted. */
static status join_init(struct join *join, size_t most, struct vmem *account) {
    join->hashes_bytes = join->now->count * sizeof *join->hashes;
    join->items = vmem_map(account, most * sizeof *join->items);
    join->hashes = join->now->count == 0 ? NULL : vmem_map(account, join->hashes_bytes);
    if (join->items == NULL || (join->hashes == NULL && join->now->count > 0))
        return STATUS_NOMEM;
    status result = namemap_init(&join->names, account, join->old->snapshot->paths,
                                 join->now->snapshot->paths);
    return result != STATUS_OK ? result : idtable_init(&join->index, account);
}

static status unroll(struct join *join, size_t count) {
    size_t frames = 0;
    if (join->key != KEY_TRACEBACK)
        return STATUS_OK;
    for (size_t i = 0; i < count; i++)
        frames += join->items[i].group.frames;
    if (!unrolled_pays(count, frames))
        return STATUS_OK;
    status result = unrolled_init(&join->unrolled, join->now->snapshot, join->old->snapshot, count, frames);
    if (result != STATUS_OK)
        return result;
    for (size_t i = 0; i < count; i++)
        unrolled_add(&join->unrolled, join->items[i].of_old, &join->items[i].group);
    return unrolled_rank(&join->unrolled);
}

/* Copies the changes out, in order. */
static status sort_out(struct join *join, struct changes *changes, size_t most, struct vmem *account) {
    struct sort_item *items = vmem_map(account, 2 * most * sizeof *items);
    changes->bytes = most * sizeof *changes->items;
    changes->items = vmem_map(account, changes->bytes);
    status result = items == NULL || changes->items == NULL ? STATUS_NOMEM : STATUS_OK;
    size_t count = 0;
    if (result == STATUS_OK) {
        count = fill(join);
        result = unroll(join, count);
    }
    if (result == STATUS_OK) {
        changes->count = count;
        for (size_t i = 0; i < changes->count; i++)
            items[i] = (struct sort_item){magnitude(join->items[i].size_diff), i};
        sort_items(items, items + most, changes->count, order_changes, join);
        for (size_t i = 0; i < changes->count; i++)
            changes->items[i] = join->items[items[i].index];
    }
    vmem_unmap(account, items, 2 * most * sizeof *items);
    return result;
}

/* Joins the groups of both sides into sorted changes. */
static status join_groups(struct changes *changes, enum key key) {
    struct vmem *account = changes->now.snapshot->account;
    struct join join = {.now = &changes->now, .old = &changes->old, .key = key};
    size_t most = changes->now.count + changes->old.count;
    if (most == 0)
        return STATUS_OK;
    status result = join_init(&join, most, account);
    if (result == STATUS_OK)
        result = offer_names(&join);
    if (result == STATUS_OK)
        result = index_now(&join);
    if (result == STATUS_OK)
        result = sort_out(&join, changes, most, account);
    vmem_unmap(account, join.items, most * sizeof *join.items);
    vmem_unmap(account, join.hashes, join.hashes_bytes);
    namemap_fini(&join.names);
    idtable_fini(&join.index);
    unrolled_fini(&join.unrolled);
    return result;
}

status diff(struct snapshot *now, struct snapshot *old, enum key key, bool cumulative,
            struct changes *changes) {
    memset(changes, 0, sizeof *changes);
    status result = groupby(now, key, cumulative, &changes->now);
    if (result == STATUS_OK)
        result = groupby(old, key, cumulative, &changes->old);
    if (result == STATUS_OK)
        result = join_groups(changes, key);
    if (result != STATUS_OK)
        changes_fini(changes);
    return result;
}

void changes_fini(struct changes *changes) {
    if (changes->now.snapshot != NULL)
        vmem_unmap(changes->now.snapshot->account, changes->items, changes->bytes);
    groups_fini(&changes->now);
    groups_fini(&changes->old);
    memset(changes, 0, sizeof *changes);
}
