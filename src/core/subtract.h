/* subtract: what one snapshot has more of than another, as a snapshot on the first one's call paths.
 *
 *   live    the blocks that are left when equal ones of the other are taken away, one for one; equal: domain, size,
 *           kept frames (file and line), total_nframe and process
 *   total   of each call path in a domain, the bytes and blocks by which the first has more
 *
 * Rows keep the order of the first. Both have one view, which is not `peak`: peaks of two moments have no difference
 * that anything held. The caller owns the result's one reference. One thread; both are only read. Fails with NOMEM,
 * FULL, or INVALID for such views; `*result` is then NULL. Cost: O(rows) and that of tracebacks.h.
 */
#ifndef MEMTALLY_SUBTRACT_H
#define MEMTALLY_SUBTRACT_H

#include "snapshot.h"

nodiscard status subtract(struct snapshot *from, struct snapshot *what, struct snapshot **result);

#endif
