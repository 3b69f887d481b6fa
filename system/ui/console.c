/*
 * Graphic consoles: the list of heads, their surfaces, and who listens.
 */
#include "system/console.h"

#include "qapi/qapi-commands.h"

struct Console {
    Device *device;             /* borrowed */
    unsigned head;
    const ConsoleOps *ops;
    void *opaque;
    ConsoleSurface surface;
};

static GPtrArray *consoles;     /* of Console *, in the order of their making; BQL */
static GPtrArray *listeners;    /* of ConsoleListener *; BQL */

#define FOR_LISTENERS(l) \
    for (unsigned i_ = 0; listeners && i_ < listeners->len && ((l) = g_ptr_array_index(listeners, i_)); i_++)

Console *console_new(Device *device, unsigned head, const ConsoleOps *ops, void *opaque)
{
    Console *c = g_new0(Console, 1);

    c->device = device;
    c->head = head;
    c->ops = ops;
    c->opaque = opaque;
    if (!consoles) {
        consoles = g_ptr_array_new();
    }
    g_ptr_array_add(consoles, c);
    console_resize(c, 640, 480);
    return c;
}

QapiDisplayOptions *qmp_query_display_options(Error **errp)
{
    return g_new0(QapiDisplayOptions, 1);       /* none: there is no other */
}

void console_free(Console *c)
{
    ConsoleListener *l;

    FOR_LISTENERS(l) {
        l->gone(l, c);
    }
    g_ptr_array_remove(consoles, c);
    g_free(c->surface.pixels);
    g_free(c);
}

void console_resize(Console *c, unsigned width, unsigned height)
{
    ConsoleListener *l;

    assert(width && height && width <= CONSOLE_MAX_WIDTH && height <= CONSOLE_MAX_HEIGHT);
    if (c->surface.width == width && c->surface.height == height) {
        return;
    }
    g_free(c->surface.pixels);
    c->surface = (ConsoleSurface){ width, height, width, g_new0(uint32_t, (size_t)width * height) };
    FOR_LISTENERS(l) {
        l->resized(l, c);
    }
}

void console_changed(Console *c, unsigned x, unsigned y, unsigned width, unsigned height)
{
    ConsoleListener *l;

    FOR_LISTENERS(l) {
        l->changed(l, c, x, y, width, height);
    }
}

const ConsoleSurface *console_surface(const Console *c)
{
    return &c->surface;
}

Device *console_device(const Console *c)
{
    return c->device;
}

void console_update(Console *c)
{
    c->ops->update(c->opaque);
}

void console_invalidate(Console *c)
{
    c->ops->invalidate(c->opaque);
}

Console *console_by_index(unsigned i)
{
    return consoles && i < consoles->len ? g_ptr_array_index(consoles, i) : NULL;
}

static Console *head_of(const Device *dev, unsigned head)
{
    Console *c;

    for (unsigned i = 0; (c = console_by_index(i)); i++) {
        if (c->device == dev && c->head == head) {
            return c;
        }
    }
    return NULL;
}

Console *console_find(const char *id, unsigned head, Error **errp)
{
    Console *first = console_by_index(0), *c;
    Device *dev;

    if (!first) {
        error_setg(errp, "There is no console to take a screendump from");
        return NULL;
    }
    dev = id ? device_find(id, errp) : first->device;
    if (!dev) {
        return NULL;
    }
    c = head_of(dev, head);
    if (!c) {
        error_setg(errp, "Device '%s' has no head %u", id ? id : dev->obj.type->name, head);
    }
    return c;
}

void console_listener_add(ConsoleListener *l)
{
    if (!listeners) {
        listeners = g_ptr_array_new();
    }
    g_ptr_array_add(listeners, l);
}

void console_listener_remove(ConsoleListener *l)
{
    g_ptr_array_remove(listeners, l);
}
