/*
 * thread-context: see util/thread-context.h.
 *
 * Management pins or confines the thread (thread-id), or names CPUs or NUMA nodes here; threads that are started from
 * it, such as those that populate memory, run where it may.  It exists before the sandbox does, under which affinity
 * may no longer be changed.
 */
#include "util/thread-context.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ThreadContext {
    Object obj;

    /* constant once completed */
    GThread *thread;
    pid_t tid;                          /* 0 = not completed */

    /* main thread */
    cpu_set_t set;                      /* what they, or the nodes, come to */
    bool has_set, by_node;

    /* lock */
    GMutex lock;
    GCond cond;
    void (*fn)(void *opaque);           /* to be run; NULL = none */
    void *opaque;
    bool quit;
};

/* --- the thread --- */

static void *thread_main(void *opaque)
{
    ThreadContext *tc = opaque;

    g_mutex_lock(&tc->lock);
    tc->tid = (pid_t)syscall(SYS_gettid);
    g_cond_broadcast(&tc->cond);
    while (!tc->quit) {
        if (tc->fn) {
            tc->fn(tc->opaque);
            tc->fn = NULL;
            g_cond_broadcast(&tc->cond);
        }
        g_cond_wait(&tc->cond, &tc->lock);
    }
    g_mutex_unlock(&tc->lock);
    return NULL;
}

void thread_context_run(ThreadContext *tc, void (*fn)(void *opaque), void *opaque)
{
    g_mutex_lock(&tc->lock);
    tc->opaque = opaque;
    tc->fn = fn;
    g_cond_broadcast(&tc->cond);
    while (tc->fn) {
        g_cond_wait(&tc->cond, &tc->lock);
    }
    g_mutex_unlock(&tc->lock);
}

static bool apply_affinity(ThreadContext *tc, Error **errp)
{
    if (tc->tid && tc->has_set && sched_setaffinity(tc->tid, sizeof(tc->set), &tc->set) < 0) {
        error_setg_errno(errp, errno, "Setting CPU affinity failed");
        return false;
    }
    return true;
}

/* --- numbers and ranges: 3, "0-7", or a list of those --- */

typedef bool NumberFn(void *opaque, unsigned n, Error **errp);

static bool range_ends(const Value *v, uint64_t *first, uint64_t *last)
{
    char *end;

    if (value_get_uint(v, first)) {
        *last = *first;
        return true;
    }
    if (value_type(v) != VALUE_STRING || !g_ascii_isdigit(*value_get_string(v))) {
        return false;
    }
    *first = *last = g_ascii_strtoull(value_get_string(v), &end, 10);
    if (*end == '-' && g_ascii_isdigit(end[1])) {
        *last = g_ascii_strtoull(end + 1, &end, 10);
    }
    return !*end;
}

static bool each_number(const Value *v, NumberFn *fn, void *opaque, Error **errp)
{
    uint64_t first, last;

    if (value_type(v) == VALUE_LIST) {
        for (size_t i = 0; i < value_list_len(v); i++) {
            if (!each_number(value_list_at(v, i), fn, opaque, errp)) {
                return false;
            }
        }
        return true;
    }
    if (!range_ends(v, &first, &last) || first > last || last >= CPU_SETSIZE) {
        error_setg(errp, "must be numbers below %d: N, N-M, or a list of those", CPU_SETSIZE);
        return false;
    }
    for (; first <= last; first++) {
        if (!fn(opaque, (unsigned)first, errp)) {
            return false;
        }
    }
    return true;
}

/* --- properties --- */

static bool add_cpu(void *opaque, unsigned n, Error **errp)
{
    CPU_SET(n, (cpu_set_t *)opaque);
    return true;
}

/* The kernel's list of a node's CPUs: "0-3,8-11". */
static bool add_node(void *opaque, unsigned n, Error **errp)
{
    g_autofree char *path = g_strdup_printf("/sys/devices/system/node/node%u/cpulist", n);
    g_autofree char *text = NULL;
    g_auto(GStrv) parts = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        return true;                    /* no such node: no CPUs */
    }
    parts = g_strsplit(g_strstrip(text), ",", -1);
    for (unsigned i = 0; parts[i] && *parts[i]; i++) {
        g_autoptr(Value) range = value_string(parts[i]);

        if (!each_number(range, add_cpu, opaque, errp)) {
            return false;
        }
    }
    return true;
}

/* Take the set of CPUs in place of the old one, which stays if it does not work. */
static bool take_set(ThreadContext *tc, const cpu_set_t *set, bool by_node, Error **errp)
{
    cpu_set_t old = tc->set;
    bool had = tc->has_set;

    if (had && tc->by_node != by_node) {
        error_setg(errp, "Mixing CPU and node affinity not supported");
        return false;
    }
    tc->set = *set;
    tc->has_set = true;
    if (!apply_affinity(tc, errp)) {
        tc->set = old;
        tc->has_set = had;
        return false;
    }
    tc->by_node = by_node;
    return true;
}

static bool set_cpu_affinity(Object *obj, const Property *p, const Value *v, Error **errp)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    if (!each_number(v, add_cpu, &set, errp)) {
        return false;
    }
    if (!CPU_COUNT(&set)) {
        error_setg(errp, "CPU list is empty");
        return false;
    }
    return take_set(THREAD_CONTEXT(obj), &set, false, errp);
}

static bool set_node_affinity(Object *obj, const Property *p, const Value *v, Error **errp)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    if (!each_number(v, add_node, &set, errp)) {
        return false;
    }
    if (!CPU_COUNT(&set)) {
        error_setg(errp, "The nodes select no CPUs");
        return false;
    }
    return take_set(THREAD_CONTEXT(obj), &set, true, errp);
}

/* Of the thread as it is, which management may have changed. */
static Value *get_cpu_affinity(Object *obj, const Property *p)
{
    const ThreadContext *tc = THREAD_CONTEXT(obj);
    Value *list = value_list();
    cpu_set_t set;

    if (!tc->tid || sched_getaffinity(tc->tid, sizeof(set), &set) < 0) {
        return list;
    }
    for (unsigned i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &set)) {
            value_list_append(list, value_uint(i));
        }
    }
    return list;
}

/* Which nodes were meant cannot be told from the CPUs. */
static Value *get_node_affinity(Object *obj, const Property *p)
{
    return value_null();
}

static Value *get_thread_id(Object *obj, const Property *p)
{
    return value_int(THREAD_CONTEXT(obj)->tid);
}

/* --- life --- */

static void thread_context_init(Object *obj)
{
    ThreadContext *tc = THREAD_CONTEXT(obj);

    g_mutex_init(&tc->lock);
    g_cond_init(&tc->cond);
}

static bool thread_context_complete(Object *obj, Error **errp)
{
    ThreadContext *tc = THREAD_CONTEXT(obj);

    tc->thread = g_thread_new("TC", thread_main, tc);
    g_mutex_lock(&tc->lock);
    while (!tc->tid) {
        g_cond_wait(&tc->cond, &tc->lock);
    }
    g_mutex_unlock(&tc->lock);
    return apply_affinity(tc, errp);
}

static void thread_context_fini(Object *obj)
{
    ThreadContext *tc = THREAD_CONTEXT(obj);

    if (tc->thread) {
        g_mutex_lock(&tc->lock);
        tc->quit = true;
        g_cond_broadcast(&tc->cond);
        g_mutex_unlock(&tc->lock);
        g_thread_join(tc->thread);
    }
    g_mutex_clear(&tc->lock);
    g_cond_clear(&tc->cond);
}

static const Property thread_context_properties[] = {
    PROP_CUSTOM(int, "thread-id", get_thread_id, NULL, .read_only = true, .shown = "int", .help = "host thread"),
    PROP_CUSTOM(any, "cpu-affinity", get_cpu_affinity, set_cpu_affinity, .shown = "int", .settable_live = true,
                .help = "host CPUs it may run on: N, N-M or a list"),
    PROP_CUSTOM(any, "node-affinity", get_node_affinity, set_node_affinity, .shown = "int", .settable_live = true,
                .help = "host NUMA nodes whose CPUs it may run on"),
};

TYPE_DEFINE(ThreadContext, thread_context, "thread-context", object,
    .desc           = "thread from which other threads inherit their CPU affinity",
    .init           = thread_context_init,
    .complete       = thread_context_complete,
    .fini           = thread_context_fini,
    .properties     = PROPS(thread_context_properties),
    .user_creatable = true,
)
