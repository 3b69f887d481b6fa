/*
 * Devices on an ATA bus: the course of a command, whatever it is and however its data moves.
 *
 * idle -> ide_exec() -> (PIO blocks | a DMA phase | work in the background)* -> ide_finish() or ide_abort() -> idle
 */
#include "ide-internal.h"

/* --- the task file --- */

uint64_t ide_tf_lba48(const IdeTaskFile *tf)
{
    return (uint64_t)tf->lba_high[1] << 40 | (uint64_t)tf->lba_mid[1] << 32 | (uint64_t)tf->lba_low[1] << 24
         | (uint64_t)tf->lba_high[0] << 16 | (uint64_t)tf->lba_mid[0] << 8 | tf->lba_low[0];
}

/* What tells a disk from a packet device after a reset (ACS-3, 4.5 and table 206). */
void ide_signature(const IdeDevice *d, IdeTaskFile *tf)
{
    *tf = (IdeTaskFile){
        .error = 1, .count = { 1 }, .lba_low = { 1 }, .lba_mid = { d->is_cd ? 0x14 : 0 }, .lba_high = { d->is_cd ? 0xeb : 0 },
        .device = tf->device & ATA_DEV_UNIT, .status = d->is_cd ? 0 : ATA_DRDY | ATA_DSC,
    };
}

/* --- the end of a command --- */

void ide_finish(IdeDevice *d, bool irq)
{
    d->pio_phase = IDE_PIO_NONE;
    d->dma_phase = IDE_DMA_NONE;
    d->tf.status = ATA_DRDY | ATA_DSC | (d->tf.error ? ATA_ERR : 0);
    d->bus->transport->done(d->bus, d, irq);
}

void ide_fail(IdeDevice *d, uint8_t error)
{
    d->tf.error = error;
    ide_finish(d, true);
}

void ide_abort(IdeDevice *d)
{
    ide_fail(d, ATA_ABRT);
}

/* --- PIO --- */

void ide_pio_start(IdeDevice *d, IdePioPhase phase, bool to_host, uint32_t pos, uint32_t len, bool irq)
{
    d->pio_phase = (uint8_t)phase;
    d->pio_pos = pos;
    d->pio_end = pos + len;
    d->pio_to_host = to_host;
    d->tf.status = ATA_DRDY | ATA_DSC | ATA_DRQ;
    d->bus->transport->pio_ready(d->bus, d, irq);
}

void ide_pio_done(IdeDevice *d)
{
    d->tf.status = ATA_BSY | ATA_DRDY;
    if (d->is_cd && d->pio_phase != IDE_PIO_REPLY) {
        atapi_pio_done(d);
    } else {
        ata_pio_done(d);
    }
}

void ide_reply(IdeDevice *d, uint32_t len)
{
    ide_pio_start(d, IDE_PIO_REPLY, true, 0, len, true);
}

/* --- DMA --- */

void ide_dma_start(IdeDevice *d, IdeDmaPhase phase)
{
    d->dma_phase = (uint8_t)phase;
    d->tf.status = ATA_BSY | ATA_DRDY;
    d->bus->transport->dma_ready(d->bus, d);
}

void ide_dma_go(IdeDevice *d)
{
    if (d->is_cd) {
        atapi_dma_go(d);
    } else {
        ata_dma_go(d);
    }
}

void ide_dma_ended(IdeTransfer *t, IdeResult r)
{
    IdeDevice *d = t->dev;
    uint64_t moved = t->moved;

    ide_transfer_free(t);
    d->bus->transport->dma_done(d->bus, d, moved, r == IDE_DONE || r == IDE_MEDIUM_ERROR);
    if (r == IDE_DONE) {
        ide_finish(d, true);
    } else if (d->is_cd) {
        atapi_fail(d, r == IDE_MEDIUM_ERROR ? SENSE_MEDIUM_ERROR : SENSE_ABORTED, r == IDE_MEDIUM_ERROR ? ASC_READ_ERROR : 0);
    } else {
        ide_fail(d, r == IDE_MEDIUM_ERROR ? ATA_UNC : ATA_ABRT);
    }
}

/* --- beginning --- */

void ide_exec(IdeDevice *d)
{
    d->tf.error = 0;
    d->tf.status = ATA_BSY | ATA_DRDY;
    if (d->is_cd) {
        atapi_exec(d);
    } else {
        ata_exec(d);
    }
}

/* --- resets --- */

void ide_cancel(IdeDevice *d)
{
    ide_transfers_drop(d);
    d->pio_phase = IDE_PIO_NONE;
    d->dma_phase = IDE_DMA_NONE;
    d->pio_pos = d->pio_end = 0;
    d->queue_failed = false;
    d->tf.status &= (uint8_t)~(ATA_BSY | ATA_DRQ);
}

void ide_soft_reset(IdeDevice *d)
{
    ide_cancel(d);
    ide_signature(d, &d->tf);
}

/* --- the bus --- */

static char *ide_fw_name(Bus *bus, Device *dev)
{
    return g_strdup_printf("drive@%x/disk@%x", IDE_BUS(bus)->index, IDE_DEVICE(dev)->unit);
}

typedef struct BusCount {
    unsigned all, numbered;
} BusCount;

static bool count_buses(Object *obj, void *opaque)
{
    BusCount *c = opaque;
    bool is_bus = object_is(obj, &ide_bus_type);

    c->all += is_bus;
    c->numbered += is_bus && !BUS(obj)->parent_dev->id;
    return true;
}

/* Buses of a device with an id are named after it, others numbered through. */
IdeBus *ide_bus_new(Device *parent, unsigned index, unsigned n_units, const IdeTransport *transport, void *opaque)
{
    BusCount c = { 0 };
    g_autofree char *name = NULL;
    IdeBus *bus;

    object_foreach_child(object_container("/machine"), true, count_buses, &c);
    name = parent->id ? g_strdup_printf("%s.%u", parent->id, index) : g_strdup_printf("ide.%u", c.numbered);
    bus = IDE_BUS(bus_new(&ide_bus_type, parent, name));
    bus->index = index;
    bus->n_units = n_units;
    bus->first_serial = 1 + c.all * IDE_UNITS;
    bus->transport = transport;
    bus->opaque = opaque;
    return bus;
}

BUS_DEFINE(IdeBus, ide_bus, "IDE", bus,
    .desc        = "ATA channel or port",
    .fw_name     = ide_fw_name,
    .max_devices = IDE_UNITS,
);
