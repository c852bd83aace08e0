/* walk: which call path is this thread on? Frames are read in place; the walk stops at the first one that is known
 * not to have changed.
 *
 *   top   f0  new call            -> compare or intern, write its entry, mark it
 *         f1  new call            -> the same
 *         f2  MARKED, entry there -> the same activation as when it was marked: all below it is unchanged;
 *         f3  ...                    only its own instruction is looked at again
 *
 * A mark says: this activation was captured. It is gone in a new activation at the same address. So a marked frame
 * whose entry names it is known, and with it every frame below: they cannot run while it lives. A frame that cannot
 * carry a mark (a module, a class body, a generator) is compared by content: same frame, same instruction, no code
 * object died since, linked to the same parent; if that holds down to a marked frame or to the bottom, the whole
 * path is the same. A marked frame without an entry (pushed out, or marked by an earlier start) counts as changed.
 * An entry and its mark are written together; entries are written from below upwards, and no entry pointer is used
 * after the first write, since one write may push another frame's entry out.
 *
 * This file is a template: before including it define
 *     FRAME                                  the frame type
 *     FRAME *frame_below(FRAME *)            the next older frame that can count, or NULL
 *     uintptr_t frame_instr(FRAME *)         address of the current instruction
 *     bool frame_complete(FRAME *)           has it begun its body? (others do not count)
 *     bool frame_marked(FRAME *)             carries a mark
 *     bool frame_looks_marked(FRAME *)       the same, for a frame or shim whose instruction is compared as well
 *     void frame_mark(FRAME *)               marks it if it may be marked
 *     status frame_site(struct tracer *, FRAME *, uint32_t *site)    its site; slow
 * Here is the usual case, a marked frame on top, which the hooks inline; walk_called.h has new calls, walk_slow.h the rest.
 * Protected by the main GIL; `tracer->mirrors` is the calling thread's. All return a tally, or 0: not known this way.
 */
#ifndef MEMTALLY_WALK_H
#define MEMTALLY_WALK_H

#include "tracer.h"

#include <string.h>

hot_inline struct step *walk_step(const struct tracer *tracer, uint32_t parent, uintptr_t instr) {
    size_t hash = (instr >> 1) ^ (((uint64_t)parent * UINT64_C(0x9E3779B1)) >> 8);
    return &tracer->cache[hash & (CACHE_SIZE - 1)];
}

hot_inline bool step_is(const struct tracer *tracer, const struct step *step, uint32_t parent,
                        uintptr_t instr) {
    return step->instr == instr && step->parent == parent && step->generation == tracer->generation;
}

/* Makes the step for frame `f` above `parent`. When one frame is kept, frames only hand up their depth, and a step's
 * node is known by its tally alone; so the tally is made at once. */
static status walk_step_make(struct tracer *tracer, FRAME *f, uint32_t parent, uint32_t depth,
                             struct step *step) {
    bool one = tracer_frames_are_one(tracer);
    struct step made = {.instr = frame_instr(f), .parent = parent, .generation = tracer->generation};
    uint32_t site, node;
    status result = frame_site(tracer, f, &site);
    if (result != STATUS_OK)
        return result;
    lock_acquire(&tracer->paths->lock);
    result = node_intern_locked(tracer->paths, one ? 0 : parent, site, depth, &node);
    lock_release(&tracer->paths->lock);
    made.key = one ? depth : node;
    if (result == STATUS_OK && one)
        result = tracer_tally_of(tracer, node, &made.tally);
    if (result == STATUS_OK)
        *step = made;
    return result;
}

/* The step for frame `f` above `parent`, made where it is not in the cache. NULL where there is no memory. */
static cold_path struct step *walk_step_slow(struct tracer *tracer, FRAME *f, uint32_t parent, uint32_t depth,
                                             bool with_tally) {
    uintptr_t instr = frame_instr(f);
    struct step *step = walk_step(tracer, parent, instr);
    if (!step_is(tracer, step, parent, instr) && walk_step_make(tracer, f, parent, depth, step) != STATUS_OK)
        return NULL;
    if (with_tally && step->tally == 0 && tracer_tally_of(tracer, step->key, &step->tally) != STATUS_OK)
        return NULL;
    return step;
}

hot_inline struct step *walk_step_get(struct tracer *tracer, FRAME *f, uint32_t parent, uint32_t depth,
                                      bool with_tally) {
    struct step *step = walk_step(tracer, parent, frame_instr(f));
    if (likely(step_is(tracer, step, parent, frame_instr(f)) && (!with_tally || step->tally != 0)))
        return step;
    return walk_step_slow(tracer, f, parent, depth, with_tally);
}

/* The frame of this entry was on top at `instr`, on the path that the entry tells of. */
static inline void mirror_was_top(struct mirror_entry *entry, uintptr_t instr, uint32_t tally) {
    for (size_t i = MIRROR_OTHERS - 1; i > 0; i--)
        entry->others[i] = entry->others[i - 1];
    entry->others[0] = (struct top){(uint32_t)entry->top, entry->tally};
    entry->top = instr;
    entry->tally = tally;
}

/* The same frame as when its entry was written has moved on to the instruction of this step. */
static inline void mirror_advance(struct mirror_entry *entry, uintptr_t instr, const struct step *step) {
    entry->instr = instr;
    entry->key = step->key;
}

/* A marked frame on top that was not there at this instruction, or not lately. */
static out_of_line uint32_t walk_moved_on(struct tracer *tracer, struct mirror_entry *entry,
                                          uintptr_t instr) {
    struct step *step = walk_step(tracer, entry->parent, instr);
    if (unlikely(!step_is(tracer, step, entry->parent, instr) || step->tally == 0))
        return 0;
    mirror_advance(entry, instr, step);
    mirror_was_top(entry, instr, step->tally);
    return step->tally;
}

/* The frame on top is marked: the usual case in a loop. A shim's instruction is never in an entry, nor in a step. */
hot_inline uint32_t walk_marked(struct tracer *tracer, FRAME *f) {
    struct mirror_entry *entry = mirror_entry(&tracer->mirrors, f);
    if (unlikely(entry->frame != f || !frame_looks_marked(f)))
        return 0;
    uintptr_t instr = frame_instr(f);
    if (likely(entry->top == instr)) {
        uint32_t tally = entry->tally;
        if (tally == 0)
            __builtin_unreachable(); /* as `top` says */
        return tally;
    }
    for (size_t i = 0; i < MIRROR_OTHERS; i++) {
        if (entry->others[i].instr == (uint32_t)instr && entry->others[i].tally != 0 && frame_marked(f))
            return entry->others[i].tally;
    }
    return walk_moved_on(tracer, entry, instr);
}

hot_inline void walk_mark(const struct tracer *tracer, FRAME *f) {
    if (likely(tracer->may_mark))
        frame_mark(f);
}

static inline void mirror_write(struct tracer *tracer, FRAME *f, uint32_t parent, uint32_t depth,
                                const struct step *step) {
    struct mirror_entry *entry = mirror_entry(&tracer->mirrors, f);
    entry->frame = f;
    entry->parent = parent;
    entry->depth = depth;
    entry->generation = tracer->generation;
    entry->top = step->tally != 0 ? frame_instr(f) : 0;
    entry->tally = step->tally;
    memset(entry->others, 0, sizeof entry->others);
    mirror_advance(entry, frame_instr(f), step);
}

#endif
