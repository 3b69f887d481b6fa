/*
 * Virtio console device: section 5.3: a controller with up to 31 ports.
 *
 * Queue order (section 5.3.2): receive 0, transmit 0, control receive, control transmit, then a
 * pair for each further port.  A "virtconsole" port is a console (hvc in Linux), a
 * "virtserialport" a named channel.
 *
 * Nothing here grows: output waits in the guest's own buffer until the back end takes it; control
 * messages are at most a few per port.
 */
#include "virtio-serial.h"
#include "qapi/qapi-events.h"
#include "util/log.h"

#define PORT_QUEUE_SIZE    128
#define CONTROL_QUEUE_SIZE 32
#define CONTROL_MAX        256
#define CONTROL_PENDING    256     /* messages kept for a driver that gives no buffers: all ports twice */

/* Feature bits, section 5.3.3 */
enum { SERIAL_F_SIZE = 0, SERIAL_F_MULTIPORT = 1 };
enum { CFG_COLS = 0, CFG_ROWS = 2, CFG_MAX_NR_PORTS = 4, CFG_SIZE = 8 };

/* Control events, section 5.3.6.2 */
enum {
    EV_DEVICE_READY = 0, EV_PORT_ADD = 1, EV_PORT_REMOVE = 2, EV_PORT_READY = 3, EV_CONSOLE_PORT = 4, EV_RESIZE = 5,
    EV_PORT_OPEN = 6, EV_PORT_NAME = 7,
};

OBJECT_DECLARE(VirtioSerial, VIRTIO_SERIAL, virtio_serial)
OBJECT_DECLARE(VirtioSerialPort, VIRTIO_SERIAL_PORT, virtio_serial_port)

BUS_DEFINE(Bus, virtio_serial_bus, "virtio-serial-bus", bus, .desc = "ports of a virtio serial controller")

/* --- control messages --- */

static void control_flush(VirtioSerial *s)
{
    VirtChain chain;

    while (!g_queue_is_empty(s->control_pending) && virtqueue_pop(s->control_in, &chain)) {
        GBytes *msg = g_queue_pop_head(s->control_pending);
        size_t len, done;
        const void *data = g_bytes_get_data(msg, &len);

        done = virtchain_write(&chain, 0, data, len);
        virtqueue_push(s->control_in, &chain, done);
        g_bytes_unref(msg);
    }
    virtqueue_notify(s->control_in);
}

static void control_send(VirtioSerial *s, uint32_t port, uint16_t event, uint16_t value, const char *tail)
{
    uint8_t msg[CONTROL_MAX];
    size_t tail_len = tail ? MIN(strlen(tail), sizeof(msg) - 8) : 0;

    if (!virtio_has_feature(&s->vdev, SERIAL_F_MULTIPORT)) {
        return;
    }
    if (s->control_pending->length == CONTROL_PENDING) {
        guest_error("virtio-serial", "no buffers for control messages: event %u of port %u is lost", event, port);
        return;
    }
    st32_le(msg, port);
    st16_le(msg + 4, event);
    st16_le(msg + 6, value);
    memcpy(msg + 8, tail ? tail : "", tail_len);
    g_queue_push_tail(s->control_pending, g_bytes_new(msg, 8 + tail_len));
    control_flush(s);
}

static void announce_ports(VirtioSerial *s)
{
    for (uint32_t nr = 0; nr < s->max_ports; nr++) {
        if (s->ports[nr]) {
            control_send(s, nr, EV_PORT_ADD, 1, NULL);
        }
    }
}

static void port_became_ready(VirtioSerialPort *p)
{
    p->ready = true;
    if (p->is_console) {
        control_send(p->vs, p->nr, EV_CONSOLE_PORT, 1, NULL);
    }
    if (p->name) {
        control_send(p->vs, p->nr, EV_PORT_NAME, 1, p->name);
    }
    if (p->host_open) {
        control_send(p->vs, p->nr, EV_PORT_OPEN, 1, NULL);
    }
}

static void port_set_guest_open(VirtioSerialPort *p, bool open)
{
    if (p->guest_open != open && p->dev.id) {
        qapi_event_send_vserport_change(p->dev.id, open);
    }
    p->guest_open = open;
    if (!p->is_console) {
        char_set_open(&p->chr, open);
    }
    if (open) {
        char_accept_input(&p->chr);
    }
}

static void control_event(VirtioSerial *s, const uint8_t msg[8])
{
    uint32_t nr = ld32_le(msg);
    uint16_t event = ld16_le(msg + 4), value = ld16_le(msg + 6);
    VirtioSerialPort *p = nr < s->max_ports ? s->ports[nr] : NULL;

    if (event == EV_DEVICE_READY) {
        if (value) {
            announce_ports(s);
        }
        return;
    }
    if (!p) {
        guest_error("virtio-serial", "event %u for port %u, which is not there", event, nr);
        return;
    }
    switch (event) {
    case EV_PORT_READY:
        if (value) {
            port_became_ready(p);
        }
        break;
    case EV_PORT_OPEN:
        port_set_guest_open(p, value);
        break;
    default:
        guest_error("virtio-serial", "control event %u", event);
    }
}

static void handle_control_in(VirtioDevice *vdev, VirtQueue *vq)
{
    control_flush(VIRTIO_SERIAL(vdev));
}

static void handle_control_out(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtChain chain;

    while (virtqueue_pop(vq, &chain)) {
        uint8_t msg[8];
        bool whole = virtchain_read(&chain, 0, msg, sizeof(msg)) == sizeof(msg);

        virtqueue_push(vq, &chain, 0);
        if (whole) {
            control_event(VIRTIO_SERIAL(vdev), msg);
        }
    }
    virtqueue_notify(vq);
}

/* --- data --- */

static unsigned port_of_queue(VirtQueue *vq)
{
    unsigned i = virtqueue_index(vq) / 2;

    return i < 2 ? 0 : i - 1;
}

/* Write what is left of the present buffer; true when it is all out. */
static bool port_write_out(VirtioSerialPort *p)
{
    uint8_t buf[4096];

    while (p->out_done < p->out.out_len) {
        size_t n = virtchain_read(&p->out, p->out_done, buf, sizeof(buf));
        size_t taken = p->chr.chr ? char_write(&p->chr, buf, n) : n;

        p->out_done += taken;
        if (taken < n) {
            return false;       /* .writable comes when there is room */
        }
    }
    return true;
}

static void port_flush_out(VirtioSerialPort *p)
{
    VirtQueue *vq = p->vs->out[p->nr];

    for (;;) {
        if (!p->have_out) {
            if (!virtqueue_pop(vq, &p->out)) {
                break;
            }
            p->have_out = true;
            p->out_done = 0;
        }
        if (!port_write_out(p)) {
            break;
        }
        p->have_out = false;
        virtqueue_push(vq, &p->out, 0);
    }
    virtqueue_notify(vq);
}

static void drop_out(VirtioSerialPort *p)
{
    if (p->have_out) {
        p->have_out = false;
        virtchain_detach(&p->out);
    }
}

static void handle_out(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioSerialPort *p = VIRTIO_SERIAL(vdev)->ports[port_of_queue(vq)];
    VirtChain chain;

    if (p) {
        port_flush_out(p);
        return;
    }
    while (virtqueue_pop(vq, &chain)) {         /* no such port: output goes nowhere */
        virtqueue_push(vq, &chain, 0);
    }
    virtqueue_notify(vq);
}

static void handle_in(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioSerialPort *p = VIRTIO_SERIAL(vdev)->ports[port_of_queue(vq)];

    if (p) {
        char_accept_input(&p->chr);
    }
}

/* Room for input: the buffers the guest has queued, looked at one at a time. */
static size_t port_can_receive(void *opaque)
{
    VirtioSerialPort *p = opaque;
    bool listening = p->guest_open || !virtio_has_feature(&p->vs->vdev, SERIAL_F_MULTIPORT);
    VirtChain chain;
    size_t room;

    if (!listening || !(p->vs->vdev.status & VIRTIO_STATUS_DRIVER_OK) || !virtqueue_pop(p->vs->in[p->nr], &chain)) {
        return 0;
    }
    room = chain.in_len;
    virtqueue_unpop(p->vs->in[p->nr], &chain);
    return room;
}

static void port_receive(void *opaque, const uint8_t *buf, size_t len)
{
    VirtioSerialPort *p = opaque;
    VirtQueue *vq = p->vs->in[p->nr];
    VirtChain chain;

    while (len && virtqueue_pop(vq, &chain)) {
        size_t n = virtchain_write(&chain, 0, buf, len);

        virtqueue_push(vq, &chain, n);
        buf += n;
        len -= n;
    }
    virtqueue_notify(vq);
}

static void port_writable(void *opaque)
{
    port_flush_out(opaque);
}

static void port_event(void *opaque, CharEvent ev)
{
    VirtioSerialPort *p = opaque;
    bool open = ev == CHAR_EVENT_OPENED;

    if ((open || ev == CHAR_EVENT_CLOSED) && p->host_open != open) {
        p->host_open = open;
        if (p->ready) {
            control_send(p->vs, p->nr, EV_PORT_OPEN, open, NULL);
        }
    }
}

static const CharHandlers console_handlers = {
    .can_receive = port_can_receive, .receive = port_receive, .event = port_event, .writable = port_writable,
    .swappable = true,
};

static const CharHandlers port_handlers = {
    .can_receive = port_can_receive, .receive = port_receive, .event = port_event, .writable = port_writable,
    .swappable = true, .opens_later = true,
};

/* --- ports --- */

static bool port_choose_number(VirtioSerialPort *p, VirtioSerial *s, Error **errp)
{
    if (p->nr == UINT32_MAX) {
        for (p->nr = p->is_console ? 0 : 1; p->nr < s->max_ports && s->ports[p->nr]; p->nr++) {
        }
        if (p->nr >= s->max_ports) {
            error_setg(errp, "virtio-serial: all %u ports are taken", s->max_ports);
            return false;
        }
    }
    if (p->nr >= s->max_ports) {
        error_setg(errp, "%s.nr must be 0..%u, got %u", p->dev.obj.type->name, s->max_ports - 1, p->nr);
        return false;
    }
    if (p->nr == 0 && !p->is_console) {
        error_setg(errp, "port number 0 is for consoles only");
        return false;
    }
    if (s->ports[p->nr]) {
        error_setg(errp, "virtio-serial port %u is already in use", p->nr);
        return false;
    }
    return true;
}

static bool port_realize(Device *dev, Error **errp)
{
    VirtioSerialPort *p = VIRTIO_SERIAL_PORT(dev);
    VirtioSerial *s = VIRTIO_SERIAL(dev->parent_bus->parent_dev);

    if (!port_choose_number(p, s, errp)) {
        return false;
    }
    p->vs = s;
    p->host_open = p->is_console;
    s->ports[p->nr] = p;
    char_backend_set_handlers(&p->chr, p->is_console ? &console_handlers : &port_handlers, p);
    control_send(s, p->nr, EV_PORT_ADD, 1, NULL);
    return true;
}

static void port_unrealize(Device *dev)
{
    VirtioSerialPort *p = VIRTIO_SERIAL_PORT(dev);

    control_send(p->vs, p->nr, EV_PORT_REMOVE, 1, NULL);
    drop_out(p);
    char_backend_deinit(&p->chr);
    p->vs->ports[p->nr] = NULL;
}

static void console_init(Object *obj)
{
    VIRTIO_SERIAL_PORT(obj)->is_console = true;
}

static const Property port_properties[] = {
    PROP_UINT32("nr", VirtioSerialPort, nr, UINT32_MAX, .help = "port number; 4294967295 = first free"),
    PROP_STRING("name", VirtioSerialPort, name, .help = "name the guest sees"),
    PROP_CHARDEV("chardev", VirtioSerialPort, chr, .help = "back end; none = output discarded"),
};

static const VMState vmstate_port = {
    .name = "virtserialport", .version = 1, .minimum_version = 1,
    .fields = (const VMField[]){
        VMS_BOOL(VirtioSerialPort, guest_open), VMS_BOOL(VirtioSerialPort, host_open), VMS_BOOL(VirtioSerialPort, ready),
        VMS_END,
    },
};

DEVICE_DEFINE_ABSTRACT(VirtioSerialPort, virtio_serial_port, "virtio-serial-port", device,
    .category = DEVICE_CATEGORY_INPUT,
    .bus_type = &virtio_serial_bus_type,
    .properties = PROPS(port_properties),
    .realize = port_realize,
    .unrealize = port_unrealize,
    .not_hotpluggable = true,
)

DEVICE_DEFINE(VirtioSerialPort, virtserialport, "virtserialport", virtio_serial_port,
    .desc = "named channel of a virtio serial controller",
    .vmstate = &vmstate_port,
)

DEVICE_DEFINE(VirtioSerialPort, virtconsole, "virtconsole", virtio_serial_port,
    .desc = "console of a virtio serial controller",
    .init = console_init,
    .vmstate = &vmstate_port,
)

/* --- the controller --- */

static uint64_t serial_get_features(VirtioDevice *vdev)
{
    return VIRTIO_SERIAL(vdev)->max_ports > 1 ? 1ULL << SERIAL_F_MULTIPORT : 0;
}

static void serial_get_config(VirtioDevice *vdev, uint8_t *config)
{
    st32_le(config + CFG_MAX_NR_PORTS, VIRTIO_SERIAL(vdev)->max_ports);
}

static void control_clear(VirtioSerial *s)
{
    GBytes *msg;

    while ((msg = g_queue_pop_head(s->control_pending)) != NULL) {
        g_bytes_unref(msg);
    }
}

static void serial_device_reset(VirtioDevice *vdev)
{
    VirtioSerial *s = VIRTIO_SERIAL(vdev);

    control_clear(s);
    for (uint32_t nr = 0; nr < s->max_ports; nr++) {
        if (s->ports[nr]) {
            drop_out(s->ports[nr]);
            port_set_guest_open(s->ports[nr], false);
            s->ports[nr]->ready = false;
        }
    }
}

static void serial_init(Object *obj)
{
    VirtioSerial *s = VIRTIO_SERIAL(obj);

    s->control_pending = g_queue_new();
}

static void serial_fini(Object *obj)
{
    VirtioSerial *s = VIRTIO_SERIAL(obj);

    control_clear(s);
    g_queue_free(s->control_pending);
}

static bool serial_realize(Device *dev, Error **errp)
{
    VirtioSerial *s = VIRTIO_SERIAL(dev);
    /* The user's id is on the PCI proxy, if there is one: "-device virtserialport,bus=ID.0". */
    Device *proxy = object_is(dev->obj.parent, &device_type) ? DEVICE(dev->obj.parent) : dev;
    g_autofree char *bus_name = g_strdup_printf("%s.0", proxy->id ? proxy->id : "virtio-serial-bus");

    bus_init_embedded(&s->bus, &virtio_serial_bus_type, dev, bus_name);
    for (uint32_t nr = 0; nr < s->max_ports; nr++) {
        s->in[nr] = virtio_add_queue(&s->vdev, "receiveq", PORT_QUEUE_SIZE, handle_in);
        s->out[nr] = virtio_add_queue(&s->vdev, "transmitq", PORT_QUEUE_SIZE, handle_out);
        if (nr == 0) {
            s->control_in = virtio_add_queue(&s->vdev, "control receiveq", CONTROL_QUEUE_SIZE, handle_control_in);
            s->control_out = virtio_add_queue(&s->vdev, "control transmitq", CONTROL_QUEUE_SIZE, handle_control_out);
        }
    }
    return true;
}

static void serial_unrealize(Device *dev)
{
    object_unparent(&VIRTIO_SERIAL(dev)->bus);
}

static const Property serial_properties[] = {
    PROP_UINT32("max_ports", VirtioSerial, max_ports, VIRTIO_SERIAL_MAX_PORTS, .min = 1, .max = VIRTIO_SERIAL_MAX_PORTS,
                .help = "number of ports"),
};

VIRTIO_DEVICE_DEFINE(VirtioSerial, virtio_serial, "virtio-serial",
    .desc = "virtio serial controller",
    .category = DEVICE_CATEGORY_INPUT,
    .virtio_id = VIRTIO_ID_CONSOLE,
    .pci_class = PCI_CLASS_COMMUNICATION_OTHER,
    .default_vectors = 2,
    .config_size = CFG_SIZE,
    .init = serial_init,
    .fini = serial_fini,
    .properties = PROPS(serial_properties),
    .realize = serial_realize,
    .unrealize = serial_unrealize,
    .get_features = serial_get_features,
    .get_config = serial_get_config,
    .device_reset = serial_device_reset,
    .vmstate = &vmstate_none,
)
