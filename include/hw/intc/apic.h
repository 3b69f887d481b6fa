/*
 * Local APICs, and the bus of interrupt messages that joins them with IOAPICs, MSIs and the PIC.
 *
 * A machine has at most one APIC bus: /machine/apic-bus.  It owns the 1 MiB window at 0xfee00000,
 * in which a CPU's own access reaches its own local APIC and a device's write is a message (MSI).
 *
 * Order for a board:
 *   apic_bus_create() -> for each CPU: device_new, properties ("apic-id"), apic_create_for_cpu(),
 *   device_realize() -> "ioapic" devices realized -> i8259_create(io, apic_extint_line()) and
 *   apic_connect_pic().
 *
 * Reference: SDM Vol.3 chapter 11 (APIC).  Locks: BQL.
 */
#ifndef HW_INTC_APIC_H
#define HW_INTC_APIC_H

#include "hw/core/qdev.h"
#include "hw/core/cpu.h"
#include "system/memory.h"

#define APIC_DEFAULT_BASE 0xfee00000u
#define APIC_WINDOW_SIZE  0x100000u
#define APIC_BUS_HZ       1000000000u       /* timer input before the divider; CPUID 0x15, 0x40000010 */

OBJECT_DECLARE(ApicBus, APIC_BUS, apic_bus)
OBJECT_DECLARE(LocalApic, LOCAL_APIC, apic)

/* Make the machine's APIC bus and map its window into @memory. */
ApicBus *apic_bus_create(MemoryRegion *memory, Error **errp);
/* The machine's, NULL if the board has none. */
ApicBus *apic_bus_find(void);

/*
 * Make and realize the local APIC of @cpu, whose "apic-id" is set, as its QOM child "lapic", and
 * make it the CPU's interrupt controller.  Borrowed: belongs to the CPU.  Before the CPU is realized.
 */
Device *apic_create_for_cpu(Vcpu *cpu, Error **errp) MUST_USE;

/* A message-signalled interrupt: address 0xfeexxxxx and data as in SDM Vol.3 11.11. */
void apic_bus_send_msi(ApicBus *bus, uint64_t address, uint32_t data);

/*
 * Local APICs that are not on this bus but in the host's kernel: messages go to them as MSIs.  They call
 * apic_bus_eoi_from_outside() for vectors of entries that were announced to them.
 */
typedef struct ApicOutsideOps {
    void (*send)(uint64_t address, uint32_t data);
    void (*announce)(unsigned pin, uint64_t address, uint32_t data);
    void (*pic_changed)(ApicBus *bus, bool level);
    void (*nmi)(void);
} ApicOutsideOps;
void apic_bus_set_outside(ApicBus *bus, const ApicOutsideOps *ops);
void apic_bus_eoi_from_outside(void *bus, uint8_t vector);
bool apic_bus_pic_level(const ApicBus *bus);
int apic_bus_pic_acknowledge(ApicBus *bus);

/* The wire into LINT0 of every local APIC: the PIC pair's INTR output. */
IrqLine apic_extint_line(ApicBus *bus);
/* Who answers an ExtINT acknowledge: the vector from the PIC pair. */
void apic_connect_pic(ApicBus *bus, int (*acknowledge)(void *opaque), void *opaque);
/* NMI to LINT1 of every local APIC (the nmi command, port 0x61 errors). */
void apic_bus_nmi(ApicBus *bus);

/* --- for IOAPICs --- */

/* As in the IOAPIC's redirection entry and the ICR: SDM Vol.3 table 11-3. */
enum { APIC_DM_FIXED, APIC_DM_LOWPRI, APIC_DM_SMI, APIC_DM_RESERVED, APIC_DM_NMI, APIC_DM_INIT, APIC_DM_SIPI, APIC_DM_EXTINT };

typedef struct ApicMessage {
    uint32_t dest;              /* APIC id, or logical destination */
    bool dest_logical;
    uint8_t delivery_mode;      /* APIC_DM_* */
    uint8_t vector;
    bool level_triggered;
    bool level_assert;
} ApicMessage;

void apic_bus_deliver(ApicBus *bus, const ApicMessage *m);
/* Entry @pin of the IOAPIC leads to @m from now on. */
void apic_bus_announce(ApicBus *bus, unsigned pin, const ApicMessage *m);

/* Called for each level-triggered vector whose service is ended with broadcast enabled. */
typedef void ApicEoiFn(void *opaque, uint8_t vector);
void apic_bus_add_eoi_listener(ApicBus *bus, ApicEoiFn *fn, void *opaque);
void apic_bus_remove_eoi_listener(ApicBus *bus, void *opaque);

#endif
