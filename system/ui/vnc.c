/*
 * -vnc: consoles over RFB, by libvncserver, which is loaded when a server is wanted.
 *
 * References: RFC 6143.  TLS, SASL, websockets and reverse connections are refused.
 */
#include "config-host.h"
#include "qapi/qapi-commands.h"
#include "system/vnc.h"

#ifdef CONFIG_VNC
#include "vnc-internal.h"

#include "system/secret.h"
#include "util/account.h"
#include "util/main-loop.h"
#include "util/socket.h"

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENT_BYTES_USUAL  (1664 * KiB)
#define VNC_PORT_BASE       5900
#define PASSWORD_MAX        8           /* bytes that RFB's authentication looks at */

static GPtrArray *servers;              /* of VncServer *; for the life of the process.  BQL */

const VncLibrary *vnc_library(Error **errp)
{
    static VncLibrary l;
    void *lib;

    if (l.init_server) {
        return &l;
    }
    lib = dlopen("libvncserver.so.1", RTLD_NOW | RTLD_LOCAL);
    if (lib) {
        l = (VncLibrary){
            .get_screen = dlsym(lib, "rfbGetScreen"), .new_framebuffer = dlsym(lib, "rfbNewFramebuffer"),
            .mark_modified = dlsym(lib, "rfbMarkRectAsModified"), .new_client = dlsym(lib, "rfbNewClient"),
            .start_client = dlsym(lib, "rfbStartOnHoldClient"), .close_client = dlsym(lib, "rfbCloseClient"),
            .log_enable = dlsym(lib, "rfbLogEnable"), .encrypt_bytes = dlsym(lib, "rfbEncryptBytes"),
            .init_server = dlsym(lib, "rfbInitServerWithPthreadsAndZRLE"),
        };
    }
    if (!l.get_screen || !l.new_framebuffer || !l.mark_modified || !l.new_client || !l.start_client || !l.close_client
        || !l.log_enable || !l.encrypt_bytes || !l.init_server) {
        error_setg(errp, "VNC needs libvncserver.so.1 with threads and ZRLE: %s", lib ? "it lacks functions" : dlerror());
        l.init_server = NULL;
        return NULL;
    }
    l.log_enable(0);
    return &l;
}

/* --- the picture --- */

static VncServer *server_of_listener(ConsoleListener *l)
{
    return container_of(l, VncServer, listen);
}

static void copy_rect(VncServer *s, unsigned x, unsigned y, unsigned width, unsigned height)
{
    const ConsoleSurface *from = console_surface(s->console);

    for (unsigned row = y; row < y + height; row++) {
        memcpy(s->pixels + (size_t)row * from->width + x, from->pixels + (size_t)row * from->stride + x, width * 4);
    }
}

static void picture_resized(ConsoleListener *l, Console *c)
{
    VncServer *s = server_of_listener(l);
    const ConsoleSurface *now = console_surface(c);

    if (c == s->console) {
        size_t used = ROUND_UP((size_t)now->width * now->height * 4, 4096);

        /* Threads may still read rows of the old size: the memory stays, what lies beyond is given back. */
        madvise((uint8_t *)s->pixels + used, s->max_bytes - used, MADV_DONTNEED);
        copy_rect(s, 0, 0, now->width, now->height);
        s->lib->new_framebuffer(s->screen, (char *)s->pixels, (int)now->width, (int)now->height, 8, 3, 4);
    }
}

static void picture_changed(ConsoleListener *l, Console *c, unsigned x, unsigned y, unsigned width, unsigned height)
{
    VncServer *s = server_of_listener(l);

    if (c == s->console) {
        copy_rect(s, x, y, width, height);
        s->lib->mark_modified(s->screen, (int)x, (int)y, (int)(x + width), (int)(y + height));
    }
}

/* The adapter was unplugged: its last picture stays, and goes on being shown by a console of nothing. */
static void picture_gone(ConsoleListener *l, Console *c)
{
    VncServer *s = server_of_listener(l);

    if (c == s->console) {
        s->console = console_new_empty();
    }
}

/* --- memory --- */

#define FOR_SERVERS(s) \
    for (unsigned i_ = 0; servers && i_ < servers->len && ((s) = g_ptr_array_index(servers, i_)); i_++)

static uint64_t servers_bound(void *opaque)
{
    uint64_t sum = 0;
    VncServer *s;

    FOR_SERVERS(s) {
        sum += vnc_bound(s->max_bytes, s->max_clients);
    }
    return sum;
}

/* What clients have is in the library's heap: as measured of one that tried each encoding. */
static uint64_t servers_present(void *opaque)
{
    uint64_t sum = 0;
    VncServer *s;

    FOR_SERVERS(s) {
        sum += memory_resident(s->pixels, s->max_bytes)
             + __atomic_load_n(&s->n_clients, __ATOMIC_RELAXED) * (uint64_t)CLIENT_BYTES_USUAL;
    }
    return sum;
}

static MemoryAccount account = { .name = "display/vnc", .bound = servers_bound, .present = servers_present };

/* --- where it listens --- */

static bool named_address(VncServer *s, Error **errp)
{
    struct sockaddr_storage sa = { 0 };
    socklen_t len = sizeof(sa);
    char host[NI_MAXHOST], service[NI_MAXSERV];

    if (getsockname(s->listener, (struct sockaddr *)&sa, &len) < 0) {
        error_setg_errno(errp, errno, "cannot name the socket");
        return false;
    }
    if (sa.ss_family == AF_UNIX) {
        s->family = QAPI_NETWORK_ADDRESS_FAMILY_UNIX;
        s->host = g_strdup("");
        s->service = g_strdup(((struct sockaddr_un *)&sa)->sun_path);
        return true;
    }
    s->family = sa.ss_family == AF_INET6 ? QAPI_NETWORK_ADDRESS_FAMILY_IPV6 : QAPI_NETWORK_ADDRESS_FAMILY_IPV4;
    if (getnameinfo((struct sockaddr *)&sa, len, host, sizeof(host), service, sizeof(service), NI_NUMERICHOST | NI_NUMERICSERV)) {
        error_setg(errp, "cannot name the socket");
        return false;
    }
    s->host = g_strdup(host);
    s->service = g_strdup(service);
    return true;
}

/* "HOST:DISPLAY", "unix:PATH" */
static int listen_at(const QapiVncOptions *o, SocketFile *file, Error **errp)
{
    const char *colon = strrchr(o->vnc, ':');
    g_autofree char *host = NULL, *port = NULL;
    uint64_t display, to;

    if (g_str_has_prefix(o->vnc, "unix:")) {
        return socket_listen(&(SocketPlace){ .path = o->vnc + strlen("unix:") }, file, errp);
    }
    if (!colon) {
        error_setg(errp, "address '%s' must be HOST:DISPLAY or unix:PATH", o->vnc);
        return -1;
    }
    host = g_strndup(o->vnc, colon - o->vnc);
    if (host[0] == '[' && host[strlen(host) - 1] == ']') {
        memmove(host, host + 1, strlen(host));
        host[strlen(host) - 1] = '\0';
    }
    if (!qapi_parse_uint("display", colon + 1, &display, errp)) {
        return -1;
    }
    to = o->has_to ? o->to : display;
    if (display > UINT16_MAX - VNC_PORT_BASE || to > UINT16_MAX - VNC_PORT_BASE || to < display) {
        error_setg(errp, "displays must be 0..%d and ascend, got %" PRIu64 "..%" PRIu64, UINT16_MAX - VNC_PORT_BASE, display, to);
        return -1;
    }
    port = g_strdup_printf("%u", (unsigned)(VNC_PORT_BASE + display));
    return socket_listen(&(SocketPlace){ .host = host, .port = port, .to = (unsigned)(VNC_PORT_BASE + to), .has_ipv4 = o->has_ipv4,
                                         .ipv4 = o->ipv4, .has_ipv6 = o->has_ipv6, .ipv6 = o->ipv6 }, file, errp);
}

/* --- a server --- */

static bool check_options(const QapiVncOptions *o, Error **errp)
{
    static const char *const reasons[] = { "reverse connections", "websockets", "TLS", "SASL", "access lists" };
    const bool wanted[] = { o->has_reverse && o->reverse, o->websocket, o->tls_creds, o->has_sasl && o->sasl,
                            o->tls_authz || o->sasl_authz };

    for (unsigned i = 0; i < ARRAY_SIZE(wanted); i++) {
        if (wanted[i]) {
            error_setg(errp, "%s are not available for VNC", reasons[i]);
            return false;
        }
    }
    if (o->has_password && o->password && o->password_secret) {
        error_setg(errp, "password=on and password-secret exclude each other");
        return false;
    }
    if (o->has_connections && (o->connections < 1 || o->connections > VNC_MAX_CLIENTS)) {
        error_setg(errp, "connections must be 1..%d, got %" PRIu32, VNC_MAX_CLIENTS, o->connections);
        return false;
    }
    return true;
}

static bool set_password(VncServer *s, const char *password, Error **errp)
{
    if (!s->password_wanted) {
        error_setg(errp, "VNC server '%s' was started without password=on", s->id);
        return false;
    }
    g_mutex_lock(&s->password_lock);
    g_free(s->password);
    s->password = g_strndup(password, PASSWORD_MAX);
    g_mutex_unlock(&s->password_lock);
    return true;
}

static bool start_screen(VncServer *s, const QapiVncOptions *o, Error **errp)
{
    const ConsoleSurface *now = console_surface(s->console);
    int argc = 0;

    s->max_bytes = console_max_bytes(s->console);
    if (!memory_allow(account.name, vnc_bound(s->max_bytes, s->max_clients), errp)) {
        return false;
    }
    s->pixels = mmap(NULL, s->max_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (s->pixels == MAP_FAILED) {
        error_setg_errno(errp, errno, "cannot reserve %" PRIu64 " bytes of addresses", s->max_bytes);
        return false;
    }
    s->screen = s->lib->get_screen(&argc, NULL, (int)now->width, (int)now->height, 8, 3, 4);
    if (!s->screen) {
        error_setg(errp, "libvncserver makes no screen");
        munmap(s->pixels, s->max_bytes);
        return false;
    }
    copy_rect(s, 0, 0, now->width, now->height);
    s->screen->frameBuffer = (char *)s->pixels;
    s->screen->serverFormat.redShift = 16;
    s->screen->serverFormat.greenShift = 8;
    s->screen->serverFormat.blueShift = 0;
    s->screen->desktopName = "QEMU";
    s->screen->port = s->screen->ipv6port = 0;
    s->screen->autoPort = FALSE;
    s->screen->cursor = NULL;
    s->screen->alwaysShared = o->has_share && o->share != QAPI_VNC_SHARE_POLICY_ALLOW_EXCLUSIVE;
    s->screen->ignoreSIGPIPE = TRUE;
    s->screen->backgroundLoop = TRUE;
    vnc_session_hooks(s);
    s->lib->init_server(s->screen);
    return true;
}

static void server_free(VncServer *s)
{
    if (s->listener >= 0) {
        close(s->listener);
    }
    socket_file_remove(&s->file);
    if (s->console && !console_device(s->console)) {
        console_free(s->console);
    }
    g_clear_pointer(&s->clients, g_ptr_array_unref);
    g_free(s->password);
    g_free(s->host);
    g_free(s->service);
    g_free(s->id);
    g_free(s);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VncServer, server_free)

bool vnc_server_start(const QapiVncOptions *o, Error **errp)
{
    g_autoptr(VncServer) s = g_new0(VncServer, 1);
    const char *secret;

    s->listener = -1;
    s->id = g_strdup(o->id ? o->id : "default");
    s->max_clients = o->has_connections ? o->connections : VNC_MAX_CLIENTS;
    s->password_wanted = (o->has_password && o->password) || o->password_secret;
    s->password_expires_s = INT64_MAX;
    s->clients = g_ptr_array_new();
    s->lib = vnc_library(errp);
    if (!s->lib || !check_options(o, errp)) {
        return false;
    }
    if (o->password_secret) {
        secret = secret_find_text(o->password_secret, errp);
        if (!secret || !set_password(s, secret, errp)) {
            return false;
        }
    }
    s->console = o->display || console_of_first_device() ? console_find(o->display, o->has_head ? o->head : 0, errp)
                                                   : console_new_empty();
    s->listener = s->console ? listen_at(o, &s->file, errp) : -1;
    if (s->listener < 0 || !named_address(s, errp) || !start_screen(s, o, errp)) {
        return false;
    }
    timer_init(&s->refresh, CLOCK_TYPE_REALTIME, vnc_refresh, s);
    s->listen = (ConsoleListener){ picture_resized, picture_changed, picture_gone };
    console_listener_add(&s->listen);
    if (!servers) {
        servers = g_ptr_array_new();
        memory_account_add(&account);
    }
    g_thread_unref(g_thread_new("vnc", vnc_accept_thread, s));
    g_ptr_array_add(servers, g_steal_pointer(&s));
    return true;
}

/* --- QMP --- */

static VncServer *server_find(const char *id, Error **errp)
{
    VncServer *s;

    FOR_SERVERS(s) {
        if (!id || !strcmp(s->id, id)) {
            return s;
        }
    }
    error_setg(errp, id ? "there is no VNC server '%s'" : "no VNC server is active", id);
    return NULL;
}

static void add_clients(const VncServer *s, QapiVncClientInfoList *list)
{
    for (unsigned i = 0; i < s->clients->len; i++) {
        const VncClient *c = g_ptr_array_index(s->clients, i);

        *QAPI_LIST_APPEND(list) = (QapiVncClientInfo){
            .host = g_strdup(c->info.host), .service = g_strdup(c->info.service), .family = c->info.family,
        };
    }
}

QapiVncInfo *qmp_query_vnc(Error **errp)
{
    QapiVncInfo *info = g_new0(QapiVncInfo, 1);
    VncServer *s = server_find(NULL, NULL);

    if (!s) {
        return info;
    }
    info->enabled = true;
    info->host = g_strdup(s->host);
    info->service = g_strdup(s->service);
    info->has_family = true;
    info->family = s->family;
    info->auth = g_strdup(s->password_wanted ? "vnc" : "none");
    info->clients = g_new0(QapiVncClientInfoList, 1);
    add_clients(s, info->clients);
    return info;
}

QapiVncInfo2List *qmp_query_vnc_servers(Error **errp)
{
    QapiVncInfo2List *list = g_new0(QapiVncInfo2List, 1);
    VncServer *s;

    FOR_SERVERS(s) {
        QapiVncInfo2 *info = QAPI_LIST_APPEND(list);
        QapiVncPrimaryAuth auth = s->password_wanted ? QAPI_VNC_PRIMARY_AUTH_VNC : QAPI_VNC_PRIMARY_AUTH_NONE;

        info->id = g_strdup(s->id);
        info->auth = auth;
        info->server = g_new0(QapiVncServerInfo2List, 1);
        info->clients = g_new0(QapiVncClientInfoList, 1);
        *QAPI_LIST_APPEND(info->server) = (QapiVncServerInfo2){
            .host = g_strdup(s->host), .service = g_strdup(s->service), .family = s->family, .auth = auth,
        };
        add_clients(s, info->clients);
    }
    return list;
}

bool qmp_set_password(const QapiSetPasswordArgs *args, Error **errp)
{
    VncServer *s = server_find(args->display, errp);

    if (args->has_connected && args->connected != QAPI_SET_PASSWORD_ACTION_KEEP) {
        error_setg(errp, "parameter 'connected' must be 'keep' for VNC");
        return false;
    }
    return s && set_password(s, args->password, errp);
}

bool qmp_change_vnc_password(const QapiChangeVncPasswordArgs *args, Error **errp)
{
    VncServer *s = server_find(NULL, errp);

    return s && set_password(s, args->password, errp);
}

/* "now", "never", "+SECONDS" from now, or seconds since 1970. */
static bool parse_expiry(const char *text, int64_t *when, Error **errp)
{
    int64_t now = g_get_real_time() / G_USEC_PER_SEC;
    uint64_t n;

    if (!strcmp(text, "now") || !strcmp(text, "never")) {
        *when = text[2] == 'w' ? 0 : INT64_MAX;
        return true;
    }
    if (!qapi_parse_uint("time", text[0] == '+' ? text + 1 : text, &n, errp)) {
        return false;
    }
    *when = (int64_t)MIN(n, (uint64_t)INT64_MAX / 2) + (text[0] == '+' ? now : 0);
    return true;
}

bool qmp_expire_password(const QapiExpirePasswordArgs *args, Error **errp)
{
    VncServer *s = server_find(args->display, errp);
    int64_t when;

    if (!s || !parse_expiry(args->time, &when, errp)) {
        return false;
    }
    g_mutex_lock(&s->password_lock);
    s->password_expires_s = when;
    g_mutex_unlock(&s->password_lock);
    return true;
}

#else /* !CONFIG_VNC */

bool vnc_server_start(const QapiVncOptions *o, Error **errp)
{
    error_setg(errp, "VNC is not available: built without libvncserver");
    return false;
}

static bool nothing_active(Error **errp)
{
    error_setg(errp, "no VNC server is active");
    return false;
}

QapiVncInfo *qmp_query_vnc(Error **errp)
{
    return g_new0(QapiVncInfo, 1);
}

QapiVncInfo2List *qmp_query_vnc_servers(Error **errp)
{
    return g_new0(QapiVncInfo2List, 1);
}

bool qmp_set_password(const QapiSetPasswordArgs *args, Error **errp)
{
    return nothing_active(errp);
}

bool qmp_change_vnc_password(const QapiChangeVncPasswordArgs *args, Error **errp)
{
    return nothing_active(errp);
}

bool qmp_expire_password(const QapiExpirePasswordArgs *args, Error **errp)
{
    return nothing_active(errp);
}

#endif
