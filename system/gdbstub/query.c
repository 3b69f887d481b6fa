/*
 * q and Q packets: what the stub can do, threads, target description, monitor commands, qqemu.*.
 */
#include "system/gdbstub/internal.h"

#include "system/monitor.h"
#include "system/runstate.h"

#define CONSOLE_CHUNK ((GDB_PACKET_MAX - 1) / 4)     /* all of it may be line feeds, sent as CR LF */

/* --- features --- */

static bool offers(const char *list, const char *feature)
{
    g_auto(GStrv) all = g_strsplit(list, ";", -1);

    return g_strv_contains((const char *const *)all, feature);
}

static void supported(GdbStub *s, char *p)
{
    const Vcpu *cpu = gdb_cpu(s->g_cpu);

    s->multiprocess = offers(p, "multiprocess+");
    s->reports_breaks = offers(p, "swbreak+") && offers(p, "hwbreak+");
    gdb_reply(s, "PacketSize=%x%s;vContSupported+;multiprocess+;QStartNoAckMode+;swbreak+;hwbreak+", GDB_PACKET_MAX,
              cpu && vcpu_info(cpu)->gdb ? ";qXfer:features:read+" : "");
}

/* features:read:FILE:OFFSET,LENGTH */
static void transfer(GdbStub *s, char *p)
{
    Vcpu *cpu = gdb_cpu(s->g_cpu);
    g_autofree char *xml = NULL, *out = NULL;
    char *colon = strchr(p, ':');
    uint64_t from, len, all;

    if (!colon || !cpu || !vcpu_info(cpu)->gdb) {
        gdb_reply_error(s, GDB_EINVAL);
        return;
    }
    *colon++ = '\0';
    if (!gdb_take_hex(&colon, &from) || !gdb_take_char(&colon, ',') || !gdb_take_hex(&colon, &len)) {
        gdb_reply_error(s, GDB_EINVAL);
        return;
    }
    xml = vcpu_info(cpu)->gdb->xml(cpu, p);
    all = xml ? strlen(xml) : 0;
    if (!xml || from > all) {
        gdb_reply_error(s, 0);
        return;
    }
    len = MIN(len, MIN(all - from, GDB_PACKET_MAX / 2 - 1));        /* every byte may have to be escaped */
    out = g_strdup_printf("%c%.*s", from + len < all ? 'm' : 'l', (int)len, xml + from);
    gdb_send(s, out, len + 1);
}

/* --- threads --- */

static void next_thread(GdbStub *s, char *p)
{
    Vcpu *cpu = cpu_at(s->next_thread);
    g_autofree char *name = cpu ? gdb_thread_name(s, cpu) : NULL;

    if (!cpu) {
        gdb_reply(s, "l");
        return;
    }
    s->next_thread++;
    gdb_reply(s, "m%s", name);
}

static void first_thread(GdbStub *s, char *p)
{
    s->next_thread = 0;
    next_thread(s, p);
}

static void current_thread(GdbStub *s, char *p)
{
    const Vcpu *cpu = gdb_cpu(s->g_cpu);
    g_autofree char *name = cpu ? gdb_thread_name(s, cpu) : NULL;

    gdb_reply(s, "QC%s", name ? name : "0");
}

static void thread_info(GdbStub *s, char *p)
{
    g_autoptr(GString) hex = g_string_new(NULL);
    g_autofree char *text = NULL;
    GdbWhich which;
    Vcpu *cpu;

    if (!gdb_take_thread(s, &p, &which, &cpu) || which != GDB_ONE) {
        gdb_reply_error(s, GDB_EINVAL);
        return;
    }
    text = g_strdup_printf("CPU#%u [%s]", cpu->index, __atomic_load_n(&cpu->halted, __ATOMIC_RELAXED) ? "halted " : "running");
    for (const char *c = text; *c; c++) {
        g_string_append_printf(hex, "%02x", (uint8_t)*c);
    }
    gdb_send(s, hex->str, hex->len);
}

/* A debugger attached to what was there already: it is to detach, not to kill, when it ends. */
static void attached(GdbStub *s, char *p)
{
    gdb_reply(s, "1");
}

/* --- monitor commands --- */

static void print(GdbStub *s, const char *text, size_t len)
{
    while (len) {
        size_t n = MIN(len, CONSOLE_CHUNK);
        g_autoptr(GString) out = g_string_new("O");

        for (size_t i = 0; i < n; i++) {
            g_string_append_printf(out, text[i] == '\n' ? "0d%02x" : "%02x", (uint8_t)text[i]);
        }
        gdb_send(s, out->str, out->len);
        text += n;
        len -= n;
    }
}

static void monitor_command(GdbStub *s, char *p)
{
    size_t digits = strlen(p);
    g_autofree char *line = g_malloc0(digits / 2 + 1), *output = NULL;

    if (!digits || digits % 2 || gdb_from_hex(p, (uint8_t *)line, digits / 2) != digits / 2) {
        gdb_reply_error(s, GDB_EINVAL);
        return;
    }
    output = monitor_run_line(line, gdb_cpu(s->g_cpu) ? (int)gdb_cpu(s->g_cpu)->index : 0);
    if (s->connected) {                         /* the command may have ended us */
        print(s, output, strlen(output));
        gdb_reply_ok(s);
    }
}

/* --- qqemu.*: how to step, what addresses mean --- */

static void step_bits(GdbStub *s, char *p)
{
    gdb_reply(s, "ENABLE=%x,NOIRQ=%x,NOTIMER=%x", SSTEP_ENABLE, SSTEP_NOIRQ, SSTEP_NOTIMER);
}

static void get_step(GdbStub *s, char *p)
{
    gdb_reply(s, "0x%x", s->sstep);
}

static void set_step(GdbStub *s, char *p)
{
    uint64_t v;

    if (g_str_has_prefix(p, "0x")) {
        p += 2;
    }
    if (!gdb_take_hex(&p, &v) || *p || (v & ~(uint64_t)(SSTEP_ENABLE | SSTEP_NOIRQ | SSTEP_NOTIMER)) || !(v & SSTEP_ENABLE)) {
        gdb_reply_error(s, GDB_EINVAL);
        return;
    }
    s->sstep = (unsigned)v;
    gdb_reply_ok(s);
}

static void get_physical(GdbStub *s, char *p)
{
    gdb_reply(s, "%d", s->physical);
}

static void set_physical(GdbStub *s, char *p)
{
    uint64_t v;

    if (!gdb_take_hex(&p, &v) || *p || v > 1) {
        gdb_reply_error(s, GDB_EINVAL);
        return;
    }
    s->physical = v;
    gdb_reply_ok(s);
}

static void no_ack(GdbStub *s, char *p)
{
    gdb_reply_ok(s);
    s->no_ack = true;
}

/* --- which is which --- */

typedef struct Query {
    const char *name;
    char follows;               /* what must come behind the name; 0 = nothing, '*' = anything */
    void (*fn)(GdbStub *s, char *p);
} Query;

static const Query queries[] = {
    { "Supported", '*', supported },
    { "Xfer:features:read", ':', transfer },
    { "fThreadInfo", 0, first_thread },
    { "sThreadInfo", 0, next_thread },
    { "ThreadExtraInfo", ',', thread_info },
    { "C", 0, current_thread },
    { "Attached", '*', attached },
    { "Rcmd", ',', monitor_command },
    { "qemu.sstepbits", 0, step_bits },
    { "qemu.sstep", 0, get_step },
    { "qemu.PhyMemMode", 0, get_physical },
};

static const Query sets[] = {
    { "StartNoAckMode", 0, no_ack },
    { "qemu.sstep", '=', set_step },
    { "qemu.sstep", ':', set_step },
    { "qemu.PhyMemMode", ':', set_physical },
};

static void dispatch(GdbStub *s, char *p, const Query *table, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const Query *q = &table[i];
        char *rest = p + strlen(q->name);

        if (!strncmp(p, q->name, strlen(q->name)) && (q->follows == '*' || *rest == q->follows)) {
            q->fn(s, *rest ? rest + 1 : rest);
            return;
        }
    }
    gdb_reply_unsupported(s);
}

void gdb_query(GdbStub *s, char *p)
{
    dispatch(s, p, queries, ARRAY_SIZE(queries));
}

void gdb_set(GdbStub *s, char *p)
{
    dispatch(s, p, sets, ARRAY_SIZE(sets));
}
