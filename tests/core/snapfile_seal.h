/* snapfile_seal: makes the checksums of a snapshot file right, whatever its content: so that only the damage is wrong.
 * For the core's tests and for the fuzzer.
 */
#ifndef MEMTALLY_TEST_SNAPFILE_SEAL_H
#define MEMTALLY_TEST_SNAPFILE_SEAL_H

#include "snapfile_format.h"

#include <string.h>

static inline void seal_put(unsigned char *at, uint64_t number, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        at[i] = (unsigned char)(number >> 8 * i);
}

/* The tests run where the file's byte order is the machine's. */
static inline uint64_t seal_get(const unsigned char *at) {
    uint64_t number;
    memcpy(&number, at, sizeof number);
    return number;
}

/* As far as the directory can be found. */
static inline void seal(unsigned char *bytes, size_t length) {
    static struct checksum_tables tables;
    checksum_tables_init(&tables);
    if (length < SNAPFILE_HEADER + SNAPFILE_TAIL)
        return;
    seal_put(bytes + 20, checksum(&tables, 0, bytes, 20), 4);
    unsigned char *tail = bytes + length - SNAPFILE_TAIL;
    uint64_t directory = seal_get(tail), end = length - SNAPFILE_TAIL;
    if (directory > end)
        return;
    for (uint64_t at = directory; at + SNAPFILE_ENTRY <= end; at += SNAPFILE_ENTRY) {
        uint64_t offset = seal_get(bytes + at + 8), size = seal_get(bytes + at + 16);
        if (offset <= length && size <= length - offset)
            seal_put(bytes + at + 4, checksum(&tables, 0, bytes + offset, (size_t)size), 4);
    }
    seal_put(tail + 12, checksum(&tables, 0, bytes + directory, (size_t)(end - directory) + 12), 4);
}

#endif
