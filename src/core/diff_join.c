/* diff_join: a hash join of the groups of two snapshots (diff_join.h). One thread; the snapshots are only read.
 *
 * Keys are compared as numbers: the old side's file and function names are translated into the new side's ids
 * first, each name once (namemap.h).
 */
#include "diff_join.h"
#include "namemap.h"

#include <string.h>

/* The bits of a hash that are kept: few in tiny builds, so that different keys share hashes in every test. */
#define HASH_KEPT SIZED(UINT64_MAX, UINT64_C(1))

struct join {
    const struct groups *now, *old;
    enum key key;
    struct namemap names; /* old to new */
    struct idtable index; /* groups of `now`, + 1, by key */
    uint64_t *hashes;     /* of the groups of `now` */
    size_t hashes_bytes;
    struct changes *changes; /* the result */
};

static uint64_t hash_of(const void *owner, uint32_t id) {
    return ((const struct join *)owner)->hashes[id - 1];
}

static uint64_t hash_pair(uint64_t hash, uint32_t a, uint32_t b) {
    return hash_mix(hash ^ ((uint64_t)a << 32 | b));
}

/* In names of the new side; false where it does not have one of them. */
static bool hash_key(struct join *join, bool of_old, const struct group *group, uint64_t *result) {
    uint64_t hash = hash_mix((uintptr_t)join->hashes ^ group->frames);
    uint32_t file = of_old ? namemap_find(&join->names, group->file) : group->file;
    uint32_t other = group->domain; /* KEY_DOMAIN: file and line are 0 */
    if (join->key == KEY_LINENO)
        other = group->line;
    else if (join->key == KEY_FUNCTION)
        other = of_old ? namemap_find(&join->names, group->function) : group->function;
    *result = hash_mix(hash_pair(hash, file, other)) & HASH_KEPT;
    return file != NAME_MISSING && (join->key != KEY_FUNCTION || other != NAME_MISSING);
}

static bool same_key(struct join *join, const struct group *now, const struct group *old) {
    if (now->frames != old->frames)
        return false;
    switch (join->key) {
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
    status result = STATUS_OK;
    if (join->key == KEY_DOMAIN || join->now->snapshot->paths == join->old->snapshot->paths)
        return STATUS_OK;
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

/* All groups of `now` with their differences, then the old ones that are gone. */
static void fill(struct join *join) {
    struct changes *changes = join->changes;
    changes->count = join->now->count;
    for (size_t i = 0; i < join->now->count; i++)
        change_set(&changes->items[i], &join->now->items[i], NULL);
    for (size_t i = 0; i < join->old->count; i++) {
        const struct group *old = &join->old->items[i];
        size_t at = find_now(join, old);
        if (at < join->now->count)
            change_set(&changes->items[at], &join->now->items[at], old);
        else
            change_set(&changes->items[changes->count++], NULL, old);
    }
}

static status join_init(struct join *join, struct vmem *account) {
    join->hashes_bytes = join->now->count * sizeof *join->hashes;
    join->hashes = join->now->count == 0 ? NULL : vmem_map(account, join->hashes_bytes);
    if (join->hashes == NULL && join->now->count > 0)
        return STATUS_NOMEM;
    status result = namemap_init(&join->names, account, join->old->snapshot->paths,
                                 join->now->snapshot->paths);
    return result != STATUS_OK ? result : idtable_init(&join->index, account);
}

status diff_join(struct changes *changes, enum key key) {
    struct vmem *account = changes->now.snapshot->account;
    struct join join = {.now = &changes->now, .old = &changes->old, .key = key, .changes = changes};
    status result = changes_reserve(changes, changes->now.count + changes->old.count);
    if (result != STATUS_OK || changes->bytes == 0)
        return result;
    result = join_init(&join, account);
    if (result == STATUS_OK)
        result = offer_names(&join);
    if (result == STATUS_OK)
        result = index_now(&join);
    if (result == STATUS_OK)
        fill(&join);
    vmem_unmap(account, join.hashes, join.hashes_bytes);
    namemap_fini(&join.names);
    idtable_fini(&join.index);
    return result;
}
