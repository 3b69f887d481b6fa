/*
 * One AHCI port: the list of commands, frames from and to the device (AHCI 1.3.1, chapters 3.3, 4, 5, 6).
 *
 * A slot's bit in PxCI is set by the host and cleared when its command has ended, or, of a queued one, when the device
 * has it; then the bit in PxSACT stands until it has ended.  A failed command halts the port until the host clears ST.
 *
 * Everything in memory is the host's: addresses go through address_space_rw_memory(), so that none of them can reach
 * a register of this or any other device, and what is read is checked here.
 */
#include "ahci.h"
#include "util/log.h"

enum { HEADER_SIZE = 32, TABLE_PACKET = 0x40, TABLE_SEGMENTS = 0x80, SEGMENT_SIZE = 16, FIS_SIZE = 20 };
enum { FIS_H2D = 0x27, FIS_D2H = 0x34, FIS_PIO_SETUP = 0x5f, FIS_SET_BITS = 0xa1, FIS_I = 0x40, FIS_TO_HOST = 0x20, FIS_C = 0x80 };
enum { RX_PIO_SETUP = 0x20, RX_D2H = 0x40, RX_SET_BITS = 0x58 };
enum { SSTS_UP = 0x123, SERR_EXCHANGED = 1u << 26, SRST = 1 << 2 };

static AhciPort *port_of(const IdeBus *bus)
{
    return bus->opaque;
}

IdeDevice *ahci_port_device(const AhciPort *p)
{
    return p->bus->units[0];
}

static bool memory_rw(AhciPort *p, hwaddr addr, void *buf, size_t len, bool is_write)
{
    return address_space_rw_memory(pci_get_address_space(&p->hba->pci), addr, buf, len, is_write) == MEMTX_OK;
}

static void port_raise(AhciPort *p, uint32_t bits)
{
    p->is |= bits;
    ahci_update_irq(p->hba);
}

/* Nothing goes on before the host has cleared ST. */
static void halt(AhciPort *p, uint32_t why)
{
    p->halted = true;
    port_raise(p, why);
}

/* --- frames to the host --- */

static void receive(AhciPort *p, unsigned at, const uint8_t *fis, size_t len)
{
    hwaddr base = (hwaddr)p->fbu << 32 | p->fb;

    if ((p->cmd & PX_CMD_FRE) && !memory_rw(p, base + at, (void *)fis, len, true)) {
        guest_error("ahci", "port %u: no memory for received frames at 0x%" PRIx64, p->n, base);
    }
}

static void set_tfd(AhciPort *p, const IdeTaskFile *tf)
{
    p->tfd = (uint32_t)tf->error << 8 | tf->status;
}

/* Registers as the device shows them: bytes 2 to 13 of register frames. */
static void fill_registers(uint8_t *fis, const IdeTaskFile *tf)
{
    const uint8_t regs[12] = {
        tf->status, tf->error, tf->lba_low[0], tf->lba_mid[0], tf->lba_high[0], tf->device,
        tf->lba_low[1], tf->lba_mid[1], tf->lba_high[1], 0, tf->count[0], tf->count[1],
    };

    memcpy(fis + 2, regs, sizeof(regs));
}

static void send_d2h(AhciPort *p, const IdeTaskFile *tf, bool irq)
{
    uint8_t fis[FIS_SIZE] = { FIS_D2H, irq ? FIS_I : 0 };

    fill_registers(fis, tf);
    set_tfd(p, tf);
    receive(p, RX_D2H, fis, sizeof(fis));
}

/* @end_status: what the status is when the data has been moved. */
static void send_pio_setup(AhciPort *p, const IdeDevice *d, uint32_t bytes, uint8_t end_status, bool irq)
{
    uint8_t fis[FIS_SIZE] = { FIS_PIO_SETUP, (uint8_t)((d->pio_to_host ? FIS_TO_HOST : 0) | (irq ? FIS_I : 0)) };

    fill_registers(fis, &d->tf);
    fis[15] = end_status;
    st16_le(fis + 16, (uint16_t)bytes);
    receive(p, RX_PIO_SETUP, fis, sizeof(fis));
}

static void send_set_bits(AhciPort *p, const IdeTaskFile *tf, uint32_t ended)
{
    uint8_t fis[8] = { FIS_SET_BITS, FIS_I, tf->status & 0x77, tf->error };

    st32_le(fis + 4, ended);
    set_tfd(p, tf);
    receive(p, RX_SET_BITS, fis, sizeof(fis));
}

/* The device's first frame after a reset. */
static void send_signature(AhciPort *p)
{
    const IdeDevice *d = ahci_port_device(p);
    IdeTaskFile tf = { 0 };

    ide_signature(d, &tf);
    p->sig = (uint32_t)tf.lba_high[0] << 24 | (uint32_t)tf.lba_mid[0] << 16 | (uint32_t)tf.lba_low[0] << 8 | tf.count[0];
    p->signature_due = !(p->cmd & PX_CMD_FRE);
    send_d2h(p, &tf, false);
}

/* --- what the command set asks of its transport --- */

static bool ahci_segment(IdeBus *bus, unsigned tag, unsigned n, IdeSegment *seg)
{
    AhciPort *p = port_of(bus);
    unsigned slot = tag == IDE_NO_TAG ? p->slot : tag;
    uint8_t raw[SEGMENT_SIZE];

    if (slot >= AHCI_SLOTS || n >= p->slots[slot].n_segments
        || !memory_rw(p, p->slots[slot].table + TABLE_SEGMENTS + (hwaddr)n * SEGMENT_SIZE, raw, sizeof(raw), false)) {
        return false;
    }
    seg->addr = ld64_le(raw) & ~(hwaddr)1;
    seg->len = ((ld32_le(raw + 12) & 0x3fffff) | 1) + 1;        /* bytes less one; always even */
    return true;
}

static AddressSpace *ahci_dma_space(IdeBus *bus)
{
    return pci_get_address_space(&port_of(bus)->hba->pci);
}

static bool ahci_packet(IdeBus *bus, uint8_t *packet)
{
    memcpy(packet, port_of(bus)->packet, sizeof(port_of(bus)->packet));
    return true;
}

/* A list too short: what there is room for is moved, and the rest of an answer lost (6.1.5). */
static bool move_pio(AhciPort *p, IdeDevice *d)
{
    uint32_t len = d->pio_end - d->pio_pos;
    bool ok = true;
    uint64_t n = ide_copy(p->bus, IDE_NO_TAG, &p->pio_at, d->pio + d->pio_pos, len, d->pio_to_host, &ok);

    p->moved += (uint32_t)n;
    if (n < len) {
        p->is |= PX_IS_OFS;
    }
    return n == len || d->pio_to_host;
}

/* Not by recursion: an answer may be cut in many small pieces. */
static void ahci_pio_ready(IdeBus *bus, IdeDevice *d, bool irq)
{
    AhciPort *p = port_of(bus);

    p->pio_due = true;
    if (p->pumping) {
        return;
    }
    p->pumping = true;
    while (p->pio_due) {
        p->pio_due = false;
        send_pio_setup(p, d, d->pio_end - d->pio_pos, ATA_BSY | ATA_DRDY, irq);
        if (move_pio(p, d)) {
            ide_pio_done(d);
        } else {
            ide_abort(d);
        }
    }
    p->pumping = false;
}

static void ahci_dma_ready(IdeBus *bus, IdeDevice *d)
{
    ide_dma_go(d);
}

static void ahci_dma_done(IdeBus *bus, IdeDevice *d, uint64_t bytes, bool ok)
{
    AhciPort *p = port_of(bus);

    p->moved += (uint32_t)bytes;
    p->is |= ok ? 0 : PX_IS_OFS;
}

static void port_run(AhciPort *p);

static void ahci_done(IdeBus *bus, IdeDevice *d, bool irq)
{
    AhciPort *p = port_of(bus);
    uint8_t count[4];

    if (p->slot == AHCI_NO_SLOT) {              /* DEVICE RESET of what was under way: nobody waits */
        set_tfd(p, &d->tf);
        return;
    }
    st32_le(count, p->moved);
    if (!memory_rw(p, p->slots[p->slot].header + 4, count, sizeof(count), true)) {
        guest_error("ahci", "port %u: command header %u is not writable", p->n, p->slot);
    }
    p->ci &= ~(1u << p->slot);
    p->slot = AHCI_NO_SLOT;
    if (!irq && !d->tf.error && p->moved) {     /* the last data of a PIO command tells its end */
        send_pio_setup(p, d, d->pio_end - d->pio_pos, d->tf.status, true);
        set_tfd(p, &d->tf);
        port_raise(p, PX_IS_PSS);
    } else {
        send_d2h(p, &d->tf, irq);
        port_raise(p, irq ? PX_IS_DHRS : 0);
    }
    if (d->tf.status & ATA_ERR) {
        halt(p, PX_IS_TFES);
    }
    port_run(p);
}

static void ahci_queued_done(IdeBus *bus, IdeDevice *d, unsigned tag, bool ok)
{
    AhciPort *p = port_of(bus);
    uint32_t bit = 1u << tag;

    p->queued &= ~bit;
    if (ok) {
        p->sact &= ~bit;
        send_set_bits(p, &d->tf, bit);
        port_raise(p, PX_IS_SDBS);
    } else {
        send_set_bits(p, &d->tf, 0);
        halt(p, PX_IS_SDBS | PX_IS_TFES);
    }
    port_run(p);
}

const IdeTransport ahci_transport = {
    .is_sata = true, .queue_depth = IDE_NCQ_DEPTH, .pio_ready = ahci_pio_ready, .dma_ready = ahci_dma_ready,
    .segment = ahci_segment, .dma_space = ahci_dma_space, .packet = ahci_packet, .dma_done = ahci_dma_done, .done = ahci_done,
    .queued_done = ahci_queued_done,
};

/* --- commands from the host --- */

static void take_registers(IdeTaskFile *tf, const uint8_t *fis)
{
    *tf = (IdeTaskFile){
        .command = fis[2], .feature = { fis[3], fis[11] }, .lba_low = { fis[4], fis[8] }, .lba_mid = { fis[5], fis[9] },
        .lba_high = { fis[6], fis[10] }, .device = fis[7], .count = { fis[12], fis[13] },
    };
}

/* The control register: software reset is held, then let go. */
static void take_control(AhciPort *p, IdeDevice *d, uint8_t control)
{
    bool was = p->srst;

    p->srst = control & SRST;
    if (was && !p->srst) {
        ide_soft_reset(d);
        p->queued = 0;
        send_signature(p);
    }
}

static bool fetch(AhciPort *p, unsigned slot, uint8_t *fis)
{
    AhciSlot *s = &p->slots[slot];
    uint8_t header[HEADER_SIZE];

    s->header = ((hwaddr)p->clbu << 32 | p->clb) + slot * HEADER_SIZE;
    if (!memory_rw(p, s->header, header, sizeof(header), false)) {
        guest_error("ahci", "port %u: no command header %u at 0x%" PRIx64, p->n, slot, s->header);
        return false;
    }
    s->n_segments = ld16_le(header + 2);
    s->table = ld64_le(header + 8) & ~(hwaddr)0x7f;
    if (!memory_rw(p, s->table, fis, FIS_SIZE, false)
        || !memory_rw(p, s->table + TABLE_PACKET, p->packet, sizeof(p->packet), false)) {
        guest_error("ahci", "port %u: no command table of slot %u at 0x%" PRIx64, p->n, slot, s->table);
        return false;
    }
    return true;
}

static bool is_queued_command(uint8_t command)
{
    return command == ATA_READ_FPDMA || command == ATA_WRITE_FPDMA;
}

static void start_queued(AhciPort *p, IdeDevice *d, const uint8_t *fis, unsigned slot)
{
    IdeTaskFile tf;

    take_registers(&tf, fis);
    p->queued |= 1u << slot;
    p->ci &= ~(1u << slot);                     /* the device has it */
    ide_exec_queued(d, &tf, slot);
}

static void start_slot(AhciPort *p, IdeDevice *d, unsigned slot)
{
    uint8_t fis[FIS_SIZE];

    if (!fetch(p, slot, fis)) {
        halt(p, PX_IS_HBFS);
    } else if (fis[0] != FIS_H2D) {
        guest_error("ahci", "port %u: slot %u holds a frame of type 0x%02x", p->n, slot, fis[0]);
        halt(p, PX_IS_IFS);
    } else if (!(fis[1] & FIS_C)) {
        p->ci &= ~(1u << slot);
        take_control(p, d, fis[15]);
    } else if (is_queued_command(fis[2])) {
        start_queued(p, d, fis, slot);
    } else {
        p->slot = (uint8_t)slot;
        p->pio_at = (IdeCursor){ 0 };
        p->moved = 0;
        p->tfd = ATA_BSY | ATA_DRDY;
        take_registers(&d->tf, fis);
        ide_exec(d);
    }
}

/* The next slot that waits, by turns; AHCI_NO_SLOT: none may begin now. */
static unsigned next_slot(const AhciPort *p)
{
    if (!(p->cmd & PX_CMD_ST) || p->halted || p->slot != AHCI_NO_SLOT || !p->ci) {
        return AHCI_NO_SLOT;
    }
    for (unsigned i = 1; ; i++) {
        unsigned slot = (p->last_slot + i) % AHCI_SLOTS;

        if (p->ci >> slot & 1) {
            return slot;
        }
    }
}

/* A command of the other kind waits for the queue to empty. */
static bool has_to_wait(AhciPort *p, unsigned slot)
{
    uint8_t fis[FIS_SIZE];

    return p->queued && fetch(p, slot, fis) && fis[0] == FIS_H2D && (fis[1] & FIS_C) && !is_queued_command(fis[2]);
}

/* Start what can be started.  Commands that end at once come back here: the loop goes on then. */
static void port_run(AhciPort *p)
{
    IdeDevice *d = ahci_port_device(p);
    unsigned slot;

    if (p->running || !d || p->ssts != SSTS_UP) {
        return;
    }
    p->running = true;
    while ((slot = next_slot(p)) != AHCI_NO_SLOT && !has_to_wait(p, slot)) {
        p->last_slot = (uint8_t)slot;
        start_slot(p, d, slot);
    }
    p->running = false;
}

/* --- registers --- */

/* ST is cleared, or the device reset: what was asked for is forgotten. */
static void forget_commands(AhciPort *p)
{
    if (ahci_port_device(p)) {
        ide_cancel(ahci_port_device(p));
    }
    p->ci = p->sact = p->queued = 0;
    p->slot = AHCI_NO_SLOT;
    p->last_slot = AHCI_SLOTS - 1;
    p->halted = p->pio_due = false;
}

/* COMRESET is over: the device, if there is one, comes up. */
static void link_up(AhciPort *p)
{
    IdeDevice *d = ahci_port_device(p);

    p->tfd = 0x7f;
    p->sig = UINT32_MAX;
    p->ssts = 0;
    if (d) {
        ide_soft_reset(d);
        p->ssts = SSTS_UP;
        p->serr |= SERR_EXCHANGED;
        send_signature(p);
        port_raise(p, PX_IS_PCS);
    }
}

static void write_sctl(AhciPort *p, uint32_t v)
{
    uint32_t was = p->sctl & 0xf;

    p->sctl = v & 0xfff;
    if (was != 1 && (v & 0xf) == 1) {
        forget_commands(p);
        p->ssts = 0;
        p->tfd = 0x7f;
    } else if (was == 4 || (v & 0xf) == 4) {    /* offline, and back by the next COMRESET only */
        p->ssts = (v & 0xf) == 4 ? 4 : p->ssts;
    } else if (was == 1 && (v & 0xf) == 0) {
        link_up(p);
    }
}

static void write_cmd(AhciPort *p, uint32_t v)
{
    uint32_t old = p->cmd;

    p->cmd = (v & (PX_CMD_ST | PX_CMD_FRE | PX_CMD_ATAPI)) | PX_CMD_SUD | PX_CMD_POD;
    p->cmd |= (v & PX_CMD_ST ? PX_CMD_CR : 0) | (v & PX_CMD_FRE ? PX_CMD_FR : 0);
    if (v & PX_CMD_CLO) {
        p->tfd &= ~(uint32_t)(ATA_BSY | ATA_DRQ);
    }
    if ((old & PX_CMD_ST) && !(v & PX_CMD_ST)) {
        forget_commands(p);
    }
    if ((v & PX_CMD_FRE) && p->signature_due) {
        send_signature(p);
    }
    port_run(p);
}

uint32_t ahci_port_read(const AhciPort *p, unsigned reg)
{
    switch (reg) {
    case PX_CLB:
        return p->clb;
    case PX_CLBU:
        return p->clbu;
    case PX_FB:
        return p->fb;
    case PX_FBU:
        return p->fbu;
    case PX_IS:
        return p->is;
    case PX_IE:
        return p->ie;
    case PX_CMD:
        return p->cmd | (uint32_t)(p->slot == AHCI_NO_SLOT ? 0 : p->slot) << PX_CMD_CCS_SHIFT;
    case PX_TFD:
        return p->tfd;
    case PX_SIG:
        return p->sig;
    case PX_SSTS:
        return p->ssts;
    case PX_SCTL:
        return p->sctl;
    case PX_SERR:
        return p->serr;
    case PX_SACT:
        return p->sact;
    case PX_CI:
        return p->ci;
    default:
        return 0;
    }
}

void ahci_port_write(AhciPort *p, unsigned reg, uint32_t v)
{
    switch (reg) {
    case PX_CLB:
        p->clb = v & ~0x3ffu;
        break;
    case PX_CLBU:
        p->clbu = v;
        break;
    case PX_FB:
        p->fb = v & ~0xffu;
        break;
    case PX_FBU:
        p->fbu = v;
        break;
    case PX_IS:
        p->is &= ~v;
        ahci_update_irq(p->hba);
        break;
    case PX_IE:
        p->ie = v & PX_IE_MASK;
        ahci_update_irq(p->hba);
        break;
    case PX_CMD:
        write_cmd(p, v);
        break;
    case PX_SCTL:
        write_sctl(p, v);
        break;
    case PX_SERR:
        p->serr &= ~v;
        break;
    case PX_SACT:
        p->sact |= p->cmd & PX_CMD_ST ? v : 0;
        break;
    case PX_CI:
        p->ci |= p->cmd & PX_CMD_ST ? v & ~p->queued : 0;
        port_run(p);
        break;
    }
}

void ahci_port_reset(AhciPort *p)
{
    forget_commands(p);
    p->clb = p->clbu = p->fb = p->fbu = p->is = p->ie = p->sctl = p->serr = 0;
    p->cmd = PX_CMD_SUD | PX_CMD_POD;
    p->srst = p->signature_due = false;
    link_up(p);
    p->is = 0;
}
