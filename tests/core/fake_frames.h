/* fake_frames: stacks for walk.h without a Python: threads that call, return, raise, resume generators and
 * make and drop code objects; and the naive full walk, which the clever one must agree with.
 *
 *   stacks[thread]:  | frame | frame  | frame |  free ...      a frame takes 1 to 3 units of 64 bytes:
 * addresses are heap:            | generator | - | generator | ...         used again by other calls, threads
 * and generators
 *
 * A mark is cleared by each new activation, as CPython does it; generators' frames and those of modules and
 * classes carry none. A token can be put on any frame that is not waiting for a call of Python code, and is gone when the
 * frame is left or returned to. A frame has begun its body (`frame_complete`) once its instruction is past its code's
 * first units; those of generators always have. Code objects are simulated addresses; dead ones' are used
 * again at once, for other code.
 *
 * One thread of the test plays all of them. Include once, before walk.h's users.
 */
#ifndef MEMTALLY_TEST_FAKE_FRAMES_H
#define MEMTALLY_TEST_FAKE_FRAMES_H

#include "scale.h"
#include "support.h"

#include "tracer.h"

enum { THREADS = 3, GENERATORS = 6, CODES = 8, UNITS = 10, STACK_UNITS = 40000, CODE_BYTES = 400 };

struct code {
    uintptr_t address;
    uint32_t content; /* what its lines and its name are made from */
    uint32_t first;   /* units before the body */
    uint32_t users;   /* frames, suspended ones as well */
    bool plain;       /* a module or a class body: its frames carry no mark */
};

struct frame {
    _Alignas(64) struct frame *below;
    struct code *code;
    uint32_t unit;
    bool marked;
    bool token;
    bool waiting; /* for Python code that it called itself; false: for a C function, or it is on top */
    bool generator;
};

struct thread {
    const void *name; /* the address that the tracer knows it by */
    struct frame *units, *top;
    size_t used;
    uint32_t depth;
};

static struct frame stacks[THREADS][STACK_UNITS], heap[GENERATORS * 2];

struct world {
    struct tracer tracer;
    struct thread threads[THREADS];
    struct code codes[CODES];
    struct frame *suspended[GENERATORS]; /* NULL: none */
    uint32_t running;                    /* the thread that holds the GIL */
    uint32_t depth_most;
    uint32_t frames;
    uint64_t random;
    uint64_t walks, lost; /* counted by tests */
};

/* Nothing may be written into frames; tokens only, as before 3.13; both, as on 3.13. */
enum marking { NO_MARKS, TOKENS, MARKS_AND_TOKENS, MARKINGS };
static enum marking marking = MARKS_AND_TOKENS;

static inline uint32_t below(struct world *world, uint32_t end) { return support_below(&world->random, end); }

/* --- what walk.h wants to know of a frame -------------------------------------------------------------- */

#define FRAME struct frame

static uint64_t frames_looked_below; /* so that tests can tell how far a walk went */

static inline FRAME *frame_below(FRAME *f) {
    frames_looked_below++;
    return f->below;
}
static inline uintptr_t frame_instr(const FRAME *f) { return f->code->address + 192 + f->unit * 2; }
static inline bool frame_complete(const FRAME *f) { return f->generator || f->unit >= f->code->first; }
static inline bool frame_marked(const FRAME *f) {
    return (marking == MARKS_AND_TOKENS && !f->generator && f->marked) || (marking != NO_MARKS && f->token);
}
static inline bool frame_looks_marked(const FRAME *f) { return frame_marked(f); }
static inline void frame_mark(FRAME *f) {
    if (marking == MARKS_AND_TOKENS && !f->generator && !f->code->plain)
        f->marked = true;
    else if (marking != NO_MARKS && !f->waiting)
        f->token = true;
}

static inline uint32_t line_at(const struct code *code, uint32_t unit) {
    return 1 + (uint32_t)(hash_mix(code->content * 64u + unit) % 4);
}
static inline char name_of(const struct code *code) { return (char)('a' + code->content % 5); }

/* As code_site_known in src/cpython/codesite.c. */
static inline status frame_site(struct tracer *tracer, FRAME *f, uint32_t *site) {
    uintptr_t instr = frame_instr(f), code = f->code->address;
    struct site content = {.line = line_at(f->code, f->unit)};
    char name = name_of(f->code);
    if (codemap_get(&tracer->codes, instr, site))
        return STATUS_OK;
    lock_acquire(&tracer->paths->lock);
    status result = strtab_intern(&tracer->paths->strings, &name, 1, &content.function);
    if (result == STATUS_OK)
        result = site_intern_locked(tracer->paths, &content, site);
    lock_release(&tracer->paths->lock);
    if (result == STATUS_OK && !codemap_knows(&tracer->codes, code))
        result = tracer_watch_code(tracer, code);
    return result == STATUS_OK ? codemap_put(&tracer->codes, code, instr, *site) : result;
}

#include "walk_slow.h"

static struct walk_stack scratch;

/* --- the naive full walk ------------------------------------------------------------------------------- */

static inline bool node_is(const struct tracer *tracer, const struct node *node, const FRAME *f) {
    const struct site *site = site_get(tracer->paths, node->site);
    struct string name = strtab_get(&tracer->paths->strings, site->function);
    return name.length == 1 && name.bytes[0] == name_of(f->code) && site->line == line_at(f->code, f->unit);
}

/* Is this the tally of the stack below `f`? */
static inline bool walk_is_right(struct world *world, FRAME *f, uint32_t tally) {
    const struct tracer *tracer = &world->tracer;
    uint32_t id = ledger_node(&tracer->ledger, tally), depth = 0;
    bool top = true;
    for (FRAME *g = f; g != NULL; g = g->below)
        depth += frame_complete(g);
    if (depth == 0)
        return tally == tracer->unknown;
    if (node_get(tracer->paths, id)->depth != depth)
        return false;
    for (; f != NULL; f = f->below) {
        const struct node *node = node_get(tracer->paths, id);
        if (!frame_complete(f))
            continue;
        if (world->frames == 1 && !top)
            break;
        if (id == 0 || !node_is(tracer, node, f))
            return false;
        id = node->parent;
        top = false;
    }
    return id == 0;
}

#endif
