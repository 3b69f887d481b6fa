/* virtio-rng with MSI-X, virtio-balloon, virtio-serial. */
#include "lib/virtio.h"

#include <glib/gstdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { TYPE_BLOCK = 2, TYPE_CONSOLE = 3, TYPE_RNG = 4, TYPE_BALLOON = 5 };

/* --- rng --- */

static void test_rng_fills_the_buffer(void)
{
    QTest *q = qtest_start("-machine q35 -object rng-random,id=r,filename=/dev/urandom -device virtio-rng-pci,rng=r");
    uint8_t data[256];
    unsigned zeroes = 0;
    QVirtQueue vq;
    uint32_t n;
    uint64_t buf;
    QVirtio v;
    QPci p;

    qpci_init(&p, q, true);
    qvirtio_open(&v, &p, TYPE_RNG, 0);
    qvirtio_queue_init(&vq, &v, 0);
    qvirtio_start(&v);
    buf = qtest_alloc(q, sizeof(data), 16);
    qvq_add(&vq, &(QSegment){ buf, sizeof(data), true }, 1);
    qvq_kick(&vq);
    qvq_wait(&vq, &n);
    g_assert_cmpuint(n, >, 0);
    g_assert_cmpuint(n, <=, sizeof(data));
    qtest_memread(q, buf, data, sizeof(data));
    for (unsigned i = 0; i < n; i++) {
        zeroes += !data[i];
    }
    g_assert_cmpuint(zeroes, <, n / 4);
    qtest_stop(q);
}

static void answer_egd_request(int fd, unsigned count, uint8_t fill)
{
    uint8_t request[2], answer[255];

    g_assert_cmpint(recv(fd, request, 2, MSG_WAITALL), ==, 2);
    g_assert_cmpuint(request[0], ==, 2);
    g_assert_cmpuint(request[1], ==, count);
    memset(answer, fill, count);
    g_assert_cmpint(send(fd, answer, count, 0), ==, count);
}

/* A daemon that speaks EGD's protocol: asked for what a request lacks, 255 bytes at most; nothing is waited for. */
static void test_rng_asks_a_daemon(void)
{
    g_autofree char *folder = g_dir_make_tmp("quern-egd-XXXXXX", NULL), *path = g_build_filename(folder, "egd", NULL);
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    uint8_t data[300];
    QVirtQueue vq;
    uint64_t buf;
    uint32_t n;
    QVirtio v;
    QTest *q;
    QPci p;

    q = qtest_start("-machine q35 -chardev socket,id=egd,path=%s,server=on,wait=off -object rng-egd,id=r,chardev=egd "
                    "-device virtio-rng-pci,rng=r", path);
    g_strlcpy(un.sun_path, path, sizeof(un.sun_path));
    g_assert_cmpint(connect(fd, (struct sockaddr *)&un, sizeof(un)), ==, 0);
    qpci_init(&p, q, true);
    qvirtio_open(&v, &p, TYPE_RNG, 0);
    qvirtio_queue_init(&vq, &v, 0);
    qvirtio_start(&v);
    buf = qtest_alloc(q, sizeof(data), 16);
    qvq_add(&vq, &(QSegment){ buf, sizeof(data), true }, 1);
    qvq_kick(&vq);
    g_assert_false(qvq_has_used(&vq));
    while (recv(fd, data, 1, MSG_PEEK | MSG_DONTWAIT) != 1) {
        qtest_clock_step(q, 10 * 1000 * 1000);          /* asks again once the connection is there */
    }
    answer_egd_request(fd, 255, 0xa5);
    answer_egd_request(fd, 45, 0x5a);
    for (unsigned i = 0; i < 100 && !qvq_has_used(&vq); i++) {
        qtest_clock_step(q, 10 * 1000 * 1000);
    }
    qvq_wait(&vq, &n);
    qtest_memread(q, buf, data, sizeof(data));
    g_assert_cmpuint(n, >=, 255);
    for (unsigned i = 0; i < n; i++) {
        g_assert_cmphex(data[i], ==, i < 255 ? 0xa5 : 0x5a);
    }
    close(fd);
    qtest_stop(q);
    g_rmdir(folder);
}

/* The device's interrupt is a write of data to an address: here to RAM, where it is seen. */
static void test_msix_message_is_written(void)
{
    QTest *q = qtest_start("-machine q35 -device virtio-rng-pci");
    unsigned cap;
    QVirtQueue vq;
    uint64_t buf, target, table;
    QVirtio v;
    QBar bar;
    QPci p;

    qpci_init(&p, q, true);
    qvirtio_open(&v, &p, TYPE_RNG, 0);
    cap = qpci_capability(&v.dev, PCI_CAP_MSIX, 0);
    g_assert_cmpuint(cap, !=, 0);
    bar = qpci_map(&v.dev, qpci_read(&v.dev, cap + 4, 4) & 7);
    table = qpci_read(&v.dev, cap + 4, 4) & ~7u;
    target = qtest_alloc(q, 4, 4);
    qpci_write(&v.dev, cap + 2, 2, 0x8000);
    qbar_write(&bar, table + 16, 4, (uint32_t)target);      /* entry 1 */
    qbar_write(&bar, table + 20, 4, target >> 32);
    qbar_write(&bar, table + 24, 4, 0x12345678);
    qbar_write(&bar, table + 28, 4, 0);                     /* unmasked */
    qvirtio_queue_init(&vq, &v, 0);
    qbar_write(&v.bar, v.common + 0x1a, 2, 1);              /* queue_msix_vector */
    g_assert_cmphex(qbar_read(&v.bar, v.common + 0x1a, 2), ==, 1);
    qvirtio_start(&v);
    buf = qtest_alloc(q, 16, 16);
    qvq_add(&vq, &(QSegment){ buf, 16, true }, 1);
    qvq_kick(&vq);
    qvq_wait(&vq, NULL);
    g_assert_cmphex(qtest_read(q, target, 4), ==, 0x12345678);
    qtest_stop(q);
}

/* --- a guest that leads a device to its own registers --- */

enum { COMMON_STATUS = 0x14, COMMON_Q_MSIX = 0x1a, BLK_T_GET_ID = 8, BLK_ID_BYTES = 20 };
enum { RUNNING = VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK };
#define START_DISK "-machine q35 -blockdev null-co,node-name=n -device virtio-blk-pci,drive=n"

/* A request that is done before the kick returns. */
static void ask_for_id(QTest *q, QVirtQueue *vq)
{
    uint64_t head = qtest_alloc(q, 16, 16), answer = qtest_alloc(q, BLK_ID_BYTES + 1, 16);

    qtest_memset(q, head, 0, 16);
    qtest_write(q, head, 4, BLK_T_GET_ID);
    qvq_add(vq, (QSegment[]){ { head, 16, false }, { answer, BLK_ID_BYTES + 1, true } }, 2);
    qvq_kick(vq);
}

/* The entry of the used ring, whose first half is 0, lies where the status is: a reset, if it were written there. */
static void test_a_ring_in_registers_breaks_the_device(void)
{
    QTest *q = qtest_start(START_DISK);
    QVirtQueue vq;
    QVirtio v;
    QPci p;

    qpci_init(&p, q, true);
    qvirtio_open(&v, &p, TYPE_BLOCK, 0);
    qvirtio_queue_init_at(&vq, &v, 0, v.bar.addr + v.common + COMMON_STATUS - 4);
    qvirtio_start(&v);
    ask_for_id(q, &vq);
    g_assert_cmphex(qvirtio_status(&v), ==, RUNNING | VIRTIO_NEEDS_RESET);
    qtest_stop(q);
}

/* The message of its interrupt writes 0 there. */
static void test_a_message_to_its_own_registers_is_refused(void)
{
    QTest *q = qtest_start(START_DISK);
    uint64_t table, target;
    QVirtQueue vq;
    unsigned cap;
    QVirtio v;
    QBar bar;
    QPci p;

    qpci_init(&p, q, true);
    qvirtio_open(&v, &p, TYPE_BLOCK, 0);
    cap = qpci_capability(&v.dev, PCI_CAP_MSIX, 0);
    bar = qpci_map(&v.dev, qpci_read(&v.dev, cap + 4, 4) & 7);
    table = qpci_read(&v.dev, cap + 4, 4) & ~7u;
    target = v.bar.addr + v.common + COMMON_STATUS;
    qpci_write(&v.dev, cap + 2, 2, 0x8000);
    qbar_write(&bar, table, 4, (uint32_t)target);
    qbar_write(&bar, table + 4, 4, target >> 32);
    qbar_write(&bar, table + 8, 4, 0);
    qbar_write(&bar, table + 12, 4, 0);                     /* unmasked */
    qvirtio_queue_init(&vq, &v, 0);
    qbar_write(&v.bar, v.common + COMMON_Q_MSIX, 2, 0);
    qvirtio_start(&v);
    ask_for_id(q, &vq);
    qvq_wait(&vq, NULL);
    g_assert_cmphex(qvirtio_status(&v), ==, RUNNING);
    qtest_stop(q);
}

/* What the driver took and the device does not offer is not there, as long as nobody objected. */
static void test_features_not_offered_do_nothing(void)
{
    QTest *q = qtest_start(START_DISK);
    QVirtQueue vq;
    QVirtio v;
    QPci p;

    qpci_init(&p, q, true);
    qvirtio_open(&v, &p, TYPE_BLOCK, 0);
    qbar_write(&v.bar, v.common + COMMON_STATUS, 1, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
    qbar_write(&v.bar, v.common + 0x08, 4, 1);
    qbar_write(&v.bar, v.common + 0x0c, 4, 7);              /* packed rings, too */
    qvirtio_queue_init(&vq, &v, 0);
    ask_for_id(q, &vq);                                     /* split rings serve */
    qvq_wait(&vq, NULL);
    qvirtio_start(&v);
    qbar_write(&v.bar, v.common + 0x0c, 4, 1);              /* too late */
    g_assert_cmphex(qbar_read(&v.bar, v.common + 0x0c, 4) & 4, ==, 0);
    qtest_stop(q);
}

/* --- balloon --- */

static void test_balloon_target_and_actual(void)
{
    QTest *q = qtest_start("-machine q35 -m 128 -device virtio-balloon-pci");
    g_autofree char *reply = NULL, *event = NULL, *info = NULL;
    QVirtQueue inflate, deflate;
    uint64_t pfns;
    QVirtio v;
    QPci p;

    qpci_init(&p, q, true);
    qvirtio_open(&v, &p, TYPE_BALLOON, 0);
    qvirtio_queue_init(&inflate, &v, 0);
    qvirtio_queue_init(&deflate, &v, 1);
    qvirtio_start(&v);
    g_assert_cmpuint(qvirtio_config(&v, 0, 4), ==, 0);
    reply = qtest_qmp(q, "{'execute': 'balloon', 'arguments': {'value': 134201344}}");      /* 4 pages less */
    g_assert_nonnull(strstr(reply, "\"return\""));
    g_assert_cmpuint(qvirtio_config(&v, 0, 4), ==, 4);
    pfns = qtest_alloc(q, 16, 4);
    for (unsigned i = 0; i < 4; i++) {
        uint64_t page = qtest_alloc(q, 4096, 4096);

        qtest_memset(q, page, 0x77, 4096);
        qtest_write(q, pfns + 4 * i, 4, page >> 12);
    }
    qvq_add(&inflate, &(QSegment){ pfns, 16, false }, 1);
    qvq_kick(&inflate);
    qvq_wait(&inflate, NULL);
    qbar_write(&v.bar, v.config + 4, 4, 4);                 /* actual */
    event = qtest_qmp_event(q, "BALLOON_CHANGE");
    g_assert_nonnull(strstr(event, "134201344"));
    info = qtest_qmp(q, "{'execute': 'query-balloon'}");
    g_assert_nonnull(strstr(info, "134201344"));
    g_assert_cmphex(qtest_read(q, qtest_read(q, pfns, 4) << 12, 8), ==, 0);     /* given back: reads zero */
    qvq_add(&deflate, &(QSegment){ pfns, 16, false }, 1);
    qvq_kick(&deflate);
    qvq_wait(&deflate, NULL);
    qtest_stop(q);
}

/* --- serial --- */

enum { Q_PORT1_RX = 4, Q_PORT1_TX = 5, Q_CONTROL_RX = 2, Q_CONTROL_TX = 3 };
enum { EV_DEVICE_READY = 0, EV_PORT_ADD = 1, EV_PORT_READY = 3, EV_PORT_OPEN = 6, EV_PORT_NAME = 7 };
#define F_MULTIPORT (1ull << 1)

typedef struct Serial {
    QTest *q;
    QPci p;
    QVirtio v;
    QVirtQueue control_rx, control_tx, rx, tx;
} Serial;

static void send_control(Serial *s, uint32_t id, uint16_t event, uint16_t value)
{
    uint64_t m = qtest_alloc(s->q, 8, 4);

    qtest_write(s->q, m, 4, id);
    qtest_write(s->q, m + 4, 2, event);
    qtest_write(s->q, m + 6, 2, value);
    qvq_add(&s->control_tx, &(QSegment){ m, 8, false }, 1);
    qvq_kick(&s->control_tx);
    qvq_wait(&s->control_tx, NULL);
}

/* Give the device room for control messages until it sends @event for port @id; the text after it. */
static void expect_control(Serial *s, uint32_t id, uint16_t event, char *text, size_t size)
{
    for (;;) {
        uint64_t m = qtest_alloc(s->q, 64, 4);
        uint32_t n;

        qvq_add(&s->control_rx, &(QSegment){ m, 64, true }, 1);
        qvq_kick(&s->control_rx);
        qvq_wait(&s->control_rx, &n);
        if (qtest_read(s->q, m, 4) == id && qtest_read(s->q, m + 4, 2) == event) {
            memset(text, 0, size);
            qtest_memread(s->q, m + 8, text, MIN(n - 8, size - 1));
            return;
        }
    }
}

/* A controller with port 1 on a ring buffer; the driver is ready for it. */
static void serial_start(Serial *s)
{
    char text[32];

    s->q = qtest_start("-machine q35 -chardev ringbuf,id=ring,size=64 -device virtio-serial-pci "
                       "-device virtserialport,chardev=ring,nr=1,name=org.test.port,id=port1");
    qpci_init(&s->p, s->q, true);
    qvirtio_open(&s->v, &s->p, TYPE_CONSOLE, F_MULTIPORT);
    qvirtio_queue_init(&s->control_rx, &s->v, Q_CONTROL_RX);
    qvirtio_queue_init(&s->control_tx, &s->v, Q_CONTROL_TX);
    qvirtio_queue_init(&s->rx, &s->v, Q_PORT1_RX);
    qvirtio_queue_init(&s->tx, &s->v, Q_PORT1_TX);
    qvirtio_start(&s->v);
    send_control(s, 0xffffffff, EV_DEVICE_READY, 1);
    expect_control(s, 1, EV_PORT_ADD, text, sizeof(text));
    send_control(s, 1, EV_PORT_READY, 1);
}

static bool reply_has(QTest *q, const char *json, const char *text)
{
    g_autofree char *reply = qtest_qmp(q, json);

    return strstr(reply, text) != NULL;
}

/* A manager learns when the guest's agent opens its port. */
static void test_serial_port_tells_when_it_is_opened(void)
{
    static const char closed[] = "\"filename\": \"ringbuf\", \"frontend-open\": false";
    static const char open[] = "\"filename\": \"ringbuf\", \"frontend-open\": true";
    g_autofree char *event = NULL, *second = NULL;
    Serial s = { 0 };

    serial_start(&s);
    g_assert_true(reply_has(s.q, "{'execute': 'query-chardev'}", closed));
    send_control(&s, 1, EV_PORT_OPEN, 1);
    event = qtest_qmp_event(s.q, "VSERPORT_CHANGE");
    g_assert_nonnull(strstr(event, "\"id\": \"port1\", \"open\": true"));
    g_assert_true(reply_has(s.q, "{'execute': 'query-chardev'}", open));
    for (unsigned i = 0; i < 20; i++) {         /* however often: the last state comes, once, a second later */
        send_control(&s, 1, EV_PORT_OPEN, i & 1);
    }
    send_control(&s, 1, EV_PORT_OPEN, 0);
    g_assert_true(reply_has(s.q, "{'execute': 'query-chardev'}", closed));
    second = qtest_qmp_event(s.q, "VSERPORT_CHANGE");
    g_assert_nonnull(strstr(second, "\"open\": false"));
    qtest_stop(s.q);
}

/* The guest has the port open while the back end is changed under it. */
static void test_serial_port_goes_on_with_another_back_end(void)
{
    g_autofree char *path = g_build_filename(g_get_tmp_dir(), "qtest-vserport-XXXXXX", NULL), *content = NULL;
    g_autofree char *change = NULL;
    int fd = g_mkstemp(path);
    Serial s = { 0 };
    uint64_t out;

    g_assert_cmpint(fd, >=, 0);
    serial_start(&s);
    send_control(&s, 1, EV_PORT_OPEN, 1);
    change = g_strdup_printf("{'execute': 'chardev-change', 'arguments': {'id': 'ring', 'backend': "
                             "{'type': 'file', 'data': {'out': '%s'}}}}", path);
    g_assert_true(reply_has(s.q, change, "return"));
    out = qtest_alloc(s.q, 16, 1);
    qtest_memwrite(s.q, out, "from the guest", 14);
    qvq_add(&s.tx, &(QSegment){ out, 14, false }, 1);
    qvq_kick(&s.tx);
    qvq_wait(&s.tx, NULL);
    g_assert_true(g_file_get_contents(path, &content, NULL, NULL));
    g_assert_cmpstr(content, ==, "from the guest");
    g_assert_true(reply_has(s.q, "{'execute': 'query-chardev'}", "\"filename\": \"file\", \"frontend-open\": true"));
    qtest_stop(s.q);
    close(fd);
    g_unlink(path);
}

static void test_serial_port_comes_up_and_talks(void)
{
    g_autofree char *read_back = NULL;
    Serial s = { 0 };
    char name[32];
    uint64_t out;

    serial_start(&s);
    expect_control(&s, 1, EV_PORT_NAME, name, sizeof(name));
    g_assert_cmpstr(name, ==, "org.test.port");
    send_control(&s, 1, EV_PORT_OPEN, 1);
    out = qtest_alloc(s.q, 16, 1);
    qtest_memwrite(s.q, out, "from the guest", 14);
    qvq_add(&s.tx, &(QSegment){ out, 14, false }, 1);
    qvq_kick(&s.tx);
    qvq_wait(&s.tx, NULL);
    read_back = qtest_qmp(s.q, "{'execute': 'ringbuf-read', 'arguments': {'device': 'ring', 'size': 64}}");
    g_assert_nonnull(strstr(read_back, "from the guest"));
    qtest_stop(s.q);
}

/* A driver that asks again and again and gives no room for the answers. */
static void test_serial_control_messages_are_bounded(void)
{
    unsigned n = 0;
    Serial s = { 0 };

    serial_start(&s);
    for (unsigned i = 0; i < 400; i++) {
        send_control(&s, 0xffffffff, EV_DEVICE_READY, 1);
    }
    for (;;) {
        qvq_add(&s.control_rx, &(QSegment){ qtest_alloc(s.q, 64, 4), 64, true }, 1);
        qvq_kick(&s.control_rx);
        if (!qvq_has_used(&s.control_rx)) {
            break;
        }
        qvq_wait(&s.control_rx, NULL);
        n++;
    }
    g_assert_cmpuint(n, ==, 256);
    qtest_stop(s.q);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virtio-rng/data", test_rng_fills_the_buffer);
    g_test_add_func("/virtio-rng/egd", test_rng_asks_a_daemon);
    g_test_add_func("/virtio-rng/msix", test_msix_message_is_written);
    g_test_add_func("/virtio/ring-in-registers", test_a_ring_in_registers_breaks_the_device);
    g_test_add_func("/virtio/message-to-registers", test_a_message_to_its_own_registers_is_refused);
    g_test_add_func("/virtio/features-not-offered", test_features_not_offered_do_nothing);
    g_test_add_func("/virtio-balloon/pages", test_balloon_target_and_actual);
    g_test_add_func("/virtio-serial/port", test_serial_port_comes_up_and_talks);
    g_test_add_func("/virtio-serial/open", test_serial_port_tells_when_it_is_opened);
    g_test_add_func("/virtio-serial/change", test_serial_port_goes_on_with_another_back_end);
    g_test_add_func("/virtio-serial/bounded", test_serial_control_messages_are_bounded);
    return g_test_run();
}
