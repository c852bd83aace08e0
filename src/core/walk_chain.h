/* walk_chain: do frames that cannot carry a mark stand where they were (chain.h)? Under the main GIL. No failure.
 *
 * Compared by content: the same frames, each at the same instruction of living code and called by the next, down to one
 * that is marked or to the bottom, are the same call path, whatever happened meanwhile. walk.h says what to define before.
 */
#ifndef MEMTALLY_WALK_CHAIN_H
#define MEMTALLY_WALK_CHAIN_H

#include "walk.h"

/* The marked frame that all others of a chain hang on: is it where it was? */
static inline bool walk_stands_marked(const struct tracer *tracer, const FRAME *f, const struct link *link) {
    const struct mirror_entry *entry = mirror_entry(&tracer->mirrors, f);
    return entry->frame == f && entry->key == link->key && frame_marked(f) &&
           (entry->instr == frame_instr(f) || tracer_frames_are_one(tracer));
}

/* Does unmarked frame `f` stand where its link says, and all below it, down to the first marked one? NULL, or its link.
 * The next frame is the one that the links expect, and not what is read from the frame, though they are the same: so the
 * processor need not wait for one frame to know where the next one is. */
static inline struct link *walk_stands(const struct tracer *tracer, FRAME *f, uint32_t depth) {
    struct link *found = chain_find(&tracer->chain, tracer->generation, depth, f);
    if (found == NULL)
        return NULL;
    for (struct link *link = found; link->instr != 0; link--) {
        if (unlikely(link->instr != frame_instr(f))) {
            if (!tracer_frames_are_one(tracer) || !frame_complete(f))
                return NULL;
            link->instr = frame_instr(f); /* it counts as it did */
        }
        if (link->parent == 0)
            return frame_below(f) == NULL ? found : NULL;
        FRAME *expected = (FRAME *)(uintptr_t)link[-1].frame;
        if (unlikely(frame_below(f) != expected || link->parent != link[-1].key))
            return NULL;
        hide_from_optimizer(expected);
        f = expected;
        if (link[-1].instr == 0)
            return walk_stands_marked(tracer, f, &link[-1]) ? found : NULL;
    }
    return NULL;
}

static inline void walk_link(struct tracer *tracer, const FRAME *f, const struct mirror_entry *entry) {
    chain_put(&tracer->chain, tracer->generation, entry->depth,
              (struct link){f, frame_marked(f) ? 0 : entry->instr, entry->key, entry->parent});
}

#endif
