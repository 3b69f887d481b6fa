/*
 * "usb-tablet", "usb-mouse", "usb-kbd": human interface devices.
 *
 * References: Device Class Definition for HID 1.11 (section 7.2: requests; appendix B: boot protocol; E: an example), HID Usage
 * Tables 1.12.
 *
 * Each report is 4 to 8 bytes.  What happens between two polls is kept in a ring of reports; motion alone is gathered into the
 * newest.  When the ring is full motion is lost, for keys the oldest stays.
 */
#include "hw/usb/usb.h"
#include "system/input.h"
#include "util/log.h"

enum { HID_GET_REPORT = 1, HID_GET_IDLE = 2, HID_GET_PROTOCOL = 3, HID_SET_REPORT = 9, HID_SET_IDLE = 10, HID_SET_PROTOCOL = 11 };

#define RING        16
#define EVENT_EP    1

typedef struct PointerReport {
    int32_t x, y, wheel;                /* tablet: position; mouse: what is still to be told */
    uint32_t buttons;
} PointerReport;

typedef struct UsbHid {
    UsbDevice usb;
    InputHandler input;

    uint8_t protocol, leds;
    uint32_t head, n;                   /* of the ring */
    PointerReport pointer[RING], now;
    uint8_t keys[RING];                 /* usages, as they went down or up */
    bool key_down[RING];
    uint8_t modifiers, held[6], n_held;
} UsbHid;

OBJECT_DECLARE(UsbHid, USB_HID, usb_hid)        /* "usb-hid", abstract */

/* Per type. */
typedef struct HidKind {
    const uint8_t *report;
    uint16_t report_len;
    const char *name;
    unsigned takes;
    uint8_t size;                       /* of a report */
} HidKind;

/* --- descriptors --- */

static const uint8_t tablet_report[] = {
    0x05, 0x01, 0x09, 0x02, 0xa1, 0x01, 0x09, 0x01, 0xa1, 0x00,        /* generic desktop, mouse: application, pointer: physical */
    0x05, 0x09, 0x19, 0x01, 0x29, 0x05, 0x15, 0x00, 0x25, 0x01,        /* buttons 1 to 5, 0 to 1 */
    0x95, 0x05, 0x75, 0x01, 0x81, 0x02, 0x95, 0x01, 0x75, 0x03, 0x81, 0x01,    /* five bits; three of padding */
    0x05, 0x01, 0x09, 0x30, 0x09, 0x31, 0x15, 0x00, 0x26, 0xff, 0x7f,  /* X, Y: 0 to 0x7fff */
    0x35, 0x00, 0x46, 0xff, 0x7f, 0x75, 0x10, 0x95, 0x02, 0x81, 0x02,  /* 16 bits each, absolute */
    0x05, 0x01, 0x09, 0x38, 0x15, 0x81, 0x25, 0x7f, 0x35, 0x00, 0x45, 0x00, 0x75, 0x08, 0x95, 0x01, 0x81, 0x06,    /* wheel */
    0xc0, 0xc0,
};

static const uint8_t mouse_report[] = {
    0x05, 0x01, 0x09, 0x02, 0xa1, 0x01, 0x09, 0x01, 0xa1, 0x00,
    0x05, 0x09, 0x19, 0x01, 0x29, 0x05, 0x15, 0x00, 0x25, 0x01, 0x95, 0x05, 0x75, 0x01, 0x81, 0x02,
    0x95, 0x01, 0x75, 0x03, 0x81, 0x01,
    0x05, 0x01, 0x09, 0x30, 0x09, 0x31, 0x09, 0x38, 0x15, 0x81, 0x25, 0x7f, 0x75, 0x08, 0x95, 0x03, 0x81, 0x06,
    0xc0, 0xc0,
};

static const uint8_t kbd_report[] = {
    0x05, 0x01, 0x09, 0x06, 0xa1, 0x01,                                 /* keyboard */
    0x75, 0x01, 0x95, 0x08, 0x05, 0x07, 0x19, 0xe0, 0x29, 0xe7, 0x15, 0x00, 0x25, 0x01, 0x81, 0x02,    /* modifiers */
    0x95, 0x01, 0x75, 0x08, 0x81, 0x01,                                 /* a byte that is reserved */
    0x95, 0x05, 0x75, 0x01, 0x05, 0x08, 0x19, 0x01, 0x29, 0x05, 0x91, 0x02, 0x95, 0x01, 0x75, 0x03, 0x91, 0x01,    /* LEDs */
    0x95, 0x06, 0x75, 0x08, 0x15, 0x00, 0x25, 0xff, 0x05, 0x07, 0x19, 0x00, 0x29, 0xff, 0x81, 0x00,    /* six keys */
    0xc0,
};

#define DEVICE_DESC(product) { \
    18, USB_DESC_DEVICE, 0x00, 0x02, 0, 0, 0, 64, 0x27, 0x06, product, 0x00, 0x00, 0x00, 1, 2, 3, 1 }
/* One interface of class HID, one interrupt endpoint polled each 2^(interval - 1) * 125 us. */
#define CONFIG_DESC(subclass, proto, report, packet, interval) { \
    9, USB_DESC_CONFIG, 34, 0, 1, 1, 0, 0xa0, 50, \
    9, 4, 0, 0, 1, 3, subclass, proto, 0, \
    9, USB_DESC_HID, 0x01, 0x00, 0, 1, USB_DESC_REPORT, sizeof(report), 0, \
    7, 5, USB_IN | EVENT_EP, 3, packet, 0, interval }

static const uint8_t tablet_device[] = DEVICE_DESC(1), mouse_device[] = DEVICE_DESC(1), kbd_device[] = DEVICE_DESC(1);
static const uint8_t tablet_config[] = CONFIG_DESC(0, 0, tablet_report, 8, 4);
static const uint8_t mouse_config[] = CONFIG_DESC(1, 2, mouse_report, 4, 7);
static const uint8_t kbd_config[] = CONFIG_DESC(1, 1, kbd_report, 8, 7);
static const char *const tablet_strings[] = { "QEMU", "QEMU USB Tablet", "42", NULL };
static const char *const mouse_strings[] = { "QEMU", "QEMU USB Mouse", "89126", NULL };
static const char *const kbd_strings[] = { "QEMU", "QEMU USB Keyboard", "68284", NULL };

static const UsbDescriptors tablet_descriptors = { tablet_device, tablet_config, sizeof(tablet_config), tablet_strings, USB_SPEED_HIGH };
static const UsbDescriptors mouse_descriptors = { mouse_device, mouse_config, sizeof(mouse_config), mouse_strings, USB_SPEED_HIGH };
static const UsbDescriptors kbd_descriptors = { kbd_device, kbd_config, sizeof(kbd_config), kbd_strings, USB_SPEED_HIGH };

static const HidKind tablet_kind = { tablet_report, sizeof(tablet_report), "QEMU HID Tablet", INPUT_ABSOLUTE, 6 };
static const HidKind mouse_kind = { mouse_report, sizeof(mouse_report), "QEMU HID Mouse", INPUT_RELATIVE, 4 };
static const HidKind kbd_kind = { kbd_report, sizeof(kbd_report), "QEMU HID Keyboard", INPUT_KEYS, 8 };

static const HidKind *kind_of(const UsbHid *h)
{
    const UsbDescriptors *d = usb_device_info(&h->usb)->descriptors;

    return d == &tablet_descriptors ? &tablet_kind : d == &mouse_descriptors ? &mouse_kind : &kbd_kind;
}

/* --- keys: scan codes of set 1 (0x80 added for those after E0) to usages, HID Usage Tables section 10 --- */

static const uint8_t usage_of_code[256] = {
    [0x01] = 0x29, 0x1e, 0x1f, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x2d, 0x2e, 0x2a, 0x2b,
    [0x10] = 0x14, 0x1a, 0x08, 0x15, 0x17, 0x1c, 0x18, 0x0c, 0x12, 0x13, 0x2f, 0x30, 0x28, 0xe0, 0x04, 0x16,
    [0x20] = 0x07, 0x09, 0x0a, 0x0b, 0x0d, 0x0e, 0x0f, 0x33, 0x34, 0x35, 0xe1, 0x31, 0x1d, 0x1b, 0x06, 0x19,
    [0x30] = 0x05, 0x11, 0x10, 0x36, 0x37, 0x38, 0xe5, 0x55, 0xe2, 0x2c, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e,
    [0x40] = 0x3f, 0x40, 0x41, 0x42, 0x43, 0x53, 0x47, 0x5f, 0x60, 0x61, 0x56, 0x5c, 0x5d, 0x5e, 0x57, 0x59,
    [0x50] = 0x5a, 0x5b, 0x62, 0x63, 0x46, 0x00, 0x64, 0x44, 0x45,
    [0x70] = 0x88, [0x73] = 0x87, [0x79] = 0x8a, [0x7b] = 0x8b, [0x7d] = 0x89,
    [0x9c] = 0x58, [0x9d] = 0xe4, [0xb5] = 0x54, [0xb7] = 0x46, [0xb8] = 0xe6, [0xc6] = 0x48, [0xc7] = 0x4a, [0xc8] = 0x52,
    [0xc9] = 0x4b, [0xcb] = 0x50, [0xcd] = 0x4f, [0xcf] = 0x4d, [0xd0] = 0x51, [0xd1] = 0x4e, [0xd2] = 0x49, [0xd3] = 0x4c,
    [0xdb] = 0xe3, [0xdc] = 0xe7, [0xdd] = 0x65, [0xde] = 0x66,
};

static void hid_key(void *opaque, unsigned code, bool down)
{
    UsbHid *h = opaque;
    uint8_t usage = code < ARRAY_SIZE(usage_of_code) ? usage_of_code[code] : 0;
    unsigned at = (h->head + h->n) % RING;

    if (!usage || h->n == RING) {
        return;
    }
    h->keys[at] = usage;
    h->key_down[at] = down;
    h->n++;
    usb_wakeup(&h->usb, EVENT_EP);
}

static void apply_key(UsbHid *h, uint8_t usage, bool down)
{
    unsigned i = 0;

    if (usage >= 0xe0) {
        h->modifiers = down ? h->modifiers | 1 << (usage & 7) : h->modifiers & ~(1 << (usage & 7));
        return;
    }
    while (i < h->n_held && h->held[i] != usage) {
        i++;
    }
    if (down && i == h->n_held && h->n_held < sizeof(h->held)) {
        h->held[h->n_held++] = usage;
    } else if (!down && i < h->n_held) {
        h->held[i] = h->held[--h->n_held];
    }
}

static void kbd_fill(UsbHid *h, uint8_t *out, bool take)
{
    if (take && h->n) {
        apply_key(h, h->keys[h->head], h->key_down[h->head]);
        h->head = (h->head + 1) % RING;
        h->n--;
    }
    memset(out, 0, 8);
    out[0] = h->modifiers;
    memcpy(out + 2, h->held, h->n_held);
}

/* --- pointers --- */

static void hid_pointer(void *opaque, const PointerState *p)
{
    UsbHid *h = opaque;
    bool absolute = kind_of(h)->takes == INPUT_ABSOLUTE;
    PointerReport *last = h->n ? &h->pointer[(h->head + h->n - 1) % RING] : NULL, r = {
        .x = absolute ? p->x : p->dx, .y = absolute ? p->y : p->dy, .wheel = -p->wheel, .buttons = p->buttons,
    };

    if (last && last->buttons == r.buttons) {           /* no click between: one report tells both */
        last->x = absolute ? r.x : last->x + r.x;
        last->y = absolute ? r.y : last->y + r.y;
        last->wheel += r.wheel;
    } else if (h->n < RING) {
        h->pointer[(h->head + h->n++) % RING] = r;
    } else {
        guest_error("usb-hid", "the guest does not poll: a click is lost");
    }
    usb_wakeup(&h->usb, EVENT_EP);
}

static uint8_t button_bits(uint32_t b)
{
    return (b & INPUT_BUTTON_LEFT ? 1 : 0) | (b & INPUT_BUTTON_RIGHT ? 2 : 0) | (b & INPUT_BUTTON_MIDDLE ? 4 : 0)
        | (b & INPUT_BUTTON_SIDE ? 8 : 0) | (b & INPUT_BUTTON_EXTRA ? 16 : 0);
}

/* As much of *@v as a signed byte takes. */
static uint8_t take_delta(int32_t *v)
{
    int32_t d = CLAMP(*v, -127, 127);

    *v -= d;
    return (uint8_t)d;
}

static void pointer_fill(UsbHid *h, uint8_t *out, bool take)
{
    bool absolute = kind_of(h)->takes == INPUT_ABSOLUTE;
    PointerReport none = h->now, *r = take && h->n ? &h->pointer[h->head] : &none;

    none.wheel = 0;
    out[0] = button_bits(r->buttons);
    if (absolute) {
        st16_le(out + 1, (uint16_t)CLAMP(r->x, 0, INPUT_ABS_MAX));
        st16_le(out + 3, (uint16_t)CLAMP(r->y, 0, INPUT_ABS_MAX));
        out[5] = take_delta(&r->wheel);
    } else {
        out[1] = r == &none ? 0 : take_delta(&r->x);
        out[2] = r == &none ? 0 : take_delta(&r->y);
        out[3] = take_delta(&r->wheel);
    }
    h->now = *r;
    if (r != &none && !r->wheel && (absolute || (!r->x && !r->y))) {
        h->head = (h->head + 1) % RING;
        h->n--;
    }
}

static size_t fill(UsbHid *h, uint8_t *out, bool take)
{
    if (kind_of(h)->takes == INPUT_KEYS) {
        kbd_fill(h, out, take);
    } else {
        pointer_fill(h, out, take);
    }
    return kind_of(h)->size;
}

/* --- requests --- */

static UsbResult hid_control(UsbDevice *d, const UsbSetup *s, uint8_t *data, size_t *len)
{
    UsbHid *h = USB_HID(d);
    const HidKind *kind = kind_of(h);
    uint8_t report[8];

    switch (s->type << 8 | s->request) {
    case (USB_IN | USB_TO_INTERFACE) << 8 | USB_REQ_GET_DESCRIPTOR:
        if (s->value >> 8 == USB_DESC_REPORT) {
            return usb_answer(data, len, kind->report, kind->report_len);
        }
        return s->value >> 8 == USB_DESC_HID ? usb_answer(data, len, usb_device_info(d)->descriptors->config + 18, 9) : USB_STALL;
    case (USB_IN | USB_CLASS | USB_TO_INTERFACE) << 8 | HID_GET_REPORT:
        return usb_answer(data, len, report, fill(h, report, false));
    case (USB_IN | USB_CLASS | USB_TO_INTERFACE) << 8 | HID_GET_IDLE:
        return usb_answer(data, len, &(uint8_t){ 0 }, 1);
    case (USB_IN | USB_CLASS | USB_TO_INTERFACE) << 8 | HID_GET_PROTOCOL:
        return usb_answer(data, len, &h->protocol, 1);
    case (USB_CLASS | USB_TO_INTERFACE) << 8 | HID_SET_REPORT:
        h->leds = *len ? data[0] : 0;
        return kind->takes == INPUT_KEYS ? USB_OK : USB_STALL;
    case (USB_CLASS | USB_TO_INTERFACE) << 8 | HID_SET_IDLE:
        return s->value >> 8 ? USB_STALL : USB_OK;      /* reports come when something changed, never again and again */
    case (USB_CLASS | USB_TO_INTERFACE) << 8 | HID_SET_PROTOCOL:
        h->protocol = s->value & 1;
        return USB_OK;
    default:
        return USB_STALL;
    }
}

static UsbResult hid_in(UsbDevice *d, unsigned ep, uint8_t *data, size_t *len)
{
    UsbHid *h = USB_HID(d);
    uint8_t report[8];

    if (ep != EVENT_EP) {
        return USB_STALL;
    }
    if (!h->n) {
        return USB_NAK;
    }
    return usb_answer(data, len, report, fill(h, report, true));
}

static void hid_handle_reset(UsbDevice *d)
{
    UsbHid *h = USB_HID(d);

    h->protocol = 1;
    h->leds = h->modifiers = h->n_held = 0;
    h->head = h->n = 0;
    h->now = (PointerReport){ 0 };
}

/* --- life --- */

static bool hid_realize(Device *dev, Error **errp)
{
    UsbHid *h = USB_HID(dev);
    const HidKind *kind = kind_of(h);

    h->input = (InputHandler){
        .name = kind->name, .takes = kind->takes, .key = hid_key, .pointer = hid_pointer, .opaque = h, .device = dev,
    };
    input_handler_add(&h->input);
    return true;
}

static void hid_unrealize(Device *dev)
{
    input_handler_remove(&USB_HID(dev)->input);
}

static bool hid_post_load(void *opaque, unsigned version, Error **errp)
{
    UsbHid *h = opaque;

    if (h->head >= RING || h->n > RING || h->n_held > sizeof(h->held)) {
        error_setg(errp, "usb-hid: ring %u+%u or %u held keys out of range", h->head, h->n, h->n_held);
        return false;
    }
    return true;
}

static const VMField report_fields[] = {
    VMS_I32(PointerReport, x), VMS_I32(PointerReport, y), VMS_I32(PointerReport, wheel), VMS_U32(PointerReport, buttons), VMS_END
};

static const VMState vmstate_report = { .name = "usb-hid/report", .version = 1, .minimum_version = 1, .fields = report_fields };

static const VMState vmstate_hid = {
    .name = "usb-hid", .version = 1, .minimum_version = 1, .post_load = hid_post_load,
    .fields = (const VMField[]){
        VMS_USB_DEVICE(UsbHid), VMS_U8(UsbHid, protocol), VMS_U8(UsbHid, leds), VMS_U32(UsbHid, head),
        VMS_U32(UsbHid, n), VMS_STRUCT_ARRAY(UsbHid, pointer, &vmstate_report), VMS_STRUCT(UsbHid, now, &vmstate_report),
        VMS_BUFFER(UsbHid, keys), VMS_BUFFER(UsbHid, key_down), VMS_U8(UsbHid, modifiers), VMS_BUFFER(UsbHid, held),
        VMS_U8(UsbHid, n_held), VMS_END,
    },
};

USB_DEVICE_DEFINE_ABSTRACT(UsbHid, usb_hid, "usb-hid", usb_device,
    .category       = DEVICE_CATEGORY_INPUT,
    .realize        = hid_realize,
    .unrealize      = hid_unrealize,
)

#define HID_DEFINE(snake, type_name, text, descs)           \
    USB_DEVICE_DEFINE(UsbHid, snake, type_name, usb_hid,    \
        .desc           = text,                             \
        .descriptors    = &descs,                           \
        .handle_reset   = hid_handle_reset,                 \
        .handle_control = hid_control,                      \
        .handle_in      = hid_in,                           \
        .vmstate        = &vmstate_hid,                     \
    )

HID_DEFINE(usb_tablet, "usb-tablet", "USB tablet: a pointer with absolute positions", tablet_descriptors)
HID_DEFINE(usb_mouse, "usb-mouse", "USB mouse", mouse_descriptors)
HID_DEFINE(usb_kbd, "usb-kbd", "USB keyboard", kbd_descriptors)
