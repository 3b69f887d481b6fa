/*
 * chardev-add and chardev-change: their nested back ends as the flat options of -chardev.
 */
#include "qapi/qapi-commands.h"
#include "system/chardev/internal.h"

static void set_str(Value *v, const char *key, const char *s)
{
    if (s) {
        value_dict_set_str(v, key, s);
    }
}

static void set_bool(Value *v, const char *key, bool there, bool b)
{
    if (there) {
        value_dict_set_bool(v, key, b);
    }
}

static void set_common(Value *v, const QapiChardevCommon *c)
{
    set_str(v, "logfile", c->logfile);
    set_bool(v, "logappend", c->has_logappend, c->logappend);
}

#define SET_COMMON(v, d) set_common(v, &(QapiChardevCommon){                                  \
    .logfile = (d)->logfile, .has_logappend = (d)->has_logappend, .logappend = (d)->logappend })

static void set_inet(Value *v, const QapiInetSocketAddress *a)
{
    value_dict_set_str(v, "host", a->host);
    value_dict_set_str(v, "port", a->port);
    if (a->has_to) {
        value_dict_set_int(v, "to", a->to);
    }
    set_bool(v, "ipv4", a->has_ipv4, a->ipv4);
    set_bool(v, "ipv6", a->has_ipv6, a->ipv6);
}

static void set_socket(Value *v, const QapiChardevSocketBackend *s)
{
    const QapiSocketAddressLegacy *a = s->addr;
    bool server = !s->has_server || s->server;

    switch (a->type) {
    case QAPI_SOCKET_ADDRESS_TYPE_INET:
        set_inet(v, a->u.inet.data);
        break;
    case QAPI_SOCKET_ADDRESS_TYPE_UNIX:
        value_dict_set_str(v, "path", a->u.q_unix.data->path);
        set_bool(v, "abstract", a->u.q_unix.data->has_abstract, a->u.q_unix.data->abstract);
        set_bool(v, "tight", a->u.q_unix.data->has_tight, a->u.q_unix.data->tight);
        break;
    default:
        value_dict_set_str(v, "fd", a->u.fd.data->str);
        break;
    }
    value_dict_set_bool(v, "server", server);
    set_bool(v, "wait", server || s->has_wait, s->has_wait && s->wait);
    set_bool(v, "nodelay", true, s->has_nodelay && s->nodelay);
    set_bool(v, "telnet", s->has_telnet, s->telnet);
    set_bool(v, "tn3270", s->has_tn3270, s->tn3270);
    set_bool(v, "websocket", s->has_websocket, s->websocket);
    set_str(v, "tls-creds", s->tls_creds);
    set_str(v, "tls-authz", s->tls_authz);
    if (s->has_reconnect) {
        value_dict_set_int(v, "reconnect", s->reconnect);
    }
    if (s->has_reconnect_ms) {
        value_dict_set_int(v, "reconnect-ms", s->reconnect_ms);
    }
}

static bool set_udp(Value *v, const QapiChardevUdpBackend *u, Error **errp)
{
    if (u->remote->type != QAPI_SOCKET_ADDRESS_TYPE_INET
        || (u->local && u->local->type != QAPI_SOCKET_ADDRESS_TYPE_INET)) {
        error_setg(errp, "udp: 'remote' and 'local' must be of type inet");
        return false;
    }
    set_inet(v, u->remote->u.inet.data);
    if (u->local) {
        value_dict_set_str(v, "localaddr", u->local->u.inet.data->host);
        value_dict_set_str(v, "localport", u->local->u.inet.data->port);
    }
    return true;
}

static void set_hub(Value *v, const QapiChardevHubBackend *h)
{
    Value *list = value_list();

    for (size_t i = 0; i < h->chardevs->len; i++) {
        value_list_append(list, value_string(h->chardevs->at[i]));
    }
    value_dict_set(v, "chardevs", list);
}

/* As -chardev would have it; NULL and @errp if it cannot be said. */
static Value *options_of(const char *id, const QapiChardevBackend *b, Error **errp)
{
    g_autoptr(Value) v = value_dict();

    value_dict_set_str(v, "id", id);
    value_dict_set_str(v, "backend", qapi_chardev_driver_str(b->type));
    switch (b->type) {
    case QAPI_CHARDEV_DRIVER_FILE:
        SET_COMMON(v, b->u.file.data);
        value_dict_set_str(v, "path", b->u.file.data->out);
        set_str(v, "input-path", b->u.file.data->in);
        set_bool(v, "append", b->u.file.data->has_append, b->u.file.data->append);
        break;
    case QAPI_CHARDEV_DRIVER_PIPE:
        SET_COMMON(v, b->u.pipe.data);
        value_dict_set_str(v, "path", b->u.pipe.data->device);
        break;
    case QAPI_CHARDEV_DRIVER_PTY:
        SET_COMMON(v, b->u.pty.data);
        set_str(v, "path", b->u.pty.data->path);
        break;
    case QAPI_CHARDEV_DRIVER_STDIO:
        SET_COMMON(v, b->u.stdio.data);
        set_bool(v, "signal", b->u.stdio.data->has_signal, b->u.stdio.data->signal);
        break;
    case QAPI_CHARDEV_DRIVER_SOCKET:
        SET_COMMON(v, b->u.socket.data);
        set_socket(v, b->u.socket.data);
        break;
    case QAPI_CHARDEV_DRIVER_UDP:
        SET_COMMON(v, b->u.udp.data);
        if (!set_udp(v, b->u.udp.data, errp)) {
            return NULL;
        }
        break;
    case QAPI_CHARDEV_DRIVER_MUX:
        SET_COMMON(v, b->u.mux.data);
        value_dict_set_str(v, "chardev", b->u.mux.data->chardev);
        break;
    case QAPI_CHARDEV_DRIVER_HUB:
        SET_COMMON(v, b->u.hub.data);
        set_hub(v, b->u.hub.data);
        break;
    case QAPI_CHARDEV_DRIVER_RINGBUF:
    case QAPI_CHARDEV_DRIVER_MEMORY: {
        const QapiChardevRingbufBackend *r = b->type == QAPI_CHARDEV_DRIVER_RINGBUF ? b->u.ringbuf.data : b->u.memory.data;

        SET_COMMON(v, r);
        if (r->has_size) {
            value_dict_set_int(v, "size", r->size);
        }
        break;
    }
    default:
        SET_COMMON(v, b->u.null.data);
        break;
    }
    return g_steal_pointer(&v);
}

static QapiChardevReturn *result(const Chardev *c)
{
    QapiChardevReturn *r = g_new0(QapiChardevReturn, 1);

    if (chardev_class(c)->backend == QAPI_CHARDEV_DRIVER_PTY && !chardev_class(c)->attach) {
        r->pty = g_strdup(pty_name(c));
    }
    return r;
}

QapiChardevReturn *qmp_chardev_add(const QapiChardevAddArgs *args, Error **errp)
{
    g_autoptr(Value) opts = options_of(args->id, args->backend, errp);
    Error *err = NULL;
    Chardev *c;

    if (!opts) {
        return NULL;
    }
    if (chardev_find(args->id)) {
        error_setg(errp, "Chardev with id '%s' already exists", args->id);
        return NULL;
    }
    c = chardev_new_from_opts(opts, &err);
    if (!c) {
        error_prepend(&err, "Failed to add chardev '%s': ", args->id);
        error_propagate(errp, err);
        return NULL;
    }
    return result(c);
}

QapiChardevReturn *qmp_chardev_change(const QapiChardevChangeArgs *args, Error **errp)
{
    g_autoptr(Value) opts = options_of(args->id, args->backend, errp);
    Chardev *c = opts ? chardev_change(args->id, opts, errp) : NULL;

    return c ? result(c) : NULL;
}
