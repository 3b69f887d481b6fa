/*
 * The CPU's saved state.
 *
 * Everything architectural of CPUX86State; what follows from it (hflags, TLBs, watchpoints) is
 * made anew after loading.  The stream is checked: indexes used by C code must be in range.
 */
#include "target/i386/cpu-internal.h"
#include "target/i386/kvm.h"
#include "target/i386/segment.h"

static const VMState segment_vmstate = {
    .name = "x86-segment", .version = 1, .minimum_version = 1,
    .fields = (const VMField[]){
        VMS_U32(SegmentCache, selector), VMS_U32(SegmentCache, limit), VMS_U64(SegmentCache, base),
        VMS_U32(SegmentCache, flags), VMS_END,
    },
};

static bool x86_post_load(void *opaque, unsigned version, Error **errp)
{
    X86CPU *cpu = opaque;
    CPUX86State *env = &cpu->env;

    if (env->fpstt > 7) {
        error_setg(errp, "x86 CPU state: fpstt must be 0..7, got %u", env->fpstt);
        return false;
    }
    if (env->cc_op != CC_OP_EFLAGS) {
        error_setg(errp, "x86 CPU state: cc_op must be %u, got %u", CC_OP_EFLAGS, env->cc_op);
        return false;
    }
    if (env->df != 1 && env->df != -1) {
        error_setg(errp, "x86 CPU state: df must be 1 or -1, got %" PRId64, env->df);
        return false;
    }
    if ((env->mcg_cap & 0xff) > ARRAY_SIZE(env->mce_banks) / 4) {
        error_setg(errp, "x86 CPU state: %u machine-check banks, %zu at most", (unsigned)(env->mcg_cap & 0xff),
                   ARRAY_SIZE(env->mce_banks) / 4);
        return false;
    }
    if (env->old_exception < -1 || env->old_exception > 255) {
        env->old_exception = -1;
    }
    for (unsigned i = 0; i < 8; i++) {
        env->fptags[i] = !!env->fptags[i];
    }
    cpu->parent.exception_index = -1;
    cpu->kvm_mp_state = env->wait_for_sipi ? KVM_MP_STATE_INIT_RECEIVED : cpu->parent.halted ? KVM_MP_STATE_HALTED
                                                                                             : KVM_MP_STATE_RUNNABLE;
    if (cpu->parent.tcg) {
        tcg_tlb_flush(&cpu->parent, TLB_FLUSH_STATE);
        tcg_tlb_switch(&cpu->parent, env->cr[4] & CR4_PCIDE ? env->cr[3] & 0xfff : 0, false);
    }
    x86_set_mxcsr(env, env->mxcsr);
    x86_debug_regs_update(env);
    x86_update_hflags(env);
    return true;
}

static bool x86_pre_save(void *opaque, Error **errp)
{
    X86CPU *cpu = opaque;

    cpu->env.mxcsr = x86_get_mxcsr(&cpu->env);
    cpu->env.cc_src = x86_cc_compute_all(&cpu->env);    /* lazy flags stay inside */
    cpu->env.cc_op = CC_OP_EFLAGS;
    return true;
}

const VMState x86_cpu_vmstate = {
    .name = "x86-cpu", .version = 1, .minimum_version = 1, .pre_save = x86_pre_save, .post_load = x86_post_load,
    .fields = (const VMField[]){
        VMS_U64_ARRAY(X86CPU, env.regs), VMS_U64(X86CPU, env.tcg.pc), VMS_U64(X86CPU, env.eflags),
        VMS_U64(X86CPU, env.cc_dst), VMS_U64(X86CPU, env.cc_src), VMS_U64(X86CPU, env.cc_src2), VMS_U32(X86CPU, env.cc_op),
        VMS_I64(X86CPU, env.df), VMS_U32(X86CPU, env.hflags),
        VMS_STRUCT_ARRAY(X86CPU, env.segs, &segment_vmstate), VMS_STRUCT(X86CPU, env.ldt, &segment_vmstate),
        VMS_STRUCT(X86CPU, env.tr, &segment_vmstate), VMS_STRUCT(X86CPU, env.gdt, &segment_vmstate),
        VMS_STRUCT(X86CPU, env.idt, &segment_vmstate),
        VMS_BUFFER(X86CPU, env.ymm), VMS_U32(X86CPU, env.mxcsr), VMS_BUFFER(X86CPU, env.fpregs), VMS_U32(X86CPU, env.fpstt),
        VMS_U16(X86CPU, env.fpus), VMS_U16(X86CPU, env.fpuc), VMS_U8_ARRAY(X86CPU, env.fptags), VMS_U16(X86CPU, env.fpop),
        VMS_U64(X86CPU, env.fpip), VMS_U64(X86CPU, env.fpdp), VMS_U16(X86CPU, env.fpcs), VMS_U16(X86CPU, env.fpds),
        VMS_U64_ARRAY(X86CPU, env.cr), VMS_U64_ARRAY(X86CPU, env.dr), VMS_U64(X86CPU, env.efer),
        VMS_U64(X86CPU, env.star), VMS_U64(X86CPU, env.lstar), VMS_U64(X86CPU, env.cstar), VMS_U64(X86CPU, env.fmask),
        VMS_U64(X86CPU, env.kernelgsbase), VMS_U64(X86CPU, env.sysenter_cs), VMS_U64(X86CPU, env.sysenter_esp),
        VMS_U64(X86CPU, env.sysenter_eip), VMS_U64(X86CPU, env.pat), VMS_U64(X86CPU, env.xcr0), VMS_U64(X86CPU, env.xss),
        VMS_U64(X86CPU, env.tsc_offset), VMS_U64(X86CPU, env.tsc_adjust), VMS_U64(X86CPU, env.tsc_deadline),
        VMS_U64(X86CPU, env.tsc_aux), VMS_U64(X86CPU, env.mcg_cap), VMS_U64(X86CPU, env.mcg_status),
        VMS_U64(X86CPU, env.mcg_ctl), VMS_U64_ARRAY(X86CPU, env.mce_banks), VMS_U64_ARRAY(X86CPU, env.mtrr_fixed),
        VMS_U64(X86CPU, env.mtrr_deftype), VMS_BUFFER(X86CPU, env.mtrr_var), VMS_U64(X86CPU, env.misc_enable),
        VMS_U64(X86CPU, env.bios_sign_id), VMS_U64(X86CPU, env.spec_ctrl), VMS_U64(X86CPU, env.smbase),
        VMS_U64(X86CPU, env.misc_features_enables), VMS_U64(X86CPU, env.kvm_wall_clock_msr),
        VMS_U64(X86CPU, env.kvm_system_time_msr), VMS_U64(X86CPU, env.kvm_poll_control), VMS_U64(X86CPU, env.a20_mask),
        VMS_I32(X86CPU, env.old_exception), VMS_BOOL(X86CPU, env.nmi_blocked), VMS_BOOL(X86CPU, env.pending_debug_trap),
        VMS_BOOL(X86CPU, env.wait_for_sipi), VMS_U8(X86CPU, env.sipi_vector),
        VMS_U32(X86CPU, parent.halted), VMS_U32(X86CPU, parent.interrupt_request), VMS_END,
    },
};
