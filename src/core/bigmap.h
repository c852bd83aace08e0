/* bigmap: records of blocks that no page of the address map holds: large ones, odd ones, other domains'.
 *
 *   entry:  [watched:1 | address:63] [size:36 | tally:28]      open addressing, linear probing
 *
 * The table is between 9/16 and 13/16 full (once it has some thousand entries): 20 to 24 bytes an entry, 28 on the way
 * down. An entry's home is proportional to its hash, so a table of another size has the same order, and moving into it
 * is one pass through both. Growing by a fifth costs five moves an entry in the long run.
 *
 * A size near 64 GiB or more is kept in a short list beside the table, and its place there in the entry. An address may occur more than once (once for
 * each domain that knows it): the caller tells the entries apart by their tally. Tally 0 is a block that is not
 * traced but watched: the caller wants to hear of its end (code objects).
 * Owns its table (vmem). Protected by its partition's protector. Put, find and remove O(1) expected.
 * Fails with NOMEM, unchanged.
 */
#ifndef MEMTALLY_BIGMAP_H
#define MEMTALLY_BIGMAP_H

#include "vmem.h"

enum { TALLY_BITS = 28 };
#define TALLY_MASK ((UINT32_C(1) << TALLY_BITS) - 1)
#define BIG_LISTED_MOST (UINT64_C(1) << 16)
/* Sizes from here on: BIG_LISTED + the place in the list. */
#define BIG_LISTED ((UINT64_C(1) << (64 - TALLY_BITS)) - BIG_LISTED_MOST)
#define BIG_WATCHED (UINT64_C(1) << 63)

/* Bit 63 is no part of an address: no program's memory has it set, but as a tag (aarch64 ignores the top eight
 * bits: Android, HWASan), and then the address without it is the same memory. The other bits of a tag stay:
 * whoever gives a block back names it as it was given out. */
static inline uint64_t big_key(uintptr_t address) { return address & ~BIG_WATCHED; }

struct big {
    uint64_t key;   /* 0: empty */
    uint64_t value; /* size << TALLY_BITS | tally */
};

struct bigmap {
    struct big *entries;
    size_t capacity;
    size_t count;
    struct region listed; /* uint64_t sizes; 0: this place is free */
    size_t listed_count;  /* places in use or free below it */
    struct vmem *account; /* borrowed */
};

nodiscard status bigmap_init(struct bigmap *map, struct vmem *account);
void bigmap_fini(struct bigmap *map); /* also of a zeroed map */

/* Makes room for one more block of this size: the only call that can fail. */
nodiscard status bigmap_reserve(struct bigmap *map, uint64_t size);
/* Adds an entry (room was reserved); does not look for one with the same address. `key`: big_key, or with BIG_WATCHED,
 * or what the caller finds by big_key and compares in full (side.h). */
void bigmap_put(struct bigmap *map, uint64_t key, uint64_t size, uint32_t tally);
/* The first entry of this address, or NULL; the one after it with the same address, or NULL. */
struct big *bigmap_find(const struct bigmap *map, uintptr_t address);
struct big *bigmap_find_next(const struct bigmap *map, const struct big *entry);
void bigmap_remove(struct bigmap *map, struct big *entry); /* other entries may move */
uint64_t big_size(const struct bigmap *map, const struct big *entry);
bool bigmap_check(const struct bigmap *map);

/* Where the search for an address begins. Both halves of the full product are mixed: of one half alone, blocks at equal
 * distances crowd. */
static inline size_t bigmap_home(uintptr_t address, size_t capacity) {
    unsigned __int128 product = (unsigned __int128)address * UINT64_C(0x9E3779B97F4A7C15);
    uint32_t hash = (uint32_t)((uint64_t)product >> 32) ^ (uint32_t)(product >> 64);
    return ring_first((uint64_t)hash << 32, capacity);
}

static inline bool big_is_listed(const struct big *entry) { return entry->value >> TALLY_BITS >= BIG_LISTED; }
static inline uint32_t big_tally(const struct big *entry) { return (uint32_t)entry->value & TALLY_MASK; }
static inline uintptr_t big_address(const struct big *entry) { return big_key((uintptr_t)entry->key); }
static inline void big_set_tally(struct big *entry, uint32_t tally) {
    entry->value = (entry->value & ~(uint64_t)TALLY_MASK) | tally;
}

#endif
