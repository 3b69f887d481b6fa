/*
 * The code every block shares: entering and leaving translated code, and the slow-path trampoline.
 */
#include <xmmintrin.h>
#include "tcg/vop-fallback.h"
#include "tcg/x86_64/emit.h"

static const uint8_t callee_saved[] = { HR_RBP, HR_RBX, HR_R12, HR_R13, HR_R14, HR_R15 };

static Mem env_field(unsigned offset)
{
    return mem(HR_ENV, (int32_t)offset - TCG_ENV_BIAS);
}

static void push(Asm *a, unsigned r)
{
    if (r & 8) {
        emit8(a, 0x41);
    }
    emit8(a, 0x50 | (r & 7));
}

static void pop(Asm *a, unsigned r)
{
    if (r & 8) {
        emit8(a, 0x41);
    }
    emit8(a, 0x58 | (r & 7));
}

static void mxcsr(Asm *a, bool load, unsigned field)
{
    op_rm(a, X_LDMXCSR, load ? 2 : 3, env_field(field));
}

/* D9 /5 loads the control word, /7 stores it. */
static void fldcw(Asm *a, unsigned field)
{
    op_rm(a, 0xd9, 5, env_field(field));
}

static void fnclex(Asm *a)
{
    emit8(a, 0xdb);
    emit8(a, 0xe2);
}

/* Move the pinned registers between env and host; rdx is overwritten. */
static void move_pins(Asm *a, unsigned opcode)
{
    static const uint8_t regs[N_HOST_PINS] = HOST_PINS;

    for (unsigned i = 0; i < N_HOST_PINS; i++) {
        op_rm(a, X_MOV_LOAD, HR_RDX, env_field(offsetof(TcgEnv, pin_offset) + 4 * i));
        op_rm(a, opcode | X_W, regs[i], mem_x(HR_ENV, HR_RDX, 0, -TCG_ENV_BIAS));
    }
}

/* rdi = env, rsi = code */
static void emit_enter(Asm *a)
{
    for (unsigned i = 0; i < ARRAY_SIZE(callee_saved); i++) {
        push(a, callee_saved[i]);
    }
    op_alu_ri(a, ALU_SUB, true, HR_RSP, FRAME_SIZE);
    op_rm(a, X_LEA | X_W, HR_ENV, mem(HR_RDI, TCG_ENV_BIAS));
    mxcsr(a, false, offsetof(TcgEnv, host_fpcr));
    mxcsr(a, true, offsetof(TcgEnv, guest_fpcr));
    fnclex(a);                                  /* what is raised from here on is the guest's */
    fldcw(a, offsetof(TcgEnv, guest_fpcw));
    op_rm(a, X_MOV_LOAD | X_W, HR_PC, env_field(offsetof(TcgEnv, pc)));
    move_pins(a, X_MOV_LOAD);
    op_rr(a, X_GROUP5, 4, HR_RSI);
}

static void emit_leave(Asm *a)
{
    move_pins(a, X_MOV_STORE);
    mxcsr(a, false, offsetof(TcgEnv, guest_fpcr));
    mxcsr(a, true, offsetof(TcgEnv, host_fpcr));
    fldcw(a, offsetof(TcgEnv, host_fpcw));
    op_alu_ri(a, ALU_ADD, true, HR_RSP, FRAME_SIZE);
    for (unsigned i = ARRAY_SIZE(callee_saved); i-- > 0;) {
        pop(a, callee_saved[i]);
    }
    emit8(a, 0xc3);
}

/*
 * [rsp] = return address behind which the LEAVE_ code lies (exits.c).
 *
 *      pop rcx ; movzx eax, byte [rcx] ; cmp eax, LEAVE_DIRECT_LAST ; ja other
 *      mov edx, [rcx] ; shr edx, 8 ; sub rcx, rdx ; mov edx, [rcx + id word] ; mov [exit_block], edx
 * other: cmp eax, LEAVE_STATE ; je out ; mov [env.pc], pc
 * out: and eax, 15 ; leave
 */
static void emit_exits(Asm *a, TcgPrologue *out)
{
    uint8_t *leave = a->p, *lookup, *other, *state;

    emit_leave(a);
    lookup = a->p;
    out->stub_offset[TCG_STUB_LOOKUP] = asm_offset(a);
    op_rm(a, X_MOV_STORE | X_W, HR_PC, env_field(offsetof(TcgEnv, pc)));
    op_mov_k(a, HR_RAX, TCG_EXIT_LOOKUP, true);
    op_jmp_to(a, leave);
    out->stub_offset[TCG_STUB_PROBE] = asm_offset(a);
    emit_probe_stub(a, lookup, false);
    lookup = a->p;
    op_rm(a, X_MOV_STORE | X_W, HR_PC, env_field(offsetof(TcgEnv, pc)));
    op_mov_k(a, HR_RAX, TCG_EXIT_UNSHARED, true);
    op_jmp_to(a, leave);
    out->stub_offset[TCG_STUB_UNSHARED] = asm_offset(a);
    emit_probe_stub(a, lookup, true);

    out->stub_offset[TCG_STUB_LEAVE] = asm_offset(a);
    pop(a, HR_RCX);
    op_rm(a, X_MOVZX8, HR_RAX, mem(HR_RCX, 0));
    op_alu_ri(a, ALU_CMP, false, HR_RAX, LEAVE_DIRECT_LAST);
    other = op_jcc32(a, CC_A);
    op_rm(a, X_MOV_LOAD, HR_RDX, mem(HR_RCX, 0));
    op_shift_i(a, SHIFT_SHR, false, HR_RDX, 8);
    op_alu_rr(a, ALU_SUB, true, HR_RCX, HR_RDX);
    op_rm(a, X_MOV_LOAD, HR_RDX, mem(HR_RCX, TCG_BLOCK_ID_OFFSET));
    op_rm(a, X_MOV_STORE, HR_RDX, env_field(offsetof(TcgEnv, exit_block)));
    patch_rel32(other, a->p);
    op_alu_ri(a, ALU_CMP, false, HR_RAX, LEAVE_STATE);
    state = op_jcc32(a, CC_E);
    op_rm(a, X_MOV_STORE | X_W, HR_PC, env_field(offsetof(TcgEnv, pc)));
    patch_rel32(state, a->p);
    op_alu_ri(a, ALU_AND, false, HR_RAX, 15);
    op_jmp_to(a, leave);
}

/*
 * [rsp] = return address in the block's stub, where the descriptor lies; above it the block's
 * frame.  Saves all registers, calls slow_dispatch(env, registers, return address), which puts a
 * result among the saved registers and returns where to go on; restores all.
 */
static void emit_slow(Asm *a)
{
    op_alu_ri(a, ALU_SUB, true, HR_RSP, SAVED_SIZE + 8);
    for (unsigned r = 0; r < 16; r++) {
        op_rm(a, X_MOV_STORE | X_W, r, mem(HR_RSP, r * 8));
    }
    for (unsigned r = 0; r < 16; r++) {
        op_rm(a, X_MOVAPS_STORE, HR_XMM0 + r, mem(HR_RSP, SAVED_XMM + r * 16));
    }
    op_rm(a, X_LEA | X_W, HR_RDI, mem(HR_ENV, -TCG_ENV_BIAS));
    op_rr(a, X_MOV_LOAD | X_W, HR_RSI, HR_RSP);
    op_rm(a, X_MOV_LOAD | X_W, HR_RDX, mem(HR_RSP, SAVED_SIZE + 8));
    op_rm(a, X_GROUP5, 2, env_field(offsetof(TcgEnv, slow_dispatch)));
    op_rm(a, X_MOV_STORE | X_W, HR_RAX, mem(HR_RSP, SAVED_SIZE + 8));
    for (unsigned r = 0; r < 16; r++) {
        op_rm(a, X_MOVAPS_LOAD, HR_XMM0 + r, mem(HR_RSP, SAVED_XMM + r * 16));
    }
    for (unsigned r = 0; r < 16; r++) {
        if (r != HR_RSP) {
            op_rm(a, X_MOV_LOAD | X_W, r, mem(HR_RSP, r * 8));
        }
    }
    op_alu_ri(a, ALU_ADD, true, HR_RSP, SAVED_SIZE + 8);
    emit8(a, 0xc3);
}

bool tcg_emit_prologue(uint8_t *buf, size_t max, TcgPrologue *out)
{
    uint8_t code[2048];
    Asm a = { code, code, code + sizeof(code) };

    out->enter_offset = 0;
    emit_enter(&a);
    emit_exits(&a, out);
    out->stub_offset[TCG_STUB_SLOW] = asm_offset(&a);
    emit_slow(&a);
    out->size = asm_offset(&a);
    assert(out->size <= sizeof(code));
    if (out->size > max) {
        return false;
    }
    memcpy(buf, code, out->size);
    return true;
}

/* Vectors of 4 and 8 bytes are integers to the slow paths; a load clears the rest of the register. */
static void load_vector(TcgEnv *env, uint64_t va, uint64_t *reg, uint32_t oi, uintptr_t ra)
{
    if ((tcg_oi_memop(oi) & IR_MO_SIZE) <= IR_MO_64) {
        reg[0] = env->slow->ld(env, va, oi, ra);
        reg[1] = 0;
    } else {
        env->slow->ld_vec(env, va, reg, oi, ra);
    }
}

static void store_vector(TcgEnv *env, uint64_t va, const uint64_t *reg, uint32_t oi, uintptr_t ra)
{
    if ((tcg_oi_memop(oi) & IR_MO_SIZE) <= IR_MO_64) {
        env->slow->st(env, va, reg[0], oi, ra);
    } else {
        env->slow->st_vec(env, va, reg, oi, ra);
    }
}

/* Reads what lies behind the call of a block's stub (emit.h). */
typedef struct Descriptor {
    uint32_t bits;
    int32_t disp;
    unsigned before, after;     /* of a probe for several: its range, from the first access on; then its way out */
    const uint8_t *leave;
    const uint8_t *resume;
} Descriptor;

static Descriptor read_descriptor(const uint8_t *ra)
{
    const uint8_t *p = ra + 4;
    Descriptor d = { .bits = ld32_le(ra) };

    if (d.bits >> DESC_DISP8 & 1) {
        d.disp = (int8_t)*p++;
    } else if (d.bits >> DESC_DISP32 & 1) {
        d.disp = ld32_le(p);
        p += 4;
    }
    if (extract32(d.bits, DESC_KIND, 4) == SLOW_PROBE) {
        d.before = *p++;
        d.after = *p++ + 1u;
        d.leave = p + 2;
    }
    d.resume = d.bits >> DESC_FAR & 1 ? p : ra - ld16_le(p);
    return d;
}

/* The C part of the trampoline.  @saved: 16 general registers, then 16 vector registers. */
static const void *slow_dispatch(void *envp, uint64_t *saved, const uint8_t *at)
{
    TcgEnv *env = envp;
    const TcgSlowOps *slow = env->slow;
    Descriptor d = read_descriptor(at);
    unsigned kind = extract32(d.bits, DESC_KIND, 4), data = extract32(d.bits, DESC_DATA, 4);
    unsigned dst = extract32(d.bits, DESC_DST, 4);
    uint32_t oi = tcg_make_oi((IrMemOp)extract32(d.bits, DESC_MEMOP, 8), extract32(d.bits, DESC_MMU, 3));
    uint64_t va = saved[extract32(d.bits, DESC_ADDR, 4)] + d.disp, value;
    uint64_t *vectors = saved + 16;
    uintptr_t ra = (uintptr_t)at;

    env->saved_regs = saved;
    env->block_pc = saved[HR_PC];
    switch (kind) {
    case SLOW_LD: value = slow->ld(env, va, oi, ra); break;
    case SLOW_ST: slow->st(env, va, saved[data], oi, ra); goto out;
    case SLOW_LD_VEC: load_vector(env, va, vectors + 2 * dst, oi, ra); goto out;
    case SLOW_ST_VEC: store_vector(env, va, vectors + 2 * data, oi, ra); goto out;
    case SLOW_PROBE:
        value = (uintptr_t)slow->probe(env, va, d.before, d.after, data & DATA_WRITE, data & DATA_STORE, oi, ra);
        if (!value) {
            d.resume = d.leave;
            goto out;
        }
        value -= d.disp;                        /* of the base */
        break;
    case SLOW_CAS: value = slow->cas(env, va, saved[HR_RAX], saved[data], oi, ra); break;
    default: value = slow->rmw(env, va, (IrAtomic)(kind - SLOW_RMW), saved[data], oi, ra); break;
    }
    saved[dst] = d.bits >> DESC_IS32 & 1 ? (uint32_t)value : value;
out:
    env->saved_regs = NULL;
    return d.resume;
}

void tcg_env_init(TcgEnv *env, const IrTarget *target)
{
    static const uint8_t regs[N_HOST_PINS] = HOST_PINS;
    Pins pins;

    _Static_assert(ARRAY_SIZE(env->pin_offset) == N_HOST_PINS, "one offset per pinned register");
    assert(target->n_helpers <= TCG_MAX_HELPERS);
    pins_of_target(target, &pins);
    for (unsigned i = 0; i < N_HOST_PINS; i++) {
        unsigned g = pins.global[regs[i]];

        env->pin_offset[i] = g != RA_NONE ? target->globals[g].offset : offsetof(TcgEnv, pin_unused);
    }
    for (unsigned i = 0; i < target->n_helpers; i++) {
        env->helpers[i] = target->helpers[i].fn;
    }
    env->slow_dispatch = (void *)slow_dispatch;
    env->vop_fallback = (void *)vop_fallback;
    env->host_fpcr = _mm_getcsr();
    __asm__("fnstcw %0" : "=m"(env->host_fpcw));
    if (!env->guest_fpcw) {
        env->guest_fpcw = env->host_fpcw;
    }
    if (!env->guest_fpcr) {
        env->guest_fpcr = 0x1f80;
    }
}

void tcg_env_forget_returns(TcgEnv *env)
{
    memset(env->returns, 0, sizeof(env->returns));      /* TCG_JUMP_CACHE_EMPTY */
}

void tcg_env_set_prologue(TcgEnv *env, const TcgPrologue *p, const uint8_t *rx)
{
    for (unsigned i = 0; i < TCG_N_STUBS; i++) {
        env->stub[i] = (void *)(rx + p->stub_offset[i]);
    }
    env->stub_slow = env->stub[TCG_STUB_SLOW];
    env->stub_leave = env->stub[TCG_STUB_LEAVE];
    env->stub_probe = env->stub[TCG_STUB_PROBE];
    env->stub_unshared = env->stub[TCG_STUB_UNSHARED];
}

void tcg_fp_leave(TcgEnv *env)
{
    env->guest_fpcr = _mm_getcsr();
    _mm_setcsr(env->host_fpcr);
    __asm__ volatile("fldcw %0" : : "m"(env->host_fpcw));
}

void tcg_patch_jump(uint8_t *jump_rw, const uint8_t *jump_rx, const uint8_t *target_rx)
{
    int32_t rel = target_rx - (jump_rx + 4);

    assert(((uintptr_t)jump_rw & 3) == 0);
    __atomic_store_n((int32_t *)jump_rw, rel, __ATOMIC_RELEASE);
}
