/*
 * The commands of disks (ACS-3, chapter 7), but for queued ones and logs (log.c).
 */
#include "ide-internal.h"

uint64_t ide_sectors(const IdeDevice *d)
{
    return blk_size_bytes(d->blk) / IDE_SECTOR;
}

/* --- addresses --- */

/* CHS as INITIALIZE DEVICE PARAMETERS has it; sectors count from 1. */
static uint64_t chs_to_lba(const IdeDevice *d, const IdeTaskFile *tf)
{
    uint64_t cyl = tf->lba_high[0] << 8 | tf->lba_mid[0], head = tf->device & 0xf;

    return (cyl * d->cur_heads + head) * d->cur_secs + tf->lba_low[0] - 1;
}

/* Where the command wants to be, and how much.  False: it is not on the disk. */
static bool take_address(IdeDevice *d, bool ext)
{
    const IdeTaskFile *tf = &d->tf;
    uint64_t sectors = ide_sectors(d);

    if (ext) {
        d->lba = ide_tf_lba48(tf);
        d->left = tf->count[1] << 8 | tf->count[0];
        d->left = d->left ? d->left : 0x10000;
    } else {
        d->lba = tf->device & ATA_DEV_LBA ? (uint64_t)(tf->device & 0xf) << 24 | (ide_tf_lba48(tf) & 0xffffff) : chs_to_lba(d, tf);
        d->left = tf->count[0] ? tf->count[0] : 0x100;
    }
    return d->lba < sectors && d->left <= sectors - d->lba;
}

static bool on_disk(IdeDevice *d, bool ext, BlockRequestKind kind)
{
    if (take_address(d, ext)) {
        return true;
    }
    blk_account_invalid(d->blk, kind);
    ide_fail(d, ATA_IDNF | ATA_ABRT);
    return false;
}

/* --- PIO --- */

static void pio_sectors_moved(IdeTransfer *t, IdeResult r)
{
    IdeDevice *d = t->dev;
    uint32_t bytes = (uint32_t)t->moved;
    bool was_read = t->kind == IDE_READ;

    ide_transfer_free(t);
    if (r != IDE_DONE) {
        ide_fail(d, ATA_UNC);
        return;
    }
    d->lba += bytes / IDE_SECTOR;
    d->left -= bytes / IDE_SECTOR;
    if (was_read) {
        ide_pio_start(d, IDE_PIO_READ, true, 0, bytes, true);
    } else if (d->left) {
        ide_pio_start(d, IDE_PIO_WRITE, false, 0, MIN(d->left, d->block) * IDE_SECTOR, true);
    } else {
        ide_finish(d, true);
    }
}

static void pio_sectors(IdeDevice *d, IdeTransferKind kind)
{
    IdeTransfer *t = ide_transfer_new(d, kind, pio_sectors_moved);

    t->buf = d->pio;
    t->offset = d->lba * IDE_SECTOR;
    t->left = MIN(d->left, d->block) * IDE_SECTOR;
    t->fua = d->fua;
    ide_transfer_start(t);
}

static void read_pio(IdeDevice *d, bool ext, bool multiple)
{
    if (multiple && !d->multiple) {
        ide_abort(d);
    } else if (on_disk(d, ext, BLOCK_READ)) {
        d->block = multiple ? d->multiple : 1;
        d->fua = false;
        pio_sectors(d, IDE_READ);
    }
}

static void write_pio(IdeDevice *d, bool ext, bool multiple)
{
    if (multiple && !d->multiple) {
        ide_abort(d);
    } else if (on_disk(d, ext, BLOCK_WRITE)) {
        d->block = multiple ? d->multiple : 1;
        d->fua = d->tf.command == ATA_WRITE_MULTIPLE_FUA_EXT;
        ide_pio_start(d, IDE_PIO_WRITE, false, 0, MIN(d->left, d->block) * IDE_SECTOR, false);
    }
}

static void flush_done(IdeTransfer *t, IdeResult r)
{
    IdeDevice *d = t->dev;

    ide_transfer_free(t);
    if (r == IDE_DONE) {
        ide_finish(d, true);
    } else {
        ide_abort(d);
    }
}

/* Ranges of an LBA and a count of sectors each, 64 in a page; a count of 0 is unused (ACS-3, 7.5.3.2). */
static void trim(IdeDevice *d)
{
    IdeTransfer *t = ide_transfer_new(d, IDE_DISCARD, flush_done);
    uint64_t sectors = ide_sectors(d);

    for (unsigned i = 0; i < ARRAY_SIZE(t->ranges); i++) {
        uint64_t entry = ld64_le(d->pio + 8 * i), lba = entry & (BIT_ULL(48) - 1), n = entry >> 48;

        if (n && (lba >= sectors || n > sectors - lba)) {
            blk_account_invalid(d->blk, BLOCK_DISCARD);
            ide_transfer_free(t);
            ide_fail(d, ATA_IDNF | ATA_ABRT);
            return;
        }
        if (n) {
            t->ranges[t->n_ranges].offset = lba * IDE_SECTOR;
            t->ranges[t->n_ranges++].bytes = n * IDE_SECTOR;
        }
    }
    ide_transfer_start(t);
}

void ata_pio_done(IdeDevice *d)
{
    switch (d->pio_phase) {
    case IDE_PIO_READ:
        if (d->left) {
            pio_sectors(d, IDE_READ);
        } else {
            ide_finish(d, false);
        }
        break;
    case IDE_PIO_WRITE:
        pio_sectors(d, IDE_WRITE);
        break;
    default:
        ide_finish(d, false);
    }
}

/* --- DMA --- */

static void move_dma(IdeDevice *d, bool ext, bool write)
{
    if (on_disk(d, ext, write ? BLOCK_WRITE : BLOCK_READ)) {
        d->fua = d->tf.command == ATA_WRITE_DMA_FUA_EXT;
        ide_dma_start(d, write ? IDE_DMA_WRITE : IDE_DMA_READ);
    }
}

static void trim_go(IdeDevice *d)
{
    IdeCursor at = { 0 };
    bool ok = true;
    uint64_t n = ide_copy(d->bus, IDE_NO_TAG, &at, d->pio, IDE_SECTOR, false, &ok);

    d->bus->transport->dma_done(d->bus, d, n, ok && n == IDE_SECTOR);
    if (ok && n == IDE_SECTOR) {
        trim(d);
    } else {
        ide_abort(d);
    }
}

void ata_dma_go(IdeDevice *d)
{
    IdeTransfer *t;

    if (d->dma_phase == IDE_DMA_DSM) {
        trim_go(d);
        return;
    }
    t = ide_transfer_new(d, d->dma_phase == IDE_DMA_WRITE ? IDE_WRITE : IDE_READ, ide_dma_ended);
    t->offset = d->lba * IDE_SECTOR;
    t->left = (uint64_t)d->left * IDE_SECTOR;
    t->fua = d->fua;
    ide_transfer_start(t);
}

/* --- the rest --- */

static void flush(IdeDevice *d)
{
    ide_transfer_start(ide_transfer_new(d, IDE_FLUSH, flush_done));
}

static void dsm(IdeDevice *d)
{
    unsigned pages = d->tf.count[1] << 8 | d->tf.count[0];

    if (d->tf.feature[0] != 1 || pages != 1) {              /* TRIM, and as many pages as word 105 says */
        ide_abort(d);
    } else {
        ide_dma_start(d, IDE_DMA_DSM);
    }
}

static void verify(IdeDevice *d, bool ext)
{
    if (on_disk(d, ext, BLOCK_READ)) {
        ide_finish(d, true);
    }
}

static void set_multiple(IdeDevice *d)
{
    uint8_t n = d->tf.count[0];

    if (n > IDE_MULTIPLE_MAX || (n && !is_power_of_2(n))) {
        d->multiple = 0;
        ide_abort(d);
    } else {
        d->multiple = n;
        ide_finish(d, true);
    }
}

static void init_parameters(IdeDevice *d)
{
    d->cur_heads = (d->tf.device & 0xf) + 1;
    d->cur_secs = d->tf.count[0];
    ide_finish(d, true);
}

/* ACS-3, 7.45.8: PIO 0-4, multiword DMA 0-2, Ultra DMA 0-5. */
static bool set_transfer_mode(IdeDevice *d, uint8_t mode)
{
    unsigned n = mode & 7;

    switch (mode >> 3) {
    case 0:
        return n <= 1;
    case 1:
        return n <= 4;
    case 4:
        d->dma_mode = n <= 2 ? mode : d->dma_mode;
        return n <= 2;
    case 8:
        d->dma_mode = n <= 5 ? mode : d->dma_mode;
        return n <= 5;
    default:
        return false;
    }
}

/* A cache that is switched off is emptied first. */
static void set_write_cache(IdeDevice *d, bool on)
{
    blk_set_enable_write_cache(d->blk, on);
    if (on) {
        ide_finish(d, true);
    } else {
        flush(d);
    }
}

static void set_features(IdeDevice *d)
{
    switch (d->tf.feature[0]) {
    case 0x02:
    case 0x82:
        if (!d->is_cd) {
            set_write_cache(d, d->tf.feature[0] == 0x02);
            return;
        }
        break;
    case 0x03:
        if (set_transfer_mode(d, d->tf.count[0])) {
            ide_finish(d, true);
            return;
        }
        break;
    case 0x55:                          /* look-ahead off, on; keep or forget settings at soft reset: all the same here */
    case 0xaa:
    case 0x66:
    case 0xcc:
        ide_finish(d, true);
        return;
    }
    ide_abort(d);
}

static void identify(IdeDevice *d)
{
    ata_identify(d, d->pio);
    ide_reply(d, IDE_SECTOR);
}

static void diagnostic(IdeDevice *d)
{
    ide_signature(d, &d->tf);
    d->bus->transport->done(d->bus, d, true);       /* "error" 1 means that all is well */
}

/* For both kinds of devices; false: not one of them. */
bool ata_exec_common(IdeDevice *d)
{
    switch (d->tf.command) {
    case ATA_STANDBY_NOW:
    case ATA_IDLE_NOW:
    case ATA_STANDBY:
    case ATA_IDLE:
    case ATA_SLEEP:
        ide_finish(d, true);
        break;
    case ATA_CHECK_POWER:
        d->tf.count[0] = 0xff;          /* active or idle */
        ide_finish(d, true);
        break;
    case ATA_SET_FEATURES:
        set_features(d);
        break;
    case ATA_DIAGNOSTIC:
        diagnostic(d);
        break;
    case ATA_FLUSH:
    case ATA_FLUSH_EXT:
        flush(d);
        break;
    default:
        return false;
    }
    return true;
}

static void exec_read_write(IdeDevice *d)
{
    switch (d->tf.command) {
    case ATA_READ:
    case ATA_READ_NORETRY:
    case ATA_READ_EXT:
        read_pio(d, d->tf.command == ATA_READ_EXT, false);
        break;
    case ATA_READ_MULTIPLE:
    case ATA_READ_MULTIPLE_EXT:
        read_pio(d, d->tf.command == ATA_READ_MULTIPLE_EXT, true);
        break;
    case ATA_WRITE:
    case ATA_WRITE_NORETRY:
    case ATA_WRITE_EXT:
        write_pio(d, d->tf.command == ATA_WRITE_EXT, false);
        break;
    case ATA_WRITE_MULTIPLE:
    case ATA_WRITE_MULTIPLE_EXT:
    case ATA_WRITE_MULTIPLE_FUA_EXT:
        write_pio(d, d->tf.command != ATA_WRITE_MULTIPLE, true);
        break;
    case ATA_READ_DMA:
    case ATA_READ_DMA_NORETRY:
    case ATA_READ_DMA_EXT:
        move_dma(d, d->tf.command == ATA_READ_DMA_EXT, false);
        break;
    case ATA_WRITE_DMA:
    case ATA_WRITE_DMA_NORETRY:
        move_dma(d, false, true);
        break;
    case ATA_WRITE_DMA_EXT:
    case ATA_WRITE_DMA_FUA_EXT:
        move_dma(d, true, true);
        break;
    default:
        ide_abort(d);
    }
}

void ata_exec(IdeDevice *d)
{
    uint8_t command = d->tf.command;

    if (ata_exec_common(d)) {
        return;
    }
    if (command >= 0x10 && command <= 0x1f) {       /* RECALIBRATE */
        ide_finish(d, true);
        return;
    }
    switch (command) {
    case ATA_IDENTIFY:
        identify(d);
        break;
    case ATA_SET_MULTIPLE:
        set_multiple(d);
        break;
    case ATA_INIT_PARAMETERS:
        init_parameters(d);
        break;
    case ATA_VERIFY:
    case ATA_VERIFY_NORETRY:
    case ATA_VERIFY_EXT:
        verify(d, command == ATA_VERIFY_EXT);
        break;
    case ATA_DSM:
        dsm(d);
        break;
    case ATA_READ_LOG_EXT:
        ata_read_log(d);
        break;
    case ATA_SMART:
        ata_smart(d);
        break;
    default:
        exec_read_write(d);
    }
}
