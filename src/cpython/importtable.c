/* importtable: slots in the import tables of a loaded module (importtable.h). */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "importtable.h"

#include "../core/platform.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__x86_64__)
enum { JUMP_SLOT = R_X86_64_JUMP_SLOT, GLOB_DAT = R_X86_64_GLOB_DAT, ABS64 = R_X86_64_64 };
#elif defined(__aarch64__)
enum { JUMP_SLOT = R_AARCH64_JUMP_SLOT, GLOB_DAT = R_AARCH64_GLOB_DAT, ABS64 = R_AARCH64_ABS64 };
#else
enum { JUMP_SLOT = -1, GLOB_DAT = -2, ABS64 = -3 }; /* no relocation has these numbers: no slot is found */
#endif

/* What of a module is needed; all borrowed from the loader. */
struct module {
    const struct dl_phdr_info *info;
    const ElfW(Dyn) * dynamic; /* NULL: none */
    const ElfW(Sym) * symbols;
    const char *names;
    uintptr_t plt, rela; /* tables of relocations; 0: none */
    size_t plt_bytes, rela_bytes;
    uintptr_t relro_start, relro_end; /* read-only after relocation, whole pages */
};

struct pass {
    const struct module *module;
    const struct redirect *redirects;
    size_t count;
    struct redirected *result;
};

/* --- the module ----------------------------------------------------------------------------------------------------- */

static uintptr_t relocated(const struct dl_phdr_info *info, uintptr_t pointer) {
    /* glibc has relocated the pointers in the dynamic section, other loaders have not. */
    return pointer < info->dlpi_addr ? pointer + info->dlpi_addr : pointer;
}

static bool segment_holds(const struct dl_phdr_info *info, uintptr_t address, ElfW(Word) flags) {
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_LOAD && (header->p_flags & flags) == flags &&
            address - start < header->p_memsz)
            return true;
    }
    return false;
}

bool importtable_holds(const struct dl_phdr_info *info, uintptr_t address) {
    return segment_holds(info, address, 0);
}

/* The number that a tag has in the dynamic section; 0: none. */
static uintptr_t number_of(const struct module *module, ElfW(Sxword) tag) {
    const ElfW(Dyn) *entry = module->dynamic;
    while (entry->d_tag != DT_NULL && entry->d_tag != tag)
        entry++;
    return entry->d_tag == tag ? entry->d_un.d_val : 0;
}

static uintptr_t pointer_of(const struct module *module, ElfW(Sxword) tag) {
    uintptr_t pointer = number_of(module, tag);
    return pointer != 0 ? relocated(module->info, pointer) : 0;
}

static void read_dynamic(struct module *module) {
    module->symbols = (const ElfW(Sym) *)pointer_of(module, DT_SYMTAB);
    module->names = (const char *)pointer_of(module, DT_STRTAB);
    module->plt = pointer_of(module, DT_JMPREL);
    module->plt_bytes = number_of(module, DT_PLTRELSZ);
    module->rela = pointer_of(module, DT_RELA);
    module->rela_bytes = number_of(module, DT_RELASZ);
}

/* The loader protects whole pages: what is left of the last one stays writable. */
static void read_headers(struct module *module) {
    const struct dl_phdr_info *info = module->info;
    uintptr_t in_page = platform_page_size() - 1;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_DYNAMIC)
            module->dynamic = (const ElfW(Dyn) *)start;
        if (header->p_type == PT_GNU_RELRO) {
            module->relro_start = start & ~in_page;
            module->relro_end = (start + header->p_memsz) & ~in_page;
        }
    }
    if (module->dynamic != NULL)
        read_dynamic(module);
}

bool importtable_needs(const struct dl_phdr_info *info, const char *file) {
    struct module module = {.info = info};
    read_headers(&module);
    const char *slash = strrchr(file, '/'), *name = slash != NULL ? slash + 1 : file;
    for (const ElfW(Dyn) *entry = module.dynamic; entry != NULL && entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_NEEDED && module.names != NULL &&
            strcmp(module.names + entry->d_un.d_val, name) == 0)
            return true;
    }
    return false;
}

/* --- one slot -------------------------------------------------------------------------------------------------------- */

static bool protect(const struct module *module, uintptr_t slot, int protection) {
    if (slot < module->relro_start || slot >= module->relro_end)
        return true;
    size_t page = platform_page_size();
    return mprotect((void *)(slot & ~(page - 1)), page, protection) == 0;
}

static void write_slot(struct pass *pass, uintptr_t *slot, uintptr_t value) {
    const struct module *module = pass->module;
    if (!segment_holds(module->info, (uintptr_t)slot, PF_W))
        return; /* text with relocations */
    int saved = errno;
    if (protect(module, (uintptr_t)slot, PROT_READ | PROT_WRITE)) {
        __atomic_store_n(slot, value, __ATOMIC_RELEASE);
        (void)protect(module, (uintptr_t)slot, PROT_READ);
        pass->result->slots++;
    } else {
        pass->result->error = errno;
    }
    errno = saved;
}

/* It leads back into its module, to code that will look the symbol up, and not to a definition there. */
static bool is_unbound(const struct module *module, const ElfW(Sym) * symbol, uintptr_t value,
                       uintptr_t definition) {
    bool is_import = symbol->st_shndx == SHN_UNDEF ||
                     module->info->dlpi_addr + symbol->st_value == definition;
    return is_import && importtable_holds(module->info, value);
}

static void visit_slot(struct pass *pass, uintptr_t *slot, const ElfW(Sym) * symbol, bool may_be_unbound) {
    const struct module *module = pass->module;
    uintptr_t value = __atomic_load_n(slot, __ATOMIC_RELAXED);
    for (size_t i = 0; i < pass->count; i++) {
        const struct redirect *redirect = &pass->redirects[i];
        if (value == redirect->to || (value != redirect->from && !(may_be_unbound && redirect->unbound)))
            continue;
        if (strcmp(redirect->name, module->names + symbol->st_name) != 0)
            continue;
        if (value != redirect->from) {
            if (!is_unbound(module, symbol, value, redirect->from))
                return;
            pass->result->unbound++;
        }
        write_slot(pass, slot, redirect->to);
        return;
    }
}

static void visit_table(struct pass *pass, uintptr_t table, size_t bytes) {
    const ElfW(Rela) *relocations = (const ElfW(Rela) *)table;
    for (size_t i = 0; i < bytes / sizeof *relocations; i++) {
        const ElfW(Rela) *relocation = &relocations[i];
        int type = (int)ELF64_R_TYPE(relocation->r_info);
        if (type != JUMP_SLOT && type != GLOB_DAT && (type != ABS64 || relocation->r_addend != 0))
            continue;
        const ElfW(Sym) *symbol = &pass->module->symbols[ELF64_R_SYM(relocation->r_info)];
        visit_slot(pass, (uintptr_t *)(pass->module->info->dlpi_addr + relocation->r_offset), symbol,
                   type == JUMP_SLOT);
    }
}

void importtable_redirect(const struct dl_phdr_info *info, const struct redirect *redirects, size_t count,
                          struct redirected *result) {
    struct module module = {.info = info};
    read_headers(&module);
    if (module.symbols == NULL || module.names == NULL)
        return;
    struct pass pass = {&module, redirects, count, result};
    if (module.plt != 0)
        visit_table(&pass, module.plt, module.plt_bytes);
    if (module.rela != 0)
        visit_table(&pass, module.rela, module.rela_bytes);
}
