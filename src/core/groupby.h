/* groupby: statistics: rows of a snapshot added up by file, line, function, traceback or domain.
 *
 *   key                     equal when
 *   KEY_FILENAME            the most recent frame's file is equal
 *   KEY_LINENO              its file and line are equal
 *   KEY_FUNCTION            its file and function are equal (line: that of the function's first such row)
 *   KEY_TRACEBACK           all kept frames are equal, each by file and line (the function takes no part)
 *   KEY_DOMAIN              the domain is equal
 *   KEY_PROCESS             the name of the process is equal; it stands in the place of the file
 *
 * The empty traceback is a key of its own (frames: 0), except for KEY_DOMAIN and KEY_PROCESS.
 * cumulative (file, line and function only; else STATUS_INVALID): a row counts once for each of its kept
 * frames, so a recursive function counts as often as it is on the stack. Sums that do not fit stay at
 * UINT64_MAX.
 * Order, as the standard tracer's: by size, count and traceback, all descending; tracebacks compare frame by
 * frame from the oldest, a frame by file name (code points; the UTF-8 kept here sorts alike) and line, then
 * by length; what is equal even then (two functions on one line) keeps the order of first appearance.
 * KEY_DOMAIN: by domain.
 * Owns its groups (vmem). Reads the snapshot, any thread. Fails with NOMEM, FULL or INVALID; `groups` is then
 * zeroed.
 * Cost: O(rows + groups log groups), plus that of tracebacks.h for KEY_TRACEBACK, O(nodes log limit) for
 * cumulative.
 */
#ifndef MEMTALLY_GROUPBY_H
#define MEMTALLY_GROUPBY_H

#include "snapshot.h"

enum key { KEY_FILENAME, KEY_LINENO, KEY_FUNCTION, KEY_TRACEBACK, KEY_DOMAIN, KEY_PROCESS };

struct group {
    uint64_t size;  /* bytes */
    uint64_t count; /* blocks */
    union {
        uint32_t file;   /* string ids of the snapshot's call paths */
        uint32_t node;   /* KEY_TRACEBACK: a node with this traceback */
        uint32_t domain; /* KEY_DOMAIN */
    };
    union {
        uint32_t line;  /* 0 for KEY_FILENAME, KEY_DOMAIN and KEY_PROCESS */
        uint32_t depth; /* KEY_TRACEBACK: its total_nframe as found first in row order, 0 unknown */
    };
    uint32_t function; /* KEY_FUNCTION; KEY_LINENO: that of the line's first row; else 0 */
    uint32_t frames;   /* the length of the key as a traceback; 0: the empty one, or KEY_DOMAIN */
};

struct groups {
    struct snapshot *snapshot; /* owned reference: the ids in the groups are its */
    struct group *items;       /* owned; NULL where there are none */
    size_t count;
    size_t all;   /* keys that there are: as many, or more where only the first ones were asked for */
    size_t bytes; /* mapped, of snapshot->account */
};

nodiscard status groupby(struct snapshot *snapshot, enum key key, bool cumulative, struct groups *groups);
/* The first `most` of them only, which costs no sorting of the others. */
nodiscard status groupby_top(struct snapshot *snapshot, enum key key, bool cumulative, size_t most,
                             struct groups *groups);
void groups_fini(struct groups *groups); /* also of zeroed groups */

/* Traceback (or domain) alone, by content, descending: negative where `a` comes first. */
int group_key_order(const struct snapshot *a_snapshot, const struct group *a,
                    const struct snapshot *b_snapshot, const struct group *b, enum key key);
/* The order above: negative where `a` comes first. Two groups of two snapshots may be compared. */
int group_order(const struct snapshot *a_snapshot, const struct group *a, const struct snapshot *b_snapshot,
                const struct group *b, enum key key);
/* Do two groups, perhaps of two snapshots with call paths of their own, have equal keys? */
bool group_equal(const struct snapshot *a_snapshot, const struct group *a, const struct snapshot *b_snapshot,
                 const struct group *b, enum key key);
uint64_t group_hash(const struct snapshot *snapshot, const struct group *group, enum key key);

#endif
