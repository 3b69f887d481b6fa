/* virtio-blk: reads, writes, flush, discard, write zeroes against a file, and what is refused. */
#include "lib/virtio.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/resource.h>
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

/* @node: more options of the file, @more: of the device, @first: what comes before. */
static void disk_open_as(Disk *d, const char *first, const char *node, const char *more)
{
    d->fd = g_file_open_tmp("qtest-disk-XXXXXX", &d->path, NULL);
    g_assert_cmpint(ftruncate(d->fd, DISK_SIZE), ==, 0);
    d->q = qtest_start("-machine q35 %s -blockdev driver=file,filename=%s,node-name=f,discard=unmap%s "
                       "-blockdev driver=raw,file=f,node-name=disk,discard=unmap "
                       "-device virtio-blk-pci,id=d0,drive=disk,serial=quern-1%s", first, d->path, node, more);
    qpci_init(&d->pci, d->q, true);
    qvirtio_open(&d->v, &d->pci, 2, F_FLUSH | F_DISCARD | F_WRITE_ZEROES);
    qvirtio_queue_init(&d->vq, &d->v, 0);
    qvirtio_start(&d->v);
}

static void disk_open(Disk *d, const char *more)
{
    disk_open_as(d, "", "", more);
}

static void disk_close(Disk *d)
{
    qtest_stop(d->q);
    close(d->fd);
    g_unlink(d->path);
    g_free(d->path);
}

/* Start a request with @len bytes of data at guest address @data; where its status will be. */
static uint64_t start_request(Disk *d, uint32_t type, uint64_t sector, uint64_t data, uint32_t len, bool device_writes)
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
    return status;
}

/* The whole request; its status. */
static uint8_t request(Disk *d, uint32_t type, uint64_t sector, uint64_t data, uint32_t len, bool device_writes)
{
    uint64_t status = start_request(d, type, sector, data, len, device_writes);

    qvq_wait(&d->vq, NULL);
    return (uint8_t)qtest_read(d->q, status, 1);
}

static void assert_reply_has(Disk *d, const char *json, const char *text)
{
    g_autofree char *reply = qtest_qmp(d->q, json);

    if (!strstr(reply, text)) {
        g_error("%s: no %s in %s", json, text, reply);
    }
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

/* --- with an iothread --- */

static void check_iothread(const char *node)
{
    uint8_t pattern[4096], back[4096];
    uint64_t buf;
    Disk d;

    disk_open_as(&d, "-object iothread,id=io1", node, ",iothread=io1,num-queues=2");
    g_assert_cmpuint(qvirtio_config(&d.v, 34, 2), ==, 2);
    buf = qtest_alloc(d.q, 4096, 512);
    for (unsigned i = 0; i < 40; i++) {
        memset(pattern, (int)i + 1, sizeof(pattern));
        qtest_memwrite(d.q, buf, pattern, sizeof(pattern));
        g_assert_cmpuint(request(&d, T_OUT, i * 8, buf, 4096, false), ==, S_OK);
        qtest_memset(d.q, buf, 0, 4096);
        g_assert_cmpuint(request(&d, T_IN, i * 8, buf, 4096, true), ==, S_OK);
        qtest_memread(d.q, buf, back, 4096);
        g_assert_cmpmem(back, 4096, pattern, 4096);
    }
    g_assert_cmpuint(request(&d, T_FLUSH, 0, 0, 0, false), ==, S_OK);
    assert_reply_has(&d, "{'execute':'object-del','arguments':{'id':'io1'}}", "in use");
    assert_reply_has(&d, "{'execute':'system_reset'}", "return");
    disk_close(&d);
}

static void test_iothread(void)
{
    check_iothread("");
}

static void test_iothread_io_uring(void)
{
    check_iothread(",aio=io_uring");
}

/* --- statistics, limits, sizes --- */

static void test_statistics(void)
{
    uint64_t buf;
    Disk d;

    disk_open(&d, "");
    buf = qtest_alloc(d.q, 4096, 512);
    assert_reply_has(&d, "{'execute':'query-block'}", "/machine/peripheral/d0/virtio-backend");
    request(&d, T_IN, 0, buf, 4096, true);
    request(&d, T_IN, 0, buf, 512, true);
    request(&d, T_OUT, 8, buf, 1024, false);
    request(&d, T_FLUSH, 0, 0, 0, false);
    request(&d, T_IN, DISK_SIZE / 512, buf, 512, true);
    assert_reply_has(&d, "{'execute':'query-blockstats'}", "\"rd_bytes\": 4608, \"wr_bytes\": 1024");
    assert_reply_has(&d, "{'execute':'query-blockstats'}", "\"rd_operations\": 2, \"wr_operations\": 1");
    assert_reply_has(&d, "{'execute':'query-blockstats'}", "\"flush_operations\": 1");
    assert_reply_has(&d, "{'execute':'query-blockstats'}", "\"wr_highest_offset\": 5120");
    assert_reply_has(&d, "{'execute':'query-blockstats'}", "\"invalid_rd_operations\": 1");
    assert_reply_has(&d, "{'execute':'query-blockstats'}", "\"idle_time_ns\"");
    disk_close(&d);
}

static void test_limits_slow_down(void)
{
    gint64 start;
    uint64_t buf;
    Disk d;

    disk_open(&d, "");
    buf = qtest_alloc(d.q, 512, 512);
    assert_reply_has(&d, "{'execute':'block_set_io_throttle','arguments':{'id':'/machine/peripheral/d0/virtio-backend',"
                     "'bps':0,'bps_rd':0,'bps_wr':0,'iops':40,'iops_rd':0,'iops_wr':0}}", "return");
    assert_reply_has(&d, "{'execute':'query-block'}", "\"iops\": 40");
    start = g_get_monotonic_time();
    for (unsigned i = 0; i < 15; i++) {
        g_assert_cmpuint(request(&d, T_IN, 0, buf, 512, true), ==, S_OK);
    }
    g_assert_cmpint(g_get_monotonic_time() - start, >=, 240000);        /* 4 at once and one over the brim; 25 ms for each of 10 */
    assert_reply_has(&d, "{'execute':'block_set_io_throttle','arguments':{'id':'d0',"
                     "'bps':0,'bps_rd':0,'bps_wr':0,'iops':1,'iops_rd':0,'iops_wr':0}}", "return");
    start_request(&d, T_IN, 0, buf, 512, true);
    start_request(&d, T_IN, 0, buf, 512, true);
    start_request(&d, T_IN, 0, buf, 512, true);
    assert_reply_has(&d, "{'execute':'system_reset'}", "return");       /* does not wait for them */
    disk_close(&d);
}

static void test_resize_is_seen(void)
{
    Disk d;

    disk_open(&d, "");
    assert_reply_has(&d, "{'execute':'block_resize','arguments':{'node-name':'disk','size':8388608}}", "return");
    g_assert_cmpuint(qvirtio_config(&d.v, 0, 8), ==, 2 * DISK_SIZE / 512);
    assert_reply_has(&d, "{'execute':'block_resize','arguments':{'node-name':'f','size':1048576}}", "return");
    g_assert_cmpuint(qvirtio_config(&d.v, 0, 8), ==, 2048);
    disk_close(&d);
}

/* --- errors --- */

/* Let the emulator write no byte of any file beyond @limit; the kernel answers EFBIG. */
static void limit_files(Disk *d, rlim_t limit)
{
    struct rlimit r = { limit, RLIM_INFINITY };

    g_assert_cmpint(prlimit(qtest_pid(d->q), RLIMIT_FSIZE, &r, NULL), ==, 0);
}

static void wait_for_status(Disk *d, const char *status)
{
    for (unsigned i = 0; i < 2000; i++) {
        g_autofree char *reply = qtest_qmp(d->q, "{'execute':'query-status'}");

        if (strstr(reply, status)) {
            return;
        }
        g_usleep(1000);
    }
    g_error("the machine does not become %s", status);
}

static void test_failed_write_stops_and_is_tried_again(void)
{
    g_autofree char *event = NULL;
    uint8_t back[512];
    uint64_t buf, status;
    Disk d;

    disk_open(&d, ",werror=stop");
    assert_reply_has(&d, "{'execute':'cont'}", "return");
    buf = qtest_alloc(d.q, 512, 512);
    qtest_memset(d.q, buf, 0x77, 512);
    limit_files(&d, 1 * MiB);
    status = start_request(&d, T_OUT, 4096, buf, 512, false);
    event = qtest_qmp_event(d.q, "BLOCK_IO_ERROR");
    g_assert_nonnull(strstr(event, "\"action\": \"stop\""));
    g_assert_nonnull(strstr(event, "\"operation\": \"write\""));
    g_assert_nonnull(strstr(event, "\"node-name\": \"disk\""));
    wait_for_status(&d, "io-error");
    assert_reply_has(&d, "{'execute':'query-block'}", "\"io-status\": \"failed\"");
    g_assert_cmphex(qtest_read(d.q, status, 1), ==, 0xff);      /* the guest knows nothing of it */
    limit_files(&d, RLIM_INFINITY);
    assert_reply_has(&d, "{'execute':'cont'}", "return");
    qvq_wait(&d.vq, NULL);
    g_assert_cmphex(qtest_read(d.q, status, 1), ==, S_OK);
    g_assert_cmpint(pread(d.fd, back, 512, 4096 * 512), ==, 512);
    g_assert_cmphex(back[0], ==, 0x77);
    assert_reply_has(&d, "{'execute':'query-block'}", "\"io-status\": \"ok\"");
    disk_close(&d);
}

static void test_failed_write_is_reported_or_ignored(void)
{
    static const struct { const char *option; uint8_t status; const char *action; } cases[] = {
        { "", S_IOERR, "\"report\"" }, { ",werror=report", S_IOERR, "\"report\"" }, { ",werror=ignore", S_OK, "\"ignore\"" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *event = NULL;
        Disk d;

        disk_open(&d, cases[i].option);
        limit_files(&d, 1 * MiB);
        g_assert_cmpuint(request(&d, T_OUT, 4096, qtest_alloc(d.q, 512, 512), 512, false), ==, cases[i].status);
        event = qtest_qmp_event(d.q, "BLOCK_IO_ERROR");
        g_assert_nonnull(strstr(event, cases[i].action));
        disk_close(&d);
    }
}

/* What was kept for later is dropped by a reset, not tried on a device that knows nothing of it. */
static void test_reset_drops_what_failed(void)
{
    g_autofree char *event = NULL;
    uint64_t buf, status;
    Disk d;

    disk_open(&d, ",werror=stop");
    assert_reply_has(&d, "{'execute':'cont'}", "return");
    buf = qtest_alloc(d.q, 512, 512);
    limit_files(&d, 1 * MiB);
    status = start_request(&d, T_OUT, 4096, buf, 512, false);
    event = qtest_qmp_event(d.q, "BLOCK_IO_ERROR");
    wait_for_status(&d, "io-error");
    limit_files(&d, RLIM_INFINITY);
    assert_reply_has(&d, "{'execute':'system_reset'}", "return");
    g_free(qtest_qmp_event(d.q, "RESET"));
    assert_reply_has(&d, "{'execute':'query-block'}", "\"io-status\": \"ok\"");
    assert_reply_has(&d, "{'execute':'cont'}", "return");
    g_assert_cmphex(qtest_read(d.q, status, 1), ==, 0xff);
    disk_close(&d);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virtio-blk/data", test_data_goes_both_ways);
    g_test_add_func("/virtio-blk/ranges", test_ranges_are_discarded_and_zeroed);
    g_test_add_func("/virtio-blk/refusals", test_id_and_refusals);
    g_test_add_func("/virtio-blk/nonsense", test_nonsense_ring_breaks_the_device_only);
    g_test_add_func("/virtio-blk/iothread", test_iothread);
    g_test_add_func("/virtio-blk/iothread-io_uring", test_iothread_io_uring);
    g_test_add_func("/virtio-blk/statistics", test_statistics);
    g_test_add_func("/virtio-blk/limits", test_limits_slow_down);
    g_test_add_func("/virtio-blk/resize", test_resize_is_seen);
    g_test_add_func("/virtio-blk/errors/stop", test_failed_write_stops_and_is_tried_again);
    g_test_add_func("/virtio-blk/errors/report", test_failed_write_is_reported_or_ignored);
    g_test_add_func("/virtio-blk/errors/reset", test_reset_drops_what_failed);
    return g_test_run();
}
