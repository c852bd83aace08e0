/* snapfile_cursor: see snapfile_cursor.h. One thread a cursor. */
#include "snapfile_cursor.h"
#include "utf8.h"

#include <inttypes.h>
#include <stdio.h>

/* stdarg: the only variadic function of the core, so that messages read as sentences where they are made. */
#include <stdarg.h>

void snapfile_fail(struct snapfile_error *error, uint64_t offset, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    error->offset = offset;
}

bool cursor_get_slow(struct cursor *cursor, uint64_t *number) {
    uint64_t start = cursor_offset(cursor), value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (cursor->at == cursor->end) {
            snapfile_fail(cursor->error, start, "%s end in the middle of a number", cursor->what);
            return false;
        }
        uint64_t byte = *cursor->at++;
        if (shift == 63 && byte > 1)
            break;
        value |= (byte & 0x7f) << shift;
        if (byte >= 0x80)
            continue;
        if (byte == 0 && shift > 0) {
            snapfile_fail(cursor->error, start, "%s hold a number with padding", cursor->what);
            return false;
        }
        *number = value;
        return true;
    }
    snapfile_fail(cursor->error, start, "%s hold a number of more than 64 bits", cursor->what);
    return false;
}

bool cursor_refuse_above(struct cursor *cursor, uint64_t start, uint64_t value, uint64_t most,
                         const char *name) {
    snapfile_fail(cursor->error, start, "%s: %s %" PRIu64 " where %" PRIu64 " is the most", cursor->what,
                  name, value, most);
    return false;
}

bool cursor_refuse_outside(struct cursor *cursor, uint64_t start, uint32_t most, const char *name) {
    snapfile_fail(cursor->error, start, "%s: %s is not within 0 and %" PRIu32, cursor->what, name, most);
    return false;
}

bool cursor_get_text(struct cursor *cursor, struct string *text) {
    uint64_t start = cursor_offset(cursor), length;
    if (!cursor_get(cursor, &length))
        return false;
    if (length > (uint64_t)(cursor->end - cursor->at)) {
        snapfile_fail(cursor->error, start, "%s: a text of %" PRIu64 " bytes where %td are left",
                      cursor->what, length, cursor->end - cursor->at);
        return false;
    }
    *text = (struct string){(const char *)cursor->at, (size_t)length};
    if (!utf8_valid(text->bytes, text->length)) {
        snapfile_fail(cursor->error, cursor_offset(cursor), "%s: a text is not UTF-8", cursor->what);
        return false;
    }
    cursor->at += length;
    return true;
}

bool cursor_ends(struct cursor *cursor) {
    if (cursor->at == cursor->end)
        return true;
    snapfile_fail(cursor->error, cursor_offset(cursor), "%s: %td bytes too many", cursor->what,
                  cursor->end - cursor->at);
    return false;
}

status piece_open(struct snapfile_piece *piece, const struct snapfile *file, uint64_t offset,
                  uint64_t length) {
    const struct snapfile_source *source = &file->source;
    assert(length <= source->length && offset <= source->length - length);
    *piece = (struct snapfile_piece){.offset = offset, .length = (size_t)length};
    if (source->bytes != NULL || length == 0) {
        piece->bytes = length == 0 ? (const unsigned char *)""
                                   : (const unsigned char *)source->bytes + offset;
        return STATUS_OK;
    }
    if ((piece->owned = vmem_map(file->account, piece->length)) == NULL)
        return STATUS_NOMEM;
    piece->bytes = piece->owned;
    status result = source->read(source->context, offset, piece->owned, piece->length);
    if (result != STATUS_OK)
        piece_close(piece, file);
    return result;
}

void piece_close(struct snapfile_piece *piece, const struct snapfile *file) {
    if (piece->owned != NULL)
        vmem_unmap(file->account, piece->owned, piece->length);
    *piece = (struct snapfile_piece){0};
}

struct cursor cursor_on(const struct snapfile_piece *piece, const char *what, struct snapfile_error *error) {
    return (struct cursor){.start = piece->bytes,
                           .at = piece->bytes,
                           .end = piece->bytes + piece->length,
                           .offset = piece->offset,
                           .error = error,
                           .what = what};
}

status cursor_open(struct cursor *cursor, const struct snapfile *file, const struct snapfile_section *section,
                   const char *what, uint64_t least, struct snapfile_error *error) {
    struct snapfile_piece piece;
    if (section->count > section->length / least) {
        snapfile_fail(error, section->offset, "%s: %" PRIu64 " of them do not fit into %" PRIu64 " bytes",
                      what, section->count, section->length);
        return STATUS_INVALID;
    }
    status result = piece_open(&piece, file, section->offset, section->length);
    if (result != STATUS_OK)
        return result;
    *cursor = cursor_on(&piece, what, error);
    cursor->piece = piece;
    if (checksum(&file->checksums, 0, piece.bytes, piece.length) == section->checksum)
        return STATUS_OK;
    snapfile_fail(error, section->offset, "%s are damaged (checksum)", what);
    cursor_close(cursor, file);
    return STATUS_INVALID;
}

void cursor_close(struct cursor *cursor, const struct snapfile *file) { piece_close(&cursor->piece, file); }
