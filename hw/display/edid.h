/*
 * EDID: what a monitor says of itself.
 */
#ifndef HW_DISPLAY_EDID_H
#define HW_DISPLAY_EDID_H

#include "util/base.h"

#define EDID_SIZE 128

/*
 * The base block of a monitor that prefers @width x @height (each 1 .. 4095) at 75 Hz.
 * Reference: VESA Enhanced EDID Standard, release A, revision 2.
 */
void edid_make(uint8_t edid[EDID_SIZE], unsigned width, unsigned height);

#endif
