/*
 * The ACPI tables of the x86 boards.
 */
#ifndef HW_I386_ACPI_BUILD_H
#define HW_I386_ACPI_BUILD_H

#include "hw/acpi/aml.h"
#include "hw/acpi/pci-hotplug.h"
#include "hw/acpi/tables.h"
#include "hw/i386/x86.h"

typedef enum AcpiBoard { ACPI_BOARD_I440FX, ACPI_BOARD_Q35, ACPI_BOARD_MICROVM } AcpiBoard;

/* What the tables say of the machine. */
typedef struct AcpiInfo {
    AcpiBoard board;
    X86Machine *x86;
    bool pit, rtc, kbd, hpet;
    bool s3, s4;                    /* sleep states offered beside S5 */
    uint16_t cpu_hotplug_port;      /* 0 = CPUs cannot come and go */
    bool vmgenid;                   /* there is a VM generation id */
    bool memory_hotplug;            /* DIMMs come and go in the machine's memory slots */
    uint32_t com_mask;              /* bit n: COMn+1 exists */
    uint32_t hpet_id;
    uint64_t hole64_base, hole64_size;
    const PCIBus *pci_root;         /* NULL: nothing is told of its slots */
    const AcpiPciHotplug *pci_hotplug;      /* NULL: plugging is not ACPI's */
    /* microvm */
    hwaddr virtio_base;             /* of transport n: base + n * size */
    uint32_t virtio_size, virtio_irq_base;
    unsigned n_virtio;
    hwaddr ged_base;
    uint32_t ged_irq;
} AcpiInfo;

/* -acpitable, before the machine is built. */
bool acpi_option_add(const Value *opts, Error **errp) MUST_USE;
/* All tables, ready for acpi_tables_relocate() or acpi_tables_add_fw_cfg(). */
void acpi_build(const AcpiInfo *info, AcpiTables *out);

/* Pieces (dsdt-*.c). */
void acpi_build_dsdt(const AcpiInfo *info, Aml *a);
void acpi_dsdt_pci(const AcpiInfo *info, Aml *a);
void acpi_dsdt_pci_slots(const AcpiInfo *info, Aml *a);
void acpi_dsdt_pci_hotplug_event(const AcpiInfo *info, Aml *a);
void acpi_dsdt_cpus(const AcpiInfo *info, Aml *a);             /* in \_SB */
void acpi_dsdt_memory(const AcpiInfo *info, Aml *a);           /* in \_SB */
/* A CPU's structure in the MADT, as _MAT gives it: 5.2.12.2, 5.2.12.12. */
size_t acpi_madt_cpu(uint32_t uid, uint32_t apic_id, bool enabled, uint8_t out[16]);

#endif
