/*
 * Where the guest spends its time: samples of guest PCs, in the form that flame-graph tools read (-accel tcg,profile=FILE).
 *
 * Each vCPU thread has a timer on its own CPU time, whose signal comes to that thread.  The handler finds the running
 * block's pc: in a host register if the signal came in translated code, in env if it came in a helper.  It counts in a table
 * of the vCPU's; nothing is allocated or locked there.  The file is written when the emulator ends:
 *
 *      guest;kernel;0xffffffff81034560 12          (user;... for code outside of ring 0)
 *      guest;user;0x401230;[helper] 3              in a helper or a slow path
 *      [translator] 5, [run loop] 2
 *
 * With profile-symbols=FILE (System.map, or what nm prints) kernel addresses have names.
 */
#include "accel/tcg/internal.h"

#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROFILE_ENTRIES     16384       /* of one vCPU: 256 KiB */
#define PROFILE_PROBES      16
#define PROFILE_PERIOD_NS   1000000     /* of CPU time */

typedef enum SampleKind {
    SAMPLE_NONE, SAMPLE_KERNEL, SAMPLE_USER, SAMPLE_KERNEL_HELPER, SAMPLE_USER_HELPER, SAMPLE_TRANSLATOR, SAMPLE_LOOP,
} SampleKind;

typedef struct Sample {
    uint64_t pc;
    uint32_t kind, n;
} Sample;

/* Written by the owner's signal handler only; read by others when the owner stands still. */
struct TcgProfile {
    timer_t timer;
    uint64_t lost;                      /* no place in the table */
    Sample samples[PROFILE_ENTRIES];
};

size_t tcg_profile_bytes(const TcgAccel *a)
{
    return a->profile ? sizeof(TcgProfile) : 0;
}

/* --- sampling --- */

static void count(TcgProfile *p, SampleKind kind, uint64_t pc)
{
    uint32_t h = (uint32_t)((pc ^ (uint64_t)kind << 56) * 0x9e3779b97f4a7c15ULL >> 40);

    for (unsigned i = 0; i < PROFILE_PROBES; i++) {
        Sample *s = &p->samples[(h + i) % PROFILE_ENTRIES];

        if (s->kind == SAMPLE_NONE) {
            *s = (Sample){ pc, kind, 1 };
            return;
        }
        if (s->kind == kind && s->pc == pc) {
            s->n++;
            return;
        }
    }
    p->lost++;
}

static void on_tick(int sig, siginfo_t *info, void *context)
{
    TcgCpuState *t = info->si_value.sival_ptr;
    const CodeCache *c;
    uintptr_t host_pc;
    uint64_t block_pc;
    bool user;

    if (info->si_code != SI_TIMER || !t) {
        return;
    }
    c = t->cache;
    tcg_signal_context(context, &host_pc, &block_pc);
    user = t->ops->in_user_mode && t->ops->in_user_mode(t->cpu);
    if (host_pc - (uintptr_t)c->rx < c->map_size) {
        count(t->profile, user ? SAMPLE_USER : SAMPLE_KERNEL, block_pc);
    } else if (t->in_code) {
        count(t->profile, user ? SAMPLE_USER_HELPER : SAMPLE_KERNEL_HELPER, t->env->block_pc);
    } else {
        count(t->profile, t->translating ? SAMPLE_TRANSLATOR : SAMPLE_LOOP, 0);
    }
}

void tcg_profile_begin(TcgCpuState *t)
{
    struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGPROF, .sigev_value.sival_ptr = t };
    const struct itimerspec every = { { 0, PROFILE_PERIOD_NS }, { 0, PROFILE_PERIOD_NS } };
    struct sigaction sa = { .sa_sigaction = on_tick, .sa_flags = SA_SIGINFO | SA_RESTART };

    t->profile = g_new0(TcgProfile, 1);
    ev._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    sigaction(SIGPROF, &sa, NULL);
    if (timer_create(CLOCK_THREAD_CPUTIME_ID, &ev, &t->profile->timer) < 0 || timer_settime(t->profile->timer, 0, &every, NULL) < 0) {
        warn_report("tcg: no profile of CPU %u: %s", t->cpu->index, g_strerror(errno));
    }
}

/* --- names --- */

typedef struct Symbol {
    uint64_t address;
    char *name;
} Symbol;

static int compare_symbols(const void *x, const void *y)
{
    const Symbol *a = x, *b = y;

    return a->address < b->address ? -1 : a->address > b->address;
}

static void free_symbol(void *symbol)
{
    g_free(((Symbol *)symbol)->name);
}

/* "ADDRESS TYPE NAME" in hexadecimal; only code (T, t, W, w). */
static GArray *read_symbols(const char *path, Error **errp)
{
    g_autoptr(GArray) symbols = g_array_new(false, false, sizeof(Symbol));
    g_autoptr(GError) err = NULL;
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    g_array_set_clear_func(symbols, free_symbol);
    if (!g_file_get_contents(path, &text, NULL, &err)) {
        error_setg(errp, "profile-symbols: %s", err->message);
        return NULL;
    }
    lines = g_strsplit(text, "\n", -1);
    for (unsigned i = 0; lines[i]; i++) {
        g_auto(GStrv) words = g_strsplit(lines[i], " ", 3);

        if (g_strv_length(words) == 3 && strlen(words[1]) == 1 && strchr("TtWw", *words[1])) {
            Symbol s = { g_ascii_strtoull(words[0], NULL, 16), g_strdelimit(g_strdup(words[2]), "; \t", '_') };
            g_array_append_val(symbols, s);
        }
    }
    if (!symbols->len) {
        error_setg(errp, "profile-symbols: '%s' has no lines 'ADDRESS T NAME'", path);
        return NULL;
    }
    g_array_sort(symbols, compare_symbols);
    return g_steal_pointer(&symbols);
}

/* The last symbol at or below @pc; NULL before the first. */
static const char *name_of(const GArray *symbols, uint64_t pc)
{
    unsigned lo = 0, hi = symbols ? symbols->len : 0;

    while (lo < hi) {
        unsigned mid = lo + (hi - lo) / 2;

        if (g_array_index(symbols, Symbol, mid).address <= pc) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo ? g_array_index(symbols, Symbol, lo - 1).name : NULL;
}

static char *stack_of(const TcgAccel *a, const Sample *s)
{
    bool user = s->kind == SAMPLE_USER || s->kind == SAMPLE_USER_HELPER;
    bool helper = s->kind == SAMPLE_USER_HELPER || s->kind == SAMPLE_KERNEL_HELPER;
    const char *name = user ? NULL : name_of(a->profile_names, s->pc);
    g_autofree char *address = NULL;

    if (s->kind == SAMPLE_TRANSLATOR || s->kind == SAMPLE_LOOP) {
        return g_strdup(s->kind == SAMPLE_LOOP ? "[run loop]" : "[translator]");
    }
    address = g_strdup_printf("0x%" PRIx64, s->pc);
    return g_strdup_printf("guest;%s;%s%s", user ? "user" : "kernel", name ? name : address, helper ? ";[helper]" : "");
}

/* --- a profile's life --- */

bool tcg_profile_start(TcgAccel *a, Error **errp)
{
    if (a->profile_symbols && !a->profile) {
        error_setg(errp, "profile-symbols needs profile");
        return false;
    }
    if (!a->profile) {
        return true;
    }
    if (a->profile_symbols) {
        a->profile_names = read_symbols(a->profile_symbols, errp);
        if (!a->profile_names) {
            return false;
        }
    }
    a->profile_out = fopen(a->profile, "we");
    if (!a->profile_out) {
        error_setg_errno(errp, errno, "cannot write the profile '%s'", a->profile);
        return false;
    }
    a->profile_sums = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return true;
}

static void add(TcgAccel *a, char *stack, uint64_t n)
{
    uint64_t sum = n + GPOINTER_TO_SIZE(g_hash_table_lookup(a->profile_sums, stack));

    g_hash_table_replace(a->profile_sums, stack, GSIZE_TO_POINTER(sum));
}

/* The vCPU's thread stands still or has ended. */
void tcg_profile_end_cpu(TcgCpuState *t)
{
    TcgProfile *p = t->profile;

    if (!p) {
        return;
    }
    timer_delete(p->timer);
    for (unsigned i = 0; i < PROFILE_ENTRIES; i++) {
        if (p->samples[i].kind != SAMPLE_NONE) {
            add(t->accel, stack_of(t->accel, &p->samples[i]), p->samples[i].n);
        }
    }
    if (p->lost) {
        add(t->accel, g_strdup("[no place in the table]"), p->lost);
    }
    memset(p->samples, 0, sizeof(p->samples));
    p->lost = 0;
}

typedef struct Line {
    const char *stack;
    uint64_t n;
} Line;

static int compare_lines(const void *x, const void *y)
{
    const Line *a = x, *b = y;

    return a->n < b->n ? 1 : a->n > b->n ? -1 : strcmp(a->stack, b->stack);
}

void tcg_profile_finish(TcgAccel *a)
{
    g_autoptr(GArray) lines = g_array_new(false, false, sizeof(Line));
    GHashTableIter it;
    void *stack, *n;

    if (!a->profile_out) {
        return;
    }
    for (unsigned i = 0; i < a->cache.cpus->len; i++) {
        tcg_profile_end_cpu(g_ptr_array_index(a->cache.cpus, i));
    }
    g_hash_table_iter_init(&it, a->profile_sums);
    while (g_hash_table_iter_next(&it, &stack, &n)) {
        Line l = { stack, GPOINTER_TO_SIZE(n) };
        g_array_append_val(lines, l);
    }
    g_array_sort(lines, compare_lines);
    for (unsigned i = 0; i < lines->len; i++) {
        fprintf(a->profile_out, "%s %" PRIu64 "\n", g_array_index(lines, Line, i).stack, g_array_index(lines, Line, i).n);
    }
    if (fclose(a->profile_out) != 0) {
        warn_report("tcg: cannot write the profile '%s': %s", a->profile, g_strerror(errno));
    }
    a->profile_out = NULL;
    g_hash_table_destroy(a->profile_sums);
    g_clear_pointer(&a->profile_names, g_array_unref);
}
