/*
 * Disks and CD drives as the guest sees them: AHCI's lists of commands, the old ports with PIO and bus master DMA, packets.
 * What is malformed must end in an error that the guest can read, or in nothing.
 */
#include "lib/fw-cfg.h"
#include "lib/pci.h"

#include <glib/gstdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define SECTOR    512u
#define DISK_SIZE (4 * MiB)
#define DISC_SIZE (1 * MiB)

enum { ST_ERR = 1, ST_DRQ = 8, ST_DRDY = 0x40, ST_BSY = 0x80, ERR_ABRT = 4, ERR_IDNF = 0x10, ERR_UNC = 0x40 };
enum {
    READ_DMA_EXT = 0x25, WRITE_DMA_EXT = 0x35, READ_PIO = 0x20, WRITE_PIO = 0x30, READ_FPDMA = 0x60, WRITE_FPDMA = 0x61, DSM = 0x06,
    READ_LOG = 0x2f, IDENTIFY = 0xec, IDENTIFY_PACKET = 0xa1, PACKET = 0xa0, FLUSH = 0xe7, SMART = 0xb0, SET_FEATURES = 0xef,
};
enum { PX_CLB = 0, PX_FB = 8, PX_IS = 0x10, PX_IE = 0x14, PX_CMD = 0x18, PX_TFD = 0x20, PX_SIG = 0x24, PX_SSTS = 0x28, PX_SCTL = 0x2c,
       PX_SACT = 0x34, PX_CI = 0x38 };
enum { IS_DHRS = 1, IS_PSS = 2, IS_SDBS = 8, IS_OFS = 1 << 24, IS_IFS = 1 << 27, IS_HBFS = 1 << 29, IS_TFES = 1 << 30 };

typedef struct Files {
    char *disk, *disc;
    uint8_t *data;              /* of both */
} Files;

static void files_make(Files *f)
{
    int fd = g_file_open_tmp("qtest-ide-XXXXXX", &f->disk, NULL), fd2 = g_file_open_tmp("qtest-ide-XXXXXX", &f->disc, NULL);

    f->data = g_malloc(DISK_SIZE);
    for (size_t i = 0; i < DISK_SIZE; i++) {
        f->data[i] = (uint8_t)(i * 7 + i / SECTOR);
    }
    g_assert_cmpint(write(fd, f->data, DISK_SIZE), ==, (ssize_t)DISK_SIZE);
    g_assert_cmpint(write(fd2, f->data, DISC_SIZE), ==, (ssize_t)DISC_SIZE);
    close(fd);
    close(fd2);
}

static void files_free(Files *f)
{
    g_unlink(f->disk);
    g_unlink(f->disc);
    g_free(f->disk);
    g_free(f->disc);
    g_free(f->data);
}

static void disk_is(const Files *f, uint64_t at, const uint8_t *bytes, size_t len)
{
    g_autofree uint8_t *back = g_malloc(len);
    FILE *in = fopen(f->disk, "rb");

    g_assert_nonnull(in);
    g_assert_cmpint(fseek(in, (long)at, SEEK_SET), ==, 0);
    g_assert_cmpint(fread(back, 1, len, in), ==, len);
    fclose(in);
    g_assert_cmpmem(back, len, bytes, len);
}

/* --- AHCI: disk on port 0, disc on port 1 --- */

typedef struct Ahci {
    Files f;
    QTest *q;
    QPci pci;
    QPciDev dev;
    QBar bar;
    uint64_t clb[2], fb[2], table[32];
} Ahci;

static uint32_t px_read(Ahci *a, unsigned port, unsigned reg)
{
    return (uint32_t)qbar_read(&a->bar, 0x100 + 0x80 * port + reg, 4);
}

static void px_write(Ahci *a, unsigned port, unsigned reg, uint32_t v)
{
    qbar_write(&a->bar, 0x100 + 0x80 * port + reg, 4, v);
}

static void port_start(Ahci *a, unsigned port)
{
    a->clb[port] = qtest_alloc(a->q, 1024, 1024);
    a->fb[port] = qtest_alloc(a->q, 256, 256);
    px_write(a, port, PX_CLB, (uint32_t)a->clb[port]);
    px_write(a, port, PX_FB, (uint32_t)a->fb[port]);
    px_write(a, port, PX_CMD, 0x10);
    px_write(a, port, PX_IS, ~0u);
    px_write(a, port, PX_CMD, 0x11);
}

/* @more: options of the disk. */
static void ahci_open_as(Ahci *a, const char *more)
{
    files_make(&a->f);
    a->q = qtest_start("-machine q35 -nodefaults -blockdev driver=file,filename=%s,node-name=disk,discard=unmap "
                       "-blockdev driver=file,filename=%s,node-name=disc,read-only=on "
                       "-device ide-hd,drive=disk,id=hd,bus=ide.0,serial=quern-1,bootindex=3%s "
                       "-device ide-cd,drive=disc,id=cd,bus=ide.1,bootindex=2", a->f.disk, a->f.disc, more);
    qpci_init(&a->pci, a->q, true);
    g_assert_true(qpci_find(&a->pci, 0x8086, 0x2922, &a->dev));
    a->bar = qpci_map(&a->dev, 5);
    for (unsigned i = 0; i < 32; i++) {
        a->table[i] = qtest_alloc(a->q, 0x80 + 16 * 64, 128);
    }
    port_start(a, 0);
    port_start(a, 1);
}

static void ahci_open(Ahci *a)
{
    ahci_open_as(a, "");
}

static void ahci_close(Ahci *a)
{
    qtest_stop(a->q);
    files_free(&a->f);
}

typedef struct Command {
    uint8_t command, feature, device, packet[12];
    uint64_t lba;
    uint16_t count;
    uint64_t buf[4];
    uint32_t len[4];            /* 0 = no more */
    uint8_t fis_type, fis_flags;        /* 0 = as they should be */
    uint16_t extra_segments;    /* told, but not there */
} Command;

static void slot_fill(Ahci *a, unsigned port, unsigned slot, const Command *c)
{
    const uint8_t fis[20] = {
        c->fis_type ? c->fis_type : 0x27, c->fis_flags ? c->fis_flags : 0x80, c->command, c->feature, (uint8_t)c->lba,
        (uint8_t)(c->lba >> 8), (uint8_t)(c->lba >> 16), c->device ? c->device : 0x40, (uint8_t)(c->lba >> 24), (uint8_t)(c->lba >> 32),
        (uint8_t)(c->lba >> 40), 0, (uint8_t)c->count, (uint8_t)(c->count >> 8),
    };
    unsigned n = 0;

    qtest_memwrite(a->q, a->table[slot], fis, sizeof(fis));
    qtest_memwrite(a->q, a->table[slot] + 0x40, c->packet, sizeof(c->packet));
    for (; n < 4 && c->len[n]; n++) {
        qtest_write(a->q, a->table[slot] + 0x80 + 16 * n, 8, c->buf[n]);
        qtest_write(a->q, a->table[slot] + 0x80 + 16 * n + 8, 8, (uint64_t)(c->len[n] - 1) << 32);
    }
    qtest_write(a->q, a->clb[port] + 32 * slot, 4, 5u | (uint32_t)(n + c->extra_segments) << 16);
    qtest_write(a->q, a->clb[port] + 32 * slot + 4, 4, 0);
    qtest_write(a->q, a->clb[port] + 32 * slot + 8, 8, a->table[slot]);
}

/* Wait for the slot to be done, or the port to stop; PxTFD. */
static uint32_t slot_wait(Ahci *a, unsigned port, unsigned slot)
{
    for (unsigned i = 0; i < 20000; i++) {
        if (!(px_read(a, port, PX_CI) >> slot & 1) && !(px_read(a, port, PX_SACT) >> slot & 1)) {
            break;
        }
        if (px_read(a, port, PX_IS) & (IS_TFES | IS_HBFS | IS_IFS)) {
            break;
        }
        g_usleep(100);
    }
    return px_read(a, port, PX_TFD);
}

static uint32_t issue(Ahci *a, unsigned port, const Command *c)
{
    px_write(a, port, PX_IS, ~0u);
    slot_fill(a, port, 0, c);
    px_write(a, port, PX_CI, 1);
    return slot_wait(a, port, 0);
}

/* After an error: stop, start. */
static void port_recover(Ahci *a, unsigned port)
{
    px_write(a, port, PX_CMD, 0x10);
    px_write(a, port, PX_IS, ~0u);
    px_write(a, port, PX_CMD, 0x11);
    g_assert_cmphex(px_read(a, port, PX_CI), ==, 0);
}

static void expect_error(Ahci *a, unsigned port, const Command *c, uint32_t error)
{
    uint32_t tfd = issue(a, port, c);

    g_assert_cmphex(tfd & (ST_ERR | ST_BSY | ST_DRQ), ==, ST_ERR);
    g_assert_cmphex(tfd >> 8 & error, ==, error);
    g_assert_cmphex(px_read(a, port, PX_IS) & IS_TFES, ==, IS_TFES);
    port_recover(a, port);
}

static void test_ahci_ports_come_up(void)
{
    Ahci a;

    ahci_open(&a);
    g_assert_cmphex(qbar_read(&a.bar, 0x0c, 4), ==, 0x3f);
    g_assert_cmphex(px_read(&a, 0, PX_SIG), ==, 0x00000101);
    g_assert_cmphex(px_read(&a, 1, PX_SIG), ==, 0xeb140101);
    g_assert_cmphex(px_read(&a, 2, PX_SIG), ==, 0xffffffff);
    g_assert_cmphex(px_read(&a, 0, PX_SSTS) & 0xf, ==, 3);
    g_assert_cmphex(px_read(&a, 2, PX_SSTS), ==, 0);
    g_assert_cmphex(px_read(&a, 0, PX_TFD) & 0x89, ==, 0);
    px_write(&a, 0, PX_SCTL, 1);                            /* COMRESET */
    g_assert_cmphex(px_read(&a, 0, PX_SSTS), ==, 0);
    px_write(&a, 0, PX_SCTL, 0);
    g_assert_cmphex(px_read(&a, 0, PX_SSTS) & 0xf, ==, 3);
    g_assert_cmphex(qtest_read(a.q, a.fb[0] + 0x40, 1), ==, 0x34);
    qbar_write(&a.bar, 4, 4, 1);                            /* HBA reset */
    g_assert_cmphex(qbar_read(&a.bar, 4, 4), ==, 0x80000000);
    g_assert_cmphex(px_read(&a, 0, PX_CLB), ==, 0);
    ahci_close(&a);
}

static void test_ahci_moves_data(void)
{
    g_autofree uint8_t *back = g_malloc(256 * KiB);
    uint64_t buf;
    Ahci a;

    ahci_open(&a);
    buf = qtest_alloc(a.q, 512 * KiB, 4096);
    /* In pieces that are no whole sectors. */
    g_assert_cmphex(issue(&a, 0, &(Command){ READ_DMA_EXT, .lba = 100, .count = 512, .buf = { buf, buf + 6, buf + 1030 }, .len = { 6, 1024, 300 * KiB } })
                    & 0x89, ==, 0);
    g_assert_cmphex(px_read(&a, 0, PX_IS) & (IS_DHRS | IS_TFES | IS_OFS), ==, IS_DHRS);
    g_assert_cmpuint(qtest_read(a.q, a.clb[0] + 4, 4), ==, 256 * KiB);      /* PRDBC */
    qtest_memread(a.q, buf, back, 256 * KiB);
    g_assert_cmpmem(back, 256 * KiB, a.f.data + 100 * SECTOR, 256 * KiB);
    g_assert_cmphex(issue(&a, 0, &(Command){ WRITE_DMA_EXT, .lba = 8, .count = 4, .buf = { buf + 2048 }, .len = { 2048 } }) & 0x89, ==, 0);
    g_assert_cmphex(issue(&a, 0, &(Command){ FLUSH }) & 0x89, ==, 0);
    disk_is(&a.f, 8 * SECTOR, back + 2048, 2048);
    g_assert_cmphex(issue(&a, 0, &(Command){ READ_PIO, .lba = 3, .count = 2, .buf = { buf }, .len = { 1024 } }) & 0x89, ==, 0);
    g_assert_cmphex(px_read(&a, 0, PX_IS) & IS_PSS, ==, IS_PSS);
    qtest_memread(a.q, buf, back, 1024);
    g_assert_cmpmem(back, 1024, a.f.data + 3 * SECTOR, 1024);
    g_assert_cmphex(issue(&a, 0, &(Command){ WRITE_PIO, .lba = 60, .count = 2, .buf = { buf }, .len = { 1024 } }) & 0x89, ==, 0);
    disk_is(&a.f, 60 * SECTOR, back, 1024);
    qtest_write(a.q, buf, 8, 16 | 8ull << 48);              /* TRIM 8 sectors from 16 */
    qtest_memset(a.q, buf + 8, 0, 504);
    g_assert_cmphex(issue(&a, 0, &(Command){ DSM, .feature = 1, .count = 1, .buf = { buf }, .len = { 512 } }) & 0x89, ==, 0);
    memset(back, 0, 4096);
    disk_is(&a.f, 16 * SECTOR, back, 4096);
    ahci_close(&a);
}

static void test_ahci_queues(void)
{
    g_autofree uint8_t *back = g_malloc(32 * 4096);
    uint64_t buf;
    Ahci a;

    ahci_open(&a);
    buf = qtest_alloc(a.q, 32 * 4096, 4096);
    for (unsigned i = 0; i < 32; i++) {
        slot_fill(&a, 0, i, &(Command){ READ_FPDMA, .feature = 8, .lba = (31 - i) * 8, .count = (uint16_t)(i << 3), .buf = { buf + i * 4096 },
                                        .len = { 4096 } });
    }
    px_write(&a, 0, PX_SACT, ~0u);
    px_write(&a, 0, PX_CI, ~0u);
    for (unsigned i = 0; i < 32; i++) {
        g_assert_cmphex(slot_wait(&a, 0, i) & 0x89, ==, 0);
    }
    g_assert_cmphex(px_read(&a, 0, PX_IS) & (IS_SDBS | IS_TFES), ==, IS_SDBS);
    qtest_memread(a.q, buf, back, 32 * 4096);
    for (unsigned i = 0; i < 32; i++) {
        g_assert_cmpmem(back + i * 4096, 4096, a.f.data + (31 - i) * 4096, 4096);
    }
    /* Past the end: the log says which. */
    px_write(&a, 0, PX_IS, ~0u);
    slot_fill(&a, 0, 5, &(Command){ READ_FPDMA, .feature = 8, .lba = DISK_SIZE / SECTOR - 4, .count = 5 << 3, .buf = { buf }, .len = { 4096 } });
    px_write(&a, 0, PX_SACT, 1 << 5);
    px_write(&a, 0, PX_CI, 1 << 5);
    g_assert_cmphex(slot_wait(&a, 0, 5) & 0x89, ==, ST_ERR);
    g_assert_cmphex(px_read(&a, 0, PX_IS) & IS_TFES, ==, IS_TFES);
    g_assert_cmphex(px_read(&a, 0, PX_SACT), ==, 1 << 5);
    port_recover(&a, 0);
    g_assert_cmphex(issue(&a, 0, &(Command){ READ_LOG, .lba = 0x10, .count = 1, .buf = { buf }, .len = { 512 } }) & 0x89, ==, 0);
    g_assert_cmphex(qtest_read(a.q, buf, 1) & 0x80, ==, 0x80);      /* the restart has emptied the queue: no tag any more */
    ahci_close(&a);
}

static void test_ahci_tells_what_it_is(void)
{
    uint8_t id[512], sum = 0;
    uint64_t buf;
    Ahci a;

    ahci_open(&a);
    buf = qtest_alloc(a.q, 4096, 4096);
    g_assert_cmphex(issue(&a, 0, &(Command){ IDENTIFY, .buf = { buf }, .len = { 512 } }) & 0x89, ==, 0);
    qtest_memread(a.q, buf, id, 512);
    for (unsigned i = 0; i < 512; i++) {
        sum += id[i];
    }
    g_assert_cmphex(sum, ==, 0);
    g_assert_cmpmem(id + 20, 8, "uqre-n 1", 8);             /* "quern-1 " */
    g_assert_cmpuint(qtest_read(a.q, buf + 200, 8), ==, DISK_SIZE / SECTOR);
    g_assert_cmpuint(qtest_read(a.q, buf + 150, 2), ==, 31);
    expect_error(&a, 1, &(Command){ IDENTIFY, .buf = { buf }, .len = { 512 } }, ERR_ABRT);
    g_assert_cmphex(issue(&a, 1, &(Command){ IDENTIFY_PACKET, .buf = { buf }, .len = { 512 } }) & 0x89, ==, 0);
    g_assert_cmphex(qtest_read(a.q, buf, 2), ==, 0x85c0);
    g_assert_cmphex(issue(&a, 0, &(Command){ SMART, .feature = 0xda, .lba = 0xc24f00 }) & 0x89, ==, 0);
    expect_error(&a, 0, &(Command){ SMART, .feature = 0xda, .lba = 0 }, ERR_ABRT);
    ahci_close(&a);
}

static void test_ahci_refuses(void)
{
    uint64_t buf;
    Ahci a;

    ahci_open(&a);
    buf = qtest_alloc(a.q, 64 * KiB, 4096);
    expect_error(&a, 0, &(Command){ 0xf7 }, ERR_ABRT);
    expect_error(&a, 0, &(Command){ READ_DMA_EXT, .lba = DISK_SIZE / SECTOR, .count = 1, .buf = { buf }, .len = { 512 } }, ERR_IDNF);
    expect_error(&a, 0, &(Command){ READ_DMA_EXT, .lba = DISK_SIZE / SECTOR - 1, .count = 2, .buf = { buf }, .len = { 1024 } }, ERR_IDNF);
    expect_error(&a, 0, &(Command){ READ_DMA_EXT, .lba = 0xffffffffffff, .count = 0, .buf = { buf }, .len = { 1024 } }, ERR_IDNF);
    expect_error(&a, 0, &(Command){ READ_DMA_EXT, .count = 4, .buf = { buf }, .len = { 1024 } }, ERR_ABRT);        /* list too short */
    expect_error(&a, 0, &(Command){ READ_DMA_EXT, .count = 4 }, ERR_ABRT);                                          /* none at all */
    expect_error(&a, 0, &(Command){ WRITE_DMA_EXT, .count = 4, .buf = { buf }, .len = { 100 } }, ERR_ABRT);
    disk_is(&a.f, 0, a.f.data, 2048);                       /* and nothing was written */
    expect_error(&a, 0, &(Command){ READ_DMA_EXT, .count = 8, .buf = { 0xb0000000 }, .len = { 4096 } }, ERR_ABRT);  /* registers */
    expect_error(&a, 0, &(Command){ READ_DMA_EXT, .count = 8, .buf = { a.bar.addr }, .len = { 4096 } }, ERR_ABRT);  /* its own */
    expect_error(&a, 0, &(Command){ READ_DMA_EXT, .count = 8, .buf = { 0xfffffffffffff000 }, .len = { 4096 } }, ERR_ABRT);
    expect_error(&a, 0, &(Command){ DSM, .feature = 1, .count = 2, .buf = { buf }, .len = { 1024 } }, ERR_ABRT);
    qtest_memset(a.q, buf, 0xff, 512);
    expect_error(&a, 0, &(Command){ DSM, .feature = 1, .count = 1, .buf = { buf }, .len = { 512 } }, ERR_IDNF);
    expect_error(&a, 0, &(Command){ SET_FEATURES, .feature = 3, .count = 0x77 }, ERR_ABRT);
    /* A list said to be longer than it is: what lies behind it is zero, two bytes at address 0 each. */
    g_assert_cmphex(issue(&a, 0, &(Command){ READ_DMA_EXT, .count = 1, .buf = { buf }, .len = { 256 }, .extra_segments = 65534 }) & ST_BSY, ==, 0);
    port_recover(&a, 0);
    ahci_close(&a);
}

static void test_ahci_malformed_lists(void)
{
    uint64_t buf;
    Ahci a;

    ahci_open(&a);
    buf = qtest_alloc(a.q, 4096, 4096);
    /* A frame that is none. */
    issue(&a, 0, &(Command){ IDENTIFY, .buf = { buf }, .len = { 512 }, .fis_type = 0x55 });
    g_assert_cmphex(px_read(&a, 0, PX_IS) & IS_IFS, ==, IS_IFS);
    g_assert_cmphex(px_read(&a, 0, PX_CI), ==, 1);
    port_recover(&a, 0);
    /* Software reset, held and let go; a device that works afterwards. */
    issue(&a, 0, &(Command){ .fis_flags = 0x40 });
    g_assert_cmphex(issue(&a, 0, &(Command){ IDENTIFY, .buf = { buf }, .len = { 512 } }) & 0x89, ==, 0);
    /* Lists that lie nowhere, or in registers. */
    px_write(&a, 0, PX_CMD, 0x10);
    px_write(&a, 0, PX_CLB + 4, 0xffffffff);
    px_write(&a, 0, PX_IS, ~0u);
    px_write(&a, 0, PX_CMD, 0x11);
    px_write(&a, 0, PX_CI, 0xffffffff);
    g_assert_cmphex(px_read(&a, 0, PX_IS) & IS_HBFS, ==, IS_HBFS);
    px_write(&a, 0, PX_CMD, 0x10);
    px_write(&a, 0, PX_CLB + 4, 0);
    px_write(&a, 0, PX_CLB, (uint32_t)a.bar.addr);
    px_write(&a, 0, PX_FB, (uint32_t)a.bar.addr);
    px_write(&a, 0, PX_IS, ~0u);
    px_write(&a, 0, PX_CMD, 0x11);
    px_write(&a, 0, PX_CI, 1);
    g_assert_cmphex(px_read(&a, 0, PX_IS) & IS_HBFS, ==, IS_HBFS);
    /* Back to order. */
    px_write(&a, 0, PX_CMD, 0);
    port_start(&a, 0);
    g_assert_cmphex(issue(&a, 0, &(Command){ IDENTIFY, .buf = { buf }, .len = { 512 } }) & 0x89, ==, 0);
    px_write(&a, 2, PX_CMD, 0x11);                          /* a port without device does nothing */
    px_write(&a, 2, PX_CI, 0xffffffff);
    g_assert_cmphex(px_read(&a, 2, PX_CI), ==, 0xffffffff);
    ahci_close(&a);
}

/* --- a medium that fails --- */

/* Let the emulator write no byte of any file beyond @limit; the kernel answers EFBIG. */
static void limit_files(Ahci *a, rlim_t limit)
{
    struct rlimit r = { limit, RLIM_INFINITY };

    g_assert_cmpint(prlimit(qtest_pid(a->q), RLIMIT_FSIZE, &r, NULL), ==, 0);
}

static void qmp_has(QTest *q, const char *json, const char *text)
{
    for (unsigned i = 0; i < 2000; i++) {
        g_autofree char *reply = qtest_qmp(q, json);

        if (strstr(reply, text)) {
            return;
        }
        g_usleep(1000);
    }
    g_error("%s: never %s", json, text);
}

static void test_failed_write_is_reported(void)
{
    uint64_t buf;
    Ahci a;

    ahci_open(&a);
    buf = qtest_alloc(a.q, 4096, 4096);
    limit_files(&a, 1 * MiB);
    expect_error(&a, 0, &(Command){ WRITE_DMA_EXT, .lba = 4096, .count = 8, .buf = { buf }, .len = { 4096 } }, ERR_UNC);
    slot_fill(&a, 0, 3, &(Command){ WRITE_FPDMA, .feature = 8, .lba = 4096, .count = 3 << 3, .buf = { buf }, .len = { 4096 } });
    px_write(&a, 0, PX_SACT, 8);
    px_write(&a, 0, PX_CI, 8);
    g_assert_cmphex(slot_wait(&a, 0, 3) & 0x4089, ==, 0x4001);
    port_recover(&a, 0);
    limit_files(&a, RLIM_INFINITY);
    g_assert_cmphex(issue(&a, 0, &(Command){ WRITE_DMA_EXT, .lba = 4096, .count = 8, .buf = { buf }, .len = { 4096 } }) & 0x89, ==, 0);
    ahci_close(&a);
}

static void test_failed_write_stops_and_is_tried_again(void)
{
    g_autofree char *event = NULL;
    uint8_t back[4096];
    uint64_t buf;
    Ahci a;

    ahci_open_as(&a, ",werror=stop");
    qmp_has(a.q, "{'execute':'cont'}", "return");
    buf = qtest_alloc(a.q, 4096, 4096);
    qtest_memset(a.q, buf, 0x77, 4096);
    memset(back, 0x77, sizeof(back));
    limit_files(&a, 1 * MiB);
    slot_fill(&a, 0, 0, &(Command){ WRITE_DMA_EXT, .lba = 4096, .count = 8, .buf = { buf, buf + 100 }, .len = { 100, 3996 } });
    px_write(&a, 0, PX_CI, 1);
    event = qtest_qmp_event(a.q, "BLOCK_IO_ERROR");
    g_assert_nonnull(strstr(event, "\"action\": \"stop\""));
    qmp_has(a.q, "{'execute':'query-status'}", "io-error");
    qmp_has(a.q, "{'execute':'query-block'}", "\"io-status\": \"failed\"");
    g_assert_cmphex(px_read(&a, 0, PX_CI), ==, 1);          /* the guest knows nothing of it */
    limit_files(&a, RLIM_INFINITY);
    qmp_has(a.q, "{'execute':'cont'}", "return");
    g_assert_cmphex(slot_wait(&a, 0, 0) & 0x89, ==, 0);
    disk_is(&a.f, 4096 * SECTOR, back, sizeof(back));
    /* A reset forgets what waits. */
    limit_files(&a, 1 * MiB);
    px_write(&a, 0, PX_CI, 1);
    qmp_has(a.q, "{'execute':'query-status'}", "io-error");
    px_write(&a, 0, PX_CMD, 0x10);
    g_assert_cmphex(px_read(&a, 0, PX_CI), ==, 0);
    limit_files(&a, RLIM_INFINITY);
    qmp_has(a.q, "{'execute':'cont'}", "return");
    ahci_close(&a);
}

/* --- packets --- */

static uint32_t packet(Ahci *a, const uint8_t *cdb, uint64_t buf, uint32_t len, bool dma)
{
    Command c = { PACKET, .feature = dma, .lba = (uint64_t)0xfffe << 8, .buf = { buf }, .len = { len } };

    memcpy(c.packet, cdb, 12);
    return issue(a, 1, &c);
}
#define PACKET_(a, buf, len, dma, ...) packet(a, (const uint8_t[12]){ __VA_ARGS__ }, buf, len, dma)

/* The command fails with this sense; key << 8 | code. */
static void expect_sense(Ahci *a, uint32_t tfd, uint32_t sense, uint64_t buf)
{
    g_assert_cmphex(tfd & 0x89, ==, ST_ERR);
    g_assert_cmphex(tfd >> 12, ==, sense >> 8);
    port_recover(a, 1);
    g_assert_cmphex(PACKET_(a, buf, 18, true, 0x03, 0, 0, 0, 18) & 0x89, ==, 0);
    g_assert_cmphex(qtest_read(a->q, buf + 2, 1) << 8 | qtest_read(a->q, buf + 12, 1), ==, sense);
}

static void test_packets(void)
{
    uint8_t back[8192];
    uint64_t buf;
    Ahci a;

    ahci_open(&a);
    buf = qtest_alloc(a.q, 64 * KiB, 4096);
    for (unsigned dma = 0; dma < 2; dma++) {
        g_assert_cmphex(PACKET_(&a, buf, 36, dma, 0x12, 0, 0, 0, 36) & 0x89, ==, 0);
        qtest_memread(a.q, buf, back, 36);
        g_assert_cmpmem(back + 8, 8, "QUERN   ", 8);
        g_assert_cmphex(PACKET_(&a, buf, 8, dma, 0x25) & 0x89, ==, 0);
        g_assert_cmphex(qtest_read(a.q, buf, 8), ==, GUINT64_SWAP_LE_BE((uint64_t)(DISC_SIZE / 2048 - 1) << 32 | 2048));
        g_assert_cmphex(PACKET_(&a, buf, 8192, dma, 0x28, 0, 0, 0, 0, 3, 0, 0, 4) & 0x89, ==, 0);
        qtest_memread(a.q, buf, back, 8192);
        g_assert_cmpmem(back, 8192, a.f.data + 3 * 2048, 8192);
        g_assert_cmphex(PACKET_(&a, buf, 20, dma, 0x43, 2, 0, 0, 0, 0, 0, 0, 20) & 0x89, ==, 0);
        g_assert_cmphex(qtest_read(a.q, buf + 14, 1), ==, 0xaa);
        g_assert_cmphex(PACKET_(&a, buf, 8, dma, 0x46, 0, 0, 0, 0, 0, 0, 0, 8) & 0x89, ==, 0);
        g_assert_cmphex(qtest_read(a.q, buf + 7, 1), ==, 8);            /* CD-ROM */
        g_assert_cmphex(PACKET_(&a, buf, 8, dma, 0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8) & 0x89, ==, 0);
        g_assert_cmphex(PACKET_(&a, buf, 28, dma, 0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 28) & 0x89, ==, 0);
        g_assert_cmphex(qtest_read(a.q, buf + 8, 1), ==, 0x2a);
    }
    expect_sense(&a, PACKET_(&a, buf, 2048, true, 0x28, 0, 0, 0, 2, 0, 0, 0, 1), 0x521, buf);          /* past the end */
    expect_sense(&a, PACKET_(&a, buf, 2048, true, 0xa8, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), 0x521, buf);
    expect_sense(&a, PACKET_(&a, buf, 8, true, 0xee), 0x520, buf);
    expect_sense(&a, PACKET_(&a, buf, 8, true, 0x5a, 0, 0xff), 0x539, buf);
    expect_sense(&a, PACKET_(&a, buf, 8, true, 0x12, 1, 0x80, 0, 8), 0x524, buf);
    expect_sense(&a, PACKET_(&a, buf, 100, true, 0x28, 0, 0, 0, 0, 0, 0, 0, 1), 0xb00, buf);           /* no room */
    /* An answer in pieces of two bytes. */
    {
        Command c = { PACKET, .lba = 2 << 8, .packet = { 0xbe, 0, 0, 0, 0, 9, 0, 0, 4, 0x10 }, .buf = { buf }, .len = { 8192 } };

        g_assert_cmphex(issue(&a, 1, &c) & 0x89, ==, 0);
        qtest_memread(a.q, buf, back, 8192);
        g_assert_cmpmem(back, 8192, a.f.data + 9 * 2048, 8192);
    }
    ahci_close(&a);
}

static void qmp_ok(QTest *q, const char *json)
{
    g_autofree char *reply = qtest_qmp(q, json);

    if (!strstr(reply, "\"return\"")) {
        g_error("%s: %s", json, reply);
    }
}

static void test_tray(void)
{
    g_autofree char *refused = NULL, *event = NULL, *again = NULL;
    uint64_t buf;
    Ahci a;

    ahci_open(&a);
    buf = qtest_alloc(a.q, 4096, 4096);
    g_assert_cmphex(PACKET_(&a, buf, 0, false, 0x1e, 0, 0, 0, 1) & 0x89, ==, 0);                       /* locked */
    expect_sense(&a, PACKET_(&a, buf, 0, false, 0x1b, 0, 0, 0, 2), 0x253, buf);
    refused = qtest_qmp(a.q, "{'execute':'eject','arguments':{'id':'cd'}}");
    g_assert_nonnull(strstr(refused, "is locked and force was not specified"));
    g_assert_cmphex(PACKET_(&a, buf, 8, true, 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8) & 0x89, ==, 0);
    g_assert_cmphex(qtest_read(a.q, buf + 4, 2), ==, 0x0201);                                           /* eject is asked for */
    g_assert_cmphex(PACKET_(&a, buf, 8, true, 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8) & 0x89, ==, 0);
    g_assert_cmphex(qtest_read(a.q, buf + 4, 2), ==, 0x0200);                                           /* told once */
    g_assert_cmphex(PACKET_(&a, buf, 0, false, 0x1e) & 0x89, ==, 0);
    g_assert_cmphex(PACKET_(&a, buf, 0, false, 0x1b, 0, 0, 0, 2) & 0x89, ==, 0);                       /* the guest opens it */
    event = qtest_qmp_event(a.q, "DEVICE_TRAY_MOVED");
    g_assert_nonnull(strstr(event, "\"tray-open\": true"));
    expect_sense(&a, PACKET_(&a, buf, 0, false, 0x00), 0x23a, buf);
    g_assert_cmphex(PACKET_(&a, buf, 0, false, 0x1b, 0, 0, 0, 3) & 0x89, ==, 0);                       /* and shuts it */
    again = qtest_qmp_event(a.q, "DEVICE_TRAY_MOVED");
    g_assert_nonnull(strstr(again, "\"tray-open\": false"));
    expect_sense(&a, PACKET_(&a, buf, 0, false, 0x00), 0x23a, buf);                                    /* gone, then new */
    expect_sense(&a, PACKET_(&a, buf, 0, false, 0x00), 0x628, buf);
    g_assert_cmphex(PACKET_(&a, buf, 0, false, 0x00) & 0x89, ==, 0);
    qmp_ok(a.q, "{'execute':'eject','arguments':{'id':'cd'}}");
    expect_sense(&a, PACKET_(&a, buf, 0, false, 0x00), 0x23a, buf);
    expect_sense(&a, PACKET_(&a, buf, 8, true, 0x25), 0x23a, buf);
    qmp_ok(a.q, "{'execute':'blockdev-close-tray','arguments':{'id':'cd'}}");
    expect_sense(&a, PACKET_(&a, buf, 0, false, 0x00), 0x23a, buf);                                    /* shut and empty */
    ahci_close(&a);
}

static void test_boot_order_names(void)
{
    const char *want = "/pci@i0cf8/pci8086,2922@1f,2/drive@1/disk@0\n/pci@i0cf8/pci8086,2922@1f,2/drive@0/disk@0";
    char text[256] = "";
    uint32_t size;
    uint16_t key;
    Ahci a;

    ahci_open(&a);
    g_assert_true(fw_cfg_find(a.q, "bootorder", &key, &size));
    g_assert_cmpuint(size, <, sizeof(text));
    fw_cfg_read(a.q, key, text, size);
    g_assert_cmpstr(text, ==, want);
    ahci_close(&a);
}

/* --- the old ports: disk at 0x1f0, disc at 0x170 --- */

typedef struct Ide {
    Files f;
    QTest *q;
    QPci pci;
    QBar bm;
} Ide;

static void ide_open(Ide *s)
{
    QPciDev dev;

    files_make(&s->f);
    s->q = qtest_start("-machine pc -nodefaults -drive file=%s,format=raw -drive file=%s,format=raw,media=cdrom,index=2", s->f.disk, s->f.disc);
    qpci_init(&s->pci, s->q, false);
    g_assert_true(qpci_find(&s->pci, 0x8086, 0x7010, &dev));
    s->bm = qpci_map(&dev, 4);
}

static void ide_close(Ide *s)
{
    qtest_stop(s->q);
    files_free(&s->f);
}

static uint8_t ide_wait(Ide *s, uint16_t base)
{
    uint8_t st = 0;

    for (unsigned i = 0; i < 20000; i++) {
        st = qtest_inb(s->q, base + 0x206);
        if (!(st & ST_BSY)) {
            break;
        }
        g_usleep(100);
    }
    return st;
}

static void ide_command(Ide *s, uint16_t base, uint8_t command, uint32_t lba, uint8_t count)
{
    qtest_outb(s->q, base + 6, (uint8_t)(0xe0 | lba >> 24));
    qtest_outb(s->q, base + 2, count);
    qtest_outb(s->q, base + 3, (uint8_t)lba);
    qtest_outb(s->q, base + 4, (uint8_t)(lba >> 8));
    qtest_outb(s->q, base + 5, (uint8_t)(lba >> 16));
    qtest_outb(s->q, base + 7, command);
}

static void test_pio(void)
{
    Ide s;

    ide_open(&s);
    g_assert_cmphex(qtest_inb(s.q, 0x174) << 8 | qtest_inb(s.q, 0x175), ==, 0x14eb);                   /* signatures */
    ide_command(&s, 0x1f0, READ_PIO, 7, 2);
    for (unsigned sector = 0; sector < 2; sector++) {
        g_assert_cmphex(ide_wait(&s, 0x1f0) & 0x89, ==, ST_DRQ);
        for (unsigned i = 0; i < SECTOR; i += 4) {
            uint32_t v = qtest_in(s.q, 0x1f0, i % 8 ? 4 : 2), want;

            if (i % 8 == 0) {
                v |= qtest_in(s.q, 0x1f0, 2) << 16;
            }
            memcpy(&want, s.f.data + (7 + sector) * SECTOR + i, 4);
            g_assert_cmphex(v, ==, want);
        }
    }
    g_assert_cmphex(ide_wait(&s, 0x1f0) & 0x89, ==, 0);
    ide_command(&s, 0x1f0, WRITE_PIO, 9, 1);
    g_assert_cmphex(ide_wait(&s, 0x1f0) & 0x89, ==, ST_DRQ);
    for (unsigned i = 0; i < SECTOR; i += 2) {
        qtest_out(s.q, 0x1f0, 2, s.f.data[i] | s.f.data[i + 1] << 8);
    }
    g_assert_cmphex(ide_wait(&s, 0x1f0) & 0x89, ==, 0);
    disk_is(&s.f, 9 * SECTOR, s.f.data, SECTOR);
    ide_command(&s, 0x1f0, READ_PIO, DISK_SIZE / SECTOR, 1);
    g_assert_cmphex(ide_wait(&s, 0x1f0) & 0x89, ==, ST_ERR);
    g_assert_cmphex(qtest_inb(s.q, 0x1f1) & ERR_IDNF, ==, ERR_IDNF);
    qtest_out(s.q, 0x1f0, 4, 0x12345678);                   /* nobody asked */
    qtest_outb(s.q, 0x1f6, 0xf0);                           /* there is no second unit */
    g_assert_cmphex(qtest_inb(s.q, 0x1f7), ==, 0);
    qtest_outb(s.q, 0x1f7, IDENTIFY);
    g_assert_cmphex(qtest_inb(s.q, 0x1f7), ==, 0);
    ide_close(&s);
}

static void test_pio_packet(void)
{
    const uint16_t cdb[6] = { 0x0028, 0, 0x0500, 0, 0x0001, 0 };        /* READ(10), LBA 5, one sector */
    unsigned got = 0, pieces = 0;
    Ide s;

    ide_open(&s);
    qtest_outb(s.q, 0x171, 0);
    qtest_outb(s.q, 0x174, 0);
    qtest_outb(s.q, 0x175, 2);                              /* at most 512 bytes at a time */
    qtest_outb(s.q, 0x177, PACKET);
    g_assert_cmphex(ide_wait(&s, 0x170) & 0x89, ==, ST_DRQ);
    g_assert_cmphex(qtest_inb(s.q, 0x172) & 3, ==, 1);
    for (unsigned i = 0; i < 6; i++) {
        qtest_out(s.q, 0x170, 2, cdb[i]);
    }
    while ((ide_wait(&s, 0x170) & ST_DRQ) && pieces++ < 100) {
        unsigned n = qtest_inb(s.q, 0x174) | qtest_inb(s.q, 0x175) << 8;

        g_assert_cmpuint(n, ==, 512);
        for (unsigned i = 0; i < n; i += 2, got += 2) {
            g_assert_cmphex(qtest_in(s.q, 0x170, 2), ==, s.f.data[5 * 2048 + got] | s.f.data[5 * 2048 + got + 1] << 8);
        }
    }
    g_assert_cmpuint(got, ==, 2048);
    g_assert_cmphex(ide_wait(&s, 0x170) & 0x89, ==, 0);
    ide_close(&s);
}

static uint8_t dma(Ide *s, uint32_t table, uint8_t command, uint32_t lba, uint8_t count, bool to_memory)
{
    qbar_write(&s->bm, 4, 4, table);
    qbar_write(&s->bm, 2, 1, 0x66);
    qbar_write(&s->bm, 0, 1, to_memory ? 8 : 0);
    ide_command(s, 0x1f0, command, lba, count);
    qbar_write(&s->bm, 0, 1, to_memory ? 9 : 1);
    for (unsigned i = 0; i < 20000 && !(qbar_read(&s->bm, 2, 1) & 4); i++) {
        g_usleep(100);
    }
    qbar_write(&s->bm, 0, 1, 0);
    return qtest_inb(s->q, 0x1f7);
}

static void test_bus_master(void)
{
    uint8_t back[4096];
    uint64_t buf, table;
    Ide s;

    ide_open(&s);
    buf = qtest_alloc(s.q, 64 * KiB, 64 * KiB);
    table = qtest_alloc(s.q, 4096, 4096);
    qtest_write(s.q, table, 8, buf | 1000ull << 32);
    qtest_write(s.q, table + 8, 8, (buf + 1000) | (4096 - 1000ull) << 32 | 1ull << 63);
    g_assert_cmphex(dma(&s, (uint32_t)table, 0xc8, 20, 8, true) & 0x89, ==, 0);
    qtest_memread(s.q, buf, back, 4096);
    g_assert_cmpmem(back, 4096, s.f.data + 20 * SECTOR, 4096);
    g_assert_cmphex(qbar_read(&s.bm, 2, 1) & 1, ==, 0);
    g_assert_cmphex(dma(&s, (uint32_t)table, 0xca, 40, 8, false) & 0x89, ==, 0);
    disk_is(&s.f, 40 * SECTOR, back, 4096);
    g_assert_cmphex(dma(&s, (uint32_t)table, 0xc8, 0, 16, true) & 0x89, ==, ST_ERR);                   /* too short */
    g_assert_cmphex(dma(&s, 0xfec00000, 0xc8, 0, 1, true) & 0x89, ==, ST_ERR);                         /* in registers */
    qtest_write(s.q, table, 8, 0xfebf0000 | 1ull << 63);
    g_assert_cmphex(dma(&s, (uint32_t)table, 0xc8, 0, 1, true) & 0x89, ==, ST_ERR);                    /* to no memory */
    g_assert_cmphex(dma(&s, (uint32_t)table, IDENTIFY, 0, 1, true) & 0x89, ==, ST_DRQ);                /* PIO: DMA never begins */
    qtest_outb(s.q, 0x3f6, 4);                              /* reset in the middle of it */
    qtest_outb(s.q, 0x3f6, 0);
    g_assert_cmphex(qtest_inb(s.q, 0x1f7), ==, 0x50);
    g_assert_cmphex(qtest_inb(s.q, 0x1f1), ==, 1);
    ide_close(&s);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ahci/ports", test_ahci_ports_come_up);
    g_test_add_func("/ahci/data", test_ahci_moves_data);
    g_test_add_func("/ahci/queue", test_ahci_queues);
    g_test_add_func("/ahci/identify", test_ahci_tells_what_it_is);
    g_test_add_func("/ahci/refused", test_ahci_refuses);
    g_test_add_func("/ahci/malformed", test_ahci_malformed_lists);
    g_test_add_func("/ahci/error", test_failed_write_is_reported);
    g_test_add_func("/ahci/error-stop", test_failed_write_stops_and_is_tried_again);
    g_test_add_func("/cd/packets", test_packets);
    g_test_add_func("/cd/tray", test_tray);
    g_test_add_func("/boot-order", test_boot_order_names);
    g_test_add_func("/ide/pio", test_pio);
    g_test_add_func("/ide/packet", test_pio_packet);
    g_test_add_func("/ide/bus-master", test_bus_master);
    return g_test_run();
}
