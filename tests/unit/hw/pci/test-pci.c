/*
 * PCI: configuration masks, BAR mapping, INTx routing, MSI, MSI-X, bridges, addresses, garbage.
 */
#include "hw/pci/msix.h"
#include "hw/pci/pci-bridge.h"
#include "hw/pci/pci-host.h"
#include "util/main-loop.h"
#include "util/rcu.h"

/* A device with every kind of BAR, four MSI-X vectors and an MSI capability. */
typedef struct Toy {
    PCIDevice pci;
    MemoryRegion io, mem32, mem64;
} Toy;

OBJECT_DECLARE(Toy, TOY, toy)

#define TOY_VECTORS 4

static uint64_t toy_read(void *opaque, hwaddr addr, unsigned size)
{
    return 0x5a;
}

static void toy_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
}

static const MemoryRegionOps toy_ops = { .read = toy_read, .write = toy_write };

static bool toy_realize(Device *dev, Error **errp)
{
    Toy *t = TOY(dev);

    memory_region_init_io(&t->io, t, &toy_ops, t, "toy-io", 32);
    memory_region_init_io(&t->mem32, t, &toy_ops, t, "toy-mem", 64 * KiB);
    memory_region_init_io(&t->mem64, t, &toy_ops, t, "toy-mem64", 1 * MiB);
    pci_register_bar(&t->pci, 0, PCI_BASE_ADDRESS_SPACE_IO, &t->io);
    pci_register_bar(&t->pci, 1, PCI_BASE_ADDRESS_SPACE_MEMORY, &t->mem32);
    pci_register_bar(&t->pci, 2, PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH, &t->mem64);
    pci_config_set_interrupt_pin(&t->pci, 1);
    return pci_pm_init(&t->pci, 0, errp) && msi_init(&t->pci, 0, 4, true, true, errp)
        && msix_init_exclusive_bar(&t->pci, TOY_VECTORS, 4, errp) && pcie_cap_init(&t->pci, 0, PCI_EXP_TYPE_ENDPOINT, 0, errp);
}

static void toy_fini(Object *obj)
{
    Toy *t = TOY(obj);

    memory_region_fini(&t->io);
    memory_region_fini(&t->mem32);
    memory_region_fini(&t->mem64);
}

PCI_DEVICE_DEFINE(Toy, toy, "toy-pci", pci_device,
    .vendor_id  = 0x1234,
    .device_id  = 0x5678,
    .class_id   = PCI_CLASS_OTHERS,
    .revision   = 7,
    .is_express = true,
    .realize    = toy_realize,
    .fini       = toy_fini,
    .vmstate    = &vmstate_none,
);

/* --- a root bus whose router and message window are recorded --- */

static PCIBus *root, *plain;
static int line[4];
static MSIMessage got[16];
static unsigned n_got;

static void router(void *opaque, unsigned n, int level)
{
    line[n] = level;
}

static MemTxResult msi_window_write(void *opaque, hwaddr addr, uint64_t data, unsigned size, MemTxAttrs attrs)
{
    got[n_got++ % ARRAY_SIZE(got)] = (MSIMessage){ 0xfee00000 + addr, (uint32_t)data };
    return MEMTX_OK;
}

static const MemoryRegionOps msi_window_ops = { .write_with_attrs = msi_window_write, .read = toy_read };

static PCIDevice *new_toy(PCIBus *bus, int devfn)
{
    return pci_create_simple(bus, devfn, "toy-pci", &error_abort);
}

static void remove_device(PCIDevice *d)
{
    device_unrealize(DEVICE(d));
    object_unparent(d);
}

static uint32_t cfg(PCIDevice *d, uint32_t at)
{
    return pci_config_read(d, at, 4);
}

static void set(PCIDevice *d, uint32_t at, uint32_t v)
{
    pci_config_write(d, at, v, 4);
}

static bool mapped(MemoryRegion *mr, AddressSpace *as, hwaddr at)
{
    const FlatRange *r;
    bool is;

    rcu_read_lock();
    r = flatview_lookup(address_space_view_rcu(as), at);
    is = r && r->mr == mr;
    rcu_read_unlock();
    return is;
}

/* --- tests --- */

static void test_header_is_read_only(void)
{
    PCIDevice *d = new_toy(root, -1);

    set(d, PCI_VENDOR_ID, 0xdeadbeef);
    set(d, 0x08, 0);
    g_assert_cmphex(cfg(d, PCI_VENDOR_ID), ==, 0x56781234);
    g_assert_cmphex(cfg(d, 0x08), ==, 0x00ff0007);
    g_assert_cmphex(cfg(d, PCI_SUBSYSTEM_VENDOR_ID), ==, 0x11001af4);
    pci_config_write(d, PCI_COMMAND, 0xffff, 2);
    g_assert_cmphex(pci_config_read(d, PCI_COMMAND, 2), ==, 0x547);
    pci_config_write(d, PCI_INTERRUPT_LINE, 0xab, 1);
    g_assert_cmphex(pci_config_read(d, PCI_INTERRUPT_LINE, 2), ==, 0x01ab);
    remove_device(d);
}

static void test_status_bits_clear_by_one(void)
{
    PCIDevice *d = new_toy(root, -1);

    pci_set_word(d->config + PCI_STATUS, 0xf900 | PCI_STATUS_CAP_LIST);
    pci_config_write(d, PCI_STATUS, 0x2000, 2);
    g_assert_cmphex(pci_config_read(d, PCI_STATUS, 2), ==, 0xd900 | PCI_STATUS_CAP_LIST);
    remove_device(d);
}

static void test_bars_are_sized_and_mapped(void)
{
    PCIDevice *d = new_toy(root, -1);
    Toy *t = TOY(d);

    set(d, 0x10, ~0u);
    set(d, 0x14, ~0u);
    set(d, 0x18, ~0u);
    set(d, 0x1c, ~0u);
    g_assert_cmphex(cfg(d, 0x10), ==, 0xffffffe1);
    g_assert_cmphex(cfg(d, 0x14), ==, 0xffff0000);
    g_assert_cmphex(cfg(d, 0x18), ==, 0xfff0000c);
    g_assert_cmphex(cfg(d, 0x1c), ==, 0xffffffff);
    set(d, 0x10, 0xc001);
    set(d, 0x14, 0xe0000000);
    set(d, 0x18, 0x00100000);
    set(d, 0x1c, 0x8);
    g_assert_false(mapped(&t->mem32, &address_space_memory, 0xe0000000));
    pci_config_write(d, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY, 2);
    g_assert_true(mapped(&t->io, &address_space_io, 0xc000));
    g_assert_true(mapped(&t->mem32, &address_space_memory, 0xe0000000));
    g_assert_true(mapped(&t->mem64, &address_space_memory, 0x800100000));
    set(d, 0x14, 0xe1000000);
    g_assert_false(mapped(&t->mem32, &address_space_memory, 0xe0000000));
    g_assert_true(mapped(&t->mem32, &address_space_memory, 0xe1000000));
    pci_config_write(d, d->pm_cap + PCI_PM_CTRL, 3, 2);         /* D3hot */
    g_assert_false(mapped(&t->mem32, &address_space_memory, 0xe1000000));
    pci_config_write(d, d->pm_cap + PCI_PM_CTRL, 0, 2);
    g_assert_true(mapped(&t->mem32, &address_space_memory, 0xe1000000));
    device_reset(DEVICE(d), RESET_COLD);
    g_assert_false(mapped(&t->mem32, &address_space_memory, 0xe1000000));
    g_assert_cmphex(cfg(d, 0x14), ==, 0);
    remove_device(d);
}

static void test_intx_follows_mask_and_swizzle(void)
{
    PCIDevice *d = new_toy(root, PCI_DEVFN(6, 0));              /* slot 6, pin A -> router input 2 */

    pci_set_irq(d, 1);
    g_assert_cmpint(line[2], ==, 1);
    g_assert_true(pci_config_read(d, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
    pci_config_write(d, PCI_COMMAND, PCI_COMMAND_INTX_DISABLE, 2);
    g_assert_cmpint(line[2], ==, 0);
    pci_config_write(d, PCI_COMMAND, 0, 2);
    g_assert_cmpint(line[2], ==, 1);
    remove_device(d);
    g_assert_cmpint(line[2], ==, 0);
}

static void test_shared_line_is_or(void)
{
    PCIDevice *a = new_toy(root, PCI_DEVFN(5, 0)), *b = new_toy(root, PCI_DEVFN(9, 0));

    pci_set_irq(a, 1);
    pci_set_irq(b, 1);
    pci_set_irq(a, 0);
    g_assert_cmpint(line[1], ==, 1);
    pci_set_irq(b, 0);
    g_assert_cmpint(line[1], ==, 0);
    remove_device(a);
    remove_device(b);
}

static void msix_entry(PCIDevice *d, unsigned vector, uint32_t data, uint32_t ctrl)
{
    hwaddr e = 0xe2000000 + 16 * vector;

    address_space_st(&address_space_memory, e, 0xfee01000, 4, false, MEMTXATTRS_UNSPECIFIED, NULL);
    address_space_st(&address_space_memory, e + 4, 0, 4, false, MEMTXATTRS_UNSPECIFIED, NULL);
    address_space_st(&address_space_memory, e + 8, data, 4, false, MEMTXATTRS_UNSPECIFIED, NULL);
    address_space_st(&address_space_memory, e + 12, ctrl, 4, false, MEMTXATTRS_UNSPECIFIED, NULL);
}

static void test_msix_masks_and_pends(void)
{
    PCIDevice *d = new_toy(root, -1);
    uint8_t flags = (uint8_t)(d->msix_cap + PCI_MSIX_FLAGS);

    set(d, 0x20, 0xe2000000);
    pci_config_write(d, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
    g_assert_cmphex(address_space_ld(&address_space_memory, 0xe200000c, 4, false, MEMTXATTRS_UNSPECIFIED, NULL), ==, 1);
    g_assert_cmpuint(pci_config_read(d, flags, 2) & PCI_MSIX_FLAGS_QSIZE, ==, TOY_VECTORS - 1);
    n_got = 0;
    msix_notify(d, 1);                                          /* disabled: lost */
    pci_config_write(d, flags, PCI_MSIX_FLAGS_ENABLE, 2);
    msix_entry(d, 1, 0x41, 0);
    msix_notify(d, 1);
    g_assert_cmpuint(n_got, ==, 1);
    g_assert_cmphex(got[0].address, ==, 0xfee01000);
    g_assert_cmphex(got[0].data, ==, 0x41);
    msix_entry(d, 1, 0x42, 1);
    msix_notify(d, 1);                                          /* masked: pends */
    g_assert_cmpuint(n_got, ==, 1);
    g_assert_cmphex(address_space_ld(&address_space_memory, 0xe2000800, 8, false, MEMTXATTRS_UNSPECIFIED, NULL), ==, 2);
    msix_entry(d, 1, 0x43, 0);
    g_assert_cmpuint(n_got, ==, 2);
    g_assert_cmphex(got[1].data, ==, 0x43);
    pci_config_write(d, flags, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL, 2);
    msix_notify(d, 1);
    g_assert_cmpuint(n_got, ==, 2);
    pci_config_write(d, flags, PCI_MSIX_FLAGS_ENABLE, 2);
    g_assert_cmpuint(n_got, ==, 3);
    pci_config_write(d, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);    /* no bus mastering: the write goes nowhere */
    msix_notify(d, 1);
    msix_notify(d, TOY_VECTORS);                                /* no such vector */
    g_assert_cmpuint(n_got, ==, 3);
    remove_device(d);
}

static void test_msi_grants_and_masks(void)
{
    PCIDevice *d = new_toy(root, -1);
    uint8_t cap = d->msi_cap;

    pci_config_write(d, PCI_COMMAND, PCI_COMMAND_MASTER, 2);
    set(d, cap + PCI_MSI_ADDRESS_LO, 0xfee02003);
    g_assert_cmphex(cfg(d, cap + PCI_MSI_ADDRESS_LO), ==, 0xfee02000);
    pci_config_write(d, cap + 12, 0x4f, 2);
    pci_config_write(d, cap + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE | 7 << 4, 2);     /* more than was asked for */
    n_got = 0;
    msi_notify(d, 2);
    g_assert_cmpuint(n_got, ==, 1);
    g_assert_cmphex(got[0].data, ==, 0x4c | 2);
    set(d, cap + 16, 1 << 2);
    msi_notify(d, 2);
    g_assert_cmpuint(n_got, ==, 1);
    g_assert_cmphex(cfg(d, cap + 20), ==, 1 << 2);
    set(d, cap + 16, 0);
    g_assert_cmpuint(n_got, ==, 2);
    g_assert_cmphex(cfg(d, cap + 20), ==, 0);
    remove_device(d);
}

static void test_express_space_only_on_express_bus(void)
{
    PCIDevice *e = new_toy(root, -1), *c = new_toy(plain, -1);

    g_assert_cmpuint(e->config_size, ==, 4096);
    g_assert_cmpuint(pci_find_capability(e, PCI_CAP_ID_EXP), ==, e->exp_cap);
    g_assert_cmpuint(c->config_size, ==, 256);
    g_assert_cmpuint(pci_find_capability(c, PCI_CAP_ID_EXP), ==, 0);
    g_assert_cmphex(pci_config_read(c, 0x100, 4), ==, 0xffffffff);
    g_assert_cmphex(pci_config_read(c, 0xfe, 4), ==, 0xffffffff);   /* straddles the end */
    pci_config_write(c, 0xffffffff, 0, 4);
    remove_device(e);
    remove_device(c);
}

static void test_bridge_forwards_and_numbers(void)
{
    PCIDevice *port = pci_create_simple(root, PCI_DEVFN(3, 0), "pcie-root-port", &error_abort);
    PCIBus *sec = pci_bridge_secondary_bus(port);
    PCIDevice *d = new_toy(sec, 0);
    Toy *t = TOY(d);

    g_assert_null(pci_find_device(root, 5, 0));
    pci_config_write(port, PCI_PRIMARY_BUS, 0x090500, 4);
    g_assert_true(pci_find_device(root, 5, 0) == d);
    g_assert_null(pci_find_device(root, 7, 0));
    g_assert_cmphex(pci_requester_id(d), ==, 0x0500);

    set(d, 0x14, 0xe4000000);
    pci_config_write(d, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
    g_assert_false(mapped(&t->mem32, &address_space_memory, 0xe4000000));
    set(port, PCI_MEMORY_BASE, 0xe400e400);
    pci_config_write(port, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
    g_assert_true(mapped(&t->mem32, &address_space_memory, 0xe4000000));
    set(port, PCI_MEMORY_BASE, 0xe400e500);                     /* limit below base: closed */
    g_assert_false(mapped(&t->mem32, &address_space_memory, 0xe4000000));

    pci_set_irq(d, 1);                                          /* pin A of slot 0 behind slot 3 -> input 3 */
    g_assert_cmpint(line[3], ==, 1);
    pci_set_irq(d, 0);
    remove_device(port);
    g_assert_null(pci_find_device(root, 5, 0));
}

static void test_addresses_are_checked(void)
{
    PCIDevice *d = pci_new(-1, "toy-pci"), *e;
    Error *err = NULL;

    g_assert_true(object_property_parse(d, "addr", "1f.7", &error_abort));
    g_assert_cmpint(d->devfn, ==, 0xff);
    for (const char *const *bad = (const char *const[]){ "20", "3.8", "3.", "x", "", "3.0.1", "-1", NULL }; *bad; bad++) {
        g_assert_false(object_property_parse(d, "addr", *bad, &err));
        g_clear_pointer(&err, error_free);
    }
    g_assert_true(object_property_parse(d, "addr", "4", &error_abort));
    g_assert_true(device_realize(DEVICE(d), &root->bus, &error_abort));
    e = pci_new(PCI_DEVFN(4, 0), "toy-pci");
    g_assert_false(device_realize(DEVICE(e), &root->bus, &err));
    g_assert_nonnull(strstr(error_get_pretty(err), "in use by toy-pci"));
    g_clear_pointer(&err, error_free);
    e->devfn = PCI_DEVFN(4, 1);
    g_assert_false(device_realize(DEVICE(e), &root->bus, &err));
    g_assert_nonnull(strstr(error_get_pretty(err), "multifunction=on"));
    g_clear_pointer(&err, error_free);
    object_unref(e);
    remove_device(d);
    object_unref(d);
}

static void test_garbage_everywhere(void)
{
    g_autoptr(GRand) rnd = g_rand_new_with_seed(7);
    PCIDevice *port = pci_create_simple(root, -1, "pcie-root-port", &error_abort);
    PCIDevice *dev[] = { port, new_toy(pci_bridge_secondary_bus(port), 0), new_toy(root, -1), new_toy(plain, -1),
                         pci_create_simple(root, -1, "pci-testdev", &error_abort) };

    for (unsigned i = 0; i < 20000; i++) {
        PCIDevice *d = dev[g_rand_int_range(rnd, 0, ARRAY_SIZE(dev))];
        unsigned len = 1u << g_rand_int_range(rnd, 0, 3);

        pci_config_write(d, (uint32_t)g_rand_int_range(rnd, 0, 0x1010), g_rand_int(rnd), len);
        if (i % 64 == 0) {
            pci_set_irq(d, g_rand_boolean(rnd));
            msix_notify(d, (unsigned)g_rand_int_range(rnd, 0, 8));
            msi_notify(d, (unsigned)g_rand_int_range(rnd, 0, 64));
            pci_find_device(root, (uint8_t)g_rand_int(rnd), 0);
        }
    }
    for (unsigned i = ARRAY_SIZE(dev); i-- > 0;) {
        remove_device(dev[i]);
    }
    for (unsigned i = 0; i < 4; i++) {
        g_assert_cmpint(line[i], ==, 0);
    }
}

int main(int argc, char **argv)
{
    static MemoryRegion window;

    g_test_init(&argc, &argv, NULL);
    rcu_thread_enter();
    bql_lock();
    main_loop_init();
    memory_spaces_init();
    memory_region_init_io(&window, NULL, &msi_window_ops, NULL, "msi", MiB);
    memory_region_add_subregion_overlap(system_memory(), 0xfee00000, &window, 100);
    root = pci_root_bus_new(NULL, "pcie.0", true, system_memory(), system_io(), 0);
    plain = pci_root_bus_new(NULL, "pci.0", false, system_memory(), system_io(), 0);
    pci_bus_set_irqs(root, router, pci_swizzle_map_irq_fn, NULL, 4);
    pci_bus_set_irqs(plain, router, pci_swizzle_map_irq_fn, NULL, 4);
    g_test_add_func("/pci/header-is-read-only", test_header_is_read_only);
    g_test_add_func("/pci/status-bits-clear-by-one", test_status_bits_clear_by_one);
    g_test_add_func("/pci/bars-are-sized-and-mapped", test_bars_are_sized_and_mapped);
    g_test_add_func("/pci/intx-follows-mask-and-swizzle", test_intx_follows_mask_and_swizzle);
    g_test_add_func("/pci/shared-line-is-or", test_shared_line_is_or);
    g_test_add_func("/pci/msix-masks-and-pends", test_msix_masks_and_pends);
    g_test_add_func("/pci/msi-grants-and-masks", test_msi_grants_and_masks);
    g_test_add_func("/pci/express-space-only-on-express-bus", test_express_space_only_on_express_bus);
    g_test_add_func("/pci/bridge-forwards-and-numbers", test_bridge_forwards_and_numbers);
    g_test_add_func("/pci/addresses-are-checked", test_addresses_are_checked);
    g_test_add_func("/pci/garbage-everywhere", test_garbage_everywhere);
    return g_test_run();
}
