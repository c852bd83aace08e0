/* grouping: a group-by at work: the groups found so far, and how to find the one of a row. Tracebacks have a way of
 * their own (groupby_traceback).
 *
 *   known[site]    -> slot + 1              most look-ups end here: one load
 *   index (by key) -> slot + 1              sites seen for the first time
 *   slots: | group, key | group, key | ...  in the order of first appearance
 *
 * Owns its tables (vmem) until grouping_fini; borrows the snapshot. One thread. Fails with NOMEM or FULL:
 * then it is given up as a whole. Internal to groupby.
 */
#ifndef MEMTALLY_GROUPING_H
#define MEMTALLY_GROUPING_H

#include "groupby.h"

struct slot {
    struct group group;
    uint64_t key; /* (file, line), (file, function), (file, 0), the domain, or the process */
};

struct grouping {
    struct snapshot *snapshot;     /* borrowed */
    const struct callpaths *paths; /* the snapshot's */
    enum key key;
    struct path_ends ends;
    struct region slots; /* struct slot */
    uint32_t count;
    struct idtable index;
    uint32_t *known; /* by site */
    size_t known_bytes;
    uint32_t no_frames; /* slot + 1 of the empty traceback; 0: not seen */
    uint64_t seed;
};

/* Any key but KEY_TRACEBACK. */
nodiscard status grouping_init(struct grouping *grouping, struct snapshot *snapshot, enum key key);
void grouping_fini(struct grouping *grouping); /* also of a zeroed one */

/* The slot of the key that a site has; by file, line and function only. */
nodiscard status grouping_find_site_slow(struct grouping *grouping, uint32_t site, uint32_t *slot);
nodiscard static inline status grouping_find_site(struct grouping *grouping, uint32_t site, uint32_t *slot) {
    *slot = grouping->known[site] - 1;
    return likely(grouping->known[site] != 0) ? STATUS_OK : grouping_find_site_slow(grouping, site, slot);
}

/* The slot of a row's key, where `known` does not tell. */
nodiscard status grouping_find_row_slow(struct grouping *grouping, const struct row *row, uint32_t *slot);

static inline struct slot *grouping_slot(const struct grouping *grouping, uint32_t slot) {
    return (struct slot *)grouping->slots.base + slot;
}

static inline uint64_t add_capped(uint64_t a, uint64_t b) {
    uint64_t sum;
    return unlikely(__builtin_add_overflow(a, b, &sum)) ? UINT64_MAX : sum;
}

static inline void group_add(struct group *group, uint64_t size, uint64_t count) {
    group->size = add_capped(group->size, size);
    group->count = add_capped(group->count, count);
}

static inline void grouping_add(struct grouping *grouping, uint32_t slot, uint64_t size, uint64_t count) {
    group_add(&grouping_slot(grouping, slot)->group, size, count);
}

/* Zeroed groups of a snapshot. */
nodiscard status groups_new(struct snapshot *snapshot, size_t count, struct groups *groups);

/* By traceback, in the order of the tracebacks, descending. */
nodiscard status groupby_traceback(struct snapshot *snapshot, struct groups *groups);

/* As groupby, but in the order in which the groups appear first; not by traceback. */
nodiscard status groupby_unsorted(struct snapshot *snapshot, enum key key, bool cumulative,
                                  struct groups *groups);

/* Each row for each of its kept frames: groupby_cumulative.c. */
nodiscard status grouping_add_cumulative(struct grouping *grouping);

#endif
