/*
 * What a guest architecture tells a debugger: its registers, by GDB's numbers and in its layout.
 */
#ifndef HW_CORE_GDB_ARCH_H
#define HW_CORE_GDB_ARCH_H

#include "hw/core/cpu.h"

#define GDB_REG_BYTES_MAX 64

struct GdbArch {
    /* Register @n in guest byte order; its size in bytes, 0 = there is none (nor beyond).  The CPU stands still. */
    unsigned (*read)(Vcpu *cpu, unsigned n, uint8_t *buf);
    /* @buf holds as many bytes as read gives.  False: such a value cannot be. */
    bool (*write)(Vcpu *cpu, unsigned n, const uint8_t *buf);
    /* Target description: "target.xml" and what it includes; owned, NULL if there is no such file. */
    char *(*xml)(Vcpu *cpu, const char *name);
};

#endif
