/* strtab: file and function names, each once; an id stands for the content.
 *
 *   bytes: |"app.py"|"load"|"<frozen os>"|...      ends[id - 1] .. ends[id] are the bytes of string `id`
 *
 * Strings are UTF-8 in which lone surrogates are encoded like any other code point (Python's "surrogatepass"), so
 * that every Python string has exactly one form here; they may contain NUL and are not terminated by one. Id 0 is "".
 * Owns its bytes (vmem). Writers hold the call paths' lock; readers need none for ids they were given. Interning
 * O(length). Fails with NOMEM or FULL (4 GiB of names), unchanged.
 */
#ifndef MEMTALLY_STRTAB_H
#define MEMTALLY_STRTAB_H

#include "idtable.h"

struct strtab {
    struct region bytes;
    struct region ends; /* uint32_t each */
    struct idtable index;
    uint32_t count; /* ids 0 .. count - 1 are in use */
};

struct string {
    const char *bytes; /* borrowed: lives as long as the strtab */
    size_t length;
};

nodiscard status strtab_init(struct strtab *strings, struct vmem *account);
void strtab_fini(struct strtab *strings);
nodiscard status strtab_intern(struct strtab *strings, const char *bytes, size_t length, uint32_t *id);
/* A string that is known to be new gets the next id. Where one was appended nothing is interned afterwards. */
nodiscard status strtab_append(struct strtab *strings, const char *bytes, size_t length);
struct string strtab_get(const struct strtab *strings, uint32_t id);
size_t strtab_bytes(const struct strtab *strings); /* of all names together */

#endif
