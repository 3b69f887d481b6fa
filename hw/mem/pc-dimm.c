/*
 * pc-dimm: plain memory in a slot.  How the guest learns of it is the board's business.
 */
#include "hw/mem/pc-dimm.h"

#include "hw/mem/memslots.h"
#include "qapi/qapi-commands.h"

#define DIMM_ALIGN (2 * MiB)        /* so that large pages of the guest can be large pages of the host */

static const MemoryDeviceOps md_ops;

PcDimm *pc_dimm_in_slot(const Machine *m, unsigned slot)
{
    const DeviceMemory *dm = m->device_memory;

    for (unsigned i = 0; dm && i < dm->devices->len; i++) {
        MemoryDevice *md = g_ptr_array_index(dm->devices, i);
        PcDimm *d = md->ops == &md_ops ? container_of(md, PcDimm, md) : NULL;

        if (d && d->slot == (int32_t)slot) {
            return d;
        }
    }
    return NULL;
}

/* --- for query-memory-devices --- */

static uint64_t md_plugged_size(const MemoryDevice *md)
{
    return memory_region_size(md->mr);
}

static void md_fill_info(const MemoryDevice *md, QapiMemoryDeviceInfo *info)
{
    const PcDimm *d = container_of(md, PcDimm, md);
    QapiPCDIMMDeviceInfo *p = g_new0(QapiPCDIMMDeviceInfo, 1);

    p->id = g_strdup(d->dev.id);
    p->addr = (int64_t)md->addr;
    p->size = (int64_t)pc_dimm_size(d);
    p->slot = d->slot;
    p->node = d->node;
    p->memdev = object_path(d->memdev);
    p->hotplugged = d->dev.hotplugged;
    p->hotpluggable = true;
    info->type = QAPI_MEMORY_DEVICE_TYPE_DIMM;
    info->u.dimm.data = p;
}

static const MemoryDeviceOps md_ops = { .plugged_size = md_plugged_size, .fill_info = md_fill_info };

/* --- properties --- */

static Value *get_size(Object *obj, const Property *p)
{
    const PcDimm *d = PC_DIMM(obj);

    return value_uint(d->memdev ? HOST_MEMORY_BACKEND(d->memdev)->size : 0);
}

static const Property dimm_properties[] = {
    PROP_LINK("memdev", PcDimm, memdev, host_memory_backend, .help = "where the memory comes from"),
    PROP_UINT32("node", PcDimm, node, 0, .max = UINT16_MAX, .help = "NUMA node of the guest"),
    PROP_UINT64("addr", PcDimm, addr, 0, .help = "guest-physical address; 0 = any"),
    PROP_INT32("slot", PcDimm, slot, -1, .help = "number of the memory slot; -1 = the first that is free"),
    PROP_CUSTOM(size, "size", get_size, NULL, .shown = "uint64", .unit = "bytes", .help = "how much memory"),
};

/* --- life --- */

static bool find_slot(const Machine *m, PcDimm *d, Error **errp)
{
    unsigned free_slot = 0;

    if (!m->ram_slots) {
        error_setg(errp, "the machine has no memory slots: -m needs slots=");
        return false;
    }
    if (d->slot < -1 || d->slot >= (int64_t)m->ram_slots) {
        error_setg(errp, "invalid slot number %d, valid range is [0-%u]", d->slot, m->ram_slots - 1);
        return false;
    }
    while (d->slot < 0 && free_slot < m->ram_slots && pc_dimm_in_slot(m, free_slot)) {
        free_slot++;
    }
    if (d->slot < 0 && free_slot == m->ram_slots) {
        error_setg(errp, "no free memory slots are left, all %u are in use", m->ram_slots);
        return false;
    }
    if (d->slot >= 0 && pc_dimm_in_slot(m, (unsigned)d->slot)) {
        error_setg(errp, "slot %d is busy", d->slot);
        return false;
    }
    d->slot = d->slot < 0 ? (int32_t)free_slot : d->slot;
    return true;
}

static bool plug(PcDimm *d, Error **errp)
{
    uint64_t align = MAX(DIMM_ALIGN, host_memory_backend_page_size(d->backend)), bound_before = d->backend->mr.ram->bound;

    d->md = (MemoryDevice){ .ops = &md_ops, .dev = &d->dev, .mr = &d->backend->mr, .memory = &d->backend->mr,
                           .memslots = 1, .memslots_used = 1 };
    if (!ram_block_set_bound(d->backend->mr.ram, d->backend->mr.ram->max_length, errp)) {
        return false;
    }
    if (!memory_device_plug(&d->md, d->addr, align, errp)) {
        d->backend->mr.ram->bound = bound_before;
        return false;
    }
    return true;
}

static bool dimm_realize(Device *dev, Error **errp)
{
    PcDimm *d = PC_DIMM(dev);

    if (!memory_device_check_node(d->node, errp)) {
        return false;
    }
    d->backend = memory_device_take_backend(d->memdev, errp);
    if (!d->backend) {
        return false;
    }
    if (!find_slot(current_machine(), d, errp) || !plug(d, errp)) {
        host_memory_backend_release(d->backend);
        return false;
    }
    d->addr = d->md.addr;
    return true;
}

static void dimm_unrealize(Device *dev)
{
    PcDimm *d = PC_DIMM(dev);

    memory_device_unplug(&d->md);
    host_memory_backend_release(d->backend);
}

DEVICE_DEFINE(PcDimm, pc_dimm, "pc-dimm", device,
    .desc       = "DIMM memory module",
    .properties = PROPS(dimm_properties),
    .realize    = dimm_realize,
    .unrealize  = dimm_unrealize,
    .vmstate    = &vmstate_none,        /* its content is the backend's RAM block */
)
