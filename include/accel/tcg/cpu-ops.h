/*
 * What a guest architecture gives to and takes from the TCG accelerator.
 */
#ifndef ACCEL_TCG_CPU_OPS_H
#define ACCEL_TCG_CPU_OPS_H

#include "hw/core/cpu.h"
#include "tcg/tcg.h"

typedef enum MmuAccess { MMU_DATA_LOAD, MMU_DATA_STORE, MMU_INST_FETCH } MmuAccess;

/*
 * What selects a translation besides the physical address.  @flags must hold everything that the
 * front end specialises on and nothing more (blocks that differ only in bits they do not depend on
 * are wasted), in its low TB_MODE_BITS bits.  The linear address of the code is cs_base + pc; cs_base is not part of the key of
 * the code itself (generated code never depends on it), only of the mode tag.
 */
#define TB_MODE_BITS 40
typedef struct TbMode {
    uint64_t cs_base;
    uint64_t flags;
} TbMode;

enum {      /* TbRequest.cflags */
    TB_SINGLE_INSN = 1,         /* translate exactly one instruction (debugger, re-execution of I/O) */
    TB_NO_CHAIN    = 2,
    TB_UNSHARED    = 4,         /* each access looks up the TLB by itself; should soon end, and is no loop */
};

/*
 * One translation to be done.  Filled by the accelerator, completed by the front end.
 *
 * An instruction may begin only at a delta below @page_left; the last one may reach into the next
 * page.  ir_exit_direct() is linked only where the target lies in the same guest page (of both pc
 * and linear address) as the block's start; every other direct jump or fall-through should be
 * ir_exit_indirect(ir_pc(delta)), whose inline lookup is much cheaper than the way through the run
 * loop that an unlinked exit takes.
 */
typedef struct TbRequest {
    Vcpu *cpu;                  /* for configuration; run-time state only to guess at what ir_guard() then checks */
    uint64_t pc;                /* architectural pc of the start (for logs and fetch; never into code) */
    TbMode mode;
    unsigned cflags;
    unsigned max_insns;
    uint32_t page_left;         /* bytes from the block's start to the end of its (smallest) page */
    const uint8_t *bytes;       /* these, read directly; NULL: they are a device's, or otherwise only to be had by @fetch */
    IrBlock *ir;
    TcgContext *ctx;
    /*
     * Fetch @n instruction bytes at block start + @delta.  The first page's bytes come from its
     * physical page.  The second page (a last instruction that crosses) is looked up on demand;
     * if that faults and the instruction is the block's first, fetch raises the guest's
     * exception (does not return); otherwise it returns false and the block must end before this
     * instruction.
     */
    bool (*fetch)(struct TbRequest *req, uint32_t delta, void *buf, unsigned n);
    /* results */
    uint32_t n_insns;
    uint32_t size;              /* guest bytes covered */
} TbRequest;

struct TcgCpuOps {
    const IrTarget *ir;
    unsigned page_bits;
    unsigned n_mmu_idx;
    /* Mode for the next block from the CPU's state. */
    void (*get_mode)(Vcpu *cpu, uint64_t *pc, TbMode *mode);
    /* Build IR for one block: as many instructions as sensible, ended by ir_exit_*. */
    void (*translate)(TbRequest *req);
    /*
     * Translate @va for @access with @mmu_idx and install it by tcg_tlb_set_page().  True if done.
     * If @probe, return false on a fault; else raise the guest's exception by
     * tcg_cpu_loop_exit_restore(cpu, retaddr), with CPU exception state set; does not return.
     */
    bool (*tlb_fill)(Vcpu *cpu, vaddr va, unsigned size, MmuAccess access, unsigned mmu_idx,
                     bool probe, uintptr_t retaddr);
    /* Unprivileged code runs: for profiles, from a signal handler.  NULL = it always is privileged. */
    bool (*in_user_mode)(Vcpu *cpu);
    /* The mmu_idx for instruction fetch in the present state. */
    unsigned (*fetch_mmu_idx)(Vcpu *cpu);
    /* After a fault: pc and insn params as unwound (globals are already in env). */
    void (*restore_state)(Vcpu *cpu, uint64_t pc, const uint32_t params[2]);
    /*
     * The block at the present pc and mode was translated for another state (ir_guard).  Change the mode to one whose
     * blocks need not guess.
     */
    void (*guard_failed)(Vcpu *cpu);
    /* Deliver cpu->exception_index (>= 0, the architecture's own).  No BQL. */
    void (*do_exception)(Vcpu *cpu);
    /* Take a pending interrupt if the state allows; true if state changed.  BQL held. */
    bool (*exec_interrupt)(Vcpu *cpu, uint32_t request);
    /* Unaligned access refused (IR_MO_ALIGN); does not return. */
    void (*unaligned)(Vcpu *cpu, vaddr va, MmuAccess access, unsigned mmu_idx, uintptr_t retaddr);
    /* A device or nothing answered with an error (x86: never called with reads as all-ones instead). */
    void (*bus_error)(Vcpu *cpu, hwaddr addr, vaddr va, unsigned size, MmuAccess access, uintptr_t retaddr);
    /*
     * A watchpoint (tcg_watchpoint_set) was hit.  Called between instructions, after the accessing
     * one was completed: set cpu->exception_index to raise a trap, or leave it.  No BQL.
     */
    void (*debug_hit)(Vcpu *cpu, vaddr va, unsigned len, MmuAccess access, uintptr_t retaddr);
    /* Entering and leaving cpu_exec on the owner thread (x86: move MXCSR). */
    void (*exec_enter)(Vcpu *cpu);
    void (*exec_exit)(Vcpu *cpu);
    /* -d in_asm: print the @n bytes of instructions at @pc, one line each.  May be NULL. */
    void (*disassemble)(FILE *f, const TbMode *mode, uint64_t pc, const uint8_t *bytes, size_t n);
};

/* --- services of accel/tcg for targets; @retaddr: GETPC() of the outermost helper, 0 outside generated code --- */

#define GETPC() ((uintptr_t)__builtin_extract_return_addr(__builtin_return_address(0)))

/* Leave generated code at once; cpu->exception_index says why.  The second unwinds guest state first. */
G_NORETURN void tcg_cpu_loop_exit(Vcpu *cpu);
G_NORETURN void tcg_cpu_loop_exit_restore(Vcpu *cpu, uintptr_t retaddr);
/* Unwind only: afterwards env (with pc) is that of the instruction containing @retaddr.  False if not in code. */
bool tcg_cpu_restore_state(Vcpu *cpu, uintptr_t retaddr);

/*
 * From a helper of a block that may be chained: what get_mode says has changed, or what the CPU accepts of interrupts.
 * The block can go on by an indirect exit, which finds the next block by the new mode, or polls what is pending now.
 */
void tcg_cpu_mode_changed(Vcpu *cpu);
/* The guest is spinning (PAUSE): let others have the host CPU, or the turn with thread=single. */
void tcg_cpu_relax(Vcpu *cpu);

/* GLOBAL: the same translation under every tag; stays over a flush that keeps global pages. */
enum { PAGE_PROT_READ = 1, PAGE_PROT_WRITE = 2, PAGE_PROT_EXEC = 4, PAGE_PROT_GLOBAL = 8 };

/* Why all contexts are flushed: counted. */
typedef enum TlbFlushCause {
    TLB_FLUSH_MODE,             /* the guest changed paging: control registers, EFER, A20 */
    TLB_FLUSH_GUEST,            /* the guest asked: INVPCID */
    TLB_FLUSH_STATE,            /* reset, state loaded or set from outside */
    TLB_FLUSH_MEMORY,           /* the memory map, a dirty log */
    TLB_FLUSH_DEBUG,            /* breakpoints, watchpoints */
    TLB_FLUSH_CAUSES,
} TlbFlushCause;

/*
 * Install va -> pa.  @size: of the guest page (4 KiB, 2 MiB, 1 GiB, ...); the entry covers one
 * smallest page, the size is remembered so that INVLPG of any part drops all of it.
 */
void tcg_tlb_set_page(Vcpu *cpu, vaddr va, hwaddr pa, MemTxAttrs attrs, unsigned prot, unsigned mmu_idx,
                      uint64_t size);
/*
 * Address-space tags: entries live in the context of the current tag.  Switching to a tag whose
 * context is present and not flushed costs no flush.  @tag: PCID | root-table identity, chosen by
 * the target so that equal tags mean equal translations; the accelerator keeps a bounded number
 * of contexts per vCPU.
 */
/* @flush_new_context drops the context's non-global entries (a root load that invalidates). */
void tcg_tlb_switch(Vcpu *cpu, uint64_t tag, bool flush_new_context);
void tcg_tlb_flush(Vcpu *cpu, TlbFlushCause why);       /* all contexts */
void tcg_tlb_flush_current(Vcpu *cpu, bool keep_global);/* this context (global pages may stay) */
void tcg_tlb_flush_tag(Vcpu *cpu, uint64_t tag);
void tcg_tlb_flush_page(Vcpu *cpu, vaddr va);           /* current context, and global entries in all */
void tcg_tlb_flush_page_tag(Vcpu *cpu, uint64_t tag, vaddr va);
/* Watch guest accesses (debug registers): pages get TLB_WATCH, hits call ops->debug_hit. */
void tcg_watchpoint_set(Vcpu *cpu, unsigned slot, vaddr va, unsigned len, bool on_read, bool on_write);
void tcg_watchpoint_clear(Vcpu *cpu, unsigned slot);

/* Guest-virtual accesses from helpers; fault like the instruction would. */
uint32_t cpu_ldub(Vcpu *cpu, vaddr va, unsigned mmu_idx, uintptr_t ra);
uint32_t cpu_lduw(Vcpu *cpu, vaddr va, unsigned mmu_idx, uintptr_t ra);
uint32_t cpu_ldl(Vcpu *cpu, vaddr va, unsigned mmu_idx, uintptr_t ra);
uint64_t cpu_ldq(Vcpu *cpu, vaddr va, unsigned mmu_idx, uintptr_t ra);
void cpu_stb(Vcpu *cpu, vaddr va, uint32_t v, unsigned mmu_idx, uintptr_t ra);
void cpu_stw(Vcpu *cpu, vaddr va, uint32_t v, unsigned mmu_idx, uintptr_t ra);
void cpu_stl(Vcpu *cpu, vaddr va, uint32_t v, unsigned mmu_idx, uintptr_t ra);
void cpu_stq(Vcpu *cpu, vaddr va, uint64_t v, unsigned mmu_idx, uintptr_t ra);
/*
 * Host pointer to guest-virtual [@va, @va+@size) within one page, for @access, with the fault
 * raised if not allowed; NULL if it is not plain RAM.  A store marks the page dirty and its code stale.
 */
void *tcg_probe_access(Vcpu *cpu, vaddr va, unsigned size, MmuAccess access, unsigned mmu_idx, uintptr_t ra);
/* Same without raising: *@ok false on a fault. */
void *tcg_probe_access_quiet(Vcpu *cpu, vaddr va, unsigned size, MmuAccess access, unsigned mmu_idx, bool *ok);
/* 16-byte compare-and-exchange at an aligned @va: true and stored if equal; *@old gets what was there. */
bool cpu_cmpxchg16(Vcpu *cpu, vaddr va, unsigned __int128 *old, unsigned __int128 want, unsigned mmu_idx, uintptr_t ra);
/* Debugger: read or write guest-virtual memory without side effects on state. */
bool cpu_memory_rw_debug(Vcpu *cpu, vaddr va, void *buf, size_t len, bool is_write);

/* Page-table walks: read or compare-and-exchange physical memory quickly. */
uint32_t tcg_phys_ldl(Vcpu *cpu, hwaddr pa);
uint64_t tcg_phys_ldq(Vcpu *cpu, hwaddr pa);
bool tcg_phys_cas_l(Vcpu *cpu, hwaddr pa, uint32_t old, uint32_t new_);
bool tcg_phys_cas_q(Vcpu *cpu, hwaddr pa, uint64_t old, uint64_t new_);

static inline Vcpu *env_cpu_of(void *env, size_t env_offset) { return (Vcpu *)((char *)env - env_offset); }

#endif
