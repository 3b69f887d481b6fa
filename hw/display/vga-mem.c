/*
 * VGA's window on video memory, 0xa0000 .. 0xbffff: planes, latches, write modes.
 *
 * Reference: IBM VGA Technical Reference, graphics controller.  Which part of the window answers
 * (graphics register 6, bits 3:2):
 *
 *   0  0xa0000, 128 KiB     1  0xa0000, 64 KiB     2  0xb0000, 32 KiB     3  0xb8000, 32 KiB
 *
 * Under Bochs' VBE the window is 64 KiB of the linear frame buffer, by bank.
 */
#include "hw/display/vga.h"

enum { SR_CHAIN4 = 0x08, SR_ODD_EVEN_OFF = 0x04, GR5_ODD_EVEN = 0x10, GR5_READ_COMPARE = 0x08 };
#define NOWHERE UINT32_MAX

/* Offset within the selected part, NOWHERE outside it. */
static uint32_t window_offset(const Vga *s, uint32_t addr)
{
    static const struct { uint32_t start, size; } parts[4] = {
        { 0, 0x20000 }, { 0, 0x10000 }, { 0x10000, 0x8000 }, { 0x18000, 0x8000 },
    };
    unsigned n = s->gr[6] >> 2 & 3;

    return addr - parts[n].start < parts[n].size ? addr - parts[n].start : NOWHERE;
}

static uint8_t *vram(const Vga *s)
{
    return memory_region_get_ram_ptr(&s->vram);
}

/* VBE modes of 8 bits and more: the byte of the frame buffer, NOWHERE in other modes. */
static uint32_t banked_offset(const Vga *s, uint32_t addr)
{
    if (!dispi_enabled(&s->dispi) || s->dispi.reg[DISPI_BPP] < 8) {
        return NOWHERE;
    }
    return (s->dispi.reg[DISPI_BANK] * 64 * KiB + (addr & 0xffff)) & (s->vram_size - 1);
}

/* Odd and even addresses go to odd and even planes: text and CGA modes. */
static uint32_t odd_even_offset(const Vga *s, uint32_t off, unsigned *plane)
{
    *plane = (s->gr[4] & 2) | (off & 1);
    return ((off & ~1u) << 1 | *plane) & (s->vram_size - 1);
}

static uint32_t planes_at(const Vga *s, uint32_t off)
{
    return ld32_le(vram(s) + ((off << 2) & (s->vram_size - 1)));
}

/* One bit of each plane, or'ed to a byte where all planes of interest match the color (read mode 1). */
static uint8_t read_compare(const Vga *s)
{
    uint8_t match = 0xff;

    for (unsigned p = 0; p < 4; p++) {
        if (s->gr[7] >> p & 1) {
            uint8_t plane = s->latch >> (8 * p);

            match &= s->gr[2] >> p & 1 ? plane : ~plane;
        }
    }
    return match;
}

uint8_t vga_window_read(Vga *s, uint32_t addr)
{
    uint32_t off = banked_offset(s, addr);
    unsigned plane;

    if (off != NOWHERE) {
        return vram(s)[off];
    }
    off = window_offset(s, addr);
    if (off == NOWHERE) {
        return 0xff;
    }
    if (s->sr[4] & SR_CHAIN4) {
        return vram(s)[off & (s->vram_size - 1)];
    }
    if (s->gr[5] & GR5_ODD_EVEN) {
        return vram(s)[odd_even_offset(s, off, &plane)];
    }
    s->latch = planes_at(s, off);
    return s->gr[5] & GR5_READ_COMPARE ? read_compare(s) : s->latch >> (8 * (s->gr[4] & 3));
}

static void put_byte(Vga *s, uint32_t off, uint8_t val)
{
    vram(s)[off] = val;
    ram_block_set_dirty(s->vram.ram, off, 1);
}

/* A bit for each plane to a byte of ones for it. */
static uint32_t spread(uint8_t planes)
{
    return (planes & 1 ? 0xff : 0) | (planes & 2 ? 0xff00 : 0) | (planes & 4 ? 0xff0000 : 0) | (planes & 8 ? 0xff000000 : 0);
}

static uint8_t rotate_right(uint8_t v, unsigned n)
{
    return v >> n | v << (8 - n);
}

static uint32_t combine(const Vga *s, uint32_t v)
{
    switch (s->gr[3] >> 3 & 3) {
    case 1:
        return v & s->latch;
    case 2:
        return v | s->latch;
    case 3:
        return v ^ s->latch;
    default:
        return v;
    }
}

/* What the four planes are to hold, by write mode. */
static uint32_t written_planes(const Vga *s, uint8_t val)
{
    uint8_t rotated = rotate_right(val, s->gr[3] & 7), mask = s->gr[8];
    uint32_t v, keep;

    switch (s->gr[5] & 3) {
    case 0:
        keep = spread(s->gr[1]);                /* set/reset where enabled */
        v = (rotated * 0x01010101u & ~keep) | (spread(s->gr[0]) & keep);
        break;
    case 1:
        return s->latch;
    case 2:
        v = spread(val & 0x0f);
        break;
    default:
        mask &= rotated;
        v = spread(s->gr[0]);
        break;
    }
    v = combine(s, v);
    return (v & mask * 0x01010101u) | (s->latch & ~(mask * 0x01010101u));
}

void vga_window_write(Vga *s, uint32_t addr, uint8_t val)
{
    uint32_t off = banked_offset(s, addr), planes, enabled;
    unsigned plane;

    if (off != NOWHERE) {
        put_byte(s, off, val);
        return;
    }
    off = window_offset(s, addr);
    if (off == NOWHERE) {
        return;
    }
    if (s->sr[4] & SR_CHAIN4) {
        if (s->sr[2] >> (off & 3) & 1) {
            put_byte(s, off & (s->vram_size - 1), val);
        }
        return;
    }
    if (s->gr[5] & GR5_ODD_EVEN) {
        off = odd_even_offset(s, off, &plane);
        if (s->sr[2] >> plane & 1) {
            put_byte(s, off, val);
        }
        return;
    }
    enabled = spread(s->sr[2]);
    planes = (written_planes(s, val) & enabled) | (planes_at(s, off) & ~enabled);
    off = (off << 2) & (s->vram_size - 1);
    st32_le(vram(s) + off, planes);
    ram_block_set_dirty(s->vram.ram, off, 4);
}
