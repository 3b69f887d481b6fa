/*
 * Character devices: the host end (Chardev, by -chardev id) and the guest device's end (CharBackend).
 *
 * Output never blocks the guest for ever and never grows memory: chr_write takes what the host end
 * accepts now and returns how much; the front end keeps the rest in its own fixed FIFO and is called
 * back when there is room.  Main loop, BQL held, unless said otherwise.
 */
#ifndef SYSTEM_CHARDEV_H
#define SYSTEM_CHARDEV_H

#include "util/qom/object.h"

typedef struct Chardev Chardev;
OBJECT_DECLARE(Chardev, CHARDEV, chardev)       /* "chardev", abstract */

typedef enum CharEvent {
    CHAR_EVENT_OPENED, CHAR_EVENT_CLOSED, CHAR_EVENT_BREAK, CHAR_EVENT_MUX_IN, CHAR_EVENT_MUX_OUT,
} CharEvent;

typedef struct CharHandlers {
    /* How many bytes the front end takes now; 0 = stop reading until char_accept_input(). */
    size_t (*can_receive)(void *opaque);
    void (*receive)(void *opaque, const uint8_t *buf, size_t len);
    void (*event)(void *opaque, CharEvent ev);
    void (*writable)(void *opaque);             /* room after a short write; once per short write */
    bool swappable;             /* goes on as it is when the host end is changed (chardev-change) */
    bool opens_later;           /* the guest opens its side: char_set_open() tells */
} CharHandlers;

typedef struct CharBackend {
    Chardev *chr;               /* counted; NULL = none: output discarded, no input */
    const CharHandlers *handlers;
    void *opaque;
    int tag;                    /* mux slot */
    bool open;
} CharBackend;

/* Connect; fails if @chr is taken by another front end (and is no mux). */
bool char_backend_init(CharBackend *be, Chardev *chr, Error **errp) MUST_USE;
void char_backend_deinit(CharBackend *be);
void char_backend_set_handlers(CharBackend *be, const CharHandlers *h, void *opaque);
/* Bytes taken, 0..len; a host end without reader (disconnected socket) takes and drops all. */
size_t char_write(CharBackend *be, const uint8_t *buf, size_t len);
void char_accept_input(CharBackend *be);
/*
 * Is at the host end a terminal whose peer expects to be echoed (a tty, telnet; also behind a multiplexer)?
 * @fd: of it, borrowed, to ask for its size; -1 = none.
 */
bool char_is_terminal(const CharBackend *be, int *fd);
/* The guest opened or closed its side; what query-chardev tells. */
void char_set_open(CharBackend *be, bool open);
void char_set_break(CharBackend *be, bool on);
/*
 * Lend the connection to another thread: duplicates (the caller's) of the descriptors it is read from and written
 * to, both non-blocking.  Until char_return_fds() the front end is given no input, and should write nothing
 * through char_write().  False = this host end has none, or something stands between (a multiplexer, a log).
 */
bool char_can_lend_fds(const CharBackend *be);
/* A connection that is being made: wait for it for @timeout_ms at most. */
void char_wait_open(CharBackend *be, unsigned timeout_ms);
bool char_lend_fds(CharBackend *be, int *in, int *out);
void char_return_fds(CharBackend *be);
/* Descriptors that came by a lent connection, for char_take_fd(); consumed. */
void char_put_fds(CharBackend *be, const int *fds, unsigned n);
/* The oldest descriptor that the host end's peer sent along (SCM_RIGHTS), now the caller's; -1 = none. */
int char_take_fd(CharBackend *be);
/* Close those that nobody took. */
void char_drop_fds(CharBackend *be);

/* "-chardev" dict {backend,id,...} or legacy text ("stdio", "unix:path,server=on", "mon:stdio", "null"). */
Chardev *chardev_new_from_opts(const Value *opts, Error **errp);
Chardev *chardev_new_legacy(const char *id, const char *text, Error **errp);
Chardev *chardev_find(const char *id);
/* -echr: what begins an escape on a multiplexed one. */
void chardev_mux_set_escape(uint8_t c);
bool chardev_is_mux(const Chardev *chr);
bool chardev_remove(const char *id, Error **errp) MUST_USE;
/* A new device in the place of @id, whose front end goes on with it; the new one, borrowed. */
Chardev *chardev_change(const char *id, const Value *opts, Error **errp);
void chardev_cleanup_all(void);     /* restore the terminal, unlink sockets */
/* The process has no terminal any more: stdio is refused from now on. */
void chardev_forbid_stdio(void);

/* A property holding a CharBackend by chardev id. */
extern const PropertyType prop_chardev;
#define PROP_CHARDEV(name, S, field, ...) PROP_(prop_chardev, name, S, field, ##__VA_ARGS__)

#endif
