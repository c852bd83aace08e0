/* segment: see segment.h. */
#include "segment.h"

/* Addresses are reserved, not memory: room for 2^32 rows. */
#define MOST_BYTES SIZED((size_t)1 << 37, (size_t)1 << 24)

struct segment *segment_new(struct vmem *account) {
    struct region memory;
    if (region_init(&memory, account, MOST_BYTES) != STATUS_OK)
        return NULL;
    if (region_grow(&memory, sizeof(struct segment)) != STATUS_OK) {
        region_fini(&memory);
        return NULL;
    }
    struct segment *segment = (struct segment *)(void *)memory.base;
    segment->memory = memory;
    segment->references = 1;
    return segment;
}

void segment_retain(struct segment *segment) {
    /* relaxed: whoever retains has a reference already */
    __atomic_fetch_add((uint32_t *)&segment->references, 1, __ATOMIC_RELAXED);
}

void segment_release(struct segment *segment) {
    /* acquire-release: whoever frees sees that the others have done reading */
    if (segment == NULL || __atomic_sub_fetch((uint32_t *)&segment->references, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    struct region memory = segment->memory; /* it must not lie in what is given back */
    region_fini(&memory);
}

status segment_make_room(struct segment *segment) {
    return region_grow(&segment->memory, segment_bytes(segment->count + 1));
}

struct segment *segment_complete(struct segment *segment) {
    struct region memory = segment->memory; /* it lies in what moves */
    region_trim(&memory, segment_bytes(segment->count));
    segment = (struct segment *)(void *)memory.base;
    segment->memory = memory;
    return segment;
}

static void begin_run(struct rows *rows, size_t start, size_t end) {
    rows->row = rows->part->segment->rows + start;
    rows->last = rows->part->segment->rows + end - 1;
}

static void begin_word(struct rows *rows, size_t word, uint64_t bits) {
    rows->base = rows->part->segment->rows + word * 64;
    rows->row = rows->last = rows->base + __builtin_ctzll(bits);
    rows->rest = bits & (bits - 1);
}

static bool search_part(struct rows *rows) {
    const uint64_t *kept = rows->part->kept;
    size_t word = rows->word, end = segment_words(rows->part->segment);
    if (kept == NULL && word < end) {
        rows->word = end;
        begin_run(rows, 0, rows->part->segment->count);
        return true;
    }
    while (word < end && kept[word] == 0)
        word++;
    size_t first = word;
    while (word < end && kept[word] == UINT64_MAX)
        word++;
    if (word > first)
        begin_run(rows, first * 64, word * 64);
    else if (word < end) {
        begin_word(rows, word, kept[word]);
        word++;
    }
    rows->word = word;
    return word > first;
}

bool rows_search(struct rows *rows) {
    for (; rows->part != rows->parts_end; rows->part++, rows->word = 0) {
        if (search_part(rows))
            return true;
    }
    return false;
}

const struct row *segment_part_row(const struct segment_part *part, size_t *i) {
    const struct segment *segment = part->segment;
    if (part->kept == NULL && *i < segment->count)
        return &segment->rows[*i];
    for (size_t word = 0; part->kept != NULL && word < segment_words(segment); word++) {
        uint64_t bits = part->kept[word];
        size_t count = (size_t)__builtin_popcountll(bits);
        if (*i < count) {
            for (; *i > 0; --*i)
                bits &= bits - 1;
            return segment->rows + word * 64 + __builtin_ctzll(bits);
        }
        *i -= count;
    }
    *i -= part->kept == NULL ? segment->count : 0;
    return NULL;
}
