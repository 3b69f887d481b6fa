/*
 * The "tcg" accelerator object: its properties, the code cache it owns, vCPUs coming and going,
 * changes of the memory map.
 *
 * thread=single keeps one thread per vCPU all the same; a token says which may run.  Waiting
 * threads are served in order; after a slice they ask the owner to hand over.
 */
#include "accel/tcg/internal.h"

#include <sched.h>

#include "system/memory.h"
#include "util/main-loop.h"

#define SCRATCH_MAX     (96 * KiB)
#define TOKEN_SLICE_US  10000

static const char *const tcg_thread_names[] = { "multi", "single", NULL };

static CodeCache *hook_cache;           /* for the memory core's hook, which has no opaque */

static void code_written(uint64_t ram_addr, uint64_t len)
{
    code_range_written(hook_cache, ram_addr, len);
}

/* --- the token of thread=single --- */

void tcg_token_take(TcgCpuState *t)
{
    TcgAccel *a = t->accel;
    uint64_t ticket;

    if (a->thread_mode != TCG_THREAD_SINGLE) {
        return;
    }
    g_mutex_lock(&a->token_lock);
    ticket = a->token_next++;
    while (ticket != a->token_serving) {
        gint64 until = g_get_monotonic_time() + TOKEN_SLICE_US;

        if (!g_cond_wait_until(&a->token_free, &a->token_lock, until) && a->token_owner) {
            __atomic_store_n(&a->token_asked, true, __ATOMIC_SEQ_CST);  /* its slice is over */
            tcg_kick(a->token_owner);
        }
    }
    __atomic_store_n(&a->token_asked, false, __ATOMIC_SEQ_CST);
    a->token_owner = t;
    g_mutex_unlock(&a->token_lock);
}

void tcg_token_give(TcgCpuState *t)
{
    TcgAccel *a = t->accel;

    if (a->thread_mode != TCG_THREAD_SINGLE) {
        return;
    }
    g_mutex_lock(&a->token_lock);
    a->token_owner = NULL;
    a->token_serving++;
    g_cond_broadcast(&a->token_free);
    g_mutex_unlock(&a->token_lock);
}

/* Has the owner @t had its slice while others wait? */
bool tcg_token_wanted(TcgCpuState *t)
{
    return __atomic_load_n(&t->accel->token_asked, __ATOMIC_RELAXED);
}

void tcg_cpu_relax(Vcpu *cpu)
{
    TcgCpuState *t = tcg_state(cpu);
    TcgAccel *a = t->accel;

    if (t->cache->cpus->len == 1) {
        return;
    }
    if (a->thread_mode != TCG_THREAD_SINGLE) {
        sched_yield();
        return;
    }
    g_mutex_lock(&a->token_lock);
    if (a->token_next != a->token_serving + 1) {        /* somebody waits behind us */
        __atomic_store_n(&a->token_asked, true, __ATOMIC_SEQ_CST);
        tcg_kick(t);
    }
    g_mutex_unlock(&a->token_lock);
}

/* --- the memory map --- */

typedef struct TcgMemoryListener {
    MemoryListener listener;
    bool ram_changed;
} TcgMemoryListener;

static void map_begin(MemoryListener *l)
{
    container_of(l, TcgMemoryListener, listener)->ram_changed = false;
}

/* Devices are looked up at each access: only a change of RAM makes TLB entries wrong. */
static void map_changed(MemoryListener *l, const FlatRange *r)
{
    container_of(l, TcgMemoryListener, listener)->ram_changed |= memory_region_is_ram(r->mr);
}

static void flush_all_cpus(void)
{
    Vcpu *cpu;

    CPU_FOREACH(cpu) {
        if (cpu->tcg) {
            tcg_tlb_flush(cpu, TLB_FLUSH_MEMORY);
        }
    }
}

static void map_commit(MemoryListener *l)
{
    TcgMemoryListener *m = container_of(l, TcgMemoryListener, listener);

    if (m->ram_changed) {
        flush_all_cpus();
    }
    m->ram_changed = false;
}

static void population_changed(MemoryListener *l)
{
    flush_all_cpus();
}

static void log_started(MemoryListener *l, const FlatRange *r, unsigned client)
{
    flush_all_cpus();
}

static TcgMemoryListener memory_listener = {
    .listener = {
        .name = "tcg",
        .priority = 0,
        .begin = map_begin,
        .region_add = map_changed,
        .region_del = map_changed,
        .commit = map_commit,
        .population_changed = population_changed,
        .log_start = log_started,
    },
};

/* --- the accelerator --- */

static bool tcg_start(Accel *accel, Error **errp)
{
    TcgAccel *a = TCG_ACCEL(accel);
    const char *missing = tcg_host_missing();
    size_t size = a->tb_size ? a->tb_size : tcg_default_cache_size();

    if (missing) {
        error_setg(errp, "this host CPU cannot run translated code: it lacks %s", missing);
        return false;
    }
    if (!tcg_profile_start(a, errp)) {
        return false;
    }
    if (!code_cache_init(&a->cache, size, a->split_wx, 12, errp)) {
        error_prepend(errp, "tcg: ");
        return false;
    }
    if (a->perfmap && !tcg_perfmap_start(&a->cache, errp)) {
        code_cache_fini(&a->cache);
        return false;
    }
    a->cache_ready = true;
    hook_cache = &a->cache;
    tcg_accounts_add(a);
    memory_set_code_write_hook(code_written);
    memory_listener_register(&memory_listener.listener, &address_space_memory);
    return true;
}

/* Memory for the counts, before code that counts is made; it stays for who runs such code still. */
static void make_call_counts(TcgCpuState *t)
{
    if (t->accel->count_helpers && !t->call_counts) {
        t->env->call_counts = g_new0(uint64_t, TCG_N_CALL_COUNTS);
        __atomic_store_n(&t->call_counts, t->env->call_counts, __ATOMIC_RELEASE);
    }
}

static bool tcg_cpu_realize(Accel *accel, Vcpu *cpu, Error **errp)
{
    TcgAccel *a = TCG_ACCEL(accel);
    const TcgCpuOps *ops = vcpu_info(cpu)->tcg;
    TcgCpuState *t;

    if (!ops) {
        error_setg(errp, "%s cannot run under TCG", cpu->dev.obj.type->name);
        return false;
    }
    assert(ops->page_bits == a->cache.page_bits);
    t = g_new0(TcgCpuState, 1);
    t->cpu = cpu;
    t->env = cpu->env;
    t->accel = a;
    t->cache = &a->cache;
    t->ops = ops;
    t->page_bits = ops->page_bits;
    t->page_mask = ~0ULL << ops->page_bits;
    t->epoch_seen = UINT64_MAX;
    t->pinned[0] = t->pinned[1] = PHYS_NONE;
    t->scratch_size = MIN(SCRATCH_MAX, a->cache.unit_size / 2);
    t->scratch = g_aligned_alloc(1, t->scratch_size + 64, 64);
    t->ctx = tcg_context_new(ops->ir);
    t->enter = (TcgEnterFn *)(uintptr_t)(a->cache.rx + a->cache.prologue.enter_offset);
    t->env->page_bits = ops->page_bits;
    t->env->slow = &tcg_slow_ops;
    tcg_env_init(t->env, ops->ir);
    tcg_env_set_prologue(t->env, &a->cache.prologue, a->cache.rx);
    make_call_counts(t);
    tlb_init(t);
    cpu->tcg = t;
    code_cache_lock(&a->cache);
    g_ptr_array_add(a->cache.cpus, t);
    code_cache_unlock(&a->cache);
    return true;
}

static void tcg_cpu_unrealize(Accel *accel, Vcpu *cpu)
{
    TcgAccel *a = TCG_ACCEL(accel);
    TcgCpuState *t = cpu->tcg;

    if (!t) {
        return;
    }
    code_cache_lock(&a->cache);
    g_ptr_array_remove(a->cache.cpus, t);
    code_cache_unlock(&a->cache);
    cpu->tcg = NULL;
    tlb_fini(t);
    tcg_context_free(t->ctx);
    tcg_profile_end_cpu(t);
    g_free(t->profile);
    g_free(t->call_counts);
    g_aligned_free(t->scratch);
    g_free(t);
}

static void tcg_finish(Accel *accel)
{
    tcg_profile_finish(TCG_ACCEL(accel));
    tcg_perfmap_finish(&TCG_ACCEL(accel)->cache);
}

static void tcg_cpu_exec(Accel *accel, Vcpu *cpu)
{
    if (unlikely(TCG_ACCEL(accel)->profile_out && !tcg_state(cpu)->profile)) {
        tcg_profile_begin(tcg_state(cpu));
    }
    tcg_exec(tcg_state(cpu));
}

static void tcg_cpu_kick(Accel *accel, Vcpu *cpu)
{
    if (cpu->tcg) {
        tcg_kick(cpu->tcg);
    }
}

static void tcg_cpu_state_changed(Accel *accel, Vcpu *cpu)
{
    if (cpu->tcg) {
        tcg_tlb_flush(cpu, TLB_FLUSH_STATE);
    }
}

/*
 * Pages with breakpoints are run an instruction at a time by blocks that no jump cache knows
 * (block_cflags()); the flush drops what is cached of them from before, and marks watched pages.
 */
static void tcg_cpu_debug_changed(Accel *accel, Vcpu *cpu, const CpuWatchpoint *watch, unsigned n_watch)
{
    tcg_watch_set_debugger(tcg_state(cpu), watch, n_watch);
    tcg_tlb_flush(cpu, TLB_FLUSH_DEBUG);
}

static void tcg_info(Accel *accel, FILE *f)
{
    tcg_print_info(TCG_ACCEL(accel), f);
}

static void tcg_op_info(Accel *accel, FILE *f)
{
    tcg_print_op_counts(TCG_ACCEL(accel), f);
}

static void tcg_accel_init(Object *obj)
{
    TcgAccel *a = TCG_ACCEL(obj);

    g_mutex_init(&a->token_lock);
    g_cond_init(&a->token_free);
}

static void tcg_accel_fini(Object *obj)
{
    TcgAccel *a = TCG_ACCEL(obj);

    if (a->cache_ready) {
        tcg_accounts_remove(a);
        memory_set_code_write_hook(NULL);
        memory_listener_unregister(&memory_listener.listener);
        code_cache_fini(&a->cache);
    }
    g_mutex_clear(&a->token_lock);
    g_cond_clear(&a->token_free);
}

/* Blocks of the other kind are linked among themselves: only their removal makes the change seen at once. */
static bool one_insn_changed(Object *obj, const Property *p, Error **errp)
{
    TcgAccel *a = TCG_ACCEL(obj);

    if (a->cache_ready) {
        code_cache_flush(&a->cache, NULL);
    }
    return true;
}

static bool count_helpers_changed(Object *obj, const Property *p, Error **errp)
{
    TcgAccel *a = TCG_ACCEL(obj);

    if (a->cache_ready) {
        code_cache_lock(&a->cache);
        for (unsigned i = 0; i < a->cache.cpus->len; i++) {
            make_call_counts(g_ptr_array_index(a->cache.cpus, i));
        }
        code_cache_unlock(&a->cache);
    }
    return one_insn_changed(obj, p, errp);
}

static Value *get_tb_size(Object *obj, const Property *p)
{
    return value_uint(TCG_ACCEL(obj)->tb_size / MiB);
}

/* A number is in MiB, as text with K, M or G it is as it says. */
static bool set_tb_size(Object *obj, const Property *p, const Value *v, Error **errp)
{
    const uint64_t max = 32 * GiB;
    const char *text = value_type(v) == VALUE_STRING ? value_get_string(v) : NULL;
    char *end = NULL;
    uint64_t n = 0, unit = MiB;

    errno = 0;
    if (text && g_ascii_isdigit(*text)) {
        n = g_ascii_strtoull(text, &end, 10);
        unit = *end == 'K' ? KiB : *end == 'G' ? GiB : MiB;
        end += *end == 'K' || *end == 'M' || *end == 'G';
    }
    if (text ? !end || *end || errno : !value_get_uint(v, &n)) {
        error_setg(errp, "must be a number of MiB, or one with K, M or G");
        return false;
    }
    if (n > max / unit || (n && n * unit < CODE_CACHE_MIN_SIZE)) {
        error_setg(errp, "must be 0 or %" PRIu64 "..%" PRIu64 " MiB", (uint64_t)(CODE_CACHE_MIN_SIZE / MiB), (uint64_t)(max / MiB));
        return false;
    }
    TCG_ACCEL(obj)->tb_size = n * unit;
    return true;
}

static const Property tcg_properties[] = {
    PROP_BOOL("perfmap", TcgAccel, perfmap, false, .help = "write /tmp/perf-PID.map, names of translated code for perf"),
    PROP_STRING("profile", TcgAccel, profile,
                .help = "file for samples of guest PCs, as stacks for flame graphs; written when the emulator ends"),
    PROP_STRING("profile-symbols", TcgAccel, profile_symbols,
                .help = "names of the guest kernel's functions for the profile: System.map, or what nm prints"),
    PROP_CUSTOM(any, "tb-size", get_tb_size, set_tb_size, .shown = "int", .unit = "MiB",
                .help = "bound of all translator memory, in MiB or with K, M or G; 0 = by the memory this process may use"),
    PROP_ENUM("thread", TcgAccel, thread_mode, tcg_thread_names, TCG_THREAD_MULTI, .shown = "string",
              .help = "whether vCPUs run side by side or by turns"),
    PROP_BOOL("split-wx", TcgAccel, split_wx, true, .help = "map code memory twice, never writable and executable"),
    PROP_BOOL("one-insn-per-tb", TcgAccel, one_insn_per_tb, false, .settable_live = true,
              .changed = one_insn_changed,
              .help = "translate one guest instruction per block"),
    PROP_BOOL("count-helpers", TcgAccel, count_helpers, false, .settable_live = true,
              .changed = count_helpers_changed,
              .help = "count the calls of each helper, for x-query-jit and info jit; makes code slower"),
};

ACCEL_DEFINE(TcgAccel, tcg_accel, "tcg-accel",
    .desc              = "dynamic binary translation",
    .init              = tcg_accel_init,
    .fini              = tcg_accel_fini,
    .properties        = PROPS(tcg_properties),
    .accel_name        = "tcg",
    .start             = tcg_start,
    .cpu_realize       = tcg_cpu_realize,
    .cpu_unrealize     = tcg_cpu_unrealize,
    .cpu_exec          = tcg_cpu_exec,
    .cpu_kick          = tcg_cpu_kick,
    .cpu_state_changed = tcg_cpu_state_changed,
    .cpu_debug_changed = tcg_cpu_debug_changed,
    .info              = tcg_info,
    .op_info           = tcg_op_info,
    .finish            = tcg_finish,
    .counters          = tcg_counters,
    .count             = tcg_count,
);
