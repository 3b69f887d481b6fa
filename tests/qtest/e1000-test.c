/* e1000: EEPROM and PHY, both rings, checksums, segmentation, filters, interrupts, hostile drivers. */
#include "lib/pci.h"
#include "lib/wire.h"

#include <string.h>

enum { CTRL = 0x0, STATUS = 0x8, EECD = 0x10, EERD = 0x14, MDIC = 0x20, ICR = 0xc0, ITR = 0xc4, ICS = 0xc8, IMS = 0xd0,
       RCTL = 0x100, TCTL = 0x400, RDBAL = 0x2800, RDLEN = 0x2808, RDH = 0x2810, RDT = 0x2818, TDBAL = 0x3800, TDLEN = 0x3808,
       TDH = 0x3810, TDT = 0x3818, GPRC = 0x4074, MTA = 0x5200, RA = 0x5400, VFTA = 0x5600 };
enum { RCTL_EN = 2, RCTL_BAM = 1 << 15, RCTL_VFE = 1 << 18, RCTL_SECRC = 1 << 26, RCTL_LPE = 1 << 5, RCTL_LBM = 3 << 6,
       TCTL_EN = 2, TCTL_PSP = 8, CTRL_VME = 1 << 30, RING = 8, BUF = 2048 };
enum { TXDW = 1, LSC = 4, RXO = 0x40, RXT0 = 0x80 };

typedef struct Nic {
    QTest *q;
    QWire wire;
    QPci p;
    QPciDev dev;
    QBar regs, io;
    uint64_t tx, rx;            /* rings */
    uint64_t rx_buf;            /* RING buffers of BUF bytes */
    unsigned tdt;
} Nic;

static uint32_t rd(Nic *n, unsigned reg)
{
    return (uint32_t)qbar_read(&n->regs, reg, 4);
}

static void wr(Nic *n, unsigned reg, uint32_t v)
{
    qbar_write(&n->regs, reg, 4, v);
}

static void nic_start(Nic *n, uint32_t rctl)
{
    *n = (Nic){ 0 };
    n->q = qwire_start(&n->wire, "-device e1000,netdev=n0,id=net0");
    qpci_init(&n->p, n->q, true);
    g_assert_true(qpci_find(&n->p, 0x8086, 0x100e, &n->dev));
    n->regs = qpci_map(&n->dev, 0);
    n->io = qpci_map(&n->dev, 1);
    n->tx = qtest_alloc(n->q, RING * 16, 128);
    n->rx = qtest_alloc(n->q, RING * 16, 128);
    n->rx_buf = qtest_alloc(n->q, RING * BUF, 16);
    for (unsigned i = 0; i < RING; i++) {
        qtest_write(n->q, n->rx + 16 * i, 8, n->rx_buf + BUF * i);
    }
    wr(n, TDBAL, (uint32_t)n->tx);
    wr(n, TDLEN, RING * 16);
    wr(n, RDBAL, (uint32_t)n->rx);
    wr(n, RDLEN, RING * 16);
    wr(n, RDT, RING - 1);
    wr(n, RCTL, rctl | RCTL_EN);
    wr(n, TCTL, TCTL_EN | TCTL_PSP);
}

static void nic_stop(Nic *n)
{
    qwire_stop(&n->wire, n->q);
}

/* --- EEPROM and PHY --- */

static uint16_t eeprom_by_register(Nic *n, unsigned word)
{
    wr(n, EERD, word << 8 | 1);
    g_assert_cmphex(rd(n, EERD) & 0x10, ==, 0x10);
    return (uint16_t)(rd(n, EERD) >> 16);
}

static void clock_in(Nic *n, unsigned bit)
{
    uint32_t v = 0x40 | 2 | bit << 2;

    wr(n, EECD, v);
    wr(n, EECD, v | 1);
    wr(n, EECD, v);
}

static uint16_t eeprom_by_wire(Nic *n, unsigned word)
{
    unsigned command = 6 << 6 | word;
    uint16_t v = 0;

    wr(n, EECD, 0x40);
    g_assert_cmphex(rd(n, EECD) & 0x80, ==, 0x80);      /* granted */
    wr(n, EECD, 0x42);
    for (int i = 8; i >= 0; i--) {
        clock_in(n, command >> i & 1);
    }
    for (unsigned i = 0; i < 16; i++) {
        wr(n, EECD, 0x43);
        v = v << 1 | (rd(n, EECD) >> 3 & 1);
        wr(n, EECD, 0x42);
    }
    wr(n, EECD, 0);
    return v;
}

static void test_eeprom_both_ways(void)
{
    uint16_t sum = 0;
    Nic n;

    nic_start(&n, 0);
    for (unsigned i = 0; i < 64; i++) {
        uint16_t v = eeprom_by_register(&n, i);

        g_assert_cmphex(eeprom_by_wire(&n, i), ==, v);
        sum += v;
    }
    g_assert_cmphex(sum, ==, 0xbaba);
    g_assert_cmphex(eeprom_by_register(&n, 0), ==, 0x5452);
    g_assert_cmphex(eeprom_by_register(&n, 2), ==, 0x5634);
    nic_stop(&n);
}

static uint16_t phy_read(Nic *n, unsigned reg)
{
    wr(n, MDIC, 2u << 26 | 1 << 21 | reg << 16);
    g_assert_cmphex(rd(n, MDIC) & 3u << 28, ==, 1u << 28);
    return (uint16_t)rd(n, MDIC);
}

static void test_phy_negotiates(void)
{
    Nic n;

    nic_start(&n, 0);
    g_assert_cmphex(phy_read(&n, 2), ==, 0x141);
    g_assert_cmphex(phy_read(&n, 3), ==, 0xc20);
    g_assert_cmphex(phy_read(&n, 1) & 0x24, ==, 0x24);
    g_assert_cmphex(rd(&n, STATUS) & 0xc3, ==, 0x83);
    rd(&n, ICR);
    wr(&n, MDIC, 1u << 26 | 1 << 21 | 0 << 16 | 0x1340);        /* restart */
    g_assert_cmphex(rd(&n, STATUS) & 2, ==, 0);
    g_assert_cmphex(rd(&n, ICR) & LSC, ==, LSC);
    qtest_clock_step(n.q, 600 * 1000 * 1000);
    g_assert_cmphex(rd(&n, STATUS) & 2, ==, 2);
    g_assert_cmphex(rd(&n, ICR) & LSC, ==, LSC);
    wr(&n, MDIC, 2u << 26 | 5 << 21);                           /* another PHY */
    g_assert_cmphex(rd(&n, MDIC) >> 30 & 1, ==, 1);
    g_free(qtest_qmp(n.q, "{'execute': 'set_link', 'arguments': {'name': 'net0', 'up': false}}"));
    g_assert_cmphex(rd(&n, STATUS) & 2, ==, 0);
    g_assert_cmphex(phy_read(&n, 1) & 4, ==, 0);
    nic_stop(&n);
}

static void test_registers_by_ports(void)
{
    Nic n;

    nic_start(&n, 0);
    qbar_write(&n.io, 0, 4, RA);
    g_assert_cmphex(qbar_read(&n.io, 4, 4), ==, 0x12005452);
    qbar_write(&n.io, 4, 4, 0x11223344);
    g_assert_cmphex(rd(&n, RA), ==, 0x11223344);
    qbar_write(&n.io, 0, 4, 0xfffffffc);                /* beyond: nothing */
    qbar_write(&n.io, 4, 4, 1);
    g_assert_cmphex(qbar_read(&n.io, 4, 4), ==, 0);
    wr(&n, CTRL, 1 << 26);                              /* a reset brings the address back */
    g_assert_cmphex(rd(&n, RA), ==, 0x12005452);
    nic_stop(&n);
}

/* --- transmit --- */

static void put_descriptor(Nic *n, uint64_t first, uint32_t second, uint32_t third)
{
    uint64_t at = n->tx + 16 * n->tdt;

    qtest_write(n->q, at, 8, first);
    qtest_write(n->q, at + 8, 4, second);
    qtest_write(n->q, at + 12, 4, third);
    n->tdt = (n->tdt + 1) % RING;
}

static uint64_t put_bytes(Nic *n, const uint8_t *data, size_t len)
{
    uint64_t at = qtest_alloc(n->q, len, 16);

    qtest_memwrite(n->q, at, data, len);
    return at;
}

static void test_legacy_frame_in_two_parts(void)
{
    uint8_t frame[100], got[200];
    Nic n;

    nic_start(&n, 0);
    wr(&n, IMS, TXDW);
    qwire_make_frame(frame, sizeof(frame), OTHER_MAC, 1);
    put_descriptor(&n, put_bytes(&n, frame, 40), 40, 0);
    put_descriptor(&n, put_bytes(&n, frame + 40, 60), 60 | 0x0bu << 24, 0);     /* EOP, IFCS, RS */
    wr(&n, TDT, n.tdt);
    g_assert_cmpuint(qwire_receive(&n.wire, got, sizeof(got)), ==, sizeof(frame));
    g_assert_cmpmem(got, sizeof(frame), frame, sizeof(frame));
    g_assert_cmphex(qtest_read(n.q, n.tx + 12, 1), ==, 0);
    g_assert_cmphex(qtest_read(n.q, n.tx + 16 + 12, 1), ==, 1);
    g_assert_cmpuint(rd(&n, TDH), ==, 2);
    g_assert_cmphex(rd(&n, ICR) & TXDW, ==, TXDW);
    put_descriptor(&n, put_bytes(&n, frame, 20), 20 | 0x03u << 24, 0);          /* short: padded */
    wr(&n, TDT, n.tdt);
    g_assert_cmpuint(qwire_receive(&n.wire, got, sizeof(got)), ==, 60);
    wr(&n, CTRL, CTRL_VME);
    put_descriptor(&n, put_bytes(&n, frame, 70), 70 | 0x43u << 24, 0x2005u << 16);      /* tagged */
    wr(&n, TDT, n.tdt);
    g_assert_cmpuint(qwire_receive(&n.wire, got, sizeof(got)), ==, 74);
    g_assert_cmpmem(got + 12, 4, "\x81\x00\x20\x05", 4);
    nic_stop(&n);
}

static uint16_t sum_of(uint32_t sum, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        sum += i & 1 ? data[i] : data[i] << 8;
    }
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

/* Ethernet, IPv4, TCP, then data; the TCP field has the pseudo-header's sum, with or without a length. */
static void make_tcp(uint8_t *f, size_t payload, bool with_length)
{
    uint8_t pseudo[12] = { 10, 0, 0, 1, 10, 0, 0, 2, 0, 6 };
    uint16_t tcp_len = (uint16_t)(20 + payload), sum;

    qwire_make_frame(f, 54 + payload, OTHER_MAC, 0);
    memcpy(f + 12, "\x08\x00\x45\x00", 4);
    f[16] = (uint8_t)((40 + payload) >> 8);
    f[17] = (uint8_t)(40 + payload);
    memcpy(f + 18, "\x12\x34\x00\x00\x40\x06\x00\x00\x0a\x00\x00\x01\x0a\x00\x00\x02", 16);
    memcpy(f + 34, "\x10\x00\x20\x00\x00\x00\xff\x00\x00\x00\x00\x00\x50\x19\x10\x00\x00\x00\x00\x00", 20);
    if (with_length) {
        pseudo[10] = (uint8_t)(tcp_len >> 8);
        pseudo[11] = (uint8_t)tcp_len;
    }
    sum = sum_of(0, pseudo, 12);
    f[50] = (uint8_t)(sum >> 8);
    f[51] = (uint8_t)sum;
}

static void put_context(Nic *n, uint32_t tucmd, uint32_t payload, uint32_t mss)
{
    put_descriptor(n, 14 | 24 << 8 | 33ull << 16 | 34ull << 32 | 50ull << 40, payload | tucmd << 24, 54 << 8 | mss << 16);
}

/* IP and TCP sums of a frame are right. */
static void check_sums(const uint8_t *f, size_t len)
{
    uint8_t pseudo[12] = { 10, 0, 0, 1, 10, 0, 0, 2, 0, 6, (uint8_t)((len - 34) >> 8), (uint8_t)(len - 34) };

    g_assert_cmphex(sum_of(0, f + 14, 20), ==, 0xffff);
    g_assert_cmphex(sum_of(sum_of(0, pseudo, 12), f + 34, len - 34), ==, 0xffff);
}

static void test_checksums_are_put(void)
{
    uint8_t frame[54 + 101], got[300];
    Nic n;

    nic_start(&n, 0);
    make_tcp(frame, 101, true);
    put_context(&n, 0x23, 0, 0);                        /* DEXT, IP, TCP */
    put_descriptor(&n, put_bytes(&n, frame, sizeof(frame)), sizeof(frame) | 1 << 20 | 0x2bu << 24, 3 << 8);
    wr(&n, TDT, n.tdt);
    g_assert_cmpuint(qwire_receive(&n.wire, got, sizeof(got)), ==, sizeof(frame));
    check_sums(got, sizeof(frame));
    g_assert_cmpmem(got + 54, 101, frame + 54, 101);
    nic_stop(&n);
}

static void test_segments(void)
{
    enum { PAYLOAD = 2500, MSS = 1000 };
    uint8_t frame[54 + PAYLOAD], got[2000];
    size_t done = 0;
    Nic n;

    nic_start(&n, 0);
    make_tcp(frame, PAYLOAD, false);
    put_context(&n, 0x27, PAYLOAD, MSS);                /* and TSE */
    put_descriptor(&n, put_bytes(&n, frame, 54), 54 | 1 << 20 | 0x26u << 24, 3 << 8);
    put_descriptor(&n, put_bytes(&n, frame + 54, PAYLOAD), PAYLOAD | 1 << 20 | 0x2fu << 24, 3 << 8);
    wr(&n, TDT, n.tdt);
    for (unsigned i = 0; i < 3; i++) {
        uint32_t part = i < 2 ? MSS : PAYLOAD - 2 * MSS;

        g_assert_cmpuint(qwire_receive(&n.wire, got, sizeof(got)), ==, 54 + part);
        check_sums(got, 54 + part);
        g_assert_cmpuint(got[16] << 8 | got[17], ==, 40 + part);
        g_assert_cmphex(got[18] << 8 | got[19], ==, 0x1234 + i);
        g_assert_cmphex((unsigned)got[38] << 24 | got[39] << 16 | got[40] << 8 | got[41], ==, 0xff00 + done);
        g_assert_cmphex(got[47], ==, i < 2 ? 0x10 : 0x19);      /* FIN and PSH with the last */
        g_assert_cmpmem(got + 54, part, frame + 54 + done, part);
        done += part;
    }
    nic_stop(&n);
}

/* --- receive --- */

/* Descriptor @i is done: its length. */
static uint32_t wait_received(Nic *n, unsigned i)
{
    for (unsigned tries = 0; !(qtest_read(n->q, n->rx + 16 * i + 12, 1) & 1); tries++) {
        g_assert_cmpuint(tries, <, 5000);
        g_usleep(1000);
    }
    return (uint32_t)qtest_read(n->q, n->rx + 16 * i + 8, 2);
}

static void test_receive_with_check_sequence(void)
{
    /* "123456789"'s CRC-32 is known: here that of the frame is checked by its residue. */
    uint8_t frame[100], got[104];
    uint32_t crc = 0xffffffff;
    Nic n;

    nic_start(&n, RCTL_BAM);
    wr(&n, IMS, RXT0);
    qwire_make_frame(frame, sizeof(frame), BROADCAST, 9);
    qwire_send(&n.wire, frame, sizeof(frame));
    g_assert_cmpuint(wait_received(&n, 0), ==, 104);
    g_assert_cmphex(qtest_read(n.q, n.rx + 12, 1), ==, 7);
    qtest_memread(n.q, n.rx_buf, got, 104);
    g_assert_cmpmem(got, 100, frame, 100);
    for (unsigned i = 0; i < 104 * 8; i++) {
        crc = crc >> 1 ^ ((crc ^ got[i / 8] >> i % 8) & 1 ? 0xedb88320 : 0);
    }
    g_assert_cmphex(crc, ==, 0xdebb20e3);
    g_assert_cmphex(rd(&n, ICR) & RXT0, ==, RXT0);
    g_assert_cmpuint(rd(&n, RDH), ==, 1);
    g_assert_cmpuint(rd(&n, GPRC), ==, 1);
    g_assert_cmpuint(rd(&n, GPRC), ==, 0);
    nic_stop(&n);
}

static void test_filters(void)
{
    static const char *const wanted[] = { OUR_MAC, BROADCAST, MULTICAST };
    unsigned bit = (5 << 8 | 0) >> 4 & 0xfff;           /* the last two bytes of MULTICAST, bits 47 to 36 */
    uint8_t frame[64];
    Nic n;

    nic_start(&n, RCTL_BAM | RCTL_SECRC | RCTL_VFE);
    wr(&n, MTA + 4 * (bit / 32), 1u << bit % 32);
    wr(&n, VFTA + 4 * (7 / 32), 1u << 7 % 32);
    wr(&n, CTRL, CTRL_VME);
    qwire_make_frame(frame, 64, OTHER_MAC, 0x77);
    qwire_send(&n.wire, frame, 64);
    qwire_make_frame(frame, 64, "\x01\x00\x5e\x00\x00\xff", 0x77);
    qwire_send(&n.wire, frame, 64);
    qwire_make_frame(frame, 64, OUR_MAC, 0x77);
    memcpy(frame + 12, "\x81\x00\x00\x08", 4);          /* VLAN 8 */
    qwire_send(&n.wire, frame, 64);
    for (unsigned i = 0; i < 3; i++) {
        qwire_make_frame(frame, 64, wanted[i], (uint8_t)i);
        qwire_send(&n.wire, frame, 64);
    }
    memcpy(frame, OUR_MAC, 6);
    memcpy(frame + 12, "\x81\x00\x20\x07\x08\x00", 6);  /* VLAN 7 */
    qwire_send(&n.wire, frame, 64);
    for (unsigned i = 0; i < 3; i++) {
        g_assert_cmpuint(wait_received(&n, i), ==, 64);
        g_assert_cmphex(qtest_read(n.q, n.rx_buf + BUF * i + 14, 1), ==, i);
    }
    g_assert_cmpuint(wait_received(&n, 3), ==, 60);
    g_assert_cmphex(qtest_read(n.q, n.rx + 16 * 3 + 12, 1) & 8, ==, 8);
    g_assert_cmphex(qtest_read(n.q, n.rx + 16 * 3 + 14, 2), ==, 0x2007);
    g_assert_cmphex(qtest_read(n.q, n.rx_buf + BUF * 3 + 12, 2), ==, 0x0008);
    nic_stop(&n);
}

/* A full ring keeps frames, told by RXO; one that spans descriptors has EOP in the last. */
static void test_full_ring_and_long_frame(void)
{
    uint8_t frame[5000];
    Nic n;

    nic_start(&n, RCTL_BAM | RCTL_LPE | RCTL_SECRC);
    qwire_make_frame(frame, sizeof(frame), BROADCAST, 1);
    qwire_send(&n.wire, frame, sizeof(frame));
    g_assert_cmpuint(wait_received(&n, 2), ==, 5000 - 2 * BUF);
    g_assert_cmphex(qtest_read(n.q, n.rx + 12, 1), ==, 1);
    g_assert_cmphex(qtest_read(n.q, n.rx + 32 + 12, 1) & 2, ==, 2);
    for (unsigned i = 0; i < 5; i++) {
        qwire_make_frame(frame, 100, BROADCAST, (uint8_t)i);
        qwire_send(&n.wire, frame, 100);
    }
    wait_received(&n, 6);
    for (unsigned tries = 0; !(rd(&n, ICR) & RXO); tries++) {
        g_assert_cmpuint(tries, <, 5000);
        g_usleep(1000);
    }
    g_assert_cmpuint(rd(&n, RDH), ==, RING - 1);
    wr(&n, RDT, 2);
    g_assert_cmpuint(wait_received(&n, 7), ==, 100);
    g_assert_cmphex(qtest_read(n.q, n.rx_buf + BUF * 7 + 14, 1), ==, 4);
    nic_stop(&n);
}

/* --- interrupts --- */

static void test_interrupts_keep_to_the_rate(void)
{
    Nic n;

    nic_start(&n, 0);
    qtest_clock_step(n.q, 1000);
    wr(&n, ITR, 4000);                                  /* 1.024 ms */
    wr(&n, IMS, TXDW);
    wr(&n, ICS, TXDW);
    g_assert_cmphex(qpci_read(&n.dev, PCI_STATUS, 2) & 8, ==, 8);
    g_assert_cmphex(rd(&n, ICR), ==, TXDW);
    g_assert_cmphex(qpci_read(&n.dev, PCI_STATUS, 2) & 8, ==, 0);
    wr(&n, ICS, TXDW);
    g_assert_cmphex(qpci_read(&n.dev, PCI_STATUS, 2) & 8, ==, 0);       /* not yet */
    qtest_clock_step(n.q, 1100 * 1000);
    g_assert_cmphex(qpci_read(&n.dev, PCI_STATUS, 2) & 8, ==, 8);
    nic_stop(&n);
}

/* --- hostile drivers --- */

static void test_rings_beyond_reason(void)
{
    uint8_t frame[64];
    Nic n;

    nic_start(&n, RCTL_BAM);
    wr(&n, TDH, 0xffff);
    wr(&n, TDT, 3);
    wr(&n, RDH, 0x1234);
    qwire_make_frame(frame, 64, BROADCAST, 1);
    qwire_send(&n.wire, frame, 64);
    qtest_clock_step(n.q, 1000 * 1000);
    wr(&n, TDH, 0);
    wr(&n, TDLEN, 0);
    wr(&n, TDT, 1);
    wr(&n, TDLEN, 0xffffffff);
    wr(&n, TDBAL, 0xfffffff0);
    wr(&n, TDT, 0xfff);
    qtest_clock_step(n.q, 1000 * 1000);
    nic_stop(&n);
}

/* Descriptors and buffers in the device's own registers, frames looped back, endless data, headers that do not fit. */
static void test_device_feeds_itself(void)
{
    uint8_t frame[64];
    Nic n;

    nic_start(&n, RCTL_BAM | RCTL_LBM);
    qwire_make_frame(frame, 64, BROADCAST, 1);
    for (unsigned i = 0; i < RING; i++) {
        qtest_write(n.q, n.rx + 16 * i, 8, n.regs.addr + TDT);      /* receiving writes registers */
    }
    put_descriptor(&n, put_bytes(&n, frame, 64), 64 | 0x0bu << 24, 0);
    wr(&n, TDT, n.tdt);
    qtest_clock_step(n.q, 1000 * 1000);
    wr(&n, TDH, 0);
    wr(&n, TDBAL, (uint32_t)n.regs.addr + 0x3800);                  /* the ring is its registers */
    wr(&n, TDT, 7);
    qtest_clock_step(n.q, 1000 * 1000);
    wr(&n, TDBAL, (uint32_t)n.tx);
    wr(&n, TDT, 0);
    wr(&n, TDH, 0);
    n.tdt = 0;
    put_descriptor(&n, 200 | 255ull << 8 | 0xffffull << 16 | 250ull << 32 | 255ull << 40 | 0xffffull << 48, 0xfffff | 0x27u << 24,
                   255 << 8 | 0xffffu << 16);
    for (unsigned i = 0; i < 4; i++) {
        put_descriptor(&n, 0, 0xfffff | 1 << 20 | (i == 3 ? 0x27u : 0x26u) << 24, 3 << 8);
    }
    put_descriptor(&n, put_bytes(&n, frame, 64), 64 | 1 << 20 | 0x2fu << 24, 3 << 8);
    wr(&n, TDT, n.tdt);
    qtest_clock_step(n.q, 1000 * 1000);
    g_assert_cmpuint(rd(&n, TDH), ==, n.tdt);
    nic_stop(&n);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/e1000/eeprom", test_eeprom_both_ways);
    g_test_add_func("/e1000/phy", test_phy_negotiates);
    g_test_add_func("/e1000/ports", test_registers_by_ports);
    g_test_add_func("/e1000/transmit", test_legacy_frame_in_two_parts);
    g_test_add_func("/e1000/checksums", test_checksums_are_put);
    g_test_add_func("/e1000/segments", test_segments);
    g_test_add_func("/e1000/receive", test_receive_with_check_sequence);
    g_test_add_func("/e1000/filters", test_filters);
    g_test_add_func("/e1000/full-ring", test_full_ring_and_long_frame);
    g_test_add_func("/e1000/throttle", test_interrupts_keep_to_the_rate);
    g_test_add_func("/e1000/rings-beyond-reason", test_rings_beyond_reason);
    g_test_add_func("/e1000/feeds-itself", test_device_feeds_itself);
    return g_test_run();
}
