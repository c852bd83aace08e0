/* snapfile_write: snapshots to bytes (snapfile.h, snapfile_format.h). Any thread; the snapshots are only
 * read.
 *
 * Bytes go through one buffer to the sink; a section's checksum is known at its end and goes to the
 * directory, which comes last, so nothing is written twice and the sink never has to go back.
 */
#include "checksum.h"
#include "snapfile_format.h"
#include "utf8.h"

#include <string.h>

enum { BUFFER = SIZED(64 * 1024, 64), MOST_SECTIONS = 4 + 2 * VIEW_COUNT };

/* One section that is done, as the directory tells it. */
struct entry {
    uint16_t kind;
    uint32_t checksum;
    uint64_t offset, length, count;
};

struct writer {
    snapfile_sink sink;
    void *context;
    status failed; /* the first that was not OK; nothing goes to the sink afterwards */
    const struct callpaths *paths;
    struct idset nodes, sites, strings; /* those that are needed; never 0, which stays 0 */
    struct entry entries[MOST_SECTIONS];
    uint32_t entry_count;
    uint32_t checksum; /* of what went out since the section began */
    uint64_t offset;   /* in the file, of the buffer's first byte */
    size_t used;
    struct checksum_tables tables;
    unsigned char buffer[BUFFER];
};

static void flush(struct writer *writer) {
    if (writer->failed == STATUS_OK && writer->used > 0)
        writer->failed = writer->sink(writer->context, writer->buffer, writer->used);
    writer->checksum = checksum(&writer->tables, writer->checksum, writer->buffer, writer->used);
    writer->offset += writer->used;
    writer->used = 0;
}

static void put_bytes(struct writer *writer, const void *bytes, size_t length) {
    const unsigned char *from = bytes;
    while (length > 0) {
        if (writer->used == BUFFER)
            flush(writer);
        size_t room = BUFFER - writer->used, part = length < room ? length : room;
        memcpy(writer->buffer + writer->used, from, part);
        writer->used += part;
        from += part;
        length -= part;
    }
}

static void put_fixed(struct writer *writer, uint64_t number, size_t bytes) {
    unsigned char out[8];
    for (size_t i = 0; i < bytes; i++)
        out[i] = (unsigned char)(number >> 8 * i);
    put_bytes(writer, out, bytes);
}

static void put(struct writer *writer, uint64_t number) {
    if (unlikely(BUFFER - writer->used < VARINT_MOST))
        flush(writer);
    unsigned char *at = writer->buffer + writer->used;
    for (; number >= 0x80; number >>= 7)
        *at++ = (unsigned char)(number | 0x80);
    *at++ = (unsigned char)number;
    writer->used = (size_t)(at - writer->buffer);
}

static void put_difference(struct writer *writer, uint32_t number, uint32_t *last) {
    put(writer, zigzag((int64_t)number - (int64_t)*last));
    *last = number;
}

static void put_string(struct writer *writer, struct string string) {
    put(writer, string.length);
    put_bytes(writer, string.bytes, string.length);
}

static void begin(struct writer *writer) {
    flush(writer);
    writer->checksum = 0;
    writer->entries[writer->entry_count].offset = writer->offset;
}

static void end(struct writer *writer, unsigned kind, uint64_t count) {
    flush(writer);
    struct entry *entry = &writer->entries[writer->entry_count++];
    entry->kind = (uint16_t)kind;
    entry->checksum = writer->checksum;
    entry->length = writer->offset - entry->offset;
    entry->count = count;
}

/* An id as the file numbers it. */
static uint32_t renumbered(const struct idset *set, uint32_t id) {
    return id == 0 ? 0 : idset_index(set, id) + 1;
}

static void put_header(struct writer *writer) {
    put_bytes(writer, SNAPFILE_MAGIC, 8);
    put_fixed(writer, SNAPFILE_MAJOR, 2);
    put_fixed(writer, SNAPFILE_MINOR, 2);
    put_fixed(writer, SNAPFILE_FEATURES, 4);
    put_fixed(writer, 0, 4);
    flush(writer);
    put_fixed(writer, writer->checksum, 4);
}

static void put_metadata(struct writer *writer, const struct snapfile_pair *pairs, size_t count) {
    begin(writer);
    for (size_t i = 0; i < count; i++) {
        put_string(writer, pairs[i].key);
        put_string(writer, pairs[i].value);
    }
    end(writer, SECTION_METADATA, count);
}

static void put_strings(struct writer *writer) {
    const struct idset *strings = &writer->strings;
    begin(writer);
    for (uint32_t id = idset_next(strings, 0); id < strings->end; id = idset_next(strings, id + 1))
        put_string(writer, strtab_get(&writer->paths->strings, id));
    end(writer, SECTION_STRINGS, strings->count);
}

static void put_sites(struct writer *writer) {
    const struct idset *sites = &writer->sites;
    uint32_t file = 0, function = 0, line = 0;
    begin(writer);
    for (uint32_t id = idset_next(sites, 0); id < sites->end; id = idset_next(sites, id + 1)) {
        const struct site *site = site_get(writer->paths, id);
        put_difference(writer, renumbered(&writer->strings, site->file), &file);
        put_difference(writer, renumbered(&writer->strings, site->function), &function);
        put_difference(writer, site->line, &line);
    }
    end(writer, SECTION_SITES, sites->count);
}

static void put_nodes(struct writer *writer) {
    const struct idset *nodes = &writer->nodes;
    uint32_t number = 0, site = 0;
    begin(writer);
    for (uint32_t id = idset_next(nodes, 0); id < nodes->end; id = idset_next(nodes, id + 1)) {
        const struct node *node = node_get(writer->paths, id);
        number++;
        put(writer, node->parent == 0 ? 0 : number - renumbered(nodes, node->parent));
        put_difference(writer, renumbered(&writer->sites, node->site), &site);
        if (node->parent == 0)
            put(writer, node->depth);
    }
    end(writer, SECTION_NODES, nodes->count);
}

static void put_rows(struct writer *writer, const struct snapshot *snapshot) {
    uint32_t last_node = 0, domain = 0;
    begin(writer);
    put(writer, snapshot->limit);
    for (struct rows rows = snapshot_rows(snapshot); rows_next(&rows);) {
        const struct row *row = rows.row;
        uint32_t node = renumbered(&writer->nodes, row->node);
        uint64_t follows = (row->count != 1 ? ROW_COUNT : 0) | (row->domain != domain ? ROW_DOMAIN : 0) |
                           (row->depth != node_get(writer->paths, row->node)->depth ? ROW_DEPTH : 0);
        put(writer, zigzag((int64_t)node - (int64_t)last_node) << ROW_BITS | follows);
        put(writer, row->size);
        if (follows & ROW_COUNT)
            put(writer, row->count);
        if (follows & ROW_DOMAIN)
            put(writer, row->domain);
        if (follows & ROW_DEPTH)
            put(writer, row->depth);
        last_node = node;
        domain = row->domain;
        if (unlikely(writer->failed != STATUS_OK)) /* a full disk: do not go on for millions of rows */
            break;
    }
    end(writer, SECTION_ROWS + (unsigned)snapshot->view, snapshot->row_count);
}

/* Runs of rows of one process. */
static void put_processes(struct writer *writer, const struct snapshot *snapshot) {
    struct rows rows = snapshot_rows(snapshot);
    uint64_t runs = 0;
    begin(writer);
    for (bool more = rows_next(&rows); more; runs++) {
        uint32_t process = rows.row->process;
        uint64_t length = 0;
        for (; more && rows.row->process == process; more = rows_next(&rows))
            length++;
        put(writer, length);
        put(writer, renumbered(&writer->strings, process));
    }
    end(writer, SECTION_PROCESSES + (unsigned)snapshot->view, runs);
}

static bool has_processes(const struct snapshot *snapshot) {
    for (struct rows rows = snapshot_rows(snapshot); rows_next(&rows);) {
        if (rows.row->process != 0)
            return true;
    }
    return false;
}

/* Sections that a reader may skip. */
static bool may_be_skipped(unsigned kind) { return kind == SECTION_METADATA || kind >= SECTION_PROCESSES; }

static void put_directory(struct writer *writer) {
    flush(writer);
    writer->checksum = 0;
    uint64_t offset = writer->offset;
    for (uint32_t i = 0; i < writer->entry_count; i++) {
        const struct entry *entry = &writer->entries[i];
        put_fixed(writer, entry->kind, 2);
        put_fixed(writer, may_be_skipped(entry->kind) ? 0 : SECTION_REQUIRED, 2);
        put_fixed(writer, entry->checksum, 4);
        put_fixed(writer, entry->offset, 8);
        put_fixed(writer, entry->length, 8);
        put_fixed(writer, entry->count, 8);
    }
    put_fixed(writer, offset, 8);
    put_fixed(writer, writer->entry_count, 4);
    flush(writer);
    put_fixed(writer, writer->checksum, 4);
    put_bytes(writer, SNAPFILE_END, 8);
    flush(writer);
}

/* The nodes on the way up from a row's, as far as they are new. */
static void need_path(struct writer *writer, uint32_t node) {
    while (node != 0 && !idset_has(&writer->nodes, node)) {
        idset_add(&writer->nodes, node);
        node = node_get(writer->paths, node)->parent;
    }
}

static void need_name(struct writer *writer, uint32_t id) {
    if (id != 0)
        idset_add(&writer->strings, id);
}

/* Which nodes, sites and names the rows need, and their numbers. */
static status number_paths(struct writer *writer, struct snapshot *const *snapshots, size_t count) {
    struct vmem *account = snapshots[0]->account;
    struct path_ends ends = callpaths_ends(snapshots[0]->paths);
    status result;
    if ((result = idset_init(&writer->nodes, account, ends.nodes)) != STATUS_OK ||
        (result = idset_init(&writer->sites, account, ends.sites)) != STATUS_OK ||
        (result = idset_init(&writer->strings, account, ends.strings)) != STATUS_OK)
        return result;
    for (size_t i = 0; i < count; i++) {
        for (struct rows rows = snapshot_rows(snapshots[i]); rows_next(&rows);) {
            need_path(writer, rows.row->node);
            need_name(writer, rows.row->process);
        }
    }
    const struct idset *nodes = &writer->nodes, *sites = &writer->sites;
    for (uint32_t id = idset_next(nodes, 0); id < nodes->end; id = idset_next(nodes, id + 1)) {
        uint32_t site = node_get(writer->paths, id)->site;
        if (site != 0)
            idset_add(&writer->sites, site);
    }
    for (uint32_t id = idset_next(sites, 0); id < sites->end; id = idset_next(sites, id + 1)) {
        need_name(writer, site_get(writer->paths, id)->file);
        need_name(writer, site_get(writer->paths, id)->function);
    }
    if ((result = idset_count(&writer->nodes)) != STATUS_OK ||
        (result = idset_count(&writer->sites)) != STATUS_OK)
        return result;
    return idset_count(&writer->strings);
}

/* Between one snapshot and one a view, all on the same call paths. */
static bool belong_together(struct snapshot *const *snapshots, size_t count) {
    bool seen[VIEW_COUNT] = {false};
    for (size_t i = 0; i < count; i++) {
        if (i == VIEW_COUNT || seen[snapshots[i]->view] || snapshots[i]->paths != snapshots[0]->paths)
            return false;
        seen[snapshots[i]->view] = true;
    }
    return count > 0;
}

static bool can_be_read_back(const struct snapfile_pair *pairs, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct string key = pairs[i].key, value = pairs[i].value;
        if (key.length == 0 || !utf8_valid(key.bytes, key.length) || !utf8_valid(value.bytes, value.length))
            return false;
    }
    return true;
}

static status write_all(struct writer *writer, struct snapshot *const *snapshots, size_t snapshot_count,
                        const struct snapfile_pair *pairs, size_t pair_count) {
    writer->paths = snapshots[0]->paths;
    status result = number_paths(writer, snapshots, snapshot_count);
    if (result != STATUS_OK)
        return result;
    checksum_tables_init(&writer->tables);
    put_header(writer);
    put_metadata(writer, pairs, pair_count);
    put_strings(writer);
    put_sites(writer);
    put_nodes(writer);
    for (size_t i = 0; i < snapshot_count; i++)
        put_rows(writer, snapshots[i]);
    for (size_t i = 0; i < snapshot_count; i++) {
        if (has_processes(snapshots[i]))
            put_processes(writer, snapshots[i]);
    }
    put_directory(writer);
    return writer->failed;
}

status snapfile_write(struct snapshot *const *snapshots, size_t snapshot_count,
                      const struct snapfile_pair *pairs, size_t pair_count, snapfile_sink sink,
                      void *context) {
    if (!belong_together(snapshots, snapshot_count) || !can_be_read_back(pairs, pair_count))
        return STATUS_INVALID;
    struct vmem *account = snapshots[0]->account;
    struct writer *writer = vmem_map(account, sizeof *writer);
    if (writer == NULL)
        return STATUS_NOMEM;
    writer->sink = sink;
    writer->context = context;
    status result = write_all(writer, snapshots, snapshot_count, pairs, pair_count);
    idset_fini(&writer->nodes);
    idset_fini(&writer->sites);
    idset_fini(&writer->strings);
    vmem_unmap(account, writer, sizeof *writer);
    return result;
}
