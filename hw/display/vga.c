/*
 * VGA registers: miscellaneous, sequencer, graphics, CRT and attribute controllers, DAC.
 *
 * References: IBM VGA Technical Reference; "VGA and SVGA Programming" register descriptions as in
 * FreeVGA.  Timing is not modelled: retrace bits toggle as they are read.
 */
#include "hw/display/vga.h"

enum {
    PORT_CRT_INDEX_MONO = 0x3b4, PORT_CRT_DATA_MONO = 0x3b5, PORT_STATUS1_MONO = 0x3ba,
    PORT_ATTR = 0x3c0, PORT_ATTR_READ = 0x3c1, PORT_MISC_WRITE = 0x3c2, PORT_SEQ_INDEX = 0x3c4, PORT_SEQ_DATA = 0x3c5,
    PORT_DAC_MASK = 0x3c6, PORT_DAC_READ = 0x3c7, PORT_DAC_WRITE = 0x3c8, PORT_DAC_DATA = 0x3c9, PORT_FEATURE_READ = 0x3ca,
    PORT_MISC_READ = 0x3cc, PORT_GR_INDEX = 0x3ce, PORT_GR_DATA = 0x3cf, PORT_CRT_INDEX = 0x3d4, PORT_CRT_DATA = 0x3d5,
    PORT_STATUS1 = 0x3da,
};
enum { MISC_COLOR = 0x01, STATUS1_BLANK = 0x01, STATUS1_RETRACE = 0x08, CR11_PROTECT = 0x80, CR7_LINE_COMPARE = 0x10 };

/* Which bits of each register exist. */
static const uint8_t sr_mask[VGA_SEQ_REGS] = { 0x03, 0x3d, 0x0f, 0x3f, 0x0e };
static const uint8_t gr_mask[VGA_GR_REGS] = { 0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff };

static void changed(Vga *s)
{
    s->redraw = true;
}

/* --- DAC --- */

static uint8_t dac_read(Vga *s)
{
    uint8_t v = s->palette[s->dac_read * 3 + s->dac_sub];

    if (++s->dac_sub == 3) {
        s->dac_sub = 0;
        s->dac_read++;
    }
    return v;
}

static void dac_write(Vga *s, uint8_t val)
{
    s->dac_latch[s->dac_sub] = val;
    if (++s->dac_sub == 3) {
        memcpy(&s->palette[s->dac_write * 3], s->dac_latch, 3);
        s->dac_sub = 0;
        s->dac_write++;
        s->colors_stale = true;
    }
}

/* --- CRT controller --- */

static void crt_write(Vga *s, uint8_t val)
{
    unsigned i = s->cr_index;

    if (i >= VGA_CR_REGS) {
        return;
    }
    if (s->cr[0x11] & CR11_PROTECT && i <= 7) {
        if (i == 7) {           /* the line compare bit is not protected */
            s->cr[7] = (s->cr[7] & ~CR7_LINE_COMPARE) | (val & CR7_LINE_COMPARE);
            changed(s);
        }
        return;
    }
    s->cr[i] = val;
    changed(s);
}

/* --- attribute controller --- */

static void attr_write(Vga *s, uint8_t val)
{
    unsigned i = s->ar_index & 0x1f;

    if (!s->ar_data) {
        s->ar_index = val & 0x3f;
        changed(s);
    } else if (i < VGA_AR_REGS) {
        s->ar[i] = i < 16 ? val & 0x3f : val;
        s->colors_stale = true;
        changed(s);
    }
    s->ar_data = !s->ar_data;
}

/* --- ports --- */

/* CRT and status registers answer at 0x3bx or 0x3dx, as the miscellaneous register says. */
static bool port_is_elsewhere(const Vga *s, unsigned port)
{
    return (port >= 0x3b0 && port <= 0x3bf && (s->misc & MISC_COLOR)) ||
           (port >= 0x3d0 && port <= 0x3df && !(s->misc & MISC_COLOR));
}

uint8_t vga_port_read(Vga *s, unsigned port)
{
    if (port_is_elsewhere(s, port)) {
        return 0xff;
    }
    switch (port) {
    case PORT_ATTR:
        return s->ar_data ? 0 : s->ar_index;
    case PORT_ATTR_READ:
        return (s->ar_index & 0x1f) < VGA_AR_REGS ? s->ar[s->ar_index & 0x1f] : 0;
    case PORT_MISC_WRITE:
        return 0;                               /* input status 0 */
    case PORT_SEQ_INDEX:
        return s->sr_index;
    case PORT_SEQ_DATA:
        return s->sr_index < VGA_SEQ_REGS ? s->sr[s->sr_index] : 0;
    case PORT_DAC_MASK:
        return s->dac_mask;
    case PORT_DAC_READ:
        return s->dac_state;
    case PORT_DAC_WRITE:
        return s->dac_write;
    case PORT_DAC_DATA:
        return dac_read(s);
    case PORT_FEATURE_READ:
        return s->feature;
    case PORT_MISC_READ:
        return s->misc;
    case PORT_GR_INDEX:
        return s->gr_index;
    case PORT_GR_DATA:
        return s->gr_index < VGA_GR_REGS ? s->gr[s->gr_index] : 0;
    case PORT_CRT_INDEX_MONO:
    case PORT_CRT_INDEX:
        return s->cr_index;
    case PORT_CRT_DATA_MONO:
    case PORT_CRT_DATA:
        return s->cr_index < VGA_CR_REGS ? s->cr[s->cr_index] : 0;
    case PORT_STATUS1_MONO:
    case PORT_STATUS1:
        s->ar_data = false;
        s->st01 ^= STATUS1_BLANK | STATUS1_RETRACE;
        return s->st01;
    default:
        return 0xff;
    }
}

void vga_port_write(Vga *s, unsigned port, uint8_t val)
{
    if (port_is_elsewhere(s, port)) {
        return;
    }
    switch (port) {
    case PORT_ATTR:
        attr_write(s, val);
        break;
    case PORT_MISC_WRITE:
        s->misc = val & ~0x10;
        changed(s);
        break;
    case PORT_SEQ_INDEX:
        s->sr_index = val & 7;
        break;
    case PORT_SEQ_DATA:
        if (s->sr_index < VGA_SEQ_REGS) {
            s->sr[s->sr_index] = val & sr_mask[s->sr_index];
            changed(s);
        }
        break;
    case PORT_DAC_MASK:
        s->dac_mask = val;
        s->colors_stale = true;
        break;
    case PORT_DAC_READ:
        s->dac_read = val;
        s->dac_sub = 0;
        s->dac_state = 3;
        break;
    case PORT_DAC_WRITE:
        s->dac_write = val;
        s->dac_sub = 0;
        s->dac_state = 0;
        break;
    case PORT_DAC_DATA:
        dac_write(s, val);
        break;
    case PORT_GR_INDEX:
        s->gr_index = val & 0x0f;
        break;
    case PORT_GR_DATA:
        if (s->gr_index < VGA_GR_REGS) {
            s->gr[s->gr_index] = val & gr_mask[s->gr_index];
            changed(s);
        }
        break;
    case PORT_CRT_INDEX_MONO:
    case PORT_CRT_INDEX:
        s->cr_index = val;
        break;
    case PORT_CRT_DATA_MONO:
    case PORT_CRT_DATA:
        crt_write(s, val);
        break;
    case PORT_STATUS1_MONO:
    case PORT_STATUS1:
        s->feature = val & 0x10;
        break;
    }
}

/* --- life --- */

static uint64_t window_read(void *opaque, hwaddr addr, unsigned size)
{
    return vga_window_read(opaque, (uint32_t)addr);
}

static void window_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    vga_window_write(opaque, (uint32_t)addr, (uint8_t)data);
}

static const MemoryRegionOps window_ops = {
    .read = window_read, .write = window_write,
    .valid = { .min = 1, .max = 8, .unaligned = true }, .impl = { .min = 1, .max = 1 },
};

const ConsoleOps vga_console_ops = { .update = vga_update, .invalidate = vga_invalidate };

bool vga_init(Vga *s, Device *owner, uint32_t vram_size, Error **errp)
{
    s->vram_size = vram_size;
    if (!memory_region_init_ram(&s->vram, owner, "vga.vram", vram_size, errp)) {
        return false;
    }
    memory_region_set_log(&s->vram, true, DIRTY_VGA);
    memory_region_init_io(&s->window, owner, &window_ops, s, "vga-lowmem", 0x20000);
    memory_region_set_coalesced(&s->window);
    s->console = console_new(owner, 0, console_bytes(vram_size, VGA_DEPTHS), &vga_console_ops, s, errp);
    if (!s->console) {
        return false;
    }
    s->dirty = g_new0(unsigned long, DIV_ROUND_UP(vram_size / 4096, 64));
    vga_reset(s);
    return true;
}

void vga_fini(Vga *s)
{
    g_clear_pointer(&s->console, console_free);
    g_clear_pointer(&s->dirty, g_free);
    g_clear_pointer(&s->cells, g_free);
}

void vga_reset(Vga *s)
{
    s->misc = s->feature = s->st01 = 0;
    s->sr_index = s->gr_index = s->cr_index = s->ar_index = 0;
    memset(s->sr, 0, sizeof(s->sr));
    memset(s->gr, 0, sizeof(s->gr));
    memset(s->cr, 0, sizeof(s->cr));
    memset(s->ar, 0, sizeof(s->ar));
    memset(s->palette, 0, sizeof(s->palette));
    s->ar_data = false;
    s->dac_mask = s->dac_read = s->dac_write = s->dac_sub = s->dac_state = 0;
    s->latch = 0;
    dispi_reset(&s->dispi, s->vram_size);
    s->colors_stale = s->redraw = true;
}

static bool vga_post_load(void *opaque, unsigned version, Error **errp)
{
    Vga *s = opaque;

    if (s->dac_sub > 2) {
        error_setg(errp, "vga: dac_sub must be 0..2, got %u", s->dac_sub);
        return false;
    }
    s->colors_stale = s->redraw = true;
    return true;
}

const VMState vmstate_vga = {
    .name = "vga", .version = 1, .minimum_version = 1, .post_load = vga_post_load,
    .fields = (const VMField[]) {
        VMS_U8(Vga, misc), VMS_U8(Vga, feature),
        VMS_U8(Vga, sr_index), VMS_U8_ARRAY(Vga, sr), VMS_U8(Vga, gr_index), VMS_U8_ARRAY(Vga, gr),
        VMS_U8(Vga, cr_index), VMS_U8_ARRAY(Vga, cr), VMS_U8(Vga, ar_index), VMS_U8_ARRAY(Vga, ar),
        VMS_BOOL(Vga, ar_data), VMS_U8(Vga, st01),
        VMS_U8(Vga, dac_mask), VMS_U8(Vga, dac_read), VMS_U8(Vga, dac_write), VMS_U8(Vga, dac_sub), VMS_U8(Vga, dac_state),
        VMS_U8_ARRAY(Vga, dac_latch), VMS_BUFFER(Vga, palette), VMS_U32(Vga, latch),
        VMS_STRUCT(Vga, dispi, &vmstate_dispi),
        VMS_END
    },
};
