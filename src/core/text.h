/* text: output on its way to a sink: bytes, numbers, and names made harmless for the format they go into.
 *
 *   text_put ...  -->  | buffer |  -->  sink(context, bytes, length)
 *
 * A failure of the sink is kept, and nothing goes to it afterwards: callers look at the status once, at the end
 * (text_end). Names are as strtab.h has them; lone surrogates are no UTF-8 that other programs read, so JSON gets an
 * escape for each and everything else a "?".
 * Owns nothing but the buffer inside. One thread.
 */
#ifndef MEMTALLY_TEXT_H
#define MEMTALLY_TEXT_H

#include "snapfile.h"

#include <string.h>

struct text {
    snapfile_sink sink;
    void *context;
    status failed; /* the first that was not OK */
    size_t used;
    char buffer[SIZED(1 << 16, 16)];
};

void text_init(struct text *text, snapfile_sink sink, void *context);
nodiscard status text_end(struct text *text); /* what is left goes out; the first failure */

void text_put_slow(struct text *text, const void *bytes, size_t length);
static inline void text_put(struct text *text, const void *bytes, size_t length) {
    if (unlikely(length > sizeof text->buffer - text->used)) {
        text_put_slow(text, bytes, length);
        return;
    }
    if (length > 0) /* nothing may lie nowhere */
        memcpy(text->buffer + text->used, bytes, length);
    text->used += length;
}
void text_number(struct text *text, uint64_t number);  /* decimal */
void text_varint(struct text *text, uint64_t number);  /* seven bits a byte, the lowest first */
void text_json(struct text *text, struct string name); /* in quotes */

static inline void text_byte(struct text *text, char byte) {
    if (unlikely(text->used == sizeof text->buffer))
        text_put_slow(text, &byte, 1);
    else
        text->buffer[text->used++] = byte;
}
/* Of a literal. */
#define text_say(text, literal) text_put(text, literal, sizeof(literal) - 1)

enum { VARINT64_MOST = 10 };
static inline size_t varint_length(uint64_t number) {
    size_t length = 1;
    for (; number >= 0x80; number >>= 7)
        length++;
    return length;
}

/* Copies a name of `length` bytes to `to`, which has room for as many: control characters and lone surrogates become
 * "?", and the bytes of `bad` (each ASCII) the one in the same place of `good`. Returns the new length. */
size_t name_clean(char *to, struct string name, const char *bad, const char *good);

#endif
