/* printed: groups by traceback, recognised by fingerprints (fingerprints.h) in one snapshot after the other.
 *
 *   first:    groups   [0] main:12 load:40    [1] main:12         prints:  [0] of group 0   [1] of group 1
 *   another:  rows of  main:12     -> number 1: added up beside group 1
 *                      main:90     -> number 2: the first of its own groups, or left out
 *
 * Groups come in the order in which they appear first; who wants them sorted compares few of them, or has all of them
 * ranked. Owns its tables (vmem); borrows the first snapshot. One thread. Cost: that of fingerprints.h and a look-up a
 * row; of ranks that of pathorder.h. Fails with NOMEM or FULL; then it is the caller's to fini.
 */
#ifndef MEMTALLY_PRINTED_H
#define MEMTALLY_PRINTED_H

#include "fingerprints.h"
#include "grouping.h"
#include "pathorder.h"

struct printed {
    struct snapshot *first; /* borrowed: it names the files */
    struct fingerprint_places places;
    struct fingerprint *prints; /* owned, by number */
    size_t most, count;         /* there is room for; there are */
    struct idtable index;       /* numbers, + 1 */
};

/* Groups the first snapshot, with room for the groups of `more` other rows. */
nodiscard status printed_init(struct printed *printed, struct snapshot *first, size_t more,
                              struct groups *groups);
/* Adds another one up beside the first one's groups; `groups` are its own, of which there are none with `only`. */
nodiscard status printed_beside(struct printed *printed, struct snapshot *other,
                                const struct columns *columns, struct groups *groups);
void printed_fini(struct printed *printed); /* also of a zeroed one */

/* The numbers of all groups' tracebacks in their order: first those of `now`, then those of `gone`, which may be NULL. */
nodiscard status printed_rank(struct pathorder *order, const struct groups *now, const struct groups *gone);

#endif
