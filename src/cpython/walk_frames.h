/* walk_frames: core/walk.h made for CPython's frames. Include this first, for the sake of CPython's internal headers. */
#ifndef MEMTALLY_WALK_FRAMES_H
#define MEMTALLY_WALK_FRAMES_H

#include "frames/frames.h"

#include "capture.h"
#include "codesite.h"

static inline status frame_site(struct tracer *of, FRAME *f, uint32_t *site) {
    return code_site_known(of, frame_code(f), frame_instr(f), site);
}

#include "../core/walk.h"

#endif
