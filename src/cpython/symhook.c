/* symhook: finds and changes slots in the import tables of loaded modules (symhook.h). With the GIL. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "symhook.h"

#include "../core/platform.h"

#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__x86_64__)
#define IS_SLOT(type) ((type) == R_X86_64_JUMP_SLOT || (type) == R_X86_64_GLOB_DAT)
#elif defined(__aarch64__)
#define IS_SLOT(type) ((type) == R_AARCH64_JUMP_SLOT || (type) == R_AARCH64_GLOB_DAT)
#else
#define IS_SLOT(type) false
#endif

struct change {
    const struct symhook *hooks;
    size_t count;
    const char *except;
    bool undo;
    size_t changed;
};

/* What of a module's dynamic section is needed. */
struct module {
    const struct dl_phdr_info *info;
    const ElfW(Sym) * symbols;
    const char *names;
    uintptr_t relro_start, relro_end; /* whole pages, read-only after relocation */
};

static uintptr_t relocated(const struct dl_phdr_info *info, uintptr_t pointer) {
    /* glibc has relocated the pointers in the dynamic section, other loaders have not. */
    return pointer < info->dlpi_addr ? pointer + info->dlpi_addr : pointer;
}

static uintptr_t page_size(void) { return (uintptr_t)sysconf(_SC_PAGESIZE); }

/* Loaders protect whole pages: of one that RELRO ends in, the rest is the program's data, which stays writable. Such a
 * page there is where pages are larger than the linker thought (16 and 64 KiB on aarch64). */
static void find_relro(struct module *module, uintptr_t start, size_t size) {
    module->relro_start = start & ~(page_size() - 1);
    module->relro_end = (start + size) & ~(page_size() - 1);
}

static bool make_writable(const struct module *module, uintptr_t slot, bool writable) {
    if (slot < module->relro_start || slot >= module->relro_end)
        return true;
    uintptr_t page = page_size();
    void *start = (void *)(slot & ~(page - 1));
    return mprotect(start, page, writable ? PROT_READ | PROT_WRITE : PROT_READ) == 0;
}

static void change_slot(struct change *change, const struct module *module, uintptr_t *slot,
                        const char *name) {
    for (size_t i = 0; i < change->count; i++) {
        const struct symhook *hook = &change->hooks[i];
        if (strcmp(hook->name, name) != 0)
            continue;
        uintptr_t now = __atomic_load_n(slot, __ATOMIC_RELAXED);
        uintptr_t wanted = change->undo ? hook->original : hook->replacement;
        if (now == wanted || (change->undo && now != hook->replacement))
            return;
        if (!make_writable(module, (uintptr_t)slot, true))
            return;
        __atomic_store_n(slot, wanted, __ATOMIC_RELEASE);
        make_writable(module, (uintptr_t)slot, false);
        change->changed++;
        return;
    }
}

static void change_table(struct change *change, const struct module *module, uintptr_t table, size_t bytes) {
    const ElfW(Rela) *relocations = (const ElfW(Rela) *)table;
    for (size_t i = 0; i < bytes / sizeof *relocations; i++) {
        if (!IS_SLOT(ELF64_R_TYPE(relocations[i].r_info)))
            continue;
        const char *name = module->names + module->symbols[ELF64_R_SYM(relocations[i].r_info)].st_name;
        change_slot(change, module, (uintptr_t *)(module->info->dlpi_addr + relocations[i].r_offset), name);
    }
}

static void change_dynamic(struct change *change, struct module *module, const ElfW(Dyn) * dynamic) {
    uintptr_t plt = 0, rela = 0;
    size_t plt_bytes = 0, rela_bytes = 0;
    for (; dynamic->d_tag != DT_NULL; dynamic++) {
        uintptr_t pointer = relocated(module->info, dynamic->d_un.d_ptr);
        switch (dynamic->d_tag) {
        case DT_SYMTAB:
            module->symbols = (const ElfW(Sym) *)pointer;
            break;
        case DT_STRTAB:
            module->names = (const char *)pointer;
            break;
        case DT_JMPREL:
            plt = pointer;
            break;
        case DT_PLTRELSZ:
            plt_bytes = dynamic->d_un.d_val;
            break;
        case DT_RELA:
            rela = pointer;
            break;
        case DT_RELASZ:
            rela_bytes = dynamic->d_un.d_val;
            break;
        default:
            break;
        }
    }
    if (module->symbols == NULL || module->names == NULL)
        return;
    if (plt != 0)
        change_table(change, module, plt, plt_bytes);
    if (rela != 0)
        change_table(change, module, rela, rela_bytes);
}

static int change_module(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    struct change *change = context;
    if (change->except != NULL && info->dlpi_name != NULL && strstr(info->dlpi_name, change->except) != NULL)
        return 0;
    struct module module = {.info = info};
    const ElfW(Dyn) *dynamic = NULL;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type == PT_DYNAMIC)
            dynamic = (const ElfW(Dyn) *)(info->dlpi_addr + header->p_vaddr);
        if (header->p_type == PT_GNU_RELRO)
            find_relro(&module, info->dlpi_addr + header->p_vaddr, header->p_memsz);
    }
    /* The kernel's own module has no slots, and its dynamic section is not relocated. */
    if (dynamic != NULL && (info->dlpi_name == NULL || strstr(info->dlpi_name, "linux-vdso") == NULL))
        change_dynamic(change, &module, dynamic);
    return 0;
}

size_t symhook_apply(const struct symhook *hooks, size_t count, const char *except) {
    struct change change = {hooks, count, except, false, 0};
    platform_publish(); /* a thread that is sent to a replacement must find what that needs */
    dl_iterate_phdr(change_module, &change);
    return change.changed;
}

size_t symhook_undo(const struct symhook *hooks, size_t count) {
    struct change change = {hooks, count, NULL, true, 0};
    dl_iterate_phdr(change_module, &change);
    return change.changed;
}
