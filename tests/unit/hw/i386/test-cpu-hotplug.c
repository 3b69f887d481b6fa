/*
 * ACPI CPU hotplug registers as the DSDT drives them: events, selection, ejection, the guest's wrong writes.
 */
#include "hw/acpi/cpu-hotplug.h"
#include "tests.h"

enum { PORT = 0x40, SELECTOR = PORT, FLAGS = PORT + 4, COMMAND = PORT + 5, DATA = PORT + 8, GPE = 0 };
enum { CPUS = 4 };

static Machine *m;
static MemoryRegion io;
static AddressSpace as;
static AcpiPm pm;
static AcpiHotplug *regs;
static Vcpu there;
static int ejected;

static void sci_set(void *opaque, unsigned n, int level)
{
}

static void eject(void *opaque, unsigned index)
{
    ejected = (int)index;
}

static void out(hwaddr port, uint64_t v, unsigned size)
{
    address_space_st(&as, port, v, size, false, MEMTXATTRS_UNSPECIFIED, NULL);
}

static uint64_t in(hwaddr port, unsigned size)
{
    return address_space_ld(&as, port, size, false, MEMTXATTRS_UNSPECIFIED, NULL);
}

/* Four slots; CPUs in 0 and 2. */
static void setup(void)
{
    m = MACHINE(object_new(machine_type_find("q35")));
    m->smp = (SmpConfig){ .cpus = 1, .sockets = CPUS, .dies = 1, .clusters = 1, .modules = 1, .cores = 1, .threads = 1, .max_cpus = CPUS };
    machine_make_cpu_slots(m);
    m->cpu_slots[0].cpu = m->cpu_slots[2].cpu = &there;
    m->cpu_slots[2].arch_id = 0x1234;
    memory_region_init(&io, NULL, "io", 0x100);
    address_space_init(&as, &io, "cpu-hotplug-test");
    acpi_pm_init(&pm, NULL, irq_line(sci_set, NULL, 0), 2);
    memory_region_add_subregion(&io, GPE, &pm.gpe_mr);
    regs = acpi_cpu_hotplug_create(m, &io, PORT, &pm, eject, NULL, &error_abort);
}

static void start_anew(void)
{
    ejected = -1;
    device_reset(DEVICE(regs), RESET_COLD);
    for (unsigned i = 0; i < CPUS; i++) {
        out(SELECTOR, i, 4);
        out(FLAGS, 6, 1);
    }
    out(GPE, 0xff, 1);
    out(SELECTOR, 0, 4);
}

static void test_insertion_is_an_event(void)
{
    start_anew();
    g_assert_cmphex(in(FLAGS, 1), ==, 1);
    acpi_hotplug_inserted(regs, 2);
    g_assert_cmphex(in(GPE, 1), ==, 1 << ACPI_CPU_HOTPLUG_GPE);
    g_assert_cmphex(in(FLAGS, 1), ==, 1);               /* of CPU 0 still */
    out(COMMAND, 0, 1);
    g_assert_cmphex(in(DATA, 4), ==, 2);                /* the next with an event */
    g_assert_cmphex(in(FLAGS, 1), ==, 1 | 2);
    out(FLAGS, 4, 1);                                   /* the other event: no change */
    g_assert_cmphex(in(FLAGS, 1), ==, 1 | 2);
    out(FLAGS, 2, 1);
    g_assert_cmphex(in(FLAGS, 1), ==, 1);
    out(COMMAND, 3, 1);
    g_assert_cmphex(in(DATA, 4), ==, 0x1234);
    g_assert_cmphex(in(PORT, 4), ==, 0);
}

static void test_next_event_wraps_and_stays(void)
{
    start_anew();
    acpi_hotplug_inserted(regs, 0);
    out(SELECTOR, 3, 4);
    out(COMMAND, 0, 1);
    g_assert_cmphex(in(DATA, 4), ==, 0);
    out(FLAGS, 2, 1);
    out(SELECTOR, 3, 4);
    out(COMMAND, 0, 1);
    g_assert_cmphex(in(DATA, 4), ==, 3);                /* none has one */
    g_assert_cmphex(in(FLAGS, 1), ==, 0);
}

static void test_removal_is_asked_and_done(void)
{
    start_anew();
    acpi_hotplug_request_removal(regs, 2);
    out(SELECTOR, 2, 4);
    g_assert_cmphex(in(FLAGS, 1), ==, 1 | 4);
    device_reset(DEVICE(regs), RESET_COLD);             /* a guest that starts is asked, too */
    out(SELECTOR, 2, 4);
    g_assert_cmphex(in(FLAGS, 1), ==, 1 | 4);
    out(FLAGS, 4 | 8, 1);
    g_assert_cmpint(ejected, ==, 2);
    g_assert_cmphex(in(FLAGS, 1), ==, 1);
}

static void test_wrong_writes_do_nothing(void)
{
    start_anew();
    out(SELECTOR, 1, 4);
    out(FLAGS, 8, 1);                                   /* nothing there to eject */
    g_assert_cmpint(ejected, ==, -1);
    out(SELECTOR, CPUS, 4);
    out(FLAGS, 8, 1);
    out(COMMAND, 0, 1);
    out(DATA, 5, 4);
    g_assert_cmpint(ejected, ==, -1);
    g_assert_cmphex(in(FLAGS, 1), ==, 0);
    g_assert_cmphex(in(DATA, 4), ==, 0);
    out(SELECTOR, 0xffffffff, 4);
    g_assert_cmphex(in(FLAGS, 1), ==, 0);
    out(SELECTOR, 0, 4);
    out(COMMAND, 200, 1);
    out(DATA, 5, 4);                                    /* the command is still 0, which takes no data */
    g_assert_cmphex(in(DATA, 4), ==, 0);
    for (unsigned i = 0; i < ACPI_CPU_HOTPLUG_LEN; i++) {
        (void)in(PORT + i, 1);
    }
}

static void test_reports_are_kept(void)
{
    start_anew();
    out(SELECTOR, 1, 4);
    out(COMMAND, 1, 1);
    out(DATA, 1, 4);
    out(COMMAND, 2, 1);
    out(DATA, 0x80, 4);
    g_assert_cmphex(regs->slots[1]->ost_event, ==, 1);
    g_assert_cmphex(regs->slots[1]->ost_status, ==, 0x80);
    g_assert_cmphex(regs->slots[0]->ost_event | regs->slots[0]->ost_status, ==, 0);
}

void add_cpu_hotplug_tests(void)
{
    setup();
    g_test_add_func("/i386/cpu-hotplug/insertion-is-an-event", test_insertion_is_an_event);
    g_test_add_func("/i386/cpu-hotplug/next-event-wraps-and-stays", test_next_event_wraps_and_stays);
    g_test_add_func("/i386/cpu-hotplug/removal-is-asked-and-done", test_removal_is_asked_and_done);
    g_test_add_func("/i386/cpu-hotplug/wrong-writes-do-nothing", test_wrong_writes_do_nothing);
    g_test_add_func("/i386/cpu-hotplug/reports-are-kept", test_reports_are_kept);
}
