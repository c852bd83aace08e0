/* export_parts: what the formats of export.h are made with; internal to it.
 *
 * Owns nothing itself. One thread. Fails with NOMEM or FULL; what goes wrong with the sink stays in `text`.
 */
#ifndef MEMTALLY_EXPORT_PARTS_H
#define MEMTALLY_EXPORT_PARTS_H

#include "branches.h"
#include "export.h"
#include "idset.h"
#include "text.h"

/* The sites of all call paths that rows have, counted, in `sites`, which it initialises: idset_index is a frame's
 * number. The caller calls idset_fini. */
nodiscard status sites_in_use(const struct snapshot *snapshot, struct idset *sites);

/* The names of a frame's members; a function that is not known is left out, or null. */
struct frame_keys {
    const char *function, *file, *line;
    bool null_function;
};
/* {"name":..,"file":..,"line":..},... in the order of their numbers. */
void put_frames_json(struct text *text, const struct callpaths *paths, const struct idset *sites,
                     const struct frame_keys *keys);

/* A site for people, in one line without ';': "load (app.py:40)", "app.py:40", "(no Python frame)". `to` has room for
 * site_label_most bytes. Returns the length. */
size_t site_label_most(const struct callpaths *paths, uint32_t site);
size_t site_label(char *to, const struct callpaths *paths, uint32_t site);

/* Calls `enter` for each item but the root, callers before what they call, and `leave` when all below one is done. */
struct walk {
    const struct branches *branches; /* borrowed */
    void *context;
    status (*enter)(void *context, const struct branch *item);
    void (*leave)(void *context, const struct branch *item);
};
nodiscard status walk_branches(const struct walk *walk);

/* Puts a number on top of a pile that a region is; FULL where the region ends. */
nodiscard status pile_put(struct region *pile, size_t *count, uint64_t number);

nodiscard status export_json(struct snapshot *snapshot, struct text *text);
nodiscard status export_csv(struct snapshot *snapshot, struct text *text);
nodiscard status export_collapsed(struct snapshot *snapshot, struct text *text);
nodiscard status export_speedscope(struct snapshot *snapshot, struct text *text);
nodiscard status export_pprof(struct snapshot *snapshot, struct text *text);
nodiscard status export_tracemalloc(struct snapshot *snapshot, struct text *text);

#endif
