/*
 * The translator for another accelerator.  See include/accel/tcg/assist.h.
 *
 * Where that accelerator runs all of the guest but single instructions, the guest changes memory, page tables and
 * modes behind the translator's back: each instruction is translated afresh from what memory holds, with an empty soft
 * TLB.  Where the translator runs the guest and lends the CPU, nothing happens behind its back (lend.c).
 */
#include "accel/tcg/internal.h"

Accel *tcg_assist_new(uint64_t cache_size, Error **errp)
{
    Accel *a = (Accel *)object_new(&tcg_accel_type);

    G_STATIC_ASSERT(TCG_ASSIST_MIN_CACHE == CODE_CACHE_MIN_SIZE);
    TCG_ACCEL(a)->tb_size = cache_size;
    if (!accel_info(a)->start(a, errp)) {
        object_unref(a);
        return NULL;
    }
    return a;
}

bool tcg_assist_attach(Accel *translator, Vcpu *cpu, Error **errp)
{
    return cpu->tcg || accel_info(translator)->cpu_realize(translator, cpu, errp);
}

void tcg_assist_detach(Accel *translator, Vcpu *cpu)
{
    if (translator) {
        accel_info(translator)->cpu_unrealize(translator, cpu);
    }
}

void tcg_assist_run(Vcpu *cpu)
{
    tcg_tlb_flush(cpu, TLB_FLUSH_STATE);
    tcg_exec_one(tcg_state(cpu));
}

void tcg_assist_set_ops(Vcpu *cpu, const TcgAssistOps *ops)
{
    tcg_state(cpu)->assist = ops;
}

void tcg_assist_exec(Vcpu *cpu)
{
    tcg_exec(tcg_state(cpu));
}
