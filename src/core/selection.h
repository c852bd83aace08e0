/* selection: some of the rows that a snapshot's segments have, on their way to another snapshot.
 *
 *   from     A [ r r r r r r ]  B [ r r r r ]
 *   chosen   A [ 1 1 0 1 1 1 ]  B [ 0 0 1 0 ]      a bit a row; also rows that `from` itself has no part in any more
 *   to       A [ 1 1 0 1 1 1 ]  own [ B's third ]  shared where at least half of a segment is chosen, else copied
 *
 * So no snapshot keeps more than twice its own rows alive, and rows are copied once for every row that went. Where there
 * would be too many parts the smaller ones are copied as well.
 * Owns its bits (vmem); borrows the snapshot, which must live as long. One thread. Adding O(1), taking O(rows / 64 + rows
 * that are copied). Fails with NOMEM or FULL: the selection is unchanged, `to` is to be released.
 */
#ifndef MEMTALLY_SELECTION_H
#define MEMTALLY_SELECTION_H

#include "snapshot.h"

struct selection {
    const struct snapshot *from; /* borrowed */
    uint64_t *words;             /* owned: the bits of all segments, each from a word of its own on */
    size_t bytes;
    size_t begins[PARTS_MOST]; /* by part of `from`: its first word */
    uint64_t entries;
};

nodiscard status selection_init(struct selection *selection, const struct snapshot *from);
void selection_fini(struct selection *selection); /* also of a zeroed selection */

/* Chooses a row of a part of `from`, which was not chosen before. */
static inline void selection_add(struct selection *selection, const struct segment_part *part,
                                 const struct row *row) {
    const struct snapshot *from = selection->from;
    size_t i = (size_t)(row - part->segment->rows);
    selection->words[selection->begins[part - from->parts] + i / 64] |= UINT64_C(1) << i % 64;
    selection->entries += from->view == VIEW_LIVE ? row->count : 1;
}

/* Gives the chosen rows to `to` as well, which has the same call paths and view, and one part so far. */
nodiscard status selection_take(const struct selection *selection, struct snapshot *to);

#endif
