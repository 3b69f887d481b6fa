/* AHCI: between the HBA (ahci.c) and its ports (ahci-port.c). */
#ifndef HW_IDE_AHCI_H
#define HW_IDE_AHCI_H

#include "ide-internal.h"

#define AHCI_PORTS      6u
#define AHCI_SLOTS      32u
#define AHCI_NO_SLOT    UINT8_MAX

/* Global registers (AHCI 1.3.1, 3.1) */
enum { HBA_CAP = 0x00, HBA_GHC = 0x04, HBA_IS = 0x08, HBA_PI = 0x0c, HBA_VS = 0x10, HBA_PORTS = 0x100, HBA_PORT_SIZE = 0x80 };
enum { GHC_HR = 1u << 0, GHC_IE = 1u << 1, GHC_AE = 1u << 31 };

/* A port's (3.3) */
enum {
    PX_CLB = 0x00, PX_CLBU = 0x04, PX_FB = 0x08, PX_FBU = 0x0c, PX_IS = 0x10, PX_IE = 0x14, PX_CMD = 0x18, PX_TFD = 0x20,
    PX_SIG = 0x24, PX_SSTS = 0x28, PX_SCTL = 0x2c, PX_SERR = 0x30, PX_SACT = 0x34, PX_CI = 0x38,
};

/* PxIS and PxIE */
enum {
    PX_IS_DHRS = 1u << 0, PX_IS_PSS = 1u << 1, PX_IS_SDBS = 1u << 3, PX_IS_PCS = 1u << 6, PX_IS_OFS = 1u << 24, PX_IS_IFS = 1u << 27,
    PX_IS_HBFS = 1u << 29, PX_IS_TFES = 1u << 30, PX_IE_MASK = 0xfdc000ff,
};

/* PxCMD */
enum {
    PX_CMD_ST = 1u << 0, PX_CMD_SUD = 1u << 1, PX_CMD_POD = 1u << 2, PX_CMD_CLO = 1u << 3, PX_CMD_FRE = 1u << 4,
    PX_CMD_FR = 1u << 14, PX_CMD_CR = 1u << 15, PX_CMD_ATAPI = 1u << 24, PX_CMD_CCS_SHIFT = 8,
};

typedef struct AhciSlot {
    hwaddr header, table;
    uint16_t n_segments;
} AhciSlot;

typedef struct AhciPort {
    struct Ahci *hba;
    unsigned n;
    IdeBus *bus;

    uint32_t clb, clbu, fb, fbu, is, ie, cmd, tfd, sig, ssts, sctl, serr, sact, ci;
    uint32_t queued;            /* queued commands that the device has */
    uint8_t slot;               /* of the other kind of command; AHCI_NO_SLOT = none */
    uint8_t last_slot;
    bool halted;                /* by an error, until PxCMD.ST is cleared */
    bool signature_due;         /* the device's first FIS waits for FRE */
    bool srst;                  /* the host holds software reset */

    /* while a command is under way */
    AhciSlot slots[AHCI_SLOTS];
    uint8_t packet[16];
    IdeCursor pio_at;
    uint32_t moved;             /* PRDBC */
    bool running, pio_due, pumping;
} AhciPort;

typedef struct Ahci {
    PCIDevice pci;
    MemoryRegion mmio, idp;
    uint32_t ghc, is, index;
    AhciPort port[AHCI_PORTS];
} Ahci;

OBJECT_DECLARE(Ahci, AHCI, ich9_ahci)

extern const IdeTransport ahci_transport;

/* Port interrupts changed. */
void ahci_update_irq(Ahci *s);
uint32_t ahci_port_read(const AhciPort *p, unsigned reg);
void ahci_port_write(AhciPort *p, unsigned reg, uint32_t v);
/* As after a reset of the HBA. */
void ahci_port_reset(AhciPort *p);
IdeDevice *ahci_port_device(const AhciPort *p);

#endif
