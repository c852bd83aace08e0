/* strtab: interned names (strtab.h). Written under the call paths' lock. */
#include "strtab.h"

#include <string.h>

#define MOST_BYTES ((size_t)UINT32_MAX + 1)
#define MOST_STRINGS ((size_t)1 << 26)

static uint64_t hash_bytes(const char *bytes, size_t length) {
    uint64_t hash = length;
    while (length >= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        hash = hash_mix(hash ^ word);
        bytes += 8;
        length -= 8;
    }
    uint64_t rest = 0;
    memcpy(&rest, bytes, length);
    return hash_mix(hash ^ rest);
}

static uint64_t hash_of(const void *owner, uint32_t id) {
    struct string string = strtab_get(owner, id);
    return hash_bytes(string.bytes, string.length);
}

status strtab_init(struct strtab *strings, struct vmem *account) {
    memset(strings, 0, sizeof *strings);
    if (region_init(&strings->bytes, account, MOST_BYTES) != STATUS_OK ||
        region_init(&strings->ends, account, MOST_STRINGS * sizeof(uint32_t)) != STATUS_OK ||
        region_grow(&strings->ends, sizeof(uint32_t)) != STATUS_OK ||
        idtable_init_narrow(&strings->index, account) != STATUS_OK) {
        strtab_fini(strings);
        return STATUS_NOMEM;
    }
    strings->count = 1; /* id 0, "": ends[0] is 0 */
    return STATUS_OK;
}

void strtab_fini(struct strtab *strings) {
    region_fini(&strings->bytes);
    region_fini(&strings->ends);
    idtable_fini(&strings->index);
    memset(strings, 0, sizeof *strings);
}

struct string strtab_get(const struct strtab *strings, uint32_t id) {
    const uint32_t *ends = (const uint32_t *)strings->ends.base;
    uint32_t start = id == 0 ? 0 : ends[id - 1];
    return (struct string){strings->bytes.base + start, ends[id] - start};
}

size_t strtab_bytes(const struct strtab *strings) {
    return ((const uint32_t *)strings->ends.base)[strings->count - 1];
}

status strtab_append(struct strtab *strings, const char *bytes, size_t length) {
    uint32_t *ends = (uint32_t *)strings->ends.base;
    size_t start = ends[strings->count - 1];
    if (length > UINT32_MAX - start)
        return STATUS_FULL;
    status result = region_grow(&strings->bytes, start + length);
    if (result == STATUS_OK)
        result = region_grow(&strings->ends, ((size_t)strings->count + 1) * sizeof *ends);
    if (result != STATUS_OK)
        return result;
    memcpy(strings->bytes.base + start, bytes, length);
    ends[strings->count++] = (uint32_t)(start + length);
    return STATUS_OK;
}

status strtab_intern(struct strtab *strings, const char *bytes, size_t length, uint32_t *id) {
    *id = 0;
    if (length == 0)
        return STATUS_OK;
    assert(strings->index.count == strings->count - 1); /* nothing was appended */
    status result = idtable_reserve_id(&strings->index, hash_of, strings, strings->count);
    if (result != STATUS_OK)
        return result;
    size_t slot = idtable_first(&strings->index, hash_bytes(bytes, length));
    for (uint32_t found; (found = idtable_at(&strings->index, slot)) != 0;
         slot = idtable_next(&strings->index, slot)) {
        struct string string = strtab_get(strings, found);
        if (string.length == length && memcmp(string.bytes, bytes, length) == 0) {
            *id = found;
            return STATUS_OK;
        }
    }
    result = strtab_append(strings, bytes, length);
    if (result != STATUS_OK)
        return result;
    *id = strings->count - 1;
    idtable_put(&strings->index, slot, *id);
    return STATUS_OK;
}
