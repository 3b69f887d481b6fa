/*
 * The CPU's state as text, in the layout that tools parse from `info registers`.
 */
#include "target/i386/cpu-internal.h"
#include "target/i386/segment.h"

typedef struct NamedReg {
    const char *name;
    uint8_t reg;
} NamedReg;

static void dump_eflags(FILE *f, CPUX86State *env)
{
    static const struct { uint32_t bit; char c; } letters[] = {
        { DF_MASK, 'D' }, { CC_O, 'O' }, { CC_S, 'S' }, { CC_Z, 'Z' }, { CC_A, 'A' }, { CC_P, 'P' }, { CC_C, 'C' },
    };
    uint64_t eflags = x86_get_eflags(env);

    fprintf(f, "%08x [", (uint32_t)eflags);
    for (unsigned i = 0; i < ARRAY_SIZE(letters); i++) {
        fputc(eflags & letters[i].bit ? letters[i].c : '-', f);
    }
    fprintf(f, "] CPL=%u II=%d A20=%d SMM=%d HLT=%u\n", x86_cpl(env), !!(env->hflags & HF_INHIBIT_IRQ),
            (int)(env->a20_mask >> 20 & 1), !!(env->hflags & HF_SMM),
            __atomic_load_n(&x86_env_vcpu(env)->halted, __ATOMIC_SEQ_CST));
}

static void dump_gprs(FILE *f, CPUX86State *env, bool wide)
{
    static const char *const names32[] = { "EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI" };
    static const char *const names64[] = { "RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
                                           "R8 ", "R9 ", "R10", "R11", "R12", "R13", "R14", "R15" };
    static const uint8_t order[] = { R_EAX, R_EBX, R_ECX, R_EDX, R_ESI, R_EDI, R_EBP, R_ESP, 8, 9, 10, 11, 12, 13, 14, 15 };

    for (unsigned i = 0; i < (wide ? 16 : 8); i++) {
        char end = i % 4 == 3 ? '\n' : ' ';

        if (wide) {
            fprintf(f, "%s=%016" PRIx64 "%c", names64[order[i]], env->regs[order[i]], end);
        } else {
            fprintf(f, "%s=%08x%c", names32[order[i]], (uint32_t)env->regs[order[i]], end);
        }
    }
    if (wide) {
        fprintf(f, "RIP=%016" PRIx64 " RFL=", (uint64_t)env->tcg.pc);
    } else {
        fprintf(f, "EIP=%08x EFL=", (uint32_t)env->tcg.pc);
    }
    dump_eflags(f, env);
}

static void dump_segment_type(FILE *f, const CPUX86State *env, uint32_t flags)
{
    static const char *const system_types[2][16] = {
        { "Reserved", "TSS16-avl", "LDT", "TSS16-busy", "CallGate16", "TaskGate", "IntGate16", "TrapGate16", "Reserved",
          "TSS32-avl", "Reserved", "TSS32-busy", "CallGate32", "Reserved", "IntGate32", "TrapGate32" },
        { "<hiword>", "Reserved", "LDT", "Reserved", "Reserved", "Reserved", "Reserved", "Reserved", "Reserved",
          "TSS64-avl", "Reserved", "TSS64-busy", "CallGate64", "Reserved", "IntGate64", "TrapGate64" },
    };

    fprintf(f, " DPL=%u ", desc_dpl(flags));
    if (!(flags & DESC_S)) {
        fputs(system_types[x86_in_lma(env)][desc_type(flags)], f);
        return;
    }
    if (flags & DESC_CS) {
        fputs(flags & DESC_L ? "CS64" : flags & DESC_B ? "CS32" : "CS16", f);
        fprintf(f, " [%c%c", flags & DESC_C ? 'C' : '-', flags & DESC_R ? 'R' : '-');
    } else {
        fputs((flags & DESC_B) || x86_in_lma(env) ? "DS  " : "DS16", f);
        fprintf(f, " [%c%c", flags & DESC_E ? 'E' : '-', flags & DESC_W ? 'W' : '-');
    }
    fprintf(f, "%c]", flags & DESC_A ? 'A' : '-');
}

static void dump_segment(FILE *f, const CPUX86State *env, const char *name, const SegmentCache *s, bool wide)
{
    if (wide) {
        fprintf(f, "%-3s=%04x %016" PRIx64 " %08x %08x", name, s->selector, s->base, s->limit, s->flags & 0x00ffff00);
    } else {
        fprintf(f, "%-3s=%04x %08x %08x %08x", name, s->selector, (uint32_t)s->base, s->limit, s->flags & 0x00ffff00);
    }
    if (x86_in_pe(env) && (s->flags & DESC_P)) {
        dump_segment_type(f, env, s->flags);
    }
    fputc('\n', f);
}

static void dump_system(FILE *f, CPUX86State *env, bool wide)
{
    static const char *const names[] = { "ES", "CS", "SS", "DS", "FS", "GS" };

    for (unsigned i = 0; i < 6; i++) {
        dump_segment(f, env, names[i], &env->segs[i], wide);
    }
    dump_segment(f, env, "LDT", &env->ldt, wide);
    dump_segment(f, env, "TR", &env->tr, wide);
    if (wide) {
        fprintf(f, "GDT=     %016" PRIx64 " %08x\nIDT=     %016" PRIx64 " %08x\n", env->gdt.base, env->gdt.limit,
                env->idt.base, env->idt.limit);
        fprintf(f, "CR0=%08x CR2=%016" PRIx64 " CR3=%016" PRIx64 " CR4=%08x\n", (uint32_t)env->cr[0], env->cr[2],
                env->cr[3], (uint32_t)env->cr[4]);
    } else {
        fprintf(f, "GDT=     %08x %08x\nIDT=     %08x %08x\n", (uint32_t)env->gdt.base, env->gdt.limit,
                (uint32_t)env->idt.base, env->idt.limit);
        fprintf(f, "CR0=%08x CR2=%08x CR3=%08x CR4=%08x\n", (uint32_t)env->cr[0], (uint32_t)env->cr[2],
                (uint32_t)env->cr[3], (uint32_t)env->cr[4]);
    }
    for (unsigned i = 0; i < 4; i++) {
        fprintf(f, "DR%u=%016" PRIx64 " ", i, env->dr[i]);
    }
    fprintf(f, "\nDR6=%016" PRIx64 " DR7=%016" PRIx64 "\n", env->dr[6], env->dr[7]);
    fprintf(f, "EFER=%016" PRIx64 "\n", env->efer);
}

/* YMM where the guest has enabled them. */
static void dump_vectors(FILE *f, const CPUX86State *env, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const uint64_t *q = env->ymm[i].q;

        if (env->hflags & HF_AVX_EN) {
            fprintf(f, "YMM%02u=%016" PRIx64 " %016" PRIx64 " %016" PRIx64 " %016" PRIx64 "\n", i, q[3], q[2], q[1], q[0]);
        } else {
            fprintf(f, "XMM%02u=%016" PRIx64 " %016" PRIx64 "%c", i, q[1], q[0], i & 1 ? '\n' : ' ');
        }
    }
}

static void dump_fpu(FILE *f, CPUX86State *env, bool wide)
{
    unsigned tags = 0;

    for (unsigned i = 0; i < 8; i++) {
        tags |= (unsigned)!env->fptags[i] << i;
    }
    fprintf(f, "FCW=%04x FSW=%04x [ST=%u] FTW=%02x MXCSR=%08x\n", env->fpuc,
            (env->fpus & ~0x3800) | (env->fpstt & 7) << 11, env->fpstt & 7, tags, x86_get_mxcsr(env));
    for (unsigned i = 0; i < 8; i++) {
        fprintf(f, "FPR%u=%016" PRIx64 " %04x%c", i, env->fpregs[i].parts.mant, env->fpregs[i].parts.se, i & 1 ? '\n' : ' ');
    }
    dump_vectors(f, env, wide ? 16 : 8);
}

void x86_dump_state(Vcpu *cpu, FILE *f, unsigned flags)
{
    CPUX86State *env = cpu->env;
    bool wide = x86_in_64bit_code(env);

    dump_gprs(f, env, wide);
    dump_system(f, env, x86_in_lma(env));
    dump_fpu(f, env, wide);
}
