/*
 * The 16550A UART (National PC16550D data sheet), without the bus it sits on.
 *
 * The owner embeds a Serial16550, gives it a line and a back end, and passes the eight register
 * accesses on.  No machine is needed: unit tests drive it directly.
 */
#ifndef HW_CHAR_SERIAL_16550_H
#define HW_CHAR_SERIAL_16550_H

#include "hw/core/irq.h"
#include "hw/core/vmstate.h"
#include "system/chardev.h"
#include "util/timer.h"

#define SERIAL_FIFO_LEN 16
#define SERIAL_NUM_REGS 8

/* Register offsets; the second name is for DLAB = 1 or for writes. */
enum {
    UART_RBR = 0, UART_THR = 0, UART_DLL = 0,
    UART_IER = 1, UART_DLM = 1,
    UART_IIR = 2, UART_FCR = 2,
    UART_LCR = 3,
    UART_MCR = 4,
    UART_LSR = 5,
    UART_MSR = 6,
    UART_SCR = 7,
};

enum { IER_ERBFI = 0x01, IER_ETBEI = 0x02, IER_ELSI = 0x04, IER_EDSSI = 0x08, IER_MASK = 0x0f };
enum { IIR_NO_INT = 0x01, IIR_ID = 0x0f, IIR_MODEM = 0x00, IIR_THRE = 0x02, IIR_RDA = 0x04, IIR_RLS = 0x06,
       IIR_TIMEOUT = 0x0c, IIR_FIFOS = 0xc0 };
enum { FCR_ENABLE = 0x01, FCR_CLEAR_RX = 0x02, FCR_CLEAR_TX = 0x04, FCR_DMA = 0x08, FCR_TRIGGER = 0xc0 };
enum { LCR_WLEN = 0x03, LCR_STOP = 0x04, LCR_PARITY = 0x08, LCR_BREAK = 0x40, LCR_DLAB = 0x80 };
enum { MCR_DTR = 0x01, MCR_RTS = 0x02, MCR_OUT1 = 0x04, MCR_OUT2 = 0x08, MCR_LOOP = 0x10, MCR_MASK = 0x1f };
enum { LSR_DR = 0x01, LSR_OE = 0x02, LSR_PE = 0x04, LSR_FE = 0x08, LSR_BI = 0x10, LSR_THRE = 0x20, LSR_TEMT = 0x40,
       LSR_FIFO_ERR = 0x80, LSR_CHAR_ERRORS = LSR_PE | LSR_FE | LSR_BI, LSR_ERRORS = LSR_OE | LSR_CHAR_ERRORS };
enum { MSR_DCTS = 0x01, MSR_DDSR = 0x02, MSR_TERI = 0x04, MSR_DDCD = 0x08, MSR_DELTAS = 0x0f,
       MSR_CTS = 0x10, MSR_DSR = 0x20, MSR_RI = 0x40, MSR_DCD = 0x80, MSR_LINES = 0xf0 };

typedef struct Serial16550 {
    /* given by the owner before serial_init() */
    uint32_t baudbase;              /* input clock / 16, in Hz */
    IrqLine irq;
    CharBackend chr;
    void (*wake)(void *opaque);     /* called on input, for wakeup=on; or NULL */
    void *wake_opaque;

    /* guest-visible state */
    uint8_t ier, fcr, lcr, mcr, lsr, msr, scr;
    uint16_t divisor;
    uint8_t rx[SERIAL_FIFO_LEN];            /* ring; one slot is used while FIFOs are off */
    uint8_t rx_errors[SERIAL_FIFO_LEN];     /* LSR_CHAR_ERRORS bits of each */
    uint8_t rx_head, rx_count;
    uint8_t rbr;                            /* last byte read: what an empty receiver shows */
    uint8_t tx[SERIAL_FIFO_LEN];            /* oldest first */
    uint8_t tx_count;
    bool thre_pending;              /* the transmitter became empty and nobody was told */
    bool timeout_pending;           /* bytes below the trigger level have waited long enough */
    Timer timeout;

    /* host side */
    Timer tx_stall;                 /* runs while the back end takes nothing */
    bool tx_discard;                /* back end is stuck: what it does not take is dropped */
} Serial16550;

extern const VMState vmstate_serial_16550;

void serial_init(Serial16550 *s);
/* Stop timers, disconnect the back end. */
void serial_fini(Serial16550 *s);
void serial_reset(Serial16550 *s);
/* Drive the line for the present state: reset's hold phase. */
void serial_update_irq(Serial16550 *s);

/* @reg 0..7. */
uint8_t serial_read(Serial16550 *s, unsigned reg);
void serial_write(Serial16550 *s, unsigned reg, uint8_t val);

/* The receiver's end of the wire: what CharHandlers call. */
size_t serial_can_receive(void *opaque);
void serial_receive(void *opaque, const uint8_t *buf, size_t len);

#endif
