/* support: what the core's tests share: cmocka, random numbers, the system's memory failing on demand, and a system
 * with larger pages: MEMTALLY_TEST_PAGE in the environment, in bytes, a multiple of what this one has.
 *
 * Link with -Wl,--wrap= and the three functions that are wrapped here. One thread.
 */
#ifndef MEMTALLY_TEST_SUPPORT_H
#define MEMTALLY_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#ifdef assert_int_in_range /* cmocka 2 has one for each kind of number, and warns of the old one */
#undef assert_in_range
#define assert_in_range(value, least, most)                                                                  \
    assert_int_in_range((intmax_t)(value), (intmax_t)(least), (intmax_t)(most))
#endif

#include "platform.h"
#include "vmem.h"

size_t __real_platform_page_size(void);
size_t __wrap_platform_page_size(void);
void *__real_platform_place(size_t bytes);
bool __real_platform_extend(void *end, size_t bytes);
void *__real_platform_reserve(size_t bytes);
bool __real_platform_commit(void *start, size_t bytes);
void *__wrap_platform_place(size_t bytes);
bool __wrap_platform_extend(void *end, size_t bytes);
void *__wrap_platform_reserve(size_t bytes);
bool __wrap_platform_commit(void *start, size_t bytes);

/* The call that fails, counted from 1 (0: none does), and whether all after it fail as well. */
static size_t support_fail_at, support_calls;
static bool support_fail_on;

static inline bool support_fails(void) {
    if (support_fail_at == 0)
        return false;
    support_calls++;
    return support_fail_on ? support_calls >= support_fail_at : support_calls == support_fail_at;
}

static _Atomic size_t
    support_page; /* a test may change it; 0: not asked yet, every thread gets the same answer */

size_t __wrap_platform_page_size(void) {
    if (support_page == 0) {
        const char *wanted = getenv("MEMTALLY_TEST_PAGE");
        support_page = wanted != NULL ? strtoul(wanted, NULL, 10) : __real_platform_page_size();
    }
    return support_page;
}

/* Only a system with its own pages has places. */
void *__wrap_platform_place(size_t bytes) {
    bool none = support_fails() || platform_page_size() != __real_platform_page_size();
    return none ? NULL : __real_platform_place(bytes);
}

bool __wrap_platform_extend(void *end, size_t bytes) {
    return !support_fails() && __real_platform_extend(end, bytes);
}

/* As a system with such pages: it refuses what is not made of them, and gives addresses where one begins. */
void *__wrap_platform_reserve(size_t bytes) {
    size_t page = platform_page_size();
    if (support_fails() || bytes % page != 0 || bytes > SIZE_MAX - page)
        return NULL;
    char *start = __real_platform_reserve(bytes + page);
    if (start == NULL)
        return NULL;
    size_t skipped = -(uintptr_t)start & (page - 1);
    if (skipped != 0)
        platform_release(start, skipped);
    platform_release(start + skipped + bytes, page - skipped);
    return start + skipped;
}

bool __wrap_platform_commit(void *start, size_t bytes) {
    if (((uintptr_t)start | bytes) & (platform_page_size() - 1))
        return false;
    return !support_fails() && __real_platform_commit(start, bytes);
}

/* Runs `task` with its Nth request for memory failing, N = 1, 2, ..., until it gets through without a
 * failure: once with one failure, once with all from the Nth on. A task gives back what it took, whatever its
 * result; a single failure may be made up for (a smaller reservation), a lasting one must be told. Returns
 * the number of requests. */
static inline size_t support_sweep(struct vmem *account, status (*task)(void *context), void *context) {
    size_t before = vmem_bytes(account), n = 0;
    for (int lasting = 0; lasting < 2; lasting++) {
        for (n = 1;; n++) {
            support_fail_at = n;
            support_fail_on = lasting != 0;
            support_calls = 0;
            status result = task(context);
            support_fail_at = 0;
            assert_int_equal(vmem_bytes(account), before);
            if (support_calls < n) {
                assert_int_equal(result, STATUS_OK);
                break;
            }
            if (lasting != 0)
                assert_int_not_equal(result, STATUS_OK);
            if (result != STATUS_OK)
                assert_true(result == STATUS_NOMEM || result == STATUS_FULL);
        }
    }
    return n - 1;
}

/* Repeatable random numbers (Steele, Lea, Flood: "splitmix"). */
static inline uint64_t support_random(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* 0 .. end - 1 */
static inline uint32_t support_below(uint64_t *state, uint32_t end) {
    return (uint32_t)(support_random(state) % end);
}

#endif
