/*
 * Packet devices: the course of a packet command, reading, the tray (MMC-5; ACS-3, 4.3 and 7.18).
 *
 * What the host wants as PIO comes in pieces no larger than the byte count it gave (registers LBA mid and high).
 *
 * Sense: a command that fails leaves a key and a code, which REQUEST SENSE takes.  A new medium is told by the next
 * commands' failing: first there is none (2), then the drive became ready (1).
 */
#include "ide-internal.h"

enum {
    CMD_TEST_UNIT_READY = 0x00, CMD_REQUEST_SENSE = 0x03, CMD_INQUIRY = 0x12, CMD_START_STOP = 0x1b, CMD_PREVENT = 0x1e,
    CMD_READ_10 = 0x28, CMD_SEEK_10 = 0x2b, CMD_GET_CONFIGURATION = 0x46, CMD_GET_EVENT = 0x4a, CMD_READ_12 = 0xa8,
    CMD_SET_SPEED = 0xbb, CMD_READ_CD = 0xbe,
};

uint32_t cd_sectors(const IdeDevice *d)
{
    return (uint32_t)MIN(blk_size_bytes(d->blk) / CD_SECTOR, (uint64_t)UINT32_MAX);
}

/* --- the end of a packet --- */

static void set_reason(IdeDevice *d, uint8_t reason)
{
    d->tf.count[0] = reason;
}

void atapi_no_data(IdeDevice *d)
{
    set_reason(d, ATAPI_IO | ATAPI_CD);
    ide_finish(d, true);
}

void atapi_fail(IdeDevice *d, uint8_t key, uint8_t asc)
{
    d->cd.sense_key = key;
    d->cd.asc = asc;
    d->cd.ascq = asc == ASC_REMOVAL_PREVENTED ? 2 : 0;
    set_reason(d, ATAPI_IO | ATAPI_CD);
    ide_fail(d, (uint8_t)(key << 4 | ATA_ABRT));
}

/* --- answers --- */

/* One piece of the answer as PIO. */
static void reply_piece(IdeDevice *d)
{
    AtapiState *cd = &d->cd;
    uint32_t limit = (uint32_t)(d->tf.lba_high[1] << 8 | d->tf.lba_mid[1]), n = cd->reply_len - cd->reply_pos;

    n = MIN(n, limit);
    set_reason(d, ATAPI_IO);
    d->tf.lba_mid[0] = (uint8_t)n;
    d->tf.lba_high[0] = (uint8_t)(n >> 8);
    ide_pio_start(d, IDE_PIO_PACKET_REPLY, true, cd->reply_pos, n, true);
}

static void reply(IdeDevice *d, uint32_t len)
{
    d->cd.reply_pos = 0;
    d->cd.reply_len = len;
    if (d->cd.dma) {
        ide_dma_start(d, IDE_DMA_REPLY);
    } else {
        reply_piece(d);
    }
}

void atapi_reply(IdeDevice *d, uint32_t len, uint32_t max)
{
    d->cd.left = 0;
    if (MIN(len, max)) {
        reply(d, MIN(len, max));
    } else {
        atapi_no_data(d);
    }
}

/* --- reading --- */

static void pio_read_done(IdeTransfer *t, IdeResult r)
{
    IdeDevice *d = t->dev;
    uint32_t bytes = (uint32_t)t->moved;

    ide_transfer_free(t);
    if (r != IDE_DONE) {
        atapi_fail(d, SENSE_MEDIUM_ERROR, ASC_READ_ERROR);
        return;
    }
    d->cd.lba += bytes / CD_SECTOR;
    d->cd.left -= bytes / CD_SECTOR;
    reply(d, bytes);
}

static void read_more(IdeDevice *d)
{
    IdeTransfer *t = ide_transfer_new(d, IDE_READ, d->cd.dma ? ide_dma_ended : pio_read_done);

    t->offset = d->cd.lba * CD_SECTOR;
    t->left = d->cd.left * CD_SECTOR;
    if (!d->cd.dma) {
        t->buf = d->pio;
        t->left = MIN(t->left, IDE_PIO_BYTES);
    }
    ide_transfer_start(t);
}

static void read_sectors(IdeDevice *d, uint32_t lba, uint32_t n)
{
    if (lba > cd_sectors(d) || n > cd_sectors(d) - lba) {
        blk_account_invalid(d->blk, BLOCK_READ);
        atapi_fail(d, SENSE_ILLEGAL, ASC_LBA_RANGE);
        return;
    }
    d->cd.lba = lba;
    d->cd.left = n;
    if (!n) {
        atapi_no_data(d);
    } else if (d->cd.dma) {
        set_reason(d, ATAPI_IO | ATAPI_CD);
        ide_dma_start(d, IDE_DMA_CD);
    } else {
        read_more(d);
    }
}

/* MMC-5, 6.19: only the 2048 bytes of user data can be had. */
static void read_cd(IdeDevice *d, const uint8_t *packet)
{
    uint32_t n = (uint32_t)packet[6] << 16 | packet[7] << 8 | packet[8];

    if (packet[9] == 0 || n == 0) {
        atapi_no_data(d);
    } else if ((packet[9] & 0xf8) != 0x10) {
        atapi_fail(d, SENSE_ILLEGAL, ASC_INVALID_FIELD);
    } else {
        read_sectors(d, ld32_be(packet + 2), n);
    }
}

void atapi_dma_go(IdeDevice *d)
{
    IdeCursor at = { 0 };
    bool ok = true;
    uint64_t n;

    if (d->dma_phase == IDE_DMA_CD) {
        read_more(d);
        return;
    }
    n = ide_copy(d->bus, IDE_NO_TAG, &at, d->pio, d->cd.reply_len, true, &ok);
    d->bus->transport->dma_done(d->bus, d, n, ok && n == d->cd.reply_len);
    if (ok && n == d->cd.reply_len) {
        atapi_no_data(d);
    } else {
        atapi_fail(d, SENSE_ABORTED, 0);
    }
}

/* --- the tray --- */

static void prevent(IdeDevice *d, const uint8_t *packet)
{
    d->cd.tray_locked = packet[4] & 1;
    atapi_no_data(d);
}

static void start_stop(IdeDevice *d, const uint8_t *packet)
{
    bool start = packet[4] & 1, load_eject = packet[4] & 2;

    if (packet[4] & 0xf0 || !load_eject) {          /* power conditions; spinning up and down */
        atapi_no_data(d);
        return;
    }
    if (!start && !d->cd.tray_open && d->cd.tray_locked) {
        atapi_fail(d, blk_is_inserted(d->blk) ? SENSE_NOT_READY : SENSE_ILLEGAL, ASC_REMOVAL_PREVENTED);
        return;
    }
    if (d->cd.tray_open == start) {
        d->cd.tray_open = !start;
        if (start) {
            ide_cd_ops.change_media(d, true);
        }
        blk_tray_moved(d->blk, !start);
    }
    atapi_no_data(d);
}

/* The next commands tell the guest. */
static void change_media(void *opaque, bool load)
{
    IdeDevice *d = opaque;

    d->cd.tray_open = !load;
    d->cd.changed = load ? 2 : 0;
    d->cd.event_new = load && blk_is_inserted(d->blk);
    d->cd.event_eject = false;
}

static void eject_request(void *opaque, bool force)
{
    IdeDevice *d = opaque;

    d->cd.event_eject = true;
    if (force) {
        d->cd.tray_locked = false;
    }
}

static bool tray_is_open(void *opaque)
{
    return ((IdeDevice *)opaque)->cd.tray_open;
}

static bool is_locked(void *opaque)
{
    return ((IdeDevice *)opaque)->cd.tray_locked;
}

const BlockDeviceOps ide_cd_ops = {
    .change_media = change_media, .eject_request = eject_request, .is_tray_open = tray_is_open, .is_medium_locked = is_locked,
};

/* --- commands --- */

static void request_sense(IdeDevice *d, const uint8_t *packet)
{
    AtapiState *cd = &d->cd;

    memset(d->pio, 0, 18);
    d->pio[0] = 0x70;
    d->pio[2] = cd->sense_key;
    d->pio[7] = 10;
    d->pio[12] = cd->asc;
    d->pio[13] = cd->ascq;
    cd->sense_key = cd->asc = cd->ascq = 0;
    atapi_reply(d, 18, packet[4]);
}

/* What commands do that need no medium and fail for nothing that happened to it (MMC-5, 4.1.6.1). */
static bool is_always_answered(uint8_t op)
{
    return op == CMD_INQUIRY || op == CMD_REQUEST_SENSE || op == CMD_GET_CONFIGURATION || op == CMD_GET_EVENT;
}

/* Nothing has happened to the medium since the last command?  Else the command fails. */
static bool check_changed(IdeDevice *d)
{
    if (d->cd.changed == 2 && blk_is_available(d->blk)) {
        d->cd.changed = 1;
        atapi_fail(d, SENSE_NOT_READY, ASC_NO_MEDIUM);
        return false;
    }
    if (d->cd.changed == 1 && blk_is_available(d->blk)) {
        d->cd.changed = 0;
        atapi_fail(d, SENSE_ATTENTION, ASC_MEDIUM_CHANGED);
        return false;
    }
    return true;
}

static bool needs_medium(uint8_t op)
{
    return op == CMD_TEST_UNIT_READY || op == CMD_READ_10 || op == CMD_READ_12 || op == CMD_READ_CD || op == CMD_SEEK_10;
}

bool atapi_check_medium(IdeDevice *d)
{
    if (!blk_is_available(d->blk)) {
        atapi_fail(d, SENSE_NOT_READY, ASC_NO_MEDIUM);
        return false;
    }
    return true;
}

static void exec_packet(IdeDevice *d, const uint8_t *packet)
{
    if (!is_always_answered(packet[0]) && !check_changed(d)) {
        return;
    }
    if (needs_medium(packet[0]) && !atapi_check_medium(d)) {
        return;
    }
    switch (packet[0]) {
    case CMD_TEST_UNIT_READY:
    case CMD_SEEK_10:
    case CMD_SET_SPEED:
        atapi_no_data(d);
        break;
    case CMD_REQUEST_SENSE:
        request_sense(d, packet);
        break;
    case CMD_START_STOP:
        start_stop(d, packet);
        break;
    case CMD_PREVENT:
        prevent(d, packet);
        break;
    case CMD_READ_10:
        read_sectors(d, ld32_be(packet + 2), ld16_be(packet + 7));
        break;
    case CMD_READ_12:
        read_sectors(d, ld32_be(packet + 2), ld32_be(packet + 6));
        break;
    case CMD_READ_CD:
        read_cd(d, packet);
        break;
    default:
        if (!atapi_info_command(d, packet)) {
            atapi_fail(d, SENSE_ILLEGAL, ASC_ILLEGAL_OPCODE);
        }
    }
}

void atapi_pio_done(IdeDevice *d)
{
    AtapiState *cd = &d->cd;

    if (d->pio_phase == IDE_PIO_PACKET) {
        uint8_t packet[12];

        memcpy(packet, d->pio, sizeof(packet));
        exec_packet(d, packet);
        return;
    }
    cd->reply_pos = d->pio_end;
    if (cd->reply_pos < cd->reply_len) {
        reply_piece(d);
    } else if (cd->left) {
        read_more(d);
    } else {
        atapi_no_data(d);
    }
}

/* The byte count limit is kept: the registers show how much comes then.  0 counts as the most there can be (SFF-8020, 5.3). */
static void start_packet(IdeDevice *d)
{
    IdeTaskFile *tf = &d->tf;
    uint16_t limit = (uint16_t)(tf->lba_high[0] << 8 | tf->lba_mid[0]);
    uint8_t packet[16];

    if (tf->feature[0] & 2) {           /* overlapped */
        ide_abort(d);
        return;
    }
    limit = limit == 0 || limit == 0xffff ? 0xfffe : limit == 1 ? 2 : limit & 0xfffe;
    tf->lba_mid[1] = (uint8_t)limit;
    tf->lba_high[1] = (uint8_t)(limit >> 8);
    d->cd.dma = tf->feature[0] & 1;
    d->cd.left = 0;
    if (d->bus->transport->packet && d->bus->transport->packet(d->bus, packet)) {
        exec_packet(d, packet);
        return;
    }
    set_reason(d, ATAPI_CD);
    ide_pio_start(d, IDE_PIO_PACKET, false, 0, 12, false);
}

void atapi_exec(IdeDevice *d)
{
    if (ata_exec_common(d)) {
        return;
    }
    switch (d->tf.command) {
    case ATA_PACKET:
        start_packet(d);
        break;
    case ATA_IDENTIFY_PACKET:
        atapi_identify(d, d->pio);
        ide_reply(d, IDE_SECTOR);
        break;
    case ATA_DEVICE_RESET:
        ide_soft_reset(d);              /* there is no interrupt (ACS-3, 7.6) */
        d->bus->transport->done(d->bus, d, false);
        break;
    case ATA_IDENTIFY:
    case ATA_READ:
        ide_signature(d, &d->tf);       /* the host learns that this is no disk (ACS-3, 7.12.6) */
        ide_abort(d);
        break;
    default:
        ide_abort(d);
    }
}
