/*
 * A kernel in 32-bit protected mode, without paging, that tries the interrupt controllers of a PC: interval timer, 8259s,
 * local APIC, IOAPIC, start-up of another CPU, NMI, messages of a PCI device.  One line per check on port 0xe9; ends through
 * isa-debug-exit at 0xf4 with 0 if all went well.
 *
 * Machine: pc or q35 with a serial port, `-device virtio-rng-pci,addr=5`, and two CPUs or one.
 *
 * References: SDM Vol.3 chapter 11; 8259A, 8254 and 82093AA data sheets; virtio 1.2 section 4.1.4.10.
 */
#include <stdbool.h>
#include <stdint.h>

#define LAPIC           ((volatile uint32_t *)0xfee00000)
#define IOAPIC          ((volatile uint32_t *)0xfec00000)
#define SPURIOUS        0xff
#define RNG_DEVFN       (5 << 3)
#define MSIX_BAR        0xe0000000u
#define RNG_PORTS       0xc100
#define AP_PAGE         0x8000

enum { R_ID = 0x20 / 4, R_EOI = 0xb0 / 4, R_SVR = 0xf0 / 4, R_ISR2 = 0x120 / 4, R_ICR = 0x300 / 4, R_ICR_HIGH = 0x310 / 4, R_LVTT = 0x320 / 4,
       R_LINT0 = 0x350 / 4, R_LINT1 = 0x360 / 4, R_INITIAL = 0x380 / 4, R_DIVIDE = 0x3e0 / 4 };
enum { V_PIT = 0x20, V_TIMER = 0x40, V_SELF, V_PIN2, V_SERIAL, V_FROM_AP, V_MSI };

struct frame;

__asm__(".section .text.start, \"ax\"\n"
        ".long 0x1badb002, 0, -0x1badb002\n"
        ".globl _start\n_start:\n"
        "mov $stack_end, %esp\n"
        "lgdt gdt_register\n"
        "ljmp $8, $1f\n1: mov $16, %ax\n mov %ax, %ds\n mov %ax, %es\n mov %ax, %ss\n"
        "call run\n"
        "2: cli; hlt; jmp 2b\n"
        ".align 8\ngdt: .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff\n"
        "gdt_register: .word 23\n .long gdt\n"
        ".bss\n .align 16\n .skip 16384\nstack_end:\n .text\n"
        /* another CPU, in real mode at AP_PAGE: say so, interrupt CPU 0 (flat: by unreal mode), halt */
        ".globl ap_code, ap_code_end\nap_code:\n .code16\n"
        "cli\n xor %ax, %ax\n mov %ax, %ds\n lgdtl 0x8000 + ap_gdt_register - ap_code\n"
        "mov %cr0, %eax\n or $1, %al\n mov %eax, %cr0\n mov $16, %bx\n mov %bx, %ds\n and $0xfe, %al\n mov %eax, %cr0\n"
        "mov $0xfee00000, %ebx\n movl $0x1ff, 0xf0(%ebx)\n"
        "movl $0, 0x310(%ebx)\n movl $0x4044, 0x300(%ebx)\n"
        "lock incb %ds:0x7000\n3: hlt\n jmp 3b\n"
        ".align 4\nap_gdt_register: .word 23\n .long gdt\n"
        "ap_code_end:\n .code32\n");
extern const uint8_t ap_code[], ap_code_end[];

static inline void out8(uint16_t port, uint8_t v) { __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port)); }
static inline void out16(uint16_t port, uint16_t v) { __asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port)); }
static inline void out32(uint16_t port, uint32_t v) { __asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port)); }
static inline uint8_t in8(uint16_t port) { uint8_t v; __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline uint32_t in32(uint16_t port) { uint32_t v; __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline void halt_open(void) { __asm__ volatile("sti; hlt; cli" ::: "memory"); }

static void print(const char *s)
{
    while (*s) {
        out8(0xe9, (uint8_t)*s++);
    }
}

static unsigned failed;

static void check(bool ok, const char *name)
{
    print(ok ? "ok " : "FAILED ");
    print(name);
    print("\n");
    failed += !ok;
}

/* --- interrupts --- */

static volatile unsigned count[256], nmis, in_service;

#define EOI_PIC     out8(0x20, 0x20)
#define EOI_APIC    (LAPIC[R_EOI] = 0)
#define HANDLER(name, vector, ...) \
    static __attribute__((interrupt)) void name(struct frame *f) { (void)f; count[vector]++; __VA_ARGS__; }
HANDLER(on_pit, V_PIT, EOI_PIC)
HANDLER(on_timer, V_TIMER, EOI_APIC)
HANDLER(on_self, V_SELF, in_service = LAPIC[R_ISR2] >> (V_SELF & 31) & 1; EOI_APIC)
HANDLER(on_pin2, V_PIN2, EOI_APIC)
HANDLER(on_from_ap, V_FROM_AP, EOI_APIC)
HANDLER(on_msi, V_MSI, EOI_APIC)
HANDLER(on_spurious, SPURIOUS, (void)0)
/* The first time the cause stays: the end of the interrupt must bring it again. */
HANDLER(on_serial, V_SERIAL, if (count[V_SERIAL] > 1) { out8(0x3f9, 0); } EOI_APIC)

static __attribute__((interrupt)) void on_nmi(struct frame *f)
{
    (void)f;
    nmis++;
}

static __attribute__((aligned(8))) uint64_t idt[256];

static void set_gate(unsigned v, void *fn)
{
    uint32_t at = (uint32_t)fn;

    idt[v] = (at & 0xffff) | 8u << 16 | (uint64_t)0x8e00 << 32 | (uint64_t)(at >> 16) << 48;
}

static void load_idt(void)
{
    struct { uint16_t limit; uint32_t base; } __attribute__((packed)) r = { sizeof(idt) - 1, (uint32_t)idt };
    static const struct { unsigned v; void *fn; } gates[] = {
        { 2, on_nmi }, { V_PIT, on_pit }, { V_TIMER, on_timer }, { V_SELF, on_self }, { V_PIN2, on_pin2 }, { V_SERIAL, on_serial },
        { V_FROM_AP, on_from_ap }, { V_MSI, on_msi }, { SPURIOUS, on_spurious },
    };

    for (unsigned i = 0; i < sizeof(gates) / sizeof(gates[0]); i++) {
        set_gate(gates[i].v, gates[i].fn);
    }
    __asm__ volatile("lidt %0" : : "m"(r));
}

/* With the interval timer going, so that no halt is for ever. */
static bool wait_count(unsigned v, unsigned n)
{
    for (unsigned i = 0; i < 20000 && count[v] < n; i++) {
        halt_open();
    }
    return count[v] >= n;
}

/* --- the checks --- */

static void test_pit_by_pic(void)
{
    out8(0x20, 0x11);
    out8(0x21, V_PIT);
    out8(0x21, 4);
    out8(0x21, 1);
    out8(0x21, 0xfe);
    out8(0x43, 0x34);
    out8(0x40, 0xa9);                   /* 1 kHz */
    out8(0x40, 0x04);
    check(wait_count(V_PIT, 5), "PIT by 8259");
}

static void test_local_apic(void)
{
    LAPIC[R_SVR] = 0x100 | SPURIOUS;
    LAPIC[R_DIVIDE] = 0xb;
    LAPIC[R_LVTT] = 1u << 17 | V_TIMER;
    LAPIC[R_INITIAL] = 1000000;
    check(wait_count(V_TIMER, 5), "local APIC timer");
    LAPIC[R_INITIAL] = 0;
    LAPIC[R_ICR] = 1u << 18 | V_SELF;
    check(wait_count(V_SELF, 1), "IPI to itself");
    check(in_service, "in service until its end");
}

static void ioapic_set(unsigned pin, uint32_t low)
{
    IOAPIC[0] = 0x11 + 2 * pin;
    IOAPIC[4] = LAPIC[R_ID];
    IOAPIC[0] = 0x10 + 2 * pin;
    IOAPIC[4] = low;
}

static void test_ioapic(void)
{
    ioapic_set(4, 1u << 15 | V_SERIAL);         /* level-triggered */
    out8(0x3fc, 8);                             /* OUT2: the line is connected */
    out8(0x3f9, 2);                             /* transmitter empty */
    check(wait_count(V_SERIAL, 2), "level interrupt comes again after its end");
    for (unsigned i = 0, seen = count[V_PIT]; i < 100 && count[V_PIT] < seen + 3; i++) {
        halt_open();
    }
    check(count[V_SERIAL] == 2, "and not once more");
    out8(0x21, 0xff);
    LAPIC[R_LINT0] = 1u << 16;
    ioapic_set(2, V_PIN2);
    check(wait_count(V_PIN2, 5), "PIT by IOAPIC");
}

static void delay_ticks(unsigned n)
{
    (void)wait_count(V_PIN2, count[V_PIN2] + n);
}

static void test_other_cpu(void)
{
    volatile uint8_t *started = (volatile uint8_t *)0x7000;

    for (unsigned i = 0; i < (unsigned)(ap_code_end - ap_code); i++) {
        ((volatile uint8_t *)AP_PAGE)[i] = ap_code[i];
    }
    *started = 0;
    LAPIC[R_ICR] = 3u << 18 | 0x4500;           /* INIT to all others */
    delay_ticks(10);
    LAPIC[R_ICR] = 3u << 18 | 0x4600 | AP_PAGE >> 12;
    for (unsigned i = 0; i < 200 && !*started; i++) {
        delay_ticks(1);
    }
    check(*started == 1, "another CPU starts");
    check(wait_count(V_FROM_AP, 1), "IPI from it");
}

/* 8 MiB, a word of each page: for who counts dirty pages while it is waited. */
static void dirty_memory(void)
{
    for (volatile uint32_t *p = (volatile uint32_t *)0x800000; p < (volatile uint32_t *)0x1000000; p += 1024) {
        (*p)++;
    }
}

static void test_nmi(void)
{
    LAPIC[R_LINT1] = 0x400;
    print("nmi please\n");
    for (unsigned i = 0; i < 20000 && !nmis; i++) {
        delay_ticks(1);
        dirty_memory();
    }
    check(nmis == 1, "NMI");
}

/* --- a device's memory --- */

/* Text of a VGA, which is not memory to the processor; what follows is seen after it. */
static void write_text(void)
{
    volatile uint16_t *text = (volatile uint16_t *)0xb8000;

    out8(0x3c2, 0x67);
    out16(0x3c4, 0x0302);               /* planes 0 and 1, odd and even */
    out16(0x3c4, 0x0204);
    out16(0x3ce, 0x1005);
    out16(0x3ce, 0x0e06);               /* at 0xb8000 */
    out16(0x3ce, 0xff08);
    for (unsigned i = 0; i < 400; i++) {
        text[i] = (uint16_t)(0x0700 | ('a' + i % 26));
    }
    check(text[399] == (0x0700 | ('a' + 399 % 26)), "VGA text");
}

/* --- messages --- */

static void pci_write(unsigned devfn, unsigned reg, uint32_t v)
{
    out32(0xcf8, 0x80000000u | devfn << 8 | reg);
    out32(0xcfc, v);
}

static uint32_t pci_read(unsigned devfn, unsigned reg)
{
    out32(0xcf8, 0x80000000u | devfn << 8 | (reg & 0xfc));
    return in32(0xcfc);
}

static unsigned find_capability(unsigned devfn, uint8_t id)
{
    unsigned at = pci_read(devfn, 0x34) & 0xff;

    while (at && (pci_read(devfn, at) & 0xff) != id) {
        at = pci_read(devfn, at) >> 8 & 0xff;
    }
    return at;
}

static bool has_vga(void)
{
    bool found = false;

    for (unsigned slot = 1; slot < 8; slot++) {
        if (pci_read(slot << 3, 8) >> 16 == 0x0300) {
            pci_write(slot << 3, 4, 3);
            found = true;
        }
    }
    return found;
}

static __attribute__((aligned(4096))) uint8_t ring[3 * 4096];
static volatile uint8_t random_bytes[64];

/* One buffer; the driver of the legacy interface asks @times, and each time must be interrupted. */
static bool rng_ask(unsigned times)
{
    volatile uint64_t *desc = (volatile uint64_t *)ring;
    unsigned size = in32(RNG_PORTS + 12) & 0xffff;
    volatile uint16_t *avail = (volatile uint16_t *)(ring + 16 * size);

    desc[0] = (uint32_t)random_bytes;
    desc[1] = sizeof(random_bytes) | (uint64_t)2 << 32;         /* device writes */
    out32(RNG_PORTS + 8, (uint32_t)ring >> 12);
    out16(RNG_PORTS + 22, 0);                                   /* vector 0 */
    out8(RNG_PORTS + 18, 7);
    for (unsigned i = 1; i <= times; i++) {
        avail[2 + (i - 1) % size] = 0;
        __asm__ volatile("" ::: "memory");
        avail[1] = (uint16_t)i;
        out16(RNG_PORTS + 16, 0);
        if (!wait_count(V_MSI, i)) {
            return false;
        }
    }
    return count[V_MSI] == times;
}

static void test_msi(void)
{
    unsigned cap = find_capability(RNG_DEVFN, 0x11);
    volatile uint32_t *table = (volatile uint32_t *)MSIX_BAR;

    pci_write(RNG_DEVFN, 0x10, RNG_PORTS);
    pci_write(RNG_DEVFN, 0x14, MSIX_BAR);
    pci_write(RNG_DEVFN, 4, 7);
    pci_write(RNG_DEVFN, cap, pci_read(RNG_DEVFN, cap) | 0x80000000u);
    table[0] = 0xfee00000 | LAPIC[R_ID] >> 24 << 12;
    table[1] = 0;
    table[2] = V_MSI;
    table[3] = 0;
    out8(RNG_PORTS + 18, 0);
    out8(RNG_PORTS + 18, 3);
    check(rng_ask(50), "MSI-X of a device");
}

void run(void);
void run(void)
{
    load_idt();
    test_pit_by_pic();
    test_local_apic();
    test_ioapic();
    test_msi();
    if (has_vga()) {
        write_text();
    }
    out16(0x510, 5);                    /* fw_cfg: how many CPUs */
    if (in8(0x511) > 1) {
        test_other_cpu();
    }
    test_nmi();
    print(failed ? "failed\n" : "done\n");
    out8(0xf4, (uint8_t)failed);
}
