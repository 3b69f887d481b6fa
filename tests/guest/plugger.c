/*
 * A guest that does nothing but drive a virtio-mem device on PCI bus 0: whenever the device asks for another size, it
 * plugs or unplugs blocks, lowest first and last first, until it is so.  For measurements where no Linux runs.
 *
 * Reference: virtio 1.2, sections 4.1 (PCI), 2.7 (split rings), 5.15 (memory device).
 */
#include <stdbool.h>
#include <stdint.h>

#define CONFIG_ADDRESS  0xcf8
#define CONFIG_DATA     0xcfc
#define DEVICE_ID       0x10581af4u     /* type 24, modern */
#define BAR_ADDRESS     0xe0000000u     /* below 4 GiB, where a q35 with 4 GiB has nothing else */
#define QUEUE_SIZE      4
#define BLOCKS_MAX      16              /* in one request */
#define ADDR(p)         ((uint64_t)(uintptr_t)(p))

enum { PCI_COMMAND = 4, PCI_BAR = 0x10, PCI_CAPABILITIES = 0x34, CAP_VENDOR = 9, CAP_COMMON = 1, CAP_NOTIFY = 2, CAP_DEVICE = 4 };
enum { C_DF_SELECT = 0, C_GF_SELECT = 8, C_GF = 12, C_STATUS = 20, C_Q_SELECT = 22, C_Q_SIZE = 24, C_Q_ENABLE = 28, C_Q_NOTIFY_OFF = 30,
       C_Q_DESC = 32, C_Q_DRIVER = 40, C_Q_DEVICE = 48 };
enum { M_BLOCK_SIZE = 0, M_ADDR = 16, M_PLUGGED = 40, M_REQUESTED = 48 };
enum { REQ_PLUG = 0, REQ_UNPLUG = 1, RESP_ACK = 0 };

typedef struct Desc { uint64_t addr; uint32_t len; uint16_t flags, next; } Desc;
typedef struct Ring { uint16_t flags, idx, ring[QUEUE_SIZE], event; } Ring;
typedef struct Used { uint16_t flags, idx; struct { uint32_t id, len; } ring[QUEUE_SIZE]; uint16_t event; } Used;

static volatile Desc desc[QUEUE_SIZE] __attribute__((aligned(16)));
static volatile Ring avail __attribute__((aligned(4)));
static volatile Used used __attribute__((aligned(4)));
static volatile struct { uint16_t type, pad[3]; uint64_t addr; uint16_t n, pad2[3]; } request;
static volatile struct { uint16_t type, pad[3], state; } response;

static uintptr_t common, notify, config;

static void out32(uint16_t port, uint32_t v)
{
    __asm__ volatile("outl %0, %1" :: "a"(v), "Nd"(port));
}

static uint32_t in32(uint16_t port)
{
    uint32_t v;

    __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static uint32_t pci_read(unsigned devfn, unsigned reg)
{
    out32(CONFIG_ADDRESS, 0x80000000u | devfn << 8 | (reg & ~3u));
    return in32(CONFIG_DATA) >> 8 * (reg & 3);
}

static void pci_write(unsigned devfn, unsigned reg, uint32_t v)
{
    out32(CONFIG_ADDRESS, 0x80000000u | devfn << 8 | reg);
    out32(CONFIG_DATA, v);
}

static uint32_t ld32(uintptr_t a) { return *(volatile uint32_t *)a; }
static uint64_t ld64(uintptr_t a) { return ld32(a) | (uint64_t)ld32(a + 4) << 32; }
static void st8(uintptr_t a, uint8_t v) { *(volatile uint8_t *)a = v; }
static void st16(uintptr_t a, uint16_t v) { *(volatile uint16_t *)a = v; }
static void st32(uintptr_t a, uint32_t v) { *(volatile uint32_t *)a = v; }
static void st64(uintptr_t a, uint64_t v) { st32(a, (uint32_t)v); st32(a + 4, (uint32_t)(v >> 32)); }

static unsigned find_device(void)
{
    for (unsigned devfn = 0;; devfn = (devfn + 8) & 0xff) {
        if (pci_read(devfn, 0) == DEVICE_ID) {
            return devfn;
        }
    }
}

static void find_structures(unsigned devfn)
{
    for (unsigned at = pci_read(devfn, PCI_CAPABILITIES) & 0xfc; at; at = pci_read(devfn, at + 1) & 0xfc) {
        unsigned kind = pci_read(devfn, at + 3) & 0xff, bar = PCI_BAR + 4 * (pci_read(devfn, at + 4) & 7);
        uintptr_t where = BAR_ADDRESS + pci_read(devfn, at + 8);

        if ((pci_read(devfn, at) & 0xff) != CAP_VENDOR || (kind != CAP_COMMON && kind != CAP_NOTIFY && kind != CAP_DEVICE)) {
            continue;
        }
        pci_write(devfn, bar, BAR_ADDRESS);
        pci_write(devfn, bar + 4, 0);
        *(kind == CAP_COMMON ? &common : kind == CAP_NOTIFY ? &notify : &config) = where;
    }
    pci_write(devfn, PCI_COMMAND, 6);           /* memory, bus master */
}

static void start_device(void)
{
    st8(common + C_STATUS, 0);
    st8(common + C_STATUS, 1 | 2);
    st32(common + C_GF_SELECT, 0);
    st32(common + C_GF, 2);                     /* unplugged memory is inaccessible: we look at none */
    st32(common + C_GF_SELECT, 1);
    st32(common + C_GF, 1);                     /* version 1 */
    st8(common + C_STATUS, 1 | 2 | 8);
    st16(common + C_Q_SELECT, 0);
    st16(common + C_Q_SIZE, QUEUE_SIZE);
    st64(common + C_Q_DESC, ADDR(desc));
    st64(common + C_Q_DRIVER, ADDR(&avail));
    st64(common + C_Q_DEVICE, ADDR(&used));
    st16(common + C_Q_ENABLE, 1);
    st8(common + C_STATUS, 1 | 2 | 8 | 4);
}

static bool ask(uint16_t type, uint64_t addr, uint16_t n)
{
    request.type = type;
    request.addr = addr;
    request.n = n;
    desc[0] = (Desc){ ADDR(&request), 24, 1, 1 };
    desc[1] = (Desc){ ADDR(&response), 10, 2, 0 };
    avail.ring[avail.idx % QUEUE_SIZE] = 0;
    __sync_synchronize();
    avail.idx++;
    __sync_synchronize();
    st16(notify, 0);
    while (used.idx != avail.idx) {
        __asm__ volatile("pause" ::: "memory");
    }
    return response.type == RESP_ACK;
}

static void step(uint64_t block)
{
    uint64_t have = ld64(config + M_PLUGGED), want = ld64(config + M_REQUESTED), n;

    if (have == want) {
        for (unsigned i = 0; i < 20000; i++) {
            __asm__ volatile("pause" ::: "memory");
        }
        return;
    }
    n = (have < want ? want - have : have - want) / block;
    n = n < BLOCKS_MAX ? n : BLOCKS_MAX;
    ask(have < want ? REQ_PLUG : REQ_UNPLUG, ld64(config + M_ADDR) + (have < want ? have : have - n * block), (uint16_t)n);
}

void debuggee_main(uint64_t cpu);

void debuggee_main(uint64_t cpu)
{
    unsigned devfn = find_device();
    uint64_t block;

    find_structures(devfn);
    start_device();
    block = ld64(config + M_BLOCK_SIZE);
    for (;;) {
        step(block);
    }
}
