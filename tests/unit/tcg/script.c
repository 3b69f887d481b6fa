/*
 * Random programs: generator, builder, interpreter.  See script.h.
 *
 * Scopes: a value made between a conditional branch and its label is not used after the label,
 * since its definition need not dominate it.  Loops count a variable down and run 1 to 3 times.
 */
#include <smmintrin.h>
#include "script.h"

static const IrVop vop2_rows[] = { IR_VOP_PADDB, IR_VOP_PXOR, IR_VOP_PSUBD, IR_VOP_PSHUFB };

/* --- generator --- */

enum { BINARY_ADD = 0, BINARY_OR = 3 };         /* in binary_fn[] */

typedef struct Gen {
    Script *s;
    GRand *r;
    unsigned live[SCRIPT_MAX + 1], n_live;
    unsigned insn;
    bool set[SCRIPT_VARS], slot0_used, calls;
    unsigned n_exit_ifs;
} Gen;

static unsigned rnd(Gen *g, unsigned n)
{
    return g_rand_int_range(g->r, 0, n);
}

static uint64_t rnd64(Gen *g)
{
    static const uint64_t odd[] = { 0, 1, 2, 0x7f, 0x80, 0xff, 0xffff, 0x8000, 0x7fffffff, 0x80000000, 0xffffffff,
                                    0x100000000, ~0ull, 1ull << 63, INT64_MAX };

    switch (rnd(g, 4)) {
    case 0: return odd[rnd(g, ARRAY_SIZE(odd))];
    case 1: return rnd(g, 256);
    case 2: return (int64_t)(int32_t)g_rand_int(g->r);
    default: return (uint64_t)g_rand_int(g->r) << 32 | g_rand_int(g->r);
    }
}

static Step *step(Gen *g, StepKind kind, IrType t)
{
    Step *s = &g->s->steps[g->s->n_steps++];

    *s = (Step){ .kind = kind, .type = t };
    return s;
}

static void define(Gen *g, Step *s, IrType t)
{
    s->d = ++g->s->n_values;
    g->s->type[s->d] = t;
    g->live[g->n_live++] = s->d;
}

/* Some value of type @t, made if there is none. */
static unsigned pick(Gen *g, IrType t)
{
    Step *s;

    for (unsigned tries = 0; tries < 8 && g->n_live; tries++) {
        unsigned near = rnd(g, 3) ? MIN(g->n_live, 6u) : g->n_live;
        unsigned v = g->live[g->n_live - 1 - rnd(g, near)];

        if (g->s->type[v] == t) {
            return v;
        }
    }
    if (t == IR_V128 || rnd(g, 2)) {
        s = step(g, S_GET, t);
        s->k = t == IR_V128 ? (unsigned)FG_V0 + rnd(g, 8) : t == IR_I32 ? (unsigned)FG_C32 + rnd(g, 2) : rnd(g, FG_C32);
    } else {
        s = step(g, S_CONST, t);
        s->k = rnd64(g);
    }
    define(g, s, t);
    return s->d;
}

static IrType int_type(Gen *g)
{
    return rnd(g, 2) ? IR_I64 : IR_I32;
}

static void gen_insn(Gen *g)
{
    Step *s = step(g, S_INSN, IR_VOID);

    g->insn += 1 + rnd(g, 15);
    s->k = g->insn;
    s->in[4] = rnd(g, 60000);                   /* parameters, not values */
    s->in[5] = rnd(g, 300);
}

static unsigned gen_address(Gen *g)
{
    unsigned v = pick(g, IR_I64);
    Step *s = step(g, S_ADDRESS, IR_I64);

    s->in[0] = v;
    s->k = rnd(g, 24) ? 0x1fff : rnd(g, 2) ? 0x2fff : 0x3fff;
    define(g, s, IR_I64);
    return s->d;
}

static void gen_binary(Gen *g)
{
    IrType t = int_type(g);
    unsigned x = pick(g, t), y = pick(g, t);
    Step *s = step(g, S_BINARY, t);

    s->sub = rnd(g, 9);
    s->in[0] = x;
    s->in[1] = y;
    define(g, s, t);
}

static void gen_shift(Gen *g)
{
    IrType t = int_type(g);
    unsigned x = pick(g, t), y = pick(g, rnd(g, 2) ? IR_I32 : t);
    Step *s = step(g, S_SHIFT, t);

    s->sub = rnd(g, 5);
    s->pos = rnd(g, 2);                         /* count: value, or constant k */
    s->k = rnd(g, t == IR_I32 ? 32 : 64);
    s->in[0] = x;
    s->in[1] = y;
    define(g, s, t);
}

static void gen_unary(Gen *g)
{
    static const uint8_t kinds[] = { S_NOT, S_NEG, S_EXT, S_BSWAP, S_POPCOUNT, S_EXTRACT };
    IrType t = int_type(g);
    unsigned x = pick(g, t);
    Step *s = step(g, kinds[rnd(g, ARRAY_SIZE(kinds))], t);
    unsigned w = t == IR_I32 ? 32 : 64;

    s->in[0] = x;
    s->len = s->kind == S_EXT ? 8u << rnd(g, t == IR_I32 ? 2 : 3) : 1 + rnd(g, w);
    s->pos = s->kind == S_EXTRACT ? rnd(g, w - s->len + 1) : rnd(g, 2);
    s->sub = rnd(g, 2);
    define(g, s, t);
}

static void gen_deposit(Gen *g)
{
    IrType t = int_type(g);
    unsigned w = t == IR_I32 ? 32 : 64, x = pick(g, t), f = pick(g, t);
    Step *s = step(g, S_DEPOSIT, t);

    s->in[0] = x;
    s->in[1] = f;
    if (rnd(g, 2)) {
        s->len = 8 << rnd(g, 2);
        s->pos = rnd(g, 2) ? 0 : 8;
    } else {
        s->len = 1 + rnd(g, w);
        s->pos = rnd(g, w - s->len + 1);
    }
    define(g, s, t);
}

static void gen_count(Gen *g)
{
    IrType t = int_type(g);
    unsigned x = pick(g, t), y = pick(g, t);
    Step *s = step(g, rnd(g, 2) ? S_CLZ : S_CTZ, t);

    s->in[0] = x;
    s->in[1] = y;
    define(g, s, t);
}

static void gen_cond(Gen *g)
{
    IrType ct = int_type(g), t = int_type(g);
    bool select = rnd(g, 2);
    unsigned x = pick(g, ct), y = pick(g, ct), a = pick(g, t), b = pick(g, t);
    Step *s = step(g, select ? S_SELECT : S_SETCOND, t);

    s->cond = rnd(g, 12);
    s->in[0] = x;
    s->in[1] = y;
    s->in[2] = a;
    s->in[3] = b;
    define(g, s, t);
}

static void gen_width(Gen *g)
{
    unsigned kind = S_TRUNC + rnd(g, 3);
    unsigned x = pick(g, kind == S_TRUNC ? IR_I64 : IR_I32);
    IrType t = kind == S_TRUNC ? IR_I32 : IR_I64;
    Step *s = step(g, kind, t);

    s->in[0] = x;
    define(g, s, t);
}

static void gen_state(Gen *g)
{
    unsigned n = rnd(g, 10), global = rnd(g, FT_N_GLOBALS), v;
    IrType t = ft_target.globals[global].type;
    Step *s;

    if (n < 5) {
        v = pick(g, t);
        if (n == 0) {                           /* what it holds until the put is not defined */
            step(g, S_DISCARD, IR_VOID)->k = global;
        }
        s = step(g, S_PUT, t);
        s->k = global;
        s->in[0] = v;
    } else if (n < 8) {
        s = step(g, S_GET, t);
        s->k = global;
        define(g, s, t);
    } else if (n == 8) {
        s = step(g, S_ENV_LD, t = rnd(g, 5) ? int_type(g) : IR_V128);
        s->mop = t == IR_V128 ? IR_MO_128 : rnd(g, t == IR_I32 ? 3 : 4);
        s->mop |= t != IR_V128 && rnd(g, 2) ? IR_MO_SIGN : 0;
        s->k = offsetof(FtEnv, plain) + 16 * rnd(g, 8);
        define(g, s, t);
    } else {
        t = rnd(g, 5) ? int_type(g) : IR_V128;
        v = pick(g, t);
        s = step(g, S_ENV_ST, t);
        s->mop = t == IR_V128 ? IR_MO_128 : rnd(g, t == IR_I32 ? 3 : 4);
        s->k = offsetof(FtEnv, plain) + 16 * (1 + rnd(g, 7));
        s->in[0] = v;
    }
}

static void gen_var(Gen *g)
{
    unsigned var = rnd(g, SCRIPT_VARS - 4), v;
    IrType t = g->s->var_type[var];
    Step *s;

    if (g->set[var] && rnd(g, 2)) {
        s = step(g, S_VAR_GET, t);
        s->k = var;
        define(g, s, t);
    } else {
        v = pick(g, t);
        s = step(g, S_VAR_SET, t);
        s->k = var;
        s->in[0] = v;
        g->set[var] = true;
    }
}

static void gen_memory(Gen *g)
{
    static const uint8_t kinds[] = { S_LD, S_LD, S_LD, S_ST, S_ST, S_RMW, S_CAS };
    unsigned kind, addr = gen_address(g), v, w;
    IrType t = rnd(g, 8) ? int_type(g) : IR_V128;
    Step *s;

    if (rnd(g, 2)) {
        gen_insn(g);
    }
    kind = kinds[rnd(g, t == IR_V128 ? 5 : ARRAY_SIZE(kinds))];
    v = pick(g, t);
    w = pick(g, t);
    s = step(g, kind, t);
    s->mop = t == IR_V128 ? IR_MO_128 : rnd(g, t == IR_I32 ? 3 : 4);
    if (t != IR_V128 && kind != S_RMW && kind != S_CAS) {
        s->mop |= rnd(g, 3) ? 0 : IR_MO_SIGN;
        s->mop |= rnd(g, 8) ? 0 : IR_MO_BE;
        s->mop |= rnd(g, 30) ? 0 : IR_MO_ALIGN;
    }
    s->sub = rnd(g, 5);
    s->in[0] = addr;
    s->in[1] = v;
    s->in[2] = w;
    if (kind != S_ST) {
        define(g, s, t);
    }
}

static void gen_vector(Gen *g)
{
    unsigned kind = S_VOP1I + rnd(g, 5);
    unsigned x = pick(g, IR_V128), y = pick(g, IR_V128), z = pick(g, IR_V128), i = pick(g, IR_I32);
    IrType t = kind == S_TO_INT ? IR_I32 : IR_V128;
    Step *s = step(g, kind, t);

    s->sub = rnd(g, 4);
    s->k = rnd(g, 256);
    s->in[0] = x;
    s->in[1] = kind == S_FROM_INT ? i : y;
    s->in[2] = z;
    define(g, s, t);
}

static void gen_call(Gen *g)
{
    unsigned helper = rnd(g, FT_N_HELPERS);
    const IrHelper *h = &ft_target.helpers[helper];
    uint16_t args[6] = { 0 };
    Step *s;

    if (!g->calls) {
        return;
    }

    for (unsigned i = 0; i < h->n_args; i++) {
        args[i] = pick(g, h->args[i]);
    }
    gen_insn(g);
    s = step(g, S_CALL, h->ret);
    s->sub = helper;
    s->n = h->n_args;
    memcpy(s->in, args, sizeof(args));
    if (h->ret != IR_VOID) {
        define(g, s, h->ret);
    }
}

/* Mostly not taken, so that something comes after it. */
static void gen_exit_if(Gen *g)
{
    IrType t = int_type(g);
    unsigned x = pick(g, t), y = pick(g, t);
    Step *s = step(g, S_EXIT_IF, IR_VOID);

    s->in[0] = x;
    s->in[1] = y;
    s->cond = rnd(g, 8) ? (unsigned)(x == y ? IR_NE : IR_EQ) : rnd(g, IR_TSTNE + 1);
    s->sub = g->n_exit_ifs < 2 ? 2 + g->n_exit_ifs : IR_SLOT_NONE;
    s->pos = rnd(g, 2);                         /* polls */
    s->k = (int64_t)(int32_t)g_rand_int(g->r) >> rnd(g, 32);
    g->n_exit_ifs++;
}

static unsigned gen_with_k(Gen *g, unsigned binary, unsigned x, uint64_t k)
{
    Step *s = step(g, S_CONST, IR_I64);

    s->k = k;
    define(g, s, IR_I64);
    k = s->d;
    s = step(g, S_BINARY, IR_I64);
    s->sub = (uint8_t)binary;
    s->in[0] = x;
    s->in[1] = (uint16_t)k;
    define(g, s, IR_I64);
    return s->d;
}

/* A load or store of [@base + @disp], of its own instruction more often than not. */
static void gen_near(Gen *g, unsigned base, int disp)
{
    IrType t = rnd(g, 6) ? int_type(g) : IR_V128;
    unsigned v = pick(g, t), addr = gen_with_k(g, BINARY_ADD, base, (uint64_t)disp);
    bool st = rnd(g, 2);
    Step *s;

    if (rnd(g, 4)) {
        gen_insn(g);
    }
    s = step(g, st ? S_ST : S_LD, t);
    s->mop = t == IR_V128 ? IR_MO_128 : rnd(g, t == IR_I32 ? 3 : 4);
    if (t != IR_V128) {
        s->mop |= rnd(g, 3) ? 0 : IR_MO_SIGN;
        s->mop |= rnd(g, 16) ? 0 : IR_MO_ALIGN;
    }
    s->in[0] = addr;
    s->in[1] = v;
    if (!st) {
        define(g, s, t);
    }
}

/* Accesses off one base with other things in between: what may share a probe. */
static void gen_row(Gen *g)
{
    unsigned base = gen_address(g), n = 2 + rnd(g, 4);
    int around = (int)rnd(g, 300) - 150;

    if (rnd(g, 2)) {                            /* near a page's end */
        base = gen_with_k(g, BINARY_OR, base, 0xf80);
    }
    for (unsigned i = 0; i < n && g->s->n_steps < SCRIPT_MAX - 60; i++) {
        gen_near(g, base, around + (int)rnd(g, 64));
        for (unsigned k = rnd(g, 3); k; k--) {
            void (*const between[])(Gen *) = { gen_state, gen_state, gen_binary, gen_exit_if, gen_memory };

            between[rnd(g, ARRAY_SIZE(between))](g);
        }
    }
}

static void gen_step(Gen *g)
{
    static void (*const choices[])(Gen *) = {
        gen_insn, gen_binary, gen_binary, gen_binary, gen_shift, gen_unary, gen_deposit, gen_count, gen_cond, gen_cond,
        gen_width, gen_state, gen_state, gen_state, gen_state, gen_state, gen_var, gen_memory, gen_memory, gen_vector,
        gen_call, gen_exit_if, gen_row, gen_row,
    };
    Step *s;

    if (rnd(g, 30) == 0) {
        s = step(g, S_PC, IR_I64);
        s->k = (int64_t)(int32_t)g_rand_int(g->r) >> rnd(g, 32);
        define(g, s, IR_I64);
    }
    choices[rnd(g, ARRAY_SIZE(choices))](g);
}

static void gen_exit(Gen *g, bool last)
{
    static const uint8_t kinds[] = { S_EXIT_DIRECT, S_EXIT_DIRECT, S_EXIT_INDIRECT, S_EXIT_LOOP };
    unsigned pc = pick(g, IR_I64);
    unsigned kind = kinds[rnd(g, ARRAY_SIZE(kinds))];
    Step *s = step(g, !last && g->slot0_used ? S_EXIT_LOOP : kind, IR_VOID);

    s->in[0] = pc;
    s->sub = last;
    g->slot0_used |= !last;
    s->k = (int64_t)(int32_t)g_rand_int(g->r) >> rnd(g, 32);
    s->cond = rnd(g, 2);
}

/* Once more from the start, or out. */
static void gen_loop_back(Gen *g)
{
    Step *s = step(g, S_LOOP_BACK, IR_VOID);

    s->k = (int64_t)(int32_t)g_rand_int(g->r) >> rnd(g, 32);
}

static void gen_steps(Gen *g, unsigned n, unsigned depth);

static unsigned gen_const(Gen *g, IrType t, uint64_t k)
{
    Step *s = step(g, S_CONST, t);

    s->k = k;
    define(g, s, t);
    return s->d;
}

/* if (cond) skip [; exit or branch on in the middle] */
static void gen_if(Gen *g, unsigned depth)
{
    unsigned live = g->n_live, label = g->s->n_labels++;
    IrType t = int_type(g);
    unsigned x = pick(g, t), y = pick(g, t);
    Step *s;
    bool set[SCRIPT_VARS];

    if (rnd(g, 2)) {                            /* on what an op just computed, or compared */
        if (rnd(g, 2)) {
            y = gen_const(g, t, rnd64(g));
        }
        if (rnd(g, 4) == 0) {                   /* x + -k, then x and k */
            unsigned minus = gen_const(g, t, -g->s->steps[g->s->n_steps - 1].k);

            s = step(g, S_BINARY, t);
            s->in[1] = minus;
        } else {
            s = step(g, S_BINARY, t);
            s->sub = rnd(g, 5);
            s->in[1] = y;
        }
        s->in[0] = x;
        define(g, s, t);
        if (rnd(g, 2)) {
            x = s->d;
            y = gen_const(g, t, 0);
        }
    }
    live = g->n_live;
    s = step(g, S_BRCOND, t);
    s->cond = rnd(g, 12);
    s->in[0] = x;
    s->in[1] = y;
    s->k = label;
    memcpy(set, g->set, sizeof(set));
    gen_steps(g, 1 + rnd(g, 6), depth + 1);
    if (rnd(g, 6) == 0) {
        gen_exit(g, false);
    }
    g->n_live = live;
    memcpy(g->set, set, sizeof(set));
    s = step(g, S_LABEL, IR_VOID);
    s->k = label;
    g->s->label_at[label] = g->s->n_steps - 1;
    gen_insn(g);                                /* what a fault is in must not depend on the path */
}

/* do { ... } while (--counter) */
static void gen_loop(Gen *g, unsigned depth)
{
    unsigned var = SCRIPT_VARS - 1 - depth, label = g->s->n_labels++;
    Step *s = step(g, S_CONST, IR_I64);

    s->k = 1 + rnd(g, 3);
    define(g, s, IR_I64);
    s = step(g, S_VAR_SET, IR_I64);
    s->k = var;
    s->in[0] = s[-1].d;
    s = step(g, S_LABEL, IR_VOID);
    s->k = label;
    g->s->label_at[label] = g->s->n_steps - 1;
    gen_insn(g);                                /* what a fault is in must not depend on the path */
    gen_steps(g, 2 + rnd(g, 6), depth + 1);
    s = step(g, S_LOOP_TEST, IR_VOID);
    s->sub = var;
    s->k = label;
}

static void gen_steps(Gen *g, unsigned n, unsigned depth)
{
    for (unsigned i = 0; i < n && g->s->n_steps < SCRIPT_MAX - 60; i++) {
        unsigned what = rnd(g, 24);

        if (what == 0 && depth < 3 && g->s->n_labels < SCRIPT_LABELS) {
            gen_if(g, depth);
        } else if (what == 1 && depth < 3 && g->s->n_labels < SCRIPT_LABELS) {
            gen_loop(g, depth);
        } else {
            gen_step(g);
        }
    }
}

void script_random(Script *s, GRand *rand, unsigned n_steps)
{
    static const uint8_t widths[] = { 64, 64, 32, 16 };
    Gen g = { .s = s, .r = rand };

    s->n_steps = s->n_values = s->n_labels = 0;
    s->pc_bits = widths[rnd(&g, 4)];
    for (unsigned i = 0; i < SCRIPT_VARS; i++) {
        s->var_type[i] = i >= SCRIPT_VARS - 4 ? IR_I64 : i % 3 == 0 ? IR_I32 : i % 3 == 1 ? IR_I64 : IR_V128;
    }
    s->loops = rnd(&g, 3) == 0;
    g.calls = !s->loops || rnd(&g, 3) == 0;     /* a loop with calls has no registers of its own */
    gen_insn(&g);
    gen_steps(&g, n_steps, 0);
    if (s->loops) {
        gen_loop_back(&g);
    } else {
        gen_exit(&g, true);
    }
}

/* --- builder --- */

static IrVal (*const binary_fn[])(IrBlock *, IrVal, IrVal) = {
    ir_add, ir_sub, ir_and, ir_or, ir_xor, ir_andc, ir_mul, ir_muluh, ir_mulsh,
};
static IrVal (*const shift_fn[])(IrBlock *, IrVal, IrVal) = { ir_shl, ir_shr, ir_sar, ir_rotl, ir_rotr };

typedef struct Build {
    IrBlock *b;
    IrVal v[SCRIPT_MAX + 1];
    IrLabel label[SCRIPT_LABELS];
    IrVar var[SCRIPT_VARS];
} Build;

static IrVal build_call(Build *u, const Step *s)
{
    IrVal args[6];

    for (unsigned i = 0; i < s->n; i++) {
        args[i] = u->v[s->in[i]];
    }
    return ir_call(u->b, s->sub, args, s->n);
}

static IrVal build_step(Build *u, const Step *s)
{
    IrBlock *b = u->b;
    IrType t = s->type;
    IrVal *v = u->v, x = v[s->in[0]], y = v[s->in[1]], z = v[s->in[2]], n;

    switch ((StepKind)s->kind) {
    case S_INSN: ir_insn_start(b, s->k, s->in[4], s->in[5]); break;
    case S_CONST: return ir_const(b, t, s->k);
    case S_PC: return ir_pc(b, s->k);
    case S_GET: return ir_get(b, s->k);
    case S_PUT: ir_put(b, s->k, x); break;
    case S_DISCARD: ir_discard(b, s->k); break;
    case S_ENV_LD: return ir_env_ld(b, t, s->k, s->mop);
    case S_ENV_ST: ir_env_st(b, x, s->k, s->mop); break;
    case S_VAR_GET: return ir_var_get(b, u->var[s->k]);
    case S_VAR_SET: ir_var_set(b, u->var[s->k], x); break;
    case S_BINARY: return binary_fn[s->sub](b, x, y);
    case S_SHIFT:
        n = s->pos ? ir_i32(b, s->k) : ir_andi(b, y, t == IR_I32 ? 31 : 63);
        return shift_fn[s->sub](b, x, n);
    case S_NOT: return ir_not(b, x);
    case S_NEG: return ir_neg(b, x);
    case S_EXT: return ir_ext(b, x, s->len, s->sub);
    case S_DEPOSIT: return ir_deposit(b, x, s->pos, s->len, y);
    case S_EXTRACT: return ir_extract(b, x, s->pos, s->len, s->sub);
    case S_BSWAP: return ir_bswap(b, x);
    case S_CLZ: return ir_clz(b, x, y);
    case S_CTZ: return ir_ctz(b, x, y);
    case S_POPCOUNT: return ir_popcount(b, x);
    case S_SETCOND: return ir_setcond(b, t, s->cond, x, y);
    case S_SELECT: return ir_select(b, s->cond, x, y, z, v[s->in[3]]);
    case S_TRUNC: return ir_trunc(b, x);
    case S_ZEXT: return ir_zext(b, x);
    case S_SEXT: return ir_sext(b, x);
    case S_ADDRESS: return ir_add(b, ir_andi(b, x, s->k), ir_i64(b, FT_BASE));
    case S_LD: return ir_ld(b, t, x, 1, s->mop);
    case S_ST: ir_st(b, y, x, 1, s->mop); break;
    case S_RMW: return ir_atomic_rmw(b, s->sub, x, y, 1, s->mop);
    case S_CAS: return ir_atomic_cas(b, x, y, z, 1, s->mop);
    case S_FENCE: ir_fence(b); break;
    case S_VOP1I: return ir_vop1i(b, s->k & 1 ? IR_VOP_PSHUFD : IR_VOP_PSLLQ_I, x, 0x4e);
    case S_VOP2: return ir_vop2(b, vop2_rows[s->sub], x, y);
    case S_VOP3: return ir_vop3(b, IR_VOP_PBLENDVB, x, y, z);
    case S_TO_INT:
        return s->sub & 1 ? ir_vop_to_int(b, IR_VOP_PTEST, IR_I32, x, y, 0)
                          : ir_vop_to_int(b, IR_VOP_PEXTRD, IR_I32, x, IR_NONE, 2);
    case S_FROM_INT:
        return s->sub & 1 ? ir_vop_from_int(b, IR_VOP_MOVD_FI, IR_NONE, y, 0)
                          : ir_vop_from_int(b, IR_VOP_PINSRD, x, y, 1);
    case S_CALL: return build_call(u, s);
    case S_BRCOND: ir_brcond(b, s->cond, x, y, u->label[s->k]); break;
    case S_BR: ir_br(b, u->label[s->k]); break;
    case S_LABEL: ir_label(b, u->label[s->k]); break;
    case S_LOOP_TEST:
        n = ir_addi(b, ir_var_get(b, u->var[s->sub]), -1);
        ir_var_set(b, u->var[s->sub], n);
        ir_brcondi(b, IR_NE, n, 0, u->label[s->k]);
        break;
    case S_EXIT_IF: ir_exit_if(b, s->cond, x, y, s->sub, (int64_t)s->k, s->pos); break;
    case S_LOOP_BACK:
        n = ir_addi(b, ir_env_ld(b, IR_I64, offsetof(FtEnv, rounds), IR_MO_64), -1);
        ir_env_st(b, n, offsetof(FtEnv, rounds), IR_MO_64);
        ir_exit_if(b, IR_EQ, n, ir_i64(b, 0), 1, (int64_t)s->k, 0);
        ir_loop_back(b);
        break;
    case S_EXIT_DIRECT: ir_exit_direct(b, s->sub, (int64_t)s->k, s->cond); break;
    case S_EXIT_INDIRECT: ir_exit_indirect(b, x); break;
    case S_EXIT_LOOP: ir_exit_loop(b, x); break;
    case S_N_KINDS: break;
    }
    return IR_NONE;
}

void script_build(const Script *s, IrBlock *b)
{
    Build u = { .b = b };

    ir_block_set_pc_width(b, s->pc_bits);
    if (s->loops) {
        ir_loop_begin(b);
    }
    for (unsigned i = 0; i < s->n_labels; i++) {
        u.label[i] = ir_label_new(b);
    }
    for (unsigned i = 0; i < SCRIPT_VARS; i++) {
        u.var[i] = ir_var_new(b, s->var_type[i]);
    }
    for (unsigned i = 0; i < s->n_steps; i++) {
        IrVal v = build_step(&u, &s->steps[i]);

        if (s->steps[i].d) {
            u.v[s->steps[i].d] = v;
        }
    }
}

/* --- interpreter: independent of the translator's own folding --- */

typedef struct Interp {
    FtEnv *env;
    const Script *s;
    FtVec v[SCRIPT_MAX + 1], var[SCRIPT_VARS];
    uint64_t block_pc;
    ScriptResult *out;
} Interp;

static uint64_t cut(uint64_t v, IrType t)
{
    return t == IR_I32 ? (uint32_t)v : v;
}

static int64_t sx(uint64_t v, IrType t)
{
    return t == IR_I32 ? (int32_t)v : (int64_t)v;
}

static uint64_t wrap(const Script *s, uint64_t pc)
{
    return s->pc_bits == 64 ? pc : s->pc_bits == 32 ? (uint32_t)pc : (uint16_t)pc;
}

static uint64_t do_binary(unsigned sub, IrType t, uint64_t x, uint64_t y)
{
    switch (sub) {
    case 0: return x + y;
    case 1: return x - y;
    case 2: return x & y;
    case 3: return x | y;
    case 4: return x ^ y;
    case 5: return x & ~y;
    case 6: return x * y;
    case 7: return t == IR_I32 ? (x * y) >> 32 : (uint64_t)(((unsigned __int128)x * y) >> 64);
    default: return t == IR_I32 ? (uint64_t)((int64_t)(int32_t)x * (int32_t)y) >> 32
                                : (uint64_t)(((__int128)(int64_t)x * (int64_t)y) >> 64);
    }
}

static uint64_t do_shift(unsigned sub, IrType t, uint64_t x, unsigned n)
{
    unsigned w = t == IR_I32 ? 32 : 64;

    switch (sub) {
    case 0: return x << n;
    case 1: return x >> n;
    case 2: return sx(x, t) >> n;
    case 3: return n ? x << n | x >> (w - n) : x;
    default: return n ? x >> n | x << (w - n) : x;
    }
}

static bool do_cond(unsigned c, IrType t, uint64_t x, uint64_t y)
{
    switch (c) {
    case IR_EQ: return x == y;
    case IR_NE: return x != y;
    case IR_LT: return sx(x, t) < sx(y, t);
    case IR_GE: return sx(x, t) >= sx(y, t);
    case IR_LE: return sx(x, t) <= sx(y, t);
    case IR_GT: return sx(x, t) > sx(y, t);
    case IR_LTU: return x < y;
    case IR_GEU: return x >= y;
    case IR_LEU: return x <= y;
    case IR_GTU: return x > y;
    case IR_TSTEQ: return !(x & y);
    default: return x & y;
    }
}

static uint64_t field(uint64_t x, unsigned pos, unsigned len, bool sign)
{
    x = x << (64 - pos - len);
    return sign ? (uint64_t)((int64_t)x >> (64 - len)) : x >> (64 - len);
}

__attribute__((target("sse4.2")))
static FtVec do_vop(const Step *s, FtVec x, FtVec y, FtVec z)
{
    __m128i a = _mm_load_si128((__m128i *)&x), b = _mm_load_si128((__m128i *)&y), r;
    FtVec d = { { 0 } };

    switch ((StepKind)s->kind) {
    case S_VOP1I: r = s->k & 1 ? _mm_shuffle_epi32(a, 0x4e) : _mm_slli_epi64(a, 0x4e); break;
    case S_VOP2:
        r = s->sub == 0 ? _mm_add_epi8(a, b) : s->sub == 1 ? _mm_xor_si128(a, b)
            : s->sub == 2 ? _mm_sub_epi32(a, b) : _mm_shuffle_epi8(a, b);
        break;
    case S_VOP3: r = _mm_blendv_epi8(a, b, _mm_load_si128((__m128i *)&z)); break;
    case S_TO_INT:
        d.q[0] = s->sub & 1 ? (_mm_testz_si128(a, b) ? 0x40 : 0) | (_mm_testc_si128(a, b) ? 1 : 0) : x.l[2];
        return d;
    default:
        if (s->sub & 1) {
            d.l[0] = y.l[0];
            return d;
        }
        x.l[1] = y.l[0];
        return x;
    }
    _mm_store_si128((__m128i *)&d, r);
    return d;
}

static FtVec do_call(FtEnv *env, const Step *s, const FtVec *v)
{
    const IrHelper *h = &ft_target.helpers[s->sub];
    FtVec d = { { 0 } };
    uint64_t a[6];

    for (unsigned i = 0; i < s->n; i++) {
        a[i] = v[s->in[i]].q[0];
    }
    switch (s->sub) {
    case FH_CAREFUL: d.q[0] = ((uint64_t (*)(void *, uint64_t, uint32_t))h->fn)(env, a[0], a[1]); break;
    case FH_PURE: d.q[0] = ((uint64_t (*)(void *, uint64_t, uint64_t))h->fn)(env, a[0], a[1]); break;
    case FH_READER: d.q[0] = ((uint64_t (*)(void *, uint64_t))h->fn)(env, a[0]); break;
    case FH_MANY:
        d.q[0] = ((uint32_t (*)(void *, uint32_t, uint64_t, uint32_t, uint64_t, uint64_t))h->fn)
                 (env, a[0], a[1], a[2], a[3], a[4]);
        break;
    case FH_VECTOR:
        ((void (*)(void *, const FtVec *, uint64_t, const FtVec *, FtVec *))h->fn)
            (env, &v[s->in[0]], a[1], &v[s->in[2]], &d);
        break;
    case FH_WRITER: ((void (*)(void *, uint64_t))h->fn)(env, a[0]); break;
    default:
        d.q[0] = ((uint64_t (*)(void *, uint64_t, uint64_t, uint32_t, uint64_t, uint64_t, uint64_t))h->fn)
                 (env, a[0], a[1], a[2], a[3], a[4], a[5]);
        break;
    }
    return d;
}

static FtVec do_memory(FtEnv *env, const Step *s, FtVec addr, FtVec y, FtVec z)
{
    FtVec d = { { 0 } };
    uint64_t va = addr.q[0], old, n;

    if (s->type == IR_V128) {
        void *host = ft_check(env, va, 16, 0);

        if (s->kind == S_LD) {
            memcpy(&d, host, 16);
        } else {
            memcpy(host, &y, 16);
        }
        return d;
    }
    if (s->kind == S_ST) {
        ft_write(env, va, y.q[0], s->mop, 0);
        return d;
    }
    old = ft_read(env, va, s->mop, 0);
    d.q[0] = cut(old, s->type);
    if (s->kind == S_RMW) {
        n = y.q[0];
        n = s->sub == IR_ATOMIC_ADD ? old + n : s->sub == IR_ATOMIC_AND ? old & n : s->sub == IR_ATOMIC_OR ? old | n
            : s->sub == IR_ATOMIC_XOR ? old ^ n : n;
        ft_write(env, va, n, s->mop, 0);
    } else if (s->kind == S_CAS) {
        unsigned bits = 8u << (s->mop & IR_MO_SIZE);

        if (old == field(y.q[0], 0, bits, false)) {
            ft_write(env, va, z.q[0], s->mop, 0);
        }
    }
    return d;
}

static void *global_at(FtEnv *env, unsigned g)
{
    return (char *)env + ft_target.globals[g].offset;
}

static size_t type_size(IrType t)
{
    return t == IR_V128 ? 16 : t == IR_I32 ? 4 : 8;
}

static FtVec int_vec(uint64_t v)
{
    return (FtVec){ .q = { v, 0 } };
}

/* One step that computes a value. */
static FtVec interpret_value(Interp *in, const Step *s)
{
    IrType t = s->type;
    FtVec *v = in->v, d = { { 0 } };
    uint64_t x = v[s->in[0]].q[0], y = v[s->in[1]].q[0];
    IrType tx = in->s->type[s->in[0]];
    unsigned w = t == IR_I32 ? 32 : 64;

    switch ((StepKind)s->kind) {
    case S_CONST: return int_vec(cut(s->k, t));
    case S_PC: return int_vec(wrap(in->s, in->block_pc + s->k));
    case S_GET: memcpy(&d, global_at(in->env, s->k), type_size(t)); return d;
    case S_ENV_LD:
        memcpy(&d, (char *)in->env + s->k, 1 << (s->mop & IR_MO_SIZE));
        if (t != IR_V128) {
            d.q[0] = cut(field(d.q[0], 0, 8 << (s->mop & IR_MO_SIZE), s->mop & IR_MO_SIGN), t);
        }
        return d;
    case S_VAR_GET: return in->var[s->k];
    case S_BINARY: return int_vec(cut(do_binary(s->sub, t, x, y), t));
    case S_SHIFT: return int_vec(cut(do_shift(s->sub, t, x, s->pos ? s->k : y & (w - 1)), t));
    case S_NOT: return int_vec(cut(~x, t));
    case S_NEG: return int_vec(cut(-x, t));
    case S_EXT: return int_vec(cut(field(x, 0, s->len, s->sub), t));
    case S_DEPOSIT: return int_vec(deposit64(x, s->pos, s->len, y));
    case S_EXTRACT: return int_vec(cut(field(x, s->pos, s->len, s->sub), t));
    case S_BSWAP: return int_vec(t == IR_I32 ? __builtin_bswap32(x) : __builtin_bswap64(x));
    case S_CLZ: return int_vec(x ? __builtin_clzll(x) + 0ull - (64 - w) : y);
    case S_CTZ: return int_vec(x ? __builtin_ctzll(x) + 0ull : y);
    case S_POPCOUNT: return int_vec(__builtin_popcountll(x));
    case S_SETCOND: return int_vec(do_cond(s->cond, tx, x, y));
    case S_SELECT: return do_cond(s->cond, tx, x, y) ? v[s->in[2]] : v[s->in[3]];
    case S_TRUNC: return int_vec((uint32_t)x);
    case S_ZEXT: return int_vec((uint32_t)x);
    case S_SEXT: return int_vec((int32_t)x);
    case S_ADDRESS: return int_vec((x & s->k) + FT_BASE);
    case S_LD: case S_RMW: case S_CAS:
        return do_memory(in->env, s, v[s->in[0]], v[s->in[1]], v[s->in[2]]);
    case S_CALL: return do_call(in->env, s, v);
    default: return do_vop(s, v[s->in[0]], v[s->in[1]], v[s->in[2]]);
    }
}

/* Returns the next step, or SCRIPT_MAX at an exit. */
static unsigned interpret_step(Interp *in, unsigned at)
{
    const Script *sc = in->s;
    const Step *s = &sc->steps[at];
    FtVec *v = in->v;

    switch ((StepKind)s->kind) {
    case S_INSN:
        in->out->pc_delta = s->k;
        in->out->params[0] = s->in[4];
        in->out->params[1] = s->in[5];
        break;
    case S_PUT: memcpy(global_at(in->env, s->k), &v[s->in[0]], type_size(s->type)); break;
    case S_ENV_ST: memcpy((char *)in->env + s->k, &v[s->in[0]], 1 << (s->mop & IR_MO_SIZE)); break;
    case S_VAR_SET: in->var[s->k] = v[s->in[0]]; break;
    case S_ST: do_memory(in->env, s, v[s->in[0]], v[s->in[1]], v[s->in[2]]); break;
    case S_FENCE: case S_LABEL: case S_DISCARD: break;
    case S_BRCOND:
        if (do_cond(s->cond, sc->type[s->in[0]], v[s->in[0]].q[0], v[s->in[1]].q[0])) {
            return sc->label_at[s->k];
        }
        break;
    case S_BR: return sc->label_at[s->k];
    case S_LOOP_TEST:
        if (--in->var[s->sub].q[0]) {
            return sc->label_at[s->k];
        }
        break;
    case S_EXIT_IF:
        if (do_cond(s->cond, sc->type[s->in[0]], v[s->in[0]].q[0], v[s->in[1]].q[0])) {
            in->out->exit = s->sub == IR_SLOT_NONE ? (unsigned)TCG_EXIT_LOOKUP : TCG_EXIT_DIRECT0 + s->sub;
            in->out->pc = wrap(sc, in->block_pc + s->k);
            return SCRIPT_MAX;
        }
        break;
    case S_LOOP_BACK:
        if (--in->env->rounds) {
            return 0;
        }
        in->out->exit = TCG_EXIT_DIRECT0 + 1;
        in->out->pc = wrap(sc, in->block_pc + s->k);
        return SCRIPT_MAX;
    case S_EXIT_DIRECT:
        in->out->exit = TCG_EXIT_DIRECT0 + s->sub;
        in->out->pc = wrap(sc, in->block_pc + s->k);
        return SCRIPT_MAX;
    case S_EXIT_INDIRECT: case S_EXIT_LOOP:
        in->out->exit = s->kind == S_EXIT_LOOP ? TCG_EXIT_LOOP : TCG_EXIT_LOOKUP;
        in->out->pc = v[s->in[0]].q[0];
        return SCRIPT_MAX;
    default:
        {
            FtVec d = interpret_value(in, s);

            if (s->d) {
                in->v[s->d] = d;
            }
        }
        break;
    }
    return at + 1;
}

bool script_interpret_until(const Script *s, FtEnv *env, uint64_t block_pc, uint64_t stop, unsigned visits, ScriptResult *out)
{
    Interp *in = g_new0(Interp, 1);
    volatile unsigned at = 0, nth = visits;

    in->env = env;
    in->s = s;
    in->block_pc = block_pc;
    in->out = out;
    env->interpreting = true;
    out->faulted = setjmp(env->fault);
    if (!out->faulted) {
        while (at < s->n_steps && !(s->steps[at].kind == S_INSN && s->steps[at].k == stop && nth-- == 0)) {
            at = interpret_step(in, at);
        }
    }
    env->interpreting = false;
    if (!out->faulted && at < s->n_steps) {
        out->params[0] = s->steps[at].in[4];
        out->params[1] = s->steps[at].in[5];
    }
    g_free(in);
    return !out->faulted && at < s->n_steps;
}

void script_interpret(const Script *s, FtEnv *env, uint64_t block_pc, ScriptResult *out)
{
    script_interpret_until(s, env, block_pc, UINT64_MAX, 0, out);
}
