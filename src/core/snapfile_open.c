/* snapfile_open: a snapshot file's frame: header, directory, tail and metadata (snapfile.h,
 * snapfile_format.h).
 *
 * Keeps the metadata's bytes and nothing else. What the directory says is true of the bytes afterwards: sections lie
 * one after the other, within the file, each kind at most once; whether their content is right is found when they are
 * read. Any thread.
 */
#include "snapfile_cursor.h"

#include <inttypes.h>
#include <string.h>

static status refuse(struct snapfile_error *error, uint64_t offset, const char *text) {
    snapfile_fail(error, offset, "%s", text);
    return STATUS_INVALID;
}

static status check_header(struct snapfile *file, const unsigned char *bytes, struct snapfile_error *error) {
    if (checksum(&file->checksums, 0, bytes, 20) != get_fixed(bytes + 20, 4))
        return refuse(error, 20, "the header is damaged (checksum)");
    file->major = (uint16_t)get_fixed(bytes + 8, 2);
    file->minor = (uint16_t)get_fixed(bytes + 10, 2);
    if (file->major != SNAPFILE_MAJOR) {
        snapfile_fail(error, 8, "format version %d.%d; this memtally reads version %d", file->major,
                      file->minor, SNAPFILE_MAJOR);
        return STATUS_INVALID;
    }
    uint32_t unknown = (uint32_t)get_fixed(bytes + 12, 4) & ~(uint32_t)SNAPFILE_FEATURES;
    if (unknown == 0)
        return STATUS_OK;
    snapfile_fail(error, 12, "reading it takes feature %d, which this memtally does not know",
                  __builtin_ctz(unknown));
    return STATUS_INVALID;
}

static status open_header(struct snapfile *file, struct snapfile_error *error) {
    uint64_t length = file->source.length;
    struct snapfile_piece header;
    status result = piece_open(&header, file, 0, length < SNAPFILE_HEADER ? length : SNAPFILE_HEADER);
    if (result != STATUS_OK)
        return result;
    if (!snapfile_begins_as(header.bytes, header.length))
        result = refuse(error, 0, "this is not a memtally snapshot file");
    else if (length < SNAPFILE_HEADER + SNAPFILE_TAIL)
        result = refuse(error, length, "the file is cut short");
    else
        result = check_header(file, header.bytes, error);
    piece_close(&header, file);
    return result;
}

bool snapfile_begins_as(const void *bytes, size_t length) {
    return length > 0 && memcmp(bytes, SNAPFILE_MAGIC, length < 8 ? length : 8) == 0;
}

/* Where the directory begins, of how many entries; its checksum covers itself and 12 bytes of the tail. */
static status check_tail(const struct snapfile_piece *tail, uint64_t *start, uint32_t *count,
                         struct snapfile_error *error) {
    const unsigned char *bytes = tail->bytes;
    if (memcmp(bytes + 16, SNAPFILE_END, 8) != 0)
        return refuse(error, tail->offset + 16,
                      "the end is missing: the file is cut short or has something appended");
    *start = get_fixed(bytes, 8);
    *count = (uint32_t)get_fixed(bytes + 8, 4);
    if (*start >= SNAPFILE_HEADER && *start <= tail->offset &&
        tail->offset - *start == (uint64_t)*count * SNAPFILE_ENTRY)
        return STATUS_OK;
    snapfile_fail(error, tail->offset, "a directory of %" PRIu32 " sections is not at byte %" PRIu64, *count,
                  *start);
    return STATUS_INVALID;
}

/* Gets the directory; the caller closes it. */
static status open_tail(struct snapfile *file, struct snapfile_piece *directory, uint32_t *count,
                        struct snapfile_error *error) {
    uint64_t start = 0, end = file->source.length;
    struct snapfile_piece tail;
    status result = piece_open(&tail, file, end - SNAPFILE_TAIL, SNAPFILE_TAIL);
    if (result != STATUS_OK)
        return result;
    result = check_tail(&tail, &start, count, error);
    piece_close(&tail, file);
    if (result == STATUS_OK)
        result = piece_open(directory, file, start, end - start);
    if (result != STATUS_OK)
        return result;
    const unsigned char *sum = directory->bytes + directory->length - SNAPFILE_TAIL + 12;
    if (checksum(&file->checksums, 0, directory->bytes, (size_t)(sum - directory->bytes)) ==
        get_fixed(sum, 4))
        return STATUS_OK;
    piece_close(directory, file);
    return refuse(error, start, "the directory is damaged (checksum)");
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
        if (kind >= SECTION_ROWS && kind < SECTION_ROWS + VIEW_COUNT)
            return &file->rows[kind - SECTION_ROWS];
        if (kind >= SECTION_PROCESSES && kind < SECTION_PROCESSES + VIEW_COUNT)
            return &file->processes[kind - SECTION_PROCESSES];
        return NULL;
    }
}

/* An entry of the directory, at byte `at` of the file, whose section begins where it is `expected`, at the latest
 * ends where the directory begins. */
static status check_entry(struct snapfile *file, const unsigned char *bytes, uint64_t at, uint64_t *expected,
                          uint64_t end, struct snapfile_error *error) {
    uint32_t kind = (uint32_t)get_fixed(bytes, 2), flags = (uint32_t)get_fixed(bytes + 2, 2);
    struct snapfile_section section = {get_fixed(bytes + 8, 8), get_fixed(bytes + 16, 8),
                                       get_fixed(bytes + 24, 8), (uint32_t)get_fixed(bytes + 4, 4)};
    if (section.offset != *expected || section.length > end - *expected) {
        snapfile_fail(error, at, "section %" PRIu32 " is said to be %" PRIu64 " bytes at byte %" PRIu64, kind,
                      section.length, section.offset);
        return STATUS_INVALID;
    }
    struct snapfile_section *known = known_section(file, kind);
    if (known == NULL && (flags & SECTION_REQUIRED) != 0) {
        snapfile_fail(error, at, "reading it takes section %" PRIu32 ", which this memtally does not know",
                      kind);
        return STATUS_INVALID;
    }
    if (known != NULL && known->offset != 0) {
        snapfile_fail(error, at, "section %" PRIu32 " is there twice", kind);
        return STATUS_INVALID;
    }
    if (known != NULL)
        *known = section;
    *expected += section.length;
    return STATUS_OK;
}

static status check_entries(struct snapfile *file, const struct snapfile_piece *directory, uint32_t count,
                            struct snapfile_error *error) {
    uint64_t expected = SNAPFILE_HEADER;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at = (uint64_t)i * SNAPFILE_ENTRY;
        status result = check_entry(file, directory->bytes + at, directory->offset + at, &expected,
                                    directory->offset, error);
        if (result != STATUS_OK)
            return result;
    }
    if (expected == directory->offset)
        return STATUS_OK;
    snapfile_fail(error, expected, "%" PRIu64 " bytes belong to no section", directory->offset - expected);
    return STATUS_INVALID;
}

static status check_complete(struct snapfile *file, uint64_t directory, struct snapfile_error *error) {
    bool any_view = false;
    for (int view = 0; view < VIEW_COUNT; view++) {
        file->views[view] = file->rows[view].offset != 0;
        if (file->views[view] && (!any_view || file->rows[view].offset < file->rows[file->first].offset))
            file->first = (enum view)view;
        any_view |= file->views[view];
    }
    if (any_view && file->strings.offset != 0 && file->sites.offset != 0 && file->nodes.offset != 0)
        return STATUS_OK;
    snapfile_fail(error, directory, "the %s section is missing",
                  file->strings.offset == 0 ? "strings"
                  : file->sites.offset == 0 ? "sites"
                  : file->nodes.offset == 0 ? "nodes"
                                            : "rows");
    return STATUS_INVALID;
}

static status open_directory(struct snapfile *file, struct snapfile_error *error) {
    struct snapfile_piece directory;
    uint32_t count = 0;
    status result = open_tail(file, &directory, &count, error);
    if (result != STATUS_OK)
        return result;
    result = check_entries(file, &directory, count, error);
    if (result == STATUS_OK)
        result = check_complete(file, directory.offset, error);
    piece_close(&directory, file);
    return result;
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

static status open_metadata(struct snapfile *file, struct snapfile_error *error) {
    struct cursor cursor;
    struct snapfile_pair found;
    if (file->metadata.offset == 0)
        return STATUS_OK;
    status result = cursor_open(&cursor, file, &file->metadata, "metadata", 3, error);
    if (result != STATUS_OK)
        return result;
    bool sound = true;
    for (uint64_t i = 0; sound && i < file->metadata.count; i++)
        sound = get_pair(&cursor, &found);
    if (sound && cursor_ends(&cursor)) {
        file->pairs = cursor.piece;
        return STATUS_OK;
    }
    cursor_close(&cursor, file);
    return STATUS_INVALID;
}

status snapfile_open(struct snapfile *file, const struct snapfile_source *source, struct vmem *account,
                     struct snapfile_error *error) {
    memset(file, 0, sizeof *file);
    memset(error, 0, sizeof *error);
    file->source = *source;
    file->account = account;
    checksum_tables_init(&file->checksums);
    status result = open_header(file, error);
    if (result == STATUS_OK)
        result = open_directory(file, error);
    if (result == STATUS_OK)
        result = open_metadata(file, error);
    return result;
}

void snapfile_close(struct snapfile *file) { piece_close(&file->pairs, file); }

bool snapfile_next_pair(const struct snapfile *file, size_t *cursor, struct snapfile_pair *found) {
    struct snapfile_error error;
    if (*cursor >= file->pairs.length)
        return false;
    struct cursor inside = cursor_on(&file->pairs, "metadata", &error);
    inside.at += *cursor;
    bool sound = get_pair(&inside, found); /* checked when the file was opened */
    *cursor = (size_t)(inside.at - inside.start);
    return sound;
}
