/* freeze: views of the tracer as snapshots, all of one moment.
 *
 * The snapshots are new, in `account`; the references are the caller's. Holds the main GIL; takes the side's lock while it
 * reads the side. Cost: O(blocks), for the peak and the total O(call paths). NOMEM.
 */
#ifndef MEMTALLY_FREEZE_H
#define MEMTALLY_FREEZE_H

#include "snapshot.h"
#include "tracer.h"

/* Views that are not wanted are NULL. */
nodiscard status tracer_freeze_views(struct tracer *tracer, struct vmem *account,
                                     const bool wanted[VIEW_COUNT], struct moment *moment);
/* One view. */
nodiscard status tracer_freeze(struct tracer *tracer, struct vmem *account, enum view view,
                               struct snapshot **result);

#endif
