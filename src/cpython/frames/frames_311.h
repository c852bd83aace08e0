/* frames_311: interpreter frames of CPython 3.11 (frames.h says what an adapter is). The thread itself may call.
 *
 * The mark is FRAME_TOKEN in `stacktop` of a frame that runs (also: that waits for a C function). CPython keeps -1 there
 * then, looks at the sign only, and writes it anew at every call of Python code, return, yield and resumption: so
 * the mark says that the frame has not been left since. A frame that waits for Python code it called has no room for
 * one (`f_locals` is in use here), and is compared.
 */
#ifndef MEMTALLY_FRAMES_311_H
#define MEMTALLY_FRAMES_311_H

#include "../../core/base.h"
#include "internal/pycore_frame.h"

#define FRAME _PyInterpreterFrame
enum { FRAME_TOKEN = -2 };

/* 3.11 has no entry frames: every frame is a Python call. */
hot_inline FRAME *frame_countable(FRAME *f) { return f; }

hot_inline FRAME *frame_current(PyThreadState *thread) {
    return thread->cframe != NULL ? thread->cframe->current_frame : NULL;
}
hot_inline FRAME *frame_top(PyThreadState *thread) { return frame_countable(frame_current(thread)); }
hot_inline FRAME *frame_below(FRAME *f) { return frame_countable(f->previous); }
hot_inline uintptr_t frame_instr(const FRAME *f) { return (uintptr_t)f->prev_instr; }
hot_inline PyCodeObject *frame_code(const FRAME *f) { return f->f_code; }
hot_inline uint32_t frame_code_version(const FRAME *f) {
    (void)f;
    return 0; /* 3.12 and later have them */
}

static inline bool frame_complete(const FRAME *f) {
    const PyCodeObject *code = frame_code(f);
    return f->owner == FRAME_OWNED_BY_GENERATOR ||
           f->prev_instr >= _PyCode_CODE(code) + code->_co_firsttraceable;
}

hot_inline bool frame_marked(const FRAME *f) { return f->stacktop == FRAME_TOKEN; }
hot_inline bool frame_looks_marked(const FRAME *f) { return frame_marked(f); }

hot_inline void frame_mark(FRAME *f) {
    if (f->stacktop == -1)
        f->stacktop = FRAME_TOKEN;
}

/* There is only one GIL. */
static inline bool thread_has_main_gil(const PyThreadState *thread) { return thread != NULL; }

#endif
