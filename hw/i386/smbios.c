/*
 * SMBIOS 3.0 tables of the PC boards, with -smbios overrides.
 *
 * Reference: DMTF DSP0134 3.0.0: 5.2.2 (64-bit entry point), 6.1 (structures and strings), 7.x (types).
 *
 * A structure is its formatted part, whose second byte is that part's length, then its strings, each
 * ended by NUL, and one more NUL; a string field holds the string's number, 0 for none.
 */
#include "hw/i386/smbios.h"

#include "config-host.h"
#include "util/uuid.h"

typedef struct Field {
    uint8_t type;
    const char *key;
} Field;

/* What -smbios may set.  Numbers and switches are checked in smbios_check(). */
static const Field fields[] = {
    { 0, "vendor" }, { 0, "version" }, { 0, "date" }, { 0, "release" }, { 0, "uefi" },
    { 1, "manufacturer" }, { 1, "product" }, { 1, "version" }, { 1, "serial" }, { 1, "uuid" }, { 1, "sku" }, { 1, "family" },
    { 2, "manufacturer" }, { 2, "product" }, { 2, "version" }, { 2, "serial" }, { 2, "asset" }, { 2, "location" },
    { 3, "manufacturer" }, { 3, "version" }, { 3, "serial" }, { 3, "asset" }, { 3, "sku" },
    { 4, "sock_pfx" }, { 4, "manufacturer" }, { 4, "version" }, { 4, "serial" }, { 4, "asset" }, { 4, "part" },
    { 4, "max-speed" }, { 4, "current-speed" }, { 4, "processor-id" }, { 4, "processor-family" },
    { 8, "internal_reference" }, { 8, "external_reference" }, { 8, "connector_type" }, { 8, "port_type" },
    { 11, "value" }, { 11, "path" },
    { 17, "loc_pfx" }, { 17, "bank" }, { 17, "manufacturer" }, { 17, "serial" }, { 17, "asset" }, { 17, "part" }, { 17, "speed" },
};

enum { HANDLE_BIOS = 0x000, HANDLE_SYSTEM = 0x100, HANDLE_BOARD = 0x200, HANDLE_CHASSIS = 0x300, HANDLE_CPU = 0x400, HANDLE_PORT = 0x800,
       HANDLE_OEM = 0xe00, HANDLE_ARRAY = 0x1000, HANDLE_DIMM = 0x1100, HANDLE_RANGE = 0x1300, HANDLE_BOOT = 0x2000,
       HANDLE_END = 0x7f00, HANDLE_NONE = 0xfffe, MAX_OEM_STRINGS = 64, MAX_PORTS = 64 };
#define DIMM_MAX (16 * GiB)
#define OEM_STRING_MAX_BYTES (4u * 1024)

/* --- options --- */

static bool smbios_check(unsigned type, const char *key, const char *text, Error **errp)
{
    unsigned a, b;
    char end;

    if (strcmp(key, "uuid") == 0 && !g_uuid_string_is_valid(text)) {
        error_setg(errp, "-smbios type=%u: '%s' is not a UUID", type, text);
        return false;
    }
    if (strcmp(key, "release") == 0 && (sscanf(text, "%u.%u%c", &a, &b, &end) != 2 || a > 255 || b > 255)) {
        error_setg(errp, "-smbios type=0: release must be MAJOR.MINOR, each 0..255, got '%s'", text);
        return false;
    }
    if (strcmp(key, "uefi") == 0 && strcmp(text, "on") != 0 && strcmp(text, "off") != 0) {
        error_setg(errp, "-smbios type=0: uefi must be on or off, got '%s'", text);
        return false;
    }
    if ((strstr(key, "speed") && (sscanf(text, "%u%c", &a, &end) != 1 || a > 65535))) {
        error_setg(errp, "-smbios type=%u: %s must be 0..65535 (MHz), got '%s'", type, key, text);
        return false;
    }
    if (strcmp(key, "processor-family") == 0 && (sscanf(text, "%u%c", &a, &end) != 1 || a > 65534)) {
        error_setg(errp, "-smbios type=4: processor-family must be 0..65534, got '%s'", text);
        return false;
    }
    if (type == 8 && g_str_has_suffix(key, "_type") && (sscanf(text, "%u%c", &a, &end) != 1 || a > 255)) {
        error_setg(errp, "-smbios type=8: %s must be 0..255, got '%s'", key, text);
        return false;
    }
    if (strcmp(key, "processor-id") == 0 && (!g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, NULL, NULL))) {
        error_setg(errp, "-smbios type=4: processor-id must be a number, got '%s'", text);
        return false;
    }
    return true;
}

static bool known_type(unsigned type)
{
    for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
        if (fields[i].type == type) {
            return true;
        }
    }
    return false;
}

static bool known_field(unsigned type, const char *key)
{
    for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
        if (fields[i].type == type && strcmp(fields[i].key, key) == 0) {
            return true;
        }
    }
    return false;
}

static char *value_text(const Value *v)
{
    int64_t n;

    switch (value_type(v)) {
    case VALUE_STRING:
        return g_strdup(value_get_string(v));
    case VALUE_BOOL:
        return g_strdup(value_get_bool(v) ? "on" : "off");
    default:
        return value_get_int(v, &n) ? g_strdup_printf("%" PRId64, n) : NULL;
    }
}

static Value *list_of(X86Machine *x, const char *name)
{
    Value *list = value_dict_get(x->smbios, name);

    if (!list) {
        list = value_list();
        value_dict_set(x->smbios, name, list);
    }
    return list;
}

/* A file's text as an OEM string. */
static bool add_oem_file(X86Machine *x, const char *path, Error **errp)
{
    g_autoptr(GError) gerr = NULL;
    g_autofree char *text = NULL;
    gsize len;

    if (!g_file_get_contents(path, &text, &len, &gerr)) {
        error_setg(errp, "-smbios type=11: %s", gerr->message);
        return false;
    }
    if (memchr(text, 0, len) || len > OEM_STRING_MAX_BYTES) {
        error_setg(errp, "-smbios type=11: '%s' is no text of at most %u bytes", path, OEM_STRING_MAX_BYTES);
        return false;
    }
    value_list_append(list_of(x, "11.value"), value_string(text));
    return true;
}

/* type=11 adds one OEM string each time, type=8 one connector (its fields come one by one; see smbios_option_add). */
static bool set_field(X86Machine *x, unsigned type, const char *key, const char *text, Error **errp)
{
    g_autofree char *name = g_strdup_printf("%u.%s", type, key);

    if (type == 11 && !strcmp(key, "path")) {
        return add_oem_file(x, text, errp);
    }
    if (type == 11) {
        value_list_append(list_of(x, name), value_string(text));
    } else if (type == 8) {
        Value *ports = list_of(x, "8.ports");

        value_dict_set_str(value_list_at(ports, value_list_len(ports) - 1), key, text);
    } else {
        value_dict_set_str(x->smbios, name, text);
    }
    return true;
}

static bool add_file(X86Machine *x, const char *path, Error **errp)
{
    g_autoptr(GError) gerr = NULL;
    g_autofree char *data = NULL;
    gsize len;

    if (!g_file_get_contents(path, &data, &len, &gerr)) {
        error_setg(errp, "-smbios file=%s: %s", path, gerr->message);
        return false;
    }
    if (len < 6 || len > 16 * KiB || (uint8_t)data[1] < 4 || (uint8_t)data[1] + 2u > len || data[len - 1] || data[len - 2]) {
        error_setg(errp, "-smbios file=%s: not one SMBIOS structure with its strings", path);
        return false;
    }
    g_byte_array_append(x->smbios_files, (const uint8_t *)data, (guint)len);
    return true;
}

bool smbios_option_add(const Value *opts, Error **errp)
{
    Machine *m = current_machine();
    X86Machine *x = m && object_is(m, &x86_machine_type) ? X86_MACHINE(m) : NULL;
    Value *type_value = value_dict_get(opts, "type");
    const char *file = value_dict_get_str(opts, "file");
    g_autofree char *type_text = type_value ? value_text(type_value) : NULL;
    guint64 type;

    if (!x) {
        error_setg(errp, "-smbios: machine '%s' has no SMBIOS tables", m ? machine_info(m)->machine_name : "none");
        return false;
    }
    if (!x->smbios) {
        x->smbios = value_dict();
        x->smbios_files = g_byte_array_new();
    }
    if (file) {
        return add_file(x, file, errp);
    }
    if (!type_text || !g_ascii_string_to_unsigned(type_text, 10, 0, 255, &type, NULL) || !known_type((unsigned)type)) {
        error_setg(errp, "-smbios type=%s: must be one of 0, 1, 2, 3, 4, 8, 11, 17", type_text ? type_text : "");
        return false;
    }
    if (type == 8) {
        value_list_append(list_of(x, "8.ports"), value_dict());
    }
    for (size_t i = 0; i < value_dict_len(opts); i++) {
        const char *key = value_dict_key_at(opts, i);
        g_autofree char *text = value_text(value_dict_value_at(opts, i));

        if (strcmp(key, "type") == 0) {
            continue;
        }
        if (!known_field((unsigned)type, key) || !text) {
            error_setg(errp, "-smbios type=%" PRIu64 " has no field '%s'", (uint64_t)type, key);
            return false;
        }
        if (!smbios_check((unsigned)type, key, text, errp)) {
            return false;
        }
        if (!set_field(x, (unsigned)type, key, text, errp)) {
            return false;
        }
    }
    return true;
}

/* --- structures --- */

typedef struct Builder {
    const X86Machine *x;
    GByteArray *out;
    uint32_t start;             /* of the open structure */
    unsigned type, n_strings;
    GByteArray *strings;
} Builder;

static void put(Builder *b, uint64_t v, unsigned bytes)
{
    uint8_t le[8];

    st64_le(le, v);
    g_byte_array_append(b->out, le, bytes);
}

static void begin(Builder *b, uint8_t type, uint16_t handle)
{
    b->start = b->out->len;
    b->type = type;
    b->n_strings = 0;
    g_byte_array_set_size(b->strings, 0);
    put(b, type, 1);
    put(b, 0, 1);
    put(b, handle, 2);
}

static void end(Builder *b)
{
    static const uint8_t nul[2];

    b->out->data[b->start + 1] = (uint8_t)(b->out->len - b->start);
    g_byte_array_append(b->out, b->strings->data ? b->strings->data : nul, b->strings->len);
    g_byte_array_append(b->out, nul, b->n_strings ? 1 : 2);
}

static const char *option(const Builder *b, unsigned type, const char *key)
{
    g_autofree char *name = g_strdup_printf("%u.%s", type, key);

    return b->x->smbios ? value_dict_get_str(b->x->smbios, name) : NULL;
}

static bool type_given(const Builder *b, unsigned type)
{
    for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
        if (fields[i].type == type && option(b, type, fields[i].key)) {
            return true;
        }
    }
    return false;
}

/* A string field with literal text; empty text is no string. */
static void put_text(Builder *b, const char *text)
{
    if (!text || !*text) {
        put(b, 0, 1);
        return;
    }
    put(b, ++b->n_strings, 1);
    g_byte_array_append(b->strings, (const uint8_t *)text, (guint)strlen(text) + 1);
}

/* A string field that -smbios may set. */
static void put_option(Builder *b, const char *key, const char *def)
{
    const char *text = option(b, b->type, key);

    put_text(b, text ? text : def);
}

static void type0(Builder *b)
{
    const char *release = option(b, 0, "release"), *uefi = option(b, 0, "uefi");
    unsigned major = 0, minor = 0;

    if (release) {
        sscanf(release, "%u.%u", &major, &minor);
    }
    begin(b, 0, HANDLE_BIOS);
    put_option(b, "vendor", "Quern");
    put_option(b, "version", QUERN_VERSION);
    put(b, 0xe800, 2);
    put_option(b, "date", "04/01/2014");
    put(b, 0, 1);
    put(b, 1 << 3, 8);                                          /* characteristics not supported */
    put(b, 0, 1);
    put(b, 0x14 | (uefi && !strcmp(uefi, "on") ? 0x08 : 0), 1); /* targeted content, virtual machine */
    put(b, major, 1);
    put(b, minor, 1);
    put(b, 0xffff, 2);
    end(b);
}

/* 7.2.1: the first three fields are little-endian. */
static void put_uuid(Builder *b, const uint8_t uuid[16])
{
    uint8_t le[UUID_LEN];

    uuid_to_le(uuid, le);
    for (unsigned i = 0; i < UUID_LEN; i++) {
        put(b, le[i], 1);
    }
}

static void type1(Builder *b)
{
    const MachineInfo *mi = machine_info(&b->x->m);
    const char *text = option(b, 1, "uuid");
    uint8_t uuid[16];

    if (!text || !uuid_parse(text, uuid)) {
        memcpy(uuid, b->x->m.uuid, 16);
    }
    begin(b, 1, HANDLE_SYSTEM);
    put_option(b, "manufacturer", "QEMU");      /* the word by which guests know this platform */
    put_option(b, "product", mi->desc);
    put_option(b, "version", mi->machine_name);
    put_option(b, "serial", NULL);
    put_uuid(b, uuid);
    put(b, 6, 1);                               /* woken by the power switch */
    put_option(b, "sku", NULL);
    put_option(b, "family", NULL);
    end(b);
}

static void type2(Builder *b)
{
    begin(b, 2, HANDLE_BOARD);
    put_option(b, "manufacturer", "QEMU");
    put_option(b, "product", machine_info(&b->x->m)->desc);
    put_option(b, "version", machine_info(&b->x->m)->machine_name);
    put_option(b, "serial", NULL);
    put_option(b, "asset", NULL);
    put(b, 1, 1);                               /* hosting board */
    put_option(b, "location", NULL);
    put(b, HANDLE_CHASSIS, 2);
    put(b, 0x0a, 1);                            /* motherboard */
    put(b, 0, 1);
    end(b);
}

static void type3(Builder *b)
{
    begin(b, 3, HANDLE_CHASSIS);
    put_option(b, "manufacturer", "QEMU");
    put(b, 1, 1);                               /* other */
    put_option(b, "version", machine_info(&b->x->m)->machine_name);
    put_option(b, "serial", NULL);
    put_option(b, "asset", NULL);
    put(b, 0x02030303, 4);                      /* boot, power, thermal: safe; security: unknown */
    put(b, 0, 4);
    put(b, 0, 4);                               /* height, cords, contained elements */
    put_option(b, "sku", NULL);
    end(b);
}

static void type4(Builder *b, unsigned socket)
{
    const SmpConfig *smp = &b->x->m.smp;
    const char *prefix = option(b, 4, "sock_pfx"), *id = option(b, 4, "processor-id");
    const char *max = option(b, 4, "max-speed"), *current = option(b, 4, "current-speed");
    const char *family_text = option(b, 4, "processor-family");
    unsigned family = family_text ? (unsigned)strtoul(family_text, NULL, 10) : 1;       /* other */
    g_autofree char *designation = g_strdup_printf("%s%4x", prefix ? prefix : "CPU", socket);
    unsigned cores = smp->cores * smp->clusters * smp->dies, threads = cores * smp->threads;

    begin(b, 4, (uint16_t)(HANDLE_CPU + socket));
    put_text(b, designation);
    put(b, 3, 1);                               /* central processor */
    put(b, family < 0xfe ? family : 0xfe, 1);   /* 0xfe: see family 2 */
    put_option(b, "manufacturer", "QEMU");
    put(b, id ? g_ascii_strtoull(id, NULL, 10) : 0, 8);
    put_option(b, "version", machine_info(&b->x->m)->machine_name);
    put(b, 0, 1);
    put(b, 0, 2);
    put(b, max ? strtoul(max, NULL, 10) : 2000, 2);
    put(b, current ? strtoul(current, NULL, 10) : 2000, 2);
    put(b, 0x41, 1);                            /* populated, enabled */
    put(b, 1, 1);
    put(b, 0xffff, 2);                          /* caches: not described */
    put(b, 0xffff, 2);
    put(b, 0xffff, 2);
    put_option(b, "serial", NULL);
    put_option(b, "asset", NULL);
    put_option(b, "part", NULL);
    put(b, MIN(cores, 255), 1);
    put(b, MIN(cores, 255), 1);
    put(b, MIN(threads, 255), 1);
    put(b, 2, 2);                               /* characteristics unknown */
    put(b, family, 2);
    put(b, cores, 2);
    put(b, cores, 2);
    put(b, threads, 2);
    end(b);
}

/* 7.9: port connectors; inside, the connector is of no type. */
static void type8(Builder *b)
{
    const Value *ports = b->x->smbios ? value_dict_get(b->x->smbios, "8.ports") : NULL;

    for (size_t i = 0; ports && i < MIN(value_list_len(ports), (size_t)MAX_PORTS); i++) {
        const Value *p = value_list_at(ports, i);
        const char *connector = value_dict_get_str(p, "connector_type"), *port = value_dict_get_str(p, "port_type");

        begin(b, 8, (uint16_t)(HANDLE_PORT + i));
        put_text(b, value_dict_get_str(p, "internal_reference"));
        put(b, 0, 1);
        put_text(b, value_dict_get_str(p, "external_reference"));
        put(b, connector ? strtoul(connector, NULL, 10) : 0, 1);
        put(b, port ? strtoul(port, NULL, 10) : 0, 1);
        end(b);
    }
}

static void type11(Builder *b)
{
    const Value *list = b->x->smbios ? value_dict_get(b->x->smbios, "11.value") : NULL;
    size_t n = list ? MIN(value_list_len(list), (size_t)MAX_OEM_STRINGS) : 0;

    if (!n) {
        return;
    }
    begin(b, 11, HANDLE_OEM);
    put(b, n, 1);
    for (size_t i = 0; i < n; i++) {
        const char *text = value_get_string(value_list_at(list, i));

        b->n_strings++;
        g_byte_array_append(b->strings, (const uint8_t *)text, (guint)strlen(text) + 1);
    }
    end(b);
}

static void type16(Builder *b, unsigned n_dimms)
{
    uint64_t kib = b->x->m.ram_size / KiB;

    begin(b, 16, HANDLE_ARRAY);
    put(b, 1, 1);                               /* location: other */
    put(b, 3, 1);                               /* system memory */
    put(b, 6, 1);                               /* multi-bit ECC */
    put(b, kib < 0x80000000u ? kib : 0x80000000u, 4);
    put(b, HANDLE_NONE, 2);
    put(b, n_dimms, 2);
    put(b, kib < 0x80000000u ? 0 : b->x->m.ram_size, 8);
    end(b);
}

static void type17(Builder *b, unsigned n, uint64_t size)
{
    const char *prefix = option(b, 17, "loc_pfx"), *speed = option(b, 17, "speed");
    g_autofree char *locator = g_strdup_printf("%s %u", prefix ? prefix : "DIMM", n);
    uint64_t mib = size / MiB;
    unsigned mhz = speed ? (unsigned)strtoul(speed, NULL, 10) : 0;

    begin(b, 17, (uint16_t)(HANDLE_DIMM + n));
    put(b, HANDLE_ARRAY, 2);
    put(b, HANDLE_NONE, 2);
    put(b, 0xffffffff, 4);                      /* widths unknown */
    put(b, mib < 0x7fff ? mib : 0x7fff, 2);
    put(b, 9, 1);                               /* DIMM */
    put(b, 0, 1);
    put_text(b, locator);
    put_option(b, "bank", NULL);
    put(b, 7, 1);                               /* RAM */
    put(b, 2, 2);
    put(b, mhz, 2);
    put_option(b, "manufacturer", "QEMU");
    put_option(b, "serial", NULL);
    put_option(b, "asset", NULL);
    put_option(b, "part", NULL);
    put(b, 0, 1);
    put(b, mib < 0x7fff ? 0 : mib, 4);
    put(b, mhz, 2);
    put(b, 0, 6);                               /* voltages unknown */
    end(b);
}

static void type19(Builder *b, unsigned n, uint64_t base, uint64_t len)
{
    bool wide = (base + len - 1) / KiB >= UINT32_MAX;

    begin(b, 19, (uint16_t)(HANDLE_RANGE + n));
    put(b, wide ? UINT32_MAX : base / KiB, 4);
    put(b, wide ? UINT32_MAX : (base + len - 1) / KiB, 4);
    put(b, HANDLE_ARRAY, 2);
    put(b, 1, 1);
    put(b, wide ? base : 0, 8);
    put(b, wide ? base + len - 1 : 0, 8);
    end(b);
}

static void memory_structures(Builder *b)
{
    uint64_t left = b->x->m.ram_size;
    unsigned n = (unsigned)MIN(DIV_ROUND_UP(left, DIMM_MAX), 512);

    type16(b, n);
    for (unsigned i = 0; i < n; i++) {
        uint64_t size = i + 1 < n ? DIMM_MAX : left;

        type17(b, i, size);
        left -= size;
    }
    type19(b, 0, 0, b->x->below_4g);
    if (b->x->above_4g) {
        type19(b, 1, 4 * GiB, b->x->above_4g);
    }
}

GByteArray *smbios_build(const X86Machine *x)
{
    Builder b = { .x = x, .out = g_byte_array_new(), .strings = g_byte_array_new() };

    type0(&b);
    type1(&b);
    if (type_given(&b, 2)) {
        type2(&b);
    }
    type3(&b);
    for (unsigned i = 0; i < x->m.smp.sockets; i++) {
        type4(&b, i);
    }
    type8(&b);
    type11(&b);
    memory_structures(&b);
    if (x->smbios_files) {
        g_byte_array_append(b.out, x->smbios_files->data, x->smbios_files->len);
    }
    begin(&b, 32, HANDLE_BOOT);
    put(&b, 0, 7);                              /* reserved; no errors detected */
    end(&b);
    begin(&b, 127, HANDLE_END);
    end(&b);
    g_byte_array_unref(b.strings);
    return b.out;
}

void smbios_entry_point(const GByteArray *structures, uint64_t address, uint8_t out[24])
{
    uint8_t sum = 0;

    memset(out, 0, 24);
    memcpy(out, "_SM3_", 5);
    out[6] = 24;
    out[7] = 3;                                 /* 3.0 */
    out[10] = 1;
    st32_le(out + 12, structures->len);
    st64_le(out + 16, address);
    for (unsigned i = 0; i < 24; i++) {
        sum += out[i];
    }
    out[5] = (uint8_t)-sum;
}

bool smbios_install(X86Machine *x, Error **errp)
{
    enum { STRUCTURES_AT = X86_SMBIOS_ADDR + 0x20 };
    g_autoptr(GByteArray) s = smbios_build(x);
    uint8_t entry[24];

    if (!x->direct_boot) {
        smbios_entry_point(s, 0, entry);
        return fw_cfg_add_file(x->fw_cfg, "etc/smbios/smbios-tables", s->data, s->len, errp)
            && fw_cfg_add_file(x->fw_cfg, "etc/smbios/smbios-anchor", entry, sizeof(entry), errp);
    }
    if (STRUCTURES_AT + s->len > MiB) {
        error_setg(errp, "SMBIOS structures take %u bytes, at most %u fit", s->len, (unsigned)(MiB - STRUCTURES_AT));
        return false;
    }
    smbios_entry_point(s, STRUCTURES_AT, entry);
    boot_images_add_take(&x->images, "SMBIOS entry point", X86_SMBIOS_ADDR, g_memdup2(entry, sizeof(entry)), sizeof(entry));
    boot_images_add_take(&x->images, "SMBIOS structures", STRUCTURES_AT, g_memdup2(s->data, s->len), s->len);
    return true;
}
