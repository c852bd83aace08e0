/* Filters: which rows stay, against the rules written out trace by trace. */
#include "model.h"

#include "filter.h"

static struct vmem account;

static uint8_t all_files[64], no_files[64];

static bool name_is_in(const struct snapshot *snapshot, const uint8_t *names, const char *name) {
    for (uint32_t id = 0; id < snapshot->paths->strings.count; id++) {
        struct string string = strtab_get(&snapshot->paths->strings, id);
        if (string.length == strlen(name) && memcmp(string.bytes, name, string.length) == 0)
            return names[id / 8] >> (id % 8) & 1;
    }
    return false;
}

static bool model_frame_matches(const struct snapshot *snapshot, const struct filter *filter,
                                const struct model_frame *frame) {
    return name_is_in(snapshot, filter->files, frame->file) &&
           (filter->functions == NULL || name_is_in(snapshot, filter->functions, frame->function)) &&
           (!filter->has_line || filter->line == frame->line);
}

/* What one filter says: the row may stay as far as it is concerned. */
static bool model_passes(const struct snapshot *snapshot, const struct filter *filter,
                         const struct row *row) {
    bool same_domain = filter->domain == (int64_t)row->domain;
    if (filter->by_domain_only)
        return same_domain == filter->inclusive;
    struct model_path path = model_path_of(snapshot, row->node);
    size_t asked = filter->all_frames ? path.count : path.count < 1 ? path.count : 1;
    bool matches = false;
    for (size_t i = 0; i < asked; i++)
        matches |= model_frame_matches(snapshot, filter, &path.frames[i]);
    bool passes = matches == filter->inclusive;
    if (!filter->has_domain)
        return passes;
    return filter->inclusive ? passes && same_domain : passes || !same_domain;
}

static bool model_stays(const struct snapshot *snapshot, const struct filter *filters, size_t count,
                        const struct row *row) {
    bool wanted = false, invited = false;
    for (size_t i = 0; i < count; i++) {
        bool passes = model_passes(snapshot, &filters[i], row);
        if (!filters[i].inclusive && !passes)
            return false;
        wanted |= filters[i].inclusive;
        invited |= filters[i].inclusive && passes;
    }
    return invited || !wanted;
}

enum { NAME_BYTES = 8 };

static struct filter random_filter(uint64_t *random, uint8_t files[NAME_BYTES],
                                   uint8_t functions[NAME_BYTES]) {
    for (size_t i = 0; i < NAME_BYTES; i++) {
        files[i] = (uint8_t)support_random(random);
        functions[i] = (uint8_t)support_random(random);
    }
    return (struct filter){.inclusive = support_below(random, 2),
                           .by_domain_only = support_below(random, 4) == 0,
                           .all_frames = support_below(random, 2),
                           .has_domain = support_below(random, 3) == 0,
                           .has_line = support_below(random, 3) == 0,
                           .domain = support_below(random, 4),
                           .line = support_below(random, 4),
                           .files = files,
                           .functions = support_below(random, 3) == 0 ? functions : NULL};
}

static void assert_same_rows(const struct snapshot *snapshot, const struct filter *filters, size_t count,
                             const struct snapshot *result) {
    size_t at = 0;
    for (size_t i = 0; i < snapshot->row_count; i++) {
        if (!model_stays(snapshot, filters, count, snapshot_row(snapshot, i)))
            continue;
        assert_in_range(at, 0, result->row_count - 1);
        assert_memory_equal(snapshot_row(result, at++), snapshot_row(snapshot, i), sizeof(struct row));
    }
    assert_int_equal(at, result->row_count);
    assert_int_equal(result->limit, snapshot->limit);
    assert_int_equal(result->view, snapshot->view);
    assert_ptr_equal(result->paths, snapshot->paths);
    assert_true(snapshot_check(result));
}

static void random_filters_keep_what_the_rules_keep(void **state) {
    (void)state;
    uint64_t random = 1;
    size_t kept = 0, rows = 0;
    for (int round = 0; round < 500; round++) {
        struct callpaths *paths = model_paths(&account, &random, support_below(&random, 60), 12);
        uint32_t limit = 1 + support_below(&random, 14);
        struct snapshot *snapshot = model_snapshot(&account, &random, paths, support_below(&random, 60),
                                                   limit, (enum view)(round % 3));
        struct filter filters[4];
        uint8_t files[4][NAME_BYTES], functions[4][NAME_BYTES];
        size_t count = support_below(&random, 5);
        for (size_t i = 0; i < count; i++)
            filters[i] = random_filter(&random, files[i], functions[i]);
        struct snapshot *result;
        assert_int_equal(filter_rows(snapshot, filters, count, &result), STATUS_OK);
        assert_same_rows(snapshot, filters, count, result);
        kept += result->row_count;
        rows += snapshot->row_count;
        snapshot_release(snapshot);
        callpaths_release(paths);
        snapshot_release(result);
        assert_int_equal(vmem_bytes(&account), 0);
    }
    assert_in_range(kept, rows / 10, rows * 9 / 10);
}

/* How many of the rows stay: node 0 in domain 0, and a two-frame path in domains 1 and 2; each once. */
static size_t kept_by(struct filter filter, uint32_t limit) {
    struct callpaths *paths = callpaths_new(&account);
    struct snapshot *snapshot = snapshot_new(&account, paths, limit, VIEW_LIVE), *result;
    uint32_t caller = model_node(paths, 0, "a.py", "main", 1, 1);
    struct row row = {.node = 0, .domain = 0, .size = 1, .count = 1};
    assert_int_equal(snapshot_add(snapshot, &row), STATUS_OK);
    row.node = model_node(paths, caller, "zz", "", 5, 0);
    for (row.domain = 1; row.domain <= 2; row.domain++)
        assert_int_equal(snapshot_add(snapshot, &row), STATUS_OK);
    assert_int_equal(filter_rows(snapshot, &filter, 1, &result), STATUS_OK);
    size_t count = result->row_count;
    snapshot_release(result);
    snapshot_release(snapshot);
    callpaths_release(paths);
    assert_int_equal(vmem_bytes(&account), 0);
    return count;
}

static void only_a_domain_filter_matches_the_empty_traceback(void **state) {
    (void)state;
    assert_int_equal(kept_by((struct filter){.inclusive = true, .files = all_files}, 2), 2);
    assert_int_equal(kept_by((struct filter){.inclusive = false, .files = all_files, .all_frames = true}, 2),
                     1);
    assert_int_equal(kept_by((struct filter){.inclusive = true, .by_domain_only = true, .domain = 0}, 2), 1);
    assert_int_equal(kept_by((struct filter){.inclusive = false, .by_domain_only = true, .domain = 0}, 2), 2);
}

static void an_older_frame_matches_only_within_the_limit(void **state) {
    (void)state;
    struct filter filter = {
        .inclusive = true, .files = all_files, .all_frames = true, .has_line = true, .line = 1};
    assert_int_equal(kept_by(filter, 2), 2);
    assert_int_equal(kept_by(filter, 1), 0);
    filter.all_frames = false;
    assert_int_equal(kept_by(filter, 2), 0);
}

static void an_exclusive_filter_with_a_domain_spares_other_domains(void **state) {
    (void)state;
    struct filter filter = {.inclusive = false, .files = all_files, .has_domain = true, .domain = 1};
    assert_int_equal(kept_by(filter, 2), 2);
    filter.files = no_files;
    assert_int_equal(kept_by(filter, 2), 3);
    filter.files = all_files;
    filter.inclusive = true;
    assert_int_equal(kept_by(filter, 2), 1);
}

static void lines_and_domains_that_no_row_can_have_match_nothing(void **state) {
    (void)state;
    struct filter filter = {.inclusive = true, .files = all_files, .has_line = true, .line = -1};
    assert_int_equal(kept_by(filter, 2), 0);
    filter.line = (INT64_C(1) << 32) + 5;
    assert_int_equal(kept_by(filter, 2), 0);
    filter.line = 5;
    assert_int_equal(kept_by(filter, 2), 2);
    filter = (struct filter){.inclusive = true, .by_domain_only = true, .domain = (INT64_C(1) << 32) + 1};
    assert_int_equal(kept_by(filter, 2), 0);
}

struct sweep {
    struct snapshot *snapshot;
    struct filter filters[2];
};

static status filter_once(void *context) {
    struct sweep *sweep = context;
    struct snapshot *filtered;
    status result = filter_rows(sweep->snapshot, sweep->filters, 2, &filtered);
    assert_int_equal(filtered != NULL, result == STATUS_OK);
    snapshot_release(filtered);
    return result;
}

static void without_memory_filtering_says_so_and_keeps_nothing(void **state) {
    (void)state;
    uint64_t random = 2;
    struct callpaths *paths = model_paths(&account, &random, 40, 8);
    struct sweep sweep = {
        .snapshot = model_snapshot(&account, &random, paths, 200, 3, VIEW_LIVE),
        .filters = {{.inclusive = true, .all_frames = true, .files = all_files}, {.files = no_files}}};
    assert_in_range(support_sweep(&account, filter_once, &sweep), 7, 1000);
    snapshot_release(sweep.snapshot);
    callpaths_release(paths);
    assert_int_equal(vmem_bytes(&account), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_filters_keep_what_the_rules_keep),
        cmocka_unit_test(only_a_domain_filter_matches_the_empty_traceback),
        cmocka_unit_test(an_older_frame_matches_only_within_the_limit),
        cmocka_unit_test(an_exclusive_filter_with_a_domain_spares_other_domains),
        cmocka_unit_test(lines_and_domains_that_no_row_can_have_match_nothing),
        cmocka_unit_test(without_memory_filtering_says_so_and_keeps_nothing),
    };
    memset(all_files, 0xff, sizeof all_files);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
