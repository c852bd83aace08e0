/* walk_slow: the walk of any stack, down to the first known frame and up again (walk.h has the idea, and says what to
 * define before). Out of line. Under the main GIL. Fails, by returning 0, only where there is no memory: what was
 * written until then is right, and the rest is written next time.
 */
#ifndef MEMTALLY_WALK_SLOW_H
#define MEMTALLY_WALK_SLOW_H

#include "walk_called.h"

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
static status walk_down(struct tracer *tracer, FRAME *f, struct walk_stack *stack, FRAME **known,
                        size_t *changed) {
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
        entry->generation = tracer->generation; /* its code lives, as it does */
        mirror_advance(entry, frame_instr(known), step);
        if (is_top)
            mirror_was_top(entry, entry->instr, step->tally);
    }
    *base = (struct walk_base){entry->key, entry->depth};
    return STATUS_OK;
}

/* Writes the topmost `changed` frames of the stack anew, from below; returns the tally of the one on top, or 0. */
static uint32_t walk_up(struct tracer *tracer, const struct walk_stack *stack, size_t changed,
                        struct walk_base base) {
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
        walk_mark(tracer, f);
        base.key = step->key;
        tally = step->tally;
    }
    if (unlikely(mirror_is_deep(&tracer->mirrors, base.depth)))
        mirror_grow(&tracer->mirrors, base.depth);
    return tally;
}

/* The youngest frame that has begun its body. One that is about to become a generator has not, and allocates that one. */
static inline FRAME *walk_begun(FRAME *f) {
    while (f != NULL && unlikely(!frame_complete(f)))
        f = frame_below(f);
    return f;
}

/* The cases that need no stack to be written anew, for a frame on top that walk_marked does not know. */
static inline uint32_t walk_begun_known(struct tracer *tracer, FRAME *top, FRAME *begun) {
    uint32_t tally = begun != top ? walk_marked(tracer, begun) : 0;
    return tally != 0 ? tally : walk_called(tracer, begun);
}

/* Gives frames that could not be marked their links, from below, where one was missed. Frames of one stack that push each
 * other out would do so at each capture: a larger table parts them. */
static void walk_link_all(struct tracer *tracer, const struct walk_stack *stack, FRAME *known) {
    FRAME **frames = (FRAME **)stack->region.base;
    if (!tracer->chain.is_broken)
        return;
    tracer->chain.is_broken = false;
    if (stack->count < 2 || frame_marked(frames[1]))
        return;
    bool are_crowded = false;
    for (size_t i = stack->count + (known != NULL); i-- > 0;) {
        const FRAME *f = i < stack->count ? frames[i] : known;
        const struct mirror_entry *entry = mirror_entry(&tracer->mirrors, f);
        if (entry->frame == f)
            walk_link(tracer, f, entry);
        else
            are_crowded = true;
    }
    if (unlikely(are_crowded))
        mirror_widen(&tracer->mirrors);
}

/* Any stack: `f` is its youngest frame that can count, or NULL. 0 only where there is no memory. */
static out_of_line uint32_t walk_any(struct tracer *tracer, FRAME *f, struct walk_stack *stack) {
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
    const struct mirror_entry *top = mirror_entry(&tracer->mirrors, frames[0]);
    if (changed == 0 && top->top == frame_instr(frames[0])) {
        for (size_t i = 0; i < stack->count; i++)
            walk_mark(tracer, frames[i]);
        const uint32_t tally = top->tally;
        walk_link_all(tracer, stack, known);
        return tally;
    }
    uint32_t tally = walk_up(tracer, stack, changed != 0 ? changed : 1, base);
    walk_link_all(tracer, stack, known);
    return tally;
}

#endif
