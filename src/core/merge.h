/* merge: snapshots of several processes as one, on call paths of its own; each row keeps its process.
 *
 *   part "web-1": rows     part "web-2": rows     ->     rows of web-1 | rows of web-2
 *
 * Rows keep their order and are not added up. A row that is of a process already keeps that one. The result has the
 * highest limit of the parts; tracebacks of a part with a lower one are cut as they are there.
 * The parts have one view. The caller owns the result's one reference. One thread; the parts are only read. Fails with
 * NOMEM, FULL, or INVALID where views differ or there is no part; `*result` is then NULL. Cost: O(rows + nodes), and
 * O(frames) for each row of a part with a lower limit.
 */
#ifndef MEMTALLY_MERGE_H
#define MEMTALLY_MERGE_H

#include "snapshot.h"

struct merge_part {
    struct snapshot *snapshot; /* borrowed */
    struct string process;     /* borrowed bytes; UTF-8 as in strtab.h */
};

nodiscard status merge(struct vmem *account, const struct merge_part *parts, size_t count,
                       struct snapshot **result);

/* The rows of one process (a string id), on the same call paths. Fails as filter_rows does. */
nodiscard status rows_of_process(struct snapshot *snapshot, uint32_t process, struct snapshot **result);

#endif
