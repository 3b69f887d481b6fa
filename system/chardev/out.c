/*
 * A front end's output on its way.
 */
#include "system/char-out.h"

static size_t waiting(const CharOut *o)
{
    return o->text->len - o->done;
}

void char_out_init(CharOut *o, CharBackend *be, size_t high)
{
    *o = (CharOut){ .be = be, .high = high, .text = g_string_new(NULL) };
}

void char_out_fini(CharOut *o)
{
    g_string_free(o->text, true);
    o->text = NULL;
}

bool char_out_is_full(const CharOut *o)
{
    return waiting(o) >= o->high;
}

/* What was written goes in one piece, now and then. */
static void compact(CharOut *o)
{
    if (!waiting(o)) {
        g_string_truncate(o->text, 0);
        o->done = 0;
    } else if (o->done > o->high) {
        g_string_erase(o->text, 0, (gssize)o->done);
        o->done = 0;
    }
}

void char_out_flush(CharOut *o)
{
    bool was_full = char_out_is_full(o);

    if (!o->stalled && waiting(o)) {
        o->done += char_write(o->be, (const uint8_t *)o->text->str + o->done, waiting(o));
        o->stalled = waiting(o) > 0;
    }
    compact(o);
    if (was_full && !char_out_is_full(o)) {
        char_accept_input(o->be);
    }
}

void char_out_writable(CharOut *o)
{
    o->stalled = false;
    char_out_flush(o);
}

void char_out_clear(CharOut *o)
{
    g_string_truncate(o->text, 0);
    o->done = 0;
    o->stalled = false;
}
