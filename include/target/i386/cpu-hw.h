/*
 * What boards and interrupt controllers may know of an x86 CPU.
 */
#ifndef TARGET_I386_CPU_HW_H
#define TARGET_I386_CPU_HW_H

#include "hw/core/machine.h"

/*
 * APIC ids (topology.c; SDM Vol.3 8.9.1).  From the least significant bit: thread, core, module, die, socket, each as
 * wide as its count needs.
 */
typedef enum X86TopologyLevel { X86_LEVEL_THREAD, X86_LEVEL_CORE, X86_LEVEL_MODULE, X86_LEVEL_DIE, X86_LEVEL_SOCKET } X86TopologyLevel;
typedef struct X86Topology {
    unsigned n[X86_LEVEL_SOCKET + 1];           /* of each level in the one above; sockets: of the machine */
} X86Topology;
X86Topology x86_topology(const SmpConfig *smp);
/* Bits of an APIC id below those of @level; X86_LEVEL_SOCKET: of a package. */
unsigned x86_topology_shift(const X86Topology *t, X86TopologyLevel level);
/* Threads in one of @level: 1 for a thread, all of a package for a socket. */
unsigned x86_topology_threads(const X86Topology *t, X86TopologyLevel level);
uint32_t x86_apic_id_of_place(const X86Topology *t, const CpuPlace *p);
CpuPlace x86_place_of_apic_id(const X86Topology *t, uint32_t apic_id);

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
    void (*print)(void *opaque, FILE *f);       /* `info lapic` */
    void (*ferr)(void *opaque);                 /* FERR#: an x87 error with CR0.NE clear, a PC's IRQ 13; may be NULL */
} X86IntcOps;

void x86_cpu_set_intc(Vcpu *cpu, const X86IntcOps *ops, void *opaque);
#define X86_NO_APIC_ID UINT32_MAX
uint32_t x86_cpu_apic_id(Vcpu *cpu);            /* X86_NO_APIC_ID before realize if it was not set */
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
/* Woken from suspend to RAM: real mode at the FACS' waking vector (ACPI 6.4, 16.3.2), below 1 MiB.  After reset. */
void x86_cpu_set_waking_state(Vcpu *cpu, uint32_t vector);

#endif
