/* What must hold of every PCI function: identity fields, BARs, capabilities, the two ways to configuration space. */
#include "lib/pci.h"

#define DEVICES \
    "-device virtio-rng-pci -device virtio-balloon-pci -device virtio-serial-pci -device pci-serial,chardev=n -chardev null,id=n"

static unsigned n_functions;

static void assert_constant(QPciDev *d, unsigned reg, unsigned size)
{
    uint32_t before = qpci_read(d, reg, size);

    qpci_write(d, reg, size, ~before);
    g_assert_cmphex(qpci_read(d, reg, size), ==, before);
}

static void check_identity(QPciDev *d, void *opaque)
{
    n_functions++;
    assert_constant(d, PCI_VENDOR, 4);
    assert_constant(d, PCI_REVISION, 4);
    assert_constant(d, PCI_HEADER_TYPE, 1);
    assert_constant(d, PCI_CAP_POINTER, 1);
    assert_constant(d, PCI_INT_PIN, 1);
    g_assert_cmpuint(qpci_read(d, PCI_INT_PIN, 1), <=, 4);
    qpci_write(d, PCI_INT_LINE, 1, 0x5a);                   /* software's scratch: holds what is written */
    g_assert_cmphex(qpci_read(d, PCI_INT_LINE, 1), ==, 0x5a);
}

/* BARs: a size is a power of two, at least 16 bytes of memory or 4 of I/O; type bits do not change. */
static void check_bars(QPciDev *d, void *opaque)
{
    unsigned n = (qpci_read(d, PCI_HEADER_TYPE, 1) & 0x7f) == 0 ? 6 : 2;

    qpci_write(d, PCI_COMMAND, 2, 0);
    for (unsigned i = 0; i < n; i++) {
        unsigned reg = PCI_BAR0 + 4 * i;
        uint32_t old = qpci_read(d, reg, 4), mask, size;

        qpci_write(d, reg, 4, 0xffffffff);
        mask = qpci_read(d, reg, 4);
        if (mask) {
            size = ~(mask & (mask & 1 ? ~3u : ~15u)) + 1;
            if (mask & 1) {
                size &= 0xffff;
            }
            g_assert_cmphex(size & (size - 1), ==, 0);
            g_assert_cmpuint(size, >=, mask & 1 ? 4 : 16);
            g_assert_cmphex(mask & (mask & 1 ? 3 : 15), ==, old & (mask & 1 ? 3 : 15));
        }
        qpci_write(d, reg, 4, old);
        if ((mask & 7) == 4) {
            i++;
        }
    }
}

/* The list of capabilities ends, lies above the header, and names nothing twice but vendor's. */
static void check_capabilities(QPciDev *d, void *opaque)
{
    bool has = qpci_read(d, PCI_STATUS, 2) & 0x10, seen[256] = { false };
    unsigned at = qpci_read(d, PCI_CAP_POINTER, 1), n = 0;

    g_assert_cmpint(has, ==, at != 0);
    for (; at; at = qpci_read(d, at + 1, 1)) {
        unsigned id = qpci_read(d, at, 1);

        g_assert_cmphex(at & 3, ==, 0);
        g_assert_cmphex(at, >=, 0x40);
        g_assert_cmpuint(++n, <, 48);
        g_assert_false(seen[id] && id != PCI_CAP_VENDOR);
        seen[id] = true;
        assert_constant(d, at, 2);
    }
}

static void run_all(const char *machine, bool ecam)
{
    QTest *q = qtest_start("-machine %s " DEVICES, machine);
    QPci p;

    qpci_init(&p, q, ecam);
    n_functions = 0;
    qpci_foreach(&p, check_identity, NULL);
    g_assert_cmpuint(n_functions, >=, 6);
    qpci_foreach(&p, check_bars, NULL);
    qpci_foreach(&p, check_capabilities, NULL);
    qtest_stop(q);
}

static void test_pc_functions(void)
{
    run_all("pc", false);
}

static void test_q35_functions(void)
{
    run_all("q35", true);
}

static void test_ports_and_ecam_agree(void)
{
    QTest *q = qtest_start("-machine q35 " DEVICES);
    QPci ports, ecam;

    qpci_init(&ports, q, false);
    qpci_init(&ecam, q, true);
    for (unsigned devfn = 0; devfn < 256; devfn++) {
        QPciDev a = { &ports, 0, devfn }, b = { &ecam, 0, devfn };

        for (unsigned reg = 0; reg < 64; reg += 4) {
            g_assert_cmphex(qpci_read(&a, reg, 4), ==, qpci_read(&b, reg, 4));
        }
    }
    qtest_stop(q);
}

static void test_nothing_answers_all_ones(void)
{
    QTest *q = qtest_start("-machine q35");
    QPci p;
    QPciDev d = { &p, 0, 0x17 << 3 }, far = { &p, 0x40, 0 };

    qpci_init(&p, q, true);
    g_assert_cmphex(qpci_read(&d, 0, 4), ==, 0xffffffff);
    g_assert_cmphex(qpci_read(&far, 0, 4), ==, 0xffffffff);
    qpci_write(&d, 0x10, 4, 0);                             /* nobody hears */
    qtest_stop(q);
}

static void test_bar_decodes_where_it_is_put(void)
{
    QTest *q = qtest_start("-machine q35 -device virtio-rng-pci,disable-legacy=on");
    QPci p;
    QPciDev d;
    QBar a, b;

    qpci_init(&p, q, true);
    g_assert_true(qpci_find(&p, 0x1af4, 0x1044, &d));
    a = qpci_map(&d, 4);
    qbar_write(&a, 0, 4, 1);                                /* device_feature_select */
    g_assert_cmphex(qbar_read(&a, 0, 4), ==, 1);
    b = qpci_map(&d, 4);                                    /* moved */
    g_assert_cmphex(b.addr, !=, a.addr);
    g_assert_cmphex(qbar_read(&b, 0, 4), ==, 1);
    g_assert_cmphex(qbar_read(&a, 0, 4), !=, 1);
    qpci_write(&d, PCI_COMMAND, 2, 0);                      /* decoding off */
    g_assert_cmphex(qbar_read(&b, 0, 4), !=, 1);
    qtest_stop(q);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/pc", test_pc_functions);
    g_test_add_func("/pci/q35", test_q35_functions);
    g_test_add_func("/pci/ports-and-ecam", test_ports_and_ecam_agree);
    g_test_add_func("/pci/nobody", test_nothing_answers_all_ones);
    g_test_add_func("/pci/bar", test_bar_decodes_where_it_is_put);
    return g_test_run();
}
