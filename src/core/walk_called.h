/* walk_called: the frame on top is a new call, and its caller is known: one or two entries are compared, or written (walk.h
 * has the idea, and says what to define before). Inlined into walk_slow.h's ways. Under the main GIL. Nothing fails: what is
 * not known this way is NULL or 0, and what was written until then is right.
 */
#ifndef MEMTALLY_WALK_CALLED_H
#define MEMTALLY_WALK_CALLED_H

#include "walk.h"

/* Is the frame of this entry where it was, or, when one frame is kept, does it count as it did? */
hot_inline bool walk_stands(const struct tracer *tracer, const FRAME *f, const struct mirror_entry *entry) {
    return entry->generation == tracer->generation &&
           (entry->instr == frame_instr(f) || (tracer_frames_are_one(tracer) && frame_complete(f)));
}

/* Does unmarked frame `f` stand where its entry says, and all below it, down to the first marked one? */
static inline bool walk_all_stand(const struct tracer *tracer, FRAME *f, const struct mirror_entry *entry) {
    while (walk_stands(tracer, f, entry)) {
        f = frame_below(f);
        if (f == NULL)
            return entry->parent == 0;
        uint32_t parent = entry->parent;
        entry = mirror_entry(&tracer->mirrors, f);
        if (entry->frame != f || entry->key != parent)
            return false;
        if (frame_marked(f))
            return entry->instr == frame_instr(f) || tracer_frames_are_one(tracer);
    }
    return false;
}

/* The entry of the frame that called the one on top, as of now; NULL: not known this way. */
static inline struct mirror_entry *walk_caller(struct tracer *tracer, FRAME *caller) {
    struct mirror_entry *entry = mirror_entry(&tracer->mirrors, caller);
    if (entry->frame != caller)
        return NULL;
    if (!frame_marked(caller)) {
        if (!walk_all_stand(tracer, caller, entry))
            return NULL;
        for (FRAME *f = caller; f != NULL && !frame_marked(f); f = frame_below(f))
            walk_mark(tracer, f);
    } else if (entry->instr != frame_instr(caller) && !tracer_frames_are_one(tracer)) {
        struct step *step = walk_step(tracer, entry->parent, frame_instr(caller));
        if (!step_is(tracer, step, entry->parent, frame_instr(caller)))
            return NULL;
        mirror_advance(entry, frame_instr(caller), step);
    }
    return entry;
}

/* The frame on top, which has begun its body, is a new call, or a generator resumed; the frames below stand still, but for
 * its caller. */
static inline uint32_t walk_called(struct tracer *tracer, FRAME *f) {
    FRAME *below = frame_below(f);
    uint32_t parent = 0, depth = 1;
    if (below != NULL) {
        const struct mirror_entry *caller = walk_caller(tracer, below);
        if (caller == NULL)
            return 0;
        parent = caller->key;
        depth = caller->depth + 1;
    }
    uintptr_t instr = frame_instr(f);
    struct mirror_entry *entry = mirror_entry(&tracer->mirrors, f);
    bool same = entry->frame == f && entry->top == instr && entry->parent == parent &&
                entry->generation == tracer->generation;
    if (!same) {
        struct step *step = walk_step(tracer, parent, instr);
        if (!step_is(tracer, step, parent, instr) || step->tally == 0)
            return 0;
        mirror_write(tracer, f, parent, depth, step);
    }
    uint32_t tally = entry->tally;
    walk_mark(tracer, f);
    return tally;
}

#endif
