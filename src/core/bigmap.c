/* bigmap: the hash table of bigmap.h. Used under its partition's protector. */
#include "bigmap.h"

#include <string.h>

enum {
    FIRST_CAPACITY = SIZED(256, 2),
    SPARSE_BELOW = SIZED(2048, 16), /* a table so small doubles, and does not shrink */
};

static bool has_room(size_t count, size_t capacity) { return count * 16 <= capacity * 13; }

status bigmap_init(struct bigmap *map, struct vmem *account) {
    memset(map, 0, sizeof *map);
    status result = region_init(&map->listed, account, BIG_LISTED_MOST * sizeof(uint64_t));
    if (result != STATUS_OK)
        return result;
    map->entries = vmem_map(account, FIRST_CAPACITY * sizeof *map->entries);
    if (map->entries == NULL) {
        region_fini(&map->listed);
        return STATUS_NOMEM;
    }
    map->capacity = FIRST_CAPACITY;
    map->account = account;
    return STATUS_OK;
}

void bigmap_fini(struct bigmap *map) {
    if (map->entries != NULL)
        vmem_unmap(map->account, map->entries, map->capacity * sizeof *map->entries);
    region_fini(&map->listed);
    memset(map, 0, sizeof *map);
}

static size_t empty_slot(const struct big *entries, size_t capacity, uintptr_t address) {
    size_t slot = bigmap_home(address, capacity);
    while (entries[slot].key != 0)
        slot = ring_next(slot, capacity);
    return slot;
}

static cold_path status resize(struct bigmap *map, size_t capacity) {
    struct big *entries = vmem_map(map->account, capacity * sizeof *entries);
    if (entries == NULL)
        return STATUS_NOMEM;
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->entries[i].key != 0)
            entries[empty_slot(entries, capacity, big_address(&map->entries[i]))] = map->entries[i];
    }
    vmem_unmap(map->account, map->entries, map->capacity * sizeof *entries);
    map->entries = entries;
    map->capacity = capacity;
    return STATUS_OK;
}

/* A failure does no harm: the table stays as it is. */
static void shrink_if_empty(struct bigmap *map) {
    if (unlikely(map->count * 16 < map->capacity * 9) && map->capacity > SPARSE_BELOW) {
        size_t capacity = map->count * 16 / 11;
        status no_matter = resize(map, capacity > SPARSE_BELOW ? capacity : SPARSE_BELOW);
        (void)no_matter;
    }
}

status bigmap_reserve(struct bigmap *map, uint64_t size) {
    if (unlikely(size >= BIG_LISTED)) {
        status result = region_grow(&map->listed, (map->listed_count + 1) * sizeof(uint64_t));
        if (result != STATUS_OK)
            return result;
    }
    if (likely(has_room(map->count + 1, map->capacity)))
        return STATUS_OK;
    return resize(map, map->capacity + (map->capacity < SPARSE_BELOW ? map->capacity : map->capacity / 5));
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
    assert(has_room(map->count + 1, map->capacity) && tally <= TALLY_MASK);
    size_t slot = empty_slot(map->entries, map->capacity, big_key((uintptr_t)key));
    map->entries[slot] = (struct big){key, size_field(map, size) << TALLY_BITS | tally};
    map->count++;
}

static struct big *find_from(const struct bigmap *map, uintptr_t address, size_t slot) {
    for (;; slot = ring_next(slot, map->capacity)) {
        struct big *entry = &map->entries[slot];
        if (entry->key == 0)
            return NULL;
        if (big_address(entry) == address)
            return entry;
    }
}

struct big *bigmap_find(const struct bigmap *map, uintptr_t address) {
    uintptr_t known = big_key(address);
    return find_from(map, known, bigmap_home(known, map->capacity));
}

struct big *bigmap_find_next(const struct bigmap *map, const struct big *entry) {
    return find_from(map, big_address(entry), ring_next((size_t)(entry - map->entries), map->capacity));
}

void bigmap_remove(struct bigmap *map, struct big *entry) {
    unlist(map, entry);
    size_t capacity = map->capacity, hole = (size_t)(entry - map->entries);
    for (size_t i = ring_next(hole, capacity); map->entries[i].key != 0; i = ring_next(i, capacity)) {
        /* An entry moves back into the hole unless its home lies after the hole. */
        size_t wanted = bigmap_home(big_address(&map->entries[i]), capacity);
        if (ring_distance(wanted, i, capacity) >= ring_distance(hole, i, capacity)) {
            map->entries[hole] = map->entries[i];
            hole = i;
        }
    }
    map->entries[hole] = (struct big){0, 0};
    map->count--;
    shrink_if_empty(map);
}

uint64_t big_size(const struct bigmap *map, const struct big *entry) {
    return likely(!big_is_listed(entry)) ? entry->value >> TALLY_BITS : *listed_size(map, entry);
}

bool bigmap_check(const struct bigmap *map) {
    size_t count = 0, listed = 0;
    for (size_t i = 0; i < map->capacity; i++) {
        const struct big *entry = &map->entries[i];
        if (entry->key == 0)
            continue;
        count++;
        for (size_t slot = bigmap_home(big_address(entry), map->capacity); slot != i;
             slot = ring_next(slot, map->capacity)) {
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
