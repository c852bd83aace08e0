/* calltree: every distinct call path, once.
 *
 *   [0]--main:12--load:40--parse:7      a node is (parent, site); its id is the call path up to and including it
 *                  \--load:44           node 0 is the empty path
 *
 *   site = {file, line, function}: by content, so code made again and again by exec adds nothing
 *
 * `depth` is how many frames the whole stack had, at most MOST_DEPTH. When one frame is kept the parent is 0 and the depth
 * is part of the identity: {0, site, depth}. Otherwise depth is the parent's depth + 1.
 * Owns its nodes, sites and names (vmem); both arrays are append-only and never move. Writers hold `paths->lock`;
 * readers need no lock for ids that they were given. Interning is O(1) expected.
 * Fails with NOMEM or FULL, unchanged. Reference-counted: snapshots share the paths with the tracer.
 */
#ifndef MEMTALLY_CALLTREE_H
#define MEMTALLY_CALLTREE_H

#include "platform.h"
#include "strtab.h"

struct site {
    uint32_t file;     /* string id */
    uint32_t function; /* string id: the qualified name */
    uint32_t line;     /* 1-based; 0: not known */
};

/* Most memory of a call path that is at rest: 8 bytes, by limits that are far away. */
enum { NODE_BITS = 26, SITE_BITS = 22, DEPTH_BITS = 16, MOST_DEPTH = (1 << DEPTH_BITS) - 1 };

struct node {
    uint64_t parent : NODE_BITS; /* node id */
    uint64_t site : SITE_BITS;   /* site id */
    uint64_t depth : DEPTH_BITS;
};

static inline uint32_t capped_depth(uint32_t depth) { return depth < MOST_DEPTH ? depth : MOST_DEPTH; }

static inline struct node node_make(uint32_t parent, uint32_t site, uint32_t depth) {
    return (struct node){parent & ((1u << NODE_BITS) - 1), site & ((1u << SITE_BITS) - 1),
                         capped_depth(depth) & MOST_DEPTH};
}

struct snapshot;

enum { EXPECTED = 2 };

struct callpaths {
    struct vmem *account; /* borrowed: outlives the paths */
    uint64_t serial;      /* 1, 2, ...: no other tree of the process has had it */
    struct lock lock;     /* rank LOCK_PATHS; protects everything below */
    struct strtab strings;
    struct region sites; /* struct site; id 0 is ("", "", 0) */
    struct region nodes; /* struct node; id 0 is the root */
    struct idtable site_index;
    struct idtable node_index;
    uint32_t site_count; /* ids below it are in use */
    uint32_t node_count;
    uint32_t
        expected[EXPECTED];  /* behind nodes lately interned: what ran once runs again in the same order */
    uint32_t forgettable;    /* which of them makes room for another */
    struct snapshot *newest; /* borrowed: of those that refer to these paths (share.h) */
    _Atomic uint32_t weight; /* see callpaths_weight; written under the lock */
    _Atomic uint32_t references;
};

/* One reference, the caller's. NULL where the system has no memory. */
nodiscard struct callpaths *callpaths_new(struct vmem *account);
void callpaths_retain(struct callpaths *paths);
void callpaths_release(struct callpaths *paths);

/* The caller holds paths->lock. */
nodiscard status site_intern_locked(struct callpaths *paths, const struct site *site, uint32_t *id);
/* `depth`: more than MOST_DEPTH counts as that. */
nodiscard status node_intern_locked(struct callpaths *paths, uint32_t parent, uint32_t site, uint32_t depth,
                                    uint32_t *id);
/* What is known to be new gets the next id: for readers of files, who look for doubles in a way of their own that
 * no file can make slow. Where something was appended nothing is interned afterwards, but for sites, once they are
 * indexed. */
nodiscard status site_append_locked(struct callpaths *paths, const struct site *site);
nodiscard status sites_index_locked(struct callpaths *paths);
nodiscard status node_append_locked(struct callpaths *paths, uint32_t parent, uint32_t site, uint32_t depth);

/* A path of one frame that is no place in the program: PATH_UNKNOWN or PATH_FORGOTTEN. */
#define PATH_UNKNOWN "<unknown>"
#define PATH_FORGOTTEN "<forgotten>"
nodiscard status path_named_locked(struct callpaths *paths, const char *name, uint32_t *node);

/* How much there is, in nodes: so many bytes of names count as one. Any thread; relaxed: it orders nothing. */
enum { NAME_BYTES_PER_NODE = 64 };
static inline uint32_t callpaths_weight(const struct callpaths *paths) {
    return __atomic_load_n((const uint32_t *)&paths->weight, __ATOMIC_RELAXED);
}

static inline const struct site *site_get(const struct callpaths *paths, uint32_t id) {
    return (const struct site *)paths->sites.base + id;
}
static inline const struct node *node_get(const struct callpaths *paths, uint32_t id) {
    return (const struct node *)paths->nodes.base + id;
}
/* How many ids the call paths have now: all that a snapshot refers to are below. Takes paths->lock for a
 * moment. */
struct path_ends {
    uint32_t strings, sites, nodes;
};
struct path_ends callpaths_ends(struct callpaths *paths);

/* Gives the indices back of paths that nobody else knows yet: nothing is interned or appended afterwards. */
void callpaths_seal(struct callpaths *paths);

bool callpaths_check(const struct callpaths *paths);

#endif
