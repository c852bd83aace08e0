/* base: what every file of the core shares: status codes, attributes, a pair of counters, checks.
 *
 * The core knows no Python: nothing below src/core includes Python.h. Functions return a `status`; they never
 * print, never abort and never touch errno (platform.c restores it around system calls). `assert` is for our own
 * bugs, a status for what the world may do.
 *
 * Words used everywhere: a *block* is a piece of memory with an address and a size; a *site* is (file, line,
 * function); a *node* is a call path: (parent node, site); a *tally* is the row of counters of a call path; a
 * *record* says which tally a live block belongs to, and how big it is.
 */
#ifndef MEMTALLY_BASE_H
#define MEMTALLY_BASE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if UINTPTR_MAX < UINT64_MAX
#error "memtally needs a system with 64-bit addresses"
#endif

typedef enum {
    STATUS_OK = 0,
    STATUS_NOMEM,   /* the system gave no memory; the structure is unchanged */
    STATUS_FULL,    /* ids or addresses of this structure are used up; it is unchanged */
    STATUS_INVALID, /* an argument or the data cannot be right */
    STATUS_FAILED,  /* what the caller gave to read from or to write to failed; the caller knows why */
} status;

#define nodiscard __attribute__((warn_unused_result))
/* For a variable of another file: hidden ones are reached without the global offset table. */
#define ours_only __attribute__((__visibility__("hidden")))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define hot_inline static inline __attribute__((always_inline))
#define out_of_line __attribute__((__noinline__))
#define cold_path __attribute__((__noinline__, __cold__))
/* The same for one whose result is handed on: where the compiler knows it beforehand, it calls in place of jumping there,
 * and the hot path around it keeps a stack frame. */
#if __has_attribute(__noipa__)
#define jumped_to __attribute__((__noinline__, __noipa__))
#else
#define jumped_to __attribute__((__noinline__))
#endif

/* The compiler does not know any more where this value came from. */
#define hide_from_optimizer(value) __asm__("" : "+r"(value))

/* Two counters that change together. */
typedef struct {
    uint64_t bytes;
    uint64_t blocks;
} pair;

/* MEMTALLY_TINY builds shrink every starting size, so that growth, spill and wrap happen in every test. */
#ifdef MEMTALLY_TINY
#define SIZED(normal, tiny) (tiny)
#else
#define SIZED(normal, tiny) (normal)
#endif

/* Structures have a `NAME_check` that walks them and returns false where an invariant is broken: for tests. */

/* Mixes the bits of a key for a power-of-two table: multiply by 2^64 / golden ratio, fold the high half down
 * (Knuth, The Art of Computer Programming 6.4, "multiplicative hashing"). */
hot_inline uint64_t hash_mix(uint64_t key) {
    key *= UINT64_C(0x9E3779B97F4A7C15);
    return key ^ (key >> 29);
}

/* The places of a table of any size below 2^32: where the upper half of a hash leads, in proportion to it; the one behind a
 * place; how many steps it is from one to another; and the size of the next larger table, by a quarter. */
static inline size_t ring_first(uint64_t hash, size_t size) { return (hash >> 32) * size >> 32; }
static inline size_t ring_next(size_t place, size_t size) { return place + 1 < size ? place + 1 : 0; }
static inline size_t ring_distance(size_t from, size_t to, size_t size) {
    return to >= from ? to - from : to + size - from;
}
static inline size_t ring_larger(size_t size) { return size + size / 4 + 1; }

#endif
