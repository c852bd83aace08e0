/* fake_program: what programs do to the stacks of fake_frames.h: calls, returns, generators, code made and
 * dropped; and the tracer that looks on. One thread of the test plays all of them. Include once, at the top
 * of a test.
 */
#ifndef MEMTALLY_TEST_FAKE_PROGRAM_H
#define MEMTALLY_TEST_FAKE_PROGRAM_H

#include "fake_frames.h"

#include "blocks.h"
#include "collect.h"
#include "rest.h"

static inline struct thread *now(struct world *world) { return &world->threads[world->running]; }
static inline FRAME *top_of(struct world *world) { return now(world)->top; }

static inline void push(struct world *world, FRAME *f) {
    struct thread *thread = now(world);
    f->token = f->waiting = false;
    if (thread->top != NULL && below(world, 2) == 0) { /* called by Python code; else by C */
        thread->top->waiting = true;
        thread->top->token = false;
    }
    f->below = thread->top;
    thread->top = f;
    thread->depth++;
}

/* Back to the frame below. */
static inline void pop(struct world *world) {
    struct thread *thread = now(world);
    thread->top = thread->top->below;
    thread->depth--;
    if (thread->top != NULL && thread->top->waiting)
        thread->top->waiting = thread->top->token = false;
}

static inline FRAME *call(struct world *world, struct code *code, uint32_t unit, size_t units) {
    struct thread *thread = now(world);
    FRAME *f = &thread->units[thread->used];
    assert_true(thread->used + units <= STACK_UNITS);
    thread->used += units;
    *f = (FRAME){.code = code, .unit = unit};
    code->users++;
    push(world, f);
    return f;
}

/* The youngest call ends, by a return or an exception; a generator's for good. */
static inline void leave(struct world *world) {
    struct thread *thread = now(world);
    FRAME *f = thread->top;
    pop(world);
    if (!f->generator)
        thread->used = (size_t)(f - thread->units);
    f->code->users--;
    if (f->generator)
        f->code = NULL; /* its place on the heap is free */
}

/* Moves the youngest call, which must not be a generator's, into a generator, and returns from it. */
static inline void become_generator(struct world *world, uint32_t i, uint32_t place) {
    FRAME *f = top_of(world), *copy = &heap[place];
    *copy = *f; /* mark and all, as RETURN_GENERATOR does; but it stops running first */
    copy->token = false;
    copy->generator = true;
    copy->below = NULL;
    copy->code->users++;
    world->suspended[i] = copy;
    leave(world);
}

static inline void yield_into(struct world *world, uint32_t i) {
    FRAME *f = top_of(world);
    pop(world);
    f->below = NULL;
    world->suspended[i] = f;
}

static inline void resume(struct world *world, uint32_t i) {
    FRAME *f = world->suspended[i];
    world->suspended[i] = NULL;
    push(world, f);
}

/* A code object dies, and another one is made at its address. The tracer sees both, if it traces. */
static inline void replace_code(struct world *world, struct code *code, uint32_t content) {
    struct tracer *tracer = &world->tracer;
    assert_int_equal(code->users, 0);
    if (tracer->active && !tracer_remove_fast(tracer, code->address))
        (void)tracer_remove_slow(tracer, code->address);
    code->content = content;
    code->first = content % 3;
    code->plain = content % 5 == 0;
    if (tracer->active && content % 2 == 0)
        tracer_put(tracer, code->address, content % 4 == 0 ? CODE_BYTES : CODE_BYTES * 2, tracer->unknown);
}

/* --- the world
 * ---------------------------------------------------------------------------------------------------------
 */

static inline status world_trace(struct world *world, uint32_t frames) {
    world->frames = frames;
    return tracer_start(&world->tracer, frames);
}

static inline void world_untrace(struct world *world) {
    region_fini(&scratch.region);
    scratch.count = 0;
    tracer_stop(&world->tracer);
}

static inline void world_init(struct world *world, uint64_t seed) {
    memset(world, 0, sizeof *world);
    memset(heap, 0, sizeof heap);
    world->random = seed;
    world->depth_most = 30;
    tracer_init(&world->tracer);
    world->tracer.collect_least = UINT32_MAX; /* never, but for tests that want it */
    for (uint32_t i = 0; i < THREADS; i++) {
        world->threads[i].units = stacks[i];
        world->threads[i].name = &world->threads[i];
    }
    for (uint32_t i = 0; i < CODES; i++) {
        world->codes[i].address = 0x7F4400000000u + (uintptr_t)i * CODE_BYTES * 2;
        replace_code(world, &world->codes[i], i + 1);
    }
}

/* How the hooks do it: the fast way first. 0: no memory. `how` leaves some ways out. */
static inline uint32_t walk(struct world *world, uint32_t how) {
    struct tracer *tracer = &world->tracer;
    FRAME *f = top_of(world);
    const void *name = now(world)->name;
    uint32_t tally = 0;
    if (tracer->fast_thread != name && tracer_enter(tracer, name) != STATUS_OK)
        return 0;
    if ((how & 1) == 0)
        tally = walk_marked(tracer, f);
    FRAME *begun = walk_begun(f);
    if (tally == 0 && begun != NULL && (how & 2) == 0)
        tally = walk_begun_known(tracer, f, begun);
    if (tally != 0)
        return tally;
    collect_if_due(tracer);
    if ((how & 4) != 0)
        tracer_rest(tracer);
    return walk_any(tracer, begun, &scratch);
}

#endif
