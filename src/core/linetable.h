/* linetable: which line does an instruction belong to? CPython's location table (3.11 and later), as plain bytes.
 *
 *   entry:  1 kkkk lll | ...      l + 1 code units; what follows depends on the kind k
 *     k  0-9   one byte of columns, same line      k 13  signed varint: line delta
 *     k 10-12  two bytes, line + (k - 10)          k 14  the same, then three varints
 *     k 15     nothing: no line
 *   varint: 6 bits a byte, least significant first, bit 6: more follows; signed: the lowest bit is the sign
 *   (format: CPython's Objects/locations.md)
 *
 * Owns nothing, allocates nothing, any thread. O(length). A malformed table gives 0, never a read past its end.
 */
#ifndef MEMTALLY_LINETABLE_H
#define MEMTALLY_LINETABLE_H

#include "base.h"

/* The line of code unit `unit` (2 bytes each), 1-based; 0 where there is none, or it is no C int. */
uint32_t linetable_line(const uint8_t *table, size_t length, int first_line, uint32_t unit);

#endif
