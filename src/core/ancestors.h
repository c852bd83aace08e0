/* ancestors: for every node the one that lies so many steps above it.
 *
 *   far[node]:  the node `steps` above; 0 where the path is shorter
 *
 * Owned by the caller (vmem, 4 bytes a node). One thread; the call paths are only read. Cost: O(nodes log steps).
 * NULL without memory.
 */
#ifndef MEMTALLY_ANCESTORS_H
#define MEMTALLY_ANCESTORS_H

#include "calltree.h"

/* Of the nodes below `end`; give it back with vmem_unmap, `end` numbers. */
nodiscard uint32_t *ancestors_new(struct vmem *account, const struct callpaths *paths, uint32_t end,
                                  uint32_t steps);

#endif
