/* platform: mmap and futexes behind the few calls of platform.h. Any thread; owns nothing. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "platform.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000 /* Linux 4.17 */
#endif

/* Where places are: between the lowest addresses, where other runtimes have their fixed heaps, and those that Linux gives
 * out from above and below (executables, stacks, mappings). */
#define PLACES_START ((uintptr_t)1 << 45)
enum { PLACES = 384, PLACES_TRIED = 64 };

size_t platform_page_size(void) {
    static _Atomic size_t page_size; /* idempotent: every thread computes the same value */
    size_t size = page_size;
    if (size == 0)
        page_size = size = (size_t)sysconf(_SC_PAGESIZE);
    return size;
}

/* Zeroed memory at this address, or false: somebody else has some there, or there is none. The system decides, so no lock
 * is needed. An older one may take the address for a mere wish. */
static bool map_at(uintptr_t address, size_t bytes) {
    void *start = mmap((void *)address, bytes, PROT_READ | PROT_WRITE, /* NOLINT(performance-no-int-to-ptr) */
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (start == MAP_FAILED)
        return false;
    if ((uintptr_t)start == address)
        return true;
    munmap(start, bytes);
    errno = ENOMEM;
    return false;
}

/* Nobody is to know beforehand where places begin: as with all that the system gives, of which the stack is one. */
static uintptr_t places_start(void) {
    static _Atomic uintptr_t start; /* whoever comes first decides, for all */
    uintptr_t decided = start, here = (uintptr_t)&decided;
    if (decided != 0)
        return decided;
    uintptr_t huge_page = (uintptr_t)1 << 21;
    uintptr_t shifted = PLACES_START + (hash_mix(here) & (PLACE_BYTES - huge_page));
    return __atomic_compare_exchange_n((uintptr_t *)&start, &decided, shifted, false, __ATOMIC_RELAXED,
                                       __ATOMIC_RELAXED)
               ? shifted
               : decided;
}

/* These sanitizers have addresses of their own where places are: what is asked for there they send elsewhere, even to
 * address 0. They may be the interpreter's alone. */
extern void __tsan_init(void) __attribute__((weak));
extern void __msan_init(void) __attribute__((weak));

static bool are_places_free(void) { return __tsan_init == NULL && __msan_init == NULL; }

void *platform_place(size_t bytes) {
    static _Atomic uint32_t next; /* where to look first; relaxed: any value will do */
    int saved = errno;
    void *start = NULL;
    for (int i = 0; start == NULL && i < PLACES_TRIED && are_places_free(); i++) {
        uintptr_t place = __atomic_fetch_add((uint32_t *)&next, 1, __ATOMIC_RELAXED) % PLACES;
        /* Not all at the same offset: the processor looks addresses up by their middle bits. */
        uintptr_t address = places_start() + place * (PLACE_BYTES + 5 * platform_page_size());
        if (map_at(address, bytes))
            start = (void *)address; /* NOLINT(performance-no-int-to-ptr) */
        else if (errno != EEXIST)
            break;
    }
    errno = saved;
    return start;
}

bool platform_extend(void *end, size_t bytes) {
    int saved = errno;
    bool done = map_at((uintptr_t)end, bytes);
    errno = saved;
    return done;
}

void *platform_leave_place(void *start, size_t bytes) {
    int saved = errno;
    void *elsewhere = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (elsewhere != MAP_FAILED) {
        if (mremap(start, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere) == elsewhere)
            start = elsewhere;
        else
            munmap(elsewhere, bytes);
    }
    errno = saved;
    return start;
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

void platform_random(void *bytes, size_t length) {
    int saved = errno;
    if (getentropy(bytes, length) != 0) {
        uint64_t number = (uintptr_t)bytes ^ (uint64_t)getpid() << 32; /* where the stack is differs */
        for (size_t i = 0; i < length; i++)
            ((unsigned char *)bytes)[i] = (unsigned char)((number = hash_mix(number + i + 1)) >> 24);
    }
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

/* --- locks: three states and a futex (Ulrich Drepper, "Futexes Are Tricky", the second mutex) ------------------------ */

/* With 1, 2, 3 ... pauses in between: some microsecond, together. More is worse where the thread with the GIL and one
 * without contend: they then take turns at each event, where one that sleeps lets the other do many in a row. */
enum { SPINS = 8 };

/* FUTEX_WAIT, FUTEX_WAKE and FUTEX_PRIVATE_FLAG of futex(2): musl's compiler comes without the kernel's headers. */
enum { WAIT_PRIVATE = 0 | 128, WAKE_PRIVATE = 1 | 128 };

void lock_init(struct lock *lock, enum lock_rank rank) { *lock = (struct lock){.rank = rank}; }

void lock_fini(struct lock *lock) {
    assert(lock->state == 0);
    (void)lock;
}

static inline void pause_briefly(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static bool try_again(struct lock *lock) {
    uint32_t state = 0;
    return __atomic_load_n(&lock->state, __ATOMIC_RELAXED) == 0 &&
           __atomic_compare_exchange_n(&lock->state, &state, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* Locks are held for less time than it takes to fall asleep and be woken: so try again for a while. */
cold_path void lock_acquire_slow(struct lock *lock) {
    for (int i = 1; i <= SPINS; i++) {
        for (int j = 0; j < i; j++)
            pause_briefly();
        if (try_again(lock))
            return;
    }
    int saved = errno;
    while (__atomic_exchange_n(&lock->state, 2, __ATOMIC_ACQUIRE) != 0)
        (void)syscall(SYS_futex, &lock->state, WAIT_PRIVATE, 2, NULL, NULL, 0);
    errno = saved;
}

cold_path void lock_wake_slow(struct lock *lock) {
    int saved = errno;
    (void)syscall(SYS_futex, &lock->state, WAKE_PRIVATE, 1, NULL, NULL, 0);
    errno = saved;
}

bool lock_is_mine(const struct lock *lock) {
#ifndef NDEBUG
    return lock->holder == (uintptr_t)pthread_self();
#else
    (void)lock;
    return true;
#endif
}
