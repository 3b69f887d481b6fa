/*
 * Single instructions for another accelerator.  See include/accel/tcg/assist.h.
 *
 * That accelerator's guests change memory, page tables and modes behind the translator's back: each
 * instruction is translated afresh from what memory holds, with an empty soft TLB.
 */
#include "accel/tcg/assist.h"

#include "accel/tcg/internal.h"

Accel *tcg_assist_new(Error **errp)
{
    Accel *a = (Accel *)object_new(&tcg_accel_type);

    TCG_ACCEL(a)->tb_size = CODE_CACHE_MIN_SIZE;
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
    tcg_tlb_flush(cpu);
    tcg_exec_one(tcg_state(cpu));
}
