/*
 * From a QMP request to its reply, by the generated command table; and the way of events.
 */
#include "qapi/qapi.h"

const QapiCommand *qapi_command_find(const QapiCommandTable *t, const char *name)
{
    unsigned lo = 0, hi = t->n;

    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        int d = strcmp(name, t->commands[mid].name);

        if (!d) {
            return &t->commands[mid];
        }
        if (d < 0) {
            hi = mid;
        } else {
            lo = mid + 1;
        }
    }
    return NULL;
}

static Value *with_id(Value *reply, Value *id)
{
    if (id) {
        value_dict_set(reply, "id", value_ref(id));
    }
    return reply;
}

Value *qapi_error_reply(Error *err, Value *id)
{
    Value *reply = value_dict(), *body = value_dict();

    value_dict_set_str(body, "class", error_class_name(error_get_class(err)));
    value_dict_set_str(body, "desc", error_get_pretty(err));
    value_dict_set(reply, "error", body);
    error_free(err);
    return with_id(reply, id);
}

/* The command's name, or NULL and @errp if the request has not the right shape. */
static const char *check_request(const Value *request, unsigned flags, Error **errp)
{
    const char *name = NULL;

    if (value_type(request) != VALUE_DICT) {
        error_setg(errp, "QMP input must be a JSON object");
        return NULL;
    }
    for (size_t i = 0; i < value_dict_len(request); i++) {
        const char *key = value_dict_key_at(request, i);
        const Value *v = value_dict_value_at(request, i);

        if (!strcmp(key, "execute") || (!strcmp(key, "exec-oob") && (flags & QAPI_DISPATCH_OOB))) {
            if (value_type(v) != VALUE_STRING) {
                error_setg(errp, "QMP input member '%s' must be a string", key);
                return NULL;
            }
            if (name) {
                error_setg(errp, "QMP input member 'execute' clashes with 'exec-oob'");
                return NULL;
            }
            name = value_get_string(v);
        } else if (!strcmp(key, "arguments")) {
            if (value_type(v) != VALUE_DICT) {
                error_setg(errp, "QMP input member 'arguments' must be an object");
                return NULL;
            }
        } else if (strcmp(key, "id")) {
            error_setg(errp, "QMP input member '%s' is unexpected", key);
            return NULL;
        }
    }
    if (!name) {
        error_setg(errp, "QMP input lacks member 'execute'");
    }
    return name;
}

static Value *run_raw(const QapiCommand *c, const Value *args, Error **errp)
{
    Value *ret = NULL;

    if (!c->call(args, &ret, errp)) {
        return NULL;
    }
    return ret ? ret : value_dict();
}

static Value *run_typed(const QapiCommand *c, const Value *args, Error **errp)
{
    static const QapiType no_args = { .name = "empty", .kind = QAPI_KIND_STRUCT, .size = 1 };
    const QapiType *type = c->args ? c->args : &no_args;
    void *in = NULL, *out = NULL;
    Value *reply = NULL;

    if (!qapi_from_value(type, args, 0, &in, errp)) {
        return NULL;
    }
    if (c->call(in, &out, errp)) {
        reply = c->ret ? qapi_to_value(c->ret, &out) : value_dict();
        if (c->ret) {
            qapi_clear(c->ret, &out);
        }
    }
    qapi_clear(type, &in);
    return reply;
}

static Value *run_request(const QapiCommandTable *t, const Value *request, unsigned flags, bool *silent, Error **errp)
{
    const char *name = check_request(request, flags, errp);
    const Value *given = name ? value_dict_get(request, "arguments") : NULL;
    g_autoptr(Value) none = value_dict();
    const QapiCommand *c;
    Value *ret;

    if (!name) {
        return NULL;
    }
    c = qapi_command_find(t, name);
    if ((flags & QAPI_DISPATCH_NEGOTIATE) && strcmp(name, "qmp_capabilities")) {
        error_set(errp, ERROR_CLASS_COMMAND_NOT_FOUND, "Expecting capabilities negotiation with 'qmp_capabilities'");
        return NULL;
    }
    if (!c) {
        error_set(errp, ERROR_CLASS_COMMAND_NOT_FOUND, "The command %s has not been found", name);
        return NULL;
    }
    if (value_dict_get(request, "exec-oob") && !(c->flags & QAPI_CMD_OOB)) {
        error_setg(errp, "The command %s does not support OOB", name);
        return NULL;
    }
    if ((flags & QAPI_DISPATCH_PRECONFIG) && !(c->flags & QAPI_CMD_PRECONFIG)) {
        error_setg(errp, "The command '%s' is permitted only after machine initialization has completed", name);
        return NULL;
    }
    ret = c->flags & QAPI_CMD_RAW ? run_raw(c, given ? given : none, errp)
                                  : run_typed(c, given ? given : none, errp);
    *silent = ret && (c->flags & QAPI_CMD_NO_RESPONSE);
    return ret;
}

Value *qapi_dispatch(const QapiCommandTable *t, const Value *request, unsigned flags)
{
    Value *id = value_type(request) == VALUE_DICT ? value_dict_get(request, "id") : NULL;
    bool silent = false;
    Error *err = NULL;
    Value *ret = run_request(t, request, flags, &silent, &err);
    Value *reply;

    if (!ret) {
        return qapi_error_reply(err, id);
    }
    if (silent) {
        value_unref(ret);
        return NULL;
    }
    reply = value_dict();
    value_dict_set(reply, "return", ret);
    return with_id(reply, id);
}

/* --- events --- */

static QapiEventSink *event_sink;

void qapi_event_set_sink(QapiEventSink *sink)
{
    event_sink = sink;
}

void qapi_event_emit(const char *event, Value *data)
{
    if (event_sink) {
        event_sink(event, data);
    } else {
        value_unref(data);
    }
}
