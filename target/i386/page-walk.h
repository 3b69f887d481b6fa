/*
 * Enumerating what the page tables map.
 */
#ifndef TARGET_I386_PAGE_WALK_H
#define TARGET_I386_PAGE_WALK_H

#include "target/i386/cpu-internal.h"

/* A page of @size bytes at @va; @entry is its table entry as in memory (rights of upper levels are not joined). */
typedef void X86PageFn(void *opaque, vaddr va, hwaddr pa, uint64_t size, uint64_t entry);

/* In ascending table order; nothing without paging.  BQL; the CPU should be stopped. */
void x86_foreach_page(Vcpu *cpu, X86PageFn *fn, void *opaque);

#endif
