/*
 * "i6300esb": the watchdog of Intel's 6300ESB I/O controller hub, as a PCI device.
 *
 * Reference: Intel 6300ESB I/O Controller Hub data sheet, chapter 16 (watchdog timer).
 *
 * Two stages, each counting down a 20-bit preload in units of 2^15 or 2^5 PCI clocks (33 MHz; about 1 ms or 1 us).  The
 * first stage's end makes an interrupt, the second's the watchdog's action.  In free-running mode the count starts again.
 * The preloads and the reload register take a write only after 0x80 and 0x86 were written to the reload register.
 */
#include "hw/pci/pci.h"
#include "system/runstate.h"
#include "util/log.h"
#include "util/timer.h"

enum {
    /* configuration space */
    WDT_CONFIG = 0x60, CONFIG_REBOOT_OFF = 1 << 5, CONFIG_FREQ_1MHZ = 1 << 2, CONFIG_INTTYPE = 3, INTTYPE_NONE = 3,
    WDT_LOCK = 0x68, LOCK_FREE_RUN = 1 << 2, LOCK_ENABLE = 1 << 1, LOCK_LOCK = 1 << 0,
    /* memory */
    MMIO_SIZE = 16, TIMER1 = 0x0, TIMER2 = 0x4, GINTSR = 0x8, GINTSR_STATUS = 1 << 0, RELOAD = 0xc, RELOAD_RELOAD = 1 << 8,
    RELOAD_TIMEOUT = 1 << 9, PRELOAD_MASK = 0xfffff, UNLOCK_1 = 0x80, UNLOCK_2 = 0x86,
    PCI_DEVICE_ID_INTEL_ESB_9 = 0x25ab, PCI_CLOCK_HZ = 33000000,
};

typedef struct I6300Esb {
    PCIDevice pci;
    MemoryRegion mmio;

    uint32_t preload[2];
    uint8_t stage;              /* that is running: 0, 1 */
    uint8_t unlock;             /* of the two unlocking writes, how many came */
    bool interrupt;             /* GINTSR */
    bool timed_out;             /* survives the reset it made */
    Timer timer;
} I6300Esb;

OBJECT_DECLARE(I6300Esb, I6300ESB, i6300esb)

/* --- counting --- */

static bool is_enabled(const I6300Esb *s)
{
    return s->pci.config[WDT_LOCK] & LOCK_ENABLE;
}

static void start_stage(I6300Esb *s, uint8_t stage)
{
    bool fast = pci_get_word(s->pci.config + WDT_CONFIG) & CONFIG_FREQ_1MHZ;
    uint64_t clocks = (uint64_t)s->preload[stage] << (fast ? 5 : 15);

    s->stage = stage;
    timer_mod(&s->timer, clock_get_ns(CLOCK_TYPE_VIRTUAL) + (int64_t)muldiv64(clocks, NANOSECONDS_PER_SECOND, PCI_CLOCK_HZ));
}

static void expired(void *opaque)
{
    I6300Esb *s = opaque;
    uint16_t config = pci_get_word(s->pci.config + WDT_CONFIG);

    if (s->stage == 0) {
        if ((config & CONFIG_INTTYPE) != INTTYPE_NONE) {
            s->interrupt = true;
            guest_unimp("i6300esb", "first stage's interrupt of type %u reaches no CPU", config & CONFIG_INTTYPE);
        }
        start_stage(s, 1);
        return;
    }
    if (!(config & CONFIG_REBOOT_OFF)) {
        s->timed_out = true;
        system_watchdog_expired();
    }
    if (s->pci.config[WDT_LOCK] & LOCK_FREE_RUN) {
        start_stage(s, 0);
    }
}

/* --- configuration space --- */

static void esb_config_write(PCIDevice *d, uint32_t addr, uint32_t val, unsigned len)
{
    I6300Esb *s = I6300ESB(d);
    uint8_t before = d->config[WDT_LOCK];

    pci_default_write_config(d, addr, val, len);
    if (before & LOCK_LOCK) {
        d->config[WDT_LOCK] = before;           /* until the next reset */
    }
    if (is_enabled(s) && !(before & LOCK_ENABLE)) {
        start_stage(s, 0);
    } else if (!is_enabled(s)) {
        timer_del(&s->timer);
    }
}

/* --- memory --- */

static uint64_t esb_read(void *opaque, hwaddr addr, unsigned size)
{
    const I6300Esb *s = opaque;

    switch (addr) {
    case GINTSR:
        return s->interrupt ? GINTSR_STATUS : 0;
    case RELOAD:
        return s->timed_out ? RELOAD_TIMEOUT : 0;
    default:
        return 0;               /* preloads are write-only */
    }
}

static void write_unlocked(I6300Esb *s, unsigned addr, uint32_t v)
{
    switch (addr) {
    case TIMER1:
    case TIMER2:
        s->preload[addr / 4] = v & PRELOAD_MASK;
        break;
    case RELOAD:
        if (v & RELOAD_TIMEOUT) {
            s->timed_out = false;
        }
        if ((v & RELOAD_RELOAD) && is_enabled(s)) {
            start_stage(s, 0);
        }
        break;
    }
}

static void esb_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    I6300Esb *s = opaque;

    if (addr == GINTSR) {
        s->interrupt &= !(data & GINTSR_STATUS);
    } else if (addr == RELOAD && data == UNLOCK_1) {
        s->unlock = 1;
    } else if (addr == RELOAD && data == UNLOCK_2 && s->unlock == 1) {
        s->unlock = 2;
    } else if (s->unlock == 2) {
        s->unlock = 0;
        write_unlocked(s, (unsigned)addr, (uint32_t)data);
    } else {
        s->unlock = 0;
    }
}

/* Narrower accesses reach the register they begin in. */
static const MemoryRegionOps esb_ops = { .read = esb_read, .write = esb_write, .valid = { 1, 4 }, .impl = { 1, 4 } };

/* --- life --- */

static bool esb_realize(Device *dev, Error **errp)
{
    I6300Esb *s = I6300ESB(dev);
    PCIDevice *d = &s->pci;

    timer_init(&s->timer, CLOCK_TYPE_VIRTUAL, expired, s);
    pci_set_word(d->wmask + WDT_CONFIG, CONFIG_REBOOT_OFF | CONFIG_FREQ_1MHZ | CONFIG_INTTYPE);
    d->wmask[WDT_LOCK] = LOCK_FREE_RUN | LOCK_ENABLE | LOCK_LOCK;
    memory_region_init_io(&s->mmio, s, &esb_ops, s, "i6300esb", MMIO_SIZE);
    pci_register_bar(d, 0, PCI_BASE_ADDRESS_SPACE_MEMORY, &s->mmio);
    return true;
}

static void esb_unrealize(Device *dev)
{
    timer_del(&I6300ESB(dev)->timer);
}

/* Not in unrealize: the PCI layer unmaps the BAR after that. */
static void esb_fini(Object *obj)
{
    memory_region_fini(&I6300ESB(obj)->mmio);
}

static void esb_reset_hold(Device *dev, ResetType type)
{
    I6300Esb *s = I6300ESB(dev);

    timer_del(&s->timer);
    pci_set_word(s->pci.config + WDT_CONFIG, 0);
    s->pci.config[WDT_LOCK] = 0;
    s->preload[0] = s->preload[1] = PRELOAD_MASK;
    s->stage = s->unlock = 0;
    s->interrupt = false;
}

static bool esb_post_load(void *opaque, unsigned version, Error **errp)
{
    I6300Esb *s = opaque;

    s->preload[0] &= PRELOAD_MASK;
    s->preload[1] &= PRELOAD_MASK;
    if (s->stage > 1 || s->unlock > 2) {
        error_setg(errp, "i6300esb: stage %u or unlock %u is out of range", s->stage, s->unlock);
        return false;
    }
    return true;
}

static const VMField esb_fields[] = {
    VMS_U32_ARRAY(I6300Esb, preload), VMS_U8(I6300Esb, stage), VMS_U8(I6300Esb, unlock), VMS_BOOL(I6300Esb, interrupt),
    VMS_BOOL(I6300Esb, timed_out), VMS_TIMER(I6300Esb, timer),
    VMS_END
};

static const VMState vmstate_esb = {
    .name = "i6300esb", .version = 1, .minimum_version = 1, .fields = esb_fields, .post_load = esb_post_load,
};

PCI_DEVICE_DEFINE(I6300Esb, i6300esb, "i6300esb", pci_device,
    .desc         = "Intel 6300ESB watchdog",
    .category     = DEVICE_CATEGORY_WATCHDOG,
    .vendor_id    = PCI_VENDOR_ID_INTEL,
    .device_id    = PCI_DEVICE_ID_INTEL_ESB_9,
    .class_id     = PCI_CLASS_SYSTEM_OTHER,
    .config_write = esb_config_write,
    .realize      = esb_realize,
    .unrealize    = esb_unrealize,
    .fini         = esb_fini,
    .reset_hold   = esb_reset_hold,
    .vmstate      = &vmstate_esb,
);
