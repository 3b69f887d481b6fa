/*
 * AML writer: ACPI machine language, emitted in order into a byte array.
 *
 * Reference: ACPI 6.4 chapter 20 (AML grammar), 6.4 (resource data types).
 *
 * Blocks are opened by aml_begin_*() and closed by aml_end(), which puts the package length in place.
 * Terms are emitted as AML stores them: operator first, operands after (aml_op(a, AML_STORE), source,
 * destination).  Paths are text: "\\_SB.PCI0", segments padded with '_'.
 */
#ifndef HW_ACPI_AML_H
#define HW_ACPI_AML_H

#include "util/base.h"

#define AML_MAX_DEPTH 16

typedef struct Aml {
    GByteArray *b;
    unsigned start[AML_MAX_DEPTH];      /* where the open blocks' lengths go */
    unsigned depth;
} Aml;

void aml_init(Aml *a);
/* The bytes; every block must be closed.  The caller owns them. */
GByteArray *aml_finish(Aml *a);

typedef enum AmlOp {
    AML_STORE = 0x70, AML_ADD = 0x72, AML_SUBTRACT = 0x74, AML_INCREMENT = 0x75, AML_SHIFT_LEFT = 0x79, AML_AND = 0x7b, AML_OR = 0x7d, AML_INDEX = 0x88, AML_LOR = 0x91, AML_LNOT = 0x92, AML_LEQUAL = 0x93, AML_LGREATER = 0x94,
    AML_LLESS = 0x95, AML_RETURN = 0xa4, AML_NOTIFY = 0x86,
    AML_LOCAL0 = 0x60, AML_LOCAL1 = 0x61, AML_ARG0 = 0x68, AML_ARG1 = 0x69, AML_ARG2 = 0x6a, AML_ARG3 = 0x6b,
    AML_ZERO = 0x00, AML_ONE = 0x01,
} AmlOp;

/* Terms */
void aml_op(Aml *a, AmlOp op);
void aml_int(Aml *a, uint64_t v);
/* A constant of four bytes, to be patched later; returns where they are in the code.  Outside all blocks, whose ends move them. */
uint32_t aml_dword(Aml *a, uint32_t v);
void aml_string(Aml *a, const char *s);
void aml_path(Aml *a, const char *path);
/* Store(@value, @path) */
void aml_store_int(Aml *a, uint64_t value, const char *path);
void aml_store_op(Aml *a, AmlOp value, const char *path);
void aml_store_path(Aml *a, const char *value, const char *path);
void aml_eisaid(Aml *a, const char *id);                /* "PNP0A08" as its packed integer */
void aml_buffer(Aml *a, const void *data, size_t len);
void aml_uuid(Aml *a, const char *uuid);                /* ToUUID's mixed-endian buffer */
/* Name(@name, ...): the value follows; and the usual values in one call. */
void aml_name(Aml *a, const char *name);
void aml_name_int(Aml *a, const char *name, uint64_t v);
void aml_name_string(Aml *a, const char *name, const char *s);
void aml_name_eisaid(Aml *a, const char *name, const char *id);
void aml_name_buffer(Aml *a, const char *name, const GByteArray *bytes);
/* CreateDWordField(source, byte index, name); @source is emitted as a path, or an Arg/Local when @source is NULL. */
void aml_create_dword_field(Aml *a, const char *source, AmlOp source_op, uint64_t index, const char *name);

void aml_create_qword_field(Aml *a, const char *source, uint64_t index, const char *name);

/* Blocks */
void aml_begin_scope(Aml *a, const char *path);
void aml_begin_device(Aml *a, const char *name);
void aml_begin_method(Aml *a, const char *name, unsigned n_args, bool serialized);
void aml_begin_package(Aml *a, uint8_t n_elements);
void aml_begin_if(Aml *a);                              /* the predicate follows, then the body */
void aml_begin_else(Aml *a);
void aml_begin_while(Aml *a);                           /* as If */
void aml_end(Aml *a);

/* Mutex of sync level 0; Acquire waits for ever. */
void aml_mutex(Aml *a, const char *name);
void aml_acquire(Aml *a, const char *name);
void aml_release(Aml *a, const char *name);

/* Operation regions and fields */
enum { AML_SYSTEM_MEMORY = 0, AML_SYSTEM_IO = 1, AML_PCI_CONFIG = 2 };
enum { AML_BYTE_ACC = 1, AML_DWORD_ACC = 3, AML_WRITE_AS_ZEROS = 0x40 /* or-ed: other bits of a unit, which would be preserved */ };
void aml_op_region(Aml *a, const char *name, uint8_t space, uint64_t offset, uint64_t len);
void aml_begin_field(Aml *a, const char *region, uint8_t access);
void aml_field_unit(Aml *a, const char *name, unsigned bits);   /* NULL name: reserved bits */

/* Resource templates: collected in a byte array, closed by aml_res_end(). */
enum { AML_RES_MEMORY = 0, AML_RES_IO = 1, AML_RES_BUS = 2 };
void aml_res_io(GByteArray *r, uint16_t base, uint8_t align, uint8_t len);
void aml_res_irq(GByteArray *r, uint8_t irq);
void aml_res_memory32(GByteArray *r, uint32_t base, uint32_t len, bool writable);
/* Extended interrupt descriptor: level or edge, active high. */
void aml_res_interrupt(GByteArray *r, const uint32_t *gsi, uint8_t n, bool level, bool shared);
void aml_res_word(GByteArray *r, uint8_t kind, uint16_t min, uint16_t max);
void aml_res_dword_memory(GByteArray *r, uint32_t min, uint32_t max, bool cacheable);
void aml_res_qword_memory(GByteArray *r, uint64_t min, uint64_t max);
void aml_res_end(GByteArray *r);

#endif
