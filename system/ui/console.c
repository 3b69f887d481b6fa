/*
 * Graphic consoles: the list of heads, their surfaces, and who listens.
 *
 * A surface is addresses for the largest picture, in which the present one lies; what it does not use is not in memory.
 */
#include "system/console.h"

#include "qapi/qapi-commands.h"
#include "util/account.h"

#include <sys/mman.h>

struct Console {
    Device *device;             /* borrowed */
    unsigned head;
    const ConsoleOps *ops;
    void *opaque;
    uint64_t max_bytes;         /* of its pictures */
    ConsoleSurface surface;
};

static GPtrArray *consoles;     /* of Console *, in the order of their making; BQL */
static GPtrArray *listeners;    /* of ConsoleListener *; BQL */

#define FOR_LISTENERS(l) \
    for (unsigned i_ = 0; listeners && i_ < listeners->len && ((l) = g_ptr_array_index(listeners, i_)); i_++)

/* --- memory --- */

static uint64_t surfaces_bound(void *opaque)
{
    uint64_t sum = 0;
    Console *c;

    for (unsigned i = 0; (c = console_by_index(i)); i++) {
        sum += c->max_bytes;
    }
    return sum;
}

static uint64_t surfaces_present(void *opaque)
{
    uint64_t sum = 0;
    Console *c;

    for (unsigned i = 0; (c = console_by_index(i)); i++) {
        sum += memory_resident(c->surface.pixels, c->max_bytes);
    }
    return sum;
}

static MemoryAccount account = { .name = "display/surfaces", .bound = surfaces_bound, .present = surfaces_present };

static size_t picture_bytes(unsigned width, unsigned height)
{
    return ROUND_UP((size_t)width * height * sizeof(uint32_t), 4096);
}

bool console_fits(const Console *c, unsigned width, unsigned height)
{
    return picture_bytes(width, height) <= c->max_bytes;
}

uint64_t console_max_bytes(const Console *c)
{
    return c->max_bytes;
}

static void *map_surface(uint64_t max_bytes, Error **errp)
{
    void *p = mmap(NULL, max_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED) {
        error_setg_errno(errp, errno, "cannot reserve %" PRIu64 " bytes of addresses for a picture", max_bytes);
        return NULL;
    }
    return p;
}

/* --- life --- */

static Console *new_console(Device *device, uint64_t max_bytes, const ConsoleOps *ops, Error **errp)
{
    uint32_t *pixels = map_surface(max_bytes, errp);
    Console *c = pixels ? g_new0(Console, 1) : NULL;

    if (!c) {
        return NULL;
    }
    *c = (Console){ .device = device, .ops = ops, .max_bytes = max_bytes, .surface = { .pixels = pixels } };
    if (!consoles) {
        consoles = g_ptr_array_new();
    }
    if (!consoles->len) {
        memory_account_add(&account);
    }
    g_ptr_array_add(consoles, c);
    console_resize(c, 640, 480);
    return c;
}

Console *console_new(Device *device, unsigned head, uint64_t max_bytes, const ConsoleOps *ops, void *opaque, Error **errp)
{
    Console *c = memory_allow(account.name, max_bytes, errp) ? new_console(device, max_bytes, ops, errp) : NULL;

    if (c) {
        c->head = head;
        c->opaque = opaque;
    }
    return c;
}

static void no_update(void *opaque)
{
}

Console *console_new_empty(void)
{
    static const ConsoleOps nothing = { .update = no_update, .invalidate = no_update };

    return new_console(NULL, CONSOLE_BYTES_MIN, &nothing, &error_abort);
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
    if (!consoles->len) {
        memory_account_remove(&account);
    }
    munmap(c->surface.pixels, c->max_bytes);
    g_free(c);
}

void console_resize(Console *c, unsigned width, unsigned height)
{
    ConsoleListener *l;

    assert(width && height && console_fits(c, width, height));
    if (c->surface.width == width && c->surface.height == height) {
        return;
    }
    madvise(c->surface.pixels, c->max_bytes, MADV_DONTNEED);
    c->surface = (ConsoleSurface){ width, height, width, c->surface.pixels };
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

Console *console_of_first_device(void)
{
    Console *c;

    for (unsigned i = 0; (c = console_by_index(i)) && !c->device; i++) {
    }
    return c;
}

Console *console_find(const char *id, unsigned head, Error **errp)
{
    Console *first = console_of_first_device(), *c;
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
