/* unrolled: tracebacks written out as rows of numbers, oldest frame first, that order as the tracebacks do.
 *
 *   frames:  | 0 4 9 9 | 0 4 9 | 0 5 | ...      a number is the rank of a place (file, line) among all places
 * used starts:  0         4       7     9
 *
 * Sorting many tracebacks compares each about log(n) times; walking the tree for each comparison waits for
 * memory at every frame, while a row lies together. Numbers of two snapshots, on whatever call paths, may be
 * compared. Owns its arrays (vmem); borrows the snapshots. One thread. Cost: O(frames + places log places).
 * Fails with NOMEM.
 */
#ifndef MEMTALLY_UNROLLED_H
#define MEMTALLY_UNROLLED_H

#include "groupby.h"

struct unrolled {
    struct vmem *account;
    const struct snapshot *sides[2]; /* borrowed; the second may be NULL */
    uint32_t base[2];                /* a site of side i has the number base[i] + id */
    struct idset sites;              /* the numbers in use */
    uint32_t *frames;
    size_t *starts;
    size_t frame_bytes, start_bytes;
    size_t count;
};

/* Is it worth it, and not too much memory, for so many tracebacks of so many frames in all? */
bool unrolled_pays(size_t count, size_t frames);

/* Room for `count` tracebacks with `frames` frames in all. */
nodiscard status unrolled_init(struct unrolled *unrolled, const struct snapshot *first,
                               const struct snapshot *second, size_t count, size_t frames);
void unrolled_fini(struct unrolled *unrolled); /* also of a zeroed one */

/* Adds a KEY_TRACEBACK group of side 0 or 1; they are numbered from 0. */
void unrolled_add(struct unrolled *unrolled, int side, const struct group *group);
/* After the last one: puts ranks in the place of sites. */
nodiscard status unrolled_rank(struct unrolled *unrolled);

/* Ascending, as tuples of frames compare. */
int unrolled_order(const struct unrolled *unrolled, size_t a, size_t b);

#endif
