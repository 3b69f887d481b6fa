/*
 * pc-testdev: what kvm-unit-tests drive on a PC (x86/README and lib/x86 of that project).
 *
 *   port 0xe0..0xe3     four bytes of storage, any access size
 *   port 0xe4..0xe7     write a guest-physical address: the host takes that page away and gives it back
 *   port 0xe8..0xeb     the storage again, by bytes
 *   port 0x2000..0x200f write 0 or 1: drives that ISA line
 *   0xff000000          64 KiB of storage behind MMIO callbacks
 *
 * Locks: BQL.
 */
#include "hw/isa/isa.h"
#include <sys/mman.h>
#include <unistd.h>

#define TESTDEV_MMIO_BASE   0xff000000u
#define TESTDEV_MMIO_LEN    0x10000
#define TESTDEV_PAGE        4096

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

typedef struct PcTestDev {
    IsaDevice isa;
    MemoryRegion ports, ports_byte, flush, irq, mmio;
    uint32_t storage;
    uint8_t mmio_storage[TESTDEV_MMIO_LEN];
} PcTestDev;

extern const TypeInfo pc_testdev_type;

static PcTestDev *PC_TESTDEV(const void *obj)
{
    return (PcTestDev *)object_check_cast(obj, &pc_testdev_type);
}

static uint64_t storage_read(void *opaque, hwaddr addr, unsigned size)
{
    PcTestDev *s = opaque;

    return extract64(s->storage, (addr & 3) * 8, size * 8);
}

static void storage_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    PcTestDev *s = opaque;

    s->storage = deposit64(s->storage, (addr & 3) * 8, size * 8, data);
}

static const MemoryRegionOps storage_ops = {
    .read = storage_read,
    .write = storage_write,
    .impl = { .min = 1, .max = 4 },
};

static const MemoryRegionOps storage_byte_ops = {
    .read = storage_read,
    .write = storage_write,
    .valid = { .min = 1, .max = 4 },
    .impl = { .min = 1, .max = 1 },
};

static uint64_t nothing_read(void *opaque, hwaddr addr, unsigned size)
{
    return UINT64_MAX;
}

/*
 * Reclaim drops the page from secondary page tables just as a change of protection would, but
 * leaves it accessible to the threads that run guest code in this process.
 */
static void flush_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    hwaddr len = TESTDEV_PAGE;
    void *host = address_space_map(&address_space_memory, data & ~(hwaddr)(TESTDEV_PAGE - 1), &len, false,
                                   MEMTXATTRS_UNSPECIFIED);

    if (!host) {
        return;
    }
    if (len == TESTDEV_PAGE && sysconf(_SC_PAGESIZE) == TESTDEV_PAGE) {
        /* Refused for locked or huge pages: then nothing was taken away, which the guest cannot tell. */
        (void)madvise(host, TESTDEV_PAGE, MADV_PAGEOUT);
    }
    address_space_unmap(&address_space_memory, host, len, false, 0);
}

static const MemoryRegionOps flush_ops = {
    .read = nothing_read,
    .write = flush_write,
    .valid = { .min = 4, .max = 4 },
    .impl = { .min = 4, .max = 4 },
};

static void irq_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    PcTestDev *s = opaque;

    irq_set(isa_bus_get_irq(isa_device_bus(&s->isa), addr % ISA_NUM_IRQS), !!data);
}

static const MemoryRegionOps irq_ops = {
    .read = nothing_read,
    .write = irq_write,
    .valid = { .min = 1, .max = 1 },
    .impl = { .min = 1, .max = 1 },
};

static uint64_t mmio_read(void *opaque, hwaddr addr, unsigned size)
{
    PcTestDev *s = opaque;
    uint64_t v = 0;

    memcpy(&v, s->mmio_storage + addr, size);
    return GUINT64_FROM_LE(v);
}

static void mmio_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    PcTestDev *s = opaque;
    uint64_t v = GUINT64_TO_LE(data);

    memcpy(s->mmio_storage + addr, &v, size);
}

static const MemoryRegionOps mmio_ops = {
    .read = mmio_read,
    .write = mmio_write,
    .valid = { .min = 1, .max = 8 },
    .impl = { .min = 1, .max = 8 },
};

static void pc_testdev_unrealize(Device *dev)
{
    PcTestDev *s = PC_TESTDEV(dev);

    isa_unregister_ioport(&s->isa, &s->ports);
    isa_unregister_ioport(&s->isa, &s->flush);
    isa_unregister_ioport(&s->isa, &s->ports_byte);
    isa_unregister_ioport(&s->isa, &s->irq);
    isa_unregister_ioport(&s->isa, &s->mmio);
}

static bool pc_testdev_realize(Device *dev, Error **errp)
{
    PcTestDev *s = PC_TESTDEV(dev);
    IsaBus *bus = isa_device_bus(&s->isa);
    MemoryRegion *mem = bus->mem;
    const struct {
        MemoryRegion *mr;
        const MemoryRegionOps *ops;
        const char *name;
        hwaddr base, size;
        MemoryRegion *into;
    } map[] = {
        { &s->ports, &storage_ops, "pc-testdev-ioport", 0xe0, 4, bus->io },
        { &s->flush, &flush_ops, "pc-testdev-flush-page", 0xe4, 4, bus->io },
        { &s->ports_byte, &storage_byte_ops, "pc-testdev-ioport-byte", 0xe8, 4, bus->io },
        { &s->irq, &irq_ops, "pc-testdev-irq-line", 0x2000, ISA_NUM_IRQS, bus->io },
        { &s->mmio, &mmio_ops, "pc-testdev-iomem", TESTDEV_MMIO_BASE, TESTDEV_MMIO_LEN, mem },
    };

    if (!mem) {
        error_setg(errp, "pc-testdev: this machine's ISA bus has no memory space");
        return false;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(map); i++) {
        memory_region_init_io(map[i].mr, s, map[i].ops, s, map[i].name, map[i].size);
        memory_region_add_subregion(map[i].into, map[i].base, map[i].mr);
    }
    return true;
}

static const VMState vmstate_pc_testdev = {
    .name = "pc-testdev",
    .version = 1,
    .minimum_version = 1,
    .fields = (const VMField[]) {
        VMS_U32(PcTestDev, storage),
        VMS_BUFFER(PcTestDev, mmio_storage),
        VMS_END
    },
};

DEVICE_DEFINE(PcTestDev, pc_testdev, "pc-testdev", isa_device,
    .desc = "test device of kvm-unit-tests",
    .realize = pc_testdev_realize,
    .unrealize = pc_testdev_unrealize,
    .vmstate = &vmstate_pc_testdev,
    .not_hotpluggable = true);
