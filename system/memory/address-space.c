/*
 * Address spaces: publication of flat views, listeners, and access by address.
 */
#include "memory-internal.h"

#include "system/ram-discard.h"
#include "util/main-loop.h"

AddressSpace address_space_memory;
AddressSpace address_space_io;

static MemoryRegion system_memory_region, system_io_region;
static GPtrArray *spaces;       /* of AddressSpace *; BQL */

MemoryRegion *system_memory(void)
{
    return &system_memory_region;
}

MemoryRegion *system_io(void)
{
    return &system_io_region;
}

void memory_spaces_init(void)
{
    memory_region_init(&system_memory_region, NULL, "system", UINT64_MAX);
    address_space_init(&address_space_memory, &system_memory_region, "memory");
    memory_region_init(&system_io_region, NULL, "io", 64 * KiB);
    address_space_init(&address_space_io, &system_io_region, "I/O");
}

/* --- publication --- */

static void notify_range(AddressSpace *as, const FlatRange *r, size_t hook_offset, bool reverse)
{
    for (unsigned i = 0; i < as->listeners->len; i++) {
        MemoryListener *l = g_ptr_array_index(as->listeners, reverse ? as->listeners->len - 1 - i : i);
        void (*fn)(MemoryListener *, const FlatRange *) =
            *(void (**)(MemoryListener *, const FlatRange *))((char *)l + hook_offset);

        if (fn) {
            fn(l, r);
        }
    }
}

/*
 * Walk both sorted arrays at once.  @adding false: report old ranges that went; true: new ranges
 * that came, and those that stayed.
 */
static void notify_difference(AddressSpace *as, const FlatView *old, const FlatView *fresh, bool adding)
{
    unsigned i = 0, j = 0, n_old = old ? old->n_ranges : 0;

    while (i < n_old || j < fresh->n_ranges) {
        const FlatRange *o = i < n_old ? &old->ranges[i] : NULL;
        const FlatRange *f = j < fresh->n_ranges ? &fresh->ranges[j] : NULL;

        if (o && f && flatrange_equal(o, f)) {
            if (adding) {
                notify_range(as, f, offsetof(MemoryListener, region_nop), false);
            }
            i++;
            j++;
        } else if (o && (!f || o->start <= f->start)) {
            if (!adding) {
                notify_range(as, o, offsetof(MemoryListener, region_del), true);
            }
            i++;
        } else {
            if (adding) {
                notify_range(as, f, offsetof(MemoryListener, region_add), false);
            }
            j++;
        }
    }
}

static bool view_unchanged(const FlatView *old, const FlatView *fresh)
{
    if (!old || old->n_ranges != fresh->n_ranges) {
        return false;
    }
    for (unsigned i = 0; i < old->n_ranges; i++) {
        if (!flatrange_equal(&old->ranges[i], &fresh->ranges[i])) {
            return false;
        }
    }
    return true;
}

static void address_space_update(AddressSpace *as)
{
    FlatView *old = as->view, *fresh = flatview_render(as->root);

    if (view_unchanged(old, fresh)) {
        flatview_release_later(fresh);
        return;
    }
    fresh->generation = old ? old->generation + 1 : 1;
    for (unsigned i = 0; i < as->listeners->len; i++) {
        MemoryListener *l = g_ptr_array_index(as->listeners, i);

        if (l->begin) {
            l->begin(l);
        }
    }
    notify_difference(as, old, fresh, false);
    notify_difference(as, old, fresh, true);
    rcu_assign_pointer(as->view, fresh);
    for (unsigned i = 0; i < as->listeners->len; i++) {
        MemoryListener *l = g_ptr_array_index(as->listeners, i);

        if (l->commit) {
            l->commit(l);
        }
    }
    if (old) {
        flatview_release_later(old);
    }
}

void address_spaces_update(void)
{
    for (unsigned i = 0; spaces && i < spaces->len; i++) {
        address_space_update(g_ptr_array_index(spaces, i));
    }
}

void address_space_init(AddressSpace *as, MemoryRegion *root, const char *name)
{
    *as = (AddressSpace){ .name = g_strdup(name), .root = root, .listeners = g_ptr_array_new() };
    if (!spaces) {
        spaces = g_ptr_array_new();
    }
    g_ptr_array_add(spaces, as);
    address_space_update(as);
}

void address_space_fini(AddressSpace *as)
{
    assert(as->listeners->len == 0);
    g_ptr_array_remove(spaces, as);
    flatview_release_later(as->view);
    as->view = NULL;
    g_ptr_array_unref(as->listeners);
    g_free(as->name);
}

void memory_listener_register(MemoryListener *l, AddressSpace *as)
{
    unsigned i;

    for (i = 0; i < as->listeners->len; i++) {
        if (((MemoryListener *)g_ptr_array_index(as->listeners, i))->priority > l->priority) {
            break;
        }
    }
    g_ptr_array_insert(as->listeners, i, l);
    l->as = as;
    if (l->begin) {
        l->begin(l);
    }
    for (i = 0; l->region_add && i < as->view->n_ranges; i++) {
        l->region_add(l, &as->view->ranges[i]);
    }
    if (l->commit) {
        l->commit(l);
    }
}

void memory_listener_unregister(MemoryListener *l)
{
    for (unsigned i = l->as->view->n_ranges; l->region_del && i-- > 0;) {
        l->region_del(l, &l->as->view->ranges[i]);
    }
    g_ptr_array_remove(l->as->listeners, l);
    l->as = NULL;
}

const FlatView *address_space_view_rcu(AddressSpace *as)
{
    return rcu_dereference(as->view);
}

/* Call the hook at @hook of each listener that has it; how many have. */
static unsigned call_listeners(size_t hook, bool call)
{
    unsigned n = 0;

    for (unsigned i = 0; spaces && i < spaces->len; i++) {
        const AddressSpace *as = g_ptr_array_index(spaces, i);

        for (unsigned j = 0; j < as->listeners->len; j++) {
            MemoryListener *l = g_ptr_array_index(as->listeners, j);
            void (*fn)(MemoryListener *l) = *(void (**)(MemoryListener *))((char *)l + hook);

            if (fn && call) {
                fn(l);
            }
            n += fn != NULL;
        }
    }
    return n;
}

static void tell_log(AddressSpace *as, const FlatRange *r, bool on, unsigned client)
{
    for (unsigned i = 0; i < as->listeners->len; i++) {
        MemoryListener *l = g_ptr_array_index(as->listeners, i);
        void (*fn)(MemoryListener *l, const FlatRange *r, unsigned client) = on ? l->log_start : l->log_stop;

        if (fn) {
            fn(l, r, client);
        }
    }
}

void memory_log_changed(const MemoryRegion *mr, bool on, unsigned client)
{
    for (unsigned i = 0; spaces && i < spaces->len; i++) {
        AddressSpace *as = g_ptr_array_index(spaces, i);

        for (unsigned j = 0; as->view && as->listeners->len && j < as->view->n_ranges; j++) {
            if (as->view->ranges[j].mr == mr) {
                tell_log(as, &as->view->ranges[j], on, client);
            }
        }
    }
}

void memory_eventfds_changed(void)
{
    call_listeners(offsetof(MemoryListener, eventfds_changed), true);
}

bool memory_eventfds_used(void)
{
    return call_listeners(offsetof(MemoryListener, eventfds_changed), false) != 0;
}

void memory_flush_coalesced(void)
{
    call_listeners(offsetof(MemoryListener, flush_coalesced), true);
}

void memory_population_changed(void)
{
    call_listeners(offsetof(MemoryListener, population_changed), true);
}

static void range_sync_dirty(const AddressSpace *as, const FlatRange *r)
{
    for (unsigned i = 0; i < as->listeners->len; i++) {
        MemoryListener *l = g_ptr_array_index(as->listeners, i);

        if (l->log_sync) {
            l->log_sync(l, r);
        }
    }
}

void memory_region_sync_dirty(const MemoryRegion *mr)
{
    for (unsigned i = 0; spaces && i < spaces->len; i++) {
        const AddressSpace *as = g_ptr_array_index(spaces, i);

        for (unsigned j = 0; j < as->view->n_ranges; j++) {
            if (as->view->ranges[j].mr == mr) {
                range_sync_dirty(as, &as->view->ranges[j]);
            }
        }
    }
}

/* --- access --- */

static bool range_is_ram(const FlatRange *r, bool write)
{
    if (!r->mr->ram) {
        return false;
    }
    return write ? !r->readonly && r->mr->kind != MEMORY_REGION_ROM_DEVICE
                 : r->mr->kind != MEMORY_REGION_ROM_DEVICE || r->romd;
}

void *address_space_ram_ptr_rcu(AddressSpace *as, hwaddr addr, bool write, hwaddr *len, uint64_t *ram_addr)
{
    const FlatRange *r = flatview_lookup(address_space_view_rcu(as), addr);
    uint64_t offset;

    if (!r || !range_is_ram(r, write)) {
        return NULL;
    }
    offset = r->offset_in_region + (addr - r->start);
    if (len) {
        *len = MIN(*len, r->last - addr + 1);
    }
    if (r->mr->rdm && !flatrange_is_populated(r, addr, len ? len : &(uint64_t){ 1 })) {
        return NULL;
    }
    if (ram_addr) {
        *ram_addr = r->mr->ram->offset + offset;
    }
    return r->mr->ram->host + offset;
}

/* The largest single access at @addr that @mr takes of @len bytes. */
static unsigned mmio_access_size(const MemoryRegion *mr, hwaddr addr, uint64_t len)
{
    unsigned max = mr->ops && mr->ops->valid.max ? mr->ops->valid.max : 4;
    unsigned size = 8;

    while (size > max || size > len || (addr & (size - 1) && !(mr->ops && mr->ops->valid.unaligned))) {
        size /= 2;
    }
    return size;
}

static MemTxResult mmio_rw(const FlatRange *r, hwaddr addr, MemTxAttrs attrs, uint8_t *buf, uint64_t *len, bool is_write)
{
    hwaddr offset = r->offset_in_region + (addr - r->start);
    unsigned size = mmio_access_size(r->mr, offset, *len);
    uint64_t data = 0;
    MemTxResult res;

    *len = size;
    if (is_write) {
        memcpy(&data, buf, size);
        return memory_region_dispatch_write(r->mr, offset, data, size, attrs);
    }
    res = memory_region_dispatch_read(r->mr, offset, &data, size, attrs);
    memcpy(buf, &data, size);
    return res;
}

/* What an access may do beside memory that can be written. */
typedef enum Reach {
    REACH_ALL,
    REACH_ROM,                  /* write ROM, too; devices' registers take nothing */
    REACH_MEMORY,               /* not devices' registers: MEMTX_ACCESS_ERROR */
} Reach;

static MemTxResult access_piece(AddressSpace *as, hwaddr addr, MemTxAttrs attrs, uint8_t *buf, uint64_t *len,
                                bool is_write, Reach reach);

/*
 * A device's registers at @r, found in @view.  While a vCPU waits for the BQL the device may be unplugged, or the guest's other
 * vCPU may move its BAR: an access comes after that, so it is looked up again.  Under the BQL the view stays.
 */
static MemTxResult mmio_piece(AddressSpace *as, const FlatView *view, const FlatRange *r, hwaddr addr, MemTxAttrs attrs,
                              uint8_t *buf, uint64_t *len, bool is_write)
{
    MemTxResult res;

    if (!r->mr->ops || r->mr->ops->lockless || bql_locked()) {
        return mmio_rw(r, addr, attrs, buf, len, is_write);
    }
    bql_lock();
    res = address_space_view_rcu(as) == view ? mmio_rw(r, addr, attrs, buf, len, is_write)
                                             : access_piece(as, addr, attrs, buf, len, is_write, REACH_ALL);
    bql_unlock();
    return res;
}

/* One piece of an access: sets @len to what was done. */
static MemTxResult access_piece(AddressSpace *as, hwaddr addr, MemTxAttrs attrs, uint8_t *buf, uint64_t *len,
                                bool is_write, Reach reach)
{
    const FlatView *view = address_space_view_rcu(as);
    const FlatRange *r = flatview_lookup(view, addr);
    uint64_t offset;

    if (!r) {
        *len = MIN(*len, 4096 - (addr & 4095));
        if (!is_write) {
            memset(buf, 0xff, *len);
        }
        return MEMTX_DECODE_ERROR;
    }
    *len = MIN(*len, r->last - addr + 1);
    offset = r->offset_in_region + (addr - r->start);
    if (r->mr->ram && r->mr->rdm && !flatrange_is_populated(r, addr, len)) {
        if (!is_write) {
            memset(buf, 0, *len);
        }
        return MEMTX_OK;        /* given back: reads as zeroes, takes no writes, costs no memory */
    }
    if (is_write && (range_is_ram(r, true) || (reach == REACH_ROM && r->mr->ram && !r->mr->ram->readonly))) {
        memcpy(r->mr->ram->host + offset, buf, *len);
        ram_block_set_dirty(r->mr->ram, offset, *len);
        return MEMTX_OK;
    }
    if (!is_write && range_is_ram(r, false)) {
        memcpy(buf, r->mr->ram->host + offset, *len);
        return MEMTX_OK;
    }
    if (is_write && r->mr->ram && r->mr->kind != MEMORY_REGION_ROM_DEVICE) {
        return MEMTX_OK;        /* ROM: writes go nowhere */
    }
    if (reach == REACH_ALL) {
        return mmio_piece(as, view, r, addr, attrs, buf, len, is_write);
    }
    if (!is_write) {
        memset(buf, 0xff, *len);
    }
    return reach == REACH_ROM ? MEMTX_OK : MEMTX_ACCESS_ERROR;
}

static MemTxResult access_all(AddressSpace *as, hwaddr addr, MemTxAttrs attrs, void *buf, uint64_t len,
                              bool is_write, Reach reach)
{
    MemTxResult res = MEMTX_OK;
    uint8_t *p = buf;

    rcu_read_lock();
    while (len) {
        uint64_t piece = len;

        res |= access_piece(as, addr, attrs, p, &piece, is_write, reach);
        addr += piece;
        p += piece;
        len -= piece;
    }
    rcu_read_unlock();
    return res;
}

MemTxResult address_space_rw(AddressSpace *as, hwaddr addr, MemTxAttrs attrs, void *buf, uint64_t len, bool is_write)
{
    return access_all(as, addr, attrs, buf, len, is_write, REACH_ALL);
}

MemTxResult address_space_read(AddressSpace *as, hwaddr addr, MemTxAttrs attrs, void *buf, uint64_t len)
{
    return access_all(as, addr, attrs, buf, len, false, REACH_ALL);
}

MemTxResult address_space_write(AddressSpace *as, hwaddr addr, MemTxAttrs attrs, const void *buf, uint64_t len)
{
    return access_all(as, addr, attrs, (void *)buf, len, true, REACH_ALL);
}

MemTxResult address_space_write_rom(AddressSpace *as, hwaddr addr, const void *buf, uint64_t len)
{
    return access_all(as, addr, MEMTXATTRS_UNSPECIFIED, (void *)buf, len, true, REACH_ROM);
}

MemTxResult address_space_rw_memory(AddressSpace *as, hwaddr addr, void *buf, uint64_t len, bool is_write)
{
    return access_all(as, addr, MEMTXATTRS_UNSPECIFIED, buf, len, is_write, REACH_MEMORY);
}

MemTxResult address_space_set(AddressSpace *as, hwaddr addr, uint8_t c, uint64_t len)
{
    MemTxResult res = MEMTX_OK;
    uint8_t block[512];

    memset(block, c, sizeof(block));
    while (len) {
        uint64_t piece = MIN(len, sizeof(block));

        res |= address_space_write(as, addr, MEMTXATTRS_UNSPECIFIED, block, piece);
        addr += piece;
        len -= piece;
    }
    return res;
}

static uint64_t swap_bytes(uint64_t v, unsigned size)
{
    return GUINT64_SWAP_LE_BE(v) >> (64 - 8 * size);
}

uint64_t address_space_ld(AddressSpace *as, hwaddr addr, unsigned size, bool big_endian, MemTxAttrs attrs, MemTxResult *res)
{
    uint64_t v = 0;
    MemTxResult r = address_space_read(as, addr, attrs, &v, size);

    if (res) {
        *res = r;
    }
    return big_endian ? swap_bytes(v, size) : v;
}

void address_space_st(AddressSpace *as, hwaddr addr, uint64_t v, unsigned size, bool big_endian, MemTxAttrs attrs, MemTxResult *res)
{
    MemTxResult r;

    if (big_endian) {
        v = swap_bytes(v, size);
    }
    r = address_space_write(as, addr, attrs, &v, size);
    if (res) {
        *res = r;
    }
}

void *address_space_map(AddressSpace *as, hwaddr addr, hwaddr *len, bool is_write, MemTxAttrs attrs)
{
    void *host;

    rcu_read_lock();
    host = address_space_ram_ptr_rcu(as, addr, is_write, len, NULL);
    if (host) {
        uint64_t offset;
        RamBlock *rb = ram_block_from_host_rcu(host, &offset);
        RamDiscardManager *rdm = rcu_dereference(rb->mr->rdm);

        if (!rdm || ram_discard_pin(rdm, offset, len)) {
            object_ref(rb->mr->owner);      /* until unmap */
        } else {
            host = NULL;
        }
    }
    rcu_read_unlock();
    return host;
}

void address_space_unmap(AddressSpace *as, void *host, hwaddr len, bool is_write, hwaddr written)
{
    RamDiscardManager *rdm;
    uint64_t offset;
    RamBlock *rb;

    rcu_read_lock();
    rb = ram_block_from_host_rcu(host, &offset);
    if (is_write && written) {
        ram_block_set_dirty(rb, offset, MIN(written, len));
    }
    rdm = rcu_dereference(rb->mr->rdm);
    if (rdm) {
        ram_discard_unpin(rdm, offset, len);
    }
    rcu_read_unlock();
    object_unref(rb->mr->owner);
}

bool address_space_access_valid(AddressSpace *as, hwaddr addr, uint64_t len, bool is_write)
{
    bool valid = true;

    rcu_read_lock();
    while (len && valid) {
        const FlatRange *r = flatview_lookup(address_space_view_rcu(as), addr);
        uint64_t piece;

        valid = r != NULL;
        piece = r ? MIN(len, r->last - addr + 1) : 0;
        addr += piece;
        len -= piece;
    }
    rcu_read_unlock();
    return valid;
}
