/*
 * Memory devices: what brings memory to a machine that runs (pc-dimm, virtio-mem), and the range of
 * guest-physical addresses set aside for them by -m maxmem=.
 *
 * Locks: BQL.
 */
#ifndef HW_MEM_MEMORY_DEVICE_H
#define HW_MEM_MEMORY_DEVICE_H

#include "hw/core/machine.h"
#include "system/hostmem.h"

struct QapiMemoryDeviceInfo;
typedef struct MemoryDevice MemoryDevice;

/* Machine.device_memory; lives as long as the machine. */
typedef struct DeviceMemory {
    MemoryRegion mr;
    hwaddr base;
    uint64_t size;              /* of the range */
    uint64_t quota;             /* bytes that all devices together may have: maxmem less the initial memory */
    GPtrArray *devices;         /* of MemoryDevice *, borrowed, by ascending address */
} DeviceMemory;

typedef struct MemoryDeviceOps {
    /* Bytes the guest has of it. */
    uint64_t (*plugged_size)(const MemoryDevice *md);
    /* Its entry in query-memory-devices. */
    void (*fill_info)(const MemoryDevice *md, struct QapiMemoryDeviceInfo *info);
} MemoryDeviceOps;

struct MemoryDevice {
    const MemoryDeviceOps *ops;
    Device *dev;                /* borrowed: whose id it goes by */
    MemoryRegion *mr;           /* what is mapped: RAM, or a container of aliases to it */
    MemoryRegion *memory;       /* the RAM */
    hwaddr addr;                /* set by plug */
    unsigned memslots;          /* the most it uses (hw/mem/memslots.h) */
    unsigned memslots_used;     /* of them, in use now */
};

/* The board sets [@base, +@size) aside; maps a container there.  Once per machine. */
void device_memory_create(Machine *m, hwaddr base, uint64_t size);

/*
 * An address for @size bytes: @addr if it is not 0, else the lowest free one; both multiples of @align, a power of
 * two.  False and @errp if it is not aligned, not in the range, taken, or nothing is free.
 */
bool device_memory_find(const DeviceMemory *dm, hwaddr addr, uint64_t size, uint64_t align, hwaddr *out, Error **errp) MUST_USE;

/* Map @md->mr at @addr (0 = anywhere) in the machine's device memory. */
bool memory_device_plug(MemoryDevice *md, hwaddr addr, uint64_t align, Error **errp) MUST_USE;
void memory_device_unplug(MemoryDevice *md);

/*
 * What devices ask of the backend in their memdev property: it is set, free and may be written.  Takes it; the
 * caller says how much of it may be in use (ram_block_set_bound()) and releases it.  NULL and @errp if it is not so.
 */
HostMemoryBackend *memory_device_take_backend(Object *memdev, Error **errp);
/* Is @node one of the machine's NUMA nodes (0 without -numa)? */
bool memory_device_check_node(uint32_t node, Error **errp) MUST_USE;

#endif
