/* share: a new snapshot of a tracer takes what it has in common with an earlier one, and copies only what is new.
 *
 *   first    A [ r r r r r r r r ]
 *   second   A [ 1 1 0 1 1 1 0 1 ]  B [ n n ]                two rows have changed: two new ones, and a bit for each other
 *   third    A [ 1 0 0 1 1 1 0 1 ]  B [ 1 1 ]  C [ n ]
 *
 * Snapshots that refer to the same call paths know each other: their ids mean the same. The earlier one is the newest
 * that is still there, or the newest filtered one, and nothing is kept for the sake of later ones: each holds references to its own segments only, and
 * the list that `callpaths.newest` begins holds none.
 * The list is protected by paths->lock, held for a few steps; any thread may call. Cost: O(rows). Without memory for it
 * a snapshot shares nothing, and is as good.
 */
#ifndef MEMTALLY_SHARE_H
#define MEMTALLY_SHARE_H

#include "snapshot.h"

/* Puts into the place of a complete snapshot, that nobody else has yet, one of the same rows, in another order, that shares
 * them as far as it can; takes over the reference. */
void snapshot_share(struct snapshot **snapshot);

/* Later ones may share with this complete snapshot, too, where there is none that has all rows of its moment. */
void share_offer(struct snapshot *part);

/* A snapshot that is on the list is about to be freed. */
void share_leave(struct snapshot *snapshot);

#endif
