/*
 * Leaving a block.
 *
 * Every exit has the architectural pc to go on at in HR_PC.  A direct exit is a jmp rel32 whose
 * four bytes are aligned, so that linking replaces them at once; unlinked it goes to the words
 * behind it, which leave.  Exits under a condition
 * in the middle of a block jump to code behind it, where the globals that were dirty there are
 * written home (ra_keep).  Indirect exits probe the jump cache (those to a known pc by the
 * prologue's copy of the probe):
 *
 *      eax = (pc ^ pc >> 17) & 0x1ffff ; entry = jump_cache + eax * 16
 *      entry.tag == ((pc ^ mode_tag) | exit_request): jmp [entry.code]
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
    if (code <= LEAVE_DIRECT_LAST) {
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
static uint8_t *poll(Asm *a)
{
    op_alu_mi(a, ALU_CMP, false, mem(HR_ENV, (int32_t)offsetof(TcgEnv, exit_request) - TCG_ENV_BIAS), 0);
    return jne_short(a);
}

/* By the prologue's probe of the jump cache. */
static void probe_elsewhere(TcgContext *c)
{
    op_rm(&c->a, X_GROUP5, 4, ra_env_mem(offsetof(TcgEnv, stub_probe)));
}

/* On to block start + @delta; everything is at home. */
static void leave_to(TcgContext *c, unsigned slot, int64_t delta, bool polls)
{
    Asm *a = &c->a;
    TcgCode *out = c->out;
    uint8_t *wanted = NULL;

    if (delta) {
        ra_load_pc(c, HR_PC, delta);
    }
    if (slot == IR_SLOT_NONE || out->direct[slot].jump_offset >= 0 || delta != (int32_t)delta) {
        probe_elsewhere(c);                     /* there is no slot, or it is taken */
        return;
    }
    if (polls) {
        wanted = poll(a);
    }
    op_nops(a, -(asm_offset(a) + 1) & 3);
    out->direct[slot].jump_offset = op_jmp32(a) - a->start;
    out->direct[slot].pc_delta = (int32_t)delta;
    leave(c, LEAVE_DIRECT0 + slot);
    if (wanted) {
        land_short(a, wanted);
        leave(c, LEAVE_POLL);
    }
}

/* HR_PC is still that of the block's start, where the loop's head is. */
void out_loop_back(TcgContext *c, IrOp *op)
{
    Asm *a = &c->a;
    uint8_t *none;

    ra_sync(c);
    op_alu_mi(a, ALU_CMP, false, ra_env_mem(offsetof(TcgEnv, exit_request)), 0);
    none = op_jcc32(a, CC_E);
    patch_rel32(none, c->loop_at);
    out_x87_state(c, IR_EXIT_HOME(op));
    ra_go_home(c);
    leave(c, LEAVE_POLL);
    c->out->loops = true;
}

void out_exit_direct(TcgContext *c, IrOp *op)
{
    out_x87_state(c, IR_EXIT_HOME(op));
    ra_go_home(c);
    leave_to(c, op->aux, op->k, op->cond & IR_EXIT_POLL);
}

void out_exit_if(TcgContext *c, IrOp *op, unsigned cc)
{
    SideExit *e = &c->side_exits[c->n_side_exits];

    if (c->n_side_exits == MAX_SIDE_EXITS) {
        c->refused = true;
        return;
    }
    c->n_side_exits++;
    e->op = op - c->ir.ops;
    e->jump = op_jcc32(&c->a, cc);
    ra_keep(c, e);
}

static Mem return_mem(unsigned index, unsigned field)
{
    return ra_env_mem(offsetof(TcgEnv, returns) + index * sizeof(TcgJumpCacheEntry) + field);
}

/* t = mode_tag ^ pc ; returns[k].tag = t ; lea t, [rip + out_return()] ; returns[k].code = t */
void out_push_return(TcgContext *c, IrOp *op)
{
    Asm *a = &c->a;
    unsigned pc = ra_use(c, op, 0), t = ra_temp(c, c->gprs);

    op_rm(a, X_MOV_LOAD | X_W, t, ra_env_mem(offsetof(TcgEnv, mode_tag)));
    op_alu_rr(a, ALU_XOR, true, t, pc);
    op_rm(a, X_MOV_STORE | X_W, t, return_mem(op->disp, offsetof(TcgJumpCacheEntry, tag)));
    c->return_at = op_lea_rip(a, t);
    c->return_op = op;
    op_rm(a, X_MOV_STORE | X_W, t, return_mem(op->disp, offsetof(TcgJumpCacheEntry, code)));
}

/* Where a return comes to: HR_PC and all globals are those of the block that is returned to. */
static void out_return(TcgContext *c)
{
    Asm *a = &c->a;
    TcgCode *out = c->out;
    const IrOp *op = c->return_op;

    op_nops(a, -(asm_offset(a) + 1) & 3);
    patch_rel32(c->return_at, a->p);
    out->direct[op->aux].jump_offset = op_jmp32(a) - a->start;
    out->direct[op->aux].pc_delta = (int32_t)op->k;
    leave(c, LEAVE_DIRECT0 + op->aux);
}

bool out_side_exits(TcgContext *c)
{
    if (c->return_at) {
        out_return(c);
    }
    c->pos = c->ir.n_ops;
    for (unsigned i = 0; i < c->n_side_exits; i++) {
        const SideExit *e = &c->side_exits[i];
        const IrOp *op = &c->ir.ops[e->op];

        if (c->a.p + CODE_MARGIN > c->a.end) {
            return false;
        }
        patch_rel32(e->jump, c->a.p);
        ra_resume(c, e);
        out_x87_state(c, IR_EXIT_HOME(op));
        ra_go_home(c);
        leave_to(c, op->aux, op->k, op->disp & IR_EXIT_POLL);
    }
    return !c->refused;
}

void out_leave_unshared(TcgContext *c, const SideExit *e, unsigned insn)
{
    const IrInsnMark *m = &c->ir.insns[insn];
    const IrTarget *t = c->target;
    uint32_t param = t->restart_mask ? m->params[0] & t->restart_mask : m->params[0];

    ra_resume(c, e);
    out_x87_state(c, IR_EXIT_HOME(&c->ir.ops[e->op]));
    ra_go_home(c);
    if (t->restart_global && param != t->restart_none) {
        ra_store_home(c, t->restart_global, param);
    }
    if (m->pc_delta) {
        ra_load_pc(c, HR_PC, m->pc_delta);
    }
    op_rm(&c->a, X_GROUP5, 4, ra_env_mem(offsetof(TcgEnv, stub_unshared)));
}

static Mem env_mem(unsigned offset)
{
    return mem(HR_ENV, (int32_t)offset - TCG_ENV_BIAS);
}

/*
 * Jump to the block at HR_PC if the jump cache has it and no request waits; returns to emit the way out else.
 * @unshared: the block there that shares no probes.
 */
static uint8_t *emit_probe(Asm *a, bool unshared)
{
    uint8_t *miss;

    op_rr(a, X_MOV_LOAD, HR_RAX, HR_PC);
    op_shift_i(a, SHIFT_SHR, false, HR_RAX, TCG_JUMP_CACHE_BITS);
    op_alu_rr(a, ALU_XOR, false, HR_RAX, HR_PC);
    op_alu_ri(a, ALU_AND, false, HR_RAX, (1 << TCG_JUMP_CACHE_BITS) - 1);
    if (unshared) {
        op_alu_ri(a, ALU_XOR, false, HR_RAX, TCG_JUMP_CACHE_UNSHARED);
    }
    op_shift_i(a, SHIFT_SHL, false, HR_RAX, 4);
    op_alu_rm(a, ALU_ADD, true, HR_RAX, env_mem(offsetof(TcgEnv, jump_cache)));
    op_rm(a, X_MOV_LOAD | X_W, HR_RCX, env_mem(unshared ? offsetof(TcgEnv, unshared_tag) : offsetof(TcgEnv, mode_tag)));
    op_alu_rr(a, ALU_XOR, true, HR_RCX, HR_PC);
    op_alu_rm(a, ALU_OR, true, HR_RCX, env_mem(offsetof(TcgEnv, exit_request)));
    op_alu_rm(a, ALU_CMP, true, HR_RCX, mem(HR_RAX, offsetof(TcgJumpCacheEntry, tag)));
    miss = jne_short(a);
    op_rm(a, X_GROUP5, 4, mem(HR_RAX, offsetof(TcgJumpCacheEntry, code)));
    return miss;
}

void out_exit_indirect(TcgContext *c, IrOp *op)
{
    Asm *a = &c->a;
    uint8_t *miss;

    out_x87_state(c, IR_EXIT_HOME(op));
    ra_go_home(c);
    ra_load_into(c, op->in[0], HR_PC, true);
    if (c->ir.values[op->in[0]].kind == IR_KIND_PC) {
        probe_elsewhere(c);                     /* it goes one way only, which the host learns there too */
        return;
    }
    miss = emit_probe(a, false);
    land_short(a, miss);
    leave(c, LEAVE_LOOKUP);
}
_Static_assert(sizeof(TcgJumpCacheEntry) == 16, "the probe scales by 16");

/*
 *      eax = (pc & 0x1ff) * 16
 *      returns[eax].tag == ((pc ^ mode_tag) | exit_request): jmp [returns[eax].code], else the jump cache
 */
void out_exit_return(TcgContext *c, IrOp *op)
{
    Asm *a = &c->a;
    uint8_t *miss;
    Mem entry;

    out_x87_state(c, IR_EXIT_HOME(op));
    ra_go_home(c);
    ra_load_into(c, op->in[0], HR_PC, true);
    op_rr(a, X_MOV_LOAD, HR_RAX, HR_PC);
    op_shift_i(a, SHIFT_SHL, false, HR_RAX, 4);
    op_alu_ri(a, ALU_AND, false, HR_RAX, ((1 << TCG_RETURN_CACHE_BITS) - 1) << 4);
    op_rm(a, X_MOV_LOAD | X_W, HR_RCX, env_mem(offsetof(TcgEnv, mode_tag)));
    op_alu_rr(a, ALU_XOR, true, HR_RCX, HR_PC);
    op_alu_rm(a, ALU_OR, true, HR_RCX, env_mem(offsetof(TcgEnv, exit_request)));
    entry = env_mem(offsetof(TcgEnv, returns));
    op_alu_rm(a, ALU_CMP, true, HR_RCX, mem_x(HR_ENV, HR_RAX, 0, entry.disp));
    miss = jne_short(a);
    op_rm(a, X_GROUP5, 4, mem_x(HR_ENV, HR_RAX, 0, entry.disp + (int32_t)offsetof(TcgJumpCacheEntry, code)));
    land_short(a, miss);
    probe_elsewhere(c);
}

void out_exit_loop(TcgContext *c, IrOp *op)
{
    out_x87_state(c, IR_EXIT_HOME(op));
    ra_go_home(c);
    ra_load_into(c, op->in[0], HR_PC, true);
    leave(c, LEAVE_LOOP);
}

void out_exit_state(TcgContext *c, IrOp *op)
{
    out_x87_state(c, IR_EXIT_HOME(op));
    ra_go_home(c);
    leave(c, LEAVE_STATE);
}

void out_guards(TcgContext *c)
{
    Asm *a = &c->a;

    for (unsigned i = 0; i < c->ir.n_guards; i++) {
        Mem m = ra_env_mem(c->ir.guards[i].offset);
        uint64_t value = c->ir.guards[i].value;

        if (c->ir.guards[i].size == IR_MO_32) {
            op_alu_mi(a, ALU_CMP, false, m, (int32_t)value);
        } else {
            op_mov_k(a, HR_RAX, value, true);
            op_alu_rm(a, ALU_CMP, true, HR_RAX, m);
        }
        c->guard_jump[i] = op_jcc32(a, CC_NE);
    }
}

void out_guards_failed(TcgContext *c)
{
    for (unsigned i = 0; i < c->ir.n_guards; i++) {
        patch_rel32(c->guard_jump[i], c->a.p);
    }
    if (c->ir.n_guards) {
        leave(c, LEAVE_GUARD);
    }
}

void emit_probe_stub(Asm *a, uint8_t *lookup, bool unshared)
{
    land_short(a, emit_probe(a, unshared));
    op_jmp_to(a, lookup);
}
