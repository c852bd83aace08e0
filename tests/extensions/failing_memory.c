/* failing_memory: preloaded (LD_PRELOAD), makes the Nth request for memory of memtally's extension module
 * fail.
 *
 * It stands before the C library's mmap and mprotect; a call counts if it comes from a module whose file name
 * begins with "_core.". All others go on to the system. `failing_memory_arm` is called through ctypes. Any
 * thread.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static long fail_at; /* 0: none fails, none is counted */
static bool fail_on; /* all after it as well */
static long calls;

void failing_memory_arm(long nth, int lasting);
long failing_memory_calls(void);

void failing_memory_arm(long nth, int lasting) {
    __atomic_store_n(&calls, 0, __ATOMIC_RELAXED);
    fail_on = lasting != 0;
    __atomic_store_n(&fail_at, nth, __ATOMIC_SEQ_CST);
}

long failing_memory_calls(void) { return __atomic_load_n(&calls, __ATOMIC_RELAXED); }

static bool is_ours(void *caller) {
    Dl_info info;
    if (dladdr(caller, &info) == 0 || info.dli_fname == NULL)
        return false;
    const char *name = strrchr(info.dli_fname, '/');
    return strncmp(name != NULL ? name + 1 : info.dli_fname, "_core.", 6) == 0;
}

static bool fails(void *caller) {
    long nth = __atomic_load_n(&fail_at, __ATOMIC_SEQ_CST);
    if (nth == 0)
        return false;
    int saved = errno;
    bool ours = is_ours(caller);
    errno = saved;
    if (!ours)
        return false;
    long call = __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
    return fail_on ? call >= nth : call == nth;
}

static void *mmap_from(void *caller, void *start, size_t bytes, int protection, int flags, int file,
                       off_t offset) {
    if (fails(caller)) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, start, bytes, protection, flags, file, offset);
}

void *mmap(void *start, size_t bytes, int protection, int flags, int file, off_t offset) {
    return mmap_from(__builtin_return_address(0), start, bytes, protection, flags, file, offset);
}

void *mmap64(void *start, size_t bytes, int protection, int flags, int file, off64_t offset) {
    return mmap_from(__builtin_return_address(0), start, bytes, protection, flags, file, (off_t)offset);
}

int mprotect(void *start, size_t bytes, int protection) {
    if (fails(__builtin_return_address(0))) {
        errno = ENOMEM;
        return -1;
    }
    return (int)syscall(SYS_mprotect, start, bytes, protection);
}
