/* tracer: what happens when a block comes, changes or goes; the pieces below put together.
 *
 *   main partition   MEM and OBJ blocks of the main interpreter; its GIL protects it, no lock
 *     addrmap, bigmap    where is the block's record?       ledger      counters of each call path, the peak
 *     magazines          blocks freed lately, kept for the next ones of their size
 *     mirrors, walk.h    which call path is this?           cache       (parent, instruction) -> node, tally
 *     codemap            instruction -> site                paths       the call tree (shared with snapshots)
 *   side partition   all other blocks; its lock protects it (side.h)
 *
 * `fast_thread` is the thread that may use the main partition right now without asking: it holds the main GIL, its
 * mirror is in place and no window of the side is open. Anybody else takes tracer_enter first. It is changed under
 * the side's lock only; relaxed loads suffice, on machines with a weak memory order too: who acts upon it has found itself,
 * and what it then touches is the main GIL's, which orders it. A late reader's event counts as having happened before; one
 * that was told of the change (by a lock, by the GIL) sees it, because a single variable never goes back.
 * `entered` is the same thread where somebody measures (measure.h); nobody is the fast one then.
 *
 * Ownership: the tracer owns all of it. Failure: an allocation that finds no memory for its trace is a lost trace: it
 * is counted in `lost`, the program goes on, the block is unknown from then on.
 */
#ifndef MEMTALLY_TRACER_H
#define MEMTALLY_TRACER_H

#include "addrmap.h"
#include "calltree.h"
#include "chain.h"
#include "codemap.h"
#include "magazine.h"
#include "measure.h"
#include "mirror.h"
#include "side.h"
#include "tracked.h"

enum {
    CACHE_SIZE = SIZED(1024, 2),
    COLLECT_LEAST = SIZED(1 << 18, 32),
    REST_LEAST = SIZED(512, 2),
    DOMAIN_PYTHON = 0
};
#define CACHE_BYTES (CACHE_SIZE * sizeof(struct step))

/* One remembered step of a walk; lives as long as no code object with known instructions has died. */
struct step {
    uintptr_t instr;
    uint32_t parent;
    uint32_t generation;
    uint32_t key; /* what mirror_entry.key becomes */
    uint32_t tally;
};

/* What several threads write lies apart from the rest (side.h). */
struct tracer {              /* NOLINT(clang-analyzer-optin.performance.Padding) */
    const void *fast_thread; /* atomic; see above; NO_THREAD where nobody may */
    uint32_t generation;     /* of dead code: advances when instructions are forgotten */
    uint32_t frames;         /* most frames of a traceback, 1 .. 65535 */
    bool may_mark; /* may the walk mark frames? Not while a frame below may be sent to another line */
    struct mirrors mirrors;
    struct chain chain;
    struct ledger ledger;
    struct magazines magazines; /* shut until the hooks open them; their blocks outlive a stop */
    struct addrmap map;
    struct bigmap big;
    struct step *cache;
    struct codemap codes;
    struct callpaths *paths;  /* owned reference */
    struct region node_words; /* uint32_t by node: where its numbers are (rest.h) */
    uint32_t rest_above;      /* more tallies than these: those that are idle come to rest */
    uint32_t unknown;         /* tally of the call path "<unknown>" */
    uint32_t unknown_node;
    uint32_t forgotten_node; /* of the call path "<forgotten>" (collect.h) */
    uint64_t run;            /* advances with every start and clear; protected as `active` */
    bool strays;             /* the side has MEM or OBJ blocks, so an unknown address may be there */
    bool active;             /* written with the main GIL and all shards in; read with any lock of the side */
    const void *entered;     /* atomic; see above; changed together with fast_thread */
    struct measures measures;
    struct side side;
    struct disowned disowned;
    struct vmem memory;         /* the account of all of the above */
    _Atomic uint64_t lost;      /* traces lost for want of memory or ids */
    _Atomic uint64_t forgotten; /* call paths whose history is only in the sum (collect.h) */
    uint32_t collect_least;     /* a call tree of this weight is never collected; written while not active */
    _Atomic uint32_t collect_above; /* the weight above which it is; written under the main GIL */
};

#define NO_THREAD ((const void *)1)

/* All calls need the main GIL, but for those that say otherwise. */

/* Once, before anything else: the side's locks and the magazines live as long as the process. */
void tracer_init(struct tracer *tracer);
nodiscard status tracer_start(struct tracer *tracer, uint32_t frames);
void tracer_stop(struct tracer *tracer);
nodiscard status tracer_clear(struct tracer *tracer); /* forgets blocks and counters, keeps the call tree */
/* Makes `thread` the fast one: finds its mirror, settles the side's window. */
nodiscard status tracer_enter(struct tracer *tracer, const void *thread);
void tracer_leave(struct tracer *tracer); /* nobody is the fast one; any thread may call it */
/* Somebody measures, or nobody does any more: is there to be a fast thread? The side's lock is held. */
void tracer_choose_way(struct tracer *tracer);
static inline bool tracer_is_measured(const struct tracer *tracer) { return tracer->measures.newest != NULL; }

static inline bool tracer_frames_are_one(const struct tracer *tracer) { return tracer->frames == 1; }
void tracer_count_lost(struct tracer *tracer); /* any thread */

/* The allocator of blocks gave this memory back to the system. */
void tracer_release(struct tracer *tracer, uintptr_t start, uintptr_t end);
/* The tally of a node, made where it has none. */
nodiscard status tracer_tally_of(struct tracer *tracer, uint32_t node, uint32_t *tally);
/* Wants to hear of the end of the code object at this address: the instructions known of it are then forgotten. */
nodiscard status tracer_watch_code(struct tracer *tracer, uintptr_t code);

/* --- blocks of the main partition ------------------------------------------------------------------------------ */

void tracer_put_slow(struct tracer *tracer, uintptr_t address, size_t size, uint32_t tally);
/* The same for a block that is known not to be one of many equal ones: its record is not put into a slot. */
void tracer_put_stranger(struct tracer *tracer, uintptr_t address, size_t size, uint32_t tally);
/* A block's end, wherever its record is. Returns false if it is not known here. */
bool tracer_remove_slow(struct tracer *tracer, uintptr_t address);
/* The block stays, its tally becomes another. Returns false if the block is not known to the main partition. */
bool tracer_move_slow(struct tracer *tracer, uintptr_t address, uint32_t tally);
bool tracer_find(const struct tracer *tracer, uintptr_t address, uint64_t *size, uint32_t *tally);

/* What the hooks do inline with these blocks is in blocks.h. */

/* --- blocks of the side partition: any thread; `joint` if it holds the main GIL ---------------------------------- */

/* All of these do nothing, and there is nothing to do again, while the tracer is not active. */

/* For a capture without the GIL: the call paths to intern into, with a reference for the caller; NULL if not active.
 * `address`: of the block it is for. */
struct callpaths *tracer_borrow_paths(struct tracer *tracer, uintptr_t address);
/* `tree`: callpaths.serial, of `node`. False, and nothing done, where it is the tracer's no longer: then look again. */
nodiscard bool tracer_side_put(struct tracer *tracer, bool joint, uint64_t tree, uint32_t domain,
                               uintptr_t address, size_t size, uint32_t node);
bool tracer_side_remove(struct tracer *tracer, bool joint, uint32_t domain, uintptr_t address);
nodiscard bool tracer_side_move(struct tracer *tracer, bool joint, uint64_t tree, uint32_t domain,
                                uintptr_t address, uint32_t node);

/* A block about to be resized: its record is taken out, because its address may be another's before we are told;
 * its counters stay. Then either the resize failed and it is put back, or it is gone for good. */
struct taken {
    uint64_t run; /* the start or clear that it belongs to; 0: nothing was taken */
    uintptr_t address;
    uint32_t tally; /* of the address's shard */
    uint64_t size;
    uint64_t born; /* 0: it is not young (young.h) */
};
struct taken tracer_side_take(struct tracer *tracer, uint32_t domain, uintptr_t address);
void tracer_side_put_back(struct tracer *tracer, bool joint, struct taken taken);
void tracer_side_forget(struct tracer *tracer, bool joint, struct taken taken);

/* --- what users ask for ------------------------------------------------------------------------------------------ */

void tracer_memory(struct tracer *tracer, uint64_t *current, uint64_t *peak); /* bytes */
void tracer_reset_peak(struct tracer *tracer);
bool tracer_check(const struct tracer *tracer);

#endif
