/*
 * ATA buses and what boards make of them: AHCI and PIIX3's IDE controller, disks and CD drives.
 */
#ifndef HW_IDE_IDE_H
#define HW_IDE_IDE_H

#include "hw/pci/pci.h"

#define IDE_UNITS 2

typedef struct IdeTransport IdeTransport;
typedef struct IdeBus IdeBus;
struct IdeDevice;

/* One channel, or one SATA port. */
struct IdeBus {
    Bus bus;
    const IdeTransport *transport;
    void *opaque;               /* the transport's */
    unsigned index;             /* of the controller's buses */
    unsigned n_units;
    unsigned first_serial;      /* for units that were given no serial number */
    struct IdeDevice *units[IDE_UNITS];
};

extern const TypeInfo ide_bus_type;             /* "IDE" */
static inline IdeBus *IDE_BUS(const void *obj)
{
    return (IdeBus *)object_check_cast(obj, &ide_bus_type);
}

/* Bus @index of controller @parent, for @n_units devices: "ide.N", or "ID.@index" if the controller has an id. */
IdeBus *ide_bus_new(Device *parent, unsigned index, unsigned n_units, const IdeTransport *transport, void *opaque);

/* "piix3-ide" at 01.1, "ide" below @piix3, with lines 14 and 15. */
PCIDevice *piix3_ide_create(PCIBus *bus, PCIDevice *piix3, IrqLine irq14, IrqLine irq15, Error **errp) MUST_USE;
/* "ich9-ahci" at 1f.2. */
PCIDevice *ich9_ahci_create(PCIBus *bus, Error **errp) MUST_USE;
/* The geometry of unit @unit of ide.@bus_index as firmware shall translate it; false: no disk is there. */
typedef struct IdeGeometry {
    uint16_t cyls;
    uint8_t heads, secs;
    uint8_t translation;        /* 0 none, 1 LBA, 2 large, 3 revised CHS */
} IdeGeometry;
bool ide_disk_geometry(PCIDevice *controller, unsigned bus_index, unsigned unit, IdeGeometry *g);

#endif
