/*
 * What the files of the CPU object share.
 */
#ifndef TARGET_I386_CPU_INTERNAL_H
#define TARGET_I386_CPU_INTERNAL_H

#include "target/i386/cpu.h"

extern const VMState x86_cpu_vmstate;                   /* vmstate.c */
void x86_dump_state(Vcpu *cpu, FILE *f, unsigned flags);        /* dump.c: as `info registers` prints */
extern const GdbArch x86_gdb_arch;                      /* gdb.c */
uint64_t x86_get_linear_pc(Vcpu *cpu);

#endif
