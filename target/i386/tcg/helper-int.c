/*
 * Helpers of general-purpose instructions: division, rotates through carry, decimal adjustment,
 * CRC32, runs of string instructions.  SDM Vol.2 by mnemonic.
 */
#include "target/i386/tcg/gen.h"

/* --- division --- */

static G_NORETURN void divide_error(CPUX86State *env, uintptr_t ra)
{
    x86_raise(env, EXCP00_DIVZ, ra);
}

static void put_low(uint64_t *reg, uint64_t v, unsigned bits)
{
    *reg = bits == 32 ? (uint32_t)v : bits == 64 ? v : deposit64(*reg, 0, bits, v);
}

void helper_divb(CPUX86State *env, uint32_t divisor)
{
    uint32_t dividend = env->regs[R_EAX] & 0xffff, quotient;

    divisor &= 0xff;
    if (!divisor || (quotient = dividend / divisor) > 0xff) {
        divide_error(env, GETPC());
    }
    put_low(&env->regs[R_EAX], quotient | (dividend % divisor) << 8, 16);
}

void helper_idivb(CPUX86State *env, uint32_t divisor)
{
    int32_t dividend = (int16_t)env->regs[R_EAX], d = (int8_t)divisor, quotient;

    if (!d) {
        divide_error(env, GETPC());
    }
    quotient = dividend / d;
    if (quotient != (int8_t)quotient) {
        divide_error(env, GETPC());
    }
    put_low(&env->regs[R_EAX], (quotient & 0xff) | (dividend % d & 0xff) << 8, 16);
}

/* 16 and 32 bits: the dividend fits 64. */
static void divide(CPUX86State *env, uint64_t divisor, unsigned bits, uintptr_t ra)
{
    uint64_t mask = ~0ull >> (64 - bits), quotient;
    uint64_t dividend = (env->regs[R_EDX] & mask) << bits | (env->regs[R_EAX] & mask);

    divisor &= mask;
    if (!divisor || (quotient = dividend / divisor) > mask) {
        divide_error(env, ra);
    }
    put_low(&env->regs[R_EAX], quotient, bits);
    put_low(&env->regs[R_EDX], dividend % divisor, bits);
}

static void idivide(CPUX86State *env, uint64_t divisor, unsigned bits, uintptr_t ra)
{
    int64_t d = sextract64(divisor, 0, bits), quotient;
    int64_t dividend = sextract64((env->regs[R_EDX] & (~0ull >> (64 - bits))) << bits
                                  | (env->regs[R_EAX] & (~0ull >> (64 - bits))), 0, 2 * bits);

    if (!d || (dividend == INT64_MIN && d == -1)) {
        divide_error(env, ra);
    }
    quotient = dividend / d;
    if (quotient != sextract64(quotient, 0, bits)) {
        divide_error(env, ra);
    }
    put_low(&env->regs[R_EAX], quotient, bits);
    put_low(&env->regs[R_EDX], dividend % d, bits);
}

void helper_divw(CPUX86State *env, uint32_t divisor)
{
    divide(env, divisor, 16, GETPC());
}

void helper_divl(CPUX86State *env, uint32_t divisor)
{
    divide(env, divisor, 32, GETPC());
}

void helper_idivw(CPUX86State *env, uint32_t divisor)
{
    idivide(env, divisor, 16, GETPC());
}

void helper_idivl(CPUX86State *env, uint32_t divisor)
{
    idivide(env, divisor, 32, GETPC());
}

void helper_divq(CPUX86State *env, uint64_t divisor)
{
    uint64_t high = env->regs[R_EDX], low = env->regs[R_EAX];

    if (high >= divisor) {              /* also a divisor of zero */
        divide_error(env, GETPC());
    }
    if (!high) {
        env->regs[R_EAX] = low / divisor;
        env->regs[R_EDX] = low % divisor;
        return;
    }
    unsigned __int128 dividend = (unsigned __int128)high << 64 | low;
    env->regs[R_EAX] = (uint64_t)(dividend / divisor);
    env->regs[R_EDX] = (uint64_t)(dividend % divisor);
}

void helper_idivq(CPUX86State *env, uint64_t divisor)
{
    __int128 dividend = (__int128)((unsigned __int128)env->regs[R_EDX] << 64 | env->regs[R_EAX]), quotient;
    int64_t d = divisor;
    const __int128 min = (__int128)((unsigned __int128)1 << 127);

    if (!d || (dividend == min && d == -1)) {
        divide_error(env, GETPC());
    }
    quotient = dividend / d;
    if (quotient != (int64_t)quotient) {
        divide_error(env, GETPC());
    }
    env->regs[R_EAX] = (uint64_t)quotient;
    env->regs[R_EDX] = (uint64_t)(dividend % d);
}

/* --- rotates through carry --- */

/* Left by @n of the (@bits + 1)-bit value carry:v; carry in and out are bit @bits. */
static uint64_t rotate_carry_left(uint64_t v, unsigned n, unsigned carry, unsigned bits)
{
    unsigned total = bits + 1;
    uint64_t x = v | (uint64_t)carry << bits, mask = (1ull << total) - 1;

    n %= total;
    return n ? (x << n | x >> (total - n)) & mask : x;
}

uint32_t helper_rclb(CPUX86State *env, uint32_t v, uint32_t n, uint32_t c)
{
    return rotate_carry_left(v, n, c, 8);
}

uint32_t helper_rclw(CPUX86State *env, uint32_t v, uint32_t n, uint32_t c)
{
    return rotate_carry_left(v, n, c, 16);
}

uint64_t helper_rcll(CPUX86State *env, uint32_t v, uint32_t n, uint32_t c)
{
    return rotate_carry_left(v, n, c, 32);
}

uint32_t helper_rcrb(CPUX86State *env, uint32_t v, uint32_t n, uint32_t c)
{
    return rotate_carry_left(v, 9 - n % 9, c, 8);
}

uint32_t helper_rcrw(CPUX86State *env, uint32_t v, uint32_t n, uint32_t c)
{
    return rotate_carry_left(v, 17 - n % 17, c, 16);
}

uint64_t helper_rcrl(CPUX86State *env, uint32_t v, uint32_t n, uint32_t c)
{
    return rotate_carry_left(v, 33 - n % 33, c, 32);
}

static unsigned __int128 rotate65(uint64_t v, unsigned n, unsigned carry)
{
    unsigned __int128 x = v | (unsigned __int128)carry << 64, mask = ((unsigned __int128)1 << 65) - 1;

    n %= 65;
    return n ? (x << n | x >> (65 - n)) & mask : x;
}

uint64_t helper_rclq(CPUX86State *env, uint64_t v, uint32_t n, uint32_t c)
{
    return (uint64_t)rotate65(v, n, c);
}

uint32_t helper_rclq_c(CPUX86State *env, uint64_t v, uint32_t n, uint32_t c)
{
    return (uint32_t)(rotate65(v, n, c) >> 64);
}

uint64_t helper_rcrq(CPUX86State *env, uint64_t v, uint32_t n, uint32_t c)
{
    return (uint64_t)rotate65(v, 65 - n % 65, c);
}

uint32_t helper_rcrq_c(CPUX86State *env, uint64_t v, uint32_t n, uint32_t c)
{
    return (uint32_t)(rotate65(v, 65 - n % 65, c) >> 64);
}

/* --- decimal adjustment --- */

/* Z, S, P of AL. */
static uint32_t result_flags(uint8_t al)
{
    return (al ? 0 : CC_Z) | (al & CC_S) | (__builtin_parity(al) ? 0 : CC_P);
}

uint32_t helper_daa(CPUX86State *env, uint32_t ax, uint32_t flags)
{
    uint8_t al = ax, old = al;
    bool carry = flags & CC_C, adjust = (al & 15) > 9 || flags & CC_A;
    uint32_t out = 0;

    if (adjust) {
        al += 6;
        out |= CC_A;
    }
    if (old > 0x99 || carry) {
        al += 0x60;
        out |= CC_C;
    }
    return (ax & 0xff00) | al | (out | result_flags(al)) << 16;
}

uint32_t helper_das(CPUX86State *env, uint32_t ax, uint32_t flags)
{
    uint8_t al = ax, old = al;
    bool carry = flags & CC_C, adjust = (al & 15) > 9 || flags & CC_A;
    uint32_t out = 0;

    if (adjust) {
        out |= CC_A | (carry || al < 6 ? CC_C : 0);
        al -= 6;
    }
    if (old > 0x99 || carry) {
        al -= 0x60;
        out |= CC_C;
    }
    return (ax & 0xff00) | al | (out | result_flags(al)) << 16;
}

static uint32_t ascii_adjust(uint32_t ax, uint32_t flags, int al_step)
{
    bool adjust = (ax & 15) > 9 || flags & CC_A;

    if (adjust) {
        ax += al_step < 0 ? -0x106 : 0x106;
    }
    ax &= 0xff0f;
    return ax | (adjust ? CC_A | CC_C : 0) << 16;
}

uint32_t helper_aaa(CPUX86State *env, uint32_t ax, uint32_t flags)
{
    return ascii_adjust(ax, flags, 1);
}

uint32_t helper_aas(CPUX86State *env, uint32_t ax, uint32_t flags)
{
    return ascii_adjust(ax, flags, -1);
}

/* --- bits --- */

/* --- bits by a mask --- */

#ifdef __x86_64__
#define HOST_BMI2 __attribute__((target("bmi2")))

HOST_BMI2 static uint64_t host_pdep(uint64_t x, uint64_t mask)
{
    return __builtin_ia32_pdep_di(x, mask);
}

HOST_BMI2 static uint64_t host_pext(uint64_t x, uint64_t mask)
{
    return __builtin_ia32_pext_di(x, mask);
}
#else
#define host_pdep(x, mask) 0
#define host_pext(x, mask) 0
#endif

uint64_t helper_pdep(CPUX86State *env, uint64_t x, uint64_t mask)
{
    uint64_t r = 0;

    if (likely(tcg_host_has_bmi2())) {
        return host_pdep(x, mask);
    }
    for (; mask; mask &= mask - 1, x >>= 1) {
        r |= x & 1 ? mask & -mask : 0;
    }
    return r;
}

uint64_t helper_pext(CPUX86State *env, uint64_t x, uint64_t mask)
{
    uint64_t r = 0;

    if (likely(tcg_host_has_bmi2())) {
        return host_pext(x, mask);
    }
    for (unsigned n = 0; mask; mask &= mask - 1, n++) {
        r |= (uint64_t)!!(x & mask & -mask) << n;
    }
    return r;
}

/* CRC-32C, reflected polynomial. */
uint32_t helper_crc32(CPUX86State *env, uint32_t crc, uint64_t data, uint32_t bytes)
{
    for (unsigned n = 0; n < bytes; n++) {
        crc ^= (uint8_t)(data >> (8 * n));
        for (unsigned bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
        }
    }
    return crc;
}

/* --- memory --- */

void helper_probe_load(CPUX86State *env, uint64_t addr, uint32_t bytes, uint32_t mmu_idx)
{
    uintptr_t ra = GETPC();
    unsigned first = MIN(bytes, 4096 - (unsigned)(addr & 4095));

    (void)tcg_probe_access(x86_env_vcpu(env), addr, first, MMU_DATA_LOAD, mmu_idx, ra);
    if (first < bytes) {
        (void)tcg_probe_access(x86_env_vcpu(env), addr + first, bytes - first, MMU_DATA_LOAD, mmu_idx, ra);
    }
}

void helper_probe_store(CPUX86State *env, uint64_t addr, uint32_t bytes, uint32_t mmu_idx)
{
    uintptr_t ra = GETPC();
    unsigned first = MIN(bytes, 4096 - (unsigned)(addr & 4095));

    (void)tcg_probe_access(x86_env_vcpu(env), addr, first, MMU_DATA_STORE, mmu_idx, ra);
    if (first < bytes) {
        (void)tcg_probe_access(x86_env_vcpu(env), addr + first, bytes - first, MMU_DATA_STORE, mmu_idx, ra);
    }
}

/* Elements of @size at @addr that lie wholly on its page, at most @wanted. */
static uint64_t on_page(uint64_t addr, uint64_t wanted, unsigned size)
{
    return MIN(wanted, (4096 - (addr & 4095)) >> size);
}

/* Forward, element by element where the destination overlaps what is still to be read. */
static void move_forward(uint8_t *dst, const uint8_t *src, size_t bytes, unsigned size)
{
    size_t element = (size_t)1 << size;

    if ((uintptr_t)dst - (uintptr_t)src >= bytes) {
        memmove(dst, src, bytes);
        return;
    }
    for (size_t n = 0; n < bytes; n += element) {
        memmove(dst + n, src + n, element);
    }
}

uint64_t helper_rep_movs(CPUX86State *env, uint64_t dst, uint64_t src, uint64_t wanted, uint32_t how)
{
    unsigned size = how & 15, mmu_idx = how >> 4;
    uint64_t n = on_page(dst, on_page(src, wanted, size), size);
    void *from, *to;

    if (!n) {
        return 0;
    }
    from = tcg_probe_access(x86_env_vcpu(env), src, n << size, MMU_DATA_LOAD, mmu_idx, GETPC());
    to = from ? tcg_probe_access(x86_env_vcpu(env), dst, n << size, MMU_DATA_STORE, mmu_idx, GETPC()) : NULL;
    if (!to) {
        return 0;
    }
    move_forward(to, from, n << size, size);
    return n;
}

static void fill(uint8_t *p, uint64_t value, uint64_t n, unsigned size)
{
    if (size == IR_MO_8 || value == 0) {
        memset(p, (uint8_t)value, n << size);
        return;
    }
    for (uint64_t k = 0; k < n; k++) {
        memcpy(p + (k << size), &value, (size_t)1 << size);
    }
}

uint64_t helper_rep_stos(CPUX86State *env, uint64_t dst, uint64_t value, uint64_t wanted, uint32_t how)
{
    unsigned size = how & 15, mmu_idx = how >> 4;
    uint64_t n = on_page(dst, wanted, size);
    void *to;

    if (!n) {
        return 0;
    }
    to = tcg_probe_access(x86_env_vcpu(env), dst, n << size, MMU_DATA_STORE, mmu_idx, GETPC());
    if (!to) {
        return 0;
    }
    fill(to, value, n, size);
    return n;
}

uint32_t helper_cmpxchg16b(CPUX86State *env, uint64_t addr, uint32_t mmu_idx)
{
    unsigned __int128 old = (unsigned __int128)env->regs[R_EDX] << 64 | env->regs[R_EAX];
    unsigned __int128 want = (unsigned __int128)env->regs[R_ECX] << 64 | env->regs[R_EBX];

    if (cpu_cmpxchg16(x86_env_vcpu(env), addr, &old, want, mmu_idx, GETPC())) {
        return 1;
    }
    env->regs[R_EAX] = (uint64_t)old;
    env->regs[R_EDX] = (uint64_t)(old >> 64);
    return 0;
}

/* --- bit scatter and gather: SDM Vol.2 PDEP, PEXT --- */

uint32_t helper_irq_pending(CPUX86State *env)
{
    return __atomic_load_n(&x86_env_vcpu(env)->interrupt_request, __ATOMIC_ACQUIRE)
           | (uint32_t)__atomic_load_n(&env->tcg.exit_request, __ATOMIC_RELAXED);
}
