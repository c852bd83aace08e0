/* idtable: growth of the index in idtable.h. Called under the owner's lock. */
#include "idtable.h"

#include <string.h>

enum { FIRST_SLOTS = SIZED(1024, 2), LARGE = 1 << 16 };

static size_t bytes_of(const struct idtable *table) {
    return table->size * (table->is_narrow ? sizeof(uint16_t) : sizeof(uint32_t));
}

static status make(struct idtable *table, struct vmem *account, size_t size, bool is_narrow) {
    *table = (struct idtable){.size = size, .is_narrow = is_narrow, .account = account};
    table->slots = vmem_map(account, bytes_of(table));
    return table->slots != NULL ? STATUS_OK : STATUS_NOMEM;
}

status idtable_init_for(struct idtable *table, struct vmem *account, size_t count) {
    const size_t wanted = count + count / 3 + 1;
    return make(table, account, wanted > FIRST_SLOTS ? wanted : FIRST_SLOTS, false);
}

status idtable_init(struct idtable *table, struct vmem *account) {
    return make(table, account, FIRST_SLOTS, false);
}

status idtable_init_narrow(struct idtable *table, struct vmem *account) {
    return make(table, account, FIRST_SLOTS, true);
}

void idtable_fini(struct idtable *table) {
    if (table->slots != NULL)
        vmem_unmap(table->account, table->slots, bytes_of(table));
    memset(table, 0, sizeof *table);
}

void idtable_clear(struct idtable *table) {
    memset(table->slots, 0, bytes_of(table));
    table->count = 0;
}

/* Whose content no other one has. */
static void put_new(struct idtable *table, uint64_t hash, uint32_t id) {
    size_t slot = idtable_first(table, hash);
    while (idtable_at(table, slot) != 0)
        slot = idtable_next(table, slot);
    idtable_put(table, slot, id);
}

status idtable_reserve_id(struct idtable *table, idtable_hash hash, const void *owner, uint32_t id) {
    const bool has_room = (table->count + 1) * 4 <= table->size * 3;
    const bool is_narrow = table->is_narrow && id <= NARROW_MOST;
    if (likely(has_room && is_narrow == table->is_narrow))
        return STATUS_OK;
    size_t size = table->size;
    if (!has_room)
        size = size < LARGE ? ring_larger(size) : size * 2;
    struct idtable larger;
    status result = make(&larger, table->account, size, is_narrow);
    if (result != STATUS_OK)
        return result;
    for (size_t i = 0; i < table->size; i++) {
        const uint32_t known = idtable_at(table, i);
        if (known != 0)
            put_new(&larger, hash(owner, known), known);
    }
    idtable_fini(table);
    *table = larger;
    return STATUS_OK;
}

status idtable_reserve(struct idtable *table, idtable_hash hash, const void *owner) {
    assert(!table->is_narrow);
    return idtable_reserve_id(table, hash, owner, UINT32_MAX);
}

status idtable_add(struct idtable *table, idtable_hash hash, const void *owner, uint32_t id) {
    status result = idtable_reserve_id(table, hash, owner, id);
    if (result != STATUS_OK)
        return result;
    put_new(table, hash(owner, id), id);
    return STATUS_OK;
}
