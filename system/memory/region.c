/*
 * Memory regions: the tree that boards and devices build.
 *
 * Every change happens inside a transaction (a lone call is its own); nothing is recomputed
 * before the outermost commit.  BQL held throughout.
 */
#include "memory-internal.h"

static unsigned transaction_depth;
static bool transaction_changed;

TYPE_DEFINE(MemoryRegion, memory_region, "memory-region", object,
    .desc = "range of guest-physical addresses", .hidden = true,
)

void memory_transaction_begin(void)
{
    transaction_depth++;
}

void memory_transaction_commit(void)
{
    assert(transaction_depth > 0);
    if (--transaction_depth == 0 && transaction_changed) {
        transaction_changed = false;
        address_spaces_update();
    }
}

/* --- construction --- */

static void region_setup(MemoryRegion *mr, MemoryRegionKind kind, void *owner, const char *name, uint64_t size)
{
    memset(mr, 0, sizeof(*mr));
    object_init_embedded(mr, &memory_region_type);
    mr->kind = kind;
    mr->name = g_strdup(name);
    mr->owner = owner;
    mr->size = size == UINT64_MAX ? (unsigned __int128)1 << 64 : size;
    mr->enabled = true;
}

void memory_region_init(MemoryRegion *mr, void *owner, const char *name, uint64_t size)
{
    region_setup(mr, MEMORY_REGION_CONTAINER, owner, name, size);
}

void memory_region_init_io(MemoryRegion *mr, void *owner, const MemoryRegionOps *ops, void *opaque,
                           const char *name, uint64_t size)
{
    region_setup(mr, MEMORY_REGION_IO, owner, name, size);
    mr->ops = ops;
    mr->opaque = opaque;
}

void memory_region_init_alias(MemoryRegion *mr, void *owner, const char *name, MemoryRegion *orig,
                              hwaddr offset, uint64_t size)
{
    region_setup(mr, MEMORY_REGION_ALIAS, owner, name, size);
    mr->alias = orig;
    mr->alias_offset = offset;
}

/* Takes @fd.  On failure the region is as never initialised. */
static bool region_setup_ram(MemoryRegion *mr, MemoryRegionKind kind, void *owner, const char *name, uint64_t size,
                             unsigned ram_flags, int fd, uint64_t offset, uint64_t align, void *host, Error **errp)
{
    region_setup(mr, kind, owner, name, size);
    mr->romd_mode = true;
    mr->readonly = kind == MEMORY_REGION_ROM || (ram_flags & RAM_READONLY);
    mr->ram = ram_block_new(mr, name, size, ram_flags, fd, offset, align, host, errp);
    if (!mr->ram) {
        g_clear_pointer(&mr->name, g_free);
        return false;
    }
    return true;
}

bool memory_region_init_ram(MemoryRegion *mr, void *owner, const char *name, uint64_t size, Error **errp)
{
    return region_setup_ram(mr, MEMORY_REGION_RAM, owner, name, size, 0, -1, 0, 0, NULL, errp);
}

bool memory_region_init_ram_flags(MemoryRegion *mr, void *owner, const char *name, uint64_t size,
                                  unsigned ram_flags, Error **errp)
{
    return region_setup_ram(mr, MEMORY_REGION_RAM, owner, name, size, ram_flags, -1, 0, 0, NULL, errp);
}

bool memory_region_init_ram_from_fd(MemoryRegion *mr, void *owner, const char *name, uint64_t size,
                                    unsigned ram_flags, int fd, uint64_t offset, uint64_t align, Error **errp)
{
    return region_setup_ram(mr, MEMORY_REGION_RAM, owner, name, size, ram_flags, fd, offset, align, NULL, errp);
}

bool memory_region_init_rom(MemoryRegion *mr, void *owner, const char *name, uint64_t size, Error **errp)
{
    return region_setup_ram(mr, MEMORY_REGION_ROM, owner, name, size, 0, -1, 0, 0, NULL, errp);
}

bool memory_region_init_rom_device(MemoryRegion *mr, void *owner, const MemoryRegionOps *ops, void *opaque,
                                   const char *name, uint64_t size, Error **errp)
{
    if (!region_setup_ram(mr, MEMORY_REGION_ROM_DEVICE, owner, name, size, 0, -1, 0, 0, NULL, errp)) {
        return false;
    }
    mr->ops = ops;
    mr->opaque = opaque;
    return true;
}

void memory_region_init_ram_ptr(MemoryRegion *mr, void *owner, const char *name, uint64_t size, void *host)
{
    bool ok = region_setup_ram(mr, MEMORY_REGION_RAM, owner, name, size, 0, -1, 0, 0, host, &error_abort);

    assert(ok);
}

void memory_region_fini(MemoryRegion *mr)
{
    assert(!mr->container);
    while (mr->subregions && mr->subregions->len) {
        memory_region_del_subregion(mr, g_ptr_array_index(mr->subregions, 0));
    }
    g_clear_pointer(&mr->subregions, g_ptr_array_unref);
    if (mr->ram) {
        ram_block_free(mr->ram);
        mr->ram = NULL;
    }
    g_clear_pointer(&mr->name, g_free);
    g_clear_pointer(&mr->eventfds, g_array_unref);
}

/* --- changes --- */

/* A change to @mr matters if it is mapped, is a root, or is the target of an alias: any of which a commit finds out. */
static void region_changed(void)
{
    transaction_changed = true;
    memory_transaction_commit();
}

static void add_subregion(MemoryRegion *container, hwaddr offset, MemoryRegion *sub, bool may_overlap, int priority)
{
    unsigned i;

    assert(!sub->container);
    memory_transaction_begin();
    sub->container = container;
    sub->addr = offset;
    sub->may_overlap = may_overlap;
    sub->priority = priority;
    if (!container->subregions) {
        container->subregions = g_ptr_array_new();
    }
    for (i = 0; i < container->subregions->len; i++) {
        MemoryRegion *other = g_ptr_array_index(container->subregions, i);

        if (priority >= other->priority) {
            break;
        }
    }
    g_ptr_array_insert(container->subregions, i, sub);
    region_changed();
}

void memory_region_add_subregion(MemoryRegion *container, hwaddr offset, MemoryRegion *sub)
{
    add_subregion(container, offset, sub, false, 0);
}

void memory_region_add_subregion_overlap(MemoryRegion *container, hwaddr offset, MemoryRegion *sub, int priority)
{
    add_subregion(container, offset, sub, true, priority);
}

void memory_region_del_subregion(MemoryRegion *container, MemoryRegion *sub)
{
    assert(sub->container == container);
    memory_transaction_begin();
    g_ptr_array_remove(container->subregions, sub);
    sub->container = NULL;
    region_changed();
}

#define DEFINE_SETTER(name, T, field)                       \
    void name(MemoryRegion *mr, T v)                        \
    {                                                       \
        if (mr->field != v) {                               \
            memory_transaction_begin();                     \
            mr->field = v;                                  \
            region_changed();                               \
        }                                                   \
    }
DEFINE_SETTER(memory_region_set_enabled, bool, enabled)
DEFINE_SETTER(memory_region_set_address, hwaddr, addr)
DEFINE_SETTER(memory_region_set_readonly, bool, readonly)
DEFINE_SETTER(memory_region_set_alias_offset, hwaddr, alias_offset)
DEFINE_SETTER(memory_region_rom_device_set_romd, bool, romd_mode)

void memory_region_set_coalesced(MemoryRegion *mr)
{
    assert(!mr->container && mr->ops);
    mr->coalesced = true;
}

void memory_region_set_eventfds(MemoryRegion *mr, const MemoryEventfd *e, unsigned n)
{
    if (!n && !mr->eventfds) {
        return;
    }
    g_clear_pointer(&mr->eventfds, g_array_unref);
    if (n) {
        mr->eventfds = g_array_new(false, false, sizeof(*e));
        g_array_append_vals(mr->eventfds, e, n);
    }
    memory_eventfds_changed();
}

void memory_region_set_unmergeable(MemoryRegion *mr)
{
    assert(mr->alias && !mr->container);
    mr->unmergeable = true;
}

void memory_region_set_size(MemoryRegion *mr, uint64_t size)
{
    unsigned __int128 wide = size == UINT64_MAX ? (unsigned __int128)1 << 64 : size;

    if (mr->size != wide) {
        memory_transaction_begin();
        mr->size = wide;
        region_changed();
    }
}
