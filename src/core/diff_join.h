/* diff_join: the two ways to find what belongs together in two snapshots; internal to diff.
 *
 *   diff_join         groups of both, by file, line, function or domain: looked up by their keys
 *   diff_tracebacks   rows of both, by traceback: numbered together, and so in the order of the tracebacks,
 *                     descending
 *
 * Both fill `changes->items`, otherwise unsorted. Owns nothing afterwards. One thread. Fail with NOMEM or FULL.
 */
#ifndef MEMTALLY_DIFF_JOIN_H
#define MEMTALLY_DIFF_JOIN_H

#include "diff.h"

/* Room for `most` changes; none where that is 0. */
nodiscard status changes_reserve(struct changes *changes, size_t most);

/* One change; `now` or `old` is NULL where the key is missing there. */
void change_set(struct change *change, const struct group *now, const struct group *old);

/* Of the groups in `changes`. */
nodiscard status diff_join(struct changes *changes, enum key key);
nodiscard status diff_tracebacks(struct changes *changes, struct snapshot *now, struct snapshot *old);

#endif
