/* idset: see idset.h. One thread builds a set; any thread may read it afterwards. */
#include "idset.h"

#include <string.h>

status idset_init(struct idset *set, struct vmem *account, uint32_t end) {
    memset(set, 0, sizeof *set);
    size_t word_count = (size_t)end / 64 + 1;
    uint64_t *words = vmem_map(account, word_count * sizeof *words);
    if (words == NULL)
        return STATUS_NOMEM;
    *set = (struct idset){.words = words, .word_count = word_count, .end = end, .account = account};
    return STATUS_OK;
}

void idset_fini(struct idset *set) {
    vmem_unmap(set->account, set->words, set->word_count * sizeof *set->words);
    vmem_unmap(set->account, set->before, set->word_count * sizeof *set->before);
    memset(set, 0, sizeof *set);
}

status idset_count(struct idset *set) {
    uint32_t *before = vmem_map(set->account, set->word_count * sizeof *before);
    if (before == NULL)
        return STATUS_NOMEM;
    uint32_t count = 0;
    for (size_t i = 0; i < set->word_count; i++) {
        before[i] = count;
        count += (uint32_t)__builtin_popcountll(set->words[i]);
    }
    set->before = before;
    set->count = count;
    return STATUS_OK;
}

uint32_t idset_next(const struct idset *set, uint32_t id) {
    if (id >= set->end)
        return set->end;
    size_t i = id >> 6;
    uint64_t word = set->words[i] & ~UINT64_C(0) << (id & 63);
    while (word == 0) {
        if (++i == set->word_count)
            return set->end;
        word = set->words[i];
    }
    return (uint32_t)(i * 64) + (uint32_t)__builtin_ctzll(word);
}
