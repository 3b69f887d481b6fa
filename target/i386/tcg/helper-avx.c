/*
 * Masked moves and gathers: elements whose mask is clear are not touched, nor do they fault.
 *
 * Reference: SDM Vol.2 VMASKMOV, VPMASKMOV, VGATHER*, VPGATHER*.
 */
#include "target/i386/tcg/helper.h"

static vaddr wrap(const CPUX86State *env, vaddr va)
{
    return env->hflags & HF_CS64 ? va : (uint32_t)va;
}

static uint64_t load(CPUX86State *env, vaddr va, unsigned size, uintptr_t ra)
{
    Vcpu *cpu = x86_env_vcpu(env);
    unsigned idx = x86_mmu_index(env);

    return size == 8 ? cpu_ldq(cpu, wrap(env, va), idx, ra) : cpu_ldl(cpu, wrap(env, va), idx, ra);
}

static bool is_set(const uint8_t *mask, unsigned element, unsigned size)
{
    return mask[(element + 1) * size - 1] >> 7;
}

void helper_mask_load(CPUX86State *env, uint64_t addr, const X128 *mask, uint32_t size, X128 *d)
{
    X128 v = { .q = { 0, 0 } };

    for (unsigned k = 0; k < 16 / size; k++) {
        if (is_set(mask->b, k, size)) {
            uint64_t x = load(env, addr + k * size, size, GETPC());
            memcpy(v.b + k * size, &x, size);
        }
    }
    *d = v;
}

/* One element that may lie on two pages. */
static void probe(CPUX86State *env, vaddr va, unsigned size, uintptr_t ra)
{
    Vcpu *cpu = x86_env_vcpu(env);
    unsigned first = MIN(size, 4096 - (va & 4095)), idx = x86_mmu_index(env);

    tcg_probe_access(cpu, wrap(env, va), first, MMU_DATA_STORE, idx, ra);
    if (first < size) {
        tcg_probe_access(cpu, wrap(env, va + first), size - first, MMU_DATA_STORE, idx, ra);
    }
}

/* All that will be written first, so that a fault leaves memory as it was. */
static void mask_store(CPUX86State *env, vaddr addr, const uint8_t *data, const uint8_t *mask, unsigned n, unsigned size, uintptr_t ra)
{
    Vcpu *cpu = x86_env_vcpu(env);
    unsigned idx = x86_mmu_index(env);

    for (unsigned k = 0; k < n / size; k++) {
        if (is_set(mask, k, size)) {
            probe(env, addr + k * size, size, ra);
        }
    }
    for (unsigned k = 0; k < n / size; k++) {
        if (is_set(mask, k, size) && size == 8) {
            cpu_stq(cpu, wrap(env, addr + k * size), ld64_le(data + k * size), idx, ra);
        } else if (is_set(mask, k, size)) {
            cpu_stl(cpu, wrap(env, addr + k * size), ld32_le(data + k * size), idx, ra);
        }
    }
}

void helper_mask_store_16(CPUX86State *env, uint64_t addr, const X128 *data, const X128 *mask, uint32_t size)
{
    mask_store(env, addr, data->b, mask->b, 16, size, GETPC());
}

void helper_mask_store_32(CPUX86State *env, uint64_t addr, const X128 *lo, const X128 *hi, const X128 *mask_lo,
                          const X128 *mask_hi, uint32_t size)
{
    X128 data[2] = { *lo, *hi }, mask[2] = { *mask_lo, *mask_hi };

    mask_store(env, addr, data[0].b, mask[0].b, 32, size, GETPC());
}

/* --- gathers --- */

static vaddr gather_address(const CPUX86State *env, uint64_t offset, int64_t index, uint32_t how)
{
    unsigned seg = how >> GATHER_SEG_SHIFT & 7;

    offset += (uint64_t)index << (how >> GATHER_SCALE_SHIFT & 3);
    if (how & GATHER_ADDR32) {
        offset = (uint32_t)offset;
    }
    return offset + (env->hflags & HF_CS64 && seg < R_FS ? 0 : env->segs[seg].base);
}

static int64_t gather_index(const XmmReg *x, unsigned k, uint32_t how)
{
    return how & GATHER_WIDE_INDEX ? (int64_t)x->q[k] : (int32_t)x->l[k];
}

static void put_element(XmmReg *r, unsigned k, unsigned size, uint64_t v)
{
    memcpy(r->b + k * size, &v, size);
}

/*
 * Elements from the lowest on; destination and mask tell at each fault what is done.  What the mask has in bits that
 * do not count is kept for elements to come, as AMD's processors do; the SDM's text spreads the sign bits first.
 */
void helper_gather(CPUX86State *env, uint64_t offset, uint32_t how)
{
    XmmReg *d = &env->ymm[how & 15], *mask = &env->ymm[how >> 8 & 15];
    const XmmReg *index = &env->ymm[how >> 4 & 15];
    unsigned size = how & GATHER_WIDE ? 8 : 4, bytes = how & GATHER_32 ? 32 : 16;
    unsigned n = bytes / (size == 8 || how & GATHER_WIDE_INDEX ? 8 : 4);

    for (unsigned k = 0; k < n; k++) {
        if (is_set(mask->b, k, size)) {
            put_element(d, k, size, load(env, gather_address(env, offset, gather_index(index, k, how), how), size, GETPC()));
        }
        put_element(mask, k, size, 0);
    }
    memset(mask->b + n * size, 0, sizeof(mask->b) - n * size);
    memset(d->b + n * size, 0, sizeof(d->b) - n * size);
}
