/*
 * The "Bochs VBE display interface": ten 16-bit registers that set a linear mode.
 *
 * Reference: Bochs' vbe_display_api.txt, interface 0xb0c5.
 */
#ifndef HW_DISPLAY_DISPI_H
#define HW_DISPLAY_DISPI_H

#include "hw/core/vmstate.h"
#include "util/base.h"

enum {
    DISPI_ID, DISPI_XRES, DISPI_YRES, DISPI_BPP, DISPI_ENABLE, DISPI_BANK, DISPI_VIRT_WIDTH, DISPI_VIRT_HEIGHT,
    DISPI_X_OFFSET, DISPI_Y_OFFSET, DISPI_VIDEO_MEMORY_64K, DISPI_REGS,
};
enum {
    DISPI_ENABLED = 0x01, DISPI_GETCAPS = 0x02, DISPI_8BIT_DAC = 0x20, DISPI_LFB = 0x40, DISPI_NOCLEARMEM = 0x80,
};
#define DISPI_MAX_XRES  16000
#define DISPI_MAX_YRES  12000

typedef struct Dispi {
    uint32_t vram_size;
    uint16_t index;             /* of the ports */
    uint16_t reg[DISPI_REGS];
} Dispi;

typedef enum DispiChange { DISPI_UNCHANGED, DISPI_CHANGED, DISPI_CHANGED_CLEAR } DispiChange;

extern const VMState vmstate_dispi;

void dispi_reset(Dispi *d, uint32_t vram_size);
uint16_t dispi_read(const Dispi *d, unsigned index);
/* What the write means: a mode was set or left, and whether video memory is to be zeroed. */
DispiChange dispi_write(Dispi *d, unsigned index, uint16_t val);
static inline bool dispi_enabled(const Dispi *d) { return d->reg[DISPI_ENABLE] & DISPI_ENABLED; }
/* The visible part of the enabled mode; width 0 if it does not fit into video memory. */
typedef struct DispiMode {
    unsigned width, height, bpp;
    uint32_t base, stride;      /* bytes */
} DispiMode;
DispiMode dispi_mode(const Dispi *d);

#endif
