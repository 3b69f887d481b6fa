/*
 * The short spellings that -serial, -monitor and -qmp take: "stdio", "mon:stdio", "file:PATH",
 * "unix:PATH,server=on,wait=off", "tcp:HOST:PORT,...", "chardev:ID", ...
 */
#include "qapi/keyval.h"
#include "system/chardev/internal.h"

/* PATH[,key=value...] with the path under @key. */
static Value *path_options(const char *backend, const char *key, const char *text, Error **errp)
{
    Value *v = keyval_parse(text, key, KEYVAL_FLAT, NULL, errp);

    if (v) {
        value_dict_set_str(v, "backend", backend);
    }
    return v;
}

/* HOST:PORT[,key=value...]; the host may be [v6], or empty. */
static bool split_address(Value *v, char *address, const char *host_key, const char *port_key, Error **errp)
{
    char *colon, *host;

    colon = strrchr(address, ':');
    if (!colon || !colon[1]) {
        error_setg(errp, "expected HOST:PORT, got '%s'", address);
        return false;
    }
    *colon = '\0';
    host = address;
    if (*host == '[' && g_str_has_suffix(host, "]")) {
        host++;
        host[strlen(host) - 1] = '\0';
    }
    value_dict_set_str(v, host_key, host);
    value_dict_set_str(v, port_key, colon + 1);
    return true;
}

/* With telnet=on for "telnet:". */
static Value *tcp_options(const char *text, bool telnet, Error **errp)
{
    g_autoptr(Value) v = path_options("socket", "address", text, errp);
    g_autofree char *address = v ? g_strdup(value_dict_get_str(v, "address") ?: "") : NULL;

    if (!v) {
        return NULL;
    }
    value_dict_remove(v, "address");
    if (telnet) {
        value_dict_set_str(v, "telnet", "on");
    }
    return split_address(v, address, "host", "port", errp) ? g_steal_pointer(&v) : NULL;
}

/* [HOST]:PORT[@[LOCALADDR]:LOCALPORT] */
static Value *udp_options(const char *text, Error **errp)
{
    g_auto(GStrv) ends = g_strsplit(text, "@", 2);
    g_autoptr(Value) v = value_dict();

    value_dict_set_str(v, "backend", "udp");
    if (!split_address(v, ends[0], "host", "port", errp)
        || (ends[1] && !split_address(v, ends[1], "localaddr", "localport", errp))) {
        return NULL;
    }
    return g_steal_pointer(&v);
}

static Value *bare(const char *backend)
{
    Value *v = value_dict();

    value_dict_set_str(v, "backend", backend);
    return v;
}

typedef struct Prefix {
    const char *prefix;
    const char *backend, *key;
} Prefix;

static const Prefix path_prefixes[] = {
    { "file:", "file", "path" },
    { "pipe:", "pipe", "path" },
    { "unix:", "socket", "path" },
    { "pty:",  "pty", "path" },
};

static Value *legacy_options(const char *text, Error **errp)
{
    static const char *const plain[] = { "null", "stdio", "pty", "ringbuf" };

    for (unsigned i = 0; i < ARRAY_SIZE(plain); i++) {
        size_t n = strlen(plain[i]);

        if (!strncmp(text, plain[i], n) && (!text[n] || text[n] == ',')) {
            return path_options(plain[i], "backend", text, errp);
        }
    }
    for (unsigned i = 0; i < ARRAY_SIZE(path_prefixes); i++) {
        const Prefix *p = &path_prefixes[i];

        if (g_str_has_prefix(text, p->prefix)) {
            return path_options(p->backend, p->key, text + strlen(p->prefix), errp);
        }
    }
    if (g_str_has_prefix(text, "tcp:") || g_str_has_prefix(text, "telnet:")) {
        return tcp_options(strchr(text, ':') + 1, text[1] == 'e', errp);
    }
    if (g_str_has_prefix(text, "udp:")) {
        return udp_options(text + 4, errp);
    }
    error_setg(errp, "'%s' is not a valid char driver (null, stdio, pty, ringbuf, file:, pipe:, unix:, tcp:, telnet:, udp:, chardev:, mon:)",
               text);
    return NULL;
}

Chardev *chardev_new_legacy(const char *id, const char *text, Error **errp)
{
    bool mon = g_str_has_prefix(text, "mon:");
    g_autoptr(Value) opts = NULL;
    Chardev *c;

    if (g_str_has_prefix(text, "chardev:")) {
        c = chardev_find(text + 8);
        if (!c) {
            error_setg(errp, "chardev '%s' not found", text + 8);
        }
        return c;
    }
    text += mon ? 4 : 0;
    opts = *text ? legacy_options(text, errp) : bare("null");
    if (!opts) {
        return NULL;
    }
    if (mon) {
        value_dict_set_str(opts, "mux", "on");
        if (!strcmp(value_dict_get_str(opts, "backend"), "stdio")) {
            value_dict_set_str(opts, "signal", "off");      /* Ctrl-C is the guest's */
        }
    }
    value_dict_set_str(opts, "id", id);
    return chardev_new_from_opts(opts, errp);
}
