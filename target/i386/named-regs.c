/*
 * Registers by name, as expressions of the human monitor have them: $pc, $eax or $rax, $cs, $ds.base, $cr0.
 */
#include "target/i386/cpu-internal.h"

static const char *const gpr_names[8] = { "ax", "cx", "dx", "bx", "sp", "bp", "si", "di" };     /* behind r or e */
static const char *const seg_names[6] = { "es", "cs", "ss", "ds", "fs", "gs" };

/* rax, eax: the whole register either way; r8 to r15. */
static int find_gpr(const char *name)
{
    uint64_t n;
    char *end;

    for (int i = 0; (*name == 'r' || *name == 'e') && i < 8; i++) {
        if (!strcmp(name + 1, gpr_names[i])) {
            return i;
        }
    }
    n = *name == 'r' && g_ascii_isdigit(name[1]) ? g_ascii_strtoull(name + 1, &end, 10) : 0;
    return n >= 8 && n < 16 && !*end ? (int)n : -1;
}

static bool segment_value(const CPUX86State *env, const char *name, uint64_t *v)
{
    for (unsigned i = 0; i < ARRAY_SIZE(seg_names); i++) {
        if (strncmp(name, seg_names[i], 2)) {
            continue;
        }
        if (!name[2]) {
            *v = env->segs[i].selector;
        } else if (!strcmp(name + 2, ".base")) {
            *v = env->segs[i].base;
        } else if (!strcmp(name + 2, ".limit")) {
            *v = env->segs[i].limit;
        } else {
            return false;
        }
        return true;
    }
    return false;
}

bool x86_get_register(Vcpu *cpu, const char *name, uint64_t *v)
{
    CPUX86State *env = cpu->env;
    int gpr = find_gpr(name);

    if (gpr >= 0) {
        *v = env->regs[gpr];
    } else if (!strcmp(name, "pc")) {
        *v = x86_get_linear_pc(cpu);
    } else if (!strcmp(name, "rip") || !strcmp(name, "eip")) {
        *v = env->tcg.pc;
    } else if (!strcmp(name, "eflags") || !strcmp(name, "rflags")) {
        *v = x86_get_eflags(env);
    } else if (g_str_has_prefix(name, "cr") && strchr("0234", name[2]) && name[2] && !name[3]) {
        *v = env->cr[name[2] - '0'];
    } else {
        return segment_value(env, name, v);
    }
    return true;
}
