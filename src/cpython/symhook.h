/* symhook: calls of some functions sent to others, in all loaded modules (importtable.h) and in those loaded later.
 *
 *   symhook_add  -->  the slots of every loaded module, and that of dlsym
 *                                        |
 *   a module is loaded, and its maker asks dlsym for a function in it: first, its slots are changed as well
 *
 * Later modules are noticed at dlsym and not at dlopen, because whoever loads a module must ask for something in it
 * before any of its functions can run: CPython for PyInit_NAME, C code for what it wants to call. And because dlopen
 * looks at who calls it (it searches the caller's RUNPATH, and loads into the caller's namespace), so that it cannot be
 * called on somebody's behalf. dlsym looks as well (RTLD_NEXT), but what is to be done comes before it, so that the
 * real one is jumped to, and sees its caller. What comes without dlsym, such as functions that a constructor hands out,
 * is noticed with the next one, or with symhook_look_again. A program that loads nothing pays nothing.
 *
 * Whoever runs through a changed slot sees all that was written before symhook_add.
 * Owns nothing; keeps copies of the hooks. One lock protects them; it is never held while waiting for anything but the
 * loader's list of modules. add, remove: with the GIL, no module of the program is unloaded under them. look_again:
 * any thread. Unloaded modules are no concern: what is changed back is found in what is loaded then.
 * A slot that cannot be written to is left as it is, and told of by symhook_refusal.
 */
#ifndef MEMTALLY_SYMHOOK_H
#define MEMTALLY_SYMHOOK_H

#include "../core/base.h"

struct symhook {
    char name[32]; /* in here and not in the constants, which need not be in memory for it (resident.h) */
    uintptr_t original;    /* where the symbol is defined; 0: not found, the hook has no effect */
    uintptr_t replacement; /* what slots are to hold instead; stays callable after symhook_remove */
    bool by_name;          /* dlsym gives the replacement too: to callers that may keep it for good */
};

/* Looks the originals up. Returns false where one of them is not there. */
bool symhook_find(struct symhook *hooks, size_t count);
void symhook_add(const struct symhook *hooks, size_t count); /* of those that are there already: nothing */
void symhook_remove(const struct symhook *hooks, size_t count);
/* Have modules come that dlsym was not asked about? Cheap where none has. */
void symhook_look_again(void);
/* Why a slot could not be changed since there have been hooks: an errno, and in which module; 0: all could. */
int symhook_refusal(const char **module);

/* Around a fork: no other thread is halfway through. */
void symhook_before_fork(void);
void symhook_after_fork(void);

#endif
