/* walk_called: the frame on top is a new call, and its caller is known: one or two entries are compared, or written (walk.h
 * has the idea, and says what to define before). Inlined into walk_slow.h's ways. Under the main GIL. Nothing fails: what is
 * not known this way is NULL or 0, and what was written until then is right.
 */
#ifndef MEMTALLY_WALK_CALLED_H
#define MEMTALLY_WALK_CALLED_H

#include "collect.h"
#include "rest.h"
#include "walk_chain.h"

/* Brings the entry of a marked frame that called another to its present instruction. */
static inline bool walk_advance(struct tracer *tracer, FRAME *f, struct mirror_entry *entry) {
    if (entry->instr == frame_instr(f) || tracer_frames_are_one(tracer))
        return true;
    struct step *step = walk_step(tracer, entry->parent, frame_instr(f));
    if (!step_is(tracer, step, entry->parent, frame_instr(f)))
        return false;
    mirror_advance(entry, frame_instr(f), step);
    return true;
}

/* What hands its key to a frame, or nothing: it stands still. */
static inline bool walk_base(struct tracer *tracer, FRAME *f, uint32_t *key, uint32_t *depth) {
    *key = *depth = 0;
    if (f == NULL)
        return true;
    struct mirror_entry *entry = mirror_entry(&tracer->mirrors, f);
    if (entry->frame != f)
        return false;
    *depth = entry->depth;
    if (frame_marked(f)) {
        if (!walk_advance(tracer, f, entry))
            return false;
        walk_link(tracer, f, entry);
        *key = entry->key;
        return true;
    }
    const struct link *link = walk_stands(tracer, f, entry->depth);
    if (link != NULL)
        *key = link->key;
    return link != NULL;
}

/* Makes a step; NULL also where a collection is to come first, which may not while we have an id. */
static out_of_line const struct step *walk_make_step(struct tracer *tracer, FRAME *f, uint32_t parent,
                                                     uint32_t depth, bool with_tally) {
    if (collect_is_due(tracer) || rest_is_due(tracer))
        return NULL;
    return walk_step_slow(tracer, f, parent, depth, with_tally);
}

/* An unmarked frame that called another has moved on, or is new; its own caller stands. */
static inline struct mirror_entry *walk_moved_caller(struct tracer *tracer, FRAME *f,
                                                     struct mirror_entry *entry) {
    uint32_t parent, depth;
    if (!frame_complete(f) || !walk_base(tracer, frame_below(f), &parent, &depth))
        return NULL;
    const struct step only_depth = {.key = ++depth}, *step = &only_depth;
    if (!tracer_frames_are_one(tracer)) {
        step = walk_step(tracer, parent, frame_instr(f));
        if (unlikely(!step_is(tracer, step, parent, frame_instr(f))))
            step = walk_make_step(tracer, f, parent, depth, false);
        if (step == NULL)
            return NULL;
    }
    if (entry->frame == f && entry->parent == parent && entry->generation == tracer->generation)
        mirror_advance(entry, frame_instr(f), step);
    else
        mirror_write(tracer, f, parent, depth, step);
    walk_mark(tracer, f);
    walk_link(tracer, f, entry);
    return entry;
}

/* The entry of the frame that called the one on top, as of now; NULL: not known this way. */
static inline struct mirror_entry *walk_caller(struct tracer *tracer, FRAME *caller) {
    struct mirror_entry *entry = mirror_entry(&tracer->mirrors, caller);
    if (entry->frame == caller) {
        if (frame_marked(caller))
            return walk_advance(tracer, caller, entry) ? entry : NULL;
        const struct link *link = walk_stands(tracer, caller, entry->depth);
        if (link != NULL && link->parent == entry->parent && entry->generation == tracer->generation) {
            entry->instr = frame_instr(caller);
            entry->key = link->key;
            walk_mark(tracer, caller);
            return entry;
        }
    }
    return walk_moved_caller(tracer, caller, entry);
}

/* The frame on top, which has begun its body, is a new call, or a generator resumed; the frames below stand still, but for
 * its caller. */
static inline uint32_t walk_called(struct tracer *tracer, FRAME *f) {
    FRAME *below = frame_below(f);
    uint32_t parent = 0, depth = 1;
    if (below != NULL) {
        const struct mirror_entry *caller = walk_caller(tracer, below);
        if (caller == NULL) {
            tracer->chain.is_broken = true;
            return 0;
        }
        parent = caller->key;
        depth = caller->depth + 1;
    }
    uintptr_t instr = frame_instr(f);
    struct mirror_entry *entry = mirror_entry(&tracer->mirrors, f);
    bool same = entry->frame == f && entry->top == instr && entry->parent == parent &&
                entry->generation == tracer->generation;
    if (!same) {
        const struct step *step = walk_step(tracer, parent, instr);
        if (unlikely(!step_is(tracer, step, parent, instr) || step->tally == 0))
            step = walk_make_step(tracer, f, parent, depth, true);
        if (step == NULL)
            return 0;
        mirror_write(tracer, f, parent, depth, step);
    }
    uint32_t tally = entry->tally;
    walk_mark(tracer, f);
    return tally;
}

#endif
