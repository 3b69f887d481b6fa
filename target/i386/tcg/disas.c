/*
 * -d in_asm: guest instructions by capstone, where it is present.
 */
#include "config-host.h"
#include "target/i386/tcg/gen.h"

#ifdef CONFIG_CAPSTONE
#include <capstone/capstone.h>

void x86_disassemble(FILE *f, const TbMode *mode, uint64_t pc, const uint8_t *bytes, size_t n)
{
    cs_mode bits = mode->flags & HF_CS64 ? CS_MODE_64 : mode->flags & HF_CS32 ? CS_MODE_32 : CS_MODE_16;
    cs_insn *insn;
    size_t count;
    csh h;

    if (cs_open(CS_ARCH_X86, bits, &h) != CS_ERR_OK) {
        return;
    }
    count = cs_disasm(h, bytes, n, pc, 0, &insn);
    for (size_t i = 0; i < count; i++) {
        fprintf(f, "0x%08" PRIx64 ":  %s %s\n", insn[i].address, insn[i].mnemonic, insn[i].op_str);
    }
    if (count) {
        cs_free(insn, count);
    }
    cs_close(&h);
}
#else
void x86_disassemble(FILE *f, const TbMode *mode, uint64_t pc, const uint8_t *bytes, size_t n)
{
    (void)bytes;                        /* the accelerator has printed them */
}
#endif
