/* calls: see calls.h. One thread; the call paths are only read. */
#include "calls.h"

#include <string.h>

/* In `first`, while numbers are given: there may be more nodes of this call. Node ids have 28 bits. */
#define DOUBLED (UINT32_C(1) << 31)

struct work {
    struct calls *calls;
    uint32_t *known;      /* by site: the call of the root's with it, + 1 */
    struct idtable index; /* calls, + 1, below doubled ones, by caller and site */
};

static uint64_t hash_key(uint32_t caller, uint32_t site) {
    return hash_mix(hash_mix((uint64_t)caller << 32 | site));
}

static const struct node *node_of(const struct calls *calls, uint32_t call) {
    return node_get(calls->paths, calls->first[call] & ~DOUBLED);
}

static uint64_t hash_of(const void *owner, uint32_t id) {
    const struct calls *calls = owner;
    const struct node *node = node_of(calls, id - 1);
    return hash_key(call_of(calls, node->parent), node->site);
}

static void add_call(struct calls *calls, uint32_t node, uint32_t doubled) {
    calls->first[calls->count++] = node | doubled;
    calls->numbers[node] = calls->count;
}

/* A call below one that has several nodes: it may be there already. */
static status find_call(struct work *work, uint32_t node, uint32_t caller) {
    struct calls *calls = work->calls;
    struct idtable *index = &work->index;
    uint32_t site = node_get(calls->paths, node)->site;
    status result = idtable_reserve(index, hash_of, calls);
    if (result != STATUS_OK)
        return result;
    size_t slot = idtable_first(index, hash_key(caller, site));
    for (uint32_t id; (id = idtable_at(index, slot)) != 0; slot = idtable_next(index, slot)) {
        const struct node *other = node_of(calls, id - 1);
        if (other->site == site && call_of(calls, other->parent) == caller) {
            calls->numbers[node] = id;
            return STATUS_OK;
        }
    }
    add_call(calls, node, DOUBLED);
    idtable_put(index, slot, calls->count);
    return STATUS_OK;
}

/* What the root calls, first of all: whether a call is doubled must be known before what is below it is numbered. */
static void number_roots(struct work *work) {
    struct calls *calls = work->calls;
    for (uint32_t node = 1; node < calls->end; node++) {
        const struct node *here = node_get(calls->paths, node);
        if (calls->numbers[node] == 0 || here->parent != 0)
            continue;
        uint32_t *known = &work->known[here->site];
        if (*known == 0) {
            add_call(calls, node, 0);
            *known = calls->count;
        } else {
            calls->first[*known - 1] |= DOUBLED;
            calls->numbers[node] = *known;
        }
    }
}

static status number_others(struct work *work) {
    struct calls *calls = work->calls;
    for (uint32_t node = 1; node < calls->end; node++) {
        uint32_t parent = node_get(calls->paths, node)->parent;
        if (calls->numbers[node] == 0 || parent == 0)
            continue;
        uint32_t caller = calls->numbers[parent] - 1;
        status result = STATUS_OK;
        if (calls->first[caller] & DOUBLED)
            result = find_call(work, node, caller);
        else
            add_call(calls, node, 0);
        if (result != STATUS_OK)
            return result;
    }
    return STATUS_OK;
}

static void need_callers(struct calls *calls) {
    calls->most = 1;
    for (uint32_t node = calls->end - 1; node > 0; node--) { /* callers have smaller ids */
        if (calls->numbers[node] == 0)
            continue;
        calls->numbers[node_get(calls->paths, node)->parent] = 1;
        calls->most++;
    }
}

status calls_number(struct calls *calls) {
    struct work work = {.calls = calls};
    size_t known_bytes = callpaths_ends(calls->paths).sites * sizeof *work.known;
    need_callers(calls);
    calls->first = vmem_map(calls->account, calls->most * sizeof *calls->first);
    work.known = vmem_map(calls->account, known_bytes);
    status result = calls->first == NULL || work.known == NULL ? STATUS_NOMEM
                                                               : idtable_init(&work.index, calls->account);
    if (result == STATUS_OK) {
        calls->count = 1;
        number_roots(&work);
        result = number_others(&work);
    }
    for (uint32_t call = 0; result == STATUS_OK && call < calls->count; call++)
        calls->first[call] &= ~DOUBLED;
    vmem_unmap(calls->account, work.known, known_bytes);
    idtable_fini(&work.index);
    return result;
}

status calls_init(struct calls *calls, struct vmem *account, struct callpaths *paths, uint32_t end) {
    *calls = (struct calls){.account = account, .paths = paths, .end = end};
    calls->numbers = vmem_map(account, end * sizeof *calls->numbers);
    if (calls->numbers == NULL)
        return STATUS_NOMEM;
    calls->numbers[0] = 1;
    return STATUS_OK;
}

void calls_fini(struct calls *calls) {
    vmem_unmap(calls->account, calls->numbers, calls->end * sizeof *calls->numbers);
    vmem_unmap(calls->account, calls->first, calls->most * sizeof *calls->first);
    memset(calls, 0, sizeof *calls);
}
