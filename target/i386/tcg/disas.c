/*
 * -d in_asm: guest instructions, where a disassembler is present.
 */
#include "target/i386/tcg/gen.h"
#include "tcg/disas.h"

static void guest_line(FILE *f, uint64_t address, const char *mnemonic, const char *operands)
{
    fprintf(f, "0x%08" PRIx64 ":  %s %s\n", address, mnemonic, operands);
}

/* Without a disassembler nothing is added: the accelerator has printed the bytes. */
void x86_disassemble(FILE *f, const TbMode *mode, uint64_t pc, const uint8_t *bytes, size_t n)
{
    disas_x86(bytes, n, mode->flags & HF_CS64 ? 64 : mode->flags & HF_CS32 ? 32 : 16, pc, guest_line, f);
}
