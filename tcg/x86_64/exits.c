/*
 * Leaving a block.
 *
 * Every exit has the architectural pc to go on at in HR_PC.  A direct exit is a jmp rel32 whose
 * four bytes are aligned, so that linking replaces them at once; unlinked it goes to the words
 * behind it, which leave.  Indirect exits probe the jump cache:
 *
 *      eax = (pc ^ pc >> 12) & 0xfff ; entry = jump_cache + eax * 16
 *      entry.tag == pc ^ mode_tag and no exit request: jmp [entry.code]
 *
 * Leaving is a call of env.stub_leave, which does not return; behind it lies a LEAVE_ code, as a
 * byte, or for a direct exit in the low byte of a word with the distance back to the block's start.
 */
#include "tcg/x86_64/emit.h"

static void leave(TcgContext *c, unsigned code)
{
    Asm *a = &c->a;
    uint32_t at;

    op_rm(a, X_GROUP5, 2, ra_env_mem(offsetof(TcgEnv, stub_leave)));
    at = asm_offset(a);
    if (code <= LEAVE_DIRECT1) {
        emit32(a, at << 8 | code);
    } else {
        emit8(a, code);
    }
    note_data(c, at);
}

/* jne over to a place that is emitted a little later. */
static uint8_t *jne_short(Asm *a)
{
    emit8(a, 0x75);
    emit8(a, 0);
    return a->p - 1;
}

static void land_short(Asm *a, uint8_t *at)
{
    assert(a->p - (at + 1) <= 127);
    *at = a->p - (at + 1);
}

/* cmp exit_request, 0; jne ... */
static uint8_t *poll(TcgContext *c)
{
    op_alu_mi(&c->a, ALU_CMP, false, ra_env_mem(offsetof(TcgEnv, exit_request)), 0);
    return jne_short(&c->a);
}

void out_exit_direct(TcgContext *c, IrOp *op)
{
    Asm *a = &c->a;
    TcgCode *out = c->out;
    unsigned slot = op->aux;
    uint8_t *wanted = NULL;

    ra_sync(c);
    if (op->k) {
        ra_load_pc(c, HR_PC, op->k);
    }
    if (op->cond & IR_EXIT_POLL) {
        wanted = poll(c);
    }
    if (out->direct[slot].jump_offset >= 0) {   /* the slot is taken: go the long way */
        leave(c, LEAVE_LOOKUP);
    } else {
        op_nops(a, -(asm_offset(a) + 1) & 3);
        out->direct[slot].jump_offset = op_jmp32(a) - a->start;
        out->direct[slot].exit_offset = asm_offset(a);
        out->direct[slot].pc_delta = op->k;
        leave(c, LEAVE_DIRECT0 + slot);
    }
    if (wanted) {
        land_short(a, wanted);
        leave(c, LEAVE_POLL);
    }
}

void out_exit_indirect(TcgContext *c, IrOp *op)
{
    Asm *a = &c->a;
    uint8_t *miss, *wanted;

    ra_sync(c);
    ra_load_into(c, op->in[0], HR_PC, true);
    op_rr(a, X_MOV_LOAD, HR_RAX, HR_PC);
    op_shift_i(a, SHIFT_SHR, false, HR_RAX, TCG_JUMP_CACHE_BITS);
    op_alu_rr(a, ALU_XOR, false, HR_RAX, HR_PC);
    op_alu_ri(a, ALU_AND, false, HR_RAX, (1 << TCG_JUMP_CACHE_BITS) - 1);
    op_shift_i(a, SHIFT_SHL, false, HR_RAX, 4);
    op_alu_rm(a, ALU_ADD, true, HR_RAX, ra_env_mem(offsetof(TcgEnv, jump_cache)));
    op_rm(a, X_MOV_LOAD | X_W, HR_RCX, ra_env_mem(offsetof(TcgEnv, mode_tag)));
    op_alu_rr(a, ALU_XOR, true, HR_RCX, HR_PC);
    op_alu_rm(a, ALU_CMP, true, HR_RCX, mem(HR_RAX, offsetof(TcgJumpCacheEntry, tag)));
    miss = jne_short(a);
    wanted = poll(c);
    op_rm(a, X_GROUP5, 4, mem(HR_RAX, offsetof(TcgJumpCacheEntry, code)));
    land_short(a, miss);
    leave(c, LEAVE_LOOKUP);
    land_short(a, wanted);
    leave(c, LEAVE_POLL);
}
_Static_assert(sizeof(TcgJumpCacheEntry) == 16, "the probe scales by 16");

void out_exit_loop(TcgContext *c, IrOp *op)
{
    ra_sync(c);
    ra_load_into(c, op->in[0], HR_PC, true);
    leave(c, LEAVE_LOOP);
}

void out_exit_state(TcgContext *c, IrOp *op)
{
    ra_sync(c);
    leave(c, LEAVE_STATE);
}
