/* prefixes: see prefixes.h. One thread; the snapshots are only read. */
#include "prefixes.h"

#include <string.h>

#define SECOND_SIDE (UINT32_C(1) << 31) /* node ids have 28 bits */
#define MOST_PREFIXES (UINT32_MAX - 1)

/* What is needed while the prefixes are made. */
struct work {
    struct prefixes *prefixes;
    bool shared;      /* both sides have the same call paths, or there is but one */
    uint32_t *met[2]; /* by node: its prefix of the present length, + 1; zeros between two lengths */
    struct places places;
    struct entry *entries, *spare; /* of one length, to be sorted */
    uint32_t *class_up;            /* by class: that of the prefix without the last frame */
    uint32_t *class_size;          /* by class: it and all below; then the next number for what is below */
    uint32_t *class_number;
    uint32_t class_count; /* class 0 is the empty prefix */
};

/* One prefix among those of its length. */
struct entry {
    uint32_t place;
    uint32_t up; /* class of the prefix without the last frame, less the first one of its length */
    uint32_t prefix;
};

static inline int side_of(uint32_t at) { return (at & SECOND_SIDE) != 0; }
static inline uint32_t node_of(uint32_t at) { return at & ~SECOND_SIDE; }

static inline const struct node *node_at(const struct prefixes *prefixes, uint32_t at) {
    return node_get(prefixes->sides[side_of(at)]->paths, node_of(at));
}

static inline uint32_t *nodes_of(const struct prefixes *prefixes) { return (uint32_t *)prefixes->nodes.base; }
static inline uint32_t *up_of(const struct prefixes *prefixes) { return (uint32_t *)prefixes->up.base; }

/* --- upwards: every prefix, once --- */

static inline status meet(struct work *work, uint32_t at, uint32_t *prefix) {
    struct prefixes *prefixes = work->prefixes;
    uint32_t *met = &work->met[side_of(at)][node_of(at)];
    if (*met == 0) {
        if (prefixes->count == MOST_PREFIXES)
            return STATUS_FULL;
        size_t bytes = ((size_t)prefixes->count + 1) * sizeof(uint32_t);
        status result = region_grow(&prefixes->nodes, bytes);
        if (result == STATUS_OK)
            result = region_grow(&prefixes->up, bytes);
        if (result != STATUS_OK)
            return result;
        nodes_of(prefixes)[prefixes->count] = at;
        places_use(&work->places, side_of(at), node_at(prefixes, at)->site);
        *met = ++prefixes->count;
    }
    *prefix = *met - 1;
    return STATUS_OK;
}

/* The prefixes of one length: whole tracebacks, and what the next longer ones begin with. */
static status meet_length(struct work *work, uint32_t length) {
    struct prefixes *prefixes = work->prefixes;
    status result = STATUS_OK;
    uint32_t longer = length == prefixes->longest ? 0 : prefixes->levels[length + 1], end = prefixes->count;
    prefixes->levels[length] = end;
    for (uint32_t item = prefixes->joins[length]; item != 0; item = prefixes->next[item - 1]) {
        const struct path_item *path = &prefixes->items[item - 1];
        uint32_t at = path->node | (path->side == 1 && !work->shared ? SECOND_SIDE : 0);
        if ((result = meet(work, at, &prefixes->found[item - 1])) != STATUS_OK)
            return result;
    }
    for (; longer < end; longer++) {
        uint32_t at = nodes_of(prefixes)[longer];
        uint32_t parent = node_at(prefixes, at)->parent | (at & SECOND_SIDE);
        if ((result = meet(work, parent, &up_of(prefixes)[longer])) != STATUS_OK)
            return result;
    }
    for (uint32_t prefix = end; prefix < prefixes->count; prefix++) {
        uint32_t at = nodes_of(prefixes)[prefix];
        work->met[side_of(at)][node_of(at)] = 0;
    }
    return STATUS_OK;
}

static status meet_all(struct work *work) {
    struct prefixes *prefixes = work->prefixes;
    for (size_t item = prefixes->item_count; item > 0; item--) {
        uint32_t *first = &prefixes->joins[prefixes->items[item - 1].frames];
        prefixes->next[item - 1] = *first;
        *first = (uint32_t)item;
    }
    for (uint32_t length = prefixes->longest; length > 0; length--) {
        status result = meet_length(work, length);
        if (result != STATUS_OK)
            return result;
    }
    prefixes->levels[0] = prefixes->count;
    return STATUS_OK;
}

/* --- downwards: equal ones together, sorted --- */

/* One digit of a radix sort: stable, ascending by eight bits of the place or of the class above. */
static void sort_digit(struct work *work, uint32_t count, size_t field, int shift) {
    uint32_t starts[256] = {0};
    const char *keys = (const char *)work->entries + field;
    for (uint32_t i = 0; i < count; i++)
        starts[*(const uint32_t *)(const void *)(keys + i * sizeof(struct entry)) >> shift & 255]++;
    for (uint32_t digit = 0, before = 0; digit < 256; digit++) {
        uint32_t here = starts[digit];
        starts[digit] = before;
        before += here;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t key = *(const uint32_t *)(const void *)(keys + i * sizeof(struct entry));
        work->spare[starts[key >> shift & 255]++] = work->entries[i];
    }
    struct entry *entries = work->entries;
    work->entries = work->spare;
    work->spare = entries;
}

static bool comes_before(const struct entry *a, const struct entry *b) {
    return a->up != b->up ? a->up < b->up : a->place < b->place;
}

static void insert_each(struct entry *entries, uint32_t count) {
    for (uint32_t i = 1; i < count; i++) {
        struct entry entry = entries[i];
        uint32_t at = i;
        for (; at > 0 && comes_before(&entry, &entries[at - 1]); at--)
            entries[at] = entries[at - 1];
        entries[at] = entry;
    }
}

/* By the class above, then by place; `classes`: how many there are above. */
static void sort_entries(struct work *work, uint32_t count, uint32_t classes) {
    enum { FEW = SIZED(48, 3) };
    if (count <= FEW) {
        insert_each(work->entries, count);
        return;
    }
    for (int shift = 0; shift < 32 && (work->places.count - 1) >> shift != 0; shift += 8)
        sort_digit(work, count, offsetof(struct entry, place), shift);
    for (int shift = 0; shift < 32 && (classes - 1) >> shift != 0; shift += 8)
        sort_digit(work, count, offsetof(struct entry, up), shift);
}

/* The classes of one length; those above begin at `first_above`. */
static void class_length(struct work *work, uint32_t length, uint32_t first_above) {
    struct prefixes *prefixes = work->prefixes;
    uint32_t *up = up_of(prefixes), start = prefixes->levels[length];
    uint32_t count = prefixes->levels[length - 1] - start, first = work->class_count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = nodes_of(prefixes)[start + i];
        uint32_t place = work->places.ranks[side_of(at)][node_at(prefixes, at)->site];
        uint32_t above = length == 1 ? 0 : up[up[start + i]] - first_above;
        work->entries[i] = (struct entry){place, above, start + i};
    }
    sort_entries(work, count, first - first_above);
    for (uint32_t i = 0; i < count; i++) {
        const struct entry *entry = &work->entries[i];
        if (i == 0 || comes_before(entry - 1, entry))
            work->class_up[work->class_count++] = entry->up + first_above;
        up[entry->prefix] = work->class_count - 1;
    }
}

static void class_all(struct work *work) {
    uint32_t above = 0;
    work->class_count = 1;
    for (uint32_t length = 1; length <= work->prefixes->longest; length++) {
        uint32_t first = work->class_count;
        class_length(work, length, above);
        above = first;
    }
}

/* Children have higher classes than their parents, and of one parent ascend with their places. */
static void number_classes(struct work *work) {
    uint32_t *size = work->class_size, *number = work->class_number;
    for (uint32_t id = 0; id < work->class_count; id++)
        size[id] = 1;
    for (uint32_t id = work->class_count - 1; id > 0; id--)
        size[work->class_up[id]] += size[id];
    number[0] = 0;
    size[0] = 1;
    for (uint32_t id = 1; id < work->class_count; id++) {
        uint32_t *next = &size[work->class_up[id]];
        number[id] = *next;
        *next += size[id];
        size[id] = number[id] + 1;
    }
}

/* The numbers of tracebacks, without gaps. */
static void number_items(struct work *work) {
    struct prefixes *prefixes = work->prefixes;
    uint32_t *numbers = work->class_up; /* not needed any more */
    memset(numbers, 0, work->class_count * sizeof *numbers);
    for (size_t i = 0; i < prefixes->item_count; i++) {
        uint32_t id = prefixes->items[i].frames == 0 ? 0 : up_of(prefixes)[prefixes->found[i]];
        prefixes->found[i] = work->class_number[id];
        numbers[prefixes->found[i]] = 1;
    }
    for (uint32_t i = 0; i < work->class_count; i++) {
        uint32_t here = numbers[i];
        numbers[i] = prefixes->numbers;
        prefixes->numbers += here;
    }
    for (size_t i = 0; i < prefixes->item_count; i++)
        prefixes->found[i] = numbers[prefixes->found[i]];
}

static uint32_t widest_level(const struct prefixes *prefixes) {
    uint32_t widest = 1;
    for (uint32_t length = 1; length <= prefixes->longest; length++) {
        uint32_t width = prefixes->levels[length - 1] - prefixes->levels[length];
        widest = width > widest ? width : widest;
    }
    return widest;
}

static status number_all(struct work *work) {
    struct prefixes *prefixes = work->prefixes;
    size_t widest = widest_level(prefixes), most = (size_t)prefixes->count + 1;
    status result = places_rank(&work->places);
    if (result != STATUS_OK)
        return result;
    size_t entry_bytes = 2 * widest * sizeof(struct entry), class_bytes = 3 * most * sizeof(uint32_t);
    struct entry *entries = vmem_map(prefixes->account, entry_bytes);
    uint32_t *classes = vmem_map(prefixes->account, class_bytes);
    if (entries != NULL && classes != NULL) {
        work->entries = entries;
        work->spare = entries + widest;
        work->class_up = classes;
        work->class_size = classes + most;
        work->class_number = classes + 2 * most;
        class_all(work);
        number_classes(work);
        number_items(work);
    } else {
        result = STATUS_NOMEM;
    }
    vmem_unmap(prefixes->account, entries, entry_bytes);
    vmem_unmap(prefixes->account, classes, class_bytes);
    return result;
}

/* --- life --- */

static size_t levels_bytes(const struct prefixes *prefixes) {
    return 2 * ((size_t)prefixes->longest + 1) * sizeof(uint32_t);
}
static size_t next_bytes(const struct prefixes *prefixes) {
    return 2 * prefixes->item_count * sizeof(uint32_t);
}

static status map_arrays(struct prefixes *prefixes) {
    size_t frames = 1;
    for (size_t i = 0; i < prefixes->item_count; i++) {
        uint32_t length = prefixes->items[i].frames;
        prefixes->longest = length > prefixes->longest ? length : prefixes->longest;
        frames += length;
    }
    if (frames > MOST_PREFIXES)
        frames = MOST_PREFIXES;
    prefixes->levels = vmem_map(prefixes->account, levels_bytes(prefixes));
    prefixes->next = vmem_map(prefixes->account, next_bytes(prefixes));
    if (prefixes->levels == NULL || prefixes->next == NULL)
        return STATUS_NOMEM;
    prefixes->joins = prefixes->levels + prefixes->longest + 1;
    prefixes->found = prefixes->next + prefixes->item_count;
    status result = region_init(&prefixes->nodes, prefixes->account, frames * sizeof(uint32_t));
    return result == STATUS_OK ? region_init(&prefixes->up, prefixes->account, frames * sizeof(uint32_t))
                               : result;
}

static status make(struct prefixes *prefixes) {
    const struct snapshot *const *sides = prefixes->sides;
    struct work work = {.prefixes = prefixes,
                        .shared = sides[1] == NULL || sides[1]->paths == sides[0]->paths};
    size_t nodes = callpaths_ends(sides[0]->paths).nodes, first = nodes;
    if (!work.shared)
        nodes += callpaths_ends(sides[1]->paths).nodes;
    size_t met_bytes = nodes * sizeof(uint32_t);
    status result = places_init(&work.places, sides);
    if (result != STATUS_OK)
        return result;
    work.met[0] = vmem_map(prefixes->account, met_bytes);
    if (work.met[0] != NULL) {
        work.met[1] = work.met[0] + (work.shared ? 0 : first);
        result = meet_all(&work);
    } else {
        result = STATUS_NOMEM;
    }
    vmem_unmap(prefixes->account, work.met[0], met_bytes);
    if (result == STATUS_OK)
        result = number_all(&work);
    places_fini(&work.places);
    return result;
}

status prefixes_init(struct prefixes *prefixes, const struct snapshot *const sides[2],
                     const struct path_item *items, size_t count) {
    assert(count > 0 && count < UINT32_MAX);
    *prefixes = (struct prefixes){.account = sides[0]->account, .sides = {sides[0], sides[1]}};
    prefixes->items = items;
    prefixes->item_count = count;
    status result = map_arrays(prefixes);
    if (result == STATUS_OK)
        result = make(prefixes);
    if (result != STATUS_OK)
        prefixes_fini(prefixes);
    return result;
}

void prefixes_fini(struct prefixes *prefixes) {
    struct vmem *account = prefixes->account;
    vmem_unmap(account, prefixes->levels, levels_bytes(prefixes));
    vmem_unmap(account, prefixes->next, next_bytes(prefixes));
    region_fini(&prefixes->nodes);
    region_fini(&prefixes->up);
    memset(prefixes, 0, sizeof *prefixes);
}
