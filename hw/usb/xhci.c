/*
 * "qemu-xhci": a USB 3 host controller.
 *
 * Reference: xhci.h.  Doorbells only note that there is work, which a bottom half does in bursts: whatever the guest's rings and
 * buffers point at, registers of this device among them, nothing recurses and nothing runs for ever.
 * IMOD is kept and not used: an interrupt comes at once.
 */
#include "hw/usb/xhci.h"
#include "util/log.h"
#include "util/timer.h"

enum {  /* the BAR */
    CAP_LENGTH = 0x40, PORTS_AT = 0x440, RUNTIME_AT = 0x1000, DOORBELL_AT = 0x2000, MSIX_TABLE_AT = 0x3000, MSIX_PBA_AT = 0x3800,
    REGISTERS_END = 0x3000, BAR_BYTES = 0x4000, EXTENDED_CAPS_AT = 0x20,
};
enum {  /* PORTSC, section 5.4.8 */
    PORTSC_CCS = 1 << 0, PORTSC_PED = 1 << 1, PORTSC_PR = 1 << 4, PORTSC_PLS_SHIFT = 5, PORTSC_PLS = 15 << 5, PORTSC_PP = 1 << 9,
    PORTSC_SPEED_SHIFT = 10, PORTSC_LWS = 1 << 16, PORTSC_CSC = 1 << 17, PORTSC_WRC = 1 << 19, PORTSC_PRC = 1 << 21,
    PORTSC_PLC = 1 << 22, PORTSC_CHANGES = 0x7f << 17, PORTSC_KEPT = 7 << 25 | 3 << 14, PORTSC_WPR = (int)(1u << 31),
};
enum { PLS_U0 = 0, PLS_U3 = 3, PLS_RX_DETECT = 5, PLS_POLLING = 7, PLS_RESUME = 15 };
enum { IMAN_IP = 1, IMAN_IE = 2, ERDP_EHB = 8, INTR_BYTES = 0x20, LINKS_MAX = 32, PCI_DEVICE_ID_QEMU_XHCI = 0x000d };
enum { CRCR_CS = 2, CRCR_CA = 4, CRCR_CRR = 8 };

#define MICROFRAME_NS 125000

OBJECT_DECLARE(Xhci, XHCI, qemu_xhci)

/* --- memory --- */

static void host_error(Xhci *x)
{
    x->usbsts |= USBSTS_HSE | USBSTS_HCH;
    x->usbcmd &= ~USBCMD_RUN;
    x->command_running = false;
}

bool xhci_read(Xhci *x, uint64_t addr, void *buf, size_t len)
{
    if (pci_dma_read(&x->pci, addr, buf, len) == MEMTX_OK) {
        return true;
    }
    guest_error("xhci", "cannot read %zu bytes at 0x%" PRIx64 ": stopped", len, addr);
    host_error(x);
    return false;
}

bool xhci_write(Xhci *x, uint64_t addr, const void *buf, size_t len)
{
    if (pci_dma_write(&x->pci, addr, buf, len) == MEMTX_OK) {
        return true;
    }
    guest_error("xhci", "cannot write %zu bytes at 0x%" PRIx64 ": stopped", len, addr);
    host_error(x);
    return false;
}

bool xhci_next_trb(Xhci *x, XhciRing *r, Trb *t)
{
    uint8_t b[XHCI_TRB_BYTES];

    for (unsigned links = 0; links < LINKS_MAX; links++) {
        if (!xhci_read(x, r->dequeue, b, sizeof(b))) {
            return false;
        }
        *t = (Trb){ ld64_le(b), ld32_le(b + 8), ld32_le(b + 12), r->dequeue };
        if ((t->control & TRB_CYCLE) != r->cycle) {
            return false;
        }
        if (trb_type(t) != TRB_LINK) {
            r->dequeue += XHCI_TRB_BYTES;
            return true;
        }
        r->dequeue = t->param & ~15ull;
        r->cycle ^= (t->control & TRB_TOGGLE) != 0;
    }
    guest_error("xhci", "a ring of nothing but %u links", LINKS_MAX);
    host_error(x);
    return false;
}

/* --- events and interrupts, sections 4.9.4, 4.17 --- */

static void update_intx(Xhci *x)
{
    bool on = x->intr[0].iman & IMAN_IP && x->intr[0].iman & IMAN_IE && x->usbcmd & USBCMD_INTE;

    if (!msix_enabled(&x->pci)) {
        pci_set_irq(&x->pci, on);
    }
}

static void interrupt(Xhci *x, unsigned n)
{
    XhciIntr *in = &x->intr[n];
    bool busy = in->erdp & ERDP_EHB;

    in->erdp |= ERDP_EHB;
    in->iman |= IMAN_IP;
    x->usbsts |= USBSTS_EINT;
    if (busy || !(in->iman & IMAN_IE) || !(x->usbcmd & USBCMD_INTE)) {
        return;
    }
    if (msix_enabled(&x->pci)) {
        in->iman &= ~IMAN_IP;           /* the message clears it */
        msix_notify(&x->pci, n);
    } else {
        update_intx(x);
    }
}

static uint32_t dequeue_index(const XhciIntr *in)
{
    uint64_t off = (in->erdp & ~15ull) - in->segment;

    return off % XHCI_TRB_BYTES || off / XHCI_TRB_BYTES >= in->size ? UINT32_MAX : (uint32_t)(off / XHCI_TRB_BYTES);
}

static void put_event(Xhci *x, XhciIntr *in, uint64_t param, uint32_t status, uint32_t control)
{
    uint8_t b[XHCI_TRB_BYTES];

    st64_le(b, param);
    st32_le(b + 8, status);
    st32_le(b + 12, control | in->cycle);
    xhci_write(x, in->segment + (uint64_t)in->index * XHCI_TRB_BYTES, b, sizeof(b));
    if (++in->index == in->size) {
        in->index = 0;
        in->cycle = !in->cycle;
    }
}

void xhci_event(Xhci *x, unsigned n, uint64_t param, uint32_t status, uint32_t control)
{
    XhciIntr *in = &x->intr[n < x->n_intrs ? n : 0];
    uint32_t dequeue;

    if (!in->segment || !xhci_is_running(x)) {
        return;
    }
    dequeue = dequeue_index(in);
    if (dequeue == UINT32_MAX) {
        guest_error("xhci", "ERDP 0x%" PRIx64 " is not in the event ring", in->erdp);
        x->usbsts |= USBSTS_HCE;
        return;
    }
    if (in->full || (in->index + 1) % in->size == dequeue) {
        guest_error("xhci", "event ring full: an event is lost");
        return;
    }
    if ((in->index + 2) % in->size == dequeue) {        /* the last place tells of it, section 4.9.4 */
        in->full = true;
        put_event(x, in, 0, (uint32_t)CC_RING_FULL << 24, EVENT_HOST << TRB_TYPE_SHIFT);
    } else {
        put_event(x, in, param, status, control);
    }
    interrupt(x, (unsigned)(in - x->intr));
}

/* The guest took events, or set up a ring. */
static void start_event_ring(Xhci *x, XhciIntr *in)
{
    uint8_t entry[16];

    in->segment = in->size = in->index = 0;
    in->cycle = true;
    in->full = false;
    if (!in->erstsz || !xhci_read(x, in->erstba, entry, sizeof(entry))) {
        return;
    }
    in->size = ld32_le(entry + 8) & 0xffff;
    if (in->size < 16 || in->size > 4096) {
        guest_error("xhci", "an event ring of %u TRBs: 16 to 4096 are possible", in->size);
        x->usbsts |= USBSTS_HCE;
        return;
    }
    in->segment = ld64_le(entry) & ~63ull;
}

static void write_erdp_low(Xhci *x, unsigned n, uint32_t v)
{
    XhciIntr *in = &x->intr[n];
    uint64_t busy = v & ERDP_EHB ? 0 : in->erdp & ERDP_EHB;

    in->erdp = (in->erdp & ~0xffffffffull) | (v & ~15u) | busy;
    in->full = false;
    if (v & ERDP_EHB && in->segment && dequeue_index(in) != in->index) {
        interrupt(x, n);                /* there are more */
    }
}

/* --- ports --- */

static unsigned first_usb2(const Xhci *x)
{
    return x->p3;
}

static void port_changed(Xhci *x, unsigned n, uint32_t bits)
{
    XhciPort *p = &x->port[n];

    if ((p->portsc & bits) == bits) {
        return;
    }
    p->portsc |= bits;
    x->usbsts |= USBSTS_PCD;
    xhci_event(x, 0, (uint64_t)(n + 1) << 24, (uint32_t)CC_SUCCESS << 24, EVENT_PORT << TRB_TYPE_SHIFT);
}

static void set_link_state(XhciPort *p, unsigned pls)
{
    p->portsc = (p->portsc & ~PORTSC_PLS) | pls << PORTSC_PLS_SHIFT;
}

/* As the cable is: after power-on, attach, detach. */
static void settle_port(Xhci *x, unsigned n)
{
    XhciPort *p = &x->port[n];

    p->portsc = PORTSC_PP | (p->portsc & PORTSC_CHANGES);
    if (!p->dev) {
        set_link_state(p, PLS_RX_DETECT);
        return;
    }
    p->portsc |= PORTSC_CCS | usb_speed(p->dev) << PORTSC_SPEED_SHIFT;
    if (n < first_usb2(x)) {
        p->portsc |= PORTSC_PED;
        set_link_state(p, PLS_U0);
    } else {
        set_link_state(p, PLS_POLLING);
    }
}

static unsigned port_of_device(const Xhci *x, const UsbDevice *d)
{
    return (usb_speed(d) == USB_SPEED_SUPER ? 0 : first_usb2(x)) + d->port - 1;
}

static void attached(UsbBus *bus, UsbDevice *d)
{
    Xhci *x = bus->controller;
    unsigned n = port_of_device(x, d);

    x->port[n].dev = d;
    settle_port(x, n);
    port_changed(x, n, PORTSC_CSC);
}

static void detached(UsbBus *bus, UsbDevice *d)
{
    Xhci *x = bus->controller;
    unsigned n = port_of_device(x, d);

    x->port[n].dev = NULL;
    settle_port(x, n);
    port_changed(x, n, PORTSC_CSC);
    bh_schedule(x->bh);                 /* transfers that wait for it end */
}

static void wakeup(UsbBus *bus, UsbDevice *d, unsigned ep)
{
    Xhci *x = bus->controller;
    unsigned n = port_of_device(x, d);

    if ((x->port[n].portsc & PORTSC_PLS) >> PORTSC_PLS_SHIFT == PLS_U3 && d->remote_wakeup) {
        set_link_state(&x->port[n], PLS_RESUME);
        port_changed(x, n, PORTSC_PLC);
    }
    bh_schedule(x->bh);
}

static const UsbBusOps bus_ops = { .attached = attached, .detached = detached, .wakeup = wakeup };

static void reset_port(Xhci *x, unsigned n, bool warm)
{
    XhciPort *p = &x->port[n];

    if (!p->dev) {
        return;
    }
    usb_reset(p->dev);
    p->portsc |= PORTSC_PED;
    set_link_state(p, PLS_U0);
    port_changed(x, n, warm ? PORTSC_PRC | PORTSC_WRC : PORTSC_PRC);
}

static void write_portsc(Xhci *x, unsigned n, uint32_t v)
{
    XhciPort *p = &x->port[n];
    unsigned pls = (v & PORTSC_PLS) >> PORTSC_PLS_SHIFT, old = (p->portsc & PORTSC_PLS) >> PORTSC_PLS_SHIFT;

    p->portsc &= ~(v & PORTSC_CHANGES);
    if (v & PORTSC_PED) {
        p->portsc &= ~PORTSC_PED;       /* a 1 disables */
    }
    p->portsc = (p->portsc & ~PORTSC_KEPT) | (v & PORTSC_KEPT);
    if (v & PORTSC_LWS && p->dev && p->portsc & PORTSC_PED && (pls <= PLS_U3 || pls == PLS_RESUME)) {
        set_link_state(p, pls);
        if (pls == PLS_U0 && (old == PLS_U3 || old == PLS_RESUME)) {
            port_changed(x, n, PORTSC_PLC);
        }
    }
    if (v & PORTSC_PR) {
        reset_port(x, n, false);
    } else if (v & (uint32_t)PORTSC_WPR && n < first_usb2(x)) {
        reset_port(x, n, true);
    }
}

/* --- work --- */

static void do_work(void *opaque)
{
    Xhci *x = opaque;
    bool done = xhci_run_commands(x);

    for (unsigned slot = 1; slot <= x->n_slots; slot++) {
        for (unsigned dci = 1; x->slot[slot].enabled && dci <= XHCI_ENDPOINTS; dci++) {
            if (x->slot[slot].ep[dci].doorbell) {
                done &= xhci_run_endpoint(x, slot, dci);
            }
        }
    }
    if (!done) {
        bh_schedule(x->bh);
    }
}

static void ring_doorbell(Xhci *x, unsigned slot, uint32_t v)
{
    unsigned dci = v & 0xff;

    if (!xhci_is_running(x)) {
        return;
    }
    if (slot == 0) {
        x->command_running = true;
        x->command_doorbell = true;
    } else if (slot > x->n_slots || !x->slot[slot].enabled || dci < 1 || dci > XHCI_ENDPOINTS
               || x->slot[slot].ep[dci].state == EP_DISABLED) {
        guest_error("xhci", "doorbell of slot %u, endpoint %u, which is not there", slot, dci);
        return;
    } else {
        XhciEndpoint *ep = &x->slot[slot].ep[dci];

        ep->doorbell = ep->state != EP_HALTED;
        if (ep->state == EP_STOPPED) {
            ep->state = EP_RUNNING;
            xhci_store_endpoint(x, slot, dci);
        }
    }
    bh_schedule(x->bh);
}

/* --- reset, run --- */

static void controller_reset(Xhci *x)
{
    bh_cancel(x->bh);
    x->usbcmd = x->dnctrl = x->config = 0;
    x->usbsts = USBSTS_HCH;
    x->crcr = x->dcbaap = 0;
    x->command = (XhciRing){ 0 };
    x->command_running = x->command_doorbell = false;
    memset(x->slot, 0, sizeof(x->slot));
    memset(x->intr, 0, sizeof(x->intr));
    for (unsigned n = 0; n < xhci_n_ports(x); n++) {
        if (x->port[n].dev) {
            usb_reset(x->port[n].dev);
        }
        x->port[n].portsc = x->port[n].dev ? PORTSC_CSC : 0;
        settle_port(x, n);
    }
    update_intx(x);
}

static void write_usbcmd(Xhci *x, uint32_t v)
{
    bool run = v & USBCMD_RUN;

    if (v & USBCMD_HCRST) {
        controller_reset(x);
        return;
    }
    if (v & USBCMD_CRS) {
        x->usbsts |= USBSTS_SRE;        /* nothing was saved: the driver begins anew */
    }
    x->usbcmd = v & (USBCMD_RUN | USBCMD_INTE | USBCMD_HSEE);     /* EWE reads 0: MFINDEX wraps without an event */
    if (run && x->usbsts & USBSTS_HCH && !(x->usbsts & USBSTS_HSE)) {
        x->usbsts &= ~USBSTS_HCH;
        x->mfindex_start = clock_get_ns(CLOCK_TYPE_VIRTUAL);
        bh_schedule(x->bh);
    } else if (!run) {
        x->usbsts |= USBSTS_HCH;
        x->command_running = false;
    }
    update_intx(x);
}

static void write_crcr_low(Xhci *x, uint32_t v)
{
    if (x->command_running) {
        if (v & (CRCR_CS | CRCR_CA)) {
            x->command_running = false;
            xhci_event(x, 0, x->command.dequeue, (uint32_t)CC_COMMAND_RING_STOPPED << 24, EVENT_COMMAND << TRB_TYPE_SHIFT);
        }
        return;
    }
    x->crcr = (x->crcr & ~0xffffffffull) | (v & ~63u);
    x->command = (XhciRing){ x->crcr, v & 1 };
}

static void write_crcr_high(Xhci *x, uint32_t v)
{
    if (!x->command_running) {
        x->crcr = (uint32_t)x->crcr | (uint64_t)v << 32;
        x->command.dequeue = x->crcr;
    }
}

/* --- registers --- */

static uint32_t capability_read(const Xhci *x, unsigned addr)
{
    switch (addr) {
    case 0x00:
        return 0x0100u << 16 | CAP_LENGTH;
    case 0x04:                          /* HCSPARAMS1 */
        return xhci_n_ports(x) << 24 | x->n_intrs << 8 | x->n_slots;
    case 0x08:
        return 0x0000000f;              /* IST: one frame and seven; one segment in an event ring */
    case 0x10:                          /* HCCPARAMS1: 64-bit addresses */
        return EXTENDED_CAPS_AT / 4 << 16 | 1;
    case 0x14:
        return DOORBELL_AT;
    case 0x18:
        return RUNTIME_AT;
    case 0x20:                          /* Supported Protocol, section 7.2: USB 2 */
        return 0x02000000 | 4 << 8 | 2;
    case 0x28:
        return x->p2 << 8 | (first_usb2(x) + 1);
    case 0x30:
        return 0x03000000 | 2;
    case 0x38:
        return x->p3 << 8 | 1;
    case 0x24:
    case 0x34:
        return 0x20425355;              /* "USB " */
    default:
        return 0;
    }
}

static uint32_t operational_read(const Xhci *x, unsigned addr)
{
    switch (addr) {
    case 0x00:
        return x->usbcmd;
    case 0x04:
        return x->usbsts;
    case 0x08:
        return 1;                       /* pages of 4 KiB */
    case 0x14:
        return x->dnctrl;
    case 0x18:
        return x->command_running ? CRCR_CRR : 0;       /* the pointer reads as zero */
    case 0x30:
        return (uint32_t)x->dcbaap;
    case 0x34:
        return (uint32_t)(x->dcbaap >> 32);
    case 0x38:
        return x->config;
    default:
        return 0;
    }
}

static void operational_write(Xhci *x, unsigned addr, uint32_t v)
{
    switch (addr) {
    case 0x00:
        write_usbcmd(x, v);
        break;
    case 0x04:
        x->usbsts &= ~(v & (USBSTS_HSE | USBSTS_EINT | USBSTS_PCD | USBSTS_SRE));
        break;
    case 0x14:
        x->dnctrl = v & 0xffff;
        break;
    case 0x18:
        write_crcr_low(x, v);
        break;
    case 0x1c:
        write_crcr_high(x, v);
        break;
    case 0x30:
        x->dcbaap = (x->dcbaap & ~0xffffffffull) | (v & ~63u);
        break;
    case 0x34:
        x->dcbaap = (uint32_t)x->dcbaap | (uint64_t)v << 32;
        break;
    case 0x38:
        x->config = v & 0xff;
        break;
    default:
        guest_unimp("xhci", "write of 0x%x to operational register 0x%x", v, addr);
        break;
    }
}

static uint32_t runtime_read(const Xhci *x, unsigned addr)
{
    const XhciIntr *in = &x->intr[(addr - 0x20) / INTR_BYTES % XHCI_MAX_INTRS];

    if (addr < 0x20) {
        int64_t ns = clock_get_ns(CLOCK_TYPE_VIRTUAL) - x->mfindex_start;

        return addr == 0 && xhci_is_running(x) ? ns / MICROFRAME_NS & 0x3fff : 0;
    }
    switch (addr % INTR_BYTES) {
    case 0x00:
        return in->iman;
    case 0x04:
        return in->imod;
    case 0x08:
        return in->erstsz;
    case 0x10:
        return (uint32_t)in->erstba;
    case 0x14:
        return (uint32_t)(in->erstba >> 32);
    case 0x18:
        return (uint32_t)in->erdp;
    case 0x1c:
        return (uint32_t)(in->erdp >> 32);
    default:
        return 0;
    }
}

static void runtime_write(Xhci *x, unsigned addr, uint32_t v)
{
    unsigned n = (addr - 0x20) / INTR_BYTES % XHCI_MAX_INTRS;
    XhciIntr *in = &x->intr[n];

    if (addr < 0x20) {
        return;
    }
    switch (addr % INTR_BYTES) {
    case 0x00:
        in->iman = (in->iman & ~(v & IMAN_IP) & IMAN_IP) | (v & IMAN_IE);
        update_intx(x);
        break;
    case 0x04:
        in->imod = v;
        break;
    case 0x08:
        in->erstsz = v & 0xffff;
        break;
    case 0x10:
        in->erstba = (in->erstba & ~0xffffffffull) | (v & ~63u);
        break;
    case 0x14:
        in->erstba = (uint32_t)in->erstba | (uint64_t)v << 32;
        start_event_ring(x, in);
        break;
    case 0x18:
        write_erdp_low(x, n, v);
        break;
    case 0x1c:
        in->erdp = (uint32_t)in->erdp | (uint64_t)v << 32;
        break;
    }
}

static uint64_t mmio_read(void *opaque, hwaddr addr, unsigned size)
{
    Xhci *x = opaque;

    if (addr < CAP_LENGTH) {
        return capability_read(x, (unsigned)addr);
    }
    if (addr >= PORTS_AT && addr < PORTS_AT + 16 * xhci_n_ports(x)) {
        return addr % 16 ? 0 : x->port[(addr - PORTS_AT) / 16].portsc;
    }
    if (addr < PORTS_AT) {
        return operational_read(x, (unsigned)addr - CAP_LENGTH);
    }
    return addr >= RUNTIME_AT && addr < RUNTIME_AT + 0x20 + INTR_BYTES * x->n_intrs ? runtime_read(x, (unsigned)addr - RUNTIME_AT) : 0;
}

static void mmio_write(void *opaque, hwaddr addr, uint64_t v, unsigned size)
{
    Xhci *x = opaque;

    if (addr >= DOORBELL_AT) {
        ring_doorbell(x, (unsigned)(addr - DOORBELL_AT) / 4, (uint32_t)v);
    } else if (addr >= RUNTIME_AT && addr < RUNTIME_AT + 0x20 + INTR_BYTES * x->n_intrs) {
        runtime_write(x, (unsigned)addr - RUNTIME_AT, (uint32_t)v);
    } else if (addr >= PORTS_AT && addr < PORTS_AT + 16 * xhci_n_ports(x)) {
        if (addr % 16 == 0) {
            write_portsc(x, (unsigned)(addr - PORTS_AT) / 16, (uint32_t)v);
        }
    } else if (addr >= CAP_LENGTH && addr < PORTS_AT) {
        operational_write(x, (unsigned)addr - CAP_LENGTH, (uint32_t)v);
    } else {
        guest_unimp("xhci", "write of 0x%" PRIx64 " to register 0x%" PRIx64, v, addr);
    }
}

static const MemoryRegionOps mmio_ops = { .read = mmio_read, .write = mmio_write, .valid = { 1, 8 }, .impl = { 4, 4 } };

/* --- life --- */

static bool xhci_realize(Device *dev, Error **errp)
{
    Xhci *x = XHCI(dev);
    PCIDevice *d = &x->pci;

    if (xhci_n_ports(x) > XHCI_MAX_PORTS) {
        error_setg(errp, "qemu-xhci: p2 %u and p3 %u are %u ports: at most %u are possible", x->p2, x->p3, xhci_n_ports(x),
                   XHCI_MAX_PORTS);
        return false;
    }
    memory_region_init_io(&x->mmio, x, &mmio_ops, x, "xhci", BAR_BYTES);
    pci_config_set_interrupt_pin(d, 1);
    if (pci_bus_is_express(pci_get_bus(d)) && !pci_bus_is_root(pci_get_bus(d))
        && !pcie_cap_init(d, 0, PCI_EXP_TYPE_ENDPOINT, 0, errp)) {
        return false;
    }
    if (!msix_init(d, x->n_intrs, &x->mmio, 0, MSIX_TABLE_AT, &x->mmio, 0, MSIX_PBA_AT, 0, errp)) {
        return false;
    }
    pci_register_bar(d, 0, PCI_BASE_ADDRESS_SPACE_MEMORY | PCI_BASE_ADDRESS_MEM_TYPE_64, &x->mmio);
    pci_set_byte(d->config + 0x60, 0x30);       /* release number: USB 3.0 */
    x->buffer = g_malloc(64 * KiB);
    x->bh = bh_new(do_work, x);
    memset(x->port, 0, sizeof(x->port));
    usb_bus_init(&x->bus, dev, &bus_ops, x, x->p2);
    return true;
}

static void xhci_unrealize(Device *dev)
{
    Xhci *x = XHCI(dev);

    object_unparent(&x->bus);
    bh_free(x->bh);
    msix_uninit(&x->pci);
    g_clear_pointer(&x->buffer, g_free);
}

static void xhci_fini(Object *obj)
{
    memory_region_fini(&XHCI(obj)->mmio);
}

static void xhci_reset_hold(Device *dev, ResetType type)
{
    controller_reset(XHCI(dev));
}

static const Property xhci_properties[] = {
    PROP_UINT32("p2", Xhci, p2, 4, .min = 1, .max = 15, .help = "USB 2 ports"),
    PROP_UINT32("p3", Xhci, p3, 4, .min = 1, .max = 15, .help = "USB 3 ports"),
    PROP_UINT32("intrs", Xhci, n_intrs, XHCI_MAX_INTRS, .min = 1, .max = XHCI_MAX_INTRS, .help = "interrupters"),
    PROP_UINT32("slots", Xhci, n_slots, XHCI_MAX_SLOTS, .min = 1, .max = XHCI_MAX_SLOTS, .help = "devices at once"),
    PROP_FIXED_TEXT(on_off_auto, "msi", "auto", .help = "MSI-X is used instead"),
    PROP_FIXED_TEXT(on_off_auto, "msix", "auto", .help = "MSI-X"),
};

static bool xhci_post_load(void *opaque, unsigned version, Error **errp)
{
    Xhci *x = opaque;

    for (unsigned i = 1; i <= XHCI_MAX_SLOTS; i++) {
        if (x->slot[i].port > xhci_n_ports(x)) {
            error_setg(errp, "xhci: slot %u is at port %u of %u", i, x->slot[i].port, xhci_n_ports(x));
            return false;
        }
    }
    for (unsigned i = 0; i < XHCI_MAX_INTRS; i++) {
        const XhciIntr *in = &x->intr[i];

        if (in->segment && (in->size < 16 || in->size > 4096 || in->index >= in->size)) {
            error_setg(errp, "xhci: event ring %u: entry %u of %u", i, in->index, in->size);
            return false;
        }
    }
    bh_schedule(x->bh);
    return true;
}

static const VMField ep_fields[] = {
    VMS_U8(XhciEndpoint, state), VMS_U8(XhciEndpoint, type), VMS_BOOL(XhciEndpoint, doorbell),
    VMS_U64(XhciEndpoint, ring.dequeue), VMS_BOOL(XhciEndpoint, ring.cycle), VMS_END
};
static const VMState vmstate_ep = { .name = "xhci/endpoint", .version = 1, .minimum_version = 1, .fields = ep_fields };

static const VMField slot_fields[] = {
    VMS_BOOL(XhciSlot, enabled), VMS_BOOL(XhciSlot, addressed), VMS_U8(XhciSlot, port), VMS_U16(XhciSlot, intr),
    VMS_U64(XhciSlot, context), VMS_STRUCT_ARRAY(XhciSlot, ep, &vmstate_ep), VMS_END
};
static const VMState vmstate_slot = { .name = "xhci/slot", .version = 1, .minimum_version = 1, .fields = slot_fields };

static const VMField intr_fields[] = {
    VMS_U32(XhciIntr, iman), VMS_U32(XhciIntr, imod), VMS_U32(XhciIntr, erstsz), VMS_U64(XhciIntr, erstba),
    VMS_U64(XhciIntr, erdp), VMS_U64(XhciIntr, segment), VMS_U32(XhciIntr, size), VMS_U32(XhciIntr, index),
    VMS_BOOL(XhciIntr, cycle), VMS_BOOL(XhciIntr, full), VMS_END
};
static const VMState vmstate_intr = { .name = "xhci/interrupter", .version = 1, .minimum_version = 1, .fields = intr_fields };

static const VMField port_fields[] = { VMS_U32(XhciPort, portsc), VMS_END };
static const VMState vmstate_port = { .name = "xhci/port", .version = 1, .minimum_version = 1, .fields = port_fields };

static const VMState vmstate_xhci = {
    .name = "xhci", .version = 1, .minimum_version = 1, .post_load = xhci_post_load,
    .fields = (const VMField[]){
        VMS_U32(Xhci, usbcmd), VMS_U32(Xhci, usbsts), VMS_U32(Xhci, dnctrl), VMS_U32(Xhci, config), VMS_U64(Xhci, crcr),
        VMS_U64(Xhci, dcbaap), VMS_U64(Xhci, command.dequeue), VMS_BOOL(Xhci, command.cycle), VMS_BOOL(Xhci, command_running),
        VMS_BOOL(Xhci, command_doorbell), VMS_I64(Xhci, mfindex_start), VMS_STRUCT_ARRAY(Xhci, port, &vmstate_port),
        VMS_STRUCT_ARRAY(Xhci, slot, &vmstate_slot), VMS_STRUCT_ARRAY(Xhci, intr, &vmstate_intr), VMS_END,
    },
};

PCI_DEVICE_DEFINE(Xhci, qemu_xhci, "qemu-xhci", pci_device,
    .desc       = "USB 3 host controller",
    .category   = DEVICE_CATEGORY_USB,
    .vendor_id  = PCI_VENDOR_ID_REDHAT,
    .device_id  = PCI_DEVICE_ID_QEMU_XHCI,
    .class_id   = PCI_CLASS_SERIAL_USB,
    .prog_if    = 0x30,
    .revision   = 1,
    .is_express = true,
    .properties = PROPS(xhci_properties),
    .realize    = xhci_realize,
    .unrealize  = xhci_unrealize,
    .fini       = xhci_fini,
    .reset_hold = xhci_reset_hold,
    .vmstate    = &vmstate_xhci,
)
