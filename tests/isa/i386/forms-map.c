/*
 * Every opcode of the maps 0F, 0F 38 and 0F 3A with each prefix that may be mandatory: which exist,
 * how long they are, and what they do to random operands.
 *
 * The same under VEX, with both VEX.L and VEX.W, and VEX.vvvv that names a register or none.
 *
 * Behind the opcode come a register form or a memory form at (%rbx), and bytes that serve as
 * immediate and are NOPs where there is none.
 */
#include "isa.h"

/* What would leave user mode or the test, loads segments, or differs by design (CPUID, RDTSC ...). */
static const uint8_t skip_0f[] = {
    0x00, 0x01, 0x02, 0x03, 0x05, 0x07, 0x0b, 0x1a, 0x1b, 0x1c, 0x1e, 0x31, 0x33, 0x34, 0x35, 0x38, 0x3a, 0x78, 0x79,
    0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f,
    0xa1, 0xa2, 0xa9, 0xae, 0xb2, 0xb4, 0xb5, 0xc7,
};
/* What the host may have and Quern does not offer: GFNI, key locker, MOVDIR, ENQCMD, CET. */
static const uint8_t skip_0f38[] = { 0xcf, 0xd8, 0xdc, 0xdd, 0xde, 0xdf, 0xf5, 0xf6, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc };
static const uint8_t skip_0f3a[] = { 0xce, 0xcf, 0xf0 };

static const struct {
    const char *bytes;
    unsigned n;
    const uint8_t *skip;
    unsigned n_skip;
} maps[] = {
    { "\x0f", 1, skip_0f, sizeof(skip_0f) },
    { "\x0f\x38", 2, skip_0f38, sizeof(skip_0f38) },
    { "\x0f\x3a", 2, skip_0f3a, sizeof(skip_0f3a) },
};

static const struct { const char *bytes; unsigned n; } prefixes[] = {
    { "", 0 }, { "\x66", 1 }, { "\xf3", 1 }, { "\xf2", 1 }, { "\xf0", 1 }, { "\x66\xf3", 2 }, { "\xf2\x66", 2 }, { "\x48", 1 },
};

/* SSE4a and what AMD has made invalid; double shifts of 16 bits by more than 16 leave anything. */
static uint64_t vendor_flags(unsigned map, unsigned prefix, uint8_t opcode, uint8_t modrm)
{
    bool fx = strpbrk(prefixes[prefix].bytes, "\xf2\xf3");
    bool shift_by_cl = opcode == 0xa5 || opcode == 0xad;

    if (map == 0 && ((opcode == 0x0d && modrm == 0xc9) || (opcode == 0x2b && fx) || (shift_by_cl && prefixes[prefix].bytes[0] != '\x48'))) {
        return FORM_INTEL;
    }
    return 0;
}

static void add(GArray *forms, unsigned map, unsigned prefix, uint8_t opcode, uint8_t modrm)
{
    const uint8_t tail[] = { opcode, modrm, 0x90, 0x90, 0x90, 0x90 };
    GByteArray *code = g_byte_array_new();
    GString *text = g_string_new("map");
    Form f = { .flags = FORM_MMX | FORM_XMM | FORM_ALIGN16 | FORM_ANY_FLAGS | vendor_flags(map, prefix, opcode, modrm) };

    g_byte_array_append(code, (const uint8_t *)prefixes[prefix].bytes, prefixes[prefix].n);
    g_byte_array_append(code, (const uint8_t *)maps[map].bytes, maps[map].n);
    g_byte_array_append(code, tail, sizeof(tail));
    for (unsigned n = 0; n < code->len; n++) {
        g_string_append_printf(text, " %02x", code->data[n]);
    }
    f.code = code->data;
    f.end = code->data + code->len;
    f.text = g_string_free(text, FALSE);
    g_byte_array_free(code, FALSE);
    g_array_append_val(forms, f);
}

/* --- under VEX --- */

/* What the host may have and Quern does not offer: AVX-512's masks, AVX-VNNI, -IFMA, -NE-CONVERT, AMX, GFNI, SM3, FMA4. */
static const struct { uint8_t map, first, last; } skip_vex[] = {
    { 1, 0x41, 0x4b }, { 1, 0x90, 0x99 }, { 1, 0xae, 0xae }, { 1, 0xf7, 0xf7 },
    { 2, 0x49, 0x54 }, { 2, 0x5b, 0x77 }, { 2, 0xb0, 0xb5 }, { 2, 0xc6, 0xda }, { 2, 0xe0, 0xf1 },
    { 3, 0x30, 0x33 }, { 3, 0x48, 0x49 }, { 3, 0x5c, 0x5f }, { 3, 0x68, 0x7f }, { 3, 0xc2, 0xc2 }, { 3, 0xce, 0xcf }, { 3, 0xde, 0xde },
};

static bool skipped_vex(unsigned map, unsigned opcode)
{
    for (unsigned n = 0; n < ARRAY_SIZE(skip_vex); n++) {
        if (map == skip_vex[n].map && opcode >= skip_vex[n].first && opcode <= skip_vex[n].last) {
            return true;
        }
    }
    return false;
}

/* @fields: VEX.pp, L, W, and whether vvvv names XMM2. */
static void add_vex(GArray *forms, unsigned map, uint8_t opcode, unsigned fields, uint8_t modrm)
{
    static const char *const map_names[] = { "", "0f", "0f 38", "0f 3a" };
    unsigned pp = fields & 3, l = fields >> 2 & 1, w = fields >> 3 & 1, v = fields & 16 ? 0xd : 0xf;
    const uint8_t code[] = { 0xc4, 0xe0 | map, w << 7 | v << 3 | l << 2 | pp, opcode, modrm, 0x90, 0x90, 0x90, 0x90 };
    uint8_t *copy = g_memdup2(code, sizeof(code));
    Form f = { .flags = FORM_XMM | FORM_ALIGN16 | FORM_ANY_FLAGS | FORM_ONCE, .code = copy, .end = copy + sizeof(code) };

    if (map == 3 && opcode <= 1 && !w) {
        f.flags |= FORM_INTEL;          /* VPERMQ, VPERMPD: AMD's do not look at VEX.W */
    }
    f.text = g_strdup_printf("vex %s %02x %02x: pp %u l %u w %u vvvv %x", map_names[map], opcode, modrm, pp, l, w, v);
    g_array_append_val(forms, f);
}

static void add_vex_forms(GArray *forms)
{
    for (unsigned map = 1; map <= 3; map++) {
        for (unsigned op = 0; op < 256; op++) {
            for (unsigned fields = 0; fields < 32 && !skipped_vex(map, op); fields++) {
                add_vex(forms, map, op, fields, 0xc9);
                add_vex(forms, map, op, fields, 0x0b);
            }
        }
    }
}

void isa_add_map_forms(GArray *forms)
{
    for (unsigned m = 0; m < ARRAY_SIZE(maps); m++) {
        for (unsigned op = 0; op < 256; op++) {
            if (memchr(maps[m].skip, op, maps[m].n_skip)) {
                continue;
            }
            for (unsigned p = 0; p < ARRAY_SIZE(prefixes); p++) {
                add(forms, m, p, op, 0xc9);         /* LEAVE where there is no ModRM */
                add(forms, m, p, op, 0x0b);
            }
        }
    }
    if (native_has_avx()) {
        add_vex_forms(forms);
    }
}
