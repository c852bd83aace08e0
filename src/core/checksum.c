/* checksum: see checksum.h. Any thread. */
#include "checksum.h"

void checksum_tables_init(struct checksum_tables *tables) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xEDB88320) : 0);
        tables->rows[0][byte] = crc;
    }
    for (int row = 1; row < 8; row++) {
        for (uint32_t byte = 0; byte < 256; byte++) {
            uint32_t crc = tables->rows[row - 1][byte];
            tables->rows[row][byte] = crc >> 8 ^ tables->rows[0][crc & 0xff];
        }
    }
}

uint32_t checksum(const struct checksum_tables *tables, uint32_t before, const void *bytes, size_t length) {
    const unsigned char *at = bytes;
    const uint32_t(*rows)[256] = tables->rows;
    uint32_t crc = ~before;
    for (; length >= 8; at += 8, length -= 8) {
        uint32_t low = crc ^ ((uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
                              (uint32_t)at[3] << 24);
        crc = rows[7][low & 0xff] ^ rows[6][low >> 8 & 0xff] ^ rows[5][low >> 16 & 0xff] ^
              rows[4][low >> 24] ^ rows[3][at[4]] ^ rows[2][at[5]] ^ rows[1][at[6]] ^ rows[0][at[7]];
    }
    for (; length > 0; at++, length--)
        crc = crc >> 8 ^ rows[0][(crc ^ *at) & 0xff];
    return ~crc;
}
