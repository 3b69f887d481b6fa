/*
 * PS/2 keyboard and mouse (IBM PS/2 Hardware Interface Technical Reference, keyboard and mouse chapters;
 * IntelliMouse extensions).
 *
 * What must hold: queues are fixed; a key sequence or a motion packet goes in whole or not at all.
 * Locks: BQL.
 */
#include "hw/input/ps2-core.h"
#include "util/log.h"

enum { REPLY_ACK = 0xfa, REPLY_RESEND = 0xfe, REPLY_SELF_TEST_OK = 0xaa, REPLY_ECHO = 0xee };

/* The 8042's translation table: index is a set 2 byte. */
const uint8_t ps2_set2_to_set1[256] = {
    0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
    0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
    0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
    0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
    0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
    0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
    0x80, 0x81, 0x82, 0x41, 0x54, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f,
    0x90, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f,
    0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf,
    0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xbb, 0xbc, 0xbd, 0xbe, 0xbf,
    0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf,
    0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf,
    0xe0, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xeb, 0xec, 0xed, 0xee, 0xef,
    0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff,
};

/* --- queues --- */

bool ps2_queue_has_data(const Ps2Queue *q)
{
    return q->reply_count || q->data_count;
}

uint8_t ps2_queue_pop(Ps2Queue *q)
{
    if (q->reply_count) {
        q->last = q->reply[q->reply_head];
        q->reply_head = (q->reply_head + 1) % PS2_REPLY_LEN;
        q->reply_count--;
    } else if (q->data_count) {
        q->last = q->data[q->data_head];
        q->data_head = (q->data_head + 1) % PS2_DATA_LEN;
        q->data_count--;
    }
    return q->last;
}

static void queue_clear(Ps2Queue *q)
{
    q->reply_count = q->data_count = 0;
}

static void queue_reply(Ps2Queue *q, uint8_t val)
{
    if (q->reply_count == PS2_REPLY_LEN) {
        guest_error("ps2", "reply 0x%02x lost: earlier ones were not read", val);
        return;
    }
    q->reply[(q->reply_head + q->reply_count) % PS2_REPLY_LEN] = val;
    q->reply_count++;
    irq_raise(q->ready);
}

static bool queue_data(Ps2Queue *q, const uint8_t *seq, size_t len)
{
    if (len > (size_t)(PS2_DATA_LEN - q->data_count)) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        q->data[(q->data_head + q->data_count) % PS2_DATA_LEN] = seq[i];
        q->data_count++;
    }
    if (len) {
        irq_raise(q->ready);
    }
    return true;
}

static bool queue_valid(const Ps2Queue *q)
{
    return q->reply_head < PS2_REPLY_LEN && q->reply_count <= PS2_REPLY_LEN && q->data_head < PS2_DATA_LEN &&
           q->data_count <= PS2_DATA_LEN;
}

/* --- keyboard --- */

enum {
    KBD_SET_LEDS = 0xed, KBD_ECHO = 0xee, KBD_SCAN_SET = 0xf0, KBD_GET_ID = 0xf2, KBD_SET_RATE = 0xf3,
    KBD_ENABLE = 0xf4, KBD_DISABLE = 0xf5, KBD_DEFAULTS = 0xf6, KBD_KEY_TYPES_FIRST = 0xf7,
    KBD_KEY_TYPES_LAST = 0xfa, KBD_RESEND = 0xfe, KBD_RESET = 0xff,
};

/* 10.9 characters per second after half a second. */
#define KBD_DEFAULT_RATE 0x2b

static void kbd_defaults(Ps2Kbd *k)
{
    k->scanning = true;
    k->scan_set = 2;
    k->rate = KBD_DEFAULT_RATE;
    k->pending_command = 0;
    k->q.data_count = 0;
}

void ps2_kbd_reset(Ps2Kbd *k)
{
    queue_clear(&k->q);
    kbd_defaults(k);
    k->leds = 0;
}

static void kbd_scan_set(Ps2Kbd *k, uint8_t val)
{
    switch (val) {
    case 0:
        queue_reply(&k->q, REPLY_ACK);
        queue_reply(&k->q, k->scan_set);
        break;
    case 1:
    case 2:
        k->scan_set = val;
        queue_reply(&k->q, REPLY_ACK);
        break;
    default:                    /* this keyboard has no set 3 */
        queue_reply(&k->q, REPLY_RESEND);
        break;
    }
}

static void kbd_parameter(Ps2Kbd *k, uint8_t command, uint8_t val)
{
    k->pending_command = 0;
    if (command == KBD_SCAN_SET) {
        kbd_scan_set(k, val);
        return;
    }
    if (command == KBD_SET_LEDS) {
        k->leds = val & (PS2_LED_SCROLL | PS2_LED_NUM | PS2_LED_CAPS);
    } else {
        k->rate = val & 0x7f;
    }
    queue_reply(&k->q, REPLY_ACK);
}

static void kbd_command(Ps2Kbd *k, uint8_t val)
{
    switch (val) {
    case KBD_SET_LEDS:
    case KBD_SCAN_SET:
    case KBD_SET_RATE:
        k->pending_command = val;
        break;
    case KBD_ECHO:
        queue_reply(&k->q, REPLY_ECHO);
        return;
    case KBD_GET_ID:
        queue_reply(&k->q, REPLY_ACK);
        queue_reply(&k->q, 0xab);
        queue_reply(&k->q, 0x83);
        return;
    case KBD_ENABLE:
        k->scanning = true;
        break;
    case KBD_DISABLE:
        kbd_defaults(k);
        k->scanning = false;
        break;
    case KBD_DEFAULTS:
        kbd_defaults(k);
        break;
    case KBD_KEY_TYPES_FIRST ... KBD_KEY_TYPES_LAST:
        break;                  /* concern set 3 only: acknowledged without effect */
    case KBD_RESEND:
        queue_reply(&k->q, k->q.last);
        return;
    case KBD_RESET:
        ps2_kbd_reset(k);
        queue_reply(&k->q, REPLY_ACK);
        queue_reply(&k->q, REPLY_SELF_TEST_OK);
        return;
    default:
        queue_reply(&k->q, REPLY_RESEND);
        return;
    }
    queue_reply(&k->q, REPLY_ACK);
}

void ps2_kbd_write(Ps2Kbd *k, uint8_t val)
{
    if (k->pending_command && val < KBD_SET_LEDS) {
        kbd_parameter(k, k->pending_command, val);
        return;
    }
    k->pending_command = 0;     /* a command instead of the parameter */
    kbd_command(k, val);
}

bool ps2_kbd_put_scancode(Ps2Kbd *k, const uint8_t *seq, size_t len)
{
    return k->scanning && queue_data(&k->q, seq, len);
}

/* Set 1 make code of a plain key to its set 2 code; 0 if no key has it. */
static uint8_t set1_to_set2(uint8_t code)
{
    /* F7 and Alt-SysRq are 0x83 and 0x84; the entries below 0x80 with the same image are no keys. */
    for (int i = 0x84; i > 0; i--) {
        if (ps2_set2_to_set1[i] == code) {
            return i;
        }
    }
    return 0;
}

#define KEY_E0      0x80
#define KEY_PAUSE   0xc6

static void kbd_key_pause(Ps2Kbd *k, bool down)
{
    static const uint8_t set1[] = { 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5 };
    static const uint8_t set2[] = { 0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77 };

    if (!down) {
        return;                 /* make and break come together */
    }
    if (k->scan_set == 1) {
        ps2_kbd_put_scancode(k, set1, sizeof(set1));
    } else {
        ps2_kbd_put_scancode(k, set2, sizeof(set2));
    }
}

void ps2_kbd_key(Ps2Kbd *k, unsigned code, bool down)
{
    uint8_t seq[3], base = code & 0x7f;
    size_t n = 0;

    if (code == KEY_PAUSE) {
        kbd_key_pause(k, down);
        return;
    }
    if (code > 0xff || !set1_to_set2(base)) {
        return;
    }
    if (code & KEY_E0) {
        seq[n++] = 0xe0;
    }
    if (k->scan_set == 1) {
        seq[n++] = base | (down ? 0 : 0x80);
    } else {
        if (!down) {
            seq[n++] = 0xf0;
        }
        seq[n++] = set1_to_set2(base);
    }
    ps2_kbd_put_scancode(k, seq, n);
}

unsigned ps2_kbd_leds(const Ps2Kbd *k)
{
    return k->leds;
}

/* --- mouse --- */

enum {
    MOUSE_SCALE11 = 0xe6, MOUSE_SCALE21 = 0xe7, MOUSE_SET_RES = 0xe8, MOUSE_STATUS = 0xe9, MOUSE_STREAM = 0xea,
    MOUSE_POLL = 0xeb, MOUSE_RESET_WRAP = 0xec, MOUSE_SET_WRAP = 0xee, MOUSE_REMOTE = 0xf0, MOUSE_GET_ID = 0xf2,
    MOUSE_SET_RATE = 0xf3, MOUSE_ENABLE = 0xf4, MOUSE_DISABLE = 0xf5, MOUSE_DEFAULTS = 0xf6, MOUSE_RESEND = 0xfe,
    MOUSE_RESET = 0xff,
};
enum { MOUSE_ID_PLAIN = 0, MOUSE_ID_WHEEL = 3, MOUSE_ID_5BUTTON = 4 };

/* One packet's motion, and what may wait unreported. */
#define PACKET_MOTION_MAX   127
#define PACKET_WHEEL_MAX    7
#define MOTION_BACKLOG_MAX  4096

static void mouse_defaults(Ps2Mouse *m)
{
    m->reporting = m->remote = m->wrap = m->scale21 = false;
    m->resolution = 2;
    m->rate = 100;
    m->pending_command = 0;
    m->dx = m->dy = m->dz = 0;
    m->q.data_count = 0;
}

void ps2_mouse_reset(Ps2Mouse *m)
{
    queue_clear(&m->q);
    mouse_defaults(m);
    m->id = MOUSE_ID_PLAIN;
    m->knock = 0;
    m->buttons = m->sent_buttons = 0;
}

static int take_motion(int32_t *left, int max)
{
    int n = CLAMP(*left, -max, max);

    *left -= n;
    return n;
}

/* Form one packet from what has accumulated; returns its length. */
static size_t mouse_packet(Ps2Mouse *m, uint8_t packet[4])
{
    int dx = take_motion(&m->dx, PACKET_MOTION_MAX), dy = -take_motion(&m->dy, PACKET_MOTION_MAX);
    int dz = take_motion(&m->dz, PACKET_WHEEL_MAX);

    m->sent_buttons = m->buttons;
    packet[0] = 0x08 | (dx < 0 ? 0x10 : 0) | (dy < 0 ? 0x20 : 0) | (m->buttons & 0x07);
    packet[1] = dx;
    packet[2] = dy;
    if (m->id == MOUSE_ID_WHEEL) {
        packet[3] = dz;
        return 4;
    }
    if (m->id == MOUSE_ID_5BUTTON) {
        packet[3] = (dz & 0x0f) | (m->buttons & 0x18) << 1;
        return 4;
    }
    return 3;
}

static bool mouse_has_news(const Ps2Mouse *m)
{
    return m->dx || m->dy || m->dz || m->buttons != m->sent_buttons;
}

static void mouse_report(Ps2Mouse *m)
{
    uint8_t packet[4];

    while (m->reporting && !m->remote && mouse_has_news(m) && PS2_DATA_LEN - m->q.data_count >= 4) {
        queue_data(&m->q, packet, mouse_packet(m, packet));
    }
}

void ps2_mouse_move(Ps2Mouse *m, int dx, int dy, int dz, unsigned buttons)
{
    const int max = MOTION_BACKLOG_MAX;

    if (!m->reporting && !m->remote) {
        return;
    }
    m->dx = CLAMP(m->dx + CLAMP(dx, -max, max), -max, max);
    m->dy = CLAMP(m->dy + CLAMP(dy, -max, max), -max, max);
    m->dz = m->id == MOUSE_ID_PLAIN ? 0 : CLAMP(m->dz + CLAMP(dz, -max, max), -max, max);
    m->buttons = buttons & (m->id == MOUSE_ID_5BUTTON ? 0x1f : 0x07);
    mouse_report(m);
}

uint8_t ps2_mouse_pop(Ps2Mouse *m)
{
    uint8_t val = ps2_queue_pop(&m->q);

    mouse_report(m);
    return val;
}

/* Three rates in a row change the id: 200, 100, 80 adds the wheel, 200, 200, 80 the side buttons. */
static void mouse_knock(Ps2Mouse *m, uint8_t rate)
{
    enum { KNOCK_NONE, KNOCK_200, KNOCK_200_100, KNOCK_200_200 };

    switch (m->knock) {
    case KNOCK_200:
        m->knock = rate == 100 ? KNOCK_200_100 : rate == 200 ? KNOCK_200_200 : KNOCK_NONE;
        return;
    case KNOCK_200_100:
        m->id = rate == 80 ? MOUSE_ID_WHEEL : m->id;
        break;
    case KNOCK_200_200:
        m->id = rate == 80 ? MOUSE_ID_5BUTTON : m->id;
        break;
    default:
        break;
    }
    m->knock = rate == 200 ? KNOCK_200 : KNOCK_NONE;
}

static void mouse_parameter(Ps2Mouse *m, uint8_t command, uint8_t val)
{
    m->pending_command = 0;
    if (command == MOUSE_SET_RATE) {
        m->rate = val;
        mouse_knock(m, val);
    } else {
        m->resolution = val & 3;
    }
    queue_reply(&m->q, REPLY_ACK);
}

static void mouse_status(Ps2Mouse *m)
{
    uint8_t buttons = (m->buttons & PS2_BUTTON_LEFT ? 0x04 : 0) | (m->buttons & PS2_BUTTON_MIDDLE ? 0x02 : 0) |
                      (m->buttons & PS2_BUTTON_RIGHT ? 0x01 : 0);

    queue_reply(&m->q, REPLY_ACK);
    queue_reply(&m->q, (m->remote ? 0x40 : 0) | (m->reporting ? 0x20 : 0) | (m->scale21 ? 0x10 : 0) | buttons);
    queue_reply(&m->q, m->resolution);
    queue_reply(&m->q, m->rate);
}

static void mouse_poll(Ps2Mouse *m)
{
    uint8_t packet[4];
    size_t len = mouse_packet(m, packet);

    queue_reply(&m->q, REPLY_ACK);
    for (size_t i = 0; i < len; i++) {
        queue_reply(&m->q, packet[i]);
    }
}

/* Commands that only change a setting.  False: not one of them. */
static bool mouse_setting(Ps2Mouse *m, uint8_t val)
{
    switch (val) {
    case MOUSE_SCALE11:
    case MOUSE_SCALE21:
        m->scale21 = val == MOUSE_SCALE21;
        return true;
    case MOUSE_SET_RES:
    case MOUSE_SET_RATE:
        m->pending_command = val;
        return true;
    case MOUSE_STREAM:
    case MOUSE_REMOTE:
        m->remote = val == MOUSE_REMOTE;
        return true;
    case MOUSE_SET_WRAP:
    case MOUSE_RESET_WRAP:
        m->wrap = val == MOUSE_SET_WRAP;
        return true;
    case MOUSE_ENABLE:
        m->reporting = true;
        return true;
    case MOUSE_DISABLE:
        m->reporting = false;
        return true;
    case MOUSE_DEFAULTS:
        mouse_defaults(m);
        return true;
    default:
        return false;
    }
}

static void mouse_command(Ps2Mouse *m, uint8_t val)
{
    if (mouse_setting(m, val)) {
        queue_reply(&m->q, REPLY_ACK);
        return;
    }
    switch (val) {
    case MOUSE_STATUS:
        mouse_status(m);
        break;
    case MOUSE_POLL:
        mouse_poll(m);
        break;
    case MOUSE_GET_ID:
        queue_reply(&m->q, REPLY_ACK);
        queue_reply(&m->q, m->id);
        break;
    case MOUSE_RESEND:
        queue_reply(&m->q, m->q.last);
        break;
    case MOUSE_RESET:
        ps2_mouse_reset(m);
        queue_reply(&m->q, REPLY_ACK);
        queue_reply(&m->q, REPLY_SELF_TEST_OK);
        queue_reply(&m->q, m->id);
        break;
    default:
        queue_reply(&m->q, REPLY_RESEND);
        break;
    }
}

void ps2_mouse_write(Ps2Mouse *m, uint8_t val)
{
    if (m->wrap && val != MOUSE_RESET_WRAP && val != MOUSE_RESET) {
        queue_reply(&m->q, val);
    } else if (m->pending_command) {
        mouse_parameter(m, m->pending_command, val);
    } else {
        mouse_command(m, val);
    }
}

/* --- state --- */

static bool kbd_post_load(void *opaque, unsigned version, Error **errp)
{
    Ps2Kbd *k = opaque;

    if (!queue_valid(&k->q) || k->scan_set < 1 || k->scan_set > 2) {
        error_setg(errp, "ps2 keyboard: queue or scan_set %u out of range", k->scan_set);
        return false;
    }
    return true;
}

static bool mouse_post_load(void *opaque, unsigned version, Error **errp)
{
    Ps2Mouse *m = opaque;
    const int max = MOTION_BACKLOG_MAX;

    if (!queue_valid(&m->q)) {
        error_setg(errp, "ps2 mouse: queue out of range");
        return false;
    }
    m->dx = CLAMP(m->dx, -max, max);
    m->dy = CLAMP(m->dy, -max, max);
    m->dz = CLAMP(m->dz, -max, max);
    return true;
}

static const VMState vmstate_ps2_queue = {
    .name = "ps2-queue",
    .version = 1,
    .minimum_version = 1,
    .fields = (const VMField[]) {
        VMS_BUFFER(Ps2Queue, reply),
        VMS_U8(Ps2Queue, reply_head),
        VMS_U8(Ps2Queue, reply_count),
        VMS_BUFFER(Ps2Queue, data),
        VMS_U8(Ps2Queue, data_head),
        VMS_U8(Ps2Queue, data_count),
        VMS_U8(Ps2Queue, last),
        VMS_END
    },
};

const VMState vmstate_ps2_kbd = {
    .name = "ps2-kbd",
    .version = 1,
    .minimum_version = 1,
    .post_load = kbd_post_load,
    .fields = (const VMField[]) {
        VMS_STRUCT(Ps2Kbd, q, &vmstate_ps2_queue),
        VMS_U8(Ps2Kbd, pending_command),
        VMS_BOOL(Ps2Kbd, scanning),
        VMS_U8(Ps2Kbd, scan_set),
        VMS_U8(Ps2Kbd, rate),
        VMS_U8(Ps2Kbd, leds),
        VMS_END
    },
};

const VMState vmstate_ps2_mouse = {
    .name = "ps2-mouse",
    .version = 1,
    .minimum_version = 1,
    .post_load = mouse_post_load,
    .fields = (const VMField[]) {
        VMS_STRUCT(Ps2Mouse, q, &vmstate_ps2_queue),
        VMS_U8(Ps2Mouse, pending_command),
        VMS_BOOL(Ps2Mouse, reporting),
        VMS_BOOL(Ps2Mouse, remote),
        VMS_BOOL(Ps2Mouse, wrap),
        VMS_BOOL(Ps2Mouse, scale21),
        VMS_U8(Ps2Mouse, resolution),
        VMS_U8(Ps2Mouse, rate),
        VMS_U8(Ps2Mouse, id),
        VMS_U8(Ps2Mouse, knock),
        VMS_U8(Ps2Mouse, buttons),
        VMS_U8(Ps2Mouse, sent_buttons),
        VMS_I32(Ps2Mouse, dx),
        VMS_I32(Ps2Mouse, dy),
        VMS_I32(Ps2Mouse, dz),
        VMS_END
    },
};
