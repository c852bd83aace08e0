/* mirror: the tables of mirror.h. Under the main interpreter's GIL. */
#include "mirror.h"

#include <string.h>

enum { FIRST_THREADS = SIZED(16, 2), MOST_THREADS = SIZED(4096, 4), FIRST_SLOTS = SIZED(256, 2) };
#define MOST_SLOTS ((size_t)1 << 20)
#define WIDEST SIZED((size_t)1 << 14, (size_t)8)
#define NO_FRAME ((const void *)1)

static struct mirror_entry *new_entries(struct vmem *account, size_t slots) {
    struct mirror_entry *entries = vmem_map(account, slots * sizeof *entries);
    if (entries != NULL)
        entries[0].frame = NO_FRAME; /* the only entry that a NULL frame could hit */
    return entries;
}

static size_t bytes_of(size_t slots) { return slots * sizeof(struct mirror_entry); }

status mirrors_init(struct mirrors *mirrors, struct vmem *account) {
    memset(mirrors, 0, sizeof *mirrors);
    mirrors->account = account;
    mirrors->mask = FIRST_THREADS - 1;
    mirrors->threads = vmem_map(account, FIRST_THREADS * sizeof *mirrors->threads);
    return mirrors->threads != NULL ? STATUS_OK : STATUS_NOMEM;
}

static void free_tables(struct mirrors *mirrors) {
    for (size_t i = 0; i <= mirrors->mask; i++) {
        struct mirror *mirror = &mirrors->threads[i];
        if (mirror->thread != NULL)
            vmem_unmap(mirrors->account, mirror->entries, bytes_of(mirror->slots));
    }
    vmem_unmap(mirrors->account, mirrors->threads, (mirrors->mask + 1) * sizeof *mirrors->threads);
}

void mirrors_fini(struct mirrors *mirrors) {
    if (mirrors->threads != NULL)
        free_tables(mirrors);
    memset(mirrors, 0, sizeof *mirrors);
}

static struct mirror *find(struct mirror *threads, size_t mask, const void *thread) {
    size_t i = hash_mix((uint64_t)(uintptr_t)thread >> 4) & mask;
    while (threads[i].thread != NULL && threads[i].thread != thread)
        i = (i + 1) & mask;
    return &threads[i];
}

static status grow_threads(struct mirrors *mirrors) {
    size_t mask = mirrors->mask * 2 + 1;
    struct mirror *threads = vmem_map(mirrors->account, (mask + 1) * sizeof *threads);
    if (threads == NULL)
        return STATUS_NOMEM;
    for (size_t i = 0; i <= mirrors->mask; i++) {
        if (mirrors->threads[i].thread != NULL)
            *find(threads, mask, mirrors->threads[i].thread) = mirrors->threads[i];
    }
    vmem_unmap(mirrors->account, mirrors->threads, (mirrors->mask + 1) * sizeof *threads);
    mirrors->threads = threads;
    mirrors->mask = mask;
    return STATUS_OK;
}

/* Thousands of thread addresses: most are of dead threads, and all tables can be had again. */
static status forget_all(struct mirrors *mirrors) {
    struct mirrors fresh;
    status result = mirrors_init(&fresh, mirrors->account);
    if (result != STATUS_OK)
        return result;
    free_tables(mirrors);
    *mirrors = fresh;
    return STATUS_OK;
}

/* Those alone that were ever written: there may be no memory behind the others yet. */
static void each_entry(const struct mirrors *mirrors, void (*change)(struct mirror_entry *entry)) {
    for (size_t i = 0; i <= mirrors->mask; i++) {
        const struct mirror *mirror = &mirrors->threads[i];
        for (size_t j = 0; mirror->thread != NULL && j < mirror->slots; j++) {
            const void *frame = mirror->entries[j].frame;
            if (frame != NULL && frame != NO_FRAME)
                change(&mirror->entries[j]);
        }
    }
}

/* Of no frame: the first entry must not match NULL, and the others need not. */
static void empty(struct mirror_entry *entry) { *entry = (struct mirror_entry){.frame = NO_FRAME}; }

static void forget_tallies(struct mirror_entry *entry) {
    entry->top = 0;
    entry->tally = 0;
    memset(entry->others, 0, sizeof entry->others);
}

void mirrors_empty(struct mirrors *mirrors) { each_entry(mirrors, empty); }

void mirrors_forget_tallies(struct mirrors *mirrors) { each_entry(mirrors, forget_tallies); }

static void unpack(struct mirrors *mirrors, struct mirror *mirror) {
    mirrors->current = mirror;
    mirrors->entries = mirror->entries;
    mirrors->entry_mask = (mirror->slots - 1) * sizeof(struct mirror_entry);
}

status mirrors_switch(struct mirrors *mirrors, const void *thread) {
    struct mirror *mirror = find(mirrors->threads, mirrors->mask, thread);
    if (mirror->thread == NULL) {
        status result = STATUS_OK;
        if (mirrors->count >= MOST_THREADS)
            result = forget_all(mirrors);
        else if ((mirrors->count + 1) * 2 > mirrors->mask + 1)
            result = grow_threads(mirrors);
        if (result != STATUS_OK)
            return result;
        struct mirror_entry *entries = new_entries(mirrors->account, FIRST_SLOTS);
        if (entries == NULL)
            return STATUS_NOMEM;
        mirror = find(mirrors->threads, mirrors->mask, thread);
        *mirror = (struct mirror){thread, entries, FIRST_SLOTS};
        mirrors->count++;
    }
    unpack(mirrors, mirror);
    return STATUS_OK;
}

static void grow_to(struct mirrors *mirrors, size_t slots) {
    struct mirror *mirror = mirrors->current;
    struct mirror_entry *entries = slots > mirror->slots ? new_entries(mirrors->account, slots) : NULL;
    if (entries == NULL)
        return;
    for (size_t i = 0; i < mirror->slots; i++) {
        const struct mirror_entry *old = &mirror->entries[i];
        if (old->frame != NULL && old->frame != NO_FRAME)
            entries[((uintptr_t)old->frame / sizeof *old) & (slots - 1)] = *old;
    }
    vmem_unmap(mirrors->account, mirror->entries, bytes_of(mirror->slots));
    mirror->entries = entries;
    mirror->slots = slots;
    unpack(mirrors, mirror);
}

cold_path void mirror_grow(struct mirrors *mirrors, uint32_t depth) {
    size_t slots = mirrors->current->slots;
    while (slots < MOST_SLOTS && slots < (size_t)depth * 8)
        slots *= 2;
    grow_to(mirrors, slots);
}

cold_path void mirror_widen(struct mirrors *mirrors) {
    if (mirrors->current->slots < WIDEST)
        grow_to(mirrors, mirrors->current->slots * 2);
}
