/* text: see text.h. */
#include "text.h"

void text_init(struct text *text, snapfile_sink sink, void *context) {
    text->sink = sink;
    text->context = context;
    text->failed = STATUS_OK;
    text->used = 0;
}

static void flush(struct text *text) {
    if (text->failed == STATUS_OK && text->used > 0)
        text->failed = text->sink(text->context, text->buffer, text->used);
    text->used = 0;
}

status text_end(struct text *text) {
    flush(text);
    return text->failed;
}

void text_put_slow(struct text *text, const void *bytes, size_t length) {
    const char *from = bytes;
    while (length > 0) {
        if (text->used == sizeof text->buffer)
            flush(text);
        size_t room = sizeof text->buffer - text->used, part = length < room ? length : room;
        memcpy(text->buffer + text->used, from, part);
        text->used += part;
        from += part;
        length -= part;
    }
}

void text_number(struct text *text, uint64_t number) {
    char digits[20], *at = digits + sizeof digits;
    do
        *--at = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    text_put(text, at, (size_t)(digits + sizeof digits - at));
}

void text_varint(struct text *text, uint64_t number) {
    if (unlikely(sizeof text->buffer - text->used < VARINT64_MOST))
        flush(text);
    char *at = text->buffer + text->used;
    for (; number >= 0x80; number >>= 7)
        *at++ = (char)(number | 0x80);
    *at++ = (char)number;
    text->used = (size_t)(at - text->buffer);
}

/* The three bytes of a surrogate begin with ED A0 to ED BF; no other character's do. */
static bool is_surrogate(const unsigned char *at, const unsigned char *end) {
    return at[0] == 0xED && end - at >= 3 && at[1] >= 0xA0;
}

static void put_escape(struct text *text, uint32_t unit) {
    static const char hex[] = "0123456789abcdef";
    char escape[6] = {'\\', 'u'};
    for (int i = 0; i < 4; i++)
        escape[2 + i] = hex[unit >> (12 - 4 * i) & 15];
    text_put(text, escape, sizeof escape);
}

void text_json(struct text *text, struct string name) {
    const unsigned char *at = (const unsigned char *)name.bytes, *end = at + name.length;
    text_byte(text, '"');
    while (at < end) {
        const unsigned char *start = at;
        while (at < end && *at >= 0x20 && *at != '"' && *at != '\\' && !is_surrogate(at, end))
            at++;
        text_put(text, start, (size_t)(at - start));
        if (at == end)
            break;
        if (is_surrogate(at, end)) {
            put_escape(text, 0xD000 | (at[1] & 0x3Fu) << 6 | (at[2] & 0x3Fu));
            at += 3;
        } else {
            put_escape(text, *at++);
        }
    }
    text_byte(text, '"');
}

size_t name_clean(char *to, struct string name, const char *bad, const char *good) {
    const unsigned char *at = (const unsigned char *)name.bytes, *end = at + name.length;
    char *start = to;
    while (at < end) {
        const char *found = *at == 0 ? NULL : strchr(bad, *at);
        if (is_surrogate(at, end)) {
            *to++ = '?';
            at += 3;
            continue;
        }
        *to = (char)*at;
        if (found != NULL)
            *to = good[found - bad];
        else if (*at < 0x20 || *at == 0x7F)
            *to = '?';
        to++;
        at++;
    }
    return (size_t)(to - start);
}
