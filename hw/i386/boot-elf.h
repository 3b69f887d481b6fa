/*
 * ELF executables as boot loaders read them: load segments and notes, all bounds checked.
 */
#ifndef HW_I386_BOOT_ELF_H
#define HW_I386_BOOT_ELF_H

#include "hw/i386/boot-image.h"

#define BOOT_ELF_MAX_SEGMENTS 64

typedef struct BootElfSegment {
    uint64_t offset, filesz, paddr, memsz;
} BootElfSegment;

typedef struct BootElf {
    bool is64;
    uint64_t entry;                 /* virtual, as the header has it */
    uint64_t entry_paddr;           /* through the segment that contains it; ~0 if none does */
    uint64_t low, high;             /* physical extent of the load segments */
    unsigned n_segments;
    BootElfSegment segment[BOOT_ELF_MAX_SEGMENTS];
    struct { uint64_t offset, size; } note[8];      /* PT_NOTE segments, within the file */
    unsigned n_notes;
} BootElf;

/* x86 executables only.  On success every segment lies within the file. */
bool boot_elf_parse(GBytes *file, const char *path, BootElf *out, Error **errp) MUST_USE;
/* The descriptor of the first note of owner @name and @type; NULL if absent or malformed. */
const uint8_t *boot_elf_find_note(GBytes *file, const BootElf *elf, const char *name, uint32_t type, uint32_t *len);
/* Add the segments to @out; each must lie in RAM and clear of what is there. */
bool boot_elf_place(GBytes *file, const char *path, const BootElf *elf, const BootTarget *t, BootImages *out,
                    Error **errp) MUST_USE;

/* Offset of a valid Multiboot 1 header in the first 8192 bytes, -1 = none. */
int boot_find_multiboot_header(const uint8_t *d, size_t size);

/* Command line into BOOT_CMDLINE_ADDR; fails, naming the limit, if it is @max bytes or more with its NUL. */
bool boot_place_cmdline(BootImages *out, const char *text, size_t max, Error **errp) MUST_USE;

#endif
