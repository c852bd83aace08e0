/* prefixes: the order of many tracebacks, found without comparing any two.
 *
 *   tracebacks, oldest frame first     their prefixes, each once     numbered from the left, level by level
 *   main load parse                    main -- load -- parse         1 -- 2 -- 3      0 is the empty traceback
 *   main load                               \- save                    \- 4
 *   main save
 *
 * A prefix is a node and its distance from the oldest kept frame; upwards from every traceback, each is met once,
 * so a stem is walked once, however many paths it carries. Then downwards from the oldest frames: prefixes with
 * equal parents and places (file, line) are one, and are sorted by place. Their tree is numbered so that numbers
 * order as tuples of frames do: parents first, then each child with all that is below it.
 * Owns its arrays (vmem, about 24 bytes a prefix and 4 bytes a node); borrows the rest. One thread. Cost: O(prefixes
 * + nodes / 1000) and that of places; prefixes are at most the frames of all tracebacks, and at most the nodes where no
 * path is cut by the limit. Fails with NOMEM or FULL (2^32 prefixes); then it is zeroed.
 */
#ifndef MEMTALLY_PREFIXES_H
#define MEMTALLY_PREFIXES_H

#include "places.h"

/* A traceback: the `frames` most recent frames of a node's path. */
struct path_item {
    uint32_t node;
    uint32_t frames;
    uint32_t side; /* 0 or 1: which snapshot's */
};

struct prefixes {
    struct vmem *account;            /* borrowed */
    const struct snapshot *sides[2]; /* borrowed; the second may be NULL */
    const struct path_item *items;   /* borrowed */
    size_t item_count;
    uint32_t longest;    /* traceback */
    struct region nodes; /* uint32_t by prefix: its node, and the side in the highest bit */
    struct region up;    /* uint32_t by prefix: the one without the last frame; later its class */
    uint32_t count;      /* prefixes; 0 is the empty one, the longest ones come first */
    uint32_t *levels;    /* by length: the first prefix that long; levels[length - 1] is the end */
    uint32_t *joins;     /* by length: the first item of that length, + 1 */
    uint32_t *next;      /* by item: the next one of its length, + 1 */
    uint32_t *found;     /* by item: its prefix; in the end its number */
    uint32_t numbers;    /* how many there are: the numbers are below */
};

/* Numbers the tracebacks; `found` then has equal numbers for equal ones, and ascending ones. */
nodiscard status prefixes_init(struct prefixes *prefixes, const struct snapshot *const sides[2],
                               const struct path_item *items, size_t count);
void prefixes_fini(struct prefixes *prefixes); /* also of a zeroed one */

#endif
