/* export_pprof: call paths as a Profile of pprof (export.h).
 *
 *   Profile { sample_type = 1, sample = 2, location = 4, function = 5, string_table = 6, default_sample_type = 14 }
 *
 * A location is a site, a function a pair of names; strings are written when they first get a number, and the numbers
 * begin with those of `fixed`. A length stands before what it is the length of, so it is computed first.
 * Fields and wire types: https://protobuf.dev/programming-guides/encoding, google/pprof proto/profile.proto.
 */
#include "export_parts.h"

#include <string.h>

enum { SAMPLE_TYPE = 1, SAMPLE = 2, LOCATION = 4, FUNCTION = 5, STRING = 6, DEFAULT_TYPE = 14 };

/* String 0 must be empty. */
static const char *const fixed[] = {
    "",           "count",         "bytes",      "inuse_objects", "inuse_space", "peak_objects",
    "peak_space", "alloc_objects", "alloc_space"};
enum { FIXED = sizeof fixed / sizeof fixed[0], COUNT = 1, BYTES = 2, OBJECTS = 3, SPACE = 4 };

struct pprof {
    struct text *text;
    const struct callpaths *paths;
    struct idset sites;
    struct region path; /* uint64_t each: the locations of the present call path, the oldest call first */
    size_t depth;
    uint32_t *strings; /* by string id: its number; 0: has none yet */
    size_t string_bytes;
    uint32_t string_count;
    struct region scratch;   /* for a name */
    struct idtable index;    /* functions by their names */
    struct region functions; /* struct function */
    uint32_t function_count;
};

struct function {
    uint32_t name, file; /* string ids */
};

/* --- fields --- */

static void put_key(struct text *text, unsigned field, unsigned wire) {
    text_varint(text, field << 3 | wire);
}

static void put_varint(struct text *text, unsigned field, uint64_t number) {
    put_key(text, field, 0);
    text_varint(text, number);
}

/* The key and length of a field with `length` bytes. */
static void begin(struct text *text, unsigned field, size_t length) {
    put_key(text, field, 2);
    text_varint(text, length);
}

static uint64_t as_signed(uint64_t number) { return number > INT64_MAX ? INT64_MAX : number; }

static void put_sample_type(struct text *text, unsigned type, unsigned unit) {
    begin(text, SAMPLE_TYPE, 4); /* all numbers are below 128 */
    put_varint(text, 1, type);
    put_varint(text, 2, unit);
}

/* --- strings --- */

static void put_fixed(struct text *text) {
    for (size_t i = 0; i < FIXED; i++) {
        begin(text, STRING, strlen(fixed[i]));
        text_put(text, fixed[i], strlen(fixed[i]));
    }
}

/* The number of a name, which is written if it is new. Protobuf's strings are UTF-8 without surrogates. */
static status number_string(struct pprof *self, uint32_t id, uint64_t *number) {
    struct string name = strtab_get(&self->paths->strings, id);
    if (id != 0 && self->strings[id] == 0) {
        status result = region_grow(&self->scratch, name.length);
        if (result != STATUS_OK)
            return result;
        size_t length = name_clean(self->scratch.base, name, "", "");
        begin(self->text, STRING, length);
        text_put(self->text, self->scratch.base, length);
        self->strings[id] = self->string_count++;
    }
    *number = id == 0 ? 0 : self->strings[id];
    return STATUS_OK;
}

/* --- functions and locations --- */

static const struct function *function_get(const struct pprof *self, uint32_t number) {
    return (const struct function *)self->functions.base + (number - 1);
}

static uint64_t hash_function(const struct function *function) {
    return hash_mix(hash_mix((uint64_t)function->name << 32 | function->file));
}

static uint64_t hash_of(const void *owner, uint32_t number) {
    return hash_function(function_get(owner, number));
}

static status put_function(struct pprof *self, const struct function *function, uint32_t id) {
    uint64_t name, file;
    /* one without a name would be shown by its address: the file's name says more */
    status result = number_string(self, function->name != 0 ? function->name : function->file, &name);
    if (result == STATUS_OK)
        result = number_string(self, function->file, &file);
    if (result != STATUS_OK)
        return result;
    begin(self->text, FUNCTION, 3 + varint_length(id) + varint_length(name) + varint_length(file));
    put_varint(self->text, 1, id);
    put_varint(self->text, 2, name);
    put_varint(self->text, 4, file);
    return STATUS_OK;
}

/* The number of a site's function, which is written if it is new. */
static status number_function(struct pprof *self, const struct site *site, uint32_t *number) {
    const struct function function = {site->function, site->file};
    status result = idtable_reserve(&self->index, hash_of, self);
    if (result != STATUS_OK)
        return result;
    size_t slot = idtable_first(&self->index, hash_function(&function));
    for (; (*number = idtable_at(&self->index, slot)) != 0; slot = idtable_next(&self->index, slot)) {
        const struct function *other = function_get(self, *number);
        if (other->name == function.name && other->file == function.file)
            return STATUS_OK;
    }
    if ((result = region_grow(&self->functions, (self->function_count + 1) * sizeof function)) != STATUS_OK)
        return result;
    ((struct function *)self->functions.base)[self->function_count] = function;
    *number = ++self->function_count;
    idtable_put(&self->index, slot, *number);
    return put_function(self, &function, *number);
}

static status put_locations(struct pprof *self) {
    status result = STATUS_OK;
    uint64_t location = 1;
    for (uint32_t id = idset_next(&self->sites, 0); result == STATUS_OK && id < self->sites.end;
         id = idset_next(&self->sites, id + 1), location++) {
        const struct site *site = site_get(self->paths, id);
        uint32_t function;
        if ((result = number_function(self, site, &function)) != STATUS_OK)
            break;
        size_t line = 2 + varint_length(function) + varint_length(site->line);
        begin(self->text, LOCATION, 1 + varint_length(location) + 1 + varint_length(line) + line);
        put_varint(self->text, 1, location);
        begin(self->text, 4, line);
        put_varint(self->text, 1, function);
        put_varint(self->text, 2, site->line);
        result = self->text->failed;
    }
    return result;
}

/* --- samples --- */

static void put_sample(const struct pprof *self, const struct branch *item) {
    const uint64_t *path = (const uint64_t *)self->path.base;
    uint64_t count = as_signed(item->own_count), size = as_signed(item->own_size);
    size_t locations = 0, values = varint_length(count) + varint_length(size);
    for (size_t i = 0; i < self->depth; i++)
        locations += varint_length(path[i]);
    begin(self->text, SAMPLE, 2 + varint_length(locations) + locations + varint_length(values) + values);
    begin(self->text, 1, locations);
    for (size_t i = self->depth; i > 0; i--) /* the most recent one first */
        text_varint(self->text, path[i - 1]);
    begin(self->text, 2, values);
    text_varint(self->text, count);
    text_varint(self->text, size);
}

static status enter(void *context, const struct branch *item) {
    struct pprof *self = context;
    uint64_t location = idset_index(&self->sites, node_get(self->paths, item->node)->site) + UINT64_C(1);
    status result = pile_put(&self->path, &self->depth, location);
    if (result == STATUS_OK && item->own_count > 0)
        put_sample(self, item);
    return result == STATUS_OK ? self->text->failed : result;
}

static void leave(void *context, const struct branch *item) {
    struct pprof *self = context;
    (void)item;
    self->depth--;
}

/* --- the whole --- */

static status prepare(struct pprof *self, const struct snapshot *snapshot, const struct branches *branches) {
    struct vmem *account = snapshot->account;
    status result = sites_in_use(snapshot, &self->sites);
    if (result != STATUS_OK)
        return result;
    self->string_bytes = callpaths_ends(snapshot->paths).strings * sizeof *self->strings;
    self->strings = vmem_map(account, self->string_bytes);
    if (self->strings == NULL)
        return STATUS_NOMEM;
    result = region_init(&self->scratch, account, strtab_bytes(&snapshot->paths->strings) + 1);
    if (result == STATUS_OK)
        result = region_init(&self->path, account, branches->count * sizeof(uint64_t));
    if (result == STATUS_OK)
        result = region_init(&self->functions, account, (self->sites.count + 1) * sizeof(struct function));
    return result == STATUS_OK ? idtable_init(&self->index, account) : result;
}

static status put_profile(struct pprof *self, const struct snapshot *snapshot,
                          const struct branches *branches) {
    unsigned view = 2 * (unsigned)snapshot->view;
    put_sample_type(self->text, OBJECTS + view, COUNT);
    put_sample_type(self->text, SPACE + view, BYTES);
    put_varint(self->text, DEFAULT_TYPE, SPACE + view);
    put_fixed(self->text);
    if (branches->items[0].own_count > 0)
        put_sample(self, &branches->items[0]);
    status result = walk_branches(&(struct walk){branches, self, enter, leave});
    return result == STATUS_OK ? put_locations(self) : result;
}

status export_pprof(struct snapshot *snapshot, struct text *text) {
    struct pprof self = {.text = text, .paths = snapshot->paths, .string_count = FIXED};
    struct branches branches;
    status result = branches_init(&branches, snapshot);
    if (result != STATUS_OK)
        return result;
    result = prepare(&self, snapshot, &branches);
    if (result == STATUS_OK)
        result = put_profile(&self, snapshot, &branches);
    vmem_unmap(snapshot->account, self.strings, self.string_bytes);
    idset_fini(&self.sites);
    idtable_fini(&self.index);
    region_fini(&self.path);
    region_fini(&self.scratch);
    region_fini(&self.functions);
    branches_fini(&branches);
    return result;
}
