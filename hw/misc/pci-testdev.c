/*
 * "pci-testdev": a device that counts accesses, for tests of emulators (kvm-unit-tests).
 *
 * BAR 0 is memory, BAR 1 is ports.  Each begins with a header the guest reads: which test is selected, where to
 * write, how wide, which value, and how often that write has arrived; writing the first byte selects a test.  A
 * selection beyond the last test has an empty name.
 */
#include "hw/pci/pci.h"

enum { HDR_TEST = 0, HDR_WIDTH = 1, HDR_OFFSET = 4, HDR_DATA = 8, HDR_COUNT = 12, HDR_NAME = 16, HDR_SIZE = 64,
       MEM_SIZE = 4096, IO_SIZE = 256, TEST_DATA = 0xfa };

typedef struct TestCase {
    const char *name;
    bool match_data;            /* counts only writes of the header's value */
} TestCase;

static const TestCase cases[] = {
    { "no-eventfd", false }, { "wildcard-eventfd", false }, { "datamatch-eventfd", true },
};

typedef struct TestBar {
    MemoryRegion mr;
    const char *prefix;
    uint32_t size;
    uint8_t hdr[HDR_SIZE];
} TestBar;

typedef struct PciTestdev {
    PCIDevice pci;
    TestBar bar[2];             /* memory, ports */
    MemoryRegion membar;
    uint64_t membar_size;
} PciTestdev;

OBJECT_DECLARE(PciTestdev, PCI_TESTDEV, pci_testdev)

static void select_test(TestBar *b, uint8_t n)
{
    memset(b->hdr, 0, sizeof(b->hdr));
    b->hdr[HDR_TEST] = n;
    if (n < ARRAY_SIZE(cases)) {
        b->hdr[HDR_WIDTH] = 1;
        st32_le(b->hdr + HDR_OFFSET, b->size / 2 + n * 4);
        st32_le(b->hdr + HDR_DATA, TEST_DATA);
        snprintf((char *)b->hdr + HDR_NAME, HDR_SIZE - HDR_NAME, "%s-%s", b->prefix, cases[n].name);
    }
}

static uint64_t bar_read(void *opaque, hwaddr addr, unsigned size)
{
    const TestBar *b = opaque;
    uint64_t v = 0;

    for (unsigned i = 0; i < size; i++) {
        v |= (uint64_t)(addr + i < HDR_SIZE ? b->hdr[addr + i] : 0) << (8 * i);
    }
    return v;
}

static void bar_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    TestBar *b = opaque;
    unsigned n = b->hdr[HDR_TEST];

    if (addr == HDR_TEST && size == 1) {
        select_test(b, (uint8_t)data);
    } else if (n < ARRAY_SIZE(cases) && addr == ld32_le(b->hdr + HDR_OFFSET) && size == b->hdr[HDR_WIDTH]
               && (!cases[n].match_data || data == TEST_DATA)) {
        st32_le(b->hdr + HDR_COUNT, ld32_le(b->hdr + HDR_COUNT) + 1);
    }
}

static const MemoryRegionOps bar_ops = { .read = bar_read, .write = bar_write, .valid = { 1, 4 }, .impl = { 1, 4 } };

/* Not in unrealize: the PCI layer unmaps the BARs after that. */
static void testdev_fini(Object *obj)
{
    PciTestdev *s = PCI_TESTDEV(obj);

    memory_region_fini(&s->bar[0].mr);
    memory_region_fini(&s->bar[1].mr);
    memory_region_fini(&s->membar);
}

static bool testdev_realize(Device *dev, Error **errp)
{
    PciTestdev *s = PCI_TESTDEV(dev);
    PCIDevice *d = &s->pci;

    if (s->membar_size && (s->membar_size < 4096 || !is_power_of_2(s->membar_size))) {
        error_setg(errp, "pci-testdev.membar must be a power of two of at least 4096, got %" PRIu64, s->membar_size);
        return false;
    }
    s->bar[0].prefix = "mmio";
    s->bar[0].size = MEM_SIZE;
    s->bar[1].prefix = "portio";
    s->bar[1].size = IO_SIZE;
    pci_config_set_interrupt_pin(d, 0);
    memory_region_init_io(&s->bar[0].mr, s, &bar_ops, &s->bar[0], "pci-testdev-mmio", MEM_SIZE);
    memory_region_init_io(&s->bar[1].mr, s, &bar_ops, &s->bar[1], "pci-testdev-portio", IO_SIZE);
    pci_register_bar(d, 0, PCI_BASE_ADDRESS_SPACE_MEMORY, &s->bar[0].mr);
    pci_register_bar(d, 1, PCI_BASE_ADDRESS_SPACE_IO, &s->bar[1].mr);
    if (s->membar_size) {
        memory_region_init(&s->membar, s, "pci-testdev-membar", s->membar_size);
        pci_register_bar(d, 2, PCI_BASE_ADDRESS_SPACE_MEMORY | PCI_BASE_ADDRESS_MEM_PREFETCH | PCI_BASE_ADDRESS_MEM_TYPE_64,
                         &s->membar);
    }
    return true;
}

static void testdev_reset_hold(Device *dev, ResetType type)
{
    select_test(&PCI_TESTDEV(dev)->bar[0], 0);
    select_test(&PCI_TESTDEV(dev)->bar[1], 0);
}

static const Property testdev_properties[] = {
    PROP_SIZE("membar", PciTestdev, membar_size, 0, .max = 1 * TiB,
              .help = "size of an additional 64-bit prefetchable BAR that answers nothing"),
};

static const VMField testdev_fields[] = {
    { .name = "mmio.hdr", .kind = VMF_BUFFER, .offset = offsetof(PciTestdev, bar[0].hdr), .size = HDR_SIZE, .count = 1 },
    { .name = "portio.hdr", .kind = VMF_BUFFER, .offset = offsetof(PciTestdev, bar[1].hdr), .size = HDR_SIZE, .count = 1 },
    VMS_END
};
static const VMState vmstate_testdev = { .name = "pci-testdev", .version = 1, .minimum_version = 1, .fields = testdev_fields };

PCI_DEVICE_DEFINE(PciTestdev, pci_testdev, "pci-testdev", pci_device,
    .desc       = "device that counts accesses, for tests",
    .vendor_id  = PCI_VENDOR_ID_REDHAT,
    .device_id  = PCI_DEVICE_ID_REDHAT_TEST,
    .class_id   = PCI_CLASS_OTHERS,
    .fini       = testdev_fini,
    .realize    = testdev_realize,
    .reset_hold = testdev_reset_hold,
    .properties = PROPS(testdev_properties),
    .vmstate    = &vmstate_testdev,
);
