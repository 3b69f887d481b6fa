/*
 * What boards and interrupt controllers may know of an x86 CPU.
 */
#ifndef TARGET_I386_CPU_HW_H
#define TARGET_I386_CPU_HW_H

#include "hw/core/cpu.h"

/* How the CPU asks its local interrupt controller.  BQL held. */
typedef struct X86IntcOps {
    int  (*get_interrupt)(void *opaque);        /* acknowledge: vector, or -1 (spurious) */
    bool (*has_interrupt)(void *opaque);        /* deliverable at the present priority */
    uint8_t (*get_tpr)(void *opaque);           /* CR8: bits 7:4 of TPR >> 4 */
    void (*set_tpr)(void *opaque, uint8_t cr8);
    uint64_t (*get_base)(void *opaque);         /* IA32_APIC_BASE */
    bool (*set_base)(void *opaque, uint64_t v); /* false: #GP */
    bool (*msr_read)(void *opaque, uint32_t msr, uint64_t *v);      /* x2APIC 0x800..0x8ff and 0x6e0; false: #GP */
    bool (*msr_write)(void *opaque, uint32_t msr, uint64_t v);
    void (*init_reset)(void *opaque);           /* INIT: all but base and id */
    void (*tsc_changed)(void *opaque);          /* the TSC was written */
    void (*ferr)(void *opaque);                 /* FERR#: an x87 error with CR0.NE clear, a PC's IRQ 13; may be NULL */
} X86IntcOps;

void x86_cpu_set_intc(Vcpu *cpu, const X86IntcOps *ops, void *opaque);
uint32_t x86_cpu_apic_id(Vcpu *cpu);
bool x86_cpu_is_bsp(Vcpu *cpu);
/* SIPI: leave wait-for-SIPI at @vector << 12. */
void x86_cpu_sipi(Vcpu *cpu, uint8_t vector);
void x86_cpu_set_a20(Vcpu *cpu, bool on);
uint64_t x86_cpu_tsc_hz(void);                  /* guest TSC frequency, also in CPUID 0x15/0x40000010 */
uint64_t x86_cpu_read_tsc(Vcpu *cpu);
int64_t x86_cpu_tsc_to_virtual_ns(Vcpu *cpu, uint64_t tsc);
bool x86_cpu_has_feature(Vcpu *cpu, const char *name);
/* Direct boot: put the CPU in a protocol's entry state. */
typedef struct X86BootState {
    bool long_mode;             /* 64-bit with the given cr3, else 32-bit flat protected mode without paging */
    uint64_t cr3, gdt_base, entry, rsi, rbx, rax, rsp;
    uint16_t gdt_limit, cs, ds;
} X86BootState;
void x86_cpu_set_boot_state(Vcpu *cpu, const X86BootState *st);

#endif
