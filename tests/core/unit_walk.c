/* walk.h against the naive full walk, on stacks that do all that stacks can do (fake_frames.h,
 * fake_program.h).
 *
 * Each shortcut was broken in turn; what failed then (the random programs fail for all of them):
 *   a step of the cache believed though code has died since    what_was_known_of_dead_code_...
 *     ... of another parent                                    a_stack_of_thousands_...
 *     ... of another instruction                               each_instruction_of_a_loop_... (tiny cache)
 *   an entry believed on top at another instruction            each_instruction_of_a_loop_...
 *     ... marked, of an earlier activation                     a_call_from_elsewhere_...
 *     ... of another frame, or of an earlier start             marks_of_an_earlier_start_...
 *     ... compared by content, of dead code                    random programs
 *     ... below the top, with one frame kept, of dead code     what_was_known_of_dead_code_...
 *     ... without comparing the link to the frame below        a_generator_hangs_on_...
 *     ... without comparing the lowest link to the known one   a_generator_hangs_on_...
 *   a new call's entry without comparing its instruction       a_call_from_elsewhere_...
 *     ... its parent                                           a_generator_hangs_on_...
 *     ... its generation                                       random programs with marks
 *   a caller believed without its mark                         frames_that_have_not_begun_...
 *     ... without its entry                                    random programs with marks
 *     ... or not brought to its present instruction            a_call_from_elsewhere_...
 *   frames counted before they have begun                      a_stack_without_complete_frames_...
 *     ... or marked before (walk_called)                       random programs with marks
 *   a top entry without a tally returned                       a_stack_of_thousands_...
 *   the unchanged frames' depth or key not handed upwards      a_call_from_elsewhere_...
 *   code that dies and is not forgotten, or not watched        new_code_at_an_old_address_...
 *   mirrors, steps or links not emptied by a collection        random programs
 *   a link believed with another parent, or from elsewhere     random programs
 *     ... or of dead code                                      what_was_known_of_dead_code_..._of_a_chain
 *   steps made without end                                     ever_new_calls_are_collected
 *   ... or one that knows a tally come to rest                 random programs
 *   unchanged frames not marked, tables that do not grow       a_walk_looks_at_..., a_deep_stack_is_...
 *   ... or not for those that push each other out              frames_that_push_each_other_out_...
 */
#include "fake_program.h"

static void assert_walk(struct world *world, uint32_t how) {
    uint32_t tally = walk(world, how);
    world->walks++;
    assert_int_not_equal(tally, 0);
    assert_true(walk_is_right(world, top_of(world), tally));
}

static void begin(struct world *world, uint32_t frames) {
    world_init(world, 1);
    assert_int_equal(world_trace(world, frames), STATUS_OK);
}

static void end(struct world *world) {
    assert_true(tracer_check(&world->tracer));
    world_untrace(world);
    assert_int_equal(vmem_bytes(&world->tracer.memory), 0);
}

/* The same with one frame and with all, with every kind of marks and without. */
static void in_every_mode(void (*test)(struct world *world)) {
    static struct world world;
    for (uint32_t mode = 0; mode < 2 * MARKINGS; mode++) {
        marking = mode % MARKINGS;
        begin(&world, mode < MARKINGS ? 65535 : 1);
        test(&world);
        end(&world);
    }
    marking = MARKS_AND_TOKENS;
}

/* --- single cases -------------------------------------------------------------------------------------- */

static void no_frames(struct world *world) {
    assert_walk(world, 0);
    assert_int_equal(walk(world, 0), world->tracer.unknown);
    call(world, &world->codes[1], 0, 1); /* content 2: its first 2 units are not its body */
    assert_walk(world, 0);
    assert_int_equal(walk(world, 0), world->tracer.unknown);
    assert_false(top_of(world)->marked);
}

static void a_stack_without_complete_frames_is_unknown(void **state) {
    (void)state;
    in_every_mode(no_frames);
}

static void loop(struct world *world) {
    struct code *code = &world->codes[0];
    FRAME *f = call(world, code, code->first, 1);
    uint32_t tallies[UNITS] = {0};
    for (uint32_t round = 0; round < 3; round++) {
        for (f->unit = code->first; f->unit < UNITS; f->unit++) {
            assert_walk(world, 0);
            uint32_t tally = walk(world, 0);
            assert_true(round == 0 || tallies[f->unit] == tally);
            tallies[f->unit] = tally;
        }
    }
    assert_int_equal(f->marked, marking == MARKS_AND_TOKENS && !code->plain);
    assert_int_equal(f->token, marking == TOKENS || (marking == MARKS_AND_TOKENS && code->plain));
}

static void each_instruction_of_a_loop_has_its_own_path(void **state) {
    (void)state;
    in_every_mode(loop);
}

static void calls_in_a_loop(struct world *world) {
    for (uint32_t round = 0; round < 40; round++) {
        struct code *caller = &world->codes[round / 20], *callee = &world->codes[2 + round % 3];
        if (round % 20 == 0) {
            while (top_of(world) != NULL)
                leave(world);
            call(world, caller, UNITS - 1, 1);
            assert_walk(world, 0);
        }
        top_of(world)->unit = UNITS - 1 - round % 2;
        call(world, callee, UNITS - 1, 1 + round % 2); /* at the same address, often the same instruction */
        assert_walk(world, 0);
        leave(world);
    }
}

static void a_call_from_elsewhere_at_the_same_address_is_another_path(void **state) {
    (void)state;
    in_every_mode(calls_in_a_loop);
}

static void not_begun(struct world *world) {
    struct code *code = &world->codes[1];
    call(world, &world->codes[0], UNITS - 1, 1);
    assert_walk(world, 0);
    for (uint32_t round = 0; round < 3; round++) {
        FRAME *f = call(world, code, 0, 1);
        assert_walk(world, 0);
        assert_false(f->marked);
        FRAME *g = call(world, &world->codes[3], UNITS - 1, 1); /* one that has, above one that has not */
        assert_walk(world, 0);
        g->unit--;
        assert_walk(world, 0);
        leave(world);
        f->unit = code->first;
        assert_walk(world, 0);
        call(world, &world->codes[3], UNITS - 1, 1);
        assert_walk(world, 0);
        leave(world);
        leave(world);
    }
}

static void frames_that_have_not_begun_do_not_count(void **state) {
    (void)state;
    in_every_mode(not_begun);
}

static void from_depths(struct world *world) {
    struct code *code = &world->codes[2];
    call(world, &world->codes[0], UNITS - 1, 1);
    call(world, code, 0, 1);
    become_generator(world, 0, 3);
    for (uint32_t depth = 0; depth < 12; depth++) {
        for (uint32_t i = 0; i < depth % 4; i++) {
            call(world, &world->codes[(depth + i) % CODES], UNITS - 1, 1);
            if (depth % 3 == 0)
                assert_walk(world, 0);
        }
        resume(world, 0);
        top_of(world)->unit = 1 + depth / 6; /* the same instruction again and again */
        assert_walk(world, depth % 4);
        call(world, &world->codes[4], UNITS - 1, 1);
        assert_walk(world, 0);
        leave(world);
        yield_into(world, 0);
        for (uint32_t i = 0; i < depth % 4; i++)
            leave(world);
    }
}

static void a_generator_hangs_on_whoever_resumes_it(void **state) {
    (void)state;
    in_every_mode(from_depths);
}

static void new_code(struct world *world) {
    struct code *code = &world->codes[3], *above = &world->codes[0];
    for (uint32_t content = 20; content < 60; content++) {
        replace_code(world, code, content);
        for (uint32_t unit = code->first; unit < UNITS; unit += 3) {
            call(world, code, unit, 1);
            assert_walk(world, 0);
            call(world, above, UNITS - 1, 1);
            assert_walk(world, 0);
            leave(world);
            leave(world);
        }
    }
}

static void new_code_at_an_old_address_has_its_own_lines(void **state) {
    (void)state;
    in_every_mode(new_code);
}

static void call_twice(struct world *world, struct code *code) {
    for (int i = 0; i < 2; i++) {
        call(world, code, UNITS - 1, 1);
        assert_walk(world, 0);
        leave(world);
    }
}

static void old_code_below(struct world *world) {
    struct code *code = &world->codes[3];
    for (uint32_t content = 21; content < 80; content++) {
        FRAME *f = call(world, code, UNITS - 1, 1);
        assert_walk(world, 0); /* captured on top, at this instruction */
        leave(world);
        replace_code(world, code, content);
        f = call(world, code, UNITS - 2, 1);
        call_twice(world, &world->codes[1]); /* captured below others, at another one */
        f->unit = UNITS - 1;
        assert_walk(world, 0);
        leave(world);
    }
}

static void what_was_known_of_dead_code_is_not_believed_of_a_caller(void **state) {
    (void)state;
    in_every_mode(old_code_below);
}

/* A frame below the caller, which was captured when its address was of code that is dead now. */
static void old_code_in_a_chain(struct world *world) {
    struct code *code = &world->codes[3];
    call(world, &world->codes[0], UNITS - 1, 1);
    for (uint32_t content = 21; content < 80; content++) {
        call(world, code, UNITS - 1, 1);
        for (int round = 0; round < 2; round++) {
            call(world, &world->codes[1], UNITS - 1, 1);
            call_twice(world, &world->codes[2]);
            leave(world);
        }
        leave(world);
        replace_code(world, code, content);
        call_twice(world, &world->codes[4]); /* the lowest frame is known anew, what was above it is not */
    }
}

static void what_was_known_of_dead_code_is_not_believed_of_a_chain(void **state) {
    (void)state;
    in_every_mode(old_code_in_a_chain);
}

/* Frames that are new, while all below them stands still. */
static void ever_new_calls_are_collected(void **state) {
    (void)state;
    static struct world world;
    begin(&world, 65535);
    world.tracer.collect_least = world.tracer.collect_above = 8;
    call(&world, &world.codes[0], UNITS - 1, 1);
    for (uint32_t content = 0; content < 300; content++) {
        call_twice(&world, &world.codes[1]);
        replace_code(&world, &world.codes[1], content);
        assert_in_range(callpaths_weight(world.tracer.paths), 0, 16); /* 24 different ones */
    }
    leave(&world);
    end(&world);
}

static void threads(struct world *world) {
    for (uint32_t round = 0; round < 60; round++) {
        world->running = round % THREADS;
        /* Thread 2 dies now and then; its name and its stack are the next one's. */
        while (world->running == 2 && round % 6 == 5 && top_of(world) != NULL)
            leave(world);
        if (now(world)->depth == 3)
            leave(world);
        call(world, &world->codes[(round / 3) % CODES], UNITS - 1, 1);
        assert_walk(world, 0);
        assert_walk(world, 0);
    }
}

static void each_thread_has_its_own_path(void **state) {
    (void)state;
    in_every_mode(threads);
}

static void old_marks(struct world *world) {
    for (uint32_t i = 0; i < 4; i++)
        call(world, &world->codes[i], UNITS - 1, 1);
    assert_walk(world, 0);
    for (uint32_t round = 0; round < 3; round++) {
        uint32_t frames = world->frames;
        if (round == 1) {
            assert_int_equal(tracer_clear(&world->tracer), STATUS_OK);
        } else {
            world_untrace(world);
            top_of(world)->unit--; /* things go on while nobody looks */
            assert_int_equal(world_trace(world, frames), STATUS_OK);
        }
        assert_walk(world, round);
        leave(world);
        call(world, &world->codes[4 + round], UNITS - 1, 1);
        assert_walk(world, 0);
    }
}

static void marks_of_an_earlier_start_are_not_believed(void **state) {
    (void)state;
    in_every_mode(old_marks);
}

static void deep(struct world *world) {
    for (uint32_t depth = 1; depth <= 12000; depth++) {
        call(world, &world->codes[depth % CODES], UNITS - 1 - depth % 2, 1);
        if (depth % 37 == 0 || depth < 60)
            assert_walk(world, depth % 4);
    }
    for (uint32_t depth = 12000; depth > 0; depth--) {
        if (depth % 41 == 0 || depth < 60)
            assert_walk(world, depth % 4);
        leave(world);
        if (top_of(world) != NULL)
            top_of(world)->unit = UNITS - 2;
    }
}

static void a_stack_of_thousands_is_walked_to_its_bottom(void **state) {
    (void)state;
    in_every_mode(deep);
}

/* How many frames a walk looks below. */
static uint64_t steps_of_walk(struct world *world) {
    uint64_t before = frames_looked_below;
    uint32_t tally = walk(world, 0);
    uint64_t steps = frames_looked_below - before;
    assert_true(walk_is_right(world, top_of(world), tally));
    return steps;
}

static void a_walk_looks_at_the_changed_frames_only(void **state) {
    (void)state;
    static struct world world;
    for (uint32_t frames = 1; frames <= 25; frames += 24) {
        begin(&world, frames);
        struct code *code = &world.codes[0];
        for (uint32_t depth = 0; depth < 1000; depth++)
            call(&world, code, UNITS - 1, 1);
        assert_true(steps_of_walk(&world) >= 999); /* the first time */
        assert_int_equal(steps_of_walk(&world), 0);
        top_of(&world)->unit--;
        (void)steps_of_walk(&world);
        assert_int_equal(steps_of_walk(&world), 0); /* in a loop: the frame on top alone */
        for (uint32_t i = 0; i < 3; i++) {
            call(&world, code, UNITS - 1, 1);
            (void)steps_of_walk(&world);
            assert_int_equal(steps_of_walk(&world), 0);
            leave(&world);
            call(&world, code, UNITS - 1, 1);
            assert_int_equal(steps_of_walk(&world), 1); /* a function called in a loop: its caller alone */
            leave(&world);
        }
        call(&world, &world.codes[4], UNITS - 1, 1); /* content 5: a class body, never marked */
        call(&world, code, UNITS - 1, 1);
        (void)steps_of_walk(&world);
        leave(&world);
        call(&world, code, UNITS - 1, 1);
        assert_in_range(steps_of_walk(&world), 1, 4); /* down to the first marked frame, by content */
        assert_int_equal(steps_of_walk(&world), 0);   /* and what was compared is marked now */
        end(&world);
    }
}

/* A marked frame and three that cannot be, at the same place of the table: each walk pushed out what the next one needed. */
static void frames_that_push_each_other_out_get_more_room(void **state) {
    (void)state;
    static struct world world;
    for (uint32_t frames = 1; frames <= 25; frames += 24) {
        begin(&world, frames);
        call(&world, &world.codes[0], UNITS - 1, 1);
        (void)steps_of_walk(&world);
        const size_t slots = world.tracer.mirrors.current->slots;
        for (size_t i = 1; i <= 3; i++) {
            now(&world)->used = slots * i;
            call(&world, &world.codes[4], UNITS - 1, 1); /* a class body */
        }
        for (uint32_t i = 0; i < 12; i++) {
            call(&world, &world.codes[0], UNITS - 1, 1);
            (void)steps_of_walk(&world);
            leave(&world);
        }
        call(&world, &world.codes[0], UNITS - 1, 1);
        assert_in_range(steps_of_walk(&world), 1, 4); /* to its caller, and down the links */
        assert_in_range(world.tracer.mirrors.current->slots, slots, slots * 64);
        end(&world);
    }
}

static void a_deep_stack_is_known_on_the_way_back(void **state) {
    (void)state;
    static struct world world;
    begin(&world, 25);
    for (uint32_t depth = 0; depth < 6000; depth++)
        call(&world, &world.codes[0], UNITS - 1, 1);
    (void)steps_of_walk(&world); /* the table grows */
    for (uint32_t depth = 6000; depth > 4000; depth--)
        leave(&world);
    (void)steps_of_walk(&world); /* what the small table had lost is written again */
    for (uint32_t depth = 4000; depth > 10; depth--) {
        leave(&world);
        if (depth % 500 == 0)
            assert_in_range(steps_of_walk(&world), 0, 1);
    }
    end(&world);
}

/* --- random programs ----------------------------------------------------------------------------------- */

static uint32_t free_place(struct world *world) {
    uint32_t place = below(world, GENERATORS * 2);
    while (heap[place].code != NULL)
        place = (place + 1) % (GENERATORS * 2);
    return place;
}

static void random_call(struct world *world) {
    struct code *code = &world->codes[below(world, CODES)];
    if (now(world)->depth >= world->depth_most)
        return;
    if (top_of(world) != NULL && !frame_complete(top_of(world)))
        top_of(world)->unit = UNITS - 1; /* who calls has begun; most of the time */
    call(world, code, below(world, 4) == 0 ? 0 : UNITS - 1 - below(world, UNITS), 1 + below(world, 3));
}

static void random_generator(struct world *world) {
    uint32_t i = below(world, GENERATORS), free = 0;
    FRAME *f = top_of(world);
    for (uint32_t place = 0; place < GENERATORS * 2; place++)
        free += heap[place].code == NULL;
    if (world->suspended[i] != NULL) {
        if (now(world)->depth < world->depth_most)
            resume(world, i);
    } else if (f != NULL && f->generator) {
        yield_into(world, i);
    } else if (f != NULL && free > GENERATORS && !frame_complete(f)) {
        become_generator(world, i, free_place(world)); /* before its body begins */
    }
}

static void random_thread(struct world *world) {
    world->running = below(world, THREADS);
    if (below(world, 10) != 0)
        return;
    while (top_of(world) !=
           NULL) /* it ends, and another one begins at the same places, or with another's stack */
        leave(world);
    uint32_t other = below(world, THREADS);
    if (world->threads[other].top == NULL) {
        struct frame *units = world->threads[other].units;
        world->threads[other].units = now(world)->units;
        now(world)->units = units;
    }
}

/* To another instruction; never back to before the body. */
static void go_on(struct world *world, FRAME *f) {
    uint32_t first = f->unit >= f->code->first ? f->code->first : 0;
    f->unit = below(world, 3) == 0 ? first + below(world, UNITS - first) : f->unit + 1;
    if (f->unit == UNITS)
        f->unit = first;
}

static void random_step(struct world *world) {
    uint32_t what = below(world, 100);
    FRAME *f = top_of(world);
    if (what < 25) {
        random_call(world);
    } else if (what < 45) {
        if (f != NULL)
            leave(world);
    } else if (what < 48) {
        for (uint32_t i = below(world, 20); i > 0 && top_of(world) != NULL; i--)
            leave(world); /* an exception */
    } else if (what < 70) {
        if (f != NULL)
            go_on(world, f);
    } else if (what < 84) {
        random_generator(world);
    } else if (what < 90) {
        random_thread(world);
    } else {
        struct code *code = &world->codes[below(world, CODES)];
        if (code->users == 0)
            replace_code(world, code, below(world, 1000));
    }
}

static void random_program(uint64_t seed, uint32_t frames, int steps) {
    static struct world world;
    world_init(&world, seed);
    world.depth_most = seed % 3 == 0 ? 200 : seed % 3 == 1 ? 6 : 25;
    if (seed % 2 == 0)
        world.tracer.collect_least = 30 + (uint32_t)seed * 20; /* in the midst of everything */
    assert_int_equal(world_trace(&world, frames), STATUS_OK);
    for (int step = 0; step < steps; step++) {
        random_step(&world);
        if (below(&world, 3) != 0) {
            uint32_t how = below(&world, 16);
            assert_walk(&world, how < 8 ? how : 0);
        }
        if (below(&world, 3000) == 0)
            assert_int_equal(tracer_clear(&world.tracer), STATUS_OK);
        if (below(&world, 5000) == 0) {
            world_untrace(&world);
            for (uint32_t i = below(&world, 20); i > 0; i--)
                random_step(&world);
            assert_int_equal(world_trace(&world, frames), STATUS_OK);
        }
        if (step % 4096 == 0)
            assert_true(tracer_check(&world.tracer));
    }
    assert_true(world.walks > (uint64_t)steps / 2);
    if (seed % 2 == 0) /* no path is needed: what is kept is a quarter and one path, and then it may double */
        assert_in_range(callpaths_weight(world.tracer.paths), 0, 4 * (30 + seed * 20 + 200));
    end(&world);
}

static void random_programs(uint32_t frames, enum marking how) {
    marking = how;
    for (uint64_t seed = 0; seed < SCALED(24); seed++)
        random_program(seed, frames, 30000);
    marking = MARKS_AND_TOKENS;
}

static void random_programs_with_marks_and_all_frames(void **state) {
    (void)state;
    random_programs(65535, MARKS_AND_TOKENS);
}

static void random_programs_with_marks_and_one_frame(void **state) {
    (void)state;
    random_programs(1, MARKS_AND_TOKENS);
}

static void random_programs_with_tokens_and_all_frames(void **state) {
    (void)state;
    random_programs(65535, TOKENS);
}

static void random_programs_with_tokens_and_one_frame(void **state) {
    (void)state;
    random_programs(1, TOKENS);
}

static void random_programs_without_marks_and_all_frames(void **state) {
    (void)state;
    random_programs(25, NO_MARKS);
}

static void random_programs_without_marks_and_one_frame(void **state) {
    (void)state;
    random_programs(1, NO_MARKS);
}

/* --- out of memory ------------------------------------------------------------------------------------- */

/* A walk may find no memory; the next one that does is right again. */
static void program_without_memory(size_t n, bool lasting, uint32_t frames) {
    static struct world world;
    world_init(&world, n);
    if (n % 2 == 0)
        world.tracer.collect_least = 10;
    support_fail_at = n;
    support_fail_on = lasting;
    support_calls = 0;
    if (world_trace(&world, frames) == STATUS_OK) {
        for (int step = 0; step < 300 && world.tracer.active; step++) {
            random_step(&world);
            uint32_t tally = walk(&world, 0);
            if (tally == 0)
                assert_true(support_calls >= n);
            else
                assert_true(walk_is_right(&world, top_of(&world), tally));
            if (step == 200 && tracer_clear(&world.tracer) != STATUS_OK)
                assert_false(world.tracer.active);
        }
        assert_true(!world.tracer.active || tracer_check(&world.tracer));
    } else {
        assert_true(support_calls >= n);
    }
    support_fail_at = 0;
    world_untrace(&world);
    assert_int_equal(vmem_bytes(&world.tracer.memory), 0);
}

static void every_request_may_fail(void **state) {
    (void)state;
    for (uint32_t mode = 0; mode < 4 * MARKINGS; mode++) {
        size_t n = 1;
        marking = mode % MARKINGS;
        do {
            program_without_memory(n, mode / MARKINGS % 2 == 0, mode < 2 * MARKINGS ? 1 : 65535);
        } while (support_calls >= n++);
        assert_true(n > 20);
    }
    marking = MARKS_AND_TOKENS;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stack_without_complete_frames_is_unknown),
        cmocka_unit_test(each_instruction_of_a_loop_has_its_own_path),
        cmocka_unit_test(a_call_from_elsewhere_at_the_same_address_is_another_path),
        cmocka_unit_test(frames_that_have_not_begun_do_not_count),
        cmocka_unit_test(a_generator_hangs_on_whoever_resumes_it),
        cmocka_unit_test(new_code_at_an_old_address_has_its_own_lines),
        cmocka_unit_test(what_was_known_of_dead_code_is_not_believed_of_a_caller),
        cmocka_unit_test(what_was_known_of_dead_code_is_not_believed_of_a_chain),
        cmocka_unit_test(ever_new_calls_are_collected),
        cmocka_unit_test(each_thread_has_its_own_path),
        cmocka_unit_test(marks_of_an_earlier_start_are_not_believed),
        cmocka_unit_test(a_stack_of_thousands_is_walked_to_its_bottom),
        cmocka_unit_test(a_walk_looks_at_the_changed_frames_only),
        cmocka_unit_test(frames_that_push_each_other_out_get_more_room),
        cmocka_unit_test(a_deep_stack_is_known_on_the_way_back),
        cmocka_unit_test(random_programs_with_marks_and_all_frames),
        cmocka_unit_test(random_programs_with_marks_and_one_frame),
        cmocka_unit_test(random_programs_with_tokens_and_all_frames),
        cmocka_unit_test(random_programs_with_tokens_and_one_frame),
        cmocka_unit_test(random_programs_without_marks_and_all_frames),
        cmocka_unit_test(random_programs_without_marks_and_one_frame),
        cmocka_unit_test(every_request_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
