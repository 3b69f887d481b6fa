/*
 * Guest instructions as text, for -d in_asm and the human monitor, where a disassembler is present.
 */
#include "target/i386/tcg/gen.h"
#include "target/i386/cpu-internal.h"
#include "tcg/disas.h"

#define BYTES_A_LINE 8

static bool guest_line(FILE *f, uint64_t address, const uint8_t *bytes, size_t n, const char *mnemonic, const char *operands)
{
    fprintf(f, "0x%08" PRIx64 ":  %s %s\n", address, mnemonic, operands);
    return true;
}

/* Without a disassembler nothing is added: the accelerator has printed the bytes. */
void x86_disassemble(FILE *f, const TbMode *mode, uint64_t pc, const uint8_t *bytes, size_t n)
{
    disas_x86(bytes, n, mode->flags & HF_CS64 ? 64 : mode->flags & HF_CS32 ? 32 : 16, pc, DISAS_INTEL, guest_line, f);
}

static void print_bytes(FILE *f, uint64_t addr, const uint8_t *bytes, size_t n)
{
    fprintf(f, "0x%08" PRIx64 ": ", addr);
    for (size_t i = 0; i < n; i++) {
        fprintf(f, " %02x", bytes[i]);
    }
}

/* "ADDRESS:  BYTES  instruction"; a long one's further bytes follow on a line of their own. */
static bool print_first(FILE *f, uint64_t addr, const uint8_t *bytes, size_t n, const char *mnemonic, const char *operands)
{
    size_t in_first = MIN(n, BYTES_A_LINE);

    print_bytes(f, addr, bytes, in_first);
    fprintf(f, "%*s  %-8s %s\n", (int)(3 * (BYTES_A_LINE - in_first)), "", mnemonic, operands);
    if (n > in_first) {
        print_bytes(f, addr + in_first, bytes + in_first, n - in_first);
        fputc('\n', f);
    }
    return false;
}

unsigned x86_print_insn(Vcpu *cpu, FILE *f, uint64_t addr, const uint8_t *bytes, size_t n)
{
    const CPUX86State *env = cpu->env;
    unsigned bits = env->hflags & HF_CS64 ? 64 : env->hflags & HF_CS32 ? 32 : 16;
    size_t len;

    if (!disas_available()) {
        return 0;
    }
    len = disas_x86(bytes, n, bits, addr, DISAS_ATT, print_first, f);
    if (!len) {
        print_bytes(f, addr, bytes, 1);
        fprintf(f, "%*s  %-8s 0x%02x\n", 3 * (BYTES_A_LINE - 1), "", ".byte", bytes[0]);
        len = 1;
    }
    return (unsigned)len;
}
