/* frames_313: interpreter frames of CPython 3.13 (frames.h says what an adapter is). The thread itself may call.
 *
 * Besides what frames_marked.h has, all other frames (generators, modules) may carry a token in `stacktop` while they run,
 * also while they wait for a C function. CPython keeps -1 there then, looks at the sign only, and writes it anew at every
 * call of Python code, return, yield and resumption: so the token says that the frame has not been left since.
 */
#ifndef MEMTALLY_FRAMES_313_H
#define MEMTALLY_FRAMES_313_H

#include "../../core/base.h"
#include "internal/pycore_frame.h"
#include "internal/pycore_interp.h"

#define FRAME _PyInterpreterFrame

enum { FRAME_TOKEN = -2 };

hot_inline bool frame_is_shim(const FRAME *f) { return f->owner == FRAME_OWNED_BY_CSTACK; }
hot_inline PyCodeObject *frame_code(const FRAME *f) { return (PyCodeObject *)f->f_executable; }
hot_inline bool frame_has_token(const FRAME *f) { return f->stacktop == FRAME_TOKEN; }
hot_inline void frame_give_token(FRAME *f) {
    if (f->stacktop == -1)
        f->stacktop = FRAME_TOKEN;
}

#include "frames_marked.h"

#endif
