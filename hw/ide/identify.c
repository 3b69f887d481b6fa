/*
 * What disks and packet devices tell of themselves (ACS-3, 7.12 and 7.13).
 */
#include "ide-internal.h"

static void word(uint8_t *page, unsigned n, uint16_t v)
{
    st16_le(page + 2 * n, v);
}

/* Text with its bytes swapped in pairs, filled with spaces. */
static void text(uint8_t *page, unsigned n, unsigned words, const char *s)
{
    size_t len = s ? strlen(s) : 0;

    for (unsigned i = 0; i < 2 * words; i++) {
        page[2 * n + (i ^ 1)] = i < len ? (uint8_t)s[i] : ' ';
    }
}

/* The last word: a checksum over the rest. */
static void seal(uint8_t *page)
{
    uint8_t sum = 0;

    page[510] = 0xa5;
    for (unsigned i = 0; i < 511; i++) {
        sum += page[i];
    }
    page[511] = (uint8_t)-sum;
}

/* Bits 8..10 of word 63, 8..14 of word 88: the mode that is chosen. */
static void dma_modes(const IdeDevice *d, uint8_t *page)
{
    unsigned n = d->dma_mode & 7;

    word(page, 62 + 1, (uint16_t)(0x0007 | (d->dma_mode >> 3 == 4 ? 0x100 << n : 0)));
    word(page, 88, (uint16_t)(0x003f | (d->dma_mode >> 3 == 8 ? 0x100 << n : 0)));
    word(page, 64, 0x0003);             /* PIO 3 and 4 */
    for (unsigned i = 65; i <= 68; i++) {
        word(page, i, 120);             /* ns */
    }
}

static void sata(const IdeDevice *d, uint8_t *page)
{
    const IdeTransport *t = d->bus->transport;

    if (!t->is_sata) {
        word(page, 93, 0x6001 | (d->unit ? 0x0200 : 0));    /* 80 wires, and how the unit was found */
        return;
    }
    if (t->queue_depth && !d->is_cd) {
        word(page, 75, (uint16_t)(t->queue_depth - 1));
    }
    word(page, 76, (uint16_t)(0x0006 | (t->queue_depth && !d->is_cd ? 0x0100 : 0)));   /* 1.5 and 3 Gb/s */
    word(page, 222, 0x1010);            /* serial, ATA8-AST */
}

static void names(const IdeDevice *d, uint8_t *page)
{
    text(page, 10, 10, d->serial);
    text(page, 23, 4, d->version);
    text(page, 27, 20, d->model);
}

static void geometry(const IdeDevice *d, uint8_t *page)
{
    uint32_t cyls = d->cur_heads && d->cur_secs ? (uint32_t)MIN(ide_sectors(d) / (d->cur_heads * d->cur_secs), 65535u) : 0;
    uint32_t capacity = cyls * d->cur_heads * d->cur_secs;

    word(page, 1, (uint16_t)d->cyls);
    word(page, 3, (uint16_t)d->heads);
    word(page, 6, (uint16_t)d->secs);
    word(page, 54, (uint16_t)cyls);
    word(page, 55, d->cur_heads);
    word(page, 56, d->cur_secs);
    word(page, 57, (uint16_t)capacity);
    word(page, 58, (uint16_t)(capacity >> 16));
}

static void capacity(const IdeDevice *d, uint8_t *page)
{
    uint64_t n = ide_sectors(d);
    uint32_t n28 = (uint32_t)MIN(n, BIT_ULL(28) - 1);

    word(page, 60, (uint16_t)n28);
    word(page, 61, (uint16_t)(n28 >> 16));
    st64_le(page + 200, n);
    if (d->physical_block_size > IDE_SECTOR) {
        word(page, 106, (uint16_t)(0x6000 | __builtin_ctz(d->physical_block_size / IDE_SECTOR)));
    }
}

/* Words 82..87: what there is, and what of it is on. */
static void features(const IdeDevice *d, uint8_t *page)
{
    uint16_t logs = d->bus->transport->queue_depth ? 0x0020 : 0, wwn = d->wwn ? 0x0100 : 0;
    uint16_t cache = blk_enable_write_cache(d->blk) ? 0x0020 : 0;

    word(page, 82, 0x0021);             /* SMART, write cache */
    word(page, 83, 0x7400);             /* 48 bits, FLUSH CACHE (EXT) */
    word(page, 84, (uint16_t)(0x4041 | logs | wwn));        /* error log, FUA */
    word(page, 85, (uint16_t)(d->smart | cache));
    word(page, 86, 0x3400);
    word(page, 87, (uint16_t)(0x4041 | logs | wwn));
}

static void world_wide_name(const IdeDevice *d, uint8_t *page)
{
    for (unsigned i = 0; d->wwn && i < 4; i++) {
        word(page, 108 + i, (uint16_t)(d->wwn >> (48 - 16 * i)));
    }
}

void ata_identify(const IdeDevice *d, uint8_t *page)
{
    memset(page, 0, IDE_SECTOR);
    word(page, 0, 0x0040);
    geometry(d, page);
    names(d, page);
    word(page, 47, 0x8000 | IDE_MULTIPLE_MAX);
    word(page, 48, 0x4000);
    word(page, 49, 0x0f00);             /* DMA, LBA, IORDY */
    word(page, 50, 0x4000);
    word(page, 53, 0x0007);
    word(page, 59, d->multiple ? 0x0100 | d->multiple : 0);
    dma_modes(d, page);
    sata(d, page);
    word(page, 69, 0x4000);             /* reads after TRIM are deterministic */
    word(page, 80, 0x07f0);             /* ATA/ATAPI-4 to ACS-3 */
    features(d, page);
    capacity(d, page);
    word(page, 105, 1);                 /* pages of one TRIM */
    world_wide_name(d, page);
    word(page, 119, 0x4000);
    word(page, 120, 0x4000);
    word(page, 169, 0x0001);            /* TRIM */
    word(page, 217, d->rotation_rate);
    seal(page);
}

void atapi_identify(const IdeDevice *d, uint8_t *page)
{
    memset(page, 0, IDE_SECTOR);
    word(page, 0, 0x85c0);              /* packet device, CD, removable, DRQ within 50 us, 12 bytes */
    names(d, page);
    word(page, 48, 0x4000);
    word(page, 49, 0x0f00);
    word(page, 50, 0x4000);
    word(page, 53, 0x0006);
    dma_modes(d, page);
    sata(d, page);
    word(page, 80, 0x07f0);
    word(page, 82, 0x4210);             /* NOP, DEVICE RESET, PACKET */
    word(page, 83, 0x4000);
    word(page, 84, (uint16_t)(0x4000 | (d->wwn ? 0x0100 : 0)));
    word(page, 85, 0x4210);
    word(page, 87, (uint16_t)(0x4000 | (d->wwn ? 0x0100 : 0)));
    world_wide_name(d, page);
    seal(page);
}
