/*
 * What the IOAPIC here and the one in the host's kernel (hw/i386/kvm) share.
 */
#ifndef HW_INTC_IOAPIC_INTERNAL_H
#define HW_INTC_IOAPIC_INTERNAL_H

#include "hw/intc/apic.h"
#include "hw/intc/ioapic.h"

#define IOAPIC_VERSION 0x20

#define RTE_DEST_LOGICAL BIT_ULL(11)
#define RTE_SEND_PENDING BIT_ULL(12)
#define RTE_POLARITY     BIT_ULL(13)
#define RTE_REMOTE_IRR   BIT_ULL(14)
#define RTE_LEVEL        BIT_ULL(15)
#define RTE_MASKED       BIT_ULL(16)
#define RTE_READ_ONLY    (RTE_REMOTE_IRR | RTE_SEND_PENDING)
#define RTE_DEFINED      (0x1ffffULL | 0xffULL << 56)

struct IoApic {
    SysBusDevice sbd;
    MemoryRegion mmio;
    ApicBus *bus;               /* borrowed */
    uint32_t lines;             /* present input levels */
    uint32_t select;
    uint32_t id;
    uint64_t redir[IOAPIC_NUM_PINS];
    uint64_t raised[IOAPIC_NUM_PINS];   /* how often, for people */
};

void ioapic_print_state(const IoApic *s, FILE *f);

#endif
