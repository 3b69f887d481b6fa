/*
 * PS/2 devices without the controller: bytes written to them, bytes they have to say.
 */
#ifndef HW_INPUT_PS2_CORE_H
#define HW_INPUT_PS2_CORE_H

#include "hw/core/irq.h"
#include "hw/core/vmstate.h"
#include "hw/input/ps2.h"

#define PS2_REPLY_LEN   8
#define PS2_DATA_LEN    32      /* a power of two */

/* What a device has to say: replies to commands go before keys and motion. */
typedef struct Ps2Queue {
    uint8_t reply[PS2_REPLY_LEN];
    uint8_t reply_head, reply_count;
    uint8_t data[PS2_DATA_LEN];
    uint8_t data_head, data_count;
    uint8_t last;               /* for RESEND */
    IrqLine ready;              /* raised when there is something to fetch */
} Ps2Queue;

struct Ps2Kbd {
    Ps2Queue q;
    uint8_t pending_command;    /* waits for its parameter; 0 = none */
    bool scanning;
    uint8_t scan_set;           /* 1 or 2 */
    uint8_t rate;               /* typematic, as last set */
    uint8_t leds;
};

struct Ps2Mouse {
    Ps2Queue q;
    uint8_t pending_command;
    bool reporting, remote, wrap, scale21;
    uint8_t resolution, rate;
    uint8_t id;                 /* 0 three buttons, 3 wheel, 4 wheel and five buttons */
    uint8_t knock;              /* how much of a rate sequence that unlocks the id was seen */
    uint8_t buttons, sent_buttons;
    int32_t dx, dy, dz;         /* not yet reported */
};

extern const VMState vmstate_ps2_kbd, vmstate_ps2_mouse;

bool ps2_queue_has_data(const Ps2Queue *q);
/* The next byte; repeats the last one when there is none, as the wire would. */
uint8_t ps2_queue_pop(Ps2Queue *q);

void ps2_kbd_reset(Ps2Kbd *k);
void ps2_kbd_write(Ps2Kbd *k, uint8_t val);

void ps2_mouse_reset(Ps2Mouse *m);
void ps2_mouse_write(Ps2Mouse *m, uint8_t val);
/* Take the next byte and, if that made room, report motion that had waited. */
uint8_t ps2_mouse_pop(Ps2Mouse *m);

/* The controller's translation of set 2 codes to set 1 (break prefix handled by the caller). */
extern const uint8_t ps2_set2_to_set1[256];

#endif
