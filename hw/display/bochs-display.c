/*
 * "bochs-display": a frame buffer that is set by the VBE registers alone; 32 bits a pixel.
 *
 * BAR 0 is video memory; BAR 2 has the monitor's EDID at 0, the VBE registers at 0x500 and the
 * extended ones at 0x600, as on the standard VGA.
 */
#include "hw/display/dispi.h"
#include "hw/display/edid.h"
#include "hw/pci/pci.h"
#include "system/console.h"

#define PCI_VENDOR_ID_BOCHS     0x1234
#define PCI_DEVICE_ID_BOCHS     0x1111
#define VRAM_MIN                (4 * MiB)
#define VRAM_MAX                (256 * MiB)
#define PAGE                    4096u

enum { MMIO_VBE = 0x500, MMIO_EXT = 0x600, MMIO_SIZE = 0x1000 };
enum { EXT_SIZE = 8, EXT_LITTLE_ENDIAN = 0x1e1e1e1e };

typedef struct BochsDisplay {
    PCIDevice pci;
    MemoryRegion vram, mmio;
    Console *console;
    uint64_t vgamem;
    uint32_t xres, yres;
    bool edid_on;
    Dispi dispi;
    uint8_t edid[EDID_SIZE];
    DispiMode shown;
    bool redraw;
    unsigned long *dirty;               /* scratch, one bit a page */
} BochsDisplay;

OBJECT_DECLARE(BochsDisplay, BOCHS_DISPLAY, bochs_display)

static uint64_t mmio_read(void *opaque, hwaddr addr, unsigned size)
{
    BochsDisplay *s = opaque;
    uint64_t v = 0;

    if (addr >= MMIO_VBE && addr < MMIO_VBE + 2 * DISPI_REGS) {
        return dispi_read(&s->dispi, (addr - MMIO_VBE) / 2);
    }
    if (addr >= MMIO_EXT && addr < MMIO_EXT + EXT_SIZE) {
        return addr < MMIO_EXT + 4 ? (addr == MMIO_EXT ? EXT_SIZE : 0) : EXT_LITTLE_ENDIAN;
    }
    for (unsigned i = 0; s->edid_on && i < size && addr + i < EDID_SIZE; i++) {
        v |= (uint64_t)s->edid[addr + i] << (8 * i);
    }
    return v;
}

static void mmio_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    BochsDisplay *s = opaque;

    if (addr >= MMIO_VBE && addr < MMIO_VBE + 2 * DISPI_REGS) {
        s->redraw |= dispi_write(&s->dispi, (addr - MMIO_VBE) / 2, (uint16_t)data) != DISPI_UNCHANGED;
    }
}

static const MemoryRegionOps mmio_ops = { .read = mmio_read, .write = mmio_write, .valid = { 1, 4 }, .impl = { 1, 4 } };

/* --- the picture --- */

static bool row_is_dirty(const BochsDisplay *s, uint32_t at, uint32_t bytes)
{
    for (uint32_t page = at / PAGE; page <= (at + bytes - 1) / PAGE; page++) {
        if (s->dirty[page / 64] >> (page % 64) & 1) {
            return true;
        }
    }
    return false;
}

static void draw(BochsDisplay *s, const DispiMode *m)
{
    const ConsoleSurface *surface = console_surface(s->console);
    const uint8_t *vram = memory_region_get_ram_ptr(&s->vram);

    for (unsigned y = 0; y < m->height; y++) {
        uint32_t at = m->base + y * m->stride;

        if (s->redraw || row_is_dirty(s, at, m->width * 4)) {
            memcpy(surface->pixels + (size_t)y * surface->stride, vram + at, m->width * 4);
            console_changed(s->console, 0, y, m->width, 1);
        }
    }
}

static void bochs_update(void *opaque)
{
    BochsDisplay *s = opaque;
    DispiMode m = dispi_mode(&s->dispi);

    if (!dispi_enabled(&s->dispi) || !m.width || m.bpp != 32) {
        return;
    }
    memset(s->dirty, 0, DIV_ROUND_UP(s->vgamem / PAGE, 64) * sizeof(unsigned long));
    memory_region_snapshot_and_clear_dirty(&s->vram, 0, s->vgamem, DIRTY_VGA, s->dirty);
    if (memcmp(&m, &s->shown, sizeof(m))) {
        s->shown = m;
        s->redraw = true;
        console_resize(s->console, m.width, m.height);
    }
    draw(s, &m);
    s->redraw = false;
}

static void bochs_invalidate(void *opaque)
{
    ((BochsDisplay *)opaque)->redraw = true;
}

static const ConsoleOps bochs_console_ops = { .update = bochs_update, .invalidate = bochs_invalidate };

/* --- life --- */

static bool bochs_realize(Device *dev, Error **errp)
{
    BochsDisplay *s = BOCHS_DISPLAY(dev);

    if (!is_power_of_2(s->vgamem)) {
        error_setg(errp, "bochs-display.vgamem must be a power of two, got %" PRIu64, s->vgamem);
        return false;
    }
    if (!memory_region_init_ram(&s->vram, s, "bochs-display-vram", s->vgamem, errp)) {
        return false;
    }
    memory_region_set_log(&s->vram, true, DIRTY_VGA);
    memory_region_init_io(&s->mmio, s, &mmio_ops, s, "bochs-display-mmio", MMIO_SIZE);
    s->console = console_new(dev, 0, console_bytes(s->vgamem, 1), &bochs_console_ops, s, errp);
    if (!s->console) {
        return false;
    }
    s->dirty = g_new0(unsigned long, DIV_ROUND_UP(s->vgamem / PAGE, 64));
    edid_make(s->edid, s->xres, s->yres);
    dispi_reset(&s->dispi, s->vgamem);
    pci_config_set_interrupt_pin(&s->pci, 0);
    pci_register_bar(&s->pci, 0, PCI_BASE_ADDRESS_SPACE_MEMORY | PCI_BASE_ADDRESS_MEM_PREFETCH, &s->vram);
    pci_register_bar(&s->pci, 2, PCI_BASE_ADDRESS_SPACE_MEMORY, &s->mmio);
    return true;
}

static void bochs_unrealize(Device *dev)
{
    BochsDisplay *s = BOCHS_DISPLAY(dev);

    g_clear_pointer(&s->console, console_free);
    g_clear_pointer(&s->dirty, g_free);
}

static void bochs_fini(Object *obj)
{
    BochsDisplay *s = BOCHS_DISPLAY(obj);

    if (s->vram.ram) {
        memory_region_fini(&s->vram);
        memory_region_fini(&s->mmio);
    }
}

static void bochs_reset_hold(Device *dev, ResetType type)
{
    BochsDisplay *s = BOCHS_DISPLAY(dev);

    dispi_reset(&s->dispi, s->vgamem);
    s->redraw = true;
}

static const Property bochs_properties[] = {
    PROP_SIZE("vgamem", BochsDisplay, vgamem, 16 * MiB, .min = VRAM_MIN, .max = VRAM_MAX, .unit = "bytes", .help = "video memory"),
    PROP_BOOL("edid", BochsDisplay, edid_on, true, .help = "monitor description in BAR 2"),
    PROP_UINT32("xres", BochsDisplay, xres, 1280, .min = 1, .max = 4095, .unit = "pixels", .help = "width that the monitor prefers"),
    PROP_UINT32("yres", BochsDisplay, yres, 800, .min = 1, .max = 4095, .unit = "pixels", .help = "height that the monitor prefers"),
};

static const VMState vmstate_bochs = {
    .name = "bochs-display", .version = 1, .minimum_version = 1,
    .fields = (const VMField[]){ VMS_STRUCT(BochsDisplay, dispi, &vmstate_dispi), VMS_END },
};

PCI_DEVICE_DEFINE(BochsDisplay, bochs_display, "bochs-display", pci_device,
    .desc       = "frame buffer without VGA",
    .category   = DEVICE_CATEGORY_DISPLAY,
    .vendor_id  = PCI_VENDOR_ID_BOCHS,
    .device_id  = PCI_DEVICE_ID_BOCHS,
    .class_id   = PCI_CLASS_DISPLAY_OTHER,
    .properties = PROPS(bochs_properties),
    .fini       = bochs_fini,
    .realize    = bochs_realize,
    .unrealize  = bochs_unrealize,
    .reset_hold = bochs_reset_hold,
    .vmstate    = &vmstate_bochs,
);
