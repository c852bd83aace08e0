/* Calls of several trees numbered together: nodes are one call exactly where their paths have the same frames, whatever
 * their depth; without memory. Sites numbered together as well: that is how it is known. */
#include "joincalls.h"
#include "model.h"

static struct vmem account;

enum { TREES = 3 };

struct world {
    struct callpaths *paths[TREES];
};

static struct world make_world(uint64_t *random, size_t nodes) {
    struct world world;
    for (size_t at = 0; at < TREES; at++)
        world.paths[at] = model_paths(&account, random, support_below(random, (uint32_t)nodes), 9);
    return world;
}

static void end_world(struct world *world) {
    for (size_t at = 0; at < TREES; at++)
        callpaths_release(world->paths[at]);
    assert_int_equal(vmem_bytes(&account), 0);
}

static status number_world(struct joincalls *joined, const struct world *world) {
    status result = STATUS_OK;
    joincalls_init(joined, &account);
    for (size_t at = 0; at < TREES && result == STATUS_OK; at++) {
        struct joined_tree *tree, *again;
        result = joincalls_tree(joined, world->paths[at], &tree);
        if (result == STATUS_OK)
            result = joincalls_tree(joined, world->paths[at], &again);
        assert_true(result != STATUS_OK || tree == again);
    }
    return result == STATUS_OK ? joincalls_number(joined) : result;
}

static bool same_frames(const struct callpaths *a, uint32_t node, const struct callpaths *b, uint32_t other) {
    for (; node != 0 && other != 0; node = node_get(a, node)->parent, other = node_get(b, other)->parent) {
        struct model_frame left = model_frame_of(a, node), right = model_frame_of(b, other);
        if (left.file != right.file || left.function != right.function || left.line != right.line)
            return false;
    }
    return node == 0 && other == 0;
}

/* Against all nodes of a tree, this one among them. */
static void assert_same_calls(const struct joined_tree *tree, uint32_t node,
                              const struct joined_tree *other) {
    for (uint32_t one = 0; one < other->end; one++)
        assert_int_equal(tree->calls[node] == other->calls[one],
                         same_frames(tree->paths, node, other->paths, one));
}

/* Which place a call is at, and who called it. */
static void assert_call(const struct joincalls *joined, const struct joined_tree *tree, uint32_t node) {
    const struct node *here = node_get(tree->paths, node);
    const struct joined_call *call = &joined->calls[tree->calls[node]];
    uint32_t site;
    assert_in_range(tree->calls[node], 1, joined->count - 1);
    assert_in_range(call->caller, 0, tree->calls[node] - 1);
    assert_int_equal(call->caller, tree->calls[here->parent]);
    struct callpaths *paths = joined->sites.paths[site_of_number(&joined->sites, call->site, &site)];
    const struct site *wanted = site_get(tree->paths, here->site), *found = site_get(paths, site);
    struct string a = strtab_get(&tree->paths->strings, wanted->file),
                  b = strtab_get(&paths->strings, found->file);
    assert_int_equal(wanted->line, found->line);
    assert_true(a.length == b.length && memcmp(a.bytes, b.bytes, a.length) == 0);
}

static void nodes_are_one_call_where_their_frames_are_the_same(void **state) {
    (void)state;
    uint64_t random = 3;
    for (int round = 0; round < 150; round++) {
        struct world world = make_world(&random, 60);
        struct joincalls joined;
        assert_int_equal(number_world(&joined, &world), STATUS_OK);
        assert_int_equal(joined.tree_count, TREES);
        for (size_t at = 0; at < TREES; at++) {
            for (uint32_t node = 0; node < joined.trees[at].end; node++) {
                if (node > 0)
                    assert_call(&joined, &joined.trees[at], node);
                for (size_t other = 0; other < TREES; other++)
                    assert_same_calls(&joined.trees[at], node, &joined.trees[other]);
            }
        }
        joincalls_fini(&joined);
        end_world(&world);
    }
}

static void the_same_tree_twice_has_its_calls_once(void **state) {
    (void)state;
    uint64_t random = 4, again = 4;
    struct callpaths *paths = model_paths(&account, &random, 300, 9),
                     *alike = model_paths(&account, &again, 300, 9);
    struct joincalls joined;
    struct joined_tree *trees[2];
    joincalls_init(&joined, &account);
    assert_int_equal(joincalls_tree(&joined, paths, &trees[0]), STATUS_OK);
    assert_int_equal(joincalls_tree(&joined, alike, &trees[1]), STATUS_OK);
    assert_int_equal(joincalls_number(&joined), STATUS_OK);
    assert_int_equal(trees[0]->end, trees[1]->end);
    assert_memory_equal(trees[0]->calls, trees[1]->calls, trees[0]->end * sizeof(uint32_t));
    joincalls_fini(&joined);
    callpaths_release(paths);
    callpaths_release(alike);
    assert_int_equal(vmem_bytes(&account), 0);
}

static status number_once(void *context) {
    struct joincalls joined;
    status result = number_world(&joined, context);
    joincalls_fini(&joined);
    return result;
}

static void without_memory_nothing_is_kept(void **state) {
    (void)state;
    uint64_t random = 6;
    struct world world = make_world(&random, 90);
    assert_in_range(support_sweep(&account, number_once, &world), 8, 5000);
    end_world(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_are_one_call_where_their_frames_are_the_same),
        cmocka_unit_test(the_same_tree_twice_has_its_calls_once),
        cmocka_unit_test(without_memory_nothing_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
