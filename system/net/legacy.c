/*
 * -nic: a back end and its device in one option.  -net: the same in two, over hub 0.
 */
#include "system/net/internal.h"
#include "hw/core/qdev.h"
#include "qapi/keyval.h"

/* Keys of the device, not of the back end. */
static const char *const nic_keys[] = { "model", "mac", "macaddr", "addr", "vectors" };

/* A device to be made when the board is there. */
typedef struct NicRequest {
    char *where;
    Value *props;               /* of the device; "driver" when the model was given */
} NicRequest;

static GPtrArray *requests;     /* of NicRequest *; emptied by net_legacy_create_devices() */

static void request_free(void *opaque)
{
    NicRequest *r = opaque;

    g_free(r->where);
    value_unref(r->props);
    g_free(r);
}

static char *new_id(const char *prefix)
{
    for (unsigned i = 0;; i++) {
        char *id = g_strdup_printf("#%s%u", prefix, i);

        if (!netdev_find(id, 0)) {
            return id;
        }
        g_free(id);
    }
}

/* Names of models as they have been short since long ago. */
static const char *driver_of_model(const char *model)
{
    return !strcmp(model, "virtio") ? "virtio-net-pci" : model;
}

/* Move what describes the device from @from into a dict of its properties. */
static Value *take_nic_keys(Value *from)
{
    Value *props = value_dict();

    for (unsigned i = 0; i < ARRAY_SIZE(nic_keys); i++) {
        const char *text = value_dict_get_str(from, nic_keys[i]);

        if (!text) {
            continue;
        }
        if (!strcmp(nic_keys[i], "model")) {
            value_dict_set_str(props, "driver", driver_of_model(text));
        } else {
            value_dict_set_str(props, !strcmp(nic_keys[i], "macaddr") ? "mac" : nic_keys[i], text);
        }
        value_dict_remove(from, nic_keys[i]);
    }
    return props;
}

static void request_device(const char *where, Value *props, const char *netdev)
{
    NicRequest *r = g_new0(NicRequest, 1);

    value_dict_set_str(props, "netdev", netdev);
    r->where = g_strdup(where);
    r->props = props;
    if (!requests) {
        requests = g_ptr_array_new_with_free_func(request_free);
    }
    g_ptr_array_add(requests, r);
}

static bool print_model(const TypeInfo *type, void *opaque)
{
    if (type_find_property(type, "netdev") && !((const DeviceInfo *)type->info)->not_user_creatable) {
        fprintf((FILE *)opaque, "%s\n", type->name);
    }
    return true;
}

void net_print_models(FILE *out)
{
    fprintf(out, "Available NIC models:\n");
    type_foreach(&device_type, false, print_model, out);
}

bool net_nic_option(const char *where, const Value *given, Error **errp)
{
    g_autoptr(Value) dict = value_deep_copy(given);
    g_autofree char *id = NULL;
    Value *props;

    if (!g_strcmp0(value_dict_get_str(dict, "type"), "none")) {
        if (value_dict_len(dict) > 1) {
            error_setg(errp, "'none' takes no further parameters");
            return false;
        }
        return true;
    }
    props = take_nic_keys(dict);
    id = value_dict_get_str(dict, "id") ? g_strdup(value_dict_get_str(dict, "id")) : new_id("net");
    value_dict_set_str(dict, "id", id);
    if (!netdev_add_internal(dict, errp)) {
        value_unref(props);
        return false;
    }
    request_device(where, props, id);
    return true;
}

/* "-net nic": a device at hub 0, or at netdev=. */
static bool net_nic(const char *where, Value *dict, Error **errp)
{
    g_autofree char *netdev = g_strdup(value_dict_get_str(dict, "netdev")), *port = NULL;
    Value *props;

    props = take_nic_keys(dict);
    value_dict_remove(dict, "type");
    value_dict_remove(dict, "netdev");
    if (value_dict_len(dict)) {
        error_setg(errp, "Invalid parameter '%s'", value_dict_key_at(dict, 0));
        value_unref(props);
        return false;
    }
    if (!netdev) {
        port = new_id("hub0port");
        hub_add_port(0, port, NULL);
    }
    request_device(where, props, netdev ? netdev : port);
    return true;
}

bool net_net_option(const char *where, const Value *given, Error **errp)
{
    g_autoptr(Value) dict = value_deep_copy(given);
    const char *type = value_dict_get_str(dict, "type");
    g_autofree char *id = NULL, *port = NULL;

    if (!type || !strcmp(type, "none")) {
        return true;
    }
    if (!strcmp(type, "nic")) {
        return net_nic(where, dict, errp);
    }
    if (!strcmp(type, "hubport")) {
        error_setg(errp, "Parameter 'type' does not accept value 'hubport'");
        return false;
    }
    id = value_dict_get_str(dict, "id") ? g_strdup(value_dict_get_str(dict, "id")) : new_id("net");
    value_dict_set_str(dict, "id", id);
    if (!netdev_add_internal(dict, errp)) {
        return false;
    }
    port = new_id("hub0port");
    hub_add_port(0, port, netdev_find(id, 0));
    return true;
}

static bool create_device(const NicRequest *r, const char *default_model, Error **errp)
{
    if (!value_dict_get(r->props, "driver")) {
        if (!default_model || !type_by_name(default_model)) {
            error_setg(errp, "the machine's default NIC model '%s' is not available: give model=, as in model=virtio-net-pci",
                       default_model ? default_model : "none");
            return false;
        }
        value_dict_set_str(r->props, "driver", default_model);
    }
    return device_add_from_opts(r->props, false, errp) != NULL;
}

bool net_legacy_create_devices(const char *default_model, Error **errp)
{
    bool ok = true;

    for (unsigned i = 0; requests && i < requests->len && ok; i++) {
        const NicRequest *r = g_ptr_array_index(requests, i);

        ok = create_device(r, default_model, errp);
        if (!ok) {
            error_prepend(errp, "%s: ", r->where);
        }
    }
    g_clear_pointer(&requests, g_ptr_array_unref);
    return ok;
}

static void check_client(NetClient *nc, void *opaque)
{
    if (!nc->peer && !nc->is_nic) {
        warn_report("netdev %s has no peer", nc->name);
    }
}

void net_check_clients(void)
{
    net_client_foreach(check_client, NULL);
}
