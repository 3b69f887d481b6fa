/*
 * One case on both sides, and what differs.
 */
#include <sys/mman.h>

#include "random.h"

unsigned n_unending;
static uint8_t *mem;            /* the host's, at ISA_MEM_VA */

void compare_init(void)
{
    mem = mmap((void *)(uintptr_t)ISA_MEM_VA, ISA_MEM_SIZE, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    g_assert(mem != MAP_FAILED);
    memset(mem, 0, ISA_MEM_SIZE);
    for (unsigned n = 0; n < 4096; n++) {
        mem[4096 * MEM_READ_ONLY + n] = (uint8_t)(n * 7 + (n >> 8));
    }
    g_assert(mprotect(mem + 4096 * MEM_READ_ONLY, 4096, PROT_READ) == 0);
    g_assert(munmap(mem + 4096 * MEM_NONE, 4096) == 0);
    native_init();
}

static void each_part(uint8_t *to, const uint8_t *from, bool read_only)
{
    memcpy(to, from, 4096 * MEM_READ_ONLY);
    if (read_only) {
        memcpy(to + 4096 * MEM_READ_ONLY, from + 4096 * MEM_READ_ONLY, 4096);
    }
    memcpy(to + 4096 * MEM_STACK, from + 4096 * MEM_STACK, 4096 * (MEM_END - MEM_STACK));
}

static void random_memory(uint8_t *m)
{
    bool vector = one_in(2);

    memset(m, 0, ISA_MEM_SIZE);
    for (unsigned n = 0; n < ISA_MEM_SIZE; n += 8) {
        uint64_t v = vector && n & 8 ? isa_interesting_vector() : isa_interesting();
        memcpy(m + n, &v, 8);
    }
    memcpy(m + 4096 * MEM_READ_ONLY, mem + 4096 * MEM_READ_ONLY, 4096);
    memset(m + 4096 * MEM_NONE, 0, 4096);
}

/* Some pointers to where rights change: into or out of the pages that are read-only or not there. */
static void put_at_edges(IsaState *st)
{
    static const uint8_t edges[] = { MEM_READ_ONLY, MEM_READ_ONLY, MEM_NONE, MEM_STACK, MEM_END };
    static const uint8_t regs[] = { 3, 4, 5, 6, 7 };

    if (!one_in(4)) {
        return;
    }
    for (unsigned n = 0; n < ARRAY_SIZE(regs); n++) {
        if (one_in(4)) {
            uint64_t edge = ISA_MEM_VA + 4096 * (uint64_t)edges[rnd(ARRAY_SIZE(edges))];
            st->r[regs[n]] = edge - 128 + (rnd(256) & (regs[n] == 5 ? ~63u : regs[n] == 4 && !one_in(4) ? ~7u : ~0u));
        }
    }
}

void case_random(Case *c, IsaMode mode)
{
    static const uint8_t pointers[] = { 3, 5, 6, 7 };
    IsaState *st = &c->in;

    memset(st, 0, sizeof(*st));
    for (unsigned n = 0; n < 16; n++) {
        st->r[n] = mode != ISA_64 ? (uint32_t)isa_interesting() : isa_interesting();
    }
    for (unsigned n = 0; n < ARRAY_SIZE(pointers); n++) {
        st->r[pointers[n]] = ISA_MEM_VA + (one_in(2) ? 4096 * (1 + rnd(2)) - 64 + rnd(128) : 1024 + rnd(3 * 4096 - 2048));
    }
    st->r[5] &= ~63ull;
    st->r[4] = ISA_MEM_VA + 4096 * (MEM_STACK + 1) - 64 + (rnd(128) & (one_in(4) ? ~0u : ~7u));
    put_at_edges(st);
    for (unsigned n = 3; n < 8; n++) {
        st->r[n] -= mode_data_base(mode);
    }
    st->r[12] = rnd(16);
    st->r[15] = rnd(10);
    st->flags = 0x202 | (isa_rng() & (FLAG_MASK & ~0x400));
    isa_random_fx(&st->fx, FORM_MMX | FORM_XMM);
    if (one_in(2)) {
        st->fx.ftw = 0;                     /* as FNINIT leaves it */
        st->fx.fsw = 0;
        st->fx.fcw = 0x37f;
    }
    if (native_has_avx()) {
        isa_random_ymmh(st);
    }
    random_memory(c->mem);
    c->guest_runs = one_in(20) ? 30 : 1 + rnd(3);
}

/* --- comparing --- */

/* The last page too is the kernel's. */
static bool is_user(uint64_t va)
{
    return va < (1ull << 47) - 4096;
}

/*
 * Known differences: a non-canonical address through RSP or RBP is #SS on the processor and #GP here (the IR knows no
 * segments); a jump to one faults on the processor before it is done, here after.
 */
static bool jumped_astray(const IsaState *host, const IsaState *guest)
{
    int64_t top = (int64_t)guest->rip >> 47;

    return host->vector == 13 && guest->vector == 13 && top != 0 && top != -1;
}

/* The opcode at the end of a run: legacy bytes behind prefixes and REX, or VEX's made into them; and ModRM. */
typedef struct Opcode {
    uint32_t op;                /* 0xd9, 0x0f10, 0x0f38cc ... */
    uint8_t modrm;
} Opcode;

static Opcode opcode_at(const uint8_t *code, IsaMode mode, uint64_t rip)
{
    static const uint32_t maps[4] = { 0, 0x0f00, 0x0f3800, 0x0f3a00 };
    uint64_t at = rip - ISA_CODE_VA - ISA_HOLE;
    const uint8_t *c = code + at;

    if (at > ISA_HOLE_SIZE - 15) {
        return (Opcode){ 0 };
    }
    while (c < code + ISA_HOLE_SIZE - 6 && ((*c && strchr("\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3", *c)) || (mode == ISA_64 && (*c & 0xf0) == 0x40))) {
        c++;
    }
    if (*c == 0xc5) {
        return (Opcode){ 0x0f00 | c[2], c[3] };
    }
    if (*c == 0xc4) {
        return (Opcode){ maps[c[1] & 3] | c[3], c[4] };
    }
    if (*c != 0x0f) {
        return (Opcode){ *c, c[1] };
    }
    return c[1] == 0x38 || c[1] == 0x3a ? (Opcode){ 0x0f0000 | c[1] << 8 | c[2], c[3] } : (Opcode){ 0x0f00 | c[1], c[2] };
}

/* FLDENV, FNSTENV, FRSTOR, FNSAVE: which byte of a page is touched first is the processor's affair. */
static bool is_x87_image(Opcode o)
{
    unsigned digit = o.modrm >> 3 & 7;

    return o.modrm < 0xc0 && (digit == 4 || digit == 6) && (o.op == 0xd9 || o.op == 0xdd);
}

/* SHA with an operand that is not aligned: #GP by the SDM (exceptions of type 4); AMD's processors let it pass. */
static bool is_lenient_sha(Opcode o, const IsaState *host, const IsaState *guest)
{
    return guest->vector == 13 && host->vector != 13 && ((o.op >= 0x0f38c8 && o.op <= 0x0f38cd) || o.op == 0x0f3acc);
}

/* DPPS, DPPD: a product or a sum that raises an unmasked exception keeps the others from being made, in no order that is given. */
static bool is_dot_product(Opcode o)
{
    return o.op == 0x0f3a40 || o.op == 0x0f3a41;
}

/* An access across the end of a flat segment, at 4 GiB: segment limits are not checked here (docs/devel/status.rst). */
static bool crosses_limit(const Program *p, const IsaState *host, const IsaState *guest)
{
    uint32_t page = (uint32_t)guest->cr2 & ~4095u;

    return p->mode == ISA_32 && (host->vector == 12 || host->vector == 13) && guest->vector == 14 && (page == 0 || page == ~4095u);
}

static bool same_end(const IsaState *a, const IsaState *b, Opcode o)
{
    /* CMPS: which of two operands that both fault is told varies with its prefixes */
    uint64_t either = is_x87_image(o) ? 4095 : o.op == 0xa6 || o.op == 0xa7 ? ~0ull : 0;

    if ((a->vector != b->vector && !(a->vector == 12 && b->vector == 13)) || a->rip != b->rip) {
        return false;
    }
    /* what the host's kernel has mapped is its own business */
    return a->vector != 14 || ((a->cr2 | either) == (b->cr2 | either) && (a->error_code == b->error_code || !is_user(a->cr2)));
}

/* An unmasked overflow or underflow: whether the result would have been inexact besides is not found out here. */
static uint32_t mxcsr_compared(const IsaState *host, Opcode o)
{
    return host->vector != 19 ? 0xffff : is_dot_product(o) ? 0xffc0 : host->fx.mxcsr & 0x18 ? 0xffdf : 0xffff;
}

static bool same_fx(const IsaFx *a, const IsaFx *b, uint32_t mxcsr_mask)
{
    if (memcmp(a->xmm, b->xmm, sizeof(a->xmm)) || ((a->mxcsr ^ b->mxcsr) & mxcsr_mask) || a->fcw != b->fcw || a->fsw != b->fsw ||
        a->ftw != b->ftw) {
        return false;
    }
    for (unsigned n = 0; n < 8; n++) {
        if (memcmp(a->st[n].b, b->st[n].b, 10)) {
            return false;
        }
    }
    return true;
}

/*
 * Outside 64-bit mode eight registers of 32 bits are defined.  POPA that faults midway: AMD's processors have loaded the
 * registers before that, here none is; with rSP as it was, both can be restarted.
 */
static bool same_registers(const Program *p, Opcode end, const uint64_t *a, const uint64_t *b)
{
    if (p->mode != ISA_64 && end.op == 0x61) {
        return (uint32_t)a[4] == (uint32_t)b[4];
    }
    for (unsigned n = 0; n < (p->mode != ISA_64 ? 8 : 16); n++) {
        if (p->mode != ISA_64 ? (uint32_t)a[n] != (uint32_t)b[n] : a[n] != b[n]) {
            return false;
        }
    }
    return true;
}

static bool same(const Program *p, const Outcome *a, const Outcome *b)
{
    uint64_t flags = program_defined_flags(p, a->st.rip, a->st.vector);
    Opcode o = opcode_at(a->code, p->mode, a->st.rip), o_guest = opcode_at(b->code, p->mode, b->st.rip);

    if (jumped_astray(&a->st, &b->st) || is_lenient_sha(o_guest, &a->st, &b->st) || crosses_limit(p, &a->st, &b->st)) {
        return true;
    }
    return same_end(&a->st, &b->st, o) && same_registers(p, o, a->st.r, b->st.r) && !((a->st.flags ^ b->st.flags) & flags) &&
        same_fx(&a->st.fx, &b->st.fx, mxcsr_compared(&a->st, o)) && !memcmp(a->st.ymmh, b->st.ymmh, sizeof(a->st.ymmh)) &&
        !memcmp(a->mem, b->mem, ISA_MEM_SIZE) && !memcmp(a->code, b->code, ISA_HOLE_SIZE);
}

static void show_vector(const char *name, unsigned n, const void *a, const void *b)
{
    uint64_t x[2], y[2];

    memcpy(x, a, 16);
    memcpy(y, b, 16);
    if (memcmp(x, y, 16)) {
        printf("  %s%u: host %016" PRIx64 "%016" PRIx64 " translated %016" PRIx64 "%016" PRIx64 "\n", name, n, x[1], x[0], y[1], y[0]);
    }
}

static void show_bytes(const char *name, uint64_t va, const uint8_t *a, const uint8_t *b, unsigned n)
{
    for (unsigned i = 0, shown = 0; i < n && shown < 8; i++) {
        if (a[i] != b[i]) {
            printf("  %s %08" PRIx64 ": host %02x translated %02x\n", name, va + i, a[i], b[i]);
            shown++;
        }
    }
}

void case_show(const Program *p, const Outcome *a, const Outcome *b)
{
    static const char *const names[] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10",
                                         "r11", "r12", "r13", "r14", "r15" };

    printf("  end: host vector %d at %08" PRIx64 " cr2 %" PRIx64 " error %x, translated %d at %08" PRIx64 " cr2 %" PRIx64 " error %x\n",
           a->st.vector, a->st.rip, a->st.cr2, a->st.error_code, b->st.vector, b->st.rip, b->st.cr2, b->st.error_code);
    for (unsigned n = 0; n < 16; n++) {
        if (a->st.r[n] != b->st.r[n]) {
            printf("  %s: host %016" PRIx64 " translated %016" PRIx64 "\n", names[n], a->st.r[n], b->st.r[n]);
        }
    }
    printf("  flags: host %03" PRIx64 " translated %03" PRIx64 " of %03" PRIx64 "\n", a->st.flags & FLAG_MASK, b->st.flags & FLAG_MASK,
           program_defined_flags(p, a->st.rip, a->st.vector));
    printf("  mxcsr: host %x translated %x; x87 cw sw tw: host %x %x %x translated %x %x %x\n", a->st.fx.mxcsr, b->st.fx.mxcsr,
           a->st.fx.fcw, a->st.fx.fsw, a->st.fx.ftw, b->st.fx.fcw, b->st.fx.fsw, b->st.fx.ftw);
    for (unsigned n = 0; n < 16; n++) {
        show_vector("xmm", n, &a->st.fx.xmm[n], &b->st.fx.xmm[n]);
        show_vector("ymmh", n, &a->st.ymmh[n], &b->st.ymmh[n]);
    }
    for (unsigned n = 0; n < 8; n++) {
        IsaFx x = a->st.fx, y = b->st.fx;
        memset(x.st[n].b + 10, 0, 6);
        memset(y.st[n].b + 10, 0, 6);
        show_vector("st", n, x.st[n].b, y.st[n].b);
    }
    show_bytes("memory", ISA_MEM_VA, a->mem, b->mem, ISA_MEM_SIZE);
    show_bytes("code", ISA_CODE_VA + ISA_HOLE, a->code, b->code, ISA_HOLE_SIZE);
}

static void run_host(IsaMode mode, const uint8_t *code, const Case *c, Outcome *o)
{
    native_set_code(code, ISA_HOLE_SIZE, mode);
    each_part(mem, c->mem, false);
    native_run(&c->in, &o->st);
    memset(o->mem, 0, ISA_MEM_SIZE);
    each_part(o->mem, mem, true);
    memcpy(o->code, (void *)(uintptr_t)(ISA_CODE_VA + ISA_HOLE), ISA_HOLE_SIZE);
}

/* RETF and IRET, which only code gone astray runs: segments are not set up here, and processors check in other orders. */
static bool ends_far(const uint8_t *code, IsaMode mode, const IsaState *st)
{
    Opcode o = opcode_at(code, mode, st->rip);

    return o.op == 0xca || o.op == 0xcb || o.op == 0xcf;
}

bool case_agrees(const Program *p, const uint8_t *code, const Case *c, Outcome *host, Outcome *guest, bool verbose)
{
    run_host(p->mode, code, c, host);
    if (p->mode == ISA_16 && (host->st.vector == 12 || host->st.vector == 13)) {
        n_unending++;       /* segment limits are not checked here (docs/devel/status.rst) */
        return true;
    }
    if (host->st.vector == ISA_HANG || host->st.vector < 0 || host->st.vector == 1 || host->st.vector == 17 ||
        ends_far(host->code, p->mode, &host->st)) {
        n_unending++;       /* a loop lost its counter, it strayed into the way back; alignment checks are not offered;
                               INT1 in code that was written over, whose RIP a virtual host may report as before it */
        return true;
    }
    for (unsigned k = 0; k < c->guest_runs; k++) {
        memcpy(guest->mem, c->mem, ISA_MEM_SIZE);
        machine_run(&c->in, p->mode, code, guest->mem, &guest->st, guest->code);
        if (guest->st.vector == ISA_HANG && memcmp(host->code, code, ISA_HOLE_SIZE)) {
            n_unending++;       /* a patch in nested loops, translated a hundred thousand times: slow, which is not compared */
            return true;
        }
        if (!same(p, host, guest) && (program_written_over(p, code, host->code) || machine_strays(p, &c->in, code, c->mem))) {
            n_unending++;
            return true;
        }
        if (!same(p, host, guest)) {
            if (verbose) {
                printf("  (run %u of %u)\n", k + 1, c->guest_runs);
                case_show(p, host, guest);
            }
            return false;
        }
    }
    return true;
}
