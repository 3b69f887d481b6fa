/*
 * Helper calls under the System V ABI.
 *
 * env goes in rdi, integer arguments follow in rsi, rdx, rcx, r8, r9 and on the stack; vector
 * arguments are copied to the frame and passed by pointer, as is room for a vector result.
 */
#include "tcg/x86_64/emit.h"

enum { N_ARG_REGS = 5, N_ARGS_MAX = IR_HELPER_MAX_ARGS + 1 };
static const uint8_t arg_reg[N_ARG_REGS] = { HR_RSI, HR_RDX, HR_RCX, HR_R8, HR_R9 };

static Mem vector_mem(unsigned i)
{
    return mem(HR_RSP, FRAME_VECTORS + 32 * i);
}

void store_block_pc(TcgContext *c)
{
    if (!c->block_pc_stored) {
        op_rm(&c->a, X_MOV_STORE | X_W, HR_PC, ra_env_mem(offsetof(TcgEnv, block_pc)));
        c->block_pc_stored = true;
    }
}

static bool is_vector_value(TcgContext *c, IrId v)
{
    return c->ir.values[v].type == IR_V128;
}

/* Copy vector arguments to the frame and store stack arguments, while every value is still in its place. */
static void pass_in_memory(TcgContext *c, const IrId *in, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        bool vec = is_vector_value(c, in[i]);
        int reg = c->value[in[i]].reg;
        bool temp = false;

        if (!vec && i < N_ARG_REGS) {
            continue;
        }
        if (reg < 0) {
            reg = ra_temp(c, vec ? c->xmms : c->gprs);
            ra_load_into(c, in[i], reg, true);
            temp = true;
        }
        if (vec) {
            op_rm(&c->a, X_MOVAPS_STORE, reg, vector_mem(i));
        } else {
            op_rm(&c->a, X_MOV_STORE | X_W, reg, mem(HR_RSP, FRAME_ARGS + 8 * (i - N_ARG_REGS)));
        }
        if (temp) {
            ra_unlock(c, reg);
        }
    }
}

/* Register-to-register part: all moves happen at once as far as one can see. */
static void parallel_move(Asm *a, unsigned n, uint8_t *dst, uint8_t *src)
{
    while (n) {
        bool progress = false;

        for (unsigned i = 0; i < n; i++) {
            bool blocked = false;

            for (unsigned j = 0; j < n; j++) {
                blocked |= j != i && src[j] == dst[i];
            }
            if (!blocked) {
                op_mov(a, dst[i], src[i]);
                n--;
                dst[i] = dst[n];
                src[i] = src[n];
                progress = true;
                break;
            }
        }
        if (!progress) {                        /* only cycles are left: turn one by an exchange */
            op_rr(a, X_XCHG | X_W, dst[0], src[0]);
            for (unsigned j = 1; j < n; j++) {
                if (src[j] == dst[0]) {
                    src[j] = src[0];
                } else if (src[j] == src[0]) {
                    src[j] = dst[0];
                }
            }
            src[0] = dst[0];
        }
    }
}

static void pass_in_registers(TcgContext *c, const IrId *in, unsigned n, bool vector_result)
{
    uint8_t dst[N_ARG_REGS], src[N_ARG_REGS];
    unsigned n_moves = 0;

    for (unsigned i = 0; i < MIN(n, N_ARG_REGS); i++) {
        if (!is_vector_value(c, in[i]) && c->value[in[i]].reg >= 0) {
            dst[n_moves] = arg_reg[i];
            src[n_moves++] = c->value[in[i]].reg;
        }
    }
    parallel_move(&c->a, n_moves, dst, src);
    for (unsigned i = 0; i < MIN(n, N_ARG_REGS); i++) {
        if (is_vector_value(c, in[i])) {
            op_rm(&c->a, X_LEA | X_W, arg_reg[i], vector_mem(i));
        } else if (c->value[in[i]].reg < 0) {
            ra_load_into(c, in[i], arg_reg[i], true);
        }
    }
    for (unsigned i = N_ARG_REGS; i < n; i++) { /* pointers on the stack */
        if (is_vector_value(c, in[i])) {
            op_rm(&c->a, X_LEA | X_W, HR_RAX, vector_mem(i));
            op_rm(&c->a, X_MOV_STORE | X_W, HR_RAX, mem(HR_RSP, FRAME_ARGS + 8 * (i - N_ARG_REGS)));
        }
    }
    if (vector_result) {
        unsigned to = n < N_ARG_REGS ? arg_reg[n] : HR_RAX;

        op_rm(&c->a, X_LEA | X_W, to, vector_mem(N_ARGS_MAX));
        if (n >= N_ARG_REGS) {
            op_rm(&c->a, X_MOV_STORE | X_W, to, mem(HR_RSP, FRAME_ARGS + 8 * (n - N_ARG_REGS)));
        }
    }
}

/* inc qword [env.call_counts + 8 * number]: rax holds no argument. */
void out_count_call(TcgContext *c, unsigned number)
{
    op_rm(&c->a, X_MOV_LOAD | X_W, HR_RAX, ra_env_mem(offsetof(TcgEnv, call_counts)));
    op_rm(&c->a, X_GROUP5 | X_W, 0, mem(HR_RAX, (int32_t)(number * sizeof(uint64_t))));
}

void out_call(TcgContext *c, IrOp *op)
{
    const unsigned blind = IR_HELPER_NO_READ | IR_HELPER_NO_WRITE | IR_HELPER_NO_FAULT;
    unsigned helper = ir_call_helper(op), row = 0;
    const IrHelper *h = &c->target->helpers[helper];
    bool writes = !(h->flags & IR_HELPER_NO_WRITE), faults = !(h->flags & IR_HELPER_NO_FAULT);
    const IrId *in = ir_op_in(&c->ir, op);
    Asm *a = &c->a;

    if ((h->flags & blind) != blind) {
        ra_sync(c);
        ra_show_pins(c);
    }
    if (faults || c->keep_pc) {
        store_block_pc(c);
    }
    ra_prepare_call(c, op, HOST_CALL_CLOBBERS, writes);
    pass_in_memory(c, in, op->n_in);
    pass_in_registers(c, in, op->n_in, h->ret == IR_V128);
    op_rm(a, X_LEA | X_W, HR_RDI, mem(HR_ENV, -TCG_ENV_BIAS));
    if (c->count_calls) {
        out_count_call(c, helper);
    }
    if (faults) {
        row = fault_row(c, false);
    }
    op_rm(a, X_GROUP5, 2, ra_env_mem(offsetof(TcgEnv, helpers) + helper * sizeof(void *)));
    if (faults) {
        c->rows[row].ra_offset = asm_offset(a);
    }
    if (h->flags & IR_HELPER_NORETURN) {
        emit8(a, 0x0f);                         /* ud2 */
        emit8(a, 0x0b);
    }
    ra_drop(c, HOST_CALL_CLOBBERS);
    if (writes) {
        ra_forget_env(c);
        ra_reload_pins(c);
    }
    c->locked = 0;
    if (h->ret == IR_V128) {
        op_rm(a, X_MOVAPS_LOAD, ra_def(c, op, c->xmms), vector_mem(N_ARGS_MAX));
    } else if (h->ret != IR_VOID) {
        ra_bind(c, op, HR_RAX);
    }
}
