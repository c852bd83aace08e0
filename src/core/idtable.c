/* idtable: growth of the index in idtable.h. Called under the owner's lock. */
#include "idtable.h"

#include <string.h>

enum { FIRST_SLOTS = SIZED(1024, 2) };

status idtable_init(struct idtable *table, struct vmem *account) {
    return idtable_init_for(table, account, 0);
}

status idtable_init_for(struct idtable *table, struct vmem *account, size_t count) {
    size_t wanted = FIRST_SLOTS;
    memset(table, 0, sizeof *table);
    while (wanted * 3 < count * 4)
        wanted *= 2;
    uint32_t *slots = vmem_map(account, wanted * sizeof *slots);
    if (slots == NULL)
        return STATUS_NOMEM;
    *table = (struct idtable){slots, wanted - 1, 0, account};
    return STATUS_OK;
}

void idtable_fini(struct idtable *table) {
    if (table->slots != NULL)
        vmem_unmap(table->account, table->slots, (table->mask + 1) * sizeof *table->slots);
    memset(table, 0, sizeof *table);
}

void idtable_clear(struct idtable *table) {
    memset(table->slots, 0, (table->mask + 1) * sizeof *table->slots);
    table->count = 0;
}

status idtable_reserve(struct idtable *table, idtable_hash hash, const void *owner) {
    if (likely((table->count + 1) * 4 <= (table->mask + 1) * 3))
        return STATUS_OK;
    size_t mask = table->mask * 2 + 1;
    uint32_t *slots = vmem_map(table->account, (mask + 1) * sizeof *slots);
    if (slots == NULL)
        return STATUS_NOMEM;
    for (size_t i = 0; i <= table->mask; i++) {
        uint32_t id = table->slots[i];
        if (id == 0)
            continue;
        size_t slot = hash(owner, id) & mask;
        while (slots[slot] != 0)
            slot = (slot + 1) & mask;
        slots[slot] = id;
    }
    vmem_unmap(table->account, table->slots, (table->mask + 1) * sizeof *slots);
    table->slots = slots;
    table->mask = mask;
    return STATUS_OK;
}

status idtable_add(struct idtable *table, idtable_hash hash, const void *owner, uint32_t id) {
    status result = idtable_reserve(table, hash, owner);
    if (result != STATUS_OK)
        return result;
    size_t slot = idtable_first(table, hash(owner, id));
    while (table->slots[slot] != 0)
        slot = idtable_next(table, slot);
    idtable_put(table, slot, id);
    return STATUS_OK;
}
