/*
 * VGA: registers, memory and drawing of the standard adapter with Bochs' VBE extensions.
 *
 * The four 64 KiB planes lie interleaved in video memory: byte @a of plane @p is vram[4 * a + p].  So
 * chained modes and linear frame buffers need no translation.
 *
 * Locks: BQL.
 */
#ifndef HW_DISPLAY_VGA_H
#define HW_DISPLAY_VGA_H

#include "hw/display/dispi.h"
#include "system/console.h"
#include "system/memory.h"

enum { VGA_SEQ_REGS = 5, VGA_GR_REGS = 9, VGA_CR_REGS = 25, VGA_AR_REGS = 21 };

/* For console_bytes(): any mode of 16 bits and more can be shown, of 4 and 8 bits with as many pixels. */
#define VGA_DEPTHS 2

/* What the registers say is to be shown. */
typedef enum VgaShape { VGA_BLANK, VGA_TEXT, VGA_PLANAR16, VGA_CGA4, VGA_CHAINED256, VGA_LINEAR } VgaShape;

typedef struct VgaMode {
    VgaShape shape;
    unsigned width, height;         /* of the picture in pixels */
    uint32_t base;                  /* of the first row, in bytes of video memory */
    uint32_t stride;                /* bytes from row to row of memory */
    unsigned bpp;                   /* linear: 8, 15, 16, 24, 32 */
    unsigned row_repeat;            /* rows of the picture for one of memory */
    bool double_x;                  /* each pixel twice */
    unsigned cell_width, cell_height;       /* text */
    unsigned split;                 /* row at which memory begins again from 0; ~0 = never */
} VgaMode;

typedef struct Vga {
    MemoryRegion vram;              /* RAM; the frame buffer BAR */
    uint32_t vram_size;             /* bytes, a power of two */
    MemoryRegion window;            /* 0xa0000 .. 0xbffff */
    Console *console;

    /* registers */
    uint8_t misc, feature;
    uint8_t sr_index, sr[VGA_SEQ_REGS];
    uint8_t gr_index, gr[VGA_GR_REGS];
    uint8_t cr_index, cr[VGA_CR_REGS];
    uint8_t ar_index, ar[VGA_AR_REGS];
    bool ar_data;                   /* the next write of port 0x3c0 is data */
    uint8_t st01;                   /* retrace bits, toggled by reads */
    uint8_t dac_mask, dac_read, dac_write, dac_sub, dac_state;
    uint8_t dac_latch[3];
    uint8_t palette[768];
    uint32_t latch;                 /* all four planes */
    Dispi dispi;

    /* of the picture that is shown */
    VgaMode shown;
    bool redraw;                    /* all of it */
    uint32_t colors[256];           /* the palette as pixels */
    bool colors_stale;
    unsigned long *dirty;           /* scratch: one bit a page of video memory */
    uint32_t *cells;                /* text: what is shown in each cell; NULL outside text modes */
    uint32_t fonts;                 /* checksum of the glyphs that were drawn */
} Vga;

extern const VMState vmstate_vga;

/* @owner: the device.  False and @errp if video memory cannot be had. */
bool vga_init(Vga *s, Device *owner, uint32_t vram_size, Error **errp) MUST_USE;
void vga_fini(Vga *s);
void vga_reset(Vga *s);
/* A byte of the registers at @port, 0x3b0 .. 0x3df.  Ports that are not there read 0xff. */
uint8_t vga_port_read(Vga *s, unsigned port);
void vga_port_write(Vga *s, unsigned port, uint8_t val);
/* The legacy window: @addr from 0xa0000, below 0x20000. */
uint8_t vga_window_read(Vga *s, uint32_t addr);
void vga_window_write(Vga *s, uint32_t addr, uint8_t val);

/* For the console: bring the picture up to date; forget what is shown. */
void vga_update(void *opaque);
void vga_invalidate(void *opaque);
extern const ConsoleOps vga_console_ops;

#endif
