/*
 * Debug registers: breakpoints set by the guest.
 *
 * Reference: SDM Vol.3 18.2.  DR7 has for each of DR0-DR3 two enable bits and a condition:
 * 00 execution, 01 data writes, 10 I/O (with CR4.DE), 11 data reads and writes.
 *
 * Data breakpoints are watchpoints of the accelerator, reported as traps after the access;
 * execution breakpoints are checked by translated code while any is armed, and are faults.
 */
#include "target/i386/segment.h"

enum { BP_EXECUTE, BP_WRITE, BP_IO, BP_ACCESS };

static bool bp_enabled(const CPUX86State *env, unsigned i)
{
    return env->dr[7] >> (2 * i) & 3;
}

static unsigned bp_condition(const CPUX86State *env, unsigned i)
{
    return env->dr[7] >> (16 + 4 * i) & 3;
}

static unsigned bp_length(const CPUX86State *env, unsigned i)
{
    static const uint8_t length[] = { 1, 2, 8, 4 };
    return length[env->dr[7] >> (18 + 4 * i) & 3];
}

void x86_debug_regs_update(CPUX86State *env)
{
    Vcpu *cpu = x86_env_vcpu(env);

    for (unsigned i = 0; cpu->tcg && i < 4; i++) {
        unsigned cond = bp_condition(env, i), len = bp_length(env, i);

        tcg_watchpoint_clear(cpu, i);
        if (bp_enabled(env, i) && (cond == BP_WRITE || cond == BP_ACCESS)) {
            tcg_watchpoint_set(cpu, i, env->dr[i] & ~(vaddr)(len - 1), len, cond == BP_ACCESS, true);
        }
    }
    x86_update_hflags(env);
}

void x86_debug_hit(Vcpu *cpu, vaddr va, unsigned len, MmuAccess access, uintptr_t ra)
{
    CPUX86State *env = cpu->env;
    bool hit = false;

    for (unsigned i = 0; i < 4; i++) {
        unsigned cond = bp_condition(env, i), bp_len = bp_length(env, i);
        vaddr start = env->dr[i] & ~(vaddr)(bp_len - 1);
        bool matches = cond == BP_ACCESS || (cond == BP_WRITE && access == MMU_DATA_STORE);

        if (matches && va < start + bp_len && start < va + len) {
            env->dr[6] |= 1u << i;
            hit |= bp_enabled(env, i);
        }
    }
    if (hit) {
        cpu->exception_index = EXCP01_DB;
        env->error_code = 0;
        env->exception_is_int = false;
    }
}

bool x86_code_breakpoint_hit(CPUX86State *env, vaddr pc)
{
    bool hit = false;

    if (env->eflags & RF_MASK) {
        return false;
    }
    for (unsigned i = 0; i < 4; i++) {
        if (bp_condition(env, i) == BP_EXECUTE && env->dr[i] == pc && bp_enabled(env, i)) {
            env->dr[6] |= 1u << i;
            hit = true;
        }
    }
    return hit;
}

bool x86_io_breakpoint_hit(CPUX86State *env, unsigned port, unsigned size)
{
    bool hit = false;

    if (!(env->cr[4] & CR4_DE)) {
        return false;
    }
    for (unsigned i = 0; i < 4; i++) {
        unsigned len = bp_length(env, i);
        uint64_t start = env->dr[i] & ~(uint64_t)(len - 1);

        if (bp_condition(env, i) == BP_IO && port < start + len && start < port + size) {
            env->dr[6] |= 1u << i;
            hit |= bp_enabled(env, i);
        }
    }
    return hit;
}
