/* calltable: see calltable.h. One thread makes a table; the snapshots are only read. */
#include "calltable.h"
#include "grouping.h"
#include "joincalls.h"
#include "pathcopy.h"

#include <string.h>

/* What there is to know of a call beside who called it where: one thing after the other. A share is 0 only where no row is
 * here or below, since there is a block in every row. */
union mark {
    float
        share; /* until it is chosen: the largest of all; no caller's is smaller than that of what it calls */
    uint32_t
        below;    /* then: calls that are merged into the row behind this one; ABSENT where the share was 0 */
    uint32_t row; /* in the end: its own one of the table, or the one that it is merged into */
};

#define ABSENT UINT32_MAX

/* Where a call stands among those that stay: what is called from here, what else the same caller calls; 0: none. */
struct link {
    uint32_t first, next;
};

struct work {
    struct vmem *account;
    struct viewsource *sources;
    size_t count;
    bool compared;
    struct joincalls joined;
    struct joined_tree *trees[CALLTABLE_MOST]; /* by source */
    union mark *marks;                         /* by call */
    struct link *links;                        /* by call */
    struct idset staying;                      /* calls that stay */
    uint64_t *sums;                            /* by call: of bytes, or of blocks; 0 between two views */
};

/* --- calls --- */

static status make_calls(struct work *work) {
    status result = STATUS_OK;
    for (size_t at = 0; at < work->count && result == STATUS_OK; at++)
        result = joincalls_tree(&work->joined, work->sources[at].paths, &work->trees[at]);
    return result == STATUS_OK ? joincalls_number(&work->joined) : result;
}

/* --- which of them stay --- */

/* Rows on their way to the sums: of one source, its blocks or its bytes. */
struct adding {
    const uint32_t *calls; /* by node */
    uint64_t *sums;        /* by call */
    uint64_t all;
    enum view view;
    bool blocks;
};

static uint64_t amount(const struct adding *adding, const struct row *row) {
    return adding->blocks ? row->count : row_bytes_in(adding->view, row);
}

static void add_row(void *context, const struct row *row) {
    struct adding *adding = context;
    uint64_t more = amount(adding, row), *own = &adding->sums[adding->calls[row->node]];
    *own = add_capped(*own, more);
    adding->all = add_capped(adding->all, more);
}

static void subtract_row(void *context, const struct row *row) {
    const struct adding *adding = context;
    adding->sums[adding->calls[row->node]] -= amount(adding, row);
}

static status each_row(const struct work *work, size_t at, bool blocks, row_visit visit, uint64_t *all) {
    struct viewsource *source = &work->sources[at];
    struct adding adding = {work->trees[at]->calls, work->sums, 0, source->view, blocks};
    status result = viewsource_each(source, visit, &adding);
    *all = adding.all;
    return result;
}

/* Adds to every caller what it calls, and notes the shares of all; leaves no sums. */
static void note_shares(struct work *work, uint64_t all) {
    const struct joined_call *calls = work->joined.calls;
    uint64_t *sums = work->sums;
    double whole = all == 0 ? 1 : (double)all;
    for (uint32_t id = work->joined.count; id-- > 0;) {
        uint64_t sum = sums[id];
        if (sum == 0)
            continue;
        float share = (float)((double)sum / whole);
        work->marks[id].share = share > work->marks[id].share ? share : work->marks[id].share;
        sums[calls[id].caller] = add_capped(sums[calls[id].caller], sum);
        sums[id] = 0;
    }
}

/* Of one source. */
static status note_source(struct work *work, size_t at, bool blocks) {
    uint64_t all;
    status result = each_row(work, at, blocks, add_row, &all);
    if (result == STATUS_OK)
        note_shares(work, all);
    return result;
}

/* How much each call alone changed. Signed, so that one array will do: of 2^63 bytes or more some share is too small. */
static status note_changes(struct work *work, size_t at, size_t old, bool blocks) {
    uint64_t *sums = work->sums, all;
    status result = each_row(work, at, blocks, add_row, &all);
    if (result == STATUS_OK)
        result = each_row(work, old, blocks, subtract_row, &all);
    if (result != STATUS_OK)
        return result;
    for (uint32_t id = 0; id < work->joined.count; id++) {
        sums[id] = (int64_t)sums[id] < 0 ? -sums[id] : sums[id];
        all = add_capped(all, sums[id]);
    }
    note_shares(work, all);
    return STATUS_OK;
}

static status note_all(struct work *work) {
    size_t half = work->compared ? work->count / 2 : 0;
    status result = STATUS_OK;
    for (int blocks = 0; blocks < 2; blocks++) {
        for (size_t at = 0; at < work->count && result == STATUS_OK; at++)
            result = note_source(work, at, blocks != 0);
        for (size_t at = 0; at < half && result == STATUS_OK; at++)
            result = note_changes(work, at, half + at, blocks != 0);
    }
    return result;
}

/* Positive floats are in the order of their bits. */
static uint32_t bits_of(float share) {
    uint32_t bits;
    memcpy(&bits, &share, sizeof bits);
    return bits;
}

enum { DIGITS = 1 << 16 };

/* Of all calls whose upper half of bits is `upper` (or of all, where it is DIGITS), how many have each digit, the upper
 * or the lower half; then the digit of the one that `*most` larger ones come before, and how many of these are left. */
static uint32_t find_digit(const struct work *work, uint32_t *digits, uint32_t upper, uint32_t *most) {
    memset(digits, 0, DIGITS * sizeof *digits);
    for (uint32_t id = 0; id < work->joined.count; id++) {
        uint32_t bits = bits_of(work->marks[id].share);
        if (upper == DIGITS)
            digits[bits >> 16]++;
        else if (bits >> 16 == upper)
            digits[bits & (DIGITS - 1)]++;
    }
    uint32_t digit = DIGITS - 1;
    for (; digit > 0 && digits[digit] <= *most; digit--)
        *most -= digits[digit];
    return digit;
}

static uint32_t count_staying(const struct work *work, struct calltable_cut cut) {
    uint32_t large = 0;
    for (uint32_t id = 0; id < work->joined.count; id++)
        large += work->marks[id].share >= cut.least;
    large = large > cut.enough ? large : cut.enough;
    return large < cut.most ? large : cut.most;
}

/* Of equal shares the callers, which come first, stay first. */
static status choose(struct work *work, uint32_t most) {
    status result = idset_init(&work->staying, work->account, work->joined.count);
    uint32_t *digits = vmem_map(work->account, DIGITS * sizeof *digits);
    if (digits == NULL || result != STATUS_OK) {
        vmem_unmap(work->account, digits, DIGITS * sizeof *digits);
        return STATUS_NOMEM;
    }
    uint32_t upper = find_digit(work, digits, DIGITS, &most);
    uint32_t least = upper << 16 | find_digit(work, digits, upper, &most);
    for (uint32_t id = 0; id < work->joined.count; id++) {
        uint32_t bits = bits_of(work->marks[id].share);
        bool last = bits == least && bits > 0 && most > 0;
        if (id == 0 || bits > least || last)
            idset_add(&work->staying, id);
        most -= last;
    }
    vmem_unmap(work->account, digits, DIGITS * sizeof *digits);
    return STATUS_OK;
}

static status cut_small(struct work *work, struct calltable_cut cut) {
    size_t bytes = work->joined.count * sizeof *work->sums;
    work->sums = vmem_map(work->account, bytes);
    status result = work->sums == NULL ? STATUS_NOMEM : note_all(work);
    vmem_unmap(work->account, work->sums, bytes);
    return result == STATUS_OK ? choose(work, count_staying(work, cut)) : result;
}

/* --- the table --- */

/* Lists what calls led to, counts what is merged; how many rows that makes. */
static uint32_t link_calls(struct work *work) {
    const struct joined_call *calls = work->joined.calls;
    union mark *marks = work->marks;
    uint32_t rows = 1;
    for (uint32_t id = 0; id < work->joined.count; id++)
        marks[id].below = id == 0 || marks[id].share > 0 ? 0 : ABSENT;
    for (uint32_t id = work->joined.count - 1; id > 0; id--) { /* so that lists begin with the smallest id */
        uint32_t caller = calls[id].caller;
        if (idset_has(&work->staying, id)) {
            work->links[id].next = work->links[caller].first;
            work->links[caller].first = id;
            rows += marks[id].below > 0 ? 2 : 1;
        } else if (marks[id].below != ABSENT) {
            marks[caller].below += marks[id].below + 1;
        }
    }
    return rows + (marks[0].below > 0);
}

static status make_arrays(struct calltable *table, uint32_t rows, size_t snapshots) {
    table->bytes = rows * (3 * sizeof(uint32_t) + 2 * snapshots * sizeof(uint64_t)) + sizeof(uint64_t);
    uint64_t *numbers = vmem_map(table->account, table->bytes);
    if (numbers == NULL)
        return STATUS_NOMEM;
    for (size_t at = 0; at < snapshots; at++) {
        table->sizes[at] = numbers + 2 * at * rows;
        table->counts[at] = numbers + (2 * at + 1) * rows;
    }
    table->parents = (uint32_t *)(numbers + 2 * snapshots * rows);
    table->sites = table->parents + rows;
    table->merged = table->sites + rows;
    return STATUS_OK;
}

static uint32_t put_row(struct calltable *table, uint32_t parent, uint32_t site, uint32_t merged) {
    uint32_t row = table->count++;
    table->parents[row] = parent;
    table->sites[row] = site;
    table->merged[row] = merged;
    return row;
}

/* Down to what was called first, else on to what the same caller called next, else up. Sites are numbers yet. */
static void put_rows(struct work *work, struct calltable *table) {
    const struct joined_call *calls = work->joined.calls;
    const struct link *links = work->links;
    union mark *marks = work->marks;
    uint32_t id = 0;
    while (true) {
        uint32_t below = marks[id].below;
        marks[id].row = 0; /* the root is its own caller */
        marks[id].row = put_row(table, marks[calls[id].caller].row, calls[id].site, 0);
        if (below > 0)
            put_row(table, marks[id].row, 0, below);
        if (links[id].first != 0) {
            id = links[id].first;
            continue;
        }
        while (id != 0 && links[id].next == 0)
            id = calls[id].caller;
        if (id == 0)
            break;
        id = links[id].next;
    }
    for (id = 1; id < work->joined.count; id++) {
        uint32_t caller = calls[id].caller;
        if (idset_has(&work->staying, id))
            continue;
        if (marks[id].below == ABSENT) /* no row will be there, unless a file has changed by then */
            marks[id].row = 0;
        else /* the row behind a caller that stays */
            marks[id].row = marks[caller].row + idset_has(&work->staying, caller);
    }
}

static status make_rows(struct work *work, struct calltable *table) {
    size_t bytes = work->joined.count * sizeof *work->links;
    work->links = vmem_map(work->account, bytes);
    if (work->links == NULL)
        return STATUS_NOMEM;
    status result = make_arrays(table, link_calls(work), work->count);
    if (result == STATUS_OK)
        put_rows(work, table);
    vmem_unmap(work->account, work->links, bytes);
    return result;
}

/* Rows on their way to the table: of one source. */
struct putting {
    const uint32_t *calls;    /* by node */
    const union mark *marks;  /* by call */
    uint64_t *sizes, *counts; /* by row of the table */
    enum view view;
};

static void put_number(void *context, const struct row *row) {
    const struct putting *putting = context;
    uint32_t at = putting->marks[putting->calls[row->node]].row;
    putting->sizes[at] = add_capped(putting->sizes[at], row_bytes_in(putting->view, row));
    putting->counts[at] = add_capped(putting->counts[at], row->count);
}

static status put_numbers(const struct work *work, struct calltable *table, size_t at) {
    struct viewsource *source = &work->sources[at];
    struct putting putting = {work->trees[at]->calls, work->marks, table->sizes[at], table->counts[at],
                              source->view};
    return viewsource_each(source, put_number, &putting);
}

/* Copies the sites of all rows, in their order, into the table's own call paths. */
static status copy_sites(struct calltable *table, const struct sitenumbers *sites, struct pathcopy *copies) {
    status result = STATUS_OK;
    for (size_t set = 0; set < sites->count && result == STATUS_OK; set++)
        result = pathcopy_sites_init(&copies[set], table->account, sites->paths[set], table->paths);
    for (uint32_t row = 1; row < table->count && result == STATUS_OK; row++) {
        uint32_t site;
        size_t set = site_of_number(sites, table->sites[row], &site);
        if (table->sites[row] != 0)
            result = pathcopy_site(&copies[set], site, &table->sites[row]);
    }
    return result;
}

static status make_sites(struct work *work, struct calltable *table) {
    struct pathcopy copies[CALLTABLE_MOST] = {0};
    table->paths = callpaths_new(work->account);
    if (table->paths == NULL)
        return STATUS_NOMEM;
    status result = copy_sites(table, &work->joined.sites, copies);
    for (size_t set = 0; set < CALLTABLE_MOST; set++)
        pathcopy_fini(&copies[set]);
    callpaths_seal(table->paths);
    return result;
}

/* --- life --- */

static status make(struct work *work, struct calltable *table, struct calltable_cut cut) {
    status result = make_calls(work);
    if (result != STATUS_OK)
        return result;
    work->marks = vmem_map(work->account, work->joined.count * sizeof *work->marks);
    result = work->marks == NULL ? STATUS_NOMEM : cut_small(work, cut);
    if (result == STATUS_OK)
        result = make_rows(work, table);
    for (size_t at = 0; at < work->count && result == STATUS_OK; at++)
        result = put_numbers(work, table, at);
    return result == STATUS_OK ? make_sites(work, table) : result;
}

static void give_back(struct work *work) {
    vmem_unmap(work->account, work->marks, work->joined.count * sizeof *work->marks);
    idset_fini(&work->staying);
    joincalls_fini(&work->joined);
}

status calltable_init(struct calltable *table, struct vmem *account, struct viewsource *sources, size_t count,
                      bool compared, struct calltable_cut cut) {
    struct work work = {.account = account, .sources = sources, .count = count, .compared = compared};
    assert(count > 0 && count <= CALLTABLE_MOST && (!compared || count % 2 == 0));
    *table = (struct calltable){.account = account};
    joincalls_init(&work.joined, account);
    status result = make(&work, table, cut);
    give_back(&work);
    if (result != STATUS_OK)
        calltable_fini(table);
    return result;
}

void calltable_fini(struct calltable *table) {
    if (table->sizes[0] != NULL)
        vmem_unmap(table->account, table->sizes[0], table->bytes);
    callpaths_release(table->paths);
    memset(table, 0, sizeof *table);
}

bool calltable_check(const struct calltable *table) {
    if (table->count == 0 || table->parents[0] != 0 || table->sites[0] != 0 || table->merged[0] != 0)
        return false;
    for (uint32_t row = 1; row < table->count; row++) {
        uint32_t caller = table->parents[row], above = row - 1;
        if (caller >= row || table->merged[caller] != 0 || (table->merged[row] != 0 && caller != above))
            return false;
        while (above != caller &&
               above != 0) /* in preorder a row's caller is the row before, or above that one */
            above = table->parents[above];
        if (above != caller)
            return false;
    }
    return true;
}
