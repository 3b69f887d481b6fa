/*
 * ACPI fixed hardware.  See hw/acpi/pm.h.
 *
 * Invariant: the SCI line is high exactly when ACPI mode is on and an enabled PM1 or GPE status bit is set.
 */
#include "hw/acpi/pm.h"

#include "system/runstate.h"
#include "util/log.h"

/* --- PM timer: 24 bits, status when the top bit changes (4.8.3.3) --- */

#define TMR_HALF (1u << 23)

static uint64_t tmr_ticks(int64_t ns)
{
    return (uint64_t)((unsigned __int128)ns * PM_TIMER_HZ / NANOSECONDS_PER_SECOND);
}

static void tmr_schedule(AcpiPm *pm, int64_t now)
{
    uint64_t next = (tmr_ticks(now) / TMR_HALF + 1) * TMR_HALF;

    pm->tmr_overflow_ns = (uint64_t)((unsigned __int128)next * NANOSECONDS_PER_SECOND / PM_TIMER_HZ) + 1;
}

/* Bring TMR_STS up to date with the clock. */
static void tmr_sync(AcpiPm *pm)
{
    int64_t now = clock_get_ns(CLOCK_TYPE_VIRTUAL);

    if (!pm->tmr_overflow_ns) {
        tmr_schedule(pm, now);
    } else if (now >= (int64_t)pm->tmr_overflow_ns) {
        pm->pm1_sts |= PM1_STS_TMR;
        tmr_schedule(pm, now);
    }
}

static void pm_update(AcpiPm *pm)
{
    bool event = pm->pm1_sts & pm->pm1_en & PM1_EN_MASK;

    for (unsigned i = 0; i < pm->gpe_bytes; i++) {
        event |= (pm->gpe_sts[i] & pm->gpe_en[i]) != 0;
    }
    irq_set(pm->sci, event && (pm->pm1_cnt & PM1_CNT_SCI_EN));
    if ((pm->pm1_en & PM1_STS_TMR) && !(pm->pm1_sts & PM1_STS_TMR)) {
        timer_mod(&pm->tmr, (int64_t)pm->tmr_overflow_ns);
    } else {
        timer_del(&pm->tmr);
    }
}

static void tmr_expired(void *opaque)
{
    AcpiPm *pm = opaque;

    tmr_sync(pm);
    pm_update(pm);
}

static uint64_t tmr_read(void *opaque, hwaddr addr, unsigned size)
{
    return tmr_ticks(clock_get_ns(CLOCK_TYPE_VIRTUAL)) & 0xffffff;
}

static void ignore_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    /* Read-only (4.8.3.3). */
}

/* --- PM1 events: status (write 1 to clear) at 0, enable at 2 --- */

static uint64_t evt_read(void *opaque, hwaddr addr, unsigned size)
{
    AcpiPm *pm = opaque;

    tmr_sync(pm);
    return (((uint32_t)pm->pm1_en << 16 | pm->pm1_sts) >> (8 * addr)) & (0xffffffffu >> (32 - 8 * size));
}

/* The clock is a wake-up source while its event is enabled (4.8.2.4). */
static void rtc_wakeup_update(const AcpiPm *pm)
{
    system_wakeup_enable(WAKEUP_REASON_RTC, pm->pm1_en & PM1_STS_RTC);
}

static void evt_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    AcpiPm *pm = opaque;

    tmr_sync(pm);
    for (unsigned i = 0; i < size; i++) {
        unsigned at = (unsigned)addr + i;
        uint8_t b = (uint8_t)(data >> (8 * i));

        if (at < 2) {
            pm->pm1_sts &= (uint16_t)~(b << (8 * at));
        } else {
            pm->pm1_en = (uint16_t)deposit32(pm->pm1_en, 8 * (at - 2), 8, b) & PM1_EN_MASK;
        }
    }
    rtc_wakeup_update(pm);
    pm_update(pm);
}

/* --- PM1 control --- */

static void sleep_enter(const AcpiPm *pm, unsigned slp_typ)
{
    if (slp_typ == ACPI_SLP_TYP_S5) {
        system_shutdown_request(SHUTDOWN_CAUSE_GUEST_SHUTDOWN);
    } else if (slp_typ == ACPI_SLP_TYP_S3 && !pm->disable_s3) {
        system_suspend_request();
    } else if (slp_typ == ACPI_SLP_TYP_S4 && !pm->disable_s4) {
        system_suspend_disk_request();
    } else {
        guest_unimp("acpi", "sleep type %u is not offered", slp_typ);
    }
}

static uint64_t cnt_read(void *opaque, hwaddr addr, unsigned size)
{
    AcpiPm *pm = opaque;

    return size == 1 ? (pm->pm1_cnt >> (8 * addr)) & 0xff : pm->pm1_cnt;
}

static void cnt_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    AcpiPm *pm = opaque;
    uint16_t v = size == 1 ? (uint16_t)deposit32(pm->pm1_cnt, 8 * (unsigned)addr, 8, (uint32_t)data) : (uint16_t)data;

    /* SCI_EN follows SMI_CMD only (4.8.3.2.1); SLP_EN reads as zero. */
    pm->pm1_cnt = (uint16_t)((v & ~(PM1_CNT_SLP_EN | PM1_CNT_SCI_EN)) | (pm->pm1_cnt & PM1_CNT_SCI_EN));
    if (v & PM1_CNT_SLP_EN) {
        sleep_enter(pm, v >> PM1_CNT_SLP_TYP_SHIFT & 7);
    }
}

void acpi_pm_set_enabled(AcpiPm *pm, bool acpi_mode)
{
    pm->pm1_cnt = (uint16_t)((pm->pm1_cnt & ~PM1_CNT_SCI_EN) | (acpi_mode ? PM1_CNT_SCI_EN : 0));
    pm_update(pm);
}

/* --- general-purpose events: status bytes, then enable bytes (4.8.4.1) --- */

static uint64_t gpe_read(void *opaque, hwaddr addr, unsigned size)
{
    AcpiPm *pm = opaque;

    return addr < pm->gpe_bytes ? pm->gpe_sts[addr] : pm->gpe_en[addr - pm->gpe_bytes];
}

static void gpe_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    AcpiPm *pm = opaque;

    if (addr < pm->gpe_bytes) {
        pm->gpe_sts[addr] &= (uint8_t)~data;
    } else {
        pm->gpe_en[addr - pm->gpe_bytes] = (uint8_t)data;
    }
    pm_update(pm);
}

void acpi_pm_gpe_raise(AcpiPm *pm, unsigned bit)
{
    assert(bit / 8 < pm->gpe_bytes);
    pm->gpe_sts[bit / 8] |= (uint8_t)(1 << bit % 8);
    pm_update(pm);
}

void acpi_pm_power_button(AcpiPm *pm)
{
    if (system_wakeup_request(WAKEUP_REASON_OTHER, NULL)) {
        return;
    }
    pm->pm1_sts |= PM1_STS_PWRBTN;
    pm_update(pm);
}

/* What woke it: the button stands for all that is not the clock (4.8.3.1.1). */
static void pm_woken(void *opaque, WakeupReason reason)
{
    AcpiPm *pm = opaque;

    pm->pm1_sts |= (uint16_t)(PM1_STS_WAK | (reason == WAKEUP_REASON_RTC ? PM1_STS_RTC : PM1_STS_PWRBTN));
    pm_update(pm);
}

/* --- life --- */

static const MemoryRegionOps evt_ops = { .read = evt_read, .write = evt_write, .valid = { 1, 4 }, .impl = { 1, 4 } };
static const MemoryRegionOps cnt_ops = { .read = cnt_read, .write = cnt_write, .valid = { 1, 2 }, .impl = { 1, 2 } };
static const MemoryRegionOps tmr_ops = { .read = tmr_read, .write = ignore_write, .valid = { 1, 4 }, .impl = { 4, 4 } };
static const MemoryRegionOps gpe_ops = { .read = gpe_read, .write = gpe_write, .valid = { 1, 4 }, .impl = { 1, 1 } };

void acpi_pm_init(AcpiPm *pm, void *owner, IrqLine sci, unsigned gpe_bytes)
{
    assert(gpe_bytes <= ACPI_GPE_MAX_BYTES);
    pm->sci = sci;
    pm->gpe_bytes = gpe_bytes;
    timer_init(&pm->tmr, CLOCK_TYPE_VIRTUAL, tmr_expired, pm);
    memory_region_init_io(&pm->evt_mr, owner, &evt_ops, pm, "acpi-evt", 4);
    memory_region_init_io(&pm->cnt_mr, owner, &cnt_ops, pm, "acpi-cnt", 2);
    memory_region_init_io(&pm->tmr_mr, owner, &tmr_ops, pm, "acpi-tmr", 4);
    memory_region_init_io(&pm->gpe_mr, owner, &gpe_ops, pm, "acpi-gpe0", 2 * gpe_bytes);
    if (!pm->disable_s3) {
        system_wakeup_support();
        system_wakeup_notify_add(pm_woken, pm);
    }
}

void acpi_pm_fini(AcpiPm *pm)
{
    timer_del(&pm->tmr);
    memory_region_fini(&pm->evt_mr);
    memory_region_fini(&pm->cnt_mr);
    memory_region_fini(&pm->tmr_mr);
    memory_region_fini(&pm->gpe_mr);
}

void acpi_pm_reset(AcpiPm *pm, ResetType type)
{
    pm->pm1_sts = pm->pm1_en = 0;
    pm->pm1_cnt = type == RESET_WAKEUP ? pm->pm1_cnt & PM1_CNT_SCI_EN : 0;
    pm->tmr_overflow_ns = 0;
    memset(pm->gpe_sts, 0, sizeof(pm->gpe_sts));
    memset(pm->gpe_en, 0, sizeof(pm->gpe_en));
    rtc_wakeup_update(pm);
    pm_update(pm);
}

static bool pm_post_load(void *opaque, unsigned version, Error **errp)
{
    AcpiPm *pm = opaque;

    pm->pm1_en &= PM1_EN_MASK;
    pm->tmr_overflow_ns = 0;
    tmr_sync(pm);
    rtc_wakeup_update(pm);
    pm_update(pm);
    return true;
}

static const VMField pm_fields[] = {
    VMS_U16(AcpiPm, pm1_sts),
    VMS_U16(AcpiPm, pm1_en),
    VMS_U16(AcpiPm, pm1_cnt),
    VMS_U8_ARRAY(AcpiPm, gpe_sts),
    VMS_U8_ARRAY(AcpiPm, gpe_en),
    VMS_END
};

const VMState vmstate_acpi_pm = {
    .name = "acpi-pm", .version = 1, .minimum_version = 1, .fields = pm_fields, .post_load = pm_post_load,
};

/* --- port 0xcf9 --- */

enum { RCR_RESET = 0x4, RCR_WRITABLE = 0xe };

uint8_t reset_control_read(const ResetControl *rc)
{
    return rc->value;
}

void reset_control_write(ResetControl *rc, uint8_t v)
{
    bool rising = (v & RCR_RESET) && !(rc->value & RCR_RESET);

    rc->value = v & RCR_WRITABLE & ~RCR_RESET;
    if (rising) {
        system_reset_request(SHUTDOWN_CAUSE_GUEST_RESET);
    }
}

/* --- ports 0xb2, 0xb3 --- */

static uint64_t apm_read(void *opaque, hwaddr addr, unsigned size)
{
    const ApmPorts *apm = opaque;

    return addr ? apm->status : apm->cmd;
}

static void apm_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    ApmPorts *apm = opaque;

    if (addr) {
        apm->status = (uint8_t)data;
    } else {
        apm->cmd = (uint8_t)data;
        apm->written(apm->opaque, apm->cmd);
    }
}

static const MemoryRegionOps apm_ops = { .read = apm_read, .write = apm_write, .valid = { 1, 2 }, .impl = { 1, 1 } };

void apm_ports_init(ApmPorts *apm, void *owner, MemoryRegion *io, void (*written)(void *opaque, uint8_t cmd))
{
    apm->written = written;
    apm->opaque = owner;
    memory_region_init_io(&apm->mr, owner, &apm_ops, apm, "apm-io", 2);
    memory_region_add_subregion(io, 0xb2, &apm->mr);
}

void apm_ports_fini(ApmPorts *apm, MemoryRegion *io)
{
    memory_region_del_subregion(io, &apm->mr);
    memory_region_fini(&apm->mr);
}
