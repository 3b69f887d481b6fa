/*
 * 16550A UART core (National PC16550D data sheet, section 8).
 *
 * Characters leave at once, so that a polling guest never waits for the wire, only for a back end
 * that is full.  Such a back end holds the transmitter for TX_STALL_NS at most; then output that it
 * does not take is dropped until it takes some again, so the guest is never blocked for ever.
 *
 * What must hold:
 *  I1  LSR_THRE is set exactly while tx_count is 0
 *  I2  LSR_DR is set exactly while rx_count is not 0
 *  I3  the line is high exactly while interrupt_id() is not IIR_NO_INT (after each entry point)
 * Word length is not applied to data: a guest that never sets LCR is understood, as on QEMU.
 * Locks: BQL.
 */
#include "hw/char/serial-16550.h"
#include "util/log.h"

/* How long a back end may take nothing before output is dropped. */
#define TX_STALL_NS (5 * NANOSECONDS_PER_SECOND)

/* 9600 baud at the usual clock, as PC firmware leaves it. */
#define RESET_DIVISOR 12

static const uint8_t rx_trigger_level[4] = { 1, 4, 8, 14 };

static bool fifo_enabled(const Serial16550 *s)
{
    return s->fcr & FCR_ENABLE;
}

/* --- interrupts --- */

static bool rx_trigger_reached(const Serial16550 *s)
{
    return fifo_enabled(s) ? s->rx_count >= rx_trigger_level[s->fcr >> 6] : s->rx_count > 0;
}

/* Section 8.6, table IV: highest priority first. */
static uint8_t interrupt_id(const Serial16550 *s)
{
    if ((s->ier & IER_ELSI) && (s->lsr & LSR_ERRORS)) {
        return IIR_RLS;
    }
    if ((s->ier & IER_ERBFI) && rx_trigger_reached(s)) {
        return IIR_RDA;
    }
    if ((s->ier & IER_ERBFI) && s->timeout_pending) {
        return IIR_TIMEOUT;
    }
    if ((s->ier & IER_ETBEI) && s->thre_pending) {
        return IIR_THRE;
    }
    if ((s->ier & IER_EDSSI) && (s->msr & MSR_DELTAS)) {
        return IIR_MODEM;
    }
    return IIR_NO_INT;
}

void serial_update_irq(Serial16550 *s)
{
    irq_set(s->irq, interrupt_id(s) != IIR_NO_INT);
}

/* --- receiver --- */

/* Start bit, data, parity, stop. */
static int64_t char_time_ns(const Serial16550 *s)
{
    unsigned bits = 1 + 5 + (s->lcr & LCR_WLEN) + !!(s->lcr & LCR_PARITY) + (s->lcr & LCR_STOP ? 2 : 1);
    unsigned divisor = s->divisor ? s->divisor : 1;

    return (int64_t)bits * NANOSECONDS_PER_SECOND / s->baudbase * divisor;
}

/* Section 8.11: four character times since the last byte came or was read. */
static void rx_timeout_restart(Serial16550 *s)
{
    s->timeout_pending = false;
    if (fifo_enabled(s) && s->rx_count) {
        timer_mod(&s->timeout, clock_get_ns(CLOCK_TYPE_VIRTUAL) + 4 * char_time_ns(s));
    } else {
        timer_del(&s->timeout);
    }
}

static void rx_timeout_fired(void *opaque)
{
    Serial16550 *s = opaque;

    s->timeout_pending = fifo_enabled(s) && s->rx_count;
    serial_update_irq(s);
}

/* The error bits of the character that is now on top appear in LSR with it (section 8.4). */
static void rx_show_top_errors(Serial16550 *s)
{
    uint8_t waiting = 0;

    if (s->rx_count) {
        s->lsr |= s->rx_errors[s->rx_head];
    }
    for (unsigned i = 0; i < s->rx_count; i++) {
        waiting |= s->rx_errors[(s->rx_head + i) % SERIAL_FIFO_LEN];
    }
    s->lsr &= ~LSR_FIFO_ERR;
    if (fifo_enabled(s) && waiting) {
        s->lsr |= LSR_FIFO_ERR;
    }
}

static void rx_push(Serial16550 *s, uint8_t c, uint8_t errors)
{
    unsigned room = fifo_enabled(s) ? SERIAL_FIFO_LEN : 1;

    if (s->rx_count == room) {
        /* A full FIFO keeps its contents, the shift register is lost; a single buffer is overwritten. */
        s->lsr |= LSR_OE;
        if (!fifo_enabled(s)) {
            s->rx[s->rx_head] = c;
            s->rx_errors[s->rx_head] = errors;
            rx_show_top_errors(s);
        }
        return;
    }
    unsigned slot = (s->rx_head + s->rx_count) % SERIAL_FIFO_LEN;

    s->rx[slot] = c;
    s->rx_errors[slot] = errors;
    s->rx_count++;
    s->lsr |= LSR_DR;
    rx_show_top_errors(s);
}

static uint8_t rx_pop(Serial16550 *s)
{
    if (s->rx_count) {
        s->rbr = s->rx[s->rx_head];
        s->rx_head = (s->rx_head + 1) % SERIAL_FIFO_LEN;
        s->rx_count--;
        if (!s->rx_count) {
            s->lsr &= ~LSR_DR;
        }
        rx_show_top_errors(s);
    }
    rx_timeout_restart(s);
    return s->rbr;
}

static void rx_clear(Serial16550 *s)
{
    s->rx_head = 0;
    s->rx_count = 0;
    s->lsr &= ~(LSR_DR | LSR_FIFO_ERR);
    rx_timeout_restart(s);
}

size_t serial_can_receive(void *opaque)
{
    Serial16550 *s = opaque;

    if (s->mcr & MCR_LOOP) {
        return 0;
    }
    return (fifo_enabled(s) ? SERIAL_FIFO_LEN : 1) - MIN(s->rx_count, fifo_enabled(s) ? SERIAL_FIFO_LEN : 1);
}

void serial_receive(void *opaque, const uint8_t *buf, size_t len)
{
    Serial16550 *s = opaque;

    if (s->wake) {
        s->wake(s->wake_opaque);
    }
    for (size_t i = 0; i < len; i++) {
        rx_push(s, buf[i], 0);
    }
    rx_timeout_restart(s);
    serial_update_irq(s);
}

static void serial_event(void *opaque, CharEvent ev)
{
    Serial16550 *s = opaque;

    if (ev == CHAR_EVENT_BREAK && !(s->mcr & MCR_LOOP)) {
        rx_push(s, 0, LSR_BI);
        rx_timeout_restart(s);
        serial_update_irq(s);
    }
}

/* --- transmitter --- */

static void tx_emptied(Serial16550 *s)
{
    s->tx_count = 0;
    s->lsr |= LSR_THRE | LSR_TEMT;
    s->thre_pending = true;
    timer_del(&s->tx_stall);
}

static void tx_to_receiver(Serial16550 *s)
{
    for (unsigned i = 0; i < s->tx_count; i++) {
        rx_push(s, s->tx[i], 0);
    }
    rx_timeout_restart(s);
    tx_emptied(s);
}

/* Give the back end what it takes now; the rest waits for tx_writable() or tx_stalled(). */
static void tx_run(Serial16550 *s)
{
    if (!s->tx_count) {
        return;
    }
    if (s->mcr & MCR_LOOP) {
        tx_to_receiver(s);
        return;
    }
    size_t taken = char_write(&s->chr, s->tx, s->tx_count);

    if (taken) {
        s->tx_discard = false;
        timer_del(&s->tx_stall);
    }
    if (taken >= s->tx_count || s->tx_discard) {
        tx_emptied(s);
        return;
    }
    s->tx_count -= taken;
    memmove(s->tx, s->tx + taken, s->tx_count);
    if (!timer_pending(&s->tx_stall)) {
        timer_mod(&s->tx_stall, clock_get_ns(CLOCK_TYPE_REALTIME) + TX_STALL_NS);
    }
}

static void tx_writable(void *opaque)
{
    Serial16550 *s = opaque;

    s->tx_discard = false;
    tx_run(s);
    serial_update_irq(s);
}

static void tx_stalled(void *opaque)
{
    Serial16550 *s = opaque;

    s->tx_discard = true;
    tx_run(s);
    serial_update_irq(s);
}

static void tx_push(Serial16550 *s, uint8_t c)
{
    if (!fifo_enabled(s)) {
        s->tx[0] = c;
        s->tx_count = 1;
    } else if (s->tx_count < SERIAL_FIFO_LEN) {
        s->tx[s->tx_count++] = c;
    } else {
        guest_error("serial", "transmit FIFO is full, byte 0x%02x is lost", c);
    }
    s->thre_pending = false;
    s->lsr &= ~(LSR_THRE | LSR_TEMT);
    serial_update_irq(s);       /* an edge-triggered controller must see the line fall */
    tx_run(s);
}

/* --- modem lines --- */

/* Section 8.8: in loop-back mode the outputs are wired to the inputs; otherwise a cable with all lines up. */
static uint8_t modem_inputs(const Serial16550 *s)
{
    if (!(s->mcr & MCR_LOOP)) {
        return MSR_DCD | MSR_DSR | MSR_CTS;
    }
    return (s->mcr & MCR_RTS ? MSR_CTS : 0) | (s->mcr & MCR_DTR ? MSR_DSR : 0) |
           (s->mcr & MCR_OUT1 ? MSR_RI : 0) | (s->mcr & MCR_OUT2 ? MSR_DCD : 0);
}

static void modem_update(Serial16550 *s)
{
    uint8_t old = s->msr & MSR_LINES, now = modem_inputs(s);
    uint8_t changed = (old ^ now) >> 4;

    /* TERI is the trailing edge of the ring indicator only. */
    if (now & MSR_RI) {
        changed &= ~MSR_TERI;
    }
    s->msr = now | (s->msr & MSR_DELTAS) | changed;
}

/* --- registers --- */

static void write_fcr(Serial16550 *s, uint8_t val)
{
    bool toggled = (val ^ s->fcr) & FCR_ENABLE;

    /* Section 8.5: other bits are programmed only together with bit 0; a change of bit 0 clears both FIFOs. */
    if (toggled || (val & FCR_CLEAR_RX)) {
        rx_clear(s);
    }
    if ((toggled || (val & FCR_CLEAR_TX)) && s->tx_count) {
        tx_emptied(s);
    }
    s->fcr = val & FCR_ENABLE ? val & (FCR_ENABLE | FCR_DMA | FCR_TRIGGER) : 0;
    rx_timeout_restart(s);
    serial_update_irq(s);
    char_accept_input(&s->chr);
}

static void write_ier(Serial16550 *s, uint8_t val)
{
    uint8_t newly_on = val & ~s->ier;

    s->ier = val & IER_MASK;
    /* Enabling the interrupt while the transmitter is empty raises it (section 8.7; Linux tests for it). */
    if ((newly_on & IER_ETBEI) && (s->lsr & LSR_THRE)) {
        s->thre_pending = true;
    }
}

static void write_lcr(Serial16550 *s, uint8_t val)
{
    uint8_t changed = val ^ s->lcr;

    s->lcr = val;
    if (changed & LCR_BREAK) {
        char_set_break(&s->chr, val & LCR_BREAK);
    }
}

static void write_mcr(Serial16550 *s, uint8_t val)
{
    bool left_loop = (s->mcr & MCR_LOOP) && !(val & MCR_LOOP);

    s->mcr = val & MCR_MASK;
    modem_update(s);
    if (left_loop) {
        char_accept_input(&s->chr);
    }
}

void serial_write(Serial16550 *s, unsigned reg, uint8_t val)
{
    bool dlab = s->lcr & LCR_DLAB;

    switch (reg) {
    case UART_THR:
        if (dlab) {
            s->divisor = (s->divisor & 0xff00) | val;
        } else {
            tx_push(s, val);
        }
        break;
    case UART_IER:
        if (dlab) {
            s->divisor = (s->divisor & 0x00ff) | val << 8;
        } else {
            write_ier(s, val);
        }
        break;
    case UART_FCR:
        write_fcr(s, val);
        break;
    case UART_LCR:
        write_lcr(s, val);
        break;
    case UART_MCR:
        write_mcr(s, val);
        break;
    case UART_SCR:
        s->scr = val;
        break;
    default:                    /* LSR and MSR: factory test on the part, ignored */
        break;
    }
    serial_update_irq(s);
}

static uint8_t read_rbr(Serial16550 *s)
{
    uint8_t c = rx_pop(s);

    if (!s->rx_count) {
        char_accept_input(&s->chr);
    }
    return c;
}

static uint8_t read_iir(Serial16550 *s)
{
    uint8_t id = interrupt_id(s);

    if (id == IIR_THRE) {
        s->thre_pending = false;
    }
    return id | (fifo_enabled(s) ? IIR_FIFOS : 0);
}

static uint8_t read_lsr(Serial16550 *s)
{
    uint8_t lsr = s->lsr;

    if (lsr & LSR_ERRORS) {
        s->lsr &= ~LSR_ERRORS;
        if (s->rx_count) {
            s->rx_errors[s->rx_head] = 0;
        }
        rx_show_top_errors(s);
    }
    return lsr;
}

static uint8_t read_msr(Serial16550 *s)
{
    uint8_t msr = s->msr;

    s->msr &= ~MSR_DELTAS;
    return msr;
}

static uint8_t read_register(Serial16550 *s, unsigned reg)
{
    bool dlab = s->lcr & LCR_DLAB;

    switch (reg) {
    case UART_RBR:
        return dlab ? s->divisor & 0xff : read_rbr(s);
    case UART_IER:
        return dlab ? s->divisor >> 8 : s->ier;
    case UART_IIR:
        return read_iir(s);
    case UART_LCR:
        return s->lcr;
    case UART_MCR:
        return s->mcr;
    case UART_LSR:
        return read_lsr(s);
    case UART_MSR:
        return read_msr(s);
    default:
        return s->scr;
    }
}

uint8_t serial_read(Serial16550 *s, unsigned reg)
{
    uint8_t val = read_register(s, reg);

    serial_update_irq(s);
    return val;
}

/* --- life --- */

void serial_reset(Serial16550 *s)
{
    if (s->lcr & LCR_BREAK) {
        char_set_break(&s->chr, false);
    }
    s->ier = s->fcr = s->lcr = s->scr = s->rbr = 0;
    s->mcr = MCR_OUT2;
    s->lsr = LSR_THRE | LSR_TEMT;
    s->msr = MSR_DCD | MSR_DSR | MSR_CTS;
    s->divisor = RESET_DIVISOR;
    s->tx_count = 0;
    s->thre_pending = false;
    timer_del(&s->tx_stall);
    rx_clear(s);
}

static const CharHandlers serial_handlers = {
    .can_receive = serial_can_receive,
    .receive = serial_receive,
    .event = serial_event,
    .writable = tx_writable,
    .swappable = true,
};

void serial_init(Serial16550 *s)
{
    timer_init(&s->timeout, CLOCK_TYPE_VIRTUAL, rx_timeout_fired, s);
    timer_init(&s->tx_stall, CLOCK_TYPE_REALTIME, tx_stalled, s);
    serial_reset(s);
    char_backend_set_handlers(&s->chr, &serial_handlers, s);
}

void serial_fini(Serial16550 *s)
{
    char_backend_set_handlers(&s->chr, NULL, NULL);
    timer_del(&s->timeout);
    timer_del(&s->tx_stall);
}

/* --- state --- */

static bool serial_post_load(void *opaque, unsigned version, Error **errp)
{
    Serial16550 *s = opaque;
    unsigned room = fifo_enabled(s) ? SERIAL_FIFO_LEN : 1;

    if (s->rx_head >= SERIAL_FIFO_LEN || s->rx_count > room) {
        error_setg(errp, "serial: rx_head %u, rx_count %u do not fit a FIFO of %u", s->rx_head, s->rx_count, room);
        return false;
    }
    if (s->tx_count > room) {
        error_setg(errp, "serial: tx_count %u does not fit a FIFO of %u", s->tx_count, room);
        return false;
    }
    s->ier &= IER_MASK;
    s->mcr &= MCR_MASK;
    s->lsr &= ~(LSR_DR | LSR_THRE | LSR_TEMT);
    s->lsr |= (s->rx_count ? LSR_DR : 0) | (s->tx_count ? 0 : LSR_THRE | LSR_TEMT);
    char_set_break(&s->chr, s->lcr & LCR_BREAK);
    tx_run(s);
    serial_update_irq(s);
    return true;
}

const VMState vmstate_serial_16550 = {
    .name = "serial",
    .version = 1,
    .minimum_version = 1,
    .post_load = serial_post_load,
    .fields = (const VMField[]) {
        VMS_U8(Serial16550, ier),
        VMS_U8(Serial16550, fcr),
        VMS_U8(Serial16550, lcr),
        VMS_U8(Serial16550, mcr),
        VMS_U8(Serial16550, lsr),
        VMS_U8(Serial16550, msr),
        VMS_U8(Serial16550, scr),
        VMS_U16(Serial16550, divisor),
        VMS_U8_ARRAY(Serial16550, rx),
        VMS_U8_ARRAY(Serial16550, rx_errors),
        VMS_U8(Serial16550, rx_head),
        VMS_U8(Serial16550, rx_count),
        VMS_U8(Serial16550, rbr),
        VMS_U8_ARRAY(Serial16550, tx),
        VMS_U8(Serial16550, tx_count),
        VMS_BOOL(Serial16550, thre_pending),
        VMS_BOOL(Serial16550, timeout_pending),
        VMS_TIMER(Serial16550, timeout),
        VMS_END
    },
};
