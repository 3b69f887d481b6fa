/*
 * ACPI tables as a blob with places to be relocated and summed.
 *
 * Tables are built position-independent: a pointer field holds the target's offset in the blob.  They are
 * then either placed at a known address (direct boot) or given to firmware as files with a list of commands
 * (fw_cfg "etc/table-loader"), which the firmware executes after it chose an address.
 */
#ifndef HW_ACPI_TABLES_H
#define HW_ACPI_TABLES_H

#include "hw/nvram/fw_cfg.h"

typedef struct AcpiPointer {
    bool in_rsdp;               /* the field lies in the RSDP, else in the tables */
    uint32_t at;
    uint8_t size;
    unsigned blob;              /* 1, 2, ...: into that blob; 0: into the tables */
} AcpiPointer;

/* A file of fw_cfg's that firmware places in memory beside the tables, for them to point at. */
typedef struct AcpiBlob {
    const char *file;           /* borrowed for ever */
    uint32_t align;
    uint64_t placed_at;         /* without firmware: where the board puts it */
} AcpiBlob;

/* Where a blob is, told by firmware in another file of eight bytes. */
typedef struct AcpiWriteBack {
    const char *file;
    unsigned blob;
    uint32_t offset;            /* in the blob, of what is told */
} AcpiWriteBack;

typedef struct AcpiChecksum {
    bool in_rsdp;
    uint32_t start, len, at;
} AcpiChecksum;

/* Characters in a header (5.2.6). */
#define ACPI_OEM_ID_MAX 6
#define ACPI_OEM_TABLE_ID_MAX 8

typedef struct AcpiTables AcpiTables;
struct AcpiTables {
    uint8_t oem_id[ACPI_OEM_ID_MAX], oem_table_id[ACPI_OEM_TABLE_ID_MAX];       /* of every header; filled up with spaces */
    GByteArray *tables;
    uint8_t rsdp[36];
    GArray *pointers;           /* of AcpiPointer */
    GArray *checksums;          /* of AcpiChecksum, in the order they must be computed */
    GArray *blobs;              /* of AcpiBlob, number 1 first */
    GArray *write_backs;        /* of AcpiWriteBack */
};

#define ACPI_RSDP_SIZE 36

/* @oem_id: up to 6 characters, @oem_table_id: up to 8; NULL = ours. */
void acpi_tables_init(AcpiTables *t, const char *oem_id, const char *oem_table_id);
void acpi_tables_fini(AcpiTables *t);
/* Start a table on a 16-byte boundary (FACS: 64): its header; returns its offset. */
uint32_t acpi_table_begin(AcpiTables *t, const char *signature, uint8_t revision);
/* Length in place, checksum noted. */
void acpi_table_end(AcpiTables *t, uint32_t start);
void acpi_put(AcpiTables *t, uint64_t v, unsigned bytes);
/* A pointer field of @size bytes to the table at @target. */
void acpi_put_pointer(AcpiTables *t, uint32_t target, uint8_t size);
/* Another file to be placed; returns its number. */
unsigned acpi_add_blob(AcpiTables *t, const char *file, uint32_t align, uint64_t placed_at);
/* The @size bytes at @at hold an offset into @blob. */
void acpi_point_at_blob(AcpiTables *t, uint32_t at, unsigned blob, uint8_t size);
/* Have firmware write the address of byte @offset of @blob to @file. */
void acpi_write_back(AcpiTables *t, const char *file, unsigned blob, uint32_t offset);
/* Generic address structure (5.2.3.2). */
void acpi_put_gas(AcpiTables *t, uint8_t space, uint8_t width, uint8_t access, uint64_t address);
/* -acpitable's keys into a table; NULL and @errp if they or the files are wrong. */
GByteArray *acpi_user_table_new(const Value *opts, Error **errp);
uint32_t acpi_put_user_table(AcpiTables *t, const GByteArray *table);
#define ACPI_MAX_USER_TABLES 16
/* RSDT, XSDT and RSDP for the tables at @offsets. */
void acpi_finish(AcpiTables *t, const uint32_t *offsets, unsigned n);

/* Resolve everything for tables at @base; the RSDP's final bytes are in t->rsdp. */
void acpi_tables_relocate(AcpiTables *t, uint64_t base);
/* As files for firmware. */
bool acpi_tables_add_fw_cfg(const AcpiTables *t, FwCfg *fw_cfg, Error **errp) MUST_USE;
/* The same tables with other contents: what firmware reads at the next reset. */
void acpi_tables_update_fw_cfg(const AcpiTables *t, FwCfg *fw_cfg);

#endif
