/*
 * The run loop: faults, interrupts, finding the next block, entering it.
 *
 * A vCPU thread enters with the BQL dropped and leaves when something wants the outer loop of
 * system/cpus.c: halted, stopped, work queued, a debug event.  Guest exceptions come back here by
 * siglongjmp (tcg_cpu_loop_exit) and are delivered at the top.
 *
 * Who wants attention sets its bits first and TcgEnv.exit_request afterwards; the loop clears
 * exit_request first and looks at the bits afterwards, so nothing is missed.
 *
 * The thread is an RCU reader all the time: TLB entries point into RAM that a changed memory map
 * may free.  It passes a quiescent state only where queued flushes are looked at next.
 *
 * Locks: none while translated code runs; the BQL around exec_interrupt; exclusive_lock before
 * CodeCache.lock.
 */
#include "accel/tcg/internal.h"

#include "util/main-loop.h"
#include "util/rcu.h"

void tcg_kick(TcgCpuState *t)
{
    __atomic_store_n(&t->env->exit_request, TCG_EXIT_REQUESTED, __ATOMIC_SEQ_CST);
    if (unlikely(__atomic_load_n(&t->native_turn, __ATOMIC_SEQ_CST) & 1)) {
        t->assist->expel(t->cpu);
    }
}

/* --- sections in which nobody else runs translated code --- */

static GMutex exclusive_lock;
static GCond exclusive_cond;
static uint32_t exclusive_pending;      /* exclusive_lock; read without in tcg_running_begin */

void tcg_running_begin(TcgCpuState *t)
{
    for (;;) {
        __atomic_store_n(&t->running, 1, __ATOMIC_SEQ_CST);
        if (likely(!__atomic_load_n(&exclusive_pending, __ATOMIC_SEQ_CST))) {
            return;
        }
        g_mutex_lock(&exclusive_lock);
        __atomic_store_n(&t->running, 0, __ATOMIC_SEQ_CST);
        g_cond_broadcast(&exclusive_cond);
        while (exclusive_pending) {
            g_cond_wait(&exclusive_cond, &exclusive_lock);
        }
        g_mutex_unlock(&exclusive_lock);
    }
}

void tcg_running_end(TcgCpuState *t)
{
    __atomic_store_n(&t->running, 0, __ATOMIC_SEQ_CST);
    if (unlikely(__atomic_load_n(&exclusive_pending, __ATOMIC_SEQ_CST))) {
        g_mutex_lock(&exclusive_lock);
        g_cond_broadcast(&exclusive_cond);
        g_mutex_unlock(&exclusive_lock);
    }
}

static bool others_running(const TcgCpuState *self)
{
    bool any = false;

    code_cache_lock(self->cache);
    for (unsigned i = 0; i < self->cache->cpus->len; i++) {
        const TcgCpuState *t = g_ptr_array_index(self->cache->cpus, i);

        any |= t != self && __atomic_load_n(&t->running, __ATOMIC_SEQ_CST);
    }
    code_cache_unlock(self->cache);
    return any;
}

static void kick_others(const TcgCpuState *self)
{
    code_cache_lock(self->cache);
    for (unsigned i = 0; i < self->cache->cpus->len; i++) {
        TcgCpuState *t = g_ptr_array_index(self->cache->cpus, i);

        if (t != self) {
            tcg_kick(t);
        }
    }
    code_cache_unlock(self->cache);
}

/* Not with the BQL, which the others may need to come out.  The caller keeps the block it is in. */
void tcg_exclusive_begin(TcgCpuState *t)
{
    __atomic_store_n(&t->running, 0, __ATOMIC_SEQ_CST);
    g_mutex_lock(&exclusive_lock);
    g_cond_broadcast(&exclusive_cond);
    while (exclusive_pending) {
        g_cond_wait(&exclusive_cond, &exclusive_lock);
    }
    __atomic_store_n(&exclusive_pending, 1, __ATOMIC_SEQ_CST);
    kick_others(t);
    while (others_running(t)) {
        g_cond_wait(&exclusive_cond, &exclusive_lock);
    }
    g_mutex_unlock(&exclusive_lock);
    __atomic_store_n(&t->running, 1, __ATOMIC_SEQ_CST);
}

void tcg_exclusive_end(TcgCpuState *t)
{
    g_mutex_lock(&exclusive_lock);
    __atomic_store_n(&exclusive_pending, 0, __ATOMIC_SEQ_CST);
    g_cond_broadcast(&exclusive_cond);
    g_mutex_unlock(&exclusive_lock);
}

/* --- leaving translated code in the middle --- */

bool tcg_cpu_restore_state(Vcpu *cpu, uintptr_t retaddr)
{
    TcgCpuState *t = tcg_state(cpu);
    const Tb *tb = retaddr ? code_cache_tb_by_address(t->cache, retaddr) : NULL;
    const uint8_t *code;
    TcgUnwound u;

    if (!tb) {
        return false;
    }
    code = tb_rx(t->cache, tb);
    if (!tcg_unwind(t->ops->ir, t->env, code, tb->unwind_offset, (uint32_t)(retaddr - (uintptr_t)code), &u)) {
        return false;
    }
    t->ops->restore_state(cpu, u.block_pc + u.pc_delta, u.params);
    return true;
}

void tcg_cpu_loop_exit(Vcpu *cpu)
{
    siglongjmp(tcg_state(cpu)->jmp, 1);
}

void tcg_cpu_loop_exit_restore(Vcpu *cpu, uintptr_t retaddr)
{
    tcg_cpu_restore_state(cpu, retaddr);
    tcg_cpu_loop_exit(cpu);
}

void tcg_restart_single(TcgCpuState *t, uintptr_t ra)
{
    t->force_single = true;
    t->cpu->exception_index = -1;
    tcg_cpu_loop_exit_restore(t->cpu, ra);
}

void tcg_restart_unshared(TcgCpuState *t, uintptr_t ra)
{
    t->unshared = true;
    t->cpu->exception_index = -1;
    tcg_cpu_loop_exit_restore(t->cpu, ra);
}

/* After a siglongjmp: put things right that a normal return would have. */
static void after_fault(TcgCpuState *t)
{
    if (t->in_code) {
        tcg_fp_leave(t->env);
        t->in_code = false;
    }
    t->translating = false;
    for (unsigned i = 0; i < 2; i++) {
        if (t->pinned[i] != PHYS_NONE) {
            code_page_unpin(t->cache, t->pinned[i]);
            t->pinned[i] = PHYS_NONE;
        }
    }
    if (bql_locked()) {
        bql_unlock();
    }
    if (!t->force_single) {
        t->watch_step = false;          /* the instruction that was watched raised something else */
    }
    t->last_tb = 0;
    STAT_INC(t, exits_fault);
}

/* --- what comes before the next block --- */

/* The instruction that was to be stepped is done; what else stopped there counts more. */
static void stepped(Vcpu *cpu)
{
    cpu->exception_index = EXCP_DEBUG;
    if (cpu->debug_stop == DEBUG_STOP_NONE) {
        cpu->debug_stop = DEBUG_STOP_STEP;
    }
}

/* True: leave the loop. */
static bool handle_exception(TcgCpuState *t)
{
    Vcpu *cpu = t->cpu;
    int32_t e = cpu->exception_index;

    if (likely(e < 0)) {
        return false;
    }
    t->last_tb = 0;
    if (e >= EXCP_INTERRUPT) {
        if (e == EXCP_HLT && cpu->singlestep) {
            stepped(cpu);               /* HLT is done; the CPU stays halted */
        } else if (e != EXCP_DEBUG) {
            cpu->exception_index = -1;
        }
        return true;
    }
    STAT_INC(t, exceptions);
    t->ops->do_exception(cpu);
    if (cpu->exception_index == e) {
        cpu->exception_index = -1;
    }
    if (unlikely(cpu->singlestep)) {
        stepped(cpu);
        return true;
    }
    return false;                       /* a new one is looked at next time round */
}

/* What is asked of the CPU, but for what a debugger's step holds off. */
static uint32_t wanted_requests(Vcpu *cpu)
{
    uint32_t request = __atomic_load_n(&cpu->interrupt_request, __ATOMIC_SEQ_CST);

    if (unlikely(cpu->singlestep & SSTEP_NOIRQ)) {
        request &= ~(CPU_INTERRUPT_HARD | CPU_INTERRUPT_NMI | CPU_INTERRUPT_SMI | CPU_INTERRUPT_MCE);
    }
    return request;
}

static void take_interrupt(TcgCpuState *t)
{
    Vcpu *cpu = t->cpu;
    uint32_t request;

    bql_lock();
    request = wanted_requests(cpu);
    if (request & CPU_INTERRUPT_DEBUG) {
        cpu_reset_interrupt(cpu, CPU_INTERRUPT_DEBUG);
        cpu->exception_index = EXCP_DEBUG;
    } else if (request) {
        if (request & CPU_INTERRUPT_EXITTB) {
            cpu_reset_interrupt(cpu, CPU_INTERRUPT_EXITTB);
            t->last_tb = 0;
        }
        if (t->ops->exec_interrupt(cpu, request)) {
            STAT_INC(t, interrupts);
            t->last_tb = 0;
        }
    }
    bql_unlock();
}

/* Something in hardware waiting behind a mask is no reason to take the BQL each time round. */
static bool has_request(Vcpu *cpu, uint32_t request)
{
    return unlikely(request) && ((request & ~CPU_INTERRUPT_HARD) || vcpu_info(cpu)->has_work(cpu));
}

/* True: leave the loop (exception_index may say why). */
static bool handle_requests(TcgCpuState *t)
{
    Vcpu *cpu = t->cpu;
    uint32_t request;

    if (unlikely(__atomic_load_n(&t->env->exit_request, __ATOMIC_RELAXED))) {
        __atomic_exchange_n(&t->env->exit_request, 0, __ATOMIC_SEQ_CST);
        rcu_read_unlock();              /* let grace periods end now and then */
        rcu_read_lock();
    }
    if (unlikely(t->written_len)) {
        tlb_flush_written(t);
    }
    code_cache_pass(t->cache, t);
    if (unlikely(__atomic_load_n(&exclusive_pending, __ATOMIC_RELAXED))) {
        tcg_running_begin(t);
    }
    request = wanted_requests(cpu);
    if (has_request(cpu, request)) {
        take_interrupt(t);
        if (cpu->exception_index >= 0) {
            return false;               /* the caller looks at exceptions again */
        }
    }
    return __atomic_load_n(&cpu->stop, __ATOMIC_RELAXED) || __atomic_load_n(&cpu->halted, __ATOMIC_RELAXED) ||
        cpu_work_pending(cpu) || cpu->unplug || tcg_token_wanted(t) || (unlikely(t->assist) && t->assist->leave(cpu));
}

/* The guest's trap, if there is one as well, is delivered first: the request is looked at after it. */
static void report_debugger_hit(TcgCpuState *t)
{
    t->cpu->watch_hit = t->watch[t->debugger_hit];
    t->cpu->debug_stop = DEBUG_STOP_WATCHPOINT;
    t->debugger_hit = 0;
    __atomic_fetch_or(&t->cpu->interrupt_request, CPU_INTERRUPT_DEBUG, __ATOMIC_SEQ_CST);
}

static void report_watch_hit(TcgCpuState *t)
{
    t->watch_step = false;
    if (t->debugger_hit) {
        report_debugger_hit(t);
    }
    if (t->watch_hit.pending) {
        t->watch_hit.pending = false;
        t->ops->debug_hit(t->cpu, t->watch_hit.va, t->watch_hit.len, t->watch_hit.access, 0);
    }
}

/* --- finding --- */

static bool breakpoint_in_page(TcgCpuState *t, uint64_t linear, bool *here)
{
    const GArray *b = t->cpu->breakpoints;
    bool in_page = false;

    *here = false;
    for (unsigned i = 0; i < b->len; i++) {
        vaddr va = g_array_index(b, vaddr, i);

        in_page |= !((va ^ linear) & t->page_mask);
        *here |= va == linear;
    }
    return in_page;
}

/* How the next block is to be: TB_* bits.  Sets exception_index at a breakpoint. */
static unsigned block_cflags(TcgCpuState *t, uint64_t linear)
{
    unsigned cflags = 0;
    bool here;

    if (unlikely(t->force_single || t->cpu->singlestep)) {
        cflags |= TB_SINGLE_INSN | TB_NO_CHAIN;
    }
    if (unlikely(t->accel->one_insn_per_tb)) {
        cflags |= TB_SINGLE_INSN;
    }
    if (unlikely(log_enabled(LOG_NOCHAIN))) {
        cflags |= TB_NO_CHAIN;
    }
    if (unlikely(t->cpu->breakpoints->len) && breakpoint_in_page(t, linear, &here)) {
        cflags |= TB_SINGLE_INSN | TB_NO_CHAIN;
        if (here && !t->cpu->singlestep) {
            t->cpu->exception_index = EXCP_DEBUG;
            t->cpu->debug_stop = DEBUG_STOP_BREAKPOINT;
        }
    }
    if (t->unshared && !(cflags & TB_SINGLE_INSN)) {
        cflags |= TB_UNSHARED;
    }
    t->unshared = false;
    return cflags;
}

typedef struct Page2Query {
    TcgCpuState *t;
    vaddr va;
    unsigned mmu_idx;
} Page2Query;

static uint64_t query_page2(void *opaque)
{
    Page2Query *q = opaque;
    TlbHit hit;

    if (!tlb_find(q->t, q->va, 1, MMU_INST_FETCH, q->mmu_idx, true, 0, &hit) || !hit.host) {
        return PHYS_NONE;
    }
    return hit.full.ram_addr;
}

/* By physical address, or translate.  May raise the fetch's fault. */
static Tb *find_slow(TcgCpuState *t, uint64_t pc, const TbMode *mode, uint64_t linear, unsigned cflags)
{
    unsigned idx = t->ops->fetch_mmu_idx(t->cpu);
    Page2Query q = { t, (linear & t->page_mask) + ~t->page_mask + 1, idx };
    TbKey key = {
        .flags = mode->flags,
        .cs_off = (uint16_t)(mode->cs_base & ~t->page_mask),
        .cflags = (uint8_t)cflags,
    };
    const uint8_t *host_page;
    TlbHit hit;
    Tb *tb = NULL;

    tlb_find(t, linear, 1, MMU_INST_FETCH, idx, false, 0, &hit);
    if (hit.host && !t->afresh) {
        key.phys_pc = hit.full.ram_addr | (linear & ~t->page_mask);
        host_page = hit.host - (linear & ~t->page_mask);
        tb = tb_lookup(t->cache, &key, query_page2, &q);
    } else {
        key.phys_pc = PHYS_NONE;        /* code in a device's registers, or not to be kept: one instruction, once */
        key.cflags |= TB_SINGLE_INSN | TB_NO_CHAIN;
        host_page = NULL;
    }
    if (tb) {
        STAT_INC(t, lookups_hash);
        __atomic_store_n(&tb->hot, 1, __ATOMIC_RELAXED);
        return tb;
    }
    return tcg_translate(t, &key, pc, mode, host_page);
}

static Tb *find_block(TcgCpuState *t, uint64_t pc, const TbMode *mode, unsigned cflags)
{
    uint64_t linear = mode->cs_base + pc;
    Tb *tb;

    if (likely(!(cflags & ~TB_UNSHARED))) {
        uint64_t tag;
        const TcgJumpCacheEntry *e = tlb_jump_cache_entry(t, pc, cflags, &tag);

        if (__atomic_load_n(&e->tag, __ATOMIC_ACQUIRE) == tag) {
            tb = code_cache_tb_by_start(t->cache, e->code);
            if (tb && !tb_is_dead(tb)) {
                STAT_INC(t, lookups_jc);
                return tb;
            }
        }
    }
    tb = find_slow(t, pc, mode, linear, cflags);
    if (!(tb->key.cflags & TB_NO_CHAIN) && tb->key.phys_pc != PHYS_NONE) {
        tlb_jump_cache_add(t, pc, linear, tb);
    }
    return tb;
}

/*
 * The block that just left by a direct exit may jump straight to @tb if that stays right whatever
 * becomes of mappings: same mode, both in one page, @tb ends in it too.  That the exit does not leave the page
 * of pc and linear address was seen when its block was placed.
 */
static void maybe_link(TcgCpuState *t, Tb *tb)
{
    const Tb *from = tb_by_id(t->cache, t->last_tb);

    if (tb->two_pages || ((tb->key.cflags | from->key.cflags) & TB_NO_CHAIN) ||
        from->key.flags != tb->key.flags || from->key.cs_off != tb->key.cs_off || tb->key.phys_pc == PHYS_NONE ||
        ((from->key.phys_pc ^ tb->key.phys_pc) & t->page_mask)) {
        return;
    }
    tb_link(t->cache, t->last_tb, t->last_slot, tb);
}

/* --- running --- */

static void log_block(TcgCpuState *t, const Tb *tb, uint64_t pc, const TbMode *mode)
{
    FILE *f;

    if (!log_pc_in_filter(mode->cs_base + pc)) {
        return;
    }
    f = log_lock();
    if (log_enabled(LOG_EXEC)) {
        fprintf(f, "exec cpu %u: %016" PRIx64 " cs_base %" PRIx64 " flags %08" PRIx64 " block %u (%u insns)\n",
                t->cpu->index, pc, mode->cs_base, mode->flags, tb_id(t->cache, tb), tb->n_insns);
    }
    if (log_enabled(LOG_CPU) && vcpu_info(t->cpu)->dump_state) {
        vcpu_info(t->cpu)->dump_state(t->cpu, f, 0);
    }
    log_unlock(f);
}

static void set_mode(TcgCpuState *t, const TbMode *mode, unsigned cflags)
{
    bool no_chain = cflags & TB_NO_CHAIN;

    if (unlikely(mode->flags != t->mode.flags || mode->cs_base != t->mode.cs_base || no_chain != t->no_chain)) {
        t->mode = *mode;
        t->no_chain = no_chain;
        t->fetch_idx = t->ops->fetch_mmu_idx(t->cpu);
        tlb_update_mode_tag(t);
    }
}

void tcg_cpu_mode_changed(Vcpu *cpu)
{
    TcgCpuState *t = tcg_state(cpu);
    uint64_t pc;
    TbMode mode;

    t->ops->get_mode(cpu, &pc, &mode);
    set_mode(t, &mode, t->no_chain ? TB_NO_CHAIN : 0);
    if (has_request(cpu, wanted_requests(cpu))) {
        tcg_kick(t);
    }
}

static void run_block(TcgCpuState *t, const Tb *tb)
{
    uintptr_t how;

    STAT_INC(t, entries);
    t->in_code = true;
    how = t->enter(t->env, tb_rx(t->cache, tb));
    t->in_code = false;
    t->last_tb = 0;
    switch (how) {
    case TCG_EXIT_DIRECT0 ... TCG_EXIT_DIRECT0 + IR_DIRECT_SLOTS - 1:
        STAT_INC(t, exits_direct);
        t->last_tb = t->env->exit_block;
        t->last_slot = (unsigned)(how - TCG_EXIT_DIRECT0);
        break;
    case TCG_EXIT_LOOKUP:
        STAT_INC(t, exits_lookup);
        break;
    case TCG_EXIT_POLL:
        STAT_INC(t, exits_poll);
        break;
    case TCG_EXIT_UNSHARED:
        STAT_INC(t, exits_unshared);
        t->unshared = true;
        break;
    case TCG_EXIT_GUARD:
        STAT_INC(t, exits_loop);
        t->ops->guard_failed(t->cpu);
        break;
    default:
        STAT_INC(t, exits_loop);
        break;
    }
}

/* One block, and whatever it is linked to. */
static void run_next(TcgCpuState *t)
{
    uint64_t pc;
    TbMode mode;
    unsigned cflags;
    bool single;
    Tb *tb;

    t->ops->get_mode(t->cpu, &pc, &mode);
    cflags = block_cflags(t, mode.cs_base + pc);
    if (t->cpu->exception_index >= 0) {
        return;                         /* a breakpoint */
    }
    set_mode(t, &mode, cflags);
    tb = find_block(t, pc, &mode, cflags);
    if (t->last_tb) {
        maybe_link(t, tb);
    }
    if (log_enabled(LOG_EXEC | LOG_CPU)) {
        log_block(t, tb, pc, &mode);
    }
    single = t->force_single;
    t->force_single = false;
    run_block(t, tb);
    if (unlikely(single || t->cpu->singlestep)) {
        report_watch_hit(t);
        if (t->cpu->singlestep && t->cpu->exception_index < 0) {
            stepped(t->cpu);
        }
    }
}

static void loop(TcgCpuState *t)
{
    for (;;) {
        if (unlikely((t->watch_hit.pending || t->debugger_hit) && !t->force_single)) {
            report_watch_hit(t);
        }
        if (handle_exception(t) || handle_requests(t)) {
            return;
        }
        if (likely(t->cpu->exception_index < 0)) {
            run_next(t);
        }
    }
}

static void enter(TcgCpuState *t)
{
    Vcpu *cpu = t->cpu;

    bql_unlock();
    bql_count_waits(&t->stats.bql);
    tcg_token_take(t);
    rcu_read_lock();
    tcg_running_begin(t);
    code_cache_enter(t->cache, t);
    __atomic_store_n(&cpu->running, true, __ATOMIC_SEQ_CST);
    t->executing = true;
    if (t->ops->exec_enter) {
        t->ops->exec_enter(cpu);
    }
    t->last_tb = 0;
}

static void leave(TcgCpuState *t)
{
    Vcpu *cpu = t->cpu;

    if (t->ops->exec_exit) {
        t->ops->exec_exit(cpu);
    }
    t->executing = false;
    t->last_tb = 0;
    __atomic_store_n(&cpu->running, false, __ATOMIC_SEQ_CST);
    code_cache_leave(t->cache, t);
    tcg_running_end(t);
    rcu_read_unlock();
    tcg_token_give(t);
    bql_lock();
    bql_count_waits(NULL);
}

void tcg_exec(TcgCpuState *t)
{
    Vcpu *cpu = t->cpu;

    __atomic_store_n(&cpu->halted, 0, __ATOMIC_SEQ_CST);    /* the outer loop found work */
    enter(t);
    if (sigsetjmp(t->jmp, 0) != 0) {
        after_fault(t);
    }
    loop(t);
    if (cpu->exception_index == EXCP_DEBUG) {   /* one stop for all that came together */
        __atomic_fetch_and(&cpu->interrupt_request, ~CPU_INTERRUPT_DEBUG, __ATOMIC_SEQ_CST);
    }
    leave(t);
}

void tcg_exec_one(TcgCpuState *t)
{
    t->force_single = t->afresh = true;
    enter(t);
    if (sigsetjmp(t->jmp, 0) != 0) {
        after_fault(t);
    }
    while (t->cpu->exception_index >= 0 || t->force_single) {
        if (t->cpu->exception_index >= 0) {
            t->force_single = false;            /* what it raised is its end, once delivered */
            if (handle_exception(t)) {
                break;
            }
        } else {
            run_next(t);
        }
    }
    if (t->written_len) {
        tlb_flush_written(t);
    }
    leave(t);
}
