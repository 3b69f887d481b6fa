/*
 * -acpitable: a table of the user's among the board's.
 *
 * data= names files that are the table's body, for which a header is made; file= names files of which the first begins
 * with a header.  Keys override fields of either.  Length and checksum are always ours.
 */
#include "hw/acpi/tables.h"

#include "qapi/qapi-types.h"

enum { HEADER_SIZE = 36, SIG_AT = 0, REV_AT = 8, OEM_ID_AT = 10, OEM_TABLE_ID_AT = 16, OEM_REV_AT = 24, ASL_ID_AT = 28, ASL_REV_AT = 32 };
#define USER_TABLE_MAX_BYTES (1 * MiB)

/* "A:B": both, one after the other. */
static bool append_files(GByteArray *out, const char *paths, Error **errp)
{
    g_auto(GStrv) names = g_strsplit(paths, ":", -1);

    for (unsigned i = 0; names[i]; i++) {
        g_autoptr(GError) gerr = NULL;
        g_autofree char *data = NULL;
        gsize len;

        if (!g_file_get_contents(names[i], &data, &len, &gerr)) {
            error_setg(errp, "can't open file %s: %s", names[i], gerr->message);
            return false;
        }
        if (len > USER_TABLE_MAX_BYTES - out->len) {
            error_setg(errp, "ACPI table claims more than %llu bytes", USER_TABLE_MAX_BYTES);
            return false;
        }
        g_byte_array_append(out, (const uint8_t *)data, (guint)len);
    }
    return true;
}

/* @text into a field of @size bytes, NUL-padded. */
static bool set_text(uint8_t *field, size_t size, const char *key, const char *text, Error **errp)
{
    if (!text) {
        return true;
    }
    if (strlen(text) > size) {
        error_setg(errp, "%s must be at most %zu characters, got '%s'", key, size, text);
        return false;
    }
    memset(field, 0, size);
    memcpy(field, text, strlen(text));
    return true;
}

static bool set_header(uint8_t *h, const QapiAcpiTableOptions *o, Error **errp)
{
    if (o->has_rev) {
        h[REV_AT] = o->rev;
    }
    if (o->has_oem_rev) {
        st32_le(h + OEM_REV_AT, o->oem_rev);
    }
    if (o->has_asl_compiler_rev) {
        st32_le(h + ASL_REV_AT, o->asl_compiler_rev);
    }
    if (o->sig && strlen(o->sig) != 4) {
        error_setg(errp, "sig must be 4 characters, got '%s'", o->sig);
        return false;
    }
    return set_text(h + SIG_AT, 4, "sig", o->sig, errp) && set_text(h + OEM_ID_AT, 6, "oem_id", o->oem_id, errp)
        && set_text(h + OEM_TABLE_ID_AT, 8, "oem_table_id", o->oem_table_id, errp)
        && set_text(h + ASL_ID_AT, 4, "asl_compiler_id", o->asl_compiler_id, errp);
}

GByteArray *acpi_user_table_new(const Value *opts, Error **errp)
{
    static const uint8_t header[HEADER_SIZE] = "QEMU\0\0\0\0\1\0QEMUQEQEMUQEMU\1\0\0\0QEMU\1\0\0";
    g_autoptr(QapiAcpiTableOptions) o = qapi_parse_acpi_table_options(opts, QAPI_FROM_TEXT, errp);
    g_autoptr(GByteArray) t = g_byte_array_new();

    if (!o) {
        return NULL;
    }
    if (!o->file == !o->data) {
        error_setg(errp, "'-acpitable' requires one of 'data' or 'file'");
        return NULL;
    }
    if (o->data) {
        g_byte_array_append(t, header, HEADER_SIZE);
    }
    if (!append_files(t, o->data ? o->data : o->file, errp)) {
        return NULL;
    }
    if (t->len < HEADER_SIZE) {
        error_setg(errp, "ACPI table has %u bytes, its header alone %d", t->len, HEADER_SIZE);
        return NULL;
    }
    return set_header(t->data, o, errp) ? g_steal_pointer(&t) : NULL;
}

uint32_t acpi_put_user_table(AcpiTables *t, const GByteArray *table)
{
    uint32_t start;

    while (t->tables->len % 16) {
        acpi_put(t, 0, 1);
    }
    start = t->tables->len;
    g_byte_array_append(t->tables, table->data, table->len);
    t->tables->data[start + 9] = 0;             /* computed when the table is placed */
    acpi_table_end(t, start);
    return start;
}
