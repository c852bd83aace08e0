/* apart: which call path is a thread on that does not hold the main GIL? It may be detached, attached to another
 * interpreter, or unknown to Python.
 *
 *   the thread's frames, from the bottom:   main   serve   handle   digest
 *   the trail that it left last time:       main   serve   reply                same (code, instruction) up to here,
 *                                                    |                          so the path up to here is known
 *
 * A path costs no lock while the thread stays where it is; only what lies above the trail's common part is interned. A
 * code object is told from another by its version, which no two of an interpreter share; where there is none (3.11),
 * nothing is remembered.
 *
 * Nothing here allocates Python memory, runs code, raises, or waits for a GIL. Any thread may call.
 */
#ifndef MEMTALLY_APART_H
#define MEMTALLY_APART_H

#include "../core/tracer.h"
#include "compat.h"

/* A node of a call tree that may be the tracer's no longer. */
struct apart_path {
    uint64_t tree; /* callpaths.serial; 0: not looked for yet */
    uint32_t node;
};

/* The path of the calling thread, whose state is `thread` (NULL where it has none), for the block at `address`. `path` was zeroed before, or it is
 * what the tracer refused since: then it is looked for in the new tree. INVALID: nothing is traced. Any other failure
 * has been counted as a lost trace.
 *
 *     struct apart_path path = {0};
 *     while (apart_capture(thread, address, &path) == STATUS_OK && !tracer_side_put(..., path.tree, ..., path.node))
 *         continue;
 */
nodiscard status apart_capture(PyThreadState *thread, uintptr_t address, struct apart_path *path);

#endif
