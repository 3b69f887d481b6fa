/*
 * Clocks and timers.
 *
 * Each clock has one list of pending timers sorted by expiry; machines have a few dozen timers, so
 * a list beats a heap.  timers_lock is innermost: callbacks run without it.
 */
#include "util/timer-internal.h"
#include "util/main-loop.h"
#include "trace-events.h"

#include <time.h>

static GMutex timers_lock;
static Timer *pending[CLOCK_TYPE_MAX];          /* timers_lock */

/* Guest time = host monotonic + virt_offset while enabled, virt_offset alone while stopped. */
static struct {
    unsigned seq;               /* odd while being changed: readers retry */
    bool enabled, manual;
    int64_t offset;
} virt;

static int64_t host_ns(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return ts.tv_sec * NANOSECONDS_PER_SECOND + ts.tv_nsec;
}

static int64_t virtual_now(void)
{
    unsigned seq;
    int64_t now;

    do {
        seq = __atomic_load_n(&virt.seq, __ATOMIC_ACQUIRE);
        now = __atomic_load_n(&virt.offset, __ATOMIC_RELAXED);
        if (__atomic_load_n(&virt.enabled, __ATOMIC_RELAXED) && !__atomic_load_n(&virt.manual, __ATOMIC_RELAXED)) {
            now += host_ns(CLOCK_MONOTONIC);
        }
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while ((seq & 1) || seq != __atomic_load_n(&virt.seq, __ATOMIC_RELAXED));
    return now;
}

/* Change the mode such that guest time reads @now at this moment.  BQL held or single-threaded. */
static void virtual_set(bool enabled, bool manual, int64_t now)
{
    __atomic_store_n(&virt.seq, virt.seq + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    __atomic_store_n(&virt.enabled, enabled, __ATOMIC_RELAXED);
    __atomic_store_n(&virt.manual, manual, __ATOMIC_RELAXED);
    __atomic_store_n(&virt.offset, enabled && !manual ? now - host_ns(CLOCK_MONOTONIC) : now, __ATOMIC_RELAXED);
    __atomic_store_n(&virt.seq, virt.seq + 1, __ATOMIC_RELEASE);
    main_loop_wake();
}

int64_t clock_get_ns(ClockType type)
{
    switch (type) {
    case CLOCK_TYPE_VIRTUAL: return virtual_now();
    case CLOCK_TYPE_HOST:    return host_ns(CLOCK_REALTIME);
    default:                 return host_ns(CLOCK_MONOTONIC);
    }
}

void clock_virtual_enable(bool on)
{
    if (virt.enabled != on) {
        virtual_set(on, virt.manual, virtual_now());
    }
}

void clock_virtual_set_manual(bool manual)
{
    virtual_set(virt.enabled, manual, virtual_now());
}

bool clock_virtual_is_manual(void)
{
    return virt.manual;
}

void clock_virtual_set_offset(int64_t now_ns)
{
    virtual_set(virt.enabled, virt.manual, now_ns);
}

/* --- timers --- */

static void unlink_locked(Timer *t)
{
    Timer **link = &pending[t->type];

    while (*link && *link != t) {
        link = &(*link)->next;
    }
    if (*link) {
        *link = t->next;
    }
    __atomic_store_n(&t->expire_ns, -1, __ATOMIC_RELAXED);
}

void timer_init(Timer *t, ClockType type, TimerFn *fn, void *opaque)
{
    *t = (Timer){ .type = type, .expire_ns = -1, .fn = fn, .opaque = opaque };
}

void timer_mod(Timer *t, int64_t expire_ns)
{
    Timer **link;
    bool first;

    g_mutex_lock(&timers_lock);
    if (t->expire_ns >= 0) {
        unlink_locked(t);
    }
    __atomic_store_n(&t->expire_ns, MAX(expire_ns, 0), __ATOMIC_RELAXED);
    for (link = &pending[t->type]; *link && (*link)->expire_ns <= t->expire_ns; link = &(*link)->next) {
    }
    t->next = *link;
    *link = t;
    first = pending[t->type] == t;
    g_mutex_unlock(&timers_lock);
    trace_timer_mod(t, t->type, expire_ns);
    if (first) {
        main_loop_wake();
    }
}

void timer_del(Timer *t)
{
    trace_timer_del(t);
    g_mutex_lock(&timers_lock);
    if (t->expire_ns >= 0) {
        unlink_locked(t);
    }
    g_mutex_unlock(&timers_lock);
}

int64_t timer_expire_ns(const Timer *t)
{
    return __atomic_load_n(&t->expire_ns, __ATOMIC_RELAXED);
}

bool timer_pending(const Timer *t)
{
    return timer_expire_ns(t) >= 0;
}

int64_t clock_deadline_ns(ClockType type)
{
    int64_t deadline;

    g_mutex_lock(&timers_lock);
    deadline = pending[type] ? pending[type]->expire_ns : INT64_MAX;
    g_mutex_unlock(&timers_lock);
    return deadline;
}

/* Do timers of this clock run from the main loop? */
static bool clock_runs(ClockType type)
{
    return type != CLOCK_TYPE_VIRTUAL || virt.enabled;
}

/* A clock stepped by hand waits for nothing but what is due already. */
static bool clock_waits(ClockType type, int64_t wait)
{
    return clock_runs(type) && !(type == CLOCK_TYPE_VIRTUAL && virt.manual && wait > 0);
}

int64_t timers_next_timeout_ns(void)
{
    int64_t best = -1;

    for (int type = 0; type < CLOCK_TYPE_MAX; type++) {
        int64_t deadline = clock_deadline_ns(type);

        int64_t wait = deadline - clock_get_ns(type);           /* read once: MAX() would read twice */

        if (deadline != INT64_MAX && clock_waits(type, wait)) {
            wait = MAX(wait, 0);
            best = best < 0 ? wait : MIN(best, wait);
        }
    }
    return best;
}

/* Runs what is due at @now, in order of expiry; a timer re-armed in the past runs again next time. */
static void run_due(ClockType type, int64_t now)
{
    for (;;) {
        Timer *t;

        g_mutex_lock(&timers_lock);
        t = pending[type];
        if (!t || t->expire_ns > now) {
            g_mutex_unlock(&timers_lock);
            return;
        }
        unlink_locked(t);
        g_mutex_unlock(&timers_lock);
        trace_timer_run(t, type);
        t->fn(t->opaque);
    }
}

void timers_run(void)
{
    for (int type = 0; type < CLOCK_TYPE_MAX; type++) {
        if (clock_runs(type)) {
            run_due(type, clock_get_ns(type));
        }
    }
}

void clock_virtual_advance_to(int64_t ns)
{
    assert(virt.manual);
    while (virtual_now() < ns) {
        int64_t next = MIN(clock_deadline_ns(CLOCK_TYPE_VIRTUAL), ns);

        virtual_set(virt.enabled, true, MAX(next, virtual_now()));
        run_due(CLOCK_TYPE_VIRTUAL, virtual_now());
    }
}
