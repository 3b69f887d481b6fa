/*
 * MC146818 real-time clock with 128 bytes of CMOS memory (ports 0x70, 0x71).
 */
#ifndef HW_RTC_MC146818_H
#define HW_RTC_MC146818_H

#include "hw/isa/isa.h"

typedef struct Mc146818 Mc146818;
extern const TypeInfo mc146818_type;            /* "mc146818rtc" */
static inline Mc146818 *MC146818(const void *obj)
{
    return (Mc146818 *)object_check_cast(obj, &mc146818_type);
}

/* Realized on @bus, interrupt to @irq8 if connected (HPET's input), else to the bus's line 8. */
Mc146818 *mc146818_create(IsaBus *bus, int base_year, IrqLine irq8);

/* A CMOS cell, 0..127, as firmware finds it. */
void mc146818_set_cmos(Mc146818 *rtc, unsigned index, uint8_t value);
uint8_t mc146818_get_cmos(Mc146818 *rtc, unsigned index);

/* Cells that PC firmware reads (Ralf Brown's CMOS map, SeaBIOS' additions). */
void cmos_set_memory_size(Mc146818 *rtc, uint64_t below_4g, uint64_t above_4g);
void cmos_set_cpus(Mc146818 *rtc, unsigned cpus);
/* @order: letters of a, b (floppies), c (disk), d (CD-ROM), n (network), at most three. */
bool cmos_set_boot_order(Mc146818 *rtc, const char *order, bool no_floppy_check, Error **errp) MUST_USE;
/* Equipment byte: FPU and PS/2 mouse present, so many floppies. */
/* Two bits for each of the first four disks: 0 none, 1 LBA, 2 large, 3 revised CHS. */
void cmos_set_disk_translation(Mc146818 *rtc, uint8_t how);
void cmos_set_equipment(Mc146818 *rtc, unsigned floppies);

#endif
