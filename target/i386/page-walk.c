/*
 * Every page that the present page tables map, for those who look from outside (dumps, monitors).
 *
 * Reference: SDM Vol.3 chapter 4; the same tables as mmu.c, without rights or side effects.  Tables
 * are the guest's: they may be anywhere, nested in themselves, or not memory.  The depth is fixed, but one
 * page that is its own table 512 times over stands for 2^36: the number of tables read is bounded, too.
 */
#include "target/i386/page-walk.h"

#include "accel/tcg/cpu-ops.h"

typedef struct PageWalk {
    Vcpu *cpu;
    X86PageFn *fn;
    void *opaque;
    bool wide;              /* entries of 8 bytes, tables of 512; else 4 and 1024 */
    bool large32;           /* CR4.PSE in 32-bit paging */
    uint64_t addr_mask;     /* of the address in an entry of 8 bytes */
    unsigned tables_left;
} PageWalk;

enum { ENTRY_P = 1 << 0, ENTRY_PS = 1 << 7 };

#define TABLE_BYTES 4096

/* Entries of a table, zero where it is not memory. */
static void read_table(const PageWalk *w, hwaddr table, unsigned n, uint8_t *bytes)
{
    unsigned size = n * (w->wide ? 8 : 4);

    if (address_space_read(w->cpu->as, table, MEMTXATTRS_UNSPECIFIED, bytes, size) != MEMTX_OK) {
        memset(bytes, 0, size);
    }
}

/* Physical address of a page of 2^@shift bytes. */
static hwaddr page_address(const PageWalk *w, uint64_t entry, unsigned shift)
{
    if (!w->wide && shift == 22) {
        return (entry & 0xffc00000) | (entry & 0x1fe000) << 19;     /* PSE-36, 4.3 */
    }
    return entry & (w->wide ? w->addr_mask : 0xfffff000) & ~(BIT_ULL(shift) - 1);
}

static bool is_page(const PageWalk *w, uint64_t entry, unsigned shift)
{
    if (shift == 12) {
        return true;
    }
    return entry & ENTRY_PS && (w->wide ? shift <= 30 : w->large32);
}

/* 48 or 57 bits of address, sign-extended in long mode. */
static vaddr canonical(vaddr va, unsigned top_shift)
{
    unsigned bits = top_shift + 9;

    return bits >= 48 ? (uint64_t)((int64_t)(va << (64 - bits)) >> (64 - bits)) : va;
}

static bool walk_table(PageWalk *w, hwaddr table, vaddr base, unsigned shift, unsigned n, unsigned top_shift,
                       unsigned rights)
{
    uint8_t bytes[TABLE_BYTES];

    if (!w->tables_left--) {
        w->tables_left = 0;
        return false;
    }
    read_table(w, table, n, bytes);
    for (unsigned i = 0; i < n; i++) {
        uint64_t entry = w->wide ? ld64_le(bytes + i * 8) : ld32_le(bytes + i * 4);
        vaddr va = base | (vaddr)i << shift;
        /* 4.4.1: the four entries at the top of PAE paging carry no rights */
        unsigned both = top_shift == 30 && shift == 30 ? rights : rights & (unsigned)entry;
        bool go_on;

        if (!(entry & ENTRY_P)) {
            continue;
        }
        if (is_page(w, entry, shift)) {
            go_on = w->fn(w->opaque, canonical(va, top_shift), page_address(w, entry, shift), BIT_ULL(shift), entry, both);
        } else {
            go_on = walk_table(w, page_address(w, entry, 12), va, shift - (w->wide ? 9 : 10), w->wide ? 512 : 1024, top_shift,
                               both);
        }
        if (!go_on) {
            return false;
        }
    }
    return true;
}

bool x86_foreach_page(Vcpu *cpu, X86PageFn *fn, void *opaque)
{
    CPUX86State *env = cpu->env;
    PageWalk w = {
        .cpu = cpu, .fn = fn, .opaque = opaque, .wide = env->cr[4] & CR4_PAE, .large32 = env->cr[4] & CR4_PSE,
        .addr_mask = (BIT_ULL(container_of(env, X86CPU, env)->phys_bits) - 1) & ~0xfffULL, .tables_left = X86_WALK_TABLES,
    };

    if (!(env->cr[0] & CR0_PG)) {
        return true;
    }
    if (env->efer & EFER_LMA) {
        unsigned top = env->cr[4] & CR4_LA57 ? 48 : 39;

        return walk_table(&w, env->cr[3] & w.addr_mask, 0, top, 512, top, PTE_RW | PTE_USER);
    }
    if (w.wide) {
        return walk_table(&w, env->cr[3] & 0xffffffe0, 0, 30, 4, 30, PTE_RW | PTE_USER);
    }
    return walk_table(&w, env->cr[3] & 0xfffff000, 0, 22, 1024, 22, PTE_RW | PTE_USER);
}
