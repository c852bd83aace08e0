/* scale: how much of a long random test is run. ThreadSanitizer makes a test of one thread slow and finds
 * nothing in it; what needs its eye is unit_threads.c, which is not scaled. An emulated machine is slow all over, and the
 * whole of it has been run on a real one. At least 1 of what is asked for.
 */
#ifndef MEMTALLY_TEST_SCALE_H
#define MEMTALLY_TEST_SCALE_H

#if defined(__SANITIZE_THREAD__) || defined(MEMTALLY_EMULATED)
#define SCALED(count) (((count) + 7) / 8)
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SCALED(count) (((count) + 7) / 8)
#endif
#endif

#ifndef SCALED
#define SCALED(count) (count)
#endif

#endif
