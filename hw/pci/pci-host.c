/*
 * Configuration access mechanisms of a host bridge.  See pci-host.h.
 */
#include "hw/pci/pci-host.h"
#include "hw/pci/pci-internal.h"

#define CONFIG_ENABLE BIT(31)

/* --- mechanism #1 --- */

/* Only a whole doubleword at 0xcf8 is the address register; of the bytes there, 0xcf9 is the reset control. */
static uint64_t conf_addr_read(void *opaque, hwaddr addr, unsigned size)
{
    PCIHost *h = opaque;

    if (size == 4) {
        return h->config_address;
    }
    return size == 1 && addr == 1 && h->reset_control ? reset_control_read(h->reset_control) : BIT(8 * size) - 1;
}

static void conf_addr_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    PCIHost *h = opaque;

    if (size == 4) {
        h->config_address = (uint32_t)data & 0x80fffffc;
    } else if (size == 1 && addr == 1 && h->reset_control) {
        reset_control_write(h->reset_control, (uint8_t)data);
    }
}

static PCIDevice *conf_target(PCIHost *h)
{
    uint32_t a = h->config_address;

    return a & CONFIG_ENABLE ? pci_find_device(h->bus, (uint8_t)(a >> 16), (uint8_t)(a >> 8)) : NULL;
}

static uint64_t conf_data_read(void *opaque, hwaddr addr, unsigned size)
{
    PCIHost *h = opaque;
    PCIDevice *d = conf_target(h);
    uint64_t none = size == 4 ? ~0u : BIT(8 * size) - 1;

    return d ? pci_config_read(d, (h->config_address & 0xfc) + (uint32_t)addr, size) : none;
}

static void conf_data_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    PCIHost *h = opaque;
    PCIDevice *d = conf_target(h);

    if (d) {
        pci_config_write(d, (h->config_address & 0xfc) + (uint32_t)addr, (uint32_t)data, size);
    }
}

static const MemoryRegionOps conf_addr_ops = {
    .read = conf_addr_read, .write = conf_addr_write, .valid = { 1, 4 }, .impl = { 1, 4 },
};

static const MemoryRegionOps conf_data_ops = {
    .read = conf_data_read, .write = conf_data_write, .valid = { 1, 4 }, .impl = { 1, 4 },
};

void pci_host_map_ports(PCIHost *h, MemoryRegion *io)
{
    memory_region_add_subregion_overlap(io, 0xcf8, &h->conf_mr, 0);
    memory_region_add_subregion(io, 0xcfc, &h->data_mr);
}

/* --- ECAM --- */

static PCIDevice *ecam_target(PCIHost *h, hwaddr addr)
{
    return pci_find_device(h->bus, (uint8_t)(addr >> 20), (uint8_t)(addr >> 12));
}

static uint64_t ecam_read(void *opaque, hwaddr addr, unsigned size)
{
    PCIDevice *d = ecam_target(opaque, addr);

    return d ? pci_config_read(d, addr & 0xfff, size) : ~0ull >> (64 - 8 * size);
}

static void ecam_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    PCIDevice *d = ecam_target(opaque, addr);

    if (d) {
        pci_config_write(d, addr & 0xfff, (uint32_t)data, size);
    }
}

static const MemoryRegionOps ecam_ops = {
    .read = ecam_read, .write = ecam_write, .valid = { 1, 4 }, .impl = { 1, 4 },
};

void pci_host_set_ecam(PCIHost *h, hwaddr base, uint64_t size)
{
    if (h->ecam_mapped && h->ecam_base == base && h->ecam_size == size) {
        return;
    }
    memory_transaction_begin();
    if (h->ecam_mapped) {
        memory_region_del_subregion(system_memory(), &h->ecam_mr);
        h->ecam_mapped = false;
    }
    if (size) {
        memory_region_set_size(&h->ecam_mr, size);
        memory_region_add_subregion_overlap(system_memory(), base, &h->ecam_mr, 2);
        h->ecam_mapped = true;
    }
    h->ecam_base = base;
    h->ecam_size = size;
    memory_transaction_commit();
}

/* --- type --- */

static void pci_host_init(Object *obj)
{
    PCIHost *h = PCI_HOST(obj);

    memory_region_init_io(&h->conf_mr, h, &conf_addr_ops, h, "pci-conf-idx", 4);
    memory_region_init_io(&h->data_mr, h, &conf_data_ops, h, "pci-conf-data", 4);
    memory_region_init_io(&h->ecam_mr, h, &ecam_ops, h, "pcie-ecam", 256 * MiB);
}

static void pci_host_reset_enter(Device *dev, ResetType type)
{
    PCI_HOST(dev)->config_address = 0;
}

static const VMField pci_host_fields[] = {
    VMS_U32(PCIHost, config_address),
    VMS_END
};

const VMState vmstate_pci_host = {
    .name = "pci-host", .version = 1, .minimum_version = 1, .fields = pci_host_fields,
};

TYPE_DEFINE_FAMILY(DeviceInfo, PCIHost, pci_host, "pci-host-bridge", sysbus_device, true,
    .desc        = "PCI host bridge",
    .init        = pci_host_init,
    .reset_enter = pci_host_reset_enter,
    .vmstate     = &vmstate_pci_host,
    .not_user_creatable = true,
);
