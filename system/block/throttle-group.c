/*
 * Throttle groups: devices and nodes that share limits ("-object throttle-group", block_set_io_throttle).
 *
 * Requests that have to wait do so at their member, first come first served; members take turns.  One timer
 * for each direction tells when the next may go.
 *
 * Locks: BQL.  Timers run on the main loop.
 */
#include "block-internal.h"
#include "util/timer.h"

struct ThrottleMember {
    ThrottleGroup *group;       /* counted */
    GQueue waiting[2];          /* of BlockRequest *; by is_write */
};

struct ThrottleGroup {
    Object obj;
    char *name;
    Throttle limits;
    GPtrArray *members;         /* of ThrottleMember *, borrowed */
    unsigned turn[2];           /* index of the member that goes next */
    Timer timer[2];
    Value *pending;             /* limits as given, until the object is complete; NULL = complete */
    ThrottleGroup *next;
};

OBJECT_DECLARE(ThrottleGroup, THROTTLE_GROUP, throttle_group)

static ThrottleGroup *groups;           /* of both kinds; BQL */

/* --- waiting --- */

/* The member whose turn it is and that has a request waiting; NULL = none has. */
static ThrottleMember *next_member(ThrottleGroup *g, bool is_write)
{
    for (unsigned i = 0; i < g->members->len; i++) {
        unsigned at = (g->turn[is_write] + i) % g->members->len;
        ThrottleMember *m = g_ptr_array_index(g->members, at);

        if (!g_queue_is_empty(&m->waiting[is_write])) {
            g->turn[is_write] = at + 1;
            return m;
        }
    }
    return NULL;
}

static bool anybody_waits(const ThrottleGroup *g, bool is_write)
{
    for (unsigned i = 0; i < g->members->len; i++) {
        const ThrottleMember *m = g_ptr_array_index(g->members, i);

        if (!g_queue_is_empty((GQueue *)&m->waiting[is_write])) {
            return true;
        }
    }
    return false;
}

/* Let go whoever may, then set the timer for the next. */
static void let_go(ThrottleGroup *g, bool is_write)
{
    ThrottleMember *m;

    object_ref(g);
    while (anybody_waits(g, is_write)) {
        int64_t now = clock_get_ns(CLOCK_TYPE_REALTIME);
        int64_t wait = throttle_wait_ns(&g->limits, is_write, now);
        BlockRequest *r;

        if (wait) {
            timer_mod(&g->timer[is_write], now + wait);
            break;
        }
        m = next_member(g, is_write);
        r = g_queue_pop_head(&m->waiting[is_write]);
        throttle_account(&g->limits, is_write, r->bytes);
        block_request_go_on(r);
    }
    object_unref(g);
}

static void on_read_timer(void *opaque)
{
    let_go(opaque, false);
}

static void on_write_timer(void *opaque)
{
    let_go(opaque, true);
}

bool throttle_member_admit(ThrottleMember *m, BlockRequest *r)
{
    bool is_write = block_request_is_write(r);
    ThrottleGroup *g = m->group;

    /* Flushes carry no data, and what is drained does not wait. */
    if (r->kind == BLOCK_FLUSH || !throttle_is_limited(&g->limits) || block_request_is_draining(r)) {
        return true;
    }
    if (!anybody_waits(g, is_write) && !throttle_wait_ns(&g->limits, is_write, clock_get_ns(CLOCK_TYPE_REALTIME))) {
        throttle_account(&g->limits, is_write, r->bytes);
        return true;
    }
    g_queue_push_tail(&m->waiting[is_write], r);
    let_go(g, is_write);
    return false;
}

void throttle_member_release(ThrottleMember *m, const BlockBackend *blk)
{
    for (unsigned dir = 0; dir < 2; dir++) {
        GQueue stay = G_QUEUE_INIT, go = G_QUEUE_INIT;
        BlockRequest *r;

        while ((r = g_queue_pop_head(&m->waiting[dir])) != NULL) {
            g_queue_push_tail(r->blk == blk ? &go : &stay, r);
        }
        m->waiting[dir] = stay;
        while ((r = g_queue_pop_head(&go)) != NULL) {
            throttle_account(&m->group->limits, dir, r->bytes);
            block_request_go_on(r);
        }
    }
}

/* --- members --- */

ThrottleMember *throttle_member_new(ThrottleGroup *g)
{
    ThrottleMember *m = g_new0(ThrottleMember, 1);

    m->group = g;
    g_ptr_array_add(g->members, m);
    return m;
}

void throttle_member_free(ThrottleMember *m)
{
    if (m) {
        assert(g_queue_is_empty(&m->waiting[0]) && g_queue_is_empty(&m->waiting[1]));
        g_ptr_array_remove(m->group->members, m);
        object_unref(m->group);
        g_free(m);
    }
}

ThrottleGroup *throttle_member_group(const ThrottleMember *m)
{
    return m->group;
}

/* --- groups --- */

ThrottleGroup *throttle_group_find(const char *name)
{
    for (ThrottleGroup *g = groups; g; g = g->next) {
        if (!strcmp(g->name, name)) {
            return g;
        }
    }
    return NULL;
}

static void group_list_add(ThrottleGroup *g, const char *name)
{
    g->name = g_strdup(name);
    g->next = groups;
    groups = g;
}

ThrottleGroup *throttle_group_get(const char *name)
{
    ThrottleGroup *g = throttle_group_find(name);

    if (g) {
        return THROTTLE_GROUP(object_ref(g));
    }
    g = THROTTLE_GROUP(object_new(&throttle_group_type));
    g_clear_pointer(&g->pending, value_unref);
    group_list_add(g, name);
    return g;
}

const char *throttle_group_name(const ThrottleGroup *g)
{
    return g->name;
}

const Throttle *throttle_group_limits(const ThrottleGroup *g)
{
    return &g->limits;
}

bool throttle_group_set_limits(ThrottleGroup *g, const QapiThrottleLimits *limits, Error **errp)
{
    if (!throttle_set_limits(&g->limits, limits, errp)) {
        return false;
    }
    let_go(g, false);
    let_go(g, true);
    return true;
}

/* --- the object --- */

/* "x-iops-total" and the others: one number of "limits". */
static const char *limit_of_property(const Property *p)
{
    return p->name + strlen("x-");
}

static Value *limits_value(const ThrottleGroup *g)
{
    QapiThrottleLimits l = { 0 }, *p = &l;

    throttle_get_limits(&g->limits, &l);
    return qapi_to_value(&qapi_type_ThrottleLimits, &p);
}

/* While the object is being made its properties come one by one: what they amount to is checked at the end. */
static bool set_limits_value(ThrottleGroup *g, const Value *v, Error **errp)
{
    g_autoptr(QapiThrottleLimits) l = qapi_parse_throttle_limits(v, QAPI_FROM_TEXT, errp);

    return l && throttle_group_set_limits(g, l, errp);
}

static bool limit_set(Object *obj, const Property *p, const Value *v, Error **errp)
{
    ThrottleGroup *g = THROTTLE_GROUP(obj);

    if (!g->pending) {
        error_setg(errp, "cannot be changed any more; set 'limits'");
        return false;
    }
    value_dict_set(g->pending, limit_of_property(p), value_deep_copy(v));
    return true;
}

static Value *limit_get(Object *obj, const Property *p)
{
    g_autoptr(Value) all = limits_value(THROTTLE_GROUP(obj));

    return value_ref(value_dict_get(all, limit_of_property(p)));
}

static bool group_set_limits(Object *obj, const Property *p, const Value *v, Error **errp)
{
    ThrottleGroup *g = THROTTLE_GROUP(obj);

    if (value_type(v) != VALUE_DICT) {
        error_setg(errp, "expects an object of limits");
        return false;
    }
    if (!g->pending) {
        return set_limits_value(g, v, errp);
    }
    for (size_t i = 0; i < value_dict_len(v); i++) {
        value_dict_set(g->pending, value_dict_key_at(v, i), value_ref(value_dict_value_at(v, i)));
    }
    return true;
}

static Value *group_get_limits(Object *obj, const Property *p)
{
    return limits_value(THROTTLE_GROUP(obj));
}

static void group_init(Object *obj)
{
    ThrottleGroup *g = THROTTLE_GROUP(obj);

    g->pending = value_dict();
    g->members = g_ptr_array_new();
    timer_init(&g->timer[0], CLOCK_TYPE_REALTIME, on_read_timer, g);
    timer_init(&g->timer[1], CLOCK_TYPE_REALTIME, on_write_timer, g);
}

static bool group_complete(Object *obj, Error **errp)
{
    ThrottleGroup *g = THROTTLE_GROUP(obj);
    g_autoptr(Value) given = g_steal_pointer(&g->pending);

    if (throttle_group_find(obj->name)) {
        error_setg(errp, "A group with this name already exists: '%s'", obj->name);
        return false;
    }
    group_list_add(g, obj->name);
    return set_limits_value(g, given, errp);
}

static void group_fini(Object *obj)
{
    ThrottleGroup *g = THROTTLE_GROUP(obj), **link = &groups;

    while (*link && *link != g) {
        link = &(*link)->next;
    }
    if (*link) {
        *link = g->next;
    }
    timer_del(&g->timer[0]);
    timer_del(&g->timer[1]);
    g_ptr_array_unref(g->members);
    value_unref(g->pending);
    g_free(g->name);
}

#define LIMIT(name, text) PROP_CUSTOM(int, "x-" name, limit_get, limit_set, .help = text)
#define LIMITS(unit, of)                                                                      \
    LIMIT(unit "-total", of " a second"), LIMIT(unit "-total-max", of " a second in a burst"), \
    LIMIT(unit "-total-max-length", "seconds that such a burst may last"),                    \
    LIMIT(unit "-read", of " read a second"), LIMIT(unit "-read-max", of " read a second in a burst"), \
    LIMIT(unit "-read-max-length", "seconds that such a burst may last"),                     \
    LIMIT(unit "-write", of " written a second"), LIMIT(unit "-write-max", of " written a second in a burst"), \
    LIMIT(unit "-write-max-length", "seconds that such a burst may last")

static const Property group_properties[] = {
    LIMITS("iops", "requests"), LIMITS("bps", "bytes"),
    LIMIT("iops-size", "a request of more bytes counts as several; 0 = as one"),
    PROP_CUSTOM(any, "limits", group_get_limits, group_set_limits, .help = "all of them", .settable_live = true),
};

TYPE_DEFINE(ThrottleGroup, throttle_group, "throttle-group", object,
    .desc = "limits that devices or nodes share",
    .init = group_init,
    .fini = group_fini,
    .complete = group_complete,
    .properties = PROPS(group_properties),
    .user_creatable = true,
)
