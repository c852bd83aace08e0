/* snapfile_cursor: reading numbers and texts out of bytes that nobody vouches for.
 *
 *   start ---- of the section, at `offset` of the file        at ---- next byte        end ---- of the section
 *
 * Each get_ function takes what it returns, or says what is wrong, notes the byte, and returns false; nothing
 * is read at or beyond `end`. Owns its piece of the file from cursor_open to cursor_close. One thread a cursor.
 * Internal to the reader.
 */
#ifndef MEMTALLY_SNAPFILE_CURSOR_H
#define MEMTALLY_SNAPFILE_CURSOR_H

#include "snapfile_format.h"

struct cursor {
    const unsigned char *start, *at, *end;
    uint64_t offset;
    struct snapfile_error *error;
    const char *what; /* the section's name in messages */
    struct snapfile_piece piece;
};

/* Gets bytes of the file, which has them; NOMEM, or what the source returned. */
nodiscard status piece_open(struct snapfile_piece *piece, const struct snapfile *file, uint64_t offset,
                            uint64_t length);
void piece_close(struct snapfile_piece *piece, const struct snapfile *file); /* also of a zeroed piece */

static inline uint64_t cursor_offset(const struct cursor *cursor) {
    return cursor->offset + (uint64_t)(cursor->at - cursor->start);
}

bool cursor_get_slow(struct cursor *cursor, uint64_t *number);
static inline bool cursor_get(struct cursor *cursor, uint64_t *number) {
    const unsigned char *at = cursor->at;
    if (likely(cursor->end - at >= 2 && at[0] < 0x80)) {
        *number = at[0];
        cursor->at = at + 1;
        return true;
    }
    if (likely(cursor->end - at >= 2 && at[1] < 0x80 && at[1] != 0)) {
        *number = (at[0] & 0x7fu) | (uint64_t)at[1] << 7;
        cursor->at = at + 2;
        return true;
    }
    return cursor_get_slow(cursor, number);
}

/* A number that is at most `most`; `name` is what it is called where it is more. */
bool cursor_refuse_above(struct cursor *cursor, uint64_t start, uint64_t value, uint64_t most,
                         const char *name);
static inline bool cursor_get_below(struct cursor *cursor, uint64_t most, const char *name,
                                    uint32_t *number) {
    uint64_t start = cursor_offset(cursor), value;
    if (!cursor_get(cursor, &value))
        return false;
    *number = (uint32_t)value;
    return likely(value <= most) || cursor_refuse_above(cursor, start, value, most, name);
}

/* The last number plus a signed difference, within 0 .. most. */
bool cursor_refuse_outside(struct cursor *cursor, uint64_t start, uint32_t most, const char *name);
static inline bool cursor_get_difference(struct cursor *cursor, uint32_t most, const char *name,
                                         uint32_t *number) {
    uint64_t start = cursor_offset(cursor), coded;
    if (!cursor_get(cursor, &coded))
        return false;
    int64_t difference = unzigzag(coded);
    if (unlikely(difference < -(int64_t)*number || difference > (int64_t)most - (int64_t)*number))
        return cursor_refuse_outside(cursor, start, most, name);
    *number = (uint32_t)((int64_t)*number + difference);
    return true;
}
/* A length and as many bytes of text, which stay where they are. */
bool cursor_get_text(struct cursor *cursor, struct string *text);

/* True at the end of the section; else an error. */
bool cursor_ends(struct cursor *cursor);

static inline uint64_t get_fixed(const unsigned char *bytes, size_t length) {
    uint64_t number = 0;
    for (size_t i = 0; i < length; i++)
        number |= (uint64_t)bytes[i] << 8 * i;
    return number;
}

/* A section's cursor, once its checksum is right; else there is nothing to close. An item takes `least` bytes. */
nodiscard status cursor_open(struct cursor *cursor, const struct snapfile *file,
                             const struct snapfile_section *section, const char *what, uint64_t least,
                             struct snapfile_error *error);
void cursor_close(struct cursor *cursor, const struct snapfile *file);
/* A cursor on a piece that belongs to somebody else: not to be closed. */
struct cursor cursor_on(const struct snapfile_piece *piece, const char *what, struct snapfile_error *error);

#endif
