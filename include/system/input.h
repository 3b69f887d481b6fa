/*
 * Keys and pointer motion: from display servers and monitors to input devices.
 *
 * A device registers what it takes; of those that take a kind of event, the one activated last gets
 * it (QMP's mouse_set order).  Pointer events are gathered until input_sync().
 *
 * Locks: BQL.
 */
#ifndef SYSTEM_INPUT_H
#define SYSTEM_INPUT_H

#include "hw/core/qdev.h"

enum { INPUT_KEYS = 1 << 0, INPUT_RELATIVE = 1 << 1, INPUT_ABSOLUTE = 1 << 2 };

/* Bits of PointerState.buttons, in QMP's order of InputButton. */
enum {
    INPUT_BUTTON_LEFT = 1 << 0, INPUT_BUTTON_MIDDLE = 1 << 1, INPUT_BUTTON_RIGHT = 1 << 2,
    INPUT_BUTTON_SIDE = 1 << 5, INPUT_BUTTON_EXTRA = 1 << 6,
};

#define INPUT_ABS_MAX 0x7fff    /* absolute positions are 0 .. this, over the whole screen */

typedef struct PointerState {
    int dx, dy;                 /* relative: right, down */
    int wheel, hwheel;          /* clicks: down, right */
    unsigned buttons;           /* now held */
    int x, y;                   /* absolute */
} PointerState;

typedef struct InputHandler InputHandler;
struct InputHandler {
    const char *name;           /* as query-mice shows it */
    unsigned takes;             /* INPUT_* */
    /* @code: scan code set 1 make code, 0x80 added for keys prefixed by E0. */
    void (*key)(void *opaque, unsigned code, bool down);
    void (*pointer)(void *opaque, const PointerState *state);
    void *opaque;
    Device *device;             /* borrowed: whose it is */
    unsigned index;             /* query-mice; given at registration */
};

/* @h is borrowed until removed; becomes the active one for what it takes. */
void input_handler_add(InputHandler *h);
void input_handler_remove(InputHandler *h);
void input_handler_activate(InputHandler *h);
/* In the order of activation, the active one of each kind first; NULL beyond the last. */
InputHandler *input_handler_by_index(unsigned i);

/* False: nobody takes keys (or that kind of pointer event). */
bool input_key(unsigned code, bool down);
bool input_is_absolute(void);   /* would input_position be taken? */
bool input_motion(int dx, int dy);
bool input_position(int x, int y);          /* clamped to 0 .. INPUT_ABS_MAX */
bool input_buttons(unsigned set, unsigned clear);
bool input_wheel(int down, int right);
void input_sync(void);

/* QMP's QKeyCode value, or its name, as a scan code; 0 = none. */
unsigned input_code_of_qcode(int qcode);
/* X11 keysym on a US keyboard as a scan code; 0 = none. */
unsigned input_code_of_keysym(uint32_t keysym);

#endif
