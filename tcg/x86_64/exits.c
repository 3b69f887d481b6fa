/*
 * Leaving a block.
 *
 * Every exit has the architectural pc to go on at in HR_PC.  A direct exit is a jmp rel32 whose
 * four bytes are aligned, so that linking replaces them at once; unlinked it goes to a stub of the
 * block, which loads the block's id word and leaves.  Indirect exits probe the jump cache:
 *
 *      eax = (pc ^ pc >> 12) & 0xfff ; entry = jump_cache + eax * 16
 *      entry.tag == pc ^ mode_tag and no exit request: jmp [entry.code]
 */
#include "tcg/x86_64/emit.h"

static void jump_to_stub(TcgContext *c, unsigned stub)
{
    unsigned offset = stub == TCG_STUB_EXIT0 ? offsetof(TcgEnv, stub_exit0)
                                             : offsetof(TcgEnv, stub) + stub * sizeof(void *);

    op_rm(&c->a, X_GROUP5, 4, ra_env_mem(offset));
}

static void jcc_to_stub(TcgContext *c, unsigned cc, unsigned stub)
{
    c->exit_fixes[c->n_exit_fixes].at = op_jcc32(&c->a, cc);
    c->exit_fixes[c->n_exit_fixes++].stub = stub;
}

static void poll(TcgContext *c)
{
    op_alu_mi(&c->a, ALU_CMP, false, ra_env_mem(offsetof(TcgEnv, exit_request)), 0);
    jcc_to_stub(c, CC_NE, TCG_STUB_POLL);
}

void out_exit_direct(TcgContext *c, IrOp *op)
{
    Asm *a = &c->a;
    TcgCode *out = c->out;
    unsigned slot = op->aux;

    ra_sync(c);
    if (op->k) {
        ra_load_pc(c, HR_PC, op->k);
    }
    if (op->cond & IR_EXIT_POLL) {
        poll(c);
    }
    if (out->direct[slot].jump_offset >= 0) {   /* the slot is taken: go the long way */
        jump_to_stub(c, TCG_STUB_LOOKUP);
        return;
    }
    op_nops(a, -(asm_offset(a) + 1) & 3);
    out->direct[slot].jump_offset = op_jmp32(a) - a->start;
    out->direct[slot].pc_delta = op->k;
}

void out_exit_indirect(TcgContext *c, IrOp *op)
{
    Asm *a = &c->a;

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
    jcc_to_stub(c, CC_NE, TCG_STUB_LOOKUP);
    poll(c);
    op_rm(a, X_GROUP5, 4, mem(HR_RAX, offsetof(TcgJumpCacheEntry, code)));
}
_Static_assert(sizeof(TcgJumpCacheEntry) == 16, "the probe scales by 16");

void out_exit_loop(TcgContext *c, IrOp *op)
{
    ra_sync(c);
    ra_load_into(c, op->in[0], HR_PC, true);
    jump_to_stub(c, TCG_STUB_LOOP);
}

void out_exit_state(TcgContext *c, IrOp *op)
{
    ra_sync(c);
    jump_to_stub(c, TCG_STUB_STATE);
}

void out_exit_stubs(TcgContext *c)
{
    Asm *a = &c->a;
    uint8_t *made[TCG_N_STUBS] = { NULL };

    for (unsigned i = 0; i < c->n_exit_fixes; i++) {
        unsigned stub = c->exit_fixes[i].stub;

        if (!made[stub]) {
            made[stub] = a->p;
            jump_to_stub(c, stub);
        }
        patch_rel32(c->exit_fixes[i].at, made[stub]);
    }
    for (unsigned slot = 0; slot < 2; slot++) {
        int32_t at = c->out->direct[slot].jump_offset;

        if (at < 0) {
            continue;
        }
        c->out->direct[slot].exit_offset = asm_offset(a);
        patch_rel32(a->start + at, a->p);
        /* mov eax, [rip + id word] */
        op_rm(a, X_MOV_LOAD, HR_RAX, mem(MEM_RIP, TCG_BLOCK_ID_OFFSET - (int32_t)(asm_offset(a) + 6)));
        jump_to_stub(c, TCG_STUB_EXIT0 + slot);
    }
}
