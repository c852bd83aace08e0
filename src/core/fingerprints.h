/* fingerprints: what tracebacks of several snapshots are recognised by: equal ones have equal fingerprints.
 *
 *   main:12 load:40 parse:7   ->   { 1 of 2^61, 1 of 2^61, frames }
 *
 * A traceback is read as a polynomial, frame by frame from the oldest one, file and line its coefficients, and its
 * fingerprint is what that is at two places chosen at random for each series: two different tracebacks of f frames
 * have the same fingerprint with a chance of (2f / 2^61)^2, whatever they are: below 10^-32 for 25 frames. Those of all
 * paths come in one pass over the nodes, also where a limit cuts them: what lies beyond it is subtracted.
 * Files are named by the ids that one of the snapshots, the first, has for them; what it does not know has numbers of its
 * own in each snapshot. Owns its arrays (vmem, 16 to 20 bytes a node); borrows snapshots. One thread. Cost: O(nodes), O(nodes log
 * limit) where paths are cut. Fails with NOMEM; then they are the caller's to fini.
 */
#ifndef MEMTALLY_FINGERPRINTS_H
#define MEMTALLY_FINGERPRINTS_H

#include "snapshot.h"

struct fingerprint {
    uint64_t at[2];
    uint64_t frames;
};

/* The places; the same for all that are compared. */
struct fingerprint_places {
    uint64_t at[2];
};
struct fingerprint_places fingerprint_places_new(void);

struct fingerprints {
    struct vmem *account;
    const struct snapshot *snapshot;
    struct fingerprint_places places;
    uint64_t power[2];    /* of the places: what shifts a path by `limit` frames */
    uint64_t (*paths)[2]; /* by node: of its whole path */
    uint32_t *lengths;    /* by node: frames of its whole path */
    uint32_t *far;        /* by node: where the limit cuts its path; NULL: no path is cut */
    uint32_t end;         /* nodes */
};

/* `first` says what files are called; it may be the snapshot itself. */
nodiscard status fingerprints_init(struct fingerprints *self, const struct snapshot *snapshot,
                                   const struct snapshot *first, struct fingerprint_places places);
void fingerprints_fini(struct fingerprints *self); /* also of a zeroed one */

/* Of the traceback of a row's node. */
struct fingerprint fingerprint_of(const struct fingerprints *self, uint32_t node);

static inline bool fingerprint_equal(const struct fingerprint *a, const struct fingerprint *b) {
    return a->at[0] == b->at[0] && a->at[1] == b->at[1] && a->frames == b->frames;
}

#endif
