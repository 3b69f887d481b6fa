/*
 * Interrupt controllers in the host's kernel, and the routes by which lines and messages reach them.
 *
 * A route leads from a number (GSI) to pins of the kernel's controllers or to a message.  With kernel-irqchip=on the
 * numbers 0..23 are the board's lines; with split they stand for the pins of the IOAPIC in user space, so that the kernel
 * knows of which vectors it must tell the end.  Numbers from 24 on are messages of devices.
 *
 * Only while the accelerator is KVM.  Locks: BQL.
 */
#ifndef ACCEL_KVM_IRQCHIP_H
#define ACCEL_KVM_IRQCHIP_H

#include "hw/core/cpu.h"

#include <linux/kvm.h>

#define KVM_IRQCHIP_LINES 24

/* kernel-irqchip=on: the board's lines lead to the kernel's IOAPIC, and to its 8259s if @pic. */
void kvm_irqchip_wire(bool pic);
/* Set line @gsi, 0..23. */
void kvm_irq_line(unsigned gsi, int level);
/* State of one controller in the kernel, by .chip_id.  False: the kernel refuses, which was reported. */
bool kvm_irqchip_get(struct kvm_irqchip *chip);
bool kvm_irqchip_set(struct kvm_irqchip *chip);

/* Send a message, as a device would by a write to 0xfeexxxxx. */
void kvm_msi_send(uint64_t address, uint32_t data);
/* Make number @gsi of an IOAPIC's pin (split) lead to a message.  In force after kvm_routes_commit(). */
void kvm_route_pin(unsigned gsi, uint64_t address, uint32_t data);
void kvm_routes_commit(void);

/* With split: called for each level-triggered vector that a local APIC ended. */
void kvm_irqchip_set_eoi(void (*fn)(void *opaque, uint8_t vector), void *opaque);

#endif
