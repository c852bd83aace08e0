/* export_tree: whole call paths as collapsed stacks and as a speedscope profile (export.h). */
#include "export_parts.h"

#include <string.h>

/* --- collapsed: a line for each call path that holds something --- */

enum { LONGEST_LINE = 1 << 30 };

struct collapsed {
    struct text *text;
    const struct callpaths *paths;
    struct region line;  /* the present call path: "main (app.py:12);load (app.py:40)" */
    struct region marks; /* uint64_t each: the lengths of the line before each call on it */
    size_t length, mark_count;
};

static void put_line(struct collapsed *self, const char *path, size_t length, uint64_t size) {
    if (size == 0)
        return;
    text_put(self->text, path, length);
    text_byte(self->text, ' ');
    text_number(self->text, size);
    text_byte(self->text, '\n');
}

static status collapsed_enter(void *context, const struct branch *item) {
    struct collapsed *self = context;
    uint32_t site = node_get(self->paths, item->node)->site;
    status result = region_grow(&self->line, self->length + 1 + site_label_most(self->paths, site));
    if (result == STATUS_OK)
        result = pile_put(&self->marks, &self->mark_count, self->length);
    if (result != STATUS_OK)
        return result;
    if (self->length > 0)
        self->line.base[self->length++] = ';';
    self->length += site_label(self->line.base + self->length, self->paths, site);
    put_line(self, self->line.base, self->length, item->own_size);
    return self->text->failed;
}

static void collapsed_leave(void *context, const struct branch *item) {
    struct collapsed *self = context;
    (void)item;
    self->length = ((uint64_t *)self->marks.base)[--self->mark_count];
}

status export_collapsed(struct snapshot *snapshot, struct text *text) {
    static const char no_frames[] = "(no frames)";
    struct collapsed self = {.text = text, .paths = snapshot->paths};
    struct branches branches;
    status result = branches_init(&branches, snapshot);
    if (result != STATUS_OK)
        return result;
    result = region_init(&self.line, snapshot->account, LONGEST_LINE);
    if (result == STATUS_OK)
        result = region_init(&self.marks, snapshot->account, (branches.count + 1) * sizeof(uint64_t));
    if (result == STATUS_OK) {
        put_line(&self, no_frames, sizeof no_frames - 1, branches.items[0].own_size);
        result = walk_branches(&(struct walk){&branches, &self, collapsed_enter, collapsed_leave});
    }
    region_fini(&self.line);
    region_fini(&self.marks);
    branches_fini(&branches);
    return result;
}

/* --- speedscope: opening and closing of calls, on a scale of bytes instead of time --- */

struct speedscope {
    struct text *text;
    const struct callpaths *paths;
    const struct idset *sites;
    uint64_t at; /* bytes before the present place */
    bool any;
};

static void put_event(struct speedscope *self, const struct branch *item, const char *kind) {
    text_put(self->text, self->any ? ",\n" : "\n", self->any ? 2 : 1);
    text_say(self->text, "{\"type\":\"");
    text_put(self->text, kind, 1);
    text_say(self->text, "\",\"frame\":");
    text_number(self->text, idset_index(self->sites, node_get(self->paths, item->node)->site));
    text_say(self->text, ",\"at\":");
    text_number(self->text, self->at);
    text_byte(self->text, '}');
    self->any = true;
}

static status speedscope_enter(void *context, const struct branch *item) {
    struct speedscope *self = context;
    put_event(self, item, "O");
    self->at = self->at + item->own_size < self->at ? UINT64_MAX : self->at + item->own_size;
    return self->text->failed;
}

static void speedscope_leave(void *context, const struct branch *item) { put_event(context, item, "C"); }

static status put_profile(struct snapshot *snapshot, const struct idset *sites,
                          const struct branches *branches, struct text *text) {
    static const char *const names[] = {"live", "peak", "total"};
    static const struct frame_keys keys = {"name", "file", "line", false};
    struct speedscope self = {.text = text, .paths = snapshot->paths, .sites = sites};
    text_say(text, "\"shared\":{\"frames\":[");
    put_frames_json(text, snapshot->paths, sites, &keys);
    text_say(text, "]},\n\"profiles\":[{\"type\":\"evented\",\"name\":\"");
    text_put(text, names[snapshot->view], strlen(names[snapshot->view]));
    text_say(text, "\",\"unit\":\"bytes\",\"startValue\":0,\"endValue\":");
    text_number(text, branches->items[0].size);
    text_say(text, ",\"events\":[");
    status result = walk_branches(&(struct walk){branches, &self, speedscope_enter, speedscope_leave});
    text_say(text, "]}]");
    return result;
}

status export_speedscope(struct snapshot *snapshot, struct text *text) {
    struct branches branches;
    struct idset sites;
    status result = branches_init(&branches, snapshot);
    if (result != STATUS_OK)
        return result;
    result = sites_in_use(snapshot, &sites);
    if (result == STATUS_OK) {
        result = put_profile(snapshot, &sites, &branches, text);
        idset_fini(&sites);
    }
    branches_fini(&branches);
    return result;
}
