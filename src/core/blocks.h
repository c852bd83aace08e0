/* blocks: what happens to a block of the main partition in the usual case, inlined into the hooks; tracer.h has the slow
 * ways. Under the main GIL, by the fast thread or one that has entered. Nothing fails: what cannot be done this way says
 * so, and nothing was done.
 */
#ifndef MEMTALLY_BLOCKS_H
#define MEMTALLY_BLOCKS_H

#include "tracer.h"

/* A ghost in the bigmap at an address that a page serves is not looked for: it takes hooks that were away to leave one.
 * Returns false where tracer_put_slow must do it. */
hot_inline bool tracer_put_fast(struct tracer *tracer, uintptr_t address, size_t size, uint32_t tally) {
    uint32_t unused;
    uint32_t *slot = addrmap_fit(&tracer->map, address, size, &unused);
    if (unlikely(slot == NULL || *slot != 0))
        return false;
    *slot = slot_make(tally, unused);
    ledger_gain(&tracer->ledger, tally, (uint32_t)size);
    return true;
}

static inline void tracer_put(struct tracer *tracer, uintptr_t address, size_t size, uint32_t tally) {
    if (!tracer_put_fast(tracer, address, size, tally))
        tracer_put_slow(tracer, address, size, tally);
}

/* The record of an address in its page, or NULL where there is none: then only the slow ways can tell. */
static inline uint32_t *tracer_record(const struct tracer *tracer, uintptr_t address, struct page **page) {
    *page = addrmap_page(&tracer->map, address);
    if (unlikely(*page == NULL))
        return NULL;
    uint32_t *slot = page_slot(*page, address);
    return likely(slot != NULL && *slot != 0) ? slot : NULL;
}

/* The block of this record ends. */
hot_inline void tracer_drop(struct tracer *tracer, const struct page *page, uint32_t *slot) {
    uint32_t record = *slot;
    *slot = 0;
    ledger_lose(&tracer->ledger, slot_tally(record), slot_size(page->stride, record));
}

/* The same, and the block is kept for the next one of its size. False: there is no room for it, so it is to be freed. */
hot_inline bool tracer_keep(struct tracer *tracer, const struct page *page, uint32_t *slot,
                            uintptr_t address) {
    tracer_drop(tracer, page, slot);
    return likely(magazine_keep(&tracer->magazines, page->stride, address, slot));
}

/* A kept block begins anew: its slot is at hand and empty, its page need not be asked. Returns false where tracer_put_slow
 * must do it. */
hot_inline bool tracer_put_kept(struct tracer *tracer, uint32_t *slot, size_t size, uint32_t tally) {
    if (unlikely(slot == NULL))
        return false;
    *slot = slot_make(tally, (uint32_t)-size & 15);
    ledger_gain(&tracer->ledger, tally, (uint32_t)size);
    return true;
}

/* These two where the tally is calm, the second also where this is no peak, and a kept block's slot is known: nothing is
 * called. True: the tally must spill its total, or what was freed. */
hot_inline bool tracer_put_calmly(struct tracer *tracer, struct round *top, size_t size, uint32_t tally) {
    *top->slot = slot_make(tally, (uint32_t)-size & 15);
    (void)magazine_take(&tracer->magazines, top, size);
    return ledger_gain_calmly(&tracer->ledger, tally, (uint32_t)size);
}

hot_inline bool tracer_drop_calmly(struct tracer *tracer, const struct page *page, uint32_t *slot) {
    uint32_t record = *slot;
    *slot = 0;
    return ledger_lose_calmly(&tracer->ledger, slot_tally(record), slot_size(page->stride, record));
}

/* The record where most small blocks are; NULL where only tracer_record and the slow ways can tell. */
hot_inline uint32_t *tracer_record_near(const struct tracer *tracer, uintptr_t address,
                                        const struct page **page) {
    *page = addrmap_near(&tracer->map, address);
    uint32_t *slot = likely(*page != NULL) ? page_slot(*page, address) : NULL;
    return likely(slot != NULL && *slot != 0) ? slot : NULL;
}

/* Returns false where only tracer_remove_slow can tell. */
hot_inline bool tracer_remove_fast(struct tracer *tracer, uintptr_t address) {
    const struct page *page;
    uint32_t *slot = tracer_record_near(tracer, address, &page);
    if (unlikely(slot == NULL))
        return false;
    tracer_drop(tracer, page, slot);
    return true;
}

/* A block whose record is known, in a page of this stride, gets another tally. */
static inline void tracer_move(struct tracer *tracer, uint32_t stride, uint32_t *slot, uint32_t tally) {
    uint32_t record = *slot;
    if (slot_tally(record) == tally)
        return;
    *slot = slot_with_tally(record, tally);
    ledger_move(&tracer->ledger, slot_tally(record), tally, slot_size(stride, record));
}

#endif
