/* tracked: what extensions report (tracked.h): blocks of the side partition, that the main one may have to forget. */
#include "tracer.h"

status disowned_init(struct disowned *disowned, struct vmem *account) {
    disowned->count = 0;
    return region_init(&disowned->addresses, account, DISOWNED_MOST * sizeof(uintptr_t));
}

void disowned_fini(struct disowned *disowned) {
    region_fini(&disowned->addresses);
    disowned->count = 0;
}

void tracer_settle_locked(struct tracer *tracer) {
    assert(lock_is_mine(&tracer->side.lock));
    struct disowned *disowned = &tracer->disowned;
    if (tracer->side.pending)
        side_settle_locked(&tracer->side, &tracer->ledger);
    while (disowned->count != 0)
        (void)tracer_remove_slow(tracer, ((const uintptr_t *)disowned->addresses.base)[--disowned->count]);
}

/* Reports of Python's own domain concern the main partition: they need the common lock, even apart. */
static struct lock *enter(struct tracer *tracer, bool joint, uint32_t domain, uintptr_t address,
                          size_t size) {
    return side_enter(&tracer->side, joint || domain == DOMAIN_PYTHON, address, size);
}

/* Makes the main partition's next event take the slow way, which settles first. */
static void end_event_locked(struct tracer *tracer, bool joint, uintptr_t address) {
    if (joint || side_shard(&tracer->side, address)->out) /* out: that is so already */
        return;
    __atomic_store_n(&tracer->entered, NO_THREAD, __ATOMIC_RELEASE);
    __atomic_store_n(&tracer->fast_thread, NO_THREAD, __ATOMIC_RELEASE);
}

static void disown_locked(struct disowned *disowned, uintptr_t address) {
    if (disowned->count == DISOWNED_MOST ||
        region_grow(&disowned->addresses, (disowned->count + 1) * sizeof(uintptr_t)) != STATUS_OK)
        return;
    ((uintptr_t *)disowned->addresses.base)[disowned->count++] = address;
}

/* An address is known to one partition at most, so what the side knows the main one does not. */
static void forget_in_main_locked(struct tracer *tracer, bool joint, uintptr_t address) {
    if (side_find_locked(&tracer->side, DOMAIN_PYTHON, address) != NULL)
        return;
    if (!joint) {
        disown_locked(&tracer->disowned, address);
    } else {
        tracer_settle_locked(tracer);
        (void)tracer_remove_slow(tracer, address);
    }
}

static status put_locked(struct tracer *tracer, bool joint, uint32_t domain, uintptr_t address, size_t size,
                         uint32_t node) {
    if (domain == DOMAIN_PYTHON) {
        __atomic_store_n(&tracer->strays, true, __ATOMIC_RELAXED);
        forget_in_main_locked(tracer, joint, address);
    }
    status result = side_put_locked(&tracer->side, joint ? &tracer->ledger : NULL, domain, address, size,
                                    node);
    if (result != STATUS_OK)
        tracer_count_lost(tracer);
    end_event_locked(tracer, joint, address);
    return result;
}

status tracer_track(struct tracer *tracer, bool joint, uint64_t tree, uint32_t domain, uintptr_t address,
                    size_t size, uint32_t node) {
    status result = STATUS_OK;
    struct lock *lock = enter(tracer, joint, domain, address, size);
    if (tracer->active)
        result = tree != tracer->paths->serial ? STATUS_INVALID
                                               : put_locked(tracer, joint, domain, address, size, node);
    side_leave(&tracer->side, lock, address);
    return result;
}

static void remove_locked(struct tracer *tracer, bool joint, uint32_t domain, uintptr_t address) {
    struct ledger *ledger = joint ? &tracer->ledger : NULL;
    bool found = side_remove_locked(&tracer->side, ledger, domain, address);
    if (!found && domain == DOMAIN_PYTHON)
        forget_in_main_locked(tracer, joint, address);
    if (found || domain == DOMAIN_PYTHON)
        end_event_locked(tracer, joint, address);
}

void tracer_untrack(struct tracer *tracer, bool joint, uint32_t domain, uintptr_t address) {
    struct lock *lock = enter(tracer, joint, domain, address, 0);
    if (tracer->active)
        remove_locked(tracer, joint, domain, address);
    side_leave(&tracer->side, lock, address);
}

/* `found` without its reference. Who lacks the main GIL cannot look into the main partition. */
static bool find_locked(struct tracer *tracer, bool joint, uint32_t domain, uintptr_t address,
                        struct found *found) {
    uint32_t tally;
    if (joint && domain == DOMAIN_PYTHON) {
        tracer_settle_locked(tracer);
        if (tracer_find(tracer, address, &found->size, &tally)) {
            found->node = ledger_node(&tracer->ledger, tally);
            return true;
        }
    }
    const struct big *entry = side_find_locked(&tracer->side, domain, address);
    if (entry == NULL)
        return false;
    const struct shard *shard = side_shard(&tracer->side, address);
    found->size = big_size(&shard->blocks, entry);
    found->node = shard_tally(shard, big_tally(entry))->node;
    return true;
}

bool tracer_find_block(struct tracer *tracer, bool joint, uint32_t domain, uintptr_t address,
                       struct found *found) {
    struct lock *lock = enter(tracer, joint, domain, address, 0);
    bool result = tracer->active && find_locked(tracer, joint, domain, address, found);
    if (result)
        callpaths_retain(found->paths = tracer->paths);
    lock_release(lock);
    return result;
}
