/*
 * Intel 82540EM: the EEPROM, by register and bit by bit on its microwire bus, and the PHY behind MDIC.
 *
 * References: as e1000.h: sections 5.6 (EEPROM map), 13.4.3 (EECD), 13.4.4 (EERD), 13.4.6 (MDIC), 13.6 (PHY registers).
 */
#include "hw/net/e1000.h"
#include "util/log.h"

enum { EECD_SK = 1, EECD_CS = 2, EECD_DI = 4, EECD_DO = 8, EECD_REQ = 0x40, EECD_GNT = 0x80, EECD_PRES = 0x100 };
enum { EERD_START = 1, EERD_DONE = 0x10, EERD_ADDR_SHIFT = 8, EERD_DATA_SHIFT = 16 };
enum { WORD_MAC = 0, WORD_INIT1 = 0xa, WORD_SUBSYSTEM = 0xb, WORD_SUBVENDOR = 0xc, WORD_DEVICE = 0xd, WORD_VENDOR = 0xe,
       WORD_CHECKSUM = 0x3f, EEPROM_SUM = 0xbaba };
/* A command on the wire: start bit 1, opcode 10 (read), six bits of address. */
enum { WIRE_COMMAND_BITS = 9, WIRE_READ = 6 };
enum { MDIC_REG_SHIFT = 16, MDIC_PHY_SHIFT = 21, MDIC_WRITE = 1 << 26, MDIC_READ = 1 << 27, MDIC_READY = 1 << 28,
       MDIC_INT_EN = 1 << 29, MDIC_ERROR = 1 << 30 };
enum { PHY_STATUS = 1, PHY_ID1 = 2, PHY_ID2 = 3, PHY_AUTONEG_ADV = 4, PHY_LP_ABILITY = 5, PHY_1000T_CTRL = 9,
       PHY_1000T_STATUS = 10, PHY_EXT_STATUS = 15, M88_SPEC_CTRL = 16, M88_SPEC_STATUS = 17, M88_EXT_SPEC_CTRL = 20 };
enum { CTRL_AUTONEG_EN = 1 << 12, CTRL_RESTART_AUTONEG = 1 << 9, CTRL_RESET = 1 << 15, BMSR_LINK = 1 << 2,
       BMSR_AUTONEG_DONE = 1 << 5, LPA_ACK = 1 << 14, M88_STATUS_LINK = 1 << 10 };

#define AUTONEG_NS (500 * 1000 * 1000)

/* --- EEPROM --- */

void e1000_eeprom_init(E1000 *s)
{
    uint16_t *w = s->eeprom, sum = 0;

    memset(w, 0, sizeof(s->eeprom));
    for (unsigned i = 0; i < 3; i++) {
        w[WORD_MAC + i] = ld16_le(s->own_mac.b + 2 * i);
    }
    w[WORD_INIT1] = 0x4408;             /* signature 01, loads the ids below */
    w[WORD_SUBSYSTEM] = pci_get_word(s->pci.config + PCI_SUBSYSTEM_ID);
    w[WORD_SUBVENDOR] = pci_get_word(s->pci.config + PCI_SUBSYSTEM_VENDOR_ID);
    w[WORD_DEVICE] = pci_get_word(s->pci.config + PCI_DEVICE_ID);
    w[WORD_VENDOR] = pci_get_word(s->pci.config + PCI_VENDOR_ID);
    for (unsigned i = 0; i < WORD_CHECKSUM; i++) {
        sum += w[i];
    }
    w[WORD_CHECKSUM] = EEPROM_SUM - sum;
}

void e1000_eeprom_reset(E1000 *s)
{
    s->wire_bits = 0;
    s->wire_command = 0;
    s->wire_out = 0;
    s->wire_reading = false;
    *e1000_reg(s, E1000_EECD) = EECD_PRES;
    *e1000_reg(s, E1000_EERD) = 0;
}

/* A rising clock with the chip selected: a bit comes in, or the next one goes out. */
static void wire_clock(E1000 *s, bool in)
{
    if (s->wire_reading) {
        s->wire_out <<= 1;
        return;
    }
    if (s->wire_bits == 0 && !in) {
        return;                         /* no start bit yet */
    }
    s->wire_command = s->wire_command << 1 | in;
    if (++s->wire_bits < WIRE_COMMAND_BITS) {
        return;
    }
    if (s->wire_command >> 6 == WIRE_READ) {
        s->wire_reading = true;
        s->wire_out = s->eeprom[s->wire_command & (E1000_EEPROM_WORDS - 1)];        /* after a zero */
    } else {
        guest_unimp("e1000", "EEPROM command 0x%x (only reads are there)", s->wire_command);
    }
    s->wire_bits = 0;
    s->wire_command = 0;
}

void e1000_eecd_write(E1000 *s, uint32_t v)
{
    uint32_t *eecd = e1000_reg(s, E1000_EECD), old = *eecd;

    *eecd = (v & (EECD_SK | EECD_CS | EECD_DI | EECD_REQ)) | EECD_PRES;
    if (!(v & EECD_CS)) {
        s->wire_bits = 0;
        s->wire_command = 0;
        s->wire_reading = false;
    } else if (v & ~old & EECD_SK) {
        wire_clock(s, v & EECD_DI);
    }
}

uint32_t e1000_eecd_read(E1000 *s)
{
    uint32_t eecd = *e1000_reg(s, E1000_EECD);

    if (!s->wire_reading || s->wire_out >> 16 & 1) {        /* idle, the line is high */
        eecd |= EECD_DO;
    }
    return eecd & EECD_REQ ? eecd | EECD_GNT : eecd;
}

void e1000_eerd_write(E1000 *s, uint32_t v)
{
    unsigned word = v >> EERD_ADDR_SHIFT & 0xff;
    uint32_t data = word < E1000_EEPROM_WORDS ? s->eeprom[word] : 0;

    *e1000_reg(s, E1000_EERD) = v & EERD_START ? data << EERD_DATA_SHIFT | word << EERD_ADDR_SHIFT | EERD_DONE : v & ~EERD_DONE;
}

/* --- PHY: a Marvell 88E1011's --- */

void e1000_phy_reset(E1000 *s)
{
    static const uint16_t after_reset[E1000_PHY_REGS] = {
        [PHY_CTRL] = 0x1140, [PHY_STATUS] = 0x7949, [PHY_ID1] = 0x0141, [PHY_ID2] = 0x0c20, [PHY_AUTONEG_ADV] = 0x0de1,
        [PHY_LP_ABILITY] = 0x01e0, [PHY_1000T_CTRL] = 0x0e00, [PHY_1000T_STATUS] = 0x3c00, [PHY_EXT_STATUS] = 0x3000,
        [M88_SPEC_CTRL] = 0x0360, [M88_SPEC_STATUS] = 0xa800, [M88_EXT_SPEC_CTRL] = 0x0d60,
    };

    memcpy(s->phy, after_reset, sizeof(s->phy));
}

bool e1000_phy_set_link(E1000 *s, bool up)
{
    bool was = s->phy[PHY_STATUS] & BMSR_LINK;

    if (up) {
        s->phy[PHY_STATUS] |= BMSR_LINK | BMSR_AUTONEG_DONE;
        s->phy[PHY_LP_ABILITY] |= LPA_ACK;
        s->phy[M88_SPEC_STATUS] |= M88_STATUS_LINK;
    } else {
        s->phy[PHY_STATUS] &= ~(BMSR_LINK | BMSR_AUTONEG_DONE);
        s->phy[PHY_LP_ABILITY] &= ~LPA_ACK;
        s->phy[M88_SPEC_STATUS] &= ~M88_STATUS_LINK;
    }
    return was != up;
}

static void phy_control(E1000 *s, uint16_t v)
{
    if (v & CTRL_RESET) {
        e1000_phy_reset(s);
        v = s->phy[PHY_CTRL] | CTRL_RESTART_AUTONEG;
    }
    s->phy[PHY_CTRL] = v & ~(CTRL_RESTART_AUTONEG | CTRL_RESET);
    if (v & CTRL_AUTONEG_EN && v & CTRL_RESTART_AUTONEG) {
        timer_mod(&s->autoneg, clock_get_ns(CLOCK_TYPE_VIRTUAL) + AUTONEG_NS);
        if (e1000_phy_set_link(s, false)) {
            *e1000_reg(s, E1000_STATUS) &= ~STATUS_LU;
            e1000_raise(s, ICR_LSC);
        }
    }
}

static void phy_write(E1000 *s, unsigned reg, uint16_t v)
{
    switch (reg) {
    case PHY_CTRL:
        phy_control(s, v);
        break;
    case PHY_AUTONEG_ADV:
    case PHY_1000T_CTRL:
    case M88_SPEC_CTRL:
    case M88_EXT_SPEC_CTRL:
    case 18: case 24: case 25: case 29: case 30:        /* interrupt enable, LEDs, pages: kept */
        s->phy[reg] = v;
        break;
    default:
        guest_error("e1000", "write of 0x%x to PHY register %u, which is read-only or not there", v, reg);
        break;
    }
}

void e1000_mdic_write(E1000 *s, uint32_t v)
{
    unsigned reg = v >> MDIC_REG_SHIFT & 31, phy = v >> MDIC_PHY_SHIFT & 31;
    uint32_t result = v & ~(MDIC_READY | MDIC_ERROR);

    if (phy != 1 || !(v & (MDIC_READ | MDIC_WRITE))) {
        result |= MDIC_ERROR;
    } else if (v & MDIC_READ) {
        result = (result & ~0xffffu) | s->phy[reg];
    } else {
        phy_write(s, reg, (uint16_t)v);
    }
    *e1000_reg(s, E1000_MDIC) = result | MDIC_READY;
    if (v & MDIC_INT_EN) {
        e1000_raise(s, ICR_MDAC);
    }
}
