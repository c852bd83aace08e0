/* mirror: what a thread's stack looked like when it was last walked, so that only changed frames are walked again.
 *
 *   frame address --> entry {frame, top, tally, others, instr, key, parent, depth, generation}      one cache line
 *
 *   key      what this frame hands to the frame above it: its node (the call path up to it), or, when one frame is
 *            kept, only its depth
 *   parent   the key of the frame below when this entry was written
 *
 *   top, others   the last instructions at which this frame was on top of the stack, and the tallies that they had
 *
 * The table is direct-mapped. An entry says nothing by itself: walk.h tells when it may be trusted. Two frames may
 * want the same place: the later one wins, and the other is unknown (never wrong) until it is walked again.
 *
 * One table a thread, found by the thread's address. A new thread may inherit a dead one's table: entries are only
 * believed after comparison or for frames marked since. Owns its tables (vmem). Protected by the main GIL.
 * Fails with NOMEM; then the thread's allocations are lost traces until memory is there.
 */
#ifndef MEMTALLY_MIRROR_H
#define MEMTALLY_MIRROR_H

#include "vmem.h"

enum { MIRROR_OTHERS = 2 };

struct mirror_entry {
    const void *frame; /* never NULL in a table, so that no frame at all matches nothing */
    uintptr_t top;     /* an instruction at which this frame was on top: it has `tally`; 0: none yet */
    uint32_t tally;    /* 0 with `top` 0 */
    uint32_t generation;
    uintptr_t instr;
    uint32_t key;
    uint32_t parent;
    uint32_t depth; /* frames from the bottom of the stack to this one, 1 or more */
    uint32_t reserved;
    struct top {
        uint32_t instr; /* the low half: tells the instructions of one code object apart */
        uint32_t tally; /* 0: none */
    } others[MIRROR_OTHERS];
};

/* One cache line, so that the low bits of a frame's address select an entry. */
_Static_assert(sizeof(struct mirror_entry) == 64, "mirror_entry() masks addresses with multiples of 64");

struct mirror {
    const void *thread; /* NULL: this place is free */
    struct mirror_entry *entries;
    size_t slots;
};

struct mirrors {
    struct mirror *threads; /* open addressing by thread */
    size_t mask;
    size_t count;
    struct vmem *account; /* borrowed */
    /* The thread that runs now, unpacked for the hot path. */
    struct mirror *current;
    struct mirror_entry *entries;
    uintptr_t entry_mask; /* (slots - 1) * sizeof(struct mirror_entry) */
};

nodiscard status mirrors_init(struct mirrors *mirrors, struct vmem *account);
void mirrors_fini(struct mirrors *mirrors); /* also of zeroed mirrors */
nodiscard status mirrors_switch(struct mirrors *mirrors, const void *thread);
void mirrors_empty(struct mirrors *mirrors);          /* no frame of any thread is known any more */
void mirrors_forget_tallies(struct mirrors *mirrors); /* frames are known, but none that was on top */
/* More room for deeper stacks; and, up to a megabyte of addresses, for one whose frames push each other out. Entries move.
 * A failure is benign: frames push each other out more often. */
void mirror_grow(struct mirrors *mirrors, uint32_t depth);
void mirror_widen(struct mirrors *mirrors);

/* Frames lie at least 64 bytes apart, so the address itself is a good hash. */
hot_inline struct mirror_entry *mirror_entry(const struct mirrors *mirrors, const void *frame) {
    return (struct mirror_entry *)((char *)mirrors->entries + ((uintptr_t)frame & mirrors->entry_mask));
}
hot_inline bool mirror_is_deep(const struct mirrors *mirrors, uint32_t depth) {
    return (size_t)depth * 4 * sizeof(struct mirror_entry) > mirrors->entry_mask;
}

#endif
