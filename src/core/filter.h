/* filter: the rows of a snapshot that a list of filters lets through, as a snapshot on the same paths.
 *
 * A row stays if any inclusive filter matches it (or there is none) and no exclusive filter does. Patterns of file
 * and function names are matched by the caller, once per name: `files` and `functions` are bitmaps over string ids.
 * Semantics of one filter (those of Lib/tracemalloc.py, documented there):
 *   domain given            rows of other domains do not match: an inclusive filter does not let them in, an
 *                           exclusive one does not keep them out
 *   all_frames              any kept frame may match, else the most recent one only
 *   line                    matches any line where it is not given
 *   functions               must match in the same frame as the file and the line
 * No filter matches the empty traceback, but a DomainFilter may. No filters: everything stays.
 * Reads the snapshot, any thread; owns nothing afterwards. Fails with NOMEM or FULL; `*result` is then NULL.
 * Cost: O((nodes + rows) * filters), whatever the limit.
 */
#ifndef MEMTALLY_FILTER_H
#define MEMTALLY_FILTER_H

#include "snapshot.h"

struct filter {
    bool inclusive;
    bool by_domain_only; /* a DomainFilter: only `domain` counts */
    bool all_frames;
    bool has_domain;
    bool has_line;
    int64_t domain; /* as given: a value no row can have matches none */
    int64_t line;
    /* Borrowed bitmap: bit `id & 7` of byte `id >> 3` is set where string `id` matches; as long as
     * idset_bytes of snapshot_files. NULL for a DomainFilter. */
    const uint8_t *files;
    const uint8_t
        *functions; /* the same for function names (snapshot_functions); NULL: any, also unknown ones */
};

/* The caller owns the result's one reference. */
nodiscard status filter_rows(struct snapshot *snapshot, const struct filter *filters, size_t count,
                             struct snapshot **result);

#endif
