/* filter: see filter.h. Any thread; what it takes it gives back, but for the new snapshot. */
#include "filter.h"
#include "selection.h"
#include "share.h"

#include <string.h>

enum { LET_IN = 1, KEPT_OUT = 2 }; /* what the filters so far said of a row */

#define NOWHERE UINT32_MAX

/* One filter at work. `near[node]`: 1 where the node's own frame matches, 2 where its parent's does first,
 * and so on; NOWHERE where none up to the root does; 0 where nobody has asked yet. */
struct scan {
    const struct snapshot *snapshot;
    const struct filter *filter;
    uint32_t *near; /* NULL where only the most recent frame counts */
};

static bool frame_matches(const struct scan *scan, uint32_t site_id) {
    const struct filter *filter = scan->filter;
    const struct site *site = site_get(scan->snapshot->paths, site_id);
    if (!(filter->files[site->file >> 3] >> (site->file & 7) & 1))
        return false;
    if (filter->functions != NULL && !(filter->functions[site->function >> 3] >> (site->function & 7) & 1))
        return false;
    return !filter->has_line || filter->line == (int64_t)site->line;
}

/* Walks up to the first frame with an answer, then the same way again to note it: each node is walked over
 * once. */
static uint32_t nearest_match(const struct scan *scan, uint32_t node) {
    const struct callpaths *paths = scan->snapshot->paths;
    uint32_t *near = scan->near;
    uint32_t end = node, steps = 0;
    while (end != 0 && near[end] == 0 && !frame_matches(scan, node_get(paths, end)->site)) {
        end = node_get(paths, end)->parent;
        steps++;
    }
    uint32_t found = end == 0 ? NOWHERE : near[end] != 0 ? near[end] : 1;
    if (end != 0)
        near[end] = found;
    for (uint32_t here = node; here != end; here = node_get(paths, here)->parent, steps--)
        near[here] = found == NOWHERE ? NOWHERE : found + steps;
    return near[node];
}

static bool path_matches(const struct scan *scan, uint32_t node) {
    if (node == 0)
        return false;
    if (scan->near == NULL) /* two look-ups: less than a note of the answer would cost */
        return frame_matches(scan, node_get(scan->snapshot->paths, node)->site);
    uint32_t distance = scan->near[node] != 0 ? scan->near[node] : nearest_match(scan, node);
    return distance != NOWHERE && distance <= scan->snapshot->limit;
}

static bool row_matches(const struct scan *scan, const struct row *row) {
    const struct filter *filter = scan->filter;
    bool domain_matches = filter->domain == (int64_t)row->domain;
    if (filter->by_domain_only)
        return domain_matches;
    return (!filter->has_domain || domain_matches) && path_matches(scan, row->node);
}

/* Asks one filter about all rows that it may still change something for. */
static status ask_filter(const struct snapshot *snapshot, const struct filter *filter, uint8_t *verdicts) {
    struct scan scan = {snapshot, filter, NULL};
    size_t near_bytes = 0;
    if (filter->all_frames && !filter->by_domain_only) {
        near_bytes = callpaths_ends(snapshot->paths).nodes * sizeof *scan.near;
        scan.near = vmem_map(snapshot->account, near_bytes);
        if (scan.near == NULL)
            return STATUS_NOMEM;
    }
    uint8_t verdict = filter->inclusive ? LET_IN : KEPT_OUT;
    uint8_t *so_far = verdicts;
    for (struct rows rows = snapshot_rows(snapshot); rows_next(&rows); so_far++) {
        if ((*so_far & (KEPT_OUT | verdict)) == 0 && row_matches(&scan, rows.row))
            *so_far |= verdict;
    }
    vmem_unmap(snapshot->account, scan.near, near_bytes);
    return STATUS_OK;
}

/* Shares the rows with the snapshot that they are from where these are most of them. */
static status take_rows(const struct snapshot *snapshot, const uint8_t *verdicts, uint8_t wanted,
                        struct snapshot *part) {
    struct selection selection;
    status result = selection_init(&selection, snapshot);
    if (result != STATUS_OK)
        return result;
    for (struct rows rows = snapshot_rows(snapshot); rows_next(&rows); verdicts++) {
        if (*verdicts == wanted)
            selection_add(&selection, rows.part, rows.row);
    }
    result = selection_take(&selection, part);
    selection_fini(&selection);
    return result;
}

status filter_rows(struct snapshot *snapshot, const struct filter *filters, size_t count,
                   struct snapshot **result) {
    *result = NULL;
    size_t bytes = snapshot->row_count + 1;
    uint8_t *verdicts = vmem_map(snapshot->account, bytes);
    if (verdicts == NULL)
        return STATUS_NOMEM;
    struct snapshot *part = snapshot_new(snapshot->account, snapshot->paths, snapshot->limit, snapshot->view);
    status done = part == NULL ? STATUS_NOMEM : STATUS_OK;
    uint8_t wanted = 0; /* nobody kept it out, and an inclusive filter, if there is one, let it in */
    for (size_t i = 0; i < count && done == STATUS_OK; i++) {
        wanted |= filters[i].inclusive ? LET_IN : 0;
        done = ask_filter(snapshot, &filters[i], verdicts);
    }
    if (done == STATUS_OK)
        done = take_rows(snapshot, verdicts, wanted, part);
    vmem_unmap(snapshot->account, verdicts, bytes);
    if (done != STATUS_OK) {
        snapshot_release(part);
        return done;
    }
    snapshot_complete(part);
    share_offer(part);
    *result = part;
    return STATUS_OK;
}
