/*
 * Character devices: the objects under /chardevs, and the two ends' ways to each other.
 *
 * Invariants:
 *  I1  a Chardev that is no multiplexer has at most one front end
 *  I2  handlers->writable is called once for each short write, when there is room again
 */
#include "system/chardev/internal.h"
#include "util/fdset.h"
#include "trace.h"

#include <fcntl.h>
#include <unistd.h>

/* --- front end --- */

bool char_backend_init(CharBackend *be, Chardev *chr, Error **errp)
{
    const ChardevClass *k = chr ? chardev_class(chr) : NULL;

    *be = (CharBackend){ 0 };
    if (!chr) {
        return true;
    }
    if (k->attach) {
        if (!k->attach(chr, be, errp)) {
            return false;
        }
    } else if (chr->fe) {
        error_setg(errp, "Device '%s' is in use", chr->label);
        return false;
    } else {
        chr->fe = be;
    }
    object_ref(chr);
    be->chr = chr;
    return true;
}

void char_backend_deinit(CharBackend *be)
{
    Chardev *c = be->chr;

    if (!c) {
        return;
    }
    if (chardev_class(c)->detach) {
        chardev_class(c)->detach(c, be);
    } else if (c->fe == be) {
        c->fe = NULL;
        c->short_write = false;
    }
    *be = (CharBackend){ 0 };
    if (!c->closing && chardev_class(c)->update) {
        chardev_class(c)->update(c);
    }
    object_unref(c);
}

void char_backend_set_handlers(CharBackend *be, const CharHandlers *h, void *opaque)
{
    Chardev *c = be->chr;

    be->handlers = h;
    be->opaque = opaque;
    be->open = h && !h->opens_later;
    if (!c) {
        return;
    }
    if (chardev_class(c)->handlers_set) {
        chardev_class(c)->handlers_set(c, be);
    } else if (c->is_open && h && h->event) {
        h->event(opaque, CHAR_EVENT_OPENED);
    }
    if (chardev_class(c)->update) {
        chardev_class(c)->update(c);
    }
}

static void log_output(Chardev *c, const uint8_t *buf, size_t len)
{
    while (len) {
        ssize_t n = write(c->log_fd, buf, len);

        if (n <= 0) {
            if (n < 0 && errno == EINTR) {
                continue;
            }
            warn_report("chardev '%s': writing the log file: %s; logging ends", c->label, g_strerror(errno));
            close(c->log_fd);
            c->log_fd = -1;
            return;
        }
        buf += n;
        len -= n;
    }
}

size_t char_write(CharBackend *be, const uint8_t *buf, size_t len)
{
    Chardev *c = be->chr;
    const ChardevClass *k = c ? chardev_class(c) : NULL;
    size_t n;

    if (!c || c->closing) {
        return len;
    }
    n = k->write_from ? k->write_from(c, be, buf, len) : k->write(c, buf, len);
    trace_chardev_write(c->obj.name, len, n);
    if (n && c->log_fd >= 0) {
        log_output(c, buf, n);
    }
    if (n < len && !k->write_from) {
        c->short_write = true;
        k->update(c);
    }
    return n;
}

void char_accept_input(CharBackend *be)
{
    Chardev *c = be->chr;

    if (!c || c->closing) {
        return;
    }
    if (chardev_class(c)->accept_from) {
        chardev_class(c)->accept_from(c, be);
    } else if (chardev_class(c)->update) {
        chardev_class(c)->update(c);
    }
}

void char_set_open(CharBackend *be, bool open)
{
    be->open = open;
}

/* No present back end has a wire on which a break could be seen. */
void char_set_break(CharBackend *be, bool on)
{
}

bool char_is_terminal(const CharBackend *be, int *fd)
{
    Chardev *c = be->chr;
    int in = -1, out = -1;

    *fd = -1;
    while (c && chardev_is_mux(c)) {
        c = mux_base(c);
    }
    if (!c || c->translates) {
        return c != NULL;
    }
    if (chardev_class(c)->fds) {
        chardev_class(c)->fds(c, &in, &out);
    }
    if (in < 0 || out < 0 || !isatty(in) || !isatty(out)) {
        return false;
    }
    *fd = out;
    return true;
}

bool char_can_lend_fds(const CharBackend *be)
{
    const Chardev *c = be->chr;

    return c && chardev_class(c)->fds && c->log_fd < 0 && !c->translates;
}

void char_wait_open(CharBackend *be, unsigned timeout_ms)
{
    Chardev *c = be->chr;

    if (c && !c->is_open && !c->closing && chardev_class(c)->wait_open) {
        chardev_class(c)->wait_open(c, timeout_ms);
    }
}

bool char_lend_fds(CharBackend *be, int *in, int *out)
{
    Chardev *c = be->chr;
    int from, to;

    if (!char_can_lend_fds(be) || c->closing || !c->is_open) {
        return false;
    }
    chardev_class(c)->fds(c, &from, &to);
    *in = fcntl(from, F_DUPFD_CLOEXEC, 3);
    *out = fcntl(to, F_DUPFD_CLOEXEC, 3);
    if (*in < 0 || *out < 0) {
        close(*in);
        close(*out);
        return false;
    }
    c->lent = true;
    chardev_class(c)->update(c);
    return true;
}

void char_return_fds(CharBackend *be)
{
    Chardev *c = be->chr;

    if (c && c->lent) {
        c->lent = false;
        if (!c->closing) {
            chardev_class(c)->update(c);
        }
    }
}

void char_put_fds(CharBackend *be, const int *fds, unsigned n)
{
    Chardev *c = be->chr;

    for (unsigned i = 0; i < n; i++) {
        if (c && c->n_fds < CHARDEV_MAX_FDS) {
            c->fds[c->n_fds++] = fds[i];
        } else {
            close(fds[i]);
        }
    }
}

int char_take_fd(CharBackend *be)
{
    Chardev *c = be->chr;
    int fd;

    if (!c || !c->n_fds) {
        return -1;
    }
    fd = c->fds[0];
    c->n_fds--;
    memmove(c->fds, c->fds + 1, c->n_fds * sizeof(c->fds[0]));
    return fd;
}

void char_drop_fds(CharBackend *be)
{
    if (be->chr) {
        chardev_drop_fds(be->chr);
    }
}

/* --- back end --- */

void chardev_drop_fds(Chardev *c)
{
    while (c->n_fds) {
        close(c->fds[--c->n_fds]);
    }
}

size_t chardev_can_receive(Chardev *c)
{
    const CharBackend *be = c->fe;

    return be && be->handlers && be->handlers->can_receive && !c->lent ? be->handlers->can_receive(be->opaque) : 0;
}

void chardev_receive(Chardev *c, const uint8_t *buf, size_t len)
{
    const CharBackend *be = c->fe;

    trace_chardev_receive(c->obj.name, len);
    if (be && be->handlers && be->handlers->receive) {
        be->handlers->receive(be->opaque, buf, len);
    }
}

void chardev_event(Chardev *c, CharEvent ev)
{
    const CharBackend *be = c->fe;

    trace_chardev_event(c->obj.name, ev);
    if (ev == CHAR_EVENT_OPENED || ev == CHAR_EVENT_CLOSED) {
        c->is_open = ev == CHAR_EVENT_OPENED;
    }
    if (be && be->handlers && be->handlers->event) {
        be->handlers->event(be->opaque, ev);
    }
}

void chardev_writable(Chardev *c)
{
    const CharBackend *be = c->fe;

    if (!c->short_write) {
        return;
    }
    c->short_write = false;
    if (be && be->handlers && be->handlers->writable) {
        be->handlers->writable(be->opaque);
    }
}

/* --- objects --- */

static void chardev_init(Object *obj)
{
    CHARDEV(obj)->log_fd = -1;
}

static void chardev_fini(Object *obj)
{
    Chardev *c = CHARDEV(obj);

    if (!c->closing && chardev_class(c)->close) {
        chardev_class(c)->close(c);
    }
    if (c->log_fd >= 0) {
        close(c->log_fd);
    }
    chardev_drop_fds(c);
    g_free(c->label);
}

TYPE_DEFINE_FAMILY(ChardevClass, Chardev, chardev, "chardev", object, true,
    .init = chardev_init, .fini = chardev_fini)

Chardev *chardev_find(const char *id)
{
    return CHARDEV(object_child(object_container("/chardevs"), id));
}

bool chardev_is_mux(const Chardev *c)
{
    return chardev_class(c)->attach != NULL;
}

typedef struct DriverSearch {
    QapiChardevDriver driver;
    const TypeInfo *found;
} DriverSearch;

static bool match_driver(const TypeInfo *type, void *opaque)
{
    DriverSearch *s = opaque;

    if (((const ChardevClass *)type->info)->backend == s->driver && ((const ChardevClass *)type->info)->open) {
        s->found = type;
    }
    return !s->found;
}

static bool open_log(Chardev *c, const QapiChardevOptions *o, Error **errp)
{
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (o->has_logappend && o->logappend ? O_APPEND : O_TRUNC);

    if (o->logfile) {
        c->log_fd = fdset_open(o->logfile, flags, 0666);
        if (c->log_fd < 0) {
            error_setg_errno(errp, errno, "Unable to open '%s'", o->logfile);
            return false;
        }
    }
    return true;
}

static bool id_is_wellformed(const char *id)
{
    if (!g_ascii_isalpha(id[0])) {
        return false;
    }
    return id[strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._")] == '\0';
}

static Chardev *chardev_open(const char *id, const QapiChardevOptions *o, Error **errp)
{
    DriverSearch search = { .driver = o->backend == QAPI_CHARDEV_DRIVER_MEMORY ? QAPI_CHARDEV_DRIVER_RINGBUF
                                                                               : o->backend };
    Chardev *c;

    type_foreach(&chardev_type, false, match_driver, &search);
    c = CHARDEV(object_new(search.found));
    c->label = g_strdup(id);
    if (!open_log(c, o, errp) || !chardev_class(c)->open(c, o, errp)) {
        object_unref(c);
        return NULL;
    }
    return c;
}

static Chardev *add_to_tree(const char *id, Chardev *c)
{
    if (c) {
        object_add_child(object_container("/chardevs"), id, c);
        object_unref(c);
    }
    return c;
}

/* "mux" as a back end of its own. */
static Chardev *new_mux(const QapiChardevOptions *o, Error **errp)
{
    Chardev *base = chardev_find(o->u.mux.chardev);

    if (!base) {
        error_setg(errp, "mux: base chardev %s not found", o->u.mux.chardev);
        return NULL;
    }
    if (o->logfile) {
        error_setg(errp, "mux: 'logfile' is an option of the base chardev");
        return NULL;
    }
    return mux_new(o->id, base, errp);
}

/* The new device, borrowed from the tree. */
Chardev *chardev_new(const QapiChardevOptions *o, Error **errp)
{
    g_autofree char *base_id = g_strdup_printf("%s-base", o->id);
    bool with_mux = o->has_mux && o->mux;
    Chardev *c, *mux;

    if (chardev_find(o->id) || (with_mux && chardev_find(base_id))) {
        error_setg(errp, "Chardev with id '%s' already exists", o->id);
        return NULL;
    }
    if (o->backend == QAPI_CHARDEV_DRIVER_MUX) {
        return new_mux(o, errp);
    }
    c = add_to_tree(with_mux ? base_id : o->id, chardev_open(with_mux ? base_id : o->id, o, errp));
    if (!c || !with_mux) {
        return c;
    }
    mux = mux_new(o->id, c, errp);
    if (!mux) {
        object_unparent(c);
    }
    return mux;
}

/* Options without nesting spell the list chardevs.0=, chardevs.1=, ... */
static Value *gather_lists(const Value *opts)
{
    Value *v = value_deep_copy(opts), *list = value_list();

    for (unsigned i = 0; ; i++) {
        g_autofree char *key = g_strdup_printf("chardevs.%u", i);
        Value *item = value_dict_get(v, key);

        if (!item) {
            break;
        }
        value_list_append(list, value_ref(item));
        value_dict_remove(v, key);
    }
    if (value_list_len(list)) {
        value_dict_set(v, "chardevs", list);
    } else {
        value_unref(list);
    }
    return v;
}

static QapiChardevOptions *parse_options(const Value *opts, Error **errp)
{
    g_autoptr(Value) gathered = gather_lists(opts);

    return qapi_parse_chardev_options(gathered, QAPI_FROM_TEXT, errp);
}

Chardev *chardev_new_from_opts(const Value *opts, Error **errp)
{
    g_autoptr(QapiChardevOptions) o = NULL;

    if (!value_dict_get_str(opts, "id") || !value_dict_get_str(opts, "backend")) {
        error_setg(errp, "Parameter '%s' is missing", value_dict_get_str(opts, "backend") ? "id" : "backend");
        return NULL;
    }
    if (!id_is_wellformed(value_dict_get_str(opts, "id"))) {
        error_setg(errp, "Parameter 'id' expects an identifier (a letter, then letters, digits, '-', '.', '_'), got '%s'",
                   value_dict_get_str(opts, "id"));
        return NULL;
    }
    o = parse_options(opts, errp);
    return o ? chardev_new(o, errp) : NULL;
}

/* --- another back end in the same place --- */

static bool check_change(const Chardev *c, const QapiChardevOptions *o, Error **errp)
{
    if (chardev_is_mux(c) || o->backend == QAPI_CHARDEV_DRIVER_MUX || (o->has_mux && o->mux)) {
        error_setg(errp, "Mux device hotswap not supported yet");
        return false;
    }
    if (c->fe && !(c->fe->handlers && c->fe->handlers->swappable)) {
        error_setg(errp, "Chardev user does not support chardev hotswap");
        return false;
    }
    return true;
}

/* Whoever has the old one has the new one now, and learns what is different. */
static void move_front_end(Chardev *from, Chardev *to)
{
    CharBackend *be = from->fe;
    bool waits = from->short_write;

    if (!be) {
        return;
    }
    from->fe = NULL;
    from->short_write = false;
    to->fe = be;
    be->chr = CHARDEV(object_ref(to));
    if (from->is_open != to->is_open && be->handlers->event) {
        be->handlers->event(be->opaque, to->is_open ? CHAR_EVENT_OPENED : CHAR_EVENT_CLOSED);
    }
    if (waits) {
        to->short_write = true;
        chardev_writable(to);
    }
    if (chardev_class(to)->update) {
        chardev_class(to)->update(to);
    }
    object_unref(from);
}

Chardev *chardev_change(const char *id, const Value *opts, Error **errp)
{
    g_autoptr(QapiChardevOptions) o = NULL;
    Chardev *old = chardev_find(id), *new;

    if (!old) {
        error_setg(errp, "Chardev '%s' does not exist", id);
        return NULL;
    }
    o = parse_options(opts, errp);
    new = o && check_change(old, o, errp) ? chardev_open(id, o, errp) : NULL;
    if (!new) {
        return NULL;
    }
    object_ref(old);
    move_front_end(old, new);
    object_unparent(old);
    object_unref(old);
    return add_to_tree(id, new);
}

bool chardev_remove(const char *id, Error **errp)
{
    Chardev *c = chardev_find(id);

    if (!c) {
        error_setg(errp, "Chardev '%s' not found", id);
        return false;
    }
    if (c->fe || (chardev_is_mux(c) && mux_is_busy(c))) {
        error_setg(errp, "Chardev '%s' is busy", id);
        return false;
    }
    object_unparent(c);
    return true;
}

static bool close_one(Object *child, void *opaque)
{
    Chardev *c = CHARDEV(child);

    if (!c->closing && chardev_class(c)->close) {
        chardev_class(c)->close(c);
    }
    c->closing = true;
    return true;
}

void chardev_cleanup_all(void)
{
    object_foreach_child(object_container("/chardevs"), false, close_one, NULL);
}

/* --- the property --- */

static CharBackend *prop_field(Object *obj, const Property *p)
{
    return (CharBackend *)((char *)obj + p->offset);
}

static bool prop_chardev_set(Object *obj, const Property *p, const Value *v, Error **errp)
{
    CharBackend *be = prop_field(obj, p);
    const char *id;
    Chardev *c;

    if (value_type(v) != VALUE_STRING) {
        g_autofree char *got = value_describe(v);

        error_setg(errp, "expects a string, the id of a chardev, got %s", got);
        return false;
    }
    id = value_get_string(v);
    c = *id ? chardev_find(id) : NULL;
    if (*id && !c) {
        error_setg(errp, "'%s' is no chardev", id);
        return false;
    }
    char_backend_deinit(be);
    return char_backend_init(be, c, errp);
}

static Value *prop_chardev_get(Object *obj, const Property *p)
{
    const CharBackend *be = prop_field(obj, p);

    return value_string(be->chr ? be->chr->label : "");
}

static void prop_chardev_release(Object *obj, const Property *p)
{
    char_backend_deinit(prop_field(obj, p));
}

const PropertyType prop_chardev = {
    .name = "str",
    .set = prop_chardev_set,
    .get = prop_chardev_get,
    .release = prop_chardev_release,
};
