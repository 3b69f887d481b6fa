/*
 * Segment descriptors: fields, table lookup, stacks; shared by delivery, far transfers and tasks.
 *
 * Reference: SDM Vol.3 chapter 3.4.5 (segment descriptors), 3.5 (system descriptors), 6.11 (gates).
 * Invariant: segs[R_SS]'s DPL is the CPL in every mode, also for a null SS in 64-bit mode.
 */
#ifndef TARGET_I386_SEGMENT_H
#define TARGET_I386_SEGMENT_H

#include "target/i386/cpu.h"

/* System descriptor types, SDM Vol.3 table 3-2 */
enum {
    SYS_TSS16_AVAIL = 1, SYS_LDT = 2, SYS_TSS16_BUSY = 3, SYS_CALL_GATE16 = 4, SYS_TASK_GATE = 5, SYS_INT_GATE16 = 6,
    SYS_TRAP_GATE16 = 7, SYS_TSS_AVAIL = 9, SYS_TSS_BUSY = 11, SYS_CALL_GATE = 12, SYS_INT_GATE = 14, SYS_TRAP_GATE = 15,
};
#define DESC_TSS_BUSY (2u << DESC_TYPE_SHIFT)

typedef struct Descriptor {
    uint32_t lo, hi;
} Descriptor;

static inline unsigned desc_dpl(uint32_t hi)  { return hi >> DESC_DPL_SHIFT & 3; }
static inline unsigned desc_type(uint32_t hi) { return hi >> DESC_TYPE_SHIFT & 15; }
static inline bool desc_present(uint32_t hi)  { return hi & DESC_P; }
static inline bool desc_is_code(uint32_t hi)  { return (hi & (DESC_S | DESC_CS)) == (DESC_S | DESC_CS); }
static inline bool desc_is_data(uint32_t hi)  { return (hi & (DESC_S | DESC_CS)) == DESC_S; }
static inline bool desc_is_conforming(uint32_t hi) { return desc_is_code(hi) && (hi & DESC_C); }
static inline bool desc_is_writable_data(uint32_t hi) { return desc_is_data(hi) && (hi & DESC_W); }
static inline bool desc_is_system(uint32_t hi, unsigned type) { return !(hi & DESC_S) && desc_type(hi) == type; }

static inline uint32_t desc_base(Descriptor d)
{
    return d.lo >> 16 | (d.hi & 0xff) << 16 | (d.hi & 0xff000000);
}

static inline uint32_t desc_limit(Descriptor d)
{
    uint32_t limit = (d.lo & 0xffff) | (d.hi & 0xf0000);
    return d.hi & DESC_G ? limit << 12 | 0xfff : limit;
}

/* Offset in a 32-bit gate. */
static inline uint32_t gate_offset(Descriptor d)
{
    return (d.lo & 0xffff) | (d.hi & 0xffff0000);
}

static inline bool selector_is_null(unsigned selector) { return (selector & 0xfffc) == 0; }
static inline bool x86_in_vm86(const CPUX86State *env) { return env->eflags & VM_MASK; }
static inline bool x86_in_pe(const CPUX86State *env) { return env->cr[0] & CR0_PE; }
static inline bool x86_in_real_or_vm86(const CPUX86State *env) { return !x86_in_pe(env) || x86_in_vm86(env); }
static inline bool x86_in_lma(const CPUX86State *env) { return env->efer & EFER_LMA; }
static inline bool x86_in_64bit_code(const CPUX86State *env) { return env->hflags & HF_CS64; }
static inline bool x86_is_canonical(uint64_t va) { return (uint64_t)((int64_t)(va << 16) >> 16) == va; }

/* Debug registers, SDM Vol.3 18.2 */
enum {
    DR6_BD = 1 << 13, DR6_BS = 1 << 14, DR6_BT = 1 << 15, DR7_GD = 1 << 13,
};
#define DR6_FIXED_1 0xffff0ff0u
#define DR7_FIXED_1 0x00000400u

/* A stack being pushed to or popped from before it becomes the CPU's. */
typedef struct SegStack {
    CPUX86State *env;
    uintptr_t ra;
    uint64_t base, sp, mask;
    unsigned mmu_idx;
} SegStack;

/* The CPU's own present stack. */
SegStack x86_stack_current(CPUX86State *env, uintptr_t ra);
/* The stack described by @ss: width from its B bit. */
SegStack x86_stack_from_desc(CPUX86State *env, Descriptor ss, uint64_t sp, unsigned cpl, uintptr_t ra);
void x86_push16(SegStack *s, uint16_t v);
void x86_push32(SegStack *s, uint32_t v);
void x86_push64(SegStack *s, uint64_t v);
uint16_t x86_pop16(SegStack *s);
uint32_t x86_pop32(SegStack *s);
uint64_t x86_pop64(SegStack *s);
/* @size: 2, 4 or 8 */
void x86_push_sized(SegStack *s, unsigned size, uint64_t v);
uint64_t x86_pop_sized(SegStack *s, unsigned size);
/* Would @bytes pushed below @sp stay inside the segment? */
bool x86_stack_room(Descriptor ss, uint32_t sp, unsigned bytes);
/* rSP becomes @sp as wide as the stack mask says. */
void x86_set_sp(CPUX86State *env, uint64_t sp, uint64_t mask);

/* The descriptor of @selector from GDT or LDT; false if it lies outside the table.  Page faults are raised. */
bool x86_desc_read(CPUX86State *env, unsigned selector, Descriptor *d, uintptr_t ra);
/* The upper half of a 16-byte system descriptor in IA-32e mode; false if outside the table. */
bool x86_desc_read_high(CPUX86State *env, unsigned selector, uint32_t *base_high, uint32_t *zero, uintptr_t ra);
/* Set the accessed bit in memory and in @d if it is clear. */
void x86_desc_set_accessed(CPUX86State *env, unsigned selector, Descriptor *d, uintptr_t ra);
/* Set or clear the busy bit of a TSS descriptor in the GDT. */
void x86_desc_set_busy(CPUX86State *env, unsigned selector, bool busy, uintptr_t ra);
/* Load @seg's cache from a checked descriptor. */
void x86_seg_load_desc(CPUX86State *env, unsigned seg, unsigned selector, Descriptor d);
/* A null selector in @seg: unusable; for SS the DPL is @cpl. */
void x86_seg_load_null(CPUX86State *env, unsigned seg, unsigned selector, unsigned cpl);
/* Real-address and virtual-8086 mode: base = selector * 16. */
void x86_seg_load_real(CPUX86State *env, unsigned seg, unsigned selector);
/* The 8086-style caches for all segments on entry to virtual-8086 mode. */
void x86_seg_load_vm86(CPUX86State *env, unsigned seg, unsigned selector);
/* MOV to or POP of a data or stack segment register, all checks. */
void x86_seg_load_checked(CPUX86State *env, unsigned seg, unsigned selector, uintptr_t ra);

/* SS and ESP for @dpl out of the present TSS; #TS with @ext. */
void x86_tss_stack(CPUX86State *env, unsigned dpl, uint16_t *ss, uint32_t *esp, int ext, uintptr_t ra);
/* RSP0..2 (@index 0..2) or IST1..7 (@index 4..10) of the 64-bit TSS. */
uint64_t x86_tss64_rsp(CPUX86State *env, unsigned index, int ext, uintptr_t ra);
/* Check an inner stack's SS against SDM's rules for @dpl and fetch its descriptor; #TS or #SS with @ext. */
Descriptor x86_inner_ss(CPUX86State *env, uint16_t ss, unsigned dpl, int ext, uintptr_t ra);

/* --- tasks (task-switch.c) --- */
typedef enum TaskSwitchSource { TASK_JMP, TASK_CALL, TASK_IRET, TASK_GATE } TaskSwitchSource;
/*
 * Switch to the task of TSS @selector (descriptor @d, checked to be a TSS by the caller, presence
 * and limit checked here).  @next_eip is saved in the old task.
 */
void x86_task_switch(CPUX86State *env, unsigned selector, Descriptor d, TaskSwitchSource source, uint64_t next_eip,
                     int ext, uintptr_t ra);
/* Find the TSS named by a task gate's @selector; raises #GP or #NP with @ext. */
Descriptor x86_task_gate_tss(CPUX86State *env, unsigned selector, int ext, uintptr_t ra);

/* --- virtual-8086 mode (excp.c) --- */
/*
 * INT @vector in virtual-8086 mode under CR4.VME: deliver to the 8086 program's handler if the TSS
 * says so (then true).  State must be unwound.
 */
bool x86_vme_redirect(CPUX86State *env, int vector, uint64_t next_eip);

/* --- debug registers (debug-regs.c) --- */
void x86_debug_regs_update(CPUX86State *env);           /* after DR0-3, DR7 or a restored state */
/* Is an execution breakpoint armed at linear address @pc (and EFLAGS.RF clear)?  Sets DR6. */
bool x86_code_breakpoint_hit(CPUX86State *env, vaddr pc);
bool x86_io_breakpoint_hit(CPUX86State *env, unsigned port, unsigned size);     /* sets DR6 */

/* --- SMM (smm.c) --- */
void x86_smm_enter(CPUX86State *env);
void x86_smm_leave(CPUX86State *env, uintptr_t ra);

/* --- paravirtual clock (pvclock.c) --- */
/* Rewrite the time page after the TSC was set or state was loaded. */
void x86_pvclock_update(CPUX86State *env);
bool x86_pvclock_msr_write(CPUX86State *env, uint32_t msr, uint64_t value);

#endif
