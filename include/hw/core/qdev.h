/*
 * Devices and buses: realize/unrealize, three-phase reset, hotplug, tree.
 *
 * Life of a device: object_new -> properties set -> device_realize (bus given) -> runs -> reset any
 * number of times -> device_unrealize -> last unref.  All under the BQL.
 *
 * Hooks run for every type of the chain, root first (realize, reset) or leaf first (unrealize); a
 * failing realize is rolled back by the unrealize hooks of those types that had succeeded, and an
 * unrealize hook must cope with nothing but its own realize having succeeded.
 */
#ifndef HW_CORE_QDEV_H
#define HW_CORE_QDEV_H

#include "hw/core/irq.h"
#include "hw/core/vmstate.h"
#include "util/qom/object.h"

typedef struct Device Device;
typedef struct DeviceInfo DeviceInfo;
typedef struct Bus Bus;
typedef struct BusInfo BusInfo;

typedef enum ResetType { RESET_COLD, RESET_WAKEUP } ResetType;

typedef enum DeviceCategory {
    DEVICE_CATEGORY_MISC, DEVICE_CATEGORY_BRIDGE, DEVICE_CATEGORY_USB, DEVICE_CATEGORY_STORAGE,
    DEVICE_CATEGORY_NETWORK, DEVICE_CATEGORY_INPUT, DEVICE_CATEGORY_DISPLAY, DEVICE_CATEGORY_SOUND,
    DEVICE_CATEGORY_CPU, DEVICE_CATEGORY_WATCHDOG,
} DeviceCategory;

/*
 * Lines that a type declares, so that they can be found by name and number: inputs are driven by
 * calling @set with the device as its opaque, outputs are IrqLine fields.  The name NULL is the
 * unnamed group.  Tables end with .n == 0.
 */
typedef struct IrqInputs {
    const char *name;
    unsigned n;
    IrqHandler *set;
} IrqInputs;

typedef struct IrqOutputs {
    const char *name;
    unsigned n;
    size_t offset;                      /* of the first of @n IrqLine in the instance */
} IrqOutputs;

struct DeviceInfo {
    struct ObjectInfo;
    DeviceCategory category;
    const TypeInfo *bus_type;           /* the bus it sits on; NULL = none, or inherited */
    bool (*realize)(Device *dev, Error **errp);
    void (*unrealize)(Device *dev);
    /* Three phases over the whole tree: enter (forget state), hold (drive lines), exit (start up). */
    void (*reset_enter)(Device *dev, ResetType type);
    void (*reset_hold)(Device *dev, ResetType type);
    void (*reset_exit)(Device *dev, ResetType type);
    /* What the device's back end tells has changed: show it to the guest (device-sync-config).  NULL: nothing to show. */
    bool (*sync_config)(Device *dev, Error **errp);
    const char *boot_part;              /* what firmware finds on it: "disk@0,0"; of a host bridge, its own name */
    const VMState *vmstate;             /* required for concrete devices; &vmstate_none states "no state" */
    /* Interrupt controllers: state for `info pic`; how often each input was raised, for `info irq`. */
    void (*print_pic)(const Device *dev, FILE *f);
    unsigned (*irq_counts)(const Device *dev, const uint64_t **counts);
    const IrqInputs *irq_inputs;
    const IrqOutputs *irq_outputs;
    bool not_user_creatable;            /* boards only: refused by -device */
    bool not_hotpluggable;
    /* Refuse to be unplugged as things are; asked before the guest is.  NULL: no objection. */
    bool (*may_unplug)(Device *dev, Error **errp);
};

extern const VMState vmstate_none;

struct Device {
    Object obj;
    char *id;                   /* -device id=; NULL if none */
    Bus *parent_bus;            /* borrowed */
    GPtrArray *child_buses;     /* of Bus *, borrowed: they are QOM children */
    bool realized;
    bool hotplugged;
    unsigned bus_slot;          /* the N of the bus's link "child[N]" to it */
    bool unplug_pending;        /* the guest was asked to let go */
    int64_t unplug_retry_ns;    /* CLOCK_TYPE_VIRTUAL; from then on it may be asked again; 0 = never */
};

OBJECT_DECLARE(Device, DEVICE, device)

/* The leaf's own table. */
static inline const DeviceInfo *device_info(const Device *dev)
{
    return (const DeviceInfo *)dev->obj.type->info;
}

#define DEVICE_DEFINE(CType, snake, type_name, parent_snake, ...) \
    TYPE_DEFINE_FAMILY(DeviceInfo, CType, snake, type_name, parent_snake, false, __VA_ARGS__)
#define DEVICE_DEFINE_ABSTRACT(CType, snake, type_name, parent_snake, ...) \
    TYPE_DEFINE_FAMILY(DeviceInfo, CType, snake, type_name, parent_snake, true, __VA_ARGS__)

/* --- buses --- */

struct BusInfo {
    struct ObjectInfo;
    const char *(*dev_path)(Bus *bus, Device *dev);     /* owned string: "00:03.0" */
    char *(*fw_name)(Bus *bus, Device *dev);            /* as firmware calls it: "scsi@3"; owned */
    /* Is there room, is the address free?  Called before the device's realize. */
    bool (*check_address)(Bus *bus, Device *dev, Error **errp);
    unsigned max_devices;                               /* 0 = no limit */
};

/*
 * Who is asked when a device is plugged into a running machine, and when one is to go: the bus's handler, and the
 * machine's for devices that sit on no bus (MachineInfo.hotplug_handler; opaque is the machine).
 */
typedef struct HotplugHandler {
    /* Before realize: allocate addresses, refuse. */
    bool (*pre_plug)(void *opaque, Device *dev, Error **errp);
    /* .pre_plug succeeded, yet the device came to nothing. */
    void (*undo_pre_plug)(void *opaque, Device *dev);
    /* After realize: tell the guest.  Failing unrealizes the device. */
    bool (*plug)(void *opaque, Device *dev, Error **errp);
    /*
     * Ask the guest to let go; the guest's answer calls device_unplug_done() or device_unplug_refused().
     * A guest that cannot answer yet must not block the device for ever: .unplug_retry_ns.  NULL: not removable.
     */
    bool (*unplug_request)(void *opaque, Device *dev, Error **errp);
    /* The device is being removed, just before unrealize. */
    void (*unplug)(void *opaque, Device *dev);
} HotplugHandler;

struct Bus {
    Object obj;
    Device *parent_dev;         /* borrowed; NULL for the main system bus */
    GPtrArray *devices;         /* of Device *, borrowed, in plug order */
    const HotplugHandler *hotplug;
    void *hotplug_opaque;
    bool full;
    unsigned next_slot;
};

OBJECT_DECLARE(Bus, BUS, bus)

#define BUS_DEFINE(CType, snake, type_name, parent_snake, ...) \
    TYPE_DEFINE_FAMILY(BusInfo, CType, snake, type_name, parent_snake, false, __VA_ARGS__)

/* A new bus as QOM child of @parent (NULL: system), named @name. */
Bus *bus_new(const TypeInfo *type, Device *parent, const char *name);
void bus_init_embedded(void *bus, const TypeInfo *type, Device *parent, const char *name);
/* By name or id path ("pci.0", "/machine/..."), as -device bus= takes it; NULL and @errp if none. */
Bus *bus_find(const char *name, const TypeInfo *type, Error **errp);
void bus_set_hotplug_handler(Bus *bus, const HotplugHandler *h, void *opaque);

/* --- devices --- */

Device *device_new(const TypeInfo *type);
/*
 * Put @dev on @bus (NULL for bus-less devices) and bring it to life.  An unparented device goes
 * under /machine/unattached.  On failure the device is off the bus and unrealized; the caller
 * still owns its reference.
 */
bool device_realize(Device *dev, Bus *bus, Error **errp) MUST_USE;
/* The same and drop the caller's reference either way. */
bool device_realize_and_unref(Device *dev, Bus *bus, Error **errp) MUST_USE;
void device_unrealize(Device *dev);
/* -device / device_add: @opts is a dict with driver, id, bus and properties. */
Device *device_add_from_opts(const Value *opts, bool hotplug, Error **errp);
/* device_del by id or QOM path: asks the hotplug handler. */
bool device_del_by_id(const char *id, Error **errp) MUST_USE;
/* Do none of @dev's types object (DeviceInfo.may_unplug)? */
bool device_may_unplug(Device *dev, Error **errp) MUST_USE;
/* The guest let go: unplug, unrealize, DEVICE_DELETED for what it is made of and for itself, free. */
void device_unplug_done(Device *dev);
/* The guest answered no: DEVICE_UNPLUG_GUEST_ERROR; the device stays. */
void device_unplug_refused(Device *dev);
/* device-sync-config */
bool device_sync_config(const char *id, Error **errp) MUST_USE;
/* Can devices of its type come and go while the machine runs?  (Its bus has to agree.) */
bool device_is_hotpluggable(const Device *dev);
Device *device_find(const char *id_or_path, Error **errp);
/* Who is told (the monitor, which makes events of it).  @id is NULL for devices without one. */
typedef struct DeviceNotify {
    void (*deleted)(const char *id, const char *path);          /* about to be freed */
    void (*unplug_refused)(const char *id, const char *path);
} DeviceNotify;
void device_set_notify(const DeviceNotify *n);

/* Input line @n of group @name (NULL: the unnamed one); not connected if there is none. */
IrqLine device_irq_input(Device *dev, const char *name, unsigned n);
/*
 * The field that holds output line @n of group @name; NULL if there is none.  "sysbus-irq" are the
 * lines that a device of the system bus gave it.
 */
IrqLine *device_irq_output(Device *dev, const char *name, unsigned n);

/* Reset @dev and everything below it, all three phases. */
void device_reset(Device *dev, ResetType type);

/* Things that are no devices but must be reset with the machine; order of registration, in phase hold. */
typedef void ResetFn(void *opaque, ResetType type);
void reset_register(ResetFn *fn, void *opaque);
void reset_unregister(ResetFn *fn, void *opaque);
/* Reset the whole machine: the device tree's three phases, registered functions between hold and exit. */
void machine_reset_all(ResetType type);

/* --- the system bus: devices with MMIO and lines but no addressing of their own --- */

typedef struct MemoryRegion MemoryRegion;

#define SYSBUS_MAX_MMIO 16
#define SYSBUS_MAX_IRQ  64

typedef struct SysBusDevice {
    Device dev;
    MemoryRegion *mmio[SYSBUS_MAX_MMIO];    /* borrowed from the device's struct */
    unsigned n_mmio;
    IrqLine *irq[SYSBUS_MAX_IRQ];           /* the device's output lines, to be connected by the board */
    unsigned n_irq;
} SysBusDevice;

extern const TypeInfo sysbus_device_type;   /* "sys-bus-device" */
static inline SysBusDevice *SYSBUS_DEVICE(const void *obj)
{
    return (SysBusDevice *)object_check_cast(obj, &sysbus_device_type);
}

/* In the device's init or realize: */
void sysbus_init_mmio(SysBusDevice *sbd, MemoryRegion *mr);
void sysbus_init_irq(SysBusDevice *sbd, IrqLine *out);
/* By the board: */
void sysbus_mmio_map(SysBusDevice *sbd, unsigned n, MemoryRegion *into, hwaddr addr);
void sysbus_connect_irq(SysBusDevice *sbd, unsigned n, IrqLine line);

#endif
