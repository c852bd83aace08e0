/* distinct: is anything in a list there twice? For lists that somebody else made, so by sorting numbers and not by
 * hashing: no content makes it slow.
 *
 *   items:  [0] ""  [1] "b.py"  [2] "a.py"  [3] "b.py"      sorted: 0 2 1 3      3 is 1 again
 *
 * Owns nothing afterwards; while it works, 8 bytes an item (vmem). One thread. Cost: linear for records; for strings
 * n log n comparisons, so O(bytes log n). Fails with NOMEM.
 */
#ifndef MEMTALLY_DISTINCT_H
#define MEMTALLY_DISTINCT_H

#include "strtab.h"

/* So many numbers are one record: those of struct site, say, or of struct node. Borrowed. */
struct records {
    const void *first; /* 32 bits each */
    uint32_t count;
    int numbers;
};

/* An item that is there before: the first such one, and its like before it. Both 0: all are distinct. */
struct repeated {
    uint32_t item, earlier;
};

nodiscard status distinct_records(struct vmem *account, const struct records *records,
                                  struct repeated *found);
nodiscard status distinct_strings(struct vmem *account, const struct strtab *strings, struct repeated *found);

#endif
