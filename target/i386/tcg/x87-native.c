/*
 * The host's x87 as an exact model of the guest's.
 *
 * A stub exists for each escape opcode and ModRM byte.  The guest's state is loaded by FRSTOR, the
 * stub is called, and FNSAVE takes the state back: all that the SDM says of stack faults, masked and
 * unmasked responses, C0-C3 and special operands then holds by itself.  Since no waiting x87
 * instruction follows the guest's before FNSAVE (which reinitializes the host's x87), an exception
 * that the guest has unmasked is recorded in the image and never taken by the host.
 *
 * helper-x87.c has short paths for what programs do all the time and comes here for all else.
 *
 * Reference: SDM Vol.1 chapter 8.
 */
#include "target/i386/tcg/x87-native.h"

#ifndef __x86_64__
#error "this file models the x87 by the host's; other hosts need a software model"
#endif

#define STUB_BYTES 4
#define STUBS_PER_ESC (64 + 8)      /* register forms, then memory forms with (%rdx) */

/* void x87_stub_call(X87Image *img, const void *stub, void *mem, uint64_t *eflags) */
__asm__(
    ".text\n"
    ".balign 16\n"
    ".type x87_stub_call, @function\n"
    "x87_stub_call:\n"
    "   mov %rcx, %r8\n"
    "   frstor (%rdi)\n"
    "   pushq (%r8)\n"
    "   popfq\n"
    "   call *%rsi\n"
    "   pushfq\n"
    "   popq (%r8)\n"
    "   fnsave (%rdi)\n"
    "   ret\n"
    ".size x87_stub_call, . - x87_stub_call\n"
    ".balign 16\n"
    ".type x87_stubs, @object\n"
    "x87_stubs:\n"
    ".set x87_esc, 0xd8\n"
    ".rept 8\n"
    "   .set x87_modrm, 0xc0\n"
    "   .rept 64\n"
    "       .byte x87_esc, x87_modrm\n"
    "       ret\n"
    "       nop\n"
    "       .set x87_modrm, x87_modrm + 1\n"
    "   .endr\n"
    "   .set x87_modrm, 2\n"
    "   .rept 8\n"
    "       .byte x87_esc, x87_modrm\n"
    "       ret\n"
    "       nop\n"
    "       .set x87_modrm, x87_modrm + 8\n"
    "   .endr\n"
    "   .set x87_esc, x87_esc + 1\n"
    ".endr\n"
    ".size x87_stubs, . - x87_stubs\n");

void x87_stub_call(X87Image *img, const void *stub, void *mem, uint64_t *eflags);
extern const uint8_t x87_stubs[];

static const uint8_t *stub_for(unsigned esc, unsigned modrm)
{
    unsigned slot = modrm >= 0xc0 ? modrm - 0xc0 : 64 + (modrm >> 3 & 7);

    return x87_stubs + ((esc & 7) * STUBS_PER_ESC + slot) * STUB_BYTES;
}

static const FpuReg *st_const(const CPUX86State *env, unsigned i)
{
    return &env->fpregs[(env->fpstt + i) & 7];
}

/* Valid, zero, special, empty: 0 to 3. */
static unsigned tag_of(const FpuReg *r)
{
    unsigned exp = r->parts.se & 0x7fff;

    if (exp == 0) {
        return r->parts.mant ? 2 : 1;
    }
    return exp == 0x7fff || !(r->parts.mant >> 63) ? 2 : 0;
}

uint16_t x87_tag_word(const CPUX86State *env)
{
    uint16_t tw = 0;

    for (unsigned i = 0; i < 8; i++) {
        tw |= (env->fptags[i] ? 3 : tag_of(&env->fpregs[i])) << (2 * i);
    }
    return tw;
}

void x87_set_tag_word(CPUX86State *env, uint16_t tw)
{
    for (unsigned i = 0; i < 8; i++) {
        env->fptags[i] = (tw >> (2 * i) & 3) == 3;
    }
}

static uint16_t status_with_summary(uint16_t sw, uint16_t cw)
{
    sw &= ~(FPUS_ES | FPUS_B);
    return sw & ~cw & FPUS_EXC ? sw | FPUS_ES | FPUS_B : sw;
}

/* SDM Vol.1 8.1.3 and 8.1.5: exception masks, rounding and precision control; ES. */
void x87_control_changed(CPUX86State *env)
{
    env->tcg.guest_fpcw = (env->fpuc & 0xf00) | FPUC_ONE | FPUS_EXC;
    if ((~env->fpuc & FPUS_EXC) || env->fpus & FPUS_ES) {
        env->hflags |= HF_X87_CALLS;
    } else {
        env->hflags &= ~HF_X87_CALLS;
    }
}

void x87_set_status(CPUX86State *env, uint16_t sw)
{
    env->fpstt = sw >> 11 & 7;
    env->fpus = status_with_summary(sw & ~0x3800, env->fpuc);
    x87_control_changed(env);
    x87_flags_changed();
}

void x87_set_control(CPUX86State *env, uint16_t cw)
{
    env->fpuc = (cw & FPUC_MASK) | FPUC_ONE;
    env->fpus = status_with_summary(env->fpus, env->fpuc);
    x87_control_changed(env);
}

void x87_native_run(CPUX86State *env, X87Image *img, unsigned esc, unsigned modrm, void *mem, uint32_t *eflags)
{
    uint64_t flags = 2 | (eflags ? *eflags & (CC_Z | CC_P | CC_C) : 0);

    /* A flag both set and unmasked would trap here; the callers' check of ES keeps it out. */
    *img = (X87Image){
        .cw = env->fpuc,
        .sw = (env->fpus & ~(FPUS_ES | FPUS_B | (~env->fpuc & FPUS_EXC))) | env->fpstt << 11,
        .tw = x87_tag_word(env),
    };
    for (unsigned i = 0; i < 8; i++) {
        memcpy(img->st[i], st_const(env, i)->b, 10);
    }
    x87_stub_call(img, stub_for(esc, modrm), mem, &flags);
    x87_load_control(env);
    if (eflags) {
        *eflags = flags & (CC_Z | CC_P | CC_C);
    }
}

void x87_native_commit(CPUX86State *env, const X87Image *img)
{
    env->fpstt = img->sw >> 11 & 7;
    env->fpus = img->sw & ~0x3800;
    x87_set_tag_word(env, img->tw);
    for (unsigned i = 0; i < 8; i++) {
        memcpy(env->fpregs[(env->fpstt + i) & 7].b, img->st[i], 10);
    }
}

void x87_native(CPUX86State *env, unsigned esc, unsigned modrm, void *mem)
{
    X87Image img;

    x87_native_run(env, &img, esc, modrm, mem, NULL);
    x87_native_commit(env, &img);
}
