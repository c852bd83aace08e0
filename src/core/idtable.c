/* idtable: growth of the index in idtable.h. Called under the owner's lock. */
#include "idtable.h"

#include <string.h>

enum { FIRST_SLOTS = SIZED(1024, 2), LARGE = 1 << 16 };

status idtable_init(struct idtable *table, struct vmem *account) {
    return idtable_init_for(table, account, 0);
}

static status make(struct idtable *table, struct vmem *account, size_t size) {
    uint32_t *slots = vmem_map(account, size * sizeof *slots);
    if (slots == NULL)
        return STATUS_NOMEM;
    *table = (struct idtable){slots, size, 0, account};
    return STATUS_OK;
}

status idtable_init_for(struct idtable *table, struct vmem *account, size_t count) {
    const size_t wanted = count + count / 3 + 1;
    memset(table, 0, sizeof *table);
    return make(table, account, wanted > FIRST_SLOTS ? wanted : FIRST_SLOTS);
}

void idtable_fini(struct idtable *table) {
    if (table->slots != NULL)
        vmem_unmap(table->account, table->slots, table->size * sizeof *table->slots);
    memset(table, 0, sizeof *table);
}

void idtable_clear(struct idtable *table) {
    memset(table->slots, 0, table->size * sizeof *table->slots);
    table->count = 0;
}

/* Whose content no other one has. */
static void put_new(struct idtable *table, uint64_t hash, uint32_t id) {
    size_t slot = idtable_first(table, hash);
    while (table->slots[slot] != 0)
        slot = idtable_next(table, slot);
    idtable_put(table, slot, id);
}

status idtable_reserve(struct idtable *table, idtable_hash hash, const void *owner) {
    if (likely((table->count + 1) * 4 <= table->size * 3))
        return STATUS_OK;
    struct idtable larger;
    status result = make(&larger, table->account,
                         table->size < LARGE ? table->size + table->size / 4 + 1 : table->size * 2);
    if (result != STATUS_OK)
        return result;
    for (size_t i = 0; i < table->size; i++) {
        if (table->slots[i] != 0)
            put_new(&larger, hash(owner, table->slots[i]), table->slots[i]);
    }
    idtable_fini(table);
    *table = larger;
    return STATUS_OK;
}

status idtable_add(struct idtable *table, idtable_hash hash, const void *owner, uint32_t id) {
    status result = idtable_reserve(table, hash, owner);
    if (result != STATUS_OK)
        return result;
    put_new(table, hash(owner, id), id);
    return STATUS_OK;
}
