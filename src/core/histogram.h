/* histogram: how many live blocks there are of which size.
 *
 *   bin      0    1    2     3      4  ...  65
 *   sizes    0    1    2    3-4    5-8 ...  up to 2^64 - 1
 *
 * Owns nothing. Reads the snapshot, any thread. O(rows). Cannot fail; sums that do not fit stay at UINT64_MAX.
 */
#ifndef MEMTALLY_HISTOGRAM_H
#define MEMTALLY_HISTOGRAM_H

#include "snapshot.h"

enum { HISTOGRAM_BINS = 66 };

struct histogram {
    struct bin {
        uint64_t count, size; /* blocks, and their bytes together */
    } bins[HISTOGRAM_BINS];
};

/* The most bytes of a block in a bin. */
static inline uint64_t histogram_most(int bin) {
    return bin == 0 ? 0 : bin > 64 ? UINT64_MAX : UINT64_C(1) << (bin - 1);
}

/* Of a snapshot with VIEW_LIVE. */
void histogram_count(struct histogram *histogram, const struct snapshot *snapshot);

#endif
