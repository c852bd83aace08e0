/* sidepaths: see sidepaths.h. */
#include "sidepaths.h"

#include <string.h>

#define MOST (((size_t)TALLY_MASK + 1) * sizeof(struct side_path))

static uint64_t hash_of(const void *owner, uint32_t number) {
    const struct side_path *path = side_path(owner, number);
    return hash_mix((uint64_t)path->domain << 32 | path->node);
}

static status number_of(struct side_paths *paths, uint32_t domain, uint32_t node, uint32_t *number) {
    status result = idtable_reserve(&paths->index, hash_of, paths);
    if (result == STATUS_OK)
        result = region_grow(&paths->paths, ((size_t)paths->count + 1) * sizeof(struct side_path));
    if (result != STATUS_OK)
        return result;
    *side_path(paths, paths->count) = (struct side_path){.domain = domain, .node = node};
    size_t slot = idtable_first(&paths->index, hash_of(paths, paths->count));
    while ((*number = idtable_at(&paths->index, slot)) != 0) {
        const struct side_path *known = side_path(paths, *number);
        if (known->domain == domain && known->node == node)
            return STATUS_OK;
        slot = idtable_next(&paths->index, slot);
    }
    *number = paths->count++;
    idtable_put(&paths->index, slot, *number);
    return STATUS_OK;
}

static status add_shard(struct side_paths *paths, const struct shard *shard, size_t start) {
    uint32_t *numbers = (uint32_t *)(void *)paths->numbers.base + start;
    status result = STATUS_OK;
    for (uint32_t id = 1; id < shard->count && result == STATUS_OK; id++) {
        const struct side_tally *t = shard_tally(shard, id);
        if (t->node != 0) /* else a free id */
            result = number_of(paths, t->domain, t->node, &numbers[id]);
    }
    return result;
}

status side_paths_init(struct side_paths *paths, const struct side *side, struct vmem *account) {
    size_t tallies = 0;
    memset(paths, 0, sizeof *paths);
    paths->count = 1;
    for (uint32_t i = 0; i < SHARDS; tallies += side->shards[i++].count)
        paths->starts[i] = tallies;
    status result = region_init(&paths->paths, account, MOST);
    if (result == STATUS_OK)
        result = region_grow(&paths->paths, sizeof(struct side_path)); /* number 0: of free ids */
    if (result == STATUS_OK)
        result = region_init(&paths->numbers, account, (tallies + 1) * sizeof(uint32_t));
    if (result == STATUS_OK)
        result = region_grow(&paths->numbers, (tallies + 1) * sizeof(uint32_t));
    if (result == STATUS_OK)
        result = idtable_init(&paths->index, account);
    for (uint32_t i = 0; i < SHARDS && result == STATUS_OK; i++)
        result = add_shard(paths, &side->shards[i], paths->starts[i]);
    if (result != STATUS_OK)
        side_paths_fini(paths);
    return result;
}

void side_paths_fini(struct side_paths *paths) {
    region_fini(&paths->paths);
    region_fini(&paths->numbers);
    idtable_fini(&paths->index);
    memset(paths, 0, sizeof *paths);
}
