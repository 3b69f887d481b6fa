/*
 * Compares instruction forms (forms-*.S) on the host CPU and through the translator: registers,
 * defined flags, memory, x87 and XMM state; and for those that fault, the vector, the address and
 * the state at the fault.
 *
 * usage: isa-i386 [-n cases-per-form | -z random-blocks] [-s seed] [-f first-form] [-m] [-v] [-d log-items] [text]
 *   @text: only forms whose text contains it; -m: a minimal host, vector operations in C
 */
#include <sys/mman.h>
#include <unistd.h>

#include "isa.h"
#include "tcg/tcg.h"
#include "util/log.h"

extern const Form __start_isa_forms[], __stop_isa_forms[];

static IsaMode form_mode(uint64_t form_flags)
{
    return form_flags & FORM_32 ? ISA_32 : form_flags & FORM_16 ? ISA_16 : ISA_64;
}

static void random_case(IsaState *st, uint8_t *mem, uint64_t form_flags)
{
    static const uint8_t pointers[] = { 3, 4, 5, 6, 7 };       /* rBX, rSP, rBP, rSI, rDI */

    memset(st, 0, sizeof(*st));
    for (unsigned n = 0; n < 16; n++) {
        st->r[n] = isa_interesting();
    }
    for (unsigned n = 0; n < ARRAY_SIZE(pointers); n++) {
        st->r[pointers[n]] = 512 + isa_rng() % (ISA_MEM_SIZE - 1024);
        st->r[pointers[n]] += form_mode(form_flags) == ISA_16 ? 0 : ISA_MEM_VA;
        st->r[pointers[n]] &= form_flags & FORM_ALIGN16 ? ~15ull : ~0ull;
    }
    st->r[12] = isa_rng() & 15;
    st->flags = 0x202 | (isa_rng() & (FLAG_MASK & ~0x400));
    isa_random_fx(&st->fx, form_flags);
    if (form_flags & FORM_XMM && native_has_avx()) {
        isa_random_ymmh(st);
    }
    for (unsigned n = 0; n < ISA_MEM_SIZE; n += 8) {
        uint64_t v = form_flags & FORM_XMM ? isa_interesting_vector() : isa_interesting();
        memcpy(mem + n, &v, 8);
    }
}

/* EFLAGS bits that the form leaves undefined in this case. */
static uint64_t undefined_flags(uint64_t form_flags, const IsaState *in)
{
    unsigned count = in->r[1] & (form_flags & U_64 ? 63 : 31);

    if (form_flags & FORM_ANY_FLAGS) {
        return FLAG_MASK;
    }
    if (form_flags & U_SHIFT_CL) {
        return count == 0 ? 0 : count == 1 ? FLAG_A : FLAG_A | FLAG_O;
    }
    if (form_flags & U_ROTATE_CL) {
        return count <= 1 ? 0 : FLAG_O;
    }
    return form_flags & FLAG_MASK;
}

static bool same_fx(const IsaFx *a, const IsaFx *b, uint64_t form_flags)
{
    if (memcmp(a->xmm, b->xmm, sizeof(a->xmm)) || ((a->mxcsr ^ b->mxcsr) & 0xffff)) {
        return false;
    }
    if (!(form_flags & FORM_MMX)) {
        return true;
    }
    if (a->fcw != b->fcw || a->fsw != b->fsw || a->ftw != b->ftw) {
        return false;
    }
    for (unsigned n = 0; n < 8; n++) {
        if (memcmp(a->st[n].b, b->st[n].b, 10)) {
            return false;
        }
    }
    return true;
}

/* Outside 64-bit mode eight registers of 32 bits are defined. */
static bool same_registers(const IsaState *a, const IsaState *b, uint64_t form_flags)
{
    if (form_mode(form_flags) == ISA_64) {
        return !memcmp(a->r, b->r, sizeof(a->r));
    }
    for (unsigned n = 0; n < 8; n++) {
        if ((uint32_t)a->r[n] != (uint32_t)b->r[n]) {
            return false;
        }
    }
    return true;
}

/* A non-canonical address through rSP or rBP is #SS on the processor and #GP here: the IR knows no segments. */
static bool same_vector(int host, int guest)
{
    return host == guest || (host == 12 && guest == 13);
}

static bool same(const Form *f, const IsaState *in, const IsaState *a, const IsaState *b, const uint8_t *mem_a,
                 const uint8_t *mem_b)
{
    uint64_t flags = FLAG_MASK & ~undefined_flags(f->flags, in);

    return same_vector(a->vector, b->vector) && a->fault_offset == b->fault_offset && same_registers(a, b, f->flags)
           && !((a->flags ^ b->flags) & flags) && !memcmp(mem_a, mem_b, ISA_MEM_SIZE)
           && same_fx(&a->fx, &b->fx, f->flags) && !memcmp(a->ymmh, b->ymmh, sizeof(a->ymmh));
}

static void show_difference(const Form *f, const IsaState *in, const IsaState *a, const IsaState *b,
                            const uint8_t *before, const uint8_t *mem_a, const uint8_t *mem_b)
{
    static const char *const names[] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10",
                                         "r11", "r12", "r13", "r14", "r15" };

    printf("FAIL form %" PRIu64 ": %s\n  bytes", f->number, f->text);
    for (const uint8_t *c = f->code; c < f->end; c++) {
        printf(" %02x", *c);
    }
    printf("\n  vector: host %d at +%u, translated %d at +%u\n", a->vector, a->fault_offset, b->vector, b->fault_offset);
    for (unsigned n = 0; n < 16; n++) {
        if (a->r[n] != b->r[n]) {
            printf("  %s: in %016" PRIx64 " host %016" PRIx64 " translated %016" PRIx64 "\n", names[n], in->r[n],
                   a->r[n], b->r[n]);
        }
    }
    printf("  rax %" PRIx64 " rcx %" PRIx64 " rdx %" PRIx64 " r9 %" PRIx64 "\n", in->r[0], in->r[1], in->r[2], in->r[9]);
    printf("  flags: in %03" PRIx64 " host %03" PRIx64 " translated %03" PRIx64 " undefined %03" PRIx64 "\n",
           in->flags & FLAG_MASK, a->flags & FLAG_MASK, b->flags & FLAG_MASK, undefined_flags(f->flags, in));
    for (unsigned n = 0, shown = 0; n < ISA_MEM_SIZE && shown < 8; n++) {
        if (mem_a[n] != mem_b[n]) {
            printf("  memory +%u (%016" PRIx64 "): in %02x host %02x translated %02x\n", n, (uint64_t)ISA_MEM_VA + n,
                   before[n], mem_a[n], mem_b[n]);
            shown++;
        }
    }
    for (unsigned n = 0; n < 16; n++) {
        if (memcmp(&a->fx.xmm[n], &b->fx.xmm[n], 16)) {
            printf("  xmm%u: in %016" PRIx64 "%016" PRIx64 " host %016" PRIx64 "%016" PRIx64 " translated %016" PRIx64
                   "%016" PRIx64 "\n", n, in->fx.xmm[n].q[1], in->fx.xmm[n].q[0], a->fx.xmm[n].q[1], a->fx.xmm[n].q[0],
                   b->fx.xmm[n].q[1], b->fx.xmm[n].q[0]);
        }
    }
    for (unsigned n = 0; n < 16; n++) {
        if (memcmp(&a->ymmh[n], &b->ymmh[n], 16)) {
            printf("  ymm%u high: in %016" PRIx64 "%016" PRIx64 " host %016" PRIx64 "%016" PRIx64 " translated %016" PRIx64
                   "%016" PRIx64 "\n", n, in->ymmh[n].q[1], in->ymmh[n].q[0], a->ymmh[n].q[1], a->ymmh[n].q[0],
                   b->ymmh[n].q[1], b->ymmh[n].q[0]);
        }
    }
    printf("  xmm1 %016" PRIx64 "%016" PRIx64 " xmm2 %016" PRIx64 "%016" PRIx64 "\n", in->fx.xmm[1].q[1],
           in->fx.xmm[1].q[0], in->fx.xmm[2].q[1], in->fx.xmm[2].q[0]);
    printf("  mxcsr: in %x host %x translated %x\n", in->fx.mxcsr, a->fx.mxcsr, b->fx.mxcsr);
    if (!(f->flags & FORM_MMX)) {
        return;
    }
    printf("  x87: in cw %x sw %x tw %x, host %x %x %x, translated %x %x %x\n", in->fx.fcw, in->fx.fsw, in->fx.ftw,
           a->fx.fcw, a->fx.fsw, a->fx.ftw, b->fx.fcw, b->fx.fsw, b->fx.ftw);
    for (unsigned n = 0; n < 8; n++) {
        uint64_t m[3];
        uint16_t e[3];
        const IsaFx *fx[3] = { &in->fx, &a->fx, &b->fx };
        for (unsigned k = 0; k < 3; k++) {
            memcpy(&m[k], fx[k]->st[n].b, 8);
            memcpy(&e[k], fx[k]->st[n].b + 8, 2);
        }
        if (n < 2 || m[1] != m[2] || e[1] != e[2]) {
            printf("  st%u: in %04x %016" PRIx64 " host %04x %016" PRIx64 " translated %04x %016" PRIx64 "\n", n, e[0], m[0],
                   e[1], m[1], e[2], m[2]);
        }
    }
}

/* One case; both runs start from the same memory.  True if they agree. */
static bool run_case(const Form *f, uint8_t *mem, bool show)
{
    static uint8_t before[ISA_MEM_SIZE], after[ISA_MEM_SIZE];
    IsaState in, host, guest;

    random_case(&in, before, f->flags);
    memcpy(mem, before, ISA_MEM_SIZE);
    native_run(&in, &host);
    memcpy(after, mem, ISA_MEM_SIZE);
    memcpy(mem, before, ISA_MEM_SIZE);
    guest_run(&in, &guest);
    if (same(f, &in, &host, &guest, after, mem)) {
        return true;
    }
    if (show) {
        show_difference(f, &in, &host, &guest, before, after, mem);
    }
    return false;
}

static bool run_form(const Form *f, uint8_t *mem, unsigned n_cases, unsigned *n_run)
{
    unsigned bad = 0;

    native_set_code(f->code, f->end - f->code, form_mode(f->flags));
    guest_new_code(form_mode(f->flags));
    for (unsigned n = 0; n < n_cases; n++) {
        guest_set_fast(n & 1);
        (*n_run)++;
        bad += !run_case(f, mem, bad == 0);
    }
    if (bad) {
        printf("  (%u of %u cases)\n", bad, n_cases);
    }
    return bad == 0;
}

/*
 * RCP* and RSQRT* are approximations: another implementation's differ in the last bits.  Which NaN a
 * sum of products gives depends on the order of the additions; the fallback has Intel's.
 */
static bool is_approximate(const Form *f)
{
    if (native_is_amd() && (strstr(f->text, "dpps") || strstr(f->text, "dppd") || strstr(f->text, "0f 3a 40") ||
                            strstr(f->text, "0f 3a 41"))) {
        return true;
    }
    return strstr(f->text, "rcp") || strstr(f->text, "rsqrt") || strstr(f->text, "0f 52") || strstr(f->text, "0f 53");
}

/* Translate random bytes in random modes: hflags' low 31 bits, made consistent where the CPU guarantees it. */
static int fuzz(unsigned n_blocks)
{
    enum { CS32 = 1 << 4, PE = 1 << 7, LMA = 1 << 14, CS64 = 1 << 15, VM = 1 << 17, CPL = 3 };

    for (unsigned k = 0; k < n_blocks; k++) {
        uint8_t bytes[ISA_HOLE_SIZE];
        uint64_t flags = isa_rng() & 0x7fffffff;
        for (unsigned n = 0; n < sizeof(bytes); n++) {
            static const uint8_t often[] = { 0x0f, 0x66, 0xf2, 0xf3, 0xf0, 0x48, 0xff, 0x90, 0x8b, 0xc8, 0xc4, 0xc5 };
            bytes[n] = isa_rng() & 3 ? isa_rng() : often[isa_rng() % ARRAY_SIZE(often)];
        }
        flags = flags & CS64 ? flags | LMA : flags;
        flags = flags & LMA ? (flags | PE) & ~(uint64_t)VM : flags;
        flags = flags & PE ? flags : flags & ~(uint64_t)(VM | CPL | CS64);
        flags = flags & VM ? (flags | CPL) & ~(uint64_t)CS32 : flags;
        guest_translate(bytes, sizeof(bytes), isa_rng() & 1 ? flags & ~0x10108ull : flags);    /* without TF, RF, shadow */
    }
    printf("isa/i386: %u random blocks translated\n", n_blocks);
    return 0;
}

/* An encoding either exists or not: few cases do. */
static unsigned n_cases(const Form *f, unsigned wanted)
{
    return f->flags & FORM_ONCE ? 1 : f->flags & FORM_ANY_FLAGS ? DIV_ROUND_UP(wanted, 10) : wanted;
}

typedef struct Options {
    unsigned n_random;
    unsigned n_cases, first;
    bool verbose, minimal;
    const char *text;
} Options;

static bool parse(int argc, char **argv, Options *o)
{
    int opt;

    while ((opt = getopt(argc, argv, "n:s:f:mvd:z:")) != -1) {
        switch (opt) {
        case 'n':
            o->n_cases = strtoul(optarg, NULL, 0);
            break;
        case 'z':
            o->n_random = strtoul(optarg, NULL, 0);
            break;
        case 's':
            isa_seed(strtoull(optarg, NULL, 0) | 1);
            break;
        case 'f':
            o->first = strtoul(optarg, NULL, 0);
            break;
        case 'd':
            if (!log_parse_items(optarg, &log_mask, NULL)) {
                return false;
            }
            break;
        case 'm':
            o->minimal = tcg_host_pretend("minimal", &(bool){ false });
            break;
        case 'v':
            o->verbose = true;
            break;
        default:
            return false;
        }
    }
    o->text = optind < argc ? argv[optind] : NULL;
    return true;
}

static GArray *all_forms(void)
{
    GArray *forms = g_array_new(false, false, sizeof(Form));

    g_array_append_vals(forms, __start_isa_forms, __stop_isa_forms - __start_isa_forms);
    isa_add_map_forms(forms);
    for (unsigned n = 0; n < forms->len; n++) {
        g_array_index(forms, Form, n).number = n;
    }
    return forms;
}

int main(int argc, char **argv)
{
    Options o = { .n_cases = 40 };
    unsigned n_run = 0, n_forms = 0, failed = 0, skipped = 0;
    uint8_t *mem;
    static GArray *forms;           /* with their texts and code, for the life of the program */

    if (!parse(argc, argv, &o)) {
        return 2;
    }
    mem = mmap((void *)(uintptr_t)ISA_MEM_VA, ISA_MEM_SIZE, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    g_assert(mem != MAP_FAILED);
    native_init();
    guest_init();
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (o.n_random) {
        return fuzz(o.n_random);
    }
    forms = all_forms();
    for (unsigned n = o.first; n < forms->len; n++) {
        const Form *f = &g_array_index(forms, Form, n);
        if ((o.text && !strstr(f->text, o.text)) || (o.minimal && is_approximate(f))) {
            continue;
        }
        if (o.verbose) {
            printf("%u %s\n", n, f->text);
        }
        if (!native_has_mode(form_mode(f->flags)) || (f->flags & FORM_INTEL && native_is_amd()) ||
            (f->flags & FORM_AMD && !native_is_amd())) {
            skipped++;
            continue;
        }
        n_forms++;
        failed += !run_form(f, mem, n_cases(f, o.n_cases), &n_run);
    }
    printf("isa/i386: %u forms, %u cases: %u passed, %u failed, %u skipped\n", n_forms, n_run, n_forms - failed, failed,
           skipped);
    return failed != 0;
}
