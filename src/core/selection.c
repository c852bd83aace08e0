/* selection: see selection.h. One thread. */
#include "selection.h"

#include <string.h>

status selection_init(struct selection *selection, const struct snapshot *from) {
    size_t words = 0;
    *selection = (struct selection){.from = from};
    for (uint32_t i = 0; i < from->part_count; i++) {
        selection->begins[i] = words;
        words += segment_words(from->parts[i].segment);
    }
    selection->bytes = (words + 1) * sizeof *selection->words; /* never nothing */
    selection->words = vmem_map(from->account, selection->bytes);
    return selection->words == NULL ? STATUS_NOMEM : STATUS_OK;
}

void selection_fini(struct selection *selection) {
    if (selection->from != NULL)
        vmem_unmap(selection->from->account, selection->words, selection->bytes);
    memset(selection, 0, sizeof *selection);
}

/* What becomes of the parts of `from`. */
struct plan {
    size_t chosen[PARTS_MOST]; /* rows */
    bool shared[PARTS_MOST];
    uint32_t shared_count;
};

static const uint64_t *bits_of(const struct selection *selection, uint32_t part) {
    return selection->words + selection->begins[part];
}

static size_t count_bits(const uint64_t *words, size_t count) {
    size_t bits = 0;
    for (size_t i = 0; i < count; i++)
        bits += (size_t)__builtin_popcountll(words[i]);
    return bits;
}

static void make_plan(const struct selection *selection, struct plan *plan) {
    const struct snapshot *from = selection->from;
    *plan = (struct plan){.shared_count = 0};
    for (uint32_t i = 0; i < from->part_count; i++) {
        const struct segment *segment = from->parts[i].segment;
        plan->chosen[i] = count_bits(bits_of(selection, i), segment_words(segment));
        plan->shared[i] = plan->chosen[i] > 0 && plan->chosen[i] >= segment->count - plan->chosen[i];
        plan->shared_count += plan->shared[i];
    }
    if (plan->shared_count < PARTS_MOST)
        return;
    for (size_t least = 2; plan->shared_count > PARTS_MOST / 2; least *= 2) {
        for (uint32_t i = 0; i < from->part_count; i++) {
            if (plan->shared[i] && plan->chosen[i] < least) {
                plan->shared[i] = false;
                plan->shared_count--;
            }
        }
    }
}

static bool is_whole(const struct selection *selection, const struct plan *plan, uint32_t part) {
    return plan->chosen[part] == selection->from->parts[part].segment->count;
}

static status copy_rows(const struct selection *selection, uint32_t i, struct snapshot *to) {
    struct segment_part part = {selection->from->parts[i].segment, bits_of(selection, i)};
    struct rows rows = {.part = &part, .parts_end = &part + 1};
    status result = STATUS_OK;
    while (result == STATUS_OK && rows_next(&rows))
        result = snapshot_add(to, rows.row);
    return result;
}

/* Memory for the bits of all shared parts that are not whole. */
static status map_kept(const struct selection *selection, const struct plan *plan, struct snapshot *to) {
    size_t words = 0;
    for (uint32_t i = 0; i < selection->from->part_count; i++) {
        if (plan->shared[i] && !is_whole(selection, plan, i))
            words += segment_words(selection->from->parts[i].segment);
    }
    if (words == 0)
        return STATUS_OK;
    to->kept_bytes = words * sizeof *to->kept;
    to->kept = vmem_map(to->account, to->kept_bytes);
    return to->kept == NULL ? STATUS_NOMEM : STATUS_OK;
}

static void share_parts(const struct selection *selection, const struct plan *plan, struct snapshot *to) {
    uint64_t *kept = to->kept;
    for (uint32_t i = 0; i < selection->from->part_count; i++) {
        struct segment_part part = {selection->from->parts[i].segment, NULL};
        if (!plan->shared[i])
            continue;
        if (!is_whole(selection, plan, i)) {
            size_t words = segment_words(part.segment);
            part.kept = memcpy(kept, bits_of(selection, i), words * sizeof *kept);
            kept += words;
        }
        segment_retain(part.segment);
        to->parts[to->part_count] = to->parts[to->part_count - 1]; /* its own stays the last */
        to->parts[to->part_count++ - 1] = part;
        to->row_count += plan->chosen[i];
    }
}

status selection_take(const struct selection *selection, struct snapshot *to) {
    struct plan plan;
    uint64_t entries;
    assert(to->part_count == 1 && to->paths == selection->from->paths && to->view == selection->from->view);
    if (__builtin_add_overflow(to->entries, selection->entries, &entries))
        return STATUS_FULL;
    make_plan(selection, &plan);
    status result = map_kept(selection, &plan, to);
    for (uint32_t i = 0; i < selection->from->part_count && result == STATUS_OK; i++) {
        if (!plan.shared[i] && plan.chosen[i] > 0)
            result = copy_rows(selection, i, to);
    }
    if (result != STATUS_OK)
        return result;
    share_parts(selection, &plan, to);
    to->entries = entries;
    return STATUS_OK;
}
