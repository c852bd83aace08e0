/* symhook: calls of a function that modules make through their import tables, sent to another function.
 *
 *   caller:  call *slot  -->  slot: address of f      becomes      slot: address of our replacement
 *
 * Every loaded module (the executable, libpython, extensions) has a slot of its own for each function that it imports
 * from another module, or from itself where it was built without -fno-semantic-interposition; we change the slots and
 * nothing else. Calls bound at link time have no slot, and are not seen.
 *
 * Owns nothing. With the GIL; other threads may be running through the slots meanwhile: a slot is written in one go,
 * and they then see all that was written before symhook_apply.
 */
#ifndef MEMTALLY_SYMHOOK_H
#define MEMTALLY_SYMHOOK_H

#include "../core/base.h"

struct symhook {
    const char *name;
    uintptr_t original;    /* where the symbol is defined */
    uintptr_t replacement; /* what slots are to hold instead */
};

/* Sends all slots of these names to the replacements; those that hold it already are left alone. Modules whose file
 * name contains `except` (may be NULL) are left out. Returns how many slots were changed. */
size_t symhook_apply(const struct symhook *hooks, size_t count, const char *except);
/* Sends them back. Returns how many. */
size_t symhook_undo(const struct symhook *hooks, size_t count);

#endif
