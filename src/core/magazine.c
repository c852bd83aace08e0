/* magazine: opening, shutting, emptying, forgetting (magazine.h). Under the main GIL. */
#include "magazine.h"

#include <string.h>

/* Class 0 keeps nothing, so its last round is empty and at an end: what a shut magazine has on top. */
static struct round *shut_round(struct magazines *magazines) {
    return &magazines->rounds[0][ROUND_COUNT - 1];
}

static void put_shut_rounds_on_top(struct magazines *magazines) {
    for (size_t class = 0; class < CLASS_COUNT; class ++)
        magazines->tops[class] = shut_round(magazines);
    magazines->is_open = false;
}

void magazines_init(struct magazines *magazines) {
    memset(magazines, 0, sizeof *magazines);
    for (size_t class = 0; class < CLASS_COUNT; class ++)
        magazines->resting[class] = magazines->rounds[class];
    put_shut_rounds_on_top(magazines);
}

void magazines_open(struct magazines *magazines) {
    if (magazines->is_open)
        return;
    memcpy(magazines->tops + 1, magazines->resting + 1, sizeof magazines->tops - sizeof magazines->tops[0]);
    magazines->is_open = true;
}

void magazines_shut(struct magazines *magazines) {
    if (!magazines->is_open)
        return;
    memcpy(magazines->resting + 1, magazines->tops + 1, sizeof magazines->tops - sizeof magazines->tops[0]);
    put_shut_rounds_on_top(magazines);
}

void magazines_empty(struct magazines *magazines, block_giver give, void *context) {
    magazines_shut(magazines);
    for (size_t class = 1; class < CLASS_COUNT; class ++) {
        while (magazines->resting[class]->block != 0)
            give(context, (magazines->resting[class]--)->block);
    }
}

static struct round *top_of(const struct magazines *magazines, size_t class) {
    return magazines->is_open ? magazines->tops[class] : magazines->resting[class];
}

size_t magazines_count(const struct magazines *magazines) {
    size_t count = 0;
    for (size_t class = 1; class < CLASS_COUNT; class ++)
        count += (size_t)(top_of(magazines, class) - magazines->rounds[class]);
    return count;
}

void magazines_forget(struct magazines *magazines, uint32_t stride, const uint32_t *start,
                      const uint32_t *end) {
    for (struct round *round = top_of(magazines, stride >> CLASS_SHIFT); round->block != 0; round--) {
        if (round->slot >= start && round->slot < end)
            round->slot = NULL;
    }
}

void magazines_forget_all(struct magazines *magazines) {
    for (size_t class = 1; class < CLASS_COUNT; class ++) {
        for (struct round *round = top_of(magazines, class); round->block != 0; round--)
            round->slot = NULL;
    }
}

bool magazines_check(const struct magazines *magazines) {
    for (size_t class = 0; class < CLASS_COUNT; class ++) {
        const struct round *rounds = magazines->rounds[class], *top = magazines->resting[class];
        if (magazines->is_open && class > 0)
            top = magazines->tops[class];
        else if (magazines->tops[class] != &magazines->rounds[0][ROUND_COUNT - 1])
            return false;
        if (top < rounds || top >= rounds + ROUND_COUNT || rounds->block != 0 ||
            (class == 0 && top != rounds))
            return false;
        for (; top != rounds; top--) {
            if (top->block == 0 || (top->slot != NULL && *top->slot != 0))
                return false;
        }
    }
    return true;
}
