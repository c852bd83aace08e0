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
 * Threads that are apart would meet at one lock. So, within a window, what is still missing to its highest value is lent
 * out: a shard (shard.h) goes *out* with some *room*, and while what it gains stays within, its events need its own lock
 * only.
 *
 *      window_top  ------------------------------------------------
 *                  | room of shard 3: + + -    | of shard 5: + -  |  spare: not lent
 *      current     ------------------------------------------------
 *
 * Why this is exact: all that is out never gains more than its room, and all rooms are below the window's top. So there
 * is no moment with a new peak among these events, whatever their order, and none of them starts an epoch: a tally keeps
 * what it held at the last peak when it first changes after it, and this is the same in every order too. What may reach
 * a new peak takes the common lock and calls in what is out, shard by shard: when the last is in, everybody else waits,
 * and that is one moment, after all of their events. So it is for whoever looks at more than one block: nothing is out
 * while no window is open, and settling calls all in.
 *
 * Owns its shards. `lock` (rank LOCK_SIDE) protects everything but shards that are out; joint events and settling
 * need the main GIL as well. Gain and lose O(1); settle O(tallies touched in the window).
 * Fails with NOMEM or FULL, unchanged: the caller counts a lost trace.
 */
#ifndef MEMTALLY_SIDE_H
#define MEMTALLY_SIDE_H

#include "shard.h"
#include "young.h"

struct side { /* NOLINT(clang-analyzer-optin.performance.Padding): what out shards read lies apart */
    struct lock lock;
    int64_t current;      /* bytes live now, as far as shards that are out have not told yet */
    int64_t lent;         /* the rooms of shards that are out */
    int64_t settled;      /* `current` when the window opened */
    int64_t window_top;   /* most bytes live in this window before its last loss */
    uint64_t out;         /* by shard, a bit: it is out */
    uint64_t touched;     /* by shard, a bit: it has tallies touched in this window */
    uint32_t calm;        /* apart events since the window's top rose, or room had to be called in */
    struct vmem *account; /* borrowed; NULL before init */
    struct {
        uint64_t born;      /* what new blocks are born with; 0 while nobody measures */
        int64_t *top;       /* borrowed: the most bytes traced, of the newest measurement; or NULL */
        uint64_t allocated; /* bytes, counted while somebody measures */
        struct young young;
    } measuring; /* measure.h */
    /* Read by events of shards that are out; written only while none is. */
    _Alignas(128) uint64_t window; /* number of this window */
    uint64_t window_epoch;         /* as the ledger's epoch, within windows; never repeats */
    _Atomic bool pending;          /* a window is open */
    struct shard shards[SHARDS];
};

/* Once, before anything else: the locks outlive what they protect. */
void side_init_locks(struct side *side);
void side_fini_locks(struct side *side);
void side_init(struct side *side, struct vmem *account);
void side_fini(struct side *side); /* also of a zeroed side; all shards are in */

static inline struct shard *side_shard(struct side *side, uintptr_t address) {
    return &side->shards[shard_number(address)];
}

/* --- locks ----------------------------------------------------------------------------------------------------------- */

/* For one event at this address, which adds at most so many bytes: takes and returns the lock to hold. Apart it is its
 * shard's, where that is out and has room; else the common one. */
static inline struct lock *side_enter(struct side *side, bool joint, uintptr_t address, uint64_t bytes);
static inline void side_leave(struct side *side, struct lock *lock, uintptr_t address);

/* Takes the common lock and calls all shards in, for who does not settle. It is released as any lock. */
void side_enter_whole(struct side *side);

/* For a fork: no thread may be inside any lock. */
void side_lock_all(struct side *side);
void side_unlock_all(struct side *side);

/* --- events, by who has entered -------------------------------------------------------------------------------------- */

/* Which partition's thread is speaking: `ledger` for a joint event, NULL for one apart. */

/* A new block. One that this domain already has at the address is replaced. */
nodiscard status side_put_locked(struct side *side, struct ledger *ledger, uint32_t domain, uintptr_t address,
                                 uint64_t size, uint32_t node);
/* A block's end. Returns false if the domain does not know the address. */
bool side_remove_locked(struct side *side, struct ledger *ledger, uint32_t domain, uintptr_t address);
/* The block stays, its call path becomes `node`. OK and nothing done where the domain does not know the address. */
nodiscard status side_move_locked(struct side *side, struct ledger *ledger, uint32_t domain,
                                  uintptr_t address, uint32_t node);
/* Counts a block of this tally of the address's shard as gone, whose record is out of the map already. */
void side_lose_locked(struct side *side, struct ledger *ledger, uintptr_t address, uint32_t tally,
                      uint64_t size);
/* The entry of an address in a domain, or NULL. */
static inline struct big *side_find_locked(struct side *side, uint32_t domain, uintptr_t address) {
    return shard_find(side_shard(side, address), domain, address);
}

/* --- the whole: with the common lock --------------------------------------------------------------------------------- */

/* The call tree was replaced: `nodes` tells what each node has become, 0 where it is gone. The tallies of those are
 * idle; their history becomes that of `heir`, a node of the new tree, in their domain. Returns how many they were.
 * The window is closed. */
uint32_t side_renumber_locked(struct side *side, const uint32_t *nodes, uint32_t heir);

/* Calls all shards in and closes the window. The caller holds the main GIL, too. */
void side_settle_locked(struct side *side, struct ledger *ledger);

bool side_check(const struct side *side);

/* --- the inlined parts ----------------------------------------------------------------------------------------------- */

void side_call_all_in_slow(struct side *side);
struct lock *side_enter_apart(struct side *side, uintptr_t address, uint64_t bytes);
void side_let_out(struct side *side, struct shard *shard);

static inline struct lock *side_enter(struct side *side, bool joint, uintptr_t address, uint64_t bytes) {
    if (!joint)
        return side_enter_apart(side, address, bytes);
    lock_acquire(&side->lock);
    if (unlikely(side->out != 0))
        side_call_all_in_slow(side);
    return &side->lock;
}

static inline void side_leave(struct side *side, struct lock *lock, uintptr_t address) {
    if (lock == &side->lock && side->pending)
        side_let_out(side, side_shard(side, address));
    lock_release(lock);
}

#endif
