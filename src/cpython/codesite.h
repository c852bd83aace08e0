/* codesite: a code object and an instruction of it -> a site: file, line, function, by content.
 *
 * No reference is kept to anything of Python's: names are copied. Nothing allocates Python memory.
 */
#ifndef MEMTALLY_CODESITE_H
#define MEMTALLY_CODESITE_H

#include "../core/tracer.h"
#include "compat.h"

/* From the code object itself. The caller holds paths->lock and a reason why the code is alive (its frame). */
nodiscard status code_site_locked(struct callpaths *paths, PyCodeObject *code, uintptr_t instr,
                                  uint32_t *site);

/* The same, remembered by instruction until the code object dies. Under the main GIL. */
nodiscard status code_site_known(struct tracer *tracer, PyCodeObject *code, uintptr_t instr, uint32_t *site);

#endif
