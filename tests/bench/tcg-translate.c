/*
 * How fast and how densely x86 code is translated: the functions of a real program, without running.
 *
 * usage: tcg-translate ELF [N-PASSES [OFFSET]]
 * Walks the executable segment of @ELF block by block (each block begins where the last one ended)
 * and prints instructions per second and bytes of host code per byte of guest code.  With OFFSET
 * only the block there is translated, so that -d style dumps of it can be read.
 */
#include <elf.h>
#include <time.h>
#include "target/i386/cpu.h"
#include "util/log.h"

typedef struct Program {
    char *file;
    const uint8_t *text;
    size_t size;
    size_t at;
} Program;

static Program prog;

static bool load(const char *path, Error **errp)
{
    size_t len;
    const Elf64_Ehdr *eh;

    if (!g_file_get_contents(path, &prog.file, &len, NULL)) {
        return false;
    }
    eh = (const Elf64_Ehdr *)prog.file;
    for (unsigned i = 0; i < eh->e_phnum; i++) {
        const Elf64_Phdr *ph = (const Elf64_Phdr *)(prog.file + eh->e_phoff) + i;

        if (ph->p_type == PT_LOAD && ph->p_flags & PF_X) {
            prog.text = (const uint8_t *)prog.file + ph->p_offset;
            prog.size = ph->p_filesz;
        }
    }
    return prog.text;
}

static bool fetch(TbRequest *req, uint32_t delta, void *buf, unsigned n)
{
    if (prog.at + delta + n > prog.size) {
        return false;
    }
    memcpy(buf, prog.text + prog.at + delta, n);
    return true;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static const char *const memory_ops[] = { "ld", "st", "rmw", "cas", "probe", "hld", "hst" };

static uint64_t op_count(const TcgContext *ctx, const char *name)
{
    unsigned i = 0;

    while (strcmp(tcg_opcode_name(i), name)) {
        i++;
    }
    return tcg_context_op_count(ctx, i);
}

int main(int argc, char **argv)
{
    static CPUX86State env;
    static Vcpu cpu = { .env = &env };
    static uint8_t buf[1 << 20];
    TcgContext *ctx = tcg_context_new(&x86_ir_target);
    unsigned passes = argc > 2 ? atoi(argv[2]) : 1;
    size_t insns = 0, guest = 0, host = 0, blocks = 0, tables = 0, ops = 0;
    double start, seconds;

    if (argc < 2 || !load(argv[1], NULL)) {
        fprintf(stderr, "usage: tcg-translate ELF [PASSES [OFFSET]]\n");
        return 1;
    }
    tcg_context_share(ctx, true);
    memset(env.features, 0xff, sizeof(env.features));
    if (argc > 3) {
        log_mask = LOG_OP_OPT | LOG_OUT_ASM;
    }
    start = now();
    for (unsigned pass = 0; pass < passes; pass++) {
        size_t end = prog.size - 64;

        prog.at = argc > 3 ? strtoul(argv[3], NULL, 0) : 0;
        while (prog.at < end) {
            TcgCode out;
            TbRequest req = {
                .cpu = &cpu, .pc = 0x401000 + prog.at, .max_insns = 512, .ctx = ctx, .fetch = fetch,
                .page_left = 4096 - (prog.at & 4095), .bytes = prog.text + prog.at,
                .mode = { 0, 3 | HF_PE | HF_LMA | HF_CS64 | HF_CS32 | HF_SS32 | HF_OSFXSR },
            };

            req.ir = tcg_block_begin(ctx);
            x86_tcg_ops.translate(&req);
            ops += tcg_block_n_ops(req.ir);
            if (!tcg_block_compile(ctx, req.ir, buf + 16, sizeof(buf) - 16, &out)) {
                fprintf(stderr, "refused at 0x%zx\n", prog.at);
                return 1;
            }
            insns += req.n_insns;
            guest += req.size;
            host += out.size;
            tables += out.unwind_size;
            blocks++;
            prog.at += MAX(req.size, 1u);
            if (argc > 3) {
                break;
            }
        }
    }
    seconds = now() - start;
    printf("%zu blocks, %zu instructions, %.2f M/s; guest %zu bytes, host %zu (%.2fx, of which fault tables %.2fx); "
           "%.1f ops per instruction\n", blocks, insns, insns / seconds / 1e6, guest, host, (double)host / guest,
           (double)tables / guest, (double)ops / insns);
    printf("memory:");
    for (unsigned i = 0; i < ARRAY_SIZE(memory_ops); i++) {
        printf(" %s %" PRIu64, memory_ops[i], op_count(ctx, memory_ops[i]));
    }
    printf("\n");
    tcg_context_free(ctx);
    g_free(prog.file);
    return 0;
}
