/*
 * What the files of the CPU object share.
 */
#ifndef TARGET_I386_CPU_INTERNAL_H
#define TARGET_I386_CPU_INTERNAL_H

#include "target/i386/cpu.h"

extern const VMState x86_cpu_vmstate;                   /* vmstate.c */
void x86_dump_state(Vcpu *cpu, FILE *f, unsigned flags);        /* dump.c: as `info registers` prints */
extern const GdbArch x86_gdb_arch;                      /* gdb.c */
bool x86_get_register(Vcpu *cpu, const char *name, uint64_t *v);        /* named-regs.c */
unsigned x86_print_insn(Vcpu *cpu, FILE *f, uint64_t addr, const uint8_t *bytes, size_t n);    /* tcg/disas.c */
uint64_t x86_get_linear_pc(Vcpu *cpu);
void x86_set_linear_pc(Vcpu *cpu, uint64_t pc);
hwaddr x86_translate_debug(Vcpu *cpu, vaddr va);
int64_t x86_get_arch_id(Vcpu *cpu);

/* monitor.c: `info tlb`, `info mem`, `info lapic` */
void x86_print_tlb(Vcpu *cpu, FILE *f);
void x86_print_mem(Vcpu *cpu, FILE *f);
void x86_print_intc(Vcpu *cpu, FILE *f);

#define X86_UNSET UINT32_MAX
enum { X86_N_CPU_PROPERTIES = 29 };
extern const Property x86_cpu_properties[X86_N_CPU_PROPERTIES];        /* cpu-properties.c */

/*
 * From the object's properties to env: everything but what the accelerator cannot do taken out.  May be
 * called again.  @warn: features that depend on others which are off.
 */
bool x86_cpu_expand(X86CPU *cpu, bool warn, Error **errp) MUST_USE;

#endif
