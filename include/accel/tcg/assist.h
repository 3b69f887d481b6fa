/*
 * The translator at the service of another accelerator: single instructions that this one cannot run.
 */
#ifndef ACCEL_TCG_ASSIST_H
#define ACCEL_TCG_ASSIST_H

#include "hw/core/cpu.h"

/*
 * A translator beside the accelerator of the process, with the least code cache there can be and no vCPU
 * yet.  Owned by the caller, object_unref() ends it after its vCPUs.  BQL.
 */
Accel *tcg_assist_new(Error **errp) MUST_USE;
/* Let @translator serve @cpu, unless it does already; on the CPU's thread, BQL. */
bool tcg_assist_attach(Accel *translator, Vcpu *cpu, Error **errp) MUST_USE;
/* The reverse, if it was attached; the CPU's thread is gone. */
void tcg_assist_detach(Accel *translator, Vcpu *cpu);
/*
 * Run the instruction at the pc of @cpu's object, to its end or until the exception that it raises was
 * delivered.  Nothing translated or looked up before is used, nothing of it stays.  On the CPU's thread;
 * BQL, dropped meanwhile.
 */
void tcg_assist_run(Vcpu *cpu);

#endif
