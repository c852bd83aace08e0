/* codemap: instructions and the code objects they belong to (codemap.h). Under the main interpreter's GIL. */
#include "codemap.h"

#include <string.h>

enum { FIRST_ENTRIES = SIZED(256, 4) };

static size_t home(uint64_t key, size_t size) { return ring_first(hash_mix(key), size); }

/* The entry of a key, or the empty one where it would go. */
static struct codemap_entry *find(const struct codemap *map, uint64_t key) {
    size_t i = home(key, map->size);
    while (map->entries[i].key != 0 && map->entries[i].key != key)
        i = ring_next(i, map->size);
    return &map->entries[i];
}

status codemap_init(struct codemap *map, struct vmem *account) {
    *map = (struct codemap){.size = FIRST_ENTRIES, .account = account};
    map->entries = vmem_map(account, FIRST_ENTRIES * sizeof *map->entries);
    return map->entries != NULL ? STATUS_OK : STATUS_NOMEM;
}

void codemap_fini(struct codemap *map) {
    if (map->entries != NULL)
        vmem_unmap(map->account, map->entries, map->size * sizeof *map->entries);
    memset(map, 0, sizeof *map);
}

bool codemap_get(const struct codemap *map, uintptr_t instr, uint32_t *site) {
    const struct codemap_entry *entry = find(map, instr);
    *site = entry->site;
    return entry->key != 0;
}

bool codemap_asked(struct codemap *map, uintptr_t instr) {
    const size_t bit = home(instr, ASKED_BITS);
    const uint64_t mask = UINT64_C(1) << bit % 64;
    const bool asked = (map->asked[bit / 64] & mask) != 0;
    map->asked[bit / 64] |= mask;
    return asked;
}

bool codemap_knows(const struct codemap *map, uintptr_t code) { return find(map, code | 1)->key != 0; }

static cold_path status grow(struct codemap *map) {
    struct codemap_entry *const old = map->entries;
    const size_t old_size = map->size, size = ring_larger(old_size);
    struct codemap_entry *const entries = vmem_map(map->account, size * sizeof *entries);
    if (entries == NULL)
        return STATUS_NOMEM;
    map->entries = entries;
    map->size = size;
    for (size_t i = 0; i < old_size; i++) {
        if (old[i].key != 0)
            *find(map, old[i].key) = old[i];
    }
    vmem_unmap(map->account, old, old_size * sizeof *old);
    return STATUS_OK;
}

status codemap_put(struct codemap *map, uintptr_t code, uintptr_t instr, uint32_t site) {
    if ((map->count + 2) * 4 > map->size * 3) {
        status result = grow(map);
        if (result != STATUS_OK)
            return result;
    }
    struct codemap_entry *head = find(map, code | 1);
    if (head->key == 0) {
        *head = (struct codemap_entry){code | 1, 0, 0};
        map->count++;
    }
    uint32_t next = head->next;
    head->next = (uint32_t)(instr - code) + 1;
    struct codemap_entry *entry = find(map, instr);
    assert(entry->key == 0);
    *entry = (struct codemap_entry){instr, site, next};
    map->count++;
    return STATUS_OK;
}

static void remove_entry(struct codemap *map, struct codemap_entry *entry) {
    size_t size = map->size, hole = (size_t)(entry - map->entries);
    for (size_t i = ring_next(hole, size); map->entries[i].key != 0; i = ring_next(i, size)) {
        size_t wanted = home(map->entries[i].key, size);
        if (ring_distance(wanted, i, size) >= ring_distance(hole, i, size)) {
            map->entries[hole] = map->entries[i];
            hole = i;
        }
    }
    map->entries[hole] = (struct codemap_entry){0};
    map->count--;
}

struct linetable_place *codemap_place(struct codemap *map, uintptr_t code, int first_line, uint32_t unit) {
    if (map->reading != code || map->place.unit > unit) {
        map->reading = code;
        map->place = (struct linetable_place){.line = first_line};
    }
    return &map->place;
}

void codemap_forget(struct codemap *map, uintptr_t code) {
    if (map->reading == code)
        map->reading = 0;
    struct codemap_entry *entry = find(map, code | 1);
    if (entry->key == 0)
        return;
    uint32_t next = entry->next;
    remove_entry(map, entry);
    while (next != 0) {
        entry = find(map, code + next - 1);
        next = entry->next;
        remove_entry(map, entry);
    }
}

bool codemap_check(const struct codemap *map) {
    size_t count = 0;
    for (size_t i = 0; i < map->size; i++) {
        uint64_t key = map->entries[i].key;
        if (key == 0)
            continue;
        count++;
        if (find(map, key) != &map->entries[i])
            return false;
        if (map->entries[i].next != 0 && (key & 1) != 0 &&
            find(map, (key & ~UINT64_C(1)) + map->entries[i].next - 1)->key == 0)
            return false;
    }
    return count == map->count;
}
