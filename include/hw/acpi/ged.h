/*
 * Generic event device of hardware-reduced machines: events, sleep and reset registers in memory.
 */
#ifndef HW_ACPI_GED_H
#define HW_ACPI_GED_H

#include "hw/core/qdev.h"
#include "system/memory.h"

/* Layout: event selector at 0 (4 bytes); sleep control, sleep status and reset at 0x200..0x202. */
enum { GED_EVT_OFFSET = 0, GED_EVT_SIZE = 4, GED_REGS_OFFSET = 0x200, GED_REGS_SIZE = 3, GED_RESET_VALUE = 0x42 };
enum { GED_EVT_POWER_BUTTON = 1 << 1 };
enum { GED_SLP_TYP_S5 = 5 };

/* Realized, mapped at @base of @mem; events raise @irq until the selector is read. */
bool acpi_ged_create(MemoryRegion *mem, hwaddr base, IrqLine irq, Error **errp) MUST_USE;

#endif
