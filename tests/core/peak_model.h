/* peak_model: what live, total and at-peak counters must be, from a log of all events: nothing clever.
 *
 * The reading of ledger.h and side.h that the tests hold the engine to:
 *   - All events have one order. The peak is the most bytes that were live after any of them since the last
 * reset (the state at the reset, or the empty one at the beginning, is one of them).
 *   - The at-peak counters are those of the first *judged* state with that many bytes. States are judged
 * where growth ends: before a loss, before a move, when a window of apart events opens or closes, and when
 * somebody asks. So a block of no bytes that comes after the peak was reached, but before anything was lost,
 * belongs to the peak.
 *   - A move takes the block with its history: `total` of the old tally shrinks, that of the new one grows.
 *   - To forget a tally that is idle adds its `total` to that of another.
 *
 * Owns its log. One thread.
 */
#ifndef MEMTALLY_TEST_PEAK_MODEL_H
#define MEMTALLY_TEST_PEAK_MODEL_H

#include "scale.h"
#include "support.h"

enum { PEAK_TALLIES = 64 };

enum peak_kind { PEAK_GAIN, PEAK_LOSE, PEAK_MOVE, PEAK_FORGET, PEAK_JUDGE, PEAK_RESET };

struct peak_event {
    enum peak_kind kind;
    uint32_t who, to; /* tallies: below PEAK_TALLIES; `to`: moves, and what is forgotten */
    int64_t bytes;
};

struct peak_counters {
    int64_t bytes, blocks;
};

struct peak_log {
    struct peak_event *events;
    size_t count, room;
};

/* What the log amounts to. */
struct peak_result {
    int64_t current, peak;
    struct peak_counters live[PEAK_TALLIES], total[PEAK_TALLIES], at_peak[PEAK_TALLIES];
};

static inline void peak_add(struct peak_log *log, enum peak_kind kind, uint32_t who, uint32_t to,
                            uint64_t bytes) {
    if (log->count == log->room) {
        log->room = log->room * 2 + 256;
        log->events = realloc(log->events, log->room * sizeof *log->events);
        assert_non_null(log->events);
    }
    assert_true(who < PEAK_TALLIES && to < PEAK_TALLIES);
    log->events[log->count++] = (struct peak_event){kind, who, to, (int64_t)bytes};
}

static inline void peak_forget(struct peak_log *log) {
    free(log->events);
    *log = (struct peak_log){0};
}

static inline void peak_count(struct peak_counters *counters, int64_t bytes, int64_t blocks) {
    counters->bytes += bytes;
    counters->blocks += blocks;
}

static inline void peak_judge(struct peak_result *result, bool anew) {
    if (!anew && result->current <= result->peak)
        return;
    result->peak = result->current;
    memcpy(result->at_peak, result->live, sizeof result->live);
}

static inline void peak_replay(const struct peak_log *log, struct peak_result *result) {
    memset(result, 0, sizeof *result);
    for (size_t i = 0; i < log->count; i++) {
        const struct peak_event *event = &log->events[i];
        struct peak_counters *live = &result->live[event->who], *total = &result->total[event->who];
        if (event->kind != PEAK_GAIN)
            peak_judge(result, event->kind == PEAK_RESET);
        if (event->kind == PEAK_GAIN) {
            result->current += event->bytes;
            peak_count(live, event->bytes, 1);
            peak_count(total, event->bytes, 1);
        } else if (event->kind == PEAK_LOSE) {
            result->current -= event->bytes;
            peak_count(live, -event->bytes, -1);
        } else if (event->kind == PEAK_MOVE) {
            peak_count(live, -event->bytes, -1);
            peak_count(total, -event->bytes, -1);
            peak_count(&result->live[event->to], event->bytes, 1);
            peak_count(&result->total[event->to], event->bytes, 1);
        } else if (event->kind == PEAK_FORGET) {
            peak_count(&result->total[event->to], total->bytes, total->blocks);
            *total = (struct peak_counters){0};
        }
    }
}

/* The most bytes after any event since the last reset, by itself: what peak_replay's must be after a
 * question. */
static inline int64_t peak_by_definition(const struct peak_log *log) {
    int64_t current = 0, most = 0;
    for (size_t i = 0; i < log->count; i++) {
        const struct peak_event *event = &log->events[i];
        current += event->kind == PEAK_GAIN ? event->bytes : event->kind == PEAK_LOSE ? -event->bytes : 0;
        most = event->kind == PEAK_RESET || current > most ? current : most;
    }
    return most;
}

#endif
