/*
 * One device access: validity, splitting and widening, byte order, the BQL.
 *
 * A narrower access than impl.min reads the aligned wider word and takes its part; a narrower
 * write is given to the device at the aligned address with the other bytes zero.
 */
#include "memory-internal.h"
#include "util/log.h"
#include "system/ram-discard.h"
#include "util/main-loop.h"
#include "trace.h"

static bool access_is_valid(const MemoryRegion *mr, hwaddr addr, unsigned size)
{
    const MemoryRegionOps *ops = mr->ops;
    unsigned min = ops->valid.min ? ops->valid.min : 1, max = ops->valid.max ? ops->valid.max : 8;

    return size >= min && size <= max && (ops->valid.unaligned || !(addr & (size - 1)));
}

static unsigned impl_size(const MemoryRegionOps *ops, unsigned size)
{
    unsigned min = ops->impl.min ? ops->impl.min : 1, max = ops->impl.max ? ops->impl.max : 4;

    return MAX(MIN(size, max), min);
}

static uint64_t size_mask(unsigned size)
{
    return size == 8 ? UINT64_MAX : (1ULL << (8 * size)) - 1;
}

static MemTxResult call_read(MemoryRegion *mr, hwaddr addr, uint64_t *data, unsigned size, MemTxAttrs attrs)
{
    MemTxResult res = MEMTX_OK;

    if (mr->ops->read_with_attrs) {
        *data = 0;
        res = mr->ops->read_with_attrs(mr->opaque, addr, data, size, attrs);
    } else if (mr->ops->read) {
        *data = mr->ops->read(mr->opaque, addr, size);
    } else {
        *data = UINT64_MAX;
        res = MEMTX_ERROR;
    }
    if (mr->ops->endian == DEVICE_BIG_ENDIAN) {
        *data = GUINT64_SWAP_LE_BE(*data) >> (64 - 8 * size);
    }
    *data &= size_mask(size);
    return res;
}

static MemTxResult call_write(MemoryRegion *mr, hwaddr addr, uint64_t data, unsigned size, MemTxAttrs attrs)
{
    data &= size_mask(size);
    if (mr->ops->endian == DEVICE_BIG_ENDIAN) {
        data = GUINT64_SWAP_LE_BE(data) >> (64 - 8 * size);
    }
    if (mr->ops->write_with_attrs) {
        return mr->ops->write_with_attrs(mr->opaque, addr, data, size, attrs);
    }
    if (mr->ops->write) {
        mr->ops->write(mr->opaque, addr, data, size);
        return MEMTX_OK;
    }
    return MEMTX_ERROR;
}

static MemTxResult io_read(MemoryRegion *mr, hwaddr addr, uint64_t *data, unsigned size, MemTxAttrs attrs)
{
    unsigned step = impl_size(mr->ops, size);
    MemTxResult res = MEMTX_OK;
    uint64_t part;

    if (step > size) {
        hwaddr aligned = addr & ~(hwaddr)(step - 1);

        res = call_read(mr, aligned, &part, step, attrs);
        *data = (part >> (8 * (addr - aligned))) & size_mask(size);
        return res;
    }
    *data = 0;
    for (unsigned i = 0; i < size; i += step) {
        res |= call_read(mr, addr + i, &part, step, attrs);
        *data |= part << (8 * i);
    }
    return res;
}

static MemTxResult io_write(MemoryRegion *mr, hwaddr addr, uint64_t data, unsigned size, MemTxAttrs attrs)
{
    unsigned step = impl_size(mr->ops, size);
    MemTxResult res = MEMTX_OK;

    if (step > size) {
        hwaddr aligned = addr & ~(hwaddr)(step - 1);

        return call_write(mr, aligned, (data & size_mask(size)) << (8 * (addr - aligned)), step, attrs);
    }
    for (unsigned i = 0; i < size; i += step) {
        res |= call_write(mr, addr + i, data >> (8 * i), step, attrs);
    }
    return res;
}

static bool take_bql(const MemoryRegion *mr)
{
    bool take = !mr->ops->lockless && !bql_locked();

    if (take) {
        bql_lock();
    }
    return take;
}

/*
 * The devices whose callbacks this thread is in.  What a device does in one may lead back to its registers: by a message
 * that the guest addressed to them, or by DMA.  Such an access is refused: no device expects it in the middle of its work.
 */
#define BUSY_MAX 16
static __thread struct { const Object *owner[BUSY_MAX]; unsigned n; } busy;

static bool enter(const MemoryRegion *mr)
{
    for (unsigned i = 0; mr->owner && i < busy.n; i++) {
        if (busy.owner[i] == mr->owner) {
            guest_error(mr->name, "access from the device's own work refused");
            return false;
        }
    }
    if (busy.n == BUSY_MAX) {
        guest_error(mr->name, "access through %u other devices refused", busy.n);
        return false;
    }
    busy.owner[busy.n++] = mr->owner;
    return true;
}

static void leave(void)
{
    busy.n--;
}

MemTxResult memory_region_dispatch_read(MemoryRegion *mr, hwaddr addr, uint64_t *data, unsigned size, MemTxAttrs attrs)
{
    MemTxResult res;
    bool taken;

    if (mr->ram && (mr->kind != MEMORY_REGION_ROM_DEVICE || mr->romd_mode)) {
        *data = 0;
        if (!mr->rdm || ram_discard_is_populated(mr->rdm, addr, size)) {
            memcpy(data, mr->ram->host + addr, size);
        }
        return MEMTX_OK;
    }
    if (!access_is_valid(mr, addr, size)) {
        guest_error(mr->name, "invalid read of %u bytes at 0x%" HWADDR_PRIx, size, addr);
        *data = size_mask(size);
        return MEMTX_ACCESS_ERROR;
    }
    if (!enter(mr)) {
        *data = size_mask(size);
        return MEMTX_ACCESS_ERROR;
    }
    taken = take_bql(mr);
    res = io_read(mr, addr, data, size, attrs);
    leave();
    trace_memory_region_ops_read(mr, addr, *data, size, mr->name);
    if (taken) {
        bql_unlock();
    }
    return res;
}

MemTxResult memory_region_dispatch_write(MemoryRegion *mr, hwaddr addr, uint64_t data, unsigned size, MemTxAttrs attrs)
{
    MemTxResult res;
    bool taken;

    if (mr->ram && mr->kind != MEMORY_REGION_ROM_DEVICE) {
        if (!mr->readonly && (!mr->rdm || ram_discard_is_populated(mr->rdm, addr, size))) {
            memcpy(mr->ram->host + addr, &data, size);
            ram_block_set_dirty(mr->ram, addr, size);
        }
        return MEMTX_OK;
    }
    if (!access_is_valid(mr, addr, size)) {
        guest_error(mr->name, "invalid write of %u bytes at 0x%" HWADDR_PRIx, size, addr);
        return MEMTX_ACCESS_ERROR;
    }
    if (!enter(mr)) {
        return MEMTX_ACCESS_ERROR;
    }
    taken = take_bql(mr);
    trace_memory_region_ops_write(mr, addr, data, size, mr->name);
    res = io_write(mr, addr, data, size, attrs);
    leave();
    if (taken) {
        bql_unlock();
    }
    return res;
}
