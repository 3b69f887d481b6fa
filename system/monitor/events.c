/*
 * Events: to every session that has negotiated, at a limited rate where a guest can cause them at will.
 *
 * A rate limit: the first event of a kind goes out at once and begins an interval; of those that come within it
 * the latest is kept, and goes out at its end, which begins the next.  Kinds with a key are limited for each of its
 * values alone.  Main loop or another thread that has the BQL.
 */
#include "system/monitor/internal.h"

#include "hw/core/qdev.h"
#include "qapi/qapi-events.h"
#include "system/balloon.h"
#include "util/timer.h"

/* One row for each kind of event that a guest can cause at will. */
typedef struct RateLimit {
    const char *event;
    int64_t interval_ns;
    const char *key;            /* member of "data" whose values are told apart; NULL = none */
} RateLimit;

static const RateLimit rate_limits[] = {
    { "BALLOON_CHANGE",             NANOSECONDS_PER_SECOND },
    { "HV_BALLOON_STATUS_REPORT",   NANOSECONDS_PER_SECOND },
    { "MEMORY_DEVICE_SIZE_CHANGE",  NANOSECONDS_PER_SECOND, "qom-path" },
    { "QUORUM_FAILURE",             NANOSECONDS_PER_SECOND },
    { "QUORUM_REPORT_BAD",          NANOSECONDS_PER_SECOND, "node-name" },
    { "RTC_CHANGE",                 NANOSECONDS_PER_SECOND },
    { "VSERPORT_CHANGE",            NANOSECONDS_PER_SECOND, "id" },
    { "WATCHDOG",                   NANOSECONDS_PER_SECOND },
};

static const RateLimit *rate_limit_of(const char *event)
{
    for (unsigned i = 0; i < ARRAY_SIZE(rate_limits); i++) {
        if (!strcmp(rate_limits[i].event, event)) {
            return &rate_limits[i];
        }
    }
    return NULL;
}

static Value *timestamp(void)
{
    int64_t us = g_get_real_time();
    Value *t = value_dict();

    value_dict_set_int(t, "seconds", us / 1000000);
    value_dict_set_int(t, "microseconds", us % 1000000);
    return t;
}

static void send_to_all(const Value *message, bool rate_limited)
{
    g_autofree char *texts[2] = { NULL };       /* plain, pretty: made when first wanted */
    GPtrArray *list = monitor_list();

    for (unsigned i = 0; i < list->len; i++) {
        Monitor *m = g_ptr_array_index(list, i);
        bool pretty = m->kind == MONITOR_QMP_PRETTY;

        if (m->kind != MONITOR_HMP && m->negotiated) {
            if (!texts[pretty]) {
                g_autofree char *text = json_to_string(message, pretty);

                texts[pretty] = g_strconcat(text, "\r\n", NULL);
            }
            monitor_write_event(m, texts[pretty], strlen(texts[pretty]), rate_limited);
        }
    }
}

/* --- intervals that run --- */

typedef struct Interval {
    const RateLimit *limit;
    char *id;                   /* event and key value */
    Value *held;                /* the latest message since it began; NULL = none */
    Timer timer;
} Interval;

static GHashTable *intervals;   /* of Interval by .id */

static void interval_free(gpointer opaque)
{
    Interval *i = opaque;

    timer_del(&i->timer);
    value_unref(i->held);
    g_free(i->id);
    g_free(i);
}

static void interval_begin(Interval *i)
{
    timer_mod(&i->timer, clock_get_ns(CLOCK_TYPE_REALTIME) + i->limit->interval_ns);
}

static void interval_ended(void *opaque)
{
    Interval *i = opaque;
    g_autoptr(Value) message = g_steal_pointer(&i->held);

    if (!message) {
        g_hash_table_remove(intervals, i->id);
        return;
    }
    send_to_all(message, true);
    interval_begin(i);
}

static char *interval_id(const RateLimit *limit, const Value *data)
{
    const char *value = limit->key && data ? value_dict_get_str(data, limit->key) : NULL;

    return g_strdup_printf("%s %s", limit->event, value ? value : "");
}

/* True if @message has to wait (it is then kept). */
static bool hold_back(const RateLimit *limit, const Value *data, Value *message)
{
    g_autofree char *id = interval_id(limit, data);
    Interval *i = g_hash_table_lookup(intervals, id);

    if (i) {
        value_unref(i->held);
        i->held = value_ref(message);
        return true;
    }
    i = g_new0(Interval, 1);
    i->limit = limit;
    i->id = g_steal_pointer(&id);
    timer_init(&i->timer, CLOCK_TYPE_REALTIME, interval_ended, i);
    g_hash_table_insert(intervals, i->id, i);
    interval_begin(i);
    return false;
}

void qmp_broadcast(const char *event, Value *data)
{
    const RateLimit *limit = rate_limit_of(event);
    g_autoptr(Value) message = value_dict();

    value_dict_set(message, "timestamp", timestamp());
    value_dict_set_str(message, "event", event);
    if (data) {
        value_dict_set(message, "data", data);
    }
    if (!limit || !hold_back(limit, data, message)) {
        send_to_all(message, limit != NULL);
    }
}

/* --- from those who know no monitor --- */

static void on_balloon_change(uint64_t actual_bytes)
{
    qapi_event_send_balloon_change((int64_t)actual_bytes);
}

static const DeviceNotify device_notify = {
    .deleted = qapi_event_send_device_deleted, .unplug_refused = qapi_event_send_device_unplug_guest_error,
};

void qmp_events_init(void)
{
    if (intervals) {
        return;
    }
    intervals = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, interval_free);
    qapi_event_set_sink(qmp_broadcast);
    device_set_notify(&device_notify);
    balloon_set_change_notify(on_balloon_change);
}
