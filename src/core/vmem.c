/* vmem: see vmem.h. Any thread may map; a region is used under its structure's protector. */
#include "vmem.h"
#include "platform.h"

#include <string.h>

enum { VMEM_STEP = SIZED(64 * 1024, 4096) }; /* pages are of 4, 16 or 64 KiB */

static size_t step(void) {
    size_t page = platform_page_size();
    return page > VMEM_STEP ? page : VMEM_STEP;
}

static size_t whole_pages(size_t bytes) {
    size_t page = platform_page_size();
    return (bytes + page - 1) & ~(page - 1);
}

void vmem_count(struct vmem *account, size_t bytes) {
    __atomic_fetch_add((size_t *)&account->bytes, bytes, __ATOMIC_RELAXED);
}

void vmem_uncount(struct vmem *account, size_t bytes) {
    __atomic_fetch_sub((size_t *)&account->bytes, bytes, __ATOMIC_RELAXED);
}

size_t vmem_bytes(const struct vmem *account) {
    return __atomic_load_n((const size_t *)&account->bytes, __ATOMIC_RELAXED);
}

static void *map_zeroed(size_t size) {
    void *start = platform_reserve(size);
    if (start != NULL && !platform_commit(start, size)) {
        platform_release(start, size);
        return NULL;
    }
    return start;
}

void *vmem_map(struct vmem *account, size_t bytes) {
    size_t size = whole_pages(bytes);
    void *start = map_zeroed(size);
    if (start != NULL)
        vmem_count(account, size);
    return start;
}

void *vmem_map_sparse(size_t bytes) {
    size_t size = whole_pages(bytes);
    void *start = map_zeroed(size);
    if (start != NULL)
        platform_keep_small_pages(start, size);
    return start;
}

void vmem_unmap_sparse(void *start, size_t bytes) { platform_release(start, whole_pages(bytes)); }

void vmem_unmap(struct vmem *account, void *start, size_t bytes) {
    if (start == NULL)
        return;
    size_t size = whole_pages(bytes);
    vmem_uncount(account, size);
    platform_release(start, size);
}

/* What of a placed region is mapped. */
static size_t mapped(const struct region *region) {
    size_t page = platform_page_size();
    return region->committed > page ? region->committed : page;
}

/* An address space limit (ulimit -v) may refuse the full size: a smaller region only fills up sooner. */
static char *reserve(size_t *size) {
    char *base;
    while ((base = platform_reserve(*size)) == NULL && *size > step())
        *size = whole_pages(*size / 2);
    return base;
}

size_t vmem_trim(struct vmem *account, void *start, size_t bytes, size_t used) {
    size_t size = whole_pages(bytes), kept = whole_pages(used > 0 ? used : 1);
    if (start == NULL || kept >= size)
        return bytes;
    vmem_uncount(account, size - kept);
    platform_release((char *)start + kept, size - kept);
    return kept;
}

status region_init(struct region *region, struct vmem *account, size_t most) {
    size_t size = whole_pages(most);
    memset(region, 0, sizeof *region);
    if (size <= PLACE_BYTES)
        region->base = platform_place(platform_page_size());
    region->placed = region->base != NULL;
    if (!region->placed)
        region->base = reserve(&size);
    if (region->base == NULL)
        return STATUS_NOMEM;
    region->reserved = size;
    region->account = account;
    return STATUS_OK;
}

void region_fini(struct region *region) {
    if (region->base == NULL)
        return;
    vmem_uncount(region->account, region->committed);
    platform_release(region->base, region->placed ? mapped(region) : region->reserved);
    memset(region, 0, sizeof *region);
}

void region_trim(struct region *region, size_t bytes) {
    size_t there = region->placed ? mapped(region) : region->reserved,
           kept = whole_pages(bytes > 0 ? bytes : 1);
    assert(bytes <= region->committed);
    if (kept < there)
        platform_release(region->base + kept, there - kept);
    if (region->placed)
        region->base = platform_leave_place(region->base, kept);
    region->placed = false;
    region->reserved = kept;
    if (region->committed > kept) {
        vmem_uncount(region->account, region->committed - kept);
        region->committed = kept;
    }
}

/* Zeroed memory behind the addresses up to `wanted`. */
static bool commit(const struct region *region, size_t wanted) {
    if (!region->placed)
        return platform_commit(region->base + region->committed, wanted - region->committed);
    size_t there = mapped(region);
    return wanted <= there || platform_extend(region->base + there, wanted - there);
}

status region_grow_slow(struct region *region, size_t bytes) {
    if (bytes > region->reserved)
        return STATUS_FULL;
    size_t wanted = (bytes + step() - 1) / step() * step();
    if (wanted > region->reserved)
        wanted = region->reserved;
    if (!commit(region, wanted))
        return STATUS_NOMEM;
    vmem_count(region->account, wanted - region->committed);
    region->committed = wanted;
    return STATUS_OK;
}
