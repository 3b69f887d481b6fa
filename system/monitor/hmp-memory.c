/*
 * The human monitor's x, xp and print.
 *
 * A format is [count][letter][size]: x hexadecimal, d signed, u unsigned, o octal, c character;
 * b 1, h 2, w 4, g 8 bytes.  An address or expression is a sum of numbers.
 */
#include "system/monitor/internal.h"

#include "accel/tcg/cpu-ops.h"
#include "hw/core/cpu.h"
#include "qapi/qapi.h"

#define MAX_COUNT 65536

typedef struct Format {
    unsigned count;
    char letter;
    unsigned size;
} Format;

static bool parse_format(const char *s, Format *f)
{
    char *end;

    *f = (Format){ 1, 'x', 4 };
    if (g_ascii_isdigit(*s)) {
        f->count = (unsigned)MIN(g_ascii_strtoull(s, &end, 10), MAX_COUNT);
        s = end;
    }
    for (; *s; s++) {
        const char *sizes = "bhwg", *at = strchr(sizes, *s);

        if (at) {
            f->size = 1u << (at - sizes);
        } else if (strchr("xduoc", *s)) {
            f->letter = *s;
            f->size = *s == 'c' ? 1 : f->size;
        } else {
            return false;
        }
    }
    return f->count > 0;
}

/* number { (+|-) number } */
static bool evaluate(const char *text, uint64_t *out)
{
    g_autofree char *s = g_strdup(text);
    char *p = s;
    bool minus = false;

    *out = 0;
    for (;;) {
        size_t len;
        uint64_t n;
        char c;

        p += strspn(p, " ");
        len = strcspn(p, "+- ");
        c = p[len];
        p[len] = '\0';
        if (!qapi_parse_uint("", p, &n, NULL)) {
            return false;
        }
        *out += minus ? -n : n;
        p[len] = c;
        p += len;
        p += strspn(p, " ");
        if (!*p) {
            return true;
        }
        if (*p != '+' && *p != '-') {
            return false;
        }
        minus = *p++ == '-';
    }
}

static void print_value(FILE *out, const Format *f, uint64_t v)
{
    int64_t s = sextract64(v, 0, f->size * 8);

    switch (f->letter) {
    case 'd':
        fprintf(out, "%" PRId64, s);
        break;
    case 'u':
        fprintf(out, "%" PRIu64, v);
        break;
    case 'o':
        fprintf(out, "%#" PRIo64, v);
        break;
    case 'c':
        fprintf(out, g_ascii_isprint((char)v) ? "'%c'" : "'\\x%02x'", (unsigned)v);
        break;
    default:
        fprintf(out, "0x%0*" PRIx64, (int)f->size * 2, v);
        break;
    }
}

static bool read_memory(Vcpu *cpu, uint64_t addr, void *buf, unsigned len, bool physical)
{
    if (physical) {
        return address_space_read(&address_space_memory, addr, MEMTXATTRS_UNSPECIFIED, buf, len) == MEMTX_OK;
    }
    return cpu && cpu_memory_rw_debug(cpu, addr, buf, len, false);
}

void hmp_examine(FILE *out, const char *format, const char *args, bool physical, int cpu_index)
{
    Vcpu *cpu = cpu_by_index(cpu_index);
    unsigned per_line;
    uint64_t addr;
    Format f;

    if (!parse_format(format, &f) || !evaluate(args, &addr)) {
        fprintf(out, "expected /FMT ADDRESS, as in xp/4xw 0x1000\n");
        return;
    }
    per_line = f.letter == 'c' ? 8 : 16 / f.size;
    for (unsigned i = 0; i < f.count; i++, addr += f.size) {
        uint8_t bytes[8] = { 0 };

        if (!read_memory(cpu, addr, bytes, f.size, physical)) {
            fprintf(out, "%sCannot access memory at 0x%" PRIx64 "\n", i % per_line ? "\n" : "", addr);
            return;
        }
        if (i % per_line == 0) {
            fprintf(out, "%s%016" PRIx64 ":", i ? "\n" : "", addr);
        }
        fputc(' ', out);
        print_value(out, &f, ld64_le(bytes));
    }
    fputc('\n', out);
}

void hmp_print(FILE *out, const char *format, const char *args)
{
    uint64_t v;
    Format f;

    if (!parse_format(format, &f) || !evaluate(args, &v)) {
        fprintf(out, "expected [/FMT] SUM, as in print/x 4096+0x10\n");
        return;
    }
    f.size = 8;
    if (f.letter == 'x') {
        fprintf(out, "0x%" PRIx64, v);
    } else {
        print_value(out, &f, v);
    }
    fputc('\n', out);
}
