/* export_tracemalloc: the pickle of a tracemalloc.Snapshot (export.h).
 *
 *   PROTO 4  tracemalloc.Snapshot () NEWOBJ MEMOIZE
 *   { "traces": tracemalloc._Traces () NEWOBJ { "_traces": [ (domain, size, ((file, line), ...), total) ... ] } BUILD
 *     "traceback_limit": 25 }  BUILD STOP
 *
 * Names, frames and tracebacks are written once each, and then taken from the memo, whose entries are numbered as they
 * are made. `count` equal blocks are `count` times the same tuple. Only what memtally reads itself, too (unpickle.c).
 */
#include "export_parts.h"

#include <string.h>

enum { MOST_BLOCKS = INT32_MAX }; /* of one file: a list that other programs have to hold as objects */

struct pickle {
    struct text *text;
    const struct snapshot *snapshot;
    const struct callpaths *paths;
    uint32_t memo; /* entries so far */
    /* By id: the entry + 1; 0: there is none. */
    uint32_t *strings, *sites, *nodes;
    size_t string_bytes, site_bytes, node_bytes;
};

static void put_fixed(struct text *text, uint64_t number, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        text_byte(text, (char)(number >> 8 * i));
}

static void put_int(struct text *text, uint64_t number) {
    if (number <= UINT8_MAX) {
        text_byte(text, 'K'); /* BININT1 */
        put_fixed(text, number, 1);
    } else if (number <= INT32_MAX) {
        text_byte(text, 'J'); /* BININT */
        put_fixed(text, number, 4);
    } else {
        text_say(text, "\x8a\x09"); /* LONG1: signed, so a ninth byte says that it is not negative */
        put_fixed(text, number, 8);
        text_byte(text, 0);
    }
}

/* Writes the memo's entry, or notes that what comes now will be one: then true, and `remember` must follow it. */
static bool is_new(struct pickle *self, const uint32_t *entry) {
    if (*entry == 0)
        return true;
    text_byte(self->text, 'j'); /* LONG_BINGET */
    put_fixed(self->text, *entry - 1, 4);
    return false;
}

static void remember(struct pickle *self, uint32_t *entry) {
    text_byte(self->text, '\x94'); /* MEMOIZE */
    *entry = ++self->memo;
}

static void put_name(struct pickle *self, uint32_t id) {
    struct string name = strtab_get(&self->paths->strings, id);
    if (!is_new(self, &self->strings[id]))
        return;
    text_byte(self->text, 'X'); /* BINUNICODE: UTF-8 with surrogates, as ours is */
    put_fixed(self->text, name.length, 4);
    text_put(self->text, name.bytes, name.length);
    remember(self, &self->strings[id]);
}

static void put_frame(struct pickle *self, uint32_t id) {
    const struct site *site = site_get(self->paths, id);
    if (!is_new(self, &self->sites[id]))
        return;
    put_name(self, site->file);
    put_int(self->text, site->line);
    text_byte(self->text, '\x86'); /* TUPLE2 */
    remember(self, &self->sites[id]);
}

static void put_traceback(struct pickle *self, uint32_t id) {
    if (!is_new(self, &self->nodes[id]))
        return;
    text_byte(self->text, '('); /* MARK */
    uint32_t node = id;
    for (uint32_t i = 0; node != 0 && i < self->snapshot->limit; i++) {
        put_frame(self, node_get(self->paths, node)->site);
        node = node_get(self->paths, node)->parent;
    }
    text_byte(self->text, 't'); /* TUPLE */
    remember(self, &self->nodes[id]);
}

static void put_trace(struct pickle *self, const struct row *row) {
    bool live = self->snapshot->view == VIEW_LIVE;
    text_byte(self->text, '(');
    put_int(self->text, row->domain);
    put_int(self->text, row->size);
    put_traceback(self, row->node);
    if (row->depth == 0)
        text_byte(self->text, 'N'); /* NONE */
    else
        put_int(self->text, row->depth);
    text_byte(self->text, 't');
    if (!live || row->count < 2)
        return;
    uint32_t entry = 0;
    remember(self, &entry);
    for (uint64_t i = 1; i < row->count; i++)
        (void)is_new(self, &entry);
}

static void put_object(struct text *text, const char *class) {
    text_say(text, "\x8c\x0btracemalloc\x8c"); /* SHORT_BINUNICODE */
    text_byte(text, (char)strlen(class));
    text_put(text, class, strlen(class));
    text_say(text, "\x93)\x81"); /* STACK_GLOBAL, EMPTY_TUPLE, NEWOBJ */
}

static status put_snapshot(struct pickle *self) {
    enum { BATCH = 1000 };
    struct text *text = self->text;
    text_say(text, "\x80\x04");
    put_object(text, "Snapshot");
    text_say(text, "}(\x8c\x06traces");
    put_object(text, "_Traces");
    text_say(text, "}\x8c\x07_traces](");
    size_t done = 0;
    for (struct rows rows = snapshot_rows(self->snapshot); text->failed == STATUS_OK && rows_next(&rows);
         done++) {
        if (done > 0 && done % BATCH == 0)
            text_say(text, "e("); /* APPENDS, MARK: the stack stays small */
        put_trace(self, rows.row);
    }
    text_say(text, "esb\x8c\x0ftraceback_limit"); /* APPENDS, SETITEM, BUILD */
    put_int(text, self->snapshot->limit);
    text_say(text, "ub."); /* SETITEMS, BUILD, STOP */
    return text->failed;
}

status export_tracemalloc(struct snapshot *snapshot, struct text *text) {
    struct path_ends ends = callpaths_ends(snapshot->paths);
    struct vmem *account = snapshot->account;
    struct pickle self = {.text = text, .snapshot = snapshot, .paths = snapshot->paths};
    if (snapshot->entries > MOST_BLOCKS)
        return STATUS_FULL;
    self.string_bytes = ends.strings * sizeof *self.strings;
    self.site_bytes = ends.sites * sizeof *self.sites;
    self.node_bytes = ends.nodes * sizeof *self.nodes;
    self.strings = vmem_map(account, self.string_bytes);
    self.sites = vmem_map(account, self.site_bytes);
    self.nodes = vmem_map(account, self.node_bytes);
    status result = STATUS_NOMEM;
    if (self.strings != NULL && self.sites != NULL && self.nodes != NULL)
        result = put_snapshot(&self);
    vmem_unmap(account, self.strings, self.string_bytes);
    vmem_unmap(account, self.sites, self.site_bytes);
    vmem_unmap(account, self.nodes, self.node_bytes);
    return result;
}
