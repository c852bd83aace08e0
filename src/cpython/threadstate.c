/* threadstate: finds CPython's thread-local variable (threadstate.h). With the GIL, once, at the first start. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "threadstate.h"
#include "importtable.h"

intptr_t threadstate_distance;

#if defined(__x86_64__) && defined(__linux__) && HAVE_THREAD_LOCAL_STATE

#include <link.h>
#include <pthread.h>
#include <string.h>

/* The thread-local block of the module that a code address lies in, for the calling thread. */
struct tls_block {
    uintptr_t inside; /* in: an address in the module's text */
    char *start;      /* out: NULL where the thread has none (yet) */
    size_t size;      /* bytes */
    const char *file; /* the module's; borrowed from the loader */
};

static int find_block(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    struct tls_block *block = context;
    if (!importtable_holds(info, block->inside))
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_TLS)
            block->size = info->dlpi_phdr[i].p_memsz;
    }
    block->start = info->dlpi_tls_data;
    block->file = info->dlpi_name;
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

/* The program comes first of all modules, and has no name. */
static int is_of_program(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    const struct tls_block *block = context;
    bool found = importtable_holds(info, block->inside) || importtable_needs(info, block->file);
    return info->dlpi_name[0] == '\0' && found ? 1 : -1;
}

/* What is loaded with the program has its block beside each thread's pointer. Of anything else a thread must tell, which
 * costs a hundred kilobytes: its stack, and the code that ends threads. */
static bool block_is_static(struct tls_block *block) {
    if (dl_iterate_phdr(is_of_program, block) == 1)
        return true;
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
