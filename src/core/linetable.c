/* linetable: a decoder for CPython's location table (linetable.h has the format). Any thread. */
#include "linetable.h"

struct cursor {
    const uint8_t *at;
    const uint8_t *end;
};

enum { SHORT_LAST = 9, ONE_LINE_FIRST = 10, ONE_LINE_LAST = 12, NO_COLUMNS = 13, LONG = 14, NO_LINE = 15 };

static uint32_t next_byte(struct cursor *c) { return c->at < c->end ? *c->at++ : 0; }

static uint32_t next_varint(struct cursor *c) {
    uint32_t value = 0;
    for (unsigned shift = 0; shift < 32; shift += 6) {
        uint32_t byte = next_byte(c);
        value |= (byte & 63) << shift;
        if ((byte & 64) == 0)
            break;
    }
    return value;
}

static int64_t next_signed(struct cursor *c) {
    uint32_t value = next_varint(c);
    return value & 1 ? -(int64_t)(value >> 1) : (int64_t)(value >> 1);
}

/* Reads what follows an entry's first byte; returns its line delta. */
static int64_t next_delta(struct cursor *c, uint32_t kind) {
    int64_t delta = 0;
    if (kind <= SHORT_LAST) {
        next_byte(c);
    } else if (kind <= ONE_LINE_LAST) {
        next_byte(c);
        next_byte(c);
        delta = kind - ONE_LINE_FIRST;
    } else if (kind != NO_LINE) {
        delta = next_signed(c);
        for (int i = 0; kind == LONG && i < 3; i++)
            next_varint(c);
    }
    return delta;
}

uint32_t linetable_line(const uint8_t *table, size_t length, struct linetable_place *place, uint32_t unit) {
    struct cursor c = {table + (place->offset < length ? place->offset : length), table + length};
    while (c.at < c.end) {
        const size_t offset = (size_t)(c.at - table);
        const uint32_t head = next_byte(&c), kind = (head >> 3) & 15;
        const uint64_t end = place->unit + (head & 7) + 1;
        const int64_t line = place->line + next_delta(&c, kind);
        if (unit < end) {
            place->offset = offset;
            return kind != NO_LINE && line > 0 && line <= INT32_MAX ? (uint32_t)line : 0;
        }
        place->unit = end;
        place->line = line;
    }
    place->offset = length;
    return 0;
}
