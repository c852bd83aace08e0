/* bigmap: the hash table of bigmap.h. Used under its partition's protector. */
#include "bigmap.h"

#include <string.h>

enum { FIRST_ENTRIES = SIZED(1024, 2) };

static size_t home(uintptr_t address, size_t mask) { return (hash_mix((uint64_t)address >> 4) >> 20) & mask; }

status bigmap_init(struct bigmap *map, struct vmem *account) {
    memset(map, 0, sizeof *map);
    status result = region_init(&map->listed, account, BIG_LISTED_MOST * sizeof(uint64_t));
    if (result != STATUS_OK)
        return result;
    map->entries = vmem_map(account, FIRST_ENTRIES * sizeof *map->entries);
    if (map->entries == NULL) {
        region_fini(&map->listed);
        return STATUS_NOMEM;
    }
    map->mask = FIRST_ENTRIES - 1;
    map->account = account;
    return STATUS_OK;
}

void bigmap_fini(struct bigmap *map) {
    if (map->entries != NULL)
        vmem_unmap(map->account, map->entries, (map->mask + 1) * sizeof *map->entries);
    region_fini(&map->listed);
    memset(map, 0, sizeof *map);
}

static size_t empty_slot(const struct big *entries, size_t mask, uintptr_t address) {
    size_t slot = home(address, mask);
    while (entries[slot].key != 0)
        slot = (slot + 1) & mask;
    return slot;
}

static cold_path status grow(struct bigmap *map) {
    size_t mask = map->mask * 2 + 1;
    struct big *entries = vmem_map(map->account, (mask + 1) * sizeof *entries);
    if (entries == NULL)
        return STATUS_NOMEM;
    for (size_t i = 0; i <= map->mask; i++) {
        if (map->entries[i].key != 0)
            entries[empty_slot(entries, mask, big_address(&map->entries[i]))] = map->entries[i];
    }
    vmem_unmap(map->account, map->entries, (map->mask + 1) * sizeof *entries);
    map->entries = entries;
    map->mask = mask;
    return STATUS_OK;
}

status bigmap_reserve(struct bigmap *map, uint64_t size) {
    if (unlikely(size >= BIG_LISTED)) {
        status result = region_grow(&map->listed, (map->listed_count + 1) * sizeof(uint64_t));
        if (result != STATUS_OK)
            return result;
    }
    return likely((map->count + 1) * 4 <= (map->mask + 1) * 3) ? STATUS_OK : grow(map);
}

static uint64_t *listed_size(const struct bigmap *map, const struct big *entry) {
    return (uint64_t *)map->listed.base + ((entry->value >> TALLY_BITS) - BIG_LISTED);
}

/* What an entry's size field holds: the size, or a place in the list, which room was reserved for. */
static uint64_t size_field(struct bigmap *map, uint64_t size) {
    if (likely(size < BIG_LISTED))
        return size;
    uint64_t *sizes = (uint64_t *)map->listed.base;
    size_t place = 0;
    while (place < map->listed_count && sizes[place] != 0)
        place++;
    if (place == map->listed_count)
        map->listed_count++;
    assert(map->listed_count * sizeof(uint64_t) <= map->listed.committed);
    sizes[place] = size;
    return BIG_LISTED + place;
}

static void unlist(struct bigmap *map, const struct big *entry) {
    if (unlikely(big_is_listed(entry)))
        *listed_size(map, entry) = 0;
}

void bigmap_put(struct bigmap *map, uint64_t key, uint64_t size, uint32_t tally) {
    assert((map->count + 1) * 4 <= (map->mask + 1) * 3 && tally <= TALLY_MASK);
    size_t slot = empty_slot(map->entries, map->mask, (uintptr_t)(key & ~BIG_WATCHED));
    map->entries[slot] = (struct big){key, size_field(map, size) << TALLY_BITS | tally};
    map->count++;
}

static struct big *find_from(const struct bigmap *map, uintptr_t address, size_t slot) {
    for (;; slot = (slot + 1) & map->mask) {
        struct big *entry = &map->entries[slot];
        if (entry->key == 0)
            return NULL;
        if (big_address(entry) == address)
            return entry;
    }
}

struct big *bigmap_find(const struct bigmap *map, uintptr_t address) {
    return find_from(map, address, home(address, map->mask));
}

struct big *bigmap_find_next(const struct bigmap *map, const struct big *entry) {
    return find_from(map, big_address(entry), ((size_t)(entry - map->entries) + 1) & map->mask);
}

void bigmap_remove(struct bigmap *map, struct big *entry) {
    unlist(map, entry);
    size_t mask = map->mask, hole = (size_t)(entry - map->entries);
    for (size_t i = (hole + 1) & mask; map->entries[i].key != 0; i = (i + 1) & mask) {
        /* An entry moves back into the hole unless its home lies after the hole. */
        size_t wanted = home(big_address(&map->entries[i]), mask);
        if (((i - wanted) & mask) >= ((i - hole) & mask)) {
            map->entries[hole] = map->entries[i];
            hole = i;
        }
    }
    map->entries[hole] = (struct big){0, 0};
    map->count--;
}

uint64_t big_size(const struct bigmap *map, const struct big *entry) {
    return likely(!big_is_listed(entry)) ? entry->value >> TALLY_BITS : *listed_size(map, entry);
}

void big_resize(struct bigmap *map, struct big *entry, uint64_t size) {
    unlist(map, entry);
    entry->value = size_field(map, size) << TALLY_BITS | big_tally(entry);
}

bool bigmap_check(const struct bigmap *map) {
    size_t count = 0, listed = 0;
    for (size_t i = 0; i <= map->mask; i++) {
        const struct big *entry = &map->entries[i];
        if (entry->key == 0)
            continue;
        count++;
        for (size_t slot = home(big_address(entry), map->mask); slot != i; slot = (slot + 1) & map->mask) {
            if (map->entries[slot].key == 0)
                return false; /* not reachable from its home */
        }
        if (big_is_listed(entry)) {
            listed++;
            if (big_size(map, entry) < BIG_LISTED)
                return false; /* its place is free, or another's */
        }
    }
    for (size_t place = 0; place < map->listed_count; place++)
        listed -= ((uint64_t *)map->listed.base)[place] != 0;
    return count == map->count && listed == 0;
}
