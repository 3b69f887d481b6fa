/*
 * x86 registers as GDB sees them.
 *
 * Numbers and layout are those of QEMU's x86-64 target: 16 general registers in GDB's order, RIP,
 * EFLAGS, six selectors, FS, GS and kernel GS base, CR0 CR2 CR3 CR4 CR8 EFER, x87, SSE, and behind
 * them the upper halves of the AVX registers where the CPU has AVX.  The layout is the same in
 * every mode; outside 64-bit code wide registers show, and take, 32 bits.
 *
 * A row of regs[] stands for a run of registers; numbers, XML and values follow from the table.
 */
#include "target/i386/segment.h"

#include "hw/core/gdb-arch.h"
#include "target/i386/cpu-internal.h"

#define MSR_EFER 0xc0000080

/* --- helpers: a register's bytes --- */

static unsigned put32(uint8_t *buf, uint32_t v)
{
    st32_le(buf, v);
    return 4;
}

/* A register whose upper half only 64-bit code has. */
static unsigned put_wide(const CPUX86State *env, uint8_t *buf, uint64_t v)
{
    st64_le(buf, x86_in_64bit_code(env) ? v : (uint32_t)v);
    return 8;
}

static uint64_t get_wide(const CPUX86State *env, const uint8_t *buf)
{
    return x86_in_64bit_code(env) ? ld64_le(buf) : ld32_le(buf);
}

/* --- general registers --- */

static const uint8_t gpr_order[16] = {
    R_EAX, R_EBX, R_ECX, R_EDX, R_ESI, R_EDI, R_EBP, R_ESP, 8, 9, 10, 11, 12, 13, 14, 15,
};

static unsigned read_gpr(CPUX86State *env, unsigned i, uint8_t *buf)
{
    return put_wide(env, buf, i >= 8 && !x86_in_64bit_code(env) ? 0 : env->regs[gpr_order[i]]);
}

static bool write_gpr(CPUX86State *env, unsigned i, const uint8_t *buf)
{
    uint64_t *r = &env->regs[gpr_order[i]];

    if (x86_in_64bit_code(env)) {
        *r = ld64_le(buf);
    } else if (i < 8) {
        *r = deposit64(*r, 0, 32, ld32_le(buf));
    }
    return true;
}

static unsigned read_pc(CPUX86State *env, unsigned i, uint8_t *buf)
{
    return put_wide(env, buf, env->tcg.pc);
}

static bool write_pc(CPUX86State *env, unsigned i, const uint8_t *buf)
{
    env->tcg.pc = get_wide(env, buf);
    return true;
}

static unsigned read_eflags(CPUX86State *env, unsigned i, uint8_t *buf)
{
    return put32(buf, (uint32_t)x86_get_eflags(env));
}

static bool write_eflags(CPUX86State *env, unsigned i, const uint8_t *buf)
{
    x86_set_eflags(env, ld32_le(buf), CC_ALL | TF_MASK | IF_MASK | DF_MASK | IOPL_MASK | NT_MASK | RF_MASK | VM_MASK |
                   AC_MASK | VIF_MASK | VIP_MASK | ID_MASK);
    return true;
}

/* --- segments --- */

static const uint8_t seg_order[6] = { R_CS, R_SS, R_DS, R_ES, R_FS, R_GS };

static unsigned read_selector(CPUX86State *env, unsigned i, uint8_t *buf)
{
    return put32(buf, env->segs[seg_order[i]].selector);
}

static bool fetch_descriptor(CPUX86State *env, uint16_t selector, Descriptor *d)
{
    const SegmentCache *table = selector & 4 ? &env->ldt : &env->gdt;
    uint32_t offset = selector & ~7u;
    uint8_t bytes[8];

    if (offset + 7 > table->limit || !cpu_memory_rw_debug(x86_env_vcpu(env), table->base + offset, bytes, 8, false)) {
        return false;
    }
    *d = (Descriptor){ ld32_le(bytes), ld32_le(bytes + 4) };
    return true;
}

/* A selector brings its descriptor along, which must be one of code or data; privilege is the user's affair. */
static bool write_selector(CPUX86State *env, unsigned i, const uint8_t *buf)
{
    uint16_t selector = (uint16_t)ld32_le(buf);
    unsigned seg = seg_order[i];
    const SegmentCache *s = &env->segs[seg];
    Descriptor d;

    if (selector == s->selector) {
        return true;
    }
    if (x86_in_real_or_vm86(env)) {
        x86_load_seg_cache(env, seg, selector, (uint32_t)selector << 4, s->limit, s->flags);
        return true;
    }
    if (selector_is_null(selector) && seg != R_CS) {
        x86_load_seg_cache(env, seg, selector, 0, 0, seg == R_SS ? x86_cpl(env) << DESC_DPL_SHIFT : 0);
        return true;
    }
    if (!fetch_descriptor(env, selector, &d) || !desc_present(d.hi)
        || (seg == R_CS ? !desc_is_code(d.hi) : seg == R_SS ? !desc_is_writable_data(d.hi) : !(d.hi & DESC_S))) {
        return false;
    }
    x86_load_seg_cache(env, seg, selector, desc_base(d), desc_limit(d), d.hi);
    return true;
}

static uint64_t *base_field(CPUX86State *env, unsigned i)
{
    return i == 0 ? &env->segs[R_FS].base : i == 1 ? &env->segs[R_GS].base : &env->kernelgsbase;
}

static unsigned read_base(CPUX86State *env, unsigned i, uint8_t *buf)
{
    return put_wide(env, buf, *base_field(env, i));
}

static bool write_base(CPUX86State *env, unsigned i, const uint8_t *buf)
{
    *base_field(env, i) = get_wide(env, buf);
    x86_update_hflags(env);
    return true;
}

/* --- control registers --- */

enum { GDB_CR0, GDB_CR2, GDB_CR3, GDB_CR4, GDB_CR8, GDB_EFER };

static uint64_t control_value(CPUX86State *env, unsigned i)
{
    const X86CPU *cpu = x86_env_cpu(env);

    switch (i) {
    case GDB_CR0: return env->cr[0];
    case GDB_CR2: return env->cr[2];
    case GDB_CR3: return env->cr[3];
    case GDB_CR4: return env->cr[4];
    case GDB_CR8: return cpu->intc ? cpu->intc->get_tpr(cpu->intc_opaque) : 0;
    default:      return env->efer;
    }
}

static unsigned read_control(CPUX86State *env, unsigned i, uint8_t *buf)
{
    return put_wide(env, buf, control_value(env, i));
}

static bool cr0_is_possible(const CPUX86State *env, uint64_t v)
{
    bool paging = v & CR0_PG;

    return !(v >> 32) && !(paging && !(v & CR0_PE)) && !(paging && (env->efer & EFER_LME) && !(env->cr[4] & CR4_PAE));
}

static bool cr4_is_possible(const CPUX86State *env, uint64_t v)
{
    return !(v & ~x86_cr4_allowed(env)) && !(x86_in_lma(env) && !(v & CR4_PAE)) && !(!x86_in_lma(env) && (v & CR4_PCIDE));
}

/* What the CPU could not be in is refused. */
static bool write_control(CPUX86State *env, unsigned i, const uint8_t *buf)
{
    X86CPU *cpu = x86_env_cpu(env);
    uint64_t v = get_wide(env, buf);

    if (v == control_value(env, i)) {
        return true;
    }
    switch (i) {
    case GDB_CR0:
        return cr0_is_possible(env, v) && (x86_set_cr0(env, v), true);
    case GDB_CR2:
        env->cr[2] = v;
        return true;
    case GDB_CR3:
        return !(v >> x86_env_cpu(env)->phys_bits) && (x86_set_cr3(env, v), true);
    case GDB_CR4:
        return cr4_is_possible(env, v) && (x86_set_cr4(env, v), true);
    case GDB_CR8:
        return cpu->intc && v < 16 && (cpu->intc->set_tpr(cpu->intc_opaque, (uint8_t)v), true);
    default:
        return x86_msr_write(env, MSR_EFER, v);
    }
}

/* --- x87 --- */

static unsigned read_st(CPUX86State *env, unsigned i, uint8_t *buf)
{
    memcpy(buf, env->fpregs[(env->fpstt + i) & 7].b, 10);
    return 10;
}

static bool write_st(CPUX86State *env, unsigned i, const uint8_t *buf)
{
    memcpy(env->fpregs[(env->fpstt + i) & 7].b, buf, 10);
    return true;
}

/* SDM Vol.1 8.1.7: 0 valid, 1 zero, 2 special, 3 empty. */
static unsigned tag_of(const CPUX86State *env, unsigned physical)
{
    const FpuReg *r = &env->fpregs[physical];
    unsigned exponent = r->parts.se & 0x7fff;

    if (env->fptags[physical]) {
        return 3;
    }
    if (!exponent && !r->parts.mant) {
        return 1;
    }
    return exponent && exponent != 0x7fff && r->parts.mant >> 63 ? 0 : 2;
}

static uint32_t tag_word(const CPUX86State *env)
{
    uint32_t w = 0;

    for (unsigned i = 0; i < 8; i++) {
        w |= tag_of(env, i) << 2 * i;
    }
    return w;
}

enum { FCTRL, FSTAT, FTAG, FISEG, FIOFF, FOSEG, FOOFF, FOP };

static unsigned read_fpu(CPUX86State *env, unsigned i, uint8_t *buf)
{
    switch (i) {
    case FCTRL: return put32(buf, env->fpuc);
    case FSTAT: return put32(buf, (env->fpus & ~0x3800u) | (env->fpstt & 7) << 11);
    case FTAG:  return put32(buf, tag_word(env));
    case FISEG: return put32(buf, env->fpcs);
    case FIOFF: return put32(buf, (uint32_t)env->fpip);
    case FOSEG: return put32(buf, env->fpds);
    case FOOFF: return put32(buf, (uint32_t)env->fpdp);
    default:    return put32(buf, env->fpop);
    }
}

static bool write_fpu(CPUX86State *env, unsigned i, const uint8_t *buf)
{
    uint32_t v = ld32_le(buf);

    switch (i) {
    case FCTRL:
        env->fpuc = (v & 0x1f3f) | 0x40;        /* bit 6 is always set, the other reserved ones never */
        break;
    case FSTAT:
        env->fpstt = v >> 11 & 7;
        env->fpus = v & 0xffff & ~0x3800u;
        break;
    case FTAG:
        for (unsigned r = 0; r < 8; r++) {
            env->fptags[r] = (v >> 2 * r & 3) == 3;
        }
        break;
    case FISEG: env->fpcs = (uint16_t)v; break;
    case FIOFF: env->fpip = v; break;
    case FOSEG: env->fpds = (uint16_t)v; break;
    case FOOFF: env->fpdp = v; break;
    default:    env->fpop = v & 0x7ff; break;
    }
    x87_control_changed(env);
    return true;
}

/* --- SSE, AVX --- */

static unsigned read_xmm(CPUX86State *env, unsigned i, uint8_t *buf)
{
    memcpy(buf, env->ymm[i].b, 16);
    return 16;
}

static bool write_xmm(CPUX86State *env, unsigned i, const uint8_t *buf)
{
    memcpy(env->ymm[i].b, buf, 16);
    return true;
}

static unsigned read_ymmh(CPUX86State *env, unsigned i, uint8_t *buf)
{
    memcpy(buf, env->ymm[i].b + 16, 16);
    return 16;
}

static bool write_ymmh(CPUX86State *env, unsigned i, const uint8_t *buf)
{
    memcpy(env->ymm[i].b + 16, buf, 16);
    return true;
}

static unsigned read_mxcsr(CPUX86State *env, unsigned i, uint8_t *buf)
{
    return put32(buf, x86_get_mxcsr(env));
}

static bool write_mxcsr(CPUX86State *env, unsigned i, const uint8_t *buf)
{
    x86_set_mxcsr(env, ld32_le(buf));
    return true;
}

/* --- the tables --- */

typedef enum GdbFeature { GF_CORE, GF_SEGMENTS, GF_SYSTEM, GF_SSE, GF_AVX, GF_MAX } GdbFeature;

typedef struct RegRun {
    GdbFeature feature;
    const char *const *names;
    unsigned n, first;          /* how many; the first one's number for read and write */
    unsigned bits;
    const char *type, *group;   /* GDB's; group may be NULL */
    unsigned (*read)(CPUX86State *env, unsigned i, uint8_t *buf);
    bool (*write)(CPUX86State *env, unsigned i, const uint8_t *buf);
} RegRun;

#define NAMES(...) ((const char *const[]){ __VA_ARGS__ })

static const RegRun regs[] = {      /* in the order of their numbers */
    { GF_CORE, NAMES("rax", "rbx", "rcx", "rdx", "rsi", "rdi"), 6, 0, 64, "int64", NULL, read_gpr, write_gpr },
    { GF_CORE, NAMES("rbp", "rsp"), 2, 6, 64, "data_ptr", NULL, read_gpr, write_gpr },
    { GF_CORE, NAMES("r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"), 8, 8, 64, "int64", NULL, read_gpr, write_gpr },
    { GF_CORE, NAMES("rip"), 1, 0, 64, "code_ptr", NULL, read_pc, write_pc },
    { GF_CORE, NAMES("eflags"), 1, 0, 32, "x64_eflags", NULL, read_eflags, write_eflags },
    { GF_CORE, NAMES("cs", "ss", "ds", "es", "fs", "gs"), 6, 0, 32, "int32", NULL, read_selector, write_selector },
    { GF_SEGMENTS, NAMES("fs_base", "gs_base"), 2, 0, 64, "int64", NULL, read_base, write_base },
    { GF_SYSTEM, NAMES("k_gs_base"), 1, 2, 64, "int64", NULL, read_base, write_base },
    { GF_SYSTEM, NAMES("cr0"), 1, GDB_CR0, 64, "x64_cr0", NULL, read_control, write_control },
    { GF_SYSTEM, NAMES("cr2"), 1, GDB_CR2, 64, "int64", NULL, read_control, write_control },
    { GF_SYSTEM, NAMES("cr3"), 1, GDB_CR3, 64, "x64_cr3", NULL, read_control, write_control },
    { GF_SYSTEM, NAMES("cr4"), 1, GDB_CR4, 64, "x64_cr4", NULL, read_control, write_control },
    { GF_SYSTEM, NAMES("cr8"), 1, GDB_CR8, 64, "int64", NULL, read_control, write_control },
    { GF_SYSTEM, NAMES("efer"), 1, GDB_EFER, 64, "x64_efer", NULL, read_control, write_control },
    { GF_CORE, NAMES("st0", "st1", "st2", "st3", "st4", "st5", "st6", "st7"), 8, 0, 80, "i387_ext", NULL, read_st, write_st },
    { GF_CORE, NAMES("fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop"), 8, 0, 32, "int", "float",
      read_fpu, write_fpu },
    { GF_SSE, NAMES("xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
                    "xmm12", "xmm13", "xmm14", "xmm15"), 16, 0, 128, "vec128", NULL, read_xmm, write_xmm },
    { GF_SSE, NAMES("mxcsr"), 1, 0, 32, "x64_mxcsr", "vector", read_mxcsr, write_mxcsr },
    { GF_AVX, NAMES("ymm0h", "ymm1h", "ymm2h", "ymm3h", "ymm4h", "ymm5h", "ymm6h", "ymm7h", "ymm8h", "ymm9h", "ymm10h",
                    "ymm11h", "ymm12h", "ymm13h", "ymm14h", "ymm15h"), 16, 0, 128, "uint128", NULL, read_ymmh, write_ymmh },
};

/* Named bits of a register; a field of several bits says its last. */
typedef struct FlagBit {
    const char *name;
    uint8_t start, end;         /* end 0 = one bit */
} FlagBit;

typedef struct FlagType {
    const char *id;
    GdbFeature feature;
    unsigned bytes;
    const FlagBit *bits;
    unsigned n;
} FlagType;

#define BITS(...) ((const FlagBit[]){ __VA_ARGS__ }), sizeof((const FlagBit[]){ __VA_ARGS__ }) / sizeof(FlagBit)

static const FlagType flag_types[] = {
    { "x64_eflags", GF_CORE, 4, BITS({ "CF", 0 }, { "PF", 2 }, { "AF", 4 }, { "ZF", 6 }, { "SF", 7 }, { "TF", 8 }, { "IF", 9 },
        { "DF", 10 }, { "OF", 11 }, { "IOPL", 12, 13 }, { "NT", 14 }, { "RF", 16 }, { "VM", 17 }, { "AC", 18 }, { "VIF", 19 },
        { "VIP", 20 }, { "ID", 21 }) },
    { "x64_cr0", GF_SYSTEM, 8, BITS({ "PE", 0 }, { "MP", 1 }, { "EM", 2 }, { "TS", 3 }, { "ET", 4 }, { "NE", 5 }, { "WP", 16 },
        { "AM", 18 }, { "NW", 29 }, { "CD", 30 }, { "PG", 31 }) },
    { "x64_cr3", GF_SYSTEM, 8, BITS({ "PCID", 0, 11 }, { "PDBR", 12, 63 }) },
    { "x64_cr4", GF_SYSTEM, 8, BITS({ "VME", 0 }, { "PVI", 1 }, { "TSD", 2 }, { "DE", 3 }, { "PSE", 4 }, { "PAE", 5 },
        { "MCE", 6 }, { "PGE", 7 }, { "PCE", 8 }, { "OSFXSR", 9 }, { "OSXMMEXCPT", 10 }, { "UMIP", 11 }, { "LA57", 12 },
        { "VMXE", 13 }, { "SMXE", 14 }, { "FSGSBASE", 16 }, { "PCIDE", 17 }, { "OSXSAVE", 18 }, { "SMEP", 20 }, { "SMAP", 21 },
        { "PKE", 22 }) },
    { "x64_efer", GF_SYSTEM, 8, BITS({ "SCE", 0 }, { "LME", 8 }, { "LMA", 10 }, { "NXE", 11 }, { "SVME", 12 }, { "LMSLE", 13 },
        { "FFXSR", 14 }, { "TCE", 15 }) },
    { "x64_mxcsr", GF_SSE, 4, BITS({ "IE", 0 }, { "DE", 1 }, { "ZE", 2 }, { "OE", 3 }, { "UE", 4 }, { "PE", 5 }, { "DAZ", 6 },
        { "IM", 7 }, { "DM", 8 }, { "ZM", 9 }, { "OM", 10 }, { "UM", 11 }, { "PM", 12 }, { "FZ", 15 }) },
};

static const struct { const char *file, *feature; } features[GF_MAX] = {
    [GF_CORE]     = { "i386-64bit-core.xml", "org.gnu.gdb.i386.core" },
    [GF_SEGMENTS] = { "i386-64bit-segments.xml", "org.gnu.gdb.i386.segments" },
    [GF_SYSTEM]   = { "i386-64bit-system.xml", "org.qemu.gdb.i386.system" },
    [GF_SSE]      = { "i386-64bit-sse.xml", "org.gnu.gdb.i386.sse" },
    [GF_AVX]      = { "i386-64bit-avx.xml", "org.gnu.gdb.i386.avx" },
};

/* --- XML --- */

static bool has_feature(Vcpu *cpu, GdbFeature f)
{
    return f != GF_AVX || x86_cpu_has_feature(cpu, "avx");
}

static void add_vector_types(GString *x)
{
    static const struct { const char *id, *type, *field; unsigned n; } vectors[] = {
        { "v4f", "ieee_single", "v4_float", 4 }, { "v2d", "ieee_double", "v2_double", 2 }, { "v16i8", "int8", "v16_int8", 16 },
        { "v8i16", "int16", "v8_int16", 8 }, { "v4i32", "int32", "v4_int32", 4 }, { "v2i64", "int64", "v2_int64", 2 },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(vectors); i++) {
        g_string_append_printf(x, "<vector id=\"%s\" type=\"%s\" count=\"%u\"/>\n", vectors[i].id, vectors[i].type, vectors[i].n);
    }
    g_string_append(x, "<union id=\"vec128\">\n");
    for (unsigned i = 0; i < ARRAY_SIZE(vectors); i++) {
        g_string_append_printf(x, "<field name=\"%s\" type=\"%s\"/>\n", vectors[i].field, vectors[i].id);
    }
    g_string_append(x, "<field name=\"uint128\" type=\"uint128\"/>\n</union>\n");
}

static void add_flag_types(GString *x, GdbFeature f)
{
    for (unsigned i = 0; i < ARRAY_SIZE(flag_types); i++) {
        const FlagType *t = &flag_types[i];

        if (t->feature != f) {
            continue;
        }
        g_string_append_printf(x, "<flags id=\"%s\" size=\"%u\">\n", t->id, t->bytes);
        for (unsigned b = 0; b < t->n; b++) {
            g_string_append_printf(x, "<field name=\"%s\" start=\"%u\" end=\"%u\"/>\n", t->bits[b].name, t->bits[b].start,
                                   t->bits[b].end ? t->bits[b].end : t->bits[b].start);
        }
        g_string_append(x, "</flags>\n");
    }
}

static void add_registers(GString *x, GdbFeature f)
{
    unsigned number = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(regs); number += regs[i++].n) {
        const RegRun *r = &regs[i];

        for (unsigned j = 0; r->feature == f && j < r->n; j++) {
            g_string_append_printf(x, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\" regnum=\"%u\"", r->names[j], r->bits, r->type,
                                   number + j);
            if (r->group) {
                g_string_append_printf(x, " group=\"%s\"", r->group);
            }
            g_string_append(x, "/>\n");
        }
    }
}

static char *feature_xml(GdbFeature f)
{
    GString *x = g_string_new("<?xml version=\"1.0\"?>\n<!DOCTYPE feature SYSTEM \"gdb-target.dtd\">\n");

    g_string_append_printf(x, "<feature name=\"%s\">\n", features[f].feature);
    if (f == GF_SSE) {
        add_vector_types(x);
    }
    add_flag_types(x, f);
    add_registers(x, f);
    g_string_append(x, "</feature>\n");
    return g_string_free(x, false);
}

static char *target_xml(Vcpu *cpu)
{
    GString *x = g_string_new("<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target>"
                              "<architecture>i386:x86-64</architecture>");

    for (GdbFeature f = 0; f < GF_MAX; f++) {
        if (has_feature(cpu, f)) {
            g_string_append_printf(x, "<xi:include href=\"%s\"/>", features[f].file);
        }
    }
    g_string_append(x, "</target>");
    return g_string_free(x, false);
}

static char *x86_gdb_xml(Vcpu *cpu, const char *name)
{
    if (!strcmp(name, "target.xml")) {
        return target_xml(cpu);
    }
    for (GdbFeature f = 0; f < GF_MAX; f++) {
        if (!strcmp(name, features[f].file) && has_feature(cpu, f)) {
            return feature_xml(f);
        }
    }
    return NULL;
}

/* --- by number --- */

/* The run of register @n; *@i is what its functions want. */
static const RegRun *find_register(Vcpu *cpu, unsigned n, unsigned *i)
{
    for (unsigned r = 0; r < ARRAY_SIZE(regs); n -= regs[r++].n) {
        if (n < regs[r].n) {
            *i = regs[r].first + n;
            return has_feature(cpu, regs[r].feature) ? &regs[r] : NULL;
        }
    }
    return NULL;
}

static unsigned x86_gdb_read(Vcpu *cpu, unsigned n, uint8_t *buf)
{
    unsigned i;
    const RegRun *r = find_register(cpu, n, &i);

    return r ? r->read(cpu->env, i, buf) : 0;
}

static bool x86_gdb_write(Vcpu *cpu, unsigned n, const uint8_t *buf)
{
    unsigned i;
    const RegRun *r = find_register(cpu, n, &i);

    return r && r->write(cpu->env, i, buf);
}

const GdbArch x86_gdb_arch = {
    .read = x86_gdb_read,
    .write = x86_gdb_write,
    .xml = x86_gdb_xml,
};
