/*
 * Watchdogs as the guest sees them, on a clock stepped by hand; WATCHDOG events are counted.
 */
#include "hw/i386/ich9-tco.h"
#include "hw/isa/isa.h"
#include "hw/pci/pci.h"
#include "qapi/qapi.h"
#include "system/runstate.h"
#include "util/main-loop.h"
#include "util/rcu.h"

#define SECONDS(n) ((n) * NANOSECONDS_PER_SECOND)

static unsigned fired;
static unsigned smis;

static void count_event(const char *event, Value *data)
{
    g_assert_cmpstr(event, ==, "WATCHDOG");
    g_assert_cmpstr(value_dict_get_str(data, "action"), ==, "none");
    value_unref(data);
    fired++;
}

static void step(int64_t ns)
{
    clock_virtual_advance_to(clock_get_ns(CLOCK_TYPE_VIRTUAL) + ns);
}

/* @n events more after @ns, and none just before. */
static void assert_fires_after(int64_t ns, unsigned n)
{
    unsigned before = fired;

    step(ns - 1000);
    g_assert_cmpuint(fired, ==, before);
    step(2000);
    g_assert_cmpuint(fired, ==, before + n);
}

static void gone(Device *dev)
{
    device_unrealize(dev);
    object_unparent(dev);
}

/* --- ib700 --- */

static IsaBus *isa;

static void port_out(AddressSpace *as, hwaddr port, uint32_t v, unsigned size)
{
    address_space_st(as, port, v, size, false, MEMTXATTRS_UNSPECIFIED, NULL);
}

static uint32_t port_in(AddressSpace *as, hwaddr port, unsigned size)
{
    return address_space_ld(as, port, size, false, MEMTXATTRS_UNSPECIFIED, NULL);
}

static void test_ib700_counts_from_its_table(void)
{
    Device *dev = device_new(type_by_name("ib700"));

    g_assert_true(device_realize_and_unref(dev, &isa->bus, &error_abort));
    port_out(&address_space_io, 0x443, 0xe, 1);
    assert_fires_after(SECONDS(2), 1);
    step(SECONDS(60));                                          /* once only */
    g_assert_cmpuint(fired, ==, 1);
    port_out(&address_space_io, 0x443, 0xf0, 1);                /* upper bits mean nothing */
    assert_fires_after(SECONDS(30), 1);
    port_out(&address_space_io, 0x443, 0, 1);
    step(SECONDS(20));
    port_out(&address_space_io, 0x443, 0, 1);                   /* in time */
    step(SECONDS(20));
    port_out(&address_space_io, 0x441, 0, 1);
    step(SECONDS(60));
    port_out(&address_space_io, 0x443, 0, 1);
    device_reset(dev, RESET_COLD);
    step(SECONDS(60));
    port_out(&address_space_io, 0x443, 0, 1);
    gone(dev);
    step(SECONDS(60));
    g_assert_cmpuint(fired, ==, 2);
}

/* --- i6300esb --- */

static PCIBus *pci;
static PCIDevice *esb;

enum { ESB_BAR = 0xe0000000, ESB_TIMER1 = ESB_BAR, ESB_TIMER2 = ESB_BAR + 4, ESB_GINTSR = ESB_BAR + 8, ESB_RELOAD = ESB_BAR + 12 };

static void esb_new(void)
{
    esb = pci_create_simple(pci, -1, "i6300esb", &error_abort);
    device_reset(DEVICE(esb), RESET_COLD);
    pci_config_write(esb, 0x10, ESB_BAR, 4);
    pci_config_write(esb, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
}

static void esb_out(hwaddr at, uint32_t v)
{
    port_out(&address_space_memory, at, v, 4);
}

static void esb_out_unlocked(hwaddr at, uint32_t v)
{
    esb_out(ESB_RELOAD, 0x80);
    esb_out(ESB_RELOAD, 0x86);
    esb_out(at, v);
}

/* Ticks of 2^15 PCI clocks at 33 MHz. */
static int64_t esb_ns(unsigned ticks)
{
    return (int64_t)muldiv64((uint64_t)ticks << 15, NANOSECONDS_PER_SECOND, 33000000);
}

static void test_esb_two_stages_then_fires(void)
{
    esb_new();
    fired = 0;
    pci_config_write(esb, 0x60, 3, 2);                          /* no interrupt, reboot, 1 kHz */
    esb_out_unlocked(ESB_TIMER1, 1000);
    esb_out_unlocked(ESB_TIMER2, 500);
    pci_config_write(esb, 0x68, 2, 1);
    assert_fires_after(esb_ns(1500), 1);
    g_assert_cmphex(port_in(&address_space_memory, ESB_RELOAD, 2), ==, 0x200);
    device_reset(DEVICE(esb), RESET_COLD);
    pci_config_write(esb, 0x10, ESB_BAR, 4);
    pci_config_write(esb, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
    g_assert_cmphex(port_in(&address_space_memory, ESB_RELOAD, 4), ==, 0x200);  /* tells who reset */
    esb_out_unlocked(ESB_RELOAD, 0x200);
    g_assert_cmphex(port_in(&address_space_memory, ESB_RELOAD, 4), ==, 0);
    gone(DEVICE(esb));
}

static void test_esb_is_restarted_and_locked(void)
{
    esb_new();
    fired = 0;
    esb_out(ESB_TIMER1, 1);                                     /* locked: ignored */
    esb_out_unlocked(ESB_TIMER1, 1000);
    esb_out(ESB_TIMER1, 1);                                     /* one write per unlocking */
    esb_out_unlocked(ESB_TIMER2, 1000);
    pci_config_write(esb, 0x68, 3, 1);                          /* enabled, locked */
    for (unsigned i = 0; i < 10; i++) {
        step(esb_ns(1900));
        esb_out_unlocked(ESB_RELOAD, 0x100);
    }
    g_assert_cmpuint(fired, ==, 0);
    g_assert_cmphex(port_in(&address_space_memory, ESB_GINTSR, 4), ==, 1);      /* first stages had ended */
    esb_out(ESB_GINTSR, 1);
    g_assert_cmphex(port_in(&address_space_memory, ESB_GINTSR, 4), ==, 0);
    pci_config_write(esb, 0x68, 0, 1);                          /* too late to disable */
    g_assert_cmphex(pci_config_read(esb, 0x68, 1), ==, 3);
    assert_fires_after(esb_ns(2000), 1);
    gone(DEVICE(esb));
}

static void test_esb_without_reboot_runs_on(void)
{
    esb_new();
    fired = 0;
    pci_config_write(esb, 0x60, 1 << 5, 2);
    esb_out_unlocked(ESB_TIMER1, 1);
    esb_out_unlocked(ESB_TIMER2, 1);
    pci_config_write(esb, 0x68, 6, 1);                          /* free-running */
    step(esb_ns(2000));
    g_assert_cmpuint(fired, ==, 0);
    pci_config_write(esb, 0x60, 0, 2);
    step(esb_ns(4));
    g_assert_cmpuint(fired, >=, 1);
    pci_config_write(esb, 0x68, 0, 1);
    fired = 0;
    step(SECONDS(10));
    g_assert_cmpuint(fired, ==, 0);
    gone(DEVICE(esb));
}

/* --- TCO --- */

static Ich9Tco tco;
static MemoryRegion tco_io, tco_mem;
static AddressSpace io_as, mem_as;

enum { TICK_MS = 600, RLD = 0, STS1 = 4, STS2 = 6, CNT1 = 8, TMR = 0x12, HLT = 1 << 11, GCS = 0x3410, NO_REBOOT = 0x20 };

static void count_smi(void *opaque)
{
    smis++;
}

static void tco_new(bool noreboot)
{
    if (!tco_io.size) {
        memory_region_init(&tco_io, NULL, "io", 0x20);
        memory_region_init(&tco_mem, NULL, "mem", 0x4000);
        address_space_init(&io_as, &tco_io, "tco-io");
        address_space_init(&mem_as, &tco_mem, "tco-mem");
        ich9_tco_init(&tco, NULL, count_smi, NULL);
        memory_region_add_subregion(&tco_io, 0, &tco.io);
        memory_region_add_subregion(&tco_mem, 0, &tco.rcrb);
    }
    tco.noreboot = noreboot;
    ich9_tco_reset(&tco);
    fired = smis = 0;
}

static void tco_start(unsigned ticks)
{
    port_out(&io_as, CNT1, HLT, 2);
    port_out(&io_as, TMR, ticks, 2);
    port_out(&io_as, RLD, 1, 2);
    port_out(&io_as, CNT1, 0, 2);
}

static void test_tco_second_timeout_fires(void)
{
    tco_new(false);
    step(SECONDS(100));                                         /* not started: silent */
    tco_start(10);
    g_assert_cmpuint(port_in(&io_as, RLD, 2), ==, 10);
    step(TICK_MS * INT64_C(3000000));
    g_assert_cmpuint(port_in(&io_as, RLD, 2), ==, 7);
    step(TICK_MS * INT64_C(7000000));
    g_assert_cmphex(port_in(&io_as, STS1, 2), ==, 8);
    g_assert_cmpuint(smis, ==, 1);
    g_assert_cmpuint(fired, ==, 0);
    assert_fires_after(TICK_MS * INT64_C(10000000), 1);
    g_assert_cmphex(port_in(&io_as, STS2, 2), ==, 6);
    ich9_tco_reset(&tco);
    g_assert_cmphex(port_in(&io_as, STS2, 2), ==, 6);           /* survives the reset it made */
    port_out(&io_as, STS2, 6, 2);
    g_assert_cmphex(port_in(&io_as, STS2, 1), ==, 0);
}

static void test_tco_is_fed_and_halted(void)
{
    tco_new(false);
    tco_start(4);
    for (unsigned i = 0; i < 10; i++) {
        step(TICK_MS * INT64_C(3000000));
        port_out(&io_as, RLD, 1, 1);
    }
    g_assert_cmpuint(smis, ==, 0);
    step(TICK_MS * INT64_C(1000000));
    port_out(&io_as, CNT1 + 1, HLT >> 8, 1);
    step(SECONDS(100));
    g_assert_cmpuint(port_in(&io_as, RLD, 2), ==, 3);
    g_assert_cmphex(port_in(&io_as, CNT1, 2), ==, HLT);
    port_out(&io_as, CNT1, 0, 2);                               /* goes on where it stood */
    step(TICK_MS * INT64_C(3000000));
    g_assert_cmpuint(smis, ==, 1);
    port_out(&io_as, STS1, 8, 2);                               /* the first timeout was seen: the next is a first again */
    step(TICK_MS * INT64_C(4000000));
    g_assert_cmpuint(smis, ==, 2);
    g_assert_cmpuint(fired, ==, 0);
}

static void test_tco_no_reboot_holds_it_back(void)
{
    tco_new(true);
    port_out(&mem_as, GCS, 0, 4);                               /* the strap wins */
    g_assert_cmphex(port_in(&mem_as, GCS, 4), ==, NO_REBOOT);
    tco_start(4);
    step(SECONDS(60));
    g_assert_cmpuint(fired, ==, 0);
    g_assert_cmphex(port_in(&io_as, STS2, 2) & 2, ==, 2);
    tco_new(false);
    g_assert_cmphex(port_in(&mem_as, GCS, 4), ==, 0);
    port_out(&mem_as, GCS, 0xffffffff, 4);
    g_assert_cmphex(port_in(&mem_as, GCS, 4), ==, NO_REBOOT);
    tco_start(4);
    step(SECONDS(60));
    g_assert_cmpuint(fired, ==, 0);
    ich9_tco_reset(&tco);
}

/* Every register, every size, any value: nothing but the counter may fall out. */
static void test_tco_takes_garbage(void)
{
    uint32_t seed = 12345;

    tco_new(false);
    for (unsigned i = 0; i < 20000; i++) {
        unsigned size = 1u << (seed >> 20) % 3;

        seed = seed * 1664525 + 1013904223;
        port_out(&io_as, ROUND_DOWN((seed >> 8) % 0x20, size), seed >> 3, size);
        port_in(&io_as, ROUND_DOWN((seed >> 16) % 0x20, size), size);
        step(TICK_MS * 100000);
    }
    ich9_tco_reset(&tco);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    rcu_thread_enter();
    bql_lock();
    main_loop_init();
    memory_spaces_init();
    clock_virtual_set_manual(true);
    qapi_event_set_sink(count_event);
    watchdog_action = WATCHDOG_ACTION_NONE;
    isa = isa_bus_new(NULL, system_memory(), system_io(), NULL);
    pci = pci_root_bus_new(NULL, "pci.0", false, system_memory(), system_io(), 0);
    g_test_add_func("/watchdog/ib700/counts-from-its-table", test_ib700_counts_from_its_table);
    g_test_add_func("/watchdog/i6300esb/two-stages-then-fires", test_esb_two_stages_then_fires);
    g_test_add_func("/watchdog/i6300esb/is-restarted-and-locked", test_esb_is_restarted_and_locked);
    g_test_add_func("/watchdog/i6300esb/without-reboot-runs-on", test_esb_without_reboot_runs_on);
    g_test_add_func("/watchdog/tco/second-timeout-fires", test_tco_second_timeout_fires);
    g_test_add_func("/watchdog/tco/is-fed-and-halted", test_tco_is_fed_and_halted);
    g_test_add_func("/watchdog/tco/no-reboot-holds-it-back", test_tco_no_reboot_holds_it_back);
    g_test_add_func("/watchdog/tco/takes-garbage", test_tco_takes_garbage);
    return g_test_run();
}
