/* model: random snapshots for the tests, and the plain way to do what the core does cleverly: every trace
 * with all its frames written out, lists searched from front to back. Names are compared as bytes, so that
 * two snapshots with call paths of their own can be compared.
 */
#ifndef MEMTALLY_TEST_MODEL_H
#define MEMTALLY_TEST_MODEL_H

#include "support.h"

#include "groupby.h"

enum { MODEL_FRAMES = 24 };

/* Prefixes of each other, an empty one, beyond ASCII, a lone surrogate, and one above it in code points. */
static const char *const model_files[] = {"a.py",         "a.pyc",        "a", "", "b/\xc3\xa9.py",
                                          "\xed\xb2\x80", "\xee\x80\x80", "zz"};
static const char *const model_functions[] = {"", "main", "C.load", "<lambda>"};
enum { MODEL_FILES = sizeof model_files / sizeof *model_files };
enum { MODEL_FUNCTIONS = sizeof model_functions / sizeof *model_functions };

struct model_frame {
    const char *file, *function;
    uint32_t line;
};

/* The kept frames of a row, most recent first. */
struct model_path {
    size_t count;
    struct model_frame frames[MODEL_FRAMES];
};

/* What a row is counted under: a traceback (most recent first), and for its kind of key a function or a
 * domain. */
struct model_stat {
    struct model_path key;
    const char *function;
    uint32_t domain;
    uint64_t size, count;
    uint64_t old_size, old_count; /* comparisons only */
};

struct model_stats {
    struct model_stat *items;
    size_t count;
};

static inline const char *model_name(const char *const *names, size_t count, struct string name) {
    for (size_t i = 0; i < count; i++) {
        if (strlen(names[i]) == name.length && memcmp(names[i], name.bytes, name.length) == 0)
            return names[i];
    }
    fail_msg("a name that no test gave");
    return NULL;
}

static inline struct model_frame model_frame_of(const struct callpaths *paths, uint32_t node) {
    const struct site *site = site_get(paths, node_get(paths, node)->site);
    return (struct model_frame){
        model_name(model_files, MODEL_FILES, strtab_get(&paths->strings, site->file)),
        model_name(model_functions, MODEL_FUNCTIONS, strtab_get(&paths->strings, site->function)),
        site->line};
}

static inline struct model_path model_path_of(const struct snapshot *snapshot, uint32_t node) {
    struct model_path path = {0};
    for (; node != 0 && path.count < snapshot->limit; node = node_get(snapshot->paths, node)->parent) {
        assert_in_range(path.count, 0, MODEL_FRAMES - 1);
        path.frames[path.count++] = model_frame_of(snapshot->paths, node);
    }
    return path;
}

static inline uint32_t model_intern(struct callpaths *paths, const char *name) {
    uint32_t id;
    assert_int_equal(strtab_intern(&paths->strings, name, strlen(name), &id), STATUS_OK);
    return id;
}

/* A new node below `parent`, or an old one. */
static inline uint32_t model_node(struct callpaths *paths, uint32_t parent, const char *file,
                                  const char *function, uint32_t line, uint32_t depth) {
    uint32_t site, node;
    lock_acquire(&paths->lock);
    struct site content = {model_intern(paths, file), model_intern(paths, function), line};
    assert_int_equal(site_intern_locked(paths, &content, &site), STATUS_OK);
    if (parent != 0)
        depth = node_get(paths, parent)->depth + 1;
    assert_int_equal(node_intern_locked(paths, parent, site, depth, &node), STATUS_OK);
    lock_release(&paths->lock);
    return node;
}

/* Call paths with about `count` nodes, at most `deepest` frames deep, recursive ones among them. */
static inline struct callpaths *model_paths(struct vmem *account, uint64_t *random, size_t count,
                                            uint32_t deepest) {
    struct callpaths *paths = callpaths_new(account);
    assert_non_null(paths);
    for (size_t i = 0; i < count; i++) {
        uint32_t parent = support_below(random, paths->node_count);
        if (path_frames(paths, parent, deepest) >= deepest)
            parent = 0;
        uint32_t file = support_below(random, MODEL_FILES), function = support_below(random, MODEL_FUNCTIONS);
        uint32_t depth = support_below(random, 4) == 0 ? 1 + support_below(random, 9) : 1;
        model_node(paths, parent, model_files[file], model_functions[function], support_below(random, 4),
                   depth);
    }
    return paths;
}

static inline struct snapshot *model_snapshot(struct vmem *account, uint64_t *random, struct callpaths *paths,
                                              size_t rows, uint32_t limit, enum view view) {
    struct snapshot *snapshot = snapshot_new(account, paths, limit, view);
    assert_non_null(snapshot);
    for (size_t i = 0; i < rows; i++) {
        struct row row = {.domain = support_below(random, 3),
                          .node = support_below(random, paths->node_count),
                          .size = support_below(random, 5) * 8,
                          .count = 1 + support_below(random, 3)};
        row.depth = support_below(random, 3) == 0 ? 0 : node_get(paths, row.node)->depth;
        if (support_below(random, 64) == 0)
            row.depth = UINT32_MAX;
        assert_int_equal(snapshot_add(snapshot, &row), STATUS_OK);
    }
    assert_true(snapshot_check(snapshot));
    return snapshot;
}

static inline bool model_same_frame(const struct model_frame *a, const struct model_frame *b) {
    return strcmp(a->file, b->file) == 0 && a->line == b->line;
}

static inline bool model_same_key(const struct model_stat *a, const struct model_stat *b, enum key key) {
    if (a->key.count != b->key.count || a->domain != b->domain)
        return false;
    if (key == KEY_FUNCTION && a->key.count > 0)
        return strcmp(a->key.frames[0].file, b->key.frames[0].file) == 0 &&
               strcmp(a->function, b->function) == 0;
    for (size_t i = 0; i < a->key.count; i++) {
        if (!model_same_frame(&a->key.frames[i], &b->key.frames[i]))
            return false;
    }
    return true;
}

/* As Python compares two tuples of (file, line), oldest frame first. */
static inline int model_compare(const struct model_path *a, const struct model_path *b) {
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        const struct model_frame *left = &a->frames[a->count - 1 - i], *right = &b->frames[b->count - 1 - i];
        int order = strcmp(left->file, right->file);
        if (order != 0)
            return order;
        if (left->line != right->line)
            return left->line < right->line ? -1 : 1;
    }
    return (a->count > b->count) - (a->count < b->count);
}

static inline void model_count(struct model_stats *stats, const struct model_stat *stat, enum key key) {
    for (size_t i = 0; i < stats->count; i++) {
        if (model_same_key(&stats->items[i], stat, key)) {
            stats->items[i].size += stat->size;
            stats->items[i].count += stat->count;
            return;
        }
    }
    stats->items = realloc(stats->items, (stats->count + 1) * sizeof *stats->items);
    assert_non_null(stats->items);
    stats->items[stats->count++] = *stat;
}

static inline struct model_stat model_key(const struct model_frame *frame, enum key key) {
    struct model_stat stat = {.key.count = 1, .key.frames[0] = *frame, .function = ""};
    if (key == KEY_FILENAME)
        stat.key.frames[0].line = 0;
    if (key == KEY_FUNCTION)
        stat.function = frame->function;
    return stat;
}

/* Statistics in order of first appearance. The caller frees `items`. */
static inline struct model_stats model_group(const struct snapshot *snapshot, enum key key, bool cumulative) {
    struct model_stats stats = {0};
    for (size_t i = 0; i < snapshot->row_count; i++) {
        const struct row *row = snapshot_row(snapshot, i);
        struct model_path path = model_path_of(snapshot, row->node);
        size_t times = cumulative ? path.count : 1;
        for (size_t frame = 0; frame < times; frame++) {
            struct model_stat stat = {.function = ""};
            if (key == KEY_DOMAIN)
                stat.domain = row->domain;
            else if (key == KEY_TRACEBACK)
                stat.key = path;
            else if (path.count > 0)
                stat = model_key(&path.frames[frame], key);
            stat.count = row->count;
            stat.size = snapshot->view == VIEW_LIVE ? row->size * row->count : row->size;
            model_count(&stats, &stat, key);
        }
    }
    return stats;
}

/* Stable. `order`: negative where the first comes first. */
static inline void model_sort(struct model_stats *stats,
                              int (*order)(const struct model_stat *, const struct model_stat *)) {
    for (size_t i = 1; i < stats->count; i++) {
        struct model_stat stat = stats->items[i];
        size_t at = i;
        for (; at > 0 && order(&stats->items[at - 1], &stat) > 0; at--)
            stats->items[at] = stats->items[at - 1];
        stats->items[at] = stat;
    }
}

#define MODEL_DESCENDING(a, b)                                                                               \
    do {                                                                                                     \
        if ((a) != (b))                                                                                      \
            return (a) < (b) ? 1 : -1;                                                                       \
    } while (0)

static inline int model_order(const struct model_stat *a, const struct model_stat *b) {
    MODEL_DESCENDING(a->size, b->size);
    MODEL_DESCENDING(a->count, b->count);
    MODEL_DESCENDING(a->domain, b->domain);
    return model_compare(&b->key, &a->key);
}

/* In every field; what may lie behind the last one is nobody's. */
static inline void model_assert_same_group(const struct group *a, const struct group *b) {
    assert_memory_equal(a, b, offsetof(struct group, frames) + sizeof a->frames);
}

/* A group's key, written out. */
static inline struct model_stat model_of_group(const struct snapshot *snapshot, const struct group *group,
                                               enum key key) {
    struct model_stat stat = {.function = "",
                              .domain = key == KEY_DOMAIN ? group->domain : 0,
                              .size = group->size,
                              .count = group->count};
    if (key == KEY_TRACEBACK) {
        stat.key = model_path_of(snapshot, group->node);
    } else if (group->frames == 1) {
        const struct strtab *strings = &snapshot->paths->strings;
        struct model_frame frame = {
            model_name(model_files, MODEL_FILES, strtab_get(strings, group->file)),
            model_name(model_functions, MODEL_FUNCTIONS, strtab_get(strings, group->function)), group->line};
        stat = model_key(&frame, key);
        stat.size = group->size;
        stat.count = group->count;
    }
    assert_int_equal(group->frames, stat.key.count);
    return stat;
}

#endif
