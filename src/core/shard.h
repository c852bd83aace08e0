/* shard: the side's records and counters of some stretches of the address space; every stretch of 2^STRETCH_BITS
 * bytes has its shard, which its number tells. An allocator gives each thread memory of its own, so threads meet in one
 * shard only when one frees what another has allocated.
 *
 *      common lock:   [shard] [shard]       [shard]       in: the side's lock protects it
 *      own locks:                     [shard]             out: its own does; it may gain `room` bytes (side.h)
 *
 * Its tallies are as the ledger's, with the counters of a window (side.h).
 *
 * Owns its tallies, records and index (vmem), made when its first block comes. `out`, `room` are written with the side's
 * lock, and with the shard's own as well where the shard comes in; `out` is released when it goes out and acquired by who
 * finds it so, who then takes the shard's lock and looks again. Find, tally: O(1) expected.
 * Fails with NOMEM or FULL, unchanged.
 */
#ifndef MEMTALLY_SHARD_H
#define MEMTALLY_SHARD_H

#include "bigmap.h"
#include "idtable.h"
#include "ledger.h"
#include "platform.h"

/* A stretch is what glibc gives a thread at once. Neighbours are in different shards. */
enum { SHARD_BITS = SIZED(5, 2), SHARDS = 1 << SHARD_BITS, STRETCH_BITS = SIZED(26, 6) };

struct side_tally {
    pair total;
    pair freed;
    pair peak;
    uint64_t epoch;   /* the ledger's */
    pair start;       /* live counters when the window opened; valid if `window` is the present one */
    pair window_peak; /* live counters at the window's peak; valid if `window_epoch` is the present one */
    uint64_t window;
    uint64_t window_epoch;
    uint32_t node; /* 0: the id is free */
    uint32_t domain;
    uint32_t next_touched; /* in this window; 0 ends the list */
    uint32_t next_free;    /* of an id that is free; 0 ends the list */
};

struct shard {
    struct lock lock;
    _Atomic bool out;
    int64_t room;   /* while it is out: how far `gained` may go */
    int64_t gained; /* bytes, since it went out; not yet in the side's `current` */
    int64_t wanted; /* bytes of its last event while it was in: it takes no less with it when it goes out */
    struct bigmap blocks;  /* an address may be in it once for each domain */
    struct region tallies; /* struct side_tally; ids 1, 2, ... */
    struct idtable index;  /* (domain, node) -> tally */
    uint32_t count;        /* ids below it are in use or free; 0: nothing is here yet */
    uint32_t free;         /* the first free id, 0: none. All counters of these are 0 */
    uint32_t free_count;
    uint32_t touched;                /* first tally touched in this window */
} __attribute__((__aligned__(128))); /* two cache lines, which some machines fetch together */

static inline uint32_t shard_number(uintptr_t address) {
    return (uint32_t)((address >> STRETCH_BITS) * UINT64_C(0x9E3779B97F4A7C15) >> (64 - SHARD_BITS));
}

/* An address in `blocks`. Nothing is watched there, so it may have all its bits (what extensions report need not be an
 * address at all); 0, which would be an empty entry, takes the place of the one that is nothing but the watching bit. */
static inline uint64_t side_key(uintptr_t address) { return address != 0 ? address : BIG_WATCHED; }

/* Where it has nothing yet: empty tables. */
nodiscard status shard_begin(struct shard *shard, struct vmem *account);
void shard_fini(struct shard *shard); /* leaves the lock alone; also of a shard that has nothing */

/* See side_renumber_locked. */
uint32_t shard_renumber(struct shard *shard, const uint32_t *nodes, uint32_t heir);

static inline struct side_tally *shard_tally(const struct shard *shard, uint32_t id) {
    return (struct side_tally *)shard->tallies.base + id;
}

hot_inline pair side_tally_live(const struct side_tally *tally) {
    return pair_minus(tally->total, tally->freed);
}

/* As ledger_save, ledger_at_peak, ledger_is_idle. */
hot_inline void side_tally_save(struct side_tally *tally, uint64_t epoch) {
    if (tally->epoch == epoch)
        return;
    tally->peak = side_tally_live(tally);
    tally->epoch = epoch;
}
static inline pair side_tally_at_peak(const struct side_tally *tally, uint64_t epoch) {
    return tally->epoch == epoch ? tally->peak : side_tally_live(tally);
}
static inline bool side_tally_is_idle(const struct side_tally *tally, uint64_t epoch) {
    return side_tally_live(tally).blocks == 0 && side_tally_at_peak(tally, epoch).blocks == 0;
}

/* The entry of an address in a domain, or NULL. */
static inline struct big *shard_find(const struct shard *shard, uint32_t domain, uintptr_t address) {
    if (unlikely(shard->count == 0))
        return NULL;
    uint64_t key = side_key(address);
    struct big *entry = bigmap_find(&shard->blocks, (uintptr_t)key);
    while (entry != NULL && (entry->key != key || shard_tally(shard, big_tally(entry))->domain != domain))
        entry = bigmap_find_next(&shard->blocks, entry);
    return entry;
}

static inline uint64_t shard_hash(uint32_t domain, uint32_t node) {
    return hash_mix((uint64_t)domain << 32 | node);
}

/* The place in the index of this call path's tally, or the empty one where it would go. */
static inline size_t shard_slot(const struct shard *shard, uint32_t domain, uint32_t node) {
    const struct idtable *index = &shard->index;
    size_t slot = idtable_first(index, shard_hash(domain, node));
    for (uint32_t found; (found = idtable_at(index, slot)) != 0; slot = idtable_next(index, slot)) {
        const struct side_tally *known = shard_tally(shard, found);
        if (known->domain == domain && known->node == node)
            break;
    }
    return slot;
}

nodiscard status shard_new_tally(struct shard *shard, uint32_t domain, uint32_t node, uint64_t epoch,
                                 uint32_t *id);

/* The tally of a call path, made where there is none: one that has not changed since `epoch`. The shard has begun. */
nodiscard static inline status shard_tally_of(struct shard *shard, uint32_t domain, uint32_t node,
                                              uint64_t epoch, uint32_t *id) {
    *id = idtable_at(&shard->index, shard_slot(shard, domain, node));
    return likely(*id != 0) ? STATUS_OK : shard_new_tally(shard, domain, node, epoch, id);
}

/* `live`: adds what its tallies hold. */
bool shard_check(const struct shard *shard, int64_t *live);

#endif
