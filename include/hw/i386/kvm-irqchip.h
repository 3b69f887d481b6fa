/*
 * Interrupt controllers and interval timer in the host's kernel, as devices of a board: their state, and wires to them.
 *
 * Which of them there are is the accelerator's choice, accel_irqchip(): with ACCEL_IRQCHIP_SPLIT only local APICs.
 *
 * Reference: Linux Documentation/virt/kvm/api.rst.  Locks: BQL.
 */
#ifndef HW_I386_KVM_IRQCHIP_H
#define HW_I386_KVM_IRQCHIP_H

#include "hw/intc/apic.h"
#include "hw/timer/i8254.h"

/* Local APICs: messages on @bus go to the kernel's, and the ends of interrupts come from there. */
void kvm_apic_connect(ApicBus *bus);
/* As apic_create_for_cpu(): "kvm-apic". */
Device *kvm_apic_create_for_cpu(Vcpu *cpu, Error **errp) MUST_USE;

/* IOAPIC and, if @pic, the 8259 pair, whose ports in @io are for others than the guest.  Borrowed. */
Device *kvm_ioapic_create(bool pic, Error **errp) MUST_USE;
Device *kvm_i8259_create(MemoryRegion *io, Error **errp) MUST_USE;
/* Line @n of the board; counted by the devices above (@i8259 may be NULL). */
void kvm_gsi_set(Device *ioapic, Device *i8259, unsigned n, int level);

/* As i8254_create(): "kvm-pit", whose counter 0 is line 0. */
I8254 *kvm_pit_create(IsaBus *bus, uint16_t base, Error **errp) MUST_USE;

#endif
