/*
 * What PC firmware looks for in CMOS memory: sizes, processors, boot order, equipment.
 *
 * Cells 0x10 to 0x31 as IBM's AT had them, 0x34 and up as Bochs' and SeaBIOS' firmware read them.
 */
#include "hw/rtc/mc146818.h"

enum {
    CMOS_EQUIPMENT = 0x14, CMOS_BASE_KB = 0x15, CMOS_EXT_KB = 0x17, CMOS_EXT_KB_POST = 0x30,
    CMOS_ABOVE_16M = 0x34, CMOS_BOOT3 = 0x38, CMOS_DISK_TRANSLATION = 0x39, CMOS_BOOT12 = 0x3d, CMOS_ABOVE_4G = 0x5b, CMOS_SMP = 0x5f,
};

static void set_cmos16(Mc146818 *rtc, unsigned index, uint64_t v)
{
    v = MIN(v, 0xffff);
    mc146818_set_cmos(rtc, index, v);
    mc146818_set_cmos(rtc, index + 1, v >> 8);
}

void cmos_set_memory_size(Mc146818 *rtc, uint64_t below_4g, uint64_t above_4g)
{
    uint64_t units = MIN(above_4g / (64 * KiB), 0xffffff);

    set_cmos16(rtc, CMOS_BASE_KB, MIN(below_4g / KiB, 640));
    set_cmos16(rtc, CMOS_EXT_KB, below_4g > MiB ? (below_4g - MiB) / KiB : 0);
    set_cmos16(rtc, CMOS_EXT_KB_POST, below_4g > MiB ? (below_4g - MiB) / KiB : 0);
    set_cmos16(rtc, CMOS_ABOVE_16M, below_4g > 16 * MiB ? (below_4g - 16 * MiB) / (64 * KiB) : 0);
    for (unsigned i = 0; i < 3; i++) {
        mc146818_set_cmos(rtc, CMOS_ABOVE_4G + i, units >> (8 * i));
    }
}

void cmos_set_cpus(Mc146818 *rtc, unsigned cpus)
{
    mc146818_set_cmos(rtc, CMOS_SMP, MIN(cpus, 256) - 1);
}

static unsigned boot_device_code(char letter)
{
    switch (letter) {
    case 'a':
    case 'b':
        return 1;
    case 'c':
        return 2;
    case 'd':
        return 3;
    case 'n':
        return 4;
    default:
        return 0;
    }
}

bool cmos_set_boot_order(Mc146818 *rtc, const char *order, bool no_floppy_check, Error **errp)
{
    unsigned code[3] = { 0 };
    size_t len = strlen(order);

    if (len > ARRAY_SIZE(code)) {
        error_setg(errp, "boot order '%s' names %zu devices, a PC takes %zu", order, len, ARRAY_SIZE(code));
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        code[i] = boot_device_code(order[i]);
        if (!code[i]) {
            error_setg(errp, "boot order '%s': '%c' is none of a, b, c, d, n", order, order[i]);
            return false;
        }
    }
    mc146818_set_cmos(rtc, CMOS_BOOT12, code[1] << 4 | code[0]);
    mc146818_set_cmos(rtc, CMOS_BOOT3, code[2] << 4 | no_floppy_check);
    return true;
}

void cmos_set_disk_translation(Mc146818 *rtc, uint8_t how)
{
    mc146818_set_cmos(rtc, CMOS_DISK_TRANSLATION, how);
}

void cmos_set_equipment(Mc146818 *rtc, unsigned floppies)
{
    const unsigned fpu = 0x02, ps2_mouse = 0x04;

    mc146818_set_cmos(rtc, CMOS_EQUIPMENT, fpu | ps2_mouse | (floppies ? 1 | (floppies - 1) << 6 : 0));
}
