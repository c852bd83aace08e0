/* grouping: a group-by at work: the groups found so far, and how to find the one of a row. Tracebacks have a way of
 * their own (groupby_traceback).
 *
 *   like[site]    -> the first site with the same key: found by sorting all of them once
 *   known[like]   -> group + 1
 *   index         -> group + 1              domains and processes: few, and no sites
 *   groups:       | group | group | ...     in the order of first appearance
 *
 * Where rows are compared with the groups of another snapshot, what has the key of one of these is added up beside it and
 * makes no group of its own: numbers below `first` are groups there.
 *
 * Owns its tables and groups (vmem) until grouping_fini or grouping_end; borrows the snapshot. One thread. Fails with NOMEM
 * or FULL: then it is given up as a whole. Internal to groupby.
 */
#ifndef MEMTALLY_GROUPING_H
#define MEMTALLY_GROUPING_H

#include "keyindex.h"

/* What a snapshot has of the keys of another one's groups. */
struct columns {
    uint64_t *sizes;  /* borrowed; by group there */
    uint64_t *counts; /* the same; NULL: nobody asks */
    bool only;        /* what has none of these keys is left out, and makes no group here */
};

struct grouping {
    struct snapshot *snapshot;     /* borrowed */
    const struct callpaths *paths; /* the snapshot's */
    enum key key;
    const struct columns *beside; /* borrowed; NULL: all rows make groups here */
    struct keysearch search;      /* of the groups there */
    uint32_t first;               /* so many are there; the number of the first group here */
    struct groups groups;         /* with room for all that may come */
    struct idtable index;
    uint32_t *like; /* by site; NULL by domain and process */
    uint32_t *known;
    size_t site_count;
    uint32_t no_frames; /* number + 1 of the empty traceback's group; 0: not seen */
};

/* The number of what is left out. */
#define GROUP_NOWHERE (UINT32_MAX - 1)

/* Any key but KEY_TRACEBACK. */
nodiscard status grouping_init(struct grouping *grouping, struct snapshot *snapshot, enum key key);
/* Before anything is found: compares with the groups of an index of this key. */
nodiscard status grouping_compare(struct grouping *grouping, const struct keyindex *index,
                                  const struct columns *beside);
/* Hands the groups over. */
void grouping_end(struct grouping *grouping, struct groups *groups);
void grouping_fini(struct grouping *grouping); /* also of a zeroed one */

/* The number of the group of the key that a site has; by file, line and function only. */
uint32_t grouping_new_site(struct grouping *grouping, uint32_t site);
static inline uint32_t grouping_find_site(struct grouping *grouping, uint32_t site) {
    uint32_t known = grouping->known[grouping->like[site]];
    return likely(known != 0) ? known - 1 : grouping_new_site(grouping, site);
}

/* The number of the group of a row's key. */
nodiscard status grouping_find_row(struct grouping *grouping, const struct row *row, uint32_t *group);

static inline uint64_t add_capped(uint64_t a, uint64_t b) {
    uint64_t sum;
    return unlikely(__builtin_add_overflow(a, b, &sum)) ? UINT64_MAX : sum;
}

static inline void group_add(struct group *group, uint64_t size, uint64_t count) {
    group->size = add_capped(group->size, size);
    group->count = add_capped(group->count, count);
}

static inline void columns_add(const struct columns *columns, size_t group, uint64_t size, uint64_t count) {
    columns->sizes[group] = add_capped(columns->sizes[group], size);
    if (columns->counts != NULL)
        columns->counts[group] = add_capped(columns->counts[group], count);
}

static inline void grouping_add(struct grouping *grouping, uint32_t group, uint64_t size, uint64_t count) {
    if (likely(group >= grouping->first)) {
        if (group != GROUP_NOWHERE)
            group_add(&grouping->groups.items[group - grouping->first], size, count);
        return;
    }
    columns_add(grouping->beside, group, size, count);
}

/* Zeroed groups of a snapshot. */
nodiscard status groups_new(struct snapshot *snapshot, size_t count, struct groups *groups);

/* By traceback, in the order of the tracebacks, descending. */
nodiscard status groupby_traceback(struct snapshot *snapshot, struct groups *groups);

/* As groupby, but in the order in which the groups appear first; not by traceback. */
nodiscard status groupby_unsorted(struct snapshot *snapshot, enum key key, bool cumulative,
                                  struct groups *groups);
/* The same, but that what another snapshot's groups have is added up there. */
nodiscard status groupby_beside(struct snapshot *snapshot, const struct keyindex *index, bool cumulative,
                                const struct columns *beside, struct groups *groups);

/* Each row for each of its kept frames: groupby_cumulative.c. */
nodiscard status grouping_add_cumulative(struct grouping *grouping);

#endif
