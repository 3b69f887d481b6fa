/*
 * USB buses and what all devices answer: descriptors, address, configuration, features (USB 2.0, chapter 9).
 */
#include "hw/usb/usb.h"
#include "util/log.h"

enum { FEATURE_ENDPOINT_HALT = 0, FEATURE_REMOTE_WAKEUP = 1 };
enum { CONFIG_VALUE_AT = 5, CONFIG_ATTRIBUTES_AT = 7, ATTRIBUTE_SELF_POWERED = 0x40, DEVICE_SERIAL_AT = 16 };

#define LANGUAGE_US_ENGLISH 0x0409

/* --- buses --- */

static char *bus_fw_name(Bus *bus, Device *dev)
{
    return g_strdup_printf("usb@%u", USB_DEVICE(dev)->port);
}

/* Port of "port=", or the first free one; 0 and @errp. */
static unsigned choose_port(const UsbBus *bus, const char *path, Error **errp)
{
    char *end;
    unsigned long n;

    if (!path) {
        for (unsigned i = 0; i < bus->n_ports; i++) {
            if (!bus->at[i]) {
                return i + 1;
            }
        }
        error_setg(errp, "no free port on bus %s: all %u are taken", bus->bus.obj.name, bus->n_ports);
        return 0;
    }
    n = strtoul(path, &end, 10);
    if (!g_ascii_isdigit(*path) || *end || n < 1 || n > bus->n_ports) {
        error_setg(errp, "port '%s' is none of bus %s: it has 1 to %u, and there are no hubs", path, bus->bus.obj.name, bus->n_ports);
        return 0;
    }
    if (bus->at[n - 1]) {
        error_setg(errp, "port '%s' of bus %s is in use", path, bus->bus.obj.name);
        return 0;
    }
    return (unsigned)n;
}

static bool bus_check_address(Bus *b, Device *dev, Error **errp)
{
    return choose_port(USB_BUS(b), USB_DEVICE(dev)->port_path, errp) != 0;
}

BUS_DEFINE(UsbBus, usb_bus, "usb-bus", bus,
    .desc = "Universal Serial Bus",
    .fw_name = bus_fw_name,
    .check_address = bus_check_address,
)

static bool unplug_request(void *opaque, Device *dev, Error **errp)
{
    device_unplug_done(dev);            /* a cable can be pulled at any time */
    return true;
}

static const HotplugHandler usb_hotplug = { .unplug_request = unplug_request };

void usb_bus_init(UsbBus *bus, Device *controller, const UsbBusOps *ops, void *opaque, unsigned n_ports)
{
    g_autofree char *name = g_strdup_printf("%s.0", controller->id ? controller->id : "usb-bus");

    bus_init_embedded(bus, &usb_bus_type, controller, name);
    bus->ops = ops;
    bus->controller = opaque;
    bus->n_ports = MIN(n_ports, USB_PORTS_MAX);
    memset(bus->at, 0, sizeof(bus->at));
    bus_set_hotplug_handler(&bus->bus, &usb_hotplug, bus);
}

/* --- requests --- */

UsbSpeed usb_speed(const UsbDevice *d)
{
    return usb_device_info(d)->descriptors->speed;
}

void usb_reset(UsbDevice *d)
{
    d->address = d->configuration = 0;
    d->remote_wakeup = false;
    d->halted_in = 0;
    if (usb_device_info(d)->handle_reset) {
        usb_device_info(d)->handle_reset(d);
    }
}

UsbResult usb_answer(uint8_t *data, size_t *len, const void *from, size_t n)
{
    *len = MIN(n, *len);
    memcpy(data, from, *len);
    return USB_OK;
}

static UsbResult get_string(const UsbDevice *d, unsigned n, uint8_t *data, size_t *len)
{
    const UsbDescriptors *desc = usb_device_info(d)->descriptors;
    uint8_t out[254] = { 4, USB_DESC_STRING, LANGUAGE_US_ENGLISH & 0xff, LANGUAGE_US_ENGLISH >> 8 };
    unsigned count = 0;
    const char *text;

    if (n == 0) {
        return usb_answer(data, len, out, 4);
    }
    while (desc->strings[count]) {
        count++;
    }
    if (n > count) {
        return USB_STALL;
    }
    text = d->serial && n == desc->device[DEVICE_SERIAL_AT] ? d->serial : desc->strings[n - 1];
    out[0] = 2;
    for (; *text && out[0] < sizeof(out); text++) {
        out[out[0]++] = (uint8_t)*text;
        out[out[0]++] = 0;
    }
    return usb_answer(data, len, out, out[0]);
}

/* At another speed it would be the same, section 9.6.2. */
static UsbResult get_qualifier(const UsbDescriptors *desc, uint8_t *data, size_t *len)
{
    uint8_t out[10] = { 10, USB_DESC_QUALIFIER };

    memcpy(out + 2, desc->device + 2, 6);
    out[8] = desc->device[17];
    return desc->speed == USB_SPEED_HIGH ? usb_answer(data, len, out, sizeof(out)) : USB_STALL;
}

static UsbResult get_descriptor(const UsbDevice *d, uint16_t value, uint8_t *data, size_t *len)
{
    const UsbDescriptors *desc = usb_device_info(d)->descriptors;

    switch (value >> 8) {
    case USB_DESC_DEVICE:
        return usb_answer(data, len, desc->device, 18);
    case USB_DESC_CONFIG:
        return value & 0xff ? USB_STALL : usb_answer(data, len, desc->config, desc->config_len);
    case USB_DESC_STRING:
        return get_string(d, value & 0xff, data, len);
    case USB_DESC_QUALIFIER:
        return get_qualifier(desc, data, len);
    default:
        return USB_STALL;
    }
}

static UsbResult get_status(const UsbDevice *d, const UsbSetup *s, uint8_t *data, size_t *len)
{
    const uint8_t *config = usb_device_info(d)->descriptors->config;
    uint8_t status[2] = { 0 };

    if ((s->type & 0x1f) == USB_TO_DEVICE) {
        status[0] = (config[CONFIG_ATTRIBUTES_AT] & ATTRIBUTE_SELF_POWERED ? 1 : 0) | (d->remote_wakeup ? 2 : 0);
    } else if ((s->type & 0x1f) == USB_TO_ENDPOINT && s->index & USB_IN) {
        status[0] = d->halted_in >> (s->index & 15) & 1;
    }
    return usb_answer(data, len, status, 2);
}

static UsbResult set_feature(UsbDevice *d, const UsbSetup *s, bool on)
{
    if ((s->type & 0x1f) == USB_TO_DEVICE && s->value == FEATURE_REMOTE_WAKEUP) {
        d->remote_wakeup = on;
        return USB_OK;
    }
    if ((s->type & 0x1f) == USB_TO_ENDPOINT && s->value == FEATURE_ENDPOINT_HALT) {
        if (s->index & USB_IN) {
            d->halted_in = on ? d->halted_in | 1 << (s->index & 15) : d->halted_in & ~(1 << (s->index & 15));
        }
        return USB_OK;
    }
    return USB_STALL;
}

static UsbResult set_configuration(UsbDevice *d, unsigned n)
{
    if (n && n != usb_device_info(d)->descriptors->config[CONFIG_VALUE_AT]) {
        return USB_STALL;
    }
    d->configuration = (uint8_t)n;
    d->halted_in = 0;
    return USB_OK;
}

UsbResult usb_control(UsbDevice *d, const UsbSetup *s, uint8_t *data, size_t *len)
{
    bool standard = !(s->type & 0x60);

    if (!standard || ((s->type & 0x1f) == USB_TO_INTERFACE && s->request == USB_REQ_GET_DESCRIPTOR)) {
        return usb_device_info(d)->handle_control ? usb_device_info(d)->handle_control(d, s, data, len) : USB_STALL;
    }
    switch (s->request) {
    case USB_REQ_GET_STATUS:
        return get_status(d, s, data, len);
    case USB_REQ_CLEAR_FEATURE:
    case USB_REQ_SET_FEATURE:
        return set_feature(d, s, s->request == USB_REQ_SET_FEATURE);
    case USB_REQ_SET_ADDRESS:
        d->address = s->value & 0x7f;
        return USB_OK;
    case USB_REQ_GET_DESCRIPTOR:
        return get_descriptor(d, s->value, data, len);
    case USB_REQ_GET_CONFIGURATION:
        return usb_answer(data, len, &d->configuration, 1);
    case USB_REQ_SET_CONFIGURATION:
        return set_configuration(d, s->value & 0xff);
    case USB_REQ_GET_INTERFACE:
        return usb_answer(data, len, &(uint8_t){ 0 }, 1);
    case USB_REQ_SET_INTERFACE:
        return s->value ? USB_STALL : USB_OK;
    default:
        return USB_STALL;
    }
}

UsbResult usb_in(UsbDevice *d, unsigned ep, uint8_t *data, size_t *len)
{
    if (d->halted_in >> ep & 1 || !d->configuration || !usb_device_info(d)->handle_in) {
        return USB_STALL;
    }
    return usb_device_info(d)->handle_in(d, ep, data, len);
}

void usb_wakeup(UsbDevice *d, unsigned ep)
{
    UsbBus *bus = USB_BUS(d->dev.parent_bus);

    if (d->port) {
        bus->ops->wakeup(bus, d, ep);
    }
}

/* --- devices --- */

static bool usb_device_realize(Device *dev, Error **errp)
{
    UsbDevice *d = USB_DEVICE(dev);
    UsbBus *bus = USB_BUS(dev->parent_bus);

    d->port = choose_port(bus, d->port_path, errp);
    if (!d->port) {
        return false;
    }
    if (!d->port_path) {
        d->port_path = g_strdup_printf("%u", d->port);
    }
    bus->at[d->port - 1] = d;
    usb_reset(d);
    bus->ops->attached(bus, d);
    return true;
}

static void usb_device_unrealize(Device *dev)
{
    UsbDevice *d = USB_DEVICE(dev);
    UsbBus *bus = USB_BUS(dev->parent_bus);

    bus->at[d->port - 1] = NULL;
    bus->ops->detached(bus, d);
    d->port = 0;
}

static const Property usb_device_properties[] = {
    PROP_STRING("port", UsbDevice, port_path, .help = "which port of the bus, 1 and on; default: the first free one"),
    PROP_STRING("serial", UsbDevice, serial, .help = "serial number"),
    PROP_FIXED(bool, "msos-desc", false, .help = "no descriptors of Microsoft's"),
};

static const VMField usb_device_fields[] = {
    VMS_U8(UsbDevice, address), VMS_U8(UsbDevice, configuration), VMS_BOOL(UsbDevice, remote_wakeup),
    VMS_U16(UsbDevice, halted_in), VMS_END
};

const VMState vmstate_usb_device = { .name = "usb-device", .version = 1, .minimum_version = 1, .fields = usb_device_fields };

USB_DEVICE_DEFINE_ABSTRACT(UsbDevice, usb_device, "usb-device", device,
    .category   = DEVICE_CATEGORY_USB,
    .bus_type   = &usb_bus_type,
    .properties = PROPS(usb_device_properties),
    .realize    = usb_device_realize,
    .unrealize  = usb_device_unrealize,
)
