/*
 * The qtest commands: ports, memory, time; interrupts are in irq.c.
 *
 * Numbers are decimal, 0x hexadecimal or 0 octal.  Memory is that of the machine's first address
 * space, values are in the machine's byte order (every present machine's is little-endian).  Data is
 * 0x and two digits a byte: what is missing counts as zero, what is too much is ignored.
 */
#include "system/qtest/internal.h"

#include "system/memory.h"
#include "util/timer.h"

#define MEMSET_MAX (1 * GiB)

typedef struct Command {
    const char *name;
    unsigned min_args;
    void (*fn)(Qtest *s, char **words, unsigned n_words);
    bool needs_manual_clock;        /* known only with -accel qtest */
} Command;

bool qtest_parse_u64(const char *text, uint64_t *v)
{
    char *end;

    if (!g_ascii_isdigit(*text)) {
        return false;
    }
    errno = 0;
    *v = g_ascii_strtoull(text, &end, 0);
    return !errno && !*end;
}

/* The @i-th argument as a number up to @max; else a FAIL was sent. */
static bool number(Qtest *s, char **words, unsigned i, uint64_t max, uint64_t *v)
{
    if (!qtest_parse_u64(words[i], v)) {
        qtest_reply(s, "FAIL %s: '%.64s' is not a number", words[0], words[i]);
        return false;
    }
    if (*v > max) {
        qtest_reply(s, "FAIL %s: %s is more than 0x%" PRIx64, words[0], words[i], max);
        return false;
    }
    return true;
}

/* --- ports and values --- */

/* The letter at the end says how wide. */
static unsigned size_of(const char *command)
{
    switch (command[strlen(command) - 1]) {
    case 'b': return 1;
    case 'w': return 2;
    case 'l': return 4;
    default:  return 8;
    }
}

static uint64_t low_bits(uint64_t v, unsigned size)
{
    return extract64(v, 0, size * 8);
}

static void do_in(Qtest *s, char **words, unsigned n_words)
{
    uint64_t port;

    if (number(s, words, 1, UINT16_MAX, &port)) {
        qtest_reply(s, "OK 0x%04" PRIx64, address_space_ld(&address_space_io, port, size_of(words[0]), false,
                                                           MEMTXATTRS_UNSPECIFIED, NULL));
    }
}

static void do_out(Qtest *s, char **words, unsigned n_words)
{
    unsigned size = size_of(words[0]);
    uint64_t port, v;

    if (number(s, words, 1, UINT16_MAX, &port) && number(s, words, 2, UINT32_MAX, &v)) {
        address_space_st(&address_space_io, port, low_bits(v, size), size, false, MEMTXATTRS_UNSPECIFIED, NULL);
        qtest_reply(s, "OK");
    }
}

static void do_read_value(Qtest *s, char **words, unsigned n_words)
{
    uint64_t addr;

    if (number(s, words, 1, UINT64_MAX, &addr)) {
        qtest_reply(s, "OK 0x%016" PRIx64, address_space_ld(&address_space_memory, addr, size_of(words[0]), false,
                                                            MEMTXATTRS_UNSPECIFIED, NULL));
    }
}

static void do_write_value(Qtest *s, char **words, unsigned n_words)
{
    unsigned size = size_of(words[0]);
    uint64_t addr, v;

    if (number(s, words, 1, UINT64_MAX, &addr) && number(s, words, 2, UINT64_MAX, &v)) {
        address_space_st(&address_space_memory, addr, low_bits(v, size), size, false, MEMTXATTRS_UNSPECIFIED, NULL);
        qtest_reply(s, "OK");
    }
}

/* --- data --- */

/* ADDR SIZE of the data commands. */
static bool range(Qtest *s, char **words, uint64_t max_len, uint64_t *addr, uint64_t *len)
{
    return number(s, words, 1, UINT64_MAX, addr) && number(s, words, 2, max_len, len);
}

static uint8_t *read_memory(uint64_t addr, uint64_t len)
{
    uint8_t *data = g_malloc0(MAX(len, 1));

    address_space_read(&address_space_memory, addr, MEMTXATTRS_UNSPECIFIED, data, len);
    return data;
}

static void write_memory(uint64_t addr, const uint8_t *data, uint64_t len)
{
    address_space_write(&address_space_memory, addr, MEMTXATTRS_UNSPECIFIED, data, len);
}

static void do_read(Qtest *s, char **words, unsigned n_words)
{
    uint64_t addr, len;

    if (range(s, words, QTEST_DATA_MAX, &addr, &len)) {
        g_autofree uint8_t *data = read_memory(addr, len);

        qtest_reply_hex(s, "OK 0x", data, len);
    }
}

/* Reads pairs of digits as far as they are digits. */
static void parse_hex(const char *text, uint8_t *data, uint64_t len)
{
    for (uint64_t i = 0; i < len && g_ascii_isxdigit(text[0]) && g_ascii_isxdigit(text[1]); i++, text += 2) {
        data[i] = g_ascii_xdigit_value(text[0]) << 4 | g_ascii_xdigit_value(text[1]);
    }
}

static void do_write(Qtest *s, char **words, unsigned n_words)
{
    uint64_t addr, len;

    if (strlen(words[3]) < 3 || !g_str_has_prefix(words[3], "0x")) {
        qtest_reply(s, "ERR invalid argument size");
    } else if (range(s, words, QTEST_DATA_MAX, &addr, &len)) {
        g_autofree uint8_t *data = g_malloc0(MAX(len, 1));

        parse_hex(words[3] + 2, data, len);
        write_memory(addr, data, len);
        qtest_reply(s, "OK");
    }
}

static void do_b64read(Qtest *s, char **words, unsigned n_words)
{
    uint64_t addr, len;

    if (range(s, words, QTEST_DATA_MAX, &addr, &len)) {
        g_autofree uint8_t *data = read_memory(addr, len);
        g_autofree char *text = g_base64_encode(data, len);

        qtest_reply(s, "OK %s", text);
    }
}

static void do_b64write(Qtest *s, char **words, unsigned n_words)
{
    uint64_t addr, len;
    gsize have;

    if (range(s, words, QTEST_DATA_MAX, &addr, &len)) {
        g_autofree uint8_t *data = g_base64_decode(words[3], &have);

        write_memory(addr, data, MIN(have, len));
        qtest_reply(s, "OK");
    }
}

static void do_memset(Qtest *s, char **words, unsigned n_words)
{
    uint64_t addr, len, pattern;

    if (range(s, words, MEMSET_MAX, &addr, &len) && number(s, words, 3, UINT64_MAX, &pattern)) {
        address_space_set(&address_space_memory, addr, (uint8_t)pattern, len);
        qtest_reply(s, "OK");
    }
}

/* --- time --- */

/* Guest time goes to @ns at most once round: it never goes back. */
static int64_t advance(int64_t ns)
{
    clock_virtual_advance_to(ns);
    return clock_get_ns(CLOCK_TYPE_VIRTUAL);
}

/* clock_step [NS]: without a number, to the next timer.  FAIL if time did not move. */
static void do_clock_step(Qtest *s, char **words, unsigned n_words)
{
    int64_t old = clock_get_ns(CLOCK_TYPE_VIRTUAL), to;
    uint64_t step;

    if (n_words > 1) {
        if (!number(s, words, 1, INT64_MAX - old, &step)) {
            return;
        }
        to = old + (int64_t)step;
    } else {
        int64_t deadline = clock_deadline_ns(CLOCK_TYPE_VIRTUAL);

        to = deadline == INT64_MAX ? old : deadline;
    }
    to = advance(to);
    qtest_reply(s, "%s %" PRId64, to > old ? "OK" : "FAIL", to);
}

static void do_clock_set(Qtest *s, char **words, unsigned n_words)
{
    uint64_t ns;

    if (number(s, words, 1, INT64_MAX, &ns)) {
        int64_t now = advance((int64_t)ns);

        qtest_reply(s, "%s %" PRId64, now == (int64_t)ns ? "OK" : "FAIL", now);
    }
}

/* --- the rest --- */

static void do_endianness(Qtest *s, char **words, unsigned n_words)
{
    qtest_reply(s, "OK little");
}

/* There are no loadable modules, so none loads. */
static void do_module_load(Qtest *s, char **words, unsigned n_words)
{
    qtest_reply(s, "FAIL");
}

static const Command commands[] = {
    { "readb", 1, do_read_value }, { "readw", 1, do_read_value }, { "readl", 1, do_read_value }, { "readq", 1, do_read_value },
    { "writeb", 2, do_write_value }, { "writew", 2, do_write_value }, { "writel", 2, do_write_value },
    { "writeq", 2, do_write_value },
    { "inb", 1, do_in }, { "inw", 1, do_in }, { "inl", 1, do_in },
    { "outb", 2, do_out }, { "outw", 2, do_out }, { "outl", 2, do_out },
    { "read", 2, do_read },
    { "write", 3, do_write },
    { "b64read", 2, do_b64read },
    { "b64write", 3, do_b64write },
    { "memset", 3, do_memset },
    { "clock_step", 0, do_clock_step, .needs_manual_clock = true },
    { "clock_set", 1, do_clock_set, .needs_manual_clock = true },
    { "irq_intercept_in", 1, qtest_irq_intercept },
    { "irq_intercept_out", 1, qtest_irq_intercept },
    { "set_irq_in", 4, qtest_set_irq_in },
    { "endianness", 0, do_endianness },
    { "module_load", 2, do_module_load },
};

static const Command *find_command(const char *name)
{
    for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
        if (!strcmp(commands[i].name, name)) {
            return !commands[i].needs_manual_clock || clock_virtual_is_manual() ? &commands[i] : NULL;
        }
    }
    return NULL;
}

void qtest_command(Qtest *s, char **words, unsigned n_words)
{
    const Command *c = find_command(words[0]);

    if (!c) {
        qtest_reply(s, "FAIL Unknown command '%.64s'", words[0]);
    } else if (n_words <= c->min_args) {
        qtest_reply(s, "FAIL %s: %u arguments expected, got %u", words[0], c->min_args, n_words - 1);
    } else {
        c->fn(s, words, n_words);
    }
}
