/* keyindex: the groups of one snapshot, to be found by keys of others: by file, line, function, domain or process.
 *
 *   groups:   [0] a.py:12   [1] b.py:7        index: hash of the key -> group + 1
 *   another snapshot's b.py:7                 its names are translated into ours (namemap.h), then looked up: 1
 *
 * A keyindex serves one snapshot after the other; a keysearch is for one of them.
 * Both own their tables (vmem) and borrow the groups and snapshots. One thread. Cost: O(groups) to make, O(1) expected to
 * find. Fail with NOMEM; then they are the caller's to fini.
 */
#ifndef MEMTALLY_KEYINDEX_H
#define MEMTALLY_KEYINDEX_H

#include "groupby.h"
#include "namemap.h"

struct keyindex {
    const struct groups *groups;
    enum key key;
    uint64_t seed;
    struct idtable index; /* groups, + 1 */
};

/* Keys differ from group to group. Not by traceback. */
nodiscard status keyindex_init(struct keyindex *self, const struct groups *groups, enum key key);
void keyindex_fini(struct keyindex *self); /* also of a zeroed one */

struct keysearch {
    const struct keyindex *index;
    struct namemap names;
    size_t next; /* where to look first: one snapshot of a program has most keys in the order of another */
};

nodiscard status keysearch_init(struct keysearch *search, const struct keyindex *index,
                                const struct snapshot *other);
void keysearch_fini(struct keysearch *search); /* also of a zeroed one */
/* The number of the group with the key of one of the other snapshot's, or the count of groups. */
size_t keysearch_find(struct keysearch *search, const struct group *group);

#endif
