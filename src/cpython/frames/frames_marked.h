/* frames_marked: what the adapters of CPython 3.13 and later have in common: frames that can carry a mark. Included
 * by each of them after it has said what is its own:
 *     FRAME, frame_is_shim(frame)    is it an entry frame of C code? These do not count, and their `f_locals` and
 *                                    `f_executable` are not to be read
 *     frame_code(frame)
 *     frame_has_token, frame_give_token    another mark, for frames that can have no None
 *
 * The mark is None in `f_locals` of a frame that the thread owns and whose code is CO_OPTIMIZED: such a frame has no
 * use for the field, it is NULL at the start of each activation, and clearing the frame drops it (None is immortal).
 * A frame before its first traceable instruction is never marked: RETURN_GENERATOR copies the frame, mark and all.
 */
#ifndef MEMTALLY_FRAMES_MARKED_H
#define MEMTALLY_FRAMES_MARKED_H

hot_inline FRAME *frame_countable(FRAME *f) {
    while (f != NULL && unlikely(frame_is_shim(f)))
        f = f->previous;
    return f;
}

hot_inline FRAME *frame_current(PyThreadState *thread) { return thread->current_frame; }
hot_inline FRAME *frame_top(PyThreadState *thread) { return frame_countable(thread->current_frame); }
hot_inline FRAME *frame_below(FRAME *f) { return frame_countable(f->previous); }
hot_inline uintptr_t frame_instr(const FRAME *f) { return (uintptr_t)f->instr_ptr; }
hot_inline uint32_t frame_code_version(const FRAME *f) { return frame_code(f)->co_version; }

static inline bool frame_complete(const FRAME *f) {
    const PyCodeObject *code = frame_code(f);
    return f->owner == FRAME_OWNED_BY_GENERATOR ||
           f->instr_ptr >= _PyCode_CODE(code) + code->_co_firsttraceable;
}

hot_inline bool frame_looks_marked(const FRAME *f) {
    return likely(f->f_locals == Py_None) || frame_has_token(f);
}
hot_inline bool frame_marked(const FRAME *f) {
    return (f->owner == FRAME_OWNED_BY_THREAD && f->f_locals == Py_None) || frame_has_token(f);
}

hot_inline void frame_mark(FRAME *f) {
    if (f->owner == FRAME_OWNED_BY_THREAD && f->f_locals == NULL && (frame_code(f)->co_flags & CO_OPTIMIZED))
        f->f_locals = Py_None;
    else
        frame_give_token(f);
}

/* Interpreters may have a GIL of their own; this one's thread holds the main one. */
static inline bool thread_has_main_gil(const PyThreadState *thread) {
    return thread != NULL && thread->interp->ceval.gil == PyInterpreterState_Main()->ceval.gil;
}

#endif
