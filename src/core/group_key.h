/* group_key: what a frame is compared by: file name and line. Owns nothing; any thread; cannot fail.
 * Internal. */
#ifndef MEMTALLY_GROUP_KEY_H
#define MEMTALLY_GROUP_KEY_H

#include "groupby.h"

struct place {
    const struct callpaths *paths; /* borrowed: what `file` is an id of */
    uint32_t file, line;
};

/* Ascending: by file name (bytes), then line; 0 where they are equal. */
int place_order(struct place a, struct place b);

#endif
