/*
 * VNC connections: events from the library's threads to the main loop, and their effect there.
 *
 * Each connection has threads of the library, so that a client that reads slowly stops nobody.  Their
 * callbacks touch nothing but what is constant or atomic: they post events, bounded in number, to the
 * main loop; pointer motion and keys beyond the bound are dropped, comings and goings never.
 */
#include "vnc-internal.h"

#include "qapi/qapi-events.h"
#include "system/input.h"
#include "util/main-loop.h"

#include <errno.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#define PENDING_MAX         256
#define REFRESH_NS          (33 * 1000 * 1000)

typedef enum VncEventKind { VNC_EVENT_COME, VNC_EVENT_READY, VNC_EVENT_GONE, VNC_EVENT_KEY, VNC_EVENT_POINTER } VncEventKind;

typedef struct VncEvent {
    VncServer *server;
    rfbClientPtr rfb;           /* names the connection; only compared once it is gone */
    VncEventKind kind;
    uint32_t keysym;
    bool down;
    int x, y;
    unsigned mask;
    char *host, *service;       /* of a new one; owned */
    QapiNetworkAddressFamily family;
} VncEvent;

/* --- on the main loop --- */

static VncClient *client_find(const VncServer *s, rfbClientPtr rfb)
{
    for (unsigned i = 0; i < s->clients->len; i++) {
        VncClient *c = g_ptr_array_index(s->clients, i);

        if (c->rfb == rfb) {
            return c;
        }
    }
    return NULL;
}

static QapiVncServerInfo server_info(const VncServer *s)
{
    return (QapiVncServerInfo){
        .host = s->host, .service = s->service, .family = s->family, .auth = (char *)(s->password_wanted ? "vnc" : "none"),
    };
}

static void client_came(VncServer *s, VncEvent *e)
{
    VncClient *c = g_new0(VncClient, 1);
    QapiVncServerInfo server = server_info(s);
    QapiVncBasicInfo info = { .host = e->host, .service = e->service, .family = e->family };

    c->server = s;
    c->rfb = e->rfb;
    c->info = (QapiVncClientInfo){
        .host = g_steal_pointer(&e->host), .service = g_steal_pointer(&e->service), .family = e->family,
    };
    g_ptr_array_add(s->clients, c);
    qapi_event_send_vnc_connected(&server, &info);
}

/* The picture may be old: nobody looked so far. */
static void client_ready(VncServer *s, VncClient *c)
{
    QapiVncServerInfo server = server_info(s);

    if (!c->initialized) {
        c->initialized = true;
        qapi_event_send_vnc_initialized(&server, &c->info);
        if (!timer_pending(&s->refresh)) {
            vnc_refresh(s);
        }
    }
}

static void release_keys(VncServer *s)
{
    for (unsigned code = 1; code < 256; code++) {
        if (s->held[code / 32] >> (code % 32) & 1) {
            input_key(code, false);
        }
    }
    memset(s->held, 0, sizeof(s->held));
}

static void client_went(VncServer *s, VncClient *c)
{
    QapiVncServerInfo server = server_info(s);

    qapi_event_send_vnc_disconnected(&server, &c->info);
    if (c->buttons) {
        input_buttons(0, ~0u);
        input_sync();
    }
    g_free(c->info.host);
    g_free(c->info.service);
    g_ptr_array_remove(s->clients, c);
    g_free(c);
    if (!s->clients->len) {
        release_keys(s);
    }
}

static void key_event(VncServer *s, uint32_t keysym, bool down)
{
    unsigned code = input_code_of_keysym(keysym);

    if (code) {
        s->held[code / 32] = (s->held[code / 32] & ~(1u << code % 32)) | (uint32_t)down << code % 32;
        input_key(code, down);
    }
}

static void pointer_event(VncServer *s, VncClient *c, const VncEvent *e)
{
    static const unsigned buttons[3] = { INPUT_BUTTON_LEFT, INPUT_BUTTON_MIDDLE, INPUT_BUTTON_RIGHT };
    const ConsoleSurface *surface = console_surface(s->console);
    unsigned pressed = e->mask & ~c->buttons, set = 0;

    if (input_is_absolute()) {
        input_position((int)((int64_t)e->x * INPUT_ABS_MAX / MAX(surface->width - 1, 1)),
                       (int)((int64_t)e->y * INPUT_ABS_MAX / MAX(surface->height - 1, 1)));
    } else {
        input_motion(e->x - s->x, e->y - s->y);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(buttons); i++) {
        set |= e->mask >> i & 1 ? buttons[i] : 0;
    }
    input_buttons(set, ~set);
    input_wheel((pressed & 0x10 ? 1 : 0) - (pressed & 0x08 ? 1 : 0), (pressed & 0x40 ? 1 : 0) - (pressed & 0x20 ? 1 : 0));
    input_sync();
    s->x = e->x;
    s->y = e->y;
    c->buttons = e->mask;
}

static void event_arrived(void *opaque)
{
    VncEvent *e = opaque;
    VncServer *s = e->server;
    VncClient *c = client_find(s, e->rfb);

    __atomic_fetch_sub(&s->n_pending, 1, __ATOMIC_RELAXED);
    if (e->kind == VNC_EVENT_COME) {
        client_came(s, e);
    } else if (c && e->kind == VNC_EVENT_READY) {
        client_ready(s, c);
    } else if (c && e->kind == VNC_EVENT_GONE) {
        client_went(s, c);
    } else if (c && e->kind == VNC_EVENT_KEY) {
        key_event(s, e->keysym, e->down);
    } else if (c && e->kind == VNC_EVENT_POINTER) {
        pointer_event(s, c, e);
    }
    g_free(e->host);
    g_free(e->service);
    g_free(e);
}

void vnc_refresh(void *opaque)
{
    VncServer *s = opaque;

    if (s->clients->len) {
        console_update(s->console);
        timer_mod(&s->refresh, clock_get_ns(CLOCK_TYPE_REALTIME) + REFRESH_NS);
    }
}

/* --- on the library's threads --- */

static void post(VncServer *s, const VncEvent *event)
{
    bool may_drop = event->kind == VNC_EVENT_KEY || event->kind == VNC_EVENT_POINTER;

    if (__atomic_add_fetch(&s->n_pending, 1, __ATOMIC_RELAXED) > PENDING_MAX && may_drop) {
        __atomic_fetch_sub(&s->n_pending, 1, __ATOMIC_RELAXED);
        return;
    }
    bh_schedule_once(event_arrived, g_memdup2(event, sizeof(*event)));
}

static VncServer *server_of(rfbClientPtr rfb)
{
    return rfb->screen->screenData;
}

static void on_key(rfbBool down, rfbKeySym keysym, rfbClientPtr rfb)
{
    post(server_of(rfb), &(VncEvent){
        .server = server_of(rfb), .rfb = rfb, .kind = VNC_EVENT_KEY, .keysym = keysym, .down = down,
    });
}

static void on_pointer(int mask, int x, int y, rfbClientPtr rfb)
{
    post(server_of(rfb), &(VncEvent){
        .server = server_of(rfb), .rfb = rfb, .kind = VNC_EVENT_POINTER, .mask = mask, .x = x, .y = y,
    });
}

/* Called before each update of a client; only the first is told. */
static void on_display(rfbClientPtr rfb)
{
    if (!rfb->clientData) {
        rfb->clientData = rfb;
        post(server_of(rfb), &(VncEvent){ .server = server_of(rfb), .rfb = rfb, .kind = VNC_EVENT_READY });
    }
}

static void on_gone(rfbClientPtr rfb)
{
    VncServer *s = server_of(rfb);

    __atomic_fetch_sub(&s->n_clients, 1, __ATOMIC_RELAXED);
    post(s, &(VncEvent){ .server = s, .rfb = rfb, .kind = VNC_EVENT_GONE });
}

static void name_peer(int fd, VncEvent *e)
{
    struct sockaddr_storage sa = { 0 };
    socklen_t len = sizeof(sa);
    char host[NI_MAXHOST] = "", service[NI_MAXSERV] = "";

    if (getpeername(fd, (struct sockaddr *)&sa, &len) == 0 && sa.ss_family != AF_UNIX) {
        getnameinfo((struct sockaddr *)&sa, len, host, sizeof(host), service, sizeof(service), NI_NUMERICHOST | NI_NUMERICSERV);
    }
    e->family = sa.ss_family == AF_INET6 ? QAPI_NETWORK_ADDRESS_FAMILY_IPV6 :
                sa.ss_family == AF_INET ? QAPI_NETWORK_ADDRESS_FAMILY_IPV4 : QAPI_NETWORK_ADDRESS_FAMILY_UNIX;
    e->host = g_strdup(host);
    e->service = g_strdup(service);
}

static enum rfbNewClientAction on_new(rfbClientPtr rfb)
{
    VncServer *s = server_of(rfb);
    VncEvent e = { .server = s, .rfb = rfb, .kind = VNC_EVENT_COME };

    __atomic_fetch_add(&s->n_clients, 1, __ATOMIC_RELAXED);
    rfb->clientGoneHook = on_gone;
    name_peer(rfb->sock, &e);
    post(s, &e);
    return RFB_CLIENT_ACCEPT;
}

/* RFC 6143 section 7.2.2: the challenge, encrypted with the password. */
static rfbBool on_password(rfbClientPtr rfb, const char *response, int len)
{
    VncServer *s = server_of(rfb);
    unsigned char wanted[16];
    bool ok = false;

    memcpy(wanted, rfb->authChallenge, sizeof(wanted));
    g_mutex_lock(&s->password_lock);
    if (s->password && g_get_real_time() / G_USEC_PER_SEC < s->password_expires_s) {
        s->lib->encrypt_bytes(wanted, s->password);
        ok = len == sizeof(wanted) && !memcmp(wanted, response, sizeof(wanted));
    }
    g_mutex_unlock(&s->password_lock);
    return ok;
}

void vnc_session_hooks(VncServer *s)
{
    s->screen->screenData = s;
    s->screen->kbdAddEvent = on_key;
    s->screen->ptrAddEvent = on_pointer;
    s->screen->newClientHook = on_new;
    s->screen->displayHook = on_display;
    s->screen->passwordCheck = on_password;
    /* the library wants no password as long as this is NULL; what it holds is on_password's business */
    s->screen->authPasswdData = s->password_wanted ? s : NULL;
}

/* The library's greeting may wait for the client, so it is not for the main loop. */
void *vnc_accept_thread(void *opaque)
{
    VncServer *s = opaque;

    for (;;) {
        int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
        rfbClientPtr rfb;

        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) {
            continue;
        }
        if (fd < 0) {
            g_usleep(100 * 1000);               /* no descriptor, no memory: later perhaps */
            continue;
        }
        if (__atomic_load_n(&s->n_clients, __ATOMIC_RELAXED) >= s->max_clients) {
            close(fd);
            continue;
        }
        rfb = s->lib->new_client(s->screen, fd);
        if (rfb && !rfb->onHold) {
            s->lib->start_client(rfb);
        }
    }
    return NULL;
}
