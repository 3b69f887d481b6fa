/*
 * xHCI commands: slots, contexts, endpoints' states.
 *
 * References: as xhci.h: sections 4.6 (commands), 6.2 (contexts).
 *
 * Device contexts lie in guest memory; what the controller goes by is its own copy of what they said when a command told it to
 * look.
 */
#include "hw/usb/xhci.h"
#include "util/log.h"

#define BURST 64

enum { SLOT_CTX = 0, SLOT_STATE_DWORD = 3, CTX_DWORDS = XHCI_CONTEXT_BYTES / 4 };

typedef uint32_t Context[CTX_DWORDS];

static bool load_context(Xhci *x, uint64_t addr, Context c)
{
    if (!xhci_read(x, addr, c, XHCI_CONTEXT_BYTES)) {
        return false;
    }
    for (unsigned i = 0; i < CTX_DWORDS; i++) {
        c[i] = GUINT32_FROM_LE(c[i]);
    }
    return true;
}

static bool store_context(Xhci *x, uint64_t addr, const Context c)
{
    Context le;

    for (unsigned i = 0; i < CTX_DWORDS; i++) {
        le[i] = GUINT32_TO_LE(c[i]);
    }
    return xhci_write(x, addr, le, XHCI_CONTEXT_BYTES);
}

static uint64_t context_of(const XhciSlot *s, unsigned dci)
{
    return s->context + dci * XHCI_CONTEXT_BYTES;
}

UsbDevice *xhci_slot_device(const Xhci *x, unsigned slot)
{
    const XhciSlot *s = &x->slot[slot];

    return s->port ? x->port[s->port - 1].dev : NULL;
}

/* --- endpoints --- */

void xhci_store_endpoint(Xhci *x, unsigned slot, unsigned dci)
{
    const XhciSlot *s = &x->slot[slot];
    const XhciEndpoint *ep = &s->ep[dci];
    Context c;

    if (!load_context(x, context_of(s, dci), c)) {
        return;
    }
    c[0] = (c[0] & ~7u) | ep->state;
    c[2] = (uint32_t)ep->ring.dequeue | ep->ring.cycle;
    c[3] = (uint32_t)(ep->ring.dequeue >> 32);
    store_context(x, context_of(s, dci), c);
}

/* Take an endpoint as its input context says; false if that makes no sense. */
static bool take_endpoint(XhciEndpoint *ep, unsigned dci, const Context c)
{
    unsigned type = c[1] >> 3 & 7;

    if (dci == 1 ? type != EP_TYPE_CONTROL : type == 0 || type == EP_TYPE_CONTROL || (type >= 4) != (dci & 1)) {
        return false;
    }
    *ep = (XhciEndpoint){
        .state = EP_RUNNING, .type = (uint8_t)type,
        .ring = { (c[2] & ~15u) | (uint64_t)c[3] << 32, c[2] & 1 },
    };
    return true;
}

static unsigned reset_endpoint(Xhci *x, unsigned slot, unsigned dci)
{
    XhciEndpoint *ep = &x->slot[slot].ep[dci];
    UsbDevice *d = xhci_slot_device(x, slot);

    if (ep->state != EP_HALTED) {
        return CC_CONTEXT_STATE_ERROR;
    }
    ep->state = EP_STOPPED;
    ep->doorbell = false;
    if (d && dci > 1 && dci & 1) {
        d->halted_in &= ~(1 << dci / 2);
    }
    xhci_store_endpoint(x, slot, dci);
    return CC_SUCCESS;
}

static unsigned stop_endpoint(Xhci *x, unsigned slot, unsigned dci)
{
    XhciEndpoint *ep = &x->slot[slot].ep[dci];

    if (ep->state != EP_RUNNING) {
        return CC_CONTEXT_STATE_ERROR;
    }
    ep->state = EP_STOPPED;             /* nothing is ever half done */
    xhci_store_endpoint(x, slot, dci);
    return CC_SUCCESS;
}

static unsigned set_dequeue(Xhci *x, unsigned slot, unsigned dci, const Trb *t)
{
    XhciEndpoint *ep = &x->slot[slot].ep[dci];

    if (ep->state != EP_STOPPED) {
        return CC_CONTEXT_STATE_ERROR;
    }
    ep->ring = (XhciRing){ t->param & ~15ull, t->param & 1 };
    ep->doorbell = false;
    xhci_store_endpoint(x, slot, dci);
    return CC_SUCCESS;
}

static unsigned endpoint_command(Xhci *x, unsigned slot, const Trb *t)
{
    unsigned dci = t->control >> 16 & 31;

    if (dci < 1 || dci > XHCI_ENDPOINTS) {
        return CC_TRB_ERROR;
    }
    if (x->slot[slot].ep[dci].state == EP_DISABLED) {
        return CC_ENDPOINT_NOT_ENABLED;
    }
    switch (trb_type(t)) {
    case CMD_RESET_ENDPOINT:
        return reset_endpoint(x, slot, dci);
    case CMD_STOP_ENDPOINT:
        return stop_endpoint(x, slot, dci);
    default:
        return set_dequeue(x, slot, dci, t);
    }
}

/* --- slots --- */

static unsigned enable_slot(Xhci *x, unsigned *slot)
{
    unsigned max = MIN(x->config & 0xff, x->n_slots);

    for (unsigned i = 1; i <= max; i++) {
        if (!x->slot[i].enabled) {
            x->slot[i] = (XhciSlot){ .enabled = true };
            *slot = i;
            return CC_SUCCESS;
        }
    }
    return CC_NO_SLOTS;
}

void xhci_disable_slot(Xhci *x, unsigned slot)
{
    x->slot[slot] = (XhciSlot){ 0 };
}

static void set_slot_state(Context c, unsigned state, unsigned address)
{
    c[SLOT_STATE_DWORD] = state << 27 | address;
}

/* The root port that a slot context names; 0: none, or behind a hub. */
static unsigned port_of(const Xhci *x, const Context c)
{
    unsigned port = c[1] >> 16 & 0xff;

    return port <= xhci_n_ports(x) && !(c[0] & 0xfffff) ? port : 0;
}

static bool port_is_taken(const Xhci *x, unsigned port, unsigned by_other_than)
{
    for (unsigned i = 1; i <= x->n_slots; i++) {
        if (i != by_other_than && x->slot[i].enabled && x->slot[i].port == port) {
            return true;
        }
    }
    return false;
}

static unsigned address_device(Xhci *x, unsigned slot, const Trb *t)
{
    XhciSlot *s = &x->slot[slot];
    uint64_t input = t->param & ~15ull, context;
    Context control, slot_ctx, ep0;
    unsigned port;
    UsbDevice *d;

    if (!load_context(x, input, control) || !load_context(x, input + XHCI_CONTEXT_BYTES, slot_ctx)
        || !load_context(x, input + 2 * XHCI_CONTEXT_BYTES, ep0) || !xhci_read(x, x->dcbaap + 8 * slot, &context, 8)) {
        return CC_TRB_ERROR;
    }
    if (control[0] != 0 || control[1] != 3) {
        return CC_TRB_ERROR;
    }
    port = port_of(x, slot_ctx);
    d = port ? x->port[port - 1].dev : NULL;
    if (!d || port_is_taken(x, port, slot)) {
        return d ? CC_TRB_ERROR : CC_TRANSACTION_ERROR;
    }
    if (!take_endpoint(&s->ep[1], 1, ep0)) {
        return CC_PARAMETER_ERROR;
    }
    for (unsigned i = 2; i <= XHCI_ENDPOINTS; i++) {
        s->ep[i] = (XhciEndpoint){ 0 };
    }
    s->port = (uint8_t)port;
    s->context = GUINT64_FROM_LE(context) & ~63ull;
    s->intr = slot_ctx[2] >> 22;
    s->addressed = true;
    usb_reset(d);
    if (t->control & CMD_BSR) {
        set_slot_state(slot_ctx, SLOT_DEFAULT, 0);
    } else {
        d->address = (uint8_t)slot;
        set_slot_state(slot_ctx, SLOT_ADDRESSED, slot);
    }
    slot_ctx[0] = (slot_ctx[0] & ~(0x1fu << 27)) | 1u << 27;
    ep0[0] = (ep0[0] & ~7u) | EP_RUNNING;
    return store_context(x, context_of(s, SLOT_CTX), slot_ctx) && store_context(x, context_of(s, 1), ep0) ? CC_SUCCESS : CC_TRB_ERROR;
}

/* Add and drop endpoints as the flags say, section 4.6.6. */
static unsigned change_endpoints(Xhci *x, XhciSlot *s, uint64_t input, uint32_t drop, uint32_t add)
{
    for (unsigned dci = 2; dci <= XHCI_ENDPOINTS; dci++) {
        Context c;

        if (drop >> dci & 1) {
            s->ep[dci] = (XhciEndpoint){ 0 };
            if (!load_context(x, context_of(s, dci), c)) {
                return CC_TRB_ERROR;
            }
            c[0] &= ~7u;
            store_context(x, context_of(s, dci), c);
        }
        if (add >> dci & 1) {
            if (!load_context(x, input + (1 + dci) * XHCI_CONTEXT_BYTES, c)) {
                return CC_TRB_ERROR;
            }
            if (!take_endpoint(&s->ep[dci], dci, c)) {
                return CC_PARAMETER_ERROR;
            }
            c[0] = (c[0] & ~7u) | EP_RUNNING;
            store_context(x, context_of(s, dci), c);
        }
    }
    return CC_SUCCESS;
}

static unsigned last_endpoint(const XhciSlot *s)
{
    unsigned last = 1;

    for (unsigned i = 2; i <= XHCI_ENDPOINTS; i++) {
        last = s->ep[i].state != EP_DISABLED ? i : last;
    }
    return last;
}

static unsigned configure_endpoint(Xhci *x, unsigned slot, const Trb *t)
{
    XhciSlot *s = &x->slot[slot];
    uint64_t input = t->param & ~15ull;
    Context control = { ~3u, 1 }, slot_ctx;
    unsigned code;

    if (!s->addressed) {
        return CC_CONTEXT_STATE_ERROR;
    }
    if (!(t->control & CMD_DECONFIGURE) && !load_context(x, input, control)) {
        return CC_TRB_ERROR;
    }
    if (control[0] & 3 || (control[1] & 3) != 1) {
        return CC_TRB_ERROR;
    }
    code = change_endpoints(x, s, input, control[0], control[1]);
    if (code != CC_SUCCESS || !load_context(x, context_of(s, SLOT_CTX), slot_ctx)) {
        return code != CC_SUCCESS ? code : CC_TRB_ERROR;
    }
    set_slot_state(slot_ctx, t->control & CMD_DECONFIGURE ? SLOT_ADDRESSED : SLOT_CONFIGURED, slot_ctx[SLOT_STATE_DWORD] & 0xff);
    slot_ctx[0] = (slot_ctx[0] & ~(0x1fu << 27)) | last_endpoint(s) << 27;
    return store_context(x, context_of(s, SLOT_CTX), slot_ctx) ? CC_SUCCESS : CC_TRB_ERROR;
}

/* The interrupter and exit latency of the slot, the packet size of endpoint 0: section 4.6.7. */
static unsigned evaluate_context(Xhci *x, unsigned slot, const Trb *t)
{
    XhciSlot *s = &x->slot[slot];
    uint64_t input = t->param & ~15ull;
    Context control, in, out;

    if (!s->addressed) {
        return CC_CONTEXT_STATE_ERROR;
    }
    if (!load_context(x, input, control) || control[0] || control[1] & ~3u) {
        return CC_TRB_ERROR;
    }
    if (control[1] & 1) {
        if (!load_context(x, input + XHCI_CONTEXT_BYTES, in) || !load_context(x, context_of(s, SLOT_CTX), out)) {
            return CC_TRB_ERROR;
        }
        out[1] = (out[1] & ~0xffffu) | (in[1] & 0xffff);
        out[2] = (out[2] & 0x3fffff) | (in[2] & ~0x3fffffu);
        s->intr = out[2] >> 22;
        store_context(x, context_of(s, SLOT_CTX), out);
    }
    if (control[1] & 2) {
        if (!load_context(x, input + 2 * XHCI_CONTEXT_BYTES, in) || !load_context(x, context_of(s, 1), out)) {
            return CC_TRB_ERROR;
        }
        out[1] = (out[1] & 0xffff) | (in[1] & ~0xffffu);
        store_context(x, context_of(s, 1), out);
    }
    return CC_SUCCESS;
}

static unsigned reset_device(Xhci *x, unsigned slot)
{
    XhciSlot *s = &x->slot[slot];
    UsbDevice *d = xhci_slot_device(x, slot);
    Context c;

    if (!s->addressed || !load_context(x, context_of(s, SLOT_CTX), c)) {
        return CC_CONTEXT_STATE_ERROR;
    }
    for (unsigned i = 2; i <= XHCI_ENDPOINTS; i++) {
        if (s->ep[i].state != EP_DISABLED) {
            s->ep[i] = (XhciEndpoint){ 0 };
            xhci_store_endpoint(x, slot, i);
        }
    }
    if (d) {
        usb_reset(d);
    }
    set_slot_state(c, SLOT_DEFAULT, 0);
    c[0] = (c[0] & ~(0x1fu << 27)) | 1u << 27;
    return store_context(x, context_of(s, SLOT_CTX), c) ? CC_SUCCESS : CC_TRB_ERROR;
}

static unsigned slot_command(Xhci *x, unsigned slot, const Trb *t)
{
    if (slot < 1 || slot > x->n_slots) {
        return CC_TRB_ERROR;
    }
    if (!x->slot[slot].enabled) {
        return CC_SLOT_NOT_ENABLED;
    }
    switch (trb_type(t)) {
    case CMD_DISABLE_SLOT:
        xhci_disable_slot(x, slot);
        return CC_SUCCESS;
    case CMD_ADDRESS_DEVICE:
        return address_device(x, slot, t);
    case CMD_CONFIGURE_ENDPOINT:
        return configure_endpoint(x, slot, t);
    case CMD_EVALUATE_CONTEXT:
        return evaluate_context(x, slot, t);
    case CMD_RESET_DEVICE:
        return reset_device(x, slot);
    default:
        return endpoint_command(x, slot, t);
    }
}

static void run_command(Xhci *x, const Trb *t)
{
    unsigned slot = t->control >> 24, code;

    switch (trb_type(t)) {
    case CMD_ENABLE_SLOT:
        slot = 0;
        code = enable_slot(x, &slot);
        break;
    case CMD_NOOP:
        slot = 0;
        code = CC_SUCCESS;
        break;
    case CMD_DISABLE_SLOT ... CMD_RESET_DEVICE:
        code = slot_command(x, slot, t);
        break;
    default:
        guest_error("xhci", "command of type %u", trb_type(t));
        code = CC_TRB_ERROR;
        break;
    }
    xhci_event(x, 0, t->at, code << 24, EVENT_COMMAND << TRB_TYPE_SHIFT | slot << 24);
}

bool xhci_run_commands(Xhci *x)
{
    Trb t;

    for (unsigned i = 0; i < BURST; i++) {
        if (!xhci_is_running(x) || !x->command_running || !x->command_doorbell) {
            return true;
        }
        if (!xhci_next_trb(x, &x->command, &t)) {
            x->command_doorbell = false;
            return true;
        }
        run_command(x, &t);
    }
    return false;
}
