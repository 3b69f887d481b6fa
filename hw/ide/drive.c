/*
 * "ide-hd" and "ide-cd": what the user says of a drive, and its back end.
 */
#include "hw/core/bootorder.h"
#include "ide-internal.h"
#include "system/runstate.h"

#define MODEL_BYTES     40
#define SERIAL_BYTES    20
#define VERSION_BYTES   8
#define VERSION         "2.5+"

enum { TRANS_AUTO, TRANS_NONE, TRANS_LBA, TRANS_LARGE, TRANS_RECHS };
static const char *const translations[] = { "auto", "none", "lba", "large", "rechs", NULL };

/* --- checks --- */

static bool check_text(const char *name, const char *s, unsigned max, Error **errp)
{
    if (s && strlen(s) > max) {
        error_setg(errp, "%s must be at most %u characters, got %zu", name, max, strlen(s));
        return false;
    }
    return true;
}

static bool check_sizes(const IdeDevice *d, Error **errp)
{
    if (d->logical_block_size != IDE_SECTOR) {
        error_setg(errp, "logical_block_size must be 512 for IDE, got %u", d->logical_block_size);
        return false;
    }
    if (d->min_io_size % IDE_SECTOR || d->opt_io_size % IDE_SECTOR
        || (d->discard_granularity != UINT32_MAX && d->discard_granularity % IDE_SECTOR)) {
        error_setg(errp, "min_io_size, opt_io_size and discard_granularity must be multiples of logical_block_size (512)");
        return false;
    }
    return true;
}

/* A free place on the bus. */
static bool take_unit(IdeDevice *d, Error **errp)
{
    IdeBus *bus = d->bus;

    if (d->unit == UINT32_MAX) {
        d->unit = bus->units[0] ? 1 : 0;
    }
    if (d->unit >= bus->n_units) {
        error_setg(errp, "Can't create IDE unit %u, bus supports only %u units", d->unit, bus->n_units);
        return false;
    }
    if (bus->units[d->unit]) {
        error_setg(errp, "IDE unit %u is in use", d->unit);
        return false;
    }
    return true;
}

/* What the guest sees where the user said nothing. */
static void name_it(IdeDevice *d)
{
    if (!d->serial) {
        d->serial = g_strdup_printf("QM%05u", d->bus->first_serial + d->unit);
    }
    if (!d->version) {
        d->version = g_strdup(VERSION);
    }
    if (!d->model) {
        d->model = g_strdup(d->is_cd ? "QUERN DVD-ROM" : "QUERN HARDDISK");
    }
}

/* --- geometry: by size, as firmware of disks without a partition table would have it --- */

static bool check_geometry(const IdeDevice *d, Error **errp)
{
    if (!d->cyls && !d->heads && !d->secs) {
        return true;
    }
    if (d->cyls < 1 || d->cyls > 65535) {
        error_setg(errp, "cyls must be between 1 and 65535");
    } else if (d->heads < 1 || d->heads > 16) {
        error_setg(errp, "heads must be between 1 and 16");
    } else if (d->secs < 1 || d->secs > 255) {
        error_setg(errp, "secs must be between 1 and 255");
    } else {
        return true;
    }
    return false;
}

static void choose_geometry(IdeDevice *d)
{
    if (!d->cyls) {
        d->heads = 16;
        d->secs = 63;
        d->cyls = (uint32_t)CLAMP(ide_sectors(d) / (16 * 63), 2u, 16383u);
    }
}

static uint8_t translation(const IdeDevice *d)
{
    if (d->chs_trans != TRANS_AUTO) {
        return (uint8_t)(d->chs_trans - TRANS_NONE);
    }
    return d->cyls <= 1024 && d->heads <= 16 && d->secs <= 63 ? TRANS_NONE - TRANS_NONE : TRANS_LBA - TRANS_NONE;
}

bool ide_disk_geometry(PCIDevice *controller, unsigned bus_index, unsigned unit, IdeGeometry *g)
{
    g_autofree char *name = g_strdup_printf("ide.%u", bus_index);
    Object *bus = object_child(controller, name);
    const IdeDevice *d = bus && object_is(bus, &ide_bus_type) && unit < IDE_UNITS ? IDE_BUS(bus)->units[unit] : NULL;

    if (!d || d->is_cd) {
        return false;
    }
    *g = (IdeGeometry){ (uint16_t)d->cyls, (uint8_t)d->heads, (uint8_t)d->secs, translation(d) };
    return true;
}

/* --- life --- */

static void on_vm_state(void *opaque, bool running, RunState state)
{
    IdeDevice *d = opaque;

    if (running) {
        blk_reset_io_status(d->blk);
        ide_transfers_retry(d);
    }
}

static bool open_backend(IdeDevice *d, Error **errp)
{
    unsigned flags = (d->is_cd ? BLK_MAY_BE_EMPTY : BLK_WRITABLE) | (d->share_rw ? BLK_SHARE_RW : 0);

    if (!d->is_cd && (!d->drive || !*d->drive)) {
        error_setg(errp, "No drive specified");
        return false;
    }
    d->blk = blk_new(d->drive, d, flags, errp);
    if (!d->blk) {
        return false;
    }
    if (!blk_set_on_error(d->blk, (BlockOnError)d->rerror, (BlockOnError)d->werror, errp)) {
        g_clear_pointer(&d->blk, blk_unref);
        return false;
    }
    blk_set_accounting(d->blk, d->account_invalid != ON_OFF_AUTO_OFF, d->account_failed != ON_OFF_AUTO_OFF);
    if (d->write_cache != ON_OFF_AUTO_AUTO) {
        blk_set_enable_write_cache(d->blk, d->write_cache == ON_OFF_AUTO_ON);
    }
    d->write_cache_at_start = blk_enable_write_cache(d->blk);
    return true;
}

static bool ide_device_realize(Device *dev, Error **errp)
{
    IdeDevice *d = IDE_DEVICE(dev);

    d->bus = IDE_BUS(dev->parent_bus);
    if (!check_text("model", d->model, MODEL_BYTES, errp) || !check_text("serial", d->serial, SERIAL_BYTES, errp)
        || !check_text("ver", d->version, VERSION_BYTES, errp) || !check_sizes(d, errp) || !check_geometry(d, errp)
        || !take_unit(d, errp) || !open_backend(d, errp)) {
        return false;
    }
    name_it(d);
    d->pio = g_malloc0(IDE_PIO_BYTES);
    d->transfers = g_queue_new();
    d->stopped = g_queue_new();
    d->bus->units[d->unit] = d;
    d->bus->bus.full = d->bus->bus.devices->len >= d->bus->n_units;
    vm_state_notify_add(on_vm_state, d);
    return true;
}

static void ide_device_unrealize(Device *dev)
{
    IdeDevice *d = IDE_DEVICE(dev);

    vm_state_notify_remove(on_vm_state, d);
    ide_transfers_drop(d);
    d->bus->units[d->unit] = NULL;
    d->bus->bus.full = false;
    g_clear_pointer(&d->transfers, g_queue_free);
    g_clear_pointer(&d->stopped, g_queue_free);
    g_clear_pointer(&d->blk, blk_unref);
    g_clear_pointer(&d->pio, g_free);
}

static void ide_device_reset(Device *dev, ResetType type)
{
    IdeDevice *d = IDE_DEVICE(dev);

    ide_soft_reset(d);
    blk_reset_io_status(d->blk);
    blk_set_enable_write_cache(d->blk, d->write_cache_at_start);
    d->multiple = IDE_MULTIPLE_MAX;
    d->dma_mode = 0x45;                 /* Ultra DMA 5 */
    d->cur_heads = (uint16_t)d->heads;
    d->cur_secs = (uint16_t)d->secs;
    d->smart = true;
    d->cd = (AtapiState){ .tray_open = d->cd.tray_open };   /* no motor runs for that */
}

/* --- types --- */

static bool unit_post_load(void *opaque, unsigned version, Error **errp)
{
    IdeDevice *d = opaque;

    if (d->pio_end > IDE_PIO_BYTES || d->pio_pos > d->pio_end) {
        error_setg(errp, "%s: PIO position %u..%u is outside the buffer (%u)", d->dev.obj.type->name, d->pio_pos, d->pio_end,
                   (unsigned)IDE_PIO_BYTES);
        return false;
    }
    if (d->cd.reply_len > IDE_PIO_BYTES || d->cd.reply_pos > d->cd.reply_len || d->multiple > IDE_MULTIPLE_MAX
        || d->block > IDE_MULTIPLE_MAX) {
        error_setg(errp, "%s: cd.reply_pos, cd.reply_len, multiple or block is out of range", d->dev.obj.type->name);
        return false;
    }
    return true;
}

static const VMField ide_fields[] = {
    VMS_U8_ARRAY(IdeDevice, tf.feature), VMS_U8_ARRAY(IdeDevice, tf.count), VMS_U8_ARRAY(IdeDevice, tf.lba_low),
    VMS_U8_ARRAY(IdeDevice, tf.lba_mid), VMS_U8_ARRAY(IdeDevice, tf.lba_high), VMS_U8(IdeDevice, tf.device),
    VMS_U8(IdeDevice, tf.command), VMS_U8(IdeDevice, tf.status), VMS_U8(IdeDevice, tf.error),
    VMS_U32(IdeDevice, pio_pos), VMS_U32(IdeDevice, pio_end), VMS_BOOL(IdeDevice, pio_to_host), VMS_U8(IdeDevice, pio_phase),
    VMS_U8(IdeDevice, dma_phase), VMS_U8(IdeDevice, multiple), VMS_U8(IdeDevice, dma_mode), VMS_U64(IdeDevice, lba),
    VMS_U32(IdeDevice, left), VMS_U32(IdeDevice, block), VMS_BOOL(IdeDevice, fua), VMS_BOOL(IdeDevice, smart),
    VMS_U16(IdeDevice, cur_heads), VMS_U16(IdeDevice, cur_secs), VMS_BOOL(IdeDevice, queue_failed),
    VMS_BUFFER(IdeDevice, queue_log), VMS_U8(IdeDevice, cd.sense_key), VMS_U8(IdeDevice, cd.asc), VMS_U8(IdeDevice, cd.ascq),
    VMS_BOOL(IdeDevice, cd.dma), VMS_BOOL(IdeDevice, cd.tray_open), VMS_BOOL(IdeDevice, cd.tray_locked),
    VMS_U8(IdeDevice, cd.changed), VMS_BOOL(IdeDevice, cd.event_new), VMS_BOOL(IdeDevice, cd.event_eject),
    VMS_U64(IdeDevice, cd.lba), VMS_U64(IdeDevice, cd.left), VMS_U32(IdeDevice, cd.reply_pos), VMS_U32(IdeDevice, cd.reply_len),
    VMS_END
};

static const VMState vmstate_ide = {
    .name = "ide_drive", .version = 1, .minimum_version = 1, .fields = ide_fields, .post_load = unit_post_load,
};

static const Property ide_properties[] = {
    PROP_DRIVE("drive", IdeDevice, drive, .help = "node-name or drive id"),
    PROP_UINT32("unit", IdeDevice, unit, UINT32_MAX, .max = UINT32_MAX, .help = "place on the bus; 4294967295 = the first free one"),
    PROP_STRING("serial", IdeDevice, serial, .help = "serial number, at most 20 characters"),
    PROP_STRING("ver", IdeDevice, version, .help = "firmware version, at most 8 characters"),
    PROP_STRING("model", IdeDevice, model, .help = "model name, at most 40 characters"),
    PROP_UINT64("wwn", IdeDevice, wwn, 0, .max = UINT64_MAX, .help = "world wide name; 0 = none"),
    PROP_UINT32("logical_block_size", IdeDevice, logical_block_size, IDE_SECTOR, .min = IDE_SECTOR, .max = 2 * MiB,
                .power_of_2 = true, .unit = "bytes", .help = "smallest transfer: 512"),
    PROP_UINT32("physical_block_size", IdeDevice, physical_block_size, IDE_SECTOR, .min = IDE_SECTOR, .max = 2 * MiB,
                .power_of_2 = true, .unit = "bytes", .help = "block size of the medium, for alignment"),
    PROP_UINT32("min_io_size", IdeDevice, min_io_size, 0, .max = UINT32_MAX, .unit = "bytes", .help = "smallest efficient transfer; ATA cannot tell it"),
    PROP_UINT32("opt_io_size", IdeDevice, opt_io_size, 0, .max = UINT32_MAX, .unit = "bytes", .help = "best transfer; ATA cannot tell it"),
    PROP_UINT32("discard_granularity", IdeDevice, discard_granularity, UINT32_MAX, .max = UINT32_MAX, .unit = "bytes",
                .help = "alignment of discards; ATA cannot tell it"),
    PROP_BOOL("share-rw", IdeDevice, share_rw, false, .help = "others may write to the node, too"),
    PROP_ENUM("rerror", IdeDevice, rerror, block_on_error_names, BLOCK_ON_ERROR_AUTO, .shown = "BlockdevOnError", .help = "what becomes of failed reads"),
    PROP_ENUM("werror", IdeDevice, werror, block_on_error_names, BLOCK_ON_ERROR_AUTO, .shown = "BlockdevOnError", .help = "what becomes of failed writes"),
    PROP_ON_OFF_AUTO("account-invalid", IdeDevice, account_invalid, ON_OFF_AUTO_AUTO,
                     .help = "refused requests end idleness in statistics"),
    PROP_ON_OFF_AUTO("account-failed", IdeDevice, account_failed, ON_OFF_AUTO_AUTO,
                     .help = "failed requests add their time to statistics"),
    PROP_ON_OFF_AUTO("write-cache", IdeDevice, write_cache, ON_OFF_AUTO_AUTO, .help = "writeback cache; off = write-through"),
    PROP_BOOTINDEX("bootindex", IdeDevice, bootindex),
    PROP_FIXED(bool, "win2k-install-hack", false, .help = "writes answer as fast as they can"),
    PROP_FIXED_TEXT(on_off_auto, "backend_defaults", "auto", .help = "sizes are as they are given"),
};

DEVICE_DEFINE_ABSTRACT(IdeDevice, ide_device, "ide-device", device,
    .desc             = "ATA device",
    .category         = DEVICE_CATEGORY_STORAGE,
    .bus_type         = &ide_bus_type,
    .properties       = PROPS(ide_properties),
    .realize          = ide_device_realize,
    .unrealize        = ide_device_unrealize,
    .reset_hold       = ide_device_reset,
    .vmstate          = &vmstate_ide,
);

static bool ide_hd_realize(Device *dev, Error **errp)
{
    choose_geometry(IDE_DEVICE(dev));
    return true;
}

static const Property ide_hd_properties[] = {
    PROP_UINT32("cyls", IdeDevice, cyls, 0, .max = UINT32_MAX, .help = "cylinders; 0 = by size"),
    PROP_UINT32("heads", IdeDevice, heads, 0, .max = UINT32_MAX, .help = "heads; 0 = by size"),
    PROP_UINT32("secs", IdeDevice, secs, 0, .max = UINT32_MAX, .help = "sectors of a track; 0 = by size"),
    PROP_FIXED(uint32, "lcyls", 0, .help = "firmware's geometry follows bios-chs-trans"),
    PROP_FIXED(uint32, "lheads", 0, .help = "firmware's geometry follows bios-chs-trans"),
    PROP_FIXED(uint32, "lsecs", 0, .help = "firmware's geometry follows bios-chs-trans"),
    PROP_ENUM("bios-chs-trans", IdeDevice, chs_trans, translations, TRANS_AUTO, .shown = "BiosAtaTranslation",
              .help = "how firmware translates CHS addresses (IDE)"),
    PROP_UINT16("rotation_rate", IdeDevice, rotation_rate, 0, .max = UINT16_MAX, .help = "revolutions a minute; 1 = it does not rotate, 0 = not told"),
};

DEVICE_DEFINE(IdeDevice, ide_hd, "ide-hd", ide_device,
    .desc       = "virtual IDE disk",
    .properties = PROPS(ide_hd_properties),
    .realize    = ide_hd_realize,
    .vmstate    = &vmstate_ide,
);

static void ide_cd_init(Object *obj)
{
    IDE_DEVICE(obj)->is_cd = true;
}

static bool ide_cd_realize(Device *dev, Error **errp)
{
    IdeDevice *d = IDE_DEVICE(dev);

    blk_set_device_ops(d->blk, &ide_cd_ops, d);
    return true;
}

DEVICE_DEFINE(IdeDevice, ide_cd, "ide-cd", ide_device,
    .desc      = "virtual IDE CD-ROM",
    .init      = ide_cd_init,
    .realize   = ide_cd_realize,
    .vmstate   = &vmstate_ide,
);
