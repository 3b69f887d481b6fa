/*
 * ACPI table blobs, relocation, and the table-loader script.  See hw/acpi/tables.h.
 *
 * References: ACPI 6.4, 5.2.5 (RSDP), 5.2.6 (header), 5.2.7 (RSDT), 5.2.8 (XSDT); the loader script's format
 * is that of SeaBIOS and OVMF: 128-byte little-endian commands.
 */
#include "hw/acpi/tables.h"

enum { HEADER_SIZE = 36, HEADER_LENGTH = 4, HEADER_CHECKSUM = 9, FACS_ALIGN = 64,
       LOADER_ALLOCATE = 1, LOADER_ADD_POINTER = 2, LOADER_ADD_CHECKSUM = 3, LOADER_WRITE_POINTER = 4, LOADER_ENTRY = 128, LOADER_FILE = 56,
       ZONE_HIGH = 1, ZONE_FSEG = 2 };

#define FILE_TABLES "etc/acpi/tables"
#define FILE_RSDP   "etc/acpi/rsdp"

static void set_padded(uint8_t *field, size_t size, const char *text)
{
    memset(field, ' ', size);
    memcpy(field, text, MIN(strlen(text), size));
}

void acpi_tables_init(AcpiTables *t, const char *oem_id, const char *oem_table_id)
{
    set_padded(t->oem_id, sizeof(t->oem_id), oem_id ? oem_id : "QUERN");
    set_padded(t->oem_table_id, sizeof(t->oem_table_id), oem_table_id ? oem_table_id : "QUERNPC");
    t->tables = g_byte_array_new();
    memset(t->rsdp, 0, sizeof(t->rsdp));
    t->pointers = g_array_new(false, false, sizeof(AcpiPointer));
    t->checksums = g_array_new(false, false, sizeof(AcpiChecksum));
    t->blobs = g_array_new(false, false, sizeof(AcpiBlob));
    t->write_backs = g_array_new(false, false, sizeof(AcpiWriteBack));
}

void acpi_tables_fini(AcpiTables *t)
{
    g_clear_pointer(&t->tables, g_byte_array_unref);
    g_clear_pointer(&t->pointers, g_array_unref);
    g_clear_pointer(&t->checksums, g_array_unref);
    g_clear_pointer(&t->blobs, g_array_unref);
    g_clear_pointer(&t->write_backs, g_array_unref);
}

void acpi_put(AcpiTables *t, uint64_t v, unsigned bytes)
{
    uint8_t b[8];

    st64_le(b, v);
    g_byte_array_append(t->tables, b, bytes);
}

void acpi_put_pointer(AcpiTables *t, uint32_t target, uint8_t size)
{
    AcpiPointer p = { false, t->tables->len, size, 0 };

    g_array_append_val(t->pointers, p);
    acpi_put(t, target, size);
}

unsigned acpi_add_blob(AcpiTables *t, const char *file, uint32_t align, uint64_t placed_at)
{
    AcpiBlob b = { file, align, placed_at };

    g_array_append_val(t->blobs, b);
    return t->blobs->len;
}

void acpi_point_at_blob(AcpiTables *t, uint32_t at, unsigned blob, uint8_t size)
{
    AcpiPointer p = { false, at, size, blob };

    g_array_append_val(t->pointers, p);
}

void acpi_write_back(AcpiTables *t, const char *file, unsigned blob, uint32_t offset)
{
    AcpiWriteBack w = { file, blob, offset };

    g_array_append_val(t->write_backs, w);
}

void acpi_put_gas(AcpiTables *t, uint8_t space, uint8_t width, uint8_t access, uint64_t address)
{
    acpi_put(t, space, 1);
    acpi_put(t, width, 1);
    acpi_put(t, 0, 1);
    acpi_put(t, access, 1);
    acpi_put(t, address, 8);
}

uint32_t acpi_table_begin(AcpiTables *t, const char *signature, uint8_t revision)
{
    unsigned align = strcmp(signature, "FACS") == 0 ? FACS_ALIGN : 16;
    uint32_t start;

    while (t->tables->len % align) {
        acpi_put(t, 0, 1);
    }
    start = t->tables->len;
    g_byte_array_append(t->tables, (const uint8_t *)signature, 4);
    acpi_put(t, 0, 4);
    if (align == FACS_ALIGN) {
        return start;               /* FACS has no standard header */
    }
    acpi_put(t, revision, 1);
    acpi_put(t, 0, 1);
    g_byte_array_append(t->tables, t->oem_id, sizeof(t->oem_id));
    g_byte_array_append(t->tables, t->oem_table_id, sizeof(t->oem_table_id));
    acpi_put(t, 1, 4);
    g_byte_array_append(t->tables, (const uint8_t *)"QURN", 4);
    acpi_put(t, 1, 4);
    return start;
}

void acpi_table_end(AcpiTables *t, uint32_t start)
{
    uint8_t *h = t->tables->data + start;
    AcpiChecksum c = { false, start, t->tables->len - start, start + HEADER_CHECKSUM };

    st32_le(h + HEADER_LENGTH, c.len);
    if (memcmp(h, "FACS", 4) != 0) {
        g_array_append_val(t->checksums, c);
    }
}

/* 5.2.5.3: revision 2, both pointers, two checksums. */
static void finish_rsdp(AcpiTables *t, uint32_t rsdt, uint32_t xsdt)
{
    const AcpiPointer p[] = { { true, 16, 4, 0 }, { true, 24, 8, 0 } };
    const AcpiChecksum c[] = { { true, 0, 20, 8 }, { true, 0, ACPI_RSDP_SIZE, 32 } };

    memcpy(t->rsdp, "RSD PTR ", 8);
    memcpy(t->rsdp + 9, t->oem_id, sizeof(t->oem_id));
    t->rsdp[15] = 2;
    st32_le(t->rsdp + 16, rsdt);
    st32_le(t->rsdp + 20, ACPI_RSDP_SIZE);
    st64_le(t->rsdp + 24, xsdt);
    g_array_append_vals(t->pointers, p, 2);
    g_array_append_vals(t->checksums, c, 2);
}

void acpi_finish(AcpiTables *t, const uint32_t *offsets, unsigned n)
{
    uint32_t rsdt = acpi_table_begin(t, "RSDT", 1), xsdt;

    for (unsigned i = 0; i < n; i++) {
        acpi_put_pointer(t, offsets[i], 4);
    }
    acpi_table_end(t, rsdt);
    xsdt = acpi_table_begin(t, "XSDT", 1);
    for (unsigned i = 0; i < n; i++) {
        acpi_put_pointer(t, offsets[i], 8);
    }
    acpi_table_end(t, xsdt);
    finish_rsdp(t, rsdt, xsdt);
}

static uint8_t *blob(AcpiTables *t, bool in_rsdp)
{
    return in_rsdp ? t->rsdp : t->tables->data;
}

void acpi_tables_relocate(AcpiTables *t, uint64_t base)
{
    for (unsigned i = 0; i < t->pointers->len; i++) {
        const AcpiPointer *p = &g_array_index(t->pointers, AcpiPointer, i);
        uint64_t target = p->blob ? g_array_index(t->blobs, AcpiBlob, p->blob - 1).placed_at : base;
        uint8_t *at = blob(t, p->in_rsdp) + p->at;

        if (p->size == 8) {
            st64_le(at, ld64_le(at) + target);
        } else {
            st32_le(at, ld32_le(at) + (uint32_t)target);
        }
    }
    for (unsigned i = 0; i < t->checksums->len; i++) {
        const AcpiChecksum *c = &g_array_index(t->checksums, AcpiChecksum, i);
        uint8_t *b = blob(t, c->in_rsdp), sum = 0;

        for (uint32_t j = 0; j < c->len; j++) {
            sum += b[c->start + j];
        }
        b[c->at] = (uint8_t)(b[c->at] - sum);
    }
}

/* --- for firmware --- */

static uint8_t *script_entry(GByteArray *script, uint32_t command)
{
    uint8_t *e;

    g_byte_array_set_size(script, script->len + LOADER_ENTRY);
    e = script->data + script->len - LOADER_ENTRY;
    memset(e, 0, LOADER_ENTRY);
    st32_le(e, command);
    return e + 4;
}

static void script_allocate(GByteArray *script, const char *file, uint32_t align, uint8_t zone)
{
    uint8_t *e = script_entry(script, LOADER_ALLOCATE);

    g_strlcpy((char *)e, file, LOADER_FILE);
    st32_le(e + LOADER_FILE, align);
    e[LOADER_FILE + 4] = zone;
}

static const char *target_file(const AcpiTables *t, unsigned blob)
{
    return blob ? g_array_index(t->blobs, AcpiBlob, blob - 1).file : FILE_TABLES;
}

static void script_write_back(GByteArray *script, const AcpiTables *t, const AcpiWriteBack *w)
{
    uint8_t *e = script_entry(script, LOADER_WRITE_POINTER);

    g_strlcpy((char *)e, w->file, LOADER_FILE);
    g_strlcpy((char *)e + LOADER_FILE, target_file(t, w->blob), LOADER_FILE);
    st32_le(e + 2 * LOADER_FILE, 0);
    st32_le(e + 2 * LOADER_FILE + 4, w->offset);
    e[2 * LOADER_FILE + 8] = 8;
}

bool acpi_tables_add_fw_cfg(const AcpiTables *t, FwCfg *fw_cfg, Error **errp)
{
    g_autoptr(GByteArray) script = g_byte_array_new();

    script_allocate(script, FILE_TABLES, FACS_ALIGN, ZONE_HIGH);
    script_allocate(script, FILE_RSDP, 16, ZONE_FSEG);
    for (unsigned i = 0; i < t->blobs->len; i++) {
        const AcpiBlob *b = &g_array_index(t->blobs, AcpiBlob, i);

        script_allocate(script, b->file, b->align, ZONE_HIGH);
    }
    for (unsigned i = 0; i < t->pointers->len; i++) {
        const AcpiPointer *p = &g_array_index(t->pointers, AcpiPointer, i);
        uint8_t *e = script_entry(script, LOADER_ADD_POINTER);

        g_strlcpy((char *)e, p->in_rsdp ? FILE_RSDP : FILE_TABLES, LOADER_FILE);
        g_strlcpy((char *)e + LOADER_FILE, target_file(t, p->blob), LOADER_FILE);
        st32_le(e + 2 * LOADER_FILE, p->at);
        e[2 * LOADER_FILE + 4] = p->size;
    }
    for (unsigned i = 0; i < t->checksums->len; i++) {
        const AcpiChecksum *c = &g_array_index(t->checksums, AcpiChecksum, i);
        uint8_t *e = script_entry(script, LOADER_ADD_CHECKSUM);

        g_strlcpy((char *)e, c->in_rsdp ? FILE_RSDP : FILE_TABLES, LOADER_FILE);
        st32_le(e + LOADER_FILE, c->at);
        st32_le(e + LOADER_FILE + 4, c->start);
        st32_le(e + LOADER_FILE + 8, c->len);
    }
    for (unsigned i = 0; i < t->write_backs->len; i++) {
        script_write_back(script, t, &g_array_index(t->write_backs, AcpiWriteBack, i));
    }
    return fw_cfg_add_file(fw_cfg, FILE_TABLES, t->tables->data, t->tables->len, errp)
        && fw_cfg_add_file(fw_cfg, FILE_RSDP, t->rsdp, ACPI_RSDP_SIZE, errp)
        && fw_cfg_add_file(fw_cfg, "etc/table-loader", script->data, script->len, errp);
}

void acpi_tables_update_fw_cfg(const AcpiTables *t, FwCfg *fw_cfg)
{
    bool ok = fw_cfg_modify_file(fw_cfg, FILE_TABLES, t->tables->data, t->tables->len, &error_abort);

    assert(ok);
}
