/*
 * The translator at the service of another accelerator: what that one cannot run, or runs badly.
 */
#ifndef ACCEL_TCG_ASSIST_H
#define ACCEL_TCG_ASSIST_H

#include "accel/tcg/cpu-ops.h"

/*
 * A translator beside the accelerator of the process, without a vCPU yet.  @cache_size: of its code cache, in bytes;
 * 0 = what the "tcg" accelerator would take.  Owned by the caller, object_unref() ends it after its vCPUs.  BQL.
 */
Accel *tcg_assist_new(uint64_t cache_size, Error **errp) MUST_USE;
/* The code cache there must be at least. */
#define TCG_ASSIST_MIN_CACHE (1 * MiB)
/* Let @translator serve @cpu, unless it does already; on the CPU's thread, or before that begins.  BQL. */
bool tcg_assist_attach(Accel *translator, Vcpu *cpu, Error **errp) MUST_USE;
/* The reverse, if it was attached; the CPU's thread is gone. */
void tcg_assist_detach(Accel *translator, Vcpu *cpu);
/*
 * Run the instruction at the pc of @cpu's object, to its end or until the exception that it raises was
 * delivered.  Nothing translated or looked up before is used, nothing of it stays.  On the CPU's thread;
 * BQL, dropped meanwhile.
 */
void tcg_assist_run(Vcpu *cpu);

/*
 * The other way: the translator runs the CPU and lends it, with pages of the guest's memory, to the other
 * accelerator now and then.
 */
typedef struct TcgAssistOps {
    /* Between two blocks, no BQL: shall the translator leave the CPU to the other accelerator? */
    bool (*leave)(Vcpu *cpu);
    /* Make the other accelerator give the CPU back soon.  Any thread, signal handlers too. */
    void (*expel)(Vcpu *cpu);
} TcgAssistOps;

/* The CPU is attached and does not run. */
void tcg_assist_set_ops(Vcpu *cpu, const TcgAssistOps *ops);
/* Run until .leave says so or the outer loop is wanted.  On the CPU's thread; BQL, dropped meanwhile. */
void tcg_assist_exec(Vcpu *cpu);

/* A page of RAM as the guest may use it at a linear address. */
typedef struct TcgLentPage {
    hwaddr pa;                  /* of the page */
    const uint8_t *host;        /* the same in this process */
    bool write, exec;           /* not .write: writes must come through the translator, allowed or not */
} TcgLentPage;

/*
 * Pages are lent for one generation; it ends when the guest flushes something that was lent, and when what may
 * not be written behind the translator's back changes.  Owner thread, outside tcg_assist_exec.
 */
uint64_t tcg_lend_generation(Vcpu *cpu);
/*
 * Lend the page at @va, which is accessed by @access.  False: not mapped so, no plain RAM, watched, or there is
 * something else to do.  Marks it accessed, and dirty for a store, as the access does.
 */
bool tcg_lend_page(Vcpu *cpu, vaddr va, MmuAccess access, unsigned mmu_idx, TcgLentPage *out);
/* Lend each page that the soft TLB knows: those used lately. */
void tcg_lend_known_pages(Vcpu *cpu, unsigned mmu_idx, void (*fn)(void *opaque, vaddr va, const TcgLentPage *page), void *opaque);
/*
 * The other accelerator runs the CPU between the two.  False: not with pages of @generation, or the translator's loop
 * is asked for; tcg_native_end() is not to follow then.  Owner thread, no BQL.
 */
bool tcg_native_begin(Vcpu *cpu, uint64_t generation);
void tcg_native_end(Vcpu *cpu);

#endif
