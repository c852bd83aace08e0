/* fingerprints: see fingerprints.h: polynomials modulo 2^61 - 1. One thread; the snapshots are only read. */
#include "fingerprints.h"
#include "ancestors.h"
#include "namemap.h"

#include <string.h>

__extension__ typedef unsigned __int128 wide;

#define PRIME ((UINT64_C(1) << 61) - 1)

static uint64_t reduce(uint64_t number) { /* below 2^62 */
    return number >= PRIME ? number - PRIME : number;
}

static uint64_t multiply(uint64_t a, uint64_t b) {
    wide product = (wide)a * b;
    return reduce(((uint64_t)product & PRIME) + (uint64_t)(product >> 61));
}

/* One more frame at the end of a path: path * place^2 + file * place + line. Files count from 1: a path never begins with
 * 0, so that its length matters. */
static uint64_t append(uint64_t path, const uint64_t powers[2], uint64_t file, uint32_t line) {
    wide sum = (wide)path * powers[1] + (wide)(file + 1) * powers[0] + line; /* below 2^123 */
    return reduce(reduce(((uint64_t)sum & PRIME) + ((uint64_t)(sum >> 61) & PRIME)) + (uint64_t)(sum >> 122));
}

struct fingerprint_places fingerprint_places_new(void) {
    struct fingerprint_places places;
    do {
        platform_random(&places, sizeof places);
        places.at[0] &= PRIME;
        places.at[1] &= PRIME;
    } while (places.at[0] == PRIME || places.at[1] == PRIME);
    return places;
}

/* --- paths --- */

static status offer_files(struct namemap *names) {
    struct callpaths *paths = names->to;
    uint32_t sites = callpaths_ends(paths).sites;
    status result = STATUS_OK;
    for (uint32_t site = 0; site < sites && result == STATUS_OK; site++)
        result = namemap_offer(names, site_get(paths, site)->file);
    return result;
}

/* What the first snapshot does not know differs from all that it does, and from what else it does not know. */
static uint64_t number_file(struct namemap *names, uint32_t strings, uint32_t file) {
    uint32_t found = namemap_find(names, file);
    return found == NAME_MISSING ? (uint64_t)strings + file : found;
}

static void add_nodes(struct fingerprints *self, struct namemap *names) {
    const struct callpaths *paths = self->snapshot->paths;
    uint32_t strings = callpaths_ends(names->to).strings;
    uint64_t powers[2][2];
    for (int i = 0; i < 2; i++) {
        powers[i][0] = self->places.at[i];
        powers[i][1] = multiply(powers[i][0], powers[i][0]);
    }
    for (uint32_t id = 1; id < self->end; id++) {
        const struct node *node = node_get(paths, id);
        const struct site *site = site_get(paths, node->site);
        uint64_t file = number_file(names, strings, site->file);
        for (int i = 0; i < 2; i++)
            self->paths[id][i] = append(self->paths[node->parent][i], powers[i], file, site->line);
        self->lengths[id] = self->lengths[node->parent] + 1;
    }
}

static bool is_cut(const struct fingerprints *self) {
    for (struct rows rows = snapshot_rows(self->snapshot); rows_next(&rows);)
        if (self->lengths[rows.row->node] > self->snapshot->limit)
            return true;
    return false;
}

static status cut_paths(struct fingerprints *self) {
    uint32_t limit = self->snapshot->limit;
    self->far = ancestors_new(self->account, self->snapshot->paths, self->end, limit);
    for (int i = 0; i < 2; i++) {
        uint64_t square = multiply(self->places.at[i], self->places.at[i]);
        self->power[i] = 1;
        for (uint32_t left = limit; left > 0; left >>= 1, square = multiply(square, square))
            if (left & 1)
                self->power[i] = multiply(self->power[i], square);
    }
    return self->far == NULL ? STATUS_NOMEM : STATUS_OK;
}

struct fingerprint fingerprint_of(const struct fingerprints *self, uint32_t node) {
    struct fingerprint print = {{self->paths[node][0], self->paths[node][1]}, self->lengths[node]};
    if (self->far == NULL || print.frames <= self->snapshot->limit)
        return print;
    const uint64_t *beyond = self->paths[self->far[node]];
    for (int i = 0; i < 2; i++)
        print.at[i] = reduce(print.at[i] + PRIME - multiply(beyond[i], self->power[i]));
    print.frames = self->snapshot->limit;
    return print;
}

/* --- life --- */

status fingerprints_init(struct fingerprints *self, const struct snapshot *snapshot,
                         const struct snapshot *first, struct fingerprint_places places) {
    struct namemap names;
    *self = (struct fingerprints){.account = snapshot->account, .snapshot = snapshot, .places = places};
    self->end = callpaths_ends(snapshot->paths).nodes;
    self->paths = vmem_map(self->account, self->end * sizeof *self->paths);
    self->lengths = vmem_map(self->account, self->end * sizeof *self->lengths);
    if (self->paths == NULL || self->lengths == NULL)
        return STATUS_NOMEM;
    status result = namemap_init(&names, self->account, snapshot->paths, first->paths);
    if (result != STATUS_OK)
        return result;
    result = offer_files(&names);
    if (result == STATUS_OK) {
        add_nodes(self, &names);
        result = is_cut(self) ? cut_paths(self) : STATUS_OK;
    }
    namemap_fini(&names);
    return result;
}

void fingerprints_fini(struct fingerprints *self) {
    vmem_unmap(self->account, self->paths, self->end * sizeof *self->paths);
    vmem_unmap(self->account, self->lengths, self->end * sizeof *self->lengths);
    vmem_unmap(self->account, self->far, self->end * sizeof *self->far);
    memset(self, 0, sizeof *self);
}
