/* measure: see measure.h. */
#include "measure.h"
#include "tracer.h"

/* What is traced now; the side's window is closed. */
static int64_t traced_now(const struct tracer *tracer) {
    return tracer->ledger.current + tracer->side.current;
}

static uint64_t allocated_now(const struct tracer *tracer) {
    return tracer->measures.allocated + tracer->side.measuring.allocated;
}

/* Tells the side who is to know of its highest values, and which number its blocks are born with. */
static void announce_locked(struct tracer *tracer) {
    struct measures *measures = &tracer->measures;
    tracer->side.measuring.top = measures->newest != NULL ? &measures->newest->top : NULL;
    tracer->side.measuring.born = measures->newest != NULL ? measures->number : 0;
    tracer_choose_way(tracer);
}

void measure_begin(struct tracer *tracer, struct measure *measure, means_test is_means) {
    struct measures *measures = &tracer->measures;
    assert(tracer->active && measure->number == 0);
    lock_acquire(&tracer->side.lock);
    tracer_settle_locked(tracer);
    int64_t now = traced_now(tracer);
    *measure = (struct measure){
        .older = measures->newest, .number = ++measures->number, .start = now, .top = now};
    measure->allocated = allocated_now(tracer);
    *(measures->newest != NULL ? &measures->newest->newer : &measures->oldest) = measure;
    measures->newest = measure;
    measures->is_means = is_means;
    announce_locked(tracer);
    lock_release(&tracer->side.lock);
}

/* --- figures --------------------------------------------------------------------------------------------------------- */

struct reading {
    struct tracer *tracer;
    uint64_t born;
    uint64_t kept;
    kept_sink sink; /* may be NULL */
    void *context;
};

static status read_block(struct reading *reading, uint32_t domain, uint32_t node, uint64_t size) {
    struct kept_block block = {domain, node, size};
    reading->kept += size;
    return reading->sink != NULL ? reading->sink(reading->context, &block) : STATUS_OK;
}

static status read_main(struct reading *reading) {
    const struct tracer *tracer = reading->tracer;
    const struct young *young = &tracer->measures.young;
    status result = STATUS_OK;
    for (uint32_t id = young->newest; id != 0 && result == STATUS_OK;) {
        const struct young_block *block = young_block(young, id);
        uint64_t size;
        uint32_t tally;
        if (block->born < reading->born)
            break;
        if (tracer_find(tracer, block->address, &size, &tally))
            result = read_block(reading, DOMAIN_PYTHON, ledger_node(&tracer->ledger, tally), size);
        id = block->older;
    }
    return result;
}

static status read_side_locked(struct reading *reading) {
    struct side *side = &reading->tracer->side;
    const struct young *young = &side->measuring.young;
    status result = STATUS_OK;
    for (uint32_t id = young->newest; id != 0 && result == STATUS_OK;) {
        const struct young_block *block = young_block(young, id);
        if (block->born < reading->born)
            break;
        const struct shard *shard = side_shard(side, block->address);
        const struct big *entry = shard_find(shard, block->domain, block->address);
        if (entry != NULL)
            result = read_block(reading, block->domain, shard_tally(shard, big_tally(entry))->node,
                                big_size(&shard->blocks, entry));
        id = block->older;
    }
    return result;
}

/* The newest of them has seen all that the older ones would have. */
static int64_t top_since(const struct tracer *tracer, const struct measure *measure) {
    int64_t top = traced_now(tracer);
    for (; measure != NULL; measure = measure->newer)
        top = measure->top > top ? measure->top : top;
    return top;
}

status measure_read(struct tracer *tracer, const struct measure *measure, struct measured *figures,
                    kept_sink sink, void *context) {
    if (measure->broken || measure->number == 0)
        return STATUS_INVALID;
    struct reading reading = {tracer, measure->number, 0, sink, context};
    lock_acquire(&tracer->side.lock);
    tracer_settle_locked(tracer);
    figures->peak = (uint64_t)(top_since(tracer, measure) - measure->start);
    figures->allocated = allocated_now(tracer) - measure->allocated;
    status result = read_main(&reading);
    if (result == STATUS_OK)
        result = read_side_locked(&reading);
    lock_release(&tracer->side.lock);
    figures->kept = reading.kept;
    return result;
}

/* --- the end --------------------------------------------------------------------------------------------------------- */

/* Blocks that are older than all measurements need not be known any more. */
static void forget_locked(struct tracer *tracer) {
    const struct measures *measures = &tracer->measures;
    uint64_t born = measures->oldest != NULL ? measures->oldest->number : UINT64_MAX;
    young_forget(&tracer->measures.young, born);
    young_forget(&tracer->side.measuring.young, born);
}

static void unlink_locked(struct tracer *tracer, struct measure *measure) {
    struct measures *measures = &tracer->measures;
    *(measure->older != NULL ? &measure->older->newer : &measures->oldest) = measure->newer;
    *(measure->newer != NULL ? &measure->newer->older : &measures->newest) = measure->older;
    measure->number = 0;
    measure->older = measure->newer = NULL;
}

void measure_end(struct tracer *tracer, struct measure *measure) {
    if (measure->number == 0)
        return;
    lock_acquire(&tracer->side.lock);
    tracer_settle_locked(tracer);
    if (measure->older != NULL && measure->older->top < measure->top)
        measure->older->top = measure->top;
    bool was_oldest = measure->older == NULL;
    unlink_locked(tracer, measure);
    tracer->measures.is_means = NULL;
    announce_locked(tracer);
    if (was_oldest)
        forget_locked(tracer);
    lock_release(&tracer->side.lock);
}

void measures_break_locked(struct tracer *tracer) {
    struct measures *measures = &tracer->measures;
    while (measures->newest != NULL) {
        measures->newest->broken = true;
        unlink_locked(tracer, measures->newest);
    }
    measures->is_means = NULL;
    young_fini(&measures->young);
    young_fini(&tracer->side.measuring.young);
    announce_locked(tracer);
}

/* --- what the tracer tells ------------------------------------------------------------------------------------------- */

void measure_put(struct tracer *tracer, uintptr_t address, uint64_t size) {
    struct measures *measures = &tracer->measures;
    int64_t now = tracer->ledger.current +
                  tracer->side.settled; /* the last before a window, if there is one */
    uint64_t lost = measures->young.lost;
    measures->allocated += size;
    measures->is_means = NULL;
    (void)young_remove(&measures->young, DOMAIN_PYTHON, address); /* whose end was not seen */
    young_add(&measures->young, DOMAIN_PYTHON, address, measures->number);
    if (measures->young.lost != lost)
        tracer_count_lost(tracer);
    if (now > measures->newest->top)
        measures->newest->top = now;
}

/* The means of beginning goes: the beginning was below it. */
static void lower_start(struct tracer *tracer, uintptr_t address) {
    struct measures *measures = &tracer->measures;
    uint64_t size;
    uint32_t tally;
    if (tracer_find(tracer, address, &size, &tally) && measures->is_means(address, size)) {
        measures->newest->start -= (int64_t)size;
        measures->newest->top -= (int64_t)size;
    }
    measures->is_means = NULL;
}

void measure_remove(struct tracer *tracer, uintptr_t address) {
    if (tracer->measures.is_means != NULL)
        lower_start(tracer, address);
    (void)young_remove(&tracer->measures.young, DOMAIN_PYTHON, address);
}
