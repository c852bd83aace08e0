/* utf8: see utf8.h. Any thread. */
#include "utf8.h"

#include <string.h>

/* The bytes of the character that starts here; 0 where there is none. */
static size_t character(const unsigned char *at, size_t left) {
    /* By length: what is below has a shorter form. */
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = at[0] < 0x80   ? 1
                    : at[0] < 0xC0 ? 0
                    : at[0] < 0xE0 ? 2
                    : at[0] < 0xF0 ? 3
                    : at[0] < 0xF8 ? 4
                                   : 0;
    if (length <= 1 || length > left)
        return length <= left ? length : 0;
    uint32_t point = at[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
        point = point << 6 | (at[i] & 0x3F);
    }
    return point >= least[length] && point <= 0x10FFFF ? length : 0;
}

bool utf8_valid(const void *bytes, size_t length) {
    const unsigned char *at = bytes;
    while (length > 0) {
        uint64_t word;
        if (length >= sizeof word) { /* names are mostly ASCII */
            memcpy(&word, at, sizeof word);
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof word;
                length -= sizeof word;
                continue;
            }
        }
        size_t step = character(at, length);
        if (step == 0)
            return false;
        at += step;
        length -= step;
    }
    return true;
}
