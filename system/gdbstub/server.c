/*
 * The stub's connection: packets in and out, and what the machine's starting and stopping means to it.
 *
 * A packet is $data#sum (GDB manual, "Overview" of the remote protocol): } escapes a byte, x*n repeats x;
 * each is acknowledged by + or refused by -, until QStartNoAckMode.
 *
 * Invariant: a stop reply is sent exactly once for each packet that made the machine run.
 */
#include "system/gdbstub/internal.h"

#include "system/gdbstub.h"
#include "system/runstate.h"
#include "util/main-loop.h"

#include <stdarg.h>

/* GDB's numbers (include/gdb/signals.def of GDB) */
enum { SIGNAL_INT = 2, SIGNAL_QUIT = 3, SIGNAL_TRAP = 5, SIGNAL_ABRT = 6, SIGNAL_ALRM = 14, SIGNAL_IO = 23, SIGNAL_XCPU = 24,
       SIGNAL_UNKNOWN = 143 };

static GdbStub *stub;           /* the process has one at most */

/* --- output --- */

static void put_bytes(GdbStub *s, const char *data, size_t len)
{
    g_string_append_len(s->out.text, data, len);
    char_out_flush(&s->out);
}

static bool needs_escape(char c)
{
    return c == '$' || c == '#' || c == '}' || c == '*';
}

void gdb_send(GdbStub *s, const char *data, size_t len)
{
    g_autoptr(GString) p = g_string_sized_new(len + 8);
    uint8_t sum = 0;

    g_string_append_c(p, '$');
    for (size_t i = 0; i < len; i++) {
        if (needs_escape(data[i])) {
            g_string_append_c(p, '}');
            g_string_append_c(p, data[i] ^ 0x20);
        } else {
            g_string_append_c(p, data[i]);
        }
    }
    for (size_t i = 1; i < p->len; i++) {
        sum += (uint8_t)p->str[i];
    }
    g_string_append_printf(p, "#%02x", sum);
    if (!s->no_ack) {
        g_string_truncate(s->last, 0);
        g_string_append_len(s->last, p->str, p->len);
    }
    put_bytes(s, p->str, p->len);
}

void gdb_reply(GdbStub *s, const char *fmt, ...)
{
    g_autofree char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    gdb_send(s, text, strlen(text));
}

void gdb_reply_ok(GdbStub *s)
{
    gdb_send(s, "OK", 2);
}

void gdb_reply_error(GdbStub *s, unsigned number)
{
    gdb_reply(s, "E%02u", number);
}

void gdb_reply_unsupported(GdbStub *s)
{
    gdb_send(s, "", 0);
}

/* "watch:ADDR;" and its like for what the CPU met; "" for a plain stop. */
static char *stop_detail(const GdbStub *s, const Vcpu *cpu)
{
    const CpuWatchpoint *w = &cpu->watch_hit;

    if (cpu->debug_stop == DEBUG_STOP_WATCHPOINT) {
        return g_strdup_printf("%swatch:%" PRIx64 ";", !w->on_read ? "" : w->on_write ? "a" : "r", w->va);
    }
    if (cpu->debug_stop == DEBUG_STOP_BREAKPOINT && s->reports_breaks) {
        vaddr pc = vcpu_info(cpu)->get_pc((Vcpu *)cpu);

        for (unsigned i = 0; i < s->breakpoints->len; i++) {
            const GdbBreakpoint *b = &g_array_index(s->breakpoints, GdbBreakpoint, i);

            if (b->type <= 1 && b->addr == pc) {
                return g_strdup(b->type ? "hwbreak:;" : "swbreak:;");
            }
        }
    }
    return g_strdup("");
}

void gdb_reply_stop(GdbStub *s, unsigned signal)
{
    Vcpu *cpu = gdb_cpu(s->c_cpu);
    g_autofree char *thread = cpu ? gdb_thread_name(s, cpu) : NULL, *detail = NULL;

    if (!cpu) {
        gdb_reply(s, "S%02x", signal);
        return;
    }
    detail = signal == SIGNAL_TRAP ? stop_detail(s, cpu) : g_strdup("");
    s->g_cpu = s->c_cpu = cpu->index;
    gdb_reply(s, "T%02xthread:%s;%s", signal, thread, detail);
    if (signal == SIGNAL_TRAP) {
        cpu->debug_stop = DEBUG_STOP_NONE;      /* else it is still to be told */
    }
}

/* --- input --- */

static void end_of_packet(GdbStub *s)
{
    bool good = s->sum == s->want_sum && !s->too_long;

    s->parse = GDB_IDLE;
    if (!s->no_ack) {
        put_bytes(s, good ? "+" : "-", 1);
    }
    if (!good) {
        return;
    }
    s->packet[s->len] = '\0';
    gdb_packet(s, s->packet, s->len);
}

static void store(GdbStub *s, char c)
{
    if (s->len < GDB_PACKET_MAX) {
        s->packet[s->len++] = c;
    } else {
        s->too_long = true;
    }
}

/* x*n: x again n - 29 times; n is printable. */
static void repeat(GdbStub *s, uint8_t n)
{
    char c = s->len ? s->packet[s->len - 1] : '\0';

    if (n < ' ' || n > '~' || !s->len) {
        s->too_long = true;
        return;
    }
    for (unsigned i = 0; i < n - 29u; i++) {
        store(s, c);
    }
}

static void idle_byte(GdbStub *s, uint8_t c)
{
    switch (c) {
    case '+':
        g_string_truncate(s->last, 0);
        break;
    case '-':
        if (!char_out_is_full(&s->out)) {    /* a byte asks for a whole packet: whoever reads none need not ask again */
            put_bytes(s, s->last->str, s->last->len);
        }
        break;
    case '$':
        s->parse = GDB_PACKET;
        s->len = 0;
        s->sum = 0;
        s->too_long = false;
        break;
    default:                            /* 0x03 has done its work: the machine stands; noise */
        break;
    }
}

static void packet_byte(GdbStub *s, uint8_t c)
{
    if (c == '#') {
        s->parse = GDB_SUM1;
        return;
    }
    s->sum += c;
    if (c == '}') {
        s->parse = GDB_ESCAPED;
    } else if (c == '*') {
        s->parse = GDB_RUN_LENGTH;
    } else {
        store(s, (char)c);
    }
}

static void take_byte(GdbStub *s, uint8_t c)
{
    switch (s->parse) {
    case GDB_IDLE:
        idle_byte(s, c);
        break;
    case GDB_PACKET:
        packet_byte(s, c);
        break;
    case GDB_ESCAPED:
        s->sum += c;
        store(s, (char)(c ^ 0x20));
        s->parse = GDB_PACKET;
        break;
    case GDB_RUN_LENGTH:
        s->sum += c;
        repeat(s, c);
        s->parse = GDB_PACKET;
        break;
    case GDB_SUM1:
        s->want_sum = (uint8_t)(g_ascii_xdigit_value((char)c) << 4);
        s->parse = GDB_SUM2;
        break;
    case GDB_SUM2:
        s->want_sum |= (uint8_t)(g_ascii_xdigit_value((char)c) & 15);
        end_of_packet(s);
        break;
    }
}

static size_t on_can_receive(void *opaque)
{
    return char_out_is_full(&((const GdbStub *)opaque)->out) ? 0 : GDB_IN_MAX;
}

static void on_receive(void *opaque, const uint8_t *buf, size_t len)
{
    GdbStub *s = opaque;

    s->busy = true;
    for (size_t i = 0; i < len && stub == s; i++) {
        /* Acknowledgements aside, the debugger speaks to a machine that stands. */
        if (s->parse == GDB_IDLE && buf[i] != '+' && buf[i] != '-' && runstate_is_running()) {
            vm_stop(RUN_STATE_PAUSED);
        }
        take_byte(s, buf[i]);
    }
    s->busy = false;
}

/* --- the machine starts and stops --- */

static unsigned signal_for(RunState state)
{
    switch (state) {
    case RUN_STATE_DEBUG:           return SIGNAL_TRAP;
    case RUN_STATE_PAUSED:          return SIGNAL_INT;
    case RUN_STATE_SHUTDOWN:        return SIGNAL_QUIT;
    case RUN_STATE_IO_ERROR:        return SIGNAL_IO;
    case RUN_STATE_WATCHDOG:        return SIGNAL_ALRM;
    case RUN_STATE_INTERNAL_ERROR:  return SIGNAL_ABRT;
    case RUN_STATE_FINISH_MIGRATE:  return SIGNAL_XCPU;
    default:                        return SIGNAL_UNKNOWN;
    }
}

static void on_vm_state(void *opaque, bool running, RunState state)
{
    GdbStub *s = stub;
    Vcpu *cpu;

    if (running) {
        return;
    }
    CPU_FOREACH(cpu) {
        cpu->singlestep = 0;
    }
    if (s && s->connected && s->waiting && state != RUN_STATE_SAVE_VM && state != RUN_STATE_RESTORE_VM) {
        s->waiting = false;
        gdb_reply_stop(s, signal_for(state));
    }
}

void gdbstub_cpu_stopped(Vcpu *cpu)
{
    GdbStub *s = stub;
    Vcpu *other = s ? gdb_cpu(s->c_cpu) : NULL;

    /* The first one to stop is the one to tell of; what another met as well is told when it goes on. */
    if (s && (!other || other->debug_stop == DEBUG_STOP_NONE)) {
        s->c_cpu = cpu->index;
    }
}

void gdbstub_exit(int status)
{
    if (stub && stub->connected && stub->attached) {
        gdb_reply(stub, stub->multiprocess ? "W%02x;process:1" : "W%02x", status & 0xff);
    }
}

/* --- life --- */

static void session_begin(GdbStub *s)
{
    Vcpu *cpu = cpu_by_index(0);

    s->connected = s->attached = true;
    s->waiting = s->no_ack = s->multiprocess = s->reports_breaks = s->physical = false;
    s->parse = GDB_IDLE;
    s->sstep = SSTEP_ENABLE | SSTEP_NOIRQ | SSTEP_NOTIMER;
    s->g_cpu = s->c_cpu = cpu ? cpu->index : 0;
    s->next_thread = 0;
    g_string_truncate(s->last, 0);
    if (runstate_is_running()) {
        vm_stop(RUN_STATE_PAUSED);
    }
}

/* Nobody is left who would let a stopped guest go on: it shall meet no breakpoint. */
static void session_end(GdbStub *s)
{
    s->connected = s->attached = s->waiting = false;
    char_out_clear(&s->out);
    gdb_remove_all_breakpoints(s);
}

static void on_event(void *opaque, CharEvent ev)
{
    if (ev == CHAR_EVENT_OPENED) {
        session_begin(opaque);
    } else if (ev == CHAR_EVENT_CLOSED) {
        session_end(opaque);
    }
}

static void on_writable(void *opaque)
{
    char_out_writable(&((GdbStub *)opaque)->out);
}

static const CharHandlers handlers = {
    .can_receive = on_can_receive,
    .receive = on_receive,
    .event = on_event,
    .writable = on_writable,
};

static void stub_free(void *opaque)
{
    GdbStub *s = opaque;
    Error *err = NULL;

    session_end(s);
    char_backend_deinit(&s->be);
    if (s->own && !chardev_remove(s->own->label, &err)) {
        warn_report_err(err);
    }
    char_out_fini(&s->out);
    g_string_free(s->last, true);
    g_array_free(s->breakpoints, true);
    g_free(s);
}

static void stop(void)
{
    GdbStub *s = g_steal_pointer(&stub);

    if (s && s->busy) {                 /* at work on the very packet that asks for its end */
        session_end(s);
        bh_schedule_once(stub_free, s);
    } else if (s) {
        stub_free(s);
    }
}

/* "tcp:" has QEMU's defaults for a server. */
static Chardev *open_device(GdbStub *s, const char *device, Error **errp)
{
    static unsigned made;
    g_autofree char *text = g_str_has_prefix(device, "tcp:") ? g_strdup_printf("%s,wait=off,nodelay=on,server=on", device)
        : g_strdup(device);
    g_autofree char *id = made ? g_strdup_printf("gdb%u", made) : g_strdup("gdb");
    Chardev *c = chardev_new_legacy(id, text, errp);

    if (c && !g_str_has_prefix(device, "chardev:")) {
        s->own = c;
        made++;
    }
    return c;
}

bool gdbstub_start(const char *device, Error **errp)
{
    static bool notified;
    GdbStub *s;
    Chardev *c;

    stop();
    if (!strcmp(device, "none")) {
        return true;
    }
    if (!cpu_debug_supported()) {
        error_setg(errp, "the accelerator in use has no support for a debugger");
        return false;
    }
    s = g_new0(GdbStub, 1);
    char_out_init(&s->out, &s->be, GDB_OUT_HIGH);
    s->last = g_string_new(NULL);
    s->breakpoints = g_array_new(false, false, sizeof(GdbBreakpoint));
    c = open_device(s, device, errp);
    if (!c || !char_backend_init(&s->be, c, errp)) {
        stub_free(s);
        return false;
    }
    if (!notified) {
        vm_state_notify_add(on_vm_state, NULL);
        notified = true;
    }
    stub = s;
    char_backend_set_handlers(&s->be, &handlers, s);
    return true;
}
