/* resident: the read-only segments of this module (resident.h). */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "resident.h"

#include "../core/platform.h"
#include "importtable.h"

#include <sys/mman.h>

enum { MOST_SEGMENTS = 16 };

struct segments {
    size_t count;
    struct {
        uintptr_t start, end;
    } of[MOST_SEGMENTS];
};

/* The list of segments lies in one of them itself, so it is read before any is given back. */
static int find_segments(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    struct segments *found = context;
    if (!importtable_holds(info, (uintptr_t)resident_trim))
        return 0;
    for (int i = 0; i < info->dlpi_phnum && found->count < MOST_SEGMENTS; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type != PT_LOAD || header->p_flags != PF_R)
            continue;
        const uintptr_t start = info->dlpi_addr + header->p_vaddr;
        found->of[found->count].start = start;
        found->of[found->count++].end = start + header->p_memsz;
    }
    return 1;
}

void resident_trim(void) {
    const uintptr_t in_page = platform_page_size() - 1;
    struct segments found = {.count = 0};
    dl_iterate_phdr(find_segments, &found);
    for (size_t i = 0; i < found.count; i++) {
        const uintptr_t start = found.of[i].start & ~in_page;
        (void)madvise((void *)start, found.of[i].end - start, MADV_DONTNEED);
    }
}
