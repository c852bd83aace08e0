/* vmem: the memory that the tracer keeps its own tables in: never the allocators it watches.
 *
 *   vmem_map          one zeroed table of a fixed size
 *   vmem_map_sparse   one of which few pages will ever be touched
 *   region            an array that grows in place: in a place where nobody else is, memory mapped step by step; where
 *                     the system has no such places, addresses reserved once, memory committed step by step
 *
 *     base                 committed               reserved
 *      |######## in use ####|..... zeroed .....|- - - - - -|
 *
 * Owns: every mapping it made until unmap or fini. Each belongs to an account, which knows the bytes committed.
 * Threads: accounts may be shared by threads; a region has the protector of the structure it belongs to. What lies
 * below a published length of a region never moves, so readers need no lock.
 * Cost: a system call per VMEM_STEP bytes, or per page where pages are larger. Fails with STATUS_NOMEM or STATUS_FULL, unchanged.
 */
#ifndef MEMTALLY_VMEM_H
#define MEMTALLY_VMEM_H

#include "base.h"

struct vmem {
    _Atomic size_t bytes; /* committed now; relaxed: a statistic, orders nothing */
};

struct region {
    char *base;
    size_t committed;
    size_t reserved;      /* placed: no more than a number */
    struct vmem *account; /* borrowed: outlives the region */
    bool placed;          /* its first page and what is committed are mapped, and nothing else */
};

/* `bytes` is rounded up to pages. NULL where the system has no memory. */
nodiscard void *vmem_map(struct vmem *account, size_t bytes);
void vmem_unmap(struct vmem *account, void *start, size_t bytes); /* start may be NULL */
/* Gives back what lies behind the first `used` bytes; how many are left. */
size_t vmem_trim(struct vmem *account, void *start, size_t bytes, size_t used);
size_t vmem_bytes(const struct vmem *account);

/* A large, thinly used table: not in huge pages, and not counted: its owner counts what it has touched. */
nodiscard void *vmem_map_sparse(size_t bytes);
void vmem_unmap_sparse(void *start, size_t bytes);
void vmem_count(struct vmem *account, size_t bytes);
void vmem_uncount(struct vmem *account, size_t bytes);

/* Room for up to `most` bytes, less where the system has no places and refuses to reserve that many. */
nodiscard status region_init(struct region *region, struct vmem *account, size_t most);
void region_fini(struct region *region); /* also of a zeroed region */

/* Gives back what is behind the first `bytes` bytes, memory, addresses and place: the region will not grow any more. Its
 * content may move, so nobody else knows it yet. */
void region_trim(struct region *region, size_t bytes);

nodiscard status region_grow_slow(struct region *region, size_t bytes);

/* Makes the first `bytes` bytes usable. */
nodiscard static inline status region_grow(struct region *region, size_t bytes) {
    return likely(bytes <= region->committed) ? STATUS_OK : region_grow_slow(region, bytes);
}

#endif
