/*
 * Intel 82540EM between its files: e1000.c (registers, interrupts, life), e1000-rings.c (frames), e1000-eeprom.c
 * (EEPROM and PHY).
 *
 * Reference: PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual (317453); section numbers
 * are its.
 */
#ifndef HW_NET_E1000_H
#define HW_NET_E1000_H

#include "hw/pci/pci.h"
#include "system/net.h"
#include "util/main-loop.h"
#include "util/timer.h"

/* Registers: offsets in bytes, section 13.2. */
enum {
    E1000_CTRL = 0x0000, E1000_STATUS = 0x0008, E1000_EECD = 0x0010, E1000_EERD = 0x0014, E1000_CTRL_EXT = 0x0018,
    E1000_MDIC = 0x0020, E1000_FCAL = 0x0028, E1000_FCAH = 0x002c, E1000_FCT = 0x0030, E1000_VET = 0x0038,
    E1000_ICR = 0x00c0, E1000_ITR = 0x00c4, E1000_ICS = 0x00c8, E1000_IMS = 0x00d0, E1000_IMC = 0x00d8,
    E1000_RCTL = 0x0100, E1000_FCTTV = 0x0170, E1000_TXCW = 0x0178, E1000_RXCW = 0x0180,
    E1000_TCTL = 0x0400, E1000_TIPG = 0x0410, E1000_AIT = 0x0458, E1000_LEDCTL = 0x0e00, E1000_PBA = 0x1000,
    E1000_FCRTL = 0x2160, E1000_FCRTH = 0x2168,
    E1000_RDBAL = 0x2800, E1000_RDBAH = 0x2804, E1000_RDLEN = 0x2808, E1000_RDH = 0x2810, E1000_RDT = 0x2818,
    E1000_RDTR = 0x2820, E1000_RXDCTL = 0x2828, E1000_RADV = 0x282c, E1000_RSRPD = 0x2c00,
    E1000_TXDMAC = 0x3000,
    E1000_TDBAL = 0x3800, E1000_TDBAH = 0x3804, E1000_TDLEN = 0x3808, E1000_TDH = 0x3810, E1000_TDT = 0x3818,
    E1000_TIDV = 0x3820, E1000_TXDCTL = 0x3828, E1000_TADV = 0x382c, E1000_TSPMT = 0x3830,
    E1000_STATS = 0x4000, E1000_MPC = 0x4010, E1000_PRC64 = 0x405c, E1000_PRC1522 = 0x4070, E1000_GPRC = 0x4074,
    E1000_BPRC = 0x4078, E1000_MPRC = 0x407c, E1000_GPTC = 0x4080, E1000_GORCL = 0x4088, E1000_GOTCL = 0x4090,
    E1000_RNBC = 0x40a0, E1000_RUC = 0x40a4, E1000_ROC = 0x40ac, E1000_TORL = 0x40c0, E1000_TOTL = 0x40c8, E1000_TPR = 0x40d0,
    E1000_TPT = 0x40d4, E1000_PTC64 = 0x40d8, E1000_PTC1522 = 0x40ec, E1000_MPTC = 0x40f0, E1000_BPTC = 0x40f4,
    E1000_TSCTC = 0x40f8, E1000_STATS_END = 0x4100,
    E1000_RXCSUM = 0x5000, E1000_MTA = 0x5200, E1000_MTA_END = 0x5400, E1000_RA = 0x5400, E1000_RA_END = 0x5480,
    E1000_VFTA = 0x5600, E1000_VFTA_END = 0x5800, E1000_WUC = 0x5800, E1000_WUFC = 0x5808, E1000_WUS = 0x5810,
    E1000_MANC = 0x5820, E1000_IPAV = 0x5838,
    E1000_REGS_END = 0x5a00,
    E1000_MMIO_SIZE = 0x20000, E1000_IO_SIZE = 0x40,
};

enum {      /* CTRL, section 13.4.1 */
    CTRL_FD = 1 << 0, CTRL_ASDE = 1 << 5, CTRL_SLU = 1 << 6, CTRL_RST = 1 << 26, CTRL_VME = 1 << 30,
    CTRL_PHY_RST = (int)(1u << 31),
};
enum { STATUS_FD = 1 << 0, STATUS_LU = 1 << 1, STATUS_SPEED_1000 = 2 << 6, STATUS_ASDV_1000 = 2 << 8 };
enum {      /* ICR and its like, section 13.4.17 */
    ICR_TXDW = 1 << 0, ICR_TXQE = 1 << 1, ICR_LSC = 1 << 2, ICR_RXDMT0 = 1 << 4, ICR_RXO = 1 << 6, ICR_RXT0 = 1 << 7,
    ICR_MDAC = 1 << 9, ICR_ALL = 0x1ffff,
};
enum {      /* RCTL, section 13.4.22 */
    RCTL_EN = 1 << 1, RCTL_SBP = 1 << 2, RCTL_UPE = 1 << 3, RCTL_MPE = 1 << 4, RCTL_LPE = 1 << 5, RCTL_LBM = 3 << 6,
    RCTL_RDMTS_SHIFT = 8, RCTL_MO_SHIFT = 12, RCTL_BAM = 1 << 15, RCTL_BSIZE_SHIFT = 16, RCTL_VFE = 1 << 18,
    RCTL_BSEX = 1 << 25, RCTL_SECRC = 1 << 26,
};
enum { TCTL_EN = 1 << 1, TCTL_PSP = 1 << 3 };
enum { PHY_CTRL = 0, PHY_CTRL_LOOPBACK = 1 << 14, E1000_PHY_REGS = 32, E1000_EEPROM_WORDS = 64 };

/* What a context descriptor told, section 3.3.6. */
typedef struct E1000Context {
    uint8_t ipcss, ipcso, tucss, tucso, hdrlen;
    uint16_t ipcse, tucse, mss;
    bool tcp, ipv4;
} E1000Context;

typedef struct E1000 {
    PCIDevice pci;
    MemoryRegion mmio, io;
    NicConf nic;
    MacAddress own_mac;                 /* that the EEPROM has */
    int32_t bootindex;

    uint32_t regs[E1000_REGS_END / 4];  /* as last written or to be read; see e1000_reg() */
    uint32_t io_addr;                   /* IOADDR */
    bool intx;                          /* the pin is driven */
    Timer throttle;                     /* no interrupt before it ends */
    Timer autoneg;                      /* then the link is up */

    uint16_t phy[E1000_PHY_REGS];
    uint16_t eeprom[E1000_EEPROM_WORDS];
    uint8_t wire_bits;                  /* of a microwire command that have come */
    uint16_t wire_command;
    uint32_t wire_out;                  /* bit 16 is on the wire; a word follows it */
    bool wire_reading;

    E1000Context plain, tso;            /* of data descriptors without and with segmentation */
    uint8_t frame[NET_FRAME_MAX];       /* being put together */
    uint32_t frame_len;
    bool frame_bad;                     /* does not fit: to be dropped at its end */
    bool frame_started;                 /* what follows is from the frame's first data descriptor */
    bool frame_tso, frame_vlan;
    uint8_t frame_popts;
    uint16_t frame_tag;
    BottomHalf *tx_bh;
    bool tx_waits;                      /* for the network to take more */
} E1000;

static inline uint32_t *e1000_reg(E1000 *s, unsigned offset)
{
    return &s->regs[offset / 4];
}

/* Set bits of ICR, and interrupt if they are not masked. */
void e1000_raise(E1000 *s, uint32_t causes);

/* --- e1000-rings.c --- */

/* The transmit bottom half: send what the ring holds. */
void e1000_transmit(void *opaque);
NetResult e1000_receive(NetClient *nc, const NetOffload *off, uint8_t *data, size_t len);

/* --- e1000-eeprom.c --- */

void e1000_eeprom_init(E1000 *s);
void e1000_eeprom_reset(E1000 *s);
void e1000_eecd_write(E1000 *s, uint32_t v);
uint32_t e1000_eecd_read(E1000 *s);
void e1000_eerd_write(E1000 *s, uint32_t v);
void e1000_mdic_write(E1000 *s, uint32_t v);
void e1000_phy_reset(E1000 *s);
/* The PHY's view of the link; true if it changed. */
bool e1000_phy_set_link(E1000 *s, bool up);

#endif
