/* frames_315: interpreter frames of CPython 3.15 (frames.h says what an adapter is). The thread itself may call.
 * One kind of entry frame; another one, of the thread state's own, lies at the bottom of every stack. The code object
 * is a tagged reference.
 */
#ifndef MEMTALLY_FRAMES_315_H
#define MEMTALLY_FRAMES_315_H

#include "../../core/base.h"
#include "internal/pycore_interp.h"
#include "internal/pycore_interpframe.h"

#define FRAME _PyInterpreterFrame

hot_inline bool frame_is_shim(const FRAME *f) { return f->owner == FRAME_OWNED_BY_INTERPRETER; }
hot_inline PyCodeObject *frame_code(const FRAME *f) {
    return (PyCodeObject *)PyStackRef_AsPyObjectBorrow(f->f_executable);
}

/* Nothing tells here whether a frame has been left. */
hot_inline bool frame_has_token(const FRAME *f) {
    (void)f;
    return false;
}
hot_inline void frame_give_token(FRAME *f) { (void)f; }

#include "frames_marked.h"

#endif
