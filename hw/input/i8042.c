/*
 * 8042 keyboard controller (IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary
 * Device Controller") at ports 0x60 and 0x64, and port 0x92.
 *
 * Commands are executed as they are written, so the input buffer is never full.  The output buffer
 * is filled from the controller's own answer first, then the keyboard, then the mouse.
 *
 * What must hold:
 *  I1  irq_kbd and irq_aux are high exactly while the output buffer holds a byte of that device
 *      and its interrupt is enabled (update_irqs())
 *  I2  a byte leaves a device's queue only while the output buffer is empty and the device's
 *      interface enabled
 * Locks: BQL.
 */
#include "hw/input/i8042.h"
#include "hw/input/ps2-core.h"
#include "system/input.h"
#include "system/runstate.h"
#include "util/log.h"

enum { PORT_DATA = 0x60, PORT_COMMAND = 0x64 };
enum { STAT_OBF = 0x01, STAT_IBF = 0x02, STAT_SYS = 0x04, STAT_CMD = 0x08, STAT_UNLOCKED = 0x10, STAT_AUX = 0x20 };
enum { CFG_KBD_INT = 0x01, CFG_AUX_INT = 0x02, CFG_SYS = 0x04, CFG_KBD_OFF = 0x10, CFG_AUX_OFF = 0x20,
       CFG_TRANSLATE = 0x40 };
enum { OUT_NOT_RESET = 0x01, OUT_A20 = 0x02, OUT_KBD_FULL = 0x10, OUT_AUX_FULL = 0x20, OUT_AT_RESET = 0xcf };

enum {
    CMD_READ_RAM = 0x20, CMD_READ_RAM_LAST = 0x3f, CMD_WRITE_RAM = 0x60, CMD_WRITE_RAM_LAST = 0x7f,
    CMD_AUX_OFF = 0xa7, CMD_AUX_ON = 0xa8, CMD_AUX_TEST = 0xa9, CMD_SELF_TEST = 0xaa, CMD_KBD_TEST = 0xab,
    CMD_KBD_OFF = 0xad, CMD_KBD_ON = 0xae, CMD_READ_INPUT = 0xc0, CMD_READ_OUTPUT = 0xd0, CMD_WRITE_OUTPUT = 0xd1,
    CMD_WRITE_KBD_BUFFER = 0xd2, CMD_WRITE_AUX_BUFFER = 0xd3, CMD_WRITE_AUX = 0xd4, CMD_A20_OFF = 0xdd,
    CMD_A20_ON = 0xdf, CMD_PULSE = 0xf0,
};

#define RAM_LEN 32              /* byte 0 is the configuration ("command byte") */
#define SELF_TEST_OK 0x55

struct I8042 {
    IsaDevice isa;
    MemoryRegion data_port, command_port;
    IrqLine irq_kbd, irq_aux, a20;
    uint8_t kbd_irq_num, aux_irq_num;

    uint8_t ram[RAM_LEN];
    uint8_t status;             /* OBF, SYS, CMD, AUX */
    uint8_t outport;
    uint8_t obuf;
    uint8_t command;            /* waits for its parameter at the data port; 0 = none */
    bool answer_pending, answer_is_aux;     /* the controller's own answer waits for the buffer */
    uint8_t answer;
    bool translate_break;       /* the keyboard's last byte was the set 2 break prefix */
    Ps2Kbd kbd;
    Ps2Mouse mouse;
    InputHandler key_input, pointer_input;
};

/* --- the output buffer --- */

static void update_irqs(I8042 *s)
{
    bool full = s->status & STAT_OBF, aux = s->status & STAT_AUX;

    irq_set(s->irq_kbd, full && !aux && (s->ram[0] & CFG_KBD_INT));
    irq_set(s->irq_aux, full && aux && (s->ram[0] & CFG_AUX_INT));
}

static void put_obuf(I8042 *s, uint8_t val, bool aux)
{
    s->obuf = val;
    s->status = (s->status & ~STAT_AUX) | STAT_OBF | (aux ? STAT_AUX : 0);
}

/* The next keyboard byte as the guest is to see it; false: it was a break prefix and shows in the next one. */
static bool translate(I8042 *s, uint8_t *val)
{
    if (!(s->ram[0] & CFG_TRANSLATE)) {
        return true;
    }
    if (*val == 0xf0) {
        s->translate_break = true;
        return false;
    }
    *val = ps2_set2_to_set1[*val] | (s->translate_break ? 0x80 : 0);
    s->translate_break = false;
    return true;
}

static bool fill_from_kbd(I8042 *s)
{
    while (!(s->ram[0] & CFG_KBD_OFF) && ps2_queue_has_data(&s->kbd.q)) {
        uint8_t val = ps2_queue_pop(&s->kbd.q);

        if (translate(s, &val)) {
            put_obuf(s, val, false);
            return true;
        }
    }
    return false;
}

static void fill_obuf(I8042 *s)
{
    if (s->status & STAT_OBF) {
        return;
    }
    if (s->answer_pending) {
        s->answer_pending = false;
        put_obuf(s, s->answer, s->answer_is_aux);
    } else if (fill_from_kbd(s)) {
        return;
    } else if (!(s->ram[0] & CFG_AUX_OFF) && ps2_queue_has_data(&s->mouse.q)) {
        put_obuf(s, 0, true);   /* full before the pop, which may announce the next packet */
        s->obuf = ps2_mouse_pop(&s->mouse);
    }
}

static void refresh(I8042 *s)
{
    fill_obuf(s);
    update_irqs(s);
}

static void device_ready(void *opaque, unsigned n, int level)
{
    refresh(opaque);
}

static void answer(I8042 *s, uint8_t val, bool aux)
{
    s->answer = val;
    s->answer_is_aux = aux;
    s->answer_pending = true;
}

/* --- commands --- */

static void write_outport(I8042 *s, uint8_t val)
{
    s->outport = val;
    irq_set(s->a20, !!(val & OUT_A20));
    if (!(val & OUT_NOT_RESET)) {
        system_reset_request(SHUTDOWN_CAUSE_GUEST_RESET);
    }
}

/* Bits 4 and 5 follow the output buffer. */
static uint8_t read_outport(const I8042 *s)
{
    uint8_t val = s->outport & ~(OUT_KBD_FULL | OUT_AUX_FULL);

    if (s->status & STAT_OBF) {
        val |= s->status & STAT_AUX ? OUT_AUX_FULL : OUT_KBD_FULL;
    }
    return val;
}

static void write_ram(I8042 *s, unsigned index, uint8_t val)
{
    s->ram[index] = val;
    if (index == 0) {
        s->status = (s->status & ~STAT_SYS) | (val & CFG_SYS ? STAT_SYS : 0);
    }
}

static void self_test(I8042 *s)
{
    s->ram[0] |= CFG_SYS | CFG_KBD_OFF | CFG_AUX_OFF;
    s->status |= STAT_SYS;
    answer(s, SELF_TEST_OK, false);
}

static void pulse_outport(uint8_t command)
{
    if (!(command & OUT_NOT_RESET)) {
        system_reset_request(SHUTDOWN_CAUSE_GUEST_RESET);
    }
}

/* Commands without parameter. */
static void execute(I8042 *s, uint8_t command)
{
    switch (command) {
    case CMD_READ_RAM ... CMD_READ_RAM_LAST:
        answer(s, s->ram[command - CMD_READ_RAM], false);
        break;
    case CMD_AUX_OFF:
        s->ram[0] |= CFG_AUX_OFF;
        break;
    case CMD_AUX_ON:
        s->ram[0] &= ~CFG_AUX_OFF;
        break;
    case CMD_AUX_TEST:
    case CMD_KBD_TEST:
        answer(s, 0, false);
        break;
    case CMD_SELF_TEST:
        self_test(s);
        break;
    case CMD_KBD_OFF:
        s->ram[0] |= CFG_KBD_OFF;
        break;
    case CMD_KBD_ON:
        s->ram[0] &= ~CFG_KBD_OFF;
        break;
    case CMD_READ_INPUT:
        answer(s, 0x80, false);     /* keyboard not locked */
        break;
    case CMD_READ_OUTPUT:
        answer(s, read_outport(s), false);
        break;
    case CMD_A20_OFF:
        write_outport(s, s->outport & ~OUT_A20);
        break;
    case CMD_A20_ON:
        write_outport(s, s->outport | OUT_A20);
        break;
    case CMD_PULSE ... 0xff:
        pulse_outport(command);
        break;
    default:
        guest_error("i8042", "unknown command 0x%02x", command);
        break;
    }
}

static bool takes_parameter(uint8_t command)
{
    return (command >= CMD_WRITE_RAM && command <= CMD_WRITE_RAM_LAST) ||
           (command >= CMD_WRITE_OUTPUT && command <= CMD_WRITE_AUX);
}

static void execute_with_parameter(I8042 *s, uint8_t command, uint8_t val)
{
    switch (command) {
    case CMD_WRITE_OUTPUT:
        write_outport(s, val);
        break;
    case CMD_WRITE_KBD_BUFFER:
        answer(s, val, false);
        break;
    case CMD_WRITE_AUX_BUFFER:
        answer(s, val, true);
        break;
    case CMD_WRITE_AUX:
        s->ram[0] &= ~CFG_AUX_OFF;      /* talking to a device turns its clock on */
        ps2_mouse_write(&s->mouse, val);
        break;
    default:
        write_ram(s, (command - CMD_WRITE_RAM) % RAM_LEN, val);
        break;
    }
}

/* --- ports --- */

static uint64_t data_read(void *opaque, hwaddr addr, unsigned size)
{
    I8042 *s = opaque;
    uint8_t val = s->obuf;

    if (s->status & STAT_OBF) {
        s->status &= ~(STAT_OBF | STAT_AUX);
        update_irqs(s);         /* the line falls before the next byte raises it */
        refresh(s);
    }
    return val;
}

static void data_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    I8042 *s = opaque;
    uint8_t command = s->command;

    s->status &= ~STAT_CMD;
    s->command = 0;
    if (command) {
        execute_with_parameter(s, command, data);
    } else {
        s->ram[0] &= ~CFG_KBD_OFF;
        ps2_kbd_write(&s->kbd, data);
    }
    refresh(s);
}

static uint64_t status_read(void *opaque, hwaddr addr, unsigned size)
{
    I8042 *s = opaque;

    return s->status | STAT_UNLOCKED;
}

static void command_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    I8042 *s = opaque;

    s->status |= STAT_CMD;
    if (takes_parameter(data)) {
        s->command = data;
    } else {
        s->command = 0;
        execute(s, data);
    }
    refresh(s);
}

static const MemoryRegionOps data_ops = {
    .read = data_read,
    .write = data_write,
    .impl = { .min = 1, .max = 1 },
};

static const MemoryRegionOps command_ops = {
    .read = status_read,
    .write = command_write,
    .impl = { .min = 1, .max = 1 },
};

/* --- life --- */

Ps2Kbd *i8042_keyboard(I8042 *s)
{
    return &s->kbd;
}

Ps2Mouse *i8042_mouse(I8042 *s)
{
    return &s->mouse;
}

/* From a user interface: its buttons are numbered otherwise. */
static void pointer_event(void *opaque, const PointerState *p)
{
    I8042 *s = opaque;
    unsigned b = p->buttons;

    ps2_mouse_move(&s->mouse, p->dx, p->dy, p->wheel,
                   (b & INPUT_BUTTON_LEFT ? PS2_BUTTON_LEFT : 0) | (b & INPUT_BUTTON_RIGHT ? PS2_BUTTON_RIGHT : 0) |
                   (b & INPUT_BUTTON_MIDDLE ? PS2_BUTTON_MIDDLE : 0) | (b & INPUT_BUTTON_SIDE ? PS2_BUTTON_SIDE : 0) |
                   (b & INPUT_BUTTON_EXTRA ? PS2_BUTTON_EXTRA : 0));
}

static void key_event(void *opaque, unsigned code, bool down)
{
    I8042 *s = opaque;

    ps2_kbd_key(&s->kbd, code, down);
}

static void add_input_handlers(I8042 *s)
{
    s->key_input = (InputHandler){
        .name = "QEMU PS/2 Keyboard", .takes = INPUT_KEYS, .key = key_event, .opaque = s, .device = &s->isa.dev,
    };
    s->pointer_input = (InputHandler){
        .name = "QEMU PS/2 Mouse", .takes = INPUT_RELATIVE, .pointer = pointer_event, .opaque = s, .device = &s->isa.dev,
    };
    input_handler_add(&s->key_input);
    input_handler_add(&s->pointer_input);
}

static bool i8042_realize(Device *dev, Error **errp)
{
    I8042 *s = I8042_CAST(dev);

    if (!isa_get_irq(&s->isa, s->kbd_irq_num, &s->irq_kbd, errp) ||
        !isa_get_irq(&s->isa, s->aux_irq_num, &s->irq_aux, errp)) {
        return false;
    }
    s->kbd.q.ready = irq_line(device_ready, s, 0);
    s->mouse.q.ready = irq_line(device_ready, s, 1);
    memory_region_init_io(&s->data_port, s, &data_ops, s, "i8042-data", 1);
    memory_region_init_io(&s->command_port, s, &command_ops, s, "i8042-cmd", 1);
    if (!isa_register_ioport(&s->isa, &s->data_port, PORT_DATA, errp)) {
        memory_region_fini(&s->command_port);
        return false;
    }
    if (!isa_register_ioport(&s->isa, &s->command_port, PORT_COMMAND, errp)) {
        isa_unregister_ioport(&s->isa, &s->data_port);
        return false;
    }
    add_input_handlers(s);
    return true;
}

static void i8042_unrealize(Device *dev)
{
    I8042 *s = I8042_CAST(dev);

    input_handler_remove(&s->key_input);
    input_handler_remove(&s->pointer_input);
    irq_lower(s->irq_kbd);
    irq_lower(s->irq_aux);
    isa_unregister_ioport(&s->isa, &s->data_port);
    isa_unregister_ioport(&s->isa, &s->command_port);
}

static void i8042_reset_enter(Device *dev, ResetType type)
{
    I8042 *s = I8042_CAST(dev);

    memset(s->ram, 0, sizeof(s->ram));
    /* As firmware leaves it, for kernels that are booted without: scan codes translated to set 1. */
    s->ram[0] = CFG_KBD_INT | CFG_AUX_INT | CFG_TRANSLATE;
    s->status = 0;
    s->outport = OUT_AT_RESET;
    s->obuf = s->command = 0;
    s->answer_pending = s->translate_break = false;
    ps2_kbd_reset(&s->kbd);
    ps2_mouse_reset(&s->mouse);
}

static void i8042_reset_hold(Device *dev, ResetType type)
{
    I8042 *s = I8042_CAST(dev);

    update_irqs(s);
    irq_raise(s->a20);
}

I8042 *i8042_create(IsaBus *bus, IrqLine a20)
{
    I8042 *s = I8042_CAST(device_new(&i8042_type));

    s->a20 = a20;
    return device_realize_and_unref(&s->isa.dev, &bus->bus, &error_fatal) ? s : NULL;
}

static bool i8042_post_load(void *opaque, unsigned version, Error **errp)
{
    I8042 *s = opaque;

    if (s->command && !takes_parameter(s->command)) {
        error_setg(errp, "i8042: command 0x%02x takes no parameter", s->command);
        return false;
    }
    irq_set(s->a20, !!(s->outport & OUT_A20));
    update_irqs(s);
    return true;
}

static const VMState vmstate_i8042 = {
    .name = "i8042",
    .version = 1,
    .minimum_version = 1,
    .post_load = i8042_post_load,
    .fields = (const VMField[]) {
        VMS_BUFFER(I8042, ram),
        VMS_U8(I8042, status),
        VMS_U8(I8042, outport),
        VMS_U8(I8042, obuf),
        VMS_U8(I8042, command),
        VMS_BOOL(I8042, answer_pending),
        VMS_BOOL(I8042, answer_is_aux),
        VMS_U8(I8042, answer),
        VMS_BOOL(I8042, translate_break),
        VMS_STRUCT(I8042, kbd, &vmstate_ps2_kbd),
        VMS_STRUCT(I8042, mouse, &vmstate_ps2_mouse),
        VMS_END
    },
};

static const Property i8042_properties[] = {
    PROP_UINT8("kbd-irq", I8042, kbd_irq_num, 1, .max = ISA_NUM_IRQS - 1, .help = "the keyboard's interrupt line"),
    PROP_UINT8("mouse-irq", I8042, aux_irq_num, 12, .max = ISA_NUM_IRQS - 1, .help = "the mouse's interrupt line"),
};

static const IrqInputs i8042_inputs[] = {
    { "ps2-kbd-input-irq", 1, device_ready },
    { "ps2-mouse-input-irq", 1, device_ready },
    { 0 }
};
static const IrqOutputs i8042_outputs[] = {
    { NULL, 2, offsetof(I8042, irq_kbd) },
    { "a20", 1, offsetof(I8042, a20) },
    { 0 }
};
_Static_assert(offsetof(I8042, irq_aux) == offsetof(I8042, irq_kbd) + sizeof(IrqLine), "one group of two");

DEVICE_DEFINE(I8042, i8042, "i8042", isa_device,
    .desc = "keyboard controller with PS/2 keyboard and mouse",
    .properties = PROPS(i8042_properties),
    .category = DEVICE_CATEGORY_INPUT,
    .realize = i8042_realize,
    .unrealize = i8042_unrealize,
    .reset_enter = i8042_reset_enter,
    .reset_hold = i8042_reset_hold,
    .vmstate = &vmstate_i8042,
    .irq_inputs = i8042_inputs,
    .irq_outputs = i8042_outputs,
    .not_user_creatable = true,
    .not_hotpluggable = true);

/* --- port 0x92: fast A20 and reset --- */

enum { PORT92_RESET = 0x01, PORT92_A20 = 0x02 };

typedef struct Port92 {
    IsaDevice isa;
    MemoryRegion io;
    IrqLine a20;
    uint8_t value;
} Port92;

static Port92 *PORT92(const void *obj)
{
    return (Port92 *)object_check_cast(obj, &port92_type);
}

static uint64_t port92_read(void *opaque, hwaddr addr, unsigned size)
{
    Port92 *s = opaque;

    return s->value;
}

static void port92_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    Port92 *s = opaque;
    bool reset = (data & PORT92_RESET) && !(s->value & PORT92_RESET);

    s->value = data;
    irq_set(s->a20, !!(data & PORT92_A20));
    if (reset) {
        system_reset_request(SHUTDOWN_CAUSE_GUEST_RESET);
    }
}

static const MemoryRegionOps port92_ops = {
    .read = port92_read,
    .write = port92_write,
    .impl = { .min = 1, .max = 1 },
};

static bool port92_realize(Device *dev, Error **errp)
{
    Port92 *s = PORT92(dev);

    memory_region_init_io(&s->io, s, &port92_ops, s, "port92", 1);
    return isa_register_ioport(&s->isa, &s->io, 0x92, errp);
}

static void port92_unrealize(Device *dev)
{
    Port92 *s = PORT92(dev);

    isa_unregister_ioport(&s->isa, &s->io);
}

static void port92_reset_enter(Device *dev, ResetType type)
{
    PORT92(dev)->value = 0;
}

static void port92_reset_hold(Device *dev, ResetType type)
{
    irq_lower(PORT92(dev)->a20);
}

Device *port92_create(IsaBus *bus, IrqLine a20)
{
    Port92 *s = PORT92(device_new(&port92_type));

    s->a20 = a20;
    return device_realize_and_unref(&s->isa.dev, &bus->bus, &error_fatal) ? &s->isa.dev : NULL;
}

static bool port92_post_load(void *opaque, unsigned version, Error **errp)
{
    Port92 *s = opaque;

    irq_set(s->a20, !!(s->value & PORT92_A20));
    return true;
}

static const VMState vmstate_port92 = {
    .name = "port92",
    .version = 1,
    .minimum_version = 1,
    .post_load = port92_post_load,
    .fields = (const VMField[]) {
        VMS_U8(Port92, value),
        VMS_END
    },
};

static const IrqOutputs port92_outputs[] = { { "a20", 1, offsetof(Port92, a20) }, { 0 } };

DEVICE_DEFINE(Port92, port92, "port92", isa_device,
    .desc = "fast A20 and reset port",
    .realize = port92_realize,
    .unrealize = port92_unrealize,
    .reset_enter = port92_reset_enter,
    .reset_hold = port92_reset_hold,
    .vmstate = &vmstate_port92,
    .irq_outputs = port92_outputs,
    .not_user_creatable = true,
    .not_hotpluggable = true);
