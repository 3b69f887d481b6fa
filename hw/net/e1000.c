/*
 * "e1000": Intel 82540EM, the gigabit Ethernet controller that every guest has a driver for.
 *
 * Reference: e1000.h.  Registers are one array of words.  What reading or writing one does beside that is a case here;
 * what is in no table of the manual reads as zero and says so to the log.
 *
 * RDTR, RADV, TIDV and TADV allow an interrupt to come late: here it does not, ITR apart.  Flow control and wake-up have registers
 * and nothing behind them.
 *
 * INTx only, as the device: it has MSI, which drivers leave alone.
 */
#include "hw/net/e1000.h"
#include "hw/core/bootorder.h"
#include "util/log.h"

#define ITR_UNIT_NS 256
#define PCI_DEVICE_ID_INTEL_82540EM 0x100e

/* --- interrupts --- */

static void update_irq(E1000 *s)
{
    bool want = *e1000_reg(s, E1000_ICR) & *e1000_reg(s, E1000_IMS);
    uint32_t itr = *e1000_reg(s, E1000_ITR) & 0xffff;

    if (want && !s->intx && itr) {
        if (timer_pending(&s->throttle)) {
            return;                     /* its end comes back to it */
        }
        timer_mod(&s->throttle, clock_get_ns(CLOCK_TYPE_VIRTUAL) + (int64_t)itr * ITR_UNIT_NS);
    }
    s->intx = want;
    pci_set_irq(&s->pci, want);
}

static void throttle_ended(void *opaque)
{
    update_irq(opaque);
}

void e1000_raise(E1000 *s, uint32_t causes)
{
    *e1000_reg(s, E1000_ICR) |= causes & ICR_ALL;
    update_irq(s);
}

/* --- link --- */

/* Is a cable in, and has the link been agreed upon? */
static bool link_is_up(const E1000 *s)
{
    return !s->nic.queue[0]->link_down && !timer_pending(&s->autoneg);
}

/* Bring STATUS and the PHY to what the cable is. */
static void update_link(E1000 *s, bool tell)
{
    bool up = link_is_up(s), phy_changed = e1000_phy_set_link(s, up);
    uint32_t *status = e1000_reg(s, E1000_STATUS);
    bool changed = !(*status & STATUS_LU) != !up;

    *status = up ? *status | STATUS_LU : *status & ~STATUS_LU;
    if (tell && (changed || phy_changed)) {
        e1000_raise(s, ICR_LSC);
    }
    if (up) {
        net_receive_more(s->nic.queue[0]);
    }
}

static void autoneg_ended(void *opaque)
{
    update_link(opaque, true);
}

static void link_changed(NetClient *nc)
{
    E1000 *s = nic_device(nc);

    if (s->nic.queue) {
        timer_del(&s->autoneg);
        update_link(s, true);
    }
}

static void resume(NetClient *nc)
{
    E1000 *s = nic_device(nc);

    bh_schedule(s->tx_bh);
}

/* --- reset --- */

/* What a write of CTRL.RST does, too; the PHY stays. */
static void reset_mac(E1000 *s)
{
    bh_cancel(s->tx_bh);
    timer_del(&s->throttle);
    memset(s->regs, 0, sizeof(s->regs));
    *e1000_reg(s, E1000_CTRL) = CTRL_FD | CTRL_ASDE | CTRL_SLU;
    *e1000_reg(s, E1000_STATUS) = STATUS_FD | STATUS_SPEED_1000 | STATUS_ASDV_1000;
    *e1000_reg(s, E1000_PBA) = 0x00100030;
    *e1000_reg(s, E1000_VET) = 0x8100;
    *e1000_reg(s, E1000_LEDCTL) = 0x07061302;
    *e1000_reg(s, E1000_MDIC) = 1 << 28;
    *e1000_reg(s, E1000_RA) = ld32_le(s->own_mac.b);
    *e1000_reg(s, E1000_RA + 4) = ld16_le(s->own_mac.b + 4) | 1u << 31;
    nic_set_mac(&s->nic, s->own_mac);
    e1000_eeprom_reset(s);
    s->plain = s->tso = (E1000Context){ 0 };
    s->frame_len = 0;
    s->frame_bad = s->frame_started = s->tx_waits = false;
    net_drop_waiting(s->nic.queue[0]);
    update_link(s, false);
    update_irq(s);
}

static void e1000_reset_hold(Device *dev, ResetType type)
{
    E1000 *s = (E1000 *)dev;

    timer_del(&s->autoneg);
    s->io_addr = 0;
    e1000_phy_reset(s);
    reset_mac(s);
}

/* --- registers --- */

static void tell_filter(E1000 *s)
{
    MacAddress mac;

    st32_le(mac.b, *e1000_reg(s, E1000_RA));
    st16_le(mac.b + 4, *e1000_reg(s, E1000_RA + 4));
    nic_set_mac(&s->nic, mac);
}

static void write_ctrl(E1000 *s, uint32_t v)
{
    if (v & CTRL_RST) {
        reset_mac(s);
        return;
    }
    *e1000_reg(s, E1000_CTRL) = v & ~(uint32_t)CTRL_PHY_RST;
    if (v & CTRL_PHY_RST) {
        e1000_phy_reset(s);
        update_link(s, true);
    }
}

static uint32_t reg_read(E1000 *s, unsigned addr)
{
    uint32_t *r = e1000_reg(s, addr), v = *r;

    switch (addr) {
    case E1000_EECD:
        return e1000_eecd_read(s);
    case E1000_ICR:
        *r = 0;
        update_irq(s);
        return v;
    case E1000_ICS:
    case E1000_IMC:
        return 0;                       /* write-only */
    case E1000_STATS ... E1000_STATS_END - 4:
        *r = 0;
        return v;
    default:
        return v;
    }
}

static void reg_write(E1000 *s, unsigned addr, uint32_t v)
{
    switch (addr) {
    case E1000_CTRL:
        write_ctrl(s, v);
        break;
    case E1000_STATUS:
        break;
    case E1000_STATS ... E1000_STATS_END - 4:
        break;                          /* read-only */
    case E1000_EECD:
        e1000_eecd_write(s, v);
        break;
    case E1000_EERD:
        e1000_eerd_write(s, v);
        break;
    case E1000_MDIC:
        e1000_mdic_write(s, v);
        break;
    case E1000_ICR:
        *e1000_reg(s, E1000_ICR) &= ~v;
        update_irq(s);
        break;
    case E1000_ICS:
        e1000_raise(s, v);
        break;
    case E1000_IMS:
        *e1000_reg(s, E1000_IMS) |= v & ICR_ALL;
        update_irq(s);
        break;
    case E1000_IMC:
        *e1000_reg(s, E1000_IMS) &= ~v;
        update_irq(s);
        break;
    case E1000_RCTL:
    case E1000_RDT:
        *e1000_reg(s, addr) = addr == E1000_RDT ? v & 0xffff : v;
        net_receive_more(s->nic.queue[0]);
        break;
    case E1000_TCTL:
    case E1000_TDT:
        *e1000_reg(s, addr) = addr == E1000_TDT ? v & 0xffff : v;
        bh_schedule(s->tx_bh);
        break;
    case E1000_RA:
    case E1000_RA + 4:
        *e1000_reg(s, addr) = v;
        tell_filter(s);
        break;
    default:
        *e1000_reg(s, addr) = v;
        break;
    }
}

/* The ones without a case, by ranges: whatever else there is reads as zero. */
static bool is_register(unsigned addr)
{
    static const uint16_t ranges[][2] = {
        { E1000_CTRL, E1000_VET + 4 }, { E1000_ICR, E1000_IMC + 4 }, { E1000_RCTL, E1000_RCTL + 4 }, { E1000_FCTTV, E1000_RXCW + 4 },
        { E1000_TCTL, E1000_TIPG + 4 }, { E1000_AIT, E1000_AIT + 4 }, { E1000_LEDCTL, E1000_LEDCTL + 4 }, { E1000_PBA, E1000_PBA + 4 },
        { E1000_FCRTL, E1000_FCRTH + 4 }, { E1000_RDBAL, E1000_RADV + 4 }, { E1000_RSRPD, E1000_RSRPD + 4 },
        { E1000_TXDMAC, E1000_TXDMAC + 4 }, { E1000_TDBAL, E1000_TSPMT + 4 }, { E1000_STATS, E1000_STATS_END },
        { E1000_RXCSUM, E1000_RXCSUM + 4 }, { E1000_MTA, E1000_RA_END }, { E1000_VFTA, E1000_VFTA_END },
        { E1000_WUC, E1000_IPAV + 4 },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(ranges); i++) {
        if (addr >= ranges[i][0] && addr < ranges[i][1]) {
            return true;
        }
    }
    return false;
}

static uint64_t mmio_read(void *opaque, hwaddr addr, unsigned size)
{
    if (!is_register((unsigned)addr)) {
        guest_unimp("e1000", "read of register 0x%" PRIx64, addr);
        return 0;
    }
    return reg_read(opaque, (unsigned)addr);
}

static void mmio_write(void *opaque, hwaddr addr, uint64_t v, unsigned size)
{
    if (!is_register((unsigned)addr)) {
        guest_unimp("e1000", "write of 0x%" PRIx64 " to register 0x%" PRIx64, v, addr);
        return;
    }
    reg_write(opaque, (unsigned)addr, (uint32_t)v);
}

static const MemoryRegionOps mmio_ops = { .read = mmio_read, .write = mmio_write, .valid = { 1, 8 }, .impl = { 4, 4 } };

/* IOADDR says which register IODATA is. */
static uint64_t io_read(void *opaque, hwaddr addr, unsigned size)
{
    E1000 *s = opaque;

    return addr == 0 ? s->io_addr : addr == 4 && s->io_addr < E1000_MMIO_SIZE ? mmio_read(s, s->io_addr & ~3u, 4) : 0;
}

static void io_write(void *opaque, hwaddr addr, uint64_t v, unsigned size)
{
    E1000 *s = opaque;

    if (addr == 0) {
        s->io_addr = (uint32_t)v;
    } else if (addr == 4 && s->io_addr < E1000_MMIO_SIZE) {
        mmio_write(s, s->io_addr & ~3u, v, 4);
    }
}

static const MemoryRegionOps io_ops = { .read = io_read, .write = io_write, .valid = { 4, 4 }, .impl = { 4, 4 } };

/* --- life --- */

static const NetClientInfo e1000_client = { .receive = e1000_receive, .link_changed = link_changed, .resume = resume };

static bool e1000_realize(Device *dev, Error **errp)
{
    E1000 *s = (E1000 *)dev;

    if (!nic_open(&s->nic, &e1000_client, dev->obj.type->name, dev->id, 1, s, errp)) {
        return false;
    }
    s->tx_bh = bh_new(e1000_transmit, s);
    timer_init(&s->throttle, CLOCK_TYPE_VIRTUAL, throttle_ended, s);
    timer_init(&s->autoneg, CLOCK_TYPE_VIRTUAL, autoneg_ended, s);
    s->own_mac = s->nic.mac;
    e1000_eeprom_init(s);
    pci_config_set_interrupt_pin(&s->pci, 1);
    memory_region_init_io(&s->mmio, s, &mmio_ops, s, "e1000-mmio", E1000_MMIO_SIZE);
    memory_region_init_io(&s->io, s, &io_ops, s, "e1000-io", E1000_IO_SIZE);
    pci_register_bar(&s->pci, 0, PCI_BASE_ADDRESS_SPACE_MEMORY, &s->mmio);
    pci_register_bar(&s->pci, 1, PCI_BASE_ADDRESS_SPACE_IO, &s->io);
    return true;
}

static void e1000_unrealize(Device *dev)
{
    E1000 *s = (E1000 *)dev;

    timer_del(&s->throttle);
    timer_del(&s->autoneg);
    bh_free(s->tx_bh);
    nic_close(&s->nic);
    s->nic.mac = s->own_mac;
}

static void e1000_fini(Object *obj)
{
    E1000 *s = (E1000 *)obj;

    memory_region_fini(&s->mmio);
    memory_region_fini(&s->io);
}

static const Property e1000_properties[] = {
    PROP_NIC(E1000, nic),
    PROP_BOOTINDEX("bootindex", E1000, bootindex),
};

static bool e1000_post_load(void *opaque, unsigned version, Error **errp)
{
    E1000 *s = opaque;

    if (s->frame_len > NET_FRAME_MAX - 4) {
        error_setg(errp, "e1000: a frame of %u bytes", s->frame_len);
        return false;
    }
    tell_filter(s);
    return true;
}

static const VMField context_fields[] = {
    VMS_U8(E1000Context, ipcss), VMS_U8(E1000Context, ipcso), VMS_U8(E1000Context, tucss), VMS_U8(E1000Context, tucso),
    VMS_U8(E1000Context, hdrlen), VMS_U16(E1000Context, ipcse), VMS_U16(E1000Context, tucse), VMS_U16(E1000Context, mss),
    VMS_BOOL(E1000Context, tcp), VMS_BOOL(E1000Context, ipv4), VMS_END
};

static const VMState vmstate_context = { .name = "e1000/context", .version = 1, .minimum_version = 1, .fields = context_fields };

static const VMState vmstate_e1000 = {
    .name = "e1000", .version = 1, .minimum_version = 1, .post_load = e1000_post_load,
    .fields = (const VMField[]){
        VMS_BUFFER(E1000, nic.mac), VMS_U32_ARRAY(E1000, regs), VMS_U32(E1000, io_addr), VMS_BOOL(E1000, intx),
        VMS_TIMER(E1000, throttle), VMS_TIMER(E1000, autoneg), VMS_U16_ARRAY(E1000, phy), VMS_U16_ARRAY(E1000, eeprom),
        VMS_U8(E1000, wire_bits), VMS_U16(E1000, wire_command), VMS_U32(E1000, wire_out), VMS_BOOL(E1000, wire_reading),
        VMS_STRUCT(E1000, plain, &vmstate_context), VMS_STRUCT(E1000, tso, &vmstate_context), VMS_BUFFER(E1000, frame), VMS_U32(E1000, frame_len),
        VMS_BOOL(E1000, frame_bad), VMS_BOOL(E1000, frame_started), VMS_BOOL(E1000, frame_tso), VMS_BOOL(E1000, frame_vlan),
        VMS_U8(E1000, frame_popts), VMS_U16(E1000, frame_tag), VMS_END,
    },
};

PCI_DEVICE_DEFINE(E1000, e1000, "e1000", pci_device,
    .desc         = "Intel Gigabit Ethernet",
    .category     = DEVICE_CATEGORY_NETWORK,
    .boot_part    = "ethernet-phy@0",
    .vendor_id    = PCI_VENDOR_ID_INTEL,
    .device_id    = PCI_DEVICE_ID_INTEL_82540EM,
    .revision     = 3,
    .class_id     = PCI_CLASS_NETWORK_ETHERNET,
    .properties   = PROPS(e1000_properties),
    .realize      = e1000_realize,
    .unrealize    = e1000_unrealize,
    .fini         = e1000_fini,
    .reset_hold   = e1000_reset_hold,
    .vmstate      = &vmstate_e1000,
)
