/*
 * Packet commands that tell of the drive and its medium (MMC-5, chapter 6; SPC-3).
 *
 * The medium is one session with one data track: a CD-ROM up to 900 MB, a DVD-ROM beyond.
 */
#include "ide-internal.h"

enum {
    CMD_INQUIRY = 0x12, CMD_MODE_SENSE_6 = 0x1a, CMD_READ_CAPACITY = 0x25, CMD_READ_SUBCHANNEL = 0x42, CMD_READ_TOC = 0x43,
    CMD_GET_CONFIGURATION = 0x46, CMD_GET_EVENT = 0x4a, CMD_READ_DISC_INFO = 0x51, CMD_READ_TRACK_INFO = 0x52,
    CMD_MODE_SENSE = 0x5a, CMD_READ_DVD_STRUCTURE = 0xad, CMD_MECHANISM_STATUS = 0xbd,
};
enum { PROFILE_NONE = 0, PROFILE_CD_ROM = 0x08, PROFILE_DVD_ROM = 0x10 };

#define CD_SECTORS_MAX (80 * 60 * 75)           /* 80 minutes */
#define LEAD_IN        150                      /* sectors before LBA 0, in minutes, seconds and frames */

static uint16_t profile(const IdeDevice *d)
{
    return !blk_is_available(d->blk) ? PROFILE_NONE : cd_sectors(d) > CD_SECTORS_MAX ? PROFILE_DVD_ROM : PROFILE_CD_ROM;
}

static void invalid_field(IdeDevice *d)
{
    atapi_fail(d, SENSE_ILLEGAL, ASC_INVALID_FIELD);
}

/* --- INQUIRY (SPC-3, 6.4) --- */

static void padded(uint8_t *at, const char *s, size_t n)
{
    size_t len = strlen(s);

    memset(at, ' ', n);
    memcpy(at, s, MIN(len, n));
}

static void inquiry(IdeDevice *d, const uint8_t *p)
{
    uint8_t *r = d->pio;

    memset(r, 0, 36);
    if (p[1] & 1 || p[2]) {                     /* no vital product data */
        invalid_field(d);
        return;
    }
    r[0] = 5;                                   /* CD/DVD */
    r[1] = 0x80;                                /* removable */
    r[3] = 0x21;                                /* ATAPI, format of this answer */
    r[4] = 31;
    padded(r + 8, "QUERN", 8);
    padded(r + 16, d->model, 16);
    padded(r + 32, d->version, 4);
    atapi_reply(d, 36, p[4]);
}

/* --- the medium --- */

static void read_capacity(IdeDevice *d)
{
    if (atapi_check_medium(d)) {
        st32_be(d->pio, cd_sectors(d) ? cd_sectors(d) - 1 : 0);
        st32_be(d->pio + 4, CD_SECTOR);
        atapi_reply(d, 8, 8);
    }
}

/* An address in the form that was asked for. */
static void put_address(uint8_t *at, uint32_t lba, bool msf)
{
    uint32_t frames = lba + LEAD_IN;

    if (msf) {
        at[0] = 0;
        at[1] = (uint8_t)MIN(frames / 75 / 60, 255u);
        at[2] = (uint8_t)(frames / 75 % 60);
        at[3] = (uint8_t)(frames % 75);
    } else {
        st32_be(at, lba);
    }
}

static uint8_t *toc_entry(uint8_t *at, uint8_t track, uint32_t lba, bool msf)
{
    at[0] = 0;
    at[1] = 0x14;                               /* data, recorded uninterrupted */
    at[2] = track;
    at[3] = 0;
    put_address(at + 4, lba, msf);
    return at + 8;
}

static uint32_t toc_tracks(IdeDevice *d, bool msf, uint8_t from)
{
    uint8_t *at = d->pio + 4;

    d->pio[2] = d->pio[3] = 1;
    if (from <= 1) {
        at = toc_entry(at, 1, 0, msf);
    }
    return (uint32_t)(toc_entry(at, 0xaa, cd_sectors(d), msf) - d->pio);
}

static uint32_t toc_sessions(IdeDevice *d, bool msf)
{
    d->pio[2] = d->pio[3] = 1;
    return (uint32_t)(toc_entry(d->pio + 4, 1, 0, msf) - d->pio);
}

/* MMC-5, table 497: points A0, A1, A2 and the track, always in minutes, seconds, frames. */
static uint32_t toc_raw(IdeDevice *d)
{
    uint32_t n = cd_sectors(d) + LEAD_IN;
    const uint8_t rows[4][11] = {
        { 1, 0x14, 0, 0xa0, 0, 0, 0, 0, 1, 0, 0 },
        { 1, 0x14, 0, 0xa1, 0, 0, 0, 0, 1, 0, 0 },
        { 1, 0x14, 0, 0xa2, 0, 0, 0, 0, (uint8_t)MIN(n / 75 / 60, 255u), (uint8_t)(n / 75 % 60), (uint8_t)(n % 75) },
        { 1, 0x14, 0, 1, 0, 0, 0, 0, 0, 2, 0 },
    };

    d->pio[2] = d->pio[3] = 1;
    memcpy(d->pio + 4, rows, sizeof(rows));
    return 4 + sizeof(rows);
}

static void read_toc(IdeDevice *d, const uint8_t *p)
{
    uint8_t format = p[2] & 0xf ? p[2] & 0xf : p[9] >> 6, from = p[6];
    bool msf = p[1] & 2;
    uint32_t len;

    if (!atapi_check_medium(d)) {
        return;
    }
    if (format > 2 || (format == 0 && from > 1 && from != 0xaa)) {
        invalid_field(d);
        return;
    }
    len = format == 0 ? toc_tracks(d, msf, from) : format == 1 ? toc_sessions(d, msf) : toc_raw(d);
    st16_be(d->pio, (uint16_t)(len - 2));
    atapi_reply(d, len, ld16_be(p + 7));
}

/* A finished disc of one session (6.22.3). */
static void read_disc_info(IdeDevice *d, const uint8_t *p)
{
    uint8_t *r = d->pio;

    if (!atapi_check_medium(d)) {
        return;
    }
    if (p[1] & 7) {
        invalid_field(d);
        return;
    }
    memset(r, 0, 34);
    st16_be(r, 32);
    r[2] = 0x0e;                                /* complete, last session complete */
    r[3] = r[4] = r[5] = r[6] = 1;              /* first track, sessions, first and last track of the last one */
    r[7] = 0x20;                                /* unrestricted use */
    st32_be(r + 16, UINT32_MAX);                /* no next session */
    st32_be(r + 20, UINT32_MAX);
    atapi_reply(d, 34, ld16_be(p + 7));
}

static void read_track_info(IdeDevice *d, const uint8_t *p)
{
    uint8_t *r = d->pio;

    if (!atapi_check_medium(d)) {
        return;
    }
    if ((p[1] & 3) == 1 ? ld32_be(p + 2) != 1 : (p[1] & 3) == 0 && ld32_be(p + 2) >= cd_sectors(d)) {
        invalid_field(d);
        return;
    }
    memset(r, 0, 36);
    st16_be(r, 34);
    r[2] = r[3] = 1;                            /* track, session */
    r[5] = 0x04;                                /* data */
    r[6] = 0x01;                                /* of the kind that READ reads */
    st32_be(r + 24, cd_sectors(d));
    atapi_reply(d, 36, ld16_be(p + 7));
}

static void read_subchannel(IdeDevice *d, const uint8_t *p)
{
    if (!atapi_check_medium(d)) {
        return;
    }
    memset(d->pio, 0, 16);
    d->pio[1] = 0x15;                           /* nothing is played */
    if (!(p[2] & 0x40)) {
        atapi_reply(d, 4, ld16_be(p + 7));
    } else if (p[3] == 1) {
        st16_be(d->pio + 2, 12);
        d->pio[4] = 1;
        d->pio[5] = 0x14;
        d->pio[6] = d->pio[7] = 1;
        put_address(d->pio + 8, 0, p[1] & 2);
        put_address(d->pio + 12, 0, p[1] & 2);
        atapi_reply(d, 16, ld16_be(p + 7));
    } else {
        invalid_field(d);
    }
}

/* Physical format of a DVD-ROM: one layer, from 30000h (6.23.3.2). */
static void read_dvd_structure(IdeDevice *d, const uint8_t *p)
{
    uint8_t *r = d->pio;

    if (!atapi_check_medium(d)) {
        return;
    }
    if (profile(d) != PROFILE_DVD_ROM || p[7] != 0 || p[6] != 0 || p[1] & 0xf) {
        invalid_field(d);
        return;
    }
    memset(r, 0, 4 + 2048);
    st16_be(r, 2 + 2048);
    r[4] = 0x01;                                /* DVD-ROM, version 1 */
    r[5] = 0x0f;                                /* 120 mm, no maximum rate */
    r[6] = 0x01;                                /* one embossed layer */
    st32_be(r + 8, 0x30000);
    st32_be(r + 12, 0x30000 + cd_sectors(d) - 1);
    atapi_reply(d, 4 + 2048, ld16_be(p + 8));
}

/* --- the drive --- */

static void mechanism_status(IdeDevice *d, const uint8_t *p)
{
    memset(d->pio, 0, 8);
    d->pio[1] = d->cd.tray_open ? 0x10 : 0;     /* door open */
    atapi_reply(d, 8, ld16_be(p + 8));
}

/* MMC-5, 6.6: only the media class is known; when nothing happened, the state is told. */
static void get_event(IdeDevice *d, const uint8_t *p)
{
    enum { CLASS_MEDIA = 4, EVENT_NONE = 0, EVENT_EJECT = 1, EVENT_NEW = 2 };
    uint8_t *r = d->pio;

    if (!(p[1] & 1)) {                          /* asynchronous operation is not there */
        invalid_field(d);
        return;
    }
    memset(r, 0, 8);
    r[3] = 1 << CLASS_MEDIA;
    if (!(p[4] & 1 << CLASS_MEDIA)) {
        st16_be(r, 2);
        r[2] = 0x80;                            /* none of the classes asked for */
        atapi_reply(d, 4, ld16_be(p + 7));
        return;
    }
    st16_be(r, 6);
    r[2] = CLASS_MEDIA;
    r[4] = d->cd.event_new ? EVENT_NEW : d->cd.event_eject ? EVENT_EJECT : EVENT_NONE;
    r[5] = (uint8_t)((d->cd.tray_open ? 1 : 0) | (blk_is_available(d->blk) ? 2 : 0));
    if (ld16_be(p + 7) > 4) {                   /* told is told */
        if (d->cd.event_new) {
            d->cd.event_new = false;
        } else {
            d->cd.event_eject = false;
        }
    }
    atapi_reply(d, 8, ld16_be(p + 7));
}

static uint8_t *feature(uint8_t *at, uint16_t code, uint8_t flags, uint8_t len)
{
    st16_be(at, code);
    at[2] = flags;                              /* version << 2 | persistent << 1 | current */
    at[3] = len;
    memset(at + 4, 0, len);
    return at + 4 + len;
}

/* MMC-5, 5.3 and 6.5. */
static void get_configuration(IdeDevice *d, const uint8_t *p)
{
    uint16_t now = profile(d), from = ld16_be(p + 2), rt = p[1] & 3;
    const struct { uint16_t code; uint8_t flags, len; } features[] = {
        { 0x0000, 0x03, 8 }, { 0x0001, 0x0b, 8 }, { 0x0002, 0x07, 4 }, { 0x0003, 0x03, 4 },
        { 0x0010, now ? 0x01 : 0, 8 }, { 0x001e, now == PROFILE_CD_ROM ? 0x09 : 0x08, 4 }, { 0x001f, now == PROFILE_DVD_ROM ? 0x01 : 0, 4 },
    };
    uint8_t *at = d->pio + 8;

    if (rt == 3) {
        invalid_field(d);
        return;
    }
    memset(d->pio, 0, 8);
    st16_be(d->pio + 6, now);
    for (unsigned i = 0; i < ARRAY_SIZE(features); i++) {
        uint8_t *body = at + 4;

        if (rt == 2 ? features[i].code != from : features[i].code < from || (rt == 1 && !(features[i].flags & 1))) {
            continue;
        }
        at = feature(at, features[i].code, features[i].flags, features[i].len);
        switch (features[i].code) {
        case 0x0000:                            /* profiles: DVD-ROM, CD-ROM */
            st16_be(body, PROFILE_DVD_ROM);
            body[2] = now == PROFILE_DVD_ROM;
            st16_be(body + 4, PROFILE_CD_ROM);
            body[6] = now == PROFILE_CD_ROM;
            break;
        case 0x0001:                            /* core: ATAPI */
            st32_be(body, 2);
            body[4] = 1;
            break;
        case 0x0003:                            /* tray, ejects, locks */
            body[0] = 0x29;
            break;
        case 0x0010:                            /* random readable: blocks of 2048 */
            st32_be(body, CD_SECTOR);
            st16_be(body + 4, 1);
            break;
        }
    }
    st32_be(d->pio, (uint32_t)(at - d->pio - 4));
    atapi_reply(d, (uint32_t)(at - d->pio), ld16_be(p + 7));
}

/* --- MODE SENSE: error recovery, CD, capabilities (SFF-8020, 10.8.6; MMC-5, 7) --- */

static const uint8_t page_error[] = { 0x01, 6, 0, 5, 0, 0, 0, 0 };
static const uint8_t page_power[] = { 0x1a, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
static const uint8_t page_capabilities[] = {
    0x2a, 18, 0x3b, 0x00, 0x71, 0x60, 0x29, 0x00,       /* reads CD-R/RW, DVD-ROM; tray, ejects, locks */
    0x02, 0xc2, 0, 2, 0x02, 0x00, 0x02, 0xc2, 0, 0, 0, 0,   /* 4x, 512 KiB of buffer */
};

static uint8_t *mode_page(uint8_t *at, const uint8_t *page, size_t len, uint8_t control)
{
    memcpy(at, page, len);
    if (control == 1) {                         /* nothing can be changed */
        memset(at + 2, 0, len - 2);
    }
    return at + len;
}

static void mode_sense(IdeDevice *d, const uint8_t *p)
{
    static const struct { const uint8_t *page; size_t len; } pages[] = {
        { page_error, sizeof(page_error) }, { page_power, sizeof(page_power) }, { page_capabilities, sizeof(page_capabilities) },
    };
    bool six = p[0] == CMD_MODE_SENSE_6;
    uint8_t control = p[2] >> 6, code = p[2] & 0x3f, header = six ? 4 : 8, *at = d->pio + header;

    if (control == 3) {
        atapi_fail(d, SENSE_ILLEGAL, ASC_SAVING_UNSUPPORTED);
        return;
    }
    memset(d->pio, 0, header);
    for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
        if (code == 0x3f || code == pages[i].page[0]) {
            uint8_t *page = at;

            at = mode_page(at, pages[i].page, pages[i].len, control);
            if (page[0] == 0x2a && control != 1) {
                page[6] |= d->cd.tray_locked ? 2 : 0;
            }
        }
    }
    if (at == d->pio + header) {
        invalid_field(d);
        return;
    }
    if (six) {
        d->pio[0] = (uint8_t)(at - d->pio - 1);
        d->pio[1] = blk_is_available(d->blk) ? 0x01 : 0x70;
    } else {
        st16_be(d->pio, (uint16_t)(at - d->pio - 2));
        d->pio[2] = blk_is_available(d->blk) ? 0x01 : 0x70;     /* data disc; no disc */
    }
    atapi_reply(d, (uint32_t)(at - d->pio), six ? p[4] : ld16_be(p + 7));
}

/* --- which is which --- */

bool atapi_info_command(IdeDevice *d, const uint8_t *p)
{
    switch (p[0]) {
    case CMD_INQUIRY:
        inquiry(d, p);
        break;
    case CMD_READ_CAPACITY:
        read_capacity(d);
        break;
    case CMD_READ_TOC:
        read_toc(d, p);
        break;
    case CMD_READ_SUBCHANNEL:
        read_subchannel(d, p);
        break;
    case CMD_GET_CONFIGURATION:
        get_configuration(d, p);
        break;
    case CMD_GET_EVENT:
        get_event(d, p);
        break;
    case CMD_READ_DISC_INFO:
        read_disc_info(d, p);
        break;
    case CMD_READ_TRACK_INFO:
        read_track_info(d, p);
        break;
    case CMD_READ_DVD_STRUCTURE:
        read_dvd_structure(d, p);
        break;
    case CMD_MODE_SENSE_6:
    case CMD_MODE_SENSE:
        mode_sense(d, p);
        break;
    case CMD_MECHANISM_STATUS:
        mechanism_status(d, p);
        break;
    default:
        return false;
    }
    return true;
}
