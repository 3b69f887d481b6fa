/*
 * Paging: from linear to physical addresses.
 *
 * Reference: SDM Vol.3 chapter 4.
 *
 *   mode      CR0.PG CR4.PAE EFER.LMA  tables              page sizes
 *   none        0      -       -       -                   identity, 32 bits
 *   32-bit      1      0       0       PD PT               4K, 4M (CR4.PSE; 40 physical bits)
 *   PAE         1      1       0       PDPT PD PT          4K, 2M
 *   4-level     1      1       1       PML4 PDPT PD PT     4K, 2M, 1G
 *
 * Access rights (4.6.1); U = every entry on the way has U/S set, W = every entry has R/W set,
 * X = no entry has XD set (or EFER.NXE = 0):
 *
 *   access             user page (U)                           supervisor page (!U)
 *   supervisor read    if !SMAP or AC                          yes
 *   supervisor write   (if !SMAP or AC) and (W or !CR0.WP)     W or !CR0.WP
 *   supervisor fetch   X and !CR4.SMEP                         X
 *   user read          yes                                     no
 *   user write         W                                       no
 *   user fetch         X                                       no
 *
 * Page-fault error code (4.7): bit 0 P (protection, not absence), 1 W/R, 2 U/S, 3 RSVD, 4 I/D
 * (only with NXE or SMEP).
 *
 * Accessed and dirty bits are set by compare-and-exchange, so that a walk races neither with other
 * CPUs' walks nor with guest stores; if the entry changed meanwhile, the walk starts afresh.
 * SMAP's "AC" is the TLB index: MMU_KNOSMAP_IDX where it is off or overridden.
 */
#include "target/i386/segment.h"
#include "util/log.h"

enum {
    PTE_P = 1 << 0, PTE_W = 1 << 1, PTE_U = 1 << 2, PTE_A = 1 << 5, PTE_D = 1 << 6, PTE_PS = 1 << 7, PTE_G = 1 << 8,
};
#define PTE_XD BIT_ULL(63)

enum { PF_P = 1, PF_W = 2, PF_U = 4, PF_RSVD = 8, PF_ID = 16 };

typedef enum WalkResult { WALK_OK, WALK_FAULT, WALK_AGAIN } WalkResult;

typedef struct Walk {
    CPUX86State *env;
    Vcpu *cpu;
    vaddr va;
    MmuAccess access;
    unsigned mmu_idx;
    bool debug;
    bool wide;              /* 8-byte entries */
    uint64_t rsvd;          /* bits that must be 0 in any present entry */
    /* accumulated on the way down */
    uint64_t rights;        /* PTE_U & PTE_W of all entries */
    bool xd;
    /* the leaf */
    uint64_t entry;
    hwaddr entry_pa;
    unsigned shift;         /* log2 of the page size */
    int error_code;
} Walk;

static WalkResult walk_fault(Walk *w, int why)
{
    bool id_reported = (w->env->efer & EFER_NXE && w->wide) || (w->env->cr[4] & CR4_SMEP);

    w->error_code = why;
    if (w->access == MMU_DATA_STORE) {
        w->error_code |= PF_W;
    }
    if (w->mmu_idx == MMU_USER_IDX) {
        w->error_code |= PF_U;
    }
    if (w->access == MMU_INST_FETCH && id_reported) {
        w->error_code |= PF_ID;
    }
    return WALK_FAULT;
}

static uint64_t entry_read(Walk *w, hwaddr pa)
{
    if (w->debug) {
        return address_space_ld(w->cpu->as, pa, w->wide ? 8 : 4, false, MEMTXATTRS_UNSPECIFIED, NULL);
    }
    return w->wide ? tcg_phys_ldq(w->cpu, pa) : tcg_phys_ldl(w->cpu, pa);
}

/* Set @bits in the entry at @pa that was read as @entry; false if it changed since. */
static bool entry_set_bits(Walk *w, hwaddr pa, uint64_t entry, uint64_t bits)
{
    if (w->debug || (entry & bits) == bits) {
        return true;
    }
    return w->wide ? tcg_phys_cas_q(w->cpu, pa, entry, entry | bits)
                   : tcg_phys_cas_l(w->cpu, pa, (uint32_t)entry, (uint32_t)(entry | bits));
}

/*
 * Read one table entry; check presence and @rsvd.  A non-leaf is marked accessed and its rights
 * are accumulated.
 */
static WalkResult walk_entry(Walk *w, hwaddr table, unsigned index, uint64_t *entry)
{
    w->entry_pa = (table + index * (w->wide ? 8 : 4)) & w->env->a20_mask;
    *entry = entry_read(w, w->entry_pa);
    if (!(*entry & PTE_P)) {
        return walk_fault(w, 0);
    }
    if (*entry & w->rsvd) {
        return walk_fault(w, PF_P | PF_RSVD);
    }
    return WALK_OK;
}

static WalkResult walk_descend(Walk *w, uint64_t entry)
{
    w->rights &= entry;
    w->xd |= w->wide && (entry & PTE_XD);
    return entry_set_bits(w, w->entry_pa, entry, PTE_A) ? WALK_OK : WALK_AGAIN;
}

static WalkResult walk_leaf(Walk *w, uint64_t entry, unsigned shift, uint64_t rsvd)
{
    if (entry & rsvd) {
        return walk_fault(w, PF_P | PF_RSVD);
    }
    w->rights &= entry;
    w->xd |= w->wide && (entry & PTE_XD);
    w->entry = entry;
    w->shift = shift;
    return WALK_OK;
}

static uint64_t physical_mask(const CPUX86State *env)
{
    return BIT_ULL(container_of((CPUX86State *)env, X86CPU, env)->phys_bits) - 1;
}

/* Bits 12..shift-1 of a large page's address must be 0, but for bit 12 (PAT). */
static uint64_t large_page_rsvd(unsigned shift)
{
    return (BIT_ULL(shift) - 1) & ~0x1fffULL;
}

/* The last two levels, common to PAE and 4-level paging. */
static WalkResult walk_pd_wide(Walk *w, hwaddr pd)
{
    uint64_t addr_mask = physical_mask(w->env) & ~0xfffULL;
    uint64_t e;
    WalkResult r;

    if ((r = walk_entry(w, pd, w->va >> 21 & 0x1ff, &e)) != WALK_OK) {
        return r;
    }
    if (e & PTE_PS) {
        return walk_leaf(w, e, 21, large_page_rsvd(21));
    }
    if ((r = walk_descend(w, e)) != WALK_OK ||
        (r = walk_entry(w, e & addr_mask, w->va >> 12 & 0x1ff, &e)) != WALK_OK) {
        return r;
    }
    return walk_leaf(w, e, 12, 0);
}

static WalkResult walk_4level(Walk *w)
{
    uint64_t addr_mask = physical_mask(w->env) & ~0xfffULL;
    uint64_t e;
    WalkResult r;

    w->wide = true;
    w->rsvd = ~physical_mask(w->env) & (BIT_ULL(52) - 1);
    w->rsvd |= w->env->efer & EFER_NXE ? 0 : PTE_XD;
    if ((r = walk_entry(w, w->env->cr[3] & addr_mask, w->va >> 39 & 0x1ff, &e)) != WALK_OK) {
        return r;
    }
    if (e & PTE_PS) {
        return walk_fault(w, PF_P | PF_RSVD);
    }
    if ((r = walk_descend(w, e)) != WALK_OK ||
        (r = walk_entry(w, e & addr_mask, w->va >> 30 & 0x1ff, &e)) != WALK_OK) {
        return r;
    }
    if (e & PTE_PS) {
        bool has_1g = x86_has(w->env, FEAT_8000_0001_EDX, 26);
        return walk_leaf(w, e, 30, has_1g ? large_page_rsvd(30) : (uint64_t)PTE_PS);
    }
    if ((r = walk_descend(w, e)) != WALK_OK) {
        return r;
    }
    return walk_pd_wide(w, e & addr_mask);
}

static WalkResult walk_pae(Walk *w)
{
    uint64_t phys = physical_mask(w->env);
    uint64_t e;
    WalkResult r;

    w->wide = true;
    /* 4.4.1: PDPTEs hold no rights and no A bit; bits 2:1, 8:5 and from the physical width up are reserved. */
    w->rsvd = ~phys | 0x1e6;
    if ((r = walk_entry(w, w->env->cr[3] & 0xffffffe0, w->va >> 30 & 3, &e)) != WALK_OK) {
        return r;
    }
    w->rsvd = ~phys & (w->env->efer & EFER_NXE ? ~PTE_XD : ~0ULL);
    return walk_pd_wide(w, e & phys & ~0xfffULL);
}

static WalkResult walk_32bit(Walk *w)
{
    uint64_t e;
    WalkResult r;

    if ((r = walk_entry(w, w->env->cr[3] & 0xfffff000, w->va >> 22 & 0x3ff, &e)) != WALK_OK) {
        return r;
    }
    if ((e & PTE_PS) && (w->env->cr[4] & CR4_PSE)) {
        return walk_leaf(w, e, 22, BIT_ULL(21));
    }
    if ((r = walk_descend(w, e)) != WALK_OK ||
        (r = walk_entry(w, e & 0xfffff000, w->va >> 12 & 0x3ff, &e)) != WALK_OK) {
        return r;
    }
    return walk_leaf(w, e, 12, 0);
}

/* What a leaf with the accumulated rights allows: the table at the top of this file. */
static unsigned allowed_prot(const Walk *w)
{
    bool user_page = w->rights & PTE_U;
    bool writable = w->rights & PTE_W;
    unsigned prot = PAGE_PROT_READ;

    if (w->mmu_idx == MMU_USER_IDX) {
        if (!user_page) {
            return 0;
        }
    } else {
        if (user_page && w->mmu_idx == MMU_KSMAP_IDX && !w->debug) {
            prot = 0;           /* SMAP: no data access; a fetch is SMEP's business */
        }
        writable |= !(w->env->cr[0] & CR0_WP);
    }
    if (prot && writable) {
        prot |= PAGE_PROT_WRITE;
    }
    if (!w->xd && !(w->mmu_idx != MMU_USER_IDX && user_page && (w->env->cr[4] & CR4_SMEP))) {
        prot |= PAGE_PROT_EXEC;
    }
    return prot;
}

static hwaddr leaf_address(const Walk *w)
{
    uint64_t offset_mask = BIT_ULL(w->shift) - 1;
    uint64_t base = w->entry & physical_mask(w->env) & ~offset_mask;

    if (w->shift == 22) {       /* PSE-36: bits 39:32 are in bits 20:13 (table 4-4) */
        base = (w->entry & 0xffc00000) | extract64(w->entry, 13, 8) << 32;
    }
    return (base | (w->va & offset_mask)) & w->env->a20_mask;
}

static WalkResult walk_finish(Walk *w, X86Translation *out)
{
    static const unsigned need[] = {
        [MMU_DATA_LOAD] = PAGE_PROT_READ, [MMU_DATA_STORE] = PAGE_PROT_WRITE, [MMU_INST_FETCH] = PAGE_PROT_EXEC,
    };
    uint64_t set = PTE_A | (w->access == MMU_DATA_STORE ? PTE_D : 0);
    unsigned prot = allowed_prot(w);

    if (!(prot & need[w->access])) {
        return walk_fault(w, PF_P);
    }
    if (!entry_set_bits(w, w->entry_pa, w->entry, set)) {
        return WALK_AGAIN;
    }
    if (!((w->entry | set) & PTE_D)) {
        prot &= ~PAGE_PROT_WRITE;       /* the first store has to come back and set the dirty bit */
    }
    out->pa = leaf_address(w);
    out->size = BIT_ULL(w->shift);
    out->prot = prot;
    out->global = (w->entry & PTE_G) && (w->env->cr[4] & CR4_PGE);
    return WALK_OK;
}

static WalkResult walk_once(Walk *w, X86Translation *out)
{
    const CPUX86State *env = w->env;
    WalkResult r;

    w->rights = PTE_U | PTE_W;
    w->xd = false;
    r = env->efer & EFER_LMA ? walk_4level(w) : env->cr[4] & CR4_PAE ? walk_pae(w) : walk_32bit(w);
    return r == WALK_OK ? walk_finish(w, out) : r;
}

bool x86_mmu_translate(CPUX86State *env, vaddr va, MmuAccess access, unsigned mmu_idx, bool debug,
                       X86Translation *out, int *error_code)
{
    Walk w = {
        .env = env, .cpu = x86_env_vcpu(env), .va = va, .access = access, .mmu_idx = mmu_idx, .debug = debug,
    };
    WalkResult r;

    if (!(env->cr[0] & CR0_PG) || mmu_idx == MMU_PHYS_IDX) {
        *out = (X86Translation){
            .pa = (mmu_idx == MMU_PHYS_IDX ? va : va & 0xffffffff) & env->a20_mask,
            .size = 4 * KiB, .prot = PAGE_PROT_READ | PAGE_PROT_WRITE | PAGE_PROT_EXEC,
        };
        return true;
    }
    if (!(env->efer & EFER_LMA)) {
        w.va = va & 0xffffffff;
    } else if (!x86_is_canonical(va)) {
        *error_code = -1;
        return false;
    }
    do {
        r = walk_once(&w, out);
    } while (r == WALK_AGAIN);
    *error_code = w.error_code;
    return r == WALK_OK;
}

bool x86_tlb_fill(Vcpu *cpu, vaddr va, unsigned size, MmuAccess access, unsigned mmu_idx, bool probe, uintptr_t ra)
{
    CPUX86State *env = cpu->env;
    X86Translation tr;
    int error_code;

    if (x86_mmu_translate(env, va, access, mmu_idx, false, &tr, &error_code)) {
        MemTxAttrs attrs = { .user = mmu_idx == MMU_USER_IDX, .secure = !!(env->hflags & HF_SMM), .memory = 1 };

        tcg_tlb_set_page(cpu, va & ~0xfffULL, tr.pa & ~0xfffULL, attrs, tr.prot | (tr.global ? PAGE_PROT_GLOBAL : 0),
                         mmu_idx, tr.size);
        return true;
    }
    if (probe) {
        return false;
    }
    /* Where the access ends outside the canonical addresses that comes before a fault of its first page. */
    if (error_code < 0 || (env->efer & EFER_LMA && access != MMU_INST_FETCH && !x86_is_canonical(va + size - 1))) {
        x86_raise_err(env, EXCP0D_GPF, 0, ra);
    }
    log_mask_write(LOG_MMU, "page fault: va=%016" PRIx64 " code=%02x\n", va, error_code);
    env->cr[2] = va;
    x86_raise_err(env, EXCP0E_PAGE, error_code, ra);
}
