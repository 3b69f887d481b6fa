/*
 * The physical memory map as firmware and kernels are told it (ACPI 6.4, 15: INT 15h E820).
 */
#ifndef HW_I386_E820_H
#define HW_I386_E820_H

#include "util/error.h"

enum { E820_RAM = 1, E820_RESERVED = 2, E820_ACPI = 3, E820_NVS = 4 };

typedef struct E820Entry {
    uint64_t addr, len;
    uint32_t type;
} E820Entry;

#define E820_MAX 64

typedef struct E820Map {
    E820Entry e[E820_MAX];
    unsigned n;
} E820Map;

/* Add a range; entries stay sorted by address.  Empty ranges are dropped; more than E820_MAX is a bug in the board. */
void e820_add(E820Map *map, uint64_t addr, uint64_t len, uint32_t type);
/* Is [@addr, +@len) wholly in RAM entries? */
bool e820_is_ram(const E820Map *map, uint64_t addr, uint64_t len);
/* The packed 20-byte entries; returns the number of bytes, at most E820_MAX * 20. */
size_t e820_pack(const E820Map *map, uint8_t *out);

#endif
