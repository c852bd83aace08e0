/* ancestors: see ancestors.h. By steps of 1, 2, 4, ... as the bits of `steps` say. Any thread. */
#include "ancestors.h"

/* `step` goes from one power to the next in place, from the youngest node on, whose ancestors are still old. */
static void climb(const struct callpaths *paths, uint32_t end, uint32_t steps, uint32_t *step,
                  uint32_t *far) {
    for (uint32_t id = 1; id < end; id++) {
        step[id] = node_get(paths, id)->parent;
        far[id] = id;
    }
    for (uint32_t left = steps; left > 0; left >>= 1) {
        for (uint32_t id = 1; (left & 1) != 0 && id < end; id++)
            far[id] = step[far[id]];
        for (uint32_t id = end - 1; left > 1 && id > 0; id--)
            step[id] = step[step[id]];
    }
}

uint32_t *ancestors_new(struct vmem *account, const struct callpaths *paths, uint32_t end, uint32_t steps) {
    size_t bytes = end * sizeof(uint32_t);
    uint32_t *far = vmem_map(account, bytes), *step = vmem_map(account, bytes);
    if (far != NULL && step != NULL) {
        climb(paths, end, steps, step, far);
    } else {
        vmem_unmap(account, far, bytes);
        far = NULL;
    }
    vmem_unmap(account, step, bytes);
    return far;
}
