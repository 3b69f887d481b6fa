/*
 * The human monitor's looks at memory and ports: x, xp, print, i, o, sum, gva2gpa, gpa2hva, gpa2hpa.
 *
 * A format is [count][letter][size]: x hexadecimal, d signed, u unsigned, o octal, c character, i
 * instructions; b 1, h 2, w 4, g 8 bytes.  What is left out is as it was the last time.
 */
#include "system/monitor/internal.h"

#include "accel/tcg/cpu-ops.h"
#include "hw/core/cpu.h"
#include "util/rcu.h"

#include <fcntl.h>
#include <unistd.h>

#define MAX_COUNT    65536
#define LINE_BYTES   16
#define INSN_BYTES   15             /* of the longest instruction */

typedef struct Format {
    unsigned count;
    char letter;
    unsigned size;
} Format;

static Format present = { 1, 'x', 4 };      /* the last one's letter and size */

static bool parse_format(const char *s, Format *f, Error **errp)
{
    const char *text = s;
    char *end;

    *f = (Format){ 1, present.letter, present.size };
    if (g_ascii_isdigit(*s)) {
        f->count = (unsigned)MIN(g_ascii_strtoull(s, &end, 10), MAX_COUNT);
        s = end;
    }
    for (; *s; s++) {
        const char *sizes = "bhwg", *at = strchr(sizes, *s);

        if (at) {
            f->size = 1u << (at - sizes);
        } else if (strchr("xduoci", *s)) {
            f->letter = *s;
        } else {
            error_setg(errp, "invalid char '%c' in format '/%s'", *s, text);
            return false;
        }
    }
    present.letter = f->letter;
    if (f->letter != 'i') {
        present.size = f->size;
    }
    return true;
}

static void print_char(FILE *out, uint8_t c)
{
    if (c == '\'' || c == '\\') {
        fprintf(out, "'\\%c'", c);
    } else if (c == '\n' || c == '\r') {
        fprintf(out, "'\\%c'", c == '\n' ? 'n' : 'r');
    } else if (g_ascii_isprint((char)c)) {
        fprintf(out, "'%c'", c);
    } else {
        fprintf(out, "'\\x%02x'", c);
    }
}

/* In a column as wide as the widest value. */
static void print_column(FILE *out, const Format *f, uint64_t v)
{
    int bits = (int)f->size * 8, decimal = (bits * 10 + 32) / 33;

    switch (f->letter) {
    case 'd':
        fprintf(out, "%*" PRId64, decimal, sextract64(v, 0, (unsigned)bits));
        break;
    case 'u':
        fprintf(out, "%*" PRIu64, decimal, v);
        break;
    case 'o':
        fprintf(out, "%#*" PRIo64, (bits + 2) / 3, v);
        break;
    case 'c':
        print_char(out, (uint8_t)v);
        break;
    default:
        fprintf(out, "0x%0*" PRIx64, bits / 4, v);
        break;
    }
}

static bool read_memory(Vcpu *cpu, uint64_t addr, void *buf, size_t len, bool physical)
{
    if (physical) {
        return address_space_read(&address_space_memory, addr, MEMTXATTRS_UNSPECIFIED, buf, len) == MEMTX_OK;
    }
    cpu_synchronize(cpu);
    return cpu_memory_rw_debug(cpu, addr, buf, len, false);
}

static uint64_t little_endian(const uint8_t *p, unsigned size)
{
    uint8_t bytes[8] = { 0 };

    memcpy(bytes, p, size);
    return ld64_le(bytes);
}

static void dump_values(FILE *out, Vcpu *cpu, const Format *f, uint64_t addr, bool physical)
{
    unsigned size = f->letter == 'c' ? 1 : f->size, per_line = size == 1 ? 8 : LINE_BYTES / size;
    Format column = { f->count, f->letter, size };

    for (unsigned done = 0; done < f->count; done += per_line) {
        unsigned n = MIN(per_line, f->count - done);
        uint8_t line[LINE_BYTES];

        fprintf(out, "%016" PRIx64 ":", addr);
        if (!read_memory(cpu, addr, line, n * size, physical)) {
            fprintf(out, " Cannot access memory\n");
            return;
        }
        for (unsigned i = 0; i < n; i++) {
            fputc(' ', out);
            print_column(out, &column, little_endian(line + i * size, size));
        }
        fputc('\n', out);
        addr += n * size;
    }
}

/* As many bytes as can be read, up to one instruction. */
static unsigned fetch(Vcpu *cpu, uint64_t addr, uint8_t *buf, bool physical)
{
    unsigned n = INSN_BYTES;

    while (n && !read_memory(cpu, addr, buf, n, physical)) {
        n--;
    }
    return n;
}

static void dump_instructions(FILE *out, Vcpu *cpu, const Format *f, uint64_t addr, bool physical, Error **errp)
{
    uint8_t buf[INSN_BYTES];

    if (!vcpu_info(cpu)->print_insn) {
        error_setg(errp, "no disassembler for this CPU");
        return;
    }
    for (unsigned i = 0; i < f->count; i++) {
        unsigned have = fetch(cpu, addr, buf, physical), n;

        if (!have) {
            fprintf(out, "0x%08" PRIx64 ": unable to read memory\n", addr);
            return;
        }
        n = vcpu_info(cpu)->print_insn(cpu, out, addr, buf, have);
        if (!n) {
            error_setg(errp, "the disassembler (capstone) is not available");
            return;
        }
        addr += n;
    }
}

bool hmp_examine(FILE *out, const char *format, const char *args, bool physical, int cpu_index, Error **errp)
{
    Vcpu *cpu = cpu_by_index((unsigned)cpu_index);
    Error *err = NULL;
    uint64_t addr;
    Format f;

    if (!parse_format(format, &f, errp) || !hmp_evaluate(args, cpu_index, &addr, errp)) {
        return false;
    }
    if (!cpu && (!physical || f.letter == 'i')) {
        error_setg(errp, "there is no CPU");
        return false;
    }
    if (f.letter == 'i') {
        dump_instructions(out, cpu, &f, addr, physical, &err);
    } else {
        dump_values(out, cpu, &f, addr, physical);
    }
    error_propagate(errp, err);
    return !err;
}

bool hmp_print(FILE *out, const char *format, const char *args, int cpu_index, Error **errp)
{
    uint64_t v;
    Format f;

    if (!parse_format(format, &f, errp) || !hmp_evaluate(args, cpu_index, &v, errp)) {
        return false;
    }
    switch (f.letter) {
    case 'o':
        fprintf(out, "%#" PRIo64, v);
        break;
    case 'x':
        fprintf(out, "%#" PRIx64, v);
        break;
    case 'u':
        fprintf(out, "%" PRIu64, v);
        break;
    case 'c':
        print_char(out, (uint8_t)v);
        break;
    default:
        fprintf(out, "%" PRId64, v);
        break;
    }
    fputc('\n', out);
    return true;
}

/* --- ports --- */

/* Size of the access and its letter, from the format: 'l' unless b or h was said. */
static char port_size(const Format *f, unsigned *size)
{
    *size = f->size <= 2 ? f->size : 4;
    return *size == 1 ? 'b' : *size == 2 ? 'w' : 'l';
}

static bool check_port(uint64_t port, Error **errp)
{
    if (port > UINT16_MAX) {
        error_setg(errp, "port must be 0..0xffff, got 0x%" PRIx64, port);
        return false;
    }
    return true;
}

/* i/FMT PORT, or i/FMT INDEXPORT INDEX: the index is written first, the data read from the next port. */
bool hmp_port_in(FILE *out, const char *format, const char *args, int cpu_index, Error **errp)
{
    uint64_t port, index, v;
    unsigned size;
    char letter;
    Format f;

    if (!parse_format(format, &f, errp) || !hmp_evaluate_first(&args, cpu_index, &port, errp) || !check_port(port, errp)) {
        return false;
    }
    letter = port_size(&f, &size);
    args += *args == '.';
    if (*args) {
        if (!hmp_evaluate(args, cpu_index, &index, errp) || !check_port(port + 1, errp)) {
            return false;
        }
        address_space_st(&address_space_io, port, index & 0xff, 1, false, MEMTXATTRS_UNSPECIFIED, NULL);
        port++;
    }
    v = address_space_ld(&address_space_io, port, size, false, MEMTXATTRS_UNSPECIFIED, NULL);
    fprintf(out, "port%c[0x%04x] = 0x%0*" PRIx64 "\n", letter, (unsigned)port, (int)size * 2, v);
    return true;
}

bool hmp_port_out(FILE *out, const char *format, const char *args, int cpu_index, Error **errp)
{
    uint64_t port, v;
    unsigned size;
    Format f;

    if (!parse_format(format, &f, errp) || !hmp_evaluate_first(&args, cpu_index, &port, errp) || !check_port(port, errp) ||
        !hmp_evaluate(args, cpu_index, &v, errp)) {
        return false;
    }
    port_size(&f, &size);
    address_space_st(&address_space_io, port, extract64(v, 0, size * 8), size, false, MEMTXATTRS_UNSPECIFIED, NULL);
    return true;
}

/* --- addresses --- */

/* sum ADDR SIZE: the checksum that BSD's sum command gives. */
bool hmp_sum(FILE *out, const char *args, Error **errp)
{
    uint64_t addr, size;
    uint16_t sum = 0;

    if (!hmp_evaluate_first(&args, hmp_present_cpu(), &addr, errp) || !hmp_evaluate(args, hmp_present_cpu(), &size, errp)) {
        return false;
    }
    if (size > GiB) {
        error_setg(errp, "size must be at most 0x%" PRIx64 ", got 0x%" PRIx64, (uint64_t)GiB, size);
        return false;
    }
    while (size) {
        uint8_t buf[4 * KiB];
        size_t n = MIN(size, sizeof(buf));

        address_space_read(&address_space_memory, addr, MEMTXATTRS_UNSPECIFIED, buf, n);
        for (size_t i = 0; i < n; i++) {
            sum = (uint16_t)((sum >> 1 | sum << 15) + buf[i]);
        }
        addr += n;
        size -= n;
    }
    fprintf(out, "%05d\n", sum);
    return true;
}

bool hmp_gva2gpa(FILE *out, const char *args, Error **errp)
{
    Vcpu *cpu = cpu_by_index((unsigned)hmp_present_cpu());
    uint64_t va;
    hwaddr pa;

    if (!hmp_evaluate(args, hmp_present_cpu(), &va, errp)) {
        return false;
    }
    if (!cpu) {
        error_setg(errp, "there is no CPU");
        return false;
    }
    pa = vcpu_info(cpu)->translate_debug(cpu, va & ~(uint64_t)4095);
    if (pa == ~(hwaddr)0) {
        fprintf(out, "Unmapped\n");
    } else {
        fprintf(out, "gpa: %#" PRIx64 "\n", pa + (va & 4095));
    }
    return true;
}

/* The host's address of guest-physical @addr, and the region's name; NULL and @errp if that is no RAM. */
static const uint8_t *find_ram_rcu(uint64_t addr, const char **name, Error **errp)
{
    const FlatRange *r = flatview_lookup(address_space_view_rcu(&address_space_memory), addr);

    if (!r) {
        error_setg(errp, "No memory is mapped at address 0x%" PRIx64, addr);
        return NULL;
    }
    if (!memory_region_is_ram(r->mr)) {
        error_setg(errp, "Memory at address 0x%" PRIx64 " is not RAM", addr);
        return NULL;
    }
    *name = r->mr->name;
    return r->mr->ram->host + r->offset_in_region + (addr - r->start);
}

bool hmp_gpa2hva(FILE *out, const char *args, Error **errp)
{
    const uint8_t *host;
    const char *name;
    uint64_t addr;

    if (!hmp_evaluate(args, hmp_present_cpu(), &addr, errp)) {
        return false;
    }
    rcu_read_lock();
    host = find_ram_rcu(addr, &name, errp);
    if (host) {
        fprintf(out, "Host virtual address for 0x%" PRIx64 " (%s) is %p\n", addr, name, host);
    }
    rcu_read_unlock();
    return host != NULL;
}

/* Linux, Documentation/admin-guide/mm/pagemap.rst: bits 0..54 the page's frame, which the unprivileged read as 0; 63 present. */
static bool host_frame(const uint8_t *host, uint64_t *frame, Error **errp)
{
    const uint64_t page = (uintptr_t)host / (uintptr_t)getpagesize();
    int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    uint64_t entry = 0;
    ssize_t n;

    if (fd < 0) {
        error_setg_errno(errp, errno, "Cannot open /proc/self/pagemap");
        return false;
    }
    n = pread(fd, &entry, sizeof(entry), (off_t)(page * sizeof(entry)));
    close(fd);
    *frame = entry & (BIT_ULL(55) - 1);
    if (n != sizeof(entry)) {
        error_setg(errp, "Cannot read pagemap");
    } else if (!(entry >> 63)) {
        error_setg(errp, "Page not present");
    } else if (!*frame) {
        error_setg(errp, "the host shows page frames to nobody without CAP_SYS_ADMIN");
    } else {
        return true;
    }
    return false;
}

bool hmp_gpa2hpa(FILE *out, const char *args, Error **errp)
{
    const uint8_t *host;
    const char *name;
    uint64_t addr, frame;
    bool ok;

    if (!hmp_evaluate(args, hmp_present_cpu(), &addr, errp)) {
        return false;
    }
    rcu_read_lock();
    host = find_ram_rcu(addr, &name, errp);
    ok = host && host_frame(host, &frame, errp);
    if (ok) {
        fprintf(out, "Host physical address for 0x%" PRIx64 " (%s) is 0x%" PRIx64 "\n", addr, name,
                frame * (uint64_t)getpagesize() + (uintptr_t)host % (uintptr_t)getpagesize());
    }
    rcu_read_unlock();
    return ok;
}
