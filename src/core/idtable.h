/* idtable: which id has this content? The open-addressing index behind strtab, sites and calltree.
 *
 *   slots: | 0 | 17 | 0 | 3 | 9 | 0 | ...   a slot holds an id (0: empty); the content lies with the caller,
 *                                           who says what an id hashes to
 * A slot is found by a multiplication, so that their number can be any: a small table grows by a quarter, as the memory of
 * small programs counts, a large one to twice its size. For the same reason a table may begin with slots of two bytes.
 * Owns its slots (vmem). The caller's lock protects it. Look-up O(1) expected, at most 3/4 full.
 * Fails only with NOMEM, unchanged. Ids are never removed one by one.
 */
#ifndef MEMTALLY_IDTABLE_H
#define MEMTALLY_IDTABLE_H

#include "vmem.h"

enum { NARROW_MOST = SIZED(UINT16_MAX, 40) };

/* The upper half of a hash counts: hash_mix makes it good. */
typedef uint64_t (*idtable_hash)(const void *owner, uint32_t id);

struct idtable {
    void *slots; /* uint16_t, or uint32_t */
    size_t size; /* less than 2^32 */
    size_t count;
    bool is_narrow;
    struct vmem *account; /* borrowed */
};

nodiscard status idtable_init(struct idtable *table, struct vmem *account);
/* With slots of two bytes, until idtable_reserve_id has an id that needs more. */
nodiscard status idtable_init_narrow(struct idtable *table, struct vmem *account);
/* With room for so many ids: it will not grow before there are more. */
nodiscard status idtable_init_for(struct idtable *table, struct vmem *account, size_t count);
void idtable_fini(struct idtable *table);  /* also of a zeroed table */
void idtable_clear(struct idtable *table); /* no ids, and room for as many as there were */

/* Makes room for one more id: needed before a search that may end with idtable_put. `hash` recomputes hashes when the table grows. */
nodiscard status idtable_reserve(struct idtable *table, idtable_hash hash, const void *owner);
/* The same for this very id, which a narrow table must know before. */
nodiscard status idtable_reserve_id(struct idtable *table, idtable_hash hash, const void *owner, uint32_t id);

/* Puts an id whose content no other one has: no search comes first. Fails with NOMEM, unchanged. */
nodiscard status idtable_add(struct idtable *table, idtable_hash hash, const void *owner, uint32_t id);

/* The slot to start at, and the one after; walk until a slot is empty or its id is the one looked for. */
static inline size_t idtable_first(const struct idtable *table, uint64_t hash) {
    return ring_first(hash, table->size);
}
static inline uint32_t idtable_at(const struct idtable *table, size_t slot) {
    return table->is_narrow ? ((const uint16_t *)table->slots)[slot] : ((const uint32_t *)table->slots)[slot];
}
static inline size_t idtable_next(const struct idtable *table, size_t slot) {
    return ring_next(slot, table->size);
}

/* Puts an id into the empty slot where its search ended; room was reserved before that search. */
static inline void idtable_put(struct idtable *table, size_t slot, uint32_t id) {
    assert(idtable_at(table, slot) == 0 && id != 0 && (!table->is_narrow || id <= NARROW_MOST));
    if (table->is_narrow)
        ((uint16_t *)table->slots)[slot] = (uint16_t)id;
    else
        ((uint32_t *)table->slots)[slot] = id;
    table->count++;
}

#endif
