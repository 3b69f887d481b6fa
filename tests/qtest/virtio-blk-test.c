/* virtio-blk: reads, writes, flush, discard, write zeroes against a file, and what is refused. */
#include "lib/virtio.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define DISK_SIZE (4 * MiB)
enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8, T_DISCARD = 11, T_WRITE_ZEROES = 13 };
enum { S_OK, S_IOERR, S_UNSUPP };
#define F_DISCARD (1ull << 13)
#define F_WRITE_ZEROES (1ull << 14)
#define F_FLUSH (1ull << 9)

typedef struct Disk {
    char *path;
    int fd;
    QTest *q;
    QPci pci;
    QVirtio v;
    QVirtQueue vq;
} Disk;

static void disk_open(Disk *d, const char *more)
{
    d->fd = g_file_open_tmp("qtest-disk-XXXXXX", &d->path, NULL);
    g_assert_cmpint(ftruncate(d->fd, DISK_SIZE), ==, 0);
    d->q = qtest_start("-machine q35 -blockdev driver=file,filename=%s,node-name=f,discard=unmap "
                       "-blockdev driver=raw,file=f,node-name=disk,discard=unmap "
                       "-device virtio-blk-pci,drive=disk,serial=quern-1%s", d->path, more);
    qpci_init(&d->pci, d->q, true);
    qvirtio_open(&d->v, &d->pci, 2, F_FLUSH | F_DISCARD | F_WRITE_ZEROES);
    qvirtio_queue_init(&d->vq, &d->v, 0);
    qvirtio_start(&d->v);
}

static void disk_close(Disk *d)
{
    qtest_stop(d->q);
    close(d->fd);
    g_unlink(d->path);
    g_free(d->path);
}

/* One request with @len bytes of data at guest address @data; its status. */
static uint8_t request(Disk *d, uint32_t type, uint64_t sector, uint64_t data, uint32_t len, bool device_writes)
{
    uint64_t header = qtest_alloc(d->q, 16, 16), status = qtest_alloc(d->q, 1, 1);
    QSegment segs[3] = { { header, 16, false } };
    unsigned n = 1;

    qtest_write(d->q, header, 4, type);
    qtest_write(d->q, header + 8, 8, sector);
    qtest_write(d->q, status, 1, 0xff);
    if (len) {
        segs[n++] = (QSegment){ data, len, device_writes };
    }
    segs[n++] = (QSegment){ status, 1, true };
    qvq_add(&d->vq, segs, n);
    qvq_kick(&d->vq);
    qvq_wait(&d->vq, NULL);
    return (uint8_t)qtest_read(d->q, status, 1);
}

static void test_data_goes_both_ways(void)
{
    uint8_t pattern[1024], back[1024];
    uint64_t buf;
    Disk d;

    disk_open(&d, "");
    g_assert_cmpuint(qvirtio_config(&d.v, 0, 8), ==, DISK_SIZE / 512);
    buf = qtest_alloc(d.q, 1024, 512);
    for (unsigned i = 0; i < sizeof(pattern); i++) {
        pattern[i] = (uint8_t)(i * 7 + 3);
    }
    qtest_memwrite(d.q, buf, pattern, sizeof(pattern));
    g_assert_cmpuint(request(&d, T_OUT, 5, buf, 1024, false), ==, S_OK);
    g_assert_cmpuint(request(&d, T_FLUSH, 0, 0, 0, false), ==, S_OK);
    g_assert_cmpint(pread(d.fd, back, 1024, 5 * 512), ==, 1024);
    g_assert_cmpmem(back, 1024, pattern, 1024);
    pattern[0] = 0x99;
    g_assert_cmpint(pwrite(d.fd, pattern, 1024, 64 * 512), ==, 1024);
    g_assert_cmpuint(request(&d, T_IN, 64, buf, 1024, true), ==, S_OK);
    qtest_memread(d.q, buf, back, 1024);
    g_assert_cmpmem(back, 1024, pattern, 1024);
    disk_close(&d);
}

static void test_ranges_are_discarded_and_zeroed(void)
{
    g_autofree uint8_t *data = g_malloc(1 * MiB);
    uint8_t byte;
    uint64_t range, buf;
    struct stat before, after;
    Disk d;

    disk_open(&d, "");
    memset(data, 0xaa, 1 * MiB);
    g_assert_cmpint(pwrite(d.fd, data, 1 * MiB, 0), ==, (ssize_t)(1 * MiB));
    fsync(d.fd);
    fstat(d.fd, &before);
    range = qtest_alloc(d.q, 16, 8);
    buf = qtest_alloc(d.q, 512, 512);
    qtest_write(d.q, range, 8, 0);
    qtest_write(d.q, range + 8, 4, 1024);                   /* 512 KiB */
    g_assert_cmpuint(request(&d, T_DISCARD, 0, range, 16, false), ==, S_OK);
    fstat(d.fd, &after);
    g_assert_cmpint(after.st_blocks, <, before.st_blocks);
    qtest_write(d.q, range, 8, 1536);
    qtest_write(d.q, range + 8, 4, 8);
    g_assert_cmpuint(request(&d, T_WRITE_ZEROES, 0, range, 16, false), ==, S_OK);
    g_assert_cmpuint(request(&d, T_IN, 1540, buf, 512, true), ==, S_OK);
    g_assert_cmphex(qtest_read(d.q, buf, 8), ==, 0);
    g_assert_cmpint(pread(d.fd, &byte, 1, 1544 * 512), ==, 1);
    g_assert_cmphex(byte, ==, 0xaa);                        /* the next sector is as it was */
    disk_close(&d);
}

static void test_id_and_refusals(void)
{
    uint64_t buf;
    char id[20];
    Disk d;

    disk_open(&d, "");
    buf = qtest_alloc(d.q, 1024, 512);
    g_assert_cmpuint(request(&d, T_GET_ID, 0, buf, 20, true), ==, S_OK);
    qtest_memread(d.q, buf, id, 20);
    g_assert_cmpstr(id, ==, "quern-1");
    g_assert_cmpuint(request(&d, 77, 0, buf, 512, true), ==, S_UNSUPP);
    g_assert_cmpuint(request(&d, T_IN, DISK_SIZE / 512, buf, 512, true), ==, S_IOERR);
    g_assert_cmpuint(request(&d, T_IN, UINT64_MAX / 512, buf, 512, true), ==, S_IOERR);
    g_assert_cmpuint(request(&d, T_IN, 0, buf, 100, true), ==, S_IOERR);
    g_assert_cmpuint(request(&d, T_IN, 0, buf, 512, true), ==, S_OK);       /* and still works */
    disk_close(&d);
}

/* A head beyond the ring: the device gives up and says so (section 2.1.1, DEVICE_NEEDS_RESET). */
static void test_nonsense_ring_breaks_the_device_only(void)
{
    uint64_t buf;
    Disk d;

    disk_open(&d, "");
    buf = qtest_alloc(d.q, 512, 512);
    qtest_write(d.q, d.vq.avail + 4, 2, 0x7fff);
    qtest_write(d.q, d.vq.avail + 2, 2, 1);
    qvq_kick(&d.vq);
    g_assert_cmphex(qvirtio_status(&d.v) & VIRTIO_NEEDS_RESET, ==, VIRTIO_NEEDS_RESET);
    qvirtio_open(&d.v, &d.pci, 2, F_FLUSH);                 /* reset heals */
    qvirtio_queue_init(&d.vq, &d.v, 0);
    qvirtio_start(&d.v);
    g_assert_cmpuint(request(&d, T_IN, 0, buf, 512, true), ==, S_OK);
    disk_close(&d);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virtio-blk/data", test_data_goes_both_ways);
    g_test_add_func("/virtio-blk/ranges", test_ranges_are_discarded_and_zeroed);
    g_test_add_func("/virtio-blk/refusals", test_id_and_refusals);
    g_test_add_func("/virtio-blk/nonsense", test_nonsense_ring_breaks_the_device_only);
    return g_test_run();
}
