/* export_rows: every row with its traceback, as JSON and as CSV (export.h). */
#include "export_parts.h"

#include <string.h>

/* --- JSON --- */

/* The kept frames of a node as numbers, the most recent one last; `numbers` has room for them. */
static void put_frame_numbers(struct text *text, const struct snapshot *snapshot, const struct idset *sites,
                              uint32_t node, struct region *numbers) {
    uint64_t *frames = (uint64_t *)numbers->base;
    uint32_t count = 0;
    for (; node != 0 && count < snapshot->limit; node = node_get(snapshot->paths, node)->parent)
        frames[count++] = idset_index(sites, node_get(snapshot->paths, node)->site);
    while (count-- > 0) {
        text_number(text, frames[count]);
        if (count > 0)
            text_byte(text, ',');
    }
}

static void put_process(struct text *text, const struct snapshot *snapshot, const struct row *row) {
    if (row->process == 0)
        return;
    text_say(text, ",\"process\":");
    text_json(text, strtab_get(&snapshot->paths->strings, row->process));
}

static void put_row_json(struct text *text, const struct snapshot *snapshot, const struct row *row) {
    text_say(text, "{\"size\":");
    text_number(text, row_bytes(snapshot, row));
    text_say(text, ",\"count\":");
    text_number(text, row->count);
    text_say(text, ",\"domain\":");
    text_number(text, row->domain);
    text_say(text, ",\"total_nframe\":");
    if (row->depth == 0)
        text_say(text, "null");
    else
        text_number(text, row->depth);
    put_process(text, snapshot, row);
    text_say(text, ",\"frames\":[");
}

/* Bytes for the numbers of the longest traceback. */
static size_t longest_traceback(const struct snapshot *snapshot) {
    uint32_t longest = 0;
    for (struct rows rows = snapshot_rows(snapshot); longest < snapshot->limit && rows_next(&rows);) {
        uint32_t frames = path_frames(snapshot->paths, rows.row->node, snapshot->limit);
        longest = frames > longest ? frames : longest;
    }
    return ((size_t)longest + 1) * sizeof(uint64_t);
}

static status put_rows_json(struct text *text, const struct snapshot *snapshot, const struct idset *sites) {
    struct region numbers;
    size_t bytes = longest_traceback(snapshot);
    status result = region_init(&numbers, snapshot->account, bytes);
    if (result == STATUS_OK)
        result = region_grow(&numbers, bytes);
    const char *before = "\n"; /* a comma from the second row on */
    for (struct rows rows = snapshot_rows(snapshot); result == STATUS_OK && rows_next(&rows);) {
        const struct row *row = rows.row;
        text_put(text, before, strlen(before));
        before = ",\n";
        put_row_json(text, snapshot, row);
        put_frame_numbers(text, snapshot, sites, row->node, &numbers);
        text_say(text, "]}");
        result = text->failed;
    }
    region_fini(&numbers);
    return result;
}

status export_json(struct snapshot *snapshot, struct text *text) {
    static const struct frame_keys keys = {"function", "filename", "lineno", true};
    struct idset sites;
    status result = sites_in_use(snapshot, &sites);
    if (result != STATUS_OK)
        return result;
    text_say(text, "\"frames\":[");
    put_frames_json(text, snapshot->paths, &sites, &keys);
    text_say(text, "],\n\"traces\":[");
    result = put_rows_json(text, snapshot, &sites);
    text_say(text, "]");
    idset_fini(&sites);
    return result;
}

/* --- CSV --- */

enum { MOST_LABELS = 64 << 20, LONGEST_LABEL = 1 << 30 };

/* Sites as text, most of them made once only. */
struct labels {
    const struct callpaths *paths; /* borrowed */
    struct region known;           /* what was made already, one after the other */
    struct region scratch;         /* for what is made now */
    struct span {
        uint32_t start, length; /* length 0: not known */
    } * spans;                  /* by site */
    size_t span_bytes, used;
};

static void labels_fini(struct labels *labels, struct vmem *account) {
    vmem_unmap(account, labels->spans, labels->span_bytes);
    region_fini(&labels->known);
    region_fini(&labels->scratch);
}

static status labels_init(struct labels *labels, const struct snapshot *snapshot) {
    struct vmem *account = snapshot->account;
    *labels = (struct labels){.paths = snapshot->paths};
    labels->span_bytes = callpaths_ends(snapshot->paths).sites * sizeof *labels->spans;
    labels->spans = vmem_map(account, labels->span_bytes);
    status result = labels->spans == NULL ? STATUS_NOMEM : region_init(&labels->known, account, MOST_LABELS);
    if (result == STATUS_OK)
        result = region_init(&labels->scratch, account, LONGEST_LABEL);
    if (result != STATUS_OK)
        labels_fini(labels, account);
    return result;
}

/* Keeps a label, while there is room. */
static status remember(struct labels *labels, struct span *span, const char *label, size_t length) {
    if (labels->used + length > MOST_LABELS)
        return STATUS_OK; /* it is made again next time */
    status result = region_grow(&labels->known, labels->used + length);
    if (result != STATUS_OK)
        return result;
    memcpy(labels->known.base + labels->used, label, length);
    *span = (struct span){(uint32_t)labels->used, (uint32_t)length};
    labels->used += length;
    return STATUS_OK;
}

/* Within a quoted field: quotes are doubled. */
static void put_field(struct text *text, const char *bytes, size_t length) {
    for (const char *quote; (quote = memchr(bytes, '"', length)) != NULL;) {
        size_t before = (size_t)(quote - bytes) + 1;
        text_put(text, bytes, before);
        text_byte(text, '"');
        bytes += before;
        length -= before;
    }
    text_put(text, bytes, length);
}

/* The same, for what will be put again and again. */
static size_t double_quotes(char *to, const char *from, size_t length) {
    char *start = to;
    for (const char *end = from + length; from < end; from++) {
        *to++ = *from;
        if (*from == '"')
            *to++ = '"';
    }
    return (size_t)(to - start);
}

static status put_label(struct labels *labels, struct text *text, uint32_t site) {
    struct span *span = &labels->spans[site];
    if (span->length > 0) {
        text_put(text, labels->known.base + span->start, span->length);
        return STATUS_OK;
    }
    size_t most = site_label_most(labels->paths, site);
    status result = region_grow(&labels->scratch, 3 * most);
    if (result != STATUS_OK)
        return result;
    char *label = labels->scratch.base, *field = label + most;
    size_t length = double_quotes(field, label, site_label(label, labels->paths, site));
    text_put(text, field, length);
    return remember(labels, span, field, length);
}

static status put_name(struct labels *labels, struct text *text, uint32_t string) {
    struct string name = strtab_get(&labels->paths->strings, string);
    status result = region_grow(&labels->scratch, name.length + 1);
    if (result != STATUS_OK)
        return result;
    text_byte(text, '"');
    put_field(text, labels->scratch.base, name_clean(labels->scratch.base, name, "", ""));
    text_byte(text, '"');
    return STATUS_OK;
}

static status put_place(struct labels *labels, struct text *text, uint32_t node) {
    static const struct site nowhere = {0};
    const struct callpaths *paths = labels->paths;
    const struct site *site = node == 0 ? &nowhere : site_get(paths, node_get(paths, node)->site);
    status result = put_name(labels, text, site->file);
    text_byte(text, ',');
    text_number(text, site->line);
    text_byte(text, ',');
    return result == STATUS_OK ? put_name(labels, text, site->function) : result;
}

static status put_row_csv(struct labels *labels, struct text *text, const struct snapshot *snapshot,
                          const struct row *row) {
    text_number(text, row_bytes(snapshot, row));
    text_byte(text, ',');
    text_number(text, row->count);
    text_byte(text, ',');
    text_number(text, row->domain);
    text_byte(text, ',');
    status result = put_name(labels, text, row->process);
    text_byte(text, ',');
    if (result == STATUS_OK)
        result = put_place(labels, text, row->node);
    text_say(text, ",\"");
    uint32_t node = row->node;
    for (uint32_t i = 0; result == STATUS_OK && node != 0 && i < snapshot->limit; i++) {
        if (i > 0)
            text_byte(text, ';');
        result = put_label(labels, text, node_get(snapshot->paths, node)->site);
        node = node_get(snapshot->paths, node)->parent;
    }
    text_say(text, "\"\n");
    return result == STATUS_OK ? text->failed : result;
}

status export_csv(struct snapshot *snapshot, struct text *text) {
    struct labels labels;
    status result = labels_init(&labels, snapshot);
    if (result != STATUS_OK)
        return result;
    text_say(text, "size,count,domain,process,filename,lineno,function,traceback\n");
    for (struct rows rows = snapshot_rows(snapshot); result == STATUS_OK && rows_next(&rows);)
        result = put_row_csv(&labels, text, snapshot, rows.row);
    labels_fini(&labels, snapshot->account);
    return result;
}
