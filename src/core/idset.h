/* idset: which of the ids 0 .. end - 1 are in use, and the how-manieth each one is.
 *
 *   words:  1011 0000 | 0010 1000 | ...      bit `id & 63` of word `id >> 6`
 *   before: 0         | 3         | ...      members in earlier words, once counted
 *                                            (index = before + bits below)
 *
 * So sparse ids become dense numbers in the same order, at 12 bytes for 64 ids.
 * Owns its words (vmem). One thread builds it; complete, any thread may read. All but counting is O(1).
 * Fails with NOMEM, unchanged.
 */
#ifndef MEMTALLY_IDSET_H
#define MEMTALLY_IDSET_H

#include "vmem.h"

struct idset {
    uint64_t *words;
    uint32_t *before; /* NULL until idset_count */
    size_t word_count;
    uint32_t end;
    uint32_t count;       /* members, once counted */
    struct vmem *account; /* borrowed */
};

nodiscard status idset_init(struct idset *set, struct vmem *account, uint32_t end);
void idset_fini(struct idset *set); /* also of a zeroed set */

/* Fills `before` and `count`; nothing is added afterwards. */
nodiscard status idset_count(struct idset *set);

static inline bool idset_has(const struct idset *set, uint32_t id) {
    assert(id < set->end);
    return set->words[id >> 6] >> (id & 63) & 1;
}

static inline void idset_add(struct idset *set, uint32_t id) {
    assert(id < set->end && set->before == NULL);
    set->words[id >> 6] |= UINT64_C(1) << (id & 63);
}

/* The number of members below `id`; counted sets only. */
static inline uint32_t idset_index(const struct idset *set, uint32_t id) {
    uint64_t below = set->words[id >> 6] & ((UINT64_C(1) << (id & 63)) - 1);
    return set->before[id >> 6] + (uint32_t)__builtin_popcountll(below);
}

/* The first member from `id` on, or `end`. */
uint32_t idset_next(const struct idset *set, uint32_t id);

/* The size of a bitmap of bytes that covers these ids. */
static inline size_t idset_bytes(const struct idset *set) { return set->word_count * sizeof *set->words; }

#endif
