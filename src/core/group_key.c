/* group_key: the order and equality of groups, by content, within one snapshot or across two (groupby.h). Any
 * thread. */
#include "group_key.h"
#include "namemap.h"

#include <string.h>

static int compare_names(struct string a, struct string b) {
    int order = memcmp(a.bytes, b.bytes, a.length < b.length ? a.length : b.length);
    return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

int place_order(struct place a, struct place b) {
    if (a.paths != b.paths || a.file != b.file) {
        int order = compare_names(strtab_get(&a.paths->strings, a.file),
                                  strtab_get(&b.paths->strings, b.file));
        if (order != 0)
            return order;
    }
    return (a.line > b.line) - (a.line < b.line);
}

static struct place place_of(const struct callpaths *paths, uint32_t node) {
    const struct site *site = site_get(paths, node_get(paths, node)->site);
    return (struct place){paths, site->file, site->line};
}

static uint32_t climb(const struct callpaths *paths, uint32_t node, uint32_t steps) {
    for (; steps > 0; steps--)
        node = node_get(paths, node)->parent;
    return node;
}

/* Ascending, frame by frame from the oldest, then by length. Both paths are walked from the youngest frames
 * that have the same distance to their oldest ones, so the last difference met is the one that counts. */
static int compare_tracebacks(const struct callpaths *a_paths, const struct group *a,
                              const struct callpaths *b_paths, const struct group *b) {
    uint32_t left = a->frames < b->frames ? a->frames : b->frames;
    uint32_t a_node = climb(a_paths, a->node, a->frames - left);
    uint32_t b_node = climb(b_paths, b->node, b->frames - left);
    int order = 0;
    for (; left > 0 && (a_paths != b_paths || a_node != b_node); left--) {
        int here = place_order(place_of(a_paths, a_node), place_of(b_paths, b_node));
        order = here != 0 ? here : order;
        a_node = node_get(a_paths, a_node)->parent;
        b_node = node_get(b_paths, b_node)->parent;
    }
    return order != 0 ? order : (a->frames > b->frames) - (a->frames < b->frames);
}

int group_key_order(const struct snapshot *a_snapshot, const struct group *a,
                    const struct snapshot *b_snapshot, const struct group *b, enum key key) {
    if (key == KEY_DOMAIN)
        return (a->domain < b->domain) - (a->domain > b->domain);
    if (key == KEY_TRACEBACK)
        return compare_tracebacks(b_snapshot->paths, b, a_snapshot->paths, a);
    if (a->frames != b->frames)
        return a->frames < b->frames ? 1 : -1;
    return place_order((struct place){b_snapshot->paths, b->file, b->line},
                       (struct place){a_snapshot->paths, a->file, a->line});
}

int group_order(const struct snapshot *a_snapshot, const struct group *a, const struct snapshot *b_snapshot,
                const struct group *b, enum key key) {
    if (a->size != b->size)
        return a->size < b->size ? 1 : -1;
    if (a->count != b->count)
        return a->count < b->count ? 1 : -1;
    return group_key_order(a_snapshot, a, b_snapshot, b, key);
}

static bool same_name(const struct callpaths *a_paths, uint32_t a, const struct callpaths *b_paths,
                      uint32_t b) {
    return a_paths == b_paths
               ? a == b
               : name_equal(strtab_get(&a_paths->strings, a), strtab_get(&b_paths->strings, b));
}

bool group_equal(const struct snapshot *a_snapshot, const struct group *a, const struct snapshot *b_snapshot,
                 const struct group *b, enum key key) {
    if (key != KEY_FUNCTION)
        return group_key_order(a_snapshot, a, b_snapshot, b, key) == 0;
    return a->frames == b->frames && same_name(a_snapshot->paths, a->file, b_snapshot->paths, b->file) &&
           same_name(a_snapshot->paths, a->function, b_snapshot->paths, b->function);
}

static uint64_t hash_name(uint64_t hash, const struct callpaths *paths, uint32_t id) {
    return name_hash(hash, strtab_get(&paths->strings, id));
}

uint64_t group_hash(const struct snapshot *snapshot, const struct group *group, enum key key) {
    const struct callpaths *paths = snapshot->paths;
    if (key == KEY_DOMAIN)
        return hash_mix(group->domain);
    uint64_t hash = group->frames;
    if (key == KEY_TRACEBACK) {
        uint32_t node = group->node;
        for (uint32_t left = group->frames; left > 0; left--, node = node_get(paths, node)->parent) {
            struct place place = place_of(paths, node);
            hash = hash_mix(hash_name(hash, paths, place.file) ^ place.line);
        }
        return hash;
    }
    hash = hash_name(hash, paths, group->file);
    if (key == KEY_FUNCTION)
        return hash_name(hash, paths, group->function);
    return hash_mix(hash ^ group->line);
}
