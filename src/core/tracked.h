/* tracked: blocks that extensions report by themselves, in any domain (numpy's are in 389047).
 *
 *   (domain, address)  -->  a block of the side partition; in another domain the same address is another block
 *
 * An address of Python's own domain may be that of a block in the main partition, which a report then replaces or ends.
 * Without the main GIL nobody can look there: the address goes on the list of the *disowned*, whose records are dropped
 * before the main partition's next event.
 *
 * Owns the list (vmem), which the side's lock protects. Any thread; `joint` if it holds the main GIL. O(1) expected. Fails with NOMEM or FULL: counted as lost, and the block is unknown, or known as
 * what it was. A list that is full loses what comes next: DISOWNED_MOST reports from threads without the GIL, and
 * meanwhile nothing at all under the main one.
 */
#ifndef MEMTALLY_TRACKED_H
#define MEMTALLY_TRACKED_H

#include "calltree.h"

struct tracer;

enum { DISOWNED_MOST = SIZED(1 << 16, 8) };

struct disowned {
    struct region addresses; /* uintptr_t */
    uint32_t count;
};

nodiscard status disowned_init(struct disowned *disowned, struct vmem *account);
void disowned_fini(struct disowned *disowned); /* also of a zeroed one */

/* A block, which replaces what the domain has at the address. INVALID: `tree` (callpaths.serial) is the tracer's no longer: look again.
 * OK, and nothing done, while the tracer is not active. */
nodiscard status tracer_track(struct tracer *tracer, bool joint, uint64_t tree, uint32_t domain,
                              uintptr_t address, size_t size, uint32_t node);
/* A block's end, if the domain knows it. */
void tracer_untrack(struct tracer *tracer, bool joint, uint32_t domain, uintptr_t address);

/* A block that its domain knows. */
struct found {
    struct callpaths *paths; /* a reference, the caller's */
    uint32_t node;
    uint64_t size; /* bytes */
};

/* The block of a domain at this address; false where it is not known. Apart (`joint` as above) a block of Python's own
 * domain may not be found. */
bool tracer_find_block(struct tracer *tracer, bool joint, uint32_t domain, uintptr_t address,
                       struct found *found);

/* With the side's lock and the main GIL: the main partition takes notice of all that happened apart: settles the side's
 * window (side.h), drops what is disowned. */
void tracer_settle_locked(struct tracer *tracer);

#endif
