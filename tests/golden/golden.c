/*
 * Golden code: what the translator makes of guest instructions, as text files to be reviewed.
 *
 * usage: golden [--update] FILE...
 *
 * A file has cases:  "> BYTES [| text]" begins one, in hexadecimal, for 64-bit user mode (">32": 32-bit); what follows up to
 * an empty line is the result.  Without --update it is compared with what the translator makes now; with it
 * the file is written anew.  Lines that begin with # stay.
 *
 * The host is a pretended x86-64-v3, so that the result is the same everywhere.  Displacements into env are shown by name, and
 * jumps by label, so that it changes with the code, not with the layout of a structure.
 */
#include "target/i386/cpu.h"
#include "tcg/disas.h"
#include "tcg/x86_64/facts.h"

typedef struct Case {
    uint8_t bytes[256];
    unsigned n;
    bool code32;
} Case;

static CPUX86State env;
static Vcpu cpu = { .env = &env };
static TcgContext *ctx;
static const Case *current;
static uint8_t *code;

static bool fetch(TbRequest *req, uint32_t delta, void *buf, unsigned n)
{
    if (delta >= current->n) {
        return false;
    }
    memset(buf, 0xcc, n);                       /* what may be looked at behind the last instruction */
    memcpy(buf, current->bytes + delta, MIN(n, current->n - delta));
    return true;
}

/* --- names --- */

static const struct { const char *name; unsigned offset; } fields[] = {
    { "stub_slow", offsetof(TcgEnv, stub_slow) }, { "stub_unshared", offsetof(TcgEnv, stub_unshared) },
    { "stub_leave", offsetof(TcgEnv, stub_leave) },
    { "exit_request", offsetof(TcgEnv, exit_request) }, { "jump_cache", offsetof(TcgEnv, jump_cache) },
    { "mode_tag", offsetof(TcgEnv, mode_tag) }, { "pc", offsetof(TcgEnv, pc) }, { "block_pc", offsetof(TcgEnv, block_pc) },
    { "vop_fallback", offsetof(TcgEnv, vop_fallback) }, { "scratch", offsetof(TcgEnv, scratch) },
    { "eflags", offsetof(CPUX86State, eflags) }, { "hflags", offsetof(CPUX86State, hflags) }, { "df", offsetof(CPUX86State, df) },
    { "fpus", offsetof(CPUX86State, fpus) }, { "fpuc", offsetof(CPUX86State, fpuc) }, { "fpstt", offsetof(CPUX86State, fpstt) },
    { "fptags", offsetof(CPUX86State, fptags) }, { "fpus_before", offsetof(CPUX86State, fpus_before) },
#define FPREG(n) { "fpregs" #n, offsetof(CPUX86State, fpregs[n]) }
    FPREG(0), FPREG(1), FPREG(2), FPREG(3), FPREG(4), FPREG(5), FPREG(6), FPREG(7),
};

static char *name_of_env(unsigned offset)
{
    if (offset < sizeof(env.tcg.helpers)) {
        return g_strdup_printf("helper %s", x86_ir_target.helpers[offset / sizeof(void *)].name);
    }
    for (unsigned i = 0; i < x86_ir_target.n_globals; i++) {
        const IrGlobal *v = &x86_ir_target.globals[i];
        unsigned size = v->type == IR_V128 ? 16 : v->type == IR_I32 ? 4 : 8;

        if (offset >= v->offset && offset < v->offset + size) {
            return offset == v->offset ? g_strdup(v->name) : g_strdup_printf("%s+%u", v->name, offset - v->offset);
        }
    }
    for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
        if (fields[i].offset == offset) {
            return g_strdup(fields[i].name);
        }
    }
    for (unsigned i = 0; i < TCG_MMU_IDX_MAX; i++) {
        unsigned tlb = (unsigned)((char *)tcg_env_tlb(&env.tcg, i) - (char *)&env);
        if (offset == tlb || offset == tlb + offsetof(TcgTlbFast, table)) {
            return g_strdup_printf("tlb%u.%s", i, offset == tlb ? "mask" : "table");
        }
    }
    if (offset - offsetof(CPUX86State, fptags) < 8) {
        return g_strdup_printf("fptags%u", (unsigned)(offset - offsetof(CPUX86State, fptags)));
    }
    if (offset - offsetof(TcgEnv, returns) < sizeof(env.tcg.returns)) {
        return g_strdup(offset % sizeof(TcgJumpCacheEntry) == offsetof(TcgEnv, returns) % sizeof(TcgJumpCacheEntry) ? "return tag" : "return code");
    }
    return offset < sizeof(CPUX86State) ? g_strdup("other") : NULL;
}

/* rbp - 0x20, rbp + 8 -> its name */
static char *name_operands(const char *operands)
{
    const char *at = strstr(operands, "[rbp"), *end = at ? strchr(at, ']') : NULL;
    g_autofree char *name = NULL;
    int64_t disp = 0;

    if (!end || (at[4] != ']' && at[4] != ' ')) {
        return g_strdup(operands);
    }
    if (at[4] == ' ') {
        disp = g_ascii_strtoll(at + 7, NULL, strncmp(at + 7, "0x", 2) ? 10 : 16) * (at[5] == '-' ? -1 : 1);
    }
    name = name_of_env((unsigned)(disp + TCG_ENV_BIAS));
    return name ? g_strdup_printf("%.*s[%s]%s", (int)(at - operands), operands, name, end + 1) : g_strdup(operands);
}

/* --- host code as text --- */

typedef struct Listing {
    GString *text;
    uint64_t targets[64];
    unsigned n_targets;
    unsigned n_insns;           /* before the first slow path's stub */
    bool in_stubs, second_pass;
} Listing;

static Listing listing;

static void add_target(uint64_t target)
{
    for (unsigned i = 0; i < listing.n_targets; i++) {
        if (listing.targets[i] == target) {
            return;
        }
    }
    if (listing.n_targets < ARRAY_SIZE(listing.targets)) {
        listing.targets[listing.n_targets++] = target;
    }
}

static int compare_targets(const void *x, const void *y)
{
    const uint64_t *a = x, *b = y;

    return *a < *b ? -1 : *a > *b;
}

static int label_of(uint64_t address)
{
    for (unsigned i = 0; i < listing.n_targets; i++) {
        if (listing.targets[i] == address) {
            return (int)i;
        }
    }
    return -1;
}

static bool line(FILE *f, uint64_t address, const uint8_t *bytes, size_t n, const char *mnemonic, const char *operands)
{
    bool is_jump = mnemonic[0] == 'j' && g_str_has_prefix(operands, "0x");
    uint64_t target = is_jump ? g_ascii_strtoull(operands, NULL, 16) : 0;
    g_autofree char *named = name_operands(operands);

    if (!listing.second_pass) {
        if (is_jump) {
            add_target(target);
        }
        return true;
    }
    if (label_of(address) >= 0) {
        g_string_append_printf(listing.text, "L%d:\n", label_of(address));
    }
    listing.in_stubs |= strstr(named, "[stub_slow]") != NULL;
    listing.n_insns += !listing.in_stubs;
    if (is_jump) {
        g_string_append_printf(listing.text, "    %s L%d\n", mnemonic, label_of(target));
    } else {
        g_string_append_printf(listing.text, "    %s%s%s\n", mnemonic, *named ? " " : "", named);
    }
    return true;
}

static void walk_code(const TcgCode *tc)
{
    uint32_t at = 0, data, n;

    for (unsigned i = 0; tcg_context_data_bytes(ctx, i, &data, &n); i++) {
        disas_x86(code + at, data - at, 64, at, DISAS_INTEL, line, NULL);
        at = data + n;
    }
    disas_x86(code + at, tc->unwind_offset - at, 64, at, DISAS_INTEL, line, NULL);
}

static char *list_code(const TcgCode *tc)
{
    listing = (Listing){ .text = g_string_new(NULL) };
    walk_code(tc);
    qsort(listing.targets, listing.n_targets, sizeof(uint64_t), compare_targets);
    listing.second_pass = true;
    walk_code(tc);
    return g_string_free(listing.text, FALSE);
}

/* --- one case --- */

static GString *guest_text;

static bool guest_line(FILE *f, uint64_t address, const uint8_t *bytes, size_t n, const char *mnemonic, const char *operands)
{
    g_string_append_printf(guest_text, "%s%s%s%s", guest_text->len ? "; " : "", mnemonic, *operands ? " " : "", operands);
    return true;
}

/* "> BYTES | guest" and the result. */
static char *translate(const Case *c)
{
    uint64_t mode = c->code32 ? HF_CS32 | HF_SS32 : HF_CS64 | HF_CS32 | HF_SS32;
    TbRequest req = {
        .cpu = &cpu, .pc = 0x401000, .max_insns = 64, .ctx = ctx, .fetch = fetch, .page_left = 4096,
        .mode = { 0, 3 | HF_PE | HF_LMA | HF_OSFXSR | HF_OSXSAVE | HF_AVX_EN | mode },
    };
    GString *out = g_string_new(c->code32 ? ">32" : ">");
    g_autofree char *text = NULL;
    TcgCode tc;

    current = c;
    req.ir = tcg_block_begin(ctx);
    x86_tcg_ops.translate(&req);
    if (!tcg_block_compile(ctx, req.ir, code, 64 * KiB, &tc)) {
        g_error("a block does not compile");
    }
    for (unsigned i = 0; i < c->n; i++) {
        g_string_append_printf(out, " %02x", c->bytes[i]);
    }
    guest_text = g_string_new(NULL);
    disas_x86(c->bytes, c->n, c->code32 ? 32 : 64, req.pc, DISAS_INTEL, guest_line, NULL);
    text = list_code(&tc);
    g_string_append_printf(out, " | %s\n  %u guest -> %u host instructions; %u -> %u bytes, fault table %u\n%s", guest_text->str,
                           req.n_insns, listing.n_insns, req.size, tc.unwind_offset, tc.unwind_size, text);
    g_string_free(guest_text, TRUE);
    return g_string_free(out, FALSE);
}

static bool parse(const char *input, Case *c)
{
    *c = (Case){ .code32 = g_str_has_prefix(input, ">32") };
    for (input += c->code32 ? 3 : 1; *input && *input != '|'; input++) {
        if (g_ascii_isspace(*input)) {
            continue;
        }
        if (!g_ascii_isxdigit(input[0]) || !g_ascii_isxdigit(input[1]) || c->n == sizeof(c->bytes)) {
            return false;
        }
        c->bytes[c->n++] = (uint8_t)(g_ascii_xdigit_value(input[0]) << 4 | g_ascii_xdigit_value(input[1]));
        input++;
    }
    return c->n != 0;
}

/* --- files --- */

static char *renew(const char *path, const char *old, unsigned *n)
{
    g_auto(GStrv) lines = g_strsplit(old, "\n", -1);
    GString *out = g_string_new(NULL);

    for (unsigned i = 0; lines[i]; i++) {
        Case c;

        if (lines[i][0] == '#' || (!*lines[i] && lines[i + 1])) {
            g_string_append_printf(out, "%s\n", lines[i]);
        } else if (lines[i][0] == '>') {
            g_autofree char *result = NULL;

            if (!parse(lines[i], &c)) {
                g_error("%s:%u: '%s' is not '> BYTES | text'", path, i + 1, lines[i]);
            }
            result = translate(&c);
            g_string_append(out, result);
            (*n)++;
            while (lines[i + 1] && *lines[i + 1]) {     /* the old result */
                i++;
            }
        }
    }
    return g_string_free(out, FALSE);
}

static void show_difference(const char *path, const char *old, const char *new_)
{
    g_autofree char *tmp = g_build_filename(g_get_tmp_dir(), "golden-XXXXXX", NULL);
    g_autofree char *command = NULL;
    int fd = g_mkstemp(tmp);

    close(fd);
    if (fd >= 0 && g_file_set_contents(tmp, new_, -1, NULL)) {
        command = g_strdup_printf("diff -u '%s' '%s' | head -60 | sed 's/^/# /'", path, tmp);
        fflush(stdout);
        if (system(command) == -1) {
            printf("# (no diff)\n");
        }
        remove(tmp);
    }
}

static bool check_file(const char *path, bool update)
{
    g_autofree char *old = NULL, *new_ = NULL, *base = g_path_get_basename(path);
    unsigned n = 0;
    bool same;

    if (!g_file_get_contents(path, &old, NULL, NULL)) {
        g_error("cannot read '%s'", path);
    }
    new_ = renew(path, old, &n);
    same = !strcmp(old, new_);
    if (update && !same && !g_file_set_contents(path, new_, -1, NULL)) {
        g_error("cannot write '%s'", path);
    }
    printf("%s %s: %u cases\n", same || update ? "ok" : "not ok", base, n);
    if (!same && !update) {
        show_difference(path, old, new_);
        printf("# if the new code is meant: ninja -C build golden-update\n");
    }
    return same || update;
}

int main(int argc, char **argv)
{
    bool update = argc > 1 && !strcmp(argv[1], "--update"), ok = true, runs_here;

    if (!disas_available()) {
        printf("1..0 # SKIP no disassembler\n");
        return 0;
    }
    if (!tcg_host_pretend("x86-64-v3", &runs_here)) {
        return 1;
    }
    memset(env.features, 0xff, sizeof(env.features));
    env.fpstt = 5;                              /* three registers on the x87's stack */
    memset(env.fptags, 1, 5);
    tcg_env_init(&env.tcg, &x86_ir_target);
    ctx = tcg_context_new(&x86_ir_target);
    tcg_context_share(ctx, true);
    code = g_aligned_alloc(1, 64 * KiB + 64, 64);
    code += 64;
    printf("1..%d\n", argc - 1 - update);
    for (int i = 1 + update; i < argc; i++) {
        ok &= check_file(argv[i], update);
    }
    tcg_context_free(ctx);
    return !ok;
}
