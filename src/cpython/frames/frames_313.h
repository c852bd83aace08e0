/* frames_313: interpreter frames of CPython 3.13 (frames.h says what an adapter is). The thread itself may call.
 *
 * The mark is None in `f_locals` of a frame that the thread owns and whose code is CO_OPTIMIZED: such a frame has no
 * use for the field, it is NULL at the start of each activation, and clearing the frame drops it (None is immortal).
 * A frame before its first traceable instruction is never marked: RETURN_GENERATOR copies the frame, mark and all.
 *
 * All other frames (generators, modules) may carry FRAME_TOKEN in `stacktop` while they run (also: while they wait for a C
 * function). CPython keeps -1 there then, looks at the sign only, and writes it anew at every call of Python code, return,
 * yield and resumption: so this mark says that the frame has not been left since.
 */
#ifndef MEMTALLY_FRAMES_313_H
#define MEMTALLY_FRAMES_313_H

#include "../../core/base.h"
#include "internal/pycore_frame.h"
#include "internal/pycore_interp.h"

#define FRAME _PyInterpreterFrame
enum { FRAME_TOKEN = -2 };

/* Entry frames of C calls: not Python's, and their `f_locals` is not initialised. */
hot_inline bool frame_is_shim(const FRAME *f) { return f->owner == FRAME_OWNED_BY_CSTACK; }

hot_inline FRAME *frame_countable(FRAME *f) {
    while (f != NULL && unlikely(frame_is_shim(f)))
        f = f->previous;
    return f;
}

hot_inline FRAME *frame_current(PyThreadState *thread) { return thread->current_frame; }
hot_inline FRAME *frame_top(PyThreadState *thread) { return frame_countable(thread->current_frame); }
hot_inline FRAME *frame_below(FRAME *f) { return frame_countable(f->previous); }
hot_inline uintptr_t frame_instr(const FRAME *f) { return (uintptr_t)f->instr_ptr; }
hot_inline PyCodeObject *frame_code(const FRAME *f) { return (PyCodeObject *)f->f_executable; }

static inline bool frame_complete(const FRAME *f) {
    const PyCodeObject *code = frame_code(f);
    return f->owner == FRAME_OWNED_BY_GENERATOR ||
           f->instr_ptr >= _PyCode_CODE(code) + code->_co_firsttraceable;
}

hot_inline bool frame_looks_marked(const FRAME *f) {
    return likely(f->f_locals == Py_None) || f->stacktop == FRAME_TOKEN;
}
hot_inline bool frame_marked(const FRAME *f) {
    return (f->owner == FRAME_OWNED_BY_THREAD && f->f_locals == Py_None) || f->stacktop == FRAME_TOKEN;
}

hot_inline void frame_mark(FRAME *f) {
    if (f->owner == FRAME_OWNED_BY_THREAD && f->f_locals == NULL && (frame_code(f)->co_flags & CO_OPTIMIZED))
        f->f_locals = Py_None;
    else if (f->stacktop == -1)
        f->stacktop = FRAME_TOKEN;
}

/* Interpreters may have a GIL of their own; this one's thread holds the main one. */
static inline bool thread_has_main_gil(const PyThreadState *thread) {
    return thread != NULL && thread->interp->ceval.gil == PyInterpreterState_Main()->ceval.gil;
}

#endif
