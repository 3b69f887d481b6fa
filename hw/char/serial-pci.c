/*
 * pci-serial: one 16550A behind I/O BAR 0, interrupt on INTA.
 *
 * Ids are those that guests' 8250 drivers know.
 */
#include "hw/char/serial-16550.h"
#include "hw/pci/pci.h"
#include "system/runstate.h"

#define PCI_DEVICE_ID_REDHAT_SERIAL     0x0002

typedef struct PciSerial {
    PCIDevice pci;
    MemoryRegion io;
    Serial16550 uart;
    uint8_t prog_if;
    bool wakeup;
} PciSerial;

extern const TypeInfo pci_serial_type;

static PciSerial *PCI_SERIAL(const void *obj)
{
    return (PciSerial *)object_check_cast(obj, &pci_serial_type);
}

static uint64_t pci_serial_read(void *opaque, hwaddr addr, unsigned size)
{
    return serial_read(opaque, addr & (SERIAL_NUM_REGS - 1));
}

static void pci_serial_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    serial_write(opaque, addr & (SERIAL_NUM_REGS - 1), data);
}

static const MemoryRegionOps pci_serial_ops = {
    .read = pci_serial_read,
    .write = pci_serial_write,
    .impl = { .min = 1, .max = 1 },
};

static void pci_serial_wake(void *opaque)
{
    Error *not_suspended = NULL;

    if (!system_wakeup_request(WAKEUP_REASON_OTHER, &not_suspended)) {
        error_free(not_suspended);
    }
}

static bool pci_serial_realize(Device *dev, Error **errp)
{
    PciSerial *s = PCI_SERIAL(dev);

    s->pci.config[PCI_CLASS_PROG] = s->prog_if;
    pci_config_set_interrupt_pin(&s->pci, 1);
    s->uart.irq = pci_irq_line(&s->pci);
    s->uart.wake = s->wakeup ? pci_serial_wake : NULL;
    memory_region_init_io(&s->io, s, &pci_serial_ops, &s->uart, "serial", SERIAL_NUM_REGS);
    pci_register_bar(&s->pci, 0, PCI_BASE_ADDRESS_SPACE_IO, &s->io);
    serial_init(&s->uart);
    return true;
}

static void pci_serial_unrealize(Device *dev)
{
    PciSerial *s = PCI_SERIAL(dev);

    serial_fini(&s->uart);
    irq_lower(s->uart.irq);
}

/* Not in unrealize: the PCI layer unmaps the BAR after that. */
static void pci_serial_fini(Object *obj)
{
    memory_region_fini(&PCI_SERIAL(obj)->io);
}

static void pci_serial_reset_enter(Device *dev, ResetType type)
{
    serial_reset(&PCI_SERIAL(dev)->uart);
}

static void pci_serial_reset_hold(Device *dev, ResetType type)
{
    serial_update_irq(&PCI_SERIAL(dev)->uart);
}

static const Property pci_serial_properties[] = {
    PROP_CHARDEV("chardev", PciSerial, uart.chr, .help = "back end; none = output discarded"),
    PROP_UINT32("baudbase", PciSerial, uart.baudbase, 115200, .min = 1, .max = 4000000, .unit = "Hz",
                .help = "baud rate at divisor 1"),
    PROP_UINT8("prog_if", PciSerial, prog_if, 2, .help = "programming interface: 2 says 16550"),
    PROP_BOOL("wakeup", PciSerial, wakeup, false, .help = "input wakes a suspended machine"),
};

static const VMState vmstate_pci_serial = {
    .name = "pci-serial",
    .version = 1,
    .minimum_version = 1,
    .fields = (const VMField[]) {
        VMS_STRUCT(PciSerial, uart, &vmstate_serial_16550),
        VMS_END
    },
};

PCI_DEVICE_DEFINE(PciSerial, pci_serial, "pci-serial", pci_device,
    .desc       = "16550A serial port on PCI",
    .category   = DEVICE_CATEGORY_INPUT,
    .properties = PROPS(pci_serial_properties),
    .fini       = pci_serial_fini,
    .vendor_id  = PCI_VENDOR_ID_REDHAT,
    .device_id  = PCI_DEVICE_ID_REDHAT_SERIAL,
    .class_id   = PCI_CLASS_COMMUNICATION_SERIAL,
    .revision   = 1,
    .realize    = pci_serial_realize,
    .unrealize  = pci_serial_unrealize,
    .reset_enter = pci_serial_reset_enter,
    .reset_hold = pci_serial_reset_hold,
    .vmstate    = &vmstate_pci_serial);
