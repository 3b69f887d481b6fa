/*
 * Packets: which function answers which; registers, memory, breakpoints, threads.
 *
 * A handler gets the packet's text behind its letter, ended by NUL; binary data of X follows its colon.
 */
#include "system/gdbstub/internal.h"

#include "accel/tcg/cpu-ops.h"
#include "system/runstate.h"

/* --- taking packets apart --- */

bool gdb_take_hex(char **p, uint64_t *v)
{
    unsigned n = 0;

    for (*v = 0; g_ascii_isxdigit(**p) && n < 16; n++) {
        *v = *v << 4 | (unsigned)g_ascii_xdigit_value(*(*p)++);
    }
    return n > 0 && !g_ascii_isxdigit(**p);
}

bool gdb_take_char(char **p, char c)
{
    return **p == c && (*p)++;
}

size_t gdb_from_hex(const char *hex, uint8_t *buf, size_t max)
{
    size_t n = 0;

    for (; n < max && g_ascii_isxdigit(hex[0]) && g_ascii_isxdigit(hex[1]); hex += 2) {
        buf[n++] = (uint8_t)(g_ascii_xdigit_value(hex[0]) << 4 | g_ascii_xdigit_value(hex[1]));
    }
    return n;
}

static void append_hex(GString *out, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        g_string_append_printf(out, "%02x", data[i]);
    }
}

/* --- CPUs as threads --- */

static Vcpu *cpu_of_index(unsigned index)
{
    Vcpu *cpu;

    CPU_FOREACH(cpu) {
        if (cpu->index == index) {
            return cpu;
        }
    }
    return NULL;
}

Vcpu *gdb_cpu(unsigned index)
{
    Vcpu *cpu = cpu_of_index(index);

    return cpu ? cpu : cpu_by_index(0);
}

char *gdb_thread_name(const GdbStub *s, const Vcpu *cpu)
{
    return s->multiprocess ? g_strdup_printf("p%02x.%02x", GDB_PID, cpu->index + 1) : g_strdup_printf("%02x", cpu->index + 1);
}

/* -1, or a number; *@v is 0 for any, UINT64_MAX for all. */
static bool take_id(char **p, uint64_t *v)
{
    if (gdb_take_char(p, '-')) {
        *v = UINT64_MAX;
        return gdb_take_char(p, '1');
    }
    return gdb_take_hex(p, v);
}

bool gdb_take_thread(GdbStub *s, char **p, GdbWhich *which, Vcpu **cpu)
{
    uint64_t pid = GDB_PID, tid = UINT64_MAX;

    if (gdb_take_char(p, 'p')) {
        if (!take_id(p, &pid) || (gdb_take_char(p, '.') && !take_id(p, &tid))) {
            return false;
        }
    } else if (!take_id(p, &tid)) {
        return false;
    }
    if (pid != GDB_PID && pid != 0 && pid != UINT64_MAX) {
        return false;
    }
    *which = tid == UINT64_MAX ? GDB_ALL : tid == 0 ? GDB_ANY : GDB_ONE;
    *cpu = *which == GDB_ONE && tid <= UINT_MAX ? cpu_of_index((unsigned)tid - 1) : NULL;
    return *which != GDB_ONE || *cpu;
}

/* Hc, Hg: what to go on with, whose registers. */
static void set_thread(GdbStub *s, char *p)
{
    char op = *p ? *p++ : '\0';
    GdbWhich which;
    Vcpu *cpu;

    if ((op != 'c' && op != 'g') || !gdb_take_thread(s, &p, &which, &cpu)) {
        gdb_reply_error(s, GDB_EINVAL);
        return;
    }
    if (which == GDB_ONE && op == 'c') {
        s->c_cpu = cpu->index;
    } else if (which == GDB_ONE) {
        s->g_cpu = cpu->index;
    }
    gdb_reply_ok(s);
}

static void thread_alive(GdbStub *s, char *p)
{
    GdbWhich which;
    Vcpu *cpu;

    if (gdb_take_thread(s, &p, &which, &cpu)) {
        gdb_reply_ok(s);
    } else {
        gdb_reply_error(s, GDB_EINVAL);
    }
}

/* --- registers --- */

static const GdbArch *arch_of(const Vcpu *cpu)
{
    return cpu ? vcpu_info(cpu)->gdb : NULL;
}

static void read_all_registers(GdbStub *s, char *p)
{
    Vcpu *cpu = gdb_cpu(s->g_cpu);
    g_autoptr(GString) out = g_string_new(NULL);
    uint8_t buf[GDB_REG_BYTES_MAX];
    unsigned size;

    for (unsigned n = 0; arch_of(cpu) && (size = arch_of(cpu)->read(cpu, n, buf)) != 0; n++) {
        append_hex(out, buf, size);
    }
    gdb_send(s, out->str, out->len);
}

typedef struct RegisterWrite {
    const uint8_t *data;
    size_t len;
    unsigned first;             /* the register that data begins with */
    bool ok;
} RegisterWrite;

/* On the CPU's thread, where mode changes belong. */
static void write_registers(Vcpu *cpu, void *opaque)
{
    RegisterWrite *w = opaque;
    uint8_t old[GDB_REG_BYTES_MAX];
    unsigned size;

    for (unsigned n = w->first; (size = arch_of(cpu)->read(cpu, n, old)) != 0 && size <= w->len; n++) {
        w->ok &= !memcmp(old, w->data, size) || arch_of(cpu)->write(cpu, n, w->data);
        w->data += size;
        w->len -= size;
    }
}

static bool do_write(GdbStub *s, RegisterWrite *w)
{
    Vcpu *cpu = gdb_cpu(s->g_cpu);

    w->ok = arch_of(cpu) != NULL;
    if (w->ok) {
        run_on_cpu(cpu, write_registers, w);
    }
    return w->ok;
}

static void write_all_registers(GdbStub *s, char *p)
{
    g_autofree uint8_t *data = g_malloc(GDB_PACKET_MAX / 2);
    RegisterWrite w = { .data = data, .len = gdb_from_hex(p, data, GDB_PACKET_MAX / 2) };

    if (do_write(s, &w)) {
        gdb_reply_ok(s);
    } else {
        gdb_reply_error(s, GDB_EINVAL);
    }
}

static void read_register(GdbStub *s, char *p)
{
    Vcpu *cpu = gdb_cpu(s->g_cpu);
    g_autoptr(GString) out = g_string_new(NULL);
    uint8_t buf[GDB_REG_BYTES_MAX];
    unsigned size = 0;
    uint64_t n;

    if (!gdb_take_hex(&p, &n)) {
        gdb_reply_error(s, GDB_EINVAL);
        return;
    }
    if (arch_of(cpu) && n < UINT_MAX) {
        size = arch_of(cpu)->read(cpu, (unsigned)n, buf);
    }
    if (!size) {
        gdb_reply_error(s, GDB_EFAULT);
        return;
    }
    append_hex(out, buf, size);
    gdb_send(s, out->str, out->len);
}

static void write_register(GdbStub *s, char *p)
{
    Vcpu *cpu = gdb_cpu(s->g_cpu);
    uint8_t data[GDB_REG_BYTES_MAX], old[GDB_REG_BYTES_MAX];
    RegisterWrite w = { .data = data };
    uint64_t n;

    if (!gdb_take_hex(&p, &n) || n >= UINT_MAX || !gdb_take_char(&p, '=')) {
        gdb_reply_error(s, GDB_EINVAL);
        return;
    }
    w.first = (unsigned)n;
    w.len = arch_of(cpu) ? arch_of(cpu)->read(cpu, w.first, old) : 0;
    if (!w.len) {
        gdb_reply_error(s, GDB_EFAULT);
        return;
    }
    memcpy(data, old, w.len);                   /* a shorter value leaves the rest */
    gdb_from_hex(p, data, w.len);
    if (do_write(s, &w)) {
        gdb_reply_ok(s);
    } else {
        gdb_reply_error(s, GDB_EINVAL);
    }
}

/* --- memory --- */

static bool access_memory(GdbStub *s, uint64_t addr, uint8_t *buf, size_t len, bool is_write)
{
    Vcpu *cpu = gdb_cpu(s->g_cpu);

    if (s->physical) {
        return address_space_rw(cpu && cpu->as ? cpu->as : &address_space_memory, addr, MEMTXATTRS_UNSPECIFIED, buf, len, is_write)
            == MEMTX_OK;
    }
    return cpu && cpu_memory_rw_debug(cpu, addr, buf, len, is_write);
}

/* ADDR,LEN */
static bool take_range(char **p, uint64_t *addr, uint64_t *len)
{
    return gdb_take_hex(p, addr) && gdb_take_char(p, ',') && gdb_take_hex(p, len);
}

static void read_memory(GdbStub *s, char *p)
{
    g_autoptr(GString) out = g_string_new(NULL);
    g_autofree uint8_t *data = NULL;
    uint64_t addr, len;

    if (!take_range(&p, &addr, &len) || len > GDB_PACKET_MAX / 2) {
        gdb_reply_error(s, GDB_EINVAL);
        return;
    }
    data = g_malloc(len + 1);
    if (!access_memory(s, addr, data, len, false)) {
        gdb_reply_error(s, GDB_EFAULT);
        return;
    }
    append_hex(out, data, len);
    gdb_send(s, out->str, out->len);
}

static void store_memory(GdbStub *s, uint64_t addr, uint8_t *data, size_t len, uint64_t want)
{
    if (len != want) {
        gdb_reply_error(s, GDB_EINVAL);
    } else if (!access_memory(s, addr, data, len, true)) {
        gdb_reply_error(s, GDB_EFAULT);
    } else {
        gdb_reply_ok(s);
    }
}

static void write_memory(GdbStub *s, char *p)
{
    g_autofree uint8_t *data = g_malloc(GDB_PACKET_MAX / 2);
    uint64_t addr, len;

    if (!take_range(&p, &addr, &len) || !gdb_take_char(&p, ':')) {
        gdb_reply_error(s, GDB_EINVAL);
        return;
    }
    store_memory(s, addr, data, gdb_from_hex(p, data, GDB_PACKET_MAX / 2), len);
}

static void write_binary(GdbStub *s, char *p)
{
    uint64_t addr, len;

    if (!take_range(&p, &addr, &len) || !gdb_take_char(&p, ':')) {
        gdb_reply_error(s, GDB_EINVAL);
        return;
    }
    store_memory(s, addr, (uint8_t *)p, s->packet + s->len - p, len);
}

/* --- breakpoints --- */

static CpuWatchpoint watchpoint_of(const GdbBreakpoint *b)
{
    return (CpuWatchpoint){ .va = b->addr, .len = b->len, .on_read = b->type != 2, .on_write = b->type != 3 };
}

static bool insert(const GdbBreakpoint *b)
{
    CpuWatchpoint w = watchpoint_of(b);

    return b->type <= 1 ? cpu_breakpoint_insert(b->addr) : cpu_watchpoint_insert(&w);
}

static void remove_from_cpus(const GdbBreakpoint *b)
{
    CpuWatchpoint w = watchpoint_of(b);
    bool was_there = b->type <= 1 ? cpu_breakpoint_remove(b->addr) : cpu_watchpoint_remove(&w);

    assert(was_there);
}

static bool insert_breakpoint(GdbStub *s, const GdbBreakpoint *b)
{
    if (!insert(b)) {
        return false;
    }
    g_array_append_vals(s->breakpoints, b, 1);
    return true;
}

static bool remove_breakpoint(GdbStub *s, const GdbBreakpoint *want)
{
    for (unsigned i = 0; i < s->breakpoints->len; i++) {
        const GdbBreakpoint *b = &g_array_index(s->breakpoints, GdbBreakpoint, i);

        if (b->type == want->type && b->addr == want->addr && (b->type <= 1 || b->len == want->len)) {
            remove_from_cpus(b);
            g_array_remove_index_fast(s->breakpoints, i);
            return true;
        }
    }
    return false;
}

void gdb_remove_all_breakpoints(GdbStub *s)
{
    for (unsigned i = 0; i < s->breakpoints->len; i++) {
        remove_from_cpus(&g_array_index(s->breakpoints, GdbBreakpoint, i));
    }
    g_array_set_size(s->breakpoints, 0);
}

/* Z and z: TYPE,ADDR,LEN */
static void change_breakpoint(GdbStub *s, char *p, bool (*change)(GdbStub *s, const GdbBreakpoint *b))
{
    GdbBreakpoint b = { .type = (unsigned)(*p - '0') };

    if (b.type > 4) {
        gdb_reply_unsupported(s);
    } else if (p++, !gdb_take_char(&p, ',') || !take_range(&p, &b.addr, &b.len) || !change(s, &b)) {
        gdb_reply_error(s, GDB_EINVAL);
    } else {
        gdb_reply_ok(s);
    }
}

static void on_insert(GdbStub *s, char *p)
{
    change_breakpoint(s, p, insert_breakpoint);
}

static void on_remove(GdbStub *s, char *p)
{
    change_breakpoint(s, p, remove_breakpoint);
}

/* --- the process --- */

/* The debugger begins: whatever an earlier one left is gone. */
static void why_stopped(GdbStub *s, char *p)
{
    gdb_remove_all_breakpoints(s);
    s->attached = true;
    gdb_reply_stop(s, 5);
}

static void on_detach(GdbStub *s, char *p)
{
    uint64_t pid = GDB_PID;

    if (gdb_take_char(&p, ';') && (!gdb_take_hex(&p, &pid) || pid != GDB_PID)) {
        gdb_reply_error(s, GDB_EINVAL);
        return;
    }
    gdb_reply_ok(s);
    gdb_detach(s);
}

static void end_emulator(void)
{
    error_report("Terminated via GDBstub");
    system_shutdown_request_with_code(SHUTDOWN_CAUSE_GUEST_SHUTDOWN, 0);
}

static void on_kill(GdbStub *s, char *p)
{
    end_emulator();
}

/* On the CPU's thread, which reads what mode it is in and may hold its state in a form of its own. */
static void go_to(Vcpu *cpu, void *addr)
{
    vcpu_info(cpu)->set_pc(cpu, *(const uint64_t *)addr);
}

/* c and s, perhaps with the address to go on at. */
static void go_on(GdbStub *s, char *p, bool step)
{
    Vcpu *cpu = gdb_cpu(s->c_cpu);
    bool elsewhere = *p != '\0';
    uint64_t addr;

    if (elsewhere && (!gdb_take_hex(&p, &addr) || *p)) {
        gdb_reply_error(s, GDB_EINVAL);
        return;
    }
    if (elsewhere && cpu) {
        run_on_cpu(cpu, go_to, &addr);
    }
    gdb_resume(s, step);
}

static void on_continue(GdbStub *s, char *p)
{
    go_on(s, p, false);
}

static void on_step(GdbStub *s, char *p)
{
    go_on(s, p, true);
}

/* With a signal, which no CPU takes: it is as without. */
static void on_continue_signal(GdbStub *s, char *p)
{
    gdb_resume(s, false);
}

static void on_step_signal(GdbStub *s, char *p)
{
    gdb_resume(s, true);
}

static void on_v(GdbStub *s, char *p)
{
    uint64_t pid;

    if (g_str_has_prefix(p, "Cont?")) {
        gdb_reply(s, "vCont;c;C;s;S");
    } else if (g_str_has_prefix(p, "Cont")) {
        gdb_vcont(s, p + 4);
    } else if (g_str_has_prefix(p, "Attach;") && (p += 7)) {
        if (gdb_take_hex(&p, &pid) && pid == GDB_PID) {
            s->attached = true;
            gdb_reply_stop(s, 5);
        } else {
            gdb_reply_error(s, GDB_EINVAL);
        }
    } else if (g_str_has_prefix(p, "Kill;") && (p += 5)) {
        if (gdb_take_hex(&p, &pid) && pid == GDB_PID) {
            gdb_reply_ok(s);
            end_emulator();
        } else {
            gdb_reply_error(s, GDB_EINVAL);
        }
    } else {
        gdb_reply_unsupported(s);
    }
}

static void extended_mode(GdbStub *s, char *p)
{
    gdb_reply_ok(s);
}

void gdb_packet(GdbStub *s, char *p, unsigned len)
{
    static void (*const by_letter[128])(GdbStub *s, char *p) = {
        ['!'] = extended_mode, ['?'] = why_stopped,
        ['c'] = on_continue, ['C'] = on_continue_signal, ['s'] = on_step, ['S'] = on_step_signal, ['v'] = on_v,
        ['D'] = on_detach, ['k'] = on_kill,
        ['g'] = read_all_registers, ['G'] = write_all_registers, ['p'] = read_register, ['P'] = write_register,
        ['m'] = read_memory, ['M'] = write_memory, ['X'] = write_binary,
        ['H'] = set_thread, ['T'] = thread_alive,
        ['q'] = gdb_query, ['Q'] = gdb_set,
        ['Z'] = on_insert, ['z'] = on_remove,
    };
    uint8_t letter = (uint8_t)*p;

    if (letter < ARRAY_SIZE(by_letter) && by_letter[letter]) {
        by_letter[letter](s, p + 1);
    } else {
        gdb_reply_unsupported(s);
    }
}
