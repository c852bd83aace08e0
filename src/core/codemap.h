/* codemap: which site is this instruction? Known until its code object dies.
 *
 *   instr -> site                    one entry an instruction that was seen in tracebacks more than once
 *   code | 1 -> its first instr      the instructions of one code object are linked through their offsets,
 *                                    so that codemap_forget drops them all
 * Instructions are 2-aligned and code objects 16-aligned, so their keys never meet.
 * Most instructions of a program's start are asked for once, and never again: the first time only a bit remembers it, one of
 * 32,768 by hash. Where all are set, or two share one, an instruction is kept the first time.
 * Besides, how far the line table of the code object last asked about was read: a module's body runs through its own once.
 * The table grows by a quarter; an entry's home is proportional to its hash, so that any size will do.
 * Owns its table (vmem). Protected by the main interpreter's GIL. Get and put O(1) expected; forget O(its entries).
 * Fails with NOMEM, unchanged.
 */
#ifndef MEMTALLY_CODEMAP_H
#define MEMTALLY_CODEMAP_H

#include "linetable.h"
#include "vmem.h"

struct codemap_entry {
    uint64_t key;  /* 0: empty */
    uint32_t site; /* 0 for a code object */
    uint32_t
        next; /* 1 + offset of the code's next (for code: first) instruction from the code object; 0: none */
};

enum { ASKED_BITS = SIZED(1 << 15, 64) };

struct codemap {
    struct codemap_entry *entries;
    size_t size;
    size_t count;
    struct vmem *account; /* borrowed */
    uintptr_t reading;    /* the code object of `place`; 0: none */
    struct linetable_place place;
    uint64_t asked[ASKED_BITS / 64];
};

nodiscard status codemap_init(struct codemap *map, struct vmem *account);
void codemap_fini(struct codemap *map); /* also of a zeroed map */
bool codemap_get(const struct codemap *map, uintptr_t instr, uint32_t *site);
/* `instr` is not in the map yet, and lies behind `code` by less than 4 GiB. */
nodiscard status codemap_put(struct codemap *map, uintptr_t code, uintptr_t instr, uint32_t site);
/* Was it asked for before? Remembers that it was now. */
bool codemap_asked(struct codemap *map, uintptr_t instr);
bool codemap_knows(const struct codemap *map, uintptr_t code);
void codemap_forget(struct codemap *map, uintptr_t code);
/* Where to read on in the line table of a code object, which whoever asks sees to it that is forgotten when it dies. */
struct linetable_place *codemap_place(struct codemap *map, uintptr_t code, int first_line, uint32_t unit);
bool codemap_check(const struct codemap *map);

#endif
