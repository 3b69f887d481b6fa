/*
 * Bochs' VBE interface: a linear mode by ten registers.  The guest may write anything; what does not
 * fit into video memory is shown as nothing.
 */
#include "hw/display/dispi.h"

#define INTERFACE_ID    0xb0c5
#define INTERFACE_FIRST 0xb0c0

void dispi_reset(Dispi *d, uint32_t vram_size)
{
    *d = (Dispi){ .vram_size = vram_size };
    d->reg[DISPI_ID] = INTERFACE_ID;
    d->reg[DISPI_VIDEO_MEMORY_64K] = vram_size / (64 * KiB);
}

uint16_t dispi_read(const Dispi *d, unsigned index)
{
    if (d->reg[DISPI_ENABLE] & DISPI_GETCAPS) {
        switch (index) {
        case DISPI_XRES:
            return DISPI_MAX_XRES;
        case DISPI_YRES:
            return DISPI_MAX_YRES;
        case DISPI_BPP:
            return 32;
        }
    }
    return index < DISPI_REGS ? d->reg[index] : 0;
}

static unsigned bits_per_pixel(const Dispi *d)
{
    return d->reg[DISPI_BPP] == 15 ? 16 : d->reg[DISPI_BPP];
}

/* Rows as long as asked for, as many as fit. */
static void set_virtual_size(Dispi *d, uint16_t width)
{
    uint32_t row;

    width = MAX(width, d->reg[DISPI_XRES]);
    row = (uint32_t)width * bits_per_pixel(d) / 8;
    d->reg[DISPI_VIRT_WIDTH] = width;
    d->reg[DISPI_VIRT_HEIGHT] = row ? MIN(d->vram_size / row, UINT16_MAX) : 0;
}

static bool is_valid(unsigned index, uint16_t val)
{
    switch (index) {
    case DISPI_XRES:
        return val <= DISPI_MAX_XRES && val % 8 == 0;
    case DISPI_YRES:
        return val <= DISPI_MAX_YRES;
    case DISPI_BPP:
        return val == 4 || val == 8 || val == 15 || val == 16 || val == 24 || val == 32;
    default:
        return true;
    }
}

static DispiChange enable(Dispi *d, uint16_t val)
{
    bool on = (val & DISPI_ENABLED) && !dispi_enabled(d), off = !(val & DISPI_ENABLED) && dispi_enabled(d);

    d->reg[DISPI_ENABLE] = val & (DISPI_ENABLED | DISPI_GETCAPS | DISPI_8BIT_DAC | DISPI_LFB | DISPI_NOCLEARMEM);
    if (!on) {
        d->reg[DISPI_BANK] = off ? 0 : d->reg[DISPI_BANK];
        return DISPI_CHANGED;
    }
    d->reg[DISPI_X_OFFSET] = d->reg[DISPI_Y_OFFSET] = 0;
    set_virtual_size(d, d->reg[DISPI_XRES]);
    return val & DISPI_NOCLEARMEM ? DISPI_CHANGED : DISPI_CHANGED_CLEAR;
}

DispiChange dispi_write(Dispi *d, unsigned index, uint16_t val)
{
    switch (index) {
    case DISPI_ID:
        if (val >= INTERFACE_FIRST && val <= INTERFACE_ID) {
            d->reg[DISPI_ID] = val;
        }
        return DISPI_UNCHANGED;
    case DISPI_XRES:
    case DISPI_YRES:
    case DISPI_BPP:
        if (is_valid(index, val) && !(d->reg[DISPI_ENABLE] & DISPI_GETCAPS)) {
            d->reg[index] = val;
        }
        return dispi_enabled(d) ? DISPI_CHANGED : DISPI_UNCHANGED;
    case DISPI_ENABLE:
        return enable(d, val);
    case DISPI_BANK:
        d->reg[DISPI_BANK] = val % MAX(d->vram_size / (64 * KiB), 1);
        return DISPI_UNCHANGED;
    case DISPI_VIRT_WIDTH:
        set_virtual_size(d, val);
        return DISPI_CHANGED;
    case DISPI_X_OFFSET:
    case DISPI_Y_OFFSET:
        d->reg[index] = val;
        return DISPI_CHANGED;
    default:
        return DISPI_UNCHANGED;
    }
}

DispiMode dispi_mode(const Dispi *d)
{
    unsigned bits = bits_per_pixel(d);
    DispiMode m = { .width = d->reg[DISPI_XRES], .height = d->reg[DISPI_YRES], .bpp = d->reg[DISPI_BPP] };
    uint64_t end;

    m.stride = (uint32_t)MAX(d->reg[DISPI_VIRT_WIDTH], m.width) * bits / 8;
    m.base = d->reg[DISPI_Y_OFFSET] * m.stride + d->reg[DISPI_X_OFFSET] * bits / 8;
    end = (uint64_t)m.base + (uint64_t)m.stride * MAX(m.height, 1) - m.stride + (uint64_t)m.width * bits / 8;
    if (!m.width || !m.height || !bits || end > d->vram_size) {
        m.width = m.height = 0;
    }
    return m;
}

static bool dispi_post_load(void *opaque, unsigned version, Error **errp)
{
    const Dispi *d = opaque;

    for (unsigned i = DISPI_XRES; i <= DISPI_BPP; i++) {
        if (d->reg[i] && !is_valid(i, d->reg[i])) {
            error_setg(errp, "vbe: register %u cannot be %u", i, d->reg[i]);
            return false;
        }
    }
    return true;
}

const VMState vmstate_dispi = {
    .name = "vbe", .version = 1, .minimum_version = 1, .post_load = dispi_post_load,
    .fields = (const VMField[]){ VMS_U16(Dispi, index), VMS_U16_ARRAY(Dispi, reg), VMS_END },
};
