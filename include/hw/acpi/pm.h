/*
 * ACPI fixed hardware: PM1 event and control registers, PM timer, general-purpose events, SMI command port.
 *
 * Reference: ACPI 6.4, 4.8 (fixed hardware).  The chipsets (PIIX4, ICH9) place the blocks.  Locks: BQL.
 */
#ifndef HW_ACPI_PM_H
#define HW_ACPI_PM_H

#include "hw/core/irq.h"
#include "hw/core/qdev.h"
#include "hw/core/vmstate.h"
#include "system/memory.h"
#include "util/timer.h"

#define PM_TIMER_HZ 3579545
#define ACPI_GPE_MAX_BYTES 8            /* of status; as many of enable */

enum {
    PM1_STS_TMR = 0x1, PM1_STS_BM = 0x10, PM1_STS_GBL = 0x20, PM1_STS_PWRBTN = 0x100, PM1_STS_SLPBTN = 0x200,
    PM1_STS_RTC = 0x400, PM1_STS_WAK = 0x8000,
    PM1_EN_MASK = 0x0721,
    PM1_CNT_SCI_EN = 0x1, PM1_CNT_BM_RLD = 0x2, PM1_CNT_SLP_TYP_SHIFT = 10, PM1_CNT_SLP_EN = 0x2000,
};

/* SLP_TYP values as the DSDT's \_Sx packages state them. */
enum { ACPI_SLP_TYP_S5 = 0, ACPI_SLP_TYP_S3 = 1, ACPI_SLP_TYP_S4 = 2 };

typedef struct AcpiPm {
    uint16_t pm1_sts, pm1_en, pm1_cnt;
    uint64_t tmr_overflow_ns;           /* when bit 23 next changes; 0 = not computed */
    Timer tmr;
    uint8_t gpe_sts[ACPI_GPE_MAX_BYTES], gpe_en[ACPI_GPE_MAX_BYTES];

    /* constant */
    uint8_t disable_s3, disable_s4;     /* 1: not offered */
    unsigned gpe_bytes;
    IrqLine sci;
    MemoryRegion evt_mr, cnt_mr, tmr_mr, gpe_mr;
} AcpiPm;

/* What users may say about sleep states. */
#define PROP_ACPI_SLEEP_STATES(S, pm)                                                               \
    PROP_UINT8("disable_s3", S, pm.disable_s3, 0, .max = 1, .help = "1: suspend to RAM (S3) is not offered"), \
    PROP_UINT8("disable_s4", S, pm.disable_s4, 0, .max = 1, .help = "1: suspend to disk (S4) is not offered")

/* Regions named after @owner; the caller maps evt (4 bytes), cnt (2), tmr (4) and gpe (2 * @gpe_bytes). */
void acpi_pm_init(AcpiPm *pm, void *owner, IrqLine sci, unsigned gpe_bytes);
void acpi_pm_fini(AcpiPm *pm);
/* On a wake-up SCI_EN stays: the guest comes back in the mode it left in (16.3.2). */
void acpi_pm_reset(AcpiPm *pm, ResetType type);
/* SMI_CMD wrote ACPI_ENABLE or ACPI_DISABLE. */
void acpi_pm_set_enabled(AcpiPm *pm, bool acpi_mode);
/* Power button pressed: wakes a sleeping guest. */
void acpi_pm_power_button(AcpiPm *pm);
/* Raise general-purpose event @bit. */
void acpi_pm_gpe_raise(AcpiPm *pm, unsigned bit);

extern const VMState vmstate_acpi_pm;

/*
 * Reset control register (port 0xcf9): bit 1 selects a hard reset, bit 2 rising resets.  The byte lies within
 * the doubleword of the PCI address register, so the host bridge decodes it (PCIHost.reset_control).
 */
typedef struct ResetControl {
    uint8_t value;
} ResetControl;
uint8_t reset_control_read(const ResetControl *rc);
void reset_control_write(ResetControl *rc, uint8_t v);

/* Advanced power management ports 0xb2 (command, which makes an SMI) and 0xb3 (status). */
typedef struct ApmPorts {
    uint8_t cmd, status;
    void (*written)(void *opaque, uint8_t cmd);
    void *opaque;
    MemoryRegion mr;
} ApmPorts;
void apm_ports_init(ApmPorts *apm, void *owner, MemoryRegion *io, void (*written)(void *opaque, uint8_t cmd));
void apm_ports_fini(ApmPorts *apm, MemoryRegion *io);

#endif
