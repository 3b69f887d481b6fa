/*
 * USB: buses with ports, devices with descriptors and endpoints.
 *
 * A controller makes a bus and its ports; a device sits on a port, at one speed.  Transfers are synchronous: a device that has
 * nothing yet answers USB_NAK and calls usb_wakeup() later, upon which its controller asks again.
 *
 * References: Universal Serial Bus Specification 2.0, chapters 5, 8 and 9; Device Class Definition for HID 1.11.
 * Locks: BQL.
 */
#ifndef HW_USB_USB_H
#define HW_USB_USB_H

#include "hw/core/qdev.h"

#define USB_PORTS_MAX       30          /* of one bus */
#define USB_CONTROL_MAX     4096        /* bytes in the data stage of a control transfer that devices here take */

typedef enum UsbSpeed { USB_SPEED_FULL = 1, USB_SPEED_LOW = 2, USB_SPEED_HIGH = 3, USB_SPEED_SUPER = 4 } UsbSpeed;
typedef enum UsbResult { USB_OK, USB_NAK, USB_STALL } UsbResult;

/* bmRequestType << 8 | bRequest, section 9.3 */
enum {
    USB_REQ_GET_STATUS = 0, USB_REQ_CLEAR_FEATURE = 1, USB_REQ_SET_FEATURE = 3, USB_REQ_SET_ADDRESS = 5,
    USB_REQ_GET_DESCRIPTOR = 6, USB_REQ_GET_CONFIGURATION = 8, USB_REQ_SET_CONFIGURATION = 9, USB_REQ_GET_INTERFACE = 10,
    USB_REQ_SET_INTERFACE = 11,
};
enum {
    USB_IN = 0x80, USB_CLASS = 0x20, USB_TO_DEVICE = 0, USB_TO_INTERFACE = 1, USB_TO_ENDPOINT = 2,
};
enum {
    USB_DESC_DEVICE = 1, USB_DESC_CONFIG = 2, USB_DESC_STRING = 3, USB_DESC_QUALIFIER = 6, USB_DESC_BOS = 15,
    USB_DESC_HID = 0x21, USB_DESC_REPORT = 0x22,
};

typedef struct UsbSetup {
    uint8_t type, request;
    uint16_t value, index, length;
} UsbSetup;

/* What a device type tells of itself, bytes as they go over the wire. */
typedef struct UsbDescriptors {
    const uint8_t *device;              /* 18 bytes */
    const uint8_t *config;              /* the one configuration, with all that is below it */
    uint16_t config_len;
    const char *const *strings;         /* number 1 first; NULL-terminated */
    UsbSpeed speed;
} UsbDescriptors;

typedef struct UsbBus UsbBus;
typedef struct UsbDevice UsbDevice;

typedef struct UsbDeviceInfo {
    struct DeviceInfo;
    const UsbDescriptors *descriptors;
    void (*handle_reset)(UsbDevice *d);
    /*
     * A request that the core does not answer.  To the host: fill @data, set *@len, at most setup->length.  To the device:
     * *@len bytes are in @data.
     */
    UsbResult (*handle_control)(UsbDevice *d, const UsbSetup *setup, uint8_t *data, size_t *len);
    /* Up to *@len bytes from endpoint @ep (1..15); *@len = how many there are. */
    UsbResult (*handle_in)(UsbDevice *d, unsigned ep, uint8_t *data, size_t *len);
} UsbDeviceInfo;

struct UsbDevice {
    Device dev;
    char *port_path;                    /* property "port": "2"; NULL = the first free one */
    char *serial;                       /* instead of the type's serial number string; or NULL */
    unsigned port;                      /* 1..; 0 = on none */
    uint8_t address, configuration;
    bool remote_wakeup;
    uint16_t halted_in;                 /* bit n: endpoint n */
};

OBJECT_DECLARE(UsbDevice, USB_DEVICE, usb_device)       /* "usb-device", abstract */
#define USB_DEVICE_DEFINE(CType, snake, type_name, parent_snake, ...) \
    TYPE_DEFINE_FAMILY(UsbDeviceInfo, CType, snake, type_name, parent_snake, false, __VA_ARGS__)
#define USB_DEVICE_DEFINE_ABSTRACT(CType, snake, type_name, parent_snake, ...) \
    TYPE_DEFINE_FAMILY(UsbDeviceInfo, CType, snake, type_name, parent_snake, true, __VA_ARGS__)
static inline const UsbDeviceInfo *usb_device_info(const UsbDevice *d)
{
    return (const UsbDeviceInfo *)d->dev.obj.type->info;
}
extern const VMState vmstate_usb_device;
#define VMS_USB_DEVICE(S) VMS_STRUCT(S, usb, &vmstate_usb_device)

/* --- for controllers --- */

typedef struct UsbBusOps {
    void (*attached)(UsbBus *bus, UsbDevice *d);
    void (*detached)(UsbBus *bus, UsbDevice *d);
    /* Endpoint @ep of @d, to the host, has something (again). */
    void (*wakeup)(UsbBus *bus, UsbDevice *d, unsigned ep);
} UsbBusOps;

struct UsbBus {
    Bus bus;
    const UsbBusOps *ops;
    void *controller;
    unsigned n_ports;
    UsbDevice *at[USB_PORTS_MAX];       /* borrowed; by port - 1 */
};

extern const TypeInfo usb_bus_type;     /* "usb-bus" */
static inline UsbBus *USB_BUS(const void *obj)
{
    return (UsbBus *)object_check_cast(obj, &usb_bus_type);
}

/* Named ID.0, or usb-bus.N for a controller without id.  @bus is embedded in the controller; object_unparent() ends it. */
void usb_bus_init(UsbBus *bus, Device *controller, const UsbBusOps *ops, void *opaque, unsigned n_ports);

UsbSpeed usb_speed(const UsbDevice *d);
/* A reset of its port: back to address 0. */
void usb_reset(UsbDevice *d);
/* A whole control transfer; @data has room for USB_CONTROL_MAX bytes, and *@len is as of handle_control. */
UsbResult usb_control(UsbDevice *d, const UsbSetup *setup, uint8_t *data, size_t *len);
UsbResult usb_in(UsbDevice *d, unsigned ep, uint8_t *data, size_t *len);

/* --- for devices --- */

void usb_wakeup(UsbDevice *d, unsigned ep);
/* @n bytes, or as many as were asked for, as the data of a transfer: always USB_OK. */
UsbResult usb_answer(uint8_t *data, size_t *len, const void *from, size_t n);

#endif
