/* resident: what of this module the loader has read, and nobody will read again, leaves memory.
 *
 *   segment     headers, symbols, relocations | code         | constants, unwinding tables | data
 *   in memory   36 KB, once                   | what runs    | 64 KB around what is read   | all
 *   after this  -                             | as before    | what is read again          | as before
 *
 * All of it comes from the file again when somebody reads it after all; only what is neither code (a debugger may have
 * written there) nor data is given back. Owns nothing. Any thread. A failure is benign.
 */
#ifndef MEMTALLY_RESIDENT_H
#define MEMTALLY_RESIDENT_H

#include "../core/base.h"

/* To be called when the module is loaded, and has run what it runs once. */
void resident_trim(void);

#endif
