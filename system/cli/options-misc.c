/*
 * Options that are short for, or change, others: -set, -audio, -audiodev, -debugcon; and small ones of the process.
 */
#include "system/cli/cli.h"

#include "qapi/keyval.h"
#include "system/chardev.h"
#include "system/datadir.h"
#include "util/guest-random.h"
#include "util/trace.h"

/* --- -set GROUP.ID.KEY=VALUE changes an option that was given before --- */

typedef struct SetGroup {
    const char *name, *id_key;
    size_t list;                        /* of the GArray * of CliItem in Options */
} SetGroup;

static const SetGroup set_groups[] = {
    { "blockdev", "node-name", offsetof(Options, blockdevs) },
    { "chardev",  "id",        offsetof(Options, chardevs) },
    { "device",   "id",        offsetof(Options, devices) },
    { "drive",    "id",        offsetof(Options, drives) },
    { "mon",      "id",        offsetof(Options, mons) },
    { "netdev",   "id",        offsetof(Options, netdevs) },
    { "object",   "id",        offsetof(Options, objects) },
};

static CliItem *find_item(Options *o, const SetGroup *g, const char *id)
{
    GArray *list = *(GArray **)((char *)o + g->list);

    for (unsigned i = 0; list && i < list->len; i++) {
        CliItem *item = &g_array_index(list, CliItem, i);

        if (!g_strcmp0(value_dict_get_str(item->dict, g->id_key), id)) {
            return item;
        }
    }
    return NULL;
}

bool apply_set(Options *o, const char *arg, Error **errp)
{
    const char *dot1 = strchr(arg, '.'), *eq = strchr(arg, '='), *dot2 = NULL;
    g_autofree char *group = NULL, *id = NULL, *key = NULL;
    const SetGroup *g = NULL;
    CliItem *item;

    for (const char *s = dot1 ? dot1 + 1 : NULL; s && eq && s < eq; s++) {
        dot2 = *s == '.' ? s : dot2;    /* an id may have dots, a key has none */
    }
    if (!dot2 || dot1 + 1 == dot2 || dot2 + 1 == eq) {
        error_setg(errp, "expected GROUP.ID.KEY=VALUE");
        return false;
    }
    group = g_strndup(arg, dot1 - arg);
    id = g_strndup(dot1 + 1, dot2 - dot1 - 1);
    key = g_strndup(dot2 + 1, eq - dot2 - 1);
    for (unsigned i = 0; i < ARRAY_SIZE(set_groups) && !g; i++) {
        g = !strcmp(set_groups[i].name, group) ? &set_groups[i] : NULL;
    }
    if (!g) {
        error_setg(errp, "there is no option group '%s'", group);
        return false;
    }
    item = find_item(o, g, id);
    if (!item) {
        error_setg(errp, "there is no %s \"%s\" defined", group, id);
        return false;
    }
    value_dict_set_str(item->dict, key, eq + 1);
    return true;
}

/* --- audio: the back end that plays nothing --- */

static const char *const other_drivers[] = {
    "alsa", "coreaudio", "dbus", "dsound", "jack", "oss", "pa", "pipewire", "sdl", "sndio", "spice", "wav", NULL,
};

static bool check_audio_driver(const char *driver, Error **errp)
{
    if (!driver) {
        error_setg(errp, "Parameter 'driver' is missing");
    } else if (g_strv_contains(other_drivers, driver)) {
        error_setg(errp, "audio driver '%s' is not available: only 'none' is", driver);
    } else if (strcmp(driver, "none")) {
        error_setg(errp, "Parameter 'driver' does not accept value '%s'", driver);
    }
    return driver && !strcmp(driver, "none");
}

bool apply_audiodev(Options *o, CliItem *item, Error **errp)
{
    g_autoptr(QapiAudiodev) a = NULL;

    if (!check_audio_driver(value_dict_get_str(item->dict, "driver"), errp)) {
        return false;
    }
    a = qapi_parse_audiodev(item->dict, QAPI_FROM_TEXT, errp);
    if (a) {                            /* no sound device uses it; a VNC server may name it */
        if (!o->audiodev_ids) {
            o->audiodev_ids = g_ptr_array_new_with_free_func(g_free);
        }
        g_ptr_array_add(o->audiodev_ids, g_strdup(a->id));
    }
    return a != NULL;
}

bool apply_audio(Options *o, CliItem *item, Error **errp)
{
    const char *model = value_dict_get_str(item->dict, "model");

    if (!check_audio_driver(value_dict_get_str(item->dict, "driver"), errp)) {
        return false;
    }
    if (model) {
        error_setg(errp, "sound device '%s' is not available", model);
        return false;
    }
    value_dict_set_str(item->dict, "id", "audio");
    return apply_audiodev(o, item, errp);
}

void help_audiodevs(void)
{
    printf("Available audio drivers:\nnone\n");
}

/* --- small ones --- */

/* A character device, and the port that writes to it. */
bool apply_debugcon(Options *o, const char *arg, Error **errp)
{
    g_free(o->debugcon);
    o->debugcon = g_strdup(arg);
    return true;
}

bool apply_echr(Options *o, const char *arg, Error **errp)
{
    char *end;
    long c = strtol(arg, &end, 0);

    if (end == arg || *end || c < 0 || c > 255) {
        error_setg(errp, "the escape character must be a number 0..255, got '%s'", arg);
        return false;
    }
    o->escape = (int)c;
    o->escape_set = true;
    return true;
}

bool apply_seed(Options *o, const char *arg, Error **errp)
{
    o->seed_set = qapi_parse_uint("seed", arg, &o->seed, errp);
    return o->seed_set;
}

bool apply_datadir(Options *o, const char *arg, Error **errp)
{
    if (!strcmp(arg, "help") || !strcmp(arg, "?")) {
        datadir_print(stdout);
        o->done = true;
    } else {
        if (!o->datadirs) {
            o->datadirs = g_ptr_array_new_with_free_func(g_free);
        }
        g_ptr_array_add(o->datadirs, g_strdup(arg));
    }
    return true;
}

/* --- tracing: taken at once, so that what comes next on the line is traced --- */

bool apply_trace(Options *o, CliItem *item, Error **errp)
{
    g_autoptr(QapiTraceOptions) t = qapi_parse_trace_options(item->dict, QAPI_FROM_TEXT, errp);

    if (!t) {
        return false;
    }
    if (t->enable) {
        trace_enable_pattern(t->enable);
    }
    if (t->file) {
        g_free(o->log_file);
        o->log_file = g_strdup(t->file);
    }
    return !t->events || trace_enable_file(t->events, errp);
}

static bool print_event(TraceEvent *ev, void *opaque)
{
    printf("%s\n", ev->name);
    return true;
}

void help_trace(void)
{
    trace_foreach("*", print_event, NULL);
}

void options_misc_take_effect(const Options *o)
{
    for (unsigned i = 0; o->datadirs && i < o->datadirs->len; i++) {
        datadir_add(g_ptr_array_index(o->datadirs, i));
    }
    if (o->escape_set) {
        chardev_mux_set_escape((uint8_t)o->escape);
    }
    if (o->seed_set) {
        guest_random_seed(o->seed);
    }
}

bool apply_compat(Options *o, CliItem *item, Error **errp)
{
    g_autoptr(QapiCompatPolicy) c = qapi_parse_compat_policy(item->dict, QAPI_FROM_TEXT, errp);

    if (!c) {
        return false;
    }
    if ((c->has_deprecated_input && c->deprecated_input != QAPI_COMPAT_POLICY_INPUT_ACCEPT)
        || (c->has_unstable_input && c->unstable_input != QAPI_COMPAT_POLICY_INPUT_ACCEPT)
        || (c->has_deprecated_output && c->deprecated_output != QAPI_COMPAT_POLICY_OUTPUT_ACCEPT)
        || (c->has_unstable_output && c->unstable_output != QAPI_COMPAT_POLICY_OUTPUT_ACCEPT)) {
        error_setg(errp, "policies other than 'accept' are not available");
        return false;
    }
    return true;
}
