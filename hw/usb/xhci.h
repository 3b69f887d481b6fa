/*
 * xHCI between its files: xhci.c (registers, ports, interrupters, life), xhci-command.c (the command ring, slots, contexts),
 * xhci-transfer.c (endpoints).
 *
 * Reference: eXtensible Host Controller Interface for USB, revision 1.2; section numbers are its.
 */
#ifndef HW_USB_XHCI_H
#define HW_USB_XHCI_H

#include "hw/pci/msix.h"
#include "hw/pci/pci.h"
#include "hw/usb/usb.h"
#include "util/main-loop.h"

#define XHCI_MAX_PORTS      USB_PORTS_MAX       /* p2 + p3 */
#define XHCI_MAX_SLOTS      64
#define XHCI_MAX_INTRS      16
#define XHCI_ENDPOINTS      31                  /* device context indexes 1 to 31 */
#define XHCI_CONTEXT_BYTES  32
#define XHCI_TRB_BYTES      16

enum {  /* USBCMD, USBSTS: sections 5.4.1, 5.4.2 */
    USBCMD_RUN = 1 << 0, USBCMD_HCRST = 1 << 1, USBCMD_INTE = 1 << 2, USBCMD_HSEE = 1 << 3, USBCMD_CSS = 1 << 8,
    USBCMD_CRS = 1 << 9,
    USBSTS_HCH = 1 << 0, USBSTS_HSE = 1 << 2, USBSTS_EINT = 1 << 3, USBSTS_PCD = 1 << 4, USBSTS_SRE = 1 << 10, USBSTS_HCE = 1 << 12,
};
enum {  /* TRB types, table 6-91 */
    TRB_NORMAL = 1, TRB_SETUP = 2, TRB_DATA = 3, TRB_STATUS = 4, TRB_ISOCH = 5, TRB_LINK = 6, TRB_EVENT_DATA = 7, TRB_NOOP = 8,
    CMD_ENABLE_SLOT = 9, CMD_DISABLE_SLOT = 10, CMD_ADDRESS_DEVICE = 11, CMD_CONFIGURE_ENDPOINT = 12, CMD_EVALUATE_CONTEXT = 13,
    CMD_RESET_ENDPOINT = 14, CMD_STOP_ENDPOINT = 15, CMD_SET_TR_DEQUEUE = 16, CMD_RESET_DEVICE = 17, CMD_NOOP = 23,
    EVENT_TRANSFER = 32, EVENT_COMMAND = 33, EVENT_PORT = 34, EVENT_HOST = 37, EVENT_MFINDEX_WRAP = 39,
};
enum {  /* TRB control bits */
    TRB_CYCLE = 1 << 0, TRB_TOGGLE = 1 << 1, TRB_ISP = 1 << 2, TRB_CHAIN = 1 << 4, TRB_IOC = 1 << 5, TRB_IDT = 1 << 6,
    TRB_EVENT_HAS_DATA = 1 << 2, TRB_TYPE_SHIFT = 10, CMD_BSR = 1 << 9, CMD_DECONFIGURE = 1 << 9,
};
enum {  /* completion codes, table 6-90 */
    CC_SUCCESS = 1, CC_TRANSACTION_ERROR = 4, CC_TRB_ERROR = 5, CC_STALL = 6, CC_NO_SLOTS = 9, CC_SLOT_NOT_ENABLED = 11,
    CC_ENDPOINT_NOT_ENABLED = 12, CC_SHORT_PACKET = 13, CC_PARAMETER_ERROR = 17, CC_CONTEXT_STATE_ERROR = 19,
    CC_RING_FULL = 21, CC_COMMAND_RING_STOPPED = 24, CC_STOPPED = 26,
};
enum { EP_DISABLED = 0, EP_RUNNING = 1, EP_HALTED = 2, EP_STOPPED = 3 };
enum { EP_TYPE_CONTROL = 4, EP_TYPE_INTERRUPT_IN = 7 };
enum { SLOT_DISABLED = 0, SLOT_DEFAULT = 1, SLOT_ADDRESSED = 2, SLOT_CONFIGURED = 3 };

typedef struct Trb {
    uint64_t param;
    uint32_t status, control;
    uint64_t at;                /* where it was read */
} Trb;

static inline unsigned trb_type(const Trb *t)
{
    return t->control >> TRB_TYPE_SHIFT & 63;
}

/* A ring that the guest fills. */
typedef struct XhciRing {
    uint64_t dequeue;
    bool cycle;
} XhciRing;

typedef struct XhciEndpoint {
    uint8_t state, type;
    bool doorbell;              /* was rung, and the ring was not yet empty */
    XhciRing ring;
} XhciEndpoint;

typedef struct XhciSlot {
    bool enabled, addressed;
    uint8_t port;               /* of the controller, 1..; 0 = none */
    uint16_t intr;
    uint64_t context;           /* the output device context */
    XhciEndpoint ep[XHCI_ENDPOINTS + 1];        /* by device context index; 0 unused */
} XhciSlot;

typedef struct XhciIntr {
    uint32_t iman, imod, erstsz;
    uint64_t erstba, erdp;
    uint64_t segment;           /* the event ring's one segment; 0 = none */
    uint32_t size, index;       /* TRBs in it; where the next event goes */
    bool cycle;
    bool full;                  /* told, and until the guest takes events more are lost */
} XhciIntr;

typedef struct XhciPort {
    uint32_t portsc;
    UsbDevice *dev;             /* borrowed; NULL */
} XhciPort;

typedef struct Xhci {
    PCIDevice pci;
    MemoryRegion mmio;
    UsbBus bus;
    uint32_t p2, p3, n_intrs, n_slots;          /* properties */

    uint32_t usbcmd, usbsts, dnctrl, config;
    uint64_t crcr, dcbaap;
    XhciRing command;
    bool command_running, command_doorbell;
    int64_t mfindex_start;
    XhciPort port[XHCI_MAX_PORTS];              /* USB 3 first */
    XhciSlot slot[XHCI_MAX_SLOTS + 1];          /* by id, 1.. */
    XhciIntr intr[XHCI_MAX_INTRS];
    BottomHalf *bh;                             /* does what doorbells ask for */
    uint8_t *buffer;                            /* of one transfer */
} Xhci;

static inline bool xhci_is_running(const Xhci *x)
{
    return !(x->usbsts & USBSTS_HCH) && !(x->usbsts & (USBSTS_HSE | USBSTS_HCE));
}

static inline unsigned xhci_n_ports(const Xhci *x)
{
    return x->p2 + x->p3;
}

/* --- xhci.c --- */

/* Put an event on ring @intr and interrupt. */
void xhci_event(Xhci *x, unsigned intr, uint64_t param, uint32_t status, uint32_t control);
/* DMA that fails stops the controller: false. */
bool xhci_read(Xhci *x, uint64_t addr, void *buf, size_t len);
bool xhci_write(Xhci *x, uint64_t addr, const void *buf, size_t len);
uint32_t xhci_read32(Xhci *x, uint64_t addr);
void xhci_write32(Xhci *x, uint64_t addr, uint32_t v);
/* The next TRB, links followed; false: there is none. */
bool xhci_next_trb(Xhci *x, XhciRing *r, Trb *t);

/* --- xhci-command.c --- */

/* Take commands; false when there may be more. */
bool xhci_run_commands(Xhci *x);
void xhci_disable_slot(Xhci *x, unsigned slot);
/* Write an endpoint's state and dequeue pointer to its context. */
void xhci_store_endpoint(Xhci *x, unsigned slot, unsigned dci);
/* The device of a slot; NULL if it has been pulled. */
UsbDevice *xhci_slot_device(const Xhci *x, unsigned slot);

/* --- xhci-transfer.c --- */

/* Take transfers of an endpoint; false when there may be more. */
bool xhci_run_endpoint(Xhci *x, unsigned slot, unsigned dci);

#endif
