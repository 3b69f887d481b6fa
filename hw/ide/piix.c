/*
 * "piix3-ide": two ATA channels at the PC's old ports, with bus master DMA.
 *
 * References: Intel 82371SB data sheet, 2.4 and 2.7; ATA/ATAPI-7 volume 2 (task file); Programming Interface for Bus Master
 * IDE Controller 1.0.
 *
 * Each channel has a task file of which both its devices see every write; what is read is the selected one's.
 */
#include "ide-internal.h"

enum {
    PIIX_IDETIM = 0x40, N_CHANNELS = 2,
    REG_DATA = 0, REG_ERROR = 1, REG_COUNT = 2, REG_LBA_LOW = 3, REG_LBA_MID = 4, REG_LBA_HIGH = 5, REG_DEVICE = 6, REG_STATUS = 7,
    CTL_NIEN = 0x02, CTL_SRST = 0x04, CTL_HOB = 0x80,
    BM_COMMAND = 0, BM_STATUS = 2, BM_TABLE = 4, BM_SIZE = 8, BM_CMD_START = 0x01, BM_CMD_TO_MEMORY = 0x08,
    BM_ST_ACTIVE = 0x01, BM_ST_ERROR = 0x02, BM_ST_IRQ = 0x04, BM_ST_KEPT = 0x60,
    PRD_SIZE = 8, PRD_MAX = 8192,       /* a table does not cross 64 KiB */
};
#define PRD_LAST 0x80000000u

static const struct { uint16_t command, control; } ports[N_CHANNELS] = { { 0x1f0, 0x3f6 }, { 0x170, 0x376 } };

typedef struct IdeChannel {
    struct Piix3Ide *s;
    IdeBus *bus;
    IrqLine line;
    MemoryRegion command_mr, control_mr, bm_mr;
    uint8_t select;             /* unit */
    uint8_t control;
    uint8_t bm_command, bm_status;
    uint32_t bm_table;
    bool irq;                   /* the selected device's */
    bool dma_waits;             /* a command waits for the host to start DMA */
    uint32_t prd_last;          /* index of the entry that ends the list; UINT32_MAX = not seen yet */
} IdeChannel;

typedef struct Piix3Ide {
    PCIDevice pci;
    MemoryRegion bm;
    IrqLine irq[N_CHANNELS];
    IdeChannel channel[N_CHANNELS];
} Piix3Ide;

OBJECT_DECLARE(Piix3Ide, PIIX3_IDE, piix3_ide)

static IdeChannel *channel_of(const IdeBus *bus)
{
    return bus->opaque;
}

static IdeDevice *selected(const IdeChannel *c)
{
    return c->bus->units[c->select];
}

/* --- interrupts --- */

static void update_irq(IdeChannel *c)
{
    irq_set(c->line, c->irq && !(c->control & CTL_NIEN));
}

static void set_irq(IdeChannel *c, bool on)
{
    if (on && !c->irq) {
        c->bm_status |= BM_ST_IRQ;
    }
    c->irq = on;
    update_irq(c);
}

/* --- what the command set asks of its transport --- */

static void piix_pio_ready(IdeBus *bus, IdeDevice *d, bool irq)
{
    if (irq) {
        set_irq(channel_of(bus), true);
    }
}

static void piix_dma_ready(IdeBus *bus, IdeDevice *d)
{
    IdeChannel *c = channel_of(bus);

    c->prd_last = UINT32_MAX;
    c->dma_waits = !(c->bm_command & BM_CMD_START);
    if (!c->dma_waits) {
        ide_dma_go(d);
    }
}

static bool piix_segment(IdeBus *bus, unsigned tag, unsigned n, IdeSegment *seg)
{
    IdeChannel *c = channel_of(bus);
    uint8_t raw[PRD_SIZE];

    if (n >= PRD_MAX || n > c->prd_last
        || address_space_rw_memory(pci_get_address_space(&c->s->pci), c->bm_table + (hwaddr)n * PRD_SIZE, raw, sizeof(raw),
                                   false) != MEMTX_OK) {
        return false;
    }
    if (ld32_le(raw + 4) & PRD_LAST) {
        c->prd_last = n;
    }
    seg->addr = ld32_le(raw) & ~1u;
    seg->len = ld16_le(raw + 4) & ~1u;
    seg->len = seg->len ? seg->len : 64 * KiB;
    return true;
}

static AddressSpace *piix_dma_space(IdeBus *bus)
{
    return pci_get_address_space(&channel_of(bus)->s->pci);
}

static void piix_dma_done(IdeBus *bus, IdeDevice *d, uint64_t bytes, bool ok)
{
    channel_of(bus)->bm_status &= (uint8_t)~BM_ST_ACTIVE;
}

static void piix_done(IdeBus *bus, IdeDevice *d, bool irq)
{
    channel_of(bus)->dma_waits = false;
    if (irq) {
        set_irq(channel_of(bus), true);
    }
}

static const IdeTransport piix_transport = {
    .pio_ready = piix_pio_ready, .dma_ready = piix_dma_ready, .segment = piix_segment, .dma_space = piix_dma_space,
    .dma_done = piix_dma_done, .done = piix_done,
};

/* --- the data register --- */

static uint32_t data_read(IdeDevice *d, unsigned size)
{
    uint32_t v = 0;

    if (!d || !(d->tf.status & ATA_DRQ) || !d->pio_to_host) {
        return 0;
    }
    for (unsigned i = 0; i < size && d->pio_pos < d->pio_end; i++) {
        v |= (uint32_t)d->pio[d->pio_pos++] << (8 * i);
    }
    if (d->pio_pos == d->pio_end) {
        ide_pio_done(d);
    }
    return v;
}

static void data_write(IdeDevice *d, uint32_t v, unsigned size)
{
    if (!d || !(d->tf.status & ATA_DRQ) || d->pio_to_host) {
        return;
    }
    for (unsigned i = 0; i < size && d->pio_pos < d->pio_end; i++) {
        d->pio[d->pio_pos++] = (uint8_t)(v >> (8 * i));
    }
    if (d->pio_pos == d->pio_end) {
        ide_pio_done(d);
    }
}

/* --- the others --- */

/* The two-deep register that is behind a port; NULL = none. */
static uint8_t *pair(IdeTaskFile *tf, unsigned reg)
{
    switch (reg) {
    case REG_ERROR:
        return tf->feature;
    case REG_COUNT:
        return tf->count;
    case REG_LBA_LOW:
        return tf->lba_low;
    case REG_LBA_MID:
        return tf->lba_mid;
    case REG_LBA_HIGH:
        return tf->lba_high;
    default:
        return NULL;
    }
}

static void soft_reset(IdeChannel *c)
{
    for (unsigned i = 0; i < IDE_UNITS; i++) {
        if (c->bus->units[i]) {
            ide_soft_reset(c->bus->units[i]);
        }
    }
    c->select = 0;
    c->dma_waits = false;
    set_irq(c, false);
}

/* EXECUTE DEVICE DIAGNOSTIC is for both, whichever is selected; device 0 answers. */
static void diagnostic(IdeChannel *c)
{
    soft_reset(c);
    set_irq(c, c->bus->units[0] != NULL);
}

static void write_command(IdeChannel *c, uint8_t command)
{
    IdeDevice *d = selected(c);

    set_irq(c, false);
    if (command == ATA_DIAGNOSTIC) {
        diagnostic(c);
    } else if (d && (!ide_is_busy(d) || (d->is_cd && command == ATA_DEVICE_RESET))) {
        d->tf.command = command;
        ide_exec(d);
    }
}

/* Both devices see it, but one that is at work does not listen. */
static void write_both(IdeChannel *c, unsigned reg, uint8_t v)
{
    for (unsigned i = 0; i < IDE_UNITS; i++) {
        IdeDevice *d = c->bus->units[i];
        uint8_t *p = d && !ide_is_busy(d) ? pair(&d->tf, reg) : NULL;

        if (p) {
            p[1] = p[0];
            p[0] = v;
        } else if (d && reg == REG_DEVICE && !ide_is_busy(d)) {
            d->tf.device = v;
        }
    }
    if (reg == REG_DEVICE) {
        c->select = v & ATA_DEV_UNIT ? 1 : 0;
    }
}

static uint64_t command_read(void *opaque, hwaddr addr, unsigned size)
{
    IdeChannel *c = opaque;
    IdeDevice *d = selected(c);
    const uint8_t *p;

    if (addr == REG_DATA) {
        return data_read(d, size);
    }
    if (addr == REG_STATUS) {
        set_irq(c, false);
    }
    if (!d) {
        return 0;
    }
    switch (addr) {
    case REG_ERROR:
        return d->tf.error;
    case REG_DEVICE:
        return d->tf.device | 0xa0;
    case REG_STATUS:
        return d->tf.status;
    default:
        p = pair(&d->tf, (unsigned)addr);
        return p[c->control & CTL_HOB ? 1 : 0];
    }
}

static void command_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    IdeChannel *c = opaque;

    c->control &= (uint8_t)~CTL_HOB;
    if (addr == REG_DATA) {
        data_write(selected(c), (uint32_t)data, size);
    } else if (addr == REG_STATUS) {
        write_command(c, (uint8_t)data);
    } else {
        write_both(c, (unsigned)addr, (uint8_t)data);
    }
}

static const MemoryRegionOps command_ops = {
    .read = command_read, .write = command_write, .valid = { 1, 4 }, .impl = { 1, 4 },
};

static uint64_t control_read(void *opaque, hwaddr addr, unsigned size)
{
    const IdeDevice *d = selected(opaque);

    return d ? d->tf.status : 0;
}

static void control_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    IdeChannel *c = opaque;
    uint8_t old = c->control;

    c->control = (uint8_t)data;
    if (!(old & CTL_SRST) && (data & CTL_SRST)) {
        soft_reset(c);
    }
    update_irq(c);
}

static const MemoryRegionOps control_ops = {
    .read = control_read, .write = control_write, .valid = { 1, 1 }, .impl = { 1, 1 },
};

/* --- bus master --- */

/* Stopping in the middle would leave a command half done: what is under way comes to its end first. */
static void bm_write_command(IdeChannel *c, uint8_t v)
{
    bool was = c->bm_command & BM_CMD_START, is = v & BM_CMD_START;
    IdeDevice *d = selected(c);

    c->bm_command = v & (BM_CMD_START | BM_CMD_TO_MEMORY);
    if (!was && is) {
        c->bm_status |= BM_ST_ACTIVE;
        if (c->dma_waits && d) {
            c->dma_waits = false;
            ide_dma_go(d);
        }
    } else if (was && !is) {
        if (d && d->dma_phase != IDE_DMA_NONE && !c->dma_waits) {
            blk_drain(d->blk);
        }
        c->bm_status &= (uint8_t)~BM_ST_ACTIVE;
    }
}

static uint64_t bm_read(void *opaque, hwaddr addr, unsigned size)
{
    const IdeChannel *c = opaque;

    switch (addr) {
    case BM_COMMAND:
        return c->bm_command;
    case BM_STATUS:
        return c->bm_status;
    case BM_TABLE:
    case BM_TABLE + 1:
    case BM_TABLE + 2:
    case BM_TABLE + 3:
        return c->bm_table >> (8 * (addr - BM_TABLE)) & 0xff;
    default:
        return 0xff;
    }
}

static void bm_write(void *opaque, hwaddr addr, uint64_t data, unsigned size)
{
    IdeChannel *c = opaque;
    unsigned shift;

    if (addr == BM_COMMAND) {
        bm_write_command(c, (uint8_t)data);
    } else if (addr == BM_STATUS) {
        c->bm_status = (uint8_t)((c->bm_status & (BM_ST_ACTIVE | ((BM_ST_ERROR | BM_ST_IRQ) & ~data))) | (data & BM_ST_KEPT));
    } else if (addr >= BM_TABLE) {
        shift = 8 * (unsigned)(addr - BM_TABLE);
        c->bm_table = ((c->bm_table & ~(0xffu << shift)) | (uint32_t)(data & 0xff) << shift) & ~3u;
    }
}

static const MemoryRegionOps bm_ops = { .read = bm_read, .write = bm_write, .valid = { 1, 4 }, .impl = { 1, 1 } };

/* --- life --- */

static void channel_init(Piix3Ide *s, unsigned n)
{
    IdeChannel *c = &s->channel[n];

    c->s = s;
    memory_region_init_io(&c->command_mr, s, &command_ops, c, "ide-command", 8);
    memory_region_init_io(&c->control_mr, s, &control_ops, c, "ide-control", 1);
    memory_region_init_io(&c->bm_mr, s, &bm_ops, c, "ide-bmdma", BM_SIZE);
    memory_region_add_subregion(&s->bm, n * BM_SIZE, &c->bm_mr);
}

static void piix3_ide_init(Object *obj)
{
    Piix3Ide *s = PIIX3_IDE(obj);

    memory_region_init(&s->bm, s, "piix-bmdma-container", N_CHANNELS * BM_SIZE);
    for (unsigned i = 0; i < N_CHANNELS; i++) {
        channel_init(s, i);
    }
}

static bool piix3_ide_realize(Device *dev, Error **errp)
{
    Piix3Ide *s = PIIX3_IDE(dev);
    PCIBus *bus = pci_get_bus(&s->pci);

    memset(s->pci.wmask + PIIX_IDETIM, 0xff, 4);
    pci_register_bar(&s->pci, 4, PCI_BASE_ADDRESS_SPACE_IO, &s->bm);
    for (unsigned i = 0; i < N_CHANNELS; i++) {
        IdeChannel *c = &s->channel[i];

        c->line = s->irq[i];
        c->bus = ide_bus_new(dev, i, IDE_UNITS, &piix_transport, c);
        memory_region_add_subregion(bus->io, ports[i].command, &c->command_mr);
        memory_region_add_subregion(bus->io, ports[i].control, &c->control_mr);
    }
    return true;
}

static void piix3_ide_reset_hold(Device *dev, ResetType type)
{
    Piix3Ide *s = PIIX3_IDE(dev);

    memset(s->pci.config + PIIX_IDETIM, 0, 4);
    for (unsigned i = 0; i < N_CHANNELS; i++) {
        IdeChannel *c = &s->channel[i];

        soft_reset(c);
        c->control = c->bm_command = c->bm_status = 0;
        c->bm_table = 0;
        c->prd_last = UINT32_MAX;
    }
}

static bool channel_post_load(void *opaque, unsigned version, Error **errp)
{
    IdeChannel *c = opaque;

    if (c->select >= IDE_UNITS) {
        error_setg(errp, "piix3-ide: unit %u is selected, of %u", c->select, IDE_UNITS);
        return false;
    }
    update_irq(c);
    return true;
}

static const VMField channel_fields[] = {
    VMS_U8(IdeChannel, select), VMS_U8(IdeChannel, control), VMS_U8(IdeChannel, bm_command), VMS_U8(IdeChannel, bm_status),
    VMS_U32(IdeChannel, bm_table), VMS_BOOL(IdeChannel, irq), VMS_BOOL(IdeChannel, dma_waits), VMS_U32(IdeChannel, prd_last),
    VMS_END
};
static const VMState vmstate_channel = {
    .name = "ide_channel", .version = 1, .minimum_version = 1, .fields = channel_fields, .post_load = channel_post_load,
};
static const VMField piix3_ide_fields[] = { VMS_STRUCT_ARRAY(Piix3Ide, channel, &vmstate_channel), VMS_END };
static const VMState vmstate_piix3_ide = { .name = "piix3_ide", .version = 1, .minimum_version = 1, .fields = piix3_ide_fields };

PCI_DEVICE_DEFINE(Piix3Ide, piix3_ide, "piix3-ide", pci_device,
    .desc       = "IDE controller of PIIX3",
    .category   = DEVICE_CATEGORY_STORAGE,
    .vendor_id  = PCI_VENDOR_ID_INTEL,
    .device_id  = PCI_DEVICE_ID_INTEL_82371SB_1,
    .class_id   = PCI_CLASS_STORAGE_IDE,
    .prog_if    = 0x80,
    .init       = piix3_ide_init,
    .realize    = piix3_ide_realize,
    .reset_hold = piix3_ide_reset_hold,
    .vmstate    = &vmstate_piix3_ide,
    .not_user_creatable = true,
);

PCIDevice *piix3_ide_create(PCIBus *bus, PCIDevice *piix3, IrqLine irq14, IrqLine irq15, Error **errp)
{
    PCIDevice *d = pci_new(PCI_DEVFN(1, 1), "piix3-ide");

    PIIX3_IDE(d)->irq[0] = irq14;
    PIIX3_IDE(d)->irq[1] = irq15;
    object_add_child(piix3, "ide", d);
    return device_realize_and_unref(DEVICE(d), &bus->bus, errp) ? d : NULL;
}
