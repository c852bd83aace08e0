/* keyindex: see keyindex.h. One thread; the snapshots are only read. */
#include "keyindex.h"

#include <string.h>

/* The bits of a hash that are kept: few in tiny builds, so that different keys share hashes in every test. */
#define HASH_KEPT SIZED(UINT64_MAX, UINT64_C(1) << 63)

/* --- keys, in our names --- */

struct key_names {
    uint32_t file; /* or the domain, which has no name */
    uint32_t function;
};

static uint64_t hash_key(const struct keyindex *self, const struct group *group, struct key_names names) {
    uint32_t other = self->key == KEY_FUNCTION ? names.function : group->line; /* 0 but by line */
    uint64_t hash = hash_mix(self->seed ^ group->frames);
    return hash_mix(hash_mix(hash ^ ((uint64_t)names.file << 32 | other))) & HASH_KEPT;
}

static bool same_key(const struct keyindex *self, const struct group *ours, const struct group *other,
                     struct key_names names) {
    if (ours->frames != other->frames)
        return false;
    return ours->file == names.file &&
           (self->key == KEY_FUNCTION ? ours->function == names.function : ours->line == other->line);
}

/* --- the index --- */

static uint64_t hash_of(const void *owner, uint32_t id) {
    const struct keyindex *self = owner;
    const struct group *group = &self->groups->items[id - 1];
    return hash_key(self, group, (struct key_names){group->file, group->function});
}

static status put_groups(struct keyindex *self) {
    status result = STATUS_OK;
    for (size_t i = 0; i < self->groups->count && result == STATUS_OK; i++)
        result = idtable_add(&self->index, hash_of, self, (uint32_t)i + 1);
    return result;
}

status keyindex_init(struct keyindex *self, const struct groups *groups, enum key key) {
    struct vmem *account = groups->snapshot->account;
    assert(key != KEY_TRACEBACK);
    *self = (struct keyindex){.groups = groups, .key = key};
    /* Where groups lie differs from run to run: a file made elsewhere cannot aim at one chain. */
    self->seed = hash_mix((uintptr_t)groups->items);
    status result = idtable_init_for(&self->index, account, groups->count);
    return result == STATUS_OK ? put_groups(self) : result;
}

void keyindex_fini(struct keyindex *self) {
    idtable_fini(&self->index);
    memset(self, 0, sizeof *self);
}

/* --- from another snapshot --- */

/* Our names, as far as our keys have them. */
static status offer_names(struct keysearch *search) {
    const struct keyindex *index = search->index;
    status result = STATUS_OK;
    if (index->key == KEY_DOMAIN || search->names.from == search->names.to)
        return STATUS_OK;
    for (size_t i = 0; i < index->groups->count && result == STATUS_OK; i++) {
        result = namemap_offer(&search->names, index->groups->items[i].file);
        if (result == STATUS_OK && index->key == KEY_FUNCTION)
            result = namemap_offer(&search->names, index->groups->items[i].function);
    }
    return result;
}

status keysearch_init(struct keysearch *search, const struct keyindex *index, const struct snapshot *other) {
    const struct snapshot *ours = index->groups->snapshot;
    *search = (struct keysearch){.index = index};
    status result = namemap_init(&search->names, ours->account, other->paths, ours->paths);
    return result == STATUS_OK ? offer_names(search) : result;
}

void keysearch_fini(struct keysearch *search) {
    namemap_fini(&search->names);
    memset(search, 0, sizeof *search);
}

size_t keysearch_find(struct keysearch *search, const struct group *group) {
    const struct keyindex *index = search->index;
    struct key_names names = {index->key == KEY_DOMAIN ? group->domain
                                                       : namemap_find(&search->names, group->file),
                              index->key == KEY_FUNCTION ? namemap_find(&search->names, group->function) : 0};
    if (index->key != KEY_DOMAIN && (names.file == NAME_MISSING || names.function == NAME_MISSING))
        return index->groups->count;
    const struct group *groups = index->groups->items;
    if (search->next < index->groups->count && same_key(index, &groups[search->next], group, names))
        return search->next++;
    size_t slot = idtable_first(&index->index, hash_key(index, group, names));
    for (uint32_t id; (id = idtable_at(&index->index, slot)) != 0; slot = idtable_next(&index->index, slot)) {
        if (same_key(index, &groups[id - 1], group, names)) {
            search->next = id;
            return id - 1;
        }
    }
    return index->groups->count;
}
