/* qemu-xhci: a tablet from the port to its reports, plug and unplug, hostile drivers. */
#include "lib/pci.h"

#include <string.h>

enum { OPER = 0x40, USBCMD = OPER, USBSTS = OPER + 4, CRCR = OPER + 0x18, DCBAAP = OPER + 0x30, CONFIG = OPER + 0x38, PORTSC = 0x440,
       IMAN = 0x1020, ERSTSZ = 0x1028, ERSTBA = 0x1030, ERDP = 0x1038, DOORBELL = 0x2000 };
enum { RUN = 1, INTE = 4, HCRST = 2, HCH = 1, HSE = 4, HCE = 1 << 12, EVENTS = 64, RING = 32 };
enum { NORMAL = 1, SETUP = 2, DATA = 3, STATUS = 4, LINK = 6, NOOP = 8, ENABLE_SLOT = 9, DISABLE_SLOT = 10, ADDRESS = 11, CONFIGURE = 12,
       EVALUATE = 13, RESET_EP = 14, STOP_EP = 15, SET_DEQUEUE = 16, CMD_NOOP = 23, TRANSFER = 32, COMMAND = 33, PORT = 34 };
enum { SUCCESS = 1, TRB_ERROR = 5, STALL = 6, NOT_ENABLED = 11, SHORT = 13, CONTEXT_STATE = 19, STOPPED_RING = 24 };
enum { IOC = 1 << 5, IDT = 1 << 6, ISP = 1 << 2, P3 = 4 };

typedef struct Ring {
    uint64_t base;
    unsigned at;
    bool cycle;
} Ring;

typedef struct Event {
    uint64_t param;
    uint32_t status, control;
} Event;

typedef struct Hc {
    QTest *q;
    QPci p;
    QPciDev dev;
    QBar regs;
    Ring commands, control, interrupt;
    uint64_t dcbaa, context, input, events, scratch;
    unsigned event_at;
    bool event_cycle;
} Hc;

static uint32_t rd(Hc *h, unsigned reg)
{
    return (uint32_t)qbar_read(&h->regs, reg, 4);
}

static void wr(Hc *h, unsigned reg, uint32_t v)
{
    qbar_write(&h->regs, reg, 4, v);
}

static void wr64(Hc *h, unsigned reg, uint64_t v)
{
    wr(h, reg, (uint32_t)v);
    wr(h, reg + 4, (uint32_t)(v >> 32));
}

static Ring new_ring(Hc *h)
{
    return (Ring){ qtest_alloc(h->q, RING * 16, 64), 0, true };
}

static uint64_t put(Hc *h, Ring *r, uint64_t param, uint32_t status, uint32_t control)
{
    uint64_t at = r->base + 16 * r->at;

    qtest_write(h->q, at, 8, param);
    qtest_write(h->q, at + 8, 4, status);
    qtest_write(h->q, at + 12, 4, control | r->cycle);
    if (++r->at == RING - 1) {
        qtest_write(h->q, r->base + 16 * r->at, 8, r->base);
        qtest_write(h->q, r->base + 16 * r->at + 12, 4, LINK << 10 | 2 | r->cycle);
        r->at = 0;
        r->cycle = !r->cycle;
    }
    return at;
}

static void hc_start(Hc *h, const char *args)
{
    uint64_t table;

    *h = (Hc){ .event_cycle = true };
    h->q = qtest_start("-machine q35 -device qemu-xhci,id=usb %s", args);
    qpci_init(&h->p, h->q, true);
    g_assert_true(qpci_find(&h->p, 0x1b36, 0x000d, &h->dev));
    h->regs = qpci_map(&h->dev, 0);
    g_assert_cmphex(qbar_read(&h->regs, 0, 1), ==, OPER);
    g_assert_cmphex(qbar_read(&h->regs, 2, 2), ==, 0x100);
    g_assert_cmphex(rd(h, 4), ==, 8u << 24 | 16 << 8 | 64);
    wr(h, USBCMD, HCRST);
    g_assert_cmphex(rd(h, USBSTS) & HCH, ==, HCH);
    h->commands = new_ring(h);
    h->control = new_ring(h);
    h->interrupt = new_ring(h);
    h->dcbaa = qtest_alloc(h->q, 65 * 8, 64);
    h->context = qtest_alloc(h->q, 32 * 32, 64);
    h->input = qtest_alloc(h->q, 33 * 32, 64);
    h->scratch = qtest_alloc(h->q, 4096, 64);
    h->events = qtest_alloc(h->q, EVENTS * 16, 64);
    table = qtest_alloc(h->q, 16, 64);
    qtest_write(h->q, table, 8, h->events);
    qtest_write(h->q, table + 8, 4, EVENTS);
    wr(h, ERSTSZ, 1);
    wr64(h, ERDP, h->events);
    wr64(h, ERSTBA, table);
    wr(h, IMAN, 2);
    wr(h, CONFIG, 64);
    wr64(h, DCBAAP, h->dcbaa);
    wr64(h, CRCR, h->commands.base | 1);
    wr(h, USBCMD, RUN | INTE);
    g_assert_cmphex(rd(h, USBSTS) & HCH, ==, 0);
}

static bool next_event(Hc *h, Event *e)
{
    uint64_t at = h->events + 16 * h->event_at;

    *e = (Event){ qtest_read(h->q, at, 8), (uint32_t)qtest_read(h->q, at + 8, 4), (uint32_t)qtest_read(h->q, at + 12, 4) };
    if ((e->control & 1) != h->event_cycle) {
        return false;
    }
    if (++h->event_at == EVENTS) {
        h->event_at = 0;
        h->event_cycle = !h->event_cycle;
    }
    wr(h, ERDP, (uint32_t)(h->events + 16 * h->event_at) | 8);
    wr(h, ERDP + 4, (uint32_t)((h->events + 16 * h->event_at) >> 32));
    return true;
}

/* The next event of @type, others passed over. */
static Event wait_event(Hc *h, unsigned type)
{
    Event e;

    for (unsigned tries = 0; tries < 2000; tries++) {
        if (next_event(h, &e) && (e.control >> 10 & 63) == type) {
            return e;
        }
        qtest_clock_step(h->q, 1000);
    }
    g_error("no event of type %u", type);
}

static unsigned command(Hc *h, unsigned type, unsigned slot, unsigned dci, uint64_t param, unsigned *got)
{
    uint64_t at = put(h, &h->commands, param, 0, type << 10 | slot << 24 | dci << 16);
    Event e;

    wr(h, DOORBELL, 0);
    e = wait_event(h, COMMAND);
    g_assert_cmphex(e.param, ==, at);
    if (got) {
        *got = e.control >> 24;
    }
    return e.status >> 24;
}

/* Reset the tablet's port, give it a slot and an address. */
static unsigned address_tablet(Hc *h)
{
    unsigned slot = 0, port = P3 + 1;

    g_assert_cmphex(rd(h, PORTSC + 16 * P3) & 1, ==, 1);
    wr(h, PORTSC + 16 * P3, 1 << 9 | 1 << 4);
    g_assert_cmphex(rd(h, PORTSC + 16 * P3) & (2 | 1 << 21), ==, 2 | 1 << 21);
    g_assert_cmpuint(rd(h, PORTSC + 16 * P3) >> 10 & 15, ==, 3);
    g_assert_cmpuint(command(h, ENABLE_SLOT, 0, 0, 0, &slot), ==, SUCCESS);
    qtest_write(h->q, h->dcbaa + 8 * slot, 8, h->context);
    qtest_memset(h->q, h->input, 0, 33 * 32);
    qtest_write(h->q, h->input + 4, 4, 3);
    qtest_write(h->q, h->input + 32, 4, 1u << 27 | 3 << 20);
    qtest_write(h->q, h->input + 36, 4, port << 16);
    qtest_write(h->q, h->input + 64 + 4, 4, 64 << 16 | 4 << 3 | 3 << 1);
    qtest_write(h->q, h->input + 64 + 8, 8, h->control.base | 1);
    g_assert_cmpuint(command(h, ADDRESS, slot, 0, h->input, NULL), ==, SUCCESS);
    g_assert_cmpuint(qtest_read(h->q, h->context + 12, 4) >> 27, ==, 2);
    g_assert_cmpuint(qtest_read(h->q, h->context + 32, 4) & 7, ==, 1);
    return slot;
}

/* A control transfer to the host; the completion code, and how many bytes came. */
static unsigned control_in(Hc *h, unsigned slot, unsigned type, unsigned request, unsigned value, unsigned len, unsigned *got)
{
    Event e;

    put(h, &h->control, type | request << 8 | (uint64_t)value << 16 | (uint64_t)len << 48, 8, SETUP << 10 | IDT | 3 << 16);
    if (len) {
        put(h, &h->control, h->scratch, len, DATA << 10 | 1 << 16 | ISP);
    }
    put(h, &h->control, 0, 0, STATUS << 10 | IOC);
    wr(h, DOORBELL + 4 * slot, 1);
    e = wait_event(h, TRANSFER);
    if (got) {
        *got = len - (e.status & 0xffffff);
    }
    if (e.status >> 24 == SHORT) {
        g_assert_cmpuint(wait_event(h, TRANSFER).status >> 24, ==, SUCCESS);
    }
    return e.status >> 24;
}

static void configure_tablet(Hc *h, unsigned slot)
{
    g_assert_cmpuint(control_in(h, slot, 0, 9, 1, 0, NULL), ==, SUCCESS);
    qtest_write(h->q, h->input, 8, 9ull << 32);                         /* add the slot and endpoint 1 in */
    qtest_write(h->q, h->input + 32, 4, 3u << 27 | 3 << 20);
    qtest_write(h->q, h->input + 32 * 4 + 4, 4, 8 << 16 | 7 << 3 | 3 << 1);
    qtest_write(h->q, h->input + 32 * 4 + 8, 8, h->interrupt.base | 1);
    g_assert_cmpuint(command(h, CONFIGURE, slot, 0, h->input, NULL), ==, SUCCESS);
    g_assert_cmpuint(qtest_read(h->q, h->context + 12, 4) >> 27, ==, 3);
}

static void test_tablet_reports(void)
{
    uint8_t desc[64], report[6];
    unsigned slot, got;
    Event e;
    Hc h;

    hc_start(&h, "-device usb-tablet,bus=usb.0,port=1,serial=S77");
    slot = address_tablet(&h);
    g_assert_cmpuint(control_in(&h, slot, 0x80, 6, 1 << 8, 18, &got), ==, SUCCESS);
    qtest_memread(h.q, h.scratch, desc, 18);
    g_assert_cmpmem(desc, 4, "\x12\x01\x00\x02", 4);
    g_assert_cmpuint(control_in(&h, slot, 0x80, 6, 2 << 8, 255, &got), ==, SHORT);
    g_assert_cmpuint(got, ==, 34);
    g_assert_cmpuint(control_in(&h, slot, 0x80, 6, 3 << 8 | 3, 255, &got), ==, SHORT);
    qtest_memread(h.q, h.scratch, desc, 8);
    g_assert_cmpmem(desc, 8, "\x08\x03S\0007\0007\0", 8);
    g_assert_cmpuint(control_in(&h, slot, 0x81, 6, 0x22 << 8, 200, &got), ==, SHORT);
    configure_tablet(&h, slot);
    put(&h, &h.interrupt, h.scratch, 8, NORMAL << 10 | IOC | ISP);
    wr(&h, DOORBELL + 4 * slot, 3);
    qtest_clock_step(h.q, 1000000);
    g_free(qtest_qmp(h.q, "{'execute': 'input-send-event', 'arguments': {'events': ["
                          "{'type': 'abs', 'data': {'axis': 'x', 'value': 4660}},"
                          "{'type': 'abs', 'data': {'axis': 'y', 'value': 22136}},"
                          "{'type': 'btn', 'data': {'button': 'right', 'down': true}}]}}"));
    e = wait_event(&h, TRANSFER);
    g_assert_cmpuint(e.status >> 24, ==, SHORT);
    g_assert_cmpuint(e.status & 0xffffff, ==, 2);
    qtest_memread(h.q, h.scratch, report, 6);
    g_assert_cmpmem(report, 6, "\x02\x34\x12\x78\x56\x00", 6);
    qtest_stop(h.q);
}

static void test_stall_halts_until_reset(void)
{
    unsigned slot;
    Hc h;

    hc_start(&h, "-device usb-tablet,bus=usb.0");
    slot = address_tablet(&h);
    g_assert_cmpuint(control_in(&h, slot, 0x80, 6, 0x77 << 8, 64, NULL), ==, STALL);
    g_assert_cmpuint(qtest_read(h.q, h.context + 32, 4) & 7, ==, 2);
    g_assert_cmpuint(command(&h, STOP_EP, slot, 1, 0, NULL), ==, CONTEXT_STATE);
    g_assert_cmpuint(command(&h, RESET_EP, slot, 1, 0, NULL), ==, SUCCESS);
    g_assert_cmpuint(command(&h, SET_DEQUEUE, slot, 1, (h.control.base + 16 * h.control.at) | h.control.cycle, NULL), ==, SUCCESS);
    g_assert_cmpuint(control_in(&h, slot, 0x80, 6, 1 << 8, 18, NULL), ==, SUCCESS);
    g_assert_cmpuint(command(&h, 12, slot + 1, 0, h.input, NULL), ==, NOT_ENABLED);
    g_assert_cmpuint(command(&h, 40, slot, 0, h.input, NULL), ==, TRB_ERROR);
    g_assert_cmpuint(command(&h, STOP_EP, slot, 9, 0, NULL), ==, 12);
    g_assert_cmpuint(command(&h, DISABLE_SLOT, slot, 0, 0, NULL), ==, SUCCESS);
    qtest_stop(h.q);
}

/* Rings go round many times, by their links. */
static void test_many_transfers(void)
{
    unsigned slot;
    Hc h;

    hc_start(&h, "-device usb-kbd,bus=usb.0");
    slot = address_tablet(&h);
    for (unsigned i = 0; i < 200; i++) {
        g_assert_cmpuint(control_in(&h, slot, 0x80, 0, 0, 2, NULL), ==, SUCCESS);
        g_assert_cmpuint(command(&h, CMD_NOOP, 0, 0, 0, NULL), ==, SUCCESS);
    }
    qtest_stop(h.q);
}

static void test_plug_and_unplug(void)
{
    unsigned slot;
    Event e;
    Hc h;

    hc_start(&h, "");
    g_assert_cmphex(rd(&h, PORTSC + 16 * P3) & 1, ==, 0);
    g_free(qtest_qmp(h.q, "{'execute': 'device_add', 'arguments': {'driver': 'usb-tablet', 'id': 't', 'bus': 'usb.0'}}"));
    e = wait_event(&h, PORT);
    g_assert_cmpuint(e.param >> 24, ==, P3 + 1);
    slot = address_tablet(&h);
    configure_tablet(&h, slot);
    put(&h, &h.interrupt, h.scratch, 8, NORMAL << 10 | IOC);
    wr(&h, DOORBELL + 4 * slot, 3);
    g_free(qtest_qmp(h.q, "{'execute': 'device_del', 'arguments': {'id': 't'}}"));
    g_free(qtest_qmp_event(h.q, "DEVICE_DELETED"));
    g_assert_cmpuint(wait_event(&h, TRANSFER).status >> 24, ==, 4);     /* what waited ends with a transaction error */
    g_assert_cmphex(rd(&h, PORTSC + 16 * P3) & (1 | 1 << 17), ==, 1 << 17);
    g_free(qtest_qmp(h.q, "{'execute': 'device_del', 'arguments': {'id': 'usb'}}"));
    qtest_stop(h.q);
}

/* --- hostile drivers --- */

static void test_rings_that_lead_nowhere(void)
{
    unsigned slot;
    Hc h;

    hc_start(&h, "-device usb-tablet,bus=usb.0");
    slot = address_tablet(&h);
    for (unsigned i = 0; i < 31; i++) {                 /* a ring of links to itself */
        qtest_write(h.q, h.control.base + 16 * i, 8, h.control.base);
        qtest_write(h.q, h.control.base + 16 * i + 12, 4, LINK << 10 | 1);
    }
    wr(&h, DOORBELL + 4 * slot, 1);
    for (unsigned tries = 0; !(rd(&h, USBSTS) & HSE); tries++) {
        g_assert_cmpuint(tries, <, 2000);
        qtest_clock_step(h.q, 1000);
    }
    wr(&h, USBCMD, HCRST);
    g_assert_cmphex(rd(&h, USBSTS), ==, HCH);
    wr64(&h, CRCR, 0xfffffffffff00001);                 /* no memory there */
    wr(&h, USBCMD, RUN);
    wr(&h, DOORBELL, 0);
    qtest_clock_step(h.q, 1000);
    for (unsigned i = 0; i < 256; i++) {
        wr(&h, DOORBELL + 4 * i, i);
    }
    qtest_clock_step(h.q, 1000);
    qtest_stop(h.q);
}

static void test_registers_as_memory(void)
{
    unsigned slot;
    Hc h;

    hc_start(&h, "-device usb-tablet,bus=usb.0");
    slot = address_tablet(&h);
    qtest_write(h.q, h.dcbaa + 8 * slot, 8, h.regs.addr + DOORBELL);    /* contexts are doorbells */
    command(&h, ADDRESS, slot, 0, h.input, NULL);
    for (unsigned i = 0; i < 20; i++) {                 /* data go to doorbells, too */
        put(&h, &h.control, 0x80 | 6 << 8 | 1ull << 24 | 18ull << 48, 8, SETUP << 10 | IDT);
        put(&h, &h.control, h.regs.addr + DOORBELL, 18, DATA << 10 | 1 << 16);
        put(&h, &h.control, 0, 0, STATUS << 10 | IOC);
    }
    wr(&h, DOORBELL + 4 * slot, 1);
    qtest_clock_step(h.q, 1000000);
    wr64(&h, ERDP, h.regs.addr);                        /* the dequeue pointer is not in the ring */
    wr(&h, DOORBELL, 0);
    put(&h, &h.commands, 0, 0, CMD_NOOP << 10);
    wr(&h, DOORBELL, 0);
    for (unsigned tries = 0; !(rd(&h, USBSTS) & (HCE | HSE)); tries++) {
        g_assert_cmpuint(tries, <, 2000);
        qtest_clock_step(h.q, 1000);
    }
    qtest_stop(h.q);
}

static void test_event_ring_fills_up(void)
{
    unsigned n = 0;
    Event e = { 0 };
    Hc h;

    hc_start(&h, "");
    for (unsigned i = 0; i < 100; i++) {
        put(&h, &h.commands, 0, 0, CMD_NOOP << 10);
        wr(&h, DOORBELL, 0);
        qtest_clock_step(h.q, 1000);
    }
    for (unsigned i = 0; i < EVENTS - 1; i++) {         /* taken without telling */
        if ((qtest_read(h.q, h.events + 16 * i + 12, 4) & 1)) {
            e.status = (uint32_t)qtest_read(h.q, h.events + 16 * i + 8, 4);
            n++;
        }
    }
    g_assert_cmpuint(n, ==, EVENTS - 1);
    g_assert_cmpuint(e.status >> 24, ==, 21);           /* the last tells that the ring is full */
    while (next_event(&h, &e)) {
    }
    g_assert_cmpuint(command(&h, CMD_NOOP, 0, 0, 0, NULL), ==, SUCCESS);
    qtest_stop(h.q);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/xhci/tablet", test_tablet_reports);
    g_test_add_func("/xhci/stall", test_stall_halts_until_reset);
    g_test_add_func("/xhci/many", test_many_transfers);
    g_test_add_func("/xhci/plug", test_plug_and_unplug);
    g_test_add_func("/xhci/rings-that-lead-nowhere", test_rings_that_lead_nowhere);
    g_test_add_func("/xhci/registers-as-memory", test_registers_as_memory);
    g_test_add_func("/xhci/event-ring-full", test_event_ring_fills_up);
    return g_test_run();
}
