/* chain: the frames of a stack that cannot carry a mark (generators, coroutines), as they were when last walked, by their
 * depth. A chain of them has to be compared at each capture; here that takes one link a frame, one beside the other.
 *
 *   depth        4             5            6            7
 *   frame      send()   <--  a coroutine <-- another <-- another          links[depth].frame
 *   instr         0             i            j            k               0: it was marked; then look there
 *   key           n4            n5           n6           n7              its node, or its depth (mirror.h)
 *   parent                      n4           n5           n6              the key below when this link was written
 *
 * A link says nothing by itself: it is right where frame, instruction and parent are as it says, and those below it too
 * (walk_called.h). So links may be old, of another thread, or of frames that are no more. A code object's death ends all.
 * Owns its links (vmem). Protected by the main GIL. A failure is benign: frames without a link are walked another way.
 */
#ifndef MEMTALLY_CHAIN_H
#define MEMTALLY_CHAIN_H

#include "vmem.h"

struct link {
    const void *frame; /* NULL: there is none of this depth */
    uintptr_t instr;
    uint32_t key;
    uint32_t parent;
};

struct chain {
    struct region links; /* struct link, by depth, 1 or more */
    uint32_t end;        /* of those that may be in use */
    uint32_t generation; /* of dead code (tracer.h) that they belong to */
    bool is_broken;      /* a frame was looked for and does not stand: all are to be linked anew */
};

nodiscard status chain_init(struct chain *chain, struct vmem *account);
void chain_fini(struct chain *chain); /* also of a zeroed one */
void chain_empty(struct chain *chain);
void chain_put(struct chain *chain, uint32_t generation, uint32_t depth, struct link link);

/* The link of this frame, or NULL. The one below it lies in front of it. */
hot_inline struct link *chain_find(const struct chain *chain, uint32_t generation, uint32_t depth,
                                   const void *frame) {
    struct link *link = (struct link *)(void *)chain->links.base + depth;
    return depth < chain->end && link->frame == frame && chain->generation == generation ? link : NULL;
}

#endif
