/* diff_join: the groups of two snapshots side by side, and the two ways to make them; internal to diff.
 *
 *   now:     [0] a.py:1   [1] b.py:7   ...      before:  [0] 100 bytes, 3 blocks   [1] 0, 0: new   ...
 *   gone:    [0] c.py:3   ...                   what only the old snapshot has
 *
 *   diff_join         groups of both, by file, line, function or domain: looked up by their keys (keyindex.h)
 *   diff_tracebacks   rows of both, by traceback: numbered together, so they come in the order of the tracebacks,
 *                     descending, all in `now`; those that are gone have a count of 0 there, and none are in `gone`
 *
 * Owns all three (vmem of the new snapshot's account). One thread. Fails as groupby does; then it is the caller's to fini.
 */
#ifndef MEMTALLY_DIFF_JOIN_H
#define MEMTALLY_DIFF_JOIN_H

#include "groupby.h"

struct sides {
    struct groups now, gone;
    uint64_t (*before)[2]; /* by group of `now`: bytes and blocks that the old snapshot has */
    size_t before_bytes;
};

nodiscard status diff_join(struct sides *sides, struct snapshot *now, struct snapshot *old, enum key key,
                           bool cumulative);
nodiscard status diff_tracebacks(struct sides *sides, struct snapshot *now, struct snapshot *old);
void sides_fini(struct sides *sides); /* also of a zeroed one */

/* Room for what was before, once `now` is there. */
nodiscard status sides_reserve(struct sides *sides);

#endif
