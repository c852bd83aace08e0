/* Fingerprints against the frames themselves: equal ones for equal tracebacks, of one snapshot or of two, cut or not. */
#include "fingerprints.h"
#include "model.h"

static struct vmem account;

static bool same_frames(const struct snapshot *a, uint32_t a_node, const struct snapshot *b,
                        uint32_t b_node) {
    struct model_path left = model_path_of(a, a_node), right = model_path_of(b, b_node);
    return model_compare(&left, &right) == 0;
}

static void tracebacks_have_equal_fingerprints_where_their_frames_are_equal(void **state) {
    (void)state;
    uint64_t random = 3;
    size_t equal = 0, different = 0;
    for (int round = 0; round < 100; round++) {
        struct fingerprint_places places = fingerprint_places_new();
        struct callpaths *paths[2] = {model_paths(&account, &random, 40, 9),
                                      model_paths(&account, &random, 40, 9)};
        struct snapshot *sides[2];
        struct fingerprints prints[2];
        for (int i = 0; i < 2; i++) {
            uint32_t limit = 1 + support_below(&random, 9);
            sides[i] = model_snapshot(&account, &random, paths[round % 2 ? i : 0], 50, limit, VIEW_LIVE);
            assert_int_equal(fingerprints_init(&prints[i], sides[i], sides[0], places), STATUS_OK);
        }
        for (size_t i = 0; i < sides[0]->row_count; i++) {
            uint32_t ours = snapshot_row(sides[0], i)->node;
            struct fingerprint print = fingerprint_of(&prints[0], ours);
            for (size_t j = 0; j < sides[1]->row_count; j++) {
                uint32_t other = snapshot_row(sides[1], j)->node;
                struct fingerprint others = fingerprint_of(&prints[1], other);
                bool same = same_frames(sides[0], ours, sides[1], other);
                assert_int_equal(fingerprint_equal(&print, &others), same);
                *(same ? &equal : &different) += 1;
            }
        }
        for (int i = 0; i < 2; i++) {
            fingerprints_fini(&prints[i]);
            snapshot_release(sides[i]);
            callpaths_release(paths[i]);
        }
        assert_int_equal(vmem_bytes(&account), 0);
    }
    assert_true(equal > 100 && different > 100);
}

static void files_that_the_first_snapshot_does_not_know_differ(void **state) {
    (void)state;
    static const char *const names[] = {"a.py", "b.py", "c.py"};
    struct callpaths *paths[2] = {callpaths_new(&account), callpaths_new(&account)};
    struct snapshot *sides[2];
    struct fingerprints prints;
    struct fingerprint found[3];
    uint32_t nodes[3];
    for (size_t i = 0; i < 2; i++)
        sides[i] = snapshot_new(&account, paths[i], 5, VIEW_LIVE);
    (void)model_node(paths[0], 0, "a.py", "main", 1, 1);
    for (size_t i = 0; i < 3; i++) {
        nodes[i] = model_node(paths[1], 0, names[i], "main", 1, 1);
        struct row row = {.node = nodes[i], .depth = 1, .size = 1, .count = 1};
        assert_int_equal(snapshot_add(sides[1], &row), STATUS_OK);
    }
    assert_int_equal(fingerprints_init(&prints, sides[1], sides[0], fingerprint_places_new()), STATUS_OK);
    for (size_t i = 0; i < 3; i++) {
        found[i] = fingerprint_of(&prints, nodes[i]);
        for (size_t earlier = 0; earlier < i; earlier++)
            assert_false(fingerprint_equal(&found[i], &found[earlier]));
    }
    fingerprints_fini(&prints);
    for (size_t i = 0; i < 2; i++) {
        snapshot_release(sides[i]);
        callpaths_release(paths[i]);
    }
    assert_int_equal(vmem_bytes(&account), 0);
}

static void every_series_has_places_of_its_own(void **state) {
    (void)state;
    struct fingerprint_places a = fingerprint_places_new(), b = fingerprint_places_new();
    assert_memory_not_equal(&a, &b, sizeof a);
    for (int i = 0; i < 2; i++)
        assert_true(a.at[i] < (UINT64_C(1) << 61) - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tracebacks_have_equal_fingerprints_where_their_frames_are_equal),
        cmocka_unit_test(files_that_the_first_snapshot_does_not_know_differ),
        cmocka_unit_test(every_series_has_places_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
