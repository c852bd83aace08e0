/* hooks: the hooks of MEM and OBJ (hooks.h). The only code on the hot path; everything it calls there is inlined.
 *
 * MEM and OBJ calls come with the GIL of their interpreter: the main one, also of sub-interpreters that share it, or
 * another (apart, in the words of side.h). If the calling thread is the tracer's fast thread, it holds
 * the main GIL and may use the main partition at once: one load and one comparison replace all other checks.
 *
 * Where pymalloc alone is below, the fast thread keeps blocks that were just freed (magazine.h). Such a block must hold
 * its whole class, which is so for all that pymalloc has in its pools, and not for what it has from RAW: blocks over 512
 * bytes, what these become when they shrink, and all where it finds no room for pools. So what comes from RAW, or may,
 * never gets a slot, and what has no slot is not kept. */
#include "walk_frames.h"

#include "../core/blocks.h"
#include "apart.h"
#include "hooks_parts.h"
#include "reftrace.h"
#include "threadstate.h"

#include <string.h>

PyMemAllocatorEx hooks_below[3];
THREAD_LOCAL bool hooks_inside, hooks_probed, hooks_probed_raw;
THREAD_LOCAL const void *hooks_going, *hooks_nested;
bool hooks_may_keep, hooks_kept_too_long;
struct pool **hooks_pools, **hooks_pools_here;
struct newest hooks_newest;

/* The object in the newest block was not announced. */
static out_of_line void look_again(void) {
    if (!thread_has_main_gil(threadstate_get()))
        return;
    hooks_newest.size = 0;
    if (the_tracer.active)
        reftrace_look_again();
}

/* --- who is calling? --------------------------------------------------------------------------------------------- */

/* The tally of the present call path where the usual way finds it, or 0. */
hot_inline uint32_t tally_known(PyThreadState *fast) { return walk_marked(&the_tracer, frame_current(fast)); }

/* Blocks are kept, and pools used, in the main interpreter alone: another one may have a pymalloc of its own. Returns
 * false where there is no memory; the side's window is closed all the same. */
static out_of_line bool enter(PyThreadState *thread) {
    bool here = hooks_may_keep && thread->interp == PyInterpreterState_Main();
    hooks_pools_here = here ? hooks_pools : NULL;
    if (here)
        magazines_open(&the_tracer.magazines);
    else
        magazines_shut(&the_tracer.magazines);
    hooks_kept_too_long = false; /* another interpreter could not give them back */
    return tracer_enter(&the_tracer, thread) == STATUS_OK;
}

/* With the main GIL: the tally of the present call path, or 0 where there is no memory. */
static inline uint32_t tally_now(PyThreadState *thread) {
    if (unlikely((const void *)thread != the_tracer.entered) && !enter(thread))
        return 0;
    uint32_t tally = tally_known(thread);
    return likely(tally != 0) ? tally : capture_slow(thread);
}

/* --- blocks that are not the main partition's ---------------------------------------------------------------------- */

static void side_put_apart(PyThreadState *thread, void *block, size_t size) {
    struct apart_path path = {0};
    while (apart_capture(thread, (uintptr_t)block, &path) == STATUS_OK &&
           !tracer_side_put(&the_tracer, false, path.tree, DOMAIN_PYTHON, (uintptr_t)block, size, path.node))
        continue;
}

static void side_move_apart(PyThreadState *thread, uintptr_t address) {
    struct apart_path path = {0};
    while (apart_capture(thread, address, &path) == STATUS_OK &&
           !tracer_side_move(&the_tracer, false, path.tree, DOMAIN_PYTHON, address, path.node))
        continue;
}

static void side_put_joint(PyThreadState *thread, void *block, size_t size) {
    if (!the_tracer.active)
        return;
    uint32_t tally = tally_now(thread);
    if (tally == 0) {
        tracer_count_lost(&the_tracer);
        return;
    }
    uint32_t node = ledger_node(&the_tracer.ledger, tally);
    bool done = tracer_side_put(&the_tracer, true, the_tracer.paths->serial, DOMAIN_PYTHON, (uintptr_t)block,
                                size, node);
    assert(done); /* only who holds the main GIL replaces the call tree */
    (void)done;
}

/* `thread`: whose stack to walk, or NULL. `joint`: this thread holds the main GIL, `thread` is attached to it. */
void hooks_side_put(PyThreadState *thread, bool joint, void *block, size_t size) {
    if (joint)
        side_put_joint(thread, block, size);
    else
        side_put_apart(thread, block, size);
}

/* --- MEM and OBJ --------------------------------------------------------------------------------------------------- */

/* `announced`: how many bytes of the block an object in it may be announced in without a second look: none after a
 * realloc, which is not the birth of an object, and none in the MEM domain. All of these return the block. */

/* `pooled`: is it of a kind that may have a slot? */
static void *put_now(void *block, size_t size, size_t announced, bool pooled, uint32_t tally) {
    if (unlikely(tally == 0)) {
        tracer_count_lost(&the_tracer);
        return block;
    }
    hooks_newest = (struct newest){(uintptr_t)block, announced};
    if (likely(pooled))
        tracer_put(&the_tracer, (uintptr_t)block, size, tally);
    else
        tracer_put_stranger(&the_tracer, (uintptr_t)block, size, tally);
    return block;
}

/* Not the fast thread: another one with the main GIL becomes it, unless somebody measures; blocks under another GIL go
 * to the side. */
static out_of_line void *put_elsewhere(void *block, size_t size, size_t announced, bool pooled) {
    PyThreadState *thread = threadstate_get();
    if (!thread_has_main_gil(thread)) {
        __atomic_store_n(&the_tracer.strays, true, __ATOMIC_RELAXED);
        hooks_side_put(thread, false, block, size);
        return block;
    }
    hooks_probed = true;
    if (!the_tracer.active)
        return block;
    uint32_t tally = tally_now(thread);
    put_now(block, size, announced, pooled, tally);
    if (tally != 0 && tracer_is_measured(&the_tracer))
        measure_put(&the_tracer, (uintptr_t)block, size);
    return block;
}

static out_of_line void *put_slow(void *block, size_t size, size_t announced, bool pooled) {
    return put_now(block, size, announced, pooled, capture_slow(threadstate_get()));
}

/* No slot is waiting for it. */
static out_of_line void *put_unfit(void *block, size_t size, uint32_t tally) {
    tracer_put_slow(&the_tracer, (uintptr_t)block, size, tally);
    return block;
}

static out_of_line void *put_stranger(void *block, size_t size, size_t announced) {
    PyThreadState *thread = threadstate_get();
    if ((const void *)thread != the_tracer.fast_thread)
        return put_elsewhere(block, size, announced, false);
    return put_now(block, size, announced, false, tally_now(thread));
}

hot_inline void *put(void *block, size_t size, size_t announced) {
    const void *fast = the_tracer.fast_thread;
    if (unlikely(block == hooks_nested))
        return put_stranger(block, size, announced);
    if (unlikely(threadstate_near() != fast))
        return put_elsewhere(block, size, announced, true);
    uint32_t tally = tally_known((PyThreadState *)(uintptr_t)fast);
    if (unlikely(tally == 0))
        return put_slow(block, size, announced, true);
    hooks_newest.address = (uintptr_t)block;
    hooks_newest.size = announced;
    if (unlikely(!tracer_put_fast(&the_tracer, (uintptr_t)block, size, tally)))
        return put_unfit(block, size, tally);
    return block;
}

/* A block that was kept, or is resized where it is, begins anew; `slot` is its record's. */
hot_inline void *put_kept(uintptr_t address, uint32_t *slot, size_t size, size_t announced, uint32_t tally) {
    void *block = (void *)address;
    hooks_newest.address = address;
    hooks_newest.size = announced;
    if (unlikely(!tracer_put_kept(&the_tracer, slot, size, tally)))
        return put_unfit(block, size, tally);
    return block;
}

static out_of_line void *put_kept_fully(struct round *top, size_t size, size_t announced, uint32_t tally) {
    struct round kept = magazine_take(&the_tracer.magazines, top, size);
    return put_kept(kept.block, kept.slot, size, announced, tally);
}

/* It stays kept while its call path is looked for. */
static out_of_line void *put_kept_slow(struct round *top, size_t size, size_t announced) {
    uint32_t tally = capture_slow(threadstate_get());
    if (likely(tally != 0))
        return put_kept_fully(top, size, announced, tally);
    tracer_count_lost(&the_tracer);
    return (void *)magazine_take(&the_tracer.magazines, top, size).block;
}

/* --- their end ------------------------------------------------------------------------------------------------------ */

static void remove_slow(void *block) {
    if (!tracer_remove_slow(&the_tracer, (uintptr_t)block) && the_tracer.strays)
        tracer_side_remove(&the_tracer, true, DOMAIN_PYTHON, (uintptr_t)block);
}

/* Entering settles the side's window, which a loss in the main partition must not overtake. */
static void remove_entered(void *block, PyThreadState *thread) {
    (void)enter(thread); /* no memory for a mirror: it still settles */
    remove_slow(block);
}

static void remove_elsewhere(void *block, PyThreadState *thread) {
    if (!thread_has_main_gil(thread))
        tracer_side_remove(&the_tracer, false, DOMAIN_PYTHON, (uintptr_t)block);
    else if (the_tracer.active)
        remove_entered(block, thread);
}

/* --- a block of MEM or OBJ --------------------------------------------------------------------------------------------- */

static out_of_line void *malloc_below(PyMemAllocatorEx *under, size_t size, size_t announced) {
    hooks_inside = true;
    void *block = under->malloc(under->ctx, size);
    hooks_inside = false;
    return likely(block != NULL) ? put(block, size, announced) : NULL;
}

static out_of_line void *spill_total(void *block, uint32_t tally) {
    ledger_spill(&the_tracer.ledger, tally, TOTAL);
    return block;
}

/* No block is kept: the fast thread, as the caller found it (it may be none any more), takes one out of a pool, where it
 * can, and calls nothing either. */
static out_of_line void *malloc_pooled(PyMemAllocatorEx *under, size_t size, size_t announced,
                                       const void *fast) {
    if (unlikely(hooks_pools_here == NULL || size - 1 >= POOLED_MOST))
        return malloc_below(under, size, announced);
    uint32_t tally = tally_known((PyThreadState *)(uintptr_t)fast);
    if (unlikely(tally == 0 || !ledger_is_calm(&the_tracer.ledger, tally)))
        return malloc_below(under, size, announced);
    uintptr_t address = pools_take(hooks_pools_here, size);
    if (unlikely(address == 0))
        return malloc_below(under, size, announced);
    void *block = (void *)address;
    hooks_newest.address = address;
    hooks_newest.size = announced;
    uint32_t unused;
    uint32_t *slot = addrmap_fit(&the_tracer.map, address, size, &unused);
    if (unlikely(slot == NULL || *slot != 0))
        return put_unfit(block, size, tally);
    *slot = slot_make(tally, unused);
    if (unlikely(ledger_gain_calmly(&the_tracer.ledger, tally, (uint32_t)size)))
        return spill_total(block, tally);
    return block;
}

/* The usual way, from kept block to record, calls nothing and ends with a jump where another way must go on: so it saves
 * few registers, which would be a fifth of its instructions. */
hot_inline void *any_malloc(PyMemAllocatorEx *under, size_t size, size_t announced) {
    const void *fast = the_tracer.fast_thread;
    if (unlikely(threadstate_near() != fast))
        return malloc_below(under, size, announced);
    struct round *top = magazine_top(&the_tracer.magazines, size);
    if (unlikely(top == NULL))
        return malloc_pooled(under, size, announced, fast);
    uint32_t tally = tally_known((PyThreadState *)(uintptr_t)fast);
    if (unlikely(tally == 0))
        return put_kept_slow(top, size, announced);
    if (unlikely(top->slot == NULL || !ledger_is_calm(&the_tracer.ledger, tally)))
        return put_kept_fully(top, size, announced, tally);
    void *block = (void *)top->block;
    hooks_newest.address = top->block;
    hooks_newest.size = announced;
    if (unlikely(tracer_put_calmly(&the_tracer, top, size, tally)))
        return spill_total(block, tally);
    return block;
}

static cold_path void *malloc_after_a_look(PyMemAllocatorEx *under, size_t size) {
    look_again();
    return any_malloc(under, size, size);
}

/* `objects`: blocks of this domain are objects, of which the reference tracer tells; if it has not told of the last one,
 * somebody has taken its place. */
hot_inline void *object_malloc(PyMemAllocatorEx *under, bool objects, size_t size) {
    if (objects && unlikely(hooks_newest.size != 0))
        return malloc_after_a_look(under, size);
    return any_malloc(under, size, objects ? size : 0);
}

/* One for both domains, as is object_realloc: a few instructions more, and 6 KB less of code in each traced program. */
static out_of_line void *object_calloc(PyMemAllocatorEx *under, size_t count, size_t size, bool objects) {
    size_t bytes;
    bool fits = !__builtin_mul_overflow(count, size, &bytes);
    size_t announced = objects ? bytes : 0;
    if (likely(fits && bytes - 1 < POOLED_MOST && threadstate_near() == the_tracer.fast_thread &&
               the_tracer.magazines.is_open)) {
        void *small = any_malloc(under, bytes, announced); /* pymalloc's calloc does the same */
        return likely(small != NULL) ? memset(small, 0, bytes) : NULL;
    }
    hooks_inside = true;
    void *block = under->calloc(under->ctx, count, size);
    hooks_inside = false;
    return likely(block != NULL) ? put(block, bytes, announced) : NULL;
}

/* Has it a slot? What has none may be a block that pymalloc got from RAW, and stays one when it shrinks. */
static bool is_pooled(void *block) {
    struct page *page;
    return the_tracer.active && tracer_record(&the_tracer, (uintptr_t)block, &page) != NULL;
}

/* The record of a side block is taken out before the allocator may give its address to another thread. */
static out_of_line void *realloc_elsewhere(PyMemAllocatorEx *under, void *old, size_t size) {
    PyThreadState *thread = threadstate_get();
    bool joint = thread_has_main_gil(thread);
    struct taken taken = {0};
    if (!joint || the_tracer.strays)
        taken = tracer_side_take(&the_tracer, DOMAIN_PYTHON, (uintptr_t)old);
    bool pooled = joint && is_pooled(old);
    void *block = realloc_below(under, old, size);
    if (block == NULL) {
        tracer_side_put_back(&the_tracer, joint, taken);
        return NULL;
    }
    tracer_side_forget(&the_tracer, joint, taken);
    if (joint && the_tracer.active && taken.run == 0)
        remove_entered(old, thread);
    return put_elsewhere(block, size, 0, pooled && block != hooks_nested);
}

static void give_back(void *context, uintptr_t block) {
    PyMemAllocatorEx *under = context;
    under->free(under->ctx, (void *)block);
}

void hooks_give_back(void) {
    magazines_empty(&the_tracer.magazines, give_back, &hooks_below[PYMEM_DOMAIN_OBJ]);
    hooks_kept_too_long = false;
}

/* What has a slot, where pools are used, lies in one of them; that this one has blocks of the slot's size is looked at all
 * the same, before anything is written. */
static out_of_line void free_unkept(PyMemAllocatorEx *under, void *block, uint32_t stride) {
    if (likely(hooks_pools_here != NULL && !hooks_kept_too_long && pools_give((uintptr_t)block, stride)))
        return;
    under->free(under->ctx, block);
    if (unlikely(hooks_kept_too_long)) {
        hooks_give_back();
        magazines_open(&the_tracer.magazines);
    }
}

/* The record is written before the old block may be freed: freeing may move all slots. */
hot_inline void *resize_into(PyMemAllocatorEx *under, struct round *top, void *old, const struct page *page,
                             uint32_t *slot, size_t size, uint32_t tally) {
    size_t used = slot_size(page->stride, *slot);
    struct round kept = magazine_take(&the_tracer.magazines, top, size);
    memcpy((void *)kept.block, old, used < size ? used : size);
    bool there_is_room = tracer_keep(&the_tracer, page, slot, (uintptr_t)old);
    void *block = put_kept(kept.block, kept.slot, size, 0, tally);
    if (unlikely(!there_is_room))
        free_unkept(under, old, page->stride);
    return block;
}

/* A block with a slot gets another size as pymalloc would do it: where it is, if it fits and wastes at most a quarter or
 * less than a class, else in a kept block. NULL, and nothing done: pymalloc is to do it. */
hot_inline void *resize_kept(PyMemAllocatorEx *under, void *old, const struct page *page, uint32_t *slot,
                             size_t size) {
    const size_t stride = page->stride;
    const bool fits = size - 1 < stride && (4 * size > 3 * stride || stride - size < 16);
    struct round *top = fits ? NULL : magazine_top(&the_tracer.magazines, size);
    if (unlikely(fits ? !the_tracer.magazines.is_open : top == NULL))
        return NULL;
    PyThreadState *thread = threadstate_get();
    uint32_t tally = tally_known(thread);
    if (unlikely(tally == 0) && (tally = capture_slow(thread)) == 0)
        return NULL;
    if (!fits)
        return resize_into(under, top, old, page, slot, size, tally);
    tracer_drop(&the_tracer, page, slot);
    if (likely(stride - size < 16)) /* what a slot can tell */
        return put_kept((uintptr_t)old, slot, size, 0, tally);
    return put_now(old, size, 0, true, tally);
}

/* Under the main GIL nobody else can get the old address in this partition before we know how it went. */
static out_of_line void *object_realloc(PyMemAllocatorEx *under, void *old, size_t size) {
    if (old == NULL)
        return object_malloc(under, false, size);
    if (unlikely(threadstate_near() != the_tracer.fast_thread))
        return realloc_elsewhere(under, old, size);
    const struct page *page;
    uint32_t *slot = tracer_record_near(&the_tracer, (uintptr_t)old, &page);
    void *block = likely(slot != NULL) ? resize_kept(under, old, page, slot, size) : NULL;
    if (likely(block != NULL))
        return block;
    block = realloc_below(under, old, size);
    if (unlikely(block == NULL))
        return NULL;
    if (likely(tracer_remove_fast(&the_tracer, (uintptr_t)old)))
        return put(block, size, 0);
    bool pooled = is_pooled(old);
    remove_slow(old);
    return pooled ? put(block, size, 0) : put_stranger(block, size, 0);
}

static out_of_line void free_slow(PyMemAllocatorEx *under, void *block) {
    if (block == NULL)
        return;
    PyThreadState *thread = threadstate_get();
    if ((const void *)thread == the_tracer.entered)
        remove_slow(block);
    else
        remove_elsewhere(block, thread);
    free_below(under, block);
}

static out_of_line void free_fully(PyMemAllocatorEx *under, void *block, const struct page *page,
                                   uint32_t *slot) {
    if (unlikely(!tracer_keep(&the_tracer, page, slot, (uintptr_t)block)))
        free_unkept(under, block, page->stride);
}

static out_of_line void free_spilling(PyMemAllocatorEx *under, void *block, const struct page *page,
                                      uint32_t *slot, uint32_t tally) {
    ledger_spill(&the_tracer.ledger, tally, FREED);
    if (!magazine_keep(&the_tracer.magazines, page->stride, (uintptr_t)block, slot))
        free_unkept(under, block, page->stride);
}

/* The usual free is of a small block, for which no allocator below calls another one. As above: no calls, only jumps. */
hot_inline void object_free(PyMemAllocatorEx *under, void *block) {
    const struct page *page = NULL;
    uint32_t *slot = NULL;
    if (likely(threadstate_near() == the_tracer.fast_thread))
        slot = tracer_record_near(&the_tracer, (uintptr_t)block, &page);
    if (unlikely(slot == NULL)) {
        free_slow(under, block);
        return;
    }
    const uint32_t tally = slot_tally(*slot);
    if (unlikely(!ledger_is_no_peak(&the_tracer.ledger) || !ledger_is_calm(&the_tracer.ledger, tally)))
        free_fully(under, block, page, slot);
    else if (unlikely(tracer_drop_calmly(&the_tracer, page, slot)))
        free_spilling(under, block, page, slot, tally);
    else if (unlikely(!magazine_keep(&the_tracer.magazines, page->stride, (uintptr_t)block, slot)))
        free_unkept(under, block, page->stride);
}

/* The context is not looked at: ours is the one of the allocator below, so that a thread which reads the allocator
 * while it is being changed, half old and half new, still calls each function with a context it knows. */
#define OBJECT_HOOKS(name, domain)                                                                           \
    static void *name##_malloc(void *context, size_t size) {                                                 \
        (void)context;                                                                                       \
        return object_malloc(&hooks_below[domain], (domain) == PYMEM_DOMAIN_OBJ, size);                      \
    }                                                                                                        \
    static void *name##_calloc(void *context, size_t count, size_t size) {                                   \
        (void)context;                                                                                       \
        return object_calloc(&hooks_below[domain], count, size, (domain) == PYMEM_DOMAIN_OBJ);               \
    }                                                                                                        \
    static void *name##_realloc(void *context, void *old, size_t size) {                                     \
        (void)context;                                                                                       \
        return object_realloc(&hooks_below[domain], old, size);                                              \
    }                                                                                                        \
    static void name##_free(void *context, void *block) {                                                    \
        (void)context;                                                                                       \
        object_free(&hooks_below[domain], block);                                                            \
    }

OBJECT_HOOKS(mem, PYMEM_DOMAIN_MEM)
OBJECT_HOOKS(obj, PYMEM_DOMAIN_OBJ)

const PyMemAllocatorEx hooks_of_mem = {NULL, mem_malloc, mem_calloc, mem_realloc, mem_free};
const PyMemAllocatorEx hooks_of_obj = {NULL, obj_malloc, obj_calloc, obj_realloc, obj_free};

uint32_t hooks_tally_now(PyThreadState *thread) { return tally_now(thread); }

/* --- objects out of free lists --------------------------------------------------------------------------------------- */

static uintptr_t block_of(PyObject *object) {
    return (uintptr_t)object - object_header_size(Py_TYPE(object));
}

static out_of_line void object_made_slow(uintptr_t address, PyThreadState *thread) {
    if (!thread_has_main_gil(thread)) {
        if (thread != NULL)
            side_move_apart(thread, address);
        return;
    }
    uint64_t size;
    uint32_t tally;
    if (!the_tracer.active || !tracer_find(&the_tracer, address, &size, &tally))
        return;
    tally = tally_now(thread);
    if (tally == 0)
        tracer_count_lost(&the_tracer);
    else
        tracer_move_slow(&the_tracer, address, tally);
}

/* The object's block is where this entry says. `tally`: 0 where it is not known yet. */
static jumped_to int move_recent(const struct recent *recent, uint32_t tally) {
    if (tally == 0)
        tally = capture_slow(threadstate_get());
    if (unlikely(tally == 0))
        tracer_count_lost(&the_tracer);
    else if (likely(*recent->slot != 0))
        tracer_move(&the_tracer, recent->stride, recent->slot, tally);
    return 0;
}

static jumped_to int object_reused_slow(PyObject *object) {
    PyThreadState *thread = threadstate_get();
    uintptr_t block = block_of(object);
    if ((const void *)thread != the_tracer.entered && thread_has_main_gil(thread) && the_tracer.active)
        (void)enter(thread); /* a loop that allocates nothing would come here every time */
    if (unlikely((const void *)thread != the_tracer.fast_thread) ||
        !addrmap_remember(&the_tracer.map, (uintptr_t)object, block)) {
        object_made_slow(block, thread);
        return 0;
    }
    const struct recent *recent = addrmap_recent(&the_tracer.map, (uintptr_t)object);
    return *recent->slot != 0 ? move_recent(recent, tally_known(thread)) : 0;
}

/* The record is looked at first: many free-listed objects have blocks from before the start, which are not traced. */
int hooks_object_reused(PyObject *object) {
    const void *fast = the_tracer.fast_thread;
    const struct recent *recent = addrmap_recent(&the_tracer.map, (uintptr_t)object);
    if (unlikely(threadstate_near() != fast || recent->object != (uintptr_t)object))
        return object_reused_slow(object);
    uint32_t record = *recent->slot;
    if (record == 0)
        return 0;
    uint32_t tally = tally_known((PyThreadState *)(uintptr_t)fast);
    return likely(slot_tally(record) == tally) ? 0 : move_recent(recent, tally);
}
