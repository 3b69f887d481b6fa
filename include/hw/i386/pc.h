/*
 * The PC machine types: pc-i440fx-* and pc-q35-*.
 */
#ifndef HW_I386_PC_H
#define HW_I386_PC_H

#include "hw/i386/chipset.h"
#include "hw/i386/x86.h"

typedef struct PcMachine {
    X86Machine x86;
    /* options */
    bool hpet, i8042, fd_bootchk, sata;
    OnOffAuto vmport;
    int smbios_entry_point;             /* 0 = auto, 1 = 32 bits, 2 = 64 */
    char *pcspk_audiodev;               /* checked by who knows the back ends; all are silent */
    /* board's */
    bool q35;
    PCIHost *host;
    PCIDevice *ide;                     /* borrowed; NULL = none at the old ports */
    AcpiPm *pm;                         /* of the south bridge; NULL = there is none */
    AcpiPciHotplug *pci_hotplug;        /* of the south bridge; NULL = not by ACPI */
    struct AcpiHotplug *memory_hotplug;   /* NULL: DIMMs cannot come and go */
} PcMachine;

OBJECT_DECLARE(PcMachine, PC_MACHINE, pc_machine)       /* "generic-pc-machine", abstract */

/* MachineInfo.hotplug_handler: CPUs and DIMMs. */
const HotplugHandler *pc_hotplug_handler(Machine *m, Device *dev);
/* Memory slots' registers, if there are slots, with events on @pm. */
bool pc_memory_hotplug(PcMachine *pc, AcpiPm *pm, Error **errp) MUST_USE;

#endif
