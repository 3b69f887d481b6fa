/*
 * Host code as text, for -d out_asm: by capstone where it is built in, else as bytes.
 */
#include "config-host.h"
#include "tcg/disas.h"
#ifdef CONFIG_CAPSTONE
#include <capstone/capstone.h>
#endif

static void dump_bytes(const uint8_t *p, size_t n, FILE *f)
{
    for (size_t i = 0; i < n; i++) {
        fprintf(f, "%s%02x%s", i && i % 16 == 0 ? "          " : " ", p[i], i % 16 == 15 || i + 1 == n ? "\n" : "");
    }
}

#ifdef CONFIG_CAPSTONE
static size_t disassemble(const uint8_t *p, size_t n, uint64_t address, FILE *f)
{
    const uint8_t *at = p;
    cs_insn *insn;
    csh cs;

    if (cs_open(CS_ARCH_X86, CS_MODE_64, &cs) != CS_ERR_OK) {
        return 0;
    }
    insn = cs_malloc(cs);
    while (cs_disasm_iter(cs, &at, &n, &address, insn)) {
        fprintf(f, "    %04" PRIx64 "  %-8s %s\n", insn->address, insn->mnemonic, insn->op_str);
    }
    cs_free(insn, 1);
    cs_close(&cs);
    return at - p;
}
#else
static size_t disassemble(const uint8_t *p, size_t n, uint64_t address, FILE *f)
{
    return 0;
}
#endif

void disas_host(const uint8_t *code, size_t offset, size_t n, FILE *f)
{
    size_t done = disassemble(code + offset, n, offset, f);

    disas_data(code, offset + done, n - done, f);
}

void disas_data(const uint8_t *code, size_t offset, size_t n, FILE *f)
{
    if (n) {
        fprintf(f, "    %04zx  .byte", offset);
        dump_bytes(code + offset, n, f);
    }
}
