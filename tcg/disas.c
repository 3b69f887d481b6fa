/*
 * Code as text, for -d in_asm and out_asm: by capstone where it is installed, else as bytes.
 *
 * The library is loaded when first needed: linked in, it costs each process 3 MiB and a millisecond.
 */
#include "config-host.h"
#include "tcg/disas.h"
#ifdef CONFIG_CAPSTONE
#include <capstone/capstone.h>
#include <dlfcn.h>
#endif

static void dump_bytes(const uint8_t *p, size_t n, FILE *f)
{
    for (size_t i = 0; i < n; i++) {
        fprintf(f, "%s%02x%s", i && i % 16 == 0 ? "          " : " ", p[i], i % 16 == 15 || i + 1 == n ? "\n" : "");
    }
}

#ifdef CONFIG_CAPSTONE

/* What is used of the library. */
typedef struct Capstone {
    __typeof__(cs_open) *open;
    __typeof__(cs_close) *close;
    __typeof__(cs_option) *option;
    __typeof__(cs_malloc) *malloc;
    __typeof__(cs_free) *free;
    __typeof__(cs_disasm_iter) *disasm_iter;
} Capstone;

/* NULL if the library is not installed. */
static const Capstone *capstone(void)
{
    static Capstone c;
    static gsize tried;

    if (g_once_init_enter(&tried)) {
        void *lib = dlopen("libcapstone.so." G_STRINGIFY(CS_API_MAJOR), RTLD_NOW | RTLD_LOCAL);

        if (lib) {
            c = (Capstone){
                .open = dlsym(lib, "cs_open"), .close = dlsym(lib, "cs_close"), .option = dlsym(lib, "cs_option"),
                .malloc = dlsym(lib, "cs_malloc"), .free = dlsym(lib, "cs_free"), .disasm_iter = dlsym(lib, "cs_disasm_iter"),
            };
        }
        g_once_init_leave(&tried, 1);
    }
    return c.open && c.close && c.option && c.malloc && c.free && c.disasm_iter ? &c : NULL;
}

bool disas_available(void)
{
    return capstone() != NULL;
}

size_t disas_x86(const uint8_t *p, size_t n, unsigned bits, uint64_t address, DisasSyntax syntax, DisasLine *line, FILE *f)
{
    const Capstone *c = capstone();
    const uint8_t *at = p;
    cs_insn *insn;
    csh cs;

    if (!c || c->open(CS_ARCH_X86, bits == 64 ? CS_MODE_64 : bits == 32 ? CS_MODE_32 : CS_MODE_16, &cs) != CS_ERR_OK) {
        return 0;
    }
    c->option(cs, CS_OPT_SYNTAX, syntax == DISAS_ATT ? CS_OPT_SYNTAX_ATT : CS_OPT_SYNTAX_INTEL);
    insn = c->malloc(cs);
    while (c->disasm_iter(cs, &at, &n, &address, insn)) {
        if (!line(f, insn->address, insn->bytes, insn->size, insn->mnemonic, insn->op_str)) {
            break;
        }
    }
    c->free(insn, 1);
    c->close(&cs);
    return at - p;
}
#else
bool disas_available(void)
{
    return false;
}

size_t disas_x86(const uint8_t *p, size_t n, unsigned bits, uint64_t address, DisasSyntax syntax, DisasLine *line, FILE *f)
{
    return 0;
}
#endif

static bool host_line(FILE *f, uint64_t address, const uint8_t *bytes, size_t n, const char *mnemonic, const char *operands)
{
    fprintf(f, "    %04" PRIx64 "  %-8s %s\n", address, mnemonic, operands);
    return true;
}

void disas_host(const uint8_t *code, size_t offset, size_t n, FILE *f)
{
    size_t done = disas_x86(code + offset, n, 64, offset, DISAS_INTEL, host_line, f);

    disas_data(code, offset + done, n - done, f);
}

void disas_data(const uint8_t *code, size_t offset, size_t n, FILE *f)
{
    if (n) {
        fprintf(f, "    %04zx  .byte", offset);
        dump_bytes(code + offset, n, f);
    }
}
