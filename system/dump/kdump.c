/*
 * A dump as makedumpfile writes it: header, sub-header with the notes, two page bitmaps, page
 * descriptors, pages.  Layouts: makedumpfile's diskdump_mod.h and IMPLEMENTATION; crash's diskdump.
 *
 *   block 0                    DiskDumpHeader
 *   block 1 ..                 KdumpSubHeader, notes
 *   then                       bitmap of pages that exist, bitmap of pages in the dump (the same)
 *   then                       one PageDesc for each such page, ascending
 *   then                       page data, compressed where that is shorter
 */
#include "dump-internal.h"

#include <zlib.h>

#define BLOCK               4096u
#define PAGE                4096u
#define HEADER_VERSION      6
#define STATUS_ZLIB         1           /* DUMP_DH_COMPRESSED_ZLIB */
#define DUMP_LEVEL          1           /* all pages but zero ones: as kdump's level 1 */
#define BATCH               (256 * KiB) /* descriptors and data go out in such pieces */

typedef struct DiskDumpHeader {
    char signature[8];
    uint32_t header_version;
    char utsname[6][65];                /* sysname nodename release version machine domainname */
    uint8_t pad[6];
    uint64_t tv_sec, tv_usec;
    uint32_t status;
    uint32_t block_size;
    uint32_t sub_hdr_size;              /* in blocks */
    uint32_t bitmap_blocks;
    uint32_t max_mapnr;
    uint32_t total_ram_blocks, device_blocks, written_blocks, current_cpu;
    uint32_t nr_cpus;
} DiskDumpHeader;
_Static_assert(offsetof(DiskDumpHeader, tv_sec) == 408 && offsetof(DiskDumpHeader, nr_cpus) == 460, "diskdump header");

typedef struct KdumpSubHeader {
    uint64_t phys_base;
    uint32_t dump_level, split;
    uint64_t start_pfn, end_pfn;
    uint64_t offset_vmcoreinfo, size_vmcoreinfo;
    uint64_t offset_note, size_note;
    uint64_t offset_eraseinfo, size_eraseinfo;
    uint64_t start_pfn_64, end_pfn_64, max_mapnr_64;
} KdumpSubHeader;
_Static_assert(sizeof(KdumpSubHeader) == 104, "kdump sub-header");

typedef struct PageDesc {
    uint64_t offset;
    uint32_t size;
    uint32_t flags;                     /* STATUS_ZLIB: compressed */
    uint64_t page_flags;
} PageDesc;

/* An area of the file that is filled from front to back. */
typedef struct Area {
    GByteArray *pending;
    uint64_t at;                        /* file offset of the first pending byte */
} Area;

typedef struct Kdump {
    Dump *d;
    uint64_t max_mapnr, n_pages;
    uint64_t bitmap_at, bitmap_size;    /* of one bitmap, in bytes */
    Area descs, data;
    uint64_t zero_page_at;              /* 0: not written yet */
    uint8_t packed[BLOCK + 64];
} Kdump;

/* --- layout --- */

static uint64_t first_page(const DumpRange *r)
{
    return r->start / PAGE;
}

static uint64_t end_page(const DumpRange *r)
{
    return DIV_ROUND_UP(r->start + r->size, PAGE);
}

static void lay_out(Kdump *k)
{
    const GArray *ranges = k->d->ranges;
    uint64_t sub_size = ROUND_UP(sizeof(KdumpSubHeader) + k->d->notes->len, BLOCK), next = 0;

    for (unsigned i = 0; i < ranges->len; i++) {
        const DumpRange *r = &g_array_index(ranges, DumpRange, i);

        k->n_pages += end_page(r) - MAX(first_page(r), next);
        next = end_page(r);
    }
    k->max_mapnr = next;
    k->bitmap_at = BLOCK + sub_size;
    k->bitmap_size = ROUND_UP(DIV_ROUND_UP(k->max_mapnr, 8), BLOCK);
    k->descs.at = k->bitmap_at + 2 * k->bitmap_size;
    k->data.at = k->descs.at + k->n_pages * sizeof(PageDesc);
}

/* --- headers and bitmaps --- */

static bool write_header(Kdump *k, Error **errp)
{
    DiskDumpHeader h = {
        .signature = { 'K', 'D', 'U', 'M', 'P', ' ', ' ', ' ' },
        .header_version = HEADER_VERSION,
        .utsname[4] = "x86_64",
        .status = STATUS_ZLIB, .block_size = BLOCK,
        .sub_hdr_size = (k->bitmap_at - BLOCK) / BLOCK,
        .bitmap_blocks = 2 * k->bitmap_size / BLOCK,
        .max_mapnr = MIN(k->max_mapnr, UINT32_MAX),
        .nr_cpus = k->d->n_cpus,
    };
    KdumpSubHeader s = {
        .dump_level = DUMP_LEVEL, .max_mapnr_64 = k->max_mapnr,
        .offset_note = BLOCK + sizeof(s), .size_note = k->d->notes->len,
    };
    DumpSink *sink = &k->d->sink;

    if (k->d->vmcoreinfo_at) {
        s.offset_vmcoreinfo = s.offset_note + k->d->vmcoreinfo_at;
        s.size_vmcoreinfo = k->d->vmcoreinfo_len;
    }
    return dump_sink_write(sink, 0, &h, sizeof(h), errp) && dump_sink_write(sink, BLOCK, &s, sizeof(s), errp)
           && dump_sink_write(sink, s.offset_note, k->d->notes->data, k->d->notes->len, errp);
}

/* The part of the bitmap for the pages from @first on, @len bytes. */
static void make_bitmap(const Kdump *k, uint64_t first, uint8_t *map, size_t len)
{
    const GArray *ranges = k->d->ranges;

    memset(map, 0, len);
    for (unsigned i = 0; i < ranges->len; i++) {
        const DumpRange *r = &g_array_index(ranges, DumpRange, i);
        uint64_t end = MIN(end_page(r), first + 8 * len);

        for (uint64_t pfn = MAX(first_page(r), first); pfn < end; pfn++) {
            map[(pfn - first) / 8] |= 1 << pfn % 8;
        }
    }
}

/* Twice the same, and part by part: a bitmap for a terabyte would take 32 MiB. */
static bool write_bitmaps(Kdump *k, Error **errp)
{
    const size_t part = 64 * KiB;
    g_autofree uint8_t *map = g_malloc(part);

    for (uint64_t at = 0; at < 2 * k->bitmap_size;) {
        uint64_t in_bitmap = at % k->bitmap_size;
        size_t len = MIN(part, k->bitmap_size - in_bitmap);

        make_bitmap(k, 8 * in_bitmap, map, len);
        if (!dump_sink_write(&k->d->sink, k->bitmap_at + at, map, len, errp)) {
            return false;
        }
        at += len;
    }
    return true;
}

/* --- pages --- */

static bool area_flush(Kdump *k, Area *a, Error **errp)
{
    if (!dump_sink_write(&k->d->sink, a->at, a->pending->data, a->pending->len, errp)) {
        return false;
    }
    a->at += a->pending->len;
    g_byte_array_set_size(a->pending, 0);
    return true;
}

/* Appends; *@offset is where it will be in the file. */
static bool area_put(Kdump *k, Area *a, const void *bytes, size_t size, uint64_t *offset, Error **errp)
{
    *offset = a->at + a->pending->len;
    g_byte_array_append(a->pending, bytes, size);
    return a->pending->len < BATCH || area_flush(k, a, errp);
}

static bool is_zero(const uint8_t *page)
{
    return page[0] == 0 && !memcmp(page, page + 1, PAGE - 1);
}

/* All zero pages share one. */
static bool put_page(Kdump *k, const uint8_t *page, Error **errp)
{
    PageDesc desc = { .size = PAGE };
    unsigned long packed = sizeof(k->packed);
    bool zero = is_zero(page);
    uint64_t ignored;

    if (zero && k->zero_page_at) {
        desc.offset = k->zero_page_at;
    } else if (!zero && compress2(k->packed, &packed, page, PAGE, Z_BEST_SPEED) == Z_OK && packed < PAGE) {
        desc.size = packed;
        desc.flags = STATUS_ZLIB;
        if (!area_put(k, &k->data, k->packed, packed, &desc.offset, errp)) {
            return false;
        }
    } else if (!area_put(k, &k->data, page, PAGE, &desc.offset, errp)) {
        return false;
    }
    if (zero) {
        k->zero_page_at = desc.offset;
    }
    __atomic_fetch_add(&k->d->completed, PAGE, __ATOMIC_RELAXED);
    return area_put(k, &k->descs, &desc, sizeof(desc), &ignored, errp);
}

/* The page may be put together from several ranges (firmware's pieces below 1 MiB). */
static const uint8_t *page_bytes(const Dump *d, const DumpRange *r, uint64_t pfn, uint8_t *scratch)
{
    hwaddr addr = pfn * PAGE;

    if (addr >= r->start && addr - r->start <= r->size - MIN(PAGE, r->size) && r->size >= PAGE) {
        return r->host + (addr - r->start);
    }
    memset(scratch, 0, PAGE);
    for (unsigned i = 0; i < d->ranges->len; i++) {
        const DumpRange *x = &g_array_index(d->ranges, DumpRange, i);
        hwaddr lo = MAX(x->start, addr), hi = MIN(x->start + x->size, addr + PAGE);

        if (lo < hi) {
            memcpy(scratch + (lo - addr), x->host + (lo - x->start), hi - lo);
        }
    }
    return scratch;
}

static bool write_pages(Kdump *k, Error **errp)
{
    uint8_t scratch[PAGE];
    uint64_t pfn = 0;

    for (unsigned i = 0; i < k->d->ranges->len; i++) {
        const DumpRange *r = &g_array_index(k->d->ranges, DumpRange, i);

        for (pfn = MAX(first_page(r), pfn); pfn < end_page(r); pfn++) {
            if (!put_page(k, page_bytes(k->d, r, pfn, scratch), errp)) {
                return false;
            }
        }
    }
    return area_flush(k, &k->descs, errp) && area_flush(k, &k->data, errp);
}

bool dump_write_kdump(Dump *d, Error **errp)
{
    g_autofree Kdump *k = g_new0(Kdump, 1);
    bool ok;

    k->d = d;
    k->descs.pending = g_byte_array_new();
    k->data.pending = g_byte_array_new();
    lay_out(k);
    ok = write_header(k, errp) && write_bitmaps(k, errp) && write_pages(k, errp)
         && (!d->sink.flattened || dump_sink_end_flattened(&d->sink, errp));
    g_byte_array_unref(k->descs.pending);
    g_byte_array_unref(k->data.pending);
    return ok;
}
