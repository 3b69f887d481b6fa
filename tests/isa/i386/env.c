/*
 * Between the test's picture of the registers and the emulated CPU's.
 */
#include "env.h"

void isa_set_env(CPUX86State *env, const IsaState *in)
{
    memcpy(env->regs, in->r, sizeof(env->regs));
    env->cr[0] = CR0_PE | CR0_PG | CR0_NE | CR0_WP | CR0_ET | CR0_MP;
    env->cr[4] = CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_PAE | CR4_OSXSAVE;
    env->xcr0 = native_has_avx() ? 7 : 3;
    env->eflags = IF_MASK | 2;
    env->cc_src = in->flags & CC_ALL;
    env->cc_op = CC_OP_EFLAGS;
    env->df = in->flags & DF_MASK ? -1 : 1;
    for (unsigned n = 0; n < 16; n++) {
        memcpy(&env->ymm[n], &in->fx.xmm[n], 16);
        memcpy(&env->ymm[n].x[1], &in->ymmh[n], 16);
    }
    x86_fpu_reset(env);
    env->fpuc = in->fx.fcw;
    env->fpus = in->fx.fsw & ~0x3800;
    env->fpstt = in->fx.fsw >> 11 & 7;
    for (unsigned n = 0; n < 8; n++) {
        env->fptags[n] = !(in->fx.ftw >> n & 1);
        memcpy(&env->fpregs[(env->fpstt + n) & 7], &in->fx.st[n], 10);
    }
    x87_control_changed(env);
    x86_set_mxcsr(env, in->fx.mxcsr);
}

void isa_get_env(CPUX86State *env, IsaState *out)
{
    memset(out, 0, sizeof(*out));
    memcpy(out->r, env->regs, sizeof(env->regs));
    out->flags = x86_get_eflags(env);
    for (unsigned n = 0; n < 16; n++) {
        memcpy(&out->fx.xmm[n], &env->ymm[n], 16);
        memcpy(&out->ymmh[n], &env->ymm[n].x[1], 16);
    }
    out->fx.fcw = env->fpuc;
    out->fx.fsw = (env->fpus & ~0x3800) | env->fpstt << 11;
    for (unsigned n = 0; n < 8; n++) {
        out->fx.ftw |= !env->fptags[n] << n;
        memcpy(&out->fx.st[n], &env->fpregs[(env->fpstt + n) & 7], 10);
    }
    out->fx.mxcsr = x86_get_mxcsr(env);
}
