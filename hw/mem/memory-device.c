/*
 * Memory devices: addresses, and what QMP tells of them.
 *
 * Invariant: dm->devices is sorted by address and the devices' ranges are disjoint and within the range set aside.
 */
#include "hw/mem/memslots.h"

#include "qapi/qapi-commands.h"

void device_memory_create(Machine *m, hwaddr base, uint64_t size)
{
    DeviceMemory *dm = g_new0(DeviceMemory, 1);

    assert(!m->device_memory);
    dm->base = base;
    dm->size = size;
    dm->quota = m->maxram_size - m->ram_size;
    dm->devices = g_ptr_array_new();
    memory_region_init(&dm->mr, m, "device-memory", size);
    memory_region_add_subregion(system_memory(), base, &dm->mr);
    m->device_memory = dm;
}

/* --- addresses --- */

static const char *name_of(const MemoryDevice *md)
{
    return md->dev && md->dev->id ? md->dev->id : "(unnamed)";
}

/* The first device that touches [@addr, +@size), which is within the range; NULL if none does. */
static const MemoryDevice *find_overlap(const DeviceMemory *dm, hwaddr addr, uint64_t size)
{
    for (unsigned i = 0; i < dm->devices->len; i++) {
        const MemoryDevice *md = g_ptr_array_index(dm->devices, i);

        if (addr < md->addr + memory_region_size(md->mr) && md->addr < addr + size) {
            return md;
        }
    }
    return NULL;
}

static bool in_range(const DeviceMemory *dm, hwaddr addr, uint64_t size)
{
    return addr >= dm->base && size <= dm->size && addr - dm->base <= dm->size - size;
}

static bool find_free(const DeviceMemory *dm, uint64_t size, uint64_t align, hwaddr *out)
{
    hwaddr at = ROUND_UP(dm->base, align);
    const MemoryDevice *md;

    while (in_range(dm, at, size)) {
        md = find_overlap(dm, at, size);
        if (!md) {
            *out = at;
            return true;
        }
        at = ROUND_UP(md->addr + memory_region_size(md->mr), align);
    }
    return false;
}

static uint64_t used(const DeviceMemory *dm)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < dm->devices->len; i++) {
        sum += memory_region_size(((MemoryDevice *)g_ptr_array_index(dm->devices, i))->mr);
    }
    return sum;
}

bool device_memory_find(const DeviceMemory *dm, hwaddr addr, uint64_t size, uint64_t align, hwaddr *out, Error **errp)
{
    const MemoryDevice *other;

    if (size > dm->quota || used(dm) > dm->quota - size) {
        error_setg(errp, "not enough space: 0x%" PRIx64 " bytes are in use of 0x%" PRIx64 " for memory devices, 0x%" PRIx64
                   " more are asked for", used(dm), dm->quota, size);
        return false;
    }
    if (!addr) {
        if (!find_free(dm, size, align, out)) {
            error_setg(errp, "no free range of 0x%" PRIx64 " bytes aligned to 0x%" PRIx64 " is left for the memory device",
                       size, align);
            return false;
        }
        return true;
    }
    if (addr & (align - 1)) {
        error_setg(errp, "address 0x%" HWADDR_PRIx " must be aligned to 0x%" PRIx64 " bytes", addr, align);
        return false;
    }
    if (!in_range(dm, addr, size)) {
        error_setg(errp, "can't add memory device [0x%" HWADDR_PRIx ":0x%" PRIx64 "], usable range for memory devices [0x%"
                   HWADDR_PRIx ":0x%" PRIx64 "]", addr, size, dm->base, dm->size);
        return false;
    }
    other = find_overlap(dm, addr, size);
    if (other) {
        error_setg(errp, "address range [0x%" HWADDR_PRIx ":0x%" PRIx64 "] conflicts with memory device id='%s'", addr, size,
                   name_of(other));
        return false;
    }
    *out = addr;
    return true;
}

static void insert_sorted(DeviceMemory *dm, MemoryDevice *md)
{
    unsigned i = 0;

    while (i < dm->devices->len && ((MemoryDevice *)g_ptr_array_index(dm->devices, i))->addr < md->addr) {
        i++;
    }
    g_ptr_array_insert(dm->devices, (int)i, md);
}

bool memory_device_plug(MemoryDevice *md, hwaddr addr, uint64_t align, Error **errp)
{
    DeviceMemory *dm = current_machine()->device_memory;
    MemslotSupply supply = memslots_supply(current_machine());

    if (!dm) {
        error_setg(errp, "the machine is not prepared for memory devices: -m needs maxmem=");
        return false;
    }
    if (!memslots_available(&supply, md->memslots, errp) || !memslots_check_memory(current_machine(), md->memory, errp)) {
        return false;
    }
    if (!device_memory_find(dm, addr, memory_region_size(md->mr), align, &md->addr, errp)) {
        return false;
    }
    insert_sorted(dm, md);
    memory_region_add_subregion(&dm->mr, md->addr - dm->base, md->mr);
    return true;
}

void memory_device_unplug(MemoryDevice *md)
{
    DeviceMemory *dm = current_machine()->device_memory;

    g_ptr_array_remove(dm->devices, md);
    memory_region_del_subregion(&dm->mr, md->mr);
}

/* --- backends and nodes --- */

HostMemoryBackend *memory_device_take_backend(Object *memdev, Error **errp)
{
    HostMemoryBackend *b;

    if (!memdev) {
        error_setg(errp, "'memdev' property must be set");
        return NULL;
    }
    b = HOST_MEMORY_BACKEND(memdev);
    if (b->mr.readonly || b->mr.ram->fd_readonly) {
        error_setg(errp, "'memdev' property specifies memory that cannot be written: %s", b->obj.name);
        return NULL;
    }
    if (!host_memory_backend_take_unbound(b, NULL)) {
        error_setg(errp, "'memdev' property specifies a busy memdev: %s", b->obj.name);
        return NULL;
    }
    return b;
}

bool memory_device_check_node(uint32_t node, Error **errp)
{
    unsigned n = MAX(current_machine()->n_numa, 1u);

    if (node >= n) {
        error_setg(errp, "'node' property has value %u, the number of NUMA nodes is %u", node, n);
        return false;
    }
    return true;
}

/* --- QMP --- */

QapiMemoryDeviceInfoList *qmp_query_memory_devices(Error **errp)
{
    QapiMemoryDeviceInfoList *list = g_new0(QapiMemoryDeviceInfoList, 1);
    const DeviceMemory *dm = current_machine()->device_memory;

    for (unsigned i = 0; dm && i < dm->devices->len; i++) {
        const MemoryDevice *md = g_ptr_array_index(dm->devices, i);

        md->ops->fill_info(md, QAPI_LIST_APPEND(list));
    }
    return list;
}

QapiMemoryInfo *qmp_query_memory_size_summary(Error **errp)
{
    QapiMemoryInfo *info = g_new0(QapiMemoryInfo, 1);
    const DeviceMemory *dm = current_machine()->device_memory;

    info->base_memory = current_machine()->ram_size;
    info->has_plugged_memory = true;
    for (unsigned i = 0; dm && i < dm->devices->len; i++) {
        const MemoryDevice *md = g_ptr_array_index(dm->devices, i);

        info->plugged_memory += md->ops->plugged_size(md);
    }
    return info;
}
