/*
 * "VGA" and "secondary-vga": the standard adapter on PCI, with and without the legacy ports and window.
 *
 * BAR 0 is video memory.  BAR 2, if mmio=on, is 4 KiB of registers: at 0 the monitor's EDID, at 0x400
 * ports 0x3c0 .. 0x3df, at 0x500 the VBE registers of 16 bits, at 0x600 the extended ones (QEMU's
 * docs/specs/standard-vga: layout).
 */
#include "hw/display/edid.h"
#include "hw/display/vga.h"
#include "hw/pci/pci.h"

#define PCI_VENDOR_ID_BOCHS     0x1234
#define PCI_DEVICE_ID_STDVGA    0x1111
#define LEGACY_PORTS            0x3b0
#define LEGACY_PORTS_SIZE       0x30
#define LEGACY_WINDOW           0xa0000
#define VBE_PORTS               0x1ce
#define VBE_PORTS_SIZE          4           /* the last for a word at 0x1d0 */

enum { MMIO_EDID = 0x000, MMIO_PORTS = 0x400, MMIO_VBE = 0x500, MMIO_EXT = 0x600, MMIO_SIZE = 0x1000 };
enum { EXT_SIZE = 8, EXT_LITTLE_ENDIAN = 0x1e1e1e1e };

typedef struct VgaPci {
    PCIDevice pci;
    Vga vga;
    MemoryRegion mmio, ports, vbe_ports;
    uint32_t vgamem_mb, xres, yres;
    bool mmio_on, extended_on, edid_on;
    uint8_t edid[EDID_SIZE];
} VgaPci;

extern const TypeInfo pci_vga_type;

static VgaPci *VGA_PCI(const void *obj)
{
    return (VgaPci *)object_check_cast(obj, &pci_vga_type);
}

/* --- registers in BAR 2 --- */

static void vbe_write(VgaPci *s, unsigned index, uint16_t val)
{
    DispiChange c = dispi_write(&s->vga.dispi, index, val);

    if (c == DISPI_CHANGED_CLEAR) {
        memset(memory_region_get_ram_ptr(&s->vga.vram), 0, s->vga.vram_size);
        ram_block_set_dirty(s->vga.vram.ram, 0, s->vga.vram_size);
    }
    if (c != DISPI_UNCHANGED) {
        s->vga.redraw = s->vga.colors_stale = true;
    }
}

static uint64_t mmio_read_byte(VgaPci *s, hwaddr addr)
{
    if (addr < EDID_SIZE) {
        return s->edid_on ? s->edid[addr] : 0;
    }
    if (addr >= MMIO_PORTS && addr < MMIO_PORTS + 0x20) {
        return vga_port_read(&s->vga, 0x3c0 + (addr - MMIO_PORTS));
    }
    return s->extended_on && addr >= MMIO_EXT + 4 && addr < MMIO_EXT + 8 ? EXT_LITTLE_ENDIAN & 0xff :
           s->extended_on && addr == MMIO_EXT ? EXT_SIZE : 0;
}

static uint64_t mmio_read(void *opaque, hwaddr addr, unsigned size)
{
    VgaPci *s = opaque;
    uint64_t v = 0;

    if (addr >= MMIO_VBE && addr < MMIO_VBE + 2 * DISPI_REGS) {
        return dispi_read(&s->vga.dispi, (addr - MMIO_VBE) / 2);
    }
    for (unsigned i = 0; i < size; i++) {
        v |= mmio_read_byte(s, addr + i) << (8 * i);
    }
    return v;
}

static void mmio_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    VgaPci *s = opaque;

    if (addr >= MMIO_VBE && addr < MMIO_VBE + 2 * DISPI_REGS) {
        vbe_write(s, (addr - MMIO_VBE) / 2, (uint16_t)data);
        return;
    }
    for (unsigned i = 0; i < size; i++, addr++) {
        if (addr >= MMIO_PORTS && addr < MMIO_PORTS + 0x20) {
            vga_port_write(&s->vga, 0x3c0 + (addr - MMIO_PORTS), data >> (8 * i));
        }
    }
}

static const MemoryRegionOps mmio_ops = {
    .read = mmio_read, .write = mmio_write, .valid = { 1, 4 }, .impl = { 1, 4 },
};

/* --- legacy ports --- */

static uint64_t port_read(void *opaque, hwaddr addr, unsigned size)
{
    return vga_port_read(opaque, LEGACY_PORTS + addr);
}

static void port_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    vga_port_write(opaque, LEGACY_PORTS + addr, (uint8_t)data);
}

static const MemoryRegionOps port_ops = {
    .read = port_read, .write = port_write, .valid = { 1, 4, true }, .impl = { 1, 1 },
};

/* Index at 0x1ce, data at 0x1cf or, aligned, at 0x1d0. */
static uint64_t vbe_port_read(void *opaque, hwaddr addr, unsigned size)
{
    VgaPci *s = opaque;

    return addr == 0 ? s->vga.dispi.index : dispi_read(&s->vga.dispi, s->vga.dispi.index);
}

static void vbe_port_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    VgaPci *s = opaque;

    if (addr == 0) {
        s->vga.dispi.index = (uint16_t)data;
    } else {
        vbe_write(s, s->vga.dispi.index, (uint16_t)data);
    }
}

static const MemoryRegionOps vbe_port_ops = {
    .read = vbe_port_read, .write = vbe_port_write, .valid = { 1, 2, true }, .impl = { 1, 2, true },
};

/* --- life --- */

/* Not in unrealize: the PCI layer unmaps the BARs after that. */
static void vga_pci_fini(Object *obj)
{
    VgaPci *s = VGA_PCI(obj);

    if (s->vga.vram.ram) {
        memory_region_fini(&s->vga.vram);
        memory_region_fini(&s->vga.window);
    }
    memory_region_fini(&s->mmio);
    memory_region_fini(&s->ports);
    memory_region_fini(&s->vbe_ports);
}

static bool pci_vga_realize(Device *dev, Error **errp)
{
    VgaPci *s = VGA_PCI(dev);

    if (!is_power_of_2(s->vgamem_mb)) {
        error_setg(errp, "%s.vgamem_mb must be a power of two, got %u", dev->obj.type->name, s->vgamem_mb);
        return false;
    }
    if (!vga_init(&s->vga, dev, s->vgamem_mb * MiB, errp)) {
        return false;
    }
    edid_make(s->edid, s->xres, s->yres);
    pci_config_set_interrupt_pin(&s->pci, 0);
    pci_register_bar(&s->pci, 0, PCI_BASE_ADDRESS_SPACE_MEMORY | PCI_BASE_ADDRESS_MEM_PREFETCH, &s->vga.vram);
    if (s->mmio_on) {
        memory_region_init_io(&s->mmio, s, &mmio_ops, s, "vga.mmio", MMIO_SIZE);
        pci_register_bar(&s->pci, 2, PCI_BASE_ADDRESS_SPACE_MEMORY, &s->mmio);
    }
    return true;
}

static void pci_vga_unrealize(Device *dev)
{
    vga_fini(&VGA_PCI(dev)->vga);
}

static bool legacy_realize(Device *dev, Error **errp)
{
    VgaPci *s = VGA_PCI(dev);
    PCIBus *bus = pci_get_bus(&s->pci);

    memory_region_init_io(&s->ports, s, &port_ops, &s->vga, "vga", LEGACY_PORTS_SIZE);
    memory_region_init_io(&s->vbe_ports, s, &vbe_port_ops, s, "vbe", VBE_PORTS_SIZE);
    memory_region_add_subregion_overlap(bus->io, LEGACY_PORTS, &s->ports, 1);
    memory_region_add_subregion_overlap(bus->io, VBE_PORTS, &s->vbe_ports, 1);
    memory_region_add_subregion_overlap(bus->mem, LEGACY_WINDOW, &s->vga.window, 1);
    return true;
}

static void legacy_unrealize(Device *dev)
{
    VgaPci *s = VGA_PCI(dev);
    PCIBus *bus = pci_get_bus(&s->pci);

    memory_region_del_subregion(bus->io, &s->ports);
    memory_region_del_subregion(bus->io, &s->vbe_ports);
    memory_region_del_subregion(bus->mem, &s->vga.window);
}

static void pci_vga_reset_hold(Device *dev, ResetType type)
{
    vga_reset(&VGA_PCI(dev)->vga);
}

/* A guest finds the secondary adapter as its own firmware would have left it: on, in color. */
static void secondary_reset_hold(Device *dev, ResetType type)
{
    Vga *s = &VGA_PCI(dev)->vga;

    s->misc = 1;
    s->ar_index = 0x20;
}

static const Property pci_vga_properties[] = {
    PROP_UINT32("vgamem_mb", VgaPci, vgamem_mb, 16, .min = 1, .max = 256, .unit = "MiB", .help = "video memory"),
    PROP_BOOL("mmio", VgaPci, mmio_on, true, .help = "registers in BAR 2"),
    PROP_BOOL("qemu-extended-regs", VgaPci, extended_on, true, .help = "byte order registers in BAR 2"),
    PROP_BOOL("edid", VgaPci, edid_on, true, .help = "monitor description in BAR 2"),
    PROP_UINT32("xres", VgaPci, xres, 1280, .min = 1, .max = 4095, .unit = "pixels", .help = "width that the monitor prefers"),
    PROP_UINT32("yres", VgaPci, yres, 800, .min = 1, .max = 4095, .unit = "pixels", .help = "height that the monitor prefers"),
};

static const VMState vmstate_vga_pci = {
    .name = "vga", .version = 1, .minimum_version = 1,
    .fields = (const VMField[]){ VMS_STRUCT(VgaPci, vga, &vmstate_vga), VMS_END },
};

PCI_DEVICE_DEFINE_ABSTRACT(VgaPci, pci_vga, "pci-vga", pci_device,
    .category   = DEVICE_CATEGORY_DISPLAY,
    .vendor_id  = PCI_VENDOR_ID_BOCHS,
    .device_id  = PCI_DEVICE_ID_STDVGA,
    .revision   = 2,
    .properties = PROPS(pci_vga_properties),
    .fini       = vga_pci_fini,
    .realize    = pci_vga_realize,
    .unrealize  = pci_vga_unrealize,
    .reset_hold = pci_vga_reset_hold,
    .vmstate    = &vmstate_vga_pci,
);

PCI_DEVICE_DEFINE(VgaPci, vga_pci, "VGA", pci_vga,
    .desc       = "standard VGA",
    .category   = DEVICE_CATEGORY_DISPLAY,
    .class_id   = PCI_CLASS_DISPLAY_VGA,
    .romfile    = "vgabios-stdvga.bin",
    .realize    = legacy_realize,
    .unrealize  = legacy_unrealize,
    .vmstate    = &vmstate_none,
    .not_hotpluggable = true,
);

PCI_DEVICE_DEFINE(VgaPci, secondary_vga, "secondary-vga", pci_vga,
    .desc       = "standard VGA without legacy ports",
    .category   = DEVICE_CATEGORY_DISPLAY,
    .class_id   = PCI_CLASS_DISPLAY_OTHER,
    .reset_hold = secondary_reset_hold,
    .vmstate    = &vmstate_none,
);
