/* platform: mmap and pthreads behind the few calls of platform.h. Any thread; owns nothing. */
#include "platform.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

size_t platform_page_size(void) {
    static _Atomic size_t page_size; /* idempotent: every thread computes the same value */
    size_t size = page_size;
    if (size == 0)
        page_size = size = (size_t)sysconf(_SC_PAGESIZE);
    return size;
}

void *platform_reserve(size_t bytes) {
    int saved = errno;
    void *start = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    errno = saved;
    return start == MAP_FAILED ? NULL : start;
}

bool platform_commit(void *start, size_t bytes) {
    int saved = errno;
    bool done = mprotect(start, bytes, PROT_READ | PROT_WRITE) == 0;
    errno = saved;
    return done;
}

void platform_keep_small_pages(void *start, size_t bytes) {
    int saved = errno;
    (void)madvise(start, bytes, MADV_NOHUGEPAGE);
    errno = saved;
}

void platform_release(void *start, size_t bytes) {
    int saved = errno;
    munmap(start, bytes);
    errno = saved;
}

/* x86 shows writes, and does reads, in their order; so there it is only the compiler that must keep it. */
void platform_publish(void) {
    static unsigned times; /* atomic; its value is nobody's: a fence that ThreadSanitizer knows as well */
    __atomic_fetch_add(&times, 1, __ATOMIC_SEQ_CST);
#if !defined(__x86_64__) && defined(SYS_membarrier)
    enum { GLOBAL = 1, PRIVATE_EXPEDITED = 8, REGISTER_PRIVATE_EXPEDITED = 16 }; /* linux/membarrier.h */
    int saved = errno;
    if (syscall(SYS_membarrier, REGISTER_PRIVATE_EXPEDITED, 0, 0) != 0 ||
        syscall(SYS_membarrier, PRIVATE_EXPEDITED, 0, 0) != 0)
        (void)syscall(SYS_membarrier, GLOBAL, 0, 0);
    errno = saved;
#endif
}

void lock_init(struct lock *lock, enum lock_rank rank) {
    pthread_mutex_init(&lock->mutex, NULL);
    lock->rank = rank;
#ifndef NDEBUG
    lock->holder = 0;
#endif
}

void lock_fini(struct lock *lock) { pthread_mutex_destroy(&lock->mutex); }

void lock_acquire(struct lock *lock) {
    pthread_mutex_lock(&lock->mutex);
#ifndef NDEBUG
    lock->holder = (uintptr_t)pthread_self();
#endif
}

void lock_release(struct lock *lock) {
#ifndef NDEBUG
    lock->holder = 0;
#endif
    pthread_mutex_unlock(&lock->mutex);
}

bool lock_is_mine(const struct lock *lock) {
#ifndef NDEBUG
    return lock->holder == (uintptr_t)pthread_self();
#else
    (void)lock;
    return true;
#endif
}
