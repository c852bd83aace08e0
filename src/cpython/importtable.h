/* importtable: the slots through which one loaded module reaches functions of other modules; found, and changed.
 *
 *   caller:  call *slot  -->  slot: address of f      becomes      slot: another address
 *
 * Every loaded module (the executable, libpython, extensions, what these load) has slots of its own for each function
 * that it imports, or that it calls in itself where it was built without -fno-semantic-interposition:
 *
 *   JUMP_SLOT   calls; until the first one it may hold an address in the module itself, whose code looks f up (lazy
 *               binding): an unbound slot
 *   GLOB_DAT    calls without a stub, and addresses taken by code; always bound
 *   ABS64       addresses in tables of the module's data; always bound, and the program may have written there since
 *
 * Only what holds the address that is to go is changed, and slots that are not bound yet: whatever else is in a slot
 * was put there by somebody, and stays. Slots that the loader has made read-only (RELRO) are made writable for the
 * moment. Calls bound at link time have no slot, and are not seen.
 *
 * Owns nothing. Any thread, inside a callback of dl_iterate_phdr, which keeps the module loaded; the module must be
 * relocated (symhook.c sees to that). Other threads may run through the slots meanwhile: one is written in one go.
 */
#ifndef MEMTALLY_IMPORTTABLE_H
#define MEMTALLY_IMPORTTABLE_H

#include "../core/base.h"

#include <link.h>

struct redirect {
    const char *name;
    uintptr_t from;
    uintptr_t to;
    bool unbound; /* slots that are not bound yet as well */
};

struct redirected {
    size_t slots;   /* changed */
    size_t unbound; /* of these, how many were not bound: somebody may be about to bind them */
    int error;      /* the errno of one that could not be made writable; 0: none */
};

/* Adds to `result`. */
void importtable_redirect(const struct dl_phdr_info *info, const struct redirect *redirects, size_t count,
                          struct redirected *result);
/* Is this address in the module? */
bool importtable_holds(const struct dl_phdr_info *info, uintptr_t address);
/* Was the module linked to the library that lies in this file? */
bool importtable_needs(const struct dl_phdr_info *info, const char *file);

#endif
