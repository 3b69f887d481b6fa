/*
 * SMBIOS tables (DMTF DSP0134) for PC boards.
 */
#ifndef HW_I386_SMBIOS_H
#define HW_I386_SMBIOS_H

#include "hw/i386/x86.h"
#include "util/error.h"
#include "util/value.h"

/*
 * One -smbios option as a dict: "type" plus that structure's fields (type=0: vendor, version, date, release, uefi;
 * 1: manufacturer, product, version, serial, uuid, sku, family; 2, 3, 4, 11, 17 alike), or "file".
 * Later options override earlier ones field by field.  Checked at once.
 */
bool smbios_option_add(const Value *opts, Error **errp) MUST_USE;

/* The finished tables: structures, and the 64-bit entry point for them at @address. */
GByteArray *smbios_build(const X86Machine *x);
void smbios_entry_point(const GByteArray *structures, uint64_t address, uint8_t out[24]);
/* Place them in memory for a direct boot, or offer them to firmware. */
bool smbios_install(X86Machine *x, Error **errp) MUST_USE;

#endif
