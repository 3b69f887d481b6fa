/*
 * AML writer.  See hw/acpi/aml.h; section numbers are ACPI 6.4's.
 */
#include "hw/acpi/aml.h"

enum { OP_NAME = 0x08, OP_BYTE = 0x0a, OP_WORD = 0x0b, OP_DWORD = 0x0c, OP_STRING = 0x0d, OP_QWORD = 0x0e, OP_SCOPE = 0x10,
       OP_BUFFER = 0x11, OP_PACKAGE = 0x12, OP_METHOD = 0x14, OP_DUAL = 0x2e, OP_MULTI = 0x2f, OP_EXT = 0x5b,
       OP_CREATE_DWORD_FIELD = 0x8a, OP_CREATE_QWORD_FIELD = 0x8f, OP_IF = 0xa0, OP_ELSE = 0xa1, OP_WHILE = 0xa2, OP_ONES = 0xff,
       EXT_MUTEX = 0x01, EXT_ACQUIRE = 0x23, EXT_RELEASE = 0x27, EXT_REGION = 0x80, EXT_FIELD = 0x81, EXT_DEVICE = 0x82 };

void aml_init(Aml *a)
{
    a->b = g_byte_array_new();
    a->depth = 0;
}

GByteArray *aml_finish(Aml *a)
{
    assert(a->depth == 0);
    return g_steal_pointer(&a->b);
}

static void put8(GByteArray *b, uint8_t v)
{
    g_byte_array_append(b, &v, 1);
}

/* The low @n bytes, little-endian. */
static void put_le(GByteArray *b, uint64_t v, unsigned n)
{
    uint8_t bytes[8];

    st64_le(bytes, v);
    g_byte_array_append(b, bytes, n);
}

/* --- terms --- */

void aml_op(Aml *a, AmlOp op)
{
    put8(a->b, (uint8_t)op);
}

/* 20.2.3: the shortest constant. */
void aml_int(Aml *a, uint64_t v)
{
    static const uint8_t ops[] = { OP_BYTE, OP_WORD, OP_DWORD, OP_QWORD };
    unsigned i = v > UINT32_MAX ? 3 : v > UINT16_MAX ? 2 : v > UINT8_MAX ? 1 : 0;

    if (v < 2) {
        put8(a->b, (uint8_t)v);
        return;
    }
    put8(a->b, ops[i]);
    put_le(a->b, v, 1u << i);
}

uint32_t aml_dword(Aml *a, uint32_t v)
{
    assert(a->depth == 0);
    put8(a->b, OP_DWORD);
    put_le(a->b, v, 4);
    return a->b->len - 4;
}

void aml_string(Aml *a, const char *s)
{
    put8(a->b, OP_STRING);
    g_byte_array_append(a->b, (const uint8_t *)s, (guint)strlen(s) + 1);
}

/* 20.2.2: prefix characters, then one, two or many four-character segments. */
void aml_path(Aml *a, const char *path)
{
    g_auto(GStrv) seg = NULL;
    unsigned n;

    while (*path == '\\' || *path == '^') {
        put8(a->b, (uint8_t)*path++);
    }
    seg = g_strsplit(path, ".", -1);
    n = g_strv_length(seg);
    if (n == 0) {
        put8(a->b, 0);
    } else if (n == 2) {
        put8(a->b, OP_DUAL);
    } else if (n > 2) {
        put8(a->b, OP_MULTI);
        put8(a->b, (uint8_t)n);
    }
    for (unsigned i = 0; i < n; i++) {
        uint8_t padded[4] = { '_', '_', '_', '_' };
        size_t len = strlen(seg[i]);

        assert(len >= 1 && len <= 4);
        memcpy(padded, seg[i], len);
        g_byte_array_append(a->b, padded, 4);
    }
}

/* 19.3.4: three letters of five bits, four hexadecimal digits; big-endian. */
void aml_eisaid(Aml *a, const char *id)
{
    uint32_t v;

    assert(strlen(id) == 7);
    v = (uint32_t)(id[0] - 0x40) << 26 | (uint32_t)(id[1] - 0x40) << 21 | (uint32_t)(id[2] - 0x40) << 16;
    for (unsigned i = 0; i < 4; i++) {
        v |= (uint32_t)g_ascii_xdigit_value(id[3 + i]) << (12 - 4 * i);
    }
    put8(a->b, OP_DWORD);
    put_le(a->b, GUINT32_SWAP_LE_BE(v), 4);
}

void aml_store_int(Aml *a, uint64_t value, const char *path)
{
    aml_op(a, AML_STORE);
    aml_int(a, value);
    aml_path(a, path);
}

void aml_store_op(Aml *a, AmlOp value, const char *path)
{
    aml_op(a, AML_STORE);
    aml_op(a, value);
    aml_path(a, path);
}

void aml_store_path(Aml *a, const char *value, const char *path)
{
    aml_op(a, AML_STORE);
    aml_path(a, value);
    aml_path(a, path);
}

void aml_name(Aml *a, const char *name)
{
    put8(a->b, OP_NAME);
    aml_path(a, name);
}

void aml_name_int(Aml *a, const char *name, uint64_t v)
{
    aml_name(a, name);
    aml_int(a, v);
}

void aml_name_string(Aml *a, const char *name, const char *s)
{
    aml_name(a, name);
    aml_string(a, s);
}

void aml_name_eisaid(Aml *a, const char *name, const char *id)
{
    aml_name(a, name);
    aml_eisaid(a, id);
}

void aml_name_buffer(Aml *a, const char *name, const GByteArray *bytes)
{
    aml_name(a, name);
    aml_buffer(a, bytes->data, bytes->len);
}

static void create_field(Aml *a, uint8_t op, const char *source, AmlOp source_op, uint64_t index, const char *name)
{
    put8(a->b, op);
    if (source) {
        aml_path(a, source);
    } else {
        aml_op(a, source_op);
    }
    aml_int(a, index);
    aml_path(a, name);
}

void aml_create_dword_field(Aml *a, const char *source, AmlOp source_op, uint64_t index, const char *name)
{
    create_field(a, OP_CREATE_DWORD_FIELD, source, source_op, index, name);
}

void aml_create_qword_field(Aml *a, const char *source, uint64_t index, const char *name)
{
    create_field(a, OP_CREATE_QWORD_FIELD, source, AML_ZERO, index, name);
}

/* --- blocks --- */

static void begin(Aml *a)
{
    assert(a->depth < AML_MAX_DEPTH);
    a->start[a->depth++] = a->b->len;
}

/* 20.2.4: the length counts its own bytes; bits 7:6 of the first say how many more follow. */
void aml_end(Aml *a)
{
    unsigned start, len, n;
    uint8_t enc[4];

    assert(a->depth);
    start = a->start[--a->depth];
    len = a->b->len - start;
    n = len + 1 < 64 ? 1 : len + 2 < 1 << 12 ? 2 : len + 3 < 1 << 20 ? 3 : 4;
    len += n;
    if (n == 1) {
        enc[0] = (uint8_t)len;
    } else {
        enc[0] = (uint8_t)((n - 1) << 6 | (len & 0xf));
        for (unsigned i = 1; i < n; i++) {
            enc[i] = (uint8_t)(len >> (4 + 8 * (i - 1)));
        }
    }
    g_byte_array_set_size(a->b, a->b->len + n);
    memmove(a->b->data + start + n, a->b->data + start, a->b->len - n - start);
    memcpy(a->b->data + start, enc, n);
}

void aml_begin_scope(Aml *a, const char *path)
{
    put8(a->b, OP_SCOPE);
    begin(a);
    aml_path(a, path);
}

void aml_begin_device(Aml *a, const char *name)
{
    put8(a->b, OP_EXT);
    put8(a->b, EXT_DEVICE);
    begin(a);
    aml_path(a, name);
}

void aml_begin_method(Aml *a, const char *name, unsigned n_args, bool serialized)
{
    put8(a->b, OP_METHOD);
    begin(a);
    aml_path(a, name);
    put8(a->b, (uint8_t)(n_args | (serialized ? 8 : 0)));
}

void aml_begin_package(Aml *a, uint8_t n_elements)
{
    put8(a->b, OP_PACKAGE);
    begin(a);
    put8(a->b, n_elements);
}

void aml_begin_while(Aml *a)
{
    put8(a->b, OP_WHILE);
    begin(a);
}

void aml_begin_if(Aml *a)
{
    put8(a->b, OP_IF);
    begin(a);
}

void aml_begin_else(Aml *a)
{
    put8(a->b, OP_ELSE);
    begin(a);
}

void aml_mutex(Aml *a, const char *name)
{
    put8(a->b, OP_EXT);
    put8(a->b, EXT_MUTEX);
    aml_path(a, name);
    put8(a->b, 0);
}

void aml_acquire(Aml *a, const char *name)
{
    put8(a->b, OP_EXT);
    put8(a->b, EXT_ACQUIRE);
    aml_path(a, name);
    put8(a->b, 0xff);           /* no time-out */
    put8(a->b, 0xff);
}

void aml_release(Aml *a, const char *name)
{
    put8(a->b, OP_EXT);
    put8(a->b, EXT_RELEASE);
    aml_path(a, name);
}

void aml_buffer(Aml *a, const void *data, size_t len)
{
    put8(a->b, OP_BUFFER);
    begin(a);
    aml_int(a, len);
    g_byte_array_append(a->b, data, (guint)len);
    aml_end(a);
}

/* 19.6.142: the first three groups are little-endian. */
void aml_uuid(Aml *a, const char *uuid)
{
    static const uint8_t at[16] = { 6, 4, 2, 0, 11, 9, 16, 14, 19, 21, 24, 26, 28, 30, 32, 34 };
    uint8_t bytes[16];

    assert(strlen(uuid) == 36);
    for (unsigned i = 0; i < 16; i++) {
        bytes[i] = (uint8_t)(g_ascii_xdigit_value(uuid[at[i]]) << 4 | g_ascii_xdigit_value(uuid[at[i] + 1]));
    }
    aml_buffer(a, bytes, sizeof(bytes));
}

/* --- regions and fields --- */

void aml_op_region(Aml *a, const char *name, uint8_t space, uint64_t offset, uint64_t len)
{
    put8(a->b, OP_EXT);
    put8(a->b, EXT_REGION);
    aml_path(a, name);
    put8(a->b, space);
    aml_int(a, offset);
    aml_int(a, len);
}

void aml_begin_field(Aml *a, const char *region, uint8_t access)
{
    put8(a->b, OP_EXT);
    put8(a->b, EXT_FIELD);
    begin(a);
    aml_path(a, region);
    put8(a->b, access);         /* no lock; preserve unless AML_WRITE_AS_ZEROS */
}

void aml_field_unit(Aml *a, const char *name, unsigned bits)
{
    if (name) {
        aml_path(a, name);
    } else {
        put8(a->b, 0);
    }
    if (bits < 64) {
        put8(a->b, (uint8_t)bits);
    } else {
        put8(a->b, (uint8_t)(0x40 | (bits & 0xf)));
        put8(a->b, (uint8_t)(bits >> 4));
    }
}

/* --- resources (6.4.2, 6.4.3) --- */

void aml_res_io(GByteArray *r, uint16_t base, uint8_t align, uint8_t len)
{
    put8(r, 0x47);
    put8(r, 1);                 /* decodes 16 bits */
    put_le(r, base, 2);
    put_le(r, base, 2);
    put8(r, align);
    put8(r, len);
}

void aml_res_irq(GByteArray *r, uint8_t irq)
{
    put8(r, 0x22);
    put_le(r, 1u << irq, 2);
}

void aml_res_memory32(GByteArray *r, uint32_t base, uint32_t len, bool writable)
{
    put8(r, 0x86);
    put_le(r, 9, 2);
    put8(r, writable);
    put_le(r, base, 4);
    put_le(r, len, 4);
}

void aml_res_interrupt(GByteArray *r, const uint32_t *gsi, uint8_t n, bool level, bool shared)
{
    put8(r, 0x89);
    put_le(r, 2 + 4u * n, 2);
    put8(r, (uint8_t)(1 | (level ? 0 : 2) | (shared ? 8 : 0)));      /* consumer, active high */
    put8(r, n);
    for (unsigned i = 0; i < n; i++) {
        put_le(r, gsi[i], 4);
    }
}

/* Address space descriptors: fixed bounds, positive decode; granularity, min, max, translation, length. */
static void address_space(GByteArray *r, uint8_t tag, unsigned width, uint8_t kind, uint8_t flags, uint64_t min, uint64_t max)
{
    put8(r, tag);
    put_le(r, 3 + 5 * width, 2);
    put8(r, kind);
    put8(r, 0x0c);
    put8(r, flags);
    put_le(r, 0, width);
    put_le(r, min, width);
    put_le(r, max, width);
    put_le(r, 0, width);
    put_le(r, max - min + 1, width);
}

void aml_res_word(GByteArray *r, uint8_t kind, uint16_t min, uint16_t max)
{
    address_space(r, 0x88, 2, kind, kind == AML_RES_IO ? 3 : 0, min, max);
}

void aml_res_dword_memory(GByteArray *r, uint32_t min, uint32_t max, bool cacheable)
{
    address_space(r, 0x87, 4, AML_RES_MEMORY, cacheable ? 3 : 1, min, max);
}

void aml_res_qword_memory(GByteArray *r, uint64_t min, uint64_t max)
{
    address_space(r, 0x8a, 8, AML_RES_MEMORY, 3, min, max);
}

void aml_res_end(GByteArray *r)
{
    put8(r, 0x79);
    put8(r, 0);                 /* no checksum */
}
