/*
 * pvpanic-pci: the same register as pvpanic's port, in a two-byte memory BAR.
 */
#include "hw/misc/pvpanic.h"
#include "hw/pci/pci.h"

#define PCI_DEVICE_ID_REDHAT_PVPANIC    0x0011
#define PCI_CLASS_SYSTEM_OTHER          0x0880
#define PVPANIC_BAR_SIZE                16      /* the smallest a memory BAR can be */

typedef struct PvPanicPci {
    PCIDevice pci;
    MemoryRegion mmio;
    uint8_t events;
} PvPanicPci;

extern const TypeInfo pvpanic_pci_type;

static PvPanicPci *PVPANIC_PCI(const void *obj)
{
    return (PvPanicPci *)object_check_cast(obj, &pvpanic_pci_type);
}

static uint64_t pvpanic_pci_read(void *opaque, hwaddr addr, unsigned size)
{
    PvPanicPci *s = opaque;

    return addr == 0 ? s->events : 0;
}

static void pvpanic_pci_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    PvPanicPci *s = opaque;

    if (addr == 0) {
        pvpanic_handle_event(s->events, data);
    }
}

static const MemoryRegionOps pvpanic_pci_ops = {
    .read = pvpanic_pci_read,
    .write = pvpanic_pci_write,
    .impl = { .min = 1, .max = 1 },
};

static bool pvpanic_pci_realize(Device *dev, Error **errp)
{
    PvPanicPci *s = PVPANIC_PCI(dev);

    memory_region_init_io(&s->mmio, s, &pvpanic_pci_ops, s, "pvpanic", PVPANIC_BAR_SIZE);
    pci_register_bar(&s->pci, 0, PCI_BASE_ADDRESS_SPACE_MEMORY, &s->mmio);
    return true;
}

static void pvpanic_pci_fini(Object *obj)
{
    memory_region_fini(&PVPANIC_PCI(obj)->mmio);
}

static const Property pvpanic_pci_properties[] = {
    PROP_UINT8("events", PvPanicPci, events, PVPANIC_EVENTS, .max = PVPANIC_EVENTS,
               .help = "events offered: 1 panicked, 2 crash kernel loaded, 4 shut down"),
};

PCI_DEVICE_DEFINE(PvPanicPci, pvpanic_pci, "pvpanic-pci", pci_device,
    .desc       = "guest panic notification on PCI",
    .properties = PROPS(pvpanic_pci_properties),
    .fini       = pvpanic_pci_fini,
    .vendor_id  = PCI_VENDOR_ID_REDHAT,
    .device_id  = PCI_DEVICE_ID_REDHAT_PVPANIC,
    .class_id   = PCI_CLASS_SYSTEM_OTHER,
    .revision   = 1,
    .realize    = pvpanic_pci_realize,
    .vmstate    = &vmstate_none);
