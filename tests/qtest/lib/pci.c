#include "pci.h"

#define ECAM_BASE 0xb0000000u
#define MMIO_BASE 0xe0000000u
#define IO_BASE   0xc000u

static uint64_t address(const QPciDev *d, unsigned reg)
{
    return (uint64_t)d->bus << 20 | d->devfn << 12 | reg;
}

static void select_register(const QPciDev *d, unsigned reg)
{
    qtest_out(d->pci->q, 0xcf8, 4, 1u << 31 | d->bus << 16 | d->devfn << 8 | (reg & 0xfc));
}

uint32_t qpci_read(const QPciDev *d, unsigned reg, unsigned size)
{
    if (d->pci->ecam) {
        return (uint32_t)qtest_read(d->pci->q, d->pci->ecam + address(d, reg), size);
    }
    select_register(d, reg);
    return qtest_in(d->pci->q, (uint16_t)(0xcfc + (reg & 3)), size);
}

void qpci_write(const QPciDev *d, unsigned reg, unsigned size, uint32_t v)
{
    if (d->pci->ecam) {
        qtest_write(d->pci->q, d->pci->ecam + address(d, reg), size, v);
        return;
    }
    select_register(d, reg);
    qtest_out(d->pci->q, (uint16_t)(0xcfc + (reg & 3)), size, v);
}

void qpci_init(QPci *p, QTest *q, bool ecam)
{
    QPciDev host = { .pci = p };

    *p = (QPci){ .q = q, .next_io = IO_BASE, .next_mem = MMIO_BASE };
    if (ecam) {
        qpci_write(&host, 0x64, 4, 0);              /* PCIEXBAR: 256 buses, enabled */
        qpci_write(&host, 0x60, 4, ECAM_BASE | 1);
        p->ecam = ECAM_BASE;
    }
}

void qpci_foreach(QPci *p, void (*fn)(QPciDev *d, void *opaque), void *opaque)
{
    for (unsigned devfn = 0; devfn < 256; devfn++) {
        QPciDev d = { p, 0, devfn };

        if (qpci_read(&d, PCI_VENDOR, 2) != 0xffff) {
            fn(&d, opaque);
        }
    }
}

bool qpci_find(QPci *p, uint16_t vendor, uint16_t device, QPciDev *d)
{
    for (unsigned devfn = 0; devfn < 256; devfn++) {
        *d = (QPciDev){ p, 0, devfn };
        if (qpci_read(d, PCI_VENDOR, 4) == ((uint32_t)device << 16 | vendor)) {
            return true;
        }
    }
    return false;
}

unsigned qpci_capability(const QPciDev *d, uint8_t id, unsigned after)
{
    unsigned at = after ? qpci_read(d, after + 1, 1) : qpci_read(d, PCI_CAP_POINTER, 1);

    for (unsigned n = 0; at && n < 48; n++) {
        if (qpci_read(d, at, 1) == id) {
            return at;
        }
        at = qpci_read(d, at + 1, 1);
    }
    return 0;
}

static uint64_t round_up(uint64_t v, uint64_t to)
{
    return (v + to - 1) / to * to;
}

QBar qpci_map(const QPciDev *d, unsigned n)
{
    unsigned reg = PCI_BAR0 + 4 * n;
    QBar b = { .q = d->pci->q };
    bool is_64;
    uint64_t mask;

    qpci_write(d, PCI_COMMAND, 2, 0);
    qpci_write(d, reg, 4, 0xffffffff);
    mask = qpci_read(d, reg, 4);
    if (!mask) {
        return b;
    }
    b.io = mask & 1;
    is_64 = !b.io && (mask & 6) == 4;
    mask &= b.io ? ~3u : ~15u;
    if (is_64) {
        qpci_write(d, reg + 4, 4, 0xffffffff);
        mask |= (uint64_t)qpci_read(d, reg + 4, 4) << 32;
    }
    b.size = b.io ? (~mask & 0xffff) + 1 : is_64 ? ~mask + 1 : (~mask & 0xffffffff) + 1;
    if (b.io) {
        b.addr = d->pci->next_io = (uint32_t)round_up(d->pci->next_io, b.size);
        d->pci->next_io += (uint32_t)b.size;
    } else {
        b.addr = d->pci->next_mem = round_up(d->pci->next_mem, b.size);
        d->pci->next_mem += b.size;
    }
    qpci_write(d, reg, 4, (uint32_t)b.addr);
    if (is_64) {
        qpci_write(d, reg + 4, 4, (uint32_t)(b.addr >> 32));
    }
    qpci_write(d, PCI_COMMAND, 2, 7);
    return b;
}

uint64_t qbar_read(const QBar *b, uint64_t off, unsigned size)
{
    return b->io ? qtest_in(b->q, (uint16_t)(b->addr + off), size) : qtest_read(b->q, b->addr + off, size);
}

void qbar_write(const QBar *b, uint64_t off, unsigned size, uint64_t v)
{
    if (b->io) {
        qtest_out(b->q, (uint16_t)(b->addr + off), size, (uint32_t)v);
    } else {
        qtest_write(b->q, b->addr + off, size, v);
    }
}
