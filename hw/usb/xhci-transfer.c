/*
 * xHCI endpoints: transfer descriptors from their rings, control and interrupt transfers, events of them.
 *
 * References: as xhci.h: sections 3.2.9 to 3.2.11, 4.10, 4.11.2, 6.4.1.  USB 2.0, section 9.3 (setup data).
 *
 * A transfer descriptor (TD) is read as a whole before anything is done; one that is not complete yet is read again at the next
 * doorbell.  Data go through one buffer of the controller's.
 */
#include "hw/usb/xhci.h"
#include "util/log.h"

#define TD_TRBS_MAX     64
#define TD_BYTES_MAX    (64 * KiB)      /* of which devices here take at most USB_CONTROL_MAX */
#define BURST           64

typedef struct Td {
    Trb trb[TD_TRBS_MAX];
    unsigned n;
    size_t bytes;                       /* in data and normal TRBs */
    XhciRing after;                     /* the ring behind it */
} Td;

static uint32_t trb_len(const Trb *t)
{
    return t->status & 0x1ffff;
}

static bool carries_data(const Trb *t)
{
    unsigned type = trb_type(t);

    return type == TRB_NORMAL || type == TRB_DATA || type == TRB_ISOCH;
}

/* Is @t the last of its TD?  A control TD ends with the status stage, and an event data TRB chained to that. */
static bool ends_td(const Trb *t, bool control)
{
    if (t->control & TRB_CHAIN) {
        return false;
    }
    return !control || (trb_type(t) != TRB_SETUP && trb_type(t) != TRB_DATA);
}

/* Returns 1: there is one, 0: none or not all of it, -1: it is none that could be done. */
static int read_td(Xhci *x, const XhciEndpoint *ep, Td *td)
{
    XhciRing r = ep->ring;
    bool in_data = false;

    td->n = 0;
    td->bytes = 0;
    for (;;) {
        Trb *t = &td->trb[td->n];

        if (!xhci_next_trb(x, &r, t)) {
            return 0;
        }
        if (++td->n == TD_TRBS_MAX) {
            guest_error("xhci", "a transfer descriptor of more than %u TRBs", TD_TRBS_MAX);
            return -1;
        }
        if (carries_data(t)) {
            td->bytes += trb_len(t);
        }
        in_data = ep->type == EP_TYPE_CONTROL && (trb_type(t) == TRB_DATA || in_data) && trb_type(t) != TRB_STATUS;
        if (ends_td(t, ep->type == EP_TYPE_CONTROL) && !in_data) {
            td->after = r;
            return td->bytes <= TD_BYTES_MAX ? 1 : -1;
        }
    }
}

static void transfer_event(Xhci *x, unsigned slot, unsigned dci, uint64_t param, unsigned code, uint32_t len, uint32_t flags)
{
    xhci_event(x, x->slot[slot].intr, param, (len & 0xffffff) | code << 24,
               EVENT_TRANSFER << TRB_TYPE_SHIFT | slot << 24 | dci << 16 | flags);
}

/* Gather the data of TRBs for the device, or scatter what came from it. */
static bool copy_data(Xhci *x, const Td *td, uint8_t *data, size_t len, bool to_guest)
{
    size_t at = 0;

    for (unsigned i = 0; i < td->n && at < len; i++) {
        const Trb *t = &td->trb[i];
        size_t part = carries_data(t) ? MIN(trb_len(t), len - at) : 0;

        if (!part) {
            continue;
        }
        if (t->control & TRB_IDT && !to_guest) {
            uint8_t immediate[8];

            st64_le(immediate, t->param);
            part = MIN(part, sizeof(immediate));
            memcpy(data + at, immediate, part);
        } else if (!(to_guest ? xhci_write(x, t->param, data + at, part) : xhci_read(x, t->param, data + at, part))) {
            return false;
        }
        at += part;
    }
    return true;
}

/* Events for a TD of which @done bytes of data were transferred, section 4.10.1. */
static void report(Xhci *x, unsigned slot, unsigned dci, const Td *td, size_t done, unsigned code)
{
    size_t left = done;
    uint32_t since = 0;                 /* bytes since the last event data TRB */
    bool told = false, is_short = false;

    for (unsigned i = 0; i < td->n; i++) {
        const Trb *t = &td->trb[i];
        uint32_t part = carries_data(t) ? (uint32_t)MIN(trb_len(t), left) : 0;
        bool short_here = carries_data(t) && part < trb_len(t);
        unsigned cc = code != CC_SUCCESS ? code : is_short || short_here ? CC_SHORT_PACKET : CC_SUCCESS;

        left -= part;
        since += part;
        if (trb_type(t) == TRB_STATUS || trb_type(t) == TRB_SETUP) {
            cc = code;
        }
        if (trb_type(t) == TRB_EVENT_DATA) {
            if (t->control & TRB_IOC) {
                transfer_event(x, slot, dci, t->param, cc, since, TRB_EVENT_HAS_DATA);
            }
            since = 0;
        } else if (t->control & TRB_IOC || (short_here && !is_short && t->control & TRB_ISP)) {
            transfer_event(x, slot, dci, t->at, cc, carries_data(t) ? trb_len(t) - part : 0, 0);
            told = true;
        }
        is_short |= short_here;
        if (code != CC_SUCCESS && (left == 0 || i + 1 == td->n)) {
            if (!told) {                /* errors are told whether or not they were asked for */
                transfer_event(x, slot, dci, t->at, code, carries_data(t) ? trb_len(t) - part : 0, 0);
            }
            return;
        }
    }
}

static UsbResult control_transfer(Xhci *x, UsbDevice *d, const Td *td, size_t *done, bool *ok)
{
    const Trb *first = &td->trb[0];
    UsbSetup s = {
        .type = (uint8_t)first->param, .request = (uint8_t)(first->param >> 8), .value = (uint16_t)(first->param >> 16),
        .index = (uint16_t)(first->param >> 32), .length = (uint16_t)(first->param >> 48),
    };
    size_t len = MIN(MIN(s.length, td->bytes), USB_CONTROL_MAX);
    UsbResult r;

    if (!(s.type & USB_IN)) {
        *ok = copy_data(x, td, x->buffer, len, false);
        *done = len;
        return *ok ? usb_control(d, &s, x->buffer, &len) : USB_STALL;
    }
    r = usb_control(d, &s, x->buffer, &len);
    *done = r == USB_OK ? len : 0;
    *ok = copy_data(x, td, x->buffer, *done, true);
    return r;
}

static UsbResult in_transfer(Xhci *x, UsbDevice *d, unsigned dci, const Td *td, size_t *done, bool *ok)
{
    size_t len = td->bytes;
    UsbResult r = len ? usb_in(d, dci / 2, x->buffer, &len) : USB_OK;       /* a TD of no-ops asks for nothing */

    *done = r == USB_OK ? len : 0;
    *ok = copy_data(x, td, x->buffer, *done, true);
    return r;
}

static void halt(Xhci *x, unsigned slot, unsigned dci)
{
    x->slot[slot].ep[dci].state = EP_HALTED;
    xhci_store_endpoint(x, slot, dci);
}

/* False: the endpoint has nothing (more) to do. */
static bool run_td(Xhci *x, unsigned slot, unsigned dci)
{
    XhciEndpoint *ep = &x->slot[slot].ep[dci];
    UsbDevice *d = xhci_slot_device(x, slot);
    bool control = ep->type == EP_TYPE_CONTROL, ok = true;
    UsbResult r = USB_STALL;
    size_t done = 0;
    unsigned code;
    int found;
    Td td;

    found = read_td(x, ep, &td);
    if (!found) {
        ep->doorbell = false;
        return false;
    }
    if (found < 0 || (control && (trb_type(&td.trb[0]) != TRB_SETUP || !(td.trb[0].control & TRB_IDT)))) {
        transfer_event(x, slot, dci, td.trb[0].at, CC_TRB_ERROR, 0, 0);
        halt(x, slot, dci);
        return false;
    }
    if (!d) {
        code = CC_TRANSACTION_ERROR;
    } else {
        r = control ? control_transfer(x, d, &td, &done, &ok) : in_transfer(x, d, dci, &td, &done, &ok);
        if (r == USB_NAK) {
            return false;               /* the device's wakeup comes back to it */
        }
        code = r == USB_OK ? CC_SUCCESS : CC_STALL;
    }
    if (!ok) {
        return false;                   /* the controller has stopped */
    }
    if (code == CC_SUCCESS) {
        ep->ring = td.after;
    } else {
        halt(x, slot, dci);
    }
    report(x, slot, dci, &td, done, code);
    return code == CC_SUCCESS;
}

bool xhci_run_endpoint(Xhci *x, unsigned slot, unsigned dci)
{
    XhciEndpoint *ep = &x->slot[slot].ep[dci];

    for (unsigned i = 0; i < BURST; i++) {
        if (!xhci_is_running(x) || ep->state != EP_RUNNING || !ep->doorbell || !run_td(x, slot, dci)) {
            return true;
        }
    }
    return false;
}
