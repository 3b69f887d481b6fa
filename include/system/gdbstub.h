/*
 * The GDB stub: a debugger on a character device sees the machine as one process whose threads are the CPUs.
 */
#ifndef SYSTEM_GDBSTUB_H
#define SYSTEM_GDBSTUB_H

#include "hw/core/cpu.h"

/*
 * Wait for a debugger on @device: "tcp::1234" and the like, "unix:PATH,server=on", "stdio",
 * "chardev:ID"; "none" ends what there is.  Replaces an earlier one.
 */
bool gdbstub_start(const char *device, Error **errp) MUST_USE;

/* @cpu left guest code with EXCP_DEBUG and the machine is about to stop.  BQL; the CPU's thread. */
void gdbstub_cpu_stopped(Vcpu *cpu);
/* The process ends with @status: tell the debugger. */
void gdbstub_exit(int status);

#endif
