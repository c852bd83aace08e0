/* side: the blocks that no GIL protects: the RAW allocator's, other domains', other interpreters'.
 *
 * A side event is *joint* if the thread holds the main interpreter's GIL (it may look at the ledger), else *apart*.
 * All events of both partitions have one order, in which the peak of their sum is exact:
 *
 *      ledger:   e1  e2        | e3           an apart event belongs between the ledger's event that was under way
 *      side:            w1 w2 w3              and the next one. The apart events up to there are a *window*: while it
 *                                             is open the ledger stands still, so the window's own peak decides.
 *
 * `pending` says that a window is open. Whoever sets it also makes the ledger's next event take the slow way
 * (tracer.h), which calls side_settle: that closes the window and folds its peak into the ledger's limit and epoch.
 * A tally touched in a window remembers its counters at the window's start and at the window's peak, until then.
 *
 * Owns its tallies, records and index (vmem). `lock` (rank LOCK_SIDE) protects everything; joint events and settling
 * need the main GIL as well. Gain and lose O(1); settle O(tallies touched in the window).
 * Fails with NOMEM or FULL, unchanged: the caller counts a lost trace.
 */
#ifndef MEMTALLY_SIDE_H
#define MEMTALLY_SIDE_H

#include "bigmap.h"
#include "idtable.h"
#include "ledger.h"
#include "platform.h"
#include "young.h"

struct side_tally {
    struct tally tally; /* epoch: the ledger's */
    pair start;         /* live counters when the window opened; valid if `window` is the present one */
    pair window_peak;   /* live counters at the window's peak; valid if `window_epoch` is the present one */
    uint64_t window;
    uint64_t window_epoch;
    uint32_t domain;
    uint32_t next_touched; /* in this window; 0 ends the list */
    uint32_t next_free;    /* of an id that is free; 0 ends the list */
    uint32_t reserved;
};

struct side {
    struct lock lock;
    struct bigmap blocks;  /* an address may be in it once for each domain */
    struct region tallies; /* struct side_tally; ids 1, 2, ... */
    struct idtable index;  /* (domain, node) -> tally */
    uint32_t count;        /* ids below it are in use or free */
    uint32_t free;         /* the first free id, 0: none. All counters of these are 0 */
    uint32_t free_count;
    uint32_t touched;      /* first tally touched in this window */
    int64_t current;       /* bytes live now */
    int64_t settled;       /* `current` when the window opened */
    int64_t window_top;    /* most bytes live in this window before its last loss */
    uint64_t window;       /* number of this window */
    uint64_t window_epoch; /* as the ledger's epoch, within windows; never repeats */
    _Atomic bool pending;  /* a window is open; written under the lock */
    struct {
        uint64_t born;      /* what new blocks are born with; 0 while nobody measures */
        int64_t *top;       /* borrowed: the most bytes traced, of the newest measurement; or NULL */
        uint64_t allocated; /* bytes, counted while somebody measures */
        struct young young;
    } measuring; /* measure.h */
};

/* Both leave `lock` alone: it outlives what it protects. */
nodiscard status side_init(struct side *side, struct vmem *account);
void side_fini(struct side *side); /* also of a zeroed side */

/* Which partition's thread is speaking: `ledger` for a joint event, NULL for one apart. */

/* A new block. One that this domain already has at the address is replaced. */
nodiscard status side_put_locked(struct side *side, struct ledger *ledger, uint32_t domain, uintptr_t address,
                                 uint64_t size, uint32_t node);
/* A block's end. Returns false if the domain does not know the address. */
bool side_remove_locked(struct side *side, struct ledger *ledger, uint32_t domain, uintptr_t address);
/* The block stays, its call path becomes `node`. OK and nothing done where the domain does not know the address. */
nodiscard status side_move_locked(struct side *side, struct ledger *ledger, uint32_t domain,
                                  uintptr_t address, uint32_t node);
/* Counts a block of this tally as gone, whose record is out of the map already. */
void side_lose_locked(struct side *side, struct ledger *ledger, uint32_t tally, uint64_t size);
/* An address in `blocks`. Nothing is watched there, so it may have all its bits (what extensions report need not be an
 * address at all); 0, which would be an empty entry, takes the place of the one that is nothing but the watching bit. */
static inline uint64_t side_key(uintptr_t address) { return address != 0 ? address : BIG_WATCHED; }
/* The entry of an address in a domain, or NULL. */
struct big *side_find_locked(const struct side *side, uint32_t domain, uintptr_t address);

/* The call tree was replaced: `nodes` tells what each node has become, 0 where it is gone. The tallies of those are
 * idle; their history becomes that of `heir`, a node of the new tree, in their domain. Returns how many they were.
 * The window is closed. */
uint32_t side_renumber_locked(struct side *side, const uint32_t *nodes, uint32_t heir);

/* Closes the window. The caller holds the lock and the main GIL. */
void side_settle_locked(struct side *side, struct ledger *ledger);

static inline struct side_tally *side_tally(const struct side *side, uint32_t id) {
    return (struct side_tally *)side->tallies.base + id;
}
bool side_check(const struct side *side);

#endif
