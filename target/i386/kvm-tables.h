/*
 * Page tables of our own for a vCPU of KVM's.
 */
#ifndef TARGET_I386_KVM_TABLES_H
#define TARGET_I386_KVM_TABLES_H

#include "accel/tcg/assist.h"

typedef struct KvmTables KvmTables;

/* In guest physical memory at @gpa..@gpa + KVM_TABLES_SPAN - 1, which is to be a memory slot of what kvm_tables_memory() says. */
#define KVM_TABLES_SPAN (64 * MiB)
/* What it takes of the host's memory. */
#define KVM_TABLES_BYTES (1 * MiB)
KvmTables *kvm_tables_new(Error **errp);
void kvm_tables_free(KvmTables *t);
void *kvm_tables_memory(KvmTables *t);
void kvm_tables_place(KvmTables *t, hwaddr gpa);

/* Begin with an empty root.  False: every address was used once, kvm_tables_recycle() first. */
bool kvm_tables_restart(KvmTables *t);
/* KVM knows nothing any more of the memory slot. */
void kvm_tables_recycle(KvmTables *t);
hwaddr kvm_tables_root(const KvmTables *t);
/* Map for user mode.  False: there is no room, or what is there would have to be taken back: restart. */
bool kvm_tables_map(KvmTables *t, vaddr va, hwaddr pa, bool write, bool exec);

#endif
