/*
 * send-key, input-send-event and query-mice.
 *
 * Keys of several send-key commands follow one another: each holds its keys for its time before the
 * next begins.  Time is the guest's, so that a stopped guest loses nothing.
 */
#include "qapi/qapi-commands.h"
#include "system/console.h"
#include "system/input.h"
#include "util/timer.h"

#define KEYS_MAX        64      /* of one command: more than a keyboard reports */
#define QUEUE_MAX       64      /* commands */
#define HOLD_MS         100
#define HOLD_MAX_MS     60000

/* One send-key. */
typedef struct Chord {
    uint8_t code[KEYS_MAX];
    unsigned n;
    int64_t hold_ms;
} Chord;

static struct {
    Timer timer;
    GQueue chords;              /* of Chord *, owned; the head is down while @down */
    bool ready, down;
} queue;

static void chord_press(const Chord *c)
{
    for (unsigned i = 0; i < c->n; i++) {
        input_key(c->code[i], true);
    }
    queue.down = true;
    timer_mod(&queue.timer, clock_get_ns(CLOCK_TYPE_VIRTUAL) + c->hold_ms * 1000000);
}

static void chord_release(Chord *c)
{
    for (unsigned i = c->n; i-- > 0; ) {
        input_key(c->code[i], false);
    }
    queue.down = false;
    g_free(c);
}

/* The head's time is over: release it, wait as long again, press the next. */
static void queue_step(void *opaque)
{
    Chord *c = queue.down ? g_queue_pop_head(&queue.chords) : NULL;

    if (c) {
        timer_mod(&queue.timer, clock_get_ns(CLOCK_TYPE_VIRTUAL) + c->hold_ms * 1000000);
        chord_release(c);
    } else if (!g_queue_is_empty(&queue.chords)) {
        chord_press(g_queue_peek_head(&queue.chords));
    }
}

static bool key_code(const QapiKeyValue *key, uint8_t *code, Error **errp)
{
    int64_t n = key->type == QAPI_KEY_VALUE_TYPE_NUMBER ? key->u.number.data : input_code_of_qcode(key->u.qcode.data);

    if (n < 1 || n > 0xff) {
        error_setg(errp, "a key's number must be 1..255, got %" PRId64, n);
        return false;
    }
    *code = (uint8_t)n;
    return true;
}

bool qmp_send_key(const QapiSendKeyArgs *args, Error **errp)
{
    g_autofree Chord *c = g_new0(Chord, 1);

    c->hold_ms = args->has_hold_time ? args->hold_time : HOLD_MS;
    if (args->keys->len > KEYS_MAX || c->hold_ms < 0 || c->hold_ms > HOLD_MAX_MS) {
        error_setg(errp, "at most %d keys may be held for 0..%d ms, got %zu for %" PRId64, KEYS_MAX, HOLD_MAX_MS,
                   args->keys->len, c->hold_ms);
        return false;
    }
    if (queue.chords.length == QUEUE_MAX) {
        error_setg(errp, "%d commands are waiting for their keys to be sent", QUEUE_MAX);
        return false;
    }
    for (; c->n < args->keys->len; c->n++) {
        if (!key_code(&args->keys->at[c->n], &c->code[c->n], errp)) {
            return false;
        }
    }
    if (!queue.ready) {
        timer_init(&queue.timer, CLOCK_TYPE_VIRTUAL, queue_step, NULL);
        queue.ready = true;
    }
    g_queue_push_tail(&queue.chords, g_steal_pointer(&c));
    if (!timer_pending(&queue.timer)) {
        queue_step(NULL);
    }
    return true;
}

/* --- events --- */

/* Which handlers an event needs; 0 and @errp if it is wrong in itself. */
static unsigned event_needs(const QapiInputEvent *e, Error **errp)
{
    uint8_t code;

    switch (e->type) {
    case QAPI_INPUT_EVENT_TYPE_KEY:
        return key_code(e->u.key.data->key, &code, errp) ? INPUT_KEYS : 0;
    case QAPI_INPUT_EVENT_TYPE_BTN:
        return INPUT_RELATIVE | INPUT_ABSOLUTE;
    case QAPI_INPUT_EVENT_TYPE_REL:
        return INPUT_RELATIVE;
    default:
        return INPUT_ABSOLUTE;
    }
}

static bool is_taken(unsigned kinds)
{
    InputHandler *h;

    for (unsigned i = 0; (h = input_handler_by_index(i)); i++) {
        if (h->takes & kinds) {
            return true;
        }
    }
    return false;
}

static void send_button(const QapiInputBtnEvent *b)
{
    switch (b->button) {
    case QAPI_INPUT_BUTTON_WHEEL_UP:
    case QAPI_INPUT_BUTTON_WHEEL_DOWN:
        input_wheel(!b->down ? 0 : b->button == QAPI_INPUT_BUTTON_WHEEL_UP ? -1 : 1, 0);
        break;
    case QAPI_INPUT_BUTTON_WHEEL_LEFT:
    case QAPI_INPUT_BUTTON_WHEEL_RIGHT:
        input_wheel(0, !b->down ? 0 : b->button == QAPI_INPUT_BUTTON_WHEEL_LEFT ? -1 : 1);
        break;
    default:
        input_buttons(b->down ? 1u << b->button : 0, b->down ? 0 : 1u << b->button);
        break;
    }
}

static void send_event(const QapiInputEvent *e, int *x, int *y)
{
    const QapiInputMoveEvent *move;
    uint8_t code;
    int value;

    switch (e->type) {
    case QAPI_INPUT_EVENT_TYPE_KEY:
        if (key_code(e->u.key.data->key, &code, NULL)) {
            input_key(code, e->u.key.data->down);
        }
        break;
    case QAPI_INPUT_EVENT_TYPE_BTN:
        send_button(e->u.btn.data);
        break;
    default:
        move = e->type == QAPI_INPUT_EVENT_TYPE_REL ? e->u.rel.data : e->u.abs.data;
        value = (int)CLAMP(move->value, -INPUT_ABS_MAX, INPUT_ABS_MAX);
        if (e->type == QAPI_INPUT_EVENT_TYPE_REL) {
            input_motion(move->axis == QAPI_INPUT_AXIS_X ? value : 0, move->axis == QAPI_INPUT_AXIS_Y ? value : 0);
            break;
        }
        *(move->axis == QAPI_INPUT_AXIS_X ? x : y) = value;
        input_position(*x, *y);
        break;
    }
}

bool qmp_input_send_event(const QapiInputSendEventArgs *args, Error **errp)
{
    static int x, y;            /* an event moves one axis; the other stays */

    if (args->device && !console_find(args->device, args->has_head ? args->head : 0, errp)) {
        return false;
    }
    for (size_t i = 0; i < args->events->len; i++) {
        Error *err = NULL;
        unsigned needs = event_needs(&args->events->at[i], &err);

        if (err) {
            error_propagate(errp, err);
            return false;
        }
        if (!is_taken(needs)) {
            error_setg(errp, "Input handler not found for event type %s",
                       qapi_type_InputEventType.values[args->events->at[i].type]);
            return false;
        }
    }
    for (size_t i = 0; i < args->events->len; i++) {
        send_event(&args->events->at[i], &x, &y);
    }
    input_sync();
    return true;
}

QapiMouseInfoList *qmp_query_mice(Error **errp)
{
    QapiMouseInfoList *list = g_new0(QapiMouseInfoList, 1);
    bool current = true;
    InputHandler *h;

    for (unsigned i = 0; (h = input_handler_by_index(i)); i++) {
        if (h->takes & (INPUT_RELATIVE | INPUT_ABSOLUTE)) {
            QapiMouseInfo *m = QAPI_LIST_APPEND(list);

            m->name = g_strdup(h->name);
            m->index = h->index;
            m->absolute = h->takes & INPUT_ABSOLUTE;
            m->current = current;
            current = false;
        }
    }
    return list;
}
