/*
 * The block layer without a machine: drivers, permissions, throttling, iothreads, reopening, errors.
 */
#include "qapi/json.h"
#include "qapi/qapi-commands.h"
#include "system/block.h"
#include "system/block/block-internal.h"
#include "system/iothread.h"
#include "util/main-loop.h"
#include "util/rcu.h"
#include "util/timer.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MS INT64_C(1000000)

static char *folder;            /* of test images */

static char *path_of(const char *name)
{
    return g_build_filename(folder, name, NULL);
}

/* A file of @size bytes, each the low byte of its 512-byte sector's number. */
static char *make_image(const char *name, size_t size)
{
    char *path = path_of(name);
    g_autofree char *data = g_malloc(size);

    for (size_t i = 0; i < size; i++) {
        data[i] = (char)(i / 512);
    }
    g_assert_true(g_file_set_contents(path, data, (gssize)size, NULL));
    return path;
}

/* JSON with single quotes. */
static Value *parse(const char *text, Error **errp)
{
    g_autofree char *json = g_strdelimit(g_strdup(text), "'", '"');

    return json_parse_str(json, errp);
}

static BlockNode *try_open(const char *json, Error **errp)
{
    g_autoptr(Value) v = parse(json, &error_abort);

    return block_node_open(v, false, errp);
}

static BlockNode *open_node(const char *fmt, ...) PRINTF_LIKE(1, 2);
static BlockNode *open_node(const char *fmt, ...)
{
    g_autofree char *json = NULL;
    va_list ap;

    va_start(ap, fmt);
    json = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    return try_open(json, &error_abort);
}

static void close_node(const char *name)
{
    g_assert_true(block_node_del(name, &error_abort));
}

typedef struct Wait {
    bool done;
    int ret;
    pid_t tid;
    bool locked;
} Wait;

static void on_done(void *opaque, int ret)
{
    Wait *w = opaque;

    w->ret = ret;
    w->tid = (pid_t)syscall(SYS_gettid);
    w->locked = bql_locked();
    w->done = true;
}

static int wait_for(Wait *w)
{
    while (!w->done) {
        main_loop_step(true);
    }
    g_assert_true(w->locked);
    return w->ret;
}

static int read_at(BlockBackend *blk, uint64_t offset, void *buf, size_t len)
{
    struct iovec iov = { buf, len };
    Wait w = { 0 };

    blk_preadv(blk, offset, &iov, 1, on_done, &w);
    return wait_for(&w);
}

static int write_at(BlockBackend *blk, uint64_t offset, const void *buf, size_t len)
{
    struct iovec iov = { (void *)buf, len };
    Wait w = { 0 };

    blk_pwritev(blk, offset, &iov, 1, on_done, &w);
    return wait_for(&w);
}

static int flush(BlockBackend *blk)
{
    Wait w = { 0 };

    blk_flush(blk, on_done, &w);
    return wait_for(&w);
}

static BlockBackend *backend(const char *node)
{
    return blk_new(node, NULL, BLK_WRITABLE, &error_abort);
}

static void assert_refused(const char *json, const char *why)
{
    Error *err = NULL;

    g_assert_null(try_open(json, &err));
    g_assert_nonnull(strstr(error_get_pretty(err), why));
    error_free(err);
}

/* --- drivers --- */

/* Every way of reaching a file: the same bytes, and what is written is there. */
static void check_file_io(const char *more)
{
    g_autofree char *path = make_image("disk", 64 * KiB), *content = NULL;
    uint8_t buf[3 * 4096 + 100], pattern[777];
    BlockBackend *blk;
    gsize len;

    memset(pattern, 0xa5, sizeof(pattern));
    open_node("{'driver':'file','node-name':'f','filename':'%s'%s}", path, more);
    blk = backend("f");
    g_assert_cmpint(read_at(blk, 5 * 512, buf, 512), ==, 0);
    g_assert_cmpuint(buf[0], ==, 5);
    g_assert_cmpuint(buf[511], ==, 5);
    g_assert_cmpint(read_at(blk, 1000, buf + 1, sizeof(buf) - 1), ==, 0);      /* nothing aligned */
    for (size_t i = 0; i < sizeof(buf) - 1; i++) {
        g_assert_cmpuint(buf[i + 1], ==, (1000 + i) / 512);
    }
    g_assert_cmpint(write_at(blk, 4000, pattern, sizeof(pattern)), ==, 0);
    g_assert_cmpint(flush(blk), ==, 0);
    g_assert_cmpint(read_at(blk, 3999, buf, sizeof(pattern) + 2), ==, 0);
    g_assert_cmpuint(buf[0], ==, 3999 / 512);
    g_assert_cmpint(memcmp(buf + 1, pattern, sizeof(pattern)), ==, 0);
    g_assert_cmpuint(buf[1 + sizeof(pattern)], ==, 4777 / 512);
    g_assert_cmpint(read_at(blk, 64 * KiB - 10, buf, 11), ==, -EIO);
    g_assert_cmpint(read_at(blk, UINT64_MAX, buf, 1), ==, -EIO);
    blk_unref(blk);
    close_node("f");
    g_assert_true(g_file_get_contents(path, &content, &len, NULL));
    g_assert_cmpuint(len, ==, 64 * KiB);
    g_assert_cmpint(memcmp(content + 4000, pattern, sizeof(pattern)), ==, 0);
}

static void test_file(void)
{
    check_file_io("");
}

static void test_file_io_uring(void)
{
    Error *err = NULL;

    if (!block_context_uring(block_context_get(NULL), &err)) {
        g_test_skip(error_get_pretty(err));
        error_free(err);
        return;
    }
    check_file_io(",'aio':'io_uring'");
}

static void test_file_direct(void)
{
    g_autofree char *path = make_image("probe", 4096);
    int fd = open(path, O_RDWR | O_DIRECT);

    if (fd < 0) {
        g_test_skip("this filesystem has no O_DIRECT");
        return;
    }
    close(fd);
    check_file_io(",'cache':{'direct':true}");
    if (block_context_uring(block_context_get(NULL), NULL)) {
        check_file_io(",'cache':{'direct':true},'aio':'io_uring'");
    }
}

/* A size that is no multiple of a sector: the rest of the last one reads as zeroes. */
static void test_file_of_odd_size(void)
{
    g_autofree char *path = make_image("odd", 1000);
    BlockNode *n = open_node("{'driver':'file','node-name':'f','filename':'%s','read-only':true}", path);
    BlockBackend *blk = blk_new("f", NULL, 0, &error_abort);
    uint8_t buf[512];

    g_assert_cmpuint(block_node_size_bytes(n), ==, 1024);
    g_assert_cmpint(read_at(blk, 512, buf, 512), ==, 0);
    g_assert_cmpuint(buf[487], ==, 1);
    g_assert_cmpuint(buf[488], ==, 0);
    g_assert_cmpint(write_at(blk, 0, buf, 512), ==, -EPERM);
    blk_unref(blk);
    close_node("f");
}

static void test_raw_window(void)
{
    g_autofree char *path = make_image("window", 64 * KiB);
    BlockBackend *blk;
    uint8_t buf[1024];

    open_node("{'driver':'raw','node-name':'r','offset':1024,'size':2048,'file':{'driver':'file','filename':'%s'}}", path);
    blk = backend("r");
    g_assert_cmpuint(blk_size_bytes(blk), ==, 2048);
    g_assert_cmpint(read_at(blk, 512, buf, 512), ==, 0);
    g_assert_cmpuint(buf[0], ==, 3);
    g_assert_cmpint(read_at(blk, 1536, buf, 1024), ==, -EIO);
    blk_unref(blk);
    close_node("r");
    g_assert_null(block_node_first());          /* the child in its parent's place went with it */
    assert_refused("{'driver':'raw','node-name':'r','offset':2048,'file':{'driver':'null-co','size':1024}}", "beyond");
    assert_refused("{'driver':'raw','node-name':'r','size':1000,'file':{'driver':'null-co'}}", "multiple of 512");
    g_assert_null(block_node_first());
}

static void test_null(void)
{
    BlockBackend *blk;
    uint8_t buf[512];

    open_node("{'driver':'null-co','node-name':'n','size':4096,'read-zeroes':true,'latency-ns':1000000}");
    blk = backend("n");
    memset(buf, 1, sizeof(buf));
    g_assert_cmpint(write_at(blk, 0, buf, 512), ==, 0);
    g_assert_cmpint(read_at(blk, 0, buf, 512), ==, 0);
    g_assert_cmpuint(buf[0] | buf[511], ==, 0);
    g_assert_cmpint(blk->acct.time_ns[BLOCK_READ], >=, MS);
    blk_unref(blk);
    close_node("n");
}

static int64_t blocks_of(const char *path)
{
    struct stat st;

    g_assert_cmpint(stat(path, &st), ==, 0);
    return st.st_blocks;
}

static int zero(BlockBackend *blk, uint64_t offset, uint64_t bytes, bool unmap)
{
    Wait w = { 0 };

    blk_write_zeroes(blk, offset, bytes, unmap, on_done, &w);
    return wait_for(&w);
}

static int discard(BlockBackend *blk, uint64_t offset, uint64_t bytes)
{
    Wait w = { 0 };

    blk_discard(blk, offset, bytes, on_done, &w);
    return wait_for(&w);
}

/* discard=ignore keeps the data, discard=unmap frees the space; both kinds of zeroes are zeroes. */
static void test_discard_and_zeroes(void)
{
    g_autofree char *path = make_image("holes", 1 * MiB);
    BlockBackend *blk;
    int64_t before;
    uint8_t buf[512];

    open_node("{'driver':'file','node-name':'f','filename':'%s'}", path);
    blk = backend("f");
    before = blocks_of(path);
    g_assert_cmpint(discard(blk, 0, 512 * KiB), ==, 0);
    g_assert_cmpint(blocks_of(path), ==, before);
    g_assert_cmpint(read_at(blk, 512, buf, 512), ==, 0);
    g_assert_cmpuint(buf[0], ==, 1);
    g_assert_cmpint(zero(blk, 512, 1000, false), ==, 0);
    g_assert_cmpint(read_at(blk, 1024, buf, 512), ==, 0);
    g_assert_cmpuint(buf[487], ==, 0);
    g_assert_cmpuint(buf[488], ==, 2);
    blk_unref(blk);
    close_node("f");

    open_node("{'driver':'file','node-name':'f','filename':'%s','discard':'unmap'}", path);
    blk = backend("f");
    g_assert_cmpint(discard(blk, 0, 512 * KiB), ==, 0);
    g_assert_cmpint(read_at(blk, 4 * KiB, buf, 512), ==, 0);
    g_assert_cmpuint(buf[0], ==, 0);
    g_assert_cmpint(blocks_of(path), <, before);
    g_assert_cmpuint(blk->acct.ops[BLOCK_DISCARD], ==, 1);
    blk_unref(blk);
    close_node("f");
}

static void test_detect_zeroes(void)
{
    static uint8_t zeroes[256 * KiB];
    g_autofree char *path = make_image("detect", 1 * MiB);
    int64_t before = blocks_of(path);
    BlockBackend *blk;

    open_node("{'driver':'file','node-name':'f','filename':'%s','discard':'unmap','detect-zeroes':'unmap'}", path);
    blk = backend("f");
    g_assert_cmpint(write_at(blk, 0, zeroes, sizeof(zeroes)), ==, 0);
    g_assert_cmpint(blocks_of(path), <, before);
    blk_unref(blk);
    close_node("f");
    assert_refused("{'driver':'null-co','node-name':'n','detect-zeroes':'unmap'}", "detect-zeroes to unmap");
}

/* --- what reaches the medium --- */

static int syncs;               /* atomic */

/* Instead of the C library's. */
int fdatasync(int fd)
{
    __atomic_add_fetch(&syncs, 1, __ATOMIC_SEQ_CST);
    return (int)syscall(SYS_fdatasync, fd);
}

static int syncs_since_last(void)
{
    return __atomic_exchange_n(&syncs, 0, __ATOMIC_SEQ_CST);
}

/* Write-back: a flush is one sync, also through a window of the file; write-through: each write is. */
static void test_flushes_reach_the_medium(void)
{
    g_autofree char *path = make_image("synced", 64 * KiB);
    uint8_t buf[512] = { 1 };
    BlockBackend *blk;

    open_node("{'driver':'raw','node-name':'r','offset':512,'file':{'driver':'file','filename':'%s'}}", path);
    blk = backend("r");
    syncs_since_last();
    g_assert_cmpint(write_at(blk, 0, buf, 512), ==, 0);
    g_assert_cmpint(syncs_since_last(), ==, 0);
    g_assert_cmpint(flush(blk), ==, 0);
    g_assert_cmpint(syncs_since_last(), ==, 1);
    blk_set_enable_write_cache(blk, false);
    g_assert_cmpint(write_at(blk, 0, buf, 512), ==, 0);
    g_assert_cmpint(syncs_since_last(), ==, 1);
    g_assert_cmpint(zero(blk, 0, 512, false), ==, 0);
    g_assert_cmpint(syncs_since_last(), ==, 1);
    g_assert_cmpint(read_at(blk, 0, buf, 512), ==, 0);
    g_assert_cmpint(syncs_since_last(), ==, 0);
    block_flush_all();                          /* as when the machine stops */
    g_assert_cmpint(syncs_since_last(), ==, 1);
    blk_unref(blk);                             /* as when the device goes */
    g_assert_cmpint(syncs_since_last(), ==, 1);
    close_node("r");
}

static void test_no_flush_syncs_nothing(void)
{
    g_autofree char *path = make_image("unsafe", 64 * KiB);
    uint8_t buf[512] = { 1 };
    BlockBackend *blk;

    open_node("{'driver':'raw','node-name':'r','cache':{'no-flush':true},'file':{'driver':'file','filename':'%s'}}", path);
    blk = backend("r");
    blk_set_enable_write_cache(blk, false);
    syncs_since_last();
    g_assert_cmpint(write_at(blk, 0, buf, 512), ==, 0);
    g_assert_cmpint(flush(blk), ==, 0);
    blk_unref(blk);
    g_assert_cmpint(syncs_since_last(), ==, 0);
    close_node("r");
}

/* --- names and options --- */

static void test_what_is_refused(void)
{
    open_node("{'driver':'null-co','node-name':'n0'}");
    assert_refused("{'driver':'null-co'}", "must be specified");
    assert_refused("{'driver':'null-co','node-name':'0n'}", "Invalid node-name");
    assert_refused("{'driver':'null-co','node-name':'a23456789012345678901234567890ab'}", "too long");
    assert_refused("{'driver':'null-co','node-name':'n0'}", "Duplicate");
    assert_refused("{'driver':'qcow2','node-name':'n1'}", "qcow2");
    assert_refused("{'driver':'null-co','node-name':'n1','filename':'x'}", "filename");
    assert_refused("{'driver':'null-co','node-name':'n1','size':9223372036854775808}", "size is out of range");
    assert_refused("{'driver':'null-co','node-name':'n1','force-share':true}", "force-share");
    assert_refused("{'driver':'raw','node-name':'n1','file':'nowhere'}", "nowhere");
    assert_refused("{'driver':'file','node-name':'n1','filename':'/dev/null'}", "regular file");
    assert_refused("{'driver':'host_device','node-name':'n1','filename':'/dev/null'}", "block device");
    assert_refused("{'driver':'file','node-name':'n1','filename':'/x','aio':'native'}", "aio=native");
    assert_refused("{'driver':'file','node-name':'n1','filename':'/x','pr-manager':'p'}", "pr-manager");
    assert_refused("{'driver':'throttle','node-name':'n1','throttle-group':'g','file':'n0'}", "'g' does not exist");
    close_node("n0");
}

static void test_names_of_nodes(void)
{
    g_autofree char *path = make_image("named", 4096);
    BlockNode *n = open_node("{'driver':'raw','node-name':'r','file':{'driver':'file','filename':'%s'}}", path);
    BlockNode *w;

    g_assert_cmpstr(block_node_filename(n), ==, path);
    w = open_node("{'driver':'raw','node-name':'w','size':512,'file':{'driver':'null-co','size':1024}}");
    g_assert_cmpstr(block_node_filename(w), ==,
        "json:{\"driver\": \"raw\", \"file\": {\"driver\": \"null-co\", \"size\": 1024}, \"size\": 512}");
    close_node("w");
    close_node("r");
}

/* --- permissions --- */

static void test_second_writer_is_refused(void)
{
    BlockBackend *a, *b;
    Error *err = NULL;

    open_node("{'driver':'null-co','node-name':'n'}");
    open_node("{'driver':'raw','node-name':'r','file':'n'}");
    a = backend("n");
    g_assert_null(blk_new("r", NULL, BLK_WRITABLE, &err));      /* the same by another name */
    g_assert_nonnull(strstr(error_get_pretty(err), "permissions 'write'"));
    g_clear_pointer(&err, error_free);
    g_assert_false(block_node_del("n", &err));
    g_assert_nonnull(strstr(error_get_pretty(err), "in use"));
    g_clear_pointer(&err, error_free);
    blk_unref(a);
    a = blk_new("n", NULL, BLK_WRITABLE | BLK_SHARE_RW, &error_abort);
    g_assert_null(blk_new("r", NULL, BLK_WRITABLE, NULL));      /* both must be willing */
    b = blk_new("r", NULL, BLK_WRITABLE | BLK_SHARE_RW, &error_abort);
    blk_unref(a);
    blk_unref(b);
    a = backend("r");
    blk_unref(a);
    close_node("r");
    close_node("n");
}

static void test_read_only_nodes_take_no_writer(void)
{
    BlockBackend *a, *b;
    Error *err = NULL;

    open_node("{'driver':'null-co','node-name':'n','read-only':true}");
    g_assert_null(blk_new("n", NULL, BLK_WRITABLE, &err));
    g_assert_nonnull(strstr(error_get_pretty(err), "read-only"));
    error_free(err);
    a = blk_new("n", NULL, 0, &error_abort);
    b = blk_new("n", NULL, 0, &error_abort);
    g_assert_false(block_node_resize(block_node_find("n"), 512, NULL));
    blk_unref(a);
    blk_unref(b);
    close_node("n");
}

/* Two nodes on one file are as two processes: locks tell. */
static void test_file_locks(void)
{
    g_autofree char *path = make_image("locked", 4096);
    BlockBackend *a, *b;
    Error *err = NULL;

    open_node("{'driver':'file','node-name':'f0','filename':'%s'}", path);
    open_node("{'driver':'file','node-name':'f1','filename':'%s'}", path);
    open_node("{'driver':'file','node-name':'shared','filename':'%s','read-only':true,'force-share':true}", path);
    open_node("{'driver':'file','node-name':'unlocked','filename':'%s','locking':'off'}", path);
    a = backend("f0");
    g_assert_null(blk_new("f1", NULL, BLK_WRITABLE, &err));
    g_assert_nonnull(strstr(error_get_pretty(err), "Failed to get \"write\" lock"));
    g_clear_pointer(&err, error_free);
    g_assert_null(blk_new("f1", NULL, 0, &err));
    g_assert_nonnull(strstr(error_get_pretty(err), "Failed to get shared \"write\" lock"));
    g_clear_pointer(&err, error_free);
    blk_unref(blk_new("shared", NULL, 0, &error_abort));
    blk_unref(blk_new("unlocked", NULL, BLK_WRITABLE, &error_abort));
    blk_unref(a);
    a = blk_new("f0", NULL, 0, &error_abort);
    b = blk_new("f1", NULL, 0, &error_abort);                   /* readers share */
    blk_unref(a);
    blk_unref(b);
    a = backend("f1");
    blk_unref(a);
    close_node("f0");
    close_node("f1");
    close_node("shared");
    close_node("unlocked");
}

/* --- sizes --- */

static void count_up(void *opaque)
{
    ++*(unsigned *)opaque;
}

static void test_resize_reaches_whoever_uses_it(void)
{
    g_autofree char *path = make_image("grow", 4096);
    unsigned told = 0;
    BlockBackend *blk;
    struct stat st;

    open_node("{'driver':'file','node-name':'f','filename':'%s'}", path);
    open_node("{'driver':'raw','node-name':'r','file':'f','offset':512}");
    open_node("{'driver':'raw','node-name':'fixed','size':512,'file':'f'}");
    blk = backend("r");
    blk_set_resize_notify(blk, count_up, &told);
    g_assert_cmpuint(blk_size_bytes(blk), ==, 3584);
    g_assert_true(block_node_resize(block_node_find("r"), 8192, &error_abort));
    g_assert_cmpuint(told, ==, 1);
    g_assert_cmpuint(blk_size_bytes(blk), ==, 8192);
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_size, ==, 8192 + 512);
    g_assert_true(block_node_resize(block_node_find("f"), 1024, &error_abort));
    g_assert_cmpuint(told, ==, 2);
    g_assert_cmpuint(blk_size_bytes(blk), ==, 512);
    g_assert_false(block_node_resize(block_node_find("fixed"), 1024, NULL));
    g_assert_false(block_node_resize(block_node_find("f"), 1000, NULL));
    blk_unref(blk);
    close_node("fixed");
    close_node("r");
    close_node("f");
}

/* --- throttling --- */

static Throttle limits(const char *json)
{
    g_autoptr(Value) v = parse(json, &error_abort);
    g_autoptr(QapiThrottleLimits) l = qapi_parse_throttle_limits(v, 0, &error_abort);
    Throttle t = { 0 };

    g_assert_true(throttle_set_limits(&t, l, &error_abort));
    return t;
}

static void assert_limits_refused(const char *json, const char *why)
{
    g_autoptr(Value) v = parse(json, &error_abort);
    g_autoptr(QapiThrottleLimits) l = qapi_parse_throttle_limits(v, 0, &error_abort);
    Throttle t = { 0 };
    Error *err = NULL;

    g_assert_false(throttle_set_limits(&t, l, &err));
    g_assert_nonnull(strstr(error_get_pretty(err), why));
    error_free(err);
}

static void test_limits_that_contradict(void)
{
    assert_limits_refused("{'bps-total':1,'bps-read':1}", "cannot be used at the same time");
    assert_limits_refused("{'iops-total':1,'iops-write':1}", "cannot be used at the same time");
    assert_limits_refused("{'bps-total':-1}", "within");
    assert_limits_refused("{'bps-total':1000000000000001}", "within");
    assert_limits_refused("{'iops-total-max':5}", "requires a value");
    assert_limits_refused("{'iops-total':5,'iops-total-max':4}", "cannot be lower");
    assert_limits_refused("{'iops-total':5,'iops-total-max-length':2}", "without burst rate");
    assert_limits_refused("{'iops-total':5,'iops-total-max':6,'iops-total-max-length':0}", "cannot be 0");
    assert_limits_refused("{'iops-size':5}", "requires an iops value");
    assert_limits_refused("{'iops-total':5,'iops-size':-1}", "iops size");
}

/* How many requests of @bytes go within @ns. */
static unsigned let_through(Throttle *t, bool is_write, uint64_t bytes, int64_t from_ns, int64_t ns)
{
    unsigned n = 0;

    for (int64_t now = from_ns, wait; now < from_ns + ns; now += MAX(wait, 1)) {
        wait = throttle_wait_ns(t, is_write, now);
        if (!wait) {
            throttle_account(t, is_write, bytes);
            n++;
        }
    }
    return n;
}

static void test_rates(void)
{
    const int64_t s = NANOSECONDS_PER_SECOND;
    Throttle t = limits("{'iops-total':1000}");

    g_assert_cmpint(abs((int)let_through(&t, false, 4096, s, s) - 1100), <=, 2);        /* and 100 ms of burst */
    t = limits("{'bps-write':1048576}");
    g_assert_cmpint(abs((int)let_through(&t, true, 4096, s, 4 * s) - 1050), <=, 30);
    g_assert_cmpuint(throttle_wait_ns(&t, false, 6 * s), ==, 0);        /* reads have no limit */
    t = limits("{'iops-total':100,'iops-total-max':1000,'iops-total-max-length':2}");
    g_assert_cmpint(abs((int)let_through(&t, false, 512, s, 2 * s) - 2100), <=, 10);    /* the burst, at its own rate */
    g_assert_cmpint(let_through(&t, false, 512, 3 * s, 10 * s), <=, 1110);
    t = limits("{'iops-total':100,'iops-size':4096}");
    g_assert_cmpint(abs((int)let_through(&t, false, 16384, s, 4 * s) - 103), <=, 2);
}

/* Requests that were let go without waiting (drained) count all the same: a wait that no clock holds is cut short. */
static void test_wait_for_ever_is_a_day(void)
{
    Throttle t = limits("{'bps-total':1}");

    throttle_account(&t, true, UINT64_C(1) << 50);
    g_assert_cmpint(throttle_wait_ns(&t, true, NANOSECONDS_PER_SECOND), ==, 86400 * NANOSECONDS_PER_SECOND);
}

static void test_throttled_requests_wait(void)
{
    g_autoptr(Value) v = parse("{'iops-total':50}", &error_abort);
    g_autoptr(QapiThrottleLimits) l = qapi_parse_throttle_limits(v, 0, &error_abort);
    BlockBackend *blk;
    int64_t start;
    uint8_t buf[512];

    open_node("{'driver':'null-co','node-name':'n'}");
    blk = backend("n");
    g_assert_true(blk_set_throttle(blk, l, "g", &error_abort));
    start = clock_get_ns(CLOCK_TYPE_REALTIME);
    for (unsigned i = 0; i < 15; i++) {
        g_assert_cmpint(read_at(blk, 0, buf, 512), ==, 0);
    }
    /* 5 go at once and one more fills the bucket: the other 9 take 20 ms each. */
    g_assert_cmpint(clock_get_ns(CLOCK_TYPE_REALTIME) - start, >=, 170 * MS);
    g_assert_true(blk_set_throttle(blk, NULL, NULL, &error_abort));
    g_assert_null(throttle_group_find("g"));
    blk_unref(blk);
    close_node("n");
}

/* Draining does not wait for limits. */
static void test_draining_lets_throttled_requests_go(void)
{
    g_autoptr(Value) group = parse("{'qom-type':'throttle-group','id':'tg','limits':{'iops-total':1}}", &error_abort);
    struct iovec iov;
    uint8_t buf[512];
    Wait w[10] = { { 0 } };
    BlockBackend *blk;
    int64_t start = clock_get_ns(CLOCK_TYPE_REALTIME);

    g_assert_nonnull(user_creatable_add(group, &error_abort));
    open_node("{'driver':'throttle','node-name':'t','throttle-group':'tg','file':{'driver':'null-co'}}");
    blk = backend("t");
    iov = (struct iovec){ buf, sizeof(buf) };
    for (unsigned i = 0; i < ARRAY_SIZE(w); i++) {
        blk_preadv(blk, 0, &iov, 1, on_done, &w[i]);
    }
    g_assert_false(w[9].done);
    blk_drain(blk);
    g_assert_true(w[0].done && w[9].done);
    g_assert_cmpint(clock_get_ns(CLOCK_TYPE_REALTIME) - start, <, 5 * NANOSECONDS_PER_SECOND);
    g_assert_false(user_creatable_del("tg", NULL));     /* a node uses it */
    blk_unref(blk);
    close_node("t");
    g_assert_true(user_creatable_del("tg", &error_abort));
}

/* --- iothreads --- */

static void check_iothread(const char *aio)
{
    g_autoptr(Value) v = parse("{'qom-type':'iothread','id':'io'}", &error_abort);
    g_autofree char *path = make_image("threaded", 64 * KiB);
    QapiIOThreadInfoList *info;
    BlockBackend *blk;
    uint8_t buf[512];
    struct iovec iov = { buf, sizeof(buf) };
    Wait w[200] = { { 0 } };
    pid_t tid;

    g_assert_nonnull(user_creatable_add(v, &error_abort));
    info = qmp_query_iothreads(&error_abort);
    tid = (pid_t)info->at[0].thread_id;
    qapi_free_io_thread_info_list(info);
    open_node("{'driver':'file','node-name':'f','filename':'%s','aio':'%s'}", path, aio);
    blk = backend("f");
    blk_set_iothread(blk, iothread_find("io"));
    blk_plug(blk);
    for (unsigned i = 0; i < ARRAY_SIZE(w); i++) {
        blk_preadv(blk, (i % 128) * 512, &iov, 1, on_done, &w[i]);
    }
    blk_unplug(blk);
    for (unsigned i = 0; i < ARRAY_SIZE(w); i++) {
        while (!w[i].done) {            /* the main loop is not needed, only the lock */
            bql_unlock();
            g_usleep(100);
            bql_lock();
        }
        g_assert_cmpint(w[i].ret, ==, 0);
        g_assert_true(w[i].locked);
        g_assert_cmpint(w[i].tid, ==, tid);
    }
    g_assert_false(user_creatable_del("io", NULL));     /* a backend uses it */
    for (unsigned i = 0; i < ARRAY_SIZE(w); i++) {
        w[i].done = false;
        blk_preadv(blk, (i % 128) * 512, &iov, 1, on_done, &w[i]);
    }
    blk_drain(blk);                                     /* without letting the thread have the lock */
    g_assert_true(w[0].done && w[199].done);
    blk_unref(blk);
    close_node("f");
    g_assert_true(user_creatable_del("io", &error_abort));
}

static void test_iothread(void)
{
    check_iothread("threads");
}

static void test_iothread_io_uring(void)
{
    if (!block_context_uring(block_context_get(NULL), NULL)) {
        g_test_skip("no io_uring here");
        return;
    }
    check_iothread("io_uring");
}

/* --- reopening --- */

static bool reopen(const char *json, Error **errp)
{
    g_autoptr(Value) v = parse(json, &error_abort);
    g_autoptr(QapiBlockdevOptions) o = qapi_parse_blockdev_options(v, 0, &error_abort);
    QapiBlockdevOptionsList list = { 1, o };

    return qmp_blockdev_reopen(&(QapiBlockdevReopenArgs){ .options = &list }, errp);
}

static void assert_reopen_refused(const char *json, const char *why)
{
    Error *err = NULL;

    g_assert_false(reopen(json, &err));
    g_assert_nonnull(strstr(error_get_pretty(err), why));
    error_free(err);
}

static void test_reopen(void)
{
    g_autofree char *path = make_image("again", 64 * KiB);
    g_autofree char *same = g_strdup_printf("{'driver':'file','node-name':'f','filename':'%s'}", path);
    g_autofree char *ro = g_strdup_printf("{'driver':'file','node-name':'f','filename':'%s','read-only':true}", path);
    g_autofree char *no_flush = g_strdup_printf("{'driver':'file','node-name':'f','filename':'%s',"
                                                "'cache':{'no-flush':true},'discard':'unmap'}", path);
    BlockNode *f = open_node("{'driver':'file','node-name':'f','filename':'%s','read-only':true}", path);
    BlockBackend *blk, *other;
    uint8_t buf[512] = { 7 };

    g_assert_null(blk_new("f", NULL, BLK_WRITABLE, NULL));
    g_assert_true(reopen(same, &error_abort));          /* read-only goes back to its default */
    blk = backend("f");
    g_assert_cmpint(write_at(blk, 0, buf, 512), ==, 0);
    assert_reopen_refused(ro, "there is a writer");
    assert_reopen_refused("{'driver':'file','node-name':'f','filename':'/elsewhere'}", "Cannot change the option 'filename'");
    assert_reopen_refused("{'driver':'null-co','node-name':'f'}", "Cannot change the option 'driver'");
    assert_reopen_refused("{'driver':'null-co','node-name':'nowhere'}", "Failed to find node");
    g_assert_true(reopen(no_flush, &error_abort));
    g_assert_true(f->no_flush && f->discard);
    g_assert_cmpint(write_at(blk, 512, buf, 512), ==, 0);
    /* The lock was not let go. */
    open_node("{'driver':'file','node-name':'g','filename':'%s'}", path);
    g_assert_null(blk_new("g", NULL, BLK_WRITABLE, NULL));
    blk_unref(blk);
    other = backend("g");
    blk_unref(other);
    close_node("g");
    close_node("f");
}

static void test_reopen_is_all_or_none(void)
{
    g_autoptr(Value) v = parse("[{'driver':'null-co','node-name':'a','read-only':true},"
                                        "{'driver':'null-co','node-name':'b','size':1}]", &error_abort);
    QapiBlockdevOptionsList *list = NULL;

    open_node("{'driver':'null-co','node-name':'a'}");
    open_node("{'driver':'null-co','node-name':'b'}");
    g_assert_true(qapi_from_value(&qapi_type_BlockdevOptionsList, v, 0, &list, &error_abort));
    g_assert_false(qmp_blockdev_reopen(&(QapiBlockdevReopenArgs){ .options = list }, NULL));
    g_assert_false(block_node_is_read_only(block_node_find("a")));
    qapi_clear(&qapi_type_BlockdevOptionsList, &list);
    close_node("a");
    close_node("b");
}

/* --- accounting and errors --- */

static void test_accounting(void)
{
    BlockBackend *blk;
    uint8_t buf[1024] = { 1 };

    open_node("{'driver':'null-co','node-name':'n','size':65536}");
    blk = backend("n");
    g_assert_cmpint(blk->acct.last_ns, ==, 0);
    g_assert_cmpint(read_at(blk, 0, buf, 512), ==, 0);
    g_assert_cmpint(read_at(blk, 0, buf, 1024), ==, 0);
    g_assert_cmpint(write_at(blk, 1024, buf, 512), ==, 0);
    g_assert_cmpint(flush(blk), ==, 0);
    g_assert_cmpint(read_at(blk, 65536, buf, 512), ==, -EIO);
    blk_account_invalid(blk, BLOCK_WRITE);
    g_assert_cmpuint(blk->acct.bytes[BLOCK_READ], ==, 1536);
    g_assert_cmpuint(blk->acct.ops[BLOCK_READ], ==, 2);
    g_assert_cmpuint(blk->acct.failed[BLOCK_READ], ==, 1);
    g_assert_cmpuint(blk->acct.bytes[BLOCK_WRITE], ==, 512);
    g_assert_cmpuint(blk->acct.ops[BLOCK_FLUSH], ==, 1);
    g_assert_cmpuint(blk->acct.invalid[BLOCK_WRITE], ==, 1);
    g_assert_cmpint(blk->acct.last_ns, >, 0);
    g_assert_cmpuint(blk_node(blk)->wr_highest_offset, ==, 1536);
    blk_unref(blk);
    close_node("n");
}

static void test_error_policies(void)
{
    BlockBackend *blk;

    open_node("{'driver':'null-co','node-name':'n'}");
    blk = backend("n");
    g_assert_cmpint(blk_error(blk, true, EIO), ==, BLOCK_ACTION_REPORT);
    g_assert_cmpint(blk_error(blk, false, EIO), ==, BLOCK_ACTION_REPORT);
    g_assert_cmpint(blk->io_status, ==, QAPI_BLOCK_DEVICE_IO_STATUS_OK);
    g_assert_cmpint(blk_error(blk, false, ENOSPC), ==, BLOCK_ACTION_STOP);
    g_assert_cmpint(blk_error(blk, false, ENOSPC), ==, BLOCK_ACTION_STOP);
    g_assert_cmpint(blk->io_status, ==, QAPI_BLOCK_DEVICE_IO_STATUS_NOSPACE);
    g_assert_true(blk_set_on_error(blk, BLOCK_ON_ERROR_IGNORE, BLOCK_ON_ERROR_STOP, &error_abort));
    g_assert_cmpint(blk_error(blk, true, EIO), ==, BLOCK_ACTION_IGNORE);
    blk_reset_io_status(blk);
    g_assert_cmpint(blk_error(blk, false, EIO), ==, BLOCK_ACTION_STOP);
    g_assert_cmpint(blk->io_status, ==, QAPI_BLOCK_DEVICE_IO_STATUS_FAILED);
    g_assert_false(blk_set_on_error(blk, BLOCK_ON_ERROR_ENOSPC, BLOCK_ON_ERROR_AUTO, NULL));
    blk_unref(blk);
    close_node("n");
}

/* --- the pool --- */

static int running, most, finished;     /* atomic */

static void slow_job(void *job)
{
    int now = __atomic_add_fetch(&running, 1, __ATOMIC_SEQ_CST), seen = __atomic_load_n(&most, __ATOMIC_SEQ_CST);

    while (now > seen && !__atomic_compare_exchange_n(&most, &seen, now, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
    }
    g_usleep(2000);
    __atomic_sub_fetch(&running, 1, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&finished, 1, __ATOMIC_SEQ_CST);
}

static void test_pool_keeps_to_its_limit(void)
{
    ThreadPool *p = thread_pool_new(slow_job);

    thread_pool_set_limits(p, 2, 3);
    for (int i = 0; i < 30; i++) {
        thread_pool_push(p, p);
    }
    thread_pool_free(p);
    g_assert_cmpint(finished, ==, 30);
    g_assert_cmpint(most, <=, 3);
    g_assert_cmpint(most, >=, 2);
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    folder = g_dir_make_tmp("quern-block-XXXXXX", NULL);
    rcu_thread_enter();
    bql_lock();
    main_loop_init();
    g_test_add_func("/block/file/plain", test_file);
    g_test_add_func("/block/file/io_uring", test_file_io_uring);
    g_test_add_func("/block/file/direct", test_file_direct);
    g_test_add_func("/block/file/odd-size", test_file_of_odd_size);
    g_test_add_func("/block/file/locks", test_file_locks);
    g_test_add_func("/block/raw", test_raw_window);
    g_test_add_func("/block/null", test_null);
    g_test_add_func("/block/discard", test_discard_and_zeroes);
    g_test_add_func("/block/detect-zeroes", test_detect_zeroes);
    g_test_add_func("/block/flush/syncs", test_flushes_reach_the_medium);
    g_test_add_func("/block/flush/no-flush", test_no_flush_syncs_nothing);
    g_test_add_func("/block/refused", test_what_is_refused);
    g_test_add_func("/block/names", test_names_of_nodes);
    g_test_add_func("/block/permissions/writers", test_second_writer_is_refused);
    g_test_add_func("/block/permissions/read-only", test_read_only_nodes_take_no_writer);
    g_test_add_func("/block/resize", test_resize_reaches_whoever_uses_it);
    g_test_add_func("/block/throttle/contradictions", test_limits_that_contradict);
    g_test_add_func("/block/throttle/rates", test_rates);
    g_test_add_func("/block/throttle/wait-for-ever-is-a-day", test_wait_for_ever_is_a_day);
    g_test_add_func("/block/throttle/wait", test_throttled_requests_wait);
    g_test_add_func("/block/throttle/drain", test_draining_lets_throttled_requests_go);
    g_test_add_func("/block/iothread/plain", test_iothread);
    g_test_add_func("/block/iothread/io_uring", test_iothread_io_uring);
    g_test_add_func("/block/reopen/plain", test_reopen);
    g_test_add_func("/block/reopen/all-or-none", test_reopen_is_all_or_none);
    g_test_add_func("/block/accounting", test_accounting);
    g_test_add_func("/block/errors", test_error_policies);
    g_test_add_func("/block/pool", test_pool_keeps_to_its_limit);
    status = g_test_run();
    {
        g_autofree char *rm = g_strdup_printf("rm -r '%s'", folder);

        g_assert_cmpint(system(rm), ==, 0);
    }
    return status;
}
