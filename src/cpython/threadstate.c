/* threadstate: finds CPython's thread-local variable (threadstate.h). With the GIL, once, at the first start. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "threadstate.h"

intptr_t threadstate_distance;

#if defined(__x86_64__) && defined(__linux__) && HAVE_THREAD_LOCAL_STATE

#include <link.h>
#include <pthread.h>
#include <string.h>

/* The thread-local block of the module that a code address lies in, for the calling thread. */
struct tls_block {
    uintptr_t inside; /* in: an address in the module's text */
    char *start;      /* out: NULL where the thread has none (yet) */
    size_t size;
};

static int find_block(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    struct tls_block *block = context;
    bool ours = false;
    size_t tls_size = 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_LOAD && block->inside - start < header->p_memsz)
            ours = true;
        if (header->p_type == PT_TLS)
            tls_size = header->p_memsz;
    }
    if (!ours)
        return 0;
    block->start = info->dlpi_tls_data;
    block->size = tls_size;
    return 1;
}

static struct tls_block block_of_python(void) {
    struct tls_block block = {0};
    PyThreadState *(*function)(void) = PyThreadState_Get; /* lies in libpython, or in the executable */
    memcpy(&block.inside, &function, sizeof block.inside);
    dl_iterate_phdr(find_block, &block);
    return block;
}

static char *thread_pointer(void) {
    char *pointer;
    __asm__ volatile("movq %%fs:0, %0" : "=r"(pointer));
    return pointer;
}

/* A thread that has never touched libpython's thread-local variables: only a static block is already there. */
static void *distance_elsewhere(void *unused) {
    (void)unused;
    struct tls_block block = block_of_python();
    return block.start != NULL ? (void *)(block.start - thread_pointer()) : NULL;
}

static bool block_is_static(const struct tls_block *block) {
    pthread_t thread;
    void *distance = NULL;
    if (pthread_create(&thread, NULL, distance_elsewhere, NULL) != 0)
        return false;
    pthread_join(thread, &distance);
    return (intptr_t)distance == block->start - thread_pointer();
}

/* The word that is the thread state while attached, and NULL while not. */
static char *find_variable(const struct tls_block *block) {
    PyThreadState *attached = PyThreadState_Get();
    char *found = NULL;
    for (size_t at = 0; at + sizeof attached <= block->size; at += sizeof attached) {
        char *candidate = block->start + at;
        PyThreadState *volatile *word = (PyThreadState *volatile *)(void *)candidate;
        if (*word != attached)
            continue;
        PyThreadState *saved = PyEval_SaveThread();
        bool cleared = *word == NULL;
        PyEval_RestoreThread(saved);
        if (cleared && found == NULL && *word == attached)
            found = candidate;
    }
    return found;
}

void threadstate_init(void) {
    static bool done;
    if (done)
        return;
    done = true;
    struct tls_block block = block_of_python();
    if (block.start == NULL || (uintptr_t)block.start % sizeof(void *) != 0 || !block_is_static(&block))
        return;
    char *variable = find_variable(&block);
    if (variable != NULL)
        threadstate_distance = variable - thread_pointer();
}

#else

void threadstate_init(void) {}

#endif
