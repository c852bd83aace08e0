/* symhook: which functions are sent elsewhere, and in which modules that is done already (symhook.h). */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "symhook.h"

#include "../core/platform.h"
#include "importtable.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/auxv.h>

enum { MOST_HOOKS = 16, MOST_PASSES = 20 };

static void *on_dlsym(void *handle, const char *name);

static struct symhook dlsym_hook = {"dlsym", 0, (uintptr_t)on_dlsym, false};
static void *(*real_dlsym)(void *,
                           const char *); /* written before the first slot leads here, never changed */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Protected by the lock. */
static struct symhook active[MOST_HOOKS];
static size_t active_count;
static char refused_by[512];

/* What was loaded when it was last looked at: how many modules had ever come and gone. Written under the lock; read
 * without it by who only wants to know whether there is anything to do: relaxed, because a thread that has loaded a
 * module sees its own count differ in any case. */
static unsigned long long seen_adds, seen_subs;
static size_t
    seen_modules;   /* the first so many of the list are done: new ones are put behind; under the lock */
static int refused; /* errno; written under the lock, after refused_by */

/* --- one pass through the loaded modules ---------------------------------------------------------------------------- */

struct pass {
    const struct redirect *redirects;
    size_t count;
    unsigned long long adds, subs; /* what was loaded when the pass was decided on */
    size_t skip;                   /* modules that are done */
    size_t met;
    bool overtaken; /* a module has come since */
    struct redirected result;
};

static int read_counts(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    struct pass *pass = context;
    pass->adds = info->dlpi_adds;
    pass->subs = info->dlpi_subs;
    return 1;
}

static void note_refusal(const struct dl_phdr_info *info, int error) {
    bool is_named = info->dlpi_name != NULL && info->dlpi_name[0] != '\0';
    strncpy(refused_by, is_named ? info->dlpi_name : "the executable", sizeof refused_by - 1);
    __atomic_store_n(&refused, error, __ATOMIC_RELEASE);
}

/* Our own module calls the originals; the kernel's own has no slots. */
static bool is_left_out(const struct dl_phdr_info *info) {
    return importtable_holds(info, (uintptr_t)on_dlsym) ||
           importtable_holds(info, getauxval(AT_SYSINFO_EHDR));
}

static int visit_module(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    struct pass *pass = context;
    pass->overtaken = info->dlpi_adds != pass->adds || info->dlpi_subs != pass->subs;
    if (pass->overtaken)
        return 1;
    if (pass->met++ < pass->skip || is_left_out(info))
        return 0;
    pass->result.error = 0;
    importtable_redirect(info, pass->redirects, pass->count, &pass->result);
    if (pass->result.error != 0 && refused == 0)
        note_refusal(info, pass->result.error);
    return 0;
}

/* Waits until whoever loads or unloads a module has done so: dlsym takes the loader's lock, as they do. */
static void let_loading_end(void) { (void)dlsym(RTLD_DEFAULT, dlsym_hook.name); }

static void counts_are(const struct pass *pass, size_t modules) {
    __atomic_store_n(&seen_adds, pass->adds, __ATOMIC_RELAXED);
    __atomic_store_n(&seen_subs, pass->subs, __ATOMIC_RELAXED);
    seen_modules = modules;
}

/* Changes what is not changed yet. A thread may be busy relocating a module that is in the list already, whose slots
 * must not be touched: so the list is taken as it was before all loading had ended, and where it has grown since, it is
 * tried again. Slots that were unbound are looked at a second time: a thread may have been binding one. */
static void change_slots(void) {
    for (int i = 0; i < MOST_PASSES; i++) {
        struct pass pass = {.overtaken = false};
        dl_iterate_phdr(read_counts, &pass);
        let_loading_end();
        pthread_mutex_lock(&lock);
        struct redirect redirects[MOST_HOOKS];
        for (size_t k = 0; k < active_count; k++)
            redirects[k] = (struct redirect){active[k].name, active[k].original, active[k].replacement, true};
        pass.redirects = redirects;
        pass.count = active_count;
        pass.skip = pass.subs == seen_subs ? seen_modules : 0;
        if (pass.count != 0)
            dl_iterate_phdr(visit_module, &pass);
        if (!pass.overtaken)
            counts_are(&pass, pass.result.unbound == 0 ? pass.met : 0);
        pthread_mutex_unlock(&lock);
        if (!pass.overtaken)
            return;
    }
}

/* Slots that lead to a replacement belong to modules that were relocated then: no need to wait. */
static int restore_module(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    struct pass *pass = context;
    if (!is_left_out(info))
        importtable_redirect(info, pass->redirects, pass->count, &pass->result);
    return 0;
}

/* --- a module comes -------------------------------------------------------------------------------------------------- */

void symhook_look_again(void) {
    struct pass now = {.adds = 0};
    dl_iterate_phdr(read_counts, &now);
    if (now.adds != __atomic_load_n(&seen_adds, __ATOMIC_RELAXED) ||
        now.subs != __atomic_load_n(&seen_subs, __ATOMIC_RELAXED))
        change_slots();
}

/* What dlsym is to give instead of this symbol; 0: what it finds. */
static uintptr_t replacement_of(const char *name, uintptr_t *original) {
    uintptr_t replacement = 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < active_count && replacement == 0; i++) {
        if (active[i].by_name && strcmp(active[i].name, name) == 0) {
            replacement = active[i].replacement;
            *original = active[i].original;
        }
    }
    pthread_mutex_unlock(&lock);
    return replacement;
}

/* The last call is a jump (compiled with optimisation): the real dlsym must see who has called us. */
static void *on_dlsym(void *handle, const char *name) {
    uintptr_t original, replacement;
    int saved = errno;
    symhook_look_again();
    errno = saved;
    if (name != NULL && handle != RTLD_NEXT && (replacement = replacement_of(name, &original)) != 0) {
        void *found = real_dlsym(handle, name);
        return (uintptr_t)found == original ? (void *)replacement : found;
    }
    return real_dlsym(handle, name);
}

/* --- hooks come and go ---------------------------------------------------------------------------------------------- */

/* The symbol of an address. A program that takes the address of an imported function without position-independent code
 * makes its own stub the function's address: calls through it come back through its slot. */
static bool is_definition(void *address) {
    Dl_info info;
#if defined(__GLIBC__)
    const ElfW(Sym) *symbol = NULL;
    return dladdr1(address, &info, (void **)&symbol, RTLD_DL_SYMENT) != 0 && symbol != NULL &&
           symbol->st_shndx != SHN_UNDEF;
#else
    return dladdr(address, &info) != 0;
#endif
}

bool symhook_find(struct symhook *hooks, size_t count) {
    bool all = true;
    for (size_t i = 0; i < count; i++) {
        void *found = dlsym(RTLD_DEFAULT, hooks[i].name);
        hooks[i].original = found != NULL && is_definition(found) ? (uintptr_t)found : 0;
        all = all && hooks[i].original != 0;
    }
    return all;
}

static size_t place_of(uintptr_t replacement) {
    size_t i = 0;
    while (i < active_count && active[i].replacement != replacement)
        i++;
    return i;
}

static void add_locked(const struct symhook *hook) {
    size_t place = place_of(hook->replacement);
    if (hook->original == 0 || place < active_count)
        return;
    assert(active_count < MOST_HOOKS);
    active[active_count++] = *hook;
}

void symhook_add(const struct symhook *hooks, size_t count) {
    if (real_dlsym == NULL && symhook_find(&dlsym_hook, 1))
        real_dlsym = (void *(*)(void *, const char *))dlsym_hook.original;
    pthread_mutex_lock(&lock);
    if (active_count == 0)
        refused = 0;
    add_locked(&dlsym_hook);
    for (size_t i = 0; i < count; i++)
        add_locked(&hooks[i]);
    seen_modules = 0;
    pthread_mutex_unlock(&lock);
    platform_publish(); /* a thread that is sent to a replacement must find what that needs */
    change_slots();
}

void symhook_remove(const struct symhook *hooks, size_t count) {
    struct redirect back[MOST_HOOKS];
    struct pass pass = {.redirects = back};
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < count; i++) {
        size_t place = place_of(hooks[i].replacement);
        if (place == active_count)
            continue;
        back[pass.count++] = (struct redirect){hooks[i].name, hooks[i].replacement, hooks[i].original, false};
        active[place] = active[--active_count];
    }
    if (active_count == 1 && active[0].replacement == dlsym_hook.replacement) {
        back[pass.count++] = (struct redirect){dlsym_hook.name, dlsym_hook.replacement, dlsym_hook.original,
                                               false};
        active_count = 0;
    }
    if (pass.count != 0)
        dl_iterate_phdr(restore_module, &pass);
    pthread_mutex_unlock(&lock);
}

int symhook_refusal(const char **module) {
    *module = refused_by;
    return __atomic_load_n(&refused, __ATOMIC_ACQUIRE);
}

/* --- fork ------------------------------------------------------------------------------------------------------------ */

void symhook_before_fork(void) { pthread_mutex_lock(&lock); }
void symhook_after_fork(void) { pthread_mutex_unlock(&lock); }
