/* idtable: which id has this content? The open-addressing index behind strtab, sites and calltree.
 *
 *   slots: | 0 | 17 | 0 | 3 | 9 | 0 | ...   a slot holds an id (0: empty); the content lies with the caller,
 *                                           who says what an id hashes to
 * A slot is found by a multiplication, so that their number can be any: a small table grows by a quarter, as the memory of
 * small programs counts, a large one to twice its size.
 * Owns its slots (vmem). The caller's lock protects it. Look-up O(1) expected, at most 3/4 full.
 * Fails only with NOMEM, unchanged. Ids are never removed one by one.
 */
#ifndef MEMTALLY_IDTABLE_H
#define MEMTALLY_IDTABLE_H

#include "vmem.h"

/* The upper half of a hash counts: hash_mix makes it good. */
typedef uint64_t (*idtable_hash)(const void *owner, uint32_t id);

struct idtable {
    uint32_t *slots;
    size_t size; /* less than 2^32 */
    size_t count;
    struct vmem *account; /* borrowed */
};

nodiscard status idtable_init(struct idtable *table, struct vmem *account);
/* With room for so many ids: it will not grow before there are more. */
nodiscard status idtable_init_for(struct idtable *table, struct vmem *account, size_t count);
void idtable_fini(struct idtable *table);  /* also of a zeroed table */
void idtable_clear(struct idtable *table); /* no ids, and room for as many as there were */

/* Makes room for one more id: needed before a search that may end with idtable_put. `hash` recomputes hashes when the table grows. */
nodiscard status idtable_reserve(struct idtable *table, idtable_hash hash, const void *owner);

/* Puts an id whose content no other one has: no search comes first. Fails with NOMEM, unchanged. */
nodiscard status idtable_add(struct idtable *table, idtable_hash hash, const void *owner, uint32_t id);

/* The slot to start at, and the one after; walk until a slot is empty or its id is the one looked for. */
static inline size_t idtable_first(const struct idtable *table, uint64_t hash) {
    return (hash >> 32) * table->size >> 32;
}
static inline size_t idtable_next(const struct idtable *table, size_t slot) {
    return slot + 1 < table->size ? slot + 1 : 0;
}

/* Puts an id into the empty slot where its search ended; room was reserved before that search. */
static inline void idtable_put(struct idtable *table, size_t slot, uint32_t id) {
    assert(table->slots[slot] == 0 && id != 0);
    table->slots[slot] = id;
    table->count++;
}

#endif
