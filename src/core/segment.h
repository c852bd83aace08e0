/* segment: rows that stay as they are, in one piece, which several snapshots may have a part in.
 *
 *   segment   [ r r r r r r r r ]                  rows, one after the other, in memory of their own
 *   part      [ 1 1 0 1 1 1 0 1 ]                  which of them a snapshot has: a bit a row, or all of them
 *
 * Owns its rows (vmem); reference-counted. One thread adds rows, before anybody else knows of the segment; from then on
 * any thread may read. Adding O(1); going over a part O(its rows + segment rows / 64).
 * Fails with NOMEM or FULL (no addresses), unchanged.
 */
#ifndef MEMTALLY_SEGMENT_H
#define MEMTALLY_SEGMENT_H

#include "vmem.h"

struct row {
    uint32_t domain;
    uint32_t node;
    uint32_t depth;
    uint32_t process; /* string id of the name of the process it is from; 0: not said */
    uint64_t size;
    uint64_t count; /* at least 1 */
};

struct segment {
    struct region memory; /* owned: what this structure and its rows lie in */
    size_t count;
    _Atomic uint32_t references;
    _Alignas(64) struct row rows[]; /* none lies in two cache lines */
};

struct segment_part {
    struct segment *segment; /* owned reference */
    const uint64_t *kept;    /* borrowed: lives as long as the part; NULL: all rows */
};

/* One reference, the caller's; no rows yet. NULL without memory. */
nodiscard struct segment *segment_new(struct vmem *account);
void segment_retain(struct segment *segment);
void segment_release(struct segment *segment); /* NULL is fine */

/* The bytes that it needs with so many rows. */
static inline size_t segment_bytes(size_t count) {
    return sizeof(struct segment) + count * sizeof(struct row);
}

/* For one more row. */
static inline bool segment_has_room(const struct segment *segment) {
    return segment_bytes(segment->count + 1) <= segment->memory.committed;
}
nodiscard status segment_make_room(struct segment *segment);
static inline void segment_add(struct segment *segment, const struct row *row) {
    assert(segment_has_room(segment));
    segment->rows[segment->count++] = *row;
}

/* After the last row: gives back what was kept for more. Returns where the segment lies from now on. */
nodiscard struct segment *segment_complete(struct segment *segment);

/* The words that a bit for each of the segment's rows needs. */
static inline size_t segment_words(const struct segment *segment) { return (segment->count + 63) / 64; }

/* The row of a part that `*i` others come before; NULL where there are fewer, and `*i` is how many are missing. */
const struct row *segment_part_row(const struct segment_part *part, size_t *i);

/* --- going over the rows of several parts --- */

struct rows {
    const struct row *row;  /* borrowed: the present one; NULL: not begun */
    const struct row *last; /* borrowed: of a run of rows that are all kept */
    uint64_t rest;          /* the bits of a word that are still to come, of a word with gaps */
    const struct row *base; /* borrowed: the row of that word's first bit */
    const struct segment_part *part;
    const struct segment_part *parts_end;
    size_t word; /* of the part's: where the search goes on */
};

/* Goes on to the next run or word; false: there is none. */
bool rows_search(struct rows *rows);

/* Goes on to the next row; false: there is none. */
hot_inline bool rows_next(struct rows *rows) {
    if (likely(rows->row != rows->last)) {
        rows->row++;
        return true;
    }
    if (rows->rest != 0) { /* no branch that depends on single gaps: they may be anywhere */
        rows->row = rows->last = rows->base + __builtin_ctzll(rows->rest);
        rows->rest &= rows->rest - 1;
        return true;
    }
    struct rows next = *rows; /* a copy, so that the loop can keep its own in registers */
    bool found = rows_search(&next);
    *rows = next;
    return found;
}

#endif
