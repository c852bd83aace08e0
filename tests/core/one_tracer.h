/* one_tracer: a tracer with one thread, and what its views say of a node. Include once, at the top of a test. */
#ifndef MEMTALLY_TEST_ONE_TRACER_H
#define MEMTALLY_TEST_ONE_TRACER_H

#include "support.h"

#include "blocks.h"
#include "collect.h"
#include "freeze.h"
#include "rest.h"

static struct tracer tracer;
static struct vmem snapshots;

static inline void start(void) {
    static const char thread;
    memset(&tracer, 0, sizeof tracer);
    tracer_init(&tracer);
    assert_int_equal(tracer_start(&tracer, 100), STATUS_OK);
    assert_int_equal(tracer_enter(&tracer, &thread), STATUS_OK);
}

static inline void finish(void) {
    assert_true(tracer_check(&tracer));
    tracer_stop(&tracer);
    assert_int_equal(vmem_bytes(&tracer.memory), 0);
    assert_int_equal(vmem_bytes(&snapshots), 0);
}

/* The sum of its rows in a domain. */
static inline pair shown_of_node(enum view view, uint32_t domain, uint32_t node) {
    struct snapshot *snapshot;
    pair sum = {0};
    assert_int_equal(tracer_freeze(&tracer, &snapshots, view, &snapshot), STATUS_OK);
    for (size_t i = 0; i < snapshot->row_count; i++) {
        const struct row *row = snapshot_row(snapshot, i);
        if (row->node == node && row->domain == domain)
            sum = (pair){sum.bytes + row_bytes(snapshot, row), sum.blocks + row->count};
    }
    snapshot_release(snapshot);
    return sum;
}

static inline void assert_pair(pair sum, uint64_t bytes, uint64_t blocks) {
    assert_int_equal(sum.bytes, bytes);
    assert_int_equal(sum.blocks, blocks);
}

/* The block at an address ends. */
static inline void end_at(uintptr_t address) {
    assert_true(tracer_remove_fast(&tracer, address) || tracer_remove_slow(&tracer, address));
}

#endif
