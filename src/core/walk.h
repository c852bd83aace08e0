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
 *     bool frame_marked(FRAME *)             carries a mark (constant false where there are no marks)
 *     void frame_mark(FRAME *)               marks it if it may be marked
 *     status frame_site(struct tracer *, FRAME *, uint32_t *site)    its site; slow
 * Protected by the main GIL; `tracer->mirrors` is the calling thread's. All return a tally, or 0: not known this way.
 */
#ifndef MEMTALLY_WALK_H
#define MEMTALLY_WALK_H

#include "tracer.h"

hot_inline struct step *walk_step(const struct tracer *tracer, uint32_t parent, uintptr_t instr) {
    size_t hash = (instr >> 1) ^ (((uint64_t)parent * UINT64_C(0x9E3779B1)) >> 8);
    return &tracer->cache[hash & (CACHE_SIZE - 1)];
}

hot_inline bool step_is(const struct tracer *tracer, const struct step *step, uint32_t parent, uintptr_t instr) {
    return step->instr == instr && step->parent == parent && step->generation == tracer->generation;
}

/* Makes the step for frame `f` above `parent`. When one frame is kept, frames only hand up their depth, and a step's
 * node is known by its tally alone; so the tally is made at once. */
static status walk_step_make(struct tracer *tracer, FRAME *f, uint32_t parent, uint32_t depth, struct step *step) {
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

/* The frame on top is marked: the usual case in a loop. */
hot_inline uint32_t walk_marked(struct tracer *tracer, FRAME *f) {
    struct mirror_entry *entry = mirror_entry(&tracer->mirrors, f);
    if (unlikely(entry->frame != f || !frame_marked(f)))
        return 0;
    uintptr_t instr = frame_instr(f);
    if (likely(entry->instr == instr))
        return entry->tally;
    struct step *step = walk_step(tracer, entry->parent, instr);
    if (unlikely(!step_is(tracer, step, entry->parent, instr) || step->tally == 0))
        return 0;
    entry->instr = instr;
    entry->key = step->key;
    entry->tally = step->tally;
    return step->tally;
}

static inline void mirror_write(struct tracer *tracer, FRAME *f, uint32_t parent, uint32_t depth,
                                const struct step *step) {
    struct mirror_entry *entry = mirror_entry(&tracer->mirrors, f);
    entry->frame = f;
    entry->instr = frame_instr(f);
    entry->key = step->key;
    entry->parent = parent;
    entry->tally = step->tally;
    entry->depth = depth;
    entry->generation = tracer->generation;
}

/* The frame on top is a new call from a marked frame: the usual case in a function called in a loop. */
static inline uint32_t walk_called(struct tracer *tracer, FRAME *f) {
    FRAME *below = frame_below(f);
    if (below == NULL || !frame_marked(below))
        return 0;
    struct mirror_entry *caller = mirror_entry(&tracer->mirrors, below);
    if (caller->frame != below)
        return 0;
    uintptr_t caller_instr = frame_instr(below), instr = frame_instr(f);
    if (caller->instr != caller_instr && !tracer_frames_are_one(tracer)) {
        struct step *step = walk_step(tracer, caller->parent, caller_instr);
        if (!step_is(tracer, step, caller->parent, caller_instr))
            return 0;
        caller->instr = caller_instr;
        caller->key = step->key;
        caller->tally = step->tally;
    }
    uint32_t parent = caller->key, depth = caller->depth + 1;
    struct mirror_entry *entry = mirror_entry(&tracer->mirrors, f);
    bool same = entry->frame == f && entry->instr == instr && entry->parent == parent &&
                entry->generation == tracer->generation && entry->tally != 0;
    if (!same) {
        struct step *step = walk_step(tracer, parent, instr);
        if (!step_is(tracer, step, parent, instr) || step->tally == 0 || !frame_complete(f))
            return 0;
        mirror_write(tracer, f, parent, depth, step);
    }
    uint32_t tally = entry->tally;
    frame_mark(f);
    return tally;
}

/* Frames that must be looked at, top first: scratch memory that grows on its own. */
struct walk_stack {
    struct region region; /* FRAME * each */
    size_t count;
};

static status walk_push(struct tracer *tracer, struct walk_stack *stack, FRAME *f) {
    if (unlikely(stack->region.base == NULL)) {
        status result = region_init(&stack->region, &tracer->memory, ((size_t)1 << 26) * sizeof(FRAME *));
        if (result != STATUS_OK)
            return result;
    }
    status result = region_grow(&stack->region, (stack->count + 1) * sizeof(FRAME *));
    if (result == STATUS_OK)
        ((FRAME **)stack->region.base)[stack->count++] = f;
    return result;
}

/* What stands below the frames of the stack: a marked frame's key and depth, or nothing. */
struct walk_base {
    uint32_t key;
    uint32_t depth;
};

/* Goes down to the first known frame. `*changed`: how many frames, from the top, have to be written anew. */
static status walk_down(struct tracer *tracer, FRAME *f, struct walk_stack *stack, FRAME **known, size_t *changed) {
    bool one = tracer_frames_are_one(tracer);
    const struct mirror_entry *above = NULL;
    stack->count = *changed = 0;
    for (*known = NULL; f != NULL; f = frame_below(f)) {
        const struct mirror_entry *entry = mirror_entry(&tracer->mirrors, f);
        bool ours = entry->frame == f;
        if (ours && frame_marked(f)) {
            *known = f;
            return STATUS_OK;
        }
        bool same = ours && entry->instr == frame_instr(f) && entry->generation == tracer->generation;
        if (!same && !frame_complete(f))
            continue;
        if (above != NULL && (!ours || above->parent != entry->key))
            *changed = stack->count; /* the one above hangs on another path now */
        if (!(one && stack->count > 0 ? ours && entry->generation == tracer->generation : same))
            *changed = stack->count + 1;
        above = entry;
        status result = walk_push(tracer, stack, f);
        if (result != STATUS_OK)
            return result;
    }
    return STATUS_OK;
}

/* The known frame below all: bring its entry to its present instruction. */
static status walk_refresh(struct tracer *tracer, FRAME *known, bool is_top, struct walk_base *base) {
    struct mirror_entry *entry = mirror_entry(&tracer->mirrors, known);
    if (is_top || (entry->instr != frame_instr(known) && !tracer_frames_are_one(tracer))) {
        struct step *step = walk_step_get(tracer, known, entry->parent, entry->depth, is_top);
        if (step == NULL)
            return STATUS_NOMEM;
        mirror_write(tracer, known, entry->parent, entry->depth, step);
    }
    *base = (struct walk_base){entry->key, entry->depth};
    return STATUS_OK;
}

/* Writes the topmost `changed` frames of the stack anew, from below; returns the tally of the one on top, or 0. */
static uint32_t walk_up(struct tracer *tracer, const struct walk_stack *stack, size_t changed, struct walk_base base) {
    FRAME **frames = (FRAME **)stack->region.base;
    bool one = tracer_frames_are_one(tracer);
    uint32_t tally = 0;
    if (changed < stack->count) {
        const struct mirror_entry *entry = mirror_entry(&tracer->mirrors, frames[changed]);
        base = (struct walk_base){entry->key, entry->depth};
    }
    for (size_t i = changed; i-- > 0;) {
        FRAME *f = frames[i];
        bool top = i == 0;
        struct step only_depth = {.key = base.depth + 1};
        const struct step *step = &only_depth;
        if (!one || top)
            step = walk_step_get(tracer, f, base.key, base.depth + 1, top);
        if (step == NULL)
            return 0;
        base.depth++;
        mirror_write(tracer, f, base.key, base.depth, step);
        frame_mark(f);
        base.key = step->key;
        tally = step->tally;
    }
    if (unlikely(mirror_is_deep(&tracer->mirrors, base.depth)))
        mirror_grow(&tracer->mirrors, base.depth);
    return tally;
}

/* Any stack: `f` is its youngest frame that can count, or NULL. 0 only where there is no memory. */
maybe_unused static out_of_line uint32_t walk_any(struct tracer *tracer, FRAME *f, struct walk_stack *stack) {
    FRAME *known;
    size_t changed;
    struct walk_base base = {0, 0};
    if (walk_down(tracer, f, stack, &known, &changed) != STATUS_OK)
        return 0;
    if (known != NULL && walk_refresh(tracer, known, stack->count == 0, &base) != STATUS_OK)
        return 0;
    if (stack->count == 0)
        return known != NULL ? mirror_entry(&tracer->mirrors, known)->tally : tracer->unknown;
    FRAME **frames = (FRAME **)stack->region.base;
    const struct mirror_entry *lowest = mirror_entry(&tracer->mirrors, frames[stack->count - 1]);
    if (lowest->parent != base.key)
        changed = stack->count;
    uint32_t tally = mirror_entry(&tracer->mirrors, frames[0])->tally;
    if (changed == 0 && tally != 0) {
        for (size_t i = 0; i < stack->count; i++)
            frame_mark(frames[i]);
        return tally;
    }
    return walk_up(tracer, stack, changed != 0 ? changed : 1, base);
}

#endif
