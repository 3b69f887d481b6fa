/*
 * The human monitor's screendump, sendkey, mouse_* and "info mice".
 */
#include "system/monitor/internal.h"

#include "qapi/qapi-commands.h"
#include "system/input.h"

/* FILE [-f FORMAT] [DEVICE [HEAD]] */
bool hmp_screendump(FILE *out, const char *args, Error **errp)
{
    g_auto(GStrv) words = g_strsplit(args, " ", -1);
    QapiScreendumpArgs a = { .filename = words[0] };
    char **w = words + 1;

    if (*w && !strcmp(*w, "-f")) {
        int format = w[1] ? qapi_enum_parse(&qapi_type_ImageFormat, w[1]) : -1;

        if (format < 0) {
            error_setg(errp, "the format must be ppm or png, got '%s'", w[1] ? w[1] : "");
            return false;
        }
        a.has_format = true;
        a.format = (QapiImageFormat)format;
        w += 2;
    }
    if (*w) {
        a.device = *w++;
        a.has_head = *w;
        if (*w && !qapi_parse_int("head", *w, &a.head, errp)) {
            return false;
        }
    }
    return qmp_screendump(&a, errp);
}

/* A key as sendkey takes it: a name, or a number in hexadecimal; '<' is "less". */
static bool parse_key(const char *text, QapiKeyValue *key, Error **errp)
{
    int qcode = qapi_enum_parse(&qapi_type_QKeyCode, strcmp(text, "<") ? text : "less");

    if (qcode >= 0) {
        key->type = QAPI_KEY_VALUE_TYPE_QCODE;
        key->u.qcode.data = (QapiQKeyCode)qcode;
        return true;
    }
    key->type = QAPI_KEY_VALUE_TYPE_NUMBER;
    if (!g_str_has_prefix(text, "0x") || !qapi_parse_int("key", text, &key->u.number.data, NULL)) {
        error_setg(errp, "invalid parameter: '%s' is no key", text);
        return false;
    }
    return true;
}

/* KEY-KEY... [HOLD_MS] */
bool hmp_sendkey(FILE *out, const char *args, Error **errp)
{
    g_auto(GStrv) words = g_strsplit(args, " ", 2);
    g_auto(GStrv) names = g_strsplit(words[0], "-", -1);
    unsigned n = g_strv_length(names);
    g_autofree QapiKeyValue *keys = g_new0(QapiKeyValue, n);
    QapiKeyValueList list = { .len = n, .at = keys };
    QapiSendKeyArgs a = { .keys = &list, .has_hold_time = words[1] };

    for (unsigned i = 0; i < n; i++) {
        if (!parse_key(names[i], &keys[i], errp)) {
            return false;
        }
    }
    return (!words[1] || qapi_parse_int("hold time", words[1], &a.hold_time, errp)) && qmp_send_key(&a, errp);
}

/* DX DY [DZ] */
bool hmp_mouse_move(FILE *out, const char *args, Error **errp)
{
    g_auto(GStrv) words = g_strsplit(args, " ", -1);
    int64_t d[3] = { 0 };
    unsigned n = g_strv_length(words);

    if (n < 2 || n > 3) {
        error_setg(errp, "expected DX DY [DZ]");
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        if (!qapi_parse_int("distance", words[i], &d[i], errp)) {
            return false;
        }
        d[i] = CLAMP(d[i], -INPUT_ABS_MAX, INPUT_ABS_MAX);
    }
    input_motion((int)d[0], (int)d[1]);
    input_wheel((int)d[2], 0);
    input_sync();
    return true;
}

/* STATE: 1 left, 2 middle, 4 right */
bool hmp_mouse_button(FILE *out, const char *args, Error **errp)
{
    uint64_t state;

    if (!qapi_parse_uint("button state", args, &state, errp)) {
        return false;
    }
    input_buttons(state & 7, ~state & 7);
    input_sync();
    return true;
}

bool hmp_mouse_set(FILE *out, const char *args, Error **errp)
{
    InputHandler *h;
    uint64_t n;

    if (!qapi_parse_uint("index", args, &n, errp)) {
        return false;
    }
    for (unsigned i = 0; (h = input_handler_by_index(i)); i++) {
        if (h->index == n && h->takes & (INPUT_RELATIVE | INPUT_ABSOLUTE)) {
            input_handler_activate(h);
            return true;
        }
    }
    error_setg(errp, "Mouse at index '%" PRIu64 "' not found", n);
    return false;
}

void hmp_info_mice(FILE *out, const char *args, int cpu_index)
{
    g_autoptr(QapiMouseInfoList) list = qmp_query_mice(NULL);

    if (!list->len) {
        fprintf(out, "No mouse devices connected\n");
    }
    for (size_t i = 0; i < list->len; i++) {
        const QapiMouseInfo *m = &list->at[i];

        fprintf(out, "%c Mouse #%" PRId64 ": %s%s\n", m->current ? '*' : ' ', m->index, m->name,
                m->absolute ? " (absolute)" : "");
    }
}

/* --- VNC --- */

static void print_address(FILE *out, const char *what, const char *host, const char *service, QapiNetworkAddressFamily family)
{
    fprintf(out, "  %s: %s:%s (%s)\n", what, host, service, qapi_network_address_family_str(family));
}

void hmp_info_vnc(FILE *out, const char *args, int cpu_index)
{
    g_autoptr(QapiVncInfo2List) list = qmp_query_vnc_servers(&error_abort);

    if (!list->len) {
        fprintf(out, "None\n");
    }
    for (size_t i = 0; i < list->len; i++) {
        const QapiVncInfo2 *vnc = &list->at[i];

        fprintf(out, "%s:\n", vnc->id);
        for (size_t n = 0; n < vnc->server->len; n++) {
            const QapiVncServerInfo2 *s = &vnc->server->at[n];

            print_address(out, "Server", s->host, s->service, s->family);
            fprintf(out, "    Auth: %s (Sub: none)\n", qapi_vnc_primary_auth_str(s->auth));
        }
        for (size_t n = 0; n < vnc->clients->len; n++) {
            const QapiVncClientInfo *c = &vnc->clients->at[n];

            print_address(out, "Client", c->host, c->service, c->family);
            fprintf(out, "    x509_dname: none\n    sasl_username: none\n");
        }
        if (vnc->display) {
            fprintf(out, "  Display: %s\n", vnc->display);
        }
    }
}
