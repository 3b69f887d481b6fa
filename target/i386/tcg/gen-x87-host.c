/*
 * x87 instructions inline, by the host's x87 with the guest's own registers.
 *
 * TOP and the tags are known within a block: it is translated for those that the CPU has as it first gets there, and
 * guarded (ir_guard).  A register is loaded from env when an instruction needs it, to the place in the host's stack that
 * it has in the guest's, so that the guest's instructions are the host's; it goes back where the block is left, before
 * helpers that look, and not round a loop inside the block.  What would fault, in the stack's sense, is a helper call.
 *
 * STATUS: flags gather in the host's status word and are merged into env's with the registers.  C0 to C3 are the host's
 * once an instruction of the block has defined them (X87State.cc).  What is done here besides the guest's instructions
 * (loads from env, FINCSTP) raises nothing but clears C1, so comes before an instruction that defines it, or after a merge.
 *
 * An empty register keeps its value: what is popped goes to env first.
 *
 * FAULTS: the host's registers stay as they are up to x87_restore_state(), which the fault's parameter tells what they are.
 */
#include "target/i386/tcg/gen-x87.h"
#include "target/i386/tcg/x87-native.h"

#define SCRATCH offsetof(CPUX86State, tcg.scratch)

static unsigned phys(const Gen *g, unsigned i)
{
    return (g->x87.top + i) & 7;
}

static uint8_t bit_of(const Gen *g, unsigned i)
{
    return 1u << phys(g, i);
}

static unsigned home_of(unsigned physical)
{
    return offsetof(CPUX86State, fpregs) + physical * sizeof(FpuReg);
}

/* --- what exits do --- */

/* fptags as one word */
static uint64_t tags_of(uint8_t empty)
{
    uint64_t tags = 0;

    for (unsigned r = 0; r < 8; r++) {
        tags |= (uint64_t)(empty >> r & 1) << (8 * r);
    }
    return tags;
}

/* As wide as guards compare it: what was stored in parts would not be forwarded to them. */
static void set_word(IrX87Home *h, unsigned offset, IrMemOp size, uint64_t value)
{
    h->words[h->n_words].offset = offset;
    h->words[h->n_words].size = size;
    h->words[h->n_words++].value = value;
}

static void home_status(const X87State *x, IrX87Home *h)
{
    if (x->raised || x->cc) {
        h->status = offsetof(CPUX86State, fpus);
        h->status_raised = FPUS_EXC;
        h->status_replaced = (x->cc & X87_C1 ? FPUS_C1 : 0) | (x->cc & X87_C023 ? FPUS_CC & ~FPUS_C1 : 0);
    }
}

static IrX87Home home_of_state(const X87State *x)
{
    IrX87Home h = { 0 };

    for (unsigned i = 0; i < 8; i++) {
        unsigned r = (x->top + i) & 7;

        if (x->live >> r & 1) {
            h.fate[i] = x->dirty >> r & 1 ? IR_X87_STORE : IR_X87_DROP;
            h.st[i] = home_of(r);
            h.n = i + 1;
        }
    }
    home_status(x, &h);
    if (x->top != x->env_top) {
        set_word(&h, offsetof(CPUX86State, fpstt), IR_MO_32, x->top);
    }
    if (x->empty != x->env_empty) {
        set_word(&h, offsetof(CPUX86State, fptags), IR_MO_64, tags_of(x->empty));
    }
    return h;
}

static void tell_exits(Gen *g)
{
    IrX87Home h;

    if (x87_is_home(&g->x87)) {
        ir_x87_set_home(g->b, NULL);
    } else {
        h = home_of_state(&g->x87);
        ir_x87_set_home(g->b, &h);
    }
}

void x87_path_end(Gen *g, X87State state)
{
    g->x87 = state;
    tell_exits(g);
}

/* --- faults --- */

enum {
    PARAM_TOP = 0, PARAM_EMPTY = 3, PARAM_LIVE = 11, PARAM_C1 = 19, PARAM_C023 = 20,
    PARAM_POPPED = 21,          /* a store's operand was popped from the host's stack, though not yet from the guest's */
    PARAM_BEFORE = 22,          /* the status word is in env->fpus_before */
    PARAM_ACTIVE = 23,
};

static uint32_t param_of(const X87State *x)
{
    return x87_is_home(x) ? 0 : x->top << PARAM_TOP | x->empty << PARAM_EMPTY | x->live << PARAM_LIVE |
        (uint32_t)x->cc << PARAM_C1 | 1u << PARAM_ACTIVE;
}

uint32_t x87_fault_param(const Gen *g)
{
    return param_of(&g->x87);
}

/* The state for a fault from here on in the instruction. */
static void note_state(Gen *g, uint32_t param)
{
    gen_mark_insn(g, g->insn_cc_op, param);
}

void x87_restore_state(CPUX86State *env, uint32_t p)
{
    unsigned popped = p >> PARAM_POPPED & 1;
    uint16_t replaced = (p >> PARAM_C1 & 1 ? FPUS_C1 : 0) | (p >> PARAM_C023 & 1 ? FPUS_CC & ~FPUS_C1 : 0), sw;
    X87Image img;

    if (!(p >> PARAM_ACTIVE & 1)) {
        return;
    }
    __asm__ volatile("fnsave %0" : "=m"(img));
    env->fpstt = p >> PARAM_TOP & 7;
    for (unsigned i = 0; i < 8; i++) {
        unsigned r = (env->fpstt + i) & 7;

        env->fptags[r] = p >> (PARAM_EMPTY + r) & 1;
        if (p >> (PARAM_LIVE + r) & 1) {
            memcpy(env->fpregs[r].b, img.st[(i - popped) & 7], 10);
        }
    }
    sw = p >> PARAM_BEFORE & 1 ? env->fpus_before : (uint16_t)img.sw;
    env->fpus = (env->fpus & ~replaced) | (sw & (replaced | FPUS_EXC));
}

/* --- registers to and from the host's stack --- */

static void do_fincstp(Gen *g, unsigned n)
{
    while (n--) {
        ir_x87(g->b, 1, 0xf7);
    }
}

static void do_fdecstp(Gen *g, unsigned n)
{
    while (n--) {
        ir_x87(g->b, 1, 0xf6);
    }
}

static void load(Gen *g, unsigned i)
{
    ir_x87_env(g->b, 3, 5, home_of(phys(g, i)));
    g->x87.live |= bit_of(g, i);
}

static uint8_t missing(const Gen *g, uint8_t wanted)
{
    uint8_t m = 0;

    for (unsigned i = 0; i < 8; i++) {
        m |= wanted >> i & 1 && !(g->x87.live & bit_of(g, i)) ? 1u << i : 0;
    }
    return m;
}

/* With nothing there, the host's top may be anywhere. */
static void load_first(Gen *g, uint8_t wanted)
{
    for (unsigned i = 32 - __builtin_clz(wanted); i-- > 0;) {
        if (wanted >> i & 1) {
            load(g, i);
        } else {
            do_fdecstp(g, 1);
        }
    }
}

static void need(Gen *g, uint8_t wanted)
{
    uint8_t m = missing(g, wanted);

    if (m && !g->x87.live) {
        load_first(g, m);
        return;
    }
    for (unsigned i = 0; i < 8; i++) {
        if (m >> i & 1) {
            do_fincstp(g, i + 1);
            load(g, i);
            do_fdecstp(g, i);
        }
    }
}

static bool is_dirty(const Gen *g, unsigned i)
{
    return g->x87.dirty & bit_of(g, i);
}

/* fld st(i); fstp m80: or where no register is free, store and load ST(0), in exchange with ST(i). */
static void clean(Gen *g, unsigned i)
{
    unsigned home = home_of(phys(g, i));

    if (!is_dirty(g, i)) {
        return;
    }
    if (!(g->x87.live & bit_of(g, 7))) {
        ir_x87(g->b, 1, 0xc0 + i);
        ir_x87_env(g->b, 3, 7, home);
    } else {
        if (i) {
            ir_x87(g->b, 1, 0xc8 + i);
        }
        ir_x87_env(g->b, 3, 7, home);
        ir_x87_env(g->b, 3, 5, home);
        if (i) {
            ir_x87(g->b, 1, 0xc8 + i);
        }
    }
    g->x87.dirty &= ~bit_of(g, i);
}

static void do_pop(X87State *x)
{
    uint8_t bit = 1u << x->top;

    x->live &= ~bit;
    x->dirty &= ~bit;
    x->empty |= bit;
    x->top = (x->top + 1) & 7;
}

static void do_push(X87State *x)
{
    x->top = (x->top - 1) & 7;
    x->empty &= ~(1u << x->top);
}

static void touch(Gen *g)
{
    g->x87_touched |= g->x87.live & ~g->x87_start.empty;
    tell_exits(g);
}

/* Merge flags and condition codes now: after this the host's are free to change. */
static void merge_status(Gen *g)
{
    IrX87Home h = { 0 };

    home_status(&g->x87, &h);
    if (h.status) {
        ir_x87_go_home(g->b, &h);
    }
    g->x87.raised = false;
    g->x87.cc = 0;
}

void x87_go_home(Gen *g)
{
    X87State *x = &g->x87;
    IrX87Home h;

    if (x87_is_home(x)) {
        return;
    }
    h = home_of_state(x);
    ir_x87_go_home(g->b, &h);
    x->live = x->dirty = x->cc = 0;
    x->raised = false;
    x->env_top = x->top;
    x->env_empty = x->empty;
    tell_exits(g);
    note_state(g, 0);
}

void x87_forget(Gen *g)
{
    x87_go_home(g);
    g->x87.known = false;
}

/* --- instructions --- */

static bool valid(const Gen *g, uint8_t wanted)
{
    for (unsigned i = 0; i < 8; i++) {
        if (wanted >> i & 1 && g->x87.empty & bit_of(g, i)) {
            return false;
        }
    }
    return true;
}

/* No stack fault. */
static bool possible(const Gen *g, X87Effect e)
{
    const X87State *x = &g->x87;

    if (!x->known || !valid(g, e.reads) || (e.pushes && !(x->empty & bit_of(g, 7)))) {
        return false;
    }
    if (e.pops && e.writes & ((1u << e.pops) - 1)) {
        return false;                           /* pops what it has just written */
    }
    return true;
}

static void prepare(Gen *g, X87Effect e)
{
    bool works = missing(g, e.reads);

    for (unsigned i = 0; i < e.pops; i++) {
        works |= is_dirty(g, i);
    }
    if (works && g->x87.cc & X87_C1 & ~e.cc) {
        merge_status(g);                        /* C1 outlives this instruction */
    }
    g->x87_used = true;
    for (unsigned i = 0; i < e.pops; i++) {
        clean(g, i);
    }
    need(g, e.reads);
}

static void take_effect(Gen *g, X87Effect e)
{
    X87State *x = &g->x87;

    for (unsigned i = 0; i < 8; i++) {
        if (e.writes >> i & 1) {
            x->live |= bit_of(g, i);
            x->dirty |= bit_of(g, i);
            x->empty &= ~bit_of(g, i);
        }
    }
    for (unsigned i = 0; i < e.pops; i++) {
        do_pop(x);
    }
    if (e.pushes) {
        do_push(x);
        x->live |= bit_of(g, 0);
        x->dirty |= bit_of(g, 0);
    }
    x->raised = true;
    x->cc |= e.cc;
    touch(g);
}

bool x87_reg(Gen *g, const Insn *i, X87Effect e)
{
    if (!possible(g, e)) {
        return false;
    }
    prepare(g, e);
    ir_x87(g->b, i->opcode & 7, i->modrm);
    take_effect(g, e);
    x87_note_pointers(g, i);
    return true;
}

/* FSTP ST(i): the pop is what stores the register that it leaves empty. */
bool x87_pop_to(Gen *g, const Insn *i)
{
    const X87Effect e = { .reads = 1, .pops = 1, .cc = X87_C1 };
    unsigned to = i->modrm & 7;
    X87State *x = &g->x87;

    if (!possible(g, e)) {
        return false;
    }
    g->x87_used = true;
    need(g, 1);
    if (to) {
        ir_x87(g->b, 5, 0xd0 + to);
        x->live |= bit_of(g, to);
        x->dirty |= bit_of(g, to);
        x->empty &= ~bit_of(g, to);
    }
    if (is_dirty(g, 0)) {
        ir_x87_env(g->b, 3, 7, home_of(phys(g, 0)));
    } else {
        ir_x87(g->b, 5, 0xd8);
    }
    take_effect(g, e);
    x87_note_pointers(g, i);
    return true;
}

IrVal x87_compare(Gen *g, const Insn *i, X87Effect e)
{
    IrVal flags;

    if (!possible(g, e)) {
        return IR_NONE;
    }
    prepare(g, e);
    flags = ir_x87_compare(g->b, i->opcode & 7, i->modrm);
    take_effect(g, e);
    x87_note_pointers(g, i);
    return flags;
}

static unsigned reg_field(const Insn *i)
{
    return i->modrm >> 3 & 7;
}

bool x87_mem(Gen *g, const Insn *i, X87Effect e, IrVal v, unsigned size)
{
    if (!possible(g, e)) {
        return false;
    }
    prepare(g, e);
    ir_env_st(g->b, v, SCRATCH, size);
    ir_x87_env(g->b, i->opcode & 7, reg_field(i), SCRATCH);
    take_effect(g, e);
    x87_note_pointers(g, i);
    return true;
}

bool x87_load_m80(Gen *g, const Insn *i)
{
    const X87Effect e = { .pushes = true, .cc = X87_C1 };
    IrVal mant, se;

    if (!possible(g, e)) {
        return false;
    }
    mant = gen_ld(g, i->addr, IR_MO_64);
    se = gen_ld(g, gen_addr_plus(g, i, 8), IR_MO_16);
    prepare(g, e);
    ir_env_st(g->b, mant, SCRATCH, IR_MO_64);
    ir_env_st(g->b, se, SCRATCH + 8, IR_MO_16);
    ir_x87_env(g->b, i->opcode & 7, reg_field(i), SCRATCH);
    take_effect(g, e);
    x87_note_pointers(g, i);
    return true;
}

/*
 * The value goes to the scratch place, popped from the host's stack as the instruction does it; the guest's store may
 * then fault, with the status word as it was.
 */
static void store_to_scratch(Gen *g, const Insn *i, X87Effect e)
{
    uint32_t param;

    ir_x87_env(g->b, 5, 7, offsetof(CPUX86State, fpus_before));     /* fnstsw */
    param = param_of(&g->x87);
    prepare(g, e);
    ir_x87_env(g->b, i->opcode & 7, reg_field(i), SCRATCH);
    /* The registers are those of now, the status that of before. */
    param = (param & 3u << PARAM_C1) | (param_of(&g->x87) & ~(3u << PARAM_C1)) | 1u << PARAM_BEFORE | 1u << PARAM_ACTIVE;
    note_state(g, param | (e.pops ? 1u << PARAM_POPPED : 0));
}

bool x87_store(Gen *g, const Insn *i, unsigned size, bool pop)
{
    const X87Effect e = { .reads = 1, .pops = pop, .cc = X87_C1 };

    if (!possible(g, e)) {
        return false;
    }
    store_to_scratch(g, i, e);
    gen_st(g, i->addr, ir_env_ld(g->b, gen_type(size), SCRATCH, size), size);
    take_effect(g, e);
    x87_note_pointers(g, i);
    return true;
}

/*
 * Two stores, of which the second must not fault when the first is done; and what faults is the lower part, if it does.
 */
bool x87_store_m80(Gen *g, const Insn *i)
{
    const X87Effect e = { .reads = 1, .pops = 1, .cc = X87_C1 };
    IrVal upper;

    if (!possible(g, e)) {
        return false;
    }
    upper = gen_addr_plus(g, i, 8);
    gen_ld(g, i->addr, IR_MO_64 | IR_MO_RMW);
    store_to_scratch(g, i, e);
    gen_st(g, upper, ir_env_ld(g->b, IR_I32, SCRATCH + 8, IR_MO_16), IR_MO_16);
    gen_st(g, i->addr, ir_env_ld(g->b, IR_I64, SCRATCH, IR_MO_64), IR_MO_64);
    take_effect(g, e);
    x87_note_pointers(g, i);
    return true;
}

IrVal x87_status(Gen *g)
{
    IrX87Home h = { 0 };
    IrVal sw, host;

    if (!g->x87.known) {
        return IR_NONE;
    }
    g->x87_used = true;
    sw = ir_env_ld(g->b, IR_I32, offsetof(CPUX86State, fpus), IR_MO_16);
    home_status(&g->x87, &h);
    if (h.status) {
        ir_x87_env(g->b, 5, 7, SCRATCH);
        host = ir_andi(g->b, ir_env_ld(g->b, IR_I32, SCRATCH, IR_MO_16), h.status_raised | h.status_replaced);
        sw = ir_or(g->b, ir_andi(g->b, sw, ~(uint32_t)h.status_replaced), host);
    }
    return ir_ori(g->b, sw, g->x87.top << 11);
}

void x87_load_control_word(Gen *g, IrVal cw)
{
    IrLabel masked = ir_label_new(g->b);
    X87State x87 = g->x87;

    gen_sync_flags(g);
    ir_brcondi(g->b, IR_EQ, ir_andi(g->b, cw, FPUS_EXC), FPUS_EXC, masked);
    x87_go_home(g);
    IR_CALL(g->b, H_fldcw, cw);
    ir_exit_loop(g->b, gen_next_pc(g));
    ir_label(g->b, masked);
    x87_path_end(g, x87);
    ir_env_st(g->b, ir_ori(g->b, ir_andi(g->b, cw, FPUC_MASK), FPUC_ONE), offsetof(CPUX86State, fpuc), IR_MO_16);
    ir_env_st(g->b, ir_ori(g->b, ir_andi(g->b, cw, 0xf00), FPUC_ONE | FPUS_EXC), offsetof(CPUX86State, tcg.guest_fpcw), IR_MO_16);
    ir_x87_env(g->b, 1, 5, offsetof(CPUX86State, tcg.guest_fpcw));
}

void x87_before_helper(Gen *g, X87Effect e)
{
    bool known = possible(g, e);

    if (!known) {
        x87_forget(g);
        return;
    }
    x87_go_home(g);
    g->x87_used = true;
    for (unsigned i = 0; i < e.pops; i++) {
        do_pop(&g->x87);
    }
    g->x87.env_top = g->x87.top;
    g->x87.env_empty = g->x87.empty;
}

void x87_note_pointers(Gen *g, const Insn *i)
{
    ir_put(g->b, G_FPIP, ir_pc(g->b, i->delta));
    if (i->is_mem) {
        ir_put(g->b, G_FPDP, i->ea);
    }
}

/* --- blocks and loops --- */

/*
 * Not over instructions with helpers that look at the x87 or leave by other ways than unwinding: so over common ones only.
 * MMX operands are seen to where they are loaded and stored (gen_ld_mm).
 */
bool x87_may_stay(const Insn *i)
{
    unsigned op = i->opcode;

    if (i->e->unit == UNIT_X87 || i->e->unit == UNIT_FWAIT) {
        return true;
    }
    if (i->e->cpl0 || (i->e->unit != UNIT_INT && i->e->unit != UNIT_SSE)) {
        return false;
    }
    switch (i->map) {
    case 0:
        return !(op == 0x9a || op == 0x9b || (op >= 0x6c && op <= 0x6f) || (op >= 0xa4 && op <= 0xa7) || op == 0x8e ||
                 (op >= 0xaa && op <= 0xaf) || (op >= 0xc4 && op <= 0xc5) || (op >= 0xca && op <= 0xcf) ||
                 (op >= 0xe4 && op <= 0xe7) || (op >= 0xea && op <= 0xf4 && op != 0xeb) || (op >= 0xfa && op <= 0xfb) || (op == 0xff && ((i->modrm >> 3 & 7) == 3 || (i->modrm >> 3 & 7) == 5)));
    case 1:
        return (op >= 0x10 && op <= 0x1f) || (op >= 0x28 && op <= 0x2f) || (op >= 0x40 && op <= 0x76) ||
            (op >= 0x78 && op <= 0x9f) || (op >= 0xa3 && op <= 0xa5) || (op >= 0xab && op <= 0xad) ||
            (op >= 0xaf && op <= 0xc6 && op != 0xb2 && op != 0xb4 && op != 0xb5) || op >= 0xc8;
    default:
        return true;
    }
}

static uint8_t empty_of(const CPUX86State *env)
{
    uint8_t empty = 0;

    for (unsigned i = 0; i < 8; i++) {
        empty |= !!env->fptags[i] << i;
    }
    return empty;
}

void x87_begin_block(Gen *g, const X87Loop *loop)
{
    X87State *x = &g->x87;

    x->known = !(g->flags & (HF_X87_CALLS | HF_EM | HF_TS));
    x->top = x->env_top = g->env->fpstt & 7;
    x->empty = x->env_empty = empty_of(g->env);
    g->x87_start = *x;
    if (loop && loop->used) {
        x->live = x->dirty = loop->live;
        x->raised = true;
        g->x87_loop = *loop;
        g->x87_used = true;
        tell_exits(g);
    }
}

void x87_end_block(Gen *g, X87Loop *loop)
{
    const X87State *x = &g->x87_start;
    X87State start = *x;
    IrX87Home h;

    *loop = (X87Loop){ g->x87_used, g->x87_touched, g->x87.cc };
    if (!g->x87_used) {
        return;
    }
    ir_guard(g->b, offsetof(CPUX86State, fpstt), IR_MO_32, x->top);
    ir_guard(g->b, offsetof(CPUX86State, fptags), IR_MO_64, tags_of(x->empty));
    if (g->x87_loop.used) {
        start.live = start.dirty = g->x87_loop.live;
        h = home_of_state(&start);
        ir_x87_preload(g->b, &h);
    }
}

void x87_note_exit(Gen *g)
{
    g->x87_merges |= g->x87_loop.cc & ~g->x87.cc;
}

bool x87_can_loop(const Gen *g)
{
    const X87State *x = &g->x87;

    return !g->x87_used || (x->known && x->top == g->x87_start.top && x->empty == g->x87_start.empty);
}

/* At the head are the registers of x87_loop.live, and env has TOP and tags. */
void x87_loop_back(Gen *g)
{
    X87State *x = &g->x87;
    uint8_t wanted = 0;

    if (!g->x87_used) {
        return;
    }
    if (x->env_top != x->top || x->env_empty != x->empty || x->live & ~g->x87_loop.live) {
        x87_go_home(g);
    }
    for (unsigned i = 0; i < 8; i++) {
        wanted |= g->x87_loop.live & bit_of(g, i) ? 1u << i : 0;
    }
    if (x->cc && (g->x87_merges || missing(g, wanted))) {
        merge_status(g);
    }
    need(g, wanted);
    x->dirty |= x->live;
    tell_exits(g);
}
