/*
 * PS/2 keyboard and mouse: what a user interface feeds them.
 */
#ifndef HW_INPUT_PS2_H
#define HW_INPUT_PS2_H

#include "util/base.h"

typedef struct Ps2Kbd Ps2Kbd;
typedef struct Ps2Mouse Ps2Mouse;

/* Bits of the keyboard's LEDs as the guest sets them. */
enum { PS2_LED_SCROLL = 1 << 0, PS2_LED_NUM = 1 << 1, PS2_LED_CAPS = 1 << 2 };

/*
 * A key goes down or up.  @code is its scan code set 1 make code, with 0x80 set for keys prefixed by E0 (the
 * numbering of QMP's QKeyCode "number"); translated to the set that the guest has chosen.  Dropped, whole
 * sequences at a time, when the keyboard's queue is full.
 */
void ps2_kbd_key(Ps2Kbd *kbd, unsigned code, bool down);
/* Raw bytes of a set 2 sequence; all or nothing.  False = queue full or scanning disabled. */
bool ps2_kbd_put_scancode(Ps2Kbd *kbd, const uint8_t *seq, size_t len);
unsigned ps2_kbd_leds(const Ps2Kbd *kbd);

enum { PS2_BUTTON_LEFT = 1 << 0, PS2_BUTTON_RIGHT = 1 << 1, PS2_BUTTON_MIDDLE = 1 << 2,
       PS2_BUTTON_SIDE = 1 << 3, PS2_BUTTON_EXTRA = 1 << 4 };

/* Relative motion (x right, y down, z towards the user) and the buttons now held. */
void ps2_mouse_move(Ps2Mouse *mouse, int dx, int dy, int dz, unsigned buttons);

#endif
