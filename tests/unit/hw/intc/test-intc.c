/*
 * The interrupt controllers from both sides: registers as a guest sees them, lines as devices
 * drive them, and what arrives at CPUs (which stay stopped).
 */
#include <unistd.h>

#include "hw/intc/apic.h"
#include "hw/intc/i8259.h"
#include "hw/intc/ioapic.h"
#include "target/i386/cpu.h"
#include "util/main-loop.h"
#include "util/rcu.h"

#define N_CPUS 3
#define MSI_BASE 0xfee00000ULL

enum { MSR_SVR = 0x80f, MSR_EOI = 0x80b, MSR_TPR = 0x808, MSR_PPR = 0x80a, MSR_ESR = 0x828, MSR_ICR = 0x830,
       MSR_LVT_TIMER = 0x832, MSR_LVT_LINT0 = 0x835, MSR_LVT_ERROR = 0x837, MSR_INITIAL = 0x838, MSR_CURRENT = 0x839,
       MSR_DIVIDE = 0x83e, MSR_SELF = 0x83f, MSR_ID = 0x802, MSR_LDR = 0x80d, MSR_DEADLINE = 0x6e0 };

static ApicBus *bus;
static Device *pic, *ioapic;
static X86CPU *cpus[N_CPUS];

static void machine_up(void)
{
    g_autoptr(Value) props = value_dict();

    bql_lock();
    rcu_thread_enter();
    memory_spaces_init();
    value_dict_set_int(props, "tb-size", 1);
    g_assert_true(accel_select("tcg", props, &error_abort));
    clock_virtual_set_manual(true);
    bus = apic_bus_create(system_memory(), &error_abort);
    for (unsigned i = 0; i < N_CPUS; i++) {
        cpus[i] = X86_CPU(device_new(type_by_name("max-x86_64-cpu")));
        g_assert_true(object_property_set_uint(cpus[i], "apic-id", i, &error_abort));
        g_assert_nonnull(apic_create_for_cpu(&cpus[i]->parent, &error_abort));
        g_assert_true(device_realize(&cpus[i]->parent.dev, NULL, &error_abort));
    }
    ioapic = device_new(&ioapic_type);
    g_assert_true(device_realize(ioapic, NULL, &error_abort));
    sysbus_mmio_map(SYSBUS_DEVICE(ioapic), 0, system_memory(), IOAPIC_DEFAULT_BASE);
    pic = i8259_create(system_io(), apic_extint_line(bus), &error_abort);
    apic_connect_pic(bus, i8259_acknowledge, pic);
}

/* --- access --- */

static void out8(uint16_t port, uint8_t v)
{
    address_space_st(&address_space_io, port, v, 1, false, MEMTXATTRS_UNSPECIFIED, NULL);
}

static uint8_t in8(uint16_t port)
{
    return (uint8_t)address_space_ld(&address_space_io, port, 1, false, MEMTXATTRS_UNSPECIFIED, NULL);
}

static void ioapic_set(unsigned reg, uint32_t v)
{
    address_space_st(&address_space_memory, IOAPIC_DEFAULT_BASE, reg, 4, false, MEMTXATTRS_UNSPECIFIED, NULL);
    address_space_st(&address_space_memory, IOAPIC_DEFAULT_BASE + 0x10, v, 4, false, MEMTXATTRS_UNSPECIFIED, NULL);
}

static uint32_t ioapic_get(unsigned reg)
{
    address_space_st(&address_space_memory, IOAPIC_DEFAULT_BASE, reg, 4, false, MEMTXATTRS_UNSPECIFIED, NULL);
    return (uint32_t)address_space_ld(&address_space_memory, IOAPIC_DEFAULT_BASE + 0x10, 4, false,
                                      MEMTXATTRS_UNSPECIFIED, NULL);
}

static bool msr_set(unsigned cpu, uint32_t msr, uint64_t v)
{
    return cpus[cpu]->intc->msr_write(cpus[cpu]->intc_opaque, msr, v);
}

static uint64_t msr_get(unsigned cpu, uint32_t msr)
{
    uint64_t v = 0;

    g_assert_true(cpus[cpu]->intc->msr_read(cpus[cpu]->intc_opaque, msr, &v));
    return v;
}

static int take(unsigned cpu)
{
    return cpus[cpu]->intc->get_interrupt(cpus[cpu]->intc_opaque);
}

static bool requested(unsigned cpu, uint32_t what)
{
    return cpus[cpu]->parent.interrupt_request & what;
}

/* RESET, then every APIC in x2APIC mode and enabled, the PIC initialized with vectors 0x20 and 0x28. */
static void reset(void)
{
    static const uint8_t icws[2][4] = { { 0x11, 0x20, 0x04, 0x01 }, { 0x11, 0x28, 0x02, 0x01 } };

    for (unsigned n = 0; n < 16; n++) {
        irq_lower(i8259_irq(pic, n));
    }
    for (unsigned n = 0; n < IOAPIC_NUM_PINS; n++) {
        irq_lower(ioapic_irq(ioapic, n));
    }
    machine_reset_all(RESET_COLD);
    for (unsigned i = 0; i < N_CPUS; i++) {
        g_assert_true(cpus[i]->intc->set_base(cpus[i]->intc_opaque, MSI_BASE | 0xc00));
        g_assert_true(msr_set(i, MSR_SVR, 0x1ff));
    }
    for (unsigned chip = 0; chip < 2; chip++) {
        uint16_t port = chip ? 0xa0 : 0x20;

        out8(port, icws[chip][0]);
        for (unsigned i = 1; i < 4; i++) {
            out8(port + 1, icws[chip][i]);
        }
    }
}

/* --- 8259A --- */

static void test_pic_priority_and_eoi(void)
{
    reset();
    irq_raise(i8259_irq(pic, 5));
    irq_raise(i8259_irq(pic, 3));
    g_assert_true(requested(0, CPU_INTERRUPT_HARD));
    g_assert_cmpint(take(0), ==, 0x23);
    g_assert_false(requested(0, CPU_INTERRUPT_HARD));   /* 5 is below what is in service */
    out8(0x20, 0x0b);
    g_assert_cmpuint(in8(0x20), ==, 1 << 3);            /* ISR */
    out8(0x20, 0x20);
    g_assert_cmpint(take(0), ==, 0x25);
    out8(0x20, 0x65);                                   /* specific EOI */
    g_assert_cmpuint(in8(0x20), ==, 0);
}

static void test_pic_cascade(void)
{
    reset();
    irq_raise(i8259_irq(pic, 12));
    g_assert_cmpint(take(0), ==, 0x2c);
    out8(0xa0, 0x0b);
    out8(0x20, 0x0b);
    g_assert_cmpuint(in8(0xa0), ==, 1 << 4);
    g_assert_cmpuint(in8(0x20), ==, 1 << 2);
}

static void test_pic_mask_and_edge(void)
{
    reset();
    out8(0x21, 0x10);
    irq_raise(i8259_irq(pic, 4));
    g_assert_false(requested(0, CPU_INTERRUPT_HARD));
    out8(0x21, 0);
    g_assert_cmpint(take(0), ==, 0x24);
    out8(0x20, 0x20);
    g_assert_false(requested(0, CPU_INTERRUPT_HARD));   /* still high, but no new edge */
}

static void test_pic_level_by_elcr(void)
{
    reset();
    out8(0x4d1, 0xff);
    g_assert_cmpuint(in8(0x4d1), ==, 0xde);             /* 8 and 13 cannot be level-triggered */
    irq_raise(i8259_irq(pic, 10));
    g_assert_cmpint(take(0), ==, 0x2a);
    out8(0xa0, 0x20);
    out8(0x20, 0x20);
    g_assert_true(requested(0, CPU_INTERRUPT_HARD));    /* still asserted */
    irq_lower(i8259_irq(pic, 10));
    g_assert_false(requested(0, CPU_INTERRUPT_HARD));
}

static void test_pic_spurious(void)
{
    reset();
    g_assert_cmpint(i8259_acknowledge(pic), ==, 0x27);
    out8(0x20, 0x0b);
    g_assert_cmpuint(in8(0x20), ==, 0);
}

static void test_pic_poll_and_rotation(void)
{
    reset();
    irq_raise(i8259_irq(pic, 6));
    out8(0x20, 0x0c);
    g_assert_cmpuint(in8(0x20), ==, 0x86);
    out8(0x20, 0xa0);                                   /* rotate on non-specific EOI: 6 is lowest now */
    irq_raise(i8259_irq(pic, 0));
    irq_raise(i8259_irq(pic, 7));
    g_assert_cmpint(take(0), ==, 0x27);
}

static void test_pic_special_mask_mode(void)
{
    reset();
    irq_raise(i8259_irq(pic, 1));
    g_assert_cmpint(take(0), ==, 0x21);
    irq_raise(i8259_irq(pic, 5));
    g_assert_false(requested(0, CPU_INTERRUPT_HARD));
    out8(0x21, 0x02);
    out8(0x20, 0x68);                                   /* masked 1 does not hold 5 back */
    g_assert_cmpint(take(0), ==, 0x25);
}

static void test_lint0_masked_cuts_the_pic_off(void)
{
    reset();
    g_assert_true(msr_set(0, MSR_LVT_LINT0, 0x10700));
    irq_raise(i8259_irq(pic, 1));
    g_assert_false(requested(0, CPU_INTERRUPT_HARD));
    g_assert_true(msr_set(0, MSR_LVT_LINT0, 0x700));
    g_assert_cmpint(take(0), ==, 0x21);
}

/* --- local APIC --- */

static void test_priority_classes(void)
{
    reset();
    g_assert_true(msr_set(0, MSR_SELF, 0x41));
    g_assert_true(msr_set(0, MSR_SELF, 0x52));
    g_assert_cmpint(take(0), ==, 0x52);
    g_assert_cmpuint(msr_get(0, MSR_PPR), ==, 0x50);
    g_assert_false(requested(0, CPU_INTERRUPT_HARD));
    g_assert_true(msr_set(0, MSR_EOI, 0));
    g_assert_true(msr_set(0, MSR_TPR, 0x40));
    g_assert_cmpint(take(0), ==, -1);                   /* class 4 is not above TPR's class 4 */
    g_assert_true(msr_set(0, MSR_TPR, 0x3f));
    g_assert_cmpint(take(0), ==, 0x41);
}

static void test_icr_destinations(void)
{
    static const struct { uint64_t icr; unsigned mask; } cases[] = {
        { 1ULL << 32 | 0x60, 2 },                       /* physical */
        { 0xffffffffULL << 32 | 0x60, 7 },              /* broadcast */
        { 0x40060, 1 }, { 0x80060, 7 }, { 0xc0060, 6 }, /* self, all, others */
        { 0x5ULL << 32 | 0x860, 5 },                    /* logical: cluster 0, bits 0 and 2 */
        { 0x10001ULL << 32 | 0x860, 0 },                /* another cluster */
        { 99ULL << 32 | 0x60, 0 },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        reset();
        g_assert_true(msr_set(0, MSR_ICR, cases[i].icr));
        for (unsigned c = 0; c < N_CPUS; c++) {
            g_assert_cmpint(take(c), ==, cases[i].mask >> c & 1 ? 0x60 : -1);
        }
    }
}

static void test_init_sipi_nmi(void)
{
    reset();
    g_assert_true(msr_set(0, MSR_ICR, 1ULL << 32 | 0x4500));    /* INIT */
    g_assert_true(requested(1, CPU_INTERRUPT_INIT));
    g_assert_false(requested(2, CPU_INTERRUPT_INIT));
    g_assert_true(msr_set(0, MSR_ICR, 1ULL << 32 | 0x4608));    /* start-up at 0x8000 */
    g_assert_true(requested(1, CPU_INTERRUPT_SIPI));
    g_assert_cmpuint(cpus[1]->env.sipi_vector, ==, 8);
    g_assert_true(msr_set(0, MSR_ICR, 2ULL << 32 | 0x8500));    /* INIT level de-assert: nothing */
    g_assert_false(requested(2, CPU_INTERRUPT_INIT));
    g_assert_true(msr_set(0, MSR_ICR, 2ULL << 32 | 0x4400));
    g_assert_true(requested(2, CPU_INTERRUPT_NMI));
}

static void test_illegal_vectors_set_esr(void)
{
    reset();
    g_assert_true(msr_set(0, MSR_LVT_ERROR, 0x77));
    g_assert_true(msr_set(0, MSR_ICR, 0x40005));
    g_assert_cmpint(take(0), ==, 0x77);
    g_assert_true(msr_set(0, MSR_ESR, 0));
    g_assert_cmpuint(msr_get(0, MSR_ESR), ==, 0x20);
    g_assert_true(msr_set(0, MSR_ESR, 0));
    g_assert_cmpuint(msr_get(0, MSR_ESR), ==, 0);
}

static void test_timer_modes(void)
{
    int64_t now = clock_get_ns(CLOCK_TYPE_VIRTUAL);

    reset();
    g_assert_true(msr_set(0, MSR_DIVIDE, 0xb));
    g_assert_true(msr_set(0, MSR_LVT_TIMER, 0x90));
    g_assert_true(msr_set(0, MSR_INITIAL, 100000));
    clock_virtual_advance_to(now + 40000);
    g_assert_cmpuint(msr_get(0, MSR_CURRENT), ==, 60000);
    g_assert_cmpint(take(0), ==, -1);
    clock_virtual_advance_to(now + 100000);
    g_assert_cmpint(take(0), ==, 0x90);
    g_assert_cmpuint(msr_get(0, MSR_CURRENT), ==, 0);
    g_assert_true(msr_set(0, MSR_EOI, 0));

    now = clock_get_ns(CLOCK_TYPE_VIRTUAL);
    g_assert_true(msr_set(0, MSR_LVT_TIMER, 0x20091));  /* periodic, divide by 2 */
    g_assert_true(msr_set(0, MSR_DIVIDE, 0));
    g_assert_true(msr_set(0, MSR_INITIAL, 50000));
    for (unsigned i = 1; i <= 3; i++) {
        clock_virtual_advance_to(now + i * 100000);
        g_assert_cmpint(take(0), ==, 0x91);
        g_assert_true(msr_set(0, MSR_EOI, 0));
    }
    g_assert_true(msr_set(0, MSR_INITIAL, 0));
}

static void test_tsc_deadline(void)
{
    uint64_t tsc = x86_cpu_read_tsc(&cpus[0]->parent);

    reset();
    g_assert_true(msr_set(0, MSR_DEADLINE, tsc + 10));  /* not in that mode: ignored */
    g_assert_cmpuint(msr_get(0, MSR_DEADLINE), ==, 0);
    g_assert_true(msr_set(0, MSR_LVT_TIMER, 0x40092));
    g_assert_true(msr_set(0, MSR_DEADLINE, tsc + 5000));
    g_assert_cmpuint(msr_get(0, MSR_DEADLINE), ==, tsc + 5000);
    clock_virtual_advance_to(x86_cpu_tsc_to_virtual_ns(&cpus[0]->parent, tsc + 5000));
    g_assert_cmpint(take(0), ==, 0x92);
    g_assert_cmpuint(msr_get(0, MSR_DEADLINE), ==, 0);
    g_assert_true(msr_set(0, MSR_EOI, 0));
    g_assert_true(msr_set(0, MSR_DEADLINE, tsc));       /* in the past: at once */
    g_assert_cmpint(take(0), ==, 0x92);
}

static void test_x2apic_reserved_bits_fault(void)
{
    static const struct { uint32_t msr; uint64_t v; } bad[] = {
        { MSR_EOI, 1 }, { MSR_TPR, 0x100 }, { MSR_SVR, 1ULL << 32 }, { MSR_ID, 0 }, { MSR_LDR, 0 }, { MSR_CURRENT, 0 },
        { MSR_ESR, 1 }, { MSR_SELF, 0x100 }, { 0x80e, 0 }, { 0x8ff, 0 },
    };
    uint64_t v;

    reset();
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_assert_false(msr_set(0, bad[i].msr, bad[i].v));
    }
    g_assert_false(cpus[0]->intc->msr_read(cpus[0]->intc_opaque, MSR_SELF, &v));
    g_assert_false(cpus[0]->intc->set_base(cpus[0]->intc_opaque, MSI_BASE | 0x800));
    g_assert_true(cpus[0]->intc->set_base(cpus[0]->intc_opaque, MSI_BASE));
    g_assert_false(cpus[0]->intc->set_base(cpus[0]->intc_opaque, MSI_BASE | 0xc00));
    g_assert_false(cpus[0]->intc->msr_read(cpus[0]->intc_opaque, MSR_ID, &v));
}

static void test_software_disable_masks(void)
{
    reset();
    g_assert_true(msr_set(0, MSR_LVT_TIMER, 0x93));
    g_assert_true(msr_set(0, MSR_SVR, 0xff));
    g_assert_cmpuint(msr_get(0, MSR_LVT_TIMER), ==, 0x10093);
    g_assert_true(msr_set(1, MSR_ICR, 0x60));
    g_assert_cmpint(take(0), ==, -1);
}

static void test_msi(void)
{
    reset();
    address_space_st(&address_space_memory, MSI_BASE | 1 << 12, 0x45, 4, false, (MemTxAttrs){ .requester_id = 8 }, NULL);
    g_assert_cmpint(take(0), ==, -1);
    g_assert_cmpint(take(1), ==, 0x45);
}

static void test_lowest_priority_goes_to_the_idle(void)
{
    reset();
    g_assert_true(msr_set(0, MSR_TPR, 0x20));
    g_assert_true(msr_set(1, MSR_TPR, 0x10));
    g_assert_true(msr_set(2, MSR_TPR, 0x20));
    apic_bus_deliver(bus, &(ApicMessage){ .dest = 0xff, .delivery_mode = APIC_DM_LOWPRI, .vector = 0x70 });
    g_assert_cmpint(take(0), ==, -1);
    g_assert_cmpint(take(1), ==, 0x70);
    g_assert_cmpint(take(2), ==, -1);
}

/* --- IOAPIC --- */

static void test_ioapic_registers(void)
{
    reset();
    g_assert_cmphex(ioapic_get(1), ==, 0x00170020);
    ioapic_set(0, 0xffffffff);
    g_assert_cmphex(ioapic_get(0), ==, 0x0f000000);
    g_assert_cmphex(ioapic_get(0x10), ==, 0x10000);
    ioapic_set(0x10, 0xffffffff);
    g_assert_cmphex(ioapic_get(0x10), ==, 0x1afff);     /* status bits are read-only */
    g_assert_cmphex(ioapic_get(0xff), ==, 0);
}

static void test_ioapic_edge(void)
{
    reset();
    ioapic_set(0x10 + 2 * 4 + 1, 2u << 24);
    ioapic_set(0x10 + 2 * 4, 0x10055);
    irq_raise(ioapic_irq(ioapic, 4));                   /* masked: lost */
    ioapic_set(0x10 + 2 * 4, 0x55);
    g_assert_cmpint(take(2), ==, -1);
    irq_lower(ioapic_irq(ioapic, 4));
    irq_raise(ioapic_irq(ioapic, 4));
    g_assert_cmpint(take(2), ==, 0x55);
    g_assert_true(msr_set(2, MSR_EOI, 0));
    g_assert_cmpint(take(2), ==, -1);
}

static void test_ioapic_level(void)
{
    reset();
    ioapic_set(0x10 + 2 * 16, 0x8056);
    irq_raise(ioapic_irq(ioapic, 16));
    g_assert_cmphex(ioapic_get(0x10 + 2 * 16), ==, 0xc056);     /* remote IRR */
    g_assert_cmpint(take(0), ==, 0x56);
    g_assert_true(msr_set(0, MSR_EOI, 0));                      /* still asserted: comes again */
    g_assert_cmpint(take(0), ==, 0x56);
    irq_lower(ioapic_irq(ioapic, 16));
    g_assert_true(msr_set(0, MSR_EOI, 0));
    g_assert_cmphex(ioapic_get(0x10 + 2 * 16), ==, 0x8056);
    g_assert_cmpint(take(0), ==, -1);
}

static void test_ioapic_eoi_register(void)
{
    reset();
    ioapic_set(0x10 + 2 * 17, 0x8057);
    irq_raise(ioapic_irq(ioapic, 17));
    irq_lower(ioapic_irq(ioapic, 17));
    g_assert_cmphex(ioapic_get(0x10 + 2 * 17), ==, 0xc057);
    address_space_st(&address_space_memory, IOAPIC_DEFAULT_BASE + 0x40, 0x57, 4, false, MEMTXATTRS_UNSPECIFIED, NULL);
    g_assert_cmphex(ioapic_get(0x10 + 2 * 17), ==, 0x8057);
}

int main(int argc, char **argv)
{
    int rc;

    g_test_init(&argc, &argv, NULL);
    machine_up();
    g_test_add_func("/intc/pic/priority-and-eoi", test_pic_priority_and_eoi);
    g_test_add_func("/intc/pic/cascade", test_pic_cascade);
    g_test_add_func("/intc/pic/mask-and-edge", test_pic_mask_and_edge);
    g_test_add_func("/intc/pic/level", test_pic_level_by_elcr);
    g_test_add_func("/intc/pic/spurious", test_pic_spurious);
    g_test_add_func("/intc/pic/poll-and-rotation", test_pic_poll_and_rotation);
    g_test_add_func("/intc/pic/special-mask", test_pic_special_mask_mode);
    g_test_add_func("/intc/apic/lint0", test_lint0_masked_cuts_the_pic_off);
    g_test_add_func("/intc/apic/priority", test_priority_classes);
    g_test_add_func("/intc/apic/icr", test_icr_destinations);
    g_test_add_func("/intc/apic/init-sipi-nmi", test_init_sipi_nmi);
    g_test_add_func("/intc/apic/esr", test_illegal_vectors_set_esr);
    g_test_add_func("/intc/apic/timer", test_timer_modes);
    g_test_add_func("/intc/apic/tsc-deadline", test_tsc_deadline);
    g_test_add_func("/intc/apic/reserved-bits", test_x2apic_reserved_bits_fault);
    g_test_add_func("/intc/apic/software-disable", test_software_disable_masks);
    g_test_add_func("/intc/apic/msi", test_msi);
    g_test_add_func("/intc/apic/lowest-priority", test_lowest_priority_goes_to_the_idle);
    g_test_add_func("/intc/ioapic/registers", test_ioapic_registers);
    g_test_add_func("/intc/ioapic/edge", test_ioapic_edge);
    g_test_add_func("/intc/ioapic/level", test_ioapic_level);
    g_test_add_func("/intc/ioapic/eoi-register", test_ioapic_eoi_register);
    rc = g_test_run();
    bql_unlock();
    _exit(rc);                          /* vCPU threads are still there */
}
