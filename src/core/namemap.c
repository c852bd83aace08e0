/* namemap: see namemap.h. One thread; the call paths are only read. */
#include "namemap.h"

#include <string.h>

uint64_t name_hash(uint64_t seed, struct string name) {
    uint64_t hash = hash_mix(seed ^ name.length);
    for (uint64_t word; name.length >= sizeof word; name.bytes += sizeof word, name.length -= sizeof word) {
        memcpy(&word, name.bytes, sizeof word);
        hash = hash_mix(hash ^ word);
    }
    uint64_t rest = 0;
    memcpy(&rest, name.bytes, name.length);
    return hash_mix(hash ^ rest);
}

bool name_equal(struct string a, struct string b) {
    return a.length == b.length && memcmp(a.bytes, b.bytes, a.length) == 0;
}

/* Where the table lies differs from run to run: a file made elsewhere cannot aim at one chain. */
static uint64_t hash_of(const void *owner, uint32_t id) {
    const struct namemap *map = owner;
    return name_hash((uintptr_t)map->known, strtab_get(&map->to->strings, id));
}

status namemap_init(struct namemap *map, struct vmem *account, struct callpaths *from, struct callpaths *to) {
    memset(map, 0, sizeof *map);
    map->from = from;
    map->to = to;
    map->account = account;
    if (from == to)
        return STATUS_OK;
    size_t bytes = callpaths_ends(from).strings * sizeof *map->known;
    map->known = vmem_map(account, bytes);
    if (map->known == NULL)
        return STATUS_NOMEM;
    map->known_bytes = bytes;
    status result = idtable_init(&map->index, account);
    if (result == STATUS_OK)
        result = idset_init(&map->offered, account, callpaths_ends(to).strings);
    if (result != STATUS_OK)
        namemap_fini(map);
    return result;
}

void namemap_fini(struct namemap *map) {
    vmem_unmap(map->account, map->known, map->known_bytes);
    idtable_fini(&map->index);
    if (map->offered.words != NULL)
        idset_fini(&map->offered);
    memset(map, 0, sizeof *map);
}

status namemap_offer(struct namemap *map, uint32_t to) {
    if (map->from == map->to || to == 0 || idset_has(&map->offered, to)) /* 0 is "" everywhere */
        return STATUS_OK;
    status result = idtable_add(&map->index, hash_of, map, to);
    if (result == STATUS_OK)
        idset_add(&map->offered, to);
    return result;
}

uint32_t namemap_find(struct namemap *map, uint32_t from) {
    if (map->from == map->to || from == 0)
        return from;
    if (map->known[from] != 0)
        return map->known[from] == NAME_MISSING ? NAME_MISSING : map->known[from] - 1;
    uint32_t found;
    struct string name = strtab_get(&map->from->strings, from);
    size_t slot = idtable_first(&map->index, name_hash((uintptr_t)map->known, name));
    for (; (found = idtable_at(&map->index, slot)) != 0; slot = idtable_next(&map->index, slot)) {
        if (name_equal(name, strtab_get(&map->to->strings, found)))
            break;
    }
    map->known[from] = found == 0 ? NAME_MISSING : found + 1;
    return found == 0 ? NAME_MISSING : found;
}
