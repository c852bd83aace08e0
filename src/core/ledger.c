/* ledger: memory for the tallies of ledger.h. The main interpreter's GIL protects it. */
#include "ledger.h"
#include "bigmap.h" /* TALLY_MASK: what a record can name */

#include <string.h>

status ledger_init(struct ledger *ledger, struct vmem *account) {
    memset(ledger, 0, sizeof *ledger);
    size_t most = ((size_t)TALLY_MASK + 1) * sizeof(struct tally);
    if (region_init(&ledger->region, account, most) != STATUS_OK)
        return STATUS_NOMEM;
    ledger->tallies = (struct tally *)ledger->region.base;
    ledger->epoch = 1;
    ledger->count = 1;
    return STATUS_OK;
}

void ledger_fini(struct ledger *ledger) {
    region_fini(&ledger->region);
    memset(ledger, 0, sizeof *ledger);
}

/* A free id, or a new one. */
static status take_id(struct ledger *ledger, uint32_t *id) {
    if (ledger->free != 0) {
        *id = ledger->free;
        ledger->free = ledger->tallies[*id].next_free;
        return STATUS_OK;
    }
    if (ledger->count > TALLY_MASK)
        return STATUS_FULL;
    status result = region_grow(&ledger->region, ((size_t)ledger->count + 1) * sizeof(struct tally));
    if (result == STATUS_OK)
        *id = ledger->count++;
    return result;
}

status ledger_add(struct ledger *ledger, uint32_t node, uint32_t *id) {
    uint32_t taken;
    status result = take_id(ledger, &taken);
    if (result != STATUS_OK)
        return result;
    struct tally *tally = &ledger->tallies[taken];
    tally->node = node;
    tally->epoch = ledger->epoch; /* at the peak it held nothing */
    *id = taken;
    return STATUS_OK;
}

void ledger_bequeath(struct ledger *ledger, uint32_t id, uint32_t heir) {
    struct tally *tally = &ledger->tallies[id];
    assert(id != heir && tally_live(tally).blocks == 0);
    tally_bequeath(tally, &ledger->tallies[heir]);
    *tally = (struct tally){.next_free = ledger->free};
    ledger->free = id;
}
