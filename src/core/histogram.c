/* histogram: see histogram.h. */
#include "histogram.h"
#include "grouping.h"

#include <string.h>

/* The first bin whose blocks may be so large. */
static int bin_of(uint64_t size) { return size < 2 ? (int)size : 65 - __builtin_clzll(size - 1); }

void histogram_count(struct histogram *histogram, const struct snapshot *snapshot) {
    assert(snapshot->view == VIEW_LIVE);
    memset(histogram, 0, sizeof *histogram);
    for (struct rows rows = snapshot_rows(snapshot); rows_next(&rows);) {
        const struct row *row = rows.row;
        struct bin *bin = &histogram->bins[bin_of(row->size)];
        bin->count = add_capped(bin->count, row->count);
        bin->size = add_capped(bin->size, row_bytes(snapshot, row));
    }
}
