/*
 * The pipeline: liveness, register allocation with emission, fault table.
 *
 * Code is made in the context's own buffer, as it holds no address, and copied out when its size
 * is known.
 */
#include "util/log.h"
#include "tcg/build.h"
#include "tcg/disas.h"
#include "tcg/unwind.h"
#include "tcg/x86_64/emit.h"

TcgContext *tcg_context_new(const IrTarget *target)
{
    TcgContext *c = g_new0(TcgContext, 1);

    assert(target->n_globals <= IR_MAX_GLOBALS && target->n_insn_params <= 2);
    c->target = target;
    c->ir.ctx = c;
    c->ir.target = target;
    pins_of_target(target, &c->base_pins);
    c->pins = c->base_pins;
    c->ir.pin_reg = c->pins.reg;
    c->ir.page_bits = target->page_bits ? target->page_bits : 12;
    return c;
}

void tcg_context_count_calls(TcgContext *c, bool on)
{
    c->count_calls = on;
}

bool tcg_context_data_bytes(const TcgContext *c, unsigned i, uint32_t *offset, uint32_t *n)
{
    if (i >= c->n_data) {
        return false;
    }
    *offset = c->data[i].offset;
    *n = c->data[i].n;
    return true;
}

void tcg_context_share(TcgContext *c, bool on)
{
    c->share = on;
}

void tcg_context_keep_pc(TcgContext *c, bool on)
{
    c->keep_pc = on;
}

uint64_t tcg_context_op_count(const TcgContext *c, unsigned opcode)
{
    return __atomic_load_n(&c->op_count[opcode], __ATOMIC_RELAXED);
}

unsigned tcg_n_opcodes(void)
{
    return IR_N_OPS;
}

const char *tcg_opcode_name(unsigned opcode)
{
    return ir_op_info[opcode].name;
}

void tcg_context_free(TcgContext *c)
{
    g_free(c);
}

IrBlock *tcg_block_begin(TcgContext *c)
{
    ir_block_reset(&c->ir);
    c->ir.share = c->share;
    return &c->ir;
}

static void dump(IrBlock *b, unsigned mask, const char *title)
{
    FILE *f;

    if (log_enabled(mask)) {
        f = log_lock();
        fprintf(f, "%s:\n", title);
        ir_dump(b, f);
        fputc('\n', f);
        log_unlock(f);
    }
}

/* For -d op_ra: an op, where its result is, and where its code begins. */
static void dump_allocated(TcgContext *c, unsigned pos, uint32_t offset, unsigned *insn, FILE *f)
{
    const IrOp *op = &c->ir.ops[pos];

    ir_dump_insns(&c->ir, insn, pos, f);
    ir_dump_op(&c->ir, pos, f);
    if (op->out && c->value[op->out].reg >= 0) {
        fprintf(f, "%*s; %04x: %%%u in r%d, occupied %08x\n", 8, "", offset, op->out, c->value[op->out].reg,
                c->occupied);
    }
}

static bool emit_ops(TcgContext *c, FILE *log)
{
    const uint8_t *full = c->a.end - CODE_MARGIN;
    IrOp *op = c->ir.ops;
    unsigned insn = 0;

    for (unsigned pos = 0; pos < c->ir.n_ops; pos++, op++) {
        uint32_t offset = asm_offset(&c->a);

        if (op->opc == IR_OP_nop) {
            continue;
        }
        c->pos = pos;
        __atomic_store_n(&c->op_count[op->opc], c->op_count[op->opc] + 1, __ATOMIC_RELAXED);
        out_op(c, op);
        ra_end_op(c, op);
        if (unlikely(log)) {
            dump_allocated(c, pos, offset, &insn, log);
        }
        if (unlikely(c->a.p > full || c->n_state > STATE_MAX - STATE_MARGIN || c->refused)) {
            return false;
        }
    }
    return true;
}

static bool fix_labels(TcgContext *c)
{
    for (unsigned i = 0; i < c->n_fixes; i++) {
        uint8_t *to = c->label_at[c->fixes[i].label];

        if (!to) {
            return false;                       /* referenced, never placed */
        }
        patch_rel32(c->fixes[i].at, to);
    }
    return true;
}

static bool emit(TcgContext *c, TcgCode *out)
{
    bool ok;
    uint8_t *table;
    uint32_t stubs;
    FILE *log = log_enabled(LOG_OP_RA) ? log_lock() : NULL;

    c->a = (Asm){ c->code, c->code, c->code + CODE_MAX };
    c->n_rows = c->n_stubs = c->n_side_exits = c->n_leaves = c->n_kept = c->n_fixes = c->n_data = c->n_state = c->insn = 0;
    memset(c->label_at, 0, c->ir.n_labels * sizeof(c->label_at[0]));
    memset(out, 0, sizeof(*out));
    for (unsigned i = 0; i < IR_DIRECT_SLOTS; i++) {
        out->direct[i].jump_offset = -1;
    }
    memset(c->told_dirty, 0, sizeof(c->told_dirty));
    c->out = out;
    c->short_jump = NULL;
    c->return_at = NULL;
    c->flags.end = NULL;
    ra_begin(c);
    out_guards(c);
    ra_load_loop_pins(c);
    out_x87_preload(c);
    c->loop_at = c->a.p;
    if (log) {
        fprintf(log, "OP after register allocation:\n");
    }
    ok = emit_ops(c, log);
    if (log) {
        fputc('\n', log);
        log_unlock(log);
    }
    if (!ok || !fix_labels(c) || !out_side_exits(c)) {
        return false;
    }
    out_guards_failed(c);
    stubs = asm_offset(&c->a);
    if (!out_slow_stubs(c)) {
        return false;
    }
    out->unwind_offset = asm_offset(&c->a);
    table = unwind_write(c, c->a.p, c->a.end, stubs);
    if (!table) {
        return false;
    }
    out->size = table - c->a.start;
    out->unwind_size = out->size - out->unwind_offset;
    return true;
}

static void dump_code(TcgContext *c, const TcgCode *out)
{
    FILE *f = log_lock();
    uint32_t at = 0;

    fprintf(f, "OUT: %u bytes, fault table %u\n", out->unwind_offset, out->unwind_size);
    for (unsigned i = 0; i < c->n_data; i++) {
        disas_host(c->code, at, c->data[i].offset - at, f);
        disas_data(c->code, c->data[i].offset, c->data[i].n, f);
        at = c->data[i].offset + c->data[i].n;
    }
    disas_host(c->code, at, out->unwind_offset - at, f);
    fputc('\n', f);
    log_unlock(f);
}

bool tcg_block_compile(TcgContext *c, IrBlock *b, uint8_t *buf, size_t max, TcgCode *out)
{
    if (b->overflow) {
        return false;
    }
    dump(b, LOG_OP, "OP");
    pins_of_block(c);
    if (b->share) {
        ir_share(b);
    }
    ir_liveness(b);
    dump(b, LOG_OP_OPT, "OP after optimization");
    if (!emit(c, out) || out->size > max) {
        return false;
    }
    memcpy(buf, c->code, out->size);
    if (log_enabled(LOG_OUT_ASM)) {
        dump_code(c, out);
    }
    return true;
}
