/* virtio-mem: every request right and wrong, what is at unplugged addresses, and that none of it costs host memory. */
#include "lib/virtio.h"

#include <glib/gstdio.h>
#include <sys/stat.h>

enum { REQ_PLUG, REQ_UNPLUG, REQ_UNPLUG_ALL, REQ_STATE };
enum { ACK, NACK, BUSY, ERROR };
enum { PLUGGED, UNPLUGGED, MIXED };
#define F_INACCESSIBLE (1ull << 1)
#define BASE  (4096 * MiB)
#define BLOCK (2 * MiB)
#define REGION (1024 * MiB)

typedef struct Mem {
    QTest *q;
    QPci pci;
    QVirtio v;
    QVirtQueue vq;
} Mem;

static void mem_start(Mem *m, uint64_t features)
{
    qpci_init(&m->pci, m->q, true);
    qvirtio_open(&m->v, &m->pci, 24, features);
    qvirtio_queue_init(&m->vq, &m->v, 0);
    qvirtio_start(&m->v);
}

static void mem_open_on(Mem *m, const char *backend, const char *options, uint64_t features)
{
    m->q = qtest_start("-machine q35 -m 256M,maxmem=4G -object %s -device virtio-mem-pci,id=vm0,memdev=m0,requested-size=64M%s",
                       backend, options);
    mem_start(m, features);
}

static void mem_open(Mem *m, const char *options, uint64_t features)
{
    mem_open_on(m, "memory-backend-ram,id=m0,size=1G,reserve=off", options, features);
}

/* The response's type; @state may be NULL. */
static unsigned ask_raw(Mem *m, uint16_t type, uint64_t addr, uint16_t n, unsigned *state)
{
    uint64_t req = qtest_alloc(m->q, 24, 8), resp = qtest_alloc(m->q, 10, 8);
    QSegment segs[2] = { { req, 24, false }, { resp, 10, true } };
    uint32_t written;

    qtest_write(m->q, req, 2, type);
    qtest_write(m->q, req + 8, 8, addr);
    qtest_write(m->q, req + 16, 2, n);
    qtest_write(m->q, resp, 2, 0xffff);
    qvq_add(&m->vq, segs, 2);
    qvq_kick(&m->vq);
    qvq_wait(&m->vq, &written);
    g_assert_cmpuint(written, ==, 10);
    if (state) {
        *state = (unsigned)qtest_read(m->q, resp + 8, 2);
    }
    return (unsigned)qtest_read(m->q, resp, 2);
}

static unsigned ask(Mem *m, uint16_t type, uint64_t offset, uint16_t n)
{
    return ask_raw(m, type, BASE + offset, n, NULL);
}

static unsigned state_of(Mem *m, uint64_t offset, uint16_t n)
{
    unsigned state = 99;

    g_assert_cmpuint(ask_raw(m, REQ_STATE, BASE + offset, n, &state), ==, ACK);
    return state;
}

static uint64_t plugged(Mem *m) { return qvirtio_config(&m->v, 40, 8); }
static uint64_t usable(Mem *m)  { return qvirtio_config(&m->v, 32, 8); }

static void request_size(Mem *m, uint64_t size)
{
    g_autofree char *json = g_strdup_printf("{'execute':'qom-set','arguments':{'path':'/machine/peripheral/vm0',"
                                            "'property':'requested-size','value':%" PRIu64 "}}", size);
    g_autofree char *reply = qtest_qmp(m->q, json);

    g_assert_nonnull(strstr(reply, "\"return\""));
    g_assert_cmpuint(qvirtio_config(&m->v, 48, 8), ==, size);
}

/* KiB resident of the mapping that holds the region: the only one of 1 GiB. */
static unsigned resident_kib(Mem *m)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/smaps", qtest_pid(m->q)), *text = NULL;
    g_auto(GStrv) lines = NULL;
    bool ours = false;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    lines = g_strsplit(text, "\n", -1);
    for (char **l = lines; *l; l++) {
        ours = g_str_has_prefix(*l, "Size:") ? strtoul(*l + 5, NULL, 10) == REGION / KiB : ours;
        if (ours && g_str_has_prefix(*l, "Rss:")) {
            return (unsigned)strtoul(*l + 4, NULL, 10);
        }
    }
    g_error("no mapping of the region");
}

static void test_configuration(void)
{
    Mem m;

    mem_open(&m, "", F_INACCESSIBLE);
    g_assert_cmpuint(qvirtio_config(&m.v, 0, 8), ==, BLOCK);
    g_assert_cmpuint(qvirtio_config(&m.v, 16, 8), ==, BASE);
    g_assert_cmpuint(qvirtio_config(&m.v, 24, 8), ==, REGION);
    g_assert_cmpuint(usable(&m), ==, 64 * MiB + 256 * MiB);
    g_assert_cmpuint(plugged(&m), ==, 0);
    g_assert_cmpuint(qvirtio_config(&m.v, 48, 8), ==, 64 * MiB);
    g_assert_cmphex(qvirtio_offered(&m.v) & 7, ==, 7);
    request_size(&m, 512 * MiB);
    g_assert_cmpuint(usable(&m), ==, 768 * MiB);
    request_size(&m, REGION);
    g_assert_cmpuint(usable(&m), ==, REGION);
    request_size(&m, 0);                    /* shrinks by unplug-all only */
    g_assert_cmpuint(usable(&m), ==, REGION);
    g_assert_cmpuint(ask(&m, REQ_UNPLUG_ALL, 0, 0), ==, ACK);
    g_assert_cmpuint(usable(&m), ==, 256 * MiB);
    qtest_stop(m.q);
}

static void test_plug_and_unplug(void)
{
    Mem m;

    mem_open(&m, "", F_INACCESSIBLE);
    g_assert_cmpuint(ask(&m, REQ_PLUG, 0, 2), ==, ACK);
    g_assert_cmpuint(ask(&m, REQ_PLUG, 4 * BLOCK, 1), ==, ACK);
    g_assert_cmpuint(plugged(&m), ==, 3 * BLOCK);
    g_assert_cmpuint(state_of(&m, 0, 2), ==, PLUGGED);
    g_assert_cmpuint(state_of(&m, 0, 3), ==, MIXED);
    g_assert_cmpuint(state_of(&m, 2 * BLOCK, 2), ==, UNPLUGGED);
    g_assert_cmpuint(ask(&m, REQ_UNPLUG, BLOCK, 1), ==, ACK);
    g_assert_cmpuint(state_of(&m, 0, 2), ==, MIXED);
    g_assert_cmpuint(plugged(&m), ==, 2 * BLOCK);
    g_assert_cmpuint(ask(&m, REQ_UNPLUG_ALL, 0, 0), ==, ACK);
    g_assert_cmpuint(plugged(&m), ==, 0);
    g_assert_cmpuint(state_of(&m, 0, 160), ==, UNPLUGGED);
    qtest_stop(m.q);
}

/* Section 5.15.6.2: NACK beyond what is requested, ERROR for what makes no sense; nothing changes. */
static void test_wrong_requests(void)
{
    static const struct { uint64_t addr; uint16_t n; } wrong[] = {
        { BASE, 0 }, { BASE + 4096, 1 }, { BASE - BLOCK, 1 }, { 0, 1 }, { UINT64_MAX - BLOCK + 1, 1 }, { UINT64_MAX, 65535 },
        { BASE + 320 * MiB, 1 }, { BASE + 318 * MiB, 2 }, { BASE, 161 }, { BASE, 65535 }, { BASE + REGION, 1 },
        { 1ull << 63, 1 },
    };
    Mem m;

    mem_open(&m, "", F_INACCESSIBLE);
    g_assert_cmpuint(ask(&m, REQ_PLUG, 0, 33), ==, NACK);
    g_assert_cmpuint(ask(&m, REQ_PLUG, 0, 32), ==, ACK);
    g_assert_cmpuint(ask(&m, REQ_PLUG, 32 * BLOCK, 1), ==, NACK);
    g_assert_cmpuint(ask(&m, REQ_PLUG, 31 * BLOCK, 2), ==, ERROR);      /* one is plugged */
    g_assert_cmpuint(ask(&m, REQ_UNPLUG, 31 * BLOCK, 2), ==, ERROR);    /* one is not */
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        for (uint16_t type = REQ_PLUG; type <= REQ_STATE; type += type == REQ_UNPLUG ? 2 : 1) {
            g_assert_cmpuint(ask_raw(&m, type, wrong[i].addr, wrong[i].n, NULL), ==, ERROR);
        }
    }
    g_assert_cmpuint(ask(&m, 4, 0, 1), ==, ERROR);
    g_assert_cmpuint(ask(&m, 0xffff, 0, 1), ==, ERROR);
    g_assert_cmpuint(plugged(&m), ==, 64 * MiB);
    request_size(&m, 0);
    g_assert_cmpuint(ask(&m, REQ_PLUG, 40 * BLOCK, 1), ==, NACK);       /* more than requested is there already */
    g_assert_cmpuint(ask(&m, REQ_UNPLUG, 0, 32), ==, ACK);
    qtest_stop(m.q);
}

static void test_malformed_chains_need_a_reset(void)
{
    static const struct { uint32_t out, in; } sizes[] = { { 23, 10 }, { 24, 9 }, { 0, 10 }, { 24, 0 } };

    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        QSegment segs[2];
        unsigned n = 0;
        Mem m;

        mem_open(&m, "", F_INACCESSIBLE);
        if (sizes[i].out) {
            segs[n++] = (QSegment){ qtest_alloc(m.q, 24, 8), sizes[i].out, false };
        }
        if (sizes[i].in) {
            segs[n++] = (QSegment){ qtest_alloc(m.q, 10, 8), sizes[i].in, true };
        }
        qvq_add(&m.vq, segs, n);
        qvq_kick(&m.vq);
        g_assert_true(qvirtio_status(&m.v) & VIRTIO_NEEDS_RESET);
        g_assert_false(qvq_has_used(&m.vq));
        qtest_stop(m.q);
    }
}

/* @why: of the mapping and the feature. */
static void check_unplugged(const char *options, uint64_t features, const char *why)
{
    g_autofree uint8_t *buf = g_malloc(8 * BLOCK);
    Mem m;

    g_test_message("%s", why);
    mem_open(&m, options, features);
    g_assert_cmpuint(ask(&m, REQ_PLUG, BLOCK, 1), ==, ACK);
    qtest_memset(m.q, BASE, 0xab, 4 * BLOCK);
    qtest_memread(m.q, BASE, buf, 4 * BLOCK);
    for (unsigned i = 0; i < 4; i++) {
        g_assert_cmphex(buf[i * BLOCK], ==, i == 1 ? 0xab : 0);
        g_assert_cmphex(buf[(i + 1) * BLOCK - 1], ==, i == 1 ? 0xab : 0);
    }
    g_assert_cmpuint(resident_kib(&m), ==, BLOCK / KiB);
    g_assert_cmpuint(ask(&m, REQ_UNPLUG, BLOCK, 1), ==, ACK);
    g_assert_cmpuint(resident_kib(&m), ==, 0);
    g_assert_cmpuint(ask(&m, REQ_PLUG, BLOCK, 1), ==, ACK);
    g_assert_cmphex(qtest_read(m.q, BASE + BLOCK, 8), ==, 0);           /* what was there is gone */
    qtest_stop(m.q);
}

static void test_unplugged_memory_is_not_there(void)
{
    check_unplugged("", F_INACCESSIBLE, "dynamic slots: the chunk is mapped, the blocks around are not there");
    check_unplugged(",dynamic-memslots=off", F_INACCESSIBLE, "one slot");
    check_unplugged(",unplugged-inaccessible=off", 0, "may be read");
    check_unplugged(",unplugged-inaccessible=auto", 0, "may be read, driver knows not better");
    check_unplugged(",prealloc=on", F_INACCESSIBLE, "preallocated");
}

static void test_preallocation_is_by_plug(void)
{
    Mem m;

    mem_open(&m, ",prealloc=on", F_INACCESSIBLE);
    g_assert_cmpuint(resident_kib(&m), ==, 0);
    g_assert_cmpuint(ask(&m, REQ_PLUG, 0, 4), ==, ACK);
    g_assert_cmpuint(resident_kib(&m), ==, 4 * BLOCK / KiB);
    qtest_stop(m.q);
}

static void test_system_reset_unplugs(void)
{
    g_autofree char *event = NULL;
    Mem m;

    mem_open(&m, "", F_INACCESSIBLE);
    request_size(&m, 512 * MiB);
    g_assert_cmpuint(ask(&m, REQ_PLUG, 0, 200), ==, ACK);
    event = qtest_qmp_event(m.q, "MEMORY_DEVICE_SIZE_CHANGE");
    g_assert_nonnull(strstr(event, "419430400"));
    qtest_memset(m.q, BASE, 1, BLOCK);
    g_free(qtest_qmp(m.q, "{'execute':'system_reset'}"));
    g_free(qtest_qmp_event(m.q, "RESET"));
    g_assert_cmpuint(resident_kib(&m), ==, 0);
    mem_start(&m, F_INACCESSIBLE);
    g_assert_cmpuint(plugged(&m), ==, 0);
    g_assert_cmpuint(usable(&m), ==, 768 * MiB);
    g_assert_cmpuint(qvirtio_config(&m.v, 48, 8), ==, 512 * MiB);
    qtest_stop(m.q);
}

/* A device reset is no system reset: the driver finds what it had. */
static void test_device_reset_keeps_memory(void)
{
    Mem m;

    mem_open(&m, "", F_INACCESSIBLE);
    g_assert_cmpuint(ask(&m, REQ_PLUG, 0, 5), ==, ACK);
    qtest_write(m.q, BASE + 8, 8, 0x1234);
    qvirtio_open(&m.v, &m.pci, 24, F_INACCESSIBLE);
    qvirtio_queue_init(&m.vq, &m.v, 0);
    qvirtio_start(&m.v);
    g_assert_cmpuint(plugged(&m), ==, 5 * BLOCK);
    g_assert_cmphex(qtest_read(m.q, BASE + 8, 8), ==, 0x1234);
    g_assert_cmpuint(ask(&m, REQ_UNPLUG, 0, 5), ==, ACK);
    qtest_stop(m.q);
}

/* A disk's request on its way to [@addr, +@len); where its status will be. */
static uint64_t read_disk(QVirtQueue *vq, QTest *q, uint64_t addr, uint32_t len)
{
    uint64_t header = qtest_alloc(q, 16, 16), status = qtest_alloc(q, 1, 1);
    QSegment segs[3] = { { header, 16, false }, { addr, len, true }, { status, 1, true } };

    qtest_write(q, status, 1, 0xff);
    qvq_add(vq, segs, 3);
    qvq_kick(vq);
    return status;
}

static void set_read_limit(QTest *q, unsigned bytes_per_second)
{
    g_autofree char *json = g_strdup_printf("{'execute':'block_set_io_throttle','arguments':{'id':'d0','bps':0,'bps_wr':0,'iops':0,"
                                            "'iops_rd':0,'iops_wr':0,'bps_rd':%u}}", bytes_per_second);
    g_autofree char *reply = qtest_qmp(q, json);

    g_assert_nonnull(strstr(reply, "\"return\""));
}

/* Memory that a device was told to write to is busy until it has: then nothing brings pages back after the unplug. */
static void test_memory_under_dma_is_busy(void)
{
    uint64_t status;
    QVirtQueue disk_queue;
    QVirtio disk;
    Mem m;

    mem_open(&m, " -blockdev driver=null-co,node-name=n,size=1M,read-zeroes=on -device virtio-blk-pci,id=d0,drive=n", F_INACCESSIBLE);
    qvirtio_open(&disk, &m.pci, 2, 0);
    qvirtio_queue_init(&disk_queue, &disk, 0);
    qvirtio_start(&disk);
    g_assert_cmpuint(ask(&m, REQ_PLUG, 0, 4), ==, ACK);
    set_read_limit(m.q, 1);
    status = read_disk(&disk_queue, m.q, BASE, 512);        /* the first passes, the next waits for minutes */
    qvq_wait(&disk_queue, NULL);
    g_assert_cmphex(qtest_read(m.q, status, 1), ==, 0);
    status = read_disk(&disk_queue, m.q, BASE + 2 * BLOCK - 4096, 8192);
    for (unsigned i = 0; i < 3; i++) {
        g_assert_cmpuint(ask(&m, REQ_UNPLUG, i * BLOCK, 2), ==, BUSY);
    }
    g_assert_cmpuint(ask(&m, REQ_UNPLUG_ALL, 0, 0), ==, BUSY);
    g_assert_cmpuint(plugged(&m), ==, 4 * BLOCK);
    g_assert_cmpuint(state_of(&m, 0, 4), ==, PLUGGED);
    g_assert_cmpuint(ask(&m, REQ_UNPLUG, 3 * BLOCK, 1), ==, ACK);       /* nobody is at that */
    g_assert_cmphex(qtest_read(m.q, status, 1), ==, 0xff);
    set_read_limit(m.q, 0);
    qvq_wait(&disk_queue, NULL);
    g_assert_cmphex(qtest_read(m.q, status, 1), ==, 0);
    g_assert_cmpuint(ask(&m, REQ_UNPLUG, 0, 3), ==, ACK);
    g_assert_cmpuint(plugged(&m), ==, 0);
    g_assert_cmpuint(resident_kib(&m), ==, 0);
    qtest_stop(m.q);
}

/* A driver that would read unplugged memory is not let in unless it may. */
static void test_driver_must_leave_unplugged_memory_alone(void)
{
    static const struct { const char *options; bool without, with; } cases[] = {
        { "", false, true }, { ",unplugged-inaccessible=on", false, true }, { ",unplugged-inaccessible=auto", true, true },
        { ",unplugged-inaccessible=off", true, true },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Mem m;

        mem_open(&m, cases[i].options, F_INACCESSIBLE);
        g_assert_cmpint(!(qvirtio_offered(&m.v) & F_INACCESSIBLE), ==, i == 3);
        g_assert_cmpint(qvirtio_try(&m.v, &m.pci, 24, 0), ==, cases[i].without);
        g_assert_cmpint(qvirtio_try(&m.v, &m.pci, 24, F_INACCESSIBLE), ==, cases[i].with);
        qtest_stop(m.q);
    }
}

static void test_node_is_told(void)
{
    Mem m;

    mem_open(&m, ",node=1 -object memory-backend-ram,id=r0,size=256M -numa node,memdev=r0 -numa node", F_INACCESSIBLE);
    g_assert_cmphex(qvirtio_offered(&m.v) & 1, ==, 1);                  /* VIRTIO_MEM_F_ACPI_PXM */
    g_assert_cmpuint(qvirtio_config(&m.v, 8, 2), ==, 1);
    qtest_stop(m.q);
}

enum { LPC_PMBASE = 0x40, LPC_ACPI_CNTL = 0x44, PM_PORT = 0x600, PM1_CNT = 4, SLP_TYP_S3 = 1, SLP_EN = 1 << 13 };

/* VIRTIO_MEM_F_PERSISTENT_SUSPEND: over S3 the guest keeps its blocks and what is in them. */
static void test_sleep_keeps_memory(void)
{
    Mem m;

    mem_open(&m, "", F_INACCESSIBLE);
    g_assert_cmpuint(ask(&m, REQ_PLUG, 0, 5), ==, ACK);
    g_assert_cmpuint(ask(&m, REQ_UNPLUG, BLOCK, 1), ==, ACK);
    qtest_write(m.q, BASE + 2 * BLOCK + 8, 8, 0x5a5a);
    qpci_write(&(QPciDev){ &m.pci, 0, 0x1f << 3 }, LPC_PMBASE, 4, PM_PORT | 1);
    qpci_write(&(QPciDev){ &m.pci, 0, 0x1f << 3 }, LPC_ACPI_CNTL, 1, 0x80);
    qtest_out(m.q, PM_PORT + PM1_CNT, 2, SLP_TYP_S3 << 10 | SLP_EN);
    g_free(qtest_qmp_event(m.q, "SUSPEND"));
    g_free(qtest_qmp(m.q, "{'execute':'system_wakeup'}"));
    g_free(qtest_qmp_event(m.q, "WAKEUP"));
    mem_start(&m, F_INACCESSIBLE);
    g_assert_cmpuint(plugged(&m), ==, 4 * BLOCK);
    g_assert_cmpuint(state_of(&m, 0, 2), ==, MIXED);
    g_assert_cmphex(qtest_read(m.q, BASE + 2 * BLOCK + 8, 8), ==, 0x5a5a);
    qtest_stop(m.q);
}

/* --- what backends give back --- */

/* 512-byte blocks of the file behind the backend: the memfd with its name, or @path. */
static uint64_t file_blocks(Mem *m, const char *path)
{
    g_autofree char *folder = g_strdup_printf("/proc/%d/fd", qtest_pid(m->q));
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    struct stat st;

    for (const char *name; !path && (name = g_dir_read_name(dir)) != NULL;) {
        g_autofree char *fd = g_build_filename(folder, name, NULL), *target = g_file_read_link(fd, NULL);

        if (target && g_str_has_prefix(target, "/memfd:m0")) {
            g_assert_cmpint(stat(fd, &st), ==, 0);
            return (uint64_t)st.st_blocks;
        }
    }
    g_assert_nonnull(path);
    g_assert_cmpint(stat(path, &st), ==, 0);
    return (uint64_t)st.st_blocks;
}

/* Plug, fill, unplug: in memory, and in the file behind if there is one, nothing is left.  @device: more of its properties. */
static void check_gives_back(const char *backend, const char *device, const char *path, bool has_file, uint64_t block)
{
    unsigned n = (unsigned)(8 * MiB / block);
    Mem m;

    g_test_message("%s", backend);
    mem_open_on(&m, backend, device, F_INACCESSIBLE);
    g_assert_cmpuint(qvirtio_config(&m.v, 0, 8), ==, block);
    for (unsigned round = 0; round < 2; round++) {
        g_assert_cmpuint(ask(&m, REQ_PLUG, 0, (uint16_t)n), ==, ACK);
        qtest_memset(m.q, BASE, 0xab, 8 * MiB);
        if (!g_strrstr(backend, "hugetlb")) {           /* whose pages are in no Rss */
            g_assert_cmpuint(resident_kib(&m), ==, 8 * MiB / KiB);
        }
        if (has_file) {
            g_assert_cmpuint(file_blocks(&m, path), >=, 8 * MiB / 512);
        }
        g_assert_cmpuint(ask(&m, REQ_UNPLUG, 0, (uint16_t)n), ==, ACK);
        g_assert_cmpuint(resident_kib(&m), ==, 0);
        if (has_file) {
            g_assert_cmpuint(file_blocks(&m, path), <, 64);
        }
    }
    g_assert_cmpuint(ask(&m, REQ_PLUG, 0, 1), ==, ACK);
    g_assert_cmphex(qtest_read(m.q, BASE, 8), ==, 0);
    qtest_stop(m.q);
}

static void test_backends_give_memory_back(void)
{
    g_autofree char *folder = g_dir_make_tmp("qtest-memory-XXXXXX", NULL), *path = g_build_filename(folder, "ram", NULL);
    g_autofree char *file = g_strdup_printf("memory-backend-file,id=m0,size=1G,mem-path=%s,share=on", path);
    g_autofree char *private = g_strdup_printf("memory-backend-file,id=m0,size=1G,mem-path=%s,reserve=off", path);

    check_gives_back("memory-backend-ram,id=m0,size=1G,share=on", "", NULL, false, BLOCK);
    check_gives_back("memory-backend-ram,id=m0,size=1G", ",dynamic-memslots=off", NULL, false, BLOCK);
    check_gives_back("memory-backend-memfd,id=m0,size=1G", "", NULL, true, BLOCK);
    check_gives_back("memory-backend-memfd,id=m0,size=1G,share=off", "", NULL, false, BLOCK);
    check_gives_back("memory-backend-memfd,id=m0,size=1G", ",prealloc=on,block-size=4M", NULL, true, 2 * BLOCK);
    check_gives_back(file, "", path, true, BLOCK);
    check_gives_back(private, "", path, false, BLOCK);
    g_unlink(path);
    g_rmdir(folder);
}

static unsigned free_huge_pages(void)
{
    g_autofree char *text = NULL;

    return g_file_get_contents("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", &text, NULL, NULL)
        ? (unsigned)strtoul(text, NULL, 10) : 0;
}

/* Huge pages are taken when the guest plugs, not before, and are free again when it unplugs; where there are none: BUSY. */
static void test_huge_pages(void)
{
    const char *backend = "memory-backend-memfd,id=m0,size=1G,hugetlb=on,hugetlbsize=2M,reserve=off";
    unsigned before = free_huge_pages();
    Mem m;

    if (!g_file_test("/sys/kernel/mm/hugepages/hugepages-2048kB", G_FILE_TEST_IS_DIR)) {
        g_test_skip("this host has no pages of 2 MiB");
        return;
    }
    if (before < 4) {
        mem_open_on(&m, backend, "", F_INACCESSIBLE);
        g_assert_cmpuint(ask(&m, REQ_PLUG, 0, (uint16_t)(before + 1)), ==, BUSY);
        g_assert_cmpuint(plugged(&m), ==, 0);
        g_assert_cmpuint(free_huge_pages(), ==, before);
        qtest_stop(m.q);
        g_test_skip("no huge page is free: only that was tested (echo 8 > /proc/sys/vm/nr_hugepages)");
        return;
    }
    check_gives_back(backend, "", NULL, true, BLOCK);
    mem_open_on(&m, backend, "", F_INACCESSIBLE);
    g_assert_cmpuint(free_huge_pages(), ==, before);
    g_assert_cmpuint(ask(&m, REQ_PLUG, 0, 4), ==, ACK);
    g_assert_cmpuint(free_huge_pages(), ==, before - 4);
    g_assert_cmpuint(ask(&m, REQ_PLUG, 4 * BLOCK, (uint16_t)MIN(before - 3, 28)), ==, before > 31 ? ACK : BUSY);
    g_assert_cmpuint(ask(&m, REQ_UNPLUG_ALL, 0, 0), ==, ACK);
    g_assert_cmpuint(free_huge_pages(), ==, before);
    qtest_stop(m.q);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virtio-mem/configuration", test_configuration);
    g_test_add_func("/virtio-mem/plug-and-unplug", test_plug_and_unplug);
    g_test_add_func("/virtio-mem/wrong-requests", test_wrong_requests);
    g_test_add_func("/virtio-mem/malformed-chains", test_malformed_chains_need_a_reset);
    g_test_add_func("/virtio-mem/unplugged-memory", test_unplugged_memory_is_not_there);
    g_test_add_func("/virtio-mem/preallocation", test_preallocation_is_by_plug);
    g_test_add_func("/virtio-mem/system-reset", test_system_reset_unplugs);
    g_test_add_func("/virtio-mem/inaccessible", test_driver_must_leave_unplugged_memory_alone);
    g_test_add_func("/virtio-mem/node", test_node_is_told);
    g_test_add_func("/virtio-mem/sleep", test_sleep_keeps_memory);
    g_test_add_func("/virtio-mem/backends", test_backends_give_memory_back);
    g_test_add_func("/virtio-mem/huge-pages", test_huge_pages);
    g_test_add_func("/virtio-mem/dma", test_memory_under_dma_is_busy);
    g_test_add_func("/virtio-mem/device-reset", test_device_reset_keeps_memory);
    return g_test_run();
}
