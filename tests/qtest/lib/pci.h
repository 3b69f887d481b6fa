/* PCI from the processor's side: configuration space by ports or ECAM, BARs, capabilities. */
#ifndef TESTS_QTEST_LIB_PCI_H
#define TESTS_QTEST_LIB_PCI_H

#include "qtest.h"

enum {
    PCI_VENDOR = 0x00, PCI_DEVICE = 0x02, PCI_COMMAND = 0x04, PCI_STATUS = 0x06, PCI_REVISION = 0x08, PCI_CLASS = 0x0a,
    PCI_HEADER_TYPE = 0x0e, PCI_BAR0 = 0x10, PCI_SUBSYS_VENDOR = 0x2c, PCI_ROM = 0x30, PCI_CAP_POINTER = 0x34,
    PCI_INT_LINE = 0x3c, PCI_INT_PIN = 0x3d,
};
enum { PCI_CAP_MSI = 0x05, PCI_CAP_VENDOR = 0x09, PCI_CAP_MSIX = 0x11 };

typedef struct QPci {
    QTest *q;
    uint64_t ecam;              /* 0 = by ports 0xcf8, 0xcfc */
    uint32_t next_io;
    uint64_t next_mem;
} QPci;

typedef struct QPciDev {
    QPci *pci;
    unsigned bus, devfn;
} QPciDev;

/* A mapped BAR; size 0 = not implemented. */
typedef struct QBar {
    QTest *q;
    bool io;
    uint64_t addr, size;
} QBar;

/* The machine's first bus; @ecam: by memory (q35 only, whose window is opened). */
void qpci_init(QPci *p, QTest *q, bool ecam);
uint32_t qpci_read(const QPciDev *d, unsigned reg, unsigned size);
void qpci_write(const QPciDev *d, unsigned reg, unsigned size, uint32_t v);
/* Call @fn for every function on bus 0. */
void qpci_foreach(QPci *p, void (*fn)(QPciDev *d, void *opaque), void *opaque);
bool qpci_find(QPci *p, uint16_t vendor, uint16_t device, QPciDev *d);
/* First capability @id after @after (0 = from the start); its offset, 0 = none. */
unsigned qpci_capability(const QPciDev *d, uint8_t id, unsigned after);
/* Size BAR @n and give it an address; decoding is on afterwards, and bus mastering. */
QBar qpci_map(const QPciDev *d, unsigned n);
uint64_t qbar_read(const QBar *b, uint64_t off, unsigned size);
void qbar_write(const QBar *b, uint64_t off, unsigned size, uint64_t v);

#endif
