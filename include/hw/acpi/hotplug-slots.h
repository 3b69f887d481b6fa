/*
 * What ACPI's register blocks for CPUs and for memory that come and go have in common: slots, one of them selected;
 * events, which raise a GPE; ejection; what the guest reports by _OST.
 */
#ifndef HW_ACPI_HOTPLUG_SLOTS_H
#define HW_ACPI_HOTPLUG_SLOTS_H

#include "hw/acpi/ospm.h"
#include "hw/acpi/pm.h"
#include "hw/core/machine.h"


OBJECT_DECLARE(AcpiHotplug, ACPI_HOTPLUG, acpi_hotplug) /* "acpi-hotplug", abstract */

typedef struct AcpiHotplugSlot {
    uint8_t events;             /* ACPI_SLOT_INSERTED, ACPI_SLOT_REMOVE */
    uint32_t ost_event, ost_status;
} AcpiHotplugSlot;

typedef struct AcpiHotplugKind {
    const char *name;           /* of the device: "acpi-cpu-hotplug" */
    AcpiOspmSlotType type;
    unsigned gpe;
    Device *(*device_in)(const AcpiHotplug *h, unsigned slot);      /* NULL: it is empty */
    /* The guest ejects what is in a slot: in a vCPU's thread, must not free it before it returns. */
    void (*eject)(AcpiHotplug *h, unsigned slot);
    void (*refused)(Device *dev);       /* the guest keeps @dev, which was asked for; NULL: nothing to add */
} AcpiHotplugKind;

/* Embedded first in the state of both. */
struct AcpiHotplug {
    Device dev;
    MemoryRegion mr;
    uint32_t selector;          /* what the guest wrote: may be beyond the last */
    AcpiHotplugSlot **slots;    /* [n]; owned */

    /* constant */
    const AcpiHotplugKind *kind;
    Machine *machine;
    uint32_t n;
    AcpiPm *pm;
    MemoryRegion *io;
};

/* The flags register, the same in both blocks. */
enum { ACPI_SLOT_ENABLED = 1, ACPI_SLOT_INSERTED = 2, ACPI_SLOT_REMOVE = 4, ACPI_SLOT_EJECT = 8 };

/* Finish @h, new of its type: @n slots, @ops for @len bytes at @port of @io.  Consumes @h; NULL and @errp. */
AcpiHotplug *acpi_hotplug_create(AcpiHotplug *h, const AcpiHotplugKind *kind, Machine *m, unsigned n, MemoryRegion *io, uint16_t port,
                                 unsigned len, const MemoryRegionOps *ops, AcpiPm *pm, Error **errp);

/* --- for the registers --- */

/* NULL: there is none of that number, which is the guest's mistake if it writes. */
AcpiHotplugSlot *acpi_hotplug_selected(const AcpiHotplug *h);
AcpiHotplugSlot *acpi_hotplug_selected_to_write(const AcpiHotplug *h);
uint8_t acpi_hotplug_read_flags(const AcpiHotplug *h);
void acpi_hotplug_write_flags(AcpiHotplug *h, uint8_t v);
/* The report is complete: tell it. */
void acpi_hotplug_write_ost_status(AcpiHotplug *h, uint32_t status);

/* --- for the board --- */

/* Slot @slot was filled: tell the guest. */
void acpi_hotplug_inserted(AcpiHotplug *h, unsigned slot);
/* Ask the guest to give back what is in @slot. */
void acpi_hotplug_request_removal(AcpiHotplug *h, unsigned slot);

#endif
