/*
 * Direct boot: what a loader places in guest memory, and how the boot CPU enters it.
 *
 * Loaders only fill a BootImages list and an X86BootState; nothing touches guest memory before the first
 * reset, and each reset writes everything anew.  Every field of an image is the user's (or an attacker's)
 * and is checked where it is read.
 */
#ifndef HW_I386_BOOT_IMAGE_H
#define HW_I386_BOOT_IMAGE_H

#include "hw/i386/e820.h"
#include "system/memory.h"
#include "target/i386/cpu-hw.h"

typedef struct BootImage {
    const char *what;           /* "kernel", "initrd": for messages; static */
    hwaddr addr;
    const uint8_t *data;        /* borrowed from a GBytes in .keep; NULL = zeroes */
    uint64_t len;
    bool in_file;               /* @data is a mapping of a file: its pages can be let go after use */
} BootImage;

typedef struct BootImages {
    GArray *images;             /* of BootImage */
    GPtrArray *keep;            /* of GBytes */
} BootImages;

void boot_images_init(BootImages *b);
void boot_images_fini(BootImages *b);
/* Bytes of a file mapped by boot_file_map(); a reference is taken. */
void boot_images_add(BootImages *b, const char *what, hwaddr addr, GBytes *owner, uint64_t offset, uint64_t len);
/* Consumes @data (g_malloc). */
void boot_images_add_take(BootImages *b, const char *what, hwaddr addr, uint8_t *data, uint64_t len);
/* Other bytes for the image that was added at @addr with the same length; consumes @data.  False: there is none. */
bool boot_images_replace(BootImages *b, hwaddr addr, uint8_t *data, uint64_t len);
void boot_images_add_zero(BootImages *b, const char *what, hwaddr addr, uint64_t len);
/* Does [@addr, +@len) touch an image already there? */
bool boot_images_overlap(const BootImages *b, hwaddr addr, uint64_t len, const char **with);
/* Write everything; later images win. */
void boot_images_write(const BootImages *b, AddressSpace *as);

/* A file as bytes, mapped privately: costs no memory of our own.  Fails on unreadable and empty files. */
GBytes *boot_file_map(const char *what, const char *path, Error **errp);

/* What the loaders are told of the machine. */
typedef struct BootTarget {
    const E820Map *e820;
    uint64_t below_4g;          /* RAM below 4 GiB ends here */
    hwaddr rsdp;                /* 0 = none */
    const char *kernel, *initrd, *append;       /* file, file(s), text; the latter two may be NULL */
} BootTarget;

typedef enum BootFormat { BOOT_UNKNOWN, BOOT_LINUX, BOOT_PVH, BOOT_MULTIBOOT } BootFormat;

/* By content; the file's name and the reason go to @errp when it is none of ours. */
BootFormat boot_format_detect(GBytes *kernel, const char *path, Error **errp);

/* One loader per format.  On success @out and @st are complete. */
bool boot_load_linux(const BootTarget *t, GBytes *kernel, BootImages *out, X86BootState *st, Error **errp) MUST_USE;
bool boot_load_pvh(const BootTarget *t, GBytes *kernel, BootImages *out, X86BootState *st, Error **errp) MUST_USE;
bool boot_load_multiboot(const BootTarget *t, GBytes *kernel, BootImages *out, X86BootState *st, Error **errp) MUST_USE;
/* Detect and load. */
bool boot_load(const BootTarget *t, BootImages *out, X86BootState *st, Error **errp) MUST_USE;

/* Flat code and data segments and, for 64-bit entry, identity-mapped tables for the first 4 GiB. */
void boot_place_gdt(BootImages *out, X86BootState *st);
void boot_place_page_tables(BootImages *out, X86BootState *st);

/* Low memory that loaders use; all below 640 KiB. */
enum {
    BOOT_GDT_ADDR        = 0x500,
    BOOT_PARAMS_ADDR     = 0x7000,      /* Linux zero page; PVH and Multiboot information */
    BOOT_STACK_ADDR      = 0x8ff0,
    BOOT_PAGE_TABLE_ADDR = 0x9000,      /* six pages */
    BOOT_CMDLINE_ADDR    = 0x20000,
    BOOT_CMDLINE_MAX     = 0x10000,
    BOOT_INFO_ADDR       = 0x30000,     /* memory maps, module lists */
    BOOT_INFO_MAX        = 0x10000,
    BOOT_LOW_END         = 0x40000,     /* kernels load above all of these */
};

#endif
