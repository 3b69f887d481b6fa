/*
 * -memory-budget: what a command line may take of the host's memory, said without starting anything.
 *
 * The sums follow the same rules as the ledger's (system/ledger): guest RAM that something uses, video RAM, the
 * translator's accounts, the program.  Nothing is opened, made or touched.
 */
#include "system/cli/cli.h"

#include "hw/core/machine.h"
#include "hw/virtio/vhost.h"
#include "qapi/json.h"
#include "qapi/qapi-types.h"
#include "qapi/qapi.h"
#include "system/console.h"
#include "system/ledger.h"
#include "system/vnc.h"
#include "util/account.h"

#include <sys/stat.h>
#include <unistd.h>

#define FOREACH_ITEM(item, list) \
    for (CliItem *item = (list) ? (CliItem *)(list)->data : NULL, *end_ = item ? item + (list)->len : NULL; \
         item != end_; item++)

typedef struct Budget {
    Options *o;
    Machine *m;
    Value *accounts;            /* dict: name -> bytes */
    GArray *pictures;           /* of Picture: what adapters show, in the order of their making */
} Budget;

typedef struct Picture {
    const char *id;             /* of the adapter; NULL = none.  Borrowed */
    uint64_t bytes;
} Picture;

static void add(Budget *b, const char *kind, const char *name, uint64_t bytes)
{
    g_autofree char *key = g_strconcat(kind, name, NULL);
    const Value *old = value_dict_get(b->accounts, key);
    uint64_t sum = 0;

    if (old) {
        value_get_uint(old, &sum);
    }
    value_dict_set(b->accounts, key, value_uint(sum + bytes));
}

/* A size given as text or number; @def if it is not there. */
static bool get_size(const Value *dict, const char *key, uint64_t def, uint64_t *out, Error **errp)
{
    const Value *v = value_dict_get(dict, key);

    *out = def;
    if (!v) {
        return true;
    }
    if (value_type(v) == VALUE_STRING) {
        return qapi_parse_size(key, value_get_string(v), out, errp);
    }
    if (!value_get_uint(v, out)) {
        error_setg(errp, "Parameter '%s' expects a size", key);
        return false;
    }
    return true;
}

static bool is_on(const Value *dict, const char *key)
{
    const Value *v = value_dict_get(dict, key);
    const char *text = v && value_type(v) == VALUE_STRING ? value_get_string(v) : NULL;

    return v && (value_type(v) == VALUE_BOOL ? value_get_bool(v) : text && (!strcmp(text, "on") || !strcmp(text, "true") || !strcmp(text, "yes")));
}

/* --- guest RAM --- */

/* Is backend @id the machine's RAM, or a part of it? */
static bool is_main_ram(const Budget *b, const char *id)
{
    const char *main_id = b->o->machine.dict ? value_dict_get_str(b->o->machine.dict, "memory-backend") : NULL;

    FOREACH_ITEM(item, b->o->numas) {
        const char *memdev = value_dict_get_str(item->dict, "memdev");

        if (memdev && !strcmp(memdev, id)) {
            return true;
        }
    }
    return main_id && !strcmp(main_id, id);
}

/* What -device says of backend @id: all of it, or what is requested of it. */
static bool used_by_devices(const Budget *b, const char *id, uint64_t size, uint64_t *used, Error **errp)
{
    *used = 0;
    FOREACH_ITEM(item, b->o->devices) {
        const char *memdev = value_dict_get_str(item->dict, "memdev"), *driver = value_dict_get_str(item->dict, "driver");

        if (memdev && driver && !strcmp(memdev, id)) {
            if (!g_str_has_prefix(driver, "virtio-mem")) {
                *used = size;
            } else if (!get_size(item->dict, "requested-size", 0, used, errp)) {
                return false;
            }
        }
    }
    return true;
}

static bool add_backend(Budget *b, const Value *dict, bool *is_main, Error **errp)
{
    const char *type = value_dict_get_str(dict, "qom-type"), *id = value_dict_get_str(dict, "id");
    bool plain_name = value_dict_get(dict, "x-use-canonical-path-for-ramblock-id")
                   && !is_on(dict, "x-use-canonical-path-for-ramblock-id");
    g_autofree char *name = NULL;
    uint64_t size, used;

    if (!type || !id || !g_str_has_prefix(type, "memory-backend-")) {
        return true;
    }
    if (!get_size(dict, "size", 0, &size, errp) || !used_by_devices(b, id, size, &used, errp)) {
        return false;
    }
    *is_main |= is_main_ram(b, id);
    used = is_main_ram(b, id) || is_on(dict, "prealloc") ? size : used;
    name = plain_name ? g_strdup(id) : g_strdup_printf("/objects/%s", id);
    add(b, "ram/", name, ROUND_UP(used, 4096));
    return true;
}

static bool add_ram(Budget *b, Error **errp)
{
    const MachineInfo *mi = machine_info(b->m);
    bool is_main = false;

    FOREACH_ITEM(item, b->o->objects) {
        if (!add_backend(b, item->dict, &is_main, errp)) {
            error_prepend(errp, "%s: ", item->where);
            return false;
        }
    }
    if (!is_main && mi->default_ram_id && (b->m->ram_size || mi->default_ram_size)) {
        /* -mem-path and -mem-prealloc make a backend of the user's kind, which goes by its path */
        add(b, b->o->mem_path || b->o->mem_prealloc ? "ram//objects/" : "ram/", mi->default_ram_id,
            b->m->ram_size ? b->m->ram_size : mi->default_ram_size);
    }
    return true;
}

/* --- devices with RAM of their own --- */

/* Display adapters: video memory, and how many times that pictures of it may take (console_bytes()). */
static const struct { const char *type, *property, *account; uint64_t unit; unsigned depths; } video[] = {
    { "VGA", "vgamem_mb", "vga.vram", MiB, 2 },
    { "secondary-vga", "vgamem_mb", "vga.vram", MiB, 2 },
    { "bochs-display", "vgamem", "bochs-display-vram", 1, 1 },
};

static void add_picture(Budget *b, const char *id, uint64_t bytes)
{
    Picture p = { id, bytes };

    add(b, "", "display/surfaces", bytes);
    g_array_append_val(b->pictures, p);
}

static bool add_device(Budget *b, const char *driver, const Value *dict, Error **errp)
{
    if (g_str_has_prefix(driver, "vhost-user-blk")) {
        uint64_t queues;

        if (!get_size(dict, "num-queues", b->m->smp.cpus, &queues, errp)) {
            return false;
        }
        add(b, "", "vhost/queues", vhost_queues_bytes((unsigned)MIN(queues, UINT16_MAX)));
    }
    for (size_t i = 0; i < ARRAY_SIZE(video); i++) {
        const TypeInfo *type = strcmp(driver, video[i].type) ? NULL : type_by_name(driver);
        const Property *p = type ? type_find_property(type, video[i].property) : NULL;
        uint64_t n;

        if (p) {
            if (!get_size(dict, video[i].property, p->def, &n, errp)) {
                return false;
            }
            add(b, "ram/", video[i].account, n * video[i].unit);
            add_picture(b, value_dict_get_str(dict, "id"), console_bytes(n * video[i].unit, video[i].depths));
        }
    }
    return true;
}

static bool has_display_device(const Budget *b)
{
    FOREACH_ITEM(item, b->o->devices) {
        for (size_t i = 0; i < ARRAY_SIZE(video); i++) {
            if (!g_strcmp0(value_dict_get_str(item->dict, "driver"), video[i].type)) {
                return true;
            }
        }
    }
    return false;
}

static bool add_devices(Budget *b, Error **errp)
{
    const char *by_default = b->o->nodefaults || has_display_device(b) ? NULL : machine_info(b->m)->default_display;
    const char *vga = b->o->vga ? b->o->vga : by_default;
    g_autoptr(Value) none = value_dict();

    if (vga && strcmp(vga, "none") && !add_device(b, "VGA", none, errp)) {
        return false;
    }
    FOREACH_ITEM(item, b->o->devices) {
        const char *driver = value_dict_get_str(item->dict, "driver");

        if (driver && !add_device(b, driver, item->dict, errp)) {
            error_prepend(errp, "%s: ", item->where);
            return false;
        }
    }
    return true;
}

/* --- what options have in memory (memory_account_alloc()) --- */

#define SNAPSHOT_CLUSTER    (64 * KiB)      /* system/block/snapshot.c: a bit for each */
#define RINGBUF_DEFAULT     (64 * KiB)

static void add_pages(Budget *b, const char *account, uint64_t bytes)
{
    add(b, "", account, ROUND_UP(MAX(bytes, 1), (uint64_t)getpagesize()));
}

static uint64_t file_bytes(const char *path)
{
    struct stat st;

    return stat(path, &st) ? 0 : (uint64_t)st.st_size;
}

static bool add_ringbufs(Budget *b, Error **errp)
{
    FOREACH_ITEM(item, b->o->chardevs) {
        const char *backend = value_dict_get_str(item->dict, "backend");
        uint64_t size;

        if (g_strcmp0(backend, "ringbuf") && g_strcmp0(backend, "memory")) {
            continue;
        }
        if (!get_size(item->dict, "size", RINGBUF_DEFAULT, &size, errp)) {
            return false;
        }
        add_pages(b, "chardev/ringbuf", size);
    }
    return true;
}

static void add_files(Budget *b)
{
    FOREACH_ITEM(item, b->o->fw_cfgs) {
        const char *file = value_dict_get_str(item->dict, "file");

        if (file) {
            add_pages(b, "fw_cfg", file_bytes(file));
        }
    }
    FOREACH_ITEM(item, b->o->drives) {
        const char *file = value_dict_get_str(item->dict, "file");

        if (file && !is_on(item->dict, "read-only") && g_strcmp0(value_dict_get_str(item->dict, "media"), "cdrom")
            && (value_dict_get(item->dict, "snapshot") ? is_on(item->dict, "snapshot") : b->o->snapshot)) {
            add_pages(b, "block/snapshot", DIV_ROUND_UP(file_bytes(file), 64 * SNAPSHOT_CLUSTER) * sizeof(unsigned long));
        }
    }
}

/* Their connections come with the guest. */
static void add_networks(Budget *b)
{
    const GArray *const lists[] = { b->o->netdevs, b->o->nets, b->o->nics };

    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        FOREACH_ITEM(item, lists[i]) {
            if (!g_strcmp0(value_dict_get_str(item->dict, "type"), "user")) {
                add(b, "", "net/user", 0);
            }
        }
    }
}

/* --- VNC --- */

/* Of the console that a server is to show: the named adapter's, the first, or an empty one. */
static uint64_t picture_of(Budget *b, const char *display)
{
    for (unsigned i = 0; i < b->pictures->len; i++) {
        const Picture *p = &g_array_index(b->pictures, Picture, i);

        if (!display || !g_strcmp0(display, p->id)) {
            return p->bytes;
        }
    }
    add_picture(b, NULL, CONSOLE_BYTES_MIN);
    return CONSOLE_BYTES_MIN;
}

static bool add_vnc_servers(Budget *b, Error **errp)
{
    FOREACH_ITEM(item, b->o->vncs) {
        g_autoptr(QapiVncOptions) vnc = qapi_parse_vnc_options(item->dict, QAPI_FROM_TEXT, errp);

        if (!vnc) {
            return false;
        }
        add(b, "", "display/vnc", vnc_bound(picture_of(b, vnc->display), vnc->has_connections ? vnc->connections : VNC_MAX_CLIENTS));
    }
    return true;
}

/* --- the sum --- */

/* The accelerator was started for this: its accounts are the real ones. */
static void add_registered(Budget *b)
{
    const MemoryAccount *a;

    for (unsigned i = 0; (a = memory_account_at(i)) != NULL; i++) {
        add(b, "", a->name, a->bound(a->opaque));
    }
    add(b, "", "program", ledger_program_bound(b->m->smp.max_cpus));
}

static void print(const Budget *b)
{
    g_autoptr(Value) top = value_dict();
    g_autofree char *text = NULL;
    Value *list = value_list();
    uint64_t sum = 0, n;

    for (size_t i = 0; i < value_dict_len(b->accounts); i++) {
        Value *a = value_dict();

        value_get_uint(value_dict_value_at(b->accounts, i), &n);
        value_dict_set_str(a, "name", value_dict_key_at(b->accounts, i));
        value_dict_set(a, "bound", value_uint(n));
        value_list_append(list, a);
        sum += n;
    }
    value_dict_set(top, "bound", value_uint(sum));
    value_dict_set(top, "accounts", list);
    if (b->m->memory_limit) {
        value_dict_set(top, "limit", value_uint(b->m->memory_limit));
    }
    text = json_to_string(top, true);
    puts(text);
}

bool budget_print(Options *o, Machine *m, Error **errp)
{
    Budget b = { o, m, value_dict(), g_array_new(false, false, sizeof(Picture)) };
    bool ok = add_ram(&b, errp) && add_devices(&b, errp) && add_vnc_servers(&b, errp) && add_ringbufs(&b, errp);

    if (ok) {
        add_files(&b);
        add_networks(&b);
        add_registered(&b);
        print(&b);
    }
    value_unref(b.accounts);
    g_array_unref(b.pictures);
    return ok;
}
