/* namemap: which name of one set of call paths is which of another, by content.
 *
 *   from:  12 "app.py"   13 "lib.py"         known: [12] = 7,  [13] = MISSING
 *   to:     7 "app.py"    8 "os.py"          index: the names offered, hashed by content
 *
 * Each name is looked up once. Where both are the same call paths, ids are their own translation and nothing
 * is kept.
 * Owns its tables (vmem); borrows both call paths. One thread. Fails with NOMEM.
 */
#ifndef MEMTALLY_NAMEMAP_H
#define MEMTALLY_NAMEMAP_H

#include "snapshot.h"

#define NAME_MISSING UINT32_MAX

struct namemap {
    struct callpaths *from, *to; /* borrowed */
    struct vmem *account;
    struct idtable index; /* string ids of `to` */
    struct idset offered; /* the same */
    uint32_t *known;      /* by string id of `from`: 0 not asked yet, NAME_MISSING, or id in `to` + 1 */
    size_t known_bytes;
};

nodiscard status namemap_init(struct namemap *map, struct vmem *account, struct callpaths *from,
                              struct callpaths *to);
void namemap_fini(struct namemap *map); /* also of a zeroed one */

uint64_t name_hash(uint64_t seed, struct string name);
bool name_equal(struct string a, struct string b);

/* Makes a name of `to` one that may be found. */
nodiscard status namemap_offer(struct namemap *map, uint32_t to);
/* The name of `to` with the content of a name of `from`; NAME_MISSING if it was not offered. */
uint32_t namemap_find(struct namemap *map, uint32_t from);

#endif
