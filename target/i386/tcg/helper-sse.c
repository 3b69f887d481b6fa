/*
 * SSE and MMX instructions that are no single row of vecops.def: masked stores, string compares.
 *
 * Reference: SDM Vol.2 MASKMOVDQU, PCMPESTRI, 4.1 "Imm8 control byte operation for PCMPxSTRx".
 */
#include "target/i386/tcg/fpu.h"
#include "target/i386/tcg/helper.h"
#include "tcg/tcg.h"

/* Bytes whose mask bit 7 is set.  For MASKMOVQ the upper half of the mask is zero. */
void helper_maskmov(CPUX86State *env, uint64_t addr, const X128 *data, const X128 *mask)
{
    uintptr_t ra = GETPC();
    unsigned first = 16, last = 0;

    for (unsigned i = 0; i < 16; i++) {
        if (mask->b[i] >> 7) {
            first = MIN(first, i);
            last = i;
        }
    }
    if (first == 16) {
        return;
    }
    /* Both ends first, so that a fault on the second page leaves the first one as it was. */
    tcg_probe_access(x86_env_vcpu(env), addr + first, 1, MMU_DATA_STORE, x86_mmu_index(env), ra);
    tcg_probe_access(x86_env_vcpu(env), addr + last, 1, MMU_DATA_STORE, x86_mmu_index(env), ra);
    for (unsigned i = first; i <= last; i++) {
        if (mask->b[i] >> 7) {
            cpu_stb(x86_env_vcpu(env), addr + i, data->b[i], x86_mmu_index(env), ra);
        }
    }
}

/* --- string compares --- */

enum {
    IMM_WORDS = 1, IMM_SIGNED = 2, IMM_AGGREGATION = 0x0c, IMM_POLARITY = 0x30, IMM_SELECT = 0x40,
    AGG_EQUAL_ANY = 0x00, AGG_RANGES = 0x04, AGG_EQUAL_EACH = 0x08, AGG_EQUAL_ORDERED = 0x0c,
};

/* Elements of a vector as the control byte sees them. */
static int element(const X128 *v, unsigned i, unsigned imm)
{
    if (imm & IMM_WORDS) {
        return imm & IMM_SIGNED ? (int16_t)v->w[i] : v->w[i];
    }
    return imm & IMM_SIGNED ? (int8_t)v->b[i] : v->b[i];
}

static unsigned n_elements(unsigned imm)
{
    return imm & IMM_WORDS ? 8 : 16;
}

/* Explicit length: magnitude, saturated. */
static unsigned explicit_length(int64_t len, unsigned imm)
{
    unsigned n = n_elements(imm);

    return len <= -(int64_t)n || len >= n ? n : len < 0 ? -len : len;
}

/* Implicit length: up to the first zero element. */
static unsigned implicit_length(const X128 *v, unsigned imm)
{
    unsigned i = 0, n = n_elements(imm);

    while (i < n && (imm & IMM_WORDS ? v->w[i] : v->b[i]) != 0) {
        i++;
    }
    return i;
}

static bool any_equal(const X128 *x, unsigned nx, int c, unsigned imm)
{
    for (unsigned j = 0; j < nx; j++) {
        if (element(x, j, imm) == c) {
            return true;
        }
    }
    return false;
}

static bool in_ranges(const X128 *x, unsigned nx, int c, unsigned imm)
{
    for (unsigned j = 0; j + 1 < nx; j += 2) {
        if (c >= element(x, j, imm) && c <= element(x, j + 1, imm)) {
            return true;
        }
    }
    return false;
}

/* Does the string @x occur in @y at @at, as far as y goes to the vector's end? */
static bool ordered_at(const X128 *x, unsigned nx, const X128 *y, unsigned ny, unsigned at, unsigned imm)
{
    for (unsigned j = 0; j < nx && at + j < n_elements(imm); j++) {
        if (at + j >= ny || element(x, j, imm) != element(y, at + j, imm)) {
            return false;
        }
    }
    return true;
}

static bool aggregate(const X128 *x, unsigned nx, const X128 *y, unsigned ny, unsigned i, unsigned imm)
{
    switch (imm & IMM_AGGREGATION) {
    case AGG_EQUAL_ANY:
        return i < ny && any_equal(x, nx, element(y, i, imm), imm);
    case AGG_RANGES:
        return i < ny && in_ranges(x, nx, element(y, i, imm), imm);
    case AGG_EQUAL_EACH:
        if (i < nx && i < ny) {
            return element(x, i, imm) == element(y, i, imm);
        }
        return i >= nx && i >= ny;
    default:
        return ordered_at(x, nx, y, ny, i, imm);
    }
}

/* IntRes2: a bit for each element of y. */
static unsigned compare(const X128 *x, unsigned nx, const X128 *y, unsigned ny, unsigned imm)
{
    unsigned res = 0, n = n_elements(imm);

    for (unsigned i = 0; i < n; i++) {
        res |= (unsigned)aggregate(x, nx, y, ny, i, imm) << i;
    }
    switch (imm & IMM_POLARITY) {
    case 0x10:
        return res ^ ((1u << n) - 1);
    case 0x30:
        return res ^ ((1u << ny) - 1);
    default:
        return res;
    }
}

static uint64_t index_and_flags(unsigned res, unsigned nx, unsigned ny, unsigned imm)
{
    unsigned n = n_elements(imm), index = n;
    uint32_t flags = (res ? CC_C : 0) | (ny < n ? CC_Z : 0) | (nx < n ? CC_S : 0) | (res & 1 ? CC_O : 0);

    if (res) {
        index = imm & IMM_SELECT ? 31 - __builtin_clz(res) : __builtin_ctz(res);
    }
    return index | (uint64_t)flags << 32;
}

static void mask_result(unsigned res, unsigned imm, X128 *d)
{
    *d = (X128){ .l = { res } };
    if (imm & IMM_SELECT) {
        for (unsigned i = 0; i < n_elements(imm); i++) {
            if (imm & IMM_WORDS) {
                d->w[i] = res >> i & 1 ? 0xffff : 0;
            } else {
                d->b[i] = res >> i & 1 ? 0xff : 0;
            }
        }
    }
}

/*
 * The same by the host's instructions, which want their control byte as an immediate: one stub of
 * 8 bytes for each.  Lengths are 64 bits wide, so the explicit forms have REX.W.
 *
 * uint64_t pcmpstr_call(const X128 *x, const X128 *y, const void *stub, int64_t lx, int64_t ly, X128 *mask)
 *   ECX | EFLAGS << 32; XMM0 to @mask if that is not NULL
 */
#define STUBS(name, ...) \
    ".type " name ", @object\n" \
    name ":\n" \
    ".set pcmpstr_imm, 0\n" \
    ".rept 256\n" \
    "   .byte " #__VA_ARGS__ ", 0xc1, pcmpstr_imm\n"    /* %xmm1, %xmm0 */ \
    "   ret\n" \
    "   .balign 8\n" \
    "   .set pcmpstr_imm, pcmpstr_imm + 1\n" \
    ".endr\n" \
    ".size " name ", . - " name "\n"

__asm__(
    ".text\n"
    ".balign 16\n"
    ".type pcmpstr_call, @function\n"
    "pcmpstr_call:\n"
    "   movdqu (%rdi), %xmm0\n"
    "   movdqu (%rsi), %xmm1\n"
    "   mov %rdx, %r10\n"
    "   mov %rcx, %rax\n"
    "   mov %r8, %rdx\n"
    "   call *%r10\n"
    "   pushfq\n"
    "   pop %rax\n"
    "   shl $32, %rax\n"
    "   mov %ecx, %ecx\n"
    "   or %rcx, %rax\n"
    "   test %r9, %r9\n"
    "   jz 1f\n"
    "   movdqu %xmm0, (%r9)\n"
    "1: ret\n"
    ".size pcmpstr_call, . - pcmpstr_call\n"
    ".balign 8\n"
    STUBS("pcmpestrm_stubs", 0x66, 0x48, 0x0f, 0x3a, 0x60)
    STUBS("pcmpestri_stubs", 0x66, 0x48, 0x0f, 0x3a, 0x61)
    STUBS("pcmpistrm_stubs", 0x66, 0x0f, 0x3a, 0x62)
    STUBS("pcmpistri_stubs", 0x66, 0x0f, 0x3a, 0x63));

uint64_t pcmpstr_call(const X128 *x, const X128 *y, const void *stub, int64_t lx, int64_t ly, X128 *mask);
extern const uint64_t pcmpestrm_stubs[256], pcmpestri_stubs[256], pcmpistrm_stubs[256], pcmpistri_stubs[256];

uint64_t helper_pcmpestri(CPUX86State *env, const X128 *x, const X128 *y, uint32_t imm, uint64_t lx, uint64_t ly)
{
    unsigned nx, ny;

    if (likely(tcg_host_has_sse42())) {
        return pcmpstr_call(x, y, &pcmpestri_stubs[imm & 255], lx, ly, NULL);
    }
    nx = explicit_length(lx, imm);
    ny = explicit_length(ly, imm);
    return index_and_flags(compare(x, nx, y, ny, imm), nx, ny, imm);
}

void helper_pcmpestrm(CPUX86State *env, const X128 *x, const X128 *y, uint32_t imm, uint64_t lx, uint64_t ly, X128 *d)
{
    if (likely(tcg_host_has_sse42())) {
        pcmpstr_call(x, y, &pcmpestrm_stubs[imm & 255], lx, ly, d);
    } else {
        mask_result(compare(x, explicit_length(lx, imm), y, explicit_length(ly, imm), imm), imm, d);
    }
}

uint64_t helper_pcmpistri(CPUX86State *env, const X128 *x, const X128 *y, uint32_t imm)
{
    unsigned nx, ny;

    if (likely(tcg_host_has_sse42())) {
        return pcmpstr_call(x, y, &pcmpistri_stubs[imm & 255], 0, 0, NULL);
    }
    nx = implicit_length(x, imm);
    ny = implicit_length(y, imm);
    return index_and_flags(compare(x, nx, y, ny, imm), nx, ny, imm);
}

void helper_pcmpistrm(CPUX86State *env, const X128 *x, const X128 *y, uint32_t imm, X128 *d)
{
    if (likely(tcg_host_has_sse42())) {
        pcmpstr_call(x, y, &pcmpistrm_stubs[imm & 255], 0, 0, d);
    } else {
        mask_result(compare(x, implicit_length(x, imm), y, implicit_length(y, imm), imm), imm, d);
    }
}
