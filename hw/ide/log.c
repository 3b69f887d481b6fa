/*
 * Queued commands, and the pages that tell how a disk fares: logs and SMART (ACS-3, 7.24, 7.48, appendix A; SATA 3.0, 13.6).
 *
 * After a queued command failed none of the others is reported: the host reads log 10h, which says which one it was and
 * ends them all, and sends them again.
 */
#include "ide-internal.h"

#define LOG_DIRECTORY   0x00
#define LOG_SUMMARY     0x01
#define LOG_QUEUE_ERROR 0x10

/* The last byte makes the sum of all zero. */
static void checksum(uint8_t *page)
{
    uint8_t sum = 0;

    for (unsigned i = 0; i < IDE_SECTOR - 1; i++) {
        sum += page[i];
    }
    page[IDE_SECTOR - 1] = (uint8_t)-sum;
}

/* --- queued commands --- */

static void queue_fail(IdeDevice *d, const IdeTaskFile *tf, unsigned tag, uint8_t error)
{
    const uint8_t log[sizeof(d->queue_log)] = {
        (uint8_t)tag, 0, ATA_DRDY | ATA_DSC | ATA_ERR, error, tf->lba_low[0], tf->lba_mid[0], tf->lba_high[0], tf->device,
        tf->lba_low[1], tf->lba_mid[1], tf->lba_high[1], 0, tf->count[0], tf->count[1], 0, 0,
    };

    memcpy(d->queue_log, log, sizeof(log));
    d->queue_failed = true;
    d->tf.status = ATA_DRDY | ATA_DSC | ATA_ERR;
    d->tf.error = error;
    d->bus->transport->queued_done(d->bus, d, tag, false);
}

static void queued_ended(IdeTransfer *t, IdeResult r)
{
    IdeDevice *d = t->dev;
    uint64_t lba = t->offset / IDE_SECTOR;
    const IdeTaskFile tf = {
        .lba_low = { (uint8_t)lba, (uint8_t)(lba >> 24) }, .lba_mid = { (uint8_t)(lba >> 8), (uint8_t)(lba >> 32) },
        .lba_high = { (uint8_t)(lba >> 16), (uint8_t)(lba >> 40) }, .device = ATA_DEV_LBA,
    };
    unsigned tag = t->tag;

    ide_transfer_free(t);
    if (d->queue_failed) {
        return;
    }
    if (r == IDE_DONE) {
        d->tf.status = ATA_DRDY | ATA_DSC;
        d->tf.error = 0;
        d->bus->transport->queued_done(d->bus, d, tag, true);
    } else {
        queue_fail(d, &tf, tag, r == IDE_MEDIUM_ERROR ? ATA_UNC : ATA_ABRT);
    }
}

void ide_exec_queued(IdeDevice *d, const IdeTaskFile *tf, unsigned tag)
{
    uint64_t lba = ide_tf_lba48(tf), sectors = ide_sectors(d), n = tf->feature[1] << 8 | tf->feature[0];
    bool write = tf->command == ATA_WRITE_FPDMA;
    IdeTransfer *t;

    n = n ? n : 0x10000;
    if (d->is_cd || d->queue_failed || (tf->command != ATA_READ_FPDMA && !write) || tf->count[0] >> 3 != tag) {
        queue_fail(d, tf, tag, ATA_ABRT);
        return;
    }
    if (lba >= sectors || n > sectors - lba) {
        blk_account_invalid(d->blk, write ? BLOCK_WRITE : BLOCK_READ);
        queue_fail(d, tf, tag, ATA_IDNF | ATA_ABRT);
        return;
    }
    t = ide_transfer_new(d, write ? IDE_WRITE : IDE_READ, queued_ended);
    t->tag = tag;
    t->offset = lba * IDE_SECTOR;
    t->left = n * IDE_SECTOR;
    t->fua = write && (tf->device & 0x80);
    ide_transfer_start(t);
}

/* --- logs --- */

static bool has_queue(const IdeDevice *d)
{
    return d->bus->transport->queue_depth;
}

void ata_read_log(IdeDevice *d)
{
    unsigned page = d->tf.lba_mid[1] << 8 | d->tf.lba_mid[0], count = d->tf.count[1] << 8 | d->tf.count[0];
    uint8_t log = d->tf.lba_low[0];

    memset(d->pio, 0, IDE_SECTOR);
    if (!has_queue(d) || page || count != 1 || (log != LOG_DIRECTORY && log != LOG_QUEUE_ERROR)) {
        ide_abort(d);
        return;
    }
    if (log == LOG_DIRECTORY) {
        st16_le(d->pio, 1);                             /* version */
        st16_le(d->pio + 2 * LOG_QUEUE_ERROR, 1);       /* pages */
    } else {
        memcpy(d->pio, d->queue_log, sizeof(d->queue_log));
        d->pio[0] |= d->queue_failed ? 0 : 0x80;        /* not a queued command */
        checksum(d->pio);
        ide_transfers_drop(d);
        d->queue_failed = false;
    }
    ide_reply(d, IDE_SECTOR);
}

/* --- SMART --- */

enum { SMART_READ_DATA = 0xd0, SMART_AUTOSAVE = 0xd2, SMART_READ_LOG = 0xd5, SMART_ENABLE = 0xd8, SMART_DISABLE = 0xd9, SMART_STATUS = 0xda };

/* No attributes are kept; what is offered is the summary of errors, of which there are none. */
static void smart_data(IdeDevice *d)
{
    memset(d->pio, 0, IDE_SECTOR);
    st16_le(d->pio, 0x10);
    st16_le(d->pio + 368, 3);           /* saves by itself, and before power goes */
    d->pio[370] = 1;                    /* logs errors */
    checksum(d->pio);
    ide_reply(d, IDE_SECTOR);
}

static void smart_log(IdeDevice *d)
{
    uint8_t log = d->tf.lba_low[0];

    if (log > LOG_SUMMARY || d->tf.count[0] != 1) {
        ide_abort(d);
        return;
    }
    memset(d->pio, 0, IDE_SECTOR);
    st16_le(d->pio, 1);
    if (log == LOG_DIRECTORY) {
        d->pio[2 * LOG_SUMMARY] = 1;
    } else {
        checksum(d->pio);
    }
    ide_reply(d, IDE_SECTOR);
}

void ata_smart(IdeDevice *d)
{
    uint8_t what = d->tf.feature[0];

    if (d->tf.lba_mid[0] != 0x4f || d->tf.lba_high[0] != 0xc2 || (!d->smart && what != SMART_ENABLE)) {
        ide_abort(d);
        return;
    }
    switch (what) {
    case SMART_READ_DATA:
        smart_data(d);
        break;
    case SMART_READ_LOG:
        smart_log(d);
        break;
    case SMART_ENABLE:
    case SMART_DISABLE:
        d->smart = what == SMART_ENABLE;
        ide_finish(d, true);
        break;
    case SMART_AUTOSAVE:                /* whatever is asked for: attributes are never lost */
    case SMART_STATUS:                  /* the signature stays: no threshold is exceeded */
        ide_finish(d, true);
        break;
    default:
        ide_abort(d);
    }
}
