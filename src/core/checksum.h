/* checksum: CRC-32 as in zlib, gzip and PNG (polynomial 0xEDB88320, reflected), so that any language can
 * check a file.
 *
 * Eight tables, so that eight bytes go in a step (Kounavis and Berry, "A systematic approach to building high
 * performance software-based CRC generators"). Finds every error of up to 32 bits in a row.
 * Owns nothing; the tables are the caller's and, once made, may be read by any thread. Cannot fail.
 */
#ifndef MEMTALLY_CHECKSUM_H
#define MEMTALLY_CHECKSUM_H

#include "base.h"

struct checksum_tables {
    uint32_t rows[8][256];
};

void checksum_tables_init(struct checksum_tables *tables);

/* The checksum of what `before` is the checksum of (0: nothing), with these bytes appended. */
nodiscard uint32_t checksum(const struct checksum_tables *tables, uint32_t before, const void *bytes,
                            size_t length);

#endif
