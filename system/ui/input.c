/*
 * Input handlers and the state of the pointer between two syncs.
 */
#include "system/input.h"

static GPtrArray *handlers;     /* of InputHandler *, activated last first; BQL */
static unsigned next_index;
static PointerState pending;    /* since the last sync; buttons and position stay */
static unsigned pointer_changed;   /* bit k: something for a handler of kinds k */

void input_handler_add(InputHandler *h)
{
    if (!handlers) {
        handlers = g_ptr_array_new();
    }
    h->index = next_index++;
    g_ptr_array_insert(handlers, 0, h);
}

void input_handler_remove(InputHandler *h)
{
    g_ptr_array_remove(handlers, h);
}

void input_handler_activate(InputHandler *h)
{
    g_ptr_array_remove(handlers, h);
    g_ptr_array_insert(handlers, 0, h);
}

InputHandler *input_handler_by_index(unsigned i)
{
    return handlers && i < handlers->len ? g_ptr_array_index(handlers, i) : NULL;
}

static InputHandler *handler_for(unsigned kinds)
{
    InputHandler *h;

    for (unsigned i = 0; (h = input_handler_by_index(i)); i++) {
        if (h->takes & kinds) {
            return h;
        }
    }
    return NULL;
}

bool input_key(unsigned code, bool down)
{
    InputHandler *h = handler_for(INPUT_KEYS);

    if (h) {
        h->key(h->opaque, code, down);
    }
    return h;
}

bool input_is_absolute(void)
{
    InputHandler *h = handler_for(INPUT_RELATIVE | INPUT_ABSOLUTE);

    return h && h->takes & INPUT_ABSOLUTE;
}

/* Note a change that a handler of @kinds will be told of. */
static bool note(unsigned kinds)
{
    pointer_changed |= handler_for(kinds) ? 1u << kinds : 0;
    return handler_for(kinds);
}

bool input_motion(int dx, int dy)
{
    pending.dx = CLAMP((int64_t)pending.dx + dx, -INPUT_ABS_MAX, INPUT_ABS_MAX);
    pending.dy = CLAMP((int64_t)pending.dy + dy, -INPUT_ABS_MAX, INPUT_ABS_MAX);
    return note(INPUT_RELATIVE);
}

bool input_position(int x, int y)
{
    pending.x = CLAMP(x, 0, INPUT_ABS_MAX);
    pending.y = CLAMP(y, 0, INPUT_ABS_MAX);
    return note(INPUT_ABSOLUTE);
}

bool input_buttons(unsigned set, unsigned clear)
{
    pending.buttons = (pending.buttons | set) & ~clear;
    return note(INPUT_RELATIVE | INPUT_ABSOLUTE);
}

bool input_wheel(int down, int right)
{
    pending.wheel = CLAMP(pending.wheel + down, -128, 127);
    pending.hwheel = CLAMP(pending.hwheel + right, -128, 127);
    return note(INPUT_RELATIVE | INPUT_ABSOLUTE);
}

/* Motion goes to who takes that kind of it, all else to the active pointer: which may be two devices. */
void input_sync(void)
{
    static const unsigned kinds[] = { INPUT_RELATIVE | INPUT_ABSOLUTE, INPUT_RELATIVE, INPUT_ABSOLUTE };
    const PointerState only_motion = { .dx = pending.dx, .dy = pending.dy, .x = pending.x, .y = pending.y };
    InputHandler *active = handler_for(kinds[0]);
    bool active_told = false;

    for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
        InputHandler *h = pointer_changed >> kinds[i] & 1 ? handler_for(kinds[i]) : NULL;

        if (h && (h != active || !active_told)) {
            active_told |= h == active;
            h->pointer(h->opaque, h == active ? &pending : &only_motion);
        }
    }
    pending.dx = pending.dy = pending.wheel = pending.hwheel = 0;
    pointer_changed = 0;
}
