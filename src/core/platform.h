/* platform: the only file that asks the operating system for anything: memory, locks, chance.
 *
 * Ownership: whoever reserves or maps gives back with the same size. Threads: any. Errors: NULL or false; errno is
 * left as found, because these calls happen inside allocator hooks. Tests replace platform_place, _extend, _reserve and
 * _commit at link time (-Wl,--wrap) to make the Nth call fail.
 */
#ifndef MEMTALLY_PLATFORM_H
#define MEMTALLY_PLATFORM_H

#include "base.h"

#include <pthread.h>

size_t platform_page_size(void);

/* Zeroed memory at the start of a place of PLACE_BYTES that nobody else is given memory in, though nothing but this memory
 * is taken: neither a limit of addresses (ulimit -v) nor who counts them is concerned with the rest. NULL where the
 * system has no such place, or no memory. platform_release gives it back, with all that was put behind it. */
#define PLACE_BYTES ((size_t)1 << 37)
nodiscard void *platform_place(size_t bytes);

/* Puts zeroed memory right behind that of a place (page multiples); false where the system has none. */
nodiscard bool platform_extend(void *end, size_t bytes);

/* Gives a place back and keeps its memory (all that is mapped of it): returns where that lies from now on, with the same
 * content. It stays where it is if the system cannot move it. */
nodiscard void *platform_leave_place(void *start, size_t bytes);

/* Addresses without memory behind them, which are taken nevertheless; NULL where none are left. `bytes` is a multiple of the page size. */
nodiscard void *platform_reserve(size_t bytes);

/* Puts zeroed memory behind reserved addresses (page multiples); false where the system has none. */
nodiscard bool platform_commit(void *start, size_t bytes);

/* A touched page must not bring a huge one with it. A hint: its failure changes nothing. */
void platform_keep_small_pages(void *start, size_t bytes);

/* Gives addresses and the memory behind them back. */
void platform_release(void *start, size_t bytes);

/* Bytes that nobody can foresee; at most 256. Where the system has none, such as differ from run to run. */
void platform_random(void *bytes, size_t length);

/* What this thread wrote before, every other thread sees once it sees something that is written afterwards, although that
 * thread only reads, one after the other, with no barrier of its own. For what hot paths find through a pointer to a
 * function that is set later. Microseconds, rarely milliseconds. An old kernel that cannot do it (before 4.3) leaves a
 * fence on the writer's side alone. */
void platform_publish(void);

/* Locks, in the order in which they may be taken while another is held (lower first). Held for microseconds,
 * never while waiting for anything else, so any thread may take them inside a hook, with or without a GIL. Who finds one
 * taken tries again for some microsecond before it sleeps, which would take longer. */
enum lock_rank { LOCK_SIDE, LOCK_SHARD, LOCK_PATHS };

struct lock {
    uint32_t state; /* atomic: 0: free, 1: taken, 2: taken, and somebody may sleep until it is free */
    enum lock_rank rank;
#ifndef NDEBUG
    _Atomic(uintptr_t) holder;
#endif
};

void lock_init(struct lock *lock, enum lock_rank rank);
void lock_fini(struct lock *lock);
bool lock_is_mine(const struct lock *lock); /* for asserts: always true in release builds */

void lock_acquire_slow(struct lock *lock);
void lock_wake_slow(struct lock *lock);

static inline void lock_acquire(struct lock *lock) {
    uint32_t state = 0;
    if (unlikely(
            !__atomic_compare_exchange_n(&lock->state, &state, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)))
        lock_acquire_slow(lock);
#ifndef NDEBUG
    lock->holder = (uintptr_t)pthread_self();
#endif
}

static inline void lock_release(struct lock *lock) {
#ifndef NDEBUG
    lock->holder = 0;
#endif
    if (unlikely(__atomic_exchange_n(&lock->state, 0, __ATOMIC_RELEASE) == 2))
        lock_wake_slow(lock);
}

#endif
