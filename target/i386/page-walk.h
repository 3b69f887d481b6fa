/*
 * Enumerating what the page tables map.
 */
#ifndef TARGET_I386_PAGE_WALK_H
#define TARGET_I386_PAGE_WALK_H

#include "target/i386/cpu-internal.h"

/* Bits of an entry, SDM Vol.3 tables 4-14 to 4-20. */
enum { PTE_RW = 1 << 1, PTE_USER = 1 << 2, PTE_PWT = 1 << 3, PTE_PCD = 1 << 4, PTE_A = 1 << 5, PTE_D = 1 << 6, PTE_PS = 1 << 7, PTE_G = 1 << 8 };

/* Tables read in one walk, each time they are met: twice as many as Linux' ESPFIX area alone has. */
#define X86_WALK_TABLES (1u << 19)

/*
 * A page of @size bytes at @va; @entry is its table entry as in memory, @rights what all levels together grant of
 * PTE_RW and PTE_USER.  False: enough.
 */
typedef bool X86PageFn(void *opaque, vaddr va, hwaddr pa, uint64_t size, uint64_t entry, unsigned rights);

/*
 * In ascending table order; nothing without paging.  False if that was not all: @fn had enough, or the tables, nested
 * in themselves, go on beyond X86_WALK_TABLES.  BQL; the CPU should be stopped.
 */
bool x86_foreach_page(Vcpu *cpu, X86PageFn *fn, void *opaque);

#endif
