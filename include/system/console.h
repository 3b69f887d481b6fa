/*
 * Graphic consoles: what display adapters draw on and what shows it.
 *
 * An adapter makes one Console per head and keeps its picture in the console's surface, 32-bit
 * x8r8g8b8 pixels in the host's byte order.  It draws only when asked (.update): by a screenshot, or
 * by a display server's timer while somebody looks.  So a guest that nobody watches costs nothing.
 *
 * Locks: BQL.  Listeners are called with it held.
 */
#ifndef SYSTEM_CONSOLE_H
#define SYSTEM_CONSOLE_H

#include "hw/core/qdev.h"

/* Every console can show as much: 1920x1080. */
#define CONSOLE_BYTES_MIN   (8 * MiB)

typedef struct Console Console;
typedef struct ConsoleListener ConsoleListener;

typedef struct ConsoleOps {
    /* Bring the surface up to date; tells what changed by console_resize and console_changed. */
    void (*update)(void *opaque);
    /* The surface was lost or somebody new looks: draw all of it at the next update. */
    void (*invalidate)(void *opaque);
} ConsoleOps;

/* The picture.  Owned by the console; at another resolution after console_resize. */
typedef struct ConsoleSurface {
    unsigned width, height;
    unsigned stride;                    /* pixels from one row to the next */
    uint32_t *pixels;
} ConsoleSurface;

struct ConsoleListener {
    void (*resized)(ConsoleListener *l, Console *c);
    void (*changed)(ConsoleListener *l, Console *c, unsigned x, unsigned y, unsigned width, unsigned height);
    void (*gone)(ConsoleListener *l, Console *c);       /* the console is about to be freed */
};

/*
 * The most that pictures of an adapter take which has @vram bytes: enough for what 32 bits a pixel can show
 * (@depths = 1), or 16 (@depths = 2).
 */
static inline uint64_t console_bytes(uint64_t vram, unsigned depths)
{
    return MAX(vram * depths, CONSOLE_BYTES_MIN);
}

/*
 * A head of @device (borrowed; must outlive the console).  Shows 640x480 of black at first.  Its pictures never take
 * more than @max_bytes, CONSOLE_BYTES_MIN or more; NULL and @errp if the process may not have as much.
 */
Console *console_new(Device *device, unsigned head, uint64_t max_bytes, const ConsoleOps *ops, void *opaque, Error **errp);
/* A head of nothing, which stays black; never fails. */
Console *console_new_empty(void);
void console_free(Console *c);
uint64_t console_max_bytes(const Console *c);

/* Is there room for that many pixels? */
bool console_fits(const Console *c, unsigned width, unsigned height);
/* A new, black surface, unless it has this size already.  It fits. */
void console_resize(Console *c, unsigned width, unsigned height);
/* These pixels of the surface changed. */
void console_changed(Console *c, unsigned x, unsigned y, unsigned width, unsigned height);
const ConsoleSurface *console_surface(const Console *c);

void console_update(Console *c);
void console_invalidate(Console *c);

/* NULL if there is no adapter. */
Console *console_of_first_device(void);
/* The @head of the device @id (NULL: of the first adapter).  NULL and @errp if there is none. */
Console *console_find(const char *id, unsigned head, Error **errp);
/* In the order of their making; NULL beyond the last. */
Console *console_by_index(unsigned i);
Device *console_device(const Console *c);

/* For all consoles, present and future. */
void console_listener_add(ConsoleListener *l);
void console_listener_remove(ConsoleListener *l);

#endif
