/*
 * Between the character device core and its back ends.
 *
 * A back end is a type made by CHARDEV_DEFINE.  Its write takes what the host end accepts now; after
 * a short write it calls chardev_writable() once there is room.  It reads only what the front end
 * takes (chardev_can_receive()), and is told by .update that this may have changed.
 */
#ifndef SYSTEM_CHARDEV_INTERNAL_H
#define SYSTEM_CHARDEV_INTERNAL_H

#include "qapi/qapi-types.h"
#include "system/chardev.h"

typedef struct ChardevClass {
    struct ObjectInfo;
    QapiChardevDriver backend;
    bool (*open)(Chardev *c, const QapiChardevOptions *o, Error **errp);
    void (*close)(Chardev *c);                  /* copes with a failed open */
    size_t (*write)(Chardev *c, const uint8_t *buf, size_t len);
    void (*update)(Chardev *c);                 /* watch for input or for room, or no longer */
    void (*fds)(Chardev *c, int *in, int *out);     /* of the connection, to be lent; NULL = none */
    void (*wait_open)(Chardev *c, unsigned timeout_ms);     /* until a connection that is being made is there; NULL = none is ever */
    char *(*filename)(Chardev *c);              /* for humans; NULL = the back end's name */
    /* Multiplexers take several front ends. */
    bool (*attach)(Chardev *c, CharBackend *be, Error **errp);
    void (*detach)(Chardev *c, CharBackend *be);
    void (*handlers_set)(Chardev *c, CharBackend *be);
    size_t (*write_from)(Chardev *c, CharBackend *be, const uint8_t *buf, size_t len);
    void (*accept_from)(Chardev *c, CharBackend *be);
} ChardevClass;

#define CHARDEV_MAX_FDS 16      /* that may wait; of one message QEMU takes as many */

struct Chardev {
    Object obj;
    char *label;
    CharBackend *fe;            /* borrowed; NULL = none */
    bool is_open;               /* the host end has somebody */
    bool short_write;           /* the front end waits for room */
    bool closing;
    bool translates;            /* (telnet) what goes over the descriptor is not what the front end sees */
    bool lent;                  /* another thread reads and writes the connection */
    int log_fd;                 /* -1 = none */
    int fds[CHARDEV_MAX_FDS];   /* sent along by the peer, not yet taken */
    unsigned n_fds;
};

#define CHARDEV_DEFINE(CType, snake, type_name, parent_snake, ...) \
    TYPE_DEFINE_FAMILY(ChardevClass, CType, snake, type_name, parent_snake, false, __VA_ARGS__)

static inline const ChardevClass *chardev_class(const Chardev *c)
{
    return (const ChardevClass *)c->obj.type->info;
}

/* --- for back ends --- */

size_t chardev_can_receive(Chardev *c);
void chardev_receive(Chardev *c, const uint8_t *buf, size_t len);
void chardev_event(Chardev *c, CharEvent ev);
void chardev_writable(Chardev *c);
/* The peer is gone, and what it sent along and nobody took goes with it. */
void chardev_drop_fds(Chardev *c);

/* --- back ends that are file descriptors --- */

typedef struct FdChardev {
    Chardev chr;
    int in, out;                /* -1 = none; may be the same */
    int in_flags, out_flags;    /* as found, put back on closing; -1 = not ours to restore */
    bool owned;                 /* close on closing */
    bool in_ended;
    bool stalled;               /* the last write was short */
} FdChardev;

OBJECT_DECLARE(FdChardev, FD_CHARDEV, chardev_fd)   /* "chardev-fd", abstract */
/* Take descriptors over and make them non-blocking. */
void fd_chardev_setup(FdChardev *f, int in, int out, bool owned);
void fd_chardev_close(Chardev *c);
size_t fd_chardev_write(Chardev *c, const uint8_t *buf, size_t len);
void fd_chardev_update(Chardev *c);
void fd_chardev_fds(Chardev *c, int *in, int *out);

/* --- between files --- */

Chardev *chardev_new(const QapiChardevOptions *o, Error **errp);
/* The multiplexer "ID" over @base. */
Chardev *mux_new(const char *id, Chardev *base, Error **errp);
/* What it is over, borrowed. */
Chardev *mux_base(const Chardev *c);
/* Has it a front end? */
bool mux_is_busy(const Chardev *c);
const char *pty_name(const Chardev *c);
size_t ringbuf_read(Chardev *c, uint8_t *buf, size_t len);

/* What the telnet protocol needs to know of a connection (telnet.c). */
typedef struct Telnet {
    unsigned state;
    unsigned breaks;            /* seen, not told yet */
} Telnet;

#define TELNET_GREETING_BYTES 12
extern const uint8_t telnet_greeting[TELNET_GREETING_BYTES];
/* Take commands out of @buf; bytes left. */
size_t telnet_decode(Telnet *t, uint8_t *buf, size_t len);

#endif
