/* snapfile_open: a snapshot file's frame: header, directory, tail and metadata (snapfile.h,
 * snapfile_format.h).
 *
 * Allocates nothing. What the directory says is true of the bytes afterwards: sections lie one after the
 * other, within the file, each kind at most once; whether their content is right is found when they are read.
 * Any thread.
 */
#include "snapfile_cursor.h"

#include <inttypes.h>
#include <string.h>

static bool open_header(struct snapfile *file, struct snapfile_error *error) {
    const unsigned char *bytes = file->bytes;
    size_t known = file->length < 8 ? file->length : 8;
    if (file->length == 0 || memcmp(bytes, SNAPFILE_MAGIC, known) != 0) {
        snapfile_fail(error, 0, "this is not a memtally snapshot file");
        return false;
    }
    if (file->length < SNAPFILE_HEADER + SNAPFILE_TAIL) {
        snapfile_fail(error, file->length, "the file is cut short");
        return false;
    }
    if (checksum(&file->checksums, 0, bytes, 20) != get_fixed(bytes + 20, 4)) {
        snapfile_fail(error, 20, "the header is damaged (checksum)");
        return false;
    }
    file->major = (uint16_t)get_fixed(bytes + 8, 2);
    file->minor = (uint16_t)get_fixed(bytes + 10, 2);
    if (file->major != SNAPFILE_MAJOR) {
        snapfile_fail(error, 8, "format version %d.%d; this memtally reads version %d", file->major,
                      file->minor, SNAPFILE_MAJOR);
        return false;
    }
    uint32_t unknown = (uint32_t)get_fixed(bytes + 12, 4) & ~(uint32_t)SNAPFILE_FEATURES;
    if (unknown != 0) {
        snapfile_fail(error, 12, "reading it takes feature %d, which this memtally does not know",
                      __builtin_ctz(unknown));
        return false;
    }
    return true;
}

/* The bytes and entries of the directory. */
static bool open_tail(struct snapfile *file, uint64_t *start, uint32_t *count, struct snapfile_error *error) {
    uint64_t tail = file->length - SNAPFILE_TAIL;
    const unsigned char *bytes = file->bytes + tail;
    if (memcmp(bytes + 16, SNAPFILE_END, 8) != 0) {
        snapfile_fail(error, tail + 16,
                      "the end is missing: the file is cut short or has something appended");
        return false;
    }
    *start = get_fixed(bytes, 8);
    *count = (uint32_t)get_fixed(bytes + 8, 4);
    if (*start < SNAPFILE_HEADER || *start > tail || tail - *start != (uint64_t)*count * SNAPFILE_ENTRY) {
        snapfile_fail(error, tail, "a directory of %" PRIu32 " sections is not at byte %" PRIu64, *count,
                      *start);
        return false;
    }
    if (checksum(&file->checksums, 0, file->bytes + *start, (size_t)(tail - *start) + 12) !=
        get_fixed(bytes + 12, 4)) {
        snapfile_fail(error, *start, "the directory is damaged (checksum)");
        return false;
    }
    return true;
}

static struct snapfile_section *known_section(struct snapfile *file, uint32_t kind) {
    switch (kind) {
    case SECTION_METADATA:
        return &file->metadata;
    case SECTION_STRINGS:
        return &file->strings;
    case SECTION_SITES:
        return &file->sites;
    case SECTION_NODES:
        return &file->nodes;
    default:
        return kind >= SECTION_ROWS && kind < SECTION_ROWS + VIEW_COUNT ? &file->rows[kind - SECTION_ROWS]
                                                                        : NULL;
    }
}

static bool open_entry(struct snapfile *file, uint64_t at, uint64_t expected, uint64_t end,
                       struct snapfile_section *section, struct snapfile_error *error) {
    const unsigned char *bytes = file->bytes + at;
    uint32_t kind = (uint32_t)get_fixed(bytes, 2), flags = (uint32_t)get_fixed(bytes + 2, 2);
    *section = (struct snapfile_section){get_fixed(bytes + 8, 8), get_fixed(bytes + 16, 8),
                                         get_fixed(bytes + 24, 8), (uint32_t)get_fixed(bytes + 4, 4)};
    if (section->offset != expected || section->length > end - expected) {
        snapfile_fail(error, at, "section %" PRIu32 " is said to be %" PRIu64 " bytes at byte %" PRIu64, kind,
                      section->length, section->offset);
        return false;
    }
    struct snapfile_section *known = known_section(file, kind);
    if (known == NULL && (flags & SECTION_REQUIRED) != 0) {
        snapfile_fail(error, at, "reading it takes section %" PRIu32 ", which this memtally does not know",
                      kind);
        return false;
    }
    if (known != NULL && known->offset != 0) {
        snapfile_fail(error, at, "section %" PRIu32 " is there twice", kind);
        return false;
    }
    if (known != NULL)
        *known = *section;
    return true;
}

static bool open_directory(struct snapfile *file, struct snapfile_error *error) {
    uint64_t directory, expected = SNAPFILE_HEADER;
    uint32_t count;
    bool any_view = false;
    if (!open_tail(file, &directory, &count, error))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct snapfile_section section;
        uint64_t at = directory + (uint64_t)i * SNAPFILE_ENTRY;
        if (!open_entry(file, at, expected, directory, &section, error))
            return false;
        expected += section.length;
    }
    if (expected != directory) {
        snapfile_fail(error, expected, "%" PRIu64 " bytes belong to no section", directory - expected);
        return false;
    }
    for (int view = 0; view < VIEW_COUNT; view++)
        any_view |= file->views[view] = file->rows[view].offset != 0;
    if (!any_view || file->strings.offset == 0 || file->sites.offset == 0 || file->nodes.offset == 0) {
        snapfile_fail(error, directory, "the %s section is missing",
                      file->strings.offset == 0 ? "strings"
                      : file->sites.offset == 0 ? "sites"
                      : file->nodes.offset == 0 ? "nodes"
                                                : "rows");
        return false;
    }
    return true;
}

static bool get_pair(struct cursor *cursor, struct snapfile_pair *found) {
    uint64_t start = cursor_offset(cursor);
    if (!cursor_get_text(cursor, &found->key) || !cursor_get_text(cursor, &found->value))
        return false;
    if (found->key.length > 0)
        return true;
    snapfile_fail(cursor->error, start, "metadata hold an empty key");
    return false;
}

static bool open_metadata(struct snapfile *file, struct snapfile_error *error) {
    struct cursor cursor;
    struct snapfile_pair found;
    if (file->metadata.offset == 0)
        return true;
    if (!cursor_open(&cursor, file, &file->metadata, "metadata", 3, error))
        return false;
    for (uint64_t i = 0; i < file->metadata.count; i++) {
        if (!get_pair(&cursor, &found))
            return false;
    }
    return cursor_ends(&cursor);
}

status snapfile_open(struct snapfile *file, const void *bytes, size_t length, struct snapfile_error *error) {
    memset(file, 0, sizeof *file);
    memset(error, 0, sizeof *error);
    file->bytes = bytes;
    file->length = length;
    checksum_tables_init(&file->checksums);
    return open_header(file, error) && open_directory(file, error) && open_metadata(file, error)
               ? STATUS_OK
               : STATUS_INVALID;
}

bool snapfile_next_pair(const struct snapfile *file, size_t *cursor, struct snapfile_pair *found) {
    struct snapfile_error error;
    const struct snapfile_section *section = &file->metadata;
    if (*cursor >= section->length)
        return false;
    const unsigned char *start = file->bytes + section->offset;
    struct cursor inside = {file->bytes, start + *cursor, start + section->length, &error, "metadata"};
    bool sound = get_pair(&inside, found); /* checked when the file was opened */
    *cursor = (size_t)(inside.at - start);
    return sound;
}
