/*
 * From guest bytes to a block in the cache.
 *
 * The front end builds IR from bytes handed out by fetch_bytes(); the translator compiles into the
 * vCPU's own scratch memory; then the block is copied into the cache under its lock.  So vCPUs
 * translate side by side, and a fault in the middle leaves nothing behind but pins, which
 * run-loop.c takes off.
 *
 * The pages are pinned before any byte is read: a write in between makes the draft stale.
 */
#include "accel/tcg/internal.h"

#include "system/memory.h"

#define MAX_INSNS       512
#define MAX_STALE       8       /* drafts overtaken by writes; then the block runs once, unfindable */

typedef struct Build {
    TbRequest req;
    TcgCpuState *t;
    const uint8_t *page;        /* host address of the first page; NULL: by MMIO */
    uint64_t linear;
    unsigned mmu_idx;
    const uint8_t *page2;
    TbDraft draft;
    uint64_t page1_addr;        /* ram_addr; PHYS_NONE by MMIO */
} Build;

static void pin(Build *b, unsigned which, uint64_t page)
{
    b->draft.seq[which] = code_page_pin(b->t->cache, b->t, page);
    b->t->pinned[which] = page;
}

static void unpin_all(TcgCpuState *t)
{
    for (unsigned i = 0; i < 2; i++) {
        if (t->pinned[i] != PHYS_NONE) {
            code_page_unpin(t->cache, t->pinned[i]);
            t->pinned[i] = PHYS_NONE;
        }
    }
}

/* Find and pin the second page.  False: it cannot be had and the block ends before it. */
static bool need_page2(Build *b, bool first_insn)
{
    TcgCpuState *t = b->t;
    vaddr va = (b->linear & t->page_mask) + ~t->page_mask + 1;
    TlbHit hit;

    if (b->page2) {
        return true;
    }
    if (!tlb_find(t, va, 1, MMU_INST_FETCH, b->mmu_idx, !first_insn, 0, &hit)) {
        return false;
    }
    if (!hit.host || b->page1_addr == PHYS_NONE) {
        return false;
    }
    b->page2 = hit.host;
    b->draft.page2 = hit.full.ram_addr;
    if (hit.full.ram_addr == b->page1_addr) {
        b->draft.seq[1] = b->draft.seq[0];      /* both halves are the same memory */
    } else {
        pin(b, 1, hit.full.ram_addr);
    }
    return true;
}

/* Bytes that are not plain RAM, one by one through their device. */
static void fetch_mmio(Build *b, uint32_t delta, uint8_t *out, unsigned n)
{
    TcgCpuState *t = b->t;

    for (unsigned i = 0; i < n; i++) {
        vaddr va = b->linear + delta + i;
        MemTxResult res;
        TlbHit hit;

        tlb_find(t, va, 1, MMU_INST_FETCH, b->mmu_idx, false, 0, &hit);
        out[i] = hit.host ? *hit.host
            : (uint8_t)address_space_ld(t->cpu->as, hit.full.paddr | (va & ~t->page_mask), 1, false, hit.full.attrs, &res);
    }
    b->draft.key.phys_pc = PHYS_NONE;
}

static bool fetch_bytes(TbRequest *req, uint32_t delta, void *buf, unsigned n)
{
    Build *b = (Build *)req;
    uint32_t in_first = delta < req->page_left ? MIN(n, req->page_left - delta) : 0;
    uint8_t *out = buf;

    if (b->page) {
        memcpy(out, b->page + (b->linear & ~b->t->page_mask) + delta, in_first);
        if (in_first == n) {
            return true;
        }
        if (need_page2(b, req->n_insns == 0)) {
            memcpy(out + in_first, b->page2 + (delta + in_first - req->page_left), n - in_first);
            return true;
        }
        if (req->n_insns) {
            return false;
        }
        /* The first instruction runs from RAM into a device: take it byte by byte, once. */
        fetch_mmio(b, delta + in_first, out + in_first, n - in_first);
        return true;
    }
    if (req->n_insns) {
        return false;
    }
    fetch_mmio(b, delta, out, n);
    return true;
}

static int64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/*
 * The exits that may be linked: those to the block's own page, of both pc and linear address, as any other
 * may be mapped anew while this one is not.
 */
static void note_jumps(Build *b, const TcgCode *code)
{
    uint64_t page_size = ~b->t->page_mask + 1, linear = b->linear & ~b->t->page_mask;
    uint64_t pc = (linear - b->draft.key.cs_off) & ~b->t->page_mask;

    b->draft.exits = 0;
    for (unsigned slot = 0; slot < IR_DIRECT_SLOTS; slot++) {
        uint64_t delta = (uint64_t)(int64_t)code->direct[slot].pc_delta;

        if (code->direct[slot].jump_offset >= 0 && pc + delta < page_size && linear + delta < page_size) {
            b->draft.exits |= BIT(slot);
            b->draft.jump[slot] = (uint16_t)code->direct[slot].jump_offset;
        }
    }
}

/* Build IR and compile; fewer instructions until it fits. */
static void compile(Build *b, unsigned max_insns)
{
    TcgCpuState *t = b->t;
    uint8_t *buf = t->scratch + 16;
    size_t max = MIN(t->scratch_size - 16, TB_CODE_MAX);
    TcgCode code;

    for (;; max_insns /= 2) {
        if (!max_insns) {
            g_error("translation of one instruction at %" PRIx64 " does not fit %zu bytes", b->linear, max);
        }
        b->req.max_insns = max_insns;
        b->req.n_insns = 0;
        b->req.size = 0;
        tcg_context_count_calls(t->ctx, t->accel->count_helpers && t->call_counts);
        tcg_context_share(t->ctx, !(b->draft.key.cflags & (TB_SINGLE_INSN | TB_NO_CHAIN | TB_UNSHARED)));
        tcg_context_keep_pc(t->ctx, t->accel->profile_out);
        b->req.ir = tcg_block_begin(t->ctx);
        t->ops->translate(&b->req);
        if (tcg_block_compile(t->ctx, b->req.ir, buf, max, &code)) {
            break;
        }
    }
    b->draft.bytes = buf;
    b->draft.code_size = code.size;
    b->draft.unwind_offset = code.unwind_offset;
    b->draft.loops = code.loops;
    note_jumps(b, &code);
    b->draft.size = b->req.size;
    b->draft.n_insns = b->req.n_insns;
    /* Bytes of the second page may have been looked at and not used. */
    if (b->req.size <= b->req.page_left) {
        b->draft.page2 = PHYS_NONE;
    }
}

static uint64_t draft_page2(void *opaque)
{
    return ((Build *)opaque)->draft.page2;
}

static bool draft_is_stale_locked(Build *b)
{
    CodeCache *c = b->t->cache;

    if (b->draft.key.phys_pc == PHYS_NONE) {
        return false;
    }
    return !code_page_unchanged_locked(c, b->page1_addr, b->draft.seq[0]) ||
        (b->draft.page2 != PHYS_NONE && !code_page_unchanged_locked(c, b->draft.page2, b->draft.seq[1]));
}

/* NULL: stale, translate again. */
static Tb *insert(Build *b)
{
    CodeCache *c = b->t->cache;
    bool findable;
    Tb *tb = NULL;

    code_cache_lock(c);
    code_cache_make_room_locked(c, b->t, b->draft.code_size);
    findable = b->draft.key.phys_pc != PHYS_NONE;
    if (draft_is_stale_locked(b)) {
        c->stats.stale_drafts++;
        code_cache_unlock(c);
        return NULL;
    }
    if (findable) {
        tb = tb_lookup(c, &b->draft.key, draft_page2, b);
        c->stats.duplicates += tb != NULL;
    }
    if (!tb) {
        tb = code_cache_place_locked(c, &b->draft);
        if (findable) {
            code_page_add_tb_locked(c, tb);
            tb_hash_insert_locked(c, tb);
            tcg_perfmap_add_locked(c, tb, "tb", b->req.pc);
            c->stats.retranslations += tb_was_here_locked(c, &b->draft.key);
        }
        c->stats.blocks++;
        c->stats.unshared_blocks += (b->draft.key.cflags & TB_UNSHARED) != 0;
        c->stats.code_bytes += b->draft.code_size;
        c->stats.guest_bytes += b->draft.size;
        c->stats.insns += b->draft.n_insns;
    }
    code_cache_unlock(c);
    return tb;
}

/* --- -d in_asm --- */

static void dump_bytes(FILE *f, const uint8_t *bytes, size_t n, uint64_t pc)
{
    for (size_t i = 0; i < n; i++) {
        if (i % 16 == 0) {
            fprintf(f, "%s0x%016" PRIx64 ": ", i ? "\n" : "", pc + i);
        }
        fprintf(f, " %02x", bytes[i]);
    }
    fputc('\n', f);
}

static void log_guest_code(Build *b)
{
    size_t n = b->req.size, in_first = MIN(n, b->req.page_left);
    g_autofree uint8_t *bytes = g_malloc(n + 1);
    FILE *f;

    if (!log_pc_in_filter(b->linear) || !b->page) {
        return;
    }
    memcpy(bytes, b->page + (b->linear & ~b->t->page_mask), in_first);
    if (n > in_first && b->page2) {
        memcpy(bytes + in_first, b->page2, n - in_first);
    }
    f = log_lock();
    fprintf(f, "----------------\nIN: %u insns, flags %08" PRIx64 "\n", b->req.n_insns, b->req.mode.flags);
    dump_bytes(f, bytes, n, b->linear);
    if (b->t->ops->disassemble) {
        b->t->ops->disassemble(f, &b->req.mode, b->linear, bytes, n);
    }
    log_unlock(f);
}

/* --- */

Tb *tcg_translate(TcgCpuState *t, const TbKey *key, uint64_t pc, const TbMode *mode, const uint8_t *host_page)
{
    int64_t start = now_ns();
    Tb *tb = NULL;

    assert(!(mode->flags >> TB_MODE_BITS));
    t->translating = true;
    for (unsigned tries = 0; !tb; tries++) {
        Build b = {
            .req = {
                .cpu = t->cpu, .pc = pc, .mode = *mode, .cflags = key->cflags, .ctx = t->ctx,
                .fetch = fetch_bytes,
            },
            .t = t,
            .page = host_page,
            .linear = mode->cs_base + pc,
            .mmu_idx = t->ops->fetch_mmu_idx(t->cpu),
            .draft = { .key = *key, .page2 = PHYS_NONE },
            .page1_addr = key->phys_pc == PHYS_NONE ? PHYS_NONE : key->phys_pc & t->page_mask,
        };

        b.req.page_left = (uint32_t)(~t->page_mask + 1 - (b.linear & ~t->page_mask));
        b.req.bytes = host_page ? host_page + (b.linear & ~t->page_mask) : NULL;
        if (b.page1_addr != PHYS_NONE) {
            pin(&b, 0, b.page1_addr);
        }
        compile(&b, key->cflags & TB_SINGLE_INSN ? 1 : MAX_INSNS);
        if (log_enabled(LOG_IN_ASM)) {
            log_guest_code(&b);
        }
        if (tries >= MAX_STALE) {
            b.draft.key.phys_pc = PHYS_NONE;
        }
        tb = insert(&b);
        unpin_all(t);
    }
    t->translating = false;
    STAT_INC(t, translations);
    STAT_ADD(t, translate_ns, (uint64_t)(now_ns() - start));
    return tb;
}
