/* addrmap: learning and walking (addrmap.h has the layout). Used under its partition's protector. */
#include "addrmap.h"
#include "platform.h"

#include <string.h>

#define PAGE_BYTES (1u << PAGE_SHIFT)
#define MOST_SLOT_BYTES ((size_t)1 << 36) /* 16 billion blocks */
enum {
    SPARE_MOST = SIZED(1 << 20, 256)
}; /* bytes of slots that are kept for the next pages whatever the rest */
enum { CONFLICT_STEP = 64, LINK_BYTES = sizeof(uint32_t *) };
#define UNIT ((size_t)4096)
#define STRANGERS (UINT32_C(1) << 31)

/* A table: its pages, and which of its units have been touched (for walking and for honest accounting). A unit is the
 * smallest page that a system has; a larger one is some units. */
struct table {
    struct page pages[TABLE_SIZE];
    uint8_t touched[TABLE_SIZE * sizeof(struct page) / UNIT];
};

static uint32_t slot_count(const struct page *page) {
    return (PAGE_BYTES - page->base + page->stride - 1u) / page->stride;
}

/* Bytes for the slots of a stride, whatever the base, with one word in front: conflicts, and STRANGERS. */
static size_t slots_bytes(uint32_t stride) {
    size_t words = (PAGE_BYTES + stride - 1) / stride + 1;
    return (words * sizeof(uint32_t) + 63) & ~(size_t)63;
}

status addrmap_init(struct addrmap *map, struct vmem *account) {
    memset(map, 0, sizeof *map);
    map->account = account;
    map->near_top = UINTPTR_MAX;
    status result = region_init(&map->slots, account, MOST_SLOT_BYTES);
    if (result == STATUS_OK)
        result = region_init(&map->tables, account, ROOT_SIZE * sizeof(uint32_t));
    if (result == STATUS_OK && (map->root = vmem_map_sparse(ROOT_SIZE * sizeof *map->root)) == NULL)
        result = STATUS_NOMEM;
    if (result != STATUS_OK)
        addrmap_fini(map);
    return result;
}

void addrmap_fini(struct addrmap *map) {
    const uint32_t *tables = (const uint32_t *)map->tables.base;
    if (map->root != NULL) {
        for (size_t i = 0; i < map->table_count; i++)
            vmem_unmap_sparse(map->root[tables[i]], sizeof(struct table));
        vmem_unmap_sparse(map->root, ROOT_SIZE * sizeof *map->root);
    }
    if (map->account != NULL)
        vmem_uncount(map->account, map->counted);
    region_fini(&map->tables);
    region_fini(&map->slots);
    memset(map, 0, sizeof *map);
}

static void count_memory(struct addrmap *map, size_t bytes) {
    vmem_count(map->account, bytes);
    map->counted += bytes;
}

static status table_new(struct addrmap *map, size_t top) {
    status result = region_grow(&map->tables, (map->table_count + 1) * sizeof(uint32_t));
    if (result != STATUS_OK)
        return result;
    struct table *table = vmem_map_sparse(sizeof *table);
    if (table == NULL)
        return STATUS_NOMEM;
    map->root[top] = table->pages;
    ((uint32_t *)map->tables.base)[map->table_count++] = (uint32_t)top;
    count_memory(map, 2 * platform_page_size()); /* of the root, and of `touched` */
    return STATUS_OK;
}

/* The page's entry may be written for the first time: count the memory that it lies in, a page of the system's. */
static void touch(struct addrmap *map, struct table *table, const struct page *page) {
    size_t unit = (size_t)((const char *)page - (const char *)table->pages) / UNIT;
    if (table->touched[unit])
        return;
    size_t size = platform_page_size(), units = size / UNIT;
    if (memchr(&table->touched[unit / units * units], 1, units) == NULL)
        count_memory(map, size);
    table->touched[unit] = 1;
}

static status slots_take(struct addrmap *map, uint32_t stride, uint32_t **slots) {
    uint32_t **spare = &map->spare[stride / 16];
    if (*spare != NULL) {
        uint32_t *taken = *spare;
        memcpy(spare, taken, LINK_BYTES);
        memset(taken, 0, LINK_BYTES);
        map->slots_spare -= slots_bytes(stride);
        *slots = taken;
        return STATUS_OK;
    }
    size_t bytes = slots_bytes(stride);
    status result = region_grow(&map->slots, map->slots_used + bytes);
    if (result != STATUS_OK)
        return result;
    *slots = (uint32_t *)(map->slots.base + map->slots_used) + 1;
    map->slots_used += bytes;
    return STATUS_OK;
}

/* All slots are 0. The first two words become the link, which slots_take clears again: a stride of 512 has 32. */
static void slots_give(struct addrmap *map, uint32_t stride, uint32_t *slots) {
    slots[-1] = 0;
    memcpy(slots, &map->spare[stride / 16], LINK_BYTES);
    map->spare[stride / 16] = slots;
    map->slots_spare += slots_bytes(stride);
}

/* All are 0 if the first one is and each equals the one before it: memcmp has the machine's widest comparison. */
static bool all_empty(const struct page *page) {
    const uint32_t *slots = page->slots;
    return slots[0] == 0 && memcmp(slots, slots + 1, (slot_count(page) - 1) * sizeof *slots) == 0;
}

/* --- those who remember slots --------------------------------------------------------------------------------------- */

/* Pages come and go by the dozen with an arena, and the first of them leaves nothing to forget. */
static void forget_recent(struct addrmap *map) {
    if (map->remembers)
        memset(map->recent, 0, sizeof map->recent);
    map->remembers = map->remembers_nothing = false;
}

static void forget_nothing(struct addrmap *map) {
    for (size_t i = 0; map->remembers_nothing && i < RECENT_SIZE; i++) {
        if (map->recent[i].slot == &map->nothing)
            map->recent[i].object = 0;
    }
    map->remembers_nothing = false;
}

bool addrmap_remember(struct addrmap *map, uintptr_t object, uintptr_t block) {
    const struct page *page = addrmap_page(map, block);
    uint32_t *slot = page != NULL ? page_slot(page, block) : NULL;
    if ((slot == NULL || *slot == 0) && addrmap_may_refuse(map, block))
        return false;
    *addrmap_recent(map, object) = (struct recent){.object = object,
                                                   .slot = slot != NULL ? slot : &map->nothing,
                                                   .stride = page != NULL ? page->stride : 0};
    map->remembers = true;
    map->remembers_nothing |= slot == NULL;
    return true;
}

static void slots_end(struct addrmap *map, const struct page *page) {
    forget_recent(map);
    if (map->magazines != NULL)
        magazines_forget(map->magazines, page->stride, page->slots, page->slots + slot_count(page));
}

static void all_slots_end(struct addrmap *map) {
    forget_recent(map);
    if (map->magazines != NULL)
        magazines_forget_all(map->magazines);
}

/* --- learning --------------------------------------------------------------------------------------------------------- */

/* A block of another size in a learned page: the pool has changed its class if all its slots are empty. In pages of
 * mixed sizes that look would cost every block, so after the first conflict it is taken once in CONFLICT_STEP. */
static bool may_unlearn(struct page *page) {
    uint32_t conflicts = page->slots[-1] & ~STRANGERS;
    page->slots[-1] = (page->slots[-1] & STRANGERS) | ((conflicts + 1) & ~STRANGERS);
    return conflicts % CONFLICT_STEP == 0 && all_empty(page);
}

static bool has_strangers(const struct page *page) {
    return page->stride != 0 ? (page->slots[-1] & STRANGERS) != 0 : page->base != 0;
}

static void set_strangers(struct page *page) {
    if (page->stride != 0)
        page->slots[-1] |= STRANGERS;
    else
        page->base = 1;
}

/* The page of an address, in a table that is made where there is none; `top` is less than ROOT_SIZE. */
static status page_made(struct addrmap *map, uintptr_t address, struct page **page) {
    size_t top = address >> TABLE_SHIFT;
    status result = map->root[top] != NULL ? STATUS_OK : table_new(map, top);
    if (result == STATUS_OK) {
        *page = addrmap_page(map, address);
        touch(map, (struct table *)map->root[top], *page);
    }
    return result;
}

/* An object may have begun at the block's address, or behind a header of 16 or 32 bytes. */
status addrmap_refuse(struct addrmap *map, uintptr_t address) {
    if (address >> TABLE_SHIFT >= ROOT_SIZE)
        return STATUS_OK;
    for (uintptr_t object = address; object <= address + 32; object += 16) {
        struct recent *recent = addrmap_recent(map, object);
        if (recent->object == object)
            recent->object = 0;
    }
    struct page *page;
    status result = page_made(map, address, &page);
    if (result == STATUS_OK)
        set_strangers(page);
    return result;
}

bool addrmap_may_refuse(const struct addrmap *map, uintptr_t address) {
    if (address >> TABLE_SHIFT >= ROOT_SIZE)
        return true;
    const struct page *page = addrmap_page(map, address);
    return page != NULL && has_strangers(page);
}

static void unlearn(struct addrmap *map, struct page *page) {
    bool strangers = has_strangers(page);
    slots_end(map, page);
    slots_give(map, page->stride, page->slots);
    *page = (struct page){.base = strangers};
}

static status learn_stride(struct addrmap *map, struct page *page, uintptr_t address, uint32_t stride) {
    bool strangers = has_strangers(page);
    if (page->stride != 0)
        unlearn(map, page);
    forget_nothing(map);
    uint32_t *slots;
    status result = slots_take(map, stride, &slots);
    if (result != STATUS_OK)
        return result;
    uint32_t inverse = (uint32_t)(((UINT64_C(1) << 32) + stride - 1) / stride);
    uint32_t within = (uint32_t)address & (PAGE_BYTES - 1);
    *page = (struct page){slots, inverse, (uint16_t)stride, (uint16_t)(within % stride)};
    if (strangers)
        set_strangers(page);
    return STATUS_OK;
}

status addrmap_learn(struct addrmap *map, uintptr_t address, size_t size, uint32_t **slot) {
    *slot = NULL;
    if (size == 0 || size > STRIDE_MOST || (address & 15) != 0 || address >> TABLE_SHIFT >= ROOT_SIZE)
        return addrmap_refuse(map, address);
    struct page *page;
    status result = page_made(map, address, &page);
    if (result != STATUS_OK)
        return result;
    uint32_t stride = (uint32_t)(size + 15) & ~15u;
    if (page->stride != stride) {
        if (page->stride != 0 && !may_unlearn(page))
            return addrmap_refuse(map, address);
        result = learn_stride(map, page, address, stride);
        if (result != STATUS_OK)
            return result;
    }
    map->near_top = address >> TABLE_SHIFT;
    map->near = map->root[map->near_top];
    *slot = page_slot(page, address);
    return *slot != NULL ? STATUS_OK : addrmap_refuse(map, address);
}

/* --- all pages ----------------------------------------------------------------------------------------------------- */

typedef status (*page_changer)(void *context, uintptr_t page_address, struct page *page);

static status each(const struct addrmap *map, page_changer change, void *context) {
    const uint32_t *tables = (const uint32_t *)map->tables.base;
    const size_t per_unit = UNIT / sizeof(struct page);
    for (size_t t = 0; t < map->table_count; t++) {
        struct table *table = (struct table *)map->root[tables[t]];
        for (size_t unit = 0; unit < sizeof table->touched; unit++) {
            if (!table->touched[unit])
                continue;
            for (size_t i = unit * per_unit; i < (unit + 1) * per_unit; i++) {
                uintptr_t start = ((uintptr_t)tables[t] << TABLE_SHIFT) + ((uintptr_t)i << PAGE_SHIFT);
                status result = table->pages[i].stride != 0 ? change(context, start, &table->pages[i])
                                                            : STATUS_OK;
                if (result != STATUS_OK)
                    return result;
            }
        }
    }
    return STATUS_OK;
}

struct visit {
    page_visitor visitor;
    void *context;
};

static status visit_page(void *context, uintptr_t start, struct page *page) {
    const struct visit *visit = context;
    return visit->visitor(visit->context, start, page, slot_count(page));
}

status addrmap_each(const struct addrmap *map, page_visitor visit, void *context) {
    struct visit all = {visit, context};
    return each(map, visit_page, &all);
}

/* --- slots that nobody needs --------------------------------------------------------------------------------------- */

static status move_slots(void *context, uintptr_t start, struct page *page) {
    struct addrmap *to = context;
    (void)start;
    size_t bytes = slots_bytes(page->stride);
    uint32_t *slots = (uint32_t *)(to->slots.base + to->slots_used);
    memcpy(slots, page->slots - 1, bytes);
    page->slots = slots + 1;
    to->slots_used += bytes;
    return STATUS_OK;
}

/* Moves all slots in use to new memory, one after the other, and gives the old one back. */
static void move_together(struct addrmap *map) {
    struct addrmap to = {.account = map->account};
    size_t bytes = map->slots_used - map->slots_spare;
    status result = region_init(&to.slots, map->account, MOST_SLOT_BYTES);
    if (result == STATUS_OK)
        result = region_grow(&to.slots, bytes);
    if (result != STATUS_OK) {
        region_fini(&to.slots);
        return;
    }
    (void)each(map, move_slots, &to);
    assert(to.slots_used == bytes);
    region_fini(&map->slots);
    map->slots = to.slots;
    map->slots_used = bytes;
    map->slots_spare = 0;
    memset(map->spare, 0, sizeof map->spare);
    all_slots_end(map);
}

void addrmap_release(struct addrmap *map, uintptr_t start, uintptr_t end) {
    uintptr_t first = (start + PAGE_BYTES - 1) & ~(uintptr_t)(PAGE_BYTES - 1);
    for (uintptr_t address = first; end - address >= PAGE_BYTES && address < end; address += PAGE_BYTES) {
        struct page *page = addrmap_page(map, address);
        if (page != NULL && page->stride != 0 && all_empty(page))
            unlearn(map, page);
    }
    if (map->slots_spare > SPARE_MOST && map->slots_spare * 2 > map->slots_used)
        move_together(map);
}

static status check_page(void *context, uintptr_t start, const struct page *page, uint32_t count) {
    const struct addrmap *map = context;
    const char *slots = (const char *)page->slots;
    if (page->stride % 16 != 0 || page->stride > STRIDE_MOST || page->base >= page->stride)
        return STATUS_INVALID;
    if (slots < map->slots.base || slots + count * sizeof(uint32_t) > map->slots.base + map->slots_used)
        return STATUS_INVALID;
    for (uint32_t i = 0; i < count; i++) {
        if (page_slot(page, start + page->base + (uintptr_t)i * page->stride) != &page->slots[i])
            return STATUS_INVALID;
    }
    return STATUS_OK;
}

bool addrmap_check(const struct addrmap *map) {
    for (size_t i = 0; i < RECENT_SIZE; i++) {
        const struct recent *recent = &map->recent[i];
        if (recent->object != 0 &&
            (!map->remembers || (recent->slot == &map->nothing && !map->remembers_nothing)))
            return false;
    }
    return addrmap_each(map, check_page, (void *)(uintptr_t)map) == STATUS_OK;
}
