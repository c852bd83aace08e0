/* export: see export.h; and the parts that several formats are made with (export_parts.h). */
#include "export_parts.h"

#include <stdio.h>
#include <string.h>

static status (*const exports[EXPORT_COUNT])(struct snapshot *, struct text *) = {
    [EXPORT_JSON] = export_json,           [EXPORT_CSV] = export_csv,
    [EXPORT_COLLAPSED] = export_collapsed, [EXPORT_SPEEDSCOPE] = export_speedscope,
    [EXPORT_PPROF] = export_pprof,         [EXPORT_TRACEMALLOC] = export_tracemalloc,
};

status export_snapshot(struct snapshot *snapshot, enum export_format format, snapfile_sink sink,
                       void *context) {
    struct text text;
    text_init(&text, sink, context);
    status result = exports[format](snapshot, &text), sent = text_end(&text);
    return sent != STATUS_OK ? sent : result;
}

/* --- sites --- */

/* The nodes of the rows and all that these begin with. */
static status nodes_in_use(const struct snapshot *snapshot, uint32_t end, struct idset *nodes) {
    status result = idset_init(nodes, snapshot->account, end);
    if (result != STATUS_OK)
        return result;
    for (struct rows rows = snapshot_rows(snapshot); rows_next(&rows);)
        idset_add(nodes, rows.row->node);
    for (uint32_t node = end - 1; node > 0; node--) { /* callers have smaller ids */
        if (idset_has(nodes, node))
            idset_add(nodes, node_get(snapshot->paths, node)->parent);
    }
    return STATUS_OK;
}

status sites_in_use(const struct snapshot *snapshot, struct idset *sites) {
    struct path_ends ends = callpaths_ends(snapshot->paths);
    struct idset nodes = {0};
    *sites = (struct idset){0};
    status result = nodes_in_use(snapshot, ends.nodes, &nodes);
    if (result == STATUS_OK)
        result = idset_init(sites, snapshot->account, ends.sites);
    for (uint32_t node = 1; result == STATUS_OK && node < ends.nodes; node++) {
        if (idset_has(&nodes, node))
            idset_add(sites, node_get(snapshot->paths, node)->site);
    }
    if (result == STATUS_OK)
        result = idset_count(sites);
    idset_fini(&nodes);
    if (result != STATUS_OK)
        idset_fini(sites);
    return result;
}

static void put_member(struct text *text, const char *key) {
    text_byte(text, '"');
    text_put(text, key, strlen(key));
    text_say(text, "\":");
}

void put_frames_json(struct text *text, const struct callpaths *paths, const struct idset *sites,
                     const struct frame_keys *keys) {
    const char *comma = "\n";
    for (uint32_t id = idset_next(sites, 0); id < sites->end; id = idset_next(sites, id + 1)) {
        const struct site *site = site_get(paths, id);
        text_put(text, comma, strlen(comma));
        text_byte(text, '{');
        put_member(text, keys->function);
        if (site->function != 0 || !keys->null_function)
            text_json(text, strtab_get(&paths->strings, site->function != 0 ? site->function : site->file));
        else
            text_say(text, "null");
        text_byte(text, ',');
        put_member(text, keys->file);
        text_json(text, strtab_get(&paths->strings, site->file));
        text_byte(text, ',');
        put_member(text, keys->line);
        text_number(text, site->line);
        text_byte(text, '}');
        comma = ",\n";
    }
}

static bool is_named(struct string name, const char *text) {
    return name.length == strlen(text) && memcmp(name.bytes, text, name.length) == 0;
}

enum { LABEL_REST = 32 }; /* " (", ":", ten digits, ")", or a text for what is no place in the program */

size_t site_label_most(const struct callpaths *paths, uint32_t site) {
    const struct site *place = site_get(paths, site);
    return strtab_get(&paths->strings, place->file).length +
           strtab_get(&paths->strings, place->function).length + LABEL_REST;
}

size_t site_label(char *to, const struct callpaths *paths, uint32_t site) {
    const struct site *place = site_get(paths, site);
    struct string file = strtab_get(&paths->strings, place->file);
    char *start = to;
    if (is_named(file, PATH_UNKNOWN))
        return (size_t)snprintf(to, LABEL_REST, "(no Python frame)");
    if (is_named(file, PATH_FORGOTTEN))
        return (size_t)snprintf(to, LABEL_REST, "(forgotten call paths)");
    if (place->function != 0) {
        to += name_clean(to, strtab_get(&paths->strings, place->function), ";", ",");
        *to++ = ' ';
        *to++ = '(';
    }
    to += name_clean(to, file, ";", ",");
    to += snprintf(to, LABEL_REST - 3, place->function != 0 ? ":%u)" : ":%u", place->line);
    return (size_t)(to - start);
}

/* --- the tree --- */

status walk_branches(const struct walk *walk) {
    const struct branches *branches = walk->branches;
    struct vmem *account = branches->snapshot->account;
    size_t bytes = branches->count * sizeof(uint32_t);
    uint32_t *done = vmem_map(account, bytes), id = 0; /* children of each item that were entered */
    status result = done == NULL ? STATUS_NOMEM : STATUS_OK;
    while (result == STATUS_OK) {
        const struct branch *item = &branches->items[id];
        if (done[id] < item->child_count) {
            id = branches->children[item->first_child + done[id]++];
            result = walk->enter(walk->context, &branches->items[id]);
        } else if (id == 0) {
            break;
        } else {
            walk->leave(walk->context, item);
            id = item->parent;
        }
    }
    vmem_unmap(account, done, bytes);
    return result;
}

status pile_put(struct region *pile, size_t *count, uint64_t number) {
    status result = region_grow(pile, (*count + 1) * sizeof number);
    if (result == STATUS_OK)
        ((uint64_t *)pile->base)[(*count)++] = number;
    return result;
}
