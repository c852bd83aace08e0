/* diff_join: the groups of two snapshots side by side; internal to diff.
 *
 *   now:     [0] a.py:1   [1] b.py:7   ...      before:  [0] 100 bytes, 3 blocks   [1] 0, 0: new   ...
 *   gone:    [0] c.py:3   ...                   what only the old snapshot has
 *
 * The rows of the old one are added up beside the groups of the new one: by file, line, function, domain or process these
 * are found by their keys (keyindex.h), tracebacks by fingerprints (printed.h). Groups come in the order in which they
 * appear first.
 * Owns all of it (vmem of the new snapshot's account). One thread. Fails as groupby does; then it is the caller's to fini.
 */
#ifndef MEMTALLY_DIFF_JOIN_H
#define MEMTALLY_DIFF_JOIN_H

#include "groupby.h"

struct sides {
    struct groups now, gone;
    uint64_t *old_sizes, *old_counts; /* by group of `now`: what the old snapshot has; one array */
};

nodiscard status diff_join(struct sides *sides, struct snapshot *now, struct snapshot *old, enum key key,
                           bool cumulative);
void sides_fini(struct sides *sides); /* also of a zeroed one */

#endif
