/* linetable: which line does an instruction belong to? CPython's location table (3.11 and later), as plain bytes.
 *
 *   entry:  1 kkkk lll | ...      l + 1 code units; what follows depends on the kind k
 *     k  0-9   one byte of columns, same line      k 13  signed varint: line delta
 *     k 10-12  two bytes, line + (k - 10)          k 14  the same, then three varints
 *     k 15     nothing: no line
 *   varint: 6 bits a byte, least significant first, bit 6: more follows; signed: the lowest bit is the sign
 *   (format: CPython's Objects/locations.md)
 *
 * Owns nothing, allocates nothing, any thread. O(what is read of it): whoever asks for instructions one after the other
 * goes on from a place, not from the beginning. A malformed table gives 0, never a read past its end.
 */
#ifndef MEMTALLY_LINETABLE_H
#define MEMTALLY_LINETABLE_H

#include "base.h"

/* Before an entry. At the beginning: offset 0, unit 0, the code object's first line. */
struct linetable_place {
    size_t offset; /* of the entry, in bytes */
    uint64_t unit; /* the first one that it tells of */
    int64_t line;  /* what its delta is added to */
};

/* The line of code unit `unit` (2 bytes each), 1-based; 0 where there is none, or it is no C int. The place is not behind
 * that unit, and is moved to the unit's entry. */
uint32_t linetable_line(const uint8_t *table, size_t length, struct linetable_place *place, uint32_t unit);

#endif
