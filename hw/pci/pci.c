/*
 * PCI devices: configuration space, BARs, option ROM, power state, bus mastering.
 *
 * Reference: PCI Local Bus 3.0 chapter 6.
 *
 * Invariants:
 *  I1  config, wmask and w1cmask are config_size bytes; every access is checked against it at the edge
 *  I2  a BAR's region is mapped exactly when bar.addr != PCI_BAR_UNMAPPED
 *  I3  the device reaches memory only while Bus Master Enable is set
 */
#include "hw/pci/pci-internal.h"
#include "hw/pci/msix.h"

#include "hw/core/firmware.h"
#include "util/log.h"

#define ROM_MAX (16 * MiB)              /* of an option ROM's BAR: as much as real parts have */

/* --- configuration space --- */

static bool config_range_ok(const PCIDevice *d, uint32_t addr, unsigned len)
{
    return addr < d->config_size && len <= d->config_size - addr;
}

uint32_t pci_default_read_config(PCIDevice *d, uint32_t addr, unsigned len)
{
    uint32_t v = 0;

    for (unsigned i = 0; i < len; i++) {
        v |= (uint32_t)d->config[addr + i] << (8 * i);
    }
    return v;
}

static bool touches_mappings(const PCIDevice *d, uint32_t addr, unsigned len)
{
    return pci_ranges_overlap(addr, len, PCI_COMMAND, 2)
        || pci_ranges_overlap(addr, len, PCI_BASE_ADDRESS_0, PCI_NUM_BARS * 4)
        || pci_ranges_overlap(addr, len, pci_is_bridge(d) ? PCI_ROM_ADDRESS1 : PCI_ROM_ADDRESS, 4)
        || (d->pm_cap && pci_ranges_overlap(addr, len, d->pm_cap + PCI_PM_CTRL, 2));
}

void pci_default_write_config(PCIDevice *d, uint32_t addr, uint32_t val, unsigned len)
{
    for (unsigned i = 0; i < len; i++) {
        uint8_t b = (uint8_t)(val >> (8 * i)), w = d->wmask[addr + i], c = d->w1cmask[addr + i];

        d->config[addr + i] = (uint8_t)(((d->config[addr + i] & ~w) | (b & w)) & ~(b & c));
    }
    if (touches_mappings(d, addr, len)) {
        pci_update_mappings(d);
    }
    if (pci_ranges_overlap(addr, len, PCI_COMMAND, 2)) {
        memory_region_set_enabled(&d->dma_alias, d->config[PCI_COMMAND] & PCI_COMMAND_MASTER);
        pci_update_intx(d);
    }
    msi_write_config(d, addr, len);
    msix_write_config(d, addr, len);
}

uint32_t pci_config_read(PCIDevice *d, uint32_t addr, unsigned len)
{
    const PciDeviceInfo *info = pci_device_info(d);

    if (!config_range_ok(d, addr, len)) {
        return ~0u;
    }
    return info->config_read ? info->config_read(d, addr, len) : pci_default_read_config(d, addr, len);
}

void pci_config_write(PCIDevice *d, uint32_t addr, uint32_t val, unsigned len)
{
    const PciDeviceInfo *info = pci_device_info(d);

    if (!config_range_ok(d, addr, len)) {
        return;
    }
    if (info->config_write) {
        info->config_write(d, addr, val, len);
    } else {
        pci_default_write_config(d, addr, val, len);
    }
}

/* --- BARs --- */

static uint32_t bar_offset(const PCIDevice *d, unsigned n)
{
    if (n != PCI_ROM_SLOT) {
        return PCI_BASE_ADDRESS_0 + 4 * n;
    }
    return pci_is_bridge(d) ? PCI_ROM_ADDRESS1 : PCI_ROM_ADDRESS;
}

void pci_register_bar(PCIDevice *d, unsigned n, uint8_t type, MemoryRegion *mr)
{
    PCIBus *bus = pci_get_bus(d);
    PciBar *b = &d->bar[n];
    uint64_t size = memory_region_size(mr);
    uint32_t off = bar_offset(d, n);
    bool wide = !(type & PCI_BASE_ADDRESS_SPACE_IO) && (type & PCI_BASE_ADDRESS_MEM_TYPE_64);

    assert(n <= PCI_ROM_SLOT && !b->mr && is_power_of_2(size));
    assert(size >= (type & PCI_BASE_ADDRESS_SPACE_IO ? 4 : 16));
    b->mr = mr;
    b->size = size;
    b->type = type;
    b->addr = PCI_BAR_UNMAPPED;
    b->window = type & PCI_BASE_ADDRESS_SPACE_IO ? bus->io : bus->mem;
    pci_set_long(d->config + off, n == PCI_ROM_SLOT ? 0 : type);
    pci_set_long(d->wmask + off, (uint32_t)~(size - 1) | (n == PCI_ROM_SLOT ? PCI_ROM_ADDRESS_ENABLE : 0));
    if (wide) {
        pci_set_long(d->config + off + 4, 0);
        pci_set_long(d->wmask + off + 4, (uint32_t)(~(size - 1) >> 32));
    }
}

/* Low and high 1..4 bits of a BAR are its type, not its address. */
static hwaddr bar_read_address(const PCIDevice *d, unsigned n)
{
    const PciBar *b = &d->bar[n];
    const uint8_t *reg = d->config + bar_offset(d, n);
    bool wide = n != PCI_ROM_SLOT && !(b->type & PCI_BASE_ADDRESS_SPACE_IO) && (b->type & PCI_BASE_ADDRESS_MEM_TYPE_64);

    return (wide ? pci_get_quad(reg) : pci_get_long(reg)) & ~(b->size - 1);
}

/*
 * Where BAR @n is decoded now.  An address of zero, and one whose region would end at the very top of its
 * space (as while software sizes the BAR), is taken as "nowhere".
 */
static hwaddr bar_decode(const PCIDevice *d, unsigned n)
{
    const PciBar *b = &d->bar[n];
    uint16_t cmd = pci_get_word(d->config + PCI_COMMAND);
    bool io = n != PCI_ROM_SLOT && (b->type & PCI_BASE_ADDRESS_SPACE_IO);
    bool wide = n != PCI_ROM_SLOT && !io && (b->type & PCI_BASE_ADDRESS_MEM_TYPE_64);
    hwaddr addr, last;

    if (!(cmd & (io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY))) {
        return PCI_BAR_UNMAPPED;
    }
    if (d->pm_cap && (d->config[d->pm_cap + PCI_PM_CTRL] & PCI_PM_CTRL_STATE_MASK)) {
        return PCI_BAR_UNMAPPED;        /* D3hot: no decoding */
    }
    if (n == PCI_ROM_SLOT && !(d->config[bar_offset(d, n)] & PCI_ROM_ADDRESS_ENABLE)) {
        return PCI_BAR_UNMAPPED;
    }
    addr = bar_read_address(d, n);
    last = addr + b->size - 1;
    if (addr == 0 || last < addr) {
        return PCI_BAR_UNMAPPED;
    }
    if (io) {
        return last > 0xffff ? PCI_BAR_UNMAPPED : addr;
    }
    return last >= (wide ? UINT64_MAX : UINT32_MAX) ? PCI_BAR_UNMAPPED : addr;
}

void pci_update_mappings(PCIDevice *d)
{
    memory_transaction_begin();
    for (unsigned n = 0; n <= PCI_ROM_SLOT; n++) {
        PciBar *b = &d->bar[n];
        hwaddr now;

        if (!b->mr) {
            continue;
        }
        now = bar_decode(d, n);
        if (now == b->addr) {
            continue;
        }
        if (b->addr != PCI_BAR_UNMAPPED) {
            memory_region_del_subregion(b->window, b->mr);
        }
        b->addr = now;
        if (now != PCI_BAR_UNMAPPED) {
            memory_region_add_subregion_overlap(b->window, now, b->mr, 1);
        }
    }
    memory_transaction_commit();
}

hwaddr pci_bar_address(const PCIDevice *d, unsigned n)
{
    return n <= PCI_ROM_SLOT && d->bar[n].mr ? d->bar[n].addr : PCI_BAR_UNMAPPED;
}

static void unmap_all(PCIDevice *d)
{
    memory_transaction_begin();
    for (unsigned n = 0; n <= PCI_ROM_SLOT; n++) {
        PciBar *b = &d->bar[n];

        if (b->mr && b->addr != PCI_BAR_UNMAPPED) {
            memory_region_del_subregion(b->window, b->mr);
            b->addr = PCI_BAR_UNMAPPED;
        }
        b->mr = NULL;
    }
    memory_transaction_commit();
}

/* --- capabilities --- */

static uint8_t find_space(const PCIDevice *d, uint8_t size)
{
    unsigned off = PCI_CONFIG_HEADER_SIZE, run = 0;

    for (unsigned i = off; i < PCI_CONFIG_SPACE_SIZE; i++) {
        if (d->used[i]) {
            run = 0;
            off = ROUND_UP(i + 1, 4);
            i = off - 1;
        } else if (++run == size) {
            return (uint8_t)off;
        }
    }
    return 0;
}

uint8_t pci_add_capability(PCIDevice *d, uint8_t cap_id, uint8_t offset, uint8_t size, Error **errp)
{
    if (!offset) {
        offset = find_space(d, size);
    }
    if (!offset || offset + size > PCI_CONFIG_SPACE_SIZE) {
        error_setg(errp, "%s: no room for PCI capability 0x%x of %u bytes", d->dev.obj.type->name, cap_id, size);
        return 0;
    }
    for (unsigned i = offset; i < offset + size; i++) {
        if (d->used[i]) {
            error_setg(errp, "%s: PCI capability 0x%x at 0x%x overlaps another at 0x%x", d->dev.obj.type->name, cap_id,
                       offset, i);
            return 0;
        }
    }
    memset(d->used + offset, 1, ROUND_UP(size, 4));
    memset(d->config + offset, 0, size);
    memset(d->wmask + offset, 0, size);
    memset(d->w1cmask + offset, 0, size);
    d->config[offset + PCI_CAP_LIST_ID] = cap_id;
    d->config[offset + PCI_CAP_LIST_NEXT] = d->config[PCI_CAPABILITY_LIST];
    d->config[PCI_CAPABILITY_LIST] = offset;
    d->config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
    return offset;
}

uint8_t pci_find_capability(const PCIDevice *d, uint8_t cap_id)
{
    uint8_t pos = d->config[PCI_STATUS] & PCI_STATUS_CAP_LIST ? d->config[PCI_CAPABILITY_LIST] : 0;

    for (unsigned i = 0; pos && i < 48; i++) {
        if (d->config[pos + PCI_CAP_LIST_ID] == cap_id) {
            return pos;
        }
        pos = d->config[pos + PCI_CAP_LIST_NEXT];
    }
    return 0;
}

bool pci_pm_init(PCIDevice *d, uint8_t offset, Error **errp)
{
    offset = pci_add_capability(d, PCI_CAP_ID_PM, offset, PCI_PM_SIZEOF, errp);
    if (!offset) {
        return false;
    }
    d->pm_cap = offset;
    pci_set_word(d->config + offset + PCI_PM_PMC, 0x3);        /* version 1.2 */
    pci_set_word(d->config + offset + PCI_PM_CTRL, PCI_PM_CTRL_NO_SOFT_RESET);
    pci_set_word(d->wmask + offset + PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK);
    return true;
}

/* --- life --- */

/* A fact of the leaf's table, or of the nearest ancestor that states it. */
#define INHERITED(d, field) ({                                                                \
    uint16_t v_ = 0;                                                                          \
    for (const TypeInfo *t_ = (d)->dev.obj.type; t_ != &pci_device_type && !v_; t_ = t_->parent) { \
        v_ = ((const PciDeviceInfo *)t_->info)->field;                                        \
    }                                                                                         \
    v_; })

static void header_init(PCIDevice *d)
{
    bool bridge = INHERITED(d, is_bridge);
    uint16_t ss_vendor = INHERITED(d, subsystem_vendor_id), ss_id = INHERITED(d, subsystem_id);

    pci_set_word(d->config + PCI_VENDOR_ID, INHERITED(d, vendor_id));
    pci_set_word(d->config + PCI_DEVICE_ID, INHERITED(d, device_id));
    d->config[PCI_REVISION_ID] = (uint8_t)INHERITED(d, revision);
    d->config[PCI_CLASS_PROG] = (uint8_t)INHERITED(d, prog_if);
    pci_set_word(d->config + PCI_CLASS_DEVICE, INHERITED(d, class_id));
    d->config[PCI_HEADER_TYPE] = (uint8_t)((bridge ? PCI_HEADER_TYPE_BRIDGE : PCI_HEADER_TYPE_NORMAL)
                                           | (d->multifunction ? PCI_HEADER_TYPE_MULTI_FUNCTION : 0));
    pci_set_word(d->wmask + PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY
                                         | PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE);
    pci_set_word(d->w1cmask + PCI_STATUS, PCI_STATUS_W1C);
    d->wmask[PCI_CACHE_LINE_SIZE] = 0xff;
    d->wmask[PCI_INTERRUPT_LINE] = 0xff;
    if (!bridge) {
        pci_set_word(d->config + PCI_SUBSYSTEM_VENDOR_ID, ss_vendor ? ss_vendor : PCI_SUBVENDOR_ID_REDHAT_QUMRANET);
        pci_set_word(d->config + PCI_SUBSYSTEM_ID, ss_id ? ss_id : PCI_SUBDEVICE_ID_QEMU);
    }
}

static void config_free(PCIDevice *d)
{
    g_clear_pointer(&d->config, g_free);
    g_clear_pointer(&d->wmask, g_free);
    g_clear_pointer(&d->w1cmask, g_free);
    g_clear_pointer(&d->used, g_free);
}

static void config_alloc(PCIDevice *d)
{
    bool express = pci_bus_is_express(pci_get_bus(d)) && INHERITED(d, is_express);

    config_free(d);
    d->config_size = express ? PCIE_CONFIG_SPACE_SIZE : PCI_CONFIG_SPACE_SIZE;
    d->config = g_malloc0(d->config_size);
    d->wmask = g_malloc0(d->config_size);
    d->w1cmask = g_malloc0(d->config_size);
    d->used = g_malloc0(d->config_size);
    memset(d->used, 1, PCI_CONFIG_HEADER_SIZE);
}

static void dma_init(PCIDevice *d)
{
    memory_region_init(&d->dma_root, d, "bus master container", UINT64_MAX);
    memory_region_init_alias(&d->dma_alias, d, "bus master", system_memory(), 0, UINT64_MAX);
    memory_region_set_enabled(&d->dma_alias, false);
    memory_region_add_subregion(&d->dma_root, 0, &d->dma_alias);
    address_space_init(&d->dma_as, &d->dma_root, d->dev.obj.type->name);
}

static void dma_fini(PCIDevice *d)
{
    address_space_fini(&d->dma_as);
    memory_region_del_subregion(&d->dma_root, &d->dma_alias);
    memory_region_fini(&d->dma_alias);
    memory_region_fini(&d->dma_root);
}

/* The type's own option ROM. */
static const char *default_romfile(const PCIDevice *d)
{
    for (const TypeInfo *t = d->dev.obj.type; t != &pci_device_type; t = t->parent) {
        const PciDeviceInfo *info = (const PciDeviceInfo *)t->info;

        if (info->romfile) {
            return info->romfile;
        }
    }
    return NULL;
}

/* An image the firmware may run, in the expansion ROM BAR (6.3).  romfile= says which, empty says none. */
static bool rom_init(PCIDevice *d, Error **errp)
{
    const char *name = d->romfile ? d->romfile : default_romfile(d);
    g_autofree char *path = name ? firmware_find(name) : NULL;
    g_autofree char *data = NULL;
    g_autoptr(GError) gerr = NULL;
    gsize len;
    uint64_t size = 2 * KiB;
    unsigned rom_size_max = (unsigned)MIN(d->romsize, ROM_MAX);

    if (!name || !*name || !d->rombar) {
        return true;
    }
    if (!path && !d->romfile) {
        warn_report("%s: no option ROM '%s' is installed: firmware will not use the device", d->dev.obj.type->name, name);
        return true;
    }
    if (!g_file_get_contents(path ? path : name, &data, &len, &gerr)) {
        error_setg(errp, "%s: option ROM: %s", d->dev.obj.type->name, gerr->message);
        return false;
    }
    if (len == 0 || len > rom_size_max) {
        error_setg(errp, "%s: option ROM '%s' is %zu bytes, must be 1..%u", d->dev.obj.type->name, name, (size_t)len,
                   rom_size_max);
        return false;
    }
    while (size < len) {
        size *= 2;
    }
    size = d->romsize != UINT32_MAX ? d->romsize : size;
    if (d->has_rom) {
        memory_region_fini(&d->rom);
        d->has_rom = false;
    }
    if (!memory_region_init_rom(&d->rom, d, "option-rom", size, errp)) {
        return false;
    }
    memcpy(memory_region_get_ram_ptr(&d->rom), data, len);
    d->has_rom = true;
    pci_register_bar(d, PCI_ROM_SLOT, 0, &d->rom);
    return true;
}

static void pci_device_unrealize(Device *dev)
{
    PCIDevice *d = PCI_DEVICE(dev);
    PCIBus *bus = pci_get_bus(d);

    pci_set_irq(d, 0);
    msi_uninit(d);
    msix_uninit(d);
    unmap_all(d);
    dma_fini(d);
    bus->devices[d->devfn] = NULL;
}

/* Flat views hold a reference while a vCPU may still reach a region: so what its callbacks read is freed here. */
static void pci_device_fini(Object *obj)
{
    PCIDevice *d = PCI_DEVICE(obj);

    msix_free_retired(d);
    if (d->has_rom) {
        memory_region_fini(&d->rom);
    }
    config_free(d);
}

typedef struct IndexSearch {
    const PCIDevice *not;
    uint32_t index;
    bool found;
} IndexSearch;

static void find_index(PCIBus *bus, PCIDevice *d, void *opaque)
{
    IndexSearch *s = opaque;
    PCIBus *below = pci_bridge_secondary_bus(d);

    s->found |= d != s->not && d->acpi_index == s->index;
    if (below) {
        pci_for_each_device(below, find_index, s);
    }
}

/* An index names one device of the machine. */
static bool check_acpi_index(const PCIDevice *d, Error **errp)
{
    IndexSearch s = { .not = d, .index = d->acpi_index };

    if (s.index) {
        pci_for_each_device(pci_device_root_bus(d), find_index, &s);
    }
    if (s.found) {
        error_setg(errp, "a PCI device with acpi-index = %" PRIu32 " already exist", s.index);
    }
    return !s.found;
}

static bool pci_device_realize(Device *dev, Error **errp)
{
    PCIDevice *d = PCI_DEVICE(dev);
    PCIBus *bus = pci_get_bus(d);

    if (!check_acpi_index(d, errp) || !pci_bus_assign_devfn(bus, d, errp)) {
        return false;
    }
    config_alloc(d);
    header_init(d);
    dma_init(d);
    bus->devices[d->devfn] = d;
    if (!rom_init(d, errp)) {
        pci_device_unrealize(dev);
        return false;
    }
    return true;
}

/* RST#: the guest-written parts of the header and of MSI return to zero; BARs are unmapped. */
static void pci_device_reset_enter(Device *dev, ResetType type)
{
    PCIDevice *d = PCI_DEVICE(dev);

    pci_set_irq(d, 0);
    for (unsigned i = 0; i < PCI_CONFIG_HEADER_SIZE; i++) {
        if (i != PCI_INTERRUPT_PIN) {
            d->config[i] &= (uint8_t)~(d->wmask[i] | d->w1cmask[i]);
        }
    }
    if (d->pm_cap) {
        d->config[d->pm_cap + PCI_PM_CTRL] &= (uint8_t)~PCI_PM_CTRL_STATE_MASK;
    }
    memory_region_set_enabled(&d->dma_alias, false);
    pci_update_mappings(d);
    msi_reset(d);
    msix_reset(d);
}

/* --- properties --- */

/* "3", "3.0" (hexadecimal slot and function), or devfn as a number; -1 = any. */
static bool addr_set(Object *obj, const Property *p, const Value *v, Error **errp)
{
    PCIDevice *d = PCI_DEVICE(obj);
    int64_t n;

    if (value_type(v) == VALUE_STRING) {
        const char *s = value_get_string(v);
        char *end;
        uint64_t slot = g_ascii_strtoull(s, &end, 16), fn = 0;

        if (end != s && *end == '.') {
            const char *f = end + 1;

            fn = g_ascii_strtoull(f, &end, 16);
            end = end == f ? (char *)s : end;
        }
        if (!g_ascii_isxdigit(*s) || end == s || *end || slot >= PCI_SLOT_MAX || fn >= 8) {
            error_setg(errp, "must be SLOT or SLOT.FUNCTION (hexadecimal, 0..1f and 0..7), got '%s'", s);
            return false;
        }
        d->devfn = PCI_DEVFN((int)slot, (int)fn);
        return true;
    }
    if (!value_get_int(v, &n) || n < -1 || n >= PCI_DEVFN_MAX) {
        g_autofree char *got = value_describe(v);

        error_setg(errp, "must be a slot and function number -1..255 or text like '3.0', got %s", got);
        return false;
    }
    d->devfn = (int32_t)n;
    return true;
}

static Value *addr_get(Object *obj, const Property *p)
{
    return value_int(PCI_DEVICE(obj)->devfn);
}

static Value *addr_default(const Property *p)
{
    return value_int(-1);
}

static const PropertyType prop_pci_addr = { .name = "str", .set = addr_set, .get = addr_get, .default_value = addr_default };

static Value *legacy_addr_get(Object *obj, const Property *p)
{
    const PCIDevice *d = PCI_DEVICE(obj);

    return d->devfn < 0 ? value_string("") : value_string_printf("%02x.%x", PCI_SLOT(d->devfn), PCI_FUNC(d->devfn));
}

static Value *busnr_get(Object *obj, const Property *p)
{
    const PCIBus *bus = pci_get_bus(PCI_DEVICE(obj));

    return value_int(bus ? pci_bus_num(bus) : 0);
}

static bool romsize_changed(Object *obj, const Property *p, Error **errp)
{
    uint32_t size = PCI_DEVICE(obj)->romsize;

    if (size != UINT32_MAX && (!is_power_of_2(size) || size > ROM_MAX)) {
        error_setg(errp, "must be a power of two, 2048..%u bytes, got %u", (unsigned)ROM_MAX, size);
        return false;
    }
    return true;
}

static const Property pci_device_properties[] = {
    { .name = "addr", .type = &prop_pci_addr, .help = "slot and function, e.g. 3.0 (default: first free)" },
    PROP_CUSTOM(str, "legacy-addr", legacy_addr_get, NULL, .shown = "str", .internal = true),
    PROP_CUSTOM(int, "busnr", busnr_get, NULL, .shown = "busnr", .help = "number of its bus, as the guest has set it"),
    PROP_BOOL("multifunction", PCIDevice, multifunction, false, .help = "other functions of this slot exist"),
    PROP_STRING("romfile", PCIDevice, romfile, .help = "option ROM image"),
    PROP_UINT32("romsize", PCIDevice, romsize, UINT32_MAX, .min = 2 * KiB, .max = UINT32_MAX, .unit = "bytes", .changed = romsize_changed,
                .help = "size of the option ROM's BAR, a power of two; 4294967295 = as the image needs"),
    PROP_INT32("rombar", PCIDevice, rombar, -1, .min = (uint64_t)-1, .max = 1, .help = "offer the option ROM in a BAR (-1: yes)"),
    PROP_UINT32("acpi-index", PCIDevice, acpi_index, 0, .max = PCI_ACPI_INDEX_MAX,
                .help = "number of the on-board device it is to be, which names it in the guest; 0 = none"),
    PROP_FIXED_TEXT(str, "failover_pair_id", NULL, .help = "the device that takes over"),
};

static void pci_device_init(Object *obj)
{
    PCI_DEVICE(obj)->devfn = -1;
}

static bool pci_post_load(void *opaque, unsigned version, Error **errp)
{
    PCIDevice *d = opaque;

    memory_region_set_enabled(&d->dma_alias, d->config[PCI_COMMAND] & PCI_COMMAND_MASTER);
    pci_update_mappings(d);
    return true;
}

static const VMField pci_device_fields[] = {
    { .name = "config", .kind = VMF_U8, .offset = offsetof(PCIDevice, config), .size = 1, .count = PCIE_CONFIG_SPACE_SIZE,
      .count_offset = offsetof(PCIDevice, config_size), .var_count = true },
    VMS_U8(PCIDevice, intx_level),
    VMS_U8(PCIDevice, intx_driven),
    VMS_END
};

static const VMState *const pci_device_subsections[] = { &vmstate_msix, NULL };

const VMState vmstate_pci_device = {
    .name = "pci-device",
    .version = 1,
    .minimum_version = 1,
    .fields = pci_device_fields,
    .post_load = pci_post_load,
    .subsections = pci_device_subsections,
};

PCI_DEVICE_DEFINE_ABSTRACT(PCIDevice, pci_device, "pci-device", device,
    .desc        = "PCI device",
    .bus_type    = &pci_bus_type,
    .init        = pci_device_init,
    .fini        = pci_device_fini,
    .realize     = pci_device_realize,
    .unrealize   = pci_device_unrealize,
    .reset_enter = pci_device_reset_enter,
    .properties  = PROPS(pci_device_properties),
    .vmstate     = &vmstate_pci_device,
);

PCIDevice *pci_new(int devfn, const char *type_name)
{
    const TypeInfo *type = type_by_name(type_name);
    PCIDevice *d = PCI_DEVICE(device_new(type));

    d->devfn = devfn;
    return d;
}

PCIDevice *pci_create_simple(PCIBus *bus, int devfn, const char *type_name, Error **errp)
{
    PCIDevice *d = pci_new(devfn, type_name);

    return device_realize_and_unref(DEVICE(d), &bus->bus, errp) ? d : NULL;
}
