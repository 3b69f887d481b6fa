/*
 * A CPU in a core file.
 */
#ifndef TARGET_I386_CORE_NOTES_H
#define TARGET_I386_CORE_NOTES_H

#include "target/i386/cpu-internal.h"

/* As VcpuInfo.dump_notes and .memory_mappings. */
void x86_core_notes(Vcpu *cpu, GByteArray *out);
bool x86_memory_mappings(Vcpu *cpu, GArray *mappings, Error **errp);

#endif
